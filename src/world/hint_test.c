#include "world/cluster_fixture.h"

#define HEALED_MS 30500

static void
ask(struct cluster *c, uint32_t number, const struct link_home *who, uint64_t seq,
    struct slice body)
{
    cluster_input(c, number, who,
                  (struct link_input){.kind = INPUT_COMMAND, .seq = seq, .bytes = body});
}

/* The commands g and m of value_fixture.h, of one at the first home for one at the second. */
static void
do_for(struct cluster *c, const struct link_home *from, uint64_t seq, char what,
       const struct link_home *to)
{
    struct link_self last = {0};
    uint8_t body[9] = {(uint8_t)what};
    struct writer out = writer_over(body + 1, 8);
    write_u64(&out, to->player);
    ask(c, 0, from, seq, (struct slice){body, sizeof body});
    cluster_run(c, 300);
    assert_true(home_selves(&c->homes[0], from->player, SELF_RESULT, &last) > 0);
    assert_int_equal(last.seq, seq);
    assert_int_equal(last.code, SEOM__CODE__FINE);
}

static uint32_t
changes_told_by(const struct cluster *c, uint32_t home, const struct link_home *who, uint8_t what)
{
    struct link_message m;
    uint32_t count = 0;
    for (uint32_t n = 0; home_told(&c->homes[home], LINK_SELF, n, &m); n++) {
        count += m.as.self.player == who->player && m.as.self.kind == SELF_CHANGED &&
                 m.as.self.look == what;
    }
    return count;
}

static uint32_t
changes_told(const struct cluster *c, const struct link_home *who, uint8_t what)
{
    return changes_told_by(c, 1, who, what);
}

static void
lose_hints(struct cluster *c)
{
    memory_store_set_knobs(c->store, &(struct memory_store_knobs){.get_us_max = 500,
                                                                  .commit_us_max = 2000,
                                                                  .hint_lost_ppm = 1000000});
}

static void
test_a_change_elsewhere_reaches_the_screen(void **state)
{
    struct cluster *c = *state;
    struct link_home one = cluster_enter(c, 0, 5), other = cluster_enter(c, 1, 6);
    do_for(c, &one, 1, 'g', &other);
    do_for(c, &one, 2, 'm', &other);
    assert_int_equal(changes_told(c, &other, SEOM__SHOW_KIND__SHOW_BAG), 1);
    assert_int_equal(changes_told(c, &other, SEOM__SHOW_KIND__SHOW_INBOX), 1);
}

static void
test_without_hints_it_is_healed(void **state)
{
    struct cluster *c = *state;
    struct link_home one = cluster_enter(c, 0, 5), other = cluster_enter(c, 1, 6);
    cluster_run(c, 1000);
    lose_hints(c);
    for (uint32_t i = 0; i < 3; i++) {
        do_for(c, &one, 2 * i + 1, 'g', &other);
        do_for(c, &one, 2 * i + 2, 'm', &other);
        cluster_run(c, HEALED_MS - 600);
        assert_int_equal(changes_told(c, &other, SEOM__SHOW_KIND__SHOW_BAG), i + 1);
        assert_int_equal(changes_told(c, &other, SEOM__SHOW_KIND__SHOW_INBOX), i + 1);
    }
}

/* Alone in its shard, a home hears the less of what others write. */
static void
test_homes_of_other_shards_write_too(void **state)
{
    struct cluster *c = *state;
    struct node other_shard = *book_find(&c->book, c->homes[1].epoch);
    assert_true(book_remove(&c->book, other_shard.epoch));
    other_shard.shard++;
    assert_int_equal(book_put(&c->book, &other_shard), OK);
    c->book.revision++;
    cluster_run(c, 2000);
    test_without_hints_it_is_healed(state);
}

static void
resume(struct cluster *c, uint32_t home, const struct link_home *who, uint64_t conn)
{
    struct link_message m = {.kind = LINK_ENTER,
                             .as.enter = {.conn = conn,
                                          .flags = ENTER_DECIDED | ENTER_RESUME,
                                          .island = who->island,
                                          .look = who->look,
                                          .motion = who->motion,
                                          .session_epoch = who->session_epoch,
                                          .ticket_bytes = TICKET_BYTES}};
    memcpy(m.as.enter.ticket, who->ticket, TICKET_BYTES);
    cluster_hear(c, home, &m);
    cluster_run(c, 500);
}

