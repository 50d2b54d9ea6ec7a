/* The committer, state by state: each fault of the engine at each of its calls, a death at each of
 * them, the pends of others in every state of their record, and the port's smaller promises. */
#include "store/committer_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define A "0001/thing/a"
#define B "0001/thing/b"
#define C "0001/thing/c"

/* A commit of two documents: BEGIN, two pends, COMMIT; then two applied, CLEAN. */
#define WRITES_TO_ANSWER 4
#define WRITES_IN_ALL    7

static struct fixture *
with_documents(void)
{
    struct fixture *f = fixture_alloc();
    assert_int_equal(fixture_commit(f, 0, (struct store_write[]){fixture_put(A, 0, "a1")}, 1),
                     STORE_OK);
    assert_int_equal(fixture_commit(f, 0, (struct store_write[]){fixture_put(B, 0, "b1")}, 1),
                     STORE_OK);
    f->nodes[0].writes = f->nodes[0].gets = 0;
    return f;
}

static uint64_t
send_both(struct fixture *f, uint32_t node, uint64_t version)
{
    struct store_write writes[2] = {fixture_put(B, version, "b2"), fixture_put(A, version, "a2")};
    return fixture_commit_send(f, node, writes, 2);
}

static void
assert_body(struct fixture *f, const char *key, uint64_t version, const char *body)
{
    struct committer_view view = fixture_view(f, key);
    assert_int_equal(view.version, version);
    assert_int_equal(view.exists, body != NULL);
    assert_int_equal(view.body.bytes, body == NULL ? 0 : strlen(body));
    if (body != NULL)
        assert_memory_equal(view.body.at, body, strlen(body));
}

static void
assert_both(struct fixture *f, bool happened)
{
    assert_body(f, A, happened ? 2 : 1, happened ? "a2" : "a1");
    assert_body(f, B, happened ? 2 : 1, happened ? "b2" : "b1");
}

/* Nothing is left of any commit: no record, no pend. */
static void
assert_at_rest(struct fixture *f)
{
    assert_int_equal(fixture_records(f), 0);
    assert_int_equal(fixture_view(f, A).pend, PEND_NONE);
    assert_int_equal(fixture_view(f, B).pend, PEND_NONE);
    for (uint32_t i = 0; i < FIXTURE_NODES; i++) {
        if (f->nodes[i].committer != NULL) {
            assert_int_equal(committer_under_way(f->nodes[i].committer), 0);
            assert_int_equal(committer_background(f->nodes[i].committer), 0);
        }
    }
}

static void
two_documents_cost_seven_writes_and_two_reads(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    const struct answer *a = fixture_await(f, send_both(f, 0, 1));
    assert_int_equal(a->result, STORE_OK);
    assert_int_equal(f->nodes[0].writes, WRITES_TO_ANSWER + 1); /* the next is on its way */
    assert_both(f, true);
    assert_int_equal(fixture_view(f, A).pend, PEND_PUT);
    fixture_run_ms(f, 150);
    assert_int_equal(f->nodes[0].writes, WRITES_IN_ALL);
    assert_int_equal(f->nodes[0].gets, 2);
    assert_both(f, true);
    assert_at_rest(f);
    fixture_free(f);
}

/* ---- each fault at each call ---- */

static enum store_result
with_fault(struct fixture *f, enum fault fault, uint32_t at)
{
    f->nodes[0].fault = fault;
    f->nodes[0].fault_at = at;
    const struct answer *a = fixture_await(f, send_both(f, 0, 1));
    assert_int_equal(a->times, 1);
    enum store_result result = a->result;
    fixture_run_ms(f, 1000); /* longer than the deadline */
    assert_int_equal(a->times, 1);
    return result;
}

