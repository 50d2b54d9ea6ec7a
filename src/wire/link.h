/* Messages between a gate and a home: serialised from the first day, over a ring inside one
 * process, over a link in a cluster. Each is: kind u8, then its fields in the order below,
 * little-endian. docs/links.md draws them.
 *
 * A session is named by the gate's handle of its connection (u64, never 0) until HOME answers,
 * afterwards by {player, session_epoch}. A gate learns its avatar's place from SELF only; events of
 * a lower epoch are ignored. Nodes are named by their node_epoch.
 *
 * Homes are publishers for each other's gates alike: a topic has as many publishers as homes, each
 * of which tells of its own people, and one of them, the steward, of the things. A gate keeps who
 * told it of an entity; the highest session_epoch (RECORD_OWNED), of things the highest
 * steward_epoch, wins over what others say.
 */
#ifndef SEOM_WIRE_LINK_H
#define SEOM_WIRE_LINK_H

#include "base/bytes.h"
#include "base/err.h"
#include "wire/batch.h"
#include "wire/limits.h"
#include "wire/motion.h"
#include "wire/ticket.h"
#include <stdint.h>

/* What this software speaks on links; a node's entry in the directory and its hello carry it, and
 * everybody writes the lowest maximum in the book. 2: logins say whose place they take. */
#define LINK_PROTOCOL_MIN  1
#define LINK_PROTOCOL_MAX  2
#define LINK_PROTOCOL_OVER 2

enum link_kind {
    LINK_ENTER = 1,      /* gate -> home: somebody wants to play */
    LINK_GO = 2,         /* home -> gate: ask that node instead */
    LINK_HOME = 3,       /* home -> gate: yours; or refused */
    LINK_INPUT = 4,      /* gate -> home: move, request, command, gone */
    LINK_SELF = 5,       /* home -> gate: own motion, answers, end of session */
    LINK_SUBSCRIBE = 6,  /* gate -> publisher: subscriptions as state */
    LINK_SUBSCRIBED = 7, /* publisher -> gate: version acknowledged */
    LINK_BATCH = 8,      /* publisher -> gate: records of one topic; a snapshot replaces all */
    LINK_DENSITY = 9,    /* home -> gate: people per cell of one island */
    LINK_SAID = 10,      /* home -> gate: a line of a channel of the whole world, for everybody */
};

/* One topic: a block of 4 x 4 chunks of an island. Packed: island 32 bit | bx 16 | by 16; never 0
 * as islands start at 1. */
typedef uint64_t topic_id;
/* Not a block: the density of all islands, people per cell, once a second as LINK_DENSITY. */
#define TOPIC_DENSITY UINT64_MAX
topic_id topic_make(uint32_t island, uint16_t bx, uint16_t by);
uint32_t topic_island(topic_id t);
uint16_t topic_bx(topic_id t);
uint16_t topic_by(topic_id t);

enum enter_flag {
    ENTER_RESUME = 1,  /* a session that this gate has, whose home is gone or sent it here: island,
                          look and motion are what the gate was last told */
    ENTER_DECIDED = 2, /* somebody chose this home: claim, do not send it on */
};

/* An ENTER that waited for longer is not answered by a claim: whoever sent it asks others by now.
 */
#define ENTER_VALID_MS 5000

struct link_enter {
    uint64_t conn;          /* the gate's handle */
    int64_t sent_ms;        /* world time */
    uint8_t flags;          /* enum enter_flag */
    uint32_t island;        /* wish, 0 = none; resume: where it stands */
    uint64_t session_epoch; /* resume: the highest the gate knows */
    uint64_t over;          /* a login: whose place it takes, as GO said; 0: nobody's. Travels in
                               the place of session_epoch */
    uint8_t look;           /* resume */
    struct motion motion;   /* resume */
    uint8_t ticket_bytes;   /* 0 = a new guest */
    uint8_t ticket[64];
};

/* Somebody who enters (conn), or a session that its home gives away (player, the home drains): the
 * gate sends ENTER to that node, with ENTER_DECIDED, for a session with ENTER_RESUME. Until that
 * node's HOME the gate keeps what its client says. Who enters and would take somebody's place hears
 * of it here, also from the very node that it is to ask: only who is still there asks again. */
struct link_go {
    uint64_t conn; /* 0: the session of player */
    uint64_t player, session_epoch;
    uint64_t over; /* conn: whose place it would take, for ENTER. In the place of session_epoch */
    uint64_t node; /* node_epoch */
};

/* Who is refused because the island belongs to another shard is told where its gates are. */
struct link_home {
    uint64_t conn;
    uint8_t code; /* FINE, or why not (SEOM__CODE__...) */
    uint32_t retry_after_ms;
    uint64_t player, entity, session_epoch, last_seq;
    uint32_t island;
    uint8_t look;
    struct motion motion;
    uint8_t ticket[TICKET_BYTES];
    struct slice gates; /* addresses, a line each; empty: this shard is the right one */
};

