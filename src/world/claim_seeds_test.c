/* Stewards under random trouble: homes that stop, die and come back under another name, links that
 * break, a book that changes, a store that is away or does not know what became of a commit. All
 * along no two homes tell of the things of a block under the same steward_epoch; and when the
 * trouble is over each block that is wanted is told of by its candidate, under the highest epoch
 * that was ever heard.
 */
#include "world/cluster_fixture.h"

#define SEEDS   60
#define ROUNDS  40
#define BLOCKS  25
#define PAUSE_S 20

/* What a gate knows of a block. */
struct seen_block {
    bool wanted;
    uint64_t highest, node; /* steward_epoch, and who told under it */
    uint16_t awake;
};

struct trouble {
    struct cluster *c;
    struct seen_block blocks[BLOCKS];
    uint32_t version;
    uint64_t next_epoch;
    int64_t away_until_us;
    int64_t dead_until_us[CLUSTER_HOMES]; /* then it comes back; 0: it is there */
    bool stopped[CLUSTER_HOMES];          /* it was declared dead while it stood still, and lives */
    uint32_t deaths, zombies, links, drains;
};

static topic_id
block_at(uint32_t n)
{
    return topic_make(SCENE_ISLAND, (uint16_t)(n % 5), (uint16_t)(n / 5));
}

static void
heard_batch(struct trouble *t, const struct link_batch *batch)
{
    uint32_t n = topic_bx(batch->topic) + 5U * topic_by(batch->topic);
    struct seen_block *b = &t->blocks[n];
    assert_true(n < BLOCKS);
    if (batch->steward_epoch == 0) {
        assert_int_equal(batch->awake_chunks_lo | batch->awake_chunks_hi, 0);
        return;
    }
    if (batch->steward_epoch > b->highest) {
        b->highest = batch->steward_epoch;
        b->node = batch->publisher_epoch;
    }
    if (batch->steward_epoch == b->highest) {
        assert_int_equal(batch->publisher_epoch, b->node);
        b->awake = (uint16_t)(batch->awake_chunks_lo | (uint16_t)batch->awake_chunks_hi << 8);
    }
}

static void
listen(struct trouble *t)
{
    struct link_message m;
    for (uint32_t i = 0; i < t->c->count; i++) {
        for (uint32_t n = 0; home_told(&t->c->homes[i], LINK_BATCH, n, &m); n++) {
            heard_batch(t, &m.as.batch);
        }
    }
    cluster_forget(t->c);
}

static void
run(struct trouble *t, int64_t ms)
{
    while (ms > 0) {
        int64_t step_ms = ms < 500 ? ms : 500;
        cluster_run(t->c, step_ms);
        listen(t);
        ms -= step_ms;
    }
}

/* The whole set, told to one home or to all. */
static void
subscribe(struct trouble *t, uint32_t number)
{
    uint8_t bytes[8 * BLOCKS];
    struct writer out = writer_over(bytes, sizeof bytes);
    uint16_t count = 0;
    for (uint32_t n = 0; n < BLOCKS; n++) {
        if (t->blocks[n].wanted) {
            write_u64(&out, block_at(n));
            count++;
        }
    }
    struct link_message m = {.kind = LINK_SUBSCRIBE,
                             .as.subscribe = {.epoch = 7,
                                              .version = ++t->version,
                                              .whole = 1,
                                              .wakes = 1,
                                              .add_count = count,
                                              .topics = {bytes, writer_used(&out)}}};
    for (uint32_t i = 0; i < t->c->count; i++) {
        if ((number == CLUSTER_HOMES || i == number) && !t->c->homes[i].dead) {
            cluster_hear(t->c, i, &m);
        }
    }
}

static bool
is_up(const struct trouble *t, uint32_t number)
{
    return !t->c->homes[number].dead && t->c->homes[number].stopped_until_us <= t->c->time.now_us;
}

static void
link_all(struct trouble *t)
{
    struct cluster *c = t->c;
    for (uint32_t a = 0; a < c->count; a++) {
        for (uint32_t b = 0; b < a; b++) {
            bool up = is_up(t, a) && is_up(t, b) && !t->stopped[a] && !t->stopped[b];
            if (up && !c->homes[a].world->peers[home_peer(&c->homes[b])].up) {
                cluster_link(c, a, b);
            }
        }
    }
}

/* Everything it had is cut, on both sides. */
static void
unlink_one(struct cluster *c, uint32_t number, bool dead)
{
    home_cut(c, number, dead);
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t peer = home_peer(&c->homes[i]);
        struct home *h = &c->homes[number];
        if (i != number && !h->dead && h->world->peers[peer].up) {
            world_peer_down(h->world, peer, false);
            requests_peer_down(h->requests, peer);
        }
    }
}

static void
die(struct trouble *t, uint32_t number)
{
    home_kill(t->c, number);
    t->dead_until_us[number] = t->c->time.now_us + 1000 * (1 + rand_below(&t->c->time.rand, 9000));
    t->deaths++;
}

