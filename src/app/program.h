/* What a program that nodes are to run from says about itself, before anybody is sent away for it:
 * whether it is a seom, whether the nodes that run understand its links, and whether it reads the
 * data that they write.
 *
 * A plain value; any thread. program_ask() runs `PATH version` and waits for it, at most
 * PROGRAM_ASK_US.
 */
#ifndef SEOM_APP_PROGRAM_H
#define SEOM_APP_PROGRAM_H

#include "base/err.h"
#include <jansson.h>

#define PROGRAM_ASK_US  10000000
#define PROGRAM_WHY_MAX 1024

struct program {
    const char *path;         /* borrowed */
    int links_min, links_max; /* versions of links; 0: it does not say, as before it was asked */
    int data_format;
};

/* ERR_FORMAT: it is no seom; why says what it did instead. */
enum err program_ask(const char *path, struct program *out, char why[PROGRAM_WHY_MAX]) MUST_USE;
/* list: of the keeper. ERR_CONFLICT: it cannot run beside these nodes. */
enum err program_fits(const struct program *program, const json_t *list,
                      char why[PROGRAM_WHY_MAX]) MUST_USE;

#endif
