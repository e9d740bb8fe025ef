/* SPDX-License-Identifier: Apache-2.0 */

/* A drive that carries somebody else's data, or another array's pool: no pool is made of it until a
 * person has it wiped. Every mark that is known lies in the first or in the last MiB. */

#include "base/must.h"
#include "loopswitch/state.h"

enum { WIPE_BYTES = 1 << 20 };

static void command(struct drive *drive, enum drive_op op, uint64_t offset, uint64_t length,
                    struct actions *actions)
{
    struct action *action = actions_add(actions, ACTION_DRIVE);
    action->drive.tag = drive->wipe;
    action->drive.slot = drive->slot;
    action->drive.op = (uint8_t)op;
    action->drive.offset = offset;
    action->drive.length = (uint32_t)length;
    drive->wipes++;
}

const char *loopswitch_adopt(struct loopswitch *x, struct drive *drive, uint64_t request,
                             struct actions *actions)
{
    uint64_t bytes = x->config.drive[drive - x->drive].bytes;
    if (drive->bank != BANK_NONE || drive->wanted != BANK_NONE || drive->leaving)
        return "refused: it belongs to a group; delete its pool first";
    if (drive->state != LOOP_PORT_ONLINE || drive->queued > 0 || bytes < WIPE_BYTES)
        return "refused: it does not answer now";
    if (drive->wipe)
        return "refused: it is being wiped already";
    drive->wipe = OWN_TAG | (uint64_t)(++x->lives & 0x7FFFFFFFu) << 16 | WIPE_TAG | drive->slot;
    drive->wipe_request = request;
    drive->wipe_failed = drive->wipe_flushing = false;
    command(drive, DRIVE_FILL, 0, WIPE_BYTES, actions);
    command(drive, DRIVE_FILL, bytes - WIPE_BYTES, WIPE_BYTES, actions);
    return NULL;
}

void loopswitch_wiped(struct loopswitch *x, uint64_t tag, enum drive_status status,
                      struct actions *actions)
{
    uint32_t slot = tag & 0xFF;
    if (slot >= SLOT_MAX || x->drive_of_slot[slot] == 0xFF)
        return;
    uint8_t i = x->drive_of_slot[slot];
    struct drive *drive = &x->drive[i];
    if (drive->wipe != tag)
        return; /* of an earlier life of ours */
    drive->wipe_failed |= status != DRIVE_OK;
    if (--drive->wipes > 0)
        return;
    if (!drive->wipe_failed && !drive->wipe_flushing) {
        drive->wipe_flushing = true;
        command(drive, DRIVE_FLUSH, 0, 0, actions);
        return;
    }
    drive->wipe = 0;
    if (drive->wipe_failed) {
        loopswitch_reply(drive->wipe_request, "refused: it could not be wiped", actions);
        return;
    }
    x->config.drive[i].content = DRIVE_CONTENT_NONE;
    loopswitch_tell_anew(x);
    trace_info(x->trace, "slot %02d: wiped, it is adopted", drive->slot);
    loopswitch_reply(drive->wipe_request, "it is wiped: a pool can be made of it", actions);
}
