/* How many others everybody has around: the figure by which a bench knows that its people keep
 * together as real ones do. Counted over the whole herd: a hundred observers would have to look for
 * minutes, as a few hot places make most of the mean. Pure; any thread.
 */
#ifndef SEOM_BOTS_AROUND_H
#define SEOM_BOTS_AROUND_H

#include "bots/observer.h"

/* The sum of others in the 3 x 3 chunks around each of those who play; *people: how many do. */
uint64_t around_count(const struct truth_spot *spots, uint32_t count, uint64_t *people);

#endif
