#include "base/rand.h"
#include "base/wheel.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ENTRIES 60

/* The model of an entry: its due tick, or not set. */
struct model {
    bool set;
    int64_t due_tick;
};

struct bench {
    struct wheel wheel;
    struct wheel_entry entries[ENTRIES];
    struct model models[ENTRIES];
    unsigned moved, cancelled, taken, later_rounds;
};

static void
set_one(struct bench *b, struct rand *r)
{
    uint32_t i = rand_below(r, ENTRIES);
    int64_t ahead = (int64_t)rand_below(r, rand_below(r, 4) ? 100 : 3 * WHEEL_SLOTS) - 10;
    int64_t due = b->wheel.tick + ahead;
    b->moved += b->models[i].set;
    b->later_rounds += ahead > WHEEL_SLOTS;
    wheel_set(&b->wheel, &b->entries[i], due);
    b->models[i] = (struct model){
        .set = true,
        .due_tick = due > b->wheel.tick ? due : b->wheel.tick + 1,
    };
}

static void
cancel_one(struct bench *b, struct rand *r)
{
    uint32_t i = rand_below(r, ENTRIES);
    b->cancelled += b->models[i].set;
    wheel_cancel(&b->wheel, &b->entries[i]);
    b->models[i].set = false;
}

/* Takes everything due, in order of time, and nothing else. */
static void
take_until(struct bench *b, int64_t tick)
{
    struct wheel_entry *e;
    int64_t last = INT64_MIN;
    while ((e = wheel_take(&b->wheel, tick))) {
        struct model *model = &b->models[e - b->entries];
        assert_true(model->set);
        assert_int_equal(e->due_tick, model->due_tick);
        assert_true(model->due_tick <= tick && model->due_tick >= last);
        assert_false(wheel_is_set(e));
        last = model->due_tick;
        model->set = false;
        b->taken++;
    }
    assert_int_equal(b->wheel.tick, tick);
    uint32_t left = 0;
    for (unsigned i = 0; i < ENTRIES; i++) {
        assert_true(!b->models[i].set || b->models[i].due_tick > tick);
        assert_int_equal(wheel_is_set(&b->entries[i]), b->models[i].set);
        left += b->models[i].set;
    }
    assert_int_equal(b->wheel.count, left);
}

static void
it_behaves_like_a_sorted_list(void **state)
{
    (void)state;
    struct rand r;
    rand_seed(&r, 11);
    static struct bench b;
    memset(&b, 0, sizeof(b));
    wheel_init(&b.wheel, -500);
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t dice = rand_below(&r, 10);
        if (dice < 5)
            set_one(&b, &r);
        else if (dice < 7)
            cancel_one(&b, &r);
        else
            take_until(&b, b.wheel.tick + rand_below(&r, rand_below(&r, 50) ? 20 : 4000));
    }
    assert_true(b.moved > 100 && b.cancelled > 100 && b.taken > 100 && b.later_rounds > 100);
}

static void
one_set_again_for_now_waits_for_the_next_tick(void **state)
{
    (void)state;
    struct wheel w;
    struct wheel_entry e = {0};
    wheel_init(&w, 0);
    wheel_set(&w, &e, 5);
    assert_ptr_equal(wheel_take(&w, 5), &e);
    wheel_set(&w, &e, 5);
    assert_null(wheel_take(&w, 5));
    assert_ptr_equal(wheel_take(&w, 6), &e);
}

/* While one entry is handled its owner may cancel or move any other, also one due at the same tick.
 */
static void
handlers_may_cancel_and_move_others(void **state)
{
    (void)state;
    struct wheel w;
    struct wheel_entry e[3] = {{0}};
    wheel_init(&w, 0);
    for (unsigned i = 0; i < 3; i++)
        wheel_set(&w, &e[i], 1);
    struct wheel_entry *first = wheel_take(&w, 1);
    struct wheel_entry *others[2];
    for (unsigned i = 0, n = 0; i < 3; i++)
        if (&e[i] != first)
            others[n++] = &e[i];
    wheel_cancel(&w, others[0]);
    wheel_set(&w, others[1], 2);
    assert_null(wheel_take(&w, 1));
    assert_ptr_equal(wheel_take(&w, 9), others[1]);
    assert_null(wheel_take(&w, 9));
    wheel_cancel(&w, others[0]); /* not set: fine */
    assert_int_equal(w.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_behaves_like_a_sorted_list),
        cmocka_unit_test(one_set_again_for_now_waits_for_the_next_tick),
        cmocka_unit_test(handlers_may_cancel_and_move_others),
    };
    return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
