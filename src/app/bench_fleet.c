#include "app/bench_fleet.h"
#include "app/cluster_ask.h"
#include "app/commands.h"
#include "app/island_files.h"
#include "app/output.h"
#include "base/check.h"
#include "os/address.h"
#include "os/files.h"
#include "os/process.h"
#include "world/island_make.h"
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define UP_S         90
#define DOWN_S       40
#define CONNECTING_S 60 /* and one more per PLAYERS_A_S: herds measure sooner who is there */
#define PLAYERS_A_S  400
#define LOOK_US      100000
#define SPARE        64 /* players, for whom a home has room beside everybody */
#define LOG_LINES    10 /* of the cluster's log, told when it ends too early */
#define LOG_BYTES    4096
#define ARGUMENTS    12
#define ARGUMENT_MAX (SCRATCH_PATH_MAX + 32)

static enum err
fail(const struct fleet *f, enum err error, const char *what)
{
    const char *why = f->shared->why[0] != 0 ? f->shared->why : err_text(error);
    if (error != ERR_CLOSED) {
        output_progress("seom bench: %s: %s", what, why);
    }
    return error;
}

/* ---- the cluster ---- */

static enum err
make_islands(const struct fleet *f, const char *directory)
{
    uint32_t count = f->shared->herds_count * fleet_islands_of_herd(f->shared);
    if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
        return ERR_IO;
    }
    enum err error = OK;
    for (uint32_t id = 1; id <= count && error == OK; id++) {
        char path[SCRATCH_PATH_MAX + 64];
        struct island_file file;
        island_file_path(path, sizeof path, directory, id);
        error = island_make_plain(id, PLAN_SIDE_MM, &file);
        if (error == OK) {
            error = file_replace(path, island_file_slice(&file));
            island_file_free(&file);
        }
    }
    return error;
}

/* In a process of its own, as `seom cluster up` is; what it says goes to <data>/bench.log. */
static int
keep(void *ctx)
{
    const struct fleet_shared *shared = ctx;
    const struct fleet_options *o = &shared->options;
    char texts[ARGUMENTS][ARGUMENT_MAX], *arguments[ARGUMENTS + 1] = {NULL};
    int count = 0;
    CHECK(signal(SIGINT, SIG_DFL) != SIG_ERR && signal(SIGTERM, SIG_DFL) != SIG_ERR); /* not ours */
    for (int i = 0; i < ARGUMENTS; i++) {
        arguments[i] = texts[i];
    }
    snprintf(texts[count++], ARGUMENT_MAX, "seom cluster up");
    snprintf(texts[count++], ARGUMENT_MAX, "--data=%s", shared->data);
    snprintf(texts[count++], ARGUMENT_MAX, "--islands=%s/islands", shared->data);
    snprintf(texts[count++], ARGUMENT_MAX, "--homes=%" PRIu32, o->homes);
    snprintf(texts[count++], ARGUMENT_MAX, "--gates=%" PRIu32, o->gates);
    snprintf(texts[count++], ARGUMENT_MAX, "--players-max=%" PRIu32, o->players + SPARE);
    snprintf(texts[count++], ARGUMENT_MAX, "--game=empty");
    snprintf(texts[count++], ARGUMENT_MAX, "--bots=0");
    snprintf(texts[count++], ARGUMENT_MAX, "--http=127.0.0.1:0");
    snprintf(texts[count++], ARGUMENT_MAX, "--play=127.0.0.1:0");
    arguments[count] = NULL;
    char path[SCRATCH_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/bench.log", shared->data);
    FILE *log = fopen(path, "ae");
    if (log == NULL || dup2(fileno(log), STDOUT_FILENO) < 0 ||
        dup2(fileno(log), STDERR_FILENO) < 0) {
        return 1;
    }
    fclose(log);
    return cluster_up_command(count, arguments);
}

/* The last lines of a text. */
static char *
last_lines(char *text, size_t bytes)
{
    char *at = text + bytes;
    for (uint32_t lines = 0; at > text; at--) {
        lines += at[-1] == '\n';
        if (lines > LOG_LINES) {
            break;
        }
    }
    return at;
}

/* What the cluster said last, since its log may be removed with its directory. */
static void
tell_log(const struct fleet *f)
{
    char path[SCRATCH_PATH_MAX + 16], text[LOG_BYTES + 1];
    snprintf(path, sizeof path, "%s/bench.log", f->shared->data);
    FILE *log = fopen(path, "re");
    if (log == NULL) {
        return;
    }
    if (fseek(log, -LOG_BYTES, SEEK_END) != 0) {
        rewind(log); /* it is shorter */
    }
    size_t bytes = fread(text, 1, LOG_BYTES, log);
    fclose(log);
    text[bytes] = 0;
    char *rest = last_lines(text, bytes), *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (line[0] != 0) {
            output_progress("  | %s", line);
        }
    }
}

