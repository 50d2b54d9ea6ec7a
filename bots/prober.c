#include "bots/prober.h"
#include "base/check.h"

void
prober_init(struct prober *p, int64_t every_us, int64_t first_us)
{
    CHECK(every_us > 0);
    *p = (struct prober){.every_us = every_us, .next_us = first_us};
}

int64_t
prober_turn(struct prober *p, struct seom_client *c, int64_t mono_us)
{
    CHECK(p->every_us > 0);
    if (p->next_us > mono_us) {
        return p->next_us;
    }
    /* From when it was due, so that the questions keep their distances; but never catch up. */
    p->next_us += p->every_us;
    if (p->next_us <= mono_us) {
        p->next_us = mono_us + p->every_us;
    }
    uint32_t number;
    if (seom_client_state(c) == SEOM_PLAYING &&
        seom_client_look(c, seom_client_entity(c), &number) == OK) {
        p->under_way[p->asked % PROBER_ASKED].number = number;
        p->under_way[p->asked % PROBER_ASKED].us = mono_us;
        p->asked++;
    }
    return p->next_us;
}

int64_t
prober_answered(struct prober *p, uint32_t number)
{
    for (uint32_t i = 0; i < PROBER_ASKED; i++) {
        int64_t asked_us = p->under_way[i].us;
        if (asked_us != 0 && p->under_way[i].number == number) {
            p->under_way[i].us = 0;
            return asked_us;
        }
    }
    return 0;
}
