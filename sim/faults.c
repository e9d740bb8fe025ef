/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/faults.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "sim/mishap.h"
#include "sim/stream.h"

/* ---- the memory of the groups ---- */

/* What is acknowledged and not on the drives is in the memories that the record names. */
static bool remembered(const struct faults *f, int group)
{
    const struct record *record = cell_record(f->world, group);
    for (int i = 0; i < record->in_sync.count; i++)
        if (cell_lives(f->world, group, record->in_sync.at[i]))
            return true;
    for (int i = 0; i < record->previous.count; i++)
        if (cell_lives(f->world, group, record->previous.at[i]))
            return true;
    return false;
}

/* A lone primary answers when writes are on the drives, and what it held before is there once it is
 * not called dirty any more: all of that must survive its death. What the drives themselves hold in
 * their caches is another memory. */
static bool memory_counts(const struct faults *f, int group)
{
    const struct record *record = cell_record(f->world, group);
    if (record->clean) /* stopped in order: all is on the drives, flushed */
        return false;
    return f->power_is_out || record->in_sync.count != 1 || record->previous.count > 0 ||
           record->dirty.module != MODULE_NONE;
}

/* The last memory is gone; or the drives lose power after that, and what they had not flushed. */
static bool loses(const struct faults *f, int group, bool lost)
{
    const struct group_memory *m = &f->memory[group];
    return lost && (!m->lost || (f->power_is_out && !m->counted && memory_counts(f, group)));
}

void faults_look(struct faults *f)
{
    for (int g = 0; g < f->site->options.groups; g++) {
        struct group_memory *m = &f->memory[g];
        bool lost = !remembered(f, g);
        if (loses(f, g, lost)) {
            bool counts = memory_counts(f, g);
            world_say(f->world, "-- every memory of g%d is lost%s", g + 1,
                      counts ? "" : ", and all is on its drives");
            if (counts && m->losses++ == 0)
                m->cold_starts = guard_cold_starts(f->site->guard, g);
            if (counts)
                oracle_lost(f->site->oracle, (uint8_t)g, world_now(f->world));
            m->counted = counts;
            reservations_lost(f->site->reservations, (uint8_t)g, world_now(f->world));
        }
        m->lost = lost;
    }
}

bool faults_silent_loss(const struct faults *f, int *group)
{
    for (*group = 0; *group < f->site->options.groups; ++*group) {
        const struct group_memory *m = &f->memory[*group];
        bool mirrored = f->site->options.cache == CACHE_MIRRORED;
        if (mirrored && m->losses && site_primary(f->site, *group) >= 0 &&
            guard_cold_starts(f->site->guard, *group) == m->cold_starts)
            return true;
    }
    return false;
}

/* ---- which, and when ---- */

static bool eligible(const struct faults *f, const struct variant *v, bool drives_only)
{
    return (!drives_only || v->takes == TAKES_DRIVE) && (f->config.wild || v->takes != TAKES_MORE);
}

/* One of those on some lists. */
static const struct variant *choose(struct faults *f, const struct variant *const *lists,
                                    bool drives_only)
{
    uint64_t all = 0;
    for (int i = 0; lists[i]; i++)
        for (const struct variant *v = lists[i]; v->weight; v++)
            all += eligible(f, v, drives_only) ? v->weight : 0;
    uint64_t dice = random_below(&f->random, all);
    for (int i = 0;; i++)
        for (const struct variant *v = lists[i]; v->weight; v++) {
            if (!eligible(f, v, drives_only))
                continue;
            if (dice < v->weight)
                return v;
            dice -= v->weight;
        }
}

static bool any_on(const struct faults *f)
{
    for (int kind = 0; kind < KINDS; kind++)
        if (f->fault[kind].on && kind != KIND_HOST && kind != KIND_PERSON)
            return true;
    return false;
}

