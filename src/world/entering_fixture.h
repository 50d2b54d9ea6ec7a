/* For tests of how people come to a home and go to another: what a gate asks and hears, over the
 * homes of cluster_fixture.h. One test thread.
 */
#ifndef SEOM_WORLD_ENTERING_FIXTURE_H
#define SEOM_WORLD_ENTERING_FIXTURE_H

#include "store/slots.h"
#include "world/cluster_fixture.h"

#define EDGE_MM 300000 /* well inland */

/* What a gate says of a session whose home is gone. */
static inline struct link_enter
going_on(const struct link_home *who, uint64_t conn, uint8_t flags, struct motion motion)
{
    struct link_enter e = cluster_login(who, conn, (uint8_t)(ENTER_RESUME | flags));
    e.over = 0;
    e.session_epoch = who->session_epoch;
    e.island = SCENE_ISLAND;
    e.look = LOOK_WALKER;
    e.motion = motion;
    return e;
}

struct answered {
    bool home, go;
    struct link_home at;
    uint64_t node, over;
};

/* The last answer to a connection. */
static inline struct answered
answer_of(const struct home *h, uint64_t conn)
{
    struct answered out = {0};
    struct link_message m;
    for (uint32_t n = 0; home_told(h, LINK_HOME, n, &m); n++) {
        if (m.as.home.conn == conn) {
            out.home = true;
            out.at = m.as.home;
        }
    }
    for (uint32_t n = 0; home_told(h, LINK_GO, n, &m); n++) {
        if (m.as.go.conn == conn) {
            out.go = true;
            out.node = m.as.go.node;
            out.over = m.as.go.over;
        }
    }
    return out;
}

static inline void
ask(struct cluster *c, uint32_t number, struct link_enter enter)
{
    cluster_hear(c, number, &(struct link_message){.kind = LINK_ENTER, .as.enter = enter});
}

/* What the home that was asked says in the end: it is asked again by whoever it sends to itself. */
static inline struct answered
enter(struct cluster *c, uint32_t number, struct link_enter what)
{
    ask(c, number, what);
    cluster_run(c, 300);
    struct answered a = answer_of(&c->homes[number], what.conn);
    if (a.go && !a.home && a.node == c->homes[number].epoch) {
        what.over = a.over;
        what.flags |= ENTER_DECIDED;
        ask(c, number, what);
        cluster_run(c, 300);
        a = answer_of(&c->homes[number], what.conn);
        a.go = false;
    }
    return a;
}

static inline bool
stands_at(const struct cluster *c, uint32_t number, uint64_t player, struct world_player *out)
{
    uint32_t cursor = 0;
    while (world_next_player(c->homes[number].world, &cursor, out)) {
        if (out->player == player) {
            return true;
        }
    }
    return false;
}

/* At how many homes that live. */
static inline uint32_t
homes_of(const struct cluster *c, uint64_t player)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        struct world_player p;
        count += !c->homes[i].dead && stands_at(c, i, player, &p);
    }
    return count;
}

static inline struct player
document(const struct cluster *c, uint64_t id)
{
    struct key key = key_make(1, KEY_CLASS_PLAYER, id);
    struct store_doc doc = memory_store_look(c->store, key_slice(&key));
    struct player p;
    assert_int_equal(player_decode(id, &doc, &p), OK);
    return p;
}

static inline struct place
now_at(const struct cluster *c, const struct motion *m)
{
    return motion_at(m, c->time.now_us / 1000);
}

static inline void
assert_near(struct place a, struct place b, int32_t mm)
{
    assert_in_range(a.x_mm - b.x_mm + mm, 0, 2 * mm);
    assert_in_range(a.y_mm - b.y_mm + mm, 0, 2 * mm);
}

static inline void
walk(struct cluster *c, uint32_t number, const struct link_home *who, uint32_t move_no)
{
    struct world_player p;
    assert_true(stands_at(c, number, who->player, &p));
    int64_t now_ms = c->time.now_us / 1000;
    struct motion m = motion_from(&p.motion, now_ms);
    m.vx = 1500;
    m.since_ms = now_ms;
    m.lasts_ms = 5000;
    cluster_hear(c, number,
                 &(struct link_message){.kind = LINK_INPUT,
                                        .as.input = {.player = who->player,
                                                     .session_epoch = who->session_epoch,
                                                     .kind = INPUT_MOVE,
                                                     .number = move_no,
                                                     .look = LOOK_WALKER,
                                                     .motion = m}});
}

/* Puts an avatar somewhere, saved. */
static inline void
stand_at(struct cluster *c, uint32_t number, const struct link_home *who, struct place at)
{
    cluster_put(c, number, who, at);
    struct world *w = c->homes[number].world;
    avatar_save(w, avatar_find(w, who->player));
    cluster_run(c, 1500);
}

#endif
