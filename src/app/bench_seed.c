/* The store as a world leaves it in which everybody was here before: player/ documents, pages of
 * place/, and the tickets that belong to them. */
#include "app/bench.h"
#include "app/origin.h"
#include "base/check.h"
#include "bots/seed.h"
#include "documents.pb-c.h"
#include "os/lmdb_store.h"
#include "store/keys.h"
#include "store/place.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far from the ids that a world gives to new guests. */
#define FIRST_COUNTER (UINT64_C(1) << 24)
#define DOCUMENT_MAX  64
#define GROUP         512

struct seeding {
    struct lmdb_store *store;
    struct env_store port;
    struct store_write writes[GROUP];
    struct key keys[GROUP];
    uint32_t count;
    uint32_t answered;
    enum store_result result;
};

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct seeding *s = ctx;
    (void)token;
    s->answered++;
    s->result = result;
}

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)ctx;
    (void)token;
    (void)result;
    (void)doc;
    CHECK(!"nothing is read while seeding");
}

/* Writes what was collected and waits until it is durable. */
static enum err
commit(struct seeding *s)
{
    if (s->count == 0) {
        return OK;
    }
    uint32_t answered = s->answered;
    enum err error = s->port.commit(s->port.ctx, 0, s->writes, s->count);
    s->count = 0;
    while (error == OK && s->answered == answered) {
        struct pollfd ready = {.fd = lmdb_store_fd(s->store), .events = POLLIN};
        (void)poll(&ready, 1, -1);
        lmdb_store_deliver(s->store);
    }
    return error != OK ? error : s->result == STORE_OK ? OK : ERR_IO;
}

/* value must stay until it is committed. */
static enum err
put(struct seeding *s, struct key key, const void *value, size_t bytes)
{
    s->keys[s->count] = key;
    s->writes[s->count] = (struct store_write){.key = key_slice(&s->keys[s->count]),
                                               .op = STORE_PUT,
                                               .value = {.at = value, .bytes = bytes}};
    return ++s->count == GROUP ? commit(s) : OK;
}

static enum err
put_players(struct seeding *s, uint64_t first, uint32_t count)
{
    static const Seom__PlayerDocument blank = SEOM__PLAYER_DOCUMENT__INIT;
    Seom__PlayerDocument document = blank;
    document.session_epoch = 1;
    document.home_node = 1;
    uint8_t bytes[DOCUMENT_MAX];
    CHECK(seom__player_document__get_packed_size(&document) <= sizeof bytes);
    size_t n = seom__player_document__pack(&document, bytes);
    enum err error = OK;
    for (uint32_t i = 0; i < count && error == OK; i++) {
        error = put(s, key_make(BENCH_WORLD_ID, KEY_CLASS_PLAYER, first + i), bytes, n);
    }
    return error == OK ? commit(s) : error;
}

/* Ids follow one another, so pages fill from the first slot on. */
static enum err
put_places(struct seeding *s, struct bench_shared *shared, const struct plan *plan,
           const struct seed_options *seed)
{
    uint32_t players = shared->options.players;
    uint32_t pages = (players + PLACE_PAGE_SLOTS - 1) / PLACE_PAGE_SLOTS;
    uint8_t(*page)[PLACE_PAGE_BYTES] = calloc(pages, sizeof *page);
    CHECK(page != NULL && seed->first_counter % PLACE_PAGE_SLOTS == 0);
    enum err error = OK;
    for (uint32_t i = 0; i < players; i++) {
        struct seed_place at;
        seed_place(plan, seed, i, &at);
        struct stand stand = {
            .player = at.player, .island = at.island, .look = at.look, .motion = at.motion};
        place_page_write(page[i / PLACE_PAGE_SLOTS], i % PLACE_PAGE_SLOTS, &stand);
        memcpy(shared->tickets[i], at.ticket, TICKET_BYTES);
    }
    for (uint32_t i = 0; i < pages && error == OK; i++) {
        uint64_t number = seed->first_counter / PLACE_PAGE_SLOTS + i;
        error =
            put(s, key_make(BENCH_WORLD_ID, KEY_CLASS_PLACE, number), page[i], PLACE_PAGE_BYTES);
    }
    error = error == OK ? commit(s) : error;
    free(page);
    return error;
}

static enum err
seed_all(struct bench_shared *shared, const struct plan *plan, char *why)
{
    struct lmdb_store_options options = {.directory = shared->data};
    struct seeding *s = calloc(1, sizeof *s);
    struct origin origin;
    CHECK(s != NULL);
    enum err error = lmdb_store_open(&options, &s->store, why);
    if (error == OK) {
        s->port = lmdb_store_port(
            s->store, (struct store_done){.ctx = s, .got = on_got, .committed = on_committed});
        error = origin_load(shared->data, s->store, BENCH_WORLD_ID, &origin, why, BENCH_WHY_MAX);
        struct seed_options seed = {.key = origin.ticket_key,
                                    .world = BENCH_WORLD_ID,
                                    .first_counter = FIRST_COUNTER,
                                    .first_island = 1};
        uint64_t first = (uint64_t)BENCH_WORLD_ID << 48 | FIRST_COUNTER;
        error = error == OK ? put_places(s, shared, plan, &seed) : error;
        error = error == OK ? put_players(s, first, shared->options.players) : error;
        lmdb_store_close(&s->store);
    }
    free(s);
    return error;
}

int
bench_seed(void *ctx)
{
    struct bench_shared *shared = ctx;
    struct tracks *tracks;
    struct plan_options options;
    if (!bench_plan(shared, &tracks, &options)) {
        return 1;
    }
    struct plan plan;
    plan_init(&plan, &options);
    char why[BENCH_WHY_MAX] = "the documents could not be written";
    enum err error = seed_all(shared, &plan, why);
    tracks_free(&tracks);
    return error == OK ? 0 : bench_fail(shared, error, "%s: %s", shared->data, why);
}
