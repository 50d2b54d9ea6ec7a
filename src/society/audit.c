#include "society/audit.h"
#include "base/check.h"
#include "base/rand.h"
#include "documents.pb-c.h"
#include "society/chunk.h"
#include "society/ledger.h"
#include "society/mail.h"
#include "society/table.h"
#include "society/trade.h"
#include "store/scratch.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ACCOUNTS_DEFAULT 50000000
#define FAULTS_TOLD_MAX  256
#define FINDING_BYTES    240
#define NAME_BYTES       32
#define GATHERED_MAX     64
#define COUNT_MAX        INT64_MAX /* beyond this a count is a fault and counts as this */

/* An account: whose, in which world. */
struct owner {
    uint16_t world;
    uint32_t kind; /* Seom__AccountKind, or whatever stands there */
    uint64_t id;
};

/* What an account holds of a kind less what the ledger says it should. */
struct balance {
    struct table_key key;
    int64_t difference;
};

/* A single thing. It is where the ledger says when the sum of the places it went to, less those it
 * went from, less those where it was found, is 0, in whatever order they come. */
struct single {
    struct table_key key; /* id: the uid */
    uint64_t where;
    uint64_t at_id; /* a place where it was found */
    uint32_t kind;
    uint16_t at_world;
    uint8_t at;
    uint8_t minted, consumed, held; /* at most UINT8_MAX */
};

/* What the parts of a player's ledger and the list of offers say about each other. */
struct history {
    struct table_key key; /* id: the player */
    bool exists;          /* the document was read */
    uint32_t pages_told, pages_found, page_last;
    uint64_t last_seq, newest_seq; /* of commands, of lines */
    uint64_t tail_from;            /* first command with a line in the document; 0: none */
    uint64_t pages_until;          /* last command with a line in a page */
    uint64_t offers;               /* sum of those listed less those found */
};

struct audit {
    struct table balances, singles, histories;
    /* What the document at hand changes: most of what it holds its own lines explain, so little of
     * it goes on into the large table. */
    struct balance gathered[GATHERED_MAX];
    uint32_t gathered_count;
    struct audit_result result;
    bool full;
    char faults[FAULTS_TOLD_MAX][FINDING_BYTES];
    struct scratch scratch;
};

/* ---- names ---- */

static const char *
owner_name(struct owner owner, char name[NAME_BYTES])
{
    static const char *const kinds[] = {
        [SEOM__ACCOUNT_KIND__ACCOUNT_WORLD] = "the world",
        [SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER] = KEY_CLASS_PLAYER,
        [SEOM__ACCOUNT_KIND__ACCOUNT_CHEST] = KEY_CLASS_CHEST,
        [SEOM__ACCOUNT_KIND__ACCOUNT_GROUND] = KEY_CLASS_CHUNK,
        [SEOM__ACCOUNT_KIND__ACCOUNT_MAIL] = KEY_CLASS_MAIL,
        [SEOM__ACCOUNT_KIND__ACCOUNT_TRADE] = KEY_CLASS_TRADE,
    };
    const char *kind = owner.kind < sizeof kinds / sizeof kinds[0] ? kinds[owner.kind] : "?";
    snprintf(name, NAME_BYTES, "%04x/%s/%016" PRIx64, owner.world, kind, owner.id);
    return name;
}

static const char *
kind_name(uint32_t kind, char name[NAME_BYTES])
{
    if (kind == 0)
        snprintf(name, NAME_BYTES, "coins");
    else
        snprintf(name, NAME_BYTES, "of kind %u", kind);
    return name;
}

static struct owner
player_owner(uint16_t world, uint64_t id)
{
    return (struct owner){.world = world, .kind = SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER, .id = id};
}

/* ---- sums ---- */

__attribute__((format(printf, 2, 3))) static void
fault(struct audit *audit, const char *format, ...)
{
    uint64_t n = audit->result.faults++;
    if (n >= FAULTS_TOLD_MAX)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(audit->faults[n], FINDING_BYTES, format, arguments);
    va_end(arguments);
}

