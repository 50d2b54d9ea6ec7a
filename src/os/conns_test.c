#include "os/conns.h"
#include "os/dial.h"
#include "os/listen.h"
#include "os/process.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define CLIENTS_MAX 8

/* A gate that writes down what happens to it. */
struct fixture {
    struct loop *loop;
    struct conns *conns;
    struct env_conns port;
    uint16_t tcp_port;
    uint32_t opened, writable, closed;
    uint32_t last; /* index of the last connection opened */
    size_t received;
    uint8_t last_byte;
    bool closes_on_receive;    /* itself */
    uint32_t closes_others[2]; /* indices; on receive the one that is not receiving */
    uint32_t closes_others_count;
};

static void
on_opened(void *ctx, uint32_t conn)
{
    struct fixture *f = ctx;
    f->opened++;
    f->last = conn;
}

static void
on_received(void *ctx, uint32_t conn, uint8_t *bytes, size_t n)
{
    struct fixture *f = ctx;
    assert_true(n > 0);
    f->received += n;
    f->last_byte = bytes[n - 1];
    if (f->closes_on_receive)
        f->port.close(f->port.ctx, conn);
    for (uint32_t i = 0; i < f->closes_others_count; i++)
        if (f->closes_others[i] != conn)
            f->port.close(f->port.ctx, f->closes_others[i]);
}

static void
on_writable(void *ctx, uint32_t conn)
{
    (void)conn;
    ((struct fixture *)ctx)->writable++;
}

static void
on_closed(void *ctx, uint32_t conn)
{
    (void)conn;
    ((struct fixture *)ctx)->closed++;
}

static void
fixture_open(struct fixture *f, uint32_t limit)
{
    *f = (struct fixture){0};
    int listener;
    assert_int_equal(loop_open(&f->loop), OK);
    assert_int_equal(listen_loopback(&listener, &f->tcp_port), OK);
    const struct conns_options options = {.loop = f->loop,
                                          .listener = listener,
                                          .limit = limit,
                                          .events = {.ctx = f,
                                                     .opened = on_opened,
                                                     .received = on_received,
                                                     .writable = on_writable,
                                                     .closed = on_closed}};
    assert_int_equal(conns_open(&options, &f->conns), OK);
    f->port = conns_port(f->conns);
}

static void
fixture_close(struct fixture *f)
{
    conns_close(&f->conns);
    loop_close(&f->loop);
}

/* Turns the loop until *value is at least wanted; gives up after 5 s without anything. */
static void
turn_until(struct fixture *f, const uint32_t *value, uint32_t wanted)
{
    while (*value < wanted)
        assert_int_not_equal(loop_turn(f->loop, 5000000), 0);
}

static void
turn_until_received(struct fixture *f, size_t bytes)
{
    while (f->received < bytes)
        assert_int_not_equal(loop_turn(f->loop, 5000000), 0);
}

static int
client_dial(const struct fixture *f)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons(f->tcp_port)};
    int fd;
    assert_int_equal(dial_start((const struct sockaddr *)&to, sizeof(to), 0, &fd), OK);
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    assert_int_equal(poll(&wait, 1, 5000), 1);
    assert_int_equal(dial_result(fd), OK);
    return fd;
}

static int
client_open(struct fixture *f)
{
    int fd = client_dial(f);
    turn_until(f, &f->opened, f->opened + 1);
    return fd;
}

static size_t
client_read(int fd, uint8_t *bytes, size_t room)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, 5000) != 1)
        return 0;
    ssize_t n = read(fd, bytes, room);
    return n > 0 ? (size_t)n : 0;
}

