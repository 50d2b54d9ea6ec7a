/* What PostgreSQL's engine does beyond the conformance suite: cut at every byte, refused, not
 * answered, warned, and several engines on one server. */
#include "base/rand.h"
#include "os/files.h"
#include "os/pg_fixture.h"
#include "os/pg_proxy.h"
#include "os/pg_store.h"
#include <libpq-fe.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS  60000 /* what is late on a busy machine is not wrong */
#define ANSWERS_MAX  16384
#define DEADLINE_MS  1000 /* where it is the matter; half of it is enough to send something */
#define NOT_ANSWERED 99

struct answer {
    uint32_t result; /* enum store_result, or NOT_ANSWERED */
    uint64_t version;
    bool exists;
};

/* An engine with what it answered. */
struct side {
    struct pg_store *store;
    struct env_store port;
    struct answer answers[ANSWERS_MAX];
    uint32_t asked, answered, hints, warnings;
    char hinted[STORE_KEY_MAX + 1], logged[256];
};

static struct pg_fixture server;

static void
on_got(void *ctx, uint64_t token, enum store_result result, const struct store_doc *doc)
{
    struct side *s = ctx;
    assert_int_equal(s->answers[token].result, NOT_ANSWERED);
    s->answers[token].result = result;
    if (doc != NULL) {
        s->answers[token].version = doc->version;
        s->answers[token].exists = doc->exists;
    }
    s->answered++;
}

static void
on_committed(void *ctx, uint64_t token, enum store_result result)
{
    struct side *s = ctx;
    assert_int_equal(s->answers[token].result, NOT_ANSWERED);
    s->answers[token].result = result;
    s->answered++;
}

static void
on_changed(void *ctx, struct slice key)
{
    struct side *s = ctx;
    s->hints++;
    snprintf(s->hinted, sizeof s->hinted, "%.*s", (int)key.bytes, (const char *)key.at);
}

static void
on_log(void *ctx, enum log_level level, const char *event, const char *text)
{
    struct side *s = ctx;
    assert_string_equal(event, "store.engine");
    s->warnings += level == LOG_WARN;
    snprintf(s->logged, sizeof s->logged, "%s", text);
}

static struct side *
side_open(const char *address, struct pg_store_options options)
{
    struct side *s = calloc(1, sizeof *s);
    assert_non_null(s);
    options.address = address;
    options.log_ctx = s;
    options.log = on_log;
    options.reconnect_ms = 1;
    options.deadline_ms = options.deadline_ms != 0 ? options.deadline_ms : PATIENCE_MS;
    char why[PG_STORE_WHY_MAX] = "";
    if (pg_store_open(&options, &s->store, why) != OK)
        fail_msg("%s", why);
    s->port = pg_store_port(
        s->store, (struct store_done){
                      .ctx = s, .got = on_got, .committed = on_committed, .changed = on_changed});
    return s;
}

static void
side_close(struct side *s)
{
    pg_store_close(&s->store);
    free(s);
}

