/* The embedded store with two processes: one has it open and writes, the other one is a helper that
 * scans, verifies, copies and writes beside it, as tools do. The helper is forked before the first
 * thread of a test is made, and does what it is told over a socket.
 */
#include "base/check.h"
#include "os/files.h"
#include "os/lmdb_file.h"
#include "os/lmdb_store.h"
#include "os/lmdb_tools.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum op {
    OP_SCAN,
    OP_SCAN_COPY,
    OP_VERIFY,
    OP_VERIFY_COPY,
    OP_COPY,
    OP_OPEN,
    OP_OPEN_BESIDE,
    OP_PUT,
    OP_PUT_LARGE,
    OP_GET,
    OP_PIN,
    OP_CLOSE
};

struct order {
    enum op op;
    char key[STORE_KEY_MAX]; /* of a scan: the prefix */
    uint64_t version;
};

struct report {
    enum err error;
    enum store_result result;
    struct lmdb_verified verified;
    uint64_t version, count, corrupt;
    bool torn; /* the two halves of a pair differ */
    char text[LMDB_STORE_WHY_MAX];
};

/* A process' opening of the store. */
struct side {
    struct lmdb_store *store;
    struct env_store port;
    bool answered;
    enum store_result result;
    uint64_t version, hints;
    char log[1024];
};

struct fixture {
    char directory[64], copy[96];
    int socket;
    pid_t helper;
    bool killed;
    struct lmdb_store_options options;
    struct side side;
    char why[LMDB_STORE_WHY_MAX];
};

static const uint8_t large[STORE_VALUE_MAX];

/* ---- one side ---- */

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)token;
    struct side *s = ctx;
    s->answered = true;
    s->result = result;
    s->version = doc == NULL ? 0 : doc->version;
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    on_got(ctx, token, result, NULL);
}

static void
on_changed(void *ctx, struct slice key)
{
    (void)key;
    ((struct side *)ctx)->hints++;
}

static void
on_log(void *ctx, enum log_level level, const char *event, const char *text)
{
    (void)level;
    (void)event;
    struct side *s = ctx;
    size_t used = strlen(s->log);
    snprintf(s->log + used, sizeof s->log - used, "%s\n", text);
}

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static enum err
side_open(struct side *s, struct lmdb_store_options options, char *why)
{
    options.log_ctx = s;
    options.log = on_log;
    enum err error = lmdb_store_open(&options, &s->store, why);
    if (error == OK)
        s->port = lmdb_store_port(s->store, (struct store_done){.ctx = s,
                                                                .got = on_got,
                                                                .committed = on_committed,
                                                                .changed = on_changed});
    return error;
}

static void
side_wait(struct side *s)
{
    struct pollfd wait = {.fd = lmdb_store_fd(s->store), .events = POLLIN};
    while (!s->answered) {
        CHECK(poll(&wait, 1, 60000) == 1);
        (void)lmdb_store_deliver(s->store);
    }
    s->answered = false;
}

static enum store_result
side_commit(struct side *s, const struct store_write *writes, uint32_t count)
{
    CHECK(s->port.commit(s->port.ctx, 0, writes, count) == OK);
    side_wait(s);
    return s->result;
}

static enum store_result
side_put(struct side *s, const char *key, uint64_t version, struct slice value)
{
    struct store_write write = {
        .key = text(key), .expected_version = version, .op = STORE_PUT, .value = value};
    return side_commit(s, &write, 1);
}

static uint64_t
side_version(struct side *s, const char *key)
{
    CHECK(s->port.get(s->port.ctx, 0, text(key)) == OK);
    side_wait(s);
    return s->result == STORE_OK ? s->version : UINT64_MAX;
}

/* ---- the helper ---- */

struct pair {
    struct report *report;
    char left[16];
};

