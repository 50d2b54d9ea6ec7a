/* The record of a commit over several documents: one document of the engine at
 * <world>/tx/<node epoch>-<count>, which says whether the commit happens. It is inserted once as
 * PENDING; making it COMMITTED is the moment in which all documents change; ABORTED is for ever.
 * The name is a nonce and is never used twice: 48 bits of node epoch and 44 bits of a count that
 * starts anew with each epoch.
 *
 * Format, little-endian: u8 format, u8 state, i64 deadline (world ms), u16 keys, then each key as
 * u8 length and bytes. A new field goes to the end with a new format number; a node reads its own
 * format and the one before it. Pure values; nothing is allocated or copied.
 */
#ifndef SEOM_STORE_RECORD_H
#define SEOM_STORE_RECORD_H

#include "store/keys.h"
#include <stdbool.h>
#include <stdint.h>

#define KEY_CLASS_RECORD "tx"

#define TXID_EPOCH_MAX ((UINT64_C(1) << 48) - 1)
#define TXID_COUNT_MAX ((UINT64_C(1) << 44) - 1)

#define RECORD_KEYS_MAX   64
#define RECORD_HEAD_BYTES 12
#define RECORD_MAX        (RECORD_HEAD_BYTES + RECORD_KEYS_MAX * (1 + STORE_KEY_MAX))

/* Who wrote: a commit of several documents, or the single write of one. */
struct txid {
    uint64_t epoch;
    uint64_t count; /* 0: nobody */
};

enum record_state { RECORD_MISSING, RECORD_PENDING, RECORD_COMMITTED, RECORD_ABORTED };

struct commit_record {
    enum record_state state; /* never RECORD_MISSING */
    int64_t deadline_ms;     /* world time after which anybody may abort it */
    uint32_t count;
    struct slice keys; /* packed; walk with record_next_key(). Borrowed from what was read */
};

static inline bool
txid_same(struct txid a, struct txid b)
{
    return a.epoch == b.epoch && a.count == b.count;
}

struct key record_key(uint16_t world, struct txid id);
/* What all records' keys begin with. */
struct key record_prefix(uint16_t world);
/* ERR_FORMAT: not the key of a record. */
enum err record_key_parse(struct slice key, struct txid *id);

/* ERR_FORMAT; ERR_NEWER: of a format that is not known here. */
enum err record_read(struct slice raw, struct commit_record *out);
/* Takes the next key off; false when there is none left. */
bool record_next_key(struct commit_record *record, struct slice *key);
/* The bytes written. */
size_t record_write(const struct commit_record *record, uint8_t out[RECORD_MAX]);
/* Appends one key to packed ones at out + used; the bytes used afterwards. */
size_t record_add_key(uint8_t *out, size_t used, size_t room, struct slice key);

#endif
