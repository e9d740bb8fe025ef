/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/diagnostic.h"

#include "base/bytes.h"
#include "scsi/sense.h"

enum { DIAGNOSTIC_HEADER_BYTES = 4, DIAGNOSTIC_SUPPORTED = 0x00 };

/* SEND DIAGNOSTIC: the default self-test, which passes; or the request for the one page. */
void diagnostic_plan_send(const struct scsi_request *r, struct scsi_plan *plan)
{
    const uint8_t *cdb = r->command->cdb;
    bool self_test = cdb[1] & 0x04, page_format = cdb[1] & 0x10;
    uint8_t code = cdb[1] >> 5;
    uint32_t length = be16_at(cdb + 3);
    sense_good(plan);
    if (code || (self_test && page_format))
        sense_check_cdb(plan, 1);
    else if (length && (self_test || !page_format))
        sense_check_cdb(plan, 3);
    else if (length && (length < DIAGNOSTIC_HEADER_BYTES || length > r->data_length))
        sense_check(plan, SENSE_PARAMETER_LIST_LENGTH);
    else if (length && r->data[0] != DIAGNOSTIC_SUPPORTED)
        sense_check_parameters(plan, 0);
    else if (length && (be16_at(r->data + 2) || length > DIAGNOSTIC_HEADER_BYTES))
        sense_check_parameters(plan, 2);
}

/* RECEIVE DIAGNOSTIC RESULTS: the only page is the list of pages, so it is also what the last SEND
 * DIAGNOSTIC can have asked for. */
void diagnostic_plan_receive(const struct scsi_request *r, struct scsi_plan *plan)
{
    const uint8_t *cdb = r->command->cdb;
    bool page_code_valid = cdb[1] & 0x01;
    if (page_code_valid && cdb[2] != DIAGNOSTIC_SUPPORTED) {
        sense_check_cdb(plan, 2);
        return;
    }
    struct cursor c = sense_data_begin(plan);
    cursor_put8(&c, DIAGNOSTIC_SUPPORTED);
    cursor_put8(&c, 0);
    cursor_put16(&c, 1);
    cursor_put8(&c, DIAGNOSTIC_SUPPORTED);
    sense_data_end(plan, &c, be16_at(cdb + 3));
}

/* READ DEFECT DATA (SBC-3 5.17, 5.18): lists that are empty, in the format that was asked for. */
static bool defects_begin(struct scsi_plan *plan, uint8_t asked, uint32_t byte, struct cursor *c)
{
    enum { FORMAT = 0x07, FORMAT_RESERVED = 7 };
    if ((asked & FORMAT) == FORMAT_RESERVED) {
        sense_check_cdb(plan, byte);
        return false;
    }
    *c = sense_data_begin(plan);
    cursor_put8(c, 0);
    cursor_put8(c, asked); /* the lists that are there are those that were asked for */
    return true;
}

void diagnostic_plan_defects10(const struct scsi_request *r, struct scsi_plan *plan)
{
    struct cursor c;
    if (!defects_begin(plan, r->command->cdb[2], 2, &c))
        return;
    cursor_put16(&c, 0);
    sense_data_end(plan, &c, be16_at(r->command->cdb + 7));
}

void diagnostic_plan_defects12(const struct scsi_request *r, struct scsi_plan *plan)
{
    struct cursor c;
    if (!defects_begin(plan, r->command->cdb[1], 1, &c))
        return;
    cursor_put16(&c, 0); /* no generation code */
    cursor_put32(&c, 0);
    sense_data_end(plan, &c, be32_at(r->command->cdb + 6));
}
