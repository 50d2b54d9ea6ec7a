#include "base/rand.h"
#include "wire/little.h"
#include "world/island.h"
#include "world/island_format.h"
#include "world/island_make.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <cmocka.h>

/* An island drawn at random, and the picture it was drawn from. */
struct sketch {
    uint32_t columns, rows;
    struct chunk_mask *chunks; /* owned */
    struct island_file file;   /* owned */
    struct island *island;     /* owned */
};

static bool
sketch_land(const struct sketch *s, int32_t column, int32_t row)
{
    if (column < 0 || row < 0 || column >= (int32_t)s->columns * CHUNK_TILES ||
        row >= (int32_t)s->rows * CHUNK_TILES) {
        return false;
    }
    const struct chunk_mask *c =
        &s->chunks[(uint32_t)row / CHUNK_TILES * s->columns + (uint32_t)column / CHUNK_TILES];
    return c->rows[row % CHUNK_TILES] >> (column % CHUNK_TILES) & 1;
}

static void
sketch_make(struct sketch *s)
{
    struct island_plan plan = {.id = 7,
                               .name = {.at = (const uint8_t *)"Bigeumdo 비금도", .bytes = 18},
                               .anchor_m = {-5, 12345},
                               .columns = s->columns,
                               .rows = s->rows};
    const struct place ring[3] = {{0, 0}, {90000, 1000}, {-4, 70000}};
    struct island_draft *d = NULL;

    assert_int_equal(island_draft_open(&plan, &d), OK);
    for (uint32_t row = 0; row < s->rows; row++) {
        island_draft_row(d, s->chunks + row * s->columns);
    }
    assert_int_equal(island_draft_ring(d, ring, 3), OK);
    assert_int_equal(island_draft_ring(d, ring, 3), OK);
    assert_int_equal(island_draft_finish(&d, &s->file), OK);
    assert_null(d);
    assert_int_equal(island_open(island_file_slice(&s->file), &s->island), OK);
}

/* Whole chunks of land and of sea, and between them chunks with a random tile pattern; more than
 * one group of ranks. */
static void
sketch_init(struct sketch *s, struct rand *r, uint32_t columns, uint32_t rows)
{
    *s = (struct sketch){.columns = columns, .rows = rows};
    s->chunks = calloc((size_t)columns * rows, sizeof *s->chunks);
    assert_non_null(s->chunks);
    for (uint32_t n = 0; n < columns * rows; n++) {
        uint32_t kind = rand_below(r, 8);
        for (uint32_t k = 0; k < CHUNK_TILES; k++) {
            uint16_t wild = (uint16_t)(rand_next(r) | rand_next(r) | rand_next(r));
            s->chunks[n].rows[k] = kind < 4 ? UINT16_MAX : kind == 4 ? 0 : wild;
        }
    }
    s->chunks[0].rows[3] = 8;
    sketch_make(s);
}

static void
sketch_fini(struct sketch *s)
{
    island_close(&s->island);
    island_file_free(&s->file);
    free(s->chunks);
}

