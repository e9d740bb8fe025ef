/* table */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_WIRE_FC_H
#define SEGUE_WIRE_FC_H

/* Fibre Channel: the frame header of FC-2 and the information units of the SCSI mapping. Standards:
 * FC-FS-3 (header), FCP-4 (FCP_CMND, FCP_RSP), SBC-3 (the CDBs of drive commands). */

#include "wire/wire.h"

/* FC-FS-3 9.3, 9.6 and 9.7: R_CTL and TYPE */
enum {
    FC_R_CTL_COMMAND = 0x06,        /* FC-4 device data, unsolicited command: FCP_CMND */
    FC_R_CTL_COMMAND_STATUS = 0x07, /* FC-4 device data, command status: FCP_RSP */
    FC_R_CTL_CONTROL = 0x02,        /* FC-4 device data, unsolicited control: all of our own */
    FC_TYPE_FCP = 0x08,
    FC_TYPE_SEGUE = 0xE0, /* vendor specific: E0h to FFh */
};

/* FC-FS-3 9.9: F_CTL */
enum {
    FC_F_CTL_RESPONDER = 0x800000,           /* exchange context */
    FC_F_CTL_FIRST_SEQUENCE = 0x200000,      /* of the exchange */
    FC_F_CTL_LAST_SEQUENCE = 0x100000,       /* of the exchange */
    FC_F_CTL_END_SEQUENCE = 0x080000,        /* last frame of the sequence */
    FC_F_CTL_SEQUENCE_INITIATIVE = 0x010000, /* handed over */
};
enum { FC_RX_ID_UNASSIGNED = 0xFFFF };

/* FC-FS-3 9.2 */
struct fc_header {
    uint8_t r_ctl;
    struct be24 d_id;
    uint8_t cs_ctl;
    struct be24 s_id;
    uint8_t type;
    struct be24 f_ctl;
    uint8_t seq_id;
    uint8_t df_ctl;
    struct be16 seq_cnt;
    struct be16 ox_id;
    struct be16 rx_id;
    struct be32 parameter;
};
WIRE_SIZE(fc_header, 24);
WIRE_AT(fc_header, d_id, 1);
WIRE_AT(fc_header, s_id, 5);
WIRE_AT(fc_header, type, 8);
WIRE_AT(fc_header, f_ctl, 9);
WIRE_AT(fc_header, seq_id, 12);
WIRE_AT(fc_header, df_ctl, 13);
WIRE_AT(fc_header, seq_cnt, 14);
WIRE_AT(fc_header, ox_id, 16);
WIRE_AT(fc_header, rx_id, 18);
WIRE_AT(fc_header, parameter, 20);

/* FCP-4 9.1.2.2: task attribute */
enum {
    FCP_ATTRIBUTE_SIMPLE = 0,
    FCP_ATTRIBUTE_HEAD_OF_QUEUE = 1,
    FCP_ATTRIBUTE_ORDERED = 2,
    FCP_ATTRIBUTE_ACA = 4,
    FCP_ATTRIBUTE_UNTAGGED = 5,
};
/* FCP-4 9.1.2.3: task management flags */
enum {
    FCP_TASK_ABORT_TASK_SET = 0x02,
    FCP_TASK_CLEAR_TASK_SET = 0x04,
    FCP_TASK_LOGICAL_UNIT_RESET = 0x10,
    FCP_TASK_TARGET_RESET = 0x20,
    FCP_TASK_CLEAR_ACA = 0x40,
};
/* FCP-4 9.1.2.4: byte 11 */
enum { FCP_WRDATA = 0x01, FCP_RDDATA = 0x02 };

/* FCP-4 9.1: FCP_CMND IU with a CDB of 16 bytes */
struct fcp_cmnd {
    uint8_t lun[8];
    uint8_t reference_number;
    uint8_t attribute;
    uint8_t task_management;
    uint8_t direction;
    uint8_t cdb[16];
    struct be32 data_length; /* FCP_DL */
};
WIRE_SIZE(fcp_cmnd, 32);
WIRE_AT(fcp_cmnd, attribute, 9);
WIRE_AT(fcp_cmnd, task_management, 10);
WIRE_AT(fcp_cmnd, direction, 11);
WIRE_AT(fcp_cmnd, cdb, 12);
WIRE_AT(fcp_cmnd, data_length, 28);

/* FCP-4 9.5: byte 10 */
enum { FCP_SNS_LEN_VALID = 0x02 };

/* FCP-4 9.5: FCP_RSP IU without response information; sense_length bytes of sense follow */
struct fcp_rsp {
    uint8_t reserved[8];
    struct be16 status_qualifier;
    uint8_t flags;
    uint8_t status;
    struct be32 residual;
    struct be32 sense_length;
    struct be32 response_length;
};
WIRE_SIZE(fcp_rsp, 24);
WIRE_AT(fcp_rsp, flags, 10);
WIRE_AT(fcp_rsp, status, 11);
WIRE_AT(fcp_rsp, sense_length, 16);
WIRE_AT(fcp_rsp, response_length, 20);

/* SBC-3 5.12, 5.41, 5.45, 5.28: READ(16), WRITE(16), WRITE SAME(16), SYNCHRONIZE CACHE(16) */
enum {
    SBC_READ_16 = 0x88,
    SBC_WRITE_16 = 0x8A,
    SBC_SYNCHRONIZE_CACHE_16 = 0x91,
    SBC_WRITE_SAME_16 = 0x93,
    SBC_FUA = 0x08, /* byte 1 of READ(16) and WRITE(16) */
};
struct sbc_cdb_16 {
    uint8_t opcode;
    uint8_t flags;
    struct be64 lba;
    struct be32 blocks;
    uint8_t group_number;
    uint8_t control;
};
WIRE_SIZE(sbc_cdb_16, 16);
WIRE_AT(sbc_cdb_16, lba, 2);
WIRE_AT(sbc_cdb_16, blocks, 10);

#endif
