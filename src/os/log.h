/* Log lines: "2026-11-21T09:28:36.123Z INFO gate.accept text", one write each, to one descriptor
 * (stderr). At most LOG_LINES_PER_S per event and second; the first line of a later second (or
 * log_fini()) says how many were suppressed. Control characters in text become '?', so nothing can
 * forge a line. A reader that does not read (a full pipe) costs lines, which are counted, but never
 * stops the world.
 *
 * Owned by app/, one per process; log_write() from any thread. Limits: LOG_EVENTS_MAX different
 * events (those beyond share a limit), LOG_LINE_BYTES a line, longer ones are cut.
 */
#ifndef SEOM_OS_LOG_H
#define SEOM_OS_LOG_H

#include "env/env.h"
#include "os/time_source.h"
#include <pthread.h>
#include <stdint.h>

#define LOG_LINES_PER_S 10
#define LOG_EVENTS_MAX  256
#define LOG_LINE_BYTES  1024

struct log_event {
    char name[40];  /* "" = free */
    int64_t second; /* steady */
    uint32_t lines; /* in that second */
    uint64_t suppressed;
};

struct log_stats {
    uint64_t lines, suppressed, lost; /* lost: nobody read them */
};

struct log {
    pthread_mutex_t lock;
    struct time_source source;
    int fd; /* borrowed */
    enum log_level level;
    struct log_stats stats;
    struct log_event events[LOG_EVENTS_MAX];
};

void log_init(struct log *log, int fd, enum log_level level, struct time_source source);
void log_fini(struct log *log);
/* Fits struct env: .log = log_write, .log_ctx = the log. */
void log_write(void *log, enum log_level level, const char *event, const char *text);
struct log_stats log_stats(struct log *log);
const char *log_level_name(enum log_level level);

#endif
