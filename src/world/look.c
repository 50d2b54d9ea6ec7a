/* Looks: name and look of somebody whose home is elsewhere. A ghost tells which home to ask;
 * whoever is no ghost (seen, but out of everybody's reach) is looked up by its document:
 *
 *              a ghost                               answered, refused, late
 *   (asked) -------------------------------> ASKING -------------------------> answer
 *        \-----> FINDING (player/<id>) ------> ^
 *                    | at home nowhere that is up: answer
 *
 * A slot of a bounded pool for each; the answer goes to the session that asked, if it is still
 * there.
 */
#include "base/check.h"
#include "seom.pb-c.h"
#include "wire/limits.h"
#include "world/state.h"
#include <string.h>

#define LOOKS_MAX   4096
#define LOOK_US     500000
#define LOOK_FORMAT 1

enum asking_step { ASKING_FREE, ASKING_FINDING, ASKING_HOME, ASKING_STEPS };

static const uint8_t asking_moves[ASKING_STEPS] = {
    [ASKING_FREE] = 1 << ASKING_FINDING | 1 << ASKING_HOME,
    [ASKING_FINDING] = 1 << ASKING_HOME,
};

struct asking {
    enum asking_step step;
    uint64_t avatar; /* handle in world.avatars */
    uint64_t session_epoch, entity;
    uint32_t number;
};

void
look_answer(struct world *w, const struct avatar *a, uint32_t number, uint64_t entity, uint8_t code,
            uint8_t look, struct slice name)
{
    home_tell(w, a,
              (struct link_self){.kind = SELF_ANSWER,
                                 .number = number,
                                 .entity = entity,
                                 .code = code,
                                 .look = look,
                                 .bytes = name});
}

static void
asking_end(struct world *w, uint64_t handle, uint8_t code, uint8_t look, struct slice name)
{
    const struct asking *s = pool_find(&w->looks, handle);
    CHECK(s != NULL);
    const struct avatar *a = pool_find(&w->avatars, s->avatar);
    if (a != NULL && a->session_epoch == s->session_epoch) {
        look_answer(w, a, s->number, s->entity, code, look, name);
    }
    pool_give(&w->looks, (uint32_t)handle);
}

static void
asking_fail(struct world *w, uint64_t handle, uint8_t code)
{
    asking_end(w, handle, code, 0, (struct slice){0});
}

/* ---- at the home of who looks ---- */

static void
answered(void *ctx, uint64_t handle, enum request_end end, bool part, struct slice body)
{
    struct world *w = ctx;
    struct reader r = reader_over(body.at, body.bytes);
    if (part) {
        return;
    }
    uint8_t format = read_u8(&r), code = read_u8(&r), look = read_u8(&r);
    struct slice name = {.at = r.at, .bytes = reader_left(&r)};
    if (end != REQUEST_DONE || !reader_ok(&r) || format != LOOK_FORMAT || code >= CODE_COUNT ||
        name.bytes > NAME_BYTES_MAX) {
        w->stats.looks_late++;
        asking_fail(w, handle, SEOM__CODE__RETRY_AFTER);
        return;
    }
    asking_end(w, handle, code, look, name);
}

static void
ask_home(struct world *w, uint64_t handle, uint64_t node)
{
    struct asking *s = pool_find(&w->looks, handle);
    uint32_t peer = forward_peer_of(w, node);
    uint8_t bytes[9];
    struct writer out = writer_over(bytes, sizeof bytes);
    write_u8(&out, LOOK_FORMAT);
    write_u64(&out, s->entity);
    CHECK(asking_moves[s->step] >> ASKING_HOME & 1);
    s->step = ASKING_HOME;
    if (peer == PEER_NONE ||
        requests_ask(w->options.requests, peer, REQUEST_LOOK, (struct slice){bytes, sizeof bytes},
                     LOOK_US, answered, w, handle) != OK) {
        asking_fail(w, handle, SEOM__CODE__RETRY_AFTER);
    }
}

