/* Copies of the documents of awake chunks, from which their things are told. A copy is read when
 * its chunk wakes and replaced by whatever a command here writes; a lower version never replaces a
 * higher one. Until it is there, and while the store is away, the closed forms are told alone; what
 * the document changes about them is told as soon as it comes.
 *
 *              room to read           it came
 *   WANTED -------------> READING -------------> STANDS
 *     ^  ^                 |   | it may be old:    |
 *     |  +-----------------+---+ read once more    | written, and nobody knows what stands there
 *     |                    | the store is away     |
 *     +------- AWAY <------+                       |
 *     +--------------------------------------------+
 *
 * At most READS_MAX are read at once, in the order of waking; all of it is given back when the
 * chunk falls asleep.
 *
 * In a cluster others may write a chunk's document, too: whoever could not reach us in time. A hint
 * of the store has it read again, at most every HINTED_MS, since most hints are about what we wrote
 * ourselves; and as hints can be missed, all copies are read round and round, one every HEAL_MS or
 * as often as HEALED_PER_TICK allows.
 */
#include "base/check.h"
#include "seom.pb-c.h"
#include "society/chunk.h"
#include "store/scratch.h"
#include "world/state.h"
#include <string.h>

#define READS_MAX       512
#define REREAD_MS_MIN   500
#define REREAD_MS_MAX   8000
#define GROW_RETRY_MS   2000
#define FAILURES_SHIFT  4
#define HINTED_MS       500
#define HEAL_TICKS      300 /* 30 s */
#define HEALED_PER_TICK 64

static const uint8_t copy_moves[COPY_STATES] = {
    [COPY_WANTED] = 1 << COPY_READING | 1 << COPY_AWAY,
    [COPY_READING] = 1 << COPY_STANDS | 1 << COPY_WANTED | 1 << COPY_AWAY,
    [COPY_AWAY] = 1 << COPY_WANTED,
    [COPY_STANDS] = 1 << COPY_WANTED,
};

static void
copy_move(struct copy *c, enum copy_state to)
{
    CHECK(copy_moves[c->state] >> to & 1);
    c->state = to;
}

static struct copy *
copy_at(const struct world *w, const struct topic *t, uint8_t chunk)
{
    return t->copies[chunk] == POOL_NONE ? NULL : pool_at(&w->copies, t->copies[chunk]);
}

/* ---- those that wait to be read ---- */

static void
list(struct world *w, uint32_t index)
{
    struct copy *c = pool_at(&w->copies, index);
    c->next = POOL_NONE;
    c->previous = w->last_wanted;
    if (w->last_wanted != POOL_NONE) {
        ((struct copy *)pool_at(&w->copies, w->last_wanted))->next = index;
    } else {
        w->first_wanted = index;
    }
    w->last_wanted = index;
}

static void
unlist(struct world *w, const struct copy *c)
{
    if (c->previous != POOL_NONE) {
        ((struct copy *)pool_at(&w->copies, c->previous))->next = c->next;
    } else {
        w->first_wanted = c->next;
    }
    if (c->next != POOL_NONE) {
        ((struct copy *)pool_at(&w->copies, c->next))->previous = c->previous;
    } else {
        w->last_wanted = c->previous;
    }
}

static void
want(struct world *w, uint32_t index)
{
    struct copy *c = pool_at(&w->copies, index);
    copy_move(c, COPY_WANTED);
    c->reread_ms = 0; /* it is read now */
    list(w, index);
}

/* ---- its content ---- */

static const Seom__ChunkDocument *
decode(const struct copy *c, struct scratch *scratch)
{
    if (c->buffer.at == NULL) {
        return NULL;
    }
    scratch_init(scratch);
    return seom__chunk_document__unpack(&scratch->allocator, c->bytes, c->buffer.at);
}

const Seom__ChunkDocument *
copy_document(const struct world *w, const struct topic *t, uint8_t chunk, struct scratch *scratch)
{
    const struct copy *c = copy_at(w, t, chunk);
    return c == NULL ? NULL : decode(c, scratch);
}

/* When a job must bring it up to date. */
static int64_t
grows_ms(struct world *w, const struct copy *c)
{
    struct scratch scratch;
    const struct game *game = w->options.game;
    const Seom__ChunkDocument *document = decode(c, &scratch);
    w->stats.chunks_unreadable += document == NULL && c->buffer.at != NULL;
    return game->regrow_due_ms != NULL && document != NULL ? game->regrow_due_ms(document)
                                                           : INT64_MAX;
}

/* What stands there now, unless something newer is known; what it changes about the chunk's things
 * is told. false: no room for it. */
