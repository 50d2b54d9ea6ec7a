#include "seom.pb-c.h"
#include "store/commands.h"
#include "store/desk.h"
#include "store/locks.h"
#include "store/player.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PLAYERS 5
#define ANSWERS 4096

/* The deeds of this test: a body names counters, one letter each, which are raised by one in the
 * order of the letters; the player's own document counts the deeds in home_node. */

struct answer {
    uint32_t times, code;
    bool again;
    uint8_t body[DEED_RESULT_MAX];
    size_t bytes;
};

struct fixture {
    struct desk *desk;
    struct ids ids;
    struct commands *commands;
    struct answer answers[ANSWERS];
    uint64_t next, wrote, doubts;
    uint64_t seen_ids[8];
    uint32_t seen_count;
    bool filled;
    uint32_t fillers; /* reads that leave no room */
};

static struct fixture
    *the; /* deeds know only their documents; this test looks over their shoulder */

static struct key
counter_key(char letter)
{
    char name[] = {'c', '-', letter, 0};
    return key_named(DESK_WORLD, KEY_CLASS_META, name);
}

static uint32_t
raise_counters(struct deed *deed)
{
    struct slice body = deed_body(deed);
    for (size_t i = 0; i < body.bytes; i++) {
        if (body.at[i] == '!')
            return SEOM__CODE__REFUSED;
        struct key key = counter_key((char)body.at[i]);
        Seom__IdsDocument *counter = deed_open(deed, &key, &seom__ids_document__descriptor);
        if (counter == NULL)
            return DEED_MORE;
        counter->next++;
        deed_put(deed, counter);
    }
    if (deed_player(deed) != NULL)
        deed_player(deed)->home_node++;
    deed_result(deed, body);
    return SEOM__CODE__FINE;
}

static uint32_t
take_ids(struct deed *deed)
{
    uint64_t first = deed_id(deed), second = first == 0 ? 0 : deed_id(deed);
    if (second == 0)
        return DEED_MORE;
    the->seen_ids[the->seen_count++] = first;
    the->seen_ids[the->seen_count++] = second;
    return raise_counters(deed);
}

static uint32_t
only_look(struct deed *deed)
{
    struct key key = counter_key('a');
    return deed_open(deed, &key, &seom__ids_document__descriptor) == NULL ? DEED_MORE
                                                                          : SEOM__CODE__FINE;
}

static void
on_filler(void *ctx, uint64_t n, enum store_result result, const struct store_doc *doc)
{
    (void)n;
    (void)result;
    (void)doc;
    ((struct fixture *)ctx)->fillers--;
}

/* When it is asked for the first time, it leaves the store no room for its commit. */
static uint32_t
fill_the_store(struct deed *deed)
{
    uint32_t code = raise_counters(deed);
    struct key key = counter_key('z');
    if (code != SEOM__CODE__FINE || the->filled)
        return code;
    the->filled = true;
    while (store_get(&the->desk->store, key_slice(&key), on_filler, the, 0) == OK)
        the->fillers++;
    return code;
}

/* b becomes one more than a, which is only looked at. */
static uint32_t
copy_counter(struct deed *deed)
{
    struct key from = counter_key('a'), to = counter_key('b');
    const Seom__IdsDocument *a = deed_open(deed, &from, &seom__ids_document__descriptor);
    if (a == NULL)
        return DEED_MORE;
    Seom__IdsDocument *b = deed_open(deed, &to, &seom__ids_document__descriptor);
    if (b == NULL)
        return DEED_MORE;
    b->next = a->next + 1;
    deed_put(deed, b);
    return SEOM__CODE__FINE;
}

