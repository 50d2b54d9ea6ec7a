/* One loop turn: readable sockets, then the bots whose time has come, then the observers, then the
 * phase of the run. A member's socket is watched edge-triggered once and for all, so that a bot
 * costs no epoll_ctl while it plays.
 */
#include "bots/herd.h"
#include "base/check.h"
#include "base/wheel.h"
#include "bots/around.h"
#include "bots/tickets.h"
#include "os/dial.h"
#include "os/loop.h"
#include "os/process.h"
#include "wire/dump.h"
#include "wire/message.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES     65536
#define WATCHED        (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
#define MANY           1000 /* from here on wake-ups are gathered */
#define TICK_MANY_US   4000 /* of the wheel */
#define TICK_FEW_US    20000
#define PACE_MANY_US   1000
#define SECOND_US      INT64_C(1000000)
#define SAVE_EVERY_S   5
#define AROUND_EVERY_S 2
#define SPARE_FDS      32

struct member {
    struct wheel_entry timer; /* first: the wheel's entry is the member's */
    struct bot bot;
    struct loop_watch watch;
    struct herd *herd; /* borrowed */
    int fd;            /* -1: none */
    uint32_t gate;     /* of options.gates */
    int64_t broke_us;  /* the line on which it played; 0: none since */
    bool connecting;
    bool plays;   /* counted in playing: neither in the lobby nor gone */
    bool came_in; /* it has played */
};

struct totals {
    uint64_t moves, frames, bytes_in, corrections;
};

struct herd {
    struct herd_options options;
    struct flock flock;
    struct member *members;     /* owned */
    struct bot **bots;          /* owned; of the members, for the truth */
    struct observer *observers; /* owned */
    struct prober *probers;     /* owned */
    int64_t *sample_us;         /* owned; when each observer looks around next */
    struct truth truth;
    struct measures measures;
    struct tickets tickets;
    struct loop *loop;
    struct wheel wheel;
    FILE *dump; /* owned; NULL: none */
    int64_t tick_us, now_us, begun_us, phase_us, second_us;
    enum herd_phase phase;
    uint32_t started, playing, came_in, observer_count, probers_used;
    uint64_t lost;
    struct hist away_ms;
    uint64_t others, others_of; /* of around_count(), summed */
    struct totals past;         /* of clients that were given up */
    struct totals at_measuring, at_second;
    int64_t cpu_us;
    uint32_t seconds;
    bool stopped;
    uint8_t bytes[READ_BYTES];
};

static void
timer_set(struct member *m, int64_t due_us)
{
    struct herd *h = m->herd;
    if (due_us == INT64_MAX) {
        wheel_cancel(&h->wheel, &m->timer);
    } else {
        wheel_set(&h->wheel, &m->timer, due_us / h->tick_us + 1);
    }
}

static void
dump_piece(struct member *m, enum dump_direction direction, const void *at, size_t bytes)
{
    struct herd *h = m->herd;
    uint8_t head[DUMP_HEAD_BYTES];
    if (h->dump == NULL || m->bot.number != 0) {
        return;
    }
    dump_head(direction, h->now_us, bytes, head);
    if (fwrite(head, sizeof(head), 1, h->dump) != 1 || fwrite(at, bytes, 1, h->dump) != 1) {
        (void)fclose(h->dump); /* a full disk ends the dump, not the run */
        h->dump = NULL;
    }
}

static void
member_stops_playing(struct member *m)
{
    if (m->plays) {
        m->plays = false;
        m->herd->playing--;
        m->broke_us = m->herd->now_us;
    }
}

/* A line is gone: who was welcomed comes back with its ticket, unless that was refused; then it is
 * a new guest. */
static void
member_broke(struct member *m)
{
    struct herd *h = m->herd;
    struct seom_client *c = m->bot.client;
    bool played = m->plays;
    if (m->fd >= 0) {
        loop_remove(h->loop, m->fd, &m->watch);
        close(m->fd);
        m->fd = -1;
    }
    m->connecting = false;
    member_stops_playing(m);
    h->lost += played && h->phase != HERD_LEAVING;
    m->gate = (m->gate + 1) % h->options.gates_count;
    h->truth.spots[m->bot.number].island = 0;
    m->bot.end_code = 0;
    seom_client_broke(c, h->now_us);
    timer_set(m, seom_client_retry_us(c));
}

