#include "os/files.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct room {
    char directory[64];
    char path[128];
};

static int
make_room(void **state)
{
    struct room *room = calloc(1, sizeof *room);
    *state = room;
    return directory_make_temporary(NULL, "files", room->directory, sizeof room->directory) == OK
               ? 0
               : -1;
}

static int
drop_room(void **state)
{
    struct room *room = *state;
    struct file_list list;
    if (file_list(room->directory, "", &list) == OK) {
        for (uint32_t n = 0; n < list.count; n++) {
            snprintf(room->path, sizeof room->path, "%s/%s", room->directory, list.names[n]);
            (void)unlink(room->path);
        }
        file_list_free(&list);
    }
    int failed = rmdir(room->directory);
    free(room);
    return failed;
}

static const char *
path_of(struct room *room, const char *name)
{
    snprintf(room->path, sizeof room->path, "%s/%s", room->directory, name);
    return room->path;
}

static struct slice
text(const char *bytes)
{
    return (struct slice){.at = (const uint8_t *)bytes, .bytes = strlen(bytes)};
}

static void
test_replace_and_read(void **state)
{
    struct room *room = *state;
    struct slice got;
    const char *path = path_of(room, "a");
    assert_int_equal(file_read(path, 100, &got), ERR_NOT_FOUND);
    for (uint32_t round = 0; round < 2; round++) {
        const char *content = round == 0 ? "first, longer" : "second";
        assert_int_equal(file_replace(path, text(content)), OK);
        assert_int_equal(file_read(path, 100, &got), OK);
        assert_int_equal(got.bytes, strlen(content));
        assert_string_equal((const char *)got.at, content); /* also ended by a NUL */
        free((void *)(uintptr_t)got.at);
        assert_int_equal(file_map(path, &got), OK);
        assert_int_equal(got.bytes, strlen(content));
        assert_memory_equal(got.at, content, got.bytes);
        file_unmap(&got);
        assert_null(got.at);
    }
    assert_int_equal(file_read(path, 5, &got), ERR_TOO_LARGE);
    struct file_list list;
    assert_int_equal(file_list(room->directory, "", &list), OK);
    assert_int_equal(list.count, 1); /* nothing was left beside it */
    file_list_free(&list);
}

static void
test_nothing(void **state)
{
    struct room *room = *state;
    struct slice got;
    assert_int_equal(file_replace(path_of(room, "empty"), text("")), OK);
    assert_int_equal(file_map(room->path, &got), OK);
    assert_int_equal(got.bytes, 0);
    file_unmap(&got);
    assert_int_equal(file_map(room->directory, &got), ERR_FORMAT);
    assert_int_equal(file_read(room->directory, 10, &got), ERR_FORMAT);
}

static void
test_private(void **state)
{
    struct room *room = *state;
    struct stat status;
    const char *path = path_of(room, "key");
    assert_int_equal(file_replace_private(path, text("secret")), OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

/* A replacement that fails leaves the old file and nothing else. */
static void
test_failed_replace(void **state)
{
    struct room *room = *state;
    struct slice got;
    const char *path = path_of(room, "kept");
    assert_int_equal(file_replace(path, text("old")), OK);
    assert_true(file_replace("/nonexistent-seom/x", text("new")) != OK);
    assert_int_equal(file_replace(room->directory, text("new")) != OK,
                     1); /* a directory stands in its place */
    assert_int_equal(file_read(path, 10, &got), OK);
    assert_string_equal((const char *)got.at, "old");
    free((void *)(uintptr_t)got.at);
    struct file_list list;
    assert_int_equal(file_list(room->directory, "", &list), OK);
    assert_int_equal(list.count, 1);
    file_list_free(&list);
}

static void
test_list(void **state)
{
    struct room *room = *state;
    const char *names[] = {"10.island", "2.island", "3.island.XXXX", "island", "1.island"};
    for (uint32_t n = 0; n < 5; n++) {
        assert_int_equal(file_replace(path_of(room, names[n]), text("x")), OK);
    }
    assert_int_equal(directory_make(path_of(room, "d.island")), OK);
    assert_int_equal(directory_make(room->path), OK);
    struct file_list list;
    assert_int_equal(file_list(room->directory, ".island", &list), OK);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.names[0], "1.island");
    assert_string_equal(list.names[1], "10.island");
    assert_string_equal(list.names[2], "2.island");
    file_list_free(&list);
    assert_int_equal(rmdir(path_of(room, "d.island")), 0);
    assert_int_equal(file_list(path_of(room, "none"), "", &list), ERR_NOT_FOUND);
    assert_true(directory_make(path_of(room, "island")) != OK); /* a file is in the way */
}

static void
temporary_directories_stand_where_they_are_told_to(void **state)
{
    const struct room *room = *state;
    char path[sizeof room->directory + 32], again[sizeof path], *before = getenv("TMPDIR");
    size_t below = strlen(room->directory) + strlen("/seom-x-");
    struct stat found;
    before = before != NULL ? strdup(before) : NULL;
    assert_int_equal(setenv("TMPDIR", room->directory, 1), 0);
    assert_int_equal(directory_make_temporary(NULL, "x", path, sizeof path), OK);
    assert_int_equal(directory_make_temporary(NULL, "x", again, sizeof again), OK);
    assert_string_not_equal(path, again);
    assert_memory_equal(path, room->directory, strlen(room->directory));
    assert_memory_equal(path + below - strlen("/seom-x-"), "/seom-x-", strlen("/seom-x-"));
    assert_int_equal(strlen(path), below + 6);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0700);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(again), 0);
    assert_int_equal(directory_make_temporary(room->directory, "y", path, below + 6),
                     ERR_TOO_LARGE);
    assert_int_equal(directory_make_temporary(room->directory, "y", path, below + 7), OK);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(directory_make_temporary("/nowhere", "x", path, sizeof path), ERR_NOT_FOUND);
    assert_int_equal(setenv("TMPDIR", "", 1), 0);
    assert_int_equal(directory_make_temporary(NULL, "x", path, sizeof path), OK);
    assert_memory_equal(path, "/tmp/seom-x-", strlen("/tmp/seom-x-"));
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(before != NULL ? setenv("TMPDIR", before, 1) : unsetenv("TMPDIR"), 0);
    free(before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replace_and_read, make_room, drop_room),
        cmocka_unit_test_setup_teardown(test_private, make_room, drop_room),
        cmocka_unit_test_setup_teardown(test_nothing, make_room, drop_room),
        cmocka_unit_test_setup_teardown(test_failed_replace, make_room, drop_room),
        cmocka_unit_test_setup_teardown(test_list, make_room, drop_room),
        cmocka_unit_test_setup_teardown(temporary_directories_stand_where_they_are_told_to,
                                        make_room, drop_room),
    };
    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
