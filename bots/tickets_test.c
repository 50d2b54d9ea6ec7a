/* Tickets in their file, and the seeds that make them. */
#include "bots/seed.h"
#include "bots/tickets.h"
#include "os/files.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int
set_up(void **state)
{
    char path[64];
    *state =
        directory_make_temporary(NULL, "tickets", path, sizeof path) == OK ? strdup(path) : NULL;
    return *state == NULL;
}

static int
tear_down(void **state)
{
    rmdir(*state);
    free(*state);
    return 0;
}

static void
path_of(const char *directory, char path[256])
{
    snprintf(path, 256, "%s/tickets", directory);
}

static void
write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void
tickets_come_back(void **state)
{
    char path[256];
    path_of(*state, path);
    struct tickets t;
    uint32_t line;
    tickets_init(&t, 3);
    assert_int_equal(tickets_load(&t, path, &line), OK); /* not there: nobody has one */
    assert_int_equal(tickets_get(&t, 1).bytes, 0);
    uint8_t ticket[TICKET_BYTES_MAX];
    for (size_t i = 0; i < sizeof(ticket); i++) {
        ticket[i] = (uint8_t)(i * 37);
    }
    tickets_set(&t, 1, (struct slice){.at = ticket, .bytes = 31});
    tickets_set(&t, 2, (struct slice){.at = ticket, .bytes = sizeof(ticket)});
    assert_true(t.changed);
    assert_int_equal(tickets_save(&t, path), OK);
    assert_false(t.changed);
    tickets_set(&t, 1, (struct slice){.at = ticket, .bytes = 31});
    assert_false(t.changed);
    tickets_fini(&t);

    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    tickets_init(&t, 2); /* fewer bots than the file has */
    assert_int_equal(tickets_load(&t, path, &line), OK);
    assert_int_equal(tickets_get(&t, 0).bytes, 0);
    assert_int_equal(tickets_get(&t, 1).bytes, 31);
    assert_memory_equal(tickets_get(&t, 1).at, ticket, 31);
    tickets_fini(&t);
    unlink(path);
}

static void
bad_files_are_refused_with_their_line(void **state)
{
    static const struct {
        const char *text;
        uint32_t line;
    } bad[] = {
        {"something else\n", 1},
        {"seom tickets 1\n-\nxy\n", 3},
        {"seom tickets 1\nabc\n", 2},
        {"seom tickets 1\n\n", 2},
    };

    char path[256];
    path_of(*state, path);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct tickets t;
        uint32_t line;
        write_file(path, bad[i].text);
        tickets_init(&t, 4);
        assert_int_equal(tickets_load(&t, path, &line), ERR_FORMAT);
        assert_int_equal(line, bad[i].line);
        tickets_fini(&t);
    }
    unlink(path);
}

static void
seeds_are_where_the_plan_begins(void **state)
{
    (void)state;
    uint8_t key[TICKET_KEY_BYTES] = {7};
    for (int profile = 0; profile < PROFILE_COUNT; profile++) {
        struct plan plan;
        struct plan_options options = {.profile = (enum profile)profile, .seed = 3, .square = true};
        plan_init(&plan, &options);
        struct seed_options seed = {
            .key = key, .world = 2, .first_counter = 10, .first_island = 5, .world_ms = 90000};
        for (uint32_t i = 0; i < 1200; i += 7) {
            struct seed_place place;
            struct ticket ticket;
            struct way way;
            seed_place(&plan, &seed, i, &place);
            struct place at = plan_way(&plan, i, &way);
            assert_int_equal(place.motion.x_mm, at.x_mm);
            assert_int_equal(place.motion.y_mm, at.y_mm);
            assert_in_range(at.x_mm, 0, PLAN_SIDE_MM - 1);
            assert_in_range(at.y_mm, 0, PLAN_SIDE_MM - 1);
            assert_int_equal(place.island, 5 + plan_island(&plan, i));
            struct slice bytes = {.at = place.ticket, .bytes = TICKET_BYTES};
            assert_int_equal(ticket_read(bytes, key, &ticket), OK);
            assert_true(ticket.player == place.player);
            assert_true(place.player == ((UINT64_C(2) << 48) | (10 + i)));
        }
        assert_int_equal(plan_islands(&plan, 1200), profile == PROFILE_CROWD ? 1 : 3);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tickets_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_files_are_refused_with_their_line, set_up, tear_down),
        cmocka_unit_test(seeds_are_where_the_plan_begins),
    };
    return cmocka_run_group_tests_name("tickets", tests, NULL, NULL);
}
