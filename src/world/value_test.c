#include "world/value_fixture.h"

static void
test_a_command_is_answered_and_done_once(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    struct link_message m;
    assert_int_equal(who.last_seq, 0);
    assert_int_equal(scene_do(s, 0, &who, 1, "d"), SEOM__CODE__FINE);
    assert_true(scene_self(s, 0, who.player, SELF_RESULT, &m));
    assert_int_equal(m.as.self.bytes.bytes, 7);
    assert_memory_equal(m.as.self.bytes.at, "dropped", 7);
    uint64_t digest = memory_store_digest(s->store);
    assert_int_equal(scene_do(s, 0, &who, 1, "d"), SEOM__CODE__FINE); /* the same answer */
    assert_true(scene_self(s, 0, who.player, SELF_RESULT, &m));
    assert_memory_equal(m.as.self.bytes.at, "dropped", 7);
    assert_int_equal(memory_store_digest(s->store), digest); /* and no second effect */
    assert_int_equal(scene_do(s, 0, &who, 2, "x"), SEOM__CODE__TOO_FAR);
    assert_int_equal(scene_do(s, 0, &who, 3, "?"), SEOM__CODE__MALFORMED);
    assert_int_equal(scene_do(s, 0, &who, 3, "d"), SEOM__CODE__CONFLICT); /* other content */
    assert_int_equal(scene_do(s, 0, &who, 9, "d"), SEOM__CODE__CONFLICT); /* a gap */
    assert_int_equal(scene_do(s, 0, &who, 4, "d"), SEOM__CODE__FINE);
    assert_int_equal(scene_enter(s, 0, 12, &who).last_seq, 4);
    assert_int_equal(world_commands_stats(s->world)->done, 3);
    assert_int_equal(world_commands_stats(s->world)->again, 1);
    assert_int_equal(world_stats(s->world)->results[SEOM__CODE__CONFLICT], 2);
}

/* People and what lies about are entities side by side: the first thing is not the first player. */
static void
test_a_thing_is_nobody(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    struct place at = {.x_mm = who.motion.x_mm, .y_mm = who.motion.y_mm};
    uint64_t where;
    assert_int_equal(scene_do(s, 0, &who, 1, "d"), SEOM__CODE__FINE);
    assert_true(chunk_of_place(who.island, at, &where));
    struct key key = chunk_key(1, where);
    struct store_doc doc = memory_store_look(s->store, key_slice(&key));
    assert_true(doc.exists);
    Seom__ChunkDocument *chunk = seom__chunk_document__unpack(NULL, doc.value.bytes, doc.value.at);
    assert_non_null(chunk);
    assert_int_equal(chunk->n_things, 1);
    assert_int_not_equal(chunk->things[0]->id, who.entity);
    assert_int_equal(id_counter(chunk->things[0]->id), GAME_LEASED_THINGS_FIRST);
    seom__chunk_document__free_unpacked(chunk, NULL);
}

/* Who asks again while it is under way is answered once. */
static void
test_repetitions_under_way_are_ignored(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    for (int i = 0; i < 3; i++) {
        scene_ask(s, 0, &who, 1, scene_text("d"));
    }
    scene_run(s, 300);
    assert_int_equal(world_stats(s->world)->commands_repeated, 2);
    assert_int_equal(scene_selves(s, 0, who.player, SELF_RESULT), 1);
}

/* The answer goes to the session that the player has when it comes; a command that an older session
 * asked for has no effect any more and is asked for once more. */