/* Who is home by the document need not be there: whoever is not in the book is at home nowhere. */
static void
found(void *ctx, uint64_t handle, enum store_result result, const struct store_doc *doc)
{
    struct world *w = ctx;
    struct player player;
    CHECK(pool_find(&w->looks, handle) != NULL);
    const struct asking *s = pool_find(&w->looks, handle);
    if (result != STORE_OK) {
        asking_fail(w, handle, SEOM__CODE__RETRY_AFTER);
        return;
    }
    bool there = player_decode(s->entity, doc, &player) == OK &&
                 player.home.node != w->options.node_epoch &&
                 book_find(w->options.book, player.home.node) != NULL;
    if (there) {
        ask_home(w, handle, player.home.node);
    } else {
        asking_fail(w, handle, SEOM__CODE__NOT_FOUND);
    }
}

bool
look_elsewhere(struct world *w, const struct avatar *a, const struct link_input *input)
{
    const struct ghost *g = ghost_find(w, input->entity);
    uint32_t index;
    bool player = input->entity >> 48 == w->options.world_id &&
                  id_counter(input->entity) < GAME_LEASED_THINGS_FIRST;
    if (!claim_has_others(w) || w->options.requests == NULL || !player) {
        return false;
    }
    w->stats.looks_elsewhere++;
    if (pool_take(&w->looks, &index) != OK) {
        look_answer(w, a, input->number, input->entity, SEOM__CODE__RETRY_AFTER, 0,
                    (struct slice){0});
        return true;
    }
    *(struct asking *)pool_at(&w->looks, index) =
        (struct asking){.avatar = pool_handle(&w->avatars, map_get(&w->avatar_by_id, a->id)),
                        .session_epoch = a->session_epoch,
                        .entity = input->entity,
                        .number = input->number};
    uint64_t handle = pool_handle(&w->looks, index);
    if (g != NULL) {
        ask_home(w, handle, g->node);
        return true;
    }
    struct key key = key_make(w->options.world_id, KEY_CLASS_PLAYER, input->entity);
    ((struct asking *)pool_at(&w->looks, index))->step = ASKING_FINDING;
    if (store_get(&w->store, key_slice(&key), found, w, handle) != OK) {
        asking_fail(w, handle, SEOM__CODE__RETRY_AFTER);
    }
    return true;
}

/* ---- at the home of who is looked at ---- */

static void
asked(void *ctx, uint32_t peer, uint64_t job, struct slice body, int64_t deadline_us)
{
    (void)peer;
    (void)deadline_us;
    struct world *w = ctx;
    struct reader r = reader_over(body.at, body.bytes);
    uint8_t format = read_u8(&r);
    uint64_t entity = read_u64(&r);
    if (!reader_ok(&r) || reader_left(&r) > 0 || format != LOOK_FORMAT) {
        requests_reject(w->options.requests, job);
        return;
    }
    const struct avatar *a = avatar_find(w, entity);
    uint8_t bytes[3 + PLAYER_NAME_MAX];
    struct writer out = writer_over(bytes, sizeof bytes);
    write_u8(&out, LOOK_FORMAT);
    write_u8(&out, a == NULL ? SEOM__CODE__NOT_FOUND : SEOM__CODE__FINE);
    write_u8(&out, a == NULL ? 0 : a->mover.look);
    if (a != NULL) {
        write_bytes(&out, a->name, strlen(a->name));
    }
    CHECK(writer_ok(&out));
    w->stats.looks_served++;
    requests_reply(w->options.requests, job, false, (struct slice){bytes, writer_used(&out)});
}

void
looks_init(struct world *w)
{
    pool_init(&w->looks, sizeof(struct asking), LOOKS_MAX, 64);
    if (w->options.requests != NULL) {
        requests_serve(w->options.requests, REQUEST_LOOK, asked, w);
    }
}
