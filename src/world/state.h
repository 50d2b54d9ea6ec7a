/* The inside of struct world, shared by the files of this room and nobody else: who lives here,
 * what is published, what is awake. world.c runs the turn, peers.c knows the other nodes,
 * entering.c brings people in, home.c and drain.c bring them out, spawn.c says where new ones
 * stand, topic.c publishes, claim.c knows of which blocks we are the steward, steward.c wakes
 * things, density.c counts people for the chart. Of value: value.c leads commands to the executor
 * and their results back, forward.c those that another node runs, chunk_copy.c knows the documents
 * of awake chunks, show.c shows belongings, hint.c tells who was changed by others, doubt.c finds
 * out whose document cannot be read, switches.c what is closed. Of others: ghosts.c knows who
 * stands near, look.c asks who they are.
 */
#ifndef SEOM_WORLD_STATE_H
#define SEOM_WORLD_STATE_H

#include "base/bucket.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/wheel.h"
#include "store/buffers.h"
#include "store/commands.h"
#include "store/ids.h"
#include "store/place.h"
#include "store/player.h"
#include "store/scratch.h"
#include "store/slots.h"
#include "store/sweep.h"
#include "world/claim.h"
#include "world/forward.h"
#include "world/ghosts.h"
#include "world/movement.h"
#include "world/peer_set.h"
#include "world/world.h"

#define TOPIC_CHUNKS        (BLOCK_CHUNKS * BLOCK_CHUNKS)
#define TOPIC_PAGE_BYTES    4096
#define DENSITY_EVERY_TICKS 10

enum timer_kind { TIMER_CROSSING, TIMER_LINGER, TIMER_STEWARD, TIMER_PATIENCE };

struct timer {
    struct wheel_entry entry; /* first: the wheel hands back its address */
    enum timer_kind kind;
    uint32_t owner; /* index in the pool of its kind */
};

/* Whether somebody's own document can be read, drawn in doubt.c. */
enum doubt_state { DOUBT_NONE, DOUBT_FIRST, DOUBT_OTHER, DOUBT_SECOND, DOUBT_STATES };

/* Somebody who stands in the world. */
struct avatar {
    uint64_t id; /* the player's, also the entity's */
    uint64_t session_epoch;
    struct mover mover;
    const struct island *island; /* borrowed from the archipelago */
    uint32_t gate;               /* meaningful while a session plays; PEER_NONE: it is gone */
    uint64_t conn;               /* the gate's name of the connection it was claimed for */
    struct place_slot slot;      /* where its place is kept: on a page of ours */
    int64_t given_ms;            /* when it was given to another home; 0: it was not */
    bool lingering;
    uint8_t owed_flags; /* enum self_flag that the gate could not be told yet */
    uint32_t last_move_no;
    uint32_t topic; /* where it stands: index of the topic, chunk of the block, neighbours in that
                       chunk's list */
    uint8_t chunk;
    uint32_t next, previous;
    struct timer crossing, linger;
    uint64_t command_epoch; /* session that asked for the command under way */
    uint64_t command_seq;
    struct timer patience; /* set: it has not been told yet that its command takes long */
    uint32_t owed_result;  /* in world.results, POOL_NONE: none */
    enum doubt_state doubt;
    uint8_t changed, hinted; /* a bit per ShowKind: to be told; to be compared with the store */
    bool listed;             /* in world.hints */
    uint32_t shows;          /* under way */
    struct bucket lines;     /* what it may say to the whole world */
    uint64_t versions[2];    /* of own player and inbox documents as last known; 0: not known */
    int64_t known_ms[2];     /* when that was so */
    char name[PLAYER_NAME_MAX + 1];
};

/* The result of a command that a full ring refused. */
struct owed_result {
    uint64_t player, seq;
    uint8_t code, bytes;
    uint8_t body[DEED_RESULT_MAX];
};

/* Somebody's document that a command has just written, until it is known whose command it was. */
struct written {
    uint64_t player;
    uint8_t what; /* which of avatar.versions */
    uint64_t version;
};

