#include "base/check_expect.h"
#include "fabric/requests.h"
#include "fabric/requests_fixture.h"

#define TEXT(text) ((struct slice){.at = (const uint8_t *)(text), .bytes = strlen(text)})

/* What the asker heard of one request. */
struct heard {
    uint32_t parts, ends;
    enum request_end end;
    char text[64];
    size_t text_bytes;
    int64_t end_us;
    struct talk *talk;
};

/* What the worker does. */
enum manner { AT_ONCE, REFUSES, KEEPS, PARTS_AND_MORE };

struct scene {
    struct talk *talk;
    struct requests *asker, *worker;
    struct heard heard[4];
    enum manner manner;
    uint32_t asked;
    uint64_t job;
    int64_t deadline_us;
};

static void
answered(void *ctx, uint64_t n, enum request_end end, bool part, struct slice body)
{
    struct scene *s = ctx;
    struct heard *h = &s->heard[n];
    assert_int_equal(h->ends, 0);
    assert_true(h->text_bytes + body.bytes < sizeof h->text);
    if (body.bytes > 0)
        memcpy(h->text + h->text_bytes, body.at, body.bytes);
    h->text_bytes += body.bytes;
    if (part) {
        assert_int_equal(end, REQUEST_DONE);
        h->parts++;
        return;
    }
    h->ends++;
    h->end = end;
    h->end_us = s->talk->time.now_us;
}

static void
asked(void *ctx, uint32_t peer, uint64_t job, struct slice body, int64_t deadline_us)
{
    struct scene *s = ctx;
    assert_true(peer == 0 || peer == 2);
    s->asked++;
    s->job = job;
    s->deadline_us = deadline_us;
    assert_true(requests_is_wanted(s->worker, job));
    switch (s->manner) {
    case AT_ONCE: requests_reply(s->worker, job, false, body); break;
    case REFUSES: requests_reject(s->worker, job); break;
    case PARTS_AND_MORE: requests_reply(s->worker, job, true, TEXT("a")); break;
    case KEEPS: break;
    }
}

static int
set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->talk = talk_open(3, 500);
    s->asker = s->talk->nodes[0].requests;
    s->worker = s->talk->nodes[1].requests;
    requests_serve(s->worker, REQUEST_TEST, asked, s);
    *state = s;
    return 0;
}

static int
tear_down(void **state)
{
    struct scene *s = *state;
    talk_close(s->talk);
    free(s);
    return 0;
}

static enum err
ask(struct scene *s, uint64_t n, const char *text, int64_t timeout_us)
{
    return requests_ask(s->asker, 1, REQUEST_TEST, TEXT(text), timeout_us, answered, s, n);
}

static void
check_empty(struct scene *s)
{
    for (uint32_t i = 0; i < TALK_NODES; i++) {
        const struct requests_stats *stats = requests_stats(s->talk->nodes[i].requests);
        assert_true(stats->asking == 0 && stats->serving == 0);
        assert_int_equal(requests_turn(s->talk->nodes[i].requests), INT64_MAX);
    }
}

static void
test_an_immediate_answer_is_one_message(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, 0, "echo", REQUEST_ONE_US), OK);
    assert_int_equal(s->heard[0].ends, 0);
    assert_true(requests_turn(s->asker) <= s->talk->time.now_us + REQUESTS_TICK_US);
    talk_run(s->talk, 2);
    assert_true(s->heard[0].ends == 1 && s->heard[0].end == REQUEST_DONE);
    assert_string_equal(s->heard[0].text, "echo");
    assert_int_equal(s->talk->sent, 2);
    assert_int_equal(requests_stats(s->worker)->served, 1);
    check_empty(s);
}

static void
test_a_late_answer_is_accepted_first(void **state)
{
    struct scene *s = *state;
    s->manner = KEEPS;
    assert_int_equal(ask(s, 0, "", REQUEST_ONE_US), OK);
    talk_run(s->talk, 100);
    assert_true(requests_stats(s->asker)->accepted == 1 && s->heard[0].ends == 0);
    assert_int_equal(requests_stats(s->worker)->serving, 1);
    int64_t off_us = s->deadline_us - s->talk->time.now_us - (REQUEST_ONE_US - 100000);
    assert_true(off_us >= 0 && off_us <= 1000);
    requests_reply(s->worker, s->job, false, TEXT("done"));
    talk_run(s->talk, 2);
    assert_string_equal(s->heard[0].text, "done");
    assert_int_equal(s->talk->sent, 3);
    check_empty(s);
}