/* p/left and p/right are always written together. */
static bool
each(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct pair *p = ctx;
    p->report->count++;
    char number[16];
    snprintf(number, sizeof number, "%.*s", (int)doc->value.bytes, (const char *)doc->value.at);
    if (key.bytes == 6 && memcmp(key.at, "p/left", 6) == 0)
        memcpy(p->left, number, sizeof number);
    if (key.bytes == 7 && memcmp(key.at, "p/right", 7) == 0)
        p->report->torn = strcmp(p->left, number) != 0;
    return true;
}

static void
damaged(void *ctx, struct slice key)
{
    struct report *r = ctx;
    size_t used = strlen(r->text);
    snprintf(r->text + used, sizeof r->text - used, "%.*s ", (int)key.bytes, (const char *)key.at);
}

/* Holds a snapshot for ever. */
static enum err
pin(const struct fixture *f, char *why)
{
    struct lmdb_file file;
    MDB_txn *txn;
    char path[PATH_MAX];
    enum err error = lmdb_file_path(f->directory, path, why, LMDB_STORE_WHY_MAX);
    if (error == OK)
        error = lmdb_file_open(&file, path, 0, LMDB_FILE_READER, why, LMDB_STORE_WHY_MAX);
    if (error == OK && lmdb_begin_reading(&file, &txn) != MDB_SUCCESS)
        error = ERR_IO;
    return error;
}

static void
obey(const struct fixture *f, struct side *s, const struct order *order, struct report *r)
{
    struct pair pair = {.report = r};
    char why[LMDB_STORE_WHY_MAX] = "";
    struct lmdb_store_options options = {.directory = f->directory,
                                         .beside = order->op == OP_OPEN_BESIDE};
    switch (order->op) {
    case OP_SCAN:
        r->error = lmdb_scan(f->directory, order->key, each, &pair, &r->corrupt, why);
        break;
    case OP_SCAN_COPY:
        r->error = lmdb_scan_copy(f->copy, order->key, each, &pair, &r->corrupt, why);
        break;
    case OP_VERIFY: r->error = lmdb_verify(f->directory, damaged, r, &r->verified, why); break;
    case OP_VERIFY_COPY: r->error = lmdb_verify_copy(f->copy, damaged, r, &r->verified, why); break;
    case OP_COPY: r->error = lmdb_copy(f->directory, f->copy, why); break;
    case OP_OPEN:
    case OP_OPEN_BESIDE: r->error = side_open(s, options, why); break;
    case OP_PUT: r->result = side_put(s, order->key, order->version, text("helper")); break;
    case OP_PUT_LARGE:
        r->result = side_put(s, order->key, order->version, (struct slice){large, sizeof large});
        break;
    case OP_GET: r->version = side_version(s, order->key); break;
    case OP_PIN: r->error = pin(f, why); break;
    case OP_CLOSE: lmdb_store_close(&s->store); break;
    }
    if (why[0] != '\0')
        snprintf(r->text, sizeof r->text, "%s", why);
}

_Noreturn static void
helper_main(const struct fixture *f, int socket)
{
    struct order order;
    struct side side = {0};
    while (recv(socket, &order, sizeof order, 0) == sizeof order) {
        struct report report = {0};
        obey(f, &side, &order, &report);
        if (send(socket, &report, sizeof report, 0) != sizeof report)
            _exit(2);
    }
    _exit(0);
}

static struct report
tell(struct fixture *f, struct order order)
{
    struct report report;
    assert_int_equal(send(f->socket, &order, sizeof order, 0), sizeof order);
    assert_int_equal(recv(f->socket, &report, sizeof report, 0), sizeof report);
    return report;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(directory_make_temporary(NULL, "tools", f->directory, sizeof f->directory),
                     OK);
    snprintf(f->copy, sizeof f->copy, "%s/copy", f->directory);
    f->options =
        (struct lmdb_store_options){.directory = f->directory, .map_bytes = UINT64_C(256) << 10};
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    fflush(stdout); /* or the helper would say it again */
    f->helper = fork();
    assert_true(f->helper >= 0);
    if (f->helper == 0) {
        close(sockets[0]);
        helper_main(f, sockets[1]);
    }
    close(sockets[1]);
    f->socket = sockets[0];
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    int status;
    close(f->socket); /* which ends the helper */
    assert_int_equal(waitpid(f->helper, &status, 0), f->helper);
    assert_int_equal(status, f->killed ? SIGKILL : 0);
    if (f->side.store != NULL)
        lmdb_store_close(&f->side.store);
    static const char *const names[] = {"store.mdb", "store.mdb-lock", "lock", "copy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", f->directory, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(f->directory), 0); /* nothing else was left behind */
    free(f);
    return 0;
}

