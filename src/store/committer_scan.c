/* Scans by tools: pages of the engine, unwrapped. Documents with a pend are asked for one by one,
 * like any other get; what users do not see is left out and made up for by a further page.
 */
#include "store/committer_inside.h"
#include <stdlib.h>
#include <string.h>

enum entry_state { ENTRY_ASKED, ENTRY_THERE, ENTRY_NOT_THERE };

struct entry {
    enum entry_state state;
    struct key key;
    uint64_t version;
    uint32_t bytes;
    uint8_t value[STORE_VALUE_MAX];
};

struct scan {
    bool active, failed, more;
    uint64_t token;
    struct key prefix, after;
    uint32_t limit, count, asked;
    struct entry entries[STORE_SCAN_MAX];
    struct store_found found[STORE_SCAN_MAX];
};

static struct slice
key_or_none(const struct key *key)
{
    return key->bytes > 0 ? key_slice(key) : (struct slice){0};
}

static struct key
key_of(struct slice from)
{
    struct key key = {.bytes = (uint8_t)from.bytes};
    CHECK(from.bytes <= STORE_KEY_MAX);
    if (from.bytes > 0)
        memcpy(key.text, from.at, from.bytes);
    return key;
}

static enum err
page_ask(struct committer *c)
{
    struct scan *s = c->scan;
    CHECK(s->active && s->count < s->limit);
    return c->engine.scan(c->engine.ctx, SCAN_TOKEN, key_or_none(&s->prefix),
                          key_or_none(&s->after), s->limit - s->count);
}

enum err
scan_start(struct committer *c, uint64_t token, struct slice prefix, struct slice after,
           uint32_t limit)
{
    CHECK(c->done.scanned != NULL && limit > 0 && limit <= STORE_SCAN_MAX);
    if (c->scan == NULL) {
        c->scan = malloc(sizeof *c->scan); /* 1 MiB that only tools need */
        CHECK(c->scan != NULL);
        c->scan->active = false;
    }
    struct scan *s = c->scan;
    if (s->active) {
        c->stats.refused++;
        return ERR_FULL;
    }
    s->active = true;
    s->failed = s->more = false;
    s->token = token;
    s->prefix = key_of(prefix);
    s->after = key_of(after);
    s->limit = limit;
    s->count = s->asked = 0;
    enum err error = page_ask(c);
    s->active = error == OK;
    return error;
}

void
scan_free(struct committer *c)
{
    free(c->scan);
    c->scan = NULL;
}

static void
scan_end(struct committer *c)
{
    struct scan *s = c->scan;
    s->active = false;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct entry *e = &s->entries[i];
        s->found[i] = (struct store_found){
            .key = key_slice(&e->key),
            .doc = {.version = e->version, .exists = true, .value = {e->value, e->bytes}}};
    }
    c->done.scanned(c->done.ctx, s->token, s->failed ? STORE_UNAVAILABLE : STORE_OK, s->found,
                    s->failed ? 0 : s->count);
}

static void
entry_fill(struct entry *entry, uint64_t version, bool exists, struct slice body)
{
    CHECK(body.bytes <= STORE_VALUE_MAX);
    entry->state = exists ? ENTRY_THERE : ENTRY_NOT_THERE;
    entry->version = version;
    entry->bytes = (uint32_t)body.bytes;
    if (body.bytes > 0)
        memcpy(entry->value, body.at, body.bytes);
}

/* Nothing of this page is asked for any more: leave out what is not there, and go on or end. */
static void
page_end(struct committer *c)
{
    struct scan *s = c->scan;
    CHECK(s->asked == 0);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->entries[i].state != ENTRY_THERE)
            continue;
        if (kept < i)
            s->entries[kept] = s->entries[i];
        kept++;
    }
    s->count = kept;
    if (!s->failed && s->more && s->count < s->limit) {
        if (page_ask(c) == OK)
            return;
        s->failed = true;
    }
    scan_end(c);
}

/* False: cannot be read. */
static bool
entry_take(struct committer *c, const struct store_found *found)
{
    struct scan *s = c->scan;
    struct txid id;
    struct envelope e;
    if (record_key_parse(found->key, &id) == OK)
        return true;
    if (committer_is_plain(found->key)) {
        e = (struct envelope){
            .version = found->doc.version, .exists = true, .body = found->doc.value};
    } else if (envelope_read(&found->doc, &e) != OK) {
        c->stats.malformed++;
        return false;
    }
    if (e.pend == PEND_NONE && !e.exists)
        return true;
    CHECK(s->count < s->limit);
    struct entry *entry = &s->entries[s->count];
    entry->key = key_of(found->key);
    entry->state = ENTRY_ASKED;
    if (e.pend == PEND_NONE)
        entry_fill(entry, e.version, true, e.body);
    else if (committer_get_for_scan(c, s->count, found->key) == OK)
        s->asked++;
    else
        return false;
    s->count++;
    return true;
}

void
scan_scanned(struct committer *c, enum store_result result, const struct store_found *found,
             uint32_t count)
{
    struct scan *s = c->scan;
    CHECK(s != NULL && s->active && s->asked == 0);
    s->failed = result != STORE_OK;
    if (s->failed)
        count = 0;
    s->more = count == s->limit - s->count;
    for (uint32_t i = 0; i < count && !s->failed; i++)
        s->failed = !entry_take(c, &found[i]);
    if (count > 0)
        s->after = key_of(found[count - 1].key);
    if (s->asked == 0)
        page_end(c);
}

void
scan_got(struct committer *c, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct scan *s = c->scan;
    CHECK(s->active && s->asked > 0 && token < s->count);
    if (result == STORE_OK)
        entry_fill(&s->entries[token], doc->version, doc->exists, doc->value);
    else
        s->failed = true;
    if (--s->asked == 0)
        page_end(c);
}
