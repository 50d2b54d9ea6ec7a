#include "base/rand.h"
#include "fabric/mesh_alone.h"
#include "wire/link.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

static void
hello_of(struct alone *a, uint32_t line, const struct node *node, uint16_t world)
{
    uint8_t body[MESH_HELLO_MAX];
    size_t n = mesh_hello_write(&(struct mesh_hello){.world = world, .node = *node}, body);
    alone_frame(a, line, MESH_FRAME_HELLO, body, n);
}

static void
a_hello_is_answered_in_kind(void **state)
{
    (void)state;

    static const struct {
        enum node_role role;
        uint16_t index, shard, world;
        uint64_t epoch;
        uint16_t protocol_min, protocol_max;
        enum mesh_refusal refusal;
    } cases[] = {
        {NODE_HOME, 1, 0, 7, 2000, 1, 1, REFUSE_NONE},
        {NODE_HOME, 1, 0, 7, 2000, 0, 9, REFUSE_NONE},
        {NODE_GATE, 1, 0, 7, 2000, 1, 1, REFUSE_NONE},
        {NODE_RELAY, 1, 0, 7, 2000, 1, 1, REFUSE_NONE},
        {NODE_HOME, 1, 0, 7, 2000, 2, 3, REFUSE_PROTOCOL},
        {NODE_HOME, 1, 0, 7, 2000, 0, 0, REFUSE_PROTOCOL},
        {NODE_HOME, 1, 0, 8, 2000, 1, 1, REFUSE_WORLD},
        {NODE_HOME, 1, 1, 7, 2000, 1, 1, REFUSE_SHARD},
        {NODE_HOME, 5, 0, 7, 2000, 1, 1, REFUSE_IDENTITY},
        {NODE_HOME, 1, 0, 7, 1000, 1, 1, REFUSE_IDENTITY},
    };

    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct alone a;
        alone_open(&a, NODE_HOME);
        uint32_t line = alone_accept(&a);
        assert_int_equal(a.lines[line].said[MESH_FRAME_HELLO], 1);
        struct node node = alone_node(cases[i].role, cases[i].index, cases[i].epoch);
        node.shard = cases[i].shard;
        node.protocol_min = cases[i].protocol_min;
        node.protocol_max = cases[i].protocol_max;
        hello_of(&a, line, &node, cases[i].world);
        bool fine = cases[i].refusal == REFUSE_NONE;
        assert_int_equal(a.lines[line].said[MESH_FRAME_WELCOME], fine);
        assert_int_equal(a.lines[line].said[MESH_FRAME_REFUSE], !fine);
        assert_int_equal(a.lines[line].refusal, cases[i].refusal);
        assert_int_equal(a.ups, 0);
        alone_run(&a, SECOND);
        assert_int_equal(a.lines[line].open, fine); /* last words take half a second at most */
        assert_int_equal(mesh_stats(a.mesh)->refused_hellos, !fine);
        alone_close(&a);
    }
}

static void
gates_have_no_link_with_gates(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_GATE);
    struct node gate = alone_node(NODE_GATE, 1, 2000), relay = alone_node(NODE_RELAY, 1, 2001);
    uint32_t line = alone_accept(&a);
    alone_hello(&a, line, &gate);
    assert_int_equal(a.lines[line].refusal, REFUSE_ROLE);
    line = alone_accept(&a);
    alone_hello(&a, line, &relay);
    assert_int_equal(a.lines[line].refusal, REFUSE_ROLE);
    alone_close(&a);
}

static void
an_older_registration_is_over(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node old = alone_node(NODE_HOME, 1, 2000), new = alone_node(NODE_HOME, 1, 2001);
    uint32_t first = alone_link(&a, &old);
    assert_int_equal(a.ups, 1);
    uint32_t second = alone_link(&a, &new);
    assert_int_equal(a.ups, 2);
    assert_int_equal(a.downs, 1);
    assert_false(a.lines[first].open && second != first);
    assert_true(mesh_is_dead(a.mesh, 2000));
    uint32_t third = alone_accept(&a);
    alone_hello(&a, third, &old);
    assert_int_equal(a.lines[third].refusal, REFUSE_DEAD);
    alone_close(&a);
}

