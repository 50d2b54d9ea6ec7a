/* The vocabulary of what this process tells about itself: one table, from which come the slots of a
 * snapshot, the exposition for Prometheus and docs/metrics.md.
 *
 * struct metrics is a plain snapshot: the logic thread fills one about once a second and hands it
 * over on the board (gather.h, board.h), so no reader ever touches live state. Counters only grow
 * as long as the process lives; a histogram holds microseconds since the start and is told in
 * seconds. Everything carries the labels world, node and host.
 *
 * To add one: a row here, its filling in gather.c, then `seom config --metrics > docs/metrics.md`.
 */
#ifndef SEOM_WATCH_METRICS_H
#define SEOM_WATCH_METRICS_H

#include "base/bytes.h"
#include "base/hist.h"
#include "wire/code.h"
#include <stdint.h>

#define METRICS_TEXT_MAX  131072 /* room for metrics_text() and metrics_reference() */
#define METRICS_LABEL_MAX 64

/* Why a connection ended: the codes of proto/seom.proto by number; 0 = the line broke without a
 * word. X(number, name, doc) */
#define METRIC_CAUSES(X)                                                      \
    X(0, lost, "the line broke without a goodbye")                            \
    X(1, malformed, "bytes that are no message")                              \
    X(2, oversized, "a frame above the limit")                                \
    X(3, unknown, "a message that does not belong here")                      \
    X(4, too_fast, "above the message or byte rate")                          \
    X(5, too_slow, "hello did not come in time, or the client does not read") \
    X(6, silent, "nothing was heard for too long")                            \
    X(7, protocol, "no protocol version in common")                           \
    X(8, bad_ticket, "a ticket that is not ours")                             \
    X(9, replaced, "the same ticket connected again")                         \
    X(10, server_stops, "this server stopped")                                \
    X(11, full, "a limit was reached")                                        \
    X(12, retry_after, "told to come later")                                  \
    X(13, conflict, "somebody else changed it first")                         \
    X(14, not_found, "something asked for is not there")                      \
    X(15, refused, "the rules of the game said no")                           \
    X(16, left, "the client said goodbye")                                    \
    X(17, closed, "this class of commands is closed")                         \
    X(18, unreadable, "a document that cannot be read")                       \
    X(19, too_far, "out of reach")                                            \
    X(20, no_room, "no room for it")

/* The rings between threads, all gate threads together. X(number, name, doc) */
#define METRIC_RINGS(X)                                          \
    X(0, gate_to_logic, "from gate threads to the logic thread") \
    X(1, logic_to_gate, "from the logic thread to gate threads")

/* Who walks over documents instead of asking for them by key. X(number, name, doc) */
#define METRIC_ROLES(X)                                            \
    X(0, play, "the game itself: 0 unless something is wrong")     \
    X(1, recovery, "what finishes that which a death interrupted") \
    X(2, tool, "commands of a person")

/* Classes of commands that can be closed, in the order of enum deed_class. X(number, name, doc) */
#define METRIC_CLASSES(X)                          \
    X(0, gather, "what makes or ends things")      \
    X(1, arrange, "what moves one's own things")   \
    X(2, take, "what takes things that lie about") \
    X(3, trade, "what passes between two players") \
    X(4, mail, "what passes between players, by mail")

#define METRIC_NAME(number, name, doc) METRIC_NAMED_##name = (number),

enum metric_cause { METRIC_CAUSES(METRIC_NAME) METRIC_CAUSE_COUNT };

enum metric_ring { METRIC_RINGS(METRIC_NAME) METRIC_RING_COUNT };

enum metric_role { METRIC_ROLES(METRIC_NAME) METRIC_ROLE_COUNT };

enum metric_class { METRIC_CLASSES(METRIC_NAME) METRIC_CLASS_COUNT };

#undef METRIC_NAME

/* Single values. X(id, type, name without "seom_", label, series, doc): a row takes `series` slots,
 * one for each value of its label. */
