/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_COMMAND_DIRECTORY_H
#define SEGUE_COMMAND_DIRECTORY_H

/* The LUN directory: array-wide state, kept by the owner group under its protocol, copied to the
 * interface switches by version. It says which hosts there are, and which group and volume a LUN
 * is.
 *
 * While no host is defined, every initiator sees what is mapped to everybody (HOST_ALL). From the
 * first host on an initiator sees what is mapped to the host that has its name, and one that is no
 * host's sees nothing. */

#include "base/bytes.h"
#include "command/names.h"
#include "command/secret.h"

enum {
    HOST_ALL = 0,
    HOST_NOBODY = 0xFFFF, /* an initiator that no host has, where there are hosts */
    HOST_MAX = 128,
    INITIATOR_MAX = 256, /* names of all hosts */
    INITIATOR_BYTES = 224,
    MAP_MAX = 2 * LUN_MAX,
};

struct directory_entry {
    uint16_t host; /* HOST_ALL, or a host's id */
    uint16_t lun;
    uint8_t group;
    uint16_t volume;  /* the group's number */
    uint8_t uuid[16]; /* the volume's, so that a number used again is not mistaken for it */
    char name[NAME_BYTES];
};

struct directory_host {
    uint16_t id; /* never used again */
    char name[NAME_BYTES];
    char user[SECRET_NAME_BYTES]; /* that it must prove to be by CHAP; "": none */
};

struct directory_initiator {
    uint16_t host;
    char name[INITIATOR_BYTES]; /* iqn, eui or naa, in small letters */
};

struct directory {
    uint64_t version;
    uint32_t count;
    uint16_t hosts, initiators;
    uint16_t last_host; /* the id that was given last */
    struct directory_host host[HOST_MAX];
    struct directory_initiator initiator[INITIATOR_MAX];
    struct directory_entry at[MAP_MAX]; /* ascending (host, LUN) */
};

/* NULL: no volume is mapped to that host at that LUN. */
const struct directory_entry *directory_find(const struct directory *d, uint16_t host,
                                             uint16_t lun);
/* The maps of a host: from *first on, so many. */
uint32_t directory_maps(const struct directory *d, uint16_t host, uint32_t *first);
/* As which host an initiator sees the array: HOST_ALL, its host's id, or HOST_NOBODY. */
uint16_t directory_host_of(const struct directory *d, const char *initiator);
/* NULL: there is none. */
const struct directory_host *directory_host(const struct directory *d, uint16_t id);
const struct directory_host *directory_host_named(const struct directory *d, const char *name);

/* ---- changes ---- */

enum directory_verb {
    DIRECTORY_MAP = 1,
    DIRECTORY_UNMAP = 2,
    DIRECTORY_HOST_CREATE = 3, /* with its first initiator */
    DIRECTORY_HOST_DELETE = 4, /* and what is mapped to it */
    DIRECTORY_HOST_ADD = 5,    /* one more initiator */
    DIRECTORY_HOST_REMOVE = 6, /* one less */
    DIRECTORY_HOST_USER = 7,
};

/* Fields that a verb does not name are zero. */
struct directory_change {
    uint8_t verb;
    char host[NAME_BYTES]; /* by name; "" in a map: everybody */
    uint16_t lun, volume;
    uint8_t group;
    uint8_t uuid[16];
    char name[NAME_BYTES]; /* of the volume */
    char initiator[INITIATOR_BYTES];
    char user[SECRET_NAME_BYTES];
};

enum { DIRECTORY_CHANGE_BYTES = 1024 };

/* NULL: it may be applied. Else why not, and what to do. */
const char *directory_refuses(const struct directory *d, const struct directory_change *change);
/* Applying what is done already changes nothing but the version. */
void directory_apply(struct directory *d, const struct directory_change *change);
/* Returns bytes written. */
uint32_t directory_change_encode(const struct directory_change *change, uint8_t *out,
                                 uint32_t capacity);
bool directory_change_decode(const uint8_t *bytes, uint32_t length, struct directory_change *out);

/* ---- as bytes ---- */

uint32_t directory_bytes(const struct directory *d);
/* Returns bytes written; the buffer must hold directory_bytes(d). */
uint32_t directory_encode(const struct directory *d, uint8_t *out, uint32_t capacity);
/* Also of the first format, which had no hosts. */
bool directory_decode(const uint8_t *bytes, uint32_t length, struct directory *out);

/* SAM-5 4.7: LUN field of 8 bytes, peripheral (below 256) or flat addressing. -1: neither. */
int lun_number(uint64_t lun);
uint64_t lun_field(uint16_t number);

#endif
