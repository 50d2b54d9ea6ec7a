#include "wire/dump.h"
#include "base/check.h"
#include "wire/batch.h"
#include "wire/code.h"
#include "wire/little.h"
#include "wire/message.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
dump_head(enum dump_direction direction, int64_t mono_us, size_t bytes,
          uint8_t out[DUMP_HEAD_BYTES])
{
    CHECK(bytes <= UINT32_MAX);
    out[0] = (uint8_t)direction;
    store_u64(out + 1, (uint64_t)mono_us);
    store_u32(out + 9, (uint32_t)bytes);
}

void
dump_append(struct writer *w, enum dump_direction direction, int64_t mono_us, struct slice bytes)
{
    uint8_t *at = writer_room(w, DUMP_HEAD_BYTES + bytes.bytes);
    if (at == NULL) {
        return;
    }
    dump_head(direction, mono_us, bytes.bytes, at);
    if (bytes.bytes > 0) {
        memcpy(at + DUMP_HEAD_BYTES, bytes.at, bytes.bytes);
    }
}

/* One line in the making, and where lines go. */
struct text {
    struct dump_work *work;
    void (*put)(void *ctx, const char *line);
    void *ctx;
    enum dump_direction direction;
    int64_t mono_us;
    size_t used;
    char line[DUMP_LINE_MAX];
};

__attribute__((format(printf, 2, 3))) static void
add(struct text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(t->line + t->used, sizeof t->line - t->used, format, arguments);
    va_end(arguments);
    CHECK(n >= 0);
    t->used += (size_t)n;
    if (t->used >= sizeof t->line) {
        t->used = sizeof t->line - 1;
    }
}

static void
begin(struct text *t, const char *what)
{
    t->used = 0;
    add(t, "%" PRId64 " %c %s", t->mono_us, t->direction == DUMP_TO_SERVER ? '>' : '<', what);
}

static void
end(struct text *t)
{
    t->put(t->ctx, t->line);
}

static void
add_quoted(struct text *t, const char *name, struct slice s)
{
    add(t, " %s=\"", name);
    for (size_t i = 0; i < s.bytes; i++) {
        bool plain = s.at[i] >= ' ' && s.at[i] < 127 && s.at[i] != '"' && s.at[i] != '\\';
        plain ? add(t, "%c", s.at[i]) : add(t, "\\x%02x", s.at[i]);
    }
    add(t, "\"");
}

static void
add_string(struct text *t, const char *name, const char *s)
{
    add_quoted(t, name, (struct slice){(const uint8_t *)s, strlen(s)});
}

static void
add_hex(struct text *t, const char *name, struct slice s)
{
    add(t, " %s=", name);
    for (size_t i = 0; i < s.bytes; i++) {
        add(t, "%02x", s.at[i]);
    }
}

static void
add_gates(struct text *t, size_t count, char *const *gates)
{
    for (size_t i = 0; i < count; i++) {
        add_string(t, "gate", gates[i]);
    }
}

static void
add_motion(struct text *t, const struct motion *m)
{
    add(t, " x=%" PRId32 " y=%" PRId32 " vx=%d vy=%d since=%" PRId64 " lasts=%u", m->x_mm, m->y_mm,
        m->vx, m->vy, m->since_ms, m->lasts_ms);
}

static void
add_body(struct text *t, const struct record_motion *m)
{
    add(t, " entity=%" PRIu64 " look=%u", m->entity, m->look);
    add_motion(t, &m->motion);
}

static void
add_code(struct text *t, Seom__Code code)
{
    if (code_is_known((uint32_t)code)) {
        add(t, " code=%s", code_name((uint32_t)code));
    } else {
        add(t, " code=%d", (int)code);
    }
}

static struct slice
slice_of(const ProtobufCBinaryData *data)
{
    return (struct slice){data->data, data->len};
}

static void
tell_goodbye(struct text *t, const Seom__Goodbye *g)
{
    begin(t, "goodbye");
    add_code(t, g->code);
    add(t, " retry_after_ms=%" PRIu32, g->retry_after_ms);
    add_gates(t, g->n_gates, g->gates);
    end(t);
}