/* Stands still so long that the others bury it. */
static void
stand_still(struct trouble *t, uint32_t number)
{
    home_pause(t->c, number, 3000 + rand_below(&t->c->time.rand, PAUSE_S * 1000));
    for (uint32_t i = 0; i < t->c->count; i++) {
        if (i != number && is_up(t, i) &&
            t->c->homes[i].world->peers[home_peer(&t->c->homes[number])].up) {
            world_peer_down(t->c->homes[i].world, home_peer(&t->c->homes[number]), true);
        }
    }
    t->stopped[number] = true;
    t->zombies++;
}

static void
drain(struct trouble *t, uint32_t number)
{
    struct node node = home_node(&t->c->homes[number]);
    const struct node *now = book_find_identity(&t->c->book, 0, NODE_HOME, node.index);
    node.draining = now != NULL && !now->draining;
    assert_int_equal(book_put(&t->c->book, &node), OK);
    t->drains++;
}

static void
make_trouble(struct trouble *t, bool more)
{
    struct cluster *c = t->c;
    uint32_t number = rand_below(&c->time.rand, c->count), what = rand_below(&c->time.rand, 12);
    for (uint32_t i = 0; i < c->count; i++) {
        struct home *h = &c->homes[i];
        if (h->dead && (!more || c->time.now_us >= t->dead_until_us[i])) {
            home_end(h);
            home_start(c, i, ++t->next_epoch);
            subscribe(t, i);
        } else if (t->stopped[i] && h->stopped_until_us <= c->time.now_us) {
            /* It lived on for a moment; now it is told. */
            run(t, rand_below(&c->time.rand, 1500));
            unlink_one(c, i, false);
            h->epoch = ++t->next_epoch;
            struct node node = home_node(h);
            assert_int_equal(book_put(&c->book, &node), OK);
            world_renamed(h->world, h->epoch);
            subscribe(t, i);
            t->stopped[i] = false;
        }
    }
    if (!more || !is_up(t, number) || t->stopped[number]) {
        link_all(t);
        return;
    }
    switch (what) {
    case 0: die(t, number); break;
    case 1: stand_still(t, number); break;
    case 2: drain(t, number); break;
    case 3:
    case 4:
        unlink_one(c, number, false);
        t->links++;
        break;
    case 5:
        memory_store_set_away(c->store, true);
        t->away_until_us = c->time.now_us + 1000 * rand_below(&c->time.rand, 20000);
        break;
    default:
        t->blocks[rand_below(&c->time.rand, BLOCKS)].wanted ^= true;
        subscribe(t, CLUSTER_HOMES);
        break;
    }
    if (what > 2) {
        link_all(t);
    }
}

static void
all_is_well(struct trouble *t)
{
    struct cluster *c = t->c;
    for (uint32_t n = 0; n < BLOCKS; n++) {
        const struct seen_block *b = &t->blocks[n];
        uint64_t candidate = claim_candidate(c->homes[0].world, block_at(n));
        for (uint32_t i = 0; i < c->count; i++) {
            const struct topic *topic = topic_find(c->homes[i].world, block_at(n));
            bool awake = topic != NULL && topic->awake != 0;
            assert_int_equal(claim_candidate(c->homes[i].world, block_at(n)), candidate);
            assert_int_equal(awake, b->wanted && candidate == c->homes[i].epoch);
            assert_true(!awake || topic->steward_epoch == b->highest);
        }
        if (b->wanted) {
            assert_int_equal(b->node, candidate);
            assert_int_equal(b->awake, 0xffff);
        }
    }
}

static void
test_one_steward_whatever_happens(void **state)
{
    (void)state;
    uint32_t deaths = 0, zombies = 0, links = 0, drains = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        void *opened = NULL;
        cluster_open_with(&opened, 3, seed, WORLD_MUTANT_NONE);
        struct trouble t = {.c = opened, .next_epoch = 100};
        memory_store_set_knobs(t.c->store, &(struct memory_store_knobs){.get_us_max = 5000,
                                                                        .commit_us_max = 20000,
                                                                        .unknown_done_ppm = 50000,
                                                                        .unknown_lost_ppm = 50000,
                                                                        .unknown_late_ppm = 50000,
                                                                        .twice_ppm = 50000,
                                                                        .zombie_ppm = 500000,
                                                                        .hint_lost_ppm = 300000});
        for (uint32_t round = 0; round < ROUNDS; round++) {
            make_trouble(&t, true);
            run(&t, rand_below(&t.c->time.rand, 6000));
            if (t.c->time.now_us >= t.away_until_us) {
                memory_store_set_away(t.c->store, false);
            }
        }
        memory_store_set_away(t.c->store, false);
        memory_store_set_knobs(
            t.c->store, &(struct memory_store_knobs){.get_us_max = 5000, .commit_us_max = 20000});
        for (uint32_t round = 0; round < 4; round++) {
            run(&t, (PAUSE_S + 5) * 1000);
            make_trouble(&t, false);
        }
        run(&t, 45000);
        all_is_well(&t);
        deaths += t.deaths;
        zombies += t.zombies;
        links += t.links;
        drains += t.drains;
        cluster_close(&opened);
    }
    assert_true(deaths > SEEDS && zombies > SEEDS && links > SEEDS && drains > SEEDS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_steward_whatever_happens)};
    return cmocka_run_group_tests_name("claim_seeds", tests, NULL, NULL);
}
