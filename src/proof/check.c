/* What must hold. Sampled every 50 ms of virtual time over everybody; what depends on single events
 * (dropped entities, codes, queues) is checked when they happen. A condition that may need time to
 * come true again has its time written beside it; who was disturbed by a fault counts anew from its
 * end.
 */
#include "base/check.h"
#include "proof/state.h"
#include <math.h>
#include <stdlib.h>

#define VISIBLE_US     300000
#define GHOST_US       700000  /* until who left must be gone: its crossing, the batch, the slot */
#define SETTLE_US      1500000 /* after a disturbance before a viewer is judged */
#define CROWD_US       6000000
#define AGREE_MM       30
#define CROWD_AGREE_MM 2500
#define OWN_MM         1500
#define OWN_US         800000
#define CROWDED        (GATE_CROWDED * 3 / 4)
#define OUT_BYTES_MAX  8192     /* one send and what is said at once: news never pile up */
#define ABSENT_US      36000000 /* WORLD_LINGER_MS and what an entrance under way may take */
#define RESTART_MM     (45 * 1050 * 14 / 10) /* a rider, a second and the way of the last save */

uint32_t
check_slot(struct model *m, uint64_t player)
{
    uint32_t slot = map_get(&m->player_slot, player);
    if (slot == MAP_NONE) {
        slot = m->truth_count++;
        CHECK(slot < PERSONS_MAX * 4);
        CHECK(map_put(&m->player_slot, player, slot) == OK);
        m->truth_player[slot] = player;
    }
    return slot;
}

static int32_t
apart(const struct truth *a, const struct truth *b)
{
    int32_t dx = abs(a->cx - b->cx), dy = abs(a->cy - b->cy);
    return dx > dy ? dx : dy;
}

/* Whoever was apart by what the homes told, however briefly, may be dropped. */
static void
remember_apart(struct model *m, uint32_t slot)
{
    const struct truth *t = &m->truths[slot];
    for (uint32_t i = 0; i < m->knobs.persons; i++) {
        uint32_t own = m->persons[i].client == NULL
                           ? MAP_NONE
                           : map_get(&m->player_slot, seom_client_player(m->persons[i].client));
        for (uint32_t k = 0; k < m->truth_count && own != MAP_NONE; k++) {
            const struct truth *a = &m->truths[own], *b = &m->truths[k];
            bool apart = abs(chunk_of(a->told.x_mm) - chunk_of(b->told.x_mm)) > 2 ||
                         abs(chunk_of(a->told.y_mm) - chunk_of(b->told.y_mm)) > 2;
            if (apart && (a == t || b == t)) {
                m->pairs[i][k].apart_us = model_now_us(m);
            }
        }
    }
}

/* The oracle of speed: a bucket of its own over the chain of motions that the home tells, each of
 * which began where the one before was at that time, or jumped. */
void
check_motion(struct model *m, uint64_t player, const struct motion *motion, uint8_t look)
{
    uint32_t slot = check_slot(m, player);
    struct truth *t = &m->truths[slot];
    int64_t limit = (look == LOOK_RIDER || t->told_look == LOOK_RIDER ? 45000 : 7000) *
                    INT64_C(105) / 100; /* um/ms */
    int64_t elapsed_ms = motion->since_ms - t->told.since_ms;
    int64_t moving_ms = elapsed_ms < t->told.lasts_ms ? elapsed_ms : t->told.lasts_ms;
    struct place from = motion_at(&t->told, motion->since_ms);
    double dx = motion->x_mm - from.x_mm, dy = motion->y_mm - from.y_mm;
    int64_t max_um = limit * 200,
            credit_um = t->credit_um + limit * elapsed_ms - velocity_mm_s(&t->told) * moving_ms;
    credit_um = credit_um < max_um && look == t->told_look ? credit_um : max_um;
    credit_um -= (int64_t)(sqrt(dx * dx + dy * dy) * 1000);
    if (chunk_of(motion->x_mm) != chunk_of(t->told.x_mm) ||
        chunk_of(motion->y_mm) != chunk_of(t->told.y_mm)) {
        t->chunk_changed_us = model_now_us(m); /* also when it is back before the next sample */
    }
    bool first = !t->is_told;
    t->is_told = true;
    t->told = *motion;
    t->told_look = look;
    remember_apart(m, slot);
    t->credit_um = first ? max_um : credit_um;
    model_exercised(m, PROOF_SPEED);
    if (t->credit_um < -20000) {
        model_wrong(m, PROOF_WRONG, PROOF_SPEED,
                    "player %u is %lld mm ahead of what its speed allows", slot,
                    (long long)(-t->credit_um / 1000));
    }
}

