#include "fabric/mesh_frames.h"
#include "base/check.h"
#include "wire/limits.h"
#include <string.h>

#define FLAG_DRAINING 1
#define FLAG_PROBE    1

const char *
mesh_refusal_text(uint8_t refusal)
{
#define REFUSAL_TEXT(name, text) text,
    static const char *const texts[MESH_REFUSALS] = {MESH_REFUSAL_TABLE(REFUSAL_TEXT)};
#undef REFUSAL_TEXT
    return refusal < MESH_REFUSALS ? texts[refusal] : "a reason that this version does not know";
}

static void
text_write(struct writer *w, const char *text)
{
    size_t bytes = strlen(text);
    CHECK(bytes <= UINT8_MAX);
    write_u8(w, (uint8_t)bytes);
    write_bytes(w, text, bytes);
}

static bool
text_read(struct reader *r, char *out, size_t room)
{
    struct slice text = read_bytes(r, read_u8(r));
    if (!reader_ok(r) || text.bytes >= room) {
        return false;
    }
    memset(out, 0, room);
    for (size_t i = 0; i < text.bytes; i++) {
        bool printable = text.at[i] >= ' ' && text.at[i] <= '~';
        out[i] = printable ? (char)text.at[i] : '?';
    }
    return true;
}

void
mesh_node_write(struct writer *w, const struct node *node)
{
    CHECK(node->epoch != 0 && node->role < NODE_ROLES);
    write_u64(w, node->epoch);
    write_u8(w, (uint8_t)node->role);
    write_u16(w, node->shard);
    write_u16(w, node->index);
    write_u16(w, node->protocol_min);
    write_u16(w, node->protocol_max);
    write_u8(w, node->draining ? FLAG_DRAINING : 0);
    text_write(w, node->name);
    text_write(w, node->address);
    text_write(w, node->play);
    text_write(w, node->version);
}

enum err
mesh_node_read(struct reader *r, struct node *node)
{
    *node = (struct node){.epoch = read_u64(r)};
    uint8_t role = read_u8(r);
    node->shard = read_u16(r);
    node->index = read_u16(r);
    node->protocol_min = read_u16(r);
    node->protocol_max = read_u16(r);
    node->draining = (read_u8(r) & FLAG_DRAINING) != 0;
    bool texts = text_read(r, node->name, sizeof node->name) &&
                 text_read(r, node->address, sizeof node->address) &&
                 text_read(r, node->play, sizeof node->play) &&
                 text_read(r, node->version, sizeof node->version);
    if (!texts || !reader_ok(r) || node->epoch == 0 || role >= NODE_ROLES ||
        node->protocol_min > node->protocol_max) {
        return ERR_FORMAT;
    }
    node->role = (enum node_role)role;
    return OK;
}

size_t
mesh_hello_write(const struct mesh_hello *hello, uint8_t out[MESH_HELLO_MAX])
{
    struct writer w = writer_over(out, MESH_HELLO_MAX);
    write_u32(&w, MESH_MAGIC);
    write_u16(&w, hello->world);
    write_u8(&w, hello->probe ? FLAG_PROBE : 0);
    write_u64(&w, hello->schema);
    write_i64(&w, hello->world_ms);
    mesh_node_write(&w, &hello->node);
    CHECK(writer_ok(&w));
    return writer_used(&w);
}

enum err
mesh_hello_read(struct slice body, struct mesh_hello *hello)
{
    struct reader r = reader_over(body.at, body.bytes);
    uint32_t magic = read_u32(&r);
    hello->world = read_u16(&r);
    hello->probe = (read_u8(&r) & FLAG_PROBE) != 0;
    hello->schema = read_u64(&r);
    hello->world_ms = read_i64(&r);
    bool in_range = hello->world_ms >= 0 && hello->world_ms <= WORLD_MS_MAX;
    if (!reader_ok(&r) || magic != MESH_MAGIC || !in_range) {
        return ERR_FORMAT;
    }
    return mesh_node_read(&r, &hello->node);
}

size_t
mesh_beat_write(const struct mesh_beat *beat, uint8_t out[MESH_HELLO_MAX])
{
    struct writer w = writer_over(out, MESH_HELLO_MAX);
    write_i64(&w, beat->sent_us);
    write_i64(&w, beat->world_ms);
    write_u32(&w, beat->load);
    write_u8(&w, beat->draining ? FLAG_DRAINING : 0);
    CHECK(writer_ok(&w));
    return writer_used(&w);
}

enum err
mesh_beat_read(struct slice body, struct mesh_beat *beat)
{
    struct reader r = reader_over(body.at, body.bytes);
    beat->sent_us = read_i64(&r);
    beat->world_ms = read_i64(&r);
    beat->load = read_u32(&r);
    beat->draining = (read_u8(&r) & FLAG_DRAINING) != 0;
    bool in_range = beat->world_ms >= 0 && beat->world_ms <= WORLD_MS_MAX;
    return reader_ok(&r) && in_range ? OK : ERR_FORMAT;
}

size_t
mesh_seen_write(const struct mesh_seen *seen, uint8_t out[MESH_HELLO_MAX])
{
    struct writer w = writer_over(out, MESH_HELLO_MAX);
    write_u64(&w, seen->epoch);
    write_u8(&w, (uint8_t)seen->sight);
    CHECK(writer_ok(&w));
    return writer_used(&w);
}

enum err
mesh_seen_read(struct slice body, struct mesh_seen *seen)
{
    struct reader r = reader_over(body.at, body.bytes);
    seen->epoch = read_u64(&r);
    uint8_t sight = read_u8(&r);
    if (!reader_ok(&r) || sight >= SIGHTS) {
        return ERR_FORMAT;
    }
    seen->sight = (enum mesh_sight)sight;
    return OK;
}

size_t
mesh_epoch_write(uint64_t epoch, uint8_t out[MESH_HELLO_MAX])
{
    struct writer w = writer_over(out, MESH_HELLO_MAX);
    write_u64(&w, epoch);
    CHECK(writer_ok(&w));
    return writer_used(&w);
}

enum err
mesh_epoch_read(struct slice body, uint64_t *epoch)
{
    struct reader r = reader_over(body.at, body.bytes);
    *epoch = read_u64(&r);
    return reader_ok(&r) ? OK : ERR_FORMAT;
}