#define METRIC_VALUES(X)                                                                           \
    X(PLAYERS, GAUGE, "players", NONE, 1, "Players in the world, lingering ones included.")        \
    X(LINGERING, GAUGE, "players_lingering", NONE, 1,                                              \
      "Players whose connection was lost and whose avatar still stands.")                          \
    X(BOTS, GAUGE, "bots", NONE, 1, "Players that are bots of this process.")                      \
    X(SPECTATORS, GAUGE, "spectators", NONE, 1, "Connections that only look.")                     \
    X(CONNECTIONS, GAUGE, "connections", NONE, 1, "Connections on the player port.")               \
    X(ENTERS, COUNTER, "enters_total", NONE, 1, "Times somebody came in.")                         \
    X(ENTERS_REFUSED, COUNTER, "enters_refused_total", NONE, 1, "Times somebody was not let in.")  \
    X(DROPS, COUNTER, "drops_total", CAUSE, METRIC_CAUSE_COUNT,                                    \
      "Connections that ended, by cause.")                                                         \
    X(CHUNKS_AWAKE, GAUGE, "chunks_awake", NONE, 1, "Chunks whose things this node looks after.")  \
    X(CHUNKS_CROWDED, GAUGE, "chunks_crowded", NONE, 1,                                            \
      "Chunks that gates cut into cells because they are crowded.")                                \
    X(THINGS, GAUGE, "things", NONE, 1, "Things in the chunks that are awake.")                    \
    X(TOPICS, GAUGE, "topics", NONE, 1, "Topics that are published or subscribed.")                \
    X(SUBSCRIPTIONS, GAUGE, "subscriptions", NONE, 1, "Topics subscribed, summed over the gates.") \
    X(MOVES, COUNTER, "moves_total", NONE, 1, "Moves of players that were handled.")               \
    X(CORRECTIONS, COUNTER, "corrections_total", NONE, 1, "Moves that were not accepted as sent.") \
    X(CROSSINGS, COUNTER, "crossings_total", NONE, 1, "Times somebody crossed a chunk border.")    \
    X(CHANGES, COUNTER, "changes_total", NONE, 1, "Changes that were published.")                  \
    X(ENCODES, COUNTER, "encodes_total", NONE, 1, "Records that were encoded for changes.")        \
    X(ENCODES_PER_CHANGE, GAUGE, "encodes_per_change", NONE, 1,                                    \
      "Encodes by changes since the start; near 1: nothing is encoded for each viewer.")           \
    X(BATCHES, COUNTER, "batches_total", NONE, 1, "Batches published to gates.")                   \
    X(SNAPSHOTS, COUNTER, "snapshots_total", NONE, 1, "Chunks that a client was told whole.")      \
    X(HEALED, COUNTER, "healed_total", NONE, 1,                                                    \
      "Of them, because the client had fallen behind the news.")                                   \
    X(SLOTS_SKIPPED, COUNTER, "slots_skipped_total", NONE, 1,                                      \
      "Slots in which a client had news and no room in its socket.")                               \
    X(BYTES_SENT, COUNTER, "bytes_sent_total", NONE, 1, "Bytes sent to clients.")                  \
    X(BYTES_RECEIVED, COUNTER, "bytes_received_total", NONE, 1, "Bytes received from clients.")    \
    X(SENDS, COUNTER, "sends_total", NONE, 1, "Gathered sends to clients.")                        \
    X(RECEIVES, COUNTER, "receives_total", NONE, 1, "Receives from clients.")                      \
    X(SEND_QUEUE_BYTES, GAUGE, "send_queue_bytes", NONE, 1,                                        \
      "Bytes that wait to be sent to clients, from a sample of them: the indicator of network.")   \
    X(SEND_QUEUE_P99_BYTES, GAUGE, "send_queue_p99_bytes", NONE, 1,                                \
      "The same of the client at the 99th percentile of the worst gate's sample.")                 \
    X(RING_DEPTH_BYTES, GAUGE, "ring_depth_bytes", RING, METRIC_RING_COUNT,                        \
      "Bytes in the deepest ring of a direction.")                                                 \
    X(RING_FULL, COUNTER, "ring_full_total", RING, METRIC_RING_COUNT,                              \
      "Messages that found a ring full.")                                                          \
    X(LIMITS_REACHED, COUNTER, "limits_reached_total", NONE, 1,                                    \
      "Times a table or pool of world or gates was full.")                                         \
    X(STORE_UNDER_WAY, GAUGE, "store_under_way", NONE, 1,                                          \
      "Requests to the store without an answer yet.")                                              \
    X(STORE_GETS, COUNTER, "store_gets_total", NONE, 1, "Documents read.")                         \
    X(STORE_COMMITS, COUNTER, "store_commits_total", NONE, 1, "Commits answered.")                 \
    X(STORE_DOCUMENTS, COUNTER, "store_documents_total", NONE, 1, "Documents written by commits.") \
    X(STORE_GROUPS, COUNTER, "store_groups_total", NONE, 1,                                        \
      "Transactions, each of which makes a group of commits durable at once.")                     \
    X(STORE_CONFLICTS, COUNTER, "store_conflicts_total", NONE, 1,                                  \
      "Commits refused because a document had changed.")                                           \
    X(STORE_FAILURES, COUNTER, "store_failures_total", NONE, 1,                                    \
      "Commits whose end is unknown or that the store could not serve.")                           \
    X(STORE_CORRUPT, COUNTER, "store_corrupt_total", NONE, 1, "Checksums that did not fit.")       \
    X(STORE_REFUSED, COUNTER, "store_refused_total", NONE, 1,                                      \
      "Requests refused because too many were under way.")                                         \
    X(STORE_SCANS, COUNTER, "store_scan_total", ROLE, METRIC_ROLE_COUNT,                           \
      "Times documents were walked over, by who asked for it.")                                    \
    X(STORE_BYTES, GAUGE, "store_used_bytes", NONE, 1, "What the store takes of its file.")        \
    X(STORE_FILLING, GAUGE, "store_filling", NONE, 1,                                              \
      "1 when 70 % of what the store may take is used, or its file cannot grow.")                  \
    X(STORE_FAILED, GAUGE, "store_failed", NONE, 1,                                                \
      "1 when a write failed and the store serves nothing any more.")                              \
    X(PLACES_UNSAVED, GAUGE, "places_unsaved_pages", NONE, 1,                                      \
      "Pages of places (64 people each) that changed since they were saved.")                      \
    X(PLACES_LAG, GAUGE, "places_lag_seconds", NONE, 1,                                            \
      "Age of the oldest place that is not saved: what a power cut would cost.")                   \
    X(COMMANDS, COUNTER, "commands_total", CODE, CODE_COUNT,                                       \
      "Commands of value that were answered, by code.")                                            \
    X(COMMANDS_UNDER_WAY, GAUGE, "commands_under_way", NONE, 1,                                    \
      "Commands and jobs without an answer yet.")                                                  \
    X(COMMANDS_REPEATED, COUNTER, "commands_repeated_total", NONE, 1,                              \
      "Commands that came again: under way already, or answered from the document.")               \
    X(COMMAND_CONFLICTS, COUNTER, "command_conflicts_total", NONE, 1,                              \
      "Commits of commands that met a change by somebody else and were tried again.")              \
    X(COMMAND_UNKNOWN, COUNTER, "command_unknown_total", NONE, 1,                                  \
      "Commits of commands whose end the store did not know: cleared up by reading.")              \
    X(COMMAND_WAITS, COUNTER, "command_waits_total", NONE, 1,                                      \
      "Times a command waited for another one of this process.")                                   \
    X(JOBS, COUNTER, "jobs_total", NONE, 1, "Jobs that brought chunks up to date with time.")      \
    X(JOBS_FAILED, COUNTER, "jobs_failed_total", NONE, 1, "Of them, to be done once more.")        \
    X(SHOWS, COUNTER, "shows_total", NONE, 1, "Times a client asked to be shown belongings.")      \
    X(HINTS, COUNTER, "hints_total", NONE, 1,                                                      \
      "Times a client was told that somebody else changed what it owns.")                          \
    X(SWITCHES_CLOSED, GAUGE, "switches_closed", CLASS, METRIC_CLASS_COUNT,                        \
      "1 when this class of commands is closed.")                                                  \
    X(LOBBY, GAUGE, "lobby", NONE, 1, "Connections that wait in the lobby.")                       \
    X(LOBBIED, COUNTER, "lobbied_total", NONE, 1, "Sessions that ended in the lobby.")             \
    X(CHUNK_READS, COUNTER, "chunk_reads_total", NONE, 1,                                          \
      "Documents of waking chunks that were asked for.")                                           \
    X(CHUNK_READS_FAILED, COUNTER, "chunk_reads_failed_total", NONE, 1,                            \
      "Of them, to be asked for again.")                                                           \
    X(CHUNKS_UNREADABLE, COUNTER, "chunks_unreadable_total", NONE, 1,                              \
      "Of them, such as are no document.")                                                         \
    X(STEWARDS_HELD, GAUGE, "stewards_held", NONE, 1,                                              \
      "Blocks of which this node is the steward, in a cluster; asleep ones included.")             \
    X(CLAIMS, COUNTER, "claims_total", NONE, 1, "Blocks that this node claimed.")                  \
    X(CLAIMS_LOST, COUNTER, "claims_lost_total", NONE, 1,                                          \
      "Held blocks that another node has claimed.")                                                \
    X(CLAIMS_FAILED, COUNTER, "claims_failed_total", NONE, 1,                                      \
      "Claims that were put off as the store is away.")                                            \
    X(COMMANDS_FORWARDED, COUNTER, "commands_forwarded_total", NONE, 1,                            \
      "Commands that were sent to the steward of what is around their player.")                    \
    X(COMMANDS_SERVED, COUNTER, "commands_served_total", NONE, 1,                                  \
      "Commands that were run here for the homes of others.")                                      \
    X(FORWARDS_LATE, COUNTER, "forwards_late_total", NONE, 1,                                      \
      "Commands whose steward did not answer in time: run at home.")                               \
    X(FORWARDS_REJECTED, COUNTER, "forwards_rejected_total", NONE, 1,                              \
      "Commands that their steward did not take: run at home.")                                    \
    X(READS_HEALING, COUNTER, "reads_healing_total", NONE, 1,                                      \
      "Documents read as their change may have been missed.")                                      \
    X(GHOSTS, GAUGE, "ghosts", NONE, 1, "People of other homes who stand near those of this one.") \
    X(LOG_SUPPRESSED, COUNTER, "log_suppressed_total", NONE, 1,                                    \
      "Log lines above the rate of their event, or that nobody read.")                             \
    X(CPU, COUNTER, "process_cpu_seconds_total", NONE, 1, "CPU time of this process.")             \
    X(RSS, GAUGE, "process_resident_memory_bytes", NONE, 1, "Resident memory of this process.")    \
    X(WAKEUPS, COUNTER, "process_wakeups_total", NONE, 1, "Times this process was woken.")         \
    X(UPTIME, GAUGE, "uptime_seconds", NONE, 1, "Time since this process started.")                \
    X(WORLD_TIME, GAUGE, "world_time_seconds", NONE, 1, "World time: since the world's birth.")    \
    X(BUILD_INFO, GAUGE, "build_info", BUILD, 1, "Always 1; version and revision are its labels.")

