/* For tests: a square on which a few people run deeds of this room against a whole store on virtual
 * time, with the audit at hand. What square_look() and the answers give is borrowed until the next
 * command.
 */
#ifndef SEOM_SOCIETY_SQUARE_H
#define SEOM_SOCIETY_SQUARE_H

#include "society/audit.h"
#include "society/kinds.h"
#include "store/commands.h"
#include "store/desk.h"

#define SQUARE_PEOPLE      4
#define SQUARE_FIRST_COINS 100
#define SQUARE_NOTES_BYTES 2048
#define SQUARE_MEMORY      (4U << 20)

enum square_kind { COINS, FRUIT, STONE, CHEST, NO_KIND, SAND, SQUARE_KINDS };

struct square {
    struct desk *desk;
    struct ids ids;
    struct commands *commands;
    struct society society;
    uint64_t people[SQUARE_PEOPLE];
    uint64_t seqs[SQUARE_PEOPLE];
    uint32_t retries;         /* answers RETRY_AFTER of the last command */
    uint32_t code;            /* of the last command */
    Seom__DeedResult *answer; /* never NULL after a command that was FINE */
    bool faulty;
    char notes[SQUARE_NOTES_BYTES]; /* findings of the last audit */
    ProtobufCAllocator allocator;
    size_t used;
    _Alignas(max_align_t) uint8_t memory[SQUARE_MEMORY];
};

struct square *square_alloc(uint64_t seed, enum society_mutant mutant);
void square_free(struct square *square);
void square_faults(struct square *square, bool on); /* the store errs now and then */
/* Asks until the answer is no RETRY_AFTER; says the code. */
uint32_t square_do(struct square *square, uint32_t who, const Seom__Deed *asked);
uint32_t square_run(struct square *square, uint32_t who, const struct deed_kind *kind,
                    struct slice body);
/* Out of the world or back into it; kind 0: coins. */
uint32_t square_give(struct square *square, uint32_t who, uint32_t kind, uint64_t count);
uint32_t square_use(struct square *square, uint32_t who, uint32_t kind, uint64_t count);
void square_pass_days(struct square *square, uint32_t days);

/* A document as it stands in the store; NULL: there is none. */
void *square_look(struct square *square, const char *class, uint64_t id,
                  const ProtobufCMessageDescriptor *type);
Seom__PlayerDocument *square_player(struct square *square, uint32_t who);
Seom__InboxDocument *square_inbox(struct square *square, uint32_t who); /* NULL: none yet */
Seom__MailDocument *square_mail(struct square *square, uint64_t id);
Seom__TradeDocument *square_trade(struct square *square, uint64_t id);
uint64_t square_has(struct square *square, uint32_t who, uint32_t kind);
/* Writes a document behind everybody's back; message NULL: something that is none. */
void square_forge(struct square *square, const char *class, uint64_t id,
                  const ProtobufCMessage *message);
struct audit_result square_audit(struct square *square);

/* Commands. */
uint32_t square_split(struct square *square, uint32_t who, uint32_t from, uint32_t to,
                      uint32_t count);
uint32_t square_claim(struct square *square, uint32_t who, uint64_t mail);
uint32_t square_accept(struct square *square, uint32_t who, uint64_t trade, uint64_t hash);
uint32_t square_withdraw(struct square *square, uint32_t who, uint64_t trade);
/* Of one part; count 0: none. */
uint32_t square_send(struct square *square, uint32_t who, uint64_t to, const char *text,
                     uint64_t coins, uint32_t slot, uint32_t count);
uint32_t square_offer(struct square *square, uint32_t who, uint64_t to, uint64_t coins,
                      uint32_t slot, uint32_t count, Seom__Holdings *wants);
uint32_t square_change(struct square *square, uint32_t who, uint64_t trade, Seom__Holdings *wants);

#endif
