/* The view side of one gate thread: client connections, what each client is sent, how often, within
 * which byte budget. It lives on its gate's thread, reaches sockets and the home only through
 * struct env, and never asserts on anything that a client or a home sends.
 *
 * One turn of its loop: gate_received() and friends for what the sockets did, gate_message() for
 * what the home sent, then gate_turn(): deadlines, subscriptions that changed, and the 10 ms slots
 * that are due. docs/view.md draws it.
 */
#ifndef SEOM_VIEW_GATE_H
#define SEOM_VIEW_GATE_H

#include "env/env.h"
#include "wire/code.h"
#include "wire/link.h"
#include "world/archipelago.h"

#define GATE_SLOTS   10 /* of a tick; a client is served in one of them */
#define GATE_SLOT_US 10000
#define GATE_BUDGET_BYTES_S \
    14450 /* of news per client; with GATE_BUDGET_BURST never above 16,384 in a second */
#define GATE_BUDGET_BURST \
    1900 /* a tick's share and what one slice of a crowd leaves of it, or that would be lost */
#define GATE_CROWDED \
    64 /* entities from which a chunk is cut into cells; back to normal at 3/4 of it */
#define GATE_SPECTATOR_CHUNKS 64

/* Ways to be wrong on purpose; the simulator must catch each of them. */
enum gate_mutant {
    GATE_MUTANT_NONE,
    GATE_MUTANT_NO_HYSTERESIS,   /* chunks are dropped as soon as they leave the 3 x 3 */
    GATE_MUTANT_FORGET_LOST,     /* dropped chunks are not told */
    GATE_MUTANT_ROTATION_STUCK,  /* the rotation never leaves its first slice */
    GATE_MUTANT_DIRTY_LOST,      /* news of a chunk do not reach its last watcher */
    GATE_MUTANT_HEAL_FORGOTTEN,  /* who fell behind the log is not given a snapshot */
    GATE_MUTANT_QUEUE_UNBOUNDED, /* what cannot be sent is queued without limit */
    GATE_MUTANT_GONE_LOST,       /* the end of a session is told once, refused or not */
};

struct gate_options {
    uint32_t conns_max;
    uint32_t entities_max, topics_max, chunks_max;
    const struct archipelago *islands; /* borrowed: which islands a camera may look at */
    uint32_t home;                     /* peer number of the home */
    uint64_t subscribe_epoch_seed;
    const char *const *gates; /* addresses told to clients; borrowed */
    uint32_t gates_count;

    struct {
        uint8_t look;
        uint32_t mm_per_s;
    } speeds[4]; /* told to clients */

    uint32_t speeds_count;
    enum gate_mutant mutant;
};

#define GATE_CODES CODE_COUNT

struct gate_stats {
    uint64_t closed_by_code[GATE_CODES]; /* why we closed connections */
    uint64_t opened, closed;
    uint64_t frames_in, moves_in, inputs_dropped, input_bytes;
    uint64_t sends, pieces, send_bytes; /* gathered sends of news */
    uint64_t skipped;                   /* slots in which a client was not writable */
    uint64_t records, batches, batches_stale, records_bad;
    uint64_t snapshots, healed; /* chunks told whole; of them because the client fell behind */
    uint64_t ranges, crowd_served;
    uint64_t limits_reached; /* a pool was empty */
    uint64_t subscribes, subscribes_whole;
    uint64_t lobbied; /* sessions that ended in the lobby */
    uint32_t connections, players, spectators, lobby;
    uint32_t topics, chunks, entities, crowded_chunks;
    uint32_t out_buffers; /* clients with unsent bytes of ours */
};

struct gate;

enum err gate_alloc(const struct gate_options *options, const struct env *env,
                    struct gate **out) MUST_USE;
void gate_free(struct gate **gate);

/* From the sockets. bytes are unmasked in place. */
void gate_opened(struct gate *g, uint32_t conn);
void gate_received(struct gate *g, uint32_t conn, uint8_t *bytes, size_t n);
void gate_writable(struct gate *g, uint32_t conn);
void gate_closed(struct gate *g, uint32_t conn);
/* From the home. */
void gate_message(struct gate *g, const uint8_t *bytes, size_t n);
/* Returns the mono time (us) of the next turn it wants. */
int64_t gate_turn(struct gate *g);
/* Says good-bye to everybody and closes. */
void gate_stop(struct gate *g, uint32_t code, uint32_t retry_after_ms);

const struct gate_stats *gate_stats(const struct gate *g);
/* Of the topics that the home was told (XOR of rand_mix(topic, 1)): equal to the home's when
 * nothing is under way. */
uint64_t gate_digest(const struct gate *g, bool wakes);
uint32_t gate_out_bytes_max(
    const struct gate *g); /* the longest queue of unsent bytes of a client, now */

#endif
