#include "wire/frame.h"
#include "base/check.h"
#include "wire/little.h"
#include "wire/sha1.h"
#include "wire/text.h"
#include <sodium.h>
#include <string.h>
#include <strings.h>

#define TCP_HEAD_BYTES    4
#define CONTROL_BYTES_MAX 125
#define MASK_BYTES        4
#define KEY_TEXT_BYTES    24 /* base64 of 16 */
#define KEY_BYTES         16
#define ACCEPT_TEXT_BYTES 28 /* base64 of a SHA-1 */

enum opcode {
    OPCODE_CONTINUATION = 0,
    OPCODE_TEXT = 1,
    OPCODE_BINARY = 2,
    OPCODE_CLOSE = 8,
    OPCODE_PING = 9,
    OPCODE_PONG = 10,
};

#define FIN_BIT  0x80
#define RSV_BITS 0x70
#define MASK_BIT 0x80

struct websocket_head {
    bool last;
    uint8_t opcode;
    uint8_t mask[MASK_BYTES];
    uint32_t head_bytes;
    uint64_t payload_bytes;
};

/* Where the bytes of one call are, and where its answers go. */
struct look {
    uint8_t *bytes;
    size_t n;
    size_t *used;
    struct slice *frame;
    uint8_t *reply;
};

void
framing_init(struct framing *f)
{
    *f = (struct framing){.kind = FRAME_UNDECIDED, .frame_max = FRAME_BEFORE_HELLO_MAX};
}

static enum framing_event
tcp_next(struct framing *f, struct look l)
{
    if (l.n < TCP_HEAD_BYTES) {
        return FRAMING_NEED_MORE;
    }
    uint32_t frame_bytes = load_u32(l.bytes);
    if (frame_bytes == 0) {
        return FRAMING_BAD;
    }
    if (frame_bytes > f->frame_max) {
        return FRAMING_TOO_LARGE;
    }
    if (l.n - TCP_HEAD_BYTES < frame_bytes) {
        return FRAMING_NEED_MORE;
    }
    *l.frame = (struct slice){l.bytes + TCP_HEAD_BYTES, frame_bytes};
    *l.used = TCP_HEAD_BYTES + frame_bytes;
    return FRAMING_FRAME;
}

/* The handshake: RFC 6455 4.2.1, of which every field that it demands is demanded here. */

