/* The store under load: struct store over the embedded engine, as a server has them, driven by one
 * thread that keeps so many commits under way. */
#include "app/bench_scratch.h"
#include "app/bench_store.h"
#include "app/output.h"
#include "base/check.h"
#include "os/lmdb_store.h"
#include "os/process.h"
#include "store/place.h"
#include "store/store.h"
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define WORLD        1
#define CALLS_MAX    4096
#define FILL_GROUP   512 /* documents of one commit while filling */
#define FILL_FLIGHT  8
#define READS_FLIGHT 64
#define WAIT_MS      100 /* how soon an interruption is seen */
#define STORM_TELL_S 10
#define LEDGER       "ledger"

/* What one slot has under way. */
struct flight {
    uint32_t document;
    int64_t sent_us;
};

struct bench_load {
    struct env env;
    struct store store;
    struct lmdb_store *lmdb;           /* owned */
    struct bench_documents *documents; /* borrowed */
    int64_t ahead_us; /* of the clock that the store sees; places are saved once a second of it */
    struct rand rand;
    bool failed;
    /* Of the round at hand. */
    struct flight flights[BENCH_STORE_IN_FLIGHT_MAX];
    uint32_t among;
    int64_t until_us, last_us; /* the last answer that counted */
    struct bench_round *round;
    struct bench_storm *storm; /* or NULL */
    int64_t storm_from_us;
    uint64_t ledger_next;
    uint64_t answered;
    uint64_t looked; /* version; 0: nothing that fits */
};

static int64_t
mono_us(void *ctx)
{
    return process_mono_us() + ((struct bench_load *)ctx)->ahead_us;
}

static int64_t
world_ms(void *ctx)
{
    return mono_us(ctx) / 1000;
}

static uint64_t
chance(void *ctx)
{
    return rand_next(&((struct bench_load *)ctx)->rand);
}

static void
log_line(void *ctx, enum log_level level, const char *event, const char *text)
{
    (void)ctx;
    if (level <= LOG_WARN) {
        output_progress("%s: %s", event, text);
    }
}

enum err
bench_load_open(const char *directory, struct bench_documents *documents, struct bench_load **out)
{
    struct bench_load *l = calloc(1, sizeof *l);
    CHECK(l != NULL);
    l->documents = documents;
    rand_seed(&l->rand, 1);
    l->env.clock =
        (struct env_clock){.ctx = l, .mono_us = mono_us, .world_ms = world_ms, .random = chance};
    char why[LMDB_STORE_WHY_MAX];
    struct lmdb_store_options options = {
        .directory = directory, .map_bytes = BENCH_STORE_MAP_BYTES, .log = log_line};
    bench_core_take(BENCH_CORE_WRITING); /* the threads of the store, which it starts */
    enum err error = lmdb_store_open(&options, &l->lmdb, why);
    bench_core_take(BENCH_CORE_ASKING);
    if (error != OK) {
        output_progress("%s", why);
        free(l);
        return error;
    }
    store_init(&l->store, &l->env, CALLS_MAX);
    l->env.store = lmdb_store_port(l->lmdb, store_done(&l->store));
    *out = l;
    return OK;
}

void
bench_load_close(struct bench_load **load)
{
    struct bench_load *l = *load;
    lmdb_store_close(&l->lmdb);
    store_fini(&l->store);
    free(l);
    *load = NULL;
}

static void
load_fail(struct bench_load *l, const char *what, const char *why)
{
    output_progress("the store: %s: %s", what, why);
    l->failed = true;
    l->until_us = 0;
}

/* Delivers until at most so many are under way. */
static enum err
load_wait(struct bench_load *l, uint32_t at_most)
{
    struct pollfd ready = {.fd = lmdb_store_fd(l->lmdb), .events = POLLIN};
    while (store_under_way(&l->store) > at_most) {
        (void)poll(&ready, 1, WAIT_MS);
        (void)lmdb_store_deliver(l->lmdb);
        if (scratch_stopped()) {
            l->until_us = 0;
        }
    }
    return l->failed ? ERR_IO : scratch_stopped() ? ERR_CLOSED : OK;
}

/* ---- commits ---- */

static void flight_send(struct bench_load *l, uint32_t slot);

static void
storm_count(struct bench_load *l, uint64_t took_us, int64_t now_us)
{
    struct bench_storm *storm = l->storm;
    uint64_t second = (uint64_t)(now_us - l->storm_from_us) / 1000000;
    if (second >= storm->count) {
        return;
    }
    if (second > 0 && second % STORM_TELL_S == 0 && storm->seconds[second] == 0) {
        output_progress("storm: %" PRIu64 " s, %" PRIu64 " commits in the last one", second,
                        storm->seconds[second - 1]);
    }
    storm->seconds[second]++;
    hist_add(&storm->latency_us, took_us);
}

static void
flight_count(struct bench_load *l, const struct flight *flight, int64_t now_us)
{
    uint64_t took = (uint64_t)(now_us - flight->sent_us);
    if (l->storm != NULL) {
        storm_count(l, took, now_us);
        return;
    }
    l->round->commits++;
    hist_add(&l->round->latency_us, took);
    l->last_us = now_us;
}

