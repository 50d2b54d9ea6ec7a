/* Sessions: what a client says, and what its home answers. */
#include "base/check.h"
#include "view/state.h"
#include "wire/code.h"
#include <string.h>

#define SPEEDS 4

void
session_welcome(struct gate *g, uint32_t conn, const struct link_home *home)
{
    Seom__Limits limits = SEOM__LIMITS__INIT;
    limits.frame_bytes_max = FRAME_AFTER_HELLO_MAX;
    limits.messages_per_s = MESSAGES_PER_S;
    limits.messages_burst = MESSAGES_BURST;
    limits.bytes_per_s = BYTES_PER_S;
    limits.silence_ms_max = SILENCE_MAX_MS;
    limits.say_bytes_max = SAY_BYTES_MAX;
    Seom__Motion motion;
    message_motion_set(&motion, &home->motion);
    Seom__Speed speeds[SPEEDS], *speed_list[SPEEDS];
    for (uint32_t i = 0; i < g->options.speeds_count; i++) {
        seom__speed__init(&speeds[i]);
        speeds[i].look = g->options.speeds[i].look;
        speeds[i].mm_per_s = g->options.speeds[i].mm_per_s;
        speed_list[i] = &speeds[i];
    }
    Seom__Welcome welcome = SEOM__WELCOME__INIT;
    welcome.protocol = PROTOCOL_MAX;
    welcome.limits = &limits;
    welcome.world_ms = env_world_ms(g->env);
    welcome.entity = home->entity;
    welcome.player = home->player;
    welcome.session_epoch = home->session_epoch;
    welcome.last_seq = home->last_seq;
    welcome.island = home->island;
    welcome.motion = home->entity != 0 ? &motion : NULL;
    char *gates[GATES_MAX];
    welcome.gates = gates;
    welcome.n_gates = gate_list(g, gates);
    welcome.speeds = speed_list;
    welcome.n_speeds = g->options.speeds_count;
    if (home->player != 0) {
        welcome.ticket.data = (uint8_t *)(uintptr_t)home->ticket;
        welcome.ticket.len = TICKET_BYTES;
    }
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_WELCOME;
    m.welcome = &welcome;
    conn_send_message(g, conn, &m);
}

static void
hello(struct gate *g, uint32_t conn, const Seom__Hello *h)
{
    struct conn *c = &g->conns[conn];
    if (h->protocol->min > PROTOCOL_MAX || h->protocol->max < PROTOCOL_MIN) {
        conn_close(g, conn, SEOM__CODE__PROTOCOL, 0);
        return;
    }
    c->framing.frame_max = FRAME_AFTER_HELLO_MAX;
    if (h->spectator) {
        conn_move_state(g, conn, CONN_SPECTATOR);
        lines_begin(g, conn);
        if (g->stats.spectators == 1) {
            interest_density(g, true);
        }
        session_welcome(g, conn, &(struct link_home){.code = SEOM__CODE__FINE});
        return;
    }
    enter_hello(g, conn, h);
}

static struct link_message
input_of(const struct gate *g, const struct conn *c, enum input_kind kind)
{
    return (struct link_message){.kind = LINK_INPUT,
                                 .as.input = {.player = c->player,
                                              .session_epoch = c->session_epoch,
                                              .sent_us = env_mono_us(g->env),
                                              .kind = kind}};
}

static void
send_input(struct gate *g, const struct conn *c, const struct link_message *m)
{
    if (gate_tell(g, c->home, m) != OK) {
        g->stats.inputs_dropped++; /* requests may be lost */
    }
}

static enum err
send_move(struct gate *g, const struct conn *c)
{
    struct link_message m = input_of(g, c, INPUT_MOVE);
    m.as.input.number = c->move.move_no;
    m.as.input.look = c->move.look;
    m.as.input.motion = c->move.motion;
    return gate_tell(g, c->home, &m);
}

