/* The inside of struct gate, shared by the files of this room and nobody else.
 *
 *   gate.c      connections: bytes, deadlines, closing
 *   homes.c     the homes it knows, and which of them is asked
 *   enter.c     how a session gets a home, and another one
 *   session.c   what a client says, and what its home answers
 *   replica.c   what is known of the world
 *   news.c      logs of what was said lately
 *   interest.c  which chunks a client sees
 *   subscribe.c which topics every home is told to publish
 *   crowd.c     cells and rotation of crowded chunks
 *   chart.c     people per cell, for spectators
 *   lines.c     what is said in channels of the whole world
 *   feed.c      one gathered send per client and tick
 *   ahead.c     what will be needed, brought into the cache
 */
#ifndef SEOM_VIEW_STATE_H
#define SEOM_VIEW_STATE_H

#include "base/bucket.h"
#include "base/map.h"
#include "base/once.h"
#include "base/pool.h"
#include "seom.pb-c.h"
#include "view/gate.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/message.h"

#define TOPIC_CHUNKS     (BLOCK_CHUNKS * BLOCK_CHUNKS)
#define CELLS            (CHUNK_TILES * CHUNK_TILES)
#define NEAR_CELLS       9
#define SEEN_MAX         25 /* 5 x 5 chunks */
#define FORGETS_MAX      32
#define NEWS_PAGE_BYTES  1000
#define NEWS_KEEP_US     1000000 /* unserved for longer: healed by a snapshot */
#define OUT_BUFFER_BYTES (64 * 1024)
#define IN_SMALL_BYTES   2048
#define IN_LARGE_BYTES   (FRAME_AFTER_HELLO_MAX + 1024)
#define THING_BYTES_MAX  (19 + ATTRIBUTES_MAX)
#define CHART_BYTES      (1U << 20)
#define BOOK_BYTES       (4U << 20)
#define SLICE_ENTITIES   48
#define HOMES_MAX        (PEERS_MAX + 64) /* those that are up, and the last that went down */
#define HOME_NONE        UINT8_MAX

/* A log of records: what was said about a chunk (or a cell of a crowded one) lately, in the very
 * bytes in which it will be sent. A reader holds a cursor; one that is older than start missed
 * something. */
struct news_page {
    uint32_t next;   /* POOL_NONE at the end */
    uint32_t offset; /* of bytes[0] in the log */
    uint32_t used;
    int64_t appended_us;
    uint8_t bytes[NEWS_PAGE_BYTES];
};

struct news {
    uint32_t first, last; /* pages, POOL_NONE = empty */
    uint32_t start, end;  /* offsets that are still here */
};

struct seen_entity {
    uint64_t entity;
    int64_t since_ms; /* of its motion: an older one is old news */
    uint64_t owned;   /* session_epoch under which its publisher has it; 0: nobody said */
    uint32_t chunk;
    uint32_t next, previous;           /* in its chunk */
    uint32_t cell_next, cell_previous; /* in its cell, when the chunk is crowded */
    uint8_t cell, left_cell;           /* now, and in the chunk it came from */
    uint8_t bytes;                     /* of record */
    uint8_t publisher;                 /* which home tells of it */
    bool moves;                        /* record is a MOTION */
    bool tended;                       /* a thing or an animal: the topic's steward tells of it */
    bool listed;                       /* by the snapshot that is being read */
    uint8_t record[THING_BYTES_MAX];   /* as it was last told */
};

#define WATCHERS_PER_BLOCK 4

struct watcher {
    uint64_t entity; /* its own avatar */
    uint32_t conn;
    uint32_t slot; /* of the conn's seen chunks */
};

struct watcher_block {
    uint32_t next, count;
    struct watcher watchers[WATCHERS_PER_BLOCK];
};

