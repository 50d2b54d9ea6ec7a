/* The vocabulary of what this process tells about itself: one table, from which come the slots of a
 * snapshot, the exposition for Prometheus and docs/metrics.md.
 *
 * struct metrics is a plain snapshot: the logic thread fills one about once a second and hands it
 * over on the board (gather.h, board.h), so no reader ever touches live state. Counters only grow
 * as long as the process lives; a histogram holds microseconds since the start and is told in
 * seconds. Everything carries the labels world, node and host. What is told of each link of a
 * cluster's node has a label for the other end, of which there are at most METRICS_LINKS_MAX.
 *
 * To add one: a row here, its filling in gather.c, then `seom config --metrics > docs/metrics.md`.
 */
#ifndef SEOM_WATCH_METRICS_H
#define SEOM_WATCH_METRICS_H

#include "base/bytes.h"
#include "base/hist.h"
#include "wire/code.h"
#include <stdint.h>

#define METRICS_TEXT_MAX  (1U << 20) /* room for metrics_text() and metrics_reference() */
#define METRICS_LABEL_MAX 64
#define METRICS_LINKS_MAX 128
#define METRICS_PEER_MAX  24 /* a node's name with the 0 */

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

/* Of links between nodes, in the order of enum mesh_link_state. X(number, name, doc) */
#define METRIC_LINK_STATES(X)                                       \
    X(0, down, "not now; between two dials, or until a gate dials") \
    X(1, dialling, "connecting")                                    \
    X(2, asking, "others are asked whether the node is dead")       \
    X(3, dead, "declared dead, and still in the book")              \
    X(4, up, "it stands")

/* What goes over a link. X(number, name, doc) */
#define METRIC_LANES(X)                                                                            \
    X(0, control, "never dropped; whoever does not take it is cut. Its queue holds requests, too") \
    X(1, data, "what is told again anyway: refused when there is no room")                         \
    X(2, request, "refused when control would be in danger")

/* What became of requests that were asked of other nodes. X(number, name, doc) */
#define METRIC_ENDS(X)                                                        \
    X(0, done, "answered")                                                    \
    X(1, rejected, "nothing was done there: no room, no time, nobody serves") \
    X(2, late, "no answer in time, or the link broke: perhaps it was done")

/* What became of requests of others. X(number, name, doc) */
#define METRIC_SERVICES(X)                             \
    X(0, answered, "with a result")                    \
    X(1, refused, "at the door, or by whoever serves") \
    X(2, cancelled, "the asker gave up or is gone")    \
    X(3, expired, "their time ran out")

/* What crosses from shard to shard, in the order of enum note_kind less one. X(number, name, doc)
 */
#define METRIC_NOTES(X)                                  \
    X(0, line, "a line of a channel of the whole world") \
    X(1, mail, "the word that somebody has mail")        \
    X(2, gates, "where the gates of a shard are")

/* Ends of commits over several servers. X(number, name, doc) */
#define METRIC_COMMITS(X)                     \
    X(0, committed, "all documents")          \
    X(1, conflict, "somebody else was first") \
    X(2, aborted, "it took too long, or was given up")

/* How documents that a commit of somebody else had left pending were settled. X(number, name, doc)
 */
#define METRIC_SETTLED(X)                     \
    X(0, forward, "it had happened: made so") \
    X(1, back, "it had not: taken back")

#define METRIC_NAME(number, name, doc) METRIC_NAMED_##name = (number),

enum metric_cause { METRIC_CAUSES(METRIC_NAME) METRIC_CAUSE_COUNT };

enum metric_ring { METRIC_RINGS(METRIC_NAME) METRIC_RING_COUNT };

enum metric_role { METRIC_ROLES(METRIC_NAME) METRIC_ROLE_COUNT };

enum metric_class { METRIC_CLASSES(METRIC_NAME) METRIC_CLASS_COUNT };

#undef METRIC_NAME
#define METRIC_NAME(number, name, doc) METRIC_OF_##name = (number),

enum metric_link_state { METRIC_LINK_STATES(METRIC_NAME) METRIC_LINK_STATE_COUNT };