/* Distributions. X(id, name without "seom_", doc) */
#define METRIC_HISTOGRAMS(X)                                                             \
    X(LOGIC_QUEUE_WAIT, "logic_queue_wait_seconds",                                      \
      "How long a message waited for the logic thread: the indicator of CPU.")           \
    X(TICK, "tick_seconds", "From the moment a tick was due to the moment it was done.") \
    X(COMMAND, "command_seconds", "From a command's arrival to its answer.")             \
    X(STORE_GROUP, "store_group_seconds", "From the beginning of a transaction to its fsync.")

#define METRIC_SLOTS(id, type, name, label, series, doc) \
    METRIC_##id, METRIC_##id##_LAST = METRIC_##id + (series)-1,

enum metric { METRIC_VALUES(METRIC_SLOTS) METRIC_COUNT };

#undef METRIC_SLOTS
#define METRIC_HIST(id, name, doc) METRIC_##id,

enum metric_histogram { METRIC_HISTOGRAMS(METRIC_HIST) METRIC_HISTOGRAM_COUNT };

#undef METRIC_HIST

struct metrics {
    char world[METRICS_LABEL_MAX], node[METRICS_LABEL_MAX], host[METRICS_LABEL_MAX];
    char version[METRICS_LABEL_MAX], revision[METRICS_LABEL_MAX];
    double values[METRIC_COUNT]; /* values[METRIC_DROPS + cause] */
    struct hist histograms_us[METRIC_HISTOGRAM_COUNT];
};

/* The exposition, text format 0.0.4. Labels may hold anything, they are escaped. */
void metrics_text(const struct metrics *m, struct writer *w);
/* The reference page in Markdown. */
void metrics_reference(struct writer *w);

/* The short answer to "how is it?": the body of /status. */
struct status {
    uint32_t players, lingering, bots, spectators, awake_chunks, islands;
    double tick_ms_p99; /* of the last minute or so */
    int64_t uptime_s, world_ms;
    uint16_t world;
    char node[METRICS_LABEL_MAX], host[METRICS_LABEL_MAX], version[METRICS_LABEL_MAX];
    char play[METRICS_LABEL_MAX]; /* ADDR:PORT where players connect */
};

/* One JSON object with the fields above. */
void status_json(const struct status *s, struct writer *w);

#endif
