#include "watch/gather.h"
#include "base/check.h"
#include "os/process.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert(GATE_CODES == METRIC_CAUSE_COUNT, "a cause for each code");
static_assert((int)DEED_CLASSES == (int)METRIC_CLASS_COUNT &&
                  (int)DEED_TAKE == (int)METRIC_NAMED_take &&
                  (int)DEED_MAIL == (int)METRIC_NAMED_mail,
              "a row for each class");
static_assert((int)STORE_ROLES == (int)METRIC_ROLE_COUNT &&
                  (int)ROLE_RECOVERY == (int)METRIC_NAMED_recovery &&
                  (int)ROLE_TOOL == (int)METRIC_NAMED_tool,
              "a row for each role");
static_assert((int)MESH_LINK_STATES == (int)METRIC_LINK_STATE_COUNT &&
                  (int)MESH_LINK_ASKING == (int)METRIC_OF_asking &&
                  (int)MESH_LINK_UP == (int)METRIC_OF_up,
              "a row for each state");
static_assert((int)NOTE_KINDS == (int)METRIC_NOTE_COUNT + NOTE_LINE &&
                  (int)NOTE_MAIL == (int)METRIC_OF_mail + NOTE_LINE,
              "a row for each kind");
static_assert(METRICS_LINKS_MAX >= PEERS_MAX && METRICS_PEER_MAX >= NODE_NAME_MAX,
              "room for each link");

void
gather_begin(struct metrics *m)
{
    memset(m->values, 0, sizeof m->values);
    m->links_count = 0;
}

static void
set(struct metrics *m, enum metric metric, uint64_t value)
{
    CHECK(metric < METRIC_COUNT);
    m->values[metric] = (double)value;
}

static void
add(struct metrics *m, enum metric metric, uint64_t value)
{
    CHECK(metric < METRIC_COUNT);
    m->values[metric] += (double)value;
}

void
gather_world(struct metrics *m, const struct world_stats *s)
{
    set(m, METRIC_PLAYERS, s->players);
    set(m, METRIC_LINGERING, s->lingering);
    set(m, METRIC_ENTERS, s->enters);
    set(m, METRIC_ENTERS_REFUSED, s->enters_refused);
    set(m, METRIC_CHUNKS_AWAKE, s->chunks_awake);
    set(m, METRIC_THINGS, s->things);
    set(m, METRIC_TOPICS, s->topics);
    set(m, METRIC_SUBSCRIPTIONS, s->subscriptions);
    set(m, METRIC_MOVES, s->moves);
    set(m, METRIC_CORRECTIONS, s->moves_refused + s->moves_shortened);
    set(m, METRIC_CROSSINGS, s->crossings);
    set(m, METRIC_CHANGES, s->changes);
    set(m, METRIC_ENCODES, s->encodes);
    m->values[METRIC_ENCODES_PER_CHANGE] =
        s->changes == 0 ? 0 : (double)s->encodes / (double)s->changes;
    set(m, METRIC_BATCHES, s->batches);
    add(m, METRIC_LIMITS_REACHED,
        s->topics_full + s->places_refused + s->controls_lost + s->claims_full + s->ghosts_full +
            s->leaves_late);
    for (int code = 0; code < CODE_COUNT; code++)
        set(m, (enum metric)(METRIC_COMMANDS + code), s->results[code]);
    for (int class = 0; class < METRIC_CLASS_COUNT; class ++)
        set(m, (enum metric)(METRIC_SWITCHES_CLOSED + class), s->switches_closed >> class & 1);
    set(m, METRIC_JOBS, s->jobs);
    set(m, METRIC_JOBS_FAILED, s->jobs_failed);
    set(m, METRIC_SHOWS, s->shows);
    set(m, METRIC_HINTS, s->hints);
    set(m, METRIC_CHUNK_READS, s->chunk_reads);
    set(m, METRIC_CHUNK_READS_FAILED, s->chunk_reads_failed);
    set(m, METRIC_CHUNKS_UNREADABLE, s->chunks_unreadable);
    set(m, METRIC_STEWARDS_HELD, s->stewards_held);
    set(m, METRIC_CLAIMS, s->claims);
    set(m, METRIC_CLAIMS_LOST, s->claims_lost);
    set(m, METRIC_CLAIMS_FAILED, s->claims_failed);
    set(m, METRIC_COMMANDS_FORWARDED, s->commands_forwarded);
    set(m, METRIC_COMMANDS_SERVED, s->commands_served);
    set(m, METRIC_FORWARDS_LATE, s->forwards_late);
    set(m, METRIC_FORWARDS_REJECTED, s->forwards_rejected);
    set(m, METRIC_READS_HEALING, s->reads_healing);
    set(m, METRIC_GHOSTS, s->ghosts);
    set(m, METRIC_GHOST_REPAIRS, s->ghosts_repairs);
    set(m, METRIC_BATCHES_REFUSED, s->batches_full);
    hist_merge(&m->histograms_us[METRIC_LOGIC_QUEUE_WAIT], &s->queue_wait_us);
    hist_merge(&m->histograms_us[METRIC_TICK], &s->tick_us);
}

