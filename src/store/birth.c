/*            no store           nobody was here        another was first
 *   WAITING <-------- READING ----------------> WRITING
 *      |                 ^  \                      |  |
 *      +-----------------+   \ there it is         |  | UNKNOWN, CONFLICT: read what stands there
 *                        ^    v                    |  |
 *                        |   CLOCK <---------------+  |
 *                        +----|----<------------------+
 *                             v
 *                            DONE            FAILED: not a document of ours
 */
#include "store/birth.h"

#include "base/check.h"
#include "documents.pb-c.h"
#include "store/scratch.h"

#define BIRTH_DOCUMENT_MAX 48

static const uint8_t birth_moves[BIRTH_STATES] = {
    [BIRTH_WAITING] = 1 << BIRTH_READING,
    [BIRTH_READING] =
        1 << BIRTH_WAITING | 1 << BIRTH_WRITING | 1 << BIRTH_CLOCK | 1 << BIRTH_FAILED,
    [BIRTH_WRITING] = 1 << BIRTH_WAITING | 1 << BIRTH_CLOCK,
    [BIRTH_CLOCK] = 1 << BIRTH_WAITING | 1 << BIRTH_DONE | 1 << BIRTH_FAILED,
};

static void
birth_move(struct birth *b, enum birth_state to)
{
    CHECK(birth_moves[b->state] >> to & 1);
    env_trace(b->store->env, "store.birth", b->state, to);
    b->state = to;
}

static void
try_later(struct birth *b, bool away)
{
    birth_move(b, BIRTH_WAITING);
    b->away = away;
    b->retry_us = env_mono_us(b->store->env) + BIRTH_RETRY_US;
}

static void
on_clock(void *ctx, enum err result, int64_t world_ms)
{
    struct birth *b = ctx;
    if (result == ERR_UNAVAILABLE) {
        try_later(b, true);
        return;
    }
    b->saved_world_ms = world_ms;
    birth_move(b, result == OK ? BIRTH_DONE : BIRTH_FAILED);
}

static void
read_clock(struct birth *b)
{
    b->away = false;
    birth_move(b, BIRTH_CLOCK);
    if (clock_load(&b->clock, b->store, b->world, on_clock, b) != OK) {
        try_later(b, false);
    }
}

static void
on_written(void *ctx, uint64_t n, enum store_result result)
{
    struct birth *b = ctx;
    (void)n;
    switch (result) {
    case STORE_OK:
        b->wall_ms = b->offered_wall_ms;
        b->seed = b->offered_seed;
        read_clock(b);
        return;
    case STORE_CONFLICT:
    case STORE_UNKNOWN: try_later(b, false); return;
    case STORE_UNAVAILABLE: try_later(b, true); return;
    }
}

static void
write_birth(struct birth *b, uint64_t version)
{
    Seom__BirthDocument document = SEOM__BIRTH_DOCUMENT__INIT;
    document.wall_ms = b->offered_wall_ms;
    document.seed = b->offered_seed;
    document.format = BIRTH_FORMAT;
    uint8_t value[BIRTH_DOCUMENT_MAX];
    CHECK(seom__birth_document__get_packed_size(&document) <= sizeof value);
    struct store_write write = {.key = key_slice(&b->key),
                                .expected_version = version,
                                .op = STORE_PUT,
                                .value = {value, seom__birth_document__pack(&document, value)}};
    birth_move(b, BIRTH_WRITING);
    if (store_commit(b->store, &write, 1, on_written, b, 0) != OK) {
        try_later(b, false);
    }
}

static void
on_got(void *ctx, uint64_t n, enum store_result result, const struct store_doc *doc)
{
    struct birth *b = ctx;
    (void)n;
    if (result != STORE_OK) {
        try_later(b, true);
        return;
    }
    if (!doc->exists) {
        write_birth(b, doc->version);
        return;
    }
    struct scratch scratch;
    scratch_init(&scratch);
    const Seom__BirthDocument *document =
        seom__birth_document__unpack(&scratch.allocator, doc->value.bytes, doc->value.at);
    if (document == NULL || document->wall_ms <= 0 || document->format > BIRTH_FORMAT) {
        b->newer = document != NULL && document->format > BIRTH_FORMAT;
        birth_move(b, BIRTH_FAILED);
        return;
    }
    b->wall_ms = document->wall_ms;
    b->seed = document->seed;
    read_clock(b);
}

void
birth_init(struct birth *b, struct store *store, uint16_t world, int64_t wall_ms, uint64_t seed)
{
    CHECK(wall_ms > 0);
    *b = (struct birth){.store = store,
                        .key = key_named(world, KEY_CLASS_META, "birth"),
                        .world = world,
                        .state = BIRTH_WAITING,
                        .offered_wall_ms = wall_ms,
                        .offered_seed = seed};
}

int64_t
birth_turn(struct birth *b)
{
    int64_t now_us = env_mono_us(b->store->env);
    if (b->state == BIRTH_WAITING && now_us >= b->retry_us) {
        birth_move(b, BIRTH_READING);
        if (store_get(b->store, key_slice(&b->key), on_got, b, 0) != OK) {
            try_later(b, false);
        }
    }
    return b->state == BIRTH_WAITING ? b->retry_us : now_us + BIRTH_RETRY_US;
}
