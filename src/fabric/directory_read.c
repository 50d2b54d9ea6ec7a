#include "base/check.h"
#include "fabric/directory_inside.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const table_names[DIRECTORY_TABLES] = {[DIRECTORY_ISLANDS] = "islands"};

const char *
read_table_name(enum directory_table table)
{
    CHECK(table < DIRECTORY_TABLES);
    return table_names[table];
}

static bool
key_is_table(const struct directory *d, struct slice key, enum directory_table *table)
{
    for (enum directory_table t = 0; t < DIRECTORY_TABLES; t++) {
        if (directory_key_is_table(d->world, key, table_names[t])) {
            *table = t;
            return true;
        }
    }
    return false;
}

static bool
role_find(const char *name, enum node_role *role)
{
    for (enum node_role r = 0; r < NODE_ROLES; r++) {
        if (strcmp(name, node_role_name(r)) == 0) {
            *role = r;
            return true;
        }
    }
    return false;
}

/* The identity that a key says; false: it is no node's, or none that this version knows. */
static bool
key_is_node(const struct directory *d, struct slice key, struct node *node)
{
    struct directory_place place;
    enum node_role role;
    if (!directory_key_is_node(d->world, key, &place) || !role_find(place.role, &role) ||
        place.shard > UINT16_MAX || place.index > UINT16_MAX)
        return false;
    *node =
        (struct node){.role = role, .shard = (uint16_t)place.shard, .index = (uint16_t)place.index};
    node_name(role, node->shard, node->index, node->name);
    return true;
}

static bool
key_is_own(const struct directory *d, struct slice key)
{
    struct slice own = directory_key_slice(&d->own.key);
    return key.bytes == own.bytes && memcmp(key.at, own.at, own.bytes) == 0;
}

static void
book_tell(struct directory *d, uint64_t revision_before)
{
    if (d->book.revision != revision_before && d->events.book_changed != NULL)
        d->events.book_changed(d->events.ctx);
}

static void
node_put(struct directory *d, struct book *book, const struct directory_entry *entry)
{
    struct directory_node found = {0};
    if (!key_is_node(d, entry->key, &found.node))
        return;
    if (directory_node_read(entry->value, &found) != OK) {
        d->stats.malformed++;
        return;
    }
    if (found.node.epoch == 0)
        found.node.epoch = entry->create_revision;
    if (book_put(book, &found.node) != OK)
        d->stats.full++;
}

static void
self_put(struct directory *d, struct book *book)
{
    const struct node *self = &d->own.node;
    if (d->own.installation == 0 || own_is_stranger(d)) /* only looks */
        return;
    if (self->epoch == 0)
        (void)book_remove_identity(book, self->shard, self->role, self->index);
    else if (book_put(book, self) != OK)
        d->stats.full++;
}

void
read_self(struct directory *d)
{
    uint64_t before = d->book.revision;
    self_put(d, &d->book);
    book_tell(d, before);
}

/* ---- tables ---- */

/* true: it is another than was known. */
static bool
table_set(struct directory *d, enum directory_table which, const struct directory_entry *entry)
{
    struct table *table = &d->tables[which];
    uint64_t revision = entry != NULL && entry->create_revision != 0 ? entry->revision : 0;
    if (revision == table->revision)
        return false;
    free(table->bytes);
    *table = (struct table){.revision = revision};
    if (revision != 0) {
        table->count = entry->value.bytes;
        table->bytes = malloc(table->count + 1);
        CHECK(table->bytes != NULL);
        memcpy(table->bytes, entry->value.at, table->count);
    }
    if (d->events.table_changed != NULL)
        d->events.table_changed(d->events.ctx, which);
    return true;
}

/* ---- lists ---- */

static bool
books_are_same(const struct book *a, const struct book *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!node_is_same(&a->nodes[i], &b->nodes[i]))
            return false;
    return true;
}

static void
book_replace(struct directory *d)
{
    if (books_are_same(&d->book, &d->next))
        return;
    d->stats.healed += d->watching;
    uint64_t before = d->book.revision;
    d->next.revision = before + 1;
    d->book = d->next;
    book_tell(d, before);
}

void
read_list(struct directory *d, uint64_t revision, const struct directory_entry *entries,
          uint32_t count)
{
    const struct directory_entry *own = NULL, *tables[DIRECTORY_TABLES] = {NULL};
    enum directory_table table;
    d->next.count = 0;
    d->stats.malformed = d->stats.full = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (key_is_own(d, entries[i].key))
            own = &entries[i];
        if (key_is_table(d, entries[i].key, &table))
            tables[table] = &entries[i];
        else
            node_put(d, &d->next, &entries[i]);
    }
    own_note(d, own);
    if (d->mutant == DIRECTORY_MUTANT_WATCH_TRUSTED && d->is_known) {
        own_judge(d);
        return;
    }
    d->is_known = true;
    d->listed = d->newest = revision;
    self_put(d, &d->next);
    book_replace(d);
    for (table = 0; table < DIRECTORY_TABLES; table++)
        d->stats.healed += table_set(d, table, tables[table]) && d->watching;
    own_judge(d);
}

/* ---- hints ---- */

void
read_hint(struct directory *d, const struct directory_entry *entry)
{
    if (entry->revision <= d->listed)
        return;
    d->stats.hints++;
    directory_heard(d, entry->revision);
    enum directory_table table;
    if (key_is_table(d, entry->key, &table)) {
        if (entry->revision > d->tables[table].revision)
            (void)table_set(d, table, entry);
        return;
    }
    if (key_is_own(d, entry->key)) {
        /* What it says was true once; what stands there now, a list tells. */
        d->own.known = d->own.known && entry->revision <= d->own.revision;
        return;
    }
    uint64_t before = d->book.revision;
    struct node gone;
    if (entry->create_revision != 0)
        node_put(d, &d->book, entry);
    else if (key_is_node(d, entry->key, &gone))
        (void)book_remove_identity(&d->book, gone.shard, gone.role, gone.index);
    book_tell(d, before);
}
