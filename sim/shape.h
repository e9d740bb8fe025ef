/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_SHAPE_H
#define SEGUE_SIM_SHAPE_H

/* All that is random about an array and its hosts before anything happens: parts, pools, volumes,
 * speeds, clocks, where the hosts work and how. */

#include "sim/workload.h"

struct shape {
    struct site_options options;
    struct workload_config work; /* areas: shape_areas */
    uint32_t span_ms;            /* in which the hosts send some 200 commands */
    bool trays_redundant;        /* every pool survives the loss of a tray */
    bool drives_redundant;       /* ... of a drive */
    bool modules_spared;         /* nothing happens to modules and the register */
};

/* `wild`: power fails. `hosts`: 0 is any. */
void shape_choose(struct shape *shape, uint64_t seed, bool wild, uint8_t hosts);
/* Once the volumes are there: the ends of regions, chunks and volumes attract. */
void shape_areas(struct shape *shape, const struct site *site);
/* Links that are slow each way, clocks that run fast or slow, for the whole history. */
void shape_disturb(const struct shape *shape, struct site *site);

#endif
