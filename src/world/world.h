/* The truth side of one process: home to its players and steward of the chunks that are seen. It
 * lives on the logic thread, reaches the outside only through struct env, and talks to gates in the
 * messages of wire/link.h.
 *
 * One turn of its loop: world_message() for each message that came, store completions, then
 * world_turn(): due ticks, and at most every 10 ms one batch per dirty topic to each gate that
 * subscribed it. Nothing is allocated in a turn.
 */
#ifndef SEOM_WORLD_WORLD_H
#define SEOM_WORLD_WORLD_H

#include "base/hist.h"
#include "env/env.h"
#include "fabric/mesh.h"
#include "fabric/notes.h"
#include "fabric/requests.h"
#include "fabric/shards.h"
#include "store/commands.h"
#include "store/place.h"
#include "store/sweep.h"
#include "wire/code.h"
#include "wire/link.h"
#include "wire/ticket.h"
#include "world/archipelago.h"
#include "world/game.h"

#define WORLD_TICK_MS        100
#define WORLD_PUBLISH_US     10000 /* a topic is published at most this often */
#define WORLD_LINGER_MS      30000 /* an avatar stays this long after its connection was lost */
#define WORLD_GUESTS_PER_S   2000  /* new ones; who has a ticket always gets in */
#define WORLD_SLEEP_AFTER_MS 10000 /* a block sleeps this long after its last subscription */

/* Ways to be wrong on purpose; the simulator must catch each of them (proof/mutant.h). */
enum world_mutant {
    WORLD_MUTANT_NONE,
    WORLD_MUTANT_LEAVE_LOST,    /* crossing a chunk border is not told to the chunk that was left */
    WORLD_MUTANT_DEBT_FREE,     /* jumps cost no time debt */
    WORLD_MUTANT_EPOCH_IGNORED, /* input of an older session is accepted */
    WORLD_MUTANT_SNAPSHOT_EMPTY,  /* a new subscription gets no snapshot */
    WORLD_MUTANT_CROSSING_LATE,   /* nobody notices that a motion left its chunk */
    WORLD_MUTANT_FULL_FORGOTTEN,  /* a batch that found its ring full is not repaired by a snapshot
                                   */
    WORLD_MUTANT_CLAIM_UNSEEN,    /* a session goes on though another home has claimed its player */
    WORLD_MUTANT_FOREIGN_VERSION, /* of a commit only the initiator's document is checked */
    WORLD_MUTANT_STEWARD_IGNORED, /* goes on telling of things though another is their steward */
    WORLD_MUTANT_LOGIN_UNASKED,   /* whoever is heard of last counts as the newer login */
    WORLD_MUTANT_SWEEP_BLIND,     /* pages of places go though documents name them */
    WORLD_MUTANT_SHARD_IGNORED,   /* whoever asks is taken in, whatever island he is on */
    WORLD_MUTANT_HINTS_TRUSTED,   /* what no hint told of is not looked at */
};

struct world_options {
    uint16_t world_id;
    uint64_t node_epoch;  /* of this process's registration; grows over restarts */
    uint32_t players_max; /* playing and lingering together */
    uint32_t topics_max;
    uint32_t entering_max;             /* on the way in at once; 0 = 1024 */
    const struct game *game;           /* borrowed */
    const struct archipelago *islands; /* borrowed */
    uint8_t ticket_key[TICKET_KEY_BYTES];
    uint64_t seed;           /* of the world: closed forms follow from it */
    int64_t saved_world_ms;  /* the world time last kept in the store (store/clock.h): where people
                                stood */
    const struct book *book; /* borrowed; NULL: this home is alone in its world */
    struct requests *requests;   /* borrowed; NULL: alone */
    uint32_t nodes_per_chunk;    /* homes that share the people of a region; 0 = 1 */
    struct notes *notes;         /* borrowed; NULL: there are no other shards to tell */
    const struct shards *shards; /* borrowed; NULL: all islands are ours */
    uint32_t sweep_rest_ms; /* between two rounds of taking pages of places away; 0: as sweep.h */
    enum world_mutant mutant;
};

