/* A relay takes notes of its homes and of other relays, and drops whatever else it is told. */
#define TALK_NODES 3
#include "fabric/mesh.h"
#include "fabric/relay.h"
#include "fabric/requests_fixture.h"
#include "wire/link.h"

enum { HOME, RELAY, OTHER_RELAY };

static const struct node nodes[TALK_NODES] = {
    [HOME] = {.epoch = 11, .role = NODE_HOME, .shard = 1, .index = 1},
    [RELAY] = {.epoch = 12, .role = NODE_RELAY, .shard = 1, .index = 1},
    [OTHER_RELAY] = {.epoch = 13, .role = NODE_RELAY, .shard = 2, .index = 1},
};

struct scene {
    struct talk *talk;
    struct relay relay, other;
    struct notes *home;
};

static void
deliver(void *ctx, struct talk_node *to, uint32_t from, uint8_t *bytes, size_t n)
{
    struct scene *s = ctx;
    struct relay *relay = to->number == RELAY ? &s->relay : &s->other;
    if (to->number == HOME) {
        (void)requests_message(to->requests, from, bytes, n);
    } else {
        relay_message(relay, from, bytes, n);
    }
}

static void
hears_nothing(void *ctx, const struct note *note)
{
    (void)ctx;
    (void)note;
    fail();
}

static int
setup(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->talk = talk_open(5, 1000);
    s->talk->ctx = s;
    s->talk->deliver = deliver;
    struct talk_node *n = s->talk->nodes;
    struct notes_options home = {.self = nodes[HOME], .heard = hears_nothing};
    s->home = notes_alloc(&home, n[HOME].requests, &n[HOME].env);
    relay_open(&s->relay, &nodes[RELAY], n[RELAY].requests, &n[RELAY].env, NOTES_MUTANT_NONE);
    relay_open(&s->other, &nodes[OTHER_RELAY], n[OTHER_RELAY].requests, &n[OTHER_RELAY].env,
               NOTES_MUTANT_NONE);
    notes_peer_up(s->home, RELAY, &nodes[RELAY]);
    relay_peer_up(&s->relay, HOME, &nodes[HOME]);
    relay_peer_up(&s->relay, OTHER_RELAY, &nodes[OTHER_RELAY]);
    relay_peer_up(&s->other, RELAY, &nodes[RELAY]);
    *state = s;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *s = *state;
    notes_free(&s->home);
    relay_close(&s->relay);
    relay_close(&s->other);
    relay_close(&s->other); /* once more does no harm */
    talk_close(s->talk);
    free(s);
    return 0;
}

static enum err
say(struct scene *s)
{
    const struct note line = {
        .kind = NOTE_LINE, .player = 7, .channel = 1, .text = {(const uint8_t *)"hello", 5}};
    return notes_tell(s->home, &line, NULL);
}

static void
notes_go_on_to_other_shards(void **state)
{
    struct scene *s = *state;
    assert_int_equal(say(s), OK);
    talk_run(s->talk, 20);
    assert_int_equal(notes_stats(s->relay.notes)->heard[NOTE_LINE], 1);
    assert_int_equal(notes_stats(s->other.notes)->heard[NOTE_LINE], 1);
    relay_renamed(&s->relay, 99);
    assert_int_equal(say(s), OK);
    talk_run(s->talk, 20);
    assert_int_equal(notes_stats(s->other.notes)->heard[NOTE_LINE], 2);
}

static void
whatever_else_is_dropped_and_counted(void **state)
{
    struct scene *s = *state;
    struct env_links links = s->talk->nodes[HOME].env.links;
    for (uint32_t kind = 0; kind < RELAY_KINDS; kind++) {
        uint8_t bytes[64] = {(uint8_t)kind};
        struct slice piece = {.at = bytes, .bytes = sizeof bytes};
        bool is_request = kind >= REQUESTS_KIND_MIN && kind <= REQUESTS_KIND_MAX;
        assert_int_equal(links.send(links.ctx, RELAY, &piece, 1), OK);
        talk_run(s->talk, 5);
        assert_int_equal(s->relay.refused[kind], is_request ? 0 : 1);
    }
    relay_message(&s->relay, HOME, NULL, 0);
    const struct requests_stats *other = requests_stats(s->talk->nodes[OTHER_RELAY].requests);
    assert_int_equal(other->served + other->refused + other->malformed, 0);
    for (uint32_t kind = 0; kind < RELAY_KINDS; kind++) {
        assert_int_equal(s->other.refused[kind], 0);
    }
}

/* What was asked of a relay that is gone is over at once, and the next one tried: there is none. */
static void
a_relay_that_is_gone_is_passed_over(void **state)
{
    struct scene *s = *state;
    assert_int_equal(say(s), OK);
    talk_run(s->talk, 20);
    s->talk->cut[RELAY][OTHER_RELAY] = true;
    assert_int_equal(say(s), OK);
    talk_run(s->talk, 20);
    relay_peer_down(&s->relay, OTHER_RELAY);
    assert_int_equal(notes_stats(s->relay.notes)->lost, 1);
    assert_int_equal(notes_stats(s->relay.notes)->heard[NOTE_LINE], 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(notes_go_on_to_other_shards, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_else_is_dropped_and_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_relay_that_is_gone_is_passed_over, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