static void
side_turn(struct side *s)
{
    struct pollfd ready = {.fd = pg_store_fd(s->store), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
    (void)pg_store_deliver(s->store);
}

static struct slice
slice_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static uint32_t
answer_wait(struct side *s, uint32_t token)
{
    while (s->answers[token].result == NOT_ANSWERED)
        side_turn(s);
    return s->answers[token].result;
}

static uint32_t
token_take(struct side *s)
{
    assert_true(s->asked < ANSWERS_MAX);
    s->answers[s->asked].result = NOT_ANSWERED;
    return s->asked++;
}

static uint32_t
commit_send(struct side *s, const struct store_write *writes, uint32_t count)
{
    uint32_t token = token_take(s);
    assert_int_equal(s->port.commit(s->port.ctx, token, writes, count), OK);
    return token;
}

static uint32_t
put(struct side *s, const char *key, uint64_t version, const char *value)
{
    struct store_write write = {
        .key = slice_of(key), .expected_version = version, .value = slice_of(value)};
    return answer_wait(s, commit_send(s, &write, 1));
}

/* Asked until it is answered OK. */
static struct answer
get(struct side *s, const char *key)
{
    for (;;) {
        uint32_t token = token_take(s);
        assert_int_equal(s->port.get(s->port.ctx, token, slice_of(key)), OK);
        if (answer_wait(s, token) == STORE_OK)
            return s->answers[token];
    }
}

static int
empty(void **state)
{
    (void)state;
    pg_fixture_empty(&server);
    char why[PG_STORE_WHY_MAX];
    return pg_store_check(server.address, why) == OK ? 0 : -1;
}

/* ---- opening ---- */

static void
addresses_and_options_are_looked_at(void **state)
{
    (void)state;
    struct pg_store *store = NULL;
    char why[PG_STORE_WHY_MAX] = "";
    struct pg_store_options options = {.address = "postgresql://host?nothing=known"};
    assert_int_equal(pg_store_open(&options, &store, why), ERR_FORMAT);
    assert_non_null(strstr(why, "address"));
    options.address = NULL;
    assert_int_equal(pg_store_open(&options, &store, why), ERR_FORMAT);
    options.address = server.address;
    options.connections = 1;
    assert_int_equal(pg_store_open(&options, &store, why), ERR_RANGE);
    options.connections = PG_CONNECTIONS_MAX + 1;
    assert_int_equal(pg_store_open(&options, &store, why), ERR_RANGE);
    options = (struct pg_store_options){.address = server.address, .queue_bytes = 1 << 20};
    assert_int_equal(pg_store_open(&options, &store, why), ERR_RANGE);
    assert_int_equal(pg_store_check("postgresql://seom@/postgres?host=/nowhere", why),
                     ERR_UNAVAILABLE);
    assert_null(strchr(why, '\n'));
}

static void
newer_and_foreign_data_are_refused(void **state)
{
    (void)state;
    char why[PG_STORE_WHY_MAX] = "";
    pg_fixture_query(&server, "UPDATE seom.format SET number = 99");
    assert_int_equal(pg_store_check(server.address, why), ERR_NEWER);
    assert_non_null(strstr(why, "99"));
    struct side *s = side_open(server.address, (struct pg_store_options){0});
    assert_int_equal(put(s, "0001/a/1", 0, "x"), STORE_UNAVAILABLE);
    assert_non_null(strstr(s->logged, "newer"));
    assert_true(pg_store_is_away(s->store));
    side_close(s);
    pg_fixture_query(&server, "DELETE FROM seom.format; INSERT INTO seom.format VALUES (0)");
    assert_int_equal(pg_store_check(server.address, why), ERR_FORMAT);
    assert_int_equal(pg_fixture_query(&server, "SELECT count(*) FROM seom.document"), 0);
}

static void
who_may_not_make_tables_is_told_so(void **state)
{
    (void)state;
    char why[PG_STORE_WHY_MAX] = "", address[2 * PG_ADDRESS_MAX];
    pg_fixture_query(&server, "DROP SCHEMA seom CASCADE; DROP ROLE IF EXISTS guest;"
                              "CREATE ROLE guest LOGIN");
    snprintf(address, sizeof address, "postgresql://guest@/postgres?host=%s", server.directory);
    assert_int_equal(pg_store_check(address, why), ERR_DENIED);
    assert_int_equal(pg_store_check(server.address, why), OK);
    pg_fixture_query(&server, "GRANT USAGE ON SCHEMA seom TO guest;"
                              "GRANT ALL ON ALL TABLES IN SCHEMA seom TO guest");
    assert_int_equal(pg_store_check(address, why), OK);
}

static void
a_server_that_takes_no_writes_is_not_used(void **state)
{
    (void)state;
    struct side *s = side_open(server.address, (struct pg_store_options){0});
    assert_int_equal(put(s, "0001/a/1", 0, "x"), STORE_OK);
    pg_fixture_query(&server, "ALTER DATABASE postgres SET default_transaction_read_only = on");
    char why[PG_STORE_WHY_MAX] = "";
    assert_int_equal(pg_store_check(server.address, why), ERR_UNAVAILABLE);
    /* A connection that it turns upon. */
    pg_fixture_query(&server, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                              " WHERE application_name = 'seom'");
    uint32_t result = put(s, "0001/a/1", 1, "y");
    assert_true(result == STORE_UNKNOWN || result == STORE_UNAVAILABLE);
    pg_fixture_query(&server, "ALTER DATABASE postgres RESET default_transaction_read_only");
    assert_int_equal(get(s, "0001/a/1").version, 1);
    while ((result = put(s, "0001/a/1", 1, "z")) == STORE_UNAVAILABLE)
        continue;
    assert_int_equal(result, STORE_OK);
    side_close(s);
}

/* ---- what the server says ---- */

static void
a_transaction_that_was_given_up_has_not_happened(void **state)
{
    (void)state;
    struct side *s = side_open(server.address, (struct pg_store_options){0});
    assert_int_equal(put(s, "0001/a/1", 0, "x"), STORE_OK);
    pg_fixture_query(&server,
                     "ALTER TABLE seom.document ADD CONSTRAINT small CHECK (length(value) < 9)");
    assert_int_equal(put(s, "0001/a/1", 1, "123456789"), STORE_UNAVAILABLE);
    assert_non_null(strstr(s->logged, "small"));
    assert_int_equal(get(s, "0001/a/1").version, 1);
    assert_int_equal(put(s, "0001/a/1", 1, "12345678"), STORE_OK);
    struct pg_store_stats stats;
    pg_store_stats(s->store, &stats);
    assert_int_equal(stats.connections_lost, 0);
    side_close(s);
}

/* The rows come first, and then the end of the transaction, which alone counts. */
static void
rows_are_believed_only_at_the_end_of_the_transaction(void **state)
{
    (void)state;
    pg_fixture_query(&server,
                     "CREATE FUNCTION seom.no() RETURNS trigger LANGUAGE plpgsql AS"
                     " $$BEGIN RAISE EXCEPTION 'too late'; END$$;"
                     "CREATE CONSTRAINT TRIGGER no AFTER INSERT ON seom.document"
                     " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION seom.no()");
    struct side *s = side_open(server.address, (struct pg_store_options){0});
    assert_int_equal(put(s, "0001/a/1", 0, "x"), STORE_UNAVAILABLE);
    assert_non_null(strstr(s->logged, "too late"));
    assert_int_equal(get(s, "0001/a/1").version, 0);
    side_close(s);
}

/* A standby that never comes, and somebody who has no patience with it: PostgreSQL tells that the
 * commit is done, and warns that no standby may have it. */
static void
a_commit_that_a_standby_may_not_have_is_unknown(void **state)
{
    (void)state;
    struct side *s = side_open(server.address, (struct pg_store_options){0});
    assert_int_equal(put(s, "0001/a/1", 0, "x"), STORE_OK);
    pg_fixture_query(&server, "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (nobody)'");
    pg_fixture_query(&server, "SELECT pg_reload_conf()");
    while (pg_fixture_query(&server, "SELECT (current_setting('synchronous_standby_names') <> '')"
                                     "::int") == 0)
        continue;
    struct store_write write = {
        .key = slice_of("0001/a/1"), .expected_version = 1, .value = slice_of("y")};
    uint32_t token = commit_send(s, &write, 1);
    static const char cancel[] = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity"
                                 " WHERE wait_event = 'SyncRep'";
    (void)pg_store_deliver(s->store);
    while (pg_fixture_query(&server, cancel) == 0)
        (void)pg_store_deliver(s->store);
    assert_int_equal(answer_wait(s, token), STORE_UNKNOWN);
    pg_fixture_query(&server, "ALTER SYSTEM RESET synchronous_standby_names");
    pg_fixture_query(&server, "SELECT pg_reload_conf()");
    assert_int_equal(get(s, "0001/a/1").version, 2);
    side_close(s);
}

/* ---- silence ---- */

static void
who_does_not_answer_in_time_is_left(void **state)
{
    (void)state;
    struct side *s =
        side_open(server.address, (struct pg_store_options){.deadline_ms = DEADLINE_MS});
    uint64_t version;
    for (;;) { /* connected, on both lines */
        version = get(s, "0001/a/1").version;
        if (put(s, "0001/a/1", version, "x") == STORE_OK)
            break;
    }
    version++;
    struct pg_store_stats before, stats;
    pg_store_stats(s->store, &before);
    PGconn *other = PQconnectdb(server.address);
    PQclear(PQexec(other, "BEGIN; LOCK TABLE seom.document"));
    struct store_write write = {
        .key = slice_of("0001/a/1"), .expected_version = version, .value = slice_of("y")};
    uint32_t commit = commit_send(s, &write, 1), read = token_take(s);
    assert_int_equal(s->port.get(s->port.ctx, read, slice_of("0001/a/1")), OK);
    assert_int_equal(answer_wait(s, commit), STORE_UNKNOWN);
    assert_int_equal(answer_wait(s, read), STORE_UNAVAILABLE);
    PQfinish(other);
    pg_store_stats(s->store, &stats);
    assert_int_equal(stats.connections_lost - before.connections_lost, 2);
    /* The server may still do what it was asked, or not: then the version says so. */
    assert_in_range(get(s, "0001/a/1").version, version, version + 1);
    side_close(s);
}

/* A socket where somebody listens and nobody serves: the connection is being made for seconds,
 * which is a matter of another thread. */
static void
who_waits_for_a_connection_is_answered_all_the_same(void **state)
{
    (void)state;
    char directory[64], address[128];
    assert_int_equal(directory_make_temporary(NULL, "silent", directory, sizeof directory), OK);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%s/.s.PGSQL.5432", directory);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(fd, 8), 0);
    snprintf(address, sizeof address, "postgresql://seom@/postgres?host=%s&connect_timeout=60",
             directory);
    struct side *s = side_open(address, (struct pg_store_options){.deadline_ms = DEADLINE_MS});
    uint32_t read = token_take(s);
    assert_int_equal(s->port.get(s->port.ctx, read, slice_of("0001/a/1")), OK);
    assert_int_equal(put(s, "0001/a/1", 0, "x"), STORE_UNAVAILABLE);
    assert_int_equal(answer_wait(s, read), STORE_UNAVAILABLE);
    struct pg_store_stats stats;
    pg_store_stats(s->store, &stats);
    assert_int_equal(stats.connects + stats.connects_failed, 0); /* not even that is decided */
    close(fd); /* which ends the attempt, so that nobody has to wait for it */
    side_close(s);
    unlink(name.sun_path);
    rmdir(directory);
}

static void
without_a_server_everything_is_unavailable(void **state)
{
    (void)state;
    struct side *s = side_open("postgresql://seom@/postgres?host=/nowhere",
                               (struct pg_store_options){.deadline_ms = PATIENCE_MS});
    uint32_t read = token_take(s);
    assert_int_equal(s->port.get(s->port.ctx, read, slice_of("0001/a/1")), OK);
    assert_int_equal(put(s, "0001/a/1", 0, "x"), STORE_UNAVAILABLE);
    assert_int_equal(answer_wait(s, read), STORE_UNAVAILABLE);
    assert_true(pg_store_is_away(s->store));
    assert_int_equal(s->warnings, 1); /* however often it was tried */
    side_close(s);
}

/* ---- cut ---- */

struct cuts {
    uint32_t happened, did_not, bytes;
};

/* Cut after each number of bytes in turn, until that is more than there are. */
static struct cuts
cut_everywhere(struct side *s, struct pg_proxy *proxy, enum pg_way way, uint32_t step)
{
    struct cuts cuts = {0};
    for (;; cuts.bytes += step) {
        struct answer before = get(s, "0001/a/1");
        struct pg_store_stats stats;
        do { /* both connections, so that nothing else passes */
            pg_store_stats(s->store, &stats);
            if (stats.connections < 2)
                side_turn(s);
        } while (stats.connections < 2);
        pg_proxy_cut_after(proxy, way, cuts.bytes);
        uint32_t result = put(s, "0001/a/1", before.version, "value");
        pg_proxy_cut_after(proxy, way, PG_PROXY_NEVER);
        uint64_t version = get(s, "0001/a/1").version;
        if (result == STORE_OK) {
            assert_int_equal(version, before.version + 1);
            return cuts;
        }
        if (result == STORE_CONFLICT) { /* the one before took effect meanwhile */
            assert_true(version > before.version);
            continue;
        }
        assert_int_equal(result, STORE_UNKNOWN);
        assert_in_range(version, before.version, before.version + 1);
        cuts.happened += version > before.version;
        cuts.did_not += version == before.version;
    }
}

static void
cut_at_every_point_nothing_is_told_that_is_not_so(void **state)
{
    (void)state;
    struct pg_proxy *proxy = pg_proxy_start(&server);
    struct side *s = side_open(pg_proxy_address(proxy),
                               (struct pg_store_options){.connections = 2, .hint_ms = 3600000});
    struct cuts up = cut_everywhere(s, proxy, PG_WAY_UP, 5);
    struct cuts down = cut_everywhere(s, proxy, PG_WAY_DOWN, 1);
    print_message("# %u bytes up: %u happened, %u did not; %u bytes down: %u, %u\n", up.bytes,
                  up.happened, up.did_not, down.bytes, down.happened, down.did_not);
    assert_true(up.bytes > 100 && up.did_not > 20); /* a part of the question is no question */
    assert_true(down.bytes > 10 && down.happened > 10);
    assert_int_equal(pg_proxy_cuts(proxy), up.happened + up.did_not + down.happened + down.did_not);
    side_close(s);
    pg_proxy_stop(&proxy);
}

/* ---- several ---- */

/* Nodes that start together find nothing there, each of them. */
static void
several_make_the_tables_at_once(void **state)
{
    (void)state;
    struct side *sides[4];
    pg_fixture_query(&server, "DROP SCHEMA seom CASCADE");
    for (uint32_t i = 0; i < 4; i++)
        sides[i] = side_open(server.address, (struct pg_store_options){0});
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(put(sides[i], "0001/a/1", i, "x"), STORE_OK);
        assert_int_equal(sides[i]->warnings, 1); /* the server of tests has its fsync off */
    }
    assert_int_equal(pg_fixture_query(&server, "SELECT count(*) FROM seom.format"), 1);
    for (uint32_t i = 0; i < 4; i++)
        side_close(sides[i]);
}

