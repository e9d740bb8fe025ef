/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_INITIATOR_H
#define SEGUE_PROGRAMS_INITIATOR_H

/* One iSCSI session of a host to one logical unit through one portal, over libiscsi's asynchronous
 * calls. It never waits: its user polls its socket. It connects again by itself when the
 * connection dies, pings the target when nothing has come for a while, as Linux does, and drops a
 * connection that does not answer. Commands that were under way then come back as LOST: what
 * becomes of them is the user's business (multipath). */

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

#include "base/list.h"

enum initiator_state {
    INITIATOR_STATE_DOWN, /* tries again at retry_ns */
    INITIATOR_STATE_CONNECTING,
    INITIATOR_STATE_LOGIN,
    INITIATOR_STATE_ASKING, /* TEST UNIT READY, READ CAPACITY */
    INITIATOR_STATE_UP,
};

enum initiator_op { INITIATOR_READ, INITIATOR_WRITE, INITIATOR_FLUSH };

enum initiator_result {
    INITIATOR_GOOD,
    INITIATOR_LOST,      /* the connection died: the outcome is not known */
    INITIATOR_ATTENTION, /* UNIT ATTENTION: not run, ask again */
    INITIATOR_BUSY,      /* BUSY or TASK SET FULL: not run, ask again later */
    INITIATOR_ABORTED,   /* ABORTED COMMAND or TASK ABORTED: the outcome is not known, ask again */
    INITIATOR_FAILED,    /* anything else */
};

struct initiator_command {
    enum initiator_op op;
    uint64_t lba; /* in the unit's own blocks */
    uint32_t blocks;
    uint8_t *data; /* leave alone until the command is back */
    void *user;
    enum initiator_result result;
    uint8_t status, sense_key;
    uint16_t asc_ascq;
    uint64_t sent_ns, done_ns;
    /* the initiator's own */
    struct list link;
    struct initiator *owner;
    struct scsi_task *task;
    struct scsi_iovec vector;
};

enum { INITIATOR_NAME = 224, INITIATOR_PORTAL = 64, INITIATOR_WHY = 160 };

struct initiator {
    char name[INITIATOR_NAME], target[INITIATOR_NAME], portal[INITIATOR_PORTAL];
    int lun;
    uint32_t isid; /* the same for every life of the session, as hosts do */
    bool digests;
    enum initiator_state state;
    uint64_t blocks; /* of the logical unit, once it was UP */
    uint32_t block_bytes;
    uint32_t running; /* commands */
    uint32_t connects, drops, ping_drops;
    char why[INITIATOR_WHY]; /* of the last drop */
    /* its own */
    struct iscsi_context *iscsi;
    bool broken, dropping, polled;
    uint32_t attentions; /* while ASKING */
    uint64_t now_ns, retry_ns, begun_ns, heard_ns, ping_ns;
    struct list sent, done;
};

/* `number` tells sessions of one host apart. It begins to connect with the first step. */
void initiator_init(struct initiator *x, const char *name, const char *portal, const char *target,
                    int lun, uint32_t number);
/* Logs out if it is up, and frees everything. Commands under way come back as LOST. */
void initiator_close(struct initiator *x);
/* Connects, pings and gives up as the time demands. Call it at least every 50 ms. */
void initiator_step(struct initiator *x, uint64_t now_ns);
/* Fills the entry (fd -1: nothing to poll now). */
void initiator_poll(const struct initiator *x, struct pollfd *entry);
void initiator_event(struct initiator *x, short revents, uint64_t now_ns);
/* False: it is not up. Nothing leaves before initiator_push() or the next event. */
bool initiator_submit(struct initiator *x, struct initiator_command *command, uint64_t now_ns);
void initiator_push(struct initiator *x, uint64_t now_ns);
/* A command that has come back, or NULL. */
struct initiator_command *initiator_next_done(struct initiator *x);
void initiator_drop(struct initiator *x, const char *why);

const char *initiator_result_name(enum initiator_result result);

#endif
