/* What the tools on a world's store share: where it is, its documents beside a running server or
 * without one, asking before something is destroyed, and the operator's log.
 *
 * The store is LMDB's in the data directory, or a cluster's: that of --store, or as cluster.json in
 * the data directory says, or as it is configured. Everything but tool_is_cluster() is the same for
 * both.
 *
 * The operator's log is <data>/operator.log: one JSON object a line for everything that a tool
 * changed, with who and when; it is written before the change is made. Used on the main thread of a
 * command.
 */
#ifndef SEOM_APP_TOOL_H
#define SEOM_APP_TOOL_H

#include "app/config.h"
#include "env/env.h"
#include "os/lmdb_store.h"
#include "store/keys.h"
#include <argp.h>
#include <jansson.h>
#include <stdbool.h>

#define TOOL_WHY_MAX LMDB_STORE_WHY_MAX

#define TOOL_ARGUMENTS_MAX 2

/* Rows of a tool's table of options, and the parser for them; its input is a struct tool. */
#define TOOL_OPTION_DATA                                                       \
    {                                                                          \
        "data", 'd', "DIR", 0, "directory of the world (as for `seom dev`)", 0 \
    }
#define TOOL_OPTION_STORE                                                            \
    {                                                                                \
        "store", 's', "ADDRESSES", 0,                                                \
            "of a cluster's store, when DIR is not where the cluster was started", 0 \
    }
#define TOOL_OPTION_YES                                                  \
    {                                                                    \
        "yes", 'y', NULL, 0, "do not ask; the operator's log says so", 0 \
    }
error_t tool_parse(int key, char *argument, struct argp_state *state);

struct tool {
    const char *name;                      /* "seom doc get", for messages; borrowed */
    const char *wants[TOOL_ARGUMENTS_MAX]; /* what to say when an argument is missing; NULL: none */
    const char *arguments[TOOL_ARGUMENTS_MAX];
    struct config_given given;
    struct config config; /* tool_begin() sets it */
    bool yes;             /* --yes, where the tool has it */
    char why[TOOL_WHY_MAX];
};

/* Reads the configuration, and where store and directory are. false: printed; the exit code is 2.
 */
bool tool_begin(struct tool *tool);
bool tool_is_cluster(const struct tool *tool);
/* Whether a scan is of one moment: not if the store is that of several servers. */
bool tool_sees_one_moment(const struct tool *tool);
/* Where the store is, for questions. */
const char *tool_where(const struct tool *tool);
/* Prints why, and what to do about it when remedy is not NULL; returns exit code 1. */
int tool_fail(const struct tool *tool, const char *remedy);

struct tool_document {
    uint64_t version; /* 0 when it does not exist, though a deleted one has had more */
    bool exists;
    uint8_t value[STORE_VALUE_MAX];
    size_t bytes;
};

/* Calls back for each document that exists of those that begin with prefix, in the order of keys,
 * until it answers false. *damaged: how many were left out as their checksums do not fit. Errors
 * leave tool->why. */
enum err tool_scan(struct tool *tool, const char *prefix, lmdb_scan_each *each, void *ctx,
                   uint64_t *damaged) MUST_USE;
/* For tools on LMDB's file: says that this store is not one, and what to do; returns 1. */
int tool_refuse_cluster(struct tool *tool, const char *remedy);

/* ERR_FORMAT: its checksum does not fit. Errors leave tool->why. */
enum err tool_get(struct tool *tool, const char *key, struct tool_document *out) MUST_USE;
/* Writes one document on top of what was found. *version: what it has now. ERR_CONFLICT: it was
 * changed meanwhile; ERR_UNKNOWN. */
enum err tool_put(struct tool *tool, const char *key, const struct tool_document *found,
                  struct slice value, uint64_t *version) MUST_USE;
/* true: --yes was given, or somebody at the terminal said so. Otherwise false, and printed what to
 * do. */
bool tool_confirm(const struct tool *tool, const char *question);
/* A line into the operator's log; takes the object. ERR_IO: nothing may be changed then. */
enum err tool_log(struct tool *tool, const char *what, json_t *details) MUST_USE;

#endif
