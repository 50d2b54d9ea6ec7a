#include "app/commands.h"
#include "app/tool.h"
#include "os/data_lock.h"
#include "os/files.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY "0001/meta/clock"

/* A world's directory with one document in it, and a backup beside it that knows an older one. */
struct fixture {
    char directory[64], copy[96];
    struct tool tool;
};

static void
write_version(struct fixture *f, uint64_t version)
{
    struct slice value = {(const uint8_t *)"\x08\x01", 2};
    struct tool_document found = {.version = version, .exists = version > 0};
    uint64_t now;
    assert_int_equal(tool_put(&f->tool, KEY, &found, value, &now), OK);
    assert_int_equal(now, version + 1);
}

static uint64_t
version_in(struct fixture *f)
{
    static struct tool_document found;
    assert_int_equal(tool_get(&f->tool, KEY, &found), OK);
    return found.version;
}

/* Runs a command quietly; its exit code. */
static int
run(struct fixture *f, int (*command)(int argc, char **argv))
{
    char name[] = "seom", yes[] = "--yes", option[96];
    snprintf(option, sizeof option, "--data=%s", f->directory);
    char *with[] = {name, option, f->copy, yes, NULL};
    FILE *nowhere = tmpfile();
    int saved[2] = {dup(1), dup(2)};
    fflush(NULL);
    dup2(fileno(nowhere), 1);
    dup2(fileno(nowhere), 2);
    int code = command(command == restore_command ? 4 : 3, with);
    fflush(NULL);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    close(saved[0]);
    close(saved[1]);
    fclose(nowhere);
    return code;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(directory_make_temporary(NULL, "backup", f->directory, sizeof f->directory),
                     OK);
    snprintf(f->copy, sizeof f->copy, "%s.copy", f->directory);
    snprintf(f->tool.config.data, sizeof f->tool.config.data, "%s", f->directory);
    struct lmdb_store *store;
    struct lmdb_store_options options = {.directory = f->directory, .map_bytes = 1U << 20};
    assert_int_equal(lmdb_store_open(&options, &store, f->tool.why), OK);
    lmdb_store_close(&store);
    write_version(f, 0);
    assert_int_equal(run(f, backup_command), 0);
    write_version(f, 1);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {
        "store.mdb", "store.mdb-lock", "lock", "operator.log", "store.mdb.before-restore-1",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", f->directory, names[i]);
        unlink(path);
    }
    unlink(f->copy);
    assert_int_equal(rmdir(f->directory), 0);
    free(f);
    return 0;
}

static void
a_backup_is_put_back(void **state)
{
    struct fixture *f = *state;
    char aside[128];
    snprintf(aside, sizeof aside, "%s/store.mdb.before-restore-1", f->directory);
    assert_int_equal(run(f, restore_command), 0);
    assert_int_equal(version_in(f), 1);
    assert_int_equal(access(aside, F_OK), 0);
}

/* A world never stands without a store: the next start would begin a new one. */
static void
no_room_leaves_the_world_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 8192; /* less than the store needs */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int code = run(f, restore_command);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(code, 1);
    assert_int_equal(version_in(f), 2);
}

static void
no_server_may_run(void **state)
{
    struct fixture *f = *state;
    char why[TOOL_WHY_MAX];
    int lock;
    assert_int_equal(data_lock_take(f->directory, &lock, why, sizeof why), OK);
    assert_int_equal(run(f, restore_command), 1);
    data_lock_release(lock);
    assert_int_equal(version_in(f), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_backup_is_put_back, setup, teardown),
        cmocka_unit_test_setup_teardown(no_room_leaves_the_world_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(no_server_may_run, setup, teardown),
    };
    return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