static void
open_owner(struct fixture *f)
{
    if (side_open(&f->side, f->options, f->why) != OK)
        fail_msg("%s", f->why);
}

/* ---- writing beside the owner ---- */

static void
both_see_what_the_other_wrote(void **state)
{
    struct fixture *f = *state;
    struct side *owner = &f->side;
    open_owner(f);
    assert_int_equal(side_put(owner, "k", 0, text("owner")), STORE_OK);
    assert_int_equal(tell(f, (struct order){OP_OPEN, "", 0}).error, ERR_DENIED);
    assert_int_equal(tell(f, (struct order){OP_OPEN_BESIDE, "", 0}).error, OK);
    assert_int_equal(tell(f, (struct order){OP_GET, "k", 0}).version, 1);
    assert_int_equal(tell(f, (struct order){OP_PUT, "k", 0}).result, STORE_CONFLICT);
    assert_int_equal(tell(f, (struct order){OP_PUT, "k", 1}).result, STORE_OK);
    assert_int_equal(side_put(owner, "k", 1, text("owner")), STORE_CONFLICT);
    assert_int_equal(side_version(owner, "k"), 2);
    assert_int_equal(side_put(owner, "k", 2, text("owner")), STORE_OK);
    assert_int_equal(tell(f, (struct order){OP_GET, "k", 0}).version, 3);
    (void)tell(f, (struct order){OP_CLOSE, "", 0});
    assert_int_equal(side_put(owner, "k", 3, text("owner")), STORE_OK);
}

static void
put_large(struct side *s, uint32_t n)
{
    char key[16];
    snprintf(key, sizeof key, "large%u", n);
    assert_int_equal(side_put(s, key, 0, (struct slice){large, sizeof large}), STORE_OK);
}

/* The helper's map is too small for what the owner wrote since: it takes the larger one over, for
 * reading and for writing. */
static void
the_map_grows_under_the_other(void **state)
{
    struct fixture *f = *state;
    open_owner(f);
    for (uint32_t round = 0; round < 2; round++) {
        assert_int_equal(tell(f, (struct order){OP_OPEN_BESIDE, "", 0}).error, OK);
        for (uint32_t i = 0; i < 100; i++)
            put_large(&f->side, round * 100 + i);
        if (round == 0)
            assert_int_equal(tell(f, (struct order){OP_GET, "large99", 0}).version, 1);
        assert_int_equal(tell(f, (struct order){OP_PUT, "h", round}).result, STORE_OK);
        assert_int_equal(tell(f, (struct order){OP_GET, "h", 0}).version, round + 1);
        assert_int_equal(side_version(&f->side, "h"), round + 1);
        (void)tell(f, (struct order){OP_CLOSE, "", 0});
    }
}

static uint64_t
map_bytes(const struct fixture *f)
{
    struct lmdb_store_stats stats;
    lmdb_store_stats(f->side.store, &stats);
    return stats.map_bytes;
}

