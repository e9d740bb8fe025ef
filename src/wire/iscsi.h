/* table */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_WIRE_ISCSI_H
#define SEGUE_WIRE_ISCSI_H

/* iSCSI protocol data units, RFC 7143 clause 11: a basic header segment (BHS) of 48 bytes,
 * additional header segments, a header digest, a data segment padded to 4 bytes, a data digest. */

#include "wire/wire.h"

enum {
    ISCSI_BHS_BYTES = 48,
    ISCSI_AHS_MAX = 255 * 4,
    ISCSI_DIGEST_BYTES = 4,
    ISCSI_HEADER_MAX = ISCSI_BHS_BYTES + ISCSI_AHS_MAX + ISCSI_DIGEST_BYTES,
    ISCSI_SEGMENT_MAX = (1 << 24) - 1,
    ISCSI_KEY_MAX = 63,     /* bytes of a key's name, RFC 7143 6.1 */
    ISCSI_NAME_MAX = 223,   /* bytes of an iSCSI name, RFC 7143 4.2.7.1 */
    ISCSI_IMMEDIATE = 0x40, /* byte 0 of a request */
    ISCSI_OPCODE_MASK = 0x3F,
    ISCSI_FINAL = 0x80,    /* byte 1 */
    ISCSI_CONTINUE = 0x40, /* byte 1 of login and text */
};

#define ISCSI_TAG_NONE 0xFFFFFFFFu

enum iscsi_opcode { /* RFC 7143 11.2.1.2 */
                    ISCSI_NOP_OUT = 0x00,
                    ISCSI_SCSI_COMMAND = 0x01,
                    ISCSI_TASK_REQUEST = 0x02,
                    ISCSI_LOGIN_REQUEST = 0x03,
                    ISCSI_TEXT_REQUEST = 0x04,
                    ISCSI_DATA_OUT = 0x05,
                    ISCSI_LOGOUT_REQUEST = 0x06,
                    ISCSI_SNACK = 0x10,
                    ISCSI_NOP_IN = 0x20,
                    ISCSI_SCSI_RESPONSE = 0x21,
                    ISCSI_TASK_RESPONSE = 0x22,
                    ISCSI_LOGIN_RESPONSE = 0x23,
                    ISCSI_TEXT_RESPONSE = 0x24,
                    ISCSI_DATA_IN = 0x25,
                    ISCSI_LOGOUT_RESPONSE = 0x26,
                    ISCSI_R2T = 0x31,
                    ISCSI_ASYNC = 0x32,
                    ISCSI_REJECT = 0x3F,
};

/* RFC 7143 11.2.1: what all requests have in common */
struct iscsi_request {
    uint8_t opcode;
    uint8_t flags;
    uint8_t specific[2];
    uint8_t ahs_words;
    struct be24 data_length;
    struct be64 lun;
    struct be32 itt;
    struct be32 specific_20;
    struct be32 cmd_sn;
    struct be32 exp_stat_sn;
    uint8_t specific_32[16];
};
WIRE_SIZE(iscsi_request, 48);
WIRE_AT(iscsi_request, ahs_words, 4);
WIRE_AT(iscsi_request, data_length, 5);
WIRE_AT(iscsi_request, lun, 8);
WIRE_AT(iscsi_request, itt, 16);
WIRE_AT(iscsi_request, cmd_sn, 24);
WIRE_AT(iscsi_request, exp_stat_sn, 28);

/* RFC 7143 11.2.1: what all responses have in common */
struct iscsi_response {
    uint8_t opcode;
    uint8_t flags;
    uint8_t specific[2];
    uint8_t ahs_words;
    struct be24 data_length;
    struct be64 lun;
    struct be32 itt;
    struct be32 ttt;
    struct be32 stat_sn;
    struct be32 exp_cmd_sn;
    struct be32 max_cmd_sn;
    uint8_t specific_36[12];
};
WIRE_SIZE(iscsi_response, 48);
WIRE_AT(iscsi_response, itt, 16);
WIRE_AT(iscsi_response, ttt, 20);
WIRE_AT(iscsi_response, stat_sn, 24);
WIRE_AT(iscsi_response, exp_cmd_sn, 28);
WIRE_AT(iscsi_response, max_cmd_sn, 32);
WIRE_AT(iscsi_response, specific_36, 36);

