#include "wire/batch.h"
#include "wire/dump.h"
#include "wire/message.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct lines {
    size_t used;
    char text[4096];
};

static void
lines_put(void *ctx, const char *line)
{
    struct lines *l = ctx;
    int n = snprintf(l->text + l->used, sizeof l->text - l->used, "%s\n", line);
    l->used += (size_t)n;
    assert_in_range(l->used, 0, sizeof l->text - 1);
}

static enum err
text_of(const struct writer *dump, size_t bytes, struct lines *out)
{
    static struct dump_work work;
    memset(&work, 0xa5, sizeof work);
    out->used = 0;
    out->text[0] = '\0';
    return dump_text((struct slice){dump->start, bytes}, &work, lines_put, out);
}

static size_t
frame_tcp(uint8_t *out, const uint8_t *frame, size_t bytes)
{
    size_t head = frame_head(FRAME_TCP, bytes, out);
    memcpy(out + head, frame, bytes);
    return head + bytes;
}

static const struct message_move move = {
    .move_no = 5, .look = 1, .motion = {.x_mm = -3, .vy = 7, .since_ms = 40, .lasts_ms = 900}};

static size_t
move_frame(uint8_t *out)
{
    uint8_t frame[MESSAGE_MOVE_BYTES_MAX];
    return frame_tcp(out, frame, message_write_move(&move, frame, sizeof frame));
}

static size_t
pong_frame(uint8_t *out, int64_t world_ms)
{
    Seom__Pong pong = SEOM__PONG__INIT;
    pong.world_ms = world_ms;
    Seom__ServerMessage message = SEOM__SERVER_MESSAGE__INIT;
    message.what_case = SEOM__SERVER_MESSAGE__WHAT_PONG;
    message.pong = &pong;
    uint8_t frame[64];
    return frame_tcp(out, frame, message_write_server(&message, frame, sizeof frame));
}

static size_t
batch_frame(uint8_t *out, int64_t since_ms)
{
    uint8_t frame[128] = {FRAME_FORMAT_BATCH};
    struct writer w = writer_over(frame + 1, sizeof frame - 1);
    struct record_motion m = {.entity = 9, .motion = {.x_mm = 1, .since_ms = since_ms}};
    batch_put_motion(&w, &m);
    batch_put_say(&w, 9, (struct slice){(const uint8_t *)"a\"b\n", 4});
    return frame_tcp(out, frame, 1 + writer_used(&w));
}

static void
test_both_ways(void **state)
{
    (void)state;
    uint8_t dump[512], frame[256];
    struct writer w = writer_over(dump, sizeof dump);
    struct lines lines;
    size_t n = move_frame(frame);
    dump_append(&w, DUMP_TO_SERVER, 10, (struct slice){frame, 3}); /* a frame in two pieces */
    dump_append(&w, DUMP_TO_SERVER, 20, (struct slice){frame + 3, n - 3});
    n = pong_frame(frame, INT64_C(1) << 33);
    n += batch_frame(frame + n, (INT64_C(1) << 33) - 1);
    dump_append(&w, DUMP_TO_CLIENT, 30, (struct slice){frame, n});
    assert_int_equal(text_of(&w, writer_used(&w), &lines), OK);
    assert_string_equal(lines.text, "20 > move no=5 look=1 x=-3 y=0 vx=0 vy=7 since=40 lasts=900\n"
                                    "30 < pong client_ms=0 world_ms=8589934592\n"
                                    "30 < motion entity=9 look=0 x=1 y=0 vx=0 vy=0 "
                                    "since=8589934591 lasts=0\n"
                                    "30 < say entity=9 text=\"a\\x22b\\x0a\"\n");
}

static void
test_the_stream_may_be_malformed(void **state)
{
    (void)state;
    uint8_t dump[512], frame[256] = {2, 0, 0, 0, 0, 0x12, 3, 0, 0, 0, 0, 0x7a, 0};
    struct writer w = writer_over(dump, sizeof dump);
    struct lines lines;
    dump_append(&w, DUMP_TO_CLIENT, 1,
                (struct slice){frame + 6, 7}); /* an unknown message, well formed */
    dump_append(&w, DUMP_TO_SERVER, 2, (struct slice){frame, 6}); /* a move that is cut */
    size_t n = move_frame(frame);
    dump_append(&w, DUMP_TO_SERVER, 3, (struct slice){frame, n}); /* behind it nothing is read */
    n = pong_frame(frame, 7);
    dump_append(&w, DUMP_TO_CLIENT, 4, (struct slice){frame, n}); /* the other direction goes on */
    assert_int_equal(text_of(&w, writer_used(&w), &lines), OK);
    assert_string_equal(lines.text,
                        "1 < unknown\n2 > malformed\n4 < pong client_ms=0 world_ms=7\n");
}

static void
test_the_dump_may_be_cut(void **state)
{
    (void)state;
    uint8_t dump[512], frame[256];
    struct writer w = writer_over(dump, sizeof dump);
    struct lines lines;
    size_t n = move_frame(frame);
    dump_append(&w, DUMP_TO_SERVER, 10, (struct slice){frame, n});
    for (size_t cut = 1; cut < writer_used(&w); cut++) {
        assert_int_equal(text_of(&w, cut, &lines), ERR_SHORT);
        assert_string_equal(lines.text, "");
    }
    assert_int_equal(text_of(&w, 0, &lines), OK);
    dump[0] = 2;
    assert_int_equal(text_of(&w, writer_used(&w), &lines), ERR_FORMAT);
}

static void
count_put(void *ctx, const char *line)
{
    size_t *count = ctx;
    char expected[64];
    snprintf(expected, sizeof expected, "0 < pong client_ms=0 world_ms=%zu", *count);
    assert_string_equal(line, expected);
    ++*count;
}

/* More than is held at once, in one piece: every frame comes out. */
static void
test_long_pieces(void **state)
{
    (void)state;
    size_t frames = 20000, max = frames * 64;
    uint8_t *bytes = malloc(max), *dump = malloc(max + DUMP_HEAD_BYTES);
    size_t n = 0;
    for (size_t i = 0; i < frames; i++) {
        n += pong_frame(bytes + n, (int64_t)i);
    }
    struct writer w = writer_over(dump, max + DUMP_HEAD_BYTES);
    dump_append(&w, DUMP_TO_CLIENT, 0, (struct slice){bytes, n});
    static struct dump_work work;
    size_t count = 0;
    enum err error = dump_text((struct slice){dump, writer_used(&w)}, &work, count_put, &count);
    assert_int_equal(error, OK);
    assert_int_equal(count, frames);
    free(bytes);
    free(dump);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_the_stream_may_be_malformed),
        cmocka_unit_test(test_the_dump_may_be_cut),
        cmocka_unit_test(test_long_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
