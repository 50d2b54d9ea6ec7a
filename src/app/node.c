#include "app/node.h"

#include "app/version.h"
#include "base/check.h"
#include "os/crash.h"
#include "os/data_lock.h"
#include "os/process.h"
#include "watch/gather.h"
#include "wire/link.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static void
asked(void *ctx, int signal_number)
{
    struct node_process *n = ctx;
    env_log(&n->env, LOG_INFO, "node.signal", "signal %d: stopping", signal_number);
    n->asked_to_stop = true;
}

/* ---- lines, whose events are handed on to the mesh; the first one begins the turn ---- */

static void
dialled(void *ctx, uint32_t line)
{
    struct node_process *n = ctx;
    node_begin_turn(n);
    n->events.dialled(n->events.ctx, line);
}

static void
accepted(void *ctx, uint32_t line)
{
    struct node_process *n = ctx;
    node_begin_turn(n);
    n->events.accepted(n->events.ctx, line);
}

static void
received(void *ctx, uint32_t line, const uint8_t *bytes, size_t count)
{
    struct node_process *n = ctx;
    node_begin_turn(n);
    n->events.received(n->events.ctx, line, bytes, count);
}

static void
writable(void *ctx, uint32_t line)
{
    struct node_process *n = ctx;
    node_begin_turn(n);
    n->events.writable(n->events.ctx, line);
}

static void
closed(void *ctx, uint32_t line, bool refused)
{
    struct node_process *n = ctx;
    node_begin_turn(n);
    n->events.closed(n->events.ctx, line, refused);
}

static enum err
open_lines(struct node_process *n, char *why)
{
    char text[ADDRESS_TEXT_MAX];
    address_text(&n->config->links, text);
    struct lines_options options = {.loop = n->loop,
                                    .listen = n->self.role != NODE_GATE ? text : NULL,
                                    .plain = n->config->plain};
    enum err e = lines_open(&options, &n->lines, why);
    if (e == OK) {
        n->transport = lines_port(n->lines);
        snprintf(n->self.address, sizeof n->self.address, "%s", lines_address(n->lines));
    }
    return e;
}

/* ---- the node's own directory ---- */

