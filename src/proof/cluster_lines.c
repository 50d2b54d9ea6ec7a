/* What is told to the whole world, and what must hold of it: lines of its channel, the word of
 * mail, where gates are.
 *
 * While faults fall, a line may be lost, but nobody hears one twice while it plays, and a note
 * comes to a home once and never to the shard in which it began. When they are over, everybody
 * hears each line, and the lines of one player in their order; who gets mail is told so; all homes
 * know where the gates of the other shard are.
 */
#include "base/check.h"
#include "proof/cluster_state.h"
#include "wire/limits.h"
#include <stdio.h>
#include <string.h>

#define SPEAKERS_MAX 8 /* at the end; two lines each */
#define SPEAK_US     500000
#define AGAIN_US     100000
#define ENTERED_US   1000000 /* who was welcomed so long ago hears what is said */

/* ---- lines ---- */

void
cluster_line_say(struct cluster_person *p)
{
    struct cluster_model *m = p->model;
    char text[16];
    uint32_t number;
    if (m->said_count == CLUSTER_LINES_MAX) {
        return;
    }
    int bytes = snprintf(text, sizeof text, "%u", m->said_count);
    struct slice said = {.at = (const uint8_t *)text, .bytes = (size_t)bytes};
    if (seom_client_say_in(p->client, CHANNEL_WORLD, said, &number) == OK) {
        m->said[m->said_count++] = (struct cluster_line){.player = seom_client_player(p->client),
                                                         .person = p->index,
                                                         .said_us = cluster_now_us(m)};
        cluster_person_flush(p);
    }
}

static void
speak(void *arg, uint64_t person)
{
    struct cluster_model *m = arg;
    struct cluster_person *p = &m->persons[person];
    if (!m->over && seom_client_state(p->client) == SEOM_PLAYING) {
        cluster_line_say(p);
    }
}

/* Few enough for what a client is told in a second. */
void
cluster_lines_begin(struct cluster_model *m)
{
    for (uint32_t i = 0; i < m->knobs.persons && i < SPEAKERS_MAX; i++) {
        int64_t at_us = m->quiet_us + (int64_t)i * SPEAK_US;
        cluster_at(m, at_us, speak, m, i);
        cluster_at(m, at_us + AGAIN_US, speak, m, i);
    }
}

/* CLUSTER_LINES_MAX: none. */
static uint32_t
number_of(struct slice text)
{
    uint32_t number = 0;
    for (size_t i = 0; i < text.bytes && i < 4; i++) {
        uint8_t digit = (uint8_t)(text.at[i] - '0');
        number = digit <= 9 ? number * 10 + digit : CLUSTER_LINES_MAX;
    }
    return text.bytes == 0 || text.bytes > 4 ? CLUSTER_LINES_MAX : number;
}

/* Of what was said when all was calm: nothing that the same player said later came before. */
static void
check_order(struct cluster_person *p, uint32_t number)
{
    struct cluster_model *m = p->model;
    const struct cluster_line *line = &m->said[number];
    for (uint32_t i = number + 1; i < m->said_count && line->said_us >= m->quiet_us; i++) {
        if (m->said[i].player == line->player && m->said[i].heard[p->index] == p->welcomes) {
            cluster_wrong(m, PROOF_WRONG, CLUSTER_LINE_ALL,
                          "person %u heard line %u of %llx before line %u", p->index, i,
                          (unsigned long long)line->player, number);
        }
    }
}

void
cluster_line_heard(struct cluster_person *p, uint32_t channel, uint64_t player, struct slice text)
{
    struct cluster_model *m = p->model;
    uint32_t number = number_of(text);
    cluster_exercised(m, CLUSTER_LINE_ONCE);
    if (number >= m->said_count || channel != CHANNEL_WORLD || m->said[number].player != player) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_LINE_ONCE,
                      "person %u hears of %llx what nobody said: %.*s", p->index,
                      (unsigned long long)player, (int)text.bytes, (const char *)text.at);
        return;
    }
    struct cluster_line *line = &m->said[number];
    if (line->heard[p->index] == p->welcomes) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_LINE_ONCE, "person %u hears line %u of %llx again",
                      p->index, number, (unsigned long long)player);
    }
    line->heard[p->index] = p->welcomes;
    check_order(p, number);
    if (m->persons[line->person].island != p->island) {
        cluster_sometimes(m, CLUSTER_SOMETIMES_LINE_CROSSED);
    }
}

static void
check_heard(struct cluster_model *m, uint32_t number)
{
    const struct cluster_line *line = &m->said[number];
    for (uint32_t i = 0; i < m->knobs.persons && !m->over; i++) {
        const struct cluster_person *p = &m->persons[i];
        if (line->said_us - p->welcome_us < ENTERED_US) {
            continue;
        }
        cluster_exercised(m, CLUSTER_LINE_ALL);
        if (line->heard[i] != p->welcomes) {
            cluster_wrong(m, PROOF_WRONG, CLUSTER_LINE_ALL,
                          "person %u on island %u did not hear line %u of %llx on island %u", i,
                          p->island, number, (unsigned long long)line->player,
                          m->persons[line->person].island);
        }
    }
}

