/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_ARRAY_H
#define SEGUE_ARRAY_ARRAY_H

/* The RAID engine of one array controller unit: the pools and volumes of its group, reads and
 * writes over mirrored drives, the write-intent map, resynchronisation, the drive metadata. Pure:
 * what it wants of drives leaves as MESSAGE_DRIVE_COMMAND actions, answers come in by
 * array_drive_answer().
 *
 * It runs drive work only between array_begin() and array_halt(): in the primary, after its fence.
 * Configuration (pools, volumes) is state: it is in every member, changed by array_apply() alone.
 *
 * What it must never do: complete a write without a drive that should have taken part before
 * array_drive_state() has said that this drive FAILED; clear a bit of the write-intent map before
 * the drives are flushed; read a drive that is not GOOD.
 */

#include "base/list.h"
#include "base/trace.h"
#include "command/actor.h"
#include "command/inventory.h"
#include "command/volume.h"

struct array;

struct array *array_new(uint8_t group, port_id self, struct buffer_pool *buffers,
                        const struct limits *limits, struct trace *trace);
void array_free(struct array *array);

/* ---- configuration: the same on every member ---- */

enum cache_mode { CACHE_WRITE_THROUGH, CACHE_MIRRORED };
enum raid_level { RAID_0, RAID_1, RAID_10, RAID_5, RAID_6 };

struct pool_info {
    uint8_t index;
    uint8_t uuid[16];
    char name[NAME_BYTES];
    enum raid_level level;
    enum cache_mode cache;
    uint32_t chunk_bytes;
    bool redo; /* keeps redo records: writes can be atomic */
    uint8_t drive_count;
    uint8_t drives[DRIVE_MAX]; /* numbers over the array, in order of the layout: RAID 10 mirrors
                                  2i and 2i+1 */
    uint64_t size_bytes, used_bytes; /* of data */
};

void array_clear(struct array *array); /* no pools, no volumes */
const struct pool_info *array_pool(const struct array *array, uint8_t index);      /* NULL: none */
const struct volume_info *array_volume(const struct array *array, uint16_t index); /* NULL: none */
const struct pool_info *array_volume_pool(const struct array *array, uint16_t index);
uint32_t array_save(const struct array *array, uint8_t *out, uint32_t capacity); /* as scsi_save */
/* The same for a start from the drives alone, when nobody knows of a change that is half done:
 * without new volumes whose zeroes are not on the drives. */
uint32_t array_save_finished(const struct array *array, uint8_t *out, uint32_t capacity);
bool array_load(struct array *array, const uint8_t *bytes, uint32_t length);

/* A management request (array/manage.h): checks it against the configuration and the inventory and
 * makes the effect, or a sentence that says what is wrong and what to do. True: effect. */
bool array_plan(const struct array *array, const uint8_t *request, uint32_t length, uint8_t *effect,
                uint32_t *effect_length, char *sentence, uint32_t sentence_bytes);
/* The line for the asker: "volume=3", "pool=0". False: not an effect that we know. */
bool array_effect_text(const uint8_t *effect, uint32_t length, char *out, uint32_t bytes);
/* Every member, once it is RESOLVED. False: not an effect that we know. */
bool array_apply(struct array *array, const uint8_t *effect, uint32_t length);
/* The primary, after array_apply: what the effect asks of drives (assign, zero, superblocks). Ends
 * with ARRAY_NOTICE_CARRIED of that cookie. Carrying out twice is harmless: host I/O to what a
 * volume has gained waits, and no later effect is carried out, until array_carry_end(). */
void array_carry_out(struct array *array, const uint8_t *effect, uint32_t length, uint64_t cookie);
/* It will be carried out in this reign: host I/O that must wait for that waits from now on. For
 * effects of earlier reigns, before any I/O. */
void array_carry_soon(struct array *array, const uint8_t *effect, uint32_t length);
/* It will never be carried out again, by whoever leads: its DONE stands in the sequence, before
 * anything that can come of what may go on now. */
void array_carry_end(struct array *array, const uint8_t *effect, uint32_t length, uint64_t cookie);

/* ---- drives ---- */

/* A loop switch took our login: its drives as they are now (replaces what was known of it). Drive
 * commands that were under way to it are sent again under the new login. */
