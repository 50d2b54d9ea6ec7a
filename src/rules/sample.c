#include "rules/sample.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/rand.h"
#include "rules/grove.h"
#include "rules/sample_deeds.h"
#include "rules/sample_kinds.h"
#include "wire/batch.h"

#define REACH_MM 3000

/* Of ten chunks three are empty, three have one thing, two have two and two have three. */
static const uint8_t things_in_ten[10] = {0, 0, 0, 1, 1, 1, 2, 2, 3, 3};

/* Shares of chance: each use of a seed has its own number, so that no two depend on each other. */
enum use {
    USE_COUNT,
    USE_KIND,
    USE_X,
    USE_Y,
    USE_PHASE,
    USE_STAGE,
    USE_GRAZING,
    USE_STOP_X,
    USE_STOP_Y
};

#define TREE_MARGIN_MM    1000
#define STAGE_MS_MIN      60000
#define STAGE_MS_SPREAD   240000
#define TREES_IN_TEN      6
#define WALKING_MS        5000
#define GRAZING_MS_MIN    4000
#define GRAZING_MS_SPREAD 6000

/* Stops of an animal lie on a grid of this width, so that from one to the next a whole number of
 * VELOCITY_UNIT_MM_S takes exactly WALKING_MS: the end of a leg is the start of the next to the
 * millimetre. */
#define STOP_GRID_MM (WALKING_MS * VELOCITY_UNIT_MM_S / 1000)

int32_t
sample_speed_mm_s(uint8_t look)
{
    switch (look) {
    case LOOK_WALKER: return SAMPLE_WALK_MM_S;
    case LOOK_RIDER: return SAMPLE_RIDE_MM_S;
    default: return 0;
    }
}

static void
sample_enter(const struct game_player *player, int64_t now_ms)
{
    (void)player;
    (void)now_ms;
}

static void
sample_leave(const struct game_player *player, int64_t now_ms)
{
    (void)player;
    (void)now_ms;
}

static int32_t
sample_reach(uint8_t look)
{
    return look == LOOK_WALKER || look == LOOK_RIDER ? REACH_MM : 0;
}

static uint32_t
chance(uint64_t seed, uint64_t use, uint32_t limit)
{
    return (uint32_t)(rand_mix(seed, use) % limit);
}

/* Division that rounds down, also before the world's birth. */
static int64_t
divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Since when time has stood in its present round of period_ms, rounds being counted from -phase_ms.
 */
static int64_t
round_of(int64_t now_ms, int64_t phase_ms, int64_t period_ms, int64_t *start_ms)
{
    int64_t n = divide_down(now_ms + phase_ms, period_ms);
    *start_ms = n * period_ms - phase_ms;
    return n;
}

static int32_t
corner_mm(uint16_t chunk)
{
    return (int32_t)chunk * CHUNK_MM;
}

static struct sample_tree
tree_form(uint64_t seed, uint16_t cx, uint16_t cy, int64_t now_ms)
{
    const uint32_t room_mm = CHUNK_MM - 2 * TREE_MARGIN_MM;
    int64_t stage_ms[STAGE_COUNT], year_ms = 0, start_ms;

    for (uint32_t stage = 0; stage < STAGE_COUNT; stage++) {
        stage_ms[stage] = STAGE_MS_MIN + chance(rand_mix(seed, USE_STAGE), stage, STAGE_MS_SPREAD);
        year_ms += stage_ms[stage];
    }
    round_of(now_ms, chance(seed, USE_PHASE, (uint32_t)year_ms), year_ms, &start_ms);
    enum sample_stage stage = STAGE_BARE;
    int64_t next_ms = start_ms + stage_ms[stage];
    while (next_ms <= now_ms) {
        next_ms += stage_ms[++stage];
        CHECK(stage < STAGE_COUNT);
    }
    return (struct sample_tree){
        .place = {.x_mm = corner_mm(cx) + TREE_MARGIN_MM + (int32_t)chance(seed, USE_X, room_mm),
                  .y_mm = corner_mm(cy) + TREE_MARGIN_MM + (int32_t)chance(seed, USE_Y, room_mm)},
        .stage = stage,
        .next_ms = next_ms,
        .bare_until_ms = start_ms + year_ms + stage_ms[STAGE_BARE],
    };
}

/* A picked tree is bare until it buds again: when the fruit would have fallen, nothing changes. */
static void
tree_at(uint64_t seed, uint16_t cx, uint16_t cy, const Seom__ChunkDocument *chunk, uint32_t n,
        int64_t now_ms, struct game_thing *out, int64_t *changes_ms)
{
    struct sample_tree tree = tree_form(seed, cx, cy, now_ms);
    if (tree.stage == STAGE_FRUIT && !grove_bears(chunk, n, tree.next_ms)) {
        tree.stage = STAGE_BARE;
        tree.next_ms = tree.bare_until_ms;
    }
    *out = (struct game_thing){
        .kind = SAMPLE_TREE, .place = tree.place, .attributes_bytes = SAMPLE_PLANT_ATTRIBUTES};
    struct writer w = writer_over(out->attributes, SAMPLE_PLANT_ATTRIBUTES);
    write_u8(&w, (uint8_t)tree.stage);
    write_i64(&w, tree.next_ms);
    CHECK(writer_ok(&w));
    *changes_ms = tree.next_ms;
}

/* Where an animal grazes for the n-th time. */
static struct place
animal_stop(uint64_t seed, struct place pasture, int64_t n)
{
    const uint32_t steps = 2 * SAMPLE_PASTURE_MM / STOP_GRID_MM + 1;
    uint64_t stop = rand_mix(seed, (uint64_t)n);

    return (struct place){.x_mm = pasture.x_mm - SAMPLE_PASTURE_MM +
                                  (int32_t)chance(stop, USE_STOP_X, steps) * STOP_GRID_MM,
                          .y_mm = pasture.y_mm - SAMPLE_PASTURE_MM +
                                  (int32_t)chance(stop, USE_STOP_Y, steps) * STOP_GRID_MM};
}

