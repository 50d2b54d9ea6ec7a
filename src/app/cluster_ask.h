/* Asking whoever keeps a cluster of this machine, <data>/cluster.sock, and its nodes,
 * <data>/NAME.sock, out of a tool that waits for the answer. Any thread; nothing is kept.
 */
#ifndef SEOM_APP_CLUSTER_ASK_H
#define SEOM_APP_CLUSTER_ASK_H

#include "base/err.h"
#include <jansson.h>

#define CLUSTER_ASK_WHY_MAX 1024
#define CLUSTER_KEEPER      "cluster"

/* The answer, the caller's; NULL: why says what is wrong, also what the other one would not do.
 * Takes the question; NULL of a question: its texts were not UTF-8. */
json_t *cluster_ask(const char *data, const char *socket, json_t *question,
                    char why[CLUSTER_ASK_WHY_MAX]);
/* What the keeper lists: nodes, engines, bots. */
json_t *cluster_ask_list(const char *data, char why[CLUSTER_ASK_WHY_MAX]);
/* The row of a home or gate, borrowed from the list; NULL: there is none. */
const json_t *cluster_row(const json_t *list, const char *name);
const char *cluster_text(const json_t *row, const char *key); /* "": there is none */
json_int_t cluster_number(const json_t *row, const char *key);

#endif
