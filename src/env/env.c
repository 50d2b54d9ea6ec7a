#include "env/env.h"
#include "base/check.h"
#include <stdarg.h>
#include <stdio.h>

#define LOG_TEXT_MAX 512

int64_t
env_mono_us(const struct env *env)
{
    CHECK(env->clock.mono_us);
    return env->clock.mono_us(env->clock.ctx);
}

int64_t
env_world_ms(const struct env *env)
{
    CHECK(env->clock.world_ms);
    return env->clock.world_ms(env->clock.ctx);
}

uint64_t
env_random(const struct env *env)
{
    CHECK(env->clock.random);
    return env->clock.random(env->clock.ctx);
}

void
env_log(const struct env *env, enum log_level level, const char *event, const char *format, ...)
{
    CHECK(event && format);
    if (!env->log)
        return;
    char text[LOG_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args); /* longer text is cut */
    va_end(args);
    env->log(env->log_ctx, level, event, text);
}

void
env_trace(const struct env *env, const char *what, uint64_t a, uint64_t b)
{
    if (env->trace)
        trace_add(env->trace, env_world_ms(env), what, a, b);
}