static void
tell_request(struct text *t, const Seom__Request *r)
{
    if (r->what_case == SEOM__REQUEST__WHAT_SAY) {
        begin(t, "request.say");
        add(t, " number=%" PRIu32, r->number);
        add_string(t, "text", r->say->text);
    } else if (r->what_case == SEOM__REQUEST__WHAT_LOOK) {
        begin(t, "request.look");
        add(t, " number=%" PRIu32 " entity=%" PRIu64, r->number, r->look->entity);
    } else if (r->what_case == SEOM__REQUEST__WHAT_SHOW) {
        begin(t, "request.show");
        add(t, " number=%" PRIu32 " what=%d id=%" PRIu64, r->number, (int)r->show->what,
            r->show->id);
    } else {
        begin(t, "request.camera");
        const Seom__Camera *c = r->camera;
        add(t,
            " number=%" PRIu32 " island=%" PRIu32 " x=%" PRId32 " y=%" PRId32 " w=%" PRIu32
            " h=%" PRIu32,
            r->number, c->island, c->x_mm, c->y_mm, c->w_mm, c->h_mm);
    }
    end(t);
}

static void
tell_hello(struct text *t, const Seom__Hello *h)
{
    begin(t, "hello");
    add(t, " min=%" PRIu32 " max=%" PRIu32, h->protocol->min, h->protocol->max);
    add_hex(t, "ticket", slice_of(&h->ticket));
    add(t, " spectator=%d island=%" PRIu32, h->spectator != 0, h->island);
    add_string(t, "client", h->client);
    end(t);
}

static void
tell_move(struct text *t, const Seom__Move *m)
{
    struct message_move move = message_move_of(m);
    begin(t, "move");
    add(t, " no=%" PRIu32 " look=%u", move.move_no, move.look);
    add_motion(t, &move.motion);
    end(t);
}

static void
tell_client(struct text *t, const Seom__ClientMessage *m)
{
    switch (m->what_case) {
    case SEOM__CLIENT_MESSAGE__WHAT_HELLO: tell_hello(t, m->hello); break;
    case SEOM__CLIENT_MESSAGE__WHAT_MOVE: tell_move(t, m->move); break;
    case SEOM__CLIENT_MESSAGE__WHAT_REQUEST: tell_request(t, m->request); break;
    case SEOM__CLIENT_MESSAGE__WHAT_COMMAND:
        begin(t, "command");
        add(t, " seq=%" PRIu64, m->command->seq);
        add_hex(t, "body", slice_of(&m->command->body));
        end(t);
        break;
    case SEOM__CLIENT_MESSAGE__WHAT_GOODBYE: tell_goodbye(t, m->goodbye); break;
    case SEOM__CLIENT_MESSAGE__WHAT_PING:
        begin(t, "ping");
        add(t, " client_ms=%" PRId64, m->ping->client_ms);
        end(t);
        break;
    case SEOM__CLIENT_MESSAGE__WHAT__NOT_SET:
    case _SEOM__CLIENT_MESSAGE__WHAT__CASE_IS_INT_SIZE: break;
    }
}

static void
tell_welcome(struct text *t, const Seom__Welcome *w)
{
    begin(t, "welcome");
    const Seom__Limits *l = w->limits;
    add(t,
        " protocol=%" PRIu32 " frame_bytes_max=%" PRIu32 " messages_per_s=%" PRIu32
        " messages_burst=%" PRIu32 " bytes_per_s=%" PRIu32 " silence_ms_max=%" PRIu32
        " say_bytes_max=%" PRIu32,
        w->protocol, l->frame_bytes_max, l->messages_per_s, l->messages_burst, l->bytes_per_s,
        l->silence_ms_max, l->say_bytes_max);
    add(t,
        " world_ms=%" PRId64 " entity=%" PRIu64 " player=%" PRIu64 " session_epoch=%" PRIu64
        " last_seq=%" PRIu64,
        w->world_ms, w->entity, w->player, w->session_epoch, w->last_seq);
    add_hex(t, "ticket", slice_of(&w->ticket));
    add(t, " island=%" PRIu32, w->island);
    if (w->motion != NULL) {
        struct motion motion = message_motion_of(w->motion);
        add_motion(t, &motion);
    }
    add_gates(t, w->n_gates, w->gates);
    for (size_t i = 0; i < w->n_speeds; i++) {
        add(t, " speed=%" PRIu32 ":%" PRIu32, w->speeds[i]->look, w->speeds[i]->mm_per_s);
    }
    end(t);
}

static void
tell_answer(struct text *t, const Seom__Answer *a)
{
    begin(t, "answer");
    add(t, " number=%" PRIu32, a->number);
    add_code(t, a->code);
    if (a->what_case == SEOM__ANSWER__WHAT_LOOK) {
        add(t, " entity=%" PRIu64 " look=%" PRIu32, a->look->entity, a->look->look);
        add_string(t, "name", a->look->name);
    } else if (a->what_case == SEOM__ANSWER__WHAT_SHOWN && a->shown.len > 0) {
        add_hex(t, "shown", slice_of(&a->shown));
    }
    end(t);
}

