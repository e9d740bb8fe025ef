/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/shape.h"

#include "array/layout.h"

static uint64_t pick(struct random *random, uint64_t least, uint64_t most)
{
    return random_between(random, least, most);
}

/* One of these, by weights that end with 0. */
static uint8_t weighted(struct random *random, const uint8_t *weights, uint8_t first)
{
    uint64_t all = 0;
    for (int i = 0; weights[i]; i++)
        all += weights[i];
    uint64_t dice = random_below(random, all);
    uint8_t i = 0;
    while (dice >= weights[i])
        dice -= weights[i++];
    return (uint8_t)(first + i);
}

static void choose_world(struct random *random, struct world_config *w)
{
    w->link_delay_ns = pick(random, 5, 200) * 1000;
    w->link_jitter_ns = pick(random, 0, 300) * 1000;
    w->disk_delay_ns = pick(random, 20, 400) * 1000;
    w->disk_jitter_ns = pick(random, 0, 3000) * 1000;
    w->cell_delay_ns = pick(random, 50, 2000) * 1000;
    w->deaths_unknown = random_chance(random, 30);
    w->same_clock = random_chance(random, 40);
}

/* A level that so many loop switches can carry, if one of them is lost. */
static uint8_t choose_level(struct random *random, uint8_t loops)
{
    if (loops > 1 && random_chance(random, 40))
        return loops > 2 && random_chance(random, 50) ? RAID_5 : RAID_6;
    return random_chance(random, 10) ? RAID_0 : random_chance(random, 30) ? RAID_10 : RAID_1;
}

static bool any_of(const struct site_options *o, enum raid_level level)
{
    return o->level == level || (o->pools > 1 && o->pool[1].level == level);
}

/* How many drives a pool has on each tray. Of RAID 5 one may be lost, and so a tray with one. */
static uint8_t choose_slots(struct site_options *o)
{
    uint8_t slots = o->loops == 1 || (any_of(o, RAID_10) && o->loops <= 3) ||
                            (any_of(o, RAID_6) && o->loops <= 3)
                        ? 2
                        : 1;
    if (slots > 1 && o->level == RAID_5)
        o->level = RAID_6;
    if (slots > 1 && o->pool[1].level == RAID_5)
        o->pool[1].level = RAID_6;
    return slots;
}

static uint8_t choose_cache(struct random *random)
{
    return random_chance(random, 35) ? CACHE_WRITE_THROUGH : CACHE_MIRRORED;
}

/* Mirrors of pools are on different trays, if there are any; with one tray on two of its drives. */
static void choose_pools(struct random *random, struct shape *shape)
{
    struct site_options *o = &shape->options;
    o->pools = random_chance(random, 30) ? 2 : 1;
    o->level = choose_level(random, o->loops);
    o->cache = choose_cache(random);
    o->pool[1].level = choose_level(random, o->loops);
    o->pool[1].cache = choose_cache(random);
    bool zero = any_of(o, RAID_0);
    o->drives = (uint8_t)(choose_slots(o) * o->pools * o->groups);
    o->chunk_bytes = random_chance(random, 50) ? 0 : 4096u << random_below(random, 8);
    shape->drives_redundant = !zero;
    shape->trays_redundant = !zero && o->loops > 1;
}

static void choose_volumes(struct random *random, struct site_options *o)
{
    o->volumes = (uint8_t)pick(random, 1, 2);
    o->volume_bytes = pick(random, 2, 5) << 20;
    o->drive_bytes = LAYOUT_DATA + ((uint64_t)o->volumes * o->volume_bytes + LAYOUT_UNIT) +
                     3 * LAYOUT_UNIT + REDO_SLOTS * REDO_BYTES_MAX;
    o->large_blocks = random_chance(random, 40) ? (uint16_t)random_next(random) : 0;
}

static void choose_work(struct random *random, struct shape *shape, uint8_t hosts)
{
    struct workload_config *w = &shape->work;
    shape->span_ms =
        (uint32_t)(random_chance(random, 20) ? pick(random, 2000, 5000) : pick(random, 300, 2000));
    w->hosts = shape->options.hosts;
    w->depth = (uint8_t)pick(random, 1, random_chance(random, 20) ? 24 : 10);
    w->length_max = (uint32_t)pick(random, 1, 24);
    uint64_t slots = (uint64_t)w->hosts * w->depth;
    w->think_ns = MS(1) * shape->span_ms * slots / 100; /* half of it on the average */
    if (hosts && hosts < w->hosts)
        shape->options.hosts = w->hosts = hosts;
    w->path_ns = MS(8000);
    w->patient = random_chance(random, 50);
    w->mixture = random_chance(random, 35)   ? WORKLOAD_READING
                 : random_chance(random, 25) ? WORKLOAD_FLUSHING
                                             : WORKLOAD_MIXED;
    if (random_chance(random, 30)) { /* in a hurry; a silent line is noticed before that */
        w->path_ns = pick(random, 400, 3000) * 1000000;
        shape->options.limits.nop_ns = w->path_ns / 3;
    }
    w->abort_ns = random_chance(random, 50) ? pick(random, 400, 6000) * 1000000 : 0;
    if (!shape->options.iscsi) /* a submitter withdraws nothing: it could be sent again later */
        w->abort_ns = 0;
    w->repeat_ns = random_chance(random, 50) ? MS(5) : pick(random, 100, 1000) * 1000000;
    w->reset_each = random_chance(random, 25) ? (uint32_t)pick(random, 40, 300) : 0;
    w->reserved = -1;
    if (random_chance(random, 35))
        w->reserved =
            (int)random_below(random, (uint64_t)shape->options.volumes * shape->options.groups);
}

