/* `seom bench store --postgres`: the engine of a cluster over a server that is there, with so many
 * commits or gets under way at any time. */
#include "app/bench_scratch.h"
#include "app/bench_store.h"
#include "app/output.h"
#include "base/check.h"
#include "os/pg_store.h"
#include "os/process.h"
#include "store/place.h"
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENTS    20000
#define FILL_GROUP   512
#define WAIT_MS      100
#define PAGES        1024
#define PAGES_DRAWN  64
#define PAGES_FLIGHT 64
#define SETTLE_US    200000 /* of a round, before anything is counted */

enum { KIND_COMMIT, KIND_GET, KIND_PAGE, KINDS };

static const char *const kind_names[KINDS] = {"commits", "gets", "pages"};

struct figure {
    double per_s, client_cpu_us, server_cpu_us, group;
    struct hist latency_us;
};

struct flight {
    uint32_t document;
    int64_t sent_us;
};

struct bench {
    struct pg_store *pg;
    struct env_store port;
    struct bench_documents documents;
    struct flight flights[BENCH_STORE_IN_FLIGHT_MAX];
    uint32_t kind;
    pid_t server; /* whose children serve us */
    int64_t from_us, until_us;
    uint64_t answered;
    struct hist latency_us;
    uint8_t pages[PAGES_DRAWN][PLACE_PAGE_BYTES];
    bool failed;
};

/* CPU time of the server's processes: those of connections live as long as a round. */
static int64_t
server_cpu_us(pid_t server)
{
    int64_t us;
    return server != 0 && process_cpu_us_of_family(server, &us) == OK ? us : 0;
}

/* ---- load ---- */

static void
bench_fail(struct bench *b, const char *what)
{
    output_progress("%s: %s", kind_names[b->kind], what);
    b->failed = true;
    b->until_us = 0;
}

static void
commit_send(struct bench *b, uint32_t slot)
{
    uint32_t document = b->flights[slot].document;
    uint64_t version = bench_documents_version(&b->documents, document);
    uint8_t value[BENCH_VALUE_MAX];
    struct key key = bench_document_key(document);
    struct store_write write = {
        .key = key_slice(&key),
        .expected_version = version,
        .op = STORE_PUT,
        .value = {value, bench_document_value(&b->documents, document, version + 1, value)}};
    if (b->port.commit(b->port.ctx, slot, &write, 1) != OK)
        bench_fail(b, "a commit was refused");
}

/* Pages of 64 people who walk on one island. */
static void
pages_draw(struct bench *b)
{
    struct rand *r = &b->documents.rand;
    for (uint32_t page = 0; page < PAGES_DRAWN; page++) {
        for (uint32_t slot = 0; slot < PLACE_PAGE_SLOTS; slot++) {
            struct stand stand = {.player = UINT64_C(1) << 48 | (page * PLACE_PAGE_SLOTS + slot),
                                  .island = 1,
                                  .motion = {.since_ms = 1000000 + rand_below(r, 1000),
                                             .lasts_ms = (uint16_t)rand_below(r, 5000),
                                             .x_mm = (int32_t)rand_below(r, 8000000),
                                             .y_mm = (int32_t)rand_below(r, 8000000),
                                             .vx = (int16_t)rand_below(r, 700),
                                             .vy = (int16_t)rand_below(r, 700)}};
            place_page_write(b->pages[page], slot, &stand);
        }
    }
}

/* Nobody else writes it. */
static void
page_send(struct bench *b, uint32_t slot)
{
    struct rand *r = &b->documents.rand;
    struct key key = key_make(1, "place", rand_below(r, PAGES));
    struct store_write write = {.key = key_slice(&key),
                                .expected_version = STORE_ANY_VERSION,
                                .op = STORE_PUT,
                                .value = {b->pages[rand_below(r, PAGES_DRAWN)], PLACE_PAGE_BYTES}};
    if (b->port.commit(b->port.ctx, slot, &write, 1) != OK)
        bench_fail(b, "a commit was refused");
}

static void
flight_send(struct bench *b, uint32_t slot)
{
    b->flights[slot].sent_us = process_mono_us();
    if (b->kind == KIND_PAGE) {
        page_send(b, slot);
        return;
    }
    b->flights[slot].document = bench_documents_pick(&b->documents, DOCUMENTS);
    if (b->kind == KIND_COMMIT) {
        commit_send(b, slot);
        return;
    }
    struct key key = bench_document_key(b->flights[slot].document);
    if (b->port.get(b->port.ctx, slot, key_slice(&key)) != OK)
        bench_fail(b, "a get was refused");
}

static void
flight_land(struct bench *b, uint64_t slot, bool fine)
{
    const struct flight *flight = &b->flights[slot];
    if (b->kind != KIND_PAGE)
        bench_documents_settle(&b->documents, flight->document, b->kind == KIND_COMMIT && fine);
    if (!fine) {
        bench_fail(b, "an answer is not the expected one");
        return;
    }
    int64_t now_us = process_mono_us();
    if (now_us >= b->from_us && now_us < b->until_us) {
        b->answered++;
        hist_add(&b->latency_us, (uint64_t)(now_us - flight->sent_us));
    }
    if (now_us < b->until_us)
        flight_send(b, (uint32_t)slot);
}

