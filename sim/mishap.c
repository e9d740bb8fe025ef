/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/mishap.h"

#include <stdio.h>

#include "base/must.h"
#include "sim/stream.h"

/* Most of the time nothing happens; faults shall come where something does. */
void mishap_wait_for_work(struct faults *f)
{
    uint64_t until = world_now(f->world) + MS(50);
    for (uint64_t i = pick(f, 0, 400); i > 0 && !site_violation(f->site); i--)
        if (!world_step(f->world, until))
            return;
}

/* ---- what can happen to any process ---- */

static void crash(struct faults *f, struct fault *fault)
{
    snprintf(fault->what, sizeof fault->what, "crash of %s", name_of(f, fault->process));
    world_crash(f->world, fault->process);
}

/* Of the actions of one of its next steps only the first ones are carried out. */
static void crash_in_step(struct faults *f, struct fault *fault)
{
    snprintf(fault->what, sizeof fault->what, "crash of %s within a step",
             name_of(f, fault->process));
    f->dying = fault->process;
    f->dying_after = (uint32_t)pick(f, 0, chance(f, 50) ? 5 : 60);
    f->dying_first = chance(f, 50);
}

enum action_fate mishap_fate(void *context, const struct part *part, const struct action *action)
{
    struct faults *f = context;
    (void)action;
    if (part->process != f->dying || f->dying_after-- > 0)
        return ACTION_DONE;
    f->dying = NOBODY;
    return f->dying_first ? ACTION_TOO_LATE : ACTION_THE_LAST;
}

static void stop(struct faults *f, struct fault *fault)
{
    snprintf(fault->what, sizeof fault->what, "stop of %s", name_of(f, fault->process));
    world_pause(f->world, fault->process);
}

/* Short, and often not noticed; or so long that everybody has gone on. */
static void stop_briefly(struct faults *f, struct fault *fault)
{
    stop(f, fault);
    fault->end_ns = world_now(f->world) + pick(f, 1, 260) * 1000000;
}

static void stop_for_long(struct faults *f, struct fault *fault)
{
    stop(f, fault);
    fault->end_ns = world_now(f->world) + pick(f, 5, 120) * MS(1000);
}

static void each_link(struct faults *f, int process, uint32_t percent,
                      void (*act)(struct faults *f, int process, int other))
{
    for (int q = 0; q < world_processes(f->world); q++)
        if (link_exists(f->world, process, q) && chance(f, percent))
            act(f, process, q);
}

static void break_now(struct faults *f, int process, int other)
{
    link_break(f->world, process, other, true);
}

static void break_until_end(struct faults *f, int process, int other)
{
    link_break(f->world, process, other, false);
}

static void cut(struct faults *f, int process, int other)
{
    link_cut(f->world, process, other, LINK_BOTH);
}

static void cut_one_way(struct faults *f, int process, int other)
{
    link_cut(f->world, process, other, (enum link_way)pick(f, LINK_TO, LINK_BOTH));
}

/* Its links are lost while it is stopped: it finds old bytes, then the news, then new ones. */
static void stop_and_reset(struct faults *f, struct fault *fault)
{
    stop(f, fault);
    each_link(f, fault->process, 60, break_now);
}

static void slow(struct faults *f, struct fault *fault)
{
    snprintf(fault->what, sizeof fault->what, "slow %s", name_of(f, fault->process));
    world_slow(f->world, fault->process, pick(f, 20, chance(f, 30) ? 20000 : 1000) * 1000);
}

static void jump(struct faults *f, struct fault *fault)
{
    snprintf(fault->what, sizeof fault->what, "jump of %s", name_of(f, fault->process));
    uint64_t most = f->config.wild && chance(f, 50) ? 20000 : 300; /* drives have limits, too */
    world_clock_jump(f->world, fault->process, pick(f, 1, most) * 1000000);
}

static void cut_to(struct faults *f, int process, int other)
{
    link_cut(f->world, process, other, LINK_TO);
}

static void cut_from(struct faults *f, int process, int other)
{
    link_cut(f->world, process, other, LINK_FROM);
}

/* Of all others, each way or one way. In part it is more than one fault: who does not reach its
 * peers and some trays, but the others and the register, may win the group and fail those trays'
 * drives. */
static void isolate(struct faults *f, struct fault *fault)
{
    bool in_part = f->config.wild && chance(f, 50);
    snprintf(fault->what, sizeof fault->what, "isolation of %s", name_of(f, fault->process));
    if (in_part)
        each_link(f, fault->process, 60, chance(f, 50) ? cut : cut_one_way);
    else
        each_link(f, fault->process, 100, chance(f, 60) ? cut : chance(f, 50) ? cut_to : cut_from);
}

