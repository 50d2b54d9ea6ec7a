#include "store/spread.h"

#include "base/check.h"
#include "env/store_limits.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define ID_DIGITS 16

/* What one engine found, copied, as an engine's answer is gone when its call-back returns. */
struct part {
    struct spread *spread; /* of engines: for their call-backs */
    struct store_found found[STORE_SCAN_MAX];
    uint32_t count;
    uint8_t *bytes; /* owned */
    bool answered;
};

struct scan {
    bool used;
    uint64_t token, generation;
    uint32_t limit, asked, answered;
    enum store_result result;
    struct part *parts; /* owned, one per engine */
};

struct engine {
    struct spread *spread;
    uint32_t number;
    struct env_store port;
};

struct spread {
    uint32_t count;
    uint8_t engine_of[SPREAD_BUCKETS];
    struct engine engines[SPREAD_ENGINES_MAX];
    struct store_done done;
    struct scan scans[SPREAD_SCANS_MAX];
    uint64_t generations;
};

static bool
is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The part of a key that says whose it is: behind the second '/', the id alone when there is one.
 */
static struct slice
owner_of(struct slice key)
{
    uint32_t slashes = 0;
    size_t at = 0;
    while (at < key.bytes && slashes < 2) {
        slashes += key.at[at++] == '/';
    }
    struct slice name = {key.at + at, key.bytes - at};
    size_t digits = 0;
    while (digits < name.bytes && digits < ID_DIGITS && is_hex(name.at[digits])) {
        digits++;
    }
    if (digits == ID_DIGITS && (name.bytes == ID_DIGITS || name.at[ID_DIGITS] == '-')) {
        name.bytes = ID_DIGITS;
    }
    return slashes == 2 ? name : key;
}

uint32_t
spread_bucket(struct slice key)
{
    struct slice owner = owner_of(key);
    return (uint32_t)(XXH64(owner.at, owner.bytes, 0) % SPREAD_BUCKETS);
}

uint32_t
spread_engine(const struct spread *s, struct slice key)
{
    return s->engine_of[spread_bucket(key)];
}

bool
spread_together(const struct spread *s, const struct store_write *writes, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (spread_engine(s, writes[i].key) != spread_engine(s, writes[0].key)) {
            return false;
        }
    }
    return true;
}

/* ---- gets, commits, watches: handed through ---- */

static void
got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    const struct spread *s = ((struct engine *)ctx)->spread;
    s->done.got(s->done.ctx, token, result, doc);
}

static void
committed(void *ctx, uint64_t token, enum store_result result)
{
    const struct spread *s = ((struct engine *)ctx)->spread;
    s->done.committed(s->done.ctx, token, result);
}

static void
changed(void *ctx, struct slice key)
{
    const struct spread *s = ((struct engine *)ctx)->spread;
    if (s->done.changed != NULL) {
        s->done.changed(s->done.ctx, key);
    }
}

static const struct env_store *
engine_for(const struct spread *s, struct slice key)
{
    return &s->engines[spread_engine(s, key)].port;
}

static enum err
port_get(void *ctx, uint64_t token, struct slice key)
{
    const struct env_store *engine = engine_for(ctx, key);
    return engine->get(engine->ctx, token, key);
}

static enum err
port_commit(void *ctx, uint64_t token, const struct store_write *writes, uint32_t count)
{
    if (count == 0 || !spread_together(ctx, writes, count)) {
        return ERR_RANGE;
    }
    const struct env_store *engine = engine_for(ctx, writes[0].key);
    return engine->commit(engine->ctx, token, writes, count);
}

static enum err
port_watch(void *ctx, struct slice key, bool on)
{
    const struct env_store *engine = engine_for(ctx, key);
    return engine->watch(engine->ctx, key, on);
}

static uint32_t
port_group(void *ctx, struct slice key)
{
    return spread_engine(ctx, key);
}

/* ---- scans: all engines are asked, the first `limit` of all they found are told ---- */

static void
scan_end(struct spread *s, struct scan *scan)
{
    for (uint32_t e = 0; e < s->count; e++) {
        free(scan->parts[e].bytes);
    }
    free(scan->parts);
    *scan = (struct scan){0};
}

