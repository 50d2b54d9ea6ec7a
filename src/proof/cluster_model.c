#include "proof/cluster_model.h"

#include "base/check.h"
#include "base/rand.h"
#include "fabric/directory_keys.h"
#include "fabric/island_shards.h"
#include "proof/cluster_state.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PLAIN_SIDE_MM 600000
#define SECONDS       45
#define SAMPLE_US     50000
#define FAULT_US      1000000 /* between two draws */
#define DOCUMENTS_MAX 16384
#define PAUSE_US_MAX  40000000
#define LINE_BYTES    (1U << 20)
#define IMPATIENT_PPM 700000 /* of who waits to be let in, per s */
#define DEAF_US_MIN   (NOTE_WAIT_US + 300000)
#define NODES_FOR_TWO 6 /* shards: a home, a gate and a relay in each */

int64_t
cluster_now_us(const struct cluster_model *m)
{
    return m->events.now_us;
}

uint32_t
cluster_below(struct cluster_model *m, uint32_t limit)
{
    return rand_below(&m->rand, limit);
}

bool
cluster_chance(struct cluster_model *m, uint32_t ppm)
{
    return cluster_below(m, 1000000) < ppm;
}

void
cluster_at(struct cluster_model *m, int64_t at_us, void (*fn)(void *, uint64_t), void *arg,
           uint64_t n)
{
    struct sim_schedule s = events_port(&m->events);
    s.at(s.ctx, at_us, fn, arg, n);
}

void
cluster_exercised(struct cluster_model *m, enum cluster_property property)
{
    m->result->exercised[property]++;
}

void
cluster_sometimes(struct cluster_model *m, enum cluster_sometimes what)
{
    m->result->sometimes[what]++;
}

void
cluster_trace(const struct cluster_model *m, const char *format, ...)
{
    char line[512];
    if (m->options.trace == NULL) {
        return;
    }
    int n = snprintf(line, sizeof line, "%9.3f  ", (double)cluster_now_us(m) / 1e6);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + n, sizeof line - (size_t)n, format, arguments);
    va_end(arguments);
    m->options.trace(m->options.trace_ctx, line);
}

void
cluster_wrong(struct cluster_model *m, enum proof_verdict verdict, enum cluster_property property,
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
    proof_wrong_text(m->result->what, sizeof m->result->what, cluster_now_us(m), format, arguments);
    va_end(arguments);
    cluster_trace(m, "WRONG: %s", m->result->what);
}

/* ---- the network of clients ---- */

static void
opened(void *ctx, uint32_t gate, uint32_t conn)
{
    struct cluster_node *n = cluster_gate(ctx, gate);
    if (n->gate_object != NULL) {
        gate_opened(n->gate_object, conn);
        cluster_node_soon(n);
    }
}

static void
received(void *ctx, uint32_t gate, uint32_t conn, uint8_t *bytes, size_t count)
{
    struct cluster_node *n = cluster_gate(ctx, gate);
    if (n->gate_object != NULL) {
        gate_received(n->gate_object, conn, bytes, count);
        cluster_node_soon(n);
    }
}

static void
writable(void *ctx, uint32_t gate, uint32_t conn)
{
    struct cluster_node *n = cluster_gate(ctx, gate);
    if (n->gate_object != NULL) {
        gate_writable(n->gate_object, conn);
    }
}

static void
gate_side_closed(void *ctx, uint32_t gate, uint32_t conn)
{
    struct cluster_node *n = cluster_gate(ctx, gate);
    if (n->gate_object != NULL) {
        gate_closed(n->gate_object, conn);
        cluster_node_soon(n);
    }
}

static void
connected(void *ctx, uint32_t person)
{
    cluster_person_connected(&((struct cluster_model *)ctx)->persons[person]);
}

static void
arrived(void *ctx, uint32_t person, const uint8_t *bytes, size_t n)
{
    cluster_person_arrived(&((struct cluster_model *)ctx)->persons[person], bytes, n);
}

static void
broke(void *ctx, uint32_t person)
{
    cluster_person_broke(&((struct cluster_model *)ctx)->persons[person]);
}

static void
no_message(void *ctx, uint32_t from, uint32_t to, const uint8_t *bytes, size_t n)
{
    (void)ctx, (void)from, (void)to, (void)bytes, (void)n;
    CHECK(!"nodes speak over lines");
}

