/* The page of a cluster and what it asks for: /status and /metrics of all nodes together,
 * /nodes.json, /people.json (which home decides for whom, where), /config.json with all gates. The
 * loop writes the texts once a second, the HTTP thread hands out copies. */
#include "app/cluster.h"
#include "app/metrics_merge.h"
#include "app/version.h"
#include "base/check.h"
#include "os/process.h"
#include "watch/chart.h"
#include "web/page.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GHOSTS_US         6000000  /* people of a home that is gone are shown so long */
#define METRICS_WANTED_US 60000000 /* after they were read last */

/* ---- the HTTP thread ---- */

static int
hand_out(struct cluster_page *page, char *const *text, struct http_body *out)
{
    CHECK(pthread_mutex_lock(&page->lock) == 0);
    out->bytes = *text == NULL ? NULL : strdup(*text);
    CHECK(pthread_mutex_unlock(&page->lock) == 0);
    out->size = out->bytes == NULL ? 0 : strlen(out->bytes);
    return out->bytes == NULL ? 503 : 200;
}

static int
hand_out_islands(const struct cluster *c, struct http_body *out)
{
    out->bytes = malloc(c->islands_bytes);
    if (out->bytes == NULL)
        return 503;
    memcpy(out->bytes, c->islands, c->islands_bytes);
    out->size = c->islands_bytes;
    return 200;
}

/* From now on people are asked for, until nobody wanted them for a while. Whoever is the first
 * hears that there is no answer yet, which is something else than that nobody is there. */
static int
hand_out_people(struct cluster_page *page, struct http_body *out)
{
    CHECK(pthread_mutex_lock(&page->lock) == 0);
    page->people_wanted = true;
    page->people_wanted_us = process_mono_us();
    CHECK(pthread_mutex_unlock(&page->lock) == 0);
    if (hand_out(page, &page->people, out) == 200) {
        return 200;
    }
    out->bytes = strdup("{\"homes\": [], \"known\": false}");
    out->size = out->bytes == NULL ? 0 : strlen(out->bytes);
    return out->bytes == NULL ? 503 : 200;
}

/* Whoever reads figures now and then finds those of the last second from the second time on. */
static int
hand_out_metrics(struct cluster_page *page, struct http_body *out)
{
    CHECK(pthread_mutex_lock(&page->lock) == 0);
    page->metrics_wanted = true;
    page->metrics_wanted_us = process_mono_us();
    CHECK(pthread_mutex_unlock(&page->lock) == 0);
    out->mime = "text/plain; version=0.0.4; charset=utf-8";
    return hand_out(page, &page->metrics, out);
}

static int
answer(void *ctx, const char *path, struct http_body *out)
{
    struct cluster *c = ctx;
    struct cluster_page *page = &c->page;
    if (strcmp(path, "/status") == 0)
        return hand_out(page, &page->status, out);
    if (strcmp(path, "/nodes.json") == 0)
        return hand_out(page, &page->nodes, out);
    if (strcmp(path, "/people.json") == 0)
        return hand_out_people(page, out);
    if (strcmp(path, "/config.json") == 0)
        return hand_out(page, &page->config, out);
    if (strcmp(path, "/islands.json") == 0)
        return hand_out_islands(c, out);
    if (strcmp(path, "/metrics") == 0)
        return hand_out_metrics(page, out);
    return 404;
}

/* ---- writing, on the loop ---- */

/* Takes the text. */
static void
put(struct cluster_page *page, char **where, char *text)
{
    CHECK(pthread_mutex_lock(&page->lock) == 0);
    char *old = *where;
    *where = text;
    CHECK(pthread_mutex_unlock(&page->lock) == 0);
    free(old);
}

static void
put_json(struct cluster_page *page, char **where, json_t *object)
{
    CHECK(object != NULL);
    char *text = json_dumps(object, JSON_COMPACT);
    CHECK(text != NULL);
    put(page, where, text);
    json_decref(object);
}

/* Homes are numbered in the order in which they came: that is their colour. */
static int
colour_of(const struct cluster *c, uint32_t member)
{
    int colour = 0;
    for (uint32_t i = 0; i < member; i++)
        colour += c->members[i].kind == CLUSTER_HOME;
    return colour;
}

static json_int_t
figure(const struct cluster_member *m, const char *key)
{
    return json_integer_value(json_object_get(m->status, key));
}