/* The newest move says where the client believes to stand, so one that its home was not told, as a
 * link is full or the home is gone, is owed until a newer one comes. */
static void
move(struct gate *g, uint32_t conn, const struct message_move *move)
{
    struct conn *c = &g->conns[conn];
    bool plays = g->hot[conn].state == CONN_PLAYING;
    g->stats.moves_in++;
    c->move = *move;
    if (plays && !c->move_owed && send_move(g, c) == OK) {
        return;
    }
    g->stats.inputs_dropped += c->move_owed;
    g->inputs_owed += plays && !c->move_owed;
    c->move_owed = g->hot[conn].owed = true;
}

static enum err
send_command(struct gate *g, const struct conn *c)
{
    const struct kept_command *kept = pool_at(&g->commands, c->command);
    struct link_message m = input_of(g, c, INPUT_COMMAND);
    m.as.input.seq = kept->seq;
    m.as.input.bytes = (struct slice){.at = kept->body, .bytes = kept->bytes};
    return gate_tell(g, c->home, &m);
}

/* What a home refuses once it would refuse again: its others wait for the next turn, which goes on
 * behind the last one that was told, so that nobody waits for ever. */
static void
send_owed_inputs(struct gate *g)
{
    bool full[HOMES_MAX] = {false};
    uint32_t from = g->owed_from < g->conns_high ? g->owed_from : 0;
    for (uint32_t n = 0; n < g->conns_high && g->inputs_owed > 0; n++) {
        uint32_t i = from + n < g->conns_high ? from + n : from + n - g->conns_high;
        struct conn *c = &g->conns[i];
        if (!g->hot[i].owed || g->hot[i].state != CONN_PLAYING) {
            continue;
        }
        CHECK(c->home < HOMES_MAX);
        if (full[c->home]) {
            continue;
        }
        if (c->move_owed && send_move(g, c) == OK) {
            c->move_owed = false;
            g->inputs_owed--;
        }
        if (c->command_owed && !c->move_owed && send_command(g, c) == OK) {
            c->command_owed = false;
            g->inputs_owed--;
        }
        full[c->home] = g->hot[i].owed = c->move_owed || c->command_owed;
        g->owed_from = full[c->home] ? g->owed_from : i + 1;
    }
}

/* Those who look for a home are not among those who are owed. */
static uint32_t
owed_to(const struct gate *g, uint32_t conn)
{
    const struct conn *c = &g->conns[conn];
    return g->hot[conn].state == CONN_PLAYING ? (uint32_t)c->move_owed + c->command_owed : 0;
}

static void
drop_command(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    if (c->command != POOL_NONE) {
        g->inputs_owed -= g->hot[conn].state == CONN_PLAYING && c->command_owed;
        pool_give(&g->commands, c->command);
        c->command = POOL_NONE;
        c->command_owed = false;
    }
}

void
session_forget(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    drop_command(g, conn);
    g->inputs_owed -= owed_to(g, conn);
    c->move_owed = false;
    c->move = (struct message_move){0};
    c->move_heard = 0;
}

void
session_homeless(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    g->inputs_owed -= owed_to(g, conn);
    c->move_owed = (int32_t)(c->move.move_no - c->move_heard) > 0;
    c->command_owed = c->command != POOL_NONE;
    g->hot[conn].owed = c->move_owed || c->command_owed;
}

static void
send_answer(struct gate *g, uint32_t conn, Seom__Answer *answer)
{
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_ANSWER;
    m.answer = answer;
    conn_send_message(g, conn, &m);
}

static void
answer_code(struct gate *g, uint32_t conn, uint32_t number, uint32_t code)
{
    Seom__Answer a = SEOM__ANSWER__INIT;
    a.number = number;
    a.code = (Seom__Code)code;
    send_answer(g, conn, &a);
}

/* An island of this world, or the whole sea. */
static bool
is_there(const struct gate *g, uint32_t island)
{
    return island == 0 || archipelago_find(g->options.islands, island) != NULL;
}

