#include "rules/sample_kinds.h"

static const struct kind kinds[GOODS_COUNT] = {
    [GOODS_FRUIT] = {.name = "fruit", .stack_max = 99},
    [GOODS_CHARM] = {.name = "charm", .stack_max = 1},
    [GOODS_CHEST] = {.name = "chest", .stack_max = 1},
};

static const struct sample_recipe recipes[GOODS_COUNT] = {
    [GOODS_CHARM] = {.fruit = 3},
    [GOODS_CHEST] = {.fruit = 5, .coins = 20},
};

static const struct sample_price prices[GOODS_COUNT] = {
    [GOODS_FRUIT] = {.sells = 2, .buys = 5},
    [GOODS_CHARM] = {.sells = 12},
};

const struct society sample_society = {
    .kinds = kinds, .kinds_count = GOODS_COUNT, .first_coins = SAMPLE_FIRST_COINS};

struct sample_recipe
sample_recipe(uint32_t goods)
{
    return goods < GOODS_COUNT ? recipes[goods] : (struct sample_recipe){0};
}

struct sample_price
sample_price(uint32_t goods)
{
    return goods < GOODS_COUNT ? prices[goods] : (struct sample_price){0};
}
