#include "app/replace.h"
#include "app/config.h"
#include "app/supervise.h"
#include "base/check.h"
#include "os/data_lock.h"
#include "os/process.h"
#include "os/signals.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_US  130000000
#define UP_US     45000000 /* longer than an heir has, and than the directory's next list takes */
#define LINKS_US  8000000  /* from serving to all links: whom others refuse never has them */
#define END_US    20000000
#define LOOK_US   50000
#define STATE_MAX 64

/* Whether a row is as it is waited for; *never: it will not be, and why says so. */
typedef bool row_test(struct replace *r, const json_t *row, bool *never);

/* ---- one at a time ---- */

enum err
replace_begin(const char *data, int *claim, char why[CLUSTER_ASK_WHY_MAX])
{
    enum err error = data_claim_take(data, claim);
    if (error == ERR_EXISTS)
        snprintf(why, CLUSTER_ASK_WHY_MAX,
                 "another `seom roll` or `seom node restart` is at work on this cluster (%.500s): "
                 "wait until it is done",
                 data);
    else if (error != OK)
        snprintf(why, CLUSTER_ASK_WHY_MAX,
                 "%.500s: %s: does a cluster run there? See --data; `seom cluster up` starts one",
                 data, err_text(error));
    return error;
}

void
replace_end(int claim)
{
    data_claim_release(claim);
}

/* ---- waiting ---- */

static bool
has_ended(struct replace *r, const json_t *row, bool *never)
{
    (void)r;
    (void)never;
    return strcmp(cluster_text(row, "state"), "ended") == 0;
}

static bool
has_handed_over(struct replace *r, const json_t *row, bool *never)
{
    (void)r;
    (void)never;
    return strcmp(cluster_text(row, "state"), "handing over") != 0;
}

static bool
serves(struct replace *r, const json_t *row, bool *never)
{
    const char *state = cluster_text(row, "state");
    if (strcmp(state, "dies at once") == 0) {
        snprintf(r->why, sizeof r->why, "%.500s", cluster_text(row, "said"));
        *never = true;
    }
    bool is_serving = strcmp(state, "serving") == 0;
    json_int_t links = cluster_number(row, "links"), all = cluster_number(row, "links_expected");
    int64_t now_us = process_mono_us();
    r->served_us = is_serving ? r->served_us != 0 ? r->served_us : now_us : 0;
    if (is_serving && links < all && now_us - r->served_us > LINKS_US) {
        snprintf(r->why, sizeof r->why,
                 "%s serves, but has %lld of %lld links after %.0f s: the others may refuse it; "
                 "%.400s/logs/%s.log says more",
                 r->name, (long long)links, (long long)all, LINKS_US / 1e6, r->data, r->name);
        *never = true;
    }
    return is_serving && links >= all;
}

static void
tell_impatience(struct replace *r, const json_t *row, const char *what, int64_t patience_us)
{
    char log[CONFIG_TEXT_MAX + SUPERVISE_NAME_MAX + 16], last[256];
    snprintf(log, sizeof log, "%s/logs/%s.log", r->data, r->name);
    launch_log_tail(log, last, sizeof last);
    snprintf(r->why, sizeof r->why,
             "%s has not %s in %.0f s: it is \"%s\", with %lld of %lld links; %s ends with: %s",
             r->name, what, (double)patience_us / 1e6, cluster_text(row, "state"),
             (long long)cluster_number(row, "links"),
             (long long)cluster_number(row, "links_expected"), log, last);
}

static enum err
wait_until(struct replace *r, row_test *test, const char *what, int64_t patience_us)
{
    int64_t end_us = process_mono_us() + patience_us;
    bool never = false;
    for (;;) {
        json_t *list = cluster_ask_list(r->data, r->why);
        const json_t *row = cluster_row(list, r->name);
        if (row == NULL) {
            json_decref(list);
            return ERR_UNAVAILABLE;
        }
        bool done = test(r, row, &never);
        if (!done && !never && process_mono_us() > end_us) {
            tell_impatience(r, row, what, patience_us);
            never = true;
        }
        json_decref(list);
        if (!done && !never && test == has_ended && r->stops && signals_held() != 0) {
            snprintf(r->why, sizeof r->why, "interrupted by signal %d before %s has %s",
                     signals_held(), r->name, what);
            never = true;
        }
        if (done || never)
            return done ? OK : ERR_UNAVAILABLE;
        usleep(LOOK_US);
    }
}

/* ---- the steps ---- */

static enum err
ask_keeper(struct replace *r, json_t *question)
{
    json_t *answer = cluster_ask(r->data, CLUSTER_KEEPER, question, r->why);
    json_decref(answer);
    return answer == NULL ? ERR_UNAVAILABLE : OK;
}

/* What the keeper is told to do, with the program if there is another. */
static json_t *
question_of(const struct replace *r, const char *command)
{
    json_t *question = json_pack("{s:s, s:s}", "command", command, "name", r->name);
    if (question != NULL && r->program != NULL)
        json_object_set_new(question, "program", json_string(r->program));
    return question;
}

static enum err
start(struct replace *r)
{
    enum err error = ask_keeper(r, question_of(r, "start"));
    return error == OK ? wait_until(r, serves, "come up with all its links", UP_US) : error;
}

/* begun: it gives its people away already. */
static enum err
drain(struct replace *r, bool begun)
{
    enum err error = ask_keeper(r, json_pack("{s:s, s:s}", "command", "retire", "name", r->name));
    if (error != OK)
        return error;
    if (begun)
        return wait_until(r, has_ended, "given its people away and ended", DRAIN_US);
    json_t *answer = cluster_ask(r->data, r->name, json_pack("{s:s}", "command", "drain"), r->why);
    if (answer == NULL) { /* it is not to be left alone when it dies, after all */
        json_decref(cluster_ask(r->data, CLUSTER_KEEPER,
                                json_pack("{s:s, s:s}", "command", "start", "name", r->name),
                                (char[CLUSTER_ASK_WHY_MAX]){0}));
        return ERR_UNAVAILABLE;
    }
    json_decref(answer);
    return wait_until(r, has_ended, "given its people away and ended", DRAIN_US);
}

