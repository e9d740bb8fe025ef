/* SPDX-License-Identifier: Apache-2.0 */

/* What units say to a sender: views, responses, refusals, signals, and their links. All of it comes
 * from outside: what does not fit is ignored. */

#include "iswitch/sender_state.h"

/* `cut` of a record that lost the outcomes: what was first sent before it may or may not have run,
 * so the host is told to try again and no unit is asked any more. */
static void cut_outstanding(struct sender *sender, uint8_t g)
{
    struct sender_group *group = &sender->group[g];
    for (uint64_t s = group->confirmed + 1; s <= group->last; s++) {
        struct entry *entry = sender_entry(group, s);
        if (entry->state == ENTRY_STATE_FREE || !entry->copies ||
            entry->command.first_epoch >= group->cut)
            continue;
        struct response_message response = {
            .id = entry->command.id,
            .group = g,
            .epoch = group->epoch,
            .status = 0x02, /* CHECK CONDITION */
            .sense_length = 18,
            /* SPC-4 4.5.3: fixed format, current, ABORTED COMMAND, 10 more bytes */
            .sense = {[0] = 0x70, [2] = 0x0B, [7] = 10},
        };
        if (entry->command.kind == COMMAND_TASK)
            response.task_response = 255; /* RFC 7143 11.6.1: function rejected */
        trace_info(sender->trace, "cut at epoch %llu: sequence %llu to g%d has an unknown outcome",
                   (unsigned long long)group->cut, (unsigned long long)s, g + 1);
        sender_answer(sender, g, entry, &response, slice_none());
    }
}

/* A unit that is no primary may lag behind, or have come up again with an old record: within one
 * epoch it cannot take back that the epoch is served. */
static bool view_counts(const struct sender_group *group, const struct view_message *view,
                        int module)
{
    if (view->epoch != group->epoch)
        return view->epoch > group->epoch;
    return view->serving || !group->serving || module == group->primary;
}

static void take_view(struct sender *sender, int module, const struct view_message *view)
{
    struct sender_group *group = &sender->group[view->group];
    if (!view_counts(group, view, module))
        return;
    if (view->dead_session >= sender->session)
        sender_end(sender);
    uint8_t members = 0;
    for (int m = 0; m < MODULE_MAX; m++)
        if (group->unit[m].member)
            members |= (uint8_t)(1u << m);
    uint8_t in_sync = view->in_sync & members;
    bool changed = view->epoch != group->epoch || in_sync != group->in_sync ||
                   view->serving != group->serving || view->primary != group->primary;
    group->epoch = view->epoch;
    group->serving = view->serving;
    group->primary = view->primary;
    group->in_sync = in_sync;
    if (view->cut > group->cut && !mutant(MUTANT_CUT_IGNORED)) {
        group->cut = view->cut;
        group->cut_changed = changed = true;
        cut_outstanding(sender, view->group);
    }
    if (!changed)
        return;
    group->view_changed = true;
    trace_info(sender->trace, "view of g%d: epoch %llu, primary %d, in sync %x, serving %s",
               view->group + 1, (unsigned long long)view->epoch, view->primary, in_sync,
               view->serving ? "yes" : "no");
    if (group->serving && !mutant(MUTANT_RESEND_OFF))
        sender_rewind(sender, group, 0xFF);
}

/* The outstanding command that a unit speaks of, or NULL. */
static struct entry *find(struct sender *sender, uint8_t g, struct command_id id)
{
    struct sender_group *group = &sender->group[g];
    if (id.sender != sender->config.sender || id.session != sender->session || sender->dead ||
        id.sequence <= group->confirmed || id.sequence > group->last)
        return NULL;
    struct entry *entry = sender_entry(group, id.sequence);
    return entry->state != ENTRY_STATE_FREE && entry->copies ? entry : NULL;
}

/* An outcome is kept without the data of a read. One that comes without it tells the host nothing
 * that it could use: its buffer would pass for what was read. */
static bool is_whole(const struct entry *entry, const struct response_message *response,
                     struct slice payload)
{
    const struct command_message *command = &entry->command;
    bool reads = command->kind == COMMAND_SCSI && command->wants_read && !command->wants_write;
    return !reads || response->status != 0 || response->withdrawn ||
           payload.length >= response->transferred || payload.length >= command->data_length;
}

static void take_response(struct sender *sender, uint8_t g, int module,
                          const struct response_message *response, struct slice payload)
{
    struct sender_group *group = &sender->group[g];
    struct entry *entry = find(sender, g, response->id);
    if (entry && !is_whole(entry, response, payload)) {
        trace_info(sender->trace, "sequence %llu: module %d has no data of it any more: again",
                   (unsigned long long)response->id.sequence, module);
        if (entry->state == ENTRY_STATE_OPEN)
            sender_again(group, entry, 0xFF, sender->now_ns + SENDER_BACK_OFF_NS);
        return;
    }
    if (entry) {
        struct response_message copy = *response;
        if (copy.sense_length > SENSE_MAX)
            copy.sense_length = SENSE_MAX;
        sender_answer(sender, g, entry, &copy, payload);
        return;
    }
    if (response->id.session != sender->session || sender->dead)
        return;
    /* Its unit has not heard of our confirmation: say it again. */
    group->unit[module].told = 0;
    sender_confirm_soon(sender, group);
}

