/* Avatars: who stands in the world, where, and what their players do with them. An avatar is a
 * member of the chunk its motion was last published for; when it crosses a border the motion is
 * told anew from the border on, so that the place of a published motion is always inside the chunk
 * it is published for.
 */
#include "base/check.h"
#include "seom.pb-c.h"
#include "wire/text.h"
#include "world/state.h"
#include <string.h>

struct avatar *
avatar_find(const struct world *w, uint64_t player)
{
    uint32_t index = map_get(&w->avatar_by_id, player);
    return index == MAP_NONE ? NULL : pool_at(&w->avatars, index);
}

struct place
avatar_place(const struct world *w, const struct avatar *a)
{
    return motion_at(&a->mover.motion, env_world_ms(w->env));
}

void
avatar_write_motion(const struct avatar *a, struct writer *out)
{
    struct record_motion m = {.entity = a->id, .look = a->mover.look, .motion = a->mover.motion};
    batch_put_motion(out, &m);
}

void
avatar_write_owned(const struct avatar *a, struct writer *out)
{
    batch_put_owned(out, a->id, a->session_epoch);
}

/* Comes before the first motion in a chunk, in one batch with it: with the LEAVE of another chunk
 * of the topic gates forget under which session it was told. */
static void
publish_owned(struct world *w, const struct avatar *a)
{
    struct topic *t = pool_at(&w->topics, a->topic);
    struct writer out = topic_room(w, t, RECORD_OWNED_BYTES + RECORD_MOTION_BYTES);
    avatar_write_owned(a, &out);
    topic_wrote(w, t, &out);
}

static void
publish_motion(struct world *w, const struct avatar *a)
{
    struct topic *t = pool_at(&w->topics, a->topic);
    struct writer out = topic_room(w, t, RECORD_MOTION_BYTES);
    avatar_write_motion(a, &out);
    topic_wrote(w, t, &out);
}

static void
publish_leave(struct world *w, uint64_t entity, struct topic *t, uint8_t chunk)
{
    struct writer out = topic_room(w, t, RECORD_LEAVE_BYTES);
    batch_put_leave(&out, entity, (uint16_t)(topic_bx(t->id) * BLOCK_CHUNKS + chunk % BLOCK_CHUNKS),
                    (uint16_t)(topic_by(t->id) * BLOCK_CHUNKS + chunk / BLOCK_CHUNKS));
    topic_wrote(w, t, &out);
}

static void
join_chunk(struct world *w, struct avatar *a, struct topic *t, uint8_t chunk)
{
    uint32_t index = map_get(&w->avatar_by_id, a->id);
    a->topic = topic_index(w, t);
    a->chunk = chunk;
    a->previous = POOL_NONE;
    a->next = t->members[chunk];
    if (a->next != POOL_NONE) {
        ((struct avatar *)pool_at(&w->avatars, a->next))->previous = index;
    }
    t->members[chunk] = index;
    t->member_count++;
}

static void
part_chunk(struct world *w, struct avatar *a)
{
    struct topic *t = pool_at(&w->topics, a->topic);
    if (a->previous != POOL_NONE) {
        ((struct avatar *)pool_at(&w->avatars, a->previous))->next = a->next;
    } else {
        t->members[a->chunk] = a->next;
    }
    if (a->next != POOL_NONE) {
        ((struct avatar *)pool_at(&w->avatars, a->next))->previous = a->previous;
    }
    t->member_count--;
}