void array_loop_up(struct array *array, int loop, uint64_t login, const struct drive_info *drives,
                   int count);
/* It signals that the drives in these slots are on line: some may not have been at the login. */
void array_loop_on_line(struct array *array, int loop, uint32_t slots);
void array_loop_down(struct array *array, int loop, bool gone);
/* A drive's state as the control record has it. FAILED: goes on without it. STALE: write to it,
 * resynchronise it by the write-intent map, then ARRAY_NOTICE_SYNCED. */
void array_drive_state(struct array *array, int drive, enum drive_state state);
/* Its loop switch has begun a new life: what the drive had not flushed may be lost. True: it is to
 * be FAILED in the record, and comes back at once, to be resynchronised. */
bool array_drive_reborn(struct array *array, int drive);
/* A fence did not drain it: it is no good until it is tried again. False: its pool cannot do
 * without it. */
bool array_drive_undrained(struct array *array, int drive);
/* ... and where it is not, since no other has its data: could acknowledged data be among it? */
bool array_drive_lacks(const struct array *array, int drive);
enum drive_state array_drive_state_now(const struct array *array, int drive);
/* Bit s of out[l]: the drive in slot s of loop switch l is one of our bank and reached. */
void array_reach(const struct array *array, uint32_t out[LOOP_MAX]);
/* Enough drives are reached for every pool to serve? */
bool array_can_serve(const struct array *array);
/* The same by the loop switches of these bits alone. */
bool array_can_serve_by(const struct array *array, uint32_t loops);
/* Could every pool serve from the other good drives that are reached? Asked before a drive is
 * failed for another reason than ARRAY_NOTICE_BAD (by a person). */
bool array_can_fail(const struct array *array, int drive);
/* ... and without those, too, that these states (by drive) say are FAILED? */
bool array_can_fail_beside(const struct array *array, int drive, const uint8_t *states);
bool array_drive_known(const struct array *array, int drive, struct drive_info *out);

/* ---- running ---- */

/* From now on drive work may be done, under this epoch. The maps of the pools are read first
 * (in_doubt: and every region that they name is resynchronised before it is answered for: cold
 * start and claims by units that did not hold the queue; else the caller writes what is in doubt
 * anew). I/O submitted meanwhile waits. ARRAY_NOTICE_BEGUN when the maps are in. */
void array_begin(struct array *array, uint64_t epoch, bool in_doubt);
/* The same reign goes on in a new epoch: later drive commands carry it. */
void array_epoch(struct array *array, uint64_t epoch);
/* Copies of some blocks may differ: a write has failed, or the reign began so. Not any more when
 * they have been made equal. */
bool array_in_doubt(const struct array *array);
/* Everything that was unfinished or unclean when the reign began has been written anew: regions
 * that the maps named at the beginning may be forgotten. Until then they are not, however long that
 * takes. May be said again. */
void array_settled(struct array *array);
/* Drops everything under way; completes nothing (the memory of every io must still be there); late
 * answers are ignored. */
void array_halt(struct array *array);

/* UNMAP: reads as zeroes from then on; what lies whole in the range holds no blocks any more. */
enum array_op { ARRAY_READ, ARRAY_WRITE, ARRAY_FILL, ARRAY_UNMAP, ARRAY_FLUSH };

enum { ARRAY_ATOMIC_MAX = 1 << 20 };

/* One read, write, fill, unmapping or flush of a volume. The caller owns the memory, sets the upper
 * part, and leaves it alone until it comes back by array_next_done(). Overlap with others is the
 * caller's business: two that overlap are never submitted together, unless both read. */
