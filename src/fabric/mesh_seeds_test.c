/* The mesh under random faults, a history for each seed: first anything breaks and nothing wrong
 * may happen (meshes.c checks), then everything heals and within bounds all are linked again, every
 * gate knows everybody and messages arrive. */
#include "base/check.h"
#include "fabric/meshes.h"
#include "wire/link.h"
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND    INT64_C(1000000)
#define LEASE_US  (10 * SECOND)
#define FAULTS_US (60 * SECOND)
#define CALM_US   (30 * SECOND)
#ifdef __SANITIZE_THREAD__
#    define KILLS 30 /* fifteen times slower, and one thread */
#else
#    define KILLS 300 /* ten minutes */
#endif

static uint64_t seeds_count = 80;

/* What a seed may do. */
enum plan {
    PLAN_DEATHS, /* processes end and come back, lines break: nobody who lives may be buried */
    PLAN_ALL,
    PLANS
};

struct history {
    struct meshes f;
    struct rand rand;
    enum plan plan;
    int64_t start_at_us[MESHES_MAX]; /* of whoever is down */
    int64_t down_since_us[MESHES_MAX];
    int64_t wake_at_us[MESHES_MAX]; /* of whoever is paused */
    int64_t heal_at_us[MESHES_MAX][MESHES_MAX];
};

struct totals {
    uint64_t deaths, died, dead_selfs, suspicions, disputed, cut, full, messages, handshakes;
};

static bool
is_running(const struct history *h, uint32_t n)
{
    return h->f.nodes[n].mesh != NULL;
}

static uint32_t
any(struct history *h)
{
    return rand_below(&h->rand, h->f.count);
}

static int64_t
between_ms(struct history *h, uint32_t min, uint32_t max)
{
    return h->f.time.now_us + 1000 * (int64_t)(min + rand_below(&h->rand, max - min));
}

static void
end_process(struct history *h, uint32_t n, enum sim_death death)
{
    uint32_t homes = 0;
    for (uint32_t i = 0; i < h->f.count; i++) {
        homes += i != n && is_running(h, i) && h->f.nodes[i].self.role == NODE_HOME;
    }
    if (homes == 0 || !is_running(h, n)) {
        return;
    }
    if (death == SIM_KILLED && rand_below(&h->rand, 3) == 0 && !h->f.nodes[n].paused) {
        meshes_leave(&h->f, n);
        meshes_run(&h->f, 20000);
    }
    meshes_kill(&h->f, n, death);
    h->down_since_us[n] = h->f.time.now_us;
    h->start_at_us[n] = between_ms(h, 1, rand_below(&h->rand, 2) == 0 ? 500 : 15000);
}

static void
pause_process(struct history *h, uint32_t n)
{
    if (is_running(h, n) && !h->f.nodes[n].paused) {
        meshes_pause(&h->f, n, true);
        h->wake_at_us[n] = between_ms(h, 10, rand_below(&h->rand, 2) == 0 ? 2000 : 15000);
    }
}

static void
cut_pair(struct history *h, uint32_t a, uint32_t b, bool both)
{
    int64_t until_us = between_ms(h, 100, 15000);
    if (a == b) {
        return;
    }
    sim_lines_cut(h->f.lines, a, b, true);
    h->heal_at_us[a][b] = until_us;
    if (both) {
        sim_lines_cut(h->f.lines, b, a, true);
        h->heal_at_us[b][a] = until_us;
    }
}

static void
talk(struct history *h)
{
    uint32_t a = any(h), b = any(h), count = rand_below(&h->rand, 60);
    for (uint32_t i = 0; i < count && is_running(h, a) && !h->f.nodes[a].paused; i++) {
        static const uint8_t kinds[] = {LINK_SUBSCRIBE, LINK_BATCH, 70};
        (void)(meshes_send(&h->f, a, b, kinds[rand_below(&h->rand, 3)],
                           rand_below(&h->rand, 3000)) == OK);
    }
}

static void
fault(struct history *h)
{
    uint32_t what = rand_below(&h->rand, h->plan == PLAN_ALL ? 16 : 9);
    uint32_t a = any(h), b = any(h);
    switch (what) {
    case 0: end_process(h, a, SIM_KILLED); break;
    case 1: end_process(h, a, SIM_HOST_DEAD); break;
    case 2: (void)sim_lines_break(h->f.lines, a, b); break;
    case 3: sim_lines_clog(h->f.lines, a, b, between_ms(h, 1, 1500)); break;
    case 9: pause_process(h, a); break;
    case 10: cut_pair(h, a, b, true); break;
    case 11: cut_pair(h, a, b, false); break;
    case 12: sim_lines_clog(h->f.lines, a, b, between_ms(h, 1000, 8000)); break;
    default: talk(h);
    }
}