void
gather_commands(struct metrics *m, const struct world_stats *w, const struct commands_stats *s,
                uint32_t under_way)
{
    set(m, METRIC_COMMANDS_UNDER_WAY, under_way);
    set(m, METRIC_COMMANDS_REPEATED, w->commands_repeated + s->again);
    set(m, METRIC_COMMAND_CONFLICTS, s->conflicts);
    set(m, METRIC_COMMAND_UNKNOWN, s->unknown);
    set(m, METRIC_COMMAND_WAITS, s->waits);
    m->histograms_us[METRIC_COMMAND] = s->us;
}

void
gather_gate(struct metrics *m, const struct gate_stats *s)
{
    add(m, METRIC_CONNECTIONS, s->connections);
    add(m, METRIC_GATE_PLAYERS, s->players);
    add(m, METRIC_SPECTATORS, s->spectators);
    add(m, METRIC_LOBBY, s->lobby);
    add(m, METRIC_LOBBIED, s->lobbied);
    add(m, METRIC_CHUNKS_CROWDED, s->crowded_chunks);
    add(m, METRIC_SNAPSHOTS, s->snapshots);
    add(m, METRIC_HEALED, s->healed);
    add(m, METRIC_SLOTS_SKIPPED, s->skipped);
    add(m, METRIC_LIMITS_REACHED, s->limits_reached);
    add(m, METRIC_GATE_TOPICS, s->topics);
    add(m, METRIC_SUBSCRIBES, s->subscribes);
    add(m, METRIC_SUBSCRIBES_WHOLE, s->subscribes_whole);
    add(m, METRIC_SUBSCRIBE_REPAIRS, s->subscribe_repairs);
    add(m, METRIC_SESSIONS_RESUMING, s->resuming);
    add(m, METRIC_SESSIONS_RESUMED, s->resumed);
    uint64_t lost = s->closed; /* what is left when those are gone that we closed */
    for (int cause = METRIC_NAMED_lost + 1; cause < METRIC_CAUSE_COUNT; cause++) {
        add(m, (enum metric)(METRIC_DROPS + cause), s->closed_by_code[cause]);
        CHECK(lost >= s->closed_by_code[cause]);
        lost -= s->closed_by_code[cause];
    }
    add(m, METRIC_DROPS + METRIC_NAMED_lost, lost);
}

void
gather_conns(struct metrics *m, const struct conns_stats *s)
{
    add(m, METRIC_BYTES_SENT, s->send_bytes);
    add(m, METRIC_BYTES_RECEIVED, s->receive_bytes);
    add(m, METRIC_SENDS, s->sends);
    add(m, METRIC_RECEIVES, s->receives);
}

void
gather_send_queues(struct metrics *m, const struct hist *sampled_bytes, uint32_t connections)
{
    double mean =
        sampled_bytes->count == 0 ? 0 : (double)sampled_bytes->sum / (double)sampled_bytes->count;
    m->values[METRIC_SEND_QUEUE_BYTES] += mean * connections;
    uint64_t p99 = hist_quantile(sampled_bytes, 0.99);
    if ((double)p99 > m->values[METRIC_SEND_QUEUE_P99_BYTES])
        set(m, METRIC_SEND_QUEUE_P99_BYTES, p99);
}

