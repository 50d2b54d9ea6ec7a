/* The mutants of the commit model: ways in which committer, commands, deeds or engine can be made
 * wrong on purpose. The simulator proves itself by finding each within its budget of seeds.
 */
#ifndef SEOM_PROOF_COMMIT_MUTANT_H
#define SEOM_PROOF_COMMIT_MUTANT_H

#include "society/kinds.h"
#include "store/commands.h"
#include "store/committer.h"
#include <stdbool.h>
#include <stdint.h>

struct commit_mutant {
    const char *name, *doc;
    uint32_t seeds; /* it must be found within so many */
    enum committer_mutant committer;
    enum commands_mutant commands;
    enum society_mutant society;
    bool together; /* only on an engine with groups */
    bool engine_rolls_back;
};

const struct commit_mutant *commit_mutant_find(const char *name); /* NULL: no such mutant */
const struct commit_mutant *commit_mutant_at(uint32_t n);         /* NULL behind the last one */

#endif