static void
an_unknown_at_any_call_ends_in_ok(void **state)
{
    (void)state;

    static const enum fault faults[] = {FAULT_UNKNOWN_DONE, FAULT_UNKNOWN_LOST, FAULT_UNKNOWN_LATE,
                                        FAULT_UNKNOWN_TWICE};

    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t at = 1; at <= WRITES_IN_ALL; at++) {
            struct fixture *f = with_documents();
            assert_int_equal(with_fault(f, faults[i], at), STORE_OK);
            assert_both(f, true);
            assert_at_rest(f);
            struct committer_stats stats = committer_stats(f->nodes[0].committer);
            assert_int_equal(stats.begun, at == 1 ? 2 : 1);
            assert_int_equal(stats.committed, 1);
            bool happened = at == WRITES_TO_ANSWER && (i == 0 || i == 3);
            assert_int_equal(stats.unknown_commit_happened, happened);
            fixture_free(f);
        }
    }
}

static void
an_engine_that_goes_away_is_told_before_the_commit_point_only(void **state)
{
    (void)state;
    for (uint32_t at = 1; at <= WRITES_IN_ALL; at++) {
        struct fixture *f = with_documents();
        bool happens = at > WRITES_TO_ANSWER;
        assert_int_equal(with_fault(f, FAULT_UNAVAILABLE, at),
                         happens ? STORE_OK : STORE_UNAVAILABLE);
        assert_both(f, happens);
        assert_at_rest(f);
        fixture_free(f);
    }
    for (uint32_t at = 1; at <= 2; at++) {
        struct fixture *f = with_documents();
        f->nodes[0].get_fault_at = at;
        assert_int_equal(with_fault(f, FAULT_NONE, 0), STORE_UNAVAILABLE);
        assert_both(f, false);
        assert_at_rest(f);
        fixture_free(f);
    }
}

static void
a_death_at_any_call_leaves_all_or_nothing(void **state)
{
    (void)state;
    for (uint32_t at = 1; at <= WRITES_IN_ALL; at++) {
        for (uint32_t after = 0; after < 2; after++) {
            struct fixture *f = with_documents();
            fixture_start(f, 1);
            f->nodes[0].fault = after ? FAULT_CRASH_AFTER : FAULT_CRASH_BEFORE;
            f->nodes[0].fault_at = at;
            uint64_t token = send_both(f, 0, 1);
            fixture_run_ms(f, 1000);
            assert_null(f->nodes[0].committer);
            bool happened = at > WRITES_TO_ANSWER || (at == WRITES_TO_ANSWER && after);
            assert_int_equal(f->answers[token].times, at > WRITES_TO_ANSWER);
            assert_both(f, happened);
            assert_at_rest(f);
            struct committer_stats stats = committer_stats(f->nodes[1].committer);
            bool left = at > 1 || after;
            assert_int_equal(stats.janitor_cleaned, left && !(at == WRITES_IN_ALL && after));
            /* And whoever comes next finds nothing in his way. */
            assert_int_equal(fixture_await(f, send_both(f, 1, happened ? 2 : 1))->result, STORE_OK);
            fixture_free(f);
        }
    }
}

static void
faults_of_a_single_write(void **state)
{
    (void)state;
    for (enum fault fault = FAULT_NONE; fault <= FAULT_UNAVAILABLE; fault++) {
        struct fixture *f = with_documents();
        f->nodes[0].fault = fault;
        f->nodes[0].fault_at = 1;
        struct store_write write = fixture_put(A, 1, "a2");
        bool away = fault == FAULT_UNAVAILABLE;
        assert_int_equal(fixture_commit(f, 0, &write, 1), away ? STORE_UNAVAILABLE : STORE_OK);
        fixture_run_ms(f, 500);
        assert_body(f, A, away ? 1 : 2, away ? "a1" : "a2");
        assert_int_equal(f->nodes[0].writes,
                         fault == FAULT_UNKNOWN_LOST || fault == FAULT_UNKNOWN_LATE ? 2 : 1);
        fixture_free(f);
    }
}

/* ---- in doubt ---- */

