/* The islands as the page draws them: the body of /islands.json. Islands do not change while the
 * world runs, so app/ makes it once and serves copies. Pure; any thread.
 *
 * {"islands":[{"id":1,"name":"","x_m":178981,"y_m":20066,      south-west corner on the sea chart
 *              "columns":1200,"rows":1100,                     chunks of 30 m
 *              "land_tiles":525000,
 *              "harbour":[x_mm,y_mm],                          on the island, like the rings
 *              "rings":[[x_mm,y_mm,x_mm,y_mm,...],...]}]}      closed: the last vertex joins the
 * first
 */
#ifndef SEOM_WATCH_CHART_H
#define SEOM_WATCH_CHART_H

#include "base/err.h"
#include "world/island.h"
#include <stddef.h>
#include <stdint.h>

/* *text is from malloc() and belongs to the caller. ERR_FULL: out of memory. */
enum err chart_json(const struct island *const *islands, uint32_t count, char **text,
                    size_t *bytes) MUST_USE;

#endif
