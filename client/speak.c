/* What a client sends: frames into a small outbox that the driver empties. */
#include "base/check.h"
#include "client/core.h"
#include "wire/little.h"
#include "wire/message.h"
#include <stdlib.h>
#include <string.h>

#define OUTPUT_BYTES_MAX   4096
#define OUTPUT_BYTES_FIRST 128
#define CLIENT_NAME        "libseom 1"

/* Sending. */

/* Room for a frame of at most `bytes` behind what waits, or NULL. */
static uint8_t *
outbox_room(struct outbox *o, uint32_t bytes)
{
    CHECK(o->sent <= o->used && o->used <= o->capacity);
    if (o->sent == o->used) {
        o->sent = o->used = 0;
    }
    if (o->used + bytes <= o->capacity) {
        return o->bytes + o->used;
    }
    if (o->sent > 0) {
        memmove(o->bytes, o->bytes + o->sent, o->used - o->sent);
        o->used -= o->sent;
        o->sent = 0;
    }
    if (o->used + bytes > OUTPUT_BYTES_MAX) {
        return NULL;
    }
    uint32_t capacity = o->capacity > 0 ? o->capacity : OUTPUT_BYTES_FIRST;
    while (capacity < o->used + bytes) {
        capacity *= 2;
    }
    if (capacity > o->capacity) {
        o->bytes = realloc(o->bytes, capacity);
        CHECK(o->bytes != NULL);
        o->capacity = capacity;
    }
    return o->bytes + o->used;
}

static void
outbox_add(struct seom_client *c, uint8_t *at, size_t frame_bytes)
{
    store_u32(at, (uint32_t)frame_bytes);
    c->outbox.used += (uint32_t)(FRAME_LENGTH_BYTES + frame_bytes);
    CHECK(c->outbox.used <= c->outbox.capacity);
    c->stats.bytes_out += FRAME_LENGTH_BYTES + frame_bytes;
}

/* frame_max: as much as the message may need. */
static enum err
queue_message(struct seom_client *c, const Seom__ClientMessage *message, uint32_t frame_max)
{
    uint8_t *at = outbox_room(&c->outbox, FRAME_LENGTH_BYTES + frame_max);
    if (at == NULL) {
        return ERR_FULL;
    }
    size_t bytes = message_write_client(message, at + FRAME_LENGTH_BYTES, frame_max);
    CHECK(bytes > 0);
    outbox_add(c, at, bytes);
    return OK;
}

enum err
speak_hello(struct seom_client *c)
{
    Seom__Range range = SEOM__RANGE__INIT;
    range.min = PROTOCOL_MIN;
    range.max = PROTOCOL_MAX;
    char name[] = CLIENT_NAME;
    Seom__Hello hello = SEOM__HELLO__INIT;
    hello.protocol = &range;
    hello.ticket.data = c->ticket;
    hello.ticket.len = c->ticket_bytes;
    hello.spectator = c->options.spectator;
    hello.island = c->options.island;
    hello.client = name;
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = SEOM__CLIENT_MESSAGE__WHAT_HELLO;
    message.hello = &hello;
    return queue_message(c, &message, 192);
}

/* A full outbox means that the line does not take anything: then a ping would not help either. */
void
speak_ping(struct seom_client *c)
{
    Seom__Ping ping = SEOM__PING__INIT;
    ping.client_ms = c->now_us / 1000;
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = SEOM__CLIENT_MESSAGE__WHAT_PING;
    message.ping = &ping;
    if (queue_message(c, &message, 32) == OK) {
        c->clock.ping_us = c->now_us;
        c->clock.pinging = true;
    }
}

enum err
seom_client_move(struct seom_client *c, const struct motion *m, uint8_t look, uint32_t *move_no)
{
    if (c->state != SEOM_PLAYING || c->has_ended) {
        return ERR_UNAVAILABLE;
    }
    if (m->lasts_ms > MOTION_LASTS_MS_MAX) {
        return ERR_RANGE;
    }
    uint8_t *at = outbox_room(&c->outbox, FRAME_LENGTH_BYTES + MESSAGE_MOVE_BYTES_MAX);
    if (at == NULL) {
        return ERR_FULL;
    }
    struct message_move move = {.move_no = ++c->move_no, .look = look, .motion = *m};
    size_t bytes = message_write_move(&move, at + FRAME_LENGTH_BYTES, MESSAGE_MOVE_BYTES_MAX);
    CHECK(bytes > 0);
    outbox_add(c, at, bytes);
    c->stats.moves++;
    c->self = *m;
    if (move_no != NULL) {
        *move_no = c->move_no;
    }
    return OK;
}

static enum err
queue_request(struct seom_client *c, Seom__Request *request, uint32_t frame_max, uint32_t *number)
{
    if (c->state != SEOM_PLAYING || c->has_ended) {
        return ERR_UNAVAILABLE;
    }
    request->number = c->request_no + 1;
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = SEOM__CLIENT_MESSAGE__WHAT_REQUEST;
    message.request = request;
    enum err error = queue_message(c, &message, frame_max);
    if (error == OK) {
        c->request_no++;
        if (number != NULL) {
            *number = c->request_no;
        }
    }
    return error;
}

