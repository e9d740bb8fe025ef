/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong with drives and their trays. */
#include <stdio.h>

#include "array/layout.h"
#include "base/must.h"
#include "sim/mishap.h"

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
    disk_delay_next(
        f->world, drive, chance(f, 70) ? DRIVE_WRITE : DRIVE_FLUSH,
        pick(f, MS(10), f->site->options.limits.drive_total_ns * (chance(f, 30) ? 2 : 1) / 2));
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
    fault->restart = chance(f, 30); /* else its loop switch finds it again */
}

/* What the drive holds is somewhere else, too. */
static bool has_copy(const struct faults *f, int drive)
{
    if (!f->shape->drives_redundant || f->fault[KIND_REGISTER].on ||
        world_now(f->world) < f->register_ok_ns)
        return false;
    for (int g = 0; g < f->site->options.groups; g++)
        for (int d = 0; d < DRIVE_MAX; d++)
            if (d != drive && cell_record(f->world, g)->drive_state[d] != DRIVE_STATE_GOOD)
                return false;
    return true;
}

/* The whole tray, with the caches of its drives; without them if nobody else has what they hold: no
 * array without redundancy outlives that. */
static void tray_power(struct faults *f, struct fault *fault)
{
    int first = some_drive(f, fault) / 32 * 32;
    mishap_crash(f, fault);
    snprintf(fault->what, sizeof fault->what, "power of %s", name_of(f, fault->process));
    bool spared = f->shape->trays_redundant, cut = false;
    for (int d = 0; spared && d < f->site->options.drives && has_copy(f, first + d); d++) {
        disk_power_cut(f->world, first + d);
        cut = true;
    }
    for (int g = 0; cut && g < f->site->options.groups; g++)
        if (site_only_copy(f->site, first / 32, g))
            oracle_lost(f->site->oracle, (uint8_t)g, world_now(f->world));
}

/* Some blocks cannot be read any more, until somebody writes them: most of them where data is. */
static void blocks_spoil(struct faults *f, struct fault *fault)
{
    enum { CHUNK = 64 << 10 };
    int drive = some_drive(f, fault);
    uint64_t size = disk_size(f->world, drive);
    snprintf(fault->what, sizeof fault->what, "blocks of drive %d are unreadable", drive);
    for (uint64_t left = pick(f, 1, 24), tries = 0; left > 0 && tries < 400; tries++) {
        uint64_t at = LAYOUT_DATA + random_below(&f->random, (size - LAYOUT_DATA) / 512) * 512;
        if (!disk_touched(f->world, drive, at, 512))
            continue;
        uint64_t blocks = pick(f, 1, 8);
        for (; blocks > 0 && left > 0; blocks--, left--, at += 512)
            if (at < size)
                disk_spoil(f->world, drive, at);
    }
}

/* A new one in place of another, while the tray is off; the same one if nobody else has its data.
 */
static void put_blank(struct faults *f, struct fault *fault)
{
    if (world_living(f->world, fault->process))
        world_crash(f->world, fault->process);
    if (has_copy(f, fault->drive[0]))
        disk_blank(f->world, fault->drive[0]);
}

/* The loop switch is told what is in a slot, as io/ does. False: it cannot be. */
static bool tell_tray(struct faults *f, int drive, bool online)
{
    struct part *part = world_part_of_port(f->world, port_loop(drive / 32));
    struct event event = {.kind = EVENT_TRAY};
    if (!part->machine || world_paused(f->world, part->process))
        return false;
    event.tray.slot = (uint8_t)(drive % 32);
    event.tray.online = online;
    event.tray.bytes = f->site->options.drive_bytes;
    event.tray.block_bytes = 512;
    event.tray.serial = "SIM";
    world_step_part(f->world, part, &event);
    return true;
}

static bool is_idle(const struct faults *f, int drive)
{
    struct disk_pending pending;
    for (uint32_t i = 0; disk_pending(f->world, i, &pending); i++)
        if (pending.number == drive)
            return false;
    return true;
}

/* ... while the tray is on, and serves the others. */
static void put_blank_hot(struct faults *f, struct fault *fault)
{
    int drive = fault->drive[0];
    if (!is_idle(f, drive) || !tell_tray(f, drive, false)) {
        put_blank(f, fault);
        return;
    }
    if (has_copy(f, drive))
        disk_blank(f->world, drive);
    disk_remove(f->world, drive, false);
    tell_tray(f, drive, true);
}

static void exchange(struct faults *f, struct fault *fault)
{
    bool hot = chance(f, 50);
    fault->drive[0] = some_drive(f, fault);
    snprintf(fault->what, sizeof fault->what, "drive %d is exchanged%s", fault->drive[0],
             hot ? ", hot" : "");
    disk_remove(f->world, fault->drive[0], true);
    fault->restart = !hot;
    fault->ending = hot ? put_blank_hot : put_blank;
    if (hot)
        tell_tray(f, fault->drive[0], false);
}

/* Two of a tray in each other's place, for a while. */
static void swap_back(struct faults *f, struct fault *fault)
{
    if (world_living(f->world, fault->process))
        world_crash(f->world, fault->process);
    disk_swap(f->world, fault->drive[0], fault->drive[1]);
}

static void mix_up(struct faults *f, struct fault *fault)
{
    fault->drive[0] = some_drive(f, fault);
    fault->drive[1] = some_drive(f, fault);
    if (fault->drive[0] == fault->drive[1] ||
        (fault->drive[0] - fault->drive[1]) % f->site->options.groups != 0) { /* another bank's */
        exchange(f, fault);
        return;
    }
    snprintf(fault->what, sizeof fault->what, "drives %d and %d are mixed up", fault->drive[0],
             fault->drive[1]);
    swap_back(f, fault);
    world_start(f->world, fault->process);
    fault->ending = swap_back;
    fault->end_ns = world_now(f->world) + pick(f, 50, 1800) * 1000000; /* it is a good while */
}

const struct variant tray_only[] = {
    {20, drive_hangs, TAKES_DRIVE},  {20, drive_slow, TAKES_DRIVE},
    {30, drive_late, TAKES_DRIVE},   {20, drive_errs, TAKES_DRIVE},
    {30, blocks_spoil, TAKES_DRIVE}, {8, drive_vanishes, TAKES_PART},
    {26, exchange, TAKES_PART},      {18, mix_up, TAKES_PART},
    {14, tray_power, TAKES_PART},    {0, NULL, TAKES_PART}};