/* The helper fills its map to the end: it looks whether the owner's is larger by now. */
static void
a_full_map_may_have_grown(void **state)
{
    struct fixture *f = *state;
    open_owner(f);
    assert_int_equal(tell(f, (struct order){OP_OPEN_BESIDE, "", 0}).error, OK);
    uint64_t before = map_bytes(f);
    for (uint32_t i = 0; map_bytes(f) == before; i++)
        put_large(&f->side, i);
    assert_int_equal(map_bytes(f), 2 * before);
    struct order order = {.op = OP_PUT_LARGE};
    for (uint32_t i = 0; i < 9; i++) { /* more than the smaller map has room for */
        snprintf(order.key, sizeof order.key, "h%u", i);
        assert_int_equal(tell(f, order).result, STORE_OK);
    }
    assert_int_equal(side_version(&f->side, "h8"), 1);
    uint32_t fitted = 0;
    do
        snprintf(order.key, sizeof order.key, "i%u", fitted++);
    while (tell(f, order).result == STORE_OK);
    assert_in_range(fitted, 1, 20); /* it makes no file larger by itself */
    put_large(&f->side, 1000);
    assert_int_equal(tell(f, order).result, STORE_OK);
}

/* Whoever was killed while reading would pin what he saw, and the file would grow for ever. */
static void
dead_readers_are_cleared_away(void **state)
{
    struct fixture *f = *state;
    open_owner(f);
    assert_int_equal(side_put(&f->side, "k", 0, text("x")), STORE_OK);
    assert_int_equal(tell(f, (struct order){OP_PIN, "", 0}).error, OK);
    uint32_t large_ones = 0;
    for (uint64_t before = map_bytes(f); map_bytes(f) == before;)
        put_large(&f->side, large_ones++);
    assert_null(strstr(f->side.log, "dead readers")); /* it lives */
    assert_int_equal(kill(f->helper, SIGKILL), 0);
    f->killed = true;
    siginfo_t info; /* dead, and still to be waited for */
    assert_int_equal(waitid(P_PID, (id_t)f->helper, &info, WEXITED | WNOWAIT), 0);
    for (uint64_t before = map_bytes(f); map_bytes(f) == before;)
        put_large(&f->side, large_ones++);
    assert_int_equal(side_version(&f->side, "k"), 1);
    assert_non_null(strstr(f->side.log, "1 dead readers"));
}

static void
beside_makes_no_store(void **state)
{
    struct fixture *f = *state;
    struct report r = tell(f, (struct order){OP_OPEN_BESIDE, "", 0});
    assert_int_equal(r.error, ERR_NOT_FOUND);
    assert_non_null(strstr(r.text, f->directory));
    open_owner(f);
    struct side second = {0};
    f->options.beside = true;
    assert_int_equal(side_open(&second, f->options, f->why), ERR_DENIED);
    assert_non_null(strstr(f->why, "this process"));
    assert_int_equal(side_put(&f->side, "k", 0, text("fine")), STORE_OK);
}

/* ---- scans, copies ---- */

static void
put_pair(struct side *s, uint32_t number)
{
    char value[16];
    snprintf(value, sizeof value, "%u", number);
    struct store_write writes[2] = {
        {.key = text("p/left"), .expected_version = number, .op = STORE_PUT, .value = text(value)},
        {.key = text("p/right"),
         .expected_version = number,
         .op = STORE_PUT,
         .value = text(value)}};
    assert_int_equal(side_commit(s, writes, 2), STORE_OK);
}

/* While the owner writes, whoever scans sees one moment. */
static void
a_scan_sees_one_moment(void **state)
{
    struct fixture *f = *state;
    open_owner(f);
    put_pair(&f->side, 0);
    for (uint32_t i = 1; i < 100; i++) {
        struct order scan = {OP_SCAN, "", 0};
        assert_int_equal(send(f->socket, &scan, sizeof scan, 0), sizeof scan);
        for (uint32_t j = 0; j < 5; j++)
            put_pair(&f->side, 5 * (i - 1) + j + 1);
        struct report r;
        assert_int_equal(recv(f->socket, &r, sizeof r, 0), sizeof r);
        assert_int_equal(r.error, OK);
        assert_int_equal(r.count, 2);
        assert_false(r.torn);
    }
    assert_int_equal(tell(f, (struct order){OP_SCAN, "p/l", 0}).count, 1);
    assert_int_equal(tell(f, (struct order){OP_SCAN, "q", 0}).count, 0);
}