static void unplug(struct faults *f, struct fault *fault)
{
    bool again = !f->config.wild || chance(f, 50);
    snprintf(fault->what, sizeof fault->what, "links of %s", name_of(f, fault->process));
    each_link(f, fault->process, 40, again ? break_now : break_until_end);
}

static bool among(int process, const int *processes, int count)
{
    for (int i = 0; i < count; i++)
        if (processes[i] == process)
            return true;
    return false;
}

/* A cable between a module and a tray is the tray's: who cannot reach a drive has it failed. */
static int some_neighbour(struct faults *f, int process)
{
    const struct site *site = f->site;
    bool module = among(process, site->module, site->options.modules);
    for (;;) {
        int other = (int)random_below(&f->random, (uint64_t)world_processes(f->world));
        bool tray = among(other, site->loop, site->options.loops);
        if (link_exists(f->world, process, other) && !(module && tray && !f->config.wild))
            return other;
    }
}

static void cut_cable(struct faults *f, struct fault *fault)
{
    int other = some_neighbour(f, fault->process);
    snprintf(fault->what, sizeof fault->what, "cable %s %s", name_of(f, fault->process),
             name_of(f, other));
    if (chance(f, 40))
        link_break(f->world, fault->process, other, chance(f, 50));
    else
        cut_one_way(f, fault->process, other);
}

static void slow_cable(struct faults *f, struct fault *fault)
{
    int other = some_neighbour(f, fault->process);
    snprintf(fault->what, sizeof fault->what, "slow cable %s %s", name_of(f, fault->process),
             name_of(f, other));
    link_slow(f->world, fault->process, other, pick(f, 1, 60) * 1000000);
}

/* From some message on nothing passes, one way. */
static void hold(struct faults *f, struct fault *fault)
{
    int other = some_neighbour(f, fault->process);
    enum message_kind kind = (enum message_kind)pick(f, MESSAGE_COMMAND, MESSAGE_SIGNAL);
    bool to = chance(f, 50);
    snprintf(fault->what, sizeof fault->what, "hold %s", message_name(kind));
    link_hold(f->world, to ? fault->process : other, to ? other : fault->process, kind);
}

/* It was sent again, or it logs in again, without any word of a loss. */
static void say_twice(struct faults *f, struct fault *fault)
{
    int other = some_neighbour(f, fault->process);
    enum message_kind kind = chance(f, 60) ? MESSAGE_COMMAND : MESSAGE_LOGIN;
    snprintf(fault->what, sizeof fault->what, "%s twice", message_name(kind));
    link_duplicate(f->world, fault->process, other, kind, (uint32_t)pick(f, 0, 12));
    link_duplicate(f->world, other, fault->process, kind, (uint32_t)pick(f, 0, 12));
    if (kind == MESSAGE_LOGIN)
        link_break(f->world, fault->process, other, true);
}

/* ---- modules ---- */

static void register_lost(struct faults *f, struct fault *fault)
{
    snprintf(fault->what, sizeof fault->what, "register of %s", name_of(f, fault->process));
    cell_reach(f->world, fault->process, (enum cell_reach)pick(f, CELL_UNREACHED, CELL_FLAKY));
}

static void register_slow(struct faults *f, struct fault *fault)
{
    snprintf(fault->what, sizeof fault->what, "slow register of %s", name_of(f, fault->process));
    cell_slow(f->world, fault->process, pick(f, 1, 800) * 1000000);
}

/* Its drive commands lie somewhere while the others take over. */
static void delay_past_fence(struct faults *f, struct fault *fault)
{
    snprintf(fault->what, sizeof fault->what, "late drive commands of %s",
             name_of(f, fault->process));
    for (int l = 0; l < f->site->options.loops; l++)
        if (chance(f, 70))
            link_hold(f->world, fault->process, f->site->loop[l], MESSAGE_DRIVE_COMMAND);
    uint64_t dice = random_below(&f->random, f->config.wild ? 3 : 2);
    mishap_wait_for_work(f);
    if (dice == 0)
        world_pause(f->world, fault->process);
    else if (dice == 1)
        world_crash(f->world, fault->process);
    else
        for (int m = 0; m < f->site->options.modules; m++)
            if (f->site->module[m] != fault->process)
                link_cut(f->world, fault->process, f->site->module[m], LINK_BOTH);
}

/* ---- trays ---- */

static int some_drive(struct faults *f, const struct fault *fault)
{
    int l = 0;
    while (f->site->loop[l] != fault->process)
        l++;
    return l * 32 + (int)random_below(&f->random, f->site->options.drives);
}