/* Of a message that was read, so channels and kinds to show fit into a byte. */
static void
request(struct gate *g, uint32_t conn, const Seom__Request *r)
{
    struct conn *c = &g->conns[conn];
    bool plays = g->hot[conn].state == CONN_PLAYING;
    if (g->hot[conn].state == CONN_RESUMING) {
        answer_code(g, conn, r->number, SEOM__CODE__RETRY_AFTER);
        return;
    }
    struct link_message m = input_of(g, c, INPUT_SAY);
    m.as.input.number = r->number;
    if (r->what_case == SEOM__REQUEST__WHAT_SAY && plays) {
        m.as.input.look = (uint8_t)r->say->channel;
        m.as.input.bytes =
            (struct slice){.at = (const uint8_t *)r->say->text, .bytes = strlen(r->say->text)};
        send_input(g, c, &m);
    } else if (r->what_case == SEOM__REQUEST__WHAT_LOOK && plays) {
        m.as.input.kind = INPUT_LOOK;
        m.as.input.entity = r->look->entity;
        send_input(g, c, &m);
    } else if (r->what_case == SEOM__REQUEST__WHAT_SHOW && plays) {
        m.as.input.kind = INPUT_SHOW;
        m.as.input.look = (uint8_t)r->show->what;
        m.as.input.entity = r->show->id;
        if (gate_tell(g, c->home, &m) != OK) {
            answer_code(g, conn, r->number, SEOM__CODE__RETRY_AFTER);
        }
    } else if (r->what_case == SEOM__REQUEST__WHAT_CAMERA && !plays &&
               is_there(g, r->camera->island)) {
        interest_camera(g, conn, r->camera);
    } else if (r->what_case == SEOM__REQUEST__WHAT_CAMERA && !plays) {
        answer_code(g, conn, r->number, SEOM__CODE__NOT_FOUND);
    } else {
        answer_code(g, conn, r->number, SEOM__CODE__REFUSED);
    }
}

static void
send_result(struct gate *g, uint32_t conn, Seom__CommandResult *result)
{
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_RESULT;
    m.result = result;
    conn_send_message(g, conn, &m);
}

static bool
keep_command(struct gate *g, uint32_t conn, const Seom__Command *command)
{
    struct conn *c = &g->conns[conn];
    drop_command(g, conn);
    if (pool_take(&g->commands, &c->command) != OK) {
        c->command = POOL_NONE;
        g->stats.limits_reached++;
        return false;
    }
    struct kept_command *kept = pool_at(&g->commands, c->command);
    CHECK(command->body.len <= sizeof kept->body);
    kept->seq = command->seq;
    kept->bytes = (uint32_t)command->body.len;
    if (kept->bytes > 0) {
        memcpy(kept->body, command->body.data, kept->bytes);
    }
    return true;
}

/* Without a home it waits for the next one. */
static void
command(struct gate *g, uint32_t conn, const Seom__Command *command)
{
    struct conn *c = &g->conns[conn];
    bool kept = keep_command(g, conn, command);
    if (kept && g->hot[conn].state == CONN_RESUMING) {
        c->command_owed = g->hot[conn].owed = true;
        return;
    }
    if (kept && send_command(g, c) == OK) {
        return;
    }
    drop_command(g, conn);
    Seom__CommandResult result = SEOM__COMMAND_RESULT__INIT;
    result.seq = command->seq;
    result.code = SEOM__CODE__RETRY_AFTER;
    send_result(g, conn, &result);
}

static void
ping(struct gate *g, uint32_t conn, const Seom__Ping *ping)
{
    Seom__Pong pong = SEOM__PONG__INIT;
    pong.client_ms = ping->client_ms;
    pong.world_ms = env_world_ms(g->env);
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_PONG;
    m.pong = &pong;
    conn_send_message(g, conn, &m);
}