enum err
seom_client_say(struct seom_client *c, struct slice text, uint32_t *number)
{
    return seom_client_say_in(c, 0, text, number);
}

enum err
seom_client_say_in(struct seom_client *c, uint32_t channel, struct slice text, uint32_t *number)
{
    char line[SAY_BYTES_MAX + 1];
    if (text.bytes > SAY_BYTES_MAX) {
        return ERR_TOO_LARGE;
    }
    if (channel > UINT8_MAX || text.bytes == 0 || memchr(text.at, 0, text.bytes) != NULL) {
        return ERR_RANGE;
    }
    memcpy(line, text.at, text.bytes);
    line[text.bytes] = 0;
    Seom__Say say = SEOM__SAY__INIT;
    say.text = line;
    say.channel = channel;
    Seom__Request request = SEOM__REQUEST__INIT;
    request.what_case = SEOM__REQUEST__WHAT_SAY;
    request.say = &say;
    return queue_request(c, &request, SAY_BYTES_MAX + 32, number);
}

enum err
seom_client_look(struct seom_client *c, uint64_t entity, uint32_t *number)
{
    Seom__LookAt look = SEOM__LOOK_AT__INIT;
    look.entity = entity;
    Seom__Request request = SEOM__REQUEST__INIT;
    request.what_case = SEOM__REQUEST__WHAT_LOOK;
    request.look = &look;
    return queue_request(c, &request, 64, number);
}

enum err
seom_client_camera(struct seom_client *c, uint32_t island, struct place corner, uint32_t w_mm,
                   uint32_t h_mm)
{
    Seom__Camera camera = SEOM__CAMERA__INIT;
    camera.island = island;
    camera.x_mm = corner.x_mm;
    camera.y_mm = corner.y_mm;
    camera.w_mm = w_mm;
    camera.h_mm = h_mm;
    Seom__Request request = SEOM__REQUEST__INIT;
    request.what_case = SEOM__REQUEST__WHAT_CAMERA;
    request.camera = &camera;
    return queue_request(c, &request, 96, NULL);
}

enum err
seom_client_show(struct seom_client *c, uint32_t what, uint64_t id, uint32_t *number)
{
    if (what > UINT8_MAX) {
        return ERR_RANGE;
    }
    Seom__Show show = SEOM__SHOW__INIT;
    show.what = (Seom__ShowKind)what;
    show.id = id;
    Seom__Request request = SEOM__REQUEST__INIT;
    request.what_case = SEOM__REQUEST__WHAT_SHOW;
    request.show = &show;
    return queue_request(c, &request, 64, number);
}

enum err
speak_command(struct seom_client *c)
{
    Seom__Command command = SEOM__COMMAND__INIT;
    command.seq = c->command.seq;
    command.body.data = c->command.body;
    command.body.len = c->command.bytes;
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = SEOM__CLIENT_MESSAGE__WHAT_COMMAND;
    message.command = &command;
    return queue_message(c, &message, c->command.bytes + 32);
}

enum err
seom_client_command(struct seom_client *c, struct slice body, uint64_t *seq)
{
    if (c->state != SEOM_PLAYING || c->has_ended) {
        return ERR_UNAVAILABLE;
    }
    if (c->command.body != NULL) {
        return ERR_CONFLICT;
    }
    if (body.bytes > COMMAND_BYTES_MAX) {
        return ERR_TOO_LARGE;
    }
    struct command *command = &c->command;
    command->body = malloc(body.bytes + 1);
    CHECK(command->body != NULL);
    if (body.bytes > 0) {
        memcpy(command->body, body.at, body.bytes);
    }
    command->bytes = (uint32_t)body.bytes;
    command->again_us = INT64_MAX;
    command->pauses = 0;
    command->seq++;
    enum err error = speak_command(c);
    if (error != OK) {
        free(command->body);
        command->body = NULL;
        command->seq--;
        return error;
    }
    if (seq != NULL) {
        *seq = command->seq;
    }
    return OK;
}

enum err
seom_client_goodbye(struct seom_client *c)
{
    if (c->state != SEOM_PLAYING || c->has_ended) {
        return ERR_UNAVAILABLE;
    }
    Seom__Goodbye goodbye = SEOM__GOODBYE__INIT;
    goodbye.code = SEOM__CODE__LEFT;
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = SEOM__CLIENT_MESSAGE__WHAT_GOODBYE;
    message.goodbye = &goodbye;
    enum err error = queue_message(c, &message, 32);
    if (error == OK) {
        c->leaves = true;
    }
    return error;
}

struct slice
seom_client_output(const struct seom_client *c)
{
    const struct outbox *o = &c->outbox;
    return (struct slice){.at = o->bytes == NULL ? NULL : o->bytes + o->sent,
                          .bytes = o->used - o->sent};
}

void
seom_client_sent(struct seom_client *c, size_t n)
{
    CHECK(n <= c->outbox.used - c->outbox.sent);
    c->outbox.sent += (uint32_t)n;
}
