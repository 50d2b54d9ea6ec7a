/* A mesh, of a home or of a gate, among strangers who may say anything at any time: raw bytes, well
 * made frames with extreme fields, hellos of nodes that it knows and of such that nobody knows;
 * lines that break, dials that are refused, sends that are taken in part. Whatever comes, it
 * stands, says only whole frames of known kinds, tells of messages only from who is linked, and
 * ends with as many links as it told of.
 */
#include "base/check.h"
#include "fabric/mesh_alone.h"
#include "fuzz/extreme.h"
#include "fuzz/fuzz.h"
#include <string.h>

#define OPS_MAX  512
#define RAW_MAX  300
#define LINES    12 /* that strangers play with */
#define NODES    6
#define BOOK_MAX 8 /* nodes of a book */

static struct node
node_of(struct reader *in)
{
    uint8_t n = read_u8(in);
    uint64_t epoch = n % 32 == 31 ? extreme_u64(in) : 990U + n % 32;
    enum node_role role = (enum node_role)(n / 32 % NODE_ROLES);
    struct node node = alone_node(role, n % NODES, epoch != 0 ? epoch : 1);
    node.draining = n % 7 == 0;
    return node;
}

/* Any line that is open: of those who came, or of dials. */
static uint32_t
line_of(const struct alone *a, struct reader *in)
{
    uint32_t from = extreme_below(in, LINES);
    for (uint32_t i = 0; i < LINES; i++) {
        uint32_t n = (from + i) % LINES;
        if (a->lines[n].open) {
            return n;
        }
    }
    return LINES_MAX;
}

static void
frame_of_mesh(struct alone *a, uint32_t line, struct reader *in)
{
    uint8_t body[BOOK_MAX * MESH_HELLO_MAX];
    size_t n = 0;
    uint8_t kind = 1 + (uint8_t)extreme_below(in, 14);
    switch (kind) {
    case MESH_FRAME_BEAT:
    case MESH_FRAME_ANSWER: {
        struct mesh_beat beat = {.sent_us =
                                     read_u8(in) % 2 == 0 ? a->now_us : (int64_t)extreme_u64(in),
                                 .world_ms = (int64_t)extreme_u64(in),
                                 .load = extreme_u32(in),
                                 .draining = read_u8(in) % 2 == 0};
        n = mesh_beat_write(&beat, body);
        break;
    }
    case MESH_FRAME_ASK:
    case MESH_FRAME_DEAD: n = mesh_epoch_write(node_of(in).epoch, body); break;
    case MESH_FRAME_SEEN: {
        struct mesh_seen seen = {.epoch = node_of(in).epoch,
                                 .sight = (enum mesh_sight)extreme_below(in, SIGHTS)};
        n = mesh_seen_write(&seen, body);
        break;
    }
    case MESH_FRAME_REFUSE: body[n++] = read_u8(in) % (MESH_REFUSALS + 2); break;
    case MESH_FRAME_BOOK: {
        struct writer w = writer_over(body, sizeof body);
        uint32_t count = 1 + extreme_below(in, BOOK_MAX);
        write_u16(&w, (uint16_t)count);
        for (uint32_t i = 0; i < count; i++) {
            struct node node = node_of(in);
            mesh_node_write(&w, &node);
        }
        n = writer_used(&w);
        break;
    }
    default:
        n = 1 + extreme_below(in, 64);
        memset(body, (int)read_u8(in), n);
        break;
    }
    alone_frame(a, line, kind == 14 ? MESH_FRAME_DATA : kind, body, n);
}

static void
send_message(struct alone *a, struct reader *in)
{
    static const uint8_t padding[MESH_MESSAGE_MAX];
    uint8_t kind = read_u8(in);
    struct slice pieces[] = {{&kind, 1}, {padding, extreme_u32(in) % MESH_MESSAGE_MAX}};
    struct env_links links = mesh_links(a->mesh);
    enum err error = links.send(links.ctx, extreme_below(in, 8), pieces, 2);
    CHECK(error == OK || error == ERR_FULL || error == ERR_CLOSED);
}

