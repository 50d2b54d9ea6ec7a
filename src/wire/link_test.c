#include "base/check_expect.h"
#include "base/rand.h"
#include "wire/limits.h"
#include "wire/link.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGE_COUNT 13

static const struct motion motion = {.x_mm = -5,
                                     .y_mm = INT32_MAX,
                                     .vx = INT16_MIN,
                                     .vy = 77,
                                     .since_ms = INT64_C(1) << 40,
                                     .lasts_ms = 10000};

struct samples {
    uint8_t topics[24], records[64];
    struct link_message messages[MESSAGE_COUNT];
};

#define SESSION_MESSAGES 4

/* How sessions begin and are given away. */
static void
sessions_fill(struct link_message out[SESSION_MESSAGES])
{
    const struct link_message messages[SESSION_MESSAGES] = {
        {.kind = LINK_ENTER,
         .as.enter = {.conn = 7,
                      .flags = ENTER_RESUME | ENTER_DECIDED,
                      .island = 3,
                      .sent_ms = INT64_C(1) << 41,
                      .session_epoch = 5,
                      .look = 1,
                      .motion = motion,
                      .ticket_bytes = 31,
                      .ticket = "t"}},
        {.kind = LINK_GO, .as.go = {.conn = 7, .over = 6, .node = 9}},
        {.kind = LINK_GO, .as.go = {.player = 8, .session_epoch = 6, .node = 9}},
        {.kind = LINK_HOME,
         .as.home = {.conn = 7,
                     .code = 11,
                     .retry_after_ms = 500,
                     .player = 1,
                     .entity = 2,
                     .session_epoch = 3,
                     .last_seq = 4,
                     .island = 5,
                     .look = 1,
                     .motion = motion,
                     .ticket = "a ticket"}},
    };
    memcpy(out, messages, sizeof messages);
}

/* One of each kind, and the two inputs and answers whose tail differs. */
static void
samples_fill(struct samples *s)
{
    struct writer w = writer_over(s->topics, sizeof s->topics);
    write_u64(&w, topic_make(1, 2, 3));
    write_u64(&w, TOPIC_DENSITY);
    write_u64(&w, topic_make(INT32_MAX, 65535, 0));
    w = writer_over(s->records, sizeof s->records);
    struct density_cell cell = {1, 2, 3};
    batch_put_density(&w, 33, 240, &cell, 1);
    struct slice density = {s->records, writer_used(&w)};
    struct slice text = {(const uint8_t *)"hello", 5};
    const struct link_message messages[MESSAGE_COUNT - SESSION_MESSAGES] = {
        {.kind = LINK_INPUT,
         .as.input = {.player = 1,
                      .session_epoch = 2,
                      .sent_us = -3,
                      .kind = INPUT_MOVE,
                      .number = 4,
                      .look = 1,
                      .motion = motion}},
        {.kind = LINK_INPUT, .as.input = {.player = 1, .kind = INPUT_SAY, .bytes = text}},
        {.kind = LINK_SELF,
         .as.self = {.player = 1,
                     .session_epoch = 2,
                     .kind = SELF_MOTION,
                     .flags = 3,
                     .look = 1,
                     .number = 4,
                     .island = 5,
                     .motion = motion}},
        {.kind = LINK_SELF,
         .as.self =
             {.player = 1, .kind = SELF_RESULT, .code = 15, .seq = 9, .entity = 8, .bytes = text}},
        {.kind = LINK_SUBSCRIBE,
         .as.subscribe = {.epoch = 1,
                          .version = 2,
                          .wakes = 1,
                          .add_count = 2,
                          .remove_count = 1,
                          .topics = {s->topics, 24}}},
        {.kind = LINK_SUBSCRIBED,
         .as.subscribed = {.epoch = 1, .version = 2, .wakes = 1, .digest = UINT64_MAX}},
        {.kind = LINK_BATCH,
         .as.batch = {.topic = topic_make(4, 5, 6),
                      .publisher_epoch = 7,
                      .tick_ms = 800,
                      .snapshot = 1,
                      .awake_chunks_lo = 0xf0,
                      .awake_chunks_hi = 1,
                      .records = density}},
        {.kind = LINK_DENSITY, .as.density = {.island = 33, .record = density}},
        {.kind = LINK_ENTER, .as.enter = {.conn = 7, .over = 6}},
    };
    sessions_fill(s->messages);
    memcpy(s->messages + SESSION_MESSAGES, messages, sizeof messages);
}

