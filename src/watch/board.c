#include "watch/board.h"
#include "base/check.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define STATUS_TEXT_MAX 4096

struct board {
    pthread_mutex_t mutex; /* guards all below */
    bool filled;
    struct metrics metrics;
    struct status status;
};

struct board *
board_alloc(void)
{
    struct board *board = calloc(1, sizeof *board);
    CHECK(board != NULL);
    CHECK(pthread_mutex_init(&board->mutex, NULL) == 0);
    return board;
}

void
board_free(struct board **board)
{
    CHECK(board != NULL && *board != NULL);
    CHECK(pthread_mutex_destroy(&(*board)->mutex) == 0);
    free(*board);
    *board = NULL;
}

void
board_put(struct board *board, const struct metrics *metrics, const struct status *status)
{
    CHECK(metrics != NULL && status != NULL);
    CHECK(pthread_mutex_lock(&board->mutex) == 0);
    board->metrics = *metrics;
    board->status = *status;
    board->filled = true;
    CHECK(pthread_mutex_unlock(&board->mutex) == 0);
}

enum err
board_get(struct board *board, struct metrics *metrics, struct status *status)
{
    CHECK(pthread_mutex_lock(&board->mutex) == 0);
    bool filled = board->filled;
    if (filled && metrics != NULL)
        *metrics = board->metrics;
    if (filled && status != NULL)
        *status = board->status;
    CHECK(pthread_mutex_unlock(&board->mutex) == 0);
    return filled ? OK : ERR_UNAVAILABLE;
}

/* Hands out what was written, cut to its size. */
static void
hand_out(struct writer *w, char *room, char **text, size_t *bytes)
{
    CHECK(writer_ok(w)); /* the vocabulary is ours: it fits or the room is too small */
    *bytes = writer_used(w);
    char *cut = realloc(room, *bytes);
    *text = cut != NULL ? cut : room;
}

enum err
board_metrics_text(struct board *board, char **text, size_t *bytes)
{
    struct metrics *metrics = malloc(sizeof *metrics);
    char *room = malloc(METRICS_TEXT_MAX);
    CHECK(metrics != NULL && room != NULL);
    enum err error = board_get(board, metrics, NULL);
    if (error == OK) {
        struct writer w = writer_over(room, METRICS_TEXT_MAX);
        metrics_text(metrics, &w);
        hand_out(&w, room, text, bytes);
    } else {
        free(room);
    }
    free(metrics);
    return error;
}

enum err
board_status_text(struct board *board, char **text, size_t *bytes)
{
    struct status status;
    enum err error = board_get(board, NULL, &status);
    if (error != OK)
        return error;
    char *room = malloc(STATUS_TEXT_MAX);
    CHECK(room != NULL);
    struct writer w = writer_over(room, STATUS_TEXT_MAX);
    status_json(&status, &w);
    hand_out(&w, room, text, bytes);
    return OK;
}
