/* What must hold in a cluster. While faults fall: what the nodes say of themselves. At the end,
 * when the faults have been over for a while and everybody stands still: what people, gates, homes,
 * the directory and the documents say must be one and the same.
 */
#include "base/check.h"
#include "documents.pb-c.h"
#include "proof/cluster_state.h"
#include "rules/sample.h"
#include "society/audit.h"
#include "society/chunk.h"
#include "store/player.h"
#include "store/scratch.h"
#include <stdlib.h>
#include <string.h>

#define OWN_MM     300
#define OVERDUE_US 100000
#define REST_US    1000000

/* ---- at any time ---- */

static void
check_island(struct cluster_node *n, uint64_t player, uint32_t island, const char *does)
{
    struct cluster_model *m = n->model;
    cluster_exercised(m, CLUSTER_OWN_ISLAND);
    if (island < 1 || island > m->knobs.shards || m->shard_of[island] != n->self.shard) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_OWN_ISLAND, "%s %s %llx on island %u", n->self.name,
                      does, (unsigned long long)player, island);
    }
}

static void
check_home(struct cluster_node *n)
{
    struct cluster_model *m = n->model;
    struct world_player player;
    uint32_t cursor = 0;
    cluster_exercised(m, CLUSTER_NO_SCANS);
    if (world_store_stats(n->world)->scans[ROLE_PLAY] != 0) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_NO_SCANS, "%s walked over documents", n->self.name);
    }
    while (world_next_player(n->world, &cursor, &player)) {
        const struct cluster_claim *c = cluster_claim_of(m, player.player);
        cluster_exercised(m, CLUSTER_ONE_HOME);
        bool theirs = c != NULL && c->epoch == player.session_epoch && c->node != n->self.epoch;
        if (theirs || c == NULL || player.session_epoch > c->epoch) {
            cluster_wrong(m, PROOF_WRONG, CLUSTER_ONE_HOME,
                          "%s plays %llx under epoch %llu, which it never won", n->self.name,
                          (unsigned long long)player.player,
                          (unsigned long long)player.session_epoch);
        }
        check_island(n, player.player, player.island, "plays");
    }
    struct world_ghost ghost;
    cursor = 0;
    while (world_next_ghost(n->world, &cursor, &ghost)) {
        check_island(n, ghost.player, ghost.island, "knows a ghost of");
    }
}

static void
check_requests(struct cluster_node *n)
{
    struct cluster_model *m = n->model;
    const struct requests_stats *s = requests_stats(n->requests);
    cluster_exercised(m, CLUSTER_TIMELY);
    if (s->asked != s->done + s->rejected + s->late + s->asking) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_TIMELY, "%s lost count of its requests",
                      n->self.name);
    }
    n->rested_us = s->asking == 0 ? cluster_now_us(m) : n->rested_us;
    int64_t overdue_us = requests_overdue_us(n->requests);
    bool had_time = cluster_now_us(m) - n->went_on_us > OVERDUE_US;
    if (overdue_us > OVERDUE_US && had_time) {
        cluster_wrong(m, PROOF_STUCK, CLUSTER_TIMELY,
                      "%s waits for an answer that is %lld ms overdue", n->self.name,
                      (long long)overdue_us / 1000);
    }
}

static void
note_sometimes(const struct cluster_node *n)
{
    struct cluster_model *m = n->model;
    const struct world_stats *w = world_stats(n->world);
    m->result->sometimes[CLUSTER_SOMETIMES_RESUMED] += w->resumes > 0;
    m->result->sometimes[CLUSTER_SOMETIMES_FORWARDED] += w->commands_served > 0;
    m->result->sometimes[CLUSTER_SOMETIMES_FORWARD_LATE] += w->forwards_late > 0;
    m->result->sometimes[CLUSTER_SOMETIMES_CLAIM_LOST] += w->claims_lost > 0;
}