/* A dead one reaches them when it lives again. */
static bool reaches(const struct site *site, int module, const struct site_pool *pool)
{
    struct unit_status status;
    if (!site_describe(site, module, pool->group, &status))
        return true;
    for (int i = 0; i < pool->drive_count; i++)
        if (!(status.drives[pool->drives[i] / 32] >> pool->drives[i] % 32 & 1))
            return false;
    return true;
}

/* Each module reaches every drive of each group's pools, as it sees that itself. */
static bool drives_reached(const struct faults *f)
{
    const struct site *site = f->site;
    for (int p = 0; p < site->pools; p++)
        for (int m = 0; m < site->options.modules; m++)
            if (!reaches(site, m, &site->pool[p]))
                return false;
    return true;
}

/* Also in truth: while somebody does not reach the register the record may call a drive good that
 * has missed writes, and shortly afterwards, too; and what it calls good may not be within reach
 * yet. */
static bool drives_good(const struct faults *f)
{
    if (f->fault[KIND_REGISTER].on || world_now(f->world) < f->register_ok_ns ||
        world_now(f->world) < f->drives_ok_ns ||
        (f->fault[KIND_MODULE].on && strstr(f->fault[KIND_MODULE].what, "register")))
        return false;
    for (int g = 0; g < f->site->options.groups; g++)
        for (int d = 0; d < DRIVE_MAX; d++)
            if (cell_record(f->world, g)->drive_state[d] != DRIVE_STATE_GOOD)
                return false;
    return drives_reached(f);
}

/* Also in truth: while the register is out the record may name one that has died, or goes on in
 * another life; and somebody may be about to claim. */
bool faults_in_sync(const struct faults *f)
{
    struct unit_status status;
    for (int g = 0; g < f->site->options.groups; g++) {
        const struct record *record = cell_record(f->world, g);
        if (record->in_sync.count != f->site->options.modules || record->previous.count)
            return false;
        for (int i = 0; i < record->in_sync.count; i++)
            if (!cell_lives(f->world, g, record->in_sync.at[i]))
                return false;
        for (int m = 0; m < f->site->options.modules; m++)
            if (!site_standing(f->site, m, g, &status) || status.epoch != record->epoch ||
                (status.state != UNIT_STATE_PRIMARY && status.state != UNIT_STATE_SECONDARY))
                return false;
    }
    return true;
}

/* A fault of that kind may begin: none of it is on, and what the last one left is healed. */
static bool ready_for(const struct faults *f, enum kind kind)
{
    if (f->fault[kind].on || (kind == KIND_HOST && !f->site->options.iscsi))
        return false;
    if (kind == KIND_TRAY && !f->shape->drives_redundant && !f->config.wild)
        return false;
    if (f->shape->modules_spared && kind != KIND_HOST && kind != KIND_SWITCH && kind != KIND_TRAY)
        return false;
    if (f->config.wild || kind == KIND_HOST || kind == KIND_SWITCH || kind == KIND_PERSON)
        return true;
    if (!any_on(f))
        return site_settled(f->site) && faults_in_sync(f) && (kind != KIND_TRAY || drives_good(f));
    return kind == KIND_TRAY ? drives_good(f) : faults_in_sync(f);
}

static const int *victims(const struct faults *f, enum kind kind, int *count)
{
    const struct site *site = f->site;
    *count = kind == KIND_MODULE   ? site->options.modules
             : kind == KIND_SWITCH ? site->options.switches
             : kind == KIND_TRAY   ? site->options.loops
                                   : 0;
    return kind == KIND_MODULE ? site->module : kind == KIND_SWITCH ? site->iswitch : site->loop;
}

static const struct variant *choose_variant(struct faults *f, enum kind kind)
{
    static const struct variant *const of[KINDS][4] = {
        [KIND_MODULE] = {mishap_any_process, mishap_only_module, moment_module},
        [KIND_SWITCH] = {mishap_any_process, mishap_only_switch, moment_switch},
        [KIND_TRAY] = {mishap_any_process, tray_only, moment_tray},
        [KIND_REGISTER] = {mishap_only_register},
        [KIND_HOST] = {mishap_only_host},
        [KIND_PERSON] = {person_acts},
    };
    return choose(f, of[kind], kind == KIND_TRAY && !f->shape->trays_redundant && !f->config.wild);
}

