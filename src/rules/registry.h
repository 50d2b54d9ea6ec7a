/* The games in this binary, by name. Constant; any thread. */
#ifndef SEOM_RULES_REGISTRY_H
#define SEOM_RULES_REGISTRY_H

#include "world/game.h"
#include <stdint.h>

const struct game *registry_find(const char *name); /* NULL: no such game */
const struct game *registry_at(uint32_t n);         /* NULL behind the last one */

#endif
