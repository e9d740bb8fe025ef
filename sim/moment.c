/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of modules that wait for their moment: something was answered, control is being given
 * away, a claim stands in the record. Most rules of the protocol only count within some
 * milliseconds. */
#include <stdio.h>

#include "base/must.h"
#include "sim/mishap.h"

static int module_of(const struct faults *f, int process)
{
    for (int m = 0; m < f->site->options.modules; m++)
        if (f->site->module[m] == process)
            return m;
    return NOBODY;
}

static int some_group(struct faults *f)
{
    return (int)random_below(&f->random, f->site->options.groups);
}

/* Mostly at once, else a little later. */
static void a_moment(struct faults *f, uint64_t most_ms)
{
    if (!chance(f, 40))
        mishap_run(f, pick(f, 0, MS(most_ms)));
}

static void strike(struct faults *f, struct fault *fault, int process)
{
    fault->process = process;
    uint64_t dice = random_below(&f->random, 10);
    if (dice < 5)
        mishap_crash(f, fault);
    else if (dice < 8)
        mishap_stop(f, fault);
    else
        mishap_isolate(f, fault);
}

static void say(struct fault *fault, const char *when)
{
    size_t length = strlen(fault->what);
    snprintf(fault->what + length, sizeof fault->what - length, ", %s", when);
}

/* ---- drives that take their time ---- */

/* What was answered takes its time until it is on the drives. */
static void slow_drives(struct faults *f, uint64_t more_ns)
{
    for (int l = 0; l < f->site->options.loops; l++)
        for (int d = 0; d < f->site->options.drives; d++)
            disk_slow(f->world, l * 32 + d, more_ns);
}

static void fast_again(struct faults *f, struct fault *fault)
{
    (void)fault;
    slow_drives(f, 0);
}

static void perhaps_slow_drives(struct faults *f, struct fault *fault)
{
    if (!chance(f, f->config.wild ? 60 : 35) || (f->fault[KIND_TRAY].on && !f->config.wild))
        return;
    slow_drives(f, pick(f, 1, 40) * 1000000);
    fault->ending = fast_again;
}

static void call_off(struct faults *f, struct fault *fault)
{
    if (fault->ending)
        fault->ending(f, fault);
    fault->on = false;
}

/* ---- after an answer ---- */

static bool counts(const struct op *op)
{
    return op->begun_ns && op->state == OP_STATE_WAITING && op->kind != OP_READ &&
           op->kind != OP_VERIFY && op->kind != OP_MANAGE && op->kind != OP_TASK;
}

/* A command that is under way, of some kind that changes something; fault->op. */
static bool chosen(struct faults *f, struct fault *fault)
{
    enum { BACK = 200 };
    struct clients *clients = f->site->clients;
    uint32_t last = clients_count(clients), found = 0;
    bool rare = fault->drive[0]; /* a flush, FUA, or a reservation */
    for (uint32_t i = 0; i < BACK && i < last; i++) {
        struct op *op = op_of(clients, last - i);
        bool is_rare = op->kind == OP_FLUSH || op->fua || op->kind == OP_CDB;
        if (counts(op) && (!rare || is_rare) && random_below(&f->random, ++found) == 0)
            fault->op = op->ticket;
    }
    return fault->op != 0;
}

static bool answered(struct faults *f, struct fault *fault)
{
    return op_of(f->site->clients, fault->op)->state != OP_STATE_WAITING;
}

/* Runs until a command was answered, and then a moment. The group's primary, or NOBODY. */
static int after_an_answer(struct faults *f, struct fault *fault)
{
    fault->drive[0] = chance(f, 50);
    if (!mishap_until(f, chosen, fault, MS(200)))
        return NOBODY;
    mishap_until(f, answered, fault, MS(300));
    a_moment(f, 20);
    int m = site_primary(f->site, op_of(f->site->clients, fault->op)->group);
    return m < 0 ? NOBODY : f->site->module[m];
}

