/* Two more ways to make the same documents durable. The append writes N records with one pwrite and
 * one fdatasync, round and round in a file that was written before: the least that any journal
 * does. SQLite runs as its command line tool behind a socket pair, with a write-ahead log and
 * synchronous=FULL; N updates with their version checks go to it as text, in one transaction. */
#include "app/bench_scratch.h"
#include "app/bench_store.h"
#include "app/output.h"
#include "base/check.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD_HEAD_BYTES 64 /* of a journal: lengths, checksum, version, key */
#define RECORD_MAX        (RECORD_HEAD_BYTES + BENCH_VALUE_MAX)
#define APPEND_FILE_BYTES (32U << 20)
#define STATEMENT_MAX     (2 * BENCH_VALUE_MAX + 256)
#define ANSWER_MAX        64
#define ANSWER_WAIT_MS    10000

extern char **environ;

/* ---- append ---- */

struct bench_append {
    struct bench_documents *documents; /* borrowed */
    int fd;
    uint64_t at, number;
    uint8_t group[BENCH_STORE_IN_FLIGHT_MAX * RECORD_MAX];
};

static enum err
append_fail(void)
{
    output_progress("append: %s", strerror(errno));
    return ERR_IO;
}

static enum err
append_transaction(void *ctx, uint32_t count)
{
    struct bench_append *a = ctx;
    CHECK(count <= BENCH_STORE_IN_FLIGHT_MAX);
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t document = rand_below(&a->documents->rand, a->documents->count);
        struct key key = bench_document_key(document);
        memset(a->group + bytes, 0, RECORD_HEAD_BYTES);
        memcpy(a->group + bytes, key.text, key.bytes);
        bytes += RECORD_HEAD_BYTES;
        bytes += bench_document_value(a->documents, document, ++a->number, a->group + bytes);
    }
    if (a->at + bytes > APPEND_FILE_BYTES) {
        a->at = 0;
    }
    if (pwrite(a->fd, a->group, bytes, (off_t)a->at) != (ssize_t)bytes || fdatasync(a->fd) != 0) {
        return append_fail();
    }
    a->at += bytes;
    return OK;
}

static enum err
append_round(void *ctx, uint32_t in_flight, int64_t us, struct bench_round *out)
{
    return bench_transactions(append_transaction, ctx, in_flight, us, out);
}

/* Writes the whole file once, so that later writes change nothing but its bytes. */
static enum err
append_prepare(struct bench_append *a)
{
    for (uint64_t at = 0; at < APPEND_FILE_BYTES;) {
        size_t bytes = sizeof a->group;
        bytes = APPEND_FILE_BYTES - at < bytes ? (size_t)(APPEND_FILE_BYTES - at) : bytes;
        ssize_t n = pwrite(a->fd, a->group, bytes, (off_t)at);
        if (n <= 0) {
            return append_fail();
        }
        at += (uint64_t)n;
    }
    return fsync(a->fd) == 0 ? OK : append_fail();
}

enum err
bench_append_open(const char *directory, struct bench_documents *documents,
                  struct bench_append **out)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/append", directory) >= sizeof path) {
        return ERR_RANGE;
    }
    struct bench_append *a = calloc(1, sizeof *a);
    CHECK(a != NULL);
    a->documents = documents;
    a->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    enum err error = a->fd < 0 ? append_fail() : append_prepare(a);
    if (error != OK) {
        bench_append_close(&a);
        return error;
    }
    *out = a;
    return OK;
}

void
bench_append_close(struct bench_append **append)
{
    if ((*append)->fd >= 0) {
        close((*append)->fd);
    }
    free(*append);
    *append = NULL;
}

struct bench_side
bench_append_side(struct bench_append *append)
{
    return (struct bench_side){.ctx = append, .round = append_round};
}

/* ---- SQLite ---- */

struct bench_sqlite {
    struct bench_documents *documents; /* borrowed */
    int fd;                            /* its standard input and output */
    pid_t pid;
    uint64_t changes; /* rows that it has changed so far */
    char text[(BENCH_STORE_IN_FLIGHT_MAX + 2) * STATEMENT_MAX];
};

static enum err
sqlite_fail(const char *what, const char *why)
{
    output_progress("sqlite3: %s: %s", what, why);
    return ERR_IO;
}

static enum err
sqlite_send(struct bench_sqlite *s, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = send(s->fd, text, bytes, MSG_NOSIGNAL);
        if (n < 0) {
            return sqlite_fail("it does not listen", strerror(errno));
        }
        text += n;
        bytes -= (size_t)n;
    }
    return OK;
}

/* Its next line, which is a number. */
static enum err
sqlite_number(struct bench_sqlite *s, uint64_t *number)
{
    char line[ANSWER_MAX];
    size_t used = 0;
    while (used == 0 || line[used - 1] != '\n') {
        struct pollfd ready = {.fd = s->fd, .events = POLLIN};
        if (used == sizeof line || poll(&ready, 1, ANSWER_WAIT_MS) == 0) {
            return sqlite_fail("no answer", "");
        }
        ssize_t n = recv(s->fd, line + used, sizeof line - used, 0);
        if (n <= 0 && !(n < 0 && errno == EINTR)) {
            return sqlite_fail("it has ended", "");
        }
        used += n > 0 ? (size_t)n : 0;
    }
    line[used - 1] = '\0';
    char *end;
    *number = strtoull(line, &end, 10);
    return *end == '\0' && end != line ? OK : sqlite_fail("it says", line);
}

