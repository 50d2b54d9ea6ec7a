#include "base/check.h"
#include "seom.pb-c.h"
#include "store/commands_inside.h"
#include <stdlib.h>
#include <string.h>

#define RETRY_US_FIRST 1000

static const bool moves[SLOT_STATES][SLOT_STATES] = {
    [SLOT_FREE] = {[SLOT_WAITING] = true, [SLOT_PAUSING] = true},
    [SLOT_WAITING] = {[SLOT_READING] = true, [SLOT_PAUSING] = true, [SLOT_FREE] = true},
    [SLOT_READING] = {[SLOT_WAITING] = true,
                      [SLOT_READING] = true,
                      [SLOT_PAUSING] = true,
                      [SLOT_COMMITTING] = true,
                      [SLOT_FREE] = true},
    [SLOT_PAUSING] = {[SLOT_READING] = true, [SLOT_WAITING] = true},
    [SLOT_COMMITTING] = {[SLOT_READING] = true, [SLOT_PAUSING] = true, [SLOT_FREE] = true},
};

void
slot_move(struct slot *slot, enum slot_state to)
{
    CHECK(moves[slot->state][to]);
    slot->state = to;
}

static void slot_pause_longer(struct slot *slot);

/* ---- locks ---- */

static void
slot_lock(struct slot *slot)
{
    struct commands_stats *stats = &slot->commands->stats;
    while (slot->locked < slot->order_count) {
        switch (locks_take(&slot->commands->locks, slot->order[slot->locked], slot->index)) {
        case LOCK_YOURS: slot->locked++; break;
        case LOCK_WAIT: stats->waits++; return;
        case LOCK_FULL:
            stats->crowded++;
            slot_unlock(slot);
            slot_pause_longer(slot);
            return;
        }
    }
    slot_read(slot);
}

void
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

void
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

void
slot_forget_values(struct slot *slot)
{
    for (uint32_t i = 0; i < slot->deed.count; i++) {
        buffers_give(&slot->commands->buffers, &slot->deed.documents[i].buffer);
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

void
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
    slot_forget_values(slot);
    slot_move(slot, SLOT_FREE);
    slot_unlock(slot);
    if (result.player != 0)
        CHECK(map_remove(&commands->by_player, result.player) == slot->index);
    pool_give(&commands->slots, slot->index);
    done(ctx, n, &result);
}

void
slot_answer_code(struct slot *slot, uint32_t code)
{
    slot_answer(slot, code, (struct slice){0}, false);
}

void
slot_pause(struct slot *slot)
{
    slot_move(slot, SLOT_PAUSING);
    slot->next_paused = slot->commands->first_paused;
    slot->commands->first_paused = slot->index;
}

static void
slot_pause_longer(struct slot *slot)
{
    struct commands *commands = slot->commands;
    if (++slot->attempts >= commands->options.attempts_max) {
        slot_answer_code(slot, SEOM__CODE__RETRY_AFTER);
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

void
slot_try_again(struct slot *slot)
{
    slot_forget_values(slot);
    slot->failed = slot->crowded = false;
    if (slot->attempts == 0) {
        slot->attempts = 1;
        slot_read(slot);
    } else {
        slot_pause_longer(slot);
    }
}

void
slot_resume(struct slot *slot)
{
    if (slot->locked == 0 && slot->deed.count > 0)
        slot_lock_all(slot);
    else
        slot_read(slot);
}

/* ---- reading ---- */

bool
document_room(struct slot *slot, struct document *d, size_t bytes)
{
    struct buffers *buffers = &slot->commands->buffers;
    buffers_give(buffers, &d->buffer);
    d->value = (struct slice){0};
    if (buffers_take(buffers, bytes, &d->buffer) != OK)
        return false;
    d->value = (struct slice){.at = d->buffer.at, .bytes = bytes};
    return true;
}

static bool
document_keep(struct slot *slot, struct document *d, const struct store_doc *doc)
{
    if (!document_room(slot, d, doc->value.bytes))
        return false;
    d->is_read = true;
    d->exists = doc->exists;
    d->version = doc->version;
    if (doc->value.bytes > 0)
        memcpy(d->buffer.at, doc->value.at, doc->value.bytes);
    return true;
}

static void
on_got(void *ctx, uint64_t n, enum store_result result, const struct store_doc *doc)
{
    struct slot *slot = ctx;
    struct document *d = &slot->deed.documents[n];
    CHECK(slot->state == SLOT_READING && slot->reading > 0 && n < slot->deed.count);
    slot->reading--;
    switch (result) {
    case STORE_OK: slot->failed |= !document_keep(slot, d, doc); break;
    case STORE_CONFLICT:
    case STORE_UNKNOWN:
    case STORE_UNAVAILABLE: slot->failed = true; break;
    }
    if (slot->reading == 0)
        slot_decide(slot);
}

void
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
            slot->crowded = true;
    }
    if (slot->reading == 0)
        slot_decide(slot);
}