static void
test_facts(void **state)
{
    (void)state;
    struct rand r;
    struct sketch s;
    rand_seed(&r, 1);
    sketch_init(&s, &r, 37, 19);

    const struct island *i = s.island;
    assert_int_equal(island_id(i), 7);
    assert_string_equal(island_name(i), "Bigeumdo 비금도");
    assert_int_equal(island_anchor_m(i).x_mm, -5);
    assert_int_equal(island_anchor_m(i).y_mm, 12345);
    assert_int_equal(island_columns(i), 37);
    assert_int_equal(island_rows(i), 19);
    assert_int_equal(island_ring_count(i), 2);
    assert_int_equal(island_ring_vertices(i, 1), 3);
    assert_int_equal(island_ring_at(i, 1, 1).x_mm, 90000);
    assert_int_equal(island_ring_at(i, 1, 2).x_mm, -4);
    assert_in_range(island_memory_bytes(i), s.file.bytes, s.file.bytes + 512);

    uint64_t tiles = 0;
    for (int32_t row = -1; row <= (int32_t)s.rows * CHUNK_TILES; row++) {
        for (int32_t column = -1; column <= (int32_t)s.columns * CHUNK_TILES; column++) {
            struct place at = {column * TILE_MM + 1874, row * TILE_MM};
            assert_int_equal(island_is_land(i, at), sketch_land(&s, column, row));
            tiles += sketch_land(&s, column, row);
        }
    }
    assert_int_equal(island_land_tiles(i), tiles);
    assert_true(island_is_land(i, island_harbour(i)));
    assert_int_equal(island_chunk(i, -1, 0), CHUNK_SEA);
    assert_int_equal(island_chunk(i, 0, 19), CHUNK_SEA);
    assert_int_equal(island_chunk(i, 0, 0), CHUNK_SHORE);
    assert_false(island_is_land(i, (struct place){INT32_MIN, INT32_MAX}));
    sketch_fini(&s);
}

static struct motion
random_motion(struct rand *r, const struct sketch *s)
{
    uint32_t fast = rand_below(r, 4) == 0 ? 32767 : 4000;
    return (struct motion){
        .x_mm = (int32_t)rand_below(r, s->columns * CHUNK_MM + 2000) - 1000,
        .y_mm = (int32_t)rand_below(r, s->rows * CHUNK_MM + 2000) - 1000,
        .vx =
            (int16_t)(rand_below(r, 5) == 0 ? 0 : (int32_t)rand_below(r, 2 * fast) - (int32_t)fast),
        .vy =
            (int16_t)(rand_below(r, 5) == 0 ? 0 : (int32_t)rand_below(r, 2 * fast) - (int32_t)fast),
        .since_ms = (int64_t)rand_below(r, 1u << 30),
        .lasts_ms =
            (uint16_t)rand_below(r, 4) == 0 ? 65535 : (uint16_t)rand_below(r, MOTION_LASTS_MS_MAX),
    };
}

static void
test_dry_is_exact(void **state)
{
    (void)state;
    struct rand r;
    struct sketch s;
    uint32_t wet = 0, never_wet = 0, started_wet = 0;
    rand_seed(&r, 2);
    sketch_init(&s, &r, 12, 9);

    for (uint32_t round = 0; round < 3000; round++) {
        struct motion m = random_motion(&r, &s);
        uint16_t dry = island_dry_ms(s.island, &m);
        assert_in_range(dry, 0, m.lasts_ms);
        if (!island_is_land(s.island, motion_at(&m, m.since_ms))) {
            assert_int_equal(dry, 0);
            started_wet++;
            continue;
        }
        for (uint32_t ms = 0; ms <= dry; ms++) {
            assert_true(island_is_land(s.island, motion_at(&m, m.since_ms + ms)));
        }
        if (dry < m.lasts_ms) {
            assert_false(island_is_land(s.island, motion_at(&m, m.since_ms + dry + 1)));
            wet++;
        } else {
            never_wet++;
        }
    }
    assert_true(wet > 500 && never_wet > 50 && started_wet > 100);
    sketch_fini(&s);
}

/* Does a + t (b - a), 0 <= t <= 1, meet the half-open tile? In fractions of the two distances, so
 * without rounding: the moments inside each strip form an interval; they must have one in common.
 */
struct span {
    int64_t from, to, whole; /* of the way; whole > 0 */
    bool from_open, to_open, empty;
};

static struct span
strip_span(int32_t a, int32_t b, int32_t low, int32_t high)
{
    int64_t d = (int64_t)b - a;
    if (d == 0) {
        return (struct span){.to = 1, .whole = 1, .empty = a < low || a >= high};
    }
    if (d > 0) { /* a + t d >= low, < high */
        return (struct span){.from = low - a, .to = high - a, .whole = d, .to_open = true};
    }
    return (struct span){.from = a - high, .to = a - low, .whole = -d, .from_open = true};
}