static size_t
serialise(const struct link_message *m, uint8_t *out)
{
    size_t n = link_head(m, out);
    assert_in_range(n, 1, LINK_HEAD_MAX);
    struct slice tail = link_tail(m);
    if (tail.bytes > 0) {
        memcpy(out + n, tail.at, tail.bytes);
    }
    return n + tail.bytes;
}

static void
assert_motion_equal(const struct motion *a, const struct motion *b)
{
    assert_int_equal(a->x_mm, b->x_mm);
    assert_int_equal(a->y_mm, b->y_mm);
    assert_int_equal(a->vx, b->vx);
    assert_int_equal(a->vy, b->vy);
    assert_int_equal(a->since_ms, b->since_ms);
    assert_int_equal(a->lasts_ms, b->lasts_ms);
}

static void
assert_slice_equal(struct slice a, struct slice b)
{
    assert_int_equal(a.bytes, b.bytes);
    assert_memory_equal(a.at, b.at, a.bytes);
}

#define SAME(field) assert_int_equal(a->field, b->field)

static void
assert_session_equal(const struct link_message *x, const struct link_message *y)
{
    if (x->kind == LINK_ENTER) {
        const struct link_enter *a = &x->as.enter, *b = &y->as.enter;
        SAME(conn), SAME(sent_ms), SAME(flags), SAME(island), SAME(session_epoch), SAME(look);
        SAME(over), SAME(ticket_bytes);
        assert_motion_equal(&a->motion, &b->motion);
        assert_memory_equal(a->ticket, b->ticket, sizeof a->ticket);
    } else if (x->kind == LINK_GO) {
        const struct link_go *a = &x->as.go, *b = &y->as.go;
        SAME(conn), SAME(player), SAME(session_epoch), SAME(over), SAME(node);
    } else if (x->kind == LINK_HOME) {
        const struct link_home *a = &x->as.home, *b = &y->as.home;
        SAME(conn), SAME(code), SAME(retry_after_ms), SAME(player), SAME(entity);
        SAME(session_epoch), SAME(last_seq), SAME(island), SAME(look);
        assert_motion_equal(&a->motion, &b->motion);
        assert_memory_equal(a->ticket, b->ticket, TICKET_BYTES);
    } else if (x->kind == LINK_INPUT) {
        const struct link_input *a = &x->as.input, *b = &y->as.input;
        SAME(player), SAME(session_epoch), SAME(sent_us), SAME(kind), SAME(number);
        SAME(seq), SAME(look), SAME(entity);
        assert_motion_equal(&a->motion, &b->motion);
    } else {
        const struct link_self *a = &x->as.self, *b = &y->as.self;
        SAME(player), SAME(session_epoch), SAME(kind), SAME(flags), SAME(look), SAME(number);
        SAME(island), SAME(code), SAME(seq), SAME(entity);
        assert_motion_equal(&a->motion, &b->motion);
    }
}

static void
assert_message_equal(const struct link_message *x, const struct link_message *y)
{
    assert_int_equal(x->kind, y->kind);
    assert_slice_equal(link_tail(x), link_tail(y));
    if (x->kind == LINK_SUBSCRIBE) {
        const struct link_subscribe *a = &x->as.subscribe, *b = &y->as.subscribe;
        SAME(epoch), SAME(version), SAME(whole), SAME(wakes), SAME(add_count), SAME(remove_count);
    } else if (x->kind == LINK_SUBSCRIBED) {
        const struct link_subscribed *a = &x->as.subscribed, *b = &y->as.subscribed;
        SAME(epoch), SAME(version), SAME(wakes), SAME(digest);
    } else if (x->kind == LINK_BATCH) {
        const struct link_batch *a = &x->as.batch, *b = &y->as.batch;
        SAME(topic), SAME(publisher_epoch), SAME(tick_ms), SAME(snapshot);
        SAME(awake_chunks_lo), SAME(awake_chunks_hi);
    } else if (x->kind == LINK_DENSITY) {
        const struct link_density *a = &x->as.density, *b = &y->as.density;
        SAME(island);
    } else {
        assert_session_equal(x, y);
    }
}

