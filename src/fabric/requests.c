/* What is asked and what is served stand in one pool each; a handle {index, generation} of the
 * asker's pool is the id of a request on its link. A job answered from within asked() never enters
 * the table by (peer, id) nor the wheel, which is most of them.
 */
#include "fabric/requests.h"
#include "base/check.h"
#include "base/pool.h"
#include "base/rand.h"
#include "base/wheel.h"
#include <stddef.h>
#include <stdlib.h>

#define BLOCK_ITEMS 256
#define CHAINS      4096 /* a power of two */
#define HEAD_MAX    16
#define NOT_KNOWN   INT64_MIN

enum message_kind {
    MESSAGE_ASK = REQUESTS_KIND_MIN,   /* id, request_kind u8, left_us u32, body */
    MESSAGE_ACCEPT,                    /* id */
    MESSAGE_REJECT,                    /* id */
    MESSAGE_PART,                      /* id, body */
    MESSAGE_RESULT,                    /* id, body */
    MESSAGE_CANCEL = REQUESTS_KIND_MAX /* id */
};

/* What we wait for. */
struct ask {
    struct wheel_entry deadline;
    request_answered *answered;
    void *ctx;
    uint64_t n;
    uint32_t index, peer;
    bool accepted, had_part;
};

/* What we do for others. */
struct job {
    struct wheel_entry deadline;
    uint64_t id; /* the asker's */
    uint32_t index, peer;
    uint32_t next; /* in its chain; while `later` */
    bool later;    /* asked() returned without an answer: in a chain and in the wheel */
    bool had_part;
};

struct server {
    request_asked *asked;
    void *ctx;
};

struct requests {
    const struct env *env; /* borrowed */
    struct pool asks, jobs;
    struct wheel ask_deadlines, job_deadlines;
    uint32_t chains[CHAINS]; /* of jobs, by peer and id */
    struct server servers[REQUEST_KINDS];
    int64_t now_us; /* of this turn; NOT_KNOWN until somebody asks */
    enum requests_mutant mutant;
    struct requests_stats stats;
};

static int64_t
turn_us(struct requests *requests)
{
    if (requests->now_us == NOT_KNOWN)
        requests->now_us = env_mono_us(requests->env);
    return requests->now_us;
}

static int64_t
tick_behind(int64_t us)
{
    return (us + REQUESTS_TICK_US - 1) / REQUESTS_TICK_US;
}

struct requests *
requests_alloc(const struct env *env)
{
    CHECK(env->links.send != NULL);
    struct requests *requests = calloc(1, sizeof *requests);
    CHECK(requests != NULL);
    requests->env = env;
    pool_init(&requests->asks, sizeof(struct ask), REQUESTS_MAX, BLOCK_ITEMS);
    pool_init(&requests->jobs, sizeof(struct job), REQUESTS_MAX, BLOCK_ITEMS);
    int64_t tick = env_mono_us(env) / REQUESTS_TICK_US;
    wheel_init(&requests->ask_deadlines, tick);
    wheel_init(&requests->job_deadlines, tick);
    for (uint32_t i = 0; i < CHAINS; i++)
        requests->chains[i] = POOL_NONE;
    requests->now_us = NOT_KNOWN;
    return requests;
}

void
requests_free(struct requests **pointer)
{
    struct requests *requests = *pointer;
    if (requests == NULL)
        return;
    pool_fini(&requests->asks);
    pool_fini(&requests->jobs);
    free(requests);
    *pointer = NULL;
}

void
requests_serve(struct requests *requests, enum request_kind kind, request_asked *asked, void *ctx)
{
    CHECK(kind > 0 && kind < REQUEST_KINDS);
    requests->servers[kind] = (struct server){.asked = asked, .ctx = ctx};
}

void
requests_set_mutant(struct requests *requests, enum requests_mutant mutant)
{
    CHECK(mutant < REQUESTS_MUTANTS);
    requests->mutant = mutant;
}

static enum err
message_send(struct requests *requests, uint32_t peer, enum message_kind kind, uint64_t id,
             struct slice body)
{
    uint8_t head[HEAD_MAX];
    struct writer w = writer_over(head, sizeof head);
    write_u8(&w, (uint8_t)kind);
    write_u64(&w, id);
    const struct slice pieces[2] = {{.at = head, .bytes = writer_used(&w)}, body};
    const struct env_links *links = &requests->env->links;
    return links->send(links->ctx, peer, pieces, body.bytes > 0 ? 2 : 1);
}

