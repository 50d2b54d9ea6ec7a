/* A real line over loopback to a listener of this very process: connect, hello, a break, and back.
 */
#include "client/posix.h"
#include "wire/frame.h"
#include "wire/little.h"
#include "wire/message.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
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

#define ROUNDS_MAX 2000

struct listener {
    int fd, peer;
    char address[32];
};

static void
listener_open(struct listener *l)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(at);
    l->peer = -1;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(l->fd >= 0);
    assert_int_equal(bind(l->fd, (struct sockaddr *)&at, bytes), 0);
    assert_int_equal(listen(l->fd, 4), 0);
    assert_int_equal(getsockname(l->fd, (struct sockaddr *)&at, &bytes), 0);
    snprintf(l->address, sizeof(l->address), "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
}

/* Turns the line until somebody connected and the first frame is there; checks that it is a hello.
 */
static void
listener_hello(struct listener *l, struct seom_line *line)
{
    uint8_t bytes[1024];
    ssize_t n = -1;
    for (int i = 0; i < ROUNDS_MAX && n <= 0; i++) {
        seom_line_wait(line, 1);
        if (l->peer < 0) {
            l->peer = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK);
        }
        if (l->peer >= 0) {
            n = recv(l->peer, bytes, sizeof(bytes), 0);
        }
    }
    assert_true(n > 4);
    struct message_arena arena;
    const Seom__ClientMessage *m;
    struct slice frame = {.at = bytes + 4, .bytes = (size_t)n - 4};
    assert_int_equal(message_read_client(frame, &arena, &m), OK);
    assert_int_equal(m->what_case, SEOM__CLIENT_MESSAGE__WHAT_HELLO);
}

static void
listener_welcome(struct listener *l, struct seom_line *line, struct seom_client *client)
{
    Seom__Motion motion;
    struct motion at = {.x_mm = 1, .y_mm = 2, .since_ms = 1000};
    message_motion_set(&motion, &at);
    Seom__Limits limits = SEOM__LIMITS__INIT;
    Seom__Welcome w = SEOM__WELCOME__INIT;
    w.protocol = 1;
    w.limits = &limits;
    w.entity = 5;
    w.world_ms = 1000;
    w.island = 1;
    w.motion = &motion;
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_WELCOME;
    m.welcome = &w;
    uint8_t bytes[512];
    size_t n = message_write_server(&m, bytes + 4, sizeof(bytes) - 4);
    assert_true(n > 0);
    store_u32(bytes, (uint32_t)n);
    assert_int_equal(send(l->peer, bytes, n + 4, MSG_NOSIGNAL), n + 4);
    for (int i = 0; i < ROUNDS_MAX && seom_client_state(client) != SEOM_PLAYING; i++) {
        seom_line_wait(line, 1);
    }
    assert_int_equal(seom_client_state(client), SEOM_PLAYING);
}

static void
plays_and_comes_back(void **state)
{
    (void)state;
    struct listener l;
    listener_open(&l);
    struct seom_client *client;
    struct seom_line *line;
    struct seom_options options = {.seed = 3};
    assert_int_equal(seom_client_open(&options, NULL, &client), OK);
    assert_int_equal(seom_line_open(client, l.address, &line), OK);
    listener_hello(&l, line);
    listener_welcome(&l, line, client);
    assert_true(seom_line_fd(line) >= 0);
    assert_true(seom_line_due_us(line) < INT64_MAX);

    close(l.peer);
    l.peer = -1;
    listener_hello(&l, line); /* by itself, after a quarter to half a second */
    listener_welcome(&l, line, client);
    assert_int_equal(seom_client_stats(client)->reconnects, 1);

    seom_line_close(&line);
    seom_client_close(&client);
    close(l.peer);
    close(l.fd);
}

static void
nobody_listens(void **state)
{
    (void)state;
    struct listener l;
    listener_open(&l);
    close(l.fd); /* an address where nobody is */
    struct seom_client *client;
    struct seom_line *line;
    struct seom_options options = {.seed = 4};
    assert_int_equal(seom_client_open(&options, NULL, &client), OK);
    assert_int_equal(seom_line_open(client, l.address, &line), OK);
    seom_line_turn(line);
    seom_line_wait(line, 1);
    assert_int_equal(seom_client_state(client), SEOM_OFFLINE);
    assert_int_equal(seom_line_fd(line), -1);
    assert_true(seom_line_due_us(line) > seom_now_us());
    seom_line_close(&line);
    seom_client_close(&client);
}

static void
addresses_are_numeric(void **state)
{
    (void)state;
    struct seom_client *client;
    struct seom_options options = {.seed = 5};
    assert_int_equal(seom_client_open(&options, NULL, &client), OK);
    static const char *const bad[] = {"",
                                      ":",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:0",
                                      "127.0.0.1:70000",
                                      "127.0.0.1:1x",
                                      "host:1",
                                      "[::1:5",
                                      "::1:5",
                                      "[]:5"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct seom_line *line;
        assert_int_equal(seom_line_open(client, bad[i], &line), ERR_FORMAT);
    }
    static const char *const good[] = {"127.0.0.1:1", "[::1]:65535"};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct seom_line *line;
        assert_int_equal(seom_line_open(client, good[i], &line), OK);
        seom_line_close(&line);
    }
    seom_client_close(&client);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plays_and_comes_back),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(addresses_are_numeric),
    };
    return cmocka_run_group_tests_name("posix", tests, NULL, NULL);
}
