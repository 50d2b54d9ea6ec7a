/* What LMDB's engine does beyond the conformance suite: opening and refusing, groups, growing,
 * damage, and a disk that is full or fails. fdatasync and fallocate are defined here, so that they
 * fail and wait on command.
 */
#include "os/files.h"
#include "os/lmdb_file.h"
#include "os/lmdb_store.h"
#include "os/lmdb_tools.h"
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define ANSWERS_MAX 8192

/* ---- a disk on command ---- */

static atomic_bool sync_fails, sync_waits, disk_full;
static atomic_int syncs;
static sem_t sync_reached, sync_may_go;

int
fdatasync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    if (atomic_load(&sync_waits)) {
        sem_post(&sync_reached);
        sem_wait(&sync_may_go);
    }
    if (atomic_load(&sync_fails)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int
fallocate(int fd, int mode, off_t offset, off_t bytes)
{
    if (atomic_load(&disk_full)) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
}

/* ---- one store in a directory of its own ---- */

struct answer {
    uint32_t times;
    enum store_result result;
    uint64_t version;
    char value[64];
};

struct fixture {
    char directory[64];
    char path[96];
    struct lmdb_store_options options;
    struct lmdb_store *store;
    struct env_store port;
    struct answer answers[ANSWERS_MAX];
    uint64_t next_token;
    uint32_t answered;
    char log[1024];
    char why[LMDB_STORE_WHY_MAX];
};

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct fixture *f = ctx;
    struct answer *a = &f->answers[token];
    a->times++;
    a->result = result;
    a->version = doc == NULL ? 0 : doc->version;
    if (doc != NULL)
        snprintf(a->value, sizeof a->value, "%.*s", (int)doc->value.bytes,
                 (const char *)doc->value.at);
    f->answered++;
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct fixture *f = ctx;
    f->answers[token].times++;
    f->answers[token].result = result;
    f->answered++;
}

/* The keys into the value. */
static void
on_scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    struct fixture *f = ctx;
    struct answer *a = &f->answers[token];
    for (uint32_t i = 0; i < count; i++) {
        size_t used = strlen(a->value);
        snprintf(a->value + used, sizeof a->value - used, "%.*s ", (int)found[i].key.bytes,
                 (const char *)found[i].key.at);
    }
    on_committed(ctx, token, result);
}

static void
on_log(void *ctx, enum log_level level, const char *event, const char *text)
{
    (void)level;
    struct fixture *f = ctx;
    size_t used = strlen(f->log);
    snprintf(f->log + used, sizeof f->log - used, "%s: %s\n", event, text);
}

static enum err
try_open(struct fixture *f, struct lmdb_store **out)
{
    f->why[0] = '\0';
    return lmdb_store_open(&f->options, out, f->why);
}

static void
open_store(struct fixture *f)
{
    if (try_open(f, &f->store) != OK)
        fail_msg("%s", f->why);
    f->port = lmdb_store_port(
        f->store, (struct store_done){
                      .ctx = f, .got = on_got, .committed = on_committed, .scanned = on_scanned});
}

static void
reopen(struct fixture *f)
{
    lmdb_store_close(&f->store);
    open_store(f);
}

static void
wait_for(struct fixture *f, uint32_t answered)
{
    struct pollfd wait = {.fd = lmdb_store_fd(f->store), .events = POLLIN};
    while (f->answered < answered) {
        assert_int_equal(poll(&wait, 1, 60000), 1);
        (void)lmdb_store_deliver(f->store);
    }
}

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static uint64_t
put_send(struct fixture *f, const char *key, uint64_t version, struct slice value)
{
    struct store_write write = {
        .key = text(key), .expected_version = version, .op = STORE_PUT, .value = value};
    assert_true(f->next_token < ANSWERS_MAX);
    assert_int_equal(f->port.commit(f->port.ctx, f->next_token, &write, 1), OK);
    return f->next_token++;
}

