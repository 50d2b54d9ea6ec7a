/* Picking and growing back. What hangs on a tree is a closed form; a chunk's document only says of
 * which fruit there is none left. One harvest is (thing, until when its fruit hangs), a name that
 * never comes twice, and each is given once:
 *
 *     pick(thing, until)   notes the harvest; refused when it or a later one of the thing is noted,
 *                          or when harvests up to `until` are over
 *     regrow(upto)         takes out the notes whose until <= upto and keeps the latest of these as
 *                          regrown_ms: harvests up to it are over
 *
 * What is taken out hangs no more, so nobody sees whether a job ran, late, twice, or not yet: a
 * chunk that slept looks like one that was watched. Jobs may come in any order and any number:
 * after the latest of them the document is the same. And a command that was held up until the fruit
 * it saw was picked by somebody else, fell and was forgotten finds that harvest over, instead of
 * finding no note.
 *
 * Pure; on a document within a deed, or on one that is only looked at. At most one note for each
 * closed form of a chunk.
 */
#ifndef SEOM_RULES_GROVE_H
#define SEOM_RULES_GROVE_H

#include "documents.pb-c.h"
#include "store/deed.h"
#include <stdbool.h>
#include <stdint.h>

/* Whether the fruit that hangs until then is still there. chunk: NULL where there is none. */
bool grove_bears(const Seom__ChunkDocument *chunk, uint32_t thing, int64_t until_ms);
/* CHECKs that it bears. false: no memory, return DEED_MORE. */
bool grove_pick(struct deed *deed, Seom__ChunkDocument *chunk, uint32_t thing, int64_t until_ms);
/* Whether anything changed. */
bool grove_regrow(Seom__ChunkDocument *chunk, int64_t upto_ms);
int64_t grove_due_ms(const Seom__ChunkDocument *chunk); /* INT64_MAX: never */

#endif
