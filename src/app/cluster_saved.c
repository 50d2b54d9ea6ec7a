#include "app/cluster_saved.h"
#include "base/check.h"
#include "os/files.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An engine: what a cluster that started it itself has among its members. */
struct engine {
    const char *key, *role, *name;
};

static const struct engine store = {.key = "store", .role = "postgres", .name = "PostgreSQL"};
static const struct engine directory = {.key = "directory", .role = "etcd", .name = "etcd"};

static bool
has_member(const json_t *saved, const char *role)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(saved, "members"), i, row)
    {
        const char *has = json_string_value(json_object_get(row, "role"));
        if (has != NULL && strcmp(has, role) == 0)
            return true;
    }
    return false;
}

/* Where somebody else's engine is; "": it was the cluster's own. NULL: that is not told. */
static const char *
engine_of(const json_t *saved, const struct engine *engine)
{
    const char *text = json_string_value(json_object_get(saved, engine->key));
    if (text == NULL || text[0] == '\0' || strlen(text) >= CONFIG_TEXT_MAX)
        return NULL;
    return has_member(saved, engine->role) ? "" : text;
}

static int64_t
world_of(const json_t *saved)
{
    json_int_t world = json_integer_value(json_object_get(saved, "world"));
    return world > 0 && world <= UINT16_MAX ? (int64_t)world : 0;
}

static bool
is_whole(const json_t *saved)
{
    return has_member(saved, "home") && world_of(saved) != 0 && engine_of(saved, &store) != NULL &&
           engine_of(saved, &directory) != NULL;
}

enum err
cluster_saved_load(const char *path, json_t **saved, char *why, size_t why_bytes)
{
    CHECK(path != NULL && saved != NULL && why_bytes > 0);
    struct slice text;
    *saved = NULL;
    enum err error = file_read(path, CLUSTER_SAVED_MAX, &text);
    if (error == ERR_NOT_FOUND)
        return OK;
    if (error == OK) {
        *saved = json_loadb((const char *)text.at, text.bytes, 0, NULL);
        free((void *)(uintptr_t)text.at);
    }
    if (is_whole(*saved))
        return OK;
    snprintf(why, why_bytes,
             "%s, which says where the world of this directory is and which nodes it has, cannot "
             "be read (%s) and is left as it is: bring a copy of it back. Without one, move it "
             "away and say --store, --etcd, --world, --shards, --homes and --gates as they were",
             path,
             error != OK      ? err_text(error)
             : *saved == NULL ? "it is no JSON"
                              : "it does not say so");
    json_decref(*saved);
    *saved = NULL;
    return ERR_FORMAT;
}

static enum err
engine_take(const json_t *saved, const char *path, const struct engine *engine, bool has_tickets,
            char place[CONFIG_TEXT_MAX], char *why, size_t why_bytes)
{
    const char *before = engine_of(saved, engine);
    CHECK(before != NULL);
    if (place[0] == '\0') {
        snprintf(place, CONFIG_TEXT_MAX, "%s", before);
        return OK;
    }
    if (!has_tickets || strcmp(place, before) == 0)
        return OK;
    size_t told = (size_t)snprintf(
        why, why_bytes,
        "the cluster of this directory was started with %s %s, and now another %s is given: that "
        "would be another world under the same tickets. Leave it out to go on, or choose another "
        "--data",
        before[0] == '\0' ? "its own" : "a", before[0] == '\0' ? engine->name : engine->key,
        engine->key);
    if (before[0] != '\0' && told < why_bytes)
        snprintf(why + told, why_bytes - told, "; if it has only moved, write so in %s (\"%s\")",
                 path, engine->key);
    return ERR_DENIED;
}

enum err
cluster_saved_take(const json_t *saved, const char *path, struct cluster_place *place, char *why,
                   size_t why_bytes)
{
    CHECK(path != NULL && place != NULL && why_bytes > 0);
    if (saved == NULL)
        return OK;
    int64_t world = world_of(saved);
    if (place->has_tickets && place->world != 0 && place->world != world) {
        snprintf(why, why_bytes,
                 "the cluster of this directory has world %lld, not %lld: leave --world out to go "
                 "on, or choose another --data",
                 (long long)world, (long long)place->world);
        return ERR_DENIED;
    }
    place->world = place->world != 0 ? place->world : world;
    enum err error =
        engine_take(saved, path, &store, place->has_tickets, place->store, why, why_bytes);
    return error == OK ? engine_take(saved, path, &directory, place->has_tickets, place->directory,
                                     why, why_bytes)
                       : error;
}