static void
send_lobby(struct gate *g, uint32_t conn, uint32_t code, uint32_t retry_after_ms)
{
    Seom__Lobby lobby = SEOM__LOBBY__INIT;
    lobby.code = (Seom__Code)code;
    lobby.retry_after_ms = retry_after_ms;
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_LOBBY;
    m.lobby = &lobby;
    conn_send_message(g, conn, &m);
}

/* The session is over through no fault of the client: it keeps its line. */
void
session_lobby(struct gate *g, uint32_t conn, uint32_t code, uint32_t retry_after_ms)
{
    conn_forget_session(g, conn);
    conn_move_state(g, conn, CONN_LOBBY);
    g->conns[conn].lobby_until_us = env_mono_us(g->env) + retry_after_ms * INT64_C(1000);
    send_lobby(g, conn, code, retry_after_ms);
}

/* What the client says in the lobby before it has heard that it is there belongs to the session
 * that is over. */
static void
message_in_lobby(struct gate *g, uint32_t conn, const Seom__ClientMessage *m)
{
    int64_t left_us = g->conns[conn].lobby_until_us - env_mono_us(g->env);
    if (m->what_case != SEOM__CLIENT_MESSAGE__WHAT_HELLO) {
        return;
    }
    if (left_us > 0) {
        send_lobby(g, conn, SEOM__CODE__RETRY_AFTER, (uint32_t)(left_us / 1000 + 1));
    } else {
        hello(g, conn, m->hello);
    }
}

static void
message(struct gate *g, uint32_t conn, const Seom__ClientMessage *m)
{
    enum conn_state state = g->hot[conn].state;
    bool playing = conn_plays(state), spectator = state == CONN_SPECTATOR;
    if (m->what_case == SEOM__CLIENT_MESSAGE__WHAT_HELLO && state == CONN_HELLO) {
        hello(g, conn, m->hello);
    } else if (m->what_case == SEOM__CLIENT_MESSAGE__WHAT_MOVE && playing) {
        struct message_move out = message_move_of(m->move);
        move(g, conn, &out);
    } else if (m->what_case == SEOM__CLIENT_MESSAGE__WHAT_REQUEST && (playing || spectator)) {
        request(g, conn, m->request);
    } else if (m->what_case == SEOM__CLIENT_MESSAGE__WHAT_COMMAND && playing) {
        command(g, conn, m->command);
    } else if (m->what_case == SEOM__CLIENT_MESSAGE__WHAT_PING && state != CONN_HELLO) {
        ping(g, conn, m->ping);
    } else if (m->what_case == SEOM__CLIENT_MESSAGE__WHAT_GOODBYE) {
        conn_close(g, conn, SEOM__CODE__LEFT, 0);
    } else if (state == CONN_LOBBY) {
        message_in_lobby(g, conn, m);
    } else {
        conn_close(g, conn, SEOM__CODE__UNKNOWN_MESSAGE, 0);
    }
}

void
session_frame(struct gate *g, uint32_t conn, struct slice frame)
{
    struct message_move fast;
    if (conn_plays(g->hot[conn].state) && message_read_move(frame, &fast) == OK) {
        move(g, conn, &fast);
        return;
    }
    struct message_arena arena;
    const Seom__ClientMessage *m;
    enum err e = message_read_client(frame, &arena, &m);
    if (e == OK) {
        message(g, conn, m);
    } else {
        conn_close(g, conn,
                   e == ERR_NOT_FOUND ? SEOM__CODE__UNKNOWN_MESSAGE : SEOM__CODE__MALFORMED, 0);
    }
}

static enum err
send_farewell(struct gate *g, const struct farewell *f)
{
    struct conn gone = {.player = f->player, .session_epoch = f->session_epoch};
    struct link_message m = input_of(g, &gone, f->how);
    return gate_tell(g, f->home, &m);
}