/* Somebody who does nothing but beat. */
static void
beat_for(struct alone *a, uint32_t line, uint32_t seconds)
{
    uint8_t body[MESH_HELLO_MAX];
    for (uint32_t n = 0; n < seconds && a->lines[line].open; n++) {
        struct mesh_beat beat = {.sent_us = a->now_us};
        alone_frame(a, line, MESH_FRAME_BEAT, body, mesh_beat_write(&beat, body));
        alone_run(a, SECOND);
    }
}

/* The book is old: whoever lives at that address is linked with us under its new epoch, and a probe
 * would tell it that the link broke. */
static void
the_replaced_are_not_probed(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node old = alone_node(NODE_HOME, 1, 2000), new = alone_node(NODE_HOME, 1, 2001);
    alone_list(&a, &old);
    alone_link(&a, &old);
    uint32_t line = alone_link(&a, &new), dials = a.dials;
    assert_true(mesh_is_dead(a.mesh, 2000));
    beat_for(&a, line, 20);
    assert_true(a.lines[line].open);
    assert_int_equal(a.dials, dials);
    alone_break(&a, line, false);
    alone_run(&a, 20 * SECOND);
    assert_true(a.dials > dials);
    alone_close(&a);
}

/* Whom a gate alone has buried, it learns of again though nobody's book changed. */
static void
the_book_is_told_now_and_then(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node gate = alone_node(NODE_GATE, 1, 2000);
    uint32_t line = alone_link(&a, &gate);
    beat_for(&a, line, 2);
    uint32_t told = a.lines[line].said[MESH_FRAME_BOOK];
    beat_for(&a, line, 20);
    assert_in_range(a.lines[line].said[MESH_FRAME_BOOK] - told, 3, 5);
    alone_close(&a);
}

/* However many died since: while it stands in the book it is known to be dead. */
static void
the_dead_of_the_book_stay_dead(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node dead = alone_node(NODE_HOME, 9, 2000), next = alone_node(NODE_HOME, 9, 2001);
    alone_list(&a, &dead);
    alone_run(&a, 1000);
    uint32_t line = alone_link(&a, &next);
    assert_true(mesh_is_dead(a.mesh, 2000));
    alone_frame(&a, line, MESH_FRAME_BYE, NULL, 0);
    for (uint64_t epoch = 3000; epoch < 3000 + 1100; epoch++) {
        struct node other = alone_node(NODE_HOME, 1, epoch);
        alone_link(&a, &other);
        alone_run(&a, 10000);
    }
    assert_false(mesh_is_dead(a.mesh, 3000)); /* forgotten */
    line = alone_accept(&a);
    alone_hello(&a, line, &dead);
    alone_frame(&a, line, MESH_FRAME_WELCOME, NULL, 0);
    assert_int_equal(a.lines[line].said[MESH_FRAME_WELCOME], 0);
    assert_true(mesh_is_dead(a.mesh, 2000));
    alone_close(&a);
}

static void
the_newer_line_of_a_node_wins(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node gate = alone_node(NODE_GATE, 1, 2000);
    uint32_t first = alone_link(&a, &gate), second = alone_link(&a, &gate);
    assert_false(a.lines[first].open);
    assert_true(a.lines[second].open);
    assert_int_equal(a.ups, 2);
    assert_int_equal(a.downs, 1);
    assert_int_equal(mesh_stats(a.mesh)->peers, 1);
    alone_close(&a);
}

static void
nobody_speaks_before_the_greeting(void **state)
{
    (void)state;
    static const uint8_t message[] = {LINK_SUBSCRIBE, 1, 2};
    for (uint32_t i = 0; i < 4; i++) {
        static struct alone a;
        alone_open(&a, NODE_HOME);
        struct node node = alone_node(NODE_HOME, 1, 2000);
        uint32_t line = alone_accept(&a);
        switch (i) {
        case 0: alone_frame(&a, line, MESH_FRAME_CONTROL, message, sizeof message); break;
        case 1: alone_frame(&a, line, MESH_FRAME_WELCOME, NULL, 0); break;
        case 2:
            alone_hello(&a, line, &node);
            alone_frame(&a, line, MESH_FRAME_CONTROL, message, sizeof message);
            break;
        default:
            alone_hello(&a, line, &node);
            alone_hello(&a, line, &node);
            break;
        }
        assert_false(a.lines[line].open);
        assert_int_equal(mesh_stats(a.mesh)->malformed, 1);
        assert_int_equal(a.messages + a.ups, 0);
        alone_close(&a);
    }
}

