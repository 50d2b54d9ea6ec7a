/* For tests of this room: a client that is a buffer. Whatever its gate sends is decoded as it
 * comes, with the client's own replica, and counted. One test thread.
 */
#ifndef SEOM_VIEW_FIXTURE_CLIENT_H
#define SEOM_VIEW_FIXTURE_CLIENT_H

#include "client/replica.h"
#include "wire/batch.h"
#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/message.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SCENE_SLOTS     8192 /* of 10 ms: how long a scene lasts */
#define SCENE_TAKES_ALL SIZE_MAX
#define SCENE_BYTES     (256 * 1024)

/* What a client got. */
struct scene_client {
    bool open;
    size_t room; /* what its socket still takes */
    bool wants_writable;
    uint64_t density_islands; /* a bit per island that was told; and of the last one: */
    uint32_t density_people, density_cells, density_cell_m;
    uint32_t sends; /* gathered sends of which something was taken */
    size_t used;    /* bytes of frames that are not whole yet */
    uint8_t *bytes; /* owned */
    struct replica replica;
    uint32_t welcomes, answers, results, pongs, goodbyes;
    uint32_t selfs, islands, forgets, motions, leaves, says, ranges, things, densities;
    uint32_t code, retry_ms; /* of the good-bye */
    uint32_t answer_number, answer_code, result_code;
    uint32_t lines; /* of channels of the whole world; and the last: */
    char line[SAY_BYTES_MAX + 1], line_name[NAME_BYTES_MAX + 1];
    uint32_t goodbye_gates;
    char goodbye_gate[GATE_BYTES_MAX + 1]; /* the first */
    uint32_t lobbies, lobby_code, lobby_retry_ms, changes, changed_what;
    size_t shown_bytes; /* of the last answer */
    uint64_t entity;
    uint8_t self_flags;
    uint32_t slot_bytes[SCENE_SLOTS]; /* of batches */
};

static inline void
scene_client_range(struct scene_client *c, const struct record *r, int64_t now_ms)
{
    struct range_reader rr;
    struct record_motion m;
    const struct seom_entity *known;
    int64_t quiet_ms;
    uint64_t gone;
    range_open(&rr, r);
    replica_range_begin(&c->replica);
    while (range_next(&rr, &m)) {
        assert_int_equal(
            replica_range_entry(&c->replica, &r->as.range, &m, now_ms, &known, &quiet_ms), OK);
    }
    while ((gone = replica_range_gone(&c->replica, &r->as.range)) != 0) {
        replica_drop(&c->replica, gone);
    }
    c->ranges++;
}

static inline void
scene_client_record(struct scene_client *c, const struct record *r, int64_t now_ms)
{
    const struct seom_entity *known;
    int64_t quiet_ms;
    uint64_t gone;
    uint32_t cursor = 0;
    switch (r->kind) {
    case RECORD_MOTION:
        assert_int_equal(replica_motion(&c->replica, &r->as.motion, now_ms, &known, &quiet_ms), OK);
        c->motions++;
        break;
    case RECORD_LEAVE:
        replica_leave(&c->replica, r->entity, r->cx, r->cy);
        c->leaves++;
        break;
    case RECORD_SAY: c->says++; break;
    case RECORD_FORGET:
        while ((gone = replica_any_in_chunk(&c->replica, r->cx, r->cy)) != 0) {
            replica_drop(&c->replica, gone);
        }
        c->forgets++;
        break;
    case RECORD_RANGE: scene_client_range(c, r, now_ms); break;
    case RECORD_SELF:
        c->selfs++;
        c->self_flags = r->as.self.flags;
        break;
    case RECORD_THING:
        assert_int_equal(replica_thing(&c->replica, &r->as.thing, now_ms, &known), OK);
        c->things++;
        break;
    case RECORD_DENSITY:
        c->densities++;
        c->density_islands |= UINT64_C(1) << (r->as.density.island % 64);
        c->density_people = 0;
        c->density_cells = r->as.density.count;
        c->density_cell_m = r->as.density.cell_m;
        for (uint16_t i = 0; i < r->as.density.count; i++) {
            c->density_people += density_at(r->as.density.cells, i).people;
        }
        break;
    case RECORD_ISLAND:
        while ((known = replica_next(&c->replica, &cursor)) != NULL) {
            replica_drop(&c->replica, known->entity);
        }
        c->islands++;
        break;
    case RECORD_OWNED: fail_msg("a client is told what gates keep"); break;
    }
}

