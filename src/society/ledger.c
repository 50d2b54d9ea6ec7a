#include "society/ledger.h"
#include "base/check.h"
#include "seom.pb-c.h"
#include "society/list.h"
#include <stdio.h>

#define PLAYER_DIGITS 16
#define PAGE_DIGITS   7 /* so that a name is as long as names may be, and sorts as numbers do */
#define NAME_BYTES    (PLAYER_DIGITS + 1 + PAGE_DIGITS)

_Static_assert(NAME_BYTES <= KEY_NAME_MAX, "a page has a name");

#define REASON_TEXT(id, n, text) [n] = (text),

static const char *const texts[REASON_COUNT] = {REASONS(REASON_TEXT)};

const char *
reason_text(uint32_t reason)
{
    return reason < REASON_COUNT ? texts[reason] : "?";
}

/* ---- pages ---- */

struct key
ledger_key(uint16_t world, uint64_t player, uint32_t page)
{
    CHECK(page < LEDGER_PAGES_MAX);
    char name[NAME_BYTES + 1];
    snprintf(name, sizeof name, "%016llx-%07x", (unsigned long long)player, page);
    return key_named(world, KEY_CLASS_LEDGER, name);
}

static bool
read_hex(const uint8_t *digits, size_t count, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t c = digits[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        *value = *value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

enum err
ledger_key_parse(struct slice name, uint64_t *player, uint32_t *page)
{
    uint64_t number;
    if (name.bytes != NAME_BYTES || name.at[PLAYER_DIGITS] != '-' ||
        !read_hex(name.at, PLAYER_DIGITS, player) ||
        !read_hex(name.at + PLAYER_DIGITS + 1, PAGE_DIGITS, &number))
        return ERR_FORMAT;
    *page = (uint32_t)number;
    return OK;
}

/* ---- lines ---- */

/* NULL: no memory. */
static Seom__Entry *
entry_append(struct deed *deed)
{
    Seom__PlayerDocument *player = deed_player(deed);
    CHECK(player != NULL); /* jobs move nothing of value */
    Seom__Entry **ledger =
        list_longer(deed, player->ledger, player->n_ledger, 1, sizeof player->ledger[0]);
    Seom__Entry *entry = deed_alloc(deed, sizeof *entry);
    if (ledger == NULL || entry == NULL)
        return NULL;
    seom__entry__init(entry);
    entry->seq = deed_seq(deed);
    entry->at_ms = deed_now_ms(deed);
    ledger[player->n_ledger++] = entry;
    player->ledger = ledger;
    return entry;
}

bool
ledger_write(struct deed *deed, enum reason reason, struct account from, struct account to,
             const Seom__Stack *what, uint64_t coins)
{
    CHECK(reason > REASON_NONE && reason < REASON_COUNT);
    CHECK((what == NULL) == (coins > 0) && (what == NULL || (what->kind > 0 && what->count > 0)));
    CHECK(from.kind != to.kind || from.id != to.id);
    Seom__Entry *entry = entry_append(deed);
    if (entry == NULL)
        return false;
    entry->reason = reason;
    entry->from = from.kind;
    entry->from_id = from.id;
    entry->to = to.kind;
    entry->to_id = to.id;
    entry->kind = what == NULL ? 0 : what->kind;
    entry->count = what == NULL ? coins : what->count;
    entry->uid = what == NULL ? 0 : what->uid;
    return true;
}

uint32_t
ledger_finish(struct deed *deed)
{
    Seom__PlayerDocument *player = deed_player(deed);
    CHECK(player != NULL);
    bool told = player->n_ledger > 0 && player->ledger[player->n_ledger - 1]->seq == deed_seq(deed);
    if (!told && entry_append(deed) == NULL)
        return DEED_MORE;
    if (player->n_ledger < LEDGER_TAIL_MAX)
        return SEOM__CODE__FINE;
    if (player->ledger_pages >= LEDGER_PAGES_MAX)
        return SEOM__CODE__TOO_LARGE;
    struct key key = ledger_key(deed_world(deed), deed_actor(deed)->player, player->ledger_pages);
    Seom__LedgerDocument *page = deed_open(deed, &key, &seom__ledger_document__descriptor);
    if (page == NULL)
        return DEED_MORE;
    if (deed_exists(deed, page))
        return SEOM__CODE__CONFLICT; /* a page is never written twice */
    page->entries = player->ledger;
    page->n_entries = player->n_ledger;
    player->n_ledger = 0;
    player->ledger = NULL;
    player->ledger_pages++;
    deed_put(deed, page);
    return SEOM__CODE__FINE;
}
