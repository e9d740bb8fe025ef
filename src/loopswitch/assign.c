/* SPDX-License-Identifier: Apache-2.0 */

/* A drive's bank: taken, and given back, by a unit that the bank's fence allows, durable before it
 * counts. One that leaves is refused to everybody until that is durable. */

#include "loopswitch/state.h"

static void answer(struct loopswitch *x, port_id unit, const struct assign_message *asked,
                   bool done, struct actions *actions)
{
    struct message *message = actions_send(actions, MESSAGE_ASSIGN_ANSWER, x->self, unit);
    message->assign = *asked;
    message->assign.done = done;
}

static void answer_asker(struct loopswitch *x, int i, bool done, struct actions *actions)
{
    struct drive *drive = &x->drive[i];
    if (!drive->asker.waiting)
        return;
    drive->asker.waiting = false;
    uint8_t group = drive->leaving ? drive->left : drive->wanted;
    struct assign_message asked = {.bank = drive->wanted,
                                   .epoch = drive->asker.epoch,
                                   .drive = (uint8_t)(x->config.index * 32 + drive->slot),
                                   .tag = drive->asker.tag};
    if (x->port[drive->asker.module][group].linked)
        answer(x, port_unit(drive->asker.module, group), &asked, done, actions);
}

/* Index of the drive that may be assigned so, or -1. */
static int judge(const struct loopswitch *x, const struct message *message, const struct port *port)
{
    const struct assign_message *assign = &message->assign;
    int slot = assign->drive % 32;
    uint8_t group = (uint8_t)port_sub(message->from);
    bool back = assign->bank == BANK_NONE;
    if (!port->login || (assign->bank != group && !back) || assign->drive / 32 != x->config.index ||
        slot >= SLOT_MAX || x->drive_of_slot[slot] == 0xFF)
        return -1;
    const struct bank *bank = &x->bank[group];
    if (bank->state != BANK_STATE_FENCED ||
        !loopswitch_fence_allows(bank, port->member, assign->epoch))
        return -1;
    const struct drive *drive = &x->drive[x->drive_of_slot[slot]];
    if ((drive->bank != BANK_NONE && drive->bank != group) ||
        (drive->wanted != BANK_NONE && drive->wanted != group) || drive->leaving)
        return -1;
    if (drive->wipe)
        return -1; /* its head is being wiped */
    if (back && (drive->wanted != BANK_NONE || drive->queued > 0))
        return -1; /* it may still be written for that bank */
    return x->drive_of_slot[slot];
}

void loopswitch_assign(struct loopswitch *x, const struct message *message, struct actions *actions)
{
    const struct port *port = loopswitch_port(x, message->from);
    if (!port || !port->linked)
        return;
    int i = judge(x, message, port);
    if (i < 0 || x->stopping || x->drive[i].bank == message->assign.bank) {
        answer(x, message->from, &message->assign, i >= 0 && !x->stopping, actions);
        return;
    }
    struct drive *drive = &x->drive[i];
    answer_asker(x, i, false, actions);
    if (message->assign.bank == BANK_NONE) {
        drive->leaving = true;
        drive->left = drive->bank;
        drive->bank = BANK_NONE;
        drive->wanted_version = loopswitch_changed(x);
    } else if (drive->wanted == BANK_NONE) {
        drive->wanted = message->assign.bank;
        drive->wanted_version = loopswitch_changed(x);
    }
    drive->asker.waiting = true;
    drive->asker.module = (uint8_t)port_index(message->from);
    drive->asker.tag = message->assign.tag;
    drive->asker.epoch = message->assign.epoch;
}

static void left(struct loopswitch *x, int i, bool ok, struct actions *actions)
{
    struct drive *drive = &x->drive[i];
    if (!ok)
        drive->bank = drive->left;
    else
        trace_info(x->trace, "slot %02d is free: bank g%d has given it back", drive->slot,
                   drive->left + 1);
    if (ok) /* its superblock was wiped */
        x->config.drive[i].content = DRIVE_CONTENT_NONE;
    answer_asker(x, i, ok, actions);
    drive->leaving = false;
}

void loopswitch_assigns_stored(struct loopswitch *x, bool ok, struct actions *actions)
{
    for (int i = 0; i < x->config.drives; i++) {
        struct drive *drive = &x->drive[i];
        if (drive->leaving && drive->wanted_version <= x->settled)
            left(x, i, ok, actions);
        if (drive->wanted == BANK_NONE || drive->wanted_version > x->settled)
            continue;
        if (ok) {
            drive->bank = drive->wanted;
            trace_info(x->trace, "slot %02d belongs to bank g%d", drive->slot, drive->bank + 1);
        }
        answer_asker(x, i, ok, actions);
        drive->wanted = BANK_NONE;
    }
}