/* A crowded chunk, cut into its 16 x 16 tiles. */
struct crowd {
    uint32_t chunk;
    struct news news[CELLS];
    uint32_t members[CELLS]; /* first entity per cell */
    /* The book: all its people as RANGE slices, packed once per tick for all clients. */
    int64_t book_tick;
    uint32_t slices_first, slices_count; /* in gate.slices */
};

struct seen_chunk {
    uint32_t topic;
    uint16_t cx, cy;
    uint32_t members, count, movers; /* first entity, how many, how many of them move */
    struct news news;
    uint32_t watchers, watcher_count; /* first block */
    uint32_t crowd;                   /* POOL_NONE unless crowded */
    uint64_t news_of;  /* whose news came since the last marking; 0 none, UINT64_MAX several */
    uint32_t news_end; /* the log's end at the last marking */
    bool has_news, logging;
    uint32_t next_news, next_logging, previous_logging;
};

struct seen_topic {
    topic_id id;
    uint32_t refs[2]; /* 0 spectators, 1 avatars */
    bool sent[2];     /* as homes are told */
    bool changed[2];
    uint32_t next_changed[2];
    bool known;             /* a snapshot has come */
    uint16_t awake;         /* as its steward says */
    uint64_t steward_epoch; /* the highest that was heard */
    uint32_t chunks[TOPIC_CHUNKS];
};

/* A chunk that a client sees. */
struct seen {
    uint32_t chunk; /* POOL_NONE = free */
    uint32_t cursor;
    uint64_t rotation; /* next id, when crowded */
    bool fresh;        /* to be told whole before anything else */
    bool forget_first; /* and what the client knows of it is stale */
};

struct near_cell {
    uint32_t chunk;
    uint32_t cursor;
    uint8_t cell;
    bool fresh;
};

enum conn_state {
    CONN_FREE,
    CONN_HELLO,
    CONN_ENTERING,
    CONN_PLAYING,
    CONN_RESUMING,
    CONN_LOBBY,
    CONN_SPECTATOR,
    CONN_STATES
};

/* Touched at every slot of every client: kept small and side by side. */
struct conn_hot {
    uint64_t dirty;       /* a bit per seen chunk with news */
    uint8_t state;        /* enum conn_state */
    bool urgent : 1;      /* something of its own to say: SELF, island, forgets, fresh chunks */
    bool crowd : 1;       /* sees a crowded chunk: is served every tick */
    bool out_pending : 1; /* unsent bytes of ours */
    bool owed : 1;        /* perhaps a move or a command, which its home was not told yet */
    uint32_t heard_s;     /* mono seconds of the last whole frame */
};

/* Ordered by who touches it: what every message and every send needs stands at the front, in as few
 * cache lines as it takes, since of 19,000 of them none is in the cache when its turn comes. */
struct conn {
    struct framing framing;
    uint32_t generation;
    struct bucket messages, bytes;
    uint64_t session_epoch;
    struct motion motion; /* own avatar, by SELF only */
    uint64_t player, entity;
    uint32_t in_buffer, in_used; /* POOL_NONE: nothing half-received */
    uint32_t island;             /* entering: where it wishes to be */
    uint32_t move_heard;         /* the last move that its home answered */
    uint32_t command;            /* of gate.commands: under way; POOL_NONE */
    uint16_t cx, cy;             /* chunk around which the interest stands */
    uint8_t home;                /* decides for its avatar; HOME_NONE: gone */
    uint8_t look;
    bool in_large;
    bool self_pending, island_pending;
    bool move_owed; /* the home was not told it yet */
    bool command_owed;
    bool lacks; /* a chunk that a limit refused */
    bool near_valid;
    struct seen *seen; /* owned by seen_pool or spectator_pool; NULL while nothing is seen */
    uint32_t seen_index, seen_max, seen_count;
    uint32_t forget_count;
    int64_t budget_us; /* when budget_bytes was right */
    int32_t budget_bytes;
    uint32_t line;            /* of gate.lines: told up to here */
    uint32_t chart_left;      /* spectator: islands of this second's chart that are still to be */
    uint32_t chart_next;      /* told, from here */
    struct message_move move; /* the newest */