/* The truth changed: membership, news, and the time at which it will leave its chunk. */
static void
tell_motion(struct world *w, struct avatar *a)
{
    struct place at = {.x_mm = a->mover.motion.x_mm, .y_mm = a->mover.motion.y_mm};
    topic_id id = topic_of(a->island, at);
    uint8_t chunk = topic_chunk_of(at);
    struct topic *left = pool_at(&w->topics, a->topic);
    w->stats.changes++;
    if (left->id != id || a->chunk != chunk) {
        uint8_t left_chunk = a->chunk;
        part_chunk(w, a);
        join_chunk(w, a, topic_at(w, id), chunk);
        w->stats.crossings++;
        if (w->options.mutant != WORLD_MUTANT_LEAVE_LOST) {
            publish_leave(w, a->id, left, left_chunk);
        }
        topic_drop_if_idle(w, left);
        publish_owned(w, a);
    }
    publish_motion(w, a);
    int64_t leaves_ms = motion_leaves_chunk_ms(&a->mover.motion, a->mover.motion.since_ms);
    if (leaves_ms == INT64_MAX || w->options.mutant == WORLD_MUTANT_CROSSING_LATE) {
        wheel_cancel(&w->wheel, &a->crossing.entry);
    } else {
        wheel_set(&w->wheel, &a->crossing.entry, (leaves_ms + WORLD_TICK_MS - 1) / WORLD_TICK_MS);
    }
}

/* The gate learns its avatar's place from here only, so what a full ring refused is told again at
 * the next tick. */
static void
tell_self(struct world *w, struct avatar *a, uint8_t flags)
{
    if (a->lingering) {
        return;
    }
    a->owed_flags |= flags;
    bool sent = home_send(w, a->gate,
                          &(struct link_message){.kind = LINK_SELF,
                                                 .as.self = {.player = a->id,
                                                             .session_epoch = a->session_epoch,
                                                             .kind = SELF_MOTION,
                                                             .flags = a->owed_flags,
                                                             .look = a->mover.look,
                                                             .number = a->last_move_no,
                                                             .island = island_id(a->island),
                                                             .motion = a->mover.motion}});
    if (sent) {
        a->owed_flags = 0;
    } else {
        wheel_set(&w->wheel, &a->crossing.entry, w->tick + 1);
    }
}

struct stand
avatar_stand(const struct avatar *a)
{
    return (struct stand){.player = a->id,
                          .island = island_id(a->island),
                          .look = a->mover.look,
                          .motion = a->mover.motion};
}

void
avatar_owned(struct world *w, const struct avatar *a)
{
    publish_owned(w, a);
    publish_motion(w, a);
}

static void
save(struct world *w, const struct avatar *a, const struct stand *s)
{
    CHECK(slots_owns(&w->slots, a->slot.page));
    if (place_set(w->places, &a->slot, s) != OK) {
        w->stats.places_refused++;
    }
}

void
avatar_save(struct world *w, const struct avatar *a)
{
    struct stand s = avatar_stand(a);
    save(w, a, &s);
}

void
avatar_save_from_now(struct world *w, const struct avatar *a)
{
    struct stand s = avatar_stand(a);
    s.motion = motion_from(&s.motion, env_world_ms(w->env));
    save(w, a, &s);
}

/* At the place, walking on as the motion says if that is possible. */
static void
put(struct world *w, struct avatar *a, const struct stand *stand, int64_t now_ms)
{
    uint8_t look = stand->look;
    struct move walking = {.motion = motion_from(&stand->motion, now_ms),
                           .speed_mm_s = w->options.game->speed_mm_s(look)};
    if (walking.speed_mm_s == 0) {
        look = LOOK_WALKER;
        walking.speed_mm_s = w->options.game->speed_mm_s(look);
    }
    walking.look = look;
    mover_put(&a->mover, motion_at(&stand->motion, now_ms), look, walking.speed_mm_s, now_ms);
    if (motion_moves(&stand->motion, now_ms)) {
        (void)mover_move(&a->mover, a->island, &walking, now_ms, true); /* refused: it stands */
    }
}

/* false: there is no such land. */
static bool
put_on_land(struct world *w, struct avatar *a, const struct stand *stand, int64_t now_ms)
{
    a->island = stand->island == 0 ? NULL : archipelago_find(w->options.islands, stand->island);
    if (a->island == NULL || !island_is_land(a->island, motion_at(&stand->motion, now_ms))) {
        return false;
    }
    put(w, a, stand, now_ms);
    return true;
}

