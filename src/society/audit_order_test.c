/* Whole stores made by hand: in any order, beyond limits, and single things that are no more. */
#include "base/rand.h"
#include "documents.pb-c.h"
#include "society/audit.h"
#include "society/ledger.h"
#include "store/desk.h"
#include "store/player.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct paper {
    struct key key;
    uint8_t bytes[2048];
    size_t count;
};

static size_t
papers_make(struct paper *papers, uint32_t people)
{
    for (uint32_t n = 0; n < people; n++) {
        struct paper *paper = &papers[n];
        uint64_t id = n + 1, next = n + 2 > people ? 1 : n + 2;
        Seom__PlayerDocument player = SEOM__PLAYER_DOCUMENT__INIT;
        Seom__Entry entries[4], *ledger[4];
        Seom__Stack stacks[2], *slots[2];
        Seom__Holdings bag = SEOM__HOLDINGS__INIT;
        for (uint32_t i = 0; i < 4; i++) {
            seom__entry__init(&entries[i]);
            ledger[i] = &entries[i];
            entries[i].seq = i + 1;
            entries[i].to = SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER;
            entries[i].to_id = id;
            entries[i].kind = i;
            entries[i].count = i == 3 ? 1 : 10;
            entries[i].uid = i == 3 ? 1000 + id : 0;
        }
        /* Everybody gives 4 of kind 1 and the single thing to the next. */
        entries[2].kind = 1;
        entries[2].count = 4;
        entries[2].from = entries[2].to;
        entries[2].from_id = id;
        entries[2].to_id = next;
        entries[3].to_id = next;
        for (uint32_t i = 0; i < 2; i++) {
            seom__stack__init(&stacks[i]);
            slots[i] = &stacks[i];
        }
        stacks[0].kind = 1;
        stacks[0].count = 10;
        stacks[1].kind = 3;
        stacks[1].count = 1;
        stacks[1].uid = 1000 + (n == 0 ? people : id - 1);
        bag.coins = 10;
        bag.slots = slots;
        bag.n_slots = 2;
        player.bag = &bag;
        player.ledger = ledger;
        player.n_ledger = 4;
        player.last_seq = 4;
        paper->key = key_make(DESK_WORLD, KEY_CLASS_PLAYER, id);
        assert_true(seom__player_document__get_packed_size(&player) <= sizeof paper->bytes);
        paper->count = seom__player_document__pack(&player, paper->bytes);
    }
    return people;
}

static enum err
paper_read(struct audit *audit, const struct paper *paper)
{
    struct key_parts parts;
    assert_int_equal(key_parse(key_slice(&paper->key), &parts), OK);
    return audit_read(audit, &parts, (struct slice){paper->bytes, paper->count});
}

#define PAPERS 3000

static void
any_order_will_do(void **state)
{
    (void)state;
    struct paper *papers = calloc(PAPERS, sizeof *papers);
    size_t count = papers_make(papers, PAPERS);
    struct rand rand;
    rand_seed(&rand, 5);
    for (uint32_t round = 0; round < 6; round++) {
        struct audit *audit = audit_alloc(0);
        for (size_t i = 0; i < count; i++) {
            size_t other = i + rand_below(&rand, (uint32_t)(count - i));
            struct paper swap = papers[i];
            papers[i] = papers[other];
            papers[other] = swap;
            assert_int_equal(paper_read(audit, &papers[i]), OK);
        }
        struct audit_result result = audit_end(audit, 0, NULL, NULL);
        assert_true(result.balanced);
        assert_int_equal(result.documents, PAPERS);
        assert_int_equal(result.minted, PAPERS * 11);
        assert_int_equal(result.held, PAPERS * 11);
        assert_int_equal(result.coins_held, PAPERS * 10);
        assert_int_equal(result.commands, PAPERS * 4);
        audit_free(&audit);
        assert_null(audit);
    }
    free(papers);
}

static void
count_finding(void *ctx, const char *what)
{
    assert_true(strlen(what) > 10);
    ++*(uint32_t *)ctx;
}

#define FINDING_MAX 256

static void
keep_finding(void *ctx, const char *what)
{
    snprintf(ctx, FINDING_MAX, "%s", what);
}

