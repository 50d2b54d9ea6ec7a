/* For tests: an etcd server of their own, made by test/etcd.py, whose path the environment variable
 * SEOM_ETCD tells. It ends with the process that started it.
 */
#ifndef SEOM_OS_ETCD_FIXTURE_H
#define SEOM_OS_ETCD_FIXTURE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define ETCD_URL_MAX 64

struct etcd_fixture {
    pid_t pid;
    FILE *orders, *answers;
    char url[ETCD_URL_MAX];
};

/* False: etcd is not installed, and a line of TAP says that the test is skipped. Whatever else goes
 * wrong ends the process. */
bool etcd_fixture_start(struct etcd_fixture *f);
void etcd_fixture_stop(struct etcd_fixture *f);
/* stop, start, compact: returns when it is done. */
void etcd_fixture_order(struct etcd_fixture *f, const char *order);

#endif
