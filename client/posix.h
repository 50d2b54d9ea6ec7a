/* A client's line over a POSIX socket, driven by poll: connects, reads, writes, reconnects when the
 * client says so, and tries the gates that the server named when the first address is gone. For
 * games and tests; who has thousands of clients in one loop writes its own (bots/herd.c). No
 * threads, nothing blocks but seom_line_wait(). Owns the socket, borrows the client, which must
 * outlive it.
 *
 * In a loop of your own: poll seom_line_fd() for seom_line_wants() until seom_line_due_us(), then
 * seom_line_turn(). Or let seom_line_wait() do one round of that.
 */
#ifndef SEOM_CLIENT_POSIX_H
#define SEOM_CLIENT_POSIX_H

#include "client/client.h"

struct seom_line;

/* address: "127.0.0.1:7777" or "[::1]:7777", a numeric host. ERR_FORMAT: not an address. Connects
 * at the first turn. */
enum err seom_line_open(struct seom_client *client, const char *address,
                        struct seom_line **out) MUST_USE;
void seom_line_close(struct seom_line **line);

int seom_line_fd(const struct seom_line *line);         /* -1 while there is none */
short seom_line_wants(const struct seom_line *line);    /* POLLIN, POLLOUT */
int64_t seom_line_due_us(const struct seom_line *line); /* monotonic; INT64_MAX: only on events */
/* Does all that can be done without waiting. */
void seom_line_turn(struct seom_line *line);
/* Waits for something to do, at most timeout_ms, and does it. */
void seom_line_wait(struct seom_line *line, int timeout_ms);

int64_t seom_now_us(void); /* CLOCK_MONOTONIC, as the client's mono_us */

#endif