static void answer_and_strike(struct faults *f, struct fault *fault)
{
    perhaps_slow_drives(f, fault);
    int process = after_an_answer(f, fault);
    if (!f->config.wild && !faults_in_sync(f)) { /* no longer */
        call_off(f, fault);
        return;
    }
    if (process == NOBODY)
        process = fault->process;
    strike(f, fault, process);
    say(fault, "after an answer");
}

static void answer_and_power(struct faults *f, struct fault *fault)
{
    after_an_answer(f, fault);
    faults_power_fails(f);
    snprintf(fault->what, sizeof fault->what, "power cut after an answer");
}

/* ---- while control is given away ---- */

static void ask_move(struct faults *f, int from, int group, int to)
{
    uint8_t bytes[MANAGE_REQUEST_BYTES_MAX];
    struct manage_request request = {
        .verb = MANAGE_GROUP_MOVE, .group = (uint8_t)group, .module = (uint8_t)to};
    struct op *op =
        op_manage(f->site->clients, bytes, manage_encode(&request, bytes, sizeof bytes));
    op->group = (uint8_t)group;
    op->path = (uint8_t)(SWITCH_MAX + from);
    op_begin(f->site->clients, op);
}

static bool moves(struct faults *f, struct fault *fault)
{
    return cell_record(f->world, fault->drive[0])->previous.count > 0;
}

static void move_and_strike(struct faults *f, struct fault *fault)
{
    int group = fault->drive[0] = some_group(f), from = site_primary(f->site, group);
    int to = (int)random_below(&f->random, f->site->options.modules);
    if (from < 0 || from == to || f->site->options.modules < 2) {
        mishap_crash(f, fault);
        return;
    }
    perhaps_slow_drives(f, fault);
    ask_move(f, from, group, to);
    if (chance(f, 60))
        mishap_until(f, moves, fault, MS(400));
    mishap_run(f, pick(f, 0, MS(chance(f, 50) ? 3 : 30)));
    if (!f->config.wild && f->fault[KIND_TRAY].on) { /* who is fencing fails what does not answer */
        call_off(f, fault);
        return;
    }
    strike(f, fault, f->site->module[chance(f, 65) ? from : to]);
    say(fault, "in a move");
}

/* ---- as soon as all are in sync again ---- */

static bool in_sync(struct faults *f, struct fault *fault)
{
    (void)fault;
    return faults_in_sync(f);
}

static void return_and_strike(struct faults *f, struct fault *fault)
{
    int group = some_group(f), gone = module_of(f, fault->process);
    perhaps_slow_drives(f, fault);
    mishap_crash(f, fault);
    mishap_run(f, pick(f, 0, MS(chance(f, 50) ? 20 : 300)));
    if (!world_living(f->world, fault->process))
        world_start(f->world, fault->process);
    bool again = mishap_until(f, in_sync, fault, MS(1500));
    if (chance(f, 60))
        mishap_run(f, pick(f, 0, MS(5)));
    int m = site_primary(f->site, group);
    if (!again || !faults_in_sync(f) || m < 0 || m == gone ||
        (f->fault[KIND_TRAY].on && !f->config.wild))
        return;
    strike(f, fault, f->site->module[m]);
    say(fault, "all are in sync");
}

/* ---- a claim whose swap nobody can be sure of ---- */

static void die_and_unknown(struct faults *f, struct fault *fault)
{
    int m = site_primary(f->site, some_group(f));
    if (m >= 0)
        fault->process = f->site->module[m];
    cell_next_swap(f->world, (enum cell_reach)pick(f, CELL_UNREACHED, CELL_DEAF));
    strike(f, fault, fault->process);
    say(fault, "swap of the register unknown");
}

/* ---- more than the redundancy spares ---- */

static int module_process(const struct faults *f, struct member member)
{
    return member.module < f->site->options.modules ? f->site->module[member.module] : NOBODY;
}

