#include "store/servers.h"

#include "base/check.h"
#include "documents.pb-c.h"
#include "store/scratch.h"
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define MARK_MAX    (SPREAD_BUCKETS + 64)
#define ASKED_LIMIT 2 /* a mark and one document beside it */

static const uint8_t servers_moves[SERVERS_STATES] = {
    [SERVERS_ASKING] = 1 << SERVERS_ASKING | 1 << SERVERS_MAKING | 1 << SERVERS_COUNTING |
                       1 << SERVERS_DONE | 1 << SERVERS_FAILED,
    [SERVERS_MAKING] = 1 << SERVERS_ASKING,
    [SERVERS_COUNTING] = 1 << SERVERS_ASKING | 1 << SERVERS_DONE,
};

static void
servers_move(struct servers *s, enum servers_state to)
{
    CHECK(servers_moves[s->state] >> to & 1);
    env_trace(s->env, "store.servers", s->state, to);
    s->state = to;
}

static void
fail(struct servers *s, const char *why)
{
    snprintf(s->why, sizeof s->why, "%s", why);
    servers_move(s, SERVERS_FAILED);
}

static void
ask_later(struct servers *s)
{
    servers_move(s, SERVERS_ASKING);
    s->retry_us = env_mono_us(s->env) + SERVERS_RETRY_US;
}

static struct key
mark_key(const struct servers *s, uint32_t number)
{
    char name[KEY_NAME_MAX];
    snprintf(name, sizeof name, SERVERS_MARK_PREFIX "%u", number);
    return key_named(s->world, KEY_CLASS_META, name);
}

/* ---- marks ---- */

/* ERR_FORMAT: not the mark of such a server; ERR_NEWER. */
static enum err
mark_read(struct servers *s, struct server *server, struct slice value)
{
    struct scratch scratch;
    scratch_init(&scratch);
    const Seom__StoreServer *mark =
        seom__store_server__unpack(&scratch.allocator, value.bytes, value.at);
    if (mark != NULL && mark->format > SERVERS_FORMAT)
        return ERR_NEWER;
    if (mark == NULL || mark->number != server->number || mark->count != s->count ||
        mark->buckets.len != SPREAD_BUCKETS)
        return ERR_FORMAT;
    for (uint32_t b = 0; b < SPREAD_BUCKETS; b++)
        if (mark->buckets.data[b] >= s->count)
            return ERR_FORMAT;
    server->buckets_hash = XXH64(mark->buckets.data, SPREAD_BUCKETS, 0);
    if (server->number == 0) {
        s->openings = mark->openings;
        memcpy(s->of_bucket, mark->buckets.data, SPREAD_BUCKETS);
    }
    return OK;
}

/* With the number of openings so far. */
static void
mark_write(struct servers *s, struct server *server, uint64_t openings)
{
    uint8_t value[MARK_MAX];
    struct key key = mark_key(s, server->number);
    Seom__StoreServer mark = SEOM__STORE_SERVER__INIT;
    mark.format = SERVERS_FORMAT;
    mark.number = server->number;
    mark.count = s->count;
    mark.openings = openings;
    mark.buckets.len = SPREAD_BUCKETS;
    mark.buckets.data = s->of_bucket;
    CHECK(seom__store_server__get_packed_size(&mark) <= sizeof value);
    struct store_write write = {.key = key_slice(&key),
                                .expected_version = server->mark_version,
                                .op = STORE_PUT,
                                .value = {value, seom__store_server__pack(&mark, value)}};
    if (server->port.commit(server->port.ctx, server->number, &write, 1) != OK) {
        s->away = true;
        return;
    }
    server->waits = true;
    s->answers_due++;
}

/* ---- what all of them said ---- */

static uint32_t
count_marked(const struct servers *s)
{
    uint32_t marked = 0;
    for (uint32_t i = 0; i < s->count; i++)
        marked += s->server[i].marked;
    return marked;
}

static bool
any_in_use(const struct servers *s)
{
    bool any = false;
    for (uint32_t i = 0; i < s->count; i++)
        any |= s->server[i].in_use;
    return any;
}

/* The first one's mark goes last. */
static void
make_marks(struct servers *s)
{
    bool first = count_marked(s) + 1 == s->count;
    servers_move(s, SERVERS_MAKING);
    for (uint32_t b = 0; b < SPREAD_BUCKETS; b++)
        s->of_bucket[b] = (uint8_t)(b % s->count);
    for (uint32_t i = first ? 0 : 1; i < (first ? 1 : s->count); i++)
        if (!s->server[i].marked)
            mark_write(s, &s->server[i], 0);
    if (s->answers_due == 0)
        ask_later(s);
}

static void
count_opening(struct servers *s)
{
    servers_move(s, SERVERS_COUNTING);
    mark_write(s, &s->server[0], s->openings + 1);
    if (s->answers_due == 0)
        ask_later(s);
}

static bool
all_agree(const struct servers *s)
{
    bool agree = true;
    for (uint32_t i = 1; i < s->count; i++)
        agree &= s->server[i].buckets_hash == s->server[0].buckets_hash;
    return agree;
}

/* While others make the marks and begin to write, one round may see a later server before and an
 * earlier one after: only what two rounds see is believed. */
static bool
suspect(struct servers *s)
{
    bool again = s->suspected;
    s->suspected = true;
    if (!again)
        ask_later(s);
    return again;
}

