/* What comes in: bytes -> whole frame (or only its head) -> message or batch -> call-back.
 *
 * The client without replica rests on a rule of the protocol: a gate puts ISLAND and SELF at the
 * head of a batch, before every other record. So what concerns the own avatar is found in the first
 * bytes, and the rest of a batch is skipped without being looked at or copied.
 */
#include "base/check.h"
#include "client/core.h"
#include "wire/frame.h"
#include "wire/little.h"
#include "wire/message.h"
#include <stdlib.h>
#include <string.h>

#define LIGHT_HEAD_BYTES (1 + RECORD_ISLAND_BYTES + RECORD_SELF_BYTES) /* of a frame */

/* Messages that come. */

static void
tell_gone(struct seom_client *c, uint64_t entity)
{
    if (replica_drop(c->replica, entity) && c->events.gone != NULL) {
        c->events.gone(c->events.ctx, entity);
    }
}

static void
forget_all(struct seom_client *c)
{
    if (c->replica == NULL) {
        return;
    }
    uint32_t cursor = 0;
    for (const struct seom_entity *e; (e = replica_next(c->replica, &cursor)) != NULL;) {
        tell_gone(c, e->entity);
    }
    CHECK(replica_count(c->replica) == 0);
}

static void
keep_gates(struct seom_client *c, char **gates, size_t count)
{
    if (count == 0) {
        return;
    }
    if (c->gates == NULL) {
        c->gates = calloc(GATES_MAX, sizeof(*c->gates));
        CHECK(c->gates != NULL);
    }
    c->gate_count = 0;
    for (size_t i = 0; i < count && c->gate_count < GATES_MAX; i++) {
        size_t bytes = strlen(gates[i]);
        if (bytes > 0 && bytes <= GATE_BYTES_MAX) {
            memcpy(c->gates[c->gate_count++], gates[i], bytes + 1);
        }
    }
}

static enum err
take_welcome(struct seom_client *c, const Seom__Welcome *w)
{
    if (c->state != SEOM_HELLO || w->ticket.len > TICKET_BYTES_MAX || w->world_ms < 0 ||
        w->world_ms > WORLD_MS_MAX || (w->motion == NULL && !c->options.spectator)) {
        return ERR_FORMAT;
    }
    /* The hello's way includes the server's reading of the player's document, so a ping follows. */
    client_clock_sample(c, c->state_us, w->world_ms);
    client_move_to(c, SEOM_PLAYING);
    c->entity = w->entity;
    c->player = w->player;
    c->island = w->island;
    if (w->motion != NULL) {
        c->self = message_motion_of(w->motion);
    }
    if (w->ticket.len > 0) {
        memcpy(c->ticket, w->ticket.data, w->ticket.len);
        c->ticket_bytes = (uint32_t)w->ticket.len;
    }
    if (w->limits != NULL && w->limits->silence_ms_max >= 1000) {
        c->silence_us = w->limits->silence_ms_max * INT64_C(1000);
    }
    memset(c->speeds, 0, sizeof(c->speeds));
    for (size_t i = 0; i < w->n_speeds; i++) {
        if (w->speeds[i]->look < SPEEDS_MAX && w->speeds[i]->mm_per_s <= INT32_MAX) {
            c->speeds[w->speeds[i]->look] = (int32_t)w->speeds[i]->mm_per_s;
        }
    }
    keep_gates(c, w->gates, w->n_gates);
    forget_all(c);
    c->spoke_us = c->now_us;
    speak_ping(c);
    c->command.again_us = INT64_MAX;
    if (c->command.body == NULL) {
        c->command.seq = w->last_seq;
    } else if (speak_command(c) !=
               OK) { /* nobody knows whether it was heard: the server does, by its seq */
        return ERR_FORMAT;
    } else {
        c->stats.command_again++;
    }
    if (c->events.welcome != NULL) {
        c->events.welcome(c->events.ctx, c);
    }
    return OK;
}

static void
take_answer(struct seom_client *c, const Seom__Answer *a)
{
    if (a->what_case == SEOM__ANSWER__WHAT_SHOWN) {
        if (c->events.shown != NULL) {
            struct slice view = {.at = a->shown.data, .bytes = a->shown.len};
            c->events.shown(c->events.ctx, a->number, view);
        }
        return;
    }
    if (c->events.answer == NULL) {
        return;
    }
    struct slice name = {0};
    uint8_t look = 0;
    if (a->what_case == SEOM__ANSWER__WHAT_LOOK) {
        look = (uint8_t)a->look->look;
        name = (struct slice){.at = (const uint8_t *)a->look->name, .bytes = strlen(a->look->name)};
    }
    c->events.answer(c->events.ctx, a->number, (uint32_t)a->code, look, name);
}

