/* The deeds of the sample game: what its players do to things of value. With those of the society
 * (trade, mail, bag) they are everything that the body of a command can ask for.
 *
 *     pick   fruit of a tree within reach, once each time it bears; what finds no room is mailed
 *     eat, craft, sell, buy    end and make things, by the tables of sample_kinds.h
 *     drop, take               lay a stack where one stands; take up what lies within reach
 *     build  a chest out of the bag, where one stands; everybody within reach may put things in
 *            and take them out; its builder takes it up again when it is empty
 *
 * Refusals: MALFORMED, what makes no sense; NOT_FOUND, what is not (any more) there; TOO_FAR, what
 * is out of reach; NO_ROOM, where nothing more can lie; REFUSED, what is not ripe, not owned, or
 * not for sale, and what a purse refuses.
 *
 * Constant tables and pure functions; the logic thread.
 */
#ifndef SEOM_RULES_SAMPLE_DEEDS_H
#define SEOM_RULES_SAMPLE_DEEDS_H

#include "base/bytes.h"
#include "store/deed.h"

/* Which deed the body of a command, a packed seom.Deed, asks for; NULL: malformed. */
const struct deed_kind *sample_deed(struct slice body);

/* Brings the document of the chunk in which the actor stands up to date with time: up to the world
 * time (i64) in the body, or to now with an empty one; never beyond now. Any number of times, in
 * any order. */
extern const struct deed_kind sample_regrow;

#endif