static void
all_have_said(struct servers *s)
{
    uint32_t marked = count_marked(s);
    bool strange = s->server[0].marked || any_in_use(s);
    if (s->away) {
        ask_later(s);
    } else if (s->count == 1) {
        servers_move(s, SERVERS_DONE); /* it needs no mark; that of another number has failed */
    } else if (marked == s->count && all_agree(s)) {
        count_opening(s);
    } else if (marked < s->count && !strange) {
        make_marks(s);
    } else if (!suspect(s)) {
        return;
    } else if (marked == s->count) {
        fail(s, "the servers do not agree on which of them holds what: the moving of documents was "
                "not finished; finish it");
    } else if (s->server[0].marked) {
        fail(s, "one of the servers has lost its mark: it is not the one that was used for this "
                "world, or was emptied; restore it, or give the right address");
    } else {
        fail(s, "the servers hold documents of a world that was not spread over them: give the "
                "addresses as they were (one alone, or in the old order), or empty servers");
    }
}

static void
answered(struct servers *s, struct server *server)
{
    CHECK(server->waits && s->answers_due > 0);
    server->waits = false;
    if (--s->answers_due > 0)
        return;
    switch (s->state) {
    case SERVERS_ASKING: all_have_said(s); return;
    case SERVERS_MAKING:
        servers_move(s, SERVERS_ASKING); /* whatever came of it stands there now */
        s->retry_us = s->away ? env_mono_us(s->env) + SERVERS_RETRY_US : 0;
        return;
    case SERVERS_COUNTING:
        if (s->away) {
            ask_later(s); /* somebody else counted, or nobody knows: the next number */
            return;
        }
        s->openings++;
        servers_move(s, SERVERS_DONE);
        return;
    case SERVERS_DONE:
    case SERVERS_FAILED:
    case SERVERS_STATES: return;
    }
}

/* ---- asking ---- */

static bool
is_mark(const struct servers *s, struct slice key, bool *own, uint32_t number)
{
    struct key prefix = key_named(s->world, KEY_CLASS_META, SERVERS_MARK_PREFIX);
    struct key mine = mark_key(s, number);
    *own = key.bytes == mine.bytes && memcmp(key.at, mine.text, mine.bytes) == 0;
    return key.bytes > prefix.bytes && memcmp(key.at, prefix.text, prefix.bytes) == 0;
}

static enum err
take_found(struct servers *s, struct server *server, const struct store_found *found)
{
    bool own;
    if (!is_mark(s, found->key, &own, server->number)) {
        server->in_use = true;
        return OK;
    }
    if (!own)
        return ERR_FORMAT;
    server->mark_version = found->doc.version;
    enum err error = mark_read(s, server, found->doc.value);
    server->marked = error == OK;
    return error;
}

static void ask(struct servers *s, struct server *server, uint64_t token);

static void
on_scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    struct server *server = ctx;
    struct servers *s = server->servers;
    if (!server->waits)
        return;
    s->away |= result != STORE_OK;
    for (uint32_t i = 0; i < count && s->state == SERVERS_ASKING; i++) {
        enum err error = take_found(s, server, &found[i]);
        if (error == ERR_NEWER)
            fail(s, "the store was written by a newer seom: update this one");
        else if (error != OK)
            fail(s, "a server has another place among the servers of this world than it is given "
                    "here: give all their addresses in the order in which they were given first");
    }
    if (token == 0 && result == STORE_OK && s->state == SERVERS_ASKING)
        ask(s, server, 1);
    else
        answered(s, server);
}

/* The marks first, then whether there is anything else. */
static void
ask(struct servers *s, struct server *server, uint64_t token)
{
    struct key prefix = key_named(s->world, KEY_CLASS_META, SERVERS_MARK_PREFIX);
    struct slice marks = key_slice(&prefix), world = {(const uint8_t *)prefix.text, 5};
    enum err error = server->port.scan(server->port.ctx, token, token == 0 ? marks : world,
                                       (struct slice){0}, ASKED_LIMIT);
    if (error == OK && token == 0) {
        server->waits = true;
        s->answers_due++;
    } else if (error != OK) {
        s->away = true;
    }
    if (error != OK && token != 0)
        answered(s, server);
}

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)ctx;
    (void)token;
    (void)result;
    (void)doc;
    check_failed(__FILE__, __LINE__, __func__, "nothing is got here");
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct server *server = ctx;
    (void)token;
    server->servers->away |= result != STORE_OK;
    if (server->waits)
        answered(server->servers, server);
}

struct store_done
servers_done(struct servers *s, uint32_t number)
{
    CHECK(number < s->count);
    return (struct store_done){
        .ctx = &s->server[number], .got = on_got, .committed = on_committed, .scanned = on_scanned};
}

void
servers_connect(struct servers *s, uint32_t number, const struct env_store *port)
{
    CHECK(number < s->count && port->scan != NULL && port->commit != NULL);
    s->server[number].port = *port;
}

void
servers_init(struct servers *s, const struct env *env, uint16_t world, uint32_t count)
{
    CHECK(count > 0 && count <= SPREAD_ENGINES_MAX);
    *s = (struct servers){.env = env, .world = world, .count = count};
    for (uint32_t i = 0; i < count; i++)
        s->server[i] = (struct server){.servers = s, .number = i};
}

int64_t
servers_turn(struct servers *s)
{
    int64_t now_us = env_mono_us(s->env);
    if (s->state == SERVERS_ASKING && s->answers_due == 0 && now_us >= s->retry_us) {
        s->away = false;
        for (uint32_t i = 0; i < s->count; i++) {
            struct server *server = &s->server[i];
            server->marked = server->in_use = false;
            server->mark_version = 0;
        }
        for (uint32_t i = 0; i < s->count; i++)
            ask(s, &s->server[i], 0);
        if (s->answers_due == 0)
            ask_later(s);
    }
    return now_us + SERVERS_RETRY_US / 10;
}
