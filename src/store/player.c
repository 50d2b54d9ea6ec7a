#include "store/player.h"
#include "base/check.h"
#include "documents.pb-c.h"
#include "store/keys.h"
#include "store/scratch.h"
#include <string.h>

#define OPERATIONS_BLOCK 64
#define WRITES_MAX       8 /* tries of one operation */

enum operation_kind { OPERATION_LOAD, OPERATION_CREATE, OPERATION_CLAIM, OPERATION_LEAVE };

/* The happy path of a claim is read, write, end; of a creation write, end; of a load read, end. A
 * write that met a conflict, or of which nobody knows whether it happened, is followed by reading:
 * either its nonce stands in the document, then it was ours, or it is tried again on what stands
 * there now.
 *
 *   NEW -> READING <-> WRITING        each -> ENDED
 *   NEW ------------> WRITING
 */
enum operation_state {
    OPERATION_NEW,
    OPERATION_READING,
    OPERATION_WRITING,
    OPERATION_ENDED,
    OPERATION_STATES
};

static const bool moves[OPERATION_STATES][OPERATION_STATES] = {
    [OPERATION_NEW] = {[OPERATION_READING] = true, [OPERATION_WRITING] = true},
    [OPERATION_READING] = {[OPERATION_WRITING] = true, [OPERATION_ENDED] = true},
    [OPERATION_WRITING] = {[OPERATION_READING] = true, [OPERATION_ENDED] = true},
};

struct operation {
    enum operation_kind kind;
    enum operation_state state;
    player_choice *choice; /* NULL: none */
    player_done *done;
    void *ctx;
    uint64_t n;
    uint64_t nonce;
    struct player_home home; /* as it is going to be written */
    uint64_t left_epoch;     /* the session that leaves */
    uint32_t writes;
    bool doubtful;        /* a write was answered UNKNOWN */
    struct player player; /* what is being written, then what was; at first id and name */
};

static void
operation_move(struct operation *o, enum operation_state to)
{
    CHECK(moves[o->state][to]);
    o->state = to;
}

static struct operation *
operation_at(struct players *players, uint64_t handle)
{
    struct operation *o = pool_find(&players->operations, handle);
    CHECK(o != NULL); /* it ends only when nothing of it is under way */
    return o;
}

/* Frees the slot first: whoever is called back may start the next operation at once. */
static void
operation_end(struct players *players, uint64_t handle, enum err result)
{
    struct operation *o = operation_at(players, handle);
    operation_move(o, OPERATION_ENDED);
    struct operation copy = *o;
    pool_give(&players->operations, (uint32_t)handle);
    players->failures += result != OK;
    if (result == ERR_UNAVAILABLE && copy.doubtful) {
        result = ERR_UNKNOWN;
    }
    copy.done(copy.ctx, copy.n, result, result == OK ? &copy.player : NULL);
}

/* ---- the document ---- */

static struct stand
stood_read(const Seom__Stood *stood, uint64_t player)
{
    if (stood == NULL)
        return (struct stand){.player = player};
    return (struct stand){
        .player = player,
        .island = stood->island,
        .look = (uint8_t)stood->look,
        .motion = {.since_ms = stood->since_ms, .x_mm = stood->x_mm, .y_mm = stood->y_mm}};
}

static enum err
document_read(const Seom__PlayerDocument *document, uint64_t id, uint64_t version,
              struct player *out)
{
    size_t name_bytes = strlen(document->name);
    if (name_bytes > PLAYER_NAME_MAX || document->last_res.len > PLAYER_RESULT_MAX ||
        document->place_slot >= PLACE_PAGE_SLOTS)
        return ERR_FORMAT;
    *out = (struct player){
        .id = id,
        .version = version,
        .created_ms = document->created_ms,
        .session_epoch = document->session_epoch,
        .home = {.node = document->home_node,
                 .slot = {.page = document->place_page, .slot = document->place_slot},
                 .stood = stood_read(document->stood, id),
                 .claimant = document->claimant},
        .last_seq = document->last_seq,
        .last_hash = document->last_hash,
        .last_result_bytes = (uint32_t)document->last_res.len,
    };
    memcpy(out->name, document->name, name_bytes);
    if (document->last_res.len > 0)
        memcpy(out->last_result, document->last_res.data, document->last_res.len);
    return OK;
}

enum err
player_decode(uint64_t id, const struct store_doc *doc, struct player *out)
{
    if (!doc->exists)
        return ERR_NOT_FOUND;
    struct scratch scratch;
    scratch_init(&scratch);
    const Seom__PlayerDocument *document =
        seom__player_document__unpack(&scratch.allocator, doc->value.bytes, doc->value.at);
    return document == NULL ? ERR_FORMAT : document_read(document, id, doc->version, out);
}

/* ---- writing ---- */

static void operation_read(struct players *players, uint64_t handle);

