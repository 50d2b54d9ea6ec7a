/* For the fuzzers of whole machines: an input is a list of operations, and this reads their
 * arguments. Numbers come as indices into the edges of their types, or whole; an input that ends is
 * read on as zeroes. Messages are made well-formed, with whatever the schema and the codecs let
 * through: what a hostile peer would send after reading docs/protocol.md.
 */
#ifndef SEOM_FUZZ_EXTREME_H
#define SEOM_FUZZ_EXTREME_H

#include "base/bytes.h"
#include "wire/link.h"
#include <stdint.h>

/* What the operations of fuzz_gate are; make_corpus writes them. Arguments in brackets. */
enum gate_op {
    GATE_OP_TURN,
    GATE_OP_STEP,      /* [how long] */
    GATE_OP_OPEN,      /* [conn] */
    GATE_OP_HELLO,     /* [conn, spectator] */
    GATE_OP_HOME,      /* [conn, player, place]: a sane answer to its hello */
    GATE_OP_CLIENT,    /* [conn, kind, ...]: a message of a client */
    GATE_OP_RAW,       /* [conn, bytes, ...] */
    GATE_OP_LINK,      /* [kind, ...]: a message of a home */
    GATE_OP_LINK_RAW,  /* [bytes, ...] */
    GATE_OP_RECORDS,   /* [topic, snapshot, count, ...] */
    GATE_OP_CROWD,     /* [topic, place, people] */
    GATE_OP_ACK,       /* [what]: of the last subscription */
    GATE_OP_CLOSE,     /* [conn] */
    GATE_OP_SOCKET,    /* [conn, room] */
    GATE_OP_HOME_FULL, /* [full] */
    GATE_OP_STOP,
    GATE_OP_PEER, /* [home, epoch]: who speaks from now on, of which sessions and things */
    GATE_OP_LINE, /* [home, what, ...]: its link comes, breaks, it dies, says how full it is */
    GATE_OP_GO,   /* [conn, whose, home]: ask that one */
    GATE_OPS
};

/* And of fuzz_home. */
enum home_op {
    HOME_OP_TURN,
    HOME_OP_STEP,      /* [how long] */
    HOME_OP_ENTER,     /* [gate, conn, ticket, island]: anew, or with a known ticket */
    HOME_OP_INPUT,     /* [gate, session, kind, ...] */
    HOME_OP_SUBSCRIBE, /* [gate, flags, adds, drops, topics] */
    HOME_OP_LINK,      /* [gate, kind, ...]: of a kind that homes are not sent, too */
    HOME_OP_RAW,       /* [gate, bytes, ...] */
    HOME_OP_GATE_FULL, /* [gate, full] */
    HOME_OP_STORE,     /* [trouble] */
    HOME_OP_STOP,
    HOME_OP_DEED,     /* [session, seq, deed, ...]: a command that could be one */
    HOME_OP_DOCUMENT, /* [class, id, fields, ...]: written behind its back */
    HOME_OP_RESUME,   /* [gate, conn, session, flags, epoch, island, motion] */
    HOME_OP_PEER,     /* [peer, what, ...]: it comes, goes, dies, says how full it is */
    HOME_OP_NODE,     /* [what, epoch]: this home drains, or gets a new name */
    HOME_OPS
};

/* And of fuzz_requests. Bytes come with their count before them. */
enum requests_op {
    REQUESTS_OP_STEP,  /* [x 5 ms] */
    REQUESTS_OP_ASK,   /* [peer, u16 x 100 us] */
    REQUESTS_OP_RAW,   /* [peer, bytes]: a message */
    REQUESTS_OP_KNOWN, /* [peer, kind, which, bytes]: a message with the id of what we asked */
    REQUESTS_OP_WORK,  /* [job, how] */
    REQUESTS_OP_DOWN,  /* [peer] */
    REQUESTS_OP_FULL,  /* [0: the link takes nothing] */
    REQUESTS_OPS
};

/* And of fuzz_mesh; the first byte says whether it is a home (even) or a gate. */
enum mesh_op {
    MESH_OP_STEP,    /* [how long] */
    MESH_OP_ACCEPT,  /* somebody dials in */
    MESH_OP_LINK,    /* [node]: dials in and greets */
    MESH_OP_HELLO,   /* [line, node] */
    MESH_OP_WELCOME, /* [line] */
    MESH_OP_FRAME,   /* [line, kind, ...]: well made */
    MESH_OP_RAW,     /* [line, bytes] */
    MESH_OP_BREAK,   /* [line, refused] */
    MESH_OP_DIALLED, /* [line] */
    MESH_OP_ROOM,    /* [line, bytes]: so much of what is said is taken */
    MESH_OP_SEND,    /* [kind, bytes, peer] */
    MESH_OP_BOOK,    /* [node, removed] */
    MESH_OP_SELF,    /* [renamed] */
    MESH_OPS
};

static inline uint32_t
extreme_below(struct reader *in, uint32_t limit)
{
    return read_u8(in) % limit;
}

static inline uint64_t
extreme_u64(struct reader *in)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     2,
                                     INT16_MAX,
                                     UINT16_MAX,
                                     UINT64_C(1) << 16,
                                     INT32_MAX,
                                     UINT64_C(1) << 31,
                                     UINT32_MAX,
                                     UINT64_C(1) << 32,
                                     (UINT64_C(1) << 53) - 1,
                                     INT64_MAX,
                                     UINT64_C(1) << 63,
                                     UINT64_MAX};
    uint8_t n = read_u8(in);
    if (n < sizeof edges / sizeof edges[0]) {
        return edges[n];
    }
    return n < 128 ? n : n < 192 ? read_u32(in) : read_u64(in);
}

static inline uint32_t
extreme_u32(struct reader *in)
{
    return (uint32_t)extreme_u64(in);
}

static inline int32_t
extreme_mm(struct reader *in)
{
    uint32_t mm = extreme_u32(in);
    return (int32_t)(mm >= 32 && mm < 128 ? mm * TILE_MM : mm); /* often on a small island */
}

static inline struct motion
extreme_motion(struct reader *in, int64_t now_ms)
{
    struct motion m = {.x_mm = extreme_mm(in),
                       .y_mm = extreme_mm(in),
                       .vx = (int16_t)extreme_u32(in),
                       .vy = (int16_t)extreme_u32(in),
                       .lasts_ms = (uint16_t)(extreme_u32(in) % (MOTION_LASTS_MS_MAX + 1))};
    m.since_ms = read_u8(in) % 2 == 0 ? now_ms : (int64_t)extreme_u64(in);
    return m;
}

static inline struct slice
extreme_bytes(struct reader *in, size_t max)
{
    size_t n = extreme_u32(in) % (max + 1), left = reader_left(in);
    return read_bytes(in, n < left ? n : left);
}

/* A block of an island that exists, of one that does not, or none at all. */
static inline topic_id
extreme_topic(struct reader *in)
{
    uint8_t n = read_u8(in);
    if (n < 200) {
        return topic_make(1 + n / 100, n / 10 % 10, n % 10);
    }
    if (n < 210) {
        return TOPIC_DENSITY;
    }
    uint32_t island = extreme_u32(in);
    island = island >= 1 && island <= INT32_MAX ? island : INT32_MAX;
    return topic_make(island, (uint16_t)extreme_u32(in), (uint16_t)extreme_u32(in));
}

#endif
