/* `seom promote`: an embedded world into the PostgreSQL server of a cluster.
 *
 *   copy everything, while people play -> copy what has changed, again and again -> the world is
 *   stopped -> the last round, under the lock of its directory -> count, compare, audit -> birth ->
 *   the old store is put aside
 *
 * The embedded store stays the truth until the very last step, and nothing is ever written into it;
 * whatever fails before leaves it as it was, and a server with documents of which nobody knows.
 */
#include "app/promote.h"
#include "app/audit.h"
#include "app/commands.h"
#include "app/origin.h"
#include "app/output.h"
#include "base/check.h"
#include "base/map.h"
#include "documents.pb-c.h"
#include "os/data_lock.h"
#include "os/files.h"
#include "os/lmdb_tools.h"
#include "os/pg_bulk.h"
#include "store/birth.h"
#include "store/keys.h"
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define PATH_BYTES    1024
#define DOCUMENTS_MAX (1U << 28)
#define ROUNDS_MAX    8
#define QUIET         500 /* documents that changed during a round: it goes no lower by itself */
#define LOOK_MS       200
#define WAIT_S        600
#define PROGRESS      500000
#define BIRTH_BYTES   64

struct sum {
    uint64_t documents, graves, digest; /* the same for the same documents, in any order */
};

struct promotion {
    struct tool *tool;
    struct pg_bulk *bulk;
    char prefix[8];
    struct map copied; /* hash of key -> version */
    uint64_t changed;  /* in this round */
    struct sum sum;    /* of this round's reading */
    enum err error;
    int lock; /* -1: not ours yet */
};

static void
sum_add(struct sum *s, struct slice key, const struct store_doc *doc)
{
    uint64_t hash = XXH64(key.at, key.bytes, doc->version << 1 | doc->exists);
    if (doc->value.bytes > 0)
        hash = XXH64(doc->value.at, doc->value.bytes, hash);
    s->digest += hash;
    s->documents += doc->exists;
    s->graves += !doc->exists;
}

/* ---- rounds ---- */

static bool
each_document(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct promotion *p = ctx;
    uint64_t hash = XXH64(key.at, key.bytes, 0);
    uint32_t version = (uint32_t)(doc->version & INT32_MAX);
    hash += hash == 0;
    sum_add(&p->sum, key, doc);
    if ((p->sum.documents + p->sum.graves) % PROGRESS == 0)
        output_progress("  %llu documents", (unsigned long long)p->sum.documents);
    if (map_get(&p->copied, hash) == version)
        return true;
    p->changed++;
    p->error = map_put(&p->copied, hash, version);
    if (p->error != OK)
        snprintf(p->tool->why, sizeof p->tool->why, "more documents than this tool can copy");
    else
        p->error = pg_bulk_put(p->bulk, key, doc, p->tool->why);
    return p->error == OK;
}

static enum err
round_copy(struct promotion *p)
{
    struct tool *tool = p->tool;
    char path[PATH_BYTES];
    uint64_t damaged = 0;
    p->changed = 0;
    p->sum = (struct sum){0};
    p->error = OK;
    enum err e = pg_bulk_begin(p->bulk, tool->why);
    if (e == OK && p->lock >= 0) {
        snprintf(path, sizeof path, "%s/store.mdb", tool->config.data);
        e = lmdb_scan_copy_all(path, p->prefix, each_document, p, &damaged, tool->why);
    } else if (e == OK) {
        e = lmdb_scan_all(tool->config.data, p->prefix, each_document, p, &damaged, tool->why);
    }
    e = e == OK ? p->error : e;
    if (e == OK && damaged > 0) {
        snprintf(tool->why, sizeof tool->why, "%llu documents are damaged: see `seom store verify`",
                 (unsigned long long)damaged);
        e = ERR_FORMAT;
    }
    e = e == OK ? pg_bulk_end(p->bulk, tool->why) : e;
    if (e == OK)
        output_progress("%llu documents, %llu of them copied in this round",
                        (unsigned long long)p->sum.documents, (unsigned long long)p->changed);
    return e;
}

static bool
take_lock(struct promotion *p, char *why)
{
    return data_lock_take(p->tool->config.data, &p->lock, why, TOOL_WHY_MAX) == OK;
}

