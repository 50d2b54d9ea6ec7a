/* The directory port in memory, on virtual time: the simulator's model of etcd. It keeps the
 * promises of the port and no more: several processes share it, each through a client of its own;
 * every call has two moments, when it takes effect and when it is answered; and it fails on demand
 * in the ways that etcd 3.4 was seen to: watches that miss removals, leases that are lost while
 * they are kept, watches that are compacted away, outages, lost answers. The same conformance suite
 * runs against it, the in-process directory and etcd (fabric/directory_suite.h).
 *
 * One thread. Limits: MEMORY_DIRECTORY_CLIENTS_MAX clients, MEMORY_DIRECTORY_CALLS_MAX calls of one
 * client under way, those of env/directory_entries.h.
 */
#ifndef SEOM_SIM_MEMORY_DIRECTORY_H
#define SEOM_SIM_MEMORY_DIRECTORY_H

#include "env/directory.h"
#include "env/directory_entries.h"
#include "sim/schedule.h"

#define MEMORY_DIRECTORY_CLIENTS_MAX 128
#define MEMORY_DIRECTORY_CALLS_MAX   16

struct memory_directory;
struct memory_directory_client; /* belongs to the directory */

/* Everything may be changed at any time; probabilities in parts of a million. */
struct memory_directory_knobs {
    uint32_t call_us_min, call_us_max;   /* from asking to the answer, drawn evenly */
    uint32_t watch_us_min, watch_us_max; /* from a change to its hint */
    uint32_t slow_ppm;                   /* of calls: any time up to DIRECTORY_CALL_MS instead */
    uint32_t unknown_done_ppm;           /* answered DIRECTORY_UNKNOWN although it was tried */
    uint32_t unknown_lost_ppm;           /* answered DIRECTORY_UNKNOWN and never takes effect */
    uint32_t unknown_late_ppm;           /* answered DIRECTORY_UNKNOWN, and tried afterwards */
    uint32_t unavailable_ppm;
    uint32_t twice_ppm;       /* of changes: tried once more some time later */
    uint32_t delete_lost_ppm; /* of removals, for each watch: it is not told */
    uint32_t put_lost_ppm;    /* of puts, likewise */
    uint32_t lease_lost_ppm;  /* of leases being kept: lost in that moment, its entries too */
};

struct memory_directory_stats {
    uint64_t calls, unknown, late, twice, unavailable;
    uint64_t hints, hints_lost, leases_lost, watches_ended;
};

struct memory_directory *memory_directory_alloc(const struct sim_schedule *schedule);
void memory_directory_free(struct memory_directory **directory);
void memory_directory_set_knobs(struct memory_directory *directory,
                                const struct memory_directory_knobs *knobs);
/* Away: every call is answered DIRECTORY_UNAVAILABLE, watches end. No lease runs out meanwhile, and
 * after it each has its whole time again, as with a new leader of etcd. */
void memory_directory_set_away(struct memory_directory *directory, bool away);
/* What was told to watches so far is forgotten; who is behind is cut off. */
void memory_directory_compact(struct memory_directory *directory);
void memory_directory_break_watches(struct memory_directory *directory, enum directory_end why);
/* One living lease, drawn, goes with its entries, or without them; false: there is none. */
bool memory_directory_lose_lease(struct memory_directory *directory, bool entries_stay);
/* Everything is lost, the revisions too: somebody removed its data. Watches end. */
void memory_directory_wipe(struct memory_directory *directory);

/* A process connects; answers and hints go to done. */
struct memory_directory_client *memory_directory_connect(struct memory_directory *directory,
                                                         struct directory_done done);
struct env_directory memory_directory_port(struct memory_directory_client *client);
/* Only this client cannot reach it: its calls fail, and its watch falls silent for good without
 * ending, as a broken network leaves it. */
void memory_directory_cut(struct memory_directory_client *client, bool cut);
/* The process died: nothing is answered any more; each of its changes that is under way takes
 * effect or not, by the toss of a coin. Its leases run out. Nulls the pointer. */
void memory_directory_crash(struct memory_directory_client **client);

/* The truth, for checkers. */
const struct directory_entries *memory_directory_entries(const struct memory_directory *directory);
struct memory_directory_stats memory_directory_stats(const struct memory_directory *directory);

#endif
