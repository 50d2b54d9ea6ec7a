#include "base/trace.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
it_keeps_the_last_records_oldest_first(void **state)
{
    (void)state;
    static struct trace t;
    static char text[TRACE_RECORDS * 64];
    trace_init(&t, "logic");
    assert_int_equal(trace_text(&t, text, sizeof(text)), 0);
    assert_string_equal(text, "");
    for (uint64_t i = 0; i < TRACE_RECORDS + 10; i++)
        trace_add(&t, (int64_t)i - 5, "home.enter", i, 7);
    size_t bytes = trace_text(&t, text, sizeof(text));
    assert_int_equal(bytes, strlen(text));
    const char *first = "logic 5 home.enter 10 7\n";
    const char *last = "\nlogic 260 home.enter 265 7\n";
    assert_memory_equal(text, first, strlen(first));
    assert_string_equal(text + bytes - strlen(last), last);
    unsigned lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, TRACE_RECORDS);
}

static void
a_small_buffer_gets_whole_lines(void **state)
{
    (void)state;
    static struct trace t;
    trace_init(&t, "gate");
    trace_add(&t, 1, "a", 2, 3);
    trace_add(&t, 4, "b", 5, 6);
    const char *both = "gate 1 a 2 3\ngate 4 b 5 6\n";
    char text[64];
    for (size_t room = 1; room <= sizeof(text); room++) {
        size_t bytes = trace_text(&t, text, room);
        size_t expected = room > strlen(both)       ? strlen(both)
                          : room > strlen(both) / 2 ? strlen(both) / 2
                                                    : 0;
        assert_int_equal(bytes, expected);
        assert_int_equal(strlen(text), expected);
        assert_memory_equal(text, both, expected);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_keeps_the_last_records_oldest_first),
        cmocka_unit_test(a_small_buffer_gets_whole_lines),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
