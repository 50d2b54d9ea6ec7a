/* What people do: walk, ride, lie, send garbage, read slowly, share a ticket, watch. */
#include "base/check.h"
#include "proof/state.h"
#include "seom.pb-c.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/message.h"
#include <math.h>
#include <string.h>

#define TURN_US  100000
#define MEET_MM  90000 /* people keep to a square of this size, so that they meet */
#define CROWD_MM 24000

static void turn(void *arg, uint64_t n);

static void
disturbed(struct person *p)
{
    p->healthy_us = model_now_us(p->model);
    p->own_bad_us = 0;
}

static void
welcome(void *ctx, struct seom_client *c)
{
    struct person *p = ctx;
    struct model *m = p->model;
    disturbed(p);
    p->session_entity = seom_client_entity(c);
    if (p->kind == PERSON_SPECTATOR) {
        struct place corner = {.x_mm = m->meet.x_mm - 30000, .y_mm = m->meet.y_mm - 30000};
        CHECK(seom_client_camera(c, 1, corner, 150000, 150000) == OK);
        return;
    }
    if (p->session_entity == 0) {
        return; /* a spectator of another kind */
    }
    struct motion self = seom_client_self(c);
    check_restart(m, check_slot(m, seom_client_player(c)), (struct place){self.x_mm, self.y_mm});
    model_exercised(m, PROOF_ONE_SESSION);
}

static void
gone(void *ctx, uint64_t entity)
{
    check_gone(ctx, entity);
}

static void
ended(void *ctx, uint32_t code, uint32_t retry_after_ms)
{
    struct person *p = ctx;
    (void)retry_after_ms;
    p->ended_code = code;
    bool hostile = p->kind == PERSON_GARBAGE || p->kind == PERSON_LIAR;
    bool blamed = code == SEOM__CODE__MALFORMED || code == SEOM__CODE__TOO_LARGE ||
                  code == SEOM__CODE__UNKNOWN_MESSAGE || code == SEOM__CODE__TOO_FAST;
    if (p->kind == PERSON_GARBAGE && blamed) {
        model_exercised(p->model, PROOF_LIMITS_KEPT);
    }
    if (!hostile && blamed) {
        model_wrong(p->model, PROOF_WRONG, PROOF_LIMITS_KEPT,
                    "person %u was cut with code %u and did nothing", p->index, code);
    }
    if ((code == SEOM__CODE__TOO_SLOW || code == SEOM__CODE__SILENT) && !hostile) {
        model_wrong(p->model, PROOF_WRONG, PROOF_PATIENCE, "person %u was cut with code %u",
                    p->index, code);
    }
}

void
person_init(struct model *m, uint32_t index, enum person_kind kind)
{
    struct person *p = &m->persons[index];
    *p = (struct person){.model = m,
                         .index = index,
                         .kind = kind,
                         .gate = model_below(m, m->knobs.gates),
                         .twin = index};
    bool watches = kind == PERSON_SPECTATOR || (kind == PERSON_GARBAGE && model_below(m, 2) == 0);
    struct seom_options options = {
        .spectator = watches, .replica = true, .island = 1, .seed = rand_next(&m->rand)};
    struct seom_events events = {.ctx = p, .welcome = welcome, .gone = gone, .ended = ended};
    CHECK(seom_client_open(&options, &events, &p->client) == OK);
}

void
person_fini(struct person *p)
{
    if (p->client != NULL) {
        seom_client_close(&p->client);
    }
}

static void
connect_now(void *arg, uint64_t n)
{
    struct person *p = arg;
    struct model *m = p->model;
    (void)n;
    if (!m->over && seom_client_state(p->client) == SEOM_OFFLINE &&
        !sim_net_is_connected(m->net, p->index) && !sim_net_is_open(m->net, p->index)) {
        p->gate = (p->gate + 1) % m->knobs.gates;
        sim_net_connect(m->net, p->index, p->gate);
    }
}

static void
plan_connect(struct person *p, int64_t at_us)
{
    struct sim_schedule s = events_port(&p->model->events);
    s.at(s.ctx, at_us, connect_now, p, 0);
}

void
person_start(struct person *p, int64_t at_us)
{
    struct sim_schedule s = events_port(&p->model->events);
    plan_connect(p, at_us);
    s.at(s.ctx, at_us, turn, p, 0);
}

