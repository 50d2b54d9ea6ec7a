#include "world/claim.h"
#include "base/check.h"
#include "base/rand.h"
#include "store/scratch.h"
#include "world/state.h"
#include <string.h>

#define SWEEP_MS        500
#define AWAY_MS_MIN     500
#define FAILURES_SHIFT  4
#define EPOCH_ALONE     1    /* of every block without a book */
#define CHECK_SPREAD_MS 4000 /* so that what was claimed together is not checked together */
#define ECHO_MS         1000 /* a hint this soon is likely about our own claim */

static const uint8_t claim_moves[CLAIM_STATES] = {
    [CLAIM_FREE] = 1 << CLAIM_WANTED,
    [CLAIM_WANTED] = 1 << CLAIM_READING | 1 << CLAIM_AWAY | 1 << CLAIM_FREE,
    [CLAIM_READING] = 1 << CLAIM_CLAIMING | 1 << CLAIM_HELD | 1 << CLAIM_AWAY | 1 << CLAIM_FREE,
    [CLAIM_CLAIMING] = 1 << CLAIM_HELD | 1 << CLAIM_READING | 1 << CLAIM_AWAY | 1 << CLAIM_FREE,
    [CLAIM_HELD] = 1 << CLAIM_CHECKING | 1 << CLAIM_FREE,
    [CLAIM_CHECKING] = 1 << CLAIM_HELD | 1 << CLAIM_LOST | 1 << CLAIM_FREE,
    [CLAIM_LOST] = 1 << CLAIM_WANTED | 1 << CLAIM_FREE,
    [CLAIM_AWAY] = 1 << CLAIM_WANTED | 1 << CLAIM_FREE,
};

static void
claim_move(struct world *w, struct claim *c, enum claim_state to)
{
    CHECK(claim_moves[c->state] >> to & 1);
    env_trace(w->env, "steward.claim", c->block, to);
    c->state = to;
}

static bool
is_held(const struct claim *c)
{
    return c->state == CLAIM_HELD || c->state == CLAIM_CHECKING;
}

bool
claim_is_alone(const struct world *w)
{
    return w->options.book == NULL;
}

bool
claim_has_others(const struct world *w)
{
    return w->claims.others > 0;
}

bool
claim_has_homes_anywhere(const struct world *w)
{
    return w->claims.others + w->claims.abroad > 0;
}

/* ---- lists ---- */

static void
list_add(struct world *w, struct claim_list *list, uint32_t index)
{
    struct pool *pool = &w->claims.pool;
    struct claim *c = pool_at(pool, index);
    c->next = POOL_NONE;
    c->previous = list->last;
    if (list->last != POOL_NONE) {
        ((struct claim *)pool_at(pool, list->last))->next = index;
    } else {
        list->first = index;
    }
    list->last = index;
    list->count++;
}

static void
list_remove(struct world *w, struct claim_list *list, uint32_t index)
{
    struct pool *pool = &w->claims.pool;
    const struct claim *c = pool_at(pool, index);
    CHECK(list->count > 0);
    if (c->previous != POOL_NONE) {
        ((struct claim *)pool_at(pool, c->previous))->next = c->next;
    } else {
        list->first = c->next;
    }
    if (c->next != POOL_NONE) {
        ((struct claim *)pool_at(pool, c->next))->previous = c->previous;
    } else {
        list->last = c->previous;
    }
    list->count--;
}

static void
want(struct world *w, uint32_t index)
{
    claim_move(w, pool_at(&w->claims.pool, index), CLAIM_WANTED);
    list_add(w, &w->claims.wanted, index);
}

/* ---- candidates ---- */

static bool
is_dead(const struct claims *claims, uint64_t epoch)
{
    for (uint32_t i = 0; i < CLAIMS_DEAD_MAX; i++) {
        if (claims->dead[i] == epoch) {
            return true;
        }
    }
    return false;
}