static void
findings_are_counted_and_some_told(void **state)
{
    (void)state;
    struct paper *papers = calloc(PAPERS, sizeof *papers);
    size_t count = papers_make(papers, PAPERS);
    struct audit *audit = audit_alloc(0);
    for (size_t i = 0; i < count; i += 2)
        assert_int_equal(paper_read(audit, &papers[i]), OK);
    uint32_t told = 0;
    struct audit_result result = audit_end(audit, 10, count_finding, &told);
    assert_int_equal(told, 10);
    assert_false(result.balanced);
    /* Of each two, one gave what nobody holds and one holds what nobody gave. */
    assert_int_equal(result.findings, PAPERS / 2 * 4);
    audit_free(&audit);
    free(papers);
}

/* ---- single things that are no more ---- */

#define SINGLES 2000 /* more than a table begins with */

struct step {
    Seom__AccountKind from;
    uint64_t from_id;
    Seom__AccountKind to;
    uint64_t to_id;
};

static const struct step made = {.to = SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER, .to_id = 1},
                         used_up = {.from = SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER, .from_id = 1},
                         sent = {SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER, 1,
                                 SEOM__ACCOUNT_KIND__ACCOUNT_MAIL, 2},
                         claimed = {SEOM__ACCOUNT_KIND__ACCOUNT_MAIL, 2,
                                    SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER, 1};

struct pages {
    struct audit *audit;
    uint32_t count;
};

/* A page of player 1 that says that a single thing went here and there. */
static void
page_of(struct pages *pages, uint64_t uid, const struct step *first, const struct step *second)
{
    const struct step *steps[2] = {first, second};
    Seom__LedgerDocument page = SEOM__LEDGER_DOCUMENT__INIT;
    Seom__Entry lines[2], *list[2] = {&lines[0], &lines[1]};
    for (size_t i = 0; i < 2; i++) {
        seom__entry__init(&lines[i]);
        lines[i].seq = 1;
        lines[i].kind = 3;
        lines[i].count = 1;
        lines[i].uid = uid;
        lines[i].from = steps[i]->from;
        lines[i].from_id = steps[i]->from_id;
        lines[i].to = steps[i]->to;
        lines[i].to_id = steps[i]->to_id;
    }
    page.entries = list;
    page.n_entries = 2;
    uint8_t bytes[256];
    assert_true(seom__ledger_document__get_packed_size(&page) <= sizeof bytes);
    struct slice value = {bytes, seom__ledger_document__pack(&page, bytes)};
    struct key key = ledger_key(DESK_WORLD, 1, pages->count++);
    struct key_parts parts;
    assert_int_equal(key_parse(key_slice(&key), &parts), OK);
    assert_int_equal(audit_read(pages->audit, &parts, value), OK);
}

static uint64_t
spread(uint64_t n)
{
    return rand_mix(n, 77);
}

static struct audit_result
pages_end(struct pages *pages, char *finding)
{
    Seom__PlayerDocument player = SEOM__PLAYER_DOCUMENT__INIT;
    player.ledger_pages = pages->count;
    player.last_seq = 1;
    uint8_t bytes[64];
    struct slice value = {bytes, seom__player_document__pack(&player, bytes)};
    struct key key = key_make(DESK_WORLD, KEY_CLASS_PLAYER, 1);
    struct key_parts parts;
    assert_int_equal(key_parse(key_slice(&key), &parts), OK);
    assert_int_equal(audit_read(pages->audit, &parts, value), OK);
    finding[0] = '\0';
    struct audit_result result = audit_end(pages->audit, 1, keep_finding, finding);
    audit_free(&pages->audit);
    return result;
}

/* Many things are made and used up; long after that one of them is once more. */
static void
what_was_used_up_is_remembered(void **state)
{
    (void)state;
    static const uint32_t again[] = {0, 1, 63, 64, 700, SINGLES - 1};
    for (size_t i = 0; i < 2 * sizeof again / sizeof again[0]; i++) {
        struct pages pages = {.audit = audit_alloc(0)};
        bool dense = i % 2 == 0;
        uint64_t uid = dense ? 1000 + again[i / 2] : spread(again[i / 2]);
        char finding[FINDING_MAX], expected[FINDING_MAX];
        for (uint32_t n = 0; n < SINGLES; n++)
            page_of(&pages, dense ? 1000 + n : spread(n), &made, &used_up);
        for (uint32_t n = 0; n < SINGLES; n++)
            page_of(&pages, dense ? 9000 + n : spread(9000 + n), &made, &used_up);
        page_of(&pages, uid, &made, &used_up);
        struct audit_result result = pages_end(&pages, finding);
        snprintf(expected, sizeof expected, "thing %016jx of kind 3: made 2 times, used up 2 times",
                 (uintmax_t)uid);
        assert_string_equal(finding, expected);
        assert_int_equal(result.findings, 1);
    }
}

