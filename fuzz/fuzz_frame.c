/* Framing: the same bytes, all at once or in pieces, give the same events and the same frames. The
 * first byte chooses where to begin and whether the hello is over, the second the size of the
 * pieces.
 */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "wire/frame.h"
#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX 4096

struct outcome {
    uint32_t count;
    uint64_t hash; /* FNV-1a over the events and their bytes */
};

static void
outcome_add(struct outcome *o, enum framing_event event, struct slice frame)
{
    o->count++;
    o->hash = (o->hash ^ (uint64_t)event) * UINT64_C(1099511628211);
    for (size_t i = 0; i < frame.bytes; i++) {
        o->hash = (o->hash ^ frame.at[i]) * UINT64_C(1099511628211);
    }
}

static struct outcome
run(uint8_t choice, const uint8_t *data, size_t size, size_t piece)
{
    struct framing f;
    framing_init(&f);
    f.kind = choice & 1 ? FRAME_WEBSOCKET : FRAME_UNDECIDED;
    f.frame_max = choice & 2 ? FRAME_AFTER_HELLO_MAX : FRAME_BEFORE_HELLO_MAX;
    struct outcome outcome = {.hash = UINT64_C(14695981039346656037)};
    uint8_t *buffer = malloc(size + 1), reply[FRAME_REPLY_MAX];
    size_t n = 0, at = 0;
    while (outcome.count < EVENTS_MAX) {
        struct slice frame;
        size_t used;
        enum framing_event event = framing_next(&f, buffer, n, &used, &frame, reply);
        CHECK(used <= n);
        if (event == FRAMING_NEED_MORE) {
            if (at == size) {
                break;
            }
            size_t more = piece < size - at ? piece : size - at;
            memcpy(buffer + n, data + at, more);
            at += more;
            n += more;
            continue;
        }
        CHECK(event != FRAMING_FRAME || (frame.bytes > 0 && frame.bytes <= f.frame_max));
        CHECK(event != FRAMING_REPLY || frame.bytes <= FRAME_REPLY_MAX);
        outcome_add(&outcome, event, frame);
        if (event != FRAMING_FRAME && event != FRAMING_REPLY) {
            break;
        }
        CHECK(used > 0);
        memmove(buffer, buffer + used, n - used);
        n -= used;
    }
    free(buffer);
    return outcome;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096) {
        return 0;
    }
    struct outcome whole = run(data[0], data + 2, size - 2, size);
    struct outcome pieces = run(data[0], data + 2, size - 2, 1 + data[1] % 64);
    CHECK(whole.count == pieces.count && whole.hash == pieces.hash);
    return 0;
}
