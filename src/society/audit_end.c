/* What was found, in words. */
#include "base/check.h"
#include "documents.pb-c.h"
#include "society/audit_state.h"
#include "society/chunk.h"
#include "society/mail.h"
#include "society/trade.h"
#include "store/ids.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define FORMS_MAX 64

/* ---- names ---- */

const char *
audit_owner_name(struct audit_owner owner, char name[AUDIT_NAME_BYTES])
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
    snprintf(name, AUDIT_NAME_BYTES, "%04x/%s/%016" PRIx64, owner.world, kind, owner.id);
    return name;
}

static const char *
kind_name(uint32_t kind, char name[AUDIT_NAME_BYTES])
{
    if (kind == 0)
        snprintf(name, AUDIT_NAME_BYTES, "coins");
    else
        snprintf(name, AUDIT_NAME_BYTES, "of kind %u", kind);
    return name;
}

struct audit_owner
audit_player(uint16_t world, uint64_t id)
{
    return (struct audit_owner){
        .world = world, .kind = SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER, .id = id};
}

/* ---- telling ---- */

struct report {
    struct audit_result *result;
    const struct audit *audit;
    uint32_t forms[FORMS_MAX]; /* kinds of things in a chunk that have an inside */
    uint32_t forms_count;
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
    char text[AUDIT_FINDING_BYTES];
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
    char name[AUDIT_NAME_BYTES], kind[AUDIT_NAME_BYTES];
    bool more = balance->difference > 0;
    uint64_t count = more ? (uint64_t)balance->difference : -(uint64_t)balance->difference;
    audit_add(more ? &report->result->doubled : &report->result->lost, count);
    tell(report, "%s: %" PRIu64 " %s %s than the ledger says",
         audit_owner_name(audit_owner_of(balance->key), name), count,
         kind_name((uint32_t)balance->key.rest, kind), more ? "more" : "fewer");
}

static void
end_single(struct report *report, const struct single *single)
{
    char name[AUDIT_NAME_BYTES];
    uint64_t uid = single->key.id;
    struct audit_owner at = {.world = single->at_world, .kind = single->at, .id = single->at_id};
    int32_t expected = single->minted - single->consumed, more = single->held - expected;
    bool elsewhere = more == 0 && expected == 1 && single->where != 0;
    audit_owner_name(at, name);
    audit_add(&report->result->doubled, more > 0 ? (uint64_t)more : elsewhere);
    audit_add(&report->result->lost, more < 0 ? (uint64_t)-more : elsewhere);
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

/* ---- insides ---- */

static bool
stands_where_told(const struct single *single)
{
    return single->inside && single->stands && single->held > 0 &&
           single->at == SEOM__ACCOUNT_KIND__ACCOUNT_GROUND &&
           single->at_id == single->inside_chunk;
}

static bool
has_inside(const struct report *report, uint32_t form)
{
    for (uint32_t i = 0; i < report->forms_count; i++)
        if (report->forms[i] == form)
            return true;
    return false;
}

static void
forms_learn(struct report *report)
{
    const struct single *single;
    for (uint64_t cursor = 0; (single = table_next(&report->audit->singles, &cursor)) != NULL;)
        if (stands_where_told(single) && !has_inside(report, single->form) &&
            report->forms_count < FORMS_MAX)
            report->forms[report->forms_count++] = single->form;
}

/* The upper bits of an id are its world's number. */
static void
end_inside(struct report *report, const struct single *single)
{
    uint64_t uid = single->key.id;
    uint16_t world = (uint16_t)(uid >> IDS_COUNTER_BITS);
    struct audit_owner chest = {world, SEOM__ACCOUNT_KIND__ACCOUNT_CHEST, uid};
    struct audit_owner ground = {world, SEOM__ACCOUNT_KIND__ACCOUNT_GROUND, single->at_id};
    char name[AUDIT_NAME_BYTES], where[AUDIT_NAME_BYTES];
    audit_owner_name(chest, name);
    if (!single->inside && single->stands && has_inside(report, single->form))
        tell(report, "%s: no document, but it stands in %s", name, audit_owner_name(ground, where));
    ground.id = single->inside_chunk;
    if (single->inside && !stands_where_told(single))
        tell(report, "%s: nothing of this id stands in %s", name, audit_owner_name(ground, where));
}

/* An offer whose notice has left an inbox, being old, is still in its giver's list. */
static void
end_letter(struct report *report, const struct letter *letter)
{
    char name[AUDIT_NAME_BYTES];
    struct audit_owner owner = audit_owner_of(letter->key);
    audit_owner_name(owner, name);
    if (!letter->exists)
        tell(report, "%s: a notice of it in the inbox of %016" PRIx64 ", but no document", name,
             letter->to);
    else if (!letter->noticed && owner.kind == SEOM__ACCOUNT_KIND__ACCOUNT_MAIL)
        tell(report, "%s: no notice of it in the inbox of %016" PRIx64 ", nobody can claim it",
             name, letter->to);
}

static void
end_births(struct report *report, const struct history *history, const char *name)
{
    if (history->births > 1)
        tell(report, "%s: first coins were given %u times", name, history->births);
    else if (history->births == 1 && !history->bag)
        tell(report, "%s: first coins were given, but it has no bag", name);
    else if (history->births == 0 && history->bag &&
             report->audit->births[(uint16_t)history->key.rest])
        tell(report, "%s: a bag, but first coins were never given", name);
}

static void
end_history(struct report *report, const struct history *history)
{
    char name[AUDIT_NAME_BYTES];
    audit_owner_name(audit_player((uint16_t)history->key.rest, history->key.id), name);
    if (!history->exists) {
        tell(report,
             "%s: no document, but %u pages of its ledger, offers, notices or first coins of its "
             "own",
             name, history->pages_found);
        return;
    }
    end_births(report, history, name);
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
    struct report report = {
        .result = &result, .audit = audit, .left = findings_max, .found = found, .ctx = ctx};
    uint64_t told = result.faults < AUDIT_FAULTS_TOLD_MAX ? result.faults : AUDIT_FAULTS_TOLD_MAX;
    for (uint64_t i = 0; i < told; i++)
        tell(&report, "%s", audit->faults[i]);
    result.findings += result.faults - told;
    const void *item;
    for (uint64_t cursor = 0; (item = table_next(&audit->balances, &cursor)) != NULL;)
        end_balance(&report, item);
    forms_learn(&report);
    for (uint64_t cursor = 0; (item = table_next(&audit->singles, &cursor)) != NULL;) {
        end_single(&report, item);
        end_inside(&report, item);
    }
    for (uint64_t cursor = 0; (item = table_next(&audit->letters, &cursor)) != NULL;)
        end_letter(&report, item);
    for (uint64_t cursor = 0; (item = table_next(&audit->histories, &cursor)) != NULL;)
        end_history(&report, item);
    result.balanced = result.findings == 0 && !audit->full;
    return result;
}
