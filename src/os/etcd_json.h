/* What is said to etcd and what it answers, in the JSON of its /v3 gateway (etcd 3.4). Numbers of
 * 64 bits are strings there, keys and values base64. Answers come from outside: whatever stands in
 * them, it is a result. No state, any thread.
 */
#ifndef SEOM_OS_ETCD_JSON_H
#define SEOM_OS_ETCD_JSON_H

#include "env/directory.h"

/* Bodies of requests; the caller frees them. */
char *etcd_list_request(struct slice prefix);
char *etcd_change_request(const struct directory_change *change);
char *etcd_grant_request(uint32_t ttl_s);
char *etcd_lease_request(uint64_t lease); /* of keep and revoke */
char *etcd_watch_request(struct slice prefix, uint64_t from);

struct etcd_entries {
    struct directory_entry *entries; /* owned, with bytes */
    uint8_t *bytes;
    uint32_t count, left_out; /* left_out: beyond the limits of the port */
    uint64_t revision;
};

void etcd_entries_free(struct etcd_entries *entries);

/* Answers. Without etcd's own word that nothing happened, a change is DIRECTORY_UNKNOWN. */
enum directory_result etcd_list_read(struct slice text, struct etcd_entries *out);
enum directory_result etcd_change_read(struct slice text, uint64_t *revision);
enum directory_result etcd_grant_read(struct slice text, uint64_t *lease);
enum directory_result etcd_keep_read(struct slice text);
enum directory_result etcd_revoke_read(struct slice text);

enum etcd_watch { ETCD_WATCH_NEWS, ETCD_WATCH_NOTHING, ETCD_WATCH_COMPACTED, ETCD_WATCH_CLOSED };

/* One line of the stream. NEWS: out holds what changed. */
enum etcd_watch etcd_watch_read(struct slice line, struct etcd_entries *out);

#endif