static void
add(uint64_t *sum, uint64_t more)
{
    if (__builtin_add_overflow(*sum, more, sum))
        *sum = UINT64_MAX;
}

static struct table_key
balance_key(struct owner owner, uint32_t kind)
{
    return (struct table_key){.id = owner.id,
                              .rest = UINT64_C(1) << 63 | (uint64_t)owner.kind << 48 |
                                      (uint64_t)owner.world << 32 | kind};
}

static struct owner
owner_of(struct table_key key)
{
    return (struct owner){.world = (uint16_t)(key.rest >> 32),
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
           single->where == 0;
}

/* What nobody could own by right is a fault, and stays one however the sums end. */
static void
tally(struct audit *audit, struct balance *balance, int64_t more)
{
    if (!__builtin_add_overflow(balance->difference, more, &balance->difference))
        return;
    char name[NAME_BYTES];
    balance->difference = more < 0 ? INT64_MIN : INT64_MAX;
    fault(audit, "%s: a sum beyond all bounds", owner_name(owner_of(balance->key), name));
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
gather(struct audit *audit, struct owner owner, uint32_t kind, uint64_t count, bool gains)
{
    struct table_key key = balance_key(owner, kind);
    uint32_t i = 0;
    char name[NAME_BYTES];
    if (count > COUNT_MAX) {
        fault(audit, "%s: a count of %" PRIu64, owner_name(owner, name), count);
        count = COUNT_MAX;
    }
    while (i < audit->gathered_count &&
           (audit->gathered[i].key.id != key.id || audit->gathered[i].key.rest != key.rest))
        i++;
    if (i == audit->gathered_count) {
        if (i == GATHERED_MAX) {
            gathered_flush(audit);
            i = 0;
        }
        audit->gathered[i] = (struct balance){.key = key};
        audit->gathered_count = i + 1;
    }
    tally(audit, &audit->gathered[i], gains ? -(int64_t)count : (int64_t)count);
}

static struct single *
single_reach(struct audit *audit, uint64_t uid, uint32_t kind)
{
    struct table_key key = {.id = uid, .rest = 1};
    struct single *single = table_reach(&audit->singles, key);
    audit->full |= single == NULL;
    if (single == NULL)
        return NULL;
    if (single->kind != 0 && single->kind != kind)
        fault(audit, "thing %016" PRIx64 ": of kind %u and of kind %u", uid, single->kind, kind);
    single->kind = kind;
    return single;
}

static uint64_t
place_sum(struct owner owner)
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

/* ---- what is held ---- */

static void
hold_stack(struct audit *audit, struct owner owner, const Seom__Stack *slot)
{
    char name[NAME_BYTES];
    if (slot->kind == 0) {
        if (slot->count != 0 || slot->uid != 0)
            fault(audit, "%s: an empty slot that is not empty", owner_name(owner, name));
        return;
    }
    add(&audit->result.held, slot->count);
    if (slot->count == 0 || (slot->uid != 0 && slot->count != 1))
        fault(audit, "%s: a slot with %u of kind %u", owner_name(owner, name), slot->count,
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
hold(struct audit *audit, struct owner owner, const Seom__Holdings *holds)
{
    if (holds == NULL)
        return;
    if (holds->coins > 0) {
        gather(audit, owner, 0, holds->coins, false);
        add(&audit->result.coins_held, holds->coins);
    }
    for (size_t i = 0; i < holds->n_slots; i++)
        hold_stack(audit, owner, holds->slots[i]);
}

/* ---- what the ledger says ---- */

static void
line_single(struct audit *audit, struct owner from, struct owner to, const Seom__Entry *line)
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
line_read(struct audit *audit, struct owner writer, const Seom__Entry *line)
{
    if (line->count == 0)
        return;
    struct owner from = {.world = writer.world, .kind = (uint32_t)line->from, .id = line->from_id};
    struct owner to = {.world = writer.world, .kind = (uint32_t)line->to, .id = line->to_id};
    char name[NAME_BYTES];
    if (!is_account(from.kind, from.id) || !is_account(to.kind, to.id) ||
        (line->uid != 0 && (line->count != 1 || line->kind == 0))) {
        fault(audit, "%s: a line of command %" PRIu64 " that cannot be", owner_name(writer, name),
              line->seq);
        return;
    }
    struct audit_result *result = &audit->result;
    if (from.kind == SEOM__ACCOUNT_KIND__ACCOUNT_WORLD)
        add(line->kind == 0 ? &result->coins_minted : &result->minted, line->count);
    if (to.kind == SEOM__ACCOUNT_KIND__ACCOUNT_WORLD)
        add(line->kind == 0 ? &result->coins_consumed : &result->consumed, line->count);
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
lines_read(struct audit *audit, struct owner writer, Seom__Entry *const *lines, size_t count,
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
read_player(struct audit *audit, struct owner owner, const void *message)
{
    const Seom__PlayerDocument *player = message;
    struct history *history = history_reach(audit, owner.world, owner.id);
    if (history == NULL)
        return;
    uint64_t last;
    history->exists = true;
    history->pages_told = player->ledger_pages;
    history->last_seq = player->last_seq;
    for (size_t i = 0; i < player->n_trades; i++)
        history->offers += rand_mix(player->trades[i], 0);
    lines_read(audit, owner, player->ledger, player->n_ledger, &history->tail_from, &last);
    if (last > history->newest_seq)
        history->newest_seq = last;
    add(&audit->result.commands, player->last_seq);
    hold(audit, owner, player->bag);
}

static void
read_chest(struct audit *audit, struct owner owner, const void *message)
{
    hold(audit, owner, ((const Seom__ChestDocument *)message)->holds);
}

static void
read_chunk(struct audit *audit, struct owner owner, const void *message)
{
    const Seom__ChunkDocument *chunk = message;
    for (size_t i = 0; i < chunk->n_things; i++)
        hold(audit, owner, chunk->things[i]->holds);
}

static void
read_mail(struct audit *audit, struct owner owner, const void *message)
{
    hold(audit, owner, ((const Seom__MailDocument *)message)->holds);
}

static void
read_trade(struct audit *audit, struct owner owner, const void *message)
{
    const Seom__TradeDocument *trade = message;
    struct history *giver = history_reach(audit, owner.world, trade->from);
    if (giver != NULL)
        giver->offers -= rand_mix(owner.id, 0);
    hold(audit, owner, trade->gives);
}

static const struct form {
    const char *class;
    const ProtobufCMessageDescriptor *type;
    Seom__AccountKind kind;
    void (*read)(struct audit *audit, struct owner owner, const void *message);
} forms[] = {
    {KEY_CLASS_PLAYER, &seom__player_document__descriptor, SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER,
     read_player},
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
    struct history *history = history_reach(audit, key->world, player);
    if (history == NULL)
        return;
    lines_read(audit, player_owner(key->world, player), page->entries, page->n_entries, &first,
               &last);
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
        struct owner owner = {.world = key->world, .kind = forms[i].kind, .id = key->id};
        forms[i].read(audit, owner, message);
        audit->result.documents++;
        break;
    }
    gathered_flush(audit);
    return audit->full ? ERR_FULL : OK;
}

/* ---- the end ---- */

struct report {
    struct audit_result *result;
    uint32_t left; /* findings that may still be told */
    audit_found *found;
    void *ctx;
};

__attribute__((format(printf, 2, 3))) static void
tell(struct report *report, const char *format, ...)
{
    report->result->findings++;
    if (report->left == 0)
        return;
    report->left--;
    char text[FINDING_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    report->found(report->ctx, text);
}

static void
end_balance(struct report *report, const struct balance *balance)
{
    if (balance->difference == 0)
        return;
    char name[NAME_BYTES], kind[NAME_BYTES];
    bool more = balance->difference > 0;
    uint64_t count = more ? (uint64_t)balance->difference : -(uint64_t)balance->difference;
    add(more ? &report->result->doubled : &report->result->lost, count);
    tell(report, "%s: %" PRIu64 " %s %s than the ledger says",
         owner_name(owner_of(balance->key), name), count,
         kind_name((uint32_t)balance->key.rest, kind), more ? "more" : "fewer");
}

static void
end_single(struct report *report, const struct single *single)
{
    char name[NAME_BYTES];
    uint64_t uid = single->key.id;
    struct owner at = {.world = single->at_world, .kind = single->at, .id = single->at_id};
    int32_t expected = single->minted - single->consumed, more = single->held - expected;
    bool elsewhere = more == 0 && expected == 1 && single->where != 0;
    owner_name(at, name);
    add(&report->result->doubled, more > 0 ? (uint64_t)more : elsewhere);
    add(&report->result->lost, more < 0 ? (uint64_t)-more : elsewhere);
    if (single->minted > 1 || single->consumed > 1 || expected < 0)
        tell(report, "thing %016" PRIx64 " of kind %u: made %u times, used up %u times", uid,
             single->kind, single->minted, single->consumed);
    if (single->held > 1)
        tell(report, "thing %016" PRIx64 " of kind %u: in %u places, one is %s", uid, single->kind,
             single->held, name);
    else if (more > 0 && single->held == 1)
        tell(report, "thing %016" PRIx64 " of kind %u: at %s, by the ledger %s", uid, single->kind,
             name, single->consumed > 0 ? "used up" : "never made");
    else if (more < 0)
        tell(report, "thing %016" PRIx64 " of kind %u: nowhere, by the ledger not used up", uid,
             single->kind);
    else if (more == 0 && single->where != 0)
        tell(report, "thing %016" PRIx64 " of kind %u: at %s, by the ledger elsewhere", uid,
             single->kind, single->held > 0 ? name : "no place");
}

static void
end_history(struct report *report, const struct history *history)
{
    char name[NAME_BYTES];
    owner_name(player_owner((uint16_t)history->key.rest, history->key.id), name);
    if (!history->exists) {
        tell(report, "%s: no document, but %u pages of its ledger or offers of its own", name,
             history->pages_found);
        return;
    }
    uint32_t last = history->pages_found == 0 ? 0 : history->page_last + 1;
    if (history->pages_found != history->pages_told || last != history->pages_told)
        tell(report, "%s: %u pages of the ledger, the last is %u, by its document %u", name,
             history->pages_found, last, history->pages_told);
    if (history->tail_from != 0 && history->tail_from <= history->pages_until)
        tell(report,
             "%s: lines of command %" PRIu64 " in the document, of %" PRIu64 " already in a page",
             name, history->tail_from, history->pages_until);
    if (history->newest_seq > history->last_seq)
        tell(report, "%s: lines of command %" PRIu64 ", the last one was %" PRIu64, name,
             history->newest_seq, history->last_seq);
    if (history->offers != 0)
        tell(report, "%s: its list of open offers is not what there is", name);
}

struct audit_result
audit_end(struct audit *audit, uint32_t findings_max, audit_found *found, void *ctx)
{
    CHECK(audit != NULL && (found != NULL || findings_max == 0));
    struct audit_result result = audit->result;
    struct report report = {.result = &result, .left = findings_max, .found = found, .ctx = ctx};
    uint64_t told = result.faults < FAULTS_TOLD_MAX ? result.faults : FAULTS_TOLD_MAX;
    for (uint64_t i = 0; i < told; i++)
        tell(&report, "%s", audit->faults[i]);
    result.findings += result.faults - told;
    const void *item;
    for (uint64_t cursor = 0; (item = table_next(&audit->balances, &cursor)) != NULL;)
        end_balance(&report, item);
    for (uint64_t cursor = 0; (item = table_next(&audit->singles, &cursor)) != NULL;)
        end_single(&report, item);
    for (uint64_t cursor = 0; (item = table_next(&audit->histories, &cursor)) != NULL;)
        end_history(&report, item);
    result.balanced = result.findings == 0 && !audit->full;
    return result;
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
    table_init(&audit->histories, sizeof(struct history), limit, NULL);
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
    free(*audit);
    *audit = NULL;
}