enum metric_lane { METRIC_LANES(METRIC_NAME) METRIC_LANE_COUNT };

enum metric_end { METRIC_ENDS(METRIC_NAME) METRIC_END_COUNT };

enum metric_service { METRIC_SERVICES(METRIC_NAME) METRIC_SERVICE_COUNT };

enum metric_note { METRIC_NOTES(METRIC_NAME) METRIC_NOTE_COUNT };

enum metric_commit { METRIC_COMMITS(METRIC_NAME) METRIC_COMMIT_COUNT };

enum metric_settled { METRIC_SETTLED(METRIC_NAME) METRIC_SETTLED_COUNT };

#undef METRIC_NAME

/* Single values. X(id, type, name without "seom_", label, series, doc): a row takes `series` slots,
 * one for each value of its label. */
#define METRIC_WORLD_VALUES(X)                                                                     \
    X(PLAYERS, GAUGE, "players", NONE, 1,                                                          \
      "Players that this node decides for, lingering ones included; a gate does for nobody.")      \
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
    X(STORE_UNKNOWN, COUNTER, "store_unknown_total", NONE, 1,                                      \
      "Of them, such as may have happened: cleared up by reading.")                                \
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

/* The same of a node of a cluster: links, requests, notes, directory, the cluster's store, topics.
 */