/* A client that stays on its line asks for nothing anew: what its former home did not tell any
 * more, the next one tells. */
static void
test_a_session_that_goes_on_misses_nothing(void **state)
{
    struct cluster *c = *state;
    struct link_home one = cluster_enter(c, 0, 5), other = cluster_enter(c, 1, 6);
    cluster_run(c, 1000);
    lose_hints(c);
    do_for(c, &one, 1, 'g', &other);
    do_for(c, &one, 2, 'm', &other);
    assert_int_equal(changes_told(c, &other, SEOM__SHOW_KIND__SHOW_INBOX), 0);
    resume(c, 0, &other, 6);
    assert_int_equal(changes_told_by(c, 0, &other, SEOM__SHOW_KIND__SHOW_BAG), 1);
    assert_int_equal(changes_told_by(c, 0, &other, SEOM__SHOW_KIND__SHOW_INBOX), 1);
}

/* The link to the gate broke with the word on its way, and the session goes on where it was. */
static void
test_what_a_broken_link_lost_is_told_again(void **state)
{
    struct cluster *c = *state;
    struct link_home one = cluster_enter(c, 0, 5), other = cluster_enter(c, 1, 6);
    cluster_run(c, 1000);
    do_for(c, &one, 1, 'g', &other);
    do_for(c, &one, 2, 'm', &other);
    assert_int_equal(changes_told(c, &other, SEOM__SHOW_KIND__SHOW_INBOX), 1);
    resume(c, 1, &other, 6);
    assert_int_equal(changes_told(c, &other, SEOM__SHOW_KIND__SHOW_BAG), 2);
    assert_int_equal(changes_told(c, &other, SEOM__SHOW_KIND__SHOW_INBOX), 2);
}

/* The store is away when what stands in the inbox is looked at first, and mail comes meanwhile. */
static void
test_a_first_look_that_comes_late_misses_nothing(void **state)
{
    struct cluster *c = *state;
    struct link_home one = cluster_enter(c, 0, 5);
    struct link_message m = {.kind = LINK_ENTER, .as.enter = {.conn = 6, .flags = ENTER_DECIDED}};
    cluster_hear(c, 1, &m);
    while (!home_told(&c->homes[1], LINK_HOME, 0, &m)) {
        cluster_run(c, 1);
    }
    struct link_home other = m.as.home;
    assert_int_equal(other.code, SEOM__CODE__FINE);
    memory_store_set_knobs(c->store, &(struct memory_store_knobs){.unavailable_ppm = 1000000});
    cluster_run(c, 1000);
    lose_hints(c);
    do_for(c, &one, 1, 'm', &other);
    cluster_run(c, HEALED_MS);
    assert_int_equal(changes_told(c, &other, SEOM__SHOW_KIND__SHOW_INBOX), 1);
}

/* Two gets in half a minute for each who does nothing, and none where nobody else could write. */
static void
test_what_healing_costs(void **state)
{
    struct cluster *c = *state;
    for (uint32_t i = 0; i < 8; i++) {
        cluster_enter(c, 0, 5 + i);
    }
    cluster_run(c, 60000);
    uint64_t before = world_stats(c->homes[0].world)->reads_healing;
    cluster_run(c, 300000);
    uint64_t reads = world_stats(c->homes[0].world)->reads_healing - before;
    assert_in_range(reads, 8 * 2 * 9, 8 * 2 * 11);
    assert_true(book_remove(&c->book, c->homes[1].epoch));
    c->book.revision++;
    cluster_run(c, 2000);
    before = world_stats(c->homes[0].world)->reads_healing;
    cluster_run(c, 60000);
    assert_int_equal(world_stats(c->homes[0].world)->reads_healing, before);
}

/* Whoever enters elsewhere has no second avatar for long, even if nothing is ever told. */
static void
test_a_session_ends_that_another_home_took(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 5);
    struct link_self last = {0};
    for (uint32_t round = 0; round < 2; round++) {
        uint32_t from = round, to = 1 - round;
        struct link_message m = {.kind = LINK_ENTER,
                                 .as.enter = cluster_login(&who, 77, ENTER_DECIDED)};
        cluster_hear(c, to, &m);
        cluster_run(c, round == 0 ? 300 : HEALED_MS);
        assert_null(avatar_find(c->homes[from].world, who.player));
        assert_non_null(avatar_find(c->homes[to].world, who.player));
        assert_int_equal(home_selves(&c->homes[from], who.player, SELF_END, &last), 1);
        assert_int_equal(last.code, SEOM__CODE__REPLACED);
        assert_int_equal(home_selves(&c->homes[to], who.player, SELF_END, &last), 0);
        cluster_forget(c);
        lose_hints(c);
    }
}

