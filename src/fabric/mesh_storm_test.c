/* A million frames of liars: what well behaved nodes would say, with bits flipped, cut short, said
 * twice, said by somebody else. No process may end of it, no table may grow, and afterwards an
 * honest node is welcome.
 */
#include "base/rand.h"
#include "fabric/mesh_alone.h"
#include "wire/link.h"
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FRAMES     1000000
#define LIARS      16
#define KEPT       256
#define KEPT_BYTES 400

struct kept {
    uint32_t bytes;
    uint8_t at[KEPT_BYTES];
};

struct storm {
    struct alone a;
    struct rand rand;
    uint32_t lines[LIARS]; /* LINES_MAX: none */
    struct kept kept[KEPT];
    uint64_t frames;
};

static uint32_t
below(struct storm *s, uint32_t limit)
{
    return rand_below(&s->rand, limit);
}

static struct node
somebody(struct storm *s)
{
    uint16_t index = (uint16_t)below(s, 6);
    if (below(s, 2) == 0) {
        return alone_node(NODE_GATE, index, 1 + below(s, 1U << 20));
    }
    return alone_node((enum node_role)below(s, NODE_ROLES), index, 990 + below(s, 32));
}

/* A frame as it should be. */
static size_t
make(struct storm *s, uint8_t out[KEPT_BYTES])
{
    static const uint8_t kinds[] = {
        MESH_FRAME_HELLO,  MESH_FRAME_WELCOME, MESH_FRAME_REFUSE,  MESH_FRAME_BEAT,
        MESH_FRAME_ANSWER, MESH_FRAME_BOOK,    MESH_FRAME_ASK,     MESH_FRAME_SEEN,
        MESH_FRAME_DEAD,   MESH_FRAME_BYE,     MESH_FRAME_DISPUTE, MESH_FRAME_CONTROL,
        MESH_FRAME_DATA,   MESH_FRAME_CONTROL, MESH_FRAME_DATA,    MESH_FRAME_BEAT};
    uint8_t kind = kinds[below(s, sizeof kinds)], body[MESH_HELLO_MAX];
    struct node node = somebody(s);
    size_t n = 0;
    if (kind == MESH_FRAME_HELLO) {
        n = mesh_hello_write(&(struct mesh_hello){.world = 7, .node = node}, body);
    } else if (kind == MESH_FRAME_BEAT || kind == MESH_FRAME_ANSWER) {
        n = mesh_beat_write(&(struct mesh_beat){.sent_us = s->a.now_us, .world_ms = 5}, body);
    } else if (kind == MESH_FRAME_ASK || kind == MESH_FRAME_DEAD) {
        n = mesh_epoch_write(node.epoch, body);
    } else if (kind == MESH_FRAME_SEEN) {
        struct mesh_seen seen = {.epoch = node.epoch, .sight = (enum mesh_sight)below(s, SIGHTS)};
        n = mesh_seen_write(&seen, body);
    } else if (kind != MESH_FRAME_WELCOME && kind != MESH_FRAME_BYE) {
        n = 1 + below(s, 100);
        memset(body, (int)below(s, 8), n);
    }
    struct writer w = writer_over(out, KEPT_BYTES);
    write_u32(&w, (uint32_t)n + 1);
    write_u8(&w, kind);
    write_bytes(&w, body, n);
    return writer_used(&w);
}

static void
spoil(struct storm *s, struct kept *frame)
{
    switch (below(s, 4)) {
    case 0: frame->at[below(s, frame->bytes)] ^= (uint8_t)(1U << below(s, 8)); break;
    case 1: frame->bytes = 1 + below(s, frame->bytes); break;
    case 2: *frame = s->kept[below(s, KEPT)]; break; /* said again, perhaps by another */
    default: break;
    }
}

static void
lie(struct storm *s, uint32_t liar)
{
    uint32_t line = s->lines[liar];
    if (line != LINES_MAX && s->a.lines[line].open &&
        s->a.lines[line].said[MESH_FRAME_REFUSE] > 0) {
        alone_break(&s->a, line, false); /* nobody listens to him there */
    }
    if (line == LINES_MAX || !s->a.lines[line].open) {
        struct node node = somebody(s);
        s->lines[liar] = below(s, 4) == 0 ? alone_accept(&s->a) : alone_link(&s->a, &node);
        return;
    }
    struct kept frame;
    frame.bytes = (uint32_t)make(s, frame.at);
    s->kept[below(s, KEPT)] = frame;
    spoil(s, &frame);
    if (frame.bytes > 0) {
        alone_bytes(&s->a, line, frame.at, frame.bytes);
        s->frames++;
    }
}

/* Lines that the mesh dialled belong to nobody here: they are refused, or nothing comes of them. */
static void
end_dials(struct storm *s)
{
    for (uint32_t n = 0; n < ALONE_LINES; n++) {
        if (s->a.lines[n].open && s->a.lines[n].dialled) {
            alone_break(&s->a, n, below(s, 2) == 0);
        }
    }
}

static void
a_million_lies_end_nothing(void **state)
{
    (void)state;
    static struct storm s;
    s = (struct storm){.frames = 0};
    alone_open(&s.a, NODE_HOME);
    s.a.renames = true;
    rand_seed(&s.rand, 5);
    for (uint32_t i = 0; i < LIARS; i++) {
        s.lines[i] = LINES_MAX;
    }
    for (uint32_t i = 0; i < 6; i++) {
        struct node node = alone_node(NODE_HOME, (uint16_t)i, 990 + i);
        alone_list(&s.a, &node);
    }
    while (s.frames < FRAMES) {
        lie(&s, below(&s, LIARS));
        if (below(&s, 16) == 0) {
            alone_run(&s.a, 1 + below(&s, 100000));
            end_dials(&s);
        }
    }
    const struct mesh_stats *stats = mesh_stats(s.a.mesh);
    printf("# ups %u messages %u malformed %llu refused %llu deaths %llu disputed %llu names %u\n",
           s.a.ups, s.a.messages, (unsigned long long)stats->malformed,
           (unsigned long long)stats->refused_hellos, (unsigned long long)stats->deaths,
           (unsigned long long)stats->disputed, s.a.dead_selfs);
    /* The storm has met everything. */
    assert_true(s.a.ups > 1000 && s.a.messages > 10000 && stats->malformed > 10000);
    assert_true(stats->refused_hellos > 0 && stats->deaths > 0 && stats->disputed > 0);
    assert_true(s.a.dead_selfs > 0);
    for (uint32_t i = 0; i < LIARS; i++) {
        if (s.lines[i] != LINES_MAX && s.a.lines[s.lines[i]].open) {
            alone_break(&s.a, s.lines[i], false);
        }
    }
    alone_run(&s.a, 30000000);
    uint32_t before = s.a.ups;
    struct node honest = alone_node(NODE_HOME, 40, 5000000);
    alone_link(&s.a, &honest);
    assert_int_equal(s.a.ups, before + 1);
    alone_close(&s.a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_lies_end_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
