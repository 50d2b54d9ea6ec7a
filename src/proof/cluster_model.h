/* The model of a cluster that the simulator runs: homes, gates and relays of one shard or two with
 * their meshes, a directory as forgetful as etcd, one store, and people with the client library;
 * the very objects of the server, on virtual time with one seed. The seed draws everything: how
 * many nodes, of which version, who dies, stands still, is cut off, drains, and what directory and
 * store do wrong.
 *
 * A run has three phases. In the first, faults fall, and only what may never happen is wrong
 * (cluster_check.c). Then they stop and people go on for CLUSTER_HEAL_S; then everybody stands
 * still, and all must agree with each other and with the documents. One thread; all memory belongs
 * to the model.
 */
#ifndef SEOM_PROOF_CLUSTER_MODEL_H
#define SEOM_PROOF_CLUSTER_MODEL_H

#include "proof/cluster_mutant.h"
#include "proof/verdict.h"
#include <stdbool.h>
#include <stdint.h>

/* What takes longest to heal: a watch that died in silence is found by the next list of the
 * directory (up to DIRECTORY_RELIST_MS), and two who took each other's block wait once more
 * (CLAIM_LOST_MS). */
#define CLUSTER_HEAL_S  45
#define CLUSTER_QUIET_S 8

/* What the checks look at; each counts how often it was exercised. X(id, what must hold) */
#define CLUSTER_PROPERTIES(X)                                                          \
    X(ONE_HOME, "a player's session_epoch belongs to one home, and never decreases")   \
    X(FENCED, "no commit takes back a command that was done")                          \
    X(ONE_STEWARD, "a block's steward_epoch belongs to one home, and never decreases") \
    X(HELD_LINE, "nobody loses its line because a home died, drained or was cut off")  \
    X(TIMELY, "every request ends")                                                    \
    X(KEEPS_NAME, "whom nobody took for dead keeps its epoch")                         \
    X(ALIVE, "a node ends only when it is killed or leaves")                           \
    X(NO_SCANS, "play walks over no documents")                                        \
    X(PLAYS, "when the faults are over everybody plays, at one home")                  \
    X(OWN, "and stands where its home has it")                                         \
    X(VISIBLE, "and is seen by whoever stands near")                                   \
    X(NO_GHOST, "and nobody is seen who is not there")                                 \
    X(THINGS, "and what lies around is what the documents say")                        \
    X(DIGEST, "gates and homes agree on the subscriptions")                            \
    X(BOOK, "everybody's book has exactly the nodes that are there")                   \
    X(BALANCED, "the audit balances")                                                  \
    X(PLACE_KEPT, "no page of places goes that a document needs")                      \
    X(PAGES, "and no page of places is left that nobody needs")                        \
    X(OWN_ISLAND, "nobody is played, shown or claimed by a home of another shard")     \
    X(NOTES_ONLY, "a relay is told, and tells, notes and nothing else")                \
    X(NOTE_ONCE, "a note comes to a home once, and not to the shard it began in")      \
    X(LINE_ONCE, "nobody hears a line twice while it plays, or what nobody said")      \
    X(LED, "who is led to other gates is led to those of its island")                  \
    X(LINE_ALL, "when the faults are over a line is heard by everybody, in order")     \
    X(MAIL, "and who gets mail is told so")                                            \
    X(GATES, "and homes know where the gates of the other shards are")                 \
    X(LINKS, "and who is to have a link has one, and nobody else")

#define CLUSTER_ENUM(id, what) CLUSTER_##id,

enum cluster_property { CLUSTER_PROPERTIES(CLUSTER_ENUM) CLUSTER_PROPERTIES_COUNT };

#undef CLUSTER_ENUM

/* Rare branches that some seed of many must have taken. X(id, what happened) */
#define CLUSTER_SOMETIMES(X)                                                  \
    X(HOME_KILLED, "a home was killed")                                       \
    X(GATE_KILLED, "a gate was killed")                                       \
    X(PAUSED_LONG, "a home stood still for longer than its lease")            \
    X(DEAD_SELF, "a home heard that it was taken for dead")                   \
    X(CUT_ONE_WAY, "two nodes were cut off from each other in one direction") \
    X(LINE_BROKEN, "a person's line broke")                                   \
    X(DRAINED, "a home gave all its people away")                             \
    X(RESUMED, "a session went on at another home")                           \
    X(DIRECTORY_AWAY, "a node died while the directory was away")             \
    X(LEASE_LOST, "a living node's lease was lost")                           \
    X(STORE_AWAY, "the store was away")                                       \
    X(FORWARDED, "a command was run by the steward's home")                   \
    X(FORWARD_LATE, "and its answer did not come")                            \
    X(CLAIM_LOST, "a steward found that another had taken its block")         \
    X(COMMANDS, "a command was done")                                         \
    X(MIXED, "nodes of two versions ran together")                            \
    X(RELAY_KILLED, "a relay was killed")                                     \
    X(LINE_CROSSED, "a line was heard in another shard")                      \
    X(NOTE_TWICE, "a note came by two ways")                                  \
    X(NOTE_LOST, "a note was lost")                                           \
    X(MAIL_CROSSED, "who plays in another shard was told of mail by a note")  \
    X(WAS_LED, "somebody was led to the gates of another shard")              \
    X(SWEPT, "a page of places was taken away")                               \
    X(WENT, "somebody went to the other island as somebody new")

#define CLUSTER_ENUM(id, what) CLUSTER_SOMETIMES_##id,

enum cluster_sometimes { CLUSTER_SOMETIMES(CLUSTER_ENUM) CLUSTER_SOMETIMES_COUNT };

#undef CLUSTER_ENUM

struct cluster_options {
    uint64_t seed;
    uint32_t nodes;                      /* 0: the seed draws 3 to 12 */
    uint32_t seconds;                    /* of virtual time with faults; 0: 45 */
    const struct cluster_mutant *mutant; /* NULL: none */
    void (*trace)(void *ctx,
                  const char *line); /* each fault, and each line of a log; may be NULL */
    void *trace_ctx;
};

struct cluster_result {
    enum proof_verdict verdict;
    enum cluster_property broken; /* unless fine */
    char what[256];               /* in words, with who and when */
    uint64_t events;
    uint64_t trace_hash; /* equal for equal histories */
    uint64_t exercised[CLUSTER_PROPERTIES_COUNT];
    uint64_t sometimes[CLUSTER_SOMETIMES_COUNT];
};

void cluster_run(const struct cluster_options *options, struct cluster_result *out);
const char *cluster_property_text(enum cluster_property property);
const char *cluster_sometimes_text(enum cluster_sometimes what);

#endif
