#include "base/check.h"
#include "base/rand.h"
#include "documents.pb-c.h"
#include "society/audit_state.h"
#include "society/chunk.h"
#include "society/ledger.h"
#include "society/mail.h"
#include "society/trade.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ACCOUNTS_DEFAULT 50000000
#define UIDS_BITS        6         /* of a uid: which of those that stand together in one item */
#define COUNT_MAX        INT64_MAX /* beyond this a count is a fault and counts as this */

_Static_assert(sizeof(struct history) == 72 && sizeof(struct single) == 56 &&
                   sizeof(struct letter) == 32 && sizeof(struct spent) == 24 &&
                   sizeof(struct balance) == 24,
               "as much memory as the header says");

/* ---- sums ---- */

__attribute__((format(printf, 2, 3))) static void
fault(struct audit *audit, const char *format, ...)
{
    uint64_t n = audit->result.faults++;
    if (n >= AUDIT_FAULTS_TOLD_MAX)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(audit->faults[n], AUDIT_FINDING_BYTES, format, arguments);
    va_end(arguments);
}

static struct table_key
balance_key(struct audit_owner owner, uint32_t kind)
{
    return (struct table_key){.id = owner.id,
                              .rest = UINT64_C(1) << 63 | (uint64_t)owner.kind << 48 |
                                      (uint64_t)owner.world << 32 | kind};
}

struct audit_owner
audit_owner_of(struct table_key key)
{
    return (struct audit_owner){.world = (uint16_t)(key.rest >> 32),
                                .kind = (uint32_t)(key.rest >> 48 & 0xff),
                                .id = key.id};
}

static bool
balance_needless(const void *item)
{
    const struct balance *balance = item;
    return balance->difference == 0;
}

static bool
single_needless(const void *item)
{
    const struct single *single = item;
    return single->minted == single->consumed && single->minted <= 1 && single->held == 0 &&
           single->where == 0 && !single->inside;
}

static bool
letter_needless(const void *item)
{
    const struct letter *letter = item;
    return letter->exists && letter->noticed;
}

/* What nobody could own by right is a fault, and stays one however the sums end. */
static void
tally(struct audit *audit, struct balance *balance, int64_t more)
{
    if (!__builtin_add_overflow(balance->difference, more, &balance->difference))
        return;
    char name[AUDIT_NAME_BYTES];
    balance->difference = more < 0 ? INT64_MIN : INT64_MAX;
    fault(audit, "%s: a sum beyond all bounds",
          audit_owner_name(audit_owner_of(balance->key), name));
}

static void
gathered_flush(struct audit *audit)
{
    for (uint32_t i = 0; i < audit->gathered_count; i++) {
        const struct balance *change = &audit->gathered[i];
        if (change->difference == 0)
            continue;
        struct balance *balance = table_reach(&audit->balances, change->key);
        if (balance == NULL)
            audit->full = true;
        else
            tally(audit, balance, change->difference);
    }
    audit->gathered_count = 0;
}

/* The account holds count more than it should (gains: fewer, as the ledger says that it got them).
 */
static void
gather(struct audit *audit, struct audit_owner owner, uint32_t kind, uint64_t count, bool gains)
{
    struct table_key key = balance_key(owner, kind);
    uint32_t i = 0;
    char name[AUDIT_NAME_BYTES];
    if (count > COUNT_MAX) {
        fault(audit, "%s: a count of %" PRIu64, audit_owner_name(owner, name), count);
        count = COUNT_MAX;
    }
    while (i < audit->gathered_count &&
           (audit->gathered[i].key.id != key.id || audit->gathered[i].key.rest != key.rest))
        i++;
    if (i == audit->gathered_count) {
        if (i == AUDIT_GATHERED_MAX) {
            gathered_flush(audit);
            i = 0;
        }
        audit->gathered[i] = (struct balance){.key = key};
        audit->gathered_count = i + 1;
    }
    tally(audit, &audit->gathered[i], gains ? -(int64_t)count : (int64_t)count);
}

