/* Link messages: what is read can be written again and gives the same bytes. */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "wire/link.h"
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct link_message message;
    if (link_read(data, size, &message) != OK) {
        return 0;
    }
    uint8_t head[LINK_HEAD_MAX];
    size_t head_bytes = link_head(&message, head);
    struct slice tail = link_tail(&message);
    CHECK(head_bytes + tail.bytes == size);
    CHECK(memcmp(head, data, head_bytes) == 0);
    CHECK(tail.bytes == 0 || memcmp(tail.at, data + head_bytes, tail.bytes) == 0);
    return 0;
}