/* The newer connection at the same home is no other home's claim. */
static void
test_our_own_claim_ends_nothing(void **state)
{
    struct cluster *c = *state;
    struct link_home who = cluster_enter(c, 0, 5);
    for (uint32_t i = 0; i < 10; i++) {
        struct link_message m = {.kind = LINK_ENTER,
                                 .as.enter = cluster_login(&who, 77, ENTER_DECIDED)};
        cluster_hear(c, 0, &m);
        cluster_run(c, 300 + 7 * (int64_t)i);
        const struct avatar *a = avatar_find(c->homes[0].world, who.player);
        assert_non_null(a);
        assert_false(a->lingering);
        assert_int_equal(a->session_epoch, who.session_epoch + i + 1);
    }
    assert_int_equal(world_stats(c->homes[0].world)->leaves, 0);
}

/* ---- chunks ---- */

/* Somebody else wrote what lies there: told by the steward, by a hint within a second, else when
 * all chunks have been read once more. */
static void
check_foreign_chunk(struct cluster *c, int64_t within_ms)
{
    struct link_home who = cluster_enter(c, 0, 5);
    struct place at = {4 * 3 * CHUNK_MM + 5000, 4 * 3 * CHUNK_MM + 5000};
    topic_id block = topic_of(archipelago_find(&c->islands, SCENE_ISLAND), at);
    uint32_t steward = claim_candidate(c->homes[0].world, block) == c->homes[0].epoch ? 0 : 1;
    cluster_put(c, 0, &who, at);
    cluster_listen(c, true, 1, block, true);
    cluster_run(c, 1000);
    /* The other home runs it itself: there is no link. */
    uint32_t other = 1 - steward;
    if (other == 0) {
        home_cut(c, 1, false);
    } else {
        struct link_message m = {.kind = LINK_ENTER,
                                 .as.enter = cluster_login(&who, 6, ENTER_DECIDED)};
        cluster_hear(c, 1, &m);
        cluster_run(c, 300);
        who.session_epoch++;
        cluster_put(c, 1, &who, at);
        home_cut(c, 0, false);
    }
    struct link_self last = {0};
    ask(c, other, &who, 1, scene_text("d"));
    cluster_forget(c);
    cluster_run(c, 300);
    assert_int_equal(home_selves(&c->homes[other], who.player, SELF_RESULT, &last), 1);
    assert_int_equal(last.code, SEOM__CODE__FINE);
    cluster_run(c, within_ms - 300);
    struct link_message m;
    uint32_t told = 0;
    for (uint32_t n = 0; home_told(&c->homes[steward], LINK_BATCH, n, &m); n++) {
        struct reader in = reader_over(m.as.batch.records.at, m.as.batch.records.bytes);
        struct record r;
        while (reader_left(&in) > 0) {
            assert_int_equal(batch_next(&in, m.as.batch.tick_ms, &r), OK);
            told += r.kind == RECORD_THING && r.as.thing.kind == SCENE_GOODS;
        }
    }
    assert_int_equal(told, 1);
}

static void
test_a_chunk_that_others_wrote_is_read_again(void **state)
{
    check_foreign_chunk(*state, 1000);
}

static void
test_a_chunk_is_healed(void **state)
{
    lose_hints(*state);
    check_foreign_chunk(*state, HEALED_MS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_change_elsewhere_reaches_the_screen, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_without_hints_it_is_healed, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_homes_of_other_shards_write_too, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_a_session_that_goes_on_misses_nothing, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_what_a_broken_link_lost_is_told_again, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_a_first_look_that_comes_late_misses_nothing,
                                        cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_what_healing_costs, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_a_session_ends_that_another_home_took, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_our_own_claim_ends_nothing, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_a_chunk_that_others_wrote_is_read_again, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_a_chunk_is_healed, cluster_open, cluster_close),
    };
    return cmocka_run_group_tests_name("hint", tests, NULL, NULL);
}
