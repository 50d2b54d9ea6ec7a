/* Which processes a cluster has: as many homes and gates as were asked for, on the ports they had
 * the last time where those are still free, so that clients and links find them again. */
#include "app/cluster.h"
#include "app/config_table.h"
#include "app/output.h"
#include "base/check.h"
#include "fabric/book.h"
#include "fabric/shards.h"
#include "os/files.h"
#include "os/listen.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOMES_DEFAULT 3
#define GATES_DEFAULT 2
#define RELAYS        2 /* of each shard, where there are several */

const char *
cluster_kind_name(enum cluster_kind kind)
{
    static const char *const names[CLUSTER_KINDS] = {
        [CLUSTER_POSTGRES] = "postgres", [CLUSTER_ETCD] = "etcd", [CLUSTER_HOME] = "home",
        [CLUSTER_RELAY] = "relay",       [CLUSTER_GATE] = "gate", [CLUSTER_BOTS] = "bots"};
    CHECK(kind < CLUSTER_KINDS);
    return names[kind];
}

bool
cluster_kind_is_node(enum cluster_kind kind)
{
    return kind == CLUSTER_HOME || kind == CLUSTER_RELAY || kind == CLUSTER_GATE;
}

static enum node_role
role_of(enum cluster_kind kind)
{
    CHECK(cluster_kind_is_node(kind));
    return kind == CLUSTER_HOME ? NODE_HOME : kind == CLUSTER_GATE ? NODE_GATE : NODE_RELAY;
}

static void
name_of(enum cluster_kind kind, uint16_t shard, uint16_t index, char out[SUPERVISE_NAME_MAX])
{
    static_assert(SUPERVISE_NAME_MAX >= NODE_NAME_MAX, "a member has the name of its node");
    const char *name = cluster_kind_name(kind);
    if (cluster_kind_is_node(kind))
        node_name(role_of(kind), shard, index, out);
    else if (kind == CLUSTER_BOTS)
        snprintf(out, SUPERVISE_NAME_MAX, "%s-%u", name, index);
    else
        snprintf(out, SUPERVISE_NAME_MAX, "%s", name);
}

/* ---- ports ---- */

static bool
port_is_free(const struct address *host, uint16_t port)
{
    struct address there;
    char text[ADDRESS_TEXT_MAX];
    int fd;
    there = *host;
    there.port = port;
    address_text(&there, text);
    CHECK(address_parse(text, &there) == NULL);
    if (listen_open((const struct sockaddr *)&there.socket, there.socket_bytes, 1, &fd) != OK)
        return false;
    close(fd);
    return true;
}

static bool
port_is_ours(const struct cluster *c, uint16_t port)
{
    if (port == c->engines.etcd_port || port == c->engines.etcd_peer_port)
        return true;
    for (uint32_t i = 0; i < c->members_count; i++) {
        if (c->members[i].port == port)
            return true;
    }
    return false;
}

/* One that nobody listens on and that is given to nobody here; 0: there is none. */
static uint16_t
port_find(const struct cluster *c, uint16_t wanted)
{
    struct address host;
    CHECK(address_parse("127.0.0.1:0", &host) == NULL);
    if (wanted != 0 && !port_is_ours(c, wanted) && port_is_free(&host, wanted))
        return wanted;
    for (uint32_t tries = 0; tries < 2 * SUPERVISE_MEMBERS_MAX; tries++) {
        int fd;
        uint16_t port;
        if (listen_loopback(&fd, &port) != OK)
            return 0;
        close(fd);
        /* The search begins where this process always does: on past those that are only given away.
         */
        for (; port < 30000 && (port_is_ours(c, port) || !port_is_free(&host, port)); port++) {
        }
        if (port < 30000)
            return port;
    }
    return 0;
}

void
cluster_address(const struct cluster *c, const struct cluster_member *m, char out[ADDRESS_TEXT_MAX])
{
    CHECK(cluster_kind_is_node(m->kind));
    struct address address = m->kind == CLUSTER_GATE ? c->input.config.play : c->input.config.links;
    address.port = m->port;
    address_text(&address, out);
}

/* ---- members ---- */

static uint16_t
next_index(const struct cluster *c, enum cluster_kind kind, uint16_t shard)
{
    uint16_t highest = 0;
    for (uint32_t i = 0; i < c->members_count; i++) {
        const struct cluster_member *m = &c->members[i];
        if (m->kind == kind && m->shard == shard && m->index > highest)
            highest = m->index;
    }
    return (uint16_t)(highest + 1);
}