#define WRITTEN_MAX (2 * DEED_DOCUMENTS_MAX)

struct switches {
    uint64_t version; /* of meta/switches, as it is kept here */
    int64_t next_ms;
    bool reading;
};

/* What is known of the document of an awake chunk: for publishing only, nobody decides by it. Drawn
 * in chunk_copy.c. */
enum copy_state { COPY_WANTED, COPY_READING, COPY_AWAY, COPY_STANDS, COPY_STATES };

struct copy {
    enum copy_state state;
    uint32_t topic;
    uint8_t chunk;
    bool again;              /* while reading: what comes may be old, it is read once more */
    bool growing;            /* a job is under way */
    uint32_t next, previous; /* among those that are wanted */
    uint64_t version, growing_version; /* now, and when the job was asked for */
    struct buffer buffer; /* the document's bytes; none: there is no document, as far as we know */
    uint32_t bytes;
    int64_t grows_ms;  /* when a job is due; INT64_MAX: never */
    int64_t reread_ms; /* it may have changed: to be read then; 0: no */
};

/* A connection whose ENTER came while another of the same player was on the way in. */
struct asker {
    uint32_t gate;
    uint64_t conn; /* 0: there is none */
};

/* Somebody who is on the way in: one state at a time, drawn in entering.c. */
enum entering_state {
    ENTERING_FREE,
    ENTERING_WAIT,
    ENTERING_LOAD,
    ENTERING_PLACE,
    ENTERING_CREATE,
    ENTERING_CLAIM,
    ENTERING_DOUBT,
    ENTERING_STATES
};

struct entering {
    enum entering_state state;
    uint32_t gate;
    uint64_t conn;
    uint8_t flags;        /* enum enter_flag */
    int64_t sent_ms;      /* what grew old is not claimed: this process may have stood still */
    uint64_t claimant;    /* their connection, as all homes call it */
    uint64_t known_epoch; /* of a session that goes on: the highest that its gate knows */
    uint64_t over;        /* of a login: the claimant whose place it takes; 0: nobody's */
    uint64_t stands;      /* whose session the document tells of, as it was read last; 0: none */
    struct asker next;    /* hears who was before it when this one has arrived */
    uint64_t player;      /* 0 until minted */
    uint64_t session_epoch, last_seq;
    uint64_t version; /* of the player's document */
    bool doubted;     /* the store served others when it did not serve this one */
    bool place_known; /* and need not be read */
    uint32_t island_wish;
    struct stand stand;     /* where they are going to stand; island 0: not known yet */
    struct place_slot slot; /* taken for them */
    uint64_t target;        /* home that was chosen; 0: none, for the reason of code, */
    uint16_t shard;         /* or as the island belongs to that one; 0: it is ours */
    uint8_t code;
    char name[PLAYER_NAME_MAX + 1];
};

struct topic {
    topic_id id;
    struct peer_set wakers, watchers; /* who subscribed it: for avatars, for spectators */
    struct peer_set behind;           /* who needs a snapshot */
    uint16_t awake;                   /* a bit per chunk of the block */
    uint64_t steward_epoch;           /* ours of the block; 0: we say nothing of its things */
    bool dirty, listed_behind;
    uint32_t page; /* POOL_NONE while nothing is pending */
    uint32_t page_used;
    uint32_t members[TOPIC_CHUNKS]; /* first avatar per chunk, POOL_NONE = empty */
    uint32_t member_count;
    uint32_t next_dirty, next_behind;
    const struct island *island;   /* borrowed; NULL for the density topic */
    int64_t woke_ms[TOPIC_CHUNKS]; /* things of a chunk were last told as they were at this time */
    int64_t changes_ms[TOPIC_CHUNKS]; /* and will differ then */
    uint32_t copies[TOPIC_CHUNKS];    /* of documents, POOL_NONE: asleep, or nothing of value */
    int64_t reread_ms;     /* those that could not be read are asked for again; 0: none */
    uint8_t read_failures; /* in a row */
    int64_t sleep_ms;      /* 0 = stays awake */
    struct timer steward;
};

