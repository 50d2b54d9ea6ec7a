#include "os/log.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct log log;
    int fds[2];
    int64_t now_us;
    char text[65536];
};

static int64_t
fake_steady_us(void *ctx)
{
    return ((const struct fixture *)ctx)->now_us;
}

static int64_t
fake_wall_us(void *ctx)
{
    return ((const struct fixture *)ctx)->now_us + INT64_C(1795253316000000);
}

static void
fixture_open(struct fixture *f, enum log_level level)
{
    memset(f, 0, sizeof(*f));
    assert_int_equal(pipe2(f->fds, O_NONBLOCK), 0);
    const struct time_source source = {
        .ctx = f, .steady_us = fake_steady_us, .wall_us = fake_wall_us};
    log_init(&f->log, f->fds[1], level, source);
}

/* Everything written since the last call. */
static const char *
fixture_read(struct fixture *f)
{
    ssize_t n = read(f->fds[0], f->text, sizeof(f->text) - 1);
    f->text[n > 0 ? n : 0] = 0;
    return f->text;
}

static void
fixture_close(struct fixture *f)
{
    close(f->fds[0]);
    close(f->fds[1]);
}

static uint32_t
lines_of(const char *text)
{
    uint32_t lines = 0;
    for (; *text != 0; text++)
        lines += *text == '\n';
    return lines;
}

static void
test_form_and_level(void **state)
{
    (void)state;
    static struct fixture f;
    fixture_open(&f, LOG_INFO);
    f.now_us = 123456;
    log_write(&f.log, LOG_INFO, "gate.accept", "from\na\x1b[31mliar \xec\x84\xac");
    assert_string_equal(fixture_read(&f),
                        "2026-11-21T09:28:36.123Z INFO gate.accept from?a?[31mliar \xec\x84\xac\n");
    log_write(&f.log, LOG_DEBUG, "gate.accept", "not asked for");
    assert_string_equal(fixture_read(&f), "");
    char huge[5000];
    memset(huge, 'x', sizeof(huge));
    huge[sizeof(huge) - 1] = 0;
    log_write(&f.log, LOG_ERROR, "an.event.with.a.name.that.is.longer.than.its.limit.by.far", huge);
    assert_true(strlen(fixture_read(&f)) < LOG_LINE_BYTES);
    assert_int_equal(f.text[strlen(f.text) - 1], '\n');
    log_fini(&f.log);
    fixture_close(&f);
}

static void
test_rate(void **state)
{
    (void)state;
    static struct fixture f;
    fixture_open(&f, LOG_DEBUG);
    for (int i = 0; i < 25; i++)
        log_write(&f.log, LOG_WARN, "a.flood", "again");
    log_write(&f.log, LOG_WARN, "b.other", "has its own limit");
    assert_int_equal(lines_of(fixture_read(&f)), LOG_LINES_PER_S + 1);
    assert_non_null(strstr(f.text, "b.other"));
    f.now_us += 1000000;
    log_write(&f.log, LOG_WARN, "a.flood", "again");
    assert_non_null(strstr(fixture_read(&f), "WARN a.flood suppressed 15 lines\n"));
    assert_int_equal(lines_of(f.text), 2);
    for (int i = 0; i < 12; i++)
        log_write(&f.log, LOG_WARN, "a.flood", "again");
    fixture_read(&f);
    assert_int_equal(log_stats(&f.log).suppressed, 15 + 3);
    log_fini(&f.log);
    assert_non_null(strstr(fixture_read(&f), "a.flood suppressed 3 lines\n"));
    fixture_close(&f);
}

/* More events than there are places: the rest share one limit. */
static void
test_many_events(void **state)
{
    (void)state;
    static struct fixture f;
    fixture_open(&f, LOG_DEBUG);
    for (int i = 0; i < 2 * LOG_EVENTS_MAX; i++) {
        char event[16];
        snprintf(event, sizeof(event), "event.%d", i);
        log_write(&f.log, LOG_INFO, event, "");
    }
    assert_int_equal(lines_of(fixture_read(&f)), LOG_EVENTS_MAX - 1 + LOG_LINES_PER_S);
    log_fini(&f.log);
    fixture_close(&f);
}

static void
test_nobody_reads(void **state)
{
    (void)state;
    static struct fixture f;
    fixture_open(&f, LOG_DEBUG);
    assert_int_equal(fcntl(f.fds[1], F_SETFL, 0), 0); /* would block, as stderr does */
    for (int i = 0; i < 5000; i++) {
        f.now_us += 200000;
        log_write(&f.log, LOG_INFO, "a.line", "of which the pipe takes only so many");
    }
    struct log_stats stats = log_stats(&f.log);
    assert_true(stats.lost > 0 && stats.lines > 0);
    assert_int_equal(stats.lost + stats.lines, 5000);
    log_fini(&f.log);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form_and_level),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_many_events),
        cmocka_unit_test(test_nobody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
