/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_UNIT_ENTRY_H
#define SEGUE_UNIT_ENTRY_H

/* Entries of the primary's numbered sequence: all that it tells its members, the same to each. A
 * secondary's state is a function of the prefix that it has. A snapshot (the whole state, for a
 * member that begins) is told in the same entries, outside the numbering. */

#include "base/bytes.h"
#include "command/message.h"

enum entry_kind {
    ENTRY_READY = 1, /* the command of this id has this order */
    ENTRY_RESOLVED,  /* its outcome and effect are decided */
    ENTRY_DONE,      /* it is answered; a write's data that is not on the drives is dirty */
    ENTRY_CLEAN,     /* that very write is on the drives */
    ENTRY_CONFIRM,   /* the sender has all responses of its session up to this sequence */
    ENTRY_SESSION,   /* the sender's session is this one: earlier ones are dead */
    ENTRY_DEAD,      /* the sender's sessions up to this one are dead */
    ENTRY_EPOCH,     /* the reign goes on under this record */
    /* in snapshots only */
    ENTRY_STATE,  /* a piece of the state blob */
    ENTRY_SYNCED, /* the end: the state is that of the sequence up to `index` */
    /* and again in the sequence */
    ENTRY_EFFECT, /* an effect that comes of no command: how far a SANITIZE is */
    ENTRY_KINDS,
};

enum { ENTRY_DATA_MAX = 16384, ENTRY_BYTES_MAX = ENTRY_DATA_MAX + 256 };

struct entry {
    uint8_t kind; /* enum entry_kind */
    struct command_id id;
    uint64_t order;
    bool withdrawn; /* READY: it shall not run */
    bool dirty;     /* DONE: its data is in the mirror */
    bool confirmed; /* DONE, in a snapshot: only its data matters, its response is confirmed */
    bool applied;   /* RESOLVED, in a snapshot: the state has its effect already */
    bool doubt;     /* RESOLVED, DONE, SYNCED: copies of some blocks may differ by now */
    uint8_t status, task_response, sense_length;
    uint8_t sense[SENSE_MAX];
    uint32_t transferred;
    uint64_t sequence;                   /* CONFIRM */
    uint64_t session;                    /* SESSION, DEAD */
    uint64_t index;                      /* SYNCED */
    uint64_t next_order;                 /* SYNCED */
    uint32_t data_length, effect_length; /* RESOLVED: response data, effect; STATE: data; EFFECT */
    const uint8_t *data, *effect;        /* borrowed from what was decoded */
    struct record record;                /* EPOCH */
};

/* Appends; false: it does not fit (the cursor is as before). */
bool entry_put(struct cursor *c, const struct entry *entry);
/* The next entry; false: malformed, or an unknown kind. */
bool entry_get(struct cursor *c, struct entry *out);

#endif