static void
a_copy_of_a_running_store_is_whole(void **state)
{
    struct fixture *f = *state;
    open_owner(f);
    for (uint32_t i = 0; i < 50; i++)
        put_large(&f->side, i);
    put_pair(&f->side, 0);
    struct order copy = {OP_COPY, "", 0};
    assert_int_equal(send(f->socket, &copy, sizeof copy, 0), sizeof copy);
    for (uint32_t i = 1; i < 200; i++)
        put_pair(&f->side, i);
    struct report r;
    assert_int_equal(recv(f->socket, &r, sizeof r, 0), sizeof r);
    assert_int_equal(r.error, OK);
    assert_int_equal(tell(f, (struct order){OP_COPY, "", 0}).error, ERR_EXISTS);
    r = tell(f, (struct order){OP_VERIFY_COPY, "", 0});
    assert_int_equal(r.error, OK);
    assert_int_equal(r.verified.documents, 52);
    assert_true(r.verified.bytes > 50 * STORE_VALUE_MAX);
    r = tell(f, (struct order){OP_SCAN_COPY, "", 0});
    assert_int_equal(r.count, 52);
    assert_false(r.torn);
    lmdb_store_close(&f->side.store); /* the copy takes the place of the store */
    char path[128];
    snprintf(path, sizeof path, "%s/store.mdb", f->directory);
    assert_int_equal(rename(f->copy, path), 0);
    open_owner(f);
    assert_int_equal(side_version(&f->side, "large7"), 1);
    uint64_t version = side_version(&f->side, "p/left");
    assert_in_range(version, 1, 200);
    put_pair(&f->side, (uint32_t)version);
}

static void
a_copy_that_cannot_be_made_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct report r = tell(f, (struct order){OP_COPY, "", 0});
    assert_int_equal(r.error, ERR_NOT_FOUND);
    assert_int_equal(access(f->copy, F_OK), -1);
    assert_int_equal(tell(f, (struct order){OP_VERIFY_COPY, "", 0}).error, ERR_NOT_FOUND);
    assert_int_equal(tell(f, (struct order){OP_VERIFY, "", 0}).error, ERR_NOT_FOUND);
}

/* ---- verifying ---- */

static void
flip(const struct fixture *f, const char *what)
{
    char path[128];
    snprintf(path, sizeof path, "%s/store.mdb", f->directory);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    size_t bytes = (size_t)status.st_size;
    char *all = malloc(bytes);
    assert_non_null(all);
    assert_int_equal(pread(fd, all, bytes, 0), bytes);
    uint32_t found = 0;
    for (char *at = all; (at = memmem(at, bytes - (size_t)(at - all), what, strlen(what))) != NULL;
         at++) {
        char flipped = (char)(*at ^ 1);
        assert_int_equal(pwrite(fd, &flipped, 1, at - all), 1);
        found++;
    }
    assert_true(found > 0);
    free(all);
    close(fd);
}

static void
verify_names_what_is_damaged(void **state)
{
    struct fixture *f = *state;
    open_owner(f);
    static const char *const keys[] = {"v/1", "v/2", "v/3", "v/4", "v/5"};
    static const char *const values[] = {"needle-one", "two", "needle-three", "four", "five"};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(side_put(&f->side, keys[i], 0, text(values[i])), STORE_OK);
    struct store_write gone = {.key = text("v/4"), .expected_version = 1, .op = STORE_DELETE};
    assert_int_equal(side_commit(&f->side, &gone, 1), STORE_OK);
    struct report r = tell(f, (struct order){OP_VERIFY, "", 0});
    assert_int_equal(r.error, OK);
    assert_int_equal(r.verified.documents, 4);
    assert_int_equal(r.verified.deleted, 1);
    assert_true(r.verified.used_bytes > 0);
    lmdb_store_close(&f->side.store);
    flip(f, "needle-one");
    flip(f, "needle-three");
    r = tell(f, (struct order){OP_VERIFY, "", 0});
    assert_int_equal(r.error, ERR_FORMAT);
    assert_int_equal(r.verified.damaged, 2);
    assert_int_equal(r.verified.documents, 2);
    assert_int_equal(tell(f, (struct order){OP_SCAN, "v/", 0}).corrupt, 2);
    open_owner(f); /* each is told once, however often it is asked for */
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(side_version(&f->side, "v/1"), UINT64_MAX);
    const char *first = strstr(f->side.log, "v/1 is damaged");
    assert_non_null(first);
    assert_null(strstr(first + 1, "v/1 is damaged"));
    struct lmdb_store_stats stats;
    lmdb_store_stats(f->side.store, &stats);
    assert_int_equal(stats.corrupt, 3);
    assert_int_equal(side_put(&f->side, "v/2", 1, text("fine")), STORE_OK);
}