static void
take_result(struct seom_client *c, const Seom__CommandResult *r)
{
    if (c->command.body == NULL || r->seq != c->command.seq) {
        return; /* the answer to a repetition whose first answer came after all */
    }
    if (r->code == SEOM__CODE__RETRY_AFTER) {
        client_pause_command(c);
        return;
    }
    /* Not done, so its number is the next one's. */
    c->command.seq -= r->code == SEOM__CODE__CLOSED || r->code == SEOM__CODE__UNREADABLE;
    free(c->command.body);
    c->command.body = NULL;
    if (c->events.result != NULL) {
        struct slice body = {.at = r->body.data, .bytes = r->body.len};
        c->events.result(c->events.ctx, r->seq, (uint32_t)r->code, body);
    }
}

static enum err
take_lobby(struct seom_client *c, const Seom__Lobby *l)
{
    if (c->state != SEOM_HELLO && c->state != SEOM_PLAYING) {
        return ERR_FORMAT;
    }
    client_enter_lobby(c, l->retry_after_ms);
    forget_all(c);
    if (c->events.lobby != NULL) {
        c->events.lobby(c->events.ctx, (uint32_t)l->code, l->retry_after_ms);
    }
    return OK;
}

static enum err
take_goodbye(struct seom_client *c, const Seom__Goodbye *g)
{
    c->has_ended = true;
    c->end_code = (uint32_t)g->code;
    c->retry_after_ms = g->retry_after_ms;
    keep_gates(c, g->gates, g->n_gates);
    if (c->events.ended != NULL) {
        c->events.ended(c->events.ctx, c->end_code, c->retry_after_ms);
    }
    return ERR_CLOSED;
}

static struct slice
text_of(const char *text)
{
    return (struct slice){.at = (const uint8_t *)text, .bytes = strlen(text)};
}

static void
take_line(const struct seom_client *c, const Seom__Said *s)
{
    if (c->events.line != NULL) {
        c->events.line(c->events.ctx, s->channel, s->player, text_of(s->name), text_of(s->text));
    }
}

static enum err
take_message(struct seom_client *c, struct slice frame)
{
    struct message_arena arena;
    const Seom__ServerMessage *m;
    enum err error = message_read_server(frame, &arena, &m);
    if (error != OK) {
        /* Of a kind that only newer servers know: they send it to those who ask for it, or it can
         * be missed. */
        return error == ERR_NOT_FOUND ? OK : ERR_FORMAT;
    }
    switch (m->what_case) {
    case SEOM__SERVER_MESSAGE__WHAT_WELCOME: return take_welcome(c, m->welcome);
    case SEOM__SERVER_MESSAGE__WHAT_GOODBYE: return take_goodbye(c, m->goodbye);
    case SEOM__SERVER_MESSAGE__WHAT_ANSWER: take_answer(c, m->answer); return OK;
    case SEOM__SERVER_MESSAGE__WHAT_RESULT: take_result(c, m->result); return OK;
    case SEOM__SERVER_MESSAGE__WHAT_PONG:
        if (c->clock.pinging && m->pong->client_ms == c->clock.ping_us / 1000) {
            c->clock.pinging = false;
            client_clock_sample(c, c->clock.ping_us, m->pong->world_ms);
        }
        return OK;
    case SEOM__SERVER_MESSAGE__WHAT_LOBBY: return take_lobby(c, m->lobby);
    case SEOM__SERVER_MESSAGE__WHAT_SAID: take_line(c, m->said); return OK;
    case SEOM__SERVER_MESSAGE__WHAT_CHANGED:
        if (c->events.changed != NULL) {
            c->events.changed(c->events.ctx, (uint32_t)m->changed->what);
        }
        return OK;
    case SEOM__SERVER_MESSAGE__WHAT__NOT_SET:
    case _SEOM__SERVER_MESSAGE__WHAT__CASE_IS_INT_SIZE: break;
    }
    return OK;
}

/* Batches that come. */

static void
take_self(struct seom_client *c, const struct record_self *self)
{
    /* A later move of ours is newer than what it says: either that becomes the truth, or it is
     * corrected in its turn. */
    bool newer = self->move_no >= c->move_no;
    bool corrected = (self->flags & SELF_MOVED) != 0 || ((self->flags & SELF_CORRECTED) && newer);
    if (corrected || newer) {
        c->self = self->body.motion;
    }
    if (corrected) {
        c->stats.corrections++;
        if (c->events.corrected != NULL) {
            c->events.corrected(c->events.ctx, &c->self);
        }
    }
}

