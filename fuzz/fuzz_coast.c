/* Coast CSV: whatever the text, every island that is made opens, has land and keeps its id, and
 * what is not made is refused with a fault.
 */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "world/coast.h"
#include <stdbool.h>

/* Lands of more than 10 km take long to fill and find nothing new; numbers beyond all limits are
 * wanted again. */
static bool
is_quick(const uint8_t *data, size_t size)
{
    size_t digits = 0;

    for (size_t n = 0; n <= size; n++) {
        if (n < size && data[n] >= '0' && data[n] <= '9') {
            digits++;
            continue;
        }
        if (digits > 4 && digits < 8) {
            return false;
        }
        digits = 0;
    }
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!is_quick(data, size)) {
        return 0;
    }
    struct coast coast;
    const struct coast_source source = {.csv = {.at = data, .bytes = size}, .next_id = 7};
    coast_import(&source, &coast);
    CHECK(coast.count > 0 || coast.fault_count > 0);
    CHECK(coast.refused_count == 0 || coast.fault_count > 0);
    CHECK(coast.next_id == 7 + coast.count);
    for (uint32_t n = 0; n < coast.count; n++) {
        struct island *island = NULL;
        enum err error = island_open(island_file_slice(&coast.islands[n].file), &island);
        CHECK(error == OK);
        CHECK(island_id(island) == 7 + n && island_land_tiles(island) > 0);
        CHECK(coast_known_of(island).area_m2 > 0);
        island_close(&island);
    }
    coast_fini(&coast);
    return 0;
}
