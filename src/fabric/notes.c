#include "fabric/notes.h"
#include "base/bucket.h"
#include "base/check.h"
#include "base/once.h"
#include "base/pool.h"
#include "base/rand.h"
#include "fabric/mesh.h"
#include "wire/batch.h"
#include "wire/limits.h"
#include "wire/text.h"
#include <stdlib.h>
#include <string.h>

_Static_assert(NOTE_NAME_MAX == NAME_BYTES_MAX, "a name fits whatever it is told in");

static const struct bucket_rate note_rate = {.per_s = NOTES_PER_S, .burst = NOTES_BURST};

/* A note on its way to one of those who are of a role in a shard. */
struct errand {
    uint16_t bytes;
    uint16_t shard;
    enum node_role role;
    uint8_t tries;
    uint32_t only;  /* peer; PEERS_MAX: any of them, the first by the order of this player's */
    uint64_t order; /* where among them it begins */
    uint8_t note[NOTE_BYTES_MAX];
};

struct notes_peer {
    bool up;
    struct node node;
    struct bucket bucket;
};

struct notes {
    struct notes_options options;
    struct requests *requests; /* borrowed */
    const struct env *env;     /* borrowed */
    struct notes_peer peers[PEERS_MAX];
    struct once seen;
    struct pool errands;
    uint64_t epoch, told; /* of which ids are made */
    struct notes_stats stats;
};

/* ---- bytes ---- */

size_t
note_write(const struct note *note, uint8_t out[NOTE_BYTES_MAX])
{
    CHECK(note->kind >= NOTE_LINE && note->kind < NOTE_KINDS);
    CHECK(note->name.bytes <= NOTE_NAME_MAX && note->text.bytes <= NOTE_TEXT_MAX);
    struct writer w = writer_over(out, NOTE_BYTES_MAX);
    write_u8(&w, (uint8_t)note->kind);
    write_u8(&w, note->channel);
    write_u16(&w, note->shard);
    write_u64(&w, note->id);
    write_u64(&w, note->player);
    write_u16(&w, (uint16_t)note->name.bytes);
    write_bytes(&w, note->name.at, note->name.bytes);
    write_bytes(&w, note->text.at, note->text.bytes);
    CHECK(writer_ok(&w));
    return writer_used(&w);
}

static bool
is_sound(const struct note *note)
{
    bool has_player = note->player != 0;
    bool has_words = note->name.bytes + note->text.bytes > 0;
    switch (note->kind) {
    case NOTE_LINE:
        return has_player && note->text.bytes > 0 && note->text.bytes <= SAY_BYTES_MAX &&
               text_is_line(note->text) && (note->name.bytes == 0 || text_is_line(note->name));
    case NOTE_MAIL: return has_player && !has_words;
    case NOTE_GATES: return !has_player && text_is_utf8(note->text);
    case NOTE_KINDS: break;
    }
    return false;
}

enum err
note_read(struct slice bytes, struct note *out)
{
    struct reader r = reader_over(bytes.at, bytes.bytes);
    uint8_t kind = read_u8(&r);
    *out = (struct note){.kind = kind < NOTE_KINDS ? (enum note_kind)kind : NOTE_KINDS};
    out->channel = read_u8(&r);
    out->shard = read_u16(&r);
    out->id = read_u64(&r);
    out->player = read_u64(&r);
    uint16_t name_bytes = read_u16(&r);
    if (!reader_ok(&r) || name_bytes > NOTE_NAME_MAX || name_bytes > reader_left(&r) ||
        reader_left(&r) - name_bytes > NOTE_TEXT_MAX || out->id == 0 || out->shard == 0) {
        return ERR_FORMAT;
    }
    out->name = read_bytes(&r, name_bytes);
    out->text = read_bytes(&r, reader_left(&r));
    return is_sound(out) ? OK : ERR_FORMAT;
}

/* ---- errands ---- */

static bool
is_of(const struct notes *notes, uint32_t peer, enum node_role role, uint16_t shard)
{
    const struct notes_peer *p = &notes->peers[peer];
    return p->up && p->node.role == role && p->node.shard == shard;
}

/* The one to ask in this try: by rendezvous, so that a player's notes go by the same node while it
 * is there, and the other players' by others. Each try goes on to the next of that order. */
