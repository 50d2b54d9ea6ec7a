#include "os/pg_bulk.h"

#include "base/check.h"
#include "os/pg_inside.h"
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TUPLE_MAX (2 + 3 * 4 + STORE_KEY_MAX + 8 + STORE_VALUE_ENGINE_MAX)
#define FIELDS    3

struct pg_bulk {
    PGconn *pg; /* owned */
    uint8_t tuple[TUPLE_MAX];
};

static enum err
failed(const struct pg_bulk *b, const char *what, char *why)
{
    const char *text = PQerrorMessage(b->pg);
    snprintf(why, PG_STORE_WHY_MAX, "%s: %.*s", what, (int)strcspn(text, "\n"), text);
    return ERR_IO;
}

static enum err
execute(struct pg_bulk *b, const char *sql, ExecStatusType wanted, char *why)
{
    PGresult *result = PQexec(b->pg, sql);
    bool fine = PQresultStatus(result) == wanted;
    PQclear(result);
    return fine ? OK : failed(b, "the server refused", why);
}

enum err
pg_bulk_open(const char *address, struct pg_bulk **out, char why[PG_STORE_WHY_MAX])
{
    char note[PG_STORE_WHY_MAX];
    struct pg_bulk *b = calloc(1, sizeof *b);
    CHECK(b != NULL);
    enum err e = pg_session_open(address, false, PG_DEADLINE_MS_DEFAULT, NULL, &b->pg, why, note);
    /* A session of the engine talks in a pipeline, and gives up what takes longer than a commit
     * may.
     */
    if (e == OK && (PQexitPipelineMode(b->pg) != 1 || PQsetnonblocking(b->pg, 0) != 0))
        e = failed(b, "the connection cannot be used", why);
    if (e == OK)
        e = execute(b, "SET statement_timeout = 0; SET lock_timeout = 0", PGRES_COMMAND_OK, why);
    if (e == OK)
        *out = b;
    else
        pg_bulk_close(&b);
    return e;
}

void
pg_bulk_close(struct pg_bulk **bulk)
{
    CHECK(*bulk != NULL);
    PQfinish((*bulk)->pg);
    free(*bulk);
    *bulk = NULL;
}

/* ---- in ---- */

static uint8_t *
put_u32(uint8_t *at, uint32_t v)
{
    uint32_t big = htobe32(v);
    return (uint8_t *)memcpy(at, &big, sizeof big) + sizeof big;
}

static uint8_t *
put_field(uint8_t *at, const void *bytes, size_t n)
{
    at = put_u32(at, (uint32_t)n);
    if (n > 0)
        memcpy(at, bytes, n);
    return at + n;
}

static enum err
copy_data(struct pg_bulk *b, const void *bytes, size_t n, char *why)
{
    bool fine = PQputCopyData(b->pg, bytes, (int)n) == 1;
    return fine ? OK : failed(b, "the copy broke off", why);
}

enum err
pg_bulk_begin(struct pg_bulk *b, char why[PG_STORE_WHY_MAX])
{
    static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* signature, flags, extension */
    enum err e = execute(b,
                         "BEGIN; CREATE TEMP TABLE seom_bulk (key text, version bigint, value "
                         "bytea) ON COMMIT DROP",
                         PGRES_COMMAND_OK, why);
    if (e == OK)
        e = execute(b, "COPY seom_bulk FROM STDIN (FORMAT binary)", PGRES_COPY_IN, why);
    return e == OK ? copy_data(b, head, sizeof head, why) : e;
}

enum err
pg_bulk_put(struct pg_bulk *b, struct slice key, const struct store_doc *doc,
            char why[PG_STORE_WHY_MAX])
{
    uint64_t version = htobe64(doc->version);
    uint16_t fields = htobe16(FIELDS);
    CHECK(key.bytes <= STORE_KEY_MAX && doc->value.bytes <= STORE_VALUE_ENGINE_MAX);
    memcpy(b->tuple, &fields, sizeof fields);
    uint8_t *at = put_field(b->tuple + sizeof fields, key.at, key.bytes);
    at = put_field(at, &version, sizeof version);
    if (doc->exists)
        at = put_field(at, doc->value.at, doc->value.bytes);
    else
        at = put_u32(at, UINT32_MAX); /* NULL */
    return copy_data(b, b->tuple, (size_t)(at - b->tuple), why);
}

enum err
pg_bulk_end(struct pg_bulk *b, char why[PG_STORE_WHY_MAX])
{
    static const uint8_t tail[] = {0xff, 0xff};
    enum err e = copy_data(b, tail, sizeof tail, why);
    bool fine = PQputCopyEnd(b->pg, NULL) == 1;
    PGresult *result;
    while ((result = PQgetResult(b->pg)) != NULL) {
        fine &= PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    if (e == OK && !fine)
        e = failed(b, "the copy was refused", why);
    if (e != OK)
        return e;
    return execute(b,
                   "INSERT INTO seom.document (key, version, value) SELECT key, version, value "
                   "FROM seom_bulk ON CONFLICT (key) DO UPDATE SET version = EXCLUDED.version, "
                   "value = EXCLUDED.value; COMMIT",
                   PGRES_COMMAND_OK, why);
}

/* ---- out ---- */

static bool
each_row(const PGresult *row, lmdb_scan_each *each, void *ctx)
{
    uint64_t version;
    struct slice key = {(const uint8_t *)PQgetvalue(row, 0, 0), (size_t)PQgetlength(row, 0, 0)};
    CHECK(PQgetlength(row, 0, 1) == sizeof version);
    memcpy(&version, PQgetvalue(row, 0, 1), sizeof version);
    struct store_doc doc = {.version = be64toh(version), .exists = !PQgetisnull(row, 0, 2)};
    if (doc.exists)
        doc.value =
            (struct slice){(const uint8_t *)PQgetvalue(row, 0, 2), (size_t)PQgetlength(row, 0, 2)};
    return each(ctx, key, &doc);
}

enum err
pg_bulk_each(struct pg_bulk *b, const char *prefix, lmdb_scan_each *each, void *ctx,
             char why[PG_STORE_WHY_MAX])
{
    const char *const values[] = {prefix};
    bool fine = PQsendQueryParams(b->pg,
                                  "SELECT key, version, value FROM seom.document "
                                  "WHERE starts_with(key, $1)",
                                  1, NULL, values, NULL, NULL, 1) == 1 &&
                PQsetSingleRowMode(b->pg) == 1;
    bool goes_on = fine;
    PGresult *row;
    while ((row = PQgetResult(b->pg)) != NULL) {
        ExecStatusType status = PQresultStatus(row);
        if (status == PGRES_SINGLE_TUPLE && goes_on)
            goes_on = each_row(row, each, ctx);
        fine &= status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK;
        PQclear(row);
    }
    return fine ? OK : failed(b, "the documents cannot be read", why);
}