static uint32_t
write_too_much(struct deed *deed)
{
    struct key key = key_make(DESK_WORLD, KEY_CLASS_PLAYER, 9999);
    Seom__PlayerDocument *other = deed_open(deed, &key, &seom__player_document__descriptor);
    if (other == NULL)
        return DEED_MORE;
    other->name = deed_alloc(deed, STORE_VALUE_MAX + 2);
    if (other->name == NULL)
        return DEED_MORE;
    memset(other->name, 'x', STORE_VALUE_MAX + 1);
    deed_put(deed, other);
    return SEOM__CODE__FINE;
}

static const struct deed_kind raises = {.name = "raise", .decide = raise_counters},
                              takes_ids = {.name = "ids", .decide = take_ids},
                              looks = {.name = "look", .decide = only_look},
                              fills = {.name = "fill", .decide = fill_the_store},
                              copies = {.name = "copy", .decide = copy_counter},
                              too_much = {.name = "much", .decide = write_too_much};

static void
on_wrote(void *ctx, const struct key *key, uint64_t version, bool exists, struct slice value)
{
    struct fixture *f = ctx;
    assert_true(key->bytes > 0 && (version == 0 || !exists || value.bytes > 0));
    f->wrote += version > 0;
    f->doubts += version == 0;
}

static void
on_done(void *ctx, uint64_t n, const struct command_result *result)
{
    struct fixture *f = ctx;
    assert_true(n < f->next);
    struct answer *a = &f->answers[n];
    a->times++;
    a->code = result->code;
    a->again = result->again;
    a->bytes = result->body.bytes;
    if (a->bytes > 0)
        memcpy(a->body, result->body.at, a->bytes);
}

static uint64_t
player_of(uint32_t n)
{
    return (uint64_t)DESK_WORLD << 48 | (n + 1);
}

static void
on_created(void *ctx, uint64_t n, enum err result, const struct player *player)
{
    (void)ctx;
    (void)n;
    assert_int_equal(result, OK);
    assert_int_equal(player->session_epoch, 1);
}

static void
commands_begin(struct fixture *f, enum commands_mutant mutant)
{
    f->commands = commands_alloc(&(struct commands_options){.world = DESK_WORLD,
                                                            .attempts_max = 6,
                                                            .wrote = on_wrote,
                                                            .wrote_ctx = f,
                                                            .mutant = mutant},
                                 &f->desk->store, &f->ids);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    the = f;
    f->desk = desk_alloc(7);
    ids_init(&f->ids, &f->desk->store, DESK_WORLD, "thing");
    ids_prepare(&f->ids);
    struct players players;
    players_init(&players, &f->desk->store, DESK_WORLD, PLAYERS);
    for (uint32_t n = 0; n < PLAYERS; n++)
        assert_int_equal(player_create(&players, player_of(n), (struct slice){0},
                                       &(struct player_home){.node = 0}, on_created, f, n),
                         OK);
    desk_settle(f->desk);
    players_fini(&players);
    commands_begin(f, COMMANDS_MUTANT_NONE);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    commands_free(&f->commands);
    desk_free(f->desk);
    free(f);
    return 0;
}

struct ask {
    uint32_t player;
    uint64_t seq, epoch; /* epoch 0: the first */
    const char *body;
    const struct deed_kind *kind; /* NULL: raises */
};

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static uint64_t
ask(struct fixture *f, struct ask a)
{
    assert_true(f->next < ANSWERS);
    struct command command = {
        .actor = {.player = player_of(a.player), .session_epoch = a.epoch == 0 ? 1 : a.epoch},
        .seq = a.seq,
        .body = text(a.body),
        .kind = a.kind == NULL ? &raises : a.kind};
    uint64_t n = f->next++;
    assert_int_equal(commands_run(f->commands, &command, on_done, f, n), OK);
    assert_int_equal(f->answers[n].times, 0);
    return n;
}

static void
settle(struct fixture *f)
{
    for (int rounds = 0; commands_under_way(f->commands) > 0; rounds++) {
        assert_true(rounds < 100000);
        int64_t next_us = commands_turn(f->commands);
        if (memory_store_under_way(f->desk->memory) > 0)
            assert_true(events_step(&f->desk->schedule));
        else if (next_us != INT64_MAX)
            events_run(&f->desk->schedule, next_us);
    }
}

