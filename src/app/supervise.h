/* Keeps processes alive. A member is one process: started when its owner says that it can be,
 * started again within a second when it dies, later and later (up to SUPERVISE_BACKOFF_MAX_US) when
 * it keeps dying, and left alone once it was told to end.
 *
 *            start                    is_up                 stop
 *   ENDED ----------> WAITS --> STARTING --> UP ----------------------> STOPPING --> ENDED
 *                       ^ after a pause |     | died                       (killed when it
 *                       +---------------+-----+                             takes too long)
 *
 * A member that can hand over is replaced by an heir, a second process beside the first:
 *
 *     UP --replace--> HANDING --the heir is up--> UP; the one before is left to end
 *                        |------the heir died, or took too long--> UP as before
 *                        +------the one before ended first--> STARTING (the heir)
 *
 * Owned by `seom cluster up`; thread: the one of its loop, which must be the main thread (the
 * processes die with it). Limit: SUPERVISE_MEMBERS_MAX.
 */
#ifndef SEOM_APP_SUPERVISE_H
#define SEOM_APP_SUPERVISE_H

#include "app/launch.h"
#include "base/err.h"
#include "os/loop.h"
#include <stdbool.h>
#include <stdint.h>

#define SUPERVISE_MEMBERS_MAX    160
#define SUPERVISE_NAME_MAX       32
#define SUPERVISE_LOOK_US        50000 /* between two questions whether it is up */
#define SUPERVISE_BACKOFF_US     200000
#define SUPERVISE_BACKOFF_MAX_US 10000000
#define SUPERVISE_LIVED_US       10000000 /* who lived so long did not die at once */
#define SUPERVISE_STOP_US        15000000 /* then it is killed */
#define SUPERVISE_HEIR_US        20000000 /* an heir that is not up by then is killed */
#define SUPERVISE_TEXT_MAX       512

enum member_state {
    MEMBER_ENDED,
    MEMBER_WAITS,
    MEMBER_STARTING,
    MEMBER_UP,
    MEMBER_HANDING,
    MEMBER_STOPPING,
    MEMBER_STATES
};

struct member {
    char name[SUPERVISE_NAME_MAX];
    enum member_state state;
    pid_t pid;         /* 0: no process */
    pid_t heir;        /* of HANDING; else 0 */
    bool stays_dead;   /* it is not started again when it dies */
    uint32_t starts;   /* ever */
    uint32_t failures; /* deaths at once, in a row */
    int64_t since_us;  /* in this state */
};

struct supervise_events {
    void *ctx;
    /* Fills in what to run, or answers false: not yet (it is asked again). */
    bool (*prepare)(void *ctx, uint32_t member, struct launch *launch);
    /* Whether the process that was started (in HANDING: the heir) serves now. */
    bool (*is_up)(void *ctx, uint32_t member);
    /* A sentence for people about a member: "home-1 is up (0.3 s)". */
    void (*told)(void *ctx, uint32_t member, const char *text);
    /* The end of a supervise_replace(): by_heir or as before. NULL: nothing is ever replaced. */
    void (*replaced)(void *ctx, uint32_t member, bool by_heir);
};

struct supervisor;

/* logs: directory, borrowed. */
enum err supervisor_open(struct loop *loop, const char *logs, const struct supervise_events *events,
                         struct supervisor **out) MUST_USE;
/* Whatever still runs is killed. */
void supervisor_close(struct supervisor **supervisor);

/* It is ENDED at first. stop_signal: how it is asked to end. ERR_FULL; ERR_EXISTS: the name. */
enum err supervise_add(struct supervisor *s, const char *name, int stop_signal,
                       uint32_t *member) MUST_USE;
/* The members are 0 .. count - 1 for as long as the supervisor lives. */
uint32_t supervise_count(const struct supervisor *s);
const struct member *supervise_member(const struct supervisor *s, uint32_t member);
const char *member_state_name(enum member_state state);

void supervise_start(struct supervisor *s, uint32_t member); /* when it is ENDED; else nothing */
void supervise_stop(struct supervisor *s, uint32_t member);  /* it stays ENDED */
/* Starts an heir beside the process, by prepare() in state HANDING. ERR_CONFLICT: it is not UP, or
 * the one before the last has not ended yet; or it cannot be started. */
enum err supervise_replace(struct supervisor *s, uint32_t member) MUST_USE;
/* SIGSTOP and SIGCONT reach its children as well. ERR_NOT_FOUND: no process now. stays_dead: it is
 * not started again when that kills it. */
enum err supervise_signal(struct supervisor *s, uint32_t member, int signal_number,
                          bool stays_dead) MUST_USE;
/* Starts, looks, kills what is due. Returns the mono time (us) of the next thing to do. */
int64_t supervise_turn(struct supervisor *s, int64_t now_us);

#endif
