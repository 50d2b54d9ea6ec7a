/* Where time comes from: Linux, or a test that says itself how late it is. Any thread. */
#ifndef SEOM_OS_TIME_SOURCE_H
#define SEOM_OS_TIME_SOURCE_H

#include <stdint.h>

struct time_source {
    void *ctx;
    int64_t (*steady_us)(void *ctx); /* never set; goes on while the machine is suspended */
    int64_t (*wall_us)(void *ctx);   /* since 1970, may be set at any moment */
};

struct time_source time_source_linux(void);

#endif
