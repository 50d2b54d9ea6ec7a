/* Batches: what is read can be written again and gives the same bytes; the entries of a slice keep
 * their order, their chunk and their limits.
 */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "wire/batch.h"
#include <string.h>

#define NOW_MS INT64_C(0x300000000)

static void
check_slice(const struct record *record)
{
    struct range_reader rr;
    range_open(&rr, record);
    struct record_motion m;
    uint64_t previous = 0;
    uint32_t count = 0;
    while (range_next(&rr, &m)) {
        CHECK(m.entity > previous);
        CHECK(m.entity >= record->as.range.first && m.entity <= record->as.range.last);
        CHECK(chunk_of(m.motion.x_mm) == record->cx && chunk_of(m.motion.y_mm) == record->cy);
        CHECK(m.motion.lasts_ms <= MOTION_LASTS_MS_MAX);
        previous = m.entity;
        count++;
    }
    CHECK(count == record->as.range.count);
}

static void
write_density(struct writer *w, const struct record *record)
{
    static struct density_cell cells[DENSITY_CELLS_MAX];
    uint16_t count = record->as.density.count;
    for (uint16_t i = 0; i < count; i++) {
        cells[i] = density_at(record->as.density.cells, i);
    }
    batch_put_density(w, record->as.density.island, record->as.density.cell_m, cells, count);
}

static void
check_record(const struct record *record)
{
    static uint8_t bytes[RANGE_HEAD_BYTES + 6 * DENSITY_CELLS_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    switch (record->kind) {
    case RECORD_MOTION: batch_put_motion(&w, &record->as.motion); break;
    case RECORD_LEAVE: batch_put_leave(&w, record->entity, record->cx, record->cy); break;
    case RECORD_SAY: batch_put_say(&w, record->entity, record->as.text); break;
    case RECORD_FORGET: batch_put_forget(&w, record->cx, record->cy); break;
    case RECORD_RANGE: check_slice(record); return;
    case RECORD_SELF: batch_put_self(&w, &record->as.self); break;
    case RECORD_THING: batch_put_thing(&w, &record->as.thing); break;
    case RECORD_DENSITY: write_density(&w, record); break;
    case RECORD_ISLAND: batch_put_island(&w, record->as.island); break;
    case RECORD_OWNED: batch_put_owned(&w, record->entity, record->as.session_epoch); break;
    }
    CHECK(writer_ok(&w) && writer_used(&w) == record->whole.bytes);
    CHECK(memcmp(bytes, record->whole.at, record->whole.bytes) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_over(data, size);
    struct record record;
    while (reader_left(&r) > 0 && batch_next(&r, NOW_MS, &record) == OK) {
        CHECK(record.whole.bytes > 0);
        check_record(&record);
    }
    return 0;
}