static const struct answer *
answer(struct fixture *f, struct ask a)
{
    uint64_t n = ask(f, a);
    settle(f);
    assert_int_equal(f->answers[n].times, 1);
    return &f->answers[n];
}

static uint64_t
counter(struct fixture *f, char letter)
{
    struct key key = counter_key(letter);
    struct store_doc doc = desk_look(f->desk, key.text);
    if (!doc.exists)
        return 0;
    Seom__IdsDocument *c = seom__ids_document__unpack(NULL, doc.value.bytes, doc.value.at);
    assert_non_null(c);
    uint64_t next = c->next;
    seom__ids_document__free_unpacked(c, NULL);
    return next;
}

static uint64_t
deeds_of(struct fixture *f, uint32_t player, uint64_t *last_seq)
{
    struct key key = key_make(DESK_WORLD, KEY_CLASS_PLAYER, player_of(player));
    struct store_doc doc = desk_look(f->desk, key.text);
    struct player p;
    assert_int_equal(player_decode(player_of(player), &doc, &p), OK);
    *last_seq = p.last_seq;
    return p.home.node;
}

static void
test_once(void **state)
{
    struct fixture *f = *state;
    const struct answer *first = answer(f, (struct ask){.seq = 1, .body = "ab"});
    assert_int_equal(first->code, SEOM__CODE__FINE);
    assert_false(first->again);
    assert_memory_equal(first->body, "ab", 2);
    assert_int_equal(f->wrote, 3);
    const struct answer *second = answer(f, (struct ask){.seq = 1, .body = "ab"});
    assert_int_equal(second->code, SEOM__CODE__FINE);
    assert_true(second->again);
    assert_int_equal(second->bytes, 2);
    assert_memory_equal(second->body, "ab", 2);
    assert_int_equal(counter(f, 'a'), 1);
    assert_int_equal(counter(f, 'b'), 1);
}

static void
test_refused_is_done(void **state)
{
    struct fixture *f = *state;
    uint64_t last_seq;
    assert_int_equal(answer(f, (struct ask){.seq = 1, .body = "ab!"})->code, SEOM__CODE__REFUSED);
    assert_int_equal(counter(f, 'a'), 0);
    assert_int_equal(deeds_of(f, 0, &last_seq), 0);
    assert_int_equal(last_seq, 1);
    const struct answer *again = answer(f, (struct ask){.seq = 1, .body = "ab!"});
    assert_int_equal(again->code, SEOM__CODE__REFUSED);
    assert_true(again->again);
    assert_int_equal(answer(f, (struct ask){.seq = 2, .body = "a"})->code, SEOM__CODE__FINE);
}

static void
test_gap_and_changed_content(void **state)
{
    struct fixture *f = *state;
    uint64_t last_seq;
    assert_int_equal(answer(f, (struct ask){.seq = 2, .body = "a"})->code, SEOM__CODE__CONFLICT);
    assert_int_equal(answer(f, (struct ask){.seq = 1, .body = "a"})->code, SEOM__CODE__FINE);
    assert_int_equal(answer(f, (struct ask){.seq = 1, .body = "b"})->code, SEOM__CODE__CONFLICT);
    assert_int_equal(answer(f, (struct ask){.seq = 0, .body = "a"})->code, SEOM__CODE__CONFLICT);
    assert_int_equal(commands_stats(f->commands)->gaps, 3);
    assert_int_equal(deeds_of(f, 0, &last_seq), 1);
    assert_int_equal(last_seq, 1);
}

static void
test_older_session(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(answer(f, (struct ask){.seq = 1, .epoch = 7, .body = "a"})->code,
                     SEOM__CODE__REPLACED);
    assert_int_equal(counter(f, 'a'), 0);
    assert_int_equal(answer(f, (struct ask){.player = PLAYERS, .seq = 1, .body = "a"})->code,
                     SEOM__CODE__NOT_FOUND);
}

