/* The calls of the directory port (env/directory.h) as values, for those who implement it in memory
 * and answer later: what was asked, copied. Whoever implements it begins with a struct
 * directory_calls, whose begin() takes each call; so the port's ctx is both. One thread; no limit
 * of its own.
 */
#ifndef SEOM_ENV_DIRECTORY_CALLS_H
#define SEOM_ENV_DIRECTORY_CALLS_H

#include "env/directory.h"
#include "env/directory_entries.h"

enum directory_call_kind {
    DIRECTORY_LIST,
    DIRECTORY_CHANGE,
    DIRECTORY_GRANT,
    DIRECTORY_KEEP,
    DIRECTORY_REVOKE
};

struct directory_call {
    enum directory_call_kind kind;
    uint32_t ttl_s;
    uint64_t token, lease;
    struct directory_change change; /* of a list: the prefix is its key */
    uint8_t *bytes;                 /* owned, once kept: change points into them */
};

struct directory_calls {
    /* The call is borrowed; whoever takes it keeps it. ERR_FULL: too many under way. */
    enum err (*begin)(struct directory_calls *calls, const struct directory_call *call);
};

/* The port but for its watch; ERR_TOO_LARGE is refused before begin() hears of it. */
struct env_directory directory_calls_port(struct directory_calls *calls);
/* A call whose texts are its own, and the end of one. */
struct directory_call directory_call_keep(const struct directory_call *call);
void directory_call_free(struct directory_call *call);
/* Does what the call asks for, a list apart, which has more than one answer. *number: the revision
 * of a change, or the lease of a grant. */
enum directory_result directory_call_try(const struct directory_call *call,
                                         struct directory_entries *entries, int64_t now_us,
                                         uint64_t *number);

#endif
