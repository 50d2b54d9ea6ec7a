/* For tests: meshes of several nodes on the simulator's lines, each with its world clock, on one
 * virtual time, around one book. It checks what every user of a mesh may rely on: up and down take
 * turns, messages come from whom they say, in order and only while the link is up.
 */
#ifndef SEOM_FABRIC_MESHES_H
#define SEOM_FABRIC_MESHES_H

#include "fabric/mesh.h"
#include "sim/events.h"
#include "sim/lines.h"

#define MESHES_MAX 32

struct meshes;

/* What one node knows of one of its links. */
struct meshes_link {
    bool up;
    uint64_t epoch;
    uint32_t last; /* message number */
};

struct meshes_node {
    struct meshes *meshes;
    uint32_t number; /* of sim/lines.h */
    struct node self;
    struct env env;
    struct mesh *mesh; /* NULL: not running */
    bool paused;
    int64_t world_offset_ms;
    char address[LINE_ADDRESS_MAX];
    const char *seeds[1];
    struct meshes_link links[PEERS_MAX];
    uint32_t sent; /* numbers given to messages */
    uint32_t ups, downs, deaths, died, dead_selfs, messages, book_changes;
    uint64_t book_seen;
    bool leaving;
};

struct meshes_options {
    uint64_t seed;
    uint32_t delay_us_min, delay_us_max;
    uint32_t line_bytes;
    uint32_t data_bytes, control_bytes; /* of the meshes; 0: as they are */
    bool rejoins;                       /* whoever hears that it is dead registers anew */
    bool loud;                          /* prints what the nodes log */
    bool only_dead_die;                 /* nobody whose process is there may be declared dead */
    enum mesh_mutant mutant;
};

struct meshes {
    struct events time;
    struct sim_lines *lines;
    struct meshes_options options;
    struct book book;
    uint64_t registered; /* the last epoch given */
    struct meshes_node nodes[MESHES_MAX];
    uint32_t count;
};

void meshes_open(struct meshes *meshes, const struct meshes_options *options);
void meshes_close(struct meshes *meshes);

/* A new node, not running. Returns its number. */
uint32_t meshes_add(struct meshes *meshes, enum node_role role, uint16_t index);
/* Registers under a new epoch (homes: in the book) and starts. Gates begin with the first home. */
void meshes_start(struct meshes *meshes, uint32_t n);
void meshes_kill(struct meshes *meshes, uint32_t n, enum sim_death death);
void meshes_pause(struct meshes *meshes, uint32_t n, bool on);
void meshes_leave(struct meshes *meshes, uint32_t n); /* then kill it */
/* The directory drops it, as after its lease. */
void meshes_expire(struct meshes *meshes, uint32_t n);
void meshes_cut(struct meshes *meshes, uint32_t a, uint32_t b, bool on); /* both ways */

/* Everybody's loop, for so long. */
void meshes_run(struct meshes *meshes, int64_t us);
/* Until n's link with other is up (or is not); false: not within limit_us. */
bool meshes_await(struct meshes *meshes, uint32_t n, uint32_t other, bool up, int64_t limit_us);
bool meshes_is_up(const struct meshes *meshes, uint32_t n, uint32_t other);
uint32_t meshes_peer(const struct meshes *meshes, uint32_t n, uint32_t other); /* PEERS_MAX: none */

/* A message of that kind of wire/link.h with a number that the receiver checks, and so many bytes
 * of padding. */
enum err meshes_send(struct meshes *meshes, uint32_t n, uint32_t other, uint8_t kind, size_t bytes);
const struct mesh_stats *meshes_stats(const struct meshes *meshes, uint32_t n);

#endif