static void
test_a_new_connection_during_a_command(void **state)
{
    struct scene *s = *state;
    uint32_t fine = 0, again = 0;
    for (uint32_t delay_ms = 0; delay_ms < 40; delay_ms += 5) {
        struct link_home who = scene_enter(s, 0, 11, NULL);
        struct link_message m = {.kind = LINK_ENTER,
                                 .as.enter = {.conn = 77,
                                              .over = rand_mix(SCENE_GATE_EPOCH, 11),
                                              .ticket_bytes = TICKET_BYTES}};
        memcpy(m.as.enter.ticket, who.ticket, TICKET_BYTES);
        scene_forget(s);
        if (delay_ms < 20) {
            scene_ask(s, 0, &who, 1, scene_text("d"));
            scene_run(s, delay_ms);
            scene_hear(s, 1, &m);
        } else {
            scene_hear(s, 1, &m);
            scene_run(s, delay_ms - 20);
            scene_ask(s, 0, &who, 1, scene_text("d"));
        }
        scene_run(s, 300);
        struct link_home now = scene_home(s, 1, 77);
        assert_int_equal(now.code, SEOM__CODE__FINE);
        assert_int_equal(now.session_epoch, who.session_epoch + 1);
        struct link_message told;
        bool heard = scene_self(s, 1, who.player, SELF_RESULT, &told);
        assert_true(!heard || told.as.self.session_epoch == now.session_epoch);
        fine += heard && told.as.self.code == SEOM__CODE__FINE;
        again += heard && told.as.self.code == SEOM__CODE__RETRY_AFTER;
        assert_int_equal(scene_do(s, 1, &now, 1, "d"), SEOM__CODE__FINE);
        assert_int_equal(scene_do(s, 1, &now, 2, "x"), SEOM__CODE__TOO_FAR);
    }
    assert_true(fine + again > 0);
    const struct commands_stats *stats = world_commands_stats(s->world);
    assert_int_equal(stats->done - stats->again, 8);
}

static void
test_a_full_ring_owes_the_result(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    s->full[0] = true;
    scene_ask(s, 0, &who, 1, scene_text("d"));
    scene_run(s, 1000);
    assert_int_equal(scene_selves(s, 0, who.player, SELF_RESULT), 0);
    assert_int_equal(s->world->results.used, 1);
    s->full[0] = false;
    scene_run(s, 300);
    assert_int_equal(scene_selves(s, 0, who.player, SELF_RESULT), 1);
    assert_int_equal(s->world->results.used, 0);
    /* And is forgotten with its session. */
    s->full[0] = true;
    scene_ask(s, 0, &who, 2, scene_text("d"));
    scene_run(s, 300);
    assert_int_equal(s->world->results.used, 1);
    scene_input(s, 0, &who, (struct link_input){.kind = INPUT_LEFT});
    assert_int_equal(s->world->results.used, 0);
}

static void
test_switches(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    assert_int_equal(scene_do(s, 0, &who, 1, "d"), SEOM__CODE__FINE);
    scene_close_classes(s, DEED_WEALTH_TRANSFER);
    scene_run(s, 1500);
    assert_int_equal(world_stats(s->world)->switches_closed, DEED_WEALTH_TRANSFER);
    assert_int_equal(scene_do(s, 0, &who, 2, "d"), SEOM__CODE__CLOSED);
    assert_int_equal(scene_do(s, 0, &who, 1, "d"), SEOM__CODE__FINE); /* was done before */
    assert_int_equal(scene_do(s, 0, &who, 2, "p"), SEOM__CODE__FINE); /* is not of a closed class */
    assert_int_equal(scene_do(s, 0, &who, 3, "t"), SEOM__CODE__CLOSED);
    /* What cannot be read changes nothing. */
    struct key key = key_named(1, KEY_CLASS_META, "switches");
    scene_write(s, &key, scene_text("\xff\xff"));
    scene_run(s, 1500);
    assert_int_equal(scene_do(s, 0, &who, 3, "t"), SEOM__CODE__CLOSED);
    scene_close_classes(s, 0);
    scene_run(s, 1500);
    assert_int_equal(scene_do(s, 0, &who, 3, "t"), SEOM__CODE__FINE);
}

