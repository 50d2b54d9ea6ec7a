/* Mail: something sent to a player, with things in it, that waits until it is claimed, once. Also
 * where things go that find no room in a bag, in the same commit. A player's inbox lists what
 * waits, oldest first; it is limited. Whoever writes an inbox takes the oldest mails out that are
 * older than MAIL_DAYS, a few at a time: what was in them goes to the world, by the ledger. So
 * nothing is ever searched for. Notices of offers leave in the same way; the offers themselves stay
 * until they are withdrawn.
 *
 * Deeds (send, claim) and what other deeds need. A mail is claimed as a whole: what finds no room
 * in the bag leaves the mail as it is (NO_ROOM). Pure.
 */
#ifndef SEOM_SOCIETY_MAIL_H
#define SEOM_SOCIETY_MAIL_H

#include "society/purse.h"

#define KEY_CLASS_MAIL  "mail"
#define KEY_CLASS_INBOX "inbox"
#define MAIL_DAY_MS     (24 * 3600 * INT64_C(1000))
#define INBOX_SWEEP_MAX 2 /* old notices that leave an inbox in one commit */

extern const struct deed_kind mail_send, mail_claim;

/* Moves what into the bag of `to`, or where it has no room for all of it, into a mail to `to` that
 * is part of the same commit; *mail (0 at first) is that mail for further things of the same deed.
 * FINE, DEED_MORE, or as purse_move(); NO_ROOM: the inbox is full too. */
uint32_t mail_move_or_send(struct deed *deed, const struct purse *from, const struct purse *to,
                           Seom__Stack *what, enum reason reason, uint64_t *mail);
uint32_t mail_move_coins_or_send(struct deed *deed, const struct purse *from,
                                 const struct purse *to, uint64_t coins, enum reason reason,
                                 uint64_t *mail);
/* The same for all that is in from, coins too. */
uint32_t mail_move_all_or_send(struct deed *deed, const struct purse *from, const struct purse *to,
                               enum reason reason, uint64_t *mail);
/* A notice at the end of a player's inbox, and old ones out of it. asked: somebody wants to send or
 * offer something, which has narrower limits than what finds no room (kinds.h). FINE, DEED_MORE,
 * NO_ROOM: full. */
uint32_t inbox_add(struct deed *deed, uint64_t player, const Seom__Notice *notice, bool asked);
/* Also when it is not there. FINE, DEED_MORE. */
uint32_t inbox_remove(struct deed *deed, uint64_t player, Seom__NoticeKind kind, uint64_t id);
uint32_t mail_day(const struct deed *deed); /* of world time */

#endif