/* ---- notes ---- */

void
cluster_note_heard(struct cluster_node *n, const struct note *note)
{
    struct cluster_model *m = n->model;
    uint32_t known = n->notes_count < CLUSTER_NOTES_KNOWN ? n->notes_count : CLUSTER_NOTES_KNOWN;
    cluster_exercised(m, CLUSTER_NOTE_ONCE);
    if (note->kind != NOTE_MAIL && note->shard == n->self.shard) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_NOTE_ONCE,
                      "%s hears a line of %llx, which began in its own shard", n->self.name,
                      (unsigned long long)note->player);
    }
    for (uint32_t i = 0; i < known; i++) {
        if (n->notes[i] == note->id) {
            cluster_wrong(m, PROOF_WRONG, CLUSTER_NOTE_ONCE, "%s hears note %llx again",
                          n->self.name, (unsigned long long)note->id);
        }
    }
    n->notes[n->notes_count++ % CLUSTER_NOTES_KNOWN] = note->id;
    const struct cluster_claim *claim = cluster_claim_of(m, note->player);
    if (note->kind == NOTE_MAIL && note->shard != n->self.shard && claim != NULL &&
        claim->node == n->self.epoch) {
        cluster_sometimes(m, CLUSTER_SOMETIMES_MAIL_CROSSED);
    }
}

/* ---- mail ---- */

void
cluster_mail_result(struct cluster_person *p, bool fine)
{
    struct cluster_model *m = p->model;
    for (uint32_t i = 0; i < m->knobs.persons && fine && p->mails != 0; i++) {
        struct cluster_person *to = &m->persons[i];
        if (seom_client_player(to->client) == p->mails && p->mails_us > to->mail_us) {
            to->mail_us = p->mails_us;
        }
    }
    p->mails = 0;
}

void
cluster_mail_told(struct cluster_person *p)
{
    p->mail_told_us = cluster_now_us(p->model);
}

/* What came while faults fell, a client that was there is told of when they are over. */
static void
check_mail(struct cluster_person *p)
{
    struct cluster_model *m = p->model;
    if (p->mail_us == 0) {
        return;
    }
    cluster_exercised(m, CLUSTER_MAIL);
    if (p->mail_told_us < p->mail_us) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_MAIL,
                      "person %u, %llx, has mail since %lld ms and was not told since %lld ms",
                      p->index, (unsigned long long)seom_client_player(p->client),
                      (long long)p->mail_us / 1000, (long long)p->mail_told_us / 1000);
    }
}

/* ---- gates ---- */

static void
check_gates(struct cluster_node *home, uint16_t shard)
{
    struct cluster_model *m = home->model;
    struct slice told = shards_gates(&home->shards.shards, shard);
    uint32_t gates = 0, count = 0;
    cluster_exercised(m, CLUSTER_GATES);
    for (uint32_t gate = 0; gate < m->knobs.gates; gate++) {
        gates += cluster_gate(m, gate)->self.shard == shard;
    }
    for (size_t at = 0; at < told.bytes;) {
        const uint8_t *end = memchr(told.at + at, '\n', told.bytes - at);
        char address[LINE_ADDRESS_MAX] = "";
        CHECK(end != NULL);
        size_t bytes = (size_t)(end - told.at) - at;
        CHECK(bytes < sizeof address);
        memcpy(address, told.at + at, bytes);
        const struct cluster_node *gate = cluster_gate_at(m, address);
        count += gate != NULL && gate->self.shard == shard;
        at += bytes + 1;
    }
    if (count != (gates < GATES_MAX ? gates : GATES_MAX)) {
        cluster_wrong(m, PROOF_STUCK, CLUSTER_GATES, "%s knows of %u gates of shard %u, not %u",
                      home->self.name, count, shard, gates);
    }
}

/* ---- at the end ---- */

static void
note_ways(struct cluster_model *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        const struct cluster_node *n = &m->nodes[i];
        const struct notes *notes = cluster_node_is_relay(n) ? n->relay.notes : n->shards.notes;
        if (notes != NULL) {
            const struct notes_stats *s = notes_stats(notes);
            m->result->sometimes[CLUSTER_SOMETIMES_NOTE_TWICE] += s->again;
            m->result->sometimes[CLUSTER_SOMETIMES_NOTE_LOST] += s->lost;
        }
    }
}

void
cluster_lines_check(struct cluster_model *m)
{
    for (uint32_t i = 0; i < m->said_count && !m->over; i++) {
        if (m->said[i].said_us >= m->quiet_us) {
            check_heard(m, i);
        }
    }
    for (uint32_t i = 0; i < m->knobs.persons && !m->over; i++) {
        check_mail(&m->persons[i]);
    }
    for (uint32_t h = 0; h < m->knobs.homes && !m->over; h++) {
        for (uint16_t shard = 1; shard <= m->knobs.shards && !m->over; shard++) {
            if (shard != m->nodes[h].self.shard) {
                check_gates(&m->nodes[h], shard);
            }
        }
    }
    note_ways(m);
}
