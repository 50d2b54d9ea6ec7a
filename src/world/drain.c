/* Drain: a home that is going to end gives everybody to other homes. One that has far more people
 * than the others gives away what is too much, slowly; and to a home that has joined, and stays, it
 * gives those whom placement would send there now, once. Each session is
 * handed to the gate with the node that placement drew (GO); from then on nothing of it is heeded
 * here, the gate keeps what its client says until the new home answers. The avatar stands until the
 * new home's claim is seen, or DRAIN_STANDS_MS have passed. Lingering ones are saved and go, and
 * whoever waits for the answer to a command goes once it came. Paced, so that the claims of many do
 * not wait for each other.
 */
#include "base/check.h"
#include "world/state.h"

#define DRAIN_PER_TICK  200
#define RELIEF_PER_TICK 10
#define SPREAD_AFTER_MS 10000 /* whoever dies sooner is not worth the way */
#define SPREAD_LOOKS    100   /* at so many avatars in a tick */
#define DRAIN_STANDS_MS 2000

/* false: the link had no room, or nobody takes people: once more at the next tick. */
static bool
give(struct world *w, struct avatar *a, int64_t now_ms)
{
    struct stand stand = avatar_stand(a);
    uint64_t node = peers_choose(w, &stand);
    if (node == 0 || node == w->options.node_epoch ||
        !home_send(
            w, a->gate,
            &(struct link_message){
                .kind = LINK_GO,
                .as.go = {.player = a->id, .session_epoch = a->session_epoch, .node = node}})) {
        return false;
    }
    peers_sent(w, node);
    a->given_ms = now_ms;
    w->given++;
    w->stats.given++;
    return true;
}

/* At most so many in this tick. */
static uint32_t
to_give(const struct world *w)
{
    if (w->draining) {
        return DRAIN_PER_TICK;
    }
    uint32_t surplus = peers_surplus(w);
    return surplus < RELIEF_PER_TICK ? surplus : RELIEF_PER_TICK;
}

static bool
is_busy(const struct world *w, const struct avatar *a)
{
    return map_get(&w->entering_by_player, a->id) != MAP_NONE || value_is_under_way(w, a->id);
}

/* One pass over everybody for the homes that joined until it began; it may miss one who comes
 * meanwhile, whom placement has placed already. */
static void
spread(struct world *w, int64_t now_ms)
{
    int64_t joined_ms = now_ms - SPREAD_AFTER_MS;
    if (w->spread_at == POOL_NONE) {
        if (!peers_joined(w, 0, joined_ms)) {
            return;
        }
        w->spread_began_ms = now_ms;
    }
    joined_ms = w->spread_began_ms - SPREAD_AFTER_MS;
    uint32_t left = RELIEF_PER_TICK;
    for (uint32_t looks = SPREAD_LOOKS; looks > 0 && left > 0; looks--) {
        w->spread_at = pool_next(&w->avatars, w->spread_at);
        if (w->spread_at == POOL_NONE) {
            peers_settle(w, joined_ms);
            return;
        }
        struct avatar *a = pool_at(&w->avatars, w->spread_at);
        struct stand stand = avatar_stand(a);
        if (a->given_ms == 0 && !a->lingering && !is_busy(w, a) &&
            peers_joined(w, peers_choose(w, &stand), joined_ms)) {
            left -= give(w, a, now_ms);
        }
    }
}

void
drain_turn(struct world *w, int64_t now_ms)
{
    if (!w->draining && !w->stopping) {
        spread(w, now_ms);
    }
    uint32_t left = to_give(w);
    if (w->stopping || (!w->draining && left == 0 && w->given == 0)) {
        return;
    }
    for (uint32_t i = pool_next(&w->avatars, POOL_NONE); i != POOL_NONE;
         i = pool_next(&w->avatars, i)) {
        struct avatar *a = pool_at(&w->avatars, i);
        if (is_busy(w, a)) {
            continue;
        }
        if (a->given_ms != 0 ? now_ms - a->given_ms >= DRAIN_STANDS_MS
                             : a->lingering && w->draining) {
            home_left(w, i);
        } else if (a->given_ms == 0 && !a->lingering && left > 0) {
            left = give(w, a, now_ms) ? left - 1 : 0;
        }
    }
}

void
world_close(struct world *w, bool closed)
{
    w->closed = closed;
}

void
world_drain(struct world *w)
{
    w->draining = true;
}

bool
world_drained(const struct world *w)
{
    bool at_rest = world_commands_under_way(w) == 0;
    return w->draining && at_rest && w->stats.players == 0 && w->entering.used == 0 &&
           w->leaving.used == 0 && places_stats(w->places).dirty == 0;
}
