#include "wire/frame.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One connection: bytes that came and were not used yet, in a buffer of just the promised size. */
struct line {
    struct framing framing;
    uint8_t reply[FRAME_REPLY_MAX];
    uint8_t *bytes;
    size_t n;
    struct slice frame;
};

static struct line
line_open(enum frame_kind kind)
{
    struct line l = {.n = 0};
    framing_init(&l.framing);
    l.framing.kind = kind;
    l.bytes = malloc(FRAME_AFTER_HELLO_MAX + FRAME_HEAD_MAX);
    return l;
}

static void
line_close(struct line *l)
{
    free(l->bytes);
}

static void
line_add(struct line *l, const void *at, size_t n)
{
    assert_in_range(l->n + n, 0, FRAME_AFTER_HELLO_MAX + FRAME_HEAD_MAX);
    memcpy(l->bytes + l->n, at, n);
    l->n += n;
}

/* The frame's bytes are kept until the next call by leaving them where they are: used ones are cut
 * off then. */
static enum framing_event
line_next(struct line *l)
{
    static uint8_t frame[FRAME_AFTER_HELLO_MAX + FRAME_REPLY_MAX];
    size_t used;
    enum framing_event event =
        framing_next(&l->framing, l->bytes, l->n, &used, &l->frame, l->reply);
    memcpy(frame, l->frame.at, l->frame.bytes);
    l->frame.at = frame;
    memmove(l->bytes, l->bytes + used, l->n - used);
    l->n -= used;
    return event;
}

static void
assert_frame(struct line *l, const char *text)
{
    assert_int_equal(line_next(l), FRAMING_FRAME);
    assert_int_equal(l->frame.bytes, strlen(text));
    assert_memory_equal(l->frame.at, text, strlen(text));
}

/* A masked frame of a client, head by hand. */
static size_t
client_frame(uint8_t *out, uint8_t first, const void *payload, size_t bytes)
{
    static const uint8_t mask[4] = {0x11, 0x22, 0x33, 0x44};
    size_t n = 0;
    out[n++] = first;
    if (bytes < 126) {
        out[n++] = (uint8_t)(0x80 | bytes);
    } else if (bytes < 65536) {
        out[n++] = 0x80 | 126;
        out[n++] = (uint8_t)(bytes >> 8);
        out[n++] = (uint8_t)bytes;
    } else {
        out[n++] = 0x80 | 127;
        for (unsigned i = 0; i < 8; i++) {
            out[n++] = (uint8_t)((uint64_t)bytes >> (56 - 8 * i));
        }
    }
    memcpy(out + n, mask, 4);
    n += 4;
    for (size_t i = 0; i < bytes; i++) {
        out[n + i] = (uint8_t)(((const uint8_t *)payload)[i] ^ mask[i % 4]);
    }
    return n + bytes;
}

static void
line_add_frame(struct line *l, uint8_t first, const char *text)
{
    uint8_t bytes[1024];
    line_add(l, bytes, client_frame(bytes, first, text, strlen(text)));
}

static void
test_tcp_frames(void **state)
{
    (void)state;
    struct line l = line_open(FRAME_UNDECIDED);
    line_add(&l, "\5\0\0\0hello\1\0\0\0x\2\0", 16);
    assert_frame(&l, "hello");
    assert_int_equal(l.framing.kind, FRAME_TCP);
    assert_frame(&l, "x");
    assert_int_equal(line_next(&l), FRAMING_NEED_MORE);
    line_add(&l, "\0\0a", 3);
    assert_int_equal(line_next(&l), FRAMING_NEED_MORE);
    line_add(&l, "b", 1);
    assert_frame(&l, "ab");
    assert_int_equal(l.n, 0);
    line_close(&l);
}

static void
test_tcp_lengths(void **state)
{
    (void)state;
    struct line l = line_open(FRAME_UNDECIDED);
    line_add(&l, "\0\0\0\0", 4);
    assert_int_equal(line_next(&l), FRAMING_BAD);
    line_close(&l);
    l = line_open(FRAME_UNDECIDED);
    line_add(&l, "\1\4\0\0", 4);
    assert_int_equal(line_next(&l), FRAMING_TOO_LARGE);
    l.framing.frame_max = FRAME_AFTER_HELLO_MAX;
    assert_int_equal(line_next(&l), FRAMING_NEED_MORE);
    line_close(&l);
    l = line_open(FRAME_UNDECIDED);
    line_add(&l, "\0\4\0\0", 4);
    assert_int_equal(line_next(&l), FRAMING_NEED_MORE);
    line_close(&l);
}