static void
test_every_message_comes_back(void **state)
{
    (void)state;
    struct samples s;
    samples_fill(&s);
    for (int i = 0; i < MESSAGE_COUNT; i++) {
        uint8_t bytes[LINK_HEAD_MAX + 64];
        struct link_message read;
        size_t n = serialise(&s.messages[i], bytes);
        assert_int_equal(link_read(bytes, n, &read), OK);
        assert_message_equal(&s.messages[i], &read);
    }
}

/* Every shorter piece is refused, or is the same message with a shorter tail. */
static void
test_truncated_anywhere(void **state)
{
    (void)state;
    struct samples s;
    samples_fill(&s);
    unsigned shorter_tails = 0;
    for (int i = 0; i < MESSAGE_COUNT; i++) {
        uint8_t bytes[LINK_HEAD_MAX + 64];
        size_t n = serialise(&s.messages[i], bytes);
        size_t head = link_head(&s.messages[i], (uint8_t[LINK_HEAD_MAX]){0});
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *copy = malloc(cut + 1);
            memcpy(copy + 1, bytes, cut);
            struct link_message read;
            enum err error = link_read(copy + 1, cut, &read);
            enum link_kind kind = s.messages[i].kind;
            if (error == OK) {
                assert_true(cut >= head);
                assert_true(kind == LINK_INPUT || kind == LINK_SELF || kind == LINK_BATCH);
                shorter_tails++;
            }
            free(copy);
        }
    }
    assert_in_range(shorter_tails, 20, 60);
}

static void
assert_refused(uint8_t *bytes, size_t n, size_t offset, uint8_t value)
{
    struct link_message read;
    uint8_t before = bytes[offset];
    assert_int_equal(link_read(bytes, n, &read), OK);
    bytes[offset] = value;
    assert_int_not_equal(link_read(bytes, n, &read), OK);
    bytes[offset] = before;
}

static void
test_hostile_fields(void **state)
{
    (void)state;
    struct samples s;
    samples_fill(&s);

    static const struct {
        uint8_t message, offset, value;
    } faults[] = {
        {0, 0, 0},   {0, 0, 10},  {0, 1, 0},    {0, 9, 4},    {0, 13, 255}, {0, 44, 255},
        {0, 53, 30}, {0, 53, 65}, {0, 52, 255}, {1, 0, 3},    {1, 1, 0},    {2, 9, 0},
        {2, 1, 7},   {3, 1, 0},   {3, 72, 255}, {4, 25, 0},   {4, 25, 8},   {4, 60, 255},
        {6, 17, 0},  {6, 17, 8},  {6, 49, 255}, {8, 9, 2},    {8, 10, 2},   {8, 11, 1},
        {8, 13, 2},  {8, 9, 1},   {8, 19, 0},   {8, 22, 128}, {9, 9, 2},    {10, 5, 0},
        {10, 25, 2}, {11, 1, 34}, {11, 5, 1},   {11, 12, 2},
    };

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        uint8_t bytes[LINK_HEAD_MAX + 64];
        size_t n = serialise(&s.messages[faults[i].message], bytes);
        assert_refused(bytes, n, faults[i].offset, faults[i].value);
    }
}

