/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/report.h"

#include "scsi/effect.h"
#include "scsi/opcodes.h"
#include "scsi/sanitize.h"
#include "scsi/sense.h"

void report_plan_ready(const struct scsi_request *r, struct scsi_plan *plan)
{
    (void)r;
    sense_good(plan);
}

/* REQUEST SENSE: the unit attention that is pending becomes the data, and is over. */
void report_plan_sense(const struct scsi_request *r, struct scsi_plan *plan)
{
    uint8_t key = 0;
    uint16_t code = 0;
    struct change noticed;
    bool attention = attention_next(r, &code, &noticed);
    if (!r->info)
        sense_lookup(SENSE_LUN_NOT_SUPPORTED, &key, &code);
    else if (attention)
        key = ATTENTION_KEY;
    struct cursor c = sense_data_begin(plan);
    uint8_t sense[SENSE_MAX], length = SENSE_FIXED_BYTES;
    if (attention || !sanitize_sense(r, sense))
        scsi_sense(sense, key, (uint8_t)(code >> 8), (uint8_t)code);
    if (r->command->cdb[1] & 0x01)
        length = sense_to_descriptors(sense);
    cursor_put_bytes(&c, sense, length);
    sense_data_end(plan, &c, r->command->cdb[4]);
    if (attention) {
        effect_add(plan, noticed);
        effect_resolve(plan);
    }
}

/* PMI is obsolete: 0 needs LBA 0; 1 asks for the last block before a delay, which is the last one.
 */
static bool capacity_asked_well(bool pmi, uint64_t lba, const struct scsi_request *r,
                                struct scsi_plan *plan)
{
    if (!pmi && lba != 0)
        sense_check_cdb(plan, 2);
    else if (lba >= r->info->blocks)
        sense_check(plan, SENSE_LBA_OUT_OF_RANGE);
    else
        return true;
    return false;
}

void report_plan_capacity10(const struct scsi_request *r, struct scsi_plan *plan)
{
    const uint8_t *cdb = r->command->cdb;
    uint64_t last = r->info->blocks - 1;
    if (!capacity_asked_well(cdb[8] & 0x01, be32_at(cdb + 2), r, plan))
        return;
    struct cursor c = sense_data_begin(plan);
    cursor_put32(&c, last < UINT32_MAX ? (uint32_t)last : UINT32_MAX);
    cursor_put32(&c, r->info->block_bytes);
    sense_data_end(plan, &c, UINT32_MAX);
}

void report_plan_capacity16(const struct scsi_request *r, struct scsi_plan *plan)
{
    const uint8_t *cdb = r->command->cdb;
    if (!capacity_asked_well(cdb[14] & 0x01, be64_at(cdb + 2), r, plan))
        return;
    struct cursor c = sense_data_begin(plan);
    cursor_put64(&c, r->info->blocks - 1);
    cursor_put32(&c, r->info->block_bytes);
    cursor_put8(&c, 0); /* no protection information */
    cursor_put8(&c, r->info->physical_exponent & 0x0F);
    cursor_put16(&c, 0xC000); /* LBPME, LBPRZ; aligned at LBA 0 */
    cursor_put64(&c, 0);
    cursor_put64(&c, 0);
    sense_data_end(plan, &c, be32_at(cdb + 10));
}

void report_plan_luns(const struct scsi_request *r, struct scsi_plan *plan)
{
    const struct directory *d = r->server->directory;
    uint8_t select = r->command->cdb[2];
    uint32_t first, count = directory_maps(d, d->hosts ? r->command->host : HOST_ALL, &first);
    switch (select) {
    case 0x00: /* all but well known ones */
    case 0x02: /* all */
    case 0x11: /* administrative ones, and those that belong to none: all */
        break;
    case 0x01: /* well known ones: none */
        count = 0;
        break;
    default:
        sense_check_cdb(plan, 2);
        return;
    }
    struct cursor c = sense_data_begin(plan);
    cursor_put32(&c, count * 8);
    cursor_put32(&c, 0);
    for (uint32_t i = 0; i < count; i++)
        cursor_put64(&c, lun_field(d->at[first + i].lun));
    sense_data_end(plan, &c, be32_at(r->command->cdb + 6));
    if (r->nexus >= 0 && r->server->state->nexus[r->nexus].luns < r->command->luns) {
        struct change known = effect_own(r, CHANGE_LUNS); /* it need not be told any more */
        known.value = r->command->luns;
        effect_add(plan, known);
        effect_resolve(plan);
    }
}

