/* `seom cluster up` and `down`: a whole cluster on this machine. */
#include "app/cluster.h"
#include "app/arguments.h"
#include "app/cluster_saved.h"
#include "app/commands.h"
#include "app/output.h"
#include "base/check.h"
#include "os/data_lock.h"
#include "os/etcd_directory.h"
#include "os/files.h"
#include "os/process.h"
#include "wire/text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_US           1000000
#define TURN_US           50000   /* so often members are asked, at most */
#define WAITS_TOLD_US     5000000 /* between two lines that say what is waited for */
#define DOWN_WAIT_MS      2000
#define DOWN_PATIENCE_S   60
#define UP_PATIENCE_US    90000000 /* --detach gives up then */
#define LINKS_PATIENCE_US 10000000

enum { OPTION_HOMES = 1, OPTION_GATES, OPTION_ETCD, OPTION_DETACH, OPTION_FOREGROUND };

static bool
is_line(const char *text)
{
    return text_is_line((struct slice){.at = (const uint8_t *)text, .bytes = strlen(text)});
}

static error_t
up_parse(int key, char *arg, struct argp_state *state)
{
    struct cluster *c = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &c->input; return 0;
    case OPTION_HOMES:
        c->homes = arguments_number(arg, 1, CLUSTER_NODES_MAX, "--homes", state);
        return 0;
    case OPTION_GATES:
        c->gates = arguments_number(arg, 1, CLUSTER_NODES_MAX, "--gates", state);
        return 0;
    case OPTION_ETCD:
        if (strlen(arg) >= sizeof c->directory || !is_line(arg))
            argp_error(state, "--etcd: not plain text in UTF-8 of less than %zu bytes",
                       sizeof c->directory);
        snprintf(c->directory, sizeof c->directory, "%s", arg);
        return 0;
    case OPTION_DETACH: c->detach = true; return 0;
    case OPTION_FOREGROUND: c->detach = false; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option up_options[] = {
    {"homes", OPTION_HOMES, "N", 0, "homes (as the last time; at first 3)", 0},
    {"gates", OPTION_GATES, "N", 0, "gates (as the last time; at first 2)", 0},
    {"etcd", OPTION_ETCD, "URL", 0, "a directory that is there already, as --directory", 0},
    {"detach", OPTION_DETACH, NULL, 0, "come back when all is up; `seom cluster down' ends it", 0},
    {"foreground", OPTION_FOREGROUND, NULL, 0, "stay until Ctrl-C (the default)", 0},
    {0}};

/* ---- starting ---- */

static enum err
open_data(struct cluster *c, char *why)
{
    char path[PATH_MAX];
    const char *data = c->input.config.data;
    bool made = mkdir(data, 0700) == 0;
    if (!made && errno != EEXIST) {
        snprintf(why, CLUSTER_WHY_MAX, "%s cannot be made: %s (choose another with --data)", data,
                 strerror(errno));
        return ERR_IO;
    }
    if (realpath(data, path) == NULL || strlen(path) > ENGINES_DATA_MAX) {
        snprintf(why, CLUSTER_WHY_MAX,
                 "the path of %s is longer than %d bytes, and sockets in it would have paths that "
                 "the kernel does not take: choose a shorter --data",
                 data, ENGINES_DATA_MAX);
        return ERR_TOO_LARGE;
    }
    if (!is_line(path)) {
        snprintf(why, CLUSTER_WHY_MAX,
                 "the path of %s is not plain text in UTF-8: choose another --data", data);
        return ERR_FORMAT;
    }
    if (made && geteuid() == 0 && chmod(path, 0711) != 0) { /* see engines.h */
        snprintf(why, CLUSTER_WHY_MAX, "%s cannot be opened to others: %s", data, strerror(errno));
        return ERR_IO;
    }
    snprintf(c->data, sizeof c->data, "%.*s", ENGINES_DATA_MAX, path);
    snprintf(c->logs, sizeof c->logs, "%.*s/logs", ENGINES_DATA_MAX, path);
    enum err error = data_lock_take(c->data, &c->lock, why, CLUSTER_WHY_MAX);
    if (error == ERR_DENIED) { /* somebody else has it */
        size_t told = strlen(why);
        snprintf(why + told, CLUSTER_WHY_MAX - told,
                 " (if it is a cluster: `seom nodes --data %.*s` shows it, `seom cluster down "
                 "--data %.*s` "
                 "ends it)",
                 ENGINES_DATA_MAX, c->data, ENGINES_DATA_MAX, c->data);
    }
    if (error != OK)
        return error;
    if (mkdir(c->logs, 0700) == 0 || errno == EEXIST)
        return OK;
    snprintf(why, CLUSTER_WHY_MAX, "%s cannot be made: %s", c->logs, strerror(errno));
    return ERR_IO;
}

static void
asked(void *ctx, int signal_number)
{
    struct cluster *c = ctx;
    (void)signal_number;
    c->phase = CLUSTER_STOPPING;
}

/* Which world this is: as the command line says, or as the last time. */
static enum err
take_place(struct cluster *c, char *why)
{
    struct config *config = &c->input.config;
    bool said = config->origins[CONFIG_world] != ORIGIN_DEFAULT;
    char path[CLUSTER_PATH_MAX + 16];
    struct cluster_place place = {.world = said ? config->world : 0};
    memcpy(place.store, config->store, sizeof place.store);
    memcpy(place.directory, c->directory[0] != 0 ? c->directory : config->directory,
           sizeof place.directory);
    snprintf(path, sizeof path, "%s/ticket.key", c->data);
    place.has_tickets = access(path, F_OK) == 0;
    snprintf(path, sizeof path, "%s/cluster.json", c->data);
    enum err error = cluster_saved_load(path, &c->saved, why, CLUSTER_WHY_MAX);
    error = error == OK ? cluster_saved_take(c->saved, path, &place, why, CLUSTER_WHY_MAX) : error;
    if (error != OK)
        return error;
    memcpy(c->store, place.store, sizeof c->store);
    memcpy(c->directory, place.directory, sizeof c->directory);
    config->world = place.world != 0 ? place.world : config->world;
    return c->directory[0] == 0 ? OK : etcd_directory_check(c->directory, why, CLUSTER_WHY_MAX);
}

static enum err
open_engines(struct cluster *c, char *why)
{
    char log[CLUSTER_PATH_MAX + 32];
    c->own_etcd = c->directory[0] == 0;
    c->own_postgres = c->store[0] == 0;
    enum err error = engines_find(&c->engines, c->data, c->own_postgres, c->own_etcd, why);
    if (error != OK || !c->own_postgres)
        return error;
    snprintf(log, sizeof log, "%s/postgres.log", c->logs);
    if (access(c->engines.postgres, F_OK) != 0)
        output_progress("making a database in %s (some seconds)", c->engines.postgres);
    return engines_postgres_make(&c->engines, log, why);
}

static enum err
open_all(struct cluster *c, char why[CLUSTER_WHY_MAX])
{
    char socket[CLUSTER_PATH_MAX + 32];
    struct supervise_events events = cluster_events;
    events.ctx = c;
    c->started_us = c->told_us = process_mono_us();
    /* Before the page, which has a thread: the kernel would give signals to that one. */
    CHECK(loop_open(&c->loop) == OK);
    CHECK(signals_open(&c->signals, c->loop, c, asked) == OK);
    enum err error = sea_load(c->input.config.islands, &c->sea, why, CLUSTER_WHY_MAX);
    error = error == OK ? open_data(c, why) : error;
    error = error == OK ? take_place(c, why) : error;
    error = error == OK ? cluster_page_open(c, why) : error;
    error = error == OK ? open_engines(c, why) : error; /* which may take long */
    if (error != OK)
        return error;
    snprintf(socket, sizeof socket, "%s/" CLUSTER_SOCKET, c->data);
    CHECK(supervisor_open(c->loop, c->logs, &events, &c->supervisor) == OK);
    error = cluster_plan(c, why);
    return error == OK ? control_open(c->loop, socket, cluster_commands, c, &c->control, why,
                                      CLUSTER_WHY_MAX)
                       : error;
}

/* Those that nodes leave behind: one that was killed, and gates, whose heirs look for one. */
static void
remove_sockets(const struct cluster *c)
{
    static const char *const suffixes[] = {"sock", "play.sock"};
    char path[CLUSTER_PATH_MAX + SUPERVISE_NAME_MAX + 16];
    for (uint32_t i = 0; i < c->members_count; i++) {
        if (!cluster_kind_is_node(c->members[i].kind))
            continue;
        for (size_t k = 0; k < sizeof suffixes / sizeof suffixes[0]; k++) {
            snprintf(path, sizeof path, "%s/%s.%s", c->data,
                     supervise_member(c->supervisor, i)->name, suffixes[k]);
            (void)unlink(path); /* most are gone */
        }
    }
}

static void
close_all(struct cluster *c)
{
    cluster_page_close(c);
    remove_sockets(c);
    cluster_forget_members(c);
    supervisor_close(&c->supervisor);
    if (c->lock >= 0)
        data_lock_release(c->lock);
    control_close(&c->control); /* the last thing: whoever waits for our end looks at it */
    if (c->loop != NULL) {
        signals_close(&c->signals);
        loop_close(&c->loop);
    }
    sea_free(&c->sea);
    json_decref(c->saved);
}

/* ---- running ---- */

static void
tell_where(const struct cluster *c, const char *page, const json_t *gates)
{
    size_t i;
    const json_t *gate;
    fprintf(stderr,
            "\n  The sea is open: %u islands, %u home%s, %u gate%s%s, %lld bots.\n\n"
            "    the map     http://%s/\n    players    ",
            c->sea.islands.count, c->homes, c->homes == 1 ? "" : "s", c->gates,
            c->gates == 1 ? "" : "s", c->shards > 1 ? " in each shard" : "",
            (long long)c->input.config.bots, page);
    json_array_foreach(gates, i, gate)
    {
        fprintf(stderr, " %s", json_string_value(gate));
    }
    fprintf(stderr,
            "\n    figures     http://%s/status, /metrics\n    data, logs  %s\n\n"
            "  `seom nodes --data %s` lists the nodes, `seom node kill home-2 -9 --data %s` kills "
            "one.\n  ",
            page, c->data, c->data, c->data);
    if (c->detach)
        fprintf(stderr, "`seom cluster down --data %s`", c->data);
    else
        fprintf(stderr, "Ctrl-C");
    fprintf(stderr, " stops everything; what people did is kept.\n\n");
}

/* From here on whoever waits for a detached cluster may go, with what he is told; it says what it
 * says into its log. */
static void
detach_from_caller(struct cluster *c, const char *told)
{
    char path[CLUSTER_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/cluster.log", c->logs);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(log >= 0 && nothing >= 0 && dup2(log, STDERR_FILENO) >= 0 &&
          dup2(nothing, STDIN_FILENO) >= 0 && dup2(nothing, STDOUT_FILENO) >= 0);
    close(log);
    close(nothing);
    if (write(c->up_fd, told, strlen(told)) != (ssize_t)strlen(told)) {
        output_progress("whoever waited for it has gone, by Ctrl-C it may be: ending it again");
        c->phase = CLUSTER_STOPPING;
    }
    close(c->up_fd);
    c->up_fd = -1;
}

static void
all_are_up(struct cluster *c, int64_t now_us)
{
    char page[ADDRESS_TEXT_MAX], play[ADDRESS_TEXT_MAX];
    struct address http = c->input.config.http;
    double seconds = (double)(now_us - c->started_us) / 1e6;
    json_t *gates = json_array();
    http.port = http_port(c->http);
    address_text(&http, page);
    for (uint32_t i = 0; i < c->members_count; i++) {
        if (c->members[i].kind != CLUSTER_GATE)
            continue;
        cluster_address(c, &c->members[i], play);
        json_array_append_new(gates, json_string(play));
    }
    c->phase = CLUSTER_RUNNING;
    c->was_up = true;
    cluster_page_write(c, now_us); /* whoever was told that all is up finds it so */
    output_progress("all is up (%.1f s)", seconds);
    tell_where(c, page, gates);
    json_t *told = json_pack("{s:s, s:s, s:o, s:f, s:i}", "data", c->data, "http", page, "gates",
                             gates, "seconds", seconds, "pid", (int)getpid());
    CHECK(told != NULL);
    char *text = json_dumps(told, JSON_COMPACT);
    CHECK(text != NULL);
    if (c->up_fd >= 0)
        detach_from_caller(c, text);
    free(text);
    json_decref(told);
}

/* What a member is waited for, with its name; 0 bytes: it is as it should be. */
static size_t
waits_for(const struct cluster *c, uint32_t i, int64_t now_us, char *out, size_t out_bytes)
{
    const struct member *m = supervise_member(c->supervisor, i);
    char waits[CLUSTER_WAITS_MAX];
    cluster_member_waits(c, i, waits);
    if (m->state != MEMBER_UP)
        return (size_t)snprintf(out, out_bytes, "%s (%s%s%s)", m->name,
                                cluster_member_state(c, i, now_us),
                                waits[0] != 0 ? ": waits for " : "", waits);
    if (!cluster_kind_is_node(c->members[i].kind))
        return 0;
    uint32_t links = cluster_links(c, i), expected = cluster_links_expected(c, i);
    return links >= expected
               ? 0
               : (size_t)snprintf(out, out_bytes, "%s (%u of %u links)", m->name, links, expected);
}

/* Nodes that serve find each other within a second or two. Where they do not, play goes on without
 * these links, and one is told so. */
static void
look_whether_all_are_up(struct cluster *c, int64_t now_us)
{
    char waits[512] = "";
    size_t used = 0;
    bool all_serve = true;
    for (uint32_t i = 0; i < c->members_count; i++) {
        char what[SUPERVISE_NAME_MAX + CLUSTER_WAITS_MAX + 64];
        all_serve = all_serve && supervise_member(c->supervisor, i)->state == MEMBER_UP;
        if (waits_for(c, i, now_us, what, sizeof what) > 0 && used < sizeof waits)
            used += (size_t)snprintf(waits + used, sizeof waits - used, "%s%s",
                                     used > 0 ? ", " : "", what);
    }
    c->all_serve_us = !all_serve ? 0 : c->all_serve_us == 0 ? now_us : c->all_serve_us;
    bool patient = !all_serve || now_us - c->all_serve_us < LINKS_PATIENCE_US;
    if (used == 0 || !patient) {
        if (used > 0)
            output_progress("links are missing, which logs in %s may explain: %s", c->logs, waits);
        all_are_up(c, now_us);
    } else if (now_us - c->told_us >= WAITS_TOLD_US) {
        c->told_us = now_us;
        output_progress("waiting for %s; logs in %s", waits, c->logs);
    }
    if (c->up_fd >= 0 && now_us - c->started_us > UP_PATIENCE_US) {
        output_progress("not everything came up in time; ending it again");
        c->phase = CLUSTER_STOPPING;
    }
}

/* The next ones are asked to end when all before them have. True: nobody is left. */
static bool
stop_in_order(struct cluster *c)
{
    static const struct {
        enum cluster_kind first, last;
    } steps[] = {{CLUSTER_BOTS, CLUSTER_BOTS},
                 {CLUSTER_GATE, CLUSTER_GATE},
                 {CLUSTER_HOME, CLUSTER_RELAY},
                 {CLUSTER_POSTGRES, CLUSTER_ETCD}};

    for (size_t step = 0; step < sizeof steps / sizeof steps[0]; step++) {
        bool left = false;
        for (uint32_t i = 0; i < c->members_count; i++) {
            enum cluster_kind kind = c->members[i].kind;
            if (kind < steps[step].first || kind > steps[step].last)
                continue;
            supervise_stop(c->supervisor, i);
            left = left || supervise_member(c->supervisor, i)->state != MEMBER_ENDED;
        }
        if (left)
            return false;
    }
    return true;
}

static void
save_when_changed(struct cluster *c)
{
    if (!c->changed)
        return;
    enum err error = cluster_save(c);
    if (error != OK)
        output_progress("cluster.json cannot be written: %s", err_text(error));
}

static void
cluster_run(struct cluster *c)
{
    int64_t for_us = c->input.config.for_s * 1000000;
    loop_turn(c->loop, 0); /* who was asked to end while a database was made starts nobody */
    for (uint32_t i = 0; i < c->members_count && c->phase != CLUSTER_STOPPING; i++)
        supervise_start(c->supervisor, i);
    for (bool told = false;;) {
        int64_t now_us = process_mono_us();
        int64_t next_us = supervise_turn(c->supervisor, now_us);
        if (c->phase == CLUSTER_STOPPING && stop_in_order(c))
            break;
        if (c->phase == CLUSTER_STOPPING && !told) {
            output_progress("ending: bots, gates, homes, engines");
            told = true;
        }
        cluster_ask_members(c, now_us);
        if (c->phase == CLUSTER_STARTING)
            look_whether_all_are_up(c, now_us);
        if (now_us - c->page_us >= PAGE_US)
            cluster_page_write(c, now_us);
        save_when_changed(c);
        if (for_us > 0 && now_us - c->started_us >= for_us)
            c->phase = CLUSTER_STOPPING;
        if (next_us > now_us + TURN_US)
            next_us = now_us + TURN_US;
        loop_turn(c->loop, next_us > now_us ? next_us - now_us : 0);
    }
    save_when_changed(c);
    output_progress("all has ended; the world is kept in %s", c->data);
}

static int
cluster_up(struct cluster *c)
{
    char why[CLUSTER_WHY_MAX] = "";
    enum err error = open_all(c, why);
    if (error == OK)
        cluster_run(c);
    else
        fprintf(stderr, "seom cluster up: %s\n", why);
    close_all(c);
    return error == OK ? 0 : 1;
}

/* The cluster in a session of its own; we wait until it says that it is up, and where. */
static int
up_detached(struct cluster *c)
{
    int up[2];
    char said[4096];
    size_t used = 0;
    ssize_t n = 1;
    CHECK(pipe2(up, O_CLOEXEC) == 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        fprintf(stderr, "seom cluster up: no process can be started: %s\n", strerror(errno));
        return 1;
    }
    if (pid == 0) {
        close(up[0]);
        CHECK(setsid() >= 0);
        c->up_fd = up[1];
        exit(cluster_up(c));
    }
    close(up[1]);
    while (n != 0 && used < sizeof said) {
        n = read(up[0], said + used, sizeof said - used);
        if (n < 0 && errno != EINTR)
            break;
        used += n > 0 ? (size_t)n : 0;
    }
    close(up[0]);
    json_t *result = json_loadb(said, used, 0, NULL);
    if (result != NULL)
        return output_result(&result);
    process_wait(pid);
    return 1;
}

int
cluster_up_command(int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &config_argp_cluster}, {0}};
    static const struct argp argp = {
        .options = up_options,
        .parser = up_parse,
        .children = children,
        .doc = "Run a cluster on this machine: homes, gates and bots, each a process of its own, "
               "which are started again when they die. With --shards N it has so many, each with "
               "--homes and --gates and two relays. PostgreSQL and etcd, from Debian's "
               "packages, are started with it unless --store and --directory (or --etcd) name "
               "some. The same --data goes on with the same world."};
    struct cluster *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->lock = c->up_fd = -1;
    CHECK(pthread_mutex_init(&c->page.lock, NULL) == 0);
    argp_parse(&argp, argc, argv, 0, NULL, c);
    int code = c->detach ? up_detached(c) : cluster_up(c);
    CHECK(pthread_mutex_destroy(&c->page.lock) == 0);
    free(c);
    return code;
}

