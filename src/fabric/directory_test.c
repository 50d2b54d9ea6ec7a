/* One fault at a time, on the model of etcd. */
#include "fabric/directory_fleet.h"
#include "fabric/directory_keys.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct slice
text(const char *t)
{
    return (struct slice){(const uint8_t *)t, strlen(t)};
}

static struct fleet *
fleet_of(uint32_t count)
{
    struct fleet *f = fleet_alloc(7, DIRECTORY_MUTANT_NONE);
    for (uint32_t i = 0; i < count; i++)
        (void)fleet_start(f, i, (uint16_t)i, 100 + i);
    fleet_run_ms(f, 1000);
    return f;
}

/* How long until all agree; -1: not within the limit. */
static int64_t
until_agreed_ms(struct fleet *f, int64_t limit_ms)
{
    int64_t start_ms = fleet_now_ms(f);
    while (fleet_now_ms(f) - start_ms < limit_ms) {
        if (fleet_agrees(f))
            return fleet_now_ms(f) - start_ms;
        fleet_run_ms(f, 50);
    }
    return -1;
}

static void
set_losses(struct fleet *f, uint32_t delete_lost_ppm, uint32_t put_lost_ppm)
{
    struct memory_directory_knobs knobs = {.call_us_min = 200,
                                           .call_us_max = 2000,
                                           .watch_us_min = 200,
                                           .watch_us_max = 2000,
                                           .delete_lost_ppm = delete_lost_ppm,
                                           .put_lost_ppm = put_lost_ppm};
    memory_directory_set_knobs(f->model, &knobs);
}

static void
nodes_find_each_other(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(3);
    assert_true(fleet_agrees(f));
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(f->nodes[i].claimed, 1);
    assert_int_equal(f->epochs_twice, 0);
    assert_string_equal(book_find(directory_book(f->nodes[0].directory), f->nodes[2].epoch)->name,
                        "home-0-2");
    fleet_run_ms(f, 120000); /* leases are kept, nothing flaps */
    assert_true(fleet_agrees(f));
    assert_int_equal(f->nodes[1].claimed + f->nodes[1].lost, 1);
    assert_in_range(directory_stats(f->nodes[1].directory).lists, 4, 10);
    assert_in_range(directory_stats(f->nodes[1].directory).keeps, 35, 37); /* a third of 10 s */
    fleet_free(&f);
}

static void
what_a_new_node_waits_for_is_told(void **state)
{
    (void)state;
    static const char *const words[] = {"a lease", "list of who", "process before", "own entry"};
    struct fleet *f = fleet_of(1);
    bool told[4] = {false};
    assert_null(directory_waits(f->nodes[0].directory));
    fleet_kill(f, 0);
    struct fleet_node *n = fleet_start(f, 0, 0, 100); /* its predecessor's entry stands there */
    const char *waits;
    for (uint32_t i = 0; i < 1000 && (waits = directory_waits(n->directory)) != NULL; i++) {
        for (uint32_t w = 0; w < 4; w++)
            told[w] = told[w] || strstr(waits, words[w]) != NULL;
        assert_true(directory_turn(n->directory) >= 0);
        events_run(&f->events, f->events.now_us + 50);
    }
    assert_true(told[0] && told[1] && told[2] && told[3]);
    fleet_run_ms(f, 100);
    assert_null(directory_waits(n->directory));
    memory_directory_set_away(f->model, true);
    fleet_run_ms(f, 20000);
    assert_null(directory_waits(n->directory)); /* it has what it needs */
    int64_t answered_us = directory_stats(n->directory).answered_us;
    assert_in_range(f->events.now_us - answered_us, 15000000, 24000000);
    n = fleet_start(f, 1, 1, 101);
    fleet_run_ms(f, 1000);
    assert_string_equal(directory_waits(n->directory), "it does not answer");
    memory_directory_set_away(f->model, false);
    fleet_run_ms(f, 10000);
    assert_null(directory_waits(n->directory));
    answered_us = directory_stats(f->nodes[0].directory).answered_us;
    assert_in_range(f->events.now_us - answered_us, 0, 4000000);
    fleet_free(&f);
}

