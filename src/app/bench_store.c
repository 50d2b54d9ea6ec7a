/* `seom bench store`: durable commits beside what disk and engine can do, reads, a storm, places,
 * and what a kill leaves. */
#include "app/bench_store.h"
#include "app/arguments.h"
#include "app/bench_scratch.h"
#include "app/commands.h"
#include "app/output.h"
#include "base/check.h"
#include "os/process.h"
#include <argp.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>

#define SECONDS_DEFAULT 20
#define SECONDS_MIN     5
#define RECOVER_GIB_MAX 32.0
#define PARENT_DEFAULT  "/var/tmp"

enum {
    OPTION_STORM = 1,
    OPTION_RECOVER,
    OPTION_DATA,
    OPTION_MIN_RATIO,
    OPTION_POSTGRES,
    OPTION_SERVER
};

struct request {
    uint32_t seconds, storm_s; /* storm_s 0: a share of the seconds */
    double recover_gib, min_ratio;
    const char *parent;
    const char *postgres; /* address; NULL: the embedded store is meant */
    pid_t server;
};

/* The sides with the documents of each. */
struct ground {
    struct bench_documents documents[BENCH_SIDES];
    struct bench_load *load;
    struct bench_raw *raw;
    struct bench_append *append;
    struct bench_sqlite *sqlite; /* NULL: not installed */
};

/* ---- the command line ---- */

static error_t
option_parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    switch (key) {
    case 's': r->seconds = arguments_number(arg, SECONDS_MIN, 86400, "--seconds", state); return 0;
    case OPTION_STORM:
        r->storm_s = arguments_number(arg, 1, BENCH_STORM_MAX_S, "--storm", state);
        return 0;
    case OPTION_RECOVER:
        r->recover_gib = arguments_real(arg, 0, RECOVER_GIB_MAX, "--recover", state);
        return 0;
    case OPTION_MIN_RATIO:
        r->min_ratio = arguments_real(arg, 0, 10, "--min-ratio", state);
        return 0;
    case OPTION_DATA: r->parent = arg; return 0;
    case OPTION_POSTGRES: r->postgres = arg; return 0;
    case OPTION_SERVER:
        r->server = (pid_t)arguments_number(arg, 1, 1 << 22, "--server", state);
        return 0;
    case ARGP_KEY_ARG: argp_error(state, "`%s' is no option", arg); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_rows[] = {
    {"seconds", 's', "S", 0, "take so long, but for what the next two add (20)", 0},
    {"storm", OPTION_STORM, "S", 0,
     "let everybody settle at once for so long (a fifth of --seconds); the store grows by about "
     "1 GiB a minute",
     0},
    {"recover", OPTION_RECOVER, "GIB", 0,
     "fill a store of this size, kill its process and open it again (0: leave that out)", 0},
    {"data", OPTION_DATA, "DIR", 0,
     "make the stores in a new directory there, and remove it in the end ($TMPDIR "
     "or " PARENT_DEFAULT ")",
     0},
    {"min-ratio", OPTION_MIN_RATIO, "R", 0, "fail when ratio_to_raw_lmdb is lower", 0},
    {"postgres", OPTION_POSTGRES, "ADDRESS", 0,
     "measure the engine of a cluster over this server (postgresql://...), which must hold no "
     "documents and will hold none afterwards",
     0},
    {"server", OPTION_SERVER, "PID", 0,
     "with --postgres: its first process, whose CPU time is told with that of its children", 0},
    {0},
};

static const struct argp argp = {
    .options = option_rows,
    .parser = option_parse,
    .doc = "Measure durable commits with 1, 8, 64 and 512 in flight beside raw LMDB, a bare append "
           "with fdatasync and SQLite with as many in a transaction; then a storm, reads, and the "
           "saves of places.\vThe sides take turns in short rounds, and medians are compared. "
           "Progress and tables on stderr; one JSON object as the last line of stdout. Put it on "
           "the disk that is meant: a file system in memory is no disk."};

static const char *
file_system_of(const char *path, bool *on_disk)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } known[] = {
        {EXT4_SUPER_MAGIC, "ext4"},
        {XFS_SUPER_MAGIC, "xfs"},
        {BTRFS_SUPER_MAGIC, "btrfs"},
        {F2FS_SUPER_MAGIC, "f2fs"},
        {OVERLAYFS_SUPER_MAGIC, "overlay"},
        {NFS_SUPER_MAGIC, "nfs"},
        {TMPFS_MAGIC, "tmpfs"},
        {RAMFS_MAGIC, "ramfs"},
    };
    struct statfs status;
    *on_disk = true;
    if (statfs(path, &status) != 0) {
        return "unknown";
    }
    unsigned long magic = (unsigned long)status.f_type;
    *on_disk = magic != TMPFS_MAGIC && magic != RAMFS_MAGIC;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].magic == magic) {
            return known[i].name;
        }
    }
    return "unknown";
}