static bool
slice_is(struct slice s, const char *text)
{
    return s.bytes == strlen(text) && strncasecmp((const char *)s.at, text, s.bytes) == 0;
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct slice
trimmed(struct slice s)
{
    while (s.bytes > 0 && is_blank(s.at[0])) {
        s.at++;
        s.bytes--;
    }
    while (s.bytes > 0 && is_blank(s.at[s.bytes - 1])) {
        s.bytes--;
    }
    return s;
}

/* Takes what stands before the first separator off the front of *s; all of it when there is none.
 */
static struct slice
split(struct slice *s, const char *separator)
{
    size_t separator_bytes = strlen(separator);
    const uint8_t *at = s->bytes > 0 ? memmem(s->at, s->bytes, separator, separator_bytes) : NULL;
    size_t bytes = at != NULL ? (size_t)(at - s->at) : s->bytes;
    size_t taken = at != NULL ? bytes + separator_bytes : bytes;
    struct slice front = {s->at, bytes};
    s->at += taken;
    s->bytes -= taken;
    return front;
}

/* Is the token in a comma-separated list? */
static bool
list_has(struct slice list, const char *token)
{
    while (list.bytes > 0) {
        if (slice_is(trimmed(split(&list, ",")), token)) {
            return true;
        }
    }
    return false;
}

static bool
request_line_is_sound(struct slice line)
{
    static const char version[] = " HTTP/1.1";
    size_t version_bytes = sizeof version - 1;
    return line.bytes > 4 + version_bytes && line.at[4] == '/' &&
           memcmp(line.at + line.bytes - version_bytes, version, version_bytes) == 0 &&
           memchr(line.at + 4, ' ', line.bytes - 4 - version_bytes) == NULL;
}

struct handshake {
    bool host, upgrade, connection, version;
    struct slice key;
};

/* One header line; false: malformed, or a field that may stand only once came again. */
static bool
handshake_field(struct handshake *h, struct slice line)
{
    struct slice value = line, name = split(&value, ":");
    if (name.bytes == 0 || name.bytes == line.bytes || memchr(name.at, ' ', name.bytes) != NULL ||
        memchr(name.at, '\t', name.bytes) != NULL) {
        return false;
    }
    value = trimmed(value);
    if (slice_is(name, "Host")) {
        h->host = value.bytes > 0;
    } else if (slice_is(name, "Upgrade")) {
        h->upgrade = h->upgrade || list_has(value, "websocket");
    } else if (slice_is(name, "Connection")) {
        h->connection = h->connection || list_has(value, "Upgrade");
    } else if (slice_is(name, "Sec-WebSocket-Version")) {
        h->version = slice_is(value, "13");
    } else if (slice_is(name, "Sec-WebSocket-Key")) {
        if (h->key.bytes > 0) {
            return false;
        }
        h->key = value;
    }
    return true;
}

static bool
key_is_sound(struct slice key)
{
    uint8_t decoded[KEY_BYTES];
    size_t decoded_bytes = 0;
    return key.bytes == KEY_TEXT_BYTES &&
           sodium_base642bin(decoded, sizeof decoded, (const char *)key.at, key.bytes, NULL,
                             &decoded_bytes, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
           decoded_bytes == KEY_BYTES;
}

static size_t
handshake_answer(struct slice key, uint8_t reply[FRAME_REPLY_MAX])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */
    static const char head[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Accept: ";
    static const char tail[] = "\r\n\r\n";
    uint8_t text[KEY_TEXT_BYTES + sizeof guid - 1], digest[SHA1_BYTES];
    memcpy(text, key.at, KEY_TEXT_BYTES);
    memcpy(text + KEY_TEXT_BYTES, guid, sizeof guid - 1);
    sha1((struct slice){text, sizeof text}, digest);
    char accept[ACCEPT_TEXT_BYTES + 1];
    sodium_bin2base64(accept, sizeof accept, digest, sizeof digest, sodium_base64_VARIANT_ORIGINAL);
    struct writer w = {.start = reply, .at = reply, .end = reply + FRAME_REPLY_MAX};
    uint8_t *at = writer_room(&w, sizeof head - 1 + ACCEPT_TEXT_BYTES + sizeof tail - 1);
    CHECK(at != NULL);
    memcpy(at, head, sizeof head - 1);
    memcpy(at + sizeof head - 1, accept, ACCEPT_TEXT_BYTES);
    memcpy(at + sizeof head - 1 + ACCEPT_TEXT_BYTES, tail, sizeof tail - 1);
    return (size_t)(w.at - w.start);
}

static enum framing_event
handshake_next(struct framing *f, struct look l)
{
    size_t within = l.n < FRAME_HANDSHAKE_MAX ? l.n : FRAME_HANDSHAKE_MAX;
    const uint8_t *end = memmem(l.bytes, within, "\r\n\r\n", 4);
    if (end == NULL) {
        return l.n < FRAME_HANDSHAKE_MAX ? FRAMING_NEED_MORE : FRAMING_TOO_LARGE;
    }
    struct slice lines = {l.bytes, (size_t)(end - l.bytes)};
    if (!request_line_is_sound(split(&lines, "\r\n"))) {
        return FRAMING_BAD;
    }
    struct handshake h = {.host = false};
    while (lines.bytes > 0) {
        if (!handshake_field(&h, split(&lines, "\r\n"))) {
            return FRAMING_BAD;
        }
    }
    if (!h.host || !h.upgrade || !h.connection || !h.version || !key_is_sound(h.key)) {
        return FRAMING_BAD;
    }
    *l.frame = (struct slice){l.reply, handshake_answer(h.key, l.reply)};
    *l.used = (size_t)(end - l.bytes) + 4;
    f->kind = FRAME_WEBSOCKET;
    return FRAMING_REPLY;
}

/* A head of RFC 6455 5.2; what a client may not send is BAD before its payload has come. */
static enum framing_event
head_read(const uint8_t *at, size_t n, struct websocket_head *out)
{
    if (n < 2) {
        return FRAMING_NEED_MORE;
    }
    uint8_t opcode = at[0] & 0x0f, length = at[1] & 0x7f;
    bool control = opcode >= OPCODE_CLOSE, last = (at[0] & FIN_BIT) != 0;
    if ((at[0] & RSV_BITS) != 0 || (at[1] & MASK_BIT) == 0 || opcode == OPCODE_TEXT ||
        (opcode > OPCODE_BINARY && opcode < OPCODE_CLOSE) || opcode > OPCODE_PONG ||
        (control && (!last || length > CONTROL_BYTES_MAX))) {
        return FRAMING_BAD;
    }
    size_t length_bytes = length == 127 ? 8 : length == 126 ? 2 : 0;
    if (n < 2 + length_bytes + MASK_BYTES) {
        return FRAMING_NEED_MORE;
    }
    uint64_t payload_bytes = length_bytes == 0 ? length : 0;
    for (size_t i = 0; i < length_bytes; i++) {
        payload_bytes = payload_bytes << 8 | at[2 + i];
    }
    if ((length_bytes == 2 && payload_bytes < 126) ||
        (length_bytes == 8 && (payload_bytes < 65536 || payload_bytes >> 63 != 0))) {
        return FRAMING_BAD;
    }
    *out = (struct websocket_head){.last = last,
                                   .opcode = opcode,
                                   .head_bytes = (uint32_t)(2 + length_bytes + MASK_BYTES),
                                   .payload_bytes = payload_bytes};
    memcpy(out->mask, at + 2 + length_bytes, MASK_BYTES);
    return FRAMING_FRAME;
}

static void
unmask(uint8_t *at, size_t bytes, const uint8_t mask[MASK_BYTES])
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] ^= mask[i % MASK_BYTES];
    }
}

