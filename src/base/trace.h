/* The last 256 typed records of a thread: what happened just before something broke. Owned by
 * whoever owns the thread; writing one costs a few stores. Dumped by the CHECK hook and on request.
 */
#ifndef SEOM_BASE_TRACE_H
#define SEOM_BASE_TRACE_H

#include <stddef.h>
#include <stdint.h>

#define TRACE_RECORDS 256

struct trace_record {
    int64_t world_ms;
    const char *what; /* static text, e.g. "home.enter" */
    uint64_t a, b;
};

struct trace {
    const char *name; /* of the thread; static */
    uint64_t count;   /* ever written */
    struct trace_record records[TRACE_RECORDS];
};

void trace_init(struct trace *t, const char *name);
void trace_add(struct trace *t, int64_t world_ms, const char *what, uint64_t a, uint64_t b);
size_t trace_text(const struct trace *t, char *out,
                  size_t out_bytes); /* oldest first, a line each; returns used bytes, truncates */

#endif
