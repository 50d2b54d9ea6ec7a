/* The frames that meshes speak among themselves, around the messages they carry. On the wire a
 * frame is {u32 bytes, u8 kind, body} (fabric/lane.h); docs/links.md draws the conversation.
 *
 * Reading copies; malformed input is an ordinary error. What stands behind the known fields of a
 * HELLO or a BEAT is passed over, so that a later version may say more.
 */
#ifndef SEOM_FABRIC_MESH_FRAMES_H
#define SEOM_FABRIC_MESH_FRAMES_H

#include "base/bytes.h"
#include "base/err.h"
#include "fabric/book.h"
#include "fabric/lane.h"

#define MESH_MAGIC          0x6d6f6573U /* "seom" */
#define MESH_BODY_MAX       (64U << 10)
#define MESH_FRAME_MAX      (LANE_HEAD_BYTES + MESH_BODY_MAX)
#define MESH_HELLO_MAX      320 /* body */
#define MESH_NODE_BYTES_MAX 200

enum mesh_frame {
    MESH_FRAME_HELLO = 1,    /* both, first: who I am */
    MESH_FRAME_WELCOME = 2,  /* the other's hello is fine; messages may follow */
    MESH_FRAME_REFUSE = 3,   /* it is not, and why; the line closes */
    MESH_FRAME_BEAT = 4,     /* once a second, and to ask whether somebody lives */
    MESH_FRAME_ANSWER = 5,   /* to a beat, at once */
    MESH_FRAME_BOOK = 6,     /* to gates: the whole book */
    MESH_FRAME_ASK = 7,      /* do you see that node? */
    MESH_FRAME_SEEN = 8,     /* yes, no, or not met */
    MESH_FRAME_DEAD = 9,     /* I have declared that node dead */
    MESH_FRAME_BYE = 10,     /* I leave; no death */
    MESH_FRAME_DISPUTE = 13, /* to a refusal: others are linked with me, I am not dead */
    MESH_FRAME_CONTROL = 11,
    MESH_FRAME_DATA = 12 | LANE_DATA_BIT,
};

/* X(name, text for the log) */
#define MESH_REFUSAL_TABLE(X)                                                     \
    X(REFUSE_NONE, "nothing against it")                                          \
    X(REFUSE_PROTOCOL, "no protocol version in common")                           \
    X(REFUSE_WORLD, "it belongs to another world")                                \
    X(REFUSE_SHARD, "it belongs to another shard")                                \
    X(REFUSE_ROLE, "nodes of these roles have no link with each other")           \
    X(REFUSE_IDENTITY, "it uses the identity of the node that it spoke to")       \
    X(REFUSE_DEAD, "it was declared dead; it may come back as a new node")        \
    X(REFUSE_REPLACED, "another process has registered under its identity since") \
    X(REFUSE_BUSY, "too many handshakes at once")                                 \
    X(REFUSE_FULL, "no room for another peer")                                    \
    X(REFUSE_MALFORMED, "what it said is no hello")

#define MESH_REFUSAL_ENUM(name, text) name,

enum mesh_refusal { MESH_REFUSAL_TABLE(MESH_REFUSAL_ENUM) MESH_REFUSALS };

#undef MESH_REFUSAL_ENUM

const char *mesh_refusal_text(uint8_t refusal); /* any number; never NULL */

struct mesh_hello {
    uint16_t world;
    bool probe; /* asks whether somebody lives; no link shall come of it */
    uint64_t schema;
    int64_t world_ms;
    struct node node;
};

struct mesh_beat {
    int64_t sent_us;  /* mono of whoever sent the beat; an answer brings it back */
    int64_t world_ms; /* of whoever sends this frame */
    uint32_t load;
    bool draining;
};

/* NO: it was linked with us or nobody listens there, and it does not answer. NOT_MET: who asks
 * learns nothing from us. */
enum mesh_sight { SIGHT_NO, SIGHT_YES, SIGHT_NOT_MET, SIGHTS };

struct mesh_seen {
    uint64_t epoch;
    enum mesh_sight sight;
};

/* Each writes a body and returns its length; out has room for the largest. */
size_t mesh_hello_write(const struct mesh_hello *hello, uint8_t out[MESH_HELLO_MAX]);
enum err mesh_hello_read(struct slice body, struct mesh_hello *hello) MUST_USE;
size_t mesh_beat_write(const struct mesh_beat *beat, uint8_t out[MESH_HELLO_MAX]);
enum err mesh_beat_read(struct slice body, struct mesh_beat *beat) MUST_USE;
size_t mesh_seen_write(const struct mesh_seen *seen, uint8_t out[MESH_HELLO_MAX]);
enum err mesh_seen_read(struct slice body, struct mesh_seen *seen) MUST_USE;
size_t mesh_epoch_write(uint64_t epoch, uint8_t out[MESH_HELLO_MAX]);
enum err mesh_epoch_read(struct slice body, uint64_t *epoch) MUST_USE;

/* A book: u16 count, then nodes. Texts may go to a log: what is not printable ASCII reads as '?'.
 */
void mesh_node_write(struct writer *w, const struct node *node);
enum err mesh_node_read(struct reader *r, struct node *node) MUST_USE;

#endif