static void
totals_add(struct totals *sum, const struct seom_stats *s)
{
    sum->frames += s->frames;
    sum->bytes_in += s->bytes_in;
    sum->corrections += s->corrections;
}

static void
member_reopen_as_guest(struct member *m)
{
    struct herd *h = m->herd;
    struct observer *observer = m->bot.observer;
    struct prober *prober = m->bot.prober;
    uint32_t number = m->bot.number;
    totals_add(&h->past, seom_client_stats(m->bot.client));
    bot_close(&m->bot);
    h->tickets.lengths[number] = 0;
    enum err error = bot_open(&m->bot, &h->flock, number, (struct slice){0}, observer);
    CHECK(error == OK); /* it was opened with the same options before */
    m->bot.prober = prober;
    timer_set(m, h->now_us + SECOND_US / 4);
}

static void
member_flush(struct member *m)
{
    struct slice out = seom_client_output(m->bot.client);
    if (m->fd < 0 || m->connecting || out.bytes == 0) {
        return;
    }
    ssize_t n = send(m->fd, out.at, out.bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
        dump_piece(m, DUMP_TO_SERVER, out.at, (size_t)n);
        seom_client_sent(m->bot.client, (size_t)n);
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        member_broke(m);
    }
}

static void
member_place(struct member *m)
{
    struct herd *h = m->herd;
    struct truth_spot *spot = &h->truth.spots[m->bot.number];
    struct motion self = seom_client_self(m->bot.client);
    struct place at = motion_at(&self, flock_world_us(&h->flock, h->now_us) / 1000);
    *spot = (struct truth_spot){
        .island = seom_client_island(m->bot.client), .x_mm = at.x_mm, .y_mm = at.y_mm};
}

static void
member_welcomed(struct member *m)
{
    struct herd *h = m->herd;
    const struct seom_client *c = m->bot.client;
    CHECK(!m->plays);
    m->plays = true;
    h->playing++;
    h->came_in += !m->came_in;
    m->came_in = true;
    if (m->broke_us != 0) {
        hist_add(&h->away_ms, (uint64_t)(h->now_us - m->broke_us) / 1000);
        m->broke_us = 0;
    }
    if (seom_client_entity(c) != 0) {
        enum err error = map_put(&h->truth.by_entity, seom_client_entity(c), m->bot.number);
        CHECK(error == OK ||
              error == ERR_FULL); /* full: many new guests; their views go unchecked */
    }
    tickets_set(&h->tickets, m->bot.number, seom_client_ticket(c));
    member_place(m);
}

/* false: the line is gone. */
static bool
member_input(struct member *m, size_t n)
{
    struct herd *h = m->herd;
    int64_t leg_us = m->bot.leg_us;
    bool played = seom_client_state(m->bot.client) == SEOM_PLAYING;
    dump_piece(m, DUMP_TO_CLIENT, h->bytes, n);
    enum err error = bot_input(&m->bot, h->bytes, n, h->now_us);
    if (!played && seom_client_state(m->bot.client) == SEOM_PLAYING) {
        member_welcomed(m);
    } else if (error == OK && seom_client_state(m->bot.client) != SEOM_PLAYING) {
        member_stops_playing(m); /* it is in the lobby */
    }
    if (m->bot.answered_us != 0) {
        if (h->options.probed != NULL) {
            h->options.probed(h->options.ctx, m->bot.number, m->gate, m->bot.answered_us,
                              h->now_us);
        }
        m->bot.answered_us = 0;
    }
    if (error != OK) {
        bool refused = m->bot.end_code == SEOM__CODE__BAD_TICKET;
        member_broke(m);
        if (refused && h->phase != HERD_LEAVING) {
            member_reopen_as_guest(m);
        }
        return false;
    }
    if (m->bot.leg_us != leg_us) {
        m->bot.turn_us = h->now_us;
        timer_set(m, h->now_us);
    }
    return true;
}

