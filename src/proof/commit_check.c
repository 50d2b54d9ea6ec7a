#include "proof/commit_check.h"

#include "base/check.h"
#include "proof/commit_state.h"
#include "seom.pb-c.h"
#include "society/ledger.h"
#include "society/mail.h"
#include "society/trade.h"
#include <string.h>

enum uid_state { UID_NOWHERE = 1, UID_HELD };

/* One transaction while it is looked at. */
struct change {
    struct truth_doc *doc;
    const struct book *was, *is; /* NULL: not there */
    uint32_t book;               /* of is */
};

struct transaction {
    struct commit_model *m;
    uint32_t count;
    struct change change[TRUTH_CHANGED_MAX];
    struct change *initiator;     /* NULL: a job, a claim of a session, a new document */
    struct commit_person *person; /* whose command it is */
    struct sent *sent;            /* the command; NULL: nobody's */
    bool other;                   /* it is the liar's content */
    uint32_t lines;
    struct book_line line[BOOK_LINES_MAX];
};

/* Says whose commit it was. */
static void
wrong(const struct transaction *t, enum commit_property property, const char *what, uint64_t a,
      uint64_t b)
{
    const struct change *first = &t->change[0];
    if (t->person != NULL)
        commit_wrong(t->m, PROOF_WRONG, property, "player %u, command %llu (%s): %s (%llx, %llx)",
                     t->person->index, (unsigned long long)t->initiator->is->as.player.last_seq,
                     t->sent == NULL ? "?" : t->sent->kind->name, what, (unsigned long long)a,
                     (unsigned long long)b);
    else
        commit_wrong(t->m, PROOF_WRONG, property, "%s and %u more documents: %s (%llx, %llx)",
                     first->doc->key.text, t->count - 1, what, (unsigned long long)a,
                     (unsigned long long)b);
}

static bool is_of_value(enum truth_class class)
{
    return class != TRUTH_LEDGER && class != TRUTH_META;
}

static struct commit_person *
person_of(struct commit_model *m, uint64_t id)
{
    for (uint32_t i = 0; i < m->knobs.persons; i++) {
        if (m->persons[i].id == id)
            return &m->persons[i];
    }
    return NULL;
}

static struct effect *
effect_of(const struct commit_model *m, const struct commit_person *p, uint64_t seq)
{
    return seq > 0 && seq < COMMIT_SEQ_MAX
               ? &m->check.effects[(size_t)p->index * COMMIT_SEQ_MAX + seq]
               : NULL;
}

const struct book *
check_book_of(const struct commit_model *m, const struct truth_doc *doc)
{
    return doc == NULL || doc->book == TRUTH_NONE ? NULL : pool_at(&m->check.books, doc->book);
}

const struct book *
check_book(const struct commit_model *m, const char *class, uint64_t id)
{
    struct key key = key_make(COMMIT_WORLD, class, id);
    return check_book_of(m, truth_find(&m->truth, &key));
}

/* ---- reading the transaction ---- */

static bool
change_read(struct transaction *t, struct change *c)
{
    struct commit_model *m = t->m;
    struct truth_doc *d = c->doc;
    uint64_t follows = d->before.version + 1;
    if (d->counts.version != follows)
        wrong(t, COMMIT_WHOLE, "a version that does not follow", d->before.version,
              d->counts.version);
    c->was = check_book_of(m, d);
    c->book = TRUTH_NONE;
    if (!is_of_value(d->class) || !d->counts.exists)
        return true;
    CHECK(pool_take(&m->check.books, &c->book) == OK);
    struct book *book = pool_at(&m->check.books, c->book);
    if (book_read(d->class, d->id, truth_body(&m->truth, d), book) != OK) {
        wrong(t, COMMIT_LIMITS, "a document holds more than it may, or is malformed", d->id, 0);
        book->items = 0;
        return false;
    }
    c->is = book;
    return true;
}