static void
test_there_and_back(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 4);
    int client = client_open(&f);
    assert_int_equal(write(client, "hello", 5), 5);
    turn_until_received(&f, 5);
    assert_int_equal(f.last_byte, 'o');

    const struct slice pieces[] = {
        {(const uint8_t *)"wel", 3}, {NULL, 0}, {(const uint8_t *)"come", 4}};
    size_t taken;
    assert_int_equal(f.port.send(f.port.ctx, f.last, pieces, 3, &taken), OK);
    assert_int_equal(taken, 7);
    uint8_t got[16];
    assert_int_equal(client_read(client, got, sizeof(got)), 7);
    assert_memory_equal(got, "welcome", 7);

    struct sockaddr_storage peer;
    assert_true(conns_peer(f.conns, f.last, &peer));
    assert_int_equal(peer.ss_family, AF_INET);
    close(client);
    turn_until(&f, &f.closed, 1);
    struct conns_stats s = conns_stats(f.conns);
    assert_int_equal(s.accepted, 1);
    assert_int_equal(s.closed, 1);
    assert_int_equal(s.sends, 1);
    assert_int_equal(s.send_bytes, 7);
    assert_int_equal(s.receives, 1);
    assert_int_equal(s.receive_bytes, 5);
    assert_int_equal(s.would_block + s.accept_failures, 0);
    assert_int_equal(conns_count(f.conns), 0);
    fixture_close(&f);
    assert_null(f.conns);
}

/* More pieces than one sendmsg takes, each of its own byte. */
static void
test_many_pieces(void **state)
{
    (void)state;

    enum { COUNT = 2500 };
    struct fixture f;
    fixture_open(&f, 4);
    int client = client_open(&f);
    static uint8_t bytes[COUNT];
    static struct slice pieces[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 256);
        pieces[i] = (struct slice){.at = &bytes[i], .bytes = 1};
    }
    size_t taken, got = 0;
    assert_int_equal(f.port.send(f.port.ctx, f.last, pieces, COUNT, &taken), OK);
    assert_int_equal(taken, COUNT);
    static uint8_t back[COUNT + 1];
    while (got < COUNT) {
        size_t n = client_read(client, back + got, sizeof(back) - got);
        assert_true(n > 0);
        got += n;
    }
    assert_int_equal(got, COUNT);
    assert_memory_equal(back, bytes, COUNT);
    assert_int_equal(conns_stats(f.conns).sends, 3);
    close(client);
    fixture_close(&f);
}

static void
test_full_and_writable_again(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 4);
    int client = client_open(&f);
    static const uint8_t block[16384];
    const struct slice piece = {.at = block, .bytes = sizeof(block)};
    size_t taken = sizeof(block), total = 0;
    while (taken == sizeof(block)) { /* the client does not read */
        assert_int_equal(f.port.send(f.port.ctx, f.last, &piece, 1, &taken), OK);
        total += taken;
        assert_true(total < 64U << 20);
    }
    assert_int_equal(conns_stats(f.conns).would_block, 1);
    struct hist queued;
    hist_reset(&queued);
    conns_sample_queues(f.conns, 8, &queued);
    assert_int_equal(queued.count, 1); /* there is one connection */
    assert_true(queued.max > 0);

    f.port.want_writable(f.port.ctx, f.last, true);
    assert_int_equal(loop_turn(f.loop, 0), 0);
    assert_int_equal(f.writable, 0);
    static uint8_t sink[1 << 16];
    size_t got = 0;
    while (got < total) {
        size_t n = client_read(client, sink, sizeof(sink));
        assert_true(n > 0);
        got += n;
        loop_turn(f.loop, 0);
    }
    turn_until(&f, &f.writable, 1);
    f.port.want_writable(f.port.ctx, f.last, false);
    assert_int_equal(f.port.send(f.port.ctx, f.last, &piece, 1, &taken), OK);
    assert_int_equal(taken, sizeof(block));
    /* Wanted while there is room: told at the next turn. */
    uint32_t before = f.writable;
    f.port.want_writable(f.port.ctx, f.last, true);
    while (client_read(client, sink, sizeof(sink)) == 0)
        ;
    turn_until(&f, &f.writable, before + 1);
    close(client);
    fixture_close(&f);
}

