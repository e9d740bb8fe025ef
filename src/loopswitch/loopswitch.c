/* SPDX-License-Identifier: Apache-2.0 */

/* The loop switch: joins the units' ports to the drives of its tray, and stands between a unit that
 * has lost its place and the drives (docs/PROTOCOL.md: Takeover 3; Steady state 5, "when a unit
 * logs in again"). It must never let a drive command through that its fence or login forbids, nor
 * forget a fence that it has answered for. It knows nothing of volumes and of what the blocks hold,
 * and it orders no commands: all that it admits run side by side.
 *
 * L1  A fence is refused by as soon as it is asked for, and answered FENCE_DONE only when it is
 *     durable and every command that it shuts out has ended, or has its drive named and off line.
 * L2  A bank's epoch never falls.
 * L3  Only a bank in BANK_STATE_FENCED admits; before its first fence nobody is admitted.
 * L4  A port admits by its present login only; a login is accepted only when no command of an
 *     earlier one is under way but on drives that are off line.
 * L5  A drive with a command that was given up is off line until that command has ended.
 * L6  A drive serves one bank, until that gives it back with nothing under way on it; either is
 *     durable before it counts.
 * L7  At most one store is under way.
 * L8  Every admitted command is counted once: by its port or as overdue, and by its drive.
 * L9  No drive has more than its share of the commands under way, so one that hangs stops no other.
 *
 * L10 No two ports have the same address, and one that has taken part keeps its own.
 * L11 A port that a person has bypassed takes no command.
 *
 * ports.c: links and logins; fence.c: the fence; assign.c: which drive is whose; admit.c: commands
 * there and back; looplet.c: addresses, initialisation; bypass.c: which ports are on the loop;
 * request.c: people; stored.c: what outlives a restart. */

#include "loopswitch/loopswitch.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/mutant.h"
#include "loopswitch/state.h"

/* When it is told to stop: how long at most it waits for units that stop; how long for others,
 * which may be about to be told, too; and how old the word of one may be. */
enum { STOP_MS = 25000, GRACE_MS = 1000, SILENCE_MS = 1000 };

static bool take_config(struct loopswitch *x, const struct loopswitch_config *config)
{
    must(config->index < LOOP_MAX && config->groups <= GROUP_MAX);
    must(config->drives <= SLOT_MAX && config->commands_max >= config->drives);
    x->config = *config;
    x->self = port_loop(config->index);
    /* Distinct for distinct lives (the factor is odd), and room for many logins in each. */
    x->logins = config->incarnation * 0x9E3779B97F4A7C15ull << LOGIN_LIFE_SHIFT;
    x->lives = (uint32_t)(config->incarnation * 0x9E3779B97F4A7C15ull >> 33);
    memset(x->drive_of_slot, 0xFF, sizeof x->drive_of_slot);
    for (uint8_t i = 0; i < config->drives; i++) {
        must(config->drive[i].slot < SLOT_MAX && x->drive_of_slot[config->drive[i].slot] == 0xFF);
        x->drive_of_slot[config->drive[i].slot] = i;
        x->drive[i].slot = config->drive[i].slot;
        x->drive[i].state = config->drive[i].online ? LOOP_PORT_ONLINE : LOOP_PORT_ABSENT;
        x->drive[i].al_pa = AL_PA_NONE;
        x->drive[i].bank = x->drive[i].wanted = BANK_NONE;
    }
    if (config->stored_length > STORED_MAX ||
        (config->stored_length > 0 && !loopswitch_decode(x, config->stored, config->stored_length)))
        return false;
    struct al_pa_map map = {{0}};
    for (int i = 0; i < config->drives; i++) {
        if (x->drive[i].by_hand)
            x->drive[i].state = LOOP_PORT_BYPASSED_BY_HAND;
        if (!al_pa_claim(&map, x->drive[i].al_pa))
            x->drive[i].al_pa = AL_PA_NONE;
    }
    for (uint32_t looplet = 0; looplet < LOOPLETS; looplet++)
        loopswitch_take_addresses(x, looplet);
    x->settled = x->version; /* the next store has them; until then they would be taken the same */
    return true;
}