static void
tell_lobby(struct text *t, const Seom__Lobby *l)
{
    begin(t, "lobby");
    add_code(t, l->code);
    add(t, " retry_after_ms=%" PRIu32, l->retry_after_ms);
    end(t);
}

static void
tell_server(struct text *t, const Seom__ServerMessage *m)
{
    switch (m->what_case) {
    case SEOM__SERVER_MESSAGE__WHAT_WELCOME:
        tell_welcome(t, m->welcome);
        t->work->world_ms = m->welcome->world_ms;
        t->work->world_at_us = t->mono_us;
        break;
    case SEOM__SERVER_MESSAGE__WHAT_ANSWER: tell_answer(t, m->answer); break;
    case SEOM__SERVER_MESSAGE__WHAT_RESULT:
        begin(t, "result");
        add(t, " seq=%" PRIu64, m->result->seq);
        add_code(t, m->result->code);
        add_hex(t, "body", slice_of(&m->result->body));
        end(t);
        break;
    case SEOM__SERVER_MESSAGE__WHAT_GOODBYE: tell_goodbye(t, m->goodbye); break;
    case SEOM__SERVER_MESSAGE__WHAT_PONG:
        begin(t, "pong");
        add(t, " client_ms=%" PRId64 " world_ms=%" PRId64, m->pong->client_ms, m->pong->world_ms);
        end(t);
        t->work->world_ms = m->pong->world_ms;
        t->work->world_at_us = t->mono_us;
        break;
    case SEOM__SERVER_MESSAGE__WHAT_CHANGED:
        begin(t, "changed");
        add(t, " what=%d", (int)m->changed->what);
        end(t);
        break;
    case SEOM__SERVER_MESSAGE__WHAT_LOBBY: tell_lobby(t, m->lobby); break;
    case SEOM__SERVER_MESSAGE__WHAT_SAID:
        begin(t, "said");
        add(t, " channel=%u player=%" PRIu64, m->said->channel, m->said->player);
        add_string(t, "name", m->said->name);
        add_string(t, "text", m->said->text);
        end(t);
        break;
    case SEOM__SERVER_MESSAGE__WHAT__NOT_SET:
    case _SEOM__SERVER_MESSAGE__WHAT__CASE_IS_INT_SIZE: break;
    }
}

static void
tell_range(struct text *t, const struct record *record)
{
    const struct record_range *head = &record->as.range;
    begin(t, "range");
    add(t, " cx=%u cy=%u first=%" PRIu64 " last=%" PRIu64 " at=%" PRId64 " count=%u", head->cx,
        head->cy, head->first, head->last, head->at_ms, head->count);
    end(t);
    struct range_reader rr;
    range_open(&rr, record);
    struct record_motion m;
    while (range_next(&rr, &m)) {
        begin(t, "range.entry");
        add_body(t, &m);
        end(t);
    }
}

static void
tell_density(struct text *t, const struct record *record)
{
    begin(t, "density");
    add(t, " island=%" PRIu32 " cell_m=%u count=%u", record->as.density.island,
        record->as.density.cell_m, record->as.density.count);
    end(t);
    for (uint16_t i = 0; i < record->as.density.count; i++) {
        struct density_cell cell = density_at(record->as.density.cells, i);
        begin(t, "density.cell");
        add(t, " column=%u row=%u people=%u", cell.column, cell.row, cell.people);
        end(t);
    }
}

static void
tell_news(struct text *t, const struct record *r)
{
    if (r->kind == RECORD_MOTION) {
        begin(t, "motion");
        add_body(t, &r->as.motion);
    } else if (r->kind == RECORD_SELF) {
        begin(t, "self");
        add(t, " flags=%u move_no=%" PRIu32, r->as.self.flags, r->as.self.move_no);
        add_body(t, &r->as.self.body);
    } else if (r->kind == RECORD_THING) {
        begin(t, "thing");
        add(t, " entity=%" PRIu64 " kind=%u x=%" PRId32 " y=%" PRId32, r->entity, r->as.thing.kind,
            r->as.thing.place.x_mm, r->as.thing.place.y_mm);
        add_hex(t, "attributes", r->as.thing.attributes);
    } else {
        CHECK(r->kind == RECORD_SAY);
        begin(t, "say");
        add(t, " entity=%" PRIu64, r->entity);
        add_quoted(t, "text", r->as.text);
    }
    end(t);
}

