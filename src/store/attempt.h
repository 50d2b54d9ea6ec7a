/* The inside of a deed while a command works on it, shared by deed.c (what a deed may ask) and
 * commands.c (when it is asked, read and written) and by nobody else.
 *
 * A deed names documents one after the other; each gets a place in the table, and keeps it while
 * the command is tried again. Its bytes are read into a buffer of the pools below; its message
 * lives in the workspace, which belongs to the one deed that is being asked at the moment.
 */
#ifndef SEOM_STORE_ATTEMPT_H
#define SEOM_STORE_ATTEMPT_H

#include "store/buffers.h"
#include "store/deed.h"
#include "store/ids.h"

#define WORKSPACE_BYTES (1U << 20)

/* Why a deed said DEED_MORE without naming a document. */
enum trouble {
    TROUBLE_NONE,
    TROUBLE_ROOM,      /* too many documents, ids or bytes: it will never fit */
    TROUBLE_IDS,       /* no ids at hand, later */
    TROUBLE_UNREADABLE /* a document is none of ours */
};

enum change { CHANGE_NONE, CHANGE_PUT, CHANGE_DELETE };

struct document {
    struct key key;
    uint64_t hash; /* of the key, never 0 */
    bool is_read;
    bool exists;
    uint64_t version;
    struct buffer buffer;
    struct slice value; /* in the buffer: as read; once it is being written, what is written */
    /* While the deed is being asked: */
    ProtobufCMessage *message;
    const ProtobufCMessageDescriptor *type; /* stays for the answer */
    enum change change;
    bool apart;
    bool in_doubt;     /* a commit that wrote it was answered UNKNOWN */
    struct slot *slot; /* whose it is, for the store's call-backs */
};

/* One for all deeds of a struct commands: they are asked one after the other. */
struct workspace {
    ProtobufCAllocator allocator;
    size_t used;
    bool exhausted;
    _Alignas(max_align_t) uint8_t bytes[WORKSPACE_BYTES];
};

struct deed {
    struct slot *slot; /* whose it is */
    struct deed_actor actor;
    uint64_t seq;
    int64_t now_ms;
    uint16_t world;
    const void *ctx;
    struct slice body;
    struct document documents[DEED_DOCUMENTS_MAX];
    uint32_t count;
    uint64_t ids[DEED_IDS_MAX];
    uint32_t ids_count, ids_used;
    struct ids *id_source;       /* borrowed */
    struct workspace *workspace; /* borrowed */
    Seom__PlayerDocument *player;
    enum trouble trouble;
    uint8_t result[DEED_RESULT_MAX];
    uint32_t result_bytes;
};

void workspace_init(struct workspace *workspace);
void workspace_forget(struct workspace *workspace);
/* Before a deed is asked: no messages, no changes, no result, the same ids again. */
void deed_restart(struct deed *deed);
/* The place of a document in the table, made when new. NULL: the table is full, in trouble. */
struct document *deed_name(struct deed *deed, const struct key *key);
bool deed_changes(const struct deed *deed); /* something */

#endif
