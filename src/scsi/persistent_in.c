/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/effect.h"
#include "scsi/opcodes.h"
#include "scsi/persistent.h"
#include "scsi/sense.h"
#include "scsi/transport_id.h"

/* PERSISTENT RESERVE IN (SPC-4 6.15). Lengths in the data are of all there is, also if it is cut.
 */

static void in_keys(const struct scsi_request *r, struct cursor *c)
{
    const struct volume_state *v = r->volume;
    cursor_put32(c, v->generation);
    cursor_put32(c, v->count * 8u);
    for (int i = 0; i < v->count; i++)
        cursor_put64(c, v->registration[i].key);
}

static void in_reservation(const struct scsi_request *r, struct cursor *c)
{
    const struct volume_state *v = r->volume;
    cursor_put32(c, v->generation);
    cursor_put32(c, v->type ? 16 : 0);
    if (!v->type)
        return;
    int holder = persistent_holder(v);
    cursor_put64(c, holder >= 0 ? v->registration[holder].key : 0);
    cursor_put32(c, 0);
    cursor_put8(c, 0);
    cursor_put8(c, v->type); /* scope: the logical unit */
    cursor_put16(c, 0);
}

static void in_capabilities(const struct scsi_request *r, struct cursor *c)
{
    cursor_put16(c, 8);
    cursor_put8(c, 0x0D);                                         /* SIP_C, ATP_C, PTPL_C */
    cursor_put8(c, (uint8_t)(0x80 | (r->volume->aptpl ? 1 : 0))); /* TMV, PTPL_A */
    cursor_put16(c, 0xEA01);                                      /* all six types */
    cursor_put16(c, 0);
}

static void in_full_status(const struct scsi_request *r, struct cursor *c)
{
    const struct volume_state *v = r->volume;
    cursor_put32(c, v->generation);
    uint8_t *length = cursor_take(c, 4);
    for (int i = 0; i < v->count; i++) {
        const struct registration *g = &v->registration[i];
        bool holds = g->holder || persistent_type_all(v->type);
        cursor_put64(c, g->key);
        cursor_put32(c, 0);
        cursor_put8(c, holds);
        cursor_put8(c, holds ? v->type : 0);
        cursor_put32(c, 0);
        cursor_put16(c, (uint16_t)(g->sender + 1)); /* relative target port */
        uint8_t *additional = cursor_take(c, 4);
        transport_id_put(&r->server->state->port[g->port], c);
        be32_put(additional, (uint32_t)(c->at - additional - 4));
    }
    be32_put(length, (uint32_t)(c->at - length - 4));
}

void persistent_plan_in(const struct scsi_request *r, struct scsi_plan *plan)
{
    static void (*const put[])(const struct scsi_request *, struct cursor *) = {
        [PERSISTENT_READ_KEYS] = in_keys,
        [PERSISTENT_READ_RESERVATION] = in_reservation,
        [PERSISTENT_REPORT_CAPABILITIES] = in_capabilities,
        [PERSISTENT_READ_FULL_STATUS] = in_full_status,
    };
    struct cursor c = sense_data_begin(plan);
    put[r->command->cdb[1] & ACTION_MASK](r, &c);
    sense_data_end(plan, &c, be16_at(r->command->cdb + 7));
}
