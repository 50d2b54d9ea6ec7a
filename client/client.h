/* libseom: the C client library. Sans-I/O and without threads: you move bytes between a socket and
 * the client (or let client/posix.h do it with poll), and tell it what time it is. One client = one
 * avatar or spectator. Everything that comes from the server is checked; the library never asserts
 * on it and never exits.
 *
 * Units: mm on the island (x east, y north), world ms, entity ids u64. Not thread-safe; use one
 * thread per client at a time. Memory: about 1 KiB per client without replica; with a replica about
 * 100 B per visible entity, at most replica_max entities, and a receive buffer that grows to the
 * largest frame seen (64 KiB at most).
 *
 * The life of a line, for who drives it himself:
 * - seom_client_open(); connect a socket; seom_client_connected().
 * - Bytes that come go to seom_client_input(); send seom_client_output() and tell
 *   seom_client_sent(); at the time that seom_client_turn() asked for call it again and ask
 *   seom_client_is_dead().
 * - When the line broke: seom_client_broke(), then connect again at seom_client_retry_us(). Ticket
 *   and command under way are kept.
 *
 * A command is done exactly once: the client sends it again, unchanged, whenever the server said
 * RETRY_AFTER (after a pause that grows) and over every new line, until it has its result.
 */
#ifndef SEOM_CLIENT_CLIENT_H
#define SEOM_CLIENT_CLIENT_H

#include "base/bytes.h"
#include "base/err.h"
#include "wire/batch.h"
#include "wire/motion.h"
#include "wire/ticket.h"
#include <stdbool.h>
#include <stdint.h>

struct seom_client;

/* OFFLINE: waits for its next try. HELLO: the line is up, Welcome has not come. LOBBY: the line is
 * up, the server cannot let it play at the moment; it says hello again by itself. ENDED: it should
 * not come back (bad ticket, no common protocol, replaced by a newer connection of the same ticket,
 * or it said good-bye itself). */
enum seom_state { SEOM_OFFLINE, SEOM_CONNECTING, SEOM_HELLO, SEOM_PLAYING, SEOM_ENDED, SEOM_LOBBY };

struct seom_options {
    bool spectator;
    bool replica;          /* false: frames are counted by their heads, records are not decoded */
    uint32_t replica_max;  /* entities, default 8192 */
    uint32_t island;       /* wish of a new guest */
    const uint8_t *ticket; /* borrowed during open; NULL = new guest */
    uint32_t ticket_bytes; /* at most TICKET_BYTES_MAX (wire/limits.h) */
    uint64_t seed;         /* for jitter: different for every client */
};

/* One known entity of the replica. */
struct seom_entity {
    uint64_t entity;
    uint8_t look;
    uint8_t thing_kind; /* of THING, else 0 */
    uint16_t cx, cy;    /* chunk it was last published in */
    struct motion motion;
    int64_t heard_ms;         /* world time at which it was last heard of */
    uint8_t attributes_bytes; /* of a thing, the game's */
    uint8_t attributes[ATTRIBUTES_MAX];
};

struct seom_stats {
    uint64_t frames, bytes_in, bytes_out, records, moves, corrections, reconnects, malformed;
    uint64_t replica_full;  /* news of somebody for whom there was no room */
    uint64_t command_again; /* times a command was sent once more */
    uint64_t lobbies;       /* times it was sent to the lobby */
};

/* Call-backs; each may be NULL. Called from within seom_client_input() (ended: also from
 * seom_client_broke()). They may send, but neither close the client nor feed it. An entity pointer
 * is good until the call-back returns. */
struct seom_events {
    void *ctx;
    void (*welcome)(void *ctx, struct seom_client *c);
    /* Somebody was heard of, by a motion or a rotation slice: quiet_ms after the last time, -1 when
     * just come into view. */
    void (*heard)(void *ctx, const struct seom_entity *e, int64_t quiet_ms);
    /* Then, if it was a motion that was not known yet: age = arrival - since. */
    void (*motion)(void *ctx, const struct seom_entity *e, int64_t age_ms);
    void (*thing)(void *ctx, const struct seom_entity *e,
                  struct slice attributes); /* a thing, as it stands now */
    void (*gone)(void *ctx, uint64_t entity);
    void (*said)(void *ctx, uint64_t entity, struct slice text);
    /* Said in a channel of the whole world, by somebody who need not be in sight. */
    void (*line)(void *ctx, uint32_t channel, uint64_t player, struct slice name,
                 struct slice text);
    void (*corrected)(void *ctx, const struct motion *truth);
    void (*ended)(
        void *ctx, uint32_t code,
        uint32_t retry_after_ms); /* the server said good-bye or the line broke (code 0) */
    void (*answer)(void *ctx, uint32_t number, uint32_t code, uint8_t look, struct slice name);
    /* Of a command, exactly once, never RETRY_AFTER. CLOSED and UNREADABLE: it was not done, and
     * the next command has its number. */
    void (*result)(void *ctx, uint64_t seq, uint32_t code, struct slice body);
    /* What was asked for with show: a view of proto/value.proto. A refusal comes as answer. */
    void (*shown)(void *ctx, uint32_t number, struct slice view);
    void (*changed)(void *ctx, uint32_t what); /* somebody else changed it: ask again */
    void (*lobby)(void *ctx, uint32_t code, uint32_t retry_after_ms);
    void (*density)(void *ctx, uint32_t island, uint16_t cell_m, struct slice cells,
                    uint16_t count);
};