static void
what_is_published_can_change(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2);
    f->nodes[0].node.draining = true;
    directory_update(f->nodes[0].directory, &f->nodes[0].node);
    assert_false(fleet_agrees(f));
    assert_in_range(until_agreed_ms(f, 1000), 0, 200);
    assert_int_equal(f->nodes[0].claimed, 1); /* under the same epoch */
    fleet_free(&f);
}

static void
who_leaves_is_gone_at_once(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2);
    directory_leave(f->nodes[0].directory);
    fleet_run_ms(f, 100);
    assert_true(f->nodes[0].left);
    assert_true(fleet_agrees(f));
    fleet_free(&f);
}

static void
who_dies_goes_with_its_lease(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2);
    fleet_kill(f, 0);
    assert_in_range(until_agreed_ms(f, 20000), 6000, 10500);
    fleet_free(&f);
}

/* A watch that tells of nothing at all: the list does. */
static void
a_deaf_watch_is_healed_within_30_s(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(3);
    set_losses(f, 1000000, 1000000);
    directory_leave(f->nodes[0].directory);
    fleet_run_ms(f, 100);
    assert_true(f->nodes[0].left);
    assert_in_range(until_agreed_ms(f, 40000), 1000, 30100);
    assert_true(directory_stats(f->nodes[1].directory).healed > 0);
    fleet_free(&f);
}

/* A watch that falls silent without ending while everything else is answered: the list that finds
 * out what it kept back opens another, or each change would be 30 s late from then on. */
static void
a_silent_watch_is_opened_anew(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(3);
    struct fleet_node *changes = &f->nodes[1];
    memory_directory_cut(f->nodes[0].client, true);
    memory_directory_cut(f->nodes[0].client, false);
    changes->node.draining = true;
    directory_update(changes->directory, &changes->node);
    assert_in_range(until_agreed_ms(f, 40000), 1000, 30100);
    assert_int_equal(directory_stats(f->nodes[0].directory).lists_failed, 0);
    assert_int_equal(directory_stats(f->nodes[0].directory).watches, 2);
    changes->node.draining = false;
    directory_update(changes->directory, &changes->node);
    assert_in_range(until_agreed_ms(f, 40000), 0, 200);
    /* Those that were told what there was kept theirs. */
    fleet_run_ms(f, 120000);
    assert_int_equal(directory_stats(f->nodes[2].directory).watches, 1);
    fleet_free(&f);
}

/* The same with a table. */
static void
a_watch_that_kept_back_a_table_is_opened_anew(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(1);
    struct memory_directory_client *other =
        memory_directory_connect(f->model, directory_done(f->nodes[0].directory));
    struct env_directory port = memory_directory_port(other);
    struct directory_change change = {.key = text("/seom/1/islands"), .value = text("x")};
    memory_directory_cut(f->nodes[0].client, true);
    memory_directory_cut(f->nodes[0].client, false);
    assert_int_equal(port.change(port.ctx, 1U << 30, &change), OK);
    fleet_run_ms(f, 31000);
    uint64_t revision;
    assert_int_equal(directory_table(f->nodes[0].directory, DIRECTORY_ISLANDS, &revision).bytes, 1);
    assert_int_equal(directory_stats(f->nodes[0].directory).watches, 2);
    fleet_free(&f);
}

static void
a_lost_lease_costs_no_epoch(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2);
    uint64_t epoch = f->nodes[0].epoch;
    set_losses(f, 1000000, 0);
    assert_true(memory_directory_lose_lease(f->model, false));
    assert_true(memory_directory_lose_lease(f->model, false));
    fleet_run_ms(f, 4500);
    assert_true(fleet_agrees(f));
    assert_int_equal(f->nodes[0].epoch, epoch);
    assert_int_equal(f->nodes[0].claimed, 1);
    assert_int_equal(f->nodes[0].lost, 1);
    assert_int_equal(directory_stats(f->nodes[0].directory).returns, 1);
    /* Who comes now learns the old epoch, not that of the new entry. */
    (void)fleet_start(f, 2, 2, 102);
    fleet_run_ms(f, 1000);
    assert_non_null(book_find(directory_book(f->nodes[2].directory), epoch));
    fleet_free(&f);
}