/* Asking */

static enum err
ask_send(struct requests *requests, uint32_t peer, uint64_t id, enum request_kind kind,
         int64_t timeout_us, struct slice body)
{
    uint8_t head[HEAD_MAX];
    struct writer w = writer_over(head, sizeof head);
    write_u8(&w, MESSAGE_ASK);
    write_u64(&w, id);
    write_u8(&w, (uint8_t)kind);
    write_u32(&w, (uint32_t)timeout_us);
    CHECK(writer_ok(&w));
    const struct slice pieces[2] = {{.at = head, .bytes = writer_used(&w)}, body};
    const struct env_links *links = &requests->env->links;
    return links->send(links->ctx, peer, pieces, body.bytes > 0 ? 2 : 1);
}

enum err
requests_ask(struct requests *requests, uint32_t peer, enum request_kind kind, struct slice body,
             int64_t timeout_us, request_answered *answered, void *ctx, uint64_t n)
{
    CHECK(kind > 0 && kind < REQUEST_KINDS && answered != NULL);
    CHECK(timeout_us > 0 && timeout_us <= REQUEST_US_MAX);
    if (body.bytes > REQUEST_BYTES_MAX)
        return ERR_TOO_LARGE;
    uint32_t index;
    enum err error = pool_take(&requests->asks, &index);
    if (error != OK)
        return error;
    error = ask_send(requests, peer, pool_handle(&requests->asks, index), kind, timeout_us, body);
    if (error != OK) {
        pool_give(&requests->asks, index);
        return error;
    }
    struct ask *ask = pool_at(&requests->asks, index);
    ask->answered = answered;
    ask->ctx = ctx;
    ask->n = n;
    ask->index = index;
    ask->peer = peer;
    wheel_set(&requests->ask_deadlines, &ask->deadline,
              tick_behind(turn_us(requests) + timeout_us));
    requests->stats.asked++;
    requests->stats.asking = requests->asks.used;
    return OK;
}

/* Its last word. */
static void
ask_end(struct requests *requests, uint32_t index, enum request_end end, struct slice body)
{
    struct ask *ask = pool_at(&requests->asks, index);
    request_answered *answered = ask->answered;
    void *ctx = ask->ctx;
    uint64_t n = ask->n;
    wheel_cancel(&requests->ask_deadlines, &ask->deadline);
    pool_give(&requests->asks, index);
    requests->stats.asking = requests->asks.used;
    switch (end) {
    case REQUEST_DONE: requests->stats.done++; break;
    case REQUEST_REJECTED: requests->stats.rejected++; break;
    case REQUEST_LATE: requests->stats.late++; break;
    }
    answered(ctx, n, end, false, body);
}

/* The worker may stop; if it does not hear of it, it works in vain. */
static void
cancel_send(struct requests *requests, uint32_t peer, uint64_t id)
{
    if (message_send(requests, peer, MESSAGE_CANCEL, id, (struct slice){0}) != OK)
        requests->stats.unsent++;
}

static void
answer_take(struct requests *requests, uint32_t peer, enum message_kind kind, uint64_t id,
            struct slice body)
{
    struct ask *ask = pool_find(&requests->asks, id);
    if (ask == NULL || ask->peer != peer) {
        requests->stats.unmatched++;
        return;
    }
    uint32_t index = (uint32_t)id;
    if (kind == MESSAGE_RESULT) {
        ask_end(requests, index, REQUEST_DONE, body);
    } else if (kind == MESSAGE_REJECT && !ask->had_part) {
        ask_end(requests, index, REQUEST_REJECTED, (struct slice){0});
    } else if (kind == MESSAGE_REJECT) {
        requests->stats.malformed++;
        ask_end(requests, index, REQUEST_LATE, (struct slice){0});
    } else {
        requests->stats.accepted += !ask->accepted;
        ask->accepted = true;
        if (kind == MESSAGE_PART) {
            ask->had_part = true;
            ask->answered(ask->ctx, ask->n, REQUEST_DONE, true, body);
        }
    }
}

/* Serving */