static void
come_anew(struct person *p)
{
    person_fini(p);
    enum person_kind kind = p->kind;
    uint32_t twin = p->twin;
    person_init(p->model, p->index, kind);
    p->twin = twin;
}

void
person_broke(struct person *p)
{
    int64_t now_us = model_now_us(p->model);
    disturbed(p);
    p->stalled_until_us = 0;
    seom_client_broke(p->client, now_us);
    int64_t retry_us = seom_client_retry_us(p->client);
    if (retry_us == INT64_MAX) {
        /* Ended for good (replaced, ticket refused): this person comes back as it is, later. */
        come_anew(p);
        retry_us = now_us + 3000000;
    }
    plan_connect(p, retry_us > now_us ? retry_us : now_us + 1000);
}

/* Closes the game and throws the ticket away; a stranger comes in its place. */
static void
leave(struct person *p)
{
    sim_net_break(p->model->net, p->index, true);
    come_anew(p);
    disturbed(p);
    p->stalled_until_us = 0;
    plan_connect(p, model_now_us(p->model) + 3000000);
}

void
person_flush(struct person *p)
{
    struct slice out = seom_client_output(p->client);
    if (out.bytes > 0 && sim_net_send(p->model->net, p->index, out.at, out.bytes)) {
        seom_client_sent(p->client, out.bytes);
    }
}

static struct motion
next_motion(struct person *p, int64_t now_ms)
{
    struct model *m = p->model;
    struct motion self = seom_client_self(p->client);
    struct place at = motion_at(&self, now_ms);
    int32_t reach = m->knobs.crowd ? CROWD_MM : MEET_MM;
    int32_t goal_x = m->meet.x_mm + 3000 + (int32_t)model_below(m, (uint32_t)reach);
    int32_t goal_y = m->meet.y_mm + 3000 + (int32_t)model_below(m, (uint32_t)reach);
    double dx = goal_x - at.x_mm, dy = goal_y - at.y_mm, length = sqrt(dx * dx + dy * dy);
    double speed =
        p->kind == PERSON_RIDER ? 10000 + model_below(m, 35000) : 500 + model_below(m, 6500);
    struct motion next = {.x_mm = at.x_mm, .y_mm = at.y_mm, .since_ms = now_ms};
    if (length > 100 && model_below(m, 8) != 0) {
        double seconds = 0.5 + model_below(m, 3000) / 1000.0;
        seconds = length / speed < seconds ? length / speed : seconds;
        next.vx = (int16_t)(dx / length * speed / VELOCITY_UNIT_MM_S);
        next.vy = (int16_t)(dy / length * speed / VELOCITY_UNIT_MM_S);
        next.lasts_ms = (uint16_t)(seconds * 1000);
    }
    return next;
}

static void
lie(struct person *p, struct motion *next)
{
    struct model *m = p->model;
    switch (model_below(m, 4)) {
    case 0: next->x_mm += 100000; break;
    case 1: next->vx = (int16_t)(next->vx * 3); break;
    case 2: next->x_mm += (int32_t)model_below(m, 3000); break;
    default: next->since_ms = next->since_ms > 5000 ? next->since_ms - 5000 : 0; break;
    }
}

static void
act(struct person *p, int64_t now_us)
{
    struct model *m = p->model;
    if (now_us < p->acts_us || seom_client_state(p->client) != SEOM_PLAYING ||
        seom_client_entity(p->client) == 0) {
        return;
    }
    p->acts_us = now_us + 200000 + model_below(m, model_below(m, 20) == 0 ? 12000000 : 1500000);
    struct motion next = next_motion(p, seom_client_world_ms(p->client, now_us));
    if (p->kind == PERSON_LIAR && model_below(m, 2) == 0) {
        lie(p, &next);
        p->acts_us = now_us + 150000;
    }
    uint32_t move_no;
    enum err sent = seom_client_move(p->client, &next,
                                     p->kind == PERSON_RIDER ? LOOK_RIDER : LOOK_WALKER, &move_no);
    if (sent == OK && model_below(m, 30) == 0) {
        uint32_t number;
        sent = seom_client_say(p->client,
                               (struct slice){.at = (const uint8_t *)"hello", .bytes = 5}, &number);
    }
    CHECK(sent == OK || sent == ERR_FULL || sent == ERR_RANGE);
}

