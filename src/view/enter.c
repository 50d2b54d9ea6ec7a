/* How a session gets a home, and another one when that is gone or gives it away.
 *
 *   Hello -> ENTER to a home -> GO: ENTER{decided} to that node -> HOME: playing
 *
 * GO also says whose place would be taken; that it is asked for again, with that name, is how homes
 * know that this connection was there after the other.
 *
 * A session whose home died is resumed: the ENTER tells what the gate knows, its ticket, its
 * session_epoch, where it was last seen; the HOME that answers it has a higher session_epoch, which
 * is how everybody knows whose word counts. A link that broke is not a death: that home is asked
 * again when it is back, another one only when it was given up. After GO for a player, from a home
 * that drains, the node it names is asked.
 *
 * No home is flooded: a session looks for its way in the slot of the tick that is also its client's
 * and at most GATE_RESUMES_S do in a second. Who does not find one in RESUME_MAX_US goes to the
 * lobby; who comes anew is told to come back.
 */
#include "base/check.h"
#include "view/state.h"
#include "wire/code.h"
#include <string.h>

#define ASK_US        2000000 /* for an answer, of a resume */
#define PAUSE_US      200000  /* before another is asked */
#define PAUSE_US_MAX  5000000 /* whatever a home asks for */
#define RESUME_MAX_US 30000000
/* Who was asked in vain may claim the session for so long. */
#define STRAY_US        (ENTER_VALID_MS * INT64_C(1000) + 5000000)
#define TRIES_MAX       8 /* to enter */
#define TRIES_UNDECIDED 3 /* to resume by asking who decides; then whoever is asked is to */
#define COME_BACK_MS    2000
#define LOBBY_MS        5000
#define NEAR_MM         50 /* two tellings of one motion differ by less */

static const struct bucket_rate resume_rate = {.per_s = GATE_RESUMES_S,
                                               .burst = GATE_RESUMES_S / 10};

static struct link_message
enter_of(const struct gate *g, uint32_t conn)
{
    const struct conn *c = &g->conns[conn];
    struct link_message m = {.kind = LINK_ENTER,
                             .as.enter = {.conn = conn_handle(g, conn),
                                          .sent_ms = env_world_ms(g->env),
                                          .flags = c->way.decided ? ENTER_DECIDED : 0,
                                          .island = c->island,
                                          .over = c->way.over,
                                          .ticket_bytes = c->ticket_bytes}};
    memcpy(m.as.enter.ticket, c->ticket, c->ticket_bytes);
    if (g->hot[conn].state == CONN_RESUMING) {
        m.as.enter.flags |= ENTER_RESUME;
        m.as.enter.session_epoch = c->session_epoch;
        m.as.enter.look = c->look;
        m.as.enter.motion = c->motion;
    }
    return m;
}

/* The node that was chosen, the home it had, or any. */
static uint8_t
whom_to_ask(struct gate *g, struct conn *c)
{
    if (c->way.node != 0) {
        uint8_t there = gate_home_of(g, c->way.node);
        c->way.decided |= there != HOME_NONE;
        c->way.node = 0; /* one try: then whoever is asked decides anew */
        if (there != HOME_NONE) {
            return there;
        }
    }
    return c->home != HOME_NONE ? c->home : gate_home_choose(g, c->way.refused);
}

/* The next try, after a while. */
static void
try_later(struct gate *g, uint32_t conn, int64_t pause_us)
{
    struct conn *c = &g->conns[conn];
    c->way.asked = HOME_NONE;
    c->way.due_us = env_mono_us(g->env) + pause_us;
    c->way.tries = c->way.tries < UINT8_MAX ? c->way.tries + 1 : UINT8_MAX;
    bool resumes = g->hot[conn].state == CONN_RESUMING;
    c->way.decided = resumes && c->way.tries >= TRIES_UNDECIDED;
}

/* Whoever was asked said nothing. It may have claimed the session all the same, or still do so. */
static void
ask_in_vain(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    c->way.refused = c->way.asked;
    c->way.strays_us = env_mono_us(g->env) + STRAY_US;
    try_later(g, conn, 0);
}

static void
ask(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    uint8_t home = whom_to_ask(g, c);
    struct link_message m = enter_of(g, conn);
    if (gate_tell(g, home, &m) != OK) {
        try_later(g, conn, PAUSE_US);
        return;
    }
    g->homes[home].sent++;
    c->way.asked = home;
    c->way.due_us = env_mono_us(g->env) + ASK_US;
}

