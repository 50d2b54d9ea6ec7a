#include "base/check.h"
#include "fabric/directory_inside.h"
#include <stdio.h>

/* Whose is what stands under the own key? */
enum whose { WHOSE_NOBODY, WHOSE_MINE, WHOSE_FORMER, WHOSE_STRANGER };

static enum whose
own_whose(const struct own *own)
{
    if (!own->there)
        return WHOSE_NOBODY;
    if (!own->readable || own->standing.installation != own->installation)
        return WHOSE_STRANGER;
    if (own->standing.life == own->life)
        return WHOSE_MINE;
    /* Before our own claim it is of a process that used our data directory before us. After it
     * somebody runs on a copy of our data directory, and has taken us for dead. */
    return own->claim == 0 ? WHOSE_FORMER : WHOSE_STRANGER;
}

bool
own_is_stranger(const struct directory *d)
{
    return own_whose(&d->own) == WHOSE_STRANGER;
}

static bool
own_stands_as_wanted(const struct own *own)
{
    struct node standing = own->standing.node;
    standing.epoch = own->node.epoch; /* not said in the first entry */
    return node_is_same(&standing, &own->node) && own->standing_lease == own->lease;
}

enum own_step
own_next(const struct directory *d, int64_t now_us)
{
    const struct own *own = &d->own;
    if (!own->wanted)
        return own->lease != 0 ? OWN_REVOKE : OWN_NOTHING;
    if (own->lease == 0)
        return OWN_GRANT;
    if (now_us >= own->keep_us)
        return OWN_KEEP;
    if (!own->known)
        return OWN_LOOK;
    switch (own_whose(own)) {
    case WHOSE_NOBODY: return OWN_PUT;
    case WHOSE_FORMER: return OWN_REMOVE;
    case WHOSE_MINE: return own_stands_as_wanted(own) ? OWN_NOTHING : OWN_PUT;
    case WHOSE_STRANGER: break; /* refused when it was seen: not wanted any more */
    }
    CHECK(!"a stranger's entry is not wanted");
    return OWN_NOTHING;
}

const char *
directory_waits(const struct directory *d)
{
    const struct own *own = &d->own;
    if (own->installation == 0 || !own->wanted || own->node.epoch != 0)
        return NULL;
    if (d->stats.away_since_us != 0)
        return "it does not answer";
    if (own->lease == 0)
        return "a lease";
    if (!own->known)
        return "the list of who is there";
    return own_whose(own) == WHOSE_FORMER ? "the entry of the process before to be taken away"
                                          : "the own entry to be put there";
}

/* The highest epoch known before the first put of this life: whenever that put or a later one takes
 * effect, its revision is higher. */
static void
own_take_floor(struct directory *d)
{
    struct own *own = &d->own;
    if (own->has_floor)
        return;
    own->has_floor = true;
    own->floor = 0;
    for (uint32_t i = 0; i < d->book.count; i++)
        if (d->book.nodes[i].epoch > own->floor)
            own->floor = d->book.nodes[i].epoch;
}

static enum err
own_put(struct directory *d)
{
    struct own *own = &d->own;
    own_take_floor(d);
    uint8_t bytes[DIRECTORY_NODE_MAX];
    own->sent = (struct directory_node){own->node, own->installation, own->life};
    size_t count = directory_node_write(&own->sent, bytes);
    struct directory_change change = {.key = directory_key_slice(&own->key),
                                      .value = {bytes, count},
                                      .expected = own->there ? own->revision : 0,
                                      .lease = own->lease};
    return d->port.change(d->port.ctx, own->token, &change);
}

enum err
own_do(struct directory *d, enum own_step step)
{
    struct own *own = &d->own;
    CHECK(own->step == OWN_NOTHING);
    own->token = ++d->tokens;
    own->sent = (struct directory_node){0};
    enum err error = OK;
    switch (step) {
    case OWN_GRANT: error = d->port.grant(d->port.ctx, own->token, d->ttl_s); break;
    case OWN_KEEP: error = d->port.keep(d->port.ctx, own->token, own->lease); break;
    case OWN_REMOVE: {
        struct directory_change change = {
            .key = directory_key_slice(&own->key), .expected = own->revision, .remove = true};
        error = d->port.change(d->port.ctx, own->token, &change);
        break;
    }
    case OWN_PUT: error = own_put(d); break;
    case OWN_REVOKE: error = d->port.revoke(d->port.ctx, own->token, own->lease); break;
    case OWN_NOTHING:
    case OWN_LOOK: CHECK(!"a step that is a call");
    }
    if (error == OK)
        own->step = step;
    return error;
}

static void
own_refuse(struct directory *d, const char *why)
{
    d->own.wanted = false;
    env_log(&d->env, LOG_ERROR, "directory.refused", "%s", why);
    if (d->events.refused != NULL)
        d->events.refused(d->events.ctx, why);
}

static void
own_refuse_stranger(struct directory *d)
{
    const struct own *own = &d->own;
    const struct node *other = &own->standing.node;
    const char *remedy = "give this one another index or stop that one; if that one is dead, its "
                         "entry goes by itself";
    char why[DIRECTORY_WHY_MAX];
    if (!own->readable) {
        snprintf(why, sizeof why,
                 "%s of shard %u: %s holds something that no node wrote; remove it", own->node.name,
                 own->node.shard, own->key.text);
    } else if (own->standing.installation == own->installation) {
        snprintf(
            why, sizeof why,
            "%s of shard %u is taken by a process at %s with the same data directory or a copy "
            "of it: stop one of the two",
            own->node.name, own->node.shard, other->address);
    } else {
        snprintf(why, sizeof why,
                 "%s of shard %u is taken: another installation, at %s, version %s, registered as "
                 "%llu; %s within %u s",
                 own->node.name, own->node.shard, other->address, other->version,
                 (unsigned long long)(other->epoch != 0 ? other->epoch : own->created), remedy,
                 d->ttl_s);
    }
    own_refuse(d, why);
}