static size_t
update_write(const struct bench_sqlite *s, uint32_t document, char *at)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t version = bench_documents_version(s->documents, document);
    uint8_t value[BENCH_VALUE_MAX];
    size_t bytes = bench_document_value(s->documents, document, version + 1, value);
    size_t used = (size_t)snprintf(at, STATEMENT_MAX, "UPDATE d SET version=%" PRIu64 ",value=x'",
                                   version + 1);
    for (size_t i = 0; i < bytes; i++) {
        at[used++] = digits[value[i] >> 4];
        at[used++] = digits[value[i] & 15];
    }
    return used + (size_t)snprintf(at + used, STATEMENT_MAX - used,
                                   "' WHERE key='%s' AND version=%" PRIu64 ";\n",
                                   bench_document_key(document).text, version);
}

static enum err
sqlite_transaction(void *ctx, uint32_t count)
{
    struct bench_sqlite *s = ctx;
    CHECK(count <= BENCH_STORE_IN_FLIGHT_MAX);
    uint32_t picked[BENCH_STORE_IN_FLIGHT_MAX];
    size_t used = (size_t)sprintf(s->text, "BEGIN;\n");
    for (uint32_t i = 0; i < count; i++) {
        picked[i] = bench_documents_pick(s->documents, s->documents->count);
        used += update_write(s, picked[i], s->text + used);
    }
    used += (size_t)sprintf(s->text + used, "COMMIT;\nSELECT total_changes();\n");
    uint64_t changes = 0;
    enum err error = sqlite_send(s, s->text, used);
    error = error == OK ? sqlite_number(s, &changes) : error;
    for (uint32_t i = 0; i < count; i++) {
        bench_documents_settle(s->documents, picked[i], true);
    }
    if (error == OK && changes != s->changes + count) {
        return sqlite_fail("an update", "has not changed its row");
    }
    s->changes = changes;
    return error;
}

static enum err
sqlite_round(void *ctx, uint32_t in_flight, int64_t us, struct bench_round *out)
{
    return bench_transactions(sqlite_transaction, ctx, in_flight, us, out);
}

static enum err
sqlite_spawn(struct bench_sqlite *s, char *path)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return sqlite_fail("socket pair", strerror(errno));
    }
    posix_spawn_file_actions_t actions;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0);
    char name[] = "sqlite3", quietly[] = "-batch";
    char *arguments[] = {name, quietly, path, NULL};
    int code = posix_spawnp(&s->pid, "sqlite3", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (code != 0) {
        close(ends[0]);
        return code == ENOENT ? ERR_NOT_FOUND : sqlite_fail("it does not start", strerror(code));
    }
    s->fd = ends[0];
    return OK;
}

static enum err
sqlite_fill(struct bench_sqlite *s)
{
    /* The first value is not read by anybody. */
    int used = snprintf(s->text, sizeof s->text,
                        "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;\n"
                        "CREATE TABLE d(key TEXT PRIMARY KEY,version INTEGER,value BLOB)"
                        " WITHOUT ROWID;\n"
                        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE "
                        "i<%" PRIu32 ") INSERT INTO d SELECT printf('%.*s%%016x',i),1,"
                        "randomblob(%d) FROM n;\nSELECT total_changes();\n",
                        s->documents->count - 1, bench_document_key(0).bytes - 16,
                        bench_document_key(0).text, (BENCH_VALUE_MIN + BENCH_VALUE_MAX) / 2);
    CHECK(used > 0 && (size_t)used < sizeof s->text);
    char mode[4];
    enum err error = sqlite_send(s, s->text, (size_t)used);
    if (error == OK && (recv(s->fd, mode, sizeof mode, MSG_WAITALL) != sizeof mode ||
                        memcmp(mode, "wal\n", sizeof mode) != 0)) {
        return sqlite_fail("no write-ahead log", "");
    }
    error = error == OK ? sqlite_number(s, &s->changes) : error;
    for (uint32_t d = 0; d < s->documents->count; d++) {
        bench_documents_settle(s->documents, d, true);
    }
    return error == OK && s->changes != s->documents->count ? ERR_IO : error;
}

enum err
bench_sqlite_open(const char *directory, struct bench_documents *documents,
                  struct bench_sqlite **out)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/sqlite", directory) >= sizeof path) {
        return ERR_RANGE;
    }
    struct bench_sqlite *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->documents = documents;
    enum err error = sqlite_spawn(s, path);
    if (error != OK) {
        free(s);
        return error;
    }
    error = sqlite_fill(s);
    if (error != OK) {
        bench_sqlite_close(&s);
        return error;
    }
    *out = s;
    return OK;
}

/* It ends at the end of its input. */
void
bench_sqlite_close(struct bench_sqlite **sqlite)
{
    close((*sqlite)->fd);
    while (waitpid((*sqlite)->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    free(*sqlite);
    *sqlite = NULL;
}

struct bench_side
bench_sqlite_side(struct bench_sqlite *sqlite)
{
    return (struct bench_side){.ctx = sqlite, .round = sqlite_round};
}