static bool
transaction_read(struct transaction *t)
{
    const struct truth *truth = &t->m->truth;
    bool read = true;
    t->count = truth->changed_count;
    for (uint32_t i = 0; i < t->count; i++)
        t->change[i] = (struct change){.doc = truth_at(truth, truth->changed[i])};
    for (uint32_t i = 0; i < t->count; i++)
        read &= change_read(t, &t->change[i]);
    return read;
}

/* Keeps the new books and drops the old ones. */
static void
transaction_end(struct transaction *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        struct truth_doc *d = t->change[i].doc;
        if (d->book != TRUTH_NONE)
            pool_give(&t->m->check.books, d->book);
        d->book = t->change[i].book;
    }
}

static struct change *
change_of(struct transaction *t, enum truth_class class, uint64_t id)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->change[i].doc->class == class && t->change[i].doc->id == id)
            return &t->change[i];
    }
    return NULL;
}

/* ---- whose it is ---- */

static bool
same_command(const struct book_player *a, const struct book_player *b)
{
    return a->last_seq == b->last_seq && a->last_hash == b->last_hash && a->result == b->result;
}

/* A player's document: who made a command, who is dealt with by another's. */
static void
look_at_player(struct transaction *t, struct change *c)
{
    if (c->is == NULL || c->was == NULL) {
        if (c->is == NULL || c->is->items > 0 || c->is->as.player.last_seq > 0)
            wrong(t, COMMIT_FORWARD, "a player comes or goes", c->doc->id, 0);
        return;
    }
    const struct book_player *was = &c->was->as.player, *is = &c->is->as.player;
    commit_looked(t->m, COMMIT_FORWARD);
    if (is->session_epoch < was->session_epoch || is->last_seq < was->last_seq)
        wrong(t, COMMIT_FORWARD, "session or last command go back", was->last_seq, is->last_seq);
    if (is->session_epoch != was->session_epoch) {
        if (t->count > 1 || !same_command(is, was) || is->rest != was->rest)
            wrong(t, COMMIT_FENCED, "more than the session changes with it", is->session_epoch, 0);
        commit_sometimes(t->m, SOMETIMES_CLAIMED);
    }
    if (same_command(is, was))
        return;
    if (t->initiator != NULL || is->last_seq != was->last_seq + 1)
        wrong(t, COMMIT_ONCE, "commands that do not follow one another", was->last_seq,
              is->last_seq);
    t->initiator = c;
    t->person = person_of(t->m, c->doc->id);
}

/* Which of the contents that were sent under this number has happened. */
static void
look_at_command(struct transaction *t)
{
    const struct book_player *is = &t->initiator->is->as.player;
    struct effect *effect = effect_of(t->m, t->person, is->last_seq);
    commit_looked(t->m, COMMIT_ONCE);
    if (effect == NULL || is->last_seq > t->person->seq) {
        wrong(t, COMMIT_ONCE, "a command that nobody gave", is->last_seq, t->person->seq);
        return;
    }
    if (effect->code != 0)
        wrong(t, COMMIT_ONCE, "a command took effect again", effect->code - 1, is->code);
    t->m->result->commands++;
    struct sent *sent = &t->person->sent[is->last_seq];
    struct slice body = {sent->body, sent->body_bytes}, other = {sent->other, sent->other_bytes};
    t->other = is->last_hash != command_hash(body);
    if (t->other && (sent->other_bytes == 0 || is->last_hash != command_hash(other)))
        wrong(t, COMMIT_ONCE, "what happened is not what was asked for", is->last_hash, 0);
    t->sent = sent;
    *effect = (struct effect){.code = is->code + 1, .other = t->other, .result = is->result};
    commit_trace(t->m, "player %u's command %llu (%s) has happened: %u", t->person->index,
                 (unsigned long long)is->last_seq,
                 t->other ? sent->other_kind->name : sent->kind->name, is->code);
    commit_looked(t->m, COMMIT_FENCED);
    if (sent->epoch_max < is->session_epoch)
        wrong(t, COMMIT_FENCED, "a command of an older session", sent->epoch_max,
              is->session_epoch);
}

