/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_WORKLOAD_H
#define SEGUE_SIM_WORKLOAD_H

/* Hosts at work, with the habit of multipath: each keeps some commands under way, on few blocks and
 * where something inside the array ends (a region, a chunk, the volume), so that they meet; when a
 * path dies or does not answer in the path time the host gives it up and goes on by the next; a
 * command that takes too long is aborted and begun anew; what a driver repeats by itself (unit
 * attention, BUSY) is repeated. */

#include "sim/site.h"

struct workload;

enum { WORKLOAD_AREAS = 3 };

enum workload_mixture {
    WORKLOAD_MIXED,
    WORKLOAD_READING,  /* many reads: nothing wrong stays unseen for long */
    WORKLOAD_FLUSHING, /* many SYNCHRONIZE CACHE and FUA */
    WORKLOAD_MIXTURES,
};

/* Where on a volume they work. */
struct workload_area {
    uint64_t lba, blocks;
};

struct workload_config {
    uint64_t seed;
    uint8_t hosts, depth; /* commands under way of each */
    struct workload_area area[SITE_VOLUMES][WORKLOAD_AREAS];
    uint32_t length_max; /* blocks of most commands; a few are as long as may be */
    uint64_t think_ns;
    uint64_t path_ns;   /* without an answer: the path is given up */
    uint64_t abort_ns;  /* ... or, if that is shorter, the command is aborted; 0: never */
    uint64_t repeat_ns; /* before going on by another path */
    bool patient;       /* ... not before what was under way there can happen no more */
    enum workload_mixture mixture;
    uint32_t reset_each; /* of so many commands one is a LOGICAL UNIT RESET; 0: none */
    int reserved;        /* the volume on which they reserve; -1: none */
};

struct workload_result {
    uint64_t ended, lost, repeated, aborted;
    uint64_t errors; /* answers that a host's application would see as an I/O error */
    char first_error[128];
    uint64_t longest_ns; /* from the begin of a command to its answer by whichever path */
};

struct workload *workload_new(struct site *site, const struct workload_config *config);
void workload_free(struct workload *workload);
void workload_start(struct workload *workload);
/* No new commands; those under way go on until they end. */
void workload_stop(struct workload *workload);
bool workload_idle(const struct workload *workload);
void workload_describe(const struct workload *workload, struct workload_result *out);

#endif
