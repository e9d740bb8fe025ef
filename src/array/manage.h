/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_MANAGE_H
#define SEGUE_ARRAY_MANAGE_H

/* Management requests and the effects that they resolve to: payload of COMMAND_MANAGE. They are
 * made from words by manage/, checked and made into effects by array_plan() (pools and volumes, in
 * the group that owns the pool) and by the LUN directory (hosts and maps, in the owner group). The
 * answer to a request is a response with status GOOD, or CHECK CONDITION with a sentence as its
 * data; GOOD's data is a line of "key=value" pairs (volume=3). */

#include "command/directory.h"

enum manage_verb {
    MANAGE_POOL_CREATE = 1,
    MANAGE_POOL_DELETE = 2,
    MANAGE_VOLUME_CREATE = 3,
    MANAGE_VOLUME_DELETE = 4,
    MANAGE_VOLUME_GROW = 5,
    MANAGE_POOL_SET = 6, /* cache */
    /* the owner group's */
    MANAGE_MAP = 32, /* lun -> group, volume */
    MANAGE_UNMAP = 33,
    MANAGE_HOST_CREATE = 34, /* host, its first initiator, user */
    MANAGE_HOST_DELETE = 35,
    MANAGE_HOST_ADD = 36,    /* an initiator */
    MANAGE_HOST_REMOVE = 37, /* an initiator */
    MANAGE_HOST_USER = 38,   /* that it must prove to be; "": none */
    /* any group's */
    MANAGE_GROUP_MOVE = 64, /* planned takeover to `module` */
    MANAGE_DRIVE_FAIL = 65,
};

/* One struct for all verbs: fields that a verb does not name are zero. */
struct manage_request {
    uint8_t verb;
    char name[NAME_BYTES]; /* of the pool or volume */
    char pool[NAME_BYTES]; /* volume create: in which pool */
    uint8_t uuid[16]; /* of what is created: the asker makes it up, so that asking twice is one */
    uint8_t level, cache; /* enum raid_level, enum cache_mode */
    uint32_t chunk_bytes; /* 0: default */
    uint8_t drive_count;
    uint8_t drives[DRIVE_MAX];
    uint64_t bytes;       /* size of a volume */
    uint32_t block_bytes; /* 512 or 4096 */
    bool read_only;
    uint16_t lun, volume;
    uint8_t group, module, drive;
    char host[NAME_BYTES]; /* "" of a map: every initiator, while there are no hosts */
    char initiator[INITIATOR_BYTES];
    char user[SECRET_NAME_BYTES];
};

enum { MANAGE_REQUEST_BYTES_MAX = 1024 };
uint32_t manage_encode(const struct manage_request *request, uint8_t *out, uint32_t capacity);
bool manage_decode(const uint8_t *bytes, uint32_t length, struct manage_request *out);

#endif