/* ---- ending from outside ---- */

struct down {
    struct config_given given;
    struct config config;
};

static error_t
down_parse(int key, char *arg, struct argp_state *state)
{
    struct down *down = state->input;
    switch (key) {
    case 'd': down->given.texts[CONFIG_data] = arg; return 0;
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument '%s'", arg); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* Its control socket is the last that it lets go of. */
static bool
wait_for_end(const char *socket, int64_t until_us)
{
    char why[CLUSTER_WHY_MAX];
    while (process_mono_us() < until_us) {
        json_t *request = json_pack("{s:s}", "command", "help"), *answer = NULL;
        enum err error = control_ask(socket, request, DOWN_WAIT_MS, &answer, why, sizeof why);
        json_decref(request);
        json_decref(answer);
        if (error == ERR_NOT_FOUND || error == ERR_UNAVAILABLE)
            return true;
        usleep(20000);
    }
    return false;
}

int
cluster_down_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"data", 'd', "DIR", 0, "directory of the cluster (default ./seom-data, or $SEOM_DATA)", 0},
        {0}};
    static const struct argp argp = {.options = options,
                                     .parser = down_parse,
                                     .doc = "End a cluster on this machine in order: bots, gates, "
                                            "homes, then the engines that it started."};
    struct down down = {0};
    char socket[CLUSTER_PATH_MAX], why[CLUSTER_WHY_MAX] = "";
    json_t *answer = NULL;
    argp_parse(&argp, argc, argv, 0, NULL, &down);
    if (!config_load(&down.given, &down.config, why, sizeof why)) {
        fprintf(stderr, "%s: %s\n", argv[0], why);
        return 2;
    }
    const char *data = down.config.data;
    snprintf(socket, sizeof socket, "%s/" CLUSTER_SOCKET, data);
    json_t *request = json_pack("{s:s}", "command", "stop");
    enum err error = control_ask(socket, request, DOWN_WAIT_MS, &answer, why, sizeof why);
    json_decref(request);
    pid_t pid = (pid_t)json_integer_value(json_object_get(answer, "pid"));
    json_decref(answer);
    if (error != OK || pid <= 0) {
        fprintf(stderr, "seom cluster down: %s: is a cluster running there? See --data.\n", why);
        return 1;
    }
    int64_t begin_us = process_mono_us();
    if (!wait_for_end(socket, begin_us + DOWN_PATIENCE_S * INT64_C(1000000))) {
        fprintf(stderr, "seom cluster down: process %d has not ended in %d s; %s/logs say more\n",
                (int)pid, DOWN_PATIENCE_S, data);
        return 1;
    }
    double seconds = (double)(process_mono_us() - begin_us) / 1e6;
    output_progress("the cluster in %s has ended (%.1f s)", data, seconds);
    json_t *result = json_pack("{s:s, s:f}", "data", data, "seconds", seconds);
    return output_result(&result);
}