static struct table_key
spent_key(uint64_t uid)
{
    return (struct table_key){.id = uid >> UIDS_BITS, .rest = 1};
}

static uint64_t
spent_bit(uint64_t uid)
{
    return UINT64_C(1) << (uid & ((1U << UIDS_BITS) - 1));
}

/* What is used up is left behind when the table grows; that it was, is kept: a uid that is made
 * once more must not look like a first one. */
static void
single_left(void *ctx, const void *item)
{
    struct audit *audit = ctx;
    const struct single *single = item;
    if (single->minted == 0)
        return;
    struct spent *spent = table_reach(&audit->spent, spent_key(single->key.id));
    if (spent == NULL)
        audit->full = true;
    else
        spent->uids |= spent_bit(single->key.id);
}

/* kind 0: not known here. */
static struct single *
single_reach(struct audit *audit, uint64_t uid, uint32_t kind)
{
    struct table_key key = {.id = uid, .rest = 1};
    struct single *single = table_reach(&audit->singles, key);
    audit->full |= single == NULL;
    if (single == NULL)
        return NULL;
    if (!single->known) {
        const struct spent *spent = table_find(&audit->spent, spent_key(uid));
        single->known = true;
        single->minted = single->consumed =
            spent != NULL && (spent->uids & spent_bit(uid)) != 0 ? 1 : 0;
    }
    if (single->kind != 0 && kind != 0 && single->kind != kind)
        fault(audit, "thing %016" PRIx64 ": of kind %u and of kind %u", uid, single->kind, kind);
    if (kind != 0)
        single->kind = kind;
    return single;
}

static uint64_t
place_sum(struct audit_owner owner)
{
    struct table_key key = balance_key(owner, 0);
    return owner.kind == SEOM__ACCOUNT_KIND__ACCOUNT_WORLD ? 0 : rand_mix(key.id, key.rest);
}

static void
count_up(uint8_t *count)
{
    if (*count < UINT8_MAX)
        ++*count;
}

static struct history *
history_reach(struct audit *audit, uint16_t world, uint64_t player)
{
    struct table_key key = {.id = player, .rest = UINT64_C(1) << 63 | world};
    struct history *history = table_reach(&audit->histories, key);
    audit->full |= history == NULL;
    return history;
}

/* One of the two was read: the document of a mail or an offer, or a notice of it. */
static void
letter_read(struct audit *audit, struct audit_owner owner, uint64_t to, bool notice)
{
    struct letter *letter = table_reach(&audit->letters, balance_key(owner, 0));
    char name[AUDIT_NAME_BYTES];
    if (letter == NULL) {
        audit->full = true;
        return;
    }
    if (notice && letter->noticed)
        fault(audit, "%s: two notices of it", audit_owner_name(owner, name));
    else if ((letter->exists || letter->noticed) && letter->to != to)
        fault(audit,
              "%s: to %016" PRIx64 " by its document or its notice, to %016" PRIx64 " by the other",
              audit_owner_name(owner, name), letter->to, to);
    letter->to = to;
    letter->noticed |= notice;
    letter->exists |= !notice;
}

/* ---- what is held ---- */

static void
hold_stack(struct audit *audit, struct audit_owner owner, const Seom__Stack *slot)
{
    char name[AUDIT_NAME_BYTES];
    if (slot->kind == 0) {
        if (slot->count != 0 || slot->uid != 0)
            fault(audit, "%s: an empty slot that is not empty", audit_owner_name(owner, name));
        return;
    }
    audit_add(&audit->result.held, slot->count);
    if (slot->count == 0 || (slot->uid != 0 && slot->count != 1))
        fault(audit, "%s: a slot with %u of kind %u", audit_owner_name(owner, name), slot->count,
              slot->kind);
    if (slot->uid == 0) {
        gather(audit, owner, slot->kind, slot->count, false);
        return;
    }
    struct single *single = single_reach(audit, slot->uid, slot->kind);
    if (single == NULL)
        return;
    count_up(&single->held);
    single->where -= place_sum(owner);
    single->at = (uint8_t)owner.kind;
    single->at_id = owner.id;
    single->at_world = owner.world;
}