#define METRIC_CLUSTER_VALUES(X)                                                                  \
    X(LINKS, GAUGE, "links", STATE, METRIC_LINK_STATE_COUNT,                                      \
      "Links with other nodes that there are or should be, by state.")                            \
    X(BOOK_NODES, GAUGE, "book_nodes", NONE, 1, "Nodes that this one knows of, itself included.") \
    X(LINK_HANDSHAKES, COUNTER, "link_handshakes_total", NONE, 1, "Links that came up.")          \
    X(LINK_HELLOS_REFUSED, COUNTER, "link_hellos_refused_total", NONE, 1,                         \
      "Nodes that were refused a link: dead, of another world or version, too many.")             \
    X(LINK_MALFORMED, COUNTER, "link_malformed_total", NONE, 1,                                   \
      "Frames that were none: their link was closed.")                                            \
    X(LINK_MESSAGES_SENT, COUNTER, "link_messages_sent_total", NONE, 1,                           \
      "Messages sent to other nodes.")                                                            \
    X(LINK_MESSAGES_RECEIVED, COUNTER, "link_messages_received_total", NONE, 1,                   \
      "Messages received from other nodes.")                                                      \
    X(LINK_SENDS, COUNTER, "link_sends_total", NONE, 1, "Gathered sends to other nodes.")         \
    X(NODE_SUSPICIONS, COUNTER, "node_suspicions_total", NONE, 1,                                 \
      "Times others were asked whether a node is dead.")                                          \
    X(NODE_DEATHS, COUNTER, "node_deaths_total", NONE, 1, "Nodes that were declared dead here.")  \
    X(NODE_DISPUTES, COUNTER, "node_deaths_disputed_total", NONE, 1,                              \
      "Deaths that others told or asked of, and that were none.")                                 \
    X(CLOCKS_APART, COUNTER, "clocks_apart_total", NONE, 1,                                       \
      "Times another node's world time was found to be more than 100 ms off.")                    \
    X(REQUESTS_ASKING, GAUGE, "requests_asking", NONE, 1,                                         \
      "Requests to other nodes without an answer yet.")                                           \
    X(REQUESTS_SERVING, GAUGE, "requests_serving", NONE, 1,                                       \
      "Requests of other nodes that are being worked on.")                                        \
    X(REQUESTS_ASKED, COUNTER, "requests_asked_total", NONE, 1, "Requests to other nodes.")       \
    X(REQUESTS_ENDED, COUNTER, "requests_ended_total", END, METRIC_END_COUNT,                     \
      "Requests to other nodes that have ended, by how.")                                         \
    X(REQUESTS_SERVED, COUNTER, "requests_served_total", SERVICE, METRIC_SERVICE_COUNT,           \
      "Requests of other nodes that have ended, by how.")                                         \
    X(REQUESTS_UNSENT, COUNTER, "requests_unsent_total", NONE, 1,                                 \
      "Answers that a link had no room for: their asker's deadline ends them.")                   \
    X(REQUESTS_UNMATCHED, COUNTER, "requests_unmatched_total", NONE, 1,                           \
      "Answers to, and cancels of, what was over already.")                                       \
    X(REQUESTS_MALFORMED, COUNTER, "requests_malformed_total", NONE, 1,                           \
      "Messages of requests that were none.")                                                     \
    X(NOTES_TOLD, COUNTER, "notes_told_total", NOTE, METRIC_NOTE_COUNT,                           \
      "Notes to other shards that this home told.")                                               \
    X(NOTES_HEARD, COUNTER, "notes_heard_total", NOTE, METRIC_NOTE_COUNT,                         \
      "Notes that were heard for the first time.")                                                \
    X(NOTES_REPEATED, COUNTER, "notes_repeated_total", NONE, 1, "Notes that came once more.")     \
    X(NOTES_PASSED, COUNTER, "notes_passed_total", NONE, 1,                                       \
      "Notes that this relay passed on and somebody took.")                                       \
    X(NOTES_PASSED_OVER, COUNTER, "notes_passed_over_total", NONE, 1,                             \
      "Times somebody did not take a note and the next one was asked.")                           \
    X(NOTES_LOST, COUNTER, "notes_lost_total", NONE, 1,                                           \
      "Notes that nobody took, or for which there was no room.")                                  \
    X(NOTES_LIMITED, COUNTER, "notes_limited_total", NONE, 1, "Notes that came too fast.")        \
    X(NOTES_REFUSED, COUNTER, "notes_refused_total", NONE, 1,                                     \
      "Notes that were none, or of somebody who may not tell them.")                              \
    X(RELAY_REFUSED, COUNTER, "relay_refused_total", NONE, 1,                                     \
      "Messages to this relay that are no notes: dropped.")                                       \
    X(DIRECTORY_AWAY, GAUGE, "directory_away", NONE, 1,                                           \
      "1 while the directory does not answer; only new nodes wait for it.")                       \
    X(DIRECTORY_ANSWER_AGE, GAUGE, "directory_answer_age_seconds", NONE, 1,                       \
      "Time since the directory answered, or told of a change.")                                  \
    X(DIRECTORY_LISTS, COUNTER, "directory_lists_total", NONE, 1,                                 \
      "Times the directory was listed whole.")                                                    \
    X(DIRECTORY_LISTS_FAILED, COUNTER, "directory_lists_failed_total", NONE, 1,                   \
      "Lists that were not answered.")                                                            \
    X(DIRECTORY_HEALED, COUNTER, "directory_gaps_healed_total", NONE, 1,                          \
      "Lists that told what the watch had missed.")                                               \
    X(DIRECTORY_WATCHES, COUNTER, "directory_watches_total", NONE, 1,                             \
      "Watches of the directory that were opened.")                                               \
    X(DIRECTORY_COMPACTED, COUNTER, "directory_watches_compacted_total", NONE, 1,                 \
      "Watches that ended as the directory had forgotten what they asked for.")                   \
    X(DIRECTORY_HINTS, COUNTER, "directory_hints_total", NONE, 1, "Changes that a watch told.")   \
    X(DIRECTORY_RENEWALS, COUNTER, "directory_lease_renewals_total", NONE, 1,                     \
      "Times the own lease was renewed.")                                                         \
    X(DIRECTORY_LOST, COUNTER, "directory_entries_lost_total", NONE, 1,                           \
      "Times the own entry or its lease was found gone.")                                         \
    X(DIRECTORY_CLAIMS, COUNTER, "directory_claims_total", NONE, 1,                               \
      "Times this process was registered with a new epoch.")                                      \
    X(DIRECTORY_RETURNS, COUNTER, "directory_returns_total", NONE, 1,                             \
      "Times the own entry was put back under the old epoch.")                                    \
    X(DIRECTORY_UNKNOWN, COUNTER, "directory_unknown_total", NONE, 1,                             \
      "Calls of the directory that may have happened: cleared up by a list.")                     \
    X(DIRECTORY_RESETS, COUNTER, "directory_resets_total", NONE, 1,                               \
      "Times the directory was found to have lost its history.")                                  \
    X(STORE_SERVERS, GAUGE, "store_servers", NONE, 1, "Servers of the cluster's store.")          \
    X(STORE_SERVERS_AWAY, GAUGE, "store_servers_away", NONE, 1,                                   \
      "Of them, such as cannot be reached.")                                                      \
    X(STORE_CONNECTIONS, GAUGE, "store_connections", NONE, 1,                                     \
      "Connections to servers of the store.")                                                     \
    X(STORE_CONNECTIONS_LOST, COUNTER, "store_connections_lost_total", NONE, 1,                   \
      "Connections to servers of the store that broke.")                                          \
    X(STORE_GETS_LOST, COUNTER, "store_gets_lost_total", NONE, 1,                                 \
      "Documents that could not be read as a server was away.")                                   \
    X(STORE_HINTS, COUNTER, "store_hints_total", NONE, 1,                                         \
      "Changes of watched documents that the store told.")                                        \
    X(STORE_HINTS_DROPPED, COUNTER, "store_hints_dropped_total", NONE, 1,                         \
      "Changes that were not told for want of room: healed by reading.")                          \
    X(COMMITTER_UNDER_WAY, GAUGE, "committer_under_way", NONE, 1,                                 \
      "Calls over several servers without an answer yet.")                                        \
    X(COMMITTER_TOGETHER, COUNTER, "committer_together_total", NONE, 1,                           \
      "Commits of several documents that lie on one server: one transaction.")                    \
    X(COMMITTER_BEGUN, COUNTER, "committer_begun_total", NONE, 1,                                 \
      "Records of commits over several servers; each try has its own.")                           \
    X(COMMITTER_ENDED, COUNTER, "committer_ended_total", COMMIT, METRIC_COMMIT_COUNT,             \
      "Commits of several documents that have ended, by how.")                                    \
    X(COMMITTER_WAITS, COUNTER, "committer_waits_total", NONE, 1,                                 \
      "Pauses before a document that somebody else's commit holds.")                              \
    X(COMMITTER_SETTLED, COUNTER, "committer_settled_total", SETTLED, METRIC_SETTLED_COUNT,       \
      "Documents and records of commits of others that were settled, by how.")                    \
    X(COMMITTER_UNKNOWN, COUNTER, "committer_unknown_total", NONE, 1,                             \
      "Writes whose end a server did not tell.")                                                  \
    X(COMMITTER_UNKNOWN_CLEARED, COUNTER, "committer_unknown_cleared_total", NONE, 1,             \
      "Of them, such as reading showed to have happened.")                                        \
    X(COMMITTER_UNKNOWN_TOLD, COUNTER, "committer_unknown_told_total", NONE, 1,                   \
      "Commits whose end not even reading could tell.")                                           \
    X(GATE_PLAYERS, GAUGE, "gate_players", NONE, 1,                                               \
      "Players whose connections gates hold; each is in seom_players of a home too.")             \
    X(GATE_TOPICS, GAUGE, "gate_topics", NONE, 1, "Topics that gates see for their clients.")     \
    X(SUBSCRIBES, COUNTER, "subscribes_total", NONE, 1,                                           \
      "Times a gate told a home which topics it wants.")                                          \
    X(SUBSCRIBES_WHOLE, COUNTER, "subscribes_whole_total", NONE, 1,                               \
      "Of them, all topics instead of what changed.")                                             \
    X(SUBSCRIBE_REPAIRS, COUNTER, "subscribe_repairs_total", NONE, 1,                             \
      "Of these, because gate and home were found to differ.")                                    \
    X(GHOST_REPAIRS, COUNTER, "ghost_repairs_total", NONE, 1,                                     \
      "Times a home was told anew which topics another one wants, as they differed.")             \
    X(BATCHES_REFUSED, COUNTER, "batches_refused_total", NONE, 1,                                 \
      "Batches that the way to a gate had no room for: told again whole.")                        \
    X(SESSIONS_RESUMING, GAUGE, "sessions_resuming", NONE, 1,                                     \
      "Players at gates who are without a home at the moment.")                                   \
    X(SESSIONS_RESUMED, COUNTER, "sessions_resumed_total", NONE, 1,                               \
      "Times another home took over a player without his client's doing.")

