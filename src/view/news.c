/* Logs of news: see struct news in state.h. Pages come from one pool of the gate; a record never
 * straddles two. */
#include "base/check.h"
#include "view/state.h"
#include <string.h>

void
news_init(struct news *news)
{
    *news = (struct news){.first = POOL_NONE, .last = POOL_NONE};
}

static void
drop_first(struct gate *g, struct news *news)
{
    const struct news_page *page = pool_at(&g->news_pages, news->first);
    uint32_t next = page->next;
    news->start = page->offset + page->used;
    pool_give(&g->news_pages, news->first);
    news->first = next;
    if (next == POOL_NONE) {
        news->last = POOL_NONE;
    }
}

/* Forgets everything: whoever had not read to the end missed something. */
void
news_clear(struct gate *g, struct news *news)
{
    while (news->first != POOL_NONE) {
        drop_first(g, news);
    }
    news->start = news->end = news->end + 1;
}

void
news_append(struct gate *g, struct news *news, struct slice record)
{
    CHECK(record.bytes <= NEWS_PAGE_BYTES);
    struct news_page *page = news->last == POOL_NONE ? NULL : pool_at(&g->news_pages, news->last);
    if (page == NULL || page->used + record.bytes > NEWS_PAGE_BYTES) {
        uint32_t index;
        if (pool_take(&g->news_pages, &index) != OK) {
            g->stats.limits_reached++;
            news_clear(g, news);
            return;
        }
        if (page != NULL) {
            page->next = index;
        } else {
            news->first = index;
            news->start = news->end;
        }
        page = pool_at(&g->news_pages, index);
        page->next = POOL_NONE;
        page->offset = news->end;
        news->last = index;
    }
    memcpy(page->bytes + page->used, record.at, record.bytes);
    page->used += (uint32_t)record.bytes;
    page->appended_us = env_mono_us(g->env);
    news->end += (uint32_t)record.bytes;
}

/* Offsets wrap around; differences do not. */
bool
news_covers(const struct news *news, uint32_t cursor)
{
    return (int32_t)(cursor - news->start) >= 0 && (int32_t)(news->end - cursor) >= 0;
}

uint32_t
news_bytes_from(const struct news *news, uint32_t cursor)
{
    CHECK(news_covers(news, cursor));
    return news->end - cursor;
}

uint32_t
news_pieces(struct gate *g, const struct news *news, uint32_t *cursor, struct slice *pieces,
            uint32_t max, size_t room, size_t *bytes)
{
    CHECK(news_covers(news, *cursor));
    uint32_t count = 0;
    for (uint32_t i = news->first; i != POOL_NONE && count < max;) {
        const struct news_page *page = pool_at(&g->news_pages, i);
        uint32_t from = *cursor - page->offset;
        if ((int32_t)from >= 0 && from < page->used) {
            size_t piece = page->used - from;
            if (piece > room) {
                break;
            }
            pieces[count++] = (struct slice){.at = page->bytes + from, .bytes = piece};
            room -= piece;
            *bytes += piece;
            *cursor = page->offset + page->used;
        }
        i = page->next;
    }
    return count;
}

bool
news_trim(struct gate *g, struct news *news, int64_t before_us)
{
    while (news->first != POOL_NONE) {
        const struct news_page *page = pool_at(&g->news_pages, news->first);
        if (page->appended_us >= before_us) {
            return false;
        }
        drop_first(g, news);
    }
    return true;
}
