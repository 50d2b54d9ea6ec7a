#include "os/pg_tools.h"
#include "base/check.h"
#include "os/process.h"
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_BYTES 8
#define COLUMNS       3 /* key, version, value */

static const char sql_begin[] =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL jit = off;"
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = "
    "off;"
    "SELECT to_regclass('seom.format') IS NOT NULL";
static const char sql_format[] = "SELECT number FROM seom.format";
/* Keys are printable ASCII: nothing of the prefix lies behind the prefix and a DEL. */
static const char sql_scan[] = "SELECT key, version, value FROM seom.document"
                               " WHERE key >= $1::text AND key < $1::text || chr(127)"
                               " AND value IS NOT NULL ORDER BY key";

struct session {
    PGconn *pg;
    char *why; /* PG_STORE_WHY_MAX bytes */
};

/* What libpq says ends with a line feed and may have several lines. */
static enum err
fail(const struct session *s, enum err error, const char *text)
{
    int n = snprintf(s->why, PG_STORE_WHY_MAX, "PostgreSQL: %s", text);
    CHECK(n >= 0);
    for (size_t i = strlen(s->why); i > 0 && s->why[i - 1] == '\n'; i--)
        s->why[i - 1] = '\0';
    for (char *c = s->why; *c != '\0'; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    return error;
}

/* Until the next result can be taken without waiting. */
static enum err
result_await(const struct session *s)
{
    while (PQisBusy(s->pg)) {
        struct pollfd ready = {.fd = PQsocket(s->pg), .events = POLLIN};
        if (poll(&ready, 1, PG_TOOLS_PATIENCE_MS) == 0)
            return fail(s, ERR_UNAVAILABLE, "the server does not answer");
        if (PQconsumeInput(s->pg) == 0)
            return fail(s, ERR_UNAVAILABLE, PQerrorMessage(s->pg));
    }
    return OK;
}

static enum err
result_error(const struct session *s, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    enum err error = ERR_IO;
    if (state == NULL || strncmp(state, "57P", 3) == 0) /* lost, or shut down */
        error = ERR_UNAVAILABLE;
    else if (strcmp(state, "42501") == 0)
        error = ERR_DENIED;
    return fail(s, error, PQresultErrorMessage(result));
}

/* Statements of which the last has one cell, as text; "" when it has no row. */
static enum err
cell_ask(const struct session *s, const char *sql, char cell[32])
{
    enum err error = OK;
    cell[0] = '\0';
    if (PQsendQuery(s->pg, sql) == 0)
        return fail(s, ERR_UNAVAILABLE, PQerrorMessage(s->pg));
    while (error == OK && (error = result_await(s)) == OK) {
        PGresult *result = PQgetResult(s->pg);
        if (result == NULL)
            break;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_TUPLES_OK && PQntuples(result) > 0)
            snprintf(cell, 32, "%s", PQgetvalue(result, 0, 0));
        else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
            error = result_error(s, result);
        PQclear(result);
    }
    return error;
}

static enum err
format_check(const struct session *s)
{
    char cell[32];
    enum err error = cell_ask(s, sql_begin, cell);
    if (error != OK)
        return error;
    if (strcmp(cell, "t") != 0)
        return fail(s, ERR_FORMAT, "this database holds no world");
    error = cell_ask(s, sql_format, cell);
    if (error != OK)
        return error;
    long number = strtol(cell, NULL, 10);
    if (number > PG_STORE_FORMAT)
        return fail(s, ERR_NEWER, "the store was written by a newer seom: use that one");
    if (number != PG_STORE_FORMAT)
        return fail(s, ERR_FORMAT, "the schema `seom' of this database is not a store of ours");
    return OK;
}

/* ERR_FORMAT: the columns are not ours. */
static enum err
row_tell(const struct session *s, const PGresult *row, pg_scan_each *each, void *ctx, bool *enough)
{
    if (PQnfields(row) != COLUMNS || PQgetlength(row, 0, 1) != VERSION_BYTES)
        return fail(s, ERR_FORMAT, "the documents have another form than ours");
    struct slice key = {(const uint8_t *)PQgetvalue(row, 0, 0), (size_t)PQgetlength(row, 0, 0)};
    struct store_doc doc = {
        .exists = true,
        .value = {(const uint8_t *)PQgetvalue(row, 0, 2), (size_t)PQgetlength(row, 0, 2)}};
    const uint8_t *at = (const uint8_t *)PQgetvalue(row, 0, 1);
    for (int i = 0; i < VERSION_BYTES; i++)
        doc.version = doc.version << 8 | at[i];
    if (key.bytes > STORE_KEY_MAX || doc.value.bytes > STORE_VALUE_ENGINE_MAX)
        return fail(s, ERR_FORMAT, "a document is larger than ours are");
    *enough = !each(ctx, key, &doc);
    return OK;
}

/* Ends early when told so: the connection is not used for anything else. */
static enum err
rows_take(const struct session *s, const char *prefix, pg_scan_each *each, void *ctx)
{
    bool enough = false;
    enum err error = OK;
    if (PQsendQueryParams(s->pg, sql_scan, 1, NULL, &prefix, NULL, NULL, 1) == 0 ||
        PQsetSingleRowMode(s->pg) == 0)
        return fail(s, ERR_UNAVAILABLE, PQerrorMessage(s->pg));
    while (error == OK && !enough && (error = result_await(s)) == OK) {
        PGresult *result = PQgetResult(s->pg);
        if (result == NULL)
            break;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_SINGLE_TUPLE)
            error = row_tell(s, result, each, ctx, &enough);
        else if (status != PGRES_TUPLES_OK) /* which says that there are no more */
            error = result_error(s, result);
        PQclear(result);
    }
    return error;
}

static PGconn *
connect_to(const char *address, const char *which)
{
    /* What stands before the address can be said otherwise in it, what stands behind it cannot. */
    static const char *const names[] = {"connect_timeout",
                                        "application_name",
                                        "tcp_user_timeout",
                                        "dbname",
                                        "client_encoding",
                                        "target_session_attrs",
                                        NULL};
    const char *const values[] = {
        PG_CONNECT_TIMEOUT_DEFAULT, "seom tool", "5000", address, "UTF8", which, NULL};
    PGconn *pg = PQconnectdbParams(names, values, 1);
    CHECK(pg != NULL);
    return pg;
}

static void
notice_drop(void *ctx, const PGresult *notice)
{
    (void)ctx, (void)notice;
}

enum err
pg_scan(const char *address, const char *prefix, pg_scan_each *each, void *ctx,
        char why[PG_STORE_WHY_MAX])
{
    struct session s = {.why = why};
    char *text = NULL;
    PQconninfoOption *parsed = PQconninfoParse(address, &text);
    if (parsed == NULL) {
        enum err unread = fail(&s, ERR_FORMAT, text != NULL ? text : "the address cannot be read");
        PQfreemem(text);
        return unread;
    }
    PQconninfoFree(parsed);
    s.pg = connect_to(address, "read-write");
    if (PQstatus(s.pg) != CONNECTION_OK) {
        PQfinish(s.pg);
        s.pg = connect_to(address, "any");
    }
    PQsetNoticeReceiver(s.pg, notice_drop, NULL);
    enum err error = OK;
    if (PQstatus(s.pg) != CONNECTION_OK)
        error = fail(&s, ERR_UNAVAILABLE, PQerrorMessage(s.pg));
    error = error == OK ? format_check(&s) : error;
    error = error == OK ? rows_take(&s, prefix, each, ctx) : error;
    PQfinish(s.pg);
    return error;
}
