/* What can be owned in the sample game, what it is made of and what the market pays: tables that
 * its deeds read. Constant; any thread.
 */
#ifndef SEOM_RULES_SAMPLE_KINDS_H
#define SEOM_RULES_SAMPLE_KINDS_H

#include "society/kinds.h"

/* Numbers stand in documents: only ever added. */
enum sample_goods { GOODS_NONE, GOODS_FRUIT, GOODS_CHARM, GOODS_CHEST, GOODS_COUNT };

#define SAMPLE_FRUIT_PER_TREE 3 /* of one harvest */
#define SAMPLE_FIRST_COINS    100

/* One of it, out of fruit and coins. */
struct sample_recipe {
    uint32_t fruit; /* 0: cannot be made */
    uint64_t coins;
};

/* Coins for one; 0: the market does not. Selling pays less than buying costs, and nothing that can
 * be made sells for more than its parts cost, or coins would grow on the market. */
struct sample_price {
    uint64_t sells, buys; /* what a player gets, what a player pays */
};

extern const struct society sample_society;

/* goods may come from outside: what is unknown can neither be made nor traded. */
struct sample_recipe sample_recipe(uint32_t goods);
struct sample_price sample_price(uint32_t goods);

#endif
