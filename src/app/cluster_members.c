/* How the members of a cluster are started, how one knows that they are up, and what they tell:
 * every node is asked for its status once a second over its control socket, without waiting. */
#include "app/cluster.h"
#include "app/config_table.h"
#include "app/output.h"
#include "base/check.h"
#include "fabric/mesh.h"
#include "os/lmdb_store.h"
#include "os/process.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEEDS_MAX      12 /* homes that a gate is told of at its start */
#define ASK_EAGERLY_US 100000

static bool
member_is(const struct cluster *c, uint32_t member, enum member_state state)
{
    return supervise_member(c->supervisor, member)->state == state;
}

/* Also while it hands over to an heir. */
static bool
member_is_up(const struct cluster *c, uint32_t member)
{
    return member_is(c, member, MEMBER_UP) || member_is(c, member, MEMBER_HANDING);
}

/* ---- starting ---- */

/* What was configured for all of them, as far as it is theirs. */
static void
add_configuration(const struct cluster *c, enum config_of who, struct launch *launch)
{
    static const enum config_key keys[] = {
        CONFIG_world,           CONFIG_islands,   CONFIG_game,  CONFIG_players_max,
        CONFIG_nodes_per_chunk, CONFIG_log_level, CONFIG_plain, CONFIG_user};

    char value[CONFIG_TEXT_MAX];
    const struct config *config = &c->input.config;
    launch_add(launch, "--data=%s", c->data);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const struct config_row *row = &config_rows[keys[i]];
        if (config->origins[keys[i]] == ORIGIN_DEFAULT || !config_is_of(keys[i], who))
            continue;
        config_value_text(config, keys[i], value);
        if (row->type != TYPE_FLAG)
            launch_add(launch, "--%s=%s", row->option, value);
        else if (strcmp(value, "true") == 0)
            launch_add(launch, "--%s", row->option);
    }
}

/* The links of homes of its shard, those that are up first. */
static void
add_seeds(const struct cluster *c, const struct cluster_member *gate, struct launch *launch)
{
    char all[CONFIG_TEXT_MAX] = "", address[ADDRESS_TEXT_MAX];
    size_t used = 0;
    uint32_t count = 0;
    for (int up = 1; up >= 0; up--) {
        for (uint32_t i = 0; i < c->members_count && count < SEEDS_MAX; i++) {
            const struct cluster_member *m = &c->members[i];
            if (m->kind != CLUSTER_HOME || m->shard != gate->shard ||
                member_is_up(c, i) != (up == 1))
                continue;
            cluster_address(c, m, address);
            if (used + strlen(address) + 2 > sizeof all)
                return;
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", count > 0 ? "," : "",
                                     address);
            count++;
        }
    }
    launch_add(launch, "--join=%s", all);
}

static void
launch_node(const struct cluster *c, const struct cluster_member *m, struct launch *launch)
{
    char address[ADDRESS_TEXT_MAX];

    static const enum config_of whose[] = {
        [CLUSTER_HOME] = OF_HOME, [CLUSTER_GATE] = OF_GATE, [CLUSTER_RELAY] = OF_RELAY};

    const char *store = config_rows[CONFIG_store].environment;
    CHECK(cluster_kind_is_node(m->kind));
    cluster_address(c, m, address);
    launch_add(launch, "seom");
    launch_add(launch, "%s", cluster_kind_name(m->kind));
    add_configuration(c, whose[m->kind], launch);
    launch_add(launch, "--shard=%u", m->shard);
    launch_add(launch, "--index=%u", m->index);
    if (m->kind != CLUSTER_GATE) {
        launch_add(launch, "--links=%s", address);
        launch_add(launch, "--directory=%s", c->directory);
    }
    if (m->kind == CLUSTER_HOME) {
        launch_variable(launch, store, c->store); /* with its password; all see arguments */
        if (c->shards > 1)                        /* an older program knows of no shards */
            launch_add(launch, "--shards=%u", c->shards);
    } else {
        launch_variable(launch, store, NULL);
    }
    if (m->kind == CLUSTER_GATE) {
        launch_add(launch, "--play=%s", address);
        add_seeds(c, m, launch);
    }
}