static void
on_committed(void *ctx, uint64_t handle, enum store_result result)
{
    struct players *players = ctx;
    struct operation *o = operation_at(players, handle);
    switch (result) {
    case STORE_OK:
        o->player.version++;
        operation_end(players, handle, OK);
        return;
    case STORE_CONFLICT:
        players->conflicts++;
        operation_read(players, handle);
        return;
    case STORE_UNKNOWN:
        o->doubtful = true;
        operation_read(players, handle);
        return;
    case STORE_UNAVAILABLE: operation_end(players, handle, ERR_UNAVAILABLE); return;
    }
}

/* Writes the document on top of version. An error: nothing was sent. */
static enum err
operation_write(struct players *players, uint64_t handle, Seom__PlayerDocument *document,
                uint64_t version)
{
    struct operation *o = operation_at(players, handle);
    const struct stand *stood = &o->home.stood;
    Seom__Stood stands = SEOM__STOOD__INIT;
    stands.island = stood->island;
    stands.look = stood->look;
    stands.since_ms = stood->motion.since_ms;
    stands.x_mm = stood->motion.x_mm;
    stands.y_mm = stood->motion.y_mm;
    document->home_node = o->home.node;
    if (o->kind != OPERATION_LEAVE)
        document->claimant = o->home.claimant; /* else whose session it was may go on elsewhere */
    document->place_page = o->home.slot.page;
    document->place_slot = o->home.slot.slot;
    document->stood = stood->island == 0 ? NULL : &stands;
    document->claim_nonce = o->nonce;
    document->session_epoch += o->kind != OPERATION_LEAVE;
    uint8_t packed[STORE_VALUE_MAX];
    if (seom__player_document__get_packed_size(document) > sizeof packed)
        return ERR_TOO_LARGE;
    enum err error = document_read(document, o->player.id, version, &o->player);
    if (error != OK)
        return error;
    struct key key = key_make(players->world, KEY_CLASS_PLAYER, o->player.id);
    struct store_write write = {.key = key_slice(&key),
                                .expected_version = version,
                                .op = STORE_PUT,
                                .value = {packed, seom__player_document__pack(document, packed)}};
    o->writes++;
    operation_move(o, OPERATION_WRITING);
    return store_commit(players->store, &write, 1, on_committed, players, handle);
}

static enum err
operation_write_new(struct players *players, uint64_t handle, uint64_t version)
{
    struct operation *o = operation_at(players, handle);
    Seom__PlayerDocument document = SEOM__PLAYER_DOCUMENT__INIT;
    char name[PLAYER_NAME_MAX + 1];
    memcpy(name, o->player.name, sizeof name);
    document.name = name;
    document.created_ms = o->player.created_ms;
    return operation_write(players, handle, &document, version);
}

/* ---- reading ---- */

/* o->player is the player as the document stands. */
static bool
operation_chooses(struct operation *o)
{
    if (o->kind == OPERATION_LEAVE)
        return o->player.session_epoch == o->left_epoch;
    uint64_t node = o->home.node;
    o->home = o->player.home;
    o->home.node = node;
    return o->choice == NULL || o->choice(o->ctx, o->n, &o->player, &o->home);
}

/* What to do with the document that stands there. document is NULL when there is none. OK: a write
 * is under way. */
static enum err
operation_step(struct players *players, uint64_t handle, Seom__PlayerDocument *document,
               uint64_t version)
{
    struct operation *o = operation_at(players, handle);
    bool again = o->writes >= WRITES_MAX;
    switch (o->kind) {
    case OPERATION_LOAD: break; /* ended before */
    case OPERATION_CREATE:
        if (document != NULL)
            return ERR_EXISTS;
        return again ? ERR_CONFLICT : operation_write_new(players, handle, version);
    case OPERATION_CLAIM:
    case OPERATION_LEAVE:
        if (document == NULL)
            return ERR_NOT_FOUND;
        if (again)
            return ERR_CONFLICT;
        return operation_chooses(o) ? operation_write(players, handle, document, version)
                                    : ERR_DENIED;
    }
    check_failed(__FILE__, __LINE__, __func__, "an operation of a kind that writes");
}

static enum err
error_of(enum err error)
{
    return error == ERR_FULL ? ERR_UNAVAILABLE
                             : error; /* no room in the store's queue: not our caller's limit */
}