static int
key_order(struct slice a, struct slice b)
{
    int order = memcmp(a.at, b.at, a.bytes < b.bytes ? a.bytes : b.bytes);
    return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

/* One that is empty comes last. */
static struct part *
part_with_least(struct spread *s, const struct scan *scan, const uint32_t at[])
{
    struct part *least = NULL;
    uint32_t least_at = 0;
    for (uint32_t e = 0; e < s->count; e++) {
        struct part *p = &scan->parts[e];
        if (at[e] < p->count &&
            (least == NULL || key_order(p->found[at[e]].key, least->found[least_at].key) < 0)) {
            least = p;
            least_at = at[e];
        }
    }
    return least;
}

static void
scan_tell(struct spread *s, struct scan *scan)
{
    struct store_found found[STORE_SCAN_MAX];
    uint32_t at[SPREAD_ENGINES_MAX] = {0}, count = 0;
    struct part *p;
    while (scan->result == STORE_OK && count < scan->limit &&
           (p = part_with_least(s, scan, at)) != NULL) {
        found[count++] = p->found[at[p - scan->parts]++];
    }
    s->done.scanned(s->done.ctx, scan->token, scan->result, found, count);
    scan_end(s, scan);
}

static void
part_copy(struct part *p, const struct store_found *found, uint32_t count)
{
    size_t bytes = 1; /* never malloc(0) */
    for (uint32_t i = 0; i < count; i++) {
        bytes += found[i].key.bytes + found[i].doc.value.bytes;
    }
    uint8_t *to = p->bytes = malloc(bytes);
    CHECK(to != NULL && count <= STORE_SCAN_MAX);
    p->count = count;
    for (uint32_t i = 0; i < count; i++) {
        p->found[i] = found[i];
        p->found[i].key.at = memcpy(to, found[i].key.at, found[i].key.bytes);
        to += found[i].key.bytes;
        p->found[i].doc.value.at = to;
        if (found[i].doc.value.bytes > 0) {
            memcpy(to, found[i].doc.value.at, found[i].doc.value.bytes);
        }
        to += found[i].doc.value.bytes;
    }
}

/* The token of an engine's scan: the slot and how often it was used, so that a late answer finds
 * nothing. */
static void
scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
        uint32_t count)
{
    const struct engine *engine = ctx;
    struct spread *s = engine->spread;
    struct scan *scan = &s->scans[token % SPREAD_SCANS_MAX];
    if (!scan->used || scan->generation != token / SPREAD_SCANS_MAX ||
        scan->parts[engine->number].answered) {
        return;
    }
    scan->parts[engine->number].answered = true;
    if (result == STORE_OK) {
        part_copy(&scan->parts[engine->number], found, count);
    } else {
        scan->result = result;
    }
    if (++scan->answered == scan->asked) {
        scan_tell(s, scan);
    }
}

static struct scan *
scan_take(struct spread *s)
{
    for (uint32_t i = 0; i < SPREAD_SCANS_MAX; i++) {
        if (!s->scans[i].used) {
            return &s->scans[i];
        }
    }
    return NULL;
}

/* Some engines may refuse while others are already asked: then the answer is UNAVAILABLE, as those
 * will still come. */
static enum err
port_scan(void *ctx, uint64_t token, struct slice prefix, struct slice after, uint32_t limit)
{
    struct spread *s = ctx;
    enum err e = store_scan_check(prefix, after, limit);
    struct scan *scan = e == OK ? scan_take(s) : NULL;
    if (scan == NULL) {
        return e == OK ? ERR_FULL : e;
    }
    *scan = (struct scan){.used = true,
                          .token = token,
                          .generation = ++s->generations,
                          .limit = limit,
                          .result = STORE_OK,
                          .parts = calloc(s->count, sizeof *scan->parts)};
    CHECK(scan->parts != NULL);
    uint64_t own = scan->generation * SPREAD_SCANS_MAX + (uint64_t)(scan - s->scans);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct env_store *engine = &s->engines[i].port;
        e = engine->scan(engine->ctx, own, prefix, after, limit);
        scan->asked += e == OK;
        scan->result = e == OK ? scan->result : STORE_UNAVAILABLE;
    }
    if (scan->asked == 0) {
        scan_end(s, scan);
        return e;
    }
    return OK;
}

/* ---- life ---- */

struct spread *
spread_alloc(uint32_t engines, const uint8_t engine_of[SPREAD_BUCKETS])
{
    CHECK(engines > 0 && engines <= SPREAD_ENGINES_MAX);
    struct spread *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->count = engines;
    memcpy(s->engine_of, engine_of, SPREAD_BUCKETS);
    for (uint32_t b = 0; b < SPREAD_BUCKETS; b++) {
        CHECK(engine_of[b] < engines);
    }
    for (uint32_t e = 0; e < engines; e++) {
        s->engines[e] = (struct engine){.spread = s, .number = e};
    }
    return s;
}

void
spread_free(struct spread **spread)
{
    struct spread *s = *spread;
    for (uint32_t i = 0; i < SPREAD_SCANS_MAX; i++) {
        if (s->scans[i].used) {
            scan_end(s, &s->scans[i]);
        }
    }
    free(s);
    *spread = NULL;
}

struct store_done
spread_done(struct spread *s, uint32_t engine)
{
    CHECK(engine < s->count);
    return (struct store_done){.ctx = &s->engines[engine],
                               .got = got,
                               .committed = committed,
                               .scanned = scanned,
                               .changed = changed};
}

void
spread_connect(struct spread *s, uint32_t engine, const struct env_store *port)
{
    CHECK(engine < s->count);
    s->engines[engine].port = *port;
}

struct env_store
spread_port(struct spread *s, struct store_done done)
{
    uint32_t value_max = UINT32_MAX, commit_max = UINT32_MAX;
    for (uint32_t e = 0; e < s->count; e++) {
        const struct env_store *port = &s->engines[e].port;
        CHECK(port->get != NULL);
        value_max = port->value_max < value_max ? port->value_max : value_max;
        commit_max = port->commit_max < commit_max ? port->commit_max : commit_max;
    }
    s->done = done;
    return (struct env_store){.ctx = s,
                              .value_max = value_max,
                              .commit_max = commit_max,
                              .get = port_get,
                              .commit = port_commit,
                              .scan = port_scan,
                              .watch = port_watch,
                              .group = port_group};
}
