/* What people do in a cluster: they walk about one place, so that those of different homes see each
 * other, say hello, and do things of value with what lies around and with each other.
 */
#include "base/check.h"
#include "proof/cluster_state.h"
#include "rules/sample_kinds.h"
#include "seom.pb-c.h"
#include "value.pb-c.h"
#include <math.h>
#include <string.h>

#define TURN_US        100000
#define MEET_MM        90000
#define REACH_MM       3000
#define BODY_MAX       64
#define LINES_PER_WALK 2 /* of all together, a second or so apart */
/* Before the end nobody talks, so that what is said then is within what a player may say. */
#define LINES_REST_US 6000000

static bool
is_quiet(const struct cluster_model *m)
{
    return cluster_now_us(m) >= m->quiet_us;
}

/* ---- the line ---- */

/* Other gates than those of the shard where it was are those of its island. */
static void
look_where_led(struct cluster_person *p)
{
    struct cluster_model *m = p->model;
    uint16_t here = cluster_gate(m, p->gate)->self.shard;
    const char *address;
    for (uint32_t i = 0; (address = seom_client_gate(p->client, i)) != NULL; i++) {
        const struct cluster_node *to = cluster_gate_at(m, address);
        CHECK(to != NULL);
        if (to->self.shard == here) {
            continue;
        }
        cluster_sometimes(m, CLUSTER_SOMETIMES_WAS_LED);
        cluster_exercised(m, CLUSTER_LED);
        if (to->self.shard != m->shard_of[p->island]) {
            cluster_wrong(m, PROOF_WRONG, CLUSTER_LED, "person %u of island %u is led to %s",
                          p->index, p->island, to->self.name);
        }
    }
}

static void
ended(void *ctx, uint32_t code, uint32_t retry_after_ms)
{
    struct cluster_person *p = ctx;
    struct cluster_model *m = p->model;
    (void)retry_after_ms;
    cluster_exercised(m, CLUSTER_HELD_LINE);
    bool was_cut = code == 0 && p->line_lost_us == cluster_now_us(m);
    /* Who is on the way in may be asked to come back. */
    bool later = code == SEOM__CODE__RETRY_AFTER && !p->plays;
    bool went = code == SEOM__CODE__LEFT && p->goes;
    p->plays = false;
    if (later) {
        look_where_led(p);
    }
    p->tries = code != 0; /* after a good-bye the gates that it named come first */
    if (!was_cut && !later && !went) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_HELD_LINE, "person %u lost its line: code %u",
                      p->index, code);
    }
}

static void
welcome(void *ctx, struct seom_client *c)
{
    struct cluster_person *p = ctx;
    p->plays = true;
    p->tries = 0;
    p->welcome_us = p->mail_told_us = cluster_now_us(p->model);
    p->welcomes++;
    if (seom_client_island(p->client) != p->island) {
        cluster_wrong(p->model, PROOF_WRONG, CLUSTER_LED, "person %u of island %u is on %u",
                      p->index, p->island, seom_client_island(p->client));
    }
    cluster_trace(p->model, "person %u is %llx, at gate-%u", p->index,
                  (unsigned long long)seom_client_player(c), p->gate + 1);
}

static void
result(void *ctx, uint64_t seq, uint32_t code, struct slice body)
{
    struct cluster_person *p = ctx;
    (void)seq;
    (void)body;
    p->results++;
    cluster_mail_result(p, code == SEOM__CODE__FINE);
    if (code == SEOM__CODE__FINE) {
        cluster_sometimes(p->model, CLUSTER_SOMETIMES_COMMANDS);
    }
}

static void
line(void *ctx, uint32_t channel, uint64_t player, struct slice name, struct slice text)
{
    (void)name;
    cluster_line_heard(ctx, channel, player, text);
}

static void
changed(void *ctx, uint32_t what)
{
    if (what == SEOM__SHOW_KIND__SHOW_INBOX) {
        cluster_mail_told(ctx);
    }
}

/* Which of the gates that the server told is next; 0: another one. */
static uint32_t
next_told(const struct cluster_person *p)
{
    uint32_t told = 0;
    while (seom_client_gate(p->client, told) != NULL) {
        told++;
    }
    return p->tries % (told + 1);
}

/* As client/posix.c does: whoever it knows of old, which here are all gates in turn, then each gate
 * that the server told. */
uint32_t
cluster_person_next_gate(const struct cluster_person *p)
{
    struct cluster_model *m = p->model;
    uint32_t n = next_told(p);
    return n > 0 ? cluster_gate_at(m, seom_client_gate(p->client, n - 1))->gate
                 : (p->first + 1) % m->knobs.gates;
}

static void
connect_now(void *arg, uint64_t n)
{
    struct cluster_person *p = arg;
    struct cluster_model *m = p->model;
    (void)n;
    if (m->over || seom_client_state(p->client) != SEOM_OFFLINE ||
        sim_net_is_open(m->net, p->index)) {
        return;
    }
    p->gate = cluster_person_next_gate(p);
    p->first = next_told(p) == 0 ? p->gate : p->first;
    p->tries++;
    if (cluster_gate(m, p->gate)->life == LIFE_RUNS) {
        sim_net_connect(m->net, p->index, p->gate);
    } else { /* nobody listens there */
        cluster_at(m, cluster_now_us(m) + 100000, connect_now, p, 0);
    }
}

