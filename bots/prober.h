/* Asks a bot's home who the bot is, again and again, and knows when each answered question was
 * asked: so that one can say how long nobody answered. The home answers out of its memory. A plain
 * value that belongs to one bot; borrows nothing. Limit: PROBER_ASKED questions under way, older
 * ones are forgotten.
 */
#ifndef SEOM_BOTS_PROBER_H
#define SEOM_BOTS_PROBER_H

#include "client/client.h"

#define PROBER_ASKED 32

struct prober {
    int64_t every_us, next_us;
    uint32_t asked; /* questions so far */

    struct {
        uint32_t number;
        int64_t us; /* 0: answered, or none */
    } under_way[PROBER_ASKED];
};

void prober_init(struct prober *p, int64_t every_us, int64_t first_us);
/* Asks when it is time to and the client plays. Returns when it is time again (mono us). */
int64_t prober_turn(struct prober *p, struct seom_client *c, int64_t mono_us);
/* When the question was asked that this answers; 0: it was none of ours. */
int64_t prober_answered(struct prober *p, uint32_t number);

#endif
