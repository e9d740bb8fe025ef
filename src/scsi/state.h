/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_STATE_H
#define SEGUE_SCSI_STATE_H

/* What a device server holds in memory. Only src/scsi includes this. The replicated part is struct
 * scsi_state: it changes by effects (effect.c), volumes coming and going, and loading (save.c). */

#include "base/must.h"
#include "scsi/server.h"

enum {
    NEXUS_MAX = 128,
    PORT_MAX = 512, /* initiator ports known: of nexuses and of registrations */
    PORT_REGISTERED_MAX = PORT_MAX - NEXUS_MAX, /* so that a nexus always finds a port */
    PORT_NAME_MAX = 255,
    PORT_NONE = 0xFFFF,
    REGISTRATION_MAX = 64,     /* of one volume */
    REGISTRATION_TOTAL = 8192, /* of all */
    SENDER_NONE = 0xFF,
};

/* An initiator port, by name; free when nothing refers to it. */
struct scsi_port {
    uint16_t nexuses, registrations; /* that refer to it */
    uint8_t length;
    char name[PORT_NAME_MAX + 1];
};

struct scsi_nexus {
    bool open;
    uint8_t sender;
    uint16_t port; /* PORT_NONE: opened by its first command after a cold start */
    uint32_t number;
};

struct registration {
    uint64_t key;
    uint16_t port;
    uint8_t sender; /* the target port */
    bool holder;    /* of a reservation of a type with one holder */
};

enum persistent_type { /* SPC-4 6.15.4.3 */
                       PERSISTENT_TYPE_NONE = 0,
                       PERSISTENT_TYPE_WRITE_EXCLUSIVE = 1,
                       PERSISTENT_TYPE_EXCLUSIVE_ACCESS = 3,
                       PERSISTENT_TYPE_WRITE_EXCLUSIVE_REGISTRANTS = 5,
                       PERSISTENT_TYPE_EXCLUSIVE_ACCESS_REGISTRANTS = 6,
                       PERSISTENT_TYPE_WRITE_EXCLUSIVE_ALL = 7,
                       PERSISTENT_TYPE_EXCLUSIVE_ACCESS_ALL = 8,
};

struct volume_state {
    /* persistent reservations */
    uint32_t generation;
    bool aptpl;    /* they outlive a power loss */
    uint8_t type;  /* enum persistent_type; NONE: no reservation */
    uint8_t count; /* of registrations, in the order in which they came */
    struct registration registration[REGISTRATION_MAX];
    /* RESERVE(6) */
    uint8_t reserved_sender; /* SENDER_NONE: nobody */
    uint32_t reserved_number;
    /* mode pages */
    bool protect, protect_saved; /* SWP of the control page */
};

struct scsi_state {
    uint8_t strangers; /* bit s: sender s may have nexuses that we have forgotten */
    uint32_t registrations;
    uint64_t nexus_key[NEXUS_MAX]; /* for the search: scsi_nexus_key(), or UINT64_MAX */
    struct scsi_nexus nexus[NEXUS_MAX];
    struct scsi_port port[PORT_MAX];
    uint16_t attention[NEXUS_MAX][VOLUME_MAX]; /* bit a: enum attention a is pending */
    struct volume_state volume[VOLUME_MAX];
};

struct scsi_server {
    uint8_t group;
    uint8_t switches;
    const struct directory *directory;
    struct trace *trace;
    uint8_t first_row[256]; /* of each operation code in the opcode table */
    bool present[VOLUME_MAX];
    struct volume_info info[VOLUME_MAX];
    struct scsi_state *state;
    struct scsi_state *spare; /* where scsi_load builds the next one */
};

/* One command while it is planned. */
struct scsi_request {
    const struct scsi_server *server;
    const struct command_message *command;
    const struct opcode *opcode;
    const struct volume_info *info;    /* NULL: no volume is mapped there */
    const struct volume_state *volume; /* NULL with it */
    int nexus;                         /* -1: not open */
    const uint8_t *data;               /* data out */
    uint32_t data_length;
    uint64_t lba, blocks; /* of a command with a range: checked against the volume */
};

static inline uint64_t scsi_nexus_key(uint8_t sender, uint32_t number)
{
    return (uint64_t)sender << 32 | number;
}
/* Sets up an empty state. */
void scsi_state_clear(struct scsi_state *state);
void scsi_volume_clear(struct scsi_state *state, uint16_t index);

#endif
