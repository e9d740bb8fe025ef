/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_MISHAP_H
#define SEGUE_SIM_MISHAP_H

/* What can go wrong with a part: for faults.c, which says what does, and when. */

#include "sim/faults.h"

enum kind {
    KIND_MODULE,
    KIND_SWITCH,
    KIND_TRAY,
    KIND_REGISTER,
    KIND_HOST,
    KIND_PERSON, /* no fault: what people do while hosts work */
    KINDS
};
enum { NOBODY = -1 };

struct faults;

/* One that is on. */
struct fault {
    bool on;
    int process;     /* its victim's, NOBODY: none, or more than one */
    bool restart;    /* its end needs a new life of the process */
    bool all;        /* something befell all processes while it began */
    uint64_t end_ns; /* 0: it is still beginning */
    /* Called again from time to time while it is on; and at its end, before what it did is mended.
     */
    void (*again)(struct faults *f, struct fault *fault);
    void (*ending)(struct faults *f, struct fault *fault);
    uint64_t again_ns; /* when next; 0: never */
    int drive[2];      /* of `ending` */
    uint32_t op;       /* what a person has asked for */
    int stage;
    char what[64];
};

struct group_memory {
    bool lost;    /* and nobody has served since */
    bool counted; /* ... and it was told to those who judge */
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
    uint64_t drives_ok_ns;   /* ... of drives, after a tray's fault */
    bool power_is_out;       /* of the drives, too */
    int dying;               /* process that dies in the middle of a step, NOBODY: none */
    uint32_t dying_after;
    bool dying_first; /* ... before that action is carried out */
    uint8_t extra;    /* volumes that a person has made so far */
};

/* A way to go wrong; its chance is its weight. Lists end with the weight 0. */
enum taking {
    TAKES_PART,  /* the whole of what it befalls */
    TAKES_DRIVE, /* a drive, no whole tray */
    TAKES_MORE,  /* more than the redundancy spares: for wild histories */
};
struct variant {
    uint32_t weight;
    void (*begin)(struct faults *f, struct fault *fault);
    enum taking takes;
};

extern const struct variant mishap_any_process[], mishap_only_module[], mishap_only_switch[],
    mishap_only_tray[], mishap_only_register[], mishap_only_host[];
extern const struct variant moment_module[], moment_switch[], moment_tray[]; /* moment.c */
extern const struct variant tray_only[];                                     /* tray.c */
extern const struct variant person_acts[];                                   /* person.c */

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
/* Runs until that holds, with what ends meanwhile. False: not in `for_ns`. */
bool mishap_until(struct faults *f, bool (*holds)(struct faults *f, struct fault *fault),
                  struct fault *fault, uint64_t for_ns);
void mishap_run(struct faults *f, uint64_t for_ns);
/* One that is linked with it; in a tame history none between a module and a tray. */
int mishap_neighbour(struct faults *f, int process);
/* A strike that tells itself in fault->what. */
void mishap_crash(struct faults *f, struct fault *fault);
void mishap_stop(struct faults *f, struct fault *fault);
void mishap_isolate(struct faults *f, struct fault *fault);
/* faults.c: ends what is due, and goes on with what wants that. */
void faults_end_due(struct faults *f);
/* Every member of each group lives, plays along, and is named by the record. */
bool faults_in_sync(const struct faults *f);
void faults_power_fails(struct faults *f);
/* Every process ends; with `power` drives lose what they had not flushed. They come up again in any
 * order. */
void faults_all_end(struct faults *f, const char *what, bool power);

#endif
