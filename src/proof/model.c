#include "proof/model.h"

#include "base/check.h"
#include "proof/state.h"
#include "rules/registry.h"
#include "world/coast.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_SIDE_MM  600000
#define WORLD_ID       1
#define SECONDS        40
#define HEAL_US        25000000 /* longer than the longest wait between two tries of a client */
#define TURN_SOON_US   200
#define MOVE_US_MAX    4000000 /* an honest person's motion, and its way */
#define DOCUMENTS_MAX  4096
#define LINK_BYTES_MAX (1U << 20)

int64_t
model_now_us(const struct model *m)
{
    return m->events.now_us;
}

int64_t
model_world_ms(const struct model *m)
{
    return m->events.now_us / 1000;
}

uint32_t
model_below(struct model *m, uint32_t limit)
{
    return rand_below(&m->rand, limit);
}

bool
model_faults(const struct model *m)
{
    return model_now_us(m) < m->faults_end_us;
}

void
model_exercised(struct model *m, enum proof_property property)
{
    m->result->exercised[property]++;
}

void
model_wrong(struct model *m, enum proof_verdict verdict, enum proof_property property,
            const char *format, ...)
{
    if (m->over) {
        return; /* the first one counts */
    }
    m->over = true;
    m->result->verdict = verdict;
    m->result->broken = property;
    va_list arguments;
    va_start(arguments, format);
    proof_wrong_text(m->result->what, sizeof m->result->what, model_now_us(m), format, arguments);
    va_end(arguments);
}

/* Machines are turned by events: at once after a message, else when they asked for it. */

static void turn_world(void *arg, uint64_t n);
static void turn_gate(void *arg, uint64_t n);

static void
plan(struct model *m, struct ticker *t, int64_t at_us, void (*fn)(void *, uint64_t), uint64_t which)
{
    if (t->planned_us != 0 && t->planned_us <= at_us) {
        return;
    }
    t->planned_us = at_us;
    t->generation++;
    struct sim_schedule s = events_port(&m->events);
    s.at(s.ctx, at_us, fn, m, t->generation << 8 | which);
}

static void
plan_world(struct model *m, int64_t at_us)
{
    plan(m, &m->world_ticker, at_us, turn_world, 0);
}

static void
plan_gate(struct model *m, uint32_t gate, int64_t at_us)
{
    plan(m, &m->gate_tickers[gate], at_us, turn_gate, gate);
}

static int64_t
after(const struct model *m, int64_t next_us)
{
    return next_us > model_now_us(m) ? next_us : model_now_us(m) + TURN_SOON_US;
}

static void
turn_world(void *arg, uint64_t n)
{
    struct model *m = arg;
    if (m->over || n >> 8 != m->world_ticker.generation) {
        return;
    }
    m->world_ticker.planned_us = 0;
    plan_world(m, after(m, world_turn(m->world)));
}

static void
turn_gate(void *arg, uint64_t n)
{
    struct model *m = arg;
    uint32_t gate = (uint32_t)(n & 0xff);
    if (m->over || n >> 8 != m->gate_tickers[gate].generation) {
        return;
    }
    m->gate_tickers[gate].planned_us = 0;
    plan_gate(m, gate, after(m, gate_turn(m->gates[gate])));
}

/* The network's events */

static void
opened(void *ctx, uint32_t gate, uint32_t conn)
{
    struct model *m = ctx;
    gate_opened(m->gates[gate], conn);
    plan_gate(m, gate, model_now_us(m) + TURN_SOON_US);
}

static void
received(void *ctx, uint32_t gate, uint32_t conn, uint8_t *bytes, size_t n)
{
    struct model *m = ctx;
    gate_received(m->gates[gate], conn, bytes, n);
    plan_gate(m, gate, model_now_us(m) + TURN_SOON_US);
}

static void
writable(void *ctx, uint32_t gate, uint32_t conn)
{
    gate_writable(((struct model *)ctx)->gates[gate], conn);
}

static void
gate_side_closed(void *ctx, uint32_t gate, uint32_t conn)
{
    gate_closed(((struct model *)ctx)->gates[gate], conn);
}

static void
connected(void *ctx, uint32_t person)
{
    struct model *m = ctx;
    seom_client_connected(m->persons[person].client, model_now_us(m));
    person_flush(&m->persons[person]);
}

static void
arrived(void *ctx, uint32_t person, const uint8_t *bytes, size_t n)
{
    struct model *m = ctx;
    struct person *p = &m->persons[person];
    enum err e = seom_client_input(p->client, bytes, n, model_now_us(m));
    if (e == ERR_CLOSED) {
        return; /* good-bye was said; the line ends behind it */
    }
    if (e != OK) {
        model_wrong(m, PROOF_WRONG, PROOF_LIMITS_KEPT,
                    "person %u could not read what the gate sent", person);
    }
    person_flush(p);
}