static void
test_one_after_the_other(void **state)
{
    struct fixture *f = *state;
    static const char *const bodies[PLAYERS] = {"abcd", "dcba", "bdac", "a", "cabd"};
    uint64_t first = f->next;
    for (uint32_t n = 0; n < PLAYERS; n++)
        ask(f, (struct ask){.player = n, .seq = 1, .body = bodies[n]});
    settle(f);
    for (uint64_t n = first; n < f->next; n++)
        assert_int_equal(f->answers[n].code, SEOM__CODE__FINE);
    assert_int_equal(counter(f, 'a'), 5);
    assert_int_equal(counter(f, 'd'), 4);
    assert_int_equal(commands_stats(f->commands)->conflicts, 0);
    assert_true(commands_stats(f->commands)->waits > 0);
}

static void
test_one_of_a_player(void **state)
{
    struct fixture *f = *state;
    ask(f, (struct ask){.seq = 1, .body = "a"});
    struct command command = {.actor = {.player = player_of(0), .session_epoch = 1},
                              .seq = 1,
                              .body = text("a"),
                              .kind = &raises};
    assert_int_equal(commands_run(f->commands, &command, on_done, f, 0), ERR_EXISTS);
    static uint8_t large[DEED_BODY_MAX + 1];
    command.actor.player = player_of(1);
    command.body = (struct slice){large, sizeof large};
    assert_int_equal(commands_run(f->commands, &command, on_done, f, 0), ERR_TOO_LARGE);
    settle(f);
}

static void
on_foreign(void *ctx, uint64_t n, enum store_result result)
{
    (void)n;
    assert_int_equal(result, STORE_OK);
    *(bool *)ctx = true;
}

/* Somebody else writes the counter while a command works on it: it stands on top of what was
 * written, or below it, but never in the middle. */
static void
test_lost_race(void **state)
{
    struct fixture *f = *state;
    struct key key = counter_key('a');
    for (uint32_t seq = 1; seq <= 60; seq++) {
        uint8_t bytes[16];
        bool written = false;
        Seom__IdsDocument foreign = SEOM__IDS_DOCUMENT__INIT;
        foreign.next = 1000 * seq;
        size_t count = seom__ids_document__pack(&foreign, bytes);
        struct store_write write = {.key = key_slice(&key),
                                    .expected_version = STORE_ANY_VERSION,
                                    .op = STORE_PUT,
                                    .value = {bytes, count}};
        uint64_t n = ask(f, (struct ask){.seq = seq, .body = "a"});
        for (uint32_t steps = seq % 3; steps > 0; steps--)
            assert_true(events_step(&f->desk->schedule));
        assert_int_equal(store_commit(&f->desk->store, &write, 1, on_foreign, &written, 0), OK);
        settle(f);
        desk_settle(f->desk);
        assert_true(written);
        assert_int_equal(f->answers[n].code, SEOM__CODE__FINE);
        assert_true(counter(f, 'a') == 1000 * seq || counter(f, 'a') == 1000 * seq + 1);
    }
    assert_true(commands_stats(f->commands)->conflicts > 5);
}

/* What a deed relied on and left as it was can have changed as little as what it wrote. */
static void
test_what_was_looked_at(void **state)
{
    struct fixture *f = *state;
    struct key key = counter_key('a');
    for (uint32_t seq = 1; seq <= 60; seq++) {
        uint8_t bytes[16];
        bool written = false;
        Seom__IdsDocument foreign = SEOM__IDS_DOCUMENT__INIT;
        foreign.next = seq;
        struct store_write write = {.key = key_slice(&key),
                                    .expected_version = STORE_ANY_VERSION,
                                    .op = STORE_PUT,
                                    .value = {bytes, seom__ids_document__pack(&foreign, bytes)}};
        uint64_t n = ask(f, (struct ask){.seq = seq, .body = "", .kind = &copies});
        for (uint32_t steps = seq % 4; steps > 0; steps--)
            assert_true(events_step(&f->desk->schedule));
        assert_int_equal(store_commit(&f->desk->store, &write, 1, on_foreign, &written, 0), OK);
        settle(f);
        desk_settle(f->desk);
        assert_int_equal(f->answers[n].code, SEOM__CODE__FINE);
        assert_true(counter(f, 'b') == seq || counter(f, 'b') == seq + 1);
    }
    /* Nobody else writes b or the player: only a can have been in the way. */
    assert_true(commands_stats(f->commands)->conflicts > 5);
}