/* The commit point is answered UNKNOWN only after a janitor has finished all of it. */
static void
when_the_record_is_gone_the_documents_tell(void **state)
{
    (void)state;
    for (uint32_t over = 0; over <= 2; over++) {
        struct fixture *f = with_documents();
        fixture_start(f, 1);
        f->nodes[0].fault = FAULT_HELD;
        f->nodes[0].fault_at = WRITES_TO_ANSWER;
        uint64_t token = send_both(f, 0, 1);
        fixture_run_ms(f, 1000);
        assert_true(f->nodes[0].held);
        assert_int_equal(fixture_records(f), 0);
        assert_both(f, true);
        for (uint32_t i = 0; i < over; i++) { /* others write over both */
            struct store_write writes[2] = {fixture_put(A, 2 + i, "ax"),
                                            fixture_put(B, 2 + i, "b")};
            assert_int_equal(fixture_commit(f, 1, writes, 2), STORE_OK);
            fixture_run_ms(f, 50); /* until they are applied */
        }
        fixture_release(f, 0);
        assert_int_equal(fixture_await(f, token)->result, over < 2 ? STORE_OK : STORE_UNKNOWN);
        struct committer_stats stats = committer_stats(f->nodes[0].committer);
        assert_int_equal(stats.judged, 1);
        assert_int_equal(stats.unknown_told, over == 2);
        fixture_free(f);
    }
}

static void
a_slow_owner_finds_that_it_did_not_happen_and_begins_anew(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    fixture_start(f, 1);
    f->nodes[0].fault = FAULT_HELD; /* the second pend */
    f->nodes[0].fault_at = 3;
    uint64_t token = send_both(f, 0, 1);
    fixture_run_ms(f, 1000);
    assert_true(f->nodes[0].held);
    assert_both(f, false);
    assert_int_equal(fixture_records(f), 0);
    assert_int_equal(fixture_view(f, B).pend, PEND_NONE);
    fixture_release(f, 0);
    assert_int_equal(fixture_await(f, token)->result, STORE_OK);
    fixture_run_ms(f, 500);
    assert_both(f, true);
    assert_int_equal(committer_stats(f->nodes[0].committer).begun, 2);
    fixture_free(f);
}

static void
a_single_write_in_doubt_asks_who_wrote(void **state)
{
    (void)state;
    for (uint32_t over = 0; over <= 2; over++) {
        struct fixture *f = with_documents();
        fixture_start(f, 1);
        f->nodes[0].fault = FAULT_HELD;
        f->nodes[0].fault_at = 1;
        struct store_write write = fixture_put(A, 1, "a2");
        uint64_t token = fixture_commit_send(f, 0, &write, 1);
        fixture_run_ms(f, 100);
        for (uint32_t i = 0; i < over; i++) {
            struct store_write other = fixture_put(A, 2 + i, "ax");
            assert_int_equal(fixture_commit(f, 1, &other, 1), STORE_OK);
        }
        fixture_release(f, 0);
        assert_int_equal(fixture_await(f, token)->result, over < 2 ? STORE_OK : STORE_UNKNOWN);
        assert_int_equal(committer_stats(f->nodes[0].committer).unknown_resolved, over < 2);
        fixture_free(f);
    }
}

/* It did not happen, and the document has moved under it although users see no new version. */
static void
a_single_write_that_was_lost_is_made_upon_what_stands_now(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    f->nodes[0].fault = FAULT_HELD_LOST;
    f->nodes[0].fault_at = 1;
    struct store_write write = fixture_put(A, 1, "a2");
    uint64_t token = fixture_commit_send(f, 0, &write, 1);
    fixture_run_ms(f, 10);
    fixture_raw_pend(f, A, (struct txid){99, 7}, "ap");
    fixture_release(f, 0);
    assert_int_equal(fixture_await(f, token)->result, STORE_OK);
    assert_body(f, A, 2, "a2");
    fixture_free(f);
}