enum err
avatar_add(struct world *w, const struct entering *e, uint32_t *out)
{
    if (pool_take(&w->avatars, out) != OK) {
        return ERR_FULL;
    }
    struct avatar *a = pool_at(&w->avatars, *out);
    CHECK(map_put(&w->avatar_by_id, e->player, *out) == OK);
    int64_t now_ms = env_world_ms(w->env);
    a->id = e->player;
    a->session_epoch = e->session_epoch;
    a->versions[0] = e->version;
    a->gate = e->gate;
    a->conn = e->conn;
    a->slot = e->slot;
    memcpy(a->name, e->name, sizeof a->name);
    a->crossing = (struct timer){.kind = TIMER_CROSSING, .owner = *out};
    a->linger = (struct timer){.kind = TIMER_LINGER, .owner = *out};
    a->patience = (struct timer){.kind = TIMER_PATIENCE, .owner = *out};
    if (!put_on_land(w, a, &e->stand, now_ms)) {
        struct stand spawn = spawn_stand(w, e->stand.island, env_random(w->env));
        CHECK(put_on_land(w, a, &spawn, now_ms));
    }
    struct place at = motion_at(&a->mover.motion, now_ms);
    struct topic *t = topic_at(w, topic_of(a->island, at));
    join_chunk(w, a, t, topic_chunk_of(at));
    w->stats.players++;
    value_came(w, a);
    channel_came(w, a);
    avatar_owned(w, a);
    avatar_save(w, a);
    struct game_player gp = {.entity = a->id,
                             .island = island_id(a->island),
                             .motion = a->mover.motion,
                             .look = a->mover.look};
    w->options.game->enter(&gp, now_ms);
    return OK;
}

void
avatar_remove(struct world *w, uint32_t index)
{
    struct avatar *a = pool_at(&w->avatars, index);
    int64_t now_ms = env_world_ms(w->env);
    mover_put(&a->mover, motion_at(&a->mover.motion, now_ms), a->mover.look, 0, now_ms);
    avatar_save(w, a);
    avatar_drop(w, index);
}

void
avatar_drop(struct world *w, uint32_t index)
{
    struct avatar *a = pool_at(&w->avatars, index);
    struct topic *t = pool_at(&w->topics, a->topic);
    int64_t now_ms = env_world_ms(w->env);
    part_chunk(w, a);
    publish_leave(w, a->id, t, a->chunk);
    topic_drop_if_idle(w, t);
    wheel_cancel(&w->wheel, &a->crossing.entry);
    wheel_cancel(&w->wheel, &a->linger.entry);
    value_left(w, a);
    w->stats.players--;
    w->stats.lingering -= a->lingering;
    w->given -= a->given_ms != 0;
    w->stats.leaves++;
    struct game_player gp = {.entity = a->id,
                             .island = island_id(a->island),
                             .motion = a->mover.motion,
                             .look = a->mover.look};
    w->options.game->leave(&gp, now_ms);
    CHECK(map_remove(&w->avatar_by_id, a->id) == index);
    pool_give(&w->avatars, index);
}

void
avatar_linger(struct world *w, uint32_t index)
{
    struct avatar *a = pool_at(&w->avatars, index);
    CHECK(!a->lingering);
    a->lingering = true;
    w->stats.lingering++;
    wheel_set(&w->wheel, &a->linger.entry,
              (env_world_ms(w->env) + WORLD_LINGER_MS) / WORLD_TICK_MS);
}

void
avatar_crossed(struct world *w, uint32_t index)
{
    struct avatar *a = pool_at(&w->avatars, index);
    mover_reanchor(&a->mover, env_world_ms(w->env));
    tell_motion(w, a);
    tell_self(w, a, 0);
}

