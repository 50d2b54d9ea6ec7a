/* Runs on the dialler's thread, or in a tool: blocks. */
#include "base/check.h"
#include "os/pg_inside.h"
#include "os/pg_schema.h"
#include "os/process.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTION "seom.commit_1(int[],text[],bigint[],int[],bytea[],int,int,int,boolean)"
#define LOOK_MS  100 /* how soon it is seen that the store is to be closed */

static const char sql_found[] = "SELECT to_regclass('seom.format') IS NOT NULL,"
                                " to_regprocedure('" FUNCTION "') IS NOT NULL";
static const char sql_format[] = "SELECT number FROM seom.format";
/* What somebody set for his own use of the server may not change what an answer means, nor how
 * a statement is carried out: the planner, which cannot see how many documents there will be, takes
 * the index. */
static const char sql_settings[] =
    "SET client_min_messages = warning; SET default_transaction_isolation = 'read committed';"
    "SET statement_timeout = 0; SET lock_timeout = 0; SET bytea_output = 'hex'; SET jit = off;"
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;"
    "SET enable_mergejoin = off; SET enable_bitmapscan = off;"
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') <> 'remote_apply'";

static const struct {
    const char *name, *sql;
    bool reading;
} statements[] = {
    {PG_STATEMENT_COMMIT,
     "SELECT * FROM seom.commit_1($1::int[], $2::text[], $3::bigint[], $4::int[], $5::bytea[],"
     " $6::int, $7::int, $8::int, $9::boolean)",
     false},
    {PG_STATEMENT_GET,
     "SELECT w.n, d.version, d.value FROM unnest($1::text[]) WITH ORDINALITY w (key, n)"
     " JOIN seom.document d ON d.key = w.key",
     true},
    {PG_STATEMENT_SCAN,
     "SELECT key, version, value FROM seom.document"
     " WHERE key >= $1::text AND key > $2::text AND key < $3::text AND value IS NOT NULL"
     " ORDER BY key LIMIT $4::int",
     true},
    /* Nothing is lost with a hint, so its transaction waits for no disk. */
    {PG_STATEMENT_HINT,
     "SELECT set_config('synchronous_commit', 'off', true), pg_notify('" PG_CHANNEL "', $1::text)",
     true},
};

struct session {
    PGconn *pg;
    int64_t until_us;
    const atomic_bool *stopping;
    char *why; /* PG_STORE_WHY_MAX bytes */
};

/* What libpq says ends with a line feed and may have several lines. */
static void
why_set(char *why, const char *what, const char *text)
{
    int n = snprintf(why, PG_STORE_WHY_MAX, "%s: %s", what, text);
    CHECK(n >= 0);
    for (size_t i = strlen(why); i > 0 && why[i - 1] == '\n'; i--)
        why[i - 1] = '\0';
    for (char *c = why; *c != '\0'; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
}

/* Waits until a whole result is there. */
static enum err
result_wait(struct session *s)
{
    while (PQisBusy(s->pg)) {
        int64_t left_us = s->until_us - process_mono_us();
        if (left_us <= 0 || (s->stopping != NULL && atomic_load(s->stopping))) {
            snprintf(s->why, PG_STORE_WHY_MAX, "PostgreSQL does not answer");
            return ERR_TIMEOUT;
        }
        short events = POLLIN;
        if (PQflush(s->pg) > 0)
            events |= POLLOUT;
        struct pollfd ready = {.fd = PQsocket(s->pg), .events = events};
        int64_t wait_ms = left_us / 1000 + 1;
        (void)poll(&ready, 1, wait_ms < LOOK_MS ? (int)wait_ms : LOOK_MS);
        if ((ready.revents & ~POLLOUT) != 0 && PQconsumeInput(s->pg) == 0) {
            why_set(s->why, "PostgreSQL", PQerrorMessage(s->pg));
            return ERR_UNAVAILABLE;
        }
    }
    return OK;
}

static enum err
sqlstate_err(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state == NULL)
        return ERR_UNAVAILABLE;
    return strcmp(state, "42501") == 0 ? ERR_DENIED : ERR_IO;
}

/* What was sent, to its end. *out, when given, is the last result with rows, or NULL. */
static enum err
results_take(struct session *s, int sent, PGresult **out)
{
    enum err error = sent ? OK : ERR_UNAVAILABLE;
    if (!sent)
        why_set(s->why, "PostgreSQL", PQerrorMessage(s->pg));
    PGresult *last = NULL;
    while (error == OK || error == ERR_IO || error == ERR_DENIED) {
        enum err waited = result_wait(s);
        if (waited != OK) {
            error = waited;
            break;
        }
        PGresult *result = PQgetResult(s->pg);
        if (result == NULL)
            break;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_TUPLES_OK) {
            PQclear(last);
            last = result;
            continue;
        }
        if (status != PGRES_COMMAND_OK && error == OK) {
            why_set(s->why, "PostgreSQL", PQresultErrorMessage(result));
            error = sqlstate_err(result);
        }
        PQclear(result);
    }
    if (error != OK || out == NULL) {
        PQclear(last);
        last = NULL;
    }
    if (out != NULL)
        *out = last;
    return error;
}

