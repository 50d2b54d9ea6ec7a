#include "os/pg_store.h"
#include "base/check.h"
#include "env/store_limits.h"
#include "os/pg_inside.h"
#include "os/process.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define REPORT_MAX   256
#define EVENTS_MAX   32
#define READ_DEPTH   4 /* groups on their way: gets wait for no disk */
#define AWAY_WAIT_US 20000
#define COMMIT_DEPTH 1 /* what comes meanwhile goes together */

/* In place of the number of a line. */
#define EVENT_WOKEN UINT32_MAX
#define EVENT_TIMER (UINT32_MAX - 1)

void
pg_report(struct pg_store *store, enum log_level level, const char *format, ...)
{
    char text[REPORT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    CHECK(n >= 0);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    if (store->options.log != NULL)
        store->options.log(store->options.log_ctx, level, "store.engine", text);
}

/* ---- calls ---- */

static void
store_wake(struct pg_store *store)
{
    if (store->woken)
        return;
    uint64_t one = 1;
    ssize_t n = write(store->event_fd, &one, sizeof one);
    CHECK(n == sizeof one || errno == EAGAIN);
    store->woken = true;
}

static size_t
call_bytes(const struct store_write *writes, uint32_t count)
{
    size_t bytes = sizeof(struct pg_call) + count * sizeof *writes;
    for (uint32_t i = 0; i < count; i++)
        bytes += writes[i].key.bytes + writes[i].value.bytes;
    return bytes;
}

static struct slice
bytes_copy(uint8_t **to, struct slice from)
{
    struct slice copy = {*to, from.bytes};
    if (from.bytes > 0)
        memcpy(*to, from.at, from.bytes);
    *to += from.bytes;
    return copy;
}

/* NULL: too many are under way. */
static struct pg_call *
call_make(struct pg_store *store, enum pg_call_kind kind, uint64_t token,
          const struct store_write *writes, uint32_t count)
{
    size_t bytes = call_bytes(writes, count);
    if (store->under_way == store->options.calls_max ||
        store->queued_bytes + bytes > store->options.queue_bytes) {
        store->stats.refused++;
        return NULL;
    }
    struct pg_call *call = malloc(bytes);
    CHECK(call != NULL);
    *call = (struct pg_call){.token = token,
                             .asked_us = process_mono_us(),
                             .kind = kind,
                             .row = -1,
                             .count = count,
                             .bytes = bytes};
    uint8_t *to = (uint8_t *)&call->writes[count];
    for (uint32_t i = 0; i < count; i++) {
        call->writes[i] = writes[i];
        call->writes[i].key = bytes_copy(&to, writes[i].key);
        call->writes[i].value = bytes_copy(&to, writes[i].value);
    }
    store->under_way++;
    store->queued_bytes += bytes;
    return call;
}

static struct store_doc
doc_at(const PGresult *result, int row, int version_column)
{
    if (row < 0)
        return (struct store_doc){0};
    const uint8_t *at = (const uint8_t *)PQgetvalue(result, row, version_column);
    uint64_t version = 0;
    for (int i = 0; i < PQgetlength(result, row, version_column); i++)
        version = version << 8 | at[i];
    struct slice value = {(const uint8_t *)PQgetvalue(result, row, version_column + 1),
                          (size_t)PQgetlength(result, row, version_column + 1)};
    return (struct store_doc){.version = version,
                              .exists = !PQgetisnull(result, row, version_column + 1),
                              .value = value};
}

static void
scanned_answer(struct pg_store *store, uint64_t token, enum store_result result,
               const struct pg_group *group)
{
    struct store_found found[STORE_SCAN_MAX];
    int count = result == STORE_OK ? PQntuples(group->result) : 0;
    CHECK(count <= STORE_SCAN_MAX);
    for (int i = 0; i < count; i++)
        found[i] = (struct store_found){.key = {(const uint8_t *)PQgetvalue(group->result, i, 0),
                                                (size_t)PQgetlength(group->result, i, 0)},
                                        .doc = doc_at(group->result, i, 1)};
    store->done.scanned(store->done.ctx, token, result, found, (uint32_t)count);
}

static void
commit_count(struct pg_store *store, enum store_result result)
{
    store->stats.commits++;
    store->stats.conflicts += result == STORE_CONFLICT;
    store->stats.unknown += result == STORE_UNKNOWN;
    store->stats.unavailable += result == STORE_UNAVAILABLE;
}

void
pg_call_answer(struct pg_store *store, const struct pg_call *call, enum store_result result,
               const struct pg_group *group)
{
    CHECK(store->under_way > 0 && store->queued_bytes >= call->bytes);
    store->under_way--;
    store->queued_bytes -= call->bytes;
    store->answered++;
    store->stats.lost_gets += call->kind != PG_CALL_COMMIT && result != STORE_OK;
    switch (call->kind) {
    case PG_CALL_GET: {
        store->stats.gets++;
        struct store_doc doc =
            result == STORE_OK ? doc_at(group->result, call->row, 1) : (struct store_doc){0};
        store->done.got(store->done.ctx, call->token, result, result == STORE_OK ? &doc : NULL);
        break;
    }
    case PG_CALL_SCAN:
        store->stats.scans++;
        scanned_answer(store, call->token, result, group);
        break;
    case PG_CALL_COMMIT:
        commit_count(store, result);
        store->done.committed(store->done.ctx, call->token, result);
        break;
    }
}

/* ---- the port ---- */

static enum err
port_get(void *ctx, uint64_t token, struct slice key)
{
    struct pg_store *store = ctx;
    enum err error = store_key_check(key);
    if (error != OK)
        return error;
    struct store_write one = {.key = key};
    struct pg_call *call = call_make(store, PG_CALL_GET, token, &one, 1);
    if (call == NULL)
        return ERR_FULL;
    pg_queue_add(&store->reads, call);
    store_wake(store);
    return OK;
}

static enum err
port_commit(void *ctx, uint64_t token, const struct store_write *writes, uint32_t count)
{
    struct pg_store *store = ctx;
    enum err error = store_commit_check(writes, count, STORE_VALUE_ENGINE_MAX, STORE_COMMIT_MAX);
    if (error != OK)
        return error;
    struct pg_call *call = call_make(store, PG_CALL_COMMIT, token, writes, count);
    if (call == NULL)
        return ERR_FULL;
    pg_queue_add(&store->commits, call);
    store_wake(store);
    return OK;
}

static enum err
port_scan(void *ctx, uint64_t token, struct slice prefix, struct slice after, uint32_t limit)
{
    struct pg_store *store = ctx;
    CHECK(store->done.scanned != NULL);
    enum err error = store_scan_check(prefix, after, limit);
    if (error != OK)
        return error;
    struct store_write two[2] = {{.key = prefix}, {.key = after}};
    struct pg_call *call = call_make(store, PG_CALL_SCAN, token, two, 2);
    if (call == NULL)
        return ERR_FULL;
    call->limit = limit;
    pg_queue_add(&store->reads, call);
    store_wake(store);
    return OK;
}

static enum err
port_watch(void *ctx, struct slice key, bool on)
{
    enum err error = store_key_check(key);
    return error == OK ? pg_watch(ctx, key, on) : error;
}

struct env_store
pg_store_port(struct pg_store *store, struct store_done done)
{
    CHECK(done.got != NULL && done.committed != NULL);
    store->done = done;
    return (struct env_store){.ctx = store,
                              .value_max = STORE_VALUE_ENGINE_MAX,
                              .commit_max = STORE_COMMIT_MAX,
                              .get = port_get,
                              .commit = port_commit,
                              .scan = port_scan,
                              .watch = port_watch};
}

int
pg_store_fd(const struct pg_store *store)
{
    CHECK(store->epoll_fd >= 0);
    return store->epoll_fd;
}

uint32_t
pg_store_under_way(const struct pg_store *store)
{
    return store->under_way;
}

bool
pg_store_is_away(const struct pg_store *store)
{
    return store->away && store->stats.connections == 0;
}

void
pg_store_stats(const struct pg_store *store, struct pg_store_stats *out)
{
    *out = store->stats;
}

/* ---- what happened ---- */

/* Connections that were made, and what a person should hear of attempts. */
static void
dialler_hear(struct pg_store *store)
{
    struct pg_dialler *d = &store->dialler;
    PGconn *made[PG_CONNECTIONS_MAX] = {NULL};
    char text[PG_STORE_WHY_MAX] = "";
    pthread_mutex_lock(&d->lock);
    for (uint32_t i = 0; i < store->options.connections; i++) {
        made[i] = d->made[i];
        d->made[i] = NULL;
    }
    bool failed = d->error != OK;
    memcpy(text, failed ? d->why : d->note, sizeof text);
    d->note[0] = '\0';
    store->stats.connects = d->connects;
    store->stats.connects_failed = d->failures;
    pthread_mutex_unlock(&d->lock);
    if (failed && !store->away)
        pg_report(store, LOG_WARN, "cannot be reached, tried again and again: %s", text);
    else if (!failed && store->away)
        pg_report(store, LOG_INFO, "PostgreSQL is there again");
    if (!failed && text[0] != '\0' && !store->note_told)
        pg_report(store, LOG_WARN, "%s", text);
    store->note_told |= !failed && text[0] != '\0';
    store->away = failed;
    for (uint32_t i = 0; i < store->options.connections; i++)
        if (made[i] != NULL)
            pg_line_adopt(&store->lines[i], made[i]);
}

static bool
line_serves(const struct pg_line *line, const struct pg_queue *queue)
{
    bool reading = queue == &line->store->reads;
    return reading == (line->index == PG_LINE_READING);
}

static bool
is_served(const struct pg_store *store, const struct pg_queue *queue)
{
    for (uint32_t i = 0; i < store->options.connections; i++)
        if (line_serves(&store->lines[i], queue) && store->lines[i].pg != NULL)
            return true;
    return false;
}

/* How long a call waits to be sent. Half of the time that an answer may take is left to it when it
 * goes out. While there is no connection, nor a hope of one, it is told so soon, but not at once:
 * whoever asks again and again would do nothing else. */
static int64_t
wait_us(const struct pg_store *store, const struct pg_queue *queue)
{
    int64_t us = (int64_t)store->options.deadline_ms * 1000 / 2;
    return store->away && !is_served(store, queue) && us > AWAY_WAIT_US ? AWAY_WAIT_US : us;
}

/* What waits in vain has not happened. */
static void
queue_expire(struct pg_store *store, struct pg_queue *queue, int64_t now_us)
{
    while (queue->first != NULL && now_us - queue->first->asked_us >= wait_us(store, queue)) {
        struct pg_call *call = pg_queue_take(queue);
        pg_call_answer(store, call, STORE_UNAVAILABLE, NULL);
        free(call);
    }
}

static void
lines_expire(struct pg_store *store, int64_t now_us)
{
    for (uint32_t i = 0; i < store->options.connections; i++) {
        struct pg_line *line = &store->lines[i];
        if (line->count > 0 && now_us >= line->groups[line->first].due_us)
            pg_line_lose(line, "no answer in time");
    }
}

/* ---- sending ---- */

static void
line_fill(struct pg_line *line, int64_t now_us)
{
    struct pg_store *store = line->store;
    while (pg_line_has_room(line)) {
        struct pg_parameters parameters;
        struct pg_group *group = pg_line_next(line);
        bool some = line->index == PG_LINE_READING ? pg_group_of_reads(store, group, &parameters)
                                                   : pg_group_of_commits(store, group, &parameters);
        if (!some)
            return;
        pg_line_send(line, &parameters, now_us);
    }
}

static void
lines_fill(struct pg_store *store, int64_t now_us)
{
    for (uint32_t i = 0; i < store->options.connections; i++)
        line_fill(&store->lines[i], now_us);
    if (pg_hints_due_us(store) <= now_us)
        pg_hints_send(store, now_us);
}

/* ---- the timer ---- */

static int64_t
sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
due_us(const struct pg_store *store)
{
    int64_t due = pg_hints_due_us(store);
    if (store->reads.first != NULL)
        due = sooner(due, store->reads.first->asked_us + wait_us(store, &store->reads));
    if (store->commits.first != NULL)
        due = sooner(due, store->commits.first->asked_us + wait_us(store, &store->commits));
    for (uint32_t i = 0; i < store->options.connections; i++)
        if (store->lines[i].count > 0)
            due = sooner(due, store->lines[i].groups[store->lines[i].first].due_us);
    return due;
}

/* One that goes off too early is set anew then: deadlines are far and nearly never met. */
static void
timer_set(struct pg_store *store, int64_t now_us)
{
    int64_t due = due_us(store);
    if (due >= store->timer_us)
        return;
    int64_t left_us = due > now_us ? due - now_us : 1;
    struct itimerspec timer = {
        .it_value = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000}};
    CHECK(timerfd_settime(store->timer_fd, 0, &timer, NULL) == 0);
    store->timer_us = due;
}

