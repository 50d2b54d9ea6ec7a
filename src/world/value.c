/* The way of a command of value: from the session that asks, through the executor
 * (store/commands.h) and back to the session that its player has by then; who comes back during a
 * command gets its answer. Whoever has none by then asks again with the next session, and the
 * document answers.
 */
#include "base/check.h"
#include "seom.pb-c.h"
#include "society/chunk.h"
#include "society/mail.h"
#include "wire/limits.h"
#include "world/state.h"
#include <stdlib.h>
#include <string.h>

_Static_assert(COMMAND_BYTES_MAX <= DEED_BODY_MAX, "what a client may send the executor takes");
_Static_assert(DEED_RESULT_MAX <= RESULT_BYTES_MAX, "what the executor says a client may hear");

/* Commands under way together; each takes about 7 KB while it is. */
#define COMMANDS_LEAST 64
#define COMMANDS_MOST  4096

/* So long a client waits for an answer. */
#define PATIENCE_MS 1500

/* What takes the place of a deed that cannot be one: its refusal is written like any other. */
static uint32_t
refuse_malformed(struct deed *deed)
{
    (void)deed;
    return SEOM__CODE__MALFORMED;
}

/* And of one whose class is closed. The executor asks it only when the command was not done before,
 * and uses no sequence number up for it. */
static uint32_t
refuse_closed(struct deed *deed)
{
    (void)deed;
    return SEOM__CODE__CLOSED;
}

static const struct deed_kind malformed = {.name = "malformed", .decide = refuse_malformed};
static const struct deed_kind closed = {.name = "closed", .decide = refuse_closed};

static void
wrote(void *ctx, const struct key *key, uint64_t version, bool exists, struct slice value)
{
    struct world *w = ctx;
    struct key_parts parts;
    if (key_parse(key_slice(key), &parts) != OK || !parts.is_id) {
        return;
    }
    if (key_has_class(&parts, KEY_CLASS_CHUNK)) {
        copy_wrote(w, parts.id, version, exists, value);
    } else {
        hint_wrote(w, &parts, version);
    }
}

void
value_init(struct world *w)
{
    const struct society *society = w->options.game->society;
    uint32_t players_max = w->options.players_max;
    w->first_wanted = w->last_wanted = POOL_NONE;
    store_set_hints(&w->store, hint_heard, w);
    if (society == NULL) {
        return;
    }
    ids_init(&w->thing_ids, &w->store, w->options.world_id, "thing");
    ids_begin_at(&w->thing_ids, GAME_LEASED_THINGS_FIRST);
    uint32_t commands_max = players_max < COMMANDS_LEAST  ? COMMANDS_LEAST
                            : players_max > COMMANDS_MOST ? COMMANDS_MOST
                                                          : players_max;
    w->commands = commands_alloc(
        &(struct commands_options){.world = w->options.world_id,
                                   .commands_max = commands_max,
                                   .ctx = society,
                                   .finish = ledger_finish,
                                   .wrote = wrote,
                                   .wrote_ctx = w,
                                   .mutant = w->options.mutant == WORLD_MUTANT_FOREIGN_VERSION
                                                 ? COMMANDS_MUTANT_FOREIGN_VERSION
                                                 : COMMANDS_MUTANT_NONE},
        &w->store, &w->thing_ids);
    uint32_t copies_max = (w->options.topics_max + players_max + 1) * TOPIC_CHUNKS;
    pool_init(&w->results, sizeof(struct owed_result), players_max, 16);
    pool_init(&w->copies, sizeof(struct copy), copies_max, 256);
    buffers_init(&w->buffers, copies_max);
    w->hints = calloc(players_max, sizeof w->hints[0]);
    CHECK(w->commands != NULL && w->hints != NULL);
    shows_init(w);
    forwards_init(w, players_max);
}

void
value_fini(struct world *w)
{
    if (w->commands == NULL) {
        return;
    }
    forwards_fini(w);
    commands_free(&w->commands);
    pool_fini(&w->results);
    pool_fini(&w->shows);
    pool_fini(&w->copies);
    buffers_fini(&w->buffers);
    free(w->hints);
}

struct deed_actor
value_actor(const struct world *w, const struct avatar *a)
{
    return (struct deed_actor){.player = a->id,
                               .session_epoch = a->session_epoch,
                               .world_seed = w->options.seed,
                               .island = island_id(a->island),
                               .island_columns = island_columns(a->island),
                               .at = avatar_place(w, a),
                               .reach_mm = w->options.game->reach_mm(a->mover.look)};
}

/* ---- results ---- */

static bool
send_result(struct world *w, const struct avatar *a, const struct owed_result *result)
{
    return home_tell(w, a,
                     (struct link_self){.kind = SELF_RESULT,
                                        .seq = result->seq,
                                        .code = result->code,
                                        .bytes = {result->body, result->bytes}});
}

static void
forget_result(struct world *w, struct avatar *a)
{
    if (a->owed_result != POOL_NONE) {
        pool_give(&w->results, a->owed_result);
        a->owed_result = POOL_NONE;
    }
}

