/* The client library, fed with what a hostile server says. The first byte is the size of pieces:
 * the same bytes must mean the same in one piece and in many, with a replica; without one the
 * client must bear them too. */
#include "base/check.h"
#include "client/client.h"
#include "fuzz/fuzz.h"

#define REPLICA_MAX 64
#define NOW_US      INT64_C(1000000)

struct heard {
    struct seom_client *client;
    enum err error;
};

static struct heard
hear(const uint8_t *data, size_t size, size_t piece, bool replica)
{
    struct heard h = {0};
    struct seom_options options = {.replica = replica, .replica_max = REPLICA_MAX};
    enum err opened = seom_client_open(&options, NULL, &h.client);
    CHECK(opened == OK);
    seom_client_connected(h.client, NOW_US);
    for (size_t at = 0; at < size && h.error == OK; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        h.error = seom_client_input(h.client, data + at, n, NOW_US);
    }
    (void)seom_client_turn(h.client, NOW_US);
    CHECK(seom_client_entity_count(h.client) <= REPLICA_MAX);
    return h;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    size_t piece = 1 + data[0];
    data++;
    size--;
    struct heard whole = hear(data, size, size, true);
    struct heard pieces = hear(data, size, piece, true);
    struct heard light = hear(data, size, piece, false);
    const struct seom_stats *a = seom_client_stats(whole.client);
    const struct seom_stats *b = seom_client_stats(pieces.client);
    CHECK(whole.error == pieces.error && a->frames == b->frames && a->records == b->records);
    CHECK(a->corrections == b->corrections && a->replica_full == b->replica_full);
    CHECK(seom_client_state(whole.client) == seom_client_state(pieces.client));
    CHECK(seom_client_entity_count(whole.client) == seom_client_entity_count(pieces.client));
    seom_client_close(&whole.client);
    seom_client_close(&pieces.client);
    seom_client_close(&light.client);
    return 0;
}
