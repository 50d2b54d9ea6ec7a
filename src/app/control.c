#include "app/control.h"
#include "base/check.h"
#include "os/os_err.h"
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct connection {
    struct control *control;
    struct loop_watch watch;
    int fd;         /* -1: free */
    uint64_t spoke; /* grows with each request heard on any connection */
    size_t in_bytes;
    char in[CONTROL_REQUEST_MAX];
    char *out; /* owned; NULL: nothing to write */
    size_t out_bytes, out_at;
};

struct control {
    struct loop *loop; /* borrowed */
    const struct control_command *commands;
    void *ctx;
    struct loop_watch watch;
    int fd;
    uid_t owner;
    uint64_t requests;
    char path[CONTROL_PATH_MAX + 1];
    struct connection connections[CONTROL_CONNECTIONS_MAX];
};

json_t *
control_error(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_t *answer = json_pack("{s:s}", "error", text);
    return answer != NULL ? answer : json_pack("{s:s}", "error", "it cannot be said in UTF-8");
}

static json_t *
commands_list(const struct control *control)
{
    json_t *list = json_array();
    for (const struct control_command *c = control->commands; c->name != NULL; c++)
        json_array_append_new(list, json_pack("{s:s,s:s}", "command", c->name, "help", c->help));
    return json_pack("{s:o}", "commands", list);
}

static json_t *
request_answer(const struct control *control, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "command"));
    if (name == NULL)
        return control_error("a request is one line: {\"command\":\"help\"}");
    if (strcmp(name, "help") == 0)
        return commands_list(control);
    for (const struct control_command *c = control->commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0)
            return c->run(control->ctx, request);
    }
    return control_error("there is no command \"%s\"; \"help\" lists them", name);
}

/* The line, without its end, to the line that answers it. */
static void
connection_hear(struct connection *c, size_t bytes)
{
    CHECK(c->out == NULL);
    c->spoke = ++c->control->requests;
    json_t *request = json_loadb(c->in, bytes, JSON_REJECT_DUPLICATES, NULL);
    json_t *answer = request_answer(c->control, request);
    CHECK(json_is_object(answer));
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(request);
    json_decref(answer);
    if (text == NULL || strlen(text) + 1 > CONTROL_ANSWER_MAX) {
        free(text);
        text = strdup("{\"error\":\"the answer is larger than its limit\"}");
    }
    CHECK(text != NULL);
    c->out = text;
    c->out_at = 0;
    c->out_bytes = strlen(text) + 1;
    text[c->out_bytes - 1] = '\n'; /* in place of the NUL */
}

static void
connection_close(struct connection *c)
{
    loop_remove(c->control->loop, c->fd, &c->watch);
    close(c->fd);
    c->fd = -1;
    free(c->out);
    c->out = NULL;
    c->in_bytes = 0;
}

/* false: it was closed, or waits until there is room to write. */
static bool
connection_write(struct connection *c)
{
    while (c->out_at < c->out_bytes) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_bytes - c->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            loop_change(c->control->loop, c->fd, EPOLLOUT, &c->watch);
            return false;
        }
        if (n < 0) {
            connection_close(c);
            return false;
        }
        c->out_at += (size_t)n;
    }
    free(c->out);
    c->out = NULL;
    loop_change(c->control->loop, c->fd, EPOLLIN, &c->watch);
    return true;
}

/* Answers the whole lines that have come. */
static void
connection_serve(struct connection *c)
{
    const char *end;
    while ((end = memchr(c->in, '\n', c->in_bytes)) != NULL) {
        size_t line = (size_t)(end - c->in);
        connection_hear(c, line);
        c->in_bytes -= line + 1;
        memmove(c->in, c->in + line + 1, c->in_bytes);
        if (!connection_write(c))
            return;
    }
    if (c->in_bytes == sizeof c->in)
        connection_close(c);
}