static void
a_commit_is_told_to_who_watches_elsewhere(void **state)
{
    (void)state;
    struct pg_store_options options = {.hint_ms = 1};
    struct side *one = side_open(server.address, options);
    struct side *other = side_open(server.address, options);
    assert_int_equal(other->port.watch(other->port.ctx, slice_of("0001/a/1"), true), OK);
    (void)get(other, "0001/a/1"); /* it is connected */
    assert_int_equal(put(one, "0001/a/2", 0, "x"), STORE_OK);
    assert_int_equal(put(one, "0001/a/1", 0, "x"), STORE_OK);
    while (other->hints == 0) {
        (void)pg_store_deliver(one->store); /* tells it when its time has come */
        (void)pg_store_deliver(other->store);
    }
    assert_string_equal(other->hinted, "0001/a/1");
    assert_int_equal(other->hints, 1);
    assert_int_equal(one->hints, 0); /* watches nothing */
    side_close(one);
    side_close(other);
}

#define MIXED_KEYS   61 /* a prime */
#define MIXED_ROUNDS 60
#define MIXED_WRITES 40
#define MIXED_SIDES  3

/* Most of them only looked at, so that several can take their locks at a time; of the others
 * anything at random: new, known, deleted, forgotten. In any order. */
static uint32_t
mixed_send(struct side *s, struct rand *r, uint64_t versions[MIXED_KEYS])
{
    static char keys[MIXED_KEYS][16];
    struct store_write writes[MIXED_WRITES];
    uint32_t first = rand_below(r, MIXED_KEYS), step = 1 + rand_below(r, MIXED_KEYS - 1);
    for (uint32_t i = 0; i < MIXED_WRITES; i++) {
        uint32_t key = (first + i * step) % MIXED_KEYS;
        snprintf(keys[key], sizeof keys[key], "0001/m/%u", key);
        writes[i] = (struct store_write){
            .key = slice_of(keys[key]),
            .expected_version = rand_below(r, 200) == 0 ? 0 : versions[key],
            .op = rand_below(r, 30) > 0 ? STORE_CHECK : (enum store_op)rand_below(r, 4)};
        if (writes[i].op == STORE_PUT)
            writes[i].value = slice_of("value");
    }
    return commit_send(s, writes, MIXED_WRITES);
}

