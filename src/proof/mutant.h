/* The mutants: ways in which the server can be made wrong on purpose. The simulator proves itself
 * by finding each. */
#ifndef SEOM_PROOF_MUTANT_H
#define SEOM_PROOF_MUTANT_H

#include "view/gate.h"
#include "world/world.h"

struct mutant {
    const char *name, *doc;
    enum world_mutant world;
    enum gate_mutant gate;
};

const struct mutant *mutant_find(const char *name); /* NULL: no such mutant */
const struct mutant *mutant_at(uint32_t n);         /* NULL behind the last one */

#endif
