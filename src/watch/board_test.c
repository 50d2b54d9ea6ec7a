#include "watch/board.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 2000

static void
an_empty_board_says_so(void **state)
{
    (void)state;
    struct board *board = board_alloc();
    struct status status;
    char *text = NULL;
    size_t bytes = 0;
    assert_int_equal(board_get(board, NULL, &status), ERR_UNAVAILABLE);
    assert_int_equal(board_status_text(board, &text, &bytes), ERR_UNAVAILABLE);
    assert_int_equal(board_metrics_text(board, &text, &bytes), ERR_UNAVAILABLE);
    assert_null(text);
    board_free(&board);
    assert_null(board);
}

static void
the_latest_is_read_as_text(void **state)
{
    (void)state;
    struct board *board = board_alloc();
    struct metrics *metrics = calloc(1, sizeof *metrics);
    assert_non_null(metrics);
    struct status status = {.players = 1};
    board_put(board, metrics, &status);
    metrics->values[METRIC_PLAYERS] = 41;
    status.players = 42;
    board_put(board, metrics, &status);

    char *text = NULL;
    size_t bytes = 0;
    assert_int_equal(board_status_text(board, &text, &bytes), OK);
    assert_non_null(memmem(text, bytes, "\"players\":42", strlen("\"players\":42")));
    free(text);
    assert_int_equal(board_metrics_text(board, &text, &bytes), OK);
    assert_non_null(memmem(text, bytes, "host=\"\"} 41\n", strlen("host=\"\"} 41\n")));
    assert_int_equal(text[bytes - 1], '\n');
    free(text);
    free(metrics);
    board_free(&board);
}

static void *
put_rounds(void *ctx)
{
    struct board *board = ctx;
    struct metrics *metrics = calloc(1, sizeof *metrics);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        struct status status = {.players = round, .bots = round, .world_ms = round};
        metrics->values[0] = round;
        metrics->values[METRIC_COUNT - 1] = round;
        board_put(board, metrics, &status);
    }
    free(metrics);
    return NULL;
}

/* What is read was put together, and never goes back. */
static void
two_threads_never_see_halves(void **state)
{
    (void)state;
    struct board *board = board_alloc();
    struct metrics *metrics = calloc(1, sizeof *metrics);
    assert_non_null(metrics);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, put_rounds, board), 0);
    uint32_t last = 0;
    while (last < ROUNDS) {
        struct status status;
        if (board_get(board, metrics, &status) != OK)
            continue;
        assert_true(status.players >= last);
        last = status.players;
        assert_int_equal(status.bots, last);
        assert_int_equal(status.world_ms, last);
        assert_true(metrics->values[0] == last && metrics->values[METRIC_COUNT - 1] == last);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    free(metrics);
    board_free(&board);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_board_says_so),
        cmocka_unit_test(the_latest_is_read_as_text),
        cmocka_unit_test(two_threads_never_see_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
