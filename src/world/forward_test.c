#include "world/cluster_fixture.h"

/* The middle of a block whose steward is this home. */
static struct place
place_of(const struct cluster *c, uint32_t number)
{
    for (uint16_t n = 0; n < 25; n++) {
        struct place at = {(n % 5 * BLOCK_CHUNKS + 1) * CHUNK_MM + 5000,
                           (n / 5 * BLOCK_CHUNKS + 1) * CHUNK_MM + 5000};
        topic_id block = topic_make(SCENE_ISLAND, n % 5, n / 5);
        if (claim_candidate(c->homes[0].world, block) == c->homes[number].epoch &&
            island_is_land(archipelago_find(&c->islands, SCENE_ISLAND), at)) {
            return at;
        }
    }
    fail_msg("no block for this home");
    return (struct place){0};
}

/* Somebody whose home is the first one and who stands where `steward` looks after the things. */
static struct link_home
somebody(struct cluster *c, uint64_t conn, uint32_t steward)
{
    struct link_home who = cluster_enter(c, 0, conn);
    cluster_put(c, 0, &who, place_of(c, steward));
    return who;
}

static void
ask(struct cluster *c, const struct link_home *who, uint64_t seq, const char *body)
{
    cluster_input(
        c, 0, who,
        (struct link_input){.kind = INPUT_COMMAND, .seq = seq, .bytes = scene_text(body)});
}

/* The last result; code UINT8_MAX: none for this seq. */
static struct link_self
result_of(const struct cluster *c, const struct link_home *who, uint64_t seq)
{
    struct link_self last = {0};
    home_selves(&c->homes[0], who->player, SELF_RESULT, &last);
    if (last.seq != seq) {
        last.code = UINT8_MAX;
    }
    return last;
}

static uint8_t
run(struct cluster *c, const struct link_home *who, uint64_t seq, const char *body)
{
    ask(c, who, seq, body);
    cluster_run(c, 300);
    return result_of(c, who, seq).code;
}

/* What lies in the chunk. */
static size_t
things_at_place(const struct cluster *c, struct place at)
{
    uint64_t chunk;
    assert_true(chunk_of_place(SCENE_ISLAND, at, &chunk));
    struct key key = chunk_key(1, chunk);
    struct store_doc doc = memory_store_look(c->store, key_slice(&key));
    Seom__ChunkDocument *document =
        doc.exists ? seom__chunk_document__unpack(NULL, doc.value.bytes, doc.value.at) : NULL;
    size_t count = document == NULL ? 0 : document->n_things;
    if (document != NULL) {
        seom__chunk_document__free_unpacked(document, NULL);
    }
    return count;
}

static const struct world_stats *
stats_of(const struct cluster *c, uint32_t number)
{
    return world_stats(c->homes[number].world);
}

static uint64_t
asked_of(const struct cluster *c, uint32_t number)
{
    return world_commands_stats(c->homes[number].world)->asked;
}

static void
test_the_steward_runs_it(void **state)
{
    struct cluster *c = *state;
    struct link_home who = somebody(c, 5, 1);
    struct link_self last;
    c->link_us = 150000; /* the store's hint comes first */
    cluster_forget(c);
    assert_int_equal(run(c, &who, 1, "d"), SEOM__CODE__FINE);
    assert_memory_equal(result_of(c, &who, 1).bytes.at, "dropped", 7);
    assert_int_equal(stats_of(c, 0)->commands_forwarded, 1);
    assert_int_equal(stats_of(c, 1)->commands_served, 1);
    assert_int_equal(asked_of(c, 0), 0);
    assert_int_equal(asked_of(c, 1), 1);
    assert_int_equal(things_at_place(c, place_of(c, 1)), 1);
    /* What it wrote is no news of others. */
    cluster_run(c, 1000);
    assert_int_equal(home_selves(&c->homes[0], who.player, SELF_CHANGED, &last), 0);
    struct key key = key_make(1, KEY_CLASS_PLAYER, who.player);
    assert_int_equal(avatar_find(c->homes[0].world, who.player)->versions[0],
                     memory_store_look(c->store, key_slice(&key)).version);
    assert_int_equal(run(c, &who, 1, "d"), SEOM__CODE__FINE); /* again: the same answer */
    assert_int_equal(run(c, &who, 2, "t"), SEOM__CODE__FINE);
    assert_int_equal(things_at_place(c, place_of(c, 1)), 0);
    assert_int_equal(stats_of(c, 0)->commands_forwarded, 3);
}

