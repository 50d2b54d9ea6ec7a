#include "society/purse.h"
#include "base/check.h"
#include "seom.pb-c.h"
#include "society/list.h"

#define SLOT_NONE UINT32_MAX

struct purse
purse_of_player(struct deed *deed, Seom__PlayerDocument *player, uint64_t id)
{
    CHECK(player != NULL && id != 0);
    struct purse purse = {.account = {.kind = SEOM__ACCOUNT_KIND__ACCOUNT_PLAYER, .id = id},
                          .holds = player->bag,
                          .slots_max = BAG_SLOTS_MAX,
                          .document = player};
    if (purse.holds != NULL)
        return purse;
    purse.holds = deed_alloc(deed, sizeof *purse.holds);
    if (purse.holds == NULL)
        return purse;
    seom__holdings__init(purse.holds);
    struct purse world = purse_world();
    uint64_t coins = society_of(deed)->first_coins;
    uint32_t code =
        coins == 0 ? SEOM__CODE__FINE : purse_move_coins(deed, &world, &purse, coins, REASON_BIRTH);
    CHECK(code == SEOM__CODE__FINE || code == DEED_MORE);
    if (code == DEED_MORE)
        purse.holds = NULL;
    player->bag = purse.holds;
    return purse;
}

struct purse
purse_over(struct deed *deed, Seom__AccountKind kind, uint64_t id, Seom__Holdings **holds,
           uint32_t slots_max, const void *document)
{
    CHECK(kind != SEOM__ACCOUNT_KIND__ACCOUNT_WORLD);
    if (*holds == NULL) {
        *holds = deed_alloc(deed, sizeof **holds);
        if (*holds != NULL)
            seom__holdings__init(*holds);
    }
    return (struct purse){.account = {.kind = kind, .id = id},
                          .holds = *holds,
                          .slots_max = slots_max,
                          .document = document};
}

/* ---- slots ---- */

static bool
slot_is_empty(const Seom__Stack *slot)
{
    return slot->kind == 0;
}

/* A slot holds what was asked for: of a single thing exactly that one (uid 0: any of its kind), and
 * never what no deed can have put there, like two of a single thing. */
static bool
slot_has(const Seom__Stack *slot, const Seom__Stack *what, bool single)
{
    if (slot->kind != what->kind || slot_is_empty(slot) || slot->count == 0)
        return false;
    if (!single)
        return slot->uid == 0;
    return slot->uid != 0 && slot->count == 1 && (what->uid == 0 || what->uid == slot->uid);
}

static void
slot_clear(Seom__Stack *slot)
{
    slot->kind = slot->count = 0;
    slot->uid = 0;
}

/* The slot, made when the holdings are shorter. NULL: no memory. */
static Seom__Stack *
slot_reach(struct deed *deed, Seom__Holdings *holds, uint32_t slot)
{
    if (slot < holds->n_slots)
        return holds->slots[slot];
    size_t more = slot + 1 - holds->n_slots;
    Seom__Stack **slots =
        list_longer(deed, holds->slots, holds->n_slots, more, sizeof holds->slots[0]);
    Seom__Stack *fresh = deed_alloc(deed, more * sizeof *fresh);
    if (slots == NULL || fresh == NULL)
        return NULL;
    for (size_t i = 0; i < more; i++) {
        seom__stack__init(&fresh[i]);
        slots[holds->n_slots + i] = &fresh[i];
    }
    holds->slots = slots;
    holds->n_slots += more;
    return slots[slot];
}

/* Empty slots at the end need not be written. */
static void
holds_trim(Seom__Holdings *holds)
{
    while (holds->n_slots > 0 && slot_is_empty(holds->slots[holds->n_slots - 1]))
        holds->n_slots--;
}

static uint32_t
room_in(const Seom__Stack *slot, const Seom__Stack *what, uint32_t stack_max)
{
    if (slot_is_empty(slot))
        return stack_max;
    bool same = stack_max > 1 && slot->kind == what->kind && slot->uid == 0;
    return same && slot->count < stack_max ? stack_max - slot->count : 0;
}

/* The sums cannot overflow: counts have 32 bits, and a document has less than 2^14 of them. */
static uint64_t
count_of(const struct purse *purse, const Seom__Stack *what, bool single)
{
    uint64_t count = 0;
    for (size_t i = 0; i < purse->holds->n_slots; i++) {
        const Seom__Stack *slot = purse->holds->slots[i];
        if (slot_has(slot, what, single))
            count += slot->count;
    }
    return count;
}

static bool
has_room(const struct purse *purse, const Seom__Stack *what, uint32_t stack_max)
{
    uint64_t room = 0;
    for (uint32_t i = 0; i < purse->slots_max; i++)
        room += i < purse->holds->n_slots ? room_in(purse->holds->slots[i], what, stack_max)
                                          : stack_max;
    return room >= what->count;
}

