/* What a node tells of its links: that it is true, and that it is one line a node, whatever becomes
 * of it. */
#include "fabric/mesh_inside.h"
#include "fabric/meshes.h"
#include "fabric/requests.h"
#include "wire/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND  INT64_C(1000000)
#define CONTROL LINK_SUBSCRIBE
#define DATA    LINK_BATCH
#define REQUEST REQUESTS_KIND_MIN

static void
open_homes(struct meshes *f, uint32_t homes, const struct meshes_options *options)
{
    meshes_open(f, options);
    for (uint32_t i = 0; i < homes; i++) {
        meshes_start(f, meshes_add(f, NODE_HOME, (uint16_t)i));
    }
    meshes_run(f, SECOND);
}

/* What n tells of its link with that name, which is told once. */
static struct mesh_link
link_of(const struct meshes *f, uint32_t n, const char *name)
{
    struct mesh_link link, found = {.state = MESH_LINK_STATES};
    uint32_t cursor = 0, times = 0;
    while (mesh_next_link(f->nodes[n].mesh, &cursor, &link)) {
        if (strcmp(link.name, name) == 0) {
            found = link;
            times++;
        }
    }
    assert_int_equal(times, 1);
    return found;
}

static void
a_link_tells_its_bytes_and_trips(void **state)
{
    (void)state;
    static struct meshes f;
    open_homes(&f, 3,
               &(struct meshes_options){.seed = 1, .delay_us_min = 400, .delay_us_max = 500});
    meshes_run(&f, 2 * SECOND + SECOND / 2);
    struct mesh_link there = link_of(&f, 0, "home-0-1"), back = link_of(&f, 1, "home-0-0");
    struct mesh_link other = link_of(&f, 0, "home-0-2");
    assert_int_equal(there.state, MESH_LINK_UP);
    assert_in_range(there.round_trip_us, 800, 2000);
    assert_int_equal(there.ups, 1);
    assert_int_equal(there.breaks + there.beats_missed, 0);
    assert_int_equal(there.backlog_us, 0);
    assert_int_equal(there.control_bytes + there.data_bytes, 0);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(meshes_send(&f, 0, 1, DATA, 1000), OK);
    }
    assert_in_range(link_of(&f, 0, "home-0-1").data_bytes, 10000, 10500);
    assert_int_equal(link_of(&f, 0, "home-0-1").control_bytes, 0);
    assert_int_equal(link_of(&f, 0, "home-0-2").data_bytes, 0);
    meshes_run(&f, SECOND / 100);
    struct mesh_link now = link_of(&f, 0, "home-0-1");
    assert_in_range(now.bytes_out - there.bytes_out, 10000, 10500);
    assert_int_equal(link_of(&f, 1, "home-0-0").bytes_in - back.bytes_in,
                     now.bytes_out - there.bytes_out);
    assert_int_equal(now.bytes_in, there.bytes_in);
    assert_int_equal(link_of(&f, 0, "home-0-2").bytes_out, other.bytes_out);
    assert_int_equal(now.data_bytes, 0);
    meshes_close(&f);
}

static void
what_does_not_go_out_is_told_by_its_age(void **state)
{
    (void)state;
    static struct meshes f;
    open_homes(&f, 2, &(struct meshes_options){.seed = 2, .line_bytes = 4096});
    sim_lines_clog(f.lines, 0, 1, f.time.now_us + SECOND);
    assert_int_equal(meshes_send(&f, 0, 1, DATA, 30000), OK);
    assert_int_equal(meshes_send(&f, 0, 1, CONTROL, 2000), OK);
    mesh_flush(f.nodes[0].mesh);
    assert_int_equal(link_of(&f, 0, "home-0-1").backlog_us, 0); /* of this moment */
    meshes_run(&f, SECOND / 2);
    struct mesh_link link = link_of(&f, 0, "home-0-1");
    assert_in_range(link.backlog_us, SECOND / 2, SECOND / 2 + 1000);
    assert_in_range(link.data_bytes, 30000, 30100);
    assert_in_range(link.control_bytes, 2000, 2200); /* a beat may be among them */
    meshes_run(&f, SECOND);
    link = link_of(&f, 0, "home-0-1");
    assert_int_equal(link.state, MESH_LINK_UP);
    assert_int_equal(link.backlog_us + (int64_t)(link.data_bytes + link.control_bytes), 0);
    meshes_close(&f);
}

