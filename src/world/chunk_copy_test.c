#include "world/value_fixture.h"

/* The middle of a chunk with a plant, and its block. */
#define HERE_MM 135000
#define CHUNK   4

static topic_id
here(void)
{
    return topic_make(SCENE_ISLAND, 1, 1);
}

static struct link_home
enter_here(struct scene *s)
{
    struct link_home who = scene_enter(s, 0, 11, NULL);
    assert_int_equal(who.code, SEOM__CODE__FINE);
    scene_put(s, &who, (struct place){HERE_MM, HERE_MM});
    return who;
}

static void
test_things_of_a_document_are_told(void **state)
{
    struct scene *s = *state;
    struct link_home who = enter_here(s);
    scene_listen(s, 0, true, here());
    scene_run(s, 100);
    struct scene_known known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_PLANT, 0), 8);
    assert_int_equal(known.count, 8);
    assert_int_equal(scene_do(s, 0, &who, 1, "d"), SEOM__CODE__FINE);
    known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_GOODS, 0), 1);
    assert_int_equal(known.count, 9);
    assert_int_equal(world_stats(s->world)->things, 8 * 2 + 1);
    /* A later one is told by a snapshot. */
    scene_listen(s, 1, false, here());
    scene_run(s, 50);
    known = scene_known(s, 1, here());
    assert_int_equal(known_count(&known, SCENE_GOODS, 0), 1);
    assert_int_equal(scene_do(s, 0, &who, 2, "t"), SEOM__CODE__FINE);
    for (uint32_t gate = 0; gate < 2; gate++) {
        known = scene_known(s, gate, here());
        assert_int_equal(known_count(&known, SCENE_GOODS, 0), 0);
        assert_int_equal(known.count, 8);
    }
    assert_int_equal(world_stats(s->world)->things, 8 * 2);
}

static void
test_what_is_picked_changes_at_once_and_grows_again(void **state)
{
    struct scene *s = *state;
    struct link_home who = enter_here(s);
    scene_listen(s, 0, true, here());
    assert_int_equal(scene_do(s, 0, &who, 1, "p"), SEOM__CODE__FINE);
    struct scene_known known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_PLANT, SCENE_BARE), 1);
    assert_int_equal(known_count(&known, SCENE_PLANT, 0), 8);
    scene_run(s, SCENE_GROW_MS - 1000);
    assert_int_equal(world_stats(s->world)->jobs, 0);
    scene_run(s, 1500);
    known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_PLANT, SCENE_BARE), 0);
    assert_int_equal(known_count(&known, SCENE_PLANT, 0), 8);
    assert_int_equal(world_stats(s->world)->jobs, 1);
    scene_run(s, 10000);
    assert_int_equal(world_stats(s->world)->jobs, 1); /* it was enough */
}

/* The job is due in a chunk that sleeps: it runs when somebody wakes it. */
static void
test_jobs_wait_for_the_store_and_for_waking(void **state)
{
    struct scene *s = *state;
    struct link_home who = enter_here(s);
    assert_int_equal(scene_do(s, 0, &who, 1, "p"), SEOM__CODE__FINE);
    scene_run(s, 60000);
    assert_int_equal(world_stats(s->world)->jobs, 0);
    scene_listen(s, 0, true, here());
    scene_run(s, 200);
    struct scene_known known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_PLANT, SCENE_BARE), 0);
    assert_int_equal(scene_do(s, 0, &who, 2, "p"), SEOM__CODE__FINE);
    memory_store_set_away(s->store, true);
    scene_run(s, 30000);
    assert_true(world_stats(s->world)->jobs_failed >= 2);
    known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_PLANT, SCENE_BARE), 1);
    memory_store_set_away(s->store, false);
    scene_run(s, 15000);
    known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_PLANT, SCENE_BARE), 0);
    assert_int_equal(known_count(&known, SCENE_PLANT, 0), 8);
}

/* Another process was quicker with the fruit: our copy is old, and is read again. */
static void
test_a_job_that_finds_nothing_to_do_reads_again(void **state)
{
    struct scene *s = *state;
    struct link_home who = enter_here(s);
    scene_listen(s, 0, true, here());
    assert_int_equal(scene_do(s, 0, &who, 1, "p"), SEOM__CODE__FINE);
    Seom__ChunkDocument chunk = SEOM__CHUNK_DOCUMENT__INIT;
    struct key key = chunk_key(1, chunk_id(SCENE_ISLAND, CHUNK, CHUNK));
    scene_write_message(s, &key, &chunk.base);
    struct scene_known known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_PLANT, SCENE_BARE), 1);
    scene_run(s, SCENE_GROW_MS + 1000);
    known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_PLANT, SCENE_BARE), 0);
    assert_int_equal(world_stats(s->world)->jobs, 1);
}

/* What a command wrote is newer than what was being read meanwhile; and when nobody knows what it
 * left there, what is being read may be too old. */
