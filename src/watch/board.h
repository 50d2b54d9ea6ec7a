/* The board between the logic thread and whoever asks from outside: the logic thread hangs up what
 * it knows about once a second, the HTTP thread reads the latest. Both copy under a mutex, so
 * neither holds it longer than a copy of some 50 KB takes. Owned by app/; it outlives both threads.
 */
#ifndef SEOM_WATCH_BOARD_H
#define SEOM_WATCH_BOARD_H

#include "base/err.h"
#include "watch/metrics.h"
#include <stddef.h>

struct board;

struct board *board_alloc(void);
void board_free(struct board **board);

void board_put(struct board *board, const struct metrics *metrics, const struct status *status);
/* ERR_UNAVAILABLE: nothing was put yet. Either may be NULL. */
enum err board_get(struct board *board, struct metrics *metrics, struct status *status);

/* The same as text in the form in which http_source answers: *text is from malloc() and the
 * caller's. ERR_UNAVAILABLE likewise. */
enum err board_metrics_text(struct board *board, char **text, size_t *bytes);
enum err board_status_text(struct board *board, char **text, size_t *bytes);

#endif
