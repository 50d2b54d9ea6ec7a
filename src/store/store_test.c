#include "store/desk.h"
#include "store/store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct heard {
    struct store *store;
    uint32_t gets, commits;
    uint64_t sum;   /* of n */
    uint32_t again; /* how often to ask once more from within a call-back */
    enum store_result result;
    uint64_t version;
};

static const struct slice key = {(const uint8_t *)"0001/a/1", 8};

static void
on_got(void *ctx, uint64_t n, enum store_result result, const struct store_doc *doc)
{
    struct heard *h = ctx;
    h->gets++;
    h->sum += n;
    h->result = result;
    h->version = doc == NULL ? 0 : doc->version;
    if (h->again > 0) {
        h->again--;
        assert_int_equal(store_get(h->store, key, on_got, h, n), OK);
    }
}

static void
on_committed(void *ctx, uint64_t n, enum store_result result)
{
    struct heard *h = ctx;
    h->commits++;
    h->sum += n;
    h->result = result;
}

static void
each_call_comes_back_to_its_own(void **state)
{
    struct desk *desk = *state;
    struct heard left = {.store = &desk->store}, right = {.store = &desk->store};
    struct store_write write = {
        .key = key, .expected_version = 0, .op = STORE_PUT, .value = {(const uint8_t *)"v", 1}};
    assert_int_equal(store_commit(&desk->store, &write, 1, on_committed, &left, 7), OK);
    assert_int_equal(store_get(&desk->store, key, on_got, &right, 100), OK);
    assert_int_equal(store_get(&desk->store, key, on_got, &right, 1000), OK);
    assert_int_equal(left.commits + right.gets, 0); /* never before the call returned */
    assert_int_equal(store_under_way(&desk->store), 3);
    desk_settle(desk);
    assert_int_equal(store_under_way(&desk->store), 0);
    assert_int_equal(left.commits, 1);
    assert_int_equal(left.sum, 7);
    assert_int_equal(right.gets, 2);
    assert_int_equal(right.sum, 1100);
    assert_int_equal(desk->store.stats.gets, 2);
    assert_int_equal(desk->store.stats.commits, 1);
    assert_int_equal(desk->store.stats.results[STORE_OK], 1);
    assert_true(desk->store.stats.commit_us.count == 1 && desk->store.stats.commit_us.max > 0);
}

static void
what_is_refused_has_no_call_back(void **state)
{
    struct desk *desk = *state;
    struct heard h = {.store = &desk->store};
    struct slice bad = {(const uint8_t *)"a b", 3};
    assert_int_equal(store_get(&desk->store, bad, on_got, &h, 1), ERR_FORMAT);
    assert_int_equal(store_commit(&desk->store, NULL, 0, on_committed, &h, 1), ERR_RANGE);
    assert_int_equal(store_under_way(&desk->store), 0);
    uint32_t accepted = 0;
    while (store_get(&desk->store, key, on_got, &h, 1) == OK)
        accepted++;
    assert_int_equal(accepted, 4096);
    assert_int_equal(desk->store.stats.refused, 1);
    desk_settle(desk);
    assert_int_equal(h.gets, accepted);
}

static void
call_backs_may_ask_again(void **state)
{
    struct desk *desk = *state;
    struct heard h = {.store = &desk->store, .again = 20};
    assert_int_equal(store_get(&desk->store, key, on_got, &h, 1), OK);
    desk_settle(desk);
    assert_int_equal(h.gets, 21);
}

static void
failures_are_counted(void **state)
{
    struct desk *desk = *state;
    struct heard h = {.store = &desk->store};
    memory_store_set_away(desk->memory, true);
    assert_int_equal(store_get(&desk->store, key, on_got, &h, 1), OK);
    struct store_write write = {.key = key, .op = STORE_PUT};
    assert_int_equal(store_commit(&desk->store, &write, 1, on_committed, &h, 7), OK);
    desk_settle(desk);
    assert_int_equal(h.result, STORE_UNAVAILABLE);
    assert_int_equal(desk->store.stats.gets_failed, 1);
    assert_int_equal(desk->store.stats.results[STORE_UNAVAILABLE], 1);
    assert_string_equal(store_result_name(STORE_UNKNOWN), "UNKNOWN");
}