bool
purse_has_room(const struct deed *deed, const struct purse *purse, const Seom__Stack *what)
{
    const struct kind *kind = kind_find(society_of(deed), what->kind);
    return purse->holds == NULL || (kind != NULL && has_room(purse, what, kind->stack_max));
}

bool
purse_has_coins_room(const struct purse *purse, uint64_t coins)
{
    uint64_t sum;
    return purse->holds == NULL ||
           (!__builtin_add_overflow(purse->holds->coins, coins, &sum) && sum <= COINS_MAX);
}

bool
purse_is_empty(const struct purse *purse)
{
    CHECK(purse->holds != NULL);
    for (size_t i = 0; i < purse->holds->n_slots; i++)
        if (!slot_is_empty(purse->holds->slots[i]))
            return false;
    return purse->holds->coins == 0;
}

/* ---- moving ---- */

/* Counts and documents belong together: whoever changes holdings says which message they stand in,
 * so that no deed can forget to write it. The initiator's is written anyway. */
static void
purse_changed(struct deed *deed, const struct purse *purse)
{
    if (purse->document != NULL && purse->document != deed_player(deed))
        deed_put(deed, purse->document);
}

/* What was found to be there; of a single thing the first, whose uid goes into what. */
static void
take_any(const struct purse *from, Seom__Stack *what, bool single)
{
    uint32_t left = what->count;
    for (size_t i = 0; i < from->holds->n_slots && left > 0; i++) {
        Seom__Stack *slot = from->holds->slots[i];
        if (!slot_has(slot, what, single))
            continue;
        uint32_t taken = slot->count < left ? slot->count : left;
        left -= taken;
        slot->count -= taken;
        if (single)
            what->uid = slot->uid;
        if (slot->count == 0)
            slot_clear(slot);
    }
    CHECK(left == 0);
    holds_trim(from->holds);
}

/* Into slots that have some of it already, then into empty ones. false: no memory. */
static bool
put_any(struct deed *deed, const struct purse *to, const Seom__Stack *what, uint32_t stack_max)
{
    uint32_t left = what->count;
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < to->slots_max && left > 0; i++) {
            bool empty = i >= to->holds->n_slots || slot_is_empty(to->holds->slots[i]);
            if (empty != (pass == 1))
                continue;
            Seom__Stack *slot = slot_reach(deed, to->holds, i);
            if (slot == NULL)
                return false;
            uint32_t room = room_in(slot, what, stack_max);
            uint32_t put = room < left ? room : left;
            left -= put;
            if (put == 0)
                continue;
            slot->count = empty ? put : slot->count + put;
            slot->kind = what->kind;
            slot->uid = what->uid;
        }
    }
    CHECK(left == 0);
    return true;
}

/* What a client may have made up. */
static bool
is_sensible(const Seom__Stack *what, const struct kind *kind, bool from_world)
{
    if (kind == NULL || what->count == 0)
        return false;
    if (!kind_is_single(kind))
        return what->uid == 0;
    return what->count == 1 && (!from_world || what->uid == 0);
}

/* slot SLOT_NONE: any. */
static uint32_t
move_stack(struct deed *deed, const struct purse *from, uint32_t slot, const struct purse *to,
           Seom__Stack *what, enum reason reason)
{
    CHECK(from->holds != to->holds);
    const struct kind *kind = kind_find(society_of(deed), what->kind);
    if (!is_sensible(what, kind, from->holds == NULL))
        return SEOM__CODE__MALFORMED;
    bool single = kind_is_single(kind);
    if (from->holds != NULL && slot == SLOT_NONE && count_of(from, what, single) < what->count)
        return SEOM__CODE__REFUSED;
    if (slot != SLOT_NONE && !slot_has(from->holds->slots[slot], what, single))
        return SEOM__CODE__REFUSED;
    if (to->holds != NULL && !has_room(to, what, kind->stack_max))
        return SEOM__CODE__NO_ROOM;
    if (from->holds == NULL && single) {
        what->uid = deed_id(deed);
        if (what->uid == 0)
            return DEED_MORE;
    }
    if (from->holds != NULL && slot == SLOT_NONE) {
        take_any(from, what, single);
    } else if (from->holds != NULL) {
        Seom__Stack *taken = from->holds->slots[slot];
        CHECK(taken->count >= what->count);
        taken->count -= what->count;
        if (taken->count == 0)
            slot_clear(taken);
        holds_trim(from->holds);
    }
    if (to->holds != NULL && !put_any(deed, to, what, kind->stack_max))
        return DEED_MORE;
    purse_changed(deed, from);
    purse_changed(deed, to);
    return ledger_write(deed, reason, from->account, to->account, what, 0) ? SEOM__CODE__FINE
                                                                           : DEED_MORE;
}

