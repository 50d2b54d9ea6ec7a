/* Requests as etcd 3.4.23 took them, answers as it gave them, and such as it never would. */
#include "os/etcd_json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEADER "\"header\":{\"cluster_id\":\"3249\",\"revision\":\"7\",\"raft_term\":\"2\"}"

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static void
assert_request(char *body, const char *wanted)
{
    assert_string_equal(body, wanted);
    free(body);
}

static void
requests_are_what_etcd_takes(void **state)
{
    (void)state;
    assert_request(etcd_list_request(text("/a/")), "{\"key\":\"L2Ev\",\"range_end\":\"L2Ew\"}");
    struct directory_change change = {.key = text("/a"), .value = text("hi"), .lease = 77};
    assert_request(etcd_change_request(&change),
                   "{\"compare\":[{\"target\":\"CREATE\",\"result\":\"EQUAL\",\"key\":\"L2E=\","
                   "\"create_revision\":\"0\"}],\"success\":[{\"request_put\":{\"key\":\"L2E=\","
                   "\"value\":\"aGk=\",\"lease\":\"77\"}}]}");
    change = (struct directory_change){
        .key = text("/a"), .expected = 18446744073709551615U, .remove = true};
    assert_request(etcd_change_request(&change),
                   "{\"compare\":[{\"target\":\"MOD\",\"result\":\"EQUAL\",\"key\":\"L2E=\","
                   "\"mod_revision\":\"18446744073709551615\"}],\"success\":[{"
                   "\"request_delete_range\":{\"key\":\"L2E=\"}}]}");
    assert_request(etcd_grant_request(10), "{\"TTL\":\"10\"}");
    assert_request(etcd_lease_request(3), "{\"ID\":\"3\"}");
    assert_request(etcd_watch_request(text("/a/"), 8),
                   "{\"create_request\":{\"key\":\"L2Ev\",\"range_end\":\"L2Ew\","
                   "\"start_revision\":\"8\"}}");
}

static void
lists_are_read(void **state)
{
    (void)state;
    struct etcd_entries e;
    assert_int_equal(
        etcd_list_read(text("{" HEADER ",\"kvs\":[{\"key\":\"L2E=\",\"create_revision\":\"2\","
                            "\"mod_revision\":\"5\",\"version\":\"2\",\"value\":\"aGk=\","
                            "\"lease\":\"9\"},{\"key\":\"L2I=\",\"create_revision\":\"6\","
                            "\"mod_revision\":\"6\",\"version\":\"1\"}],\"count\":\"2\"}"),
                       &e),
        DIRECTORY_OK);
    assert_int_equal(e.revision, 7);
    assert_int_equal(e.count, 2);
    assert_memory_equal(e.entries[0].key.at, "/a", 2);
    assert_memory_equal(e.entries[0].value.at, "hi", 2);
    assert_int_equal(e.entries[0].create_revision, 2);
    assert_int_equal(e.entries[0].revision, 5);
    assert_int_equal(e.entries[0].lease, 9);
    assert_int_equal(e.entries[1].value.bytes, 0);
    etcd_entries_free(&e);
    assert_int_equal(etcd_list_read(text("{" HEADER "}"), &e), DIRECTORY_OK);
    assert_int_equal(e.count, 0);
    etcd_entries_free(&e);
}

/* What cannot be an entry is left out, and the others stay. */
static void
entries_that_are_none_are_left_out(void **state)
{
    (void)state;
    struct etcd_entries e;
    assert_int_equal(
        etcd_list_read(text("{" HEADER ",\"kvs\":[7,{},{\"key\":\"!\"},{\"key\":8},"
                            "{\"key\":\"L2E=\",\"create_revision\":\"2\"},"
                            "{\"key\":\"L2E=\",\"mod_revision\":\"2\"},"
                            "{\"key\":\"L2E=\",\"create_revision\":\"-2\",\"mod_revision\":\"x\"},"
                            "{\"key\":\"L2E=\",\"create_revision\":\"2\",\"mod_revision\":\"2\","
                            "\"value\":{}},"
                            "{\"key\":\"L2E=\",\"create_revision\":2,\"mod_revision\":3}]}"),
                       &e),
        DIRECTORY_OK);
    assert_int_equal(e.count, 1);
    assert_int_equal(e.left_out, 8);
    assert_int_equal(e.entries[0].revision, 3);
    etcd_entries_free(&e);
}

