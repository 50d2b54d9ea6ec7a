/* The chart of spectators: once a second each home tells how many of its people stand in which
 * cell, island by island. The gate keeps what every home said last and adds it up. The sums of one
 * second stand side by side in one buffer, from which each spectator gets what it looks at in its
 * slot, with everything else that is new to it. Repeated every second, so that who is skipped
 * misses nothing for long.
 *
 * What homes say is kept for one to two periods, which is longer than a second: who is not heard
 * again has nobody there, or is gone.
 */
#include "base/check.h"
#include "view/state.h"
#include <stdlib.h>
#include <string.h>

#define CHART_WINDOW_US  500000 /* of a second, in which islands are told as they come */
#define CHART_SECOND_US  900000 /* homes' seconds are not exact */
#define CHART_KEEP_US    1500000
#define CHART_SEND_BYTES 16384 /* of one send; the others follow in the next tick */

void
chart_init(struct chart *chart)
{
    *chart = (struct chart){.told = malloc(CHART_BYTES)};
    map_init(&chart->place_by_island, ARCHIPELAGO_ISLANDS_MAX, 0);
    chart->places = calloc(ARCHIPELAGO_ISLANDS_MAX, sizeof *chart->places);
    chart->islands = calloc(ARCHIPELAGO_ISLANDS_MAX, sizeof *chart->islands);
    chart->cells = calloc(CHART_CELLS_MAX, sizeof *chart->cells);
    CHECK(chart->told != NULL && chart->places != NULL && chart->islands != NULL &&
          chart->cells != NULL);
    for (uint32_t i = 0; i < 2; i++) {
        chart->periods[i].bytes = malloc(CHART_BYTES);
        chart->periods[i].records = calloc(CHART_RECORDS_MAX, sizeof *chart->periods[i].records);
        CHECK(chart->periods[i].bytes != NULL && chart->periods[i].records != NULL);
    }
}

void
chart_fini(struct chart *chart)
{
    for (uint32_t i = 0; i < 2; i++) {
        free(chart->periods[i].bytes);
        free(chart->periods[i].records);
    }
    map_fini(&chart->place_by_island);
    free(chart->told);
    free(chart->places);
    free(chart->islands);
    free(chart->cells);
}

static void
begin_period(struct chart *chart, uint32_t which, int64_t now_us)
{
    struct chart_period *p = &chart->periods[which];
    p->began_us = now_us;
    p->used = p->count = 0;
    for (uint32_t i = 0; i < chart->places_count; i++) {
        chart->places[i].newest[which] = POOL_NONE;
    }
}

static struct chart_place *
place_of(struct gate *g, uint32_t island)
{
    struct chart *chart = &g->chart;
    uint32_t index = map_get(&chart->place_by_island, island);
    if (index != MAP_NONE) {
        return &chart->places[index];
    }
    if (island == 0 || map_put(&chart->place_by_island, island, chart->places_count) != OK) {
        g->stats.limits_reached++;
        return NULL;
    }
    struct chart_place *place = &chart->places[chart->places_count++];
    *place = (struct chart_place){.island = island, .newest = {POOL_NONE, POOL_NONE}};
    return place;
}

/* What a home said stands for the rest of this period and for the next one. */
static struct chart_place *
keep(struct gate *g, uint8_t home, const struct link_density *density)
{
    struct chart *chart = &g->chart;
    int64_t now_us = env_mono_us(g->env), age_us = now_us - chart->periods[chart->period].began_us;
    if (age_us >= CHART_KEEP_US) {
        chart->period = !chart->period;
        begin_period(chart, chart->period, now_us);
    }
    if (age_us >= 2 * CHART_KEEP_US) {
        begin_period(chart, !chart->period, now_us);
    }
    struct chart_period *p = &chart->periods[chart->period];
    size_t bytes = density->record.bytes;
    struct chart_place *place = place_of(g, density->island);
    if (place == NULL || bytes > CHART_BYTES - p->used || p->count == CHART_RECORDS_MAX) {
        g->stats.limits_reached++;
        return NULL;
    }
    memcpy(p->bytes + p->used, density->record.at, bytes);
    p->records[p->count] = (struct chart_record){.next = place->newest[chart->period],
                                                 .at = p->used,
                                                 .bytes = (uint32_t)bytes,
                                                 .home = home};
    place->newest[chart->period] = p->count++;
    p->used += (uint32_t)bytes;
    return place;
}

/* The newest that each home said of an island. */
static uint32_t
newest(const struct chart *chart, const struct chart_place *place, struct slice out[HOMES_MAX])
{
    bool heard[HOMES_MAX] = {false};
    uint32_t count = 0;
    for (uint32_t n = 0; n < 2; n++) {
        uint32_t which = n == 0 ? chart->period : !chart->period;
        const struct chart_period *p = &chart->periods[which];
        for (uint32_t i = place->newest[which]; i != POOL_NONE; i = p->records[i].next) {
            const struct chart_record *r = &p->records[i];
            if (!heard[r->home]) {
                heard[r->home] = true;
                out[count++] = (struct slice){.at = p->bytes + r->at, .bytes = r->bytes};
            }
        }
    }
    return count;
}

static struct record
read_density(struct slice whole)
{
    struct reader in = reader_over(whole.at, whole.bytes);
    struct record r;
    CHECK(batch_next(&in, 0, &r) == OK && r.kind == RECORD_DENSITY); /* the link looked at it */
    return r;
}

static int
by_cell(const void *a, const void *b)
{
    const struct density_cell *left = a, *right = b;
    uint32_t one = (uint32_t)left->row << 16 | left->column,
             other = (uint32_t)right->row << 16 | right->column;
    return one < other ? -1 : one > other;
}

