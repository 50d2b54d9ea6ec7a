#include "fabric/directory_node.h"
#include "base/check.h"
#include "directory.pb-c.h"
#include "store/scratch.h"
#include "wire/text.h"
#include <string.h>

/* Copies a line of text that has its place; the empty one is fine. */
static bool
line_read(const char *text, char *out, size_t room)
{
    size_t bytes = strlen(text);
    if (bytes >= room || (bytes > 0 && !text_is_line((struct slice){(const uint8_t *)text, bytes})))
        return false;
    memset(out, 0, room);
    memcpy(out, text, bytes);
    return true;
}

enum err
directory_node_read(struct slice bytes, struct directory_node *out)
{
    struct scratch scratch;
    if (bytes.bytes > DIRECTORY_VALUE_MAX)
        return ERR_TOO_LARGE;
    scratch_init(&scratch);
    const Seom__DirectoryNode *m =
        seom__directory_node__unpack(&scratch.allocator, bytes.bytes, bytes.at);
    if (m == NULL || m->installation == 0 || m->life == 0 || m->protocol_min > UINT16_MAX ||
        m->protocol_max > UINT16_MAX || m->protocol_min > m->protocol_max)
        return ERR_FORMAT;
    struct directory_node node = *out;
    if (!line_read(m->address, node.node.address, sizeof node.node.address) ||
        !line_read(m->play, node.node.play, sizeof node.node.play) ||
        !line_read(m->version, node.node.version, sizeof node.node.version))
        return ERR_FORMAT;
    node.node.epoch = m->epoch;
    node.node.protocol_min = (uint16_t)m->protocol_min;
    node.node.protocol_max = (uint16_t)m->protocol_max;
    node.node.draining = m->draining;
    node.installation = m->installation;
    node.life = m->life;
    *out = node;
    return OK;
}

size_t
directory_node_write(const struct directory_node *node, uint8_t out[DIRECTORY_NODE_MAX])
{
    struct node copy = node->node;
    CHECK(node->installation != 0 && node->life != 0);
    Seom__DirectoryNode m = SEOM__DIRECTORY_NODE__INIT;
    m.epoch = copy.epoch;
    m.installation = node->installation;
    m.life = node->life;
    m.protocol_min = copy.protocol_min;
    m.protocol_max = copy.protocol_max;
    m.draining = copy.draining;
    m.address = copy.address;
    m.play = copy.play;
    m.version = copy.version;
    CHECK(seom__directory_node__get_packed_size(&m) <= DIRECTORY_NODE_MAX);
    return seom__directory_node__pack(&m, out);
}