/* The homes of our shard that live, in the order of the book. */
static uint32_t
list_homes(const struct world *w, bool draining, uint64_t homes[BOOK_NODES_MAX])
{
    const struct book *book = w->options.book;
    uint32_t count = 0;
    for (uint32_t i = 0; i < book->count; i++) {
        const struct node *node = &book->nodes[i];
        if (node->role == NODE_HOME && node->shard == w->claims.shard &&
            (draining || !node->draining) && !is_dead(&w->claims, node->epoch)) {
            homes[count++] = node->epoch;
        }
    }
    return count;
}

/* Who can be a steward: those that do not drain, or all, if all do. true: they are others than
 * before. */
static bool
find_homes(struct world *w)
{
    struct claims *claims = &w->claims;
    const struct book *book = w->options.book;
    uint64_t homes[BOOK_NODES_MAX];
    const struct node *self = book_find(book, w->options.node_epoch);
    claims->shard = self != NULL ? self->shard : claims->shard;
    claims->others = claims->abroad = 0;
    for (uint32_t i = 0; i < book->count; i++) {
        const struct node *node = &book->nodes[i];
        bool other = node->role == NODE_HOME && node->epoch != w->options.node_epoch;
        claims->others += other && node->shard == claims->shard;
        claims->abroad += other && node->shard != claims->shard;
    }
    uint32_t count = list_homes(w, false, homes);
    if (count == 0) {
        count = list_homes(w, true, homes);
    }
    bool same =
        count == claims->homes_count && memcmp(homes, claims->homes, sizeof homes[0] * count) == 0;
    memcpy(claims->homes, homes, sizeof homes[0] * count);
    claims->homes_count = count;
    claims->revision = book->revision;
    return !same;
}

uint64_t
claim_candidate(const struct world *w, topic_id block)
{
    uint64_t best = w->options.node_epoch, most = 0;
    if (claim_is_alone(w)) {
        return best;
    }
    for (uint32_t i = 0; i < w->claims.homes_count; i++) {
        uint64_t weight = rand_mix(block, w->claims.homes[i]);
        if (weight >= most) {
            most = weight;
            best = w->claims.homes[i];
        }
    }
    return best;
}

static bool
is_candidate(const struct world *w, topic_id block)
{
    return claim_candidate(w, block) == w->options.node_epoch;
}

/* ---- an end ---- */

static struct key
key_of(const struct world *w, const struct claim *c)
{
    return key_make(w->options.world_id, KEY_CLASS_STEWARD, c->block);
}

static void
watch(struct world *w, const struct claim *c, bool on)
{
    struct key key = key_of(w, c);
    if (store_watch(&w->store, key_slice(&key), on) != OK) {
        env_trace(w->env, "steward.not_watched", c->block, on);
    }
}

static void
lose(struct world *w, struct claim *c)
{
    w->claims.held--;
    w->stats.stewards_held--;
    watch(w, c, false);
    if (c->resting) {
        c->resting = false;
        list_remove(w, &w->claims.resting, map_get(&w->claims.by_block, c->block));
    }
}

/* What is under way for it finds nobody when it comes. */
static void
release(struct world *w, uint32_t index)
{
    struct claim *c = pool_at(&w->claims.pool, index);
    topic_id block = c->block;
    bool held = is_held(c);
    if (held) {
        lose(w, c);
    } else if (c->state == CLAIM_WANTED) {
        list_remove(w, &w->claims.wanted, index);
    }
    claim_move(w, c, CLAIM_FREE);
    CHECK(map_remove(&w->claims.by_block, block) == index);
    pool_give(&w->claims.pool, index);
    if (held) {
        steward_lost(w, block);
    }
}

/* ---- reading and writing ---- */

static void advance(struct world *w);

static void
put_off(struct world *w, struct claim *c)
{
    w->stats.claims_failed++;
    c->due_ms = env_world_ms(w->env) + ((int64_t)AWAY_MS_MIN << c->failures);
    c->failures = (uint8_t)(c->failures + (c->failures < FAILURES_SHIFT));
    claim_move(w, c, CLAIM_AWAY);
}

