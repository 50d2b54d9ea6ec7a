#include "os/log.h"
#include "base/check.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEXT_BYTES (LOG_LINE_BYTES - 96) /* the rest is for time, level and event */

const char *
log_level_name(enum log_level level)
{
    switch (level) {
    case LOG_ERROR: return "ERROR";
    case LOG_WARN: return "WARN";
    case LOG_INFO: return "INFO";
    case LOG_DEBUG: return "DEBUG";
    }
    return "?";
}

void
log_init(struct log *log, int fd, enum log_level level, struct time_source source)
{
    memset(log, 0, sizeof(*log));
    log->fd = fd;
    log->level = level;
    log->source = source;
    CHECK(pthread_mutex_init(&log->lock, NULL) == 0);
}

static void
time_text(int64_t wall_us, char out[32])
{
    time_t seconds = wall_us / 1000000;
    struct tm t;
    gmtime_r(&seconds, &t);
    size_t used = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &t);
    snprintf(out + used, 32 - used, ".%03dZ", (int)(wall_us / 1000 % 1000));
}

static void
clean_copy(char *out, size_t out_bytes, const char *text)
{
    size_t used = 0;
    for (; *text != 0 && used + 1 < out_bytes; text++)
        out[used++] = (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text;
    out[used] = 0;
}

/* One line, or none when it would have to wait. */
static void
line_write(struct log *log, enum log_level level, const char *event, const char *text)
{
    char line[LOG_LINE_BYTES], time[32], clean[TEXT_BYTES];
    time_text(log->source.wall_us(log->source.ctx), time);
    clean_copy(clean, sizeof(clean), text);
    int bytes =
        snprintf(line, sizeof(line), "%s %s %.39s %s\n", time, log_level_name(level), event, clean);
    CHECK(bytes > 0 && (size_t)bytes < sizeof(line));
    struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0 &&
        write(log->fd, line, (size_t)bytes) == bytes)
        log->stats.lines++;
    else
        log->stats.lost++;
}

/* The last place is shared by all events for which there is none. */
static struct log_event *
event_find(struct log *log, const char *name)
{
    uint32_t i = 0;
    while (i < LOG_EVENTS_MAX - 1 && log->events[i].name[0] != 0 &&
           strncmp(log->events[i].name, name, sizeof(log->events[i].name) - 1) != 0)
        i++;
    if (log->events[i].name[0] == 0)
        snprintf(log->events[i].name, sizeof(log->events[i].name), "%s",
                 i == LOG_EVENTS_MAX - 1 ? "log.others" : name);
    return &log->events[i];
}

static void
suppressed_tell(struct log *log, struct log_event *e)
{
    if (e->suppressed == 0)
        return;
    char text[64];
    snprintf(text, sizeof(text), "suppressed %" PRIu64 " lines", e->suppressed);
    e->suppressed = 0;
    line_write(log, LOG_WARN, e->name, text);
}

/* Whether the event may still speak in this second. */
static bool
event_admit(struct log *log, struct log_event *e)
{
    int64_t second = log->source.steady_us(log->source.ctx) / 1000000;
    if (second != e->second) {
        suppressed_tell(log, e);
        e->second = second;
        e->lines = 0;
    }
    if (e->lines < LOG_LINES_PER_S) {
        e->lines++;
        return true;
    }
    e->suppressed++;
    log->stats.suppressed++;
    return false;
}

void
log_write(void *ctx, enum log_level level, const char *event, const char *text)
{
    struct log *log = ctx;
    if (level > log->level)
        return;
    pthread_mutex_lock(&log->lock);
    if (event_admit(log, event_find(log, event)))
        line_write(log, level, event, text);
    pthread_mutex_unlock(&log->lock);
}

void
log_fini(struct log *log)
{
    for (uint32_t i = 0; i < LOG_EVENTS_MAX; i++)
        suppressed_tell(log, &log->events[i]);
    CHECK(pthread_mutex_destroy(&log->lock) == 0);
}

struct log_stats
log_stats(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    struct log_stats stats = log->stats;
    pthread_mutex_unlock(&log->lock);
    return stats;
}