/* What is left behind between two of its lines goes on where it was. */
static void
lines_of_one_life_in_any_order(void **state)
{
    (void)state;
    struct pages pages = {.audit = audit_alloc(0)};
    char finding[FINDING_MAX];
    for (uint32_t n = 0; n < 4 * SINGLES; n++)
        page_of(&pages, 1000 + n, &made, &used_up);
    for (uint32_t n = 0; n < 4 * SINGLES; n++)
        page_of(&pages, 1000 + n, n % 2 == 0 ? &sent : &claimed, n % 2 == 0 ? &claimed : &sent);
    struct audit_result result = pages_end(&pages, finding);
    assert_string_equal(finding, "");
    assert_true(result.balanced);
    assert_int_equal(result.minted, 4 * SINGLES);
}

/* More accounts in one document than are gathered at a time. */
static void
a_page_may_tell_of_many(void **state)
{
    (void)state;

    enum { LINES = 150 };

    static Seom__Entry entries[LINES];
    static Seom__Entry *list[LINES];
    static uint8_t bytes[STORE_VALUE_MAX];
    Seom__LedgerDocument page = SEOM__LEDGER_DOCUMENT__INIT;
    for (uint32_t n = 0; n < LINES; n++) {
        seom__entry__init(&entries[n]);
        list[n] = &entries[n];
        entries[n].to = SEOM__ACCOUNT_KIND__ACCOUNT_MAIL;
        entries[n].to_id = n + 1;
        entries[n].count = 2;
    }
    page.entries = list;
    page.n_entries = LINES;
    assert_true(seom__ledger_document__get_packed_size(&page) <= sizeof bytes);
    struct slice value = {bytes, seom__ledger_document__pack(&page, bytes)};
    struct key key = ledger_key(DESK_WORLD, 1, 0);
    struct key_parts parts;
    assert_int_equal(key_parse(key_slice(&key), &parts), OK);
    struct audit *audit = audit_alloc(0);
    assert_int_equal(audit_read(audit, &parts, value), OK);
    struct audit_result result = audit_end(audit, 0, NULL, NULL);
    assert_int_equal(result.lost, 2 * LINES);
    assert_int_equal(result.findings, LINES + 1); /* and nobody whose page it is */
    audit_free(&audit);
}

static void
a_full_audit_says_so(void **state)
{
    (void)state;
    struct paper *papers = calloc(PAPERS, sizeof *papers);
    size_t count = papers_make(papers, PAPERS), i = 0;
    struct audit *audit = audit_alloc(PAPERS / 2);
    while (i < count && paper_read(audit, &papers[i]) == OK)
        i++;
    assert_in_range(i, PAPERS / 2 - 2, PAPERS / 2);
    assert_false(audit_end(audit, 0, NULL, NULL).balanced);
    audit_free(&audit);
    free(papers);
}

static void
what_is_of_no_value_is_passed_over(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "0001/place/0001000000000001", "0001/meta/clock", "0001/inboxes/0001000000000001",
        "0001/play/0001000000000001", "0001/players/0001000000000001"};
    struct audit *audit = audit_alloc(0);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct key_parts parts;
        struct slice key = {(const uint8_t *)keys[i], strlen(keys[i])};
        assert_int_equal(key_parse(key, &parts), OK);
        assert_int_equal(audit_read(audit, &parts, key), OK);
    }
    struct audit_result result = audit_end(audit, 0, NULL, NULL);
    assert_true(result.balanced);
    assert_int_equal(result.documents + result.unreadable, 0);
    audit_free(&audit);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_will_do),
        cmocka_unit_test(findings_are_counted_and_some_told),
        cmocka_unit_test(what_was_used_up_is_remembered),
        cmocka_unit_test(lines_of_one_life_in_any_order),
        cmocka_unit_test(a_page_may_tell_of_many),
        cmocka_unit_test(a_full_audit_says_so),
        cmocka_unit_test(what_is_of_no_value_is_passed_over),
    };
    return cmocka_run_group_tests_name("audit order", tests, NULL, NULL);
}
