/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/reserve.h"

#include "scsi/effect.h"
#include "scsi/opcodes.h"
#include "scsi/persistent.h"
#include "scsi/sense.h"

bool reserve_is_own(const struct scsi_request *r)
{
    return r->volume->reserved_sender == r->command->id.sender &&
           r->volume->reserved_number == r->command->nexus && r->nexus >= 0 &&
           r->volume->reserved_session == r->server->state->nexus[r->nexus].session;
}

bool reserve_is_other(const struct scsi_request *r)
{
    return r->volume->reserved_sender != SENDER_NONE && !reserve_is_own(r);
}

/* What the command is to a persistent reservation, its CDB considered. */
static enum opcode_access reserve_access(const struct scsi_request *r)
{
    uint8_t byte = r->command->cdb[4];
    switch (r->opcode->access) {
    case ACCESS_ALWAYS:
    case ACCESS_READ:
    case ACCESS_WRITE:
        break;
    case ACCESS_WRITE_STOP:
        return (byte & 0xF1) == 0x01 ? ACCESS_ALWAYS : ACCESS_WRITE;
    case ACCESS_WRITE_PREVENT:
        return byte & 0x03 ? ACCESS_WRITE : ACCESS_ALWAYS;
    }
    return r->opcode->access;
}

bool reserve_conflict(const struct scsi_request *r)
{
    if (!r->volume || mutant(MUTANT_RESERVATION_UNCHECKED))
        return false;
    if (reserve_is_other(r) && !(r->opcode->flags & OPCODE_UNRESERVED))
        return true;
    switch (reserve_access(r)) {
    case ACCESS_ALWAYS:
        return false;
    case ACCESS_READ:
        return !persistent_allows(r, false);
    case ACCESS_WRITE:
    case ACCESS_WRITE_STOP:
    case ACCESS_WRITE_PREVENT:
        return !persistent_allows(r, true);
    }
    return true;
}

void reserve_plan_reserve(const struct scsi_request *r, struct scsi_plan *plan)
{
    /* Registrants do not mix with RESERVE(6): CRH=0, SPC-4 5.9.3. */
    if (r->volume->count > 0) {
        sense_status(plan, SCSI_STATUS_RESERVATION_CONFLICT);
        return;
    }
    sense_good(plan);
    if (reserve_is_own(r))
        return;
    effect_add(plan, effect_own(r, CHANGE_RESERVE));
    effect_resolve(plan);
}

void reserve_plan_release(const struct scsi_request *r, struct scsi_plan *plan)
{
    if (r->volume->count > 0) {
        sense_status(plan, SCSI_STATUS_RESERVATION_CONFLICT);
        return;
    }
    sense_good(plan);
    if (!reserve_is_own(r))
        return; /* nothing of its own to release */
    effect_add(plan, effect_own(r, CHANGE_RELEASE));
    effect_resolve(plan);
}