/* Locks are taken in one order, so that nobody waits for somebody who waits for him: a server that
 * finds such a circle gives a transaction up, and that would be UNAVAILABLE. */
static void
groups_of_several_engines_do_not_block_each_other(void **state)
{
    (void)state;
    struct side *sides[MIXED_SIDES];
    struct rand r;
    rand_seed(&r, 11);
    for (uint32_t i = 0; i < MIXED_SIDES; i++)
        sides[i] = side_open(server.address, (struct pg_store_options){.connections = 4});
    uint64_t versions[MIXED_KEYS] = {0};
    uint32_t results[STORE_UNAVAILABLE + 1] = {0};
    for (uint32_t round = 0; round < MIXED_ROUNDS; round++) {
        uint32_t tokens[MIXED_SIDES][4];
        for (uint32_t n = 0; n < 4; n++) {
            for (uint32_t i = 0; i < MIXED_SIDES; i++) {
                tokens[i][n] = mixed_send(sides[i], &r, versions);
                (void)pg_store_deliver(sides[i]->store);
            }
        }
        for (uint32_t i = 0; i < MIXED_SIDES; i++)
            for (uint32_t n = 0; n < 4; n++)
                results[answer_wait(sides[i], tokens[i][n])]++;
        for (uint32_t key = 0; key < MIXED_KEYS; key++) {
            char name[16];
            snprintf(name, sizeof name, "0001/m/%u", key);
            versions[key] = get(sides[0], name).version;
        }
    }
    print_message("# %u OK, %u CONFLICT\n", results[STORE_OK], results[STORE_CONFLICT]);
    assert_int_equal(results[STORE_UNKNOWN] + results[STORE_UNAVAILABLE], 0);
    assert_true(results[STORE_OK] > MIXED_ROUNDS && results[STORE_CONFLICT] > MIXED_ROUNDS);
    assert_int_equal(pg_fixture_query(&server, "SELECT count(*) FROM seom.document"
                                               " WHERE version < 1"),
                     0);
    for (uint32_t i = 0; i < MIXED_SIDES; i++)
        side_close(sides[i]);
}

int
main(void)
{
    if (!pg_fixture_start(&server))
        return 0;
#define CASE(name) cmocka_unit_test_setup(name, empty)
    const struct CMUnitTest tests[] = {
        CASE(addresses_and_options_are_looked_at),
        CASE(newer_and_foreign_data_are_refused),
        CASE(who_may_not_make_tables_is_told_so),
        CASE(a_server_that_takes_no_writes_is_not_used),
        CASE(a_transaction_that_was_given_up_has_not_happened),
        CASE(rows_are_believed_only_at_the_end_of_the_transaction),
        CASE(a_commit_that_a_standby_may_not_have_is_unknown),
        CASE(who_does_not_answer_in_time_is_left),
        CASE(who_waits_for_a_connection_is_answered_all_the_same),
        CASE(without_a_server_everything_is_unavailable),
        CASE(cut_at_every_point_nothing_is_told_that_is_not_so),
        CASE(several_make_the_tables_at_once),
        CASE(a_commit_is_told_to_who_watches_elsewhere),
        CASE(groups_of_several_engines_do_not_block_each_other),
    };
#undef CASE
    int failed = cmocka_run_group_tests_name("pg_store", tests, NULL, NULL);
    pg_fixture_stop(&server);
    return failed;
}
