#include "app/roll_plan.h"
#include "app/cluster_ask.h"
#include "base/check.h"
#include <stdio.h>
#include <string.h>

const char *
roll_number(int64_t value, char out[32])
{
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%lld", (long long)value), used = 0;
    CHECK(value >= 0 && count > 0);
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = 0;
    return out;
}

/* NULL: there is no room for another. */
static struct roll_shard *
shard_of(struct roll_plan *plan, uint16_t number)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->shards[i].shard == number)
            return &plan->shards[i];
    }
    if (plan->count == ROLL_SHARDS_MAX)
        return NULL;
    plan->shards[plan->count].shard = number;
    return &plan->shards[plan->count++];
}

/* ROLL_ROLES: it is not rolled. */
static enum roll_role
role_of(const json_t *row)
{
    static const char *const names[ROLL_ROLES] = {
        [ROLL_HOME] = "home", [ROLL_GATE] = "gate", [ROLL_RELAY] = "relay"};
    enum roll_role role = ROLL_HOME;
    while (role < ROLL_ROLES && strcmp(cluster_text(row, "role"), names[role]) != 0)
        role++;
    return role;
}

static enum err
count_nodes(const json_t *nodes, int64_t capacity, uint16_t only, struct roll_plan *plan,
            char why[ROLL_WHY_MAX])
{
    size_t i;
    const json_t *row;
    json_array_foreach(nodes, i, row)
    {
        uint16_t number = (uint16_t)cluster_number(row, "shard");
        enum roll_role role = role_of(row);
        if ((only != 0 && number != only) || role == ROLL_ROLES)
            continue;
        if (strcmp(cluster_text(row, "state"), "serving") != 0) {
            snprintf(why, ROLL_WHY_MAX,
                     "%s is \"%s\": only a cluster that is well is rolled; `seom nodes` lists it, "
                     "`seom node start %s` or the logs may help",
                     cluster_text(row, "name"), cluster_text(row, "state"),
                     cluster_text(row, "name"));
            return ERR_UNAVAILABLE;
        }
        struct roll_shard *shard = shard_of(plan, number);
        if (shard == NULL) {
            snprintf(why, ROLL_WHY_MAX, "more than %d shards: roll one after the other, --shard",
                     ROLL_SHARDS_MAX);
            return ERR_FULL;
        }
        shard->capacity = capacity;
        shard->of_role[role]++;
        shard->players += role == ROLL_HOME ? cluster_number(row, "players") : 0;
    }
    return OK;
}

/* The first half of each role goes first: the smaller one, where they are odd. */
static bool
take_role(struct roll_shard *shard, const json_t *nodes, enum roll_role role)
{
    size_t i;
    const json_t *row;
    uint32_t seen = 0, first = shard->of_role[role] / 2;
    json_array_foreach(nodes, i, row)
    {
        if (cluster_number(row, "shard") != shard->shard || role_of(row) != role)
            continue;
        struct roll_half *half = &shard->halves[seen++ < first ? 0 : 1];
        if (half->count == ROLL_NODES_MAX)
            return false;
        struct roll_node *node = &half->nodes[half->count++];
        node->role = role;
        half->homes += role == ROLL_HOME;
        half->gates += role == ROLL_GATE;
        snprintf(node->name, sizeof node->name, "%s", cluster_text(row, "name"));
        snprintf(node->play, sizeof node->play, "%s", cluster_text(row, "play"));
    }
    return true;
}

static enum err
check_room(struct roll_shard *shard, char why[ROLL_WHY_MAX])
{
    char players[32], capacity[32];
    uint32_t homes = shard->of_role[ROLL_HOME];
    roll_number(shard->players, players);
    roll_number(shard->capacity, capacity);
    for (uint32_t h = 0; h < ROLL_HALVES; h++) {
        struct roll_half *half = &shard->halves[h];
        uint32_t stay = homes - half->homes;
        bool fits = shard->players <= shard->capacity * stay && (stay > 0 || half->homes == 0);
        snprintf(half->room, sizeof half->room, "%s players on %u homes of %s: %s %s %s x %u",
                 players, homes, capacity, players, fits ? "<=" : ">", capacity, stay);
        if (fits)
            continue;
        if (stay == 0)
            snprintf(why, ROLL_WHY_MAX,
                     "%s is the only home of shard %u: nobody could take its people; `seom node "
                     "add` first",
                     half->nodes[0].name, shard->shard);
        else
            snprintf(why, ROLL_WHY_MAX,
                     "shard %u has no room for its people on half of its homes: %s; `seom node "
                     "add`, or wait until fewer play",
                     shard->shard, half->room);
        return ERR_FULL;
    }
    return OK;
}

enum err
roll_plan_make(const json_t *list, uint16_t shard, struct roll_plan *out, char why[ROLL_WHY_MAX])
{
    const json_t *nodes = json_object_get(list, "nodes");
    *out = (struct roll_plan){0};
    enum err error = count_nodes(nodes, cluster_number(list, "players_max"), shard, out, why);
    if (error == OK && out->count == 0) {
        snprintf(why, ROLL_WHY_MAX, "there is no shard %u with nodes here: `seom nodes` lists them",
                 shard);
        return ERR_NOT_FOUND;
    }
    for (uint32_t i = 0; i < out->count && error == OK; i++) {
        for (enum roll_role role = ROLL_HOME; role < ROLL_ROLES; role++) {
            if (take_role(&out->shards[i], nodes, role))
                continue;
            snprintf(why, ROLL_WHY_MAX, "more than %d nodes in half a shard", ROLL_NODES_MAX);
            return ERR_FULL;
        }
        error = check_room(&out->shards[i], why);
    }
    return error;
}
