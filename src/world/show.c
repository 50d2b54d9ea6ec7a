/* Show: what a player owns or has within reach, read from the store at each asking and told as the
 * views of proto/value.proto. A chest is shown to who could reach into it, by the place at which
 * the document of its chunk has it:
 *
 *   BAG, INBOX, TRADE, MAIL:  OWN -> answer
 *   CHEST:                    FIND (the chest's chunk) -> CHUNK (its place) -> OWN -> answer
 *
 * A slot of a bounded pool for each that is under way; answers may be lost with the session.
 */
#include "base/check.h"
#include "seom.pb-c.h"
#include "society/chunk.h"
#include "society/mail.h"
#include "society/trade.h"
#include "store/scratch.h"
#include "value.pb-c.h"
#include "wire/limits.h"
#include "world/state.h"
#include <string.h>

#define SHOWS_MAX    1024
#define SHOWS_OF_ONE 4

enum show_step { SHOW_FREE, SHOW_FIND, SHOW_CHUNK, SHOW_OWN, SHOW_STEPS };

static const uint8_t show_moves[SHOW_STEPS] = {
    [SHOW_FREE] = 1 << SHOW_FIND | 1 << SHOW_OWN,
    [SHOW_FIND] = 1 << SHOW_CHUNK,
    [SHOW_CHUNK] = 1 << SHOW_OWN,
};

struct show {
    enum show_step step;
    Seom__ShowKind what;
    uint64_t avatar; /* handle in world.avatars: whoever comes back is not who asked */
    uint64_t session_epoch;
    uint64_t id, chunk;
    uint32_t number;
};

/* A view while it is made: packed at the end of one call-back. */
struct view {
    const struct world *world;
    const struct avatar *avatar;
    struct scratch *scratch;
    uint8_t bytes[SHOWN_BYTES_MAX];
    size_t used;
};

void
shows_init(struct world *w)
{
    pool_init(&w->shows, sizeof(struct show), SHOWS_MAX, 32);
}

/* ---- views: each says a code, FINE with the view packed ---- */

static uint32_t
view_pack(struct view *v, const ProtobufCMessage *message)
{
    size_t bytes = protobuf_c_message_get_packed_size(message);
    if (bytes > sizeof v->bytes) {
        return SEOM__CODE__TOO_LARGE;
    }
    v->used = protobuf_c_message_pack(message, v->bytes);
    CHECK(v->used == bytes);
    return SEOM__CODE__FINE;
}

static void *
decode(struct view *v, const ProtobufCMessageDescriptor *type, const struct store_doc *doc)
{
    scratch_init(v->scratch);
    return protobuf_c_message_unpack(type, &v->scratch->allocator, doc->value.bytes, doc->value.at);
}

/* A bag that nothing has touched yet is shown as the first command will make it. */
static uint32_t
view_bag(struct view *v, const struct store_doc *doc)
{
    const Seom__PlayerDocument *player =
        doc->exists ? decode(v, &seom__player_document__descriptor, doc) : NULL;
    if (player == NULL) {
        return SEOM__CODE__UNREADABLE;
    }
    Seom__Holdings fresh = SEOM__HOLDINGS__INIT;
    fresh.coins = v->world->options.game->society->first_coins;
    Seom__BagView view = SEOM__BAG_VIEW__INIT;
    view.holds = player->bag != NULL ? player->bag : &fresh;
    view.slots_max = BAG_SLOTS_MAX;
    view.n_trades = player->n_trades;
    view.trades = player->trades;
    return view_pack(v, &view.base);
}

static uint32_t
view_inbox(struct view *v, const struct store_doc *doc)
{
    Seom__InboxView view = SEOM__INBOX_VIEW__INIT;
    if (doc->exists) {
        const Seom__InboxDocument *inbox = decode(v, &seom__inbox_document__descriptor, doc);
        if (inbox == NULL) {
            return SEOM__CODE__UNREADABLE;
        }
        view.n_notices = inbox->n_notices;
        view.notices = inbox->notices;
    }
    return view_pack(v, &view.base);
}

static uint32_t
view_chest(struct view *v, const struct store_doc *doc)
{
    if (!doc->exists) {
        return SEOM__CODE__NOT_FOUND;
    }
    const Seom__ChestDocument *chest = decode(v, &seom__chest_document__descriptor, doc);
    if (chest == NULL) {
        return SEOM__CODE__UNREADABLE;
    }
    Seom__Holdings empty = SEOM__HOLDINGS__INIT;
    Seom__ChestView view = SEOM__CHEST_VIEW__INIT;
    view.holds = chest->holds != NULL ? chest->holds : &empty;
    view.slots_max = CHEST_SLOTS_MAX;
    return view_pack(v, &view.base);
}

