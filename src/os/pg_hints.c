#include "base/check.h"
#include "os/pg_inside.h"
#include "os/process.h"
#include <string.h>

#define WATCHED_BLOCK 256
#define HASH_DIGITS   16

void
pg_hints_init(struct pg_hints *hints)
{
    map_init(&hints->by_hash, STORE_WATCHES_MAX, 0);
    pool_init(&hints->watched, sizeof(struct pg_watched), STORE_WATCHES_MAX, WATCHED_BLOCK);
}

void
pg_hints_fini(struct pg_hints *hints)
{
    map_fini(&hints->by_hash);
    pool_fini(&hints->watched);
}

/* Of two watched keys with one hash, which nobody will see, the second gets no hints. */
enum err
pg_watch(struct pg_store *store, struct slice key, bool on)
{
    struct pg_hints *hints = &store->hints;
    uint64_t hash = pg_key_hash(key);
    uint32_t index = map_get(&hints->by_hash, hash);
    if (!on) {
        if (index == MAP_NONE)
            return OK;
        CHECK(map_remove(&hints->by_hash, hash) == index);
        pool_give(&hints->watched, index);
        return OK;
    }
    if (index != MAP_NONE)
        return OK;
    enum err error = pool_take(&hints->watched, &index);
    if (error != OK)
        return error;
    struct pg_watched *watched = pool_at(&hints->watched, index);
    memcpy(watched->key, key.at, key.bytes);
    watched->key_bytes = (uint8_t)key.bytes;
    error = map_put(&hints->by_hash, hash, index);
    CHECK(error == OK); /* the pool has the same limit */
    return OK;
}

static void
hint_tell(struct pg_store *store, uint64_t hash)
{
    uint32_t index = map_get(&store->hints.by_hash, hash);
    if (index == MAP_NONE || store->done.changed == NULL)
        return;
    /* A copy, as whoever is called may stop watching. */
    struct pg_watched watched = *(struct pg_watched *)pool_at(&store->hints.watched, index);
    store->stats.hints++;
    store->done.changed(store->done.ctx, (struct slice){watched.key, watched.key_bytes});
}

void
pg_hints_add(struct pg_store *store, const struct pg_call *commit)
{
    struct pg_hints *hints = &store->hints;
    for (uint32_t i = 0; i < commit->count; i++) {
        const struct store_write *write = &commit->writes[i];
        /* What only one node writes nobody else waits for. */
        if (write->op == STORE_CHECK || write->expected_version == STORE_ANY_VERSION)
            continue;
        uint64_t hash = pg_key_hash(write->key);
        hint_tell(store, hash);
        if (hints->count == 0)
            hints->since_us = process_mono_us();
        if (hints->count < PG_HINTS_MAX)
            hints->waiting[hints->count++] = hash;
        else
            store->stats.hints_dropped++;
    }
}

static int
digit_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void
pg_hints_hear(struct pg_store *store, const char *text)
{
    uint64_t hash = 0;
    for (uint32_t digits = 0; *text != '\0'; text++) {
        int value = digit_value(*text);
        if (value < 0)
            return; /* from somebody else */
        hash = hash << 4 | (uint64_t)value;
        if (++digits == HASH_DIGITS) {
            hint_tell(store, hash);
            digits = 0;
            hash = 0;
        }
    }
}

int64_t
pg_hints_due_us(const struct pg_store *store)
{
    const struct pg_hints *hints = &store->hints;
    if (hints->count == 0 || !pg_line_has_room(&store->lines[PG_LINE_READING]))
        return INT64_MAX;
    return hints->since_us + (int64_t)store->options.hint_ms * 1000;
}

void
pg_hints_send(struct pg_store *store, int64_t now_us)
{
    static const char digits[] = "0123456789abcdef";
    struct pg_hints *hints = &store->hints;
    CHECK(hints->count > 0 && hints->count <= PG_HINTS_MAX);
    char text[PG_HINTS_MAX * HASH_DIGITS];
    size_t used = 0;
    for (uint32_t i = 0; i < hints->count; i++)
        for (int shift = 64 - 4; shift >= 0; shift -= 4)
            text[used++] = digits[hints->waiting[i] >> shift & 15];
    hints->count = 0;
    struct pg_line *line = &store->lines[PG_LINE_READING];
    struct pg_group *group = pg_line_next(line);
    group->kind = PG_GROUP_HINTS;
    group->due_us = now_us + (int64_t)store->options.deadline_ms * 1000;
    struct pg_parameters parameters = {
        .statement = PG_STATEMENT_HINT, .count = 1, .values = {text}, .lengths = {(int)used}};
    pg_line_send(line, &parameters, now_us);
}
