/* What a running cluster is told over <data>/cluster.sock. */
#include "app/cluster.h"
#include "base/check.h"
#include "os/process.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool
member_find(const struct cluster *c, const json_t *request, uint32_t *member)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    for (uint32_t i = 0; name != NULL && i < c->members_count; i++) {
        if (strcmp(supervise_member(c->supervisor, i)->name, name) == 0) {
            *member = i;
            return true;
        }
    }
    return false;
}

static json_t *
no_such_member(const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    return control_error("there is no \"%s\" in this cluster: `seom nodes` lists what there is",
                         name == NULL ? "" : name);
}

static json_t *
command_list(void *ctx, const json_t *request)
{
    (void)request;
    return cluster_list(ctx, process_mono_us());
}

static json_t *
command_add(void *ctx, const json_t *request)
{
    struct cluster *c = ctx;
    const char *role = json_string_value(json_object_get(request, "role"));
    json_int_t shard = json_integer_value(json_object_get(request, "shard"));
    enum cluster_kind kind = role == NULL                 ? CLUSTER_HOME
                             : strcmp(role, "gate") == 0  ? CLUSTER_GATE
                             : strcmp(role, "relay") == 0 ? CLUSTER_RELAY
                                                          : CLUSTER_HOME;
    uint32_t member;
    if (c->phase == CLUSTER_STOPPING)
        return control_error("this cluster is about to end");
    if (role == NULL || strcmp(role, cluster_kind_name(kind)) != 0)
        return control_error("a node is a home, a gate or a relay, not \"%s\"",
                             role == NULL ? "" : role);
    if (shard < 1 || shard > c->shards)
        return control_error("this cluster has shards from 1 to %u: `seom cluster up --shards N` "
                             "makes more",
                             c->shards);
    enum err error = cluster_add(c, kind, (uint16_t)shard, 0, 0, &member);
    if (error != OK)
        return control_error("no room for another %s (at most %d nodes here): %s", role,
                             CLUSTER_NODES_MAX, err_text(error));
    supervise_start(c->supervisor, member);
    return json_pack("{s:s}", "name", supervise_member(c->supervisor, member)->name);
}

static json_t *
command_kill(void *ctx, const json_t *request)
{
    struct cluster *c = ctx;
    uint32_t member;
    json_int_t signal_number = json_integer_value(json_object_get(request, "signal"));
    bool stay_dead = json_is_true(json_object_get(request, "stay_dead"));
    if (!member_find(c, request, &member))
        return no_such_member(request);
    if (signal_number < 1 || signal_number > SIGRTMAX)
        return control_error("signals are numbered from 1 to %d", SIGRTMAX);
    pid_t pid = supervise_member(c->supervisor, member)->pid;
    const char *name = supervise_member(c->supervisor, member)->name;
    enum err error = supervise_signal(c->supervisor, member, (int)signal_number, stay_dead);
    if (error != OK)
        return control_error("%s does not run now (%s): `seom node start %s` starts it", name,
                             cluster_member_state(c, member, process_mono_us()), name);
    return json_pack("{s:s, s:i}", "name", name, "pid", (int)pid);
}

/* It is expected to end by itself, as after a drain, and then stays so. */
static json_t *
command_retire(void *ctx, const json_t *request)
{
    struct cluster *c = ctx;
    uint32_t member;
    if (!member_find(c, request, &member))
        return no_such_member(request);
    const struct member *process = supervise_member(c->supervisor, member);
    if (!cluster_kind_is_node(c->members[member].kind))
        return control_error("%s is no node: homes, gates and relays can be drained",
                             process->name);
    if (supervise_signal(c->supervisor, member, 0, true) != OK)
        return control_error("%s does not run now (%s): `seom node start %s` starts it",
                             process->name, cluster_member_state(c, member, process_mono_us()),
                             process->name);
    return json_pack("{s:s}", "name", process->name);
}

/* What a node is to be started from, if the request says so. NULL, or why that cannot be. */
static json_t *
program_take(const struct cluster *c, uint32_t member, const json_t *request, char *program)
{
    const char *wanted = json_string_value(json_object_get(request, "program"));
    if (wanted == NULL)
        return NULL;
    if (!cluster_kind_is_node(c->members[member].kind))
        return control_error("only homes and gates are started from another program");
    if (strlen(wanted) >= LAUNCH_PATH_MAX || (wanted[0] != 0 && access(wanted, X_OK) != 0))
        return control_error("%.200s cannot be executed: is it the path of a seom?", wanted);
    snprintf(program, LAUNCH_PATH_MAX, "%s", wanted);
    return NULL;
}

static json_t *
command_start(void *ctx, const json_t *request)
{
    struct cluster *c = ctx;
    uint32_t member;
    if (!member_find(c, request, &member))
        return no_such_member(request);
    if (c->phase == CLUSTER_STOPPING)
        return control_error("this cluster is about to end");
    json_t *refused = program_take(c, member, request, c->members[member].program);
    if (refused != NULL)
        return refused;
    c->changed = true;
    supervise_start(c->supervisor, member);
    return json_pack("{s:s}", "name", supervise_member(c->supervisor, member)->name);
}

static json_t *
command_replace(void *ctx, const json_t *request)
{
    struct cluster *c = ctx;
    uint32_t member;
    if (!member_find(c, request, &member))
        return no_such_member(request);
    struct cluster_member *m = &c->members[member];
    const struct member *process = supervise_member(c->supervisor, member);
    if (m->kind != CLUSTER_GATE)
        return control_error("%s is no gate: only gates have heirs", process->name);
    if (process->state != MEMBER_UP)
        return control_error("%s is %s: there is nothing to hand over", process->name,
                             cluster_member_state(c, member, process_mono_us()));
    memcpy(m->program_next, m->program, sizeof m->program_next);
    json_t *refused = program_take(c, member, request, m->program_next);
    if (refused != NULL)
        return refused;
    enum err error = supervise_replace(c->supervisor, member);
    if (error != OK)
        return control_error("%s: no heir can be started (has the one before ended?): %s",
                             process->name, err_text(error));
    return json_pack("{s:s, s:i}", "name", process->name, "pid", (int)process->pid);
}

static json_t *
command_stop(void *ctx, const json_t *request)
{
    struct cluster *c = ctx;
    (void)request;
    c->phase = CLUSTER_STOPPING;
    return json_pack("{s:i}", "pid", (int)getpid());
}

const struct control_command cluster_commands[] = {
    {"list", "all nodes, engines and bots", command_list},
    {"add", "starts one more: role, shard", command_add},
    {"kill", "sends a signal: name, signal, stay_dead", command_kill},
    {"retire", "a node is left alone once it ends: name", command_retire},
    {"start", "starts what was left dead: name, program", command_start},
    {"replace", "a gate hands over to a new process: name, program", command_replace},
    {"stop", "ends everything in order", command_stop},
    {0}};
