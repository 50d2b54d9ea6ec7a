#include "env/directory_entries.h"
#include "base/check.h"
#include <stdlib.h>
#include <string.h>

struct lease {
    uint64_t id; /* 0: free */
    int64_t ttl_us, due_us;
};

/* Entries point into bytes of their own. */
struct directory_entries {
    struct directory_entry entries[DIRECTORY_ENTRIES_MAX]; /* by key */
    struct lease leases[DIRECTORY_LEASES_MAX];
    struct directory_entry history[DIRECTORY_HISTORY_MAX]; /* by revision; a ring */
    uint64_t revision;
    uint64_t oldest; /* of the history; revision + 1: it is empty */
    uint64_t next_lease;
    uint32_t count;
};

static struct directory_entry
entry_copy(const struct directory_entry *entry)
{
    uint8_t *bytes = malloc(entry->key.bytes + entry->value.bytes + 1);
    CHECK(bytes != NULL);
    memcpy(bytes, entry->key.at, entry->key.bytes);
    if (entry->value.bytes > 0)
        memcpy(bytes + entry->key.bytes, entry->value.at, entry->value.bytes);
    struct directory_entry copy = *entry;
    copy.key.at = bytes;
    copy.value.at = bytes + entry->key.bytes;
    return copy;
}

static void
entry_free(struct directory_entry *entry)
{
    free((void *)(uintptr_t)entry->key.at);
    *entry = (struct directory_entry){0};
}

struct directory_entries *
directory_entries_alloc(uint64_t revision)
{
    struct directory_entries *e = calloc(1, sizeof *e);
    CHECK(e != NULL);
    e->revision = revision;
    e->oldest = revision + 1;
    return e;
}

void
directory_entries_free(struct directory_entries **entries)
{
    struct directory_entries *e = *entries;
    if (e == NULL)
        return;
    for (uint32_t i = 0; i < e->count; i++)
        entry_free(&e->entries[i]);
    for (uint32_t i = 0; i < DIRECTORY_HISTORY_MAX; i++)
        entry_free(&e->history[i]);
    free(e);
    *entries = NULL;
}

uint64_t
directory_entries_revision(const struct directory_entries *e)
{
    return e->revision;
}

static int
compare(struct slice a, struct slice b)
{
    size_t common = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = memcmp(a.at, b.at, common);
    if (order != 0)
        return order;
    return a.bytes == b.bytes ? 0 : a.bytes < b.bytes ? -1 : 1;
}

static bool
begins_with(struct slice key, struct slice prefix)
{
    return key.bytes >= prefix.bytes && memcmp(key.at, prefix.at, prefix.bytes) == 0;
}

