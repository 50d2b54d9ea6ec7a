#include "base/trace.h"
#include "base/check.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
trace_init(struct trace *t, const char *name)
{
    CHECK(name);
    memset(t, 0, sizeof(*t));
    t->name = name;
}

void
trace_add(struct trace *t, int64_t world_ms, const char *what, uint64_t a, uint64_t b)
{
    t->records[t->count % TRACE_RECORDS] =
        (struct trace_record){.world_ms = world_ms, .what = what, .a = a, .b = b};
    t->count++;
}

size_t
trace_text(const struct trace *t, char *out, size_t out_bytes)
{
    CHECK(out && out_bytes > 0);
    size_t used = 0;
    out[0] = 0;
    uint64_t first = t->count > TRACE_RECORDS ? t->count - TRACE_RECORDS : 0;
    for (uint64_t i = first; i < t->count; i++) {
        const struct trace_record *r = &t->records[i % TRACE_RECORDS];
        int line =
            snprintf(out + used, out_bytes - used, "%s %" PRId64 " %s %" PRIu64 " %" PRIu64 "\n",
                     t->name, r->world_ms, r->what, r->a, r->b);
        if (line < 0 || (size_t)line >= out_bytes - used) {
            out[used] = 0; /* whole lines only */
            break;
        }
        used += (size_t)line;
    }
    return used;
}
