/* Envelopes and records of commits, as they may stand in an engine that was damaged: reading never
 * runs over, what can be read can be written and reads back the same, and looking at a document
 * through the record of its pend never leaves it. The first byte chooses the record's state.
 */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "store/committer.h"
#include <string.h>

static enum record_state
state_of(void *ctx, struct txid id)
{
    (void)id;
    return *(const enum record_state *)ctx;
}

static bool
same(struct slice a, struct slice b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.at, b.at, a.bytes) == 0);
}

static bool
within(struct slice part, const uint8_t *data, size_t size)
{
    return part.bytes == 0 ||
           (part.at >= data && part.bytes <= size && (size_t)(part.at - data) <= size - part.bytes);
}

static void
try_envelope(const uint8_t *data, size_t size, enum record_state state)
{
    static uint8_t again[ENVELOPE_MAX];
    struct store_doc raw = {.version = 3, .exists = true, .value = {data, size}};
    struct envelope e, back;
    if (envelope_read(&raw, &e) != OK)
        return;
    CHECK(within(e.body, data, size) && within(e.pend_body, data, size));
    raw.value = (struct slice){again, envelope_write(&e, again)};
    CHECK(envelope_read(&raw, &back) == OK);
    CHECK(back.version == e.version && back.exists == e.exists && back.pend == e.pend);
    CHECK(same(back.body, e.body) && same(back.pend_body, e.pend_body));
    struct committer_view view;
    raw.value = (struct slice){data, size};
    if (committer_look(&raw, state_of, &state, &view) == OK)
        CHECK(within(view.body, data, size) && (view.version >= e.version || !view.exists));
    if (e.pend != PEND_NONE) {
        envelope_decide(&e, state == RECORD_COMMITTED);
        CHECK(e.pend == PEND_NONE);
    }
}

static void
try_record(const uint8_t *data, size_t size)
{
    struct commit_record r;
    struct slice key;
    if (record_read((struct slice){data, size}, &r) != OK)
        return;
    CHECK(r.state != RECORD_MISSING && r.count <= RECORD_KEYS_MAX);
    uint32_t count = 0;
    for (struct commit_record rest = r; record_next_key(&rest, &key); count++)
        CHECK(within(key, data, size));
    CHECK(count == r.count);
    uint8_t again[RECORD_MAX];
    CHECK(record_write(&r, again) <= sizeof again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct txid id;
    if (size == 0)
        return 0;
    enum record_state state = (enum record_state)(data[0] % 4);
    try_envelope(data + 1, size - 1, state);
    try_record(data + 1, size - 1);
    if (record_key_parse((struct slice){data + 1, size - 1}, &id) == OK)
        CHECK(id.epoch <= TXID_EPOCH_MAX && id.count <= TXID_COUNT_MAX);
    return 0;
}
