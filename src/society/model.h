/* For tests: what the deeds of this room should do, said as plainly as possible and knowing nothing
 * of their code: things are moved one by one, and a deed that cannot be done as a whole is not done
 * at all. Compared with the store after each command.
 */
#ifndef SEOM_SOCIETY_MODEL_H
#define SEOM_SOCIETY_MODEL_H

#include "society/square.h"

#define MODEL_PARCELS_MAX 512

struct model_stack {
    uint32_t kind, count;
    uint64_t uid;
};

struct model_purse {
    uint64_t coins;
    struct model_stack slots[BAG_SLOTS_MAX];
    uint32_t slots_max;
};

/* A mail or an offer. */
struct model_parcel {
    uint64_t id; /* 0: none here */
    bool offer;
    uint32_t from, to; /* people */
    struct model_purse holds, wants;
};

struct model_notice {
    bool offer;
    uint64_t id;
    uint32_t from; /* person */
    uint32_t day;
};

struct model_person {
    bool born; /* has its first coins */
    struct model_purse bag;
    struct model_notice notices[INBOX_MAX];
    uint32_t notices_count;
    uint64_t trades[TRADES_OPEN_MAX];
    uint32_t trades_count;
};

struct model {
    const struct society *society;
    struct model_person people[SQUARE_PEOPLE];
    uint64_t ids[SQUARE_PEOPLE];
    uint32_t day;
    uint64_t expired;       /* mails that went to the world */
    uint32_t parcels_count; /* of those below that were ever used */
    struct model_parcel parcels[MODEL_PARCELS_MAX];
};

/* What only the store can know: the ids it gave. */
struct model_made {
    uint64_t id;   /* of the mail or offer */
    uint64_t mine; /* of the mail with what found no room in the initiator's bag */
    uint64_t theirs;
};

void model_init(struct model *model, const struct square *square);
/* Whether it is to be done; then it is done. hash_fits: an accept names the offer as it stands. */
bool model_do(struct model *model, uint32_t who, const Seom__Deed *asked, bool hash_fits,
              const struct model_made *made);
/* uid: of a single thing that was made. */
bool model_give(struct model *model, uint32_t who, uint32_t kind, uint64_t count, uint64_t uid);
bool model_use(struct model *model, uint32_t who, uint32_t kind, uint64_t count);
const struct model_parcel *model_parcel(const struct model *model, uint64_t id, bool offer);
/* NULL: all is as in the store; else what is not, static. */
const char *model_differs(const struct model *model, struct square *square);

#endif
