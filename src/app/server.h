/* A world in one process: store, logic thread, gate threads, and what is told about them. `seom
 * dev` and the benches run it. The thread that opens it is the logic thread and stays it: main runs
 * server_run().
 */
#ifndef SEOM_APP_SERVER_H
#define SEOM_APP_SERVER_H

#include "app/sea.h"
#include "base/hist.h"
#include "env/env.h"
#include "os/address.h"
#include "watch/board.h"
#include "world/game.h"

#define SERVER_WHY_MAX 512

struct server;

/* What the benches want to know, told once a second on the logic thread. */
struct server_figures {
    int64_t gates_us;         /* mono time at which the gates counted what follows */
    uint64_t sends, receives; /* system calls on players' sockets that moved bytes */
    uint64_t send_bytes;
    uint64_t feeds, feed_pieces;      /* gathered sends of news, and the pieces in them */
    const struct hist *tick_us;       /* since the last time this was told */
    const struct hist *queue_wait_us; /* likewise */
};

struct server_options {
    const char *data;        /* directory, made when missing */
    struct address play;     /* port 0: the kernel chooses, see server_play() */
    const struct sea *sea;   /* borrowed */
    const struct game *game; /* borrowed */
    uint16_t world_id;
    uint32_t players_max, gate_threads;
    /* How many bots of ours walk now, told in /status; asked once a second; NULL: none. */
    uint32_t (*bots)(void *ctx);
    void *bots_ctx;
    enum log_level log_level;
    int core; /* all threads of the server stay there; -1: anywhere */
    void (*told)(void *ctx, const struct server_figures *figures); /* may be NULL */
    void *ctx;
};

enum err server_open(const struct server_options *options, struct server **out,
                     char why[SERVER_WHY_MAX]) MUST_USE;
/* Until SIGTERM, SIGINT, server_ask_to_stop() or until_mono_us (0: for ever). Then everybody is
 * told good-bye and all is made durable. ERR_UNAVAILABLE: the store did not confirm that in time;
 * ERR_RANGE: the game scanned the store. */
enum err server_run(struct server *server, int64_t until_mono_us) MUST_USE;
void server_close(struct server **server);

struct address server_play(const struct server *server); /* with the real port */
struct board *server_board(struct server *server);       /* figures, hung up once a second */

#endif
