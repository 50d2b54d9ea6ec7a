/* Subscriptions: which topics the clients of this gate need, in two sets (avatars', which wake what
 * sleeps, and spectators'). They are state, not messages: every home is told the same sets, first
 * whole, then what changes, each message with the next version of that home's row. What a link
 * refuses, and what a home's digest says it has otherwise, is repaired by telling the set whole
 * again, as many messages in a turn as the link takes.
 */
#include "base/check.h"
#include "base/rand.h"
#include "view/state.h"

#define SUBSCRIBE_TOPICS_MAX 1024 /* in one message */
#define REPAIR_US            2000000
#define DIGEST_US            10000000 /* a home that was told nothing for so long is asked for its digest */

bool
subscribe_wants(const struct seen_topic *t, bool wakes)
{
    return t->refs[wakes] > 0;
}

void
subscribe_changed(struct gate *g, uint32_t topic, bool wakes)
{
    struct seen_topic *t = pool_at(&g->topics, topic);
    if (!t->changed[wakes]) {
        t->changed[wakes] = true;
        t->next_changed[wakes] = g->first_changed[wakes];
        g->first_changed[wakes] = topic;
    }
}

/* What one message says: adds first, then drops. */
struct change {
    bool whole;
    uint32_t adds, drops;
    uint64_t add[SUBSCRIBE_TOPICS_MAX], drop[SUBSCRIBE_TOPICS_MAX];
};

static enum err
send_change(struct gate *g, uint8_t home, bool wakes, const struct change *change)
{
    uint8_t bytes[2 * SUBSCRIBE_TOPICS_MAX * sizeof(uint64_t)];
    struct writer out = writer_over(bytes, sizeof bytes);
    for (uint32_t i = 0; i < change->adds; i++) {
        write_u64(&out, change->add[i]);
    }
    for (uint32_t i = 0; i < change->drops; i++) {
        write_u64(&out, change->drop[i]);
    }
    struct told_set *set = &g->homes[home].sets[wakes];
    struct link_message m = {.kind = LINK_SUBSCRIBE,
                             .as.subscribe = {.epoch = g->subscribe_epoch,
                                              .version = set->version + 1,
                                              .whole = change->whole,
                                              .wakes = wakes,
                                              .add_count = (uint16_t)change->adds,
                                              .remove_count = (uint16_t)change->drops,
                                              .topics = {bytes, writer_used(&out)}}};
    enum err e = gate_tell(g, home, &m);
    if (e == OK) {
        set->version++;
        set->unheard++;
        set->told_us = env_mono_us(g->env);
        g->stats.subscribes++;
        g->stats.subscribes_whole += change->whole;
    }
    return e;
}

/* As many of the changed topics as a message holds. Returns the first one that does not fit. */
static uint32_t
gather_changes(struct gate *g, bool wakes, struct change *out)
{
    uint32_t index = g->first_changed[wakes];
    out->whole = false;
    out->adds = out->drops = 0;
    while (index != POOL_NONE && out->adds < SUBSCRIBE_TOPICS_MAX &&
           out->drops < SUBSCRIBE_TOPICS_MAX) {
        const struct seen_topic *t = pool_at(&g->topics, index);
        if (subscribe_wants(t, wakes) && !t->sent[wakes]) {
            out->add[out->adds++] = t->id;
        } else if (!subscribe_wants(t, wakes) && t->sent[wakes]) {
            out->drop[out->drops++] = t->id;
        }
        index = t->next_changed[wakes];
    }
    return index;
}

/* The set is as clients need it, as far as `until`. */
static void
take_changes(struct gate *g, bool wakes, uint32_t until)
{
    while (g->first_changed[wakes] != until) {
        uint32_t topic = g->first_changed[wakes];
        struct seen_topic *t = pool_at(&g->topics, topic);
        g->first_changed[wakes] = t->next_changed[wakes];
        t->changed[wakes] = false;
        if (t->sent[wakes] != subscribe_wants(t, wakes)) {
            t->sent[wakes] = !t->sent[wakes];
            g->told_topics[wakes] += t->sent[wakes] ? 1 : UINT32_MAX;
            g->digest[wakes] ^= rand_mix(t->id, 1);
        }
        interest_drop(g, topic);
    }
}

static void
owe_whole(struct told_set *set)
{
    set->state = SET_DUE;
    set->repair_due = false;
}

/* Tells every home that knows the set what changed in it. If none of them takes it, nothing was
 * changed yet: that is kinder to a link that is full than a whole set. */