static void
what_found_no_room_is_told_by_its_lane(void **state)
{
    (void)state;
    static struct meshes f;
    struct meshes_options options = {
        .seed = 3, .line_bytes = 4096, .data_bytes = 20000, .control_bytes = 20000};
    open_homes(&f, 2, &options);
    sim_lines_clog(f.lines, 0, 1, f.time.now_us + 2 * SECOND);
    while (meshes_send(&f, 0, 1, DATA, 3000) == OK) {
    }
    while (meshes_send(&f, 0, 1, REQUEST, 3000) == OK) {
    }
    assert_int_equal(meshes_send(&f, 0, 1, REQUEST, 3000), ERR_FULL);
    struct mesh_link link = link_of(&f, 0, "home-0-1");
    assert_int_equal(link.refused[MESH_LANE_DATA], 1);
    assert_int_equal(link.refused[MESH_LANE_REQUEST], 2);
    assert_int_equal(link.refused[MESH_LANE_CONTROL], 0);
    assert_int_equal(link.breaks, 0);
    while (meshes_send(&f, 0, 1, CONTROL, 3000) == OK) {
    }
    meshes_run(&f, 5 * SECOND);
    link = link_of(&f, 0, "home-0-1");
    assert_int_equal(link.refused[MESH_LANE_CONTROL], 1);
    assert_int_equal(link.breaks, 1);
    assert_int_equal(link.ups, 2);
    assert_int_equal(link.state, MESH_LINK_UP);
    meshes_close(&f);
}

static void
missed_beats_are_counted_and_only_those(void **state)
{
    (void)state;
    static struct meshes f;
    open_homes(&f, 3, &(struct meshes_options){.seed = 4});
    for (uint32_t i = 0; i < 30; i++) { /* what is new about us is told at once, by a beat */
        f.nodes[0].self.draining = i % 2 == 0;
        mesh_self(f.nodes[0].mesh, &f.nodes[0].self);
        meshes_run(&f, SECOND / 10);
    }
    assert_int_equal(link_of(&f, 0, "home-0-1").beats_missed, 0);
    meshes_cut(&f, 0, 1, true);
    meshes_run(&f, 5 * SECOND);
    struct mesh_link link = link_of(&f, 0, "home-0-1");
    assert_int_not_equal(link.state, MESH_LINK_UP);
    assert_int_equal(link.beats_missed, MESH_BEATS_MISSED);
    assert_int_equal(link.breaks, 1);
    assert_int_equal(link_of(&f, 0, "home-0-2").beats_missed, 0);
    meshes_cut(&f, 0, 1, false);
    meshes_run(&f, 20 * SECOND);
    link = link_of(&f, 0, "home-0-1");
    assert_int_equal(link.state, MESH_LINK_UP);
    assert_int_equal(link.ups, 2);
    assert_int_equal(link.beats_missed, MESH_BEATS_MISSED);
    meshes_close(&f);
}

static void
a_node_that_comes_back_is_the_same_line(void **state)
{
    (void)state;
    static struct meshes f;
    open_homes(&f, 3, &(struct meshes_options){.seed = 5});
    uint64_t before = link_of(&f, 0, "home-0-1").bytes_in;
    meshes_kill(&f, 1, SIM_KILLED);
    meshes_run(&f, SECOND);
    assert_int_equal(link_of(&f, 0, "home-0-1").state, MESH_LINK_DEAD); /* still in the book */
    meshes_start(&f, 1);
    meshes_run(&f, SECOND);
    struct mesh_link link = link_of(&f, 0, "home-0-1");
    assert_int_equal(link.state, MESH_LINK_UP);
    assert_int_equal(link.ups, 2);
    assert_int_equal(link.breaks, 1);
    assert_true(link.bytes_in > before && before > 0);
    meshes_leave(&f, 1);
    meshes_expire(&f, 1);
    meshes_run(&f, SECOND);
    struct mesh_link none;
    uint32_t cursor = 0, links = 0;
    while (mesh_next_link(f.nodes[0].mesh, &cursor, &none)) {
        assert_string_equal(none.name, "home-0-2"); /* who has left is none that is missing */
        links++;
    }
    assert_int_equal(links, 1);
    meshes_close(&f);
}

static void
counts_of_whom_nobody_knows_any_more_give_way(void **state)
{
    (void)state;
    struct mesh *mesh = calloc(1, sizeof *mesh);
    assert_non_null(mesh);
    struct node node = {.role = NODE_GATE, .shard = 1};
    for (uint16_t i = 0; i < PEERS_MAX; i++) {
        node.index = i;
        uint32_t place = mesh_count_of(mesh, &node);
        assert_int_equal(place, i);
        mesh->counts[place].ups = i;
        mesh->peers[i].count = place;
        mesh->peers[i].state = i == 77 ? PEER_FREE : PEER_IDLE;
    }
    node.index = 5;
    assert_int_equal(mesh_count_of(mesh, &node), 5);
    node.index = 1000;
    assert_int_equal(mesh_count_of(mesh, &node), 77);
    assert_int_equal(mesh->counts[77].ups, 0);
    assert_int_equal(mesh->counts[76].ups, 76);
    node.shard = 2; /* somebody else */
    node.index = 5;
    assert_int_equal(mesh_count_of(mesh, &node), 77);
    free(mesh);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_tells_its_bytes_and_trips),
        cmocka_unit_test(what_does_not_go_out_is_told_by_its_age),
        cmocka_unit_test(what_found_no_room_is_told_by_its_lane),
        cmocka_unit_test(missed_beats_are_counted_and_only_those),
        cmocka_unit_test(a_node_that_comes_back_is_the_same_line),
        cmocka_unit_test(counts_of_whom_nobody_knows_any_more_give_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
