/* A process of bots of a cluster's bench. */
#include "app/bench_fleet.h"
#include "base/check.h"
#include "os/process.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

void
fleet_plan(const struct fleet_shared *shared, uint32_t herd, struct plan_options *out)
{
    CHECK(herd < FLEET_HERDS_MAX);
    *out = (struct plan_options){
        .profile = shared->options.profile, .seed = shared->options.seed + herd, .square = true};
}

uint32_t
fleet_islands_of_herd(const struct fleet_shared *shared)
{
    struct plan_options options;
    struct plan plan;
    fleet_plan(shared, 0, &options);
    plan_init(&plan, &options);
    return plan_islands(&plan, shared->herds[0].count);
}

static bool
second(void *ctx, const struct herd_second *s)
{
    const struct fleet_herding *h = ctx;
    struct fleet_herd *herd = &h->shared->herds[h->number];
    herd->second = *s;
    atomic_store(&herd->measures, s->phase == HERD_MEASURING);
    return !atomic_load(&h->shared->stop);
}

static void
probed(void *ctx, uint32_t number, uint32_t gate, int64_t asked_us, int64_t now_us)
{
    const struct fleet_herding *h = ctx;
    struct fleet_probe *p = &h->shared->probes[h->shared->herds[h->number].first + number];
    int64_t killed_us = atomic_load(&h->shared->killed_us);
    if (killed_us == 0) {
        int64_t silence_us = p->before_us == 0 ? 0 : now_us - p->before_us;
        bool measures = atomic_load(&h->shared->herds[h->number].measures);
        if (measures && silence_us > p->silence_us) {
            p->silence_us = silence_us;
        }
        p->before_us = now_us;
        p->gate = gate;
    } else if (p->again_us == 0 && asked_us >= killed_us) {
        p->again_us = now_us;
    }
}

int
fleet_herd(void *ctx)
{
    struct fleet_herding *h = ctx;
    struct fleet_shared *shared = h->shared;
    struct fleet_herd *herd = &shared->herds[h->number];
    const struct fleet_options *o = &shared->options;
    struct herd_options options = {.gates_count = shared->gates_count,
                                   .count = herd->count,
                                   .observers = UINT32_MAX,
                                   .connects_per_s = HERD_CONNECTS_PER_S / shared->herds_count,
                                   .warm_s = o->warm_s,
                                   .probers =
                                       (uint32_t)((uint64_t)o->probers * herd->count / o->players),
                                   .probe_ms = FLEET_PROBE_MS,
                                   .probed = probed,
                                   .second = second,
                                   .ctx = h};
    (void)signal(SIGINT, SIG_IGN); /* Ctrl-C ends the bench, which ends us */
    fleet_plan(shared, h->number, &options.plan);
    for (uint32_t i = 0; i < shared->gates_count; i++) {
        options.gates[i] = shared->gates[i];
    }
    struct slice *tickets = calloc(herd->count, sizeof *tickets);
    CHECK(tickets != NULL);
    for (uint32_t i = 0; i < herd->count; i++) {
        tickets[i] = (struct slice){.at = shared->tickets[herd->first + i], .bytes = TICKET_BYTES};
    }
    options.tickets = tickets;
    char why[HERD_WHY_MAX] = "";
    enum err error = herd_run(&options, &herd->result, why);
    free(tickets);
    if (error != OK) {
        snprintf(shared->why, sizeof shared->why, "bots: %s (%s)", why, err_text(error));
    }
    return error == OK ? 0 : 1;
}