static void
member_read(struct member *m, uint32_t events)
{
    struct herd *h = m->herd;
    bool ends = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    for (;;) {
        ssize_t n = recv(m->fd, h->bytes, sizeof(h->bytes), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        h->now_us = process_mono_us();
        if (n <= 0) {
            member_broke(m);
            return;
        }
        if (!member_input(m, (size_t)n)) {
            return;
        }
        if ((size_t)n < sizeof(h->bytes) && !ends) {
            return; /* the kernel had no more; the next byte is a new edge */
        }
    }
}

static void
member_ready(void *ctx, uint32_t events)
{
    struct member *m = ctx;
    struct herd *h = m->herd;
    if (m->connecting) {
        h->now_us = process_mono_us();
        if (dial_result(m->fd) != OK) {
            member_broke(m);
            return;
        }
        if ((events & EPOLLOUT) == 0) {
            return;
        }
        m->connecting = false;
        seom_client_connected(m->bot.client, h->now_us);
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        member_read(m, events);
    }
    member_flush(m);
}

static void
member_connect(struct member *m)
{
    struct herd *h = m->herd;
    seom_client_connecting(m->bot.client, h->now_us);
    const struct herd_gate *gate = &h->options.gates[m->gate];
    m->bot.turn_us = 0;
    if (dial_start((const struct sockaddr *)&gate->at, gate->bytes, m->bot.number, &m->fd) != OK) {
        m->fd = -1;
        member_broke(m);
        return;
    }
    m->connecting = true;
    if (loop_add(h->loop, m->fd, WATCHED, &m->watch) != OK) {
        close(m->fd);
        m->fd = -1;
        member_broke(m);
        return;
    }
    timer_set(m, h->now_us + SECOND_US);
}

static void
member_turn(struct member *m)
{
    struct herd *h = m->herd;
    struct seom_client *c = m->bot.client;
    if (m->fd < 0) {
        if (h->phase == HERD_LEAVING) {
            return;
        }
        if (seom_client_retry_us(c) <= h->now_us) {
            member_connect(m);
        } else {
            timer_set(m, seom_client_retry_us(c));
        }
        return;
    }
    int64_t due_us = bot_turn(&m->bot, h->now_us);
    if (seom_client_is_dead(c, h->now_us)) {
        member_broke(m);
        return;
    }
    if (seom_client_state(c) == SEOM_PLAYING) {
        member_place(m);
    }
    timer_set(m, due_us);
    member_flush(m);
}

/* The run. */

static struct totals
herd_totals(const struct herd *h)
{
    struct totals sum = h->past;
    for (uint32_t i = 0; i < h->started; i++) {
        totals_add(&sum, seom_client_stats(h->members[i].bot.client));
    }
    sum.moves = h->flock.moves;
    return sum;
}

/* Observers are spread over the herd, so that they see all islands. */
static struct observer *
observer_for(struct herd *h, uint32_t number)
{
    uint64_t at = (uint64_t)number * h->observer_count, count = h->options.count;
    return at % count < h->observer_count ? &h->observers[at / count] : NULL;
}

/* Drawn, for whoever is every third would be at the same gate. NULL: it asks nothing. */
static struct prober *
prober_for(struct herd *h, uint32_t number)
{
    const struct herd_options *o = &h->options;
    uint32_t draw = (uint32_t)(rand_mix(o->plan.seed, number) % o->count);
    bool all = o->probers - h->probers_used >= o->count - number; /* who is left */
    if (h->probers_used == o->probers || (draw >= o->probers && !all)) {
        return NULL;
    }
    return &h->probers[h->probers_used++];
}

static void
member_open(struct herd *h, uint32_t number)
{
    struct member *m = &h->members[number];
    struct observer *observer = observer_for(h, number);
    m->herd = h;
    m->fd = -1;
    m->gate = number % h->options.gates_count;
    m->watch = (struct loop_watch){.ready = member_ready, .ctx = m};
    h->bots[number] = &m->bot;
    enum err error =
        bot_open(&m->bot, &h->flock, number, tickets_get(&h->tickets, number), observer);
    CHECK(error == OK); /* tickets are not longer than a client takes */
    m->bot.prober = prober_for(h, number);
    if (m->bot.prober != NULL) {
        int64_t every_us = h->options.probe_ms * INT64_C(1000);
        prober_init(m->bot.prober, every_us, h->now_us + number * INT64_C(7919) % every_us);
    }
    if (observer != NULL) {
        *observer = (struct observer){.measures = &h->measures, .truth = &h->truth, .bot = &m->bot};
    }
}

static void
start_some(struct herd *h)
{
    const struct plan_options *plan = &h->options.plan;
    bool waits = plan->profile == PROFILE_CROWD && !plan->square && h->flock.gather_island == 0;
    if (waits && h->started > 0) {
        h->begun_us = h->now_us; /* the others ask for the island where the first one stands */
        return;
    }
    int64_t may = (h->now_us - h->begun_us) * h->options.connects_per_s / SECOND_US + 1;
    for (; h->started < h->options.count && h->started < may && !(waits && h->started > 0);
         h->started++) {
        member_open(h, h->started);
        member_connect(&h->members[h->started]);
    }
}

static void
enter_phase(struct herd *h, enum herd_phase phase)
{
    h->phase = phase;
    h->phase_us = h->now_us;
    if (phase == HERD_MEASURING) {
        h->measures.on = true;
        h->at_measuring = herd_totals(h);
        h->cpu_us = thread_cpu_us();
    }
}

static void
next_phase(struct herd *h)
{
    int64_t passed_us = h->now_us - h->phase_us;
    const struct herd_options *o = &h->options;
    bool nobody = h->playing == 0 && o->for_s > 0 && passed_us >= o->for_s * SECOND_US;
    bool late = nobody || passed_us >= o->connect_s_max * SECOND_US;
    switch (h->phase) {
    case HERD_CONNECTING:
        if (h->playing == o->count || late) {
            enter_phase(h, HERD_WARMING);
            h->stopped |= h->playing == 0 && o->for_s > 0; /* nobody to measure */
        }
        break;
    case HERD_WARMING:
        if (passed_us >= o->warm_s * SECOND_US) {
            enter_phase(h, HERD_MEASURING);
        }
        break;
    case HERD_MEASURING: h->stopped |= o->for_s > 0 && passed_us >= o->for_s * SECOND_US; break;
    case HERD_LEAVING: break;
    }
}

static double
mean(uint64_t sum, uint64_t count)
{
    return count > 0 ? (double)sum / (double)count : 0;
}

static void
tell_second(struct herd *h)
{
    struct totals now = herd_totals(h);
    double seconds = (double)(h->now_us - h->second_us) / SECOND_US;
    const struct measures *m = &h->measures;
    struct herd_second second = {
        .phase = h->phase,
        .seconds = ++h->seconds,
        .playing = h->playing,
        .wanted = h->options.count,
        .lost = h->lost,
        .moves_per_s = (double)(now.moves - h->at_second.moves) / seconds,
        .frames_per_s = (double)(now.frames - h->at_second.frames) / seconds,
        .bytes_per_s = (double)(now.bytes_in - h->at_second.bytes_in) / seconds,
        .others = mean(h->others, h->others_of),
        .age_p50_ms = hist_quantile(&m->age_ms, 0.5),
        .age_p99_ms = hist_quantile(&m->age_ms, 0.99),
        .broken = measures_broken(m),
        .done = h->flock.trades.done,
        .refused = h->flock.trades.refused,
    };
    h->at_second = now;
    h->second_us = h->now_us;
    if (h->phase == HERD_MEASURING && h->seconds % AROUND_EVERY_S == 0) {
        uint64_t people, others = around_count(h->truth.spots, h->options.count, &people);
        h->others += others;
        h->others_of += people;
    }
    if (h->options.second != NULL && !h->options.second(h->options.ctx, &second)) {
        h->stopped = true;
    }
    if (h->options.tickets_path != NULL && h->tickets.changed && h->seconds % SAVE_EVERY_S == 0 &&
        tickets_save(&h->tickets, h->options.tickets_path) != OK) {
        h->tickets.changed = true; /* tried again; the last time is the one that counts */
    }
}

static void
run(struct herd *h)
{
    bool crowd = h->options.plan.profile == PROFILE_CROWD;
    h->now_us = h->begun_us = h->second_us = process_mono_us();
    enter_phase(h, HERD_CONNECTING);
    wheel_init(&h->wheel, h->now_us / h->tick_us);
    for (uint32_t i = 0; i < h->observer_count; i++) {
        h->sample_us[i] = h->now_us + OBSERVER_PERIOD_US * i / h->observer_count;
    }
    while (!h->stopped) {
        (void)loop_turn(h->loop, h->tick_us);
        h->now_us = process_mono_us();
        start_some(h);
        struct wheel_entry *e;
        while ((e = wheel_take(&h->wheel, h->now_us / h->tick_us)) != NULL) {
            member_turn((struct member *)e);
        }
        for (uint32_t i = 0; i < h->observer_count; i++) {
            if (h->observers[i].bot != NULL && h->sample_us[i] <= h->now_us) {
                observer_sample(&h->observers[i], h->now_us, crowd);
                h->sample_us[i] += OBSERVER_PERIOD_US;
            }
        }
        next_phase(h);
        if (h->now_us - h->second_us >= SECOND_US) {
            tell_second(h);
        }
        h->stopped |= h->options.stop != NULL && *h->options.stop != 0;
    }
}

static void
fill_result(struct herd *h, struct herd_result *out)
{
    struct totals now = herd_totals(h);
    struct measures *m = &h->measures;
    *out = (struct herd_result){.wanted = h->options.count,
                                .connected = h->playing,
                                .never_in = h->options.count - h->came_in,
                                .lost = h->lost,
                                .away_ms = h->away_ms,
                                .misplaced = h->flock.misplaced,
                                .seen_share = -1};
    if (h->phase == HERD_MEASURING) {
        double seconds = (double)(h->now_us - h->phase_us) / SECOND_US;
        double players = h->playing > 0 ? h->playing : 1;
        double player_s = players * (seconds > 0 ? seconds : 1);
        out->seconds = seconds;
        out->moves = now.moves - h->at_measuring.moves;
        out->frames = now.frames - h->at_measuring.frames;
        out->bytes_in = now.bytes_in - h->at_measuring.bytes_in;
        out->corrections = now.corrections - h->at_measuring.corrections;
        out->changes_per_player_s = (double)out->moves / player_s;
        out->bytes_per_player_s = (double)out->bytes_in / player_s;
        out->cpu_us_per_player_s = (double)(thread_cpu_us() - h->cpu_us) / player_s;
    }
    out->others_in_view_mean = mean(h->others, h->others_of);
    out->replica_mean = mean(m->known, m->samples);
    out->bytes_per_player_s_max = m->bytes_per_s_max;
    if (m->seeable > 0) {
        out->seen_share = mean(m->seen, m->seeable);
    }
    m->on = false;
    out->measures = *m;
    out->trades = h->flock.trades;
}

/* Says good-bye on every line: the server need not wait whether they come back. */
static void
leave(struct herd *h)
{
    enter_phase(h, HERD_LEAVING);
    for (uint32_t i = 0; i < h->started; i++) {
        struct member *m = &h->members[i];
        if (m->fd >= 0 && seom_client_goodbye(m->bot.client) == OK) {
            member_flush(m);
        }
        if (m->fd >= 0) {
            member_broke(m);
        }
    }
}

/* Beginning and end. */

static enum err
check_options(struct herd_options *o, char why[HERD_WHY_MAX])
{
    if (o->count == 0 || o->count > HERD_MAX) {
        snprintf(why, HERD_WHY_MAX, "1 to %d bots", HERD_MAX);
        return ERR_RANGE;
    }
    if (o->observers == UINT32_MAX) {
        o->observers = HERD_OBSERVERS;
    }
    if (o->observers > HERD_OBSERVERS_MAX) {
        snprintf(why, HERD_WHY_MAX, "at most %d observers", HERD_OBSERVERS_MAX);
        return ERR_RANGE;
    }
    if (o->observers > o->count) {
        o->observers = o->count;
    }
    if (o->probers > o->count || (o->probers > 0 && o->probe_ms == 0) ||
        (o->probers > 0 && o->plan.profile == PROFILE_TRADE)) {
        snprintf(why, HERD_WHY_MAX, "only bots that walk ask, every so often");
        return ERR_RANGE;
    }
    if (o->connects_per_s == 0) {
        o->connects_per_s = HERD_CONNECTS_PER_S;
    }
    if (o->connect_s_max == 0) {
        o->connect_s_max = 30 + o->count / 500;
    }
    uint32_t limit = process_raise_descriptors();
    if (limit < o->count + SPARE_FDS) {
        snprintf(why, HERD_WHY_MAX, "%u bots need %u descriptors, this process may have %u",
                 o->count, o->count + SPARE_FDS, limit);
        return ERR_FULL;
    }
    return OK;
}

static enum err
open_files(struct herd *h, char why[HERD_WHY_MAX])
{
    const struct herd_options *o = &h->options;
    uint32_t line;
    for (uint32_t i = 0; o->tickets != NULL && i < o->count; i++) {
        tickets_set(&h->tickets, i, o->tickets[i]);
    }
    if (o->tickets_path != NULL) {
        enum err error = tickets_load(&h->tickets, o->tickets_path, &line);
        if (error != OK) {
            snprintf(why, HERD_WHY_MAX, "%s, line %u: %s", o->tickets_path, line, err_text(error));
            return error;
        }
    }
    h->flock.trades.think_ms = o->think_ms;
    if (o->answers_path != NULL) {
        h->flock.trades.answers = fopen(o->answers_path, "ae");
        if (h->flock.trades.answers == NULL) {
            snprintf(why, HERD_WHY_MAX, "%s cannot be written", o->answers_path);
            return ERR_IO;
        }
        /* Each answer is in the file before the next is heard: whoever reads it knows them all. */
        CHECK(setvbuf(h->flock.trades.answers, NULL, _IOLBF, BUFSIZ) == 0);
    }
    if (o->dump_path != NULL && (h->dump = fopen(o->dump_path, "wbe")) == NULL) {
        snprintf(why, HERD_WHY_MAX, "%s cannot be written", o->dump_path);
        return ERR_IO;
    }
    return OK;
}

static enum err
herd_open(struct herd *h, char why[HERD_WHY_MAX])
{
    const struct herd_options *o = &h->options;
    bool many = o->count >= MANY;
    flock_init(&h->flock, &o->plan);
    h->observer_count = o->observers;
    h->tick_us = many ? TICK_MANY_US : TICK_FEW_US;
    h->members = calloc(o->count, sizeof(*h->members));
    h->bots = calloc(o->count, sizeof(*h->bots));
    h->observers = calloc(o->observers + 1, sizeof(*h->observers));
    h->sample_us = calloc(o->observers + 1, sizeof(*h->sample_us));
    h->probers = calloc(o->probers + 1, sizeof(*h->probers));
    h->truth.spots = calloc(o->count, sizeof(*h->truth.spots));
    CHECK(h->members && h->bots && h->observers && h->sample_us && h->probers && h->truth.spots);
    h->truth.bots = h->bots;
    h->truth.count = o->count;
    map_init(&h->truth.by_entity, 4 * o->count, o->plan.seed);
    tickets_init(&h->tickets, o->count);
    enum err error = open_files(h, why);
    if (error != OK) {
        return error;
    }
    error = loop_open(&h->loop);
    if (error != OK) {
        snprintf(why, HERD_WHY_MAX, "no event loop: %s", err_text(error));
        return error;
    }
    uint32_t gap_us = many ? PACE_MANY_US : 0;
    loop_pace(h->loop, gap_us, gap_us);
    return OK;
}

static void
herd_close(struct herd *h)
{
    for (uint32_t i = 0; i < h->started; i++) {
        CHECK(h->members[i].fd < 0);
        bot_close(&h->members[i].bot);
    }
    loop_close(&h->loop);
    map_fini(&h->truth.by_entity);
    tickets_fini(&h->tickets);
    if (h->dump != NULL) {
        (void)fclose(h->dump);
    }
    if (h->flock.trades.answers != NULL) {
        (void)fclose(h->flock.trades.answers);
    }
    free(h->truth.spots);
    free(h->sample_us);
    free(h->probers);
    free(h->observers);
    free(h->bots);
    free(h->members);
    free(h);
}

enum err
herd_run(const struct herd_options *options, struct herd_result *out, char why[HERD_WHY_MAX])
{
    struct herd *h = calloc(1, sizeof(*h));
    CHECK(h != NULL);
    h->options = *options;
    *out = (struct herd_result){0};
    enum err error = check_options(&h->options, why);
    if (error != OK) {
        free(h);
        return error;
    }
    error = herd_open(h, why);
    if (error == OK) {
        run(h);
        fill_result(h, out);
        leave(h);
        bool stopped = options->stop != NULL && *options->stop != 0;
        if (out->connected == 0 && !(stopped && out->lost > 0)) { /* a world may end before us */
            snprintf(why, HERD_WHY_MAX, "nobody is connected");
            error = ERR_UNAVAILABLE;
        }
        if (options->tickets_path != NULL && h->tickets.changed &&
            tickets_save(&h->tickets, options->tickets_path) != OK) {
            snprintf(why, HERD_WHY_MAX, "%s cannot be written", options->tickets_path);
            error = ERR_IO;
        }
    }
    herd_close(h);
    return error;
}
