/* The inside of a client, shared by the three files that make it: client.c (its life, its states
 * and its clock), speak.c (what it sends), listen.c (what comes in). Nobody else includes this.
 */
#ifndef SEOM_CLIENT_CORE_H
#define SEOM_CLIENT_CORE_H

#include "base/rand.h"
#include "client/client.h"
#include "client/replica.h"
#include "wire/limits.h"

#define FRAME_LENGTH_BYTES 4

struct outbox {
    uint8_t *bytes; /* owned */
    uint32_t used, sent, capacity;
};

/* The frame that is not whole yet, its length included. */
struct inbox {
    uint8_t *bytes; /* owned */
    size_t used, capacity;
    size_t skip; /* bytes of a batch that nobody will look at */
};

struct clock {
    int64_t offset_us;     /* world us - mono us; INT64_MAX: none yet */
    int64_t round_trip_us; /* of the sample it comes from */
    int64_t taken_us;
    int64_t ping_us; /* when the ping that is under way went out */
    bool pinging;
};

struct command {
    uint64_t seq;  /* of the last one */
    uint8_t *body; /* owned; NULL: none under way */
    uint32_t bytes;
    int64_t again_us; /* when it is to be sent once more; INT64_MAX: its answer is waited for */
    uint32_t pauses;  /* so far */
};

struct seom_client {
    struct seom_options options; /* ticket: not used after open */
    struct seom_events events;
    struct seom_stats stats;
    enum seom_state state;
    struct outbox outbox;
    struct inbox inbox;
    struct clock clock;
    struct rand rand;
    struct replica *replica; /* owned; NULL without */

    int64_t now_us;     /* the latest time that was told */
    int64_t state_us;   /* since when the state lasts */
    int64_t heard_us;   /* when bytes came */
    int64_t spoke_us;   /* when a turn last saw new output */
    int64_t silence_us; /* the server's limit for ours */
    int64_t retry_us;
    int64_t hello_us; /* in the lobby: when to say hello again */
    uint64_t spoke_bytes;
    uint32_t retry_doublings;
    uint32_t end_code, retry_after_ms;
    bool has_ended; /* the server's good-bye came */
    bool leaves;    /* ours went */

    uint64_t entity, player;
    uint32_t island, move_no, request_no;
    struct motion self;
    int32_t speeds[SPEEDS_MAX]; /* by look */
    struct command command;
    char (*gates)[GATE_BYTES_MAX + 1]; /* owned */
    uint32_t gate_count;
    uint32_t ticket_bytes;
    uint8_t ticket[TICKET_BYTES_MAX];
};

/* client.c: the one move of the state machine; CHECKs that the table allows it. */
void client_move_to(struct seom_client *c, enum seom_state to);
/* client.c: world_ms was read somewhere between sent_us and now. */
void client_clock_sample(struct seom_client *c, int64_t sent_us, int64_t world_ms);

/* speak.c: what the library itself has to say. */
enum err speak_hello(struct seom_client *c) MUST_USE;
void speak_ping(struct seom_client *c);
enum err speak_command(struct seom_client *c) MUST_USE; /* the one under way, again */

/* client.c: RETRY_AFTER came. */
void client_pause_command(struct seom_client *c);
/* client.c: Lobby came. */
void client_enter_lobby(struct seom_client *c, uint32_t retry_after_ms);

#endif