static bool
same_motion(const struct motion *a, const struct motion *b)
{
    return a->x_mm == b->x_mm && a->y_mm == b->y_mm && a->vx == b->vx && a->vy == b->vy &&
           a->since_ms == b->since_ms && a->lasts_ms == b->lasts_ms;
}

static void
refresh_truth(struct model *m, const struct world_player *p, int64_t now_us)
{
    uint32_t slot = check_slot(m, p->player);
    struct truth *t = &m->truths[slot];
    struct place at = motion_at(&p->motion, model_world_ms(m));
    int32_t cx = chunk_of(at.x_mm), cy = chunk_of(at.y_mm);
    if (!t->present || t->island != p->island) {
        t->came_us = t->chunk_changed_us = t->motion_changed_us = now_us;
        t->is_told = false;
    } else {
        t->chunk_changed_us = cx != t->cx || cy != t->cy ? now_us : t->chunk_changed_us;
        t->motion_changed_us = same_motion(&t->motion, &p->motion) ? t->motion_changed_us : now_us;
    }
    t->present = true;
    t->lingering = p->lingering;
    t->island = p->island;
    t->look = p->look;
    t->epoch = p->session_epoch;
    t->motion = p->motion;
    if (p->lingering) {
        t->told = p->motion; /* no gate is told where it walks on */
    }
    t->at = at;
    t->cx = cx;
    t->cy = cy;
}

static void
refresh_truths(struct model *m, int64_t now_us)
{
    bool there[PERSONS_MAX * 4] = {false};
    struct world_player p;
    uint32_t cursor = 0;
    while (world_next_player(m->world, &cursor, &p)) {
        refresh_truth(m, &p, now_us);
        there[check_slot(m, p.player)] = true;
    }
    for (uint32_t i = 0; i < m->truth_count; i++) {
        struct truth *t = &m->truths[i];
        if (t->present && !there[i]) {
            t->present = false;
            t->left_us = now_us;
        }
        uint32_t near = 0;
        for (uint32_t k = 0; k < m->truth_count && m->knobs.crowd && t->present; k++) {
            const struct truth *o = &m->truths[k];
            near += o->present && o->island == t->island && o->cx == t->cx && o->cy == t->cy;
        }
        t->in_crowd = near >= CROWDED;
    }
}

/* Held longer than allowed? *since is 0 while it does not hold. */
static bool
held(int64_t *since, bool holds, int64_t now_us, int64_t allowed_us)
{
    if (!holds) {
        *since = 0;
        return false;
    }
    if (*since == 0) {
        *since = now_us;
    }
    return now_us - *since > allowed_us;
}

