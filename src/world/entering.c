/* Entering: how people come in, new ones, those with a ticket, and sessions whose home is gone or
 * gave them away.
 *
 *     a new guest            a ticket             a session goes on (ENTER_RESUME)
 *          |                    |                       |
 *          +--------------> WAIT (for an id, for a slot of a page)
 *          |                    |                       |
 *          |                  LOAD (player/<id>) <-----------------------> DOUBT
 *          |                    |                       |                    |
 *          |                  PLACE (where they stood)  |  the gate says it  |
 *          |                    |                       |                    |
 *        CREATE               CLAIM (session_epoch + 1) <--------------------+
 *          |                    |
 *          +---------+----------+---- another home is nearer, or has them: GO
 *                    |
 *                  HOME: an avatar stands in the world; one that stood here already is taken over
 *
 * Who is home is decided in the moment of the claim, by the document as it stands then (choose()):
 * a home that lives and has the player keeps it; else placement draws one by the place and the
 * loads, unless the gate says that this was decided. Two homes that claim at once write on the same
 * version, so one of them loses, reads who won, and sends the gate there.
 *
 * The newer login wins, and which one that is does not follow from the order in which ENTERs come,
 * as a line may deliver one long after its client has given up. So a login ends the session of
 * another connection only when it says whose (ENTER over): else it is told, by GO, and asks again
 * if its client is still there. An ENTER that comes while another of the same player is under way
 * waits until that one has arrived, and hears the same then.
 *
 * Whatever fails on the way is answered with a code; nothing of the half-entered stays behind.
 * DOUBT: the store did not serve the document; it is asked for another one, and if it
 * serves that and the player's again not, then this document cannot be read: to the lobby.
 */
#include "base/check.h"
#include "base/rand.h"
#include "seom.pb-c.h"
#include "world/state.h"
#include <string.h>

#define RETRY_AFTER_MS 2000

static const struct bucket_rate guest_rate = {.per_s = WORLD_GUESTS_PER_S,
                                              .burst = 2 * WORLD_GUESTS_PER_S};

/* Which moves a state allows: a bit per next state. */
static const uint8_t entering_moves[ENTERING_STATES] = {
    [ENTERING_FREE] = 1 << ENTERING_WAIT,
    [ENTERING_WAIT] =
        1 << ENTERING_CREATE | 1 << ENTERING_LOAD | 1 << ENTERING_CLAIM | 1 << ENTERING_FREE,
    [ENTERING_LOAD] =
        1 << ENTERING_PLACE | 1 << ENTERING_CLAIM | 1 << ENTERING_DOUBT | 1 << ENTERING_FREE,
    [ENTERING_PLACE] = 1 << ENTERING_CLAIM | 1 << ENTERING_FREE,
    [ENTERING_CREATE] = 1 << ENTERING_FREE,
    [ENTERING_CLAIM] = 1 << ENTERING_DOUBT | 1 << ENTERING_FREE,
    [ENTERING_DOUBT] = 1 << ENTERING_LOAD | 1 << ENTERING_CLAIM | 1 << ENTERING_FREE,
};

