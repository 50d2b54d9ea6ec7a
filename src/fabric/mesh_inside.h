/* The inside of the mesh, shared by its files and nobody else:
 *
 *   mesh.c        what others call, the turn, the flush
 *   mesh_lines.c  lines: greeting, bytes into frames, frames to whom they concern
 *   mesh_peers.c  peers: whom to dial and when, up and down, beats
 *   mesh_death.c  suspicion, enquiry, verdict
 *   mesh_book.c   the book that gates are told
 *   mesh_count.c  what is counted of each link, and told of it
 *
 * A peer is a node that this process knows and should be linked with; it has at most one line. Its
 * states and their moves:
 *
 *            book, hello            dial              hellos, both fine
 *   FREE ----------------> IDLE -----------> DIALLING ------------------> UP
 *    ^                    ^  ^ |                |                          |
 *    |  gone, dead        |  | +-- accepted, hellos both fine --> UP       |
 *    +--------------------+  |                  | failed                   | broke
 *                            +--- not (yet) ----+--> ASKING <--(redial)----+
 *                                 dead                 |
 *                                                      +--> dead: FREE, or IDLE while in the book
 *
 * Of two nodes one makes the link (mesh_peer_is_ours()): so there are no double lines. After a
 * break both dial at once, as that is the test of death, but the one that does not make the link
 * only probes: it wants to hear a hello and nothing else.
 */
#ifndef SEOM_FABRIC_MESH_INSIDE_H
#define SEOM_FABRIC_MESH_INSIDE_H

#include "base/bucket.h"
#include "base/map.h"
#include "base/pool.h"
#include "fabric/lane.h"
#include "fabric/mesh.h"
#include "fabric/mesh_frames.h"

#define NO_PEER              UINT32_MAX
#define NO_LINE              UINT32_MAX
#define HALF_OPEN_MAX        128 /* accepted lines whose hello has not come */
#define HANDSHAKES_PER_S     200
#define HANDSHAKES_BURST     256
#define ACCEPT_DEADLINE_US   5000000 /* of an accepted line until both hellos were judged */
#define DIAL_DEADLINE_US     500000  /* from dialling to the other's hello */
#define CLOSE_DEADLINE_US    500000  /* for last words */
#define BACKOFF_MIN_US       100000
#define BACKOFF_MAX_US       5000000
#define STEADY_US            10000000 /* a link that stood so long breaks for the first time */
#define ENQUIRY_US           500000   /* for all answers */
#define SEEN_US              300000   /* until we answer whether we see somebody */
#define ENQUIRY_PAUSE_US     1000000
#define GATE_REMEMBERED_US   10000000 /* a gate whose link broke: it may be cut off */
#define DEAD_DIAL_US         3000000  /* between dials to a dead node that is still in the book */
#define DISPUTE_US           5000000  /* of being refused as dead, before it is disputed */
#define TOMBSTONES_MAX       1024
#define SILENCE_US           (MESH_BEATS_MISSED * MESH_BEAT_US + 200000)
#define OFFSET_ALARM_MS      100
#define BOOK_PAUSE_US        250000
#define BOOK_HEAL_US         5000000 /* a gate that buried a living node dials it again then */
#define GATHER_MAX           64      /* pieces of one send */
#define MUTANT_CONTROL_BYTES 512     /* what the mutant keeps */

struct mesh_set {
    uint64_t bits[PEERS_MAX / 64];
};

static inline void
mesh_set_put(struct mesh_set *set, uint32_t peer, bool in)
{
    uint64_t bit = UINT64_C(1) << (peer & 63);
    if (in) {
        set->bits[peer >> 6] |= bit;
    } else {
        set->bits[peer >> 6] &= ~bit;
    }
}

static inline bool
mesh_set_has(const struct mesh_set *set, uint32_t peer)
{
    return (set->bits[peer >> 6] >> (peer & 63) & 1) != 0;
}

static inline bool
mesh_set_is_empty(const struct mesh_set *set)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < PEERS_MAX / 64; i++) {
        any |= set->bits[i];
    }
    return any == 0;
}

/* DIALLING: connecting. GREETING: hellos are under way. CLOSING: last words go out; of the other
 * only a refusal is heard any more. */
enum line_state { LINE_NONE, LINE_DIALLING, LINE_GREETING, LINE_UP, LINE_CLOSING, LINE_STATES };

