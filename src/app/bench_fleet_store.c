/* The documents of a cluster's bench: player/ as if everybody had been here before and stood where
 * its way begins, with the tickets that belong to them; and later, who is home to whom. */
#include "app/bench_fleet.h"
#include "app/origin.h"
#include "base/check.h"
#include "bots/seed.h"
#include "documents.pb-c.h"
#include "os/pg_store.h"
#include "store/keys.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far from the ids that a world gives to new guests. */
#define FIRST_COUNTER (UINT64_C(1) << 32)
#define GROUP         512
#define DOCUMENT_MAX  128
#define GETS          256 /* under way */
#define WAIT_MS       100

struct documents {
    struct fleet_shared *shared;
    struct pg_store *pg;
    struct env_store port;
    uint32_t wrong;
    struct key keys[GROUP];
    uint8_t values[GROUP][DOCUMENT_MAX];
    struct store_write writes[GROUP];
    uint32_t count; /* of the group */
};

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct documents *d = ctx;
    (void)token;
    d->wrong += result != STORE_OK;
}

/* token: which player it is. */
static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct documents *d = ctx;
    Seom__PlayerDocument *document =
        result != STORE_OK ? NULL
                           : seom__player_document__unpack(NULL, doc->value.bytes, doc->value.at);
    if (document == NULL) {
        d->wrong++;
        return;
    }
    d->shared->probes[token].home = document->home_node;
    seom__player_document__free_unpacked(document, NULL);
}

static void
on_scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    (void)ctx, (void)token, (void)result, (void)found, (void)count;
    CHECK(!"nothing is scanned here");
}

static enum err
documents_open(struct documents *d, struct fleet_shared *shared)
{
    char why[PG_STORE_WHY_MAX] = "";
    struct pg_store_options options = {.address = shared->store};
    d->shared = shared;
    enum err error = pg_store_open(&options, &d->pg, why);
    if (error != OK) {
        snprintf(shared->why, sizeof shared->why, "%.200s: %.200s", shared->store, why);
        return error;
    }
    struct store_done done = {
        .ctx = d, .got = on_got, .committed = on_committed, .scanned = on_scanned};
    d->port = pg_store_port(d->pg, done);
    return OK;
}

/* Until at most `left` calls are under way. */
static enum err
wait_for(struct documents *d, uint32_t left)
{
    struct pollfd ready = {.fd = pg_store_fd(d->pg), .events = POLLIN};
    while (pg_store_under_way(d->pg) > left) {
        (void)poll(&ready, 1, WAIT_MS);
        (void)pg_store_deliver(d->pg);
    }
    if (d->wrong == 0) {
        return OK;
    }
    snprintf(d->shared->why, sizeof d->shared->why, "%.200s: documents were refused",
             d->shared->store);
    return ERR_IO;
}

static enum err
commit(struct documents *d)
{
    if (d->count == 0) {
        return OK;
    }
    enum err error = d->port.commit(d->port.ctx, 0, d->writes, d->count);
    d->count = 0;
    return error == OK ? wait_for(d, 0) : error;
}

static enum err
put_player(struct documents *d, const struct seed_place *at)
{
    Seom__PlayerDocument document = SEOM__PLAYER_DOCUMENT__INIT;
    Seom__Stood stood = SEOM__STOOD__INIT;
    stood.island = at->island;
    stood.look = at->look;
    stood.since_ms = at->motion.since_ms;
    stood.x_mm = at->motion.x_mm;
    stood.y_mm = at->motion.y_mm;
    document.session_epoch = 1;
    document.stood = &stood;
    CHECK(seom__player_document__get_packed_size(&document) <= DOCUMENT_MAX);
    uint32_t n = d->count++;
    size_t bytes = seom__player_document__pack(&document, d->values[n]);
    d->keys[n] = key_make(FLEET_WORLD, KEY_CLASS_PLAYER, at->player);
    d->writes[n] = (struct store_write){.key = key_slice(&d->keys[n]),
                                        .expected_version = STORE_ANY_VERSION,
                                        .op = STORE_PUT,
                                        .value = {d->values[n], bytes}};
    return d->count == GROUP ? commit(d) : OK;
}

static enum err
put_herd(struct documents *d, uint32_t number, const uint8_t *key)
{
    struct fleet_shared *shared = d->shared;
    const struct fleet_herd *herd = &shared->herds[number];
    struct plan_options options;
    struct plan plan;
    fleet_plan(shared, number, &options);
    plan_init(&plan, &options);
    struct seed_options seed = {.key = key,
                                .world = FLEET_WORLD,
                                .first_counter = FIRST_COUNTER + herd->first,
                                .first_island = 1 + number * fleet_islands_of_herd(shared)};
    enum err error = OK;
    for (uint32_t i = 0; i < herd->count && error == OK; i++) {
        struct seed_place at;
        seed_place(&plan, &seed, i, &at);
        memcpy(shared->tickets[herd->first + i], at.ticket, TICKET_BYTES);
        shared->probes[herd->first + i].player = at.player;
        error = put_player(d, &at);
    }
    return error;
}

int
fleet_seed(void *ctx)
{
    struct fleet_shared *shared = ctx;
    struct documents *d = calloc(1, sizeof *d);
    uint8_t key[TICKET_KEY_BYTES];
    CHECK(d != NULL);
    enum err error = origin_load_key(shared->data, true, key, shared->why, sizeof shared->why);
    error = error == OK ? documents_open(d, shared) : error;
    for (uint32_t i = 0; i < shared->herds_count && error == OK; i++) {
        error = put_herd(d, i, key);
    }
    error = error == OK ? commit(d) : error;
    pg_store_close(&d->pg);
    free(d);
    return error == OK ? 0 : 1;
}

int
fleet_look(void *ctx)
{
    struct fleet_shared *shared = ctx;
    struct documents *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    enum err error = documents_open(d, shared);
    for (uint32_t i = 0; i < shared->options.players && error == OK; i++) {
        const struct fleet_probe *p = &shared->probes[i];
        if (p->before_us == 0) {
            continue; /* it does not ask */
        }
        struct key key = key_make(FLEET_WORLD, KEY_CLASS_PLAYER, p->player);
        error = d->port.get(d->port.ctx, i, key_slice(&key));
        error = error == OK ? wait_for(d, GETS) : error;
    }
    error = error == OK ? wait_for(d, 0) : error;
    pg_store_close(&d->pg);
    free(d);
    return error == OK ? 0 : 1;
}
