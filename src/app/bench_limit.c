/* seom bench limit: what the bare send and receive loop costs here (limit.h). */
#include "app/arguments.h"
#include "app/commands.h"
#include "app/limit.h"
#include "app/output.h"
#include <argp.h>

#define PREEMPTIONS_FINE 20 /* a second; kernel threads alone make a few */

#define NUMBER_MAX 10000000 /* above every limit here */

enum {
    KEY_CONNECTIONS = 1000,
    KEY_BYTES,
    KEY_PIECES,
    KEY_SECONDS,
    KEY_SENDS,
    KEY_RECEIVES,
    KEY_GAP,
};

static const struct argp_option option_rows[] = {
    {.name = "connections",
     .key = KEY_CONNECTIONS,
     .arg = "N",
     .doc = "loopback connections (2500)"},
    {.name = "bytes", .key = KEY_BYTES, .arg = "B", .doc = "of one gathered send (600)"},
    {.name = "pieces", .key = KEY_PIECES, .arg = "K", .doc = "of one gathered send (8)"},
    {.name = "seconds", .key = KEY_SECONDS, .arg = "S", .doc = "of measuring (5)"},
    {.name = "sends", .key = KEY_SENDS, .arg = "R", .doc = "sends a second, all together (50000)"},
    {.name = "receives",
     .key = KEY_RECEIVES,
     .arg = "R",
     .doc = "20-byte messages a second (25000)"},
    {.name = "gap",
     .key = KEY_GAP,
     .arg = "US",
     .doc = "between wake-ups of the receiving loop (2000)"},
    {0},
};

static error_t
option_parse(int key, char *arg, struct argp_state *state)
{
    struct limit_options *o = state->input;
    switch (key) {
    case KEY_CONNECTIONS:
        o->connections = arguments_number(arg, 1, NUMBER_MAX, "--connections", state);
        return 0;
    case KEY_BYTES: o->bytes = arguments_number(arg, 1, NUMBER_MAX, "--bytes", state); return 0;
    case KEY_PIECES: o->pieces = arguments_number(arg, 1, NUMBER_MAX, "--pieces", state); return 0;
    case KEY_SECONDS:
        o->seconds = arguments_number(arg, 1, NUMBER_MAX, "--seconds", state);
        return 0;
    case KEY_SENDS:
        o->sends_per_s = arguments_number(arg, 1, NUMBER_MAX, "--sends", state);
        return 0;
    case KEY_RECEIVES:
        o->receives_per_s = arguments_number(arg, 1, NUMBER_MAX, "--receives", state);
        return 0;
    case KEY_GAP: o->gap_us = arguments_number(arg, 1, NUMBER_MAX, "--gap", state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static void
table_print(const struct limit_options *o, const struct limit_result *r)
{
    static const struct output_column columns[] = {
        {.head = ""}, {.head = "CPU us each", .right = true}, {.head = "a second", .right = true}};
    struct output_table *table = output_table_alloc(columns, 3);
    output_table_cell(table, "send of %u bytes in %u pieces", o->bytes, o->pieces);
    output_table_cell(table, "%.2f", r->send_us);
    output_table_cell(table, "%.0f", r->sends_per_s);
    output_table_cell(table, "receive of %u bytes", LIMIT_MESSAGE_BYTES);
    output_table_cell(table, "%.2f", r->receive_us);
    output_table_cell(table, "%.0f", r->receives_per_s);
    output_table_print(table, stderr);
    output_table_free(&table);
    output_progress("%.0f %% of a core, %.0f turns of the loop a second", r->cpu_share * 100,
                    r->turns_per_s);
    if (r->preemptions > PREEMPTIONS_FINE * o->seconds)
        output_progress("other work took the core %llu times: these figures are too high",
                        (unsigned long long)r->preemptions);
    if (r->cpu_share > 0.95)
        output_progress("the loop is saturated: what is due is late");
}

int
bench_limit_command(int argc, char **argv)
{
    static const struct argp argp = {
        .options = option_rows,
        .parser = option_parse,
        .doc =
            "Measure the bare loop: CPU of one gathered send and of one small receive, over many "
            "loopback connections. The server stays on core 0, the other end on core 1."};
    struct limit_options o = {.connections = 2500, .bytes = 600, .pieces = 8, .seconds = 5};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    output_progress("connecting %u, warming up, measuring for %u s ...", o.connections, o.seconds);
    struct limit_result r = bench_limit_run(&o);
    if (r.error != OK) {
        output_progress("seom bench limit: %s (%s)", r.why, err_text(r.error));
        return r.error == ERR_RANGE ? 2 : 1;
    }
    table_print(&o, &r);
    json_t *object = json_pack(
        "{s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I}", "connections",
        (int)o.connections, "bytes", (int)o.bytes, "pieces", (int)o.pieces, "send_us", r.send_us,
        "receive_us", r.receive_us, "sends_per_s", r.sends_per_s, "receives_per_s",
        r.receives_per_s, "cpu_share", r.cpu_share, "turns_per_s", r.turns_per_s, "sends",
        (json_int_t)r.sends, "receives", (json_int_t)r.receives, "would_block",
        (json_int_t)r.would_block, "preemptions", (json_int_t)r.preemptions);
    return output_result(&object);
}
