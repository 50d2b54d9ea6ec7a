#include "app/control.h"
#include "app/control_client.h"
#include "os/files.h"
#include "os/process.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WHY_MAX   256
#define TURNS_MAX 1000
#define TURN_US   1000000

struct bench {
    struct loop *loop;
    struct control *control;
    char directory[64], path[96], why[WHY_MAX];
    uint32_t runs;
    size_t answer_bytes; /* of "big" */
};

static json_t *
run_count(void *ctx, const json_t *request)
{
    struct bench *b = ctx;
    b->runs++;
    json_int_t add = json_integer_value(json_object_get(request, "add"));
    return json_pack("{s:i}", "runs", (int)(b->runs + (uint32_t)add));
}

static json_t *
run_big(void *ctx, const json_t *request)
{
    struct bench *b = ctx;
    (void)request;
    char *text = malloc(b->answer_bytes);
    memset(text, 'x', b->answer_bytes);
    json_t *answer = json_object();
    json_object_set_new(answer, "big", json_stringn(text, b->answer_bytes));
    free(text);
    return answer;
}

static const struct control_command commands[] = {
    {"count", "one more", run_count}, {"big", "many bytes", run_big}, {0}};

static int
bench_open(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    if (directory_make_temporary(NULL, "control", b->directory, sizeof b->directory) != OK ||
        loop_open(&b->loop) != OK)
        return 1;
    snprintf(b->path, sizeof b->path, "%s/node.sock", b->directory);
    *state = b;
    return control_open(b->loop, b->path, commands, b, &b->control, b->why, WHY_MAX) == OK ? 0 : 1;
}

static int
bench_close(void **state)
{
    struct bench *b = *state;
    control_close(&b->control);
    loop_close(&b->loop);
    int left = access(b->path, F_OK); /* control_close() takes the file away */
    int removed = rmdir(b->directory);
    free(b);
    return left == 0 || removed != 0;
}

struct heard {
    json_t *answer;
    uint32_t answers;
    bool gone;
};

static void
heard_answer(void *ctx, const json_t *answer)
{
    struct heard *h = ctx;
    json_decref(h->answer);
    h->answer = json_deep_copy(answer);
    h->gone = answer == NULL;
    h->answers++;
}

static void
turn_until(struct bench *b, const struct heard *h, uint32_t answers)
{
    for (uint32_t i = 0; i < TURNS_MAX && h->answers < answers; i++)
        loop_turn(b->loop, TURN_US);
    assert_int_equal(h->answers, answers);
}

/* The answer to one request on a connection of its own. */
static json_t *
ask(struct bench *b, const char *request)
{
    struct heard h = {0};
    struct control_client *client;
    json_t *object = json_loads(request, 0, NULL);
    assert_non_null(object);
    assert_int_equal(control_client_open(b->loop, b->path, heard_answer, &h, &client), OK);
    assert_int_equal(control_client_ask(client, object), OK);
    assert_true(control_client_waits(client));
    turn_until(b, &h, 1);
    assert_false(control_client_waits(client));
    control_client_close(&client);
    json_decref(object);
    assert_non_null(h.answer);
    return h.answer;
}

