/* What every process of a cluster has, whatever its role: its own directory with a lock, a log, a
 * loop with the clock that belongs to it, the lines to other nodes, the mesh and the requests over
 * them, a control socket, and the figures that it hangs up once a second. The process has one
 * thread: the one that opens it.
 *
 * <data> is shared by the nodes of a machine and holds ticket.key and the control sockets;
 * <data>/<name>/ is the node's own: lock, installation, what a crash leaves behind.
 */
#ifndef SEOM_APP_NODE_H
#define SEOM_APP_NODE_H

#include "app/config.h"
#include "app/control.h"
#include "base/trace.h"
#include "fabric/directory.h"
#include "fabric/mesh.h"
#include "fabric/requests.h"
#include "os/clock.h"
#include "os/etcd_directory.h"
#include "os/lines.h"
#include "os/log.h"
#include "os/signals.h"
#include "watch/board.h"
#include "watch/http.h"

#define NODE_WHY_MAX   512
#define NODE_PATH_MAX  384 /* CONFIG_TEXT_MAX and the names of files */
#define NODE_WAITS_MAX 128

struct node_process {
    const struct config *config; /* borrowed */
    struct node self;
    char folder[NODE_PATH_MAX]; /* <data>/<name> */
    int lock;
    uint64_t installation;
    struct log log;
    struct clock clock;
    struct thread_clock thread_clock;
    struct trace trace;
    struct loop *loop;
    struct signals signals;
    struct env env;
    bool turned; /* world time is that of this turn */
    struct lines *lines;
    struct transport_events events; /* of the mesh, once there is one */
    struct env_transport transport;
    struct mesh *mesh;
    struct requests *requests;
    struct control *control;
    struct board *board;
    struct http *http;
    struct directory *directory; /* of homes and relays, as its engine; NULL: not (yet) */
    struct etcd_directory *etcd;
    struct metrics metrics;
    int64_t started_us, figures_us;
    bool asked_to_stop;
};

/* Directory, lock, log, loop, signals, and for homes the listening lines. The clock runs from the
 * wall clock until node_set_clock(). lock: the one inherited from the process whose place this one
 * takes, -1: none. What is wrong stands in why; then call node_close(). */
enum err node_open(struct node_process *n, const struct config *config, enum node_role role,
                   int lock, char why[NODE_WHY_MAX]) MUST_USE;
void node_close(struct node_process *n);
void node_set_clock(struct node_process *n, int64_t birth_wall_ms, int64_t saved_world_ms);
/* World time is the homes': from now on it is that of this one. */
void node_take_time(struct node_process *n, uint32_t home);
/* The directory that --directory names, where the node is claimed; events are the role's. */
enum err node_open_directory(struct node_process *n, const struct directory_events *events,
                             char why[NODE_WHY_MAX]) MUST_USE;
/* The mesh of a node whose epoch is known, and the requests over it. */
void node_join(struct node_process *n, const struct mesh_options *options);
/* Waits for what is due, lines included, until next_us at the latest; world time stands still from
 * the first thing that happens in the turn. */
void node_wait(struct node_process *n, int64_t next_us);
/* Called by whatever a loop call-back hands on to logic. */
void node_begin_turn(struct node_process *n);
/* Beats, deadlines; and what was said in this turn goes out. The next mono time (us). */
int64_t node_end_turn(struct node_process *n);

static inline int64_t
node_sooner_us(int64_t a_us, int64_t b_us)
{
    return a_us < b_us ? a_us : b_us;
}

/* ---- node_tell.c: what is told ---- */

/* Control socket and page of figures; status: hung up by then. The ctx of the commands is n, which
 * is also the struct of the role, as that begins with it. */
enum err node_serve(struct node_process *n, const struct control_command *commands,
                    char why[NODE_WHY_MAX]) MUST_USE;
/* {"name", "role", "shard", "epoch", "links", "links_expected", ...}: what all roles tell. waits:
 * what the start waits for, for people; "" for nothing. */
json_t *node_status(const struct node_process *n, const char *waits);
/* "the directory: it does not answer": of a node that is not registered yet; "": it is. */
void node_waits_for_directory(const struct node_process *n, char out[NODE_WAITS_MAX]);
/* For the table of every role. */
json_t *node_command_metrics(void *ctx, const json_t *request);
json_t *node_command_log_level(void *ctx, const json_t *request);
json_t *node_command_stop(void *ctx, const json_t *request);
/* Figures are hung up once a second: a role gathers its own between the two, and says in status
 * what not every role has. */
void node_figures_begin(struct node_process *n, int64_t now_us);
void node_figures_end(struct node_process *n, int64_t now_us, struct status *status);

#endif
