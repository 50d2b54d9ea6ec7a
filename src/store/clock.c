#include "store/clock.h"
#include "base/check.h"
#include "documents.pb-c.h"
#include "store/scratch.h"

static struct key
clock_key(uint16_t world)
{
    return key_named(world, KEY_CLASS_META, "clock");
}

enum err
clock_decode(struct slice value, int64_t *world_ms)
{
    struct scratch scratch;
    scratch_init(&scratch);
    const Seom__ClockDocument *document =
        seom__clock_document__unpack(&scratch.allocator, value.bytes, value.at);
    if (document == NULL || document->world_ms < 0)
        return ERR_FORMAT;
    *world_ms = document->world_ms;
    return OK;
}

static void
on_got(void *ctx, uint64_t n, enum store_result result, const struct store_doc *doc)
{
    (void)n;
    struct clock_load *load = ctx;
    enum err error = ERR_UNAVAILABLE;
    int64_t world_ms = 0;
    if (result == STORE_OK)
        error = doc->exists ? clock_decode(doc->value, &world_ms) : OK;
    load->done(load->ctx, error, error == OK ? world_ms : 0);
}

enum err
clock_load(struct clock_load *load, struct store *store, uint16_t world, clock_loaded *done,
           void *ctx)
{
    CHECK(done != NULL);
    *load = (struct clock_load){.done = done, .ctx = ctx};
    struct key key = clock_key(world);
    return store_get(store, key_slice(&key), on_got, load, 0);
}

/* ---- keeping ---- */

/* The happy path of the home that writes is WRITING, IDLE; of the others READING, IDLE. Whoever
 * meets another's write reads before it writes again.
 */
static const bool moves[CLOCK_STATES][CLOCK_STATES] = {
    [CLOCK_IDLE] = {[CLOCK_READING] = true, [CLOCK_WRITING] = true},
    [CLOCK_READING] = {[CLOCK_WRITING] = true, [CLOCK_IDLE] = true},
    [CLOCK_WRITING] = {[CLOCK_IDLE] = true},
};

static void
keeper_move(struct clock_keeper *k, enum clock_state to)
{
    CHECK(moves[k->state][to]);
    k->state = to;
}

static void
keeper_failed(struct clock_keeper *k)
{
    k->failures++;
    k->version = 0;
    k->known = false;
    keeper_move(k, CLOCK_IDLE);
}

static void
on_written(void *ctx, uint64_t n, enum store_result result)
{
    (void)n;
    struct clock_keeper *k = ctx;
    if (result != STORE_OK) {
        keeper_failed(k); /* whether it happened is seen by reading */
        return;
    }
    k->writes++;
    k->version++;
    k->kept_ms = k->wanted_ms;
    k->known = true;
    keeper_move(k, CLOCK_IDLE);
}

static void
keeper_write(struct clock_keeper *k)
{
    Seom__ClockDocument document = SEOM__CLOCK_DOCUMENT__INIT;
    uint8_t value[CLOCK_DOCUMENT_MAX];
    document.world_ms = k->wanted_ms;
    CHECK(seom__clock_document__get_packed_size(&document) <= sizeof value);
    struct key key = clock_key(k->world);
    struct store_write write = {.key = key_slice(&key),
                                .expected_version = k->version,
                                .op = STORE_PUT,
                                .value = {value, seom__clock_document__pack(&document, value)}};
    keeper_move(k, CLOCK_WRITING);
    if (store_commit(k->store, &write, 1, on_written, k, 0) != OK)
        keeper_failed(k);
}

static void
on_read(void *ctx, uint64_t n, enum store_result result, const struct store_doc *doc)
{
    (void)n;
    struct clock_keeper *k = ctx;
    int64_t stored_ms = -1;
    if (result != STORE_OK || (doc->exists && clock_decode(doc->value, &stored_ms) != OK)) {
        keeper_failed(k);
        return;
    }
    k->kept_ms = stored_ms;
    if (stored_ms >= k->wanted_ms - k->slack_ms) {
        k->known = false; /* somebody else writes it: next time too it is looked at first */
        keeper_move(k, CLOCK_IDLE);
        return;
    }
    k->version = doc->version;
    keeper_write(k);
}

void
clock_keep(struct clock_keeper *k, int64_t world_ms, int64_t slack_ms)
{
    CHECK(world_ms >= 0 && slack_ms >= 0);
    if (k->state != CLOCK_IDLE || (k->known && k->kept_ms >= world_ms))
        return;
    k->wanted_ms = world_ms;
    k->slack_ms = slack_ms;
    if (k->known) {
        keeper_write(k);
        return;
    }
    struct key key = clock_key(k->world);
    keeper_move(k, CLOCK_READING);
    if (store_get(k->store, key_slice(&key), on_read, k, 0) != OK)
        keeper_failed(k);
}

void
clock_keeper_init(struct clock_keeper *k, struct store *store, uint16_t world)
{
    CHECK(store != NULL);
    *k = (struct clock_keeper){.store = store, .world = world, .kept_ms = -1};
}
