/* Speaks to the HTTP side over a raw socket, so that heads are seen as they are. */
#include "watch/http.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#define PORT_FIRST 20000
#define PORT_LAST  30000

static const uint8_t index_bytes[] = "<!doctype html><title>sea</title>";
static const uint8_t script_bytes[] = "export {};\n";
static const struct http_file files[] = {
    {.path = "/",
     .mime = "text/html; charset=utf-8",
     .bytes = index_bytes,
     .size = sizeof index_bytes - 1,
     .etag = "\"aa11\""},
    {.path = "/page-bb22.js",
     .mime = "text/javascript",
     .bytes = script_bytes,
     .size = sizeof script_bytes - 1,
     .etag = "\"bb22\"",
     .immutable = true},
};

static int
source_get(void *ctx, const char *path, struct http_body *out)
{
    int *asked = ctx;
    *asked += 1;
    if (strcmp(path, "/starting") == 0) {
        return 503;
    }
    if (strcmp(path, "/status") != 0) {
        return 404;
    }
    out->bytes = strdup("{\"players\":3}");
    assert_non_null(out->bytes);
    out->size = strlen(out->bytes);
    return 200;
}

struct fixture {
    struct http *http;
    int asked;
};

/* Ports are taken from a range of their own, beginning where this process is likely to be alone. */
static struct http *
open_somewhere(struct fixture *f, uint16_t play_port)
{
    struct http_options options = {.address = "127.0.0.1",
                                   .play_port = play_port,
                                   .files = files,
                                   .file_count = sizeof files / sizeof files[0],
                                   .source = {.ctx = &f->asked, .get = source_get}};
    uint32_t start = (uint32_t)getpid() % (PORT_LAST - PORT_FIRST);
    for (uint32_t i = 0; i < 200; i++) {
        struct http *http = NULL;
        char why[128];
        options.port = (uint16_t)(PORT_FIRST + (start + i * 7) % (PORT_LAST - PORT_FIRST));
        enum err error = http_open(&options, &http, why, sizeof why);
        if (error == OK) {
            return http;
        }
        assert_int_equal(error, ERR_EXISTS);
    }
    fail_msg("no free port");
    return NULL;
}

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->http = open_somewhere(f, 7777);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    http_close(&f->http);
    free(f);
    return 0;
}

/* Sends the request as it stands and reads until the server closes. */
static void
ask(const struct fixture *f, const char *request, char *answer, size_t answer_bytes)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 5};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(http_port(f->http)),
                             .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    size_t used = 0;
    ssize_t got = 0;
    while (used + 1 < answer_bytes &&
           (got = recv(fd, answer + used, answer_bytes - 1 - used, 0)) > 0) {
        used += (size_t)got;
    }
    assert_int_equal(got, 0);
    answer[used] = '\0';
    (void)close(fd);
}

static void
assert_begins(const char *answer, const char *start)
{
    if (strncmp(answer, start, strlen(start)) != 0) {
        fail_msg("expected '%s', got: %s", start, answer);
    }
}

static void
assert_has(const char *answer, const char *part)
{
    if (strstr(answer, part) == NULL) {
        fail_msg("no '%s' in: %s", part, answer);
    }
}

static const char *
body_of(const char *answer)
{
    const char *gap = strstr(answer, "\r\n\r\n");
    assert_non_null(gap);
    return gap + 4;
}

#define TAIL "Host: localhost\r\nConnection: close\r\n\r\n"

static void
page_is_served_with_its_headers(void **state)
{
    char answer[4096];
    ask(*state, "GET / HTTP/1.1\r\n" TAIL, answer, sizeof answer);
    assert_begins(answer, "HTTP/1.1 200 ");
    assert_has(answer, "Content-Type: text/html; charset=utf-8\r\n");
    assert_has(answer, "ETag: \"aa11\"\r\n");
    assert_has(answer, "Cache-Control: no-cache\r\n");
    assert_has(answer, "X-Content-Type-Options: nosniff\r\n");
    assert_has(answer, "Content-Security-Policy: default-src 'none'; script-src 'self';");
    assert_has(answer, "connect-src 'self' ws://*:7777 wss://*:7777;");
    assert_null(strstr(answer, "unsafe-inline"));
    assert_string_equal(body_of(answer), (const char *)index_bytes);
}

/* Of a cluster, whose gates have ports of their own. */
static void
a_page_may_go_to_any_gate(void **state)
{
    char answer[4096];
    struct fixture *f = *state;
    http_close(&f->http);
    f->http = open_somewhere(f, 0);
    ask(f, "GET / HTTP/1.1\r\n" TAIL, answer, sizeof answer);
    assert_has(answer, "connect-src 'self' ws://*:* wss://*:*;");
}

static void
named_by_hash_is_kept_for_a_year(void **state)
{
    char answer[4096];
    ask(*state, "GET /page-bb22.js?x=1 HTTP/1.1\r\n" TAIL, answer, sizeof answer);
    assert_begins(answer, "HTTP/1.1 200 ");
    assert_has(answer, "Cache-Control: public, max-age=31536000, immutable\r\n");
    assert_string_equal(body_of(answer), (const char *)script_bytes);
}