/* ---- watching, filling ---- */

static void
what_is_watched_is_hinted_at(void **state)
{
    struct fixture *f = *state;
    struct side *s = &f->side;
    open_owner(f);
    assert_int_equal(s->port.watch(s->port.ctx, text("a b"), true), ERR_FORMAT);
    assert_int_equal(s->port.watch(s->port.ctx, text("w"), true), OK);
    assert_int_equal(side_put(s, "w", 0, text("x")), STORE_OK);
    assert_int_equal(side_put(s, "other", 0, text("x")), STORE_OK);
    assert_int_equal(side_put(s, "w", 0, text("x")), STORE_CONFLICT);
    (void)side_version(s, "w");
    assert_int_equal(s->hints, 1);
    assert_int_equal(s->port.watch(s->port.ctx, text("w"), false), OK);
    assert_int_equal(side_put(s, "w", 1, text("x")), STORE_OK);
    (void)side_version(s, "w");
    assert_int_equal(s->hints, 1);
    char key[16];
    for (uint32_t i = 0; i < STORE_WATCHES_MAX; i++) {
        snprintf(key, sizeof key, "%u", i);
        assert_int_equal(s->port.watch(s->port.ctx, text(key), true), OK);
    }
    assert_int_equal(s->port.watch(s->port.ctx, text("w"), true), ERR_FULL);
    assert_int_equal(s->port.watch(s->port.ctx, text("7"), true), OK); /* is watched already */
}

static void
a_filling_store_says_so_once(void **state)
{
    struct fixture *f = *state;
    f->options.map_bytes_limit = UINT64_C(8) << 20;
    open_owner(f);
    struct lmdb_store_stats stats;
    for (uint32_t i = 0;; i++) {
        put_large(&f->side, i);
        lmdb_store_stats(f->side.store, &stats);
        if (stats.filling)
            break;
        assert_true(stats.used_bytes < f->options.map_bytes_limit);
        assert_null(strstr(f->side.log, "that the store may take"));
    }
    assert_true(stats.used_bytes >= f->options.map_bytes_limit / 100 * 70);
    assert_true(stats.used_bytes < f->options.map_bytes_limit / 100 * 75);
    put_large(&f->side, 10000);
    (void)side_version(&f->side, "large0");
    const char *first = strstr(f->side.log, "that the store may take");
    assert_non_null(first);
    assert_null(strstr(first + 1, "that the store may take"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_see_what_the_other_wrote, setup, teardown),
        cmocka_unit_test_setup_teardown(the_map_grows_under_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_map_may_have_grown, setup, teardown),
        cmocka_unit_test_setup_teardown(dead_readers_are_cleared_away, setup, teardown),
        cmocka_unit_test_setup_teardown(beside_makes_no_store, setup, teardown),
        cmocka_unit_test_setup_teardown(a_scan_sees_one_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_of_a_running_store_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_that_cannot_be_made_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(verify_names_what_is_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_watched_is_hinted_at, setup, teardown),
        cmocka_unit_test_setup_teardown(a_filling_store_says_so_once, setup, teardown),
    };
    return cmocka_run_group_tests_name("lmdb_tools", tests, NULL, NULL);
}
