/* The inside of struct world, shared by the files of this room and nobody else: who lives here,
 * what is published, what is awake. world.c runs the turn, home.c brings people in and out, topic.c
 * publishes, steward.c wakes things, density.c counts people for the chart.
 */
#ifndef SEOM_WORLD_STATE_H
#define SEOM_WORLD_STATE_H

#include "base/bucket.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/wheel.h"
#include "store/ids.h"
#include "store/place.h"
#include "store/player.h"
#include "world/movement.h"
#include "world/world.h"

#define TOPIC_CHUNKS        (BLOCK_CHUNKS * BLOCK_CHUNKS)
#define TOPIC_PAGE_BYTES    4096
#define DENSITY_EVERY_TICKS 10

enum timer_kind { TIMER_CROSSING, TIMER_LINGER, TIMER_STEWARD };

struct timer {
    struct wheel_entry entry; /* first: the wheel hands back its address */
    enum timer_kind kind;
    uint32_t owner; /* index in the pool of its kind */
};

/* Somebody who stands in the world. */
struct avatar {
    uint64_t id; /* the player's, also the entity's */
    uint64_t session_epoch;
    struct mover mover;
    const struct island *island; /* borrowed from the archipelago */
    uint32_t gate;               /* meaningful while a session plays */
    bool lingering;
    uint8_t owed_flags; /* enum self_flag that the gate could not be told yet */
    uint32_t last_move_no;
    uint32_t topic; /* where it stands: index of the topic, chunk of the block, neighbours in that
                       chunk's list */
    uint8_t chunk;
    uint32_t next, previous;
    struct timer crossing, linger;
    char name[PLAYER_NAME_MAX + 1];
};

/* Somebody who is on the way in: one state at a time, drawn in home.c. */
enum entering_state {
    ENTERING_FREE,
    ENTERING_MINT,
    ENTERING_CREATE,
    ENTERING_CLAIM,
    ENTERING_PLACE,
    ENTERING_STATES
};

struct entering {
    enum entering_state state;
    uint32_t gate;
    uint64_t conn;
    uint64_t player; /* 0 until minted */
    uint64_t session_epoch, last_seq;
    uint32_t island_wish;
    char name[PLAYER_NAME_MAX + 1];
};

struct topic {
    topic_id id;
    uint32_t wakers, watchers; /* a bit per gate: subscribed for avatars, for spectators */
    uint32_t behind;           /* a bit per gate: needs a snapshot */
    uint16_t awake;            /* a bit per chunk of the block */
    bool dirty, listed_behind;
    uint32_t page; /* POOL_NONE while nothing is pending */
    uint32_t page_used;
    uint32_t members[TOPIC_CHUNKS]; /* first avatar per chunk, POOL_NONE = empty */
    uint32_t member_count;
    uint32_t next_dirty, next_behind;
    const struct island *island;   /* borrowed; NULL for the density topic */
    int64_t woke_ms[TOPIC_CHUNKS]; /* things of a chunk were last told as they were at this time */
    int64_t changes_ms[TOPIC_CHUNKS]; /* and will differ then */
    int64_t sleep_ms;                 /* 0 = stays awake */
    struct timer steward;
};

/* What one gate wants to hear, as acknowledged state. Index 0: for spectators, 1: for avatars. */
struct gate_link {
    uint32_t epoch[2], version[2];
    uint64_t digest[2];
    bool known;
};

struct world {
    struct world_options options;
    const struct env *env; /* borrowed */
    struct world_stats stats;

    struct pool avatars, entering, topics, pages;
    struct map avatar_by_id, entering_by_player, topic_by_id;
    struct gate_link gates[WORLD_GATES_MAX];
    uint32_t first_dirty, first_behind;

    struct wheel wheel;
    int64_t tick;           /* the last one done */
    int64_t tick_wanted_us; /* when the next was asked for; 0 = nothing was due */
    int64_t published_us;
    int64_t started_ms;
    struct bucket guests;   /* new ones, without a ticket */
    uint32_t minting;       /* entering that wait for an id */
    bool *density_told;     /* owned: per island, somebody was there when it was last told */
    uint64_t *density_keys; /* owned: one per player, for sorting them by cell */
    uint32_t density_gates; /* a bit per gate that has spectators */

    struct store store;
    struct players players; /* operations on player/ documents */
    struct ids ids;
    struct places *places; /* owned */
    bool stopping;

    uint8_t scratch[TOPIC_PAGE_BYTES];
};

/* topic.c */
struct topic *topic_find(struct world *w, topic_id id);
void topic_drop_if_idle(struct world *w, struct topic *t);
uint32_t topic_index(const struct world *w, const struct topic *t);
bool topic_has_listeners(const struct topic *t);
struct writer topic_room(struct world *w, struct topic *t,
                         size_t bytes); /* room for one record in the pending page */
void topic_wrote(struct world *w, struct topic *t, const struct writer *out);
void topic_subscribe(struct world *w, uint32_t gate, const struct link_subscribe *s);
void topic_all_behind(struct world *w, struct topic *t); /* everybody needs a snapshot */
void topics_publish(struct world *w);
/* For somebody who stands there: cannot fail, as topics_max leaves room for every player. */
struct topic *topic_at(struct world *w, topic_id id);
topic_id topic_of(const struct island *island, struct place at);
uint8_t topic_chunk_of(struct place at);

/* home.c */
void home_enter(struct world *w, uint32_t gate, const struct link_enter *enter);
void home_turn(struct world *w); /* tries again what waits for an id */
void home_stop(struct world *w, uint32_t retry_after_ms);
/* false: the ring was full (counted); whoever sends state must tell it again. */
bool home_send(struct world *w, uint32_t gate, const struct link_message *m);

/* avatar.c */
enum err avatar_add(struct world *w, const struct entering *e, const struct stand *stand,
                    uint32_t *out) MUST_USE;
void avatar_remove(struct world *w, uint32_t index);
void avatar_input(struct world *w, uint32_t gate, const struct link_input *input);
void avatar_linger(struct world *w, uint32_t index);
void avatar_crossed(struct world *w, uint32_t index);
void avatar_save(struct world *w, const struct avatar *a);
void avatar_write_motion(const struct avatar *a, struct writer *out);

/* steward.c */
void steward_subscribed(struct world *w, struct topic *t);
void steward_unsubscribed(struct world *w, struct topic *t);
void steward_due(struct world *w, uint32_t topic);
typedef void thing_sink(void *ctx, const struct record_thing *thing,
                        const struct record_motion *mover);
void steward_tell(struct world *w, struct topic *t, uint8_t chunk, int64_t at_ms, thing_sink *sink,
                  void *ctx);

/* density.c */
void density_publish(struct world *w);

#endif
