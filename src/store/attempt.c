#include "store/attempt.h"
#include "base/check.h"
#include <string.h>

/* Most documents are small; a command has few large ones. */
static const struct {
    uint32_t bytes, per_command, block;
} classes[BUFFER_CLASSES] = {
    {.bytes = 1024, .per_command = 8, .block = 64},
    {.bytes = 4096, .per_command = 4, .block = 16},
    {.bytes = STORE_VALUE_MAX, .per_command = 2, .block = 8},
};

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

void
buffers_init(struct buffers *buffers, uint32_t commands_max)
{
    for (uint32_t c = 0; c < BUFFER_CLASSES; c++) {
        uint32_t limit = commands_max * classes[c].per_command + DEED_DOCUMENTS_MAX;
        pool_init(&buffers->pools[c], classes[c].bytes, limit, classes[c].block);
    }
}

void
buffers_fini(struct buffers *buffers)
{
    for (uint32_t c = 0; c < BUFFER_CLASSES; c++)
        pool_fini(&buffers->pools[c]);
}

enum err
buffer_take(struct buffers *buffers, size_t bytes, struct buffer *out)
{
    CHECK(bytes <= STORE_VALUE_MAX);
    for (uint8_t c = 0; c < BUFFER_CLASSES; c++) {
        if (bytes > classes[c].bytes)
            continue;
        uint32_t index;
        if (pool_take(&buffers->pools[c], &index) != OK)
            continue; /* a larger one will do */
        *out = (struct buffer){.at = pool_at(&buffers->pools[c], index),
                               .bytes = (uint32_t)bytes,
                               .index = index,
                               .class = c};
        return OK;
    }
    return ERR_FULL;
}

void
buffer_give(struct buffers *buffers, struct buffer *buffer)
{
    if (buffer->at != NULL)
        pool_give(&buffers->pools[buffer->class], buffer->index);
    *buffer = (struct buffer){0};
}
