/* The mesh: links to all nodes of the own shard (homes to each other, to gates and to relays; gates
 * not to gates) and from relay to relay of all shards (mesh_nodes_link() is the rule), over the
 * lines of env/transport.h. It dials whoever stands in the book, shakes hands, keeps the
 * heart-beats, carries messages in lanes, and decides who is dead.
 *
 *   message (wire/link.h) -> lane -> frames, batched per turn -> line -> frames -> message
 *
 * Lanes: control is never dropped; a peer that does not drain it is cut. Data is bounded: a message
 * that finds no room is refused with ERR_FULL, and whoever sends state says it again later.
 * mesh_lane() tells which kind goes where.
 *
 * Death: a line that broke and one dial that failed, or three missed heart-beats of 1 s seen by two
 * nodes (mesh_death.c has the rules). A node_epoch that was declared dead here is not spoken to
 * again; the process behind it is told so when it comes back (events.dead_self) and registers anew.
 * One exception: if more nodes are linked with it than refuse it, the refusers were wrong, and it
 * comes up again like any other.
 *
 * A gate has no directory: it is given addresses of homes and hears the book from them.
 *
 * Logic room, one thread, owned by a node. Limits: PEERS_MAX peers, MESH_DATA_BYTES of unsent data
 * and MESH_CONTROL_BYTES of unsent control for each.
 */
#ifndef SEOM_FABRIC_MESH_H
#define SEOM_FABRIC_MESH_H

#include "base/hist.h"
#include "env/env.h"
#include "env/transport.h"
#include "fabric/book.h"

#define PEERS_MAX          128
#define MESH_DATA_BYTES    (4U << 20)
#define MESH_CONTROL_BYTES (4U << 20)
#define MESH_MESSAGE_MAX   (64U << 10) /* one message, head and tail */
#define MESH_AHEAD_STEPS   4
#define MESH_BEAT_US       1000000
#define MESH_BEATS_MISSED  3

struct mesh;

/* peer is an index below PEERS_MAX; it stays the same node until down(). */
struct mesh_events {
    void *ctx;
    void (*up)(void *ctx, uint32_t peer, const struct node *node);
    /* What was on its way may be lost. dead: for good; otherwise up() may come again, maybe under
     * another index. */
    void (*down)(void *ctx, uint32_t peer, const struct node *node, bool dead);
    /* A node was declared dead whose link was down already. */
    void (*died)(void *ctx, const struct node *node);
    /* One message of wire/link.h or of fabric/requests.h; the bytes are gone when it returns. */
    void (*message)(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n);
    /* The others have declared this process dead: its epoch is worth nothing any more. */
    void (*dead_self)(void *ctx);
    void (*book_changed)(void *ctx); /* at gates */
    /* The messages that came together, before the first of them is given to message(): all of them
     * at step 0, then all of them at step 1, and so on below MESH_AHEAD_STEPS; so what one step
     * asks the memory for is there at the next. A hint: to be used for prefetching only, as
     * message() may never follow. May be NULL. */
    void (*ahead)(void *ctx, uint32_t step, const uint8_t *bytes, size_t n);
};

/* Ways to be wrong on purpose; the simulator must catch each of them. */
enum mesh_mutant {
    MESH_MUTANT_NONE,
    MESH_MUTANT_DROP_CONTROL, /* beyond a small mark control is dropped without a word */
};

struct mesh_options {
    struct node self;         /* as it stands in the directory; a gate: epoch drawn at random */
    uint16_t world;           /* its number: nodes of another are refused */
    uint64_t schema;          /* hash of the schema, for the log of the others */
    const struct book *book;  /* borrowed, of the directory; NULL at a gate: use mesh_book() */
    const char *const *seeds; /* gates: addresses of homes to begin with; borrowed */
    uint32_t seeds_count;
    struct mesh_events events;
    uint32_t data_bytes, control_bytes; /* 0: MESH_DATA_BYTES, MESH_CONTROL_BYTES */
    enum mesh_mutant mutant;
};

struct mesh_stats {
    uint64_t handshakes, refused_hellos, downs, deaths, redials;
    uint64_t messages_out, messages_in, bytes_out, bytes_in, sends; /* sends: system calls */
    uint64_t full;                                                  /* data messages refused */
    uint64_t cut;              /* peers cut as control did not drain */
    uint64_t malformed;        /* frames that were none: that link is closed */
    uint64_t dropped_hellos;   /* lines that came too fast or too many */
    uint64_t suspicions;       /* enquiries whether somebody lives */
    uint64_t disputed;         /* deaths that others told or asked of, and that were none */
    uint64_t clocks_apart;     /* times that a peer's world time was found > 100 ms off */
    uint32_t peers;            /* up, now */
    struct hist round_trip_us; /* of heart-beats */
};