static void begin_fault(struct faults *f, enum kind kind)
{
    struct fault *fault = &f->fault[kind];
    int count;
    const int *process = victims(f, kind, &count);
    mishap_wait_for_work(f);
    faults_look(f);
    if (!ready_for(f, kind)) /* no longer */
        return;
    *fault = (struct fault){.on = true, .process = NOBODY};
    if (count)
        fault->process = process[random_below(&f->random, (uint64_t)count)];
    if (count && !world_living(f->world, fault->process)) { /* by a power cut, or within a step */
        fault->on = false;
        return;
    }
    uint64_t for_ns = pick(f, 1, chance(f, 15) ? 8000 : 700) * 1000000;
    choose_variant(f, kind)->begin(f, fault);
    if (fault->end_ns == 0)
        fault->end_ns = world_now(f->world) + for_ns;
    if (!fault->on && !fault->all) /* there was nothing to befall */
        return;
    fault->on = true;
    world_say(f->world, "-- fault %u: %s", f->number, fault->what);
    f->count++;
}

/* All parts but the register and the hosts, until then. */
static void befall_all(struct faults *f, const char *what, uint64_t end_ns)
{
    for (int kind = KIND_MODULE; kind <= KIND_TRAY; kind++) {
        if (f->fault[kind].on && !f->config.wild)
            continue;
        if (f->fault[kind].on && f->fault[kind].end_ns == 0) { /* it is just beginning */
            f->fault[kind].all = true;
            continue;
        }
        if (f->fault[kind].on && f->fault[kind].ending)
            f->fault[kind].ending(f, &f->fault[kind]);
        f->fault[kind] = (struct fault){
            .on = true, .process = NOBODY, .end_ns = end_ns + pick(f, 0, 5) * 1000000};
        snprintf(f->fault[kind].what, sizeof f->fault[kind].what, "%s", what);
    }
    world_say(f->world, "-- fault %u: %s", f->number, what);
    f->count++;
}

/* A machine that is suspended: everything stops, and goes on at almost the same moment. */
static void sleep_all(struct faults *f)
{
    for (int p = 0; p < world_processes(f->world); p++)
        if (world_living(f->world, p) && !world_paused(f->world, p))
            world_pause(f->world, p);
    uint64_t ms = chance(f, 10) ? pick(f, 3000, 60000) : pick(f, 60, 2500);
    befall_all(f, "sleep of everything", world_now(f->world) + MS(1) * ms);
}

void faults_all_end(struct faults *f, const char *what, bool power)
{
    f->power_is_out = power;
    if (power)
        world_power_cut(f->world);
    for (int p = 0; p < world_processes(f->world); p++)
        if (world_living(f->world, p))
            world_crash(f->world, p);
    faults_look(f);
    f->power_is_out = false;
    befall_all(f, what, world_now(f->world));
    for (int kind = KIND_MODULE; kind <= KIND_TRAY; kind++)
        f->fault[kind].end_ns += pick(f, 1, 900) * 1000000;
}

void faults_power_fails(struct faults *f)
{
    faults_all_end(f, "power cut", true);
}

/* Some parts hear only each other. */
static void partition(struct faults *f)
{
    uint64_t side = random_next(&f->random);
    bool one_way = chance(f, 25);
    for (int p = 0; p < world_processes(f->world); p++)
        for (int q = p + 1; q < world_processes(f->world); q++)
            if (link_exists(f->world, p, q) && (side >> p & 1) != (side >> q & 1))
                link_cut(f->world, p, q, one_way ? side >> p & 1 ? LINK_TO : LINK_FROM : LINK_BOTH);
    for (int kind = KIND_MODULE; kind <= KIND_TRAY; kind++)
        if (!f->fault[kind].on)
            f->fault[kind] =
                (struct fault){.on = true,
                               .process = NOBODY,
                               .end_ns = world_now(f->world) + pick(f, 1, 3000) * 1000000,
                               .what = "partition"};
    f->count++;
}

