/* Commands exactly once. A command is named by (player, seq); the initiator's own document keeps
 * the last one's seq, hash and result, written in the same commit as its effect, refusals too. So
 * whoever asks again, here or at another node, gets the same answer and no second effect.
 *
 *            no room, store away                      lost a race: read again, later and later
 *   (asked) -> WAITING -> READING -> deciding -> COMMITTING -> answer
 *                 ^          |  ^_____ MORE         |  |
 *                 |          v                      |  +-- UNKNOWN: READING; the document tells
 *                 +-- a document that is in use     +-- UNAVAILABLE: RETRY_AFTER, nothing happened
 *
 * Documents in use by one command are waited for by the next in order of arrival, so commands on
 * the things of one chunk go one after the other; locks are taken in the order of the keys, and a
 * command that finds one taken out of order gives all back and starts anew. These locks spare
 * conflicts; what is safe are the versions. At most LOCKS_WAITERS_MAX wait for one document; who
 * comes later pauses and is told RETRY_AFTER in the end, so that a place that everybody wants takes
 * no slots from others. A document that stays unreadable while the initiator's can be read is a
 * refusal in the end, not a reason to ask for ever.
 *
 * Logic room, one thread; slots of a bounded pool, each with its own memory. Answers come through a
 * call-back exactly once, unless the process dies; then the document tells.
 */
#ifndef SEOM_STORE_COMMANDS_H
#define SEOM_STORE_COMMANDS_H

#include "base/err.h"
#include "base/hist.h"
#include "store/deed.h"
#include "store/ids.h"
#include "store/store.h"

enum commands_mutant {
    COMMANDS_MUTANT_NONE,
    COMMANDS_MUTANT_NO_LAST_SEQ,        /* nobody looks whether the command was done */
    COMMANDS_MUTANT_FAIL_NOT_CONSUMED,  /* refusals are told without being written */
    COMMANDS_MUTANT_UNKNOWN_IS_FAILURE, /* UNKNOWN is told as a refusal */
    COMMANDS_MUTANT_FOREIGN_VERSION /* only the version of the initiator's document is checked */
};

/* Told of each document that a commit wrote. value: what stands there now, borrowed; exists false:
 * it is gone. version 0: it was written, but nobody knows what stands there by now: read it. */
typedef void commands_wrote(void *ctx, const struct key *key, uint64_t version, bool exists,
                            struct slice value);

struct commands_options {
    uint16_t world;
    uint32_t commands_max; /* under way together; 0 = 1024 */
    uint32_t retry_us_max; /* longest pause after a conflict; 0 = 200,000 */
    uint32_t attempts_max; /* then RETRY_AFTER; 0 = 12 */
    const void *ctx;       /* of the deeds: deed_ctx() */
    deed_decide *finish;   /* asked after a deed that said FINE, of players only; may be NULL */
    commands_wrote *wrote; /* may be NULL */
    void *wrote_ctx;
    enum commands_mutant mutant;
};

struct command {
    struct deed_actor actor;
    uint64_t seq;
    struct slice body; /* copied; at most DEED_BODY_MAX */
    const struct deed_kind *kind;
};

struct command_result {
    uint64_t player, seq;
    uint32_t code;     /* SEOM__CODE__...; RETRY_AFTER: no effect yet, ask again unchanged */
    struct slice body; /* borrowed */
    bool again;        /* was answered from the document: it had been done before */
};

typedef void command_done(void *ctx, uint64_t n, const struct command_result *result);

struct commands_stats {
    uint64_t asked, done, refused, again, retry_after;
    uint64_t gaps;  /* seq or content that does not follow */
    uint64_t stale; /* of a session that is over */
    uint64_t attempts, conflicts, unknown, unknown_happened, waits, more;
    uint64_t crowded; /* too many waited for a document already */
    struct hist us;   /* from asking to the answer */
};

struct commands;

struct commands *commands_alloc(const struct commands_options *options, struct store *store,
                                struct ids *ids);
void commands_free(struct commands **commands);

/* ERR_FULL: too many under way; ERR_EXISTS: one of this player is under way; ERR_TOO_LARGE: the
 * body. Otherwise exactly one call-back comes, never before this returns. */
enum err commands_run(struct commands *commands, const struct command *command, command_done *done,
                      void *ctx, uint64_t n) MUST_USE;
/* A deed without a player: done at least once or not at all; whoever asks must ask again. kind's
 * class is not looked at. */
enum err commands_job(struct commands *commands, const struct deed_actor *actor,
                      const struct deed_kind *kind, struct slice body, command_done *done,
                      void *ctx, uint64_t n) MUST_USE;
/* Does what is due; the mono time (us) of the next turn it wants, INT64_MAX: none. */
int64_t commands_turn(struct commands *commands);
uint32_t commands_under_way(const struct commands *commands);
bool commands_has(const struct commands *commands, uint64_t player); /* one under way */
const struct commands_stats *commands_stats(const struct commands *commands);
/* What a command is known by: never 0. */
uint64_t command_hash(struct slice body);

#endif