static void
connection_ready(void *ctx, uint32_t events)
{
    struct connection *c = ctx;
    if (c->out != NULL) {
        if ((events & (EPOLLERR | EPOLLHUP)) != 0)
            connection_close(c);
        else if (connection_write(c))
            connection_serve(c);
        return;
    }
    ssize_t n = recv(c->fd, c->in + c->in_bytes, sizeof c->in - c->in_bytes, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        connection_close(c);
        return;
    }
    c->in_bytes += (size_t)n;
    connection_serve(c);
}

/* A free place; the connection that has been silent for longest makes way when there is none. */
static struct connection *
connection_place(struct control *control)
{
    struct connection *silent = &control->connections[0];
    for (uint32_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        struct connection *c = &control->connections[i];
        if (c->fd < 0)
            return c;
        if (c->spoke < silent->spoke)
            silent = c;
    }
    connection_close(silent);
    return silent;
}

static bool
peer_is_welcome(const struct control *control, int fd)
{
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
           (peer.uid == control->owner || peer.uid == 0);
}

static void
control_ready(void *ctx, uint32_t events)
{
    struct control *control = ctx;
    (void)events;
    int fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (!peer_is_welcome(control, fd)) {
        close(fd);
        return;
    }
    struct connection *c = connection_place(control);
    c->fd = fd;
    c->spoke = ++control->requests;
    if (loop_add(control->loop, fd, EPOLLIN, &c->watch) != OK) {
        close(fd);
        c->fd = -1;
    }
}

/* A socket file outlives a process that was killed: it may go when nobody answers there. */
static enum err
stale_remove(const struct sockaddr_un *address)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return os_err(errno);
    bool refused = connect(probe, (const struct sockaddr *)address, sizeof *address) < 0 &&
                   errno == ECONNREFUSED;
    close(probe);
    if (!refused)
        return OK; /* nobody has it, or bind() will say who does */
    return unlink(address->sun_path) == 0 ? OK : os_err(errno);
}

static enum err
control_listen(struct control *control)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, control->path, sizeof control->path);
    enum err error = stale_remove(&address);
    if (error != OK)
        return error;
    control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (control->fd < 0)
        return os_err(errno);
    /* The file takes its mode from the socket, so nobody else can connect before it has it. */
    if (fchmod(control->fd, S_IRUSR | S_IWUSR) < 0 ||
        bind(control->fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(control->fd, CONTROL_CONNECTIONS_MAX) < 0)
        error = os_err(errno);
    if (error == OK)
        error = loop_add(control->loop, control->fd, EPOLLIN, &control->watch);
    if (error != OK)
        close(control->fd);
    return error;
}

enum err
control_open(struct loop *loop, const char *path, const struct control_command *commands, void *ctx,
             struct control **out, char *why, size_t why_bytes)
{
    if (strlen(path) > CONTROL_PATH_MAX) {
        snprintf(why, why_bytes,
                 "the path of the control socket %s is longer than %d bytes: choose a shorter "
                 "--data",
                 path, CONTROL_PATH_MAX);
        return ERR_TOO_LARGE;
    }
    struct control *control = calloc(1, sizeof *control);
    CHECK(control != NULL);
    control->loop = loop;
    control->commands = commands;
    control->ctx = ctx;
    control->watch = (struct loop_watch){.ready = control_ready, .ctx = control};
    control->owner = geteuid();
    snprintf(control->path, sizeof control->path, "%s", path);
    for (uint32_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        struct connection *c = &control->connections[i];
        c->control = control;
        c->watch = (struct loop_watch){.ready = connection_ready, .ctx = c};
        c->fd = -1;
    }
    enum err error = control_listen(control);
    if (error != OK) {
        free(control);
        snprintf(why, why_bytes,
                 error == ERR_EXISTS ? "another process answers on %s%s"
                                     : "the control socket %s: %s",
                 path, error == ERR_EXISTS ? "" : err_text(error));
        return error;
    }
    *out = control;
    return OK;
}

void
control_close(struct control **control)
{
    struct control *gone = *control;
    if (gone == NULL)
        return;
    for (uint32_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        if (gone->connections[i].fd >= 0)
            connection_close(&gone->connections[i]);
    }
    loop_remove(gone->loop, gone->fd, &gone->watch);
    close(gone->fd);
    unlink(gone->path);
    free(gone);
    *control = NULL;
}
