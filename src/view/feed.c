/* Feeding: in its 10 ms slot of the tick a client gets everything that is new to it in one gathered
 * send. Pieces refer to the logs and the book of slices; only what is the client's own (SELF,
 * FORGET, snapshots of chunks it has just come to see) is written for it. Order: SELF, ISLAND,
 * FORGETs, chunks told whole, news, rotation.
 *
 * The budget is a bucket of bytes. What does not fit waits: news stay in the log, a chunk stays
 * fresh. A client whose socket is full is skipped; once the logs no longer reach back to its
 * cursors it is healed by telling it those chunks whole, so that it costs nothing but its own
 * delay.
 */
#include "base/check.h"
#include "view/state.h"

#define PIECES_MAX     192
#define FEED_TOGETHER  8  /* clients that are looked at ahead */
#define NEXT_CELLS     4  /* of the near ones: told whole when they come near */
#define NEAR_PERCENT   40 /* of the budget: beyond it near cells leave the rotation its share */
#define ROTATION_TICKS 10 /* nobody goes round more often than once a second */

struct feed {
    struct gate *gate;
    uint32_t conn;
    struct conn *c;
    struct conn_hot *hot;
    struct slice pieces[PIECES_MAX];
    uint32_t count;
    size_t bytes; /* of news so far */
    int32_t budget;
    struct writer own; /* over gate->scratch: pieces[1] */
    bool more;         /* something urgent is left for the next tick */
};

static void
refill(struct feed *f)
{
    struct conn *c = f->c;
    int64_t now_us = env_mono_us(f->gate->env), passed_us = now_us - c->budget_us;
    passed_us = passed_us < 1000000 ? passed_us : 1000000;
    c->budget_us = now_us;
    c->budget_bytes += (int32_t)(passed_us * GATE_BUDGET_BYTES_S / 1000000);
    c->budget_bytes = c->budget_bytes < GATE_BUDGET_BURST ? c->budget_bytes : GATE_BUDGET_BURST;
    f->budget = c->budget_bytes;
}

static size_t
told(const struct feed *f)
{
    return f->bytes + writer_used(&f->own);
}

/* Does it fit the budget? A chunk larger than any budget goes when nothing else has been said. */
static bool
affords(const struct feed *f, size_t bytes)
{
    size_t all = told(f) + bytes;
    return (int64_t)all <= f->budget || (told(f) == 0 && f->budget >= GATE_BUDGET_BURST / 2);
}

static void
tell_own(struct feed *f)
{
    struct conn *c = f->c;
    if (c->self_pending) {
        batch_put_self(&f->own, &c->self);
        c->self_pending = false;
    }
    if (c->island_pending) {
        batch_put_island(&f->own, c->island);
        c->island_pending = false;
        c->forget_count = 0;
    }
    for (uint32_t i = 0; i < c->forget_count; i++) {
        batch_put_forget(&f->own, c->forgets[i].cx, c->forgets[i].cy);
    }
    c->forget_count = 0;
}

/* Everything of a chunk, except the reader itself; of a crowded one only what stands, the people
 * come round. */
static void
tell_whole(struct feed *f, struct seen *seen)
{
    struct gate *g = f->gate;
    const struct seen_chunk *chunk = pool_at(&g->chunks, seen->chunk);
    size_t bytes = (size_t)(chunk->count - chunk->movers) * THING_BYTES_MAX + RECORD_FORGET_BYTES +
                   (chunk->crowd == POOL_NONE ? (size_t)chunk->movers * RECORD_MOTION_BYTES : 0);
    const struct seen_topic *topic = pool_at(&g->topics, chunk->topic);
    if (!topic->known) {
        f->more = true; /* the snapshot is on its way */
        return;
    }
    if (!affords(f, bytes) || writer_left(&f->own) < bytes) {
        f->more = true;
        return;
    }
    if (seen->forget_first) {
        batch_put_forget(&f->own, chunk->cx, chunk->cy);
        g->stats.healed++;
    }
    for (uint32_t i = chunk->members; i != POOL_NONE;) {
        const struct seen_entity *e = pool_at(&g->entities, i);
        if (e->entity != f->c->entity && !(e->moves && chunk->crowd != POOL_NONE)) {
            write_bytes(&f->own, e->record, e->bytes);
        }
        i = e->next;
    }
    seen->fresh = seen->forget_first = false;
    seen->cursor = chunk->news.end;
    g->stats.snapshots++;
}

static void
tell_fresh(struct feed *f)
{
    for (uint32_t slot = 0; slot < f->c->seen_max; slot++) {
        struct seen *seen = &f->c->seen[slot];
        if (seen->chunk != POOL_NONE && seen->fresh) {
            tell_whole(f, seen);
        }
    }
}

