#include "wire/ticket.h"
#include "base/check.h"
#include "wire/little.h"
#include <sodium.h>

#define TICKET_FORMAT 1
#define MAC_BYTES     16
#define SIGNED_BYTES  (TICKET_BYTES - MAC_BYTES)

static void
ticket_mac(const uint8_t *signed_part, const uint8_t key[TICKET_KEY_BYTES], uint8_t mac[MAC_BYTES])
{
    int failed =
        crypto_generichash(mac, MAC_BYTES, signed_part, SIGNED_BYTES, key, TICKET_KEY_BYTES);
    CHECK(failed == 0);
}

void
ticket_write(const struct ticket *t, const uint8_t key[TICKET_KEY_BYTES], uint8_t out[TICKET_BYTES])
{
    CHECK(t->player != 0);
    out[0] = TICKET_FORMAT;
    store_u16(out + 1, t->world);
    store_u64(out + 3, t->player);
    store_u32(out + 11, t->issued_s);
    ticket_mac(out, key, out + SIGNED_BYTES);
}

enum err
ticket_read(struct slice bytes, const uint8_t key[TICKET_KEY_BYTES], struct ticket *out)
{
    if (bytes.bytes != TICKET_BYTES || bytes.at[0] != TICKET_FORMAT) {
        return ERR_FORMAT;
    }
    uint8_t mac[MAC_BYTES];
    ticket_mac(bytes.at, key, mac);
    if (sodium_memcmp(mac, bytes.at + SIGNED_BYTES, MAC_BYTES) != 0) {
        return ERR_DENIED;
    }
    struct ticket t = {.world = load_u16(bytes.at + 1),
                       .player = load_u64(bytes.at + 3),
                       .issued_s = load_u32(bytes.at + 11)};
    if (t.player == 0) {
        return ERR_FORMAT;
    }
    *out = t;
    return OK;
}