/* Whether all is up; then the addresses of the gates and of the store are known. */
static bool
learn(struct fleet *f)
{
    struct fleet_shared *shared = f->shared;
    json_t *list = fleet_list(f);
    bool up = strcmp(cluster_text(list, "state"), "running") == 0;
    size_t i;
    const json_t *row;
    shared->gates_count = 0;
    json_array_foreach(json_object_get(list, "nodes"), i, row)
    {
        struct address at;
        if (up && strcmp(cluster_text(row, "role"), "gate") == 0 &&
            shared->gates_count < HERD_GATES_MAX &&
            address_parse(cluster_text(row, "play"), &at) == NULL) {
            shared->gates[shared->gates_count++] =
                (struct herd_gate){.at = at.socket, .bytes = at.socket_bytes};
        }
    }
    snprintf(shared->store, sizeof shared->store, "%s", cluster_text(list, "store"));
    json_decref(list);
    return up;
}

static enum err
cluster_start(struct fleet *f)
{
    if (process_fork(keep, f->shared, &f->keeper) != OK) {
        return ERR_FULL;
    }
    int64_t end_us = process_mono_us() + UP_S * INT64_C(1000000);
    while (process_mono_us() < end_us && !scratch_stopped()) {
        if (!scratch_child_runs(f->keeper)) {
            snprintf(f->shared->why, FLEET_WHY_MAX, "it has ended");
            return ERR_IO;
        }
        if (learn(f)) {
            return OK;
        }
        usleep(LOOK_US);
    }
    return scratch_stopped() ? ERR_CLOSED : ERR_TIMEOUT;
}

static void
cluster_stop(struct fleet *f)
{
    if (f->keeper == 0) {
        return;
    }
    kill(f->keeper, SIGTERM);
    int64_t end_us = process_mono_us() + DOWN_S * INT64_C(1000000);
    while (scratch_child_runs(f->keeper) && process_mono_us() < end_us) {
        usleep(LOOK_US);
    }
    if (scratch_child_runs(f->keeper)) {
        output_progress("the cluster did not end in %d s and is killed", DOWN_S);
        tell_log(f);
        kill(f->keeper, SIGKILL); /* nothing of it outlives it */
    }
    process_wait(f->keeper);
    f->keeper = 0;
}

/* ---- beginning and end ---- */

static int
remove_one(const char *path, const struct stat *what, int type, struct FTW *where)
{
    (void)what, (void)type, (void)where;
    return remove(path) == 0 || errno == ENOENT ? 0 : errno;
}

