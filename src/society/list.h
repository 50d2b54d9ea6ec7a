/* Repeated fields of messages, made longer. What protobuf-c unpacked has exactly the room it needs,
 * so each addition is a copy in the attempt's memory; lists of value are short by their limits.
 */
#ifndef SEOM_SOCIETY_LIST_H
#define SEOM_SOCIETY_LIST_H

#include "store/deed.h"
#include <string.h>

/* A copy of count items with room for more behind them, which is zero. NULL: no memory, return
 * DEED_MORE. */
static inline void *
list_longer(struct deed *deed, const void *items, size_t count, size_t more, size_t item_bytes)
{
    void *copy = deed_alloc(deed, (count + more) * item_bytes);
    if (copy != NULL && count > 0)
        memcpy(copy, items, count * item_bytes);
    return copy;
}

#endif
