#include "world/cluster_fixture.h"

#define BLOCKS 25 /* of the island: 5 x 5 */

static topic_id
block_at(uint32_t n)
{
    return topic_make(SCENE_ISLAND, (uint16_t)(n % 5), (uint16_t)(n / 5));
}

/* A block whose candidate is this home, by what all of them think. */
static topic_id
block_of(const struct cluster *c, uint32_t number)
{
    for (uint32_t n = 0; n < BLOCKS; n++) {
        if (claim_candidate(c->homes[0].world, block_at(n)) == c->homes[number].epoch) {
            return block_at(n);
        }
    }
    fail_msg("no block for this home");
    return 0;
}

static const struct world_stats *
stats_of(const struct cluster *c, uint32_t number)
{
    return world_stats(c->homes[number].world);
}

/* What the document says; epoch 0: there is none. */
static Seom__StewardDocument
document_of(const struct cluster *c, topic_id block)
{
    struct key key = key_make(1, KEY_CLASS_STEWARD, block);
    struct store_doc doc = memory_store_look(c->store, key_slice(&key));
    Seom__StewardDocument out = SEOM__STEWARD_DOCUMENT__INIT;
    if (doc.exists) {
        Seom__StewardDocument *read =
            seom__steward_document__unpack(NULL, doc.value.bytes, doc.value.at);
        assert_non_null(read);
        out.steward = read->steward;
        out.steward_epoch = read->steward_epoch;
        seom__steward_document__free_unpacked(read, NULL);
    }
    return out;
}

/* Somebody with another book took the block. */
static void
write_document(struct cluster *c, topic_id block, uint64_t steward, uint64_t epoch)
{
    enum store_result result = STORE_UNAVAILABLE;
    struct memory_connection *other = memory_store_connect(
        c->store,
        (struct store_done){.ctx = &result, .got = other_got, .committed = other_committed});
    struct env_store port = memory_connection_port(other);
    struct key key = key_make(1, KEY_CLASS_STEWARD, block);
    Seom__StewardDocument document = SEOM__STEWARD_DOCUMENT__INIT;
    uint8_t bytes[64];
    document.steward = steward;
    document.steward_epoch = epoch;
    struct store_write write = {.key = key_slice(&key),
                                .expected_version = STORE_ANY_VERSION,
                                .op = STORE_PUT,
                                .value = {bytes, seom__steward_document__pack(&document, bytes)}};
    assert_int_equal(port.commit(port.ctx, 1, &write, 1), OK);
    cluster_run(c, 20);
    assert_int_equal(result, STORE_OK);
    memory_connection_crash(&other);
}

static void
test_only_the_candidate_claims(void **state)
{
    struct cluster *c = *state;
    for (uint32_t n = 0; n < BLOCKS; n++) {
        cluster_listen(c, true, n + 1, block_at(n), true);
    }
    cluster_run(c, 500);
    uint32_t held = 0;
    for (uint32_t i = 0; i < 3; i++) {
        held += stats_of(c, i)->stewards_held;
        assert_in_range(stats_of(c, i)->stewards_held, 1, BLOCKS - 2);
        assert_int_equal(stats_of(c, i)->claims, stats_of(c, i)->stewards_held);
    }
    assert_int_equal(held, BLOCKS);
    for (uint32_t n = 0; n < BLOCKS; n++) {
        Seom__StewardDocument document = document_of(c, block_at(n));
        uint64_t candidate = claim_candidate(c->homes[0].world, block_at(n));
        assert_int_equal(document.steward, candidate);
        assert_int_equal(document.steward_epoch, 2); /* above that of who is alone */
        for (uint32_t i = 0; i < 3; i++) {
            struct heard heard = home_heard(&c->homes[i], block_at(n));
            bool steward = c->homes[i].epoch == candidate;
            assert_int_equal(claim_candidate(c->homes[i].world, block_at(n)), candidate);
            assert_int_equal(heard.steward_epoch, steward ? 2 : 0);
            assert_int_equal(heard.awake, steward ? 0xffff : 0);
            assert_true(steward ? heard.things >= TOPIC_CHUNKS : heard.things == 0);
        }
    }
}