static void
hold(struct audit *audit, struct audit_owner owner, const Seom__Holdings *holds)
{
    if (holds == NULL)
        return;
    if (holds->coins > 0) {
        gather(audit, owner, 0, holds->coins, false);
        audit_add(&audit->result.coins_held, holds->coins);
    }
    for (size_t i = 0; i < holds->n_slots; i++)
        hold_stack(audit, owner, holds->slots[i]);
}

/* ---- what the ledger says ---- */

static void
line_single(struct audit *audit, struct audit_owner from, struct audit_owner to,
            const Seom__Entry *line)
{
    struct single *single = single_reach(audit, line->uid, line->kind);
    if (single == NULL)
        return;
    single->where += place_sum(to) - place_sum(from);
    if (from.kind == SEOM__ACCOUNT_KIND__ACCOUNT_WORLD)
        count_up(&single->minted);
    if (to.kind == SEOM__ACCOUNT_KIND__ACCOUNT_WORLD)
        count_up(&single->consumed);
}

static bool
is_account(uint32_t kind, uint64_t id)
{
    return kind <= SEOM__ACCOUNT_KIND__ACCOUNT_TRADE &&
           (kind != SEOM__ACCOUNT_KIND__ACCOUNT_WORLD || id == 0);
}

static void
line_read(struct audit *audit, struct audit_owner writer, const Seom__Entry *line)
{
    if (line->count == 0)
        return;
    struct audit_owner from = {
        .world = writer.world, .kind = (uint32_t)line->from, .id = line->from_id};
    struct audit_owner to = {.world = writer.world, .kind = (uint32_t)line->to, .id = line->to_id};
    char name[AUDIT_NAME_BYTES];
    if (!is_account(from.kind, from.id) || !is_account(to.kind, to.id) ||
        (line->uid != 0 && (line->count != 1 || line->kind == 0))) {
        fault(audit, "%s: a line of command %" PRIu64 " that cannot be",
              audit_owner_name(writer, name), line->seq);
        return;
    }
    struct audit_result *result = &audit->result;
    if (from.kind == SEOM__ACCOUNT_KIND__ACCOUNT_WORLD)
        audit_add(line->kind == 0 ? &result->coins_minted : &result->minted, line->count);
    if (to.kind == SEOM__ACCOUNT_KIND__ACCOUNT_WORLD)
        audit_add(line->kind == 0 ? &result->coins_consumed : &result->consumed, line->count);
    if (line->reason == REASON_BIRTH && to.kind == SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER) {
        struct history *born = history_reach(audit, to.world, to.id);
        audit->births[to.world] = true;
        if (born != NULL)
            count_up(&born->births);
    }
    if (line->uid != 0) {
        line_single(audit, from, to, line);
    } else {
        if (from.kind != SEOM__ACCOUNT_KIND__ACCOUNT_WORLD)
            gather(audit, from, line->kind, line->count, false);
        if (to.kind != SEOM__ACCOUNT_KIND__ACCOUNT_WORLD)
            gather(audit, to, line->kind, line->count, true);
    }
}

/* All lines, and the first and last command they tell of (0: none). */
static void
lines_read(struct audit *audit, struct audit_owner writer, Seom__Entry *const *lines, size_t count,
           uint64_t *first, uint64_t *last)
{
    *first = *last = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t seq = lines[i]->seq;
        line_read(audit, writer, lines[i]);
        if (seq != 0 && (*first == 0 || seq < *first))
            *first = seq;
        if (seq > *last)
            *last = seq;
    }
}

/* ---- documents ---- */