/* A control frame's answer; it carries the payload back (all of a ping's, a close's status). */
static struct slice
control_answer(enum opcode opcode, struct slice payload, uint8_t *reply)
{
    CHECK(payload.bytes <= CONTROL_BYTES_MAX);
    reply[0] = (uint8_t)(FIN_BIT | opcode);
    reply[1] = (uint8_t)payload.bytes;
    if (payload.bytes > 0) {
        memcpy(reply + 2, payload.at, payload.bytes);
    }
    return (struct slice){reply, 2 + payload.bytes};
}

/* No payload, or a status that may stand in a frame (RFC 6455 7.4) and a reason in UTF-8. */
static bool
close_is_sound(struct slice payload)
{
    if (payload.bytes == 0) {
        return true;
    }
    if (payload.bytes == 1) {
        return false;
    }
    uint32_t status = (uint32_t)payload.at[0] << 8 | payload.at[1];
    bool known = (status >= 1000 && status <= 1003) || (status >= 1007 && status <= 1014) ||
                 (status >= 3000 && status <= 4999);
    return known && text_is_utf8((struct slice){payload.at + 2, payload.bytes - 2});
}

/* A whole control frame behind what is held of a message. */
static enum framing_event
control_next(struct framing *f, struct look l, const struct websocket_head *h)
{
    size_t start = (size_t)f->gap + f->held, total = h->head_bytes + (size_t)h->payload_bytes;
    uint8_t *at = l.bytes + start + h->head_bytes;
    struct slice payload = {at, (size_t)h->payload_bytes};
    unmask(at, payload.bytes, h->mask);
    enum framing_event event = FRAMING_REPLY;
    if (h->opcode == OPCODE_PING) {
        *l.frame = control_answer(OPCODE_PONG, payload, l.reply);
    } else if (h->opcode == OPCODE_PONG) {
        *l.frame = (struct slice){l.reply, 0};
    } else if (close_is_sound(payload)) {
        payload.bytes = payload.bytes < 2 ? 0 : 2;
        *l.frame = control_answer(OPCODE_CLOSE, payload, l.reply);
        f->closing = true;
        event = FRAMING_CLOSED;
    } else {
        return FRAMING_BAD;
    }
    memmove(l.bytes + f->gap + total, l.bytes + f->gap, f->held);
    *l.used = f->gap + total;
    f->gap = 0;
    return event;
}

