/* For tests: nodes that ask each other over queues with delay, on virtual time. Messages keep their
 * order between two nodes; a hook may change, repeat or drop each before it arrives. Tests only.
 */
#ifndef SEOM_FABRIC_REQUESTS_FIXTURE_H
#define SEOM_FABRIC_REQUESTS_FIXTURE_H

#include "base/rand.h"
#include "fabric/requests.h"
#include "sim/events.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifndef TALK_NODES
#    define TALK_NODES 3
#endif

struct talk;

struct talk_node {
    struct talk *talk;
    uint32_t number;
    struct env env;
    struct requests *requests;
    enum err full; /* what its link answers */
};

struct talk_message {
    struct talk_node *from, *to;
    size_t bytes;
    uint8_t at[];
};

struct talk {
    struct events time;
    struct talk_node nodes[TALK_NODES];
    int64_t last_due_us[TALK_NODES][TALK_NODES];
    uint32_t delay_us_max;
    uint64_t sent;
    uint8_t last[16]; /* the first bytes of what was sent last */
    bool cut[TALK_NODES][TALK_NODES];
    void *ctx;
    /* Instead of a plain requests_message(); may be NULL. */
    void (*deliver)(void *ctx, struct talk_node *to, uint32_t from, uint8_t *bytes, size_t n);
};

static void
talk_arrive(void *arg, uint64_t n)
{
    (void)n;
    struct talk_message *m = arg;
    struct talk *talk = m->to->talk;
    if (talk->cut[m->from->number][m->to->number]) {
        free(m);
        return;
    }
    if (talk->deliver != NULL)
        talk->deliver(talk->ctx, m->to, m->from->number, m->at, m->bytes);
    else
        assert_true(requests_message(m->to->requests, m->from->number, m->at, m->bytes));
    free(m);
}

static enum err
talk_send(void *ctx, uint32_t peer, const struct slice *pieces, uint32_t count)
{
    struct talk_node *from = ctx;
    struct talk *talk = from->talk;
    assert_true(peer < TALK_NODES && peer != from->number);
    if (from->full != OK)
        return from->full;
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += pieces[i].bytes;
    struct talk_message *m = malloc(sizeof *m + bytes);
    assert_non_null(m);
    *m = (struct talk_message){.from = from, .to = &talk->nodes[peer]};
    for (uint32_t i = 0; i < count; i++) {
        if (pieces[i].bytes > 0)
            memcpy(m->at + m->bytes, pieces[i].at, pieces[i].bytes);
        m->bytes += pieces[i].bytes;
    }
    talk->sent++;
    memcpy(talk->last, m->at, bytes < sizeof talk->last ? bytes : sizeof talk->last);
    struct sim_schedule schedule = events_port(&talk->time);
    int64_t *last_us = &talk->last_due_us[from->number][peer];
    int64_t due_us = talk->time.now_us + rand_below(&talk->time.rand, talk->delay_us_max + 1);
    *last_us = due_us > *last_us ? due_us : *last_us;
    schedule.at(schedule.ctx, *last_us, talk_arrive, m, 0);
    return OK;
}

static struct talk *
talk_open(uint64_t seed, uint32_t delay_us_max)
{
    struct talk *talk = calloc(1, sizeof *talk);
    assert_non_null(talk);
    events_init(&talk->time, seed);
    talk->delay_us_max = delay_us_max;
    for (uint32_t i = 0; i < TALK_NODES; i++) {
        struct talk_node *node = &talk->nodes[i];
        *node = (struct talk_node){.talk = talk, .number = i};
        node->env = (struct env){.clock = events_clock(&talk->time),
                                 .links = {.ctx = node, .send = talk_send}};
        node->requests = requests_alloc(&node->env);
    }
    return talk;
}

static void
talk_close(struct talk *talk)
{
    while (talk->time.count > 0) { /* messages on their way hold memory */
        for (uint32_t i = 0; i < TALK_NODES * TALK_NODES; i++)
            talk->cut[i / TALK_NODES][i % TALK_NODES] = true;
        (void)events_step(&talk->time);
    }
    for (uint32_t i = 0; i < TALK_NODES; i++)
        requests_free(&talk->nodes[i].requests);
    events_fini(&talk->time);
    free(talk);
}

/* Virtual time goes on by so much, with a turn of every node each millisecond. */
static void
talk_run(struct talk *talk, int64_t ms)
{
    for (int64_t i = 0; i < ms; i++) {
        events_run(&talk->time, talk->time.now_us + 1000);
        for (uint32_t k = 0; k < TALK_NODES; k++)
            (void)requests_turn(talk->nodes[k].requests);
    }
}

#endif
