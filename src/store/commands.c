#include "store/commands.h"
#include "base/check.h"
#include "base/map.h"
#include "seom.pb-c.h"
#include "store/attempt.h"
#include "store/locks.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define COMMANDS_DEFAULT 1024
#define RETRY_US_DEFAULT 200000
#define RETRY_US_FIRST   1000
#define ATTEMPTS_DEFAULT 12
#define SLOT_NONE        UINT32_MAX

enum slot_state {
    SLOT_FREE,
    SLOT_WAITING,    /* for a document that another command has */
    SLOT_READING,    /* for answers of the store, then the deed is asked */
    SLOT_PAUSING,    /* until resume_us */
    SLOT_COMMITTING, /* for the answer of the store */
    SLOT_STATES
};

static const bool moves[SLOT_STATES][SLOT_STATES] = {
    [SLOT_FREE] = {[SLOT_WAITING] = true, [SLOT_PAUSING] = true},
    [SLOT_WAITING] = {[SLOT_READING] = true},
    [SLOT_READING] = {[SLOT_WAITING] = true,
                      [SLOT_READING] = true,
                      [SLOT_PAUSING] = true,
                      [SLOT_COMMITTING] = true,
                      [SLOT_FREE] = true},
    [SLOT_PAUSING] = {[SLOT_READING] = true},
    [SLOT_COMMITTING] = {[SLOT_READING] = true, [SLOT_PAUSING] = true, [SLOT_FREE] = true},
};

struct slot {
    struct commands *commands; /* whose it is */
    uint32_t index;
    enum slot_state state;
    struct deed deed;
    const struct deed_kind *kind;
    uint64_t hash; /* of the body */
    uint8_t body[DEED_BODY_MAX];
    command_done *done;
    void *done_ctx;
    uint64_t done_n;
    int64_t asked_us, resume_us;
    uint32_t next_paused;
    uint32_t attempts;
    uint32_t reading;                   /* answers that have not come yet */
    uint64_t order[DEED_DOCUMENTS_MAX]; /* what is locked, and while WAITING what is to be, then
                                           ascending */
    uint32_t order_count, locked;
    uint32_t code;    /* to be told when the commit has succeeded */
    uint32_t verdict; /* a refusal that was found when the bytes read were gone; 0: none */
    bool failed;      /* a document could not be read */
    bool doubtful;    /* a commit was answered UNKNOWN */
    bool apart;       /* what a mutant writes behind the first commit is under way */
};

struct commands {
    struct commands_options options;
    struct store *store; /* borrowed */
    struct ids *ids;     /* borrowed */
    struct pool slots;
    struct map by_player;
    struct locks locks;
    struct buffers buffers;
    struct workspace *workspace; /* owned */
    uint32_t first_paused;
    struct commands_stats stats;
};

static void slot_read(struct slot *slot);
static void slot_decide(struct slot *slot);

uint64_t
command_hash(struct slice body)
{
    uint64_t hash = XXH64(body.at, body.bytes, 0);
    return hash == 0 ? 1 : hash;
}

static void
slot_move(struct slot *slot, enum slot_state to)
{
    CHECK(moves[slot->state][to]);
    slot->state = to;
}

static bool
slot_is_job(const struct slot *slot)
{
    return slot->deed.actor.player == 0;
}

/* ---- locks ---- */

static void
slot_lock(struct slot *slot)
{
    while (slot->locked < slot->order_count) {
        if (!locks_take(&slot->commands->locks, slot->order[slot->locked], slot->index)) {
            slot->commands->stats.waits++;
            return;
        }
        slot->locked++;
    }
    slot_read(slot);
}

static void
slot_unlock(struct slot *slot)
{
    struct commands *commands = slot->commands;
    uint32_t count = slot->locked;
    slot->locked = slot->order_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t next = locks_give(&commands->locks, slot->order[i], slot->index);
        if (next != LOCKS_NONE) {
            struct slot *heir = pool_at(&commands->slots, next);
            heir->locked++;
            slot_lock(heir);
        }
    }
}

static int
hashes_compare(const void *a, const void *b)
{
    uint64_t left, right;
    memcpy(&left, a, sizeof left);
    memcpy(&right, b, sizeof right);
    return (left > right) - (left < right);
}