static void
entering_move(struct world *w, struct entering *e, enum entering_state to)
{
    CHECK(entering_moves[e->state] >> to & 1);
    env_trace(w->env, "home.entering", e->player, to);
    e->state = to;
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

/* over: who has the player now. The node may be this one. */
static void
send_on(struct world *w, const struct asker *asker, uint64_t node, uint64_t over)
{
    bool here = node == w->options.node_epoch;
    w->stats.sent_on += !here;
    w->stats.asked_again += here;
    peers_sent(w, node);
    home_send(w, asker->gate,
              &(struct link_message){.kind = LINK_GO,
                                     .as.go = {.conn = asker->conn, .node = node, .over = over}});
}

/* The end of an attempt, whatever became of it. Who waited for that asks where it ended. */
static void
entering_end(struct world *w, struct entering *e, uint32_t index)
{
    if (e->next.conn != 0) {
        send_on(w, &e->next, e->target != 0 ? e->target : w->options.node_epoch,
                e->session_epoch != 0 ? e->claimant : 0); /* nobody's, unless it was claimed */
    }
    w->waiting -= e->state == ENTERING_WAIT;
    if (e->player != 0) {
        CHECK(map_remove(&w->entering_by_player, e->player) == index);
    }
    entering_move(w, e, ENTERING_FREE);
    pool_give(&w->entering, index);
}

/* A session that goes on is not turned away, it asks another home. */
static uint8_t
refusal(const struct entering *e, uint8_t code)
{
    return code == SEOM__CODE__FULL && (e->flags & ENTER_RESUME) != 0 ? SEOM__CODE__RETRY_AFTER
                                                                      : code;
}

static void
entering_fail(struct world *w, uint32_t index, uint8_t code)
{
    struct entering *e = pool_at(&w->entering, index);
    refuse(w, e->gate, e->conn, refusal(e, code));
    entering_end(w, e, index);
}

void
entering_end_all(struct world *w, uint8_t code)
{
    for (uint32_t i = pool_next(&w->entering, POOL_NONE); i != POOL_NONE;
         i = pool_next(&w->entering, i)) {
        entering_fail(w, i, code);
    }
}

static uint8_t
code_of(enum err e)
{
    return e == ERR_NOT_FOUND ? SEOM__CODE__BAD_TICKET
           : e == ERR_FORMAT  ? SEOM__CODE__UNREADABLE
                              : SEOM__CODE__RETRY_AFTER;
}

/* ---- of which shard ---- */

/* 0: the island is ours. A home takes nobody in whose island belongs to another shard: may_claim()
 * asks this in the moment of every claim, and nothing else decides it. */
static uint16_t
other_shard(const struct world *w, uint32_t island)
{
    const struct shards *shards = w->options.shards;
    return shards == NULL || shards_owns(shards, island) ? 0 : shards_of_island(shards, island);
}

/* Where its gates are, if they were heard of. */
static void
lead(struct world *w, uint32_t gate, uint64_t conn, uint16_t shard)
{
    struct slice gates = shards_gates(w->options.shards, shard);
    w->stats.led++;
    home_send(w, gate,
              &(struct link_message){.kind = LINK_HOME,
                                     .as.home = {.conn = conn,
                                                 .code = SEOM__CODE__RETRY_AFTER,
                                                 .retry_after_ms = RETRY_AFTER_MS,
                                                 .gates = gates}});
}

static bool
may_claim(const struct world *w, struct entering *e)
{
    bool ignored = w->options.mutant == WORLD_MUTANT_SHARD_IGNORED;
    e->shard = ignored ? 0 : other_shard(w, e->stand.island);
    return e->shard == 0;
}

/* ---- the end of the way ---- */

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
    if ((e->flags & ENTER_RESUME) != 0) {
        w->stats.resumes++;
        hint_resumed(w, a);
    }
}

static bool
is_of_same_connection(const struct entering *e, const struct avatar *a)
{
    return !a->lingering && a->gate == e->gate && a->conn == e->conn;
}

/* The newer connection wins: whoever played with this avatar is told, the avatar stays where it is.
 */
static void
take_over(struct world *w, uint32_t index, uint32_t avatar_index)
{
    const struct entering *e = pool_at(&w->entering, index);
    struct avatar *a = pool_at(&w->avatars, avatar_index);
    if (a->lingering) {
        w->stats.lingering--;
        wheel_cancel(&w->wheel, &a->linger.entry);
    } else if (!is_of_same_connection(e, a)) {
        home_tell(w, a, (struct link_self){.kind = SELF_END, .code = SEOM__CODE__REPLACED});
    }
    w->stats.takeovers++;
    a->lingering = false;
    a->gate = e->gate;
    a->conn = e->conn;
    a->session_epoch = e->session_epoch;
    a->versions[0] = e->version;
    a->last_move_no = 0;
    w->given -= a->given_ms != 0;
    a->given_ms = 0;
    avatar_owned(w, a);
    /* The claim has just written where it stood, and the later word counts; but it walks on. */
    avatar_save_from_now(w, a);
}

/* Created or claimed: the session is theirs. */
static void
arrive(struct world *w, uint32_t index)
{
    struct entering *e = pool_at(&w->entering, index);
    uint32_t avatar_index = map_get(&w->avatar_by_id, e->player);
    if (avatar_index != MAP_NONE) {
        take_over(w, index, avatar_index);
    } else if (avatar_add(w, e, &avatar_index) != OK) {
        entering_fail(w, index, SEOM__CODE__FULL);
        return;
    }
    welcome(w, index, avatar_index);
    entering_end(w, e, index);
}

/* ---- who is to be home ---- */