#define METRIC_VALUES(X)   \
    METRIC_WORLD_VALUES(X) \
    METRIC_CLUSTER_VALUES(X)

/* Of each link with another node, which is the label `peer`. X(...) as above; `series` counts the
 * first lanes. */
#define METRIC_LINK_VALUES(X)                                                                    \
    X(UP, GAUGE, "link_up", NONE, 1, "1 while the link stands.")                                 \
    X(ROUND_TRIP, GAUGE, "link_round_trip_seconds", NONE, 1,                                     \
      "Round trip of the last heart-beat, through the loops of both.")                           \
    X(SENT, COUNTER, "link_sent_bytes_total", NONE, 1, "Bytes sent.")                            \
    X(RECEIVED, COUNTER, "link_received_bytes_total", NONE, 1, "Bytes received.")                \
    X(QUEUE, GAUGE, "link_queue_bytes", LANE, METRIC_OF_request,                                 \
      "Bytes that wait to be sent, by lane.")                                                    \
    X(BACKLOG, GAUGE, "link_backlog_seconds", NONE, 1,                                           \
      "For so long the line has not taken all that there was: the link's indicator of network.") \
    X(REFUSED, COUNTER, "link_refused_total", LANE, METRIC_LANE_COUNT,                           \
      "Messages that found no room in their lane; of control: times the link was cut for it.")   \
    X(UPS, COUNTER, "link_ups_total", NONE, 1, "Times it came up.")                              \
    X(BREAKS, COUNTER, "link_breaks_total", NONE, 1, "Times it broke.")                          \
    X(BEATS_MISSED, COUNTER, "link_beats_missed_total", NONE, 1,                                 \
      "Heart-beats that had no answer when the next one was due; three in a row break it.")

