/* `seom dev`: a whole world on one machine, with bots that walk in it. */
#include "app/commands.h"
#include "app/config.h"
#include "app/output.h"
#include "app/server.h"
#include "base/check.h"
#include "os/process.h"
#include "watch/chart.h"
#include "watch/http.h"
#include "web/page.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 512

struct dev {
    struct config_input input;
    struct sea sea;
    struct server *server;
    struct http *http;
    char *islands;
    size_t islands_bytes;
    pid_t bots;
};

static int
answer(void *ctx, const char *path, struct http_body *out)
{
    struct dev *dev = ctx;
    struct board *board = server_board(dev->server);
    if (strcmp(path, "/status") == 0) {
        return board_status_text(board, &out->bytes, &out->size) == OK ? 200 : 503;
    }
    if (strcmp(path, "/metrics") == 0) {
        out->mime = "text/plain; version=0.0.4; charset=utf-8";
        return board_metrics_text(board, &out->bytes, &out->size) == OK ? 200 : 503;
    }
    if (strcmp(path, "/config.json") == 0) {
        char play[ADDRESS_TEXT_MAX];
        struct address address = server_play(dev->server);
        address_text(&address, play);
        int n = asprintf(&out->bytes, "{\"play\":\"%s\"}", play);
        out->size = n < 0 ? 0 : (size_t)n;
        return n < 0 ? 503 : 200;
    }
    if (strcmp(path, "/islands.json") == 0) {
        out->bytes = malloc(dev->islands_bytes);
        if (out->bytes == NULL) {
            return 503;
        }
        memcpy(out->bytes, dev->islands, dev->islands_bytes);
        out->size = dev->islands_bytes;
        return 200;
    }
    return 404;
}

static enum err
open_http(struct dev *dev, char *why)
{
    const struct config *c = &dev->input.config;
    struct sea *sea = &dev->sea;
    CHECK(chart_json((const struct island *const *)sea->islands.islands, sea->islands.count,
                     &dev->islands, &dev->islands_bytes) == OK);
    struct http_options http = {.address = c->http.host,
                                .port = c->http.port,
                                .play_port = server_play(dev->server).port,
                                .files = web_files,
                                .file_count = web_file_count,
                                .source = {.ctx = dev, .get = answer}};
    enum err e = http_open(&http, &dev->http, why, TEXT_MAX);
    if (e != OK) {
        size_t told = strlen(why);
        snprintf(why + told, TEXT_MAX - told, " (choose another address with --http)");
    }
    return e;
}

static enum err
start_bots(struct dev *dev)
{
    const struct config *c = &dev->input.config;
    if (c->bots == 0) {
        return OK;
    }
    char to[ADDRESS_TEXT_MAX], count[24], tickets[CONFIG_TEXT_MAX + 32];
    struct address play = server_play(dev->server);
    address_text(&play, to);
    snprintf(count, sizeof count, "%lld", (long long)c->bots);
    snprintf(tickets, sizeof tickets, "%s/bots.tickets", c->data);
    const char *arguments[] = {"seom",  "bots",   "--to",        to,  "--count", count, "--tickets",
                               tickets, "--mute", "--observers", "2", NULL};
    return process_spawn("/proc/self/exe", (char *const *)(uintptr_t)arguments, &dev->bots);
}

static void
tell_where(const struct dev *dev)
{
    char play[ADDRESS_TEXT_MAX];
    struct address address = server_play(dev->server);
    address_text(&address, play);
    struct address http = dev->input.config.http;
    http.port = http_port(dev->http);
    char page[ADDRESS_TEXT_MAX];
    address_text(&http, page);
    fprintf(stderr,
            "\n  The sea is open: %u islands, %lld bots.\n\n    the map     http://%s/\n    "
            "players     %s (TCP and "
            "WebSocket)\n    figures     http://%s/status, /metrics\n    data        %s\n\n  "
            "Ctrl-C stops it; what people "
            "did is kept.\n\n",
            dev->sea.islands.count, (long long)dev->input.config.bots, page, play, page,
            dev->input.config.data);
}

/* Their process is a child of ours: when it has ended, however it did, nobody walks any more. */
static uint32_t
living_bots(void *ctx)
{
    struct dev *dev = ctx;
    if (dev->bots > 0 && process_has_ended(dev->bots)) {
        fprintf(stderr,
                "seom dev: the process of the bots has ended; the world goes on without them\n");
        dev->bots = 0;
    }
    return dev->bots > 0 ? (uint32_t)dev->input.config.bots : 0;
}

static enum err
open_all(struct dev *dev, char why[TEXT_MAX])
{
    const struct config *c = &dev->input.config;
    enum err e = sea_load(c->islands, &dev->sea, why, TEXT_MAX);
    if (e != OK) {
        return e;
    }
    struct server_options options = {.data = c->data,
                                     .play = c->play,
                                     .sea = &dev->sea,
                                     .game = config_game(c),
                                     .world_id = (uint16_t)c->world,
                                     .players_max = (uint32_t)c->players_max,
                                     .gate_threads = (uint32_t)c->gate_threads,
                                     .bots = living_bots,
                                     .bots_ctx = dev,
                                     .log_level = config_log_level(c),
                                     .core = -1};
    e = server_open(&options, &dev->server, why);
    e = e == OK ? open_http(dev, why) : e;
    if (e == OK && start_bots(dev) != OK) {
        snprintf(why, TEXT_MAX, "the bots did not start");
        e = ERR_IO;
    }
    return e;
}

static void
close_all(struct dev *dev)
{
    if (dev->bots > 0) {
        kill(dev->bots, SIGTERM);
        process_wait(dev->bots);
    }
    http_close(&dev->http);
    if (dev->server != NULL) {
        server_close(&dev->server);
    }
    free(dev->islands);
    sea_free(&dev->sea);
}

int
dev_command(int argc, char **argv)
{
    static const struct argp_child children[] = {{.argp = &config_argp_dev}, {0}};
    static const struct argp argp = {.parser = config_parse_only,
                                     .children = children,
                                     .doc =
                                         "Run a whole world on this machine: an embedded store, "
                                         "one logic thread, gates, a map in the browser and "
                                         "bots that walk as people walk. Nothing else is needed. "
                                         "Ctrl-C or SIGTERM stops it cleanly; after kill -9 "
                                         "at most a second of movement is lost."};
    struct dev dev = {0};
    char why[TEXT_MAX] = "";
    argp_parse(&argp, argc, argv, 0, NULL, &dev.input);
    enum err e = open_all(&dev, why);
    if (e != OK) {
        fprintf(stderr, "seom dev: %s\n", why);
        close_all(&dev);
        return 1;
    }
    tell_where(&dev);
    int64_t for_us = dev.input.config.for_s * 1000000;
    e = server_run(dev.server, for_us == 0 ? 0 : process_mono_us() + for_us);
    close_all(&dev);
    return e == OK ? 0 : 1;
}