void
cluster_check_sample(struct cluster_model *m)
{
    for (uint32_t i = 0; i < m->count && !m->over; i++) {
        struct cluster_node *n = &m->nodes[i];
        if (n->requests != NULL && !n->paused) {
            check_requests(n);
        }
        if (n->world != NULL && !n->paused) {
            check_home(n);
            note_sometimes(n);
        }
    }
}

/* ---- at the end ---- */

struct standing {
    struct cluster_node *home;
    struct world_player player;
    struct place at;
};

/* Who plays where; those whose session is over (an older epoch) do not count. false: twice. */
static bool
find_standing(struct cluster_model *m, uint64_t player, struct standing *out)
{
    struct world_player p;
    out->home = NULL;
    for (uint32_t i = 0; i < m->knobs.homes; i++) {
        struct cluster_node *n = &m->nodes[i];
        uint32_t cursor = 0;
        while (n->world != NULL && world_next_player(n->world, &cursor, &p)) {
            const struct cluster_claim *c = cluster_claim_of(m, p.player);
            if (p.player == player && c != NULL && c->epoch == p.session_epoch) {
                *out = (struct standing){
                    .home = n, .player = p, .at = motion_at(&p.motion, cluster_now_us(m) / 1000)};
            }
        }
    }
    return out->home != NULL;
}

static void
check_plays(struct cluster_person *p, const struct standing *s, bool stands)
{
    struct cluster_model *m = p->model;
    cluster_exercised(m, CLUSTER_PLAYS);
    cluster_exercised(m, CLUSTER_OWN);
    if (seom_client_state(p->client) != SEOM_PLAYING || !stands || s->player.lingering) {
        cluster_wrong(m, PROOF_STUCK, CLUSTER_PLAYS, "person %u, player %llx: state %d, %s",
                      p->index, (unsigned long long)seom_client_player(p->client),
                      (int)seom_client_state(p->client),
                      !stands ? "no home has it" : "its avatar lingers");
        return;
    }
    struct motion self = seom_client_self(p->client);
    struct place at = motion_at(&self, cluster_now_us(m) / 1000);
    if (abs(at.x_mm - s->at.x_mm) > OWN_MM || abs(at.y_mm - s->at.y_mm) > OWN_MM) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_OWN,
                      "person %u believes to stand %d, %d mm from where %s has it", p->index,
                      at.x_mm - s->at.x_mm, at.y_mm - s->at.y_mm, s->home->self.name);
    }
}

/* INT32_MAX: on another island, or nowhere. */
static int32_t
chunks_apart(const struct standing *a, const struct standing *b)
{
    int32_t dx = abs(chunk_of(a->at.x_mm) - chunk_of(b->at.x_mm));
    int32_t dy = abs(chunk_of(a->at.y_mm) - chunk_of(b->at.y_mm));
    bool same = a->home != NULL && b->home != NULL && a->player.island == b->player.island;
    return !same ? INT32_MAX : dx > dy ? dx : dy;
}

static void
check_sight(struct cluster_person *p, const struct standing *own, uint64_t other,
            const struct standing *there)
{
    struct cluster_model *m = p->model;
    const struct seom_entity *seen = seom_client_find(p->client, other);
    int32_t apart = chunks_apart(own, there);
    cluster_exercised(m, CLUSTER_VISIBLE);
    cluster_exercised(m, CLUSTER_NO_GHOST);
    if (apart <= 1 && seen == NULL) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_VISIBLE, "person %u of %s does not see %llx of %s",
                      p->index, own->home->self.name, (unsigned long long)other,
                      there->home->self.name);
    }
    if (seen == NULL) {
        return;
    }
    struct place shown = motion_at(&seen->motion, cluster_now_us(m) / 1000);
    bool elsewhere = apart <= 1 && (abs(shown.x_mm - there->at.x_mm) > OWN_MM ||
                                    abs(shown.y_mm - there->at.y_mm) > OWN_MM);
    if (apart > 3 || elsewhere) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_NO_GHOST, "person %u of %s sees %llx where it is not",
                      p->index, own->home->self.name, (unsigned long long)other);
    }
}

