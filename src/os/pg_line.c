#include "base/check.h"
#include "os/pg_inside.h"
#include "os/process.h"
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* libpq closes the socket of a connection that broke, at any call. Its number may be another one's
 * already, as the dialler's thread opens sockets meanwhile. */
static bool
has_socket(const struct pg_line *line)
{
    return PQsocket(line->pg) == line->fd;
}

/* False: the connection is gone. */
static bool
watch_writable(struct pg_line *line, bool on)
{
    if (PQstatus(line->pg) != CONNECTION_OK || !has_socket(line))
        return false;
    if (line->wants_writable == on)
        return true;
    line->wants_writable = on;
    struct epoll_event event = {.events = EPOLLIN | (on ? EPOLLOUT : 0U), .data.u32 = line->index};
    return epoll_ctl(line->store->epoll_fd, EPOLL_CTL_MOD, line->fd, &event) == 0;
}

/* A wait for the standby that was given up is told as a warning, and the commit then as done. */
static void
on_notice(void *ctx, const PGresult *notice)
{
    struct pg_line *line = ctx;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity != NULL && strcmp(severity, "WARNING") == 0)
        line->doubtful = true;
}

void
pg_line_adopt(struct pg_line *line, PGconn *pg)
{
    CHECK(line->pg == NULL && line->count == 0);
    line->pg = pg;
    line->fd = PQsocket(pg);
    line->wants_writable = line->doubtful = false;
    line->first = 0;
    PQsetNoticeReceiver(pg, on_notice, line);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = line->index};
    if (epoll_ctl(line->store->epoll_fd, EPOLL_CTL_ADD, line->fd, &event) != 0)
        pg_line_lose(line, "it cannot be watched");
}

bool
pg_line_has_room(const struct pg_line *line)
{
    return line->pg != NULL && line->count < line->depth;
}

struct pg_group *
pg_line_next(struct pg_line *line)
{
    CHECK(pg_line_has_room(line));
    struct pg_group *group = &line->groups[(line->first + line->count) % PG_DEPTH_MAX];
    group->count = 0;
    group->result = NULL;
    return group;
}

/* ---- answers ---- */

static uint64_t
cell_number(const PGresult *result, int row, int column)
{
    const uint8_t *at = (const uint8_t *)PQgetvalue(result, row, column);
    uint64_t value = 0;
    for (int i = 0; i < PQgetlength(result, row, column); i++)
        value = value << 8 | at[i];
    return value;
}

/* Rows of the width that the statement has, or nothing is read from them. */
static bool
rows_are_fit(const PGresult *result, int columns)
{
    return PQresultStatus(result) == PGRES_TUPLES_OK && PQnfields(result) == columns;
}

static bool
commits_decide(struct pg_group *group)
{
    const PGresult *result = group->result;
    if (!rows_are_fit(result, 1))
        return false;
    for (uint32_t i = 0; i < group->count; i++)
        group->calls[i]->result = STORE_OK;
    for (int row = 0; row < PQntuples(result); row++) {
        uint64_t refused = cell_number(result, row, 0);
        if (refused >= group->count)
            return false;
        group->calls[refused]->result = STORE_CONFLICT;
    }
    return true;
}

static bool
gets_decide(struct pg_group *group)
{
    const PGresult *result = group->result;
    if (!rows_are_fit(result, 3))
        return false;
    for (int row = 0; row < PQntuples(result); row++) {
        uint64_t number = cell_number(result, row, 0);
        if (number < 1 || number > group->count ||
            PQgetlength(result, row, 2) > STORE_VALUE_ENGINE_MAX)
            return false;
        group->calls[number - 1]->row = row;
    }
    return true;
}

static bool
scan_decide(const struct pg_group *group)
{
    const PGresult *result = group->result;
    if (!rows_are_fit(result, 3) || PQntuples(result) > (int)group->calls[0]->limit)
        return false;
    for (int row = 0; row < PQntuples(result); row++)
        if (PQgetlength(result, row, 0) > STORE_KEY_MAX ||
            PQgetlength(result, row, 2) > STORE_VALUE_ENGINE_MAX)
            return false;
    return true;
}

static bool
group_decide(struct pg_group *group)
{
    switch (group->kind) {
    case PG_GROUP_GETS: return gets_decide(group);
    case PG_GROUP_SCAN: return scan_decide(group);
    case PG_GROUP_COMMITS: return commits_decide(group);
    case PG_GROUP_HINTS: return true; /* missing ones are allowed */
    }
    check_failed(__FILE__, __LINE__, __func__, "a group of a kind that there is");
}

static void
group_answer(struct pg_line *line, struct pg_group *group, const enum store_result *all)
{
    struct pg_store *store = line->store;
    uint64_t written = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        struct pg_call *call = group->calls[i];
        enum store_result result = all != NULL ? *all : call->result;
        pg_call_answer(store, call, result, group);
        if (call->kind == PG_CALL_COMMIT && result == STORE_OK) {
            written += call->count;
            pg_hints_add(store, call);
        }
        free(call);
    }
    store->stats.documents += written;
    PQclear(group->result);
    group->result = NULL;
}

static struct pg_group *
group_shift(struct pg_line *line)
{
    CHECK(line->count > 0);
    struct pg_group *group = &line->groups[line->first];
    line->first = (line->first + 1) % PG_DEPTH_MAX;
    line->count--;
    return group;
}

