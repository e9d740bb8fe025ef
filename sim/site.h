/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_SITE_H
#define SEGUE_SIM_SITE_H

/* A whole array in the simulated world, placed as `segue up` places it: each module (two units and
 * a management endpoint), each interface switch and each loop switch in a process of its own, all
 * linked; pools and volumes made through the protocol. */

#include "array/manage.h"
#include "sim/attentions.h"
#include "sim/cell.h"
#include "sim/client.h"
#include "sim/disk.h"
#include "sim/guard.h"
#include "sim/host.h"
#include "sim/kinds.h"
#include "sim/link.h"
#include "sim/oracle.h"
#include "sim/reservations.h"
#include "sim/submitter.h"

enum { SITE_POOLS = 2, SITE_VOLUMES = 16, SITE_HOSTS = 8 };

/* Another pool of each group. */
struct site_pool_options {
    uint8_t level, cache; /* enum raid_level, cache_mode */
};

struct site_options {
    struct world_config world;
    struct limits limits;
    uint8_t modules, groups, switches, loops;
    uint8_t drives; /* of each loop switch; half of them serve each group */
    uint64_t drive_bytes, volume_bytes;
    uint8_t volumes; /* of each group */
    uint8_t level;   /* enum raid_level */
    uint8_t cache;   /* enum cache_mode */
    uint8_t pools; /* of each group, 0 is 1: the first has `level` and `cache`; they share drives */
    struct site_pool_options pool[SITE_POOLS]; /* [0] is not used */
    uint32_t chunk_bytes;                      /* 0: default */
    uint16_t large_blocks; /* bit v: the blocks of the site's volume v are of 4096 bytes */
    bool standby;          /* module A is preferred in every group */
    bool iscsi;            /* real interface switches; else submitters */
    uint8_t hosts;         /* with iscsi: each has a session with each switch */
    uint64_t host_retry_ns;
};
struct site_options site_options_default(uint64_t seed);

struct site_volume {
    uint8_t group, pool;
    uint16_t volume, lun;
    uint64_t blocks; /* of 512 bytes */
    uint32_t scale;  /* ... so many are one of the volume's */
    uint8_t cache;
};

struct site_pool {
    uint8_t group, level, drive_count;
    uint8_t drives[DRIVE_MAX]; /* RAID 10 mirrors 2i and 2i+1 */
};

struct site {
    struct site_options options;
    struct world *world;
    struct clients *clients;
    struct oracle *oracle;
    struct guard *guard;
    struct reservations *reservations;
    struct attentions *attentions;
    int module[MODULE_MAX], iswitch[SWITCH_MAX], loop[LOOP_MAX]; /* processes */
    struct site_volume volume[SITE_VOLUMES];
    int volumes;
    struct site_pool pool[GROUP_MAX * SITE_POOLS];
    int pools;
    struct host *host[SITE_HOSTS][SWITCH_MAX];
    void (*on_end)(void *context, struct op *op);
    void *on_end_context;
    /* the machines' configurations */
    struct unit_config unit_config[MODULE_MAX][GROUP_MAX];
    struct submitter_config submitter_config[SENDER_MAX];
    struct iswitch_config iswitch_config[SWITCH_MAX];
    struct loopswitch_config loop_config[LOOP_MAX];
};

/* The parts, dead; the first control records; the drives, empty. */
struct site *site_new(const struct site_options *options);
/* False: a machine kept payload. */
bool site_free(struct site *site);

/* Starts every process that is dead. */
void site_start(struct site *site);
/* Runs until every group serves with everybody in sync and all drives good. False: not in `for_ns`.
 */
bool site_settle(struct site *site, uint64_t for_ns);
bool site_settled(const struct site *site);
/* Pools, volumes, LUNs; logs the hosts in. False: something was refused, or took too long. */
bool site_create(struct site *site);
/* Runs until the operation has ended. False: not in `for_ns`. */
bool site_finish(struct site *site, struct op *op, uint64_t for_ns);
/* Runs for so long, or until the oracle or the guard sees a violation: false. */
bool site_run(struct site *site, uint64_t for_ns);
/* What is wrong so far, or NULL. */
const char *site_violation(const struct site *site);

/* Sends it to that volume by that path. */
void site_begin(struct site *site, struct op *op, int volume, uint8_t host, uint8_t path);
/* A management request through module `module`, answered; its text into `text`. False: refused, or
 * no answer. */
bool site_manage(struct site *site, int module, uint8_t group, const struct manage_request *request,
                 char *text, uint32_t text_bytes);

struct part *site_unit(const struct site *site, int module, int group);
/* False: its process is dead. */
bool site_describe(const struct site *site, int module, int group, struct unit_status *out);
/* The same, as unit_standing(): cheap. */
bool site_standing(const struct site *site, int module, int group, struct unit_status *out);
/* The module whose living unit is primary of that group, -1: none is. */
int site_primary(const struct site *site, int group);
/* Ends every fault, and starts every process that is dead. */
void site_heal(struct site *site);
/* Drives of that loop switch which the record calls failed are tried again. */
void site_seat_drives(struct site *site, int loop);
/* Every operation whose host still waits for it has ended. */
bool site_answered(const struct site *site);
/* The pool's drives, so many after the other, are sets of which so many must be there. */
uint8_t site_set(const struct site_pool *pool, uint8_t *needed);
/* Some data is on no drive that the record calls good: nobody can serve it until a person decides.
 */
bool site_no_copy(const struct site *site);
/* Without that loop switch (-1: none) some data of the group is on no drive that is called good. */
bool site_only_copy(const struct site *site, int loop, int group);
/* Do all members of each group hold the same state: reservations, pools, LUNs? Else which do not.
 * For a quiet array only. */
bool site_states_equal(const struct site *site, char *sentence, uint32_t sentence_bytes);
/* Do the mirrors of every pool hold the same data (drives that are not good left out)? What differs
 * into `sentence`. For a quiet array only. */
bool site_mirrors_equal(const struct site *site, char *sentence, uint32_t sentence_bytes);

#endif
