/* The model of value that the simulator runs: a few nodes with the server's own committer, commands
 * and deeds share one engine that is used one key at a time, and people send their commands to
 * several of them at once. Some seeds give the engine groups of documents that it commits together,
 * as several servers do, and some run the nodes on an engine with whole commits, so that all ways
 * are proved. The seed draws everything: people, clocks, deadlines, faults.
 *
 * Two phases: in the first everything breaks and nothing wrong may happen; then the faults stop,
 * everybody must be answered and nothing may be left in the middle. commit_check.c says after each
 * effect of the engine what wrong is; it knows documents and ledgers, not how they are written.
 *
 * One thread; all memory belongs to the run.
 */
#ifndef SEOM_PROOF_COMMIT_MODEL_H
#define SEOM_PROOF_COMMIT_MODEL_H

#include "proof/commit_mutant.h"
#include "proof/verdict.h"
#include <stdbool.h>
#include <stdint.h>

/* What must hold; each counts how often it was looked at. X(id, in words) */
#define COMMIT_PROPERTIES(X)                                                                   \
    X(ONE_PLACE, "I1: each thing is in exactly one place, and no id is given twice")           \
    X(CONSERVED, "I2: what is held is what was made less what was used up, kind by kind")      \
    X(LIMITS, "I2: no holding is negative or above its limit")                                 \
    X(LEDGER, "I2: what moves has its line in the ledger, and lines never change")             \
    X(ONCE, "I3: each command takes effect at most once, one after the other")                 \
    X(ANSWER, "I3: what was answered stands in the document, code and result")                 \
    X(REFUSAL, "I3: a refusal changes nothing but the last command")                           \
    X(CLAIM, "I4: what is in a mail is taken out once")                                        \
    X(OFFER, "I4: who accepts gets what was shown")                                            \
    X(FORWARD, "I5: session_epoch and last_seq never go back")                                 \
    X(FENCED, "I5: who is not home any more has no effect")                                    \
    X(WHOLE, "I7: a commit changes all of its documents in one moment, and nothing else does") \
    X(HARVEST, "a tree is picked once until it has regrown")                                   \
    X(RESOLVED, "I6: nothing stays half done longer than two deadlines after the last fault")  \
    X(ANSWERED, "when the faults stop everybody is answered within 5 s")                       \
    X(AUDIT, "at the end the audit of all documents is balanced")

/* What must happen now and then, or the run proves nothing of it. X(id, within so many seeds, in
 * words) */
#define COMMIT_SOMETIMES(X)                                                               \
    X(SEVERAL, 16, "a commit of several documents")                                       \
    X(ALONE, 16, "a commit of one document")                                              \
    X(DIRECT, 64, "a commit on an engine that takes several documents at once")           \
    X(TOGETHER, 32, "documents that live together were committed without a record")       \
    X(REFUSED, 16, "a refusal was written")                                               \
    X(AGAIN, 16, "a command was found done and answered from the document")               \
    X(STALE, 64, "a command of a session that is over was turned away")                   \
    X(GAP, 64, "a command that does not follow was turned away")                          \
    X(CHANGED, 64, "another content under the same number was turned away")               \
    X(UNKNOWN_DONE, 32, "a write answered UNKNOWN had happened")                          \
    X(UNKNOWN_COMMIT_DONE, 64, "a commit point answered UNKNOWN had happened")            \
    X(UNKNOWN_TOLD, 256, "nobody could tell, and the initiator's document was asked")     \
    X(HELPED_FORWARD, 32, "somebody else finished a commit")                              \
    X(HELPED_ABORT, 32, "somebody else aborted a commit past its deadline")               \
    X(BLOCKED, 32, "a live commit stood in the way")                                      \
    X(CONFLICT_ABORT, 32, "a commit gave up because of a conflict")                       \
    X(ZOMBIE_STAGE, 64, "a document was staged for a commit that was over")               \
    X(ZOMBIE_COMMIT, 128, "a commit point found its record gone or aborted")              \
    X(RESURRECTED, 256, "a record came back after it had been forgotten")                 \
    X(JUDGED, 1000, "the documents were asked whether a commit had happened")             \
    X(CRASH, 16, "a node died")                                                           \
    X(CRASH_STAGED, 64, "a node died while a document was staged by it")                  \
    X(CRASH_COMMITTED, 128, "a node died between the commit point and the last document") \
    X(STALL, 16, "a node stood still longer than its deadline")                           \
    X(CUT, 16, "a node lost its line to the engine under all that was under way")         \
    X(LATE, 16, "a write took effect long after its answer")                              \
    X(TWICE, 256, "a write arrived a second time and fitted")                             \
    X(ZOMBIE_WRITE, 256, "a write of a dead node took effect")                            \
    X(CLAIMED, 16, "a session moved to another node")                                     \
    X(OVERFLOW, 64, "what found no room was mailed")                                      \
    X(EXPIRED, 64, "what was in an old mail went to the world")                           \
    X(ACCEPTED, 32, "an offer was accepted")                                              \
    X(OFFER_CHANGED, 64, "an offer that had changed since it was seen was refused")       \
    X(MAIL_CLAIMED, 32, "a mail was claimed")                                             \
    X(REGROWN, 32, "a regrow job gave fruit")                                             \
    X(REGROW_JOB, 16, "a regrow job was done")                                            \
    X(PAGE, 16, "lines of a ledger moved into a page")

#define COMMIT_PROPERTY_ENUM(id, what)         COMMIT_##id,
#define COMMIT_SOMETIMES_ENUM(id, seeds, what) SOMETIMES_##id,

enum commit_property { COMMIT_PROPERTIES(COMMIT_PROPERTY_ENUM) COMMIT_PROPERTY_COUNT };

enum commit_sometimes { COMMIT_SOMETIMES(COMMIT_SOMETIMES_ENUM) COMMIT_SOMETIMES_COUNT };

#undef COMMIT_PROPERTY_ENUM
#undef COMMIT_SOMETIMES_ENUM

struct commit_options {
    uint64_t seed;
    uint32_t seconds;                   /* of virtual time with faults; 0: the seed draws it */
    const struct commit_mutant *mutant; /* NULL: none */
    /* Told of each effect, answer and fault, a line each; may be NULL. */
    void (*trace)(void *ctx, const char *line);
    void *trace_ctx;
};

struct commit_result {
    enum proof_verdict verdict;
    enum commit_property broken; /* of PROOF_WRONG and PROOF_STUCK */
    char what[256];              /* in words, with who and when */
    uint64_t events;             /* things taken from the heap */
    uint64_t trace_hash;         /* equal for equal histories */
    uint64_t commands;           /* that had an effect, refusals too */
    uint64_t exercised[COMMIT_PROPERTY_COUNT];
    uint64_t sometimes[COMMIT_SOMETIMES_COUNT];
};

void commit_run(const struct commit_options *options, struct commit_result *out);
const char *commit_property_text(enum commit_property property);
const char *commit_sometimes_text(enum commit_sometimes branch);
/* From so many seeds on, not to have seen it is a failure. */
uint32_t commit_sometimes_seeds(enum commit_sometimes branch);

#endif