static void
change_book(struct alone *a, struct reader *in)
{
    struct node node = node_of(in);
    if (read_u8(in) % 3 == 0) {
        book_remove(&a->book, node.epoch);
        mesh_book_changed(a->mesh);
    } else {
        alone_list(a, &node);
    }
}

static void
step(struct alone *a, struct reader *in)
{
    static const int64_t steps_us[] = {1, 1000, 100000, 300000, 500000, 1000000, 3500000, 12000000};
    alone_run(a, steps_us[extreme_below(in, 8)]);
}

static void
on_line(struct alone *a, enum mesh_op op, struct reader *in)
{
    uint32_t line = line_of(a, in);
    if (line == LINES_MAX) {
        return;
    }
    switch (op) {
    case MESH_OP_HELLO: {
        struct node node = node_of(in);
        alone_hello(a, line, &node);
        break;
    }
    case MESH_OP_WELCOME: alone_frame(a, line, MESH_FRAME_WELCOME, NULL, 0); break;
    case MESH_OP_FRAME: frame_of_mesh(a, line, in); break;
    case MESH_OP_RAW: {
        struct slice bytes = extreme_bytes(in, RAW_MAX);
        alone_bytes(a, line, bytes.at, bytes.bytes);
        break;
    }
    case MESH_OP_BREAK: alone_break(a, line, read_u8(in) % 2 == 0); break;
    case MESH_OP_DIALLED: alone_dialled(a, line); break;
    case MESH_OP_ROOM: {
        uint32_t room = extreme_u32(in);
        alone_writable(a, line, room == UINT32_MAX ? SIZE_MAX : room);
        break;
    }
    case MESH_OP_STEP:
    case MESH_OP_ACCEPT:
    case MESH_OP_LINK:
    case MESH_OP_SEND:
    case MESH_OP_BOOK:
    case MESH_OP_SELF:
    case MESH_OPS: break;
    }
}

static void
operate(struct alone *a, struct reader *in)
{
    enum mesh_op op = (enum mesh_op)extreme_below(in, MESH_OPS);
    switch (op) {
    case MESH_OP_STEP: step(a, in); break;
    case MESH_OP_ACCEPT: (void)alone_accept(a); break;
    case MESH_OP_LINK: {
        struct node node = node_of(in);
        (void)alone_link(a, &node);
        break;
    }
    case MESH_OP_SEND: send_message(a, in); break;
    case MESH_OP_BOOK: change_book(a, in); break;
    case MESH_OP_SELF:
        a->self.draining = !a->self.draining;
        a->self.epoch += read_u8(in) % 4 == 0;
        mesh_self(a->mesh, &a->self);
        break;
    case MESH_OP_HELLO:
    case MESH_OP_WELCOME:
    case MESH_OP_FRAME:
    case MESH_OP_RAW:
    case MESH_OP_BREAK:
    case MESH_OP_DIALLED:
    case MESH_OP_ROOM:
    case MESH_OPS: on_line(a, op, in); break;
    }
}

static void
check_counts(const struct alone *a)
{
    uint32_t up = 0;
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        CHECK(a->up[p] == (mesh_peer(a->mesh, p) != NULL));
        up += a->up[p];
    }
    CHECK(up == mesh_stats(a->mesh)->peers && a->ups == a->downs + up);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct alone a;
    struct reader in = reader_over(data, size);
    alone_open(&a, read_u8(&in) % 2 == 0 ? NODE_HOME : NODE_GATE);
    a.renames = true;
    for (uint32_t i = 0; i < OPS_MAX && reader_left(&in) > 0; i++) {
        operate(&a, &in);
        check_counts(&a);
    }
    alone_run(&a, 30000000);
    check_counts(&a);
    mesh_leave(a.mesh);
    alone_run(&a, 1000000);
    CHECK(mesh_has_left(a.mesh));
    alone_close(&a);
    return 0;
}
