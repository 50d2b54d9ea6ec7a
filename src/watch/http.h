/* The HTTP side: the embedded page and what is asked about the running world (/islands.json,
 * /status, /config.json, /metrics). Only GET and HEAD, nothing can be changed from here. Owned by
 * app/, which opens it after everything the source needs and closes it first.
 *
 * Thread: one of its own, inside libmicrohttpd, blocked in epoll while nobody asks. http_source.get
 * runs on that thread, so whatever it reads must be safe to read from there. It takes no signals.
 *
 * Limits: HTTP_CONNECTIONS_MAX connections, HTTP_MEMORY_PER_CONNECTION bytes for a request's head,
 * HTTP_TIMEOUT_S of silence.
 */
#ifndef SEOM_WATCH_HTTP_H
#define SEOM_WATCH_HTTP_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_CONNECTIONS_MAX       64
#define HTTP_MEMORY_PER_CONNECTION 16384
#define HTTP_TIMEOUT_S             15
#define HTTP_PATH_MAX              128

struct http;

/* A file of the page; a row of a static table (web/page.h). */
struct http_file {
    const char *path; /* "/", "/page-1a2b3c4d.js" */
    const char *mime;
    const uint8_t *bytes;
    size_t size;
    const char *etag; /* quoted, e.g. "\"1a2b3c4d\"" */
    bool immutable;   /* its name holds its hash: may be kept for a year */
};

/* An answer made on request. */
struct http_body {
    char *bytes; /* from malloc(); http frees it */
    size_t size;
    const char *mime;   /* static; NULL = application/json */
    uint32_t max_age_s; /* 0 = always ask again */
};

struct http_source {
    void *ctx;
    /* Fills out and returns 200, or returns 404 or 503 and leaves out alone. path starts with '/',
     * without a query. */
    int (*get)(void *ctx, const char *path, struct http_body *out);
};

struct http_options {
    const char *address; /* numeric IPv4 or IPv6; borrowed during open */
    uint16_t port;       /* 0 = any free one, see http_port() */
    uint16_t play_port;  /* the page may open WebSockets to this port of any host; 0 = to any */
    const struct http_file *files; /* borrowed until close */
    uint32_t file_count;
    struct http_source source;
};

/* ERR_EXISTS: the port is taken; ERR_DENIED: not allowed to listen there; ERR_FORMAT: not a numeric
 * address; ERR_UNAVAILABLE: this machine does not have that address; ERR_IO: anything else. why
 * gets a sentence for people. */
enum err http_open(const struct http_options *options, struct http **out, char *why,
                   size_t why_bytes) MUST_USE;
void http_close(struct http **http); /* waits for the thread; NULL is fine */
uint16_t http_port(const struct http *http);
uint64_t http_requests(const struct http *http); /* ever answered; any thread */

#endif
