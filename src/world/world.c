#include "world/world.h"

#include "base/check.h"
#include "world/state.h"
#include <stdlib.h>

#define ENTERING_MAX_DEFAULT     1024
#define IDLE_TURN_US             1000000 /* nobody here, nothing awake: the places still want their second */
#define FASTEST_WINDOW_US        10000000
#define STORE_CALLS_PER_ENTERING 2
#define GHOSTS_PER_PLAYER        4
#define STORE_CALLS_OF_VALUE     8192 /* commands, shows, copies of chunks */

enum err
world_alloc(const struct world_options *options, const struct env *env, struct world **out)
{
    struct world *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return ERR_FULL;
    }
    w->options = *options;
    w->env = env;
    if (w->options.entering_max == 0) {
        w->options.entering_max = ENTERING_MAX_DEFAULT;
    }
    /* Room for everybody's topic beside those of subscribers (topic_at()), and for the two of
     * whoever is crossing. */
    uint32_t topics_max = w->options.topics_max + w->options.players_max + 1;
    pool_init(&w->avatars, sizeof(struct avatar), w->options.players_max, 256);
    pool_init(&w->entering, sizeof(struct entering), w->options.entering_max, 64);
    pool_init(&w->topics, sizeof(struct topic), topics_max, 64);
    pool_init(&w->pages, TOPIC_PAGE_BYTES, topics_max, 16);
    map_init(&w->avatar_by_id, w->options.players_max, 0);
    map_init(&w->entering_by_player, w->options.entering_max, 0);
    map_init(&w->topic_by_id, topics_max, 0);
    w->density_keys = calloc(options->players_max, sizeof w->density_keys[0]);
    w->density_told = calloc(options->islands->count, sizeof w->density_told[0]);
    CHECK(w->density_keys != NULL && w->density_told != NULL);
    bucket_init(&w->guests,
                (struct bucket_rate){.per_s = WORLD_GUESTS_PER_S, .burst = 2 * WORLD_GUESTS_PER_S},
                env_mono_us(env));
    w->first_dirty = w->first_behind = w->spread_at = POOL_NONE;
    w->started_ms = env_world_ms(env);
    w->tick = w->started_ms / WORLD_TICK_MS;
    wheel_init(&w->wheel, w->tick);
    uint32_t calls_max =
        w->options.entering_max * STORE_CALLS_PER_ENTERING + 256 + CLAIMS_UNDER_WAY_MAX;
    store_init(&w->store, env,
               calls_max + (options->game->society != NULL ? STORE_CALLS_OF_VALUE : 0));
    players_init(&w->players, &w->store, w->options.world_id, w->options.entering_max);
    ids_init(&w->ids, &w->store, w->options.world_id, "player");
    slots_init(&w->slots, &w->store, w->options.world_id);
    sweep_init(&w->sweep, &w->store, w->options.world_id, &w->slots, w->options.sweep_rest_ms);
    w->sweep.blind = w->options.mutant == WORLD_MUTANT_SWEEP_BLIND;
    home_init(w);
    claims_init(w, topics_max);
    ghosts_init(w, GHOSTS_PER_PLAYER * w->options.players_max, topics_max);
    looks_init(w);
    w->places = places_alloc(&w->store, w->options.world_id, &(struct places_limits){0});
    CHECK(w->places != NULL);
    value_init(w);
    *out = w;
    return OK;
}

void
world_free(struct world **world)
{
    struct world *w = *world;
    value_fini(w);
    claims_fini(w);
    ghosts_fini(w);
    pool_fini(&w->looks);
    places_free(&w->places);
    slots_fini(&w->slots);
    home_fini(w);
    players_fini(&w->players);
    store_fini(&w->store);
    map_fini(&w->avatar_by_id);
    map_fini(&w->entering_by_player);
    map_fini(&w->topic_by_id);
    pool_fini(&w->avatars);
    pool_fini(&w->entering);
    pool_fini(&w->topics);
    pool_fini(&w->pages);
    free(w->density_keys);
    free(w->density_told);
    free(w);
    *world = NULL;
}

struct store_done
world_store_done(struct world *w)
{
    return store_done(&w->store);
}

/* Another process may be on another machine, with a clock that says something else: what its
 * fastest input of this window and of the one before took says how far apart they are. */