static void
event_hear(struct pg_store *store, const struct epoll_event *event)
{
    uint64_t count;
    if (event->data.u32 == EVENT_TIMER) {
        ssize_t n = read(store->timer_fd, &count, sizeof count);
        CHECK(n == sizeof count || errno == EAGAIN);
        store->timer_us = INT64_MAX;
    } else if (event->data.u32 == EVENT_WOKEN) {
        ssize_t n = read(store->event_fd, &count, sizeof count);
        CHECK(n == sizeof count || errno == EAGAIN);
        store->woken = false;
        dialler_hear(store);
    } else {
        CHECK(event->data.u32 < store->options.connections);
        pg_line_ready(&store->lines[event->data.u32], event->events);
    }
}

static uint32_t
lines_count(const struct pg_store *store)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < store->options.connections; i++)
        count += store->lines[i].pg != NULL;
    return count;
}

uint32_t
pg_store_deliver(struct pg_store *store)
{
    CHECK(!store->delivering);
    store->delivering = true;
    store->answered = 0;
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(store->epoll_fd, events, EVENTS_MAX, 0);
    CHECK(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++)
        event_hear(store, &events[i]);
    int64_t now_us = process_mono_us();
    lines_expire(store, now_us);
    queue_expire(store, &store->reads, now_us);
    queue_expire(store, &store->commits, now_us);
    lines_fill(store, now_us);
    timer_set(store, now_us);
    store->stats.connections = lines_count(store);
    store->delivering = false;
    return store->answered;
}

