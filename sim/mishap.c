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

bool mishap_until(struct faults *f, bool (*holds)(struct faults *f, struct fault *fault),
                  struct fault *fault, uint64_t for_ns)
{
    enum { LOOK_NS = 100000 };
    uint64_t until = world_now(f->world) + for_ns;
    while (!holds(f, fault)) {
        uint64_t now = world_now(f->world), next = now + LOOK_NS;
        if (now >= until || site_violation(f->site))
            return false;
        if (faults_next_ns(f) > now && faults_next_ns(f) < next)
            next = faults_next_ns(f);
        site_run(f->site, (next < until ? next : until) - now);
        faults_look(f);
        faults_end_due(f);
    }
    return true;
}

static bool never(struct faults *f, struct fault *fault)
{
    (void)f;
    (void)fault;
    return false;
}

void mishap_run(struct faults *f, uint64_t for_ns)
{
    mishap_until(f, never, NULL, for_ns);
}

/* ---- what can happen to any process ---- */

void mishap_crash(struct faults *f, struct fault *fault)
{
    snprintf(fault->what, sizeof fault->what, "crash of %s", name_of(f, fault->process));
    if (world_living(f->world, fault->process)) /* it may have died within a step */
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

void mishap_stop(struct faults *f, struct fault *fault)
{
    snprintf(fault->what, sizeof fault->what, "stop of %s", name_of(f, fault->process));
    if (world_living(f->world, fault->process))
        world_pause(f->world, fault->process);
}

/* Short, and often not noticed; or so long that everybody has gone on. */
static void stop_briefly(struct faults *f, struct fault *fault)
{
    mishap_stop(f, fault);
    fault->end_ns = world_now(f->world) + pick(f, 1, 260) * 1000000;
}

/* About as long as nobody may notice yet, again and again. */
static void stutter_on(struct faults *f, struct fault *fault)
{
    if (world_living(f->world, fault->process) && world_paused(f->world, fault->process)) {
        world_resume(f->world, fault->process);
        fault->again_ns = world_now(f->world) + pick(f, 0, chance(f, 50) ? 3 : 60) * 1000000 + 1;
        return;
    }
    if (world_living(f->world, fault->process))
        world_pause(f->world, fault->process);
    uint64_t half_ms = f->site->options.limits.availability_ns / 2000000;
    fault->again_ns = world_now(f->world) + pick(f, half_ms - 20, half_ms + 20) * 1000000;
}

static void stutter(struct faults *f, struct fault *fault)
{
    snprintf(fault->what, sizeof fault->what, "%s stutters", name_of(f, fault->process));
    fault->again = stutter_on;
    stutter_on(f, fault);
}

static void stop_for_long(struct faults *f, struct fault *fault)
{
    mishap_stop(f, fault);
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
    mishap_stop(f, fault);
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
void mishap_isolate(struct faults *f, struct fault *fault)
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
int mishap_neighbour(struct faults *f, int process)
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
    int other = mishap_neighbour(f, fault->process);
    snprintf(fault->what, sizeof fault->what, "cable %s %s", name_of(f, fault->process),
             name_of(f, other));
    if (chance(f, 40))
        link_break(f->world, fault->process, other, chance(f, 50));
    else
        cut_one_way(f, fault->process, other);
}

static void slow_cable(struct faults *f, struct fault *fault)
{
    int other = mishap_neighbour(f, fault->process);
    snprintf(fault->what, sizeof fault->what, "slow cable %s %s", name_of(f, fault->process),
             name_of(f, other));
    link_slow(f->world, fault->process, other, pick(f, 1, 60) * 1000000);
}

/* What is large is slow: it goes through a narrow cable. */
static void narrow_cable(struct faults *f, struct fault *fault)
{
    int other = mishap_neighbour(f, fault->process);
    snprintf(fault->what, sizeof fault->what, "narrow cable %s %s", name_of(f, fault->process),
             name_of(f, other));
    link_narrow(f->world, fault->process, other, pick(f, 20, chance(f, 30) ? 5000 : 500));
}

/* From some message on nothing passes, one way. */
static void hold(struct faults *f, struct fault *fault)
{
    int other = mishap_neighbour(f, fault->process);
    enum message_kind kind = (enum message_kind)pick(f, MESSAGE_COMMAND, MESSAGE_SIGNAL);
    bool to = chance(f, 50);
    snprintf(fault->what, sizeof fault->what, "hold %s", message_name(kind));
    link_hold(f->world, to ? fault->process : other, to ? other : fault->process, kind);
}

/* It was sent again, or it logs in again, without any word of a loss. */
static void say_twice(struct faults *f, struct fault *fault)
{
    int other = mishap_neighbour(f, fault->process);
    enum message_kind kind = chance(f, 60) ? MESSAGE_COMMAND : MESSAGE_LOGIN;
    snprintf(fault->what, sizeof fault->what, "%s twice", message_name(kind));
    link_duplicate(f->world, fault->process, other, kind, (uint32_t)pick(f, 0, 12));
    link_duplicate(f->world, other, fault->process, kind, (uint32_t)pick(f, 0, 12));
    if (kind == MESSAGE_LOGIN)
        link_break(f->world, fault->process, other, true);
}

/* ---- a sick process: it signals, but some of what it says never comes ---- */

/* Between two modules, a module and a switch, a module and a tray: any message of a link. */
static enum message_kind some_kind(struct faults *f, int a, int b)
{
    const struct site *site = f->site;
    static const enum message_kind modules[] = {
        MESSAGE_STREAM,         MESSAGE_STREAM, MESSAGE_HELD,     MESSAGE_HELD,  MESSAGE_FORWARD,
        MESSAGE_FORWARD_ANSWER, MESSAGE_FETCH,  MESSAGE_FETCHED,  MESSAGE_RELAY, MESSAGE_STOP,
        MESSAGE_PROMISE,        MESSAGE_JOIN,   MESSAGE_HANDOVER, MESSAGE_SIGNAL};
    static const enum message_kind switches[] = {
        MESSAGE_COMMAND, MESSAGE_RESPONSE, MESSAGE_RESPONSE, MESSAGE_REFUSE,
        MESSAGE_CONFIRM, MESSAGE_CONFIRM,  MESSAGE_VIEW,     MESSAGE_SIGNAL};
    static const enum message_kind trays[] = {
        MESSAGE_LOGIN,         MESSAGE_LOGIN_ACCEPT,   MESSAGE_FENCE, MESSAGE_FENCE_ANSWER,
        MESSAGE_DRIVE_COMMAND, MESSAGE_DRIVE_RESPONSE, MESSAGE_SIGNAL};
    bool is_switch = among(a, site->iswitch, site->options.switches) ||
                     among(b, site->iswitch, site->options.switches);
    bool is_tray =
        among(a, site->loop, site->options.loops) || among(b, site->loop, site->options.loops);
    if (is_switch)
        return switches[random_below(&f->random, sizeof switches / sizeof switches[0])];
    if (is_tray)
        return trays[random_below(&f->random, sizeof trays / sizeof trays[0])];
    return modules[random_below(&f->random, sizeof modules / sizeof modules[0])];
}

static void lose_kind(struct faults *f, struct fault *fault)
{
    int other = mishap_neighbour(f, fault->process);
    enum message_kind kind = some_kind(f, fault->process, other);
    snprintf(fault->what, sizeof fault->what, "%s %s: no %s", name_of(f, fault->process),
             name_of(f, other), message_name(kind));
    if (chance(f, 60))
        link_lose(f->world, fault->process, other, kind);
    else
        link_lose(f->world, other, fault->process, kind);
    fault->end_ns = world_now(f->world) + pick(f, 1, chance(f, 30) ? 1500 : 400) * 1000000;
}

/* On all its links that are no tray's: one kind, or everything but signals. */
static void lose_everywhere(struct faults *f, struct fault *fault)
{
    int other = mishap_neighbour(f, fault->process);
    enum message_kind kind = some_kind(f, fault->process, other);
    bool mute = chance(f, 30), to = chance(f, 60);
    uint64_t kinds = mute ? ~((uint64_t)1 << MESSAGE_SIGNAL) : (uint64_t)1 << kind;
    snprintf(fault->what, sizeof fault->what, "%s says no %s", name_of(f, fault->process),
             mute ? "more than signals" : message_name(kind));
    for (int q = 0; q < world_processes(f->world); q++) {
        bool tray = among(q, f->site->loop, f->site->options.loops);
        if (!link_exists(f->world, fault->process, q) || (tray && !f->config.wild))
            continue;
        link_lose_kinds(f->world, to ? fault->process : q, to ? q : fault->process, kinds);
    }
    fault->end_ns = world_now(f->world) + pick(f, 1, chance(f, 30) ? 1500 : 400) * 1000000;
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

/* ---- interface switches ---- */

/* Above half the stale limit, and below what declares its session dead. */
static void stop_unnoticed(struct faults *f, struct fault *fault)
{
    mishap_stop(f, fault);
    fault->end_ns = world_now(f->world) + pick(f, 55, 145) * 1000000;
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

/* One swap, soon or whenever somebody next asks for one: it stands or it does not, and who asked
 * cannot tell. */
static void swap_unknown(struct faults *f, struct fault *fault)
{
    snprintf(fault->what, sizeof fault->what, "an unknown swap of the register");
    cell_next_swap(f->world, (enum cell_reach)pick(f, CELL_UNREACHED, CELL_DEAF));
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
    {12, mishap_crash, TAKES_PART},  {12, crash_in_step, TAKES_PART},
    {8, mishap_stop, TAKES_PART},    {8, stop_briefly, TAKES_PART},
    {3, stop_for_long, TAKES_PART},  {6, stop_and_reset, TAKES_PART},
    {5, slow, TAKES_PART},           {3, jump, TAKES_PART},
    {6, mishap_isolate, TAKES_PART}, {6, unplug, TAKES_PART},
    {10, cut_cable, TAKES_PART},     {4, slow_cable, TAKES_PART},
    {6, hold, TAKES_PART},           {5, say_twice, TAKES_PART},
    {4, narrow_cable, TAKES_PART},   {6, stutter, TAKES_PART},
    {12, lose_kind, TAKES_PART},     {8, lose_everywhere, TAKES_PART},
    {0, NULL, TAKES_PART},
};
const struct variant mishap_only_module[] = {{6, register_lost, TAKES_PART},
                                             {4, register_slow, TAKES_PART},
                                             {10, delay_past_fence, TAKES_PART},
                                             {0, NULL, TAKES_PART}};
const struct variant mishap_only_switch[] = {{16, stop_unnoticed, TAKES_PART},
                                             {0, NULL, TAKES_PART}};
const struct variant mishap_only_register[] = {
    {2, register_out, TAKES_PART}, {3, swap_unknown, TAKES_PART}, {0, NULL, TAKES_PART}};
const struct variant mishap_only_host[] = {{1, host_line, TAKES_PART}, {0, NULL, TAKES_PART}};
