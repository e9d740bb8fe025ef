/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/swarm.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

enum fault_kind { FAULT_MODULE, FAULT_SWITCH, FAULT_TRAY, FAULT_KINDS };

/* A fault that is on: what it is, and when it ends. */
struct fault {
    bool on;
    uint64_t end_ns;
    char what[64];
};

struct swarm {
    bool wild;
    struct site *site;
    struct world *world;
    struct workload *work;
    struct random random;
    struct fault fault[FAULT_KINDS];
    uint64_t next_ns;
    struct swarm_result *result;
};

static struct swarm *present;

void swarm_print_last(uint32_t lines)
{
    if (present)
        world_print(present->world, lines);
}

static void failed(struct swarm *w, const char *what)
{
    if (w->result->failed)
        return;
    w->result->failed = true;
    snprintf(w->result->sentence, sizeof w->result->sentence, "at %.3f ms: %s",
             (double)(world_now(w->world) - MS(1000)) / 1e6, what);
}

/* ---- the array ---- */

static uint64_t pick(struct swarm *w, uint64_t least, uint64_t most)
{
    return random_between(&w->random, least, most);
}

static void choose_options(struct swarm *w, const struct swarm_config *config,
                           struct site_options *o)
{
    *o = site_options_default(config->seed);
    o->world.print = config->print;
    o->world.messages = config->messages;
    o->world.link_delay_ns = pick(w, 5, 200) * 1000;
    o->world.link_jitter_ns = pick(w, 0, 300) * 1000;
    o->world.disk_delay_ns = pick(w, 20, 400) * 1000;
    o->world.disk_jitter_ns = pick(w, 0, 3000) * 1000;
    o->world.cell_delay_ns = pick(w, 50, 2000) * 1000;
    o->world.deaths_unknown = random_chance(&w->random, 30);
    o->world.same_clock = random_chance(&w->random, 50);
    o->modules = random_chance(&w->random, 30) ? 3 : 2;
    o->standby = random_chance(&w->random, 20);
    bool through = random_chance(&w->random, 30) || config->wild;
    o->cache = through ? CACHE_WRITE_THROUGH : CACHE_MIRRORED;
    o->iscsi = random_chance(&w->random, 50);
    o->limits.settle_ns = pick(w, 500, 4000) * 1000000;
    if (random_chance(&w->random, 25)) {
        o->drives = 4;
        o->level = RAID_10;
    }
}

/* ---- faults ---- */

static int any_process(struct swarm *w, const int *processes, uint8_t count)
{
    return processes[random_below(&w->random, count)];
}

static void kill_or_stop(struct swarm *w, struct fault *f, int process)
{
    if (random_chance(&w->random, 50)) {
        world_crash(w->world, process);
        snprintf(f->what, sizeof f->what, "crash of %s", world_process_name(w->world, process));
    } else {
        world_pause(w->world, process);
        snprintf(f->what, sizeof f->what, "stop of %s", world_process_name(w->world, process));
    }
}

static void cut_some(struct swarm *w, struct fault *f, int a, int b)
{
    if (random_chance(&w->random, 40))
        link_break(w->world, a, b, random_chance(&w->random, 50));
    else
        link_cut(w->world, a, b, (enum link_way)pick(w, LINK_TO, LINK_BOTH));
    snprintf(f->what, sizeof f->what, "link %s %s", world_process_name(w->world, a),
             world_process_name(w->world, b));
}

static void module_fault(struct swarm *w, struct fault *f)
{
    const struct site_options *o = &w->site->options;
    int process = any_process(w, w->site->module, o->modules);
    uint64_t dice = random_below(&w->random, 100);
    if (dice < 60)
        kill_or_stop(w, f, process);
    else if (dice < 85) {
        int other = any_process(w, w->site->module, o->modules);
        if (other == process)
            other = w->site->module[process == w->site->module[0] ? 1 : 0];
        cut_some(w, f, process, other);
    } else {
        cell_reach(w->world, process, random_chance(&w->random, 50) ? CELL_UNREACHED : CELL_DEAF);
        snprintf(f->what, sizeof f->what, "register of %s", world_process_name(w->world, process));
    }
}

static void switch_fault(struct swarm *w, struct fault *f)
{
    const struct site_options *o = &w->site->options;
    int process = any_process(w, w->site->iswitch, o->switches);
    if (random_chance(&w->random, 50))
        kill_or_stop(w, f, process);
    else
        cut_some(w, f, process, any_process(w, w->site->module, o->modules));
}

static void tray_fault(struct swarm *w, struct fault *f)
{
    const struct site_options *o = &w->site->options;
    int l = (int)random_below(&w->random, o->loops);
    int drive = l * 32 + (int)random_below(&w->random, o->drives);
    uint64_t dice = random_below(&w->random, 100);
    snprintf(f->what, sizeof f->what, "drive %d", drive);
    if (dice < 35)
        kill_or_stop(w, f, w->site->loop[l]);
    else if (dice < 55)
        cut_some(w, f, any_process(w, w->site->module, o->modules), w->site->loop[l]);
    else if (dice < 70)
        disk_hang(w->world, drive, true);
    else if (dice < 85)
        disk_slow(w->world, drive, pick(w, 1, 900) * 1000000);
    else
        disk_fail(w->world, drive, random_chance(&w->random, 60), true);
}