static void
read_player(struct audit *audit, struct audit_owner owner, const void *message)
{
    const Seom__PlayerDocument *player = message;
    uint64_t first, last;
    lines_read(audit, owner, player->ledger, player->n_ledger, &first, &last);
    struct history *history = history_reach(audit, owner.world, owner.id);
    if (history == NULL)
        return;
    history->exists = true;
    history->bag = player->bag != NULL;
    history->pages_told = player->ledger_pages;
    history->last_seq = player->last_seq;
    history->tail_from = first;
    if (last > history->newest_seq)
        history->newest_seq = last;
    for (size_t i = 0; i < player->n_trades; i++)
        history->offers += rand_mix(player->trades[i], 0);
    audit_add(&audit->result.commands, player->last_seq);
    hold(audit, owner, player->bag);
}

static void
read_inbox(struct audit *audit, struct audit_owner owner, const void *message)
{
    const Seom__InboxDocument *inbox = message;
    if (inbox->n_notices > 0)
        history_reach(audit, owner.world, owner.id);
    for (size_t i = 0; i < inbox->n_notices; i++) {
        const Seom__Notice *notice = inbox->notices[i];
        struct audit_owner letter = {.world = owner.world, .id = notice->id};
        if (notice->kind == SEOM__NOTICE_KIND__NOTICE_MAIL)
            letter.kind = SEOM__ACCOUNT_KIND__ACCOUNT_MAIL;
        else if (notice->kind == SEOM__NOTICE_KIND__NOTICE_OFFER)
            letter.kind = SEOM__ACCOUNT_KIND__ACCOUNT_TRADE;
        else
            continue;
        letter_read(audit, letter, owner.id, true);
    }
}

static void
read_chest(struct audit *audit, struct audit_owner owner, const void *message)
{
    const Seom__ChestDocument *chest = message;
    struct single *single = single_reach(audit, owner.id, 0);
    if (single == NULL)
        return;
    single->inside = true;
    single->inside_chunk = chest->chunk;
    hold(audit, owner, chest->holds);
}

/* A thing that holds the single thing after which it is called stands there. */
static void
stand(struct audit *audit, const Seom__ChunkThing *thing)
{
    for (size_t i = 0; thing->holds != NULL && i < thing->holds->n_slots; i++) {
        const Seom__Stack *slot = thing->holds->slots[i];
        if (slot->uid == 0 || slot->uid != thing->id || slot->kind == 0)
            continue;
        struct single *single = single_reach(audit, slot->uid, slot->kind);
        if (single == NULL)
            return;
        single->stands = true;
        single->form = thing->kind;
    }
}

static void
read_chunk(struct audit *audit, struct audit_owner owner, const void *message)
{
    const Seom__ChunkDocument *chunk = message;
    for (size_t i = 0; i < chunk->n_things; i++) {
        hold(audit, owner, chunk->things[i]->holds);
        stand(audit, chunk->things[i]);
    }
}

static void
read_mail(struct audit *audit, struct audit_owner owner, const void *message)
{
    const Seom__MailDocument *mail = message;
    letter_read(audit, owner, mail->to, false);
    hold(audit, owner, mail->holds);
}

static void
read_trade(struct audit *audit, struct audit_owner owner, const void *message)
{
    const Seom__TradeDocument *trade = message;
    struct history *giver = history_reach(audit, owner.world, trade->from);
    if (giver != NULL)
        giver->offers -= rand_mix(owner.id, 0);
    letter_read(audit, owner, trade->to, false);
    hold(audit, owner, trade->gives);
}

static const struct form {
    const char *class;
    const ProtobufCMessageDescriptor *type;
    Seom__AccountKind kind;
    void (*read)(struct audit *audit, struct audit_owner owner, const void *message);
} forms[] = {
    {KEY_CLASS_PLAYER, &seom__player_document__descriptor, SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER,
     read_player},
    {KEY_CLASS_INBOX, &seom__inbox_document__descriptor, SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER,
     read_inbox},
    {KEY_CLASS_CHEST, &seom__chest_document__descriptor, SEOM__ACCOUNT_KIND__ACCOUNT_CHEST,
     read_chest},
    {KEY_CLASS_CHUNK, &seom__chunk_document__descriptor, SEOM__ACCOUNT_KIND__ACCOUNT_GROUND,
     read_chunk},
    {KEY_CLASS_MAIL, &seom__mail_document__descriptor, SEOM__ACCOUNT_KIND__ACCOUNT_MAIL, read_mail},
    {KEY_CLASS_TRADE, &seom__trade_document__descriptor, SEOM__ACCOUNT_KIND__ACCOUNT_TRADE,
     read_trade},
};