/* ---- their ends ---- */

static void mend_process(struct faults *f, int process)
{
    struct world *world = f->world;
    if (f->dying == process)
        f->dying = NOBODY;
    if (world_living(world, process) && world_paused(world, process))
        world_resume(world, process);
    if (!world_living(world, process))
        world_start(world, process);
    world_slow(world, process, 0);
    cell_reach(world, process, CELL_REACHED);
    cell_slow(world, process, 0);
    for (int q = 0; q < world_processes(world); q++)
        if (link_exists(world, process, q)) {
            bool lost = link_loses(world, process, q) || link_loses(world, q, process);
            link_lose_kinds(world, process, q, 0);
            link_lose_kinds(world, q, process, 0);
            link_restore(world, process, q);
            link_slow(world, process, q, 0);
            link_narrow(world, process, q, 0);
            if (lost) /* a stream that has lost something ends */
                link_break(world, process, q, true);
        }
}

static void mend_drives(struct faults *f)
{
    for (int l = 0; l < f->site->options.loops; l++)
        for (int d = 0; d < f->site->options.drives; d++) {
            disk_hang(f->world, l * 32 + d, false);
            disk_slow(f->world, l * 32 + d, 0);
            disk_fail(f->world, l * 32 + d, false, false);
            disk_remove(f->world, l * 32 + d, false);
            if (!f->config.wild) /* there it meets the copying of another drive */
                disk_unspoil(f->world, l * 32 + d);
            disk_delay_next(f->world, l * 32 + d, DRIVE_WRITE, 0);
        }
}

static void mend_hosts(struct faults *f)
{
    for (int h = 0; h < f->site->options.hosts; h++)
        for (int s = 0; s < f->site->options.switches; s++) {
            struct host *host = f->site->host[h][s];
            if (!host)
                continue;
            host_mute(host, false);
            if (host_stream(host)) {
                stream_cut(f->world, host_stream(host), false);
                stream_dribble(f->world, host_stream(host), 0);
            }
        }
}

/* What was on ends; other kinds may still be on, so only its own things are mended. */
static void end_fault(struct faults *f, enum kind kind)
{
    struct fault *fault = &f->fault[kind];
    int count;
    const int *process = victims(f, kind, &count);
    world_say(f->world, "-- end of %s", fault->what);
    faults_look(f);
    if (fault->ending)
        fault->ending(f, fault);
    fault->on = false;
    if (kind == KIND_TRAY)
        f->drives_ok_ns = world_now(f->world) + MS(300);
    if (strstr(fault->what, "register"))
        f->register_ok_ns = world_now(f->world) + MS(1500);
    if (kind == KIND_TRAY)
        mend_drives(f);
    if (fault->restart && world_living(f->world, fault->process))
        world_crash(f->world, fault->process);
    for (int i = 0; i < count; i++)
        if (fault->all || fault->process == NOBODY || fault->process == process[i])
            mend_process(f, process[i]);
    for (int l = 0; kind == KIND_TRAY && l < f->site->options.loops; l++)
        site_seat_drives(f->site, l);
    if (kind == KIND_HOST)
        mend_hosts(f);
    for (int m = 0; kind == KIND_REGISTER && m < f->site->options.modules; m++) {
        cell_reach(f->world, f->site->module[m], CELL_REACHED);
        cell_slow(f->world, f->site->module[m], 0);
    }
}

/* ---- their life ---- */

static void next(struct faults *f)
{
    f->number++;
    f->random.state = (f->config.seed << 10) + f->number;
    bool at_once = chance(f, 25); /* two of different kinds meet */
    f->next_ns = world_now(f->world) + pick(f, 0, at_once ? MS(200) : f->config.gap_ns);
}