static void
remove_base(const struct fleet *f)
{
    int code = nftw(f->base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (code != 0) {
        output_progress("%s could not be removed: %s", f->base, strerror(code < 0 ? errno : code));
    }
}

static enum err
make_data(struct fleet *f)
{
    struct fleet_shared *shared = f->shared;
    const char *given = shared->options.data;
    if (given != NULL) {
        snprintf(shared->data, sizeof shared->data, "%s", given);
        bool made = mkdir(given, 0755) == 0 || errno == EEXIST;
        return strlen(given) < sizeof shared->data && made ? OK : ERR_IO;
    }
    enum err error = scratch_make(NULL, f->base);
    if (error != OK) {
        f->base[0] = 0;
        return error;
    }
    memcpy(shared->data, f->base, sizeof shared->data);
    return chmod(f->base, 0755) == 0 ? OK : ERR_IO;
}

/* Whole islands go to a process of bots. */
static void
deal_out(struct fleet_shared *shared)
{
    uint32_t players = shared->options.players, each;
    uint32_t herds = (players + FLEET_HERD_MAX - 1) / FLEET_HERD_MAX;
    CHECK(players > 0 && players <= FLEET_PLAYERS_MAX);
    each = (players + herds - 1) / herds;
    each = (each + PLAN_PEOPLE - 1) / PLAN_PEOPLE * PLAN_PEOPLE;
    for (uint32_t first = 0; first < players; first += each) {
        uint32_t left = players - first;
        shared->herds[shared->herds_count].first = first;
        shared->herds[shared->herds_count++].count = left < each ? left : each;
    }
}

static enum err
run_child(struct fleet *f, int (*run)(void *ctx))
{
    pid_t pid;
    if (process_fork(run, f->shared, &pid) != OK) {
        return ERR_FULL;
    }
    return process_wait(pid) == 0 ? OK : scratch_stopped() ? ERR_CLOSED : ERR_IO;
}

enum err
fleet_open(struct fleet *f, const struct fleet_options *options)
{
    *f = (struct fleet){0};
    f->shared = mmap(NULL, sizeof *f->shared, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(f->shared != MAP_FAILED);
    struct fleet_shared *shared = f->shared;
    shared->options = *options;
    deal_out(shared);
    enum err error = make_data(f);
    if (error != OK) {
        return fail(f, error, "no directory for the cluster");
    }
    char islands[SCRATCH_PATH_MAX + 16];
    snprintf(islands, sizeof islands, "%s/islands", shared->data);
    output_progress("a cluster of %" PRIu32 " homes and %" PRIu32 " gates in %s ...",
                    options->homes, options->gates, shared->data);
    error = make_islands(f, islands);
    if (error != OK) {
        return fail(f, error, "no islands for the cluster");
    }
    error = cluster_start(f);
    if (error != OK) {
        error = fail(f, error, "the cluster does not come up");
        if (error != ERR_CLOSED) {
            tell_log(f);
        }
        return error;
    }
    output_progress("writing %" PRIu32 " players ...", options->players);
    error = run_child(f, fleet_seed);
    return error == OK ? OK : fail(f, error, "nobody could be written into the store");
}

void
fleet_close(struct fleet *f)
{
    enum err error = fleet_leave(f); /* it said so itself */
    (void)error;
    cluster_stop(f);
    if (f->base[0] != 0) {
        remove_base(f);
    }
    munmap(f->shared, sizeof *f->shared);
}

/* ---- playing ---- */

static void
tell_second(const struct fleet_shared *shared, int64_t passed_us)
{
    uint32_t playing = 0, measuring = 0;
    uint64_t lost = 0, age_ms = 0;
    double moves = 0;
    for (uint32_t i = 0; i < shared->herds_count; i++) {
        const struct herd_second *s = &shared->herds[i].second;
        playing += s->playing;
        lost += s->lost;
        moves += s->moves_per_s;
        age_ms = s->age_p99_ms > age_ms ? s->age_p99_ms : age_ms;
        measuring += s->phase == HERD_MEASURING;
    }
    output_progress("%4" PRId64 " s  %" PRIu32 "/%" PRIu32 " playing%s, %" PRIu64
                    " lost, %.0f moves/s, age p99 %" PRIu64 " ms",
                    passed_us / 1000000, playing, shared->options.players,
                    measuring == shared->herds_count ? ", measured" : "", lost, moves, age_ms);
}

enum err
fleet_wait(struct fleet *f, int64_t us, bool (*enough)(void *ctx), void *ctx)
{
    int64_t begin_us = process_mono_us(), told_us = begin_us, now_us = begin_us;
    while (now_us - begin_us < us && (enough == NULL || !enough(ctx))) {
        if (scratch_stopped()) {
            return ERR_CLOSED;
        }
        bool keeps = scratch_child_runs(f->keeper), lives = keeps;
        for (uint32_t i = 0; i < f->shared->herds_count; i++) {
            lives = lives &&
                    (f->shared->herds[i].pid == 0 || scratch_child_runs(f->shared->herds[i].pid));
        }
        if (!lives) {
            enum err error =
                fail(f, ERR_IO, keeps ? "a process of bots has ended" : "the cluster has ended");
            tell_log(f);
            return error;
        }
        int64_t left_us = us - (now_us - begin_us);
        usleep((useconds_t)(left_us < LOOK_US ? left_us : LOOK_US));
        now_us = process_mono_us();
        if (now_us - told_us >= 1000000) {
            told_us += 1000000;
            tell_second(f->shared, now_us - begin_us);
        }
    }
    return OK;
}

static bool
all_measure(void *ctx)
{
    struct fleet_shared *shared = ctx;
    for (uint32_t i = 0; i < shared->herds_count; i++) {
        if (!atomic_load(&shared->herds[i].measures)) {
            return false;
        }
    }
    return true;
}

enum err
fleet_play(struct fleet *f)
{
    struct fleet_shared *shared = f->shared;
    atomic_store(&shared->stop, false);
    for (uint32_t i = 0; i < shared->herds_count; i++) {
        struct fleet_herding herding = {.shared = shared, .number = i};
        pid_t pid; /* not in what is shared: the child sets its own to 0 */
        if (process_fork(fleet_herd, &herding, &pid) != OK) {
            return fail(f, ERR_FULL, "no process for bots");
        }
        shared->herds[i].pid = pid;
    }
    int64_t patience_s =
        shared->options.warm_s + CONNECTING_S + (int64_t)shared->options.players / PLAYERS_A_S;
    enum err error = fleet_wait(f, patience_s * 1000000, all_measure, shared);
    if (error == OK && !all_measure(shared)) {
        return fail(f, ERR_TIMEOUT, "not everybody came in");
    }
    return error;
}

enum err
fleet_leave(struct fleet *f)
{
    enum err error = OK;
    atomic_store(&f->shared->stop, true);
    for (uint32_t i = 0; i < f->shared->herds_count; i++) {
        struct fleet_herd *herd = &f->shared->herds[i];
        if (herd->pid != 0 && process_wait(herd->pid) != 0) {
            error = fail(f, ERR_IO, "a process of bots failed");
        }
        herd->pid = 0;
    }
    return error;
}

/* ---- asking ---- */

json_t *
fleet_list(const struct fleet *f)
{
    char why[CLUSTER_ASK_WHY_MAX];
    return cluster_ask_list(f->shared->data, why);
}

json_t *
fleet_ask(const struct fleet *f, const char *node, const char *command)
{
    char why[CLUSTER_ASK_WHY_MAX];
    return cluster_ask(f->shared->data, node, json_pack("{s:s}", "command", command), why);
}

enum err
fleet_homes(struct fleet *f)
{
    enum err error = run_child(f, fleet_look);
    return error == OK ? OK : fail(f, error, "the store does not say who is where");
}

/* Adds the time of the members of one list of the keeper's. */
static enum err
add_cpu(const json_t *rows, struct fleet_cpu *out)
{
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row)
    {
        const char *role = cluster_text(row, "role");
        int64_t us, *sum = strcmp(role, "home") == 0       ? &out->homes_us
                           : strcmp(role, "gate") == 0     ? &out->gates_us
                           : strcmp(role, "postgres") == 0 ? &out->store_us
                                                           : &out->etcd_us;
        enum err error = process_cpu_us_of_family((pid_t)cluster_number(row, "pid"), &us);
        if (error != OK) {
            return error;
        }
        *sum += us;
    }
    return OK;
}

enum err
fleet_cpu(const struct fleet *f, struct fleet_cpu *out)
{
    *out = (struct fleet_cpu){.mono_us = process_mono_us()};
    json_t *list = fleet_list(f);
    enum err error = list == NULL ? ERR_UNAVAILABLE : process_machine(&out->machine);
    error = error == OK ? add_cpu(json_object_get(list, "nodes"), out) : error;
    error = error == OK ? add_cpu(json_object_get(list, "engines"), out) : error;
    json_decref(list);
    for (uint32_t i = 0; i < f->shared->herds_count && error == OK; i++) {
        int64_t us;
        error = process_cpu_us_of(f->shared->herds[i].pid, &us);
        out->bots_us += error == OK ? us : 0;
    }
    return error == OK ? OK : fail(f, error, "the time of a process is not known");
}

static void
add_ticks(const json_t *ticks, struct hist *out)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(ticks, "buckets"), i, row)
    {
        json_int_t bucket = json_integer_value(json_array_get(row, 0));
        if (bucket >= 0 && bucket < HIST_BUCKETS) {
            out->buckets[bucket] += (uint64_t)json_integer_value(json_array_get(row, 1));
        }
    }
    uint64_t max = (uint64_t)cluster_number(ticks, "max_us");
    out->count += (uint64_t)cluster_number(ticks, "count");
    out->sum += (uint64_t)cluster_number(ticks, "sum_us");
    out->max = max > out->max ? max : out->max;
}