/* A client waits for it, so what a full ring refuses is kept and told again. */
static void
tell_result(struct world *w, struct avatar *a, uint64_t seq, uint32_t code, struct slice body)
{
    CHECK(code < CODE_COUNT && body.bytes <= DEED_RESULT_MAX);
    struct owed_result result = {
        .player = a->id, .seq = seq, .code = (uint8_t)code, .bytes = (uint8_t)body.bytes};
    if (body.bytes > 0) {
        memcpy(result.body, body.at, body.bytes);
    }
    w->stats.results[code]++;
    forget_result(w, a);
    if (a->lingering || send_result(w, a, &result)) {
        return;
    }
    CHECK(pool_take(&w->results, &a->owed_result) == OK); /* one for each player */
    *(struct owed_result *)pool_at(&w->results, a->owed_result) = result;
}

void
value_turn(struct world *w)
{
    for (uint32_t i = pool_next(&w->results, POOL_NONE); i != POOL_NONE && w->results.used > 0;
         i = pool_next(&w->results, i)) {
        const struct owed_result *result = pool_at(&w->results, i);
        struct avatar *a = avatar_find(w, result->player);
        CHECK(a != NULL && a->owed_result == i);
        if (a->lingering || send_result(w, a, result)) {
            forget_result(w, a);
        }
    }
}

void
value_came(struct world *w, struct avatar *a)
{
    a->owed_result = POOL_NONE;
    if (w->commands != NULL) {
        hint_came(w, a);
    }
}

void
value_left(struct world *w, struct avatar *a)
{
    wheel_cancel(&w->wheel, &a->patience.entry);
    if (w->commands != NULL) {
        forget_result(w, a);
        hint_watch(w, a, false);
    }
}

/* ---- commands ---- */

static void
begin_patience(struct world *w, struct avatar *a)
{
    wheel_set(&w->wheel, &a->patience.entry, w->tick + PATIENCE_MS / WORLD_TICK_MS);
}

/* The store does not answer, and how its command ends nobody can say yet: a client is better told
 * to come again than left waiting. When the end is known it is told as ever. */
void
value_is_slow(struct world *w, uint32_t index)
{
    struct avatar *a = pool_at(&w->avatars, index);
    if (value_is_under_way(w, a->id) && a->command_epoch == a->session_epoch) {
        tell_result(w, a, a->command_seq, SEOM__CODE__RETRY_AFTER, (struct slice){0});
    }
}

static void
done(void *ctx, uint64_t player, const struct command_result *result)
{
    struct world *w = ctx;
    hint_done(w, player);
    value_done(w, result);
}

void
value_done(struct world *w, const struct command_result *result)
{
    struct avatar *a = avatar_find(w, result->player);
    uint32_t code = result->code < CODE_COUNT ? result->code : SEOM__CODE__REFUSED;
    if (a == NULL) {
        return;
    }
    wheel_cancel(&w->wheel, &a->patience.entry);
    if (code == SEOM__CODE__REPLACED) {
        if (a->command_epoch == a->session_epoch) {
            home_replaced(w, a); /* by the document somebody else is home */
            return;
        }
        code = SEOM__CODE__RETRY_AFTER; /* it was asked by a session that is over: once more */
    }
    tell_result(w, a, result->seq, code, result->body);
    if (code == SEOM__CODE__RETRY_AFTER || code == SEOM__CODE__UNREADABLE) {
        doubt_begin(w, a);
    }
}

const struct deed_kind *
value_kind(const struct world *w, struct slice body)
{
    const struct deed_kind *kind = w->options.game->deed(body);
    if (kind == NULL) {
        return &malformed;
    }
    return switch_is_closed(w, kind->class) ? &closed : kind;
}

bool
value_is_under_way(const struct world *w, uint64_t player)
{
    return w->commands != NULL &&
           (commands_has(w->commands, player) || forward_is_under_way(w, player));
}

/* The epoch is the command's: who asked may have been followed by another session meanwhile. */
static void
asked(struct world *w, struct avatar *a, const struct command *command)
{
    a->command_epoch = command->actor.session_epoch;
    a->command_seq = command->seq;
    begin_patience(w, a);
    forget_result(w, a); /* of an earlier one: the client has gone on */
}

void
value_run(struct world *w, struct avatar *a, const struct command *command)
{
    enum err error = commands_run(w->commands, command, done, w, a->id);
    if (error == OK) {
        asked(w, a, command);
    } else if (error == ERR_EXISTS) {
        w->stats.commands_repeated++; /* the answer of the one under way comes */
    } else {
        tell_result(w, a, command->seq, SEOM__CODE__RETRY_AFTER, (struct slice){0});
    }
}

void
value_command(struct world *w, struct avatar *a, const struct link_input *input)
{
    w->stats.commands++;
    if (w->commands == NULL) {
        tell_result(w, a, input->seq, SEOM__CODE__REFUSED, (struct slice){0});
        return;
    }
    if (value_is_under_way(w, a->id)) {
        w->stats.commands_repeated++;
        if (!wheel_is_set(&a->patience.entry) && input->seq == a->command_seq) {
            begin_patience(w, a);
        }
        return;
    }
    struct command command = {.actor = value_actor(w, a),
                              .seq = input->seq,
                              .body = input->bytes,
                              .kind = value_kind(w, input->bytes)};
    if (forward_begin(w, &command, a->mover.look)) {
        asked(w, a, &command);
    } else {
        value_run(w, a, &command);
    }
}
