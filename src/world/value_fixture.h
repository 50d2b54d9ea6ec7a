/* For tests of what goes on with value in this room: the scene of world_fixture.h with a game of a
 * few deeds, named by the first byte of a command, and a second process that writes to the store
 * behind everybody's back. One test thread.
 */
#ifndef SEOM_WORLD_VALUE_FIXTURE_H
#define SEOM_WORLD_VALUE_FIXTURE_H

#include "society/chunk.h"
#include "society/mail.h"
#include "society/trade.h"
#include "value.pb-c.h"
#include "world/world_fixture.h"

#define SCENE_COINS   100
#define SCENE_GROW_MS 5000 /* until what was picked is there again */
#define SCENE_REACH   3000

static inline Seom__ChunkDocument *
deed_chunk(struct deed *deed)
{
    const struct deed_actor *actor = deed_actor(deed);
    uint64_t chunk;
    assert_true(chunk_of_place(actor->island, actor->at, &chunk));
    return chunk_open(deed, chunk);
}

/* d: something lies where the actor stands. */
static inline uint32_t
deed_drop(struct deed *deed)
{
    Seom__ChunkDocument *chunk = deed_chunk(deed);
    if (chunk != NULL && chunk_is_full(chunk)) {
        return SEOM__CODE__NO_ROOM;
    }
    Seom__ChunkThing *thing =
        chunk == NULL ? NULL : chunk_add(deed, chunk, 1, deed_actor(deed)->at);
    uint64_t id = thing == NULL ? 0 : deed_id(deed);
    if (id == 0) {
        return DEED_MORE;
    }
    thing->id = id;
    deed_put(deed, chunk);
    deed_result(deed, (struct slice){(const uint8_t *)"dropped", 7});
    return SEOM__CODE__FINE;
}

/* t: takes the first thing that lies in the chunk. */
static inline uint32_t
deed_take(struct deed *deed)
{
    Seom__ChunkDocument *chunk = deed_chunk(deed);
    if (chunk == NULL) {
        return DEED_MORE;
    }
    if (chunk->n_things == 0) {
        return SEOM__CODE__NOT_FOUND;
    }
    chunk_remove(chunk, chunk->things[0]);
    deed_put(deed, chunk);
    return SEOM__CODE__FINE;
}

/* p: the fruit of the chunk's plant. */
static inline uint32_t
deed_pick(struct deed *deed)
{
    Seom__ChunkDocument *chunk = deed_chunk(deed);
    Seom__Picked **list = chunk == NULL ? NULL : deed_alloc(deed, sizeof *list);
    Seom__Picked *picked = list == NULL ? NULL : deed_alloc(deed, sizeof *picked);
    if (picked == NULL) {
        return DEED_MORE;
    }
    seom__picked__init(picked);
    picked->until_ms = deed_now_ms(deed) + SCENE_GROW_MS;
    list[0] = picked;
    chunk->picked = list;
    chunk->n_picked = 1;
    deed_put(deed, chunk);
    return SEOM__CODE__FINE;
}

static inline uint32_t
deed_grow(struct deed *deed)
{
    assert_int_equal(deed_actor(deed)->player, 0);
    assert_int_equal(deed_body(deed).bytes, 0);
    Seom__ChunkDocument *chunk = deed_chunk(deed);
    if (chunk == NULL) {
        return DEED_MORE;
    }
    if (chunk->n_picked > 0 && chunk->picked[0]->until_ms <= deed_now_ms(deed)) {
        chunk->n_picked = 0;
        deed_put(deed, chunk);
    }
    return SEOM__CODE__FINE;
}

static inline int64_t
scene_grows_ms(const Seom__ChunkDocument *chunk)
{
    return chunk->n_picked > 0 ? chunk->picked[0]->until_ms : INT64_MAX;
}

static inline uint64_t
deed_whom(const struct deed *deed)
{
    struct slice body = deed_body(deed);
    struct reader r = reader_over(body.at + 1, body.bytes - 1);
    return read_u64(&r);
}