/* The only document that could tell was forgotten, so its version says nothing. */
static void
a_forgotten_document_tells_nothing(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    fixture_start(f, 1);
    f->nodes[0].fault = FAULT_HELD;
    f->nodes[0].fault_at = WRITES_TO_ANSWER;
    struct store_write writes[2] = {fixture_op(B, 1, STORE_CHECK), fixture_put(C, 0, "c1")};
    uint64_t token = fixture_commit_send(f, 0, writes, 2);
    fixture_run_ms(f, 1000);
    struct store_write forget = fixture_op(C, 1, STORE_FORGET);
    assert_int_equal(fixture_commit(f, 1, &forget, 1), STORE_OK);
    fixture_release(f, 0);
    assert_int_equal(fixture_await(f, token)->result, STORE_UNKNOWN);
    assert_int_equal(fixture_view(f, C).version, 0);
    fixture_free(f);
}

static void
doubt_ends_with_unknown_when_nothing_can_be_read(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 2; count++) {
        for (uint32_t away = 0; away < 2; away++) {
            struct fixture *f = with_documents();
            f->nodes[0].fault = FAULT_HELD;
            f->nodes[0].fault_at = count == 1 ? 1 : WRITES_TO_ANSWER;
            struct store_write writes[2] = {fixture_put(A, 1, "a2"), fixture_put(B, 1, "b2")};
            uint64_t token = fixture_commit_send(f, 0, writes, count);
            fixture_run_ms(f, 100);
            memory_store_set_away(f->memory, true);
            fixture_release(f, 0);
            fixture_run_ms(f, 5000);
            assert_int_equal(f->answers[token].times, 0); /* it asks again and again */
            if (!away)
                memory_store_set_away(f->memory, false);
            assert_int_equal(fixture_await(f, token)->result, away ? STORE_UNKNOWN : STORE_OK);
            assert_body(f, A, 2, "a2");
            fixture_free(f);
        }
    }
}

/* ---- the pends of others ---- */

static const struct txid other = {99, 7};

static struct fixture *
with_pend(enum record_state state, int64_t deadline_ms)
{
    struct fixture *f = with_documents();
    f->options.janitor_ms = 1000000; /* only those who meet it */
    fixture_start(f, 1);
    fixture_raw_pend(f, A, other, "ap");
    if (state != RECORD_MISSING)
        fixture_raw_record(f, other, state, deadline_ms, A);
    return f;
}

static void
gets_answer_what_the_record_says(void **state)
{
    (void)state;
    for (enum record_state s = RECORD_MISSING; s <= RECORD_ABORTED; s++) {
        struct fixture *f = with_pend(s, 1000000);
        int64_t before_us = f->schedule.now_us;
        const struct answer *a = fixture_get(f, 1, A);
        bool forward = s == RECORD_COMMITTED;
        assert_int_equal(a->result, STORE_OK);
        assert_int_equal(a->version, forward ? 2 : 1);
        assert_string_equal(a->value, forward ? "ap" : "a1");
        assert_true(f->schedule.now_us - before_us < 3000); /* three reads, no waiting */
        fixture_run_ms(f, 50);
        bool decided = s != RECORD_PENDING;
        assert_int_equal(f->nodes[1].writes, decided); /* it helps in passing */
        assert_body(f, A, forward ? 2 : 1, forward ? "ap" : "a1");
        assert_int_equal(fixture_view(f, A).pend, decided ? PEND_NONE : PEND_PUT);
        struct store_write check = fixture_op(A, forward ? 2 : 1, STORE_CHECK);
        assert_int_equal(fixture_commit(f, 1, &check, 1), STORE_OK);
        fixture_free(f);
    }
}

static void
writes_stand_on_what_the_record_says(void **state)
{
    (void)state;
    for (enum record_state s = RECORD_MISSING; s <= RECORD_ABORTED; s++) {
        struct fixture *f = with_pend(s, 0); /* its deadline is over */
        uint64_t version = s == RECORD_COMMITTED ? 2 : 1;
        struct store_write stale = fixture_put(A, 3 - version, "x");
        struct store_write write = fixture_put(A, version, "aw");
        assert_int_equal(fixture_commit(f, 1, &stale, 1), STORE_CONFLICT);
        assert_int_equal(fixture_commit(f, 1, &write, 1), STORE_OK);
        assert_body(f, A, version + 1, "aw");
        assert_int_equal(fixture_view(f, A).pend, PEND_NONE);
        struct committer_stats stats = committer_stats(f->nodes[1].committer);
        assert_int_equal(stats.helper_abort, s == RECORD_PENDING);
        assert_int_equal(stats.helper_forward, s == RECORD_COMMITTED);
        fixture_free(f);
    }
}

