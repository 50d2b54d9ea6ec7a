/* The mutants of a cluster: ways in which it can be made wrong on purpose. The simulator proves
 * itself by finding each within its seeds. */
#ifndef SEOM_PROOF_CLUSTER_MUTANT_H
#define SEOM_PROOF_CLUSTER_MUTANT_H

#include "fabric/directory.h"
#include "fabric/mesh.h"
#include "fabric/notes.h"
#include "fabric/requests.h"
#include "view/gate.h"
#include "world/world.h"

struct cluster_mutant {
    const char *name, *doc;
    enum world_mutant world;
    enum gate_mutant gate;
    enum mesh_mutant mesh;
    enum notes_mutant notes;
    enum requests_mutant requests;
    enum directory_mutant directory;
    uint32_t seeds; /* it is found within so many */
};

const struct cluster_mutant *cluster_mutant_find(const char *name); /* NULL: no such mutant */
const struct cluster_mutant *cluster_mutant_at(uint32_t n);         /* NULL behind the last one */

#endif
