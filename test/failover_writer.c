/* For scene_failover.py: writes documents through PostgreSQL's engine, each again and again, and
 * knows what it was told. Tells what it has as a line of JSON five times a second; when its stdin
 * ends it reads all documents, tells a last line and ends.
 */
#include "base/check.h"
#include "os/pg_store.h"
#include "os/process.h"
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANDS   48
#define TELL_US 200000

enum hand_state { READING, WRITING, ENDED };

/* Each has a document, which nobody else writes. */
struct hand {
    enum hand_state state;
    uint64_t version; /* the last one that was told OK, or that was read */
    bool doubt;       /* the version after it may be there: an answer was UNKNOWN */
    char key[32];
};

struct scene {
    struct pg_store *store;
    struct env_store port;
    struct hand hands[HANDS];
    bool ending;
    uint32_t ended;
    uint64_t ok, unknown, happened, unavailable, lost, wrong;
    int64_t last_us, pause_us;
};

static void
read_begin(struct scene *s, struct hand *w)
{
    w->state = READING;
    struct slice key = {(const uint8_t *)w->key, strlen(w->key)};
    enum err error = s->port.get(s->port.ctx, (uint64_t)(w - s->hands), key);
    CHECK(error == OK);
}

/* The value of a version is its number. */
static void
write_begin(struct scene *s, struct hand *w)
{
    w->state = WRITING;
    uint64_t next = w->version + 1;
    struct store_write write = {.key = {(const uint8_t *)w->key, strlen(w->key)},
                                .expected_version = w->version,
                                .op = STORE_PUT,
                                .value = {(const uint8_t *)&next, sizeof next}};
    enum err error = s->port.commit(s->port.ctx, (uint64_t)(w - s->hands), &write, 1);
    CHECK(error == OK);
}

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct scene *s = ctx;
    struct hand *w = &s->hands[token];
    if (result != STORE_OK) {
        s->unavailable++;
        read_begin(s, w);
        return;
    }
    uint64_t value = 0;
    if (doc->value.bytes == sizeof value)
        memcpy(&value, doc->value.at, sizeof value);
    s->lost += doc->version < w->version;
    s->wrong += doc->version > w->version + w->doubt || value != doc->version;
    s->happened += w->doubt && doc->version == w->version + 1;
    w->doubt = false;
    w->version = doc->version;
    if (s->ending) {
        w->state = ENDED;
        s->ended++;
    } else {
        write_begin(s, w);
    }
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct scene *s = ctx;
    struct hand *w = &s->hands[token];
    int64_t now_us = process_mono_us();
    switch (result) {
    case STORE_OK:
        s->ok++;
        w->version++;
        if (now_us - s->last_us > s->pause_us)
            s->pause_us = now_us - s->last_us;
        s->last_us = now_us;
        break;
    case STORE_UNKNOWN:
        s->unknown++;
        w->doubt = true;
        break;
    case STORE_UNAVAILABLE: s->unavailable++; break;
    case STORE_CONFLICT: s->wrong++; break; /* nobody else writes */
    }
    if (result == STORE_OK && !s->ending)
        write_begin(s, w);
    else
        read_begin(s, w);
}

static void
on_log(void *ctx, enum log_level level, const char *event, const char *text)
{
    (void)ctx, (void)level;
    fprintf(stderr, "%s: %s\n", event, text);
}

static void
tell(const struct scene *s)
{
    struct pg_store_stats stats;
    pg_store_stats(s->store, &stats);
    printf("{\"ok\":%" PRIu64 ",\"unknown\":%" PRIu64 ",\"happened\":%" PRIu64
           ",\"unavailable\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"wrong\":%" PRIu64
           ",\"pause_ms\":%" PRId64 ",\"connects\":%" PRIu64 "}\n",
           s->ok, s->unknown, s->happened, s->unavailable, s->lost, s->wrong, s->pause_us / 1000,
           stats.connects);
    fflush(stdout);
}

static void
scene_run(struct scene *s)
{
    struct pollfd ready[2] = {{.fd = pg_store_fd(s->store), .events = POLLIN},
                              {.fd = STDIN_FILENO, .events = POLLIN}};
    int64_t told_us = 0;
    while (s->ended < HANDS) {
        (void)poll(ready, s->ending ? 1 : 2, TELL_US / 1000);
        (void)pg_store_deliver(s->store);
        s->ending |= ready[1].revents != 0;
        int64_t now_us = process_mono_us();
        if (now_us - told_us >= TELL_US) {
            tell(s);
            told_us = now_us;
        }
    }
    tell(s);
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: failover_writer ADDRESS\n");
        return 2;
    }
    static struct scene s;
    char why[PG_STORE_WHY_MAX];
    struct pg_store_options options = {.address = argv[1], .log = on_log};
    if (pg_store_open(&options, &s.store, why) != OK) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    s.port = pg_store_port(
        s.store, (struct store_done){.ctx = &s, .got = on_got, .committed = on_committed});
    s.last_us = process_mono_us();
    for (uint32_t i = 0; i < HANDS; i++) {
        snprintf(s.hands[i].key, sizeof s.hands[i].key, "0001/failover/%u", i);
        read_begin(&s, &s.hands[i]);
    }
    scene_run(&s);
    pg_store_close(&s.store);
    return 0;
}