/* ---- ledgers ---- */

/* The pages that were closed in this transaction, in their order, then the tail. */
static bool
lines_collect(struct transaction *t, struct book_lines *lines)
{
    const struct change *c = t->initiator;
    const struct book_player *was = &c->was->as.player, *is = &c->is->as.player;
    for (uint32_t page = was->pages; page < is->pages; page++) {
        struct key key = ledger_key(COMMIT_WORLD, c->doc->id, page);
        const struct truth_doc *d = truth_find(&t->m->truth, &key);
        if (d == NULL || !d->changed || !d->counts.exists ||
            book_lines_add(TRUTH_LEDGER, truth_body(&t->m->truth, d), lines) != OK)
            return false;
        commit_sometimes(t->m, SOMETIMES_PAGE);
    }
    return is->pages >= was->pages &&
           book_lines_add(TRUTH_PLAYER, truth_body(&t->m->truth, c->doc), lines) == OK;
}

/* New lines stand behind the old ones, which are as they were. */
static void
look_at_lines(struct transaction *t)
{
    static const struct book_lines none;
    struct book_lines lines = none;
    const struct book_player *was = &t->initiator->was->as.player;
    commit_looked(t->m, COMMIT_LEDGER);
    bool kept = lines_collect(t, &lines) && lines.count >= was->lines;
    for (uint32_t i = 0; i < was->lines && kept; i++)
        kept = book_digest(lines.line[i]) == was->line[i];
    if (!kept) {
        wrong(t, COMMIT_LEDGER, "lines of a ledger are lost or changed", was->lines, lines.count);
        return;
    }
    for (uint32_t i = was->lines; i < lines.count; i++) {
        struct book_line *line = &t->line[t->lines++];
        if (book_line_read(lines.line[i], line) != OK ||
            line->seq != t->initiator->is->as.player.last_seq)
            wrong(t, COMMIT_LEDGER, "a line of another command", line->seq, 0);
    }
}

/* Pages and the ledgers of those who only take part stay as they are. */
static void
look_at_others_ledgers(struct transaction *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const struct change *c = &t->change[i];
        if (c->doc->class == TRUTH_LEDGER) {
            bool closed_now = t->initiator != NULL && c->doc->id == t->initiator->doc->id &&
                              !c->doc->before.exists && c->doc->counts.exists;
            if (!closed_now)
                wrong(t, COMMIT_LEDGER, "a page of a ledger changes", c->doc->id, 0);
        }
        if (c->doc->class != TRUTH_PLAYER || c == t->initiator || c->was == NULL || c->is == NULL)
            continue;
        const struct book_player *was = &c->was->as.player, *is = &c->is->as.player;
        if (was->pages != is->pages || was->lines != is->lines ||
            memcmp(was->line, is->line, was->lines * sizeof was->line[0]) != 0)
            wrong(t, COMMIT_LEDGER, "lines without a command", was->lines, is->lines);
    }
}

/* ---- value ---- */

/* Of one of this kind under this account, so that what goes from one to the other is a sum. */
static uint64_t
weight(const struct book_owner *owner, uint32_t kind, uint64_t uid)
{
    if (owner->kind == ACCOUNT_WORLD)
        return 0;
    return rand_mix(rand_mix(owner->kind, owner->id), rand_mix(kind, uid));
}

static uint64_t
book_weight(const struct book *book)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < book->items; i++)
        sum += weight(&book->owner, book->item[i].kind, book->item[i].uid) * book->item[i].count;
    return sum;
}

