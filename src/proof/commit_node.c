#include "base/check.h"
#include "proof/commit_state.h"
#include "rules/sample_deeds.h"
#include "society/ledger.h"

#define TURN_SOON_US   150
#define CALLS_MAX      1024
#define COMMANDS_MAX   64
#define OPERATIONS_MAX 64

/* ---- its clock ---- */

static int64_t
clock_mono_us(void *ctx)
{
    return commit_now_us(((struct commit_node *)ctx)->model);
}

int64_t
node_world_ms(const struct commit_node *node)
{
    const struct commit_model *m = node->model;
    return m->birth_ms + (commit_now_us(m) + node->offset_us) * m->knobs.world_speed / 1000;
}

static int64_t
clock_world_ms(void *ctx)
{
    return node_world_ms(ctx);
}

static uint64_t
clock_random(void *ctx)
{
    return rand_next(&((struct commit_node *)ctx)->rand);
}

/* ---- its turn ---- */

static void node_turn(void *arg, uint64_t generation);

static void
node_plan(struct commit_node *node, int64_t at_us)
{
    if (!node->up || node->planned_us <= at_us)
        return;
    node->planned_us = at_us;
    commit_at(node->model, at_us, node_turn, node, ++node->generation);
}

void
node_wake(struct commit_node *node)
{
    node_plan(node, commit_now_us(node->model) + TURN_SOON_US);
}

static void
node_turn(void *arg, uint64_t generation)
{
    struct commit_node *node = arg;
    if (!node->up || generation != node->generation)
        return;
    int64_t now_us = commit_now_us(node->model);
    node->planned_us = INT64_MAX;
    if (now_us < node->stalled_until_us) {
        node_plan(node, node->stalled_until_us);
        return;
    }
    int64_t next_us = commands_turn(node->commands);
    if (node->committer != NULL) {
        int64_t committer_us = committer_turn(node->committer);
        next_us = committer_us < next_us ? committer_us : next_us;
    }
    if (next_us != INT64_MAX)
        node_plan(node, next_us > now_us ? next_us : now_us + TURN_SOON_US);
}

/* ---- the engine's answers ---- */

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct commit_node *node = ctx;
    node->done.got(node->done.ctx, token, result, doc);
    node_wake(node);
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct commit_node *node = ctx;
    node->done.committed(node->done.ctx, token, result);
    node_wake(node);
}

static void
on_scanned(void *ctx, uint64_t token, enum store_result result, const struct store_found *found,
           uint32_t count)
{
    struct commit_node *node = ctx;
    node->done.scanned(node->done.ctx, token, result, found, count);
    node_wake(node);
}

static void
on_changed(void *ctx, struct slice key)
{
    struct commit_node *node = ctx;
    node->done.changed(node->done.ctx, key);
}

/* ---- its life ---- */

static void
connect_engine(struct commit_node *node)
{
    const struct commit_model *m = node->model;
    const struct commit_knobs *k = &m->knobs;
    const struct commit_mutant *mutant = m->options.mutant;
    struct store_done door = {.ctx = node,
                              .got = on_got,
                              .committed = on_committed,
                              .scanned = on_scanned,
                              .changed = on_changed};
    node->connection = memory_store_connect(m->engine, door);
    struct env_store engine = memory_connection_port(node->connection);
    if (k->direct) {
        node->done = store_done(&node->store);
        node->env.store = engine;
        return;
    }
    struct committer_options options = {.env = &node->engine_env,
                                        .world = COMMIT_WORLD,
                                        .node_epoch = node->epoch,
                                        .deadline_ms = k->deadline_ms * k->world_speed,
                                        .backoff_us_min = k->backoff_us,
                                        .doubt_ms = k->doubt_ms,
                                        .janitor_ms = k->janitor_ms,
                                        .mutant = mutant != NULL ? mutant->committer
                                                                 : COMMITTER_MUTANT_NONE};
    node->committer = committer_alloc(&options);
    node->done = committer_done(node->committer);
    committer_connect(node->committer, &engine);
    node->env.store = committer_port(node->committer, store_done(&node->store));
}

