/* What cluster.json says of the last time: where the world of a data directory is. The tickets that
 * people hold are good for that world alone, so a cluster that goes on takes store, directory and
 * world from there, refuses others, and does not start when it cannot read them: a cluster.json
 * that is not there is a new world, one that is unreadable is not. Used by the main thread of
 * `seom cluster up`. Limit: CLUSTER_SAVED_MAX bytes.
 */
#ifndef SEOM_APP_CLUSTER_SAVED_H
#define SEOM_APP_CLUSTER_SAVED_H

#include "app/config.h"
#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>

#define CLUSTER_SAVED_MAX (1U << 20)

/* *saved is the caller's; NULL: there is no such file. ERR_FORMAT: it cannot be read, or does not
 * say where the world is; nothing is changed. */
enum err cluster_saved_load(const char *path, json_t **saved, char *why, size_t why_bytes) MUST_USE;

struct cluster_place {
    char store[CONFIG_TEXT_MAX], directory[CONFIG_TEXT_MAX]; /* "": the cluster's own */
    int64_t world;                                           /* 0: nobody said */
    bool has_tickets; /* some may have been given: there is a key for them */
};

/* What nobody said becomes as it was the last time (saved may be NULL: then nothing does).
 * ERR_DENIED: something else was said, and there are tickets; why names no address, which may hold
 * a password.
 */
enum err cluster_saved_take(const json_t *saved, const char *path, struct cluster_place *place,
                            char *why, size_t why_bytes) MUST_USE;

#endif
