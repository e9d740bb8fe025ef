/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_CLIENT_H
#define SEGUE_SIM_CLIENT_H

/* What the hosts of the simulated world do: operations, each one command sent once by one path (an
 * interface switch) and ended by one answer, or by the loss of the path. Sending again is the
 * business of whoever plays the host (story, workload). Two kinds of paths carry them: a submitter
 * (the sending half of a switch alone) and a real interface switch with iSCSI. */

#include "sim/world.h"

enum op_kind {
    OP_READ,
    OP_WRITE,
    OP_COMPARE_WRITE,
    OP_FILL,   /* WRITE SAME of one stamped block */
    OP_UNMAP,  /* UNMAP of some ranges, or WRITE SAME of zeroes (then one) */
    OP_VERIFY, /* with data: BYTCHK */
    OP_FLUSH,
    OP_CDB,    /* any other command: cdb, data */
    OP_TASK,   /* task management: `task`, about the operation `target` */
    OP_MANAGE, /* a management request, through a manager */
};

enum op_state {
    OP_STATE_WAITING,
    OP_STATE_ANSWERED, /* status and sense are the answer */
    OP_STATE_LOST,     /* the path died first: it may have been done, be done later, or never */
};

enum { BLOCK_BYTES = 512, OP_RANGES = 6 };

struct op_range {
    uint64_t lba;
    uint32_t blocks;
};

/* Addresses and lengths count 512 bytes, also on volumes of larger blocks: op_scale. */
struct op {
    uint32_t ticket; /* from 1 */
    enum op_kind kind;
    enum op_state state;
    uint8_t host, path;
    uint8_t group; /* of the volume */
    uint16_t volume, lun;
    uint64_t lba;
    uint32_t blocks;
    struct op_range range[OP_RANGES]; /* UNMAP: instead of these */
    uint8_t ranges;
    bool fua, atomic;
    uint8_t cdb[16];
    uint64_t stamp; /* what a write writes, all blocks */
    uint8_t task;
    uint32_t target; /* ticket */
    uint8_t *out;    /* data to the array, owned by the operation */
    uint32_t out_length;
    uint8_t *in; /* ... and from it: in_room bytes */
    uint32_t in_room, in_length;
    uint64_t begun_ns, ended_ns; /* world time */
    bool abandoned;              /* the host has left: it answers no ping for this one */
    /* the answer */
    uint8_t status, task_response, sense_key, asc, ascq;
    bool withdrawn;    /* it never ran */
    uint64_t sequence; /* as the switch stamped it */
    /* LOST, or left by its host: what it has not done by then it never does (world time;
     * UINT64_MAX: who knows) */
    uint64_t not_after_ns;
    uint32_t round; /* of the volume's reservations, when it began: reservations.c */
};

#define TICKET_LEAVE \
    ((uint64_t)1 << 63) /* and a host: what a submitter is handed by clients_leave */

struct clients;

struct clients *clients_new(struct world *world);
void clients_free(struct clients *clients);
/* Told once of each operation that ends; set once. */
void clients_on_end(struct clients *clients, void (*ended)(void *context, struct op *op),
                    void *context);
/* Told of each whose host leaves its path while it is under way; its answer may still come. */
void clients_on_leave(struct clients *clients, void (*left)(void *context, struct op *op),
                      void *context);
/* Told of each that begins. */
void clients_on_begin(struct clients *clients, void (*begun)(void *context, struct op *op),
                      void *context);
/* Alarms that somebody set with HAPPENING_ALARM, `what` below 2^32, come here; set once. */
void clients_on_alarm(struct clients *clients, void (*alarm)(void *context, uint64_t what),
                      void *context);
/* How a host's path takes operations: a part with `take` (a submitter), or a host with iSCSI. */
void clients_path(struct clients *clients, uint8_t path, struct part *part);
struct host;
void clients_host(struct clients *clients, uint8_t host, uint8_t path, struct host *iscsi);

/* A new operation of that kind with a CDB and data: the caller then begins it. */
struct op *op_read(struct clients *clients, uint64_t lba, uint32_t blocks);
struct op *op_write(struct clients *clients, uint64_t lba, uint32_t blocks, bool fua);
/* WRITE ATOMIC: what is answered is durable; all of it is there, or nothing. */
struct op *op_write_atomic(struct clients *clients, uint64_t lba, uint32_t blocks);
struct op *op_compare_write(struct clients *clients, uint64_t lba, uint64_t expected_stamp);
struct op *op_compare_write_blocks(struct clients *clients, uint64_t lba, uint32_t blocks,
                                   const uint64_t *expected_stamps);
struct op *op_unmap(struct clients *clients, const struct op_range *range, uint8_t ranges);
struct op *op_zero(struct clients *clients, uint64_t lba, uint32_t blocks); /* WRITE SAME, NDOB */
/* Does the medium hold these stamps? */
struct op *op_verify(struct clients *clients, uint64_t lba, uint32_t blocks,
                     const uint64_t *expected_stamps);
struct op *op_fill(struct clients *clients, uint64_t lba, uint32_t blocks);
struct op *op_flush(struct clients *clients);
struct op *op_cdb(struct clients *clients, const uint8_t *cdb, const uint8_t *out,
                  uint32_t out_length, uint32_t in_room);
struct op *op_task(struct clients *clients, uint8_t task, const struct op *target);
struct op *op_manage(struct clients *clients, const uint8_t *request, uint32_t length);
/* For a volume whose blocks are `scale` times 512 bytes: everything must be a multiple of that. */
void op_scale(struct op *op, uint32_t scale);
/* From now on it is on its way by op->path. */
void op_begin(struct clients *clients, struct op *op);

struct op *op_of(struct clients *clients, uint64_t ticket); /* NULL: none */
uint32_t clients_count(const struct clients *clients);      /* tickets 1 .. count */
/* By whoever carries it. */
void op_answer(struct clients *clients, struct op *op, uint8_t status, const uint8_t *sense,
               uint32_t sense_length, const uint8_t *in, uint32_t in_length);
void op_lose(struct clients *clients, struct op *op);
/* The same for one that was aborted and answered so: if it has not run, it never will. */
void op_aborted(struct clients *clients, struct op *op);
/* The host gives the path up: it answers nothing there any more, and closes its session. What is
 * under way there may still be done, within the stale limit, and answered; with iSCSI it is lost.
 */
void clients_leave(struct clients *clients, uint8_t host, uint8_t path);
/* The path's process has died: what it carries is lost. */
void clients_path_down(struct clients *clients, uint8_t path);

/* ---- blocks that tell who wrote them ---- */

enum { STAMP_ZERO = 0, STAMP_ANY_LBA = -1 };
#define STAMP_TORN UINT64_MAX /* not one write's block */

#define STAMP_FILL ((uint64_t)1 << 62) /* in the stamp of a WRITE SAME */

/* A stamp of a WRITE SAME stamps every lba alike. */
void op_stamp_block(uint8_t *block, uint64_t stamp, uint64_t lba);
/* Whose write this block is: STAMP_ZERO never written or unmapped, STAMP_TORN none's, or of another
 * lba. */
uint64_t op_block_stamp(const uint8_t *block, uint64_t lba);

#endif