/* ---- faults ---- */

static struct cluster_node *
any_node(struct cluster_model *m)
{
    return &m->nodes[cluster_below(m, m->count)];
}

static void
start_again(void *arg, uint64_t n)
{
    struct cluster_node *node = arg;
    (void)n;
    if (!node->model->over && node->life == LIFE_DOWN) {
        cluster_node_start(node);
    }
}

static void
kill_one(struct cluster_model *m, struct cluster_node *n)
{
    static const enum cluster_sometimes killed[NODE_ROLES] = {
        [NODE_HOME] = CLUSTER_SOMETIMES_HOME_KILLED,
        [NODE_GATE] = CLUSTER_SOMETIMES_GATE_KILLED,
        [NODE_RELAY] = CLUSTER_SOMETIMES_RELAY_KILLED,
    };

    cluster_sometimes(m, killed[n->self.role]);
    if (m->directory_back_us > cluster_now_us(m)) {
        cluster_sometimes(m, CLUSTER_SOMETIMES_DIRECTORY_AWAY);
    }
    cluster_node_kill(n, cluster_below(m, 4) == 0 ? SIM_HOST_DEAD : SIM_KILLED);
    cluster_at(m, cluster_now_us(m) + 100000 + cluster_below(m, 12000000), start_again, n, 0);
}

static void
heal_cut(void *arg, uint64_t pair)
{
    struct cluster_model *m = arg;
    sim_lines_cut(m->lines, (uint32_t)(pair >> 16), (uint32_t)(pair & 0xffff), false);
}

static void
cut_two(struct cluster_model *m)
{
    uint32_t a = cluster_below(m, m->count), b = cluster_below(m, m->count);
    if (a == b) {
        return;
    }
    int64_t heal_us = cluster_now_us(m) + 500000 + cluster_below(m, 12000000);
    bool both = cluster_below(m, 2) == 0;
    cluster_trace(m, "%s does not reach %s%s", m->nodes[a].self.name, m->nodes[b].self.name,
                  both ? ", nor the other way" : "");
    cluster_sometimes(m, CLUSTER_SOMETIMES_CUT_ONE_WAY);
    sim_lines_cut(m->lines, a, b, true);
    cluster_at(m, heal_us, heal_cut, m, (uint64_t)a << 16 | b);
    if (both) {
        sim_lines_cut(m->lines, b, a, true);
        cluster_at(m, heal_us, heal_cut, m, (uint64_t)b << 16 | a);
    }
}

/* What it says gets through, what it is told comes late: so it asks another after the first has
 * done as it was asked. */
static void
deafen(struct cluster_model *m, const struct cluster_node *relay)
{
    int64_t until_us = cluster_now_us(m) + DEAF_US_MIN + cluster_below(m, DEAF_US_MIN);
    cluster_trace(m, "%s is deaf for a while", relay->self.name);
    for (uint32_t i = 0; i < m->count; i++) {
        if (i != relay->number) {
            sim_lines_clog(m->lines, i, relay->number, until_us);
        }
    }
}

/* Nobody drains the only home of a shard: its people would have nowhere to go. */
static bool
may_drain(const struct cluster_node *n)
{
    const struct cluster_model *m = n->model;
    uint32_t homes = 0;
    for (uint32_t i = 0; i < m->knobs.homes; i++) {
        homes += m->nodes[i].self.shard == n->self.shard;
    }
    bool home = cluster_node_is_home(n);
    return cluster_node_serves(n) && !cluster_node_is_gate(n) && (!home || homes > 1);
}

static void
trouble_node(struct cluster_model *m, struct cluster_node *n)
{
    const struct cluster_knobs *k = &m->knobs;
    bool gate = cluster_node_is_gate(n);
    uint32_t kill_ppm = gate                       ? k->gate_kill_ppm
                        : cluster_node_is_relay(n) ? k->relay_kill_ppm
                                                   : k->kill_ppm;
    int64_t now_us = cluster_now_us(m);
    if (n->life == LIFE_RUNS && !n->paused && cluster_chance(m, kill_ppm)) {
        kill_one(m, n);
    } else if (!gate && cluster_node_serves(n) && cluster_chance(m, k->pause_ppm)) {
        int64_t until_us =
            now_us + 500000 + cluster_below(m, cluster_below(m, 2) == 0 ? 3000000 : PAUSE_US_MAX);
        cluster_node_pause(n, until_us < m->faults_end_us ? until_us : m->faults_end_us);
    } else if (may_drain(n) && cluster_chance(m, k->drain_ppm)) {
        cluster_node_drain(n);
    } else if (cluster_node_is_relay(n) && cluster_chance(m, k->deaf_ppm)) {
        deafen(m, n);
    }
    if (cluster_chance(m, k->clog_ppm)) {
        uint32_t to = any_node(m)->number;
        sim_lines_clog(m->lines, n->number, to, now_us + 100000 + cluster_below(m, 4000000));
    }
    if (cluster_chance(m, k->break_ppm)) {
        sim_lines_break(m->lines, n->number, any_node(m)->number);
    }
}

