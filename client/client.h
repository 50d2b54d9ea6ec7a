/* libseom: the C client library. Sans-I/O and without threads: you move bytes between a socket and the client (or let
 * client/posix.h do it with poll), and tell it what time it is. One client = one avatar or spectator. Everything that
 * comes from the server is checked; the library never asserts on it and never exits.
 *
 * Units: mm on the island (x east, y north), world ms, entity ids u64. Not thread-safe; use one thread per client at a time.
 * Memory: about 1 KiB per client without replica; with a replica 64 B per visible entity, at most replica_max entities.
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

enum seom_state { SEOM_OFFLINE, SEOM_CONNECTING, SEOM_HELLO, SEOM_PLAYING, SEOM_ENDED };

struct seom_options {
    bool spectator;
    bool replica;          /* false: frames are counted by their heads, records are not decoded */
    uint32_t replica_max;  /* entities, default 8192 */
    uint32_t island;       /* wish of a new guest */
    const uint8_t *ticket; /* borrowed during open; NULL = new guest */
    uint32_t ticket_bytes;
    uint64_t seed;         /* for jitter */
};

/* One known entity of the replica. */
struct seom_entity {
    uint64_t entity;
    uint8_t look;
    uint8_t thing_kind; /* of THING, else 0 */
    uint16_t cx, cy;    /* chunk it was last published in */
    struct motion motion;
    int64_t heard_ms;   /* world time at which it was last heard of */
};

struct seom_stats {
    uint64_t frames, bytes_in, bytes_out, records, moves, corrections, reconnects, malformed;
};

/* Call-backs; each may be NULL. Called from within seom_client_input(). */
struct seom_events {
    void *ctx;
    void (*welcome)(void *ctx, struct seom_client *c);
    void (*motion)(void *ctx, const struct seom_entity *e, int64_t age_ms); /* news of somebody: age = arrival - since */
    void (*gone)(void *ctx, uint64_t entity);
    void (*said)(void *ctx, uint64_t entity, struct slice text);
    void (*corrected)(void *ctx, const struct motion *truth);
    void (*ended)(void *ctx, uint32_t code, uint32_t retry_after_ms); /* the server said good-bye or the line broke (code 0) */
    void (*answer)(void *ctx, uint32_t number, uint32_t code, uint8_t look, struct slice name);
    void (*density)(void *ctx, uint32_t island, uint16_t cell_m, struct slice cells, uint16_t count);
};

enum err seom_client_open(const struct seom_options *options, const struct seom_events *events, struct seom_client **out) MUST_USE;
void seom_client_close(struct seom_client **client);

/* The line is up / broke. Tell it so; after a break ask seom_client_retry_us() when to connect again (jittered,
 * exponential from 250 ms to 15 s, never before the server's retry_after). */
void seom_client_connected(struct seom_client *c, int64_t mono_us);
void seom_client_broke(struct seom_client *c, int64_t mono_us);
int64_t seom_client_retry_us(const struct seom_client *c); /* mono time; INT64_MAX when it should not */

/* Bytes that came. Afterwards there may be output. ERR_FORMAT: the server talks nonsense; drop the line. */
enum err seom_client_input(struct seom_client *c, const uint8_t *bytes, size_t n, int64_t mono_us) MUST_USE;
/* Bytes to send; call seom_client_sent() with how many went. */
struct slice seom_client_output(const struct seom_client *c);
void seom_client_sent(struct seom_client *c, size_t n);
/* Keep-alive; call at least every second; returns when it wants to be called next (mono us). */
int64_t seom_client_turn(struct seom_client *c, int64_t mono_us);

/* Sending: ERR_UNAVAILABLE when not playing, ERR_FULL when the output buffer (4 KiB) is full. */
enum err seom_client_move(struct seom_client *c, const struct motion *m, uint8_t look, uint32_t *move_no) MUST_USE; /* since in world ms */
enum err seom_client_say(struct seom_client *c, struct slice text, uint32_t *number) MUST_USE;
enum err seom_client_look(struct seom_client *c, uint64_t entity, uint32_t *number) MUST_USE;
enum err seom_client_camera(struct seom_client *c, uint32_t island, struct place corner, uint32_t w_mm, uint32_t h_mm) MUST_USE;
enum err seom_client_goodbye(struct seom_client *c) MUST_USE;

enum seom_state seom_client_state(const struct seom_client *c);
int64_t seom_client_world_ms(const struct seom_client *c, int64_t mono_us); /* the server's world time, estimated */
uint64_t seom_client_entity(const struct seom_client *c);
uint64_t seom_client_player(const struct seom_client *c);
uint32_t seom_client_island(const struct seom_client *c);
struct motion seom_client_self(const struct seom_client *c); /* own motion as last accepted or sent */
struct slice seom_client_ticket(const struct seom_client *c);
int32_t seom_client_speed_mm_s(const struct seom_client *c, uint8_t look);
const struct seom_stats *seom_client_stats(const struct seom_client *c);

/* Replica (only with options.replica). */
uint32_t seom_client_entity_count(const struct seom_client *c);
const struct seom_entity *seom_client_find(const struct seom_client *c, uint64_t entity); /* NULL when not visible */
const struct seom_entity *seom_client_next(const struct seom_client *c, uint32_t *cursor); /* start with 0; NULL at the end */

#endif
