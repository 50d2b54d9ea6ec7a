/* What the deeds of this room are called in a command, and what every deed does with its body, its
 * answer and other players. A game asks society_deed() for deeds that it does not know itself.
 *
 * Pure functions within a deed.
 */
#ifndef SEOM_SOCIETY_DEEDS_H
#define SEOM_SOCIETY_DEEDS_H

#include "society/purse.h"

extern const struct deed_kind society_split;

/* The deed of this room for a what_case of Deed; NULL: none of ours. */
const struct deed_kind *society_deed(Seom__Deed__WhatCase what);
/* The body, in the attempt's memory; NULL: malformed, or it asks for something else. */
const Seom__Deed *deed_asked(struct deed *deed, Seom__Deed__WhatCase what);
/* What a deed gains its player: all that is in holds now, copied. false: no memory. */
bool deed_gains(struct deed *deed, Seom__DeedResult *result, const Seom__Holdings *holds);
/* The answer; lines of gained that do not fit are left out. */
void deed_answer(struct deed *deed, Seom__DeedResult *result);
/* Somebody's document, the initiator's too. FINE, NOT_FOUND, DEED_MORE. */
uint32_t deed_open_player(struct deed *deed, uint64_t id, Seom__PlayerDocument **player);
/* Parts of a purse and coins, as a client named them, into another. FINE or as purse_move(). */
uint32_t deed_move_parts(struct deed *deed, const struct purse *from, Seom__Part *const *parts,
                         size_t count, uint64_t coins, const struct purse *to, enum reason reason);

#endif