static void
check_pair(struct person *a, const struct truth *self, uint32_t slot, int64_t now_us)
{
    struct model *m = a->model;
    struct pair *pair = &m->pairs[a->index][slot];
    const struct truth *t = &m->truths[slot];
    const struct seom_entity *seen = seom_client_find(a->client, m->truth_player[slot]);
    bool near = t->present && t->island == self->island && apart(self, t) <= 1;
    if (!t->present || t->island != self->island || apart(self, t) > 2) {
        pair->apart_us = now_us;
    }
    model_exercised(m, t->in_crowd ? PROOF_CROWD_SEEN : PROOF_VISIBLE);
    if (held(&pair->unseen_us, near && seen == NULL, now_us, t->in_crowd ? CROWD_US : VISIBLE_US)) {
        model_wrong(m, PROOF_WRONG, t->in_crowd ? PROOF_CROWD_SEEN : PROOF_VISIBLE,
                    "person %u has not seen player %u for %lld ms", a->index, slot,
                    (long long)((now_us - pair->unseen_us) / 1000));
    }
    bool ghost = seen != NULL && (!t->present || t->island != self->island || apart(self, t) > 3);
    model_exercised(m, PROOF_NO_GHOST);
    if (held(&pair->ghost_us, ghost, now_us, t->in_crowd || m->knobs.crowd ? CROWD_US : GHOST_US)) {
        model_wrong(m, PROOF_WRONG, PROOF_NO_GHOST, "person %u still sees player %u, who is gone",
                    a->index, slot);
    }
    if (seen == NULL || !t->present || t->island != self->island) {
        pair->differs_us = 0;
        return;
    }
    struct place shown = motion_at(&seen->motion, model_world_ms(m));
    int32_t tolerance = t->in_crowd ? CROWD_AGREE_MM : AGREE_MM;
    bool differs =
        abs(shown.x_mm - t->at.x_mm) > tolerance || abs(shown.y_mm - t->at.y_mm) > tolerance;
    bool settled = now_us - t->motion_changed_us > VISIBLE_US;
    model_exercised(m, PROOF_AGREES);
    if (held(&pair->differs_us, differs && (settled || t->in_crowd), now_us,
             t->in_crowd ? CROWD_US : VISIBLE_US)) {
        model_wrong(m, PROOF_WRONG, PROOF_AGREES, "person %u sees player %u %d mm from the truth",
                    a->index, slot, abs(shown.x_mm - t->at.x_mm) + abs(shown.y_mm - t->at.y_mm));
    }
}

static bool
is_healthy(const struct person *p, int64_t now_us)
{
    const struct model *m = p->model;
    int64_t since_us = p->healthy_us > m->disturbed_us ? p->healthy_us : m->disturbed_us;
    return p->client != NULL && seom_client_state(p->client) == SEOM_PLAYING &&
           p->stalled_until_us == 0 && now_us - since_us > SETTLE_US && p->kind != PERSON_GARBAGE;
}

static void
check_own(struct person *p, const struct truth *t, int64_t now_us)
{
    struct model *m = p->model;
    struct motion self = seom_client_self(p->client);
    struct place shown = motion_at(&self, model_world_ms(m));
    bool differs = abs(shown.x_mm - t->at.x_mm) > OWN_MM || abs(shown.y_mm - t->at.y_mm) > OWN_MM ||
                   t->lingering;
    if (p->kind == PERSON_LIAR) {
        return;
    }
    model_exercised(m, PROOF_OWN);
    if (held(&p->own_bad_us, differs && now_us > m->moves_late_us, now_us, OWN_US)) {
        model_wrong(m, PROOF_WRONG, PROOF_OWN, "person %u is not where the truth has it (%s)",
                    p->index,
                    t->lingering ? "its avatar lingers although it plays" : "it is elsewhere");
    }
}

static void
forget_pairs(struct person *p)
{
    for (uint32_t i = 0; i < p->model->truth_count; i++) {
        struct pair *pair = &p->model->pairs[p->index][i];
        pair->unseen_us = pair->differs_us = pair->ghost_us = 0;
        pair->apart_us = model_now_us(p->model);
    }
}

void
check_links(struct model *m)
{
    if (sim_net_stats(m->net)->links_full == m->links_full) {
        return;
    }
    m->links_full = sim_net_stats(m->net)->links_full;
    m->links_full_us = m->disturbed_us = model_now_us(m);
}

static void
check_queues(struct model *m)
{
    for (uint32_t g = 0; g < m->knobs.gates; g++) {
        model_exercised(m, PROOF_QUEUES);
        if (gate_out_bytes_max(m->gates[g]) > OUT_BYTES_MAX) {
            model_wrong(m, PROOF_WRONG, PROOF_QUEUES, "gate %u holds %u bytes for one client", g,
                        gate_out_bytes_max(m->gates[g]));
        }
        if (gate_stats(m->gates[g])->limits_reached > 0 && !m->knobs.crowd) {
            model_wrong(m, PROOF_WRONG, PROOF_QUEUES, "gate %u reached a limit of its pools", g);
        }
    }
    if (sim_net_stats(m->net)->link_bytes_high > m->knobs.link_bytes) {
        model_wrong(m, PROOF_WRONG, PROOF_QUEUES, "a link held %u bytes",
                    sim_net_stats(m->net)->link_bytes_high);
    }
    check_links(m);
}

