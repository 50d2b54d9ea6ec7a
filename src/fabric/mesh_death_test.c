/* The memory of the dead. What leads to a verdict stands in mesh_test.c and mesh_alone_test.c. */
#include "fabric/mesh_inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct mesh *
mesh_empty(void)
{
    struct mesh *mesh = calloc(1, sizeof *mesh);
    assert_non_null(mesh);
    map_init(&mesh->tombstones, TOMBSTONES_MAX + 1, 1);
    return mesh;
}

static void
mesh_drop(struct mesh *mesh)
{
    map_fini(&mesh->tombstones);
    free(mesh);
}

static void
the_last_dead_are_remembered(void **state)
{
    (void)state;
    struct mesh *mesh = mesh_empty();
    for (uint64_t epoch = 1; epoch <= 3 * TOMBSTONES_MAX + 5; epoch++) {
        mesh_bury(mesh, epoch);
        mesh_bury(mesh, epoch); /* once is enough */
    }
    for (uint64_t epoch = 1; epoch <= 3 * TOMBSTONES_MAX + 5; epoch++) {
        assert_int_equal(mesh_is_dead(mesh, epoch), epoch > 2 * TOMBSTONES_MAX + 5);
    }
    mesh_drop(mesh);
}

/* Who was dug out and is buried again lies where he was buried last. */
static void
who_died_twice_is_remembered_from_the_second_time(void **state)
{
    (void)state;
    struct mesh *mesh = mesh_empty();
    mesh_bury(mesh, 7);
    map_remove(&mesh->tombstones, 7);
    assert_false(mesh_is_dead(mesh, 7));
    for (uint64_t epoch = 100; epoch < 100 + TOMBSTONES_MAX / 2; epoch++) {
        mesh_bury(mesh, epoch);
    }
    mesh_bury(mesh, 7);
    for (uint64_t epoch = 5000; epoch < 5000 + TOMBSTONES_MAX - 1; epoch++) {
        mesh_bury(mesh, epoch);
        assert_true(mesh_is_dead(mesh, 7));
    }
    mesh_bury(mesh, 9000);
    assert_false(mesh_is_dead(mesh, 7));
    mesh_drop(mesh);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_dead_are_remembered),
        cmocka_unit_test(who_died_twice_is_remembered_from_the_second_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
