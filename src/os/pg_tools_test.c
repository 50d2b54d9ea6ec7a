/* Scans of one moment, and what is said when there is nothing to scan. */
#include "os/pg_fixture.h"
#include "os/pg_tools.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEEN_MAX 4096

static struct pg_fixture server;

/* What a scan told. */
struct seen {
    char text[SEEN_MAX];
    size_t bytes;
    uint32_t count, enough; /* enough: stops at so many; 0: never */
    const char *meanwhile;  /* is done to the store at the first document; NULL: nothing */
};

static bool
each(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct seen *seen = ctx;
    assert_true(doc->exists);
    int n = snprintf(seen->text + seen->bytes, sizeof seen->text - seen->bytes, "%.*s@%llu=%.*s ",
                     (int)key.bytes, (const char *)key.at, (unsigned long long)doc->version,
                     (int)doc->value.bytes, (const char *)doc->value.at);
    assert_true(n > 0 && (size_t)n < sizeof seen->text - seen->bytes);
    seen->bytes += (size_t)n;
    if (seen->count++ == 0 && seen->meanwhile != NULL)
        pg_fixture_query(&server, seen->meanwhile);
    return seen->count != seen->enough;
}

static bool
each_counted(void *ctx, struct slice key, const struct store_doc *doc)
{
    uint32_t *count = ctx;
    assert_true(key.bytes > 0 && doc->version == 1);
    if (++*count == 1)
        pg_fixture_query(&server, "UPDATE seom.document SET version = 2");
    return true;
}

static void
scan_expect(struct seen *seen, const char *prefix, const char *expected)
{
    char why[PG_STORE_WHY_MAX] = "";
    if (pg_scan(server.address, prefix, each, seen, why) != OK)
        fail_msg("%s", why);
    assert_string_equal(seen->text, expected);
}

static int
filled(void **state)
{
    (void)state;
    char why[PG_STORE_WHY_MAX];
    pg_fixture_empty(&server);
    if (pg_store_check(server.address, why) != OK)
        fail_msg("%s", why);
    pg_fixture_query(&server, "INSERT INTO seom.document VALUES ('0001/a/1', 1, 'one'),"
                              " ('0001/a/2', 72623859790382856, 'two'), ('0001/a/3', 3, NULL),"
                              " ('0001/a/4', 4, ''), ('0001/b/1', 5, 'five')");
    return 0;
}

static void
what_begins_so_is_told_in_order(void **state)
{
    (void)state;
    scan_expect(&(struct seen){0}, "0001/a/",
                "0001/a/1@1=one 0001/a/2@72623859790382856=two "
                "0001/a/4@4= ");
    scan_expect(&(struct seen){0}, "0001/b/1", "0001/b/1@5=five ");
    scan_expect(&(struct seen){0}, "0001/c", "");
    struct seen all = {0};
    scan_expect(&all, "",
                "0001/a/1@1=one 0001/a/2@72623859790382856=two 0001/a/4@4= "
                "0001/b/1@5=five ");
    scan_expect(&(struct seen){.enough = 2}, "", "0001/a/1@1=one 0001/a/2@72623859790382856=two ");
}

static void
a_scan_is_of_one_moment(void **state)
{
    (void)state;
    scan_expect(&(struct seen){.meanwhile =
                                   "UPDATE seom.document SET version = 9, value = 'changed';"
                                   "DELETE FROM seom.document WHERE key = '0001/b/1';"
                                   "INSERT INTO seom.document VALUES ('0001/a/5', 1, 'new')"},
                "0001/",
                "0001/a/1@1=one 0001/a/2@72623859790382856=two 0001/a/4@4= "
                "0001/b/1@5=five ");
    scan_expect(&(struct seen){0}, "0001/a/4", "0001/a/4@9=changed ");
}

/* More than a socket takes at once: the server still sends when somebody writes. */
static void
a_long_scan_is_one_moment_too(void **state)
{
    (void)state;
    uint32_t count = 0;
    char why[PG_STORE_WHY_MAX];
    pg_fixture_query(&server, "DELETE FROM seom.document; INSERT INTO seom.document"
                              " SELECT 'x/' || n, 1, repeat('z', 1000)::bytea"
                              " FROM generate_series(1, 20000) n");
    assert_int_equal(pg_scan(server.address, "x/", each_counted, &count, why), OK);
    assert_int_equal(count, 20000);
}

static void
what_is_no_store_is_left_as_it_is(void **state)
{
    (void)state;
    char why[PG_STORE_WHY_MAX];
    struct seen seen = {0};
    pg_fixture_query(&server, "UPDATE seom.format SET number = 1000");
    assert_int_equal(pg_scan(server.address, "", each, &seen, why), ERR_NEWER);
    assert_non_null(strstr(why, "newer"));
    pg_fixture_query(&server, "DELETE FROM seom.format");
    assert_int_equal(pg_scan(server.address, "", each, &seen, why), ERR_FORMAT);
    pg_fixture_query(&server, "DROP SCHEMA seom CASCADE");
    assert_int_equal(pg_scan(server.address, "", each, &seen, why), ERR_FORMAT);
    assert_non_null(strstr(why, "no world"));
    assert_int_equal(
        pg_fixture_query(&server, "SELECT count(*) FROM pg_namespace WHERE nspname = 'seom'"), 0);
    assert_int_equal(seen.count, 0);
}

static void
who_is_not_there_is_named(void **state)
{
    (void)state;
    char why[PG_STORE_WHY_MAX];
    struct seen seen = {0};
    assert_int_equal(pg_scan("postgresql://nobody@/x?host=/nowhere", "", each, &seen, why),
                     ERR_UNAVAILABLE);
    assert_non_null(strstr(why, "/nowhere"));
    assert_null(strchr(why, '\n'));
    assert_int_equal(pg_scan("postgresql://x?nonsense", "", each, &seen, why), ERR_FORMAT);
    assert_int_equal(seen.count, 0);
}

int
main(void)
{
    if (!pg_fixture_start(&server))
        return 0;
#define CASE(name) cmocka_unit_test_setup(name, filled)
    const struct CMUnitTest tests[] = {
        CASE(what_begins_so_is_told_in_order),       CASE(a_scan_is_of_one_moment),
        CASE(a_long_scan_is_one_moment_too),         CASE(what_is_no_store_is_left_as_it_is),
        cmocka_unit_test(who_is_not_there_is_named),
    };
#undef CASE
    int failed = cmocka_run_group_tests_name("pg_tools", tests, NULL, NULL);
    pg_fixture_stop(&server);
    return failed;
}
