/* Home: how people come in.
 *
 *        ENTER without ticket                       ENTER with ticket
 *              |                                           |
 *           MINT (an id from the leased block)             |
 *              |                                           |
 *              |                                           |   not served
 *           CREATE (player/<id>, session_epoch 1)       CLAIM <--------------> DOUBT
 *              |                                (session_epoch + 1)
 *              |                                           |
 *              +-------------------+-----------------------+
 *                                  |            \  already in the world: taken over, HOME at once
 *                               PLACE (where they stood)
 *                                  |
 *                               HOME: an avatar stands in the world
 *
 * Whatever fails on the way is answered with a code; nothing of the half-entered stays behind. A
 * second ENTER of the same player while one is under way takes its place: the newer connection
 * wins. DOUBT: the store did not serve the claim; it is asked for another document, and if it
 * serves that and the next claim neither, then this player's document cannot be read: to the lobby.
 */
#include "base/check.h"
#include "seom.pb-c.h"
#include "world/state.h"
#include <string.h>

#define RETRY_AFTER_MS 2000

static const struct bucket_rate guest_rate = {.per_s = WORLD_GUESTS_PER_S,
                                              .burst = 2 * WORLD_GUESTS_PER_S};

/* Which moves a state allows: a bit per next state. */
static const uint8_t entering_moves[ENTERING_STATES] = {
    [ENTERING_FREE] = 1 << ENTERING_MINT | 1 << ENTERING_CLAIM,
    [ENTERING_MINT] = 1 << ENTERING_CREATE | 1 << ENTERING_FREE,
    [ENTERING_CREATE] = 1 << ENTERING_PLACE | 1 << ENTERING_FREE,
    [ENTERING_CLAIM] = 1 << ENTERING_DOUBT | 1 << ENTERING_PLACE | 1 << ENTERING_FREE,
    [ENTERING_DOUBT] = 1 << ENTERING_CLAIM | 1 << ENTERING_FREE,
    [ENTERING_PLACE] = 1 << ENTERING_FREE,
};

static void
entering_move(struct world *w, struct entering *e, enum entering_state to)
{
    CHECK(entering_moves[e->state] >> to & 1);
    env_trace(w->env, "home.entering", e->player, to);
    e->state = to;
}

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

static void
refuse(struct world *w, uint32_t gate, uint64_t conn, uint8_t code)
{
    w->stats.enters_refused++;
    home_send(w, gate,
              &(struct link_message){
                  .kind = LINK_HOME,
                  .as.home = {.conn = conn, .code = code, .retry_after_ms = RETRY_AFTER_MS}});
}

/* The end of an attempt, whatever became of it. */
static void
entering_end(struct world *w, struct entering *e, uint32_t index)
{
    if (e->state == ENTERING_MINT) {
        w->minting--;
    }
    if (e->player != 0) {
        CHECK(map_remove(&w->entering_by_player, e->player) == index);
    }
    entering_move(w, e, ENTERING_FREE);
    pool_give(&w->entering, index);
}

static void
entering_fail(struct world *w, uint32_t index, uint8_t code)
{
    struct entering *e = pool_at(&w->entering, index);
    refuse(w, e->gate, e->conn, code);
    entering_end(w, e, index);
}

static uint8_t
code_of(enum err e)
{
    return e == ERR_NOT_FOUND ? SEOM__CODE__BAD_TICKET
           : e == ERR_FORMAT  ? SEOM__CODE__UNREADABLE
                              : SEOM__CODE__RETRY_AFTER;
}

/* A full ring loses the answer, and then nobody plays: the avatar lingers until its ticket comes
 * again. */
static void
welcome(struct world *w, uint32_t index, uint32_t avatar_index)
{
    const struct entering *e = pool_at(&w->entering, index);
    const struct avatar *a = pool_at(&w->avatars, avatar_index);
    struct link_message m = {.kind = LINK_HOME,
                             .as.home = {.conn = e->conn,
                                         .code = SEOM__CODE__FINE,
                                         .player = a->id,
                                         .entity = a->id,
                                         .session_epoch = a->session_epoch,
                                         .last_seq = e->last_seq,
                                         .island = island_id(a->island),
                                         .look = a->mover.look,
                                         .motion = a->mover.motion}};
    struct ticket t = {.world = w->options.world_id,
                       .player = a->id,
                       .issued_s = (uint32_t)(env_world_ms(w->env) / 1000)};
    ticket_write(&t, w->options.ticket_key, m.as.home.ticket);
    if (!home_send(w, e->gate, &m)) {
        avatar_linger(w, avatar_index);
    }
}