/* Everything that the command has named, in order, so that nobody waits in a circle. */
static void
slot_lock_all(struct slot *slot)
{
    CHECK(slot->locked == 0);
    uint32_t count = slot->deed.count;
    for (uint32_t i = 0; i < count; i++)
        slot->order[i] = slot->deed.documents[i].hash;
    qsort(slot->order, count, sizeof slot->order[0], hashes_compare);
    slot->order_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || slot->order[i] != slot->order[i - 1])
            slot->order[slot->order_count++] = slot->order[i];
    }
    slot_move(slot, SLOT_WAITING);
    slot_lock(slot);
}

/* ---- the end ---- */

static void
forget_values(struct slot *slot)
{
    for (uint32_t i = 0; i < slot->deed.count; i++) {
        buffer_give(&slot->commands->buffers, &slot->deed.documents[i].value);
        slot->deed.documents[i].is_read = false;
    }
}

static void
count_answer(struct commands *commands, uint32_t code, bool again)
{
    struct commands_stats *stats = &commands->stats;
    stats->again += again;
    if (code == SEOM__CODE__FINE)
        stats->done++;
    else if (code == SEOM__CODE__RETRY_AFTER)
        stats->retry_after++;
    else
        stats->refused++;
}

/* Of documents of which nobody knows whether they were written. */
static void
tell_doubts(const struct slot *slot)
{
    const struct commands_options *options = &slot->commands->options;
    for (uint32_t i = 0; options->wrote != NULL && i < slot->deed.count; i++) {
        const struct document *d = &slot->deed.documents[i];
        if (d->in_doubt)
            options->wrote(options->wrote_ctx, &d->key, 0, false, (struct slice){0});
    }
}

/* Frees everything first: whoever is called back may ask for the next command at once. */
static void
slot_answer(struct slot *slot, uint32_t code, struct slice body, bool again)
{
    struct commands *commands = slot->commands;
    CHECK(slot->reading == 0 && body.bytes <= DEED_RESULT_MAX);
    uint8_t copy[DEED_RESULT_MAX];
    if (body.bytes > 0)
        memcpy(copy, body.at, body.bytes);
    struct command_result result = {.player = slot->deed.actor.player,
                                    .seq = slot->deed.seq,
                                    .code = code,
                                    .body = {.at = copy, .bytes = body.bytes},
                                    .again = again};
    command_done *done = slot->done;
    void *ctx = slot->done_ctx;
    uint64_t n = slot->done_n;
    int64_t took_us = env_mono_us(commands->store->env) - slot->asked_us;
    hist_add(&commands->stats.us, took_us < 0 ? 0 : (uint64_t)took_us);
    count_answer(commands, code, again);
    tell_doubts(slot);
    forget_values(slot);
    slot_move(slot, SLOT_FREE);
    slot_unlock(slot);
    if (result.player != 0)
        CHECK(map_remove(&commands->by_player, result.player) == slot->index);
    pool_give(&commands->slots, slot->index);
    done(ctx, n, &result);
}

static void
slot_answer_code(struct slot *slot, uint32_t code)
{
    slot_answer(slot, code, (struct slice){0}, false);
}

static void
slot_pause(struct slot *slot)
{
    slot_move(slot, SLOT_PAUSING);
    slot->next_paused = slot->commands->first_paused;
    slot->commands->first_paused = slot->index;
}

/* Reads everything anew: at once after the first race that was lost, then later and later, with
 * jitter, so that two who want the same do not meet again and again. */
static void
slot_try_again(struct slot *slot)
{
    struct commands *commands = slot->commands;
    forget_values(slot);
    slot->failed = false;
    if (++slot->attempts >= commands->options.attempts_max) {
        slot_answer_code(slot, SEOM__CODE__RETRY_AFTER);
        return;
    }
    if (slot->attempts == 1) {
        slot_read(slot);
        return;
    }
    uint64_t pause_us = (uint64_t)RETRY_US_FIRST << slot->attempts;
    if (pause_us > commands->options.retry_us_max)
        pause_us = commands->options.retry_us_max;
    const struct env *env = commands->store->env;
    slot->resume_us =
        env_mono_us(env) + (int64_t)(pause_us / 2 + env_random(env) % (pause_us / 2 + 1));
    slot_pause(slot);
}

/* ---- reading ---- */

