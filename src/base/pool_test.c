#include "base/check_expect.h"
#include "base/pool.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LIMIT 50

struct item {
    uint64_t mark;
    uint8_t more[13];
};

static void
it_is_full_at_its_limit(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p, sizeof(struct item), LIMIT, 16); /* the last block is not whole */
    uint32_t index;
    for (uint32_t i = 0; i < LIMIT; i++) {
        assert_int_equal(pool_take(&p, &index), OK);
        assert_int_equal(index, i);
        struct item *item = pool_at(&p, index);
        assert_true(item->mark == 0);
        item->mark = i + 1;
    }
    assert_int_equal(pool_take(&p, &index), ERR_FULL);
    for (uint32_t i = 0; i < LIMIT; i++)
        assert_true(((struct item *)pool_at(&p, i))->mark == i + 1);
    pool_give(&p, 17);
    assert_int_equal(pool_take(&p, &index), OK);
    assert_int_equal(index, 17);
    assert_true(((struct item *)pool_at(&p, 17))->mark == 0); /* zeroed again */
    pool_fini(&p);
}

static void
a_stale_handle_finds_nobody(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p, sizeof(struct item), 4, 4);
    uint32_t index;
    uint32_t again;
    assert_int_equal(pool_take(&p, &index), OK);
    uint64_t handle = pool_handle(&p, index);
    assert_ptr_equal(pool_find(&p, handle), pool_at(&p, index));
    pool_give(&p, index);
    assert_null(pool_find(&p, handle));
    assert_int_equal(pool_take(&p, &again), OK);
    assert_int_equal(again, index);
    assert_null(pool_find(&p, handle)); /* somebody else now */
    assert_non_null(pool_find(&p, pool_handle(&p, again)));
    assert_null(pool_find(&p, 3)); /* made, never taken */
    assert_null(pool_find(&p, UINT64_MAX));
    assert_null(pool_find(&p, 0));
    pool_fini(&p);
}

static void
misuse_is_a_failed_check(void **state)
{
    (void)state;
    struct pool p;
    pool_init(&p, sizeof(struct item), 4, 4);
    uint32_t index;
    assert_int_equal(pool_take(&p, &index), OK);
    pool_give(&p, index);
    EXPECT_CHECK(pool_give(&p, index));
    EXPECT_CHECK((void)pool_at(&p, index));
    EXPECT_CHECK((void)pool_at(&p, 4));
    EXPECT_CHECK((void)pool_handle(&p, index));
    pool_fini(&p);
}

/* Taking and giving at random: pointers stay, the walk meets those in use, old handles fail. */
static void
it_behaves_like_a_set(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 3);
    struct pool p;
    pool_init(&p, sizeof(struct item), LIMIT, 8);
    struct item *items[LIMIT] = {NULL};
    uint64_t handles[LIMIT] = {0};
    unsigned stale = 0;
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t index = rand_below(&r, LIMIT);
        if (items[index]) {
            assert_ptr_equal(pool_find(&p, handles[index]), items[index]);
            pool_give(&p, index);
            items[index] = NULL;
        } else if (pool_take(&p, &index) == OK) {
            assert_null(items[index]);
            stale += handles[index] != 0;
            assert_true(handles[index] != pool_handle(&p, index));
            assert_null(pool_find(&p, handles[index]));
            handles[index] = pool_handle(&p, index);
            items[index] = pool_at(&p, index);
        }
        uint32_t walked = 0;
        for (uint32_t at = POOL_NONE; (at = pool_next(&p, at)) != POOL_NONE; walked++)
            assert_ptr_equal(pool_at(&p, at), items[at]);
        assert_int_equal(walked, p.used);
    }
    assert_true(stale > 1000);
    pool_fini(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_full_at_its_limit),
        cmocka_unit_test(a_stale_handle_finds_nobody),
        cmocka_unit_test(misuse_is_a_failed_check),
        cmocka_unit_test(it_behaves_like_a_set),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
