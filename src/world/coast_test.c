#include "base/rand.h"
#include "world/coast.h"
#include "worlds/shipped_coast.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEADER  "island,seq,lon,lat,x_m,y_m\n"
#define TILE_M2 (TILE_MM / 1000.0 * TILE_MM / 1000.0)

static struct slice
text_slice(const char *text)
{
    return (struct slice){.at = (const uint8_t *)text, .bytes = strlen(text)};
}

static struct coast
import(struct slice csv)
{
    struct coast coast;
    coast_import(&(struct coast_source){.csv = csv}, &coast);
    return coast;
}

static struct island *
open_island(const struct coast_island *made)
{
    struct island *island = NULL;
    assert_int_equal(island_open(island_file_slice(&made->file), &island), OK);
    return island;
}

/* One ring as rows of CSV behind what is already in text. */
static void
add_ring(char *text, size_t text_bytes, uint32_t number, const double (*corners)[2], uint32_t count)
{
    for (uint32_t n = 0; n < count; n++) {
        size_t used = strlen(text);
        snprintf(text + used, text_bytes - used, "%u,%u,126.5,34.5,%.3f,%.3f\n", number, n,
                 corners[n][0], corners[n][1]);
    }
}

/* A file of real or shipped coast: nothing lost, nothing refused, and as much land as the rings
 * enclose. */
static void
check_coast(const char *name, struct slice csv)
{
    struct coast coast = import(csv);
    uint32_t large = 0, smallest_tiles = UINT32_MAX;
    uint64_t files = 0, memory = 0;
    double worst = 0;

    assert_int_equal(coast.fault_count, 0);
    assert_int_equal(coast.refused_count, 0);
    for (uint32_t n = 0; n < coast.count; n++) {
        const struct coast_island *made = &coast.islands[n];
        struct island *island = open_island(made);
        assert_int_equal(island_id(island), n + 1);
        assert_int_equal(island_land_tiles(island), made->land_tiles);
        assert_true(made->land_tiles >= 1);
        if (made->land_tiles < smallest_tiles) {
            smallest_tiles = (uint32_t)made->land_tiles;
        }
        if (made->area_m2 > 1e6) {
            double off = fabs((double)made->land_tiles * TILE_M2 / made->area_m2 - 1);
            worst = off > worst ? off : worst;
            large++;
        }
        files += made->file.bytes;
        memory += island_memory_bytes(island);
        island_close(&island);
    }
    assert_true(worst < 0.02);
    assert_true(memory <
                files + (uint64_t)coast.count * 512); /* opened, they cost what their files cost */
    print_message("# %s: %u islands, %u over 1 km2 at most %.4f %% off, smallest %u tiles, files "
                  "%llu B, opened %llu B\n",
                  name, coast.count, large, worst * 100, smallest_tiles, (unsigned long long)files,
                  (unsigned long long)memory);
    coast_fini(&coast);
}

static void
test_shipped(void **state)
{
    (void)state;
    struct coast coast = import(shipped_coast);
    assert_int_equal(coast.count, 33);
    coast_fini(&coast);
    check_coast("shipped", shipped_coast);
}

static bool
check_file(const char *name, uint32_t islands)
{
    const char *data = getenv("SEOM_DATA");
    char path[512];
    snprintf(path, sizeof path, "%s/terrain/%s", data ? data : "", name);
    FILE *file = data ? fopen(path, "rb") : NULL;
    if (!file) {
        return false;
    }
    size_t room = 8u << 20;
    uint8_t *bytes = malloc(room);
    assert_non_null(bytes);
    size_t count = fread(bytes, 1, room, file);
    (void)fclose(file);
    assert_true(count < room);
    struct coast coast = import((struct slice){.at = bytes, .bytes = count});
    assert_int_equal(coast.count, islands);
    coast_fini(&coast);
    check_coast(name, (struct slice){.at = bytes, .bytes = count});
    free(bytes);
    return true;
}

static void
test_real_coasts(void **state)
{
    (void)state;
    uint32_t found = check_file("dadohae_coast.csv", 1058);
    found += check_file("jeju_coast.csv", 66);
    found += check_file("ulleung_coast.csv", 12);
    found += check_file("ne10m_korea_sw_coast.csv", 33);
    if (found == 0) {
        print_message("# skipped: no ../shared/data/terrain\n");
        skip();
    }
}

