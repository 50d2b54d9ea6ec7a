#include "app/island_picture.h"
#include "base/check.h"
#include <math.h>
#include <stdlib.h>

#define DOTS_WIDE 2
#define DOTS_HIGH 4

/* Unicode's order of the dots of a braille letter, by row from the top and column. */
static const uint8_t dot_bits[DOTS_HIGH][DOTS_WIDE] = {
    {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

struct sheet {
    double west_mm, north_mm, dot_mm; /* on the sea chart */
    uint32_t columns, lines;
    uint8_t *letters;  /* owned; dots */
    uint8_t *harbours; /* owned; 1 = one is here */
};

struct rectangle {
    double west_mm, south_mm, east_mm, north_mm;
};

static struct rectangle
island_rectangle(const struct island *island)
{
    struct place anchor = island_anchor_m(island);
    return (struct rectangle){
        .west_mm = anchor.x_mm * 1000.0,
        .south_mm = anchor.y_mm * 1000.0,
        .east_mm = anchor.x_mm * 1000.0 + (double)island_columns(island) * CHUNK_MM,
        .north_mm = anchor.y_mm * 1000.0 + (double)island_rows(island) * CHUNK_MM};
}

static void
sheet_dot(struct sheet *s, int64_t column, int64_t row)
{
    if (column < 0 || row < 0 || column >= (int64_t)s->columns * DOTS_WIDE ||
        row >= (int64_t)s->lines * DOTS_HIGH) {
        return;
    }
    size_t letter = (size_t)(row / DOTS_HIGH) * s->columns + (size_t)(column / DOTS_WIDE);
    s->letters[letter] |= dot_bits[row % DOTS_HIGH][column % DOTS_WIDE];
}

static void
sheet_harbour(struct sheet *s, double x_mm, double y_mm)
{
    int64_t column = (int64_t)((x_mm - s->west_mm) / s->dot_mm),
            row = (int64_t)((s->north_mm - y_mm) / s->dot_mm);
    CHECK(column >= 0 && row >= 0 && column / DOTS_WIDE < s->columns && row / DOTS_HIGH < s->lines);
    s->harbours[(size_t)(row / DOTS_HIGH) * s->columns + (size_t)(column / DOTS_WIDE)] = 1;
}

/* A dot is land when its middle is. */
static void
sheet_island(struct sheet *s, const struct island *island)
{
    struct rectangle box = island_rectangle(island);
    int64_t west = (int64_t)floor((box.west_mm - s->west_mm) / s->dot_mm);
    int64_t east = (int64_t)ceil((box.east_mm - s->west_mm) / s->dot_mm);
    int64_t north = (int64_t)floor((s->north_mm - box.north_mm) / s->dot_mm);
    int64_t south = (int64_t)ceil((s->north_mm - box.south_mm) / s->dot_mm);

    for (int64_t row = north; row <= south; row++) {
        for (int64_t column = west; column <= east; column++) {
            double x = s->west_mm + ((double)column + 0.5) * s->dot_mm - box.west_mm;
            double y = s->north_mm - ((double)row + 0.5) * s->dot_mm - box.south_mm;
            if (x < 0 || y < 0 || x > INT32_MAX || y > INT32_MAX) {
                continue;
            }
            if (island_is_land(island, (struct place){.x_mm = (int32_t)x, .y_mm = (int32_t)y})) {
                sheet_dot(s, column, row);
            }
        }
    }
    struct place harbour = island_harbour(island);
    sheet_harbour(s, box.west_mm + harbour.x_mm, box.south_mm + harbour.y_mm);
}

static void
sheet_print(const struct sheet *s, FILE *to)
{
    for (uint32_t line = 0; line < s->lines; line++) {
        for (uint32_t column = 0; column < s->columns; column++) {
            size_t letter = (size_t)line * s->columns + column;
            uint8_t dots = s->letters[letter];
            if (s->harbours[letter]) {
                fputc('@', to);
            } else if (dots == 0) {
                fputc(' ', to);
            } else { /* U+2800 + dots in UTF-8 */
                fprintf(to, "\xe2%c%c", 0xa0 | dots >> 6, 0x80 | (dots & 0x3f));
            }
        }
        fputc('\n', to);
    }
}

void
island_picture(const struct island_entry *islands, uint32_t count, uint32_t columns, uint32_t lines,
               FILE *to)
{
    CHECK(count > 0 && columns > 0 && lines > 0);
    struct rectangle all = island_rectangle(islands[0].island);
    for (uint32_t n = 1; n < count; n++) {
        struct rectangle box = island_rectangle(islands[n].island);
        all = (struct rectangle){.west_mm = fmin(all.west_mm, box.west_mm),
                                 .south_mm = fmin(all.south_mm, box.south_mm),
                                 .east_mm = fmax(all.east_mm, box.east_mm),
                                 .north_mm = fmax(all.north_mm, box.north_mm)};
    }
    double wide_mm = all.east_mm - all.west_mm, high_mm = all.north_mm - all.south_mm;
    struct sheet s = {.west_mm = all.west_mm, .north_mm = all.north_mm};
    s.dot_mm = fmax(wide_mm / (columns * DOTS_WIDE), high_mm / (lines * DOTS_HIGH));
    s.columns = (uint32_t)fmin(columns, floor(wide_mm / (s.dot_mm * DOTS_WIDE)) + 1);
    s.lines = (uint32_t)fmin(lines, floor(high_mm / (s.dot_mm * DOTS_HIGH)) + 1);
    s.letters = calloc((size_t)s.columns * s.lines, 1);
    s.harbours = calloc((size_t)s.columns * s.lines, 1);
    CHECK(s.letters && s.harbours);
    for (uint32_t n = 0; n < count; n++) {
        sheet_island(&s, islands[n].island);
    }
    sheet_print(&s, to);
    free(s.letters);
    free(s.harbours);
}
