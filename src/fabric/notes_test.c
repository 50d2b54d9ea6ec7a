/* Notes between three shards: 1 and 2 with two homes and two relays, 3 with one of each. */
#define TALK_NODES 10
#include "fabric/mesh.h"
#include "fabric/notes.h"
#include "fabric/requests_fixture.h"

#define TEXT(of) ((struct slice){.at = (const uint8_t *)(of), .bytes = sizeof(of) - 1})

struct member {
    struct node node;
    struct notes *notes;
    uint32_t heard[NOTE_KINDS];
    uint64_t last_id;
    char last[NOTE_TEXT_MAX + 1];
};

struct sea {
    struct talk *talk;
    struct member members[TALK_NODES];
};

enum {
    HOME_1A,
    HOME_1B,
    RELAY_1A,
    RELAY_1B,
    HOME_2A,
    HOME_2B,
    RELAY_2A,
    RELAY_2B,
    HOME_3,
    RELAY_3
};

static void
heard(void *ctx, const struct note *note)
{
    struct member *m = ctx;
    m->heard[note->kind]++;
    assert_int_not_equal(note->id, m->last_id);
    m->last_id = note->id;
    memcpy(m->last, note->text.at, note->text.bytes);
    m->last[note->text.bytes] = '\0';
}

static struct sea *
sea_open(void)
{
    struct sea *sea = calloc(1, sizeof *sea);
    assert_non_null(sea);
    sea->talk = talk_open(11, 2000);
    for (uint32_t i = 0; i < TALK_NODES; i++) {
        struct member *m = &sea->members[i];
        enum node_role role = i == RELAY_3 || i % 4 >= 2 ? NODE_RELAY : NODE_HOME;
        role = i == HOME_3 ? NODE_HOME : role;
        m->node = (struct node){.epoch = 100 + i,
                                .role = role,
                                .shard = (uint16_t)(i / 4 + 1),
                                .index = (uint16_t)(i % 2 + 1)};
        struct notes_options options = {.self = m->node, .heard = heard, .ctx = m};
        m->notes = notes_alloc(&options, sea->talk->nodes[i].requests, &sea->talk->nodes[i].env);
    }
    for (uint32_t a = 0; a < TALK_NODES; a++) {
        for (uint32_t b = 0; b < TALK_NODES; b++) {
            if (a != b && mesh_nodes_link(&sea->members[a].node, &sea->members[b].node)) {
                notes_peer_up(sea->members[a].notes, b, &sea->members[b].node);
            }
        }
    }
    return sea;
}

static void
sea_close(struct sea **sea)
{
    for (uint32_t i = 0; i < TALK_NODES; i++) {
        notes_free(&(*sea)->members[i].notes);
    }
    talk_close((*sea)->talk);
    free(*sea);
}

static uint32_t
heard_in(const struct sea *sea, uint16_t shard, enum note_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < TALK_NODES; i++) {
        count += sea->members[i].node.shard == shard ? sea->members[i].heard[kind] : 0;
    }
    return count;
}

static const struct note line = {.kind = NOTE_LINE, .player = 77, .channel = 1};

static enum err
say(struct sea *sea, uint32_t home, uint64_t player, struct slice text)
{
    struct note note = line;
    note.player = player;
    note.name = TEXT("Hana");
    note.text = text;
    return notes_tell(sea->members[home].notes, &note, NULL);
}

static void
cut_off(struct sea *sea, uint32_t node)
{
    for (uint32_t i = 0; i < TALK_NODES; i++) {
        sea->talk->cut[node][i] = sea->talk->cut[i][node] = true;
    }
}

/* A line goes to one home of each other shard, whoever says it. */
static void
carries_a_line_everywhere_once(void **state)
{
    (void)state;
    struct sea *sea = sea_open();
    for (uint64_t player = 1; player <= 20; player++) {
        assert_int_equal(say(sea, HOME_1B, player, TEXT("annyeong")), OK);
        talk_run(sea->talk, 30);
        assert_int_equal(heard_in(sea, 1, NOTE_LINE), 0);
        assert_int_equal(heard_in(sea, 2, NOTE_LINE), player);
        assert_int_equal(heard_in(sea, 3, NOTE_LINE), player);
    }
    assert_string_equal(sea->members[HOME_3].last, "annyeong");
    /* Players spread over relays and homes. */
    assert_true(notes_stats(sea->members[RELAY_1A].notes)->heard[NOTE_LINE] > 0);
    assert_true(notes_stats(sea->members[RELAY_1B].notes)->heard[NOTE_LINE] > 0);
    assert_true(sea->members[HOME_2A].heard[NOTE_LINE] > 0);
    assert_true(sea->members[HOME_2B].heard[NOTE_LINE] > 0);
    sea_close(&sea);
}