/* The rest of a large message, and the hang-up behind it, come without anything new from the peer.
 */
static void
test_large_then_hang_up(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 4);
    int client = client_open(&f);
    size_t total = 5 * CONNS_READ_BYTES / 2, sent = 0;
    uint8_t *bytes = calloc(1, total);
    bytes[total - 1] = 'z';
    while (sent < total) {
        ssize_t n = write(client, bytes + sent, total - sent);
        if (n > 0)
            sent += (size_t)n;
        else
            turn_until_received(&f, f.received + 1);
    }
    close(client);
    turn_until(&f, &f.closed, 1);
    assert_int_equal(f.received, total);
    assert_int_equal(f.last_byte, 'z');
    assert_true(conns_stats(f.conns).receives >= 3);
    free(bytes);
    fixture_close(&f);
}

static void
test_reset(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 4);
    int client = client_open(&f);
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(client);
    const struct slice piece = {.at = (const uint8_t *)"x", .bytes = 1};
    size_t taken;
    assert_int_equal(f.port.send(f.port.ctx, f.last, &piece, 1, &taken), ERR_CLOSED);
    assert_int_equal(f.port.send(f.port.ctx, f.last, &piece, 1, &taken), ERR_CLOSED);
    assert_int_equal(taken, 0);
    assert_int_equal(f.closed, 0); /* not from within a send */
    turn_until(&f, &f.closed, 1);
    assert_int_equal(loop_turn(f.loop, 0), 0);
    assert_int_equal(f.closed, 1);
    fixture_close(&f);
}

static void
test_close_in_call_back(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 4);
    int client = client_open(&f);
    f.closes_on_receive = true;
    assert_int_equal(write(client, "bye", 3), 3);
    shutdown(client, SHUT_WR);
    turn_until_received(&f, 3);
    while (conns_count(f.conns) > 0) /* lingers until it sees that the peer has closed, too */
        assert_int_not_equal(loop_turn(f.loop, 5000000), 0);
    assert_int_equal(f.closed, 0); /* it was we who closed */
    uint8_t byte;
    assert_int_equal(client_read(client, &byte, 1), 0);
    close(client);
    fixture_close(&f);
}

/* What was sent before closing arrives, whatever input was left unread; who never closes is left
 * after a while. */
static void
test_last_words_are_read(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 4);
    int client = client_open(&f);
    assert_int_equal(write(client, "unread", 6), 6);
    const struct slice bye = {.at = (const uint8_t *)"bye", .bytes = 3};
    size_t taken;
    assert_int_equal(f.port.send(f.port.ctx, f.last, &bye, 1, &taken), OK);
    f.port.close(f.port.ctx, f.last);
    assert_int_equal(conns_turn(f.conns, 1), 1 + CONNS_LINGER_US);
    loop_turn(f.loop, 5000000);
    assert_int_equal(write(client, "more", 4), 4);
    loop_turn(f.loop, 5000000);
    uint8_t bytes[8];
    assert_int_equal(client_read(client, bytes, sizeof(bytes)), 3);
    assert_int_equal(read(client, bytes, sizeof(bytes)), 0); /* the end, not a reset */
    assert_int_equal(conns_turn(f.conns, CONNS_LINGER_US), 1 + CONNS_LINGER_US);
    assert_int_equal(conns_count(f.conns), 1);
    assert_int_equal(conns_turn(f.conns, 1 + CONNS_LINGER_US), INT64_MAX);
    assert_int_equal(conns_count(f.conns), 0);
    assert_int_equal(f.received, 0);
    assert_int_equal(f.closed, 0);
    close(client);
    fixture_close(&f);
}

/* Who goes on sending instead of closing is left at once when it is too much. */
static void
test_lingering_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 4);
    int client = client_open(&f);
    f.port.close(f.port.ctx, f.last);
    static const uint8_t flood[65536];
    size_t sent = 0;
    while (conns_count(f.conns) > 0) {
        ssize_t n = write(client, flood, sizeof(flood));
        sent += n > 0 ? (size_t)n : 0;
        assert_true(sent < 64U * CONNS_LINGER_BYTES);
        loop_turn(f.loop, 1000);
    }
    assert_true(sent > CONNS_LINGER_BYTES);
    close(client);
    fixture_close(&f);
}

