#include "base/rand.h"
#include "fabric/directory_tables.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint8_t bytes[DIRECTORY_VALUE_MAX];

static void
servers_go_there_and_back(void **state)
{
    (void)state;
    static struct store_servers servers, back;
    for (servers.count = 1; servers.count <= SPREAD_ENGINES_MAX; servers.count++) {
        char *address = servers.address[servers.count - 1];
        memset(address, 'x', STORE_SERVER_MAX - 1);
        store_servers_deal(&servers);
        struct slice written = {bytes, store_servers_write(&servers, bytes)};
        assert_int_equal(store_servers_read(written, &back), OK);
        assert_int_equal(back.count, servers.count);
        assert_string_equal(back.address[servers.count - 1], address);
        assert_memory_equal(back.of_bucket, servers.of_bucket, SPREAD_BUCKETS);
    }
    uint32_t of_last = 0;
    for (uint32_t i = 0; i < SPREAD_BUCKETS; i++)
        of_last += back.of_bucket[i] == SPREAD_ENGINES_MAX - 1;
    assert_int_equal(of_last, SPREAD_BUCKETS / SPREAD_ENGINES_MAX);
}

/* A bucket of a server that is not there, too few buckets, no server: nobody may go by that. */
static void
damaged_servers_are_refused(void **state)
{
    (void)state;
    static struct store_servers servers = {.count = 2,
                                           .address = {"postgresql://a", "postgresql://b"}},
                                back;
    store_servers_deal(&servers);
    size_t count = store_servers_write(&servers, bytes);
    assert_int_equal(store_servers_read((struct slice){bytes, count}, &back), OK);
    assert_int_equal(bytes[count - 1], 1);
    bytes[count - 1] = 2;
    assert_int_equal(store_servers_read((struct slice){bytes, count}, &back), ERR_FORMAT);
    assert_int_equal(store_servers_read((struct slice){bytes, count - 1}, &back), ERR_FORMAT);
    assert_int_equal(store_servers_read((struct slice){bytes, 0}, &back), ERR_FORMAT);
    servers.address[1][0] = '\0';
    count = store_servers_write(&servers, bytes);
    assert_int_equal(store_servers_read((struct slice){bytes, count}, &back), ERR_FORMAT);
}

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
    const struct CMUnitTest tests[] = {cmocka_unit_test(servers_go_there_and_back),
                                       cmocka_unit_test(damaged_servers_are_refused),
                                       cmocka_unit_test(islands_belong_to_one_shard),
                                       cmocka_unit_test(damaged_islands_are_refused)};
    return cmocka_run_group_tests_name("directory_tables", tests, NULL, NULL);
}