/* What the documents say lies in a chunk, against what a client knows there. */
static void
check_things(struct cluster_person *p, const struct standing *own, int32_t cx, int32_t cy)
{
    struct cluster_model *m = p->model;
    struct scratch scratch;
    uint32_t known = 0, listed = 0;
    uint32_t island = own->player.island;
    struct key key = chunk_key(CLUSTER_WORLD, chunk_id(island, (uint16_t)cx, (uint16_t)cy));
    struct store_doc doc = memory_store_look(m->store, key_slice(&key));
    scratch_init(&scratch);
    const Seom__ChunkDocument *d =
        doc.exists ? seom__chunk_document__unpack(&scratch.allocator, doc.value.bytes, doc.value.at)
                   : NULL;
    cluster_exercised(m, CLUSTER_THINGS);
    for (size_t i = 0; d != NULL && i < d->n_things; i++) {
        listed++;
        if (seom_client_find(p->client, d->things[i]->id) == NULL) {
            cluster_wrong(m, PROOF_WRONG, CLUSTER_THINGS,
                          "person %u of %s does not see thing %llx of chunk %d, %d", p->index,
                          own->home->self.name, (unsigned long long)d->things[i]->id, cx, cy);
            return;
        }
    }
    const struct seom_entity *e = NULL;
    while ((e = seom_client_in_chunk(p->client, (uint16_t)cx, (uint16_t)cy, e)) != NULL) {
        known += e->thing_kind == SAMPLE_DROP || e->thing_kind == SAMPLE_CHEST;
    }
    if (known != listed) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_THINGS,
                      "person %u of %s sees %u things in chunk %d, %d, where %u lie", p->index,
                      own->home->self.name, known, cx, cy, listed);
    }
}

/* Whose session another home has, none other goes on with, hint or no hint. */
static void
check_one_home(struct cluster_node *n)
{
    struct cluster_model *m = n->model;
    struct world_player p;
    uint32_t cursor = 0;
    while (world_next_player(n->world, &cursor, &p) && !m->over) {
        const struct cluster_claim *c = cluster_claim_of(m, p.player);
        cluster_exercised(m, CLUSTER_PLAYS);
        if (c == NULL || c->epoch != p.session_epoch) {
            cluster_wrong(m, PROOF_WRONG, CLUSTER_PLAYS, "%s still plays %llx, epoch %llu",
                          n->self.name, (unsigned long long)p.player,
                          (unsigned long long)p.session_epoch);
        }
    }
}

static void
check_people(struct cluster_model *m)
{
    for (uint32_t i = 0; i < m->knobs.homes && !m->over; i++) {
        check_one_home(&m->nodes[i]);
    }
    static struct standing standing[CLUSTER_PERSONS_MAX];
    for (uint32_t i = 0; i < m->knobs.persons && !m->over; i++) {
        struct cluster_person *p = &m->persons[i];
        bool stands = find_standing(m, seom_client_player(p->client), &standing[i]);
        check_plays(p, &standing[i], stands);
    }
    for (uint32_t i = 0; i < m->knobs.persons && !m->over; i++) {
        const struct standing *own = &standing[i];
        for (uint32_t k = 0; k < m->knobs.persons && !m->over; k++) {
            if (k != i) {
                check_sight(&m->persons[i], own, seom_client_player(m->persons[k].client),
                            &standing[k]);
            }
        }
        int32_t cx = chunk_of(own->at.x_mm), cy = chunk_of(own->at.y_mm);
        for (int32_t n = 0; n < 9 && !m->over; n++) {
            check_things(&m->persons[i], own, cx - 1 + n % 3, cy - 1 + n / 3);
        }
    }
}