static void
send_garbage(struct person *p)
{
    struct model *m = p->model;
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)model_below(m, 256);
    }
    if (model_below(m, 2) == 0) {
        memset(bytes + 1, 0, 3); /* a short frame of nonsense instead of a huge length */
        bytes[0] = 40;
    }
    sim_net_send(m->net, p->index, bytes, 1 + model_below(m, sizeof bytes));
}

/* Well-formed, and as extreme as the schema lets it be. */
static uint32_t
extreme(struct model *m)
{
    static const uint32_t edges[] = {0,          1,         2,
                                     29999,      30000,     65535,
                                     65536,      INT32_MAX, INT32_MAX - 1u,
                                     UINT32_MAX, 1U << 31,  UINT32_MAX - 29999};
    uint32_t n = model_below(m, sizeof edges / sizeof edges[0] + 1);
    return n < sizeof edges / sizeof edges[0] ? edges[n] : (uint32_t)rand_next(&m->rand);
}

static size_t
extreme_move(struct model *m, uint8_t *out, size_t max)
{
    static const int64_t since_ms[] = {0, 1, WORLD_MS_MAX, WORLD_MS_MAX - 1};
    struct message_move move = {
        .move_no = extreme(m),
        .look = (uint8_t)model_below(m, LOOK_KIND_MASK + 1),
        .motion = {.x_mm = (int32_t)extreme(m),
                   .y_mm = (int32_t)extreme(m),
                   .vx = (int16_t)extreme(m),
                   .vy = (int16_t)extreme(m),
                   .since_ms =
                       model_below(m, 2) == 0 ? model_world_ms(m) : since_ms[model_below(m, 4)],
                   .lasts_ms = model_below(m, 2) == 0 ? MOTION_LASTS_MS_MAX : 0}};
    return message_write_move(&move, out, max);
}

static size_t
extreme_request(struct model *m, uint8_t *out, size_t max)
{
    static const char text[] = "\x7f\xf4\x8f\xbf\xbf \xe2\x80\xae";
    Seom__Request request = SEOM__REQUEST__INIT;
    Seom__Say say = SEOM__SAY__INIT;
    Seom__LookAt look = SEOM__LOOK_AT__INIT;
    Seom__Camera camera = SEOM__CAMERA__INIT;
    say.text = message_text(text);
    look.entity = (uint64_t)extreme(m) << 32 | extreme(m);
    camera.island = model_below(m, 2) == 0 ? 1 + model_below(m, 3) : extreme(m);
    camera.x_mm = (int32_t)extreme(m);
    camera.y_mm = (int32_t)extreme(m);
    camera.w_mm = model_below(m, 2) == 0 ? 1000000 : extreme(m);
    camera.h_mm = model_below(m, 2) == 0 ? 1000000 : extreme(m);
    request.number = extreme(m);
    switch (model_below(m, 3)) {
    case 0:
        request.what_case = SEOM__REQUEST__WHAT_SAY;
        request.say = &say;
        break;
    case 1:
        request.what_case = SEOM__REQUEST__WHAT_LOOK;
        request.look = &look;
        break;
    default:
        request.what_case = SEOM__REQUEST__WHAT_CAMERA;
        request.camera = &camera;
        break;
    }
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = SEOM__CLIENT_MESSAGE__WHAT_REQUEST;
    message.request = &request;
    return message_write_client(&message, out, max);
}

static size_t
extreme_command(struct model *m, uint8_t *out, size_t max)
{
    uint8_t body[COMMAND_BYTES_MAX];
    memset(body, (int)model_below(m, 256), sizeof body);
    Seom__Command command = SEOM__COMMAND__INIT;
    command.seq = (uint64_t)extreme(m) << 32 | extreme(m);
    command.body = (ProtobufCBinaryData){
        .data = body, .len = model_below(m, 2) == 0 ? sizeof body : model_below(m, 9)};
    Seom__ClientMessage message = SEOM__CLIENT_MESSAGE__INIT;
    message.what_case = SEOM__CLIENT_MESSAGE__WHAT_COMMAND;
    message.command = &command;
    return message_write_client(&message, out, max);
}