void
node_start(struct commit_node *node)
{
    struct commit_model *m = node->model;
    const struct commit_mutant *mutant = m->options.mutant;
    CHECK(!node->up);
    struct env_clock clock = {
        .ctx = node, .mono_us = clock_mono_us, .world_ms = clock_world_ms, .random = clock_random};
    node->up = true;
    node->epoch = ++m->node_epochs;
    node->offset_us = (int64_t)commit_below(m, (uint32_t)m->knobs.offset_us_max + 1);
    node->stalled_until_us = 0;
    node->planned_us = INT64_MAX;
    node->env = (struct env){.clock = clock};
    node->engine_env = (struct env){.clock = clock};
    node->committer = NULL;
    store_init(&node->store, &node->env, CALLS_MAX);
    connect_engine(node);
    ids_init(&node->ids, &node->store, COMMIT_WORLD, "thing");
    ids_prepare(&node->ids);
    players_init(&node->players, &node->store, COMMIT_WORLD, OPERATIONS_MAX);
    struct commands_options options = {.world = COMMIT_WORLD,
                                       .commands_max = COMMANDS_MAX,
                                       .ctx = &m->society,
                                       .finish = ledger_finish,
                                       .mutant = mutant != NULL ? mutant->commands
                                                                : COMMANDS_MUTANT_NONE};
    node->commands = commands_alloc(&options, &node->store, &node->ids);
    node_wake(node);
}

void
node_crash(struct commit_node *node)
{
    CHECK(node->up);
    node->up = false;
    node->generation++;
    memory_connection_crash(&node->connection);
    commands_free(&node->commands);
    players_fini(&node->players);
    store_fini(&node->store);
    if (node->committer != NULL)
        committer_free(&node->committer);
}

void
node_stall(struct commit_node *node, int64_t us)
{
    CHECK(node->up);
    int64_t until_us = commit_now_us(node->model) + us;
    if (until_us <= node->stalled_until_us)
        return;
    node->stalled_until_us = until_us;
    memory_connection_stall(node->connection, us);
}

void
node_cut(struct commit_node *node)
{
    CHECK(node->up);
    memory_connection_cut(node->connection);
}

bool
node_is_idle(const struct commit_node *node)
{
    return node->up && commands_under_way(node->commands) == 0 &&
           store_under_way(&node->store) == 0 &&
           (node->committer == NULL || (committer_under_way(node->committer) == 0 &&
                                        committer_background(node->committer) == 0));
}

void
node_init(struct commit_model *m, uint32_t index)
{
    struct commit_node *node = &m->nodes[index];
    *node = (struct commit_node){.model = m, .index = index};
    rand_seed(&node->rand, rand_mix(m->options.seed, 0x6e6f6465 + index));
    node_start(node);
}

void
node_add_stats(struct commit_node *node)
{
    struct commit_result *r = node->model->result;
    if (node->committer == NULL)
        return;
    struct committer_stats s = committer_stats(node->committer);
    r->sometimes[SOMETIMES_UNKNOWN_COMMIT_DONE] += s.unknown_commit_happened;
    r->sometimes[SOMETIMES_UNKNOWN_DONE] += s.unknown_resolved;
    r->sometimes[SOMETIMES_UNKNOWN_TOLD] += s.unknown_told;
    r->sometimes[SOMETIMES_HELPED_FORWARD] += s.helper_forward + s.janitor_forward;
    r->sometimes[SOMETIMES_HELPED_ABORT] += s.helper_abort + s.janitor_abort;
    r->sometimes[SOMETIMES_BLOCKED] += s.blocked;
    r->sometimes[SOMETIMES_CONFLICT_ABORT] += s.conflicts;
    r->sometimes[SOMETIMES_ZOMBIE_COMMIT] += s.zombie_stage;
    r->sometimes[SOMETIMES_JUDGED] += s.judged;
}