static void
frames_come_in_any_pieces(void **state)
{
    (void)state;
    static struct alone a;
    static uint8_t stream[200000];
    struct node node = alone_node(NODE_GATE, 1, 2000);
    struct rand rand;
    rand_seed(&rand, 3);
    alone_open(&a, NODE_HOME);
    uint32_t line = alone_link(&a, &node);
    struct writer w = writer_over(stream, sizeof stream);
    uint32_t sent = 0;
    for (size_t n = 1; writer_left(&w) > n + 5; n = n * 3 / 2 + 1) {
        n = n > MESH_MESSAGE_MAX ? 1 : n;
        write_u32(&w, (uint32_t)n + 1);
        write_u8(&w, MESH_FRAME_DATA);
        memset(w.at, LINK_BATCH, n);
        w.at += n;
        sent++;
    }
    for (uint8_t *at = stream; at < w.at;) {
        size_t part = 1 + rand_below(&rand, rand_below(&rand, 2) == 0 ? 10 : 30000);
        part = part < (size_t)(w.at - at) ? part : (size_t)(w.at - at);
        alone_bytes(&a, line, at, part);
        at += part;
    }
    assert_true(sent > 20);
    assert_int_equal(a.messages, sent);
    assert_int_equal(mesh_stats(a.mesh)->malformed, 0);
    alone_close(&a);
}

static void
impossible_lengths_close_the_link(void **state)
{
    (void)state;
    static const uint8_t heads[][5] = {{0, 0, 0, 0, 11}, {2, 0, 1, 0, 11}, {255, 255, 255, 255, 11},
                                       {1, 0, 0, 0, 11}, /* an empty message */
                                       {1, 0, 0, 0, 3},  /* no refusal in the middle */
                                       {2, 0, 0, 0, 7},  /* a question about nobody */
                                       {3, 0, 0, 0, 6}}; /* homes take no book */
    for (uint32_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        static struct alone a;
        alone_open(&a, NODE_HOME);
        struct node node = alone_node(NODE_GATE, 1, 2000);
        uint32_t line = alone_link(&a, &node);
        alone_bytes(&a, line, heads[i], 5);
        if (a.lines[line].open) {
            alone_bytes(&a, line, (const uint8_t *)"\0\0\0", 3);
        }
        assert_false(a.lines[line].open);
        assert_int_equal(mesh_stats(a.mesh)->malformed, 1);
        assert_int_equal(a.downs, 1);
        alone_close(&a);
    }
}

/* Who says nothing goes after 5 s; who comes when too many say nothing is told that we live, which
 * is what a dial may want to know, and sent away. */
static void
silent_strangers_are_bounded(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    uint32_t refused = 0;
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t line = alone_accept(&a);
        assert_int_equal(a.lines[line].said[MESH_FRAME_HELLO], 1);
        refused += a.lines[line].refusal == REFUSE_BUSY;
    }
    assert_int_equal(refused, 200 - 128);
    assert_int_equal(mesh_stats(a.mesh)->dropped_hellos, refused);
    alone_run(&a, 4900000);
    assert_int_equal(a.closes, refused);
    alone_run(&a, 200000);
    assert_int_equal(a.closes, 200);
    struct node node = alone_node(NODE_GATE, 1, 2000);
    alone_link(&a, &node);
    assert_int_equal(a.ups, 1);
    alone_close(&a);
}

static void
handshakes_are_paced(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    uint32_t welcome = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t line = alone_accept(&a);
        welcome += a.lines[line].refusal != REFUSE_BUSY;
        alone_break(&a, line, false);
    }
    assert_int_equal(welcome, 256);
    alone_run(&a, SECOND);
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t line = alone_accept(&a);
        welcome += a.lines[line].refusal != REFUSE_BUSY;
        alone_break(&a, line, false);
    }
    assert_int_equal(welcome, 256 + 200);
    alone_close(&a);
}