/* Drawn once; by it the directory knows that an entry is of this very installation. */
static enum err
load_installation(struct node_process *n, char *why)
{
    char path[NODE_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/installation", n->directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bool fine = fd >= 0 && read(fd, &n->installation, sizeof n->installation) ==
                               (ssize_t)sizeof n->installation;
    if (fd >= 0 && (!fine || n->installation == 0)) {
        CHECK(getrandom(&n->installation, sizeof n->installation, 0) ==
              (ssize_t)sizeof n->installation);
        n->installation |= 1;
        fine = pwrite(fd, &n->installation, sizeof n->installation, 0) ==
                   (ssize_t)sizeof n->installation &&
               fsync(fd) == 0;
    }
    if (!fine) {
        snprintf(why, NODE_WHY_MAX, "%s: cannot be read or written: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return fine ? OK : ERR_IO;
}

static enum err
open_directory(struct node_process *n, char *why)
{
    snprintf(n->directory, sizeof n->directory, "%s/%s", n->config->data, n->self.name);
    if (mkdir(n->config->data, 0700) != 0 && errno != EEXIST) {
        snprintf(why, NODE_WHY_MAX, "%s cannot be made: %s (choose another with --data)",
                 n->config->data, strerror(errno));
        return ERR_IO;
    }
    enum err e = n->lock >= 0 ? OK : data_lock_take(n->directory, &n->lock, why, NODE_WHY_MAX);
    return e == OK ? load_installation(n, why) : e;
}

static void
open_metrics(struct node_process *n)
{
    char host[METRICS_LABEL_MAX] = "localhost";
    gethostname(host, sizeof host - 1);
    snprintf(n->metrics.world, sizeof n->metrics.world, "%lld", (long long)n->config->world);
    snprintf(n->metrics.node, sizeof n->metrics.node, "%s", n->self.name);
    memcpy(n->metrics.host, host, sizeof host);
    snprintf(n->metrics.version, sizeof n->metrics.version, "%s", version_number());
    snprintf(n->metrics.revision, sizeof n->metrics.revision, "%s", version_revision());
    n->board = board_alloc();
    CHECK(n->board != NULL);
}

/* A node that says it is of another version than it is: how tests see versions live together. */
static enum err
take_protocol(struct node_process *n, char *why)
{
    const char *text = n->config->links_protocol;
    unsigned min, max;
    char more;
    if (text[0] == '\0') {
        return OK;
    }
    if (sscanf(text, "%5u-%5u%c", &min, &max, &more) != 2 || min < 1 || min > max ||
        max > UINT16_MAX) {
        snprintf(why, NODE_WHY_MAX, "--links-protocol: `%s' is no range like 1-2", text);
        return ERR_FORMAT;
    }
    n->self.protocol_min = (uint16_t)min;
    n->self.protocol_max = (uint16_t)max;
    return OK;
}

enum err
node_open(struct node_process *n, const struct config *config, enum node_role role, int lock,
          char why[NODE_WHY_MAX])
{
    *n = (struct node_process){.config = config,
                               .lock = lock,
                               .self = {.role = role,
                                        .shard = (uint16_t)config->shard,
                                        .index = (uint16_t)config->index,
                                        .protocol_min = LINK_PROTOCOL_MIN,
                                        .protocol_max = LINK_PROTOCOL_MAX}};
    node_name(role, n->self.shard, n->self.index, n->self.name);
    snprintf(n->self.version, sizeof n->self.version, "%s", version_number());
    process_raise_descriptors();
    log_init(&n->log, STDERR_FILENO, config_log_level(config), time_source_linux());
    trace_init(&n->trace, "logic");
    CHECK(loop_open(&n->loop) == OK);
    CHECK(signals_open(&n->signals, n->loop, n, asked) == OK);
    n->started_us = process_mono_us();
    node_set_clock(n, 1, 0);
    n->env = (struct env){.clock = thread_clock_port(&n->thread_clock),
                          .log_ctx = &n->log,
                          .log = log_write,
                          .trace = &n->trace};
    env_log(&n->env, LOG_INFO, "node.starts", "%s, version %s, process %d", n->self.name,
            n->self.version, (int)getpid());
    open_metrics(n);
    enum err e = take_protocol(n, why);
    e = e == OK ? open_directory(n, why) : e;
    if (e == OK && crash_install(n->directory) == OK) {
        crash_thread_begin(&n->trace);
    }
    return e == OK ? open_lines(n, why) : e;
}

void
node_close(struct node_process *n)
{
    if (n->http != NULL) {
        http_close(&n->http);
    }
    if (n->control != NULL) {
        control_close(&n->control);
    }
    if (n->requests != NULL) {
        requests_free(&n->requests);
    }
    if (n->mesh != NULL) {
        mesh_free(&n->mesh);
    }
    if (n->lines != NULL) {
        lines_close(&n->lines);
    }
    if (n->board != NULL) {
        board_free(&n->board);
        crash_thread_end(&n->trace);
    }
    if (n->lock >= 0) {
        data_lock_release(n->lock);
    }
    signals_close(&n->signals);
    loop_close(&n->loop);
    log_fini(&n->log);
}

void
node_set_clock(struct node_process *n, int64_t birth_wall_ms, int64_t saved_world_ms)
{
    clock_init(&n->clock, time_source_linux(), birth_wall_ms, saved_world_ms);
    thread_clock_init(&n->thread_clock, &n->clock);
    thread_clock_turn(&n->thread_clock);
}

void
node_join(struct node_process *n, const struct mesh_options *options)
{
    CHECK(n->mesh == NULL);
    CHECK(mesh_alloc(options, &n->env, &n->transport, &n->mesh) == OK);
    n->env.links = mesh_links(n->mesh);
    n->events = mesh_transport_events(n->mesh);
    n->requests = requests_alloc(&n->env);
    CHECK(n->requests != NULL);
    lines_start(n->lines, &(struct transport_events){.ctx = n,
                                                     .dialled = dialled,
                                                     .accepted = accepted,
                                                     .received = received,
                                                     .writable = writable,
                                                     .closed = closed});
}

void
node_begin_turn(struct node_process *n)
{
    if (!n->turned) {
        thread_clock_turn(&n->thread_clock);
        n->turned = true;
    }
}

void
node_wait(struct node_process *n, int64_t next_us)
{
    int64_t wait_us = next_us - env_mono_us(&n->env);
    n->turned = false;
    loop_turn(n->loop, wait_us > 0 ? wait_us : 0);
    node_begin_turn(n);
}

int64_t
node_end_turn(struct node_process *n)
{
    if (n->mesh == NULL) {
        return INT64_MAX;
    }
    int64_t next_us = lines_turn(n->lines, env_mono_us(&n->env));
    int64_t requests_us = requests_turn(n->requests);
    int64_t mesh_us = mesh_turn(n->mesh);
    mesh_flush(n->mesh);
    next_us = requests_us < next_us ? requests_us : next_us;
    return mesh_us < next_us ? mesh_us : next_us;
}

/* ---- what is told ---- */

static int
answer(void *ctx, const char *path, struct http_body *out)
{
    struct node_process *n = ctx;
    if (strcmp(path, "/status") == 0) {
        return board_status_text(n->board, &out->bytes, &out->size) == OK ? 200 : 503;
    }
    if (strcmp(path, "/metrics") == 0) {
        out->mime = "text/plain; version=0.0.4; charset=utf-8";
        return board_metrics_text(n->board, &out->bytes, &out->size) == OK ? 200 : 503;
    }
    return 404;
}

enum err
node_serve(struct node_process *n, const struct control_command *commands, void *ctx,
           char why[NODE_WHY_MAX])
{
    char path[NODE_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.sock", n->config->data, n->self.name);
    enum err e = control_open(n->loop, path, commands, ctx, &n->control, why, NODE_WHY_MAX);
    if (e != OK || n->config->origins[CONFIG_http] == ORIGIN_DEFAULT) {
        return e; /* a node serves figures only where it was told to */
    }
    struct http_options http = {.address = n->config->http.host,
                                .port = n->config->http.port,
                                .source = {.ctx = n, .get = answer}};
    return http_open(&http, &n->http, why, NODE_WHY_MAX);
}

json_t *
node_status(const struct node_process *n)
{
    const struct mesh_stats none = {0};
    const struct mesh_stats *mesh = n->mesh != NULL ? mesh_stats(n->mesh) : &none;
    const struct book *book = n->mesh != NULL ? mesh_book(n->mesh) : NULL;
    uint32_t expected = 0;
    for (uint32_t i = 0; book != NULL && i < book->count; i++) {
        const struct node *other = &book->nodes[i];
        expected += other->epoch != n->self.epoch && mesh_nodes_link(other, &n->self) &&
                    mesh_peer_of(n->mesh, other->epoch) == PEERS_MAX;
    }
    uint16_t speaks =
        book != NULL ? book_protocol(book, n->self.protocol_max) : n->self.protocol_max;
    expected += mesh->peers; /* and those that are there, which at homes includes gates */
    return json_pack(
        "{s:s, s:s, s:i, s:i, s:I, s:b, s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:I, s:s, "
        "s:[i,i], s:i}",
        "name", n->self.name, "role", node_role_name(n->self.role), "shard", (int)n->self.shard,
        "index", (int)n->self.index, "epoch", (json_int_t)n->self.epoch, "draining",
        (int)n->self.draining, "address", n->self.address, "play", n->self.play, "pid",
        (int)getpid(), "links", (int)mesh->peers, "links_expected", (int)expected, "link_bytes_out",
        (json_int_t)mesh->bytes_out, "link_bytes_in", (json_int_t)mesh->bytes_in, "cpu_us",
        (json_int_t)process_cpu_us(), "version", version_number(), "protocol",
        (int)n->self.protocol_min, (int)n->self.protocol_max, "writes", (int)speaks);
}

json_t *
node_metrics(const struct node_process *n)
{
    char *text;
    size_t bytes;
    if (board_metrics_text(n->board, &text, &bytes) != OK) {
        return control_error("%s has no figures yet", n->self.name);
    }
    json_t *answer = json_object();
    json_object_set_new(answer, "metrics", json_stringn(text, bytes));
    free(text);
    return answer;
}

json_t *
node_set_log_level(struct node_process *n, const json_t *request)
{
    static const char *const names[] = {
        [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
    const char *name = json_string_value(json_object_get(request, "level"));
    for (enum log_level level = LOG_ERROR; name != NULL && level <= LOG_DEBUG; level++) {
        if (strcmp(name, names[level]) == 0) {
            n->log.level = level;
            return json_pack("{s:s}", "level", name);
        }
    }
    return control_error("a level is error, warn, info or debug");
}
