/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_REDO_H
#define SEGUE_ARRAY_REDO_H

/* Redo records: blocks of a pool that change all together or not at all, even when everything loses
 * power. A record holds the places and their new data, on drives of the pool:
 *
 *   redo_begin()      a slot is taken; the record is written, durably, to its home drives
 *   told: held        the owner writes the blocks, with FUA, in any order, by as many commands as
 * it likes; not before redo_end()        all of these writes have ended, well or not: the record is
 * made invalid, durably told: over        only now may the owner answer, and anything else write
 * these blocks
 *
 * When a reign begins with a valid record on a GOOD drive, its blocks are written once more before
 * anything of the pool is read or written for a host. Records of the kind REDO_DRIVES are played
 * first, to the drives and offsets that they name, before anything is resynchronised: for data and
 * parity of a stripe. Those of REDO_DATA are played through the pool's RAID level, when what is in
 * doubt there has been resynchronised: for a host's write of many pieces.
 *
 * The owner is told by a function of its own: a new kind of owner is a line in enum redo_owner and
 * in tell() of redo.c. An io uses the first REDO_IO_SLOTS slots, whatever is inside an io (a part)
 * the others: an io that holds a record may then wait for records of its parts. */

#include "array/engine.h"

enum { REDO_IO_SLOTS = 2 };

struct redo_write {
    struct redo_place place; /* its crc is filled in */
    struct slice data;       /* of that length; borrowed until redo_begin() returns */
};

struct redo_work {
    enum redo_owner owner;
    struct array_io *io;
    enum redo_kind kind;
    /* The record goes to `homes` drives that take part, from that position on, round the pool. As
     * many as a set may lose, and one more. */
    uint8_t home, homes;
    const struct redo_write *write;
    uint32_t writes; /* at most REDO_PLACES_MAX, of REDO_BYTES_MAX together */
};

/* The slot; -1: not now (no slot, buffer or drive is free). The caller is told to look again by
 * array->again, and by the next pump. */
int redo_begin(struct array *array, struct pool *pool, const struct redo_work *work);
/* May be called while the record is being written, too: then it is not told as held. */
void redo_end(struct array *array, struct pool *pool, uint32_t slot);

/* Does nothing of earlier reigns stand in the way of host I/O, of resynchronisation? */
bool redo_open(const struct pool *pool);
bool redo_resync_open(const struct pool *pool);

/* The heads of the drive were read, as bytes; they cannot be read. */
void redo_heads_found(struct array *array, int drive, const uint8_t *head);
void redo_heads_unreadable(struct array *array, int drive);
/* The drive is STALE: what it holds is made invalid, whatever it is. */
void redo_distrust(struct array *array, int drive);
/* It has been. */
static inline bool redo_is_clean(const struct pool *pool, const struct drive *drive)
{
    return !pool->info.redo || drive->redo_clean;
}
/* FAILED, or not known any more. */
void redo_drive_forget(struct drive *drive);

/* Its drives were labelled just now: they hold none. */
void redo_born(struct array *array, struct pool *pool);
void redo_reset(struct pool *pool);
void redo_pool_dropped(struct array *array, uint8_t index);

/* An io that plays a record is over. */
void redo_played(struct array *array, struct array_io *io);
void redo_leg_ended(struct array *array, struct leg *leg);
void redo_pump(struct array *array, struct pool *pool);

#endif