/* A home that goes leaves the blocks of the others where they are. */
static void
test_a_death_moves_only_the_blocks_of_the_dead(void **state)
{
    struct cluster *c = *state;
    uint64_t before[BLOCKS];
    for (uint32_t n = 0; n < BLOCKS; n++) {
        before[n] = claim_candidate(c->homes[0].world, block_at(n));
        cluster_listen(c, true, n + 1, block_at(n), true);
    }
    cluster_run(c, 500);
    cluster_forget(c);
    home_kill(c, 2); /* the book has it still */
    cluster_run(c, 500);
    uint32_t moved = 0;
    for (uint32_t n = 0; n < BLOCKS; n++) {
        uint64_t now = claim_candidate(c->homes[0].world, block_at(n));
        bool was_dead = before[n] == c->homes[2].epoch;
        assert_true(was_dead ? now != before[n] : now == before[n]);
        assert_int_equal(document_of(c, block_at(n)).steward, now);
        assert_int_equal(document_of(c, block_at(n)).steward_epoch, was_dead ? 3 : 2);
        struct heard heard = home_heard(&c->homes[now == c->homes[0].epoch ? 0 : 1], block_at(n));
        assert_true(!was_dead || (heard.steward_epoch == 3 && heard.things >= TOPIC_CHUNKS));
        moved += was_dead;
    }
    assert_true(moved > 0);
    assert_int_equal(stats_of(c, 0)->stewards_held + stats_of(c, 1)->stewards_held, BLOCKS);
}

/* A newcomer, or one that drains: the blocks change hands, and who gives up says no more of them.
 */
static void
test_the_book_decides(void **state)
{
    struct cluster *c = *state;
    topic_id block = block_of(c, 1);
    cluster_listen(c, true, 1, block, true);
    cluster_run(c, 500);
    assert_int_equal(document_of(c, block).steward, c->homes[1].epoch);
    struct node node = home_node(&c->homes[1]);
    node.draining = true;
    cluster_forget(c);
    assert_int_equal(book_put(&c->book, &node), OK);
    c->book.revision++;
    cluster_run(c, 1500); /* nobody tells them: they see it */
    assert_int_equal(document_of(c, block).steward, c->homes[0].epoch);
    assert_int_equal(home_heard(&c->homes[0], block).steward_epoch, 3);
    struct heard given_up = home_heard(&c->homes[1], block);
    assert_int_equal(given_up.steward_epoch, 0);
    assert_int_equal(given_up.things, 0);
    assert_int_equal(stats_of(c, 1)->chunks_awake, 0);
    node.draining = false;
    assert_int_equal(book_put(&c->book, &node), OK);
    world_book_changed(c->homes[0].world);
    world_book_changed(c->homes[1].world);
    cluster_run(c, 300);
    assert_int_equal(document_of(c, block).steward, c->homes[1].epoch);
    assert_int_equal(document_of(c, block).steward_epoch, 4);
    assert_int_equal(stats_of(c, 0)->chunks_awake, 0);
}

static void
test_waking_again_costs_nothing(void **state)
{
    struct cluster *c = *state;
    topic_id block = block_of(c, 0);
    cluster_listen(c, true, 1, block, true);
    cluster_run(c, 300);
    cluster_listen(c, true, 2, block, false);
    cluster_run(c, 11000);
    assert_int_equal(stats_of(c, 0)->chunks_awake, 0);
    assert_int_equal(stats_of(c, 0)->stewards_held, 1);
    cluster_forget(c);
    cluster_listen(c, true, 3, block, true);
    cluster_run(c, 20);
    assert_int_equal(home_heard(&c->homes[0], block).steward_epoch, 2);
    assert_int_equal(stats_of(c, 0)->chunks_awake, TOPIC_CHUNKS);
    assert_int_equal(stats_of(c, 0)->claims, 1);
}

/* Who sees a block without waking it learns from its steward that it fell asleep. */
static void
test_falling_asleep_is_the_stewards_word(void **state)
{
    struct cluster *c = *state;
    topic_id block = block_of(c, 0);
    cluster_listen(c, false, 1, block, true);
    cluster_run(c, 300);
    assert_int_equal(home_heard(&c->homes[0], block).steward_epoch, 0);
    assert_int_equal(stats_of(c, 0)->stewards_held, 0);
    cluster_listen(c, true, 1, block, true);
    cluster_run(c, 300);
    cluster_listen(c, true, 2, block, false);
    cluster_forget(c);
    cluster_run(c, 11000);
    struct heard heard = home_heard(&c->homes[0], block);
    assert_int_equal(heard.steward_epoch, 2);
    assert_int_equal(heard.awake, 0);
}

