#include "store/commands.h"
#include "base/check.h"
#include "store/commands_inside.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define COMMANDS_DEFAULT 1024
#define RETRY_US_DEFAULT 200000
#define ATTEMPTS_DEFAULT 12

uint64_t
command_hash(struct slice body)
{
    uint64_t hash = XXH64(body.at, body.bytes, 0);
    return hash == 0 ? 1 : hash;
}

static enum err
slot_begin(struct commands *commands, const struct command *command, command_done *done, void *ctx,
           uint64_t n, struct slot **out)
{
    CHECK(done != NULL && command->kind != NULL);
    uint32_t index;
    if (command->body.bytes > DEED_BODY_MAX)
        return ERR_TOO_LARGE;
    if (map_get(&commands->by_player, command->actor.player) != MAP_NONE)
        return ERR_EXISTS;
    if (pool_take(&commands->slots, &index) != OK)
        return ERR_FULL;
    const struct env *env = commands->store->env;
    struct slot *slot = pool_at(&commands->slots, index);
    slot->commands = commands;
    slot->index = index;
    slot->kind = command->kind;
    slot->done = done;
    slot->done_ctx = ctx;
    slot->done_n = n;
    slot->asked_us = env_mono_us(env);
    if (command->body.bytes > 0)
        memcpy(slot->body, command->body.at, command->body.bytes);
    slot->hash = command_hash(command->body);
    slot->deed.slot = slot;
    slot->deed.actor = command->actor;
    slot->deed.seq = command->seq;
    slot->deed.now_ms = env_world_ms(env);
    slot->deed.world = commands->options.world;
    slot->deed.ctx = commands->options.ctx;
    slot->deed.body = (struct slice){.at = slot->body, .bytes = command->body.bytes};
    slot->deed.id_source = commands->ids;
    slot->deed.workspace = commands->workspace;
    commands->stats.asked++;
    *out = slot;
    return OK;
}

enum err
commands_run(struct commands *commands, const struct command *command, command_done *done,
             void *ctx, uint64_t n)
{
    struct slot *slot;
    CHECK(command->actor.player != 0);
    enum err error = slot_begin(commands, command, done, ctx, n, &slot);
    if (error != OK)
        return error;
    CHECK(map_put(&commands->by_player, command->actor.player, slot->index) == OK);
    struct key key = key_make(commands->options.world, KEY_CLASS_PLAYER, command->actor.player);
    CHECK(deed_name(&slot->deed, &key) != NULL);
    slot_lock_all(slot);
    return OK;
}

enum err
commands_job(struct commands *commands, const struct deed_actor *actor,
             const struct deed_kind *kind, struct slice body, command_done *done, void *ctx,
             uint64_t n)
{
    struct command command = {.actor = *actor, .body = body, .kind = kind};
    struct slot *slot;
    CHECK(actor->player == 0);
    enum err error = slot_begin(commands, &command, done, ctx, n, &slot);
    if (error == OK) {
        slot->resume_us =
            slot->asked_us; /* it may end at its first asking, so not before we return */
        slot_pause(slot);
    }
    return error;
}

int64_t
commands_turn(struct commands *commands)
{
    int64_t now_us = env_mono_us(commands->store->env), next_us = INT64_MAX;
    uint32_t index = commands->first_paused;
    commands->first_paused = SLOT_NONE;
    while (index != SLOT_NONE) {
        struct slot *slot = pool_at(&commands->slots, index);
        index = slot->next_paused;
        if (slot->resume_us <= now_us) {
            slot_resume(slot);
        } else {
            slot->next_paused = commands->first_paused;
            commands->first_paused = slot->index;
        }
    }
    for (index = commands->first_paused; index != SLOT_NONE;) {
        const struct slot *slot = pool_at(&commands->slots, index);
        next_us = slot->resume_us < next_us ? slot->resume_us : next_us;
        index = slot->next_paused;
    }
    return next_us;
}

struct commands *
commands_alloc(const struct commands_options *options, struct store *store, struct ids *ids)
{
    struct commands *commands = calloc(1, sizeof *commands);
    struct workspace *workspace = malloc(sizeof *workspace);
    CHECK(commands != NULL && workspace != NULL);
    workspace_init(workspace);
    commands->options = *options;
    if (commands->options.commands_max == 0)
        commands->options.commands_max = COMMANDS_DEFAULT;
    if (commands->options.retry_us_max == 0)
        commands->options.retry_us_max = RETRY_US_DEFAULT;
    if (commands->options.attempts_max == 0)
        commands->options.attempts_max = ATTEMPTS_DEFAULT;
    commands->store = store;
    commands->ids = ids;
    commands->workspace = workspace;
    commands->first_paused = SLOT_NONE;
    uint32_t commands_max = commands->options.commands_max;
    pool_init(&commands->slots, sizeof(struct slot), commands_max, 16);
    map_init(&commands->by_player, commands_max, 0);
    locks_init(&commands->locks, commands_max, DEED_DOCUMENTS_MAX);
    buffers_init(&commands->buffers, commands_max * DEED_DOCUMENTS_MAX);
    return commands;
}

void
commands_free(struct commands **commands)
{
    struct commands *c = *commands;
    pool_fini(&c->slots);
    map_fini(&c->by_player);
    locks_fini(&c->locks);
    buffers_fini(&c->buffers);
    free(c->workspace);
    free(c);
    *commands = NULL;
}

uint32_t
commands_under_way(const struct commands *commands)
{
    return commands->slots.used;
}

bool
commands_has(const struct commands *commands, uint64_t player)
{
    return map_get(&commands->by_player, player) != MAP_NONE;
}

const struct commands_stats *
commands_stats(const struct commands *commands)
{
    return &commands->stats;
}
