#include "fabric/directory_fleet.h"
#include "base/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_US 10000

static void
on_claimed(void *ctx, uint64_t epoch)
{
    struct fleet_node *n = ctx;
    struct fleet *f = n->fleet;
    f->epochs_changed += n->epoch != 0 && !n->rejoined;
    for (uint32_t i = 0; i < f->epochs_count; i++)
        f->epochs_twice += f->epochs[i] == epoch;
    CHECK(f->epochs_count < FLEET_EPOCHS);
    f->epochs[f->epochs_count++] = epoch;
    n->epoch = epoch;
    n->rejoined = false;
    n->claimed++;
}

static void
on_refused(void *ctx, const char *why)
{
    struct fleet_node *n = ctx;
    n->refused = true;
    n->fleet->history_missed += strstr(why, "lost its history") != NULL;
    snprintf(n->why, sizeof n->why, "%s", why);
}

static void
on_lost(void *ctx)
{
    ((struct fleet_node *)ctx)->lost++;
}

static void
on_left(void *ctx)
{
    ((struct fleet_node *)ctx)->left = true;
}

static void
on_book_changed(void *ctx)
{
    ((struct fleet_node *)ctx)->book_changes++;
}

static void
on_table_changed(void *ctx, enum directory_table table)
{
    (void)table;
    ((struct fleet_node *)ctx)->table_changes++;
}

static void
on_put(void *ctx, enum directory_table table, enum directory_result result)
{
    struct fleet_node *n = ctx;
    (void)table;
    n->puts++;
    n->put = result;
}

struct fleet *
fleet_alloc(uint64_t seed, enum directory_mutant mutant)
{
    struct fleet *f = calloc(1, sizeof *f);
    CHECK(f != NULL);
    f->mutant = mutant;
    events_init(&f->events, seed);
    struct sim_schedule schedule = events_port(&f->events);
    f->model = memory_directory_alloc(&schedule);
    f->env.clock = events_clock(&f->events);
    return f;
}

void
fleet_free(struct fleet **fleet)
{
    struct fleet *f = *fleet;
    for (uint32_t i = 0; i < FLEET_NODES_MAX; i++)
        directory_free(&f->nodes[i].directory);
    memory_directory_free(&f->model);
    events_fini(&f->events);
    free(f);
    *fleet = NULL;
}

struct fleet_node *
fleet_start(struct fleet *f, uint32_t slot, uint16_t index, uint64_t installation)
{
    struct fleet_node *n = &f->nodes[slot];
    CHECK(slot < FLEET_NODES_MAX && n->directory == NULL);
    *n = (struct fleet_node){.fleet = f, .installation = installation};
    n->node =
        (struct node){.role = NODE_HOME, .index = index, .protocol_min = 1, .protocol_max = 2};
    snprintf(n->node.address, sizeof n->node.address, "127.0.0.1:%u", 7000 + slot);
    snprintf(n->node.version, sizeof n->node.version, "test");
    struct directory_options options = {.world = FLEET_WORLD,
                                        .node = n->node,
                                        .installation = installation,
                                        .mutant = f->mutant,
                                        .events = {.ctx = n,
                                                   .claimed = on_claimed,
                                                   .refused = on_refused,
                                                   .lost = on_lost,
                                                   .left = on_left,
                                                   .book_changed = on_book_changed,
                                                   .table_changed = on_table_changed,
                                                   .put = on_put}};
    n->directory = directory_alloc(&options, &f->env);
    n->client = memory_directory_connect(f->model, directory_done(n->directory));
    struct env_directory port = memory_directory_port(n->client);
    directory_start(n->directory, &port);
    return n;
}

void
fleet_kill(struct fleet *f, uint32_t slot)
{
    struct fleet_node *n = &f->nodes[slot];
    memory_directory_crash(&n->client);
    directory_free(&n->directory);
}

void
fleet_run_ms(struct fleet *f, int64_t ms)
{
    int64_t until_us = f->events.now_us + ms * 1000;
    while (f->events.now_us < until_us) {
        for (uint32_t i = 0; i < FLEET_NODES_MAX; i++)
            if (f->nodes[i].directory != NULL)
                CHECK(directory_turn(f->nodes[i].directory) >= 0);
        int64_t next_us = f->events.now_us + STEP_US;
        events_run(&f->events, next_us < until_us ? next_us : until_us);
    }
}

int64_t
fleet_now_ms(const struct fleet *f)
{
    return f->events.now_us / 1000;
}

static bool
is_registered(const struct fleet_node *n)
{
    return n->directory != NULL && !n->refused && !n->left;
}

static bool
book_is_true(const struct fleet *f, const struct book *book)
{
    uint32_t registered = 0;
    for (uint32_t i = 0; i < FLEET_NODES_MAX; i++) {
        const struct fleet_node *n = &f->nodes[i];
        if (!is_registered(n))
            continue;
        registered++;
        const struct node *found = book_find(book, n->epoch);
        if (n->epoch == 0 || directory_epoch(n->directory) != n->epoch || found == NULL ||
            found->index != n->node.index || found->draining != n->node.draining ||
            strcmp(found->address, n->node.address) != 0)
            return false;
    }
    return book->count == registered;
}

bool
fleet_agrees(const struct fleet *f)
{
    for (uint32_t i = 0; i < FLEET_NODES_MAX; i++)
        if (f->nodes[i].directory != NULL &&
            !book_is_true(f, directory_book(f->nodes[i].directory)))
            return false;
    return true;
}