static uint32_t
whom_to_ask(const struct notes *notes, const struct errand *e)
{
    uint64_t below = UINT64_MAX;
    uint32_t best = PEERS_MAX;
    if (e->only != PEERS_MAX) {
        return is_of(notes, e->only, e->role, e->shard) ? e->only : PEERS_MAX;
    }
    for (uint32_t turn = 0; turn <= e->tries; turn++) {
        uint64_t highest = 0;
        best = PEERS_MAX;
        for (uint32_t p = 0; p < PEERS_MAX; p++) {
            if (!is_of(notes, p, e->role, e->shard)) {
                continue;
            }
            uint64_t weight = rand_mix(e->order, notes->peers[p].node.epoch);
            if (weight < below && (best == PEERS_MAX || weight > highest)) {
                highest = weight;
                best = p;
            }
        }
        if (best == PEERS_MAX) {
            return PEERS_MAX;
        }
        below = highest;
    }
    return best;
}

static void try_next(struct notes *notes, uint32_t index);

static void
answered(void *ctx, uint64_t handle, enum request_end end, bool part, struct slice body)
{
    struct notes *notes = ctx;
    struct errand *e = pool_find(&notes->errands, handle);
    (void)body;
    if (part || e == NULL) {
        return; /* nobody has reason to send parts: the end comes */
    }
    if (end == REQUEST_DONE) {
        notes->stats.passed++;
        pool_give(&notes->errands, (uint32_t)handle);
        return;
    }
    notes->stats.passed_over++;
    e->tries++;
    try_next(notes, (uint32_t)handle);
}

static void
try_next(struct notes *notes, uint32_t index)
{
    struct errand *e = pool_at(&notes->errands, index);
    for (; e->tries < NOTE_TRIES; e->tries++) {
        uint32_t peer = whom_to_ask(notes, e);
        if (peer == PEERS_MAX) {
            break;
        }
        struct slice body = {.at = e->note, .bytes = e->bytes};
        if (requests_ask(notes->requests, peer, REQUEST_NOTE, body, NOTE_WAIT_US, answered, notes,
                         pool_handle(&notes->errands, index)) == OK) {
            return;
        }
        notes->stats.passed_over++;
    }
    notes->stats.lost++;
    pool_give(&notes->errands, index);
}

static enum err
send(struct notes *notes, const struct note *note, enum node_role role, uint16_t shard,
     uint32_t only)
{
    uint32_t index;
    if (pool_take(&notes->errands, &index) != OK) {
        notes->stats.full++;
        return ERR_FULL;
    }
    struct errand *e = pool_at(&notes->errands, index);
    *e = (struct errand){
        .shard = shard, .role = role, .only = only, .order = rand_mix(note->player, note->shard)};
    e->bytes = (uint16_t)note_write(note, e->note);
    try_next(notes, index);
    return OK;
}

static void
send_to_homes(struct notes *notes, const struct note *note, uint32_t but)
{
    uint16_t own = notes->options.self.shard;
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        if (p != but && is_of(notes, p, NODE_HOME, own) &&
            send(notes, note, NODE_HOME, own, p) != OK) {
            return; /* counted */
        }
    }
}

static void
send_to_shards(struct notes *notes, const struct note *note)
{
    uint64_t told[(UINT16_MAX + 1) / 64] = {0};
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        const struct notes_peer *peer = &notes->peers[p];
        uint16_t shard = peer->node.shard;
        bool is_other =
            peer->up && peer->node.role == NODE_RELAY && shard != notes->options.self.shard;
        if (!is_other || (told[shard / 64] >> (shard % 64) & 1) != 0) {
            continue;
        }
        told[shard / 64] |= UINT64_C(1) << (shard % 64);
        if (send(notes, note, NODE_RELAY, shard, PEERS_MAX) != OK) {
            return;
        }
    }
}

/* ---- what comes ---- */

/* Homes speak for their shard to its relays, relays of other shards for theirs; a home listens to
 * its own relays. */
static bool
may_tell(const struct notes *notes, uint32_t peer, const struct note *note)
{
    const struct node *self = &notes->options.self, *from = &notes->peers[peer].node;
    if (!notes->peers[peer].up) {
        return false;
    }
    if (self->role == NODE_HOME) {
        return from->role == NODE_RELAY && from->shard == self->shard;
    }
    bool of_ours = from->role == NODE_HOME && from->shard == self->shard;
    bool of_theirs = from->role == NODE_RELAY && from->shard != self->shard;
    bool began_there = note->shard == from->shard || notes->options.mutant == NOTES_MUTANT_BACK;
    return (of_ours || of_theirs) && began_there;
}