static bool
replace(struct world *w, struct copy *c, uint64_t version, bool exists, struct slice value)
{
    if (version <= c->version) {
        return true;
    }
    struct buffer fresh = {0};
    if (exists && buffers_take(&w->buffers, value.bytes, &fresh) != OK) {
        return false;
    }
    struct topic *t = pool_at(&w->topics, c->topic);
    struct sight before;
    steward_before(w, t, c->chunk, &before);
    buffers_give(&w->buffers, &c->buffer);
    c->buffer = fresh;
    c->bytes = exists ? (uint32_t)value.bytes : 0;
    if (c->bytes > 0) {
        memcpy(c->buffer.at, value.at, value.bytes);
    }
    c->version = version;
    c->grows_ms = grows_ms(w, c);
    steward_after(w, t, c->chunk, &before);
    return true;
}

/* ---- reading ---- */

/* To be asked for again, later and later. */
static void
put_off(struct world *w, struct copy *c)
{
    struct topic *t = pool_at(&w->topics, c->topic);
    copy_move(c, COPY_AWAY);
    w->stats.chunk_reads_failed++;
    if (t->reread_ms == 0) {
        int64_t pause_ms = (int64_t)REREAD_MS_MIN << t->read_failures;
        t->reread_ms = env_world_ms(w->env) + (pause_ms < REREAD_MS_MAX ? pause_ms : REREAD_MS_MAX);
        t->read_failures = (uint8_t)(t->read_failures + (t->read_failures < FAILURES_SHIFT));
        steward_set_timer(w, t);
    }
}

static void
came(struct world *w, struct copy *c, uint32_t index, const struct store_doc *doc)
{
    struct topic *t = pool_at(&w->topics, c->topic);
    if (!replace(w, c, doc->version, doc->exists, doc->value)) {
        put_off(w, c);
        return;
    }
    t->read_failures = 0;
    if (c->again) {
        c->again = false;
        want(w, index);
    } else {
        copy_move(c, COPY_STANDS);
        steward_set_timer(w, t);
    }
}

static void
got(void *ctx, uint64_t handle, enum store_result result, const struct store_doc *doc)
{
    struct world *w = ctx;
    struct copy *c = pool_find(&w->copies, handle);
    w->copies_reading--;
    if (c != NULL) {
        switch (result) {
        case STORE_OK: came(w, c, (uint32_t)handle, doc); break;
        case STORE_CONFLICT:
        case STORE_UNKNOWN:
        case STORE_UNAVAILABLE: put_off(w, c); break;
        }
    }
    copies_read(w);
}

static struct key
key_of(const struct world *w, const struct copy *c)
{
    const struct topic *t = pool_at(&w->topics, c->topic);
    uint16_t cx, cy;
    steward_chunk(t, c->chunk, &cx, &cy);
    return chunk_key(w->options.world_id, chunk_id(island_id(t->island), cx, cy));
}

void
copies_read(struct world *w)
{
    while (w->first_wanted != POOL_NONE && w->copies_reading < READS_MAX && !w->stopping) {
        uint32_t index = w->first_wanted;
        struct copy *c = pool_at(&w->copies, index);
        struct key key = key_of(w, c);
        unlist(w, c);
        if (store_get(&w->store, key_slice(&key), got, w, pool_handle(&w->copies, index)) != OK) {
            put_off(w, c);
            continue;
        }
        copy_move(c, COPY_READING);
        w->copies_reading++;
        w->stats.chunk_reads++;
    }
}

/* ---- a chunk wakes and sleeps ---- */

static void
watch(struct world *w, const struct copy *c, bool on)
{
    struct key key = key_of(w, c);
    if (!claim_is_alone(w) && store_watch(&w->store, key_slice(&key), on) != OK) {
        env_trace(w->env, "chunk.not_watched", c->topic, c->chunk);
    }
}

void
copy_take(struct world *w, struct topic *t, uint8_t chunk)
{
    uint32_t index;
    if (w->commands == NULL) {
        return;
    }
    CHECK(t->copies[chunk] == POOL_NONE);
    CHECK(pool_take(&w->copies, &index) == OK); /* as many as all topics have chunks */
    struct copy *c = pool_at(&w->copies, index);
    *c = (struct copy){
        .state = COPY_WANTED, .topic = topic_index(w, t), .chunk = chunk, .grows_ms = INT64_MAX};
    t->copies[chunk] = index;
    watch(w, c, true);
    list(w, index);
}

void
copy_give(struct world *w, struct topic *t, uint8_t chunk)
{
    struct copy *c = copy_at(w, t, chunk);
    if (c == NULL) {
        return;
    }
    if (c->state == COPY_WANTED) {
        unlist(w, c);
    }
    watch(w, c, false);
    buffers_give(&w->buffers, &c->buffer);
    pool_give(&w->copies, t->copies[chunk]);
    t->copies[chunk] = POOL_NONE;
}

/* NULL: it is asleep. */
static struct copy *
copy_of(struct world *w, uint64_t chunk)
{
    struct place corner = {chunk_cx(chunk) * CHUNK_MM, chunk_cy(chunk) * CHUNK_MM};
    uint32_t island = chunk_island(chunk);
    const struct topic *t = archipelago_find(w->options.islands, island) == NULL
                                ? NULL
                                : topic_find(w, topic_make(island, chunk_cx(chunk) / BLOCK_CHUNKS,
                                                           chunk_cy(chunk) / BLOCK_CHUNKS));
    return t == NULL ? NULL : copy_at(w, t, topic_chunk_of(corner));
}