/* Every tile against a naive point-in-polygon test of its middle, for wild star-shaped rings in
 * both directions. */
static void
test_fill_is_exact(void **state)
{
    (void)state;
    struct rand r;
    uint64_t land = 0, sea = 0;
    rand_seed(&r, 11);
    for (uint32_t draw = 0; draw < 40; draw++) {
        enum { CORNERS = 40 };

        double corners[CORNERS][2];
        char text[8192] = HEADER;
        bool clockwise = draw % 2;
        for (uint32_t n = 0; n < CORNERS; n++) {
            double angle = 2 * 3.14159265358979 * n / CORNERS * (clockwise ? -1 : 1);
            double radius = 20 + 100 * rand_unit(&r);
            corners[n][0] = round((1000 + radius * cos(angle)) * 1000) / 1000;
            corners[n][1] = round((-2000 + radius * sin(angle)) * 1000) / 1000;
        }
        add_ring(text, sizeof text, 5, (const double(*)[2])corners, CORNERS);
        struct coast coast = import(text_slice(text));
        assert_int_equal(coast.count, 1);
        assert_int_equal(coast.fault_count, 0);
        struct island *island = open_island(&coast.islands[0]);
        struct place anchor = island_anchor_m(island);
        for (int32_t row = 0; row < island_rows(island) * CHUNK_TILES; row++) {
            for (int32_t column = 0; column < island_columns(island) * CHUNK_TILES; column++) {
                double x = anchor.x_mm + (column + 0.5) * TILE_MM / 1000,
                       y = anchor.y_mm + (row + 0.5) * TILE_MM / 1000;
                bool inside = false;
                for (uint32_t n = 0, k = CORNERS - 1; n < CORNERS; k = n++) {
                    const double *a = corners[n], *b = corners[k];
                    if ((a[1] > y) != (b[1] > y) &&
                        x < (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + a[0]) {
                        inside = !inside;
                    }
                }
                bool is_land =
                    island_is_land(island, (struct place){column * TILE_MM, row * TILE_MM});
                assert_int_equal(is_land, inside);
                land += inside;
                sea += !inside;
            }
        }
        island_close(&island);
        coast_fini(&coast);
    }
    assert_true(land > 10000 && sea > 10000);
}

/* Two islands that share a coast share no tile and lose none, also where it runs through the
 * middles of tiles: those are the eastern one's. */
static void
test_shared_coast(void **state)
{
    (void)state;
    const double south_east[3][2] = {{0, 0}, {60, 0}, {60, 60}};
    const double north_west[3][2] = {{0, 0}, {60, 60}, {0, 60}};
    char text[1024] = HEADER;
    add_ring(text, sizeof text, 0, south_east, 3);
    add_ring(text, sizeof text, 1, north_west, 3);

    struct coast coast = import(text_slice(text));
    assert_int_equal(coast.count, 2);
    assert_int_equal(coast.islands[0].land_tiles, 32 * 33 / 2);
    assert_int_equal(coast.islands[1].land_tiles, 32 * 31 / 2);
    struct island *east = open_island(&coast.islands[0]), *west = open_island(&coast.islands[1]);
    for (int32_t tile = 0; tile < 32 * 32; tile++) {
        struct place at = {.x_mm = tile % 32 * TILE_MM, .y_mm = tile / 32 * TILE_MM};
        assert_int_equal(island_is_land(east, at) + island_is_land(west, at), 1);
    }
    island_close(&east);
    island_close(&west);
    coast_fini(&coast);
}

/* Smaller than a tile, or between the middles of four. */
static void
test_tiny_keeps_a_tile(void **state)
{
    (void)state;
    const double speck[3][2] = {{10, 10}, {10.3, 10}, {10, 10.3}};
    const double sliver[4][2] = {{50, 50}, {350, 50}, {350, 50.2}, {50, 50.2}};
    char text[1024] = HEADER;
    add_ring(text, sizeof text, 0, speck, 3);
    add_ring(text, sizeof text, 1, sliver, 4);

    struct coast coast = import(text_slice(text));
    assert_int_equal(coast.count, 2);
    assert_int_equal(coast.islands[0].land_tiles, 1);
    assert_int_equal(coast.islands[1].land_tiles, 1);
    struct island *island = open_island(&coast.islands[1]);
    assert_true(island_is_land(island, (struct place){150000, 100})); /* under its middle */
    island_close(&island);
    coast_fini(&coast);
}

static void
test_forms_of_a_ring(void **state)
{
    (void)state;
    const double square[4][2] = {{0, 0}, {60, 0}, {60, 60}, {0, 60}};
    const double closed[5][2] = {{0, 0}, {60, 0}, {60, 60}, {0, 60}, {0, 0}};
    const double clockwise[4][2] = {{0, 0}, {0, 60}, {60, 60}, {60, 0}};
    const double repeated[6][2] = {{0, 0}, {0, 0}, {60, 0}, {60, 60}, {60, 60}, {0, 60}};
    const double(*forms[4])[2] = {square, closed, clockwise, repeated};
    const uint32_t counts[4] = {4, 5, 4, 6};
    for (uint32_t n = 0; n < 4; n++) {
        char text[1024] = HEADER;
        add_ring(text, sizeof text, 9, forms[n], counts[n]);
        struct coast coast = import(text_slice(text));
        assert_int_equal(coast.count, 1);
        assert_int_equal(coast.islands[0].land_tiles, 32 * 32);
        assert_true(fabs(coast.islands[0].area_m2 - 3600) < 1e-6);
        struct island *island = open_island(&coast.islands[0]);
        assert_int_equal(island_ring_vertices(island, 0), 4);
        struct place a = island_ring_at(island, 0, 0), b = island_ring_at(island, 0, 1),
                     c = island_ring_at(island, 0, 2);
        int64_t turn = (int64_t)(b.x_mm - a.x_mm) * (c.y_mm - b.y_mm) -
                       (int64_t)(b.y_mm - a.y_mm) * (c.x_mm - b.x_mm);
        assert_true(turn > 0); /* counter-clockwise */
        island_close(&island);
        coast_fini(&coast);
    }
}

/* Two squares that meet in a corner, drawn in one line; a lake whose mouth is a point; a spike. */
static void
test_touching_itself(void **state)
{
    (void)state;
    const double corner[8][2] = {{0, 0},   {30, 0},  {30, 30}, {60, 30},
                                 {60, 60}, {30, 60}, {30, 30}, {0, 30}};
    const double lake[8][2] = {{30, 0}, {60, 0}, {60, 60}, {0, 60},
                               {0, 0},  {30, 0}, {15, 30}, {45, 30}};
    const double spike[6][2] = {{0, 0}, {60, 0}, {90, 0}, {60, 0}, {60, 60}, {0, 60}};
    const double(*forms[3])[2] = {corner, lake, spike};
    const uint32_t counts[3] = {8, 8, 6};
    const double areas[3] = {1800, 3600 - 450, 3600};
    for (uint32_t n = 0; n < 3; n++) {
        char text[1024] = HEADER;
        add_ring(text, sizeof text, 1, forms[n], counts[n]);
        struct coast coast = import(text_slice(text));
        assert_int_equal(coast.fault_count, 0);
        assert_int_equal(coast.count, 1);
        assert_true(fabs((double)coast.islands[0].land_tiles * TILE_M2 - areas[n]) <
                    0.02 * areas[n]);
        coast_fini(&coast);
    }
}

struct bad {
    const char *rows;
    uint32_t row;         /* the fault's */
    const char *mentions; /* in its text */
};

#define GOOD "7,0,1,1,0,0\n7,1,1,1,30,0\n7,2,1,1,0,30\n" /* rows 2 to 4 */

/* What cannot become an island is refused with its row, and the island beside it is made all the
 * same. */
static void
test_refusals(void **state)
{
    (void)state;
    static const struct bad bads[] = {
        {"8,0,1,1,100,0\n8,1,1,1,160,60\n8,2,1,1,160,0\n8,3,1,1,100,60\n", 5, "crosses itself"},
        {"8,0,1,1,0,60\n8,1,1,1,0,0\n8,2,1,1,30,30\n8,3,1,1,90,90\n8,4,1,1,90,-30\n8,5,1,1,30,30\n",
         6, "runs round twice"},
        {"8,0,1,1,0,0\n8,1,1,1,60,0\n8,2,1,1,0,60\n8,3,1,1,0,0\n8,4,1,1,60,0\n8,5,1,1,0,60\n", 10,
         "runs round twice"},
        {"8,0,1,1,0,0\n8,1,1,1,30,0\n", 5, "encloses nothing"},
        {"8,0,1,1,0,0\n8,1,1,1,30,0\n8,2,1,1,0,0\n", 5, "encloses nothing"},
        {"8,0,1,1,0,0\n8,1,1,1,30,30\n8,2,1,1,60,60\n", 5, "encloses nothing"},
        {"8,0,1,1,0,0\n8,1,1,1,nan,0\n8,2,1,1,0,60\n", 6, "x_m is not a number"},
        {"8,0,1,1,0,0\n8,1,1,1,30,\n8,2,1,1,0,60\n", 6, "y_m is not a number"},
        {"8,0,1,1,0,0\n8,1,1,1,3e1,0\n8,2,1,1,0,60\n", 6, "x_m is not a number"},
        {"8,0,1,1,0,0\n8,1,1,1,2147484,0\n8,2,1,1,0,60\n", 6, "x_m is not a number"},
        {"8,0,1,1,0,0\n8,1,1,1,99999999999999999999999,0\n8,2,1,1,0,60\n", 6,
         "x_m is not a number"},
        {"8,0,1,1,-2000000,-2000000\n8,1,1,1,2000000,0\n8,2,1,1,0,2000000\n", 5, "larger than"},
        {"8,0,1,1,0,0\n8,2,1,1,30,0\n8,3,1,1,0,60\n", 6, "seq should be 1"},
        {"8,2,1,1,0,0\n8,3,1,1,30,0\n8,4,1,1,0,60\n", 5, "seq should be 0"},
        {"8,0,1,1,0,0\n8,1,1,1,30,0\n8,1,1,1,0,60\n", 7, "seq should be 2"},
        {"8,0,1,1,0,0\n8,1,1,1,30,0\n8,2,1,1,0\n", 7, "5 fields"},
        {"8,0,1,1,0,0\n8,1,1,1,30,0\n-8,2,1,1,0,60\n", 7, "island is not a whole number"},
    };
    for (uint32_t n = 0; n < sizeof bads / sizeof *bads; n++) {
        char text[1024];
        snprintf(text, sizeof text, HEADER GOOD "%s", bads[n].rows);
        struct coast coast = import(text_slice(text));
        assert_int_equal(coast.fault_count, 1);
        assert_non_null(strstr(coast.faults[0].text, bads[n].mentions));
        assert_int_equal(coast.faults[0].row, bads[n].row);
        assert_int_equal(coast.refused_count, 1);
        assert_int_equal(coast.count, 1);
        assert_int_equal(coast.islands[0].number, 7);
        coast_fini(&coast);
    }
}

static void
test_refused_files(void **state)
{
    (void)state;

    const struct {
        const char *csv;
        const char *mentions;
        uint32_t refused;
    } files[] = {
        {"", "empty", 0},
        {"island,seq,x_m\n", "no column y_m", 0},
        {HEADER, "no rows", 0},
        {"garbage\n" GOOD, "no column island", 0},
        {HEADER GOOD "8,0,1,1,0,0\n8,1,1,1,30,0\n8,2,1,1,0,30\n7,3,1,1,0,10\n",
         "island 7 began in row 2", 1},
    };

    for (uint32_t n = 0; n < sizeof files / sizeof *files; n++) {
        struct coast coast = import(text_slice(files[n].csv));
        assert_int_equal(coast.fault_count, 1);
        assert_non_null(strstr(coast.faults[0].text, files[n].mentions));
        assert_int_equal(coast.refused_count, files[n].refused);
        coast_fini(&coast);
    }
    struct coast coast =
        import(text_slice("\xef\xbb\xbfy_m,x_m,seq,island\r\n0,0,1,4\r\n0,30,2,4\r\n\r\n30,0,3,4"));
    assert_int_equal(coast.fault_count,
                     0); /* columns by name, Windows' line ends, seq from 1, no last line end */
    assert_int_equal(coast.count, 1);
    coast_fini(&coast);
}

/* Decimals of any length become the nearest millimetre. */
static void
test_millimetres(void **state)
{
    (void)state;
    struct coast coast =
        import(text_slice("island,seq,x_m,y_m\n0,0,-0.0004,+.0005\n0,1,30.00149999999999999999,0.\n"
                          "0,2,-0.0015,29.9995\n"));
    assert_int_equal(coast.fault_count, 0);
    struct island *island = open_island(&coast.islands[0]);
    const struct place expected[3] = {
        {1000, 1}, {31001, 0}, {998, 30000}}; /* the anchor is at -1 m, 0 m */
    assert_int_equal(island_anchor_m(island).x_mm, -1);
    for (uint32_t n = 0; n < 3; n++) {
        struct place at = island_ring_at(island, 0, n);
        assert_int_equal(at.x_mm, expected[n].x_mm);
        assert_int_equal(at.y_mm, expected[n].y_mm);
    }
    island_close(&island);
    coast_fini(&coast);
}

/* The islands of a second import: other order, other numbers, slightly redrawn, one gone, one new.
 */
static void
test_ids_stay(void **state)
{
    (void)state;

    enum { COUNT = 20 };

    double squares[COUNT + 1][4][2];
    char first_text[8192] = HEADER, second_text[8192] = HEADER;
    for (uint32_t n = 0; n <= COUNT; n++) {
        double x = 200 * (n % 7), y = 200 * (n / 7), side = 60 + 3 * n;
        const double square[4][2] = {{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}};
        memcpy(squares[n], square, sizeof square);
    }
    for (uint32_t n = 0; n < COUNT; n++) {
        add_ring(first_text, sizeof first_text, n, (const double(*)[2])squares[n], 4);
    }
    struct coast first = import(text_slice(first_text));
    assert_int_equal(first.count, COUNT);
    assert_int_equal(first.next_id, COUNT + 1);

    struct coast_known known[COUNT];
    struct island *islands[COUNT];
    for (uint32_t n = 0; n < COUNT; n++) {
        islands[n] = open_island(&first.islands[n]);
        known[n] = coast_known_of(islands[n]);
    }
    uint32_t number = 100;
    for (uint32_t n = COUNT + 1; n-- > 1;) { /* backwards, without the first, with a new one */
        squares[n][2][0] += 4;
        add_ring(second_text, sizeof second_text, number++, (const double(*)[2])squares[n], 4);
    }
    struct coast second;
    coast_import(
        &(struct coast_source){
            .csv = text_slice(second_text), .known = known, .known_count = COUNT, .next_id = 50},
        &second);
    assert_int_equal(second.count, COUNT);
    for (uint32_t n = 0; n < COUNT; n++) {
        uint32_t square = COUNT - n;
        assert_int_equal(second.islands[n].is_known, square != COUNT);
        assert_int_equal(second.islands[n].id, square == COUNT ? 50 : square + 1);
    }
    assert_int_equal(second.next_id, 51);
    for (uint32_t n = 0; n < COUNT; n++) {
        island_close(&islands[n]);
    }
    coast_fini(&first);
    coast_fini(&second);
}

/* An island that was drawn anew as two: one part goes on, the other is new. */
static void
test_one_id_for_one_island(void **state)
{
    (void)state;
    const double whole[4][2] = {{0, 0}, {100, 0}, {100, 100}, {0, 100}};
    const double south[4][2] = {{0, 0}, {100, 0}, {100, 52}, {0, 52}};
    const double north[4][2] = {{0, 54}, {100, 54}, {100, 106}, {0, 106}};
    char before[1024] = HEADER, after[1024] = HEADER;
    add_ring(before, sizeof before, 0, whole, 4);
    add_ring(after, sizeof after, 0, north, 4);
    add_ring(after, sizeof after, 1, south, 4);

    struct coast first = import(text_slice(before)), second;
    struct island *island = open_island(&first.islands[0]);
    struct coast_known known = coast_known_of(island);
    coast_import(
        &(struct coast_source){.csv = text_slice(after), .known = &known, .known_count = 1},
        &second);
    assert_int_equal(second.count, 2);
    assert_int_equal(second.islands[0].is_known + second.islands[1].is_known, 1);
    assert_int_not_equal(second.islands[0].id, second.islands[1].id);
    island_close(&island);
    coast_fini(&first);
    coast_fini(&second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped),         cmocka_unit_test(test_real_coasts),
        cmocka_unit_test(test_fill_is_exact),   cmocka_unit_test(test_tiny_keeps_a_tile),
        cmocka_unit_test(test_forms_of_a_ring), cmocka_unit_test(test_touching_itself),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_refused_files),
        cmocka_unit_test(test_ids_stay),        cmocka_unit_test(test_shared_coast),
        cmocka_unit_test(test_millimetres),     cmocka_unit_test(test_one_id_for_one_island),
    };
    return cmocka_run_group_tests_name("coast", tests, NULL, NULL);
}