static uint32_t
view_trade(struct view *v, const struct store_doc *doc)
{
    if (!doc->exists) {
        return SEOM__CODE__NOT_FOUND;
    }
    const Seom__TradeDocument *trade = decode(v, &seom__trade_document__descriptor, doc);
    if (trade == NULL) {
        return SEOM__CODE__UNREADABLE;
    }
    if (trade->from != v->avatar->id && trade->to != v->avatar->id) {
        return SEOM__CODE__NOT_FOUND;
    }
    Seom__TradeView view = SEOM__TRADE_VIEW__INIT;
    view.from = trade->from;
    view.to = trade->to;
    view.gives = trade->gives;
    view.wants = trade->wants;
    view.hash = trade_hash(trade);
    return view_pack(v, &view.base);
}

static uint32_t
view_mail(struct view *v, const struct store_doc *doc)
{
    if (!doc->exists) {
        return SEOM__CODE__NOT_FOUND;
    }
    const Seom__MailDocument *mail = decode(v, &seom__mail_document__descriptor, doc);
    if (mail == NULL) {
        return SEOM__CODE__UNREADABLE;
    }
    if (mail->from != v->avatar->id && mail->to != v->avatar->id) {
        return SEOM__CODE__NOT_FOUND;
    }
    Seom__MailView view = SEOM__MAIL_VIEW__INIT;
    view.from = mail->from;
    view.text = mail->text;
    view.holds = mail->holds;
    view.day = mail->day;
    return view_pack(v, &view.base);
}

typedef uint32_t view_make(struct view *v, const struct store_doc *doc);

/* Where each kind is kept; own: under the player's own id, whatever was asked for. */
static const struct {
    const char *class;
    bool own;
    view_make *make;
} kinds[] = {
    [SEOM__SHOW_KIND__SHOW_BAG] = {KEY_CLASS_PLAYER, true, view_bag},
    [SEOM__SHOW_KIND__SHOW_INBOX] = {KEY_CLASS_INBOX, true, view_inbox},
    [SEOM__SHOW_KIND__SHOW_CHEST] = {KEY_CLASS_CHEST, false, view_chest},
    [SEOM__SHOW_KIND__SHOW_TRADE] = {KEY_CLASS_TRADE, false, view_trade},
    [SEOM__SHOW_KIND__SHOW_MAIL] = {KEY_CLASS_MAIL, false, view_mail},
};

#define KINDS_SHOWN (sizeof kinds / sizeof kinds[0])

/* ---- one that is under way ---- */

static void
tell(struct world *w, const struct avatar *a, const struct show *s, uint32_t code,
     struct slice bytes)
{
    home_tell(w, a,
              (struct link_self){.kind = SELF_SHOWN,
                                 .number = s->number,
                                 .code = (uint8_t)code,
                                 .look = (uint8_t)s->what,
                                 .bytes = code == SEOM__CODE__FINE ? bytes : (struct slice){0}});
}

static void
show_end(struct world *w, struct avatar *a, uint64_t handle, uint32_t code, struct slice bytes)
{
    const struct show *s = pool_find(&w->shows, handle);
    CHECK(s != NULL && a->shows > 0);
    a->shows--;
    if (a->session_epoch == s->session_epoch) {
        tell(w, a, s, code, bytes);
    }
    pool_give(&w->shows, (uint32_t)handle);
}

static void got(void *ctx, uint64_t handle, enum store_result result, const struct store_doc *doc);

static void
show_read(struct world *w, struct avatar *a, uint64_t handle, enum show_step step)
{
    struct show *s = pool_find(&w->shows, handle);
    uint64_t id = kinds[s->what].own ? a->id : s->id;
    struct key key = step == SHOW_CHUNK ? chunk_key(w->options.world_id, s->chunk)
                                        : key_make(w->options.world_id, kinds[s->what].class, id);
    CHECK(show_moves[s->step] >> step & 1);
    s->step = step;
    if (store_get(&w->store, key_slice(&key), got, w, handle) != OK) {
        show_end(w, a, handle, SEOM__CODE__RETRY_AFTER, (struct slice){0});
    }
}

