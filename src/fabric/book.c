#include "fabric/book.h"
#include "base/check.h"
#include <stdio.h>
#include <string.h>

const char *
node_role_name(enum node_role role)
{
    static const char *const names[NODE_ROLES] = {
        [NODE_HOME] = "home", [NODE_GATE] = "gate", [NODE_RELAY] = "relay"};
    CHECK(role < NODE_ROLES);
    return names[role];
}

void
node_name(enum node_role role, uint32_t shard, uint32_t index, char out[NODE_NAME_MAX])
{
    CHECK(shard <= UINT16_MAX && index <= UINT16_MAX);
    if (shard == 1)
        snprintf(out, NODE_NAME_MAX, "%s-%u", node_role_name(role), index);
    else
        snprintf(out, NODE_NAME_MAX, "%s-%u-%u", node_role_name(role), shard, index);
}

bool
node_is_same(const struct node *a, const struct node *b)
{
    return a->epoch == b->epoch && a->role == b->role && a->shard == b->shard &&
           a->index == b->index && a->protocol_min == b->protocol_min &&
           a->protocol_max == b->protocol_max && a->draining == b->draining &&
           strcmp(a->name, b->name) == 0 && strcmp(a->address, b->address) == 0 &&
           strcmp(a->play, b->play) == 0 && strcmp(a->version, b->version) == 0;
}

/* <0, 0, >0: a's identity stands before, at, behind that one. */
static int
order_of(const struct node *a, uint16_t shard, enum node_role role, uint16_t index)
{
    if (a->shard != shard)
        return a->shard < shard ? -1 : 1;
    if (a->role != role)
        return a->role < role ? -1 : 1;
    return a->index == index ? 0 : a->index < index ? -1 : 1;
}

/* Where that identity stands, or would. */
static uint32_t
place_of(const struct book *book, uint16_t shard, enum node_role role, uint16_t index, bool *there)
{
    uint32_t low = 0, high = book->count;
    CHECK(book->count <= BOOK_NODES_MAX);
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (order_of(&book->nodes[middle], shard, role, index) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *there = low < book->count && order_of(&book->nodes[low], shard, role, index) == 0;
    return low;
}

uint16_t
book_protocol(const struct book *book, uint16_t own_max)
{
    uint16_t lowest = own_max;
    for (uint32_t i = 0; i < book->count; i++) {
        if (book->nodes[i].protocol_max < lowest)
            lowest = book->nodes[i].protocol_max;
    }
    return lowest;
}

const struct node *
book_find(const struct book *book, uint64_t epoch)
{
    for (uint32_t i = 0; i < book->count; i++)
        if (book->nodes[i].epoch == epoch)
            return &book->nodes[i];
    return NULL;
}

const struct node *
book_find_identity(const struct book *book, uint16_t shard, enum node_role role, uint16_t index)
{
    bool there;
    uint32_t at = place_of(book, shard, role, index, &there);
    return there ? &book->nodes[at] : NULL;
}

enum err
book_put(struct book *book, const struct node *node)
{
    bool there;
    uint32_t at = place_of(book, node->shard, node->role, node->index, &there);
    if (there && node_is_same(&book->nodes[at], node))
        return OK;
    if (!there) {
        if (book->count == BOOK_NODES_MAX)
            return ERR_FULL;
        memmove(&book->nodes[at + 1], &book->nodes[at], (book->count - at) * sizeof book->nodes[0]);
        book->count++;
    }
    book->nodes[at] = *node;
    book->revision++;
    return OK;
}

static void
take_out(struct book *book, uint32_t at)
{
    CHECK(at < book->count);
    memmove(&book->nodes[at], &book->nodes[at + 1], (book->count - at - 1) * sizeof book->nodes[0]);
    book->count--;
    book->revision++;
}

bool
book_remove(struct book *book, uint64_t epoch)
{
    const struct node *node = book_find(book, epoch);
    if (node != NULL)
        take_out(book, (uint32_t)(node - book->nodes));
    return node != NULL;
}

bool
book_remove_identity(struct book *book, uint16_t shard, enum node_role role, uint16_t index)
{
    bool there;
    uint32_t at = place_of(book, shard, role, index, &there);
    if (there)
        take_out(book, at);
    return there;
}