/* What ends by itself; all: everything that ever shall. */
static void
mend(struct history *h, bool all)
{
    int64_t now_us = h->f.time.now_us;
    for (uint32_t a = 0; a < h->f.count; a++) {
        if (!is_running(h, a) && now_us - h->down_since_us[a] > LEASE_US) {
            meshes_expire(&h->f, a);
        }
        if (!is_running(h, a) && (all || now_us >= h->start_at_us[a])) {
            meshes_start(&h->f, a);
        }
        if (h->f.nodes[a].paused && (all || now_us >= h->wake_at_us[a])) {
            meshes_pause(&h->f, a, false);
        }
        for (uint32_t b = 0; b < h->f.count; b++) {
            if (h->heal_at_us[a][b] != 0 && (all || now_us >= h->heal_at_us[a][b])) {
                sim_lines_cut(h->f.lines, a, b, false);
                h->heal_at_us[a][b] = 0;
            }
        }
    }
}

static void
check_calm(struct history *h, uint64_t seed)
{
    struct meshes *f = &h->f;
    for (uint32_t a = 0; a < f->count; a++) {
        bool is_gate = f->nodes[a].self.role == NODE_GATE;
        for (uint32_t b = 0; b < f->count; b++) {
            bool linked = !is_gate || f->nodes[b].self.role != NODE_GATE;
            if (a != b && meshes_is_up(f, a, b) != linked) {
                fail_msg("seed %llu plan %d: %s has %s link with %s", (unsigned long long)seed,
                         h->plan, f->nodes[a].self.name, linked ? "no" : "a",
                         f->nodes[b].self.name);
            }
            if (a != b && linked) {
                assert_int_equal(meshes_send(f, a, b, LINK_SUBSCRIBE, 10), OK);
            }
        }
        if (is_gate && mesh_book(f->nodes[a].mesh)->count != f->count) {
            fail_msg("seed %llu: %s knows %u nodes of %u", (unsigned long long)seed,
                     f->nodes[a].self.name, mesh_book(f->nodes[a].mesh)->count, f->count);
        }
        f->nodes[a].messages = 0;
    }
    meshes_run(f, SECOND);
    for (uint32_t a = 0; a < f->count; a++) {
        assert_int_equal(f->nodes[a].messages, meshes_stats(f, a)->peers);
    }
}

static void
add_up(const struct history *h, struct totals *t)
{
    for (uint32_t n = 0; n < h->f.count; n++) {
        const struct mesh_stats *s = meshes_stats(&h->f, n);
        t->deaths += h->f.nodes[n].deaths;
        t->died += h->f.nodes[n].died;
        t->dead_selfs += h->f.nodes[n].dead_selfs;
        t->suspicions += s->suspicions;
        t->disputed += s->disputed;
        t->cut += s->cut;
        t->full += s->full;
        t->messages += s->messages_in;
        t->handshakes += s->handshakes;
    }
}

static enum plan running_plan;
static uint64_t running_seed;

/* A red seed names itself. */
static void
tell_seed(const char *file, int line, const char *function, const char *what)
{
    fprintf(stderr, "%s:%d: %s: CHECK(%s) failed; again with: %d %llu\n", file, line, function,
            what, running_plan, (unsigned long long)running_seed);
}

/* Returns a number that stands for the whole history. */
static uint64_t
run(uint64_t seed, enum plan plan, bool loud, struct totals *totals)
{
    static struct history h;
    running_plan = plan;
    running_seed = seed;
    h = (struct history){.plan = plan};
    rand_seed(&h.rand, seed * PLANS + plan);
    struct meshes_options options = {.seed = seed,
                                     .delay_us_min = 20 + rand_below(&h.rand, 200),
                                     .delay_us_max = 300 + rand_below(&h.rand, 20000),
                                     .line_bytes = 1000 + rand_below(&h.rand, 100000),
                                     .data_bytes = 20000 + rand_below(&h.rand, 100000),
                                     .control_bytes = 20000 + rand_below(&h.rand, 100000),
                                     .rejoins = true,
                                     .loud = loud,
                                     .only_dead_die = plan == PLAN_DEATHS};
    meshes_open(&h.f, &options);
    uint32_t homes = 2 + rand_below(&h.rand, 5), gates = rand_below(&h.rand, 4);
    for (uint32_t i = 0; i < homes + gates; i++) {
        bool is_home = i < homes;
        uint32_t n =
            meshes_add(&h.f, is_home ? NODE_HOME : NODE_GATE, (uint16_t)(is_home ? i : i - homes));
        h.start_at_us[n] = between_ms(&h, 1, 3000);
    }
    while (h.f.time.now_us < FAULTS_US) {
        mend(&h, false);
        fault(&h);
        meshes_run(&h.f, 1000 * (int64_t)(1 + rand_below(&h.rand, 300)));
    }
    mend(&h, true);
    meshes_run(&h.f, CALM_US);
    check_calm(&h, seed);
    add_up(&h, totals);
    uint64_t hash = sim_lines_hash(h.f.lines);
    meshes_close(&h.f);
    return hash;
}

