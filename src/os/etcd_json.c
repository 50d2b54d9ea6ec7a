#include "os/etcd_json.h"
#include "base/check.h"
#include "os/base64.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_TEXT    24
#define CODE_NOT_FOUND 5 /* of gRPC: here, there is no such lease */

/* ---- requests ---- */

static json_t *
json_bytes(struct slice bytes)
{
    char *text = malloc(BASE64_BYTES(bytes.bytes));
    CHECK(text != NULL);
    base64_write(bytes, text);
    json_t *json = json_string(text);
    free(text);
    CHECK(json != NULL);
    return json;
}

static json_t *
json_number(uint64_t number)
{
    char text[NUMBER_TEXT];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    json_t *json = json_string(text);
    CHECK(json != NULL);
    return json;
}

/* The first key behind all that begin with prefix, whose last byte is no 0xff: it is '/'. */
static json_t *
json_range_end(struct slice prefix)
{
    uint8_t end[DIRECTORY_KEY_MAX];
    CHECK(prefix.bytes > 0 && prefix.bytes <= sizeof end && prefix.at[prefix.bytes - 1] != 0xff);
    memcpy(end, prefix.at, prefix.bytes);
    end[prefix.bytes - 1]++;
    return json_bytes((struct slice){end, prefix.bytes});
}

/* Takes the object. */
static char *
body_of(json_t *json)
{
    CHECK(json != NULL);
    char *text = json_dumps(json, JSON_COMPACT);
    CHECK(text != NULL);
    json_decref(json);
    return text;
}

char *
etcd_list_request(struct slice prefix)
{
    return body_of(
        json_pack("{s:o, s:o}", "key", json_bytes(prefix), "range_end", json_range_end(prefix)));
}

char *
etcd_change_request(const struct directory_change *change)
{
    json_t *compare =
        change->expected == 0
            ? json_pack("{s:s, s:s, s:o, s:s}", "target", "CREATE", "result", "EQUAL", "key",
                        json_bytes(change->key), "create_revision", "0")
            : json_pack("{s:s, s:s, s:o, s:o}", "target", "MOD", "result", "EQUAL", "key",
                        json_bytes(change->key), "mod_revision", json_number(change->expected));
    json_t *then =
        change->remove
            ? json_pack("{s:{s:o}}", "request_delete_range", "key", json_bytes(change->key))
            : json_pack("{s:{s:o, s:o, s:o}}", "request_put", "key", json_bytes(change->key),
                        "value", json_bytes(change->value), "lease", json_number(change->lease));
    return body_of(json_pack("{s:[o], s:[o]}", "compare", compare, "success", then));
}

char *
etcd_grant_request(uint32_t ttl_s)
{
    return body_of(json_pack("{s:o}", "TTL", json_number(ttl_s)));
}

char *
etcd_lease_request(uint64_t lease)
{
    return body_of(json_pack("{s:o}", "ID", json_number(lease)));
}

char *
etcd_watch_request(struct slice prefix, uint64_t from)
{
    return body_of(json_pack("{s:{s:o, s:o, s:o}}", "create_request", "key", json_bytes(prefix),
                             "range_end", json_range_end(prefix), "start_revision",
                             json_number(from)));
}

/* ---- answers ---- */

/* NULL: no JSON object. */
static json_t *
object_of(struct slice text)
{
    json_t *json = json_loadb((const char *)text.at, text.bytes, 0, NULL);
    if (json != NULL && !json_is_object(json)) {
        json_decref(json);
        json = NULL;
    }
    return json;
}

/* A positive number, as a string or as itself; 0: there is none. */
static uint64_t
number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_integer(value))
        return json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
    const char *text = json_string_value(value);
    if (text == NULL || *text < '0' || *text > '9')
        return 0;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' ? number : 0;
}

static uint64_t
revision_of(const json_t *answer)
{
    return number_of(json_object_get(answer, "header"), "revision");
}

/* etcd says no, and that nothing happened. */
static bool
is_gone(const json_t *answer)
{
    return number_of(answer, "code") == CODE_NOT_FOUND;
}

void
etcd_entries_free(struct etcd_entries *entries)
{
    free(entries->entries);
    free(entries->bytes);
    *entries = (struct etcd_entries){0};
}

/* Decodes into the block at *used; false: no base64, or too long. */
static bool
bytes_read(const json_t *kv, const char *name, size_t most, struct etcd_entries *out, size_t *used,
           struct slice *read)
{
    const json_t *value = json_object_get(kv, name);
    struct slice text = {(const uint8_t *)json_string_value(value), json_string_length(value)};
    *read = (struct slice){out->bytes + *used, 0};
    if (text.at == NULL)
        return value == NULL; /* an empty value is left out */
    if (!base64_read(text, out->bytes + *used, &read->bytes) || read->bytes > most)
        return false;
    *used += read->bytes;
    return true;
}