/* The lease is lost and the entry stays: it would never go any more. */
static void
an_entry_without_its_lease_is_put_again(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(1);
    uint64_t epoch = f->nodes[0].epoch;
    assert_true(memory_directory_lose_lease(f->model, true));
    fleet_run_ms(f, 4500);
    assert_int_equal(f->nodes[0].epoch, epoch);
    (void)fleet_start(f, 1, 1, 101);
    fleet_kill(f, 0);
    fleet_run_ms(f, 11000);
    assert_true(fleet_agrees(f));
    fleet_free(&f);
}

/* Epochs are what the mutant gives up. */
static void
a_lease_taken_as_lock_is_noticed(void **state)
{
    (void)state;
    struct fleet *f = fleet_alloc(7, DIRECTORY_MUTANT_LEASE_AS_LOCK);
    (void)fleet_start(f, 0, 0, 100);
    fleet_run_ms(f, 1000);
    assert_true(memory_directory_lose_lease(f->model, false));
    fleet_run_ms(f, 5000);
    assert_int_equal(f->epochs_changed, 1);
    fleet_free(&f);
}

static void
another_installation_is_refused(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(1);
    struct fleet_node *second = fleet_start(f, 1, 0, 555);
    fleet_run_ms(f, 1000);
    assert_true(second->refused);
    assert_int_equal(second->claimed, 0);
    assert_non_null(strstr(second->why, "home-0-0 of shard 0 is taken"));
    assert_non_null(strstr(second->why, "127.0.0.1:7000"));
    assert_non_null(strstr(second->why, "another index"));
    fleet_run_ms(f, 60000);
    assert_true(fleet_agrees(f));
    assert_int_equal(f->nodes[0].claimed + f->nodes[0].lost, 1);
    /* Once the first has left, another try succeeds. */
    directory_leave(f->nodes[0].directory);
    fleet_run_ms(f, 100);
    second->refused = false;
    directory_rejoin(second->directory);
    fleet_run_ms(f, 1000);
    assert_int_equal(second->claimed, 1);
    fleet_free(&f);
}

static void
a_restart_takes_over_at_once(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2);
    uint64_t epoch = f->nodes[0].epoch;
    fleet_kill(f, 0);
    (void)fleet_start(f, 0, 0, 100);
    assert_in_range(until_agreed_ms(f, 5000), 0, 200);
    assert_true(f->nodes[0].epoch > epoch);
    assert_int_equal(f->epochs_twice, 0);
    fleet_free(&f);
}

/* Two processes on copies of one data directory do not take each other over for ever. */
static void
a_copied_data_directory_is_refused(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(1);
    struct fleet_node *copy = fleet_start(f, 1, 0, 100);
    fleet_run_ms(f, 5000);
    assert_int_equal(copy->claimed, 1);
    assert_true(f->nodes[0].refused);
    assert_non_null(strstr(f->nodes[0].why, "copy"));
    assert_int_equal(f->epochs_count, 2);
    fleet_free(&f);
}

static void
a_dead_epoch_is_given_up(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2);
    uint64_t epoch = f->nodes[0].epoch;
    f->nodes[0].rejoined = true;
    directory_rejoin(f->nodes[0].directory);
    assert_int_equal(directory_epoch(f->nodes[0].directory), 0);
    fleet_run_ms(f, 1000);
    assert_true(f->nodes[0].epoch > epoch);
    assert_true(fleet_agrees(f));
    assert_null(book_find(directory_book(f->nodes[1].directory), epoch));
    fleet_free(&f);
}