static void
launch_bots(const struct cluster *c, const struct cluster_member *m, struct launch *launch)
{
    char to[CONFIG_TEXT_MAX] = "", address[ADDRESS_TEXT_MAX];
    size_t used = 0;
    int64_t before = (int64_t)(m->index - 1) * CLUSTER_BOTS_EACH;
    int64_t count = c->input.config.bots - before;
    for (uint32_t i = 0; i < c->members_count; i++) {
        if (c->members[i].kind != CLUSTER_GATE || !member_is_up(c, i))
            continue;
        cluster_address(c, &c->members[i], address);
        if (used + strlen(address) + 2 > sizeof to)
            break;
        used += (size_t)snprintf(to + used, sizeof to - used, "%s%s", used > 0 ? "," : "", address);
    }
    launch_add(launch, "seom");
    launch_add(launch, "bots");
    launch_add(launch, "--to=%s", to);
    launch_add(launch, "--count=%lld",
               (long long)(count < CLUSTER_BOTS_EACH ? count : CLUSTER_BOTS_EACH));
    launch_add(launch, "--seed=%u", m->index);
    launch_add(launch, "--tickets=%s/bots-%u.tickets", c->data, m->index);
    launch_add(launch, "--observers=2");
    launch_add(launch, "--mute");
}

/* Whether one (all) of this kind is (are) up. */
static bool
kind_is_up(const struct cluster *c, enum cluster_kind kind, bool all)
{
    bool any = false;
    for (uint32_t i = 0; i < c->members_count; i++) {
        if (c->members[i].kind != kind)
            continue;
        bool up = member_is_up(c, i);
        if (all && !up)
            return false;
        any = any || up;
    }
    return any || all;
}

/* At the first start homes wait for the engines, so that what is told is short; nodes start in
 * whatever order, and afterwards they do. */
static bool
prepare(void *ctx, uint32_t member, struct launch *launch)
{
    const struct cluster *c = ctx;
    const struct cluster_member *m = &c->members[member];
    bool heir = member_is(c, member, MEMBER_HANDING);
    const char *program = heir ? m->program_next : m->program;
    snprintf(launch->program, sizeof launch->program, "%s",
             program[0] != 0 ? program : CLUSTER_OWN_PROGRAM);
    switch (m->kind) {
    case CLUSTER_POSTGRES: engines_postgres_launch(&c->engines, launch); return true;
    case CLUSTER_ETCD: engines_etcd_launch(&c->engines, launch); return true;
    case CLUSTER_HOME:
    case CLUSTER_RELAY:
        launch_node(c, m, launch);
        return c->was_up ||
               (kind_is_up(c, CLUSTER_POSTGRES, true) && kind_is_up(c, CLUSTER_ETCD, true));
    case CLUSTER_GATE:
        launch_node(c, m, launch);
        if (heir)
            launch_add(launch, "--take-over");
        return true;
    case CLUSTER_BOTS:
        launch_bots(c, m, launch);
        return kind_is_up(c, CLUSTER_GATE, !c->was_up) && kind_is_up(c, CLUSTER_HOME, !c->was_up);
    case CLUSTER_KINDS: break;
    }
    return false;
}

static const char *
status_text(const struct cluster_member *m, const char *key)
{
    const char *text = json_string_value(json_object_get(m->status, key));
    return text == NULL ? "" : text;
}

static pid_t
status_pid(const struct cluster_member *m)
{
    return (pid_t)json_integer_value(json_object_get(m->status, "pid"));
}

static bool
is_up(void *ctx, uint32_t member)
{
    const struct cluster *c = ctx;
    const struct cluster_member *m = &c->members[member];
    const struct member *process = supervise_member(c->supervisor, member);
    pid_t pid = process->state == MEMBER_HANDING ? process->heir : process->pid;
    switch (m->kind) {
    case CLUSTER_POSTGRES: return engines_postgres_is_up(&c->engines, pid);
    case CLUSTER_ETCD: return engines_etcd_is_up(&c->engines);
    case CLUSTER_HOME:
    case CLUSTER_RELAY:
    case CLUSTER_GATE:
        return status_pid(m) == pid && strcmp(status_text(m, "state"), "serving") == 0;
    case CLUSTER_BOTS:
    case CLUSTER_KINDS: break;
    }
    return true;
}