/* A node that is in the book is dialled again and again, with pauses that grow and differ. */
static void
dials_are_paced(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node node = alone_node(NODE_HOME, 9, 2000);
    alone_list(&a, &node);
    uint32_t dials_first = 0;
    for (uint32_t ms = 0; ms < 60000; ms++) {
        alone_run(&a, 1000);
        for (uint32_t n = 0; n < 4; n++) {
            if (a.lines[n].open) {
                alone_dialled(&a, n);
                alone_break(&a, n, false); /* in between: no proof of anything */
            }
        }
        dials_first = ms == 999 ? a.dials : dials_first;
    }
    assert_in_range(dials_first, 2, 6);
    assert_in_range(a.dials, 15, 60);
    assert_int_equal(a.died, 0);
    alone_close(&a);
}

/* Perhaps it is about to listen: it stands in the book, so it is dialled again. */
static void
who_was_never_met_is_not_buried(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node node = alone_node(NODE_HOME, 9, 2000);
    alone_list(&a, &node);
    alone_run(&a, 1000);
    assert_string_equal(a.lines[0].address, "there:9");
    uint32_t dials = a.dials;
    alone_break(&a, 0, true);
    alone_run(&a, 5 * SECOND);
    assert_int_equal(a.died, 0);
    assert_false(mesh_is_dead(a.mesh, 2000));
    assert_true(a.dials > dials);
    alone_close(&a);
}

/* The line of a dial that the mesh has under way. */
static uint32_t
dial_of(const struct alone *a)
{
    for (uint32_t n = 0; n < ALONE_LINES; n++) {
        if (a->lines[n].open && a->lines[n].dialled && !a->lines[n].told) {
            return n;
        }
    }
    return LINES_MAX;
}

/* A home in the book whose link is up, made by the mesh, and two friends. Returns its line. */
static uint32_t
open_with_friends(struct alone *a, const struct node *accused, uint32_t friends[2])
{
    alone_open(a, NODE_HOME);
    for (uint16_t i = 0; i < 2; i++) {
        struct node friend = alone_node(NODE_HOME, i, 3000 + i);
        friends[i] = alone_link(a, &friend);
    }
    alone_list(a, accused);
    alone_run(a, 1000);
    uint32_t line = dial_of(a);
    alone_dialled(a, line);
    alone_hello(a, line, accused);
    alone_frame(a, line, MESH_FRAME_WELCOME, NULL, 0);
    assert_int_equal(a->ups, 3);
    return line;
}

static void
answer(struct alone *a, uint32_t friend, uint64_t epoch, enum mesh_sight sight)
{
    uint8_t body[MESH_HELLO_MAX];
    size_t n = mesh_seen_write(&(struct mesh_seen){.epoch = epoch, .sight = sight}, body);
    assert_int_equal(a->lines[friend].said[MESH_FRAME_ASK], 1);
    alone_frame(a, friend, MESH_FRAME_SEEN, body, n);
}

/* Its line broke and nobody listens there, as far as we can tell. */
static void
one_who_sees_it_acquits(void **state)
{
    (void)state;

    static const struct {
        enum mesh_sight sights[2];
        bool refused, dead;
    } cases[] = {
        {{SIGHT_NO, SIGHT_NO}, true, true},
        {{SIGHT_NO, SIGHT_YES}, true, false},
        {{SIGHT_YES, SIGHT_NO}, true, false},
        {{SIGHT_NOT_MET, SIGHT_NOT_MET}, true, true}, /* what we know ourselves is enough */
        {{SIGHT_NO, SIGHT_NO}, false, true},
        {{SIGHT_NO, SIGHT_NOT_MET}, false, true},
        {{SIGHT_NOT_MET, SIGHT_NOT_MET}, false, false},
        {{SIGHT_NO, SIGHT_YES}, false, false},
    };

    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct alone a;
        uint32_t friends[2];
        struct node accused = alone_node(NODE_HOME, 9, 2000);
        uint32_t line = open_with_friends(&a, &accused, friends);
        alone_break(&a, line, false);
        alone_run(&a, 1000);
        line = dial_of(&a);
        assert_int_not_equal(line, LINES_MAX);
        if (cases[i].refused) {
            alone_break(&a, line, true);
        } else {
            alone_dialled(&a, line);
            alone_run(&a, SECOND / 2 + 1000); /* it accepts and says nothing */
        }
        alone_run(&a, 1000);
        assert_int_equal(a.died, 0);
        answer(&a, friends[0], 2000, cases[i].sights[0]);
        answer(&a, friends[1], 2000, cases[i].sights[1]);
        alone_run(&a, 1000);
        assert_int_equal(a.died, cases[i].dead);
        assert_int_equal(a.lines[friends[0]].said[MESH_FRAME_DEAD], cases[i].dead);
        alone_close(&a);
    }
}

