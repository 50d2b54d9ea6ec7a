/* The configuration of a node: one table, from which come the members of struct config, the options
 * of the commands that run something, the schema of the YAML file, the names in the environment,
 * `seom config` and docs/config.md.
 *
 * Command line stands over environment over file over default. The file is --config FILE, or
 * seom.yaml in the data directory when it is there. An unknown key, a value that is no such value
 * or one outside its range is an error that names the key. Owned by the command that parsed it;
 * read-only afterwards, so any thread may read it.
 *
 * To add a setting: a row here, then `seom config --reference > docs/config.md`.
 */
#ifndef SEOM_APP_CONFIG_H
#define SEOM_APP_CONFIG_H

#include "env/env.h"
#include "os/address.h"
#include "world/game.h"
#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_TEXT_MAX  256 /* bytes of any value, terminated */
#define CONFIG_SHARD_MAX 999

/* Whose setting a row is: a command offers, takes and explains its own and no others. The file and
 * the environment may be those of several commands: what is of another is passed over there. */
enum config_of {
    OF_DEV = 1,
    OF_CLUSTER = 2, /* `seom cluster up`: its own, and what it hands on to its nodes */
    OF_HOME = 4,
    OF_GATE = 8,
    OF_RELAY = 16,
    OF_NODES = OF_HOME | OF_GATE | OF_RELAY,
    OF_WORLD = OF_DEV | OF_CLUSTER | OF_HOME | OF_GATE, /* who knows islands and players */
    OF_ALL = OF_WORLD | OF_RELAY
};

/* X(type, key, whose, default, range, name in the environment, option, its argument, doc)
 * Types: TEXT, NUMBER (int64_t; BETWEEN), FLAG, ADDRESS, CHOICE (the index in ONE_OF). */
#define CONFIG_TABLE(X)                                                                            \
    X(TEXT, data, OF_ALL, "./seom-data", ANY, "SEOM_DATA", "data", "DIR",                          \
      "directory of the world: its store, its keys and, if you like, seom.yaml")                   \
    X(ADDRESS, play, OF_DEV | OF_CLUSTER | OF_GATE, "127.0.0.1:7777", ANY, "SEOM_PLAY", "play",    \
      "ADDR:PORT", "where players connect; port 0 lets the kernel choose")                         \
    X(ADDRESS, http, OF_ALL, "127.0.0.1:7780", ANY, "SEOM_HTTP", "http", "ADDR:PORT",              \
      "where the page, /status and /metrics are served; a home, gate or relay serves its own "     \
      "where it is told to")                                                                       \
    X(FLAG, plain, OF_ALL, "false", ANY, "SEOM_PLAIN", "plain", NULL,                              \
      "accept that players and nodes of other machines connect unencrypted; without it `play` "    \
      "and `links` must be loopback addresses")                                                    \
    X(TEXT, islands, OF_WORLD, "", ANY, "SEOM_ISLANDS", "islands", "DIR",                          \
      "directory of island files; empty: the islands that come with seom")                         \
    X(CHOICE, game, OF_WORLD, "sample", ONE_OF("sample|empty"), "SEOM_GAME", "game", "NAME",       \
      "whose rules are played")                                                                    \
    X(NUMBER, world, OF_ALL, "1", BETWEEN(1, 65535), "SEOM_WORLD", "world", "ID",                  \
      "number of the world; the upper 16 bits of every id in it, so it never changes")             \
    X(NUMBER, players_max, OF_WORLD, "19500", BETWEEN(1, 1000000), "SEOM_PLAYERS_MAX",             \
      "players-max", "N", "how many can play at a time, at each node")                             \
    X(NUMBER, gate_threads, OF_DEV, "1", BETWEEN(1, 16), "SEOM_GATE_THREADS", "gate-threads", "N", \
      "threads that hold the sockets of players")                                                  \
    X(NUMBER, bots, OF_DEV | OF_CLUSTER, "200", BETWEEN(0, 20000), "SEOM_BOTS", "bots", "N",       \
      "how many bots walk here")                                                                   \
    X(NUMBER, for_s, OF_DEV | OF_CLUSTER, "0", BETWEEN(0, 31536000), "SEOM_FOR_S", "for",          \
      "SECONDS", "stop after so long; 0: run until stopped")                                       \
    X(NUMBER, shard, OF_NODES, "1", BETWEEN(1, CONFIG_SHARD_MAX), "SEOM_SHARD", "shard", "N",      \
      "the nodes of one shard are linked to each other directly")                                  \
    X(NUMBER, shards, OF_CLUSTER | OF_HOME, "1", BETWEEN(1, 64), "SEOM_SHARDS", "shards", "N",     \
      "how many shards the world has; its islands are dealt out over them")                        \
    X(NUMBER, index, OF_NODES, "1", BETWEEN(1, 9999), "SEOM_INDEX", "index", "N",                  \
      "number of this node among those of its role in its shard")                                  \
    X(TEXT, directory, OF_CLUSTER | OF_HOME | OF_RELAY, "", ANY, "SEOM_DIRECTORY", "directory",    \
      "URL", "where etcd answers, like http://127.0.0.1:2379")                                     \
    X(TEXT, store, OF_CLUSTER | OF_HOME, "", ANY, "SEOM_STORE", "store", "DSN",                    \
      "PostgreSQL, like postgresql:///seom?host=/tmp")                                             \
    X(ADDRESS, links, OF_CLUSTER | OF_HOME | OF_RELAY, "127.0.0.1:0", ANY, "SEOM_LINKS", "links",  \
      "ADDR:PORT", "where other nodes connect; port 0 lets the kernel choose")                     \
    X(TEXT, join, OF_GATE, "", ANY, "SEOM_JOIN", "join", "ADDR:PORT,...",                          \
      "links of homes to begin with; the others are heard of there")                               \
    X(NUMBER, nodes_per_chunk, OF_CLUSTER | OF_HOME, "1", BETWEEN(1, 64), "SEOM_NODES_PER_CHUNK",  \
      "nodes-per-chunk", "N", "over so many homes the people of one neighbourhood are spread")     \
    X(FLAG, take_over, OF_GATE, "false", ANY, "SEOM_TAKE_OVER", "take-over", NULL,                 \
      "take the listener of the gate of this name that runs here, which then leaves; nobody who "  \
      "connects is refused")                                                                       \
    X(TEXT, links_protocol, OF_NODES, "", ANY, "SEOM_LINKS_PROTOCOL", "links-protocol", "MIN-MAX", \
      "for tests of updates: the versions of links that this node says it speaks")                 \
    X(TEXT, user, OF_CLUSTER | OF_GATE, "nobody", ANY, "SEOM_USER", "user", "NAME",                \
      "who a gate is to be when started as root")                                                  \
    X(CHOICE, log_level, OF_ALL, "info", ONE_OF("error|warn|info|debug"), "SEOM_LOG_LEVEL",        \
      "log-level", "LEVEL", "how much is told on stderr")