/* Two who think they are the steward: the document decides, by a hint at once. */
static void
test_a_higher_epoch_is_heeded(void **state)
{
    struct cluster *c = *state;
    topic_id block = block_of(c, 0);
    cluster_listen(c, true, 1, block, true);
    cluster_run(c, 2000);
    cluster_forget(c);
    write_document(c, block, 99, 7);
    cluster_run(c, 100);
    assert_int_equal(stats_of(c, 0)->claims_lost, 1);
    assert_int_equal(stats_of(c, 0)->chunks_awake, 0);
    assert_int_equal(stats_of(c, 0)->stewards_held, 0);
    assert_int_equal(home_heard(&c->homes[0], block).steward_epoch, 0);
    /* It is the candidate still: after a pause it claims. */
    cluster_run(c, CLAIM_LOST_MS + 1500);
    assert_int_equal(document_of(c, block).steward, c->homes[0].epoch);
    assert_int_equal(document_of(c, block).steward_epoch, 8);
    assert_int_equal(home_heard(&c->homes[0], block).steward_epoch, 8);
}

static void
test_without_hints_within_half_a_minute(void **state)
{
    struct cluster *c = *state;
    topic_id block = block_of(c, 0);
    memory_store_set_knobs(c->store, &(struct memory_store_knobs){.get_us_max = 500,
                                                                  .commit_us_max = 2000,
                                                                  .hint_lost_ppm = 1000000});
    cluster_listen(c, true, 1, block, true);
    cluster_run(c, 500);
    write_document(c, block, 99, 7);
    cluster_run(c, CLAIM_CHECK_MS + 1500);
    assert_int_equal(stats_of(c, 0)->claims_lost, 1);
}

static int
open_mutant(void **state)
{
    return cluster_open_with(state, 2, 3, WORLD_MUTANT_STEWARD_IGNORED);
}

static void
test_the_mutant_tells_on(void **state)
{
    struct cluster *c = *state;
    topic_id block = block_of(c, 0);
    cluster_listen(c, true, 1, block, true);
    cluster_run(c, 2000);
    write_document(c, block, 99, 7);
    cluster_run(c, 100);
    cluster_forget(c);
    cluster_run(c, 5000);
    assert_int_equal(home_heard(&c->homes[0], block).steward_epoch, 2);
}

/* No claim while the store is away, but what is held goes on. */
static void
test_the_store_is_away(void **state)
{
    struct cluster *c = *state;
    topic_id block = block_of(c, 0), other = block_of(c, 1);
    cluster_listen(c, true, 1, block, true);
    cluster_run(c, 300);
    memory_store_set_away(c->store, true);
    cluster_listen(c, true, 2, other, true);
    cluster_forget(c);
    cluster_run(c, 100000);
    assert_int_equal(home_heard(&c->homes[0], block).steward_epoch, 2);
    assert_true(home_heard(&c->homes[0], block).things > 0);
    assert_int_equal(stats_of(c, 1)->stewards_held, 0);
    assert_int_equal(home_heard(&c->homes[1], other).things, 0);
    assert_in_range(stats_of(c, 1)->claims_failed, 5, 50);
    memory_store_set_away(c->store, false);
    cluster_run(c, 10000);
    assert_int_equal(home_heard(&c->homes[1], other).steward_epoch, 2);
}

/* UNKNOWN is answered by reading: whatever became of the commit, one claim is left and both agree.
 */
static void
test_unknown_is_answered_by_reading(void **state)
{
    (void)state;
    uint64_t raised = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        void *opened = NULL;
        cluster_open_with(&opened, 2, seed, WORLD_MUTANT_NONE);
        struct cluster *c = opened;
        memory_store_set_knobs(c->store, &(struct memory_store_knobs){.get_us_max = 500,
                                                                      .commit_us_max = 2000,
                                                                      .unknown_done_ppm = 250000,
                                                                      .unknown_lost_ppm = 250000,
                                                                      .unknown_late_ppm = 250000,
                                                                      .twice_ppm = 250000});
        for (uint32_t n = 0; n < BLOCKS; n++) {
            cluster_listen(c, true, n + 1, block_at(n), true);
        }
        cluster_run(c, 2000);
        for (uint32_t n = 0; n < BLOCKS; n++) {
            Seom__StewardDocument document = document_of(c, block_at(n));
            uint32_t steward = document.steward == c->homes[0].epoch ? 0 : 1;
            assert_int_equal(document.steward, c->homes[steward].epoch);
            struct heard heard = home_heard(&c->homes[steward], block_at(n));
            assert_int_equal(heard.steward_epoch, document.steward_epoch);
            assert_int_equal(home_heard(&c->homes[1 - steward], block_at(n)).steward_epoch, 0);
            raised += document.steward_epoch;
        }
        cluster_close(&opened);
    }
    assert_int_equal(raised, UINT64_C(20) * BLOCKS * 2);
}

