/* The directory port (env/directory.h) over etcd 3.4 or newer, by its /v3 JSON gateway: libcurl's
 * multi interface on the loop of the owner's thread, so nothing blocks. Each call is one request
 * with a deadline; the watch is one answer without an end. When a server cannot be reached the next
 * of the list is asked from then on.
 *
 * Owned by the thread of its loop. Limits: ETCD_SERVERS_MAX servers, ETCD_CALLS_MAX calls under
 * way, ETCD_ANSWER_MAX bytes of an answer.
 */
#ifndef SEOM_OS_ETCD_DIRECTORY_H
#define SEOM_OS_ETCD_DIRECTORY_H

#include "env/directory.h"
#include "env/env.h"
#include "os/loop.h"

#define ETCD_SERVERS_MAX 8
#define ETCD_SERVER_MAX  128 /* bytes of "http://host:port" with the 0 */
#define ETCD_CALLS_MAX   16
#define ETCD_ANSWER_MAX  (4U << 20)

struct etcd_directory;

struct etcd_stats {
    uint64_t calls, failed; /* failed: no answer that could be used */
    uint64_t servers_changed;
    uint64_t left_out; /* entries beyond the limits of the port */
};

struct etcd_directory_options {
    struct loop *loop; /* borrowed */
    /* http://host:port, or several with commas between them. They need not be there yet. */
    const char *urls;
    void *log_ctx;
    void (*log)(void *ctx, enum log_level level, const char *event, const char *text); /* or NULL */
};

/* ERR_FORMAT: no such URL, or too many. Answers and hints come from the loop's call-backs. */
enum err etcd_directory_open(const struct etcd_directory_options *options,
                             struct directory_done done, struct etcd_directory **out, char *why,
                             size_t why_bytes) MUST_USE;
/* Whether these are such URLs. OK, ERR_FORMAT. */
enum err etcd_directory_check(const char *urls, char *why, size_t why_bytes) MUST_USE;
void etcd_directory_close(struct etcd_directory **directory);
struct env_directory etcd_directory_port(struct etcd_directory *directory);
struct etcd_stats etcd_directory_stats(const struct etcd_directory *directory);

#endif
