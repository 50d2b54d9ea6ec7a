#include "os/etcd_fixture.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77

static void
give_up(const char *what)
{
    fprintf(stderr, "etcd_fixture: %s\n", what);
    exit(1);
}

bool
etcd_fixture_start(struct etcd_fixture *f)
{
    const char *program = getenv("SEOM_ETCD");
    int in[2], out[2], status;
    if (program == NULL)
        give_up("SEOM_ETCD is not set; it tells where test/etcd.py is");
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || (f->pid = fork()) < 0)
        give_up("no pipe or no process");
    if (f->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execl(program, program, "serve", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    f->orders = fdopen(in[1], "w");
    f->answers = fdopen(out[0], "r");
    if (f->orders == NULL || f->answers == NULL)
        give_up("no stream");
    if (fgets(f->url, sizeof f->url, f->answers) != NULL) {
        f->url[strcspn(f->url, "\n")] = '\0';
        return true;
    }
    if (waitpid(f->pid, &status, 0) != f->pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != EXIT_SKIPPED)
        give_up("test/etcd.py started no server");
    printf("1..0 # SKIP etcd is not installed\n");
    return false;
}

void
etcd_fixture_order(struct etcd_fixture *f, const char *order)
{
    char line[16];
    if (fprintf(f->orders, "%s\n", order) < 0 || fflush(f->orders) != 0 ||
        fgets(line, sizeof line, f->answers) == NULL || strcmp(line, "done\n") != 0)
        give_up(order);
}

void
etcd_fixture_stop(struct etcd_fixture *f)
{
    int status;
    fclose(f->orders);
    if (waitpid(f->pid, &status, 0) != f->pid || status != 0)
        give_up("test/etcd.py did not end well");
    fclose(f->answers);
}
