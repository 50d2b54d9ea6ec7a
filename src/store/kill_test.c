/* kill -9: a child writes pairs of documents and places as fast as it can and tells each
 * acknowledgement through a pipe; it is killed at random moments. Whatever it had told is there
 * after a restart, pairs are never torn, versions never go back.
 */
#include "base/rand.h"
#include "os/files.h"
#include "os/lmdb_store.h"
#include "os/lmdb_tools.h"
#include "store/keys.h"
#include "store/place.h"
#include "store/store.h"
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WORLD      1
#define LANES      32    /* commits under way */
#define LANE_PLACE LANES /* the lane of the places */
#define KILLS      20
#define ACKS_MAX   3000 /* before a kill */
#define WALKERS    200

/* ---- the child ---- */

struct ack {
    uint32_t lane;
    uint32_t unused;
    uint64_t number;
};

struct child {
    int pipe_fd;
    int64_t now_us; /* its own time: a second each turn */
    struct env env;
    struct store store;
    struct lmdb_store *lmdb;
    struct places *places;
    uint64_t numbers[LANES]; /* the last one sent in each lane */
    uint32_t reading;        /* pages */
};

static int64_t
mono_us(void *ctx)
{
    return ((struct child *)ctx)->now_us;
}

static int64_t
world_ms(void *ctx)
{
    return mono_us(ctx) / 1000;
}

static uint64_t
no_chance(void *ctx)
{
    (void)ctx;
    return 4;
}

static void
ack_tell(struct child *c, uint32_t lane, uint64_t number)
{
    struct ack ack = {.lane = lane, .number = number};
    if (write(c->pipe_fd, &ack, sizeof ack) != sizeof ack)
        _exit(3);
}

static void lane_send(struct child *c, uint32_t lane);

static void
on_committed(void *ctx, uint64_t lane, enum store_result result)
{
    struct child *c = ctx;
    if (result != STORE_OK)
        _exit(4);
    ack_tell(c, (uint32_t)lane, c->numbers[lane]);
    lane_send(c, (uint32_t)lane);
}

/* The same number in two documents. */
static void
lane_send(struct child *c, uint32_t lane)
{
    struct key left = key_make(WORLD, "left", lane), right = key_make(WORLD, "right", lane);
    uint64_t number = ++c->numbers[lane];
    struct slice value = {(const uint8_t *)&number, sizeof number};
    struct store_write writes[2] = {
        {.key = key_slice(&left), .expected_version = number - 1, .op = STORE_PUT, .value = value},
        {.key = key_slice(&right), .expected_version = number - 1, .op = STORE_PUT, .value = value},
    };
    if (store_commit(&c->store, writes, 2, on_committed, c, lane) != OK)
        _exit(5);
}

static struct lmdb_store *
open_or_exit(const char *directory)
{
    struct lmdb_store *store;
    char why[LMDB_STORE_WHY_MAX];
    struct lmdb_store_options options = {.directory = directory, .map_bytes = 1 << 20};
    if (lmdb_store_open(&options, &store, why) == OK)
        return store;
    fprintf(stderr, "%s\n", why);
    _exit(6);
}

static struct stand
stand_of(uint64_t walker, uint64_t walked)
{
    return (struct stand){
        .player = (uint64_t)WORLD << 48 | walker, .island = 1, .motion = {.x_mm = (int32_t)walked}};
}

static void
was_read(void *ctx, uint64_t n, enum err result, const struct stand *stand)
{
    (void)n;
    (void)stand;
    if (result != OK && result != ERR_NOT_FOUND)
        _exit(9);
    ((struct child *)ctx)->reading--;
}

static void
deliver(struct child *c)
{
    struct pollfd wait = {.fd = lmdb_store_fd(c->lmdb), .events = POLLIN};
    if (poll(&wait, 1, 60000) != 1)
        _exit(8);
    (void)lmdb_store_deliver(c->lmdb);
}

/* A page that is being read is saved later than one that is there: with all of them there, what is
 * set together is saved together. */
static void
read_pages(struct child *c)
{
    for (uint64_t i = 1; i <= WALKERS; i++) {
        struct stand stand = stand_of(i, 0);
        struct place_slot slot = place_slot_of_id(stand.player);
        if (i > 1 && slot.slot > 0)
            continue;
        c->reading++;
        if (place_get(c->places, &slot, stand.player, was_read, c, 0) != OK)
            _exit(10);
    }
    while (c->reading > 0)
        deliver(c);
}

_Noreturn static void
child_main(const char *directory, int pipe_fd, const uint64_t numbers[LANES], uint64_t walked)
{
    static struct child c;
    c.pipe_fd = pipe_fd;
    memcpy(c.numbers, numbers, sizeof c.numbers);
    c.env.clock = (struct env_clock){
        .ctx = &c, .mono_us = mono_us, .world_ms = world_ms, .random = no_chance};
    c.lmdb = open_or_exit(directory);
    store_init(&c.store, &c.env, 1024);
    c.env.store = lmdb_store_port(c.lmdb, store_done(&c.store));
    c.places = places_alloc(&c.store, WORLD, NULL);
    read_pages(&c);
    for (uint32_t lane = 0; lane < LANES; lane++)
        lane_send(&c, lane);
    for (;;) {
        if (places_durable(c.places)) {
            if (c.now_us > 0)
                ack_tell(&c, LANE_PLACE, walked);
            walked++;
            for (uint64_t i = 1; i <= WALKERS; i++) {
                struct stand stand = stand_of(i, walked);
                struct place_slot slot = place_slot_of_id(stand.player);
                if (place_set(c.places, &slot, &stand) != OK)
                    _exit(7);
            }
        }
        c.now_us += 1000000;
        (void)places_turn(c.places, c.now_us / 1000);
        deliver(&c);
    }
}

