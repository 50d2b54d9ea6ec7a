/* Keys of documents: <world>/<class>/<id>, where world is 4 hex digits and id 16 hex digits, so
 * that keys sort as their numbers do; or a name in the place of the id where there is one document
 * of its kind (meta/clock). Pure values.
 */
#ifndef SEOM_STORE_KEYS_H
#define SEOM_STORE_KEYS_H

#include "base/bytes.h"
#include "base/err.h"
#include "env/env.h"
#include <stdbool.h>
#include <stdint.h>

#define KEY_CLASS_MAX 24 /* letters of a class */
#define KEY_NAME_MAX  24

/* The classes there are, and what kind of data each one holds (one kind per document). */
#define KEY_CLASS_PLAYER  "player"  /* value: written through, by commits */
#define KEY_CLASS_PLACE   "place"   /* feel: written behind, pages of 64 players */
#define KEY_CLASS_META    "meta"    /* the world's own: meta/clock, meta/ids-player, ... */
#define KEY_CLASS_STEWARD "steward" /* who looks after the things of a block: nothing of value */

struct key {
    char text[STORE_KEY_MAX + 1]; /* ends with 0 */
    uint8_t bytes;                /* without it */
};

struct key_parts {
    uint16_t world;
    struct slice class; /* points into the parsed bytes */
    struct slice name;  /* likewise: what stands after the second '/' */
    bool is_id;         /* name is exactly 16 hex digits */
    uint64_t id;        /* then */
};

/* class and name: lower-case letters, digits, '-'; CHECKed, as they are ours. */
struct key key_make(uint16_t world, const char *class, uint64_t id);
struct key key_named(uint16_t world, const char *class, const char *name);
struct slice key_slice(const struct key *key);
enum err key_parse(struct slice text, struct key_parts *out); /* ERR_FORMAT */
bool key_has_class(const struct key_parts *parts, const char *class);

#endif
