#include "os/pg_proxy.h"
#include "base/check.h"
#include "base/rand.h"
#include "os/files.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PAIRS_MAX   32
#define PIECE_BYTES 65536

struct pair {
    int fds[2];       /* the engine's side, the server's side */
    uint64_t left[2]; /* by way: bytes until it is cut */
    bool open;
};

struct pg_proxy {
    pthread_t thread;
    pthread_mutex_t lock; /* of everything below */
    struct pair pairs[PAIRS_MAX];
    uint64_t left[2]; /* over all connections */
    struct rand rand;
    bool randomly, stopping;
    uint32_t cuts;
    int listen_fd, wake_fd;
    char directory[64], path[96], server_path[PG_ADDRESS_MAX + 32], address[PG_ADDRESS_MAX];
};

static int
socket_make(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
    CHECK(n > 0 && (size_t)n < sizeof address->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    return fd;
}

static void
pair_close(struct pair *pair)
{
    close(pair->fds[0]);
    close(pair->fds[1]);
    pair->open = false;
}

/* From less than a session needs to begin up to a few hundred commits. */
static uint64_t
budget_draw(struct pg_proxy *p)
{
    return p->randomly ? rand_next(&p->rand) >> (64 - 13 - rand_below(&p->rand, 5))
                       : PG_PROXY_NEVER;
}

static void
pair_accept(struct pg_proxy *p)
{
    int fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct sockaddr_un address;
    int server = socket_make(p->server_path, &address);
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        struct pair *pair = &p->pairs[i];
        if (pair->open)
            continue;
        if (connect(server, (struct sockaddr *)&address, sizeof address) != 0)
            break;
        *pair = (struct pair){
            .fds = {fd, server}, .left = {budget_draw(p), budget_draw(p)}, .open = true};
        return;
    }
    close(fd);
    close(server);
}

/* Sends all; the other side reads, as a test does nothing else. */
static bool
all_send(int fd, const uint8_t *at, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = send(fd, at, bytes, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        bytes -= (size_t)n;
    }
    return true;
}

static void
budget_spend(uint64_t *left, uint64_t bytes)
{
    if (*left != PG_PROXY_NEVER)
        *left -= bytes;
}

static void
pair_pass(struct pg_proxy *p, struct pair *pair, enum pg_way way)
{
    static uint8_t piece[PIECE_BYTES]; /* one proxy a process */
    uint64_t may = pair->left[way] < p->left[way] ? pair->left[way] : p->left[way];
    size_t room = may < sizeof piece ? (size_t)may + 1 : sizeof piece;
    ssize_t n = recv(pair->fds[way], piece, room, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    uint64_t pass = n > 0 && (uint64_t)n > may ? may : n > 0 ? (uint64_t)n : 0;
    budget_spend(&pair->left[way], pass);
    budget_spend(&p->left[way], pass);
    bool cut = n > 0 && pass < (uint64_t)n;
    bool sent = all_send(pair->fds[1 - way], piece, pass);
    if (cut) {
        p->cuts++;
        p->left[PG_WAY_UP] = p->left[PG_WAY_DOWN] = PG_PROXY_NEVER;
    }
    if (n <= 0 || cut || !sent)
        pair_close(pair);
}

static uint32_t
fds_collect(const struct pg_proxy *p, struct pollfd *fds, uint32_t *numbers)
{
    uint32_t count = 0;
    fds[count++] = (struct pollfd){.fd = p->listen_fd, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = p->wake_fd, .events = POLLIN};
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        for (uint32_t side = 0; p->pairs[i].open && side < 2; side++) {
            numbers[count] = i * 2 + side;
            fds[count++] = (struct pollfd){.fd = p->pairs[i].fds[side], .events = POLLIN};
        }
    }
    return count;
}

static void *
proxy_main(void *argument)
{
    struct pg_proxy *p = argument;
    struct pollfd fds[2 + 2 * PAIRS_MAX];
    uint32_t numbers[2 + 2 * PAIRS_MAX];
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        uint32_t count = fds_collect(p, fds, numbers);
        pthread_mutex_unlock(&p->lock);
        (void)poll(fds, count, -1);
        pthread_mutex_lock(&p->lock);
        for (uint32_t i = 2; i < count; i++) {
            struct pair *pair = &p->pairs[numbers[i] / 2];
            if (fds[i].revents != 0 && pair->open)
                pair_pass(p, pair, (enum pg_way)(numbers[i] % 2));
        }
        if (fds[0].revents != 0)
            pair_accept(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct pg_proxy *
pg_proxy_start(const struct pg_fixture *server)
{
    struct pg_proxy *p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    CHECK(directory_make_temporary(NULL, "proxy", p->directory, sizeof p->directory) == OK);
    snprintf(p->path, sizeof p->path, "%s/.s.PGSQL.5432", p->directory);
    snprintf(p->server_path, sizeof p->server_path, "%s/.s.PGSQL.5432", server->directory);
    snprintf(p->address, sizeof p->address, "postgresql://seom@/postgres?host=%s", p->directory);
    struct sockaddr_un address;
    p->listen_fd = socket_make(p->path, &address);
    CHECK(bind(p->listen_fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(p->listen_fd, 16) == 0);
    p->wake_fd = eventfd(0, EFD_CLOEXEC);
    CHECK(p->wake_fd >= 0);
    p->left[PG_WAY_UP] = p->left[PG_WAY_DOWN] = PG_PROXY_NEVER;
    CHECK(pthread_mutex_init(&p->lock, NULL) == 0);
    CHECK(pthread_create(&p->thread, NULL, proxy_main, p) == 0);
    return p;
}

void
pg_proxy_stop(struct pg_proxy **proxy)
{
    struct pg_proxy *p = *proxy;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_mutex_unlock(&p->lock);
    uint64_t one = 1;
    CHECK(write(p->wake_fd, &one, sizeof one) == sizeof one);
    pthread_join(p->thread, NULL);
    for (uint32_t i = 0; i < PAIRS_MAX; i++)
        if (p->pairs[i].open)
            pair_close(&p->pairs[i]);
    close(p->listen_fd);
    close(p->wake_fd);
    unlink(p->path);
    rmdir(p->directory);
    pthread_mutex_destroy(&p->lock);
    free(p);
    *proxy = NULL;
}

const char *
pg_proxy_address(const struct pg_proxy *proxy)
{
    return proxy->address;
}

void
pg_proxy_cut_after(struct pg_proxy *p, enum pg_way way, uint64_t bytes)
{
    pthread_mutex_lock(&p->lock);
    p->left[PG_WAY_UP] = p->left[PG_WAY_DOWN] = PG_PROXY_NEVER;
    p->left[way] = bytes;
    pthread_mutex_unlock(&p->lock);
}

void
pg_proxy_cut_randomly(struct pg_proxy *p, bool on, uint64_t seed)
{
    pthread_mutex_lock(&p->lock);
    p->randomly = on;
    if (on)
        rand_seed(&p->rand, seed);
    for (uint32_t i = 0; i < PAIRS_MAX && !on; i++)
        p->pairs[i].left[PG_WAY_UP] = p->pairs[i].left[PG_WAY_DOWN] = PG_PROXY_NEVER;
    pthread_mutex_unlock(&p->lock);
}

uint32_t
pg_proxy_cuts(struct pg_proxy *p)
{
    pthread_mutex_lock(&p->lock);
    uint32_t cuts = p->cuts;
    pthread_mutex_unlock(&p->lock);
    return cuts;
}