void
copy_wrote(struct world *w, uint64_t chunk, uint64_t version, bool exists, struct slice value)
{
    struct copy *c = copy_of(w, chunk);
    if (c == NULL) {
        return;
    }
    struct topic *t = pool_at(&w->topics, c->topic);
    bool known = version > 0 && replace(w, c, version, exists, value);
    if (!known && c->state == COPY_STANDS) {
        want(w, t->copies[c->chunk]);
    } else if (!known && c->state == COPY_READING) {
        c->again = true;
    }
    steward_set_timer(w, t);
    copies_read(w);
}

void
copy_hinted(struct world *w, uint64_t chunk)
{
    struct copy *c = copy_of(w, chunk);
    if (c == NULL) {
        return;
    }
    c->again |= c->state == COPY_READING;
    if (c->state == COPY_STANDS && c->reread_ms == 0) {
        c->reread_ms = env_world_ms(w->env) + HINTED_MS;
        steward_set_timer(w, pool_at(&w->topics, c->topic));
    }
}

/* ---- time ---- */

void
copies_heal(struct world *w)
{
    uint32_t made = w->copies.made, step = (made + HEAL_TICKS - 1) / HEAL_TICKS;
    step = step < HEALED_PER_TICK ? step : HEALED_PER_TICK;
    for (uint32_t n = 0; n < step && claim_has_others(w); n++) {
        uint32_t index = w->copies_healed < made ? w->copies_healed : 0;
        w->copies_healed = index + 1;
        if (pool_in_use(&w->copies, index) &&
            ((struct copy *)pool_at(&w->copies, index))->state == COPY_STANDS) {
            w->stats.reads_healing++;
            want(w, index);
        }
    }
    copies_read(w);
}

static void
grown(void *ctx, uint64_t handle, const struct command_result *result)
{
    struct world *w = ctx;
    struct copy *c = pool_find(&w->copies, handle);
    w->stats.jobs_failed += result->code != SEOM__CODE__FINE;
    hint_done(w, 0);
    if (c == NULL) {
        return;
    }
    c->growing = false;
    /* It found nothing to do: then our copy is old. */
    bool old = result->code == SEOM__CODE__FINE && c->version == c->growing_version;
    if (old && c->state == COPY_STANDS) {
        want(w, (uint32_t)handle);
        copies_read(w);
    }
    steward_set_timer(w, pool_at(&w->topics, c->topic));
}

static void
grow(struct world *w, const struct topic *t, struct copy *c, int64_t now_ms)
{
    uint16_t cx, cy;
    steward_chunk(t, c->chunk, &cx, &cy);
    struct deed_actor actor = {
        .world_seed = w->options.seed,
        .island = island_id(t->island),
        .island_columns = island_columns(t->island),
        .at = {cx * CHUNK_MM + CHUNK_MM / 2, cy * CHUNK_MM + CHUNK_MM / 2},
    };
    w->stats.jobs++;
    c->growing_version = c->version;
    c->growing = commands_job(w->commands, &actor, w->options.game->regrow, (struct slice){0},
                              grown, w, pool_handle(&w->copies, t->copies[c->chunk])) == OK;
    w->stats.jobs_failed += !c->growing;
    c->grows_ms = now_ms + GROW_RETRY_MS; /* unless what it writes says otherwise */
}

static bool
may_grow(const struct copy *c)
{
    return c != NULL && c->state == COPY_STANDS && !c->growing;
}

void
copies_due(struct world *w, struct topic *t, int64_t now_ms)
{
    bool again = t->reread_ms != 0 && now_ms >= t->reread_ms;
    for (uint8_t chunk = 0; chunk < TOPIC_CHUNKS; chunk++) {
        struct copy *c = copy_at(w, t, chunk);
        bool changed =
            c != NULL && c->state == COPY_STANDS && c->reread_ms != 0 && now_ms >= c->reread_ms;
        if (changed || (c != NULL && again && c->state == COPY_AWAY)) {
            want(w, t->copies[chunk]);
        } else if (may_grow(c) && now_ms >= c->grows_ms && !w->stopping) {
            grow(w, t, c, now_ms);
        }
    }
    t->reread_ms = again ? 0 : t->reread_ms;
    copies_read(w);
}

int64_t
copies_next_ms(const struct world *w, const struct topic *t)
{
    int64_t next_ms = t->reread_ms != 0 ? t->reread_ms : INT64_MAX;
    for (uint8_t chunk = 0; chunk < TOPIC_CHUNKS; chunk++) {
        const struct copy *c = copy_at(w, t, chunk);
        if (may_grow(c) && c->grows_ms < next_ms) {
            next_ms = c->grows_ms;
        }
        if (c != NULL && c->reread_ms != 0 && c->reread_ms < next_ms) {
            next_ms = c->reread_ms;
        }
    }
    return next_ms;
}