/* In turns it grazes and walks to its next stop; both are legs. */
static struct motion
animal_leg(uint64_t seed, struct place pasture, int64_t now_ms)
{
    int64_t grazing_ms = GRAZING_MS_MIN + chance(seed, USE_GRAZING, GRAZING_MS_SPREAD), start_ms;
    int64_t round_ms = grazing_ms + WALKING_MS;
    int64_t n = round_of(now_ms, chance(seed, USE_PHASE, (uint32_t)round_ms), round_ms, &start_ms);
    struct place here = animal_stop(seed, pasture, n);

    if (now_ms < start_ms + grazing_ms) {
        return (struct motion){.x_mm = here.x_mm,
                               .y_mm = here.y_mm,
                               .since_ms = start_ms,
                               .lasts_ms = (uint16_t)grazing_ms};
    }
    struct place next = animal_stop(seed, pasture, n + 1);
    return (struct motion){.x_mm = here.x_mm,
                           .y_mm = here.y_mm,
                           .vx = (int16_t)((next.x_mm - here.x_mm) / STOP_GRID_MM),
                           .vy = (int16_t)((next.y_mm - here.y_mm) / STOP_GRID_MM),
                           .since_ms = start_ms + grazing_ms,
                           .lasts_ms = WALKING_MS};
}

static void
animal_at(uint64_t seed, uint16_t cx, uint16_t cy, int64_t now_ms, struct game_thing *out,
          int64_t *changes_ms)
{
    const uint32_t room_mm = CHUNK_MM - 2 * SAMPLE_PASTURE_MM;
    struct place pasture = {
        .x_mm = corner_mm(cx) + SAMPLE_PASTURE_MM + (int32_t)chance(seed, USE_X, room_mm),
        .y_mm = corner_mm(cy) + SAMPLE_PASTURE_MM + (int32_t)chance(seed, USE_Y, room_mm)};

    *out = (struct game_thing){.kind = SAMPLE_ANIMAL,
                               .look = LOOK_ANIMAL,
                               .moves = true,
                               .place = pasture,
                               .motion = animal_leg(seed, pasture, now_ms)};
    *changes_ms = out->motion.since_ms + out->motion.lasts_ms;
}

/* What was laid down or built here. */
static void
goods_at(const Seom__ChunkThing *thing, struct game_thing *out)
{
    const Seom__Holdings *holds = thing->holds;
    const Seom__Stack *stack = holds != NULL && holds->n_slots > 0 ? holds->slots[0] : NULL;

    *out = (struct game_thing){.entity = thing->id,
                               .kind = (uint8_t)thing->kind,
                               .place = {.x_mm = thing->x_mm, .y_mm = thing->y_mm},
                               .attributes_bytes = SAMPLE_GOODS_ATTRIBUTES};
    struct writer w = writer_over(out->attributes, SAMPLE_GOODS_ATTRIBUTES);
    write_u8(&w, stack != NULL ? (uint8_t)stack->kind : GOODS_NONE);
    write_u32(&w, stack != NULL ? stack->count : 0);
    CHECK(writer_ok(&w));
}

static uint32_t
closed_forms(uint64_t chunk_seed)
{
    return things_in_ten[chance(chunk_seed, USE_COUNT, 10)];
}

static uint64_t
seed_of(uint64_t chunk_seed, uint32_t n)
{
    return rand_mix(chunk_seed, (uint64_t)n + 1000);
}

static bool
is_tree(uint64_t seed)
{
    return chance(seed, USE_KIND, 10) < TREES_IN_TEN;
}

bool
sample_tree(uint64_t chunk_seed, uint16_t cx, uint16_t cy, uint32_t n, int64_t now_ms,
            struct sample_tree *out)
{
    uint64_t seed = seed_of(chunk_seed, n);
    if (n >= closed_forms(chunk_seed) || !is_tree(seed)) {
        return false;
    }
    *out = tree_form(seed, cx, cy, now_ms);
    return true;
}

static uint32_t
sample_things(uint64_t chunk_seed, uint16_t cx, uint16_t cy, const Seom__ChunkDocument *chunk,
              int64_t now_ms, struct game_thing *out, uint32_t max, int64_t *changes_ms)
{
    uint32_t forms = closed_forms(chunk_seed), count = 0;

    *changes_ms = INT64_MAX;
    for (; count < forms && count < max; count++) {
        uint64_t seed = seed_of(chunk_seed, count);
        int64_t thing_changes_ms;
        if (is_tree(seed)) {
            tree_at(seed, cx, cy, chunk, count, now_ms, &out[count], &thing_changes_ms);
        } else {
            animal_at(seed, cx, cy, now_ms, &out[count], &thing_changes_ms);
        }
        CHECK(thing_changes_ms > now_ms);
        *changes_ms = thing_changes_ms < *changes_ms ? thing_changes_ms : *changes_ms;
    }
    for (size_t i = 0; chunk != NULL && i < chunk->n_things && count < max; i++) {
        goods_at(chunk->things[i], &out[count++]);
    }
    return count;
}

const struct game sample_game = {
    .name = "sample",
    .speed_mm_s = sample_speed_mm_s,
    .enter = sample_enter,
    .leave = sample_leave,
    .reach_mm = sample_reach,
    .things = sample_things,
    .society = &sample_society,
    .deed = sample_deed,
    .regrow = &sample_regrow,
    .regrow_due_ms = grove_due_ms,
};
