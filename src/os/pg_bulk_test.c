#include "os/pg_bulk.h"

#include "os/pg_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 3000

static struct pg_fixture server;

struct read {
    uint64_t documents, graves, versions;
    char value[32]; /* of the last one */
    uint32_t stop_after;
};

static struct pg_bulk *
bulk_open(void)
{
    char why[PG_STORE_WHY_MAX] = "";
    struct pg_bulk *b;
    pg_fixture_empty(&server);
    if (pg_bulk_open(server.address, &b, why) != OK)
        fail_msg("%s", why);
    return b;
}

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

/* value NULL: a grave. */
static enum err
put(struct pg_bulk *b, const char *key, uint64_t version, const char *value)
{
    char why[PG_STORE_WHY_MAX];
    struct store_doc doc = {.version = version, .exists = value != NULL};
    if (value != NULL)
        doc.value = text(value);
    return pg_bulk_put(b, text(key), &doc, why);
}

static bool
each(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct read *r = ctx;
    assert_true(key.bytes > 5);
    r->documents += doc->exists;
    r->graves += !doc->exists;
    r->versions += doc->version;
    snprintf(r->value, sizeof r->value, "%.*s", (int)doc->value.bytes,
             doc->exists ? (const char *)doc->value.at : "");
    return r->documents + r->graves != r->stop_after;
}

static struct read
read_all(struct pg_bulk *b, const char *prefix, uint32_t stop_after)
{
    char why[PG_STORE_WHY_MAX];
    struct read r = {.stop_after = stop_after};
    assert_int_equal(pg_bulk_each(b, prefix, each, &r, why), OK);
    return r;
}

static void
what_goes_in_comes_out_with_its_version(void **state)
{
    (void)state;
    char why[PG_STORE_WHY_MAX], key[64];
    struct pg_bulk *b = bulk_open();
    assert_int_equal(pg_bulk_begin(b, why), OK);
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "0001/thing/%016x", i);
        assert_int_equal(put(b, key, 7, i % 3 == 0 ? NULL : "some bytes"), OK);
    }
    assert_int_equal(put(b, "0002/thing/a", UINT64_C(1) << 40, ""), OK);
    assert_int_equal(pg_bulk_end(b, why), OK);
    struct read r = read_all(b, "0001/", 0);
    assert_int_equal(r.documents, MANY - MANY / 3);
    assert_int_equal(r.graves, MANY / 3);
    assert_int_equal(r.versions, 7 * MANY);
    r = read_all(b, "0002/", 0);
    assert_true(r.documents == 1 && r.versions == UINT64_C(1) << 40);
    r = read_all(b, "0001/", 10);
    assert_int_equal(r.documents + r.graves, 10);
    pg_bulk_close(&b);
}

static void
a_later_round_replaces(void **state)
{
    (void)state;
    char why[PG_STORE_WHY_MAX];
    struct pg_bulk *b = bulk_open();
    for (uint64_t round = 1; round <= 3; round++) {
        assert_int_equal(pg_bulk_begin(b, why), OK);
        assert_int_equal(put(b, "0001/thing/a", round, round == 2 ? NULL : "here"), OK);
        assert_int_equal(pg_bulk_end(b, why), OK);
        struct read r = read_all(b, "0001/", 0);
        assert_int_equal(r.versions, round);
        assert_int_equal(r.graves, round == 2);
    }
    /* A round that never ends leaves nothing. */
    assert_int_equal(pg_bulk_begin(b, why), OK);
    assert_int_equal(put(b, "0001/thing/b", 1, "half"), OK);
    pg_bulk_close(&b);
    assert_int_equal(pg_bulk_open(server.address, &b, why), OK);
    assert_int_equal(read_all(b, "0001/", 0).documents, 1);
    pg_bulk_close(&b);
}

static void
refusals_are_told(void **state)
{
    (void)state;
    char why[PG_STORE_WHY_MAX] = "";
    struct pg_bulk *b = bulk_open();
    assert_int_equal(pg_bulk_begin(b, why), OK);
    assert_int_equal(put(b, "0001/thing/a", 1, "one"), OK);
    assert_int_equal(put(b, "0001/thing/a", 2, "twice"), OK);
    assert_int_equal(pg_bulk_end(b, why), ERR_IO);
    assert_true(strlen(why) > 10 && strchr(why, '\n') == NULL);
    pg_bulk_close(&b);
    assert_int_equal(pg_bulk_open("postgresql://seom@/postgres?host=/nowhere", &b, why),
                     ERR_UNAVAILABLE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out_with_its_version),
        cmocka_unit_test(a_later_round_replaces),
        cmocka_unit_test(refusals_are_told),
    };
    if (!pg_fixture_start(&server))
        return 0;
    int failed = cmocka_run_group_tests_name("pg_bulk", tests, NULL, NULL);
    pg_fixture_stop(&server);
    return failed;
}