/* No home has room for it now. Who comes out of the lobby keeps its line. */
void
enter_turn_away(struct gate *g, uint32_t conn, uint32_t code, uint32_t retry_after_ms)
{
    if (g->conns[conn].was_lobby) {
        session_lobby(g, conn, code, retry_after_ms);
    } else {
        conn_close(g, conn, code, retry_after_ms);
    }
}

void
enter_hello(struct gate *g, uint32_t conn, const Seom__Hello *h)
{
    struct conn *c = &g->conns[conn];
    CHECK(h->ticket.len <= sizeof c->ticket);
    c->ticket_bytes = (uint8_t)h->ticket.len;
    if (h->ticket.len > 0) { /* without one data is NULL */
        memcpy(c->ticket, h->ticket.data, h->ticket.len);
    }
    c->island = h->island;
    c->home = HOME_NONE;
    c->way.refused = HOME_NONE;
    c->way.tries = 0;
    c->way.decided = false;
    c->way.node = c->way.over = 0;
    c->way.strays_us = 0;
    c->way.since_us = env_mono_us(g->env);
    c->was_lobby = g->hot[conn].state == CONN_LOBBY;
    conn_move_state(g, conn, CONN_ENTERING);
    ask(g, conn);
    if (c->way.asked == HOME_NONE) {
        enter_turn_away(g, conn, SEOM__CODE__RETRY_AFTER, COME_BACK_MS);
    }
}

/* Its session goes on, but with whom is not known. Who searches already begins anew, and is without
 * a home for as long as it was. */
static void
look_for_home(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    int64_t now_us = env_mono_us(g->env);
    if (g->hot[conn].state != CONN_RESUMING) {
        session_homeless(g, conn);
        conn_move_state(g, conn, CONN_RESUMING);
        c->way.since_us = now_us;
    } else if (c->way.asked != HOME_NONE) {
        c->way.strays_us = now_us + STRAY_US; /* its answer may still come */
    }
    c->way.asked = c->way.refused = HOME_NONE;
    c->way.tries = 0;
    c->way.decided = false;
    c->way.node = 0;
    c->way.due_us = now_us;
}

/* Its home says that somebody else has the session. If that may be one that was asked in vain, the
 * next one that is asked will know. The home may be one that just came back and was not heard. */
bool
enter_doubts_end(struct gate *g, uint32_t conn)
{
    struct conn *c = &g->conns[conn];
    if (env_mono_us(g->env) >= c->way.strays_us) {
        return false;
    }
    look_for_home(g, conn);
    c->home = HOME_NONE;
    return true;
}

static bool
may_ask(struct gate *g)
{
    return bucket_take(&g->resumes, resume_rate, env_mono_us(g->env), 1);
}

static uint32_t
conn_of_handle(const struct gate *g, uint64_t handle)
{
    uint32_t conn = (uint32_t)handle;
    bool fits = conn < g->options.conns_max && g->conns[conn].generation == handle >> 32 &&
                (g->hot[conn].state == CONN_ENTERING || conn_plays(g->hot[conn].state));
    return fits ? conn : POOL_NONE;
}

/* A home that drains gives a session away. */
static void
go_player(struct gate *g, uint8_t home, const struct link_go *go)
{
    uint32_t conn = map_get(&g->conn_by_player, go->player);
    bool known = conn != MAP_NONE && g->conns[conn].home == home &&
                 (g->conns[conn].session_epoch == go->session_epoch ||
                  g->options.mutant == GATE_MUTANT_EPOCH_IGNORED);
    if (!known || g->hot[conn].state != CONN_PLAYING) {
        g->stats.stale++;
        return;
    }
    struct conn *c = &g->conns[conn];
    look_for_home(g, conn);
    c->home = HOME_NONE;
    c->way.refused = home;
    c->way.node = go->node;
    if (may_ask(g)) {
        ask(g, conn); /* nobody else lost a home at this moment: it need not wait for its slot */
    }
}

void
enter_go(struct gate *g, uint8_t home, const struct link_go *go)
{
    if (go->conn == 0) {
        go_player(g, home, go);
        return;
    }
    uint32_t conn = conn_of_handle(g, go->conn);
    if (conn == POOL_NONE || g->hot[conn].state == CONN_PLAYING ||
        g->conns[conn].way.asked != home) {
        g->stats.stale++;
        return;
    }
    struct conn *c = &g->conns[conn];
    bool there = gate_home_of(g, go->node) != HOME_NONE;
    try_later(g, conn, there ? 0 : PAUSE_US); /* its link may be about to come up */
    c->way.node = go->node;
    c->way.over = go->over;
    c->way.refused = home;
    c->home = HOME_NONE;
    if (there && c->way.tries < TRIES_MAX) {
        ask(g, conn);
    }
}