static bool
is_home_elsewhere(const struct world *w, uint64_t node)
{
    for (uint32_t i = 0; i < w->peers_end; i++) {
        const struct peer *p = &w->peers[i];
        if (p->up && p->node.role == NODE_HOME && p->node.epoch == node) {
            return !p->draining;
        }
    }
    return false;
}

/* A slot that is theirs; the one they have already, when it is on a page of ours. */
static bool
take_slot(struct world *w, struct entering *e, struct place_slot *slot)
{
    bool is_new = false;
    if (!slots_has(&w->slots, e->player, slot)) {
        if (!slots_has(&w->slots, e->player, &e->slot) &&
            slots_take(&w->slots, e->player, &e->slot, &is_new) != OK) {
            return false;
        }
        *slot = e->slot;
    }
    if (is_new) {
        place_new_page(w->places, slot->page);
    }
    e->slot = *slot;
    return true;
}

static struct stand
standing(const struct stand *s, int64_t now_ms)
{
    struct place at = motion_at(&s->motion, now_ms);
    struct stand still = *s;
    still.motion = (struct motion){.x_mm = at.x_mm, .y_mm = at.y_mm, .since_ms = now_ms};
    return still;
}

/* sent_ms is whatever the gate says. */
static bool
is_old(int64_t now_ms, int64_t sent_ms)
{
    return sent_ms < now_ms - ENTER_VALID_MS;
}

/* Somebody else's session is newer than the one that wants to go on. A newer one of the same
 * connection is a claim whose answer its gate never heard. */
static bool
is_outdated(const struct entering *e, const struct player *player, const struct avatar *a)
{
    if ((e->flags & ENTER_RESUME) == 0 || player->session_epoch <= e->known_epoch ||
        player->home.claimant == e->claimant) {
        return false;
    }
    return a == NULL || (!a->lingering && !is_of_same_connection(e, a));
}

/* Whose session a login would end; 0: nobody's. */
static uint64_t
who_stands(const struct entering *e, const struct player *player)
{
    bool theirs = player->home.node != 0 && player->home.claimant != e->claimant;
    return theirs && (e->flags & ENTER_RESUME) == 0 ? player->home.claimant : 0;
}

/* Whether its gate knew so when it asked. Older ones only say that they were sent here. */
static bool
is_asked_for(const struct world *w, const struct entering *e)
{
    if (e->stands == 0 || w->options.mutant == WORLD_MUTANT_LOGIN_UNASKED) {
        return true;
    }
    bool says = w->peers[e->gate].node.protocol_max >= LINK_PROTOCOL_OVER;
    return says ? e->over == e->stands : (e->flags & ENTER_DECIDED) != 0;
}

/* The node that is to be home: ours, another, or 0: none, which e->code tells. */
static uint64_t
home_of(struct world *w, struct entering *e, const struct player *player)
{
    const struct avatar *a = avatar_find(w, e->player);
    uint64_t here = w->options.node_epoch, node = here;
    bool elsewhere = player->home.node != here && is_home_elsewhere(w, player->home.node);
    bool decided = (e->flags & ENTER_DECIDED) != 0 && !w->draining;
    bool outdated = is_outdated(e, player, a) && w->options.mutant != WORLD_MUTANT_EPOCH_IGNORED;
    if (a == NULL && elsewhere && (!decided || outdated)) {
        return player->home.node;
    }
    if (outdated) {
        e->code = SEOM__CODE__REPLACED;
        return 0;
    }
    if (!decided && (a == NULL || w->draining)) {
        node = peers_choose(w, &e->stand);
        e->code = SEOM__CODE__RETRY_AFTER;
    }
    return node;
}

static bool
choose(void *ctx, uint64_t handle, const struct player *player, struct player_home *home)
{
    struct world *w = ctx;
    struct entering *e = pool_find(&w->entering, handle);
    if (e == NULL) {
        return false;
    }
    int64_t now_ms = env_world_ms(w->env);
    const struct avatar *a = avatar_find(w, e->player);
    if (a != NULL) {
        e->stand = avatar_stand(a);
    }
    e->target = 0;
    if (e->gate == PEER_NONE || !may_claim(w, e)) { /* PEER_NONE: nobody waits for it any more */
        return false;
    }
    e->target = home_of(w, e, player);
    e->stands = who_stands(e, player);
    if (is_old(now_ms, e->sent_ms)) {
        e->code = SEOM__CODE__RETRY_AFTER;
        e->target = 0;
    }
    if (e->target != w->options.node_epoch || !is_asked_for(w, e)) {
        return false;
    }
    e->code = SEOM__CODE__RETRY_AFTER;
    if (!take_slot(w, e, &home->slot)) {
        e->target = 0;
        return false;
    }
    home->stood = standing(&e->stand, now_ms);
    home->claimant = e->claimant;
    return true;
}

