#include "app/origin.h"

#include "base/check.h"
#include "os/lmdb_store.h"
#include "store/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 4096

/* A file appears whole or not at all; nobody else may read it. */
static enum err
write_private(const char *path, const void *bytes, size_t n)
{
    char next[PATH_BYTES + 8];
    snprintf(next, sizeof next, "%s.new", path);
    int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return ERR_IO;
    }
    bool written = write(fd, bytes, n) == (ssize_t)n && fsync(fd) == 0;
    close(fd);
    return written && rename(next, path) == 0 ? OK : ERR_IO;
}

/* Where people lived already nothing is made anew: another key would turn all of them away, another
 * birth would move world time. */
static enum err
tell_missing(const char *path, char *why, size_t why_bytes)
{
    snprintf(why, why_bytes, "%s is missing, but people have lived here: restore it from a backup",
             path);
    return ERR_NOT_FOUND;
}

/* Of several processes that make one at the same time the first wins, and all read what it made. */
static enum err
make_key(const char *path, char *why, size_t why_bytes)
{
    char own[PATH_BYTES + 32];
    uint8_t key[TICKET_KEY_BYTES];
    snprintf(own, sizeof own, "%s.%d", path, (int)getpid());
    CHECK(getrandom(key, sizeof key, 0) == (ssize_t)sizeof key);
    enum err e = write_private(own, key, sizeof key);
    if (e == OK && link(own, path) != 0 && errno != EEXIST) {
        e = ERR_IO;
    }
    if (e != OK) {
        snprintf(why, why_bytes, "%s: cannot be written: %s", path, strerror(errno));
    }
    unlink(own);
    return e;
}

enum err
origin_load_key(const char *data, bool lived_in, uint8_t key[TICKET_KEY_BYTES], char *why,
                size_t why_bytes)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/ticket.key", data);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && lived_in) {
        snprintf(why, why_bytes,
                 "%s is missing, but people have lived here: copy it from another home, or restore "
                 "it from a backup",
                 path);
        return ERR_NOT_FOUND;
    }
    if (fd < 0 && errno == ENOENT) {
        enum err e = make_key(path, why, why_bytes);
        if (e != OK) {
            return e;
        }
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    uint8_t bytes[TICKET_KEY_BYTES + 1];
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    if (fd >= 0) {
        close(fd);
    }
    if (n != TICKET_KEY_BYTES) {
        snprintf(why, why_bytes, "%s: not a key of %d bytes (restore it: all tickets depend on it)",
                 path, TICKET_KEY_BYTES);
        return ERR_FORMAT;
    }
    memcpy(key, bytes, TICKET_KEY_BYTES);
    return OK;
}

static enum err
make_world(const char *path, struct origin *out, char *why, size_t why_bytes)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->birth_wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    CHECK(getrandom(&out->seed, sizeof out->seed, 0) == (ssize_t)sizeof out->seed);
    out->seed >>= 1; /* fits a JSON integer */
    json_t *world = json_pack("{s:I,s:I}", "birth_wall_ms", (json_int_t)out->birth_wall_ms, "seed",
                              (json_int_t)out->seed);
    CHECK(world != NULL);
    char text[256];
    size_t n = json_dumpb(world, text, sizeof text, 0);
    json_decref(world);
    enum err e = write_private(path, text, n);
    if (e != OK) {
        snprintf(why, why_bytes, "%s: cannot be written: %s", path, strerror(errno));
    }
    return e;
}

static enum err
load_world(const char *data, bool lived_in, struct origin *out, char *why, size_t why_bytes)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/world.json", data);
    if (access(path, F_OK) != 0 && errno == ENOENT && lived_in) {
        return tell_missing(path, why, why_bytes);
    }
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return make_world(path, out, why, why_bytes);
    }
    json_error_t error;
    json_t *world = json_load_file(path, 0, &error);
    json_int_t birth = 0, seed = 0;
    bool fits = world != NULL &&
                json_unpack(world, "{s:I,s:I}", "birth_wall_ms", &birth, "seed", &seed) == 0;
    json_decref(world);
    if (!fits) {
        snprintf(why, why_bytes,
                 "%s: not the file this program wrote (line %d: %s); restore it from a backup",
                 path, error.line, error.text);
        return ERR_FORMAT;
    }
    out->birth_wall_ms = birth;
    out->seed = (uint64_t)seed;
    return OK;
}

enum err
origin_read(const char *data, struct origin *out, char *why, size_t why_bytes)
{
    *out = (struct origin){0};
    return load_world(data, true, out, why, why_bytes);
}

struct clock_found {
    bool seen;
    int64_t world_ms;
    enum err result;
};

static bool
clock_seen(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct clock_found *found = ctx;
    (void)key;
    found->seen = true;
    found->result = clock_decode(doc->value, &found->world_ms);
    return false;
}

enum err
origin_load(const char *data, struct lmdb_store *store, uint16_t world, struct origin *out,
            char *why, size_t why_bytes)
{
    *out = (struct origin){0};
    struct clock_found found = {.result = OK};
    struct key key = key_named(world, KEY_CLASS_META, "clock");
    uint64_t corrupt = 0;
    enum err e = lmdb_store_scan(store, key.text, clock_seen, &found, &corrupt);
    if (e != OK || found.result != OK || corrupt > 0) {
        snprintf(why, why_bytes, "the world time kept in %s cannot be read: %s", data,
                 e != OK ? err_text(e) : "the document is damaged");
        return e != OK ? e : ERR_FORMAT;
    }
    out->saved_world_ms = found.world_ms;
    e = origin_load_key(data, found.seen, out->ticket_key, why, why_bytes);
    return e == OK ? load_world(data, found.seen, out, why, why_bytes) : e;
}
