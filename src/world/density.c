/* Density: how many people stand in which cell of an island, once a second, for the charts of
 * spectators. It wakes nothing and asks nothing: the players are counted where their motions say
 * they are.
 */
#include "base/check.h"
#include "world/state.h"
#include <string.h>

#define DENSITY_CELL_M 480 /* doubled until an island has at most DENSITY_CELLS_MAX cells */

static uint32_t
cell_m_of(const struct island *island, uint32_t *columns, uint32_t *rows)
{
    uint32_t cell_m = DENSITY_CELL_M;
    for (;; cell_m *= 2) {
        uint32_t chunks = cell_m * 1000 / CHUNK_MM;
        *columns = (island_columns(island) + chunks - 1) / chunks;
        *rows = (island_rows(island) + chunks - 1) / chunks;
        if (*columns * *rows <= DENSITY_CELLS_MAX) {
            return cell_m;
        }
    }
}

/* Its place in the order of ids. */
static uint32_t
ordinal(const struct archipelago *islands, const struct island *island)
{
    uint32_t low = 0, high = islands->count - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (island_id(islands->islands[middle]) < island_id(island)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* One pass over everybody: cells of island n stand at density_cells[n * DENSITY_CELLS_MAX]. */
static void
count_people(struct world *w)
{
    int64_t now_ms = env_world_ms(w->env);
    memset(w->density_cells, 0, sizeof w->density_cells[0] * DENSITY_CELLS_MAX * w->islands);
    for (uint32_t i = pool_next(&w->avatars, POOL_NONE); i != POOL_NONE;
         i = pool_next(&w->avatars, i)) {
        const struct avatar *a = pool_at(&w->avatars, i);
        uint32_t columns, rows, cell_m = cell_m_of(a->island, &columns, &rows);
        struct place at = motion_at(&a->mover.motion, now_ms);
        uint32_t column = (uint32_t)at.x_mm / (cell_m * 1000),
                 row = (uint32_t)at.y_mm / (cell_m * 1000);
        CHECK(column < columns && row < rows);
        uint16_t *people =
            &w->density_cells[ordinal(w->options.islands, a->island) * DENSITY_CELLS_MAX +
                              row * columns + column];
        *people = (uint16_t)(*people + (*people < UINT16_MAX));
    }
}

static void
publish_island(struct world *w, const struct island *island, const uint16_t *people)
{
    uint32_t columns, rows, cell_m = cell_m_of(island, &columns, &rows);
    struct density_cell cells[DENSITY_CELLS_MAX];
    uint16_t count = 0;
    for (uint32_t i = 0; i < columns * rows; i++) {
        if (people[i] > 0) {
            cells[count++] = (struct density_cell){.column = (uint16_t)(i % columns),
                                                   .row = (uint16_t)(i / columns),
                                                   .people = people[i]};
        }
    }
    uint8_t record[16 + DENSITY_CELLS_MAX * 6];
    struct writer out = writer_over(record, sizeof record);
    batch_put_density(&out, island_id(island), (uint16_t)cell_m, cells, count);
    CHECK(writer_ok(&out));
    struct link_message m = {.kind = LINK_DENSITY,
                             .as.density = {.island = island_id(island),
                                            .record = {.at = record, .bytes = writer_used(&out)}}};
    uint8_t head[LINK_HEAD_MAX];
    struct slice pieces[2] = {{.at = head, .bytes = link_head(&m, head)}, link_tail(&m)};
    for (uint32_t gate = 0; w->density_gates >> gate != 0; gate++) {
        /* Derived and repeated every second: a full ring may lose one. */
        if ((w->density_gates >> gate & 1) != 0 &&
            w->env->links.send(w->env->links.ctx, gate, pieces, 2) != OK) {
            w->stats.batches_full++;
        }
    }
}

void
density_publish(struct world *w)
{
    if (w->density_gates == 0) {
        return;
    }
    count_people(w);
    uint32_t cursor = 0, n = 0;
    for (const struct island *island;
         (island = archipelago_next(w->options.islands, &cursor)) != NULL; n++) {
        publish_island(w, island, &w->density_cells[n * DENSITY_CELLS_MAX]);
    }
}
