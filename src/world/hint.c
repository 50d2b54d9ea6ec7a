/* Hints: a client is told that somebody else changed its player's document or inbox, so that it
 * asks again for what is on its screen. Changes by commands of this process are known as they are
 * written; of others the store hints, and whether there is something new is seen by the document's
 * version. A hint may be missing or needless: nothing depends on one. Where there are other homes,
 * whatever was not seen for HEAL_MS is looked at once more at the latest after the same time, so
 * that a change reaches the screen, and a session that another home took over ends, within twice
 * that even if no hint ever comes.
 */
#include "base/check.h"
#include "seom.pb-c.h"
#include "society/chunk.h"
#include "society/mail.h"
#include "world/state.h"

#define HEAL_MS    15000
#define HEAL_TICKS (HEAL_MS / WORLD_TICK_MS)

enum { VERSION_PLAYER, VERSION_INBOX };

static const struct {
    const char *class;
    uint8_t what;
} told[] = {
    [VERSION_PLAYER] = {KEY_CLASS_PLAYER, SEOM__SHOW_KIND__SHOW_BAG},
    [VERSION_INBOX] = {KEY_CLASS_INBOX, SEOM__SHOW_KIND__SHOW_INBOX},
};

#define TOLD_COUNT (sizeof told / sizeof told[0])

/* Which of the two; TOLD_COUNT: neither. */
static uint32_t
told_of(const struct key_parts *key)
{
    uint32_t n = 0;
    while (n < TOLD_COUNT && !key_has_class(key, told[n].class)) {
        n++;
    }
    return key->is_id ? n : TOLD_COUNT;
}

/* To be looked at in the next tick. */
static void
list(struct world *w, struct avatar *a)
{
    if (!a->listed && w->hints_count < w->options.players_max) {
        a->listed = true;
        w->hints[w->hints_count++] = a->id;
    }
}

static void
mark_changed(struct world *w, uint64_t player, uint32_t n)
{
    struct avatar *a = avatar_find(w, player);
    if (a != NULL) {
        a->changed |= (uint8_t)(1U << n);
        list(w, a);
    }
}

/* ---- by commands of this process ---- */

void
hint_wrote(struct world *w, const struct key_parts *key, uint64_t version)
{
    uint32_t n = told_of(key);
    if (n == TOLD_COUNT) {
        return;
    }
    struct avatar *a = avatar_find(w, key->id);
    if (a != NULL && version > a->versions[n]) {
        a->versions[n] = version;
        a->known_ms[n] = env_world_ms(w->env);
    }
    if (w->written_count == WRITTEN_MAX) {
        mark_changed(w, key->id, n); /* rather once too often */
        return;
    }
    w->written[w->written_count++] =
        (struct written){.player = key->id, .what = (uint8_t)n, .version = version};
}

/* The executor tells what it wrote before it answers, so what is there is of this command. */
void
hint_done(struct world *w, uint64_t initiator)
{
    for (uint32_t i = 0; i < w->written_count; i++) {
        if (w->written[i].player == initiator) {
            continue;
        }
        mark_changed(w, w->written[i].player, w->written[i].what);
        if (w->written[i].what == VERSION_INBOX && avatar_find(w, w->written[i].player) == NULL) {
            channel_mail(w, w->written[i].player);
        }
    }
    w->written_count = 0;
}

void
hint_written(const struct world *w, uint64_t initiator, uint64_t versions[2])
{
    versions[VERSION_PLAYER] = versions[VERSION_INBOX] = 0;
    for (uint32_t i = 0; i < w->written_count; i++) {
        if (w->written[i].player == initiator) {
            versions[w->written[i].what] = w->written[i].version;
        }
    }
}

void
hint_versions(struct avatar *a, const uint64_t versions[2])
{
    for (uint32_t n = 0; n < TOLD_COUNT; n++) {
        a->versions[n] = versions[n] > a->versions[n] ? versions[n] : a->versions[n];
    }
}

/* ---- by others ---- */

void
hint_mail(struct world *w, uint64_t player)
{
    struct avatar *a = w->commands == NULL ? NULL : avatar_find(w, player);
    if (a != NULL) {
        a->hinted |= 1U << VERSION_INBOX;
        list(w, a);
    }
}

/* Where changes can be missed, what stands in the inbox is read, and told: whether it came before
 * the client looked there itself is not known. */
void
hint_came(struct world *w, struct avatar *a)
{
    hint_watch(w, a, true);
    a->known_ms[VERSION_PLAYER] = env_world_ms(w->env); /* it was read on the way in */
    if (claim_has_homes_anywhere(w)) {
        a->hinted |= 1U << VERSION_INBOX;
        list(w, a);
    }
}

/* What others wrote into the player's document until the claim has read it, is told by nobody else,
 * as the former home is gone, or gave the session away before it saw it; what this home told was
 * perhaps lost with the link to the gate. Rather once too often. */
void
hint_resumed(struct world *w, const struct avatar *a)
{
    if (w->commands == NULL) {
        return;
    }
    mark_changed(w, a->id, VERSION_PLAYER);
    if (a->versions[VERSION_INBOX] > 0) { /* else it will be read, and told then */
        mark_changed(w, a->id, VERSION_INBOX);
    }
}