static enum err
session_do(struct session *s, const char *sql, PGresult **out)
{
    return results_take(s, PQsendQuery(s->pg, sql), out);
}

static bool
cell_is(const PGresult *result, int column, const char *text)
{
    return result != NULL && PQntuples(result) == 1 && column < PQnfields(result) &&
           strcmp(PQgetvalue(result, 0, column), text) == 0;
}

static enum err
format_check(struct session *s)
{
    PGresult *result;
    enum err error = session_do(s, sql_format, &result);
    if (error != OK)
        return error;
    long number = PQntuples(result) == 1 ? strtol(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    if (number == PG_STORE_FORMAT)
        return OK;
    if (number > PG_STORE_FORMAT) {
        snprintf(s->why, PG_STORE_WHY_MAX,
                 "the store has format %ld, written by a newer seom; this one knows up to %d",
                 number, PG_STORE_FORMAT);
        return ERR_NEWER;
    }
    snprintf(s->why, PG_STORE_WHY_MAX, "the schema `seom' of this database is not a store of ours");
    return ERR_FORMAT;
}

/* Looks before it makes: whoever may not make tables can still use those that are there, and what a
 * newer seom made is not touched. */
static enum err
tables_prepare(struct session *s)
{
    PGresult *found;
    enum err error = session_do(s, sql_found, &found);
    if (error != OK)
        return error;
    bool format = cell_is(found, 0, "t"), function = cell_is(found, 1, "t");
    PQclear(found);
    if (format)
        error = format_check(s);
    if (error == OK && (!format || !function))
        error = session_do(s, (const char *)pg_schema.at, NULL);
    if (error == OK && !format)
        error = format_check(s);
    return error;
}

static enum err
statements_prepare(struct session *s, bool for_reading)
{
    enum err error = session_do(s, sql_settings, NULL);
    for (size_t i = 0; i < sizeof statements / sizeof *statements && error == OK; i++)
        if (statements[i].reading == for_reading)
            error = results_take(
                s, PQsendPrepare(s->pg, statements[i].name, statements[i].sql, 0, NULL), NULL);
    if (error == OK && for_reading)
        error = session_do(s, "LISTEN " PG_CHANNEL, NULL);
    return error;
}

static enum err
durability_look(struct session *s, char *note)
{
    PGresult *fsync;
    enum err error = session_do(s, "SHOW fsync", &fsync);
    if (error == OK && !cell_is(fsync, 0, "on"))
        snprintf(note, PG_STORE_WHY_MAX,
                 "this PostgreSQL has fsync off: it can lose what it said was done");
    PQclear(fsync);
    return error;
}

/* Notices are no matter of a person's terminal. */
static void
notice_drop(void *ctx, const PGresult *notice)
{
    (void)ctx, (void)notice;
}

static PGconn *
connect_to(const char *address)
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
        PG_CONNECT_TIMEOUT_DEFAULT, "seom", "5000", address, "UTF8", "read-write", NULL};
    return PQconnectdbParams(names, values, 1);
}

enum err
pg_session_open(const char *address, bool for_reading, uint32_t deadline_ms,
                const atomic_bool *stopping, PGconn **out, char why[PG_STORE_WHY_MAX],
                char note[PG_STORE_WHY_MAX])
{
    note[0] = why[0] = '\0';
    PGconn *pg = connect_to(address);
    CHECK(pg != NULL);
    enum err error = OK;
    if (PQstatus(pg) != CONNECTION_OK) {
        why_set(why, "PostgreSQL", PQerrorMessage(pg));
        error = ERR_UNAVAILABLE;
    }
    PQsetNoticeReceiver(pg, notice_drop, NULL);
    struct session s = {.pg = pg,
                        .until_us = process_mono_us() + (int64_t)deadline_ms * 1000,
                        .stopping = stopping,
                        .why = why};
    error = error == OK ? tables_prepare(&s) : error;
    error = error == OK ? statements_prepare(&s, for_reading) : error;
    error = error == OK ? durability_look(&s, note) : error;
    if (error == OK && (PQsetnonblocking(pg, 1) != 0 || PQenterPipelineMode(pg) != 1)) {
        why_set(why, "PostgreSQL", PQerrorMessage(pg));
        error = ERR_UNAVAILABLE;
    }
    if (error == OK) {
        *out = pg;
        return OK;
    }
    PQfinish(pg);
    return error;
}

enum err
pg_store_check(const char *address, char why[PG_STORE_WHY_MAX])
{
    char note[PG_STORE_WHY_MAX];
    PGconn *pg = NULL;
    enum err error = pg_session_open(address, false, PG_DEADLINE_MS_DEFAULT, NULL, &pg, why, note);
    if (error == OK)
        PQfinish(pg);
    return error;
}