static void
test_what_is_not_around_stays_at_home(void **state)
{
    struct cluster *c = *state;
    struct link_home who = somebody(c, 5, 1);
    assert_int_equal(run(c, &who, 1, "x"), SEOM__CODE__TOO_FAR);
    cluster_put(c, 0, &who, place_of(c, 0));
    assert_int_equal(run(c, &who, 2, "d"), SEOM__CODE__FINE);
    assert_int_equal(stats_of(c, 0)->commands_forwarded, 0);
    assert_int_equal(asked_of(c, 0), 2);
}

static void
test_a_refusal_is_run_at_home(void **state)
{
    struct cluster *c = *state;
    struct link_home who = somebody(c, 5, 1);
    c->homes[1].world->stopping = true;
    assert_int_equal(run(c, &who, 1, "d"), SEOM__CODE__FINE);
    assert_int_equal(stats_of(c, 0)->forwards_rejected, 1);
    assert_int_equal(asked_of(c, 0), 1);
    assert_int_equal(asked_of(c, 1), 0);
    assert_int_equal(things_at_place(c, place_of(c, 1)), 1);
}

/* Where the books differ, nobody runs what he does not believe to be his. */
static void
test_a_node_with_another_book_refuses(void **state)
{
    struct cluster *c = *state;
    struct link_home who = somebody(c, 5, 1);
    struct claims *claims = &c->homes[1].world->claims;
    claims->homes[0] = c->homes[0].epoch;
    claims->homes_count = 1;
    assert_int_equal(run(c, &who, 1, "d"), SEOM__CODE__FINE);
    assert_int_equal(stats_of(c, 1)->commands_served, 0);
    assert_int_equal(asked_of(c, 0), 1);
}

/* Stopped when the request comes, it does it once it can: by then it has been done. */
static void
test_a_late_steward_does_no_harm(void **state)
{
    struct cluster *c = *state;
    struct link_home who = somebody(c, 5, 1);
    struct link_self last;
    home_pause(c, 1, 3000);
    ask(c, &who, 1, "d");
    cluster_run(c, 1400);
    assert_int_equal(result_of(c, &who, 1).code, UINT8_MAX);
    cluster_run(c, 500); /* who waits is told to come again */
    assert_int_equal(result_of(c, &who, 1).code, SEOM__CODE__RETRY_AFTER);
    cluster_run(c, 400);
    assert_int_equal(result_of(c, &who, 1).code, SEOM__CODE__FINE);
    assert_int_equal(stats_of(c, 0)->forwards_late, 1);
    /* The next one does not wait for it again. */
    assert_int_equal(run(c, &who, 2, "d"), SEOM__CODE__FINE);
    assert_int_equal(stats_of(c, 0)->commands_forwarded, 1);
    cluster_run(c, 3000);
    assert_int_equal(things_at_place(c, place_of(c, 1)), 2);
    assert_int_equal(home_selves(&c->homes[0], who.player, SELF_RESULT, &last), 3);
    assert_int_equal(run(c, &who, 3, "d"), SEOM__CODE__FINE);
    assert_int_equal(stats_of(c, 0)->commands_forwarded, 2);
}

static void
test_a_dead_steward_is_not_waited_for(void **state)
{
    struct cluster *c = *state;
    struct link_home who = somebody(c, 5, 1);
    struct place at = place_of(c, 1);
    home_pause(c, 1, 60000);
    ask(c, &who, 1, "d");
    cluster_run(c, 100);
    home_cut(c, 1, true);
    cluster_run(c, 100);
    assert_int_equal(result_of(c, &who, 1).code, SEOM__CODE__FINE);
    assert_int_equal(things_at_place(c, at), 1);
    assert_int_equal(run(c, &who, 2, "d"), SEOM__CODE__FINE); /* now it is the candidate itself */
    assert_int_equal(stats_of(c, 0)->commands_forwarded, 1);
}