static void
changes_are_read(void **state)
{
    (void)state;
    uint64_t revision;
    assert_int_equal(etcd_change_read(text("{" HEADER ",\"succeeded\":true}"), &revision),
                     DIRECTORY_OK);
    assert_int_equal(revision, 7);
    assert_int_equal(etcd_change_read(text("{" HEADER "}"), &revision), DIRECTORY_CONFLICT);
    assert_int_equal(revision, 0);
    assert_int_equal(
        etcd_change_read(text("{\"error\":\"etcdserver: requested lease not found\","
                              "\"message\":\"etcdserver: requested lease not found\",\"code\":5}"),
                         &revision),
        DIRECTORY_GONE);
    /* It may have happened. */
    static const char *const unclear[] = {"",
                                          "null",
                                          "[]",
                                          "{\"succeeded\":true}",
                                          "{\"error\":\"request timed out\",\"code\":14}",
                                          "{}",
                                          "<html>502</html>"};
    for (size_t i = 0; i < sizeof unclear / sizeof *unclear; i++)
        assert_int_equal(etcd_change_read(text(unclear[i]), &revision), DIRECTORY_UNKNOWN);
}

static void
leases_are_read(void **state)
{
    (void)state;
    uint64_t lease;
    assert_int_equal(etcd_grant_read(text("{" HEADER ",\"ID\":\"23\",\"TTL\":\"10\"}"), &lease),
                     DIRECTORY_OK);
    assert_int_equal(lease, 23);
    assert_int_equal(etcd_grant_read(text("{" HEADER "}"), &lease), DIRECTORY_UNKNOWN);
    assert_int_equal(
        etcd_keep_read(text("{\"result\":{" HEADER ",\"ID\":\"23\",\"TTL\":\"10\"}}\n")),
        DIRECTORY_OK);
    assert_int_equal(etcd_keep_read(text("{\"result\":{" HEADER ",\"ID\":\"23\"}}\n")),
                     DIRECTORY_GONE);
    assert_int_equal(etcd_keep_read(text("{\"error\":{\"grpc_code\":14}}")), DIRECTORY_UNKNOWN);
    assert_int_equal(etcd_revoke_read(text("{" HEADER "}")), DIRECTORY_OK);
    assert_int_equal(etcd_revoke_read(text("{\"error\":\"x\",\"code\":5}")), DIRECTORY_GONE);
    assert_int_equal(etcd_revoke_read(text("{\"error\":\"x\",\"code\":14}")), DIRECTORY_UNKNOWN);
}

static void
watches_are_read(void **state)
{
    (void)state;
    struct etcd_entries e;
    assert_int_equal(etcd_watch_read(text("{\"result\":{" HEADER ",\"created\":true}}"), &e),
                     ETCD_WATCH_NOTHING);
    assert_int_equal(
        etcd_watch_read(text("{\"result\":{" HEADER
                             ",\"events\":[{\"kv\":{\"key\":\"L2E=\",\"create_revision\":\"2\","
                             "\"mod_revision\":\"2\",\"version\":\"1\",\"value\":\"aGk=\"}},"
                             "{\"type\":\"DELETE\",\"kv\":{\"key\":\"L2E=\","
                             "\"mod_revision\":\"3\"}}]}}"),
                        &e),
        ETCD_WATCH_NEWS);
    assert_int_equal(e.revision, 7);
    assert_int_equal(e.count, 2);
    assert_int_equal(e.entries[1].create_revision, 0);
    assert_int_equal(e.entries[1].revision, 3);
    etcd_entries_free(&e);
    assert_int_equal(etcd_watch_read(text("{\"result\":{\"header\":{},\"canceled\":true,"
                                          "\"compact_revision\":\"3\"}}"),
                                     &e),
                     ETCD_WATCH_COMPACTED);
    static const char cancelled[] =
        "{\"result\":{" HEADER ",\"canceled\":true,\"cancel_reason\":\"no leader\"}}";
    static const char *const over[] = {
        cancelled, "{\"error\":{\"grpc_code\":14,\"http_code\":503}}", "", "no", "{}"};
    for (size_t i = 0; i < sizeof over / sizeof *over; i++)
        assert_int_equal(etcd_watch_read(text(over[i]), &e), ETCD_WATCH_CLOSED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(requests_are_what_etcd_takes),
                                       cmocka_unit_test(lists_are_read),
                                       cmocka_unit_test(entries_that_are_none_are_left_out),
                                       cmocka_unit_test(changes_are_read),
                                       cmocka_unit_test(leases_are_read),
                                       cmocka_unit_test(watches_are_read)};
    return cmocka_run_group_tests_name("etcd_json", tests, NULL, NULL);
}