/* ---- the parent ---- */

struct fixture {
    char directory[64];
    uint64_t acked[LANES + 1];
    uint64_t stored[LANES + 1];
    uint64_t acks;
    struct rand rand;
};

/* Reads acknowledgements until the child has told `until` of them, kills it, and reads what it had
 * still told. */
static void
kill_after(struct fixture *f, uint32_t until)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child_main(f->directory, ends[1], f->stored, f->stored[LANE_PLACE]);
    close(ends[1]);
    struct ack ack;
    uint32_t told = 0;
    while (read(ends[0], &ack, sizeof ack) == sizeof ack) {
        assert_true(ack.lane <= LANES && ack.number > 0);
        f->acked[ack.lane] = ack.number;
        f->acks++;
        if (++told == until)
            kill(pid, SIGKILL);
    }
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        fail_msg("the child ended by itself: %d", WEXITSTATUS(status));
    assert_true(told >= until);
}

struct walk {
    struct fixture *f;
    uint64_t seen[2][LANES];
    uint32_t walkers, pages;
};

static bool
each_number(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct walk *w = ctx;
    struct key_parts parts;
    assert_int_equal(key_parse(key, &parts), OK);
    assert_true(parts.id < LANES && doc->value.bytes == sizeof(uint64_t));
    uint64_t number;
    memcpy(&number, doc->value.at, sizeof number);
    assert_int_equal(doc->version, number);
    w->seen[key_has_class(&parts, "right")][parts.id] = number;
    return true;
}

static bool
each_page(void *ctx, struct slice key, const struct store_doc *doc)
{
    (void)key;
    struct walk *w = ctx;
    assert_int_equal(place_page_check(doc->value), OK);
    for (uint32_t slot = 0; slot < PLACE_PAGE_SLOTS; slot++) {
        struct stand stand;
        if (!place_page_read(doc->value, slot, &stand))
            continue;
        uint64_t walked = (uint64_t)stand.motion.x_mm;
        assert_true(walked >= w->f->acked[LANE_PLACE]);
        w->f->stored[LANE_PLACE] = walked; /* all pages go in one commit: all the same */
        assert_true(w->walkers == 0 || walked == w->pages);
        w->pages = (uint32_t)walked;
        w->walkers++;
    }
    return true;
}

static void
everything_told_is_there(struct fixture *f)
{
    struct walk walk = {.f = f};
    uint64_t corrupt;
    char why[LMDB_STORE_WHY_MAX];
    assert_int_equal(lmdb_scan(f->directory, "0001/left/", each_number, &walk, &corrupt, why), OK);
    assert_int_equal(corrupt, 0);
    assert_int_equal(lmdb_scan(f->directory, "0001/right/", each_number, &walk, &corrupt, why), OK);
    assert_int_equal(corrupt, 0);
    for (uint32_t lane = 0; lane < LANES; lane++) {
        assert_int_equal(walk.seen[0][lane], walk.seen[1][lane]); /* both or neither */
        assert_true(walk.seen[0][lane] >= f->acked[lane]);
        assert_true(walk.seen[0][lane] <= f->acked[lane] + 1); /* one was under way at most */
        f->stored[lane] = walk.seen[0][lane];
        f->acked[lane] = walk.seen[0][lane];
    }
    assert_int_equal(lmdb_scan(f->directory, "0001/place/", each_page, &walk, &corrupt, why), OK);
    assert_int_equal(corrupt, 0);
    assert_true(walk.walkers == WALKERS || (walk.walkers == 0 && f->acked[LANE_PLACE] == 0));
}

static void
killed_at_random_moments(void **state)
{
    (void)state;
    struct fixture f = {.acks = 0};
    assert_int_equal(directory_make_temporary(NULL, "kill", f.directory, sizeof f.directory), OK);
    rand_seed(&f.rand, (uint64_t)getpid()); /* the moments are random in any case */
    for (uint32_t i = 0; i < KILLS; i++) {
        kill_after(&f, 1 + rand_below(&f.rand, ACKS_MAX));
        everything_told_is_there(&f);
    }
    assert_true(f.stored[LANE_PLACE] > KILLS);
    print_message("# %d kills, %llu acknowledged commits, %llu seconds walked, nothing lost\n",
                  KILLS, (unsigned long long)f.acks, (unsigned long long)f.stored[LANE_PLACE]);
    static const char *const names[] = {"store.mdb", "store.mdb-lock", "lock"};
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", f.directory, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(f.directory), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_random_moments)};
    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
