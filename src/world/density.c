/* Density: how many people stand in which cell of an island, once a second, for the charts of
 * spectators. It wakes nothing and asks nothing: the players are counted where their motions say
 * they are.
 */
#include "base/check.h"
#include "world/state.h"
#include <stdlib.h>

#define DENSITY_CELL_M \
    480 /* doubled while more than DENSITY_CELLS_MAX cells have somebody in them */
#define COORDINATE_BITS 20
#define DENSITY_ROUND   10 /* seconds from one telling of all islands to the next */

/* Where somebody is counted: island's place in the archipelago | row | column of the cell. Sorted,
 * those of one cell stand together, and so do those of one island. */
static uint64_t
cell_key(uint64_t ordinal, uint32_t row, uint32_t column)
{
    return ordinal << 2 * COORDINATE_BITS | (uint64_t)row << COORDINATE_BITS | column;
}

static uint32_t
key_row(uint64_t key)
{
    return (uint32_t)(key >> COORDINATE_BITS) & ((1U << COORDINATE_BITS) - 1);
}

static uint32_t
key_column(uint64_t key)
{
    return (uint32_t)key & ((1U << COORDINATE_BITS) - 1);
}

static int
by_key(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* An island's place in the order of ids. */
static uint32_t
ordinal_of(const struct archipelago *islands, const struct island *island)
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

/* One pass over everybody. */
static uint32_t
locate_people(struct world *w)
{
    int64_t now_ms = env_world_ms(w->env);
    uint32_t count = 0;
    for (uint32_t i = pool_next(&w->avatars, POOL_NONE); i != POOL_NONE;
         i = pool_next(&w->avatars, i)) {
        const struct avatar *a = pool_at(&w->avatars, i);
        struct place at = motion_at(&a->mover.motion, now_ms);
        CHECK(at.x_mm >= 0 && at.y_mm >= 0);
        w->density_keys[count++] = cell_key(ordinal_of(w->options.islands, a->island),
                                            (uint32_t)at.y_mm / (DENSITY_CELL_M * 1000),
                                            (uint32_t)at.x_mm / (DENSITY_CELL_M * 1000));
    }
    qsort(w->density_keys, count, sizeof w->density_keys[0], by_key);
    return count;
}

/* The cells of one island's people; 0 when they are more than fit. */
static uint16_t
count_cells(const uint64_t *keys, uint32_t people, struct density_cell cells[DENSITY_CELLS_MAX])
{
    uint16_t count = 0;
    for (uint32_t i = 0; i < people; i++) {
        if (i == 0 || keys[i] != keys[i - 1]) {
            if (count == DENSITY_CELLS_MAX) {
                return 0;
            }
            cells[count++] = (struct density_cell){.column = (uint16_t)key_column(keys[i]),
                                                   .row = (uint16_t)key_row(keys[i])};
        }
        uint16_t *in_cell = &cells[count - 1].people;
        *in_cell = (uint16_t)(*in_cell + (*in_cell < UINT16_MAX));
    }
    return count;
}

/* Cells of twice the edge. */
static void
coarsen(uint64_t *keys, uint32_t people)
{
    for (uint32_t i = 0; i < people; i++) {
        keys[i] =
            cell_key(keys[i] >> 2 * COORDINATE_BITS, key_row(keys[i]) / 2, key_column(keys[i]) / 2);
    }
    qsort(keys, people, sizeof keys[0], by_key);
}

static void
publish_island(struct world *w, const struct island *island, uint64_t *keys, uint32_t people)
{
    struct density_cell cells[DENSITY_CELLS_MAX];
    uint32_t cell_m = DENSITY_CELL_M;
    uint16_t count;
    while ((count = count_cells(keys, people, cells)) == 0 && people > 0) {
        coarsen(keys, people);
        cell_m *= 2;
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
    for (uint32_t gate = 0; (gate = peer_set_next(&w->density_gates, gate)) != PEER_NONE; gate++) {
        /* Derived and repeated every second: a full ring may lose one. */
        if (w->env->links.send(w->env->links.ctx, gate, pieces, 2) != OK) {
            w->stats.batches_full++;
        }
    }
}

void
density_publish(struct world *w)
{
    if (peer_set_is_empty(&w->density_gates)) {
        return;
    }
    bool round = w->tick / DENSITY_EVERY_TICKS % DENSITY_ROUND == 0;
    uint32_t people = locate_people(w), from = 0, cursor = 0, ordinal = 0;
    for (const struct island *island;
         (island = archipelago_next(w->options.islands, &cursor)) != NULL; ordinal++) {
        uint32_t to = from;
        while (to < people && w->density_keys[to] >> 2 * COORDINATE_BITS == ordinal) {
            to++;
        }
        /* An empty island is told when it has become empty, and now and then. */
        if (to > from || w->density_told[ordinal] || round) {
            publish_island(w, island, &w->density_keys[from], to - from);
        }
        w->density_told[ordinal] = to > from;
        from = to;
    }
}