static void
deepest(struct metrics *m, enum metric_ring ring, uint32_t bytes)
{
    double *value = &m->values[METRIC_RING_DEPTH_BYTES + ring];
    if (bytes > *value)
        *value = bytes;
}

void
gather_rings(struct metrics *m, enum metric_ring out, const struct rings_stats *s)
{
    CHECK(out < METRIC_RING_COUNT);
    enum metric_ring in =
        out == METRIC_NAMED_gate_to_logic ? METRIC_NAMED_logic_to_gate : METRIC_NAMED_gate_to_logic;
    deepest(m, in, s->in_bytes);
    deepest(m, out, s->out_bytes);
    add(m, (enum metric)(METRIC_RING_FULL + (int)out), s->full);
}

void
gather_store(struct metrics *m, const struct lmdb_store_stats *s, uint32_t under_way)
{
    set(m, METRIC_STORE_UNDER_WAY, under_way);
    set(m, METRIC_STORE_GETS, s->gets);
    set(m, METRIC_STORE_COMMITS, s->commits);
    set(m, METRIC_STORE_DOCUMENTS, s->documents);
    set(m, METRIC_STORE_GROUPS, s->groups);
    set(m, METRIC_STORE_CONFLICTS, s->conflicts);
    set(m, METRIC_STORE_FAILURES, s->unknown + s->unavailable);
    set(m, METRIC_STORE_UNKNOWN, s->unknown);
    set(m, METRIC_STORE_CORRUPT, s->corrupt);
    set(m, METRIC_STORE_REFUSED, s->refused);
    set(m, METRIC_STORE_BYTES, s->used_bytes);
    set(m, METRIC_STORE_FILLING, s->filling);
    set(m, METRIC_STORE_FAILED, s->failed);
    m->histograms_us[METRIC_STORE_GROUP] = s->group_us;
}

void
gather_server(struct metrics *m, const struct pg_store_stats *s, uint32_t under_way, bool away)
{
    add(m, METRIC_STORE_UNDER_WAY, under_way);
    add(m, METRIC_STORE_GETS, s->gets);
    add(m, METRIC_STORE_COMMITS, s->commits);
    add(m, METRIC_STORE_DOCUMENTS, s->documents);
    add(m, METRIC_STORE_GROUPS, s->groups);
    add(m, METRIC_STORE_CONFLICTS, s->conflicts);
    add(m, METRIC_STORE_FAILURES, s->unknown + s->unavailable);
    add(m, METRIC_STORE_UNKNOWN, s->unknown);
    add(m, METRIC_STORE_REFUSED, s->refused);
    add(m, METRIC_STORE_GETS_LOST, s->lost_gets);
    add(m, METRIC_STORE_HINTS, s->hints);
    add(m, METRIC_STORE_HINTS_DROPPED, s->hints_dropped);
    add(m, METRIC_STORE_CONNECTIONS, s->connections);
    add(m, METRIC_STORE_CONNECTIONS_LOST, s->connections_lost);
    if (m->values[METRIC_STORE_SERVERS] == 0) /* the first of them */
        hist_reset(&m->histograms_us[METRIC_STORE_GROUP]);
    hist_merge(&m->histograms_us[METRIC_STORE_GROUP], &s->group_us);
    add(m, METRIC_STORE_SERVERS, 1);
    add(m, METRIC_STORE_SERVERS_AWAY, away);
}

