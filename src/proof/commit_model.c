#include "proof/commit_model.h"

#include "base/check.h"
#include "proof/commit_state.h"
#include "rules/sample.h"
#include "rules/sample_kinds.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_US       10000
#define DOCUMENTS_MAX TRUTH_DOCS_MAX
#define REST_US       5000000 /* from the last fault until everybody must be answered */
#define BIRTH_MS      (40 * 24 * 3600 * INT64_C(1000))
#define PPM           1000000
#define CALM_US       300 /* latency of the engine when the faults have stopped */

/* ---- what the files of the run share ---- */

int64_t
commit_now_us(const struct commit_model *m)
{
    return m->events.now_us;
}

uint32_t
commit_below(struct commit_model *m, uint32_t limit)
{
    return rand_below(&m->rand, limit);
}

bool
commit_chance(struct commit_model *m, uint32_t ppm)
{
    return m->faults && ppm > 0 && commit_below(m, PPM) < ppm;
}

void
commit_at(struct commit_model *m, int64_t due_us, void (*fn)(void *, uint64_t), void *arg,
          uint64_t n)
{
    struct sim_schedule s = events_port(&m->events);
    s.at(s.ctx, due_us, fn, arg, n);
}

void
commit_fold(struct commit_model *m, uint64_t what)
{
    m->hash = rand_mix(m->hash, rand_mix(what, (uint64_t)commit_now_us(m)));
}

void
commit_trace(const struct commit_model *m, const char *format, ...)
{
    char line[256];
    if (m->options.trace == NULL)
        return;
    int n = snprintf(line, sizeof line, "%10.3f ms  ", (double)commit_now_us(m) / 1000);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + n, sizeof line - (size_t)n, format, arguments);
    va_end(arguments);
    m->options.trace(m->options.trace_ctx, line);
}

void
commit_wrong(struct commit_model *m, enum proof_verdict verdict, enum commit_property property,
             const char *format, ...)
{
    if (m->over)
        return; /* the first one counts */
    m->over = true;
    m->result->verdict = verdict;
    m->result->broken = property;
    va_list arguments;
    va_start(arguments, format);
    proof_wrong_text(m->result->what, sizeof m->result->what, commit_now_us(m), format, arguments);
    va_end(arguments);
    commit_trace(m, "WRONG: %s", m->result->what);
}

int64_t
commit_fruit_until_ms(const struct commit_model *m, uint64_t tree, int64_t at_ms)
{
    uint16_t world;
    uint32_t island, index, number;
    struct sample_tree form;
    if (!game_thing_parse(tree, &world, &island, &index, &number))
        return 0;
    uint64_t seed = game_chunk_seed(m->options.seed, island, index);
    bool there = sample_tree(seed, (uint16_t)(index % COMMIT_COLUMNS),
                             (uint16_t)(index / COMMIT_COLUMNS), number, at_ms, &form);
    return there && form.stage == STAGE_FRUIT ? form.next_ms : 0;
}

/* ---- faults ---- */

static void
note_fault(struct commit_model *m, int64_t until_us)
{
    m->last_fault_us = until_us > m->last_fault_us ? until_us : m->last_fault_us;
}

static void
node_restart(void *arg, uint64_t n)
{
    struct commit_node *node = arg;
    (void)n;
    if (node->model->over || node->up)
        return;
    node_start(node);
    note_fault(node->model, commit_now_us(node->model));
    commit_trace(node->model, "node %u starts as %llu", node->index,
                 (unsigned long long)node->epoch);
}

static void
kill_node(struct commit_node *node)
{
    struct commit_model *m = node->model;
    commit_sometimes(m, SOMETIMES_CRASH);
    if (truth_has_staged(&m->truth, node->epoch, RECORD_PENDING))
        commit_sometimes(m, SOMETIMES_CRASH_STAGED);
    if (truth_has_staged(&m->truth, node->epoch, RECORD_COMMITTED))
        commit_sometimes(m, SOMETIMES_CRASH_COMMITTED);
    commit_trace(m, "node %u dies", node->index);
    node_add_stats(node);
    node_crash(node);
    int64_t until_us = commit_now_us(m) + 1000 + commit_below(m, m->knobs.down_us_max);
    note_fault(m, until_us);
    commit_at(m, until_us, node_restart, node, 0);
}

static void
stall_node(struct commit_node *node)
{
    struct commit_model *m = node->model;
    int64_t us = 1000 + commit_below(m, m->knobs.stall_us_max);
    if (us > (int64_t)m->knobs.deadline_ms * 1000)
        commit_sometimes(m, SOMETIMES_STALL);
    commit_trace(m, "node %u stands still for %.3f ms", node->index, (double)us / 1000);
    node_stall(node, us);
    note_fault(m, node->stalled_until_us);
}