/* A minute without a store: people walk and talk, what is of value waits and is done once. */
static void
test_a_minute_without_a_store(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    scene_put(s, &who, (struct place){135000, 135000});
    scene_run(s, 2000);
    memory_store_set_away(s->store, true);
    uint32_t retries = 0;
    for (uint32_t second = 0; second < 60; second++) {
        struct world_player p;
        assert_true(scene_player(s, who.player, &p));
        struct motion m = motion_from(&p.motion, scene_ms(s));
        m.vx = second % 2 == 0 ? 500 : -500;
        m.since_ms = scene_ms(s);
        m.lasts_ms = 900;
        scene_forget(s);
        scene_move(s, 0, &who, second + 1, m);
        scene_input(s, 0, &who, (struct link_input){.kind = INPUT_SAY, .bytes = scene_text("hi")});
        if (second % 4 == 0) {
            scene_ask(s, 0, &who, 1, scene_text("d"));
        }
        scene_run(s, 1000);
        struct link_message told;
        if (scene_self(s, 0, who.player, SELF_RESULT, &told)) {
            assert_int_equal(told.as.self.code, SEOM__CODE__RETRY_AFTER);
            retries++;
        }
        assert_int_equal(scene_selves(s, 0, who.player, SELF_LOBBY), 0);
    }
    assert_true(retries >= 10);
    assert_int_equal(world_stats(s->world)->says, 60);
    assert_int_equal(world_stats(s->world)->moves_refused, 0);
    memory_store_set_away(s->store, false);
    scene_run(s, 1000);
    assert_int_equal(scene_do(s, 0, &who, 1, "d"), SEOM__CODE__FINE);
    assert_int_equal(scene_do(s, 0, &who, 2, "t"), SEOM__CODE__FINE);
    assert_int_equal(scene_do(s, 0, &who, 3, "t"), SEOM__CODE__NOT_FOUND); /* there was one */
}

/* ---- hints ---- */

static struct slice
to_player(uint8_t bytes[9], char deed, uint64_t player)
{
    struct writer w = writer_over(bytes, 9);
    write_u8(&w, (uint8_t)deed);
    write_u64(&w, player);
    return (struct slice){bytes, 9};
}

static uint32_t
hints(const struct scene *s, const struct link_home *who, uint8_t what)
{
    struct link_message m;
    uint32_t count = 0;
    for (uint32_t n = 0; scene_told(s, 0, LINK_SELF, n, &m); n++) {
        count += m.as.self.player == who->player && m.as.self.kind == SELF_CHANGED &&
                 m.as.self.look == what;
    }
    return count;
}

static void
test_who_was_changed_by_others_is_told(void **state)
{
    struct scene *s = *state;
    uint8_t body[9];
    struct link_home one = scene_enter(s, 0, 11, NULL), two = scene_enter(s, 0, 12, NULL);
    scene_run(s, 500);
    scene_forget(s);
    scene_ask(s, 0, &one, 1, to_player(body, 'g', two.player));
    scene_run(s, 1000);
    assert_int_equal(hints(s, &two, SEOM__SHOW_KIND__SHOW_BAG), 1);
    assert_int_equal(hints(s, &two, SEOM__SHOW_KIND__SHOW_INBOX), 0);
    assert_int_equal(hints(s, &one, SEOM__SHOW_KIND__SHOW_BAG), 0); /* it knows */
    scene_ask(s, 0, &one, 2, to_player(body, 'm', two.player));
    scene_run(s, 1000);
    assert_int_equal(hints(s, &two, SEOM__SHOW_KIND__SHOW_INBOX), 1);
    assert_int_equal(hints(s, &two, SEOM__SHOW_KIND__SHOW_BAG), 1);
    assert_int_equal(hints(s, &one, SEOM__SHOW_KIND__SHOW_BAG), 0);
    assert_int_equal(world_stats(s->world)->hints, 2);
}

