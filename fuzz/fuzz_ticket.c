/* Tickets: random bytes are never one (the MAC has 128 bits), unless they are what ticket_write()
 * gives back. The first 14 bytes also make a ticket, which must come back.
 */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "wire/ticket.h"
#include <string.h>

static const uint8_t key[TICKET_KEY_BYTES] = "the key of the corpus, 32 bytes";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ticket ticket, read;
    uint8_t bytes[TICKET_BYTES];
    if (ticket_read((struct slice){data, size}, key, &ticket) == OK) {
        ticket_write(&ticket, key, bytes);
        CHECK(size == TICKET_BYTES && memcmp(bytes, data, size) == 0);
    }
    struct reader r = reader_over(data, size);
    ticket =
        (struct ticket){.world = read_u16(&r), .player = read_u64(&r), .issued_s = read_u32(&r)};
    if (ticket.player == 0) {
        return 0;
    }
    ticket_write(&ticket, key, bytes);
    CHECK(ticket_read((struct slice){bytes, sizeof bytes}, key, &read) == OK);
    CHECK(read.world == ticket.world && read.player == ticket.player);
    CHECK(read.issued_s == ticket.issued_s);
    return 0;
}