/* What everybody may know: no paths, no process ids. */
static json_t *
nodes_json(const struct cluster *c, int64_t now_us)
{
    static const char *const keys[] = {"players",           "spectators", "lingering", "links",
                                       "queue_wait_p99_us", "version",    "draining"};
    json_t *nodes = json_array(), *engines = json_array(), *bots = json_array();
    for (uint32_t i = 0; i < c->members_count; i++) {
        const struct cluster_member *m = &c->members[i];
        json_t *row =
            json_pack("{s:s, s:s, s:s}", "name", supervise_member(c->supervisor, i)->name, "role",
                      cluster_kind_name(m->kind), "state", cluster_member_state(c, i, now_us));
        if (!cluster_kind_is_node(m->kind)) {
            json_array_append_new(m->kind == CLUSTER_BOTS ? bots : engines, row);
            continue;
        }
        json_object_set_new(row, "shard", json_integer(m->shard));
        json_object_set_new(row, "links_expected", json_integer(cluster_links_expected(c, i)));
        if (m->kind == CLUSTER_HOME)
            json_object_set_new(row, "colour", json_integer(colour_of(c, i)));
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
            json_t *value = json_object_get(m->status, keys[k]);
            if (value != NULL)
                json_object_set(row, keys[k], value);
        }
        /* As a text: those of gates are drawn from 63 bits, and a browser's numbers are doubles. */
        json_int_t epoch = figure(m, "epoch");
        if (epoch != 0)
            json_object_set_new(row, "epoch", json_sprintf("%lld", (long long)epoch));
        json_array_append_new(nodes, row);
    }
    return json_pack("{s:o, s:o, s:o}", "nodes", nodes, "engines", engines, "bots", bots);
}

static json_t *
people_json(const struct cluster *c, int64_t now_us)
{
    json_t *homes = json_array();
    for (uint32_t i = 0; i < c->members_count; i++) {
        const struct cluster_member *m = &c->members[i];
        if (m->people == NULL || now_us - m->people_us > GHOSTS_US)
            continue;
        bool gone = supervise_member(c->supervisor, i)->pid != m->pid || m->status == NULL ||
                    now_us - m->people_us > CLUSTER_SILENT_US;
        json_t *home =
            json_pack("{s:s, s:i, s:b, s:I, s:O}", "name", supervise_member(c->supervisor, i)->name,
                      "colour", colour_of(c, i), "gone", (int)gone, "age_ms",
                      (json_int_t)((now_us - m->people_us) / 1000), "people", m->people);
        CHECK(home != NULL);
        json_array_append_new(homes, home);
    }
    return json_pack("{s:o}", "homes", homes);
}

static json_t *
config_json(const struct cluster *c)
{
    json_t *gates = json_array();
    char address[ADDRESS_TEXT_MAX];
    for (uint32_t i = 0; i < c->members_count; i++) {
        const struct cluster_member *m = &c->members[i];
        if (m->kind != CLUSTER_GATE || supervise_member(c->supervisor, i)->state != MEMBER_UP)
            continue;
        cluster_address(c, m, address);
        json_array_append_new(gates, json_string(address));
    }
    const char *first = json_string_value(json_array_get(gates, 0));
    return json_pack("{s:s, s:o}", "play", first == NULL ? "" : first, "gates", gates);
}

/* In the form of one node's (watch/metrics.h), summed up. */
static json_t *
status_json_all(const struct cluster *c, int64_t now_us)
{
    json_int_t players = 0, lingering = 0, spectators = 0, awake = 0, tick_us = 0;
    bool bots = false;
    char host[64] = "localhost";
    gethostname(host, sizeof host - 1);
    for (uint32_t i = 0; i < c->members_count; i++) {
        const struct cluster_member *m = &c->members[i];
        bots = bots || (m->kind == CLUSTER_BOTS && supervise_member(c->supervisor, i)->pid != 0);
        if (m->kind == CLUSTER_GATE)
            spectators += figure(m, "spectators");
        if (m->kind != CLUSTER_HOME)
            continue;
        players += figure(m, "players");
        lingering += figure(m, "lingering");
        awake += figure(m, "awake_chunks");
        tick_us = figure(m, "tick_p99_us") > tick_us ? figure(m, "tick_p99_us") : tick_us;
    }
    json_t *config = config_json(c);
    json_t *all =
        json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:i, s:f, s:I, s:s, s:s, s:s, s:O}", "world",
                  (int)c->input.config.world, "players", players, "lingering", lingering, "bots",
                  bots ? (json_int_t)c->input.config.bots : (json_int_t)0, "spectators", spectators,
                  "awake_chunks", awake, "islands", (int)c->sea.islands.count, "tick_ms_p99",
                  (double)tick_us / 1e3, "uptime_s",
                  (json_int_t)((now_us - c->started_us) / 1000000), "node", "cluster", "host", host,
                  "version", version_number(), "play", json_object_get(config, "play"));
    json_decref(config);
    return all;
}