static void
on_got(void *ctx, uint64_t n, enum store_result result, const struct store_doc *doc)
{
    struct slot *slot = ctx;
    struct document *d = &slot->deed.documents[n];
    CHECK(slot->state == SLOT_READING && slot->reading > 0 && n < slot->deed.count);
    slot->reading--;
    switch (result) {
    case STORE_OK:
        if (doc->exists &&
            buffer_take(&slot->commands->buffers, doc->value.bytes, &d->value) != OK) {
            slot->failed = true;
            break;
        }
        d->is_read = true;
        d->exists = doc->exists;
        d->version = doc->version;
        if (doc->exists && doc->value.bytes > 0)
            memcpy(d->value.at, doc->value.at, doc->value.bytes);
        break;
    case STORE_CONFLICT:
    case STORE_UNKNOWN:
    case STORE_UNAVAILABLE: slot->failed = true; break;
    }
    if (slot->reading == 0)
        slot_decide(slot);
}

/* Asks for all documents that were named and not read. */
static void
slot_read(struct slot *slot)
{
    slot_move(slot, SLOT_READING);
    for (uint32_t i = 0; i < slot->deed.count; i++) {
        struct document *d = &slot->deed.documents[i];
        if (d->is_read)
            continue;
        if (store_get(slot->commands->store, key_slice(&d->key), on_got, slot, i) == OK)
            slot->reading++;
        else
            slot->failed = true;
    }
    if (slot->reading == 0)
        slot_decide(slot);
}

/* ---- writing ---- */

static void
tell_wrote(const struct slot *slot, struct document *d)
{
    const struct commands_options *options = &slot->commands->options;
    d->in_doubt = false;
    if (options->wrote == NULL)
        return;
    bool exists = d->change == CHANGE_PUT;
    struct slice value = {.at = d->value.at, .bytes = exists ? d->value.bytes : 0};
    options->wrote(options->wrote_ctx, &d->key, d->version + 1, exists, value);
}

static void on_committed(void *ctx, uint64_t n, enum store_result result);

/* What a mutant writes in a commit of its own; true: it is under way. */
static bool
slot_commit_apart(struct slot *slot)
{
    for (uint32_t i = 0; !slot->apart && i < slot->deed.count; i++) {
        struct document *d = &slot->deed.documents[i];
        if (!d->apart)
            continue;
        struct store_write write = {.key = key_slice(&d->key),
                                    .expected_version = d->version,
                                    .op = STORE_PUT,
                                    .value = {.at = d->value.at, .bytes = d->value.bytes}};
        slot->apart = true;
        return store_commit(slot->commands->store, &write, 1, on_committed, slot, 0) == OK;
    }
    return false;
}

static void
slot_committed(struct slot *slot)
{
    if (!slot->apart) {
        for (uint32_t i = 0; i < slot->deed.count; i++) {
            struct document *d = &slot->deed.documents[i];
            if (d->change != CHANGE_NONE && !d->apart)
                tell_wrote(slot, d);
        }
    }
    if (slot_commit_apart(slot))
        return;
    slot_answer(slot, slot->code,
                (struct slice){.at = slot->deed.result, .bytes = slot->deed.result_bytes}, false);
}

/* Nobody knows whether it happened. The initiator's document will tell; a job may be done twice. */
static void
slot_doubt(struct slot *slot)
{
    struct commands *commands = slot->commands;
    commands->stats.unknown++;
    slot->doubtful = true;
    for (uint32_t i = 0; i < slot->deed.count; i++)
        slot->deed.documents[i].in_doubt |= slot->deed.documents[i].change != CHANGE_NONE;
    if (commands->options.mutant == COMMANDS_MUTANT_UNKNOWN_IS_FAILURE) {
        slot_answer_code(slot, SEOM__CODE__REFUSED);
        return;
    }
    slot_try_again(slot);
}

static void
on_committed(void *ctx, uint64_t n, enum store_result result)
{
    (void)n;
    struct slot *slot = ctx;
    CHECK(slot->state == SLOT_COMMITTING);
    if (slot->apart) {
        slot_committed(slot);
        return;
    }
    switch (result) {
    case STORE_OK: slot_committed(slot); return;
    case STORE_CONFLICT:
        slot->commands->stats.conflicts++;
        slot_try_again(slot);
        return;
    case STORE_UNKNOWN: slot_doubt(slot); return;
    case STORE_UNAVAILABLE: slot_answer_code(slot, SEOM__CODE__RETRY_AFTER); return;
    }
}