/* While somebody plays: until a round finds little. */
static enum err
copy_beside(struct promotion *p)
{
    enum err e = OK;
    uint64_t before = UINT64_MAX;
    for (uint32_t i = 0; e == OK && i < ROUNDS_MAX; i++) {
        e = round_copy(p);
        if (p->changed <= QUIET || p->changed > before / 2)
            break;
        before = p->changed;
    }
    return e;
}

static enum err
wait_until_stopped(struct promotion *p)
{
    char why[TOOL_WHY_MAX];
    output_progress("stop the world now (Ctrl-C where it runs): what has changed since is copied "
                    "as soon as it has ended; waiting for %u s",
                    WAIT_S);
    for (uint32_t i = 0; i < WAIT_S * 1000 / LOOK_MS; i++) {
        struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
        if (take_lock(p, why))
            return OK;
        nanosleep(&pause, NULL);
    }
    snprintf(p->tool->why, sizeof p->tool->why, "the world still runs: %.300s", why);
    return ERR_DENIED;
}

/* ---- what else belongs to it ---- */

static enum err
put_birth(struct promotion *p, const struct origin *origin)
{
    struct key key = key_named((uint16_t)p->tool->config.world, KEY_CLASS_META, "birth");
    uint8_t value[BIRTH_BYTES];
    Seom__BirthDocument birth = SEOM__BIRTH_DOCUMENT__INIT;
    birth.wall_ms = origin->birth_wall_ms;
    birth.seed = origin->seed;
    birth.format = BIRTH_FORMAT;
    CHECK(seom__birth_document__get_packed_size(&birth) <= sizeof value);
    struct store_doc doc = {
        .version = 1, .exists = true, .value = {value, seom__birth_document__pack(&birth, value)}};
    sum_add(&p->sum, key_slice(&key), &doc);
    enum err e = pg_bulk_begin(p->bulk, p->tool->why);
    e = e == OK ? pg_bulk_put(p->bulk, key_slice(&key), &doc, p->tool->why) : e;
    return e == OK ? pg_bulk_end(p->bulk, p->tool->why) : e;
}

static bool
each_there(void *ctx, struct slice key, const struct store_doc *doc)
{
    sum_add(ctx, key, doc);
    return true;
}

static enum err
target_is_empty(struct promotion *p)
{
    struct sum there = {0};
    enum err e = pg_bulk_each(p->bulk, p->prefix, each_there, &there, p->tool->why);
    if (e == OK && there.documents + there.graves > 0) {
        snprintf(p->tool->why, sizeof p->tool->why, "the server holds %llu documents of world %u",
                 (unsigned long long)there.documents, (unsigned)p->tool->config.world);
        e = ERR_EXISTS;
    }
    return e;
}

static enum err
compare(struct promotion *p)
{
    struct sum there = {0};
    enum err e = pg_bulk_each(p->bulk, p->prefix, each_there, &there, p->tool->why);
    if (e != OK)
        return e;
    output_progress("on the server: %llu documents, digest %016llx; here: %llu, %016llx",
                    (unsigned long long)there.documents, (unsigned long long)there.digest,
                    (unsigned long long)p->sum.documents, (unsigned long long)p->sum.digest);
    if (there.documents == p->sum.documents && there.graves == p->sum.graves &&
        there.digest == p->sum.digest)
        return OK;
    snprintf(p->tool->why, sizeof p->tool->why,
             "what stands on the server is not what was copied: somebody else uses it");
    return ERR_CONFLICT;
}

/* So that nobody starts the world that was left: two of them would go on from one moment. */
static enum err
put_aside(struct promotion *p)
{
    static const char note[] = "This world moved to a PostgreSQL server with `seom promote`.\n";
    char from[PATH_BYTES], to[PATH_BYTES];
    struct tool *tool = p->tool;
    snprintf(to, sizeof to, "%s/" PROMOTED_NOTE, tool->config.data);
    enum err e = file_replace_private(to, (struct slice){(const uint8_t *)note, sizeof note - 1});
    snprintf(from, sizeof from, "%s/store.mdb", tool->config.data);
    snprintf(to, sizeof to, "%s/store.mdb.promoted", tool->config.data);
    if (e == OK && rename(from, to) == 0)
        return OK;
    snprintf(to, sizeof to, "%s/" PROMOTED_NOTE, tool->config.data);
    unlink(to);
    snprintf(tool->why, sizeof tool->why, "%.300s cannot be put aside: %s", from, strerror(errno));
    return ERR_IO;
}

