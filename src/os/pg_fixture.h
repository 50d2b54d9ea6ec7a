/* For tests: a PostgreSQL server of their own, made by test/postgres.py, whose path the environment
 * variable SEOM_POSTGRES tells. It ends with the process that started it.
 */
#ifndef SEOM_OS_PG_FIXTURE_H
#define SEOM_OS_PG_FIXTURE_H

#include <stdbool.h>
#include <sys/types.h>

#define PG_ADDRESS_MAX 256

struct pg_fixture {
    pid_t pid;
    int stdin_fd; /* the server stops when it is closed */
    char address[PG_ADDRESS_MAX];
    char directory[PG_ADDRESS_MAX]; /* of its socket */
};

/* False: PostgreSQL is not installed, and a line of TAP says that the test is skipped. Whatever
 * else goes wrong ends the process. */
bool pg_fixture_start(struct pg_fixture *f);
void pg_fixture_stop(struct pg_fixture *f);
/* One or more statements, which must succeed. The first cell of the last rows, as a number. */
long pg_fixture_query(const struct pg_fixture *f, const char *sql);
/* As it was at first: nobody else is connected, and nothing of a store is there. */
void pg_fixture_empty(const struct pg_fixture *f);

#endif
