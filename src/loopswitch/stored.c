/* SPDX-License-Identifier: Apache-2.0 */

/* What a loop switch keeps over its restarts: each bank's fence and each drive's bank. One store is
 * under way at a time; what changes meanwhile goes into the next one. */

#include <isa-l.h>
#include <string.h>

#include "base/bytes.h"
#include "base/must.h"
#include "loopswitch/state.h"

enum { STORED_MAGIC = 0x53474C53 /* "SGLS" */, STORED_VERSION = 2, STORED_MIN = 10 };
enum { BY_HAND = 1 }; /* flags of a port */

/* ISA-L's function takes bytes that it may not change as if it could. */
static uint32_t crc_of(const uint8_t *bytes, uint32_t length)
{
    uint8_t copy[STORED_MAX];
    memcpy(copy, bytes, length);
    return crc32_iscsi(copy, (int)length, 0xFFFFFFFFu);
}

/* An address is that of a drive, not of its slot. */
static uint32_t identity_of(const struct loopswitch *x, const struct drive *drive)
{
    const char *serial = x->config.drive[drive - x->drive].serial;
    return crc_of((const uint8_t *)serial, (uint32_t)strlen(serial));
}

static void put_bank(struct cursor *c, const struct bank *bank)
{
    bool fenced = bank->state != BANK_STATE_UNFENCED && !mutant(MUTANT_FENCE_FORGOTTEN);
    cursor_put8(c, fenced);
    cursor_put64(c, fenced ? bank->epoch : 0);
    cursor_put8(c, fenced ? bank->allowed.count : 0);
    for (int i = 0; fenced && i < bank->allowed.count; i++) {
        cursor_put8(c, bank->allowed.at[i].module);
        cursor_put64(c, bank->allowed.at[i].incarnation);
    }
}

static bool get_bank(struct cursor *c, struct bank *bank)
{
    uint8_t fenced = cursor_get8(c);
    bank->epoch = cursor_get64(c);
    uint8_t count = cursor_get8(c);
    if (count > 2 * MODULE_MAX || fenced > 1 || (!fenced && count) ||
        (bank->epoch > 0) != (fenced == 1))
        return false;
    bank->allowed.count = count;
    for (int i = 0; i < count; i++) {
        bank->allowed.at[i].module = cursor_get8(c);
        bank->allowed.at[i].incarnation = cursor_get64(c);
        if (bank->allowed.at[i].module >= MODULE_MAX)
            return false;
    }
    bank->state = fenced ? BANK_STATE_FENCED : BANK_STATE_UNFENCED;
    return !c->failed;
}

uint32_t loopswitch_encode(const struct loopswitch *x, uint8_t *out)
{
    uint8_t bytes[STORED_MAX];
    struct cursor c = cursor_of(bytes, sizeof bytes);
    cursor_put32(&c, STORED_MAGIC);
    cursor_put16(&c, STORED_VERSION);
    cursor_put8(&c, GROUP_MAX);
    for (int g = 0; g < GROUP_MAX; g++)
        put_bank(&c, &x->bank[g]);
    cursor_put8(&c, x->config.drives);
    for (int i = 0; i < x->config.drives; i++) {
        const struct drive *drive = &x->drive[i];
        cursor_put8(&c, drive->slot);
        cursor_put8(&c, drive->wanted != BANK_NONE ? drive->wanted : drive->bank);
        cursor_put8(&c, drive->al_pa);
        cursor_put8(&c, drive->by_hand ? BY_HAND : 0);
        cursor_put32(&c, identity_of(x, drive));
    }
    must(!c.failed);
    uint32_t length = (uint32_t)(c.at - bytes);
    cursor_put32(&c, crc_of(bytes, length));
    must(!c.failed);
    memcpy(out, bytes, length + 4);
    return length + 4;
}

static bool get_drive(struct loopswitch *x, struct cursor *c, uint16_t version)
{
    uint8_t slot = cursor_get8(c), bank = cursor_get8(c);
    if (slot >= SLOT_MAX || (bank >= GROUP_MAX && bank != BANK_NONE))
        return false;
    uint8_t al_pa = version > 1 ? cursor_get8(c) : AL_PA_NONE;
    uint8_t flags = version > 1 ? cursor_get8(c) : 0;
    uint32_t identity = version > 1 ? cursor_get32(c) : 0;
    if (c->failed || (al_pa != AL_PA_NONE && !al_pa_valid(al_pa)))
        return false;
    if (x->drive_of_slot[slot] == 0xFF)
        return true; /* the slot is not in use any more */
    struct drive *drive = &x->drive[x->drive_of_slot[slot]];
    drive->bank = bank;
    drive->by_hand = flags & BY_HAND;
    if (identity == identity_of(x, drive))
        drive->al_pa = al_pa;
    return true;
}

bool loopswitch_decode(struct loopswitch *x, const uint8_t *bytes, uint32_t length)
{
    if (length < STORED_MIN || length > STORED_MAX ||
        crc_of(bytes, length - 4) != be32_at(bytes + length - 4))
        return false;
    struct cursor c = cursor_read(bytes, length - 4);
    uint32_t magic = cursor_get32(&c);
    uint16_t version = cursor_get16(&c);
    if (magic != STORED_MAGIC || version < 1 || version > STORED_VERSION ||
        cursor_get8(&c) != GROUP_MAX)
        return false;
    for (int g = 0; g < GROUP_MAX; g++)
        if (!get_bank(&c, &x->bank[g]))
            return false;
    uint8_t drives = cursor_get8(&c);
    for (int i = 0; i < drives; i++)
        if (!get_drive(x, &c, version))
            return false;
    return !c.failed && cursor_left(&c) == 0;
}

uint64_t loopswitch_changed(struct loopswitch *x)
{
    return ++x->version;
}

void loopswitch_store_goes_on(struct loopswitch *x, struct actions *actions)
{
    if (x->storing || x->settled == x->version)
        return;
    x->storing = x->version;
    struct action *action = actions_add(actions, ACTION_STORE);
    action->store.tag = x->storing;
    action->store.length = loopswitch_encode(x, action->store.bytes);
}

void loopswitch_stored(struct loopswitch *x, const struct event *event, struct actions *actions)
{
    if (!x->storing || event->stored.tag != x->storing)
        return;
    x->settled = x->storing;
    x->storing = 0;
    if (!event->stored.ok)
        trace_error(x->trace, "the fence could not be stored: its banks stay refused");
    loopswitch_fences_stored(x, event->stored.ok, actions);
    loopswitch_assigns_stored(x, event->stored.ok, actions);
    loopswitch_requests_stored(x, event->stored.ok, actions);
}