/* Distributions. X(id, name without "seom_", doc) */
#define METRIC_HISTOGRAMS(X)                                                                   \
    X(LOGIC_QUEUE_WAIT, "logic_queue_wait_seconds",                                            \
      "How long a message waited for the logic thread: the indicator of CPU.")                 \
    X(TICK, "tick_seconds", "From the moment a tick was due to the moment it was done.")       \
    X(COMMAND, "command_seconds", "From a command's arrival to its answer.")                   \
    X(STORE_GROUP, "store_group_seconds", "From the beginning of a transaction to its fsync.") \
    X(BEAT, "heartbeat_round_trip_seconds", "Round trips of heart-beats with all other nodes.")

#define METRIC_SLOTS(id, type, name, label, series, doc) \
    METRIC_##id, METRIC_##id##_LAST = METRIC_##id + (series)-1,

enum metric { METRIC_VALUES(METRIC_SLOTS) METRIC_COUNT };

#undef METRIC_SLOTS
#define METRIC_SLOTS(id, type, name, label, series, doc) \
    LINK_METRIC_##id, LINK_METRIC_##id##_LAST = LINK_METRIC_##id + (series)-1,

enum link_metric { METRIC_LINK_VALUES(METRIC_SLOTS) LINK_METRIC_COUNT };

#undef METRIC_SLOTS
#define METRIC_HIST(id, name, doc) METRIC_##id,

enum metric_histogram { METRIC_HISTOGRAMS(METRIC_HIST) METRIC_HISTOGRAM_COUNT };

#undef METRIC_HIST

struct metrics_link {
    char peer[METRICS_PEER_MAX];
    double values[LINK_METRIC_COUNT]; /* values[LINK_METRIC_REFUSED + lane] */
};

struct metrics {
    char world[METRICS_LABEL_MAX], node[METRICS_LABEL_MAX], host[METRICS_LABEL_MAX];
    char version[METRICS_LABEL_MAX], revision[METRICS_LABEL_MAX];
    double values[METRIC_COUNT]; /* values[METRIC_DROPS + cause] */
    struct hist histograms_us[METRIC_HISTOGRAM_COUNT];
    uint32_t links_count;
    struct metrics_link links[METRICS_LINKS_MAX];
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
