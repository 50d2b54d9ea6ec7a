#include "app/node.h"

#include "app/version.h"
#include "base/check.h"
#include "os/crash.h"
#include "os/data_lock.h"
#include "os/process.h"
#include "wire/link.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Whoever has little to do answers at once; who has much reads it together. */
#define PACE_LEAST_US 200
#define PACE_MOST_US  5000

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
    snprintf(path, sizeof path, "%s/installation", n->folder);
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
open_folder(struct node_process *n, char *why)
{
    snprintf(n->folder, sizeof n->folder, "%s/%s", n->config->data, n->self.name);
    if (mkdir(n->config->data, 0700) != 0 && errno != EEXIST) {
        snprintf(why, NODE_WHY_MAX, "%s cannot be made: %s (choose another with --data)",
                 n->config->data, strerror(errno));
        return ERR_IO;
    }
    enum err e = n->lock >= 0 ? OK : data_lock_take(n->folder, &n->lock, why, NODE_WHY_MAX);
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
    loop_pace(n->loop, PACE_LEAST_US, PACE_MOST_US);
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
    e = e == OK ? open_folder(n, why) : e;
    if (e == OK && crash_install(n->folder) == OK) {
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
    if (n->etcd != NULL) {
        etcd_directory_close(&n->etcd);
    }
    if (n->requests != NULL) {
        requests_free(&n->requests);
    }
    if (n->mesh != NULL) {
        mesh_free(&n->mesh);
    }
    if (n->directory != NULL) { /* its book was the mesh's */
        directory_free(&n->directory);
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
node_take_time(struct node_process *n, uint32_t home)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    int64_t world_ms = env_world_ms(&n->env) + mesh_peer_offset_ms(n->mesh, home);
    node_set_clock(n, wall_ms - world_ms, 0);
}

enum err
node_open_directory(struct node_process *n, const struct directory_events *events,
                    char why[NODE_WHY_MAX])
{
    CHECK(n->directory == NULL);
    const char *servers = n->config->directory;
    if (servers[0] == '\0') {
        snprintf(why, NODE_WHY_MAX,
                 "a %s needs a directory in which the others find it: --directory "
                 "http://127.0.0.1:2379 (etcd; `seom cluster up` starts one)",
                 node_role_name(n->self.role));
        return ERR_RANGE;
    }
    struct directory_options options = {.world = (uint32_t)n->config->world,
                                        .node = n->self,
                                        .installation = n->installation,
                                        .events = *events};
    n->directory = directory_alloc(&options, &n->env);
    CHECK(n->directory != NULL);
    struct etcd_directory_options etcd = {
        .loop = n->loop, .urls = servers, .log_ctx = &n->log, .log = log_write};
    enum err e =
        etcd_directory_open(&etcd, directory_done(n->directory), &n->etcd, why, NODE_WHY_MAX);
    if (e != OK) {
        return e;
    }
    struct env_directory port = etcd_directory_port(n->etcd);
    directory_start(n->directory, &port);
    return OK;
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