/* Of one that does not serve, whatever it does (SIGKILL), or that has nobody to give away,
 * or to whom (SIGTERM).
 */
static enum err
put_down(struct replace *r, int signal_number)
{
    json_decref(cluster_ask(r->data, CLUSTER_KEEPER,
                            json_pack("{s:s, s:s, s:i, s:b}", "command", "kill", "name", r->name,
                                      "signal", signal_number, "stay_dead", 1),
                            r->why)); /* refused when it has ended, which is as well */
    return wait_until(r, has_ended, "ended", END_US);
}

static enum err
hand_over(struct replace *r, json_int_t pid)
{
    enum err error = ask_keeper(r, question_of(r, "replace"));
    error = error == OK ? wait_until(r, has_handed_over, "handed over", UP_US) : error;
    json_t *list = error == OK ? cluster_ask_list(r->data, r->why) : NULL;
    const json_t *row = cluster_row(list, r->name);
    bool replaced = row != NULL && cluster_number(row, "pid") != pid;
    if (row != NULL && !replaced)
        snprintf(r->why, sizeof r->why, "%.500s", cluster_text(row, "said"));
    json_decref(list);
    return replaced ? wait_until(r, serves, "come up with all its links", UP_US) : ERR_UNAVAILABLE;
}

/* Whether another home of its shard takes people in; a drain of the last one would wait for ever.
 */
static bool
others_take_in(const json_t *list, const json_t *home)
{
    size_t i;
    const json_t *other;
    json_array_foreach(json_object_get(list, "nodes"), i, other)
    {
        if (other != home && strcmp(cluster_text(other, "role"), "home") == 0 &&
            strcmp(cluster_text(other, "state"), "serving") == 0 &&
            cluster_number(other, "shard") == cluster_number(home, "shard") &&
            !json_is_true(json_object_get(other, "draining")))
            return true;
    }
    return false;
}

static bool
is_listed(const json_t *list, const char *kind, const char *name)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(list, kind), i, row)
    {
        if (strcmp(cluster_text(row, "name"), name) == 0)
            return true;
    }
    return false;
}

/* The keeper's list may be a second old: of who serves in it only he himself knows whether he was
 * asked to go meanwhile. "" of who does not answer.
 */
static void
state_now(const struct replace *r, const json_t *row, char state[STATE_MAX])
{
    char why[CLUSTER_ASK_WHY_MAX];
    snprintf(state, STATE_MAX, "%s", cluster_text(row, "state"));
    if (strcmp(state, "serving") != 0)
        return;
    json_t *answer = cluster_ask(r->data, r->name, json_pack("{s:s}", "command", "status"), why);
    snprintf(state, STATE_MAX, "%s", cluster_text(answer, "state"));
    json_decref(answer);
}

enum err
replace_node(struct replace *r)
{
    int64_t begin_us = process_mono_us();
    json_t *list = cluster_ask_list(r->data, r->why);
    const json_t *row = cluster_row(list, r->name);
    if (row == NULL) {
        if (is_listed(list, "engines", r->name) || is_listed(list, "bots", r->name))
            snprintf(r->why, sizeof r->why,
                     "%s is no node: homes, gates and relays can be restarted. `seom node kill -9 "
                     "%s` ends it, and it is started again",
                     r->name, r->name);
        else if (list != NULL)
            snprintf(r->why, sizeof r->why,
                     "there is no node \"%s\" in this cluster: `seom nodes` lists what there is",
                     r->name);
        json_decref(list);
        return list == NULL ? ERR_UNAVAILABLE : ERR_NOT_FOUND;
    }
    char state[STATE_MAX];
    state_now(r, row, state);
    bool is_serving = strcmp(state, "serving") == 0;
    bool is_going = strcmp(state, "draining") == 0 || strcmp(state, "leaving") == 0;
    bool is_gate = strcmp(cluster_text(row, "role"), "gate") == 0;
    bool drains = strcmp(cluster_text(row, "role"), "home") == 0 && others_take_in(list, row);
    json_int_t pid = cluster_number(row, "pid");
    r->players = cluster_number(row, "players");
    snprintf(r->before, sizeof r->before, "%s", cluster_text(row, "program"));
    json_decref(list);
    enum err error = OK;
    if (is_serving && is_gate) {
        error = hand_over(r, pid);
    } else {
        error = is_going      ? drain(r, true)
                : !is_serving ? put_down(r, SIGKILL)
                : drains      ? drain(r, false)
                              : put_down(r, SIGTERM);
        r->drained_s = (double)(process_mono_us() - begin_us) / 1e6;
        error = error == OK ? start(r) : error;
    }
    r->seconds = (double)(process_mono_us() - begin_us) / 1e6;
    return error;
}

enum err
replace_back(struct replace *r)
{
    struct replace back = {.data = r->data, .name = r->name, .program = r->before};
    json_t *list = cluster_ask_list(back.data, r->why);
    const json_t *row = cluster_row(list, r->name);
    char state[STATE_MAX];
    state_now(r, row, state);
    bool is_so =
        strcmp(state, "serving") == 0 && strcmp(cluster_text(row, "program"), r->before) == 0;
    json_decref(list);
    enum err error = list == NULL ? ERR_UNAVAILABLE : is_so ? OK : replace_node(&back);
    if (error != OK && list != NULL)
        memcpy(r->why, back.why, sizeof r->why);
    return error;
}
