/* The chart of spectators: once a second the home tells people per cell, island by island. The
 * records of one second stand side by side in one buffer, from which each spectator gets what it
 * looks at in its slot, with everything else that is new to it. Repeated every second, so that who
 * is skipped misses nothing for long.
 */
#include "base/check.h"
#include "view/state.h"
#include <string.h>

#define CHART_SECOND_US \
    500000 /* what comes later than this behind the first record is of another second */
#define CHART_SEND_BYTES 16384 /* of one send; the others follow in the next tick */

static void
begin_second(struct gate *g)
{
    int64_t now_us = env_mono_us(g->env);
    if (now_us - g->chart_began_us > CHART_SECOND_US) {
        g->chart_began_us = now_us;
        g->chart_used = g->chart_count = 0;
    }
}

void
chart_density(struct gate *g, const struct link_density *density)
{
    begin_second(g);
    size_t bytes = density->record.bytes;
    if (bytes > CHART_BYTES - g->chart_used || g->chart_count == ARCHIPELAGO_ISLANDS_MAX) {
        g->stats.limits_reached++;
        return;
    }
    memcpy(g->chart + g->chart_used, density->record.at, bytes);
    g->chart_islands[g->chart_count++] = (struct chart_island){
        .island = density->island, .at = g->chart_used, .bytes = (uint32_t)bytes};
    g->chart_used += (uint32_t)bytes;
    for (uint32_t i = 0; i < g->conns_high && g->stats.spectators > 0; i++) {
        struct conn *c = &g->conns[i];
        if (g->hot[i].state == CONN_SPECTATOR &&
            (c->camera.island == 0 || c->camera.island == density->island)) {
            c->camera.chart_left = g->chart_count;
            g->hot[i].urgent = true;
        }
    }
}

uint32_t
chart_pieces(struct gate *g, struct conn *c, struct slice *pieces, uint32_t max, size_t *bytes)
{
    uint32_t count = 0;
    size_t told = 0;
    if (g->chart_count == 0) {
        c->camera.chart_left = 0; /* the only record of this second found no room */
    }
    for (; c->camera.chart_left > 0; c->camera.chart_left--, c->camera.chart_next++) {
        const struct chart_island *island =
            &g->chart_islands[c->camera.chart_next % g->chart_count];
        if (c->camera.island != 0 && c->camera.island != island->island) {
            continue;
        }
        if (count == max || (told > 0 && told + island->bytes > CHART_SEND_BYTES)) {
            return count;
        }
        const uint8_t *at = g->chart + island->at;
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