/* By the time the store refuses it, the new bytes stand where the old ones were read: nobody may
 * take them for what is in the store. */
static void
test_no_room_for_the_commit(void **state)
{
    struct fixture *f = *state;
    uint64_t last_seq;
    const struct answer *a = answer(f, (struct ask){.seq = 1, .body = "ab", .kind = &fills});
    assert_int_equal(a->code, SEOM__CODE__FINE);
    assert_false(a->again);
    desk_settle(f->desk);
    assert_true(f->filled && f->fillers == 0 && f->desk->store.stats.refused > 1);
    assert_int_equal(counter(f, 'a'), 1);
    assert_int_equal(counter(f, 'b'), 1);
    assert_int_equal(deeds_of(f, 0, &last_seq), 1);
    assert_int_equal(last_seq, 1);
}

static void
test_does_not_fit(void **state)
{
    struct fixture *f = *state;
    uint64_t last_seq;
    const char *many = "abcdefghijklmnopqrst"; /* more than DEED_DOCUMENTS_MAX */
    assert_int_equal(answer(f, (struct ask){.seq = 1, .body = many})->code, SEOM__CODE__TOO_LARGE);
    assert_int_equal(answer(f, (struct ask){.seq = 2, .body = "", .kind = &too_much})->code,
                     SEOM__CODE__TOO_LARGE);
    assert_int_equal(deeds_of(f, 0, &last_seq), 0);
    assert_int_equal(last_seq, 2);
    assert_int_equal(counter(f, 'a'), 0);
    assert_false(desk_look(f->desk, "0001/player/000000000000270f").exists);
}

static void
test_unreadable(void **state)
{
    struct fixture *f = *state;
    struct key key = counter_key('a');
    desk_put(f->desk, key.text, "\xff\xff\xff", 3);
    assert_int_equal(answer(f, (struct ask){.seq = 1, .body = "ba"})->code, SEOM__CODE__UNREADABLE);
    assert_int_equal(counter(f, 'b'), 0);
    assert_int_equal(answer(f, (struct ask){.seq = 1, .body = "b"})->code, SEOM__CODE__FINE);
}

static void
test_store_away(void **state)
{
    struct fixture *f = *state;
    memory_store_set_away(f->desk->memory, true);
    assert_int_equal(answer(f, (struct ask){.seq = 1, .body = "a"})->code, SEOM__CODE__RETRY_AFTER);
    memory_store_set_away(f->desk->memory, false);
    assert_int_equal(answer(f, (struct ask){.seq = 1, .body = "a"})->code, SEOM__CODE__FINE);
    assert_int_equal(counter(f, 'a'), 1);
}

/* One document that cannot be read, as one whose checksum does not fit. */
static struct {
    struct env_store engine;
    struct store_done done;
    struct key key;
    uint64_t tokens[64];
    uint32_t count;
} damaged;

static enum err
damaged_get(void *ctx, uint64_t token, struct slice key)
{
    struct slice bad = key_slice(&damaged.key);
    if (key.bytes == bad.bytes && memcmp(key.at, bad.at, bad.bytes) == 0)
        damaged.tokens[damaged.count++ % 64] = token;
    return damaged.engine.get(ctx, token, key);
}