static void
test_a_change_by_another_process_is_told(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    scene_run(s, 500);
    scene_forget(s);
    struct store_doc doc = scene_look(s, KEY_CLASS_PLAYER, who.player);
    uint8_t bytes[4096];
    memcpy(bytes, doc.value.at, doc.value.bytes);
    struct key key = key_make(1, KEY_CLASS_PLAYER, who.player);
    scene_write(s, &key, (struct slice){bytes, doc.value.bytes});
    scene_run(s, 1000);
    assert_int_equal(hints(s, &who, SEOM__SHOW_KIND__SHOW_BAG), 1);
    Seom__InboxDocument inbox = SEOM__INBOX_DOCUMENT__INIT;
    key = key_make(1, KEY_CLASS_INBOX, who.player);
    scene_write_message(s, &key, &inbox.base);
    scene_run(s, 1000);
    assert_int_equal(hints(s, &who, SEOM__SHOW_KIND__SHOW_INBOX), 1);
    scene_run(s, 3000);
    assert_int_equal(world_stats(s->world)->hints, 2); /* once each */
    scene_input(s, 0, &who, (struct link_input){.kind = INPUT_LEFT});
    scene_write_message(s, &key, &inbox.base);
    scene_run(s, 1000);
    assert_int_equal(world_stats(s->world)->hints, 2);
}

static void
test_a_hint_that_found_the_ring_full_is_told_later(void **state)
{
    struct scene *s = *state;
    uint8_t body[9];
    struct link_home one = scene_enter(s, 0, 11, NULL), two = scene_enter(s, 1, 12, NULL);
    s->full[1] = true;
    scene_ask(s, 0, &one, 1, to_player(body, 'm', two.player));
    scene_run(s, 1000);
    assert_int_equal(scene_selves(s, 1, two.player, SELF_CHANGED), 0);
    s->full[1] = false;
    scene_run(s, 300);
    assert_int_equal(scene_selves(s, 1, two.player, SELF_CHANGED), 1);
}

/* ---- the lobby ---- */

static void
test_garbage_leads_to_the_lobby(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL), other = scene_enter(s, 0, 12, NULL);
    struct key key = key_make(1, KEY_CLASS_PLAYER, who.player);
    struct store_doc doc = scene_look(s, KEY_CLASS_PLAYER, who.player);
    uint8_t sound[4096];
    size_t bytes = doc.value.bytes;
    struct link_message m;
    memcpy(sound, doc.value.at, bytes);
    scene_write(s, &key, scene_text("\xff\xff\xff"));
    scene_ask(s, 0, &who, 1, scene_text("d"));
    scene_run(s, 500);
    assert_true(scene_self(s, 0, who.player, SELF_LOBBY, &m));
    assert_int_equal(m.as.self.code, SEOM__CODE__UNREADABLE);
    assert_true(m.as.self.number > 0);
    assert_null(avatar_find(s->world, who.player));
    assert_int_equal(scene_selves(s, 0, who.player, SELF_END), 0);
    assert_int_equal(scene_enter(s, 0, 13, &who).code, SEOM__CODE__UNREADABLE);
    /* Nobody else is affected. */
    assert_int_equal(scene_do(s, 0, &other, 1, "d"), SEOM__CODE__FINE);
    scene_write(s, &key, (struct slice){sound, bytes});
    struct link_home back = scene_enter(s, 0, 14, &who);
    assert_int_equal(back.code, SEOM__CODE__FINE);
    assert_int_equal(scene_do(s, 0, &back, 1, "d"), SEOM__CODE__FINE);
}

/* A document whose checksum does not fit cannot be had, while everything else can; and a store that
 * says nothing of commits for a while. */
struct quarantine {
    struct store_done inner;
    struct env_store port;
    struct key key;
    uint64_t tokens[8];
    struct key silent_of; /* of a commit of this document nothing is said */
    uint64_t held;        /* its token */
    enum store_result held_result;
};

static bool
is_key(struct slice key, const struct key *wanted)
{
    return key.bytes == wanted->bytes && memcmp(key.at, wanted->text, key.bytes) == 0;
}

static enum err
quarantine_get(void *ctx, uint64_t token, struct slice key)
{
    struct quarantine *q = ctx;
    if (is_key(key, &q->key)) {
        for (uint32_t i = 0;; i++) {
            assert_true(i < 8);
            if (q->tokens[i] == 0) {
                q->tokens[i] = token;
                break;
            }
        }
    }
    return q->port.get(q->port.ctx, token, key);
}