/* Its line breaks. Now and then its gate can tell nobody of that for a while; or the gate where it
 * tries next can tell nobody that it came, until it has lost patience and is in elsewhere. */
static void
trouble_person(struct cluster_model *m, struct cluster_person *p)
{
    bool alone = cluster_below(m, 2) == 0, next = cluster_below(m, 2) == 0;
    uint32_t gate = cluster_gate(m, next ? cluster_person_next_gate(p) : p->gate)->number;
    int64_t least_us = next ? 2500000 : 500000;
    int64_t until_us = cluster_now_us(m) + least_us + cluster_below(m, 2000000);
    for (uint32_t i = 0; i < m->knobs.homes && alone; i++) {
        sim_lines_clog(m->lines, gate, i, until_us);
    }
    cluster_sometimes(m, CLUSTER_SOMETIMES_LINE_BROKEN);
    cluster_person_cut(p);
}

/* What happens to people in a second. */
static void
trouble_people(struct cluster_model *m)
{
    const struct cluster_knobs *k = &m->knobs;
    for (uint32_t i = 0; i < k->persons; i++) {
        struct cluster_person *p = &m->persons[i];
        bool open = sim_net_is_open(m->net, i);
        if (open && !p->plays && k->person_ppm != 0 && cluster_chance(m, IMPATIENT_PPM)) {
            cluster_person_cut(p);
        } else if (open && p->plays && cluster_chance(m, k->person_ppm)) {
            trouble_person(m, p);
        } else if (p->plays && cluster_chance(m, k->go_ppm)) {
            cluster_person_go(p);
        }
    }
}

static void
trouble_engines(struct cluster_model *m)
{
    const struct cluster_knobs *k = &m->knobs;
    int64_t now_us = cluster_now_us(m);
    if (m->directory_back_us == 0 && cluster_chance(m, k->directory_ppm)) {
        cluster_trace(m, "the directory is away");
        memory_directory_set_away(m->directory, true);
        m->directory_back_us = now_us + 1000000 + cluster_below(m, 20000000);
    }
    if (m->store_back_us == 0 && cluster_chance(m, k->store_ppm)) {
        cluster_trace(m, "the store is away");
        cluster_sometimes(m, CLUSTER_SOMETIMES_STORE_AWAY);
        memory_store_set_away(m->store, true);
        m->store_back_us = now_us + 500000 + cluster_below(m, 8000000);
    }
    if (cluster_chance(m, k->compact_ppm)) {
        memory_directory_compact(m->directory);
    }
    if (cluster_chance(m, k->lease_ppm) &&
        memory_directory_lose_lease(m->directory, cluster_below(m, 2) == 0)) {
        cluster_trace(m, "a lease is lost");
    }
}

static void
bring_back(struct cluster_model *m, bool all)
{
    int64_t now_us = cluster_now_us(m);
    if (m->directory_back_us != 0 && (all || now_us >= m->directory_back_us)) {
        cluster_trace(m, "the directory is back");
        memory_directory_set_away(m->directory, false);
        m->directory_back_us = 0;
    }
    if (m->store_back_us != 0 && (all || now_us >= m->store_back_us)) {
        cluster_trace(m, "the store is back");
        memory_store_set_away(m->store, false);
        m->store_back_us = 0;
    }
}