static const char good_handshake[] = "GET /play HTTP/1.1\r\nHost: server.example.com\r\n"
                                     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                     "Sec-WebSocket-Version: 13\r\n\r\n";

/* The example of RFC 6455 1.3. */
static void
assert_accepted(struct line *l)
{
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    assert_int_equal(line_next(l), FRAMING_REPLY);
    assert_int_equal(l->frame.bytes, sizeof answer - 1);
    assert_memory_equal(l->frame.at, answer, sizeof answer - 1);
    assert_int_equal(l->framing.kind, FRAME_WEBSOCKET);
}

static void
test_handshake(void **state)
{
    (void)state;
    struct line l = line_open(FRAME_UNDECIDED);
    for (size_t i = 0; i + 1 < sizeof good_handshake; i++) {
        assert_int_equal(line_next(&l), FRAMING_NEED_MORE);
        line_add(&l, &good_handshake[i], 1);
    }
    assert_accepted(&l);
    assert_int_equal(l.n, 0);
    line_add_frame(&l, 0x82, "first");
    assert_frame(&l, "first");
    line_close(&l);
}

static void
test_handshake_of_a_browser(void **state)
{
    (void)state;
    static const char browser[] =
        "GET / HTTP/1.1\r\nhost: 127.0.0.1:7777\r\nCONNECTION: keep-alive, upgrade\r\n"
        "upgrade:WebSocket\r\nOrigin: http://127.0.0.1:7780\r\nsec-websocket-version:  13 \r\n"
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        "Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==\r\nCookie:\r\n\r\nrest";
    struct line l = line_open(FRAME_UNDECIDED);
    line_add(&l, browser, sizeof browser - 1);
    assert_accepted(&l);
    assert_int_equal(l.n, 4);
    line_close(&l);
}

/* The good one with one thing put in place of another. */
static enum framing_event
handshake_with(const char *what, const char *instead)
{
    char text[4096];
    const char *at = strstr(good_handshake, what);
    assert_non_null(at);
    int n = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good_handshake), good_handshake,
                     instead, at + strlen(what));
    struct line l = line_open(FRAME_WEBSOCKET_HANDSHAKE);
    line_add(&l, text, (size_t)n);
    enum framing_event event = line_next(&l);
    line_close(&l);
    return event;
}

