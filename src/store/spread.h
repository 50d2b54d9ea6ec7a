/* Several engines behind one store port: 4,096 buckets, each of which lies on one engine by a table
 * that the directory keeps. What belongs to one owner lies together: player/<id>, inbox/<id>,
 * ledger/<id>-<n> share the bucket of that id; documents with a name instead of an id go by the
 * name.
 *
 *   bucket = XXH64(the 16 hex digits of the id, or the name; seed 0) mod 4,096
 *
 * which may never change, as it says where documents are. Gets, watches and hints are handed
 * through; a scan asks all engines and merges what they found. A commit whose documents lie on
 * different engines is refused with ERR_RANGE: store/committer.h above this makes it whole.
 *
 * Logic room, one thread. No state of calls but scans, of which SPREAD_SCANS_MAX go at a time.
 */
#ifndef SEOM_STORE_SPREAD_H
#define SEOM_STORE_SPREAD_H

#include "env/env.h"
#include <stdbool.h>
#include <stdint.h>

#define SPREAD_BUCKETS     4096
#define SPREAD_ENGINES_MAX 16
#define SPREAD_SCANS_MAX   4

struct spread;

uint32_t spread_bucket(struct slice key);
/* engine_of: per bucket, each below engines; copied. */
struct spread *spread_alloc(uint32_t engines, const uint8_t engine_of[SPREAD_BUCKETS]);
void spread_free(struct spread **spread);

/* Order of building: connect each engine with spread_done(), hand its port over, connect the user.
 */
struct store_done spread_done(struct spread *spread, uint32_t engine);
void spread_connect(struct spread *spread, uint32_t engine, const struct env_store *port);
struct env_store spread_port(struct spread *spread, struct store_done done);
uint32_t spread_engine(const struct spread *spread, struct slice key);
/* Whether one commit may hold all of them. */
bool spread_together(const struct spread *spread, const struct store_write *writes, uint32_t count);

#endif
