#include "watch/metrics.h"
#include "wire/code.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

static char text[METRICS_TEXT_MAX + 1];

static struct metrics *
sample(void)
{
    struct metrics *m = calloc(1, sizeof *m);
    assert_non_null(m);
    strcpy(m->world, "1");
    strcpy(m->node, "dev");
    strcpy(m->host, "isle");
    strcpy(m->version, "0.1.0");
    strcpy(m->revision, "abc");
    m->values[METRIC_PLAYERS] = 12;
    m->values[METRIC_ENCODES_PER_CHANGE] = 1.25;
    m->values[METRIC_BYTES_SENT] = 123456789012345;
    m->values[METRIC_DROPS + METRIC_NAMED_silent] = 3;
    m->values[METRIC_RING_FULL + METRIC_NAMED_logic_to_gate] = 7;
    m->values[METRIC_LINKS + METRIC_OF_up] = 2;
    m->links_count = 2;
    strcpy(m->links[0].peer, "home-2");
    m->links[0].values[LINK_METRIC_REFUSED + METRIC_OF_request] = 4;
    strcpy(m->links[1].peer, "gate-1");
    m->links[1].values[LINK_METRIC_UP] = 1;
    hist_add(&m->histograms_us[METRIC_TICK], 90);
    hist_add(&m->histograms_us[METRIC_TICK], 3000);
    hist_add(&m->histograms_us[METRIC_TICK], 20000000);
    return m;
}

static const char *
render(const struct metrics *m)
{
    struct writer w = writer_over(text, METRICS_TEXT_MAX);
    metrics_text(m, &w);
    assert_true(writer_ok(&w));
    text[writer_used(&w)] = '\0';
    return text;
}

static void
assert_has(const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("not told: %s", part);
}

static void
values_are_told_with_their_labels(void **state)
{
    (void)state;
    struct metrics *m = sample();
    render(m);
    assert_has("# TYPE seom_players gauge\n");
    assert_has("\nseom_players{world=\"1\",node=\"dev\",host=\"isle\"} 12\n");
    assert_has("\nseom_encodes_per_change{world=\"1\",node=\"dev\",host=\"isle\"} 1.25\n");
    assert_has("# TYPE seom_bytes_sent_total counter\n");
    assert_has("\nseom_bytes_sent_total{world=\"1\",node=\"dev\",host=\"isle\"} 123456789012345\n");
    assert_has("host=\"isle\",cause=\"silent\"} 3\n");
    assert_has("host=\"isle\",cause=\"malformed\"} 0\n");
    assert_has("host=\"isle\",ring=\"logic_to_gate\"} 7\n");
    assert_has("host=\"isle\",ring=\"gate_to_logic\"} 0\n");
    assert_has("version=\"0.1.0\",revision=\"abc\"} 1\n");
    free(m);
}

static void
links_are_one_family_with_a_label_for_the_other_end(void **state)
{
    (void)state;
    struct metrics *m = sample();
    render(m);
    assert_has("host=\"isle\",state=\"up\"} 2\n");
    assert_has("# TYPE seom_link_up gauge\n"
               "seom_link_up{world=\"1\",node=\"dev\",host=\"isle\",peer=\"home-2\"} 0\n"
               "seom_link_up{world=\"1\",node=\"dev\",host=\"isle\",peer=\"gate-1\"} 1\n#");
    assert_has("host=\"isle\",peer=\"home-2\",lane=\"request\"} 4\n");
    assert_has("# TYPE seom_link_queue_bytes gauge\n");
    m->links_count = 0; /* a node without links still says which families there are */
    render(m);
    assert_has("# TYPE seom_link_up gauge\n# HELP");
    free(m);
}

/* As many links as there may be, with the longest labels that there may be. */
static void
all_links_fit(void **state)
{
    (void)state;
    struct metrics *m = sample();
    memset(m->host, '"', sizeof m->host - 1);
    memset(m->node, '\\', sizeof m->node - 1);
    m->links_count = METRICS_LINKS_MAX;
    for (uint32_t i = 0; i < METRICS_LINKS_MAX; i++) {
        snprintf(m->links[i].peer, METRICS_PEER_MAX, "relay-65535-%u", 65000 + i);
        for (int value = 0; value < LINK_METRIC_COUNT; value++)
            m->links[i].values[value] = 123456789012345;
    }
    render(m);
    free(m);
}

static void
a_histogram_is_cumulative_and_in_seconds(void **state)
{
    (void)state;
    struct metrics *m = sample();
    render(m);
    assert_has(
        "seom_tick_seconds_bucket{world=\"1\",node=\"dev\",host=\"isle\",le=\"0.0001\"} 1\n");
    assert_has(
        "seom_tick_seconds_bucket{world=\"1\",node=\"dev\",host=\"isle\",le=\"0.0025\"} 1\n");
    assert_has("seom_tick_seconds_bucket{world=\"1\",node=\"dev\",host=\"isle\",le=\"0.005\"} 2\n");
    assert_has("seom_tick_seconds_bucket{world=\"1\",node=\"dev\",host=\"isle\",le=\"10\"} 2\n");
    assert_has("seom_tick_seconds_bucket{world=\"1\",node=\"dev\",host=\"isle\",le=\"+Inf\"} 3\n");
    assert_has("seom_tick_seconds_sum{world=\"1\",node=\"dev\",host=\"isle\"} 20.00309\n");
    assert_has("seom_tick_seconds_count{world=\"1\",node=\"dev\",host=\"isle\"} 3\n");
    free(m);
}

