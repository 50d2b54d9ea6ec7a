/* The engines that `seom cluster up` starts when it is given none: Debian's PostgreSQL in
 * <data>/postgres and Debian's etcd in <data>/etcd. PostgreSQL listens on a socket in its own
 * directory only, which nobody but its user and root can enter, and refuses to run as root: then it
 * runs as the user postgres (or nobody), who has to pass through the data directory. Whoever makes
 * that one as root gives it mode 0711; one that was there keeps the mode that it has, and is
 * refused when it is shut. etcd listens on loopback. Blocks; main thread, at start.
 */
#ifndef SEOM_APP_ENGINES_H
#define SEOM_APP_ENGINES_H

#include "app/launch.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ENGINES_PATH_MAX 448 /* with a file's name behind it still a path of launch.h */
#define ENGINES_DATA_MAX 80  /* so that paths of sockets fit, and the address of the store */
#define ENGINES_WHY_MAX  1024

struct engines {
    char postgres[ENGINES_PATH_MAX];     /* directory of the database */
    char postgres_bin[ENGINES_PATH_MAX]; /* directory of its programs */
    char etcd[ENGINES_PATH_MAX];         /* directory */
    char etcd_program[ENGINES_PATH_MAX];
    uint16_t etcd_port, etcd_peer_port;
    uid_t uid; /* of PostgreSQL, when we are root; else 0 */
    gid_t gid;
};

/* Where they are and as whom they run. data: an absolute path. postgres, etcd: which of them are
 * wanted; what is missing stands in why, with the remedy. ERR_NOT_FOUND, ERR_DENIED (the user
 * cannot reach the directory), ERR_TOO_LARGE, ERR_FORMAT (a path that PostgreSQL cannot take). */
enum err engines_find(struct engines *e, const char *data, bool postgres, bool etcd,
                      char why[ENGINES_WHY_MAX]) MUST_USE;
/* Makes the database when there is none yet, which takes seconds. ERR_IO. */
enum err engines_postgres_make(const struct engines *e, const char *log,
                               char why[ENGINES_WHY_MAX]) MUST_USE;
void engines_postgres_launch(const struct engines *e, struct launch *launch);
bool engines_postgres_is_up(const struct engines *e, pid_t pid);
/* As homes take it with --store. */
void engines_postgres_address(const struct engines *e, char *out, size_t out_bytes);

void engines_etcd_launch(const struct engines *e, struct launch *launch);
bool engines_etcd_is_up(const struct engines *e);
void engines_etcd_address(const struct engines *e, char *out, size_t out_bytes);

#endif
