#include "base/check.h"
#include "proof/commit_state.h"

/* Swarm: each seed draws for every kind of trouble whether there is none, some or much of it, so
 * that rare meetings of two kinds are not drowned by a third. */

static uint32_t
one_of(struct commit_model *m, const uint32_t *from, uint32_t count)
{
    return from[commit_below(m, count)];
}

#define ONE_OF(m, ...)                         \
    one_of(m, (const uint32_t[]){__VA_ARGS__}, \
           sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void
draw_engine(struct commit_model *m)
{
    struct memory_store_knobs *e = &m->knobs.engine;
    uint32_t us = ONE_OF(m, 300, 1000, 4000);
    *e = (struct memory_store_knobs){
        .get_us_min = 50, .get_us_max = 50 + us / 2, .commit_us_min = 50, .commit_us_max = us};
    e->unknown_done_ppm = ONE_OF(m, 0, 5000, 40000);
    e->unknown_lost_ppm = ONE_OF(m, 0, 5000, 40000);
    e->unknown_late_ppm = ONE_OF(m, 0, 5000, 60000);
    e->unavailable_ppm = ONE_OF(m, 0, 2000, 20000);
    e->twice_ppm = ONE_OF(m, 0, 10000, 100000);
    e->zombie_ppm = ONE_OF(m, 0, 300000, 900000);
    e->hint_lost_ppm = 1000000;
}

static void
draw_nodes(struct commit_model *m)
{
    struct commit_knobs *k = &m->knobs;
    k->deadline_ms = ONE_OF(m, 20, 60, 300, 1000);
    k->janitor_ms = ONE_OF(m, 30, 100, 500);
    k->backoff_us = ONE_OF(m, 500, 2000, 4000);
    k->doubt_ms = ONE_OF(m, 50, 1000, 10000);
    k->offset_us_max = (int32_t)ONE_OF(m, 0, 5000, 50000);
    k->crash_ppm = ONE_OF(m, 0, 500, 4000, 12000);
    k->down_us_max = ONE_OF(m, 2000, 50000, 500000);
    k->stall_ppm = ONE_OF(m, 0, 1000, 10000);
    k->stall_us_max = 2 * k->deadline_ms * 1000 + ONE_OF(m, 1000, 100000);
    k->cut_ppm = ONE_OF(m, 0, 2000, 20000);
    k->away_ppm = ONE_OF(m, 0, 0, 300);
    k->away_us_max = 200000;
}

static void
draw_people(struct commit_model *m)
{
    struct commit_knobs *k = &m->knobs;
    k->persons = 2 + commit_below(m, 5);
    k->trees = 1 + commit_below(m, 4);
    k->reply_lost_ppm = ONE_OF(m, 0, 50000, 300000);
    k->request_lost_ppm = ONE_OF(m, 0, 50000, 300000);
    k->copies_max = ONE_OF(m, 1, 2, 5);
    k->late_us_max = ONE_OF(m, 0, 50000, 500000);
    k->delay_us_max = ONE_OF(m, 200, 2000, 10000);
    k->resend_us = ONE_OF(m, 20000, 60000, 300000);
    k->think_us_max = ONE_OF(m, 1000, 5000, 20000);
    k->claim_ppm = ONE_OF(m, 0, 5000, 50000);
    k->job_ppm = ONE_OF(m, 20000, 200000);
    k->lie_ppm = ONE_OF(m, 0, 0, 50000);
    for (uint32_t i = 0; i < COMMIT_WAYS; i++)
        k->ways[i] = ONE_OF(m, 0, 1, 1, 2, 2, 6);
    k->ways[WAY_PICK] += 3; /* without fruit there is little to do */
    k->ways[WAY_BUY] += 1;
    k->first_coins = ONE_OF(m, 100, 5000);
    k->stack_max = ONE_OF(m, 0, 0, 4, 2);
    if (k->stack_max > 0) { /* full bags */
        k->first_coins = 5000;
        k->ways[WAY_BUY] += 4;
    }
}

void
commit_draw_knobs(struct commit_model *m)
{
    struct commit_knobs *k = &m->knobs;
    const struct commit_mutant *mutant = m->options.mutant;
    k->nodes = 2 + commit_below(m, COMMIT_NODES_MAX - 1);
    k->direct = commit_below(m, 8) == 0;
    k->groups = k->direct ? 0 : ONE_OF(m, 0, 0, 1, 2, 3);
    k->world_speed = ONE_OF(m, 600, 3000, 20000, 1000000);
    draw_engine(m);
    draw_nodes(m);
    draw_people(m);
    k->faults_us = (2 + (int64_t)commit_below(m, 9)) * 1000000;
    if (mutant != NULL && mutant->committer != COMMITTER_MUTANT_NONE) {
        k->direct = false;
        k->groups = mutant->together ? 1 + commit_below(m, 3) : 0;
    }
    if (mutant != NULL && mutant->engine_rolls_back)
        k->rollback_ppm = 20000;
    if (m->options.seconds > 0)
        k->faults_us = (int64_t)m->options.seconds * 1000000;
    CHECK(k->nodes <= COMMIT_NODES_MAX && k->persons <= COMMIT_PERSONS_MAX &&
          k->trees <= COMMIT_TREES_MAX);
}
