/* What an audit remembers while it reads (audit.c), for who tells what was found (audit_end.c).
 * Nobody else's.
 */
#ifndef SEOM_SOCIETY_AUDIT_STATE_H
#define SEOM_SOCIETY_AUDIT_STATE_H

#include "society/audit.h"
#include "society/table.h"
#include "store/scratch.h"

#define AUDIT_FAULTS_TOLD_MAX 256
#define AUDIT_FINDING_BYTES   240
#define AUDIT_NAME_BYTES      32
#define AUDIT_GATHERED_MAX    64

/* An account: whose, in which world. */
struct audit_owner {
    uint16_t world;
    uint32_t kind; /* Seom__AccountKind, or whatever stands there */
    uint64_t id;
};

/* What an account holds of a kind less what the ledger says it should. */
struct balance {
    struct table_key key;
    int64_t difference;
};

/* A single thing. It is where the ledger says when the sum of the places it went to, less those it
 * went from, less those where it was found, is 0, in whatever order they come. */
struct single {
    struct table_key key; /* id: the uid */
    uint64_t where;
    uint64_t at_id;        /* a place where it was found */
    uint64_t inside_chunk; /* where it stands, as the document of its inside says */
    uint32_t kind;
    uint32_t form; /* as what it stands in a chunk */
    uint16_t at_world;
    uint8_t at;
    uint8_t minted, consumed, held; /* at most UINT8_MAX */
    bool known : 1, inside : 1, stands : 1;
};

/* The single things that were made and used up once and are forgotten otherwise. */
struct spent {
    struct table_key key; /* id: the uid without its low bits */
    uint64_t uids;        /* a bit for each of them */
};

/* A mail or an offer: its document, and the notice of it in an inbox. */
struct letter {
    struct table_key key;
    uint64_t to; /* as the first of the two says that was read */
    bool exists, noticed;
};

/* What the parts of a player's ledger, the bag and the list of offers say about each other. */
struct history {
    struct table_key key; /* id: the player */
    bool exists;          /* the document was read */
    bool bag;             /* and has a bag */
    uint8_t births;       /* how often first coins were given, at most UINT8_MAX */
    uint32_t pages_told, pages_found, page_last;
    uint64_t last_seq, newest_seq; /* of commands, of lines */
    uint64_t tail_from;            /* first command with a line in the document; 0: none */
    uint64_t pages_until;          /* last command with a line in a page */
    uint64_t offers;               /* sum of those listed less those found */
};

struct audit {
    struct table balances, singles, histories, spent, letters;
    bool births[UINT16_MAX + 1]; /* of worlds: whether first coins were given there */
    /* What the document at hand changes: most of what it holds its own lines explain, so little of
     * it goes on into the large table. */
    struct balance gathered[AUDIT_GATHERED_MAX];
    uint32_t gathered_count;
    struct audit_result result;
    bool full;
    char faults[AUDIT_FAULTS_TOLD_MAX][AUDIT_FINDING_BYTES];
    struct scratch scratch;
};

static inline void
audit_add(uint64_t *sum, uint64_t more)
{
    if (__builtin_add_overflow(*sum, more, sum))
        *sum = UINT64_MAX;
}

/* As the key of its document. Returns name. */
const char *audit_owner_name(struct audit_owner owner, char name[AUDIT_NAME_BYTES]);
struct audit_owner audit_owner_of(struct table_key key); /* of a balance or a letter */
struct audit_owner audit_player(uint16_t world, uint64_t id);

#endif
