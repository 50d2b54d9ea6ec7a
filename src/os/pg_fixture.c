#include "os/pg_fixture.h"
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77

static void
give_up(const char *what)
{
    fprintf(stderr, "pg_fixture: %s\n", what);
    exit(1);
}

static void
address_read(struct pg_fixture *f, int fd)
{
    size_t used = 0;
    ssize_t n;
    while (used < sizeof f->address - 1 &&
           (n = read(fd, f->address + used, sizeof f->address - 1 - used)) > 0) {
        used += (size_t)n;
        if (f->address[used - 1] == '\n')
            break;
    }
    f->address[used] = '\0';
    f->address[strcspn(f->address, "\n")] = '\0';
}

/* "...?host=%2Fdev%2Fshm%2Fx&port=5432": of escapes there are only slashes. */
static void
directory_find(struct pg_fixture *f)
{
    const char *from = strstr(f->address, "host=");
    if (from == NULL)
        give_up("an address without a host");
    char *to = f->directory;
    for (from += strlen("host="); *from != '\0' && *from != '&'; from++) {
        bool slash = strncmp(from, "%2F", 3) == 0;
        *to++ = slash ? '/' : *from;
        from += slash ? 2 : 0;
    }
    *to = '\0';
}

bool
pg_fixture_start(struct pg_fixture *f)
{
    const char *script = getenv("SEOM_POSTGRES");
    if (script == NULL)
        give_up("SEOM_POSTGRES does not name test/postgres.py");
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        give_up("no pipe");
    *f = (struct pg_fixture){.pid = fork(), .stdin_fd = in[1]};
    if (f->pid < 0)
        give_up("no process");
    if (f->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execl("/usr/bin/python3", "python3", script, "serve", "fsync=off", "max_connections=40",
              "deadlock_timeout=10", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    address_read(f, out[0]);
    close(out[0]);
    if (f->address[0] != '\0') {
        directory_find(f);
        return true;
    }
    int status = 0;
    waitpid(f->pid, &status, 0);
    close(f->stdin_fd);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SKIPPED)
        give_up("no server was started");
    printf("1..0 # SKIP PostgreSQL's server is not installed\n");
    return false;
}

void
pg_fixture_stop(struct pg_fixture *f)
{
    close(f->stdin_fd);
    waitpid(f->pid, NULL, 0);
    f->pid = 0;
}

long
pg_fixture_query(const struct pg_fixture *f, const char *sql)
{
    PGconn *pg = PQconnectdb(f->address);
    PQclear(PQexec(pg, "SET client_min_messages = warning;"
                       "SET default_transaction_read_only = off"));
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        give_up(PQerrorMessage(pg));
    long number = PQntuples(result) > 0 ? strtol(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    PQfinish(pg);
    return number;
}

/* The server may still be at work for a connection that was closed or cut: what it has read it
 * does, and a commit that comes late would write into the tables that are made next. */
void
pg_fixture_empty(const struct pg_fixture *f)
{
    (void)pg_fixture_query(f, "DO $$ BEGIN LOOP"
                              " PERFORM pg_stat_clear_snapshot();"
                              " PERFORM pg_terminate_backend(pid) FROM pg_stat_activity"
                              " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();"
                              " EXIT WHEN NOT FOUND;"
                              " PERFORM pg_sleep(0.001); END LOOP; END $$;"
                              "DROP SCHEMA IF EXISTS seom CASCADE");
}
