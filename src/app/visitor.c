#include "app/visitor.h"
#include "base/check.h"
#include "client/posix.h"
#include "seom.pb-c.h"
#include "value.pb-c.h"
#include "wire/code.h"
#include <stdio.h>
#include <string.h>

#define WALK_MM_S    2000
#define WALK_MS      400
#define WAIT_MS      20
#define NO_SUCH_KIND 65535 /* of goods: whoever knows crafting refuses it */
#define BODY_MAX     64

enum step { STEP_WELCOME, STEP_ANSWER, STEP_WALK, STEP_RESULT, STEP_DONE, STEPS };

struct visit {
    const struct visitor_options *options;
    struct visitor_result *result;
    struct seom_client *client;
    struct seom_line *line;
    enum step step;
    int64_t began_us; /* the step */
    uint32_t number;  /* of the question */
    uint32_t code;    /* with which it was last turned away; FINE: it was not */
};

static const char *const step_names[STEPS] = {[STEP_WELCOME] = "to be welcomed",
                                              [STEP_ANSWER] = "for an answer from its home",
                                              [STEP_WALK] = "to stand where it walked to",
                                              [STEP_RESULT] = "for the result of a command",
                                              [STEP_DONE] = "for nothing"};

static void
step_next(struct visit *v)
{
    CHECK(v->step < STEP_DONE);
    v->step++;
    v->began_us = seom_now_us();
}

static void
on_answer(void *ctx, uint32_t number, uint32_t code, uint8_t look, struct slice name)
{
    struct visit *v = ctx;
    (void)look;
    (void)name;
    if (v->step == STEP_ANSWER && number == v->number && code == SEOM__CODE__FINE) {
        v->result->answer_us = seom_now_us() - v->began_us;
        step_next(v);
    }
}

static void
on_turned_away(void *ctx, uint32_t code, uint32_t retry_after_ms)
{
    (void)retry_after_ms;
    ((struct visit *)ctx)->code = code;
}

static void
on_result(void *ctx, uint64_t seq, uint32_t code, struct slice body)
{
    struct visit *v = ctx;
    (void)seq;
    (void)body;
    if (v->step == STEP_RESULT) {
        v->result->result_us = seom_now_us() - v->began_us;
        v->result->value = code != SEOM__CODE__CLOSED && code != SEOM__CODE__UNKNOWN_MESSAGE;
        step_next(v);
    }
}

/* Some steps to one side, from where it stands: by the client's own reckoning, which the server
 * corrects when it is wrong or the way is not free. */
static void
walk(struct visit *v)
{
    int64_t world_ms = seom_client_world_ms(v->client, seom_now_us());
    struct motion self = seom_client_self(v->client);
    struct place at = motion_at(&self, world_ms);
    struct motion way = {.x_mm = at.x_mm,
                         .y_mm = at.y_mm,
                         .vx = WALK_MM_S / VELOCITY_UNIT_MM_S,
                         .since_ms = world_ms,
                         .lasts_ms = WALK_MS};
    if (seom_client_move(v->client, &way, LOOK_WALKER, NULL) != OK)
        v->began_us = 0; /* the line just broke: again */
}

static void
command(struct visit *v)
{
    uint8_t body[BODY_MAX];
    uint64_t seq;
    Seom__Craft craft = SEOM__CRAFT__INIT;
    Seom__Deed deed = SEOM__DEED__INIT;
    deed.what_case = SEOM__DEED__WHAT_CRAFT;
    deed.craft = &craft;
    craft.kind = NO_SUCH_KIND;
    CHECK(seom__deed__get_packed_size(&deed) <= sizeof body);
    struct slice bytes = {.at = body, .bytes = seom__deed__pack(&deed, body)};
    if (seom_client_command(v->client, bytes, &seq) != OK)
        v->began_us = 0;
}

/* What a step asks for, once; with began_us 0 it has not been asked. */
static void
step_begin(struct visit *v)
{
    v->began_us = seom_now_us();
    switch (v->step) {
    case STEP_ANSWER:
        if (seom_client_look(v->client, seom_client_entity(v->client), &v->number) != OK)
            v->began_us = 0;
        break;
    case STEP_WALK: walk(v); break;
    case STEP_RESULT: command(v); break;
    case STEP_WELCOME:
    case STEP_DONE:
    case STEPS: break;
    }
}

static void
step_look(struct visit *v)
{
    enum seom_state state = seom_client_state(v->client);
    if (v->step == STEP_WELCOME && state == SEOM_PLAYING) {
        v->result->welcome_us = seom_now_us() - v->began_us;
        v->result->player = seom_client_player(v->client);
        step_next(v);
        step_begin(v);
    } else if (v->step == STEP_WALK && state == SEOM_PLAYING) {
        int64_t now_us = seom_now_us();
        struct motion self = seom_client_self(v->client);
        struct place at = motion_at(&self, seom_client_world_ms(v->client, now_us));
        bool arrived = now_us - v->began_us > (WALK_MS + 100) * INT64_C(1000);
        if (arrived && v->options->found(v->options->ctx, v->result->player,
                                         seom_client_island(v->client), at)) {
            step_next(v);
            step_begin(v);
        }
    }
}

static enum err
visit(struct visit *v)
{
    int64_t end_us = seom_now_us() + v->options->patience_us;
    v->began_us = seom_now_us();
    while (v->step != STEP_DONE) {
        enum step before = v->step;
        seom_line_wait(v->line, WAIT_MS);
        if (v->step != before || v->began_us == 0)
            step_begin(v);
        step_look(v);
        if (seom_client_state(v->client) == SEOM_ENDED && v->step != STEP_DONE) {
            snprintf(v->result->why, VISITOR_WHY_MAX, "%s sent it away while it waited %s",
                     v->options->gate, step_names[v->step]);
            return ERR_CLOSED;
        }
        if (seom_now_us() > end_us && v->step != STEP_DONE) {
            snprintf(v->result->why, VISITOR_WHY_MAX,
                     "it still waits %s at %s after %.0f s; it was told: %s", step_names[v->step],
                     v->options->gate, (double)v->options->patience_us / 1e6,
                     v->code == SEOM__CODE__FINE ? "nothing" : code_name(v->code));
            return ERR_TIMEOUT;
        }
    }
    return OK;
}

enum err
visitor_visit(const struct visitor_options *options, struct visitor_result *out)
{
    *out = (struct visitor_result){0};
    struct visit v = {.options = options, .result = out};
    struct seom_events events = {.ctx = &v,
                                 .answer = on_answer,
                                 .result = on_result,
                                 .ended = on_turned_away,
                                 .lobby = on_turned_away};
    struct seom_options client = {.island = options->island, .seed = (uint64_t)seom_now_us()};
    enum err error = seom_client_open(&client, &events, &v.client);
    CHECK(error == OK);
    error = seom_line_open(v.client, options->gate, &v.line);
    if (error != OK) {
        snprintf(out->why, VISITOR_WHY_MAX, "%s is no address", options->gate);
    } else {
        error = visit(&v);
        if (seom_client_goodbye(v.client) == OK)
            seom_line_turn(v.line);
        seom_line_close(&v.line);
    }
    seom_client_close(&v.client);
    return error;
}
