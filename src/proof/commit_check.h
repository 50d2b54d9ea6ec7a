/* What must hold (COMMIT_PROPERTIES): looked at with every transaction, every answer and at the
 * end. It knows people, documents and ledgers from what the engine holds, and nothing of how nodes
 * came to write it. Belongs to the run.
 */
#ifndef SEOM_PROOF_COMMIT_CHECK_H
#define SEOM_PROOF_COMMIT_CHECK_H

#include "base/map.h"
#include "base/pool.h"
#include "proof/commit_books.h"
#include "society/kinds.h"

struct commit_model;
struct command_result;
struct commit_person;

/* What a command did, as its player's document told first. */
struct effect {
    uint32_t code; /* + 1; 0: none yet */
    bool other;    /* it was the content that a liar sent */
    uint64_t result;
};

struct check {
    struct pool books;          /* struct book */
    int64_t held[KINDS_MAX];    /* of each kind, in all documents; coins stand at 0 */
    int64_t made[KINDS_MAX];    /* minted less consumed, by the ledgers */
    struct map uids;            /* single things: enum uid_state */
    struct map mails, harvests; /* emptied by a claim; picked */
    struct effect *effects;     /* owned: [person][seq] */
};

void check_init(struct commit_model *m);
void check_fini(struct commit_model *m);
/* After the effects of one commit of the engine that changed what counts. */
void check_transaction(struct commit_model *m);
/* A node answered this person, who had asked it with the liar's content or with the own. Whether
 * the command is over. */
bool check_answer(struct commit_model *m, const struct commit_person *p, uint64_t seq, bool other,
                  const struct command_result *result);
/* The faults have stopped: nothing may be half done for longer than allowed. */
void check_unresolved(struct commit_model *m);
void check_end(struct commit_model *m);
/* What a document of value says now; NULL: it is not there. */
const struct book *check_book(const struct commit_model *m, const char *class, uint64_t id);
const struct book *check_book_of(const struct commit_model *m, const struct truth_doc *doc);

#endif