/* The home must learn of every end, or the avatar would stand there for ever: what a full link
 * refuses is told again. One farewell per connection that ever was open at once is remembered. Of
 * a home that is gone nobody remains to be told: it lets all people of a gate linger, or is
 * dead. */
void
session_farewell(struct gate *g, const struct farewell *f)
{
    if (f->home == HOME_NONE || g->homes[f->home].state != HOME_UP) {
        return;
    }
    if (g->farewells_owed == 0 && send_farewell(g, f) == OK) {
        return;
    }
    if (g->farewells_owed == g->options.conns_max || g->options.mutant == GATE_MUTANT_GONE_LOST) {
        g->stats.inputs_dropped++;
        return;
    }
    g->farewells[g->farewells_owed++] = *f;
}

static void
send_owed_farewells(struct gate *g)
{
    bool full[HOMES_MAX] = {false};
    uint32_t left = 0;
    for (uint32_t i = 0; i < g->farewells_owed; i++) {
        struct farewell f = g->farewells[i];
        if (full[f.home] || send_farewell(g, &f) != OK) {
            full[f.home] = true;
            g->farewells[left++] = f;
        }
    }
    g->farewells_owed = left;
}

void
session_home_down(struct gate *g, uint8_t home)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < g->farewells_owed; i++) {
        if (g->farewells[i].home != home) {
            g->farewells[left++] = g->farewells[i];
        }
    }
    g->farewells_owed = left;
}

static void
self_motion(struct gate *g, uint32_t conn, const struct link_self *self)
{
    struct conn *c = &g->conns[conn];
    c->motion = self->motion;
    c->look = self->look;
    bool newer = (int32_t)(self->number - c->move_heard) > 0;
    c->move_heard = newer ? self->number : c->move_heard;
    if (self->flags != 0) {
        c->self = (struct record_self){
            .flags = (uint8_t)(self->flags | (c->self_pending ? c->self.flags : 0)),
            .move_no = self->number,
            .body = {.entity = c->entity, .look = self->look, .motion = self->motion}};
        c->self_pending = g->hot[conn].urgent = true;
    }
    bool elsewhere = self->island != c->island;
    if (elsewhere) {
        interest_clear(g, conn);
        c->forget_count = 0;
        c->island = self->island;
        c->island_pending = g->hot[conn].urgent = true;
    }
    if (elsewhere || chunk_of(self->motion.x_mm) != c->cx || chunk_of(self->motion.y_mm) != c->cy) {
        interest_moved(g, conn);
    }
}

static void
self_answer(struct gate *g, uint32_t conn, const struct link_self *self)
{
    char name[NAME_BYTES_MAX + 1];
    size_t bytes = self->bytes.bytes < NAME_BYTES_MAX ? self->bytes.bytes : NAME_BYTES_MAX;
    memcpy(name, self->bytes.at, bytes);
    name[bytes] = 0;
    Seom__Look look = SEOM__LOOK__INIT;
    look.entity = self->entity;
    look.look = self->look;
    look.name = name;
    Seom__Answer a = SEOM__ANSWER__INIT;
    a.number = self->number;
    a.code = (Seom__Code)self->code;
    if (self->code == SEOM__CODE__FINE) {
        a.what_case = SEOM__ANSWER__WHAT_LOOK;
        a.look = &look;
    }
    send_answer(g, conn, &a);
}

static void
self_shown(struct gate *g, uint32_t conn, const struct link_self *self)
{
    Seom__Answer a = SEOM__ANSWER__INIT;
    a.number = self->number;
    a.code = (Seom__Code)self->code;
    if (self->code == SEOM__CODE__FINE) {
        a.what_case = SEOM__ANSWER__WHAT_SHOWN;
        a.shown.data = (uint8_t *)(uintptr_t)self->bytes.at;
        a.shown.len = self->bytes.bytes;
    }
    send_answer(g, conn, &a);
}