static void
broke(void *ctx, uint32_t person)
{
    person_broke(&((struct model *)ctx)->persons[person]);
}

static void
message(void *ctx, uint32_t from, uint32_t to, const uint8_t *bytes, size_t n)
{
    struct model *m = ctx;
    if (to == SIM_HOME) {
        world_message(m->world, from, bytes, n);
        plan_world(m, model_now_us(m));
    } else {
        gate_message(m->gates[to], from, bytes, n);
        plan_gate(m, to, model_now_us(m));
    }
}

/* The home's way out, on which the checks listen: in the order in which it decided, refused or not.
 */

static enum err
home_tells(void *ctx, uint32_t gate, const struct slice *pieces, uint32_t count)
{
    struct model *m = ctx;
    struct link_message told = {0};
    if (link_read(pieces[0].at, pieces[0].bytes, &told) == OK && told.kind == LINK_SELF &&
        told.as.self.kind == SELF_MOTION) {
        check_motion(m, told.as.self.player, &told.as.self.motion, told.as.self.look);
    } else if (pieces[0].at[0] == LINK_HOME && told.as.home.player != 0) {
        m->truths[check_slot(m, told.as.home.player)].is_told = false; /* placed anew */
    }
    return m->home_links.send(m->home_links.ctx, gate, pieces, count);
}

/* Building */

static int64_t
clock_mono_us(void *ctx)
{
    return model_now_us(ctx);
}

static int64_t
clock_world_ms(void *ctx)
{
    return model_world_ms(ctx);
}

static uint64_t
clock_random(void *ctx)
{
    return rand_next(&((struct model *)ctx)->rand);
}

static struct env_clock
model_clock(struct model *m)
{
    return (struct env_clock){
        .ctx = m, .mono_us = clock_mono_us, .world_ms = clock_world_ms, .random = clock_random};
}

static void
draw_knobs(struct model *m)
{
    struct knobs *k = &m->knobs;
    k->crowd = m->options.players == 0 && model_below(m, 8) == 0;
    k->persons = m->options.players != 0
                     ? m->options.players
                     : (k->crowd ? 90 + model_below(m, 40) : 8 + model_below(m, 20));
    k->persons = k->persons < PERSONS_MAX ? k->persons : PERSONS_MAX;
    k->gates = 1 + model_below(m, GATES_MAX_SIM);
    k->delay_us_max = 1000 + model_below(m, 19000);
    k->link_delay_us_max = 50 + model_below(m, 2000);
    k->link_bytes = model_below(m, 3) == 0 ? 4300 + model_below(m, 4000) : LINK_BYTES_MAX;
    k->socket_bytes = model_below(m, 2) == 0 ? 64 * 1024 : 2048 + model_below(m, 14000);
    k->break_ppm = model_below(m, 3) == 0 ? 0 : 500 + model_below(m, 8000);
    k->stall_ppm = 5000 + model_below(m, 30000);
    k->leave_ppm = model_below(m, 5000);
    for (uint32_t direction = 0; direction < SIM_DIRECTIONS; direction++) {
        k->clog_ppm[direction] = model_below(m, 2) == 0 ? 0 : model_below(m, 4000);
    }
    k->restarts = model_below(m, 3) == 0;
    k->store_faults = model_below(m, 3) == 0;
    if (k->crowd) {
        k->break_ppm /= 4;
        k->link_bytes = LINK_BYTES_MAX;
        k->leave_ppm = 0;
        memset(k->clog_ppm, 0, sizeof k->clog_ppm);
        k->restarts = false;
    }
}

static enum person_kind
draw_kind(struct model *m, uint32_t index)
{
    if (index < 4 || m->knobs.crowd) {
        return index % 16 == 15 ? PERSON_SLOW : PERSON_WALKER;
    }

    static const enum person_kind kinds[] = {
        PERSON_WALKER, PERSON_WALKER, PERSON_WALKER, PERSON_RIDER,     PERSON_RIDER,
        PERSON_LIAR,   PERSON_SLOW,   PERSON_TWIN,   PERSON_SPECTATOR, PERSON_GARBAGE};

    return kinds[model_below(m, sizeof kinds / sizeof kinds[0])];
}

