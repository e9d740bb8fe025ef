/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_CELL_H
#define SEGUE_SIM_CELL_H

/* The control register: one compare-and-swap cell for each group, in memory, and the liveness
 * entries. Linearizable: each operation takes effect at one moment between its asking and its
 * answer. */

#include "sim/world.h"

struct cells;

struct cells *cells_new(struct world *world);
void cells_free(struct cells *cells);
void cells_happened(struct cells *cells, uint64_t what);
/* ACTION_REGISTER_* of that part. */
void cells_act(struct cells *cells, struct part *part, const struct action *action);
void cells_process_down(struct cells *cells, int process);

/* The record as it stands; the very first one is put there by whoever makes the array. */
const struct record *cell_record(struct world *world, int group);
void cell_create(struct world *world, const struct record *record);
/* True: that incarnation's entry is there. */
bool cell_lives(struct world *world, int group, struct member member);

/* ---- faults ---- */

enum cell_reach {
    CELL_REACHED,
    CELL_UNREACHED, /* nothing takes effect; every answer is UNKNOWN, after a while */
    CELL_DEAF,      /* it takes effect, but the answer is UNKNOWN */
    CELL_FLAKY,     /* each operation goes one of these ways */
};
void cell_reach(struct world *world, int process, enum cell_reach reach);
/* The next operation that is asked goes so, whoever asks; a LIVE is not one. */
void cell_next(struct world *world, enum cell_reach reach);
/* The same of the next swap. */
void cell_next_swap(struct world *world, enum cell_reach reach);
/* Since when that process's operations have gone as they should; UINT64_MAX: they do not. */
uint64_t cell_sound_since(struct world *world, int process);
/* From now on each operation of that process takes so much longer. */
void cell_slow(struct world *world, int process, uint64_t more_ns);

#endif
