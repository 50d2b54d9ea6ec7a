/* For tests. The conformance suite's cases of forgetting, scanning and watching. */
#include "base/rand.h"
#include "store/conformance_suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- forgetting ---- */

void
forget_leaves_nothing(void **state)
{
    struct suite *s = *state;
    assert_int_equal(suite_commit_one(s, write_put("0001/f/1", 0, "one")), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_put("0001/f/1", 1, "two")), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_forget("0001/f/1", 1)), STORE_CONFLICT);
    assert_document(suite_get(s, "0001/f/1"), 2, "two");
    assert_int_equal(suite_commit_one(s, write_forget("0001/f/1", 2)), STORE_OK);
    assert_document(suite_get(s, "0001/f/1"), 0, NULL);
    suite_reopen(s);
    assert_document(suite_get(s, "0001/f/1"), 0, NULL);
    assert_int_equal(suite_commit_one(s, write_forget("0001/f/1", 2)), STORE_CONFLICT);
    assert_int_equal(suite_commit_one(s, write_forget("0001/f/1", 0)), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_put("0001/f/1", 0, "anew")), STORE_OK);
    assert_document(suite_get(s, "0001/f/1"), 1, "anew");
    assert_int_equal(suite_commit_one(s, write_delete("0001/f/1", 1)), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_forget("0001/f/1", 2)), STORE_OK); /* a tombstone */
    assert_document(suite_get(s, "0001/f/1"), 0, NULL);
    assert_int_equal(suite_commit_one(s, write_put("0001/f/1", 0, "x")), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_forget("0001/f/1", STORE_ANY_VERSION)), STORE_OK);
    assert_document(suite_get(s, "0001/f/1"), 0, NULL);
    assert_int_equal(suite_scan(s, "0001/f/", "", 1), 0);
}

void
forget_belongs_to_its_commit(void **state)
{
    struct suite *s = *state;
    assert_int_equal(suite_commit_one(s, write_put("0001/f/1", 0, "one")), STORE_OK);
    struct store_write stale[2] = {write_forget("0001/f/1", 1), write_check("0001/f/2", 7)};
    assert_int_equal(suite_commit(s, stale, 2), STORE_CONFLICT);
    assert_document(suite_get(s, "0001/f/1"), 1, "one");
    struct store_write fits[2] = {write_forget("0001/f/1", 1), write_put("0001/f/2", 0, "moved")};
    assert_int_equal(suite_commit(s, fits, 2), STORE_OK);
    assert_document(suite_get(s, "0001/f/1"), 0, NULL);
    assert_document(suite_get(s, "0001/f/2"), 1, "moved");
}

/* ---- scanning ---- */

static void
assert_found(struct suite *s, const char *prefix, const char *after, uint32_t limit,
             const char *expected)
{
    char keys[256] = "";
    uint32_t count = suite_scan(s, prefix, after, limit);
    for (uint32_t i = 0; i < count; i++) {
        size_t used = strlen(keys);
        snprintf(keys + used, sizeof keys - used, "%s ", s->found[i].key);
    }
    assert_string_equal(keys, expected);
}

/* Keys that are prefixes of others, and neighbours of the prefix on both sides. */
void
scan_goes_in_the_order_of_keys(void **state)
{
    struct suite *s = *state;
    static const char *const keys[] = {"s/b/2", "s/b/10", "s/b",  "s/b/1", "s/b0",
                                       "s/a/9", "s/b/",   "s/c/", "s/b~",  "s/b/1/x"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_int_equal(suite_commit_one(s, write_put(keys[i], 0, keys[i])), STORE_OK);
    assert_found(s, "s/b/", "", 64, "s/b/ s/b/1 s/b/1/x s/b/10 s/b/2 ");
    assert_found(s, "s/b/", "s/b/", 64, "s/b/1 s/b/1/x s/b/10 s/b/2 ");
    assert_found(s, "s/b/", "s/b/1", 2, "s/b/1/x s/b/10 ");
    assert_found(s, "s/b/", "s/b/11", 64, "s/b/2 "); /* is not there itself */
    assert_found(s, "s/b/", "s/b/2", 64, "");
    assert_found(s, "s/b/", "s/a/zzz", 1, "s/b/ "); /* in front of the prefix */
    assert_found(s, "s/b/", "s/c", 64, "");         /* behind it */
    assert_found(s, "s/b", "", 64, "s/b s/b/ s/b/1 s/b/1/x s/b/10 s/b/2 s/b0 s/b~ ");
    assert_found(s, "s/b/1/x", "", 64, "s/b/1/x ");
    assert_found(s, "s/b/1/xy", "", 64, "");
    assert_found(s, "", "s/b~", 64, "s/c/ ");
    assert_found(s, "", "", 1, "s/a/9 ");
    assert_int_equal(suite_commit_one(s, write_delete("s/b/1", 1)), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_forget("s/b/10", 1)), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_put("s/b/2", 1, "again")), STORE_OK);
    assert_found(s, "s/b/", "", 2, "s/b/ s/b/1/x ");
    assert_found(s, "s/b/", "s/b/1/x", 2, "s/b/2 ");
    assert_int_equal(s->found[0].version, 2);
    assert_true(s->found[0].value_hash == suite_hash(text_slice("again")));
    suite_reopen(s);
    assert_found(s, "s/b/", "", 64, "s/b/ s/b/1/x s/b/2 ");
}