static inline void
scene_client_message(struct scene_client *c, struct slice frame)
{
    struct message_arena arena;
    const Seom__ServerMessage *m;
    assert_int_equal(message_read_server(frame, &arena, &m), OK);
    if (m->what_case == SEOM__SERVER_MESSAGE__WHAT_WELCOME) {
        c->welcomes++;
        c->entity = m->welcome->entity;
    } else if (m->what_case == SEOM__SERVER_MESSAGE__WHAT_ANSWER) {
        c->answers++;
        c->answer_number = m->answer->number;
        c->answer_code = m->answer->code;
        c->shown_bytes =
            m->answer->what_case == SEOM__ANSWER__WHAT_SHOWN ? m->answer->shown.len : 0;
    } else if (m->what_case == SEOM__SERVER_MESSAGE__WHAT_RESULT) {
        c->results++;
        c->result_code = m->result->code;
    } else if (m->what_case == SEOM__SERVER_MESSAGE__WHAT_GOODBYE) {
        c->goodbyes++;
        c->code = m->goodbye->code;
        c->retry_ms = m->goodbye->retry_after_ms;
        c->goodbye_gates = (uint32_t)m->goodbye->n_gates;
        if (c->goodbye_gates > 0) {
            strcpy(c->goodbye_gate, m->goodbye->gates[0]);
        }
    } else if (m->what_case == SEOM__SERVER_MESSAGE__WHAT_LOBBY) {
        c->lobbies++;
        c->lobby_code = m->lobby->code;
        c->lobby_retry_ms = m->lobby->retry_after_ms;
    } else if (m->what_case == SEOM__SERVER_MESSAGE__WHAT_SAID) {
        c->lines++;
        strcpy(c->line, m->said->text);
        strcpy(c->line_name, m->said->name);
    } else if (m->what_case == SEOM__SERVER_MESSAGE__WHAT_CHANGED) {
        c->changes++;
        c->changed_what = m->changed->what;
    } else {
        assert_int_equal(m->what_case, SEOM__SERVER_MESSAGE__WHAT_PONG);
        c->pongs++;
    }
}

static inline void
scene_client_frame(struct scene_client *c, struct slice frame, int64_t now_ms, int64_t slot)
{
    assert_true(frame.bytes > 0);
    if (frame.at[0] == FRAME_FORMAT_MESSAGE) {
        scene_client_message(c, frame);
        return;
    }
    assert_int_equal(frame.at[0], FRAME_FORMAT_BATCH);
    assert_true(slot < SCENE_SLOTS);
    c->slot_bytes[slot] += (uint32_t)frame.bytes + 4;
    struct reader in = reader_over(frame.at + 1, frame.bytes - 1);
    struct record r;
    while (reader_left(&in) > 0) {
        assert_int_equal(batch_next(&in, now_ms, &r), OK);
        scene_client_record(c, &r, now_ms);
    }
}

/* Length-prefixed frames; what is not whole stays. */
static inline void
scene_client_frames(struct scene_client *c, int64_t now_ms, int64_t slot)
{
    size_t at = 0;
    while (c->used - at >= 4) {
        struct reader in = reader_over(c->bytes + at, 4);
        uint32_t bytes = read_u32(&in);
        if (c->used - at - 4 < bytes) {
            break;
        }
        scene_client_frame(c, (struct slice){.at = c->bytes + at + 4, .bytes = bytes}, now_ms,
                           slot);
        at += 4 + bytes;
    }
    memmove(c->bytes, c->bytes + at, c->used - at);
    c->used -= at;
}

#endif
