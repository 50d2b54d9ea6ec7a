/* What the store is made to hold, effect by effect: who is home to whom, who is steward of what. */
#include "base/check.h"
#include "documents.pb-c.h"
#include "proof/cluster_state.h"
#include "store/player.h"
#include "store/scratch.h"

const struct cluster_claim *
cluster_claim_of(const struct cluster_model *m, uint64_t id)
{
    uint32_t slot = map_get(&m->claim_by_id, id);
    return slot == MAP_NONE ? NULL : &m->claims[slot];
}

static struct cluster_claim *
claim_at(struct cluster_model *m, uint64_t id)
{
    uint32_t slot = map_get(&m->claim_by_id, id);
    if (slot == MAP_NONE) {
        slot = m->claims_count++;
        CHECK(slot < CLUSTER_SEEN_MAX && map_put(&m->claim_by_id, id, slot) == OK);
        m->claims[slot] = (struct cluster_claim){.id = id};
    }
    return &m->claims[slot];
}

static void
claimed(struct cluster_model *m, uint64_t id, uint64_t epoch, uint64_t node,
        enum cluster_property property)
{
    struct cluster_claim *c = claim_at(m, id);
    cluster_exercised(m, property);
    if (epoch != c->epoch) {
        cluster_trace(m, "%llx belongs to node %llu, epoch %llu", (unsigned long long)id,
                      (unsigned long long)node, (unsigned long long)epoch);
    }
    bool given_up = node == 0; /* whoever leaves in order says that nobody is home */
    if (epoch < c->epoch || (epoch == c->epoch && node != c->node && !given_up)) {
        cluster_wrong(m, PROOF_WRONG, property,
                      "%llx went from epoch %llu of node %llu to epoch %llu of node %llu",
                      (unsigned long long)id, (unsigned long long)c->epoch,
                      (unsigned long long)c->node, (unsigned long long)epoch,
                      (unsigned long long)node);
    }
    c->epoch = epoch;
    c->node = node;
}

void
cluster_named(struct cluster_model *m, uint64_t epoch, uint16_t shard)
{
    CHECK(m->names_count < CLUSTER_NAMES_MAX);
    m->names[m->names_count++] = (struct cluster_name){.epoch = epoch, .shard = shard};
}

/* Whoever is home to somebody, or steward of something, on that island, is of its shard. */
static void
check_island(struct cluster_model *m, uint64_t id, uint64_t node, uint32_t island)
{
    uint16_t shard = 0;
    for (uint32_t i = m->names_count; i > 0 && shard == 0; i--) {
        shard = m->names[i - 1].epoch == node ? m->names[i - 1].shard : 0;
    }
    CHECK(island >= 1 && island <= m->knobs.shards);
    cluster_exercised(m, CLUSTER_OWN_ISLAND);
    if (node != 0 && shard != m->shard_of[island]) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_OWN_ISLAND,
                      "node %llu of shard %u claims %llx on island %u of shard %u",
                      (unsigned long long)node, shard, (unsigned long long)id, island,
                      m->shard_of[island]);
    }
}

static uint64_t
last_seq_of(const struct store_doc *doc)
{
    struct scratch scratch;
    scratch_init(&scratch);
    const Seom__PlayerDocument *d =
        doc->exists
            ? seom__player_document__unpack(&scratch.allocator, doc->value.bytes, doc->value.at)
            : NULL;
    return d == NULL ? 0 : d->last_seq;
}

static void
player_changed(struct cluster_model *m, uint64_t id, const struct store_doc *before,
               const struct store_doc *after)
{
    struct scratch scratch;
    scratch_init(&scratch);
    const Seom__PlayerDocument *d =
        seom__player_document__unpack(&scratch.allocator, after->value.bytes, after->value.at);
    if (d == NULL) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_FENCED, "the document of %llx cannot be read",
                      (unsigned long long)id);
        return;
    }
    claimed(m, id, d->session_epoch, d->home_node, CLUSTER_ONE_HOME);
    if (d->stood != NULL) {
        check_island(m, id, d->home_node, d->stood->island);
    }
    cluster_exercised(m, CLUSTER_FENCED);
    if (d->last_seq < last_seq_of(before)) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_FENCED, "command %llu of %llx was taken back",
                      (unsigned long long)last_seq_of(before), (unsigned long long)id);
    }
}

static void
steward_changed(struct cluster_model *m, uint64_t block, const struct store_doc *after)
{
    struct scratch scratch;
    scratch_init(&scratch);
    const Seom__StewardDocument *d =
        seom__steward_document__unpack(&scratch.allocator, after->value.bytes, after->value.at);
    if (d != NULL) {
        claimed(m, block, d->steward_epoch, d->steward, CLUSTER_ONE_STEWARD);
        check_island(m, block, d->steward, topic_island(block));
    }
}

bool
cluster_page_is_needed(const struct cluster_model *m, uint64_t page, const struct store_doc *doc)
{
    for (uint32_t slot = 0; slot < PLACE_PAGE_SLOTS; slot++) {
        struct stand stand;
        struct player player;
        if (!place_page_read(doc->value, slot, &stand)) {
            continue;
        }
        struct key key = key_make(CLUSTER_WORLD, KEY_CLASS_PLAYER, stand.player);
        struct store_doc named = memory_store_look(m->store, key_slice(&key));
        /* What is older than the claim stands in the document itself. */
        if (player_decode(stand.player, &named, &player) == OK && player.home.slot.page == page &&
            player.home.slot.slot == slot &&
            stand.motion.since_ms >= player.home.stood.motion.since_ms) {
            return true;
        }
    }
    return false;
}

static void
page_went(struct cluster_model *m, uint64_t page, const struct store_doc *before)
{
    cluster_exercised(m, CLUSTER_PLACE_KEPT);
    cluster_sometimes(m, CLUSTER_SOMETIMES_SWEPT);
    if (cluster_page_is_needed(m, page, before)) {
        cluster_wrong(m, PROOF_WRONG, CLUSTER_PLACE_KEPT, "page %llx went, and is needed",
                      (unsigned long long)page);
    }
}

void
cluster_effect(void *ctx, struct slice key, const struct store_doc *before,
               const struct store_doc *after)
{
    struct cluster_model *m = ctx;
    struct key_parts parts;
    if (key_parse(key, &parts) != OK || !parts.is_id) {
        return;
    }
    if (!after->exists) {
        if (before->exists && key_has_class(&parts, KEY_CLASS_PLACE)) {
            page_went(m, parts.id, before);
        }
        return;
    }
    if (key_has_class(&parts, KEY_CLASS_PLAYER)) {
        player_changed(m, parts.id, before, after);
    } else if (key_has_class(&parts, KEY_CLASS_STEWARD)) {
        steward_changed(m, parts.id, after);
    }
}
