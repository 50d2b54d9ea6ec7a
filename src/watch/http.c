#include "watch/http.h"

#include "base/check.h"
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTP_BACKLOG    64
#define HTTP_POLICY_MAX 384

struct http {
    struct MHD_Daemon *daemon; /* owned */
    const struct http_file *files;
    uint32_t file_count;
    struct http_source source;
    uint16_t port;
    atomic_uint_fast64_t requests;
    char policy[HTTP_POLICY_MAX]; /* Content-Security-Policy */
};

struct listen_address {
    struct sockaddr_storage at;
    socklen_t bytes;
};

/* ---- answers ---- */

/* A header's value is ours and short, so that adding it fails only when memory is out; the answer
 * goes out without it then. */
static void
header_add(struct MHD_Response *response, const char *name, const char *value)
{
    (void)MHD_add_response_header(response, name, value);
}

static void
headers_common(const struct http *http, struct MHD_Response *response, const char *mime)
{
    header_add(response, MHD_HTTP_HEADER_CONTENT_TYPE, mime);
    header_add(response, "Content-Security-Policy", http->policy);
    header_add(response, "X-Content-Type-Options", "nosniff");
    header_add(response, "Referrer-Policy", "no-referrer");
    header_add(response, "Cross-Origin-Opener-Policy", "same-origin");
    header_add(response, "Cross-Origin-Resource-Policy", "same-origin");
}

static enum MHD_Result
answer_send(struct http *http, struct MHD_Connection *connection, unsigned int status,
            struct MHD_Response *response)
{
    CHECK(response != NULL);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    atomic_fetch_add_explicit(&http->requests, 1, memory_order_relaxed);
    return result;
}