static void
a_dial_that_breaks_in_between_accuses_nobody(void **state)
{
    (void)state;
    static struct alone a;
    uint32_t friends[2];
    struct node home = alone_node(NODE_HOME, 9, 2000);
    uint32_t line = open_with_friends(&a, &home, friends);
    alone_break(&a, line, false);
    alone_run(&a, 1000);
    line = dial_of(&a);
    alone_dialled(&a, line);
    alone_break(&a, line, false);
    alone_run(&a, 1000);
    assert_int_equal(mesh_stats(a.mesh)->suspicions, 0);
    alone_close(&a);
}

/* Whoever was stopped hears nobody while he was, which says nothing of the others. */
static void
own_sleep_is_nobodys_silence(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node gate = alone_node(NODE_GATE, 1, 2000);
    alone_link(&a, &gate);
    alone_run(&a, SECOND);
    a.now_us += 60 * SECOND;
    alone_run(&a, 1000);
    assert_int_equal(a.downs, 0);
    alone_run(&a, 4 * SECOND);
    assert_int_equal(a.downs, 1);
    alone_close(&a);
}

/* One word about somebody to whom we have a link that beats is not believed. */
static void
an_obituary_of_the_living_is_disputed(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_HOME);
    struct node liar = alone_node(NODE_HOME, 1, 2000), victim = alone_node(NODE_HOME, 2, 2001);
    uint32_t from = alone_link(&a, &liar), about = alone_link(&a, &victim);
    uint8_t body[MESH_HELLO_MAX];
    size_t n = mesh_epoch_write(2001, body);
    alone_frame(&a, from, MESH_FRAME_DEAD, body, n);
    alone_run(&a, 100000);
    assert_true(a.lines[about].said[MESH_FRAME_BEAT] > 0); /* it is asked */
    struct mesh_beat beat = {.sent_us = a.now_us, .world_ms = 1};
    n = mesh_beat_write(&beat, body);
    alone_frame(&a, about, MESH_FRAME_ANSWER, body, n);
    alone_run(&a, SECOND);
    assert_int_equal(a.downs, 0);
    assert_int_equal(mesh_stats(a.mesh)->disputed, 1);
    /* And one who does not answer is dead. */
    n = mesh_epoch_write(2001, body);
    alone_frame(&a, from, MESH_FRAME_DEAD, body, n);
    alone_run(&a, SECOND);
    assert_int_equal(a.downs, 1);
    assert_true(mesh_is_dead(a.mesh, 2001));
    /* About ourselves nobody is believed. */
    n = mesh_epoch_write(1000, body);
    alone_frame(&a, from, MESH_FRAME_DEAD, body, n);
    alone_run(&a, SECOND);
    assert_int_equal(a.dead_selfs, 0);
    alone_close(&a);
}

/* More refuse than are linked: we are dead. One of many: he is wrong. */
static void
a_refusal_is_believed_by_numbers(void **state)
{
    (void)state;
    for (uint32_t friends = 0; friends < 3; friends++) {
        static struct alone a;
        alone_open(&a, NODE_HOME);
        for (uint16_t i = 0; i < friends; i++) {
            struct node node = alone_node(NODE_GATE, i, 2000 + i);
            alone_link(&a, &node);
        }
        struct node judge = alone_node(NODE_HOME, 1, 3000);
        uint8_t why = REFUSE_DEAD;
        uint32_t line = alone_accept(&a);
        alone_hello(&a, line, &judge);
        alone_frame(&a, line, MESH_FRAME_REFUSE, &why, 1);
        alone_run(&a, 1000);
        assert_int_equal(a.dead_selfs, friends <= 1);
        assert_int_equal(a.downs, friends <= 1 ? friends : 0);
        alone_close(&a);
    }
}