static void
take_island(struct seom_client *c, uint32_t island)
{
    c->island = island;
    forget_all(c);
}

static void
tell_heard(struct seom_client *c, const struct seom_entity *e, int64_t quiet_ms)
{
    if (c->events.heard != NULL) {
        c->events.heard(c->events.ctx, e, quiet_ms);
    }
}

static void
take_motion(struct seom_client *c, const struct record_motion *m, int64_t now_ms)
{
    const struct seom_entity *e;
    int64_t quiet_ms;
    if (m->entity == c->entity) {
        return;
    }
    const struct seom_entity *known = replica_find(c->replica, m->entity);
    bool is_news = known == NULL || known->motion.since_ms != m->motion.since_ms;
    if (replica_motion(c->replica, m, now_ms, &e, &quiet_ms) != OK) {
        c->stats.replica_full++;
        return;
    }
    if (e == NULL) {
        return; /* old news */
    }
    tell_heard(c, e, quiet_ms);
    if (is_news && c->events.motion != NULL) {
        c->events.motion(c->events.ctx, e, now_ms - m->motion.since_ms);
    }
}

static void
take_range(struct seom_client *c, const struct record *record, int64_t now_ms)
{
    const struct record_range *range = &record->as.range;
    struct range_reader reader;
    struct record_motion m;
    replica_range_begin(c->replica);
    range_open(&reader, record);
    while (range_next(&reader, &m)) {
        const struct seom_entity *e;
        int64_t quiet_ms;
        if (m.entity == c->entity) {
            continue;
        }
        if (replica_range_entry(c->replica, range, &m, now_ms, &e, &quiet_ms) != OK) {
            c->stats.replica_full++;
            continue;
        }
        tell_heard(c, e, quiet_ms);
    }
    for (uint64_t entity; (entity = replica_range_gone(c->replica, range)) != 0;) {
        tell_gone(c, entity);
    }
}

static void
take_thing(struct seom_client *c, const struct record_thing *t, int64_t now_ms)
{
    const struct seom_entity *e;
    if (replica_thing(c->replica, t, now_ms, &e) != OK) {
        c->stats.replica_full++;
    } else if (c->events.thing != NULL) {
        c->events.thing(c->events.ctx, e, t->attributes);
    }
}

static void
take_forget(struct seom_client *c, uint16_t cx, uint16_t cy)
{
    for (uint64_t entity; (entity = replica_any_in_chunk(c->replica, cx, cy)) != 0;) {
        tell_gone(c, entity);
    }
}

static void
take_record(struct seom_client *c, const struct record *r, int64_t now_ms)
{
    const struct seom_events *events = &c->events;
    switch (r->kind) {
    case RECORD_MOTION: take_motion(c, &r->as.motion, now_ms); break;
    case RECORD_RANGE: take_range(c, r, now_ms); break;
    case RECORD_THING: take_thing(c, &r->as.thing, now_ms); break;
    case RECORD_FORGET: take_forget(c, r->cx, r->cy); break;
    case RECORD_SELF: take_self(c, &r->as.self); break;
    case RECORD_ISLAND: take_island(c, r->as.island); break;
    case RECORD_OWNED: break; /* for gates */
    case RECORD_LEAVE:
        if (replica_leave(c->replica, r->entity, r->cx, r->cy) && events->gone != NULL) {
            events->gone(events->ctx, r->entity);
        }
        break;
    case RECORD_SAY:
        if (events->said != NULL) {
            events->said(events->ctx, r->entity, r->as.text);
        }
        break;
    case RECORD_DENSITY:
        if (events->density != NULL) {
            events->density(events->ctx, r->as.density.island, r->as.density.cell_m,
                            r->as.density.cells, r->as.density.count);
        }
        break;
    }
}

static enum err
take_batch(struct seom_client *c, struct slice frame)
{
    int64_t now_ms = seom_client_world_ms(c, c->now_us);
    struct reader in = reader_over(frame.at + 1, frame.bytes - 1);
    while (reader_left(&in) > 0) {
        struct record record;
        if (batch_next(&in, now_ms, &record) != OK) {
            return ERR_FORMAT;
        }
        c->stats.records++;
        take_record(c, &record, now_ms);
    }
    return OK;
}

/* head: the frame, or its first LIGHT_HEAD_BYTES: room for one SELF and one ISLAND, more no gate
 * sends. */