static void
seeds(enum plan plan)
{
    struct totals t = {0};
    for (uint64_t seed = 1; seed <= seeds_count; seed++) {
        run(seed, plan, false, &t);
    }
    printf("# deaths %llu died %llu dead_selfs %llu suspicions %llu disputed %llu cut %llu "
           "full %llu messages %llu handshakes %llu\n",
           (unsigned long long)t.deaths, (unsigned long long)t.died,
           (unsigned long long)t.dead_selfs, (unsigned long long)t.suspicions,
           (unsigned long long)t.disputed, (unsigned long long)t.cut, (unsigned long long)t.full,
           (unsigned long long)t.messages, (unsigned long long)t.handshakes);
    assert_true(t.deaths + t.died > seeds_count);
    assert_true(t.messages > seeds_count * 50 && t.full > 0 && t.cut > 0);
    if (plan == PLAN_DEATHS) {
        assert_int_equal(t.dead_selfs, 0);
    } else {
        assert_true(t.dead_selfs > 0 && t.disputed > 0);
    }
}

static void
only_the_dead_are_buried(void **state)
{
    (void)state;
    seeds(PLAN_DEATHS);
}

static void
everything_comes_to_rest(void **state)
{
    (void)state;
    seeds(PLAN_ALL);
}

/* One of thirty is killed every 2 s and comes back: nobody else dies, and all are linked again
 * before the next. */
static void
thirty_nodes_stand_the_death_of_each(void **state)
{
    (void)state;
    static struct meshes f;
    struct rand rand;
    rand_seed(&rand, 30);
    meshes_open(&f, &(struct meshes_options){.seed = 30, .only_dead_die = true});
    for (uint16_t i = 0; i < 24; i++) {
        meshes_start(&f, meshes_add(&f, NODE_HOME, i));
    }
    for (uint16_t i = 0; i < 6; i++) {
        meshes_start(&f, meshes_add(&f, NODE_GATE, i));
    }
    meshes_run(&f, 2 * SECOND);
    for (uint32_t kill = 0; kill < KILLS; kill++) {
        uint32_t n = rand_below(&rand, 30);
        meshes_kill(&f, n, SIM_KILLED);
        meshes_run(&f, 1000 * (int64_t)(1 + rand_below(&rand, 700)));
        meshes_start(&f, n);
        meshes_run(&f, SECOND);
        for (uint32_t i = 0; i < 30; i++) {
            assert_int_equal(f.nodes[i].dead_selfs, 0);
            assert_int_equal(meshes_stats(&f, i)->peers, i < 24 ? 29 : 24);
        }
    }
    meshes_close(&f);
}

static void
a_seed_is_one_history(void **state)
{
    (void)state;
    struct totals t = {0};
    assert_int_equal(run(3, PLAN_ALL, false, &t), run(3, PLAN_ALL, false, &t));
    assert_int_not_equal(run(3, PLAN_ALL, false, &t), run(4, PLAN_ALL, false, &t));
}

int
main(int argc, char **argv)
{
    check_set_hook(tell_seed);
    if (argc == 3) { /* one seed, told in full: PLAN SEED */
        struct totals t = {0};
        run(strtoull(argv[2], NULL, 10), (enum plan)atoi(argv[1]), true, &t);
        return 0;
    }
    if (argc == 2) { /* so many seeds */
        seeds_count = strtoull(argv[1], NULL, 10);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_dead_are_buried),
        cmocka_unit_test(everything_comes_to_rest),
        cmocka_unit_test(thirty_nodes_stand_the_death_of_each),
        cmocka_unit_test(a_seed_is_one_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