static enum err
quarantine_commit(void *ctx, uint64_t token, const struct store_write *writes, uint32_t count)
{
    struct quarantine *q = ctx;
    for (uint32_t i = 0; i < count; i++) {
        if (is_key(writes[i].key, &q->silent_of)) {
            assert_int_equal(q->held, 0);
            q->held = token;
        }
    }
    return q->port.commit(q->port.ctx, token, writes, count);
}

static enum err
quarantine_watch(void *ctx, struct slice key, bool on)
{
    struct quarantine *q = ctx;
    return q->port.watch(q->port.ctx, key, on);
}

static void
quarantine_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct quarantine *q = ctx;
    for (uint32_t i = 0; i < 8; i++) {
        if (q->tokens[i] == token) {
            q->tokens[i] = 0;
            q->inner.got(q->inner.ctx, token, STORE_UNAVAILABLE, NULL);
            return;
        }
    }
    q->inner.got(q->inner.ctx, token, result, doc);
}

static void
quarantine_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct quarantine *q = ctx;
    if (q->held != 0 && q->held == token) {
        q->held_result = result;
        return;
    }
    q->inner.committed(q->inner.ctx, token, result);
}

static void
quarantine_changed(void *ctx, struct slice key)
{
    struct quarantine *q = ctx;
    q->inner.changed(q->inner.ctx, key);
}

static void
quarantine_begin(struct scene *s, struct quarantine *q)
{
    *q = (struct quarantine){.inner = world_store_done(s->world)};
    q->port = memory_store_port(s->store, (struct store_done){.ctx = q,
                                                              .got = quarantine_got,
                                                              .committed = quarantine_committed,
                                                              .changed = quarantine_changed});
    s->env.store = (struct env_store){.ctx = q,
                                      .value_max = q->port.value_max,
                                      .commit_max = q->port.commit_max,
                                      .get = quarantine_get,
                                      .commit = quarantine_commit,
                                      .watch = quarantine_watch};
}

/* Nobody waits long for an answer that nobody has: he is told to come again, as often as he does,
 * and what became of the command when that is known. */
static void
test_a_store_that_says_nothing(void **state)
{
    struct scene *s = *state;
    struct quarantine q;
    struct link_message told;
    quarantine_begin(s, &q);
    struct link_home who = scene_enter(s, 0, 11, NULL);
    assert_int_equal(scene_do(s, 0, &who, 1, "x"), SEOM__CODE__TOO_FAR);
    q.silent_of = key_make(1, KEY_CLASS_PLAYER, who.player);
    for (uint32_t time = 0; time < 3; time++) {
        scene_forget(s);
        scene_ask(s, 0, &who, 2, scene_text("d"));
        scene_run(s, 1300);
        scene_ask(s, 0, &who, 2, scene_text("d"));
        assert_int_equal(scene_selves(s, 0, who.player, SELF_RESULT), 0);
        scene_run(s, 300);
        assert_int_equal(scene_selves(s, 0, who.player, SELF_RESULT), 1);
        assert_true(scene_self(s, 0, who.player, SELF_RESULT, &told));
        assert_int_equal(told.as.self.code, SEOM__CODE__RETRY_AFTER);
        assert_int_equal(told.as.self.seq, 2);
        scene_run(s, 5000); /* who does not come again is not told again */
        assert_int_equal(scene_selves(s, 0, who.player, SELF_RESULT), 1);
    }
    assert_int_not_equal(q.held, 0);
    q.silent_of = (struct key){0};
    scene_forget(s);
    q.inner.committed(q.inner.ctx, q.held, q.held_result);
    scene_run(s, 300);
    assert_true(scene_self(s, 0, who.player, SELF_RESULT, &told));
    assert_int_equal(told.as.self.code, SEOM__CODE__FINE);
    assert_int_equal(scene_do(s, 0, &who, 2, "d"), SEOM__CODE__FINE);
    assert_int_equal(scene_do(s, 0, &who, 3, "t"), SEOM__CODE__FINE);
    assert_int_equal(scene_do(s, 0, &who, 4, "t"), SEOM__CODE__NOT_FOUND); /* there was one */
}