/* Asleep for longer than anybody waits, and back: it goes on telling until it reads, with an epoch
 * that gates drop, and then it stops. */
static void
test_a_stopped_steward_comes_back(void **state)
{
    struct cluster *c = *state;
    topic_id block = block_of(c, 1);
    cluster_listen(c, true, 1, block, true);
    cluster_run(c, 300);
    home_pause(c, 1, 40000);
    home_cut(c, 1, true);
    cluster_run(c, 500);
    assert_int_equal(document_of(c, block).steward, c->homes[0].epoch);
    cluster_run(c, 39500 + 1500);
    assert_true(home_heard(&c->homes[0], block).things > 0);
    assert_int_equal(home_heard(&c->homes[0], block).steward_epoch, 3);
    cluster_forget(c);
    cluster_run(c, 1000); /* by then it has heard that it is dead */
    assert_int_equal(stats_of(c, 1)->claims_lost, 1);
    assert_int_equal(home_heard(&c->homes[1], block).things, 0);
}

static void
test_a_new_name_claims_anew(void **state)
{
    struct cluster *c = *state;
    topic_id block = block_of(c, 0);
    cluster_listen(c, true, 1, block, true);
    cluster_run(c, 300);
    c->homes[0].world->options.node_epoch = 77;
    struct node node = home_node(&c->homes[0]);
    node.epoch = 77;
    assert_int_equal(book_put(&c->book, &node), OK);
    steward_renamed(c->homes[0].world);
    steward_book_changed(c->homes[1].world);
    assert_int_equal(stats_of(c, 0)->stewards_held, 0);
    assert_int_equal(stats_of(c, 0)->chunks_awake, 0);
    cluster_run(c, 300);
    uint64_t candidate = claim_candidate(c->homes[0].world, block);
    assert_true(candidate == 77 || candidate == c->homes[1].epoch);
    assert_int_equal(document_of(c, block).steward, candidate);
    assert_int_equal(document_of(c, block).steward_epoch, 3);
}

/* Alone there is nobody to agree with: no call of the store, and an epoch below any claim. */
static void
test_alone_costs_nothing(void **state)
{
    struct scene *s = *state;
    struct link_message m;
    scene_run(s, 2000); /* the clock is read once */
    uint64_t gets = memory_store_stats(s->store).gets;
    scene_listen(s, 0, true, block_at(6));
    scene_run(s, 40000);
    assert_true(scene_told(s, 0, LINK_BATCH, 0, &m));
    assert_int_equal(m.as.batch.steward_epoch, 1);
    assert_int_equal(memory_store_stats(s->store).gets, gets);
    assert_false(scene_look(s, KEY_CLASS_STEWARD, block_at(6)).exists);
    assert_int_equal(world_stats(s->world)->claims, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_the_candidate_claims, cluster_open_three,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_a_death_moves_only_the_blocks_of_the_dead,
                                        cluster_open_three, cluster_close),
        cmocka_unit_test_setup_teardown(test_the_book_decides, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_waking_again_costs_nothing, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_falling_asleep_is_the_stewards_word, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_a_higher_epoch_is_heeded, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_without_hints_within_half_a_minute, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_the_mutant_tells_on, open_mutant, cluster_close),
        cmocka_unit_test_setup_teardown(test_the_store_is_away, cluster_open, cluster_close),
        cmocka_unit_test(test_unknown_is_answered_by_reading),
        cmocka_unit_test_setup_teardown(test_a_stopped_steward_comes_back, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_a_new_name_claims_anew, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_alone_costs_nothing, scene_open, scene_close),
    };
    return cmocka_run_group_tests_name("claim", tests, NULL, NULL);
}
