/* The memory of the dead. What leads to a verdict stands in mesh_test.c and mesh_alone_test.c. */
#include "fabric/mesh_inside.h"
#include "fabric/meshes.h"

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

/* Two bury each other while all others see both. Each refuses the other's hello, so neither is
 * linked with fewer than refuse it, and each disputes: on a line that both of them are closing. */
static void
two_who_buried_each_other_meet_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static struct meshes f;
        meshes_open(&f, &(struct meshes_options){.seed = seed});
        for (uint16_t i = 0; i < 4; i++) {
            meshes_start(&f, meshes_add(&f, NODE_HOME, i));
        }
        meshes_run(&f, 1000000);
        assert_true(meshes_is_up(&f, 0, 1) && meshes_is_up(&f, 1, 2));
        meshes_cut(&f, 0, 1, true);
        uint32_t of_0 = meshes_peer(&f, 0, 1), of_1 = meshes_peer(&f, 1, 0);
        mesh_declare_dead(f.nodes[0].mesh, of_0, "the test says so");
        mesh_declare_dead(f.nodes[1].mesh, of_1, "the test says so");
        meshes_run(&f, 2000000);
        meshes_cut(&f, 0, 1, false);
        assert_true(meshes_await(&f, 0, 1, true, 40000000));
        assert_int_equal(f.nodes[0].dead_selfs + f.nodes[1].dead_selfs, 0);
        assert_int_equal(meshes_stats(&f, 2)->deaths + meshes_stats(&f, 3)->deaths, 0);
        meshes_close(&f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_dead_are_remembered),
        cmocka_unit_test(who_died_twice_is_remembered_from_the_second_time),
        cmocka_unit_test(two_who_buried_each_other_meet_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