static void
open_client(struct cluster_person *p)
{
    struct seom_options options = {
        .replica = true, .island = p->island, .seed = rand_next(&p->model->rand)};
    struct seom_events events = {.ctx = p,
                                 .welcome = welcome,
                                 .ended = ended,
                                 .result = result,
                                 .line = line,
                                 .changed = changed};
    CHECK(seom_client_open(&options, &events, &p->client) == OK);
}

void
cluster_person_broke(struct cluster_person *p)
{
    struct cluster_model *m = p->model;
    int64_t now_us = cluster_now_us(m);
    seom_client_broke(p->client, now_us);
    if (p->goes && seom_client_state(p->client) == SEOM_ENDED) {
        p->goes = false;
        p->island = CLUSTER_SHARDS_MAX + 1 - p->island;
        p->mails = 0;
        p->mail_us = 0;
        seom_client_close(&p->client);
        open_client(p);
        cluster_sometimes(m, CLUSTER_SOMETIMES_WENT);
        cluster_at(m, now_us + 1 + cluster_below(m, 1000000), connect_now, p, 0);
        return;
    }
    int64_t retry_us = seom_client_retry_us(p->client);
    if (retry_us == INT64_MAX) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_HELD_LINE, "person %u may not come back", p->index);
        return;
    }
    cluster_at(m, retry_us > now_us ? retry_us : now_us + 1000, connect_now, p, 0);
}

void
cluster_person_cut(struct cluster_person *p)
{
    p->line_lost_us = cluster_now_us(p->model);
    sim_net_break(p->model->net, p->index, false);
}

void
cluster_person_flush(struct cluster_person *p)
{
    struct slice out = seom_client_output(p->client);
    if (out.bytes > 0 && sim_net_send(p->model->net, p->index, out.at, out.bytes)) {
        seom_client_sent(p->client, out.bytes);
    }
}

void
cluster_person_connected(struct cluster_person *p)
{
    seom_client_connected(p->client, cluster_now_us(p->model));
    cluster_person_flush(p);
}

void
cluster_person_arrived(struct cluster_person *p, const uint8_t *bytes, size_t n)
{
    struct cluster_model *m = p->model;
    enum err e = seom_client_input(p->client, bytes, n, cluster_now_us(m));
    if (e == ERR_CLOSED) {
        return; /* good-bye was said; the line ends behind it */
    }
    if (e != OK) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_HELD_LINE, "person %u could not read what came",
                      p->index);
        return;
    }
    cluster_person_flush(p);
}

void
cluster_person_go(struct cluster_person *p)
{
    if (seom_client_goodbye(p->client) == OK) {
        cluster_trace(p->model, "person %u goes to the other island", p->index);
        p->goes = true;
        cluster_person_flush(p);
    }
}

/* ---- walking ---- */

static struct motion
next_motion(struct cluster_person *p, int64_t now_ms)
{
    struct cluster_model *m = p->model;
    struct motion self = seom_client_self(p->client);
    struct place at = motion_at(&self, now_ms);
    struct motion next = {.x_mm = at.x_mm, .y_mm = at.y_mm, .since_ms = now_ms};
    double dx = m->meet.x_mm + (double)cluster_below(m, MEET_MM) - at.x_mm;
    double dy = m->meet.y_mm + (double)cluster_below(m, MEET_MM) - at.y_mm;
    double length = sqrt(dx * dx + dy * dy), speed = 500 + cluster_below(m, 6000);
    if (is_quiet(m) || length < 200 || cluster_below(m, 6) == 0) {
        return next;
    }
    double seconds = 0.5 + cluster_below(m, 3000) / 1000.0;
    seconds = length / speed < seconds ? length / speed : seconds;
    next.vx = (int16_t)(dx / length * speed / VELOCITY_UNIT_MM_S);
    next.vy = (int16_t)(dy / length * speed / VELOCITY_UNIT_MM_S);
    next.lasts_ms = (uint16_t)(seconds * 1000);
    return next;
}

static void
walk(struct cluster_person *p, int64_t now_us)
{
    struct cluster_model *m = p->model;
    if (now_us < p->acts_us) {
        return;
    }
    p->acts_us = now_us + 300000 + cluster_below(m, 1500000);
    struct motion next = next_motion(p, seom_client_world_ms(p->client, now_us));
    uint32_t number;
    enum err e = seom_client_move(p->client, &next, LOOK_WALKER, &number);
    if (e == OK && cluster_below(m, 30) == 0) {
        e = seom_client_say(p->client, (struct slice){(const uint8_t *)"hello", 5}, &number);
    }
    CHECK(e == OK || e == ERR_FULL || e == ERR_RANGE);
    if (e == OK && cluster_below(m, m->knobs.persons) < LINES_PER_WALK &&
        now_us < m->quiet_us - LINES_REST_US) {
        cluster_line_say(p);
    }
}