/* libmicrohttpd takes a plain pointer, but what is PERSISTENT it only reads. */
static struct MHD_Response *
response_over(const void *bytes, size_t size)
{
    return MHD_create_response_from_buffer(size, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
}

/* text is static. */
static enum MHD_Result
answer_text(struct http *http, struct MHD_Connection *connection, unsigned int status,
            const char *text)
{
    struct MHD_Response *response = response_over(text, strlen(text));
    if (response == NULL) {
        return MHD_NO;
    }
    headers_common(http, response, "text/plain; charset=utf-8");
    header_add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        header_add(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    return answer_send(http, connection, status, response);
}

static enum MHD_Result
answer_file(struct http *http, struct MHD_Connection *connection, const struct http_file *file)
{
    const char *known =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
    bool unchanged = known != NULL && strstr(known, file->etag) != NULL;
    struct MHD_Response *response = response_over(file->bytes, unchanged ? 0 : file->size);
    if (response == NULL) {
        return MHD_NO;
    }
    headers_common(http, response, file->mime);
    header_add(response, MHD_HTTP_HEADER_ETAG, file->etag);
    header_add(response, MHD_HTTP_HEADER_CACHE_CONTROL,
               file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    return answer_send(http, connection, unchanged ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
}

static enum MHD_Result
answer_source(struct http *http, struct MHD_Connection *connection, const char *path)
{
    struct http_body body = {0};
    int status = http->source.get == NULL ? MHD_HTTP_NOT_FOUND
                                          : http->source.get(http->source.ctx, path, &body);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        return answer_text(http, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not now\n");
    }
    if (status != MHD_HTTP_OK) {
        return answer_text(http, connection, MHD_HTTP_NOT_FOUND, "there is nothing here\n");
    }
    CHECK(body.bytes != NULL || body.size == 0);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.size, body.bytes, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(body.bytes);
        return MHD_NO;
    }
    headers_common(http, response, body.mime != NULL ? body.mime : "application/json");
    char cache[32] = "no-store";
    if (body.max_age_s > 0) {
        (void)snprintf(cache, sizeof cache, "max-age=%u", (unsigned)body.max_age_s);
    }
    header_add(response, MHD_HTTP_HEADER_CACHE_CONTROL, cache);
    return answer_send(http, connection, MHD_HTTP_OK, response);
}

static const struct http_file *
file_find(const struct http *http, const char *path)
{
    for (uint32_t i = 0; i < http->file_count; i++) {
        if (strcmp(http->files[i].path, path) == 0) {
            return &http->files[i];
        }
    }
    return NULL;
}

/* Called once when the head is there and again when a body (which nobody should send) has been
 * read. */
static enum MHD_Result
on_request(void *ctx, struct MHD_Connection *connection, const char *path, const char *method,
           const char *version, const char *upload, size_t *upload_bytes, void **seen)
{
    (void)version;
    (void)upload;
    struct http *http = ctx;
    CHECK(http != NULL && http->policy[0] != '\0');
    if (*seen == NULL) {
        *seen = http;
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        *upload_bytes = 0; /* thrown away */
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return answer_text(http, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    if (path[0] != '/' || strlen(path) > HTTP_PATH_MAX) {
        return answer_text(http, connection, MHD_HTTP_NOT_FOUND, "there is nothing here\n");
    }
    const struct http_file *file = file_find(http, path);
    return file != NULL ? answer_file(http, connection, file)
                        : answer_source(http, connection, path);
}

/* ---- life ---- */

static enum err
address_parse(const char *text, uint16_t port, struct listen_address *out)
{
    *out = (struct listen_address){0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->at;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->at;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        out->bytes = sizeof *v4;
        return OK;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        out->bytes = sizeof *v6;
        return OK;
    }
    return ERR_FORMAT;
}

static enum err
listen_error(int number)
{
    switch (number) {
    case EADDRINUSE: return ERR_EXISTS;
    case EACCES:
    case EPERM: return ERR_DENIED;
    case EADDRNOTAVAIL: return ERR_UNAVAILABLE;
    default: return ERR_IO;
    }
}

/* The socket is made here and not by libmicrohttpd, because only so the reason of a failure is
 * known. */
static enum err
listen_open(const struct listen_address *address, int *out)
{
    int fd = socket(address->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return ERR_IO;
    }
    int one = 1;
    /* A restart right after a stop must get the same port. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (const struct sockaddr *)&address->at, address->bytes) != 0 ||
        listen(fd, HTTP_BACKLOG) != 0) {
        enum err error = listen_error(errno);
        (void)close(fd);
        return error;
    }
    *out = fd;
    return OK;
}

static uint16_t
listen_port(int fd)
{
    struct listen_address bound = {.bytes = sizeof bound.at};
    if (getsockname(fd, (struct sockaddr *)&bound.at, &bound.bytes) != 0) {
        return 0;
    }
    return ntohs(bound.at.ss_family == AF_INET ? ((struct sockaddr_in *)&bound.at)->sin_port
                                               : ((struct sockaddr_in6 *)&bound.at)->sin6_port);
}

static void
policy_write(struct http *http, uint16_t play_port)
{
    /* The page is opened by whatever name the machine has, so the policy can name the play port but
     * not the host. */
    char port[8] = "*";
    if (play_port != 0)
        (void)snprintf(port, sizeof port, "%u", (unsigned)play_port);
    int n =
        snprintf(http->policy, sizeof http->policy,
                 "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                 "connect-src 'self' ws://*:%s wss://*:%s; base-uri 'none'; form-action 'none'; "
                 "frame-ancestors 'none'",
                 port, port);
    CHECK(n > 0 && n < (int)sizeof http->policy);
}

static const char *
open_reason(enum err error)
{
    return error == ERR_EXISTS        ? "another program listens on this port already"
           : error == ERR_DENIED      ? "not allowed to listen on this port"
           : error == ERR_UNAVAILABLE ? "this machine does not have that address"
           : error == ERR_FORMAT      ? "not a numeric IPv4 or IPv6 address"
                                      : "listening failed";
}

/* Its thread inherits that all signals are blocked: they are for whoever looks at them, never for
 * a thread inside a library. */
static void
daemon_start(struct http *http, int fd)
{
    sigset_t all, before;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_BLOCK, &all, &before) == 0);
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, on_request, http,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_MEMORY_PER_CONNECTION, MHD_OPTION_END);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

static enum err
http_start(struct http *http, const struct http_options *options)
{
    struct listen_address address;
    enum err error = address_parse(options->address, options->port, &address);
    if (error != OK) {
        return error;
    }
    int fd = -1;
    error = listen_open(&address, &fd);
    if (error != OK) {
        return error;
    }
    http->port = listen_port(fd);
    daemon_start(http, fd);
    if (http->daemon == NULL) {
        (void)close(fd);
        return ERR_IO;
    }
    return OK;
}

enum err
http_open(const struct http_options *options, struct http **out, char *why, size_t why_bytes)
{
    CHECK(options->address != NULL && why_bytes > 0);
    CHECK(options->files != NULL || options->file_count == 0);
    *out = NULL;
    why[0] = '\0';
    struct http *http = calloc(1, sizeof *http);
    CHECK(http != NULL);
    http->files = options->files;
    http->file_count = options->file_count;
    http->source = options->source;
    policy_write(http, options->play_port);
    enum err error = http_start(http, options);
    if (error != OK) {
        (void)snprintf(why, why_bytes, "http %s:%u: %s", options->address, (unsigned)options->port,
                       open_reason(error));
        free(http);
        return error;
    }
    *out = http;
    return OK;
}

void
http_close(struct http **http)
{
    if (*http == NULL) {
        return;
    }
    CHECK((*http)->daemon != NULL);
    MHD_stop_daemon((*http)->daemon); /* closes the listening socket too */
    free(*http);
    *http = NULL;
}

uint16_t
http_port(const struct http *http)
{
    return http->port;
}

uint64_t
http_requests(const struct http *http)
{
    return atomic_load_explicit(&http->requests, memory_order_relaxed);
}