    struct record_self self;
    uint32_t out_buffer, out_from, out_used;
    int64_t opened_us, stuck_us;
    int64_t lobby_until_us; /* while in the lobby: an earlier Hello is told to wait */

    struct {             /* entering and resuming: the way to a home */
        uint8_t asked;   /* its answer is waited for; HOME_NONE: nobody's */
        uint8_t refused; /* the last one that did not want it */
        uint8_t tries;
        bool decided;      /* somebody chose: who is asked now is to claim */
        uint64_t node;     /* who was chosen; 0: any */
        uint64_t over;     /* entering: whose place it takes, as was said; 0: nobody's */
        int64_t due_us;    /* to ask, or to wait no longer */
        int64_t since_us;  /* when it began */
        int64_t strays_us; /* until then a home that was asked in vain may claim the session */
    } way;

    bool was_lobby;       /* entering: out of the lobby, to which it goes back */
    uint8_t ticket_bytes; /* said by Hello, then as its home wrote it */
    uint8_t ticket[TICKET_BYTES_MAX];
    struct near_cell near[NEAR_CELLS];
    int32_t near_quarter_x, near_quarter_y; /* in quarters of tiles, where near was chosen */

    struct {
        uint16_t cx, cy;
    } forgets[FORGETS_MAX];

    struct { /* spectator */
        uint32_t island;
        int32_t x_mm, y_mm;
        uint32_t w_mm, h_mm;
        uint32_t topics[GATE_SPECTATOR_CHUNKS];
        uint32_t topic_count;
    } camera;
};

struct slice_of_crowd {
    uint64_t first, last;
    uint32_t at, bytes;
};

/* The last command of a session, until its result has come: sent again to every new home, which
 * (player, seq) makes harmless. */
struct kept_command {
    uint64_t seq;
    uint32_t bytes;
    uint8_t body[COMMAND_BYTES_MAX];
};

/* The end of a session that its home was not told yet. */
struct farewell {
    uint64_t player, session_epoch;
    enum input_kind how;
    uint8_t home;
};

enum home_state {
    HOME_FREE,
    HOME_UP,
    HOME_DOWN, /* its link broke: it may come back */
    HOME_DEAD, /* for good: what it published is about to be reaped */
    HOME_STATES
};

enum set_state {
    SET_NEW,     /* nothing was told since the home is up; an empty set need not be */
    SET_DUE,     /* it has something else: to be told whole */
    SET_TELLING, /* the whole set is on its way, as far as cursor */
    SET_TOLD     /* and from then on what changes */
};

/* One of the two sets (spectators', avatars') as one home was told. */
struct told_set {
    enum set_state state;
    uint32_t version, cursor;
    uint32_t unheard; /* messages whose acknowledgement has not come */
    bool repair_due;  /* the home's digest differs */
    int64_t repaired_us, told_us;
};

/* Named by its slot from up to the end of what it published; by the peer while it is up. */
struct gate_home {
    enum home_state state;
    uint32_t peer;
    uint64_t node;
    bool draining;
    bool given_up;          /* down: nobody waits for it any more */
    uint32_t players, sent; /* as its last heart-beat said, and whom we sent there since */
    int64_t forget_us;      /* down: when what it published is reaped */
    uint32_t reap_at;       /* entity up to which that is done */
    uint32_t open_topic;    /* whose snapshot it is telling, page by page; POOL_NONE */
    uint64_t open_steward_epoch;
    struct told_set sets[2];
};

#define CHART_RECORDS_MAX 8192
#define CHART_CELLS_MAX   (8 * DENSITY_CELLS_MAX)

struct chart_island {
    uint32_t island, at, bytes; /* of chart.told */
};

