#include "base/rand.h"
#include "rules/grove.h"
#include "rules/rules_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ANN, BEN };

static void
test_bears(void **state)
{
    (void)state;
    Seom__Picked note = SEOM__PICKED__INIT, *picked = &note;
    Seom__ChunkDocument chunk = SEOM__CHUNK_DOCUMENT__INIT;
    assert_true(grove_bears(NULL, 2, 500));
    assert_true(grove_bears(&chunk, 2, 500));
    assert_int_equal(grove_due_ms(&chunk), INT64_MAX);
    chunk.picked = &picked;
    chunk.n_picked = 1;
    note.thing = 2;
    note.until_ms = 500;
    assert_false(grove_bears(&chunk, 2, 500));
    assert_false(grove_bears(&chunk, 2, 400)); /* whoever asks has a slow clock */
    assert_true(grove_bears(&chunk, 2, 501));
    assert_true(grove_bears(&chunk, 1, 400));
    assert_true(grove_bears(&chunk, 3, 400));
    chunk.regrown_ms = 450;
    assert_false(grove_bears(&chunk, 3, 450));
    assert_true(grove_bears(&chunk, 3, 451));
    assert_int_equal(grove_due_ms(&chunk), 500);
}

/* ---- the same harvests under any jobs ---- */

#define EVENTS_MAX 256
#define TREES_MAX  SAMPLE_THINGS_MAX

enum event_kind { EVENT_PICK, EVENT_JOB };

struct happening {
    enum event_kind kind;
    int64_t at_ms;
    uint32_t who, tree;
    int64_t upto_ms; /* of a job; 0: an empty body */
};

/* What happens to one chunk with several trees. */
struct history {
    struct grounds_tree trees[TREES_MAX];
    uint32_t trees_count, count;
    struct happening events[EVENTS_MAX];
    int64_t end_ms;
};

/* The n-th chunk with more than one tree. */
static void
choose_chunk(struct history *h, uint32_t n)
{
    for (uint32_t first = 0;; first += h->trees_count) {
        struct grounds_tree tree = grounds_tree(first);
        uint64_t chunk = tree.chunk;
        for (h->trees_count = 0; tree.chunk == chunk; h->trees_count++) {
            h->trees[h->trees_count] = tree;
            tree = grounds_tree(first + h->trees_count + 1);
        }
        if (h->trees_count > 1 && n-- == 0) {
            return;
        }
    }
}

/* Picks at any time; the jobs are all those that a steward would have asked for, and more. */
static void
write_history(struct history *h, struct rand *r)
{
    int64_t at_ms = 1000;
    for (h->count = 0; h->count < 90; h->count++) {
        at_ms += rand_below(r, 60000);
        h->events[h->count] = (struct happening){.kind = EVENT_PICK,
                                                 .at_ms = at_ms,
                                                 .who = rand_below(r, 2),
                                                 .tree = rand_below(r, h->trees_count)};
    }
    h->end_ms = at_ms + 1000;
}

/* The same picks with jobs strewn in: late ones, repeated ones, of the past and of now. */
static void
strew_jobs(const struct history *h, struct history *out, uint32_t jobs_per_pick, struct rand *r)
{
    *out = *h;
    out->count = 0;
    for (uint32_t i = 0; i < h->count; i++) {
        uint32_t jobs = jobs_per_pick > 0 ? rand_below(r, 2 * jobs_per_pick + 1) : 0;
        out->events[out->count++] = h->events[i];
        for (uint32_t n = 0; n < jobs && out->count + h->count - i < EVENTS_MAX; n++) {
            int64_t at_ms = h->events[i].at_ms;
            int64_t upto_ms = rand_below(r, 3) == 0 ? 0 : rand_below(r, (uint32_t)at_ms);
            out->events[out->count++] =
                (struct happening){.kind = EVENT_JOB, .at_ms = at_ms, .upto_ms = upto_ms};
        }
    }
}

struct outcome {
    uint32_t fruit[2]; /* of both people */
    uint32_t picked, refused, seen_bare;
    size_t bytes;
    uint8_t document[STORE_VALUE_MAX];
};