static void
look_at_limits(struct transaction *t, const struct book *book)
{
    const struct society *society = &t->m->society;
    commit_looked(t->m, COMMIT_LIMITS);
    for (uint32_t i = 0; i < book->items; i++) {
        const struct book_item *item = &book->item[i];
        if (item->kind == 0) {
            if (item->count > COINS_MAX)
                wrong(t, COMMIT_LIMITS, "coins above the limit", item->count, book->owner.id);
            continue;
        }
        const struct kind *kind = kind_find(society, item->kind);
        if (kind == NULL || item->count == 0 || item->count > kind->stack_max ||
            (item->uid != 0) != kind_is_single(kind))
            wrong(t, COMMIT_LIMITS, "a stack that cannot be", item->kind, item->count);
    }
}

static void
uid_set(struct transaction *t, uint64_t uid, enum uid_state state)
{
    CHECK(map_put(&t->m->check.uids, uid, state) == OK);
}

/* What is made and used up by the lines; a new thing has an id that nobody ever had. */
static void
look_at_making(struct transaction *t)
{
    struct check *check = &t->m->check;
    for (uint32_t i = 0; i < t->lines; i++) {
        const struct book_line *line = &t->line[i];
        int64_t count = (int64_t)line->count;
        check->made[line->kind] += line->from.kind == ACCOUNT_WORLD ? count : 0;
        check->made[line->kind] -= line->to.kind == ACCOUNT_WORLD ? count : 0;
        if (line->uid == 0 || line->from.kind != ACCOUNT_WORLD)
            continue;
        if (map_get(&check->uids, line->uid) != MAP_NONE)
            wrong(t, COMMIT_ONE_PLACE, "an id is given twice", line->uid, line->kind);
        uid_set(t, line->uid, UID_NOWHERE);
    }
}

static void
items_leave(struct transaction *t, const struct book *book)
{
    for (uint32_t i = 0; i < book->items; i++) {
        t->m->check.held[book->item[i].kind % KINDS_MAX] -= (int64_t)book->item[i].count;
        if (book->item[i].uid != 0)
            uid_set(t, book->item[i].uid, UID_NOWHERE);
    }
}

static void
items_come(struct transaction *t, const struct book *book)
{
    struct check *check = &t->m->check;
    for (uint32_t i = 0; i < book->items; i++) {
        const struct book_item *item = &book->item[i];
        check->held[item->kind % KINDS_MAX] += (int64_t)item->count;
        if (item->uid == 0)
            continue;
        commit_looked(t->m, COMMIT_ONE_PLACE);
        if (map_get(&check->uids, item->uid) != UID_NOWHERE)
            wrong(t, COMMIT_ONE_PLACE, "a thing is in two places, or was never made", item->uid,
                  book->owner.id);
        uid_set(t, item->uid, UID_HELD);
    }
}

static void
look_at_value(struct transaction *t)
{
    uint64_t moved = 0, told = 0;
    look_at_making(t);
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->change[i].was == NULL)
            continue;
        items_leave(t, t->change[i].was);
        moved -= book_weight(t->change[i].was);
    }
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->change[i].is == NULL)
            continue;
        look_at_limits(t, t->change[i].is);
        items_come(t, t->change[i].is);
        moved += book_weight(t->change[i].is);
    }
    for (uint32_t i = 0; i < t->lines; i++) {
        const struct book_line *line = &t->line[i];
        told += (weight(&line->to, line->kind, line->uid) -
                 weight(&line->from, line->kind, line->uid)) *
                line->count;
    }
    const struct check *check = &t->m->check;
    commit_looked(t->m, COMMIT_CONSERVED);
    for (uint32_t kind = 0; kind < t->m->society.kinds_count; kind++) {
        if (check->held[kind] != check->made[kind])
            wrong(t, COMMIT_CONSERVED,
                  check->held[kind] > check->made[kind] ? "more is held than was made"
                                                        : "less is held than was made",
                  kind, (uint64_t)(check->held[kind] - check->made[kind]));
    }
    commit_looked(t->m, COMMIT_LEDGER);
    if (moved != told)
        wrong(t, COMMIT_LEDGER, "what moved is not what the lines say", t->lines, t->count);
}