/* Writes a book into which home 1 came again and again under epochs that home 2 had before, each
 * time leaving home 2 without one. */
static size_t
book_of_thieves(uint8_t *body, size_t size)
{
    struct writer w = writer_over(body, size);
    struct node one = alone_node(NODE_HOME, 1, 3000), two = alone_node(NODE_HOME, 2, 3001);
    uint16_t count = 2;
    write_u16(&w, 0);
    mesh_node_write(&w, &one);
    mesh_node_write(&w, &two);
    for (uint32_t i = 0; i < BOOK_NODES_MAX + 10; i++) {
        one.epoch = two.epoch;
        mesh_node_write(&w, &one);
        one.epoch++;
        mesh_node_write(&w, &one);
        two.epoch = one.epoch + 1;
        mesh_node_write(&w, &two);
        count += 3;
    }
    assert_true(writer_ok(&w));
    struct writer head = writer_over(body, 2);
    write_u16(&head, count);
    return writer_used(&w);
}

static void
a_book_names_each_node_once(void **state)
{
    (void)state;
    static uint8_t body[MESH_BODY_MAX];
    static struct alone a;
    alone_open(&a, NODE_GATE);
    struct node home = alone_node(NODE_HOME, 1, 2000);
    uint32_t line = alone_link(&a, &home);
    alone_frame(&a, line, MESH_FRAME_BOOK, body, book_of_thieves(body, sizeof body));
    assert_false(a.lines[line].open);
    assert_int_equal(mesh_stats(a.mesh)->malformed, 1);
    alone_close(&a);
}

/* What one home says does not make a liar of the next one. */
static void
two_books_that_differ(void **state)
{
    (void)state;
    static struct alone a;
    alone_open(&a, NODE_GATE);
    for (uint16_t i = 1; i <= 2; i++) {
        struct node home = alone_node(NODE_HOME, i, 2000 + i),
                    told = alone_node(NODE_HOME, i + 2, 3000);
        uint8_t body[MESH_HELLO_MAX];
        struct writer w = writer_over(body, sizeof body);
        uint32_t line = alone_link(&a, &home);
        write_u16(&w, 1);
        mesh_node_write(&w, &told);
        alone_frame(&a, line, MESH_FRAME_BOOK, body, writer_used(&w));
        assert_true(a.lines[line].open);
    }
    const struct node *known = book_find(mesh_book(a.mesh), 3000);
    assert_true(known != NULL && known->index == 3);
    assert_int_equal(mesh_book(a.mesh)->count, 1);
    alone_close(&a);
}

