/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/anomaly.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "sim/stream.h"

enum { SENTENCE = 160, WHAT_START = 0, WHAT_MEND = 1 };

struct anomaly {
    struct site *site;
    anomaly_choose *choose;
    void *context;
    uint64_t actions;
    bool struck, over;
    /* which actions are like others */
    bool signalled[WORLD_PARTS][WORLD_PARTS]; /* since the last action that is no signal */
    int last_process;
    uint64_t last_ns; /* ... acted then, and nothing that is not counted came after it */
    /* what went wrong */
    enum anomaly_mode mode;
    const struct part *part;
    enum action_kind kind;
    uint32_t stream;
    int other; /* SEND: the process to which */
    bool leave_dead;
    char sentence[SENTENCE];
    /* what may be lost */
    uint64_t flushed_ns[GROUP_MAX]; /* what was written before is on the drives */
    uint32_t losses, tray_losses;
};

const char *anomaly_mode_name(enum anomaly_mode mode)
{
    static const char *const names[ANOMALY_MODES] = {
        [ANOMALY_ONCE] = "once",   [ANOMALY_ALWAYS] = "always",
        [ANOMALY_HANG] = "hang",   [ANOMALY_HANG_ALWAYS] = "hang-always",
        [ANOMALY_CRASH] = "crash", [ANOMALY_CRASH_BEFORE] = "crash-before",
    };
    return mode < ANOMALY_MODES ? names[mode] : "none";
}

/* ---- what can go wrong ---- */

static int destination(const struct anomaly *x, const struct action *action)
{
    return world_part_of_port(x->site->world, action->message.to)->process;
}

static bool counts(const struct anomaly *x, const struct part *part, const struct action *action)
{
    switch (action->kind) {
    case ACTION_SEND:
        return destination(x, action) != part->process;
    case ACTION_REGISTER_READ:
    case ACTION_REGISTER_SWAP:
    case ACTION_DRIVE:
    case ACTION_STORE:
    case ACTION_STREAM_SEND:
        return true;
    case ACTION_REGISTER_LIVE:
    case ACTION_STREAM_CLOSE:
    case ACTION_STREAM_PAUSE:
    case ACTION_STREAM_RESUME:
    case ACTION_EVENT:
    case ACTION_REPLY:
    case ACTION_STOPPED:
        break;
    }
    return false;
}

/* A signal from one to another after another one, when nothing was done in between, finds the array
 * as that one did, but for the time. */
static bool routine(struct anomaly *x, const struct part *part, const struct action *action)
{
    if (action->kind != ACTION_SEND || action->message.kind != MESSAGE_SIGNAL) {
        memset(x->signalled, 0, sizeof x->signalled);
        return false;
    }
    bool *signalled =
        &x->signalled[part->index][world_part_of_port(x->site->world, action->message.to)->index];
    bool again = *signalled;
    *signalled = true;
    return again;
}

/* A process is busy for a while after each step: what it does at one time, it does in one. */
static bool begins_a_step(struct anomaly *x, const struct part *part)
{
    uint64_t now_ns = world_now(x->site->world);
    bool begins = part->process != x->last_process || now_ns != x->last_ns;
    x->last_process = part->process;
    x->last_ns = now_ns;
    return begins;
}

/* ---- in words ---- */

enum { /* of what is done, after the kinds of message */
       DEED_DRIVE = MESSAGE_KINDS,
       DEED_STORE = DEED_DRIVE + DRIVE_FLUSH + 1,
       DEED_READ,
       DEED_SWAP,
       DEED_BYTES
};

static int deed(const struct action *action)
{
    switch (action->kind) {
    case ACTION_SEND:
        return action->message.kind;
    case ACTION_DRIVE:
        return DEED_DRIVE + (int)action->drive.op;
    case ACTION_STORE:
        return DEED_STORE;
    case ACTION_REGISTER_READ:
        return DEED_READ;
    case ACTION_REGISTER_SWAP:
        return DEED_SWAP;
    case ACTION_STREAM_SEND:
        return DEED_BYTES;
    case ACTION_REGISTER_LIVE:
    case ACTION_STREAM_CLOSE:
    case ACTION_STREAM_PAUSE:
    case ACTION_STREAM_RESUME:
    case ACTION_EVENT:
    case ACTION_REPLY:
    case ACTION_STOPPED:
        break;
    }
    return 0;
}