static void
faults(void *arg, uint64_t n)
{
    struct cluster_model *m = arg;
    if (m->over || cluster_now_us(m) >= m->faults_end_us) {
        return;
    }
    bring_back(m, false);
    trouble_engines(m);
    for (uint32_t i = 0; i < m->count; i++) {
        trouble_node(m, &m->nodes[i]);
    }
    for (uint32_t i = 0; i < m->count; i++) {
        if (cluster_chance(m, m->knobs.cut_ppm)) {
            cut_two(m);
        }
    }
    trouble_people(m);
    cluster_at(m, cluster_now_us(m) + FAULT_US, faults, m, n);
}

static void
faults_end(void *arg, uint64_t n)
{
    struct cluster_model *m = arg;
    (void)n;
    cluster_trace(m, "the faults are over");
    bring_back(m, true);
    memory_store_set_knobs(m->store,
                           &(struct memory_store_knobs){.get_us_max = 1000, .commit_us_max = 4000});
    memory_directory_set_knobs(
        m->directory, &(struct memory_directory_knobs){.call_us_max = 3000, .watch_us_max = 3000});
    for (uint32_t a = 0; a < m->count; a++) {
        for (uint32_t b = 0; b < m->count; b++) {
            if (a != b) {
                sim_lines_cut(m->lines, a, b, false);
            }
        }
    }
}

/* ---- a run ---- */

static uint32_t
maybe(struct cluster_model *m, uint32_t ppm)
{
    return cluster_below(m, 2) == 0 ? 0 : 1 + cluster_below(m, ppm);
}