static void second_strike(struct faults *f, struct fault *fault, int process)
{
    if (process != NOBODY && world_living(f->world, process) && !world_paused(f->world, process))
        strike(f, fault, process);
}

static bool served(struct faults *f, struct fault *fault)
{
    return cell_record(f->world, fault->drive[0])->previous.count == 0;
}

static bool lone(struct faults *f, struct fault *fault)
{
    const struct record *record = cell_record(f->world, fault->drive[0]);
    return record->in_sync.count == 1 && record->previous.count == 0;
}

/* Somebody claims; he dies too, as soon as he serves or before, or whoever the record still names
 * does, or the first one comes back. */
static void claim_and_strike(struct faults *f, struct fault *fault)
{
    int group = fault->drive[0] = some_group(f), m = site_primary(f->site, group);
    perhaps_slow_drives(f, fault);
    if (m >= 0) {
        strike(f, fault, f->site->module[m]);
        int first = fault->process;
        mishap_until(f, moves, fault, MS(900));
        bool serves = chance(f, 50);
        if (serves)
            mishap_until(f, served, fault, MS(900));
        a_moment(f, serves ? 10 : 30);
        const struct record *record = cell_record(f->world, group);
        uint64_t dice = random_below(&f->random, 3);
        if (dice == 0 && record->previous.count)
            second_strike(
                f, fault,
                module_process(
                    f, record->previous.at[random_below(&f->random, record->previous.count)]));
        else if (dice == 1 && world_living(f->world, first) && world_paused(f->world, first))
            world_resume(f->world, first);
        else
            second_strike(f, fault, module_process(f, record->primary));
    }
    fault->process = NOBODY;
    snprintf(fault->what, sizeof fault->what, "claim of g%d struck", group + 1);
}

/* The others go, the one that is left works on, and dies while they come back. */
static void lone_and_strike(struct faults *f, struct fault *fault)
{
    int group = fault->drive[0] = some_group(f), m = site_primary(f->site, group);
    perhaps_slow_drives(f, fault);
    for (int i = 0; i < f->site->options.modules && m >= 0; i++)
        if (i != m && world_living(f->world, f->site->module[i]))
            world_crash(f->world, f->site->module[i]);
    mishap_until(f, lone, fault, MS(400));
    mishap_run(f, pick(f, 0, MS(chance(f, 60) ? 12 : 600)));
    if (m >= 0)
        second_strike(f, fault, f->site->module[m]);
    mishap_run(f, pick(f, 0, MS(30)));
    for (int i = 0; i < f->site->options.modules; i++)
        if (i != m && !world_living(f->world, f->site->module[i]))
            world_start(f->world, f->site->module[i]);
    fault->process = NOBODY;
    fault->end_ns = world_now(f->world) + pick(f, 1, chance(f, 50) ? 700 : 4000) * 1000000;
    snprintf(fault->what, sizeof fault->what, "lone primary of g%d struck", group + 1);
}

/* One is left alone, and then without the register and its peers: hosts still reach it. */
static void lone_and_cut_off(struct faults *f, struct fault *fault)
{
    int group = fault->drive[0] = some_group(f), m = site_primary(f->site, group);
    fault->process = NOBODY;
    snprintf(fault->what, sizeof fault->what, "lone primary of g%d cut off", group + 1);
    if (m < 0)
        return;
    int alone = f->site->module[m];
    for (int i = 0; i < f->site->options.modules; i++)
        if (i != m && world_living(f->world, f->site->module[i]))
            world_crash(f->world, f->site->module[i]);
    mishap_until(f, lone, fault, MS(400));
    mishap_run(f, pick(f, 0, MS(300)));
    cell_reach(f->world, alone, chance(f, 70) ? CELL_UNREACHED : CELL_FLAKY);
    for (int i = 0; i < f->site->options.modules; i++) {
        if (i == m)
            continue;
        link_cut(f->world, alone, f->site->module[i], LINK_BOTH);
        if (!world_living(f->world, f->site->module[i]))
            world_start(f->world, f->site->module[i]);
    }
    fault->end_ns = world_now(f->world) + pick(f, 300, 3500) * 1000000;
}

