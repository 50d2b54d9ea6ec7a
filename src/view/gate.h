/* The view side of one gate thread: client connections, what each client is sent, how often, within
 * which byte budget. It lives on its gate's thread, reaches sockets and homes only through
 * struct env, and never asserts on anything that a client or a home sends.
 *
 * A gate has many homes, each a peer of its links. Every home hears the same subscriptions and
 * publishes its own people; each session has one home that decides for it. When that one is gone or
 * gives the session away, the client stays connected and is taken to another.
 *
 * One turn of its loop: gate_received() and friends for what the sockets did, gate_message() for
 * what homes sent, then gate_turn(): deadlines, subscriptions that changed, and the 10 ms slots
 * that are due. docs/view.md draws it. Limits: those of struct gate_options, PEERS_MAX homes.
 */
#ifndef SEOM_VIEW_GATE_H
#define SEOM_VIEW_GATE_H

#include "env/env.h"
#include "fabric/mesh.h"
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
#define GATE_RESUMES_S        2000 /* sessions that are taken to another home in a second, at most */

/* Ways to be wrong on purpose; the simulator must catch each of them. */
enum gate_mutant {
    GATE_MUTANT_NONE,
    GATE_MUTANT_NO_HYSTERESIS,     /* chunks are dropped as soon as they leave the 3 x 3 */
    GATE_MUTANT_FORGET_LOST,       /* dropped chunks are not told */
    GATE_MUTANT_ROTATION_STUCK,    /* the rotation never leaves its first slice */
    GATE_MUTANT_DIRTY_LOST,        /* news of a chunk do not reach its last watcher */
    GATE_MUTANT_HEAL_FORGOTTEN,    /* who fell behind the log is not given a snapshot */
    GATE_MUTANT_QUEUE_UNBOUNDED,   /* what cannot be sent is queued without limit */
    GATE_MUTANT_GONE_LOST,         /* the end of a session is told once, refused or not */
    GATE_MUTANT_EPOCH_IGNORED,     /* session_epochs are not compared: whoever speaks is believed */
    GATE_MUTANT_STEWARD_IGNORED,   /* steward_epochs are not compared */
    GATE_MUTANT_LINES_AGAIN,       /* a line is told by each way that it comes */
    GATE_MUTANT_SUBSCRIBE_DROPPED, /* a change of the set that a link refused is forgotten, and so
                                      is what homes answer */
};

struct gate_options {
    uint32_t conns_max;
    uint32_t entities_max, topics_max, chunks_max;
    const struct archipelago *islands; /* borrowed: which islands a camera may look at */
    uint64_t subscribe_epoch_seed;
    const char *const *gates; /* its own addresses, told to clients; borrowed */
    uint32_t gates_count;
    bool spread_goodbyes; /* who is sent away by gate_stop() comes to other gates, a little at a
                             time */

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
    uint64_t subscribe_repairs; /* whole sets told as a home was found to have another one */
    uint64_t lobbied;           /* sessions that ended in the lobby */
    uint64_t resumed; /* sessions that another home took over, without their clients' doing */
    uint64_t resume_us, resume_us_max; /* pauses of those, together and the longest */
    uint64_t stale;                    /* what was said by a home of a session that is not its */
    uint64_t records_foreign;          /* of entities that another home publishes */
    uint64_t things_stale;             /* told by a former steward */
    uint64_t reaped;                   /* entities of homes that are gone */
    uint64_t lines;                    /* of channels of the whole world, told to all */
    uint64_t lines_again;              /* that came by a second way */
    uint64_t lines_dropped;            /* beyond what clients are told in a second */
    uint64_t led;                      /* clients sent to gates of another shard */
    uint32_t connections, players, spectators, lobby;
    uint32_t resuming;          /* of the players: without a home, now */
    uint32_t homes, homes_down; /* up; gone, and not forgotten yet */
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
/* From the links. peer < PEERS_MAX; node is its node_epoch. */
void gate_home_up(struct gate *g, uint32_t peer, uint64_t node);
/* dead: it will never be spoken to again; else it may come back, maybe as another peer. */
void gate_home_down(struct gate *g, uint32_t peer, bool dead);
/* A home whose link was down already is dead. */
void gate_home_died(struct gate *g, uint64_t node);
/* As its heart-beats tell: whom to ask first. */
void gate_home_state(struct gate *g, uint32_t peer, bool draining, uint32_t players);
void gate_message(struct gate *g, uint32_t peer, const uint8_t *bytes, size_t n);
/* A message that will come soon: see mesh_events.ahead. Changes nothing. */
void gate_ahead(const struct gate *g, uint32_t step, const uint8_t *bytes, size_t n);
/* The other gates of the shard: copied, at most GATES_MAX of at most GATE_BYTES_MAX each. */
void gate_set_gates(struct gate *g, const char *const *addresses, uint32_t count);
/* Returns the mono time (us) of the next turn it wants. */
int64_t gate_turn(struct gate *g);
/* Says good-bye to everybody and closes. With spread_goodbyes, and when other gates are known, the
 * waits are spread over as long as those take to receive so many. */
void gate_stop(struct gate *g, uint32_t code, uint32_t retry_after_ms);

const struct gate_stats *gate_stats(const struct gate *g);
/* Of the topics that homes are told (XOR of rand_mix(topic, 1)): equal to each home's when nothing
 * is under way. */
uint64_t gate_digest(const struct gate *g, bool wakes);
uint32_t gate_out_bytes_max(
    const struct gate *g); /* the longest queue of unsent bytes of a client, now */

#endif
