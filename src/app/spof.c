#include "app/spof.h"
#include "base/check.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *
text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text == NULL ? "" : text;
}

static void
add(json_t *alone, const char *what, const char *name, const char *dies)
{
    json_t *row = json_pack("{s:s, s:s, s:s}", "what", what, "name", name, "dies", dies);
    CHECK(row != NULL);
    json_array_append_new(alone, row);
}

/* Whether it does its work now and goes on doing it. */
static bool
serves(const json_t *node)
{
    return strcmp(text_of(node, "state"), "serving") == 0 &&
           !json_is_true(json_object_get(node, "draining"));
}

/* How many serve; *one: the name of the last of them. */
static uint32_t
count(const json_t *nodes, const char *role, json_int_t shard, const char **one)
{
    uint32_t found = 0;
    size_t i;
    const json_t *node;
    json_array_foreach(nodes, i, node)
    {
        if (strcmp(text_of(node, "role"), role) != 0 || !serves(node) ||
            json_integer_value(json_object_get(node, "shard")) != shard)
            continue;
        *one = text_of(node, "name");
        found++;
    }
    return found;
}

static void
look_at_role(json_t *alone, const json_t *nodes, const char *role, json_int_t shard,
             const char *dies)
{
    const char *name = "";
    char what[64];
    uint32_t found = count(nodes, role, shard, &name);
    if (found > 1)
        return;
    snprintf(what, sizeof what, "the %s %s of shard %lld", found == 0 ? "missing" : "only", role,
             (long long)shard);
    add(alone, what, name, dies);
}

/* Of one shard alone there are none. */
static bool
has_relays(const json_t *nodes)
{
    size_t i;
    const json_t *node;
    json_array_foreach(nodes, i, node)
    {
        if (strcmp(text_of(node, "role"), "relay") == 0)
            return true;
    }
    return false;
}

static bool
seen_before(const json_t *nodes, size_t before, json_int_t shard)
{
    for (size_t i = 0; i < before; i++) {
        if (json_integer_value(json_object_get(json_array_get(nodes, i), "shard")) == shard)
            return true;
    }
    return false;
}

json_t *
spof_find(const json_t *list)
{
    static const struct {
        const char *role, *what, *dies;
    } engines[] = {
        {"postgres", "PostgreSQL server",
         "commands of value and logins wait until it is back; who plays walks on"},
        {"etcd", "etcd server",
         "new nodes wait until it is back; who plays, logs in or changes home notices nothing"}};

    json_t *alone = json_array();
    const json_t *nodes = json_object_get(list, "nodes"), *node, *engine;
    size_t i;
    CHECK(alone != NULL);
    json_array_foreach(nodes, i, node)
    {
        json_int_t shard = json_integer_value(json_object_get(node, "shard"));
        if (seen_before(nodes, i, shard))
            continue;
        look_at_role(alone, nodes, "home", shard,
                     "everybody of the shard stands still until it is back or another is added");
        look_at_role(alone, nodes, "gate", shard,
                     "everybody of the shard is disconnected until it is back");
        if (has_relays(nodes))
            look_at_role(alone, nodes, "relay", shard,
                         "the shard neither hears other shards nor is heard until it is back");
    }
    json_array_foreach(json_object_get(list, "engines"), i, engine)
    {
        for (size_t k = 0; k < sizeof engines / sizeof engines[0]; k++) {
            char what[64];
            if (strcmp(text_of(engine, "role"), engines[k].role) != 0)
                continue;
            bool up = strcmp(text_of(engine, "state"), "up") == 0;
            snprintf(what, sizeof what, "the %s %s", up ? "only" : "missing", engines[k].what);
            add(alone, what, text_of(engine, "name"), engines[k].dies);
        }
    }
    add(alone, "the only machine, and the keeper of all its processes", "seom cluster up",
        "everything; the next `seom cluster up` goes on with what was durable");
    return alone;
}
