/* The inside of the directory: what its parts know and ask of each other. Included by
 * directory*.c only.
 *
 *   directory.c       the calls of the port, when they are made, what is called from outside
 *   directory_own.c   the own entry: what is known of it, and the next step
 *   directory_read.c  lists and hints: the book and the table
 */
#ifndef SEOM_FABRIC_DIRECTORY_INSIDE_H
#define SEOM_FABRIC_DIRECTORY_INSIDE_H

#include "fabric/directory.h"
#include "fabric/directory_keys.h"
#include "fabric/directory_node.h"

/* The next step for the own entry. */
enum own_step {
    OWN_NOTHING,
    OWN_LOOK,   /* what stands there is not known: list */
    OWN_GRANT,  /* a lease */
    OWN_KEEP,   /* the lease */
    OWN_REMOVE, /* what a former process left */
    OWN_PUT,
    OWN_REVOKE, /* the lease, with the entry: leaving, or refused */
};

struct own {
    struct node node; /* to publish; epoch: ours, 0 = none */
    uint64_t installation, life;
    struct directory_key key;
    bool wanted, leaving;
    uint64_t lease; /* 0: none */
    int64_t keep_us;
    uint64_t floor; /* before this life's first put nobody had a higher epoch */
    bool has_floor;
    uint64_t claim; /* revision at which this life's entry was first made; 0: not yet */
    /* What stands in the directory, as far as is known. */
    bool known, there, readable;
    bool vanished; /* it was there, and the owner has not been told yet */
    struct directory_node standing;
    uint64_t created, revision, standing_lease;
    /* The call under way, and what it puts. */
    enum own_step step;
    uint64_t token;
    struct directory_node sent;
};

struct table {
    uint64_t revision; /* 0: there is none */
    uint8_t *bytes;    /* owned */
    size_t count;
};

struct directory {
    struct env env;
    struct env_directory port; /* ctx NULL: not started */
    struct directory_events events;
    uint32_t world, ttl_s, relist_ms;
    enum directory_mutant mutant;
    struct own own;
    struct book book, next; /* next: while a list is read */
    struct table tables[DIRECTORY_TABLES];
    uint64_t tokens;     /* given out */
    uint64_t newest;     /* revision of the latest thing heard of */
    uint64_t listed;     /* of the last list; hints of what it told already are void */
    uint64_t list_token; /* 0: none under way */
    uint64_t list_floor; /* newest, when it was asked */
    int64_t list_us, retry_us, watch_us;
    uint32_t failures; /* in a row */
    bool watching, is_known;
    enum directory_table put_table;
    uint64_t put_token; /* 0: none under way */
    struct directory_stats stats;
};

/* directory.c */
int64_t directory_now_us(const struct directory *d);
void directory_list_now(struct directory *d);
void directory_heard(struct directory *d, uint64_t revision);

/* directory_own.c */
enum own_step own_next(const struct directory *d, int64_t now_us);
/* Does the step by a call of the port; not OWN_NOTHING, OWN_LOOK. */
enum err own_do(struct directory *d, enum own_step step);
/* The answer to it. */
void own_answered(struct directory *d, enum directory_result result, uint64_t number);
/* A list tells what stands under the own key; NULL: nothing. */
void own_note(struct directory *d, const struct directory_entry *entry);
/* What follows from it: adopted, lost, refused. */
void own_judge(struct directory *d);
void own_rejoin(struct directory *d);
/* The entry under the own key is another process' who lives. */
bool own_is_stranger(const struct directory *d);

/* directory_read.c */
void read_list(struct directory *d, uint64_t revision, const struct directory_entry *entries,
               uint32_t count);
void read_hint(struct directory *d, const struct directory_entry *entry);
/* The own node in the book, or out of it, as it stands now; tells of a change. */
void read_self(struct directory *d);
const char *read_table_name(enum directory_table table);

#endif