/* The client asks once more while it is on its way. */
static void
test_repetitions_are_one(void **state)
{
    struct cluster *c = *state;
    struct link_home who = somebody(c, 5, 1);
    struct link_self last;
    for (int i = 0; i < 3; i++) {
        ask(c, &who, 1, "d");
    }
    cluster_run(c, 300);
    assert_int_equal(stats_of(c, 0)->commands_repeated, 2);
    assert_int_equal(home_selves(&c->homes[0], who.player, SELF_RESULT, &last), 1);
    assert_int_equal(things_at_place(c, place_of(c, 1)), 1);
}

/* It asks for a session that is over by then: no effect, and here too the session ends. */
static void
test_a_session_that_moved_on(void **state)
{
    struct cluster *c = *state;
    struct link_home who = somebody(c, 5, 1);
    struct link_message m = {.kind = LINK_ENTER,
                             .as.enter = cluster_login(&who, 77, ENTER_DECIDED)};
    struct link_self last;
    memory_store_set_knobs(c->store, &(struct memory_store_knobs){.get_us_max = 500,
                                                                  .commit_us_max = 2000,
                                                                  .hint_lost_ppm = 1000000});
    cluster_hear(c, 1, &m);
    cluster_run(c, 300);
    cluster_hear(c, 0,
                 &(struct link_message){.kind = LINK_INPUT,
                                        .as.input = {.player = who.player,
                                                     .session_epoch = who.session_epoch,
                                                     .kind = INPUT_COMMAND,
                                                     .seq = 1,
                                                     .bytes = scene_text("d")}});
    cluster_run(c, 300);
    assert_int_equal(stats_of(c, 0)->commands_forwarded, 1);
    assert_int_equal(things_at_place(c, place_of(c, 1)), 0);
    assert_null(avatar_find(c->homes[0].world, who.player));
    assert_non_null(avatar_find(c->homes[1].world, who.player));
    assert_int_equal(home_selves(&c->homes[0], who.player, SELF_RESULT, &last), 0);
    assert_int_equal(home_selves(&c->homes[0], who.player, SELF_END, &last), 1);
    assert_int_equal(last.code, SEOM__CODE__REPLACED);
}

static void
nonsense_answered(void *ctx, uint64_t n, enum request_end end, bool part, struct slice body)
{
    (void)n;
    (void)body;
    assert_false(part);
    ((uint32_t *)ctx)[end]++;
}

/* Bytes of a peer are never asserted on: what is none is refused, what is none of a home's answers
 * is as good as no answer. */
static void
test_nonsense_is_refused(void **state)
{
    struct cluster *c = *state;
    struct rand rand;
    uint32_t ends[REQUEST_LATE + 1] = {0};
    struct place at = place_of(c, 1);
    rand_seed(&rand, 5);
    for (uint32_t i = 0; i < 1000; i++) {
        uint8_t bytes[64];
        size_t n = rand_below(&rand, sizeof bytes);
        for (size_t k = 0; k < sizeof bytes; k++) {
            bytes[k] = (uint8_t)rand_next(&rand);
        }
        bytes[0] = i % 8 != 0; /* the format */
        if (i % 2 == 0) {      /* something that is right so far */
            struct writer island = writer_over(bytes + 25, 4), place = writer_over(bytes + 30, 8);
            write_u32(&island, SCENE_ISLAND);
            write_i32(&place, at.x_mm);
            write_i32(&place, at.y_mm);
        }
        assert_int_equal(requests_ask(c->homes[0].requests, home_peer(&c->homes[1]),
                                      REQUEST_COMMAND, (struct slice){bytes, n}, FORWARD_US,
                                      nonsense_answered, ends, i),
                         OK);
        cluster_run(c, 10);
    }
    cluster_run(c, 3000);
    assert_int_equal(ends[REQUEST_DONE] + ends[REQUEST_REJECTED] + ends[REQUEST_LATE], 1000);
    assert_in_range(ends[REQUEST_DONE], 50, 400); /* commands of players that there are not */
    assert_int_equal(ends[REQUEST_LATE], 0);
    assert_int_equal(stats_of(c, 1)->commands_served, ends[REQUEST_DONE]);
}

