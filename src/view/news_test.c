#include "view/gate_fixture.h"

static void
append(struct scene *s, struct news *news, uint8_t first, size_t bytes)
{
    uint8_t record[NEWS_PAGE_BYTES];
    for (size_t i = 0; i < bytes; i++) {
        record[i] = (uint8_t)(first + i);
    }
    news_append(s->gate, news, (struct slice){.at = record, .bytes = bytes});
}

/* Reads from a cursor to the end and compares with what the n-th byte of the log should be. */
static void
assert_reads(struct scene *s, const struct news *news, uint32_t cursor, const uint8_t *expected,
             size_t bytes)
{
    struct slice pieces[64];
    uint32_t end = cursor;
    size_t read = 0, at = 0;
    assert_int_equal(news_bytes_from(news, cursor), bytes);
    uint32_t count = news_pieces(s->gate, news, &end, pieces, 64, SIZE_MAX, &read);
    assert_int_equal(read, bytes);
    assert_true(end == news->end || bytes == 0);
    for (uint32_t i = 0; i < count; i++) {
        assert_memory_equal(pieces[i].at, expected + at, pieces[i].bytes);
        at += pieces[i].bytes;
    }
    assert_int_equal(at, bytes);
}

static void
test_every_cursor_reads_the_rest(void **state)
{
    struct scene *s = *state;

    enum { RECORD = 28, RECORDS = 200 };
    struct news news;
    uint8_t all[RECORD * RECORDS];
    news_init(&news);
    assert_true(news_covers(&news, 0));
    for (uint32_t i = 0; i < RECORDS; i++) {
        append(s, &news, (uint8_t)(i * 7), RECORD);
        for (uint32_t k = 0; k < RECORD; k++) {
            all[i * RECORD + k] = (uint8_t)(i * 7 + k);
        }
    }
    assert_true(s->gate->news_pages.used > 3); /* pages; no record straddles two */
    for (uint32_t i = 0; i <= RECORDS; i++) {
        assert_reads(s, &news, i * RECORD, all + i * RECORD, (RECORDS - i) * RECORD);
    }
    assert_false(news_covers(&news, news.end + 1));
    news_clear(s->gate, &news);
    assert_int_equal(s->gate->news_pages.used, 0);
    assert_false(news_covers(&news, RECORD * RECORDS)); /* who was not at the end missed it */
}

static void
test_pieces_have_a_limit(void **state)
{
    struct scene *s = *state;
    struct news news;
    struct slice pieces[2];
    size_t bytes = 0;
    uint32_t cursor = 0;
    news_init(&news);
    for (uint32_t i = 0; i < 5; i++) {
        append(s, &news, (uint8_t)i, 600);
    }
    assert_int_equal(news_pieces(s->gate, &news, &cursor, pieces, 2, SIZE_MAX, &bytes), 2);
    assert_int_equal(bytes, 1200);
    assert_int_equal(cursor, 1200); /* the rest next time */
    assert_int_equal(news_pieces(s->gate, &news, &cursor, pieces, 2, SIZE_MAX, &bytes), 2);
    assert_int_equal(cursor, 2400);
    assert_int_equal(pieces[0].at[0], 2);
    /* And by bytes: what does not fit waits, records are never cut. */
    cursor = 0;
    bytes = 0;
    assert_int_equal(news_pieces(s->gate, &news, &cursor, pieces, 2, 1199, &bytes), 1);
    assert_int_equal(bytes, 600);
    assert_int_equal(news_pieces(s->gate, &news, &cursor, pieces, 2, 599, &bytes), 0);
    assert_int_equal(cursor, 600);
    news_clear(s->gate, &news);
}

/* Offsets are u32 and go round after 4 GiB: a long-lived log must not notice. */
static void
test_offsets_wrap(void **state)
{
    struct scene *s = *state;
    struct news news;
    uint8_t expected[900];
    news_init(&news);
    news.start = news.end = UINT32_MAX - 1500;
    uint32_t cursor = news.end;
    for (uint32_t i = 0; i < 3; i++) {
        append(s, &news, (uint8_t)(i + 1), 900);
        for (uint32_t k = 0; k < sizeof expected; k++) {
            expected[k] = (uint8_t)(i + 1 + k);
        }
        assert_true(news_covers(&news, cursor));
        assert_reads(s, &news, cursor, expected, sizeof expected);
        cursor = news.end;
    }
    assert_true(news.end < 2000); /* it went round */
    assert_true(news_covers(&news, UINT32_MAX - 1500));
    assert_false(news_covers(&news, UINT32_MAX - 1501));
    assert_int_equal(news_bytes_from(&news, UINT32_MAX - 1500), 2700);
    news_clear(s->gate, &news);
}

static void
test_trims_by_age(void **state)
{
    struct scene *s = *state;
    struct news news;
    news_init(&news);
    append(s, &news, 1, 900);
    s->now_us += 500000;
    append(s, &news, 2, 900);
    assert_false(news_trim(s->gate, &news, s->now_us - 600000)); /* nothing is that old */
    assert_true(news_covers(&news, 0));
    assert_false(news_trim(s->gate, &news, s->now_us - 100000));
    assert_false(news_covers(&news, 0));
    assert_true(news_covers(&news, 900));
    assert_true(news_trim(s->gate, &news, s->now_us + 1));
    assert_int_equal(s->gate->news_pages.used, 0);
    /* Who had read to the end has missed nothing, and goes on where it was. */
    assert_true(news_covers(&news, 1800));
    append(s, &news, 3, 10);
    assert_true(news_covers(&news, 1800));
    assert_false(news_covers(&news, 900));
    news_clear(s->gate, &news);
}

static void
test_out_of_pages(void **state)
{
    struct scene *s = *state;
    struct news news;
    news_init(&news);
    uint32_t left = s->gate->news_pages.limit, taken = 0, index;
    while (pool_take(&s->gate->news_pages, &index) == OK) {
        taken++;
    }
    assert_int_equal(taken, left);
    append(s, &news, 1, 100);
    assert_int_equal(s->gate->stats.limits_reached, 1);
    assert_false(news_covers(&news, 0)); /* a reader sees that it missed something */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_cursor_reads_the_rest, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_pieces_have_a_limit, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_offsets_wrap, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_trims_by_age, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_out_of_pages, scene_open, scene_close),
    };
    return cmocka_run_group_tests_name("news", tests, NULL, NULL);
}