static void
writers_wait_before_a_live_pend_and_give_up(void **state)
{
    (void)state;
    struct fixture *f = with_pend(RECORD_PENDING, 1000000);
    struct store_write writes[2] = {fixture_put(A, 1, "a2"), fixture_put(B, 1, "b2")};
    assert_int_equal(fixture_commit(f, 1, writes, 1), STORE_UNAVAILABLE);
    assert_int_equal(fixture_commit(f, 1, writes, 2), STORE_UNAVAILABLE);
    fixture_run_ms(f, 1000);
    struct committer_stats stats = committer_stats(f->nodes[1].committer);
    assert_true(stats.blocked > 80);
    assert_int_equal(stats.begun, 8);
    assert_int_equal(stats.helper_abort, 0);
    assert_int_equal(fixture_view(f, A).pend, PEND_PUT); /* still there */
    assert_int_equal(fixture_view(f, B).pend, PEND_NONE);
    fixture_free(f);
}

static void
a_document_that_cannot_be_read_is_not_touched(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    fixture_raw_put(f, (struct slice){(const uint8_t *)A, strlen(A)}, "\x07not ours", 9);
    struct store_write writes[2] = {fixture_put(A, STORE_ANY_VERSION, "x"), fixture_put(B, 1, "x")};
    assert_int_equal(fixture_get(f, 0, A)->result, STORE_UNAVAILABLE);
    assert_int_equal(fixture_commit(f, 0, writes, 1), STORE_UNAVAILABLE);
    assert_int_equal(fixture_commit(f, 0, writes, 2), STORE_UNAVAILABLE);
    assert_int_equal(committer_stats(f->nodes[0].committer).malformed, 3);
    assert_int_equal(fixture_raw(f, A).version, 2);
    fixture_free(f);
}

/* ---- janitor ---- */

static void
a_record_that_comes_back_is_removed_again(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    for (uint32_t i = 0; i < 2; i++) {
        fixture_raw_record(f, (struct txid){1, 60}, RECORD_PENDING, 0, A);
        fixture_run_ms(f, 500);
        assert_int_equal(fixture_records(f), 0);
        assert_int_equal(committer_stats(f->nodes[0].committer).resurrected, i);
    }
    fixture_free(f);
}

static void
a_hundred_records_are_finished_in_pages(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    for (uint64_t n = 1; n <= 100; n++)
        fixture_raw_record(f, (struct txid){50 + n % 3, n}, RECORD_ABORTED + (n % 2) - 1, 0, A);
    uint64_t rounds = committer_stats(f->nodes[0].committer).janitor_rounds;
    fixture_run_ms(f, 2000);
    struct committer_stats stats = committer_stats(f->nodes[0].committer);
    assert_int_equal(stats.janitor_cleaned, 100);
    assert_true(stats.janitor_rounds > rounds);
    fixture_free(f);
}

/* ---- the port ---- */

static void
forgotten_documents_were_never_there(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    struct store_write alone = fixture_op(A, 1, STORE_FORGET);
    struct store_write wrong = fixture_op(A, 2, STORE_FORGET);
    assert_int_equal(fixture_commit(f, 0, &wrong, 1), STORE_CONFLICT);
    assert_int_equal(fixture_commit(f, 0, &alone, 1), STORE_OK);
    assert_int_equal(fixture_get(f, 0, A)->version, 0);
    struct store_write both[2] = {fixture_op(B, 1, STORE_FORGET), fixture_put(A, 0, "again")};
    assert_int_equal(fixture_commit(f, 0, both, 2), STORE_OK);
    assert_int_equal(fixture_get(f, 0, B)->version, 0);
    assert_int_equal(fixture_get(f, 0, A)->version, 1);
    fixture_run_ms(f, 500);
    assert_int_equal(fixture_raw(f, B).version, 0);
    assert_int_equal(fixture_records(f), 0);
    fixture_free(f);
}

