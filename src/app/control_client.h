/* The other end of control sockets. struct control_client speaks without blocking on a loop, one
 * request at a time, for the supervisor and its many nodes; control_ask() waits for one answer, for
 * tools. Thread: the one of its loop. Limits: CONTROL_REQUEST_MAX and CONTROL_ANSWER_MAX bytes.
 */
#ifndef SEOM_APP_CONTROL_CLIENT_H
#define SEOM_APP_CONTROL_CLIENT_H

#include "app/control.h"
#include <stdbool.h>

struct control_client;

/* answer: an object, borrowed during the call; it may ask the next. NULL: the line is gone and the
 * client must be closed, by then or from within. */
typedef void control_answered(void *ctx, const json_t *answer);

/* ERR_NOT_FOUND: no such socket, ERR_UNAVAILABLE: nobody listens on it, ERR_FULL: too many wait
 * there (a stopped process), ERR_DENIED, ERR_TOO_LARGE. */
enum err control_client_open(struct loop *loop, const char *path, control_answered *answered,
                             void *ctx, struct control_client **out) MUST_USE;
void control_client_close(struct control_client **client);      /* NULL is fine */
bool control_client_waits(const struct control_client *client); /* for an answer */
/* Only when it does not wait for another. ERR_TOO_LARGE; ERR_CLOSED: close it. Neither calls
 * answered. */
enum err control_client_ask(struct control_client *client, const json_t *request) MUST_USE;

/* One request, waiting at most wait_ms. The answer is the caller's; an {"error":...} of the other
 * side is an answer, too. why gets a sentence for people. ERR_TIMEOUT, ERR_FORMAT, and as above. */
enum err control_ask(const char *path, const json_t *request, uint32_t wait_ms, json_t **answer,
                     char *why, size_t why_bytes) MUST_USE;

#endif