static bool
spans_meet(struct span p, struct span q)
{
    if (p.empty || q.empty) {
        return false;
    }
    int64_t both = p.whole * q.whole;
    int64_t p_from = p.from * q.whole, p_to = p.to * q.whole;
    int64_t q_from = q.from * p.whole, q_to = q.to * p.whole;
    int64_t from = p_from > q_from ? p_from : q_from, to = p_to < q_to ? p_to : q_to;
    bool from_open = (p.from_open && p_from == from) || (q.from_open && q_from == from);
    bool to_open = (p.to_open && p_to == to) || (q.to_open && q_to == to);
    if (from < 0) {
        from = 0;
        from_open = false;
    }
    if (to > both) {
        to = both;
        to_open = false;
    }
    return from < to || (from == to && !from_open && !to_open);
}

static bool
path_is_dry_naive(const struct sketch *s, struct place a, struct place b)
{
    int32_t x0 = (a.x_mm < b.x_mm ? a.x_mm : b.x_mm) / TILE_MM - 1;
    int32_t x1 = (a.x_mm < b.x_mm ? b.x_mm : a.x_mm) / TILE_MM + 1;
    int32_t y0 = (a.y_mm < b.y_mm ? a.y_mm : b.y_mm) / TILE_MM - 1;
    int32_t y1 = (a.y_mm < b.y_mm ? b.y_mm : a.y_mm) / TILE_MM + 1;

    for (int32_t row = y0; row <= y1; row++) {
        for (int32_t column = x0; column <= x1; column++) {
            struct span x = strip_span(a.x_mm, b.x_mm, column * TILE_MM, (column + 1) * TILE_MM);
            struct span y = strip_span(a.y_mm, b.y_mm, row * TILE_MM, (row + 1) * TILE_MM);
            if (!sketch_land(s, column, row) && spans_meet(x, y)) {
                return false;
            }
        }
    }
    return true;
}

static void
test_path_is_exact(void **state)
{
    (void)state;
    struct rand r;
    struct sketch s;
    uint32_t dry = 0, wet = 0, corners = 0;
    rand_seed(&r, 3);
    sketch_init(&s, &r, 8, 8);

    for (uint32_t round = 0; round < 40000; round++) {
        struct place a = {(int32_t)rand_below(&r, 8 * CHUNK_MM),
                          (int32_t)rand_below(&r, 8 * CHUNK_MM)};
        int32_t reach = (int32_t)(rand_below(&r, 2) ? 3 * TILE_MM : 2 * CHUNK_MM);
        struct place b = {a.x_mm + (int32_t)rand_below(&r, 2 * (uint32_t)reach) - reach,
                          a.y_mm + (int32_t)rand_below(&r, 2 * (uint32_t)reach) - reach};
        if (rand_below(&r, 2)) { /* through the corners of tiles, where an error would hide */
            a.x_mm -= a.x_mm % TILE_MM;
            a.y_mm -= a.y_mm % TILE_MM;
            int32_t d = ((int32_t)rand_below(&r, 9) - 4) * TILE_MM;
            b = (struct place){a.x_mm + d, a.y_mm + (rand_below(&r, 2) ? d : -d)};
            corners++;
        }
        bool expected = path_is_dry_naive(&s, a, b);
        assert_int_equal(island_path_is_dry(s.island, a, b), expected);
        dry += expected;
        wet += !expected;
    }
    assert_true(dry > 2000 && wet > 2000 && corners > 2000);
    sketch_fini(&s);
}