static void
rest(struct world *w, uint32_t index)
{
    struct claim *c = pool_at(&w->claims.pool, index);
    c->resting = true;
    list_add(w, &w->claims.resting, index);
    if (w->claims.resting.count > CLAIMS_RESTING_MAX) {
        release(w, w->claims.resting.first);
    }
}

static int64_t
next_check_ms(const struct world *w)
{
    return env_world_ms(w->env) + CLAIM_CHECK_MS - (int64_t)(env_random(w->env) % CHECK_SPREAD_MS);
}

static void
win(struct world *w, uint32_t index)
{
    struct claim *c = pool_at(&w->claims.pool, index);
    topic_id block = c->block;
    uint64_t epoch = c->epoch;
    c->failures = 0;
    c->won_ms = env_world_ms(w->env);
    c->due_ms = next_check_ms(w);
    claim_move(w, c, CLAIM_HELD);
    w->claims.held++;
    w->stats.stewards_held++;
    watch(w, c, true);
    if (!steward_won(w, block, epoch)) {
        rest(w, index); /* nobody wants it awake any more */
    }
}

static void begin_reading(struct world *w, uint32_t index, enum claim_state as);

static void
committed(void *ctx, uint64_t handle, enum store_result result)
{
    struct world *w = ctx;
    struct claim *c = pool_find(&w->claims.pool, handle);
    w->claims.under_way--;
    if (c != NULL) {
        CHECK(c->state == CLAIM_CLAIMING);
        switch (result) {
        case STORE_OK:
            w->stats.claims++;
            win(w, (uint32_t)handle);
            break;
        case STORE_CONFLICT:
        case STORE_UNKNOWN: begin_reading(w, (uint32_t)handle, CLAIM_READING); break;
        case STORE_UNAVAILABLE: put_off(w, c); break;
        }
    }
    advance(w);
}

/* epoch: the highest there was. */
static void
write_claim(struct world *w, uint32_t index, uint64_t epoch)
{
    struct claim *c = pool_at(&w->claims.pool, index);
    Seom__StewardDocument document = SEOM__STEWARD_DOCUMENT__INIT;
    uint8_t packed[64];
    c->epoch = (epoch > EPOCH_ALONE ? epoch : EPOCH_ALONE) + 1;
    document.steward = w->options.node_epoch;
    document.steward_epoch = c->epoch;
    CHECK(seom__steward_document__get_packed_size(&document) <= sizeof packed);
    struct key key = key_of(w, c);
    struct store_write write = {.key = key_slice(&key),
                                .expected_version = c->version,
                                .op = STORE_PUT,
                                .value = {packed, seom__steward_document__pack(&document, packed)}};
    if (store_commit(&w->store, &write, 1, committed, w, pool_handle(&w->claims.pool, index)) !=
        OK) {
        put_off(w, c);
        return;
    }
    claim_move(w, c, CLAIM_CLAIMING);
    w->claims.under_way++;
}

/* What a document says. */
struct steward_named {
    uint64_t steward, epoch;
};

/* Held, and the document has been read again. */
static void
checked(struct world *w, uint32_t index, const struct steward_named *named)
{
    struct claim *c = pool_at(&w->claims.pool, index);
    bool ours = named->steward == w->options.node_epoch && named->epoch == c->epoch;
    if (!ours && w->options.mutant != WORLD_MUTANT_STEWARD_IGNORED) {
        topic_id block = c->block;
        w->stats.claims_lost++;
        lose(w, c);
        claim_move(w, c, CLAIM_LOST);
        c->due_ms = env_world_ms(w->env) + CLAIM_LOST_MS / 2 +
                    (int64_t)(env_random(w->env) % (CLAIM_LOST_MS / 2));
        steward_lost(w, block);
        return;
    }
    claim_move(w, c, CLAIM_HELD);
    c->due_ms = c->again ? env_world_ms(w->env) : next_check_ms(w);
    c->again = false;
}