static uint64_t
get_send(struct fixture *f, const char *key)
{
    assert_true(f->next_token < ANSWERS_MAX);
    assert_int_equal(f->port.get(f->port.ctx, f->next_token, text(key)), OK);
    return f->next_token++;
}

static const struct answer *
await(struct fixture *f, uint64_t token)
{
    struct pollfd wait = {.fd = lmdb_store_fd(f->store), .events = POLLIN};
    while (f->answers[token].times == 0) {
        assert_int_equal(poll(&wait, 1, 60000), 1);
        (void)lmdb_store_deliver(f->store);
    }
    assert_int_equal(f->answers[token].times, 1);
    return &f->answers[token];
}

static enum store_result
put(struct fixture *f, const char *key, uint64_t version, const char *value)
{
    return await(f, put_send(f, key, version, text(value)))->result;
}

static const struct answer *
get(struct fixture *f, const char *key)
{
    return await(f, get_send(f, key));
}

static struct lmdb_store_stats
stats(struct fixture *f)
{
    struct lmdb_store_stats s;
    lmdb_store_stats(f->store, &s);
    return s;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(directory_make_temporary(NULL, "store", f->directory, sizeof f->directory),
                     OK);
    snprintf(f->path, sizeof f->path, "%s/store.mdb", f->directory);
    f->options = (struct lmdb_store_options){
        .directory = f->directory, .map_bytes = 256 << 10, .log_ctx = f, .log = on_log};
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    if (f->store != NULL)
        lmdb_store_close(&f->store);
    atomic_store(&sync_fails, false);
    atomic_store(&sync_waits, false);
    atomic_store(&disk_full, false);
    static const char *const names[] = {"store.mdb", "store.mdb-lock", "lock"};
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", f->directory, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(f->directory), 0);
    free(f);
    return 0;
}

/* ---- opening ---- */

static void
one_process_at_a_time(void **state)
{
    struct fixture *f = *state;
    open_store(f);
    struct lmdb_store *second;
    assert_int_equal(try_open(f, &second), ERR_DENIED);
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(f->why, pid));
    assert_non_null(strstr(f->why, f->directory));
    assert_int_equal(put(f, "k", 0, "still fine"), STORE_OK);
    reopen(f); /* closing lets go of it */
    assert_string_equal(get(f, "k")->value, "still fine");
}

static void
a_directory_that_cannot_be_is_named(void **state)
{
    struct fixture *f = *state;
    struct lmdb_store *store;
    f->options.directory = "/nowhere/at/all";
    assert_int_equal(try_open(f, &store), ERR_IO);
    assert_non_null(strstr(f->why, "/nowhere/at/all"));
    f->options.directory = f->directory;
    f->options.queue_bytes = 1000; /* would not hold the largest commit */
    assert_int_equal(try_open(f, &store), ERR_RANGE);
}

/* Writes the file's own record of its format, or another record, behind the engine's back. */
static void
file_put(struct fixture *f, const char *key, const void *value, size_t bytes)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, f->path, MDB_NOSUBDIR, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    MDB_val k = {strlen(key), (void *)(uintptr_t)key}, v = {bytes, (void *)(uintptr_t)value};
    assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void
newer_data_is_refused_plainly(void **state)
{
    struct fixture *f = *state;
    open_store(f);
    lmdb_store_close(&f->store);
    file_put(f, "\001format", "\x02\0\0\0", 4);
    assert_int_equal(try_open(f, &f->store), ERR_NEWER);
    assert_null(f->store);
    assert_non_null(strstr(f->why, "format 2"));
    assert_non_null(strstr(f->why, "newer"));
    file_put(f, "\001format", "\x01\0\0\0", 4);
    open_store(f);
}

