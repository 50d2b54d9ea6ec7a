#include "os/address.h"
#include "os/lines.h"
#include "os/process.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define NOTHING UINT32_MAX

/* A node that writes down what happens to it. */
struct side {
    struct lines *lines;
    struct env_transport port;
    uint32_t line; /* of the last call-back; NOTHING after closed() */
    uint32_t dialled, accepted, writable, closed, refused;
    size_t heard;
    uint64_t sum; /* of what was heard, by place */
    bool in_port, redials, closes;
};

struct fixture {
    struct loop *loop;
    struct side here, there;
};

static void
saw(struct side *s, uint32_t line)
{
    assert_false(s->in_port);
    s->line = line;
}

static void
dialled(void *ctx, uint32_t line)
{
    struct side *s = ctx;
    saw(s, line);
    s->dialled++;
}

static void
accepted(void *ctx, uint32_t line)
{
    struct side *s = ctx;
    saw(s, line);
    s->accepted++;
}

static void
received(void *ctx, uint32_t line, const uint8_t *bytes, size_t n)
{
    struct side *s = ctx;
    assert_true(n > 0 && n <= LINES_READ_BYTES);
    saw(s, line);
    for (size_t i = 0; i < n; i++)
        s->sum += (uint64_t)bytes[i] * ((s->heard + i) % 251 + 1);
    s->heard += n;
    if (s->closes)
        s->port.close(s->port.ctx, line);
    if (s->redials) { /* closes where it is spoken to, and takes the same place again */
        s->port.close(s->port.ctx, line);
        uint32_t again;
        assert_int_equal(s->port.dial(s->port.ctx, lines_address(s->lines), &again), OK);
        assert_int_equal(again, line);
    }
}

static void
writable(void *ctx, uint32_t line)
{
    struct side *s = ctx;
    saw(s, line);
    s->writable++;
}

static void
closed(void *ctx, uint32_t line, bool refused)
{
    struct side *s = ctx;
    saw(s, line);
    s->closed++;
    s->refused += refused;
    s->line = NOTHING;
}

static void
side_start(struct side *s)
{
    const struct transport_events events = {.ctx = s,
                                            .dialled = dialled,
                                            .accepted = accepted,
                                            .received = received,
                                            .writable = writable,
                                            .closed = closed};
    lines_start(s->lines, &events);
}

static void
side_open(struct fixture *f, struct side *s, const char *listen)
{
    char why[LINES_WHY_MAX];
    const struct lines_options options = {.loop = f->loop, .listen = listen};
    *s = (struct side){.line = NOTHING};
    assert_int_equal(lines_open(&options, &s->lines, why), OK);
    s->port = lines_port(s->lines);
}

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(loop_open(&f->loop), OK);
    side_open(f, &f->here, NULL);
    side_open(f, &f->there, "127.0.0.1:0");
    side_start(&f->here);
    side_start(&f->there);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    lines_close(&f->here.lines);
    lines_close(&f->there.lines);
    loop_close(&f->loop);
    free(f);
    return 0;
}

/* Turns the loop until *value is at least wanted; gives up after 5 s without anything. */
static void
turn_until(struct fixture *f, const uint32_t *value, uint32_t wanted)
{
    while (*value < wanted)
        assert_int_not_equal(loop_turn(f->loop, 5000000), 0);
}

static void
turn_until_heard(struct fixture *f, const struct side *s, size_t bytes)
{
    while (s->heard < bytes)
        assert_int_not_equal(loop_turn(f->loop, 5000000), 0);
    assert_int_equal(s->heard, bytes);
}

static void
dial(struct side *s, const char *address)
{
    s->in_port = true;
    assert_int_equal(s->port.dial(s->port.ctx, address, &s->line), OK);
    s->in_port = false;
}

static void
connect_sides(struct fixture *f)
{
    uint32_t before = f->there.accepted;
    dial(&f->here, lines_address(f->there.lines));
    turn_until(f, &f->here.dialled, before + 1);
    turn_until(f, &f->there.accepted, before + 1);
}

static size_t
say(struct side *s, const void *bytes, size_t n)
{
    size_t taken;
    const struct slice pieces[2] = {{.at = bytes, .bytes = n / 3},
                                    {.at = (const uint8_t *)bytes + n / 3, .bytes = n - n / 3}};
    s->in_port = true;
    assert_int_equal(s->port.send(s->port.ctx, s->line, pieces, 2, &taken), OK);
    s->in_port = false;
    return taken;
}

static void
test_two_nodes_talk(void **state)
{
    struct fixture *f = *state;
    dial(&f->here, lines_address(f->there.lines));
    assert_int_equal(say(&f->here, "too early", 9), 0);
    turn_until(f, &f->here.dialled, 1);
    turn_until(f, &f->there.accepted, 1);
    assert_int_equal(say(&f->here, "hello", 5), 5);
    assert_int_equal(say(&f->there, "yes?", 4), 4);
    turn_until_heard(f, &f->there, 5);
    turn_until_heard(f, &f->here, 4);
    assert_int_equal(lines_count(f->here.lines), 1);
}