static const char *deed_name(int what)
{
    static const char *const names[] = {
        [DEED_DRIVE + DRIVE_READ] = "drive read",
        [DEED_DRIVE + DRIVE_WRITE] = "drive write",
        [DEED_DRIVE + DRIVE_FLUSH] = "drive flush",
        [DEED_DRIVE + DRIVE_FILL] = "drive fill",
        [DEED_STORE] = "stores",
        [DEED_READ] = "reads the record",
        [DEED_SWAP] = "swaps the record",
        [DEED_BYTES] = "sends to a host",
    };
    return what < MESSAGE_KINDS ? message_name((enum message_kind)what) : names[what];
}

void anomaly_kind_name(int kind, char *out, uint32_t bytes)
{
    static const char *const who[] = {[PORT_KIND_NONE] = "nobody",
                                      [PORT_KIND_SWITCH] = "interface switch",
                                      [PORT_KIND_UNIT] = "unit",
                                      [PORT_KIND_LOOP] = "loop switch",
                                      [PORT_KIND_MANAGER] = "manager"};
    snprintf(out, bytes, "%s: %s", who[kind / ANOMALY_DEEDS], deed_name(kind % ANOMALY_DEEDS));
}

static void describe(struct anomaly *x, const struct part *part, const struct action *action)
{
    char where[SENTENCE / 4] = "";
    if (action->kind == ACTION_SEND)
        snprintf(where, sizeof where, " to %s",
                 world_part_of_port(x->site->world, action->message.to)->name);
    else if (action->kind == ACTION_DRIVE)
        snprintf(where, sizeof where, " of drive %d",
                 port_index(part->port) * 32 + action->drive.slot);
    else if (action->kind == ACTION_REGISTER_READ)
        snprintf(where, sizeof where, " of g%d", action->reg.group + 1);
    else if (action->kind == ACTION_REGISTER_SWAP)
        snprintf(where, sizeof where, " of g%d", action->reg.record.group + 1);
    snprintf(x->sentence, sizeof x->sentence, "action %llu: %s %s%s%s",
             (unsigned long long)x->actions, part->name,
             action->kind == ACTION_SEND ? "sends " : "", deed_name(deed(action)), where);
    world_say(x->site->world, "-- anomaly: %s: %s", anomaly_mode_name(x->mode), x->sentence);
}

/* From a moment to longer than every limit. */
static uint64_t a_while(const struct anomaly *x)
{
    static const uint64_t times_ms[] = {1, 20, 120, 400, 1500, 6000};
    struct random random = {x->actions * 2654435761u + x->site->options.world.seed};
    random_next(&random);
    return MS(times_ms[random_below(&random, sizeof times_ms / sizeof times_ms[0])]);
}

static void later(struct anomaly *x, uint64_t in_ns, uint64_t what)
{
    world_schedule(x->site->world, world_now(x->site->world) + in_ns, HAPPENING_TAMPER, what);
}

/* ---- it goes wrong ---- */

static void frame_fails(struct anomaly *x, const struct part *part, const struct action *action)
{
    struct world *world = x->site->world;
    x->other = destination(x, action);
    switch (x->mode) {
    case ANOMALY_ONCE:
        link_break(world, part->process, x->other, true);
        break;
    case ANOMALY_ALWAYS:
        link_break(world, part->process, x->other, false);
        break;
    case ANOMALY_HANG:
        link_cut(world, part->process, x->other, LINK_TO);
        later(x, a_while(x), WHAT_MEND);
        break;
    case ANOMALY_HANG_ALWAYS:
        link_cut(world, part->process, x->other, LINK_TO);
        break;
    case ANOMALY_CRASH:
    case ANOMALY_CRASH_BEFORE:
    case ANOMALY_NONE:
        break;
    }
}

static void drive_fails(struct anomaly *x, const struct part *part, const struct action *action)
{
    struct world *world = x->site->world;
    int number = port_index(part->port) * 32 + action->drive.slot;
    if (x->mode == ANOMALY_ONCE)
        disk_next(world, true, 0);
    else if (x->mode == ANOMALY_HANG)
        disk_next(world, false, 3 * a_while(x));
    else if (x->mode == ANOMALY_ALWAYS)
        disk_fail(world, number, true, true);
    else if (x->mode == ANOMALY_HANG_ALWAYS)
        disk_hang(world, number, true);
}

