#include "base/check.h"
#include "seom.pb-c.h"
#include "store/commands_inside.h"
#include <string.h>

/* ---- writing ---- */

static void
tell_wrote(const struct slot *slot, struct document *d)
{
    const struct commands_options *options = &slot->commands->options;
    d->in_doubt = false;
    if (options->wrote == NULL)
        return;
    bool exists = d->change == CHANGE_PUT;
    options->wrote(options->wrote_ctx, &d->key, d->version + 1, exists,
                   exists ? d->value : (struct slice){0});
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
                                    .value = d->value};
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
    if (!document_room(slot, d, bytes))
        return ERR_FULL;
    CHECK(protobuf_c_message_pack(d->message, d->buffer.at) == bytes);
    return OK;
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
        bool unchecked = i > 0 && slot->commands->options.mutant == COMMANDS_MUTANT_FOREIGN_VERSION;
        if (d->apart || (unchecked && d->change == CHANGE_NONE))
            continue;
        bool puts = d->change == CHANGE_PUT;
        writes[count++] =
            (struct store_write){.key = key_slice(&d->key),
                                 .expected_version = unchecked ? STORE_ANY_VERSION : d->version,
                                 .op = ops[d->change],
                                 .value = puts ? d->value : (struct slice){0}};
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
            slot_forget_values(slot);
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

/* false: something could not be read. Whose own document can be read but not another's, time after
 * time, is refused in the end: that document may be damaged, and whoever asked must be free to do
 * something else. */
static bool
slot_has_read(struct slot *slot)
{
    if (!slot->failed && !slot->crowded)
        return true;
    bool last = slot->attempts + 1 >= slot->commands->options.attempts_max;
    if (slot->crowded || slot_is_job(slot) || !last || !slot->deed.documents[0].is_read)
        return false;
    slot->failed = false;
    slot->verdict = SEOM__CODE__REFUSED;
    return true;
}

/* All that was named is there: asks the deed. */
void
slot_decide(struct slot *slot)
{
    struct commands *commands = slot->commands;
    struct deed *deed = &slot->deed;
    if (!slot_has_read(slot)) {
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
    else if (code == SEOM__CODE__RETRY_AFTER || code == SEOM__CODE__CLOSED)
        slot_answer_code(slot, slot->doubtful ? SEOM__CODE__RETRY_AFTER : code);
    else
        slot_refuse(slot, code);
}