static int64_t
fastest_of(struct peer *p, int64_t took_us, int64_t now_us)
{
    if (p->inputs_us == 0 || now_us - p->inputs_us >= FASTEST_WINDOW_US) {
        bool follows = p->inputs_us != 0 && now_us - p->inputs_us < 2 * FASTEST_WINDOW_US;
        p->fastest_us[1] = follows ? p->fastest_us[0] : took_us;
        p->fastest_us[0] = took_us;
        p->inputs_us = now_us;
    }
    p->fastest_us[0] = took_us < p->fastest_us[0] ? took_us : p->fastest_us[0];
    return p->fastest_us[0] < p->fastest_us[1] ? p->fastest_us[0] : p->fastest_us[1];
}

/* sent_us is whatever the gate says. */
static void
count_wait(struct world *w, uint32_t gate, int64_t sent_us)
{
    int64_t now_us = env_mono_us(w->env);
    uint64_t took_us = (uint64_t)now_us - (uint64_t)sent_us;
    if (w->options.book != NULL) {
        took_us -= (uint64_t)fastest_of(&w->peers[gate], (int64_t)took_us, now_us);
    } else if (sent_us > now_us) {
        took_us = 0;
    }
    hist_add(&w->stats.queue_wait_us, took_us);
}

void
world_message(struct world *w, uint32_t gate, const uint8_t *bytes, size_t n)
{
    CHECK(gate < PEERS_MAX && w->peers[gate].up);
    struct link_message m;
    w->stats.messages++;
    if (link_read(bytes, n, &m) != OK) {
        w->stats.malformed++;
        return;
    }
    switch (m.kind) {
    case LINK_ENTER: home_enter(w, gate, &m.as.enter); break;
    case LINK_INPUT:
        count_wait(w, gate, m.as.input.sent_us);
        avatar_input(w, gate, &m.as.input);
        break;
    case LINK_SUBSCRIBE: topic_subscribe(w, gate, &m.as.subscribe); break;
    case LINK_SUBSCRIBED: ghosts_subscribed(w, gate, &m.as.subscribed); break;
    case LINK_BATCH: ghosts_batch(w, gate, &m.as.batch); break;
    case LINK_GO:
    case LINK_HOME:
    case LINK_SELF:
    case LINK_SAID:
    case LINK_DENSITY: w->stats.malformed++; break; /* not for a home */
    }
}

static void
timer_due(struct world *w, const struct timer *timer)
{
    switch (timer->kind) {
    case TIMER_CROSSING: avatar_crossed(w, timer->owner); break;
    case TIMER_LINGER: home_left(w, timer->owner); break;
    case TIMER_STEWARD: steward_due(w, timer->owner); break;
    case TIMER_PATIENCE: value_is_slow(w, timer->owner); break;
    }
}

/* All ticks up to now; those that were slept through had nothing due. */
static void
run_ticks(struct world *w, int64_t now_ms)
{
    int64_t tick = now_ms / WORLD_TICK_MS;
    if (tick <= w->tick) {
        return;
    }
    for (struct wheel_entry *e; (e = wheel_take(&w->wheel, tick)) != NULL;) {
        timer_due(w, (const struct timer *)(const void *)e);
    }
    if (tick / DENSITY_EVERY_TICKS != w->tick / DENSITY_EVERY_TICKS) {
        density_publish(w);
    }
    w->tick = tick;
    if (w->waiting > 0) {
        entering_turn(w);
    }
    drain_turn(w, now_ms);
    places_turn(w->places, now_ms);
    if (!w->stopping && !w->draining && peers_are_younger(w)) {
        sweep_turn(&w->sweep);
    }
    claims_turn(w, now_ms);
    ghosts_turn(w, now_ms);
    if (w->commands != NULL) {
        value_turn(w);
        hints_heal(w);
        hints_turn(w);
        copies_heal(w);
        switches_turn(w, now_ms);
    }
}

static bool
has_news(const struct world *w)
{
    return w->first_dirty != POOL_NONE || w->first_behind != POOL_NONE;
}

/* When the next tick is due, as far as anything could be due in it. */
static int64_t
next_tick_us(const struct world *w, int64_t now_us, int64_t now_ms)
{
    bool idle = w->stats.players == 0 && w->wheel.count == 0 && w->waiting == 0 && !w->stopping &&
                peer_set_is_empty(&w->density_gates);
    return idle ? now_us + IDLE_TURN_US : now_us + ((w->tick + 1) * WORLD_TICK_MS - now_ms) * 1000;
}