static void store_fails(struct anomaly *x)
{
    bool fails = x->mode == ANOMALY_ONCE || x->mode == ANOMALY_ALWAYS;
    disk_next(x->site->world, fails, fails ? 0 : 3 * a_while(x));
}

static void register_fails(struct anomaly *x, const struct part *part)
{
    struct world *world = x->site->world;
    bool quiet = x->mode == ANOMALY_HANG || x->mode == ANOMALY_HANG_ALWAYS;
    enum cell_reach reach = quiet ? CELL_DEAF : CELL_UNREACHED;
    if (x->mode == ANOMALY_ONCE || x->mode == ANOMALY_HANG)
        cell_next(world, reach);
    else
        cell_reach(world, part->process, reach);
}

static void bytes_fail(struct anomaly *x, const struct action *action)
{
    struct world *world = x->site->world;
    x->stream = action->stream.stream;
    if (x->mode == ANOMALY_ONCE || x->mode == ANOMALY_ALWAYS) {
        stream_reset(world, x->stream);
        return;
    }
    stream_cut(world, x->stream, true);
    if (x->mode == ANOMALY_HANG)
        later(x, a_while(x), WHAT_MEND);
}

static enum action_fate go_wrong(struct anomaly *x, const struct part *part,
                                 const struct action *action)
{
    if (x->mode == ANOMALY_CRASH || x->mode == ANOMALY_CRASH_BEFORE) {
        later(x, a_while(x), WHAT_START);
        return x->mode == ANOMALY_CRASH ? ACTION_THE_LAST : ACTION_TOO_LATE;
    }
    if (action->kind == ACTION_SEND)
        frame_fails(x, part, action);
    else if (action->kind == ACTION_DRIVE)
        drive_fails(x, part, action);
    else if (action->kind == ACTION_STORE)
        store_fails(x);
    else if (action->kind == ACTION_STREAM_SEND)
        bytes_fail(x, action);
    else
        register_fails(x, part);
    return ACTION_DONE;
}

/* Links, drives and the register stay as they were put; the rest has to be done each time. */
static void go_on_going_wrong(struct anomaly *x, const struct part *part,
                              const struct action *action)
{
    bool always = x->mode == ANOMALY_ALWAYS || x->mode == ANOMALY_HANG_ALWAYS;
    if (!always || part != x->part || action->kind != x->kind)
        return;
    if (x->kind == ACTION_STORE)
        go_wrong(x, part, action);
    else if (x->kind == ACTION_STREAM_SEND && x->mode == ANOMALY_ALWAYS)
        stream_reset(x->site->world, action->stream.stream);
}

/* ---- what the array says that it lost ---- */

static void hear(struct anomaly *x, const struct action *action)
{
    const char *text = action->notice.text, *group = strstr(text, " group=");
    bool cold = strncmp(text, "cold_start ", 11) == 0 && strstr(text, "volatile_cache=lost");
    bool tray = strncmp(text, "unflushed_lost ", 15) == 0;
    if (!group || !(cold || tray || strncmp(text, "loss_accepted ", 14) == 0))
        return;
    int g = atoi(group + strlen(" group=")) - 1;
    must(g >= 0 && g < GROUP_MAX);
    x->losses += !tray;
    x->tray_losses += tray;
    if (x->site->options.cache == CACHE_MIRRORED)
        oracle_forget_since(x->site->oracle, x->flushed_ns[g]);
}

static void on_end(void *context, struct op *op)
{
    struct anomaly *x = context;
    if (op->kind == OP_FLUSH && op->state == OP_STATE_ANSWERED && op->status == 0)
        x->flushed_ns[op->group] = op->begun_ns;
}

/* ---- what the world calls ---- */