static uint32_t *
chain_of(struct requests *requests, uint32_t peer, uint64_t id)
{
    return &requests->chains[rand_mix(id, peer) & (CHAINS - 1)];
}

/* The place that names it in its chain; NULL: no such job. */
static uint32_t *
job_place(struct requests *requests, uint32_t peer, uint64_t id)
{
    uint32_t *place = chain_of(requests, peer, id);
    while (*place != POOL_NONE) {
        struct job *job = pool_at(&requests->jobs, *place);
        if (job->peer == peer && job->id == id)
            return place;
        place = &job->next;
    }
    return NULL;
}

static void
job_end(struct requests *requests, uint32_t index)
{
    struct job *job = pool_at(&requests->jobs, index);
    if (job->later) {
        uint32_t *place = job_place(requests, job->peer, job->id);
        CHECK(place != NULL && *place == index);
        *place = job->next;
        wheel_cancel(&requests->job_deadlines, &job->deadline);
    }
    pool_give(&requests->jobs, index);
    requests->stats.serving = requests->jobs.used;
}

static void
reject_send(struct requests *requests, uint32_t peer, uint64_t id)
{
    requests->stats.refused++;
    if (message_send(requests, peer, MESSAGE_REJECT, id, (struct slice){0}) != OK)
        requests->stats.unsent++;
}

/* asked() returned and there is no last word: it will come later. */
static void
job_keep(struct requests *requests, uint32_t index, int64_t deadline_us)
{
    struct job *job = pool_at(&requests->jobs, index);
    uint32_t *chain = chain_of(requests, job->peer, job->id);
    job->later = true;
    job->next = *chain;
    *chain = index;
    wheel_set(&requests->job_deadlines, &job->deadline, tick_behind(deadline_us));
    /* A part says as much. */
    if (!job->had_part &&
        message_send(requests, job->peer, MESSAGE_ACCEPT, job->id, (struct slice){0}) != OK)
        requests->stats.unsent++;
}

static void
ask_take(struct requests *requests, uint32_t peer, uint64_t id, uint8_t kind, uint32_t left_us,
         struct slice body)
{
    if (job_place(requests, peer, id) != NULL) { /* said twice: the first one counts */
        requests->stats.malformed++;
        return;
    }
    const struct server *server = kind < REQUEST_KINDS ? &requests->servers[kind] : NULL;
    uint32_t index;
    if (server == NULL || server->asked == NULL || left_us == 0 ||
        pool_take(&requests->jobs, &index) != OK) {
        reject_send(requests, peer, id);
        return;
    }
    struct job *job = pool_at(&requests->jobs, index);
    job->id = id;
    job->index = index;
    job->peer = peer;
    requests->stats.serving = requests->jobs.used;
    uint64_t handle = pool_handle(&requests->jobs, index);
    int64_t deadline_us =
        turn_us(requests) + (left_us < REQUEST_US_MAX ? (int64_t)left_us : REQUEST_US_MAX);
    server->asked(server->ctx, peer, handle, body, deadline_us);
    if (pool_find(&requests->jobs, handle) != NULL)
        job_keep(requests, index, deadline_us);
}

static void
cancel_take(struct requests *requests, uint32_t peer, uint64_t id)
{
    uint32_t *place = job_place(requests, peer, id);
    if (place == NULL) {
        CHECK(requests->mutant != REQUESTS_MUTANT_ASSERT_CANCEL);
        requests->stats.unmatched++;
        return;
    }
    requests->stats.cancelled++;
    job_end(requests, *place);
}

void
requests_reply(struct requests *requests, uint64_t handle, bool part, struct slice body)
{
    CHECK(body.bytes <= REQUEST_BYTES_MAX);
    struct job *job = pool_find(&requests->jobs, handle);
    if (job == NULL) {
        requests->stats.unmatched++;
        return;
    }
    job->had_part |= part;
    if (message_send(requests, job->peer, part ? MESSAGE_PART : MESSAGE_RESULT, job->id, body) !=
        OK)
        requests->stats.unsent++;
    if (part)
        return;
    requests->stats.served++;
    job_end(requests, (uint32_t)handle);
}

void
requests_reject(struct requests *requests, uint64_t handle)
{
    struct job *job = pool_find(&requests->jobs, handle);
    if (job == NULL) {
        requests->stats.unmatched++;
        return;
    }
    CHECK(!job->had_part);
    reject_send(requests, job->peer, job->id);
    job_end(requests, (uint32_t)handle);
}

