/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_SENSE_H
#define SEGUE_SCSI_SENSE_H

/* Ways to answer a command: status, sense, data in. */

#include "scsi/server.h"

/* What can be wrong with a command, in words; sense.c has key and codes of each. */
enum sense_code {
    SENSE_NONE,
    SENSE_INVALID_OPCODE,
    SENSE_LBA_OUT_OF_RANGE,
    SENSE_INVALID_FIELD_IN_CDB,
    SENSE_LUN_NOT_SUPPORTED,
    SENSE_INVALID_FIELD_IN_PARAMETERS,
    SENSE_PARAMETER_LIST_LENGTH,
    SENSE_INVALID_RELEASE,
    SENSE_NO_REGISTRATION_RESOURCES,
    SENSE_WRITE_PROTECTED,
    SENSE_SOFTWARE_WRITE_PROTECTED,
    SENSE_MISCOMPARE,
    SENSE_NEXUS_UNKNOWN,
    SENSE_COPY_TOO_MANY_TARGETS,
    SENSE_COPY_TARGET_TYPE,
    SENSE_COPY_TOO_MANY_SEGMENTS,
    SENSE_COPY_SEGMENT_TYPE,
    SENSE_COPY_UNREACHABLE,
    SENSE_COPY_THIRD_PARTY, /* a volume that is copied from or to refuses */
    SENSE_COPY_INEXACT,
    SENSE_COPY_ABORTED,
    SENSE_CODES,
};

enum { SENSE_FIXED = 0x70, SENSE_FIXED_BYTES = 18, SENSE_DESCRIPTOR_BYTES = 8 };

/* Answers: SCSI_RESPOND with ... */
void sense_good(struct scsi_plan *plan);
void sense_status(struct scsi_plan *plan, enum scsi_status status);
void sense_check(struct scsi_plan *plan, enum sense_code code);
/* ... INVALID FIELD IN CDB, IN PARAMETER LIST that points at that byte */
void sense_check_cdb(struct scsi_plan *plan, uint32_t byte);
void sense_check_parameters(struct scsi_plan *plan, uint32_t byte);
/* ... key and codes that are in no table here: a unit attention */
void sense_check_raw(struct scsi_plan *plan, uint8_t key, uint16_t code);

/* Data in: written through the cursor, which begins at plan->data; sense_data ends it, cut to the
 * allocation length. */
struct cursor sense_data_begin(struct scsi_plan *plan);
void sense_data_end(struct scsi_plan *plan, const struct cursor *data, uint32_t allocation);

/* 18 bytes of fixed format, in SENSE_MAX bytes, become descriptor format. Returns its length. */
uint8_t sense_to_descriptors(uint8_t *sense);
/* Descriptor format (SPC-4 4.5.2), no descriptors. */
void sense_descriptor(uint8_t *out, uint8_t key, uint16_t code);
/* Key and code (ASC, ASCQ) of a sense_code. */
void sense_lookup(enum sense_code code, uint8_t *key, uint16_t *asc_ascq);

#endif
