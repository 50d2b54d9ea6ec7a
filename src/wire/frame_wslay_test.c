/* The WebSocket framing against wslay, another implementation of RFC 6455: what wslay's client
 * sends, whole or in fragments with control frames in between, arrives here; what is sent here,
 * wslay's client takes; and of bytes that were tampered with, wslay's server understands at least
 * what is understood here, and the same.
 */
#include "base/rand.h"
#include "wire/frame.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#include <cmocka.h>

#define STREAM_BYTES_MAX  (1 << 18)
#define MESSAGE_BYTES_MAX 8192
#define MESSAGES_MAX      64

/* A row of messages, as bytes one after the other. */
struct messages {
    size_t count, used;
    size_t ends[MESSAGES_MAX];
    uint8_t bytes[MESSAGES_MAX * MESSAGE_BYTES_MAX];
};

struct stream {
    size_t n, read;
    uint8_t bytes[STREAM_BYTES_MAX];
    struct rand rand;
};

static void
messages_add(struct messages *m, const uint8_t *at, size_t bytes)
{
    assert_in_range(m->count, 0, MESSAGES_MAX - 1);
    assert_in_range(m->used + bytes, 0, sizeof m->bytes);
    if (bytes > 0) {
        memcpy(m->bytes + m->used, at, bytes);
    }
    m->used += bytes;
    m->ends[m->count++] = m->used;
}

static void
assert_first_messages_equal(const struct messages *a, const struct messages *b, size_t count)
{
    assert_memory_equal(a->ends, b->ends, count * sizeof a->ends[0]);
    if (count > 0) {
        assert_memory_equal(a->bytes, b->bytes, a->ends[count - 1]);
    }
}

static ssize_t
stream_put(const uint8_t *data, size_t len, int flags, void *user_data)
{
    (void)flags;
    struct stream *s = user_data;
    assert_in_range(s->n + len, 0, STREAM_BYTES_MAX);
    memcpy(s->bytes + s->n, data, len);
    s->n += len;
    return (ssize_t)len;
}

static int
stream_mask(uint8_t *buf, size_t len, void *user_data)
{
    struct stream *s = user_data;
    for (size_t i = 0; i < len; i++) {
        buf[i] = (uint8_t)rand_next(&s->rand);
    }
    return 0;
}

static void
client_send(wslay_frame_context_ptr ctx, bool last, uint8_t opcode, const uint8_t *data, size_t n)
{
    struct wslay_frame_iocb iocb = {.fin = last,
                                    .opcode = opcode,
                                    .payload_length = n,
                                    .mask = 1,
                                    .data = data,
                                    .data_length = n};
    assert_int_equal(wslay_frame_send(ctx, &iocb), n);
}

/* Random messages of a wslay client into the stream; what it said goes to sent, its pings to pings.
 */
static void
client_fill(struct stream *s, struct messages *sent, struct messages *pings, size_t bytes_max)
{
    struct wslay_frame_callbacks callbacks = {.send_callback = stream_put,
                                              .genmask_callback = stream_mask};
    wslay_frame_context_ptr ctx;
    assert_int_equal(wslay_frame_context_init(&ctx, &callbacks, s), 0);
    static uint8_t message[MESSAGE_BYTES_MAX];
    uint32_t count = 1 + rand_below(&s->rand, 12);
    for (uint32_t i = 0; i < count; i++) {
        size_t n = 1 + rand_below(&s->rand, 1 + rand_below(&s->rand, (uint32_t)bytes_max)), at = 0;
        for (size_t k = 0; k < n; k++) {
            message[k] = (uint8_t)rand_next(&s->rand);
        }
        uint8_t opcode = WSLAY_BINARY_FRAME;
        while (rand_below(&s->rand, 3) == 0) {
            size_t part = rand_below(&s->rand, (uint32_t)(n - at) + 1);
            client_send(ctx, false, opcode, message + at, part);
            at += part;
            opcode = WSLAY_CONTINUATION_FRAME;
            if (pings->count < MESSAGES_MAX && rand_below(&s->rand, 2) == 0) {
                size_t ping = rand_below(&s->rand, n < 125 ? (uint32_t)n : 126);
                client_send(ctx, true, WSLAY_PING, message, ping);
                messages_add(pings, message, ping);
            }
        }
        client_send(ctx, true, opcode, message + at, n - at);
        messages_add(sent, message, n);
    }
    wslay_frame_context_free(ctx);
}

/* Decodes the stream as it comes in pieces of random size through a buffer of the promised size. */
static enum framing_event
decode(struct stream *s, struct messages *frames, struct messages *pongs)
{
    struct framing f;
    framing_init(&f);
    f.kind = FRAME_WEBSOCKET;
    f.frame_max = FRAME_AFTER_HELLO_MAX;
    static uint8_t buffer[FRAME_AFTER_HELLO_MAX + FRAME_HEAD_MAX];
    size_t n = 0, at = 0;
    for (;;) {
        size_t used, piece = rand_below(&s->rand, 3000), room = sizeof buffer - n;
        struct slice frame;
        uint8_t reply[FRAME_REPLY_MAX];
        enum framing_event event = framing_next(&f, buffer, n, &used, &frame, reply);
        if (event == FRAMING_FRAME) {
            messages_add(frames, frame.at, frame.bytes);
        } else if (event == FRAMING_REPLY && frame.bytes > 0 && pongs->count < MESSAGES_MAX) {
            messages_add(pongs, frame.at + 2, frame.bytes - 2);
        } else if (event == FRAMING_NEED_MORE) {
            if (at == s->n) {
                return event;
            }
            assert_in_range(room, 1, sizeof buffer);
            piece = piece > s->n - at ? s->n - at : piece;
            piece = piece > room ? room : piece;
            memcpy(buffer + n, s->bytes + at, piece);
            at += piece;
            n += piece;
        } else if (event != FRAMING_REPLY) {
            return event;
        }
        memmove(buffer, buffer + used, n - used);
        n -= used;
    }
}

