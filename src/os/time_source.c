#include "os/time_source.h"
#include "base/check.h"
#include <stddef.h>
#include <time.h>

static int64_t
read_us(clockid_t clock)
{
    struct timespec t;
    CHECK(clock_gettime(clock, &t) == 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t
linux_steady_us(void *ctx)
{
    (void)ctx;
    return read_us(CLOCK_BOOTTIME);
}

static int64_t
linux_wall_us(void *ctx)
{
    (void)ctx;
    return read_us(CLOCK_REALTIME);
}

struct time_source
time_source_linux(void)
{
    return (struct time_source){.steady_us = linux_steady_us, .wall_us = linux_wall_us};
}