/* RFC 7143 11.3: byte 1 */
enum {
    ISCSI_COMMAND_READ = 0x40,
    ISCSI_COMMAND_WRITE = 0x20,
    ISCSI_COMMAND_ATTRIBUTE = 0x07,
};
struct iscsi_scsi_command {
    uint8_t opcode;
    uint8_t flags;
    uint8_t reserved[2];
    uint8_t ahs_words;
    struct be24 data_length;
    struct be64 lun;
    struct be32 itt;
    struct be32 expected_length;
    struct be32 cmd_sn;
    struct be32 exp_stat_sn;
    uint8_t cdb[16];
};
WIRE_SIZE(iscsi_scsi_command, 48);
WIRE_AT(iscsi_scsi_command, lun, 8);
WIRE_AT(iscsi_scsi_command, itt, 16);
WIRE_AT(iscsi_scsi_command, expected_length, 20);
WIRE_AT(iscsi_scsi_command, cmd_sn, 24);
WIRE_AT(iscsi_scsi_command, cdb, 32);

/* RFC 7143 11.4.1 and 11.7.3: byte 1 of SCSI Response and of Data-In */
enum {
    ISCSI_RESIDUAL_OVERFLOW = 0x04,
    ISCSI_RESIDUAL_UNDERFLOW = 0x02,
    ISCSI_DATA_IN_STATUS = 0x01,
};
struct iscsi_scsi_response {
    uint8_t opcode;
    uint8_t flags;
    uint8_t response; /* 0: completed at target, 1: target failure */
    uint8_t status;
    uint8_t ahs_words;
    struct be24 data_length;
    uint8_t reserved[8];
    struct be32 itt;
    struct be32 snack_tag;
    struct be32 stat_sn;
    struct be32 exp_cmd_sn;
    struct be32 max_cmd_sn;
    struct be32 exp_data_sn;
    struct be32 read_residual;
    struct be32 residual;
};
WIRE_SIZE(iscsi_scsi_response, 48);
WIRE_AT(iscsi_scsi_response, response, 2);
WIRE_AT(iscsi_scsi_response, status, 3);
WIRE_AT(iscsi_scsi_response, itt, 16);
WIRE_AT(iscsi_scsi_response, stat_sn, 24);
WIRE_AT(iscsi_scsi_response, exp_data_sn, 36);
WIRE_AT(iscsi_scsi_response, residual, 44);

enum { ISCSI_TASK_FUNCTION_MASK = 0x7F };
enum iscsi_task_result { /* RFC 7143 11.6.1 */
                         ISCSI_TASK_COMPLETE = 0,
                         ISCSI_TASK_UNKNOWN = 1,
                         ISCSI_TASK_NO_LUN = 2,
                         ISCSI_TASK_STILL_ALLEGIANT = 3,
                         ISCSI_TASK_NO_REASSIGN = 4,
                         ISCSI_TASK_UNSUPPORTED = 5,
                         ISCSI_TASK_UNAUTHORIZED = 6,
                         ISCSI_TASK_REJECTED = 255,
};
/* RFC 7143 11.5 */
struct iscsi_task_request {
    uint8_t opcode;
    uint8_t function;
    uint8_t reserved[2];
    uint8_t ahs_words;
    struct be24 data_length;
    struct be64 lun;
    struct be32 itt;
    struct be32 referenced_itt;
    struct be32 cmd_sn;
    struct be32 exp_stat_sn;
    struct be32 referenced_cmd_sn;
    struct be32 exp_data_sn;
    uint8_t reserved_40[8];
};
WIRE_SIZE(iscsi_task_request, 48);
WIRE_AT(iscsi_task_request, referenced_itt, 20);
WIRE_AT(iscsi_task_request, referenced_cmd_sn, 32);

