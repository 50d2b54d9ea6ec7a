/* What the committer wraps around each document in an engine that is used one key at a time: the
 * version its users see, who wrote the last two versions, and what a commit over several documents
 * is about to make of it (the pend), which is also the lock of that commit.
 *
 * Each put and each delete raises the version that users see by exactly one. Staging a pend and
 * taking it away again do not; the engine's own version, which every write raises, guards those.
 *
 * Format, little-endian: u8 format; u8 flags (1: body exists; bits 1..3: kind of pend); u64
 * version; two writers, newest first, each u48 epoch and u48 count; u32 bytes of body; body. With a
 * pend: its writer likewise, then its body up to the end. A new field goes before the body with a
 * new format number; a node reads its own format and the one before it. Pure values; reading
 * allocates and copies nothing.
 *
 * A document without an envelope is one that was written while all documents lay in one engine,
 * which needs none: it is what its bytes are, at the engine's version, by nobody known. It is told
 * by its first byte: our documents are messages of protobuf, in which that is the key of a field
 * and so at least 8; formats of envelopes stay below.
 */
#ifndef SEOM_STORE_ENVELOPE_H
#define SEOM_STORE_ENVELOPE_H

#include "env/env.h"
#include "store/record.h"
#include <stdbool.h>
#include <stdint.h>

#define ENVELOPE_WRITERS    2
#define ENVELOPE_HEAD_BYTES (14 + 12 * ENVELOPE_WRITERS)
#define ENVELOPE_MAX        (ENVELOPE_HEAD_BYTES + 12 + 2 * STORE_VALUE_MAX)

_Static_assert(ENVELOPE_MAX <= STORE_VALUE_ENGINE_MAX, "an engine takes a document with its pend");

enum pend_kind { PEND_NONE, PEND_PUT, PEND_DELETE, PEND_CHECK, PEND_FORGET };

struct envelope {
    uint64_t version; /* that users see; 0 = was never there, even if the engine has a document */
    bool exists;
    struct slice body;                     /* borrowed from what was read */
    struct txid writers[ENVELOPE_WRITERS]; /* of version, of version - 1; count 0: nobody known */
    enum pend_kind pend;
    struct txid pend_id;
    struct slice pend_body; /* borrowed */
};

/* A document that the engine does not have is an envelope of the engine's version, which is 0
 * unless it was deleted. ERR_FORMAT; ERR_NEWER: of a
 * format that is not known here. */
enum err envelope_read(const struct store_doc *raw, struct envelope *out);
/* The bytes written. The slices must not point into out. */
size_t envelope_write(const struct envelope *envelope, uint8_t out[ENVELOPE_MAX]);

/* Makes the next version: a put or a delete of this writer. */
void envelope_advance(struct envelope *envelope, enum store_op op, struct slice body,
                      struct txid writer);
/* Takes the pend off: forward makes it the document, otherwise it is dropped. */
void envelope_decide(struct envelope *envelope, bool forward);

/* Whether this writer made the version that follows base. */
enum written { WRITTEN_NO, WRITTEN_YES, WRITTEN_UNTOLD };
enum written envelope_written(const struct envelope *envelope, uint64_t base, struct txid writer);

enum pend_kind pend_of_op(enum store_op op);

#endif