static void
test_spawn(void **state)
{
    (void)state;
    struct rand r;
    struct sketch s;
    rand_seed(&r, 4);
    sketch_init(&s, &r, 10, 10);

    struct place harbour = island_harbour(s.island), first = island_spawn(s.island, 0);
    assert_memory_equal(&first, &harbour, sizeof first);
    struct place places[600];
    for (uint32_t n = 0; n < 600; n++) {
        places[n] = island_spawn(s.island, n);
        assert_true(island_is_land(s.island, places[n]));
        for (uint32_t k = 0; k < n; k++) {
            assert_memory_not_equal(&places[n], &places[k], sizeof places[n]);
        }
    }
    assert_true(island_is_land(s.island, island_spawn(s.island, UINT32_MAX)));
    sketch_fini(&s);
}

/* One tile of land: everything starts there. */
static void
test_smallest(void **state)
{
    (void)state;
    struct sketch s = {.columns = 1, .rows = 1, .chunks = calloc(1, sizeof *s.chunks)};
    assert_non_null(s.chunks);
    s.chunks[0].rows[15] = 0x8000;
    sketch_make(&s);

    assert_int_equal(island_land_tiles(s.island), 1);
    struct place here = {15 * TILE_MM + TILE_MM / 2, 15 * TILE_MM + TILE_MM / 2};
    for (uint32_t n = 0; n < 5; n++) {
        struct place at = island_spawn(s.island, n);
        assert_memory_equal(&at, &here, sizeof at);
    }
    struct motion off = {.x_mm = 29999, .y_mm = 29999, .vx = 1, .vy = 0, .lasts_ms = 10000};
    assert_int_equal(island_dry_ms(s.island, &off), 499); /* 1 mm after 500 ms */
    sketch_fini(&s);
}

static void
test_plain(void **state)
{
    (void)state;
    const int32_t sides[] = {8160000, 30000, 1875, 31875, 100000};

    for (uint32_t n = 0; n < sizeof sides / sizeof *sides; n++) {
        struct island_file file = {0};
        struct island *i = NULL;
        int32_t side = sides[n] / TILE_MM * TILE_MM;
        assert_int_equal(island_make_plain(3, sides[n], &file), OK);
        assert_int_equal(island_open(island_file_slice(&file), &i), OK);
        uint64_t tiles = (uint64_t)(sides[n] / TILE_MM);
        assert_int_equal(island_land_tiles(i), tiles * tiles);
        assert_true(island_is_land(i, (struct place){side - 1, side - 1}));
        assert_false(island_is_land(i, (struct place){side, side - 1}));
        assert_int_equal(island_ring_at(i, 0, 2).x_mm, side);
        assert_true(
            island_path_is_dry(i, (struct place){0, 0}, (struct place){side - 1, side - 1}));
        assert_true(
            island_path_is_dry(i, (struct place){0, side - 1}, (struct place){side - 1, 0}));
        assert_false(island_path_is_dry(i, (struct place){0, 0}, (struct place){side, side - 1}));
        island_close(&i);
        island_file_free(&file);
    }
    struct island_file none = {0};
    assert_int_equal(island_make_plain(3, TILE_MM - 1, &none), ERR_RANGE);
    assert_int_equal(island_make_plain(0, 30000, &none), ERR_RANGE);
}

static void
test_no_land(void **state)
{
    (void)state;
    struct island_plan plan = {.id = 1, .columns = 1, .rows = 1};
    struct chunk_mask sea = {0};
    struct island_draft *d = NULL;
    struct island_file file = {0};

    assert_int_equal(island_draft_open(&plan, &d), OK);
    island_draft_row(d, &sea);
    assert_int_equal(island_draft_finish(&d, &file), ERR_NOT_FOUND);
    assert_null(d);
    plan.name = (struct slice){.at = (const uint8_t *)"a\nb", .bytes = 3};
    assert_int_equal(island_draft_open(&plan, &d), ERR_FORMAT);
}

static enum err
open_error(const uint8_t *at, size_t bytes)
{
    struct island *i = NULL;
    enum err error = island_open((struct slice){.at = at, .bytes = bytes}, &i);
    if (error == OK) {
        island_close(&i);
    }
    return error;
}