/* ---- a run ---- */

void
bench_core_take(uint32_t core)
{
    static uint32_t cores; /* before the first one was taken */
    if (cores == 0) {
        cores = process_cores();
    }
    if (cores > 1 && thread_pin(core) != OK) {
        output_progress("core %" PRIu32 " cannot be taken: the sides may not compare", core);
        cores = 1;
    }
}

static enum err
ground_open(struct ground *g, const char *directory)
{
    enum err error = OK;
    for (int side = 0; side < BENCH_SIDES && error == OK; side++) {
        error = bench_documents_init(&g->documents[side], BENCH_STORE_COUNT, (uint64_t)side + 1);
    }
    if (error != OK) {
        return error;
    }
    output_progress("filling: %d documents of %d to %d bytes for each side ...", BENCH_STORE_COUNT,
                    BENCH_VALUE_MIN, BENCH_VALUE_MAX);
    error = bench_load_open(directory, &g->documents[SIDE_STORE], &g->load);
    error = error == OK ? bench_load_fill(g->load) : error;
    error = error == OK ? bench_raw_open(directory, &g->documents[SIDE_RAW], &g->raw) : error;
    error =
        error == OK ? bench_append_open(directory, &g->documents[SIDE_APPEND], &g->append) : error;
    if (error != OK) {
        return error;
    }
    error = bench_sqlite_open(directory, &g->documents[SIDE_SQLITE], &g->sqlite);
    if (error == ERR_NOT_FOUND) {
        output_progress("SQLite: the command sqlite3 is not installed");
        return OK;
    }
    return error;
}

static void
ground_close(struct ground *g)
{
    if (g->sqlite != NULL) {
        bench_sqlite_close(&g->sqlite);
    }
    if (g->append != NULL) {
        bench_append_close(&g->append);
    }
    if (g->raw != NULL) {
        bench_raw_close(&g->raw);
    }
    if (g->load != NULL) {
        bench_load_close(&g->load);
    }
    for (int side = 0; side < BENCH_SIDES; side++) {
        if (g->documents[side].versions != NULL) {
            bench_documents_fini(&g->documents[side]);
        }
    }
}

/* One round of every side at every level. */
static enum err
round_run(const struct bench_side *sides, int count, int64_t us, struct bench_store_result *r)
{
    struct bench_round round;
    for (int level = 0; level < BENCH_LEVELS; level++) {
        for (int side = 0; side < count; side++) {
            enum err error = sides[side].round(sides[side].ctx, bench_levels[level], us, &round);
            if (error != OK) {
                return error;
            }
            bench_tally_add(&r->sides[side][level], &round);
        }
    }
    return OK;
}

static enum err
levels_run(struct ground *g, const struct bench_shares *shares, struct bench_store_result *r)
{
    struct bench_side sides[BENCH_SIDES] = {[SIDE_STORE] = bench_load_side(g->load),
                                            [SIDE_RAW] = bench_raw_side(g->raw),
                                            [SIDE_APPEND] = bench_append_side(g->append)};
    int count = SIDE_SQLITE;
    if (g->sqlite != NULL) {
        sides[count++] = bench_sqlite_side(g->sqlite);
    }
    enum err error = OK;
    for (uint32_t i = 0; i < shares->rounds && error == OK; i++) {
        error = round_run(sides, count, shares->round_us, r);
        output_progress("round %" PRIu32 " of %" PRIu32 ": ratio %.2f", i + 1, shares->rounds,
                        bench_ratio_lowest(r->sides[SIDE_STORE], r->sides[SIDE_RAW]));
    }
    return error;
}