/* One pick, which must do what the closed form and the harvests so far say. */
static void
check_pick(struct grounds *g, const struct history *h, const struct happening *event,
           int64_t harvested_ms[TREES_MAX], struct outcome *out)
{
    const struct grounds_tree *tree = &h->trees[event->tree];
    struct sample_tree form = grounds_form(g, tree);
    bool ripe = form.stage == STAGE_FRUIT, there = harvested_ms[event->tree] != form.next_ms;

    g->people[event->who].at = tree->place;
    uint32_t code = grounds_pick(g, event->who, tree->entity);
    assert_int_equal(code, !ripe   ? SEOM__CODE__REFUSED
                           : there ? SEOM__CODE__FINE
                                   : SEOM__CODE__NOT_FOUND);
    if (code == SEOM__CODE__FINE) {
        harvested_ms[event->tree] = form.next_ms;
        out->picked++;
    }
    out->refused += code == SEOM__CODE__NOT_FOUND;
}

/* Whether a job ran cannot be seen: every tree looks as its harvests say. */
static void
check_sight(struct grounds *g, const struct history *h, const int64_t harvested_ms[TREES_MAX],
            struct outcome *out)
{
    const struct grounds_tree *any = &h->trees[0];
    struct game_thing things[GAME_THINGS_PER_CHUNK_MAX];
    int64_t changes_ms;
    sample_game.things(any->chunk_seed, chunk_cx(any->chunk), chunk_cy(any->chunk),
                       grounds_chunk(g, any->chunk), grounds_now_ms(g), things,
                       GAME_THINGS_PER_CHUNK_MAX, &changes_ms);
    for (uint32_t n = 0; n < h->trees_count; n++) {
        struct sample_tree form = grounds_form(g, &h->trees[n]);
        bool bare = form.stage == STAGE_FRUIT && harvested_ms[n] == form.next_ms;
        assert_int_equal(things[h->trees[n].number].attributes[0], bare ? STAGE_BARE : form.stage);
        out->seen_bare += bare;
    }
}

static void
live_through(const struct history *h, struct outcome *out)
{
    struct grounds *g = grounds_alloc(5, SOCIETY_MUTANT_NONE);
    int64_t harvested_ms[TREES_MAX] = {0};

    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < h->count; i++) {
        const struct happening *event = &h->events[i];
        if (grounds_now_ms(g) < event->at_ms) {
            grounds_pass_until(g, event->at_ms);
        }
        if (event->kind == EVENT_PICK) {
            check_pick(g, h, event, harvested_ms, out);
        } else {
            assert_int_equal(grounds_regrow(g, h->trees[0].place, event->upto_ms),
                             SEOM__CODE__FINE);
        }
        check_sight(g, h, harvested_ms, out);
    }
    grounds_pass_until(g, h->end_ms);
    assert_int_equal(grounds_regrow(g, h->trees[0].place, h->end_ms), SEOM__CODE__FINE);
    struct store_doc doc = grounds_bytes(g, KEY_CLASS_CHUNK, h->trees[0].chunk);
    assert_true(doc.exists);
    out->bytes = doc.value.bytes;
    memcpy(out->document, doc.value.at, doc.value.bytes);
    for (uint32_t who = 0; who < 2; who++) {
        out->fruit[who] = grounds_has(g, who, GOODS_FRUIT);
    }
    assert_int_equal(out->fruit[ANN] + out->fruit[BEN], out->picked * SAMPLE_FRUIT_PER_TREE);
    grounds_free(g);
}

/* No jobs but the last, few, many: the same harvests, and at the end the same document. */
static void
test_jobs_converge(void **state)
{
    (void)state;
    struct rand r;
    uint32_t picked = 0, refused = 0, bare = 0, jobs = 0;
    rand_seed(&r, 31);
    for (uint32_t n = 0; n < 40; n++) {
        static struct history plain, strewn;
        static struct outcome first, other;
        choose_chunk(&plain, n);
        write_history(&plain, &r);
        live_through(&plain, &first);
        for (uint32_t jobs_per_pick = 1; jobs_per_pick < 3; jobs_per_pick++) {
            strew_jobs(&plain, &strewn, jobs_per_pick, &r);
            jobs += strewn.count - plain.count;
            live_through(&strewn, &other);
            assert_int_equal(other.picked, first.picked);
            assert_memory_equal(other.fruit, first.fruit, sizeof first.fruit);
            assert_int_equal(other.bytes, first.bytes);
            assert_memory_equal(other.document, first.document, first.bytes);
        }
        picked += first.picked;
        refused += first.refused;
        bare += first.seen_bare;
    }
    assert_true(picked > 200 && refused > 200 && bare > 300 && jobs > 5000);
}

