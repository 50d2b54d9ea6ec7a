/* Requests between nodes: ACCEPT or REJECT first, merged with the result when that is immediate;
 * streams of parts; deadlines that travel. A request is asked of one peer (or of many, each with
 * its own answer) and ends exactly once, at the latest at its deadline. What became of a request
 * whose answer did not come is not known: whoever asks must be able to ask elsewhere or to look.
 *
 * Logic room, one thread, beside a mesh: requests_message() takes the messages of its kinds.
 * Limits: REQUESTS_MAX asked and REQUESTS_MAX served at once.
 */
#ifndef SEOM_FABRIC_REQUESTS_H
#define SEOM_FABRIC_REQUESTS_H

#include "base/bytes.h"
#include "env/env.h"

#define REQUESTS_MAX      8192
#define REQUEST_BYTES_MAX (32U << 10)
#define REQUEST_ONE_US    5000000 /* deadline to one worker */
#define REQUEST_MANY_US   100000  /* to many at once */

enum request_kind {
    REQUEST_COMMAND = 1, /* a command on things whose steward is there (world/forward.c) */
    REQUEST_LOOK = 2,    /* name and look of a player who is at home there */
    REQUEST_SAY = 3,     /* a line of a channel of the whole world, by relays */
    REQUEST_TEST = 4,    /* benches and tests: comes back as it is */
    REQUEST_KINDS
};

enum request_end {
    REQUEST_DONE,     /* body is the result */
    REQUEST_REJECTED, /* nothing was done there: ask another */
    REQUEST_LATE,     /* the deadline passed, or the link broke: perhaps it was done */
};

/* part: more will come (streams); at the last one it is false. body borrowed. */
typedef void request_answered(void *ctx, uint64_t n, enum request_end end, bool part,
                              struct slice body);
/* Somebody asks. Answer with requests_reply() now or later, or requests_reject(). job names it. */
typedef void request_asked(void *ctx, uint32_t peer, uint64_t job, struct slice body,
                           int64_t deadline_us);

struct requests;

struct requests *requests_alloc(const struct env *env); /* sends by env->links */
void requests_free(struct requests **requests);
/* Without a handler everything of that kind is rejected. */
void requests_serve(struct requests *requests, enum request_kind kind, request_asked *asked,
                    void *ctx);
/* Exactly one last call-back if OK, never before this returns. ERR_FULL: too many under way or no
 * room in the link; nothing was sent. */
enum err requests_ask(struct requests *requests, uint32_t peer, enum request_kind kind,
                      struct slice body, int64_t timeout_us, request_answered *answered, void *ctx,
                      uint64_t n) MUST_USE;
/* A job whose asker is gone or whose deadline has passed: counted, nothing else. */
void requests_reply(struct requests *requests, uint64_t job, bool part, struct slice body);
void requests_reject(struct requests *requests, uint64_t job);
/* true: the message was one of requests. Malformed ones are counted. */
bool requests_message(struct requests *requests, uint32_t peer, const uint8_t *bytes, size_t n);
void requests_peer_down(struct requests *requests, uint32_t peer);
int64_t requests_turn(struct requests *requests); /* deadlines; the next mono time (us) */

struct requests_stats {
    uint64_t asked, done, rejected, late, served, refused, malformed, unmatched;
    uint32_t asking, serving; /* now */
};

const struct requests_stats *requests_stats(const struct requests *requests);

#endif
