#include "proof/mutant.h"

#include <stddef.h>
#include <string.h>

static const struct mutant mutants[] = {
    {"leave-lost", "crossing a border is not told to the chunk that was left",
     .world = WORLD_MUTANT_LEAVE_LOST},
    {"debt-free", "jumps cost no time debt", .world = WORLD_MUTANT_DEBT_FREE},
    {"epoch-ignored", "input of an older session is accepted", .world = WORLD_MUTANT_EPOCH_IGNORED},
    {"snapshot-empty", "a new subscription gets no snapshot", .world = WORLD_MUTANT_SNAPSHOT_EMPTY},
    {"crossing-late", "nobody notices that a motion left its chunk",
     .world = WORLD_MUTANT_CROSSING_LATE},
    {"full-forgotten", "a batch that found its link full is not repaired",
     .world = WORLD_MUTANT_FULL_FORGOTTEN},
    {"no-hysteresis", "chunks are dropped as soon as they leave the 3 x 3",
     .gate = GATE_MUTANT_NO_HYSTERESIS},
    {"forget-lost", "dropped chunks are not told", .gate = GATE_MUTANT_FORGET_LOST},
    {"rotation-stuck", "the rotation never leaves its first slice",
     .gate = GATE_MUTANT_ROTATION_STUCK},
    {"dirty-lost", "news do not reach the last watcher of a chunk", .gate = GATE_MUTANT_DIRTY_LOST},
    {"heal-forgotten", "who fell behind is not told whole again",
     .gate = GATE_MUTANT_HEAL_FORGOTTEN},
    {"gone-lost", "the end of a session that the link refuses is not told again",
     .gate = GATE_MUTANT_GONE_LOST},
    {"queue-unbounded", "a client that does not read is fed on",
     .gate = GATE_MUTANT_QUEUE_UNBOUNDED},
};

const struct mutant *
mutant_at(uint32_t n)
{
    return n < sizeof mutants / sizeof mutants[0] ? &mutants[n] : NULL;
}

const struct mutant *
mutant_find(const char *name)
{
    for (uint32_t i = 0; mutant_at(i) != NULL; i++) {
        if (strcmp(mutants[i].name, name) == 0) {
            return &mutants[i];
        }
    }
    return NULL;
}
