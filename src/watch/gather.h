/* From the figures that the rooms keep about themselves to the slots of struct metrics. Pure
 * copying; each is called on the thread that owns the figures, or with a copy of them. What comes
 * from several gate threads is added up, so a round begins with gather_begin(); histograms are
 * merged and never forgotten, so whoever keeps them resets his own afterwards.
 */
#ifndef SEOM_WATCH_GATHER_H
#define SEOM_WATCH_GATHER_H

#include "fabric/directory.h"
#include "fabric/mesh.h"
#include "fabric/notes.h"
#include "fabric/requests.h"
#include "os/conns.h"
#include "os/lmdb_store.h"
#include "os/log.h"
#include "os/pg_store.h"
#include "os/rings.h"
#include "store/committer.h"
#include "view/gate.h"
#include "watch/metrics.h"
#include "world/world.h"

void gather_begin(struct metrics *m); /* all values to 0, no links; labels and histograms stay */
void gather_world(struct metrics *m, const struct world_stats *s);
/* Only of a world that has something of value. */
void gather_commands(struct metrics *m, const struct world_stats *w, const struct commands_stats *s,
                     uint32_t under_way);
void gather_gate(struct metrics *m, const struct gate_stats *s);
void gather_conns(struct metrics *m, const struct conns_stats *s);
/* sampled_bytes: of conns_sample_queues() of one gate with so many connections. */
void gather_send_queues(struct metrics *m, const struct hist *sampled_bytes, uint32_t connections);
/* One side's view of its rings with one peer; out: the direction in which that side sends. Both
 * sides may be gathered: depths are those of the deepest ring, and each side counts only what it
 * could not send. */
void gather_rings(struct metrics *m, enum metric_ring out, const struct rings_stats *s);
/* group_us of the store is kept since its start: it replaces what stood there. */
void gather_store(struct metrics *m, const struct lmdb_store_stats *s, uint32_t under_way);
/* One server of a cluster's store; servers are added up. */
void gather_server(struct metrics *m, const struct pg_store_stats *s, uint32_t under_way,
                   bool away);
/* Of a store of several servers. */
void gather_committer(struct metrics *m, const struct committer_stats *s, uint32_t under_way);
void gather_scans(struct metrics *m, const struct store_stats *s);
void gather_places(struct metrics *m, const struct places_stats *s);
/* round_trip_us of the mesh is kept since its start: it replaces what stood there. */
void gather_mesh(struct metrics *m, const struct mesh_stats *s, uint32_t book_nodes);
void gather_link(struct metrics *m, const struct mesh_link *link); /* each of them */
void gather_requests(struct metrics *m, const struct requests_stats *s);
void gather_notes(struct metrics *m, const struct notes_stats *s);
void gather_relay(struct metrics *m, uint64_t refused);
void gather_directory(struct metrics *m, const struct directory_stats *s, int64_t now_us);
void gather_log(struct metrics *m, const struct log_stats *s);
void gather_process(struct metrics *m, int64_t started_mono_us, int64_t world_ms);

#endif