static void
commands_are_answered(void **state)
{
    struct bench *b = *state;

    static const struct {
        const char *request, *answer;
    } rows[] = {
        {"{\"command\":\"count\"}", "{\"runs\":1}"},
        {"{\"command\":\"count\",\"add\":40}", "{\"runs\":42}"},
        {"{\"command\":\"dance\"}",
         "{\"error\":\"there is no command \\\"dance\\\"; \\\"help\\\" lists them\"}"},
        {"{\"command\":7}",
         "{\"error\":\"a request is one line: {\\\"command\\\":\\\"help\\\"}\"}"},
        {"[\"count\"]", "{\"error\":\"a request is one line: {\\\"command\\\":\\\"help\\\"}\"}"},
        {"{\"command\":\"help\"}", "{\"commands\":[{\"command\":\"count\",\"help\":\"one more\"},"
                                   "{\"command\":\"big\",\"help\":\"many bytes\"}]}"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *answer = ask(b, rows[i].request);
        char *text = json_dumps(answer, JSON_COMPACT);
        assert_string_equal(text, rows[i].answer);
        free(text);
        json_decref(answer);
    }
}

static int
raw_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static void
lines_of_one_write_are_answered_in_order(void **state)
{
    struct bench *b = *state;
    static const char lines[] =
        "{\"command\":\"count\"}\nnonsense\n{\"command\":\"count\"}\n{\"com";
    static const char answers[] =
        "{\"runs\":1}\n{\"error\":\"a request is one line: {\\\"command\\\":\\\"help\\\"}\"}\n"
        "{\"runs\":2}\n";
    char got[256] = "";
    int fd = raw_connect(b->path);
    assert_int_equal(write(fd, lines, sizeof lines - 1), sizeof lines - 1);
    for (uint32_t i = 0; i < TURNS_MAX && b->runs < 2; i++)
        loop_turn(b->loop, TURN_US);
    assert_int_equal(read(fd, got, sizeof got - 1), sizeof answers - 1);
    assert_string_equal(got, answers);
    close(fd);
}

static void
a_line_without_end_is_cut(void **state)
{
    struct bench *b = *state;
    char *line = malloc(CONTROL_REQUEST_MAX);
    memset(line, ' ', CONTROL_REQUEST_MAX);
    int fd = raw_connect(b->path);
    assert_int_equal(write(fd, line, CONTROL_REQUEST_MAX), CONTROL_REQUEST_MAX);
    free(line);
    char byte;
    ssize_t n = -1;
    for (uint32_t i = 0; i < TURNS_MAX && n < 0; i++) {
        loop_turn(b->loop, 1000);
        n = recv(fd, &byte, 1, MSG_DONTWAIT);
    }
    assert_int_equal(n, 0);
    close(fd);
    json_t *answer = ask(b, "{\"command\":\"count\"}"); /* others are served as before */
    json_decref(answer);
}

static void
large_answers_come_whole_or_as_an_error(void **state)
{
    struct bench *b = *state;
    b->answer_bytes = CONTROL_ANSWER_MAX - sizeof "{\"big\":\"\"}";
    json_t *answer = ask(b, "{\"command\":\"big\"}");
    assert_int_equal(json_string_length(json_object_get(answer, "big")), b->answer_bytes);
    json_decref(answer);
    b->answer_bytes += 2;
    answer = ask(b, "{\"command\":\"big\"}");
    assert_string_equal(json_string_value(json_object_get(answer, "error")),
                        "the answer is larger than its limit");
    json_decref(answer);
}

static void
the_silent_connection_makes_way(void **state)
{
    struct bench *b = *state;
    struct heard heard[CONTROL_CONNECTIONS_MAX + 1] = {0};
    struct control_client *clients[CONTROL_CONNECTIONS_MAX + 1];
    json_t *request = json_pack("{s:s}", "command", "count");
    for (uint32_t i = 0; i <= CONTROL_CONNECTIONS_MAX; i++) {
        assert_int_equal(
            control_client_open(b->loop, b->path, heard_answer, &heard[i], &clients[i]), OK);
        assert_int_equal(control_client_ask(clients[i], request), OK);
        turn_until(b, &heard[i], 1);
        if (i == 0)
            continue;
        /* The first speaks each time, so the second is the one that was silent for longest. */
        if (i < CONTROL_CONNECTIONS_MAX) {
            assert_int_equal(control_client_ask(clients[0], request), OK);
            turn_until(b, &heard[0], i + 1);
        }
    }
    for (uint32_t i = 0; i < TURNS_MAX && !heard[1].gone; i++)
        loop_turn(b->loop, TURN_US);
    for (uint32_t i = 0; i <= CONTROL_CONNECTIONS_MAX; i++) {
        assert_int_equal(heard[i].gone, i == 1);
        control_client_close(&clients[i]);
        json_decref(heard[i].answer);
    }
    json_decref(request);
}

static void
the_socket_is_its_owners_alone(void **state)
{
    struct bench *b = *state;
    struct stat file;
    assert_int_equal(stat(b->path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
    if (geteuid() != 0)
        skip();
    /* Also behind a mode that somebody widened. */
    assert_int_equal(chmod(b->path, 0666), 0);
    assert_int_equal(chmod(b->directory, 0755), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        if (setuid(65534) != 0)
            _exit(2);
        int fd = raw_connect(b->path);
        _exit(fd >= 0 && read(fd, &byte, 1) == 0 ? 0 : 1);
    }
    bool ended = false;
    int status = -1;
    for (uint32_t i = 0; i < TURNS_MAX && !ended; i++) {
        loop_turn(b->loop, 1000);
        ended = waitpid(child, &status, WNOHANG) == child;
    }
    assert_true(ended);
    assert_int_equal(status, 0);
}

static void
a_socket_left_behind_is_replaced(void **state)
{
    struct bench *b = *state;
    struct control *second = NULL;
    assert_int_equal(control_open(b->loop, b->path, commands, b, &second, b->why, WHY_MAX),
                     ERR_EXISTS);
    assert_non_null(strstr(b->why, "another process answers"));

    char left[96];
    snprintf(left, sizeof left, "%s/left.sock", b->directory);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", left);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_int_equal(control_open(b->loop, left, commands, b, &second, b->why, WHY_MAX), OK);
    control_close(&second);

    char far[CONTROL_PATH_MAX + 2];
    memset(far, 'd', sizeof far - 1);
    far[sizeof far - 1] = 0;
    assert_int_equal(control_open(b->loop, far, commands, b, &second, b->why, WHY_MAX),
                     ERR_TOO_LARGE);
}

static void
what_cannot_be_asked_is_said(void **state)
{
    struct bench *b = *state;
    json_t *answer, *request = json_pack("{s:s}", "command", "count");
    char nowhere[96];
    snprintf(nowhere, sizeof nowhere, "%s/nowhere.sock", b->directory);
    assert_int_equal(control_ask(nowhere, request, 1000, &answer, b->why, WHY_MAX), ERR_NOT_FOUND);
    assert_null(answer);
    assert_non_null(strstr(b->why, nowhere));
    /* It listens, but its loop does not turn: as a stopped process. */
    assert_int_equal(control_ask(b->path, request, 1, &answer, b->why, WHY_MAX), ERR_TIMEOUT);
    assert_null(answer);
    json_decref(request);
    char *name = calloc(1, CONTROL_REQUEST_MAX + 1);
    memset(name, 'n', CONTROL_REQUEST_MAX);
    request = json_pack("{s:s}", "command", name);
    assert_int_equal(control_ask(b->path, request, 1000, &answer, b->why, WHY_MAX), ERR_TOO_LARGE);
    assert_null(answer);
    json_decref(request);
    free(name);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_are_answered, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(lines_of_one_write_are_answered_in_order, bench_open,
                                        bench_close),
        cmocka_unit_test_setup_teardown(a_line_without_end_is_cut, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(large_answers_come_whole_or_as_an_error, bench_open,
                                        bench_close),
        cmocka_unit_test_setup_teardown(the_silent_connection_makes_way, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(the_socket_is_its_owners_alone, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(a_socket_left_behind_is_replaced, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(what_cannot_be_asked_is_said, bench_open, bench_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