struct array_io {
    enum array_op op;
    uint16_t volume;
    bool fua;    /* write, fill: on the drives, flushed */
    bool atomic; /* write, with fua: all or nothing, whatever power cut comes; up to
                    ARRAY_ATOMIC_MAX bytes, in a pool that keeps redo records */
    uint64_t lba;
    uint64_t blocks;
    struct slice data; /* write: holds it (borrowed); fill: pattern of one block, or none: zeroes.
                          read: NULL buffer: the engine makes it and the caller drops it */
    uint64_t cookie;   /* the caller's */
    bool failed;       /* result: too few drives, or nothing readable there (MEDIUM ERROR) */
    bool no_space;     /* result: no buffer to be had: try again later */
    /* the engine's */
    struct list link;
    uint8_t phase;
    bool internal; /* empties a new volume, or `raw`: ends in the engine */
    bool raw;      /* lba and blocks are bytes of that pool's data */
    uint8_t pool;
    bool orphan;       /* its volume was deleted under it */
    uint16_t run, set; /* where the next piece begins: which extent; fill: which mirror set, ... */
    uint32_t pending;  /* pieces under way */
    uint64_t at, within; /* bytes cut into pieces so far; fill: ... and how far in that set */
    uint8_t record;      /* atomic: its redo record, enum io_record */
    uint8_t record_slot;
    uint64_t begun_ns;
};

void array_submit(struct array *array, struct array_io *io);
/* How many blocks from there on, to the volume's end at most, are all mapped, or all not (they read
 * as zeroes, but for what the caller still holds of them). The map must be known: after any io,
 * a read of no blocks too. */
uint64_t array_mapped(const struct array *array, uint16_t volume, uint64_t lba, bool *mapped);
/* One that has ended, or NULL. */
struct array_io *array_next_done(struct array *array);

enum array_notice_kind {
    ARRAY_NOTICE_BEGUN,
    ARRAY_NOTICE_CARRIED,  /* cookie; failed. array_carry_end() is waited for */
    ARRAY_NOTICE_STORED,   /* cookie; failed: no drive took it */
    ARRAY_NOTICE_LOADED,   /* array_read_state: array_loaded_state() has it; failed: none found */
    ARRAY_NOTICE_BAD,      /* drive: I/O waits until the record says FAILED */
    ARRAY_NOTICE_RETURNED, /* drive, FAILED in the record, is reached again: fence, then STALE */
    ARRAY_NOTICE_SYNCED,   /* drive, STALE, has all data again: GOOD. These three are said again
                              while the record does not follow */
    ARRAY_NOTICE_REFUSED,  /* a loop switch holds a fence above our epoch: `epoch` */
    ARRAY_NOTICE_CLEAN,    /* array_quiesce: flushed, maps empty on the drives */
};

struct array_notice {
    enum array_notice_kind kind;
    uint8_t drive;
    bool failed;
    uint64_t cookie, epoch;
};

bool array_next_notice(struct array *array, struct array_notice *out);

/* The unit's replicated state as a blob on every good drive of the bank (two slots, generations,
 * checksum; FUA). The bytes are copied. Up to ARRAY_STATE_MAX. */
enum { ARRAY_STATE_MAX = 1 << 20 };
void array_store_state(struct array *array, const uint8_t *bytes, uint32_t length,
                       uint64_t generation, uint64_t cookie);
/* Reads the newest valid one from the drives that the inventory says are of our bank. Needs a fence
 * but no array_begin and no configuration (a cold start knows nothing yet). */
void array_read_state(struct array *array, uint64_t epoch);
const uint8_t *array_loaded_state(const struct array *array, uint32_t *length,
                                  uint64_t *generation);

/* Stopping in order: flush all, empty the maps. New writes end it without a notice. */
void array_quiesce(struct array *array);

void array_drive_answer(struct array *array, const struct message *message);
void array_assign_answer(struct array *array, const struct message *message);
/* We ourselves were stopped for so long: that time counts against no drive. */
void array_late(struct array *array, uint64_t late_ns);
/* Time-outs, retries, lazy clearing, resynchronisation; sends what waits. Call after every event.
 */
void array_pump(struct array *array, uint64_t now_ns, struct actions *actions);
uint64_t array_wake_ns(const struct array *array);
/* A drive that the oldest I/O waits for, 0xFF none. */
uint8_t array_waiting_drive(const struct array *array);

struct array_status {
    uint32_t regions_set, regions_in_doubt; /* of the write-intent maps */
    uint32_t drive_commands;                /* under way */
    uint64_t read_bytes, written_bytes;
    uint64_t resync_left_bytes;
};
void array_describe(const struct array *array, struct array_status *out);
void array_check(const struct array *array);     /* costs little */
void array_check_all(const struct array *array); /* also every drive and its legs */

#endif