static void
on_committed(void *ctx, uint64_t slot, enum store_result result)
{
    struct bench_load *l = ctx;
    struct flight *flight = &l->flights[slot];
    bench_documents_settle(l->documents, flight->document, result == STORE_OK);
    if (result != STORE_OK) {
        load_fail(l, "a commit was answered", store_result_name(result));
        return;
    }
    int64_t now_us = process_mono_us();
    if (now_us < l->until_us) {
        flight_count(l, flight, now_us);
        flight_send(l, (uint32_t)slot);
    }
}

/* The next version of a document; in the storm also a new document beside it. */
static void
flight_send(struct bench_load *l, uint32_t slot)
{
    struct flight *flight = &l->flights[slot];
    flight->document = bench_documents_pick(l->documents, l->among);
    uint64_t version = bench_documents_version(l->documents, flight->document);
    uint8_t value[BENCH_VALUE_MAX];
    size_t bytes = bench_document_value(l->documents, flight->document, version + 1, value);
    struct key keys[2] = {bench_document_key(flight->document)};
    struct store_write writes[2] = {{.key = key_slice(&keys[0]),
                                     .expected_version = version,
                                     .op = STORE_PUT,
                                     .value = {value, bytes}}};
    uint32_t count = 1;
    if (l->storm != NULL) {
        keys[1] = key_make(WORLD, LEDGER, l->ledger_next++);
        writes[1] = (struct store_write){
            .key = key_slice(&keys[1]), .op = STORE_PUT, .value = {value, bytes}};
        count = 2;
    }
    flight->sent_us = process_mono_us();
    enum err error = store_commit(&l->store, writes, count, on_committed, l, slot);
    if (error != OK) {
        load_fail(l, "a commit was refused", err_text(error));
    }
}

static enum err
flights_fly(struct bench_load *l, uint32_t in_flight, int64_t us)
{
    CHECK(in_flight > 0 && in_flight <= BENCH_STORE_IN_FLIGHT_MAX && l->among > 2 * in_flight);
    l->until_us = process_mono_us() + us;
    for (uint32_t slot = 0; slot < in_flight && !l->failed; slot++) {
        flight_send(l, slot);
    }
    return load_wait(l, 0);
}

static enum err
load_round(void *ctx, uint32_t in_flight, int64_t us, struct bench_round *out)
{
    struct bench_load *l = ctx;
    struct lmdb_store_stats before, after;
    *out = (struct bench_round){0};
    bench_core_take(BENCH_CORE_ASKING);
    l->round = out;
    l->among = l->documents->count;
    lmdb_store_stats(l->lmdb, &before);
    int64_t from_us = process_mono_us(), cpu_us = process_cpu_us();
    l->last_us = from_us;
    enum err error = flights_fly(l, in_flight, us);
    lmdb_store_stats(l->lmdb, &after);
    /* CPU time and groups are of all commits, those included that came too late to count. */
    uint64_t commits = after.commits - before.commits;
    double counted = commits > 0 ? (double)out->commits / (double)commits : 0;
    out->us = l->last_us - from_us;
    out->cpu_us = (int64_t)((double)(process_cpu_us() - cpu_us) * counted);
    out->groups = (uint64_t)((double)(after.groups - before.groups) * counted);
    return error;
}

struct bench_side
bench_load_side(struct bench_load *load)
{
    return (struct bench_side){.ctx = load, .round = load_round};
}

static void
on_touched(void *ctx, uint64_t n, enum store_result result)
{
    (void)n;
    if (result != STORE_OK) {
        load_fail(ctx, "a commit was answered", store_result_name(result));
    }
}

enum err
bench_load_touch(struct bench_load *load)
{
    struct key key = key_named(WORLD, LEDGER, "touched");
    struct store_write write = {
        .key = key_slice(&key), .expected_version = STORE_ANY_VERSION, .op = STORE_PUT};
    enum err error = store_commit(&load->store, &write, 1, on_touched, load, 0);
    return error == OK ? load_wait(load, 0) : error;
}

uint64_t
bench_load_bytes(struct bench_load *load)
{
    struct lmdb_store_stats stats;
    lmdb_store_stats(load->lmdb, &stats);
    return stats.used_bytes;
}

enum err
bench_load_storm(struct bench_load *load, uint32_t seconds, struct bench_storm *out)
{
    CHECK(seconds > 0 && seconds <= sizeof out->seconds / sizeof out->seconds[0]);
    memset(out, 0, sizeof *out);
    out->count = seconds;
    load->storm = out;
    load->storm_from_us = process_mono_us();
    load->among = BENCH_STORE_PLAYERS;
    enum err error = flights_fly(load, BENCH_STORE_IN_FLIGHT_MAX, seconds * INT64_C(1000000));
    load->storm = NULL;
    out->store_bytes = bench_load_bytes(load);
    return error;
}

/* ---- filling ---- */

static void
on_filled(void *ctx, uint64_t first, enum store_result result)
{
    struct bench_load *l = ctx;
    if (result != STORE_OK) {
        load_fail(l, "a commit was answered", store_result_name(result));
        return;
    }
    for (uint32_t i = 0; i < FILL_GROUP && first + i < l->documents->count; i++) {
        bench_documents_settle(l->documents, (uint32_t)first + i, true);
    }
}

