/* `seom tree`: the world as it runs, in its three words: world, host, node, and what each node
 * does. It asks the node's own /status; more nodes join the picture when worlds have more.
 */
#include "app/commands.h"
#include "app/output.h"
#include "base/check.h"
#include "os/address.h"
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX 8192
#define ANSWER_WAIT_MS   3000
#define DEFAULT_HTTP     "127.0.0.1:7780"

struct tree_options {
    const char *http;
    struct address address;
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
    struct tree_options *o = state->input;
    if (key != 'h' && key != ARGP_KEY_END) {
        return ARGP_ERR_UNKNOWN;
    }
    if (key == 'h') {
        o->http = arg;
        return 0;
    }
    const char *wrong = address_parse(o->http, &o->address);
    if (wrong != NULL) {
        argp_error(state, "--http %s: %s", o->http, wrong);
    }
    return 0;
}

/* Reads until the other side closes: HTTP/1.0 needs no more. */
static size_t
read_answer(int fd, char *out, size_t max)
{
    size_t used = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (used < max && poll(&ready, 1, ANSWER_WAIT_MS) == 1) {
        ssize_t n = read(fd, out + used, max - used);
        if (n <= 0) {
            break;
        }
        used += (size_t)n;
    }
    return used;
}

/* The body of GET /status, or NULL with errno. */
static json_t *
ask_status(const struct address *address)
{
    static const char request[] = "GET /status HTTP/1.0\r\nHost: seom\r\nConnection: close\r\n\r\n";
    char answer[ANSWER_BYTES_MAX + 1];
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return NULL;
    }
    size_t used = 0;
    if (connect(fd, (const struct sockaddr *)&address->socket, address->socket_bytes) == 0 &&
        write(fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1) {
        used = read_answer(fd, answer, ANSWER_BYTES_MAX);
    }
    int error = errno;
    close(fd);
    errno = error;
    answer[used] = 0;
    const char *body = strstr(answer, "\r\n\r\n");
    return body == NULL ? NULL : json_loads(body + 4, 0, NULL);
}

static int
tell(const struct tree_options *o, json_t *status)
{
    int world = 0, players = 0, bots = 0, islands = 0;
    const char *node, *host, *version, *play;
    if (json_unpack(status, "{s:i,s:i,s:i,s:i,s:s,s:s,s:s,s:s}", "world", &world, "players",
                    &players, "bots", &bots, "islands", &islands, "node", &node, "host", &host,
                    "version", &version, "play", &play) != 0) {
        fprintf(stderr, "seom tree: what answers at %s is no node of seom\n", o->http);
        return 1;
    }
    fprintf(stderr,
            "world %d   %d islands\n  host %s\n    node %s   gate, home   %d players (%d bots)   "
            "%s   seom %s\n",
            world, islands, host, node, players, bots, play, version);
    json_t *out = json_pack("{s:[{s:i,s:[{s:s,s:[{s:s,s:[ss],s:i,s:s,s:s}]}]}]}", "worlds", "world",
                            world, "hosts", "host", host, "nodes", "node", node, "roles", "gate",
                            "home", "players", players, "play", play, "version", version);
    CHECK(out != NULL);
    return output_result(&out);
}

int
tree_command(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"http", 'h', "ADDR:PORT", 0, "where a node tells its figures (default " DEFAULT_HTTP ")",
         0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Print the hierarchy of a running world: world, hosts, nodes."};
    struct tree_options o = {.http = DEFAULT_HTTP};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    json_t *status = ask_status(&o.address);
    if (status == NULL) {
        fprintf(stderr,
                "seom tree: nobody answers at %s (%s); is a world running there? See --http.\n",
                o.http, errno != 0 ? strerror(errno) : "no answer in time");
        return 1;
    }
    int code = tell(&o, status);
    json_decref(status);
    return code;
}
