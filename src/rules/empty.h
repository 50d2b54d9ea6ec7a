/* The empty game: people move as in the sample game, and there is nothing else. For benches, whose
 * figures are then those of people alone, and as the shortest example of what a game must say.
 */
#ifndef SEOM_RULES_EMPTY_H
#define SEOM_RULES_EMPTY_H

#include "world/game.h"

extern const struct game empty_game;

#endif