/* What was on ends; other kinds may still be on, so only its own things are mended. */
static void end_fault(struct swarm *w, enum fault_kind kind)
{
    struct site *site = w->site;
    const int *processes = kind == FAULT_MODULE   ? site->module
                           : kind == FAULT_SWITCH ? site->iswitch
                                                  : site->loop;
    int count = kind == FAULT_MODULE   ? site->options.modules
                : kind == FAULT_SWITCH ? site->options.switches
                                       : site->options.loops;
    world_say(w->world, "-- end of %s", w->fault[kind].what);
    w->fault[kind].on = false;
    for (int i = 0; i < count; i++) {
        if (world_paused(w->world, processes[i]))
            world_resume(w->world, processes[i]);
        if (!world_living(w->world, processes[i]))
            world_start(w->world, processes[i]);
        cell_reach(w->world, processes[i], CELL_REACHED);
        for (int m = 0; m < site->options.modules; m++)
            if (link_exists(w->world, processes[i], site->module[m]))
                link_restore(w->world, processes[i], site->module[m]);
    }
    for (int l = 0; kind == FAULT_TRAY && l < site->options.loops; l++)
        for (int d = 0; d < site->options.drives; d++) {
            disk_hang(w->world, l * 32 + d, false);
            disk_slow(w->world, l * 32 + d, 0);
            disk_fail(w->world, l * 32 + d, false, false);
        }
    for (int l = 0; kind == FAULT_TRAY && l < site->options.loops; l++)
        site_seat_drives(site, l);
}

static bool any_on(const struct swarm *w)
{
    return w->fault[FAULT_MODULE].on || w->fault[FAULT_SWITCH].on || w->fault[FAULT_TRAY].on;
}

/* A fault of that kind may begin: none of it is on, and what the last one left is healed. */
static bool ready_for(const struct swarm *w, enum fault_kind kind)
{
    if (w->fault[kind].on)
        return false;
    if (w->wild)
        return true;
    if (!any_on(w))
        return site_settled(w->site);
    for (int g = 0; g < w->site->options.groups; g++) {
        const struct record *record = cell_record(w->world, g);
        if (kind == FAULT_MODULE &&
            (record->in_sync.count != w->site->options.modules || record->previous.count))
            return false;
        for (int d = 0; kind == FAULT_TRAY && d < DRIVE_MAX; d++)
            if (record->drive_state[d] != DRIVE_STATE_GOOD)
                return false;
    }
    return true;
}

/* Most of the time nothing happens; faults shall come where something does. */
static void go_where_it_is_busy(struct swarm *w)
{
    uint64_t until = world_now(w->world) + MS(50);
    for (uint64_t i = random_below(&w->random, 400); i > 0; i--)
        if (!world_step(w->world, until))
            return;
}

static void begin_fault(struct swarm *w, enum fault_kind kind)
{
    struct fault *f = &w->fault[kind];
    go_where_it_is_busy(w);
    f->on = true;
    f->end_ns =
        world_now(w->world) + pick(w, 1, random_chance(&w->random, 20) ? 8000 : 700) * 1000000;
    switch (kind) {
    case FAULT_MODULE:
        module_fault(w, f);
        break;
    case FAULT_SWITCH:
        switch_fault(w, f);
        break;
    case FAULT_TRAY:
    case FAULT_KINDS:
        tray_fault(w, f);
        break;
    }
    world_say(w->world, "-- fault: %s", f->what);
    w->result->faults++;
}

/* Everything goes down, and comes up again in any order. */
static void power_fails(struct swarm *w)
{
    world_power_cut(w->world);
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        if (!w->fault[kind].on)
            w->fault[kind] = (struct fault){true, 0, "power cut"};
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        w->fault[kind].end_ns = world_now(w->world) + pick(w, 1, 900) * 1000000;
    w->result->faults++;
}

static void faults(struct swarm *w)
{
    uint64_t now = world_now(w->world);
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        if (w->fault[kind].on && now >= w->fault[kind].end_ns)
            end_fault(w, (enum fault_kind)kind);
    if (now < w->next_ns)
        return;
    enum fault_kind kind = (enum fault_kind)random_below(&w->random, FAULT_KINDS);
    if (w->wild && random_chance(&w->random, 6))
        power_fails(w);
    else if (ready_for(w, kind))
        begin_fault(w, kind);
    w->next_ns = now + pick(w, 0, 1200) * 1000000;
}

/* ---- phases ---- */

static bool still_right(struct swarm *w)
{
    const char *violation = site_violation(w->site);
    struct workload_result work;
    workload_describe(w->work, &work);
    if (violation)
        failed(w, violation);
    else if (work.errors && !w->wild)
        failed(w, work.first_error);
    return !w->result->failed;
}