static void
an_outage_of_ten_minutes_changes_nothing(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(3);
    memory_directory_set_away(f->model, true);
    fleet_run_ms(f, 60000);
    (void)fleet_start(f, 3, 3, 103);
    fleet_run_ms(f, 540000);
    for (uint32_t i = 0; i < 3; i++) {
        struct fleet_node *n = &f->nodes[i];
        assert_int_equal(directory_book(n->directory)->count, 3);
        assert_int_equal(directory_epoch(n->directory), n->epoch);
        assert_int_equal(n->claimed + n->lost, 1);
        int64_t since_us = directory_stats(n->directory).away_since_us;
        assert_in_range(f->events.now_us - since_us, 580000000, 600000000);
    }
    assert_false(directory_is_known(f->nodes[3].directory)); /* only new nodes wait */
    memory_directory_set_away(f->model, false);
    assert_in_range(until_agreed_ms(f, 10000), 0, 6000);
    fleet_run_ms(f, 5000);
    assert_int_equal(directory_stats(f->nodes[0].directory).away_since_us, 0);
    fleet_free(&f);
}

/* The node is cut off until its lease is gone; nobody tells its watch. */
static void
a_cut_off_node_comes_back_as_it_was(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2);
    uint64_t epoch = f->nodes[0].epoch;
    memory_directory_cut(f->nodes[0].client, true);
    fleet_run_ms(f, 30000);
    assert_null(book_find(directory_book(f->nodes[1].directory), epoch));
    assert_non_null(book_find(directory_book(f->nodes[0].directory), epoch));
    f->nodes[1].node.draining = true;
    directory_update(f->nodes[1].directory, &f->nodes[1].node);
    memory_directory_cut(f->nodes[0].client, false);
    assert_in_range(until_agreed_ms(f, 10000), 0, 8000);
    assert_int_equal(f->nodes[0].epoch, epoch);
    fleet_kill(f, 1); /* and it hears again */
    assert_in_range(until_agreed_ms(f, 20000), 6000, 10500);
    fleet_free(&f);
}

static void
a_compacted_watch_lists_again(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(3);
    memory_directory_break_watches(f->model, DIRECTORY_END_COMPACTED);
    directory_leave(f->nodes[2].directory);
    fleet_run_ms(f, 50);
    assert_true(f->nodes[2].left);
    assert_in_range(until_agreed_ms(f, 2000), 100, 600);
    assert_int_equal(directory_stats(f->nodes[0].directory).compacted, 1);
    assert_int_equal(directory_stats(f->nodes[0].directory).watches, 2);
    fleet_free(&f);
}

/* Hints that come long after the list that told more. */
static void
an_old_hint_does_not_undo_a_list(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(1);
    struct memory_directory_knobs knobs = {.call_us_min = 200,
                                           .call_us_max = 500,
                                           .watch_us_min = 3000000,
                                           .watch_us_max = 3000000,
                                           .delete_lost_ppm = 1000000};
    memory_directory_set_knobs(f->model, &knobs);
    (void)fleet_start(f, 1, 1, 101);
    fleet_run_ms(f, 100);
    directory_leave(f->nodes[1].directory);
    fleet_run_ms(f, 100);
    assert_true(f->nodes[1].left);
    struct slice value = {(const uint8_t *)"x", 1};
    assert_int_equal(directory_put(f->nodes[0].directory, DIRECTORY_ISLANDS, 0, value), OK);
    fleet_run_ms(f, 100); /* which lists */
    uint32_t changes = f->nodes[0].book_changes;
    fleet_run_ms(f, 4000);
    assert_int_equal(f->nodes[0].book_changes, changes);
    assert_true(fleet_agrees(f));
    fleet_free(&f);
}

/* Somebody touched the own entry, and no hint told. */
static void
a_conflict_is_looked_into_at_once(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2);
    set_losses(f, 0, 1000000);
    struct directory_entry entry;
    struct directory_key key =
        directory_key_of_node(FLEET_WORLD, &(struct directory_place){.role = "home"});
    assert_int_equal(directory_entries_list(memory_directory_entries(f->model),
                                            directory_key_slice(&key), &entry, 1),
                     1);
    struct directory_change change = {
        .key = entry.key, .value = entry.value, .expected = entry.revision, .lease = entry.lease};
    struct memory_directory_client *other =
        memory_directory_connect(f->model, directory_done(f->nodes[1].directory));
    struct env_directory port = memory_directory_port(other);
    assert_int_equal(port.change(port.ctx, 1U << 30, &change), OK);
    fleet_run_ms(f, 100);
    f->nodes[0].node.draining = true;
    directory_update(f->nodes[0].directory, &f->nodes[0].node);
    fleet_run_ms(f, 1000);
    assert_int_equal(directory_stats(f->nodes[0].directory).conflicts, 1);
    fleet_run_ms(f, 31000);
    assert_true(fleet_agrees(f));
    assert_int_equal(directory_stats(f->nodes[0].directory).conflicts, 1);
    fleet_free(&f);
}

