#include "os/dial.h"
#include "os/listen.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static struct sockaddr_in
loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
}

static int
option_get(int fd, int level, int name)
{
    int value;
    socklen_t bytes = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &bytes), 0);
    return value;
}

static int
dial(uint16_t port, uint32_t number)
{
    const struct sockaddr_in to = loopback(port);
    int fd;
    assert_int_equal(dial_start((const struct sockaddr *)&to, sizeof(to), number, &fd), OK);
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    assert_int_equal(poll(&wait, 1, 5000), 1);
    return fd;
}

static int
accept_one(int listener)
{
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 5000), 1);
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK);
}

static void
test_accepted_inherit(void **state)
{
    (void)state;
    int listener;
    uint16_t port;
    assert_int_equal(listen_loopback(&listener, &port), OK);
    assert_in_range(port, 20000, 29999);
    assert_int_equal(listen_port(listener), port);
    int client = dial(port, 0);
    assert_int_equal(dial_result(client), OK);
    int fd = accept_one(listener);
    assert_true(fd >= 0);
    assert_int_equal(option_get(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option_get(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), LISTEN_NOT_SENT_LOW_BYTES);
    assert_int_equal(option_get(fd, SOL_SOCKET, SO_SNDBUF), LISTEN_SEND_BUFFER_BYTES);
    close(fd);
    close(client);
    close(listener);
}

static void
test_taken_address(void **state)
{
    (void)state;
    int listener, second, both[2];
    uint16_t port;
    assert_int_equal(listen_loopback(&listener, &port), OK);
    const struct sockaddr_in same = loopback(port);
    const struct sockaddr *address = (const struct sockaddr *)&same;
    assert_int_equal(listen_open(address, sizeof(same), 1, &second), ERR_EXISTS);
    assert_int_equal(listen_open(address, sizeof(same), 2, both), ERR_EXISTS);
    close(listener);
    /* Also where whoever has it would share: another process must not join unnoticed. */
    assert_int_equal(listen_open(address, sizeof(same), 2, both), OK);
    assert_int_equal(listen_port(both[0]), port);
    assert_int_equal(listen_port(both[1]), port);
    int third[2];
    assert_int_equal(listen_open(address, sizeof(same), 2, third), ERR_EXISTS);
    close(both[0]);
    close(both[1]);
    const struct sockaddr_in foreign = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(0xc0000201), /* 192.0.2.1 */
                                        .sin_port = htons(port)};
    assert_int_equal(listen_open((const struct sockaddr *)&foreign, sizeof(foreign), 1, &second),
                     ERR_NOT_FOUND);
}

static void
test_dial_sources(void **state)
{
    (void)state;
    int listener;
    uint16_t port;
    assert_int_equal(listen_loopback(&listener, &port), OK);

    const struct {
        uint32_t number, address;
    } cases[] = {{0, 0x7f000101},
                 {DIAL_PER_ADDRESS - 1, 0x7f000101},
                 {DIAL_PER_ADDRESS, 0x7f000102},
                 {250 * DIAL_PER_ADDRESS, 0x7f000201}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = dial(port, cases[i].number);
        struct sockaddr_in source;
        socklen_t bytes = sizeof(source);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&source, &bytes), 0);
        assert_int_equal(ntohl(source.sin_addr.s_addr), cases[i].address);
        assert_int_equal(dial_result(fd), OK);
        close(fd);
    }
    close(listener);
    int refused = dial(port, 0);
    assert_int_equal(dial_result(refused), ERR_UNAVAILABLE);
    close(refused);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted_inherit),
        cmocka_unit_test(test_taken_address),
        cmocka_unit_test(test_dial_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
