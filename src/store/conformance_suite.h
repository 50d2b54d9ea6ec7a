/* The inside of the conformance suite: what its cases have in hand. For tests, by conformance*.c.
 */
#ifndef SEOM_STORE_CONFORMANCE_SUITE_H
#define SEOM_STORE_CONFORMANCE_SUITE_H

#include "store/conformance.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#define TOKENS_MAX 4096

enum answer_kind { ANSWER_GOT, ANSWER_COMMITTED, ANSWER_SCANNED };

/* What came back for a token. */
struct answer {
    uint32_t times;
    enum answer_kind kind;
    enum store_result result;
    uint64_t version;
    bool exists;
    uint32_t value_bytes;
    uint8_t *value; /* owned by the suite */
};

/* What the last scan found. */
struct found {
    char key[STORE_KEY_MAX + 1];
    uint64_t version, value_hash;
    uint32_t value_bytes;
};

struct suite {
    const struct conformance_engine *engine;
    struct env_store port;
    struct answer *answers; /* by token */
    uint64_t next_token;
    uint32_t answered;
    struct found found[STORE_SCAN_MAX];
    uint32_t found_count;
    uint32_t hints;
    char hinted[STORE_KEY_MAX + 1]; /* at last */
};

void suite_connect(struct suite *s);
void suite_reopen(struct suite *s);
struct slice text_slice(const char *t);
uint64_t suite_hash(struct slice value);
/* Waits for the answer and looks that it came once. */
const struct answer *suite_await(struct suite *s, uint64_t token);
uint64_t suite_get_send(struct suite *s, const char *key);
const struct answer *suite_get(struct suite *s, const char *key); /* which must be STORE_OK */
uint64_t suite_commit_send(struct suite *s, const struct store_write *writes, uint32_t count);
enum store_result suite_commit(struct suite *s, const struct store_write *writes, uint32_t count);
enum store_result suite_commit_one(struct suite *s, struct store_write write);
/* Into s->found; how many. */
uint32_t suite_scan(struct suite *s, const char *prefix, const char *after, uint32_t limit);
struct store_write write_put(const char *key, uint64_t version, const char *value);
struct store_write write_delete(const char *key, uint64_t version);
struct store_write write_forget(const char *key, uint64_t version);
struct store_write write_check(const char *key, uint64_t version);
void assert_document(const struct answer *a, uint64_t version,
                     const char *value); /* NULL: is not */
void assert_refused(struct suite *s, const struct store_write *writes, uint32_t count,
                    enum err why);

/* ---- the cases, by file ---- */

/* conformance_scan.c */
void forget_leaves_nothing(void **state);
void forget_belongs_to_its_commit(void **state);
void scan_goes_in_the_order_of_keys(void **state);
void scan_by_pages_finds_all(void **state);
void scan_bears_large_values(void **state);
void scan_refuses_what_is_outside_its_limits(void **state);
void watches_hint_if_the_engine_says_so(void **state);
/* conformance_history.c */
void histories_are_serializable(void **state);
void histories_with_faults_are_serializable(void **state);

#endif