void
hint_watch(struct world *w, const struct avatar *a, bool on)
{
    for (uint32_t n = 0; n < TOLD_COUNT; n++) {
        struct key key = key_make(w->options.world_id, told[n].class, a->id);
        if (store_watch(&w->store, key_slice(&key), on) != OK) {
            env_trace(w->env, "hint.not_watched", a->id, n);
        }
    }
}

void
hint_heard(void *ctx, struct slice key)
{
    struct world *w = ctx;
    struct key_parts parts;
    if (key_parse(key, &parts) != OK || !parts.is_id) {
        return;
    }
    uint32_t n = w->commands == NULL ? TOLD_COUNT : told_of(&parts);
    struct avatar *a = n == TOLD_COUNT ? NULL : avatar_find(w, parts.id);
    if (key_has_class(&parts, KEY_CLASS_STEWARD)) {
        claim_hinted(w, parts.id);
    } else if (key_has_class(&parts, KEY_CLASS_CHUNK)) {
        copy_hinted(w, parts.id);
    } else if (a != NULL) {
        a->hinted |= (uint8_t)(1U << n);
        list(w, a);
    }
}

static void
compare(struct world *w, uint64_t player, uint32_t n, enum store_result result,
        const struct store_doc *doc)
{
    struct avatar *a = result == STORE_OK ? avatar_find(w, player) : NULL;
    if (a == NULL) {
        return;
    }
    a->known_ms[n] = env_world_ms(w->env);
    if (doc->version > a->versions[n]) {
        a->versions[n] = doc->version;
        mark_changed(w, player, n);
    }
}

/* Whether the session is over, too. */
static void
look_whose(struct world *w, uint64_t id, enum store_result result, const struct store_doc *doc)
{
    const struct avatar *a = avatar_find(w, id);
    struct player player;
    if (result == STORE_OK && a != NULL && doc->version > a->versions[VERSION_PLAYER] &&
        player_decode(id, doc, &player) == OK) {
        home_seen(w, &player);
    }
}

static void
got_player(void *ctx, uint64_t player, enum store_result result, const struct store_doc *doc)
{
    look_whose(ctx, player, result, doc);
    compare(ctx, player, VERSION_PLAYER, result, doc);
}

static void
got_inbox(void *ctx, uint64_t player, enum store_result result, const struct store_doc *doc)
{
    compare(ctx, player, VERSION_INBOX, result, doc);
}

/* ---- each tick ---- */

static void
look(struct world *w, struct avatar *a)
{
    static store_got *const got[] = {[VERSION_PLAYER] = got_player, [VERSION_INBOX] = got_inbox};
    for (uint32_t n = 0; n < TOLD_COUNT; n++) {
        uint8_t bit = (uint8_t)(1U << n);
        /* What an own command writes elsewhere is told with its answer. */
        if ((a->hinted & bit) != 0 && !forward_is_under_way(w, a->id)) {
            struct key key = key_make(w->options.world_id, told[n].class, a->id);
            a->hinted &= (uint8_t)~bit;
            if (store_get(&w->store, key_slice(&key), got[n], w, a->id) != OK) {
                a->changed |= bit; /* rather once too often */
            }
        }
        if ((a->changed & bit) != 0 && !a->lingering &&
            home_tell(w, a, (struct link_self){.kind = SELF_CHANGED, .look = told[n].what})) {
            a->changed &= (uint8_t)~bit;
            w->stats.hints++;
        }
    }
}

/* Looks at all avatars once in HEAL_MS: what was not seen since the last time is read. */
void
hints_heal(struct world *w)
{
    uint64_t made = w->avatars.made, turn = w->heal_turns++ % HEAL_TICKS;
    uint32_t from = (uint32_t)(made * turn / HEAL_TICKS);
    uint32_t to = (uint32_t)(made * (turn + 1) / HEAL_TICKS);
    int64_t before_ms = env_world_ms(w->env) - HEAL_MS;
    bool heals = claim_has_homes_anywhere(w) && w->options.mutant != WORLD_MUTANT_HINTS_TRUSTED;
    for (uint32_t index = from; index < to && heals; index++) {
        if (!pool_in_use(&w->avatars, index)) {
            continue;
        }
        struct avatar *a = pool_at(&w->avatars, index);
        for (uint32_t n = 0; n < TOLD_COUNT; n++) {
            if (a->known_ms[n] < before_ms) {
                a->hinted |= (uint8_t)(1U << n);
                w->stats.reads_healing++;
                list(w, a);
            }
        }
    }
}

void
hints_turn(struct world *w)
{
    uint32_t count = w->hints_count;
    w->hints_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct avatar *a = avatar_find(w, w->hints[i]);
        if (a == NULL) {
            continue;
        }
        a->listed = false;
        look(w, a);
        if (a->hinted != 0 || (a->changed != 0 && !a->lingering)) {
            list(w, a); /* not yet; the ring was full */
        }
    }
}