static void
on_committed(void *ctx, uint64_t slot, enum store_result result)
{
    struct bench *b = ctx;
    if (slot < BENCH_STORE_IN_FLIGHT_MAX)
        flight_land(b, slot, result == STORE_OK);
    else if (result != STORE_OK)
        bench_fail(b, "filling failed");
}

static void
on_got(void *ctx, uint64_t slot, enum store_result result, const struct store_doc *doc)
{
    struct bench *b = ctx;
    flight_land(b, slot,
                result == STORE_OK && doc->exists &&
                    bench_document_fits(&b->documents, b->flights[slot].document, doc->version,
                                        doc->value));
}

static void
on_scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    (void)token, (void)found;
    if (result != STORE_OK || count > 0)
        bench_fail(ctx, "the store there is not empty, or does not answer");
}

static enum err
bench_wait(struct bench *b)
{
    struct pollfd ready = {.fd = pg_store_fd(b->pg), .events = POLLIN};
    while (pg_store_under_way(b->pg) > 0) {
        (void)poll(&ready, 1, WAIT_MS);
        (void)pg_store_deliver(b->pg);
        if (scratch_stopped())
            b->until_us = 0;
    }
    return b->failed ? ERR_IO : scratch_stopped() ? ERR_CLOSED : OK;
}

/* ---- rounds ---- */

static enum err
round_run(struct bench *b, uint32_t kind, uint32_t in_flight, int64_t us, struct figure *out)
{
    b->kind = kind;
    b->answered = 0;
    hist_reset(&b->latency_us);
    b->from_us = process_mono_us() + SETTLE_US;
    b->until_us = b->from_us + us;
    for (uint32_t slot = 0; slot < in_flight; slot++)
        flight_send(b, slot);
    /* The CPU times are of the whole round, so what they are divided by is, too. */
    struct pg_store_stats before, after;
    pg_store_stats(b->pg, &before);
    int64_t client_us = process_cpu_us(), server_us = server_cpu_us(b->server);
    enum err error = bench_wait(b);
    client_us = process_cpu_us() - client_us;
    server_us = server_cpu_us(b->server) - server_us;
    pg_store_stats(b->pg, &after);
    double all = (double)(after.commits - before.commits + after.gets - before.gets);
    double groups = (double)(after.groups - before.groups);
    out->per_s = (double)b->answered * 1e6 / (double)us;
    out->client_cpu_us = all > 0 ? (double)client_us / all : 0;
    out->server_cpu_us = all > 0 ? (double)server_us / all : 0;
    out->group = groups > 0 ? (double)(after.commits - before.commits) / groups : 0;
    out->latency_us = b->latency_us;
    return error;
}

/* Writes every document (or takes it away again, in the end). */
static enum err
documents_write(struct bench *b, enum store_op op, uint32_t count,
                struct key (*key_of)(uint32_t document))
{
    static struct key keys[FILL_GROUP];
    static uint8_t values[FILL_GROUP][BENCH_VALUE_MAX];
    static struct store_write writes[FILL_GROUP];
    enum err error = OK;
    for (uint32_t first = 0; first < count && error == OK; first += FILL_GROUP) {
        uint32_t n = 0;
        for (; n < FILL_GROUP && first + n < count; n++) {
            keys[n] = key_of(first + n);
            writes[n] = (struct store_write){
                .key = key_slice(&keys[n]), .op = op, .expected_version = STORE_ANY_VERSION};
            if (op == STORE_PUT)
                writes[n].value = (struct slice){
                    values[n], bench_document_value(&b->documents, first + n, 1, values[n])};
        }
        error = b->port.commit(b->port.ctx, BENCH_STORE_IN_FLIGHT_MAX, writes, n);
        error = error == OK ? bench_wait(b) : error;
        for (uint32_t i = 0; op == STORE_PUT && i < n; i++)
            bench_documents_settle(&b->documents, first + i, error == OK);
    }
    return error;
}

static struct key
page_key(uint32_t number)
{
    return key_make(1, "place", number);
}

static enum err
bench_open(struct bench *b, const char *address)
{
    char why[PG_STORE_WHY_MAX];
    enum err error = pg_store_check(address, why);
    struct pg_store_options options = {.address = address};
    error = error == OK ? pg_store_open(&options, &b->pg, why) : error;
    if (error != OK) {
        output_progress("%s", why);
        return error;
    }
    b->port = pg_store_port(
        b->pg, (struct store_done){
                   .ctx = b, .got = on_got, .committed = on_committed, .scanned = on_scanned});
    error = bench_documents_init(&b->documents, DOCUMENTS, 1);
    struct slice none = {0};
    if (error == OK)
        pages_draw(b);
    error = error == OK ? b->port.scan(b->port.ctx, 0, none, none, 1) : error;
    return error == OK ? bench_wait(b) : error;
}