static void
cut_node(struct commit_node *node)
{
    commit_sometimes(node->model, SOMETIMES_CUT);
    commit_trace(node->model, "node %u loses its line to the engine", node->index);
    node_cut(node);
    note_fault(node->model, commit_now_us(node->model));
}

static void
engine_back(void *arg, uint64_t n)
{
    struct commit_model *m = arg;
    (void)n;
    memory_store_set_away(m->engine, false);
}

/* The engine of the mutant keeps a picture and puts a part of the documents back to it. */
static void
maybe_roll_back(struct commit_model *m)
{
    if (m->knobs.rollback_ppm == 0)
        return;
    if (commit_chance(m, m->knobs.rollback_ppm)) {
        uint32_t changed = memory_store_rollback(m->engine, rand_next(&m->rand));
        commit_trace(m, "the engine loses %u documents' last writes", changed);
    } else if (commit_below(m, 5) == 0) {
        memory_store_remember(m->engine);
    }
}

static void
tick(void *arg, uint64_t n)
{
    struct commit_model *m = arg;
    if (m->over)
        return;
    for (uint32_t i = 0; i < m->knobs.nodes && m->faults; i++) {
        struct commit_node *node = &m->nodes[i];
        if (node->up && commit_chance(m, m->knobs.crash_ppm))
            kill_node(node);
        if (node->up && commit_chance(m, m->knobs.stall_ppm))
            stall_node(node);
        if (node->up && commit_chance(m, m->knobs.cut_ppm))
            cut_node(node);
    }
    if (commit_chance(m, m->knobs.away_ppm)) {
        int64_t until_us = commit_now_us(m) + 1000 + commit_below(m, m->knobs.away_us_max);
        memory_store_set_away(m->engine, true);
        note_fault(m, until_us);
        commit_at(m, until_us, engine_back, m, 0);
    }
    if (m->faults)
        maybe_roll_back(m);
    else
        check_unresolved(m);
    commit_at(m, commit_now_us(m) + TICK_US, tick, m, n);
}

static void
faults_end(void *arg, uint64_t n)
{
    struct commit_model *m = arg;
    (void)n;
    const struct memory_store_knobs *was = &m->knobs.engine;
    /* Fast, so that the largest commit ends within the shortest deadline: nobody could promise that
     * one that takes longer ever ends. */
    struct memory_store_knobs calm = {.get_us_min = 50,
                                      .get_us_max = CALM_US,
                                      .commit_us_min = 50,
                                      .commit_us_max = CALM_US,
                                      .hint_lost_ppm = was->hint_lost_ppm};
    memory_store_set_knobs(m->engine, &calm);
    m->faults = false;
    /* What is late or comes twice is on its way for so long. */
    note_fault(m, commit_now_us(m) + 40 * (int64_t)was->commit_us_max + m->knobs.late_us_max);
    commit_trace(m, "the faults stop");
}

/* ---- the run ---- */

static void
find_trees(struct commit_model *m)
{
    for (uint32_t index = 0; m->tree_count < m->knobs.trees; index++) {
        uint16_t cx = (uint16_t)(index % COMMIT_COLUMNS), cy = (uint16_t)(index / COMMIT_COLUMNS);
        uint64_t seed = game_chunk_seed(m->options.seed, COMMIT_ISLAND, index);
        struct sample_tree form;
        for (uint32_t n = 0; n < SAMPLE_THINGS_MAX && m->tree_count < m->knobs.trees; n++) {
            if (!sample_tree(seed, cx, cy, n, m->birth_ms, &form))
                continue;
            m->trees[m->tree_count++] =
                (struct tree){.entity = game_thing_entity(COMMIT_WORLD, COMMIT_ISLAND, index, n),
                              .cx = cx,
                              .cy = cy,
                              .at = form.place};
        }
    }
}

static void
make_society(struct commit_model *m)
{
    uint32_t stack_max = m->knobs.stack_max;
    m->society = sample_society;
    CHECK(m->society.kinds_count <= KINDS_MAX);
    memcpy(m->kinds, m->society.kinds, m->society.kinds_count * sizeof m->kinds[0]);
    for (uint32_t i = 0; i < m->society.kinds_count; i++) {
        if (stack_max > 0 && m->kinds[i].stack_max > stack_max)
            m->kinds[i].stack_max = stack_max;
    }
    m->society.kinds = m->kinds;
    m->society.first_coins = m->knobs.first_coins;
    if (m->options.mutant != NULL)
        m->society.mutant = m->options.mutant->society;
}