/* ---- things of value ---- */

/* A thing that stands within reach, else any. 0: none is known. */
static uint64_t
some_thing(struct cluster_person *p, int64_t now_us)
{
    struct motion self = seom_client_self(p->client);
    struct place at = motion_at(&self, seom_client_world_ms(p->client, now_us));
    const struct seom_entity *e;
    uint32_t cursor = 0, known = 0;
    uint64_t chosen = 0;
    while ((e = seom_client_next(p->client, &cursor)) != NULL) {
        if (e->thing_kind == 0) {
            continue;
        }
        double dx = e->motion.x_mm - at.x_mm, dy = e->motion.y_mm - at.y_mm;
        if (dx * dx + dy * dy < (double)REACH_MM * REACH_MM) {
            return e->entity;
        }
        chosen = cluster_below(p->model, ++known) == 0 ? e->entity : chosen;
    }
    return chosen;
}

static uint64_t
some_player(struct cluster_person *p)
{
    struct cluster_model *m = p->model;
    const struct cluster_person *other = &m->persons[cluster_below(m, m->knobs.persons)];
    uint64_t player = seom_client_player(other->client);
    return player != 0 && other != p ? player : 1;
}

static size_t
draw_deed(struct cluster_person *p, int64_t now_us, uint8_t body[BODY_MAX])
{
    struct cluster_model *m = p->model;
    Seom__Deed deed = SEOM__DEED__INIT;
    Seom__Pick pick = SEOM__PICK__INIT;
    Seom__Drop drop = SEOM__DROP__INIT;
    Seom__Take take = SEOM__TAKE__INIT;
    Seom__Buy buy = SEOM__BUY__INIT;
    Seom__Send send = SEOM__SEND__INIT;
    char text[] = "for you";
    p->mails = 0;
    uint32_t what = cluster_below(m, 10);
    if (what < 2) {
        buy.kind = GOODS_FRUIT;
        buy.count = 1 + cluster_below(m, 3);
        deed.what_case = SEOM__DEED__WHAT_BUY;
        deed.buy = &buy;
    } else if (what < 5) {
        drop.slot = cluster_below(m, 2);
        drop.count = 1;
        deed.what_case = SEOM__DEED__WHAT_DROP;
        deed.drop = &drop;
    } else if (what < 7) {
        take.entity = some_thing(p, now_us);
        deed.what_case = SEOM__DEED__WHAT_TAKE;
        deed.take = &take;
    } else if (what < 9) {
        pick.entity = some_thing(p, now_us);
        deed.what_case = SEOM__DEED__WHAT_PICK;
        deed.pick = &pick;
    } else {
        send.to = p->mails = some_player(p);
        p->mails_us = now_us;
        send.text = text;
        send.coins = 1;
        deed.what_case = SEOM__DEED__WHAT_SEND;
        deed.send = &send;
    }
    CHECK(seom__deed__get_packed_size(&deed) <= BODY_MAX);
    return seom__deed__pack(&deed, body);
}

static void
deal(struct cluster_person *p, int64_t now_us)
{
    struct cluster_model *m = p->model;
    if (now_us < p->commands_us || is_quiet(m)) {
        return;
    }
    p->commands_us = now_us + 200000 + cluster_below(m, 3000000);
    uint8_t body[BODY_MAX];
    uint64_t seq;
    uint64_t mails = p->mails;
    int64_t mails_us = p->mails_us;
    size_t bytes = draw_deed(p, now_us, body);
    enum err e = seom_client_command(p->client, (struct slice){body, bytes}, &seq);
    if (e != OK) { /* the last one goes on */
        p->mails = mails;
        p->mails_us = mails_us;
    }
    CHECK(e == OK || e == ERR_CONFLICT || e == ERR_FULL || e == ERR_UNAVAILABLE);
}

/* ---- life ---- */

static void
turn(void *arg, uint64_t n)
{
    struct cluster_person *p = arg;
    struct cluster_model *m = p->model;
    int64_t now_us = cluster_now_us(m);
    if (m->over) {
        return;
    }
    if (seom_client_state(p->client) == SEOM_PLAYING) {
        walk(p, now_us);
        deal(p, now_us);
    }
    if (sim_net_is_connected(m->net, p->index)) {
        seom_client_turn(p->client, now_us);
        cluster_person_flush(p);
    }
    cluster_at(m, now_us + TURN_US, turn, p, n);
}

void
cluster_person_init(struct cluster_model *m, uint32_t index)
{
    struct cluster_person *p = &m->persons[index];
    *p = (struct cluster_person){
        .model = m, .index = index, .first = cluster_below(m, m->knobs.gates), .line_lost_us = -1};
    p->island = 1 + cluster_below(m, m->knobs.shards);
    open_client(p);
    int64_t at_us = 2000000 + cluster_below(m, 5000000);
    cluster_at(m, at_us, connect_now, p, 0);
    cluster_at(m, at_us, turn, p, 0);
}

void
cluster_person_fini(struct cluster_person *p)
{
    if (p->client != NULL) {
        seom_client_close(&p->client);
    }
}
