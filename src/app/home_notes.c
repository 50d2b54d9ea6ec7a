#include "app/home_notes.h"

#include "base/check.h"
#include "wire/limits.h"
#include <stdio.h>
#include <string.h>

#define GATES_TELL_US 5000000 /* again at the latest, for whoever has come since */

enum err
home_notes_check(const struct config *config, char why[NODE_WHY_MAX])
{
    if (config->shard <= config->shards) {
        return OK;
    }
    snprintf(why, NODE_WHY_MAX,
             "--shard %lld, but there are %lld: tell every home how many shards the world has "
             "(--shards)",
             (long long)config->shard, (long long)config->shards);
    return ERR_RANGE;
}

void
home_notes_init(struct home_notes *h, struct node_process *node, struct world **world)
{
    const struct config *c = node->config;
    *h = (struct home_notes){.node = node, .world = world};
    shards_init(&h->shards, (uint16_t)c->shard, (uint16_t)c->shards);
}

static void
heard(void *ctx, const struct note *note)
{
    struct home_notes *h = ctx;
    if (note->kind == NOTE_GATES) {
        shards_heard_gates(&h->shards, note->shard, note->text);
    } else if (*h->world != NULL) {
        world_note(*h->world, note);
    }
}

void
home_notes_open(struct home_notes *h)
{
    CHECK(h->notes == NULL && h->node->requests != NULL);
    struct notes_options options = {.self = h->node->self, .heard = heard, .ctx = h};
    h->notes = notes_alloc(&options, h->node->requests, &h->node->env);
}

void
home_notes_close(struct home_notes *h)
{
    if (h->notes != NULL) {
        notes_free(&h->notes);
    }
}

void
home_notes_table(struct home_notes *h, const struct directory *directory)
{
    uint64_t revision;
    struct slice bytes = directory_table(directory, DIRECTORY_ISLANDS, &revision);
    if (shards_set_table(&h->shards, bytes) != OK) {
        env_log(&h->node->env, LOG_ERROR, "home.islands",
                "the directory's table of islands cannot be read: the former one goes on");
    }
}

/* Of the homes that see each other the one with the lowest epoch speaks for the shard; where they
 * do not, two may, which says the same twice. */
static bool
speaks(const struct home_notes *h)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        const struct node *peer = mesh_peer(h->node->mesh, p);
        if (peer != NULL && peer->role == NODE_HOME && peer->epoch < h->node->self.epoch) {
            return false;
        }
    }
    return true;
}

static size_t
list_gates(const struct home_notes *h, char out[NOTE_TEXT_MAX + 1])
{
    size_t used = 0;
    uint32_t count = 0;
    out[0] = '\0';
    for (uint32_t p = 0; p < PEERS_MAX && count < GATES_MAX; p++) {
        const struct node *peer = mesh_peer(h->node->mesh, p);
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

void
home_notes_turn(struct home_notes *h, int64_t now_us)
{
    char gates[NOTE_TEXT_MAX + 1];
    if (h->notes == NULL || h->shards.count == 1 || !speaks(h)) {
        return;
    }
    size_t bytes = list_gates(h, gates);
    if (bytes == 0 || (now_us - h->told_us < GATES_TELL_US && strcmp(gates, h->told) == 0)) {
        return;
    }
    struct note note = {.kind = NOTE_GATES, .text = {.at = (const uint8_t *)gates, .bytes = bytes}};
    if (notes_tell(h->notes, &note, NULL) == OK) {
        memcpy(h->told, gates, bytes + 1);
        h->told_us = now_us;
    }
}

json_t *
home_notes_status(const struct home_notes *h)
{
    const struct notes_stats none = {0};
    const struct notes_stats *n = h->notes != NULL ? notes_stats(h->notes) : &none;
    uint32_t known = 0;
    for (uint16_t shard = 1; shard <= h->shards.count; shard++) {
        known += shards_gates(&h->shards, shard).bytes > 0;
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "lines_told",
                     (json_int_t)n->told[NOTE_LINE], "lines_heard", (json_int_t)n->heard[NOTE_LINE],
                     "mails_told", (json_int_t)n->told[NOTE_MAIL], "mails_heard",
                     (json_int_t)n->heard[NOTE_MAIL], "again", (json_int_t)n->again, "lost",
                     (json_int_t)n->lost, "shards_known", (int)known);
}
