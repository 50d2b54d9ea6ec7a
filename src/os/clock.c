#include "os/clock.h"
#include "base/check.h"
#include "os/process.h"
#include <sys/random.h>

#define MILLION 1000000

static int64_t
clamp(int64_t value, int64_t most)
{
    return value > most ? most : value < -most ? -most : value;
}

void
clock_init(struct clock *c, struct time_source source, int64_t birth_ms, int64_t floor_ms)
{
    CHECK(floor_ms >= 0);
    *c = (struct clock){.source = source, .birth_us = birth_ms * 1000};
    CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
    c->steady_us = source.steady_us(source.ctx);
    c->world_us = source.wall_us(source.ctx) - c->birth_us;
    if (c->world_us < floor_ms * 1000)
        c->world_us = floor_ms * 1000;
}

void
clock_fini(struct clock *c)
{
    CHECK(pthread_mutex_destroy(&c->lock) == 0);
}

/* Under the lock. */
static int64_t
world_at(const struct clock *c, int64_t steady_us)
{
    int64_t gone = steady_us - c->steady_us;
    return c->world_us + gone + gone * c->rate_ppm / MILLION;
}

/* Under the lock: starts a new stretch with the rate that the distance asks for. */
static void
rate_adjust(struct clock *c, int64_t steady_us)
{
    c->world_us = world_at(c, steady_us);
    c->steady_us = steady_us;
    int64_t behind_us = c->source.wall_us(c->source.ctx) - c->birth_us - c->world_us;
    c->rate_ppm = clamp(behind_us / CLOCK_CATCH_UP_S, CLOCK_SLEW_PPM);
}

static int64_t
world_now_us(struct clock *c)
{
    pthread_mutex_lock(&c->lock);
    int64_t steady_us = c->source.steady_us(c->source.ctx);
    if (steady_us - c->steady_us >= CLOCK_ADJUST_US)
        rate_adjust(c, steady_us);
    int64_t world_us = world_at(c, steady_us);
    pthread_mutex_unlock(&c->lock);
    return world_us;
}

int64_t
clock_world_ms(struct clock *c)
{
    return world_now_us(c) / 1000;
}

int64_t
clock_behind_ms(struct clock *c)
{
    int64_t world_us = world_now_us(c);
    return (c->source.wall_us(c->source.ctx) - c->birth_us - world_us) / 1000;
}

void
thread_clock_init(struct thread_clock *t, struct clock *clock)
{
    uint64_t seed;
    CHECK(getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
    *t = (struct thread_clock){.clock = clock};
    rand_seed(&t->rand, seed);
    thread_clock_turn(t);
}

void
thread_clock_turn(struct thread_clock *t)
{
    int64_t world_ms = clock_world_ms(t->clock);
    CHECK(world_ms >= t->world_ms);
    t->world_ms = world_ms;
}

static int64_t
port_mono_us(void *ctx)
{
    (void)ctx;
    return process_mono_us();
}

static int64_t
port_world_ms(void *ctx)
{
    return ((const struct thread_clock *)ctx)->world_ms;
}

static uint64_t
port_random(void *ctx)
{
    return rand_next(&((struct thread_clock *)ctx)->rand);
}

struct env_clock
thread_clock_port(struct thread_clock *t)
{
    return (struct env_clock){
        .ctx = t, .mono_us = port_mono_us, .world_ms = port_world_ms, .random = port_random};
}