static void
what_is_no_store_is_refused(void **state)
{
    struct fixture *f = *state;
    file_put(f, "somebody", "else", 4);
    assert_int_equal(try_open(f, &f->store), ERR_FORMAT);
    int fd = open(f->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    static char noise[16384];
    memset(noise, 'n', sizeof noise);
    assert_int_equal(write(fd, noise, sizeof noise), sizeof noise);
    close(fd);
    assert_int_equal(try_open(f, &f->store), ERR_FORMAT);
    assert_non_null(strstr(f->why, "not a store"));
}

/* ---- groups ---- */

static void
what_waits_becomes_one_group(void **state)
{
    struct fixture *f = *state;
    open_store(f);
    assert_int_equal(put(f, "read", 0, "me"), STORE_OK);
    uint64_t groups = stats(f).groups;
    atomic_store(&sync_waits, true);
    uint64_t first = put_send(f, "first", 0, text("x"));
    sem_wait(&sync_reached); /* the writer is in its fsync now */
    atomic_store(&sync_waits, false);
    char key[16];
    for (uint32_t i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "k%u", i % 150); /* 50 of them come too late for their version */
        (void)put_send(f, key, 0, text(key));
    }
    assert_string_equal(get(f, "read")->value,
                        "me");                    /* nobody waits for an fsync in order to read */
    assert_int_equal(f->answers[first].times, 0); /* not acknowledged before it is durable */
    sem_post(&sync_may_go);
    wait_for(f, f->answered + 201);
    uint32_t conflicts = 0;
    for (uint64_t t = first; t < f->next_token; t++)
        conflicts += f->answers[t].result == STORE_CONFLICT;
    assert_int_equal(conflicts, 50);
    assert_int_equal(stats(f).groups, groups + 2);
    assert_int_equal(stats(f).documents, 1 + 1 + 150);
}

static void
closing_writes_what_was_accepted(void **state)
{
    struct fixture *f = *state;
    open_store(f);
    char key[16];
    for (uint32_t i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "k%u", i);
        (void)put_send(f, key, 0, text(key));
    }
    reopen(f); /* nobody asked for the answers */
    for (uint32_t i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "k%u", i);
        const struct answer *a = get(f, key);
        assert_int_equal(a->version, 1);
        assert_string_equal(a->value, key);
    }
}

/* More bytes of answers than may wait: the reader waits for the env's thread, nothing is lost. */
static void
answers_wait_their_turn(void **state)
{
    struct fixture *f = *state;
    open_store(f);
    static uint8_t large[STORE_VALUE_MAX];
    memset(large, 'v', sizeof large);
    assert_int_equal(await(f, put_send(f, "large", 0, (struct slice){large, sizeof large}))->result,
                     STORE_OK);
    uint32_t before = f->answered;
    for (uint32_t i = 0; i < 2000; i++)
        (void)get_send(f, "large");
    assert_int_equal(lmdb_store_under_way(f->store), 2000);
    /* Meanwhile the answers of commits always find room. */
    for (uint32_t i = 0; i < 600; i++) {
        (void)put_send(f, "k", STORE_ANY_VERSION, text("v"));
        while (i % 100 == 99 && stats(f).commits < i + 2)
            sched_yield();
    }
    wait_for(f, before + 2600);
    for (uint64_t t = 1; t < f->next_token; t++)
        assert_int_equal(f->answers[t].times, 1);
    assert_int_equal(lmdb_store_under_way(f->store), 0);
}

/* ---- growing ---- */

static enum store_result
put_large(struct fixture *f, uint32_t n)
{
    static uint8_t large[STORE_VALUE_MAX];
    char key[16];
    snprintf(key, sizeof key, "large%u", n);
    return await(f, put_send(f, key, 0, (struct slice){large, sizeof large}))->result;
}

static void
the_map_grows(void **state)
{
    struct fixture *f = *state;
    open_store(f);
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(put_large(f, i), STORE_OK);
    struct lmdb_store_stats s = stats(f);
    assert_true(s.used_bytes > 300 * STORE_VALUE_MAX);
    assert_true(s.map_bytes * 70 > s.used_bytes * 100 || s.map_bytes > s.used_bytes);
    assert_non_null(strstr(f->log, "grew"));
    struct stat status;
    assert_int_equal(stat(f->path, &status), 0);
    assert_int_equal((uint64_t)status.st_size, s.map_bytes); /* all of it is there ... */
    assert_true((uint64_t)status.st_blocks * 512 >=
                s.map_bytes * 9 / 10); /* ... and has its blocks */
    reopen(f);
    assert_int_equal(get(f, "large299")->version, 1);
}