static void ask_doubted(struct world *w, uint32_t index);

static void
failed(struct world *w, uint32_t index, enum err why)
{
    struct entering *e = pool_at(&w->entering, index);
    if (why != ERR_UNKNOWN && avatar_find(w, e->player) == NULL) {
        slots_give(&w->slots, e->player, &e->slot); /* else perhaps the document names it */
    }
    if (why == ERR_DENIED && e->target != 0) {
        send_on(w, &(struct asker){e->gate, e->conn}, e->target, e->stands);
        entering_end(w, e, index);
    } else if (why == ERR_DENIED && e->shard != 0) {
        lead(w, e->gate, e->conn, e->shard);
        entering_end(w, e, index);
    } else if (why == ERR_DENIED) {
        entering_fail(w, index, e->code);
    } else if (why == ERR_UNAVAILABLE && e->state != ENTERING_CREATE && !e->doubted) {
        ask_doubted(w, index);
    } else if (why == ERR_UNAVAILABLE && e->doubted) {
        entering_fail(w, index, SEOM__CODE__UNREADABLE);
    } else {
        entering_fail(w, index, code_of(why));
    }
}

static void
claimed(void *ctx, uint64_t handle, enum err result, const struct player *player)
{
    struct world *w = ctx;
    struct entering *e = pool_find(&w->entering, handle);
    if (e == NULL) {
        return;
    }
    if (result != OK) {
        failed(w, (uint32_t)handle, result);
        return;
    }
    e->version = player->version;
    e->session_epoch = player->session_epoch;
    e->last_seq = player->last_seq;
    memcpy(e->name, player->name, sizeof e->name);
    arrive(w, (uint32_t)handle);
}

static void
claim(struct world *w, uint32_t index)
{
    struct entering *e = pool_at(&w->entering, index);
    entering_move(w, e, ENTERING_CLAIM);
    if (player_claim(&w->players, e->player, w->options.node_epoch, choose, claimed, w,
                     pool_handle(&w->entering, index)) != OK) {
        entering_fail(w, index, SEOM__CODE__RETRY_AFTER);
    }
}

/* ---- where they stood ---- */

/* By the connection's name, so that the home it is sent on to draws the same. */
static struct stand
spawn_of(const struct world *w, const struct entering *e)
{
    return spawn_stand(w, e->island_wish, e->claimant);
}

/* What was saved before this process began is told as of the last saved world time, so that nobody
 * walks on while the world is down. */
static struct stand
stood(const struct world *w, const struct stand *s)
{
    bool before_us = s->motion.since_ms < w->started_ms;
    return standing(s, before_us ? w->options.saved_world_ms : env_world_ms(w->env));
}

static void
placed(void *ctx, uint64_t handle, enum err result, const struct stand *stand)
{
    struct world *w = ctx;
    struct entering *e = pool_find(&w->entering, handle);
    if (e == NULL) {
        return;
    }
    if (result != OK && result != ERR_NOT_FOUND) {
        entering_fail(w, (uint32_t)handle, code_of(result));
        return;
    }
    /* Written since the claim that the document tells of. */
    if (result == OK && !e->place_known &&
        (e->stand.island == 0 || stand->motion.since_ms >= e->stand.motion.since_ms)) {
        e->stand = stood(w, stand);
    }
    if (e->stand.island == 0) {
        e->stand = spawn_of(w, e);
    }
    claim(w, (uint32_t)handle);
}

