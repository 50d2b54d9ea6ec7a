#include "base/check.h"
#include "proof/commit_state.h"
#include "rules/sample_deeds.h"
#include "seom.pb-c.h"
#include <stdlib.h>

#define REACH_MM      3000
#define FIRST_PLAYER  1001
#define RESEND_US_MAX 400000
#define RESENDS_CLAIM 6 /* after so many without an answer the session is claimed anew */

/* Requests and answers carry what they are about in one number. */
#define PERSON_BITS 4
#define SEQ_BITS    16
#define EPOCH_BITS  24

static uint64_t
about(const struct commit_person *p, uint64_t seq, uint64_t rest)
{
    CHECK(seq < 1U << SEQ_BITS && rest < UINT64_C(1) << (64 - PERSON_BITS - SEQ_BITS));
    return rest << (PERSON_BITS + SEQ_BITS) | seq << PERSON_BITS | p->index;
}

static struct commit_person *
about_person(struct commit_model *m, uint64_t n)
{
    return &m->persons[n & ((1U << PERSON_BITS) - 1)];
}

static uint64_t
about_seq(uint64_t n)
{
    return n >> PERSON_BITS & ((1U << SEQ_BITS) - 1);
}

static uint64_t
about_rest(uint64_t n)
{
    return n >> (PERSON_BITS + SEQ_BITS);
}

static int64_t
draw_delay_us(struct commit_model *m)
{
    return 100 + commit_below(m, m->knobs.delay_us_max);
}

/* Something for a node that is dead is lost; for one that stands still it waits. */
static bool
node_hears(struct commit_node *node, void (*again)(void *, uint64_t), uint64_t n)
{
    if (!node->up || node->model->over)
        return false;
    if (commit_now_us(node->model) < node->stalled_until_us) {
        commit_at(node->model, node->stalled_until_us, again, node, n);
        return false;
    }
    node_wake(node);
    return true;
}

static struct commit_node *
any_node(struct commit_model *m)
{
    return &m->nodes[commit_below(m, m->knobs.nodes)];
}

/* ---- sessions ---- */

static void person_send(struct commit_person *p);

static void
on_claim_answer(void *arg, uint64_t n)
{
    struct commit_person *p = arg;
    if (n <= p->epoch)
        return;
    p->epoch = n;
    if (p->stale && p->busy && !p->model->over)
        person_send(p);
    p->stale = false;
}

static void
on_claimed(void *ctx, uint64_t n, enum err result, const struct player *player)
{
    struct commit_node *node = ctx;
    struct commit_model *m = node->model;
    struct commit_person *p = about_person(m, n);
    commit_fold(m, rand_mix(n, result));
    commit_trace(m, "node %u makes itself home to player %u: %s, %llu", node->index, p->index,
                 err_name(result), (unsigned long long)(result == OK ? player->session_epoch : 0));
    if (result == OK && !commit_chance(m, m->knobs.reply_lost_ppm))
        commit_at(m, commit_now_us(m) + draw_delay_us(m), on_claim_answer, p,
                  player->session_epoch);
}

static void
on_claim_request(void *arg, uint64_t n)
{
    struct commit_node *node = arg;
    if (!node_hears(node, on_claim_request, n))
        return;
    struct commit_person *p = about_person(node->model, n);
    enum err error =
        player_claim(&node->players, p->id, node->index + 1, NULL, on_claimed, node, n);
    CHECK(error == OK || error == ERR_FULL);
}

static void
person_claim(struct commit_person *p)
{
    struct commit_model *m = p->model;
    struct commit_node *node = any_node(m);
    commit_at(m, commit_now_us(m) + draw_delay_us(m), on_claim_request, node, about(p, 0, 0));
}

static void
on_created(void *ctx, uint64_t n, enum err result, const struct player *player)
{
    struct commit_person *p = about_person(((struct commit_node *)ctx)->model, n);
    CHECK(result == OK && player->id == p->id);
    p->epoch = player->session_epoch;
}

