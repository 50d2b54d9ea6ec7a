/* For tests and fuzzers: one mesh between strangers. Lines are played by hand: who dials in, what
 * he says, how much of an answer he takes. What the mesh says is read strictly and counted.
 */
#ifndef SEOM_FABRIC_MESH_ALONE_H
#define SEOM_FABRIC_MESH_ALONE_H

#include "fabric/mesh.h"
#include "fabric/mesh_frames.h"

#define ALONE_LINES LINES_MAX

struct alone_line {
    bool open, dialled, told; /* dialled: by the mesh; told: its dial was answered */
    bool wants_writable;
    size_t room;    /* of the next sends; SIZE_MAX: all */
    uint8_t *frame; /* owned; what came of a frame */
    uint32_t frame_used;
    uint32_t said[16]; /* frames by kind */
    uint8_t refusal;   /* the last */
    char address[LINE_ADDRESS_MAX];
};

struct alone {
    struct env env;
    int64_t now_us;
    uint64_t drawn;
    struct mesh *mesh;
    struct book book;
    struct node self;
    struct alone_line lines[ALONE_LINES];
    bool up[PEERS_MAX];
    uint32_t ups, downs, died, dead_selfs, messages, dials, closes;
    uint32_t announced[MESH_AHEAD_STEPS]; /* messages */
    bool renames;                         /* takes a new epoch when told that it is dead */
};

void alone_open(struct alone *alone, enum node_role role);
void alone_close(struct alone *alone);
/* Another home or gate of the same shard. */
struct node alone_node(enum node_role role, uint16_t index, uint64_t epoch);
void alone_list(struct alone *alone, const struct node *node); /* in the book */

/* Somebody dials in; LINES_MAX: there is no line left. */
uint32_t alone_accept(struct alone *alone);
void alone_dialled(struct alone *alone, uint32_t line);
void alone_break(struct alone *alone, uint32_t line, bool refused);
void alone_bytes(struct alone *alone, uint32_t line, const uint8_t *bytes, size_t n);
void alone_frame(struct alone *alone, uint32_t line, uint8_t kind, const void *body, size_t n);
void alone_hello(struct alone *alone, uint32_t line, const struct node *node);
/* Dials in and greets to the end. */
uint32_t alone_link(struct alone *alone, const struct node *node);
void alone_writable(struct alone *alone, uint32_t line, size_t room);
void alone_run(struct alone *alone, int64_t us);

#endif
