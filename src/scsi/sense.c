/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/sense.h"

#include "base/bytes.h"
#include "base/must.h"

enum {
    SENSE_KEY_ILLEGAL_REQUEST = 5,
    SENSE_KEY_DATA_PROTECT = 7,
    SENSE_KEY_ABORTED_COMMAND = 0xB,
    SENSE_KEY_MISCOMPARE = 0xE,
};

static const struct {
    uint8_t key;
    uint16_t code;
} sense_codes[SENSE_CODES] = {
    [SENSE_INVALID_OPCODE] = {SENSE_KEY_ILLEGAL_REQUEST, 0x2000},
    [SENSE_LBA_OUT_OF_RANGE] = {SENSE_KEY_ILLEGAL_REQUEST, 0x2100},
    [SENSE_INVALID_FIELD_IN_CDB] = {SENSE_KEY_ILLEGAL_REQUEST, 0x2400},
    [SENSE_LUN_NOT_SUPPORTED] = {SENSE_KEY_ILLEGAL_REQUEST, 0x2500},
    [SENSE_INVALID_FIELD_IN_PARAMETERS] = {SENSE_KEY_ILLEGAL_REQUEST, 0x2600},
    [SENSE_PARAMETER_LIST_LENGTH] = {SENSE_KEY_ILLEGAL_REQUEST, 0x1A00},
    [SENSE_INVALID_RELEASE] = {SENSE_KEY_ILLEGAL_REQUEST, 0x2604},
    [SENSE_NO_REGISTRATION_RESOURCES] = {SENSE_KEY_ILLEGAL_REQUEST, 0x5504},
    [SENSE_WRITE_PROTECTED] = {SENSE_KEY_DATA_PROTECT, 0x2700},
    [SENSE_SOFTWARE_WRITE_PROTECTED] = {SENSE_KEY_DATA_PROTECT, 0x2702},
    [SENSE_MISCOMPARE] = {SENSE_KEY_MISCOMPARE, 0x1D00},
    [SENSE_NEXUS_UNKNOWN] = {SENSE_KEY_ABORTED_COMMAND, 0x0000},
};

uint8_t scsi_sense(uint8_t *sense, uint8_t key, uint8_t asc, uint8_t ascq)
{
    memset(sense, 0, SENSE_FIXED_BYTES);
    sense[0] = 0x70; /* current, fixed */
    sense[2] = key;
    sense[7] = SENSE_FIXED_BYTES - 8;
    sense[12] = asc;
    sense[13] = ascq;
    return SENSE_FIXED_BYTES;
}

void sense_descriptor(uint8_t *out, uint8_t key, uint16_t code)
{
    memset(out, 0, SENSE_DESCRIPTOR_BYTES);
    out[0] = 0x72;
    out[1] = key;
    be16_put(out + 2, code);
}

void sense_lookup(enum sense_code code, uint8_t *key, uint16_t *asc_ascq)
{
    *key = sense_codes[code].key;
    *asc_ascq = sense_codes[code].code;
}

void sense_status(struct scsi_plan *plan, enum scsi_status status)
{
    plan->what = SCSI_RESPOND;
    plan->status = (uint8_t)status;
    plan->sense_length = 0;
    plan->data_length = 0;
}

void sense_good(struct scsi_plan *plan)
{
    sense_status(plan, SCSI_STATUS_GOOD);
}

void sense_check_raw(struct scsi_plan *plan, uint8_t key, uint16_t code)
{
    sense_status(plan, SCSI_STATUS_CHECK_CONDITION);
    plan->sense_length = scsi_sense(plan->sense, key, (uint8_t)(code >> 8), (uint8_t)code);
}

void sense_check(struct scsi_plan *plan, enum sense_code code)
{
    must(code > SENSE_NONE && code < SENSE_CODES);
    sense_check_raw(plan, sense_codes[code].key, sense_codes[code].code);
}

void sense_check_cdb(struct scsi_plan *plan, uint32_t byte)
{
    sense_check(plan, SENSE_INVALID_FIELD_IN_CDB);
    plan->sense[15] = 0xC0; /* SKSV, the field is in the CDB (SPC-4 4.5.2.4.2) */
    be16_put(plan->sense + 16, (uint16_t)byte);
}

struct cursor sense_data_begin(struct scsi_plan *plan)
{
    must(plan->data);
    return cursor_of(plan->data, SCSI_DATA_MAX);
}

void sense_data_end(struct scsi_plan *plan, const struct cursor *data, uint32_t allocation)
{
    must(!data->failed);
    uint32_t length = (uint32_t)(data->at - plan->data);
    sense_good(plan);
    plan->data_length = length < allocation ? length : allocation;
}

bool scsi_compare(const struct scsi_plan *asked, const uint8_t *expected, const uint8_t *found,
                  uint32_t length, struct scsi_plan *plan)
{
    must(asked->what == SCSI_COMPARE_WRITE || asked->what == SCSI_VERIFY);
    plan->data_length = 0;
    plan->sense_length = 0;
    plan->status = SCSI_STATUS_GOOD;
    if (memcmp(expected, found, length) == 0)
        return true;
    uint32_t at = 0;
    while (expected[at] == found[at])
        at++;
    plan->status = SCSI_STATUS_CHECK_CONDITION;
    plan->sense_length = scsi_sense(plan->sense, sense_codes[SENSE_MISCOMPARE].key, 0x1D, 0);
    plan->sense[0] |= 0x80; /* INFORMATION is valid */
    be32_put(plan->sense + 3, at);
    return false;
}
