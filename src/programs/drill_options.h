/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_OPTIONS_H
#define SEGUE_PROGRAMS_DRILL_OPTIONS_H

#include "programs/drill_discover.h"
#include "programs/drill_faults.h"

struct drill_options {
    char state[200]; /* directory of the array; not used with a target */
    char target[INITIATOR_NAME];
    char volumes[256]; /* names, or with a target LUNs; with commas */
    char portals[256]; /* address:port, with commas */
    uint32_t seconds;  /* of load in a drill without faults; between faults: calm_ns of the plan */
    uint32_t depth, area_mib, read_percent, repeat;
    uint64_t seed;
    uint32_t for_seconds; /* --plan random: no new fault after that */
    char plan_of[256];    /* --plan: "random", or the log of a drill */
    char log[256];        /* --log; empty: none */
    char kinds[80];       /* --kinds, of chance; empty: all */
    bool json, overwrite, help, no_faults, wild, no_compare, seconds_given;
    struct drill_plan plan;
};

/* 0, or -1 and a sentence. */
int drill_options_read(struct drill_options *options, int argc, char **argv, char *sentence,
                       size_t sentence_bytes);
/* From --target, --portals and --volumes. 0, or -1 and a sentence. */
int drill_options_array(const struct drill_options *options, struct drill_array *array,
                        char *sentence, size_t sentence_bytes);
/* Leaves only the portals and volumes that were asked for. 0, or -1 and a sentence. */
int drill_options_choose(const struct drill_options *options, struct drill_array *array,
                         char *sentence, size_t sentence_bytes);
extern const char drill_options_help[];

#endif