static enum framing_event
websocket_next(struct framing *f, struct look l)
{
    for (;;) {
        size_t start = (size_t)f->gap + f->held;
        CHECK(start <= l.n);
        struct websocket_head h;
        enum framing_event event = head_read(l.bytes + start, l.n - start, &h);
        if (event != FRAMING_FRAME) {
            return event;
        }
        bool control = h.opcode >= OPCODE_CLOSE;
        if (!control && (h.opcode == OPCODE_CONTINUATION) != f->fragmented) {
            return FRAMING_BAD;
        }
        if ((!control && f->held + h.payload_bytes > f->frame_max) ||
            start + h.head_bytes + h.payload_bytes > f->frame_max + FRAME_HEAD_MAX) {
            return FRAMING_TOO_LARGE;
        }
        if (l.n - start < h.head_bytes + h.payload_bytes) {
            return FRAMING_NEED_MORE;
        }
        if (control) {
            return control_next(f, l, &h);
        }
        /* The earlier fragments move up to this one, over its head. */
        unmask(l.bytes + start + h.head_bytes, (size_t)h.payload_bytes, h.mask);
        memmove(l.bytes + f->gap + h.head_bytes, l.bytes + f->gap, f->held);
        f->gap += h.head_bytes;
        f->held += (uint32_t)h.payload_bytes;
        f->fragmented = !h.last;
        if (h.last) {
            *l.frame = (struct slice){l.bytes + f->gap, f->held};
            *l.used = (size_t)f->gap + f->held;
            f->gap = f->held = 0;
            return l.frame->bytes > 0 ? FRAMING_FRAME : FRAMING_BAD;
        }
    }
}

enum framing_event
framing_next(struct framing *f, uint8_t *bytes, size_t n, size_t *used, struct slice *frame,
             uint8_t reply[FRAME_REPLY_MAX])
{
    struct look l = {.bytes = bytes, .n = n, .used = used, .frame = frame, .reply = reply};
    *used = 0;
    *frame = (struct slice){bytes, 0};
    if (f->closing) {
        *used = n; /* what comes after a close frame is nobody's */
        return n > 0 ? FRAMING_CLOSED : FRAMING_NEED_MORE;
    }
    if (f->kind == FRAME_UNDECIDED && n >= 4) {
        f->kind = memcmp(bytes, "GET ", 4) == 0 ? FRAME_WEBSOCKET_HANDSHAKE : FRAME_TCP;
    }
    enum framing_event event = FRAMING_NEED_MORE;
    switch (f->kind) {
    case FRAME_UNDECIDED: break;
    case FRAME_TCP: event = tcp_next(f, l); break;
    case FRAME_WEBSOCKET_HANDSHAKE: event = handshake_next(f, l); break;
    case FRAME_WEBSOCKET: event = websocket_next(f, l); break;
    }
    bool full = f->kind != FRAME_WEBSOCKET_HANDSHAKE && n >= (size_t)f->frame_max + FRAME_HEAD_MAX;
    if (event == FRAMING_NEED_MORE && full) {
        event = FRAMING_TOO_LARGE;
    }
    CHECK(*used <= n && (event == FRAMING_NEED_MORE ? *used == 0 : true));
    return event;
}

size_t
frame_head(enum frame_kind kind, size_t frame_bytes, uint8_t out[FRAME_HEAD_MAX])
{
    CHECK(frame_bytes > 0 && frame_bytes <= UINT32_MAX);
    if (kind == FRAME_TCP) {
        store_u32(out, (uint32_t)frame_bytes);
        return TCP_HEAD_BYTES;
    }
    CHECK(kind == FRAME_WEBSOCKET);
    out[0] = FIN_BIT | OPCODE_BINARY;
    size_t length_bytes = frame_bytes > UINT16_MAX ? 8 : frame_bytes > CONTROL_BYTES_MAX ? 2 : 0;
    out[1] = length_bytes == 8 ? 127 : length_bytes == 2 ? 126 : (uint8_t)frame_bytes;
    for (size_t i = 0; i < length_bytes; i++) {
        out[2 + i] = (uint8_t)((uint64_t)frame_bytes >> 8 * (length_bytes - 1 - i));
    }
    return 2 + length_bytes;
}

size_t
frame_close(enum frame_kind kind, uint16_t status, uint8_t out[FRAME_HEAD_MAX])
{
    if (kind != FRAME_WEBSOCKET) {
        return 0;
    }
    out[0] = FIN_BIT | OPCODE_CLOSE;
    out[1] = 2;
    out[2] = (uint8_t)(status >> 8);
    out[3] = (uint8_t)status;
    return 4;
}