static void
the_lane_follows_from_the_kind(void **state)
{
    (void)state;
    uint8_t head[LINK_HEAD_MAX];
    struct link_message input = {.kind = LINK_INPUT}, self = {.kind = LINK_SELF};

    static const enum mesh_lane inputs[] = {
        [INPUT_MOVE] = MESH_LANE_DATA,    [INPUT_SAY] = MESH_LANE_DATA,
        [INPUT_LOOK] = MESH_LANE_DATA,    [INPUT_COMMAND] = MESH_LANE_CONTROL,
        [INPUT_GONE] = MESH_LANE_CONTROL, [INPUT_LEFT] = MESH_LANE_CONTROL,
        [INPUT_SHOW] = MESH_LANE_DATA};

    static const enum mesh_lane selves[] = {
        [SELF_MOTION] = MESH_LANE_DATA,    [SELF_ANSWER] = MESH_LANE_DATA,
        [SELF_RESULT] = MESH_LANE_CONTROL, [SELF_END] = MESH_LANE_CONTROL,
        [SELF_SHOWN] = MESH_LANE_DATA,     [SELF_CHANGED] = MESH_LANE_CONTROL,
        [SELF_LOBBY] = MESH_LANE_CONTROL};

    for (uint32_t kind = 1; kind <= 7; kind++) {
        input.as.input.kind = (enum input_kind)kind;
        self.as.self.kind = (enum self_kind)kind;
        size_t n = link_head(&input, head);
        assert_int_equal(mesh_lane((struct slice){head, n}), inputs[kind]);
        n = link_head(&self, head);
        assert_int_equal(mesh_lane((struct slice){head, n}), selves[kind]);
    }
    static const uint8_t others[] = {LINK_ENTER, LINK_GO, LINK_HOME, LINK_SUBSCRIBE,
                                     LINK_SUBSCRIBED};
    for (uint32_t i = 0; i < sizeof others; i++) {
        assert_int_equal(mesh_lane((struct slice){&others[i], 1}), MESH_LANE_CONTROL);
    }
    assert_int_equal(mesh_lane((struct slice){(const uint8_t[]){LINK_BATCH}, 1}), MESH_LANE_DATA);
    assert_int_equal(mesh_lane((struct slice){(const uint8_t[]){64}, 1}), MESH_LANE_REQUEST);
}

/* Messages that came together are announced in steps before the first of them is told; one that
 * came alone, or in pieces, need not be. */
static void
what_comes_together_is_announced(void **state)
{
    (void)state;
    static struct alone a;
    uint8_t stream[1024];
    struct writer w = writer_over(stream, sizeof stream);
    struct node node = alone_node(NODE_GATE, 1, 2000);

    enum { COUNT = 24 };

    alone_open(&a, NODE_HOME);
    uint32_t line = alone_link(&a, &node);
    for (uint8_t i = 0; i < COUNT; i++) {
        write_u32(&w, 3);
        write_u8(&w, i % 2 == 0 ? MESH_FRAME_DATA : MESH_FRAME_CONTROL);
        write_u8(&w, LINK_SUBSCRIBED);
        write_u8(&w, i);
    }
    alone_bytes(&a, line, stream, writer_used(&w));
    assert_int_equal(a.messages, COUNT);
    for (uint32_t step = 0; step < MESH_AHEAD_STEPS; step++) {
        assert_int_equal(a.announced[step], COUNT);
    }
    alone_bytes(&a, line, stream, 7);
    assert_int_equal(a.messages, COUNT + 1);
    assert_int_equal(a.announced[0], COUNT);
    for (uint32_t i = 0; i < 7; i++) {
        alone_bytes(&a, line, stream + i, 1);
    }
    assert_int_equal(a.messages, COUNT + 2);
    assert_int_equal(a.announced[0], COUNT);
    alone_close(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_is_answered_in_kind),
        cmocka_unit_test(gates_have_no_link_with_gates),
        cmocka_unit_test(an_older_registration_is_over),
        cmocka_unit_test(the_replaced_are_not_probed),
        cmocka_unit_test(the_book_is_told_now_and_then),
        cmocka_unit_test(the_dead_of_the_book_stay_dead),
        cmocka_unit_test(the_newer_line_of_a_node_wins),
        cmocka_unit_test(nobody_speaks_before_the_greeting),
        cmocka_unit_test(frames_come_in_any_pieces),
        cmocka_unit_test(what_comes_together_is_announced),
        cmocka_unit_test(impossible_lengths_close_the_link),
        cmocka_unit_test(silent_strangers_are_bounded),
        cmocka_unit_test(handshakes_are_paced),
        cmocka_unit_test(dials_are_paced),
        cmocka_unit_test(who_was_never_met_is_not_buried),
        cmocka_unit_test(one_who_sees_it_acquits),
        cmocka_unit_test(a_dial_that_breaks_in_between_accuses_nobody),
        cmocka_unit_test(own_sleep_is_nobodys_silence),
        cmocka_unit_test(an_obituary_of_the_living_is_disputed),
        cmocka_unit_test(a_refusal_is_believed_by_numbers),
        cmocka_unit_test(a_book_names_each_node_once),
        cmocka_unit_test(two_books_that_differ),
        cmocka_unit_test(the_lane_follows_from_the_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