static void
model_init(struct commit_model *m)
{
    rand_seed(&m->rand, rand_mix(m->options.seed, 0x636f6d6d6974));
    events_init(&m->events, m->options.seed);
    commit_draw_knobs(m);
    m->birth_ms = BIRTH_MS;
    make_society(m);
    struct memory_store_options engine = {.schedule = events_port(&m->events),
                                          .documents_max = DOCUMENTS_MAX,
                                          .commit_max =
                                              m->knobs.direct || m->knobs.groups > 0 ? 0 : 1,
                                          .groups = m->knobs.groups};
    m->engine = memory_store_alloc(&engine);
    truth_init(&m->truth, m);
    check_init(m);
    struct memory_effects effects = {.ctx = &m->truth, .effect = truth_effect, .end = truth_end};
    memory_store_set_effects(m->engine, &effects);
    find_trees(m);
    for (uint32_t i = 0; i < m->knobs.nodes; i++)
        node_init(m, i);
    for (uint32_t i = 0; i < m->knobs.persons; i++)
        commit_person_init(m, i);
}

static void
model_fini(struct commit_model *m)
{
    for (uint32_t i = 0; i < m->knobs.nodes; i++) {
        if (m->nodes[i].up) {
            node_add_stats(&m->nodes[i]);
            node_crash(&m->nodes[i]);
        }
    }
    for (uint32_t i = 0; i < m->knobs.persons; i++)
        commit_person_fini(&m->persons[i]);
    struct memory_store_stats s = memory_store_stats(m->engine);
    m->result->sometimes[SOMETIMES_LATE] += s.late;
    m->result->sometimes[SOMETIMES_TWICE] += s.twice;
    m->result->sometimes[SOMETIMES_ZOMBIE_WRITE] += s.zombies;
    memory_store_free(&m->engine);
    check_fini(m);
    truth_fini(&m->truth);
    events_fini(&m->events);
}

static void
model_step(struct commit_model *m)
{
    CHECK(events_step(&m->events));
    m->result->events++;
}

/* Everybody is in the world before anything breaks. */
static bool
all_are_there(const struct commit_model *m)
{
    for (uint32_t i = 0; i < m->knobs.persons; i++) {
        if (m->persons[i].epoch == 0)
            return false;
    }
    return true;
}

static bool
is_at_rest(const struct commit_model *m)
{
    if (m->faults || m->truth.open_records > 0 || commit_now_us(m) < m->last_fault_us)
        return false;
    for (uint32_t i = 0; i < m->knobs.persons; i++) {
        if (m->persons[i].busy)
            return false;
    }
    for (uint32_t i = 0; i < m->knobs.nodes; i++) {
        if (!node_is_idle(&m->nodes[i]))
            return false;
    }
    return true;
}

void
commit_run(const struct commit_options *options, struct commit_result *out)
{
    struct commit_model *m = calloc(1, sizeof *m);
    CHECK(m != NULL);
    *out = (struct commit_result){.verdict = PROOF_FINE};
    m->options = *options;
    m->result = out;
    model_init(m);
    while (!m->over && !all_are_there(m))
        model_step(m);
    m->faults = true;
    memory_store_set_knobs(m->engine, &m->knobs.engine);
    for (uint32_t i = 0; i < m->knobs.persons; i++)
        commit_person_begin(&m->persons[i]);
    commit_at(m, commit_now_us(m) + m->knobs.faults_us, faults_end, m, 0);
    tick(m, 0);
    while (!m->over &&
           (m->faults || (!is_at_rest(m) && commit_now_us(m) < m->last_fault_us + REST_US)))
        model_step(m);
    if (!m->over)
        check_end(m);
    out->trace_hash = rand_mix(m->hash, memory_store_digest(m->engine));
    model_fini(m);
    free(m);
}

#define PROPERTY_TEXT(id, what)          what,
#define SOMETIMES_TEXT(id, seeds, what)  what,
#define SOMETIMES_SEEDS(id, seeds, what) seeds,

const char *
commit_property_text(enum commit_property property)
{
    static const char *const texts[] = {COMMIT_PROPERTIES(PROPERTY_TEXT)};
    CHECK(property < COMMIT_PROPERTY_COUNT);
    return texts[property];
}

const char *
commit_sometimes_text(enum commit_sometimes branch)
{
    static const char *const texts[] = {COMMIT_SOMETIMES(SOMETIMES_TEXT)};
    CHECK(branch < COMMIT_SOMETIMES_COUNT);
    return texts[branch];
}

uint32_t
commit_sometimes_seeds(enum commit_sometimes branch)
{
    static const uint32_t seeds[] = {COMMIT_SOMETIMES(SOMETIMES_SEEDS)};
    CHECK(branch < COMMIT_SOMETIMES_COUNT);
    return seeds[branch];
}
