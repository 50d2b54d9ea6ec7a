#include "app/control_client.h"
#include "base/check.h"
#include "os/os_err.h"
#include "os/process.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_BYTES 65536

struct control_client {
    struct loop *loop; /* borrowed */
    control_answered *answered;
    void *ctx;
    struct loop_watch watch;
    int fd;
    bool waits;
    char *in; /* owned; grows to CONTROL_ANSWER_MAX */
    size_t in_bytes, in_max;
};

/* Room for READ_BYTES more; false: the answer is larger than its limit. */
static bool
client_grow(struct control_client *client)
{
    if (client->in_bytes + READ_BYTES <= client->in_max)
        return true;
    if (client->in_bytes > CONTROL_ANSWER_MAX)
        return false;
    client->in_max = client->in_bytes + 2 * READ_BYTES;
    client->in = realloc(client->in, client->in_max);
    CHECK(client->in != NULL);
    return true;
}

/* Whether the answer is whole now; *gone: it will never be. */
static bool
client_read(struct control_client *client, bool *gone)
{
    *gone = true;
    if (!client_grow(client))
        return false;
    ssize_t n = recv(client->fd, client->in + client->in_bytes, READ_BYTES, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        return false;
    *gone = false;
    if (n < 0)
        return false;
    client->in_bytes += (size_t)n;
    return client->in[client->in_bytes - 1] == '\n';
}

static void
client_ready(void *ctx, uint32_t events)
{
    (void)events;
    struct control_client *client = ctx;
    bool gone;
    bool whole = client_read(client, &gone);
    if (!whole && !gone)
        return;
    json_t *answer =
        whole && client->waits ? json_loadb(client->in, client->in_bytes, 0, NULL) : NULL;
    client->waits = false;
    client->in_bytes = 0;
    /* Whoever answers what nobody asked, or what is no object, is not heard any more. The
     * call-back may close the client: nothing of it is touched afterwards. */
    client->answered(client->ctx, json_is_object(answer) ? answer : NULL);
    json_decref(answer);
}

static enum err
client_connect(const char *path, int *out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) > CONTROL_PATH_MAX)
        return ERR_TOO_LARGE;
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return os_err(errno);
    /* Between processes of one machine this never takes time: it is done, or refused. */
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        enum err error = os_err(errno);
        close(fd);
        return error;
    }
    *out = fd;
    return OK;
}

enum err
control_client_open(struct loop *loop, const char *path, control_answered *answered, void *ctx,
                    struct control_client **out)
{
    CHECK(answered != NULL);
    int fd = -1;
    enum err error = client_connect(path, &fd);
    if (error != OK)
        return error;
    struct control_client *client = calloc(1, sizeof *client);
    CHECK(client != NULL);
    *client = (struct control_client){.loop = loop,
                                      .answered = answered,
                                      .ctx = ctx,
                                      .watch = {.ready = client_ready, .ctx = client},
                                      .fd = fd};
    error = loop_add(loop, fd, EPOLLIN, &client->watch);
    if (error != OK) {
        close(fd);
        free(client);
        return error;
    }
    *out = client;
    return OK;
}

void
control_client_close(struct control_client **client)
{
    struct control_client *gone = *client;
    if (gone == NULL)
        return;
    loop_remove(gone->loop, gone->fd, &gone->watch);
    close(gone->fd);
    free(gone->in);
    free(gone);
    *client = NULL;
}

bool
control_client_waits(const struct control_client *client)
{
    return client->waits;
}

enum err
control_client_ask(struct control_client *client, const json_t *request)
{
    CHECK(!client->waits);
    char *text = json_dumps(request, JSON_COMPACT);
    CHECK(text != NULL);
    size_t bytes = strlen(text) + 1;
    if (bytes > CONTROL_REQUEST_MAX) {
        free(text);
        return ERR_TOO_LARGE;
    }
    text[bytes - 1] = '\n'; /* in place of the NUL */
    /* One request is far less than the socket holds, and the one before it was answered. */
    ssize_t n = send(client->fd, text, bytes, MSG_NOSIGNAL);
    free(text);
    client->waits = n == (ssize_t)bytes;
    return client->waits ? OK : ERR_CLOSED;
}

struct asked {
    json_t *answer;
    bool done;
};

static void
asked_answered(void *ctx, const json_t *answer)
{
    struct asked *asked = ctx;
    asked->done = true;
    asked->answer = json_deep_copy(answer);
}

static enum err
ask_on(struct loop *loop, const char *path, const json_t *request, uint32_t wait_ms,
       struct asked *asked)
{
    struct control_client *client;
    enum err error = control_client_open(loop, path, asked_answered, asked, &client);
    if (error != OK)
        return error;
    error = control_client_ask(client, request);
    int64_t until_us = process_mono_us() + (int64_t)wait_ms * 1000;
    while (error == OK && !asked->done) {
        int64_t left_us = until_us - process_mono_us();
        if (left_us <= 0)
            error = ERR_TIMEOUT;
        else
            loop_turn(loop, left_us);
    }
    if (error == OK && asked->answer == NULL)
        error = ERR_CLOSED;
    control_client_close(&client);
    return error;
}

enum err
control_ask(const char *path, const json_t *request, uint32_t wait_ms, json_t **answer, char *why,
            size_t why_bytes)
{
    struct loop *loop;
    struct asked asked = {0};
    enum err error = loop_open(&loop);
    if (error == OK) {
        error = ask_on(loop, path, request, wait_ms, &asked);
        loop_close(&loop);
    }
    *answer = asked.answer;
    if (error == ERR_NOT_FOUND || error == ERR_UNAVAILABLE)
        snprintf(why, why_bytes, "nobody answers on %s", path);
    else if (error != OK)
        snprintf(why, why_bytes, "asking on %s: %s", path, err_text(error));
    return error;
}