void
commit_person_init(struct commit_model *m, uint32_t index)
{
    struct commit_person *p = &m->persons[index];
    *p = (struct commit_person){.model = m,
                                .index = index,
                                .id = (uint64_t)COMMIT_WORLD << IDS_COUNTER_BITS |
                                      (FIRST_PLAYER + index)};
    p->sent = calloc(COMMIT_SEQ_MAX, sizeof *p->sent);
    CHECK(p->sent != NULL);
    struct slice name = {(const uint8_t *)"Bora", 4};
    struct commit_node *node = &m->nodes[0];
    CHECK(player_create(&node->players, p->id, name, &(struct player_home){.node = 1}, on_created,
                        node, about(p, 0, 0)) == OK);
}

void
commit_person_fini(struct commit_person *p)
{
    free(p->sent);
    p->sent = NULL;
}

/* ---- answers ---- */

static void on_think(void *arg, uint64_t n);

static void
on_answer(void *arg, uint64_t n)
{
    struct commit_person *p = arg;
    struct commit_model *m = p->model;
    uint32_t code = (uint32_t)(about_rest(n) >> 1);
    if (!p->busy || about_seq(n) != p->seq)
        return;
    if ((about_rest(n) & 1) == 0) {
        p->stale |= code == SEOM__CODE__REPLACED;
        return; /* it is sent again when its time comes */
    }
    p->busy = false;
    p->generation++;
    commit_at(m, commit_now_us(m) + 100 + commit_below(m, m->knobs.think_us_max), on_think, p,
              p->generation);
}

static void
on_done(void *ctx, uint64_t n, const struct command_result *result)
{
    struct commit_node *node = ctx;
    struct commit_model *m = node->model;
    struct commit_person *p = about_person(m, n);
    uint64_t seq = about_seq(n);
    commit_fold(m, rand_mix(n, result->code));
    commit_trace(m, "node %u answers player %u, command %llu of session %llu: %u%s", node->index,
                 p->index, (unsigned long long)seq, (unsigned long long)p->sent[seq].epoch_max,
                 result->code, result->again ? " again" : "");
    bool over = check_answer(m, p, seq, about_rest(n) & 1, result);
    if (!commit_chance(m, m->knobs.reply_lost_ppm))
        commit_at(m, commit_now_us(m) + draw_delay_us(m), on_answer, p,
                  about(p, seq, (uint64_t)result->code << 1 | over));
}

/* ---- commands ---- */

static struct deed_actor
actor_of(const struct commit_model *m, struct place at)
{
    return (struct deed_actor){.world_seed = m->options.seed,
                               .island = COMMIT_ISLAND,
                               .island_columns = COMMIT_COLUMNS,
                               .at = at,
                               .reach_mm = REACH_MM};
}

static void
on_request(void *arg, uint64_t n)
{
    struct commit_node *node = arg;
    if (!node_hears(node, on_request, n))
        return;
    struct commit_person *p = about_person(node->model, n);
    struct sent *sent = &p->sent[about_seq(n)];
    bool other = about_rest(n) & 1;
    uint64_t epoch = about_rest(n) >> 1;
    struct command command = {.actor = actor_of(node->model, sent->at),
                              .seq = about_seq(n),
                              .body = {sent->body, sent->body_bytes},
                              .kind = sent->kind};
    command.actor.player = p->id;
    command.actor.session_epoch = epoch;
    if (other) {
        command.body = (struct slice){sent->other, sent->other_bytes};
        command.kind = sent->other_kind;
    }
    sent->epoch_max = epoch > sent->epoch_max ? epoch : sent->epoch_max;
    enum err error =
        commands_run(node->commands, &command, on_done, node, about(p, command.seq, other));
    CHECK(error == OK || error == ERR_FULL || error == ERR_EXISTS);
}

/* To one node, or to several; some copies come late, when others have long been answered. */
static void
person_send(struct commit_person *p)
{
    struct commit_model *m = p->model;
    const struct commit_knobs *k = &m->knobs;
    uint32_t copies = m->faults ? 1 + commit_below(m, k->copies_max) : 1;
    for (uint32_t i = 0; i < copies; i++) {
        if (m->faults && commit_chance(m, k->request_lost_ppm))
            continue;
        int64_t us = draw_delay_us(m);
        if (m->faults && k->late_us_max > 0 && commit_below(m, 8) == 0)
            us += commit_below(m, k->late_us_max);
        uint64_t other = p->sent[p->seq].other_bytes > 0 && commit_below(m, 2) == 0;
        commit_at(m, commit_now_us(m) + us, on_request, any_node(m),
                  about(p, p->seq, p->epoch << 1 | other));
    }
}