#define PAGED_KEYS 150

static int
keys_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Page after page, whatever their size, gives each document once, and as it was written. */
void
scan_by_pages_finds_all(void **state)
{
    struct suite *s = *state;
    static char keys[PAGED_KEYS][24];
    for (uint32_t i = 0; i < PAGED_KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "0001/p/%llx", (unsigned long long)rand_mix(i, 5));
        assert_int_equal(suite_commit_one(s, write_put(keys[i], 0, keys[i])), STORE_OK);
    }
    assert_int_equal(suite_commit_one(s, write_put("0001/o/x", 0, "x")), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_put("0001/q/x", 0, "x")), STORE_OK);
    qsort(keys, PAGED_KEYS, sizeof keys[0], keys_compare);
    static const uint32_t limits[] = {1, 7, 50, 63, 64};
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
        char after[STORE_KEY_MAX + 1] = "";
        uint32_t seen = 0, count;
        do {
            count = suite_scan(s, "0001/p/", after, limits[l]);
            assert_true(count <= limits[l] && seen + count <= PAGED_KEYS);
            for (uint32_t i = 0; i < count; i++) {
                assert_string_equal(s->found[i].key, keys[seen]);
                assert_int_equal(s->found[i].version, 1);
                assert_true(s->found[i].value_hash == suite_hash(text_slice(keys[seen])));
                seen++;
            }
            if (count > 0)
                memcpy(after, s->found[count - 1].key, sizeof after);
        } while (count == limits[l]);
        assert_int_equal(seen, PAGED_KEYS);
    }
}

void
scan_bears_large_values(void **state)
{
    struct suite *s = *state;
    static uint8_t large[STORE_VALUE_ENGINE_MAX];
    uint64_t hashes[STORE_SCAN_MAX];
    char key[24];
    for (uint32_t i = 0; i < STORE_SCAN_MAX; i++) {
        snprintf(key, sizeof key, "0001/l/%02x", i);
        struct slice value = {large, s->port.value_max};
        memset(large, (int)i, sizeof large);
        struct store_write write = write_put(key, 0, "");
        write.value = value;
        assert_int_equal(suite_commit_one(s, write), STORE_OK);
        hashes[i] = suite_hash(value);
    }
    assert_int_equal(suite_scan(s, "0001/l/", "", STORE_SCAN_MAX), STORE_SCAN_MAX);
    for (uint32_t i = 0; i < STORE_SCAN_MAX; i++) {
        assert_int_equal(s->found[i].value_bytes, s->port.value_max);
        assert_true(s->found[i].value_hash == hashes[i]);
    }
    assert_int_equal(suite_scan(s, "0001/l/", s->found[STORE_SCAN_MAX - 1].key, 1), 0);
}

void
scan_refuses_what_is_outside_its_limits(void **state)
{
    struct suite *s = *state;
    const struct env_store *port = &s->port;
    struct slice none = {0}, bad = text_slice("a b"), fine = text_slice("0001/");
    assert_int_equal(port->scan(port->ctx, TOKENS_MAX, fine, none, 0), ERR_RANGE);
    assert_int_equal(port->scan(port->ctx, TOKENS_MAX, fine, none, STORE_SCAN_MAX + 1), ERR_RANGE);
    assert_int_equal(port->scan(port->ctx, TOKENS_MAX, bad, none, 1), ERR_FORMAT);
    assert_int_equal(port->scan(port->ctx, TOKENS_MAX, fine, bad, 1), ERR_FORMAT);
    assert_int_equal(suite_scan(s, "", "", 1), 0);
}

/* ---- watching ---- */

/* A hint may come behind the answer, from another thread than gets are answered by; but not behind
 * what is committed later, and be it that nothing is changed. */
static bool
is_hinted(struct suite *s, const char *key)
{
    for (uint32_t tries = 0; tries < 100 && s->hints == 0; tries++) {
        uint64_t version = suite_get(s, key)->version;
        assert_int_equal(suite_commit_one(s, write_check(key, version)), STORE_OK);
    }
    return s->hints > 0;
}

void
watches_hint_if_the_engine_says_so(void **state)
{
    struct suite *s = *state;
    const struct env_store *port = &s->port;
    assert_int_equal(port->watch(port->ctx, text_slice("a b"), true), ERR_FORMAT);
    assert_int_equal(port->watch(port->ctx, text_slice("0001/w/1"), true), OK);
    assert_int_equal(suite_commit_one(s, write_put("0001/w/2", 0, "other")), STORE_OK);
    assert_int_equal(suite_commit_one(s, write_put("0001/w/1", 0, "one")), STORE_OK);
    bool hinted = is_hinted(s, "0001/w/1");
    if (s->engine->hints) {
        assert_true(hinted);
        assert_string_equal(s->hinted, "0001/w/1");
    }
    assert_int_equal(port->watch(port->ctx, text_slice("0001/w/1"), false), OK);
    assert_int_equal(port->watch(port->ctx, text_slice("0001/w/1"), false), OK);
    assert_int_equal(suite_commit_one(s, write_put("0001/w/1", 1, "two")), STORE_OK);
    assert_document(suite_get(s, "0001/w/1"), 2, "two");
}
