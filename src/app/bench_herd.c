/* The bots' process of a bench, on core 1. */
#include "app/bench.h"
#include "app/output.h"
#include "base/check.h"
#include "os/address.h"
#include "os/process.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

struct herding {
    struct bench_shared *shared;
    uint32_t measured_s; /* whole seconds so far */
};

/* The server counts from its first second inside to its last: one more than was asked for, so that
 * this is never less. */
static bool
second(void *ctx, const struct herd_second *s)
{
    static const char *const phases[] = {[HERD_CONNECTING] = "connecting",
                                         [HERD_WARMING] = "warming up",
                                         [HERD_MEASURING] = "measuring",
                                         [HERD_LEAVING] = "leaving"};
    struct herding *h = ctx;
    output_progress("%4" PRIu32 " s  %-10s  %" PRIu32 "/%" PRIu32 " playing, %" PRIu64
                    " lost, %.0f moves/s, %.1f KB/s, age p50 %" PRIu64 " p99 %" PRIu64
                    " ms, %.2f others",
                    s->seconds, phases[s->phase], s->playing, s->wanted, s->lost, s->moves_per_s,
                    s->bytes_per_s / 1000, s->age_p50_ms, s->age_p99_ms, s->others);
    if (s->phase != HERD_MEASURING) {
        return !scratch_stopped();
    }
    bool enough =
        h->measured_s++ > h->shared->options.seconds || s->playing == 0 || scratch_stopped();
    atomic_store(&h->shared->measuring, !enough);
    return !enough;
}

static void
to_server(struct bench_shared *shared, struct herd_options *out)
{
    char text[ADDRESS_TEXT_MAX];
    struct address to;
    snprintf(text, sizeof text, "127.0.0.1:%" PRIu32, atomic_load(&shared->port));
    CHECK(address_parse(text, &to) == NULL);
    out->gates[0] = (struct herd_gate){.at = to.socket, .bytes = to.socket_bytes};
    out->gates_count = 1;
}

int
bench_herd(void *ctx)
{
    struct bench_shared *shared = ctx;
    const struct bench_options *o = &shared->options;
    struct herding herding = {.shared = shared};
    struct herd_options options = {.count = o->players,
                                   .observers = o->observers,
                                   .warm_s = o->warm_s,
                                   .second = second,
                                   .ctx = &herding};
    struct tracks *tracks;
    char why[HERD_WHY_MAX] = "";
    if (!bench_plan(shared, &tracks, &options.plan)) {
        return 1;
    }
    if (process_cores() > 1 && thread_pin(1) != OK) {
        return bench_fail(shared, ERR_DENIED, "the bots cannot stay on core 1");
    }
    struct slice *tickets = calloc(o->players, sizeof *tickets);
    CHECK(tickets != NULL);
    for (uint32_t i = 0; i < o->players; i++) {
        tickets[i] = (struct slice){.at = shared->tickets[i], .bytes = TICKET_BYTES};
    }
    options.tickets = tickets;
    to_server(shared, &options);
    enum err error = herd_run(&options, &shared->result.herd, why);
    free(tickets);
    tracks_free(&tracks);
    return error == OK ? 0 : bench_fail(shared, error, "the bots: %s", why);
}