/* A target port group for each interface switch; all active/optimized, always (SPC-4 6.37). */
void report_plan_target_port_groups(const struct scsi_request *r, struct scsi_plan *plan)
{
    uint8_t format = r->command->cdb[1] >> 5;
    const struct scsi_state *state = r->server->state;
    uint16_t count = r->server->switches;
    if (format > 1) {
        sense_check_cdb(plan, 1);
        return;
    }
    for (int n = 0; n < NEXUS_MAX; n++)
        if (state->nexus[n].open && state->nexus[n].sender >= count)
            count = (uint16_t)(state->nexus[n].sender + 1);
    struct cursor c = sense_data_begin(plan);
    uint8_t *length = cursor_take(&c, 4);
    if (format == 1)
        cursor_put32(&c, 0x10000000); /* extended header; no transition takes time */
    for (uint16_t port = 1; port <= count; port++) {
        cursor_put8(&c, 0x00); /* active/optimized */
        cursor_put8(&c, 0x01); /* no other state is supported */
        cursor_put16(&c, port);
        cursor_put8(&c, 0); /* reserved, status, vendor */
        cursor_put16(&c, 0);
        cursor_put8(&c, 1);
        cursor_put32(&c, port);
    }
    be32_put(length, (uint32_t)(c.at - length - 4));
    sense_data_end(plan, &c, be32_at(r->command->cdb + 6));
}

/* ---- REPORT SUPPORTED OPERATION CODES (SPC-4 6.35) ---- */

enum { TIMEOUTS_BYTES = 12 };

/* No nominal time: a takeover may come between. */
static void put_timeouts(const struct opcode *o, struct cursor *c)
{
    cursor_put16(c, TIMEOUTS_BYTES - 2);
    cursor_put16(c, 0);
    cursor_put32(c, 0);
    cursor_put32(c, opcode_timeout_s(o));
}

static void put_all_opcodes(const struct scsi_request *r, bool timeouts, struct cursor *c)
{
    uint8_t *length = cursor_take(c, 4);
    for (uint32_t i = 0; i < opcode_count(); i++) {
        const struct opcode *o = &opcode_table[i];
        if (!opcode_offered(o, r->info))
            continue;
        bool action = o->action != ACTION_NONE;
        cursor_put8(c, o->code);
        cursor_put8(c, 0);
        cursor_put16(c, action ? (uint16_t)o->action : 0);
        cursor_put8(c, 0);
        cursor_put8(c, (uint8_t)((timeouts ? 2 : 0) | action)); /* CTDP, SERVACTV */
        cursor_put16(c, o->length);
        if (timeouts)
            put_timeouts(o, c);
    }
    be32_put(length, (uint32_t)(c->at - length - 4));
}

static void put_one_opcode(const struct opcode *o, bool timeouts, struct cursor *c)
{
    cursor_put8(c, 0);
    cursor_put8(c,
                (uint8_t)((o && timeouts ? 0x80 : 0) | (o ? 3 : 1))); /* as the standard has it */
    cursor_put16(c, o ? o->length : 0);
    if (!o)
        return;
    cursor_put8(c, o->code);
    for (int i = 1; i < o->length; i++) {
        bool action = i == 1 && o->action != ACTION_NONE;
        uint8_t own = action ? (uint8_t)((o->usage[1] & ~ACTION_MASK) | o->action) : o->usage[i];
        cursor_put8(c, own);
    }
    if (timeouts)
        put_timeouts(o, c);
}

/* The row that was asked for; false: the question is wrong. */
static bool opcode_asked(const struct scsi_request *r, const struct opcode **out)
{
    const uint8_t *cdb = r->command->cdb;
    uint8_t options = cdb[2] & 0x07;
    uint16_t action = be16_at(cdb + 4);
    const struct opcode *o = opcode_first(r->server, cdb[3]);
    if (o && !opcode_offered(o, r->info))
        o = NULL;
    bool actions = o && o->action != ACTION_NONE;
    if ((options == 1 && actions) || (options == 2 && o && !actions))
        return false;
    if (options > 1 && actions) {
        const uint8_t asked[2] = {cdb[3], (uint8_t)(action & ACTION_MASK)};
        bool known;
        o = action > ACTION_MASK ? NULL : opcode_find(r->server, asked, &known);
    } else if (options > 1 && action != 0) {
        o = NULL;
    }
    *out = o;
    return true;
}

void report_plan_opcodes(const struct scsi_request *r, struct scsi_plan *plan)
{
    const uint8_t *cdb = r->command->cdb;
    bool timeouts = cdb[2] & 0x80;
    uint8_t options = cdb[2] & 0x07;
    const struct opcode *o = NULL;
    if (options > 3 || (options > 0 && !opcode_asked(r, &o))) {
        sense_check_cdb(plan, 2);
        return;
    }
    struct cursor c = sense_data_begin(plan);
    if (options == 0)
        put_all_opcodes(r, timeouts, &c);
    else
        put_one_opcode(o, timeouts, &c);
    sense_data_end(plan, &c, be32_at(cdb + 6));
}

void report_plan_task_functions(const struct scsi_request *r, struct scsi_plan *plan)
{
    bool extended = r->command->cdb[2] & 0x80;
    struct cursor c = sense_data_begin(plan);
    cursor_put8(&c, 0xDA); /* abort task, abort task set, clear task set, LU reset, target reset */
    cursor_put8(&c, 0);
    cursor_put8(&c, 0);
    cursor_put8(&c, extended ? 12 : 0);
    for (int i = 0; extended && i < 12; i++)
        cursor_put8(&c, 0);
    sense_data_end(plan, &c, be32_at(r->command->cdb + 6));
}