static void
told(void *ctx, uint32_t member, const char *text)
{
    struct cluster *c = ctx;
    snprintf(c->members[member].said, sizeof c->members[member].said, "%s", text);
    output_progress("%s", text);
    c->changed = true;
}

static void
replaced(void *ctx, uint32_t member, bool by_heir)
{
    struct cluster *c = ctx;
    struct cluster_member *m = &c->members[member];
    if (by_heir)
        memcpy(m->program, m->program_next, sizeof m->program);
    m->program_next[0] = 0;
    c->changed = true;
}

const struct supervise_events cluster_events = {
    .prepare = prepare, .is_up = is_up, .told = told, .replaced = replaced};

/* ---- asking ---- */

static void
member_forget(struct cluster_member *m)
{
    control_client_close(&m->client);
    json_decref(m->status);
    m->status = NULL;
    m->pid = 0;
    json_decref(m->metrics);
    m->metrics = NULL;
    memset(m->asked_us, 0, sizeof m->asked_us);
    m->answered_us = 0;
}

void
cluster_forget_members(struct cluster *c)
{
    for (uint32_t i = 0; i < c->members_count; i++) {
        member_forget(&c->members[i]);
        json_decref(c->members[i].people);
        c->members[i].people = NULL;
    }
}

static void
answered(void *ctx, const json_t *answer)
{
    struct cluster_member *m = ctx;
    if (answer == NULL) {
        control_client_close(&m->client); /* it is opened again when it is there */
        return;
    }
    int64_t now_us = process_mono_us();
    m->answered_us = now_us;
    switch (m->asks) {
    case ASK_STATUS:
        json_decref(m->status);
        m->status = json_deep_copy(answer);
        break;
    case ASK_METRICS:
        json_decref(m->metrics);
        m->metrics = json_incref(json_object_get(answer, "metrics"));
        break;
    case ASK_PEOPLE:
        json_decref(m->people);
        m->people = json_incref(json_object_get(answer, "people"));
        m->people_us = now_us;
        break;
    case CLUSTER_QUESTIONS: break;
    }
}

static void
ask(struct cluster_member *m, enum cluster_question question, int64_t now_us)
{
    static const char *const commands[CLUSTER_QUESTIONS] = {
        [ASK_STATUS] = "status", [ASK_METRICS] = "metrics", [ASK_PEOPLE] = "people"};
    json_t *request =
        json_pack("{s:s, s:i}", "command", commands[question], "limit", CLUSTER_PEOPLE_MAX);
    CHECK(request != NULL);
    m->asks = question;
    m->asked_us[question] = now_us;
    if (control_client_ask(m->client, request) != OK)
        control_client_close(&m->client);
    json_decref(request);
}

static void
member_ask(struct cluster *c, uint32_t i, const int64_t pauses_us[CLUSTER_QUESTIONS],
           int64_t now_us)
{
    struct cluster_member *m = &c->members[i];
    const struct member *process = supervise_member(c->supervisor, i);
    if (m->pid != process->pid) {
        if (status_pid(m) != process->pid) /* an heir has been heard already */
            member_forget(m);
        m->pid = process->pid;
    }
    if (m->pid == 0)
        return;
    char path[CLUSTER_PATH_MAX + SUPERVISE_NAME_MAX + 8];
    snprintf(path, sizeof path, "%s/%s.sock", c->data, process->name);
    /* A new process takes the place of the socket of the one before: until then nobody is there. */
    if (m->client == NULL && control_client_open(c->loop, path, answered, m, &m->client) != OK)
        return;
    if (control_client_waits(m->client))
        return;
    bool settled = process->state == MEMBER_UP && c->phase != CLUSTER_STARTING;
    for (enum cluster_question q = ASK_STATUS; q < CLUSTER_QUESTIONS; q++) {
        int64_t pause_us = q == ASK_STATUS && !settled ? ASK_EAGERLY_US : pauses_us[q];
        bool has_it = q != ASK_PEOPLE || m->kind == CLUSTER_HOME;
        if (has_it && now_us - m->asked_us[q] >= pause_us) {
            ask(m, q, now_us);
            return;
        }
    }
}