/* ---- rules ---- */

static void
look_at_claim(struct transaction *t, const struct book_line *line)
{
    struct check *check = &t->m->check;
    uint32_t when = (uint32_t)t->initiator->is->as.player.last_seq << 4 | t->person->index;
    uint32_t claimed = map_get(&check->mails, line->from.id);
    const struct change *mail = change_of(t, TRUTH_MAIL, line->from.id);
    commit_looked(t->m, COMMIT_CLAIM);
    if ((claimed != MAP_NONE && claimed != when) || mail == NULL || mail->doc->counts.exists)
        wrong(t, COMMIT_CLAIM, "a mail is emptied twice, or stays", line->from.id, claimed);
    else if (mail->was == NULL || mail->was->as.mail.to != t->person->id)
        wrong(t, COMMIT_CLAIM, "a mail is emptied by somebody else", line->from.id, 0);
    CHECK(map_put(&check->mails, line->from.id, when) == OK);
    commit_sometimes(t->m, SOMETIMES_MAIL_CLAIMED);
}

/* Which fruit it was follows from the tree and the time, whatever the chunk's document says. */
static void
look_at_harvest(struct transaction *t, const struct book_line *line)
{
    struct map *harvests = &t->m->check.harvests;
    int64_t until_ms = commit_fruit_until_ms(t->m, t->sent->entity, line->at_ms);
    uint64_t harvest = rand_mix(t->sent->entity, (uint64_t)until_ms);
    commit_looked(t->m, COMMIT_HARVEST);
    if (until_ms == 0)
        wrong(t, COMMIT_HARVEST, "picked from a tree without fruit", t->sent->entity, 0);
    if (map_get(harvests, harvest) != MAP_NONE)
        wrong(t, COMMIT_HARVEST, "a tree is picked twice", t->sent->entity, (uint64_t)until_ms);
    CHECK(map_put(harvests, harvest, t->person->index) == OK);
}

static void
look_at_offer(struct transaction *t)
{
    const struct change *trade = change_of(t, TRUTH_TRADE, t->sent->trade);
    commit_looked(t->m, COMMIT_OFFER);
    if (trade == NULL || trade->was == NULL || trade->doc->counts.exists)
        wrong(t, COMMIT_OFFER, "an offer is accepted and stays", t->sent->trade, 0);
    else if (trade->was->as.trade.to != t->person->id)
        wrong(t, COMMIT_OFFER, "an offer is accepted by somebody else", t->sent->trade, 0);
    else if (trade->was->as.trade.digest != t->sent->seen)
        wrong(t, COMMIT_OFFER, "accepted was something else than what was seen", t->sent->trade, 0);
    commit_sometimes(t->m, SOMETIMES_ACCEPTED);
}

/* What waits in a trade goes back to its giver, when one of the two says so. */
static void
look_at_withdrawal(struct transaction *t, const struct book_line *line)
{
    const struct change *trade = change_of(t, TRUTH_TRADE, line->from.id);
    commit_looked(t->m, COMMIT_OFFER);
    if (trade == NULL || trade->was == NULL) {
        wrong(t, COMMIT_OFFER, "withdrawn from no offer", line->from.id, 0);
        return;
    }
    uint64_t from = trade->was->as.trade.from, to = trade->was->as.trade.to, me = t->person->id;
    bool his = line->to.kind == ACCOUNT_MAIL || line->to.id == from;
    if ((me != from && me != to) || !his)
        wrong(t, COMMIT_OFFER, "withdrawn by or to somebody else", line->from.id, line->to.id);
}

