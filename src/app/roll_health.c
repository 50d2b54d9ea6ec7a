#include "app/roll_health.h"
#include "app/cluster_ask.h"
#include "app/visitor.h"
#include "base/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VISIT_US   10000000
#define VISITS_MAX 64
#define STEP_MM    1500 /* so far a home may know somebody from where he takes himself to be */

static bool
is_near(int64_t a_mm, int64_t b_mm)
{
    return llabs(a_mm - b_mm) <= STEP_MM;
}

/* What homes of before tell, who do not know the question for one player. */
static bool
is_among_people(const char *data, const char *home, uint32_t island, struct place at)
{
    char why[CLUSTER_ASK_WHY_MAX];
    bool found = false;
    size_t i;
    const json_t *row;
    json_t *answer = cluster_ask(data, home, json_pack("{s:s}", "command", "people"), why);
    json_array_foreach(json_object_get(answer, "people"), i, row)
    {
        found = found || (json_integer_value(json_array_get(row, 0)) == island &&
                          is_near(json_integer_value(json_array_get(row, 1)) * 1000, at.x_mm) &&
                          is_near(json_integer_value(json_array_get(row, 2)) * 1000, at.y_mm));
    }
    json_decref(answer);
    return found;
}

static bool
home_has(const char *data, const char *home, uint64_t player, uint32_t island, struct place at)
{
    char why[CLUSTER_ASK_WHY_MAX];
    json_t *answer = cluster_ask(
        data, home, json_pack("{s:s, s:I}", "command", "player", "player", (json_int_t)player),
        why);
    if (answer == NULL)
        return is_among_people(data, home, island, at);
    bool has = json_is_true(json_object_get(answer, "here")) &&
               cluster_number(answer, "island") == island &&
               is_near(cluster_number(answer, "x_mm"), at.x_mm) &&
               is_near(cluster_number(answer, "y_mm"), at.y_mm);
    json_decref(answer);
    return has;
}

/* The home was one of the half: it has had its visitor. */
static void
saw(struct roll_health *h, const char *home)
{
    for (uint32_t i = 0; i < h->half->homes; i++) {
        if (strcmp(h->half->nodes[i].name, home) == 0 && !h->seen[i]) {
            h->seen[i] = true;
            h->homes_seen++;
        }
    }
}

/* Of all shards: where it wished to come in may be another's, and then it was led there. */
static bool
found(void *ctx, uint64_t player, uint32_t island, struct place at)
{
    struct roll_health *h = ctx;
    json_t *list = cluster_ask_list(h->data, h->why);
    size_t i;
    const json_t *row;
    bool is_found = false;
    json_array_foreach(json_object_get(list, "nodes"), i, row)
    {
        const char *name = cluster_text(row, "name");
        if (is_found || strcmp(cluster_text(row, "role"), "home") != 0 ||
            !home_has(h->data, name, player, island, at))
            continue;
        is_found = true;
        saw(h, name);
    }
    json_decref(list);
    return is_found;
}

/* The n-th gate to visit: those of the half; where it has none, of the shard. NULL: no gates. */
static const struct roll_node *
gate_at(const struct roll_health *h, uint32_t n)
{
    const struct roll_half *half = h->half;
    if (half->gates == 0)
        half = &h->shard->halves[half == &h->shard->halves[0]];
    return half->gates == 0 ? NULL : &half->nodes[half->homes + n % half->gates];
}

static enum err
visit(struct roll_health *h, const struct roll_node *gate, uint32_t island)
{
    struct visitor_result result;
    struct visitor_options options = {
        .gate = gate->play, .island = island, .patience_us = VISIT_US, .ctx = h, .found = found};
    h->visits++;
    if (visitor_visit(&options, &result) != OK) {
        snprintf(h->why, sizeof h->why, "a visitor at %s was not served: %s", gate->name,
                 result.why);
        return ERR_UNAVAILABLE;
    }
    h->welcome_us = result.welcome_us > h->welcome_us ? result.welcome_us : h->welcome_us;
    h->result_us = result.result_us > h->result_us ? result.result_us : h->result_us;
    return OK;
}

/* All of them still serve. */
static enum err
look_at_nodes(struct roll_health *h)
{
    json_t *list = cluster_ask_list(h->data, h->why);
    enum err error = list == NULL ? ERR_UNAVAILABLE : OK;
    for (uint32_t i = 0; i < h->half->count && error == OK; i++) {
        const char *name = h->half->nodes[i].name;
        const char *state = cluster_text(cluster_row(list, name), "state");
        if (strcmp(state, "serving") == 0)
            continue;
        snprintf(h->why, sizeof h->why, "%s is \"%s\" after the visits", name, state);
        error = ERR_UNAVAILABLE;
    }
    json_decref(list);
    return error;
}

enum err
roll_health_check(struct roll_health *h)
{
    CHECK(h->islands->count > 0);
    enum err error = OK;
    for (uint32_t n = 0; n < VISITS_MAX && error == OK; n++) {
        const struct roll_node *gate = gate_at(h, n);
        bool enough =
            n >= h->half->gates && (n >= h->islands->count || h->homes_seen == h->half->homes);
        if (gate == NULL || enough)
            break;
        error = visit(h, gate, island_id(h->islands->islands[n % h->islands->count]));
    }
    if (error == OK && h->visits > 0 && h->half->homes > 0 && h->homes_seen == 0) {
        snprintf(h->why, sizeof h->why, "%u visitors came, and none of them was led to %s",
                 h->visits, h->half->homes == 1 ? h->half->nodes[0].name : "a new home");
        return ERR_UNAVAILABLE;
    }
    return error == OK ? look_at_nodes(h) : error;
}