static void drive_hangs(struct faults *f, struct fault *fault)
{
    int drive = some_drive(f, fault);
    snprintf(fault->what, sizeof fault->what, "drive %d hangs", drive);
    disk_hang(f->world, drive, true);
}

static void drive_slow(struct faults *f, struct fault *fault)
{
    int drive = some_drive(f, fault);
    snprintf(fault->what, sizeof fault->what, "drive %d is slow", drive);
    disk_slow(f->world, drive, pick(f, 1, 900) * 1000000);
}

/* One command alone is late. */
static void drive_late(struct faults *f, struct fault *fault)
{
    int drive = some_drive(f, fault);
    snprintf(fault->what, sizeof fault->what, "drive %d is late once", drive);
    disk_delay_next(f->world, drive, chance(f, 70) ? DRIVE_WRITE : DRIVE_FLUSH,
                    pick(f, 10, 3000) * 1000000);
}

static void drive_errs(struct faults *f, struct fault *fault)
{
    int drive = some_drive(f, fault);
    snprintf(fault->what, sizeof fault->what, "drive %d errs", drive);
    disk_fail(f->world, drive, chance(f, 60), true);
}

static void drive_vanishes(struct faults *f, struct fault *fault)
{
    int drive = some_drive(f, fault);
    snprintf(fault->what, sizeof fault->what, "drive %d vanishes", drive);
    disk_remove(f->world, drive, true);
    fault->restart = true; /* a loop switch does not look for a drive that is gone */
}

/* The whole tray, with the caches of its drives. */
static void tray_power(struct faults *f, struct fault *fault)
{
    int first = some_drive(f, fault) / 32 * 32;
    crash(f, fault);
    snprintf(fault->what, sizeof fault->what, "power of %s", name_of(f, fault->process));
    for (int d = 0; d < f->site->options.drives; d++)
        disk_power_cut(f->world, first + d);
}

/* ---- the register for everybody, the hosts ---- */

static void register_out(struct faults *f, struct fault *fault)
{
    enum cell_reach reach = (enum cell_reach)pick(f, CELL_REACHED, CELL_FLAKY);
    uint64_t more = reach == CELL_REACHED ? pick(f, 1, 800) * 1000000 : 0;
    snprintf(fault->what, sizeof fault->what, "the register");
    for (int m = 0; m < f->site->options.modules; m++) {
        cell_reach(f->world, f->site->module[m], reach);
        cell_slow(f->world, f->site->module[m], more);
    }
}

static struct host *some_host(struct faults *f)
{
    return f->site->host[random_below(&f->random, f->site->options.hosts)]
                        [random_below(&f->random, f->site->options.switches)];
}

static void host_line(struct faults *f, struct fault *fault)
{
    struct host *host = some_host(f);
    uint64_t dice = random_below(&f->random, 5);
    snprintf(fault->what, sizeof fault->what, "line of a host (%d)", (int)dice);
    if (!host)
        return;
    if (dice == 0)
        host_drop(host);
    else if (dice == 1 && host_stream(host))
        stream_cut(f->world, host_stream(host), true);
    else if (dice == 2 && host_stream(host))
        stream_dribble(f->world, host_stream(host), pick(f, 1, 50) * 1000);
    else if (dice == 3)
        host_mute(host, true);
    else if (host_stream(host))
        stream_reset(f->world, host_stream(host));
}

/* ---- all of them ---- */

const struct variant mishap_any_process[] = {
    {12, crash, false},       {12, crash_in_step, false}, {8, stop, false},
    {8, stop_briefly, false}, {3, stop_for_long, false},  {6, stop_and_reset, false},
    {5, slow, false},         {3, jump, false},           {6, isolate, false},
    {6, unplug, false},       {10, cut_cable, false},     {4, slow_cable, false},
    {6, hold, false},         {5, say_twice, false},      {0, NULL, false},
};
const struct variant mishap_only_module[] = {{6, register_lost, false},
                                             {4, register_slow, false},
                                             {10, delay_past_fence, false},
                                             {0, NULL, false}};
const struct variant mishap_only_tray[] = {
    {10, drive_hangs, true}, {10, drive_slow, true},     {10, drive_late, true},
    {10, drive_errs, true},  {5, drive_vanishes, false}, {8, tray_power, false},
    {0, NULL, false}};
const struct variant mishap_only_register[] = {{1, register_out, false}, {0, NULL, false}};
const struct variant mishap_only_host[] = {{1, host_line, false}, {0, NULL, false}};
const struct variant mishap_nothing[] = {{0, NULL, false}};