/* A plain square on which people meet, and a triangle of coast with a shore to walk into. */
static void
make_islands(struct model *m)
{
    static const char coast[] = "island,seq,x_m,y_m\n0,0,2000,2000\n0,1,2400,2010\n0,2,2190,2390\n";
    struct coast_source source = {.csv = {.at = (const uint8_t *)coast, .bytes = sizeof coast - 1},
                                  .next_id = 2};
    struct coast made;
    CHECK(island_make_plain(1, PLAIN_SIDE_MM, &m->files[0]) == OK);
    coast_import(&source, &made);
    CHECK(made.count == 1);
    m->files[1] = made.islands[0].file;
    made.islands[0].file = (struct island_file){0};
    coast_fini(&made);
    archipelago_init(&m->islands);
    CHECK(archipelago_add(&m->islands, island_file_slice(&m->files[0])) == OK);
    CHECK(archipelago_add(&m->islands, island_file_slice(&m->files[1])) == OK);
    struct place harbour = island_harbour(archipelago_find(&m->islands, 1));
    m->meet = (struct place){chunk_of(harbour.x_mm) * CHUNK_MM, chunk_of(harbour.y_mm) * CHUNK_MM};
}

static void
start_server(struct model *m, int64_t saved_world_ms)
{
    const struct mutant *mutant = m->options.mutant;
    struct world_options world = {.world_id = WORLD_ID,
                                  .node_epoch = ++m->node_epoch,
                                  .players_max = 1024,
                                  .topics_max = 4096,
                                  .game = registry_find("sample"),
                                  .islands = &m->islands,
                                  .seed = m->options.seed,
                                  .saved_world_ms = saved_world_ms,
                                  .mutant = mutant != NULL ? mutant->world : WORLD_MUTANT_NONE};
    m->home_links = sim_net_links(m->net, SIM_HOME);
    m->world_env = (struct env){.clock = model_clock(m), .links = {.ctx = m, .send = home_tells}};
    CHECK(world_alloc(&world, &m->world_env, &m->world) == OK);
    m->world_env.store = memory_store_port(m->store, world_store_done(m->world));
    for (uint32_t g = 0; g < m->knobs.gates; g++) {
        struct gate_options gate = {.conns_max = PERSONS_MAX,
                                    .islands = &m->islands,
                                    .entities_max = 4096,
                                    .topics_max = 2048,
                                    .chunks_max = 16384,
                                    .subscribe_epoch_seed = rand_next(&m->rand),
                                    .speeds_count = 0,
                                    .mutant = mutant != NULL ? mutant->gate : GATE_MUTANT_NONE};
        m->gate_envs[g] = (struct env){.clock = model_clock(m),
                                       .conns = sim_net_conns(m->net, g),
                                       .links = sim_net_links(m->net, g)};
        CHECK(gate_alloc(&gate, &m->gate_envs[g], &m->gates[g]) == OK);
        gate_home_up(m->gates[g], SIM_HOME, m->node_epoch);
        plan_gate(m, g, model_now_us(m) + TURN_SOON_US);
        struct node node = {.epoch = m->node_epoch,
                            .role = NODE_GATE,
                            .index = (uint16_t)g,
                            .protocol_max = LINK_PROTOCOL_MAX};
        world_peer_up(m->world, g, &node);
    }
    plan_world(m, model_now_us(m) + TURN_SOON_US);
}

static void
stop_server(struct model *m)
{
    world_free(&m->world);
    m->world_ticker.planned_us = 0;
    m->world_ticker.generation++;
    for (uint32_t g = 0; g < m->knobs.gates; g++) {
        gate_free(&m->gates[g]);
        m->gate_tickers[g].planned_us = 0;
        m->gate_tickers[g].generation++;
    }
}

/* kill -9, and a new process on the same store. */
static void
restart(void *arg, uint64_t n)
{
    struct model *m = arg;
    (void)n;
    if (m->over) {
        return;
    }
    check_sample(m);
    check_remember_crash(m);
    memory_store_crash(m->store);
    sim_net_crash(m->net);
    stop_server(m);
    start_server(m, model_world_ms(m) - 1000);
    m->disturbed_us = model_now_us(m);
}

/* Where links are small the clog lasts until they are full: on the way to the home, where moves are
 * all there is, that takes longer. */
static void
maybe_clog(struct model *m, enum sim_direction direction)
{
    if (model_faults(m) && model_below(m, 1000000) < m->knobs.clog_ppm[direction]) {
        static const uint32_t until_full_us[SIM_DIRECTIONS] = {
            [SIM_TO_GATES] = 3000000, [SIM_TO_HOME] = 9000000};
        uint32_t longest_us =
            m->knobs.link_bytes < LINK_BYTES_MAX ? until_full_us[direction] : 400000;
        sim_net_clog(m->net, direction, model_now_us(m) + 50000 + model_below(m, longest_us));
    }
    int64_t until_us = sim_net_clogged_until_us(m->net, direction);
    m->disturbed_us = until_us > m->disturbed_us ? until_us : m->disturbed_us;
    if (direction == SIM_TO_HOME && until_us > 0) {
        m->moves_late_us = until_us + MOVE_US_MAX;
    }
}