enum err
cluster_add(struct cluster *c, enum cluster_kind kind, uint16_t shard, uint16_t index,
            uint16_t port, uint32_t *member)
{
    char name[SUPERVISE_NAME_MAX];
    uint32_t nodes = 0;
    for (uint32_t i = 0; i < c->members_count; i++)
        nodes += cluster_kind_is_node(c->members[i].kind);
    if (cluster_kind_is_node(kind) && nodes == CLUSTER_NODES_MAX)
        return ERR_FULL;
    if (index == 0)
        index = next_index(c, kind, shard);
    if (cluster_kind_is_node(kind)) {
        port = port_find(c, port);
        if (port == 0)
            return ERR_FULL;
    }
    name_of(kind, shard, index, name);
    enum err error =
        supervise_add(c->supervisor, name, kind == CLUSTER_POSTGRES ? SIGINT : SIGTERM, member);
    if (error != OK)
        return error;
    CHECK(*member == c->members_count);
    c->members[c->members_count++] =
        (struct cluster_member){.kind = kind, .shard = shard, .index = index, .port = port};
    c->changed = true;
    return OK;
}

/* ---- cluster.json ---- */

static json_t *
member_json(const struct cluster *c, uint32_t i)
{
    const struct cluster_member *m = &c->members[i];
    const struct member *process = supervise_member(c->supervisor, i);
    json_t *row =
        json_pack("{s:s, s:s, s:i, s:s}", "name", process->name, "role", cluster_kind_name(m->kind),
                  "pid", (int)process->pid, "state", member_state_name(process->state));
    CHECK(row != NULL);
    if (cluster_kind_is_node(m->kind)) {
        char address[ADDRESS_TEXT_MAX];
        cluster_address(c, m, address);
        json_object_set_new(row, "shard", json_integer(m->shard));
        json_object_set_new(row, "index", json_integer(m->index));
        json_object_set_new(row, "port", json_integer(m->port));
        json_object_set_new(row, m->kind == CLUSTER_GATE ? "play" : "links", json_string(address));
        if (m->program[0] != 0)
            json_object_set_new(row, "program", json_string(m->program));
    }
    return row;
}

enum err
cluster_save(struct cluster *c)
{
    char path[CLUSTER_PATH_MAX + 16];
    json_t *members = json_array();
    for (uint32_t i = 0; i < c->members_count; i++)
        json_array_append_new(members, member_json(c, i));
    json_t *all =
        json_pack("{s:i, s:i, s:I, s:i, s:i, s:s, s:s, s:o}", "pid", (int)getpid(), "world",
                  (int)c->input.config.world, "bots", (json_int_t)c->input.config.bots, "etcd_port",
                  (int)c->engines.etcd_port, "etcd_peer_port", (int)c->engines.etcd_peer_port,
                  "store", c->store, "directory", c->directory, "members", members);
    CHECK(all != NULL);
    char *text = json_dumps(all, JSON_INDENT(1));
    CHECK(text != NULL);
    snprintf(path, sizeof path, "%s/cluster.json", c->data);
    enum err error = file_replace_private(
        path, (struct slice){.at = (const uint8_t *)text, .bytes = strlen(text)});
    free(text);
    json_decref(all);
    c->changed = false;
    return error;
}

static uint16_t
port_of(const json_t *row, const char *key)
{
    json_int_t port = json_integer_value(json_object_get(row, key));
    return port > 0 && port < 32768 ? (uint16_t)port : 0;
}

/* The row of a node of the last time, or NULL. */
static const json_t *
saved_find(const json_t *saved, const char *role, uint16_t shard, uint16_t index)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(saved, "members"), i, row)
    {
        const char *has = json_string_value(json_object_get(row, "role"));
        if (has != NULL && strcmp(has, role) == 0 &&
            json_integer_value(json_object_get(row, "index")) == index &&
            json_integer_value(json_object_get(row, "shard")) == shard)
            return row;
    }
    return NULL;
}

static uint32_t
saved_count(const json_t *saved, const char *role, uint16_t shard)
{
    uint32_t count = 0;
    while (count < CLUSTER_NODES_MAX &&
           saved_find(saved, role, shard, (uint16_t)(count + 1)) != NULL)
        count++;
    return count;
}

/* A node that was updated stays so. */
static void
take_program(struct cluster *c, uint32_t member, const json_t *row)
{
    const char *program = json_string_value(json_object_get(row, "program"));
    if (program == NULL || strlen(program) >= LAUNCH_PATH_MAX)
        return;
    if (access(program, X_OK) == 0)
        snprintf(c->members[member].program, LAUNCH_PATH_MAX, "%s", program);
    else
        output_progress("%s is gone, from which %s was started: it gets this program", program,
                        supervise_member(c->supervisor, member)->name);
}

