/* The bytes of a page of places. A slot, little-endian: format u8 (0 = empty, 1 = this), look u8,
 * u16 = 0, island u32, player u64, since i64, x i32, y i32, vx i16, vy i16, lasts u16, u16 = 0,
 * then 24 bytes kept for gauges.
 *
 * Recipe for change: use the reserve, which older versions leave as it is; for more, raise
 * PLACE_SLOT_FORMAT and read the one before too.
 */
#include "base/check.h"
#include "store/ids.h"
#include "store/place.h"

#define PLACE_SLOT_FORMAT 1

struct place_slot
place_slot_of_id(uint64_t player)
{
    return (struct place_slot){.page = id_counter(player) / PLACE_PAGE_SLOTS,
                               .slot = (uint32_t)(id_counter(player) % PLACE_PAGE_SLOTS)};
}

enum err
place_page_check(struct slice page)
{
    if (page.bytes > PLACE_PAGE_BYTES || page.bytes % PLACE_SLOT_BYTES != 0)
        return ERR_FORMAT;
    for (size_t at = 0; at < page.bytes; at += PLACE_SLOT_BYTES)
        if (page.at[at] > PLACE_SLOT_FORMAT)
            return ERR_NEWER;
    return OK;
}

bool
place_page_read(struct slice page, uint32_t slot, struct stand *out)
{
    CHECK(slot < PLACE_PAGE_SLOTS);
    size_t at = (size_t)slot * PLACE_SLOT_BYTES;
    if (at + PLACE_SLOT_BYTES > page.bytes || page.at[at] == 0)
        return false;
    struct reader r = reader_over(page.at + at + 1, PLACE_SLOT_BYTES - 1);
    out->look = read_u8(&r);
    (void)read_u16(&r);
    out->island = read_u32(&r);
    out->player = read_u64(&r);
    out->motion.since_ms = read_i64(&r);
    out->motion.x_mm = read_i32(&r);
    out->motion.y_mm = read_i32(&r);
    out->motion.vx = read_i16(&r);
    out->motion.vy = read_i16(&r);
    out->motion.lasts_ms = read_u16(&r);
    CHECK(reader_ok(&r));
    return true;
}

void
place_page_write(uint8_t page[PLACE_PAGE_BYTES], uint32_t slot, const struct stand *stand)
{
    CHECK(slot < PLACE_PAGE_SLOTS);
    struct writer w = writer_over(page + (size_t)slot * PLACE_SLOT_BYTES, PLACE_SLOT_BYTES);
    write_u8(&w, PLACE_SLOT_FORMAT);
    write_u8(&w, stand->look);
    write_u16(&w, 0);
    write_u32(&w, stand->island);
    write_u64(&w, stand->player);
    write_i64(&w, stand->motion.since_ms);
    write_i32(&w, stand->motion.x_mm);
    write_i32(&w, stand->motion.y_mm);
    write_i16(&w, stand->motion.vx);
    write_i16(&w, stand->motion.vy);
    write_u16(&w, stand->motion.lasts_ms);
    CHECK(writer_ok(&w));
}
