#include "app/cluster_saved.h"
#include "os/files.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GIVEN "postgresql://sea:secret@one/sea"
#define ETCD  "http://127.0.0.1:2379"
#define OWN                                                            \
    "{\"world\":1,\"store\":\"postgresql:///x\",\"directory\":\"" ETCD \
    "\",\"members\":[{\"role\":\"postgres\"},{\"role\":\"etcd\"}," HOME "]}"
#define OTHERS \
    "{\"world\":7,\"store\":\"" GIVEN "\",\"directory\":\"" ETCD "\",\"members\":[" HOME "]}"
#define HOME "{\"role\":\"home\",\"shard\":1,\"index\":1}"

struct bench {
    char directory[256], path[256 + 16], why[1024];
    json_t *saved;
};

static int
bench_open(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_int_equal(directory_make_temporary(NULL, "saved", b->directory, sizeof b->directory),
                     OK);
    snprintf(b->path, sizeof b->path, "%s/cluster.json", b->directory);
    *state = b;
    return 0;
}

static int
bench_close(void **state)
{
    struct bench *b = *state;
    json_decref(b->saved);
    unlink(b->path); /* one test has none */
    assert_int_equal(rmdir(b->directory), 0);
    free(b);
    return 0;
}

static void
write_file(const struct bench *b, const char *text)
{
    FILE *file = fopen(b->path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void
load(struct bench *b, const char *text)
{
    write_file(b, text);
    assert_int_equal(cluster_saved_load(b->path, &b->saved, b->why, sizeof b->why), OK);
    assert_non_null(b->saved);
}

static struct cluster_place
place_of(const char *store, const char *directory, int64_t world)
{
    struct cluster_place place = {.world = world, .has_tickets = true};
    snprintf(place.store, sizeof place.store, "%s", store);
    snprintf(place.directory, sizeof place.directory, "%s", directory);
    return place;
}

static void
expect(struct bench *b, struct cluster_place given, const char *store, const char *directory,
       int64_t world)
{
    assert_int_equal(cluster_saved_take(b->saved, b->path, &given, b->why, sizeof b->why), OK);
    assert_string_equal(given.store, store);
    assert_string_equal(given.directory, directory);
    assert_int_equal(given.world, world);
}

static void
expect_refused(struct bench *b, struct cluster_place given, const char *word)
{
    assert_int_equal(cluster_saved_take(b->saved, b->path, &given, b->why, sizeof b->why),
                     ERR_DENIED);
    assert_non_null(strstr(b->why, word));
    assert_non_null(strstr(b->why, "another --data"));
    assert_null(strstr(b->why, "secret"));
}

static void
test_no_file_is_a_new_world(void **state)
{
    struct bench *b = *state;
    assert_int_equal(cluster_saved_load(b->path, &b->saved, b->why, sizeof b->why), OK);
    assert_null(b->saved);
    expect(b, place_of("", "", 0), "", "", 0);
    expect(b, place_of(GIVEN, ETCD, 3), GIVEN, ETCD, 3);
}

static void
test_a_file_that_cannot_be_read_is_none(void **state)
{
    static const char *const broken[] = {
        "",
        "{broken",
        "[]",
        "{}",
        "{\"world\":1,\"store\":\"x\",\"directory\":\"y\",\"members\":[]}",
        "{\"world\":0,\"store\":\"x\",\"directory\":\"y\",\"members\":[" HOME "]}",
        "{\"world\":65536,\"store\":\"x\",\"directory\":\"y\",\"members\":[" HOME "]}",
        "{\"world\":1,\"store\":\"\",\"directory\":\"y\",\"members\":[" HOME "]}",
        "{\"world\":1,\"store\":\"x\",\"directory\":2,\"members\":[" HOME "]}",
        "{\"world\":1,\"store\":\"x\",\"directory\":\"y\",\"members\":{\"role\":\"home\"}}",
    };
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        write_file(b, broken[i]);
        assert_int_equal(cluster_saved_load(b->path, &b->saved, b->why, sizeof b->why), ERR_FORMAT);
        assert_null(b->saved);
        assert_non_null(strstr(b->why, b->path));
        assert_non_null(strstr(b->why, "move it away"));
    }
    assert_int_equal(cluster_saved_load("/tmp", &b->saved, b->why, sizeof b->why), ERR_FORMAT);
    assert_null(b->saved);
}

static void
test_what_nobody_says_is_as_it_was(void **state)
{
    struct bench *b = *state;
    load(b, OTHERS);
    expect(b, place_of("", "", 0), GIVEN, ETCD, 7);
    expect(b, place_of(GIVEN, ETCD, 7), GIVEN, ETCD, 7);
    json_decref(b->saved);
    load(b, OWN);
    expect(b, place_of("", "", 0), "", "", 1);
}

static void
test_another_place_is_refused(void **state)
{
    struct bench *b = *state;
    load(b, OTHERS);
    expect_refused(b, place_of("postgresql://sea:secret@two/sea", "", 0), "another store");
    assert_non_null(strstr(b->why, b->path));
    expect_refused(b, place_of("", "http://127.0.0.1:2380", 0), "another directory");
    expect_refused(b, place_of("", "", 1), "world 7");
    json_decref(b->saved);
    load(b, OWN);
    expect_refused(b, place_of(GIVEN, "", 0), "its own PostgreSQL");
    expect_refused(b, place_of("", ETCD, 0), "its own etcd");
}

/* The first start may have had a slip in it. */
static void
test_without_tickets_there_is_no_world_yet(void **state)
{
    struct bench *b = *state;
    struct cluster_place place = place_of("postgresql:///two", "http://127.0.0.1:2380", 3);
    load(b, OTHERS);
    place.has_tickets = false;
    expect(b, place, "postgresql:///two", "http://127.0.0.1:2380", 3);
    place = place_of("", "", 0);
    place.has_tickets = false;
    expect(b, place, GIVEN, ETCD, 7);
}

#define test(name) cmocka_unit_test_setup_teardown(test_##name, bench_open, bench_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        test(no_file_is_a_new_world), test(a_file_that_cannot_be_read_is_none),
        test(what_nobody_says_is_as_it_was), test(another_place_is_refused),
        test(without_tickets_there_is_no_world_yet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