enum err
fleet_ticks(const struct fleet *f, const char *except, struct hist *out)
{
    json_t *list = fleet_list(f);
    enum err error = list == NULL ? ERR_UNAVAILABLE : OK;
    size_t i;
    const json_t *row;
    hist_reset(out);
    json_array_foreach(json_object_get(list, "nodes"), i, row)
    {
        const char *name = cluster_text(row, "name");
        if (strcmp(cluster_text(row, "role"), "home") != 0 ||
            (except != NULL && strcmp(name, except) == 0)) {
            continue;
        }
        json_t *ticks = fleet_ask(f, name, "ticks");
        error = ticks == NULL ? ERR_UNAVAILABLE : error;
        add_ticks(ticks, out);
        json_decref(ticks);
    }
    json_decref(list);
    return error == OK ? OK : fail(f, error, "a home does not tell its ticks");
}

void
fleet_ticks_between(const struct hist *from, const struct hist *to, struct hist *out)
{
    *out = *to;
    out->count -= from->count;
    out->sum -= from->sum;
    for (int i = 0; i < HIST_BUCKETS; i++) {
        out->buckets[i] -= from->buckets[i];
    }
    out->max = hist_quantile(out, 1.0); /* to's is that of all time */
}

/* A figure of a page of metrics that has one row; NaN: it is not there. */
static double
metric_of(const char *page, const char *name)
{
    size_t bytes = strlen(name);
    for (const char *row = page; row != NULL; row = strchr(row, '\n')) {
        row += *row == '\n';
        if (strncmp(row, name, bytes) == 0 && row[bytes] == '{') {
            const char *value = strstr(row, "} ");
            return value != NULL ? strtod(value + 2, NULL) : (double)NAN;
        }
    }
    return (double)NAN;
}

enum err
fleet_traffic(const struct fleet *f, struct fleet_traffic *out)
{
    *out = (struct fleet_traffic){.gates = f->shared->options.gates};
    for (uint32_t i = 0; i < out->gates; i++) {
        char name[32];
        snprintf(name, sizeof name, "gate-%" PRIu32, i + 1);
        json_t *answer = fleet_ask(f, name, "metrics");
        const char *page = json_string_value(json_object_get(answer, "metrics"));
        page = page != NULL ? page : "";
        out->of[i].up_s = metric_of(page, "seom_uptime_seconds");
        out->of[i].sends = metric_of(page, "seom_sends_total");
        out->of[i].receives = metric_of(page, "seom_receives_total");
        out->of[i].bytes = metric_of(page, "seom_bytes_sent_total");
        json_decref(answer);
        if (isnan(out->of[i].up_s + out->of[i].sends + out->of[i].receives + out->of[i].bytes)) {
            return fail(f, ERR_UNAVAILABLE, "a gate does not tell what it sends");
        }
    }
    return OK;
}