static enum err
ground_run(const struct request *request, struct ground *g, int64_t left_us,
           struct bench_store_result *r)
{
    struct bench_shares shares = bench_shares_of(left_us);
    shares.storm_s = request->storm_s > 0 ? request->storm_s : shares.storm_s;
    enum err error = levels_run(g, &shares, r);
    error = error == OK ? bench_raw_fold(g->raw, shares.fold_us, &r->fold_per_s) : error;
    bench_core_take(BENCH_CORE_ASKING);
    if (error == OK) {
        output_progress("reads, places ...");
        error = bench_load_reads(g->load, shares.reads_us, &r->reads_per_s);
    }
    error = error == OK ? bench_load_places(g->load, shares.places_us, &r->place_us_per_player_s)
                        : error;
    if (error == OK) {
        output_progress("the storm: %" PRIu32 " s ...", shares.storm_s);
        error = bench_load_storm(g->load, shares.storm_s, &r->storm);
    }
    return error;
}

static enum err
run_in(const struct request *request, const char *directory, struct bench_store_result *r)
{
    int64_t until_us = process_mono_us() + request->seconds * INT64_C(1000000);
    struct ground ground = {.sqlite = NULL};
    enum err error = ground_open(&ground, directory);
    r->with_sqlite = ground.sqlite != NULL;
    error = error == OK ? ground_run(request, &ground, until_us - process_mono_us(), r) : error;
    ground_close(&ground);
    return error;
}

/* Each in a directory of its own, one after the other. */
static enum err
run_all(const struct request *request, struct bench_store_result *r)
{
    char directory[SCRATCH_PATH_MAX];
    enum err error = scratch_make(request->parent, directory);
    if (error != OK) {
        output_progress("%s: no directory can be made there", request->parent);
        return error;
    }
    r->file_system = file_system_of(directory, &r->on_disk);
    error = run_in(request, directory, r);
    scratch_remove(directory);
    if (error != OK || request->recover_gib <= 0) {
        return error;
    }
    error = scratch_make(request->parent, directory);
    if (error == OK) {
        r->with_recovery = true;
        error =
            bench_recover(directory, (uint64_t)(request->recover_gib * (1 << 30)), &r->recovery);
        scratch_remove(directory);
    }
    return error;
}

static int
verdict(const struct request *request, const struct bench_store_result *r)
{
    double ratio = bench_ratio_lowest(r->sides[SIDE_STORE], r->sides[SIDE_RAW]);
    bool fine = true;
    if (ratio < request->min_ratio) {
        output_progress("failed: ratio_to_raw_lmdb %.3f is below %.3f", ratio, request->min_ratio);
        fine = false;
    }
    if (r->recovery.lost > 0) {
        output_progress("failed: %" PRIu32 " acknowledged documents are lost", r->recovery.lost);
        fine = false;
    }
    return fine ? 0 : 1;
}

int
bench_store_command(int argc, char **argv)
{
    const char *temporary = getenv("TMPDIR");
    struct request request = {.seconds = SECONDS_DEFAULT,
                              .parent = temporary != NULL && temporary[0] != 0 ? temporary
                                                                               : PARENT_DEFAULT};
    argp_parse(&argp, argc, argv, 0, NULL, &request);
    struct bench_store_result *r = calloc(1, sizeof *r);
    CHECK(r != NULL);
    struct scratch_signals before;
    scratch_signals_take(&before);
    int code = 1;
    if (request.postgres != NULL) {
        code = bench_postgres(request.postgres, request.seconds, request.server);
        scratch_signals_give_back(&before);
        free(r);
        return code;
    }
    enum err error = run_all(&request, r);
    scratch_signals_give_back(&before);
    if (error != OK) {
        output_progress("seom bench store: %s",
                        error == ERR_CLOSED ? "interrupted" : err_text(error));
    } else {
        bench_store_print(r);
        json_t *object = bench_store_json(r);
        code = output_result(&object);
        code = code == 0 ? verdict(&request, r) : code;
    }
    free(r);
    return code;
}