/* NULL: not what it should be. The scratch is forgotten with the next document. */
static const void *
document_unpack(struct audit *audit, const ProtobufCMessageDescriptor *type, struct slice value)
{
    scratch_init(&audit->scratch);
    return protobuf_c_message_unpack(type, &audit->scratch.allocator, value.bytes, value.at);
}

static void
document_unreadable(struct audit *audit, const struct key_parts *key)
{
    audit->result.unreadable++;
    fault(audit, "%04x/%.*s/%.*s: cannot be read", key->world, (int)key->class.bytes,
          (const char *)key->class.at, (int)key->name.bytes, (const char *)key->name.at);
}

static void
read_page(struct audit *audit, const struct key_parts *key, struct slice value)
{
    uint64_t player, first, last;
    uint32_t number;
    const Seom__LedgerDocument *page =
        document_unpack(audit, &seom__ledger_document__descriptor, value);
    if (page == NULL || ledger_key_parse(key->name, &player, &number) != OK) {
        document_unreadable(audit, key);
        return;
    }
    lines_read(audit, audit_player(key->world, player), page->entries, page->n_entries, &first,
               &last);
    struct history *history = history_reach(audit, key->world, player);
    if (history == NULL)
        return;
    history->pages_found++;
    if (number > history->page_last)
        history->page_last = number;
    if (last > history->pages_until)
        history->pages_until = last;
    if (last > history->newest_seq)
        history->newest_seq = last;
    audit->result.documents++;
}

enum err
audit_read(struct audit *audit, const struct key_parts *key, struct slice value)
{
    CHECK(audit != NULL);
    if (key_has_class(key, KEY_CLASS_LEDGER)) {
        read_page(audit, key, value);
        gathered_flush(audit);
        return audit->full ? ERR_FULL : OK;
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (!key_has_class(key, forms[i].class))
            continue;
        const void *message = document_unpack(audit, forms[i].type, value);
        if (message == NULL || !key->is_id) {
            document_unreadable(audit, key);
            break;
        }
        struct audit_owner owner = {.world = key->world, .kind = forms[i].kind, .id = key->id};
        forms[i].read(audit, owner, message);
        audit->result.documents++;
        break;
    }
    gathered_flush(audit);
    return audit->full ? ERR_FULL : OK;
}

/* ---- life cycle ---- */

struct audit *
audit_alloc(uint64_t accounts_max)
{
    struct audit *audit = calloc(1, sizeof *audit);
    CHECK(audit != NULL);
    uint64_t limit = accounts_max == 0 ? ACCOUNTS_DEFAULT : accounts_max;
    table_init(&audit->balances, sizeof(struct balance), limit, balance_needless);
    table_init(&audit->singles, sizeof(struct single), limit, single_needless);
    audit->singles.left = single_left;
    audit->singles.left_ctx = audit;
    table_init(&audit->histories, sizeof(struct history), limit, NULL);
    table_init(&audit->spent, sizeof(struct spent), limit, NULL);
    table_init(&audit->letters, sizeof(struct letter), limit, letter_needless);
    return audit;
}

void
audit_free(struct audit **audit)
{
    CHECK(audit != NULL);
    if (*audit == NULL)
        return;
    table_fini(&(*audit)->balances);
    table_fini(&(*audit)->singles);
    table_fini(&(*audit)->histories);
    table_fini(&(*audit)->spent);
    table_fini(&(*audit)->letters);
    free(*audit);
    *audit = NULL;
}