/* g: something of another player's changes. */
static inline uint32_t
deed_give(struct deed *deed)
{
    struct key key = key_make(deed_world(deed), KEY_CLASS_PLAYER, deed_whom(deed));
    Seom__PlayerDocument *other = deed_open(deed, &key, &seom__player_document__descriptor);
    if (other == NULL) {
        return DEED_MORE;
    }
    other->created_ms++;
    deed_put(deed, other);
    return SEOM__CODE__FINE;
}

/* m: a notice for another player. */
static inline uint32_t
deed_mail(struct deed *deed)
{
    Seom__Notice notice = SEOM__NOTICE__INIT;
    notice.kind = SEOM__NOTICE_KIND__NOTICE_MAIL;
    notice.id = 77;
    notice.from = deed_actor(deed)->player;
    return inbox_add(deed, deed_whom(deed), &notice, true);
}

static inline uint32_t
deed_refuse(struct deed *deed)
{
    (void)deed;
    return SEOM__CODE__TOO_FAR;
}

static const struct deed_kind scene_drop = {"drop", DEED_ARRANGE, deed_drop, true};
static const struct deed_kind scene_take = {"take", DEED_TAKE, deed_take, true};
static const struct deed_kind scene_pick = {"pick", DEED_GATHER, deed_pick, true};
static const struct deed_kind scene_give = {"give", DEED_TRADE, deed_give, false};
static const struct deed_kind scene_mail = {"mail", DEED_MAIL, deed_mail, false};
static const struct deed_kind scene_refuse = {"refuse", DEED_GATHER, deed_refuse, false};
static const struct deed_kind scene_grow = {"grow", DEED_GATHER, deed_grow, false};

static inline const struct deed_kind *
scene_deed(struct slice body)
{
    switch (body.bytes == 0 ? 0 : body.at[0]) {
    case 'd': return &scene_drop;
    case 't': return &scene_take;
    case 'p': return &scene_pick;
    case 'g': return body.bytes == 9 ? &scene_give : NULL;
    case 'm': return body.bytes == 9 ? &scene_mail : NULL;
    case 'x': return &scene_refuse;
    default: return NULL;
    }
}

static inline int32_t
scene_value_reach(uint8_t look)
{
    (void)look;
    return SCENE_REACH;
}

static const struct kind scene_kinds[] = {{0}, {.name = "fruit", .stack_max = 20}};
static const struct society scene_society = {
    .kinds = scene_kinds, .kinds_count = 2, .first_coins = SCENE_COINS};
static const struct game scene_value_game = {.name = "value scene",
                                             .speed_mm_s = scene_speed,
                                             .enter = scene_came_or_went,
                                             .leave = scene_came_or_went,
                                             .reach_mm = scene_value_reach,
                                             .things = scene_things,
                                             .society = &scene_society,
                                             .deed = scene_deed,
                                             .regrow = &scene_grow,
                                             .regrow_due_ms = scene_grows_ms};

static inline int
value_open(void **state)
{
    return scene_open_game(state, &scene_value_game);
}

/* ---- the second process ---- */

static inline void
other_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    (void)ctx;
    (void)token;
    (void)result;
    (void)doc;
}

static inline void
other_committed(void *ctx, uint64_t token, enum store_result result)
{
    (void)token;
    *(enum store_result *)ctx = result;
}

static inline struct store_doc
scene_look(const struct scene *s, const char *class, uint64_t id)
{
    struct key key = key_make(1, class, id);
    return memory_store_look(s->store, key_slice(&key));
}

/* Writes a document, whatever stands there; its version grows. */
static inline void
scene_write(struct scene *s, const struct key *key, struct slice value)
{
    enum store_result result = STORE_UNAVAILABLE;
    struct memory_connection *other = memory_store_connect(
        s->store,
        (struct store_done){.ctx = &result, .got = other_got, .committed = other_committed});
    struct env_store port = memory_connection_port(other);
    struct store_write write = {.key = key_slice(key),
                                .expected_version = STORE_ANY_VERSION,
                                .op = STORE_PUT,
                                .value = value};
    assert_int_equal(port.commit(port.ctx, 1, &write, 1), OK);
    scene_run(s, 20);
    assert_int_equal(result, STORE_OK);
    memory_connection_crash(&other);
}

