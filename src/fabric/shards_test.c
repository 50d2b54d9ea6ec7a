#include "fabric/shards.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ISLANDS 4000

/* Whoever is asked says the same, each shard has its part, and one more shard only takes. */
static void
deals_islands_out(void **state)
{
    (void)state;
    static struct shards four, five, other;
    uint32_t has[6] = {0}, moved = 0;
    shards_init(&four, 1, 4);
    shards_init(&other, 3, 4);
    shards_init(&five, 1, 5);
    for (uint32_t island = 1; island <= ISLANDS; island++) {
        uint16_t shard = shards_of_island(&four, island), later = shards_of_island(&five, island);
        assert_int_equal(shards_of_island(&other, island), shard);
        assert_int_equal(shards_owns(&four, island), shard == 1);
        assert_true(later == shard || later == 5);
        moved += later != shard;
        has[shard]++;
    }
    for (uint32_t shard = 1; shard <= 4; shard++) {
        assert_in_range(has[shard], ISLANDS / 4 - 150, ISLANDS / 4 + 150);
    }
    assert_in_range(moved, ISLANDS / 5 - 150, ISLANDS / 5 + 150);
}

/* Worlds stand on these: a change of the hash would tear islands from their shards. */
static void
keeps_its_hash(void **state)
{
    (void)state;
    static const uint16_t drawn[] = {1, 2, 4, 2, 4, 1, 4, 1, 3, 4, 2, 4, 2, 1, 3, 4};
    static struct shards shards;
    shards_init(&shards, 1, 4);
    for (uint32_t i = 0; i < sizeof drawn / sizeof drawn[0]; i++) {
        assert_int_equal(shards_of_island(&shards, i + 1), drawn[i]);
    }
}

static void
follows_the_table(void **state)
{
    (void)state;
    static struct shards shards;
    static struct island_shards table;
    uint8_t bytes[DIRECTORY_VALUE_MAX];
    shards_init(&shards, 2, 4);
    uint16_t drawn = shards_of_island(&shards, 7), other = drawn % 4 + 1;
    assert_int_equal(island_shards_put(&table, 7, other), OK);
    assert_int_equal(island_shards_put(&table, 8, 9), OK); /* there is no shard 9 */
    uint16_t of_8 = shards_of_island(&shards, 8);
    struct slice told = {.at = bytes, .bytes = island_shards_write(&table, bytes)};
    assert_int_equal(shards_set_table(&shards, told), OK);
    assert_int_equal(shards_of_island(&shards, 7), other);
    assert_int_equal(shards_of_island(&shards, 8), of_8);
    struct slice wrong = {.at = (const uint8_t *)"\xff\xff", .bytes = 2};
    assert_int_equal(shards_set_table(&shards, wrong), ERR_FORMAT);
    assert_int_equal(shards_of_island(&shards, 7), other);
    assert_int_equal(shards_set_table(&shards, (struct slice){0}), OK);
    assert_int_equal(shards_of_island(&shards, 7), drawn);
}

static struct slice
text(const char *of)
{
    return (struct slice){.at = (const uint8_t *)of, .bytes = strlen(of)};
}

static void
hears_where_gates_are(void **state)
{
    (void)state;
    static struct shards shards;
    static uint8_t long_text[NOTE_TEXT_MAX + 1];
    shards_init(&shards, 1, 2);
    assert_int_equal(shards_gates(&shards, 2).bytes, 0);
    shards_heard_gates(&shards, 2, text("127.0.0.1:1\n127.0.0.1:2"));
    shards_heard_gates(&shards, 3, text("127.0.0.1:3"));
    shards_heard_gates(&shards, 0, text("127.0.0.1:3"));
    shards_heard_gates(&shards, 1, text("127.0.0.1:3"));
    shards_heard_gates(&shards, 2, (struct slice){long_text, sizeof long_text});
    shards_heard_gates(&shards, 2, text("")); /* none that we could lead to: keep what there was */
    struct slice gates = shards_gates(&shards, 2);
    assert_int_equal(gates.bytes, strlen("127.0.0.1:1\n127.0.0.1:2"));
    assert_int_equal(shards_gates(&shards, 1).bytes, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deals_islands_out), cmocka_unit_test(keeps_its_hash),
        cmocka_unit_test(follows_the_table), cmocka_unit_test(hears_where_gates_are)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
