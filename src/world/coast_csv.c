/* Reading a coast CSV: rows to rings. Every field is checked; numbers are read as decimals to the
 * millimetre, without a detour by floating point. */
#include "base/check.h"
#include "base/map.h"
#include "world/coast_ring.h"
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 32

enum column { COLUMN_ISLAND, COLUMN_SEQ, COLUMN_X, COLUMN_Y, COLUMN_COUNT };

static const char *const column_names[COLUMN_COUNT] = {"island", "seq", "x_m", "y_m"};

struct csv {
    struct slice left; /* of the file */
    uint32_t row;
    uint32_t fields_in_header;
    uint32_t column_at[COLUMN_COUNT];
    struct coast_rings *out;
    struct coast *faults;
    struct map rings_by_number; /* number + 1 -> index */
    struct coast_ring *open;    /* the ring whose rows are read; borrowed from out */
    int64_t last_seq;           /* of it */
};

static bool
next_line(struct csv *csv, struct slice *line)
{
    if (csv->left.bytes == 0) {
        return false;
    }
    const uint8_t *end = memchr(csv->left.at, '\n', csv->left.bytes);
    size_t bytes = end ? (size_t)(end - csv->left.at) : csv->left.bytes;
    *line = (struct slice){.at = csv->left.at, .bytes = bytes};
    size_t taken = end ? bytes + 1 : bytes;
    csv->left = (struct slice){.at = csv->left.at + taken, .bytes = csv->left.bytes - taken};
    if (line->bytes > 0 && line->at[line->bytes - 1] == '\r') {
        line->bytes--;
    }
    csv->row++;
    return true;
}

/* Splits at commas; more than FIELDS_MAX are counted but not kept. */
static uint32_t
split(struct slice line, struct slice fields[FIELDS_MAX])
{
    uint32_t count = 0;
    const uint8_t *at = line.at, *end = line.at + line.bytes;

    for (;;) {
        const uint8_t *comma = memchr(at, ',', (size_t)(end - at));
        const uint8_t *stop = comma ? comma : end;
        if (count < FIELDS_MAX) {
            fields[count] = (struct slice){.at = at, .bytes = (size_t)(stop - at)};
        }
        count++;
        if (!comma) {
            return count;
        }
        at = comma + 1;
    }
}

static bool
slice_is(struct slice s, const char *text)
{
    return s.bytes == strlen(text) && memcmp(s.at, text, s.bytes) == 0;
}

static bool
read_header(struct csv *csv)
{
    static const uint8_t byte_order_mark[3] = {0xef, 0xbb, 0xbf};
    struct slice line = {0}, fields[FIELDS_MAX];

    if (csv->left.bytes >= 3 && memcmp(csv->left.at, byte_order_mark, 3) == 0) {
        csv->left = (struct slice){.at = csv->left.at + 3, .bytes = csv->left.bytes - 3};
    }
    if (!next_line(csv, &line)) {
        coast_fault_add(csv->faults, 0,
                        "the file is empty; it needs a header island,seq,x_m,y_m and rows");
        return false;
    }
    csv->fields_in_header = split(line, fields);
    if (csv->fields_in_header > FIELDS_MAX) {
        coast_fault_add(csv->faults, 1, "more than %d columns; keep island,seq,x_m,y_m",
                        FIELDS_MAX);
        return false;
    }
    for (uint32_t column = 0; column < COLUMN_COUNT; column++) {
        uint32_t at = 0;
        while (at < csv->fields_in_header && !slice_is(fields[at], column_names[column])) {
            at++;
        }
        if (at == csv->fields_in_header) {
            coast_fault_add(csv->faults, 1,
                            "no column %s; the first line must name island,seq,x_m,y_m",
                            column_names[column]);
            return false;
        }
        csv->column_at[column] = at;
    }
    return true;
}

/* A plain decimal in thousandths, rounded half away from zero. False: not one, or beyond +-limit.
 */
static bool
read_thousandths(struct slice text, int64_t limit, int64_t *out)
{
    size_t n = 0, digits = 0, places = 0;
    bool negative = false, round_up = false;
    int64_t v = 0;

    if (n < text.bytes && (text.at[n] == '-' || text.at[n] == '+')) {
        negative = text.at[n++] == '-';
    }
    for (; n < text.bytes && text.at[n] >= '0' && text.at[n] <= '9'; n++, digits++) {
        v = v * 10 + (text.at[n] - '0');
        if (v > limit) {
            return false;
        }
    }
    if (n < text.bytes && text.at[n] == '.') {
        n++;
        for (; n < text.bytes && text.at[n] >= '0' && text.at[n] <= '9'; n++, digits++, places++) {
            if (places < 3) {
                v = v * 10 + (text.at[n] - '0');
            } else if (places == 3) {
                round_up = text.at[n] >= '5';
            }
        }
    }
    for (; places < 3; places++) {
        v *= 10;
    }
    v += round_up;
    *out = negative ? -v : v;
    return n == text.bytes && digits > 0 && v <= limit;
}

/* A whole number 0 .. limit. */
static bool
read_whole(struct slice text, int64_t limit, int64_t *out)
{
    int64_t v = 0;

    for (size_t n = 0; n < text.bytes; n++) {
        if (text.at[n] < '0' || text.at[n] > '9') {
            return false;
        }
        v = v * 10 + (text.at[n] - '0');
        if (v > limit) {
            return false;
        }
    }
    *out = v;
    return text.bytes > 0;
}