static void
check_one_session(struct model *m, int64_t now_us)
{
    for (uint32_t i = 0; i < m->knobs.persons; i++) {
        const struct person *p = &m->persons[i];
        if (p->kind != PERSON_TWIN || p->twin == i || !is_healthy(p, now_us)) {
            continue;
        }
        const struct person *other = &m->persons[p->twin];
        if (is_healthy(other, now_us) &&
            seom_client_player(other->client) == seom_client_player(p->client)) {
            model_wrong(m, PROOF_WRONG, PROOF_ONE_SESSION,
                        "persons %u and %u both play with one ticket", i, p->twin);
        }
    }
}

/* Who is connected as a player, or on the way to it, keeps the avatar; without anybody it must go.
 */
static void
check_absent(struct model *m)
{
    int64_t now_us = model_now_us(m), passed_us = now_us - m->sampled_us;
    bool held[PERSONS_MAX * 4] = {false}, unread = false;
    for (uint32_t i = 0; i < m->knobs.persons; i++) {
        const struct person *p = &m->persons[i];
        bool open = p->client != NULL && sim_net_is_open(m->net, i);
        uint64_t player = open ? seom_client_player(p->client) : 0;
        uint32_t slot = map_get(&m->player_slot, player);
        if (slot != MAP_NONE) {
            held[slot] = m->truths[slot].welcomed = true;
        }
        unread = unread || (open && player == 0); /* who does not read does not know who it is */
    }
    bool clogged = sim_net_clogged_until_us(m->net, SIM_TO_GATES) > now_us ||
                   sim_net_clogged_until_us(m->net, SIM_TO_HOME) > now_us;
    for (uint32_t slot = 0; slot < m->truth_count; slot++) {
        struct truth *t = &m->truths[slot];
        if (held[slot] || !t->present) {
            t->absent_us = 0;
            continue;
        }
        t->absent_us += clogged || (unread && !t->welcomed) ? 0 : passed_us;
        model_exercised(m, PROOF_ABSENT);
        if (t->absent_us > ABSENT_US) {
            model_wrong(m, PROOF_WRONG, PROOF_ABSENT,
                        "player %u stands there for %lld s without a connection", slot,
                        (long long)(t->absent_us / 1000000));
        }
    }
}

void
check_sample(struct model *m)
{
    int64_t now_us = model_now_us(m);
    refresh_truths(m, now_us);
    check_absent(m);
    check_queues(m);
    check_one_session(m, now_us);
    for (uint32_t i = 0; i < m->knobs.persons && !m->over; i++) {
        struct person *p = &m->persons[i];
        uint32_t own = p->kind == PERSON_SPECTATOR || p->client == NULL
                           ? MAP_NONE
                           : map_get(&m->player_slot, seom_client_player(p->client));
        if (!is_healthy(p, now_us) || own == MAP_NONE || !m->truths[own].present) {
            forget_pairs(p);
            continue;
        }
        check_own(p, &m->truths[own], now_us);
        for (uint32_t slot = 0; slot < m->truth_count && !m->over; slot++) {
            if (slot != own) {
                check_pair(p, &m->truths[own], slot, now_us);
            }
        }
    }
    m->sampled_us = now_us;
}

/* The place of a player at this very moment; false: not in the world. */
static bool
chunk_now(const struct model *m, uint64_t player, int32_t *cx, int32_t *cy)
{
    struct world_player p;
    uint32_t cursor = 0;
    while (world_next_player(m->world, &cursor, &p)) {
        if (p.player == player) {
            struct place at = motion_at(&p.motion, model_world_ms(m));
            *cx = chunk_of(at.x_mm);
            *cy = chunk_of(at.y_mm);
            return true;
        }
    }
    return false;
}

/* Somebody disappeared from a replica: allowed who was apart, or changed its chunk, within the last
 * second. */
