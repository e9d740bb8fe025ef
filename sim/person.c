/* SPDX-License-Identifier: Apache-2.0 */
/* What people do while hosts work: they move groups, make volumes, and stop the array in order. */
#include <stdio.h>
#include <stdlib.h>

#include "array/layout.h"
#include "base/must.h"
#include "sim/mishap.h"

static struct op *ask(struct faults *f, int module, uint8_t group,
                      const struct manage_request *request)
{
    uint8_t bytes[MANAGE_REQUEST_BYTES_MAX];
    struct op *op = op_manage(f->site->clients, bytes, manage_encode(request, bytes, sizeof bytes));
    op->group = group;
    op->path = (uint8_t)(SWITCH_MAX + module);
    op_begin(f->site->clients, op);
    return op;
}

/* One whose management endpoint can be asked. */
static int some_module(struct faults *f)
{
    int m = (int)random_below(&f->random, f->site->options.modules);
    for (int i = 0; i < f->site->options.modules; i++, m = (m + 1) % f->site->options.modules) {
        int process = f->site->module[m];
        if (world_living(f->world, process) && !world_paused(f->world, process))
            return m;
    }
    return NOBODY;
}

static void move(struct faults *f, struct fault *fault)
{
    uint8_t group = (uint8_t)random_below(&f->random, f->site->options.groups);
    int to = (int)random_below(&f->random, f->site->options.modules), by = some_module(f);
    struct manage_request request = {
        .verb = MANAGE_GROUP_MOVE, .group = group, .module = (uint8_t)to};
    if (by == NOBODY) {
        fault->on = false;
        return;
    }
    ask(f, by, group, &request);
    snprintf(fault->what, sizeof fault->what, "g%d is to move to %c", group + 1, 'A' + to);
}

/* ---- a volume ---- */

enum { EXTRA_MAX = 2, AGAIN_NS = 2000000 };
enum { MAKES, MAPS };

static void later(struct faults *f, struct fault *fault, uint64_t in_ns)
{
    fault->again_ns = world_now(f->world) + in_ns;
}

static void request_map(struct faults *f, struct fault *fault, int by)
{
    struct manage_request map = {.verb = MANAGE_MAP,
                                 .group = (uint8_t)fault->drive[0],
                                 .volume = (uint16_t)fault->drive[1],
                                 .lun = (uint16_t)f->site->volumes};
    snprintf(map.name, sizeof map.name, "extra%u", f->extra);
    map.uuid[0] = 0xE7;
    map.uuid[15] = f->extra;
    attentions_mapped(f->site->attentions);
    fault->op = ask(f, by, 0, &map)->ticket;
    fault->stage = MAPS;
    later(f, fault, AGAIN_NS);
}

/* The hosts work on it from now on. */
static void hand_over(struct faults *f, const struct fault *fault)
{
    struct site *site = f->site;
    struct site_volume *v = &site->volume[site->volumes];
    *v = (struct site_volume){.group = (uint8_t)fault->drive[0],
                              .volume = (uint16_t)fault->drive[1],
                              .lun = (uint16_t)site->volumes,
                              .blocks = LAYOUT_UNIT / BLOCK_BYTES,
                              .scale = 1,
                              .cache = site->options.cache};
    oracle_volume(site->oracle, v->group, v->volume, v->blocks);
    if (v->cache == CACHE_WRITE_THROUGH)
        oracle_through(site->oracle, v->group, v->volume);
    site->volumes++;
}

static void volume_goes_on(struct faults *f, struct fault *fault)
{
    const struct op *op = op_of(f->site->clients, fault->op);
    int by = some_module(f);
    if (op->state == OP_STATE_WAITING || by == NOBODY) {
        later(f, fault, AGAIN_NS);
        return;
    }
    if (op->state != OP_STATE_ANSWERED || op->status != 0)
        return; /* lost or refused: it is made again another time */
    if (fault->stage == MAPS) {
        hand_over(f, fault);
        return;
    }
    char text[128];
    snprintf(text, sizeof text, "%.*s", (int)op->in_length, (const char *)op->in);
    const char *number = strstr(text, "volume=");
    if (!number)
        return;
    fault->drive[1] = atoi(number + strlen("volume="));
    request_map(f, fault, by);
}

static void make_volume(struct faults *f, struct fault *fault)
{
    int by = some_module(f);
    fault->drive[0] = (int)random_below(&f->random, f->site->options.groups);
    if (by == NOBODY || f->site->options.iscsi || f->extra == EXTRA_MAX ||
        f->site->volumes == SITE_VOLUMES) { /* switches hear of a new LUN in their own time */
        move(f, fault);
        return;
    }
    f->extra++;
    struct manage_request request = {
        .verb = MANAGE_VOLUME_CREATE, .bytes = LAYOUT_UNIT, .block_bytes = BLOCK_BYTES};
    snprintf(request.name, sizeof request.name, "extra%u", f->extra);
    snprintf(request.pool, sizeof request.pool, "pool%d", fault->drive[0] + 1);
    request.uuid[0] = 0xE6;
    request.uuid[15] = f->extra;
    fault->op = ask(f, by, (uint8_t)fault->drive[0], &request)->ticket;
    fault->stage = MAKES;
    fault->again = volume_goes_on;
    later(f, fault, AGAIN_NS);
    fault->end_ns = world_now(f->world) + MS(2000);
    snprintf(fault->what, sizeof fault->what, "volume %s is to be made", request.name);
}

/* ---- stopping in order ---- */

static bool all_stopped(const struct faults *f)
{
    const struct site *site = f->site;
    for (int g = 0; g < site->options.groups; g++)
        for (int m = 0; m < site->options.modules; m++)
            if (world_living(f->world, site->module[m]) && !site_unit(site, m, g)->stopped)
                return false;
    return true;
}

static void stop_processes(struct faults *f, const int *process, int count)
{
    for (int i = 0; i < count; i++)
        if (world_living(f->world, process[i]))
            world_stop(f->world, process[i]);
}

/* Their processes end when they have stopped, or when nobody has the patience to wait any more;
 * then the power may be switched off. */
static void stop_goes_on(struct faults *f, struct fault *fault)
{
    if (!all_stopped(f) && ++fault->stage < 1000) {
        later(f, fault, MS(5));
        return;
    }
    stop_processes(f, f->site->loop, f->site->options.loops);
    mishap_run(f, MS(20));
    faults_all_end(f, "stopped in order", chance(f, 50));
    fault->on = false;
}

/* The history ends first: whoever has stopped starts anew. */
static void stop_ends(struct faults *f, struct fault *fault)
{
    (void)fault;
    for (int p = 0; p < world_processes(f->world); p++)
        if (world_living(f->world, p))
            world_crash(f->world, p);
    faults_look(f);
}

static void stop_all(struct faults *f, struct fault *fault)
{
    stop_processes(f, f->site->iswitch, f->site->options.switches);
    stop_processes(f, f->site->module, f->site->options.modules);
    fault->again = stop_goes_on;
    fault->ending = stop_ends;
    fault->end_ns = UINT64_MAX;
    fault->stage = 0;
    later(f, fault, MS(5));
    snprintf(fault->what, sizeof fault->what, "everything is to stop in order");
}

const struct variant person_acts[] = {{10, move, TAKES_PART},
                                      {8, make_volume, TAKES_PART},
                                      {4, stop_all, TAKES_MORE},
                                      {0, NULL, TAKES_PART}};
