/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_MISHAP_H
#define SEGUE_SIM_MISHAP_H

/* What can go wrong with a part: for faults.c, which says what does, and when. */

#include "sim/faults.h"

enum kind { KIND_MODULE, KIND_SWITCH, KIND_TRAY, KIND_REGISTER, KIND_HOST, KINDS };
enum { NOBODY = -1 };

/* One that is on. */
struct fault {
    bool on;
    int process;  /* its victim's, NOBODY: none */
    bool restart; /* its end needs a new life of the process */
    uint64_t end_ns;
    char what[64];
};

struct group_memory {
    bool lost; /* and nobody has served since */
    uint32_t losses;
    uint32_t cold_starts; /* that were told before the first loss */
};

struct faults {
    struct site *site;
    struct world *world;
    const struct shape *shape;
    struct faults_config config;
    struct random random; /* of the fault that is next, or begins now */
    uint64_t next_ns;
    uint32_t number, count;
    struct fault fault[KINDS];
    struct group_memory memory[GROUP_MAX];
    uint64_t register_ok_ns; /* from then on the record is up to date */
    bool power_is_out;       /* of the drives, too */
    int dying;               /* process that dies in the middle of a step, NOBODY: none */
    uint32_t dying_after;
    bool dying_first; /* ... before that action is carried out */
};

/* A way to go wrong; its chance is its weight. Lists end with the weight 0. */
struct variant {
    uint32_t weight;
    void (*begin)(struct faults *f, struct fault *fault);
    bool drive; /* takes a drive, no whole tray */
};

extern const struct variant mishap_any_process[], mishap_only_module[], mishap_only_tray[],
    mishap_only_register[], mishap_only_host[], mishap_nothing[];

static inline uint64_t pick(struct faults *f, uint64_t least, uint64_t most)
{
    return random_between(&f->random, least, most);
}

static inline bool chance(struct faults *f, uint32_t percent)
{
    return random_chance(&f->random, percent);
}

static inline const char *name_of(const struct faults *f, int process)
{
    return world_process_name(f->world, process);
}

/* For world_tamper: a process dies in the middle of a step. */
enum action_fate mishap_fate(void *context, const struct part *part, const struct action *action);
/* Runs for a while: most of the time nothing happens, and faults shall come where something does.
 */
void mishap_wait_for_work(struct faults *faults);

#endif