static void
test_a_quarantined_document_leads_to_the_lobby(void **state)
{
    struct scene *s = *state;
    struct quarantine q;
    quarantine_begin(s, &q);
    struct link_home who = scene_enter(s, 0, 11, NULL), other = scene_enter(s, 0, 12, NULL);
    assert_int_equal(scene_do(s, 0, &who, 1, "d"), SEOM__CODE__FINE);
    q.key = key_make(1, KEY_CLASS_PLAYER, who.player);
    scene_ask(s, 0, &who, 2, scene_text("t"));
    scene_run(s, 5000);
    assert_int_equal(scene_selves(s, 0, who.player, SELF_LOBBY), 1);
    assert_null(avatar_find(s->world, who.player));
    assert_int_equal(scene_enter(s, 0, 13, &who).code, SEOM__CODE__UNREADABLE);
    assert_int_equal(scene_do(s, 0, &other, 1, "d"), SEOM__CODE__FINE);
    q.key = (struct key){0};
    struct link_home back = scene_enter(s, 0, 14, &who);
    assert_int_equal(back.code, SEOM__CODE__FINE);
    assert_int_equal(scene_do(s, 0, &back, 2, "t"), SEOM__CODE__FINE);
}

/* Somebody else became home, by the document: whoever plays here is told so. */
static void
test_a_higher_epoch_ends_the_session(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    struct key key = key_make(1, KEY_CLASS_PLAYER, who.player);
    Seom__PlayerDocument document = SEOM__PLAYER_DOCUMENT__INIT;
    struct link_message m;
    document.session_epoch = who.session_epoch + 5;
    scene_write_message(s, &key, &document.base);
    scene_ask(s, 0, &who, 1, scene_text("d"));
    scene_run(s, 500);
    assert_true(scene_self(s, 0, who.player, SELF_END, &m));
    assert_int_equal(m.as.self.code, SEOM__CODE__REPLACED);
    assert_null(avatar_find(s->world, who.player));
}

/* Whoever stops waits for what is under way. */
static void
test_stops_with_commands_under_way(void **state)
{
    struct scene *s = *state;
    struct link_home who = scene_enter(s, 0, 11, NULL);
    scene_ask(s, 0, &who, 1, scene_text("d"));
    world_stop(s->world, SCENE_RETRY_MS);
    assert_false(world_stopped(s->world));
    scene_run(s, 3000);
    assert_true(world_stopped(s->world));
    struct key key = key_make(1, KEY_CLASS_PLAYER, who.player);
    struct player player;
    struct store_doc doc = memory_store_look(s->store, key_slice(&key));
    assert_int_equal(player_decode(who.player, &doc, &player), OK);
    assert_int_equal(player.last_seq, 1);
}

#define IN_SCENE(name) cmocka_unit_test_setup_teardown(name, value_open, scene_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENE(test_a_command_is_answered_and_done_once),
        IN_SCENE(test_a_thing_is_nobody),
        IN_SCENE(test_repetitions_under_way_are_ignored),
        IN_SCENE(test_a_new_connection_during_a_command),
        IN_SCENE(test_a_full_ring_owes_the_result),
        IN_SCENE(test_switches),
        IN_SCENE(test_a_minute_without_a_store),
        IN_SCENE(test_who_was_changed_by_others_is_told),
        IN_SCENE(test_a_change_by_another_process_is_told),
        IN_SCENE(test_a_hint_that_found_the_ring_full_is_told_later),
        IN_SCENE(test_garbage_leads_to_the_lobby),
        IN_SCENE(test_a_store_that_says_nothing),
        IN_SCENE(test_a_quarantined_document_leads_to_the_lobby),
        IN_SCENE(test_a_higher_epoch_ends_the_session),
        IN_SCENE(test_stops_with_commands_under_way),
    };
    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
