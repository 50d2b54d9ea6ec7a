#include "proof/commit_mutant.h"

#include <stddef.h>
#include <string.h>

/* The thirteen of RELIABILITY 3.4, of which adopt-record is also the second bug of 3.5; same-nonce
 * is the first; then what commands and deeds can do wrong. Budgets: where a seed in n notices, at
 * least 12 n, so that a change of the model does not hide one by chance. */
static const struct commit_mutant mutants[] = {
    {"naive", "one document after the other, without a record", 10,
     .committer = COMMITTER_MUTANT_NAIVE},
    {"no-last-seq", "nobody looks whether the command was done", 20,
     .commands = COMMANDS_MUTANT_NO_LAST_SEQ},
    {"commit-by-put", "the commit point does not look at the record's version", 50,
     .committer = COMMITTER_MUTANT_COMMIT_BY_PUT},
    {"clean-before-apply", "the record is forgotten before the documents changed", 10,
     .committer = COMMITTER_MUTANT_CLEAN_BEFORE_APPLY},
    {"missing-is-committed", "a pend without a record counts", 100,
     .committer = COMMITTER_MUTANT_MISSING_IS_COMMITTED},
    {"apply-unchecked", "a commit applies whatever pend it finds", 50,
     .committer = COMMITTER_MUTANT_APPLY_UNCHECKED},
    {"clear-without-abort", "a helper drops a pend without making its record ABORTED", 100,
     .committer = COMMITTER_MUTANT_CLEAR_WITHOUT_ABORT},
    {"unknown-commit-is-failure", "a commit point answered UNKNOWN counts as failed", 50,
     .committer = COMMITTER_MUTANT_UNKNOWN_IS_FAILURE},
    {"fail-not-consumed", "refusals are told without being written", 10,
     .commands = COMMANDS_MUTANT_FAIL_NOT_CONSUMED},
    {"engine-rolls-back", "the engine loses writes that it had acknowledged", 20,
     .engine_rolls_back = true},
    {"blind-put", "documents are staged without looking at their versions", 20,
     .committer = COMMITTER_MUTANT_BLIND_PUT},
    {"ack-early", "OK is told before the commit point", 10,
     .committer = COMMITTER_MUTANT_ACK_EARLY},
    {"adopt-record", "a record that came back is taken for one's own", 100,
     .committer = COMMITTER_MUTANT_ADOPT_RECORD},
    {"same-nonce", "an insert that may be lost is sent again under the same nonce", 300,
     .committer = COMMITTER_MUTANT_SAME_NONCE},
    {"over-pend", "a commit of documents that live together does not wait for a live pend", 70,
     .committer = COMMITTER_MUTANT_OVER_PEND, .together = true},
    {"unknown-is-failure", "UNKNOWN is told to the player as a refusal", 150,
     .commands = COMMANDS_MUTANT_UNKNOWN_IS_FAILURE},
    {"foreign-version", "of a commit only the version of the initiator's document is checked", 20,
     .commands = COMMANDS_MUTANT_FOREIGN_VERSION},
    {"split-overflow", "counts are added without a check", 50,
     .society = SOCIETY_MUTANT_SPLIT_OVERFLOW},
    {"claim-keeps", "a claimed mail stays as it was", 50, .society = SOCIETY_MUTANT_CLAIM_KEEPS},
    {"offer-changed", "the hash of an offer is not compared", 100,
     .society = SOCIETY_MUTANT_OFFER_CHANGED},
    {"regrow-twice", "a regrow job gives fruit each time it runs", 100,
     .society = SOCIETY_MUTANT_REGROW_TWICE},
    {"overflow-apart", "overflow mail is written in a commit of its own", 50,
     .society = SOCIETY_MUTANT_OVERFLOW_APART},
};

const struct commit_mutant *
commit_mutant_at(uint32_t n)
{
    return n < sizeof mutants / sizeof mutants[0] ? &mutants[n] : NULL;
}

const struct commit_mutant *
commit_mutant_find(const char *name)
{
    for (uint32_t i = 0; commit_mutant_at(i) != NULL; i++) {
        if (strcmp(mutants[i].name, name) == 0)
            return &mutants[i];
    }
    return NULL;
}