static void
loaded(void *ctx, uint64_t handle, enum err result, const struct player *player)
{
    struct world *w = ctx;
    struct entering *e = pool_find(&w->entering, handle);
    if (e == NULL) {
        return;
    }
    uint32_t index = (uint32_t)handle;
    if (result != OK) {
        failed(w, index, result);
        return;
    }
    if ((e->flags & ENTER_DECIDED) == 0 && player->home.node != w->options.node_epoch &&
        is_home_elsewhere(w, player->home.node)) {
        e->target = player->home.node;
        send_on(w, &(struct asker){e->gate, e->conn}, e->target, who_stands(e, player));
        entering_end(w, e, index);
        return;
    }
    if (e->place_known) {
        claim(w, index);
        return;
    }
    e->stand = player->home.stood;
    entering_move(w, e, ENTERING_PLACE);
    struct place_slot slot = player->home.slot;
    if (slot.page == 0) {
        slot = place_slot_of_id(e->player);
    }
    bool ours = slots_has(&w->slots, e->player, &slot);
    if ((ours ? place_get : place_look)(w->places, &slot, e->player, placed, w, handle) != OK) {
        entering_fail(w, index, SEOM__CODE__RETRY_AFTER);
    }
}

static void
load(struct world *w, uint32_t index)
{
    struct entering *e = pool_at(&w->entering, index);
    entering_move(w, e, ENTERING_LOAD);
    if (player_load(&w->players, e->player, loaded, w, pool_handle(&w->entering, index)) != OK) {
        entering_fail(w, index, SEOM__CODE__RETRY_AFTER);
    }
}

/* Whose place is known needs no reading of it: from the gate, or as the avatar stands here. */
static void
ask(struct world *w, uint32_t index)
{
    struct entering *e = pool_at(&w->entering, index);
    const struct avatar *a = avatar_find(w, e->player);
    if (a != NULL) {
        e->stand = avatar_stand(a); /* it may be gone when the store answers */
        e->place_known = true;
    }
    (e->place_known ? claim : load)(w, index);
}

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
    ask(w, (uint32_t)handle);
}

static void
ask_doubted(struct world *w, uint32_t index)
{
    struct entering *e = pool_at(&w->entering, index);
    struct key key = key_named(w->options.world_id, KEY_CLASS_META, "switches");
    entering_move(w, e, ENTERING_DOUBT);
    if (store_get(&w->store, key_slice(&key), doubted, w, pool_handle(&w->entering, index)) != OK) {
        entering_fail(w, index, SEOM__CODE__RETRY_AFTER);
    }
}

/* ---- the beginning ---- */

static void
create(struct world *w, uint32_t index)
{
    struct entering *e = pool_at(&w->entering, index);
    struct player_home home = {.node = w->options.node_epoch,
                               .stood = standing(&e->stand, env_world_ms(w->env)),
                               .claimant = e->claimant};
    entering_move(w, e, ENTERING_CREATE);
    if (!may_claim(w, e) || !take_slot(w, e, &home.slot) ||
        player_create(&w->players, e->player, (struct slice){0}, &home, claimed, w,
                      pool_handle(&w->entering, index)) != OK) {
        slots_give(&w->slots, e->player, &e->slot);
        entering_fail(w, index, SEOM__CODE__RETRY_AFTER);
    }
}

/* Goes on when there is an id, if one is needed, and a page to stand on. */
static void
begin(struct world *w, uint32_t index)
{
    struct entering *e = pool_at(&w->entering, index);
    bool is_new = e->player == 0;
    enum err got = slots_ready(&w->slots) ? OK : ERR_UNAVAILABLE;
    if (got == OK && is_new) {
        got = ids_take(&w->ids, &e->player);
        e->player = got == OK ? e->player : 0;
    }
    if (got == ERR_UNAVAILABLE) {
        return; /* entering_turn() asks again */
    }
    if (got != OK) {
        entering_fail(w, index, SEOM__CODE__FULL);
        return;
    }
    w->waiting--;
    if (is_new) {
        CHECK(map_put(&w->entering_by_player, e->player, index) == OK);
        create(w, index);
    } else {
        ask(w, index);
    }
}

void
entering_turn(struct world *w)
{
    for (uint32_t i = pool_next(&w->entering, POOL_NONE); i != POOL_NONE && w->waiting > 0;
         i = pool_next(&w->entering, i)) {
        const struct entering *e = pool_at(&w->entering, i);
        if (e->state == ENTERING_WAIT) {
            begin(w, i);
        }
    }
}

/* What a gate says of a session's place is believed if somebody can be there. */
static bool
resumed(const struct world *w, const struct link_enter *enter, struct stand *stand)
{
    const struct island *island = archipelago_find(w->options.islands, enter->island);
    int64_t now_ms = env_world_ms(w->env);
    struct motion m = motion_from(&enter->motion, now_ms);
    if ((enter->flags & ENTER_RESUME) == 0 || island == NULL ||
        !island_is_land(island, (struct place){m.x_mm, m.y_mm})) {
        return false;
    }
    stand->island = enter->island;
    stand->look = enter->look;
    stand->motion = m;
    stand->motion.since_ms = m.since_ms < now_ms ? m.since_ms : now_ms;
    return true;
}