static void
look_at_rules(struct transaction *t)
{
    if (!t->other && t->sent->kind == &trade_accept)
        look_at_offer(t);
    if (!t->other && t->sent->entity != 0)
        look_at_harvest(t, &t->line[0]);
    for (uint32_t i = 0; i < t->lines; i++) {
        const struct book_line *line = &t->line[i];
        if (line->reason == REASON_CLAIMED)
            look_at_claim(t, line);
        if (line->reason == REASON_WITHDRAWN)
            look_at_withdrawal(t, line);
        if (line->to.kind == ACCOUNT_MAIL && t->sent->kind != &mail_send)
            commit_sometimes(t->m, SOMETIMES_OVERFLOW);
        if (line->reason == REASON_EXPIRED)
            commit_sometimes(t->m, SOMETIMES_EXPIRED);
    }
}

/* A refusal changes the last command and nothing else; everything that is done has a line. */
static void
look_at_code(struct transaction *t)
{
    const struct change *c = t->initiator;
    if (c->is->as.player.code == SEOM__CODE__FINE) {
        if (t->lines == 0)
            wrong(t, COMMIT_LEDGER, "a command without a line", 0, 0);
        look_at_rules(t);
        return;
    }
    commit_looked(t->m, COMMIT_REFUSAL);
    commit_sometimes(t->m, SOMETIMES_REFUSED);
    if (t->count > 1 || t->lines > 0 || c->is->as.player.rest != c->was->as.player.rest)
        wrong(t, COMMIT_REFUSAL, "a refusal has an effect", c->is->as.player.code, t->count);
    if (t->sent->kind == &trade_accept && c->is->as.player.code == SEOM__CODE__CONFLICT)
        commit_sometimes(t->m, SOMETIMES_OFFER_CHANGED);
}

/* Nobody's command: what a chunk's regrowing, a session's claim and the node itself may write. */
static void
look_at_job(struct transaction *t)
{
    commit_looked(t->m, COMMIT_ONCE);
    const struct change *c = &t->change[0];
    bool may = t->count == 1 && (c->doc->class == TRUTH_META || c->doc->class == TRUTH_CHUNK);
    if (t->count == 1 && c->doc->class == TRUTH_PLAYER)
        may = c->was == NULL || c->was->as.player.session_epoch != c->is->as.player.session_epoch;
    if (!may)
        wrong(t, COMMIT_ONCE, "an effect without a command", c->doc->id, t->count);
    if (c->doc->class == TRUTH_CHUNK)
        commit_sometimes(t->m, SOMETIMES_REGROWN);
}

void
check_transaction(struct commit_model *m)
{
    struct transaction t; /* large: what is not set here is set before it is read */
    t.m = m;
    t.initiator = NULL;
    t.person = NULL;
    t.sent = NULL;
    t.other = false;
    t.lines = 0;
    commit_looked(m, COMMIT_WHOLE);
    bool read = transaction_read(&t);
    commit_sometimes(m, t.count > 1 ? SOMETIMES_SEVERAL : SOMETIMES_ALONE);
    if (t.count > 1 && m->knobs.direct)
        commit_sometimes(m, SOMETIMES_DIRECT);
    bool together = t.count > 1 && !m->knobs.direct && m->truth.committed == TRUTH_NONE;
    if (together && m->knobs.groups > 0)
        commit_sometimes(m, SOMETIMES_TOGETHER);
    else if (together)
        wrong(&t, COMMIT_WHOLE, "several documents change without a commit", t.count, 0);
    for (uint32_t i = 0; i < t.count && read && !m->over; i++) {
        if (t.change[i].doc->class == TRUTH_PLAYER)
            look_at_player(&t, &t.change[i]);
    }
    if (read && !m->over && t.person != NULL)
        look_at_command(&t);
    else if (read && !m->over)
        look_at_job(&t);
    if (!m->over && t.person != NULL && t.initiator->was != NULL)
        look_at_lines(&t);
    if (!m->over) {
        look_at_others_ledgers(&t);
        look_at_value(&t);
    }
    if (!m->over && t.person != NULL)
        look_at_code(&t);
    transaction_end(&t);
}
