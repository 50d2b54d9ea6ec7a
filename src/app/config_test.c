#include "app/config.h"
#include "app/config_table.h"
#include "os/files.h"
#include "rules/registry.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* One directory with a seom.yaml for each test; the environment is swept before. */
struct fixture {
    char directory[64], path[128];
    struct config config;
    char why[1024];
};

static int
set_up(void **state)
{
    for (int key = 0; key < CONFIG_COUNT; key++)
        unsetenv(config_rows[key].environment);
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL)
        return -1;
    if (directory_make_temporary(NULL, "config", fixture->directory, sizeof fixture->directory) !=
        OK)
        return -1;
    snprintf(fixture->path, sizeof fixture->path, "%s/seom.yaml", fixture->directory);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    rmdir(fixture->directory);
    free(fixture);
    return 0;
}

static void
put_file(const struct fixture *fixture, const char *text)
{
    FILE *out = fopen(fixture->path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

/* Loads with --data in the directory and one more option. */
static bool
load(struct fixture *fixture, enum config_key key, const char *text)
{
    struct config_given given = {.texts = {[CONFIG_data] = fixture->directory}};
    if (text != NULL)
        given.texts[key] = text;
    fixture->why[0] = '\0';
    return config_load(&given, &fixture->config, fixture->why, sizeof fixture->why);
}

static void
assert_refused(struct fixture *fixture, bool loaded, const char *first, const char *second)
{
    if (loaded || strstr(fixture->why, first) == NULL || strstr(fixture->why, second) == NULL)
        fail_msg("wanted a refusal with '%s' and '%s', got '%s'", first, second, fixture->why);
}

static void
defaults_stand_alone(void **state)
{
    struct fixture *fixture = *state;
    assert_true(load(fixture, CONFIG_data, NULL));
    const struct config *c = &fixture->config;
    assert_string_equal(c->file, "");
    assert_string_equal(c->data, fixture->directory);
    assert_string_equal(c->play.host, "127.0.0.1");
    assert_int_equal(c->play.port, 7777);
    assert_int_equal(c->http.port, 7780);
    assert_int_equal(c->bots, 200);
    assert_int_equal(c->for_s, 0);
    assert_false(c->plain);
    assert_int_equal(config_log_level(c), LOG_INFO);
    assert_int_equal(c->origins[CONFIG_bots], ORIGIN_DEFAULT);
    assert_int_equal(c->origins[CONFIG_data], ORIGIN_COMMAND_LINE);
}

static void
command_line_stands_over_environment_over_file(void **state)
{
    struct fixture *fixture = *state;
    put_file(fixture, "# comment\nbots: 1\nfor_s: 2\n\nlog_level: debug\nplain: yes\n");
    setenv("SEOM_BOTS", "3", 1);
    setenv("SEOM_FOR_S", "4", 1);
    setenv("SEOM_WORLD", "", 1); /* empty = not set */
    assert_true(load(fixture, CONFIG_for_s, "5"));
    const struct config *c = &fixture->config;
    assert_string_equal(c->file, fixture->path);
    assert_int_equal(c->bots, 3);
    assert_int_equal(c->origins[CONFIG_bots], ORIGIN_ENVIRONMENT);
    assert_int_equal(c->for_s, 5);
    assert_int_equal(c->origins[CONFIG_for_s], ORIGIN_COMMAND_LINE);
    assert_int_equal(config_log_level(c), LOG_DEBUG);
    assert_int_equal(c->origins[CONFIG_log_level], ORIGIN_FILE);
    assert_true(c->plain);
    assert_int_equal(c->world, 1);
    assert_int_equal(c->origins[CONFIG_world], ORIGIN_DEFAULT);
}

/* Each row: a file and what the refusal must say, the line included. */
static void
a_wrong_file_is_refused_with_key_and_line(void **state)
{
    struct fixture *fixture = *state;

    static const struct {
        const char *text, *first, *second;
    } rows[] = {
        {"bots: 1\n\n# note\nbotz: 2\n", "seom.yaml:4:", "unknown key 'botz'"},
        {"colour: blue\n", "seom.yaml:1:", "unknown key 'colour'"},
        {"bots: 1\n\"two words\": 2\n", "seom.yaml:2:", "unknown key 'two words'"},
        {"bots: 1\nbots: 2\n", "seom.yaml:", "bots"},
        {"world: 1\nbots: many\n", "seom.yaml:2: bots:", "'many' is not a whole number"},
        {"bots:\n", "seom.yaml:1: bots:", "not a whole number"},
        {"bots: 3x\n", "seom.yaml:1: bots:", "'3x'"},
        {"bots: -1\n", "seom.yaml:1: bots:", "from 0 to 20000"},
        {"bots: 20001\n", "seom.yaml:1: bots:", "from 0 to 20000"},
        {"bots: 99999999999999999999\n", "seom.yaml:1: bots:", "from 0 to 20000"},
        {"world: 0\n", "seom.yaml:1: world:", "from 1 to 65535"},
        {"plain: maybe\n", "seom.yaml:1: plain:", "neither true nor false"},
        {"log_level: loud\n", "seom.yaml:1: log_level:", "error|warn|info|debug"},
        {"log_level: warn|info\n", "seom.yaml:1: log_level:", "is not one of"},
        {"play: here\n", "seom.yaml:1: play:", "ADDR:PORT"},
        {"play: [::1]:7777\n", "seom.yaml:1: play:", "STRING"},
        {"- bots\n", "seom.yaml:1:", "MAPPING"},
        {"bots: \"1\n", "seom.yaml:1:", "libyaml"},
        {"islands: \"a\\tb\"\n", "seom.yaml:1: islands:", "not plain text"},
        {"data: elsewhere\n", "seom.yaml:1: data:", "found through it"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put_file(fixture, rows[i].text);
        assert_refused(fixture, load(fixture, CONFIG_data, NULL), rows[i].first, rows[i].second);
        assert_null(strchr(fixture->why, '\n'));
    }
}

static void
a_file_may_say_little(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {"", "# nothing\n", "bots: 200", "{bots: 200}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put_file(fixture, texts[i]);
        assert_true(load(fixture, CONFIG_data, NULL));
        assert_string_equal(fixture->config.file, fixture->path);
        assert_int_equal(fixture->config.bots, 200);
    }
}

static void
a_named_file_must_be_there(void **state)
{
    struct fixture *fixture = *state;
    struct config_given given = {.file = fixture->path};
    assert_refused(fixture,
                   config_load(&given, &fixture->config, fixture->why, sizeof fixture->why),
                   "seom.yaml", "No such file");
    put_file(fixture, "data: elsewhere\n");
    assert_true(config_load(&given, &fixture->config, fixture->why, sizeof fixture->why));
    assert_string_equal(fixture->config.data, "elsewhere");
}

static void
a_directory_is_no_file(void **state)
{
    struct fixture *fixture = *state;
    struct config_given given = {.file = fixture->directory};
    assert_refused(fixture,
                   config_load(&given, &fixture->config, fixture->why, sizeof fixture->why),
                   fixture->directory, "cannot be read");
}

static void
environment_and_options_name_their_key(void **state)
{
    struct fixture *fixture = *state;
    setenv("SEOM_PLAYERS_MAX", "lots", 1);
    assert_refused(fixture, load(fixture, CONFIG_data, NULL), "SEOM_PLAYERS_MAX",
                   "players_max: 'lots'");
    unsetenv("SEOM_PLAYERS_MAX");
    setenv("SEOM_ISLANDS", "\xff\xfe", 1);
    assert_refused(fixture, load(fixture, CONFIG_data, NULL), "SEOM_ISLANDS", "not plain text");
    unsetenv("SEOM_ISLANDS");
    assert_refused(fixture, load(fixture, CONFIG_http, "nowhere"), "http:", "'nowhere'");
    assert_refused(fixture, load(fixture, CONFIG_gate_threads, "17"),
                   "gate_threads:", "from 1 to 16");
    assert_refused(fixture, load(fixture, CONFIG_gate_threads, " 1"),
                   "gate_threads:", "whole number");
    assert_refused(fixture, load(fixture, CONFIG_data, ""), "data:", "empty");
    char *endless = malloc(100000);
    assert_non_null(endless);
    memset(endless, 'x', 99999);
    endless[99999] = '\0';
    assert_refused(fixture, load(fixture, CONFIG_islands, endless), "islands:", "longer than 255");
    assert_refused(fixture, load(fixture, CONFIG_data, endless), "data:", "longer than");
    free(endless);
}

static void
an_open_play_address_needs_plain(void **state)
{
    struct fixture *fixture = *state;
    assert_refused(fixture, load(fixture, CONFIG_play, "0.0.0.0:7777"), "play: 0.0.0.0:7777",
                   "--plain");
    assert_refused(fixture, load(fixture, CONFIG_play, "[::]:7777"), "play: [::]:7777", "--plain");
    assert_true(load(fixture, CONFIG_play, "127.9.9.9:7777"));
    setenv("SEOM_PLAIN", "1", 1);
    assert_true(load(fixture, CONFIG_play, "0.0.0.0:7777"));
}

/* What is printed can stand in a file and means the same. */
static void
values_come_back_as_text(void **state)
{
    struct fixture *fixture = *state;
    assert_true(load(fixture, CONFIG_play, "[::1]:0"));
    struct config first = fixture->config;
    char file[CONFIG_COUNT * (CONFIG_TEXT_MAX + 32)] = "";
    for (int key = 0; key < CONFIG_COUNT; key++) {
        char text[CONFIG_TEXT_MAX];
        config_value_text(&first, (enum config_key)key, text);
        if (key != CONFIG_data)
            snprintf(file + strlen(file), sizeof file - strlen(file), "%s: \"%s\"\n",
                     config_key_name((enum config_key)key), text);
    }
    put_file(fixture, file);
    assert_true(load(fixture, CONFIG_data, NULL));
    for (int key = 0; key < CONFIG_COUNT; key++) {
        char text[CONFIG_TEXT_MAX];
        char again[CONFIG_TEXT_MAX];
        config_value_text(&first, (enum config_key)key, text);
        config_value_text(&fixture->config, (enum config_key)key, again);
        assert_string_equal(text, again);
    }
}

/* The words of the row are the registry's names, in its order. */
static void
every_game_can_be_chosen(void **state)
{
    struct fixture *fixture = *state;
    uint32_t games = 0;
    for (const struct game *game; (game = registry_at(games)) != NULL; games++) {
        assert_true(load(fixture, CONFIG_game, game->name));
        assert_int_equal(fixture->config.game, games);
        assert_ptr_equal(config_game(&fixture->config), game);
    }
    assert_true(games > 0);
    uint32_t words = 1;
    for (const char *c = config_rows[CONFIG_game].words; *c != '\0'; c++)
        words += *c == '|';
    assert_int_equal(words, games);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(defaults_stand_alone),
        TEST(command_line_stands_over_environment_over_file),
        TEST(a_wrong_file_is_refused_with_key_and_line),
        TEST(a_file_may_say_little),
        TEST(a_named_file_must_be_there),
        TEST(a_directory_is_no_file),
        TEST(environment_and_options_name_their_key),
        TEST(an_open_play_address_needs_plain),
        TEST(values_come_back_as_text),
        TEST(every_game_can_be_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