/* A commit far larger than the map grows it at once, by MDB_MAP_FULL. */
static void
one_commit_may_be_larger_than_the_map(void **state)
{
    struct fixture *f = *state;
    open_store(f);
    static uint8_t large[STORE_VALUE_MAX];
    static char keys[200][16];
    static struct store_write writes[200];
    for (uint32_t i = 0; i < 200; i++) {
        snprintf(keys[i], sizeof keys[i], "k%u", i);
        writes[i] = (struct store_write){
            .key = text(keys[i]), .op = STORE_PUT, .value = {large, sizeof large}};
    }
    uint64_t token = f->next_token++;
    assert_int_equal(f->port.commit(f->port.ctx, token, writes, 200), OK);
    assert_int_equal(await(f, token)->result, STORE_OK);
    assert_int_equal(get(f, "k199")->version, 1);
}

static uint32_t
fill(struct fixture *f)
{
    for (uint32_t i = 0;; i++) {
        enum store_result result = put_large(f, i);
        if (result == STORE_UNAVAILABLE)
            return i;
        assert_int_equal(result, STORE_OK);
        assert_true(i < 1000);
    }
}

static void
a_full_disk_refuses_and_recovers(void **state)
{
    struct fixture *f = *state;
    open_store(f);
    atomic_store(&disk_full, true);
    uint32_t fitted = fill(f);
    assert_true(fitted > 5);
    assert_non_null(strstr(f->log, "cannot grow"));
    assert_false(stats(f).failed);
    assert_int_equal(stats(f).unavailable, 1);
    assert_int_equal(get(f, "large0")->version, 1); /* reading goes on */
    char key[16];
    snprintf(key, sizeof key, "large%u", fitted);
    assert_int_equal(get(f, key)->version, 0); /* it did not happen */
    atomic_store(&disk_full, false);
    assert_int_equal(put_large(f, fitted), STORE_OK);
    assert_int_equal(get(f, key)->version, 1);
}

static void
the_limit_of_the_map_holds(void **state)
{
    struct fixture *f = *state;
    f->options.map_bytes_limit = 512 << 10;
    open_store(f);
    uint32_t fitted = fill(f);
    assert_in_range(fitted, 5, 32);
    assert_int_equal(stats(f).map_bytes, 512 << 10);
}

/* ---- a disk that fails ---- */

static void
a_failed_fsync_is_never_tried_again(void **state)
{
    struct fixture *f = *state;
    open_store(f);
    assert_int_equal(put(f, "a", 0, "one"), STORE_OK);
    atomic_store(&sync_fails, true);
    assert_int_equal(put(f, "a", 1, "two"), STORE_UNKNOWN);
    atomic_store(&sync_fails, false); /* the disk claims to be well again; it is not believed */
    int before = atomic_load(&syncs);
    assert_int_equal(put(f, "b", 0, "x"), STORE_UNAVAILABLE);
    assert_int_equal(get(f, "a")->result, STORE_UNAVAILABLE);
    assert_int_equal(atomic_load(&syncs), before);
    assert_true(stats(f).failed);
    assert_int_equal(stats(f).unknown, 1);
    assert_non_null(strstr(f->log, "UNAVAILABLE until a restart"));
    reopen(f);
    const struct answer *a = get(f, "a");
    assert_true((a->version == 1 && strcmp(a->value, "one") == 0) ||
                (a->version == 2 && strcmp(a->value, "two") == 0));
    assert_int_equal(put(f, "a", a->version, "three"), STORE_OK);
}

