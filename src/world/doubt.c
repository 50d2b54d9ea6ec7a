/* Doubt: a command was not served. Is the store away, then it is tried again later; or is it the
 * player's own document that cannot be read (its checksum does not fit, its bytes are none of
 * ours), then this session must end in the lobby while everybody else plays on. The store tells the
 * two apart by what it says of another document in between:
 *
 *             cannot be had          another can           cannot be had
 *   FIRST ------------------> OTHER ------------> SECOND ------------------> the lobby
 *     |                         |                   |
 *     | readable                | cannot either     | readable
 *     +-------------------------+-------------------+-----> NONE
 *
 * Bytes that are no document end it at once.
 */
#include "base/check.h"
#include "seom.pb-c.h"
#include "store/scratch.h"
#include "world/state.h"

#define LOBBY_RETRY_MS 5000

static const uint8_t doubt_moves[DOUBT_STATES] = {
    [DOUBT_NONE] = 1 << DOUBT_FIRST,
    [DOUBT_FIRST] = 1 << DOUBT_OTHER | 1 << DOUBT_NONE,
    [DOUBT_OTHER] = 1 << DOUBT_SECOND | 1 << DOUBT_NONE,
    [DOUBT_SECOND] = 1 << DOUBT_NONE,
};

static void
doubt_move(struct avatar *a, enum doubt_state to)
{
    CHECK(doubt_moves[a->doubt] >> to & 1);
    a->doubt = to;
}

/* A session that cannot be told now is found out again by its next command. */
static void
send_to_lobby(struct world *w, struct avatar *a)
{
    if (!home_tell(w, a,
                   (struct link_self){.kind = SELF_LOBBY,
                                      .code = SEOM__CODE__UNREADABLE,
                                      .number = LOBBY_RETRY_MS})) {
        return;
    }
    env_log(w->env, LOG_ERROR, "world.lobby", "the document of player %016llx cannot be read",
            (unsigned long long)a->id);
    w->stats.lobbied++;
    avatar_remove(w, map_get(&w->avatar_by_id, a->id));
}

static void ask(struct world *w, struct avatar *a, enum doubt_state step);

static bool
is_readable(uint64_t player, const struct store_doc *doc)
{
    struct player read;
    return player_decode(player, doc, &read) == OK;
}

static void
got(void *ctx, uint64_t handle, enum store_result result, const struct store_doc *doc)
{
    struct world *w = ctx;
    struct avatar *a = pool_find(&w->avatars, handle);
    if (a == NULL) {
        return; /* gone meanwhile */
    }
    bool served = result == STORE_OK, other = a->doubt == DOUBT_OTHER;
    if (served && !other) {
        doubt_move(a, DOUBT_NONE);
        if (!is_readable(a->id, doc)) {
            send_to_lobby(w, a);
        }
    } else if (a->doubt == DOUBT_FIRST) {
        ask(w, a, DOUBT_OTHER);
    } else if (other && served) {
        ask(w, a, DOUBT_SECOND);
    } else if (other) {
        doubt_move(a, DOUBT_NONE);
    } else {
        doubt_move(a, DOUBT_NONE);
        send_to_lobby(w, a);
    }
}

static void
ask(struct world *w, struct avatar *a, enum doubt_state step)
{
    struct key key = step == DOUBT_OTHER
                         ? key_named(w->options.world_id, KEY_CLASS_META, "switches")
                         : key_make(w->options.world_id, KEY_CLASS_PLAYER, a->id);
    uint64_t handle = pool_handle(&w->avatars, map_get(&w->avatar_by_id, a->id));
    doubt_move(a, step);
    if (store_get(&w->store, key_slice(&key), got, w, handle) != OK) {
        doubt_move(a, DOUBT_NONE);
    }
}

void
doubt_begin(struct world *w, struct avatar *a)
{
    if (a->doubt == DOUBT_NONE) {
        ask(w, a, DOUBT_FIRST);
    }
}
