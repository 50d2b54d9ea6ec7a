#include "store/scratch.h"
#include "base/check.h"

static void *
scratch_take(void *ctx, size_t bytes)
{
    struct scratch *scratch = ctx;
    size_t rounded = (bytes + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    if (rounded < bytes || SCRATCH_BYTES - scratch->used < rounded)
        return NULL;
    void *at = scratch->bytes + scratch->used;
    scratch->used += rounded;
    return at;
}

static void
scratch_give(void *ctx, void *at)
{
    (void)ctx;
    (void)at; /* forgotten together with the rest */
}

void
scratch_init(struct scratch *scratch)
{
    CHECK(scratch != NULL);
    scratch->used = 0;
    scratch->allocator = (ProtobufCAllocator){
        .alloc = scratch_take, .free = scratch_give, .allocator_data = scratch};
}
