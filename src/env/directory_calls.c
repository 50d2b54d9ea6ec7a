#include "env/directory_calls.h"
#include "base/check.h"
#include <stdlib.h>
#include <string.h>

/* ---- the port ---- */

static enum err
call_begin(struct directory_calls *calls, struct directory_call call)
{
    return calls->begin(calls, &call);
}

static enum err
port_list(void *ctx, uint64_t token, struct slice prefix)
{
    return call_begin(ctx, (struct directory_call){
                               .kind = DIRECTORY_LIST, .token = token, .change = {.key = prefix}});
}

static enum err
port_change(void *ctx, uint64_t token, const struct directory_change *change)
{
    if (change->key.bytes == 0 || change->key.bytes > DIRECTORY_KEY_MAX ||
        change->value.bytes > DIRECTORY_VALUE_MAX)
        return ERR_TOO_LARGE;
    return call_begin(
        ctx, (struct directory_call){.kind = DIRECTORY_CHANGE, .token = token, .change = *change});
}

static enum err
port_grant(void *ctx, uint64_t token, uint32_t ttl_s)
{
    return call_begin(
        ctx, (struct directory_call){.kind = DIRECTORY_GRANT, .token = token, .ttl_s = ttl_s});
}

static enum err
port_keep(void *ctx, uint64_t token, uint64_t lease)
{
    return call_begin(
        ctx, (struct directory_call){.kind = DIRECTORY_KEEP, .token = token, .lease = lease});
}

static enum err
port_revoke(void *ctx, uint64_t token, uint64_t lease)
{
    return call_begin(
        ctx, (struct directory_call){.kind = DIRECTORY_REVOKE, .token = token, .lease = lease});
}

struct env_directory
directory_calls_port(struct directory_calls *calls)
{
    CHECK(calls->begin != NULL);
    return (struct env_directory){.ctx = calls,
                                  .list = port_list,
                                  .change = port_change,
                                  .grant = port_grant,
                                  .keep = port_keep,
                                  .revoke = port_revoke};
}

/* ---- a call ---- */

struct directory_call
directory_call_keep(const struct directory_call *call)
{
    struct directory_call kept = *call;
    size_t key_bytes = call->change.key.bytes, value_bytes = call->change.value.bytes;
    CHECK(call->bytes == NULL);
    kept.bytes = malloc(key_bytes + value_bytes + 1);
    CHECK(kept.bytes != NULL);
    if (key_bytes > 0)
        memcpy(kept.bytes, call->change.key.at, key_bytes);
    if (value_bytes > 0)
        memcpy(kept.bytes + key_bytes, call->change.value.at, value_bytes);
    kept.change.key.at = kept.bytes;
    kept.change.value.at = kept.bytes + key_bytes;
    return kept;
}

void
directory_call_free(struct directory_call *call)
{
    CHECK(call->bytes != NULL);
    free(call->bytes);
    call->bytes = NULL;
}

enum directory_result
directory_call_try(const struct directory_call *call, struct directory_entries *entries,
                   int64_t now_us, uint64_t *number)
{
    CHECK(call->kind != DIRECTORY_LIST);
    *number = 0;
    if (call->kind == DIRECTORY_CHANGE)
        return directory_entries_change(entries, &call->change, number);
    if (call->kind == DIRECTORY_KEEP)
        return directory_entries_keep(entries, call->lease, now_us);
    if (call->kind == DIRECTORY_REVOKE)
        return directory_entries_revoke(entries, call->lease);
    *number = directory_entries_grant(entries, (int64_t)call->ttl_s * 1000000, now_us);
    return *number != 0 ? DIRECTORY_OK : DIRECTORY_UNAVAILABLE;
}
