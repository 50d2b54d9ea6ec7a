/* Switches: meta/switches says which classes of deeds are closed, and is read once a second while
 * somebody plays. What cannot be read leaves things as they are.
 */
#include "base/check.h"
#include "documents.pb-c.h"
#include "store/scratch.h"
#include "world/state.h"

#define SWITCHES_MS   1000
#define SWITCHES_NAME "switches"

bool
switch_is_closed(const struct world *w, enum deed_class class)
{
    CHECK(class < DEED_CLASSES);
    return (w->stats.switches_closed >> class & 1) != 0;
}

static void
say_so(const struct world *w, uint32_t before, uint32_t after)
{
    for (uint32_t class = 0; class < DEED_CLASSES; class ++) {
        if (((before ^ after) >> class & 1) != 0) {
            env_log(w->env, LOG_WARN, "world.switch", "deeds of class %s are %s from now on",
                    deed_class_name((enum deed_class) class),
                    (after >> class & 1) != 0 ? "closed" : "open");
        }
    }
}

static void
got(void *ctx, uint64_t n, enum store_result result, const struct store_doc *doc)
{
    (void)n;
    struct world *w = ctx;
    struct scratch scratch;
    w->switches.reading = false;
    if (result != STORE_OK || doc->version == w->switches.version) {
        return;
    }
    w->switches.version = doc->version;
    uint32_t closed = 0;
    if (doc->exists) {
        scratch_init(&scratch);
        const Seom__SwitchesDocument *document =
            seom__switches_document__unpack(&scratch.allocator, doc->value.bytes, doc->value.at);
        if (document == NULL) {
            env_log(w->env, LOG_ERROR, "world.switch", "meta/" SWITCHES_NAME " is unreadable");
            return;
        }
        closed = document->closed & ((1U << DEED_CLASSES) - 1);
    }
    say_so(w, w->stats.switches_closed, closed);
    w->stats.switches_closed = closed;
}

void
switches_turn(struct world *w, int64_t now_ms)
{
    if (w->switches.reading || now_ms < w->switches.next_ms || w->stats.players == 0) {
        return;
    }
    struct key key = key_named(w->options.world_id, KEY_CLASS_META, SWITCHES_NAME);
    w->switches.next_ms = now_ms + SWITCHES_MS;
    w->switches.reading = store_get(&w->store, key_slice(&key), got, w, 0) == OK;
}