static void
test_commands_overtake_reads(void **state)
{
    struct scene *s = *state;
    enter_here(s);
    Seom__ChunkThing thing = SEOM__CHUNK_THING__INIT, *things[] = {&thing};
    thing.id = 1234;
    thing.x_mm = thing.y_mm = HERE_MM;
    Seom__ChunkDocument document = SEOM__CHUNK_DOCUMENT__INIT;
    document.things = things;
    document.n_things = 1;
    uint8_t bytes[64];
    struct slice value = {bytes, seom__chunk_document__pack(&document, bytes)};
    uint64_t chunk = chunk_id(SCENE_ISLAND, CHUNK, CHUNK);
    scene_listen(s, 0, true, here());
    copy_wrote(s->world, chunk, 2, true, value); /* the store has none: its answer is older */
    scene_run(s, 100);
    struct scene_known known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_GOODS, 0), 1);
    assert_int_equal(world_stats(s->world)->chunk_reads, 16);
    copy_wrote(s->world, chunk, 1, false, (struct slice){0}); /* old news */
    scene_run(s, 100);
    known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_GOODS, 0), 1);
    copy_wrote(s->world, chunk, 0, false, (struct slice){0}); /* read it */
    assert_int_equal(world_stats(s->world)->chunk_reads, 17);
    copy_wrote(s->world, chunk, 0, false, (struct slice){0}); /* once more */
    scene_run(s, 100);
    assert_int_equal(world_stats(s->world)->chunk_reads, 18);
}

static void
test_asleep_nothing_is_kept_and_awake_all_is_there(void **state)
{
    struct scene *s = *state;
    struct link_home who = enter_here(s);
    scene_listen(s, 0, true, here());
    scene_run(s, 100);
    assert_int_equal(s->world->copies.used, 16);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        assert_int_equal(scene_do(s, 0, &who, seq, "d"), SEOM__CODE__FINE);
    }
    scene_subscribe(s, 0, (struct scene_set){.epoch = 7, .version = 2, .wakes = true}, NULL, 0,
                    &(topic_id){here()}, 1);
    scene_run(s, 11000);
    assert_int_equal(world_stats(s->world)->chunks_awake, 0);
    assert_int_equal(world_stats(s->world)->things, 0);
    assert_int_equal(s->world->copies.used, 0);
    for (uint32_t i = 0; i < BUFFERS_SIZES; i++) {
        assert_int_equal(s->world->buffers.pools[i].used, 0);
    }
    assert_int_equal(scene_do(s, 0, &who, 4, "d"), SEOM__CODE__FINE); /* nobody looks */
    scene_forget(s);
    scene_listen(s, 2, true, here());
    scene_run(s, 100);
    struct scene_known known = scene_known(s, 2, here());
    assert_int_equal(known_count(&known, SCENE_GOODS, 0), 4);
    assert_int_equal(world_stats(s->world)->things, 8 * 2 + 4);
}

/* The store is away when they wake: the closed forms are there, and everything once it answers. */
static void
test_wakes_without_a_store(void **state)
{
    struct scene *s = *state;
    struct link_home who = enter_here(s);
    assert_int_equal(scene_do(s, 0, &who, 1, "d"), SEOM__CODE__FINE);
    memory_store_set_away(s->store, true);
    scene_forget(s);
    scene_listen(s, 0, true, here());
    scene_run(s, 60000);
    struct scene_known known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_PLANT, 0), 8);
    assert_int_equal(known.count, 8);
    uint64_t tries = world_stats(s->world)->chunk_reads;
    assert_true(tries >= 5 * 16 && tries <= 14 * 16); /* later and later */
    memory_store_set_away(s->store, false);
    scene_run(s, 9000);
    known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_GOODS, 0), 1);
    assert_int_equal(known.count, 9);
}

static bool
is_settled(const struct scene *s, const struct link_home *who, uint64_t seq)
{
    struct link_message m;
    return scene_self(s, 0, who->player, SELF_RESULT, &m) && m.as.self.seq == seq &&
           m.as.self.code != SEOM__CODE__RETRY_AFTER;
}

/* Reads and commands in every order, with commits whose end nobody knows: when all is quiet, every
 * gate knows what stands in the store. */