static void
a_claim_whose_answer_was_lost_is_found(void **state)
{
    (void)state;
    struct fleet *f = fleet_alloc(3, DIRECTORY_MUTANT_NONE);
    (void)fleet_start(f, 0, 0, 100);
    struct directory_stats stats;
    do { /* until the lease is granted */
        fleet_run_ms(f, 1);
        assert_true(fleet_now_ms(f) < 2000);
    } while (directory_entries_lease(memory_directory_entries(f->model), 0) == 0);
    struct memory_directory_knobs knobs = {
        .call_us_min = 200, .call_us_max = 500, .unknown_done_ppm = 1000000};
    memory_directory_set_knobs(f->model, &knobs);
    fleet_run_ms(f, 3000);
    stats = directory_stats(f->nodes[0].directory);
    assert_true(stats.unknown > 0);
    assert_int_equal(f->nodes[0].claimed, 1);
    assert_true(fleet_agrees(f));
    fleet_free(&f);
}

/* Its data was removed. Those who run put themselves back; a new one would be given an epoch that
 * was somebody's, and is refused. */
static void
a_directory_without_its_history_gives_no_epochs(void **state)
{
    (void)state;
    struct fleet *f = fleet_alloc(7, DIRECTORY_MUTANT_NONE);
    for (uint32_t round = 0; round < 8; round++) { /* higher epochs */
        (void)fleet_start(f, 7, 7, 107);
        fleet_run_ms(f, 500);
        fleet_kill(f, 7);
    }
    (void)fleet_start(f, 0, 0, 100);
    (void)fleet_start(f, 1, 1, 101);
    fleet_run_ms(f, 15000);
    uint64_t epoch = f->nodes[0].epoch;
    memory_directory_wipe(f->model);
    fleet_run_ms(f, 5000);
    assert_true(fleet_agrees(f));
    assert_int_equal(f->nodes[0].epoch, epoch);
    assert_true(directory_stats(f->nodes[0].directory).resets > 0);
    struct fleet_node *late = fleet_start(f, 2, 2, 102);
    fleet_run_ms(f, 2000);
    assert_true(late->refused);
    assert_non_null(strstr(late->why, "lost its history"));
    assert_int_equal(late->claimed, 0);
    assert_true(fleet_agrees(f));
    fleet_free(&f);
}

static void
tables_are_put_by_comparison(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2);
    struct directory *a = f->nodes[0].directory, *b = f->nodes[1].directory;
    uint64_t revision;
    (void)directory_table(a, DIRECTORY_ISLANDS, &revision);
    assert_int_equal(revision, 0);
    assert_int_equal(directory_put(a, DIRECTORY_ISLANDS, 0, text("one")), OK);
    assert_int_equal(directory_put(a, DIRECTORY_ISLANDS, 0, text("two")), ERR_FULL);
    assert_int_equal(directory_put(b, DIRECTORY_ISLANDS, 1, text("wrong")), OK);
    fleet_run_ms(f, 200);
    assert_int_equal(f->nodes[0].put, DIRECTORY_OK);
    assert_int_equal(f->nodes[1].puts, 1);
    assert_int_equal(f->nodes[1].put, DIRECTORY_CONFLICT);
    struct slice value = directory_table(b, DIRECTORY_ISLANDS, &revision);
    assert_int_equal(value.bytes, 3);
    assert_memory_equal(value.at, "one", 3);
    assert_int_equal(f->nodes[1].table_changes, 1);
    set_losses(f, 1000000, 1000000); /* who does not hear of it, reads it */
    assert_int_equal(directory_put(b, DIRECTORY_ISLANDS, revision, text("three")), OK);
    fleet_run_ms(f, 200);
    value = directory_table(b, DIRECTORY_ISLANDS, &revision);
    assert_int_equal(value.bytes, 5);
    fleet_run_ms(f, 31000);
    value = directory_table(a, DIRECTORY_ISLANDS, &revision);
    assert_int_equal(value.bytes, 5);
    fleet_free(&f);
}