static void
on_got(void *ctx, uint64_t handle, enum store_result result, const struct store_doc *doc)
{
    struct players *players = ctx;
    struct operation *o = operation_at(players, handle);
    if (result != STORE_OK) {
        operation_end(players, handle, ERR_UNAVAILABLE);
        return;
    }
    struct scratch scratch;
    scratch_init(&scratch);
    Seom__PlayerDocument *document = NULL;
    if (doc->exists) {
        document =
            seom__player_document__unpack(&scratch.allocator, doc->value.bytes, doc->value.at);
        enum err error = document == NULL
                             ? ERR_FORMAT
                             : document_read(document, o->player.id, doc->version, &o->player);
        bool ours = error == OK && o->writes > 0 && document->claim_nonce == o->nonce;
        players->resolved += ours && o->doubtful;
        if (error != OK || ours || o->kind == OPERATION_LOAD) {
            operation_end(players, handle, error);
            return;
        }
    }
    enum err error = ERR_NOT_FOUND;
    if (o->kind != OPERATION_LOAD)
        error = operation_step(players, handle, document, doc->version);
    if (error != OK)
        operation_end(players, handle, error_of(error));
}

static enum err
operation_ask(struct players *players, uint64_t handle)
{
    struct operation *o = operation_at(players, handle);
    operation_move(o, OPERATION_READING);
    struct key key = key_make(players->world, KEY_CLASS_PLAYER, o->player.id);
    return store_get(players->store, key_slice(&key), on_got, players, handle);
}

static void
operation_read(struct players *players, uint64_t handle)
{
    if (operation_ask(players, handle) != OK)
        operation_end(players, handle, ERR_UNAVAILABLE);
}

/* ---- asking ---- */

static enum err
operation_new(struct players *players, const struct operation *wanted, uint64_t *handle)
{
    CHECK(wanted->done != NULL && wanted->player.id != 0);
    uint32_t index;
    enum err error = pool_take(&players->operations, &index);
    if (error != OK)
        return error;
    struct operation *o = pool_at(&players->operations, index);
    *o = *wanted;
    while (o->nonce == 0)
        o->nonce = env_random(players->store->env);
    *handle = pool_handle(&players->operations, index);
    return OK;
}

/* The first call of the store was refused: the operation never was. */
static enum err
operation_begun(struct players *players, uint64_t handle, enum err error)
{
    if (error != OK)
        pool_give(&players->operations, (uint32_t)handle);
    return error;
}

enum err
player_load(struct players *players, uint64_t id, player_done *done, void *ctx, uint64_t n)
{
    struct operation wanted = {
        .kind = OPERATION_LOAD, .done = done, .ctx = ctx, .n = n, .player = {.id = id}};
    uint64_t handle;
    enum err error = operation_new(players, &wanted, &handle);
    if (error != OK)
        return error;
    players->loads++;
    return operation_begun(players, handle, operation_ask(players, handle));
}

enum err
player_create(struct players *players, uint64_t id, struct slice name,
              const struct player_home *home, player_done *done, void *ctx, uint64_t n)
{
    if (name.bytes > PLAYER_NAME_MAX)
        return ERR_TOO_LARGE;
    struct operation wanted = {
        .kind = OPERATION_CREATE,
        .done = done,
        .ctx = ctx,
        .n = n,
        .home = *home,
        .player = {.id = id, .created_ms = env_world_ms(players->store->env)},
    };
    if (name.bytes > 0)
        memcpy(wanted.player.name, name.at, name.bytes);
    uint64_t handle;
    enum err error = operation_new(players, &wanted, &handle);
    if (error != OK)
        return error;
    players->creates++;
    return operation_begun(players, handle, operation_write_new(players, handle, 0));
}

enum err
player_claim(struct players *players, uint64_t id, uint64_t node, player_choice *choice,
             player_done *done, void *ctx, uint64_t n)
{
    struct operation wanted = {.kind = OPERATION_CLAIM,
                               .choice = choice,
                               .done = done,
                               .ctx = ctx,
                               .n = n,
                               .home = {.node = node},
                               .player = {.id = id}};
    uint64_t handle;
    enum err error = operation_new(players, &wanted, &handle);
    if (error != OK)
        return error;
    players->claims++;
    return operation_begun(players, handle, operation_ask(players, handle));
}

enum err
player_leave(struct players *players, uint64_t id, uint64_t session_epoch,
             const struct stand *stood, player_done *done, void *ctx, uint64_t n)
{
    struct operation wanted = {.kind = OPERATION_LEAVE,
                               .done = done,
                               .ctx = ctx,
                               .n = n,
                               .home = {.stood = *stood},
                               .left_epoch = session_epoch,
                               .player = {.id = id}};
    uint64_t handle;
    enum err error = operation_new(players, &wanted, &handle);
    if (error != OK)
        return error;
    players->leaves++;
    return operation_begun(players, handle, operation_ask(players, handle));
}

void
players_init(struct players *players, struct store *store, uint16_t world, uint32_t operations_max)
{
    CHECK(store != NULL && operations_max > 0);
    *players = (struct players){.store = store, .world = world};
    pool_init(&players->operations, sizeof(struct operation), operations_max, OPERATIONS_BLOCK);
}

void
players_fini(struct players *players)
{
    pool_fini(&players->operations);
    *players = (struct players){0};
}

uint32_t
players_under_way(const struct players *players)
{
    return players->operations.used;
}