/* The new bytes take the place of those that were read. */
static enum err
document_pack(struct slot *slot, struct document *d)
{
    size_t bytes = protobuf_c_message_get_packed_size(d->message);
    if (bytes > STORE_VALUE_MAX)
        return ERR_TOO_LARGE;
    buffer_give(&slot->commands->buffers, &d->value);
    enum err error = buffer_take(&slot->commands->buffers, bytes, &d->value);
    if (error == OK)
        CHECK(protobuf_c_message_pack(d->message, d->value.at) == bytes);
    return error;
}

/* All that the deed opened: what it changed is written, the rest is checked. ERR_TOO_LARGE: a
 * document would not fit; ERR_FULL: no room now. Nothing was sent then. */
static enum err
slot_commit(struct slot *slot, uint32_t code)
{
    static const enum store_op ops[] = {
        [CHANGE_NONE] = STORE_CHECK, [CHANGE_PUT] = STORE_PUT, [CHANGE_DELETE] = STORE_DELETE};
    struct store_write writes[DEED_DOCUMENTS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < slot->deed.count; i++) {
        struct document *d = &slot->deed.documents[i];
        if (d->message == NULL)
            continue; /* named on a way that was not gone this time */
        if (d->change == CHANGE_PUT) {
            enum err error = document_pack(slot, d);
            if (error != OK)
                return error;
        }
        if (d->apart)
            continue;
        bool puts = d->change == CHANGE_PUT;
        writes[count++] = (struct store_write){
            .key = key_slice(&d->key),
            .expected_version = d->version,
            .op = ops[d->change],
            .value = {.at = puts ? d->value.at : NULL, .bytes = puts ? d->value.bytes : 0}};
    }
    CHECK(count > 0);
    enum err error = store_commit(slot->commands->store, writes, count, on_committed, slot, 0);
    if (error != OK)
        return error == ERR_TOO_LARGE ? error : ERR_FULL;
    slot->code = code;
    slot_move(slot, SLOT_COMMITTING);
    return OK;
}

/* ---- deciding ---- */

/* The last command, in the document that was opened. false: no memory. */
static bool
remember_command(struct slot *slot, uint32_t code)
{
    struct deed *deed = &slot->deed;
    uint8_t *bytes = deed_alloc(deed, 1 + deed->result_bytes);
    if (bytes == NULL)
        return false;
    bytes[0] = (uint8_t)code;
    memcpy(bytes + 1, deed->result, deed->result_bytes);
    deed->player->last_seq = deed->seq;
    deed->player->last_hash = slot->hash;
    deed->player->last_res =
        (ProtobufCBinaryData){.data = bytes, .len = 1 + (size_t)deed->result_bytes};
    deed_put(deed, deed->player);
    return true;
}

static bool
open_player(struct slot *slot)
{
    struct deed *deed = &slot->deed;
    deed_restart(deed);
    deed->player = deed_open(deed, &deed->documents[0].key, &seom__player_document__descriptor);
    return deed->player != NULL;
}

/* A refusal is an effect too: it is written before it is told, so that the command can never happen
 * afterwards. Only the initiator's last command changes. */
static void
slot_refuse(struct slot *slot, uint32_t code)
{
    if (slot_is_job(slot) || slot->commands->options.mutant == COMMANDS_MUTANT_FAIL_NOT_CONSUMED) {
        slot_answer_code(slot, code);
        return;
    }
    if (!open_player(slot) || !remember_command(slot, code) || slot_commit(slot, code) != OK)
        slot_try_again(slot);
}

static void
slot_in_trouble(struct slot *slot)
{
    switch (slot->deed.trouble) {
    case TROUBLE_ROOM: slot_refuse(slot, SEOM__CODE__TOO_LARGE); return;
    case TROUBLE_IDS: slot_try_again(slot); return;
    case TROUBLE_UNREADABLE: slot_answer_code(slot, SEOM__CODE__UNREADABLE); return;
    case TROUBLE_NONE: break;
    }
    check_failed(__FILE__, __LINE__, __func__, "a deed in trouble");
}

static bool
slot_has_lock(const struct slot *slot, uint64_t hash)
{
    for (uint32_t i = 0; i < slot->locked; i++) {
        if (slot->order[i] == hash)
            return true;
    }
    return false;
}