/* RFC 7143 11.6 */
struct iscsi_task_response {
    uint8_t opcode;
    uint8_t flags;
    uint8_t response; /* enum iscsi_task_result */
    uint8_t reserved;
    uint8_t ahs_words;
    struct be24 data_length;
    uint8_t reserved_8[8];
    struct be32 itt;
    struct be32 reserved_20;
    struct be32 stat_sn;
    struct be32 exp_cmd_sn;
    struct be32 max_cmd_sn;
    uint8_t reserved_36[12];
};
WIRE_SIZE(iscsi_task_response, 48);
WIRE_AT(iscsi_task_response, response, 2);
WIRE_AT(iscsi_task_response, stat_sn, 24);

/* RFC 7143 11.7.1 */
struct iscsi_data_out {
    uint8_t opcode;
    uint8_t flags;
    uint8_t reserved[2];
    uint8_t ahs_words;
    struct be24 data_length;
    struct be64 lun;
    struct be32 itt;
    struct be32 ttt;
    struct be32 reserved_24;
    struct be32 exp_stat_sn;
    struct be32 reserved_32;
    struct be32 data_sn;
    struct be32 offset;
    struct be32 reserved_44;
};
WIRE_SIZE(iscsi_data_out, 48);
WIRE_AT(iscsi_data_out, ttt, 20);
WIRE_AT(iscsi_data_out, data_sn, 36);
WIRE_AT(iscsi_data_out, offset, 40);

/* RFC 7143 11.7.1 */
struct iscsi_data_in {
    uint8_t opcode;
    uint8_t flags;
    uint8_t reserved;
    uint8_t status;
    uint8_t ahs_words;
    struct be24 data_length;
    struct be64 lun;
    struct be32 itt;
    struct be32 ttt;
    struct be32 stat_sn;
    struct be32 exp_cmd_sn;
    struct be32 max_cmd_sn;
    struct be32 data_sn;
    struct be32 offset;
    struct be32 residual;
};
WIRE_SIZE(iscsi_data_in, 48);
WIRE_AT(iscsi_data_in, status, 3);
WIRE_AT(iscsi_data_in, data_sn, 36);
WIRE_AT(iscsi_data_in, offset, 40);
WIRE_AT(iscsi_data_in, residual, 44);

/* RFC 7143 11.8 */
struct iscsi_r2t {
    uint8_t opcode;
    uint8_t flags;
    uint8_t reserved[2];
    uint8_t ahs_words;
    struct be24 data_length;
    struct be64 lun;
    struct be32 itt;
    struct be32 ttt;
    struct be32 stat_sn;
    struct be32 exp_cmd_sn;
    struct be32 max_cmd_sn;
    struct be32 r2t_sn;
    struct be32 offset;
    struct be32 length;
};
WIRE_SIZE(iscsi_r2t, 48);
WIRE_AT(iscsi_r2t, r2t_sn, 36);
WIRE_AT(iscsi_r2t, offset, 40);
WIRE_AT(iscsi_r2t, length, 44);

/* RFC 7143 11.9.1 */
enum { ISCSI_ASYNC_LOGOUT = 1, ISCSI_ASYNC_DROP_CONNECTION = 2, ISCSI_ASYNC_DROP_ALL = 3 };
/* RFC 7143 11.9 */
struct iscsi_async {
    uint8_t opcode;
    uint8_t flags;
    uint8_t reserved[2];
    uint8_t ahs_words;
    struct be24 data_length;
    struct be64 lun;
    struct be32 itt;
    struct be32 reserved_20;
    struct be32 stat_sn;
    struct be32 exp_cmd_sn;
    struct be32 max_cmd_sn;
    uint8_t event;
    uint8_t vendor_code;
    struct be16 parameter_1;
    struct be16 parameter_2;
    struct be16 parameter_3;
    uint8_t reserved_44[4];
};
WIRE_SIZE(iscsi_async, 48);
WIRE_AT(iscsi_async, event, 36);
WIRE_AT(iscsi_async, parameter_1, 38);
WIRE_AT(iscsi_async, parameter_3, 42);