/* The claim stands since this revision, which becomes the epoch. Unless the directory has lost its
 * history: then revisions that are somebody's epoch come again. */
static void
own_claimed(struct directory *d, uint64_t revision)
{
    struct own *own = &d->own;
    CHECK(own->node.epoch == 0);
    own->claim = revision;
    if (revision <= own->floor) {
        char why[DIRECTORY_WHY_MAX];
        snprintf(
            why, sizeof why,
            "the directory has lost its history: it is at revision %llu, but knows a node that "
            "was registered at %llu; restore it, or stop all nodes and start them again",
            (unsigned long long)revision, (unsigned long long)own->floor);
        own_refuse(d, why);
        return;
    }
    own->node.epoch = revision;
    d->stats.claims++;
    read_self(d);
    if (d->events.claimed != NULL)
        d->events.claimed(d->events.ctx, revision);
}

void
own_note(struct directory *d, const struct directory_entry *entry)
{
    struct own *own = &d->own;
    own->known = true;
    own->vanished = own->vanished || (own->there && entry == NULL);
    own->there = entry != NULL;
    if (entry == NULL)
        return;
    own->created = entry->create_revision;
    own->revision = entry->revision;
    own->standing_lease = entry->lease;
    own->standing = (struct directory_node){.node = own->node};
    own->readable = directory_node_read(entry->value, &own->standing) == OK;
}

/* The entry or its lease is gone, though this process lives. */
static void
own_lost(struct directory *d)
{
    d->own.vanished = false;
    if (d->own.node.epoch == 0)
        return;
    d->stats.lost++;
    if (d->mutant == DIRECTORY_MUTANT_LEASE_AS_LOCK)
        own_rejoin(d);
    if (d->events.lost != NULL)
        d->events.lost(d->events.ctx);
}

void
own_judge(struct directory *d)
{
    struct own *own = &d->own;
    if (own->vanished)
        own_lost(d);
    if (!own->wanted || !own->known)
        return;
    enum whose whose = own_whose(own);
    if (whose == WHOSE_STRANGER)
        own_refuse_stranger(d);
    else if (whose == WHOSE_MINE && own->node.epoch == 0)
        own_claimed(d, own->standing.node.epoch != 0 ? own->standing.node.epoch
                                                     : own->created); /* its answer was lost */
}

static void
own_put_answered(struct directory *d, uint64_t revision)
{
    struct own *own = &d->own;
    bool fresh = !own->there;
    own->there = own->known = own->readable = true;
    own->revision = revision;
    own->created = fresh ? revision : own->created;
    own->standing = own->sent;
    own->standing_lease = own->lease;
    directory_heard(d, revision);
    if (!own->wanted || own->sent.life != own->life)
        return; /* left, or rejoined meanwhile */
    if (own->node.epoch == 0)
        own_claimed(d, revision);
    else
        d->stats.returns += fresh;
}

static void
own_revoked(struct directory *d)
{
    d->own.lease = 0;
    d->own.known = false;
}

static void
own_done(struct directory *d, enum own_step step, uint64_t number)
{
    struct own *own = &d->own;
    switch (step) {
    case OWN_GRANT:
        own->lease = number;
        own->keep_us = directory_now_us(d) + (int64_t)d->ttl_s * 1000000 / 3;
        break;
    case OWN_KEEP:
        d->stats.keeps++;
        own->keep_us = directory_now_us(d) + (int64_t)d->ttl_s * 1000000 / 3;
        break;
    case OWN_REMOVE:
        own->there = false;
        directory_heard(d, number);
        break;
    case OWN_PUT: own_put_answered(d, number); break;
    case OWN_REVOKE: own_revoked(d); break;
    case OWN_NOTHING:
    case OWN_LOOK: CHECK(!"a step that is a call");
    }
}

void
own_answered(struct directory *d, enum directory_result result, uint64_t number)
{
    struct own *own = &d->own;
    enum own_step step = own->step;
    CHECK(step != OWN_NOTHING);
    own->step = OWN_NOTHING;
    if (step == OWN_REVOKE && result != DIRECTORY_OK) {
        own_revoked(d); /* it runs out by itself */
        return;
    }
    switch (result) {
    case DIRECTORY_OK: own_done(d, step, number); break;
    case DIRECTORY_CONFLICT:
        d->stats.conflicts++;
        own->known = false;
        break;
    case DIRECTORY_GONE:
        own->lease = 0;
        own->vanished = own->there;
        own->there = own->known = false;
        own_judge(d);
        break;
    case DIRECTORY_UNKNOWN:
        d->stats.unknown++;
        own->known = own->known && step == OWN_KEEP;
        break;
    case DIRECTORY_UNAVAILABLE: break;
    }
}

void
own_rejoin(struct directory *d)
{
    struct own *own = &d->own;
    own->node.epoch = own->claim = 0;
    own->has_floor = false;
    own->life = env_random(&d->env) | 1;
    own->wanted = !own->leaving;
    own->known = false;
    read_self(d);
}