static bool
is_same_motion(const struct motion *a, const struct motion *b, int64_t at_ms)
{
    struct place one = motion_at(a, at_ms), other = motion_at(b, at_ms);
    int64_t x_mm = (int64_t)one.x_mm - other.x_mm, y_mm = (int64_t)one.y_mm - other.y_mm;
    return x_mm <= NEAR_MM && x_mm >= -NEAR_MM && y_mm <= NEAR_MM && y_mm >= -NEAR_MM;
}

/* Does the new home have the avatar where the client believes it, now and when it has come to rest?
 */
static bool
is_as_told(const struct gate *g, const struct conn *c, const struct link_home *home)
{
    int64_t now_ms = env_world_ms(g->env);
    return home->island == c->island && home->look == c->look &&
           is_same_motion(&c->motion, &home->motion, now_ms) &&
           is_same_motion(&c->motion, &home->motion, now_ms + MOTION_LASTS_MS_MAX);
}

static void
resumed(struct gate *g, uint32_t conn, uint8_t slot, const struct link_home *home)
{
    struct conn *c = &g->conns[conn];
    if (g->hot[conn].state == CONN_RESUMING) {
        uint64_t pause_us = (uint64_t)(env_mono_us(g->env) - c->way.since_us);
        g->stats.resumed++;
        g->stats.resume_us += pause_us;
        g->stats.resume_us_max =
            pause_us > g->stats.resume_us_max ? pause_us : g->stats.resume_us_max;
        conn_move_state(g, conn, CONN_PLAYING);
    } else {
        session_homeless(g, conn); /* what is owed to the former home is owed to this one */
    }
    c->way.asked = HOME_NONE;
    c->home = slot;
    c->session_epoch = home->session_epoch;
    memcpy(c->ticket, home->ticket, TICKET_BYTES);
    session_resumed(g, conn, home, is_as_told(g, c, home));
}

static void
begins(struct gate *g, uint32_t conn, uint8_t slot, const struct link_home *home)
{
    uint32_t older = map_get(&g->conn_by_player, home->player);
    if (older != MAP_NONE) {
        conn_close(g, older, SEOM__CODE__REPLACED, 0);
    }
    struct conn *c = &g->conns[conn];
    if (map_put(&g->conn_by_player, home->player, conn) != OK) {
        conn_close(g, conn, SEOM__CODE__FULL, COME_BACK_MS);
        return;
    }
    c->way.asked = HOME_NONE;
    c->home = slot;
    c->player = home->player;
    c->entity = home->entity;
    c->session_epoch = home->session_epoch;
    c->island = home->island;
    c->motion = home->motion;
    c->look = home->look;
    c->ticket_bytes = TICKET_BYTES;
    memcpy(c->ticket, home->ticket, TICKET_BYTES);
    conn_move_state(g, conn, CONN_PLAYING);
    c->island_pending = g->hot[conn].urgent = true;
    lines_begin(g, conn);
    session_welcome(g, conn, home);
    if (g->hot[conn].state == CONN_PLAYING) {
        interest_moved(g, conn);
    }
}

/* Not there, not now: another may. Anything else is the answer. */
static bool
is_passing(uint8_t code)
{
    return code == SEOM__CODE__RETRY_AFTER || code == SEOM__CODE__FULL ||
           code == SEOM__CODE__CLOSED || code == SEOM__CODE__SERVER_STOPS || !code_is_known(code);
}

static void
refused(struct gate *g, uint32_t conn, uint8_t slot, const struct link_home *home)
{
    struct conn *c = &g->conns[conn];
    if (home->code == SEOM__CODE__UNREADABLE) {
        session_lobby(g, conn, home->code, home->retry_after_ms);
        return;
    }
    if (home->gates.bytes > 0) {
        conn_lead(g, conn, home->gates);
        return;
    }
    if (g->hot[conn].state == CONN_ENTERING && is_passing(home->code) && c->was_lobby) {
        session_lobby(g, conn, code_is_known(home->code) ? home->code : SEOM__CODE__RETRY_AFTER,
                      home->retry_after_ms);
        return;
    }
    if (g->hot[conn].state == CONN_ENTERING || !is_passing(home->code)) {
        bool known = home->code != SEOM__CODE__FINE && code_is_known(home->code);
        conn_close(g, conn, known ? home->code : SEOM__CODE__RETRY_AFTER, home->retry_after_ms);
        return;
    }
    int64_t pause_us = home->retry_after_ms * INT64_C(1000);
    pause_us = pause_us < PAUSE_US_MAX ? pause_us : PAUSE_US_MAX;
    try_later(g, conn, pause_us > PAUSE_US ? pause_us : PAUSE_US);
    c->way.refused = slot;
    c->home = HOME_NONE;
}