/* RFC 7143 11.10 and 11.18: Text Request and NOP-Out */
struct iscsi_text_request {
    uint8_t opcode;
    uint8_t flags;
    uint8_t reserved[2];
    uint8_t ahs_words;
    struct be24 data_length;
    struct be64 lun;
    struct be32 itt;
    struct be32 ttt;
    struct be32 cmd_sn;
    struct be32 exp_stat_sn;
    uint8_t reserved_32[16];
};
WIRE_SIZE(iscsi_text_request, 48);
WIRE_AT(iscsi_text_request, ttt, 20);
WIRE_AT(iscsi_text_request, cmd_sn, 24);

/* RFC 7143 11.12.3: stages */
enum iscsi_stage {
    ISCSI_STAGE_SECURITY = 0,
    ISCSI_STAGE_OPERATIONAL = 1,
    ISCSI_STAGE_FULL_FEATURE = 3,
};
enum { ISCSI_LOGIN_TRANSIT = 0x80 };
/* RFC 7143 11.12 */
struct iscsi_login_request {
    uint8_t opcode;
    uint8_t flags; /* transit, continue, current stage << 2, next stage */
    uint8_t version_max;
    uint8_t version_min;
    uint8_t ahs_words;
    struct be24 data_length;
    uint8_t isid[6];
    struct be16 tsih;
    struct be32 itt;
    struct be16 cid;
    struct be16 reserved_22;
    struct be32 cmd_sn;
    struct be32 exp_stat_sn;
    uint8_t reserved_32[16];
};
WIRE_SIZE(iscsi_login_request, 48);
WIRE_AT(iscsi_login_request, version_min, 3);
WIRE_AT(iscsi_login_request, isid, 8);
WIRE_AT(iscsi_login_request, tsih, 14);
WIRE_AT(iscsi_login_request, cid, 20);
WIRE_AT(iscsi_login_request, cmd_sn, 24);

/* RFC 7143 11.13.5: class << 8 | detail */
enum iscsi_login_status {
    ISCSI_LOGIN_SUCCESS = 0x0000,
    ISCSI_LOGIN_MOVED = 0x0101, /* temporarily, to the TargetAddress in the response */
    ISCSI_LOGIN_INITIATOR_ERROR = 0x0200,
    ISCSI_LOGIN_AUTHENTICATION = 0x0201,
    ISCSI_LOGIN_FORBIDDEN = 0x0202,
    ISCSI_LOGIN_NOT_FOUND = 0x0203,
    ISCSI_LOGIN_VERSION = 0x0205,
    ISCSI_LOGIN_TOO_MANY_CONNECTIONS = 0x0206,
    ISCSI_LOGIN_MISSING_PARAMETER = 0x0207,
    ISCSI_LOGIN_SESSION_TYPE = 0x0209,
    ISCSI_LOGIN_NO_SESSION = 0x020A,
    ISCSI_LOGIN_INVALID_REQUEST = 0x020B,
    ISCSI_LOGIN_TARGET_ERROR = 0x0300,
    ISCSI_LOGIN_UNAVAILABLE = 0x0301,
    ISCSI_LOGIN_OUT_OF_RESOURCES = 0x0302,
};
/* RFC 7143 11.13 */
struct iscsi_login_response {
    uint8_t opcode;
    uint8_t flags;
    uint8_t version_max;
    uint8_t version_active;
    uint8_t ahs_words;
    struct be24 data_length;
    uint8_t isid[6];
    struct be16 tsih;
    struct be32 itt;
    struct be32 reserved_20;
    struct be32 stat_sn;
    struct be32 exp_cmd_sn;
    struct be32 max_cmd_sn;
    struct be16 status;
    uint8_t reserved_38[10];
};
WIRE_SIZE(iscsi_login_response, 48);
WIRE_AT(iscsi_login_response, isid, 8);
WIRE_AT(iscsi_login_response, tsih, 14);
WIRE_AT(iscsi_login_response, stat_sn, 24);
WIRE_AT(iscsi_login_response, status, 36);

