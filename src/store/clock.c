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

struct store_write
clock_write(struct clock_document *document, uint16_t world, int64_t world_ms)
{
    CHECK(world_ms >= 0);
    Seom__ClockDocument message = SEOM__CLOCK_DOCUMENT__INIT;
    message.world_ms = world_ms;
    CHECK(seom__clock_document__get_packed_size(&message) <= CLOCK_DOCUMENT_MAX);
    document->key = clock_key(world);
    document->value_bytes = (uint32_t)seom__clock_document__pack(&message, document->value);
    return (struct store_write){.key = key_slice(&document->key),
                                .expected_version = STORE_ANY_VERSION,
                                .op = STORE_PUT,
                                .value = {document->value, document->value_bytes}};
}
