/* `seom tree`: the world as it runs, in its three words: world, host, node, and what each node
 * does. It asks the node's own /status, and whoever keeps a cluster for /nodes.json as well.
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

#define ANSWER_BYTES_MAX 262144
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

/* The body of GET path, or NULL with errno; nothing of that kind there: NULL and errno 0. */
static json_t *
ask(const struct address *address, const char *path)
{
    char request[128];
    char *answer = malloc(ANSWER_BYTES_MAX + 1);
    CHECK(answer != NULL);
    int bytes = snprintf(request, sizeof request,
                         "GET %s HTTP/1.0\r\nHost: seom\r\nConnection: close\r\n\r\n", path);
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t used = 0;
    errno = 0;
    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)&address->socket, address->socket_bytes) == 0 &&
        write(fd, request, (size_t)bytes) == bytes) {
        used = read_answer(fd, answer, ANSWER_BYTES_MAX);
    }
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    answer[used] = 0;
    const char *body = strstr(answer, "\r\n\r\n");
    json_t *object = body == NULL ? NULL : json_loads(body + 4, 0, NULL);
    free(answer);
    errno = error;
    return object;
}

/* Of a cluster: its nodes below the host, instead of the one that answered. */
static void
tell_nodes(const json_t *nodes)
{
    size_t i;
    const json_t *node;
    json_array_foreach(nodes, i, node)
    {
        const char *name = "", *role = "", *state = "";
        int shard = 1, players = 0;
        if (json_unpack((json_t *)(uintptr_t)node, "{s:s, s:s, s:s, s:i, s?i}", "name", &name,
                        "role", &role, "state", &state, "shard", &shard, "players",
                        &players) == 0) {
            fprintf(stderr, "    node %-10s %-6s shard %d   %6d players   %s\n", name, role, shard,
                    players, state);
        }
    }
}

static int
tell(const struct tree_options *o, json_t *status, json_t *nodes)
{
    int world = 0, players = 0, bots = 0, islands = 0;
    const char *node, *host, *version, *play;
    if (json_unpack(status, "{s:i,s:i,s:i,s:i,s:s,s:s,s:s,s:s}", "world", &world, "players",
                    &players, "bots", &bots, "islands", &islands, "node", &node, "host", &host,
                    "version", &version, "play", &play) != 0) {
        fprintf(stderr, "seom tree: what answers at %s is no node of seom\n", o->http);
        return 1;
    }
    fprintf(stderr, "world %d   %d islands   %d players (%d bots)   seom %s\n  host %s\n", world,
            islands, players, bots, version, host);
    json_t *list = json_incref(json_object_get(nodes, "nodes"));
    if (list != NULL) {
        tell_nodes(list);
    } else {
        fprintf(stderr, "    node %s   gate, home   %s\n", node, play);
        list = json_pack("[{s:s,s:[ss],s:i,s:s,s:s}]", "node", node, "roles", "gate", "home",
                         "players", players, "play", play, "version", version);
    }
    json_t *out = json_pack("{s:[{s:i,s:[{s:s,s:o}]}]}", "worlds", "world", world, "hosts", "host",
                            host, "nodes", list);
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
    json_t *status = ask(&o.address, "/status");
    if (status == NULL) {
        fprintf(stderr,
                "seom tree: nobody answers at %s (%s); is a world running there? See --http.\n",
                o.http, errno != 0 ? strerror(errno) : "no answer in time");
        return 1;
    }
    json_t *nodes = ask(&o.address, "/nodes.json");
    int code = tell(&o, status, nodes);
    json_decref(nodes);
    json_decref(status);
    return code;
}
