/* A deed: what one command does, as a function of documents. It is asked with the documents that it
 * has named so far, and answers with a code, having changed messages in place; when it names a
 * document that was not read yet, it says DEED_MORE and is asked again from the start once that
 * document is there. So a deed is pure, may be asked any number of times, and never waits.
 *
 * Everything that was opened is in the commit: what was not changed is checked (RELIABILITY: reads
 * are in the write set). A code other than FINE is a refusal: no change is written but the
 * initiator's last command; RETRY_AFTER and CLOSED leave even that as it is.
 *
 * Lives on the logic thread, inside a slot of struct commands, for one attempt. Limits: documents,
 * memory and ids below; a deed that needs more is refused with SEOM__CODE__TOO_LARGE.
 */
#ifndef SEOM_STORE_DEED_H
#define SEOM_STORE_DEED_H

#include "base/bytes.h"
#include "documents.pb-c.h"
#include "store/keys.h"
#include "wire/motion.h"
#include <stdbool.h>
#include <stdint.h>

#define DEED_DOCUMENTS_MAX 16
#define DEED_IDS_MAX       8
#define DEED_BODY_MAX      2048 /* bytes of a command */
#define DEED_RESULT_MAX    240  /* bytes of its result */
#define DEED_MORE          UINT32_MAX

/* Classes of deeds that can be closed one by one while people play (meta/switches, a bit each). */
enum deed_class {
    DEED_GATHER,  /* makes or ends things: pick, craft, sell, eat */
    DEED_ARRANGE, /* moves one's own things: split, chest, drop */
    DEED_TAKE,    /* takes what lies about */
    DEED_TRADE,   /* from player to player */
    DEED_MAIL,    /* likewise, by mail */
    DEED_CLASSES
};

const char *deed_class_name(enum deed_class class); /* static */

/* The switch "no wealth transfer": everything by which something can come from one player to
 * another. */
#define DEED_WEALTH_TRANSFER \
    (1U << DEED_ARRANGE | 1U << DEED_TAKE | 1U << DEED_TRADE | 1U << DEED_MAIL)

/* Who acts and where, as the home knew it when the command came. */
struct deed_actor {
    uint64_t player; /* 0: a job, nobody's command */
    uint64_t session_epoch;
    uint64_t world_seed;
    uint32_t island;
    uint32_t island_columns; /* chunks from west to east */
    struct place at;
    int32_t reach_mm;
};

struct deed;
/* FINE, a refusal, or DEED_MORE. */
typedef uint32_t deed_decide(struct deed *deed);

struct deed_kind {
    const char *name; /* static; for logs, metrics, ledgers */
    enum deed_class class;
    deed_decide *decide;
    bool around; /* works on what lies or stands around the actor: best decided by its steward */
};

/* What a deed is given. */
const struct deed_actor *deed_actor(const struct deed *deed);
struct slice deed_body(const struct deed *deed);
int64_t deed_now_ms(const struct deed *deed); /* world time when the command was taken up */
uint64_t deed_seq(const struct deed *deed);
uint16_t deed_world(const struct deed *deed);
const void *deed_ctx(const struct deed *deed); /* of struct commands_options */
/* The initiator's document; NULL for a job. Changes of it are always written. */
Seom__PlayerDocument *deed_player(const struct deed *deed);

/* The document under key as a message that may be changed; an empty one where none is. NULL: not
 * read yet, or it cannot be had: return DEED_MORE at once. The same message each time within an
 * attempt. */
void *deed_open(struct deed *deed, const struct key *key, const ProtobufCMessageDescriptor *type);
bool deed_exists(const struct deed *deed, const void *message); /* it was there */
/* What becomes of a message that deed_open() gave. Neither: it is checked. */
void deed_put(struct deed *deed, const void *message);
void deed_delete(struct deed *deed, const void *message);

/* Zeroed memory until the attempt ends; NULL: return DEED_MORE, the command will be refused. */
void *deed_alloc(struct deed *deed, size_t bytes);
/* A fresh id, the n-th of this command the same at each asking; 0: return DEED_MORE. */
uint64_t deed_id(struct deed *deed);
/* The body of the answer; at most DEED_RESULT_MAX bytes, copied. */
void deed_result(struct deed *deed, struct slice body);
/* A protobuf message out of bytes, in the attempt's memory; NULL: malformed. */
void *deed_unpack(struct deed *deed, const ProtobufCMessageDescriptor *type, struct slice bytes);
/* For the mutant that writes a document in a commit of its own, behind the first. */
void deed_put_apart(struct deed *deed, const void *message);

#endif