struct faults *faults_new(struct site *site, const struct shape *shape,
                          const struct faults_config *config)
{
    struct faults *f = calloc(1, sizeof *f);
    must(f);
    f->site = site;
    f->world = site->world;
    f->shape = shape;
    f->config = *config;
    f->dying = NOBODY;
    struct world_tamper tamper = {.context = f, .fate = mishap_fate};
    world_tamper(f->world, &tamper);
    next(f);
    return f;
}

void faults_free(struct faults *f)
{
    struct world_tamper none = {0};
    world_tamper(f->world, &none);
    free(f);
}

uint32_t faults_count(const struct faults *f)
{
    return f->count;
}

uint64_t faults_next_ns(const struct faults *f)
{
    uint64_t at = f->next_ns;
    for (int kind = 0; kind < KINDS; kind++) {
        const struct fault *fault = &f->fault[kind];
        if (fault->on && fault->end_ns < at)
            at = fault->end_ns;
        if (fault->on && fault->again_ns && fault->again_ns < at)
            at = fault->again_ns;
    }
    return at;
}

/* A drive's command that was delayed is as long as it is: its fault ends with it. */
static bool lasts(struct faults *f, struct fault *fault, enum kind kind)
{
    uint64_t late_ns = 0;
    for (int l = 0; kind == KIND_TRAY && l < f->site->options.loops; l++) {
        uint64_t ns = disk_late_ns(f->world, f->site->loop[l]);
        late_ns = ns > late_ns ? ns : late_ns;
    }
    if (late_ns <= world_now(f->world) + MS(100))
        return false;
    fault->end_ns = late_ns + MS(1);
    return true;
}

void faults_end_due(struct faults *f)
{
    for (int kind = 0; kind < KINDS; kind++) {
        struct fault *fault = &f->fault[kind];
        uint64_t now = world_now(f->world);
        if (fault->on && fault->again && fault->again_ns && now >= fault->again_ns) {
            fault->again_ns = 0;
            fault->again(f, fault);
        }
        if (fault->on && fault->end_ns && now >= fault->end_ns &&
            (f->config.wild || !lasts(f, fault, (enum kind)kind)))
            end_fault(f, (enum kind)kind);
    }
}

static void begin_some(struct faults *f)
{
    static const uint32_t weights[KINDS] = {30, 16, 26, 8, 8, 12};
    uint64_t all = 0;
    for (int kind = 0; kind < KINDS; kind++)
        all += ready_for(f, (enum kind)kind) ? weights[kind] : 0;
    if (all == 0)
        return;
    uint64_t dice = random_below(&f->random, all);
    for (int kind = 0; kind < KINDS; kind++) {
        uint32_t weight = ready_for(f, (enum kind)kind) ? weights[kind] : 0;
        if (dice < weight) {
            begin_fault(f, (enum kind)kind);
            return;
        }
        dice -= weight;
    }
}

void faults_turn(struct faults *f)
{
    faults_end_due(f);
    if (world_now(f->world) < f->next_ns)
        return;
    uint64_t dice = random_below(&f->random, 100);
    bool calm = !any_on(f) && site_settled(f->site) && faults_in_sync(f);
    if (f->number < FAULTS_NUMBERED && f->config.without[f->number])
        ;
    else if (f->shape->modules_spared)
        begin_some(f);
    else if (f->config.wild && dice < 6)
        faults_power_fails(f);
    else if (f->config.wild && dice < 12)
        partition(f);
    else if (dice < 16 && (f->config.wild || calm))
        sleep_all(f);
    else
        begin_some(f);
    next(f);
}

void faults_end(struct faults *f)
{
    faults_look(f);
    for (int kind = 0; kind < KINDS; kind++)
        if (f->fault[kind].on)
            end_fault(f, (enum kind)kind);
    cell_next_swap(f->world, CELL_REACHED);
    for (int d = 0; d < f->site->options.loops * f->site->options.drives; d++)
        disk_unspoil(f->world, d / f->site->options.drives * 32 + d % f->site->options.drives);
    f->dying = NOBODY;
    for (int p = 0; p < world_processes(f->world); p++)
        world_slow(f->world, p, 0);
}