/* Sorts, and makes one of those that are the same cell. */
static uint32_t
join_cells(struct density_cell *cells, uint32_t count)
{
    uint32_t joined = 0;
    qsort(cells, count, sizeof cells[0], by_cell);
    for (uint32_t i = 0; i < count; i++) {
        if (joined > 0 && by_cell(&cells[joined - 1], &cells[i]) == 0) {
            uint32_t people = (uint32_t)cells[joined - 1].people + cells[i].people;
            cells[joined - 1].people = (uint16_t)(people < UINT16_MAX ? people : UINT16_MAX);
        } else {
            cells[joined++] = cells[i];
        }
    }
    return joined;
}

/* Homes double the edge of their cells until all fit in a record, each for itself: the sum has the
 * widest, and wider ones if its own would not fit. */
static void
add_up(struct gate *g, uint32_t island, const struct slice *said, uint32_t count,
       struct writer *out)
{
    struct density_cell *cells = g->chart.cells;
    uint32_t cell_m = 1, used = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct record r = read_density(said[i]);
        cell_m = r.as.density.cell_m > cell_m ? r.as.density.cell_m : cell_m;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct record r = read_density(said[i]);
        uint16_t times = (uint16_t)(r.as.density.cell_m > 0 ? cell_m / r.as.density.cell_m : 1);
        for (uint16_t c = 0; c < r.as.density.count && used < CHART_CELLS_MAX; c++) {
            struct density_cell cell = density_at(r.as.density.cells, c);
            cells[used++] = (struct density_cell){
                .column = cell.column / times, .row = cell.row / times, .people = cell.people};
        }
        used = used > CHART_CELLS_MAX / 2 ? join_cells(cells, used) : used;
    }
    used = join_cells(cells, used);
    while (used > DENSITY_CELLS_MAX && cell_m <= UINT16_MAX / 2) {
        cell_m *= 2;
        for (uint32_t i = 0; i < used; i++) {
            cells[i].column /= 2;
            cells[i].row /= 2;
        }
        used = join_cells(cells, used);
    }
    used = used < DENSITY_CELLS_MAX ? used : DENSITY_CELLS_MAX;
    batch_put_density(out, island, (uint16_t)cell_m, cells, (uint16_t)used);
}

static void
tell_island(struct gate *g, struct chart_place *place)
{
    struct chart *chart = &g->chart;
    struct slice said[HOMES_MAX];
    uint32_t count = newest(chart, place, said);
    struct writer out = writer_over(chart->told + chart->used, CHART_BYTES - chart->used);
    place->told = true;
    place->owed = false;
    if (count == 1) {
        write_bytes(&out, said[0].at, said[0].bytes);
    } else if (count > 1) {
        add_up(g, place->island, said, count, &out);
    }
    if (!writer_ok(&out)) {
        g->stats.limits_reached++;
        return;
    }
    uint32_t bytes = (uint32_t)writer_used(&out);
    if (bytes == 0) {
        return; /* nobody was heard of it since */
    }
    chart->islands[chart->count++] =
        (struct chart_island){.island = place->island, .at = chart->used, .bytes = bytes};
    chart->used += bytes;
    for (uint32_t i = 0; i < g->conns_high && g->stats.spectators > 0; i++) {
        struct conn *c = &g->conns[i];
        if (g->hot[i].state == CONN_SPECTATOR &&
            (c->camera.island == 0 || c->camera.island == place->island)) {
            c->chart_left = chart->count;
            g->hot[i].urgent = true;
        }
    }
}

static void
begin_second(struct gate *g)
{
    struct chart *chart = &g->chart;
    chart->began_us = env_mono_us(g->env);
    chart->used = chart->count = 0;
    for (uint32_t i = 0; i < chart->places_count; i++) {
        chart->places[i].told = false;
    }
    for (uint32_t i = 0; i < chart->places_count; i++) {
        if (chart->places[i].owed) {
            tell_island(g, &chart->places[i]);
        }
    }
    chart->owes = false;
}

/* An island is told once a second, with the first home that speaks of it; what others say later is
 * in the next telling. */
void
chart_density(struct gate *g, uint8_t home, const struct link_density *density)
{
    struct chart *chart = &g->chart;
    struct chart_place *place = keep(g, home, density);
    if (place == NULL) {
        return;
    }
    if (env_mono_us(g->env) - chart->began_us > CHART_SECOND_US) {
        begin_second(g);
    }
    if (!place->told && env_mono_us(g->env) - chart->began_us <= CHART_WINDOW_US) {
        tell_island(g, place);
    } else {
        place->owed = chart->owes = true;
    }
}

void
chart_turn(struct gate *g)
{
    if (g->chart.owes && env_mono_us(g->env) - g->chart.began_us > CHART_SECOND_US) {
        begin_second(g);
    }
}

uint32_t
chart_pieces(struct gate *g, struct conn *c, struct slice *pieces, uint32_t max, size_t *bytes)
{
    uint32_t count = 0;
    size_t told = 0;
    if (g->chart.count == 0) {
        c->chart_left = 0; /* the only record of this second found no room */
    }
    for (; c->chart_left > 0; c->chart_left--, c->chart_next++) {
        const struct chart_island *island = &g->chart.islands[c->chart_next % g->chart.count];
        if (c->camera.island != 0 && c->camera.island != island->island) {
            continue;
        }
        if (count == max || (told > 0 && told + island->bytes > CHART_SEND_BYTES)) {
            return count;
        }
        const uint8_t *at = g->chart.told + island->at;
        if (count > 0 && pieces[count - 1].at + pieces[count - 1].bytes == at) {
            pieces[count - 1].bytes += island->bytes;
        } else {
            pieces[count++] = (struct slice){.at = at, .bytes = island->bytes};
        }
        told += island->bytes;
        *bytes += island->bytes;
    }
    return count;
}
