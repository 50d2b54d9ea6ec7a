/* Requests between nodes: ACCEPT or REJECT first, merged with the result when that is immediate;
 * streams of parts; deadlines that travel. A request is asked of one peer (or of many, each with
 * its own answer) and ends exactly once, at the latest at its deadline. What became of a request
 * whose answer did not come is not known: whoever asks must be able to ask elsewhere or to look.
 *
 *   asker                      worker
 *   ASK {id, kind, left_us} -> asked()
 *                           <- RESULT                  at once: says that it was accepted, too
 *                           <- ACCEPT, PART.., RESULT  later
 *                           <- REJECT                  nobody serves that kind, no room, no time
 *   CANCEL {id}             -> at the deadline: the job is forgotten, requests_is_wanted() says so
 *
 * Deadlines travel as time that is left, so clocks need not agree; what a message waits on its way
 * is not counted. They are kept to REQUESTS_TICK_US, and counted from the beginning of the turn of
 * the loop. An answer to what was not asked (any more), or a cancel of what is not served, is
 * counted and nothing else.
 *
 * Logic room, one thread, beside a mesh: requests_message() takes the messages of its kinds, which
 * ride in the control lane. Limits: REQUESTS_MAX asked and REQUESTS_MAX served at once.
 */
#ifndef SEOM_FABRIC_REQUESTS_H
#define SEOM_FABRIC_REQUESTS_H

#include "base/bytes.h"
#include "env/env.h"

#define REQUESTS_MAX      8192
#define REQUEST_BYTES_MAX (32U << 10)
#define REQUEST_ONE_US    5000000 /* deadline to one worker */
#define REQUEST_MANY_US   100000  /* to many at once */
#define REQUESTS_TICK_US  10000
#define REQUEST_US_MAX    60000000 /* of any deadline */

/* Messages begin with their kind; those of wire/link.h are below. */
#define REQUESTS_KIND_MIN 64
#define REQUESTS_KIND_MAX 69

enum request_kind {
    REQUEST_COMMAND = 1, /* a command on things whose steward is there (world/forward.c) */
    REQUEST_LOOK = 2,    /* name and look of a player who is at home there */
    REQUEST_NOTE = 3,    /* a line of a channel of the whole world and the like (notes.h) */
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
/* Exactly one last call-back if OK, never before this returns (and none once all are freed).
 * ERR_FULL: too many under way or no room in the link; ERR_CLOSED: no such peer is up;
 * ERR_TOO_LARGE: more than REQUEST_BYTES_MAX. Then nothing was sent. timeout_us
 * is 1..REQUEST_US_MAX. */
enum err requests_ask(struct requests *requests, uint32_t peer, enum request_kind kind,
                      struct slice body, int64_t timeout_us, request_answered *answered, void *ctx,
                      uint64_t n) MUST_USE;
/* A job whose asker is gone or whose deadline has passed: counted, nothing else. At most
 * REQUEST_BYTES_MAX. */
void requests_reply(struct requests *requests, uint64_t job, bool part, struct slice body);
void requests_reject(struct requests *requests, uint64_t job); /* not after a part */
/* false: nobody waits for it any more; a long work may stop. */
bool requests_is_wanted(const struct requests *requests, uint64_t job);
/* true: the message was one of requests. Malformed ones are counted. Not from within a call of
 * env->links. */
bool requests_message(struct requests *requests, uint32_t peer, const uint8_t *bytes, size_t n);
void requests_peer_down(struct requests *requests, uint32_t peer);
/* Deadlines. Once per turn of the loop; returns the next mono time (us), INT64_MAX: none. */
int64_t requests_turn(struct requests *requests);

struct requests_stats {
    uint64_t asked, accepted, done, rejected, late; /* as asker; accepted: without a result yet */
    uint64_t served, refused;                       /* as worker: answered; rejected */
    uint64_t cancelled, expired; /* jobs whose asker gave up or is gone; whose time ran out */
    uint64_t unsent;          /* answers that the link did not take: the asker's deadline ends it */
    uint64_t malformed;       /* messages that were none */
    uint64_t unmatched;       /* answers and cancels of nothing, replies to jobs that ended */
    uint32_t asking, serving; /* now */
};

/* Ways to be wrong on purpose; the simulator must catch each of them. */
enum requests_mutant {
    REQUESTS_MUTANT_NONE,
    REQUESTS_MUTANT_ASSERT_CANCEL, /* a cancel of nothing stops the process */
    REQUESTS_MUTANT_NO_DEADLINE,   /* an answer is waited for for ever */
    REQUESTS_MUTANTS
};

void requests_set_mutant(struct requests *requests, enum requests_mutant mutant);

const struct requests_stats *requests_stats(const struct requests *requests);
/* For checkers: since when the answer that is most overdue should have come or been given up, in
 * us; 0: none is overdue. */
int64_t requests_overdue_us(const struct requests *requests);

#endif
