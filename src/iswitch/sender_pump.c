/* SPDX-License-Identifier: Apache-2.0 */

/* What a sender says: commands, confirmations, availability signals. Each pump does a bounded part
 * and asks to be woken for the rest. */

#include "base/must.h"
#include "iswitch/sender_state.h"

/* How many actions this pump may still make. */
struct budget {
    struct actions *actions;
    uint32_t end;
};

static bool budget_left(const struct budget *budget, uint32_t wanted)
{
    return budget->actions->count + wanted <= budget->end;
}

static void stamp(const struct sender *sender, const struct sender_group *group,
                  struct entry *entry, uint64_t now_ns)
{
    struct command_message *command = &entry->command;
    if (!entry->copies || mutant(MUTANT_FIRST_EPOCH_RESTAMPED))
        command->first_epoch = group->epoch;
    command->epoch = group->epoch;
    command->age_ns =
        now_ns > entry->proof_ns && !mutant(MUTANT_RESENT_FRESH) ? now_ns - entry->proof_ns : 0;
    command->start_age_ns = now_ns > entry->begun_ns ? now_ns - entry->begun_ns : 0;
    command->sent_ns = now_ns;
    command->confirmed =
        mutant(MUTANT_CONFIRM_WITH_GAP) ? command->id.sequence - 1 : group->confirmed;
    entry->sent_ns = now_ns;
    trace_detail(sender->trace, "sequence %llu: epoch %llu, age %llu us",
                 (unsigned long long)command->id.sequence, (unsigned long long)command->epoch,
                 (unsigned long long)(command->age_ns / 1000));
}

/* One copy to each unit of `mask`: all in one go, so that they leave as one multicast. */
static void send_copies(struct sender *sender, uint8_t g, struct entry *entry, uint8_t mask,
                        struct actions *actions)
{
    struct sender_group *group = &sender->group[g];
    stamp(sender, group, entry, sender->now_ns);
    for (int m = 0; m < MODULE_MAX; m++) {
        uint8_t bit = (uint8_t)(1u << m);
        if (!(mask & bit))
            continue;
        struct message *message =
            actions_send(actions, MESSAGE_COMMAND, sender->config.self, port_unit(m, g));
        message->command = entry->command;
        message->payload = slice_ref(entry->payload);
        group->unit[m].told = group->confirmed;
        if (entry->copies & bit)
            group->resent++;
        entry->copies |= bit;
    }
    entry->again &= (uint8_t)~mask;
}

/* Moves the cursors of the linked in-sync units to the newest command. */
static bool pump_cursors(struct sender *sender, uint8_t g, const struct budget *budget)
{
    struct sender_group *group = &sender->group[g];
    uint8_t active = sender_active(group);
    uint64_t sequence = group->last + 1;
    for (int m = 0; m < MODULE_MAX; m++) {
        struct unit_port *unit = &group->unit[m];
        if (unit->next <= group->confirmed)
            unit->next = group->confirmed + 1;
        if (active >> m & 1 && unit->next < sequence)
            sequence = unit->next;
    }
    for (; sequence <= group->last; sequence++) {
        if (!budget_left(budget, MODULE_MAX))
            return false;
        uint8_t mask = 0;
        for (int m = 0; m < MODULE_MAX; m++)
            if (active >> m & 1 && group->unit[m].next == sequence) {
                mask |= (uint8_t)(1u << m);
                group->unit[m].next++;
            }
        struct entry *entry = sender_entry(group, sequence);
        if (entry->state == ENTRY_STATE_OPEN)
            send_copies(sender, g, entry, mask, budget->actions);
    }
    return true;
}

/* Refused, proved and withdrawn ones whose time has come. */
static bool pump_again(struct sender *sender, uint8_t g, const struct budget *budget)
{
    struct sender_group *group = &sender->group[g];
    uint8_t active = sender_active(group);
    if (group->again_ns > sender->now_ns || !active)
        return true;
    uint64_t first_ns = UINT64_MAX;
    for (uint64_t s = group->confirmed + 1; s <= group->last; s++) {
        struct entry *entry = sender_entry(group, s);
        if (entry->state != ENTRY_STATE_OPEN || !entry->again)
            continue;
        if (entry->again_ns <= sender->now_ns) {
            if (!budget_left(budget, MODULE_MAX))
                return false;
            if (entry->again & active)
                send_copies(sender, g, entry, entry->again & active, budget->actions);
            entry->again = 0; /* whoever is not linked or not in sync gets all when it is */
        } else if (entry->again_ns < first_ns) {
            first_ns = entry->again_ns;
        }
    }
    group->again_ns = first_ns;
    return true;
}