/* ---- jobs ---- */

static const Seom__Picked *
only_note(struct grounds *g, const struct grounds_tree *tree)
{
    const Seom__ChunkDocument *chunk = grounds_chunk(g, tree->chunk);
    assert_non_null(chunk);
    assert_int_equal(chunk->n_picked, 1);
    return chunk->picked[0];
}

static struct grounds *
picked_tree(enum society_mutant mutant, struct grounds_tree *tree, int64_t *until_ms)
{
    struct grounds *g = grounds_alloc(8, mutant);
    *tree = grounds_tree(0);
    g->people[ANN].at = g->people[BEN].at = tree->place;
    grounds_until_stage(g, tree, STAGE_FRUIT);
    *until_ms = grounds_form(g, tree).next_ms;
    assert_int_equal(grounds_pick(g, ANN, tree->entity), SEOM__CODE__FINE);
    return g;
}

static void
test_when_due(void **state)
{
    (void)state;
    struct grounds_tree tree;
    int64_t until_ms;
    struct grounds *g = picked_tree(SOCIETY_MUTANT_NONE, &tree, &until_ms);
    assert_int_equal(only_note(g, &tree)->until_ms, until_ms);
    assert_int_equal(sample_game.regrow_due_ms(grounds_chunk(g, tree.chunk)), until_ms);
    /* Too early, once more, and from a clock that is ahead: nothing. */
    uint64_t version = grounds_bytes(g, KEY_CLASS_CHUNK, tree.chunk).version;
    assert_int_equal(grounds_regrow(g, tree.place, 0), SEOM__CODE__FINE);
    assert_int_equal(grounds_regrow(g, tree.place, until_ms - 1), SEOM__CODE__FINE);
    assert_int_equal(grounds_regrow(g, tree.place, until_ms + 1000000), SEOM__CODE__FINE);
    assert_int_equal(grounds_bytes(g, KEY_CLASS_CHUNK, tree.chunk).version, version);
    assert_int_equal(grounds_pick(g, BEN, tree.entity), SEOM__CODE__NOT_FOUND);
    grounds_pass_until(g, until_ms);
    assert_int_equal(grounds_regrow(g, tree.place, 0), SEOM__CODE__FINE);
    const Seom__ChunkDocument *chunk = grounds_chunk(g, tree.chunk);
    assert_int_equal(chunk->n_picked, 0);
    assert_int_equal(chunk->regrown_ms, until_ms);
    assert_int_equal(sample_game.regrow_due_ms(chunk), INT64_MAX);
    grounds_free(g);
}

/* A job that was asked for in one year and comes in the next forgets nothing of that year. */
static void
test_late_job(void **state)
{
    (void)state;
    struct grounds_tree tree;
    int64_t until_ms;
    struct grounds *g = picked_tree(SOCIETY_MUTANT_NONE, &tree, &until_ms);
    grounds_until_stage(g, &tree, STAGE_FRUIT);
    assert_int_equal(grounds_pick(g, BEN, tree.entity), SEOM__CODE__FINE);
    int64_t next_until_ms = only_note(g, &tree)->until_ms;
    assert_true(next_until_ms > until_ms);
    for (uint32_t times = 0; times < 3; times++) {
        assert_int_equal(grounds_regrow(g, tree.place, until_ms), SEOM__CODE__FINE);
        assert_int_equal(only_note(g, &tree)->until_ms, next_until_ms);
        assert_int_equal(grounds_pick(g, ANN, tree.entity), SEOM__CODE__NOT_FOUND);
    }
    grounds_free(g);
}

/* A command is taken up in the last moment of a harvest that somebody else had, the store is away,
 * and when it is back the harvest has been forgotten. The command still sees its own time. */
