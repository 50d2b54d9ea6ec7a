/* What concerns other shards: channels of the whole world, the word of mail, and people whose
 * island is not ours. */
#include "world/entering_fixture.h"

#include <stdio.h>

#define SHARDS 4

static struct shards shards;

/* Both homes are of that shard; where the others' gates are is known. */
static void
belong_to(struct cluster *c, uint16_t shard)
{
    shards_init(&shards, shard, SHARDS);
    for (uint16_t other = 1; other <= SHARDS; other++) {
        char address[32];
        int bytes = snprintf(address, sizeof address, "gate of %u", other);
        shards_heard_gates(&shards, other, (struct slice){(const uint8_t *)address, (size_t)bytes});
    }
    for (uint32_t i = 0; i < c->count; i++) {
        c->homes[i].world->options.shards = &shards;
    }
}

static uint16_t
shard_of_scene(void)
{
    static struct shards any;
    shards_init(&any, 1, SHARDS);
    return shards_of_island(&any, SCENE_ISLAND);
}

static void
assert_led(struct answered a, uint16_t shard)
{
    char address[32];
    snprintf(address, sizeof address, "gate of %u", shard);
    assert_true(a.home && !a.go);
    assert_int_equal(a.at.code, SEOM__CODE__RETRY_AFTER);
    assert_int_equal(a.at.player, 0);
    assert_int_equal(a.at.gates.bytes, strlen(address));
    assert_memory_equal(a.at.gates.at, address, a.at.gates.bytes);
}

static void
own_islands_are_as_ever(void **state)
{
    struct cluster *c = *state;
    belong_to(c, shard_of_scene());
    struct link_home who = cluster_enter(c, 0, 5);
    struct answered a = enter(c, 0, cluster_login(&who, 6, ENTER_DECIDED));
    assert_int_equal(a.at.code, SEOM__CODE__FINE);
    assert_int_equal(a.at.gates.bytes, 0);
    assert_int_equal(world_stats(c->homes[0].world)->led, 0);
}

/* However it is asked for: nobody comes to stand at a home of another shard, and the document stays
 * as it is. */
static void
placing_across_is_refused(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 5);
    home_kill(c, 0);
    uint16_t theirs = shard_of_scene();
    belong_to(c, theirs % SHARDS + 1);
    uint64_t epoch = document(c, who.player).session_epoch, conn = 10;
    static const uint8_t flags[] = {0, ENTER_DECIDED, ENTER_RESUME, ENTER_RESUME | ENTER_DECIDED};
    for (uint32_t i = 0; i < sizeof flags; i++, conn++) {
        struct link_enter e = (flags[i] & ENTER_RESUME) != 0
                                  ? going_on(&who, conn, flags[i], who.motion)
                                  : cluster_login(&who, conn, flags[i]);
        assert_led(enter(c, 1, e), theirs);
    }
    /* And somebody new, who wishes to be there or whom there is no other place for. */
    assert_led(enter(c, 1, (struct link_enter){.conn = conn, .island = SCENE_ISLAND}), theirs);
    assert_led(enter(c, 1, (struct link_enter){.conn = conn + 1, .flags = ENTER_DECIDED}), theirs);
    assert_int_equal(homes_of(c, who.player), 0);
    assert_int_equal(world_stats(c->homes[1].world)->players, 0);
    assert_int_equal(document(c, who.player).session_epoch, epoch);
    assert_int_equal(world_stats(c->homes[1].world)->led, sizeof flags + 2);
}

static uint32_t
lines_told(const struct home *h, struct link_said *last)
{
    struct link_message m;
    uint32_t count = 0;
    for (; home_told(h, LINK_SAID, count, &m); count++) {
        *last = m.as.said;
    }
    return count;
}

static void
say(struct cluster *c, const struct link_home *who, uint8_t channel, const char *text)
{
    cluster_input(c, 0, who,
                  (struct link_input){.kind = INPUT_SAY,
                                      .look = channel,
                                      .bytes = {(const uint8_t *)text, strlen(text)}});
}