static void
test_refusals(void **state)
{
    struct scene *s = *state;
    s->manner = REFUSES;
    assert_int_equal(ask(s, 0, "x", REQUEST_ONE_US), OK);
    assert_int_equal(requests_ask(s->asker, 1, REQUEST_NOTE, TEXT("nobody serves that"),
                                  REQUEST_ONE_US, answered, s, 1),
                     OK);
    talk_run(s->talk, 2);
    s->manner = KEEPS; /* accepts, and thinks better of it */
    assert_int_equal(ask(s, 2, "x", REQUEST_ONE_US), OK);
    talk_run(s->talk, 2);
    requests_reject(s->worker, s->job);
    talk_run(s->talk, 2);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(s->heard[i].ends == 1 && s->heard[i].end == REQUEST_REJECTED);
    assert_int_equal(requests_stats(s->worker)->refused, 3);
    check_empty(s);
}

static void
test_a_stream_of_parts(void **state)
{
    struct scene *s = *state;
    s->manner = PARTS_AND_MORE;
    assert_int_equal(ask(s, 0, "x", REQUEST_ONE_US), OK);
    talk_run(s->talk, 2);
    assert_true(s->heard[0].parts == 1 && s->heard[0].ends == 0);
    requests_reply(s->worker, s->job, true, TEXT("b"));
    requests_reply(s->worker, s->job, true, TEXT(""));
    requests_reply(s->worker, s->job, false, TEXT("c"));
    talk_run(s->talk, 2);
    assert_true(s->heard[0].parts == 3 && s->heard[0].ends == 1);
    assert_string_equal(s->heard[0].text, "abc");
    assert_int_equal(s->talk->sent, 5); /* the first part says that it was accepted */
    check_empty(s);
    EXPECT_CHECK({
        s->manner = PARTS_AND_MORE;
        assert_int_equal(ask(s, 1, "x", REQUEST_ONE_US), OK);
        talk_run(s->talk, 2);
        requests_reject(s->worker, s->job);
    });
}

static void
test_a_deadline_ends_it_on_both_sides(void **state)
{
    struct scene *s = *state;
    s->manner = KEEPS;
    int64_t begin_us = s->talk->time.now_us;
    assert_int_equal(ask(s, 0, "x", REQUEST_MANY_US), OK);
    talk_run(s->talk, 50);
    assert_true(requests_is_wanted(s->worker, s->job));
    talk_run(s->talk, 100);
    assert_true(s->heard[0].ends == 1 && s->heard[0].end == REQUEST_LATE);
    int64_t took_us = s->heard[0].end_us - begin_us;
    assert_true(took_us >= REQUEST_MANY_US && took_us <= REQUEST_MANY_US + 2 * REQUESTS_TICK_US);
    assert_false(requests_is_wanted(s->worker, s->job));
    requests_reply(s->worker, s->job, false, TEXT("too late"));
    requests_reject(s->worker, s->job);
    assert_int_equal(requests_stats(s->worker)->unmatched, 2);
    check_empty(s);
}

static void
test_a_cancel_frees_the_worker(void **state)
{
    struct scene *s = *state;
    s->manner = KEEPS;
    s->talk->delay_us_max = 0;
    assert_int_equal(ask(s, 0, "x", 105000), OK);
    talk_run(s->talk, 150);
    assert_int_equal(requests_stats(s->worker)->cancelled + requests_stats(s->worker)->expired, 1);
    /* Where the cancel is lost, the worker's own deadline does. */
    assert_int_equal(ask(s, 1, "x", 105000), OK);
    talk_run(s->talk, 2);
    s->talk->cut[0][1] = true;
    talk_run(s->talk, 150);
    assert_true(requests_stats(s->worker)->expired >= 1);
    s->talk->cut[0][1] = false;
    check_empty(s);
    /* A worker that is slow to hear of time passing. */
    assert_int_equal(ask(s, 2, "x", 105000), OK);
    events_run(&s->talk->time, s->talk->time.now_us + 150000);
    (void)requests_turn(s->asker);
    uint64_t cancelled = requests_stats(s->worker)->cancelled;
    events_run(&s->talk->time, s->talk->time.now_us + 1000);
    assert_int_equal(requests_stats(s->worker)->cancelled, cancelled + 1);
    assert_int_equal(s->heard[2].end, REQUEST_LATE);
    check_empty(s);
}

