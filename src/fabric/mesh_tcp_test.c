/* The mesh over real sockets: three nodes in one process, each with its lines on a port of the
 * kernel's choice, on one loop. Time is a count of turns.
 */
#include "base/rand.h"
#include "fabric/mesh.h"
#include "os/lines.h"
#include "wire/link.h"
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NODES    3
#define TURN_US  1000
#define TURNS    20000 /* at most, for anything */
#define MESSAGES 3000

struct member {
    struct trio *trio;
    struct node self;
    struct env env;
    struct lines *lines;
    struct mesh *mesh;
    uint32_t ups, downs, dead, died, messages;
    uint32_t last[PEERS_MAX];
};

struct trio {
    struct loop *loop;
    int64_t now_us;
    struct rand rand;
    struct book book;
    struct member members[NODES];
};

static int64_t
mono_us(void *ctx)
{
    return ((struct member *)ctx)->trio->now_us;
}

static int64_t
world_ms(void *ctx)
{
    return mono_us(ctx) / 1000;
}

static uint64_t
draw(void *ctx)
{
    return rand_next(&((struct member *)ctx)->trio->rand);
}

static void
on_up(void *ctx, uint32_t peer, const struct node *node)
{
    struct member *m = ctx;
    (void)node;
    m->last[peer] = 0;
    m->ups++;
}

static void
on_down(void *ctx, uint32_t peer, const struct node *node, bool dead)
{
    struct member *m = ctx;
    (void)peer;
    (void)node;
    m->downs++;
    m->dead += dead;
}

static void
on_died(void *ctx, const struct node *node)
{
    (void)node;
    ((struct member *)ctx)->died++;
}

static void
on_message(void *ctx, uint32_t peer, const uint8_t *bytes, size_t n)
{
    struct member *m = ctx;
    struct reader r = reader_over(bytes, n);
    read_u8(&r);
    assert_int_equal(read_u32(&r), ++m->last[peer]);
    m->messages++;
}

static void
nothing(void *ctx)
{
    (void)ctx;
}

static void
member_start(struct trio *t, uint16_t index, uint64_t epoch)
{
    struct member *m = &t->members[index];
    char why[LINES_WHY_MAX];
    *m = (struct member){.trio = t,
                         .self = {.epoch = epoch,
                                  .role = NODE_HOME,
                                  .index = index,
                                  .protocol_min = 1,
                                  .protocol_max = 1}};
    m->env.clock = (struct env_clock){m, mono_us, world_ms, draw};
    struct lines_options of_lines = {.loop = t->loop, .listen = "127.0.0.1:0"};
    assert_int_equal(lines_open(&of_lines, &m->lines, why), OK);
    snprintf(m->self.address, sizeof m->self.address, "%s", lines_address(m->lines));
    snprintf(m->self.name, sizeof m->self.name, "home-%u", index);
    assert_int_equal(book_put(&t->book, &m->self), OK);
    struct mesh_options options = {
        .self = m->self,
        .book = &t->book,
        .events = {m, on_up, on_down, on_died, on_message, nothing, nothing, NULL}};
    struct env_transport port = lines_port(m->lines);
    assert_int_equal(mesh_alloc(&options, &m->env, &port, &m->mesh), OK);
    struct transport_events events = mesh_transport_events(m->mesh);
    lines_start(m->lines, &events);
}

/* What a process that dies leaves to the kernel. */
static void
member_end(struct member *m)
{
    mesh_free(&m->mesh);
    lines_close(&m->lines);
}

static void
turn(struct trio *t)
{
    for (uint32_t i = 0; i < NODES; i++) {
        struct member *m = &t->members[i];
        if (m->mesh != NULL) {
            mesh_book_changed(m->mesh);
            (void)mesh_turn(m->mesh);
            mesh_flush(m->mesh);
            (void)lines_turn(m->lines, t->now_us);
        }
    }
    loop_turn(t->loop, 100);
    t->now_us += TURN_US;
}

static void
trio_open(struct trio *t)
{
    *t = (struct trio){.now_us = 1000000};
    rand_seed(&t->rand, 1);
    assert_int_equal(loop_open(&t->loop), OK);
    for (uint16_t i = 0; i < NODES; i++) {
        member_start(t, i, 100U + i);
    }
    for (uint32_t i = 0; i < TURNS && mesh_stats(t->members[0].mesh)->peers +
                                              mesh_stats(t->members[1].mesh)->peers +
                                              mesh_stats(t->members[2].mesh)->peers <
                                          6;
         i++) {
        turn(t);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        assert_int_equal(t->members[i].ups, 2);
    }
}

static void
trio_close(struct trio *t)
{
    for (uint32_t i = 0; i < NODES; i++) {
        member_end(&t->members[i]);
    }
    loop_close(&t->loop);
}

static void
bursts_arrive_in_order(void **state)
{
    (void)state;
    static struct trio t;
    static uint8_t padding[8000];
    trio_open(&t);
    uint32_t sent[NODES] = {0};
    for (uint32_t i = 0; i < TURNS && t.members[2].messages < 2 * MESSAGES; i++) {
        for (uint32_t from = 0; from < 2; from++) {
            struct member *m = &t.members[from];
            struct env_links links = mesh_links(m->mesh);
            uint32_t peer = mesh_peer_of(m->mesh, t.members[2].self.epoch);
            enum err error = OK;
            while (error == OK && sent[from] < MESSAGES) {
                uint8_t head[5];
                struct writer w = writer_over(head, sizeof head);
                write_u8(&w, LINK_BATCH);
                write_u32(&w, sent[from] + 1);
                struct slice pieces[] = {{head, sizeof head}, {padding, sizeof padding}};
                error = links.send(links.ctx, peer, pieces, 2);
                sent[from] += error == OK;
            }
            assert_true(error == OK || error == ERR_FULL);
        }
        turn(&t);
    }
    assert_int_equal(t.members[2].messages, 2 * MESSAGES);
    assert_true(mesh_stats(t.members[0].mesh)->full > 0);
    assert_int_equal(t.members[2].downs, 0);
    trio_close(&t);
}

static void
who_ends_is_dead_and_comes_back(void **state)
{
    (void)state;
    static struct trio t;
    trio_open(&t);
    member_end(&t.members[1]);
    uint32_t turns = 0;
    while (turns < TURNS && t.members[0].died + t.members[2].died < 2) {
        turn(&t);
        turns++;
    }
    assert_in_range(turns, 1, 400); /* no beat was waited for, and no dial's deadline */
    assert_int_equal(t.members[0].downs + t.members[2].downs, 2);
    member_start(&t, 1, 200);
    for (uint32_t i = 0; i < TURNS && mesh_stats(t.members[1].mesh)->peers < 2; i++) {
        turn(&t);
    }
    assert_int_equal(t.members[1].ups, 2);
    trio_close(&t);
}

static void
good_byes_are_heard(void **state)
{
    (void)state;
    static struct trio t;
    trio_open(&t);
    mesh_leave(t.members[1].mesh);
    for (uint32_t i = 0; i < TURNS && !mesh_has_left(t.members[1].mesh); i++) {
        turn(&t);
    }
    assert_int_equal(t.members[0].dead + t.members[2].dead, 2);
    assert_int_equal(t.members[0].died + t.members[2].died, 0);
    trio_close(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bursts_arrive_in_order),
        cmocka_unit_test(who_ends_is_dead_and_comes_back),
        cmocka_unit_test(good_byes_are_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