/* Is it about a connection that waits for it, or of a session that is newer than what is known?
 * What comes for one who left meanwhile, or too late, must not stand there waiting for input. */
void
enter_home(struct gate *g, uint8_t slot, const struct link_home *home)
{
    uint32_t conn = conn_of_handle(g, home->conn);
    bool fine = home->code == SEOM__CODE__FINE && home->player != 0;
    bool plays = conn != POOL_NONE && conn_plays(g->hot[conn].state);
    bool asked =
        conn != POOL_NONE && g->conns[conn].way.asked == slot && g->hot[conn].state != CONN_PLAYING;
    if (fine && plays && home->player == g->conns[conn].player &&
        home->entity == g->conns[conn].entity) {
        if (home->session_epoch > g->conns[conn].session_epoch ||
            g->options.mutant == GATE_MUTANT_EPOCH_IGNORED) {
            resumed(g, conn, slot, home);
        } else {
            g->stats.stale++;
        }
    } else if (fine && (plays || !asked)) {
        session_farewell(g, &(struct farewell){.player = home->player,
                                               .session_epoch = home->session_epoch,
                                               .how = INPUT_GONE,
                                               .home = slot});
    } else if (fine) {
        begins(g, conn, slot, home);
    } else if (asked) {
        refused(g, conn, slot, home);
    }
}

void
enter_home_up(struct gate *g, uint8_t home)
{
    for (uint32_t i = 0; i < g->conns_high; i++) {
        if (g->hot[i].state == CONN_RESUMING && g->conns[i].home == home) {
            g->conns[i].way.due_us = 0; /* in its slot */
        }
    }
}

void
enter_home_down(struct gate *g, uint8_t home, bool dead)
{
    for (uint32_t i = 0; i < g->conns_high; i++) {
        struct conn *c = &g->conns[i];
        enum conn_state state = g->hot[i].state;
        if (state != CONN_ENTERING && !conn_plays(state)) {
            continue;
        }
        if (state == CONN_PLAYING && c->home == home) {
            look_for_home(g, i);
        } else if (state != CONN_PLAYING && c->way.asked == home) {
            ask_in_vain(g, i);
        }
        if (dead && state != CONN_ENTERING && c->home == home) {
            c->home = HOME_NONE;
            c->way.due_us = 0;
            c->way.tries = 0;
        }
    }
}

/* It is cut off from this gate, but perhaps alive: whoever is asked now is to decide. */
void
enter_home_given_up(struct gate *g, uint8_t home)
{
    for (uint32_t i = 0; i < g->conns_high; i++) {
        struct conn *c = &g->conns[i];
        if (g->hot[i].state == CONN_FREE) {
            continue;
        }
        if (c->way.refused == home) {
            c->way.refused = HOME_NONE;
        }
        if (g->hot[i].state == CONN_RESUMING && c->home == home) {
            c->home = HOME_NONE;
            c->way.decided = true;
            c->way.due_us = 0;
        }
        CHECK(!conn_plays(g->hot[i].state) || c->home != home);
    }
}

static void
look(struct gate *g, uint32_t conn, int64_t now_us)
{
    struct conn *c = &g->conns[conn];
    bool resumes = g->hot[conn].state == CONN_RESUMING;
    bool waits = c->home != HOME_NONE && g->homes[c->home].state == HOME_DOWN;
    if (resumes && now_us - c->way.since_us >= RESUME_MAX_US) {
        session_lobby(g, conn, SEOM__CODE__RETRY_AFTER, LOBBY_MS);
    } else if (!resumes && c->way.tries >= TRIES_MAX) {
        enter_turn_away(g, conn, SEOM__CODE__RETRY_AFTER, COME_BACK_MS);
    } else if (now_us >= c->way.due_us && c->way.asked != HOME_NONE && resumes) {
        ask_in_vain(g, conn);
    } else if (now_us >= c->way.due_us && c->way.asked == HOME_NONE && !waits && may_ask(g)) {
        ask(g, conn);
    }
}

void
enter_slot(struct gate *g, uint32_t slot)
{
    if (g->entering + g->stats.resuming == 0) {
        return;
    }
    int64_t now_us = env_mono_us(g->env);
    for (uint32_t i = slot; i < g->conns_high; i += GATE_SLOTS) {
        if (g->hot[i].state == CONN_ENTERING || g->hot[i].state == CONN_RESUMING) {
            look(g, i, now_us);
        }
    }
}