static void
test_tails_have_limits(void **state)
{
    (void)state;
    struct samples s;
    samples_fill(&s);
    static uint8_t bytes[LINK_HEAD_MAX + COMMAND_BYTES_MAX + 1];
    struct link_message read, command = s.messages[5];
    size_t n = serialise(&command, bytes) - 5;
    assert_int_equal(link_read(bytes, n + SAY_BYTES_MAX, &read), OK);
    assert_int_equal(link_read(bytes, n + SAY_BYTES_MAX + 1, &read), ERR_FORMAT);
    command.as.input.kind = INPUT_COMMAND;
    n = serialise(&command, bytes) - 5;
    assert_int_equal(link_read(bytes, n + COMMAND_BYTES_MAX, &read), OK);
    assert_int_equal(link_read(bytes, n + COMMAND_BYTES_MAX + 1, &read), ERR_FORMAT);
    n = serialise(&s.messages[7], bytes) - 5;
    assert_int_equal(link_read(bytes, n + RESULT_BYTES_MAX, &read), OK);
    assert_int_equal(link_read(bytes, n + RESULT_BYTES_MAX + 1, &read), ERR_FORMAT);
    n = serialise(&s.messages[1], bytes);
    assert_int_equal(link_read(bytes, n + 1, &read), ERR_FORMAT);
    command.as.input.bytes = (struct slice){bytes, COMMAND_BYTES_MAX + 1};
    EXPECT_CHECK(link_head(&command, bytes));
}

/* Whatever is read can be written, and then reads the same. */
static void
test_random_changes(void **state)
{
    (void)state;
    struct samples s;
    samples_fill(&s);
    struct rand r;
    rand_seed(&r, 4);
    unsigned taken = 0, refused = 0;
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[LINK_HEAD_MAX + 64], again[LINK_HEAD_MAX + 64];
        size_t n = serialise(&s.messages[rand_below(&r, MESSAGE_COUNT)], bytes);
        for (uint32_t k = rand_below(&r, 4); k > 0; k--) {
            bytes[rand_below(&r, (uint32_t)n)] = (uint8_t)rand_next(&r);
        }
        struct link_message read;
        if (link_read(bytes, n, &read) != OK) {
            refused++;
            continue;
        }
        taken++;
        assert_int_equal(serialise(&read, again), n);
        assert_memory_equal(again, bytes, n);
    }
    assert_in_range(taken, 2000, 19000);
    assert_in_range(refused, 1000, 18000);
}

static void
test_topics(void **state)
{
    (void)state;
    topic_id t = topic_make(7, 65535, 3);
    assert_int_equal(topic_island(t), 7);
    assert_int_equal(topic_bx(t), 65535);
    assert_int_equal(topic_by(t), 3);
    EXPECT_CHECK(topic_make(0, 0, 0));
    EXPECT_CHECK(topic_make(UINT32_MAX, 0, 0));
}

/* Who plays is somebody, on an island whose topics have names. */
static void
test_players_are_somewhere(void **state)
{
    (void)state;
    static const uint32_t nowhere[] = {0, 1U << 31, UINT32_MAX};
    uint8_t bytes[LINK_HEAD_MAX + 8];
    struct link_message out;
    struct link_message home = {.kind = LINK_HOME, .as.home = {.conn = 7, .player = 1}};
    struct link_message self = {.kind = LINK_SELF, .as.self = {.player = 1, .kind = SELF_MOTION}};
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        home.as.home.entity = 1;
        home.as.home.island = self.as.self.island = nowhere[i];
        assert_int_equal(link_read(bytes, serialise(&home, bytes), &out), ERR_RANGE);
        assert_int_equal(link_read(bytes, serialise(&self, bytes), &out), ERR_RANGE);
    }
    home.as.home.island = self.as.self.island = INT32_MAX;
    assert_int_equal(link_read(bytes, serialise(&home, bytes), &out), OK);
    assert_int_equal(link_read(bytes, serialise(&self, bytes), &out), OK);
    home.as.home.entity = 0;
    assert_int_equal(link_read(bytes, serialise(&home, bytes), &out), ERR_RANGE);
    home.as.home.player = home.as.home.island = 0; /* refused: nobody, nowhere */
    assert_int_equal(link_read(bytes, serialise(&home, bytes), &out), OK);
}