static bool
read_document(const struct store_doc *doc, struct steward_named *out)
{
    struct scratch scratch;
    *out = (struct steward_named){0};
    if (!doc->exists) {
        return true;
    }
    scratch_init(&scratch);
    const Seom__StewardDocument *document =
        seom__steward_document__unpack(&scratch.allocator, doc->value.bytes, doc->value.at);
    if (document != NULL) {
        *out =
            (struct steward_named){.steward = document->steward, .epoch = document->steward_epoch};
    }
    return document != NULL;
}

static void
got(void *ctx, uint64_t handle, enum store_result result, const struct store_doc *doc)
{
    struct world *w = ctx;
    struct claim *c = pool_find(&w->claims.pool, handle);
    struct steward_named named;
    uint32_t index = (uint32_t)handle;
    w->claims.under_way--;
    if (c == NULL) {
        advance(w);
        return;
    }
    bool readable = result == STORE_OK && read_document(doc, &named);
    if (!readable && c->state == CLAIM_CHECKING) {
        claim_move(w, c, CLAIM_HELD);
        c->due_ms = next_check_ms(w);
    } else if (!readable) {
        put_off(w, c);
    } else if (c->state == CLAIM_CHECKING) {
        checked(w, index, &named);
    } else if (named.steward == w->options.node_epoch) {
        c->epoch = named.epoch;
        win(w, index);
    } else {
        c->version = doc->version;
        write_claim(w, index, named.epoch);
    }
    advance(w);
}

static void
begin_reading(struct world *w, uint32_t index, enum claim_state as)
{
    struct claim *c = pool_at(&w->claims.pool, index);
    struct key key = key_of(w, c);
    if (store_get(&w->store, key_slice(&key), got, w, pool_handle(&w->claims.pool, index)) != OK) {
        if (as == CLAIM_READING) {
            put_off(w, c);
        }
        return; /* held: later */
    }
    claim_move(w, c, as);
    w->claims.under_way++;
}

/* Begins what is wanted, in order, as far as there is room. */
static void
advance(struct world *w)
{
    struct claims *claims = &w->claims;
    while (claims->wanted.first != POOL_NONE && claims->under_way < CLAIMS_UNDER_WAY_MAX &&
           !w->stopping) {
        uint32_t index = claims->wanted.first;
        list_remove(w, &claims->wanted, index);
        begin_reading(w, index, CLAIM_READING);
    }
}

/* ---- what the steward says ---- */

static bool
take(struct world *w, topic_id block)
{
    struct claims *claims = &w->claims;
    uint32_t index;
    if (pool_take(&claims->pool, &index) != OK) {
        if (claims->resting.first == POOL_NONE) {
            w->stats.claims_full++;
            claims->missed = true;
            return false;
        }
        release(w, claims->resting.first);
        CHECK(pool_take(&claims->pool, &index) == OK);
    }
    *(struct claim *)pool_at(&claims->pool, index) = (struct claim){.block = block};
    CHECK(map_put(&claims->by_block, block, index) == OK);
    want(w, index);
    return true;
}

bool
claim_want(struct world *w, topic_id block, uint64_t *epoch)
{
    *epoch = EPOCH_ALONE;
    if (claim_is_alone(w)) {
        return true;
    }
    *epoch = 0;
    if (!is_candidate(w, block)) {
        return false;
    }
    uint32_t index = map_get(&w->claims.by_block, block);
    if (index == MAP_NONE) {
        if (take(w, block)) {
            advance(w);
        }
        return false;
    }
    struct claim *c = pool_at(&w->claims.pool, index);
    if (!is_held(c)) {
        return false; /* on its way */
    }
    if (c->resting) {
        c->resting = false;
        list_remove(w, &w->claims.resting, index);
    }
    *epoch = c->epoch;
    if (c->state == CLAIM_HELD && c->due_ms <= env_world_ms(w->env)) {
        begin_reading(w, index, CLAIM_CHECKING);
    }
    return true;
}