/* Two have sent, and both events are fetched by one turn. Whoever is read first has the other
 * closed: the fetched event must not hit anybody, also not the next owner of the index. */
static void
test_stale_event(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 2);
    int a = client_open(&f);
    uint32_t index_a = f.last;
    int b = client_open(&f);
    f.closes_others[0] = index_a;
    f.closes_others[1] = f.last;
    f.closes_others_count = 2;
    assert_int_equal(write(a, "a", 1), 1);
    assert_int_equal(write(b, "b", 1), 1);
    assert_int_equal(loop_turn(f.loop, 5000000), 2);
    assert_int_equal(f.received, 1);
    assert_int_equal(conns_turn(f.conns, 1), 1 + CONNS_LINGER_US);
    assert_int_equal(conns_turn(f.conns, 1 + CONNS_LINGER_US), INT64_MAX);
    assert_int_equal(conns_count(f.conns), 1);
    f.closes_others_count = 0;
    int c = client_open(&f);
    assert_true(f.last == f.closes_others[0] || f.last == f.closes_others[1]);
    assert_int_equal(write(c, "c", 1), 1);
    turn_until_received(&f, 2);
    assert_int_equal(f.last_byte, 'c');
    close(a);
    close(b);
    close(c);
    fixture_close(&f);
}

static void
test_full_table_pauses(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 2);
    assert_int_equal(conns_limit(f.conns), 2);
    int clients[3];
    clients[0] = client_open(&f);
    clients[1] = client_open(&f);
    assert_int_equal(conns_turn(f.conns, 1000), INT64_MAX);
    clients[2] = client_dial(&f);
    assert_int_equal(loop_turn(f.loop, 5000000), 1); /* the listener */
    assert_int_equal(conns_stats(f.conns).accept_failures, 1);
    assert_int_equal(conns_turn(f.conns, 1000), 1000 + CONNS_PAUSE_US);
    assert_int_equal(loop_turn(f.loop, 0), 0); /* it does not spin */
    close(clients[0]);
    turn_until(&f, &f.closed, 1);
    assert_int_equal(f.opened, 2);
    assert_int_equal(conns_turn(f.conns, 1000 + CONNS_PAUSE_US), INT64_MAX);
    turn_until(&f, &f.opened, 3);
    conns_stop_listening(f.conns);
    assert_int_equal(conns_count(f.conns), 2);
    close(clients[1]);
    close(clients[2]);
    turn_until(&f, &f.closed, 3);
    fixture_close(&f);
}

static void
test_no_descriptor_pauses(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 4);
    int client = client_dial(&f);
    int next = dup(client); /* the lowest free descriptor */
    assert_true(next >= 0);
    close(next);
    struct rlimit was, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(loop_turn(f.loop, 5000000), 1);
    assert_int_equal(f.opened, 0);
    assert_int_equal(conns_stats(f.conns).accept_failures, 1);
    assert_int_equal(conns_turn(f.conns, 5), 5 + CONNS_PAUSE_US);
    assert_int_equal(loop_turn(f.loop, 0), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_int_equal(conns_turn(f.conns, 5 + CONNS_PAUSE_US), INT64_MAX);
    turn_until(&f, &f.opened, 1);
    close(client);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_many_pieces),
        cmocka_unit_test(test_full_and_writable_again),
        cmocka_unit_test(test_large_then_hang_up),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_close_in_call_back),
        cmocka_unit_test(test_last_words_are_read),
        cmocka_unit_test(test_lingering_is_bounded),
        cmocka_unit_test(test_stale_event),
        cmocka_unit_test(test_full_table_pauses),
        cmocka_unit_test(test_no_descriptor_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