static void
test_a_peer_that_goes_down(void **state)
{
    struct scene *s = *state;
    s->manner = KEEPS;
    assert_int_equal(ask(s, 0, "x", REQUEST_ONE_US), OK);
    assert_int_equal(
        requests_ask(s->asker, 2, REQUEST_TEST, TEXT("other"), REQUEST_ONE_US, answered, s, 1), OK);
    events_run(&s->talk->time, s->talk->time.now_us + 400); /* no answer is back yet */
    s->talk->cut[2][0] = true;
    talk_run(s->talk, 2);
    requests_peer_down(s->asker, 1);
    uint64_t job = s->job;
    assert_int_equal(requests_ask(s->talk->nodes[2].requests, 1, REQUEST_TEST, TEXT("third"),
                                  REQUEST_ONE_US, answered, s, 2),
                     OK);
    talk_run(s->talk, 2);
    requests_peer_down(s->worker, 0);
    assert_true(s->heard[0].ends == 1 && s->heard[0].end == REQUEST_LATE);
    assert_int_equal(s->heard[1].ends, 0);
    assert_false(requests_is_wanted(s->worker, job));
    assert_true(requests_is_wanted(s->worker, s->job)); /* somebody else's */
    requests_peer_down(s->worker, 2);
    requests_peer_down(s->talk->nodes[2].requests, 1);
    assert_int_equal(s->heard[2].ends, 1);
    requests_peer_down(s->asker, 2);
    assert_true(s->heard[1].ends == 1);
    check_empty(s);
}

static void
test_what_is_not_sent_leaves_nothing(void **state)
{
    struct scene *s = *state;
    static uint8_t large[REQUEST_BYTES_MAX + 1];
    struct slice body = {.at = large, .bytes = sizeof large};
    assert_int_equal(requests_ask(s->asker, 1, REQUEST_TEST, body, 1000, answered, s, 0),
                     ERR_TOO_LARGE);
    s->talk->nodes[0].full = ERR_FULL;
    assert_int_equal(ask(s, 0, "x", 1000), ERR_FULL);
    s->talk->nodes[0].full = ERR_CLOSED;
    assert_int_equal(ask(s, 0, "x", 1000), ERR_CLOSED);
    check_empty(s);
    talk_run(s->talk, 100);
    assert_int_equal(s->heard[0].ends, 0);
    /* An answer that the link does not take: the deadline ends it. */
    s->talk->nodes[0].full = OK;
    s->talk->nodes[1].full = ERR_FULL;
    assert_int_equal(ask(s, 0, "x", 50000), OK);
    talk_run(s->talk, 100);
    assert_int_equal(s->heard[0].end, REQUEST_LATE);
    assert_int_equal(requests_stats(s->worker)->unsent, 1);
    EXPECT_CHECK((void)(ask(s, 0, "x", 0) == OK));
    EXPECT_CHECK((void)(ask(s, 0, "x", REQUEST_US_MAX + 1) == OK));
}

static void
count_end(void *ctx, uint64_t n, enum request_end end, bool part, struct slice body)
{
    (void)part;
    (void)body;
    uint32_t *ends = ctx;
    assert_true(n < 2);
    ends[end]++;
}

static void
test_both_tables_are_bounded(void **state)
{
    struct scene *s = *state;
    s->manner = KEEPS;
    uint32_t here[3] = {0}, there[3] = {0};
    for (uint32_t i = 0; i < REQUESTS_MAX; i++)
        assert_int_equal(
            requests_ask(s->asker, 1, REQUEST_TEST, TEXT("x"), REQUEST_ONE_US, count_end, here, 0),
            OK);
    assert_int_equal(ask(s, 0, "x", REQUEST_ONE_US), ERR_FULL);
    talk_run(s->talk, 2);
    assert_int_equal(requests_stats(s->worker)->serving, REQUESTS_MAX);
    /* Another asker finds the worker full. */
    struct requests *other = s->talk->nodes[2].requests;
    assert_int_equal(
        requests_ask(other, 1, REQUEST_TEST, TEXT("x"), REQUEST_ONE_US, count_end, there, 1), OK);
    talk_run(s->talk, 2);
    assert_int_equal(there[REQUEST_REJECTED], 1);
    talk_run(s->talk, 6000);
    assert_int_equal(here[REQUEST_LATE], REQUESTS_MAX);
    check_empty(s);
}