/* ---- a tray, as soon as it has carried out a fence ---- */

static bool fenced(struct faults *f, struct fault *fault)
{
    return guard_fences(f->site->guard, fault->drive[0]) != fault->op;
}

/* Nobody misses that tray. */
static bool others_good(const struct faults *f, int loop)
{
    if (f->fault[KIND_REGISTER].on || world_now(f->world) < f->register_ok_ns)
        return false;
    for (int g = 0; g < f->site->options.groups; g++)
        for (int d = 0; d < DRIVE_MAX; d++)
            if (d / 32 != loop && cell_record(f->world, g)->drive_state[d] != DRIVE_STATE_GOOD)
                return false;
    return true;
}

/* Its units log in again, and fence it; what it has answered must outlive it. */
static void fence_and_strike(struct faults *f, struct fault *fault)
{
    int loop = 0;
    while (f->site->loop[loop] != fault->process)
        loop++;
    fault->drive[0] = loop;
    fault->op = guard_fences(f->site->guard, loop);
    for (int m = 0; m < f->site->options.modules; m++)
        if (chance(f, 60))
            link_break(f->world, f->site->module[m], fault->process, true);
    mishap_until(f, fenced, fault, MS(200));
    if (chance(f, 60))
        mishap_run(f, pick(f, 0, MS(4)));
    if (!f->config.wild && !others_good(f, loop)) {
        call_off(f, fault);
        return;
    }
    if (chance(f, 70))
        mishap_crash(f, fault);
    else
        mishap_stop(f, fault);
    say(fault, "its fence is up");
}

/* ---- an interface switch, with what a host has just sent ---- */

/* A host's write lies in its socket. */
static bool just_sent(struct faults *f, struct fault *fault)
{
    enum { BACK = 40, JUST_NS = 200000 };
    struct clients *clients = f->site->clients;
    for (uint32_t i = 0, last = clients_count(clients); i < BACK && i < last; i++) {
        const struct op *op = op_of(clients, last - i);
        if (counts(op) && op->path == fault->drive[0] &&
            world_now(f->world) - op->begun_ns < JUST_NS)
            return true;
    }
    return false;
}

/* It is stopped for longer than the host waits: what it reads then is old. */
static void stop_with_bytes(struct faults *f, struct fault *fault)
{
    while (f->site->iswitch[fault->drive[0]] != fault->process)
        fault->drive[0]++;
    bool hurried = f->site->options.iscsi && f->shape->work.path_ns <= MS(3000);
    if (hurried)
        mishap_until(f, just_sent, fault, MS(300));
    mishap_stop(f, fault);
    if (hurried)
        fault->end_ns = world_now(f->world) + f->shape->work.path_ns + pick(f, 1, 400) * 1000000;
    say(fault, "with bytes in its sockets");
}

const struct variant moment_switch[] = {{14, stop_with_bytes, TAKES_PART}, {0, NULL, TAKES_PART}};
const struct variant moment_tray[] = {{16, fence_and_strike, TAKES_PART}, {0, NULL, TAKES_PART}};
const struct variant moment_module[] = {{32, answer_and_strike, TAKES_PART},
                                        {20, move_and_strike, TAKES_PART},
                                        {28, return_and_strike, TAKES_PART},
                                        {12, die_and_unknown, TAKES_PART},
                                        {24, answer_and_power, TAKES_MORE},
                                        {36, claim_and_strike, TAKES_MORE},
                                        {40, lone_and_strike, TAKES_MORE},
                                        {24, lone_and_cut_off, TAKES_MORE},
                                        {0, NULL, TAKES_PART}};