static inline void
scene_write_message(struct scene *s, const struct key *key, const ProtobufCMessage *message)
{
    uint8_t bytes[4096];
    assert_true(protobuf_c_message_get_packed_size(message) <= sizeof bytes);
    scene_write(s, key, (struct slice){bytes, protobuf_c_message_pack(message, bytes)});
}

static inline void
scene_close_classes(struct scene *s, uint32_t closed)
{
    struct key key = key_named(1, KEY_CLASS_META, "switches");
    Seom__SwitchesDocument switches = SEOM__SWITCHES_DOCUMENT__INIT;
    switches.closed = closed;
    scene_write_message(s, &key, &switches.base);
}

/* ---- commands and what is told ---- */

static inline void
scene_ask(struct scene *s, uint32_t gate, const struct link_home *who, uint64_t seq,
          struct slice body)
{
    scene_input(s, gate, who,
                (struct link_input){.kind = INPUT_COMMAND, .seq = seq, .bytes = body});
}

static inline struct slice
scene_text(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

/* A command without anything in the way; its code. */
static inline uint32_t
scene_do(struct scene *s, uint32_t gate, const struct link_home *who, uint64_t seq,
         const char *body)
{
    struct link_message m;
    scene_ask(s, gate, who, seq, scene_text(body));
    scene_run(s, 300);
    assert_true(scene_self(s, gate, who->player, SELF_RESULT, &m));
    assert_int_equal(m.as.self.seq, seq);
    return m.as.self.code;
}

/* How often a gate was told a kind of SELF for a player. */
static inline uint32_t
scene_selves(const struct scene *s, uint32_t gate, uint64_t player, enum self_kind kind)
{
    struct link_message m;
    uint32_t count = 0;
    for (uint32_t n = 0; scene_told(s, gate, LINK_SELF, n, &m); n++) {
        count += m.as.self.player == player && m.as.self.kind == kind;
    }
    return count;
}

/* ---- what a gate knows: a small replica of the things of one topic ---- */

#define SCENE_KNOWN_MAX 64

struct scene_known {
    uint32_t count;

    struct {
        uint64_t entity;
        uint8_t kind, attribute;
        struct place place;
    } things[SCENE_KNOWN_MAX];
};

static inline void
known_remove(struct scene_known *known, uint64_t entity)
{
    for (uint32_t i = 0; i < known->count; i++) {
        if (known->things[i].entity == entity) {
            known->things[i] = known->things[--known->count];
            return;
        }
    }
}

static inline void
known_apply(struct scene_known *known, const struct record *r)
{
    if (r->kind == RECORD_LEAVE || r->kind == RECORD_THING) {
        known_remove(known, r->entity);
    }
    if (r->kind != RECORD_THING) {
        return;
    }
    assert_true(known->count < SCENE_KNOWN_MAX);
    uint32_t n = known->count++;
    known->things[n].entity = r->entity;
    known->things[n].kind = r->as.thing.kind;
    known->things[n].attribute =
        r->as.thing.attributes.bytes > 0 ? r->as.thing.attributes.at[0] : UINT8_MAX;
    known->things[n].place = r->as.thing.place;
}

/* From all that the gate was told since scene_forget(). */
static inline struct scene_known
scene_known(const struct scene *s, uint32_t gate, topic_id topic)
{
    struct scene_known known = {0};
    struct link_message m;
    for (uint32_t n = 0; scene_told(s, gate, LINK_BATCH, n, &m); n++) {
        if (m.as.batch.topic != topic) {
            continue;
        }
        if (m.as.batch.snapshot) {
            known.count = 0;
        }
        struct reader in = reader_over(m.as.batch.records.at, m.as.batch.records.bytes);
        while (reader_left(&in) > 0) {
            struct record r;
            assert_int_equal(batch_next(&in, m.as.batch.tick_ms, &r), OK);
            known_apply(&known, &r);
        }
    }
    return known;
}

/* How many of a kind, with an attribute where that is not 0. */
static inline uint32_t
known_count(const struct scene_known *known, uint8_t kind, uint8_t attribute)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < known->count; i++) {
        count += known->things[i].kind == kind &&
                 (attribute == 0 || known->things[i].attribute == attribute);
    }
    return count;
}

#endif