#define CONFIG_ENUM(type, key, ...) CONFIG_##key,

enum config_key { CONFIG_TABLE(CONFIG_ENUM) CONFIG_COUNT };

#undef CONFIG_ENUM

enum config_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_COMMAND_LINE };

#define CONFIG_MEMBER_TEXT(key)       char key[CONFIG_TEXT_MAX];
#define CONFIG_MEMBER_NUMBER(key)     int64_t key;
#define CONFIG_MEMBER_FLAG(key)       bool key;
#define CONFIG_MEMBER_ADDRESS(key)    struct address key;
#define CONFIG_MEMBER_CHOICE(key)     uint32_t key;
#define CONFIG_MEMBER(type, key, ...) CONFIG_MEMBER_##type(key)

struct config {
    CONFIG_TABLE(CONFIG_MEMBER)
    enum config_origin origins[CONFIG_COUNT];
    char file[CONFIG_TEXT_MAX]; /* that was read; "" = none */
};

#undef CONFIG_MEMBER

/* What the command line said: texts as given, borrowed from argv; NULL = not given. */
struct config_given {
    const char *texts[CONFIG_COUNT];
    const char *file; /* --config */
};

/* The child parser of every command that takes the configuration; its input is a struct
 * config_input. When argp_parse() returns, config is whole; what is wrong ends the process with
 * exit code 2 and names the key; for a setting of other commands it names those. */
struct config_input {
    struct config_given given;
    struct config config;
};
extern const struct argp config_argp_dev, config_argp_cluster, config_argp_home, config_argp_gate,
    config_argp_relay, config_argp_all; /* all: for `seom config` */
/* The parser of a command that has no other options. */
error_t config_parse_only(int key, char *arg, struct argp_state *state);

/* The same without argp. false: why[] holds one line for people. */
bool config_load(const struct config_given *given, struct config *out, char *why, size_t why_bytes);

const char *config_key_name(enum config_key key);
const char *config_origin_name(enum config_origin origin);
bool config_is_of(enum config_key key, enum config_of who);
/* The effective value as text, as it may stand in the file. */
void config_value_text(const struct config *c, enum config_key key, char out[CONFIG_TEXT_MAX]);
enum log_level config_log_level(const struct config *c);
const struct game *config_game(const struct config *c);

#endif
