#include "wire/message.h"
#include "base/check.h"
#include "wire/batch.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/little.h"
#include "wire/text.h"
#include <string.h>

/* The arena as protobuf-c's allocator: memory is only ever taken, and taken back as a whole by the
 * next decoding. */
static void *
arena_take(void *allocator_data, size_t bytes)
{
    struct message_arena *arena = allocator_data;
    size_t step = _Alignof(max_align_t), start = (arena->used + step - 1) / step * step;
    if (bytes > MESSAGE_ARENA_BYTES || start > MESSAGE_ARENA_BYTES - bytes) {
        arena->exhausted = true;
        return NULL;
    }
    arena->used = start + bytes;
    return arena->bytes + start;
}

static void
arena_give(void *allocator_data, void *at)
{
    (void)allocator_data;
    (void)at;
}

/* The checks of what protobuf-c let through. Each takes NULL for a sub-message that is not there.
 */

static enum err
check_text(const char *text, size_t bytes_max)
{
    size_t bytes = text == NULL ? 0 : strnlen(text, bytes_max + 1);
    if (bytes > bytes_max) {
        return ERR_RANGE;
    }
    return text_is_utf8((struct slice){(const uint8_t *)text, bytes}) ? OK : ERR_FORMAT;
}

static enum err
check_motion(const Seom__Motion *m)
{
    if (m == NULL) {
        return ERR_FORMAT;
    }
    bool within = m->vx >= INT16_MIN && m->vx <= INT16_MAX && m->vy >= INT16_MIN &&
                  m->vy <= INT16_MAX && m->since_ms >= 0 && m->since_ms <= WORLD_MS_MAX &&
                  m->lasts_ms <= MOTION_LASTS_MS_MAX;
    return within ? OK : ERR_RANGE;
}

static enum err
check_hello(const Seom__Hello *h)
{
    if (h->protocol == NULL) {
        return ERR_FORMAT;
    }
    if (h->protocol->min > h->protocol->max || h->ticket.len > TICKET_BYTES_MAX) {
        return ERR_RANGE;
    }
    return check_text(h->client, CLIENT_NAME_BYTES_MAX);
}

static enum err
check_move(const Seom__Move *m)
{
    return m->look <= LOOK_KIND_MASK ? check_motion(m->motion) : ERR_RANGE;
}

/* An island's number fits a topic, and a window ends where coordinates end. */
static enum err
check_camera(const Seom__Camera *c)
{
    bool fits = c->island <= INT32_MAX && (int64_t)c->x_mm + c->w_mm <= INT32_MAX &&
                (int64_t)c->y_mm + c->h_mm <= INT32_MAX;
    return fits ? OK : ERR_RANGE;
}

/* Kinds that only newer ones know are let through: who asks for one is refused. */
static enum err
check_show_kind(Seom__ShowKind kind)
{
    return (int)kind >= 0 && (int)kind <= UINT8_MAX ? OK : ERR_RANGE;
}

static enum err
check_request(const Seom__Request *r)
{
    switch (r->what_case) {
    case SEOM__REQUEST__WHAT_SAY:
        return r->say->channel <= UINT8_MAX ? check_text(r->say->text, SAY_BYTES_MAX) : ERR_RANGE;
    case SEOM__REQUEST__WHAT_CAMERA: return check_camera(r->camera);
    case SEOM__REQUEST__WHAT_LOOK: return OK;
    case SEOM__REQUEST__WHAT_SHOW: return check_show_kind(r->show->what);
    case SEOM__REQUEST__WHAT__NOT_SET:
    case _SEOM__REQUEST__WHAT__CASE_IS_INT_SIZE: break;
    }
    return ERR_NOT_FOUND;
}

static enum err
check_code(Seom__Code code)
{
    return (int)code >= 0 && (int)code <= UINT8_MAX ? OK : ERR_RANGE;
}

