/* Trade between two. The giver's things wait in the trade's own document (escrow), so neither side
 * can pay with what is no longer theirs; the accepter names the hash of the offer as it was shown,
 * so a changed offer is not accepted by somebody who saw another. Accepting moves everything at
 * once; what finds no room goes to an overflow mail in the same commit.
 *
 *   offer -> OPEN -- accept ---> gone, the giver has what was wanted
 *            |  ^  \- withdraw -> gone, the giver has everything back
 *            +--+ change: another hash
 *
 * Deeds. Pure. A giver has at most TRADES_OPEN_MAX open offers, listed in the giver's document.
 */
#ifndef SEOM_SOCIETY_TRADE_H
#define SEOM_SOCIETY_TRADE_H

#include "society/purse.h"

#define KEY_CLASS_TRADE   "trade"
#define TRADE_CHANGES_MAX 65535

extern const struct deed_kind trade_offer, trade_change, trade_accept, trade_withdraw;

/* Of everything an accepter agrees to: who, what is given, what is wanted. The low 16 bits count
 * the changes, so two states of one trade never have the same, whatever somebody makes up. Never 0.
 */
uint64_t trade_hash(const Seom__TradeDocument *trade);

#endif
