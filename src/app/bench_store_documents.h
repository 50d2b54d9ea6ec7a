/* The documents that a bench of the store writes: keys as players have them, values of 200 to 400
 * bytes that follow from the document and its version, so that whatever is read back can be
 * judged. Keeps the version that each document has, and who is being written: such a one is not
 * picked again, so that commits under way never meet.
 *
 * Pure. The versions lie in memory that is shared with children forked later: what a child has
 * settled its parent knows, also when the child is killed. One writer at a time.
 */
#ifndef SEOM_APP_BENCH_STORE_DOCUMENTS_H
#define SEOM_APP_BENCH_STORE_DOCUMENTS_H

#include "base/rand.h"
#include "store/keys.h"
#include <stdatomic.h>

#define BENCH_VALUE_MIN 200
#define BENCH_VALUE_MAX 400

struct bench_documents {
    uint32_t count;
    _Atomic uint64_t *versions; /* owned; 0: not written yet */
    uint8_t *under_way;         /* owned; of each document, 0 or 1 */
    uint8_t *noise;             /* owned; what values are cut from */
    struct rand rand;
};

/* ERR_FULL: no memory; then it owns nothing. */
enum err bench_documents_init(struct bench_documents *documents, uint32_t count,
                              uint64_t seed) MUST_USE;
void bench_documents_fini(struct bench_documents *documents);

/* One of the first `among` that is not under way, and is from now on. */
uint32_t bench_documents_pick(struct bench_documents *documents, uint32_t among);
/* It is not under way any more; written: and its version is one higher. */
void bench_documents_settle(struct bench_documents *documents, uint32_t document, bool written);
uint64_t bench_documents_version(const struct bench_documents *documents, uint32_t document);

struct key bench_document_key(uint32_t document);
/* How many bytes the value of this version has. */
size_t bench_document_value(const struct bench_documents *documents, uint32_t document,
                            uint64_t version, uint8_t value[BENCH_VALUE_MAX]);
bool bench_document_fits(const struct bench_documents *documents, uint32_t document,
                         uint64_t version, struct slice value);

#endif