/* ---- all of it ---- */

static enum err
copy_all(struct promotion *p)
{
    char why[TOOL_WHY_MAX];
    struct origin origin;
    enum err e = origin_read(p->tool->config.data, &origin, p->tool->why, sizeof p->tool->why);
    e = e == OK ? target_is_empty(p) : e;
    if (e == OK && !take_lock(p, why)) {
        e = copy_beside(p);
        e = e == OK ? wait_until_stopped(p) : e;
    }
    e = e == OK ? round_copy(p) : e;
    e = e == OK ? put_birth(p, &origin) : e;
    return e == OK ? compare(p) : e;
}

static int
promote(struct tool *tool, const char *to)
{
    struct promotion p = {.tool = tool, .lock = -1};
    snprintf(p.prefix, sizeof p.prefix, "%04x/", (unsigned)tool->config.world & 0xffff);
    map_init(&p.copied, DOCUMENTS_MAX, 0);
    enum err e = pg_bulk_open(to, &p.bulk, tool->why);
    if (e == OK) {
        e = copy_all(&p);
        pg_bulk_close(&p.bulk);
    }
    int code = 1;
    if (e == OK) {
        snprintf(tool->config.store, sizeof tool->config.store, "%s", to);
        code = audit_run(tool, NULL);
        e = code == 0 ? put_aside(&p) : OK;
    }
    if (e != OK)
        code = tool_fail(tool, "nothing has changed here, the world can be started as before; the "
                               "server must be empty for another try (DROP SCHEMA seom CASCADE)");
    else if (code != 0)
        output_progress("the copy is not balanced, and nothing has changed here: see `seom audit` "
                        "of this world");
    else
        output_progress(
            "the world stands on the server; start it with --store and the same --data "
            "(its ticket.key lets people in again). The old store is store.mdb.promoted");
    if (p.lock >= 0)
        data_lock_release(p.lock);
    map_fini(&p.copied);
    return code;
}

struct promote_input {
    struct tool tool;
    const char *to;
};

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    struct promote_input *input = state->input;
    switch (key) {
    case 't': input->to = argument; return 0;
    case ARGP_KEY_INIT: state->child_inputs[0] = &input->tool; return 0;
    case ARGP_KEY_END:
        if (input->to == NULL || strlen(input->to) >= CONFIG_TEXT_MAX)
            argp_error(state, "where to? --to postgresql://... (of one server, below %d bytes)",
                       CONFIG_TEXT_MAX);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int
promote_command(int argc, char **argv)
{
    static const struct argp_option tool_options[] = {TOOL_OPTION_DATA, {0}};
    static const struct argp tool_argp = {.options = tool_options, .parser = tool_parse};
    static const struct argp_child children[] = {{.argp = &tool_argp}, {0}};
    static const struct argp_option options[] = {
        {"to", 't', "ADDRESS", 0, "of one PostgreSQL server: postgresql://...", 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = children,
        .doc = "Move a world of `seom dev` to the PostgreSQL server of a cluster. While it runs "
               "everything is copied, and what has changed meanwhile, until little is left; then "
               "it asks that the world be stopped, copies the rest, compares every document and "
               "version, and audits the copy.\vPeople are out of the world from its stop until "
               "the cluster is started, which needs the seconds of the last round; they come back "
               "with their tickets. The server must hold nothing of this world and no node may use "
               "it before the end. Until the last step the old store is not touched, and whatever "
               "fails leaves it as it was; then it is renamed to store.mdb.promoted, and `seom "
               "dev` refuses the directory, as two worlds must not go on from one moment. There is "
               "no way back. The exit code is 0 only when the world has moved."};
    struct promote_input input = {.tool = {.name = argv[0]}};
    argp_parse(&argp, argc, argv, 0, NULL, &input);
    return tool_begin(&input.tool) ? promote(&input.tool, input.to) : 2;
}
