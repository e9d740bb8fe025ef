/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_COMMAND_INVENTORY_H
#define SEGUE_COMMAND_INVENTORY_H

/* What a loop switch tells of its drives: the payload of MESSAGE_LOGIN_ACCEPT, `drives` entries. */

#include "base/bytes.h"
#include "command/al_pa.h"
#include "command/names.h"

enum { BANK_NONE = 0xFF };

/* How a drive of a pool begins (array/layout.h). */
#define DRIVE_POOL_MAGIC "SegueDrv"

/* What lay on a drive when it was opened, as far as a loop switch can tell. */
enum drive_content {
    DRIVE_CONTENT_NONE,    /* nothing that anybody would miss, or it was adopted */
    DRIVE_CONTENT_FOREIGN, /* somebody else's: a file system, a partition table, ... */
    DRIVE_CONTENT_POOL,    /* a pool's superblock */
};

struct drive_info {
    uint8_t drive;        /* number over the array: loop * 32 + slot */
    uint8_t bank;         /* the group whose pools it serves, BANK_NONE: free */
    bool online;          /* it opened and answers */
    uint8_t al_pa;        /* its address on the loop; AL_PA_NONE: it has none yet */
    uint8_t content;      /* enum drive_content */
    uint16_t life;        /* another one whenever it was off the loop: it may be another drive, or
                             have lost what it had not flushed */
    uint32_t block_bytes; /* smallest unit of a direct write: 512 or 4096 */
    uint64_t bytes;       /* size */
    char serial[24];      /* with its terminating 0 */
};

enum { DRIVE_INFO_BYTES = 48 };

void drive_info_put(struct cursor *c, const struct drive_info *info);
void drive_info_get(struct cursor *c, struct drive_info *info);

#endif