/* What one home said of one island. */
struct chart_record {
    uint32_t next; /* what was said before it of the same island */
    uint32_t at, bytes;
    uint8_t home;
};

struct chart_period {
    int64_t began_us;
    uint8_t *bytes; /* owned, CHART_BYTES */
    uint32_t used, count;
    struct chart_record *records; /* owned, CHART_RECORDS_MAX */
};

struct chart_place {
    uint32_t island;
    uint32_t newest[2]; /* record per period; POOL_NONE */
    bool told, owed;    /* in this second; something was said since */
};

struct chart {
    struct map place_by_island;
    struct chart_place *places; /* owned, one per island */
    uint32_t places_count;
    struct chart_period periods[2];
    uint32_t period;            /* the present one; what stands in the other still counts */
    struct density_cell *cells; /* owned, for adding up */

    uint8_t *told;                /* owned, CHART_BYTES: the sums of this second */
    struct chart_island *islands; /* owned, one per island */
    uint32_t used, count;
    int64_t began_us;
    bool owes;
};

/* For sorting a crowd by id. */
struct crowd_entry {
    uint64_t entity;
    uint32_t index;
};

/* What is said in channels of the whole world: the last lines as frames that all clients are sent.
 * Counted on; a client has been told those before its cursor. */
#define LINES_KEPT     16 /* above LINES_BURST: nobody misses one by being told it a tick late */
#define LINE_FRAME_MAX 320
#define LINES_PER_S    5 /* that any client is told */
#define LINES_BURST    10
#define LINES_KNOWN    1024 /* ids */

struct world_lines {
    struct once known;
    struct bucket bucket;
    uint32_t end;
    uint32_t slots_left; /* until nobody is told of the last one any more */
    uint16_t bytes[LINES_KEPT];
    uint8_t frames[LINES_KEPT][LINE_FRAME_MAX];
};

struct gate {
    struct gate_options options;
    const struct env *env; /* borrowed */
    struct gate_stats stats;

    struct conn *conns; /* by index of the port */
    struct conn_hot *hot;
    uint32_t conns_high; /* above the highest index ever used */
    struct pool in_small, in_large, out, seen_pool, spectator_pool;
    struct map conn_by_player;
    struct pool commands;
    struct farewell *farewells; /* owned, conns_max */
    uint32_t farewells_owed;
    uint32_t inputs_owed; /* moves and commands of those who play */
    uint32_t owed_from;   /* where telling them goes on */
    uint32_t entering;    /* connections that wait for their first home */
    struct bucket resumes;
    struct gate_home homes[HOMES_MAX];
    uint8_t homes_high;              /* above the highest slot ever used */
    uint8_t home_by_peer[PEERS_MAX]; /* HOME_NONE: not up */
    char gate_texts[GATES_MAX][GATE_BYTES_MAX + 1];
    uint32_t gate_texts_count; /* others' */

    struct pool topics, chunks, entities, news_pages, watcher_blocks, crowds;
    struct map topic_by_id, entity_by_id;
    uint32_t first_news, first_logging, first_changed[2];
    uint32_t subscribe_epoch;
    uint64_t digest[2];
    uint32_t told_topics[2]; /* in the sets */
    uint32_t watched_topics; /* held for spectators */

    int64_t slot;   /* the last one served: mono us / GATE_SLOT_US */
    int64_t second; /* of the last sweep for silence and spectators */
    uint8_t *book;  /* owned, BOOK_BYTES: this tick's slices */
    uint32_t book_used;
    struct slice_of_crowd *slices; /* owned */
    uint32_t slices_used, slices_max;
    int64_t book_tick;
    struct crowd_entry *sorting; /* owned, entities_max */
    struct chart chart;
    struct world_lines lines;
    uint8_t scratch[32768];
};

/* gate.c */
void conn_close(struct gate *g, uint32_t conn, uint32_t code,
                uint32_t retry_after_ms); /* says good-bye, counts, closes */