/* Everything in the group that failed is UNKNOWN, what waits behind it UNAVAILABLE. */
static void
the_whole_group_is_unknown(void **state)
{
    struct fixture *f = *state;
    open_store(f);
    atomic_store(&sync_waits, true);
    (void)put_send(f, "first", 0, text("x"));
    sem_wait(&sync_reached);
    for (uint32_t i = 0; i < 10; i++)
        (void)put_send(f, "same", 0, text("x")); /* one would win: nobody can know which any more */
    sem_post(&sync_may_go);
    sem_wait(&sync_reached);
    (void)put_send(f, "last", 0, text("x"));
    atomic_store(&sync_fails, true);
    sem_post(&sync_may_go);
    wait_for(f, 12);
    assert_int_equal(f->answers[0].result, STORE_OK);
    for (uint32_t i = 1; i <= 10; i++)
        assert_int_equal(f->answers[i].result, STORE_UNKNOWN);
    assert_int_equal(f->answers[11].result, STORE_UNAVAILABLE);
}

/* ---- damage ---- */

/* Flips one bit of the byte that stands `before` bytes in front of the only place where `what` is
 * in the file. */
static void
flip(struct fixture *f, const char *what, size_t before)
{
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    size_t bytes = (size_t)status.st_size;
    char *all = malloc(bytes);
    assert_non_null(all);
    assert_int_equal(pread(fd, all, bytes, 0), bytes);
    uint32_t found = 0;
    for (char *at = all; (at = memmem(at, bytes - (size_t)(at - all), what, strlen(what))) != NULL;
         at++) {
        char flipped = (char)(at[-(ptrdiff_t)before] ^ 16);
        assert_int_equal(pwrite(fd, &flipped, 1, at - all - (ptrdiff_t)before), 1);
        found++;
    }
    assert_true(found > 0); /* older copies of the page may lie about */
    free(all);
    close(fd);
}

struct seen {
    uint32_t count;
    char keys[256];
};

static bool
each(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct seen *seen = ctx;
    assert_true(doc->exists);
    size_t used = strlen(seen->keys);
    snprintf(seen->keys + used, sizeof seen->keys - used, "%.*s ", (int)key.bytes,
             (const char *)key.at);
    return ++seen->count < 3;
}

static void
a_flipped_bit_is_found(void **state)
{
    struct fixture *f = *state;
    /* In the value, in the flags, in the checksum, in the version. */
    static const size_t where[] = {0, 1, 9, 17};
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        unlink(f->path);
        open_store(f);
        assert_int_equal(put(f, "d/fine", 0, "healthy"), STORE_OK);
        assert_int_equal(put(f, "d/hurt", 0, "needle-in-the-value"), STORE_OK);
        lmdb_store_close(&f->store);
        flip(f, "needle-in-the-value", where[i]);
        f->log[0] = '\0';
        open_store(f);
        assert_int_equal(get(f, "d/hurt")->result, STORE_UNAVAILABLE);
        assert_non_null(strstr(f->log, "d/hurt is damaged"));
        assert_int_equal(put(f, "d/hurt", 1, "x"), STORE_UNAVAILABLE);
        assert_int_equal(put(f, "d/hurt", STORE_ANY_VERSION, "x"), STORE_UNAVAILABLE);
        assert_int_equal(stats(f).corrupt, 3);
        assert_int_equal(get(f, "d/hurt")->result, STORE_UNAVAILABLE); /* and stays so */
        assert_string_equal(get(f, "d/fine")->value, "healthy");
        assert_int_equal(put(f, "d/fine", 1, "x"), STORE_OK);
        lmdb_store_close(&f->store);
        struct seen seen = {0};
        uint64_t corrupt;
        assert_int_equal(lmdb_scan(f->directory, "d/", each, &seen, &corrupt, f->why), OK);
        assert_int_equal(corrupt, 1);
        assert_string_equal(seen.keys, "d/fine ");
    }
}

/* A scan by the port leaves the damaged one out and tells it; when nothing can be believed any
 * more, it is refused like everything else. */
