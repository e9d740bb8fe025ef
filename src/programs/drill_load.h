/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_LOAD_H
#define SEGUE_PROGRAMS_DRILL_LOAD_H

/* The load of the drill: a host with several volumes, each reached through every portal by a
 * session of its own, that keeps a number of reads and writes under way on each path and checks
 * every block that it reads against everything that it has written. When a path dies the host does
 * as a multipath host does: what was under way is sent again through another one. */

#include <poll.h>

#include "command/limits.h"
#include "programs/drill_series.h"
#include "programs/initiator.h"

enum {
    DRILL_VOLUMES = 16,
    DRILL_PORTALS = 4,
    DRILL_DEPTH_MAX = 128,
    DRILL_PATHS = DRILL_VOLUMES * DRILL_PORTALS,
};

struct drill_load;

struct drill_load_config {
    const char *target;
    uint8_t portals, volumes;
    char portal[DRILL_PORTALS][INITIATOR_PORTAL];
    struct {
        char name[NAME_BYTES];
        int lun, group;
    } volume[DRILL_VOLUMES];
    uint32_t depth;      /* commands under way on each path */
    uint64_t area_bytes; /* of each volume, from its beginning */
    uint32_t read_percent;
    bool overwrite; /* also what no drill has written */
    uint64_t seed;
    uint64_t run; /* stamped into every block: no two drills have the same */
};

enum drill_load_mode {
    DRILL_MODE_IDLE,   /* nothing new */
    DRILL_MODE_SCAN,   /* reads what is there before anything is written */
    DRILL_MODE_MIX,    /* reads and writes in random places */
    DRILL_MODE_VERIFY, /* reads all of it through each path */
    DRILL_MODE_FLUSH,  /* one SYNCHRONIZE CACHE for each volume */
};

struct drill_counts {
    uint64_t reads, writes, flushes, bytes;
    uint64_t verified;   /* blocks of 512 bytes that were read and judged */
    uint64_t wrong;      /* ... that no disk could have returned */
    uint64_t errors;     /* commands that failed above multipath */
    uint64_t attentions; /* unit attentions that a host asks again after */
    uint64_t aborted, busy, lost;
    uint64_t path_drops, ping_drops;
    uint64_t foreign; /* blocks that no drill had written (SCAN) */
};

/* Chooses nothing by itself: portals, volumes and areas are given. NULL: no memory. */
struct drill_load *drill_load_new(const struct drill_load_config *config, uint64_t now_ns);
void drill_load_free(struct drill_load *load);

/* Pollfd entries that it needs, at most DRILL_PATHS; then their events. */
uint32_t drill_load_poll(const struct drill_load *load, struct pollfd *entries);
void drill_load_step(struct drill_load *load, const struct pollfd *entries, uint32_t count,
                     uint64_t now_ns);

/* Every path is up. */
bool drill_load_connected(const struct drill_load *load);
/* Some volume is too small, or its geometry does not fit: a sentence; NULL: all is well. */
const char *drill_load_problem(const struct drill_load *load);
void drill_load_begin(struct drill_load *load, enum drill_load_mode mode);
/* Nothing is under way and (SCAN, VERIFY) all has been read, (FLUSH) flushed. */
bool drill_load_is_over(const struct drill_load *load);

void drill_load_counts(const struct drill_load *load, struct drill_counts *out);
const struct drill_series *drill_load_series(const struct drill_load *load);
/* The first things that went wrong, one line each; NULL: there are not so many. */
const char *drill_load_complaint(const struct drill_load *load, uint32_t i);
/* Why a path is not up, for people. */
const char *drill_load_waiting_for(const struct drill_load *load);

#endif
