/* Thousands of bots in one thread: connects them at a steady pace, walks them, measures what a few
 * of them see. `observers` of the bots know all that is in their view (observer.h); the others
 * count frames only, so that a bot costs the server more than it costs us. Whoever calls herd_run()
 * lends its thread until the end. Limits: HERD_MAX bots, and descriptors (raised to the hard
 * limit).
 */
#ifndef SEOM_BOTS_HERD_H
#define SEOM_BOTS_HERD_H

#include "base/err.h"
#include "base/hist.h"
#include "bots/observer.h"
#include "bots/plan.h"
#include "wire/ticket.h"
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define HERD_MAX            100000
#define HERD_OBSERVERS      100
#define HERD_CONNECTS_PER_S 2000
#define HERD_WHY_MAX        256
#define HERD_OBSERVERS_MAX  1000
#define HERD_GATES_MAX      16

enum herd_phase { HERD_CONNECTING, HERD_WARMING, HERD_MEASURING, HERD_LEAVING };

/* Told once a second. */
struct herd_second {
    enum herd_phase phase;
    uint32_t seconds; /* since the beginning */
    uint32_t playing, wanted;
    uint64_t lost;
    double moves_per_s, frames_per_s, bytes_per_s; /* over the last second, all bots */
    double others;                                 /* in view, mean of this measuring so far */
    uint64_t age_p50_ms, age_p99_ms;               /* likewise */
    uint64_t broken;                               /* invariants */
    uint64_t done, refused;                        /* commands, since the beginning */
};

/* Where one can connect. */
struct herd_gate {
    struct sockaddr_storage at;
    socklen_t bytes;
};

struct herd_options {
    /* The bots are spread over them; whose line breaks tries the next one. */
    struct herd_gate gates[HERD_GATES_MAX];
    uint32_t gates_count;
    uint32_t count;
    struct plan_options plan;    /* profile, seed, tracks, per_island; square: see below */
    uint32_t observers;          /* so many bots, spread evenly; UINT32_MAX: HERD_OBSERVERS */
    uint32_t connects_per_s;     /* 0: HERD_CONNECTS_PER_S */
    uint32_t warm_s;             /* between the last welcome and measuring */
    uint32_t for_s;              /* of measuring; 0: until it is stopped */
    uint32_t connect_s_max;      /* 0: 30 s and 1 s per 500 bots; then measures whoever is there */
    const struct slice *tickets; /* borrowed; one per bot, or NULL */
    const char *tickets_path;    /* read before, written after; or NULL */
    uint32_t probers;            /* so many, drawn, ask their home again and again */
    uint32_t probe_ms;           /* between two questions of one of them */
    /* Of a prober: a question of then was answered now, over this gate; or NULL. */
    void (*probed)(void *ctx, uint32_t number, uint32_t gate, int64_t asked_us, int64_t now_us);
    const char *answers_path; /* PROFILE_TRADE: a line "player seq code" for each answer; or NULL */
    uint32_t think_ms;        /* PROFILE_TRADE: between an answer and the next command */
    const char *dump_path;    /* bytes of the first bot's line (wire/dump.h); or NULL */
    const volatile sig_atomic_t *stop; /* borrowed; not 0: end well; or NULL */
    bool (*second)(void *ctx, const struct herd_second *now); /* false: end well; or NULL */
    void *ctx;
};

/* All figures are of the time of measuring, but lost, misplaced and reconnects: of all the time. */
struct herd_result {
    uint32_t wanted, connected; /* at the end of measuring */
    uint32_t never_in;          /* of those that are not connected: never played */
    uint64_t lost;              /* lines that broke while playing */
    struct hist away_ms;        /* of those that came back, until they played again */
    uint64_t misplaced;         /* did not begin where the plan has them (square islands) */
    uint64_t moves, frames, bytes_in, corrections;
    double seconds;
    double changes_per_player_s; /* moves sent */
    double bytes_per_player_s;
    double others_in_view_mean; /* people in the 3 x 3 chunks, over everybody and time */
    double replica_mean;        /* entities known */
    double seen_share;          /* of all others, heard of within 10 s (crowd); -1: not measured */
    uint64_t bytes_per_player_s_max; /* one observer, one second */
    double cpu_us_per_player_s;
    struct measures measures; /* ages and invariants */
    struct trades trades;     /* PROFILE_TRADE: of all the time */
};

/* ERR_RANGE: options; ERR_FULL: descriptors; ERR_IO, ERR_FORMAT: tickets or dump; ERR_UNAVAILABLE:
 * nobody could connect. why: for people, names the file or figure. */
enum err herd_run(const struct herd_options *options, struct herd_result *out,
                  char why[HERD_WHY_MAX]) MUST_USE;

#endif