enum err seom_client_open(const struct seom_options *options, const struct seom_events *events,
                          struct seom_client **out) MUST_USE;
void seom_client_close(struct seom_client **client);

/* A try begins / the line is up / the try failed or the line broke. Tell it so; after a break ask
 * seom_client_retry_us() when to connect again (jittered, exponential from 250 ms to 15 s, never
 * before the server's retry_after). */
void seom_client_connecting(struct seom_client *c,
                            int64_t mono_us); /* may be left out when connecting is instant */
void seom_client_connected(struct seom_client *c, int64_t mono_us);
void seom_client_broke(struct seom_client *c, int64_t mono_us);
int64_t seom_client_retry_us(
    const struct seom_client *c); /* mono time; INT64_MAX when it should not */

/* Bytes that came, in pieces of any size. Afterwards there may be output. On an error drop the line
 * and call seom_client_broke(): ERR_FORMAT: the server talks nonsense; ERR_CLOSED: it said
 * good-bye. */
enum err seom_client_input(struct seom_client *c, const uint8_t *bytes, size_t n,
                           int64_t mono_us) MUST_USE;
/* Bytes to send; call seom_client_sent() with how many went. Borrowed until the next call that
 * takes the client. */
struct slice seom_client_output(const struct seom_client *c);
void seom_client_sent(struct seom_client *c, size_t n);
/* Keep-alive; call it when the time that it returned last has come (mono us), or every second;
 * there may be output. */
int64_t seom_client_turn(struct seom_client *c, int64_t mono_us);
/* Nothing came for longer than a living server is ever quiet: drop the line and call
 * seom_client_broke(). */
bool seom_client_is_dead(const struct seom_client *c, int64_t mono_us);

/* Sending: ERR_UNAVAILABLE when not playing, ERR_FULL when the output buffer (4 KiB) is full. */
enum err seom_client_move(struct seom_client *c, const struct motion *m, uint8_t look,
                          uint32_t *move_no) MUST_USE; /* since in world ms */
enum err seom_client_say(struct seom_client *c, struct slice text, uint32_t *number) MUST_USE;
/* To the whole world; channel SEOM_CHANNEL_WORLD. About one line a second is passed on. */
enum err seom_client_say_in(struct seom_client *c, uint32_t channel, struct slice text,
                            uint32_t *number) MUST_USE;
enum err seom_client_look(struct seom_client *c, uint64_t entity, uint32_t *number) MUST_USE;
enum err seom_client_camera(struct seom_client *c, uint32_t island, struct place corner,
                            uint32_t w_mm, uint32_t h_mm) MUST_USE;
/* what: of enum ShowKind (proto/seom.proto); id of the chest, trade or mail. */
enum err seom_client_show(struct seom_client *c, uint32_t what, uint64_t id,
                          uint32_t *number) MUST_USE;
/* Of value: done exactly once, also across reconnects. ERR_CONFLICT: the last one has no result
 * yet; ERR_TOO_LARGE: above 2,048 bytes. */
enum err seom_client_command(struct seom_client *c, struct slice body, uint64_t *seq) MUST_USE;
enum err seom_client_goodbye(struct seom_client *c) MUST_USE;

enum seom_state seom_client_state(const struct seom_client *c);
int64_t seom_client_world_ms(const struct seom_client *c,
                             int64_t mono_us); /* the server's world time, estimated */
/* What the estimate stands on: world us - mono us, right to within half of *round_trip_us;
 * INT64_MAX: none yet. */
int64_t seom_client_clock_us(const struct seom_client *c, int64_t *round_trip_us);
uint64_t seom_client_entity(const struct seom_client *c);
uint64_t seom_client_player(const struct seom_client *c);
uint32_t seom_client_island(const struct seom_client *c);
struct motion seom_client_self(
    const struct seom_client *c); /* own motion as last accepted or sent */
struct slice seom_client_ticket(const struct seom_client *c);
int32_t seom_client_speed_mm_s(const struct seom_client *c,
                               uint8_t look); /* the server's limit; 0: not for players */
const char *seom_client_gate(
    const struct seom_client *c,
    uint32_t n); /* "host:port" to try when this one is gone; NULL at the end */
const struct seom_stats *seom_client_stats(const struct seom_client *c);

/* Replica (only with options.replica). */
uint32_t seom_client_entity_count(const struct seom_client *c);
const struct seom_entity *seom_client_find(const struct seom_client *c,
                                           uint64_t entity); /* NULL when not visible */
const struct seom_entity *seom_client_next(const struct seom_client *c,
                                           uint32_t *cursor); /* start with 0; NULL at the end */
/* Those of one chunk: start with NULL; NULL at the end. Do not feed the client meanwhile. */
const struct seom_entity *seom_client_in_chunk(const struct seom_client *c, uint16_t cx,
                                               uint16_t cy, const struct seom_entity *after);

#endif
