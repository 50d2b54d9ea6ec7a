/* A visitor: a player of ours who tries whether a gate and the home that it leads to serve people.
 * It comes in as a guest, asks who it is, walks some steps, is found by its home where it walked
 * to, does one thing of value that is sure to be refused, and says good-bye.
 *
 * Blocks for at most patience_us; owned by the tool that calls it, on whatever thread.
 */
#ifndef SEOM_APP_VISITOR_H
#define SEOM_APP_VISITOR_H

#include "base/err.h"
#include "wire/motion.h"
#include <stdbool.h>
#include <stdint.h>

#define VISITOR_WHY_MAX 256

struct visitor_options {
    const char *gate; /* borrowed: "127.0.0.1:7777" */
    uint32_t island;  /* where it wishes to come in */
    int64_t patience_us;
    void *ctx;
    /* Whether some home has the player, standing within a step of where it walked to. */
    bool (*found)(void *ctx, uint64_t player, uint32_t island, struct place at);
};

struct visitor_result {
    uint64_t player;
    int64_t welcome_us, answer_us, result_us; /* from asking for it */
    bool value;                               /* false: the game knows no such thing */
    char why[VISITOR_WHY_MAX];
};

/* ERR_TIMEOUT, ERR_CLOSED, ERR_FORMAT (the gate's address): why says at which step. */
enum err visitor_visit(const struct visitor_options *options, struct visitor_result *out) MUST_USE;

#endif