/* The transaction of the oldest group is over. */
static void
group_end(struct pg_line *line)
{
    static const enum store_result gave_up = STORE_UNAVAILABLE, unknown = STORE_UNKNOWN;
    struct pg_store *store = line->store;
    struct pg_group *group = group_shift(line);
    bool failed = PQresultStatus(group->result) != PGRES_TUPLES_OK;
    if (failed)
        pg_report(store, LOG_WARN, "PostgreSQL refused: %s", PQresultErrorMessage(group->result));
    else if (group->kind == PG_GROUP_COMMITS) {
        store->stats.groups++;
        hist_add(&store->stats.group_us, (uint64_t)(process_mono_us() - group->sent_us));
        hist_add(&store->stats.group_commits, group->count);
    }
    if (failed)
        group_answer(line, group, &gave_up);
    else if (!line->doubtful && group_decide(group))
        group_answer(line, group, NULL);
    else {
        group_answer(line, group, group->kind == PG_GROUP_COMMITS ? &unknown : &gave_up);
        line->doubtful = true;
    }
}

void
pg_line_lose(struct pg_line *line, const char *why)
{
    static const enum store_result gave_up = STORE_UNAVAILABLE, unknown = STORE_UNKNOWN;
    struct pg_store *store = line->store;
    CHECK(line->pg != NULL);
    if (has_socket(line)) /* else it is watched no more since it was closed */
        (void)epoll_ctl(store->epoll_fd, EPOLL_CTL_DEL, line->fd, NULL);
    pg_report(store, LOG_WARN, "a connection to PostgreSQL is lost: %.*s", (int)strcspn(why, "\n"),
              why);
    PQfinish(line->pg);
    line->pg = NULL;
    store->stats.connections_lost++;
    while (line->count > 0) {
        struct pg_group *group = group_shift(line);
        group_answer(line, group, group->kind == PG_GROUP_COMMITS ? &unknown : &gave_up);
    }
    pg_dialler_want(&store->dialler, line->index);
}

/* ---- sending and reading ---- */

static void
line_flush(struct pg_line *line)
{
    int left = PQflush(line->pg);
    if (left < 0 || !watch_writable(line, left > 0))
        pg_line_lose(line, PQerrorMessage(line->pg));
}

void
pg_line_send(struct pg_line *line, const struct pg_parameters *p, int64_t now_us)
{
    static const int formats[PG_PARAMETERS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    CHECK(pg_line_has_room(line) && p->count <= PG_PARAMETERS_MAX);
    line->groups[(line->first + line->count) % PG_DEPTH_MAX].sent_us = now_us;
    line->count++;
    if (PQsendQueryPrepared(line->pg, p->statement, p->count, p->values, p->lengths, formats, 1) &&
        PQpipelineSync(line->pg))
        line_flush(line);
    else
        pg_line_lose(line, PQerrorMessage(line->pg));
}

static bool
is_error(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK;
}

/* A server that became one that only reads answers so; another one may take its place. */
static bool
is_read_only(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state != NULL && strcmp(state, "25006") == 0;
}

/* A result of the oldest group. An error that follows the rows comes from the end of the
 * transaction, and is what counts. Answers why the connection
 * is of no use any more; NULL: it is. */
static const char *
result_take(struct pg_line *line, PGresult *result)
{
    struct pg_group *group = &line->groups[line->first];
    if (PQresultStatus(result) != PGRES_PIPELINE_SYNC) {
        if (group->result != NULL && !is_error(result)) {
            PQclear(result);
            return "it answers twice";
        }
        PQclear(group->result);
        group->result = result;
        return NULL;
    }
    PQclear(result);
    bool read_only = is_read_only(group->result);
    group_end(line);
    return read_only        ? "the server takes no writes any more"
           : line->doubtful ? "its answers are not to be trusted"
                            : NULL;
}

/* NULL: all is well. */
static const char *
line_read(struct pg_line *line)
{
    if (PQconsumeInput(line->pg) == 0)
        return PQerrorMessage(line->pg);
    uint32_t ends = 0; /* of the results of one statement: then comes the end of its transaction */
    const char *why = NULL;
    while (why == NULL && line->count > 0 && !PQisBusy(line->pg)) {
        PGresult *result = PQgetResult(line->pg);
        if (result == NULL) {
            why = ++ends > 1 ? "it answers nothing" : NULL;
            continue;
        }
        ends = 0;
        why = result_take(line, result);
    }
    return why;
}

static void
notifications_take(struct pg_line *line)
{
    PGnotify *told;
    while ((told = PQnotifies(line->pg)) != NULL) {
        if (told->be_pid != PQbackendPID(line->pg)) /* our own watches know already */
            pg_hints_hear(line->store, told->extra);
        PQfreemem(told);
    }
}

void
pg_line_ready(struct pg_line *line, uint32_t events)
{
    if (line->pg == NULL)
        return;
    if ((events & EPOLLOUT) != 0)
        line_flush(line);
    if (line->pg == NULL || (events & ~(uint32_t)EPOLLOUT) == 0)
        return;
    const char *why = line_read(line);
    notifications_take(line);
    if (why != NULL)
        pg_line_lose(line, why);
}
