/* The model of the world that the simulator runs: gates, world and client library, the very objects
 * of the server, on virtual time with one seed. The seed draws everything: who the persons are,
 * delays, faults, store trouble, restarts.
 *
 * A run has two phases. In the first, faults fall and nothing wrong may happen (check.c says what
 * wrong is); in the second the faults stop and everybody must be playing again. One thread; all
 * memory belongs to the model.
 */
#ifndef SEOM_PROOF_MODEL_H
#define SEOM_PROOF_MODEL_H

#include "proof/mutant.h"
#include "proof/verdict.h"
#include <stdbool.h>
#include <stdint.h>

/* What the checks look at; each counts how often it was exercised. X(id, what must hold) */
#define PROOF_PROPERTIES(X)                                                                    \
    X(VISIBLE, "two people within view see each other within 300 ms")                          \
    X(AGREES, "a viewer has the same motion of another as the truth, 300 ms after it changed") \
    X(NO_GHOST, "nobody stays in a replica who has left its surroundings or the world")        \
    X(SPEED, "nobody covers more than 1.05 x speed x (time + 200 ms)")                         \
    X(HYSTERESIS, "what stays within 5 x 5 chunks is not dropped")                             \
    X(OWN, "an honest client stands where the truth has it")                                   \
    X(QUEUES, "no queue exceeds its limit")                                                    \
    X(PATIENCE, "who does not read for less than 15 s is not cut")                             \
    X(LIMITS_KEPT, "malformed and hostile peers are cut, each with a code")                    \
    X(ONE_SESSION, "of two connections with one ticket the newer wins")                        \
    X(DIGEST, "gate and home agree on the subscriptions")                                      \
    X(CROWD_SEEN, "in a crowd everybody is seen within seconds")                               \
    X(ABSENT, "an avatar without a session is gone after 30 s")                                \
    X(RESTART, "after a crash people stand where they stood, at most a second ago")            \
    X(RECOVERS, "when the faults stop everybody plays")

#define PROOF_ENUM(id, what) PROOF_##id,

enum proof_property { PROOF_PROPERTIES(PROOF_ENUM) PROOF_COUNT };

#undef PROOF_ENUM

struct proof_options {
    uint64_t seed;
    uint32_t players;            /* 0: the seed draws 8 to 30, or a crowd */
    uint32_t seconds;            /* of virtual time with faults; 0: 60 */
    const struct mutant *mutant; /* NULL: none */
};

struct proof_result {
    enum proof_verdict verdict;
    enum proof_property broken; /* of PROOF_WRONG and PROOF_STUCK */
    char what[256];             /* in words, with who and when */
    uint64_t events;
    uint64_t trace_hash; /* equal for equal histories */
    uint64_t exercised[PROOF_COUNT];
};

void proof_run(const struct proof_options *options, struct proof_result *out);
const char *proof_property_text(enum proof_property property);

#endif