struct loopswitch *loopswitch_new(const struct loopswitch_config *config, struct trace *trace)
{
    struct loopswitch *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->trace = trace;
    x->running = calloc(config->commands_max + 1u, sizeof *x->running);
    x->own_buffers = !config->buffers;
    x->buffers = config->buffers ? config->buffers : buffer_pool_new(OWN_BUFFER_BYTES);
    if (!x->running || !x->buffers || !take_config(x, config)) {
        loopswitch_free(x);
        return NULL;
    }
    for (uint32_t i = 0; i < config->commands_max; i++)
        x->running[i].next_free = i + 1;
    return x;
}

void loopswitch_free(struct loopswitch *x)
{
    if (!x)
        return;
    /* An inventory may still be on its way: then its memory outlives us. */
    if (x->own_buffers && x->buffers && buffer_pool_used(x->buffers) == 0)
        buffer_pool_free(x->buffers);
    free(x->running);
    free(x);
}

struct port *loopswitch_port(struct loopswitch *x, port_id port)
{
    int module = port_index(port), group = port_sub(port);
    if (port_kind(port) != PORT_KIND_UNIT || module < 0 || module >= MODULE_MAX || group < 0 ||
        group >= x->config.groups)
        return NULL;
    return &x->port[module][group];
}

const char *loopswitch_members_name(const struct members *set, int group, char *out, size_t bytes)
{
    size_t length = 0;
    for (int i = 0; i < set->count && length + 4 <= bytes; i++) {
        if (i > 0)
            out[length++] = '+';
        out[length++] = (char)('A' + set->at[i].module);
        out[length++] = (char)('1' + group);
    }
    out[length] = 0;
    return out;
}

static void take_signal(struct loopswitch *x, const struct message *message)
{
    struct port *port = loopswitch_port(x, message->from);
    if (!port)
        return;
    port->signal_ns = message->signal.now_ns;
    port->signal_at = x->now_ns;
    port->stopping = message->signal.stopping;
}

static void take_message(struct loopswitch *x, const struct message *message,
                         struct actions *actions)
{
    if (message->kind == MESSAGE_DRIVE_COMMAND)
        loopswitch_admit(x, message, actions);
    else if (message->kind == MESSAGE_SIGNAL)
        take_signal(x, message);
    else if (message->kind == MESSAGE_LOGIN)
        loopswitch_login(x, message);
    else if (message->kind == MESSAGE_FENCE)
        loopswitch_fence(x, message, actions);
    else if (message->kind == MESSAGE_ASSIGN)
        loopswitch_assign(x, message, actions);
    else
        trace_warn(x->trace, "a %s message is not for a loop switch: ignored",
                   message_name((enum message_kind)message->kind));
}

/* Everything may have been told to stop at once, or is about to be: units that stop have data for
 * the drives. One that does not is served no longer. */
static bool is_needed(const struct loopswitch *x)
{
    uint64_t since_ns = x->now_ns - x->told_ns;
    bool stops = false, may_stop = false;
    for (int m = 0; m < MODULE_MAX; m++)
        for (int g = 0; g < x->config.groups; g++) {
            const struct port *port = &x->port[m][g];
            bool fresh = port->signal_at && x->now_ns - port->signal_at <= MS(SILENCE_MS);
            stops |= port->linked && fresh && port->stopping == 1;
            may_stop |= port->linked && !(fresh && port->stopping);
        }
    if (mutant(MUTANT_TRAY_STOPS_FIRST))
        return false;
    return (stops && since_ns < MS(STOP_MS)) || (may_stop && since_ns < MS(GRACE_MS));
}