static void
refuse(struct csv *csv)
{
    if (csv->open) {
        csv->open->refused = true;
    }
}

/* Begins the ring of another island. False: there is no room for it. */
static bool
begin_ring(struct csv *csv, uint32_t number)
{
    struct coast_rings *out = csv->out;

    uint32_t before = map_get(&csv->rings_by_number, (uint64_t)number + 1);
    if (before == MAP_NONE && out->count == COAST_ISLANDS_MAX) {
        coast_fault_add(csv->faults, csv->row, "more than %d islands; split the file",
                        COAST_ISLANDS_MAX);
        return false;
    }
    if (before != MAP_NONE) { /* what was read of it is only a part: it is refused as a whole */
        csv->open = &out->rings[before];
        refuse(csv);
        coast_fault_add(
            csv->faults, csv->row,
            "island %u began in row %u and goes on here; keep the rows of an island together",
            number, csv->open->row);
        return true;
    }
    if (out->count == out->room) {
        out->room = out->room > 0 ? out->room * 2 : 64;
        out->rings = coast_more(out->rings, out->room, sizeof *out->rings);
    }
    enum err error = map_put(&csv->rings_by_number, (uint64_t)number + 1, out->count);
    CHECK(error == OK);
    csv->open = &out->rings[out->count++];
    *csv->open = (struct coast_ring){.number = number, .row = csv->row};
    csv->last_seq = -1;
    return true;
}

static bool
add_vertex(struct csv *csv, struct coast_vertex vertex)
{
    struct coast_rings *out = csv->out;

    if (out->vertex_count == COAST_VERTICES_MAX) {
        coast_fault_add(csv->faults, csv->row, "more than %u vertices; split the file",
                        COAST_VERTICES_MAX);
        refuse(csv);
        return false;
    }
    if (out->vertex_count == out->vertex_room) {
        out->vertex_room = out->vertex_room > 0 ? out->vertex_room * 2 : 1024;
        out->vertices = coast_more(out->vertices, out->vertex_room, sizeof *out->vertices);
    }
    out->vertices[out->vertex_count++] = vertex;
    csv->open->count++;
    return true;
}

/* The place in a row's fields. False: a fault was noted. */
static bool
read_place(struct csv *csv, const struct slice *fields, struct coast_vertex *out)
{
    int64_t x_mm, y_mm;

    for (uint32_t column = COLUMN_X; column <= COLUMN_Y; column++) {
        int64_t *to = column == COLUMN_X ? &x_mm : &y_mm;
        if (!read_thousandths(fields[csv->column_at[column]], INT32_MAX, to)) {
            coast_fault_add(
                csv->faults, csv->row,
                "%s is not a number of metres within +-2147483; write it as a plain decimal",
                column_names[column]);
            return false;
        }
    }
    *out = (struct coast_vertex){.x_mm = (int32_t)x_mm, .y_mm = (int32_t)y_mm, .row = csv->row};
    return true;
}

/* One row. False: reading ends here. A wrong row refuses the island in whose block it stands. */
static bool
read_row(struct csv *csv, struct slice line)
{
    struct slice fields[FIELDS_MAX];
    struct coast_vertex vertex;
    int64_t number, seq;

    uint32_t count = split(line, fields);
    if (count != csv->fields_in_header) {
        coast_fault_add(csv->faults, csv->row,
                        "%u fields where the header has %u; complete the row", count,
                        csv->fields_in_header);
        refuse(csv);
        return true;
    }
    if (!read_whole(fields[csv->column_at[COLUMN_ISLAND]], UINT32_MAX - 1, &number)) {
        coast_fault_add(csv->faults, csv->row,
                        "island is not a whole number from 0 up; number the islands");
        refuse(csv);
        return true;
    }
    if (!csv->open || csv->open->number != number) {
        if (!begin_ring(csv, (uint32_t)number)) {
            return false;
        }
    }
    if (csv->open->refused) {
        return true; /* one fault an island is enough */
    }
    bool seq_ok = read_whole(fields[csv->column_at[COLUMN_SEQ]], UINT32_MAX, &seq);
    if (!seq_ok || (seq != csv->last_seq + 1 && !(csv->open->count == 0 && seq == 1))) {
        coast_fault_add(csv->faults, csv->row,
                        "seq should be %lld; rows are missing or out of order",
                        (long long)csv->last_seq + 1);
        refuse(csv);
        return true;
    }
    csv->last_seq = seq;
    if (!read_place(csv, fields, &vertex)) {
        refuse(csv);
        return true;
    }
    return add_vertex(csv, vertex);
}

void
coast_csv_read(struct slice file, struct coast_rings *out, struct coast *faults)
{
    struct csv csv = {.left = file, .out = out, .faults = faults};
    struct slice line;

    *out = (struct coast_rings){0};
    map_init(&csv.rings_by_number, COAST_ISLANDS_MAX, 0);
    if (read_header(&csv)) {
        while (next_line(&csv, &line)) {
            if (line.bytes > 0 && !read_row(&csv, line)) {
                break;
            }
        }
    }
    map_fini(&csv.rings_by_number);

    uint32_t first = 0;
    for (uint32_t n = 0; n < out->count; n++) { /* only now do the vertices stand still */
        out->rings[n].vertices = out->rings[n].count > 0 ? out->vertices + first : NULL;
        first += out->rings[n].count;
    }
    CHECK(first == out->vertex_count);
}

void
coast_rings_fini(struct coast_rings *rings)
{
    free(rings->rings);
    free(rings->vertices);
    *rings = (struct coast_rings){0};
}
