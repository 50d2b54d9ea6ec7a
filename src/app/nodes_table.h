/* What whoever keeps a cluster lists (cluster_list() in app/cluster.h), as tables for people. What
 * is not as it should be stands in words below. What a row does not tell is left empty. Any thread;
 * nothing is kept.
 */
#ifndef SEOM_APP_NODES_TABLE_H
#define SEOM_APP_NODES_TABLE_H

#include <jansson.h>
#include <stdio.h>

/* Nodes, engines and bots, one a row. */
void nodes_table_print(const json_t *list, FILE *to);
/* Both ends of every link, one a row. */
void nodes_table_print_links(const json_t *list, FILE *to);

#endif