struct world_stats {
    uint64_t changes, encodes; /* encodes / changes is told as encodes_per_change */
    uint64_t moves, moves_refused, moves_shortened, moves_stale;
    uint64_t crossings, batches, batch_bytes, batches_full, snapshots, says, commands;
    uint64_t enters, enters_refused, takeovers, leaves;
    uint64_t leaves_late; /* times that somebody who was to go waited for the next tick */
    uint64_t resumes;     /* sessions that came from a home that is gone or gave them away */
    uint64_t sent_on;     /* who entered, to another home */
    uint64_t asked_again; /* who would have taken somebody's place, unawares */
    uint64_t given;       /* sessions, by draining */
    uint64_t replaced;    /* sessions that another home has claimed */
    uint64_t messages, malformed;
    uint64_t topics_full, places_refused, says_refused, stale_inputs,
        controls_lost;             /* limits reached, input refused */
    uint64_t lines, lines_heard;   /* of channels of the whole world: said here; of other shards */
    uint64_t lines_lost;           /* that the link to a gate did not take */
    uint64_t notes_untold;         /* that no relay took */
    uint64_t led;                  /* who entered, to the gates of another shard */
    uint64_t results[CODE_COUNT];  /* told for commands */
    uint64_t commands_repeated;    /* that were under way already */
    uint64_t jobs, jobs_failed;    /* of chunks: asked, and not done this time */
    uint64_t shows, shows_refused; /* asked; for which there was no room */
    uint64_t hints;                /* of change, told to clients */
    uint64_t lobbied; /* sessions that ended as their player's document is unreadable */
    uint64_t chunk_reads, chunk_reads_failed;
    uint64_t chunks_unreadable;                   /* documents of chunks that are none */
    uint32_t switches_closed;                     /* a bit per enum deed_class */
    uint64_t claims, claims_lost, claims_failed;  /* of blocks: won; another took it; store away */
    uint64_t claims_full;                         /* no room to claim one */
    uint64_t commands_forwarded, commands_served; /* to stewards elsewhere; of others, by us */
    uint64_t forwards_late, forwards_rejected;    /* and run at home after all */
    uint64_t reads_healing; /* of documents whose change nobody told us, perhaps */
    uint64_t ghosts_stale, ghosts_full, ghosts_repairs; /* old news; no room; told whole again */
    uint64_t looks_elsewhere, looks_served, looks_late; /* asked; answered for others; no answer */
    uint32_t ghosts;                                    /* people of other homes that are known */
    uint32_t stewards_held;                             /* blocks, awake and cached; 0 when alone */
    uint32_t players, lingering, topics, chunks_awake, subscriptions, things;
    /* An input's way from the gate's turn to the logic thread; of another process: more than the
       fastest one of the last seconds took. */
    struct hist queue_wait_us;
    struct hist tick_us; /* from the moment a tick was due to the moment it was done */
};

struct world;

enum err world_alloc(const struct world_options *options, const struct env *env,
                     struct world **out) MUST_USE;
void world_free(struct world **world);

/* A link to a gate or to another home is there; peer is its index until world_peer_down(). */
void world_peer_up(struct world *w, uint32_t peer, const struct node *node);
/* dead: that registration will never be heard of again. */
void world_peer_down(struct world *w, uint32_t peer, bool dead);
/* What a home says of itself with each heart-beat. */
void world_peer_load(struct world *w, uint32_t peer, bool draining, uint32_t players);

/* A node whose link was down already will never be heard of again. */
void world_node_died(struct world *w, uint64_t node_epoch);
/* What another node told the whole world: a line, or that somebody has mail. */
void world_note(struct world *w, const struct note *note);
/* The book changed; a change that is not told is seen within a second. */
void world_book_changed(struct world *w);

/* One message of a peer that is up. Malformed ones are counted and ignored. */
void world_message(struct world *w, uint32_t peer, const uint8_t *bytes, size_t n);
/* A message that will come soon: see mesh_events.ahead. Changes nothing. */
void world_ahead(const struct world *w, uint32_t step, const uint8_t *bytes, size_t n);
/* Hand these to the engine behind env->store. */
struct store_done world_store_done(struct world *w);
/* Does what is due; returns the mono time (us) of the next turn it wants, unless a message comes
 * first. */
int64_t world_turn(struct world *w);
/* Newcomers are sent to other homes while there is one that takes them in; who is here stays. */
void world_close(struct world *w, bool closed);
/* Gives everybody to other homes and takes nobody in any more. world_drained(): nobody is left and
 * all is durable. */
void world_drain(struct world *w);
bool world_drained(const struct world *w);
/* The others have declared our registration dead, this is the new one: all sessions here are over,
 * nothing of them is told or written any more. */
void world_renamed(struct world *w, uint64_t node_epoch);
/* SIGTERM: everybody's session ends with SERVER_STOPS, places are flushed. world_stopped(): all is
 * durable. */
void world_stop(struct world *w, uint32_t retry_after_ms);
bool world_stopped(const struct world *w);

const struct world_stats *world_stats(const struct world *w);
void world_stats_reset_histograms(struct world *w);
struct places_stats world_places_stats(const struct world *w);
/* Whether this process writes that page of places. */
bool world_owns_page(const struct world *world, uint64_t page);
const struct sweep_stats *world_sweep_stats(const struct world *world);
const struct store_stats *world_store_stats(const struct world *w);
/* NULL: the game has nothing of value. */
const struct commands_stats *world_commands_stats(const struct world *w);
uint32_t world_commands_under_way(const struct world *w);

/* Of what a gate has subscribed here; see gate_digest(). */
uint64_t world_digest(const struct world *w, uint32_t gate, bool wakes);

/* What the simulator's checkers and tools look at. */
struct world_player {
    uint64_t player, session_epoch;
    uint32_t island;
    uint8_t look;
    bool lingering, given; /* given: to another home, as this one drains */
    struct motion motion;
};

struct world_ghost {
    uint64_t player, session_epoch, node;
    uint32_t island;
    uint8_t look;
    struct motion motion;
};

/* Likewise, people of other homes who stand near those here. */
bool world_next_ghost(const struct world *w, uint32_t *cursor, struct world_ghost *out);
bool world_next_player(const struct world *w, uint32_t *cursor,
                       struct world_player *out); /* start with 0 */

#endif
