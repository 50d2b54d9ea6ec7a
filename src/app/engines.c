#include "app/engines.h"
#include "base/bytes.h"
#include "base/check.h"
#include "os/files.h"
#include "os/process.h"
#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER            "seom"
#define CONNECTIONS     "200"
#define PID_FILE_MAX    4096
#define PATH_BYTES      8192
#define ADDRESS_ESCAPED "%%%02X"

/* ---- finding ---- */

/* Debian keeps the versions beside each other: the newest is taken. */
static bool
postgres_find(char out[ENGINES_PATH_MAX])
{
    glob_t found;
    bool fine = false;
    long newest = 0;
    if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) != 0)
        return false;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        long version = strtol(path + strlen("/usr/lib/postgresql/"), NULL, 10);
        size_t bytes = strlen(path) - strlen("/postgres");
        if (version <= newest || bytes >= ENGINES_PATH_MAX)
            continue;
        newest = version;
        memcpy(out, path, bytes);
        out[bytes] = 0;
        fine = true;
    }
    globfree(&found);
    return fine;
}

/* In PATH, or where tools/install.sh puts it: tools/ beside this very program. */
static bool
program_find(const char *name, char out[ENGINES_PATH_MAX])
{
    char own[ENGINES_PATH_MAX], path[PATH_BYTES];
    const char *given = getenv("PATH");
    ssize_t bytes = readlink("/proc/self/exe", own, sizeof own - 1);
    own[bytes < 0 ? 0 : bytes] = 0;
    char *file = strrchr(own, '/');
    if (file != NULL)
        *file = 0;
    snprintf(path, sizeof path, "%s:/usr/bin:/usr/local/bin:%s/tools", given == NULL ? "" : given,
             own);
    char *rest = path, *directory;
    while ((directory = strsep(&rest, ":")) != NULL) {
        int n = snprintf(out, ENGINES_PATH_MAX, "%s/%s", directory, name);
        if (directory[0] == '/' && n < ENGINES_PATH_MAX && access(out, X_OK) == 0)
            return true;
    }
    return false;
}

/* Whether somebody who is neither owner nor in the group can pass through all of it. */
static bool
is_open_to_all(const char *path, char shut[ENGINES_PATH_MAX])
{
    struct stat there;
    size_t bytes = strlen(path);
    CHECK(path[0] == '/' && bytes < ENGINES_PATH_MAX);
    for (size_t i = 1; i <= bytes; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(shut, path, i);
        shut[i] = 0;
        if (stat(shut, &there) != 0 || (there.st_mode & S_IXOTH) == 0)
            return false;
    }
    return true;
}

/* As whom PostgreSQL runs when we are root. */
static enum err
servant_find(struct engines *e, const char *data, char *why)
{
    if (geteuid() != 0)
        return OK;
    const struct passwd *user = getpwnam("postgres");
    user = user == NULL ? getpwnam("nobody") : user;
    if (user == NULL) {
        snprintf(why, ENGINES_WHY_MAX,
                 "PostgreSQL does not run as root, and there is no user postgres: start seom as "
                 "an ordinary user, or give a server with --store");
        return ERR_NOT_FOUND;
    }
    e->uid = user->pw_uid;
    e->gid = user->pw_gid;
    char shut[ENGINES_PATH_MAX];
    if (is_open_to_all(data, shut))
        return OK;
    snprintf(why, ENGINES_WHY_MAX,
             "PostgreSQL runs as %s, who cannot pass through %s: chmod o+x it, or choose another "
             "--data, or give a server with --store",
             user->pw_name, shut);
    return ERR_DENIED;
}

enum err
engines_find(struct engines *e, const char *data, bool postgres, bool etcd,
             char why[ENGINES_WHY_MAX])
{
    *e = (struct engines){0};
    if (strlen(data) > ENGINES_DATA_MAX) {
        snprintf(why, ENGINES_WHY_MAX,
                 "the path %s is longer than %d bytes, and sockets in it would have paths that the "
                 "kernel does not take: choose a shorter --data",
                 data, ENGINES_DATA_MAX);
        return ERR_TOO_LARGE;
    }
    if (postgres && strchr(data, ',') != NULL) {
        snprintf(why, ENGINES_WHY_MAX,
                 "the path %s has a comma, at which PostgreSQL would divide it into several: "
                 "choose another --data, or give a server with --store",
                 data);
        return ERR_FORMAT;
    }
    snprintf(e->postgres, sizeof e->postgres, "%s/postgres", data);
    snprintf(e->etcd, sizeof e->etcd, "%s/etcd", data);
    if (etcd && !program_find("etcd", e->etcd_program)) {
        snprintf(why, ENGINES_WHY_MAX,
                 "etcd is not installed (apt-get install etcd-server; ./run cluster does it), "
                 "and none was given with --directory");
        return ERR_NOT_FOUND;
    }
    if (postgres && !postgres_find(e->postgres_bin)) {
        snprintf(why, ENGINES_WHY_MAX,
                 "PostgreSQL is not installed (apt-get install postgresql-15; ./run cluster "
                 "does it), and none was given with --store");
        return ERR_NOT_FOUND;
    }
    return postgres ? servant_find(e, data, why) : OK;
}

/* ---- PostgreSQL ---- */