static void refused_as_stale(struct sender *sender, struct sender_group *group, struct entry *entry)
{
    if (sender_self_proof(&entry->command) || mutant(MUTANT_STALE_UNPROVED)) {
        uint64_t at_ns = entry->sent_ns + SENDER_SELF_PROOF_NS;
        entry->proof_ns = sender->now_ns;
        sender_again(group, entry, 0xFF, at_ns > sender->now_ns ? at_ns : sender->now_ns);
    } else if (entry->state == ENTRY_STATE_OPEN) {
        sender_wait(group, entry, true);
    }
}

static void take_refuse(struct sender *sender, uint8_t g, int module,
                        const struct refuse_message *refuse)
{
    struct sender_group *group = &sender->group[g];
    if (refuse->reason == REFUSE_SESSION) {
        /* Not from a reign that is over: its successor may not know, and would go on with us. */
        bool counts = refuse->epoch >= group->epoch || mutant(MUTANT_OLD_DEATH_BELIEVED);
        if (counts && refuse->id.sender == sender->config.sender &&
            refuse->id.session == sender->session)
            sender_end(sender);
        return;
    }
    struct entry *entry = find(sender, g, refuse->id);
    if (!entry)
        return;
    trace_detail(sender->trace, "sequence %llu refused by module %d: reason %d",
                 (unsigned long long)refuse->id.sequence, module, refuse->reason);
    switch ((enum refuse_reason)refuse->reason) {
    case REFUSE_STALE:
        refused_as_stale(sender, group, entry);
        break;
    case REFUSE_EPOCH:
        /* Of our own epoch: meant a copy from before our newest view, which sends all again. Of
         * another one: a view follows and sends all again; where it is lost, this does. */
        if (refuse->epoch == group->epoch)
            break;
        /* fall through */
    case REFUSE_ROLE:
    case REFUSE_FULL:
        if (entry->state == ENTRY_STATE_OPEN)
            sender_again(group, entry, (uint8_t)(1u << module),
                         sender->now_ns + SENDER_BACK_OFF_NS);
        break;
    case REFUSE_SESSION:
        break;
    }
}

/* The member of a group that a port is, or NULL. */
static struct unit_port *find_unit(struct sender *sender, port_id port, int *module, uint8_t *g)
{
    if (port_kind(port) != PORT_KIND_UNIT)
        return NULL;
    int group = port_sub(port), index = port_index(port);
    if (group < 0 || group >= sender->config.groups || index < 0 || index >= MODULE_MAX)
        return NULL;
    *module = index;
    *g = (uint8_t)group;
    struct unit_port *unit = &sender->group[group].unit[index];
    return unit->member ? unit : NULL;
}

void sender_message(struct sender *sender, const struct message *message, uint64_t now_ns)
{
    int module;
    uint8_t g;
    struct unit_port *unit = find_unit(sender, message->from, &module, &g);
    if (!unit)
        return;
    sender->now_ns = now_ns;
    unit->heard_ns = now_ns;
    if (message->kind == MESSAGE_VIEW) {
        if (message->view.group == g)
            take_view(sender, module, &message->view);
    } else if (message->kind == MESSAGE_RESPONSE) {
        if (message->response.group == g && message->response.id.sender == sender->config.sender)
            take_response(sender, g, module, &message->response, message->payload);
    } else if (message->kind == MESSAGE_REFUSE) {
        if (message->refuse.group == g)
            take_refuse(sender, g, module, &message->refuse);
    } else if (message->kind == MESSAGE_SIGNAL) {
        unit->signal_ns = message->signal.now_ns;
        unit->signal_at = now_ns;
    }
}

void sender_link(struct sender *sender, port_id port, bool up)
{
    int module;
    uint8_t g;
    struct unit_port *unit = find_unit(sender, port, &module, &g);
    if (!unit)
        return;
    struct sender_group *group = &sender->group[g];
    uint8_t bit = (uint8_t)(1u << module);
    group->linked = up ? group->linked | bit : group->linked & (uint8_t)~bit;
    unit->signal_at = 0;
    if (up) {
        unit->heard_ns = sender->now_ns;
        if (!mutant(MUTANT_RESEND_OFF))
            sender_rewind(sender, group, bit);
        sender->next_signal_ns = sender->now_ns; /* the unit may have lost sight of us */
    }
}