/* A liar also sends a number that is far from being next. */
static void
person_jump(struct commit_person *p)
{
    struct commit_model *m = p->model;
    p->sent[COMMIT_SEQ_JUMPED] = p->sent[p->seq];
    commit_at(m, commit_now_us(m), on_request, any_node(m),
              about(p, COMMIT_SEQ_JUMPED, p->epoch << 1 | 1));
}

static void
on_resend(void *arg, uint64_t generation)
{
    struct commit_person *p = arg;
    struct commit_model *m = p->model;
    if (m->over || !p->busy || generation != p->generation)
        return;
    p->resends++;
    p->stale |= p->resends % RESENDS_CLAIM == 0;
    if (p->stale)
        person_claim(p); /* and sends when it has become the newest session */
    else
        person_send(p);
    uint32_t pause_us = m->knobs.resend_us << (p->resends < 4 ? p->resends : 4);
    pause_us = pause_us < RESEND_US_MAX ? pause_us : RESEND_US_MAX;
    commit_at(m, commit_now_us(m) + pause_us / 2 + commit_below(m, pause_us), on_resend, p,
              generation);
}

static void
on_job_done(void *ctx, uint64_t n, const struct command_result *result)
{
    struct commit_node *node = ctx;
    commit_fold(node->model, rand_mix(n, result->code));
    if (result->code == SEOM__CODE__FINE)
        commit_sometimes(node->model, SOMETIMES_REGROW_JOB);
}

/* A job for the chunk of a tree, upto some time that has come, or now. */
static void
on_job(void *arg, uint64_t n)
{
    struct commit_node *node = arg;
    if (!node_hears(node, on_job, n))
        return;
    struct commit_model *m = node->model;
    uint8_t body[8];
    struct writer w = writer_over(body, sizeof body);
    write_i64(&w, node_world_ms(node) - (int64_t)commit_below(m, 600000));
    struct slice upto = {body, n % 2 == 0 ? sizeof body : 0};
    struct deed_actor actor = actor_of(m, m->trees[n / 2 % m->tree_count].at);
    enum err error =
        commands_job(node->commands, &actor, &sample_regrow, upto, on_job_done, node, n);
    CHECK(error == OK || error == ERR_FULL);
}

static void
maybe_job(struct commit_model *m)
{
    if (!commit_chance(m, m->knobs.job_ppm))
        return;
    uint64_t which = commit_below(m, 2 * COMMIT_TREES_MAX);
    for (uint32_t i = commit_below(m, 3) + 1; i > 0; i--) {
        struct commit_node *node = any_node(m);
        commit_at(m, commit_now_us(m) + draw_delay_us(m), on_job, node, which);
    }
}

void
commit_person_begin(struct commit_person *p)
{
    struct commit_model *m = p->model;
    CHECK(!p->busy);
    if (!m->faults || p->seq + 1 >= COMMIT_SEQ_JUMPED)
        return;
    p->seq++;
    p->busy = true;
    p->generation++;
    p->asked_us = commit_now_us(m);
    p->resends = 0;
    ways_choose(p, &p->sent[p->seq]);
    if (p->sent[p->seq].other_bytes > 0)
        person_jump(p);
    commit_trace(m, "player %u gives command %llu: %s", p->index, (unsigned long long)p->seq,
                 p->sent[p->seq].kind->name);
    maybe_job(m);
    if (commit_chance(m, m->knobs.claim_ppm))
        person_claim(p);
    person_send(p);
    commit_at(m, commit_now_us(m) + m->knobs.resend_us, on_resend, p, p->generation);
}

static void
on_think(void *arg, uint64_t generation)
{
    struct commit_person *p = arg;
    if (!p->model->over && generation == p->generation)
        commit_person_begin(p);
}
