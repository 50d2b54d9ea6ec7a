/* Notes as a peer may send them: reading never runs over, what can be read is a note of a known
 * kind within its limits, and can be written and reads back the same. */
#include "base/check.h"
#include "fabric/notes.h"
#include "fuzz/fuzz.h"
#include <string.h>

static bool
same(struct slice a, struct slice b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.at, b.at, a.bytes) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[NOTE_BYTES_MAX];
    struct note note, back;
    if (note_read((struct slice){data, size}, &note) != OK)
        return 0;
    CHECK(note.kind >= NOTE_LINE && note.kind < NOTE_KINDS && note.id != 0 && note.shard != 0);
    CHECK(note.name.bytes <= NOTE_NAME_MAX && note.text.bytes <= NOTE_TEXT_MAX);
    size_t bytes = note_write(&note, again);
    CHECK(bytes == size && note_read((struct slice){again, bytes}, &back) == OK);
    CHECK(back.kind == note.kind && back.channel == note.channel && back.shard == note.shard);
    CHECK(back.id == note.id && back.player == note.player);
    CHECK(same(back.name, note.name) && same(back.text, note.text));
    return 0;
}