static void
carries_mail_to_all_homes_and_gates_to_others(void **state)
{
    (void)state;
    struct sea *sea = sea_open();
    struct note mail = {.kind = NOTE_MAIL, .player = 5};
    assert_int_equal(notes_tell(sea->members[HOME_1A].notes, &mail, NULL), OK);
    struct note gates = {.kind = NOTE_GATES, .text = TEXT("127.0.0.1:1\n127.0.0.1:2")};
    assert_int_equal(notes_tell(sea->members[HOME_1A].notes, &gates, NULL), OK);
    talk_run(sea->talk, 30);
    assert_int_equal(sea->members[HOME_1A].heard[NOTE_MAIL], 0);
    assert_int_equal(sea->members[HOME_1B].heard[NOTE_MAIL], 1);
    assert_int_equal(heard_in(sea, 1, NOTE_GATES), 0);
    assert_int_equal(heard_in(sea, 2, NOTE_MAIL), 2);
    assert_int_equal(heard_in(sea, 2, NOTE_GATES), 2);
    assert_int_equal(heard_in(sea, 3, NOTE_MAIL), 1);
    assert_string_equal(sea->members[HOME_3].last, "127.0.0.1:1\n127.0.0.1:2");
    sea_close(&sea);
}

/* Any one relay and any one home may be silent: the line comes all the same, and once. */
static void
goes_by_another_when_one_is_silent(void **state)
{
    (void)state;
    static const uint32_t silent[] = {RELAY_1A, RELAY_1B, RELAY_2A, RELAY_2B, HOME_2A, HOME_2B};
    for (uint32_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        struct sea *sea = sea_open();
        cut_off(sea, silent[i]);
        for (uint64_t player = 1; player <= 8; player++) {
            assert_int_equal(say(sea, HOME_1A, player, TEXT("hello")), OK);
        }
        talk_run(sea->talk, 4000);
        assert_int_equal(heard_in(sea, 2, NOTE_LINE), 8);
        assert_int_equal(heard_in(sea, 3, NOTE_LINE), 8);
        sea_close(&sea);
    }
}

/* An answer that is lost makes two ways of one; the id makes them one again. */
static void
takes_what_came_twice_once(void **state)
{
    (void)state;
    struct sea *sea = sea_open();
    sea->talk->cut[RELAY_1A][HOME_1A] = sea->talk->cut[RELAY_1B][HOME_1A] = true;
    for (uint64_t player = 1; player <= 8; player++) {
        assert_int_equal(say(sea, HOME_1A, player, TEXT("hello")), OK);
    }
    talk_run(sea->talk, 4000);
    assert_int_equal(heard_in(sea, 3, NOTE_LINE), 8);
    assert_true(notes_stats(sea->members[RELAY_3].notes)->again > 0);
    assert_int_equal(notes_stats(sea->members[HOME_1A].notes)->lost, 8); /* as far as it knows */
    sea_close(&sea);
}

static void
limits_what_a_peer_may_tell(void **state)
{
    (void)state;
    struct sea *sea = sea_open();
    for (uint32_t i = 0; i < 3 * NOTES_BURST; i++) {
        (void)!say(sea, HOME_3, 9, TEXT("spam"));
    }
    talk_run(sea->talk, 200);
    const struct notes_stats *relay = notes_stats(sea->members[RELAY_3].notes);
    assert_in_range(relay->heard[NOTE_LINE], NOTES_BURST, NOTES_BURST + NOTES_PER_S);
    assert_true(relay->limited > 0);
    assert_in_range(heard_in(sea, 1, NOTE_LINE), NOTES_BURST, NOTES_BURST + NOTES_PER_S);
    talk_run(sea->talk, 5000);
    assert_int_equal(say(sea, HOME_3, 9, TEXT("again")), OK);
    talk_run(sea->talk, 30);
    assert_string_equal(sea->members[HOME_1A].last[0] != 0 ? sea->members[HOME_1A].last
                                                           : sea->members[HOME_1B].last,
                        "again");
    sea_close(&sea);
}