static enum err
levels_run(struct bench *b, int64_t us, struct figure figures[KINDS][BENCH_LEVELS])
{
    enum err error = documents_write(b, STORE_PUT, DOCUMENTS, bench_document_key);
    for (int level = 0; level < BENCH_LEVELS && error == OK; level++)
        error = round_run(b, KIND_COMMIT, bench_levels[level], us, &figures[KIND_COMMIT][level]);
    for (int level = 0; level < BENCH_LEVELS && error == OK; level++)
        error = round_run(b, KIND_GET, bench_levels[level], us, &figures[KIND_GET][level]);
    if (error == OK) /* the first time the pages are made */
        error = round_run(b, KIND_PAGE, PAGES_FLIGHT, us, &figures[KIND_PAGE][0]);
    if (error == OK)
        error = round_run(b, KIND_PAGE, PAGES_FLIGHT, us, &figures[KIND_PAGE][0]);
    return error;
}

/* ---- the report ---- */

static void
figure_print(struct output_table *t, const char *what, uint32_t in_flight, const struct figure *f)
{
    output_table_cell(t, "%s", what);
    output_table_cell(t, "%" PRIu32, in_flight);
    output_table_cell(t, "%.0f", f->per_s);
    output_table_cell(t, "%" PRIu64, hist_quantile(&f->latency_us, 0.5));
    output_table_cell(t, "%" PRIu64, hist_quantile(&f->latency_us, 0.99));
    output_table_cell(t, "%.1f", f->group);
    output_table_cell(t, "%.1f", f->client_cpu_us);
    output_table_cell(t, "%.1f", f->server_cpu_us);
}

static json_t *
figure_json(const struct figure *f)
{
    json_t *j = json_pack("{s:f, s:I, s:I, s:f, s:f, s:f}", "per_s", f->per_s, "p50_us",
                          (json_int_t)hist_quantile(&f->latency_us, 0.5), "p99_us",
                          (json_int_t)hist_quantile(&f->latency_us, 0.99), "group", f->group,
                          "client_cpu_us", f->client_cpu_us, "server_cpu_us", f->server_cpu_us);
    CHECK(j != NULL);
    return j;
}

static json_t *
report(struct figure figures[KINDS][BENCH_LEVELS])
{
    static const struct output_column columns[] = {
        {.head = "what"},
        {.head = "in flight", .right = true},
        {.head = "a second", .right = true},
        {.head = "p50 us", .right = true},
        {.head = "p99 us", .right = true},
        {.head = "group", .right = true},
        {.head = "client CPU us", .right = true},
        {.head = "server CPU us", .right = true},
    };
    struct output_table *t = output_table_alloc(columns, sizeof columns / sizeof columns[0]);
    json_t *all = json_object();
    for (int kind = 0; kind < KIND_PAGE; kind++) {
        json_t *levels = json_object();
        for (int level = 0; level < BENCH_LEVELS; level++) {
            char name[16];
            snprintf(name, sizeof name, "%" PRIu32, bench_levels[level]);
            figure_print(t, kind_names[kind], bench_levels[level], &figures[kind][level]);
            json_object_set_new(levels, name, figure_json(&figures[kind][level]));
        }
        json_object_set_new(all, kind_names[kind], levels);
    }
    const struct figure *page = &figures[KIND_PAGE][0];
    figure_print(t, kind_names[KIND_PAGE], PAGES_FLIGHT, page);
    json_object_set_new(all, kind_names[KIND_PAGE], figure_json(page));
    json_object_set_new(all, "place_us_per_player_s",
                        json_real((page->client_cpu_us + page->server_cpu_us) / PLACE_PAGE_SLOTS));
    output_table_print(t, stderr);
    output_table_free(&t);
    return all;
}

int
bench_postgres(const char *address, uint32_t seconds, pid_t server)
{
    static struct figure figures[KINDS][BENCH_LEVELS];
    struct bench *b = calloc(1, sizeof *b);
    CHECK(b != NULL);
    b->server = server;
    int64_t us = seconds * INT64_C(1000000) / (2 * BENCH_LEVELS + 2) - SETTLE_US;
    enum err error = bench_open(b, address);
    bool ours = error == OK; /* what lies there may be taken away again */
    error = ours ? levels_run(b, us, figures) : error;
    if (ours) {
        b->failed = false;
        enum err cleared = documents_write(b, STORE_FORGET, DOCUMENTS, bench_document_key);
        cleared = cleared == OK ? documents_write(b, STORE_FORGET, PAGES, page_key) : cleared;
        error = error == OK ? cleared : error;
    }
    if (b->documents.versions != NULL)
        bench_documents_fini(&b->documents);
    if (b->pg != NULL)
        pg_store_close(&b->pg);
    free(b);
    if (error != OK) {
        output_progress("seom bench store: %s",
                        error == ERR_CLOSED ? "interrupted" : err_text(error));
        return 1;
    }
    json_t *object = report(figures);
    return output_result(&object);
}