void
check_gone(struct person *viewer, uint64_t entity)
{
    struct model *m = viewer->model;
    int64_t now_us = model_now_us(m);
    uint32_t slot = map_get(&m->player_slot, entity);
    if (slot == MAP_NONE || m->knobs.crowd || viewer->kind == PERSON_SPECTATOR ||
        !is_healthy(viewer, now_us)) {
        return;
    }
    const struct truth *t = &m->truths[slot];
    const struct pair *pair = &m->pairs[viewer->index][slot];
    check_links(m);
    if (now_us - m->links_full_us < 1000000 && m->links_full_us != 0) {
        return; /* a link was full a moment ago: what it carried is being repaired */
    }
    int32_t cx, cy, own_cx, own_cy;
    if (!chunk_now(m, entity, &cx, &cy) ||
        !chunk_now(m, seom_client_player(viewer->client), &own_cx, &own_cy)) {
        return;
    }
    bool there = t->present && now_us - t->came_us > 1000000 &&
                 now_us - t->chunk_changed_us > 1000000 && cx == t->cx && cy == t->cy;
    bool near = now_us - pair->apart_us > 1000000 && abs(cx - own_cx) <= 2 && abs(cy - own_cy) <= 2;
    model_exercised(m, PROOF_HYSTERESIS);
    if (there && near) {
        model_wrong(m, PROOF_WRONG, PROOF_HYSTERESIS,
                    "person %u lost player %u, who stands within 5 x 5 chunks", viewer->index,
                    slot);
    }
}

void
check_restart(struct model *m, uint32_t slot, struct place now_at)
{
    struct truth *t = &m->truths[slot];
    if (!t->remembered) {
        return;
    }
    t->remembered = false;
    model_exercised(m, PROOF_RESTART);
    if (abs(now_at.x_mm - t->crashed_at.x_mm) > RESTART_MM ||
        abs(now_at.y_mm - t->crashed_at.y_mm) > RESTART_MM ||
        (t->look == LOOK_WALKER && abs(now_at.x_mm - t->crashed_at.x_mm) > RESTART_MM / 6)) {
        model_wrong(m, PROOF_WRONG, PROOF_RESTART,
                    "player %u came back %d, %d mm from where it stood", slot,
                    now_at.x_mm - t->crashed_at.x_mm, now_at.y_mm - t->crashed_at.y_mm);
    }
}

void
check_remember_crash(struct model *m)
{
    int64_t now_us = model_now_us(m);
    for (uint32_t i = 0; i < m->truth_count; i++) {
        struct truth *t = &m->truths[i];
        /* Who came within the last seconds may not have been saved; a store in trouble saves later.
         */
        t->remembered = t->present && now_us - t->came_us > 3000000 && !m->knobs.store_faults;
        t->crashed_at = t->at;
        t->present = false;
        t->left_us = now_us;
    }
}

void
check_recovered(struct model *m)
{
    for (uint32_t g = 0; g < m->knobs.gates; g++) {
        for (uint32_t wakes = 0; wakes < 2; wakes++) {
            model_exercised(m, PROOF_DIGEST);
            if (gate_digest(m->gates[g], wakes != 0) != world_digest(m->world, g, wakes != 0)) {
                model_wrong(m, PROOF_WRONG, PROOF_DIGEST,
                            "gate %u and the home disagree about its subscriptions", g);
            }
        }
    }
    for (uint32_t i = 0; i < m->knobs.persons && !m->over; i++) {
        const struct person *p = &m->persons[i];
        bool twins = p->kind == PERSON_TWIN ||
                     (i + 1 < m->knobs.persons && m->persons[i + 1].kind == PERSON_TWIN);
        if (twins || p->kind == PERSON_GARBAGE || p->kind == PERSON_LIAR) {
            continue;
        }
        model_exercised(m, PROOF_RECOVERS);
        if (seom_client_state(p->client) != SEOM_PLAYING) {
            model_wrong(m, PROOF_STUCK, PROOF_RECOVERS,
                        "person %u does not play %lld s after the last fault (state %d, code %u)",
                        i, (long long)((model_now_us(m) - m->faults_end_us) / 1000000),
                        (int)seom_client_state(p->client), p->ended_code);
        }
    }
}