static void
test_what_is_no_message(void **state)
{
    struct scene *s = *state;
    static uint8_t large[REQUEST_BYTES_MAX + 32] = {REQUESTS_KIND_MIN};
    const struct requests_stats *stats = requests_stats(s->worker);
    for (uint32_t kind = 0; kind < 256; kind++) {
        uint8_t bytes[1] = {(uint8_t)kind};
        bool ours = kind >= REQUESTS_KIND_MIN && kind <= REQUESTS_KIND_MAX;
        assert_true(requests_message(s->worker, 0, bytes, 1) == ours);
    }
    assert_false(requests_message(s->worker, 0, large, 0));
    assert_int_equal(stats->malformed, 6);
    assert_true(requests_message(s->worker, 0, large, sizeof large));
    assert_true(requests_message(s->worker, 0, large, 13)); /* one byte short of an ask */
    uint8_t cancel[10] = {REQUESTS_KIND_MAX};
    assert_true(requests_message(s->worker, 0, cancel, 10)); /* one too many */
    assert_int_equal(stats->malformed, 9);
    assert_true(requests_message(s->worker, 0, cancel, 9));
    assert_int_equal(stats->unmatched, 1);
    assert_true(requests_message(s->worker, 0, large, 14)); /* of no kind */
    large[9] = REQUEST_TEST;
    assert_true(requests_message(s->worker, 0, large, 14)); /* no time is left */
    assert_true(stats->refused == 2 && s->asked == 0);
}

/* Answers of somebody else, answers said twice, an ask said twice, a refusal behind a part. */
static void
test_answers_that_match_nothing(void **state)
{
    struct scene *s = *state;
    s->manner = KEEPS;
    uint8_t answer[9] = {67};
    assert_int_equal(ask(s, 0, "x", REQUEST_ONE_US), OK);
    uint8_t again[14];
    memcpy(again, s->talk->last, sizeof again);
    talk_run(s->talk, 2);
    assert_true(requests_message(s->worker, 0, again, sizeof again));
    assert_true(requests_stats(s->worker)->malformed == 1 && s->asked == 1);
    memcpy(answer + 1, again + 1, 8); /* a part of what was asked */
    assert_true(requests_message(s->asker, 2, answer, sizeof answer));
    assert_true(requests_stats(s->asker)->unmatched == 1 && s->heard[0].parts == 0);
    assert_true(requests_message(s->asker, 1, answer, sizeof answer));
    assert_int_equal(s->heard[0].parts, 1);
    answer[0] = 66; /* a refusal */
    assert_true(requests_message(s->asker, 1, answer, sizeof answer));
    assert_true(s->heard[0].end == REQUEST_LATE && requests_stats(s->asker)->malformed == 1);
    assert_true(requests_message(s->asker, 1, answer, sizeof answer));
    assert_int_equal(requests_stats(s->asker)->unmatched, 2);
}

static void
test_mutants_are_wrong(void **state)
{
    struct scene *s = *state;
    uint8_t cancel[9] = {REQUESTS_KIND_MAX, 1};
    requests_set_mutant(s->worker, REQUESTS_MUTANT_ASSERT_CANCEL);
    EXPECT_CHECK((void)requests_message(s->worker, 0, cancel, sizeof cancel));
    s->manner = KEEPS;
    requests_set_mutant(s->asker, REQUESTS_MUTANT_NO_DEADLINE);
    assert_int_equal(ask(s, 0, "x", REQUEST_MANY_US), OK);
    talk_run(s->talk, 1000);
    assert_int_equal(s->heard[0].ends, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_immediate_answer_is_one_message),
        TEST(test_a_late_answer_is_accepted_first),
        TEST(test_refusals),
        TEST(test_a_stream_of_parts),
        TEST(test_a_deadline_ends_it_on_both_sides),
        TEST(test_a_cancel_frees_the_worker),
        TEST(test_a_peer_that_goes_down),
        TEST(test_what_is_not_sent_leaves_nothing),
        TEST(test_both_tables_are_bounded),
        TEST(test_what_is_no_message),
        TEST(test_answers_that_match_nothing),
        TEST(test_mutants_are_wrong),
    };
    return cmocka_run_group_tests_name("requests", tests, NULL, NULL);
}