static void
input_move(struct world *w, struct avatar *a, const struct link_input *input)
{
    w->stats.moves++;
    if (input->number <= a->last_move_no) {
        w->stats.moves_stale++;
        return;
    }
    a->last_move_no = input->number;
    struct move asked = {.motion = input->motion,
                         .look = input->look,
                         .speed_mm_s = w->options.game->speed_mm_s(input->look)};
    enum move_verdict verdict = mover_move(&a->mover, a->island, &asked, env_world_ms(w->env),
                                           w->options.mutant != WORLD_MUTANT_DEBT_FREE);
    w->stats.moves_refused += verdict == MOVE_REFUSED;
    w->stats.moves_shortened += verdict == MOVE_SHORTENED;
    tell_motion(w, a);
    tell_self(w, a, verdict == MOVE_ACCEPTED ? 0 : SELF_CORRECTED);
    avatar_save(w, a);
}

static void
input_say(struct world *w, struct avatar *a, const struct link_input *input)
{
    if (input->look != 0) {
        channel_say(w, a, input);
        return;
    }
    if (input->bytes.bytes == 0 || input->bytes.bytes > SAY_BYTES_MAX ||
        !text_is_line(input->bytes)) {
        w->stats.says_refused++;
        return;
    }
    struct topic *t = pool_at(&w->topics, a->topic);
    struct writer out = topic_room(w, t, SAY_BYTES_MAX + 16);
    batch_put_say(&out, a->id, input->bytes);
    topic_wrote(w, t, &out);
    w->stats.says++;
}

static void
input_look(struct world *w, const struct avatar *a, const struct link_input *input)
{
    const struct avatar *seen = avatar_find(w, input->entity);
    if (seen != NULL) {
        look_answer(w, a, input->number, seen->id, SEOM__CODE__FINE, seen->mover.look,
                    (struct slice){.at = (const uint8_t *)seen->name, .bytes = strlen(seen->name)});
    } else if (!look_elsewhere(w, a, input)) {
        look_answer(w, a, input->number, input->entity, SEOM__CODE__NOT_FOUND, 0,
                    (struct slice){0});
    }
}

/* Input of a session that is over: its gate missed the end and is told once more. */
static void
end_stale_session(struct world *w, uint32_t gate, const struct link_input *input)
{
    if (input->kind != INPUT_GONE && input->kind != INPUT_LEFT) {
        home_send(w, gate,
                  &(struct link_message){.kind = LINK_SELF,
                                         .as.self = {.player = input->player,
                                                     .session_epoch = input->session_epoch,
                                                     .kind = SELF_END,
                                                     .code = SEOM__CODE__REPLACED}});
    }
}

void
avatar_input(struct world *w, uint32_t gate, const struct link_input *input)
{
    uint32_t index = map_get(&w->avatar_by_id, input->player);
    struct avatar *a = index == MAP_NONE ? NULL : pool_at(&w->avatars, index);
    bool theirs =
        a != NULL && !a->lingering && a->gate == gate && a->session_epoch == input->session_epoch;
    if (theirs && a->given_ms != 0) {
        w->stats.stale_inputs++; /* the gate keeps it for the new home */
        return;
    }
    if (a == NULL || (!theirs && w->options.mutant != WORLD_MUTANT_EPOCH_IGNORED)) {
        w->stats.stale_inputs++;
        end_stale_session(w, gate, input);
        return;
    }
    switch (input->kind) {
    case INPUT_MOVE: input_move(w, a, input); break;
    case INPUT_SAY: input_say(w, a, input); break;
    case INPUT_LOOK: input_look(w, a, input); break;
    case INPUT_COMMAND: value_command(w, a, input); break;
    case INPUT_SHOW: show_begin(w, a, input); break;
    case INPUT_GONE: avatar_linger(w, index); break;
    case INPUT_LEFT: home_left(w, index); break;
    }
}
