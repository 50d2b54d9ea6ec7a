/* Requests of a node whose peers say anything: raw bytes, and answers, refusals and cancels of what
 * is really asked and served. Whatever comes, each request ends exactly once, and when nobody says
 * anything any more, nothing is left.
 */
#include "base/check.h"
#include "fabric/requests.h"
#include "fuzz/extreme.h"
#include "fuzz/fuzz.h"
#include "sim/events.h"
#include <string.h>

#define PEERS     3
#define JOBS_KEPT 8
#define OPS_MAX   1024
#define ASKED_MAX 1024
#define RAW_MAX   64
#define HEAD      9 /* kind, id */

struct party {
    struct events time;
    struct env env;
    struct requests *requests;
    uint64_t ids[JOBS_KEPT], jobs[JOBS_KEPT]; /* last asked and served, round and round */
    uint32_t ids_count, jobs_count, asked;
    uint32_t ends[ASKED_MAX];
    bool full;
};

static enum err
link_send(void *ctx, uint32_t peer, const struct slice *pieces, uint32_t count)
{
    struct party *p = ctx;
    CHECK(peer < PEERS && count >= 1 && count <= 2 && pieces[0].bytes >= HEAD);
    CHECK(pieces[0].at[0] >= REQUESTS_KIND_MIN && pieces[0].at[0] <= REQUESTS_KIND_MAX);
    if (p->full)
        return ERR_FULL;
    if (pieces[0].at[0] == REQUESTS_KIND_MIN) {
        struct reader r = reader_over(pieces[0].at + 1, sizeof(uint64_t));
        p->ids[p->ids_count++ % JOBS_KEPT] = read_u64(&r);
    }
    return OK;
}

static void
answered(void *ctx, uint64_t n, enum request_end end, bool part, struct slice body)
{
    struct party *p = ctx;
    CHECK(n < p->asked && p->ends[n] == 0);
    CHECK(end == REQUEST_DONE || (body.bytes == 0 && !part));
    p->ends[n] += !part;
}

static void
asked(void *ctx, uint32_t peer, uint64_t job, struct slice body, int64_t deadline_us)
{
    struct party *p = ctx;
    CHECK(peer < PEERS && deadline_us > p->time.now_us);
    uint8_t manner = body.bytes > 0 ? body.at[0] : 0;
    p->jobs[p->jobs_count++ % JOBS_KEPT] = job;
    if (manner % 4 == 1)
        requests_reply(p->requests, job, false, body);
    else if (manner % 4 == 2)
        requests_reject(p->requests, job);
    else if (manner % 4 == 3)
        requests_reply(p->requests, job, true, body);
    CHECK(requests_is_wanted(p->requests, job) == (manner % 4 == 0 || manner % 4 == 3));
}

static void
ask(struct party *p, struct reader *r)
{
    uint32_t peer = read_u8(r) % PEERS;
    int64_t timeout_us = 1 + read_u16(r) * INT64_C(100);
    if (p->asked == ASKED_MAX)
        return;
    p->asked++;
    if (requests_ask(p->requests, peer, REQUEST_TEST, (struct slice){0}, timeout_us, answered, p,
                     p->asked - 1) != OK)
        p->asked--;
}

static void
hear(struct party *p, struct reader *r, bool known)
{
    uint32_t peer = read_u8(r) % PEERS;
    uint8_t bytes[RAW_MAX + HEAD] = {0};
    struct writer w = writer_over(bytes, sizeof bytes);
    if (known) {
        write_u8(&w, (uint8_t)(REQUESTS_KIND_MIN + read_u8(r) % 8));
        write_u64(&w, p->ids[read_u8(r) % JOBS_KEPT]);
    }
    struct slice raw = read_bytes(r, read_u8(r) % RAW_MAX);
    if (reader_ok(r) && raw.bytes > 0)
        write_bytes(&w, raw.at, raw.bytes);
    (void)requests_message(p->requests, peer, bytes, writer_used(&w));
}

static void
work(struct party *p, struct reader *r)
{
    uint64_t job = p->jobs[read_u8(r) % JOBS_KEPT];
    uint8_t how = read_u8(r) % 3;
    if (how < 2)
        requests_reply(p->requests, job, how == 0, (struct slice){0});
    else if (!requests_is_wanted(p->requests, job))
        requests_reject(p->requests, job);
}

static void
op_run(struct party *p, struct reader *r)
{
    switch ((enum requests_op)(read_u8(r) % REQUESTS_OPS)) {
    case REQUESTS_OP_STEP:
        events_run(&p->time, p->time.now_us + read_u8(r) * INT64_C(5000));
        (void)requests_turn(p->requests);
        break;
    case REQUESTS_OP_ASK: ask(p, r); break;
    case REQUESTS_OP_RAW: hear(p, r, false); break;
    case REQUESTS_OP_KNOWN: hear(p, r, true); break;
    case REQUESTS_OP_WORK: work(p, r); break;
    case REQUESTS_OP_DOWN: requests_peer_down(p->requests, read_u8(r) % PEERS); break;
    case REQUESTS_OP_FULL: p->full = read_u8(r) % 2 == 0; break;
    case REQUESTS_OPS: break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct party party; /* large */
    struct party *p = &party;
    *p = (struct party){0};
    events_init(&p->time, 1);
    p->env = (struct env){.clock = events_clock(&p->time), .links = {.ctx = p, .send = link_send}};
    p->requests = requests_alloc(&p->env);
    requests_serve(p->requests, REQUEST_TEST, asked, p);
    struct reader r = reader_over(data, size);
    for (uint32_t i = 0; i < OPS_MAX && reader_left(&r) > 0; i++)
        op_run(p, &r);
    events_run(&p->time, p->time.now_us + REQUEST_US_MAX + REQUESTS_TICK_US);
    CHECK(requests_turn(p->requests) == INT64_MAX);
    const struct requests_stats *stats = requests_stats(p->requests);
    CHECK(stats->asking == 0 && stats->serving == 0 && stats->asked == p->asked);
    for (uint32_t i = 0; i < p->asked; i++)
        CHECK(p->ends[i] == 1);
    requests_free(&p->requests);
    events_fini(&p->time);
    return 0;
}
