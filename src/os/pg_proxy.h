/* For tests: stands between the engine and its PostgreSQL server, as a socket in a directory of its
 * own, and cuts connections where it is told. Runs on a thread; its functions are called from
 * another one.
 */
#ifndef SEOM_OS_PG_PROXY_H
#define SEOM_OS_PG_PROXY_H

#include "os/pg_fixture.h"
#include <stdbool.h>
#include <stdint.h>

struct pg_proxy;

enum pg_way { PG_WAY_UP, PG_WAY_DOWN }; /* to the server, from it */

#define PG_PROXY_NEVER UINT64_MAX

struct pg_proxy *pg_proxy_start(const struct pg_fixture *server);
void pg_proxy_stop(struct pg_proxy **proxy);
const char *pg_proxy_address(const struct pg_proxy *proxy);
/* From now on so many bytes pass that way, over whichever connection; then that connection is cut.
 * PG_PROXY_NEVER: none. */
void pg_proxy_cut_after(struct pg_proxy *proxy, enum pg_way way, uint64_t bytes);
/* Every connection made from now on is cut after a random number of bytes; off: no more, and those
 * that there are live on. */
void pg_proxy_cut_randomly(struct pg_proxy *proxy, bool on, uint64_t seed);
uint32_t pg_proxy_cuts(struct pg_proxy *proxy); /* ever */

#endif