/* The newer connection wins: whoever played with this avatar is told, the avatar stays where it is.
 */
static void
take_over(struct world *w, uint32_t index, uint32_t avatar_index)
{
    const struct entering *e = pool_at(&w->entering, index);
    struct avatar *a = pool_at(&w->avatars, avatar_index);
    if (!a->lingering) {
        home_send(w, a->gate,
                  &(struct link_message){.kind = LINK_SELF,
                                         .as.self = {.player = a->id,
                                                     .session_epoch = a->session_epoch,
                                                     .kind = SELF_END,
                                                     .code = SEOM__CODE__REPLACED}});
    } else {
        w->stats.lingering--;
        wheel_cancel(&w->wheel, &a->linger.entry);
    }
    w->stats.takeovers++;
    a->lingering = false;
    a->gate = e->gate;
    a->session_epoch = e->session_epoch;
    a->versions[0] = e->version;
    a->last_move_no = 0;
}

static void
placed(void *ctx, uint64_t handle, enum err result, const struct stand *stand)
{
    struct world *w = ctx;
    struct entering *e = pool_find(&w->entering, handle);
    if (e == NULL) {
        return;
    }
    uint32_t index = (uint32_t)handle, avatar_index;
    if (result != OK && result != ERR_NOT_FOUND) {
        entering_fail(w, index, code_of(result));
        return;
    }
    if (avatar_add(w, e, result == OK ? stand : NULL, &avatar_index) != OK) {
        entering_fail(w, index, SEOM__CODE__FULL);
        return;
    }
    welcome(w, index, avatar_index);
    entering_end(w, e, index);
}

static void claim(struct world *w, uint32_t index);

static void
doubted(void *ctx, uint64_t handle, enum store_result result, const struct store_doc *doc)
{
    (void)doc;
    struct world *w = ctx;
    struct entering *e = pool_find(&w->entering, handle);
    if (e == NULL) {
        return;
    }
    if (result != STORE_OK) {
        entering_fail(w, (uint32_t)handle, SEOM__CODE__RETRY_AFTER);
        return;
    }
    e->doubted = true;
    claim(w, (uint32_t)handle);
}

static void
doubt(struct world *w, uint32_t index)
{
    struct entering *e = pool_at(&w->entering, index);
    struct key key = key_named(w->options.world_id, KEY_CLASS_META, "switches");
    entering_move(w, e, ENTERING_DOUBT);
    if (store_get(&w->store, key_slice(&key), doubted, w, pool_handle(&w->entering, index)) != OK) {
        entering_fail(w, index, SEOM__CODE__RETRY_AFTER);
    }
}

static void
refused(struct world *w, uint32_t index, enum err why)
{
    const struct entering *e = pool_at(&w->entering, index);
    if (w->stopping) {
        entering_fail(w, index, SEOM__CODE__SERVER_STOPS);
    } else if (why == ERR_UNAVAILABLE && e->state == ENTERING_CLAIM && !e->doubted) {
        doubt(w, index);
    } else if (why == ERR_UNAVAILABLE && e->doubted) {
        entering_fail(w, index, SEOM__CODE__UNREADABLE);
    } else {
        entering_fail(w, index, code_of(why));
    }
}

/* Created or claimed: the session is theirs. */
static void
claimed(void *ctx, uint64_t handle, enum err result, const struct player *player)
{
    struct world *w = ctx;
    struct entering *e = pool_find(&w->entering, handle);
    if (e == NULL) {
        return;
    }
    uint32_t index = (uint32_t)handle;
    if (result != OK || w->stopping) {
        refused(w, index, result);
        return;
    }
    e->version = player->version;
    e->session_epoch = player->session_epoch;
    e->last_seq = player->last_seq;
    memcpy(e->name, player->name, sizeof e->name);
    uint32_t there = map_get(&w->avatar_by_id, e->player);
    if (there != MAP_NONE) {
        take_over(w, index, there);
        welcome(w, index, there);
        entering_end(w, e, index);
        return;
    }
    entering_move(w, e, ENTERING_PLACE);
    if (place_get(w->places, e->player, placed, w, handle) != OK) {
        entering_fail(w, index, SEOM__CODE__RETRY_AFTER);
    }
}