static void
test_everybody_ends_up_with_the_truth(void **state)
{
    struct scene *s = *state;
    struct link_home who = enter_here(s);
    uint64_t seq = 1;
    uint32_t rounds_with_goods = 0;
    for (uint32_t round = 0; round < 40; round++) {
        struct memory_store_knobs faults = {.get_us_max = 30000,
                                            .commit_us_max = 30000,
                                            .unknown_done_ppm = 300000,
                                            .unknown_lost_ppm = 100000,
                                            .unavailable_ppm = 100000};
        memory_store_set_knobs(s->store, &faults);
        bool on = round % 3 != 2;
        scene_subscribe(
            s, 0,
            (struct scene_set){.epoch = 7, .version = round + 1, .whole = true, .wakes = true},
            &(topic_id){here()}, on, NULL, 0);
        scene_forget(s);
        for (uint32_t i = 0; i < 6; i++) {
            scene_ask(s, 0, &who, seq, scene_text(rand_mix(seq, 1) % 5 < 3 ? "d" : "t"));
            scene_run(s, (int64_t)(env_random(&s->env) % 200));
            seq += is_settled(s, &who, seq);
        }
        memory_store_set_knobs(s->store, &(struct memory_store_knobs){.get_us_max = 500});
        scene_run(s, 9000);
        seq += is_settled(s, &who, seq);
        if (!on) {
            continue;
        }
        scene_listen(s, 1, false, here()); /* a snapshot of now */
        scene_run(s, 50);
        struct scene_known now = scene_known(s, 1, here());
        struct key key = chunk_key(1, chunk_id(SCENE_ISLAND, CHUNK, CHUNK));
        struct store_doc doc = memory_store_look(s->store, key_slice(&key));
        struct scratch scratch;
        scratch_init(&scratch);
        const Seom__ChunkDocument *chunk = seom__chunk_document__unpack(
            &scratch.allocator, doc.value.bytes, doc.exists ? doc.value.at : NULL);
        assert_non_null(chunk);
        assert_int_equal(known_count(&now, SCENE_GOODS, 0), chunk->n_things);
        struct scene_known steps = scene_known(s, 0, here());
        if (round % 3 == 0) { /* from its first snapshot on */
            assert_int_equal(known_count(&steps, SCENE_GOODS, 0), chunk->n_things);
        }
        rounds_with_goods += chunk->n_things > 0;
        scene_subscribe(s, 1,
                        (struct scene_set){.epoch = 7, .version = 1, .whole = true, .wakes = false},
                        NULL, 0, NULL, 0);
    }
    assert_true(rounds_with_goods > 5 && seq > 100);
    assert_true(world_commands_stats(s->world)->unknown > 5);
}

/* What is told step by step is what a snapshot tells. */
static void
test_steps_and_snapshots_agree(void **state)
{
    struct scene *s = *state;
    struct link_home who = enter_here(s);
    scene_listen(s, 0, true, here());
    scene_run(s, 100);
    for (uint64_t seq = 1; seq <= 30; seq++) {
        scene_do(s, 0, &who, seq, env_random(&s->env) % 5 < 3 ? "d" : "t");
    }
    struct scene_known steps = scene_known(s, 0, here());
    scene_listen(s, 1, false, here());
    scene_run(s, 50);
    struct scene_known snapshot = scene_known(s, 1, here());
    assert_true(known_count(&snapshot, SCENE_GOODS, 0) > 0);
    assert_int_equal(steps.count, snapshot.count);
    for (uint32_t i = 0; i < snapshot.count; i++) {
        known_remove(&steps, snapshot.things[i].entity);
    }
    assert_int_equal(steps.count, 0);
}

static void
test_a_document_that_is_none_hides_nothing(void **state)
{
    struct scene *s = *state;
    struct link_home who = enter_here(s);
    struct key key = chunk_key(1, chunk_id(SCENE_ISLAND, CHUNK, CHUNK));
    scene_write(s, &key, scene_text("\xff\xff\xff"));
    scene_listen(s, 0, true, here());
    scene_run(s, 100);
    struct scene_known known = scene_known(s, 0, here());
    assert_int_equal(known_count(&known, SCENE_PLANT, 0), 8);
    assert_int_equal(world_stats(s->world)->chunks_unreadable, 1);
    assert_int_equal(scene_do(s, 0, &who, 1, "d"), SEOM__CODE__UNREADABLE);
    scene_run(s, 1000);
    assert_int_equal(scene_selves(s, 0, who.player, SELF_LOBBY), 0); /* it is not the player's */
    assert_int_equal(scene_do(s, 0, &who, 1, "x"), SEOM__CODE__TOO_FAR);
}

#define IN_SCENE(name) cmocka_unit_test_setup_teardown(name, value_open, scene_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENE(test_things_of_a_document_are_told),
        IN_SCENE(test_what_is_picked_changes_at_once_and_grows_again),
        IN_SCENE(test_jobs_wait_for_the_store_and_for_waking),
        IN_SCENE(test_a_job_that_finds_nothing_to_do_reads_again),
        IN_SCENE(test_commands_overtake_reads),
        IN_SCENE(test_asleep_nothing_is_kept_and_awake_all_is_there),
        IN_SCENE(test_wakes_without_a_store),
        IN_SCENE(test_everybody_ends_up_with_the_truth),
        IN_SCENE(test_steps_and_snapshots_agree),
        IN_SCENE(test_a_document_that_is_none_hides_nothing),
    };
    return cmocka_run_group_tests_name("chunk_copy", tests, NULL, NULL);
}