static void
what_was_only_checked_is_still_not_there(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    struct store_write writes[2] = {fixture_put(A, 1, "a2"), fixture_op(C, 0, STORE_CHECK)};
    assert_int_equal(fixture_commit(f, 0, writes, 2), STORE_OK);
    fixture_run_ms(f, 500);
    assert_int_equal(fixture_get(f, 0, C)->version, 0);
    struct store_write put = fixture_put(C, 0, "c1");
    assert_int_equal(fixture_commit(f, 0, &put, 1), STORE_OK);
    assert_int_equal(fixture_get(f, 0, C)->version, 1);
    fixture_free(f);
}

static enum store_result
scan(struct fixture *f, const char *prefix, const char *after, uint32_t limit)
{
    struct env_store *port = &f->nodes[0].port;
    struct slice from = {(const uint8_t *)after, strlen(after)};
    assert_int_equal(port->scan(port->ctx, f->tokens,
                                (struct slice){(const uint8_t *)prefix, strlen(prefix)}, from,
                                limit),
                     OK);
    assert_int_equal(port->scan(port->ctx, f->tokens, from, from, limit), ERR_FULL);
    const struct answer *a = fixture_await(f, f->tokens++);
    assert_int_equal(a->times, 1);
    return a->result;
}

static void
scans_show_what_users_see(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    struct store_write writes[2] = {fixture_op(A, 1, STORE_DELETE), fixture_op(C, 0, STORE_CHECK)};
    assert_int_equal(fixture_commit(f, 0, writes, 2), STORE_OK);
    struct store_write d = fixture_put("0001/thing/d", 0, "d1");
    assert_int_equal(fixture_commit(f, 0, &d, 1), STORE_OK);
    fixture_run_ms(f, 500);
    fixture_raw_pend(f, B, other, "bp");
    fixture_raw_record(f, other, RECORD_COMMITTED, 1000000, B);
    assert_int_equal(scan(f, "", "", 2), STORE_OK); /* deleted, checked and records are left out */
    assert_int_equal(f->found_count, 2);
    assert_string_equal(f->found_keys[0].text, B);
    assert_int_equal(f->found[0].doc.version, 2); /* the committed pend */
    assert_string_equal(f->found_keys[1].text, "0001/thing/d");
    assert_int_equal(scan(f, "0001/thing/", B, 64), STORE_OK);
    assert_int_equal(f->found_count, 1);
    assert_int_equal(scan(f, "0001/tx/", "", 64), STORE_OK);
    assert_int_equal(f->found_count, 0);
    fixture_raw_put(f, (struct slice){(const uint8_t *)C, strlen(C)}, "\x07not ours", 9);
    assert_int_equal(scan(f, "", "", 64), STORE_UNAVAILABLE);
    fixture_free(f);
}

/* ---- what has no envelope ---- */

/* Written while there was one engine only: read as it is, and enveloped by its next change. */
static void
a_bare_document_grows_an_envelope(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    static const char key[] = "0001/thing/bare";
    fixture_raw_put(f, (struct slice){(const uint8_t *)key, strlen(key)}, "bare", 4);
    uint64_t version = fixture_raw(f, key).version;
    const struct answer *a = fixture_get(f, 0, key);
    assert_true(a->exists && a->version == version);
    assert_string_equal(a->value, "bare");
    struct store_write writes[2] = {fixture_put(key, version, "worn"),
                                    fixture_put(A, 1, "with it")};
    assert_int_equal(fixture_commit(f, 0, writes, 2), STORE_OK);
    fixture_run_ms(f, 100);
    assert_int_equal(fixture_view(f, key).version, version + 1);
    assert_int_equal(fixture_raw(f, key).value.at[0], 1); /* the format of an envelope */
    assert_string_equal(fixture_get(f, 0, key)->value, "worn");
    fixture_free(f);
}