/* A gate or another home, and what it wants to hear, as acknowledged state. Index 0: for
 * spectators, 1: for avatars. */
struct peer {
    bool up, draining;
    struct node node;
    uint32_t players; /* at home there, as told last; and those sent there since */
    int64_t
        joined_ms; /* a home whose share is to be given to it; 0: it has been, or it is a gate */
    uint32_t epoch[2], version[2];
    uint64_t digest[2];
    bool known;
    int64_t inputs_us;     /* when the window of its inputs began; 0: it had none */
    int64_t fastest_us[2]; /* what the fastest took by both clocks: of this window, of the last */
};

struct world {
    struct world_options options;
    const struct env *env; /* borrowed */
    struct world_stats stats;

    struct pool avatars, entering, topics, pages;
    struct map avatar_by_id, entering_by_player, topic_by_id;
    struct peer peers[PEERS_MAX];
    uint32_t peers_end; /* one after the last that is up */
    uint32_t first_dirty, first_behind;

    struct wheel wheel;
    int64_t tick;           /* the last one done */
    int64_t tick_wanted_us; /* when the next was asked for; 0 = nothing was due */
    int64_t published_us;
    int64_t started_ms;
    struct bucket guests;          /* new ones, without a ticket */
    uint32_t waiting;              /* entering in ENTERING_WAIT */
    bool *density_told;            /* owned: per island, somebody was there when it was last told */
    uint64_t *density_keys;        /* owned: one per player, for sorting them by cell */
    struct peer_set density_gates; /* those that have spectators */

    struct store store;
    struct players players; /* operations on player/ documents */
    struct ids ids;
    struct slots slots;
    struct places *places; /* owned */
    struct sweep sweep;
    struct players leavers; /* operations of those who leave: never many, entering goes first */
    struct pool leaving;    /* struct leaving of home.c */
    bool stopping, draining, closed;
    uint32_t given;          /* avatars that stand until another home has them */
    uint32_t spread_at;      /* the avatar that was looked at last for those who joined; POOL_NONE:
                                nobody is looked at */
    int64_t spread_began_ms; /* when it was the first */
    uint64_t lines_said;

    /* Of value; commands is NULL when the game has nothing of it, then the rest is not used. */
    struct commands *commands; /* owned */
    struct ids thing_ids;
    struct pool results; /* owed_result */
    struct pool shows;   /* struct show of show.c */
    struct pool copies;
    struct buffers buffers; /* of copies */
    uint32_t copies_reading, first_wanted, last_wanted;
    uint32_t copies_healed; /* round and round: how far */
    uint32_t heal_turns;
    struct written written[WRITTEN_MAX];
    uint32_t written_count;
    uint64_t *hints; /* owned, players_max: who may have something to be told */
    uint32_t hints_count;
    struct switches switches;

