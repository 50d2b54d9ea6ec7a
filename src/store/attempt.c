#include "store/attempt.h"
#include "base/check.h"
#include <string.h>

static void *
workspace_take(void *ctx, size_t bytes)
{
    struct workspace *workspace = ctx;
    size_t rounded = (bytes + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    if (rounded < bytes || WORKSPACE_BYTES - workspace->used < rounded) {
        workspace->exhausted = true;
        return NULL;
    }
    void *at = workspace->bytes + workspace->used;
    workspace->used += rounded;
    return at;
}

static void
workspace_give(void *ctx, void *at)
{
    (void)ctx;
    (void)at; /* forgotten together with the rest */
}

void
workspace_init(struct workspace *workspace)
{
    workspace->allocator = (ProtobufCAllocator){
        .alloc = workspace_take, .free = workspace_give, .allocator_data = workspace};
    workspace_forget(workspace);
}

void
workspace_forget(struct workspace *workspace)
{
    workspace->used = 0;
    workspace->exhausted = false;
}

void
deed_restart(struct deed *deed)
{
    workspace_forget(deed->workspace);
    for (uint32_t i = 0; i < deed->count; i++) {
        deed->documents[i].message = NULL;
        deed->documents[i].change = CHANGE_NONE;
        deed->documents[i].apart = false;
    }
    deed->ids_used = 0;
    deed->player = NULL;
    deed->trouble = TROUBLE_NONE;
    deed->result_bytes = 0;
}