static void
sample(void *arg, uint64_t n)
{
    struct model *m = arg;
    if (m->over) {
        return;
    }
    check_sample(m);
    maybe_clog(m, SIM_TO_GATES);
    maybe_clog(m, SIM_TO_HOME);
    struct sim_schedule s = events_port(&m->events);
    s.at(s.ctx, model_now_us(m) + SAMPLE_US, sample, m, n);
}

static void
faults_end(void *arg, uint64_t n)
{
    struct model *m = arg;
    (void)n;
    memory_store_set_knobs(m->store,
                           &(struct memory_store_knobs){.get_us_max = 1000, .commit_us_max = 4000});
}

static void
finish(void *arg, uint64_t n)
{
    struct model *m = arg;
    (void)n;
    if (!m->over) {
        check_recovered(m);
        m->over = true;
    }
}

static void
build(struct model *m)
{
    draw_knobs(m);
    make_islands(m);
    int64_t seconds = m->options.seconds != 0 ? m->options.seconds : SECONDS;
    m->faults_end_us = seconds * 1000000;
    m->end_us = m->faults_end_us + HEAL_US;
    map_init(&m->player_slot, PERSONS_MAX * 4, 0);
    struct sim_net_options net = {.schedule = events_port(&m->events),
                                  .events = {.ctx = m,
                                             .opened = opened,
                                             .received = received,
                                             .writable = writable,
                                             .gate_closed = gate_side_closed,
                                             .connected = connected,
                                             .arrived = arrived,
                                             .broke = broke,
                                             .message = message},
                                  .persons_max = PERSONS_MAX,
                                  .link_bytes = m->knobs.link_bytes,
                                  .socket_bytes = m->knobs.socket_bytes,
                                  .delay_us_min = 200,
                                  .delay_us_max = m->knobs.delay_us_max,
                                  .link_delay_us_min = 20,
                                  .link_delay_us_max = m->knobs.link_delay_us_max};
    m->net = sim_net_alloc(&net);
    m->store = memory_store_alloc(&(struct memory_store_options){
        .schedule = events_port(&m->events), .documents_max = DOCUMENTS_MAX});
    struct memory_store_knobs knobs = {
        .get_us_max = 2000, .commit_us_min = 200, .commit_us_max = 20000};
    if (m->knobs.store_faults) {
        knobs.unknown_done_ppm = knobs.unknown_lost_ppm = knobs.unknown_late_ppm =
            knobs.unavailable_ppm = 30000;
    }
    memory_store_set_knobs(m->store, &knobs);
    start_server(m, 0);
    for (uint32_t i = 0; i < m->knobs.persons; i++) {
        person_init(m, i, draw_kind(m, i));
        if (m->persons[i].kind == PERSON_TWIN) {
            m->persons[i].twin = i - 1;
        }
        person_start(&m->persons[i], 1000 + model_below(m, 2000000));
    }
    struct sim_schedule s = events_port(&m->events);
    s.at(s.ctx, SAMPLE_US, sample, m, 0);
    s.at(s.ctx, m->faults_end_us, faults_end, m, 0);
    s.at(s.ctx, m->end_us, finish, m, 0);
    if (m->knobs.restarts) {
        s.at(s.ctx, m->faults_end_us / 2 + model_below(m, 10000000), restart, m, 0);
    }
}

static void
fini(struct model *m)
{
    stop_server(m);
    for (uint32_t i = 0; i < m->knobs.persons; i++) {
        person_fini(&m->persons[i]);
    }
    sim_net_free(&m->net);
    memory_store_free(&m->store);
    archipelago_fini(&m->islands);
    island_file_free(&m->files[0]);
    island_file_free(&m->files[1]);
    map_fini(&m->player_slot);
    events_fini(&m->events);
    free(m->pairs);
    free(m);
}

void
proof_run(const struct proof_options *options, struct proof_result *out)
{
    *out = (struct proof_result){.verdict = PROOF_FINE};
    struct model *m = calloc(1, sizeof *m);
    CHECK(m != NULL);
    m->pairs = calloc(PERSONS_MAX, sizeof *m->pairs);
    CHECK(m->pairs != NULL);
    m->options = *options;
    m->result = out;
    rand_seed(&m->rand, options->seed);
    events_init(&m->events, rand_next(&m->rand));
    m->events.now_us = 1000; /* 0 means "never" in many places */
    build(m);
    while (!m->over && events_step(&m->events)) {
        out->events++;
    }
    out->trace_hash = rand_mix(sim_net_hash(m->net), memory_store_digest(m->store));
    out->trace_hash = rand_mix(out->trace_hash, out->events);
    fini(m);
}

static const char *const property_texts[] = {
#define PROOF_TEXT(id, what) [PROOF_##id] = what,
    PROOF_PROPERTIES(PROOF_TEXT)
#undef PROOF_TEXT
};

const char *
proof_property_text(enum proof_property property)
{
    CHECK(property < PROOF_COUNT);
    return property_texts[property];
}
