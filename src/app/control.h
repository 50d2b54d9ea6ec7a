/* The control socket of a process: <data>/<name>.sock, by which tools and the supervisor speak to
 * it. A request is a JSON object on one line, {"command":"status"}, and so is the answer: what the
 * command answers, or {"error":"a sentence"}. "help" lists the commands. Mode 0600, and the kernel
 * must say that the peer runs as the user who opened it or as root: nobody else is heard.
 *
 * Thread: the one of its loop; commands answer at once (with what has begun, where that takes
 * longer). Limits: CONTROL_CONNECTIONS_MAX connections, of which the one silent for longest makes
 * way for a new one; CONTROL_REQUEST_MAX bytes a request, CONTROL_ANSWER_MAX an answer; the next
 * request of a connection waits until the answer before it is written.
 */
#ifndef SEOM_APP_CONTROL_H
#define SEOM_APP_CONTROL_H

#include "base/err.h"
#include "os/loop.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_CONNECTIONS_MAX 16
#define CONTROL_REQUEST_MAX     16384
#define CONTROL_ANSWER_MAX      (1U << 20)
#define CONTROL_PATH_MAX        107 /* what the kernel takes as a socket's path */

struct control;

/* A row of a static table, which ends with a row of NULLs. */
struct control_command {
    const char *name, *help;
    /* The request is an object, borrowed; everything else in it is up to whoever sent it. Answers
     * an object that control takes; see control_error(). */
    json_t *(*run)(void *ctx, const json_t *request);
};

/* The answer of a command that will not do it. */
json_t *control_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A socket that nobody listens on any more is replaced. ERR_EXISTS: somebody does; ERR_TOO_LARGE:
 * longer than CONTROL_PATH_MAX. why gets a sentence. commands are borrowed until close. */
enum err control_open(struct loop *loop, const char *path, const struct control_command *commands,
                      void *ctx, struct control **out, char *why, size_t why_bytes) MUST_USE;
void control_close(struct control **control); /* removes the socket; NULL is fine */

#endif