static void
send_extreme(struct person *p)
{
    struct model *m = p->model;
    uint8_t frame[FRAME_HEAD_MAX + COMMAND_BYTES_MAX + 64];
    uint8_t *body = frame + FRAME_HEAD_MAX, head[FRAME_HEAD_MAX];
    size_t max = sizeof frame - FRAME_HEAD_MAX, bytes = 0;
    switch (seom_client_entity(p->client) == 0 ? 1 : model_below(m, 4)) {
    case 0: bytes = extreme_command(m, body, max); break;
    case 1: bytes = extreme_request(m, body, max); break;
    default: bytes = extreme_move(m, body, max); break;
    }
    CHECK(bytes > 0);
    size_t head_bytes = frame_head(FRAME_TCP, bytes, head);
    memcpy(body - head_bytes, head, head_bytes);
    sim_net_send(m->net, p->index, body - head_bytes, head_bytes + bytes);
}

static void
break_now(void *arg, uint64_t n)
{
    struct person *p = arg;
    (void)n;
    if (!p->model->over) {
        sim_net_break(p->model->net, p->index, false);
    }
}

/* The twin takes the ticket of its other half and tries to play at the same time. */
static void
use_ticket(struct person *p)
{
    struct model *m = p->model;
    struct person *other = &m->persons[p->twin];
    struct slice ticket = seom_client_ticket(other->client);
    if (ticket.bytes == 0 || seom_client_player(p->client) == seom_client_player(other->client)) {
        return;
    }
    struct seom_options options = {.replica = true,
                                   .ticket = ticket.at,
                                   .ticket_bytes = (uint32_t)ticket.bytes,
                                   .seed = rand_next(&m->rand)};
    struct seom_events events = {.ctx = p, .welcome = welcome, .gone = gone, .ended = ended};
    sim_net_break(m->net, p->index, true);
    seom_client_close(&p->client);
    CHECK(seom_client_open(&options, &events, &p->client) == OK);
    disturbed(p);
    plan_connect(p, model_now_us(m) + 1000);
    if (model_below(m, 2) == 0) {
        /* The older one breaks just when the newer comes: its farewell may arrive late. */
        struct sim_schedule s = events_port(&m->events);
        s.at(s.ctx, model_now_us(m) + 1000 + model_below(m, 60000), break_now, other, 0);
    }
}

static void
suffer(struct person *p, int64_t now_us)
{
    struct model *m = p->model;
    if (model_below(m, 1000000) < m->knobs.break_ppm) {
        sim_net_break(m->net, p->index, false);
    } else if (p->kind == PERSON_SLOW && model_below(m, 1000000) < m->knobs.stall_ppm &&
               now_us > p->stalled_until_us) {
        p->stalled_until_us = now_us + 300000 + model_below(m, 9000000);
        sim_net_stall(m->net, p->index, p->stalled_until_us);
        model_exercised(m, PROOF_PATIENCE);
    } else if (model_below(m, 1000000) < m->knobs.leave_ppm) {
        leave(p);
    } else if (p->kind == PERSON_GARBAGE && model_below(m, 60) == 0) {
        send_garbage(p);
    } else if (p->kind == PERSON_GARBAGE && model_below(m, 4) == 0 &&
               seom_client_state(p->client) == SEOM_PLAYING) {
        send_extreme(p);
    } else if (p->kind == PERSON_TWIN && model_below(m, 40) == 0) {
        use_ticket(p);
    }
}

static void
turn(void *arg, uint64_t n)
{
    struct person *p = arg;
    struct model *m = p->model;
    int64_t now_us = model_now_us(m);
    if (m->over) {
        return;
    }
    if (p->stalled_until_us != 0) {
        disturbed(p);
        if (now_us > p->stalled_until_us) {
            p->stalled_until_us = 0;
        }
    }
    if (model_faults(m)) {
        suffer(p, now_us);
    }
    seom_client_turn(p->client, now_us);
    act(p, now_us);
    person_flush(p);
    struct sim_schedule s = events_port(&m->events);
    s.at(s.ctx, now_us + TURN_US - 5000 + model_below(m, 10000), turn, p, n);
}