static void
test_held_up_command(void **state)
{
    (void)state;
    struct grounds_tree tree;
    int64_t until_ms;
    struct grounds *g = picked_tree(SOCIETY_MUTANT_NONE, &tree, &until_ms);
    grounds_pass_until(g, until_ms - 1);
    memory_store_set_away(g->desk->memory, true);
    Seom__Pick pick = SEOM__PICK__INIT;
    pick.entity = tree.entity;
    grounds_ask(g, BEN, SEOM__DEED__WHAT_PICK, &pick);
    /* It tries again and again; the job slips into one of its long pauses. */
    int64_t next_us = 0, now_us = 0;
    while (grounds_now_ms(g) < until_ms || memory_store_under_way(g->desk->memory) > 0 ||
           next_us - now_us < 50000) {
        if (memory_store_under_way(g->desk->memory) > 0) {
            assert_true(events_step(&g->desk->schedule));
        } else {
            events_run(&g->desk->schedule, next_us > now_us ? next_us : now_us);
        }
        next_us = commands_turn(g->commands);
        now_us = env_mono_us(&g->desk->env);
        assert_int_equal(g->people[BEN].code, GROUNDS_PENDING);
    }
    memory_store_set_away(g->desk->memory, false);
    grounds_job(g, tree.place, (struct slice){0});
    for (uint32_t turns = 0; g->jobs > 0; turns++) {
        assert_true(turns < 10);
        commands_turn(g->commands);
        desk_settle(g->desk);
    }
    assert_int_equal(grounds_chunk(g, tree.chunk)->n_picked, 0);
    assert_int_equal(g->people[BEN].code, GROUNDS_PENDING);
    grounds_settle(g);
    assert_int_equal(g->people[BEN].code, SEOM__CODE__NOT_FOUND);
    assert_int_equal(grounds_has(g, BEN, GOODS_FRUIT), 0);
    grounds_free(g);
}

static void
test_malformed_jobs(void **state)
{
    (void)state;
    static const uint8_t bytes[9] = {0};
    struct grounds_tree tree;
    int64_t until_ms;
    struct grounds *g = picked_tree(SOCIETY_MUTANT_NONE, &tree, &until_ms);
    grounds_pass_until(g, until_ms);
    for (size_t count = 1; count <= sizeof bytes; count++) {
        if (count != 8) {
            grounds_job(g, tree.place, (struct slice){.at = bytes, .bytes = count});
            grounds_settle(g);
            assert_int_equal(g->job_code, SEOM__CODE__MALFORMED);
        }
    }
    assert_int_equal(grounds_regrow(g, (struct place){.x_mm = -1}, 0), SEOM__CODE__MALFORMED);
    assert_int_equal(grounds_chunk(g, tree.chunk)->n_picked, 1);
    struct place nothing_there = {.x_mm = 19 * CHUNK_MM, .y_mm = 19 * CHUNK_MM};
    assert_int_equal(grounds_regrow(g, nothing_there, 0), SEOM__CODE__FINE);
    assert_null(grounds_chunk(g, chunk_id(GROUNDS_ISLAND, 19, 19)));
    grounds_free(g);
}

/* What the wrong job does, so that the simulator has something to find. */
static void
test_mutant_regrows_twice(void **state)
{
    (void)state;
    struct grounds_tree tree;
    int64_t until_ms;
    struct grounds *g = picked_tree(SOCIETY_MUTANT_REGROW_TWICE, &tree, &until_ms);
    assert_int_equal(grounds_regrow(g, tree.place, 0), SEOM__CODE__FINE);
    assert_int_equal(grounds_pick(g, BEN, tree.entity), SEOM__CODE__FINE);
    grounds_free(g);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bears),
        cmocka_unit_test(test_jobs_converge),
        cmocka_unit_test(test_when_due),
        cmocka_unit_test(test_late_job),
        cmocka_unit_test(test_held_up_command),
        cmocka_unit_test(test_malformed_jobs),
        cmocka_unit_test(test_mutant_regrows_twice),
    };
    return cmocka_run_group_tests_name("grove", tests, NULL, NULL);
}