static void
self_changed(struct gate *g, uint32_t conn, const struct link_self *self)
{
    Seom__Changed changed = SEOM__CHANGED__INIT;
    changed.what = (Seom__ShowKind)self->look;
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_CHANGED;
    m.changed = &changed;
    conn_send_message(g, conn, &m);
}

static void
self_result(struct gate *g, uint32_t conn, const struct link_self *self)
{
    Seom__CommandResult result = SEOM__COMMAND_RESULT__INIT;
    result.seq = self->seq;
    result.code = (Seom__Code)self->code;
    result.body.data = (uint8_t *)(uintptr_t)self->bytes.at;
    result.body.len = self->bytes.bytes < RESULT_BYTES_MAX ? self->bytes.bytes : RESULT_BYTES_MAX;
    uint32_t kept = g->conns[conn].command;
    if (kept != POOL_NONE &&
        ((const struct kept_command *)pool_at(&g->commands, kept))->seq == self->seq) {
        drop_command(g, conn);
    }
    send_result(g, conn, &result);
}

/* A home speaks of the sessions that are its, and of none that came after. */
static bool
is_of_session(const struct gate *g, const struct conn *c, uint8_t home,
              const struct link_self *self)
{
    return (c->home == home && c->session_epoch == self->session_epoch) ||
           g->options.mutant == GATE_MUTANT_EPOCH_IGNORED;
}

void
session_self(struct gate *g, uint8_t home, const struct link_self *self)
{
    uint32_t conn = map_get(&g->conn_by_player, self->player);
    if (conn == MAP_NONE || !is_of_session(g, &g->conns[conn], home, self)) {
        g->stats.stale++;
        return;
    }
    switch (self->kind) {
    case SELF_MOTION: self_motion(g, conn, self); break;
    case SELF_ANSWER: self_answer(g, conn, self); break;
    case SELF_RESULT: self_result(g, conn, self); break;
    case SELF_SHOWN: self_shown(g, conn, self); break;
    case SELF_CHANGED: self_changed(g, conn, self); break;
    case SELF_LOBBY:
        session_lobby(g, conn, code_is_known(self->code) ? self->code : SEOM__CODE__RETRY_AFTER,
                      self->number);
        break;
    case SELF_END:
        if (self->code == SEOM__CODE__REPLACED && enter_doubts_end(g, conn)) {
            break;
        }
        g->conns[conn].session_epoch = 0; /* the home ended it and need not be told */
        conn_close(g, conn, code_is_known(self->code) ? self->code : SEOM__CODE__RETRY_AFTER,
                   self->number);
        break;
    }
}

/* The client is told only what it does not know: of a move that is still owed the new home will say
 * what it thinks, and where nothing differs there was only a pause. */
void
session_resumed(struct gate *g, uint32_t conn, const struct link_home *home, bool as_told)
{
    struct conn *c = &g->conns[conn];
    bool elsewhere = home->island != c->island;
    c->move_owed = c->move_owed && !elsewhere;
    uint8_t flags = elsewhere ? SELF_MOVED : as_told || c->move_owed ? 0 : SELF_CORRECTED;
    g->inputs_owed += owed_to(g, conn);
    self_motion(g, conn,
                &(struct link_self){.kind = SELF_MOTION,
                                    .flags = flags,
                                    .look = home->look,
                                    .number = c->move_owed ? c->move_heard : c->move.move_no,
                                    .island = home->island,
                                    .motion = home->motion});
}

void
session_owed(struct gate *g)
{
    if (g->farewells_owed > 0) {
        send_owed_farewells(g);
    }
    send_owed_inputs(g);
}

void
session_ended(struct gate *g, uint32_t conn, enum input_kind how)
{
    const struct conn *c = &g->conns[conn];
    if (conn_plays(g->hot[conn].state) && c->session_epoch != 0) {
        session_farewell(g, &(struct farewell){.player = c->player,
                                               .session_epoch = c->session_epoch,
                                               .how = how,
                                               .home = c->home});
    }
}
