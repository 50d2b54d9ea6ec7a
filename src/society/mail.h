/* Mail: something sent to a player, with things in it, that waits until it is claimed, once. Also
 * where things go that find no room in a bag, in the same commit. A player's inbox lists what
 * waits; it is limited, and mails older than MAIL_DAYS leave it when it is written next: what was
 * in them goes to the world, by the ledger. Nothing is ever searched for.
 *
 * Deeds (send, claim) and what other deeds need. Pure.
 */
#ifndef SEOM_SOCIETY_MAIL_H
#define SEOM_SOCIETY_MAIL_H

#include "society/purse.h"

#define KEY_CLASS_MAIL  "mail"
#define KEY_CLASS_INBOX "inbox"
#define MAIL_DAY_MS     (24 * 3600 * INT64_C(1000))

extern const struct deed_kind mail_send, mail_claim;

/* Moves what into the bag of `to`, or where it has no room, into a mail to `to` that is part of the
 * same commit; *mail (0 at first) is that mail for further things of the same deed. FINE,
 * DEED_MORE, or REFUSED: the inbox is full too. */
uint32_t mail_move_or_send(struct deed *deed, const struct purse *from, const struct purse *to,
                           Seom__Stack *what, enum reason reason, uint64_t *mail);
/* A notice at the end of a player's inbox, and the old ones out of it. FINE, DEED_MORE, REFUSED:
 * full. */
uint32_t inbox_add(struct deed *deed, uint64_t player, const Seom__Notice *notice);
uint32_t inbox_remove(struct deed *deed, uint64_t player, Seom__NoticeKind kind, uint64_t id);

#endif
