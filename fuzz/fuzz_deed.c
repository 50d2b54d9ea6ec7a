/* Deeds of people who ask for anything, in any order, against the plain model of what should happen
 * (society/play.h): after each command the store is as the model says, and the audit balances. Then
 * the rest of the input is the body of a command as it is.
 */
#include "base/check.h"
#include "fuzz/extreme.h"
#include "fuzz/fuzz.h"
#include "seom.pb-c.h"
#include "society/deeds.h"
#include "society/play.h"

#define STEPS_MAX 64
#define CHESTS    22
#define FEWER     8

static uint32_t
by_input(void *ctx, uint32_t limit)
{
    struct reader *in = ctx;
    return limit <= UINT8_MAX ? extreme_below(in, limit) : read_u16(in) % limit;
}

/* Each deed is asked with these bytes. Whatever they are, nothing is doubled or lost. */
static void
ask_raw(struct square *square, struct slice body)
{
    if (body.bytes > DEED_BODY_MAX)
        body.bytes = DEED_BODY_MAX;
    for (Seom__Deed__WhatCase what = SEOM__DEED__WHAT_SPLIT; what <= SEOM__DEED__WHAT_CLAIM; what++)
        square_run(square, 0, society_deed(what), body);
    CHECK(square_audit(square).balanced);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader in = reader_over(data, size);
    uint32_t steps = read_u8(&in) % STEPS_MAX;
    struct play *play =
        play_alloc(1, SOCIETY_MUTANT_NONE, (struct play_source){.ctx = &in, .below = by_input});
    play_stock(play, CHESTS, FEWER);
    CHECK(play_steps(play, steps));
    ask_raw(play->square, (struct slice){.at = in.at, .bytes = reader_left(&in)});
    play_free(play);
    return 0;
}