/* After EVENT_STOP: when everything admitted has ended, every drive is flushed; then the end. */
static void stop_goes_on(struct loopswitch *x, struct actions *actions)
{
    x->stopping |= x->told_ns && !is_needed(x);
    if (!x->stopping || x->stopped || x->admitted > 0 || x->settled != x->version)
        return;
    if (!x->flushing) {
        x->flushing = true;
        for (uint8_t i = 0; i < x->config.drives; i++) {
            if (!loopswitch_on_line(&x->drive[i]))
                continue;
            struct action *action = actions_add(actions, ACTION_DRIVE);
            action->drive.tag = OWN_TAG | i;
            action->drive.slot = x->drive[i].slot;
            action->drive.op = DRIVE_FLUSH;
            x->flushes++;
        }
    }
    if (x->flushes > 0)
        return;
    x->stopped = true;
    actions_add(actions, ACTION_STOPPED);
    trace_info(x->trace, "stopped, drives flushed");
}

static void take_event(struct loopswitch *x, const struct event *event, struct actions *actions)
{
    switch (event->kind) {
    case EVENT_TIME:
        break;
    case EVENT_MESSAGE:
        take_message(x, event->message, actions);
        break;
    case EVENT_LINK_UP:
        loopswitch_link_up(x, event->link.port);
        break;
    case EVENT_LINK_DOWN:
        loopswitch_link_down(x, event->link.port);
        break;
    case EVENT_DRIVE:
        loopswitch_completed(x, event, actions);
        break;
    case EVENT_STORED:
        loopswitch_stored(x, event, actions);
        break;
    case EVENT_TRAY:
        loopswitch_tray(x, event, actions);
        break;
    case EVENT_REQUEST:
        loopswitch_request(x, event, actions);
        break;
    case EVENT_STOP:
        if (x->told_ns == 0)
            x->told_ns = x->now_ns;
        break;
    case EVENT_REGISTER:
    case EVENT_STREAM_OPEN:
    case EVENT_STREAM_DATA:
    case EVENT_STREAM_SENT:
    case EVENT_STREAM_CLOSED:
        break; /* not a loop switch's */
    }
}

