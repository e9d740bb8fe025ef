/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/sense.h"

#include "base/bytes.h"
#include "base/must.h"

enum {
    SENSE_KEY_ILLEGAL_REQUEST = 5,
    SENSE_KEY_DATA_PROTECT = 7,
    SENSE_KEY_COPY_ABORTED = 0xA,
    SENSE_KEY_ABORTED_COMMAND = 0xB,
    SENSE_KEY_MISCOMPARE = 0xE,
};

enum { SENSE_VALID = 0x80 /* the INFORMATION field is */ };
enum { SENSE_SKSV = 0x80, SENSE_IN_CDB = 0x40 }; /* SPC-4 4.5.2.4.2 */

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
    [SENSE_COPY_TOO_MANY_TARGETS] = {SENSE_KEY_ILLEGAL_REQUEST, 0x2606},
    [SENSE_COPY_TARGET_TYPE] = {SENSE_KEY_ILLEGAL_REQUEST, 0x2607},
    [SENSE_COPY_TOO_MANY_SEGMENTS] = {SENSE_KEY_ILLEGAL_REQUEST, 0x2608},
    [SENSE_COPY_SEGMENT_TYPE] = {SENSE_KEY_ILLEGAL_REQUEST, 0x2609},
    [SENSE_COPY_UNREACHABLE] = {SENSE_KEY_COPY_ABORTED, 0x0D02},
    [SENSE_COPY_THIRD_PARTY] = {SENSE_KEY_COPY_ABORTED, 0x0D01},
    [SENSE_COPY_INEXACT] = {SENSE_KEY_COPY_ABORTED, 0x260A},
    [SENSE_COPY_ABORTED] = {SENSE_KEY_COPY_ABORTED, 0x0000},
};

uint8_t scsi_sense(uint8_t *sense, uint8_t key, uint8_t asc, uint8_t ascq)
{
    memset(sense, 0, SENSE_FIXED_BYTES);
    sense[0] = SENSE_FIXED; /* current */
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

uint8_t sense_to_descriptors(uint8_t *sense)
{
    uint8_t fixed[SENSE_FIXED_BYTES];
    memcpy(fixed, sense, sizeof fixed);
    memset(sense, 0, SENSE_MAX);
    struct cursor c = cursor_of(sense, SENSE_MAX);
    sense_descriptor(cursor_take(&c, SENSE_DESCRIPTOR_BYTES), fixed[2] & 0x0F, be16_at(fixed + 12));
    if (fixed[0] & SENSE_VALID) { /* information, 4.5.2.2 */
        cursor_put8(&c, 0x00);
        cursor_put8(&c, 0x0A);
        cursor_put8(&c, SENSE_VALID);
        cursor_put8(&c, 0);
        cursor_put64(&c, be32_at(fixed + 3));
    }
    if (fixed[15] & SENSE_SKSV) { /* sense key specific, 4.5.2.4 */
        cursor_put8(&c, 0x02);
        cursor_put8(&c, 0x06);
        cursor_put16(&c, 0);
        cursor_put_bytes(&c, fixed + 15, 3);
        cursor_put8(&c, 0);
    }
    must(!c.failed);
    uint8_t length = (uint8_t)(c.at - sense);
    sense[7] = (uint8_t)(length - SENSE_DESCRIPTOR_BYTES);
    return length;
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
    plan->sense[15] = SENSE_SKSV | SENSE_IN_CDB;
    be16_put(plan->sense + 16, (uint16_t)byte);
}

void sense_check_parameters(struct scsi_plan *plan, uint32_t byte)
{
    sense_check(plan, SENSE_INVALID_FIELD_IN_PARAMETERS);
    if (byte > UINT16_MAX)
        return;
    plan->sense[15] = SENSE_SKSV;
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
    plan->sense[0] |= SENSE_VALID;
    be32_put(plan->sense + 3, at);
    return false;
}