/* RFC 7143 11.14.1 */
enum {
    ISCSI_LOGOUT_SESSION = 0,
    ISCSI_LOGOUT_CONNECTION = 1,
    ISCSI_LOGOUT_RECOVERY = 2,
    ISCSI_LOGOUT_REASON_MASK = 0x7F,
};
/* RFC 7143 11.14 */
struct iscsi_logout_request {
    uint8_t opcode;
    uint8_t reason;
    uint8_t reserved[2];
    uint8_t ahs_words;
    struct be24 data_length;
    uint8_t reserved_8[8];
    struct be32 itt;
    struct be16 cid;
    struct be16 reserved_22;
    struct be32 cmd_sn;
    struct be32 exp_stat_sn;
    uint8_t reserved_32[16];
};
WIRE_SIZE(iscsi_logout_request, 48);
WIRE_AT(iscsi_logout_request, cid, 20);

/* RFC 7143 11.15.1 */
enum {
    ISCSI_LOGOUT_CLOSED = 0,
    ISCSI_LOGOUT_NO_CID = 1,
    ISCSI_LOGOUT_NO_RECOVERY = 2,
};
/* RFC 7143 11.15 */
struct iscsi_logout_response {
    uint8_t opcode;
    uint8_t flags;
    uint8_t response;
    uint8_t reserved;
    uint8_t ahs_words;
    struct be24 data_length;
    uint8_t reserved_8[8];
    struct be32 itt;
    struct be32 reserved_20;
    struct be32 stat_sn;
    struct be32 exp_cmd_sn;
    struct be32 max_cmd_sn;
    struct be32 reserved_36;
    struct be16 time_to_wait;
    struct be16 time_to_retain;
    struct be32 reserved_44;
};
WIRE_SIZE(iscsi_logout_response, 48);
WIRE_AT(iscsi_logout_response, time_to_wait, 40);

enum iscsi_reject_reason { /* RFC 7143 11.17.1 */
                           ISCSI_REJECT_DATA_DIGEST = 0x02,
                           ISCSI_REJECT_SNACK = 0x03,
                           ISCSI_REJECT_PROTOCOL = 0x04,
                           ISCSI_REJECT_UNSUPPORTED = 0x05,
                           ISCSI_REJECT_TOO_MANY_IMMEDIATE = 0x06,
                           ISCSI_REJECT_TASK_IN_PROGRESS = 0x07,
                           ISCSI_REJECT_INVALID_FIELD = 0x09,
                           ISCSI_REJECT_LONG_OPERATION = 0x0A,
};
/* RFC 7143 11.17: the header of the refused PDU is its data segment */
struct iscsi_reject {
    uint8_t opcode;
    uint8_t flags;
    uint8_t reason;
    uint8_t reserved;
    uint8_t ahs_words;
    struct be24 data_length;
    uint8_t reserved_8[8];
    struct be32 itt;
    struct be32 reserved_20;
    struct be32 stat_sn;
    struct be32 exp_cmd_sn;
    struct be32 max_cmd_sn;
    struct be32 data_sn;
    uint8_t reserved_40[8];
};
WIRE_SIZE(iscsi_reject, 48);
WIRE_AT(iscsi_reject, reason, 2);
WIRE_AT(iscsi_reject, data_sn, 36);

static inline uint32_t iscsi_pad(uint32_t length)
{
    return (4 - length % 4) % 4;
}
/* Serial number arithmetic (RFC 1982): a before b. */
static inline bool iscsi_sn_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

const char *iscsi_opcode_name(uint8_t opcode);
const char *iscsi_login_status_name(enum iscsi_login_status status);

/* CRC32C (RFC 7143 13.1) over more bytes; begin with ISCSI_DIGEST_BEGIN. */
#define ISCSI_DIGEST_BEGIN 0xFFFFFFFFu
uint32_t iscsi_digest(uint32_t running, const uint8_t *bytes, uint32_t length);
/* The 4 bytes on the wire that end such a run. */
void iscsi_digest_put(uint8_t out[ISCSI_DIGEST_BYTES], uint32_t running);

/* The next key=value of a text data segment (RFC 7143 6.1: pairs end with a zero byte). Both
 * strings lie in the segment and end with 0 there; the segment's '=' is overwritten. `broken`: the
 * rest is no such pair (no '=', an empty or too long key, no final zero). */
enum iscsi_text { ISCSI_TEXT_PAIR, ISCSI_TEXT_END, ISCSI_TEXT_BROKEN };
enum iscsi_text iscsi_text_next(struct cursor *segment, char **key, char **value);

#endif
