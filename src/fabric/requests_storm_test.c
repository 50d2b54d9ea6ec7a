/* Nodes that ask each other at random, over links that break, and over links that lie: whatever
 * comes, every request ends exactly once and in time, and nothing is kept.
 */
#include "fabric/requests_fixture.h"
#include <stdio.h>

#define SEEDS         300
#define HOSTILE       1000000 /* messages */
#define ASKED_MAX     512     /* at once */
#define JOBS_MAX      64      /* kept for later */
#define KEPT_BYTES    64
#define KEPT_MESSAGES 256
#define LONG_US       200000

struct pending {
    bool waits;
    int64_t deadline_us;
};

/* A job that is answered later. */
struct later {
    uint32_t node;
    uint64_t job, text;
};

struct kept {
    uint32_t bytes;
    uint8_t at[KEPT_BYTES];
};

struct storm {
    struct talk *talk;
    struct rand rand;
    struct pending pending[ASKED_MAX];
    struct later jobs[JOBS_MAX];
    uint32_t jobs_count;
    struct kept kept[KEPT_MESSAGES]; /* to be said again */
    uint64_t ends[3], parts, delivered, others;
    bool hostile;
};

static uint32_t
below(struct storm *s, uint32_t limit)
{
    return rand_below(&s->rand, limit);
}

static void
answered(void *ctx, uint64_t n, enum request_end end, bool part, struct slice body)
{
    struct storm *s = ctx;
    struct pending *p = &s->pending[n];
    assert_true(p->waits);
    assert_true(s->talk->time.now_us <= p->deadline_us + 2 * REQUESTS_TICK_US);
    if (part) {
        s->parts++;
        return;
    }
    p->waits = false;
    s->ends[end]++;
    uint64_t said;
    if (end != REQUEST_DONE || s->hostile)
        return;
    assert_int_equal(body.bytes, sizeof said);
    memcpy(&said, body.at, sizeof said);
    assert_int_equal(said, n);
}

static void
asked(void *ctx, uint32_t peer, uint64_t job, struct slice body, int64_t deadline_us)
{
    struct talk_node *node = ctx;
    struct storm *s = node->talk->ctx;
    assert_true(peer != node->number && deadline_us > s->talk->time.now_us - 1000);
    uint32_t choice = below(s, 8);
    if (choice == 0) {
        requests_reject(node->requests, job);
    } else if (choice < 4 && s->jobs_count < JOBS_MAX) {
        struct later *later = &s->jobs[s->jobs_count++];
        *later = (struct later){.node = node->number, .job = job};
        memcpy(&later->text, body.at, body.bytes < sizeof later->text ? body.bytes : 8);
        if (choice == 1)
            requests_reply(node->requests, job, true, body);
    } else if (choice > 3) {
        requests_reply(node->requests, job, false, body);
    }
    /* Else it is forgotten: the deadline ends it. */
}

static void
ask_somebody(struct storm *s)
{
    uint32_t n = below(s, ASKED_MAX), from = below(s, TALK_NODES);
    uint32_t to = (from + 1 + below(s, TALK_NODES - 1)) % TALK_NODES;
    struct pending *p = &s->pending[n];
    if (p->waits)
        return;
    uint64_t text = n;
    int64_t timeout_us = 1 + below(s, below(s, 2) == 0 ? LONG_US : 5000);
    const struct slice body = {.at = (const uint8_t *)&text, .bytes = sizeof text};
    enum err error = requests_ask(s->talk->nodes[from].requests, to, REQUEST_TEST, body, timeout_us,
                                  answered, s, n);
    assert_int_equal(error, s->talk->nodes[from].full);
    if (error == OK)
        *p = (struct pending){.waits = true, .deadline_us = s->talk->time.now_us + timeout_us};
}

static void
work_on(struct storm *s)
{
    if (s->jobs_count == 0)
        return;
    uint32_t i = below(s, s->jobs_count);
    const struct later later = s->jobs[i];
    s->jobs[i] = s->jobs[--s->jobs_count];
    const struct slice body = {.at = (const uint8_t *)&later.text, .bytes = sizeof later.text};
    requests_reply(s->talk->nodes[later.node].requests, later.job, false, body);
}

/* A line breaks, or clogs so that its lane is full, or what was said is lost with it. */
static void
fault(struct storm *s)
{
    uint32_t a = below(s, TALK_NODES), b = (a + 1 + below(s, TALK_NODES - 1)) % TALK_NODES;
    switch (below(s, 3)) {
    case 0: s->talk->nodes[a].full = s->talk->nodes[a].full == OK ? ERR_FULL : OK; break;
    case 1: s->talk->cut[a][b] = !s->talk->cut[a][b]; break;
    default:
        requests_peer_down(s->talk->nodes[a].requests, b);
        if (below(s, 2) == 0)
            requests_peer_down(s->talk->nodes[b].requests, a);
        break;
    }
}

static struct storm *
storm_open(uint64_t seed)
{
    struct storm *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->talk = talk_open(seed, 3000);
    s->talk->ctx = s;
    rand_seed(&s->rand, seed);
    for (uint32_t i = 0; i < TALK_NODES; i++)
        requests_serve(s->talk->nodes[i].requests, REQUEST_TEST, asked, &s->talk->nodes[i]);
    return s;
}

