/* Home: the sessions of those who live here, as their gates and other homes see them: what is told
 * to them, and how they end. How people come in stands in entering.c, how all are given away in
 * drain.c.
 */
#include "base/check.h"
#include "seom.pb-c.h"
#include "world/state.h"

bool
home_send(struct world *w, uint32_t gate, const struct link_message *m)
{
    if (gate == PEER_NONE) {
        return false;
    }
    uint8_t head[LINK_HEAD_MAX];
    struct slice pieces[2] = {{.at = head, .bytes = link_head(m, head)}, link_tail(m)};
    if (w->env->links.send(w->env->links.ctx, gate, pieces, 2) != OK) {
        w->stats.controls_lost++;
        env_log(w->env, LOG_WARN, "home.ring_full", "a message of kind %d to gate %u was lost",
                (int)m->kind, gate);
        return false;
    }
    return true;
}

bool
home_tell(struct world *w, const struct avatar *a, struct link_self self)
{
    self.player = a->id;
    self.session_epoch = a->session_epoch;
    return !a->lingering &&
           home_send(w, a->gate, &(struct link_message){.kind = LINK_SELF, .as.self = self});
}

/* ---- leaving ---- */

#define LEAVING_MAX 64 /* at once; more wait for the next tick */

struct leaving {
    uint64_t player;
    struct place_slot slot;
};

void
home_init(struct world *w)
{
    players_init(&w->leavers, &w->store, w->options.world_id, LEAVING_MAX);
    pool_init(&w->leaving, sizeof(struct leaving), LEAVING_MAX, LEAVING_MAX);
}

void
home_fini(struct world *w)
{
    players_fini(&w->leavers);
    pool_fini(&w->leaving);
}

/* Whether somebody who is here, or on the way in, counts on the slot. */
static bool
slot_is_used(const struct world *w, const struct leaving *l)
{
    uint32_t index = map_get(&w->entering_by_player, l->player);
    const struct entering *e = index == MAP_NONE ? NULL : pool_at(&w->entering, index);
    return avatar_find(w, l->player) != NULL ||
           (e != NULL && e->slot.page == l->slot.page && e->slot.slot == l->slot.slot);
}

static void
left(void *ctx, uint64_t index, enum err result, const struct player *player)
{
    (void)player;
    struct world *w = ctx;
    const struct leaving *l = pool_at(&w->leaving, (uint32_t)index);
    if (result == OK && !slot_is_used(w, l)) {
        slots_give(&w->slots, l->player, &l->slot);
    }
    pool_give(&w->leaving, (uint32_t)index);
}

/* Too many leave at once: this one stands until the next tick. */
static void
wait_to_leave(struct world *w, uint32_t avatar_index)
{
    struct avatar *a = pool_at(&w->avatars, avatar_index);
    if (!a->lingering) {
        avatar_linger(w, avatar_index);
    }
    wheel_set(&w->wheel, &a->linger.entry, env_world_ms(w->env) / WORLD_TICK_MS + 1);
    w->stats.leaves_late++;
}

/* The place goes from the page into the document, so that the slot is free for somebody who plays
 * (what is written each second stays few pages), and that nobody is home, so that placement draws
 * anew. Where this fails the page and the home are found as they are.
 */
void
home_left(struct world *w, uint32_t avatar_index)
{
    const struct avatar *a = pool_at(&w->avatars, avatar_index);
    int64_t now_ms = env_world_ms(w->env);
    struct leaving leaving = {.player = a->id, .slot = a->slot};
    struct stand stood = avatar_stand(a);
    struct place at = motion_at(&stood.motion, now_ms);
    uint64_t session_epoch = a->session_epoch;
    uint32_t index;
    if (pool_take(&w->leaving, &index) != OK) {
        wait_to_leave(w, avatar_index);
        return;
    }
    avatar_remove(w, avatar_index);
    stood.motion = (struct motion){.x_mm = at.x_mm, .y_mm = at.y_mm, .since_ms = now_ms};
    *(struct leaving *)pool_at(&w->leaving, index) = leaving;
    if (player_leave(&w->leavers, leaving.player, session_epoch, &stood, left, w, index) != OK) {
        pool_give(&w->leaving, index);
    }
}

/* The avatar goes, and nothing of it is kept: whoever is home now has its own page. */
void
home_replaced(struct world *w, struct avatar *a)
{
    if (map_get(&w->entering_by_player, a->id) != MAP_NONE ||
        w->options.mutant == WORLD_MUTANT_CLAIM_UNSEEN) {
        return; /* perhaps it is our own claim that was seen: it decides when it is answered */
    }
    if (a->given_ms == 0) { /* else its gate knows better, or will in a moment */
        home_tell(w, a, (struct link_self){.kind = SELF_END, .code = SEOM__CODE__REPLACED});
    }
    w->stats.replaced++;
    slots_give(&w->slots, a->id, &a->slot);
    avatar_drop(w, map_get(&w->avatar_by_id, a->id));
}

void
home_seen(struct world *w, const struct player *player)
{
    struct avatar *a = avatar_find(w, player->id);
    if (a != NULL && player->session_epoch > a->session_epoch &&
        player->home.node != w->options.node_epoch) {
        home_replaced(w, a);
    }
}

/* Whoever played over it stands until the ticket comes again. */
void
home_peer_down(struct world *w, uint32_t peer)
{
    for (uint32_t i = pool_next(&w->entering, POOL_NONE); i != POOL_NONE;
         i = pool_next(&w->entering, i)) {
        struct entering *e = pool_at(&w->entering, i);
        e->gate = e->gate == peer ? PEER_NONE : e->gate;
        e->next.conn = e->next.gate == peer ? 0 : e->next.conn;
    }
    for (uint32_t i = pool_next(&w->avatars, POOL_NONE); i != POOL_NONE;
         i = pool_next(&w->avatars, i)) {
        struct avatar *a = pool_at(&w->avatars, i);
        if (a->gate == peer) {
            if (!a->lingering) {
                avatar_linger(w, i);
            }
            a->gate = PEER_NONE;
        }
    }
}

/* Gates give the sessions of our old name to others, if they have not yet: nothing is told to them.
 * Our pages stay ours, nobody else writes them. */
void
home_renamed(struct world *w, uint64_t node_epoch)
{
    entering_end_all(w, SEOM__CODE__RETRY_AFTER);
    for (uint32_t i = pool_next(&w->avatars, POOL_NONE); i != POOL_NONE;
         i = pool_next(&w->avatars, i)) {
        avatar_drop(w, i);
    }
    w->options.node_epoch = node_epoch;
}

void
home_stop(struct world *w, uint32_t retry_after_ms)
{
    w->stopping = true;
    entering_end_all(w, SEOM__CODE__SERVER_STOPS);
    for (uint32_t i = pool_next(&w->avatars, POOL_NONE); i != POOL_NONE;
         i = pool_next(&w->avatars, i)) {
        const struct avatar *a = pool_at(&w->avatars, i);
        if (!a->lingering) {
            home_send(w, a->gate,
                      &(struct link_message){.kind = LINK_SELF,
                                             .as.self = {.player = a->id,
                                                         .session_epoch = a->session_epoch,
                                                         .kind = SELF_END,
                                                         .code = SEOM__CODE__SERVER_STOPS,
                                                         .number = retry_after_ms}});
        }
        avatar_remove(w, i);
    }
}