static void
damaged_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    for (uint32_t i = 0; i < damaged.count && i < 64; i++) {
        if (damaged.tokens[i] == token) {
            damaged.tokens[i] = 0;
            damaged.done.got(ctx, token, STORE_UNAVAILABLE, NULL);
            return;
        }
    }
    damaged.done.got(ctx, token, result, doc);
}

static void
test_damaged_document(void **state)
{
    struct fixture *f = *state;
    uint64_t last_seq;
    damaged.done = store_done(&f->desk->store);
    struct store_done done = damaged.done;
    done.got = damaged_got;
    damaged.engine = memory_store_port(f->desk->memory, done);
    damaged.key = counter_key('b');
    damaged.count = 0;
    f->desk->env.store = damaged.engine;
    f->desk->env.store.get = damaged_get;
    assert_int_equal(answer(f, (struct ask){.seq = 1, .body = "ab"})->code, SEOM__CODE__REFUSED);
    assert_int_equal(deeds_of(f, 0, &last_seq), 0);
    assert_int_equal(last_seq, 1); /* he may do something else */
    assert_int_equal(answer(f, (struct ask){.seq = 2, .body = "a"})->code, SEOM__CODE__FINE);
    damaged.key = key_make(DESK_WORLD, KEY_CLASS_PLAYER, player_of(0));
    assert_int_equal(answer(f, (struct ask){.seq = 3, .body = "a"})->code, SEOM__CODE__RETRY_AFTER);
}

static void
test_crowd_at_one_document(void **state)
{
    struct fixture *f = *state;
    struct deed_actor nobody = {0};
    uint64_t first = f->next;
    for (uint32_t n = 0; n < 4 * LOCKS_WAITERS_MAX; n++)
        assert_int_equal(
            commands_job(f->commands, &nobody, &raises, text("z"), on_done, f, f->next++), OK);
    uint64_t other = ask(f, (struct ask){.seq = 1, .body = "a"});
    settle(f);
    uint64_t fine = 0, later = 0;
    for (uint64_t n = first; n < other; n++) {
        assert_int_equal(f->answers[n].times, 1);
        fine += f->answers[n].code == SEOM__CODE__FINE;
        later += f->answers[n].code == SEOM__CODE__RETRY_AFTER;
    }
    assert_int_equal(fine + later, 4 * LOCKS_WAITERS_MAX);
    assert_int_equal(counter(f, 'z'), fine);
    assert_true(commands_stats(f->commands)->crowded > 0 && fine > LOCKS_WAITERS_MAX);
    assert_int_equal(f->answers[other].code, SEOM__CODE__FINE);
}

static void
test_ids_stay(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(answer(f, (struct ask){.seq = 1, .body = "ab", .kind = &takes_ids})->code,
                     SEOM__CODE__FINE);
    assert_true(f->seen_count >= 6); /* asked at least three times */
    for (uint32_t i = 2; i < f->seen_count; i++)
        assert_int_equal(f->seen_ids[i], f->seen_ids[i % 2]);
    assert_int_not_equal(f->seen_ids[0], f->seen_ids[1]);
}

static void
test_job(void **state)
{
    struct fixture *f = *state;
    struct deed_actor nobody = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            commands_job(f->commands, &nobody, &raises, text("xy"), on_done, f, f->next++), OK);
    uint64_t look = f->next++;
    assert_int_equal(commands_job(f->commands, &nobody, &looks, text(""), on_done, f, look), OK);
    assert_int_equal(f->answers[look].times, 0);
    settle(f);
    assert_int_equal(counter(f, 'x'), 3);
    assert_int_equal(f->answers[look].times, 1);
    assert_int_equal(f->answers[look].code, SEOM__CODE__FINE);
}

/* Every player does its commands one after the other, each asked again until it is answered. What
 * was answered FINE happened once, what was refused did not. */