static void
mint(struct world *w, uint32_t index)
{
    struct entering *e = pool_at(&w->entering, index);
    enum err got = ids_take(&w->ids, &e->player);
    if (got == ERR_UNAVAILABLE) {
        e->player = 0;
        return; /* home_turn asks again */
    }
    if (got != OK) {
        e->player = 0;
        entering_fail(w, index, SEOM__CODE__FULL);
        return;
    }
    w->minting--;
    CHECK(map_put(&w->entering_by_player, e->player, index) == OK);
    entering_move(w, e, ENTERING_CREATE);
    if (player_create(&w->players, e->player, (struct slice){0}, w->options.node_epoch, claimed, w,
                      pool_handle(&w->entering, index)) != OK) {
        entering_fail(w, index, SEOM__CODE__RETRY_AFTER);
    }
}

static void
claim(struct world *w, uint32_t index)
{
    struct entering *e = pool_at(&w->entering, index);
    entering_move(w, e, ENTERING_CLAIM);
    if (player_claim(&w->players, e->player, w->options.node_epoch, claimed, w,
                     pool_handle(&w->entering, index)) != OK) {
        entering_fail(w, index, SEOM__CODE__RETRY_AFTER);
    }
}

void
home_enter(struct world *w, uint32_t gate, const struct link_enter *enter)
{
    w->stats.enters++;
    struct ticket t = {0};
    struct slice bytes = {.at = enter->ticket, .bytes = enter->ticket_bytes};
    if (w->stopping) {
        refuse(w, gate, enter->conn, SEOM__CODE__SERVER_STOPS);
        return;
    }
    if (enter->ticket_bytes > 0 &&
        (ticket_read(bytes, w->options.ticket_key, &t) != OK || t.world != w->options.world_id)) {
        refuse(w, gate, enter->conn, SEOM__CODE__BAD_TICKET);
        return;
    }
    uint32_t index = t.player != 0 ? map_get(&w->entering_by_player, t.player) : MAP_NONE;
    if (index != MAP_NONE) {
        struct entering *older = pool_at(&w->entering, index);
        refuse(w, older->gate, older->conn, SEOM__CODE__REPLACED);
        older->gate = gate;
        older->conn = enter->conn;
        return;
    }
    /* Each new guest is a document for good: how many come in a second has a limit. */
    if (t.player == 0 && !bucket_take(&w->guests, guest_rate, env_mono_us(w->env), 1)) {
        refuse(w, gate, enter->conn, SEOM__CODE__RETRY_AFTER);
        return;
    }
    if (pool_take(&w->entering, &index) != OK) {
        refuse(w, gate, enter->conn, SEOM__CODE__FULL);
        return;
    }
    struct entering *e = pool_at(&w->entering, index);
    *e = (struct entering){.gate = gate, .conn = enter->conn, .island_wish = enter->island};
    if (t.player != 0) {
        e->player = t.player;
        CHECK(map_put(&w->entering_by_player, t.player, index) == OK);
        claim(w, index);
        return;
    }
    entering_move(w, e, ENTERING_MINT);
    w->minting++;
    mint(w, index);
}

void
home_turn(struct world *w)
{
    for (uint32_t i = pool_next(&w->entering, POOL_NONE); i != POOL_NONE && w->minting > 0;
         i = pool_next(&w->entering, i)) {
        const struct entering *e = pool_at(&w->entering, i);
        if (e->state == ENTERING_MINT) {
            mint(w, i);
        }
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

void
home_stop(struct world *w, uint32_t retry_after_ms)
{
    w->stopping = true;
    for (uint32_t i = pool_next(&w->entering, POOL_NONE); i != POOL_NONE;
         i = pool_next(&w->entering, i)) {
        entering_fail(w, i, SEOM__CODE__SERVER_STOPS);
    }
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