static uint32_t
saved_shards(const json_t *saved)
{
    uint32_t count = 0;
    while (count < SHARDS_MAX && saved_find(saved, "home", (uint16_t)(count + 1), 1) != NULL)
        count++;
    return count;
}

static int64_t
saved_bots(const json_t *saved, int64_t otherwise)
{
    const struct config_row *row = &config_rows[CONFIG_bots];
    const json_t *bots = json_object_get(saved, "bots");
    json_int_t count = json_integer_value(bots);
    return json_is_integer(bots) && count >= row->min && count <= row->max ? count : otherwise;
}

static enum err
plan_nodes(struct cluster *c, const json_t *saved, enum cluster_kind kind, uint16_t shard,
           uint32_t count)
{
    enum err error = OK;
    const char *role = cluster_kind_name(kind);
    for (uint16_t index = 1; index <= count && error == OK; index++) {
        uint32_t member;
        const json_t *before = saved_find(saved, role, shard, index);
        uint16_t port = port_of(before, "port");
        if (port == 0 && kind == CLUSTER_GATE && shard == 1 && index == 1)
            port = c->input.config.play.port;
        error = cluster_add(c, kind, shard, index, port, &member);
        if (error == OK)
            take_program(c, member, before);
    }
    return error;
}

/* A shard that is alone has nobody to relay to. */
static enum err
plan_shard(struct cluster *c, const json_t *saved, uint16_t shard)
{
    enum err error = plan_nodes(c, saved, CLUSTER_HOME, shard, c->homes);
    if (error == OK && c->shards > 1)
        error = plan_nodes(c, saved, CLUSTER_RELAY, shard, RELAYS);
    return error == OK ? plan_nodes(c, saved, CLUSTER_GATE, shard, c->gates) : error;
}

static enum err
plan_bots(struct cluster *c)
{
    enum err error = OK;
    uint32_t member;
    int64_t processes = (c->input.config.bots + CLUSTER_BOTS_EACH - 1) / CLUSTER_BOTS_EACH;
    for (int64_t i = 0; i < processes && error == OK; i++)
        error = cluster_add(c, CLUSTER_BOTS, 1, 0, 0, &member);
    return error;
}

static uint32_t
wanted(uint32_t asked, uint32_t saved, uint32_t otherwise)
{
    return asked != 0 ? asked : saved != 0 ? saved : otherwise;
}

static enum err
plan_engines(struct cluster *c, const json_t *saved)
{
    enum err error = OK;
    uint32_t member;
    if (c->own_etcd) {
        c->engines.etcd_port = port_find(c, port_of(saved, "etcd_port"));
        c->engines.etcd_peer_port = port_find(c, port_of(saved, "etcd_peer_port"));
        engines_etcd_address(&c->engines, c->directory, sizeof c->directory);
    }
    if (c->own_postgres) {
        engines_postgres_address(&c->engines, c->store, sizeof c->store);
        error = cluster_add(c, CLUSTER_POSTGRES, 1, 1, 0, &member);
    }
    return error == OK && c->own_etcd ? cluster_add(c, CLUSTER_ETCD, 1, 1, 0, &member) : error;
}

enum err
cluster_plan(struct cluster *c, char why[CLUSTER_WHY_MAX])
{
    const json_t *saved = c->saved;
    bool said = c->input.config.origins[CONFIG_shards] != ORIGIN_DEFAULT;
    c->shards = wanted(said ? (uint32_t)c->input.config.shards : 0, saved_shards(saved), 1);
    if (c->input.config.origins[CONFIG_bots] == ORIGIN_DEFAULT)
        c->input.config.bots = saved_bots(saved, c->input.config.bots);
    c->homes = wanted(c->homes, saved_count(saved, "home", 1), HOMES_DEFAULT);
    c->gates = wanted(c->gates, saved_count(saved, "gate", 1), GATES_DEFAULT);
    enum err error = plan_engines(c, saved);
    for (uint16_t shard = 1; shard <= c->shards && error == OK; shard++)
        error = plan_shard(c, saved, shard);
    error = error == OK ? plan_bots(c) : error;
    if (error != OK)
        snprintf(why, CLUSTER_WHY_MAX,
                 "there is no room for %u homes and %u gates in each of %u shards (at most %d "
                 "nodes with the relays, on ports from 20000 to 30000): %s",
                 c->homes, c->gates, c->shards, CLUSTER_NODES_MAX, err_text(error));
    return error;
}