static enum err
take_batch_head(struct seom_client *c, struct slice head)
{
    struct reader in = reader_over(head.at + 1, head.bytes - 1);
    while (reader_left(&in) > 0 && (*in.at == RECORD_ISLAND || *in.at == RECORD_SELF)) {
        struct record record;
        size_t bytes = *in.at == RECORD_SELF ? RECORD_SELF_BYTES : RECORD_ISLAND_BYTES;
        if (reader_left(&in) < bytes && head.bytes == LIGHT_HEAD_BYTES) {
            break;
        }
        if (batch_next(&in, seom_client_world_ms(c, c->now_us), &record) != OK) {
            return ERR_FORMAT;
        }
        take_record(c, &record, 0);
    }
    return OK;
}

/* Frames. */

static enum err
take_frame(struct seom_client *c, struct slice frame)
{
    CHECK(frame.bytes > 0);
    c->stats.frames++;
    if (c->has_ended) {
        return ERR_CLOSED;
    }
    if (frame.at[0] == FRAME_FORMAT_MESSAGE) {
        return take_message(c, frame);
    }
    if (frame.at[0] != FRAME_FORMAT_BATCH || c->state != SEOM_PLAYING) {
        return ERR_FORMAT;
    }
    return c->replica != NULL ? take_batch(c, frame) : take_batch_head(c, frame);
}

/* How much of the frame that begins at `at` must be there before it can be handled; *whole: how
 * long it is. 0: not even its length and format are there. Both include the length field. */
static enum err
frame_wants(const struct seom_client *c, const uint8_t *at, size_t n, size_t *wants, size_t *whole)
{
    *wants = FRAME_LENGTH_BYTES + 1;
    *whole = 0;
    if (n < FRAME_LENGTH_BYTES + 1) {
        return OK;
    }
    uint32_t length = load_u32(at);
    if (length == 0 || length > FRAME_AFTER_HELLO_MAX) {
        return ERR_FORMAT;
    }
    *whole = FRAME_LENGTH_BYTES + length;
    *wants = *whole;
    if (c->replica == NULL && at[FRAME_LENGTH_BYTES] == FRAME_FORMAT_BATCH &&
        length > LIGHT_HEAD_BYTES) {
        *wants = FRAME_LENGTH_BYTES + LIGHT_HEAD_BYTES;
    }
    return OK;
}

/* Adds at most n bytes to the inbox until it holds `wants`; returns how many it took. */
static size_t
inbox_fill(struct inbox *in, size_t wants, const uint8_t *bytes, size_t n)
{
    CHECK(wants > in->used);
    if (in->capacity < wants) {
        size_t capacity = in->capacity > 0 ? in->capacity : 64;
        while (capacity < wants) {
            capacity *= 2;
        }
        in->bytes = realloc(in->bytes, capacity);
        CHECK(in->bytes != NULL);
        in->capacity = capacity;
    }
    size_t taken = wants - in->used < n ? wants - in->used : n;
    memcpy(in->bytes + in->used, bytes, taken);
    in->used += taken;
    return taken;
}

/* One step of the input: *used bytes of it are done with. */
static enum err
input_step(struct seom_client *c, const uint8_t *bytes, size_t n, size_t *used)
{
    struct inbox *in = &c->inbox;
    size_t wants, whole;
    if (in->skip > 0) {
        *used = in->skip < n ? in->skip : n;
        in->skip -= *used;
        return OK;
    }
    const uint8_t *at = in->used > 0 ? in->bytes : bytes;
    size_t have = in->used > 0 ? in->used : n;
    enum err error = frame_wants(c, at, have, &wants, &whole);
    if (error != OK) {
        return error;
    }
    *used = 0;
    if (have < wants) { /* never more than the head until its length is known */
        *used = inbox_fill(in, wants, bytes, n);
        return OK;
    }
    struct slice frame = {.at = at + FRAME_LENGTH_BYTES, .bytes = wants - FRAME_LENGTH_BYTES};
    if (in->used == 0) {
        *used = wants;
    }
    in->used = 0;
    in->skip = whole - wants;
    return take_frame(c, frame);
}

enum err
seom_client_input(struct seom_client *c, const uint8_t *bytes, size_t n, int64_t mono_us)
{
    CHECK(c->state == SEOM_HELLO || c->state == SEOM_PLAYING || c->state == SEOM_LOBBY);
    c->now_us = mono_us;
    c->heard_us = mono_us;
    c->stats.bytes_in += n;
    /* A frame may be whole in the inbox when no byte of the input is left. */
    while (n > 0 || c->inbox.used > FRAME_LENGTH_BYTES) {
        size_t used;
        enum err error = input_step(c, bytes, n, &used);
        if (error != OK) {
            c->stats.malformed += error == ERR_FORMAT;
            return error;
        }
        if (used == 0 && n == 0 && c->inbox.used > 0) {
            break;
        }
        bytes += used;
        n -= used;
    }
    return OK;
}
