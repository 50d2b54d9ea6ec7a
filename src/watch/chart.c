#include "watch/chart.h"

#include "base/check.h"
#include <jansson.h>
#include <string.h>

static json_t *
place_array(struct place at)
{
    return json_pack("[i,i]", (int)at.x_mm, (int)at.y_mm);
}

static json_t *
ring_array(const struct island *island, uint32_t ring)
{
    json_t *list = json_array();
    uint32_t count = island_ring_vertices(island, ring);
    for (uint32_t v = 0; v < count; v++) {
        struct place at = island_ring_at(island, ring, v);
        (void)json_array_append_new(list, json_integer(at.x_mm));
        (void)json_array_append_new(list, json_integer(at.y_mm));
    }
    return list;
}

/* jansson takes NULL as a value and fails the outermost call then, so one check at the end is
 * enough. */
static json_t *
island_object(const struct island *island)
{
    CHECK(island != NULL);
    json_t *rings = json_array();
    for (uint32_t r = 0; r < island_ring_count(island); r++) {
        (void)json_array_append_new(rings, ring_array(island, r));
    }
    struct place corner_m = island_anchor_m(island);
    return json_pack("{s:I,s:s,s:i,s:i,s:i,s:i,s:I,s:o,s:o}", "id", (json_int_t)island_id(island),
                     "name", island_name(island), "x_m", (int)corner_m.x_mm, "y_m",
                     (int)corner_m.y_mm, "columns", (int)island_columns(island), "rows",
                     (int)island_rows(island), "land_tiles", (json_int_t)island_land_tiles(island),
                     "harbour", place_array(island_harbour(island)), "rings", rings);
}

enum err
chart_json(const struct island *const *islands, uint32_t count, char **text, size_t *bytes)
{
    CHECK(islands != NULL || count == 0);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        (void)json_array_append_new(list, island_object(islands[i]));
    }
    bool whole = list != NULL && json_array_size(list) == count;
    json_t *root = json_pack("{s:o}", "islands", list);
    *text = root != NULL && whole ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    *bytes = *text != NULL ? strlen(*text) : 0;
    return *text != NULL ? OK : ERR_FULL;
}