static void
a_line_reaches_the_gates(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 5);
    struct link_said said = {0};
    say(c, &who, CHANNEL_WORLD, "annyeong");
    assert_int_equal(lines_told(&c->homes[0], &said), 1);
    assert_true(said.player == who.player && said.channel == CHANNEL_WORLD);
    assert_memory_equal(said.text.at, "annyeong", 8);
    say(c, &who, 7, "there is no such channel");
    say(c, &who, CHANNEL_WORLD, "two\nlines");
    say(c, &who, 0, "to those nearby");
    assert_int_equal(lines_told(&c->homes[0], &said), 1);
    /* Four at once, then one a second. */
    for (uint32_t i = 0; i < 20; i++) {
        say(c, &who, CHANNEL_WORLD, "again and again");
    }
    assert_int_equal(lines_told(&c->homes[0], &said), 4);
    cluster_run(c, 1100);
    say(c, &who, CHANNEL_WORLD, "later");
    say(c, &who, CHANNEL_WORLD, "and at once");
    assert_int_equal(lines_told(&c->homes[0], &said), 5);
    assert_memory_equal(said.text.at, "later", 5);
}

static void
notes_are_told_to_gates(void **state)
{
    struct cluster *c = *state;
    struct link_said said = {0};
    struct note note = {.kind = NOTE_LINE,
                        .id = 77,
                        .shard = 2,
                        .player = 9,
                        .channel = CHANNEL_WORLD,
                        .name = {(const uint8_t *)"Hana", 4},
                        .text = {(const uint8_t *)"from afar", 9}};
    world_note(c->homes[0].world, &note);
    assert_int_equal(lines_told(&c->homes[0], &said), 1);
    assert_true(said.id == 77 && said.name_bytes == 4);
    note.channel = 0;
    world_note(c->homes[0].world, &note);
    assert_int_equal(lines_told(&c->homes[0], &said), 1);
}

static void
deaf_to_hints(struct cluster *c)
{
    memory_store_set_knobs(c->store, &(struct memory_store_knobs){.get_us_max = 500,
                                                                  .commit_us_max = 2000,
                                                                  .hint_lost_ppm = 1000000});
}

static uint32_t
inbox_told(const struct home *h, uint64_t player)
{
    struct link_message m;
    uint32_t count = 0;
    for (uint32_t n = 0; home_told(h, LINK_SELF, n, &m); n++) {
        count += m.as.self.player == player && m.as.self.kind == SELF_CHANGED &&
                 m.as.self.look == SEOM__SHOW_KIND__SHOW_INBOX;
    }
    return count;
}

static void
ignore_note(void *ctx, const struct note *note)
{
    (void)ctx;
    (void)note;
}

/* Who writes into the inbox of somebody who is not here tells the others; a note of that makes a
 * home look at once, where no hint of the store came. */
static void
mail_is_told_by_note(void **state)
{
    struct cluster *c = *state;
    struct link_home one = cluster_enter(c, 0, 5), other = cluster_enter(c, 1, 6);
    struct notes_options options = {
        .self = {.epoch = 11, .role = NODE_HOME, .shard = 1, .index = 1}, .heard = ignore_note};
    struct notes *notes = notes_alloc(&options, c->homes[0].requests, &c->homes[0].env);
    c->homes[0].world->options.notes = notes;
    cluster_run(c, 1000);
    deaf_to_hints(c);
    uint8_t body[9] = {'m'};
    struct writer out = writer_over(body + 1, 8);
    write_u64(&out, other.player);
    cluster_input(
        c, 0, &one,
        (struct link_input){.kind = INPUT_COMMAND, .seq = 1, .bytes = {body, sizeof body}});
    cluster_run(c, 500);
    assert_int_equal(notes_stats(notes)->told[NOTE_MAIL], 1);
    assert_int_equal(inbox_told(&c->homes[1], other.player), 0);
    struct note note = {.kind = NOTE_MAIL, .id = 5, .shard = 2, .player = other.player};
    world_note(c->homes[1].world, &note);
    note.player = one.player; /* who is not there */
    world_note(c->homes[1].world, &note);
    cluster_run(c, 500);
    assert_int_equal(inbox_told(&c->homes[1], other.player), 1);
    c->homes[0].world->options.notes = NULL;
    notes_free(&notes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(own_islands_are_as_ever, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(placing_across_is_refused, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(a_line_reaches_the_gates, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(notes_are_told_to_gates, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(mail_is_told_by_note, cluster_open, cluster_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
