#include "os/data_lock.h"
#include "os/files.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int
setup(void **state)
{
    char directory[256];
    if (directory_make_temporary(NULL, "lock", directory, sizeof directory) != OK) {
        return 1;
    }
    *state = strdup(directory);
    return *state == NULL;
}

static int
teardown(void **state)
{
    char path[256 + 8];
    snprintf(path, sizeof path, "%s/lock", (const char *)*state);
    unlink(path);
    int code = rmdir(*state); /* a claim leaves nothing behind */
    free(*state);
    return code;
}

static void
one_claims_at_a_time(void **state)
{
    const char *directory = *state;
    int first, second;
    assert_int_equal(data_claim_take(directory, &first), OK);
    assert_int_equal(data_claim_take(directory, &second), ERR_EXISTS);
    data_claim_release(first);
    assert_int_equal(data_claim_take(directory, &second), OK);
    data_claim_release(second);
    assert_int_equal(data_claim_take("/nowhere/at/all", &first), ERR_NOT_FOUND);
    assert_int_equal(data_claim_take("/dev/null", &first), ERR_IO);
}

/* Who keeps a cluster has the lock of its data; tools claim it meanwhile. */
static void
a_claim_is_not_the_lock(void **state)
{
    const char *directory = *state;
    char why[256];
    int lock, other, claim;
    assert_int_equal(data_lock_take(directory, &lock, why, sizeof why), OK);
    assert_true(data_lock_is_ours(directory));
    assert_int_equal(data_claim_take(directory, &claim), OK);
    assert_int_equal(data_lock_take(directory, &other, why, sizeof why), ERR_DENIED);
    data_claim_release(claim);
    data_lock_release(lock);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_claims_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_claim_is_not_the_lock, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