void
gather_committer(struct metrics *m, const struct committer_stats *s, uint32_t under_way)
{
    set(m, METRIC_COMMITTER_UNDER_WAY, under_way);
    set(m, METRIC_COMMITTER_TOGETHER, s->together);
    set(m, METRIC_COMMITTER_BEGUN, s->begun);
    set(m, METRIC_COMMITTER_ENDED + METRIC_OF_committed, s->committed);
    set(m, METRIC_COMMITTER_ENDED + METRIC_OF_conflict, s->conflicts);
    set(m, METRIC_COMMITTER_ENDED + METRIC_OF_aborted, s->aborted);
    set(m, METRIC_COMMITTER_WAITS, s->blocked);
    set(m, METRIC_COMMITTER_SETTLED + METRIC_OF_forward, s->helper_forward + s->janitor_forward);
    set(m, METRIC_COMMITTER_SETTLED + METRIC_OF_back, s->helper_abort + s->janitor_abort);
    set(m, METRIC_COMMITTER_UNKNOWN, s->unknown);
    set(m, METRIC_COMMITTER_UNKNOWN_CLEARED, s->unknown_resolved);
    set(m, METRIC_COMMITTER_UNKNOWN_TOLD, s->unknown_told);
}

void
gather_scans(struct metrics *m, const struct store_stats *s)
{
    for (int role = 0; role < METRIC_ROLE_COUNT; role++)
        set(m, (enum metric)(METRIC_STORE_SCANS + role), s->scans[role]);
}

void
gather_places(struct metrics *m, const struct places_stats *s)
{
    set(m, METRIC_PLACES_UNSAVED, s->dirty);
    m->values[METRIC_PLACES_LAG] = (double)s->lag_ms / 1e3;
}

void
gather_mesh(struct metrics *m, const struct mesh_stats *s, uint32_t book_nodes)
{
    set(m, METRIC_BOOK_NODES, book_nodes);
    set(m, METRIC_LINK_HANDSHAKES, s->handshakes);
    set(m, METRIC_LINK_HELLOS_REFUSED, s->refused_hellos);
    set(m, METRIC_LINK_MALFORMED, s->malformed);
    set(m, METRIC_LINK_MESSAGES_SENT, s->messages_out);
    set(m, METRIC_LINK_MESSAGES_RECEIVED, s->messages_in);
    set(m, METRIC_LINK_SENDS, s->sends);
    set(m, METRIC_NODE_SUSPICIONS, s->suspicions);
    set(m, METRIC_NODE_DEATHS, s->deaths);
    set(m, METRIC_NODE_DISPUTES, s->disputed);
    set(m, METRIC_CLOCKS_APART, s->clocks_apart);
    m->histograms_us[METRIC_BEAT] = s->round_trip_us;
}

void
gather_link(struct metrics *m, const struct mesh_link *link)
{
    CHECK(m->links_count < METRICS_LINKS_MAX && link->state < MESH_LINK_STATES);
    struct metrics_link *out = &m->links[m->links_count++];
    double *v = out->values;
    snprintf(out->peer, sizeof out->peer, "%s", link->name);
    add(m, METRIC_LINKS + (enum metric)link->state, 1);
    v[LINK_METRIC_UP] = link->state == MESH_LINK_UP;
    v[LINK_METRIC_ROUND_TRIP] = (double)link->round_trip_us / 1e6;
    v[LINK_METRIC_SENT] = (double)link->bytes_out;
    v[LINK_METRIC_RECEIVED] = (double)link->bytes_in;
    v[LINK_METRIC_QUEUE + METRIC_OF_control] = (double)link->control_bytes;
    v[LINK_METRIC_QUEUE + METRIC_OF_data] = (double)link->data_bytes;
    v[LINK_METRIC_BACKLOG] = (double)link->backlog_us / 1e6;
    v[LINK_METRIC_REFUSED + METRIC_OF_control] = (double)link->refused[MESH_LANE_CONTROL];
    v[LINK_METRIC_REFUSED + METRIC_OF_data] = (double)link->refused[MESH_LANE_DATA];
    v[LINK_METRIC_REFUSED + METRIC_OF_request] = (double)link->refused[MESH_LANE_REQUEST];
    v[LINK_METRIC_UPS] = (double)link->ups;
    v[LINK_METRIC_BREAKS] = (double)link->breaks;
    v[LINK_METRIC_BEATS_MISSED] = (double)link->beats_missed;
}

