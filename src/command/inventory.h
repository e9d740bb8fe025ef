/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_COMMAND_INVENTORY_H
#define SEGUE_COMMAND_INVENTORY_H

/* What a loop switch tells of its drives: the payload of MESSAGE_LOGIN_ACCEPT, `drives` entries. */

#include "base/bytes.h"
#include "command/names.h"

enum { BANK_NONE = 0xFF };

struct drive_info {
    uint8_t drive;        /* number over the array: loop * 32 + slot */
    uint8_t bank;         /* the group whose pools it serves, BANK_NONE: free */
    bool online;          /* it opened and answers */
    uint32_t block_bytes; /* smallest unit of a direct write: 512 or 4096 */
    uint64_t bytes;       /* size */
    char serial[24];      /* with its terminating 0 */
};

enum { DRIVE_INFO_BYTES = 48 };

void drive_info_put(struct cursor *c, const struct drive_info *info);
void drive_info_get(struct cursor *c, struct drive_info *info);

#endif
