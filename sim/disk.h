/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_DISK_H
#define SEGUE_SIM_DISK_H

/* The drives behind the loop switches, in memory. Each has a volatile cache: what was written and
 * not flushed survives the death of its loop switch's process, as the page cache does, but in a
 * power cut any subset of it is lost. An operation that is under way when the process dies happens,
 * does not happen, or is torn between two blocks. Also the durable state of the loop switch itself.
 */

#include "sim/world.h"

struct disks;

struct disks *disks_new(struct world *world);
void disks_free(struct disks *disks);
void disks_happened(struct disks *disks, uint64_t what);
void disks_act(struct disks *disks, struct part *part, const struct action *action);
void disks_process_down(struct disks *disks, int process);
void disks_power_cut(struct disks *disks);

/* A drive of that loop switch, all zero. Its handle is its number over the array. */
void disk_add(struct world *world, int process, int number, uint64_t bytes);
uint64_t disk_size(struct world *world, int number);
/* What a read would give now. */
const uint8_t *disk_bytes(struct world *world, int number);
/* False: nothing there was ever written, and all of it is zero. */
bool disk_touched(struct world *world, int number, uint64_t offset, uint32_t length);

/* ---- faults ---- */

/* Loses any subset, by blocks of 512 bytes, of what was written since its last flush. */
void disk_power_cut(struct world *world, int number);

/* Nothing is answered any more; when it ends, what waits is carried out. */
void disk_hang(struct world *world, int number, bool hangs);
/* The next operation alone takes so long. */
void disk_delay_next(struct world *world, int number, enum drive_op op, uint64_t for_ns);
void disk_slow(struct world *world, int number, uint64_t more_ns);
/* Every read, every write fails. */
void disk_fail(struct world *world, int number, bool reads, bool writes);
/* The next operation or store that is asked, of whichever drive, takes so much longer, or fails: a
 * write may then be there in part, a store after all. */
void disk_next(struct world *world, bool fails, uint64_t more_ns);
/* That block of 512 bytes cannot be read until somebody writes it; a few of a drive at a time. */
void disk_spoil(struct world *world, int number, uint64_t offset);
void disk_unspoil(struct world *world, int number);
/* Another drive, a new one, is in its place; two drives of a tray have changed places. Their loop
 * switch must be dead: it finds them when it starts. */
void disk_blank(struct world *world, int number);
void disk_swap(struct world *world, int a, int b);
/* World time at which the last operation that is under way in that loop switch ends. */
uint64_t disk_late_ns(struct world *world, int process);
/* Since when it has answered as it should; UINT64_MAX: it does not. */
uint64_t disk_sound_since(struct world *world, int number);
/* Vanished: DRIVE_GONE. */
void disk_remove(struct world *world, int number, bool gone);

/* An operation that a drive has not yet ended. */
struct disk_pending {
    int number;
    enum drive_op op;
    uint64_t offset;
    uint32_t length;
    uint64_t tag; /* of ACTION_DRIVE */
};
bool disk_pending(struct world *world, uint32_t i, struct disk_pending *out);

#endif