static void
tells_when_nobody_is_there(void **state)
{
    (void)state;
    struct sea *sea = sea_open();
    notes_peer_down(sea->members[HOME_3].notes, RELAY_3);
    assert_int_equal(say(sea, HOME_3, 9, TEXT("hello")), ERR_UNAVAILABLE);
    notes_peer_up(sea->members[HOME_3].notes, RELAY_3, &sea->members[RELAY_3].node);
    assert_int_equal(say(sea, HOME_3, 9, TEXT("hello")), OK);
    talk_run(sea->talk, 30);
    assert_int_equal(heard_in(sea, 1, NOTE_LINE), 1);
    sea_close(&sea);
}

static enum request_end ended;

static void
kept_end(void *ctx, uint64_t n, enum request_end end, bool part, struct slice body)
{
    (void)ctx;
    (void)n;
    (void)part;
    (void)body;
    ended = end;
}

/* What `from` asks of `to` in the name of `shard`. */
static enum request_end
forge(struct sea *sea, uint32_t from, uint32_t to, uint16_t shard)
{
    uint8_t bytes[NOTE_BYTES_MAX];
    struct note note = line;
    note.id = 4711 + from * 100 + to;
    note.shard = shard;
    note.text = TEXT("forged");
    struct slice body = {.at = bytes, .bytes = note_write(&note, bytes)};
    ended = REQUEST_LATE;
    assert_int_equal(requests_ask(sea->talk->nodes[from].requests, to, REQUEST_NOTE, body, 100000,
                                  kept_end, NULL, 0),
                     OK);
    talk_run(sea->talk, 20);
    return ended;
}

static void
refuses_who_may_not_tell(void **state)
{
    (void)state;
    struct sea *sea = sea_open();
    assert_int_equal(forge(sea, HOME_1A, RELAY_1A, 1), REQUEST_DONE);
    assert_int_equal(forge(sea, HOME_1A, RELAY_1B, 2), REQUEST_REJECTED); /* for another shard */
    assert_int_equal(forge(sea, HOME_1A, RELAY_2A, 1), REQUEST_REJECTED); /* no link of theirs */
    assert_int_equal(forge(sea, RELAY_1A, RELAY_1B, 1), REQUEST_REJECTED);
    assert_int_equal(forge(sea, RELAY_1A, RELAY_3, 2), REQUEST_REJECTED);
    assert_int_equal(forge(sea, HOME_1A, HOME_1B, 1), REQUEST_REJECTED);
    assert_int_equal(notes_stats(sea->members[HOME_1B].notes)->refused, 1);
    sea_close(&sea);
}

static void
reads_what_it_writes_and_nothing_else(void **state)
{
    (void)state;
    uint8_t bytes[NOTE_BYTES_MAX + 1] = {0};
    struct note note = line, out;
    note.id = 9;
    note.shard = 3;
    note.name = TEXT("Hana");
    note.text = TEXT("hi");
    size_t n = note_write(&note, bytes);
    assert_int_equal(note_read((struct slice){bytes, n}, &out), OK);
    assert_int_equal(out.kind, NOTE_LINE);
    assert_int_equal(out.shard, 3);
    assert_int_equal(out.player, 77);
    assert_memory_equal(out.text.at, "hi", 2);
    for (size_t cut = 0; cut < n - 1; cut++) {
        if (note_read((struct slice){bytes, cut}, &out) == OK) {
            fail_msg("%zu of %zu bytes are no note", cut, n);
        }
    }
    static const uint8_t wrong_kinds[] = {0, NOTE_MAIL, NOTE_GATES, NOTE_KINDS, 255};
    for (size_t i = 0; i < sizeof wrong_kinds; i++) {
        bytes[0] = wrong_kinds[i]; /* a mail has no text, gates have no player */
        assert_int_equal(note_read((struct slice){bytes, n}, &out), ERR_FORMAT);
    }
    bytes[0] = NOTE_LINE;
    bytes[n - 1] = '\n';
    assert_int_equal(note_read((struct slice){bytes, n}, &out), ERR_FORMAT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_a_line_everywhere_once),
        cmocka_unit_test(carries_mail_to_all_homes_and_gates_to_others),
        cmocka_unit_test(goes_by_another_when_one_is_silent),
        cmocka_unit_test(takes_what_came_twice_once),
        cmocka_unit_test(limits_what_a_peer_may_tell),
        cmocka_unit_test(tells_when_nobody_is_there),
        cmocka_unit_test(refuses_who_may_not_tell),
        cmocka_unit_test(reads_what_it_writes_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
