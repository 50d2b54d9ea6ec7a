/* A client's life. Its line comes and goes, its ticket and its world stay:
 *
 *   OFFLINE --connecting--> CONNECTING --connected--> HELLO --Welcome--> PLAYING
 *      ^                        |                      ^ |  \               |
 *      |                        |              in time | |   +--Lobby--+    | Lobby
 *      |                        |                      | |             v    v
 *      |                        |                      +-------------- LOBBY
 *      |                        |                        |               |
 *      +--------- broke --------+------------------------+---------------+-- for good --> ENDED
 */
#include "client/client.h"
#include "base/check.h"
#include "client/core.h"
#include "wire/message.h"
#include <stdlib.h>
#include <string.h>

#define REPLICA_MAX_DEFAULT 8192

#define SECOND_US INT64_C(1000000)

/* A try may take so long, and then a Welcome. */
#define CONNECT_US_MAX (10 * SECOND_US)
/* A living server answers at least the pings, which go out every PING_US also when moves keep the
 * line alive: the clock needs them. */
#define QUIET_US_MAX (45 * SECOND_US)
#define PING_US      (30 * SECOND_US)
/* So old, a sample of the clock gives way to any newer one. */
#define CLOCK_US_MAX (120 * SECOND_US)

#define RETRY_US_MIN    (SECOND_US / 4)
#define RETRY_US_MAX    (15 * SECOND_US)
#define RETRY_DOUBLINGS 6
/* A command that the server could not serve is sent again after such pauses. */
#define AGAIN_US_MIN    (SECOND_US / 4)
#define AGAIN_US_MAX    (8 * SECOND_US)
#define AGAIN_DOUBLINGS 5
/* Who has played so long waits shortest after the next break. */
#define STEADY_US (30 * SECOND_US)

/* State. */

static const uint8_t moves_allowed[] = {
    [SEOM_OFFLINE] = 1 << SEOM_CONNECTING | 1 << SEOM_ENDED,
    [SEOM_CONNECTING] = 1 << SEOM_HELLO | 1 << SEOM_OFFLINE | 1 << SEOM_ENDED,
    [SEOM_HELLO] = 1 << SEOM_PLAYING | 1 << SEOM_LOBBY | 1 << SEOM_OFFLINE | 1 << SEOM_ENDED,
    [SEOM_PLAYING] = 1 << SEOM_LOBBY | 1 << SEOM_OFFLINE | 1 << SEOM_ENDED,
    [SEOM_LOBBY] = 1 << SEOM_HELLO | 1 << SEOM_OFFLINE | 1 << SEOM_ENDED,
    [SEOM_ENDED] = 0,
};

void
client_move_to(struct seom_client *c, enum seom_state to)
{
    CHECK(moves_allowed[c->state] & 1 << to);
    c->state = to;
    c->state_us = c->now_us;
}

/* Codes after which another try would be answered just the same. */
static bool
code_is_final(uint32_t code)
{
    return code == SEOM__CODE__PROTOCOL || code == SEOM__CODE__BAD_TICKET ||
           code == SEOM__CODE__REPLACED || code == SEOM__CODE__LEFT;
}

/* Life. */

enum err
seom_client_open(const struct seom_options *options, const struct seom_events *events,
                 struct seom_client **out)
{
    CHECK(options != NULL && out != NULL);
    if (options->ticket_bytes > TICKET_BYTES_MAX || options->replica_max > 1U << 24) {
        return ERR_RANGE;
    }
    struct seom_client *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return ERR_FULL;
    }
    *c = (struct seom_client){
        .options = *options,
        .events = events != NULL ? *events : (struct seom_events){0},
        .state = SEOM_OFFLINE,
        .clock = {.offset_us = INT64_MAX},
        .silence_us = INT64_C(1000) * SILENCE_MAX_MS,
        .island = options->island,
    };
    c->options.ticket = NULL;
    if (options->ticket != NULL) {
        memcpy(c->ticket, options->ticket, options->ticket_bytes);
        c->ticket_bytes = options->ticket_bytes;
    }
    rand_seed(&c->rand, options->seed);
    if (options->replica) {
        c->replica = calloc(1, sizeof(*c->replica));
        CHECK(c->replica != NULL);
        replica_init(c->replica,
                     options->replica_max > 0 ? options->replica_max : REPLICA_MAX_DEFAULT,
                     rand_next(&c->rand));
    }
    *out = c;
    return OK;
}

void
seom_client_close(struct seom_client **client)
{
    CHECK(client != NULL);
    struct seom_client *c = *client;
    if (c == NULL) {
        return;
    }
    if (c->replica != NULL) {
        replica_fini(c->replica);
        free(c->replica);
    }
    free(c->outbox.bytes);
    free(c->inbox.bytes);
    free(c->command.body);
    free(c->gates);
    free(c);
    *client = NULL;
}