/* Nodes hand in their own text with their status; here they become one page. */
static char *
metrics_text(const struct cluster *c)
{
    struct metrics_merge *merge = metrics_merge_alloc();
    for (uint32_t i = 0; i < c->members_count; i++) {
        const char *text = json_string_value(c->members[i].metrics);
        if (text != NULL)
            metrics_merge_add(merge, text);
    }
    char *text = metrics_merge_text(merge);
    metrics_merge_free(&merge);
    return text;
}

/* Nothing while nobody wants to know, and until a home has told of its people since. */
static void
put_people(struct cluster *c, int64_t now_us)
{
    struct cluster_page *page = &c->page;
    bool told = false;
    CHECK(pthread_mutex_lock(&page->lock) == 0);
    page->people_wanted = page->people_wanted && now_us - page->people_wanted_us <= GHOSTS_US;
    bool wanted = page->people_wanted;
    CHECK(pthread_mutex_unlock(&page->lock) == 0);
    for (uint32_t i = 0; i < c->members_count && !told; i++) {
        const struct cluster_member *m = &c->members[i];
        told = m->people != NULL && now_us - m->people_us <= CLUSTER_SILENT_US;
    }
    if (!wanted)
        put(page, &page->people, NULL);
    else if (told || page->people != NULL)
        put_json(page, &page->people, people_json(c, now_us));
}

static void
put_metrics(struct cluster *c, int64_t now_us)
{
    struct cluster_page *page = &c->page;
    CHECK(pthread_mutex_lock(&page->lock) == 0);
    page->metrics_wanted =
        page->metrics_wanted && now_us - page->metrics_wanted_us <= METRICS_WANTED_US;
    bool wanted = page->metrics_wanted;
    CHECK(pthread_mutex_unlock(&page->lock) == 0);
    if (!wanted && c->metrics_us != 0 && now_us - c->metrics_us < CLUSTER_IDLE_US)
        return;
    put(page, &page->metrics, metrics_text(c));
    c->metrics_us = now_us;
}

void
cluster_page_write(struct cluster *c, int64_t now_us)
{
    struct cluster_page *page = &c->page;
    put_json(page, &page->nodes, nodes_json(c, now_us));
    put_people(c, now_us);
    put_json(page, &page->config, config_json(c));
    put_json(page, &page->status, status_json_all(c, now_us));
    put_metrics(c, now_us);
    c->page_us = now_us;
}

/* ---- life ---- */

enum err
cluster_page_open(struct cluster *c, char why[CLUSTER_WHY_MAX])
{
    const struct config *config = &c->input.config;
    const struct sea *sea = &c->sea;
    c->page.metrics_wanted = true; /* whoever starts it may look at it before long */
    c->page.metrics_wanted_us = process_mono_us();
    CHECK(chart_json((const struct island *const *)sea->islands.islands, sea->islands.count,
                     &c->islands, &c->islands_bytes) == OK);
    /* Gates come and go, each on a port of its own, so the page may connect to any. */
    struct http_options http = {.address = config->http.host,
                                .port = config->http.port,
                                .play_port = 0,
                                .files = web_files,
                                .file_count = web_file_count,
                                .source = {.ctx = c, .get = answer}};
    enum err e = http_open(&http, &c->http, why, CLUSTER_WHY_MAX);
    if (e != OK) {
        size_t told = strlen(why);
        snprintf(why + told, CLUSTER_WHY_MAX - told, " (choose another address with --http)");
    }
    return e;
}

void
cluster_page_close(struct cluster *c)
{
    struct cluster_page *page = &c->page;
    http_close(&c->http);
    free(c->islands);
    c->islands = NULL;
    free(page->nodes);
    free(page->people);
    free(page->status);
    free(page->metrics);
    free(page->config);
    page->nodes = page->people = page->status = page->metrics = page->config = NULL;
}