/* What a gate hands on to clients, or leads them by, comes whole or not at all. */
static void
test_what_concerns_other_shards(void **state)
{
    (void)state;
    uint8_t bytes[LINK_HEAD_MAX + 1024];
    struct link_message out, said = {.kind = LINK_SAID,
                                     .as.said = {.id = 9,
                                                 .player = 8,
                                                 .channel = 1,
                                                 .name_bytes = 4,
                                                 .name = "Hana",
                                                 .text = {(const uint8_t *)"hello", 5}}};
    size_t n = serialise(&said, bytes);
    assert_int_equal(link_read(bytes, n, &out), OK);
    assert_true(out.as.said.id == 9 && out.as.said.player == 8 && out.as.said.channel == 1);
    assert_memory_equal(out.as.said.name, "Hana", 4);
    assert_slice_equal(out.as.said.text, said.as.said.text);
    for (size_t cut = 0; cut <= n - 5; cut++) { /* down to no text at all */
        assert_int_not_equal(link_read(bytes, cut, &out), OK);
    }
    bytes[n - 1] = '\n';
    assert_int_equal(link_read(bytes, n, &out), ERR_FORMAT);
    bytes[n - 1] = 0xff;
    assert_int_equal(link_read(bytes, n, &out), ERR_FORMAT);

    static const char gates[] = "127.0.0.1:7001\n127.0.0.1:7002";
    struct link_message home = {
        .kind = LINK_HOME,
        .as.home = {.conn = 7, .code = 12, .gates = {(const uint8_t *)gates, sizeof gates - 1}}};
    n = serialise(&home, bytes);
    assert_int_equal(link_read(bytes, n, &out), OK);
    assert_slice_equal(out.as.home.gates, home.as.home.gates);
    bytes[n - 1] = 0xff;
    assert_int_equal(link_read(bytes, n, &out), ERR_FORMAT);
    home.as.home.player = home.as.home.entity = home.as.home.island = 1; /* plays, and is led? */
    n = serialise(&home, bytes);
    assert_int_equal(link_read(bytes, n, &out), ERR_RANGE);
}

static void
test_subjects(void **state)
{
    (void)state;
    uint8_t bytes[512], record[RECORD_MOTION_BYTES + 8];
    struct writer out = writer_over(record, sizeof record);
    batch_put_motion(&out, &(struct record_motion){.entity = 77, .motion = {.since_ms = 5}});
    struct link_message batch = {
        .kind = LINK_BATCH,
        .as.batch = {.topic = topic_make(3, 4, 5), .records = {record, writer_used(&out)}}};
    size_t n = serialise(&batch, bytes);
    struct link_subject of = link_subject(bytes, n);
    assert_int_equal(of.kind, LINK_BATCH);
    assert_int_equal(of.key, topic_make(3, 4, 5));
    assert_int_equal(of.entity, 77);
    for (size_t part = 0; part <= n; part++) { /* whatever is not there is 0 */
        of = link_subject(bytes, part);
        assert_true(of.entity == 0 || (of.entity == 77 && part + RECORD_MOTION_BYTES >= n + 9));
    }
    batch.as.batch.records.bytes = 0;
    assert_int_equal(link_subject(bytes, serialise(&batch, bytes)).entity, 0);

    struct link_message input = {.kind = LINK_INPUT,
                                 .as.input = {.player = 9, .kind = INPUT_MOVE, .session_epoch = 1}};
    of = link_subject(bytes, serialise(&input, bytes));
    assert_int_equal(of.kind, LINK_INPUT);
    assert_int_equal(of.key, 9);
    struct link_message self = {.kind = LINK_SELF, .as.self = {.player = 8, .kind = SELF_MOTION}};
    assert_int_equal(link_subject(bytes, serialise(&self, bytes)).key, 8);
    struct link_message said = {.kind = LINK_SUBSCRIBED, .as.subscribed = {.epoch = 6}};
    assert_int_equal(link_subject(bytes, serialise(&said, bytes)).key, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message_comes_back),
        cmocka_unit_test(test_truncated_anywhere),
        cmocka_unit_test(test_hostile_fields),
        cmocka_unit_test(test_tails_have_limits),
        cmocka_unit_test(test_random_changes),
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_players_are_somewhere),
        cmocka_unit_test(test_what_concerns_other_shards),
        cmocka_unit_test(test_subjects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
