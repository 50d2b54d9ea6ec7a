/* A node for benches: what every process of a cluster has around its role (loop, lines, mesh,
 * clock), without directory, log or signals. Two of them may run on two threads, or take turns on
 * one. Owned by its thread.
 */
#ifndef SEOM_APP_BENCH_NODE_H
#define SEOM_APP_BENCH_NODE_H

#include "base/rand.h"
#include "fabric/mesh.h"
#include "os/lines.h"
#include "os/loop.h"

struct bench_node {
    struct rand rand;
    struct env env;
    struct node self;
    struct loop *loop;
    struct lines *lines;
    struct mesh *mesh;
    uint32_t peer; /* the other one's index; PEERS_MAX: not up */
};

/* Listens; listen as in lines_options, gates do not (NULL). The epoch is the index + 1. */
enum err bench_node_open(struct bench_node *n, enum node_role role, uint16_t index,
                         const char *listen) MUST_USE;
/* Joins the mesh: with a book (borrowed), or as a gate with the address of a home (likewise).
 * ctx of events is theirs; up and down keep `peer`, if they call these two. */
enum err bench_node_join(struct bench_node *n, const struct book *book, const char *const *seed,
                         const struct mesh_events *events) MUST_USE;
void bench_node_up(struct bench_node *n, uint32_t peer);
void bench_node_down(struct bench_node *n, uint32_t peer);
/* One turn: the mesh, what waits to be sent, then the loop, for at most wait_us. next_us: when the
 * role wants its own turn (mono). */
void bench_node_turn(struct bench_node *n, int64_t next_us, int64_t wait_us);
void bench_node_close(struct bench_node *n); /* fine when half open */

#endif
