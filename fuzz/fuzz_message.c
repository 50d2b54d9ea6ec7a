/* Messages of both directions: what is read can be written, and then reads the same; the fast path
 * of moves takes only what the slow one takes, and says the same.
 */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "wire/message.h"
#include <string.h>

#define FRAME_MAX 65536

static void
forget_unknown(ProtobufCMessage *message)
{
    message->n_unknown_fields = 0;
    uint8_t *base = (uint8_t *)message;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
            continue;
        }
        void *at = base + field->offset, *quantity = base + field->quantifier_offset;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            ProtobufCMessage **items = *(ProtobufCMessage ***)at;
            for (size_t k = 0; k < *(size_t *)quantity; k++) {
                forget_unknown(items[k]);
            }
        } else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 ||
                   *(uint32_t *)quantity == field->id) {
            if (*(ProtobufCMessage **)at != NULL) {
                forget_unknown(*(ProtobufCMessage **)at);
            }
        }
    }
}

static void
check_move(struct slice frame)
{
    struct message_move quick, truth;
    if (message_read_move(frame, &quick) != OK) {
        return;
    }
    struct message_arena arena;
    const Seom__ClientMessage *message;
    CHECK(message_read_client(frame, &arena, &message) == OK);
    CHECK(message->what_case == SEOM__CLIENT_MESSAGE__WHAT_MOVE);
    truth = message_move_of(message->move);
    CHECK(quick.move_no == truth.move_no && quick.look == truth.look);
    CHECK(quick.motion.x_mm == truth.motion.x_mm && quick.motion.y_mm == truth.motion.y_mm);
    CHECK(quick.motion.vx == truth.motion.vx && quick.motion.vy == truth.motion.vy);
    CHECK(quick.motion.since_ms == truth.motion.since_ms);
    CHECK(quick.motion.lasts_ms == truth.motion.lasts_ms);
    uint8_t ours[MESSAGE_MOVE_BYTES_MAX], theirs[FRAME_MAX];
    size_t n = message_write_move(&quick, ours, sizeof ours);
    CHECK(n > 0);
    struct message_move again;
    CHECK(message_read_move((struct slice){ours, n}, &again) == OK);
    CHECK(message_write_move(&again, theirs, sizeof theirs) == n && memcmp(ours, theirs, n) == 0);
}

static void
check_client(struct slice frame)
{
    static uint8_t first[FRAME_MAX], second[FRAME_MAX];
    struct message_arena arena;
    const Seom__ClientMessage *message;
    if (message_read_client(frame, &arena, &message) != OK) {
        return;
    }
    forget_unknown((ProtobufCMessage *)(uintptr_t)message);
    size_t n = message_write_client(message, first, sizeof first);
    CHECK(n > 0);
    CHECK(message_read_client((struct slice){first, n}, &arena, &message) == OK);
    CHECK(message_write_client(message, second, sizeof second) == n);
    CHECK(memcmp(first, second, n) == 0);
}

static void
check_server(struct slice frame)
{
    static uint8_t first[FRAME_MAX], second[FRAME_MAX];
    struct message_arena arena;
    const Seom__ServerMessage *message;
    if (message_read_server(frame, &arena, &message) != OK) {
        return;
    }
    forget_unknown((ProtobufCMessage *)(uintptr_t)message);
    size_t n = message_write_server(message, first, sizeof first);
    CHECK(n > 0);
    CHECK(message_read_server((struct slice){first, n}, &arena, &message) == OK);
    CHECK(message_write_server(message, second, sizeof second) == n);
    CHECK(memcmp(first, second, n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice frame = {data, size};
    check_move(frame);
    check_client(frame);
    check_server(frame);
    return 0;
}
