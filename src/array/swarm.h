/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_SWARM_H
#define SEGUE_ARRAY_SWARM_H

/* For swarm_test.c: random I/O, and the oracle that knows for each block of the volume what a read
 * may see. */

#include "array/fake_drives.h"
#include "array/layout.h"

enum {
    BLOCKS_MAX = 12288,
    DEPTH = 16,
    HISTORY = 48,
    TROUBLES = 4,
    BLOCK = 512,
    GRANULE = GRANULE_BYTES / BLOCK,
};

struct block {
    uint64_t history[HISTORY]; /* what may be found after a power cut; the last: what is there */
    uint8_t count;
    uint8_t certain; /* reads see the last of these many; 1: exactly the last */
    uint8_t at_flush;
    bool writing;
    uint16_t reading;
};

struct request {
    bool used;
    bool adopted;      /* of an earlier reign, to be written anew */
    uint64_t again_ns; /* not in the engine now: goes to it then; 0: it is there */
    struct array_io io;
    uint32_t first, blocks;
    uint64_t stamp, submitted_ns;
};

enum trouble_kind {
    TROUBLE_NONE,
    TROUBLE_HANG,
    TROUBLE_WRITES_FAIL,
    TROUBLE_OFFLINE,
    TROUBLE_KEEPS_SOME,
    TROUBLE_LOST_ANSWERS,
    TROUBLE_UNREADABLE,
    TROUBLE_LOOP_AWAY,
    TROUBLE_REPLACED,
    TROUBLE_KINDS,
};

struct trouble {
    enum trouble_kind kind;
    int drive;
    uint64_t heal_ns;
};

struct swarm {
    struct fake_world *w;
    uint32_t blocks, blocks_most;
    struct block block[BLOCKS_MAX];
    struct request request[DEPTH];
    uint64_t stamps;
    bool flushing; /* one at a time: each block knows one flush */
    const int *drives;
    int drive_count, members, parity; /* members: of a mirror set, or of a stripe */
    enum raid_level level;
    struct trouble trouble[TROUBLES];
    uint64_t settling_ns[FAKE_DRIVES]; /* its loop switch has logged in just now */
    bool replaced[FAKE_DRIVES];        /* by an empty one; the record has not followed */
    uint64_t starve_ns, epoch_ns;      /* until then; 0: no */
    /* a growth under way: RESOLVED, not DONE */
    bool growing, grown_stored;
    uint64_t carry_ns; /* adopted: carried out then */
    uint32_t carried;
    uint8_t state[65536]; /* configuration, as every member has it */
    uint32_t state_length;
    uint64_t generation, stored, storing; /* of the state on the drives */
    uint32_t stored_count;
    uint32_t done, events, crashes, synced;
};

static inline uint64_t swarm_draw(struct swarm *s, uint64_t below)
{
    return fake_random(s->w, below);
}

/* The stamp that the whole block is full of. */
uint64_t swarm_stamp(const uint8_t *at);
/* A read has seen that stamp there: aborts if it must not. */
void swarm_saw(struct swarm *s, uint32_t at, uint64_t stamp);
/* Which drives hold a block, and where; how many. (Parity is not counted.) */
int swarm_holders(const struct swarm *s, uint32_t at, const int **out, uint64_t *offset);

/* Of levels with parity: it is that of the data on every drive. */
void swarm_check_parity(const struct swarm *s);
/* Does a drive hold it? Else it reads as zeroes. */
bool swarm_mapped(const struct swarm *s, uint32_t at);
bool swarm_writes(const struct request *r);
/* Perhaps a new one; r is free. */
void swarm_submit(struct swarm *s, struct request *r);
/* Takes what has ended, and checks it; gives the engine what waits to go to it again. */
void swarm_drain(struct swarm *s);
/* The write may or may not have happened. */
void swarm_unsure(struct swarm *s, const struct request *r);
/* After a crash: an atomic write is there whole, or not at all. */
void swarm_whole(struct swarm *s, uint32_t first, uint32_t blocks, uint64_t stamp);
void swarm_release(struct swarm *s, struct request *r);

#endif
