#include "base/wheel.h"
#include "base/check.h"
#include <stddef.h>
#include <string.h>

static struct wheel_entry **
slot_of(struct wheel *w, int64_t tick)
{
    return &w->slots[(uint64_t)tick % WHEEL_SLOTS];
}

void
wheel_init(struct wheel *w, int64_t tick)
{
    memset(w, 0, sizeof(*w));
    w->tick = tick;
}

void
wheel_set(struct wheel *w, struct wheel_entry *e, int64_t due_tick)
{
    wheel_cancel(w, e);
    e->due_tick = due_tick > w->tick ? due_tick : w->tick + 1;
    struct wheel_entry **head = slot_of(w, e->due_tick);
    e->next = *head;
    e->link = head;
    if (e->next)
        e->next->link = &e->next;
    *head = e;
    w->count++;
}

void
wheel_cancel(struct wheel *w, struct wheel_entry *e)
{
    if (!e->link)
        return;
    CHECK(*e->link == e && w->count > 0);
    *e->link = e->next;
    if (e->next)
        e->next->link = e->link;
    e->next = NULL;
    e->link = NULL;
    w->count--;
}

bool
wheel_is_set(const struct wheel_entry *e)
{
    return e->link != NULL;
}

/* An entry of the slot that is due by then, not one waiting for a later round. */
static struct wheel_entry *
slot_due(struct wheel_entry *head, int64_t tick)
{
    while (head && head->due_tick > tick)
        head = head->next;
    return head;
}

struct wheel_entry *
wheel_take(struct wheel *w, int64_t tick)
{
    /* The wheel already stands at the tick whose entries are being taken, so one that is set again
     * for "now" while it is handled waits for the next tick instead of turning here for ever. */
    while (w->count > 0) {
        struct wheel_entry *e = slot_due(*slot_of(w, w->tick), w->tick);
        if (e) {
            wheel_cancel(w, e);
            return e;
        }
        if (w->tick >= tick)
            return NULL;
        w->tick++;
    }
    if (w->tick < tick)
        w->tick = tick;
    return NULL;
}