void
cluster_ask_members(struct cluster *c, int64_t now_us)
{
    CHECK(pthread_mutex_lock(&c->page.lock) == 0);
    int64_t pauses_us[CLUSTER_QUESTIONS] = {
        [ASK_STATUS] = CLUSTER_STATUS_US,
        [ASK_METRICS] = c->page.metrics_wanted ? CLUSTER_STATUS_US : CLUSTER_IDLE_US,
        [ASK_PEOPLE] = c->page.people_wanted ? CLUSTER_STATUS_US : INT64_MAX};
    CHECK(pthread_mutex_unlock(&c->page.lock) == 0);
    for (uint32_t i = 0; i < c->members_count; i++) {
        if (cluster_kind_is_node(c->members[i].kind))
            member_ask(c, i, pauses_us, now_us);
    }
}

/* ---- telling ---- */

const char *
cluster_member_state(const struct cluster *c, uint32_t member, int64_t now_us)
{
    const struct cluster_member *m = &c->members[member];
    const struct member *process = supervise_member(c->supervisor, member);
    switch (process->state) {
    case MEMBER_ENDED: return "ended";
    case MEMBER_WAITS: return process->failures > 2 ? "dies at once" : "starts";
    case MEMBER_STARTING: return "starting";
    case MEMBER_STOPPING: return "ending";
    case MEMBER_HANDING: return "handing over";
    case MEMBER_STATES:
    case MEMBER_UP: break;
    }
    if (!cluster_kind_is_node(m->kind))
        return "up";
    if (m->answered_us != 0 && now_us - m->answered_us > CLUSTER_SILENT_US)
        return "silent";
    return m->status == NULL ? "up" : status_text(m, "state");
}

/* Names of those of this kind that are not up, behind what stands there. */
static void
add_missing(const struct cluster *c, enum cluster_kind kind, char out[CLUSTER_WAITS_MAX])
{
    size_t used = strlen(out);
    for (uint32_t i = 0; i < c->members_count && used + 1 < CLUSTER_WAITS_MAX; i++) {
        if (c->members[i].kind != kind || member_is_up(c, i))
            continue;
        int more = snprintf(out + used, CLUSTER_WAITS_MAX - used, "%s%s", used > 0 ? ", " : "",
                            supervise_member(c->supervisor, i)->name);
        used += more > 0 ? (size_t)more : 0;
    }
}

void
cluster_member_waits(const struct cluster *c, uint32_t member, char out[CLUSTER_WAITS_MAX])
{
    const struct cluster_member *m = &c->members[member];
    const struct member *process = supervise_member(c->supervisor, member);
    out[0] = 0;
    if (process->state == MEMBER_STARTING && cluster_kind_is_node(m->kind)) {
        bool told = status_pid(m) == process->pid && process->pid != 0;
        const char *waits = told ? status_text(m, "waits") : "its first word";
        snprintf(out, CLUSTER_WAITS_MAX, "%s", waits);
    } else if (process->state == MEMBER_WAITS && process->failures > 0) {
        snprintf(out, CLUSTER_WAITS_MAX, "its next try, as it died %u time%s in a row",
                 process->failures, process->failures == 1 ? "" : "s");
    } else if (process->state == MEMBER_WAITS &&
               (m->kind == CLUSTER_HOME || m->kind == CLUSTER_RELAY)) {
        add_missing(c, CLUSTER_POSTGRES, out);
        add_missing(c, CLUSTER_ETCD, out);
    } else if (process->state == MEMBER_WAITS && m->kind == CLUSTER_BOTS) {
        add_missing(c, CLUSTER_HOME, out);
        add_missing(c, CLUSTER_GATE, out);
    }
}

