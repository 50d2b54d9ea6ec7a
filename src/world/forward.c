#include "world/forward.h"
#include "base/check.h"
#include "seom.pb-c.h"
#include "world/state.h"
#include <string.h>

/* What is asked: format u8, player u64, session_epoch u64, seq u64, island u32, look u8, x i32,
 * y i32, body. What is answered: format u8, code u8, versions of the player's own document and
 * inbox 2 x u64 (0: not written), body of the result. */
#define FORWARD_FORMAT     1
#define FORWARD_ASK_BYTES  (1 + 8 + 8 + 8 + 4 + 1 + 4 + 4 + COMMAND_BYTES_MAX)
#define FORWARD_SAID_BYTES (1 + 1 + 8 + 8 + DEED_RESULT_MAX)

uint32_t
forward_peer_of(const struct world *w, uint64_t node_epoch)
{
    for (uint32_t peer = 0; node_epoch != 0 && peer < PEERS_MAX; peer++) {
        if (w->forwards.homes[peer] == node_epoch) {
            return peer;
        }
    }
    return PEER_NONE;
}

void
forward_peer_up(struct world *w, uint32_t peer)
{
    const struct node *node = &w->peers[peer].node;
    w->forwards.homes[peer] = node->role == NODE_HOME ? node->epoch : 0;
    w->forwards.late_until_us[peer] = 0;
}

void
forward_peer_down(struct world *w, uint32_t peer)
{
    w->forwards.homes[peer] = 0;
}

bool
forward_is_under_way(const struct world *w, uint64_t player)
{
    return map_get(&w->forwards.by_player, player) != MAP_NONE;
}

/* ---- at the player's home ---- */

static bool
read_said(struct slice body, uint64_t versions[2], struct command_result *out)
{
    struct reader r = reader_over(body.at, body.bytes);
    uint8_t format = read_u8(&r);
    out->code = read_u8(&r);
    versions[0] = read_u64(&r);
    versions[1] = read_u64(&r);
    out->body = (struct slice){.at = r.at, .bytes = reader_left(&r)};
    return reader_ok(&r) && format == FORWARD_FORMAT && out->code < CODE_COUNT &&
           out->body.bytes <= DEED_RESULT_MAX;
}

static void
answered(void *ctx, uint64_t handle, enum request_end end, bool part, struct slice body)
{
    struct world *w = ctx;
    struct forward *f = pool_find(&w->forwards.pool, handle);
    uint64_t versions[2];
    if (part) {
        return; /* nobody who knows what this is answers in parts */
    }
    CHECK(f != NULL);
    struct command command = f->command;
    struct command_result result = {.player = command.actor.player, .seq = command.seq};
    struct avatar *a = avatar_find(w, command.actor.player);
    CHECK(map_remove(&w->forwards.by_player, command.actor.player) == (uint32_t)handle);
    if (end == REQUEST_DONE && read_said(body, versions, &result)) {
        if (a != NULL) {
            hint_versions(a, versions);
        }
        value_done(w, &result);
    } else {
        w->stats.forwards_late += end == REQUEST_LATE;
        w->stats.forwards_rejected += end != REQUEST_LATE;
        if (end == REQUEST_LATE) {
            w->forwards.late_until_us[f->peer] = env_mono_us(w->env) + FORWARD_LATE_US;
        }
        if (a != NULL) {
            value_run(w, a, &command); /* copies the body, which is in f */
        }
    }
    pool_give(&w->forwards.pool, (uint32_t)handle);
}

/* PEER_NONE: to be run here. */
static uint32_t
whom_to_ask(const struct world *w, const struct deed_actor *actor)
{
    const struct island *island = archipelago_find(w->options.islands, actor->island);
    uint64_t steward = claim_candidate(w, topic_of(island, actor->at));
    if (steward == w->options.node_epoch) {
        return PEER_NONE;
    }
    uint32_t peer = forward_peer_of(w, steward);
    bool late = peer != PEER_NONE && env_mono_us(w->env) < w->forwards.late_until_us[peer];
    return late ? PEER_NONE : peer;
}