enum input_kind {
    INPUT_MOVE = 1,
    INPUT_SAY = 2,
    INPUT_LOOK = 3,
    INPUT_COMMAND = 4,
    INPUT_GONE = 5,
    INPUT_LEFT = 6,
    INPUT_SHOW = 7
};

struct link_input {
    uint64_t player, session_epoch;
    int64_t sent_us; /* mono of the gate: tells the wait for the logic thread */
    enum input_kind kind;
    uint32_t number;      /* move_no, request number */
    uint64_t seq;         /* command */
    uint8_t look;         /* move; show: what; say: the channel */
    struct motion motion; /* move */
    uint64_t entity;      /* look; show: id */
    struct slice bytes;   /* say: text; command: body; points into the message */
};

enum self_kind {
    SELF_MOTION = 1,
    SELF_ANSWER = 2,
    SELF_RESULT = 3,
    SELF_END = 4,
    SELF_SHOWN = 5,
    SELF_CHANGED = 6,
    SELF_LOBBY = 7
};

struct link_self {
    uint64_t player, session_epoch;
    enum self_kind kind;
    uint8_t flags;   /* enum self_flag; 0: the gate alone needs to know */
    uint8_t look;    /* shown, changed: what */
    uint32_t number; /* move_no or request number; end, lobby: retry_after_ms */
    uint32_t island; /* motion */
    struct motion motion;
    uint8_t code;       /* answer, result, end, shown, lobby */
    uint64_t seq;       /* result */
    uint64_t entity;    /* answer to look */
    struct slice bytes; /* answer: name; result: body; shown: the view */
};

/* {epoch, version, set} as deltas or whole. count topics follow, each u64; the top bit is not used,
 * remove follows add. */
struct link_subscribe {
    uint32_t epoch, version;
    uint8_t whole; /* 1: forget what stood before; add is the set */
    uint8_t wakes; /* 1: for avatars, wakes what sleeps; 0: a spectator, sees what is awake */
    uint16_t add_count, remove_count;
    struct slice topics; /* (add + remove) x u64 */
};

struct link_subscribed {
    uint32_t epoch, version;
    uint8_t wakes;   /* which of the two sets */
    uint64_t digest; /* XOR of rand_mix(topic, 1) over the publisher's set for this gate */
};

struct link_batch {
    topic_id topic;
    uint64_t publisher_epoch; /* node_epoch; a lower one is old news */
    int64_t tick_ms;          /* world time of publishing */
    uint8_t snapshot; /* 1: replaces all that this publisher told of the topic; no records: it has
                         nothing there */
    uint64_t steward_epoch; /* 0: the publisher is not the steward, and tells nothing of things */
    uint8_t awake_chunks_lo, awake_chunks_hi; /* of a steward: bit per chunk of the block, awake */
    struct slice records;                     /* batch.h */
};

struct link_density {
    uint32_t island;
    struct slice record; /* one whole DENSITY record, ready for a client */
};

/* May come by two ways: each id is told once. */
struct link_said {
    uint64_t id, player;
    uint8_t channel; /* never 0, which is whoever is near */
    uint8_t name_bytes;
    uint8_t name[NAME_BYTES_MAX];
    struct slice text; /* one line */
};

struct link_message {
    enum link_kind kind;

    union {
        struct link_enter enter;
        struct link_go go;
        struct link_home home;
        struct link_input input;
        struct link_self self;
        struct link_subscribe subscribe;
        struct link_subscribed subscribed;
        struct link_batch batch;
        struct link_density density;
        struct link_said said;
    } as;
};

#define LINK_HEAD_MAX 160 /* fixed part of any message */

/* Writes the fixed part; variable slices (bytes, topics, records) follow it as pieces of their own,
 * so that nothing is copied twice: the message on the wire is head || slice. Returns the head's
 * length. */
size_t link_head(const struct link_message *m, uint8_t out[LINK_HEAD_MAX]);
struct slice link_tail(const struct link_message *m); /* the variable part, may be empty */

/* Whom a message is about, read from its fixed places without looking at anything else; for those
 * who want to have it at hand when the message's turn comes. Nothing of it is checked. */
struct link_subject {
    enum link_kind kind; /* INPUT and SELF: key is the player. BATCH: the topic; others: 0 */
    uint64_t key;
    uint64_t entity; /* of the first record of a BATCH; 0: it has none, or not of one entity */
};
struct link_subject link_subject(const uint8_t *bytes, size_t n);
/* Slices point into the bytes. Malformed input from a peer is an ordinary error. */
enum err link_read(const uint8_t *bytes, size_t n, struct link_message *out) MUST_USE;

#endif