static void
labels_are_escaped(void **state)
{
    (void)state;
    struct metrics *m = sample();
    strcpy(m->host, "a\"b\\c\nd");
    render(m);
    assert_has("host=\"a\\\"b\\\\c\\nd\"} 12\n");
    memset(m->host, '"', sizeof m->host - 1);
    memset(m->node, '\\', sizeof m->node - 1);
    memset(m->revision, '\n', sizeof m->revision - 1);
    render(m); /* the longest labels still fit their lines */
    free(m);
}

static void
a_snapshot_that_does_not_fit_is_told(void **state)
{
    (void)state;
    struct metrics *m = sample();
    struct writer w = writer_over(text, 100);
    metrics_text(m, &w);
    assert_false(writer_ok(&w));
    free(m);
}

/* The causes are the closed list of codes: none forgotten, none invented. */
static void
every_code_is_a_cause(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < METRIC_CAUSE_COUNT; code++)
        assert_true(code_is_known(code));
    assert_false(code_is_known(METRIC_CAUSE_COUNT));
    assert_string_equal(code_name(METRIC_NAMED_too_slow), "TOO_SLOW");
    assert_string_equal(code_name(METRIC_NAMED_retry_after), "RETRY_AFTER");
    assert_string_equal(code_name(METRIC_NAMED_left), "LEFT");
}

static void
promtool_finds_nothing_to_complain_about(void **state)
{
    (void)state;
    if (system("command -v promtool >/dev/null") != 0) {
        print_message("promtool is not installed\n");
        skip();
    }
    struct metrics *m = sample();
    FILE *promtool = popen("promtool check metrics >/dev/null 2>&1", "w");
    assert_non_null(promtool);
    assert_true(fputs(render(m), promtool) >= 0);
    int status = pclose(promtool);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    free(m);
}

static void
the_reference_names_every_metric(void **state)
{
    (void)state;
    static const char *const names[] = {
#define NAME(id, type, name, label, series, doc) "| `seom_" name "` |",
        METRIC_VALUES(NAME)
#undef NAME
#define NAME(id, type, name, label, series, doc) "| `seom_" name "` | ",
            METRIC_LINK_VALUES(NAME)
#undef NAME
#define NAME(id, name, doc) "| `seom_" name "` | histogram |",
                METRIC_HISTOGRAMS(NAME)
#undef NAME
    };
    struct writer w = writer_over(text, METRICS_TEXT_MAX);
    metrics_reference(&w);
    assert_true(writer_ok(&w));
    text[writer_used(&w)] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_has(names[i]);
    assert_has("| `bad_ticket` |");
    assert_has("| `gate_to_logic` |");
    assert_has("| `seom_build_info` | gauge | `version`, `revision` |");
    assert_has("| `seom_link_refused_total` | counter | `peer`, `lane` |");
    assert_has("| `seom_requests_ended_total` | counter | `end` |");
    assert_has("| `late` |");
}

static void
status_is_one_json_object(void **state)
{
    (void)state;
    struct status s = {.players = 5,
                       .bots = 4,
                       .awake_chunks = 9,
                       .tick_ms_p99 = 1.5,
                       .uptime_s = 60,
                       .world_ms = 1LL << 40,
                       .world = 1,
                       .node = "dev",
                       .version = "0.1.0",
                       .play = "127.0.0.1:7777"};
    struct writer w = writer_over(text, METRICS_TEXT_MAX);
    status_json(&s, &w);
    assert_true(writer_ok(&w));
    json_t *object = json_loadb(text, writer_used(&w), 0, NULL);
    assert_non_null(object);
    assert_int_equal(json_integer_value(json_object_get(object, "players")), 5);
    assert_int_equal(json_integer_value(json_object_get(object, "bots")), 4);
    assert_int_equal(json_integer_value(json_object_get(object, "awake_chunks")), 9);
    assert_true(json_real_value(json_object_get(object, "tick_ms_p99")) == 1.5);
    assert_int_equal(json_integer_value(json_object_get(object, "uptime_s")), 60);
    assert_int_equal(json_integer_value(json_object_get(object, "world_ms")), 1LL << 40);
    assert_string_equal(json_string_value(json_object_get(object, "version")), "0.1.0");
    assert_string_equal(json_string_value(json_object_get(object, "play")), "127.0.0.1:7777");
    json_decref(object);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_told_with_their_labels),
        cmocka_unit_test(links_are_one_family_with_a_label_for_the_other_end),
        cmocka_unit_test(all_links_fit),
        cmocka_unit_test(a_histogram_is_cumulative_and_in_seconds),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(a_snapshot_that_does_not_fit_is_told),
        cmocka_unit_test(every_code_is_a_cause),
        cmocka_unit_test(promtool_finds_nothing_to_complain_about),
        cmocka_unit_test(the_reference_names_every_metric),
        cmocka_unit_test(status_is_one_json_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