/* Some links are slow, each way alike, for the whole history. */
static void slow_links(struct swarm *w)
{
    for (int p = 0; p < world_processes(w->world); p++)
        for (int q = p + 1; q < world_processes(w->world); q++)
            if (link_exists(w->world, p, q) && random_chance(&w->random, 25))
                link_slow(w->world, p, q, pick(w, 100, 5000) * 1000);
}

static bool safety(struct swarm *w, uint64_t for_ns)
{
    uint64_t until = world_now(w->world) + for_ns;
    w->next_ns = world_now(w->world);
    while (world_now(w->world) < until && still_right(w)) {
        faults(w);
        site_run(w->site, pick(w, 1, 20) * 100000);
    }
    return still_right(w);
}

/* The death of one that alone held acknowledged or unfinished writes: a person must decide. */
static bool waits_for_a_person(const struct swarm *w)
{
    for (int g = 0; g < w->site->options.groups; g++)
        if (cell_record(w->world, g)->dirty.module != MODULE_NONE && site_primary(w->site, g) < 0)
            return w->wild;
    return false;
}

static bool done(const struct swarm *w)
{
    return workload_idle(w->work) && site_settled(w->site) && site_answered(w->site);
}

static bool liveness(struct swarm *w)
{
    site_heal(w->site);
    uint64_t working_until = world_now(w->world) + MS(2000);
    while (world_now(w->world) < working_until && still_right(w))
        site_run(w->site, MS(10));
    workload_stop(w->work);
    uint64_t until = world_now(w->world) + MS(90000);
    while (!done(w) && still_right(w)) {
        if (world_now(w->world) >= until) {
            if (waits_for_a_person(w))
                return false;
            failed(w, !workload_idle(w->work)  ? "commands are not answered, without any fault"
                      : !site_settled(w->site) ? "the array is not in sync again, without any fault"
                                               : "an operation has no end, without any fault");
            break;
        }
        site_run(w->site, MS(10));
    }
    return still_right(w);
}

/* One read; false: it failed. Unit attentions are eaten. */
static bool read_again(struct swarm *w, int volume, uint64_t lba, uint32_t blocks, uint8_t path)
{
    for (int i = 0; i < 6; i++) {
        struct op *op = op_read(w->site->clients, lba, blocks);
        site_begin(w->site, op, volume, 0, path);
        if (!site_finish(w->site, op, MS(10000)))
            return false;
        if (op->state == OP_STATE_ANSWERED && op->status == 0)
            return true;
        site_run(w->site, MS(100));
    }
    return false;
}

static void final_check(struct swarm *w, uint64_t blocks)
{
    char sentence[200];
    for (int v = 0; v < w->site->volumes; v++)
        for (uint8_t path = 0; path < w->site->options.switches; path++)
            for (uint64_t lba = 0; lba < blocks; lba += 16) {
                if (!read_again(w, v, lba, blocks - lba < 16 ? (uint32_t)(blocks - lba) : 16, path))
                    failed(w, "a block cannot be read at the end");
                if (!still_right(w))
                    return;
            }
    site_run(w->site, MS(3000));
    if (!site_mirrors_equal(w->site, sentence, sizeof sentence))
        failed(w, sentence);
}

void swarm_run(const struct swarm_config *config, struct swarm_result *out)
{
    static struct swarm swarm;
    struct swarm *w = &swarm;
    uint64_t seed = config->seed;
    swarm = (struct swarm){.wild = config->wild, .random = {seed}, .result = out};
    struct site_options options;
    memset(out, 0, sizeof *out);
    choose_options(w, config, &options);
    w->site = site_new(&options);
    w->world = w->site->world;
    present = w;
    struct workload_config work = {.seed = seed + 1,
                                   .hosts = options.hosts,
                                   .depth = (uint8_t)pick(w, 1, 12),
                                   .blocks = pick(w, 20, 300),
                                   .length_max = (uint32_t)pick(w, 1, 20),
                                   .think_ns = pick(w, 1, 30) * 1000000,
                                   .path_ns = MS(8000)};
    site_start(w->site);
    if (!site_settle(w->site, MS(30000)) || !site_create(w->site)) {
        const char *violation = site_violation(w->site);
        failed(w, violation ? violation : "the array does not come up");
        return;
    }
    slow_links(w);
    w->work = workload_new(w->site, &work);
    workload_start(w->work);
    if (safety(w, config->for_ns) && liveness(w))
        final_check(w, work.blocks);
    workload_describe(w->work, &out->work);
    out->verified = oracle_verified(w->site->oracle);
    workload_free(w->work);
    if (out->failed)
        return; /* it stays, to be printed */
    present = NULL;
    if (!site_free(w->site)) {
        out->failed = true;
        snprintf(out->sentence, sizeof out->sentence, "at the end: payload was not given back");
    }
}