enum err mesh_alloc(const struct mesh_options *options, const struct env *env,
                    const struct env_transport *transport, struct mesh **out) MUST_USE;
/* Says nothing to anybody: a process that ends leaves its lines to the transport, one that dies to
 * the kernel. */
void mesh_free(struct mesh **mesh);
struct transport_events mesh_transport_events(struct mesh *mesh);

/* Whether two nodes are to have a link: in a shard homes with homes, gates and relays; between
 * shards relays with relays, those of one shard too. */
bool mesh_nodes_link(const struct node *a, const struct node *b);

enum mesh_lane { MESH_LANE_CONTROL, MESH_LANE_REQUEST, MESH_LANE_DATA, MESH_LANES };

/* Of a message by its first piece. Control is taken until the peer is cut; what belongs to requests
 * is as safe once taken, but is refused at the door (ERR_FULL) from half of that on, as one can ask
 * another node. */
enum mesh_lane mesh_lane(struct slice head);
/* The port through which world, gate and requests send. ERR_TOO_LARGE: above MESH_MESSAGE_MAX. */
struct env_links mesh_links(struct mesh *mesh);
/* Do what is due: beats, dials, deadlines. Returns the next mono time (us). */
int64_t mesh_turn(struct mesh *mesh);
/* What this turn queued goes out: once per turn of the loop, after everybody's work. */
void mesh_flush(struct mesh *mesh);
/* The directory's book changed, or our own entry (draining, a new epoch after dead_self): takes
 * effect with the next turn. */
void mesh_book_changed(struct mesh *mesh);
void mesh_self(struct mesh *mesh, const struct node *self);
/* Those whom somebody lists; ask mesh_is_dead(), too. */
const struct book *mesh_book(const struct mesh *mesh);
/* What others are told of us with each heart-beat; what a peer told last. */
void mesh_tell_load(struct mesh *mesh, uint32_t players);
uint32_t mesh_peer_load(const struct mesh *mesh, uint32_t peer);
/* World time of the peer minus ours: as its hello told, which is late by its way here; soon as its
 * beats tell. */
int64_t mesh_peer_offset_ms(const struct mesh *mesh, uint32_t peer);
/* NULL: no such peer is up. */
const struct node *mesh_peer(const struct mesh *mesh, uint32_t peer);
uint32_t mesh_peer_of(const struct mesh *mesh, uint64_t epoch); /* PEERS_MAX: none */
bool mesh_is_dead(const struct mesh *mesh, uint64_t epoch);
/* Says good-bye to all behind what is queued, so that nobody takes it for a death. The loop goes on
 * until the others have heard it, at most half a second. */
void mesh_leave(struct mesh *mesh);
bool mesh_has_left(const struct mesh *mesh);
const struct mesh_stats *mesh_stats(const struct mesh *mesh);

/* DOWN: not now, maybe soon; at a gate's home: until the gate dials. ASKING: whether the other is
 * dead. DEAD: declared so, and still in the book. */
enum mesh_link_state {
    MESH_LINK_DOWN,
    MESH_LINK_DIALLING,
    MESH_LINK_ASKING,
    MESH_LINK_DEAD,
    MESH_LINK_UP,
    MESH_LINK_STATES
};

/* The link with one node. What is counted belongs to its name, whatever its epoch is, and grows as
 * long as this process lives, unless PEERS_MAX others came in between. */
struct mesh_link {
    char name[NODE_NAME_MAX];
    enum mesh_link_state state;
    int64_t round_trip_us;        /* of the last heart-beat that was answered; 0: none yet */
    int64_t backlog_us;           /* for so long the line has not taken all there was; 0: it does */
    size_t control_bytes;         /* that wait to be sent; requests are among them */
    size_t data_bytes;            /* likewise */
    uint64_t bytes_out, bytes_in; /* while it was up */
    uint64_t ups, breaks;
    uint64_t beats_missed;        /* heart-beats that had no answer when the next was due */
    uint64_t refused[MESH_LANES]; /* messages without room; control: the link was cut for it */
};

const char *mesh_link_state_name(enum mesh_link_state state); /* "up" */
/* Every link that there is or should be, once; *cursor begins with 0. */
bool mesh_next_link(const struct mesh *mesh, uint32_t *cursor, struct mesh_link *out);

#endif
