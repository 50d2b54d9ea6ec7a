/* Channels of the whole world, and the word that mail has come. What is said here is told to the
 * gates of this shard at once, to the other shards by notes (fabric/notes.h); what notes bring is
 * told to the gates likewise. Nothing is kept, and nothing is done twice for one that is lost.
 */
#include "base/check.h"
#include "base/rand.h"
#include "wire/text.h"
#include "world/state.h"
#include <string.h>

_Static_assert(SAY_BYTES_MAX <= NOTE_TEXT_MAX, "whatever is said fits");
_Static_assert(PLAYER_NAME_MAX <= NOTE_NAME_MAX, "so does who says it");

/* Of one player. */
static const struct bucket_rate line_rate = {.per_s = 1, .burst = 4};

void
channel_came(struct world *w, struct avatar *a)
{
    bucket_init(&a->lines, line_rate, env_mono_us(w->env));
}

/* To every client of this shard: each home has links with all of its gates. */
static void
tell_gates(struct world *w, const struct note *note)
{
    struct link_message m = {.kind = LINK_SAID,
                             .as.said = {.id = note->id,
                                         .player = note->player,
                                         .channel = note->channel,
                                         .name_bytes = (uint8_t)note->name.bytes,
                                         .text = note->text}};
    if (note->name.bytes > 0) {
        memcpy(m.as.said.name, note->name.at, note->name.bytes);
    }
    uint8_t head[LINK_HEAD_MAX];
    struct slice pieces[2] = {{.at = head, .bytes = link_head(&m, head)}, link_tail(&m)};
    for (uint32_t peer = 0; peer < w->peers_end; peer++) {
        const struct peer *p = &w->peers[peer];
        if (p->up && p->node.role == NODE_GATE &&
            w->env->links.send(w->env->links.ctx, peer, pieces, 2) != OK) {
            w->stats.lines_lost++;
        }
    }
}

void
channel_say(struct world *w, struct avatar *a, const struct link_input *input)
{
    struct slice text = input->bytes;
    bool sound = text.bytes > 0 && text.bytes <= SAY_BYTES_MAX && text_is_line(text);
    if (!sound || input->look != CHANNEL_WORLD ||
        !bucket_take(&a->lines, line_rate, env_mono_us(w->env), 1)) {
        w->stats.says_refused++;
        return;
    }
    struct note note = {.kind = NOTE_LINE,
                        .channel = input->look,
                        .player = a->id,
                        .id = rand_mix(w->options.node_epoch, ++w->lines_said) | 1,
                        .name = {.at = (const uint8_t *)a->name, .bytes = strlen(a->name)},
                        .text = text};
    if (w->options.notes != NULL && notes_tell(w->options.notes, &note, &note.id) != OK) {
        w->stats.notes_untold++; /* the own shard hears it */
    }
    tell_gates(w, &note);
    w->stats.lines++;
}

void
channel_mail(struct world *w, uint64_t player)
{
    const struct note note = {.kind = NOTE_MAIL, .player = player};
    if (w->options.notes != NULL && notes_tell(w->options.notes, &note, NULL) != OK) {
        w->stats.notes_untold++; /* the store hints as well, and what is missed is looked for */
    }
}

void
world_note(struct world *w, const struct note *note)
{
    CHECK(note->id != 0);
    if (note->kind == NOTE_LINE && note->text.bytes <= SAY_BYTES_MAX && note->channel != 0) {
        tell_gates(w, note);
        w->stats.lines_heard++;
    } else if (note->kind == NOTE_MAIL) {
        hint_mail(w, note->player);
    }
}