static void
a_scan_leaves_out_what_is_damaged(void **state)
{
    struct fixture *f = *state;
    open_store(f);
    assert_int_equal(put(f, "d/1", 0, "needle"), STORE_OK);
    assert_int_equal(put(f, "d/2", 0, "healthy"), STORE_OK);
    lmdb_store_close(&f->store);
    flip(f, "needle", 0);
    open_store(f);
    uint64_t token = f->next_token++;
    struct slice none = {0};
    assert_int_equal(f->port.scan(f->port.ctx, token, text("d/"), none, 10), OK);
    assert_int_equal(await(f, token)->result, STORE_OK);
    assert_string_equal(f->answers[token].value, "d/2 ");
    assert_non_null(strstr(f->log, "d/1 is damaged"));
    atomic_store(&sync_fails, true);
    assert_int_equal(put(f, "d/2", 1, "x"), STORE_UNKNOWN);
    atomic_store(&sync_fails, false);
    token = f->next_token++;
    assert_int_equal(f->port.scan(f->port.ctx, token, text("d/"), none, 10), OK);
    assert_int_equal(await(f, token)->result, STORE_UNAVAILABLE);
    assert_string_equal(f->answers[token].value, "");
}

/* A record that lies under another key than it was written for does not fit either. */
static void
a_swapped_record_is_found(void **state)
{
    struct fixture *f = *state;
    (void)f;
    uint8_t record[RECORD_HEAD_BYTES + 5];
    lmdb_record_write(record, text("mine"), (struct record_head){.version = 3}, text("value"));
    MDB_val value = {sizeof record, record};
    struct store_doc doc;
    assert_true(lmdb_record_read(value, text("mine"), &doc));
    assert_int_equal(doc.version, 3);
    assert_true(doc.exists);
    assert_false(lmdb_record_read(value, text("yours"), &doc));
    value.mv_size = RECORD_HEAD_BYTES - 1;
    assert_false(lmdb_record_read(value, text("mine"), &doc));
}

static void
scan_goes_in_order_and_leaves_out_the_deleted(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    uint64_t corrupt;
    assert_int_equal(lmdb_scan(f->directory, "d/", each, &seen, &corrupt, f->why), ERR_NOT_FOUND);
    assert_non_null(strstr(f->why, f->path));
    open_store(f);
    static const char *const names[] = {"d/4", "d/1", "e/1", "d/3", "c/9", "d/2", "d/5"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(put(f, names[i], 0, "x"), STORE_OK);
    struct store_write gone = {.key = text("d/2"), .expected_version = 1, .op = STORE_DELETE};
    uint64_t token = f->next_token++;
    assert_int_equal(f->port.commit(f->port.ctx, token, &gone, 1), OK);
    assert_int_equal(await(f, token)->result, STORE_OK);
    lmdb_store_close(&f->store);
    assert_int_equal(lmdb_scan(f->directory, "d/", each, &seen, &corrupt, f->why), OK);
    assert_string_equal(seen.keys, "d/1 d/3 d/4 "); /* stopped after three */
    assert_int_equal(corrupt, 0);
    open_store(f);
    seen = (struct seen){0};
    assert_int_equal(lmdb_store_scan(f->store, "d/", each, &seen, &corrupt), OK);
    assert_string_equal(seen.keys, "d/1 d/3 d/4 ");
    assert_int_equal(stats(f).scans, 1);
    assert_int_equal(lmdb_scan(f->directory, "d/", each, &seen, &corrupt, f->why), ERR_DENIED);
}

int
main(void)
{
    sem_init(&sync_reached, 0, 0);
    sem_init(&sync_may_go, 0, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_process_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_cannot_be_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(newer_data_is_refused_plainly, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_store_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_becomes_one_group, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_writes_what_was_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_wait_their_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(the_map_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(one_commit_may_be_larger_than_the_map, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_and_recovers, setup, teardown),
        cmocka_unit_test_setup_teardown(the_limit_of_the_map_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_fsync_is_never_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(the_whole_group_is_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flipped_bit_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_scan_leaves_out_what_is_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(a_swapped_record_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_goes_in_order_and_leaves_out_the_deleted, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("lmdb_store", tests, NULL, NULL);
}