void
claim_rest(struct world *w, topic_id block)
{
    uint32_t index = map_get(&w->claims.by_block, block);
    const struct claim *c = index == MAP_NONE ? NULL : pool_at(&w->claims.pool, index);
    if (c != NULL && is_held(c) && !c->resting) {
        rest(w, index);
    }
}

void
claim_hinted(struct world *w, topic_id block)
{
    uint32_t index = map_get(&w->claims.by_block, block);
    struct claim *c = index == MAP_NONE ? NULL : pool_at(&w->claims.pool, index);
    if (c == NULL || !is_held(c)) {
        return;
    }
    int64_t now_ms = env_world_ms(w->env), echo_ms = c->won_ms + ECHO_MS;
    c->again |= c->state == CLAIM_CHECKING;
    if (c->state == CLAIM_HELD && now_ms >= echo_ms) {
        begin_reading(w, index, CLAIM_CHECKING);
    } else if (c->state == CLAIM_HELD) {
        c->due_ms = echo_ms; /* or of somebody who has it already: looked at later */
    }
}

/* ---- time and the book ---- */

bool
claims_look_at_book(struct world *w)
{
    if (claim_is_alone(w)) {
        return false;
    }
    bool missed = w->claims.missed;
    w->claims.missed = false;
    if (!find_homes(w)) {
        return missed;
    }
    struct pool *pool = &w->claims.pool;
    for (uint32_t i = pool_next(pool, POOL_NONE); i != POOL_NONE; i = pool_next(pool, i)) {
        const struct claim *c = pool_at(pool, i);
        if (!is_candidate(w, c->block)) {
            release(w, i);
        }
    }
    return true;
}

static void
claim_due(struct world *w, uint32_t index)
{
    struct claim *c = pool_at(&w->claims.pool, index);
    switch (c->state) {
    case CLAIM_HELD:
        if (!c->resting && w->claims.under_way < CLAIMS_UNDER_WAY_MAX) {
            begin_reading(w, index, CLAIM_CHECKING);
        }
        break;
    case CLAIM_LOST:
    case CLAIM_AWAY:
        if (steward_wants(w, c->block)) {
            want(w, index);
        } else {
            release(w, index);
        }
        break;
    case CLAIM_FREE:
    case CLAIM_WANTED:
    case CLAIM_READING:
    case CLAIM_CLAIMING:
    case CLAIM_CHECKING:
    case CLAIM_STATES: break;
    }
}

void
claims_turn(struct world *w, int64_t now_ms)
{
    struct claims *claims = &w->claims;
    if (claim_is_alone(w) || now_ms < claims->swept_ms + SWEEP_MS) {
        return;
    }
    claims->swept_ms = now_ms;
    if (w->options.book->revision != claims->revision || claims->missed) {
        steward_book_changed(w);
    }
    struct pool *pool = &claims->pool;
    for (uint32_t i = pool_next(pool, POOL_NONE); i != POOL_NONE && !w->stopping;
         i = pool_next(pool, i)) {
        if (((struct claim *)pool_at(pool, i))->due_ms <= now_ms) {
            claim_due(w, i);
        }
    }
    advance(w);
}

void
claims_forget(struct world *w)
{
    struct pool *pool = &w->claims.pool;
    for (uint32_t i = pool_next(pool, POOL_NONE); i != POOL_NONE; i = pool_next(pool, i)) {
        release(w, i);
    }
    w->claims.missed = true; /* those that are subscribed are wanted anew */
}

void
claims_init(struct world *w, uint32_t claims_max)
{
    struct claims *claims = &w->claims;
    claims->wanted = claims->resting = (struct claim_list){POOL_NONE, POOL_NONE, 0};
    pool_init(&claims->pool, sizeof(struct claim), claims_max, 64);
    map_init(&claims->by_block, claims_max, 0);
    if (!claim_is_alone(w)) {
        find_homes(w);
    }
}

void
claims_fini(struct world *w)
{
    pool_fini(&w->claims.pool);
    map_fini(&w->claims.by_block);
}
