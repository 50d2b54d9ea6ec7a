#include "app/node.h"
#include "app/version.h"
#include "base/check.h"
#include "os/process.h"
#include "watch/gather.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
node_serve(struct node_process *n, const struct control_command *commands, char why[NODE_WHY_MAX])
{
    char path[NODE_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.sock", n->config->data, n->self.name);
    enum err e = control_open(n->loop, path, commands, n, &n->control, why, NODE_WHY_MAX);
    if (e != OK || n->config->origins[CONFIG_http] == ORIGIN_DEFAULT) {
        return e; /* a node serves figures only where it was told to */
    }
    struct http_options http = {.address = n->config->http.host,
                                .port = n->config->http.port,
                                .source = {.ctx = n, .get = answer}};
    return http_open(&http, &n->http, why, NODE_WHY_MAX);
}

/* Each link as this end sees it. */
static json_t *
links_json(const struct node_process *n)
{
    json_t *links = json_array();
    struct mesh_link link;
    uint32_t cursor = 0;
    while (n->mesh != NULL && mesh_next_link(n->mesh, &cursor, &link)) {
        uint64_t refused = 0;
        for (enum mesh_lane lane = MESH_LANE_CONTROL; lane < MESH_LANES; lane++) {
            refused += link.refused[lane];
        }
        json_t *row =
            json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "peer", link.name,
                      "state", mesh_link_state_name(link.state), "round_trip_us",
                      (json_int_t)link.round_trip_us, "backlog_us", (json_int_t)link.backlog_us,
                      "unsent_bytes", (json_int_t)(link.control_bytes + link.data_bytes),
                      "bytes_out", (json_int_t)link.bytes_out, "bytes_in",
                      (json_int_t)link.bytes_in, "breaks", (json_int_t)link.breaks, "beats_missed",
                      (json_int_t)link.beats_missed, "refused", (json_int_t)refused);
        CHECK(row != NULL);
        json_array_append_new(links, row);
    }
    return links;
}

void
node_waits_for_directory(const struct node_process *n, char out[NODE_WAITS_MAX])
{
    const char *waits = n->directory != NULL ? directory_waits(n->directory) : NULL;
    out[0] = '\0';
    if (waits != NULL) {
        snprintf(out, NODE_WAITS_MAX, "the directory: %s", waits);
    }
}

json_t *
node_status(const struct node_process *n, const char *waits)
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
    return json_pack("{s:s, s:s, s:i, s:i, s:I, s:b, s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:I, s:s, "
                     "s:[i,i], s:i, s:o, s:s}",
                     "name", n->self.name, "role", node_role_name(n->self.role), "shard",
                     (int)n->self.shard, "index", (int)n->self.index, "epoch",
                     (json_int_t)n->self.epoch, "draining", (int)n->self.draining, "address",
                     n->self.address, "play", n->self.play, "pid", (int)getpid(), "links",
                     (int)mesh->peers, "links_expected", (int)expected, "link_bytes_out",
                     (json_int_t)mesh->bytes_out, "link_bytes_in", (json_int_t)mesh->bytes_in,
                     "cpu_us", (json_int_t)process_cpu_us(), "version", version_number(),
                     "protocol", (int)n->self.protocol_min, (int)n->self.protocol_max, "writes",
                     (int)speaks, "link_list", links_json(n), "waits", waits);
}

/* As last hung up. */
json_t *
node_command_metrics(void *ctx, const json_t *request)
{
    const struct node_process *n = ctx;
    char *text;
    size_t bytes;
    (void)request;
    if (board_metrics_text(n->board, &text, &bytes) != OK) {
        return control_error("%s has no figures yet", n->self.name);
    }
    json_t *answer = json_object();
    json_object_set_new(answer, "metrics", json_stringn(text, bytes));
    free(text);
    return answer;
}

json_t *
node_command_log_level(void *ctx, const json_t *request)
{
    struct node_process *n = ctx;
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

json_t *
node_command_stop(void *ctx, const json_t *request)
{
    struct node_process *n = ctx;
    (void)request;
    n->asked_to_stop = true;
    return json_pack("{s:b}", "stopping", 1);
}

void
node_figures_begin(struct node_process *n, int64_t now_us)
{
    n->figures_us = now_us;
    gather_begin(&n->metrics);
}

static void
gather_fabric(struct node_process *n, int64_t now_us)
{
    struct mesh_link link;
    uint32_t cursor = 0;
    if (n->mesh != NULL) {
        gather_mesh(&n->metrics, mesh_stats(n->mesh), mesh_book(n->mesh)->count);
        gather_requests(&n->metrics, requests_stats(n->requests));
    }
    while (n->mesh != NULL && mesh_next_link(n->mesh, &cursor, &link)) {
        gather_link(&n->metrics, &link);
    }
    if (n->directory != NULL) {
        struct directory_stats directory = directory_stats(n->directory);
        gather_directory(&n->metrics, &directory, now_us);
    }
}

void
node_figures_end(struct node_process *n, int64_t now_us, struct status *status)
{
    struct log_stats log = log_stats(&n->log);
    gather_fabric(n, now_us);
    gather_log(&n->metrics, &log);
    gather_process(&n->metrics, n->started_us, env_world_ms(&n->env));
    status->world = (uint16_t)n->config->world;
    status->uptime_s = (now_us - n->started_us) / 1000000;
    status->world_ms = env_world_ms(&n->env);
    snprintf(status->node, sizeof status->node, "%s", n->metrics.node);
    snprintf(status->host, sizeof status->host, "%s", n->metrics.host);
    snprintf(status->version, sizeof status->version, "%s", version_number());
    snprintf(status->play, sizeof status->play, "%s", n->self.play);
    board_put(n->board, &n->metrics, status);
}
