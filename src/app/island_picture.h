/* Islands drawn for a terminal, in braille: 2 x 4 dots a letter. Pure but for the stream it prints
 * to.
 */
#ifndef SEOM_APP_ISLAND_PICTURE_H
#define SEOM_APP_ISLAND_PICTURE_H

#include "app/island_files.h"
#include <stdint.h>
#include <stdio.h>

/* Draws count islands at their places on the sea chart, north up, into at most columns x lines
 * letters; `@` marks the harbours. Every island shows, however small it comes out. */
void island_picture(const struct island_entry *islands, uint32_t count, uint32_t columns,
                    uint32_t lines, FILE *to);

#endif