/* ---- opening and closing ---- */

static struct pg_store_options
options_complete(struct pg_store_options options)
{
    options.connections = options.connections ? options.connections : PG_CONNECTIONS_DEFAULT;
    options.calls_max = options.calls_max ? options.calls_max : PG_CALLS_DEFAULT;
    options.queue_bytes = options.queue_bytes ? options.queue_bytes : PG_QUEUE_DEFAULT;
    options.deadline_ms = options.deadline_ms ? options.deadline_ms : PG_DEADLINE_MS_DEFAULT;
    options.reconnect_ms = options.reconnect_ms ? options.reconnect_ms : PG_RECONNECT_MS_DEFAULT;
    options.hint_ms = options.hint_ms ? options.hint_ms : PG_HINT_MS_DEFAULT;
    return options;
}

static enum err
options_check(const struct pg_store_options *options, char *why)
{
    size_t largest = STORE_COMMIT_BYTES_MAX + sizeof(struct pg_call) +
                     STORE_COMMIT_MAX * sizeof(struct store_write);
    if (options->connections < 2 || options->connections > PG_CONNECTIONS_MAX ||
        options->queue_bytes < largest) {
        snprintf(why, PG_STORE_WHY_MAX, "the options of the store do not fit together");
        return ERR_RANGE;
    }
    char *text = NULL;
    PQconninfoOption *parsed =
        options->address == NULL ? NULL : PQconninfoParse(options->address, &text);
    if (parsed != NULL) {
        PQconninfoFree(parsed);
        return OK;
    }
    int n = snprintf(why, PG_STORE_WHY_MAX, "the address of PostgreSQL: %s",
                     text != NULL ? text : "is missing");
    CHECK(n >= 0);
    PQfreemem(text);
    return ERR_FORMAT;
}