static bool
spread_change(struct gate *g, bool wakes, const struct change *change)
{
    uint8_t refused[HOMES_MAX];
    uint32_t refusals = 0, told = 0;
    for (uint8_t home = 0; home < g->homes_high; home++) {
        const struct gate_home *h = &g->homes[home];
        if (h->state != HOME_UP || h->sets[wakes].state < SET_TELLING) {
            continue;
        }
        if (send_change(g, home, wakes, change) == OK) {
            told++;
        } else {
            refused[refusals++] = home;
        }
    }
    if (told == 0 && refusals > 0) {
        return false;
    }
    for (uint32_t i = 0; i < refusals && g->options.mutant != GATE_MUTANT_SUBSCRIBE_DROPPED; i++) {
        owe_whole(&g->homes[refused[i]].sets[wakes]);
    }
    return true;
}

static void
tell_changes(struct gate *g, bool wakes)
{
    struct change change;
    while (g->first_changed[wakes] != POOL_NONE) {
        uint32_t until = gather_changes(g, wakes, &change);
        if (change.adds + change.drops > 0 && !spread_change(g, wakes, &change)) {
            return; /* everything stays listed for the next turn */
        }
        take_changes(g, wakes, until);
    }
}

/* The whole set: the first message replaces what stood at the home, the others add to it. A full
 * link makes the rest wait; what changes meanwhile is told beside it. */
static void
tell_whole(struct gate *g, uint8_t home, bool wakes)
{
    struct told_set *set = &g->homes[home].sets[wakes];
    struct change change = {.whole = set->state != SET_TELLING};
    uint32_t i = pool_next(&g->topics, set->state == SET_TELLING ? set->cursor : POOL_NONE);
    for (;; i = pool_next(&g->topics, i)) {
        const struct seen_topic *t = i == POOL_NONE ? NULL : pool_at(&g->topics, i);
        if (t != NULL && t->sent[wakes]) {
            change.add[change.adds++] = t->id;
        }
        if (t == NULL || change.adds == SUBSCRIBE_TOPICS_MAX) {
            if ((change.whole || change.adds > 0) && send_change(g, home, wakes, &change) != OK) {
                return;
            }
            set->state = t == NULL ? SET_TOLD : SET_TELLING;
            set->cursor = i;
            change.whole = false;
            change.adds = 0;
        }
        if (t == NULL) {
            return;
        }
    }
}

/* A change that changes nothing: its acknowledgement brings the home's digest. */
static void
ask_digest(struct gate *g, uint8_t home, bool wakes)
{
    static const struct change nothing = {.whole = false};
    if (env_mono_us(g->env) - g->homes[home].sets[wakes].told_us >= DIGEST_US &&
        send_change(g, home, wakes, &nothing) != OK) {
        g->homes[home].sets[wakes].told_us = env_mono_us(g->env); /* when it has room again */
    }
}

static void
tell_home(struct gate *g, uint8_t home, bool wakes)
{
    struct told_set *set = &g->homes[home].sets[wakes];
    int64_t now_us = env_mono_us(g->env);
    /* Paced: a home that cannot hold the set must not be flooded with it. */
    if (set->repair_due && now_us - set->repaired_us >= REPAIR_US) {
        set->repaired_us = now_us;
        g->stats.subscribe_repairs++;
        owe_whole(set);
    }
    switch (set->state) {
    case SET_NEW:
        if (g->told_topics[wakes] > 0) {
            tell_whole(g, home, wakes);
        }
        break;
    case SET_DUE:
    case SET_TELLING: tell_whole(g, home, wakes); break;
    case SET_TOLD: ask_digest(g, home, wakes); break;
    }
}

void
subscribe_turn(struct gate *g)
{
    for (uint32_t wakes = 0; wakes < 2; wakes++) {
        tell_changes(g, wakes != 0);
        for (uint8_t home = 0; home < g->homes_high; home++) {
            if (g->homes[home].state == HOME_UP) {
                tell_home(g, home, wakes != 0);
            }
        }
    }
}

void
subscribe_heard(struct gate *g, uint8_t home, const struct link_subscribed *s)
{
    struct told_set *set = &g->homes[home].sets[s->wakes];
    bool ours = s->epoch == g->subscribe_epoch;
    set->unheard -= set->unheard > 0;
    if (set->state != SET_TOLD || g->options.mutant == GATE_MUTANT_SUBSCRIBE_DROPPED) {
        return; /* it does not know all of it yet */
    }
    if (ours && (int32_t)(set->version - s->version) > 0 && set->unheard > 0) {
        return; /* newer changes are on their way; the last acknowledgement counts */
    }
    if (!ours || s->version != set->version || s->digest != g->digest[s->wakes]) {
        set->repair_due = true;
    }
}
