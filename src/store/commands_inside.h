/* The inside of struct commands, shared by commands.c (asking, turns), commands_slot.c (a command's
 * locks, reads and end) and commands_decide.c (asking the deed, writing) and by nobody else.
 */
#ifndef SEOM_STORE_COMMANDS_INSIDE_H
#define SEOM_STORE_COMMANDS_INSIDE_H

#include "base/map.h"
#include "store/attempt.h"
#include "store/commands.h"
#include "store/locks.h"

#define SLOT_NONE UINT32_MAX

enum slot_state {
    SLOT_FREE,
    SLOT_WAITING,    /* for a document that another command has */
    SLOT_READING,    /* for answers of the store, then the deed is asked */
    SLOT_PAUSING,    /* until resume_us */
    SLOT_COMMITTING, /* for the answer of the store */
    SLOT_STATES
};

struct slot {
    struct commands *commands; /* whose it is */
    uint32_t index;
    enum slot_state state;
    struct deed deed;
    const struct deed_kind *kind;
    uint64_t hash; /* of the body */
    uint8_t body[DEED_BODY_MAX];
    command_done *done;
    void *done_ctx;
    uint64_t done_n;
    int64_t asked_us, resume_us;
    uint32_t next_paused;
    uint32_t attempts;
    uint32_t reading;                   /* answers that have not come yet */
    uint64_t order[DEED_DOCUMENTS_MAX]; /* what is locked, and while WAITING what is to be, then
                                           ascending */
    uint32_t order_count, locked;
    uint32_t code;    /* to be told when the commit has succeeded */
    uint32_t verdict; /* a refusal that was found when the bytes read were gone; 0: none */
    bool failed;      /* the store could not read a document */
    bool crowded;     /* there was no room to read one */
    bool doubtful;    /* a commit was answered UNKNOWN */
    bool apart;       /* what a mutant writes behind the first commit is under way */
};

struct commands {
    struct commands_options options;
    struct store *store; /* borrowed */
    struct ids *ids;     /* borrowed */
    struct pool slots;
    struct map by_player;
    struct locks locks;
    struct buffers buffers;
    struct workspace *workspace; /* owned */
    uint32_t first_paused;
    struct commands_stats stats;
};

static inline bool
slot_is_job(const struct slot *slot)
{
    return slot->deed.actor.player == 0;
}

/* commands_slot.c */
void slot_move(struct slot *slot, enum slot_state to);
/* Locks everything that the command has named, in order, so that nobody waits in a circle; then
 * reads. */
void slot_lock_all(struct slot *slot);
void slot_unlock(struct slot *slot);
/* Asks for all documents that were named and not read, then decides. */
void slot_read(struct slot *slot);
/* Forgets what was read, and reads anew: at once after the first race that was lost, then later and
 * later, with jitter, so that two who want the same do not meet again and again. */
void slot_try_again(struct slot *slot);
void slot_pause(struct slot *slot);
void slot_resume(struct slot *slot); /* after a pause */
void slot_forget_values(struct slot *slot);
/* The end. Frees everything first: whoever is called back may ask for the next command at once. */
void slot_answer(struct slot *slot, uint32_t code, struct slice body, bool again);
void slot_answer_code(struct slot *slot, uint32_t code);
/* Room for a document's bytes in place of those it had. false: none now. */
bool document_room(struct slot *slot, struct document *d, size_t bytes);

/* commands_decide.c: all that was named is there, or failed. */
void slot_decide(struct slot *slot);

#endif