/* As many pages of a log as the budget has room for: each is smaller than a full budget. */
static void
tell_pieces(struct feed *f, const struct news *news, uint32_t *cursor)
{
    int64_t room = f->budget - (int64_t)told(f);
    if (room > 0 && f->count < PIECES_MAX / 2) {
        f->count += news_pieces(f->gate, news, cursor, &f->pieces[f->count], PIECES_MAX / 2,
                                (size_t)room, &f->bytes);
    }
}

static void
tell_log(struct feed *f, uint32_t slot)
{
    struct gate *g = f->gate;
    struct seen *seen = &f->c->seen[slot];
    uint64_t bit = UINT64_C(1) << slot;
    const struct seen_chunk *chunk = pool_at(&g->chunks, seen->chunk);
    if (seen->fresh) {
        return; /* the snapshot to come holds it */
    }
    if (!news_covers(&chunk->news, seen->cursor)) {
        if (g->options.mutant == GATE_MUTANT_HEAL_FORGOTTEN) {
            seen->cursor = chunk->news.end;
        } else {
            seen->fresh = seen->forget_first = true;
            tell_whole(f, seen);
        }
        f->hot->dirty &= ~bit;
        return;
    }
    tell_pieces(f, &chunk->news, &seen->cursor);
    if (seen->cursor == chunk->news.end) {
        f->hot->dirty &= ~bit;
    }
}

static void
tell_news(struct feed *f)
{
    /* The turn of chunks goes round, so that a tight budget starves none of them. */
    uint32_t from = (uint32_t)(f->gate->slot / GATE_SLOTS % 64);
    uint64_t low = f->hot->dirty & ((UINT64_C(1) << from) - 1), high = f->hot->dirty & ~low;
    for (; high != 0; high &= high - 1) {
        tell_log(f, (uint32_t)__builtin_ctzll(high));
    }
    for (; low != 0; low &= low - 1) {
        tell_log(f, (uint32_t)__builtin_ctzll(low));
    }
}

/* The people of a cell that has just come next to the avatar are told. Those of farther ones are
 * heard from now on: who moves within a second, who stands comes round. Things are told with their
 * chunk, whose log says when one goes. */
static void
tell_cell_whole(struct feed *f, struct near_cell *n, const struct crowd *crowd, bool next)
{
    struct gate *g = f->gate;
    for (uint32_t i = next ? crowd->members[n->cell] : POOL_NONE; i != POOL_NONE;) {
        const struct seen_entity *e = pool_at(&g->entities, i);
        if (!affords(f, e->bytes) || writer_left(&f->own) < e->bytes) {
            break; /* the rotation brings the others */
        }
        if (e->moves && e->entity != f->c->entity) {
            write_bytes(&f->own, e->record, e->bytes);
        }
        i = e->cell_next;
    }
    n->cursor = crowd->news[n->cell].end;
    n->fresh = false;
}

/* What is said of one cell since it was last heard. Beyond the share of the near any but the own is
 * passed over for this tick: newest wins, its people come round. */
static void
tell_cell_news(struct feed *f, struct near_cell *n, const struct news *news, bool own)
{
    uint32_t bytes = news_bytes_from(news, n->cursor);
    if (!own && (int64_t)(told(f) + bytes) * 100 > (int64_t)f->budget * NEAR_PERCENT) {
        n->cursor = news->end;
    } else {
        tell_pieces(f, news, &n->cursor);
    }
}

static void
tell_near(struct feed *f, bool whole)
{
    struct gate *g = f->gate;
    for (uint32_t i = 0; i < NEAR_CELLS; i++) {
        struct near_cell *n = &f->c->near[i];
        if (n->chunk == POOL_NONE || n->fresh != whole) {
            continue;
        }
        const struct seen_chunk *chunk = pool_at(&g->chunks, n->chunk);
        const struct crowd *crowd = pool_at(&g->crowds, chunk->crowd);
        const struct news *news = &crowd->news[n->cell];
        if (whole) {
            tell_cell_whole(f, n, crowd, i < NEXT_CELLS);
        } else if (!news_covers(news, n->cursor)) {
            n->fresh = true;
        } else {
            tell_cell_news(f, n, news, i == 0);
        }
    }
}

/* One slice of one crowded chunk; false when the budget or the round is at its end. */
static bool
tell_slice(struct feed *f, struct seen *seen, struct crowd *crowd)
{
    struct gate *g = f->gate;
    const struct slice_of_crowd *slice = crowd_slice(g, crowd, seen->rotation);
    if (slice == NULL || f->count == PIECES_MAX || !affords(f, slice->bytes)) {
        return false;
    }
    f->pieces[f->count++] = (struct slice){.at = g->book + slice->at, .bytes = slice->bytes};
    f->bytes += slice->bytes;
    g->stats.ranges++;
    if (g->options.mutant != GATE_MUTANT_ROTATION_STUCK) {
        seen->rotation = slice->last + 1;
    }
    return true;
}