/* The connection of a client, as all homes call it. */
static uint64_t
claimant_of(const struct world *w, uint32_t gate, uint64_t conn)
{
    return rand_mix(w->peers[gate].node.epoch, conn);
}

/* The same connection says it again, or the attempt is nobody's any more, as its gate is gone: what
 * is said now counts, up to the claim. */
static void
step_aside(struct world *w, struct entering *older, uint32_t gate, const struct link_enter *enter)
{
    older->gate = gate;
    older->conn = enter->conn;
    older->claimant = claimant_of(w, gate, enter->conn);
    older->flags = enter->flags;
    older->known_epoch = enter->session_epoch;
    older->over = enter->over;
    older->sent_ms = enter->sent_ms;
    if (older->state != ENTERING_CREATE && older->state != ENTERING_CLAIM) {
        older->place_known = resumed(w, enter, &older->stand) || older->place_known;
    }
}

/* Another connection of the same player is on the way in already. */
static void
meet(struct world *w, struct entering *older, uint32_t gate, const struct link_enter *enter)
{
    struct asker *next = &older->next;
    bool writes = older->state == ENTERING_CREATE || older->state == ENTERING_CLAIM;
    if ((older->gate == gate && older->conn == enter->conn) ||
        (older->gate == PEER_NONE && !writes)) {
        step_aside(w, older, gate, enter);
    } else if (next->conn == 0 || (next->gate == gate && next->conn == enter->conn)) {
        *next = (struct asker){gate, enter->conn};
    } else {
        refuse(w, gate, enter->conn, SEOM__CODE__RETRY_AFTER);
    }
}

/* Each new guest is a document for good: how many come in a second has a limit. */
static bool
guest_comes(struct world *w, struct entering *e)
{
    e->stand = spawn_of(w, e);
    if (!may_claim(w, e)) {
        lead(w, e->gate, e->conn, e->shard);
        return false;
    }
    uint64_t here = w->options.node_epoch, node = here;
    if ((e->flags & ENTER_DECIDED) == 0 || w->draining) {
        node = peers_choose(w, &e->stand);
    }
    if (node == here && bucket_take(&w->guests, guest_rate, env_mono_us(w->env), 1)) {
        return true;
    }
    if (node == here || node == 0) {
        refuse(w, e->gate, e->conn, SEOM__CODE__RETRY_AFTER);
    } else {
        send_on(w, &(struct asker){e->gate, e->conn}, node, 0);
    }
    return false;
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
    if (is_old(env_world_ms(w->env), enter->sent_ms)) {
        refuse(w, gate, enter->conn, SEOM__CODE__RETRY_AFTER);
        return;
    }
    if (enter->ticket_bytes > 0 &&
        (ticket_read(bytes, w->options.ticket_key, &t) != OK || t.world != w->options.world_id)) {
        refuse(w, gate, enter->conn, SEOM__CODE__BAD_TICKET);
        return;
    }
    uint32_t index = t.player != 0 ? map_get(&w->entering_by_player, t.player) : MAP_NONE;
    if (index != MAP_NONE) {
        meet(w, pool_at(&w->entering, index), gate, enter);
        return;
    }
    struct entering wanted = {.gate = gate,
                              .conn = enter->conn,
                              .claimant = claimant_of(w, gate, enter->conn),
                              .flags = enter->flags,
                              .sent_ms = enter->sent_ms,
                              .known_epoch = enter->session_epoch,
                              .over = enter->over,
                              .player = t.player,
                              .island_wish = enter->island};
    if (t.player == 0 && !guest_comes(w, &wanted)) {
        return;
    }
    if (pool_take(&w->entering, &index) != OK) {
        refuse(w, gate, enter->conn, refusal(&wanted, SEOM__CODE__FULL));
        return;
    }
    struct entering *e = pool_at(&w->entering, index);
    *e = wanted;
    if (t.player != 0) {
        e->place_known = resumed(w, enter, &e->stand);
        e->stand.player = t.player;
        CHECK(map_put(&w->entering_by_player, t.player, index) == OK);
    }
    entering_move(w, e, ENTERING_WAIT);
    w->waiting++;
    begin(w, index);
}