static enum err
check_gates(size_t count, char *const *gates)
{
    if (count > GATES_MAX) {
        return ERR_RANGE;
    }
    for (size_t i = 0; i < count; i++) {
        enum err error = check_text(gates[i], GATE_BYTES_MAX);
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

static enum err
check_goodbye(const Seom__Goodbye *g)
{
    enum err error = check_code(g->code);
    return error != OK ? error : check_gates(g->n_gates, g->gates);
}

static enum err
check_client(const Seom__ClientMessage *m)
{
    switch (m->what_case) {
    case SEOM__CLIENT_MESSAGE__WHAT_HELLO: return check_hello(m->hello);
    case SEOM__CLIENT_MESSAGE__WHAT_MOVE: return check_move(m->move);
    case SEOM__CLIENT_MESSAGE__WHAT_REQUEST: return check_request(m->request);
    case SEOM__CLIENT_MESSAGE__WHAT_COMMAND:
        return m->command->body.len <= COMMAND_BYTES_MAX ? OK : ERR_RANGE;
    case SEOM__CLIENT_MESSAGE__WHAT_GOODBYE: return check_goodbye(m->goodbye);
    case SEOM__CLIENT_MESSAGE__WHAT_PING: return OK;
    case SEOM__CLIENT_MESSAGE__WHAT__NOT_SET:
    case _SEOM__CLIENT_MESSAGE__WHAT__CASE_IS_INT_SIZE: break;
    }
    return ERR_NOT_FOUND;
}

static enum err
check_welcome(const Seom__Welcome *w)
{
    if (w->limits == NULL || (w->entity != 0 && w->motion == NULL)) {
        return ERR_FORMAT;
    }
    if (w->world_ms < 0 || w->world_ms > WORLD_MS_MAX || w->ticket.len > TICKET_BYTES_MAX ||
        w->n_speeds > SPEEDS_MAX) {
        return ERR_RANGE;
    }
    for (size_t i = 0; i < w->n_speeds; i++) {
        if (w->speeds[i]->look > LOOK_KIND_MASK || w->speeds[i]->mm_per_s > INT32_MAX) {
            return ERR_RANGE;
        }
    }
    enum err error = w->motion == NULL ? OK : check_motion(w->motion);
    return error != OK ? error : check_gates(w->n_gates, w->gates);
}

static enum err
check_answer(const Seom__Answer *a)
{
    enum err error = check_code(a->code);
    if (error != OK || a->what_case == SEOM__ANSWER__WHAT__NOT_SET) {
        return error;
    }
    if (a->what_case == SEOM__ANSWER__WHAT_SHOWN) {
        return a->shown.len <= SHOWN_BYTES_MAX ? OK : ERR_RANGE;
    }
    return a->look->look <= LOOK_KIND_MASK ? check_text(a->look->name, NAME_BYTES_MAX) : ERR_RANGE;
}

static enum err
check_result(const Seom__CommandResult *r)
{
    return r->body.len <= RESULT_BYTES_MAX ? check_code(r->code) : ERR_RANGE;
}

static enum err
check_said(const Seom__Said *s)
{
    if (s->channel == 0 || s->channel > UINT8_MAX) {
        return ERR_RANGE;
    }
    enum err error = check_text(s->name, NAME_BYTES_MAX);
    return error != OK ? error : check_text(s->text, SAY_BYTES_MAX);
}

static enum err
check_server(const Seom__ServerMessage *m)
{
    switch (m->what_case) {
    case SEOM__SERVER_MESSAGE__WHAT_WELCOME: return check_welcome(m->welcome);
    case SEOM__SERVER_MESSAGE__WHAT_ANSWER: return check_answer(m->answer);
    case SEOM__SERVER_MESSAGE__WHAT_RESULT: return check_result(m->result);
    case SEOM__SERVER_MESSAGE__WHAT_GOODBYE: return check_goodbye(m->goodbye);
    case SEOM__SERVER_MESSAGE__WHAT_PONG:
        return m->pong->world_ms >= 0 && m->pong->world_ms <= WORLD_MS_MAX ? OK : ERR_RANGE;
    case SEOM__SERVER_MESSAGE__WHAT_CHANGED: return check_show_kind(m->changed->what);
    case SEOM__SERVER_MESSAGE__WHAT_LOBBY: return check_code(m->lobby->code);
    case SEOM__SERVER_MESSAGE__WHAT_SAID: return check_said(m->said);
    case SEOM__SERVER_MESSAGE__WHAT__NOT_SET:
    case _SEOM__SERVER_MESSAGE__WHAT__CASE_IS_INT_SIZE: break;
    }
    return ERR_NOT_FOUND;
}

static enum err
message_unpack(const ProtobufCMessageDescriptor *descriptor, struct slice frame,
               struct message_arena *arena, ProtobufCMessage **out)
{
    if (frame.bytes == 0 || frame.at[0] != FRAME_FORMAT_MESSAGE) {
        return ERR_FORMAT;
    }
    arena->used = 0;
    arena->exhausted = false;
    ProtobufCAllocator allocator = {
        .alloc = arena_take, .free = arena_give, .allocator_data = arena};
    *out = protobuf_c_message_unpack(descriptor, &allocator, frame.bytes - 1, frame.at + 1);
    if (*out == NULL) {
        return arena->exhausted ? ERR_TOO_LARGE : ERR_FORMAT;
    }
    return OK;
}

enum err
message_read_client(struct slice frame, struct message_arena *arena,
                    const Seom__ClientMessage **out)
{
    ProtobufCMessage *base;
    enum err error = message_unpack(&seom__client_message__descriptor, frame, arena, &base);
    if (error != OK) {
        return error;
    }
    *out = (const Seom__ClientMessage *)base;
    return check_client(*out);
}

enum err
message_read_server(struct slice frame, struct message_arena *arena,
                    const Seom__ServerMessage **out)
{
    ProtobufCMessage *base;
    enum err error = message_unpack(&seom__server_message__descriptor, frame, arena, &base);
    if (error != OK) {
        return error;
    }
    *out = (const Seom__ServerMessage *)base;
    return check_server(*out);
}

static size_t
message_pack(const ProtobufCMessage *message, uint8_t *out, size_t max)
{
    size_t bytes = 1 + protobuf_c_message_get_packed_size(message);
    if (bytes > max) {
        return 0;
    }
    out[0] = FRAME_FORMAT_MESSAGE;
    size_t packed = protobuf_c_message_pack(message, out + 1);
    CHECK(packed + 1 == bytes);
    return bytes;
}

size_t
message_write_client(const Seom__ClientMessage *message, uint8_t *out, size_t max)
{
    return message_pack(&message->base, out, max);
}

size_t
message_write_server(const Seom__ServerMessage *message, uint8_t *out, size_t max)
{
    return message_pack(&message->base, out, max);
}

struct motion
message_motion_of(const Seom__Motion *m)
{
    return (struct motion){.x_mm = m->x_mm,
                           .y_mm = m->y_mm,
                           .vx = (int16_t)m->vx,
                           .vy = (int16_t)m->vy,
                           .since_ms = m->since_ms,
                           .lasts_ms = (uint16_t)m->lasts_ms};
}

void
message_motion_set(Seom__Motion *out, const struct motion *m)
{
    seom__motion__init(out);
    out->x_mm = m->x_mm;
    out->y_mm = m->y_mm;
    out->vx = m->vx;
    out->vy = m->vy;
    out->since_ms = m->since_ms;
    out->lasts_ms = m->lasts_ms;
}

struct message_move
message_move_of(const Seom__Move *m)
{
    return (struct message_move){
        .move_no = m->move_no, .look = (uint8_t)m->look, .motion = message_motion_of(m->motion)};
}

/* The fast path. Tags as the schema gives them: field number << 3 | wire type. */
enum {
    TAG_CLIENT_MOVE = 2 << 3 | 2,
    TAG_MOVE_NO = 1 << 3,
    TAG_MOVE_MOTION = 2 << 3 | 2,
    TAG_MOVE_LOOK = 3 << 3,
    TAG_MOTION_X = 1 << 3,
    TAG_MOTION_Y = 2 << 3,
    TAG_MOTION_VX = 3 << 3,
    TAG_MOTION_VY = 4 << 3,
    TAG_MOTION_SINCE = 5 << 3,
    TAG_MOTION_LASTS = 6 << 3,
};

struct fields {
    const uint8_t *at, *end;
    bool failed;
};

/* The next field if it has this tag; 0 when it has another one: then it is absent, or not in order,
 * and the caller sees at the end that something is left. */
static uint64_t
take_number(struct fields *f, uint8_t tag, uint64_t max)
{
    if (f->at == f->end || *f->at != tag) {
        return 0;
    }
    uint64_t v = 0;
    size_t n = load_varint(f->at + 1, f->end, &v);
    if (n == 0 || v > max) {
        f->failed = true;
        return 0;
    }
    f->at += 1 + n;
    return v;
}

static int32_t
take_signed(struct fields *f, uint8_t tag, int32_t min, int32_t max)
{
    uint32_t v = (uint32_t)take_number(f, tag, UINT32_MAX);
    int32_t value = (int32_t)(v >> 1 ^ (0 - (v & 1)));
    f->failed = f->failed || value < min || value > max;
    return value;
}

/* A sub-message that reaches to the end of f or is followed by something; a length of one byte is
 * enough for a move. */
static struct fields
take_message(struct fields *f, uint8_t tag)
{
    if (f->end - f->at < 2 || f->at[0] != tag || f->at[1] > 127 || f->end - f->at - 2 < f->at[1]) {
        f->failed = true;
        return (struct fields){.failed = true};
    }
    struct fields inner = {.at = f->at + 2, .end = f->at + 2 + f->at[1]};
    f->at = inner.end;
    return inner;
}

enum err
message_read_move(struct slice frame, struct message_move *out)
{
    if (frame.bytes < 2 || frame.at[0] != FRAME_FORMAT_MESSAGE) {
        return ERR_NOT_FOUND;
    }
    struct fields outer = {.at = frame.at + 1, .end = frame.at + frame.bytes};
    struct fields move = take_message(&outer, TAG_CLIENT_MOVE);
    if (outer.failed || outer.at != outer.end) {
        return ERR_NOT_FOUND;
    }
    out->move_no = (uint32_t)take_number(&move, TAG_MOVE_NO, UINT32_MAX);
    struct fields m = take_message(&move, TAG_MOVE_MOTION);
    if (move.failed) {
        return ERR_NOT_FOUND;
    }
    out->look = (uint8_t)take_number(&move, TAG_MOVE_LOOK, LOOK_KIND_MASK);
    out->motion.x_mm = take_signed(&m, TAG_MOTION_X, INT32_MIN, INT32_MAX);
    out->motion.y_mm = take_signed(&m, TAG_MOTION_Y, INT32_MIN, INT32_MAX);
    out->motion.vx = (int16_t)take_signed(&m, TAG_MOTION_VX, INT16_MIN, INT16_MAX);
    out->motion.vy = (int16_t)take_signed(&m, TAG_MOTION_VY, INT16_MIN, INT16_MAX);
    out->motion.since_ms = (int64_t)take_number(&m, TAG_MOTION_SINCE, WORLD_MS_MAX);
    out->motion.lasts_ms = (uint16_t)take_number(&m, TAG_MOTION_LASTS, MOTION_LASTS_MS_MAX);
    bool whole = !move.failed && !m.failed && move.at == move.end && m.at == m.end;
    return whole ? OK : ERR_NOT_FOUND;
}

/* proto3 leaves zeroes out. */
static uint8_t *
put_number(uint8_t *at, uint8_t tag, uint64_t v)
{
    if (v == 0) {
        return at;
    }
    *at = tag;
    return at + 1 + store_varint(at + 1, v);
}

static uint8_t *
put_signed(uint8_t *at, uint8_t tag, int32_t v)
{
    return put_number(at, tag, (uint32_t)v << 1 ^ (v < 0 ? UINT32_MAX : 0));
}

size_t
message_write_move(const struct message_move *move, uint8_t *out, size_t max)
{
    const struct motion *m = &move->motion;
    CHECK(m->since_ms >= 0 && m->since_ms <= WORLD_MS_MAX);
    CHECK(m->lasts_ms <= MOTION_LASTS_MS_MAX && move->look <= LOOK_KIND_MASK);
    uint8_t frame[MESSAGE_MOVE_BYTES_MAX] = {FRAME_FORMAT_MESSAGE, TAG_CLIENT_MOVE};
    uint8_t *move_at = frame + 3;
    uint8_t *at = put_number(move_at, TAG_MOVE_NO, move->move_no);
    *at = TAG_MOVE_MOTION;
    uint8_t *motion_at = at + 2;
    at = put_signed(motion_at, TAG_MOTION_X, m->x_mm);
    at = put_signed(at, TAG_MOTION_Y, m->y_mm);
    at = put_signed(at, TAG_MOTION_VX, m->vx);
    at = put_signed(at, TAG_MOTION_VY, m->vy);
    at = put_number(at, TAG_MOTION_SINCE, (uint64_t)m->since_ms);
    at = put_number(at, TAG_MOTION_LASTS, m->lasts_ms);
    motion_at[-1] = (uint8_t)(at - motion_at);
    at = put_number(at, TAG_MOVE_LOOK, move->look);
    move_at[-1] = (uint8_t)(at - move_at);
    size_t bytes = (size_t)(at - frame);
    CHECK(bytes <= sizeof frame && bytes - 3 <= 127);
    if (bytes > max) {
        return 0;
    }
    memcpy(out, frame, bytes);
    return bytes;
}