static uint32_t
lower(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* A home and a gate at least; in each of two shards, where there are enough for that, and with one
 * relay or two. */
static void
draw_nodes(struct cluster_model *m)
{
    struct cluster_knobs *k = &m->knobs;
    uint32_t nodes = m->options.nodes != 0 ? m->options.nodes : 3 + cluster_below(m, 10);
    k->shards = nodes >= NODES_FOR_TWO && cluster_below(m, 3) != 0 ? CLUSTER_SHARDS_MAX : 1;
    k->relays = k->shards == 1 ? 0 : 2 + cluster_below(m, lower(nodes - NODES_FOR_TWO + 1, 3));
    nodes -= k->relays;
    k->gates = k->shards + cluster_below(m, lower(nodes / 2 - k->shards + 1, 6));
    k->homes = nodes - k->gates;
}

static void
draw_knobs(struct cluster_model *m)
{
    struct cluster_knobs *k = &m->knobs;
    draw_nodes(m);
    k->persons = 4 + cluster_below(m, 16);
    k->persons = m->options.nodes > 20 ? CLUSTER_PERSONS_MAX : k->persons;
    k->delay_us_max = 1000 + cluster_below(m, 30000);
    k->line_delay_us_max = 100 + cluster_below(m, 5000);
    k->line_bytes = cluster_below(m, 3) == 0 ? 2000 + cluster_below(m, 20000) : LINE_BYTES;
    k->kill_ppm = maybe(m, 40000);
    k->gate_kill_ppm = maybe(m, 30000);
    k->pause_ppm = maybe(m, 20000);
    k->cut_ppm = maybe(m, 20000);
    k->clog_ppm = maybe(m, 30000);
    k->break_ppm = maybe(m, 30000);
    k->drain_ppm = maybe(m, 15000);
    k->directory_ppm = maybe(m, 40000);
    k->lease_ppm = maybe(m, 40000);
    k->compact_ppm = maybe(m, 60000);
    k->store_ppm = maybe(m, 30000);
    k->person_ppm = maybe(m, 80000);
    k->relay_kill_ppm = maybe(m, 60000);
    k->deaf_ppm = maybe(m, 150000);
    k->go_ppm = k->shards > 1 ? maybe(m, 10000) : 0;
    k->store_faults = cluster_below(m, 2) == 0;
    k->mixed = cluster_below(m, 3) == 0;
    k->nodes_per_chunk = 1 + cluster_below(m, 4);
}

static void
set_engine_faults(struct cluster_model *m)
{
    struct memory_store_knobs store = {
        .get_us_max = 2000, .commit_us_min = 200, .commit_us_max = 20000, .hint_lost_ppm = 300000};
    struct memory_directory_knobs directory = {.call_us_min = 500,
                                               .call_us_max = 20000,
                                               .watch_us_max = 50000,
                                               .delete_lost_ppm = 300000,
                                               .put_lost_ppm = 50000};
    if (m->knobs.store_faults) {
        store.unknown_done_ppm = store.unknown_lost_ppm = store.unknown_late_ppm =
            store.unavailable_ppm = 20000;
        store.twice_ppm = store.zombie_ppm = 20000;
        directory.unknown_done_ppm = directory.unknown_lost_ppm = directory.unknown_late_ppm =
            directory.unavailable_ppm = directory.slow_ppm = 20000;
        directory.lease_lost_ppm = 2000;
    }
    memory_store_set_knobs(m->store, &store);
    memory_directory_set_knobs(m->directory, &directory);
}

static void
sample(void *arg, uint64_t n)
{
    struct cluster_model *m = arg;
    if (!m->over) {
        cluster_check_sample(m);
        cluster_at(m, cluster_now_us(m) + SAMPLE_US, sample, m, n);
    }
}

static void
finish(void *arg, uint64_t n)
{
    struct cluster_model *m = arg;
    (void)n;
    if (!m->over) {
        cluster_check_end(m);
        m->over = true;
    }
}

static void
table_written(void *ctx, uint64_t token, enum directory_result result, uint64_t revision)
{
    (void)ctx, (void)token, (void)revision;
    CHECK(result == DIRECTORY_OK);
}

/* Where the directory says nothing of an island a hash decides, which gives island 1 to shard 1 and
 * island 2 to shard 2. Half of the time whoever runs this world wrote down the opposite before
 * anybody played. */
static void
deal_islands(struct cluster_model *m)
{
    m->shard_of[1] = 1;
    m->shard_of[m->knobs.shards] = (uint16_t)m->knobs.shards;
    if (m->knobs.shards == 1 || cluster_below(m, 2) == 0) {
        return;
    }
    struct island_shards table = {0};
    for (uint32_t island = 1; island <= CLUSTER_SHARDS_MAX; island++) {
        m->shard_of[island] = (uint16_t)(CLUSTER_SHARDS_MAX + 1 - island);
        CHECK(island_shards_put(&table, island, m->shard_of[island]) == OK);
    }
    uint8_t bytes[DIRECTORY_VALUE_MAX];
    struct directory_key key = directory_key_of_table(CLUSTER_WORLD, "islands");
    struct directory_change change = {.key = directory_key_slice(&key), .value = {.at = bytes}};
    change.value.bytes = island_shards_write(&table, bytes);
    m->table_writer =
        memory_directory_connect(m->directory, (struct directory_done){.changed = table_written});
    struct env_directory port = memory_directory_port(m->table_writer);
    CHECK(port.change(port.ctx, 1, &change) == OK);
}

static void
make_islands(struct cluster_model *m)
{
    archipelago_init(&m->islands);
    for (uint32_t i = 0; i < m->knobs.shards; i++) {
        CHECK(island_make_plain(i + 1, PLAIN_SIDE_MM, &m->files[i]) == OK);
        CHECK(archipelago_add(&m->islands, island_file_slice(&m->files[i])) == OK);
    }
    struct place harbour = island_harbour(archipelago_find(&m->islands, 1));
    m->meet = (struct place){chunk_of(harbour.x_mm) * CHUNK_MM, chunk_of(harbour.y_mm) * CHUNK_MM};
}

static void
make_world_outside(struct cluster_model *m)
{
    const struct cluster_knobs *k = &m->knobs;
    struct sim_schedule schedule = events_port(&m->events);
    struct sim_net_options net = {.schedule = schedule,
                                  .events = {.ctx = m,
                                             .opened = opened,
                                             .received = received,
                                             .writable = writable,
                                             .gate_closed = gate_side_closed,
                                             .connected = connected,
                                             .arrived = arrived,
                                             .broke = broke,
                                             .message = no_message},
                                  .persons_max = CLUSTER_PERSONS_MAX,
                                  .link_bytes = LINE_BYTES,
                                  .socket_bytes = 64 * 1024,
                                  .delay_us_min = 200,
                                  .delay_us_max = k->delay_us_max,
                                  .link_delay_us_max = 1};
    struct sim_lines_options lines = {.schedule = schedule,
                                      .nodes_max = m->count,
                                      .line_bytes = k->line_bytes,
                                      .delay_us_min = 20,
                                      .delay_us_max = k->line_delay_us_max,
                                      .stall_us_min = 500000,
                                      .stall_us_max = 20000000};
    m->net = sim_net_alloc(&net);
    m->lines = sim_lines_alloc(&lines);
    m->directory = memory_directory_alloc(&schedule);
    m->store = memory_store_alloc(
        &(struct memory_store_options){.schedule = schedule, .documents_max = DOCUMENTS_MAX});
    memory_store_set_effects(m->store,
                             &(struct memory_effects){.ctx = m, .effect = cluster_effect});
    deal_islands(m);
    set_engine_faults(m);
}

/* Homes, then gates, then relays; those of one role take turns in the shards. */
static void
make_nodes(struct cluster_model *m)
{
    const uint32_t counts[] = {m->knobs.homes, m->knobs.gates, m->knobs.relays};

    static const enum node_role roles[] = {NODE_HOME, NODE_GATE, NODE_RELAY};

    uint32_t number = 0;
    for (uint32_t r = 0; r < sizeof roles / sizeof roles[0]; r++) {
        for (uint32_t i = 0; i < counts[r]; i++, number++) {
            cluster_node_init(m, number, roles[r], i);
            cluster_at(m, 1000 + cluster_below(m, 1500000), start_again, &m->nodes[number], 0);
        }
    }
    CHECK(number == m->count);
}

static void
build(struct cluster_model *m)
{
    draw_knobs(m);
    make_islands(m);
    m->count = m->knobs.homes + m->knobs.gates + m->knobs.relays;
    CHECK(m->count <= CLUSTER_NODES_MAX && m->knobs.gates < SIM_HOME);
    make_world_outside(m);
    map_init(&m->claim_by_id, CLUSTER_SEEN_MAX, 0);
    make_nodes(m);
    for (uint32_t i = 0; i < m->knobs.persons; i++) {
        cluster_person_init(m, i);
    }
    int64_t seconds = m->options.seconds != 0 ? m->options.seconds : SECONDS;
    m->faults_end_us = seconds * 1000000;
    m->quiet_us = m->faults_end_us + CLUSTER_HEAL_S * INT64_C(1000000);
    m->end_us = m->quiet_us + CLUSTER_QUIET_S * INT64_C(1000000);
    cluster_at(m, SAMPLE_US, sample, m, 0);
    cluster_at(m, 10000000, faults, m, 0);
    cluster_at(m, m->faults_end_us, faults_end, m, 0);
    cluster_at(m, m->end_us, finish, m, 0);
    cluster_lines_begin(m);
}

static void
fini(struct cluster_model *m)
{
    m->over = true;
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->nodes[i].life != LIFE_DOWN) {
            cluster_node_kill(&m->nodes[i], SIM_KILLED);
        }
    }
    for (uint32_t i = 0; i < m->knobs.persons; i++) {
        cluster_person_fini(&m->persons[i]);
    }
    sim_net_free(&m->net);
    sim_lines_free(&m->lines);
    memory_directory_free(&m->directory);
    memory_store_free(&m->store);
    archipelago_fini(&m->islands);
    for (uint32_t i = 0; i < m->knobs.shards; i++) {
        island_file_free(&m->files[i]);
    }
    map_fini(&m->claim_by_id);
    events_fini(&m->events);
    free(m);
}