static void
unchanged_page_is_not_sent_again(void **state)
{
    char answer[4096];
    ask(*state, "GET / HTTP/1.1\r\nIf-None-Match: \"aa11\"\r\n" TAIL, answer, sizeof answer);
    assert_begins(answer, "HTTP/1.1 304 ");
    assert_string_equal(body_of(answer), "");
    ask(*state, "GET / HTTP/1.1\r\nIf-None-Match: \"other\"\r\n" TAIL, answer, sizeof answer);
    assert_begins(answer, "HTTP/1.1 200 ");
}

static void
head_has_the_length_and_no_body(void **state)
{
    char answer[4096];
    char length[64];
    (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", sizeof index_bytes - 1);
    ask(*state, "HEAD / HTTP/1.1\r\n" TAIL, answer, sizeof answer);
    assert_begins(answer, "HTTP/1.1 200 ");
    assert_has(answer, length);
    assert_string_equal(body_of(answer), "");
}

static void
source_is_asked_for_the_rest(void **state)
{
    struct fixture *f = *state;
    char answer[4096];
    ask(f, "GET /status HTTP/1.1\r\n" TAIL, answer, sizeof answer);
    assert_begins(answer, "HTTP/1.1 200 ");
    assert_has(answer, "Content-Type: application/json\r\n");
    assert_has(answer, "Cache-Control: no-store\r\n");
    assert_string_equal(body_of(answer), "{\"players\":3}");
    ask(f, "GET /nowhere HTTP/1.1\r\n" TAIL, answer, sizeof answer);
    assert_begins(answer, "HTTP/1.1 404 ");
    ask(f, "GET /starting HTTP/1.1\r\n" TAIL, answer, sizeof answer);
    assert_begins(answer, "HTTP/1.1 503 ");
    assert_int_equal(f->asked, 3);
    assert_int_equal(http_requests(f->http), 3);
}

static void
nothing_can_be_changed(void **state)
{
    struct fixture *f = *state;
    char answer[4096];
    ask(f, "POST /status HTTP/1.1\r\nContent-Length: 5\r\n" TAIL "hello", answer, sizeof answer);
    assert_begins(answer, "HTTP/1.1 405 ");
    assert_has(answer, "Allow: GET, HEAD\r\n");
    ask(f, "DELETE / HTTP/1.1\r\n" TAIL, answer, sizeof answer);
    assert_begins(answer, "HTTP/1.1 405 ");
    assert_int_equal(f->asked, 0);
}

static void
a_long_path_does_not_reach_the_source(void **state)
{
    struct fixture *f = *state;
    char request[1024] = "GET /";
    memset(request + 5, 'a', HTTP_PATH_MAX);
    (void)snprintf(request + 5 + HTTP_PATH_MAX, sizeof request - 5 - HTTP_PATH_MAX,
                   " HTTP/1.1\r\n" TAIL);
    char answer[4096];
    ask(f, request, answer, sizeof answer);
    assert_begins(answer, "HTTP/1.1 404 ");
    assert_int_equal(f->asked, 0);
}

static void
a_taken_port_is_said_so(void **state)
{
    struct fixture *f = *state;
    struct http *second = NULL;
    char why[128];
    struct http_options options = {.address = "127.0.0.1", .port = http_port(f->http)};
    assert_int_equal(http_open(&options, &second, why, sizeof why), ERR_EXISTS);
    assert_null(second);
    assert_has(why, "another program listens on this port already");
    options.address = "sea.example";
    assert_int_equal(http_open(&options, &second, why, sizeof why), ERR_FORMAT);
    options.address = "192.0.2.1"; /* a documentation address: never ours */
    assert_int_equal(http_open(&options, &second, why, sizeof why), ERR_UNAVAILABLE);
    http_close(&second);
}

/* Or the kernel might give it a SIGTERM that the process waits for elsewhere. */
static void
its_thread_takes_no_signals(void **state)
{
    (void)state; /* has one open */
    const unsigned long long bits = 1ULL << (SIGTERM - 1) | 1ULL << (SIGINT - 1);
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    uint32_t others = 0;
    for (const struct dirent *e; (e = readdir(tasks)) != NULL;) {
        char path[300], line[256];
        unsigned long long blocked = 0;
        if (atoi(e->d_name) <= 0) {
            continue;
        }
        snprintf(path, sizeof path, "/proc/self/task/%s/status", e->d_name);
        FILE *file = fopen(path, "re");
        assert_non_null(file);
        while (fgets(line, sizeof line, file) != NULL) {
            if (strncmp(line, "SigBlk:", 7) == 0) {
                blocked = strtoull(line + 7, NULL, 16);
            }
        }
        fclose(file);
        bool ours = atoi(e->d_name) == getpid();
        assert_int_equal(blocked & bits, ours ? 0 : bits);
        others += !ours;
    }
    closedir(tasks);
    assert_true(others > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(page_is_served_with_its_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_may_go_to_any_gate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(named_by_hash_is_kept_for_a_year, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unchanged_page_is_not_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(head_has_the_length_and_no_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(source_is_asked_for_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_can_be_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_path_does_not_reach_the_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_taken_port_is_said_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_thread_takes_no_signals, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
