#include "society/ledger.h"

#define REASON_TEXT(id, n, text) [n] = (text),

static const char *const texts[REASON_COUNT] = {REASONS(REASON_TEXT)};

const char *
reason_text(uint32_t reason)
{
    return reason < REASON_COUNT ? texts[reason] : "?";
}