void
cluster_run(const struct cluster_options *options, struct cluster_result *out)
{
    *out = (struct cluster_result){.verdict = PROOF_FINE};
    struct cluster_model *m = calloc(1, sizeof *m);
    CHECK(m != NULL);
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
    out->trace_hash = rand_mix(out->trace_hash, sim_lines_hash(m->lines));
    out->trace_hash = rand_mix(out->trace_hash, out->events);
    fini(m);
}

/* ---- texts ---- */

static const char *const property_texts[] = {
#define CLUSTER_TEXT(id, what) [CLUSTER_##id] = what,
    CLUSTER_PROPERTIES(CLUSTER_TEXT)
#undef CLUSTER_TEXT
};

static const char *const sometimes_texts[] = {
#define CLUSTER_TEXT(id, what) [CLUSTER_SOMETIMES_##id] = what,
    CLUSTER_SOMETIMES(CLUSTER_TEXT)
#undef CLUSTER_TEXT
};

const char *
cluster_property_text(enum cluster_property property)
{
    CHECK(property < CLUSTER_PROPERTIES_COUNT);
    return property_texts[property];
}

const char *
cluster_sometimes_text(enum cluster_sometimes what)
{
    CHECK(what < CLUSTER_SOMETIMES_COUNT);
    return sometimes_texts[what];
}