bool
requests_is_wanted(const struct requests *requests, uint64_t job)
{
    return pool_find(&requests->jobs, job) != NULL;
}

/* What comes */

bool
requests_message(struct requests *requests, uint32_t peer, const uint8_t *bytes, size_t n)
{
    struct reader r = reader_over(bytes, n);
    uint8_t kind = read_u8(&r);
    if (kind < REQUESTS_KIND_MIN || kind > REQUESTS_KIND_MAX)
        return false;
    uint64_t id = read_u64(&r);
    bool is_ask = kind == MESSAGE_ASK;
    uint8_t request_kind = is_ask ? read_u8(&r) : 0;
    uint32_t left_us = is_ask ? read_u32(&r) : 0;
    bool has_body = is_ask || kind == MESSAGE_PART || kind == MESSAGE_RESULT;
    struct slice body = read_bytes(&r, has_body ? reader_left(&r) : 0);
    if (!reader_ok(&r) || reader_left(&r) > 0 || body.bytes > REQUEST_BYTES_MAX) {
        requests->stats.malformed++;
        return true;
    }
    if (is_ask)
        ask_take(requests, peer, id, request_kind, left_us, body);
    else if (kind == MESSAGE_CANCEL)
        cancel_take(requests, peer, id);
    else
        answer_take(requests, peer, (enum message_kind)kind, id, body);
    return true;
}

void
requests_peer_down(struct requests *requests, uint32_t peer)
{
    for (uint32_t i = POOL_NONE; (i = pool_next(&requests->jobs, i)) != POOL_NONE;) {
        struct job *job = pool_at(&requests->jobs, i);
        if (job->peer == peer) {
            requests->stats.cancelled++;
            job_end(requests, i);
        }
    }
    /* Whoever hears of it may ask others at once; those stay. */
    for (uint32_t i = POOL_NONE; (i = pool_next(&requests->asks, i)) != POOL_NONE;) {
        const struct ask *ask = pool_at(&requests->asks, i);
        if (ask->peer == peer)
            ask_end(requests, i, REQUEST_LATE, (struct slice){0});
    }
}

/* Deadlines */

static void
asks_expire(struct requests *requests, int64_t tick)
{
    struct wheel_entry *entry;
    while ((entry = wheel_take(&requests->ask_deadlines, tick)) != NULL) {
        const struct ask *ask = (const void *)((uint8_t *)entry - offsetof(struct ask, deadline));
        cancel_send(requests, ask->peer, pool_handle(&requests->asks, ask->index));
        ask_end(requests, ask->index, REQUEST_LATE, (struct slice){0});
    }
}

static void
jobs_expire(struct requests *requests, int64_t tick)
{
    struct wheel_entry *entry;
    while ((entry = wheel_take(&requests->job_deadlines, tick)) != NULL) {
        const struct job *job = (const void *)((uint8_t *)entry - offsetof(struct job, deadline));
        requests->stats.expired++;
        job_end(requests, job->index);
    }
}

int64_t
requests_turn(struct requests *requests)
{
    requests->now_us = NOT_KNOWN;
    int64_t tick = turn_us(requests) / REQUESTS_TICK_US;
    if (requests->mutant != REQUESTS_MUTANT_NO_DEADLINE)
        asks_expire(requests, tick);
    jobs_expire(requests, tick);
    requests->now_us = NOT_KNOWN;
    bool waits = requests->ask_deadlines.count + requests->job_deadlines.count > 0;
    return waits ? (tick + 1) * REQUESTS_TICK_US : INT64_MAX;
}

const struct requests_stats *
requests_stats(const struct requests *requests)
{
    return &requests->stats;
}

int64_t
requests_overdue_us(const struct requests *requests)
{
    int64_t now_us = env_mono_us(requests->env), most_us = 0;
    for (uint32_t i = POOL_NONE; (i = pool_next(&requests->asks, i)) != POOL_NONE;) {
        const struct ask *ask = pool_at(&requests->asks, i);
        int64_t late_us = now_us - ask->deadline.due_tick * REQUESTS_TICK_US;
        most_us = late_us > most_us ? late_us : most_us;
    }
    return most_us;
}
