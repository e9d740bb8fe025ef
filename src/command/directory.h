/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_COMMAND_DIRECTORY_H
#define SEGUE_COMMAND_DIRECTORY_H

/* The LUN directory: array-wide state, kept by the owner group under its protocol, copied to the
 * interface switches by version. It says which group and volume a LUN is. */

#include "base/bytes.h"
#include "command/names.h"

struct directory_entry {
    uint16_t lun;
    uint8_t group;
    uint16_t volume;  /* the group's number */
    uint8_t uuid[16]; /* the volume's, so that a number used again is not mistaken for it */
    char name[NAME_BYTES];
};

struct directory {
    uint64_t version;
    uint32_t count;
    struct directory_entry at[LUN_MAX]; /* ascending LUNs */
};

enum { DIRECTORY_ENTRY_BYTES = 2 + 1 + 2 + 16 + NAME_BYTES };

/* NULL: no volume is mapped at that LUN. */
const struct directory_entry *directory_find(const struct directory *d, uint16_t lun);
/* Version, count, entries. Returns bytes written; the buffer must hold
 * 12 + count * DIRECTORY_ENTRY_BYTES. */
uint32_t directory_encode(const struct directory *d, uint8_t *out, uint32_t capacity);
bool directory_decode(const uint8_t *bytes, uint32_t length, struct directory *out);

/* SAM-5 4.7: LUN field of 8 bytes, peripheral (below 256) or flat addressing. -1: neither. */
int lun_number(uint64_t lun);
uint64_t lun_field(uint16_t number);

#endif