void
gather_requests(struct metrics *m, const struct requests_stats *s)
{
    set(m, METRIC_REQUESTS_ASKING, s->asking);
    set(m, METRIC_REQUESTS_SERVING, s->serving);
    set(m, METRIC_REQUESTS_ASKED, s->asked);
    set(m, METRIC_REQUESTS_ENDED + METRIC_OF_done, s->done);
    set(m, METRIC_REQUESTS_ENDED + METRIC_OF_rejected, s->rejected);
    set(m, METRIC_REQUESTS_ENDED + METRIC_OF_late, s->late);
    set(m, METRIC_REQUESTS_SERVED + METRIC_OF_answered, s->served);
    set(m, METRIC_REQUESTS_SERVED + METRIC_OF_refused, s->refused);
    set(m, METRIC_REQUESTS_SERVED + METRIC_OF_cancelled, s->cancelled);
    set(m, METRIC_REQUESTS_SERVED + METRIC_OF_expired, s->expired);
    set(m, METRIC_REQUESTS_UNSENT, s->unsent);
    set(m, METRIC_REQUESTS_UNMATCHED, s->unmatched);
    set(m, METRIC_REQUESTS_MALFORMED, s->malformed);
}

void
gather_notes(struct metrics *m, const struct notes_stats *s)
{
    for (int kind = 0; kind < METRIC_NOTE_COUNT; kind++) {
        set(m, (enum metric)(METRIC_NOTES_TOLD + kind), s->told[NOTE_LINE + kind]);
        set(m, (enum metric)(METRIC_NOTES_HEARD + kind), s->heard[NOTE_LINE + kind]);
    }
    set(m, METRIC_NOTES_REPEATED, s->again);
    set(m, METRIC_NOTES_PASSED, s->passed);
    set(m, METRIC_NOTES_PASSED_OVER, s->passed_over);
    set(m, METRIC_NOTES_LOST, s->lost + s->full);
    set(m, METRIC_NOTES_LIMITED, s->limited);
    set(m, METRIC_NOTES_REFUSED, s->refused);
}

void
gather_relay(struct metrics *m, uint64_t refused)
{
    set(m, METRIC_RELAY_REFUSED, refused);
}

void
gather_directory(struct metrics *m, const struct directory_stats *s, int64_t now_us)
{
    set(m, METRIC_DIRECTORY_AWAY, s->away_since_us != 0);
    m->values[METRIC_DIRECTORY_ANSWER_AGE] =
        s->answered_us == 0 ? 0 : (double)(now_us - s->answered_us) / 1e6;
    set(m, METRIC_DIRECTORY_LISTS, s->lists);
    set(m, METRIC_DIRECTORY_LISTS_FAILED, s->lists_failed);
    set(m, METRIC_DIRECTORY_HEALED, s->healed);
    set(m, METRIC_DIRECTORY_WATCHES, s->watches);
    set(m, METRIC_DIRECTORY_COMPACTED, s->compacted);
    set(m, METRIC_DIRECTORY_HINTS, s->hints);
    set(m, METRIC_DIRECTORY_RENEWALS, s->keeps);
    set(m, METRIC_DIRECTORY_LOST, s->lost);
    set(m, METRIC_DIRECTORY_CLAIMS, s->claims);
    set(m, METRIC_DIRECTORY_RETURNS, s->returns);
    set(m, METRIC_DIRECTORY_UNKNOWN, s->unknown);
    set(m, METRIC_DIRECTORY_RESETS, s->resets);
}

void
gather_log(struct metrics *m, const struct log_stats *s)
{
    set(m, METRIC_LOG_SUPPRESSED, s->suppressed + s->lost);
}

void
gather_process(struct metrics *m, int64_t started_mono_us, int64_t world_ms)
{
    m->values[METRIC_CPU] = (double)process_cpu_us() / 1e6;
    set(m, METRIC_RSS, process_rss_bytes());
    set(m, METRIC_WAKEUPS, process_wakeups());
    m->values[METRIC_UPTIME] = (double)(process_mono_us() - started_mono_us) / 1e6;
    m->values[METRIC_WORLD_TIME] = (double)world_ms / 1e3;
}
