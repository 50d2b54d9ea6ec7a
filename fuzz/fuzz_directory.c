/* What a directory may answer: lists, hints and small answers of etcd's gateway, and the entries in
 * them as nodes. Reading never runs over, and what reads as a node can be written and reads back
 * the same. The first byte chooses the reader.
 */
#include "base/check.h"
#include "fabric/directory_keys.h"
#include "fabric/directory_node.h"
#include "fabric/island_shards.h"
#include "fuzz/fuzz.h"
#include "os/etcd_json.h"
#include <string.h>

static void
try_node(struct slice bytes)
{
    struct directory_node node = {0}, back = {0};
    uint8_t again[DIRECTORY_NODE_MAX];
    if (directory_node_read(bytes, &node) != OK)
        return;
    struct slice written = {again, directory_node_write(&node, again)};
    CHECK(directory_node_read(written, &back) == OK);
    CHECK(node_is_same(&node.node, &back.node));
    CHECK(node.installation == back.installation && node.life == back.life);
}

static void
try_table(struct slice bytes)
{
    static struct island_shards shards, back;
    static uint8_t again[DIRECTORY_VALUE_MAX];
    if (island_shards_read(bytes, &shards) != OK)
        return;
    struct slice written = {again, island_shards_write(&shards, again)};
    CHECK(island_shards_read(written, &back) == OK);
    CHECK(memcmp(&shards, &back, sizeof shards) == 0);
}

static void
try_entries(const struct etcd_entries *found)
{
    struct directory_place place;
    for (uint32_t i = 0; i < found->count; i++) {
        const struct directory_entry *entry = &found->entries[i];
        CHECK(entry->key.bytes > 0 && entry->key.bytes <= DIRECTORY_KEY_MAX);
        CHECK(entry->value.bytes <= DIRECTORY_VALUE_MAX && entry->revision > 0);
        try_node(entry->value);
        if (!directory_key_is_node(1, entry->key, &place))
            continue;
        struct directory_key key = directory_key_of_node(1, &place);
        CHECK(strlen(key.text) == entry->key.bytes &&
              memcmp(key.text, entry->key.at, entry->key.bytes) == 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice text = {data + 1, size - 1};
    struct etcd_entries found = {0};
    uint64_t number;
    switch (data[0] % 5) {
    case 0:
        if (etcd_list_read(text, &found) == DIRECTORY_OK)
            try_entries(&found);
        break;
    case 1:
        if (etcd_watch_read(text, &found) == ETCD_WATCH_NEWS)
            try_entries(&found);
        break;
    case 2:
        CHECK((etcd_change_read(text, &number) == DIRECTORY_OK) == (number != 0));
        CHECK((etcd_grant_read(text, &number) == DIRECTORY_OK) == (number != 0));
        (void)etcd_keep_read(text);
        (void)etcd_revoke_read(text);
        break;
    case 3: try_node(text); break;
    default: try_table(text); break;
    }
    etcd_entries_free(&found);
    return 0;
}
