#include "app/nodes_table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINK(peer, state, unsent)                                                               \
    "{\"peer\":\"" peer "\",\"state\":\"" state "\",\"round_trip_us\":250,\"backlog_us\":1500," \
    "\"unsent_bytes\":" unsent ",\"bytes_out\":12345,\"bytes_in\":700,\"breaks\":2,"            \
    "\"beats_missed\":3,\"refused\":4}"
#define HOME(name, rest)                                                              \
    "{\"name\":\"" name "\",\"role\":\"home\",\"shard\":1,\"pid\":77,\"restarts\":1," \
    "\"address\":\"127.0.0.1:5\",\"version\":\"0.1.0\"," rest "}"
#define SERVING(links)                                                                  \
    "\"state\":\"serving\",\"epoch\":9,\"players\":5,\"links\":1,\"links_expected\":2," \
    "\"queue_wait_p99_us\":1300,\"link_list\":[" links "]"

static char *
table_of(const char *nodes, const char *engines, void (*print)(const json_t *, FILE *))
{
    char text[4096], *out = NULL;
    size_t bytes;
    snprintf(text, sizeof text, "{\"data\":\"/d\",\"nodes\":[%s],\"engines\":[%s],\"bots\":[]}",
             nodes, engines);
    json_t *list = json_loads(text, 0, NULL);
    assert_non_null(list);
    FILE *to = open_memstream(&out, &bytes);
    assert_non_null(to);
    print(list, to);
    assert_int_equal(fclose(to), 0);
    json_decref(list);
    return out;
}

/* Both tables of a list, each line told with one space between its cells. */
static void
expect(const char *nodes, const char *engines, const char *part)
{
    char *out = table_of(nodes, engines, nodes_table_print), *end = out;
    for (const char *c = out; *c != 0; c++) {
        if (*c != ' ' || (end > out && end[-1] != ' '))
            *end++ = *c;
    }
    *end = 0;
    if (strstr(out, part) == NULL)
        fail_msg("\"%s\" does not stand in\n%s", part, out);
    free(out);
}

static size_t
lines_of(const char *nodes, const char *engines)
{
    char *out = table_of(nodes, engines, nodes_table_print);
    size_t lines = 0;
    for (const char *c = out; *c != 0; c++)
        lines += *c == '\n';
    free(out);
    return lines;
}

static void
who_serves_is_a_row_and_no_words(void **state)
{
    (void)state;
    const char *home = HOME("home-1", SERVING(LINK("home-2", "up", "1500")));
    expect(home, "", "\nhome-1 home 1 77 serving 5 1/2 1.5 1.3 1 9 127.0.0.1:5 0.1.0\n");
    assert_int_equal(lines_of(home, ""), 2);
    assert_int_equal(lines_of(home, "{\"name\":\"etcd\",\"role\":\"etcd\",\"state\":\"up\"}"), 3);
}

static void
what_waits_says_for_what_and_how_long(void **state)
{
    (void)state;
    const char *starts =
        HOME("home-2", "\"state\":\"starting\",\"for_s\":7.2,\"waits\":\"a lease\"");
    expect(starts, "", "\nhome-2 home 1 77 starting 1 127.0.0.1:5 0.1.0\n");
    expect(starts, "", " home-2: starting (7 s); it waits for a lease\n");
    expect(HOME("home-2", "\"state\":\"starting\",\"for_s\":7,\"waits\":\"\""), "",
           " home-2: starting (7 s)\n");
    expect(HOME("home-2", "\"state\":\"silent\",\"for_s\":4,\"waits\":\"\""), "",
           " home-2: silent (4 s); it does not answer, see /d/logs/home-2.log\n");
    expect("", "{\"name\":\"etcd\",\"role\":\"etcd\",\"state\":\"ended\"}",
           " etcd has ended and is left so: `seom node start etcd` starts it\n");
    expect(HOME("home-2", "\"state\":\"dies at once\",\"for_s\":1,\"said\":\"no such file\""), "",
           "\n no such file\n");
}

static void
what_a_node_misses_is_named(void **state)
{
    (void)state;
    const char *home = HOME("home-1", SERVING(LINK("home-2", "dead", "0") "," LINK(
                                          "gate-1", "up", "0") "," LINK("gate-2", "down", "0")));
    expect(home, "", " home-1 has no link with home-2 (dead), gate-2 (down)\n");
    assert_int_equal(lines_of(home, ""), 3);
    expect(HOME("home-1", SERVING("") ",\"draining\":true"), "", " serving, closed 5 ");
    expect(HOME("home-1", SERVING("") ",\"store_away\":true"), "", " cannot reach the store: ");
    expect(HOME("home-1", SERVING("") ",\"directory_away_s\":12.3"), "",
           " has no answer of the directory for 12 s: ");
    assert_int_equal(lines_of(HOME("home-1", "\"state\":\"starting\",\"store_away\":true"), ""), 3);
}

static void
links_are_listed_by_name(void **state)
{
    (void)state;
    char *out =
        table_of(HOME("home-1", SERVING(LINK("home-3", "up", "0") "," LINK(
                                    "gate-1", "down", "2048") "," LINK("home-2", "up", "0"))),
                 "", nodes_table_print_links);
    const char *gate = strstr(out, "\nhome-1  gate-1"), *second = strstr(out, "\nhome-1  home-2"),
               *third = strstr(out, "\nhome-1  home-3");
    assert_true(gate != NULL && second != NULL && third != NULL);
    assert_true(gate < second && second < third);
    assert_non_null(strstr(out, "node    linked with  state  trip ms"));
    assert_non_null(
        strstr(gate, "down      0.25        2.0            1.5     12.3          0.7 "));
    free(out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_serves_is_a_row_and_no_words),
        cmocka_unit_test(what_waits_says_for_what_and_how_long),
        cmocka_unit_test(what_a_node_misses_is_named),
        cmocka_unit_test(links_are_listed_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