static void
tell_record(struct text *t, const struct record *r)
{
    switch (r->kind) {
    case RECORD_MOTION:
    case RECORD_SELF:
    case RECORD_THING:
    case RECORD_SAY: tell_news(t, r); break;
    case RECORD_RANGE: tell_range(t, r); break;
    case RECORD_DENSITY: tell_density(t, r); break;
    case RECORD_LEAVE:
        begin(t, "leave");
        add(t, " entity=%" PRIu64 " cx=%u cy=%u", r->entity, r->cx, r->cy);
        end(t);
        break;
    case RECORD_FORGET:
        begin(t, "forget");
        add(t, " cx=%u cy=%u", r->cx, r->cy);
        end(t);
        break;
    case RECORD_ISLAND:
        begin(t, "island");
        add(t, " island=%" PRIu32, r->as.island);
        end(t);
        break;
    case RECORD_OWNED:
        begin(t, "owned");
        add(t, " entity=%" PRIu64 " session_epoch=%" PRIu64, r->entity, r->as.session_epoch);
        end(t);
        break;
    }
}

/* The world time at which a piece came: what the server told last, and what has passed since. */
static int64_t
world_now_ms(const struct text *t)
{
    int64_t passed_us = t->mono_us > t->work->world_at_us ? t->mono_us - t->work->world_at_us : 0;
    return t->work->world_ms + passed_us / 1000;
}

static bool
frame_text(struct text *t, struct slice frame)
{
    if (t->direction == DUMP_TO_CLIENT && frame.at[0] == FRAME_FORMAT_BATCH) {
        struct reader r = reader_over(frame.at + 1, frame.bytes - 1);
        struct record record;
        while (reader_left(&r) > 0) {
            if (batch_next(&r, world_now_ms(t), &record) != OK) {
                return false;
            }
            tell_record(t, &record);
        }
        return true;
    }
    struct message_arena arena;
    const Seom__ClientMessage *client;
    const Seom__ServerMessage *server;
    enum err error = t->direction == DUMP_TO_SERVER ? message_read_client(frame, &arena, &client)
                                                    : message_read_server(frame, &arena, &server);
    if (error == ERR_NOT_FOUND) {
        begin(t, "unknown");
        end(t);
        return true;
    }
    if (error == OK) {
        t->direction == DUMP_TO_SERVER ? tell_client(t, client) : tell_server(t, server);
    }
    return error == OK;
}

/* The whole frames at the start of what is held; the rest stays. */
static void
way_text(struct text *t)
{
    uint8_t reply[FRAME_REPLY_MAX];
    for (;;) {
        uint8_t *held = t->work->ways[t->direction].held;
        size_t *bytes = &t->work->ways[t->direction].bytes, used;
        struct slice frame;
        enum framing_event event =
            framing_next(&t->work->ways[t->direction].framing, held, *bytes, &used, &frame, reply);
        if (event == FRAMING_NEED_MORE) {
            return;
        }
        if (event != FRAMING_FRAME || !frame_text(t, frame)) {
            begin(t, "malformed");
            end(t);
            t->work->ways[t->direction].over = true;
            return;
        }
        memmove(held, held + used, *bytes - used);
        *bytes -= used;
    }
}

static void
piece_text(struct text *t, struct slice piece)
{
    while (piece.bytes > 0 && !t->work->ways[t->direction].over) {
        size_t *bytes = &t->work->ways[t->direction].bytes;
        size_t room = sizeof t->work->ways[0].held - *bytes;
        size_t taken = piece.bytes < room ? piece.bytes : room;
        memcpy(t->work->ways[t->direction].held + *bytes, piece.at, taken);
        *bytes += taken;
        piece.at += taken;
        piece.bytes -= taken;
        way_text(t);
    }
}

enum err
dump_text(struct slice dump, struct dump_work *work, void (*put)(void *ctx, const char *line),
          void *ctx)
{
    work->world_ms = work->world_at_us = 0;
    for (int way = 0; way < 2; way++) {
        framing_init(&work->ways[way].framing);
        work->ways[way].framing.kind = FRAME_TCP;
        work->ways[way].framing.frame_max = FRAME_AFTER_HELLO_MAX;
        work->ways[way].over = false;
        work->ways[way].bytes = 0;
    }
    struct text text = {.work = work, .put = put, .ctx = ctx};
    struct reader r = reader_over(dump.at, dump.bytes);
    while (reader_left(&r) > 0) {
        uint8_t direction = read_u8(&r);
        text.mono_us = read_i64(&r);
        uint32_t bytes = read_u32(&r);
        struct slice piece = read_bytes(&r, bytes);
        if (!reader_ok(&r)) {
            return ERR_SHORT;
        }
        if (direction > DUMP_TO_CLIENT || text.mono_us < 0) {
            return ERR_FORMAT;
        }
        text.direction = (enum dump_direction)direction;
        piece_text(&text, piece);
    }
    return OK;
}