struct mesh_line {
    enum line_state state;
    bool accepted;
    bool probe;            /* of ours */
    bool seed;             /* dialled by a gate without knowing who lives there */
    bool judged, welcomed; /* their hello by us, ours by them */
    bool waits_writable;
    int64_t backlog_since_us; /* since when not all was taken; 0: all is */
    uint32_t peer;            /* NO_PEER until it is known */
    uint64_t epoch;           /* theirs, once their hello came; 0 before. The node is in hellos[] */
    int64_t deadline_us;
    int64_t offset_ms;    /* world time of their hello minus ours when it came */
    uint32_t rx, rx_used; /* a frame that is not whole yet, in the pool of buffers */
    struct lane lane;
};

enum peer_state { PEER_FREE, PEER_IDLE, PEER_DIALLING, PEER_ASKING, PEER_UP, PEER_STATES };

struct mesh_peer {
    enum peer_state state;
    struct node node;
    uint32_t line;
    uint32_t count; /* its place in mesh.counts */
    bool in_book, dead;
    bool was_up;                      /* under this epoch, ever */
    bool is_cut;                      /* did not drain control; closed with the next turn */
    int64_t dial_at_us, forget_at_us; /* not before then */
    uint32_t failures;                /* dials in a row */
    uint32_t breaks;                  /* links that broke soon, in a row */
    uint32_t refusals;                /* of ours by it, since it was up */
    int64_t buried_us_since;          /* it says that we are dead; 0: it does not */

    /* Beats. */
    int64_t up_at_us, heard_us, beat_at_us;
    uint32_t load;
    int64_t unanswered_us;           /* when the oldest one without an answer was sent; 0: none */
    int64_t offset_ms, best_trip_us; /* best: of the last beats, ageing */
    bool is_apart;

    /* Somebody else's word: that it is dead (who said so), or the question whether it is. */
    uint64_t reporter;        /* epoch */
    int64_t accused_until_us; /* 0: is not accused; up, it must be heard of until then */
    struct mesh_set askers;
    int64_t seen_at_us; /* when they get their answer at the latest */

    /* Our own enquiry. */
    bool refused;                       /* nobody listens there: that is more than silence */
    struct mesh_set awaited, witnesses; /* asked; those who do not see it either */
    int64_t enquiry_until_us, enquiry_again_us;
};

/* BROKE: in between, which says nothing. SILENT: no hello in time. REFUSED: nobody, or somebody
 * else, lives there. */
enum dial_end { DIAL_BROKE, DIAL_SILENT, DIAL_REFUSED };

struct mesh_seed {
    uint32_t line;
    uint32_t failures;
    int64_t dial_at_us;
};

/* At a gate: which homes list that node. */
struct mesh_listing {
    uint64_t epoch;
    struct mesh_set by;
};

#define SEEDS_MAX 16

/* What is counted of the links with one identity. */
struct mesh_count {
    bool used;
    enum node_role role;
    uint16_t shard, index;
    int64_t round_trip_us;
    uint64_t bytes_out, bytes_in, ups, breaks, beats_missed;
    uint64_t refused[MESH_LANES];
};

struct mesh {
    struct env env; /* copied */
    struct env_transport transport;
    struct mesh_options options;
    struct node self;
    struct mesh_stats stats;
    struct mesh_peer peers[PEERS_MAX];
    uint64_t epochs[PEERS_MAX]; /* of the peers, 0 = free: they are looked for often */
    struct mesh_count counts[PEERS_MAX];
    struct mesh_line lines[LINES_MAX];
    struct node hellos[LINES_MAX];
    struct mesh_seed seeds[SEEDS_MAX];
    struct pool buffers; /* of MESH_FRAME_MAX bytes */
    struct lane_blocks blocks;
    struct bucket handshakes;
    uint32_t half_open;
    struct mesh_set unsent; /* peers whose lane may have something to send */
    uint32_t load;
    int64_t next_us;    /* when the turn has something to do */
    int64_t planned_us; /* when the last turn said that it wants to be called again */

    struct map tombstones; /* epoch -> place in graves */
    uint64_t graves[TOMBSTONES_MAX];
    uint32_t buried;
    bool is_dead;     /* the others say so: quiet until mesh_self() brings a new epoch */
    bool dead_untold; /* dead_self() is to be called */
    bool self_changed, is_leaving;

    /* The book: of the directory, or of a gate, gathered from homes. */
    uint64_t book_revision; /* of what was last worked in */
    bool book_stale;        /* gates must be told */
    int64_t book_told_us;
    struct book *own_book; /* owned; gates */
    struct mesh_listing listings[BOOK_NODES_MAX];
    uint32_t listings_count;
    uint8_t scratch[MESH_BODY_MAX];
};