void loopswitch_step(struct loopswitch *x, const struct event *event, struct actions *actions)
{
    x->now_ns = event->now_ns;
    x->trace->now_ns = event->now_ns;
    if (x->stopped)
        return;
    take_event(x, event, actions);
    loopswitch_fences_go_on(x, actions);
    loopswitch_tests_go_on(x, actions);
    loopswitch_logins_go_on(x, actions);
    loopswitch_store_goes_on(x, actions);
    loopswitch_signals_go_on(x, actions);
    stop_goes_on(x, actions);
    loopswitch_check(x);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t loopswitch_wake_ns(const struct loopswitch *x)
{
    if (x->stopped)
        return UINT64_MAX;
    uint64_t wake_ns = earlier(x->next_signal_ns, loopswitch_tests_wake_ns(x));
    for (int g = 0; g < x->config.groups; g++) {
        if (x->bank[g].state == BANK_STATE_DRAINING)
            wake_ns = earlier(wake_ns, x->bank[g].end_ns);
        for (int m = 0; m < MODULE_MAX; m++) {
            const struct port *port = &x->port[m][g];
            if (port->wants_login)
                wake_ns = earlier(wake_ns, port->running > 0 ? port->login_end_ns : port->retry_ns);
        }
    }
    return wake_ns;
}

void loopswitch_check(const struct loopswitch *x)
{
    uint32_t queued = 0, overdue = 0, running = 0, draining = 0;
    struct al_pa_map map = {{0}};
    for (int i = 0; i < x->config.drives; i++) {
        const struct drive *drive = &x->drive[i];
        must(drive->al_pa == AL_PA_NONE || al_pa_claim(&map, drive->al_pa));  /* L10 */
        must(drive->al_pa != AL_PA_NONE || drive->state != LOOP_PORT_ONLINE); /* L10 */
        must(drive->by_hand == (drive->state == LOOP_PORT_BYPASSED_BY_HAND)); /* L11 */
        must(drive->overdue <= drive->queued);                                /* L5, L8 */
        must(drive->queued <= loopswitch_share(x));                           /* L9 */
        must(drive->bank == BANK_NONE || drive->bank < GROUP_MAX);            /* L6 */
        must(drive->wanted == BANK_NONE || drive->bank == BANK_NONE);         /* L6 */
        queued += drive->queued;
        overdue += drive->overdue;
    }
    for (int g = 0; g < x->config.groups; g++) {
        const struct bank *bank = &x->bank[g];
        bool durable = bank->state == BANK_STATE_DRAINING || bank->state == BANK_STATE_FENCED;
        must(!durable || bank->version <= x->settled);                    /* L1 */
        must(bank->state != BANK_STATE_FENCED || bank->draining == 0);    /* L1 */
        must((bank->state == BANK_STATE_UNFENCED) == (bank->epoch == 0)); /* L3 */
        draining += bank->draining;
        for (int m = 0; m < MODULE_MAX; m++) {
            const struct port *port = &x->port[m][g];
            must(!port->login || (port->linked && !port->wants_login)); /* L4 */
            running += port->running;
        }
    }
    must(queued == x->admitted && running + overdue == x->admitted); /* L8 */
    must(draining <= running);
    must(x->settled <= x->version && x->storing <= x->version); /* L7 */
}

/* ---- for people ---- */

void loopswitch_bank(const struct loopswitch *x, uint8_t b, struct loopswitch_bank_status *out)
{
    must(b < GROUP_MAX);
    const struct bank *bank = &x->bank[b];
    *out = (struct loopswitch_bank_status){
        .epoch = bank->epoch, .allowed = bank->allowed, .refused = bank->refused};
    for (int i = 0; i < x->config.drives; i++)
        if (x->drive[i].bank == b)
            out->admitted += x->drive[i].queued;
}

bool loopswitch_drive(const struct loopswitch *x, uint32_t i, struct loopswitch_drive_status *out)
{
    if (i >= x->config.drives)
        return false;
    const struct drive *drive = &x->drive[i];
    *out = (struct loopswitch_drive_status){
        .slot = drive->slot,
        .bank = drive->bank,
        .online = loopswitch_on_line(drive),
        .bytes = x->config.drive[i].bytes,
        .reads = drive->reads,
        .writes = drive->writes,
        .read_bytes = drive->read_bytes,
        .written_bytes = drive->written_bytes,
        .errors = drive->counters.verdict[DRIVE_VERDICT_REPAIR] +
                  drive->counters.verdict[DRIVE_VERDICT_SUSPECT] +
                  drive->counters.verdict[DRIVE_VERDICT_FAIL],
        .queued = drive->queued,
        .state = drive->state,
        .looplet = drive->slot / LOOPLET_SLOTS,
        .al_pa = drive->al_pa,
        .content = x->config.drive[i].content,
        .located = drive->located,
        .counters = drive->counters,
    };
    if (drive->state == LOOP_PORT_ABSENT || drive->state == LOOP_PORT_BYPASSED)
        out->test_ns = drive->again_ns;
    return true;
}

static enum loop_port_state unit_state(const struct loopswitch *x, const struct port *port, int g)
{
    if (!port->linked)
        return LOOP_PORT_ABSENT;
    if (!port->login)
        return LOOP_PORT_INITIALISING;
    const struct bank *bank = &x->bank[g];
    return loopswitch_fence_allows(bank, port->member, bank->epoch) ? LOOP_PORT_ONLINE
                                                                    : LOOP_PORT_DISABLED;
}

bool loopswitch_unit_port(const struct loopswitch *x, uint32_t i,
                          struct loopswitch_port_status *out)
{
    int module = (int)i / GROUP_MAX, group = (int)i % GROUP_MAX;
    if (module >= MODULE_MAX)
        return false;
    const struct port *port = &x->port[module][group];
    *out = (struct loopswitch_port_status){.unit = port_unit(module, group),
                                           .state = unit_state(x, port, group),
                                           .running = port->running,
                                           .counters = port->counters};
    return true;
}
