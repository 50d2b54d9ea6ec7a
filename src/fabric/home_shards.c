#include "fabric/home_shards.h"

#include "base/check.h"
#include "wire/limits.h"
#include <string.h>

void
home_shards_init(struct home_shards *h, uint16_t own, uint16_t count)
{
    *h = (struct home_shards){0};
    shards_init(&h->shards, own, count);
}

static void
heard(void *ctx, const struct note *note)
{
    struct home_shards *h = ctx;
    if (note->kind == NOTE_GATES) {
        shards_heard_gates(&h->shards, note->shard, note->text);
    } else {
        h->options.heard(h->options.ctx, note);
    }
}

void
home_shards_open(struct home_shards *h, const struct home_shards_options *options)
{
    CHECK(h->notes == NULL && options->heard != NULL && options->self.shard == h->shards.own);
    h->options = *options;
    struct notes_options notes = {
        .self = options->self, .heard = heard, .ctx = h, .mutant = options->mutant};
    h->notes = notes_alloc(&notes, options->requests, options->env);
}

void
home_shards_close(struct home_shards *h)
{
    if (h->notes != NULL) {
        notes_free(&h->notes);
    }
}

enum err
home_shards_table(struct home_shards *h, const struct directory *directory)
{
    uint64_t revision;
    return shards_set_table(&h->shards, directory_table(directory, DIRECTORY_ISLANDS, &revision));
}

void
home_shards_renamed(struct home_shards *h, uint64_t epoch)
{
    h->options.self.epoch = epoch;
    notes_renamed(h->notes, epoch);
}

/* Of the homes that see each other the one with the lowest epoch speaks for the shard; where they
 * do not, two may, which says the same twice. */
static bool
speaks(const struct home_shards *h)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        const struct node *peer = mesh_peer(h->options.mesh, p);
        if (peer != NULL && peer->role == NODE_HOME && peer->epoch < h->options.self.epoch) {
            return false;
        }
    }
    return true;
}

static size_t
list_gates(const struct home_shards *h, char out[NOTE_TEXT_MAX + 1])
{
    size_t used = 0;
    uint32_t count = 0;
    out[0] = '\0';
    for (uint32_t p = 0; p < PEERS_MAX && count < GATES_MAX; p++) {
        const struct node *peer = mesh_peer(h->options.mesh, p);
        bool serves = peer != NULL && peer->role == NODE_GATE && !peer->draining;
        size_t bytes = serves ? strlen(peer->play) : 0;
        if (bytes > 0 && used + bytes + 1 <= NOTE_TEXT_MAX) {
            memcpy(out + used, peer->play, bytes);
            used += bytes;
            out[used++] = '\n';
            count++;
        }
    }
    out[used] = '\0';
    return used;
}

static void
tell_gates(struct home_shards *h, int64_t now_us)
{
    char gates[NOTE_TEXT_MAX + 1];
    size_t bytes = list_gates(h, gates);
    bool again =
        now_us - h->told_us >= GATES_TELL_US && h->options.mutant != NOTES_MUTANT_GATES_ONCE;
    if (bytes == 0 || (!again && strcmp(gates, h->told) == 0)) {
        return;
    }
    struct note note = {.kind = NOTE_GATES, .text = {.at = (const uint8_t *)gates, .bytes = bytes}};
    if (notes_tell(h->notes, &note, NULL) == OK) {
        memcpy(h->told, gates, bytes + 1);
        h->told_us = now_us;
    }
}

int64_t
home_shards_turn(struct home_shards *h)
{
    int64_t now_us = env_mono_us(h->options.env);
    CHECK(h->notes != NULL);
    if (h->shards.count == 1) {
        return INT64_MAX; /* there is nobody to tell */
    }
    if (now_us >= h->look_us) {
        h->look_us = now_us + GATES_LOOK_US;
        if (speaks(h)) {
            tell_gates(h, now_us);
        }
    }
    return h->look_us;
}
