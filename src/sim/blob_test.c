#include "base/rand.h"
#include "sim/blob.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LIVE_MAX 200

static struct blob *
make_filled(struct blobs *blobs, size_t bytes, uint8_t with)
{
    struct blob *blob = blob_make(blobs, bytes);
    memset(blob->at, with, bytes);
    return blob;
}

/* Whatever lives keeps its bytes while others come and go. */
static void
blobs_keep_their_bytes(void **state)
{
    (void)state;
    struct blobs blobs;
    struct blob *live[LIVE_MAX] = {0};
    struct rand r;
    blobs_init(&blobs);
    rand_seed(&r, 1);
    for (uint32_t round = 0; round < 20000; round++) {
        uint32_t i = rand_below(&r, LIVE_MAX);
        if (live[i] != NULL) {
            for (size_t b = 0; b < live[i]->bytes; b++)
                assert_int_equal(live[i]->at[b], (uint8_t)i);
            blob_release(&blobs, &live[i]);
            assert_null(live[i]);
        } else {
            uint32_t limit = rand_below(&r, 50) == 0 ? BLOB_BYTES_MAX : 600;
            live[i] = make_filled(&blobs, 1 + rand_below(&r, limit), (uint8_t)i);
        }
    }
    for (uint32_t i = 0; i < LIVE_MAX; i++)
        blob_release(&blobs, &live[i]);
    assert_int_equal(blobs.held, 0);
    blobs_fini(&blobs);
}

static void
the_last_holder_frees(void **state)
{
    (void)state;
    struct blobs blobs;
    blobs_init(&blobs);
    struct blob *first = blob_copy(&blobs, (struct slice){(const uint8_t *)"value", 5});
    struct blob *second = blob_hold(first);
    assert_ptr_equal(first, second);
    blob_release(&blobs, &first);
    assert_int_equal(blobs.held, 1);
    assert_memory_equal(blob_slice(second).at, "value", 5);
    blob_release(&blobs, &second);
    assert_int_equal(blobs.held, 0);
    assert_null(blob_copy(&blobs, (struct slice){0}));
    assert_null(blob_hold(NULL));
    assert_int_equal(blob_slice(NULL).bytes, 0);
    blobs_fini(&blobs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blobs_keep_their_bytes),
        cmocka_unit_test(the_last_holder_frees),
    };
    return cmocka_run_group_tests_name("blob", tests, NULL, NULL);
}
