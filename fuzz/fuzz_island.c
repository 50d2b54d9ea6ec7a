/* Island files: nothing that a file says is believed, also behind a right checksum. An island that
 * opens answers every question, its harbour and everything it spawns is on land, and its land is as
 * much as it says.
 */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "wire/little.h"
#include "world/island.h"
#include "world/island_format.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define CHUNKS_COUNTED_MAX 1024

static void
check_land(const struct island *island)
{
    uint64_t tiles = 0;

    if ((uint32_t)island_columns(island) * island_rows(island) > CHUNKS_COUNTED_MAX) {
        return;
    }
    for (int32_t row = 0; row < island_rows(island) * CHUNK_TILES; row++) {
        for (int32_t column = 0; column < island_columns(island) * CHUNK_TILES; column++) {
            tiles += island_is_land(
                island, (struct place){.x_mm = column * TILE_MM, .y_mm = row * TILE_MM});
        }
    }
    CHECK(tiles == island_land_tiles(island));
}

static void
check_walks(const struct island *island)
{
    struct place harbour = island_harbour(island);
    CHECK(island_is_land(island, harbour));
    for (uint32_t n = 0; n < 64; n++) {
        struct place at = island_spawn(island, n * 67);
        CHECK(island_is_land(island, at));
        bool there = island_path_is_dry(island, at, harbour);
        CHECK(there == island_path_is_dry(island, harbour, at));
        struct motion m = {.x_mm = at.x_mm,
                           .y_mm = at.y_mm,
                           .vx = (int16_t)(n * 1021 - 32000),
                           .vy = (int16_t)(n * 777),
                           .lasts_ms = MOTION_LASTS_MS_MAX};
        uint16_t dry_ms = island_dry_ms(island, &m);
        CHECK(island_is_land(island, motion_at(&m, dry_ms)));
        CHECK(dry_ms == m.lasts_ms || !island_is_land(island, motion_at(&m, dry_ms + 1)));
    }
}

static void
check_island(const uint8_t *at, size_t bytes)
{
    struct island *island = NULL;

    if (island_open((struct slice){.at = at, .bytes = bytes}, &island) != OK) {
        return;
    }
    CHECK(island_id(island) > 0 && strlen(island_name(island)) <= ISLAND_NAME_MAX);
    for (uint32_t ring = 0; ring < island_ring_count(island); ring++) {
        uint32_t count = island_ring_vertices(island, ring);
        CHECK(count >= 3);
        (void)island_ring_at(island, ring, count - 1);
    }
    check_land(island);
    check_walks(island);
    island_close(&island);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_island(data, size);
    if (size < ISLAND_HEAD_BYTES + 8) {
        return 0;
    }
    uint8_t *sealed =
        malloc(size); /* the same with size and checksum set right, or no input would get far */
    CHECK(sealed);
    memcpy(sealed, data, size);
    store_u64(sealed + 16, size);
    store_u64(sealed + size - 8, XXH3_64bits(sealed, size - 8));
    check_island(sealed, size);
    free(sealed);
    return 0;
}