static void
a_tool_looks_and_leaves_nothing(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2);
    uint64_t revision = directory_entries_revision(memory_directory_entries(f->model));
    struct directory_options options = {.world = FLEET_WORLD, .only_look = true};
    struct directory *tool = directory_alloc(&options, &f->env);
    struct memory_directory_client *client =
        memory_directory_connect(f->model, directory_done(tool));
    struct env_directory port = memory_directory_port(client);
    directory_start(tool, &port);
    for (uint32_t i = 0; i < 100 && !directory_is_known(tool); i++) {
        (void)directory_turn(tool);
        fleet_run_ms(f, 10);
    }
    assert_int_equal(directory_book(tool)->count, 2);
    assert_int_equal(directory_entries_revision(memory_directory_entries(f->model)), revision);
    memory_directory_crash(&client);
    directory_free(&tool);
    assert_null(tool);
    fleet_free(&f);
}

/* Whatever stands under the prefix, nobody falls over it. */
static void
foreign_entries_are_counted(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(1);
    static const char *const keys[] = {"/seom/1/0/home/5", "/seom/1/0/oracle/5", "/seom/1/x",
                                       "/seom/1/0/home/70000"};
    struct memory_directory_client *other =
        memory_directory_connect(f->model, directory_done(f->nodes[0].directory));
    struct env_directory port = memory_directory_port(other);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct directory_change change = {.key = text(keys[i]), .value = text("\xff\x01garbage")};
        assert_int_equal(port.change(port.ctx, 1U << 30, &change), OK);
    }
    fleet_run_ms(f, 31000);
    assert_true(fleet_agrees(f));
    assert_int_equal(directory_stats(f->nodes[0].directory).malformed, 1);
    struct fleet_node *late = fleet_start(f, 1, 5, 105);
    fleet_run_ms(f, 1000);
    assert_true(late->refused);
    assert_non_null(strstr(late->why, "/seom/1/0/home/5"));
    fleet_free(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_find_each_other),
        cmocka_unit_test(what_a_new_node_waits_for_is_told),
        cmocka_unit_test(what_is_published_can_change),
        cmocka_unit_test(who_leaves_is_gone_at_once),
        cmocka_unit_test(who_dies_goes_with_its_lease),
        cmocka_unit_test(a_deaf_watch_is_healed_within_30_s),
        cmocka_unit_test(a_silent_watch_is_opened_anew),
        cmocka_unit_test(a_watch_that_kept_back_a_table_is_opened_anew),
        cmocka_unit_test(a_lost_lease_costs_no_epoch),
        cmocka_unit_test(an_entry_without_its_lease_is_put_again),
        cmocka_unit_test(a_lease_taken_as_lock_is_noticed),
        cmocka_unit_test(another_installation_is_refused),
        cmocka_unit_test(a_restart_takes_over_at_once),
        cmocka_unit_test(a_copied_data_directory_is_refused),
        cmocka_unit_test(a_dead_epoch_is_given_up),
        cmocka_unit_test(an_outage_of_ten_minutes_changes_nothing),
        cmocka_unit_test(a_cut_off_node_comes_back_as_it_was),
        cmocka_unit_test(a_compacted_watch_lists_again),
        cmocka_unit_test(an_old_hint_does_not_undo_a_list),
        cmocka_unit_test(a_conflict_is_looked_into_at_once),
        cmocka_unit_test(a_claim_whose_answer_was_lost_is_found),
        cmocka_unit_test(a_directory_without_its_history_gives_no_epochs),
        cmocka_unit_test(tables_are_put_by_comparison),
        cmocka_unit_test(a_tool_looks_and_leaves_nothing),
        cmocka_unit_test(foreign_entries_are_counted)};
    return cmocka_run_group_tests_name("directory", tests, NULL, NULL);
}