static bool
event_add(struct pg_store *store, int fd, uint32_t number)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    return fd >= 0 && epoll_ctl(store->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void
lines_init(struct pg_store *store)
{
    store->lines = calloc(store->options.connections, sizeof *store->lines);
    CHECK(store->lines != NULL);
    for (uint32_t i = 0; i < store->options.connections; i++) {
        store->lines[i].store = store;
        store->lines[i].index = i;
        store->lines[i].depth = i == PG_LINE_READING ? READ_DEPTH : COMMIT_DEPTH;
    }
}

static void
store_free(struct pg_store *store)
{
    int fds[] = {store->epoll_fd, store->event_fd, store->timer_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    for (int i = 0; i < PG_ARRAYS; i++)
        free(store->arrays[i].at);
    pg_hints_fini(&store->hints);
    free(store->lines);
    free(store->address);
    free(store);
}

enum err
pg_store_open(const struct pg_store_options *options, struct pg_store **out,
              char why[PG_STORE_WHY_MAX])
{
    struct pg_store_options complete = options_complete(*options);
    enum err error = options_check(&complete, why);
    if (error != OK)
        return error;
    struct pg_store *store = calloc(1, sizeof *store);
    CHECK(store != NULL);
    store->options = complete;
    store->address = strdup(complete.address);
    CHECK(store->address != NULL);
    store->options.address = store->address;
    store->timer_us = INT64_MAX;
    pg_queue_init(&store->reads);
    pg_queue_init(&store->commits);
    pg_hints_init(&store->hints);
    lines_init(store);
    store->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    store->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    store->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    store->dialler.options = &store->options;
    store->dialler.event_fd = store->event_fd;
    if (store->epoll_fd < 0 || !event_add(store, store->event_fd, EVENT_WOKEN) ||
        !event_add(store, store->timer_fd, EVENT_TIMER) ||
        pg_dialler_start(&store->dialler) != OK) {
        snprintf(why, PG_STORE_WHY_MAX, "the store finds no descriptor: %s", strerror(errno));
        store_free(store);
        return ERR_FULL;
    }
    for (uint32_t i = 0; i < complete.connections; i++)
        pg_dialler_want(&store->dialler, i);
    *out = store;
    return OK;
}

static void
queue_free(struct pg_queue *queue)
{
    for (struct pg_call *call; (call = pg_queue_take(queue)) != NULL;)
        free(call);
}

static void
line_free(struct pg_line *line)
{
    for (uint32_t i = 0; i < line->count; i++) {
        struct pg_group *group = &line->groups[(line->first + i) % PG_DEPTH_MAX];
        for (uint32_t c = 0; c < group->count; c++)
            free(group->calls[c]);
        PQclear(group->result);
    }
    if (line->pg != NULL)
        PQfinish(line->pg);
}

void
pg_store_close(struct pg_store **store)
{
    struct pg_store *s = *store;
    CHECK(s != NULL && !s->delivering);
    pg_dialler_stop(&s->dialler);
    for (uint32_t i = 0; i < s->options.connections; i++)
        line_free(&s->lines[i]);
    queue_free(&s->reads);
    queue_free(&s->commits);
    store_free(s);
    *store = NULL;
}
