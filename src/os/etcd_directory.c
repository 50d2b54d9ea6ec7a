#include "os/etcd_directory.h"
#include "base/check.h"
#include "os/etcd_json.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SOCKETS_MAX      (2 * ETCD_CALLS_MAX + 2)
#define CONNECT_MS       2000L
#define ANSWER_MS        (DIRECTORY_CALL_MS - 500L)
#define KEEPALIVE_S      5L
#define PATH_MAX_BYTES   32
#define ANSWER_BYTES_MIN 4096
#define HTTP_OK          200

enum call_kind {
    CALL_FREE,
    CALL_LIST,
    CALL_CHANGE,
    CALL_GRANT,
    CALL_KEEP,
    CALL_REVOKE,
    CALL_WATCH,
    CALL_KINDS
};

static const char *const paths[CALL_KINDS] = {
    [CALL_LIST] = "/v3/kv/range",       [CALL_CHANGE] = "/v3/kv/txn",
    [CALL_GRANT] = "/v3/lease/grant",   [CALL_KEEP] = "/v3/lease/keepalive",
    [CALL_REVOKE] = "/v3/lease/revoke", [CALL_WATCH] = "/v3/watch"};

struct call {
    enum call_kind kind;
    uint64_t token;
    CURL *easy;   /* owned */
    char *body;   /* owned; of the request */
    char *answer; /* owned */
    size_t bytes, room;
    uint32_t server;
    bool too_large;
};

struct socket {
    int fd; /* -1: free */
    struct loop_watch watch;
    struct etcd_directory *directory;
};

struct etcd_directory {
    struct loop *loop; /* borrowed */
    struct directory_done done;
    void *log_ctx;
    void (*log)(void *ctx, enum log_level level, const char *event, const char *text);
    CURLM *multi; /* owned */
    struct curl_slist *headers, *watch_headers;
    char servers[ETCD_SERVERS_MAX][ETCD_SERVER_MAX];
    uint32_t servers_count, server;
    struct call calls[ETCD_CALLS_MAX];
    struct call watch;
    struct socket sockets[SOCKETS_MAX];
    int timer_fd; /* when libcurl wants to be called */
    struct loop_watch timer;
    struct etcd_stats stats;
};

/* ---- libcurl and the loop ---- */

static void deliver(struct etcd_directory *d);