static void
pass_on(struct notes *notes, uint32_t from, const struct note *note)
{
    uint16_t own = notes->options.self.shard;
    bool back = notes->options.mutant == NOTES_MUTANT_BACK;
    bool of_ours = note->shard == own && !(back && notes->peers[from].node.role == NODE_RELAY);
    if (of_ours || back) {
        send_to_shards(notes, note);
    }
    if (note->kind == NOTE_MAIL || (note->kind == NOTE_GATES && !of_ours)) {
        send_to_homes(notes, note, from);
    } else if (note->kind == NOTE_LINE && !of_ours) {
        (void)!send(notes, note, NODE_HOME, own, PEERS_MAX); /* counted */
    }
}

static void
asked(void *ctx, uint32_t peer, uint64_t job, struct slice body, int64_t deadline_us)
{
    struct notes *notes = ctx;
    struct note note;
    (void)deadline_us;
    if (peer >= PEERS_MAX || note_read(body, &note) != OK || !may_tell(notes, peer, &note)) {
        notes->stats.refused++;
        requests_reject(notes->requests, job);
        return;
    }
    bool relays = notes->options.self.role == NODE_RELAY;
    if (relays && !bucket_take(&notes->peers[peer].bucket, note_rate, env_mono_us(notes->env), 1)) {
        notes->stats.limited++;
        requests_reject(notes->requests, job);
        return;
    }
    if (!once_take(&notes->seen, note.id)) {
        notes->stats.again++;
    } else if (relays) {
        notes->stats.heard[note.kind]++;
        pass_on(notes, peer, &note);
    } else {
        notes->stats.heard[note.kind]++;
        notes->options.heard(notes->options.ctx, &note);
    }
    requests_reply(notes->requests, job, false, (struct slice){0});
}

/* ---- life ---- */

struct notes *
notes_alloc(const struct notes_options *options, struct requests *requests, const struct env *env)
{
    CHECK(options->self.role == NODE_RELAY ||
          (options->self.role == NODE_HOME && options->heard != NULL));
    struct notes *notes = calloc(1, sizeof *notes);
    CHECK(notes != NULL);
    notes->options = *options;
    notes->requests = requests;
    notes->env = env;
    notes->epoch = options->self.epoch;
    once_init(&notes->seen, NOTES_SEEN, env_random(env));
    pool_init(&notes->errands, sizeof(struct errand), NOTES_MAX, 32);
    requests_serve(requests, REQUEST_NOTE, asked, notes);
    return notes;
}

void
notes_free(struct notes **pointer)
{
    struct notes *notes = *pointer;
    once_fini(&notes->seen);
    pool_fini(&notes->errands);
    free(notes);
    *pointer = NULL;
}

void
notes_peer_up(struct notes *notes, uint32_t peer, const struct node *node)
{
    CHECK(peer < PEERS_MAX && !notes->peers[peer].up);
    notes->peers[peer] = (struct notes_peer){.up = true, .node = *node};
    bucket_init(&notes->peers[peer].bucket, note_rate, env_mono_us(notes->env));
}

void
notes_peer_down(struct notes *notes, uint32_t peer)
{
    CHECK(peer < PEERS_MAX && notes->peers[peer].up);
    notes->peers[peer].up = false;
}

void
notes_renamed(struct notes *notes, uint64_t epoch)
{
    CHECK(epoch != 0);
    notes->epoch = epoch;
}

enum err
notes_tell(struct notes *notes, const struct note *note, uint64_t *id)
{
    CHECK(notes->options.self.role == NODE_HOME);
    struct note told = *note;
    told.shard = notes->options.self.shard;
    told.id = rand_mix(notes->epoch, ++notes->told) | 1;
    if (id != NULL) {
        *id = told.id;
    }
    notes->stats.told[note->kind]++;
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        if (is_of(notes, p, NODE_RELAY, told.shard)) {
            return send(notes, &told, NODE_RELAY, told.shard, PEERS_MAX);
        }
    }
    return ERR_UNAVAILABLE;
}

const struct notes_stats *
notes_stats(const struct notes *notes)
{
    return &notes->stats;
}