int64_t
world_turn(struct world *w)
{
    int64_t now_us = env_mono_us(w->env), now_ms = env_world_ms(w->env);
    bool ticks = now_ms / WORLD_TICK_MS > w->tick;
    run_ticks(w, now_ms);
    int64_t commands_us = w->commands != NULL ? commands_turn(w->commands) : INT64_MAX;
    if (has_news(w) && now_us - w->published_us >= WORLD_PUBLISH_US) {
        topics_publish(w);
        w->published_us = now_us;
    }
    if (ticks) {
        int64_t due_us =
            w->tick_wanted_us != 0 && w->tick_wanted_us < now_us ? w->tick_wanted_us : now_us;
        hist_add(&w->stats.tick_us, (uint64_t)(env_mono_us(w->env) - due_us));
    }
    int64_t next_us = w->tick_wanted_us = next_tick_us(w, now_us, now_ms);
    if (has_news(w) && w->published_us + WORLD_PUBLISH_US < next_us) {
        next_us = w->published_us + WORLD_PUBLISH_US;
    }
    return commands_us < next_us ? commands_us : next_us;
}

void
world_renamed(struct world *w, uint64_t node_epoch)
{
    CHECK(node_epoch != 0);
    home_renamed(w, node_epoch);
    steward_renamed(w);
}

void
world_stop(struct world *w, uint32_t retry_after_ms)
{
    home_stop(w, retry_after_ms);
    topics_publish(w);
    places_flush(w->places, env_world_ms(w->env));
}

bool
world_stopped(const struct world *w)
{
    bool at_rest = w->commands == NULL || commands_under_way(w->commands) == 0;
    return w->stopping && at_rest && places_durable(w->places) && store_under_way(&w->store) == 0;
}

const struct world_stats *
world_stats(const struct world *w)
{
    return &w->stats;
}

struct places_stats
world_places_stats(const struct world *w)
{
    return places_stats(w->places);
}

bool
world_owns_page(const struct world *w, uint64_t page)
{
    return slots_owns(&w->slots, page);
}

const struct sweep_stats *
world_sweep_stats(const struct world *w)
{
    return &w->sweep.stats;
}

const struct store_stats *
world_store_stats(const struct world *w)
{
    return &w->store.stats;
}

const struct commands_stats *
world_commands_stats(const struct world *w)
{
    return w->commands == NULL ? NULL : commands_stats(w->commands);
}

uint32_t
world_commands_under_way(const struct world *w)
{
    return w->commands == NULL ? 0 : commands_under_way(w->commands) + w->forwards.pool.used;
}

void
world_stats_reset_histograms(struct world *w)
{
    hist_reset(&w->stats.queue_wait_us);
    hist_reset(&w->stats.tick_us);
}

bool
world_next_player(const struct world *w, uint32_t *cursor, struct world_player *out)
{
    uint32_t i = pool_next(&w->avatars, *cursor == 0 ? POOL_NONE : *cursor - 1);
    if (i == POOL_NONE) {
        return false;
    }
    const struct avatar *a = pool_at(&w->avatars, i);
    *cursor = i + 1;
    *out = (struct world_player){.player = a->id,
                                 .session_epoch = a->session_epoch,
                                 .island = island_id(a->island),
                                 .look = a->mover.look,
                                 .lingering = a->lingering,
                                 .given = a->given_ms != 0,
                                 .motion = a->mover.motion};
    return true;
}

bool
world_next_ghost(const struct world *w, uint32_t *cursor, struct world_ghost *out)
{
    const struct pool *pool = &w->ghosts.pool;
    uint32_t i = pool_next(pool, *cursor == 0 ? POOL_NONE : *cursor - 1);
    while (i != POOL_NONE && !((const struct ghost *)pool_at(pool, i))->placed) {
        i = pool_next(pool, i);
    }
    if (i == POOL_NONE) {
        return false;
    }
    const struct ghost *g = pool_at(pool, i);
    *cursor = i + 1;
    *out = (struct world_ghost){
        .player = g->entity,
        .session_epoch = g->owner_epoch,
        .node = g->node,
        .island =
            topic_island(((const struct ghost_topic *)pool_at(&w->ghosts.topics, g->topic))->id),
        .look = g->look,
        .motion = g->motion};
    return true;
}

uint64_t
world_digest(const struct world *w, uint32_t gate, bool wakes)
{
    CHECK(gate < PEERS_MAX);
    return w->peers[gate].digest[wakes];
}
