#include "sim/stream.h"
#include "base/check.h"
#include <stdlib.h>
#include <string.h>

static void
room_make(struct stream *s, size_t n)
{
    if (s->used + n > s->room && s->from > 0) {
        memmove(s->bytes, s->bytes + s->from, s->used - s->from);
        s->used -= s->from;
        s->from = 0;
    }
    if (s->used + n > s->room) {
        s->room = (s->used + n) * 2;
        s->bytes = realloc(s->bytes, s->room);
        CHECK(s->bytes != NULL);
    }
}

void
stream_put(struct stream *s, const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return;
    room_make(s, n);
    memcpy(s->bytes + s->used, bytes, n);
    s->used += n;
}

void
stream_take(struct stream *s, uint8_t *out, size_t n)
{
    CHECK(n <= stream_left(s));
    if (n == 0)
        return;
    memcpy(out, s->bytes + s->from, n);
    s->from += n;
}

size_t
stream_left(const struct stream *s)
{
    return s->used - s->from;
}

void
stream_clear(struct stream *s)
{
    s->from = s->used = 0;
}

void
stream_fini(struct stream *s)
{
    free(s->bytes);
    *s = (struct stream){0};
}
