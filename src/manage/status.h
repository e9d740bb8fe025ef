/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_MANAGE_STATUS_H
#define SEGUE_MANAGE_STATUS_H

/* The state of an array, put together from what its processes say of themselves, and a picture of
 * it for people.
 *
 * What one process answers to {"verb":"status"} (a key that is missing is taken as empty or zero,
 * an unknown one is passed on; names are those of the configuration; times and sizes have their
 * unit in the key):
 *
 *   {"process":"A","pid":4711,"command_line":"segued --config ...","started_ns":1,"now_ns":2,
 *    "buffers_used_bytes":0,"buffers_limit_bytes":0,
 *    "units":[{"name":"A1","module":"A","group":"g1","members":["A1","B1"],"state":"primary","incarnation":7,"epoch":2,
 *      "lone":false,"since_ns":5,"queue":0,"outcomes":0,"mirror_bytes":0,"mirror_writes":0,
 *      "reads":0,"writes":0,"read_bytes":0,"written_bytes":0,"takeovers":1,"handshake_ns":48000,
 *      "record":{"generation":5,"epoch":2,"primary":"A1","in_sync":["A1","B1"],"previous":[],
 *                "dirty":null,"cut":0,"lease":0,"clean":false,"drives_failed":["t0/00"],
 *                "drives_stale":[]},
 *      "resync_left_bytes":0,"regions_set":0,"regions_in_doubt":0,
 *      "pools":[{"name":"p1","level":"raid1","cache":"mirrored","size_bytes":1,"used_bytes":1,
 *                "drives":["t0/00","t1/00"]}],
 *      "volumes":[{"name":"v1","index":0,"pool":"p1","uuid":"...","size_bytes":1,"block_bytes":512,
 *                  "read_only":false,
 *                  "sanitize":{"state":"running","percent":0}}], (only while there is something)
 *      "luns":[{"lun":0,"group":"g1","volume":0,"name":"v1","uuid":"..."}]}],
 *    "switches":[{"name":"IS1","portals":["127.0.0.1:3261"],"target":"iqn...","sessions":[
 *        {"initiator":"iqn...","peer":"127.0.0.1:5","discovery":false,"commands":0,"reads":0,
 *         "writes":0,"read_bytes":0,"written_bytes":0}],
 *      "commands":0,"resent":0,"groups":[{"name":"g1","epoch":2,"serving":true,"primary":"A1",
 *        "in_sync":["A1","B1"],"linked":["A1","B1"],"outstanding":0,"resent":0}]}],
 *    "loops":[{"name":"L1","tray":"t0","banks":[{"group":"g1","epoch":2,"allowed":["A1","B1"],
 *        "refused":0,"admitted":0}],
 *      "drives":[{"name":"t0/00","slot":0,"path":"/...","group":"g1","online":true,"direct":true,
 *        "size_bytes":1,"reads":0,"writes":0,"read_bytes":0,"written_bytes":0,"errors":0}]}]}
 *
 * `members` are the units of the group as configured, in order. `state` is unit_state_name().
 *
 * Pools, volumes, LUNs and the record of a group are taken from the unit that knows best: its
 * primary, else the member of the highest epoch.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct status_process {
    const char *name;
    int pid;        /* as its starter knows it; 0: not known */
    json_t *answer; /* borrowed; NULL: it did not answer */
    bool alive;     /* its pid is there, whether it answers or not */
};

/* The array's state as `segue status -o json` prints it; the caller owns it. NULL: no memory.
 * `time_text`: RFC 3339, now. */
json_t *status_merge(const char *array, const char *time_text,
                     const struct status_process *processes, size_t count);

/* Every group has one primary with every member in sync and in its epoch, and nothing is to be
 * resynchronised. */
bool status_in_sync(const json_t *status);
/* Every group has a serving primary. */
bool status_serving(const json_t *status);

/* The picture for people, at most 80 columns wide. The caller frees it. NULL: no memory. */
char *status_picture(const json_t *status);
/* Its first line. */
char *status_verdict(const json_t *status);

#endif
