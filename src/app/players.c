/* `seom players`: who stands where, read from the store: works while the world runs (then it
 * is at most a second old) and while it does not (then it is where they will stand when it starts
 * again).
 */
#include "app/commands.h"
#include "app/output.h"
#include "app/tool.h"
#include "base/check.h"
#include "store/clock.h"
#include "store/keys.h"
#include "store/place.h"
#include "store/player.h"
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A slot of a page, or what a player's document says itself. Pages of homes that are gone stay, so
 * somebody may stand in many slots: the document names the one that counts. */
struct row {
    struct stand stand;
    struct place_slot slot;
    bool counts;
    char name[PLAYER_NAME_MAX + 1];
};

struct listing {
    int64_t clock_ms; /* world time when it was saved last */
    struct row *rows; /* owned */
    size_t count, capacity;
    size_t slots; /* the first rows, of pages: sorted when the documents of players come */
    uint64_t unreadable;
};

static struct row *
row_add(struct listing *l, const struct stand *stand)
{
    if (l->count == l->capacity) {
        l->capacity = l->capacity == 0 ? 1024 : l->capacity * 2;
        l->rows = realloc(l->rows, l->capacity * sizeof *l->rows);
        CHECK(l->rows != NULL);
    }
    l->rows[l->count] = (struct row){.stand = *stand};
    return &l->rows[l->count++];
}

static int
by_player_and_slot(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    if (a->stand.player != b->stand.player)
        return a->stand.player < b->stand.player ? -1 : 1;
    if (a->slot.page != b->slot.page)
        return a->slot.page < b->slot.page ? -1 : 1;
    return (a->slot.slot > b->slot.slot) - (a->slot.slot < b->slot.slot);
}

static bool
each_place(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct listing *l = ctx;
    struct key_parts parts;
    if (key_parse(key, &parts) != OK || !parts.is_id || place_page_check(doc->value) != OK) {
        l->unreadable++;
        return true;
    }
    for (uint32_t slot = 0; slot < PLACE_PAGE_SLOTS; slot++) {
        struct stand stand;
        if (place_page_read(doc->value, slot, &stand))
            row_add(l, &stand)->slot = (struct place_slot){.page = parts.id, .slot = slot};
    }
    l->slots = l->count;
    return true;
}

/* A name is a player's text: nothing of it may steer the terminal. */
static void
name_copy(char out[PLAYER_NAME_MAX + 1], const char *name)
{
    size_t i = 0;
    for (; name[i] != '\0'; i++)
        out[i] = (unsigned char)name[i] < ' ' || name[i] == 127 ? '?' : name[i];
    out[i] = '\0';
}

static bool
each_player(void *ctx, struct slice key, const struct store_doc *doc)
{
    struct listing *l = ctx;
    struct key_parts parts;
    struct player player;
    if (key_parse(key, &parts) != OK || !parts.is_id ||
        player_decode(parts.id, doc, &player) != OK) {
        l->unreadable++;
        return true;
    }
    struct row sought = {.stand = {.player = parts.id}, .slot = player.home.slot};
    if (sought.slot.page == 0)
        sought.slot = place_slot_of_id(parts.id);
    struct row *row = NULL;
    if (l->slots > 0)
        row = bsearch(&sought, l->rows, l->slots, sizeof sought, by_player_and_slot);
    /* As when somebody comes in: what was written since the claim is newer. */
    const struct stand *stood = &player.home.stood;
    if (stood->island != 0 && (row == NULL || row->stand.motion.since_ms < stood->motion.since_ms))
        row = row_add(l, stood);
    if (row != NULL) {
        row->counts = true;
        name_copy(row->name, player.name);
    }
    return true;
}

static bool
each_clock(void *ctx, struct slice key, const struct store_doc *doc)
{
    (void)key;
    struct listing *l = ctx;
    if (clock_decode(doc->value, &l->clock_ms) != OK)
        l->unreadable++;
    return false;
}

/* One row for each player, in the order of ids. */
static void
listing_end(struct listing *l)
{
    size_t count = 0;
    for (size_t i = 0; i < l->count; i++)
        if (l->rows[i].counts)
            l->rows[count++] = l->rows[i];
    l->count = count;
    if (count > 0)
        qsort(l->rows, count, sizeof *l->rows, by_player_and_slot);
}

static enum err
listing_read(struct listing *l, struct tool *tool)
{
    static const struct {
        const char *what;
        bool (*each)(void *, struct slice, const struct store_doc *);
    } passes[] = {
        {KEY_CLASS_META "/clock", each_clock},
        {KEY_CLASS_PLACE "/", each_place},
        {KEY_CLASS_PLAYER "/", each_player},
    };

    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        char prefix[STORE_KEY_MAX + 1];
        snprintf(prefix, sizeof prefix, "%04x/%s", (unsigned)tool->config.world, passes[i].what);
        uint64_t damaged;
        if (passes[i].each == each_player && l->slots > 0)
            qsort(l->rows, l->slots, sizeof *l->rows, by_player_and_slot);
        enum err error = tool_scan(tool, prefix, passes[i].each, l, &damaged);
        if (error != OK)
            return error;
        l->unreadable += damaged;
    }
    listing_end(l);
    return OK;
}

static int
listing_print(const struct listing *l)
{
    static const struct output_column columns[] = {
        {"id", true}, {"name", false}, {"island", true}, {"x m", true}, {"y m", true}};
    struct output_table *table = output_table_alloc(columns, sizeof columns / sizeof *columns);
    json_t *players = json_array();
    for (size_t i = 0; i < l->count; i++) {
        const struct row *row = &l->rows[i];
        struct place at = motion_at(&row->stand.motion, l->clock_ms);
        output_table_cell(table, "%llu", (unsigned long long)row->stand.player);
        output_table_cell(table, "%s", row->name);
        output_table_cell(table, "%u", row->stand.island);
        output_table_cell(table, "%.3f", at.x_mm / 1000.0);
        output_table_cell(table, "%.3f", at.y_mm / 1000.0);
        json_array_append_new(players,
                              json_pack("{s:I, s:I, s:i, s:i}", "id", (json_int_t)row->stand.player,
                                        "island", (json_int_t)row->stand.island, "x_mm", at.x_mm,
                                        "y_mm", at.y_mm));
    }
    output_table_print(table, stderr);
    output_table_free(&table);
    output_progress("%zu players, world time %lld ms", l->count, (long long)l->clock_ms);
    if (l->unreadable > 0)
        output_progress("%llu documents could not be read and are left out",
                        (unsigned long long)l->unreadable);
    json_t *object = json_pack("{s:o}", "players", players);
    return output_result(&object);
}

int
players_command(int argc, char **argv)
{
    static const struct argp_option options[] = {TOOL_OPTION_DATA, TOOL_OPTION_STORE, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = tool_parse,
        .doc = "Print who stands where, whether the world runs or not.",
    };
    struct tool tool = {.name = argv[0]};
    argp_parse(&argp, argc, argv, 0, NULL, &tool);
    if (!tool_begin(&tool))
        return 2;
    struct listing listing = {0};
    int code =
        listing_read(&listing, &tool) == OK ? listing_print(&listing) : tool_fail(&tool, NULL);
    free(listing.rows);
    return code;
}