static uint64_t
run_with_faults(struct fixture *f, uint32_t commands_each, uint64_t *effects)
{
    static const char *const bodies[] = {"a", "ab", "ba", "abc!", "c"};
    uint64_t under[PLAYERS], seq[PLAYERS], fine = 0;
    for (uint32_t p = 0; p < PLAYERS; p++) {
        seq[p] = 1;
        under[p] = UINT64_MAX;
    }
    for (bool busy = true; busy;) {
        busy = false;
        for (uint32_t p = 0; p < PLAYERS; p++) {
            const struct answer *a = under[p] == UINT64_MAX ? NULL : &f->answers[under[p]];
            if (a != NULL && a->times == 0) {
                busy = true;
                continue;
            }
            if (a != NULL && a->code != SEOM__CODE__RETRY_AFTER) {
                fine += a->code == SEOM__CODE__FINE;
                seq[p]++;
            }
            under[p] = UINT64_MAX;
            if (seq[p] <= commands_each) {
                under[p] = ask(
                    f, (struct ask){.player = p, .seq = seq[p], .body = bodies[(seq[p] + p) % 5]});
                busy = true;
            }
        }
        commands_turn(f->commands);
        if (busy && !events_step(&f->desk->schedule))
            desk_run_ms(f->desk, 1);
        if (busy && memory_store_under_way(f->desk->memory) == 0)
            desk_run_ms(f->desk, 1);
    }
    desk_run_ms(f->desk, 1000); /* what comes late has come */
    *effects = 0;
    for (uint32_t p = 0; p < PLAYERS; p++) {
        uint64_t last_seq;
        *effects += deeds_of(f, p, &last_seq);
        assert_int_equal(last_seq, commands_each);
    }
    return fine;
}

static void
test_faults(void **state)
{
    struct fixture *f = *state;
    uint64_t effects;
    desk_faults(f->desk, 100000, 100000, 100000, 50000);
    uint64_t fine = run_with_faults(f, 60, &effects);
    assert_int_equal(fine, PLAYERS * 60 / 5 * 4);
    assert_int_equal(effects, fine);
    const struct commands_stats *stats = commands_stats(f->commands);
    assert_true(stats->unknown_happened > 0 && stats->unknown > stats->unknown_happened);
    assert_true(stats->again > 0 && stats->conflicts > 0 && f->doubts > 0);
    assert_int_equal(counter(f, 'a') + counter(f, 'b') + counter(f, 'c'),
                     fine / 4 + 2 * (fine / 4) + 2 * (fine / 4) + fine / 4);
}

static void
test_mutant_is_seen(void **state)
{
    struct fixture *f = *state;
    uint64_t effects;
    commands_free(&f->commands);
    commands_begin(f, COMMANDS_MUTANT_UNKNOWN_IS_FAILURE);
    desk_faults(f->desk, 200000, 0, 0, 0);
    for (uint32_t seq = 1; seq <= 30; seq++)
        answer(f, (struct ask){.seq = seq, .body = "a"});
    uint64_t last_seq, fine = 0;
    for (uint64_t n = 0; n < f->next; n++)
        fine += f->answers[n].code == SEOM__CODE__FINE;
    effects = deeds_of(f, 0, &last_seq);
    assert_true(effects > fine);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_once),
        CASE(test_refused_is_done),
        CASE(test_gap_and_changed_content),
        CASE(test_older_session),
        CASE(test_one_after_the_other),
        CASE(test_one_of_a_player),
        CASE(test_lost_race),
        CASE(test_what_was_looked_at),
        CASE(test_no_room_for_the_commit),
        CASE(test_does_not_fit),
        CASE(test_unreadable),
        CASE(test_store_away),
        CASE(test_damaged_document),
        CASE(test_crowd_at_one_document),
        CASE(test_ids_stay),
        CASE(test_job),
        CASE(test_faults),
        CASE(test_mutant_is_seen),
    };
    return cmocka_run_group_tests_name("store/commands", tests, NULL, NULL);
}
