#include "base/check.h"
#include "proof/commit_check.h"
#include "proof/commit_state.h"
#include "seom.pb-c.h"
#include "society/audit.h"
#include <stdlib.h>
#include <string.h>

#define BOOKS_MAX   65536
#define NUMBERS_MAX (1U << 20)

/* Beside two deadlines, nothing may stay half done for longer than it takes a janitor to come by
 * (its rounds have a jitter of a half) and the engine to answer it. */
#define JANITOR_ROUNDS 2
#define SLOW_CALLS     20

/* ---- answers ---- */

static uint64_t
answer_digest(const struct command_result *result)
{
    uint8_t bytes[1 + DEED_RESULT_MAX];
    CHECK(result->body.bytes <= DEED_RESULT_MAX);
    bytes[0] = (uint8_t)result->code;
    if (result->body.bytes > 0)
        memcpy(bytes + 1, result->body.at, result->body.bytes);
    return book_digest((struct slice){bytes, 1 + result->body.bytes});
}

/* RETRY_AFTER and REPLACED promise nothing. CONFLICT may be said by the executor, of a number or a
 * content that does not follow, and then promises nothing either; or it is a refusal like others.
 */
bool
check_answer(struct commit_model *m, const struct commit_person *p, uint64_t seq, bool other,
             const struct command_result *result)
{
    const struct effect *effect = &m->check.effects[(size_t)p->index * COMMIT_SEQ_MAX + seq];
    CHECK(result->player == p->id && result->seq == seq && seq < COMMIT_SEQ_MAX);
    if (result->code == SEOM__CODE__REPLACED) {
        commit_sometimes(m, SOMETIMES_STALE);
        return false;
    }
    if (result->code == SEOM__CODE__RETRY_AFTER)
        return false;
    bool same = effect->code == result->code + 1 && effect->result == answer_digest(result);
    bool mine = effect->other == other;
    if (result->code == SEOM__CODE__CONFLICT && !(same && mine)) {
        commit_sometimes(m, seq == p->seq && effect->code != 0 ? SOMETIMES_CHANGED : SOMETIMES_GAP);
        return false;
    }
    commit_looked(m, COMMIT_ANSWER);
    if (result->again)
        commit_sometimes(m, SOMETIMES_AGAIN);
    if (same && !mine)
        commit_wrong(m, PROOF_WRONG, COMMIT_ANSWER,
                     "player %u hears of command %llu, and what happened was another content",
                     p->index, (unsigned long long)seq);
    if (!same)
        commit_wrong(m, PROOF_WRONG, COMMIT_ANSWER,
                     "player %u is told %u to command %llu (%s), and the document says %s",
                     p->index, result->code, (unsigned long long)seq, p->sent[seq].kind->name,
                     effect->code == 0                  ? "nothing of it"
                     : effect->code != result->code + 1 ? "another code"
                                                        : "another result");
    return true;
}

/* ---- at rest ---- */

/* A pend whose record is missing is resolved: it counts for nothing, and whoever meets it drops it.
 * One that came late, on a document that nobody asks for any more, stays. */
void
check_unresolved(struct commit_model *m)
{
    const struct truth *t = &m->truth;
    int64_t now_us = commit_now_us(m);
    const struct commit_knobs *k = &m->knobs;
    int64_t bound_us = 2 * ((int64_t)k->deadline_ms * 1000 + k->offset_us_max) +
                       JANITOR_ROUNDS * (int64_t)k->janitor_ms * 1500 +
                       SLOW_CALLS * (int64_t)k->engine.commit_us_max;
    commit_looked(m, COMMIT_RESOLVED);
    if (now_us < m->last_fault_us + bound_us)
        return;
    for (uint32_t i = pool_next(&t->docs, POOL_NONE); i != POOL_NONE; i = pool_next(&t->docs, i)) {
        const struct truth_doc *d = pool_at(&t->docs, i);
        if (d->pend != PEND_NONE && now_us - d->pended_us > bound_us &&
            truth_pend_state(t, d) != RECORD_MISSING)
            commit_wrong(m, PROOF_STUCK, COMMIT_RESOLVED, "%s is staged since %lld ms", d->key.text,
                         (long long)(now_us - d->pended_us) / 1000);
    }
}

static void
on_finding(void *ctx, const char *what)
{
    struct commit_model *m = ctx;
    commit_wrong(m, PROOF_WRONG, COMMIT_AUDIT, "audit: %s", what);
}

static void
audit_everything(struct commit_model *m)
{
    const struct truth *t = &m->truth;
    struct audit *audit = audit_alloc(1U << 16);
    for (uint32_t i = pool_next(&t->docs, POOL_NONE); i != POOL_NONE; i = pool_next(&t->docs, i)) {
        const struct truth_doc *d = pool_at(&t->docs, i);
        struct key_parts parts;
        if (!d->counts.exists)
            continue;
        CHECK(key_parse(key_slice(&d->key), &parts) == OK);
        if (audit_read(audit, &parts, truth_body(t, d)) != OK)
            commit_wrong(m, PROOF_WRONG, COMMIT_AUDIT, "the audit does not take %s", d->key.text);
    }
    commit_looked(m, COMMIT_AUDIT);
    struct audit_result result = audit_end(audit, 1, on_finding, m);
    audit_free(&audit);
    if (!result.balanced || result.commands != m->result->commands)
        commit_wrong(m, PROOF_WRONG, COMMIT_AUDIT,
                     "the audit counts %llu commands of %llu, %llu things doubled, %llu lost",
                     (unsigned long long)result.commands, (unsigned long long)m->result->commands,
                     (unsigned long long)result.doubled, (unsigned long long)result.lost);
}

void
check_end(struct commit_model *m)
{
    const struct truth *t = &m->truth;
    commit_looked(m, COMMIT_ANSWERED);
    for (uint32_t i = 0; i < m->knobs.persons; i++) {
        const struct commit_person *p = &m->persons[i];
        if (p->busy)
            commit_wrong(m, PROOF_STUCK, COMMIT_ANSWERED,
                         "player %u waits for the answer to command %llu (%s) since %lld ms", i,
                         (unsigned long long)p->seq, p->sent[p->seq].kind->name,
                         (long long)(commit_now_us(m) - p->asked_us) / 1000);
    }
    commit_looked(m, COMMIT_RESOLVED);
    if (t->open_records > 0)
        commit_wrong(m, PROOF_STUCK, COMMIT_RESOLVED, "%u records are left", t->open_records);
    if (!m->over)
        audit_everything(m);
}

/* ---- life ---- */

void
check_init(struct commit_model *m)
{
    struct check *c = &m->check;
    *c = (struct check){0};
    pool_init(&c->books, sizeof(struct book), BOOKS_MAX, 64);
    map_init(&c->uids, NUMBERS_MAX, 0);
    map_init(&c->mails, NUMBERS_MAX, 0);
    map_init(&c->harvests, NUMBERS_MAX, 0);
    c->effects = calloc((size_t)COMMIT_PERSONS_MAX * COMMIT_SEQ_MAX, sizeof *c->effects);
    CHECK(c->effects != NULL);
}

void
check_fini(struct commit_model *m)
{
    struct check *c = &m->check;
    pool_fini(&c->books);
    map_fini(&c->uids);
    map_fini(&c->mails);
    map_fini(&c->harvests);
    free(c->effects);
    c->effects = NULL;
}
