/* The batch: what is said about one topic, packed by hand, format 1. Publishers, gates and clients
 * share it: a gate forwards the very bytes that the home wrote. docs/protocol.md is the contract;
 * change both together.
 *
 * A batch is a row of records; each stands alone and begins with its kind (u8). All little-endian.
 *   MOTION  u8=1  entity u64, look u8, x i32, y i32, vx i16, vy i16, since u32, lasts u16
 *   LEAVE   u8=2  entity u64, cx u16, cy u16: left that chunk, for another or for good
 *   SAY     u8=3  entity u64, bytes u8, UTF-8
 *   FORGET  u8=4  cx u16, cy u16: drop every entity that stands in that chunk (gate to client)
 *   RANGE   u8=5  rotation slice of a crowded chunk, see below (gate to client)
 *   SELF    u8=6  flags u8, move_no u32, then entity.. of MOTION: the truth about the own avatar
 *   THING   u8=7  entity u64, kind u8, x i32, y i32, bytes u8 (<= 64), attributes of the game
 *   DENSITY u8=8  island u32, cell_m u16, count u16, then count x {column u16, row u16, people u16}
 *                 (gate to spectator)
 *   ISLAND  u8=9  island u32: what follows is about it; everything known before is dropped
 *   OWNED   u8=10 entity u64, session_epoch u64: the publisher is home to that player; comes before
 *                 its first MOTION in a topic (home to gate only)
 *
 * since is the low 32 bits of world ms: the reader takes the value nearest to its own world time.
 * Chunks are not ordered against each other: a MOTION that begins before the one known of that
 * entity is old news and changes nothing (of an entity last told by a RANGE: before its tick - 300
 * ms). The place of a MOTION is always inside the chunk it is published for.
 *
 * RANGE: cx u16, cy u16, first u64, last u64, tick u32, count u16, then count entries ordered by
 * entity: varint (entity - previous entity; the first one: entity - first), look u8 (low 4 bits the
 * kind, high 4 bits a shift s), x u16, y u16 (mm within the chunk), vx i8, vy i8 (in (16 << s)
 * mm/s), lasts u8 (in 40 ms). The places are those at world time tick. Every mover (entity known by
 * MOTION, not THING) of that chunk with first <= entity <= last that is not listed is gone. A RANGE
 * neither moves nor removes an entity whose known since is later than tick - 300 ms: what was heard
 * of it directly is newer.
 */
#ifndef SEOM_WIRE_BATCH_H
#define SEOM_WIRE_BATCH_H

#include "base/bytes.h"
#include "base/err.h"
#include "wire/motion.h"
#include <stdint.h>

#define BATCH_FORMAT 1

enum record_kind {
    RECORD_MOTION = 1,
    RECORD_LEAVE = 2,
    RECORD_SAY = 3,
    RECORD_FORGET = 4,
    RECORD_RANGE = 5,
    RECORD_SELF = 6,
    RECORD_THING = 7,
    RECORD_DENSITY = 8,
    RECORD_ISLAND = 9,
    RECORD_OWNED = 10,
};

#define RECORD_MOTION_BYTES   28
#define RECORD_LEAVE_BYTES    13
#define RECORD_FORGET_BYTES   5
#define RECORD_SELF_BYTES     33
#define RECORD_ISLAND_BYTES   5
#define RECORD_OWNED_BYTES    17
#define RANGE_HEAD_BYTES      27
#define RANGE_ENTRY_BYTES_MAX 18
#define SAY_BYTES_MAX         200
#define ATTRIBUTES_MAX        64
#define DENSITY_CELLS_MAX     2048

/* How an entity looks and moves, the low 4 bits its kind. */
enum look { LOOK_WALKER = 0, LOOK_RIDER = 1, LOOK_ANIMAL = 2, LOOK_KIND_MASK = 15 };

enum self_flag {
    SELF_CORRECTED = 1, /* the move was not accepted as sent: stand where motion says */
    SELF_MOVED = 2,     /* placed anew (login, voyage) */
};

struct record_motion {
    uint64_t entity;
    uint8_t look;
    struct motion motion;
};

struct record_self {
    uint8_t flags;
    uint32_t move_no; /* the last move that was handled */
    struct record_motion body;
};

struct record_thing {
    uint64_t entity;
    uint8_t kind;
    struct place place;
    struct slice attributes;
};

struct density_cell {
    uint16_t column, row, people;
};

struct record_range {
    uint16_t cx, cy;
    uint64_t first, last;
    int64_t at_ms;
    uint16_t count;
};

/* One decoded record. Slices point into the batch. */
struct record {
    enum record_kind kind;
    uint64_t entity;    /* MOTION, LEAVE, SAY, SELF, THING, OWNED */
    uint16_t cx, cy;    /* LEAVE, FORGET, RANGE */
    struct slice whole; /* the record's own bytes, kind included */

    union {
        struct record_motion motion; /* MOTION, also the body of SELF */
        struct record_self self;
        struct record_thing thing;
        struct slice text;         /* SAY */
        struct record_range range; /* its entries by range_next() */

        struct {
            uint32_t island;
            uint16_t cell_m, count;
            struct slice cells; /* by density_at() */
        } density;

        uint32_t island;
        uint64_t session_epoch; /* OWNED */
    } as;
};

void batch_put_motion(struct writer *w, const struct record_motion *m);
void batch_put_leave(struct writer *w, uint64_t entity, uint16_t cx, uint16_t cy);
/* CHECKs that text is at most SAY_BYTES_MAX. */
void batch_put_say(struct writer *w, uint64_t entity, struct slice text);
void batch_put_forget(struct writer *w, uint16_t cx, uint16_t cy);
void batch_put_self(struct writer *w, const struct record_self *s);
void batch_put_thing(struct writer *w, const struct record_thing *t);
void batch_put_island(struct writer *w, uint32_t island);
void batch_put_owned(struct writer *w, uint64_t entity, uint64_t session_epoch);
void batch_put_density(struct writer *w, uint32_t island, uint16_t cell_m,
                       const struct density_cell *cells, uint16_t count);

/* Rotation slice: begin, add in growing order of entity, end. Motions are told as at at_ms. */
struct range_writer {
    struct writer *out;
    uint8_t *count_at;
    uint64_t previous;
    struct record_range head;
};

void range_begin(struct range_writer *rw, struct writer *out, uint16_t cx, uint16_t cy,
                 uint64_t first, int64_t at_ms);
/* CHECKs the order; look and place at at_ms. */
void range_add(struct range_writer *rw, const struct record_motion *m);
void range_end(struct range_writer *rw, uint64_t last);

/* Reads the next record. near_ms: the reader's world time, to complete `since`. ERR_FORMAT names
 * nothing more: whoever sent it is cut. At the end of the batch reader_left() is 0. */
/* The entity of the first record, unchecked; 0: there is none, or it is not of one entity. */
uint64_t batch_subject(struct slice records);
enum err batch_next(struct reader *r, int64_t near_ms, struct record *out);

struct range_reader {
    struct reader in;
    struct record_range head;
    uint64_t previous;
    uint16_t left;
};

/* Entries of a RANGE that batch_next() has already checked whole: cannot fail. false at the end. */
void range_open(struct range_reader *rr, const struct record *record);
bool range_next(struct range_reader *rr, struct record_motion *out);
struct density_cell density_at(struct slice cells, uint16_t index);

#endif
