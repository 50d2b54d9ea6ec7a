#include "store/sweep.h"
#include "base/check.h"
#include "store/keys.h"
#include "store/player.h"
#include <string.h>

#define PREFIX_BYTES 11 /* "0001/place/" */

/*   RESTS -> FINDS (the next page) -> READS (documents, one after the other) -> REMOVES -> RESTS
 * and from each back to RESTS, for a moment between two pages, or until the next round. */
static const uint8_t moves[SWEEP_STATES] = {
    [SWEEP_RESTS] = 1 << SWEEP_FINDS,
    [SWEEP_FINDS] = 1 << SWEEP_READS | 1 << SWEEP_REMOVES | 1 << SWEEP_RESTS,
    [SWEEP_READS] = 1 << SWEEP_READS | 1 << SWEEP_REMOVES | 1 << SWEEP_RESTS,
    [SWEEP_REMOVES] = 1 << SWEEP_RESTS,
};

static void
sweep_move(struct sweep *s, enum sweep_state to)
{
    CHECK(moves[s->state] >> to & 1);
    s->state = to;
}

static void
round_ends(struct sweep *s)
{
    const struct env *env = s->store->env;
    s->due_us = env_mono_us(env) + s->rest_ms * INT64_C(1000);
    s->after.bytes = 0;
    s->stats.rounds++;
    if (s->stats.swept > s->swept_before) {
        env_log(env, LOG_INFO, "store.sweep", "%llu pages of places that nobody needs are gone",
                (unsigned long long)(s->stats.swept - s->swept_before));
    }
    s->swept_before = s->stats.swept;
}

/* The page at hand is done with. */
static void
page_ends(struct sweep *s, bool failed)
{
    s->stats.failures += failed;
    sweep_move(s, SWEEP_RESTS);
}

/* ---- removing ---- */

static void
on_removed(void *ctx, uint64_t n, enum store_result result)
{
    struct sweep *s = ctx;
    (void)n;
    switch (result) {
    case STORE_OK: s->stats.swept++; break;
    case STORE_CONFLICT: s->stats.changed++; break;
    case STORE_UNKNOWN: /* perhaps it is gone, else the next round finds it */
    case STORE_UNAVAILABLE: s->stats.failures++; break;
    }
    page_ends(s, false);
}

static void
page_remove(struct sweep *s)
{
    struct key key = key_make(s->world, KEY_CLASS_PLACE, s->number);
    struct store_write write = {
        .key = key_slice(&key), .expected_version = s->version, .op = STORE_DELETE};
    sweep_move(s, SWEEP_REMOVES);
    if (store_commit(s->store, &write, 1, on_removed, s, 0) != OK) {
        page_ends(s, true);
    }
}

/* ---- who needs it ---- */

/* Whether the place of somebody may stand on the page: as his document says, or, for as long as
 * nobody claimed him since older worlds, as follows from his id. */
static bool
is_named(const struct sweep *s, const struct player *player)
{
    const struct player_home *home = &player->home;
    bool older = home->slot.page == 0 && home->stood.island == 0;
    return (older ? place_slot_of_id(player->id).page : home->slot.page) == s->number;
}

static void page_read(struct sweep *s);

static void
on_got(void *ctx, uint64_t n, enum store_result result, const struct store_doc *doc)
{
    struct sweep *s = ctx;
    (void)n;
    struct player player;
    enum err error = ERR_UNAVAILABLE;
    if (result == STORE_OK) {
        error = player_decode(s->players[s->slot], doc, &player);
    }
    if (error != OK && error != ERR_NOT_FOUND) {
        page_ends(s, true); /* who cannot be read may need it */
    } else if (error == OK && is_named(s, &player)) {
        page_ends(s, false);
    } else {
        s->slot++;
        page_read(s);
    }
}

/* The document of whoever stands in the next slot; behind the last one the page goes. */
static void
page_read(struct sweep *s)
{
    while (s->slot < PLACE_PAGE_SLOTS && s->players[s->slot] == 0) {
        s->slot++;
    }
    if (s->slot == PLACE_PAGE_SLOTS || s->blind) {
        page_remove(s);
        return;
    }
    sweep_move(s, SWEEP_READS);
    struct key key = key_make(s->world, KEY_CLASS_PLAYER, s->players[s->slot]);
    if (store_get(s->store, key_slice(&key), on_got, s, 0) != OK) {
        page_ends(s, true);
        return;
    }
    s->stats.reads++;
}

/* ---- the next page ---- */

static void
page_found(struct sweep *s, const struct store_found *found)
{
    struct key_parts parts;
    CHECK(found->key.bytes <= STORE_KEY_MAX);
    memcpy(s->after.text, found->key.at, found->key.bytes);
    s->after.bytes = (uint8_t)found->key.bytes;
    if (key_parse(found->key, &parts) != OK || !parts.is_id || slots_owns(s->slots, parts.id) ||
        place_page_check(found->doc.value) != OK) {
        page_ends(s, false); /* ours, or nothing that this version knows */
        return;
    }
    s->number = parts.id;
    s->version = found->doc.version;
    s->slot = 0;
    for (uint32_t slot = 0; slot < PLACE_PAGE_SLOTS; slot++) {
        struct stand stand;
        bool taken = place_page_read(found->doc.value, slot, &stand);
        s->players[slot] = taken ? stand.player : 0;
    }
    s->stats.pages++;
    page_read(s);
}

static void
on_found(void *ctx, uint64_t n, enum store_result result, const struct store_found *found,
         uint32_t count)
{
    struct sweep *s = ctx;
    (void)n;
    if (result == STORE_OK && count > 0) {
        page_found(s, found);
        return;
    }
    page_ends(s, result != STORE_OK);
    round_ends(s);
}

void
sweep_turn(struct sweep *s)
{
    if (s->state != SWEEP_RESTS || env_mono_us(s->store->env) < s->due_us) {
        return;
    }
    struct key first = key_make(s->world, KEY_CLASS_PLACE, 0);
    struct slice prefix = {key_slice(&first).at, PREFIX_BYTES};
    struct slice after = {(const uint8_t *)s->after.text, s->after.bytes};
    sweep_move(s, SWEEP_FINDS);
    if (store_scan(s->store, ROLE_RECOVERY, prefix, after, 1, on_found, s, 0) != OK) {
        page_ends(s, true); /* perhaps somebody else walks over documents: the next turn */
    }
}

void
sweep_init(struct sweep *s, struct store *store, uint16_t world, const struct slots *slots,
           uint32_t rest_ms)
{
    CHECK(store != NULL && slots != NULL);
    *s = (struct sweep){.store = store,
                        .slots = slots,
                        .world = world,
                        .rest_ms = rest_ms != 0 ? rest_ms : SWEEP_REST_MS};
    s->due_us = env_mono_us(store->env) + s->rest_ms * INT64_C(1000);
}