    struct claims claims; /* of blocks */
    struct forwards forwards;
    struct ghosts ghosts;
    struct pool looks; /* struct asking of look.c */

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
void topic_peer_down(struct world *w, uint32_t peer); /* it wants nothing any more */
void topic_subscribe(struct world *w, uint32_t gate, const struct link_subscribe *s);
void topic_all_behind(struct world *w, struct topic *t); /* everybody needs a snapshot */
void topics_publish(struct world *w);
/* For somebody who stands there: cannot fail, as topics_max leaves room for every player. */
struct topic *topic_at(struct world *w, topic_id id);
topic_id topic_of(const struct island *island, struct place at);
uint8_t topic_chunk_of(struct place at);

/* entering.c */
void home_enter(struct world *w, uint32_t gate, const struct link_enter *enter);
void entering_turn(struct world *w); /* tries again what waits for an id */
void entering_end_all(struct world *w, uint8_t code);

/* channel.c: channels of the whole world */
void channel_came(struct world *w, struct avatar *a);
void channel_say(struct world *w, struct avatar *a, const struct link_input *input);
void channel_mail(struct world *w, uint64_t player); /* who is not here was sent something */

/* spawn.c */
struct stand spawn_stand(const struct world *w, uint32_t wish, uint64_t draw);

/* peers.c: we are the one of the homes that are here whose epoch is the lowest. */
bool peers_are_younger(const struct world *w);
/* The home that somebody is to have who stands there; 0: nobody takes people. */
uint64_t peers_choose(const struct world *w, const struct stand *stand);
void peers_sent(struct world *w,
                uint64_t node); /* somebody, there: until it says how many it has */
/* A home joined at joined_ms or before, and its share was not given to it yet. node 0: any. */
bool peers_joined(const struct world *w, uint64_t node, int64_t joined_ms);
void peers_settle(struct world *w, int64_t joined_ms); /* now it was */
/* How many more we have than placement gives anybody, compared with the other homes. */
uint32_t peers_surplus(const struct world *w);

/* drain.c */
void drain_turn(struct world *w, int64_t now_ms);

/* home.c */
void home_init(struct world *w);
void home_fini(struct world *w);
/* The session is over and the avatar goes; its document says so as soon as it can. */
void home_left(struct world *w, uint32_t avatar_index);
void home_peer_down(struct world *w, uint32_t peer);
void home_renamed(struct world *w, uint64_t node_epoch);
/* Another home has claimed the player: the session here is over, nothing of it is written. The
 * avatar may be gone afterwards. */
void home_replaced(struct world *w, struct avatar *a);
/* The same if the document, as it was read just now, says so. */
void home_seen(struct world *w, const struct player *player);
void home_stop(struct world *w, uint32_t retry_after_ms);
/* false: the ring was full (counted); whoever sends state must tell it again. */
bool home_send(struct world *w, uint32_t gate, const struct link_message *m);
/* SELF to the session of an avatar; false: it has none, or the ring was full. */
bool home_tell(struct world *w, const struct avatar *a, struct link_self self);

/* avatar.c */
enum err avatar_add(struct world *w, const struct entering *e, uint32_t *out) MUST_USE;
void avatar_remove(struct world *w, uint32_t index);        /* its place is kept */
void avatar_drop(struct world *w, uint32_t index);          /* it is not */
void avatar_owned(struct world *w, const struct avatar *a); /* tells of its session_epoch */
struct stand avatar_stand(const struct avatar *a);
void avatar_input(struct world *w, uint32_t gate, const struct link_input *input);
void avatar_linger(struct world *w, uint32_t index);
void avatar_crossed(struct world *w, uint32_t index);
void avatar_save(struct world *w, const struct avatar *a);
/* The same, as something later than whatever was written of it until now. */
void avatar_save_from_now(struct world *w, const struct avatar *a);
void avatar_write_owned(const struct avatar *a, struct writer *out);
void avatar_write_motion(const struct avatar *a, struct writer *out);
struct avatar *avatar_find(const struct world *w, uint64_t player);       /* NULL: not here */
struct place avatar_place(const struct world *w, const struct avatar *a); /* now */

/* steward.c */
void steward_subscribed(struct world *w, struct topic *t);
void steward_unsubscribed(struct world *w, struct topic *t);
void steward_due(struct world *w, uint32_t topic);
/* Of the claims: the block is ours, or another's. won says whether it is awake now. */
bool steward_won(struct world *w, topic_id block, uint64_t epoch);
void steward_lost(struct world *w, topic_id block);
bool steward_wants(struct world *w, topic_id block); /* awake, and it is not */
void steward_book_changed(struct world *w);
void steward_node_died(struct world *w, uint64_t node_epoch);
void steward_renamed(struct world *w);
typedef void thing_sink(void *ctx, const struct record_thing *thing,
                        const struct record_motion *mover);
void steward_tell(struct world *w, struct topic *t, uint8_t chunk, int64_t at_ms, thing_sink *sink,
                  void *ctx);

/* The things of a chunk as they were last told; the copy of its document may be replaced between
 * the two. */
struct sight {
    uint32_t count;
    struct game_thing things[GAME_THINGS_PER_CHUNK_MAX];
};

void steward_before(struct world *w, struct topic *t, uint8_t chunk, struct sight *out);
void steward_after(struct world *w, struct topic *t, uint8_t chunk, const struct sight *before);
void steward_set_timer(struct world *w, struct topic *t);
void steward_chunk(const struct topic *t, uint8_t chunk, uint16_t *cx, uint16_t *cy);

/* chunk_copy.c */
void copy_take(struct world *w, struct topic *t, uint8_t chunk); /* wakes: it is going to be read */
void copy_give(struct world *w, struct topic *t, uint8_t chunk); /* sleeps */
void copies_read(struct world *w); /* asks for what is wanted, as far as there is room */
void copies_due(struct world *w, struct topic *t, int64_t now_ms);
int64_t copies_next_ms(const struct world *w, const struct topic *t);
/* In memory of scratch; NULL: there is no document. */
const Seom__ChunkDocument *copy_document(const struct world *w, const struct topic *t,
                                         uint8_t chunk, struct scratch *scratch);
void copy_hinted(struct world *w, uint64_t chunk);
void copies_heal(struct world *w); /* each tick */
void copy_wrote(struct world *w, uint64_t chunk, uint64_t version, bool exists, struct slice value);

/* value.c */
void value_init(struct world *w);
void value_fini(struct world *w);
void value_command(struct world *w, struct avatar *a, const struct link_input *input);
void value_turn(struct world *w); /* each tick: what a full ring refused is told again */
void value_came(struct world *w, struct avatar *a);
void value_left(struct world *w, struct avatar *a);
/* Runs it here; the answer comes to whoever plays with the avatar then. */
void value_run(struct world *w, struct avatar *a, const struct command *command);
void value_is_slow(struct world *w, uint32_t avatar);
void value_done(struct world *w, const struct command_result *result);
/* Which deed a body asks for; what is malformed or closed is one that says so. */
const struct deed_kind *value_kind(const struct world *w, struct slice body);
bool value_is_under_way(const struct world *w, uint64_t player); /* a command, here or elsewhere */
struct deed_actor value_actor(const struct world *w, const struct avatar *a);

/* show.c */
void shows_init(struct world *w);
void show_begin(struct world *w, struct avatar *a, const struct link_input *input);

/* hint.c */
void hint_wrote(struct world *w, const struct key_parts *key, uint64_t version);
void hint_done(struct world *w, uint64_t initiator); /* what was written since is others' news */
/* What the command of an initiator wrote of its own documents: 0, nothing. Before hint_done(). */
void hint_written(const struct world *w, uint64_t initiator, uint64_t versions[2]);
void hint_versions(struct avatar *a, const uint64_t versions[2]); /* and what it wrote elsewhere */
void hint_came(struct world *w, struct avatar *a);
void hint_resumed(struct world *w, const struct avatar *a); /* its client has stayed on its line */
void hint_watch(struct world *w, const struct avatar *a, bool on);
void hint_heard(void *ctx, struct slice key);
void hint_mail(struct world *w, uint64_t player); /* another node says so */
void hints_turn(struct world *w);
void hints_heal(struct world *w); /* each tick */

/* look.c: who somebody is that another home decides for */
void looks_init(struct world *w);
/* true: an answer follows. */
bool look_elsewhere(struct world *w, const struct avatar *a, const struct link_input *input);
void look_answer(struct world *w, const struct avatar *a, uint32_t number, uint64_t entity,
                 uint8_t code, uint8_t look, struct slice name);

/* doubt.c: the store did not serve a command; is it the player's own document? */
void doubt_begin(struct world *w, struct avatar *a);

/* switches.c */
bool switch_is_closed(const struct world *w, enum deed_class class);
void switches_turn(struct world *w, int64_t now_ms);

/* density.c */
void density_publish(struct world *w);

#endif
