#include "base/check_expect.h"
#include "env/env.h"
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct world {
    int64_t us;
    unsigned lines;
    enum log_level level;
    char event[32], text[1024];
};

static int64_t
mono_us(void *ctx)
{
    return ((struct world *)ctx)->us;
}

static int64_t
world_ms(void *ctx)
{
    return ((struct world *)ctx)->us / 1000;
}

static uint64_t
random_word(void *ctx)
{
    return (uint64_t)((struct world *)ctx)->us * 3;
}

static void
log_line(void *ctx, enum log_level level, const char *event, const char *text)
{
    struct world *w = ctx;
    w->lines++;
    w->level = level;
    snprintf(w->event, sizeof(w->event), "%s", event);
    snprintf(w->text, sizeof(w->text), "%s", text);
}

static struct env
env_over(struct world *w)
{
    return (struct env){
        .clock = {.ctx = w, .mono_us = mono_us, .world_ms = world_ms, .random = random_word},
        .log_ctx = w,
        .log = log_line,
    };
}

static void
the_clock_is_the_ports(void **state)
{
    (void)state;
    struct world w = {.us = 7000};
    struct env env = env_over(&w);
    assert_int_equal(env_mono_us(&env), 7000);
    assert_int_equal(env_world_ms(&env), 7);
    assert_int_equal(env_random(&env), 21000);
    env.clock.mono_us = NULL;
    EXPECT_CHECK((void)env_mono_us(&env)); /* a role used a port it was not given */
}

static void
a_log_line_is_formatted_and_cut(void **state)
{
    (void)state;
    struct world w = {0};
    struct env env = env_over(&w);
    env_log(&env, LOG_WARN, "home.full", "%d of %d", 5, 5);
    assert_int_equal(w.lines, 1);
    assert_int_equal(w.level, LOG_WARN);
    assert_string_equal(w.event, "home.full");
    assert_string_equal(w.text, "5 of 5");
    env_log(&env, LOG_INFO, "home.long", "%900d", 1);
    assert_int_equal(strlen(w.text), 511);
    env.log = NULL;
    env_log(&env, LOG_INFO, "home.silent", "x");
    assert_int_equal(w.lines, 2);
}

static void
a_record_carries_world_time(void **state)
{
    (void)state;
    struct world w = {.us = 9000};
    struct env env = env_over(&w);
    env_trace(&env, "home.enter", 1, 2); /* no trace: fine */
    static struct trace t;
    trace_init(&t, "logic");
    env.trace = &t;
    env_trace(&env, "home.enter", 1, 2);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.records[0].world_ms, 9);
    assert_string_equal(t.records[0].what, "home.enter");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_is_the_ports),
        cmocka_unit_test(a_log_line_is_formatted_and_cut),
        cmocka_unit_test(a_record_carries_world_time),
    };
    return cmocka_run_group_tests_name("env", tests, NULL, NULL);
}
