/* A set of peers: a bit per index of the links of this process (fabric/mesh.h). Plain data, owned
 * by whoever holds it; PEERS_MAX members at most.
 */
#ifndef SEOM_WORLD_PEER_SET_H
#define SEOM_WORLD_PEER_SET_H

#include "fabric/mesh.h"
#include <stdbool.h>
#include <stdint.h>

#define PEER_SET_WORDS (PEERS_MAX / 64)
#define PEER_NONE      UINT32_MAX

_Static_assert(PEERS_MAX % 64 == 0, "a bit for each peer");

struct peer_set {
    uint64_t bits[PEER_SET_WORDS];
};

static inline bool
peer_set_has(const struct peer_set *set, uint32_t peer)
{
    return set->bits[peer / 64] >> peer % 64 & 1;
}

static inline void
peer_set_put(struct peer_set *set, uint32_t peer, bool in)
{
    uint64_t bit = UINT64_C(1) << peer % 64;
    set->bits[peer / 64] = in ? set->bits[peer / 64] | bit : set->bits[peer / 64] & ~bit;
}

static inline bool
peer_set_is_empty(const struct peer_set *set)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < PEER_SET_WORDS; i++) {
        any |= set->bits[i];
    }
    return any == 0;
}

static inline struct peer_set
peer_set_union(const struct peer_set *a, const struct peer_set *b)
{
    struct peer_set out;
    for (uint32_t i = 0; i < PEER_SET_WORDS; i++) {
        out.bits[i] = a->bits[i] | b->bits[i];
    }
    return out;
}

static inline struct peer_set
peer_set_without(const struct peer_set *a, const struct peer_set *b)
{
    struct peer_set out;
    for (uint32_t i = 0; i < PEER_SET_WORDS; i++) {
        out.bits[i] = a->bits[i] & ~b->bits[i];
    }
    return out;
}

static inline struct peer_set
peer_set_common(const struct peer_set *a, const struct peer_set *b)
{
    struct peer_set out;
    for (uint32_t i = 0; i < PEER_SET_WORDS; i++) {
        out.bits[i] = a->bits[i] & b->bits[i];
    }
    return out;
}

/* The next member from `from` on; PEER_NONE: there is none. */
static inline uint32_t
peer_set_next(const struct peer_set *set, uint32_t from)
{
    for (uint32_t i = from / 64; i < PEER_SET_WORDS; i++) {
        uint64_t left = i == from / 64 ? set->bits[i] & UINT64_MAX << from % 64 : set->bits[i];
        if (left != 0) {
            return i * 64 + (uint32_t)__builtin_ctzll(left);
        }
    }
    return PEER_NONE;
}

#endif