/* initdb into a directory beside, so that a half-made database is never taken for one. */
static void
initdb_launch(const struct engines *e, const char *into, struct launch *launch)
{
    static const char *const arguments[] = {
        "-U", USER, "-A", "trust", "--no-locale", "--encoding", "UTF8", "--no-instructions"};
    *launch = (struct launch){.uid = e->uid, .gid = e->gid};
    snprintf(launch->program, sizeof launch->program, "%s/initdb", e->postgres_bin);
    launch_add(launch, "%s", launch->program); /* it finds postgres beside itself */
    launch_add(launch, "-D");
    launch_add(launch, "%s", into);
    for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++)
        launch_add(launch, "%s", arguments[i]);
}

/* What an initdb that was cut off has left. */
static bool
directory_empty(const char *path)
{
    char *command[] = {(char *)"rm", (char *)"-rf", (char *)"--", (char *)path, NULL};
    pid_t pid;
    return process_spawn("/bin/rm", command, &pid) == OK && process_wait(pid) == 0;
}

enum err
engines_postgres_make(const struct engines *e, const char *log, char why[ENGINES_WHY_MAX])
{
    char path[ENGINES_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/PG_VERSION", e->postgres);
    if (access(path, F_OK) == 0)
        return OK;
    snprintf(path, sizeof path, "%s.new", e->postgres);
    bool fine = directory_empty(path) && mkdir(path, 0700) == 0 &&
                (e->uid == 0 || chown(path, e->uid, e->gid) == 0);
    struct launch launch;
    pid_t pid;
    int ended;
    initdb_launch(e, path, &launch);
    fine = fine && launch_run(&launch, log, &pid, &ended) == OK;
    launch_free(&launch);
    if (fine) {
        fine = process_wait(pid) == 0 && rename(path, e->postgres) == 0;
        close(ended);
    }
    if (!fine)
        snprintf(why, ENGINES_WHY_MAX, "the database in %s could not be made; %s says why",
                 e->postgres, log);
    return fine ? OK : ERR_IO;
}

void
engines_postgres_launch(const struct engines *e, struct launch *launch)
{
    snprintf(launch->program, sizeof launch->program, "%s/postgres", e->postgres_bin);
    launch->uid = e->uid;
    launch->gid = e->gid;
    launch->death_signal = SIGINT;             /* it ends its sessions, and then itself */
    launch_add(launch, "%s", launch->program); /* by its first argument it finds its own files */
    launch_add(launch, "-D");
    launch_add(launch, "%s", e->postgres);
    launch_add(launch, "-c");
    launch_add(launch, "listen_addresses=");
    launch_add(launch, "-c");
    launch_add(launch, "unix_socket_directories=%s", e->postgres);
    launch_add(launch, "-c");
    launch_add(launch, "max_connections=" CONNECTIONS);
}

/* "ready" stands in the last line of its file once it takes connections; the first line says of
 * which process that was told. */
bool
engines_postgres_is_up(const struct engines *e, pid_t pid)
{
    char path[ENGINES_PATH_MAX + 16];
    struct slice text;
    snprintf(path, sizeof path, "%s/postmaster.pid", e->postgres);
    if (file_read(path, PID_FILE_MAX, &text) != OK)
        return false;
    const char *words = (const char *)text.at; /* file_read() has put a NUL behind them */
    bool up = strtol(words, NULL, 10) == pid && strstr(words, "\nready") != NULL;
    free((void *)(uintptr_t)text.at);
    return up;
}

void
engines_postgres_address(const struct engines *e, char *out, size_t out_bytes)
{
    char host[3 * ENGINES_PATH_MAX + 1];
    size_t used = 0;
    for (const char *c = e->postgres; *c != 0; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("/-_.", *c) != NULL;
        used += (size_t)snprintf(host + used, sizeof host - used, plain ? "%c" : ADDRESS_ESCAPED,
                                 (unsigned char)*c);
    }
    snprintf(out, out_bytes, "postgresql://" USER "@/postgres?host=%s", host);
}

/* ---- etcd ---- */

void
engines_etcd_launch(const struct engines *e, struct launch *launch)
{
    snprintf(launch->program, sizeof launch->program, "%s", e->etcd_program);
    launch_add(launch, "etcd");
    launch_add(launch, "--name=seom");
    launch_add(launch, "--data-dir=%s", e->etcd);
    launch_add(launch, "--listen-client-urls=http://127.0.0.1:%u", e->etcd_port);
    launch_add(launch, "--advertise-client-urls=http://127.0.0.1:%u", e->etcd_port);
    launch_add(launch, "--listen-peer-urls=http://127.0.0.1:%u", e->etcd_peer_port);
    launch_add(launch, "--initial-advertise-peer-urls=http://127.0.0.1:%u", e->etcd_peer_port);
    launch_add(launch, "--initial-cluster=seom=http://127.0.0.1:%u", e->etcd_peer_port);
    launch_add(launch, "--log-level=warn");
    launch_add(launch, "--logger=zap");
    launch_add(launch, "--auto-compaction-mode=periodic");
    launch_add(launch, "--auto-compaction-retention=1h");
}

bool
engines_etcd_is_up(const struct engines *e)
{
    const struct sockaddr_in there = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                      .sin_port = htons(e->etcd_port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool up = fd >= 0 && connect(fd, (const struct sockaddr *)&there, sizeof there) == 0;
    if (fd >= 0)
        close(fd);
    return up;
}

void
engines_etcd_address(const struct engines *e, char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "http://127.0.0.1:%u", e->etcd_port);
}