/* Whatever the engine could bear. */
static void
values_of_users_are_limited(void **state)
{
    struct desk *desk = *state;
    struct heard h = {.store = &desk->store};
    static uint8_t value[STORE_VALUE_MAX + 1];
    assert_true(desk->env.store.value_max > STORE_VALUE_MAX);
    struct store_write write = {.key = key, .op = STORE_PUT, .value = {value, sizeof value}};
    assert_int_equal(store_commit(&desk->store, &write, 1, on_committed, &h, 1), ERR_TOO_LARGE);
    assert_int_equal(store_under_way(&desk->store), 0);
    write.value.bytes = STORE_VALUE_MAX;
    assert_int_equal(store_commit(&desk->store, &write, 1, on_committed, &h, 1), OK);
    desk_settle(desk);
    assert_int_equal(h.result, STORE_OK);
}

static void
on_scanned(void *ctx, uint64_t n, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    struct heard *h = ctx;
    h->sum += n;
    h->result = result;
    h->gets += count;
    for (uint32_t i = 0; i < count; i++)
        h->version = found[i].doc.version;
}

static void
scans_are_counted_by_role(void **state)
{
    struct desk *desk = *state;
    struct heard h = {.store = &desk->store};
    struct slice prefix = {(const uint8_t *)"0001/a/", 7}, none = {0};
    desk_put(desk, "0001/a/1", "x", 1);
    desk_put(desk, "0001/a/2", "x", 1);
    desk_put(desk, "0001/b/1", "x", 1);

    static const enum store_role roles[] = {ROLE_RECOVERY, ROLE_TOOL, ROLE_TOOL};

    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(store_scan(&desk->store, roles[i], prefix, none, 10, on_scanned, &h, 100),
                         OK);
    assert_int_equal(store_scan(&desk->store, ROLE_PLAY, prefix, none, 0, on_scanned, &h, 100),
                     ERR_RANGE);
    desk_settle(desk);
    assert_int_equal(h.sum, 300);
    assert_int_equal(h.gets, 6);
    assert_int_equal(h.version, 1);
    assert_int_equal(desk->store.stats.scans[ROLE_PLAY], 0);
    assert_int_equal(desk->store.stats.scans[ROLE_RECOVERY], 1);
    assert_int_equal(desk->store.stats.scans[ROLE_TOOL], 2);
    memory_store_set_away(desk->memory, true);
    assert_int_equal(store_scan(&desk->store, ROLE_TOOL, prefix, none, 10, on_scanned, &h, 0), OK);
    desk_settle(desk);
    assert_int_equal(h.result, STORE_UNAVAILABLE);
}

static void
on_hint(void *ctx, struct slice hinted)
{
    struct heard *h = ctx;
    assert_int_equal(hinted.bytes, key.bytes);
    h->gets++;
}

static void
hints_come_to_the_one_call_back(void **state)
{
    struct desk *desk = *state;
    struct heard h = {.store = &desk->store};
    assert_int_equal(store_watch(&desk->store, key, true), OK);
    desk_put(desk, "0001/a/1", "x", 1); /* nobody asked to be told */
    store_set_hints(&desk->store, on_hint, &h);
    desk_put(desk, "0001/a/1", "x", 1);
    desk_put(desk, "0001/a/2", "x", 1);
    assert_int_equal(h.gets, 1);
    assert_int_equal(desk->store.stats.hints, 2);
    assert_int_equal(store_watch(&desk->store, key, false), OK);
    desk_put(desk, "0001/a/1", "x", 1);
    assert_int_equal(h.gets, 1);
}

static int
setup(void **state)
{
    *state = desk_alloc(5);
    return 0;
}

static int
teardown(void **state)
{
    desk_free(*state);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_call_comes_back_to_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_refused_has_no_call_back, setup, teardown),
        cmocka_unit_test_setup_teardown(call_backs_may_ask_again, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(values_of_users_are_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(scans_are_counted_by_role, setup, teardown),
        cmocka_unit_test_setup_teardown(hints_come_to_the_one_call_back, setup, teardown),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
