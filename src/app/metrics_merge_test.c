#include "app/metrics_merge.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
families_of_several_nodes_stand_together(void **state)
{
    (void)state;
    static const char home[] = "# HELP seom_players who plays\n# TYPE seom_players gauge\n"
                               "seom_players{node=\"home-1\"} 3\n"
                               "# HELP seom_tick_us of a tick\n# TYPE seom_tick_us histogram\n"
                               "seom_tick_us_bucket{node=\"home-1\",le=\"+Inf\"} 7\n"
                               "seom_tick_us_count{node=\"home-1\"} 7\n";
    static const char gate[] = "# HELP seom_conns open\n# TYPE seom_conns gauge\n"
                               "seom_conns{node=\"gate-1\"} 9\n"
                               "# HELP seom_players who plays\n# TYPE seom_players gauge\n"
                               "seom_players{node=\"gate-1\"} 4"; /* cut off behind a sample */
    static const char expected[] =
        "# HELP seom_players who plays\n# TYPE seom_players gauge\n"
        "seom_players{node=\"home-1\"} 3\nseom_players{node=\"gate-1\"} 4\n"
        "# HELP seom_tick_us of a tick\n# TYPE seom_tick_us histogram\n"
        "seom_tick_us_bucket{node=\"home-1\",le=\"+Inf\"} 7\n"
        "seom_tick_us_count{node=\"home-1\"} 7\n"
        "# HELP seom_conns open\n# TYPE seom_conns gauge\nseom_conns{node=\"gate-1\"} 9\n";
    struct metrics_merge *merge = metrics_merge_alloc();
    metrics_merge_add(merge, home);
    metrics_merge_add(merge, gate);
    char *text = metrics_merge_text(merge);
    assert_string_equal(text, expected);
    free(text);
    metrics_merge_free(&merge);
}

static void
too_many_families_are_left_out(void **state)
{
    (void)state;
    struct metrics_merge *merge = metrics_merge_alloc();
    for (uint32_t i = 0; i < METRICS_MERGE_FAMILIES_MAX + 2; i++) {
        char page[64];
        snprintf(page, sizeof page, "# TYPE f%u gauge\nf%u 1\n", i, i);
        metrics_merge_add(merge, page);
    }
    char *text = metrics_merge_text(merge), last[16], beyond[16];
    snprintf(last, sizeof last, "\nf%d 1\n", METRICS_MERGE_FAMILIES_MAX - 1);
    snprintf(beyond, sizeof beyond, "\nf%d 1\n", METRICS_MERGE_FAMILIES_MAX);
    assert_non_null(strstr(text, last));
    assert_null(strstr(text, beyond));
    free(text);
    metrics_merge_free(&merge);
}

static void
nothing_gives_nothing(void **state)
{
    (void)state;
    struct metrics_merge *merge = metrics_merge_alloc();
    metrics_merge_add(merge, "");
    metrics_merge_add(merge, "no family 1\n");
    char *text = metrics_merge_text(merge);
    assert_string_equal(text, "");
    free(text);
    metrics_merge_free(&merge);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_of_several_nodes_stand_together),
        cmocka_unit_test(too_many_families_are_left_out),
        cmocka_unit_test(nothing_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
