/* Lines said in channels of the whole world. Each is written once, as the frame that every client
 * is sent; in its slot of the tick a client gets those it was not told yet, in one gathered send.
 * Beyond LINES_PER_S lines are dropped for all: what a client is told of the world's channels costs
 * it less than 2 KB/s, whoever shouts. A client whose socket is full for a second is passed over.
 */
#include "base/check.h"
#include "view/state.h"
#include <string.h>

#define TELL_SLOTS (10 * GATE_SLOTS)

static const struct bucket_rate line_rate = {.per_s = LINES_PER_S, .burst = LINES_BURST};

void
lines_init(struct gate *g)
{
    once_init(&g->lines.known, LINES_KNOWN, env_random(g->env));
    bucket_init(&g->lines.bucket, line_rate, env_mono_us(g->env));
}

void
lines_fini(struct gate *g)
{
    once_fini(&g->lines.known);
}

void
lines_begin(struct gate *g, uint32_t conn)
{
    g->conns[conn].line = g->lines.end;
}

void
lines_said(struct gate *g, const struct link_said *said)
{
    struct world_lines *lines = &g->lines;
    if (!once_take(&lines->known, said->id) && g->options.mutant != GATE_MUTANT_LINES_AGAIN) {
        g->stats.lines_again++;
        return;
    }
    if (!bucket_take(&lines->bucket, line_rate, env_mono_us(g->env), 1)) {
        g->stats.lines_dropped++;
        return;
    }
    char name[NAME_BYTES_MAX + 1] = "", text[SAY_BYTES_MAX + 1] = "";
    CHECK(said->name_bytes <= NAME_BYTES_MAX && said->text.bytes <= SAY_BYTES_MAX);
    memcpy(name, said->name, said->name_bytes);
    memcpy(text, said->text.at, said->text.bytes);
    Seom__Said out = SEOM__SAID__INIT;
    out.channel = said->channel;
    out.player = said->player;
    out.name = name;
    out.text = text;
    Seom__ServerMessage m = SEOM__SERVER_MESSAGE__INIT;
    m.what_case = SEOM__SERVER_MESSAGE__WHAT_SAID;
    m.said = &out;
    uint32_t at = lines->end % LINES_KEPT;
    size_t bytes = message_write_server(&m, lines->frames[at], LINE_FRAME_MAX);
    CHECK(bytes > 0);
    lines->bytes[at] = (uint16_t)bytes;
    lines->end++;
    lines->slots_left = TELL_SLOTS;
    g->stats.lines++;
}

static void
tell(struct gate *g, uint32_t conn)
{
    struct world_lines *lines = &g->lines;
    struct conn *c = &g->conns[conn];
    struct slice pieces[2 * LINES_KEPT];
    uint8_t heads[LINES_KEPT][FRAME_HEAD_MAX];
    uint32_t count = 0;
    size_t bytes = 0;
    c->line = lines->end - c->line > LINES_KEPT ? lines->end - LINES_KEPT : c->line;
    for (; c->line != lines->end; c->line++) {
        uint32_t at = c->line % LINES_KEPT;
        uint8_t *head = heads[count / 2];
        size_t head_bytes = frame_head(c->framing.kind, lines->bytes[at], head);
        pieces[count++] = (struct slice){.at = head, .bytes = head_bytes};
        pieces[count++] = (struct slice){.at = lines->frames[at], .bytes = lines->bytes[at]};
        bytes += head_bytes + lines->bytes[at];
    }
    if (conn_send(g, conn, pieces, count, bytes) == ERR_FULL) {
        conn_close(g, conn, SEOM__CODE__TOO_SLOW, 0);
    }
}

void
lines_slot(struct gate *g, uint32_t slot)
{
    if (g->lines.slots_left == 0) {
        return;
    }
    g->lines.slots_left--;
    for (uint32_t i = slot; i < g->conns_high; i += GATE_SLOTS) {
        enum conn_state state = g->hot[i].state;
        bool hears = conn_plays(state) || state == CONN_SPECTATOR;
        if (hears && g->conns[i].line != g->lines.end && !g->hot[i].out_pending) {
            tell(g, i);
        }
    }
}
