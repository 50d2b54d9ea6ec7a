#include "app/program.h"
#include "os/files.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A program that says text, and ends with code. */
static enum err
asked(const char *text, int code, struct program *out, char why[PROGRAM_WHY_MAX])
{
    char directory[256], path[256 + 8];
    assert_int_equal(directory_make_temporary(NULL, "program", directory, sizeof directory), OK);
    snprintf(path, sizeof path, "%s/seom", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "#!/bin/sh\n[ \"$*\" = version ] && echo '%s'\nexit %d\n", text, code) >
                0);
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
    enum err error = program_ask(path, out, why);
    unlink(path);
    assert_int_equal(rmdir(directory), 0);
    out->path = "new/seom";
    return error;
}

static void
who_is_asked_says_what_he_is(void **state)
{
    (void)state;
    char why[PROGRAM_WHY_MAX] = "";
    struct program p;
    assert_int_equal(asked("{\"revision\":\"x\",\"data_format\":7,\"links\":{\"min\":2,"
                           "\"max\":3}}",
                           0, &p, why),
                     OK);
    assert_int_equal(p.data_format, 7);
    assert_int_equal(p.links_min, 2);
    assert_int_equal(p.links_max, 3);
    /* One of before says nothing about links. */
    assert_int_equal(asked("{\"revision\":\"x\",\"data_format\":7}", 0, &p, why), OK);
    assert_int_equal(p.links_max, 0);
}

static void
what_is_no_seom_is_told(void **state)
{
    (void)state;

    static const struct {
        const char *text;
        int code;
    } rows[] = {{"", 0},
                {"hello", 0},
                {"[]", 0},
                {"{\"revision\":\"x\"}", 0},
                {"{\"revision\":\"x\",\"data_format\":\"7\"}", 0},
                {"{\"revision\":\"x\",\"data_format\":-7}", 0},
                {"{\"revision\":\"x\",\"data_format\":7}", 3}};
    struct program p;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[PROGRAM_WHY_MAX] = "";
        assert_int_equal(asked(rows[i].text, rows[i].code, &p, why), ERR_FORMAT);
        assert_non_null(strstr(why, "is no seom"));
    }
    char why[PROGRAM_WHY_MAX] = "";
    assert_int_equal(program_ask("/nowhere/at/all", &p, why), ERR_FORMAT);
    assert_non_null(strstr(why, "exit code 127"));
}

static enum err
fits(int links_min, int links_max, int data_format, char why[PROGRAM_WHY_MAX])
{
    struct program p = {.path = "new/seom",
                        .links_min = links_min,
                        .links_max = links_max,
                        .data_format = data_format};
    json_t *list = json_pack("{s:i, s:[{s:s, s:[i,i]}, {s:s, s:[i,i]}, {s:s}]}", "data_format", 7,
                             "nodes", "name", "home-1", "protocol", 2, 4, "name", "home-2",
                             "protocol", 3, 3, "name", "home-3");
    enum err error = program_fits(&p, list, why);
    json_decref(list);
    return error;
}

static void
it_must_understand_every_node(void **state)
{
    (void)state;
    char why[PROGRAM_WHY_MAX] = "";
    assert_int_equal(fits(3, 5, 7, why), OK);
    assert_int_equal(fits(1, 3, 7, why), OK);
    assert_int_equal(fits(0, 0, 7, why), OK); /* it does not say: its links will */
    assert_int_equal(fits(4, 5, 7, why), ERR_CONFLICT);
    assert_non_null(strstr(why, "home-2"));
    assert_non_null(strstr(why, "planned maintenance"));
    assert_int_equal(fits(1, 1, 7, why), ERR_CONFLICT);
    assert_non_null(strstr(why, "home-1"));
}

static void
it_must_read_the_data(void **state)
{
    (void)state;
    char why[PROGRAM_WHY_MAX] = "";
    assert_int_equal(fits(3, 3, 8, why), ERR_CONFLICT);
    assert_non_null(strstr(why, "format 8"));
    assert_non_null(strstr(why, "planned maintenance"));
    struct program p = {.path = "new/seom", .data_format = 8};
    json_t *before = json_pack("{s:[]}", "nodes"); /* a keeper that does not say */
    assert_int_equal(program_fits(&p, before, why), OK);
    json_decref(before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_asked_says_what_he_is),
        cmocka_unit_test(what_is_no_seom_is_told),
        cmocka_unit_test(it_must_understand_every_node),
        cmocka_unit_test(it_must_read_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