/* New documents were named: takes their locks, or all of them anew in order. */
static void
slot_want_more(struct slot *slot)
{
    struct commands *commands = slot->commands;
    if (slot->deed.trouble != TROUBLE_NONE) {
        slot_in_trouble(slot);
        return;
    }
    bool wants = false;
    commands->stats.more++;
    for (uint32_t i = 0; i < slot->deed.count; i++) {
        const struct document *d = &slot->deed.documents[i];
        if (d->is_read || slot_has_lock(slot, d->hash)) {
            wants |= !d->is_read;
            continue;
        }
        wants = true;
        if (!locks_try(&commands->locks, d->hash, slot->index)) {
            forget_values(slot);
            slot_unlock(slot);
            slot_lock_all(slot);
            return;
        }
        slot->order[slot->locked++] = d->hash;
        slot->order_count = slot->locked;
    }
    CHECK(wants); /* a deed that wants more names it */
    slot_read(slot);
}

/* Whether the document answers the command, or forbids it. */
static bool
slot_was_settled(struct slot *slot)
{
    const Seom__PlayerDocument *player = slot->deed.player;
    struct commands_stats *stats = &slot->commands->stats;
    if (!slot->deed.documents[0].exists) {
        slot_answer_code(slot, SEOM__CODE__NOT_FOUND);
        return true;
    }
    if (slot->commands->options.mutant == COMMANDS_MUTANT_NO_LAST_SEQ)
        return false;
    if (player->last_seq == slot->deed.seq && player->last_hash == slot->hash &&
        player->last_res.len > 0 && player->last_res.len <= 1 + DEED_RESULT_MAX) {
        uint8_t result[1 + DEED_RESULT_MAX];
        memcpy(result, player->last_res.data, player->last_res.len);
        struct slice body = {.at = result + 1, .bytes = player->last_res.len - 1};
        stats->unknown_happened += slot->doubtful;
        slot_answer(slot, result[0], body, true);
        return true;
    }
    if (slot->deed.seq != player->last_seq + 1) {
        stats->gaps++;
        slot_answer_code(slot, SEOM__CODE__CONFLICT);
        return true;
    }
    if (player->session_epoch != slot->deed.actor.session_epoch) {
        stats->stale++;
        slot_answer_code(slot, SEOM__CODE__REPLACED);
        return true;
    }
    return false;
}

/* The deed said FINE: its effect and the command's last result go into one commit. */
static void
slot_do(struct slot *slot)
{
    if (slot_is_job(slot) && !deed_changes(&slot->deed)) {
        slot_answer_code(slot, SEOM__CODE__FINE);
        return;
    }
    enum err error = OK;
    if (!slot_is_job(slot) && !remember_command(slot, SEOM__CODE__FINE))
        error = ERR_TOO_LARGE;
    if (error == OK)
        error = slot_commit(slot, SEOM__CODE__FINE);
    if (error == ERR_TOO_LARGE)
        slot->verdict = SEOM__CODE__TOO_LARGE; /* what was read is written over: read again */
    if (error != OK)
        slot_try_again(slot);
}

/* All that was named is there: asks the deed. */
static void
slot_decide(struct slot *slot)
{
    struct commands *commands = slot->commands;
    struct deed *deed = &slot->deed;
    if (slot->failed) {
        slot_try_again(slot);
        return;
    }
    commands->stats.attempts++;
    if (slot_is_job(slot)) {
        deed_restart(deed);
    } else if (!open_player(slot)) {
        slot_in_trouble(slot);
        return;
    } else if (slot_was_settled(slot)) {
        return;
    }
    if (slot->verdict != 0) {
        slot_refuse(slot, slot->verdict);
        return;
    }
    uint32_t code = slot->kind->decide(deed);
    if (code == SEOM__CODE__FINE && !slot_is_job(slot) && commands->options.finish != NULL)
        code = commands->options.finish(deed);
    if (code == DEED_MORE || deed->trouble != TROUBLE_NONE)
        slot_want_more(slot);
    else if (code == SEOM__CODE__FINE)
        slot_do(slot);
    else if (code == SEOM__CODE__RETRY_AFTER)
        slot_answer_code(slot, code);
    else
        slot_refuse(slot, code);
}

/* ---- asking ---- */

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
            slot_read(slot);
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
    buffers_init(&commands->buffers, commands_max);
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

const struct commands_stats *
commands_stats(const struct commands *commands)
{
    return &commands->stats;
}