/* Connecting. */

void
seom_client_connecting(struct seom_client *c, int64_t mono_us)
{
    c->now_us = mono_us;
    c->stats.reconnects += c->stats.frames > 0;
    client_move_to(c, SEOM_CONNECTING);
    c->retry_us = INT64_MAX;
}

void
seom_client_connected(struct seom_client *c, int64_t mono_us)
{
    if (c->state == SEOM_OFFLINE) {
        seom_client_connecting(c, mono_us);
    }
    c->now_us = mono_us;
    client_move_to(c, SEOM_HELLO);
    c->heard_us = mono_us;
    enum err error = speak_hello(c);
    CHECK(error == OK); /* the outbox is empty when a line begins */
}

/* Between half of a pause that doubles and all of it. */
void
client_pause_command(struct seom_client *c)
{
    struct command *command = &c->command;
    int64_t longest_us = (2 * AGAIN_US_MIN) << command->pauses;
    longest_us = longest_us < AGAIN_US_MAX ? longest_us : AGAIN_US_MAX;
    command->pauses += command->pauses < AGAIN_DOUBLINGS;
    command->again_us =
        c->now_us + longest_us / 2 + rand_below(&c->rand, (uint32_t)(longest_us / 2) + 1);
}

void
client_enter_lobby(struct seom_client *c, uint32_t retry_after_ms)
{
    int64_t pause_us = retry_after_ms * INT64_C(1000);
    client_move_to(c, SEOM_LOBBY);
    c->stats.lobbies++;
    c->hello_us = c->now_us + pause_us + rand_below(&c->rand, UINT32_MAX) % (pause_us / 2 + 1);
}

/* Jittered, so that the clients of a server that died do not come back as one. */
static int64_t
retry_delay_us(struct seom_client *c)
{
    int64_t longest = (2 * RETRY_US_MIN) << c->retry_doublings;
    if (longest > RETRY_US_MAX) {
        longest = RETRY_US_MAX;
    }
    if (c->retry_doublings < RETRY_DOUBLINGS) {
        c->retry_doublings++;
    }
    int64_t delay = RETRY_US_MIN + rand_below(&c->rand, (uint32_t)(longest - RETRY_US_MIN) + 1);
    int64_t asked = c->retry_after_ms * INT64_C(1000);
    /* The server's wait is a floor; half of it on top spreads those that were told the same. */
    int64_t spread = asked > 0 ? rand_below(&c->rand, UINT32_MAX) % (asked / 2 + 1) : 0;
    return delay > asked + spread ? delay : asked + spread;
}

void
seom_client_broke(struct seom_client *c, int64_t mono_us)
{
    if (c->state == SEOM_OFFLINE || c->state == SEOM_ENDED) {
        return;
    }
    c->now_us = mono_us;
    if (c->state == SEOM_PLAYING && mono_us - c->state_us >= STEADY_US) {
        c->retry_doublings = 0;
    }
    bool told = c->has_ended;
    bool final = c->leaves || code_is_final(c->end_code);
    c->retry_us = final ? INT64_MAX : mono_us + retry_delay_us(c);
    client_move_to(c, final ? SEOM_ENDED : SEOM_OFFLINE);
    c->outbox.used = c->outbox.sent = 0;
    c->inbox.used = c->inbox.skip = 0;
    c->clock.pinging = false;
    c->has_ended = false;
    c->retry_after_ms = 0;
    c->end_code = 0;
    if (!told && c->events.ended != NULL) {
        c->events.ended(c->events.ctx, 0, 0);
    }
}

int64_t
seom_client_retry_us(const struct seom_client *c)
{
    return c->state == SEOM_OFFLINE ? c->retry_us : INT64_MAX;
}

/* When nothing will have been heard for too long. */
static int64_t
dead_us(const struct seom_client *c)
{
    switch (c->state) {
    case SEOM_CONNECTING:
    case SEOM_HELLO: return c->state_us + CONNECT_US_MAX;
    case SEOM_LOBBY:
    case SEOM_PLAYING: return c->has_ended ? c->now_us : c->heard_us + QUIET_US_MAX;
    case SEOM_OFFLINE:
    case SEOM_ENDED: break;
    }
    return INT64_MAX;
}