/* mesh.c */
void mesh_due(struct mesh *mesh, int64_t at_us); /* the turn must look again then */
/* Queues a frame of the mesh itself on a line. */
void mesh_say(struct mesh *mesh, uint32_t line, enum mesh_frame kind, const void *body, size_t n);
void mesh_say_all(struct mesh *mesh, enum mesh_frame kind, const void *body, size_t n,
                  uint32_t except_peer);
void mesh_line_flush(struct mesh *mesh, uint32_t line);

/* mesh_lines.c */
void mesh_line_close(struct mesh *mesh, uint32_t line); /* tells nobody */
/* The rest goes out, and the other side closes; at the latest after CLOSE_DEADLINE_US we do. */
void mesh_line_end(struct mesh *mesh, uint32_t line);
enum err mesh_line_dial(struct mesh *mesh, const char *address, bool probe, uint32_t *line);
void mesh_lines_turn(struct mesh *mesh, int64_t now_us);

/* mesh_peers.c */
int64_t mesh_backoff_us(struct mesh *mesh, uint32_t failures);
bool mesh_peer_is_ours(const struct mesh *mesh, const struct node *node);
void mesh_peer_move(struct mesh_peer *peer, enum peer_state to);
uint32_t mesh_peer_find(const struct mesh *mesh, uint64_t epoch);   /* NO_PEER */
uint32_t mesh_peer_add(struct mesh *mesh, const struct node *node); /* NO_PEER: full */
void mesh_peer_free(struct mesh *mesh, uint32_t p);
void mesh_peer_up(struct mesh *mesh, uint32_t p, uint32_t line);
/* Its line is closed. soon: dial at once, as that is the test of death. */
void mesh_peer_broke(struct mesh *mesh, uint32_t p, bool soon);
void mesh_peer_left(struct mesh *mesh, uint32_t p); /* it said good-bye */
void mesh_dial_failed(struct mesh *mesh, uint32_t p, enum dial_end end);
void mesh_dial_answered(struct mesh *mesh, uint32_t p); /* it lives, but no link came of it */
void mesh_peer_heard(struct mesh *mesh, uint32_t p);
void mesh_ping(struct mesh *mesh, uint32_t p);
void mesh_beat(struct mesh *mesh, uint32_t p, const struct mesh_beat *beat, bool answer);
void mesh_peers_book(struct mesh *mesh); /* takes over what changed in the book */
void mesh_peers_turn(struct mesh *mesh, int64_t now_us);

/* mesh_death.c */
void mesh_suspect(struct mesh *mesh, uint32_t p);
void mesh_acquit(struct mesh *mesh, uint32_t p);
void mesh_asked(struct mesh *mesh, uint32_t asker, uint64_t epoch);
void mesh_seen(struct mesh *mesh, uint32_t from, const struct mesh_seen *seen);
void mesh_obituary(struct mesh *mesh, uint32_t from, uint64_t epoch);
void mesh_answer_askers(struct mesh *mesh, uint32_t p, bool alive);
void mesh_forget_witness(struct mesh *mesh, uint32_t p); /* whose link is gone */
void mesh_bury(struct mesh *mesh, uint64_t epoch);
void mesh_declare_dead(struct mesh *mesh, uint32_t p, const char *why);
/* true: it is wrong, and shall be told so. */
bool mesh_refused_as_dead(struct mesh *mesh, const struct node *refuser);
void mesh_disputed(struct mesh *mesh, const struct node *node);
void mesh_death_turn(struct mesh *mesh, int64_t now_us);

/* mesh_count.c */
uint32_t mesh_count_of(struct mesh *mesh, const struct node *node); /* its place, maybe a new one */

static inline struct mesh_count *
mesh_count_at(struct mesh *mesh, uint32_t p)
{
    return &mesh->counts[mesh->peers[p].count];
}

/* mesh_book.c */
void mesh_book_tell(struct mesh *mesh, uint32_t p); /* to one gate */
void mesh_book_turn(struct mesh *mesh, int64_t now_us);
enum err mesh_book_heard(struct mesh *mesh, uint32_t from, struct slice body) MUST_USE;
void mesh_book_strike(struct mesh *mesh, uint64_t epoch); /* gates: that node is dead */

static inline int64_t
mesh_now(const struct mesh *mesh)
{
    return mesh->env.clock.mono_us(mesh->env.clock.ctx);
}

#endif