/* The first entry whose key is not before this one. */
static uint32_t
place_of(const struct directory_entries *e, struct slice key)
{
    uint32_t low = 0, high = e->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (compare(e->entries[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t
directory_entries_list(const struct directory_entries *e, struct slice prefix,
                       struct directory_entry *out, uint32_t limit)
{
    uint32_t count = 0;
    for (uint32_t i = place_of(e, prefix);
         i < e->count && begins_with(e->entries[i].key, prefix) && count < limit; i++)
        out[count++] = e->entries[i];
    return count;
}

static void
remember(struct directory_entries *e, const struct directory_entry *entry)
{
    CHECK(entry->revision == e->revision);
    struct directory_entry *place = &e->history[entry->revision % DIRECTORY_HISTORY_MAX];
    entry_free(place);
    *place = entry_copy(entry);
    if (e->oldest + DIRECTORY_HISTORY_MAX <= e->revision)
        e->oldest = e->revision - DIRECTORY_HISTORY_MAX + 1;
}

static void
remove_at(struct directory_entries *e, uint32_t at)
{
    struct directory_entry gone = {.key = e->entries[at].key, .revision = ++e->revision};
    remember(e, &gone);
    entry_free(&e->entries[at]);
    memmove(&e->entries[at], &e->entries[at + 1], (e->count - at - 1) * sizeof e->entries[0]);
    e->count--;
}

static struct lease *
lease_find(struct directory_entries *e, uint64_t id)
{
    for (uint32_t i = 0; i < DIRECTORY_LEASES_MAX; i++)
        if (id != 0 && e->leases[i].id == id)
            return &e->leases[i];
    return NULL;
}

enum directory_result
directory_entries_change(struct directory_entries *e, const struct directory_change *change,
                         uint64_t *revision)
{
    CHECK(change->key.bytes > 0 && change->key.bytes <= DIRECTORY_KEY_MAX);
    uint32_t at = place_of(e, change->key);
    bool there = at < e->count && compare(e->entries[at].key, change->key) == 0;
    if ((there ? e->entries[at].revision : 0) != change->expected)
        return DIRECTORY_CONFLICT;
    if (change->remove) {
        if (!there)
            return DIRECTORY_CONFLICT;
        remove_at(e, at);
        *revision = e->revision;
        return DIRECTORY_OK;
    }
    if (change->lease != 0 && lease_find(e, change->lease) == NULL)
        return DIRECTORY_GONE;
    if (!there && e->count == DIRECTORY_ENTRIES_MAX)
        return DIRECTORY_UNAVAILABLE;
    struct directory_entry entry = {.key = change->key,
                                    .value = change->value,
                                    .revision = ++e->revision,
                                    .lease = change->lease};
    entry.create_revision = there ? e->entries[at].create_revision : entry.revision;
    if (there) {
        entry_free(&e->entries[at]);
    } else {
        memmove(&e->entries[at + 1], &e->entries[at], (e->count - at) * sizeof e->entries[0]);
        e->count++;
    }
    e->entries[at] = entry_copy(&entry);
    remember(e, &entry);
    *revision = e->revision;
    return DIRECTORY_OK;
}

void
directory_entries_drop(struct directory_entries *e, struct slice key)
{
    uint32_t at = place_of(e, key);
    if (at < e->count && compare(e->entries[at].key, key) == 0)
        remove_at(e, at);
}

uint64_t
directory_entries_grant(struct directory_entries *e, int64_t ttl_us, int64_t now_us)
{
    CHECK(ttl_us > 0);
    for (uint32_t i = 0; i < DIRECTORY_LEASES_MAX; i++) {
        if (e->leases[i].id == 0) {
            e->leases[i] = (struct lease){++e->next_lease, ttl_us, now_us + ttl_us};
            return e->leases[i].id;
        }
    }
    return 0;
}

enum directory_result
directory_entries_keep(struct directory_entries *e, uint64_t lease, int64_t now_us)
{
    struct lease *found = lease_find(e, lease);
    if (found == NULL)
        return DIRECTORY_GONE;
    found->due_us = now_us + found->ttl_us;
    return DIRECTORY_OK;
}

enum directory_result
directory_entries_revoke(struct directory_entries *e, uint64_t lease)
{
    struct lease *found = lease_find(e, lease);
    if (found == NULL)
        return DIRECTORY_GONE;
    *found = (struct lease){0};
    for (uint32_t at = e->count; at > 0; at--)
        if (e->entries[at - 1].lease == lease)
            remove_at(e, at - 1);
    return DIRECTORY_OK;
}

void
directory_entries_orphan(struct directory_entries *e, uint64_t lease)
{
    struct lease *found = lease_find(e, lease);
    CHECK(found != NULL);
    *found = (struct lease){0};
}

int64_t
directory_entries_expire(struct directory_entries *e, int64_t now_us)
{
    int64_t next_us = INT64_MAX;
    for (uint32_t i = 0; i < DIRECTORY_LEASES_MAX; i++) {
        const struct lease *lease = &e->leases[i];
        if (lease->id != 0 && lease->due_us <= now_us)
            CHECK(directory_entries_revoke(e, lease->id) == DIRECTORY_OK);
        else if (lease->id != 0 && lease->due_us < next_us)
            next_us = lease->due_us;
    }
    return next_us;
}

uint64_t
directory_entries_lease(const struct directory_entries *e, uint32_t n)
{
    for (uint32_t i = 0; i < DIRECTORY_LEASES_MAX; i++)
        if (e->leases[i].id != 0 && n-- == 0)
            return e->leases[i].id;
    return 0;
}

bool
directory_entries_since(const struct directory_entries *e, struct slice prefix, uint64_t from,
                        struct directory_entry *out)
{
    for (uint64_t r = from < e->oldest ? e->oldest : from; r <= e->revision; r++) {
        const struct directory_entry *entry = &e->history[r % DIRECTORY_HISTORY_MAX];
        CHECK(entry->revision == r);
        if (begins_with(entry->key, prefix)) {
            *out = *entry;
            return true;
        }
    }
    return false;
}

uint64_t
directory_entries_oldest(const struct directory_entries *e)
{
    return e->oldest;
}

void
directory_entries_compact(struct directory_entries *e)
{
    e->oldest = e->revision + 1;
}