/* Everybody is silent from now on: what is open ends by its deadline. */
static void
storm_close(struct storm *s, int64_t longest_us)
{
    for (uint32_t i = 0; i < TALK_NODES; i++)
        s->talk->nodes[i].full = ERR_CLOSED;
    talk_run(s->talk, longest_us / 1000 + 100);
    for (uint32_t i = 0; i < ASKED_MAX; i++)
        assert_false(s->pending[i].waits);
    for (uint32_t i = 0; i < TALK_NODES; i++) {
        const struct requests_stats *stats = requests_stats(s->talk->nodes[i].requests);
        assert_true(stats->asking == 0 && stats->serving == 0);
        assert_int_equal(stats->asked, stats->done + stats->rejected + stats->late);
    }
    talk_close(s->talk);
    free(s);
}

static void
test_every_request_ends_once(void **state)
{
    (void)state;
    uint64_t ends[3] = {0}, parts = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct storm *s = storm_open(seed);
        for (uint32_t i = 0; i < 400; i++) {
            for (uint32_t k = below(s, 8); k > 0; k--)
                ask_somebody(s);
            for (uint32_t k = below(s, 4); k > 0; k--)
                work_on(s);
            if (below(s, 20) == 0)
                fault(s);
            talk_run(s->talk, below(s, 3));
        }
        for (uint32_t i = 0; i < 3; i++)
            ends[i] += s->ends[i];
        parts += s->parts;
        storm_close(s, LONG_US);
    }
    /* The storm has met everything. */
    assert_true(ends[REQUEST_DONE] > 0 && ends[REQUEST_REJECTED] > 0 && ends[REQUEST_LATE] > 0);
    assert_true(parts > 0);
}

static void
message_keep(struct storm *s, const uint8_t *bytes, size_t n)
{
    struct kept *kept = &s->kept[below(s, KEPT_MESSAGES)];
    kept->bytes = (uint32_t)(n < KEPT_BYTES ? n : KEPT_BYTES);
    memcpy(kept->at, bytes, kept->bytes);
}

/* Something a peer could say that is out of its mind. */
static uint32_t
lie_make(struct storm *s, uint8_t lie[KEPT_BYTES])
{
    const struct kept *kept = &s->kept[below(s, KEPT_MESSAGES)];
    uint32_t n = kept->bytes;
    memcpy(lie, kept->at, n);
    switch (below(s, 6)) {
    case 0: break; /* said again */
    case 1: n = n > 0 ? below(s, n) : 0; break;
    case 2: /* a cancel, or any word, of what may be there */
        lie[0] = (uint8_t)(REQUESTS_KIND_MIN + below(s, 6));
        n = n < 9 ? n : 9;
        break;
    case 3:
        n = below(s, KEPT_BYTES);
        for (uint32_t i = 0; i < n; i++)
            lie[i] = (uint8_t)below(s, 256);
        break;
    default:
        for (uint32_t flips = below(s, 4) + 1; n > 0 && flips > 0; flips--)
            lie[below(s, n)] ^= (uint8_t)(1U << below(s, 8));
        break;
    }
    return n;
}

static void
deliver_with_lies(void *ctx, struct talk_node *to, uint32_t from, uint8_t *bytes, size_t n)
{
    struct storm *s = ctx;
    message_keep(s, bytes, n);
    if (below(s, 4) > 0)
        assert_true(requests_message(to->requests, from, bytes, n));
    for (uint32_t lies = below(s, 8); lies > 0; lies--) {
        uint8_t lie[KEPT_BYTES] = {0};
        uint32_t lie_bytes = lie_make(s, lie);
        uint32_t liar = (to->number + 1 + below(s, TALK_NODES - 1)) % TALK_NODES;
        s->others += !requests_message(to->requests, liar, lie, lie_bytes);
        s->delivered++;
    }
}

static void
test_lies_harm_nobody(void **state)
{
    (void)state;
    struct storm *s = storm_open(1);
    s->hostile = true;
    s->talk->deliver = deliver_with_lies;
    while (s->delivered < HOSTILE) {
        for (uint32_t k = 0; k < 16; k++)
            ask_somebody(s);
        work_on(s);
        talk_run(s->talk, 1);
    }
    uint64_t malformed = 0, unmatched = 0, cancelled = 0;
    for (uint32_t i = 0; i < TALK_NODES; i++) {
        const struct requests_stats *stats = requests_stats(s->talk->nodes[i].requests);
        malformed += stats->malformed;
        unmatched += stats->unmatched;
        cancelled += stats->cancelled;
    }
    print_message("# %lu lies: %lu malformed, %lu unmatched, %lu cancelled jobs, %lu of others\n",
                  (unsigned long)s->delivered, (unsigned long)malformed, (unsigned long)unmatched,
                  (unsigned long)cancelled, (unsigned long)s->others);
    assert_true(malformed > HOSTILE / 100 && unmatched > HOSTILE / 100 && cancelled > 0);
    assert_true(s->ends[REQUEST_DONE] > 0 && s->ends[REQUEST_LATE] > 0);
    storm_close(s, REQUEST_US_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_request_ends_once),
        cmocka_unit_test(test_lies_harm_nobody),
    };
    return cmocka_run_group_tests_name("requests_storm", tests, NULL, NULL);
}