static void
entry_read(const json_t *kv, bool removed, struct etcd_entries *out, size_t *used)
{
    struct directory_entry entry = {.create_revision = number_of(kv, "create_revision"),
                                    .revision = number_of(kv, "mod_revision"),
                                    .lease = number_of(kv, "lease")};
    if (removed)
        entry.create_revision = entry.lease = 0;
    if (!bytes_read(kv, "key", DIRECTORY_KEY_MAX, out, used, &entry.key) || entry.key.bytes == 0 ||
        !bytes_read(kv, "value", DIRECTORY_VALUE_MAX, out, used, &entry.value) ||
        entry.revision == 0 || removed != (entry.create_revision == 0))
        out->left_out++;
    else
        out->entries[out->count++] = entry;
}

/* kvs of a list, or events of a watch. bytes: of the whole text, which holds them in base64. */
static void
entries_read(const json_t *list, bool events, size_t bytes, struct etcd_entries *out)
{
    size_t count = json_array_size(list), used = 0;
    out->left_out = count > DIRECTORY_ENTRIES_MAX ? (uint32_t)count - DIRECTORY_ENTRIES_MAX : 0;
    count = count > DIRECTORY_ENTRIES_MAX ? DIRECTORY_ENTRIES_MAX : count;
    out->entries = calloc(count + 1, sizeof *out->entries);
    out->bytes = malloc(bytes + 1);
    CHECK(out->entries != NULL && out->bytes != NULL);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        const char *type = json_string_value(json_object_get(item, "type"));
        bool removed = events && type != NULL && strcmp(type, "DELETE") == 0;
        entry_read(events ? json_object_get(item, "kv") : item, removed, out, &used);
    }
}

enum directory_result
etcd_list_read(struct slice text, struct etcd_entries *out)
{
    *out = (struct etcd_entries){0};
    json_t *answer = object_of(text);
    out->revision = revision_of(answer);
    if (out->revision != 0)
        entries_read(json_object_get(answer, "kvs"), false, text.bytes, out);
    json_decref(answer);
    return out->revision != 0 ? DIRECTORY_OK : DIRECTORY_UNAVAILABLE;
}

enum directory_result
etcd_change_read(struct slice text, uint64_t *revision)
{
    json_t *answer = object_of(text);
    enum directory_result result = DIRECTORY_UNKNOWN;
    *revision = revision_of(answer);
    if (is_gone(answer))
        result = DIRECTORY_GONE;
    else if (*revision != 0) /* what is false is left out */
        result =
            json_is_true(json_object_get(answer, "succeeded")) ? DIRECTORY_OK : DIRECTORY_CONFLICT;
    *revision = result == DIRECTORY_OK ? *revision : 0;
    json_decref(answer);
    return result;
}

enum directory_result
etcd_grant_read(struct slice text, uint64_t *lease)
{
    json_t *answer = object_of(text);
    *lease = revision_of(answer) != 0 ? number_of(answer, "ID") : 0;
    json_decref(answer);
    return *lease != 0 ? DIRECTORY_OK : DIRECTORY_UNKNOWN;
}

enum directory_result
etcd_keep_read(struct slice text)
{
    json_t *answer = object_of(text);
    const json_t *result = json_object_get(answer, "result");
    enum directory_result kept = DIRECTORY_UNKNOWN;
    if (revision_of(result) != 0) /* a lease that is gone has no time left */
        kept = number_of(result, "TTL") != 0 ? DIRECTORY_OK : DIRECTORY_GONE;
    json_decref(answer);
    return kept;
}

enum directory_result
etcd_revoke_read(struct slice text)
{
    json_t *answer = object_of(text);
    enum directory_result result = DIRECTORY_UNKNOWN;
    if (is_gone(answer))
        result = DIRECTORY_GONE;
    else if (revision_of(answer) != 0)
        result = DIRECTORY_OK;
    json_decref(answer);
    return result;
}

enum etcd_watch
etcd_watch_read(struct slice line, struct etcd_entries *out)
{
    *out = (struct etcd_entries){0};
    json_t *answer = object_of(line);
    const json_t *result = json_object_get(answer, "result");
    enum etcd_watch what = ETCD_WATCH_NOTHING;
    if (json_is_true(json_object_get(result, "canceled")))
        what =
            number_of(result, "compact_revision") != 0 ? ETCD_WATCH_COMPACTED : ETCD_WATCH_CLOSED;
    else if (!json_is_object(json_object_get(result, "header")))
        what = ETCD_WATCH_CLOSED; /* an error, or nothing of etcd's */
    else if (json_array_size(json_object_get(result, "events")) > 0)
        what = ETCD_WATCH_NEWS;
    if (what == ETCD_WATCH_NEWS) {
        out->revision = revision_of(result);
        entries_read(json_object_get(result, "events"), true, line.bytes, out);
    }
    json_decref(answer);
    return what;
}
