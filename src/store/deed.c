#include "store/deed.h"
#include "base/check.h"
#include "store/attempt.h"
#include <string.h>
#include <xxhash.h>

static const char *const class_names[DEED_CLASSES] = {[DEED_GATHER] = "gather",
                                                      [DEED_ARRANGE] = "arrange",
                                                      [DEED_TAKE] = "take",
                                                      [DEED_TRADE] = "trade",
                                                      [DEED_MAIL] = "mail"};

const char *deed_class_name(enum deed_class class)
{
    CHECK(class < DEED_CLASSES);
    return class_names[class];
}

const struct deed_actor *
deed_actor(const struct deed *deed)
{
    return &deed->actor;
}

struct slice
deed_body(const struct deed *deed)
{
    return deed->body;
}

int64_t
deed_now_ms(const struct deed *deed)
{
    return deed->now_ms;
}

uint64_t
deed_seq(const struct deed *deed)
{
    return deed->seq;
}

uint16_t
deed_world(const struct deed *deed)
{
    return deed->world;
}

const void *
deed_ctx(const struct deed *deed)
{
    return deed->ctx;
}

Seom__PlayerDocument *
deed_player(const struct deed *deed)
{
    return deed->player;
}

static void *
in_trouble(struct deed *deed, enum trouble trouble)
{
    if (deed->trouble == TROUBLE_NONE)
        deed->trouble = trouble;
    return NULL;
}

void *
deed_alloc(struct deed *deed, size_t bytes)
{
    void *at = deed->workspace->allocator.alloc(deed->workspace, bytes);
    if (at == NULL)
        return in_trouble(deed, TROUBLE_ROOM);
    return memset(at, 0, bytes);
}

void *
deed_unpack(struct deed *deed, const ProtobufCMessageDescriptor *type, struct slice bytes)
{
    return protobuf_c_message_unpack(type, &deed->workspace->allocator, bytes.bytes, bytes.at);
}

struct document *
deed_name(struct deed *deed, const struct key *key)
{
    for (uint32_t i = 0; i < deed->count; i++) {
        struct document *d = &deed->documents[i];
        if (d->key.bytes == key->bytes && memcmp(d->key.text, key->text, key->bytes) == 0)
            return d;
    }
    if (deed->count == DEED_DOCUMENTS_MAX)
        return in_trouble(deed, TROUBLE_ROOM);
    struct document *d = &deed->documents[deed->count++];
    uint64_t hash = XXH64(key->text, key->bytes, 0);
    *d = (struct document){.key = *key, .hash = hash == 0 ? 1 : hash, .slot = deed->slot};
    return d;
}

void *
deed_open(struct deed *deed, const struct key *key, const ProtobufCMessageDescriptor *type)
{
    struct document *d = deed_name(deed, key);
    if (d == NULL || !d->is_read)
        return NULL;
    if (d->message != NULL) {
        CHECK(d->type == type);
        return d->message;
    }
    d->type = type;
    if (!d->exists) {
        d->message = deed_alloc(deed, type->sizeof_message);
        if (d->message != NULL)
            type->message_init(d->message);
        return d->message;
    }
    d->message = deed_unpack(deed, type, d->value);
    if (d->message == NULL)
        in_trouble(deed, deed->workspace->exhausted ? TROUBLE_ROOM : TROUBLE_UNREADABLE);
    return d->message;
}

bool
deed_changes(const struct deed *deed)
{
    for (uint32_t i = 0; i < deed->count; i++) {
        if (deed->documents[i].change != CHANGE_NONE)
            return true;
    }
    return false;
}

static struct document *
document_of(const struct deed *deed, const void *message)
{
    for (uint32_t i = 0; i < deed->count; i++) {
        if (deed->documents[i].message == message)
            return (struct document *)&deed->documents[i];
    }
    check_failed(__FILE__, __LINE__, __func__, "the message was opened by this deed");
}

bool
deed_exists(const struct deed *deed, const void *message)
{
    return document_of(deed, message)->exists;
}

void
deed_put(struct deed *deed, const void *message)
{
    document_of(deed, message)->change = CHANGE_PUT;
}

void
deed_delete(struct deed *deed, const void *message)
{
    struct document *d = document_of(deed, message);
    CHECK(d->exists);
    d->change = CHANGE_DELETE;
}

void
deed_put_apart(struct deed *deed, const void *message)
{
    struct document *d = document_of(deed, message);
    d->change = CHANGE_PUT;
    d->apart = true;
}

uint64_t
deed_id(struct deed *deed)
{
    if (deed->ids_used == deed->ids_count) {
        if (deed->ids_count == DEED_IDS_MAX) {
            in_trouble(deed, TROUBLE_ROOM);
            return 0;
        }
        if (ids_take(deed->id_source, &deed->ids[deed->ids_count]) != OK) {
            in_trouble(deed, TROUBLE_IDS);
            return 0;
        }
        deed->ids_count++;
    }
    return deed->ids[deed->ids_used++];
}

void
deed_result(struct deed *deed, struct slice body)
{
    CHECK(body.bytes <= DEED_RESULT_MAX);
    if (body.bytes > 0)
        memcpy(deed->result, body.at, body.bytes);
    deed->result_bytes = (uint32_t)body.bytes;
}