static void
test_ipv6_too(void **state)
{
    struct fixture *f = *state;
    struct side six;
    char why[LINES_WHY_MAX];
    const struct lines_options options = {.loop = f->loop, .listen = "[::1]:0"};
    six = (struct side){.line = NOTHING};
    if (lines_open(&options, &six.lines, why) != OK)
        skip(); /* a machine without */
    side_start(&six);
    dial(&f->here, lines_address(six.lines));
    turn_until(f, &f->here.dialled, 1);
    turn_until(f, &six.accepted, 1);
    lines_close(&six.lines);
}

static void
test_what_is_not_read_fills_up_and_flows_again(void **state)
{
    struct fixture *f = *state;
    static uint8_t bytes[1U << 20];
    uint64_t sum = 0;
    size_t sent = 0;
    connect_sides(f);
    for (;;) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)((sent + i) * 7 >> 3);
        size_t taken = say(&f->here, bytes, sizeof bytes);
        for (size_t i = 0; i < taken; i++)
            sum += (uint64_t)bytes[i] * ((sent + i) % 251 + 1);
        sent += taken;
        if (taken < sizeof bytes)
            break;
        assert_true(sent < 64U << 20);
    }
    assert_int_equal(lines_stats(f->here.lines).would_block, 1);
    f->here.port.want_writable(f->here.port.ctx, f->here.line, true);
    turn_until(f, &f->here.writable, 1);
    turn_until_heard(f, &f->there, sent);
    assert_true(f->there.sum == sum);
    f->here.port.want_writable(f->here.port.ctx, f->here.line, false);
}

static void
test_wanting_what_is_there_already(void **state)
{
    struct fixture *f = *state;
    connect_sides(f);
    f->here.in_port = true;
    f->here.port.want_writable(f->here.port.ctx, f->here.line, true);
    f->here.in_port = false;
    turn_until(f, &f->here.writable, 1);
}

/* Bytes and room are reported together; the line is closed for the first. */
static void
test_a_closed_line_is_not_writable(void **state)
{
    struct fixture *f = *state;
    connect_sides(f);
    f->here.closes = true;
    say(&f->there, "go", 2);
    f->here.port.want_writable(f->here.port.ctx, f->here.line, true);
    turn_until_heard(f, &f->here, 2);
    assert_int_equal(f->here.writable, 0);
    turn_until(f, &f->there.closed, 1);
}

static void
test_closing_is_heard_on_the_other_side_only(void **state)
{
    struct fixture *f = *state;
    connect_sides(f);
    say(&f->here, "bye", 3);
    f->here.port.close(f->here.port.ctx, f->here.line);
    turn_until(f, &f->there.closed, 1);
    assert_true(f->there.heard == 3 && f->there.refused == 0 && f->here.closed == 0);
    assert_true(lines_count(f->here.lines) == 0 && lines_count(f->there.lines) == 0);
}

static void
test_a_dial_where_nobody_listens(void **state)
{
    struct fixture *f = *state;
    char address[LINE_ADDRESS_MAX];
    snprintf(address, sizeof address, "%s", lines_address(f->there.lines));
    lines_close(&f->there.lines);
    dial(&f->here, address);
    assert_int_equal(f->here.closed, 0);
    turn_until(f, &f->here.closed, 1);
    assert_true(f->here.refused == 1 && f->here.dialled == 0);
    assert_int_equal(lines_count(f->here.lines), 0);
}

/* Where connect() itself says no. */
static void
test_a_dial_that_fails_at_once(void **state)
{
    struct fixture *f = *state;
    char why[LINES_WHY_MAX];
    const struct lines_options options = {.loop = f->loop, .plain = true};
    struct side plain = {.line = NOTHING};
    assert_int_equal(lines_open(&options, &plain.lines, why), OK);
    plain.port = lines_port(plain.lines);
    side_start(&plain);
    dial(&plain, "255.255.255.255:7777");
    assert_int_equal(plain.closed, 0);
    turn_until(f, &plain.closed, 1);
    assert_true(plain.refused == 0 && plain.dialled == 0 && lines_count(plain.lines) == 0);
    lines_close(&plain.lines);
}