/* The good-bye names these gates, a line each, of another shard, instead of our own. */
void conn_lead(struct gate *g, uint32_t conn, struct slice addresses);
void conn_send_message(struct gate *g, uint32_t conn, const Seom__ServerMessage *m);
void conn_move_state(struct gate *g, uint32_t conn, enum conn_state to);
/* What it saw and who it was; call it before its state moves on. */
void conn_forget_session(struct gate *g, uint32_t conn);
uint64_t conn_handle(const struct gate *g, uint32_t conn);
enum err conn_send(struct gate *g, uint32_t conn, struct slice *pieces, uint32_t count,
                   size_t bytes) MUST_USE;
/* Which addresses a client is told: the others' from a random one on, then its own. */
uint32_t gate_list(const struct gate *g, char *out[GATES_MAX]);

static inline bool
conn_plays(enum conn_state state)
{
    return state == CONN_PLAYING || state == CONN_RESUMING;
}

/* homes.c */
enum err gate_tell(struct gate *g, uint8_t home, const struct link_message *m) MUST_USE;
uint8_t gate_home_of(const struct gate *g, uint64_t node); /* that is up; HOME_NONE */
/* One that takes people in, the one with fewer of two random ones; another than `but` if there is
 * one. HOME_NONE. */
uint8_t gate_home_choose(const struct gate *g, uint8_t but);
void gate_homes_end_snapshots(struct gate *g);
void gate_homes_turn(struct gate *g);

/* enter.c */
void enter_hello(struct gate *g, uint32_t conn, const Seom__Hello *hello);
void enter_go(struct gate *g, uint8_t home, const struct link_go *go);
void enter_home(struct gate *g, uint8_t home, const struct link_home *said);
/* The session was replaced, says its home: perhaps by ourselves. true: that is being asked. */
bool enter_doubts_end(struct gate *g, uint32_t conn);
void enter_turn_away(struct gate *g, uint32_t conn, uint32_t code, uint32_t retry_after_ms);
void enter_home_up(struct gate *g, uint8_t home);
void enter_home_down(struct gate *g, uint8_t home, bool dead);
void enter_home_given_up(struct gate *g, uint8_t home); /* nobody waits for it any longer */
void enter_slot(struct gate *g, uint32_t slot);         /* of the tick: whose turn it is to ask */

/* session.c */
void session_frame(struct gate *g, uint32_t conn, struct slice frame);
void session_welcome(struct gate *g, uint32_t conn, const struct link_home *home);
void session_self(struct gate *g, uint8_t home, const struct link_self *self);
void session_ended(struct gate *g, uint32_t conn, enum input_kind how);
void session_farewell(struct gate *g, const struct farewell *f);
void session_lobby(struct gate *g, uint32_t conn, uint32_t code, uint32_t retry_after_ms);
/* Its home is another, or gone; what the home was not told, or did not answer, is told anew. */
void session_homeless(struct gate *g, uint32_t conn);
void session_resumed(struct gate *g, uint32_t conn, const struct link_home *home, bool as_told);
void session_home_down(struct gate *g, uint8_t home);
void session_owed(struct gate *g); /* tells homes what a full link refused */
void session_forget(struct gate *g, uint32_t conn);

/* news.c */
void news_init(struct news *news);
void news_clear(struct gate *g, struct news *news);
void news_append(struct gate *g, struct news *news, struct slice record);
bool news_trim(struct gate *g, struct news *news, int64_t before_us); /* true: nothing is left */
bool news_covers(const struct news *news, uint32_t cursor);
uint32_t news_bytes_from(const struct news *news, uint32_t cursor);
/* The pieces from a cursor on, whole pages each, at most max of them and at most room bytes;
 * *cursor moves on; *bytes grows. Returns how many. */
uint32_t news_pieces(struct gate *g, const struct news *news, uint32_t *cursor,
                     struct slice *pieces, uint32_t max, size_t room, size_t *bytes);