bool
forward_begin(struct world *w, const struct command *command, uint8_t look)
{
    const struct deed_actor *actor = &command->actor;
    uint32_t peer =
        w->options.requests == NULL || !command->kind->around ? PEER_NONE : whom_to_ask(w, actor);
    uint32_t index;
    if (peer == PEER_NONE || command->body.bytes > COMMAND_BYTES_MAX ||
        pool_take(&w->forwards.pool, &index) != OK) {
        return false;
    }
    uint8_t bytes[FORWARD_ASK_BYTES];
    struct writer out = writer_over(bytes, sizeof bytes);
    write_u8(&out, FORWARD_FORMAT);
    write_u64(&out, actor->player);
    write_u64(&out, actor->session_epoch);
    write_u64(&out, command->seq);
    write_u32(&out, actor->island);
    write_u8(&out, look);
    write_i32(&out, actor->at.x_mm);
    write_i32(&out, actor->at.y_mm);
    write_bytes(&out, command->body.at, command->body.bytes);
    CHECK(writer_ok(&out));
    struct forward *f = pool_at(&w->forwards.pool, index);
    f->command = *command;
    f->peer = peer;
    memcpy(f->body, command->body.at, command->body.bytes);
    f->command.body.at = f->body;
    if (requests_ask(w->options.requests, peer, REQUEST_COMMAND,
                     (struct slice){bytes, writer_used(&out)}, FORWARD_US, answered, w,
                     pool_handle(&w->forwards.pool, index)) != OK) {
        pool_give(&w->forwards.pool, index);
        return false;
    }
    CHECK(map_put(&w->forwards.by_player, actor->player, index) == OK);
    w->stats.commands_forwarded++;
    return true;
}

/* ---- at the steward's ---- */

static void
served(void *ctx, uint64_t job, const struct command_result *result)
{
    struct world *w = ctx;
    uint64_t versions[2];
    uint8_t bytes[FORWARD_SAID_BYTES];
    struct writer out = writer_over(bytes, sizeof bytes);
    hint_written(w, result->player, versions);
    hint_done(w, result->player);
    write_u8(&out, FORWARD_FORMAT);
    write_u8(&out, (uint8_t)(result->code < CODE_COUNT ? result->code : SEOM__CODE__REFUSED));
    write_u64(&out, versions[0]);
    write_u64(&out, versions[1]);
    write_bytes(&out, result->body.at, result->body.bytes);
    CHECK(writer_ok(&out));
    requests_reply(w->options.requests, job, false, (struct slice){bytes, writer_used(&out)});
}

/* Where the actor stands must be on an island; how far it reaches, we know ourselves. */
static bool
read_ask(const struct world *w, struct slice body, struct command *out)
{
    struct reader r = reader_over(body.at, body.bytes);
    uint8_t format = read_u8(&r);
    struct deed_actor *actor = &out->actor;
    *out = (struct command){0};
    actor->player = read_u64(&r);
    actor->session_epoch = read_u64(&r);
    out->seq = read_u64(&r);
    actor->island = read_u32(&r);
    uint8_t look = read_u8(&r);
    actor->at.x_mm = read_i32(&r);
    actor->at.y_mm = read_i32(&r);
    if (!reader_ok(&r) || format != FORWARD_FORMAT || reader_left(&r) > COMMAND_BYTES_MAX) {
        return false;
    }
    const struct island *island = archipelago_find(w->options.islands, actor->island);
    if (actor->player == 0 || island == NULL || !island_is_land(island, actor->at)) {
        return false;
    }
    out->body = (struct slice){.at = r.at, .bytes = reader_left(&r)};
    actor->world_seed = w->options.seed;
    actor->island_columns = island_columns(island);
    actor->reach_mm = w->options.game->reach_mm(look);
    return true;
}

static void
asked(void *ctx, uint32_t peer, uint64_t job, struct slice body, int64_t deadline_us)
{
    (void)peer;
    (void)deadline_us;
    struct world *w = ctx;
    struct command command;
    if (!w->stopping && read_ask(w, body, &command)) {
        const struct island *island = archipelago_find(w->options.islands, command.actor.island);
        uint64_t steward = claim_candidate(w, topic_of(island, command.actor.at));
        command.kind = value_kind(w, command.body);
        if (steward == w->options.node_epoch &&
            commands_run(w->commands, &command, served, w, job) == OK) {
            w->stats.commands_served++;
            return;
        }
    }
    requests_reject(w->options.requests, job);
}

void
forwards_init(struct world *w, uint32_t players_max)
{
    pool_init(&w->forwards.pool, sizeof(struct forward), players_max, 16);
    map_init(&w->forwards.by_player, players_max, 0);
    if (w->options.requests != NULL && w->commands != NULL) {
        requests_serve(w->options.requests, REQUEST_COMMAND, asked, w);
    }
}

void
forwards_fini(struct world *w)
{
    pool_fini(&w->forwards.pool);
    map_fini(&w->forwards.by_player);
}
