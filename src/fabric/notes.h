/* Notes: the few small messages that cross from shard to shard. A line of a channel of the whole
 * world, the word that mail has come, and where the gates of a shard are; nothing else passes a
 * relay.
 *
 *   home -> a relay of its shard -> a relay of each other shard -> a home there (a line, which that
 *                                                                  home tells to all gates) or
 *                                                                  all homes there (the others)
 *
 * Each arrow is a request (REQUEST_NOTE); whoever does not take it, or does not answer, is passed
 * over for the next of its kind. So a note may arrive twice, by two relays of a shard or two homes,
 * and each who takes notes takes an id once. A note may also be lost, when NOTE_TRIES in a row fail
 * or a table is full: nothing of value rides on one, and it is counted.
 *
 * The notes of one player go the same way as long as the same nodes are there, so his lines keep
 * their order.
 *
 * struct notes is the part of a home and of a relay; what else comes to a relay is refused by the
 * node. Logic room, one thread, beside requests. Limits: NOTES_MAX notes under way, NOTE_BYTES_MAX
 * each; a relay takes NOTES_PER_S of each peer.
 */
#ifndef SEOM_FABRIC_NOTES_H
#define SEOM_FABRIC_NOTES_H

#include "base/bytes.h"
#include "env/env.h"
#include "fabric/book.h"
#include "fabric/requests.h"

#define NOTE_NAME_MAX  64
#define NOTE_TEXT_MAX  576 /* a line, or the addresses of a shard's gates */
#define NOTE_BYTES_MAX (22 + NOTE_NAME_MAX + NOTE_TEXT_MAX)
#define NOTE_TRIES     3
#define NOTE_WAIT_US   700000 /* for an answer, of each try */
#define NOTES_MAX      512
#define NOTES_SEEN     4096 /* ids that are known again */
#define NOTES_PER_S    50
#define NOTES_BURST    150

enum note_kind {
    NOTE_LINE = 1,  /* player, channel, name, text */
    NOTE_MAIL = 2,  /* player: has mail */
    NOTE_GATES = 3, /* text: addresses of the gates of that shard, a line each */
    NOTE_KINDS
};

struct note {
    enum note_kind kind;
    uint8_t channel;
    uint16_t shard; /* where it began */
    uint64_t id, player;
    struct slice name, text; /* of what was read: point into its bytes */
};

/* name and text have at most as many bytes as they may. */
size_t note_write(const struct note *note, uint8_t out[NOTE_BYTES_MAX]);
/* ERR_FORMAT. A line's text is one, its name too, and an unknown kind is no note. */
enum err note_read(struct slice bytes, struct note *out) MUST_USE;

/* Ways to be wrong on purpose; the simulator must catch each of them. */
enum notes_mutant {
    NOTES_MUTANT_NONE,
    NOTES_MUTANT_BACK,      /* a relay passes a note on to the shard, too, that it began in */
    NOTES_MUTANT_GATES_ONCE /* where the gates are is told when it changes, and never again */
};

struct notes_options {
    struct node self; /* a home or a relay */
    /* Homes: a note of another node, each once; its slices are gone when this returns. */
    void (*heard)(void *ctx, const struct note *note);
    void *ctx;
    enum notes_mutant mutant;
};

struct notes_stats {
    uint64_t told[NOTE_KINDS];  /* homes: by this one */
    uint64_t heard[NOTE_KINDS]; /* the first time */
    uint64_t again;             /* heard once more */
    uint64_t passed;            /* by a relay: asked of others and taken */
    uint64_t passed_over;       /* tries that failed */
    uint64_t lost;              /* all tries failed, or nobody was there */
    uint64_t full;              /* no room for one more under way */
    uint64_t limited;           /* too fast */
    uint64_t refused;           /* no note, or of somebody who may not tell it */
};

struct notes;

/* Serves REQUEST_NOTE of `requests`, which must outlive it. */
struct notes *notes_alloc(const struct notes_options *options, struct requests *requests,
                          const struct env *env);
void notes_free(struct notes **pointer);
void notes_peer_up(struct notes *notes, uint32_t peer, const struct node *node);
void notes_peer_down(struct notes *notes, uint32_t peer);
/* The process has another epoch now. */
void notes_renamed(struct notes *notes, uint64_t epoch);
/* Of a home; shard and id are filled in, and *id told unless NULL: what is told at the own shard's
 * gates goes under it. ERR_UNAVAILABLE: there is no relay; ERR_FULL. */
enum err notes_tell(struct notes *notes, const struct note *note, uint64_t *id) MUST_USE;
const struct notes_stats *notes_stats(const struct notes *notes);

#endif
