#include "rules/grove.h"
#include "base/check.h"
#include "society/list.h"
#include "world/game.h"

/* Where the note of a thing stands or would stand: notes are in the order of things, so that the
 * same harvests make the same document in whatever order they were noted. */
static size_t
note_place(const Seom__ChunkDocument *chunk, uint32_t thing)
{
    size_t at = 0;
    while (at < chunk->n_picked && chunk->picked[at]->thing < thing) {
        at++;
    }
    return at;
}

static Seom__Picked *
note_find(const Seom__ChunkDocument *chunk, uint32_t thing)
{
    size_t at = note_place(chunk, thing);
    return at < chunk->n_picked && chunk->picked[at]->thing == thing ? chunk->picked[at] : NULL;
}

static void
harvest_is_over(Seom__ChunkDocument *chunk, int64_t until_ms)
{
    chunk->regrown_ms = until_ms > chunk->regrown_ms ? until_ms : chunk->regrown_ms;
}

bool
grove_bears(const Seom__ChunkDocument *chunk, uint32_t thing, int64_t until_ms)
{
    if (chunk == NULL) {
        return true;
    }
    const Seom__Picked *note = note_find(chunk, thing);
    return chunk->regrown_ms < until_ms && (note == NULL || note->until_ms < until_ms);
}

bool
grove_pick(struct deed *deed, Seom__ChunkDocument *chunk, uint32_t thing, int64_t until_ms)
{
    CHECK(thing < GAME_CLOSED_FORMS_MAX && grove_bears(chunk, thing, until_ms));
    Seom__Picked *note = note_find(chunk, thing);
    if (note != NULL) { /* of a fruit that fell since: no job has been here */
        harvest_is_over(chunk, note->until_ms);
        note->until_ms = until_ms;
        return true;
    }
    size_t at = note_place(chunk, thing), count = chunk->n_picked;
    Seom__Picked **picked = list_longer(deed, chunk->picked, count, 1, sizeof *picked);
    note = deed_alloc(deed, sizeof *note);
    if (picked == NULL || note == NULL) {
        return false;
    }
    seom__picked__init(note);
    note->thing = thing;
    note->until_ms = until_ms;
    memmove(&picked[at + 1], &picked[at], (count - at) * sizeof *picked);
    picked[at] = note;
    chunk->picked = picked;
    chunk->n_picked = count + 1;
    return true;
}

bool
grove_regrow(Seom__ChunkDocument *chunk, int64_t upto_ms)
{
    size_t kept = 0, count = chunk->n_picked;
    for (size_t i = 0; i < count; i++) {
        Seom__Picked *note = chunk->picked[i];
        if (note->until_ms <= upto_ms) {
            harvest_is_over(chunk, note->until_ms);
        } else {
            chunk->picked[kept++] = note;
        }
    }
    chunk->n_picked = kept;
    return kept < count;
}

int64_t
grove_due_ms(const Seom__ChunkDocument *chunk)
{
    int64_t due_ms = INT64_MAX;
    for (size_t i = 0; i < chunk->n_picked; i++) {
        int64_t until_ms = chunk->picked[i]->until_ms;
        due_ms = until_ms < due_ms ? until_ms : due_ms;
    }
    return due_ms;
}