static void
check_digests(struct cluster_model *m)
{
    for (uint32_t h = 0; h < m->knobs.homes && !m->over; h++) {
        for (uint32_t g = 0; g < m->knobs.gates && !m->over; g++) {
            struct cluster_node *home = &m->nodes[h], *gate = cluster_gate(m, g);
            if (home->self.shard != gate->self.shard) {
                continue;
            }
            uint32_t peer = mesh_peer_of(home->mesh, gate->self.epoch);
            cluster_exercised(m, CLUSTER_DIGEST);
            if (peer == PEERS_MAX) {
                cluster_wrong(m, PROOF_STUCK, CLUSTER_DIGEST, "%s and %s have no link",
                              home->self.name, gate->self.name);
                return;
            }
            for (int wakes = 0; wakes < 2; wakes++) {
                if (world_digest(home->world, peer, wakes) !=
                    gate_digest(gate->gate_object, wakes)) {
                    cluster_wrong(m, PROOF_WRONG, CLUSTER_DIGEST,
                                  "%s has another set than %s subscribed", home->self.name,
                                  gate->self.name);
                }
            }
        }
    }
}

/* Homes and relays of all shards, and gates register nowhere. */
static void
check_books(struct cluster_model *m)
{
    uint32_t all = m->knobs.homes + m->knobs.relays;
    for (uint32_t i = 0; i < m->count && !m->over; i++) {
        if (cluster_node_is_gate(&m->nodes[i])) {
            continue;
        }
        const struct book *book = directory_book(m->nodes[i].directory);
        uint32_t there = 0;
        cluster_exercised(m, CLUSTER_BOOK);
        for (uint32_t k = 0; k < m->count; k++) {
            there += book_find(book, m->nodes[k].self.epoch) != NULL;
        }
        if (there != all || book->count != all) {
            cluster_wrong(m, PROOF_STUCK, CLUSTER_BOOK, "the book of %s has %u nodes, %u of %u",
                          m->nodes[i].self.name, book->count, there, all);
        }
    }
}

/* ---- links ---- */

static uint32_t
pairs(uint32_t k)
{
    return k * (k - 1) / 2;
}

/* As docs/shards.md counts them. */
static uint32_t
links_to_be(const struct cluster_model *m)
{
    uint32_t links = pairs(m->knobs.relays);
    for (uint16_t shard = 1; shard <= m->knobs.shards; shard++) {
        uint32_t count[NODE_ROLES] = {0};
        for (uint32_t i = 0; i < m->count; i++) {
            count[m->nodes[i].self.role] += m->nodes[i].self.shard == shard;
        }
        uint32_t homes = count[NODE_HOME];
        links += pairs(homes) + homes * (count[NODE_GATE] + count[NODE_RELAY]);
    }
    return links;
}

/* Each node knows its own, and no line is open that is none of them. */
static void
check_links(struct cluster_model *m)
{
    uint32_t to_be = links_to_be(m), ends = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        ends += mesh_stats(m->nodes[i].mesh)->peers;
    }
    uint32_t open = sim_lines_stats(m->lines)->open;
    cluster_exercised(m, CLUSTER_LINKS);
    if (ends != 2 * to_be || open != to_be) {
        cluster_wrong(m, PROOF_STUCK, CLUSTER_LINKS,
                      "there are %u lines and %u ends of links, not %u and %u", open, ends, to_be,
                      2 * to_be);
    }
}

/* Nobody has moved for long, so nobody waits for an answer, but of who was told a moment ago where
 * the gates are. */
static void
check_nothing_asked(struct cluster_model *m)
{
    for (uint32_t i = 0; i < m->count && !m->over; i++) {
        const struct cluster_node *n = &m->nodes[i];
        const struct requests_stats *s = requests_stats(n->requests);
        cluster_exercised(m, CLUSTER_TIMELY);
        if (cluster_now_us(m) - n->rested_us > REST_US) {
            cluster_wrong(m, PROOF_STUCK, CLUSTER_TIMELY, "%s still waits for %u answers",
                          n->self.name, s->asking);
        }
    }
}

