/* Logs of news: see struct log in state.h. Pages come from one pool of the gate; a record never
 * straddles two. */
#include "base/check.h"
#include "view/state.h"
#include <string.h>

void
log_init(struct log *log)
{
    *log = (struct log){.first = POOL_NONE, .last = POOL_NONE};
}

static void
drop_first(struct gate *g, struct log *log)
{
    const struct log_page *page = pool_at(&g->log_pages, log->first);
    uint32_t next = page->next;
    log->start = page->offset + page->used;
    pool_give(&g->log_pages, log->first);
    log->first = next;
    if (next == POOL_NONE) {
        log->last = POOL_NONE;
    }
}

/* Forgets everything: whoever had not read to the end missed something. */
void
log_clear(struct gate *g, struct log *log)
{
    while (log->first != POOL_NONE) {
        drop_first(g, log);
    }
    log->start = log->end = log->end + 1;
}

void
log_append(struct gate *g, struct log *log, struct slice record)
{
    CHECK(record.bytes <= LOG_PAGE_BYTES);
    struct log_page *page = log->last == POOL_NONE ? NULL : pool_at(&g->log_pages, log->last);
    if (page == NULL || page->used + record.bytes > LOG_PAGE_BYTES) {
        uint32_t index;
        if (pool_take(&g->log_pages, &index) != OK) {
            g->stats.limits_reached++;
            log_clear(g, log);
            return;
        }
        if (page != NULL) {
            page->next = index;
        } else {
            log->first = index;
            log->start = log->end;
        }
        page = pool_at(&g->log_pages, index);
        page->next = POOL_NONE;
        page->offset = log->end;
        log->last = index;
    }
    memcpy(page->bytes + page->used, record.at, record.bytes);
    page->used += (uint32_t)record.bytes;
    page->appended_us = env_mono_us(g->env);
    log->end += (uint32_t)record.bytes;
}

/* Offsets wrap around; differences do not. */
bool
log_covers(const struct log *log, uint32_t cursor)
{
    return (int32_t)(cursor - log->start) >= 0 && (int32_t)(log->end - cursor) >= 0;
}

uint32_t
log_bytes_from(const struct log *log, uint32_t cursor)
{
    CHECK(log_covers(log, cursor));
    return log->end - cursor;
}

uint32_t
log_pieces(struct gate *g, const struct log *log, uint32_t *cursor, struct slice *pieces,
           uint32_t max, size_t *bytes)
{
    CHECK(log_covers(log, *cursor));
    uint32_t count = 0;
    for (uint32_t i = log->first; i != POOL_NONE && count < max;) {
        const struct log_page *page = pool_at(&g->log_pages, i);
        uint32_t from = *cursor - page->offset;
        if ((int32_t)from >= 0 && from < page->used) {
            pieces[count++] = (struct slice){.at = page->bytes + from, .bytes = page->used - from};
            *bytes += page->used - from;
            *cursor = page->offset + page->used;
        }
        i = page->next;
    }
    return count;
}

bool
log_trim(struct gate *g, struct log *log, int64_t before_us)
{
    while (log->first != POOL_NONE) {
        const struct log_page *page = pool_at(&g->log_pages, log->first);
        if (page->appended_us >= before_us) {
            return false;
        }
        drop_first(g, log);
    }
    return true;
}