static void
answer_nonsense(void *ctx, uint32_t peer, uint64_t job, struct slice body, int64_t deadline_us)
{
    static const uint8_t bytes[18] = {1, 255};
    (void)peer;
    (void)body;
    (void)deadline_us;
    requests_reply(ctx, job, false, (struct slice){bytes, sizeof bytes});
}

static void
test_a_nonsensical_answer_is_none(void **state)
{
    struct cluster *c = *state;
    struct link_home who = somebody(c, 5, 1);
    requests_serve(c->homes[1].requests, REQUEST_COMMAND, answer_nonsense, c->homes[1].requests);
    assert_int_equal(run(c, &who, 1, "d"), SEOM__CODE__FINE);
    assert_int_equal(asked_of(c, 0), 1);
}

/* ---- exactly once ---- */

#define CROWD 4

/* People who drop things, one after the other, each asking until it is told something final; the
 * steward stops now and then for longer than they wait, so that a command is run at two homes at
 * once, and the store answers UNKNOWN to some of it. How many were told that they dropped. */
static uint32_t
drop_things(struct cluster *c, struct link_home who[CROWD], uint32_t rounds)
{
    uint32_t fine = 0, open = 0;
    for (uint32_t n = 0; n < CROWD; n++) {
        who[n] = somebody(c, 5 + n, 1);
    }
    memory_store_set_knobs(c->store, &(struct memory_store_knobs){.get_us_max = 20000,
                                                                  .commit_us_max = 60000,
                                                                  .unknown_done_ppm = 30000,
                                                                  .unknown_lost_ppm = 30000,
                                                                  .unknown_late_ppm = 30000,
                                                                  .twice_ppm = 30000});
    for (uint32_t seq = 1; seq <= rounds; seq++) {
        bool told[CROWD] = {false};
        for (uint32_t tries = 0; tries < 40; tries++) {
            open = 0;
            for (uint32_t n = 0; n < CROWD; n++) {
                struct link_self last = result_of(c, &who[n], seq);
                if (!told[n] && last.code != UINT8_MAX && last.code != SEOM__CODE__RETRY_AFTER) {
                    assert_int_equal(last.code, SEOM__CODE__FINE);
                    told[n] = true;
                    fine++;
                }
                if (!told[n]) {
                    ask(c, &who[n], seq, "d");
                    open++;
                }
            }
            if (open == 0) {
                break;
            }
            if (rand_below(&c->time.rand, 3) == 0) {
                home_pause(c, 1, rand_below(&c->time.rand, 3500));
            }
            cluster_run(c, 1 + rand_below(&c->time.rand, 1500));
        }
        assert_int_equal(open, 0);
        cluster_forget(c);
    }
    return fine;
}

static void
test_exactly_once_at_two_homes(void **state)
{
    (void)state;
    uint64_t late = 0, at_both = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        void *opened = NULL;
        struct link_home who[CROWD];
        cluster_open_with(&opened, 2, seed, WORLD_MUTANT_NONE);
        struct cluster *c = opened;
        struct place at = place_of(c, 1);
        uint32_t fine = drop_things(c, who, 3);
        cluster_run(c, 10000);
        assert_int_equal(fine, 3 * CROWD);
        assert_int_equal(things_at_place(c, at), fine);
        late += stats_of(c, 0)->forwards_late;
        at_both += asked_of(c, 0) > 0 && asked_of(c, 1) > 0;
        cluster_close(&opened);
    }
    assert_true(late > 20 && at_both > 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_steward_runs_it, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_what_is_not_around_stays_at_home, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_a_refusal_is_run_at_home, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_a_node_with_another_book_refuses, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_a_late_steward_does_no_harm, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_a_dead_steward_is_not_waited_for, cluster_open,
                                        cluster_close),
        cmocka_unit_test_setup_teardown(test_repetitions_are_one, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_a_session_that_moved_on, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_nonsense_is_refused, cluster_open, cluster_close),
        cmocka_unit_test_setup_teardown(test_a_nonsensical_answer_is_none, cluster_open,
                                        cluster_close),
        cmocka_unit_test(test_exactly_once_at_two_homes),
    };
    return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
