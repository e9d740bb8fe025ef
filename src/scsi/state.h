/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_STATE_H
#define SEGUE_SCSI_STATE_H

/* What a device server holds in memory. Only src/scsi includes this. The replicated part is struct
 * scsi_state: it changes by effects (effect.c), volumes coming and going, and loading (save.c). */

#include "base/must.h"
#include "base/mutant.h"
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
    SANITIZE_PATTERN_MAX = 4096,
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
    uint64_t session; /* of its sender; 0: saved by a release that did not keep it */
    uint64_t luns;    /* the directory's version that it knows of; of a later one it is told once */
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

/* What hosts may change in mode pages, current and saved. The numbers are in effects and saves. */
enum mode_bits {
    MODES_PROTECT = 1, /* SWP of the control page */
    MODES_PROTECT_SAVED = 2,
    MODES_DESCRIPTOR = 4, /* D_SENSE of the control page */
    MODES_DESCRIPTOR_SAVED = 8,
    MODES_THROUGH = 16, /* WCE=0 of the caching page, where the pool has a write cache */
    MODES_THROUGH_SAVED = 32,
    MODES_CURRENT = MODES_PROTECT | MODES_DESCRIPTOR | MODES_THROUGH,
    MODES_SAVED = MODES_CURRENT << 1,
    MODES_ALL = MODES_CURRENT | MODES_SAVED,
};

/* SANITIZE under way, or failed: sanitize.c. */
enum sanitize_flags {
    SANITIZE_ERASE = 1,
    SANITIZE_UNRESTRICTED = 2, /* AUSE: a failure may be left without another operation */
    SANITIZE_INVERT = 4,
    SANITIZE_FLAGS = 7,
};
struct scsi_sanitize {
    uint8_t state; /* enum scsi_sanitize_state */
    uint8_t flags, passes, pass;
    uint16_t pattern_length;
    uint64_t done; /* blocks of this pass */
    uint8_t pattern[SANITIZE_PATTERN_MAX];
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
    uint64_t reserved_session;
    uint8_t modes; /* enum mode_bits: what of the mode pages differs from their defaults */
    struct scsi_sanitize sanitize;
};

/* What lies beyond its ends is all zero, and nobody looks at it: no volume there is present. */
struct scsi_state {
    uint16_t nexuses_end, ports_end, volumes_end;
    uint8_t strangers; /* bit s: sender s may have nexuses that we have forgotten */
    uint32_t registrations;
    uint32_t sanitizing;           /* volumes that are RUNNING or ENDING */
    uint64_t nexus_key[NEXUS_MAX]; /* for the search: scsi_nexus_key(), or UINT64_MAX: of several
                                      sessions the same */
    struct scsi_nexus nexus[NEXUS_MAX];
    struct scsi_port port[PORT_MAX];
    uint16_t attention[NEXUS_MAX][VOLUME_MAX]; /* bit a: enum attention a is pending */
    struct volume_state volume[VOLUME_MAX];
};

/* For the log pages: what this unit has seen done since the last power on. Not of the replicated
 * state: at a takeover a command may be done twice, or in one unit only. */
enum count_kind { COUNT_READ, COUNT_WRITE, COUNT_VERIFY, COUNTS };
struct volume_counts {
    uint8_t uuid[16]; /* of the volume that was counted */
    struct {
        uint64_t commands, blocks, errors; /* that ended GOOD; with MEDIUM ERROR */
    } of[COUNTS];
};

/* What became of an EXTENDED COPY. As little of the replicated state as the counts above. */
enum { COPY_RESULTS_MAX = 64 };
struct copy_result {
    uint8_t status; /* 0: none */
    uint8_t sender, identifier;
    uint16_t segments;
    uint32_t nexus;
    uint64_t bytes;
};

struct scsi_server {
    uint8_t group;
    uint8_t switches;
    const struct directory *directory;
    struct trace *trace;
    uint8_t first_row[256]; /* of each operation code in the opcode table */
    bool present[VOLUME_MAX];
    struct volume_info info[VOLUME_MAX];
    struct volume_counts counts[VOLUME_MAX];
    struct copy_result copies[COPY_RESULTS_MAX];
    uint32_t copy_next;
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
static inline uint8_t modes_as_saved(uint8_t modes)
{
    return (uint8_t)((modes & MODES_SAVED) | (modes & MODES_SAVED) >> 1);
}
/* The volume's RESERVE(6) is over. */
static inline void scsi_release(struct volume_state *v)
{
    v->reserved_sender = SENDER_NONE;
    v->reserved_number = 0;
    v->reserved_session = 0;
}
/* Sets up an empty state, with so many volumes. */
void scsi_state_clear(struct scsi_state *state, uint16_t volumes);
void scsi_volume_clear(struct scsi_state *state, uint16_t index);
static inline void scsi_state_reach(uint16_t *end, uint32_t index)
{
    if (*end <= index)
        *end = (uint16_t)(index + 1);
}

#endif