static enum err
fill_send(struct bench_load *l, uint32_t first)
{
    static struct key keys[FILL_GROUP];
    static uint8_t values[FILL_GROUP][BENCH_VALUE_MAX];
    struct store_write writes[FILL_GROUP];
    uint32_t count = 0;
    for (uint32_t d = first; count < FILL_GROUP && d < l->documents->count; d++, count++) {
        keys[count] = bench_document_key(d);
        size_t bytes = bench_document_value(l->documents, d, 1, values[count]);
        writes[count] = (struct store_write){
            .key = key_slice(&keys[count]), .op = STORE_PUT, .value = {values[count], bytes}};
    }
    return store_commit(&l->store, writes, count, on_filled, l, first);
}

enum err
bench_load_fill(struct bench_load *load)
{
    enum err error = OK;
    for (uint64_t first = 0; first < load->documents->count && error == OK; first += FILL_GROUP) {
        error = fill_send(load, (uint32_t)first);
        error = error == OK ? load_wait(load, FILL_FLIGHT - 1) : error;
    }
    return error == OK ? load_wait(load, 0) : error;
}

/* ---- reads ---- */

static void read_send(struct bench_load *l);

static bool
doc_fits(const struct bench_load *l, uint64_t document, const struct store_doc *doc)
{
    return doc->exists &&
           bench_document_fits(l->documents, (uint32_t)document, doc->version, doc->value);
}

static void
on_got(void *ctx, uint64_t document, enum store_result result, const struct store_doc *doc)
{
    struct bench_load *l = ctx;
    if (result != STORE_OK) {
        load_fail(l, "a get was answered", store_result_name(result));
    } else if (!doc_fits(l, document, doc)) {
        load_fail(l, "a get was answered", "with a value that nobody wrote");
    } else if (process_mono_us() < l->until_us) {
        l->answered++;
        read_send(l);
    }
}

static void
read_send(struct bench_load *l)
{
    uint32_t document = rand_below(&l->documents->rand, l->documents->count);
    struct key key = bench_document_key(document);
    enum err error = store_get(&l->store, key_slice(&key), on_got, l, document);
    if (error != OK) {
        load_fail(l, "a get was refused", err_text(error));
    }
}

enum err
bench_load_reads(struct bench_load *load, int64_t us, double *per_s)
{
    int64_t from_us = process_mono_us();
    load->answered = 0;
    load->until_us = from_us + us;
    for (uint32_t i = 0; i < READS_FLIGHT && !load->failed; i++) {
        read_send(load);
    }
    enum err error = load_wait(load, 0);
    *per_s = (double)load->answered * 1e6 / (double)(process_mono_us() - from_us);
    return error;
}

static void
on_looked(void *ctx, uint64_t document, enum store_result result, const struct store_doc *doc)
{
    struct bench_load *l = ctx;
    l->looked = result == STORE_OK && doc_fits(l, document, doc) ? doc->version : 0;
}

enum err
bench_load_look(struct bench_load *load, uint32_t document, uint64_t *version)
{
    struct key key = bench_document_key(document);
    enum err error = store_get(&load->store, key_slice(&key), on_looked, load, document);
    error = error == OK ? load_wait(load, 0) : error;
    *version = load->looked;
    return error;
}

/* ---- places ---- */

/* Everybody moved; a second later what changed goes out. */
static enum err
places_second(struct bench_load *l, struct places *places, int32_t second)
{
    for (uint64_t i = 1; i <= BENCH_STORE_PLAYERS; i++) {
        struct stand stand = {.player = (uint64_t)WORLD << 48 | i,
                              .island = 1,
                              .motion = {.x_mm = second, .y_mm = (int32_t)i}};
        struct place_slot slot = place_slot_of_id(stand.player);
        enum err error = place_set(places, &slot, &stand);
        if (error != OK) {
            return error;
        }
    }
    l->ahead_us += PLACE_SAVE_MS * INT64_C(1000);
    (void)places_turn(places, world_ms(l));
    return load_wait(l, 0);
}

enum err
bench_load_places(struct bench_load *load, int64_t us, double *us_per_player_s)
{
    struct places *places = places_alloc(&load->store, WORLD, NULL);
    /* In the first seconds the pages are looked for in the store and written a first time. */
    enum err error = places_second(load, places, 0);
    error = error == OK ? places_second(load, places, 1) : error;
    int64_t from_us = process_mono_us(), cpu_us = process_cpu_us();
    struct places_stats before = places_stats(places);
    int32_t seconds = 0;
    while (error == OK && process_mono_us() - from_us < us) {
        error = places_second(load, places, 2 + seconds++);
    }
    *us_per_player_s =
        (double)(process_cpu_us() - cpu_us) / (seconds > 0 ? seconds : 1) / BENCH_STORE_PLAYERS;
    struct places_stats after = places_stats(places);
    CHECK(error != OK || after.saves - before.saves >= (uint64_t)seconds);
    places_free(&places);
    return error;
}