static void
test_handshakes_that_are_none(void **state)
{
    (void)state;
    static const char *const faults[][2] = {
        {"GET /play HTTP/1.1", "GET /play HTTP/1.0"},
        {"GET /play HTTP/1.1", "GET  HTTP/1.1"},
        {"GET /play HTTP/1.1", "GET play HTTP/1.1"},
        {"GET /play HTTP/1.1", "GET /pl ay HTTP/1.1"},
        {"GET /play HTTP/1.1", "GET "},
        {"Host: server.example.com\r\n", ""},
        {"Host: server.example.com\r\n", "Host:\r\n"},
        {"Upgrade: websocket\r\n", ""},
        {"Upgrade: websocket\r\n", "Upgrade: websockets\r\n"},
        {"Connection: Upgrade", "Connection: close"},
        {"Version: 13", "Version: 8"},
        {"Version: 13", "Version: 13, 8"},
        {"Sec-WebSocket-Version: 13\r\n", ""},
        {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ="},
        {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZXM="},
        {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZS!ub25jZQ=="},
        {"dGhlIHNhbXBsZSBub25jZQ==", ""},
        {"Host:", "Host :"},
        {"Host:", " Host:"},
        {"Host: server.example.com", "Host server.example.com"},
        {"Host:", ":"},
        {"Sec-WebSocket-Version: 13",
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        assert_int_equal(handshake_with(faults[i][0], faults[i][1]), FRAMING_BAD);
    }
    assert_int_equal(handshake_with("/play", "/"), FRAMING_REPLY);
}

static void
test_handshake_has_a_limit(void **state)
{
    (void)state;
    char cookie[2 * FRAME_HANDSHAKE_MAX] = "Host: a\r\nCookie: ";
    size_t head = strlen(cookie), most = FRAME_HANDSHAKE_MAX - (sizeof good_handshake - 1);
    size_t fits = most + strlen("Host: server.example.com") - head;
    memset(cookie + head, 'c', fits);
    assert_int_equal(handshake_with("Host: server.example.com", cookie), FRAMING_REPLY);
    cookie[head + fits] = 'c';
    assert_int_equal(handshake_with("Host: server.example.com", cookie), FRAMING_TOO_LARGE);
    char endless[FRAME_HANDSHAKE_MAX + 1] = "GET ";
    struct line l = line_open(FRAME_UNDECIDED);
    line_add(&l, endless, FRAME_HANDSHAKE_MAX - 1);
    assert_int_equal(line_next(&l), FRAMING_NEED_MORE);
    line_add(&l, endless, 1);
    assert_int_equal(line_next(&l), FRAMING_TOO_LARGE);
    line_close(&l);
}

static void
test_websocket_lengths(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 125, 126, 127, 1024, 65535, 65536};
    static uint8_t payload[65537], bytes[65536 + FRAME_HEAD_MAX];
    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (uint8_t)(i * 7);
    }
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct line l = line_open(FRAME_WEBSOCKET);
        l.framing.frame_max = (uint32_t)lengths[i];
        size_t n = client_frame(bytes, 0x82, payload, lengths[i]);
        line_add(&l, bytes, n - 1);
        assert_int_equal(line_next(&l), FRAMING_NEED_MORE);
        line_add(&l, bytes + n - 1, 1);
        assert_int_equal(line_next(&l), FRAMING_FRAME);
        assert_int_equal(l.frame.bytes, lengths[i]);
        assert_memory_equal(l.frame.at, payload, lengths[i]);
        assert_int_equal(l.n, 0);
        l.framing.frame_max--;
        line_add(&l, bytes, n < 14 ? n : 14);
        assert_int_equal(line_next(&l), FRAMING_TOO_LARGE);
        line_close(&l);
    }
}

static void
test_fragments_are_put_together(void **state)
{
    (void)state;
    struct line l = line_open(FRAME_WEBSOCKET);
    line_add_frame(&l, 0x02, "one, ");
    assert_int_equal(line_next(&l), FRAMING_NEED_MORE);
    line_add_frame(&l, 0x00, "");
    line_add_frame(&l, 0x00, "two, ");
    assert_int_equal(line_next(&l), FRAMING_NEED_MORE);
    assert_int_equal(line_next(&l), FRAMING_NEED_MORE);
    line_add_frame(&l, 0x89, "there?"); /* a ping in between is answered at once */
    line_add_frame(&l, 0x8a, "");
    line_add_frame(&l, 0x80, "three");
    line_add_frame(&l, 0x82, "next");
    assert_int_equal(line_next(&l), FRAMING_REPLY);
    assert_int_equal(l.frame.bytes, 8);
    assert_memory_equal(l.frame.at, "\x8a\6there?", 8);
    assert_int_equal(line_next(&l), FRAMING_REPLY);
    assert_int_equal(l.frame.bytes, 0);
    assert_frame(&l, "one, two, three");
    assert_frame(&l, "next");
    assert_int_equal(l.n, 0);
    line_close(&l);
}

static void
test_fragments_have_the_limit_of_a_frame(void **state)
{
    (void)state;
    struct line l = line_open(FRAME_WEBSOCKET);
    l.framing.frame_max = 10;
    line_add_frame(&l, 0x02, "12345");
    line_add_frame(&l, 0x80, "123456");
    assert_int_equal(line_next(&l), FRAMING_TOO_LARGE);
    line_close(&l);
    l = line_open(FRAME_WEBSOCKET); /* heads count: no endless row of empty ones */
    enum framing_event event = FRAMING_NEED_MORE;
    line_add_frame(&l, 0x02, "");
    unsigned frames = 0;
    while (event == FRAMING_NEED_MORE && frames++ < 1000) {
        line_add_frame(&l, 0x00, "");
        event = line_next(&l);
    }
    assert_int_equal(event, FRAMING_TOO_LARGE);
    assert_in_range(l.n, FRAME_BEFORE_HELLO_MAX, FRAME_BEFORE_HELLO_MAX + FRAME_HEAD_MAX + 6);
    line_close(&l);
}

static void
test_frames_that_a_client_may_not_send(void **state)
{
    (void)state;

    static const struct {
        uint8_t n;
        uint8_t bytes[16];
    } bad[] = {
        {2, {0x82, 0x05}}, /* not masked */
        {2, {0x81, 0x85}}, /* text */
        {2, {0xc2, 0x85}}, /* reserved bits */
        {2, {0xa2, 0x85}},
        {2, {0x92, 0x85}},
        {2, {0x83, 0x85}}, /* unknown opcodes */
        {2, {0x87, 0x85}},
        {2, {0x8b, 0x85}},
        {2, {0x8f, 0x85}},
        {2, {0x09, 0x80}}, /* a control frame in pieces */
        {2, {0x89, 0xfe}}, /* a long control frame */
        {2, {0x88, 0xff}},
        {8, {0x82, 0xfe, 0, 125, 0, 0, 0, 0}}, /* lengths longer than they need be */
        {14, {0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}},
        {14, {0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0}},
        {6, {0x82, 0x80}},                               /* a frame without its format byte */
        {6, {0x80, 0x81}},                               /* continues nothing */
        {7, {0x88, 0x81}},                               /* half a status */
        {8, {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xec}},       /* 1004 */
        {8, {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xee}},       /* 1006 is never sent */
        {8, {0x88, 0x82, 0, 0, 0, 0, 0x13, 0x88}},       /* 5000 */
        {9, {0x88, 0x83, 0, 0, 0, 0, 0x03, 0xe8, 0xff}}, /* a reason that is no text */
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct line l = line_open(FRAME_WEBSOCKET);
        line_add(&l, bad[i].bytes, bad[i].n);
        assert_int_equal(line_next(&l), FRAMING_BAD);
        line_close(&l);
    }
    struct line l = line_open(FRAME_WEBSOCKET);
    line_add_frame(&l, 0x02, "begun");
    line_add_frame(&l, 0x82, "and another");
    assert_int_equal(line_next(&l), FRAMING_BAD);
    line_close(&l);
    l = line_open(FRAME_WEBSOCKET);
    line_add(&l, "\x82\xff\0\0\0\0\xff\xff\xff\xff\0\0\0\0", 14);
    assert_int_equal(line_next(&l), FRAMING_TOO_LARGE);
    line_close(&l);
}

static void
test_close(void **state)
{
    (void)state;
    struct line l = line_open(FRAME_WEBSOCKET);
    line_add_frame(&l, 0x88, "\x03\xe9 gone to lunch");
    line_add_frame(&l, 0x82, "too late");
    assert_int_equal(line_next(&l), FRAMING_CLOSED);
    assert_int_equal(l.frame.bytes, 4);
    assert_memory_equal(l.frame.at, "\x88\2\x03\xe9", 4);
    assert_true(l.framing.closing);
    assert_int_equal(line_next(&l), FRAMING_CLOSED);
    assert_int_equal(l.n, 0);
    assert_int_equal(line_next(&l), FRAMING_NEED_MORE);
    line_close(&l);
    l = line_open(FRAME_WEBSOCKET);
    line_add_frame(&l, 0x88, "");
    assert_int_equal(line_next(&l), FRAMING_CLOSED);
    assert_memory_equal(l.frame.at, "\x88\0", 2);
    line_close(&l);
}

static void
test_heads(void **state)
{
    (void)state;
    uint8_t out[FRAME_HEAD_MAX];
    assert_int_equal(frame_head(FRAME_TCP, 0x01020304, out), 4);
    assert_memory_equal(out, "\4\3\2\1", 4);
    assert_int_equal(frame_head(FRAME_WEBSOCKET, 125, out), 2);
    assert_memory_equal(out, "\x82\x7d", 2);
    assert_int_equal(frame_head(FRAME_WEBSOCKET, 126, out), 4);
    assert_memory_equal(out, "\x82\x7e\0\x7e", 4);
    assert_int_equal(frame_head(FRAME_WEBSOCKET, 65535, out), 4);
    assert_memory_equal(out, "\x82\x7e\xff\xff", 4);
    assert_int_equal(frame_head(FRAME_WEBSOCKET, 65536, out), 10);
    assert_memory_equal(out, "\x82\x7f\0\0\0\0\0\1\0\0", 10);
    assert_int_equal(frame_close(FRAME_TCP, 1001, out), 0);
    assert_int_equal(frame_close(FRAME_WEBSOCKET, 1001, out), 4);
    assert_memory_equal(out, "\x88\2\x03\xe9", 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp_frames),
        cmocka_unit_test(test_tcp_lengths),
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_handshake_of_a_browser),
        cmocka_unit_test(test_handshakes_that_are_none),
        cmocka_unit_test(test_handshake_has_a_limit),
        cmocka_unit_test(test_websocket_lengths),
        cmocka_unit_test(test_fragments_are_put_together),
        cmocka_unit_test(test_fragments_have_the_limit_of_a_frame),
        cmocka_unit_test(test_frames_that_a_client_may_not_send),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