static enum action_fate fate(void *context, const struct part *part, const struct action *action)
{
    struct anomaly *x = context;
    if (action->kind == ACTION_EVENT)
        hear(x, action);
    if (x->over)
        return ACTION_DONE;
    if (!counts(x, part, action)) {
        if (action->kind != ACTION_EVENT)
            x->last_ns = 0;
        return ACTION_DONE;
    }
    x->actions++;
    if (x->struck) {
        go_on_going_wrong(x, part, action);
        return ACTION_DONE;
    }
    struct anomaly_action what = {.number = x->actions,
                                  .kind = (int)port_kind(part->port) * ANOMALY_DEEDS + deed(action),
                                  .signal = action->kind == ACTION_SEND &&
                                            action->message.kind == MESSAGE_SIGNAL,
                                  .routine = routine(x, part, action),
                                  .begins = begins_a_step(x, part)};
    x->mode = x->choose(x->context, &what);
    if (x->mode == ANOMALY_NONE)
        return ACTION_DONE;
    x->struck = true;
    x->part = part;
    x->kind = action->kind;
    describe(x, part, action);
    return go_wrong(x, part, action);
}

static void happened(void *context, uint64_t what)
{
    struct anomaly *x = context;
    struct world *world = x->site->world;
    if (x->over)
        return;
    if (what == WHAT_START) {
        if (!world_living(world, x->part->process) && !x->leave_dead)
            world_start(world, x->part->process);
    } else if (x->kind == ACTION_SEND)
        link_restore(world, x->part->process, x->other);
    else
        stream_cut(world, x->stream, false);
}

/* ---- from outside ---- */

struct anomaly *anomaly_new(struct site *site, anomaly_choose *choose, void *context)
{
    struct anomaly *x = calloc(1, sizeof *x);
    must(x);
    x->site = site;
    x->choose = choose;
    x->context = context;
    x->mode = ANOMALY_NONE;
    site->on_end = on_end;
    site->on_end_context = x;
    world_tamper(site->world, &(struct world_tamper){x, fate, happened});
    return x;
}

void anomaly_free(struct anomaly *x)
{
    free(x);
}

uint64_t anomaly_actions(const struct anomaly *x)
{
    return x->actions;
}

bool anomaly_struck(const struct anomaly *x)
{
    return x->struck;
}

static bool is_module(const struct anomaly *x, int process)
{
    for (int m = 0; m < x->site->options.modules; m++)
        if (process == x->site->module[m])
            return true;
    return false;
}

bool anomaly_struck_module(const struct anomaly *x)
{
    return x->struck &&
           (is_module(x, x->part->process) || (x->kind == ACTION_SEND && is_module(x, x->other)));
}

bool anomaly_disabled_module(const struct anomaly *x)
{
    bool died = x->mode == ANOMALY_CRASH || x->mode == ANOMALY_CRASH_BEFORE;
    bool always = x->mode == ANOMALY_ALWAYS || x->mode == ANOMALY_HANG_ALWAYS;
    bool reg = x->kind == ACTION_REGISTER_READ || x->kind == ACTION_REGISTER_SWAP;
    return x->struck && is_module(x, x->part->process) && (died || (always && reg));
}

bool anomaly_struck_tray(const struct anomaly *x)
{
    const struct site *site = x->site;
    bool tray = x->struck && (x->kind == ACTION_DRIVE || x->kind == ACTION_STORE);
    for (int l = 0; x->struck && l < site->options.loops; l++)
        tray |= x->part->process == site->loop[l] ||
                (x->kind == ACTION_SEND && x->other == site->loop[l]);
    return tray;
}

const char *anomaly_sentence(const struct anomaly *x)
{
    return x->sentence;
}

void anomaly_leave_dead(struct anomaly *x, int process)
{
    x->leave_dead |= x->struck && x->part->process == process;
}

void anomaly_end(struct anomaly *x)
{
    x->over = true;
    for (int h = 0; h < SITE_HOSTS; h++)
        for (int s = 0; s < x->site->options.switches; s++)
            if (x->site->host[h][s]) {
                stream_dribble(x->site->world, host_stream(x->site->host[h][s]), 0);
                stream_cut(x->site->world, host_stream(x->site->host[h][s]), false);
                host_mute(x->site->host[h][s], false);
            }
    stream_cut(x->site->world, x->stream, false);
}

uint32_t anomaly_losses(const struct anomaly *x)
{
    return x->losses;
}

uint32_t anomaly_tray_losses(const struct anomaly *x)
{
    return x->tray_losses;
}