static bool pump_confirm(struct sender *sender, uint8_t g, const struct budget *budget)
{
    struct sender_group *group = &sender->group[g];
    if (group->confirm_ns > sender->now_ns)
        return true;
    if (!budget_left(budget, MODULE_MAX))
        return false;
    for (int m = 0; m < MODULE_MAX; m++) {
        if (!((group->in_sync & group->linked) >> m & 1) || group->unit[m].told >= group->confirmed)
            continue;
        struct message *message =
            actions_send(budget->actions, MESSAGE_CONFIRM, sender->config.self, port_unit(m, g));
        message->confirm = (struct confirm_message){.sender = sender->config.sender,
                                                    .group = g,
                                                    .session = sender->session,
                                                    .confirmed = group->confirmed};
        group->unit[m].told = group->confirmed;
    }
    group->confirm_ns = UINT64_MAX;
    return true;
}

/* A link that is up may be cut in one way: the unit must know that its answers are lost. */
static bool hears(const struct sender *sender, const struct unit_port *unit)
{
    return sender->now_ns - unit->heard_ns <= sender->config.limits.availability_ns ||
           mutant(MUTANT_DEAF_SWITCH_ANSWERED);
}

static bool pump_signals(struct sender *sender, const struct budget *budget)
{
    uint64_t now_ns = sender->now_ns;
    if (now_ns < sender->next_signal_ns)
        return true;
    if (!budget_left(budget, GROUP_MAX * MODULE_MAX))
        return false;
    for (int g = 0; g < sender->config.groups; g++)
        for (int m = 0; m < MODULE_MAX; m++) {
            const struct unit_port *unit = &sender->group[g].unit[m];
            if (!(sender->group[g].linked >> m & 1))
                continue;
            struct message *message =
                actions_send(budget->actions, MESSAGE_SIGNAL, sender->config.self, port_unit(m, g));
            message->signal = (struct signal_message){
                .group = 0xFF,
                .member = {sender->config.sender, sender->session},
                .now_ns = now_ns,
                .heard_units = hears(sender, unit) ? (uint8_t)(1u << m) : 0,
                .echo_ns = unit->signal_at ? unit->signal_ns : 0,
                .echo_delay_ns = unit->signal_at ? now_ns - unit->signal_at : 0,
                .waiting_drive = 0xFF,
            };
        }
    sender->next_signal_ns = now_ns + sender->config.limits.signal_ns;
    return true;
}

void sender_pump(struct sender *sender, uint64_t now_ns, struct actions *actions)
{
    sender->now_ns = now_ns;
    uint32_t room = actions_room(actions);
    room = room > SENDER_ACTIONS_SPARE ? room - SENDER_ACTIONS_SPARE : 0;
    struct budget budget = {actions,
                            actions->count + (room < SENDER_PUMP_MAX ? room : SENDER_PUMP_MAX)};
    bool done = pump_signals(sender, &budget);
    if (!sender->dead)
        for (uint8_t g = 0; g < sender->config.groups; g++) {
            /* old before new: a command that is sent again is older than any that is not */
            done = pump_again(sender, g, &budget) && done;
            done = pump_cursors(sender, g, &budget) && done;
            done = pump_confirm(sender, g, &budget) && done;
        }
    sender->more = !done;
    sender_check(sender);
}

/* A new command, or one to be sent again, that could go now. */
static bool sendable(const struct sender_group *group)
{
    for (int m = 0; m < MODULE_MAX; m++)
        if (sender_active(group) >> m & 1 && group->unit[m].next <= group->last)
            return true;
    return false;
}

uint64_t sender_wake_ns(const struct sender *sender)
{
    if (sender->more)
        return sender->now_ns;
    uint64_t wake_ns = sender->next_signal_ns;
    if (sender->dead)
        return wake_ns;
    for (int g = 0; g < sender->config.groups; g++) {
        const struct sender_group *group = &sender->group[g];
        if (sendable(group))
            return sender->now_ns;
        if (sender_active(group) && group->again_ns < wake_ns)
            wake_ns = group->again_ns;
        if (group->confirm_ns < wake_ns)
            wake_ns = group->confirm_ns;
    }
    return wake_ns;
}
