/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_WORKLOAD_H
#define SEGUE_SIM_WORKLOAD_H

/* Hosts at work, with the habit of multipath: each keeps some commands under way on few blocks, so
 * that they meet; when its path dies or does not answer in the path time it gives the path up and
 * goes on by the next; what a driver repeats by itself (unit attention, BUSY) is repeated. */

#include "sim/site.h"

struct workload;

struct workload_config {
    uint64_t seed;
    uint8_t hosts, depth; /* commands under way of each */
    uint64_t blocks;      /* of each volume, from 0: where they meet */
    uint32_t length_max;  /* blocks of one command */
    uint64_t think_ns, path_ns;
};

struct workload_result {
    uint64_t ended, lost, repeated;
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