bool
seom_client_is_dead(const struct seom_client *c, int64_t mono_us)
{
    return mono_us >= dead_us(c);
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What is due; when the next of it will be. */
static int64_t
speak_again(struct seom_client *c)
{
    if (c->state == SEOM_LOBBY && c->now_us >= c->hello_us && speak_hello(c) == OK) {
        client_move_to(c, SEOM_HELLO);
        return dead_us(c);
    }
    struct command *command = &c->command;
    bool waits = command->body != NULL && c->state == SEOM_PLAYING;
    if (waits && c->now_us >= command->again_us && speak_command(c) == OK) {
        command->again_us = INT64_MAX;
        c->stats.command_again++;
    }
    int64_t again_us = waits ? command->again_us : INT64_MAX;
    int64_t next_us = c->state == SEOM_LOBBY ? c->hello_us : again_us;
    /* Who is behind its time found the outbox full. */
    return next_us > c->now_us ? next_us : c->now_us + AGAIN_US_MIN;
}

int64_t
seom_client_turn(struct seom_client *c, int64_t mono_us)
{
    c->now_us = mono_us;
    if (c->state != SEOM_PLAYING && c->state != SEOM_LOBBY) {
        return c->state == SEOM_OFFLINE ? c->retry_us : dead_us(c);
    }
    int64_t again_us = speak_again(c);
    if (c->state == SEOM_HELLO) {
        return again_us;
    }
    if (c->stats.bytes_out != c->spoke_bytes) {
        c->spoke_us = mono_us;
    }
    /* A third of the server's patience: one message may be late. */
    int64_t speak_us = c->spoke_us + c->silence_us / 3;
    if (mono_us >= speak_us || mono_us >= c->clock.ping_us + PING_US) {
        speak_ping(c);
        c->spoke_us = mono_us;
        speak_us = mono_us + c->silence_us / 3;
    }
    c->spoke_bytes = c->stats.bytes_out;
    return earlier(earlier(again_us, speak_us), earlier(c->clock.ping_us + PING_US, dead_us(c)));
}

/* World time. */

/* world_ms was read somewhere between sent_us and now; whole ms are cut, hence the half on top. */
void
client_clock_sample(struct seom_client *c, int64_t sent_us, int64_t world_ms)
{
    struct clock *clock = &c->clock;
    int64_t round_trip_us = c->now_us - sent_us;
    if (clock->offset_us != INT64_MAX && round_trip_us > clock->round_trip_us &&
        c->now_us - clock->taken_us < CLOCK_US_MAX) {
        return;
    }
    clock->offset_us = world_ms * 1000 + 500 - (sent_us + round_trip_us / 2);
    clock->round_trip_us = round_trip_us;
    clock->taken_us = c->now_us;
}

int64_t
seom_client_clock_us(const struct seom_client *c, int64_t *round_trip_us)
{
    *round_trip_us = c->clock.round_trip_us;
    return c->clock.offset_us;
}

int64_t
seom_client_world_ms(const struct seom_client *c, int64_t mono_us)
{
    return c->clock.offset_us == INT64_MAX ? 0 : (mono_us + c->clock.offset_us) / 1000;
}

/* Asking. */

enum seom_state
seom_client_state(const struct seom_client *c)
{
    return c->state;
}

uint64_t
seom_client_entity(const struct seom_client *c)
{
    return c->entity;
}

uint64_t
seom_client_player(const struct seom_client *c)
{
    return c->player;
}

uint32_t
seom_client_island(const struct seom_client *c)
{
    return c->island;
}

struct motion
seom_client_self(const struct seom_client *c)
{
    return c->self;
}

struct slice
seom_client_ticket(const struct seom_client *c)
{
    return (struct slice){.at = c->ticket, .bytes = c->ticket_bytes};
}

int32_t
seom_client_speed_mm_s(const struct seom_client *c, uint8_t look)
{
    return look < SPEEDS_MAX ? c->speeds[look] : 0;
}

const char *
seom_client_gate(const struct seom_client *c, uint32_t n)
{
    return n < c->gate_count ? c->gates[n] : NULL;
}

const struct seom_stats *
seom_client_stats(const struct seom_client *c)
{
    return &c->stats;
}

uint32_t
seom_client_entity_count(const struct seom_client *c)
{
    return c->replica != NULL ? replica_count(c->replica) : 0;
}

const struct seom_entity *
seom_client_find(const struct seom_client *c, uint64_t entity)
{
    return c->replica != NULL ? replica_find(c->replica, entity) : NULL;
}

const struct seom_entity *
seom_client_next(const struct seom_client *c, uint32_t *cursor)
{
    return c->replica != NULL ? replica_next(c->replica, cursor) : NULL;
}

const struct seom_entity *
seom_client_in_chunk(const struct seom_client *c, uint16_t cx, uint16_t cy,
                     const struct seom_entity *after)
{
    return c->replica != NULL ? replica_in_chunk(c->replica, cx, cy, after) : NULL;
}