/* As far as the rule of links asks for it. */
static struct node
node_of(const struct cluster_member *m)
{
    enum node_role role = m->kind == CLUSTER_HOME   ? NODE_HOME
                          : m->kind == CLUSTER_GATE ? NODE_GATE
                                                    : NODE_RELAY;
    return (struct node){.role = role, .shard = m->shard, .index = m->index};
}

uint32_t
cluster_links(const struct cluster *c, uint32_t member)
{
    json_int_t links = json_integer_value(json_object_get(c->members[member].status, "links"));
    return links > 0 && links < UINT32_MAX ? (uint32_t)links : 0;
}

uint32_t
cluster_links_expected(const struct cluster *c, uint32_t of)
{
    uint32_t count = 0;
    CHECK(cluster_kind_is_node(c->members[of].kind));
    struct node node = node_of(&c->members[of]);
    for (uint32_t i = 0; i < c->members_count; i++) {
        struct node other = node_of(&c->members[i]);
        count += cluster_kind_is_node(c->members[i].kind) && i != of &&
                 mesh_nodes_link(&node, &other) && member_is_up(c, i);
    }
    return count;
}

/* How long it has been as it is: silent, since its last answer. */
static int64_t
since_us(const struct cluster_member *m, const struct member *process, int64_t now_us)
{
    bool silent = process->state == MEMBER_UP && m->answered_us != 0 &&
                  now_us - m->answered_us > CLUSTER_SILENT_US;
    return now_us - (silent ? m->answered_us : process->since_us);
}

static json_t *
member_list(const struct cluster *c, uint32_t i, int64_t now_us)
{
    const struct cluster_member *m = &c->members[i];
    const struct member *process = supervise_member(c->supervisor, i);
    json_t *row = m->status != NULL ? json_deep_copy(m->status) : json_object();
    char waits[CLUSTER_WAITS_MAX];
    cluster_member_waits(c, i, waits);
    json_t *own = json_pack("{s:s, s:s, s:i, s:i, s:s, s:f, s:s, s:i, s:s, s:s}", "name",
                            process->name, "role", cluster_kind_name(m->kind), "member", (int)i,
                            "pid", (int)process->pid, "state", cluster_member_state(c, i, now_us),
                            "for_s", (double)since_us(m, process, now_us) / 1e6, "waits", waits,
                            "restarts", process->starts == 0 ? 0 : (int)process->starts - 1,
                            "program", m->program, "said", m->said);
    CHECK(own != NULL);
    json_object_update(row, own);
    json_decref(own);
    if (cluster_kind_is_node(m->kind)) {
        char address[ADDRESS_TEXT_MAX];
        cluster_address(c, m, address);
        json_object_set_new(row, "shard", json_integer(m->shard));
        json_object_set_new(row, "index", json_integer(m->index));
        json_object_set_new(row, "links_expected", json_integer(cluster_links_expected(c, i)));
        json_object_set_new(row, m->kind == CLUSTER_GATE ? "play" : "address",
                            json_string(address));
    }
    return row;
}

json_t *
cluster_list(const struct cluster *c, int64_t now_us)
{
    static const char *const phases[] = {[CLUSTER_STARTING] = "starting",
                                         [CLUSTER_RUNNING] = "running",
                                         [CLUSTER_STOPPING] = "ending"};
    json_t *nodes = json_array(), *engines = json_array(), *bots = json_array();
    for (uint32_t i = 0; i < c->members_count; i++) {
        enum cluster_kind kind = c->members[i].kind;
        json_array_append_new(cluster_kind_is_node(kind) ? nodes
                              : kind == CLUSTER_BOTS     ? bots
                                                         : engines,
                              member_list(c, i, now_us));
    }
    json_t *all = json_pack(
        "{s:s, s:s, s:i, s:i, s:I, s:i, s:s, s:s, s:o, s:o, s:o}", "state", phases[c->phase],
        "data", c->data, "pid", (int)getpid(), "world", (int)c->input.config.world, "players_max",
        (json_int_t)c->input.config.players_max, "data_format", LMDB_STORE_FORMAT, "store",
        c->store, "directory", c->directory, "nodes", nodes, "engines", engines, "bots", bots);
    CHECK(all != NULL);
    return all;
}