static struct stream stream;
static struct messages sent, pings, frames, pongs, understood;

static void
start(uint64_t seed)
{
    stream.n = stream.read = 0;
    rand_seed(&stream.rand, seed);
    sent.count = sent.used = pings.count = pings.used = frames.count = frames.used = 0;
    pongs.count = pongs.used = understood.count = understood.used = 0;
}

static void
test_what_wslay_sends_arrives(void **state)
{
    (void)state;
    size_t messages = 0, answered = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        start(seed);
        client_fill(&stream, &sent, &pings, MESSAGE_BYTES_MAX);
        assert_int_equal(decode(&stream, &frames, &pongs), FRAMING_NEED_MORE);
        assert_int_equal(frames.count, sent.count);
        assert_first_messages_equal(&frames, &sent, sent.count);
        assert_int_equal(pongs.count, pings.count);
        assert_first_messages_equal(&pongs, &pings, pings.count);
        messages += sent.count;
        answered += pings.count;
    }
    assert_in_range(messages, 1000, 100000);
    assert_in_range(answered, 100, 100000);
}

static ssize_t
event_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags, void *user_data)
{
    (void)flags;
    struct stream *s = user_data;
    size_t left = s->n - s->read;
    if (left == 0) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    len = len > left ? left : len;
    memcpy(buf, s->bytes + s->read, len);
    s->read += len;
    return (ssize_t)len;
}

static ssize_t
event_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags, void *user_data)
{
    (void)ctx, (void)data, (void)flags, (void)user_data;
    return (ssize_t)len;
}

static void
event_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *arg,
              void *user_data)
{
    (void)ctx, (void)user_data;
    if (arg->opcode == WSLAY_BINARY_FRAME || arg->opcode == WSLAY_CONNECTION_CLOSE) {
        messages_add(&understood, arg->msg, arg->msg_length);
    }
}

static const struct wslay_event_callbacks event_callbacks = {.recv_callback = event_recv,
                                                             .send_callback = event_send,
                                                             .on_msg_recv_callback = event_message};

static void
test_what_is_sent_wslay_takes(void **state)
{
    (void)state;
    static uint8_t payload[2 * MESSAGE_BYTES_MAX * 5];
    static const size_t lengths[] = {1, 2, 125, 126, 127, 4000, 65535, 65536, 80000};
    start(1);
    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (uint8_t)rand_next(&stream.rand);
    }
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        start(1);
        uint8_t head[FRAME_HEAD_MAX];
        size_t head_bytes = frame_head(FRAME_WEBSOCKET, lengths[i], head);
        stream_put(head, head_bytes, 0, &stream);
        stream_put(payload, lengths[i], 0, &stream);
        stream_put(head, frame_close(FRAME_WEBSOCKET, 1001, head), 0, &stream);
        wslay_event_context_ptr ctx;
        assert_int_equal(wslay_event_context_client_init(&ctx, &event_callbacks, &stream), 0);
        assert_int_equal(wslay_event_recv(ctx), 0);
        assert_int_equal(wslay_event_get_status_code_received(ctx), 1001);
        assert_int_equal(understood.count, 2);
        assert_int_equal(understood.ends[0], lengths[i]);
        assert_memory_equal(understood.bytes, payload, lengths[i]);
        wslay_event_context_free(ctx);
    }
}

static void
test_of_tampered_bytes_wslay_understands_the_same(void **state)
{
    (void)state;
    size_t agreed = 0, refused = 0, whole = 0;
    for (uint64_t seed = 0; seed < 4000; seed++) {
        start(seed);
        client_fill(&stream, &sent, &pings, 40);
        for (uint32_t k = rand_below(&stream.rand, 3); k > 0; k--) {
            stream.bytes[rand_below(&stream.rand, (uint32_t)stream.n)] ^=
                (uint8_t)(1 << rand_below(&stream.rand, 8));
        }
        enum framing_event event = decode(&stream, &frames, &pongs);
        wslay_event_context_ptr ctx;
        assert_int_equal(wslay_event_context_server_init(&ctx, &event_callbacks, &stream), 0);
        wslay_event_config_set_max_recv_msg_length(ctx, FRAME_AFTER_HELLO_MAX);
        int result = wslay_event_recv(ctx);
        bool open = result == 0 && wslay_event_get_read_enabled(ctx);
        assert_in_range(frames.count, 0, understood.count);
        assert_first_messages_equal(&frames, &understood, frames.count);
        if (event == FRAMING_NEED_MORE) {
            assert_int_equal(frames.count, understood.count);
            assert_true(open);
            whole++;
        }
        event == FRAMING_BAD || event == FRAMING_TOO_LARGE ? refused++ : agreed++;
        wslay_event_context_free(ctx);
    }
    assert_in_range(whole, 1000, 3900);
    assert_in_range(refused, 300, 3000);
    assert_in_range(agreed, 1000, 3900);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_wslay_sends_arrives),
        cmocka_unit_test(test_what_is_sent_wslay_takes),
        cmocka_unit_test(test_of_tampered_bytes_wslay_understands_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