void shape_choose(struct shape *shape, uint64_t seed, bool wild, uint8_t hosts)
{
    static const uint8_t modules[] = {36, 50, 14, 0}, switches[] = {15, 65, 20, 0},
                         loops[] = {10, 55, 20, 15, 0};
    struct random chance = {seed * 2 + 1}, *random = &chance;
    *shape = (struct shape){.options = site_options_default(seed)};
    struct site_options *o = &shape->options;
    choose_world(random, &o->world);
    o->modules = weighted(random, modules, 2);
    o->switches = weighted(random, switches, 1);
    o->loops = weighted(random, loops, 1);
    o->groups = random_chance(random, 12) ? 1 : 2;
    o->standby = random_chance(random, 20);
    o->iscsi = random_chance(random, 50);
    o->hosts = (uint8_t)pick(random, 1, 4);
    o->limits.settle_ns = pick(random, 300, 4000) * 1000000;
    if (random_chance(random, 35)) { /* a drive is given up within the history */
        o->limits.drive_ns = pick(random, 150, 300) * 1000000;
        o->limits.drive_total_ns = 5 * o->limits.drive_ns;
        o->limits.drain_ns = o->limits.drive_ns; /* a fence takes less than a drive may */
    }
    o->host_retry_ns = random_chance(random, 70) ? MS(20) : pick(random, 1, 3000) * 1000000;
    choose_pools(random, shape);
    choose_volumes(random, o);
    if (wild && random_chance(random, 50)) {
        o->cache = o->pool[1].cache = CACHE_WRITE_THROUGH;
    }
    choose_work(random, shape, hosts);
    shape->work.seed = seed + 1;
    shape->modules_spared = random_chance(random, 12);
}

void shape_areas(struct shape *shape, const struct site *site)
{
    struct random chance = {shape->options.world.seed * 2 + 2}, *random = &chance;
    const uint64_t region = LAYOUT_UNIT / BLOCK_BYTES;
    uint64_t chunk = shape->options.chunk_bytes / BLOCK_BYTES;
    chunk = chunk ? chunk : 128;
    bool hot = random_chance(random, 50); /* all hosts want the same few blocks */
    if (hot)
        shape->work.length_max = (uint32_t)pick(random, 1, 8);
    for (int v = 0; v < site->volumes; v++)
        for (int i = 0; i < WORKLOAD_AREAS; i++) {
            uint64_t blocks = site->volume[v].blocks;
            uint64_t width = hot ? pick(random, 4, 24) : pick(random, 8, 300);
            uint64_t dice = random_below(random, 100), middle;
            if (dice < 40)
                middle = pick(random, 1, blocks / region - 1) * region;
            else if (dice < 55)
                middle = pick(random, 1, blocks / chunk - 1) * chunk;
            else if (dice < 65)
                middle = blocks;
            else
                middle = dice < 75 ? 0 : random_below(random, blocks);
            uint64_t from = middle > width / 2 ? middle - width / 2 : 0;
            if (from > blocks - width)
                from = blocks - width;
            shape->work.area[v][i] = (struct workload_area){from, width};
        }
    for (int v = site->volumes; v < SITE_VOLUMES; v++) /* made later */
        for (int i = 0; i < WORKLOAD_AREAS; i++)
            shape->work.area[v][i] = (struct workload_area){0, 24};
}

void shape_disturb(const struct shape *shape, struct site *site)
{
    struct random chance = {shape->options.world.seed * 2 + 3}, *random = &chance;
    struct world *world = site->world;
    bool slow = random_chance(random, 60);
    int32_t drift = random_chance(random, 85) ? 200 : 10000;
    for (int p = 0; p < world_processes(world); p++) {
        if (!shape->options.world.same_clock)
            world_clock_drift(world, p, (int32_t)pick(random, 0, (uint64_t)drift * 2) - drift);
        for (int q = p + 1; q < world_processes(world); q++)
            if (slow && link_exists(world, p, q) && random_chance(random, 25))
                link_slow(world, p, q, pick(random, 100, 5000) * 1000);
    }
}
