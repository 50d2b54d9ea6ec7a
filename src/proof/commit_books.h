/* Documents of value, read for the checks: what each one holds and under whose account, who it is
 * about, what its ledger says. It reads the wire form itself, so that it shares no mistake with the
 * deeds; it needs the numbers of fields in value.proto and documents.proto, which are never reused.
 * Pure; no memory.
 */
#ifndef SEOM_PROOF_COMMIT_BOOKS_H
#define SEOM_PROOF_COMMIT_BOOKS_H

#include "base/bytes.h"
#include "base/err.h"
#include "proof/commit_truth.h"
#include <stdbool.h>
#include <stdint.h>

#define BOOK_ITEMS_MAX   160
#define BOOK_LINES_MAX   64
#define BOOK_THINGS_MAX  64
#define BOOK_NOTICES_MAX 96

/* As in documents.proto. */
enum book_account {
    ACCOUNT_WORLD,
    ACCOUNT_PLAYER,
    ACCOUNT_CHEST,
    ACCOUNT_GROUND,
    ACCOUNT_MAIL,
    ACCOUNT_TRADE,
    ACCOUNT_KINDS
};

struct book_owner {
    uint32_t kind; /* enum book_account */
    uint64_t id;
};

/* Something held. kind 0: coins. */
struct book_item {
    uint32_t kind, slot;
    uint64_t count, uid;
};

struct book_player {
    uint64_t session_epoch, last_seq, last_hash;
    uint64_t result; /* digest of last_res, */
    uint32_t code;   /* its first byte */
    uint32_t pages, lines;
    uint64_t line[BOOK_LINES_MAX]; /* digests */
    uint64_t rest; /* digest of everything else but who is home: of the bag, above all */
};

struct book_thing {
    uint64_t id;
    uint32_t kind;
    int32_t x_mm, y_mm;
};

struct book_notice {
    uint32_t kind; /* 1: mail, 2: offer */
    uint64_t id;
};

struct book {
    struct book_owner owner; /* under whose account all of it is held */
    uint32_t slots_max;
    uint32_t items;
    struct book_item item[BOOK_ITEMS_MAX];

    union {
        struct book_player player;

        struct {
            uint32_t count;
            struct book_thing thing[BOOK_THINGS_MAX];
        } chunk;

        struct {
            uint32_t count;
            struct book_notice notice[BOOK_NOTICES_MAX];
        } inbox;

        struct {
            uint64_t from, to;
            uint64_t digest; /* of who, what is given and what is wanted */
        } trade;

        struct {
            uint64_t to;
        } mail;
    } as;
};

/* One line of a ledger. */
struct book_line {
    uint64_t seq;
    int64_t at_ms;
    uint32_t reason, kind;
    struct book_owner from, to;
    uint64_t count, uid;
};

/* Lines where they stand. */
struct book_lines {
    uint32_t count;
    struct slice line[BOOK_LINES_MAX]; /* borrowed from the body */
};

/* ERR_FORMAT: malformed, or more than the limits above. class: one that holds value. */
enum err book_read(enum truth_class class, uint64_t id, struct slice body,
                   struct book *out) MUST_USE;
/* Those of a player's document or of a page, added to what is there. */
enum err book_lines_add(enum truth_class class, struct slice body, struct book_lines *out) MUST_USE;
enum err book_line_read(struct slice line, struct book_line *out) MUST_USE;
uint64_t book_digest(struct slice bytes);

#endif