static void
tell_rotation(struct feed *f)
{
    struct gate *g = f->gate;
    uint32_t from = (uint32_t)(g->slot / GATE_SLOTS) % f->c->seen_max;
    bool crowded = false;
    for (uint32_t i = 0; i < f->c->seen_max; i++) {
        struct seen *seen = &f->c->seen[(from + i) % f->c->seen_max];
        if (seen->chunk == POOL_NONE) {
            continue;
        }
        const struct seen_chunk *chunk = pool_at(&g->chunks, seen->chunk);
        if (chunk->crowd == POOL_NONE) {
            continue;
        }
        crowded = true;
        struct crowd *crowd = pool_at(&g->crowds, chunk->crowd);
        if (!seen->fresh && seen->cursor != chunk->news.end) {
            f->hot->dirty |= UINT64_C(1)
                             << ((from + i) % f->c->seen_max); /* things that stand: next tick */
        }
        if (seen->fresh || !tell_slice(f, seen, crowd)) {
            continue;
        }
        for (uint32_t n = 1; n < (crowd->slices_count + ROTATION_TICKS - 1) / ROTATION_TICKS; n++) {
            if (!tell_slice(f, seen, crowd)) {
                break;
            }
        }
    }
    f->hot->crowd = crowded;
}

static void
send_feed(struct feed *f)
{
    struct gate *g = f->gate;
    size_t own = writer_used(&f->own), payload = 1 + own + f->bytes;
    uint8_t head[FRAME_HEAD_MAX + 1];
    size_t head_bytes = frame_head(f->c->framing.kind, payload, head);
    head[head_bytes++] = FRAME_FORMAT_BATCH;
    f->pieces[0] = (struct slice){.at = head, .bytes = head_bytes};
    f->pieces[1] = (struct slice){.at = f->own.start, .bytes = own};
    size_t all = head_bytes + own + f->bytes;
    if (own == 0) {
        f->pieces[1] = f->pieces[0];
    }
    f->c->budget_bytes -= (int32_t)all;
    g->stats.sends++;
    g->stats.pieces += f->count - (own == 0);
    g->stats.send_bytes += all;
    struct slice *first = own == 0 ? &f->pieces[1] : &f->pieces[0];
    if (conn_send(g, f->conn, first, f->count - (own == 0), all) == ERR_FULL) {
        conn_close(g, f->conn, SEOM__CODE__TOO_SLOW, 0);
    }
}

static void
feed_conn(struct gate *g, uint32_t conn)
{
    struct feed f = {
        .gate = g, .conn = conn, .c = &g->conns[conn], .hot = &g->hot[conn], .count = 2};
    f.own = writer_over(g->scratch, sizeof g->scratch);
    refill(&f);
    tell_own(&f);
    if (f.hot->urgent) {
        tell_fresh(&f);
    }
    if (f.hot->crowd) {
        crowd_near(g, conn);
        tell_near(&f, true);
    }
    tell_news(&f);
    if (f.hot->crowd) {
        tell_near(&f, false);
        if (f.c->seen_max > 0) {
            tell_rotation(&f);
        }
        g->stats.crowd_served++;
    }
    if (f.c->chart_left > 0 && f.budget > 0) {
        f.count += chart_pieces(g, f.c, &f.pieces[f.count], PIECES_MAX - f.count, &f.bytes);
    }
    CHECK(writer_ok(&f.own));
    f.hot->urgent = f.more || f.c->chart_left > 0;
    if (told(&f) > 0) {
        send_feed(&f);
    }
}

static bool
is_due(const struct gate *g, uint32_t conn)
{
    const struct conn_hot *hot = &g->hot[conn];
    return (hot->dirty != 0 || hot->urgent || hot->crowd) &&
           (conn_plays(hot->state) || hot->state == CONN_SPECTATOR);
}

static void
feed_some(struct gate *g, const uint32_t *conns, uint32_t count)
{
    for (uint32_t step = 0; step < AHEAD_STEPS; step++) {
        for (uint32_t i = 0; i < count; i++) {
            feed_ahead(g, step, conns[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (g->hot[conns[i]].out_pending && g->options.mutant != GATE_MUTANT_QUEUE_UNBOUNDED) {
            g->stats.skipped++;
        } else if (is_due(g, conns[i])) { /* still: feeding may end a session */
            feed_conn(g, conns[i]);
        }
    }
}

void
feed_slot(struct gate *g, uint32_t slot)
{
    uint32_t due[FEED_TOGETHER], count = 0;
    for (uint32_t i = slot; i < g->conns_high; i += GATE_SLOTS) {
        if (is_due(g, i)) {
            due[count++] = i;
        }
        if (count == FEED_TOGETHER) {
            feed_some(g, due, count);
            count = 0;
        }
    }
    feed_some(g, due, count);
}
