#include "base/rand.h"
#include "fabric/island_shards.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint8_t bytes[DIRECTORY_VALUE_MAX];

static void
islands_belong_to_one_shard(void **state)
{
    (void)state;
    static struct island_shards shards, back;
    struct rand rand;
    uint16_t shard;
    rand_seed(&rand, 2);
    assert_int_equal(island_shards_find(&shards, 5, &shard), ERR_NOT_FOUND);
    assert_int_equal(island_shards_put(&shards, 5, 1), OK);
    assert_int_equal(island_shards_put(&shards, 5, 2), OK);
    assert_int_equal(shards.count, 1);
    while (shards.count < ISLAND_SHARDS_MAX)
        assert_int_equal(island_shards_put(&shards, (uint32_t)rand_next(&rand), UINT16_MAX), OK);
    assert_int_equal(island_shards_put(&shards, 6, 1), ERR_FULL);
    struct slice written = {bytes, island_shards_write(&shards, bytes)};
    assert_int_equal(island_shards_read(written, &back), OK);
    assert_memory_equal(&back, &shards, sizeof back);
    assert_int_equal(island_shards_find(&back, 5, &shard), OK);
    assert_int_equal(shard, 2);
}

static void
what_was_said_can_be_taken_back(void **state)
{
    (void)state;
    static struct island_shards shards, empty;
    uint16_t shard;
    for (uint32_t island = 1; island <= 4; island++)
        assert_int_equal(island_shards_put(&shards, island, (uint16_t)(10 + island)), OK);
    island_shards_remove(&shards, 2);
    island_shards_remove(&shards, 2);
    island_shards_remove(&shards, 9);
    assert_int_equal(shards.count, 3);
    assert_int_equal(island_shards_find(&shards, 2, &shard), ERR_NOT_FOUND);
    assert_int_equal(island_shards_find(&shards, 1, &shard), OK);
    assert_int_equal(shard, 11);
    assert_int_equal(island_shards_find(&shards, 4, &shard), OK);
    assert_int_equal(shard, 14);
    island_shards_remove(&shards, 4);
    island_shards_remove(&shards, 1);
    island_shards_remove(&shards, 3);
    assert_memory_equal(&shards, &empty, sizeof shards);
}

static void
damaged_islands_are_refused(void **state)
{
    (void)state;
    static const uint8_t unordered[] = {0x0a, 2, 5, 5, 0x12, 2, 1, 1}, uneven[] = {0x0a, 1, 5},
                         far_shard[] = {0x0a, 1, 5, 0x12, 3, 0x80, 0x80, 0x04};
    static struct island_shards back;
    assert_int_equal(island_shards_read((struct slice){unordered, sizeof unordered}, &back),
                     ERR_FORMAT);
    assert_int_equal(island_shards_read((struct slice){uneven, sizeof uneven}, &back), ERR_FORMAT);
    assert_int_equal(island_shards_read((struct slice){far_shard, sizeof far_shard}, &back),
                     ERR_FORMAT);
    assert_int_equal(island_shards_read((struct slice){unordered, 0}, &back), OK);
    assert_int_equal(back.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(islands_belong_to_one_shard),
                                       cmocka_unit_test(what_was_said_can_be_taken_back),
                                       cmocka_unit_test(damaged_islands_are_refused)};
    return cmocka_run_group_tests_name("island_shards", tests, NULL, NULL);
}