/* replica.c */
void replica_batch(struct gate *g, uint8_t home, const struct link_batch *batch);
/* The snapshot that a home was telling is over: what is not in it is gone. */
void replica_snapshot_end(struct gate *g, uint8_t home);
/* Drops what a home published, from entity *at on, a part of it; true: all is gone. */
bool replica_reap(struct gate *g, uint8_t home, uint32_t *at);
uint32_t replica_topic(struct gate *g, topic_id id); /* makes it; POOL_NONE at the limit */
void replica_topic_drop(struct gate *g, uint32_t topic);
uint32_t replica_chunk(struct gate *g, uint32_t topic, uint16_t cx,
                       uint16_t cy); /* makes it; POOL_NONE at the limit */
void replica_mark(struct gate *g);   /* news since the last call reach the watchers' dirty masks */
void replica_trim(struct gate *g, int64_t now_us);
void chunk_watch(struct gate *g, uint32_t chunk, uint32_t conn, uint32_t slot);
void chunk_unwatch(struct gate *g, uint32_t chunk, uint32_t conn);

/* interest.c */
void interest_moved(struct gate *g, uint32_t conn); /* after the avatar's place changed */
void interest_clear(struct gate *g, uint32_t conn);
void interest_camera(struct gate *g, uint32_t conn, const Seom__Camera *camera);
void interest_spectators(
    struct gate *g); /* once a second: what woke or fell asleep in their windows */
void interest_retry(struct gate *g);
void interest_density(struct gate *g, bool on); /* the first spectator came, the last one left */
void interest_drop(struct gate *g, uint32_t topic); /* if nobody holds it, nor any home */

/* subscribe.c */
bool subscribe_wants(const struct seen_topic *t, bool wakes);
void subscribe_changed(struct gate *g, uint32_t topic, bool wakes);
void subscribe_turn(struct gate *g); /* tells homes what changed */
void subscribe_heard(struct gate *g, uint8_t home, const struct link_subscribed *s);

/* crowd.c */
void crowd_check(struct gate *g,
                 uint32_t chunk); /* becomes crowded or normal by its number of movers */
void crowd_add(struct gate *g, struct seen_chunk *c, uint32_t entity);
void crowd_remove(struct gate *g, struct seen_chunk *c, uint32_t entity);
void crowd_told(struct gate *g, struct seen_chunk *c, uint32_t entity, uint8_t cell_before,
                struct slice record);
void crowd_near(struct gate *g, uint32_t conn); /* the 3 x 3 cells around the avatar */
void crowd_trim(struct gate *g, int64_t before_us);
const struct slice_of_crowd *crowd_slice(struct gate *g, struct crowd *crowd, uint64_t from);
uint8_t cell_of(int32_t x_mm, int32_t y_mm);

/* lines.c: what is said in channels of the whole world */
void lines_init(struct gate *g);
void lines_fini(struct gate *g);
void lines_said(struct gate *g, const struct link_said *said);
void lines_begin(struct gate *g, uint32_t conn); /* from here on it is told */
void lines_slot(struct gate *g, uint32_t slot);

/* feed.c */
void feed_slot(struct gate *g, uint32_t slot);

/* ahead.c: hints to the cache, in AHEAD_STEPS steps from 0 on */
#define AHEAD_STEPS 4
void conn_prefetch(const struct gate *g, uint32_t conn);
void feed_ahead(const struct gate *g, uint32_t step, uint32_t conn);

/* chart.c */
void chart_init(struct chart *chart);
void chart_fini(struct chart *chart);
void chart_turn(struct gate *g);
void chart_density(struct gate *g, uint8_t home, const struct link_density *density);
/* What a spectator is to be told of the chart in one send; at most max pieces; *bytes grows. */
uint32_t chart_pieces(struct gate *g, struct conn *c, struct slice *pieces, uint32_t max,
                      size_t *bytes);

#endif