static void
pages_of_places_are_handed_through(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    static const char page[] = "0001/place/0000000000000007",
                      neighbour[] = "0001/place/0000000000000008";
    struct env_store *port = &f->nodes[0].port;
    struct store_write put = fixture_put(page, STORE_ANY_VERSION, "\x01 as it is");
    assert_int_equal(fixture_commit(f, 0, &put, 1), STORE_OK);
    struct store_doc raw = fixture_raw(f, page);
    assert_true(raw.version == 1 && raw.value.bytes == put.value.bytes);
    assert_memory_equal(raw.value.at, put.value.at, put.value.bytes);
    assert_string_equal(fixture_get(f, 0, page)->value, "\x01 as it is");
    assert_int_equal(scan(f, "0001/place/", "", 64), STORE_OK);
    assert_int_equal(f->found_count, 1);
    struct store_write mixed[2] = {put, fixture_put(A, 1, "x")};
    assert_int_equal(port->commit(port->ctx, 9, mixed, 2), ERR_DENIED);
    struct store_write apart[2] = {put, fixture_put(neighbour, STORE_ANY_VERSION, "y")};
    assert_int_equal(port->commit(port->ctx, 9, apart, 2), ERR_RANGE); /* one key at a time here */
    fixture_free(f);
}

static void
hints_and_refusals(void **state)
{
    (void)state;
    struct fixture *f = with_documents();
    struct env_store *port = &f->nodes[0].port;
    struct slice key = {(const uint8_t *)A, strlen(A)};
    assert_int_equal(port->watch(port->ctx, key, true), OK);
    struct store_write put = fixture_put(A, 1, "a2");
    assert_int_equal(fixture_commit(f, 0, &put, 1), STORE_OK);
    fixture_run_ms(f, 50);
    assert_true(f->hints > 0);
    struct store_write record = fixture_put("0001/tx/000000000001-00000000001", 0, "x");
    assert_int_equal(port->commit(port->ctx, 0, &record, 1), ERR_DENIED);
    assert_int_equal(committer_under_way(f->nodes[0].committer), 0);
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_documents_cost_seven_writes_and_two_reads),
        cmocka_unit_test(an_unknown_at_any_call_ends_in_ok),
        cmocka_unit_test(an_engine_that_goes_away_is_told_before_the_commit_point_only),
        cmocka_unit_test(a_death_at_any_call_leaves_all_or_nothing),
        cmocka_unit_test(faults_of_a_single_write),
        cmocka_unit_test(when_the_record_is_gone_the_documents_tell),
        cmocka_unit_test(a_slow_owner_finds_that_it_did_not_happen_and_begins_anew),
        cmocka_unit_test(a_single_write_in_doubt_asks_who_wrote),
        cmocka_unit_test(a_single_write_that_was_lost_is_made_upon_what_stands_now),
        cmocka_unit_test(a_forgotten_document_tells_nothing),
        cmocka_unit_test(doubt_ends_with_unknown_when_nothing_can_be_read),
        cmocka_unit_test(gets_answer_what_the_record_says),
        cmocka_unit_test(writes_stand_on_what_the_record_says),
        cmocka_unit_test(writers_wait_before_a_live_pend_and_give_up),
        cmocka_unit_test(a_document_that_cannot_be_read_is_not_touched),
        cmocka_unit_test(a_record_that_comes_back_is_removed_again),
        cmocka_unit_test(a_hundred_records_are_finished_in_pages),
        cmocka_unit_test(forgotten_documents_were_never_there),
        cmocka_unit_test(what_was_only_checked_is_still_not_there),
        cmocka_unit_test(scans_show_what_users_see),
        cmocka_unit_test(a_bare_document_grows_an_envelope),
        cmocka_unit_test(pages_of_places_are_handed_through),
        cmocka_unit_test(hints_and_refusals),
    };
    return cmocka_run_group_tests_name("committer", tests, NULL, NULL);
}