/* Every flipped bit is named as damage, every cut as a cut; only a whole file of a higher format as
 * newer. */
static void
test_damage(void **state)
{
    (void)state;
    struct rand r;
    struct sketch s;
    rand_seed(&r, 5);
    sketch_init(&s, &r, 3, 2);
    uint8_t *copy = malloc(s.file.bytes + 1);
    assert_non_null(copy);
    memcpy(copy, s.file.at, s.file.bytes);
    copy[s.file.bytes] = 0;

    for (size_t bit = 0; bit < s.file.bytes * 8; bit++) {
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum err error = open_error(copy, s.file.bytes);
        bool in_size =
            bit / 8 >= 16 && bit / 8 < 24; /* a larger file_bytes looks like a cut file */
        assert_true(error == ERR_FORMAT || (in_size && error == ERR_SHORT));
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bytes = 0; bytes < s.file.bytes; bytes++) {
        assert_int_equal(open_error(copy, bytes), ERR_SHORT);
    }
    assert_int_equal(open_error(copy, s.file.bytes + 1), ERR_FORMAT);

    store_u32(copy + 8, ISLAND_FORMAT + 1);
    store_u64(copy + s.file.bytes - 8, XXH3_64bits(copy, s.file.bytes - 8));
    assert_int_equal(open_error(copy, s.file.bytes), ERR_NEWER);
    free(copy);
    sketch_fini(&s);
}

/* A well-sealed file can still lie: each of these must be found without the checksum's help. */
static void
test_lies(void **state)
{
    (void)state;
    struct rand r;
    struct sketch s;
    rand_seed(&r, 6);
    sketch_init(&s, &r, 20, 20);
    struct island_head head = {
        .columns = 20, .rows = 20, .name_bytes = 18, .rings = 2, .vertices = 6};
    head.shore_chunks = load_u32(s.file.at + 48);
    struct island_layout l = island_layout_of(&head);
    assert_int_equal(l.file_bytes, s.file.bytes);

    const struct {
        size_t at;
        uint8_t flip;
    } lies[] = {
        {12, 7},                      /* id 0 */
        {24 + 8, 0xff},               /* harbour elsewhere: checked below to be sea */
        {48, 1},                      /* shore chunks */
        {52, 1},                      /* land chunks */
        {56, 1},                      /* land tiles */
        {l.classes, 1},               /* a class of chunk 0 (shore, 10) becomes 11 */
        {l.classes + 100, 1},         /* behind the last chunk, 20 x 20 / 4 = 100 */
        {l.ranks + 4, 1},             /* a rank */
        {l.ring_ends, 1},             /* a ring of two vertices */
        {l.name, 0x80 | 0x40 | 0x20}, /* not UTF-8 */
    };

    for (uint32_t n = 0; n < sizeof lies / sizeof *lies; n++) {
        uint8_t *copy = malloc(s.file.bytes);
        assert_non_null(copy);
        memcpy(copy, s.file.at, s.file.bytes);
        copy[lies[n].at] ^= lies[n].flip;
        if (n == 1) { /* the harbour outside of the island */
            store_u32(copy + 32, (uint32_t)-1);
        }
        store_u64(copy + s.file.bytes - 8, XXH3_64bits(copy, s.file.bytes - 8));
        assert_int_equal(open_error(copy, s.file.bytes), ERR_FORMAT);
        free(copy);
    }
    assert_int_equal(open_error(s.file.at, s.file.bytes), OK);
    sketch_fini(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),         cmocka_unit_test(test_dry_is_exact),
        cmocka_unit_test(test_path_is_exact), cmocka_unit_test(test_spawn),
        cmocka_unit_test(test_smallest),      cmocka_unit_test(test_plain),
        cmocka_unit_test(test_no_land),       cmocka_unit_test(test_damage),
        cmocka_unit_test(test_lies),
    };
    return cmocka_run_group_tests_name("island", tests, NULL, NULL);
}
