/* What a directory does to its entries, for those who implement the port (env/directory.h) in
 * memory: ordered entries, one counter of changes, leases, and the newest changes for watches.
 * Plain logic that knows no time of its own. One thread; limits DIRECTORY_ENTRIES_MAX entries,
 * DIRECTORY_LEASES_MAX leases, DIRECTORY_HISTORY_MAX remembered changes.
 */
#ifndef SEOM_ENV_DIRECTORY_ENTRIES_H
#define SEOM_ENV_DIRECTORY_ENTRIES_H

#include "env/directory.h"

#define DIRECTORY_LEASES_MAX  1024
#define DIRECTORY_HISTORY_MAX 1024

struct directory_entries;

/* The first change has the revision after this one. */
struct directory_entries *directory_entries_alloc(uint64_t revision);
void directory_entries_free(struct directory_entries **entries);

uint64_t directory_entries_revision(const struct directory_entries *e);
/* Keys that begin with prefix, in order, up to limit; borrowed until the next change. */
uint32_t directory_entries_list(const struct directory_entries *e, struct slice prefix,
                                struct directory_entry *out, uint32_t limit);
/* OK, CONFLICT, GONE, or UNAVAILABLE when there is no room. */
enum directory_result directory_entries_change(struct directory_entries *e,
                                               const struct directory_change *change,
                                               uint64_t *revision);
/* Removes without asking, and leaves a change behind. */
void directory_entries_drop(struct directory_entries *e, struct slice key);

/* 0: no room. */
uint64_t directory_entries_grant(struct directory_entries *e, int64_t ttl_us, int64_t now_us);
/* OK or GONE. */
enum directory_result directory_entries_keep(struct directory_entries *e, uint64_t lease,
                                             int64_t now_us);
/* Removes the lease with its entries; OK or GONE. */
enum directory_result directory_entries_revoke(struct directory_entries *e, uint64_t lease);
/* Loses the lease, and leaves its entries behind for ever. */
void directory_entries_orphan(struct directory_entries *e, uint64_t lease);
/* Revokes what ran out. Returns when the next lease will, INT64_MAX: none. */
int64_t directory_entries_expire(struct directory_entries *e, int64_t now_us);
/* The n-th living lease; 0: there are not so many. */
uint64_t directory_entries_lease(const struct directory_entries *e, uint32_t n);

/* The next remembered change from that revision on, under prefix; false: none so far. Borrowed
 * until the next change. */
bool directory_entries_since(const struct directory_entries *e, struct slice prefix, uint64_t from,
                             struct directory_entry *out);
/* The oldest revision from which on all changes are remembered. */
uint64_t directory_entries_oldest(const struct directory_entries *e);
/* Forgets all changes up to now. */
void directory_entries_compact(struct directory_entries *e);

#endif