static void
show_code(struct world *w, struct avatar *a, uint64_t handle, uint32_t code)
{
    show_end(w, a, handle, code, (struct slice){0});
}

/* The chest says in which chunk it stands. */
static void
step_find(struct world *w, struct avatar *a, uint64_t handle, const struct store_doc *doc)
{
    struct scratch scratch;
    struct show *s = pool_find(&w->shows, handle);
    scratch_init(&scratch);
    const Seom__ChestDocument *chest =
        doc->exists
            ? seom__chest_document__unpack(&scratch.allocator, doc->value.bytes, doc->value.at)
            : NULL;
    if (chest == NULL) {
        show_code(w, a, handle, doc->exists ? SEOM__CODE__UNREADABLE : SEOM__CODE__NOT_FOUND);
        return;
    }
    s->chunk = chest->chunk;
    show_read(w, a, handle, SHOW_CHUNK);
}

/* The chunk says where in it. */
static void
step_chunk(struct world *w, struct avatar *a, uint64_t handle, const struct store_doc *doc)
{
    struct scratch scratch;
    const struct show *s = pool_find(&w->shows, handle);
    scratch_init(&scratch);
    const Seom__ChunkDocument *chunk =
        doc->exists
            ? seom__chunk_document__unpack(&scratch.allocator, doc->value.bytes, doc->value.at)
            : NULL;
    const Seom__ChunkThing *thing = chunk == NULL ? NULL : chunk_find(chunk, s->id);
    struct deed_actor actor = value_actor(w, a);
    if (chunk == NULL && doc->exists) {
        show_code(w, a, handle, SEOM__CODE__UNREADABLE);
    } else if (thing == NULL) {
        show_code(w, a, handle, SEOM__CODE__NOT_FOUND);
    } else if (chunk_island(s->chunk) != actor.island ||
               !actor_reaches(&actor, chunk_place_of(thing))) {
        show_code(w, a, handle, SEOM__CODE__TOO_FAR);
    } else {
        show_read(w, a, handle, SHOW_OWN);
    }
}

static void
step_own(struct world *w, struct avatar *a, uint64_t handle, const struct store_doc *doc)
{
    struct scratch scratch;
    struct view v = {.world = w, .avatar = a, .scratch = &scratch};
    const struct show *s = pool_find(&w->shows, handle);
    uint32_t code = kinds[s->what].make(&v, doc);
    show_end(w, a, handle, code, (struct slice){v.bytes, v.used});
}

static void
got(void *ctx, uint64_t handle, enum store_result result, const struct store_doc *doc)
{
    struct world *w = ctx;
    const struct show *s = pool_find(&w->shows, handle);
    CHECK(s != NULL);
    struct avatar *a = pool_find(&w->avatars, s->avatar);
    if (a == NULL) {
        pool_give(&w->shows, (uint32_t)handle);
    } else if (result != STORE_OK) {
        show_code(w, a, handle, SEOM__CODE__RETRY_AFTER);
    } else if (s->step == SHOW_FIND) {
        step_find(w, a, handle, doc);
    } else if (s->step == SHOW_CHUNK) {
        step_chunk(w, a, handle, doc);
    } else {
        step_own(w, a, handle, doc);
    }
}

void
show_begin(struct world *w, struct avatar *a, const struct link_input *input)
{
    struct show asked = {.what = (Seom__ShowKind)input->look,
                         .avatar = pool_handle(&w->avatars, map_get(&w->avatar_by_id, a->id)),
                         .session_epoch = a->session_epoch,
                         .id = input->entity,
                         .number = input->number};
    bool known = input->look < KINDS_SHOWN && kinds[input->look].make != NULL;
    uint32_t index;
    w->stats.shows++;
    if (w->commands == NULL || !known) {
        tell(w, a, &asked, SEOM__CODE__REFUSED, (struct slice){0});
        return;
    }
    if (a->shows == SHOWS_OF_ONE || pool_take(&w->shows, &index) != OK) {
        w->stats.shows_refused++;
        tell(w, a, &asked, SEOM__CODE__RETRY_AFTER, (struct slice){0});
        return;
    }
    *(struct show *)pool_at(&w->shows, index) = asked;
    a->shows++;
    show_read(w, a, pool_handle(&w->shows, index),
              asked.what == SEOM__SHOW_KIND__SHOW_CHEST ? SHOW_FIND : SHOW_OWN);
}