static void
test_addresses_that_are_none_or_far(void **state)
{
    struct fixture *f = *state;

    static const struct {
        const char *text;
        enum err error;
    } rows[] = {{"", ERR_FORMAT},
                {"home-2", ERR_FORMAT},
                {"127.0.0.1", ERR_FORMAT},
                {"127.0.0.1:0", ERR_FORMAT},
                {"192.0.2.1:7777", ERR_DENIED}};

    uint32_t line;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(f->here.port.dial(f->here.port.ctx, rows[i].text, &line), rows[i].error);

    char why[LINES_WHY_MAX];
    struct lines *lines;
    struct lines_options options = {.loop = f->loop, .listen = "0.0.0.0:0"};
    assert_int_equal(lines_open(&options, &lines, why), ERR_DENIED);
    assert_non_null(strstr(why, "--plain"));
    options.plain = true;
    assert_int_equal(lines_open(&options, &lines, why), OK);
    lines_close(&lines);
    options.listen = "nowhere";
    assert_int_equal(lines_open(&options, &lines, why), ERR_FORMAT);
    options.listen = lines_address(f->there.lines);
    assert_int_equal(lines_open(&options, &lines, why), ERR_EXISTS);
}

/* A reset that is found by sending: ERR_CLOSED, and closed() with the next turn. */
static void
test_a_reset_is_told_once(void **state)
{
    struct fixture *f = *state;
    connect_sides(f);
    say(&f->here, "unread", 6);
    f->there.port.close(f->there.port.ctx, f->there.line); /* with unread input: a reset */
    size_t taken;
    const struct slice piece = {.at = (const uint8_t *)"x", .bytes = 1};
    enum err error = f->here.port.send(f->here.port.ctx, f->here.line, &piece, 1, &taken);
    if (error == OK)
        error = f->here.port.send(f->here.port.ctx, f->here.line, &piece, 1, &taken);
    assert_int_equal(error, ERR_CLOSED);
    assert_int_equal(f->here.closed, 0);
    turn_until(f, &f->here.closed, 1);
    assert_int_equal(loop_turn(f->loop, 0), 0);
    assert_int_equal(f->here.closed, 1);
}

static void
test_a_place_is_used_again_where_it_was_closed(void **state)
{
    struct fixture *f = *state;
    connect_sides(f);
    f->there.redials = true;
    say(&f->here, "again", 5);
    turn_until(f, &f->here.closed, 1);
    turn_until(f, &f->there.dialled, 1);
    turn_until(f, &f->there.accepted, 2);
    assert_int_equal(lines_count(f->there.lines), 2);
}

static void
test_a_full_table_lets_others_wait(void **state)
{
    struct fixture *f = *state;
    struct side third;
    uint32_t line;
    const char *address = lines_address(f->there.lines);
    for (uint32_t i = 0; i < LINES_MAX; i++)
        assert_int_equal(f->here.port.dial(f->here.port.ctx, address, &line), OK);
    assert_int_equal(f->here.port.dial(f->here.port.ctx, address, &line), ERR_FULL);
    turn_until(f, &f->there.accepted, LINES_MAX);
    side_open(f, &third, NULL);
    side_start(&third);
    dial(&third, address);
    turn_until(f, &third.dialled, 1); /* in the backlog */
    while (lines_stats(f->there.lines).accept_failures == 0)
        loop_turn(f->loop, 0);
    assert_int_equal(lines_turn(f->there.lines, 1000), 1000 + LINES_PAUSE_US);
    f->there.port.close(f->there.port.ctx, 7);
    while (loop_turn(f->loop, 0) > 0) {
    }
    assert_int_equal(f->there.accepted, LINES_MAX);
    assert_int_equal(lines_turn(f->there.lines, 1000 + LINES_PAUSE_US), INT64_MAX);
    turn_until(f, &f->there.accepted, LINES_MAX + 1);
    lines_close(&third.lines);
}

static void
test_whoever_dials_before_the_start_waits(void **state)
{
    struct fixture *f = *state;
    struct side late;
    side_open(f, &late, "127.0.0.1:0");
    dial(&f->here, lines_address(late.lines));
    turn_until(f, &f->here.dialled, 1);
    assert_int_equal(late.accepted, 0);
    side_start(&late);
    turn_until(f, &late.accepted, 1);
    lines_close(&late.lines);
    turn_until(f, &f->here.closed, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_two_nodes_talk),
        TEST(test_ipv6_too),
        TEST(test_what_is_not_read_fills_up_and_flows_again),
        TEST(test_wanting_what_is_there_already),
        TEST(test_a_closed_line_is_not_writable),
        TEST(test_closing_is_heard_on_the_other_side_only),
        TEST(test_a_dial_where_nobody_listens),
        TEST(test_a_dial_that_fails_at_once),
        TEST(test_addresses_that_are_none_or_far),
        TEST(test_a_reset_is_told_once),
        TEST(test_a_place_is_used_again_where_it_was_closed),
        TEST(test_a_full_table_lets_others_wait),
        TEST(test_whoever_dials_before_the_start_waits),
    };
    (void)process_raise_descriptors(); /* of two full tables */
    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