/* ---- the audit ---- */

struct auditing {
    struct cluster_model *model;
    struct audit *audit;
};

static void
on_finding(void *ctx, const char *what)
{
    struct cluster_model *m = ctx;
    cluster_wrong(m, PROOF_WRONG, CLUSTER_BALANCED, "the audit found: %s", what);
}

static void
check_balance(struct cluster_model *m)
{
    struct audit *audit = audit_alloc(1U << 16);
    CHECK(audit != NULL);
    struct slice key;
    struct store_doc doc;
    uint32_t cursor = 0;
    while (memory_store_next(m->store, &cursor, &key, &doc)) {
        struct key_parts parts;
        if (doc.exists && key_parse(key, &parts) == OK) {
            CHECK(audit_read(audit, &parts, doc.value) == OK);
        }
    }
    cluster_exercised(m, CLUSTER_BALANCED);
    struct audit_result result = audit_end(audit, 1, on_finding, m);
    audit_free(&audit);
    if (!result.balanced) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_BALANCED, "the audit does not balance");
    }
}

/* ---- pages of places ---- */

static bool
page_has_owner(const struct cluster_model *m, uint64_t page)
{
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->nodes[i].world != NULL && world_owns_page(m->nodes[i].world, page)) {
            return true;
        }
    }
    return false;
}

/* A page stays as long as a document names it, also for a place that the document knows better. */
static bool
page_is_named(const struct cluster_model *m, uint64_t page, const struct store_doc *doc)
{
    for (uint32_t slot = 0; slot < PLACE_PAGE_SLOTS; slot++) {
        struct stand stand;
        struct player player;
        if (place_page_read(doc->value, slot, &stand)) {
            struct key key = key_make(CLUSTER_WORLD, KEY_CLASS_PLAYER, stand.player);
            struct store_doc named = memory_store_look(m->store, key_slice(&key));
            if (player_decode(stand.player, &named, &player) == OK &&
                player.home.slot.page == page) {
                return true;
            }
        }
    }
    return false;
}

static void
check_pages(struct cluster_model *m)
{
    struct slice key;
    struct store_doc doc;
    struct key_parts parts;
    uint32_t cursor = 0;
    while (memory_store_next(m->store, &cursor, &key, &doc) && !m->over) {
        if (!doc.exists || key_parse(key, &parts) != OK || !parts.is_id ||
            !key_has_class(&parts, KEY_CLASS_PLACE)) {
            continue;
        }
        cluster_exercised(m, CLUSTER_PAGES);
        if (!page_has_owner(m, parts.id) && !page_is_named(m, parts.id, &doc)) {
            cluster_wrong(m, PROOF_STUCK, CLUSTER_PAGES, "page %llx is nobody's, and is there",
                          (unsigned long long)parts.id);
        }
    }
}

void
cluster_check_end(struct cluster_model *m)
{
    for (uint32_t i = 0; i < m->count && !m->over; i++) {
        const struct cluster_node *n = &m->nodes[i];
        cluster_exercised(m, CLUSTER_ALIVE);
        if (n->life != LIFE_RUNS) {
            cluster_wrong(m, PROOF_STUCK, CLUSTER_ALIVE, "%s does not run", n->self.name);
        }
    }
    if (!m->over) {
        check_books(m);
    }
    if (!m->over) {
        check_links(m);
    }
    if (!m->over) {
        check_people(m);
    }
    if (!m->over) {
        cluster_lines_check(m);
    }
    if (!m->over) {
        check_nothing_asked(m);
    }
    if (!m->over) {
        check_digests(m);
    }
    if (!m->over) {
        check_balance(m);
    }
    if (!m->over) {
        check_pages(m);
    }
}