uint32_t
purse_move(struct deed *deed, const struct purse *from, const struct purse *to, Seom__Stack *what,
           enum reason reason)
{
    return move_stack(deed, from, SLOT_NONE, to, what, reason);
}

uint32_t
purse_move_slot(struct deed *deed, const struct purse *from, uint32_t slot, uint32_t count,
                const struct purse *to, enum reason reason, Seom__Stack *what)
{
    CHECK(from->holds != NULL);
    seom__stack__init(what);
    if (count == 0)
        return SEOM__CODE__MALFORMED;
    if (slot >= from->holds->n_slots)
        return SEOM__CODE__REFUSED;
    const Seom__Stack *there = from->holds->slots[slot];
    if (slot_is_empty(there) || there->count < count)
        return SEOM__CODE__REFUSED;
    what->kind = there->kind;
    what->count = count;
    what->uid = there->uid;
    return move_stack(deed, from, slot, to, what, reason);
}

uint32_t
purse_move_coins(struct deed *deed, const struct purse *from, const struct purse *to,
                 uint64_t coins, enum reason reason)
{
    CHECK(from->holds != to->holds);
    if (coins == 0)
        return SEOM__CODE__MALFORMED;
    uint64_t left = 0;
    if (from->holds != NULL && __builtin_sub_overflow(from->holds->coins, coins, &left))
        return SEOM__CODE__REFUSED;
    if (coins > COINS_MAX || !purse_has_coins_room(to, coins))
        return SEOM__CODE__NO_ROOM;
    if (from->holds != NULL)
        from->holds->coins = left;
    if (to->holds != NULL)
        to->holds->coins += coins;
    purse_changed(deed, from);
    purse_changed(deed, to);
    return ledger_write(deed, reason, from->account, to->account, NULL, coins) ? SEOM__CODE__FINE
                                                                               : DEED_MORE;
}

uint32_t
purse_move_all(struct deed *deed, const struct purse *from, const struct purse *to,
               enum reason reason)
{
    CHECK(from->holds != NULL);
    uint32_t code = SEOM__CODE__FINE;
    if (from->holds->coins > 0)
        code = purse_move_coins(deed, from, to, from->holds->coins, reason);
    for (uint32_t i = 0; code == SEOM__CODE__FINE && i < from->holds->n_slots; i++) {
        const Seom__Stack *slot = from->holds->slots[i];
        Seom__Stack what;
        if (!slot_is_empty(slot))
            code = purse_move_slot(deed, from, i, slot->count, to, reason, &what);
    }
    return code;
}

/* ---- within one purse ---- */

/* count goes from one to the other. false: one of them cannot, nothing was changed. */
static bool
counts_shift(uint32_t *from, uint32_t *to, uint32_t count, uint32_t stack_max, bool checked)
{
    uint32_t left, sum;
    bool wraps = __builtin_sub_overflow(*from, count, &left);
    wraps |= __builtin_add_overflow(*to, count, &sum);
    if (checked && (wraps || sum > stack_max))
        return false;
    *from = left;
    *to = sum;
    return true;
}

uint32_t
purse_split(struct deed *deed, const struct purse *purse, uint32_t from, uint32_t to,
            uint32_t count)
{
    CHECK(purse->holds != NULL);
    const struct society *society = society_of(deed);
    if (count == 0 || from == to)
        return SEOM__CODE__MALFORMED;
    if (from >= purse->holds->n_slots || to >= purse->slots_max ||
        slot_is_empty(purse->holds->slots[from]))
        return SEOM__CODE__REFUSED;
    Seom__Stack *source = purse->holds->slots[from];
    const struct kind *kind = kind_find(society, source->kind);
    if (kind == NULL)
        return SEOM__CODE__REFUSED;
    Seom__Stack *target = slot_reach(deed, purse->holds, to);
    if (target == NULL)
        return DEED_MORE;
    uint32_t code = SEOM__CODE__REFUSED;
    if (slot_is_empty(target))
        slot_clear(target);
    bool single = kind_is_single(kind);
    bool fits = single ? slot_is_empty(target) && source->count == 1 && count == 1
                       : source->uid == 0 && target->uid == 0 &&
                             (slot_is_empty(target) || target->kind == source->kind);
    bool checked = society->mutant != SOCIETY_MUTANT_SPLIT_OVERFLOW;
    if (fits && counts_shift(&source->count, &target->count, count, kind->stack_max, checked)) {
        target->kind = source->kind;
        target->uid = source->uid;
        if (source->count == 0)
            slot_clear(source);
        purse_changed(deed, purse);
        code = SEOM__CODE__FINE;
    }
    holds_trim(purse->holds);
    return code;
}