static void
on_ready(void *ctx, uint32_t events)
{
    struct socket *s = ctx;
    int running, mask = 0;
    mask |= (events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0;
    mask |= (events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
    mask |= (events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0;
    struct etcd_directory *d = s->directory;
    (void)curl_multi_socket_action(d->multi, s->fd, mask, &running);
    deliver(d);
}

static void
on_time(void *ctx, uint32_t events)
{
    struct etcd_directory *d = ctx;
    uint64_t times;
    int running;
    (void)events;
    if (read(d->timer_fd, &times, sizeof times) != (ssize_t)sizeof times)
        return; /* set anew since */
    (void)curl_multi_socket_action(d->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    deliver(d);
}

static struct socket *
socket_free(struct etcd_directory *d)
{
    for (uint32_t i = 0; i < SOCKETS_MAX; i++)
        if (d->sockets[i].fd < 0)
            return &d->sockets[i];
    return NULL;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    struct etcd_directory *d = ctx;
    struct socket *s = known;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s != NULL) {
            loop_remove(d->loop, fd, &s->watch);
            s->fd = -1;
        }
        return 0;
    }
    uint32_t events = (what & CURL_POLL_IN) != 0 ? EPOLLIN : 0;
    events |= (what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0;
    if (s != NULL) {
        loop_change(d->loop, fd, events, &s->watch);
        return 0;
    }
    s = socket_free(d);
    if (s == NULL)
        return -1;
    *s = (struct socket){.fd = fd, .watch = {.ready = on_ready, .ctx = s}, .directory = d};
    if (loop_add(d->loop, fd, events, &s->watch) != OK) {
        s->fd = -1;
        return -1;
    }
    (void)curl_multi_assign(d->multi, fd, s);
    return 0;
}

static int
on_timer(CURLM *multi, long ms, void *ctx)
{
    struct etcd_directory *d = ctx;
    (void)multi;
    struct itimerspec due = {0}; /* of zeroes: never */
    if (ms >= 0) {
        due.it_value.tv_sec = ms / 1000;
        due.it_value.tv_nsec = ms % 1000 * 1000000 + (ms == 0);
    }
    CHECK(timerfd_settime(d->timer_fd, 0, &due, NULL) == 0);
    return 0;
}

/* Takes the bytes of an answer; libcurl ends the call when not all are taken. */
static size_t
on_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
    struct call *call = ctx;
    CHECK(size == 1);
    if (count > ETCD_ANSWER_MAX - call->bytes) {
        call->too_large = true;
        return 0;
    }
    if (call->bytes + count > call->room) {
        while (call->bytes + count > call->room)
            call->room = call->room == 0 ? ANSWER_BYTES_MIN : call->room * 2;
        call->answer = realloc(call->answer, call->room);
        CHECK(call->answer != NULL);
    }
    memcpy(call->answer + call->bytes, bytes, count);
    call->bytes += count;
    return count;
}

/* ---- the life of a call ---- */

static void
call_end(struct etcd_directory *d, struct call *call)
{
    if (call->kind == CALL_FREE)
        return;
    (void)curl_multi_remove_handle(d->multi, call->easy);
    curl_easy_cleanup(call->easy);
    free(call->body);
    free(call->answer);
    *call = (struct call){.kind = CALL_FREE};
}

static void
call_configure(struct etcd_directory *d, struct call *call)
{
    char url[ETCD_SERVER_MAX + PATH_MAX_BYTES];
    bool watch = call->kind == CALL_WATCH;
    snprintf(url, sizeof url, "%s%s", d->servers[d->server], paths[call->kind]);
    CURL *easy = call->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, url);
    CHECK(code == CURLE_OK);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, watch ? d->watch_headers : d->headers);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    /* A watch may be silent for ever; that its other end is gone, only probes tell. */
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
    if (!watch)
        (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ANSWER_MS);
    /* On a connection that was used before libcurl would send once more what broke off; a change
     * that comes twice could answer CONFLICT to its own first coming. */
    if (watch || call->kind == CALL_CHANGE)
        (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
}

/* Takes body. */
static enum err
call_begin(struct etcd_directory *d, struct call *call, enum call_kind kind, uint64_t token,
           char *body)
{
    CHECK(call->kind == CALL_FREE);
    *call = (struct call){.kind = kind, .token = token, .body = body, .server = d->server};
    call->easy = curl_easy_init();
    CHECK(call->easy != NULL);
    call_configure(d, call);
    d->stats.calls++;
    if (curl_multi_add_handle(d->multi, call->easy) == CURLM_OK)
        return OK;
    call_end(d, call);
    return ERR_FULL;
}

static struct call *
call_free(struct etcd_directory *d)
{
    for (uint32_t i = 0; i < ETCD_CALLS_MAX; i++)
        if (d->calls[i].kind == CALL_FREE)
            return &d->calls[i];
    return NULL;
}

/* It did not answer as etcd does. Only a connection that never was says that nothing happened. */
static enum directory_result
call_failed(struct etcd_directory *d, const struct call *call, CURLcode code)
{
    d->stats.failed++;
    if (d->servers_count > 1 && call->server == d->server) {
        d->server = (d->server + 1) % d->servers_count;
        d->stats.servers_changed++;
        if (d->log != NULL)
            d->log(d->log_ctx, LOG_WARN, "directory.server", d->servers[d->server]);
    }
    bool never = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
    return never || call->kind == CALL_LIST ? DIRECTORY_UNAVAILABLE : DIRECTORY_UNKNOWN;
}

/* A call-back may begin another call in this slot: it is free by then. */
static void
list_tell(struct etcd_directory *d, struct call *call, bool answered, CURLcode code)
{
    uint64_t token = call->token;
    struct etcd_entries found = {0};
    struct slice text = {(const uint8_t *)call->answer, call->bytes};
    enum directory_result result = DIRECTORY_UNAVAILABLE;
    if (answered)
        result = etcd_list_read(text, &found);
    if (result != DIRECTORY_OK)
        result = call_failed(d, call, code);
    d->stats.left_out += found.left_out;
    call_end(d, call);
    d->done.listed(d->done.ctx, token, result, found.revision, found.entries, found.count);
    etcd_entries_free(&found);
}

/* Also of an HTTP error the text may say that nothing happened. */
static enum directory_result
call_read(const struct call *call, uint64_t *number)
{
    struct slice text = {(const uint8_t *)call->answer, call->bytes};
    switch (call->kind) {
    case CALL_CHANGE: return etcd_change_read(text, number);
    case CALL_GRANT: return etcd_grant_read(text, number);
    case CALL_KEEP: return etcd_keep_read(text);
    case CALL_REVOKE: return etcd_revoke_read(text);
    case CALL_FREE:
    case CALL_LIST:
    case CALL_WATCH:
    case CALL_KINDS: break;
    }
    CHECK(!"a call with one result");
    return DIRECTORY_UNKNOWN;
}

static void
call_tell(struct etcd_directory *d, struct call *call, CURLcode code)
{
    uint64_t token = call->token, number = 0;
    enum call_kind kind = call->kind;
    enum directory_result result = DIRECTORY_UNKNOWN;
    if (code == CURLE_OK)
        result = call_read(call, &number);
    if (result == DIRECTORY_UNKNOWN)
        result = call_failed(d, call, code);
    call_end(d, call);
    if (kind == CALL_CHANGE)
        d->done.changed(d->done.ctx, token, result, number);
    else if (kind == CALL_GRANT)
        d->done.granted(d->done.ctx, token, result, number);
    else
        d->done.kept(d->done.ctx, token, result);
}

/* ---- the watch ---- */

static void
watch_end(struct etcd_directory *d, enum directory_end why)
{
    call_end(d, &d->watch);
    d->done.watch_ended(d->done.ctx, why);
}

/* One line; false: the watch is over, or another one. */
static bool
watch_line(struct etcd_directory *d, struct slice line)
{
    struct etcd_entries news;
    uint64_t token = d->watch.token;
    switch (etcd_watch_read(line, &news)) {
    case ETCD_WATCH_NOTHING: return true;
    case ETCD_WATCH_COMPACTED: watch_end(d, DIRECTORY_END_COMPACTED); return false;
    case ETCD_WATCH_CLOSED: watch_end(d, DIRECTORY_END_CLOSED); return false;
    case ETCD_WATCH_NEWS:
        d->stats.left_out += news.left_out;
        d->done.seen(d->done.ctx, news.revision, news.entries, news.count);
        etcd_entries_free(&news);
        break;
    }
    return d->watch.kind == CALL_WATCH && d->watch.token == token;
}

/* Tells of all whole lines that have come. */
static void
watch_tell(struct etcd_directory *d)
{
    const struct call *call = &d->watch;
    const char *end;
    size_t used = 0;
    while (call->bytes > used &&
           (end = memchr(call->answer + used, '\n', call->bytes - used)) != NULL) {
        struct slice line = {(const uint8_t *)call->answer + used,
                             (size_t)(end - call->answer) - used};
        used += line.bytes + 1;
        if (line.bytes > 0 && !watch_line(d, line))
            return;
    }
    d->watch.bytes -= used;
    if (used > 0)
        memmove(d->watch.answer, d->watch.answer + used, d->watch.bytes);
}

/* ---- the port ---- */

static enum err
port_call(struct etcd_directory *d, enum call_kind kind, uint64_t token, char *body)
{
    struct call *call = call_free(d);
    if (call == NULL) {
        free(body);
        return ERR_FULL;
    }
    return call_begin(d, call, kind, token, body);
}

static enum err
port_list(void *ctx, uint64_t token, struct slice prefix)
{
    return port_call(ctx, CALL_LIST, token, etcd_list_request(prefix));
}

static enum err
port_change(void *ctx, uint64_t token, const struct directory_change *change)
{
    if (change->key.bytes == 0 || change->key.bytes > DIRECTORY_KEY_MAX ||
        change->value.bytes > DIRECTORY_VALUE_MAX)
        return ERR_TOO_LARGE;
    return port_call(ctx, CALL_CHANGE, token, etcd_change_request(change));
}

static enum err
port_grant(void *ctx, uint64_t token, uint32_t ttl_s)
{
    return port_call(ctx, CALL_GRANT, token, etcd_grant_request(ttl_s));
}

static enum err
port_keep(void *ctx, uint64_t token, uint64_t lease)
{
    return port_call(ctx, CALL_KEEP, token, etcd_lease_request(lease));
}

static enum err
port_revoke(void *ctx, uint64_t token, uint64_t lease)
{
    return port_call(ctx, CALL_REVOKE, token, etcd_lease_request(lease));
}

static void
port_unwatch(void *ctx)
{
    struct etcd_directory *d = ctx;
    call_end(d, &d->watch);
}

static enum err
port_watch(void *ctx, struct slice prefix, uint64_t from)
{
    struct etcd_directory *d = ctx;
    call_end(d, &d->watch);
    return call_begin(d, &d->watch, CALL_WATCH, d->stats.calls, etcd_watch_request(prefix, from));
}

struct env_directory
etcd_directory_port(struct etcd_directory *d)
{
    return (struct env_directory){.ctx = d,
                                  .list = port_list,
                                  .change = port_change,
                                  .grant = port_grant,
                                  .keep = port_keep,
                                  .revoke = port_revoke,
                                  .watch = port_watch,
                                  .unwatch = port_unwatch};
}

/* ---- life ---- */

static bool
servers_read(struct etcd_directory *d, const char *text)
{
    while (*text != '\0' && d->servers_count < ETCD_SERVERS_MAX) {
        size_t bytes = strcspn(text, ",");
        bool url = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
        size_t kept = bytes > 0 && text[bytes - 1] == '/' ? bytes - 1 : bytes;
        if (!url || kept >= ETCD_SERVER_MAX || memchr(text, ' ', bytes) != NULL)
            return false;
        memcpy(d->servers[d->servers_count++], text, kept);
        text += bytes;
        if (*text == ',' && *++text == '\0')
            return false;
    }
    return d->servers_count > 0 && *text == '\0';
}

static enum err
servers_take(struct etcd_directory *d, const char *urls, char *why, size_t why_bytes)
{
    if (servers_read(d, urls))
        return OK;
    snprintf(why, why_bytes,
             "the directory's address \"%s\" is no list of up to %d URLs like "
             "http://127.0.0.1:2379",
             urls, ETCD_SERVERS_MAX);
    return ERR_FORMAT;
}

enum err
etcd_directory_check(const char *urls, char *why, size_t why_bytes)
{
    struct etcd_directory *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    enum err error = servers_take(d, urls, why, why_bytes);
    free(d);
    return error;
}

static void
multi_open(struct etcd_directory *d)
{
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    d->headers = curl_slist_append(NULL, "Content-Type: application/json");
    d->watch_headers = curl_slist_append(NULL, "Content-Type: application/json");
    /* A server that has lost its leader ends the watch instead of keeping it for ever. */
    CHECK(curl_slist_append(d->watch_headers, "Grpc-Metadata-hasleader: true") != NULL);
    d->multi = curl_multi_init();
    CHECK(d->headers != NULL && d->multi != NULL);
    (void)curl_multi_setopt(d->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(d->multi, CURLMOPT_SOCKETDATA, d);
    (void)curl_multi_setopt(d->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(d->multi, CURLMOPT_TIMERDATA, d);
    (void)curl_multi_setopt(d->multi, CURLMOPT_MAXCONNECTS, 4L);
}

enum err
etcd_directory_open(const struct etcd_directory_options *options, struct directory_done done,
                    struct etcd_directory **out, char *why, size_t why_bytes)
{
    struct etcd_directory *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    d->loop = options->loop;
    d->done = done;
    d->log_ctx = options->log_ctx;
    d->log = options->log;
    for (uint32_t i = 0; i < SOCKETS_MAX; i++)
        d->sockets[i].fd = -1;
    enum err error = servers_take(d, options->urls, why, why_bytes);
    if (error != OK) {
        free(d);
        return error;
    }
    d->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    d->timer = (struct loop_watch){.ready = on_time, .ctx = d};
    if (d->timer_fd < 0 || loop_add(d->loop, d->timer_fd, EPOLLIN, &d->timer) != OK) {
        snprintf(why, why_bytes, "no descriptor left for the directory");
        if (d->timer_fd >= 0)
            close(d->timer_fd);
        free(d);
        return ERR_FULL;
    }
    multi_open(d);
    *out = d;
    return OK;
}

void
etcd_directory_close(struct etcd_directory **directory)
{
    struct etcd_directory *d = *directory;
    if (d == NULL)
        return;
    for (uint32_t i = 0; i < ETCD_CALLS_MAX; i++)
        call_end(d, &d->calls[i]);
    call_end(d, &d->watch);
    (void)curl_multi_cleanup(d->multi);
    curl_slist_free_all(d->headers);
    curl_slist_free_all(d->watch_headers);
    curl_global_cleanup();
    loop_remove(d->loop, d->timer_fd, &d->timer);
    close(d->timer_fd);
    free(d);
    *directory = NULL;
}

static void
finished_tell(struct etcd_directory *d, struct call *call, CURLcode code)
{
    long status = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (call->kind == CALL_WATCH)
        watch_end(d, DIRECTORY_END_CLOSED);
    else if (call->kind == CALL_LIST)
        list_tell(d, call, code == CURLE_OK && status == HTTP_OK, code);
    else
        call_tell(d, call, code);
}

/* Whatever has come: out of libcurl's hands, so that call-backs may ask for more. */
static void
deliver(struct etcd_directory *d)
{
    int waiting;
    if (d->watch.kind == CALL_WATCH && d->watch.bytes > 0)
        watch_tell(d);
    const CURLMsg *message;
    while ((message = curl_multi_info_read(d->multi, &waiting)) != NULL) {
        void *call;
        CURLcode code = message->data.result;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call) == CURLE_OK)
            finished_tell(d, call, code);
    }
}

struct etcd_stats
etcd_directory_stats(const struct etcd_directory *d)
{
    return d->stats;
}
