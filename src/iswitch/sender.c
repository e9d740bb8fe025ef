/* SPDX-License-Identifier: Apache-2.0 */

/* The sending half of the command protocol (docs/PROTOCOL.md: Steady state 1, 6 and 7; "A dead
 * interface switch"). It never decides what a command does, and never answers one itself but in two
 * cases: one that was never sent and is withdrawn, and one that `cut` says has an unknown outcome.
 *
 * S1  A command keeps its identity and its first epoch from its first copy until it is answered.
 * S2  It is kept, with its payload, until its first response; every later response is ignored.
 * S3  `confirmed` has no gap: each sequence up to it is answered, and the one after it is not.
 * S4  At most SENDER_SPAN sequences lie above `confirmed`, SENDER_WINDOW of them unanswered.
 * S5  Copies go to linked in-sync units of a serving group only, in the order of sequences.
 * S6  Nothing of a session that was declared dead is sent again.
 *
 *            submit            REFUSE_STALE
 *     FREE ---------> OPEN ------------------> WAITING
 *      ^               |  <------------------     |
 *      |               |  proved, self, withdrawn |
 *      +---------------+--------------------------+
 *          response, cut, withdrawn before it was sent, session dead
 *
 * A unit's cursor `next` carries new commands and resends alike: setting it back to the oldest
 * outstanding sequence sends everything again. sender_receive.c takes what units say, sender_pump.c
 * sends. */

#include "iswitch/sender.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "iswitch/sender_state.h"

struct sender *sender_new(const struct sender_config *config, struct trace *trace)
{
    must(config->sender < SENDER_MAX && config->groups <= GROUP_MAX);
    struct sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return NULL;
    sender->config = *config;
    sender->trace = trace;
    sender->session = config->session;
    for (int g = 0; g < config->groups; g++) {
        struct sender_group *group = &sender->group[g];
        group->primary = MODULE_NONE;
        group->again_ns = group->confirm_ns = UINT64_MAX;
        must(config->group[g].members <= MODULE_MAX);
        for (int i = 0; i < config->group[g].members; i++) {
            must(config->group[g].module[i] < MODULE_MAX);
            group->unit[config->group[g].module[i]].member = true;
        }
        sender_rewind(sender, group, 0xFF);
    }
    return sender;
}

static void entry_free(struct sender_group *group, struct entry *entry)
{
    sender_wait(group, entry, false);
    slice_drop(&entry->payload);
    entry->state = ENTRY_STATE_FREE;
    group->open--;
}

static void drop_outstanding(struct sender_group *group)
{
    for (uint64_t s = group->confirmed + 1; s <= group->last; s++)
        if (sender_entry(group, s)->state != ENTRY_STATE_FREE)
            entry_free(group, sender_entry(group, s));
    group->confirmed = group->last;
    group->again_ns = group->confirm_ns = UINT64_MAX;
}

void sender_free(struct sender *sender)
{
    if (!sender)
        return;
    for (int g = 0; g < sender->config.groups; g++)
        drop_outstanding(&sender->group[g]);
    struct sender_notice notice;
    while (sender_next_notice(sender, &notice))
        slice_drop(&notice.payload);
    free(sender);
}

void sender_wait(struct sender_group *group, struct entry *entry, bool waiting)
{
    if (entry->state == ENTRY_STATE_WAITING && !entry->asked)
        group->unasked--;
    entry->asked = false;
    entry->state = waiting ? ENTRY_STATE_WAITING : ENTRY_STATE_OPEN;
    if (waiting) {
        entry->again = 0;
        group->unasked++;
    }
}

void sender_again(struct sender_group *group, struct entry *entry, uint8_t mask, uint64_t at_ns)
{
    if (!entry->again || at_ns < entry->again_ns)
        entry->again_ns = at_ns;
    entry->again |= mask;
    if (entry->again_ns < group->again_ns)
        group->again_ns = entry->again_ns;
}

void sender_confirm_soon(struct sender *sender, struct sender_group *group)
{
    if (group->confirm_ns == UINT64_MAX && group->confirmed > 0)
        group->confirm_ns = sender->now_ns + SENDER_CONFIRM_DELAY_NS;
}

void sender_rewind(struct sender *sender, struct sender_group *group, uint8_t mask)
{
    sender_confirm_soon(sender, group);
    for (int m = 0; m < MODULE_MAX; m++)
        if (mask >> m & 1) {
            group->unit[m].next = group->confirmed + 1;
            group->unit[m].told = 0;
        }
    for (uint64_t s = group->confirmed + 1; s <= group->last; s++)
        sender_entry(group, s)->again &= (uint8_t)~mask;
}

/* ---- the owner's side ---- */

static uint32_t outstanding_in_all(const struct sender *sender)
{
    uint32_t open = 0;
    for (int g = 0; g < sender->config.groups; g++)
        open += sender->group[g].open;
    return open;
}

bool sender_has_room(const struct sender *sender, uint8_t g)
{
    must(g < sender->config.groups);
    const struct sender_group *group = &sender->group[g];
    return !sender->dead && group->open < SENDER_WINDOW &&
           group->last - group->confirmed < SENDER_SPAN &&
           outstanding_in_all(sender) + sender->notice_count < SENDER_NOTICES;
}

uint64_t sender_submit(struct sender *sender, uint8_t g, const struct command_message *command,
                       struct slice payload, uint64_t begun_ns, uint64_t cookie)
{
    if (!sender_has_room(sender, g))
        return 0;
    struct sender_group *group = &sender->group[g];
    uint64_t sequence = ++group->last;
    struct entry *entry = sender_entry(group, sequence);
    must(entry->state == ENTRY_STATE_FREE);
    memset(entry, 0, sizeof *entry);
    entry->state = ENTRY_STATE_OPEN;
    entry->begun_ns = entry->proof_ns = begun_ns;
    entry->cookie = cookie;
    entry->command = *command;
    entry->command.id = (struct command_id){sender->config.sender, sender->session, sequence};
    entry->payload = slice_ref(payload);
    group->open++;
    return sequence;
}

uint32_t sender_outstanding(const struct sender *sender, uint8_t group)
{
    must(group < sender->config.groups);
    return sender->group[group].open;
}

void sender_withdraw(struct sender *sender, uint8_t g, uint64_t sequence)
{
    must(g < sender->config.groups);
    struct sender_group *group = &sender->group[g];
    if (sequence <= group->confirmed || sequence > group->last || mutant(MUTANT_WITHDRAW_OFF))
        return;
    struct entry *entry = sender_entry(group, sequence);
    if (entry->state == ENTRY_STATE_FREE || entry->command.kind == COMMAND_WITHDRAW)
        return;
    entry->command.kind = COMMAND_WITHDRAW;
    entry->command.data_length = 0;
    entry->command.wants_read = entry->command.wants_write = false;
    slice_drop(&entry->payload);
    if (!entry->copies) { /* no unit can know it */
        struct response_message response = {.id = entry->command.id,
                                            .group = g,
                                            .epoch = group->epoch,
                                            .status = 0x40, /* TASK ABORTED, SAM-5 5.3.1 */
                                            .withdrawn = true};
        sender_answer(sender, g, entry, &response, slice_none());
        return;
    }
    sender_wait(group, entry, false);
    entry->proof_ns = sender->now_ns;
    sender_again(group, entry, 0xFF, sender->now_ns);
}

void sender_proved(struct sender *sender, uint32_t nexus, uint64_t since_ns)
{
    for (int g = 0; g < sender->config.groups; g++) {
        struct sender_group *group = &sender->group[g];
        for (uint64_t s = group->confirmed + 1; s <= group->last; s++) {
            struct entry *entry = sender_entry(group, s);
            if (entry->state == ENTRY_STATE_FREE || entry->command.nexus != nexus)
                continue;
            if (since_ns > entry->proof_ns)
                entry->proof_ns = since_ns;
            if (entry->state == ENTRY_STATE_WAITING) {
                sender_wait(group, entry, false);
                sender_again(group, entry, 0xFF, sender->now_ns);
            }
        }
    }
}

void sender_renew(struct sender *sender, uint64_t session)
{
    must(sender->dead && session > sender->session);
    sender->session = session;
    sender->dead = sender->dead_told = false;
    for (int g = 0; g < sender->config.groups; g++) {
        struct sender_group *group = &sender->group[g];
        must(group->open == 0);
        group->confirmed = group->last = 0;
        sender_rewind(sender, group, 0xFF);
    }
}

/* ---- notices ---- */

void sender_answer(struct sender *sender, uint8_t g, struct entry *entry,
                   const struct response_message *response, struct slice payload)
{
    struct sender_group *group = &sender->group[g];
    must(sender->notice_count < SENDER_NOTICES);
    uint32_t last = (sender->notice_first + sender->notice_count++) % SENDER_NOTICES;
    struct notice *notice = &sender->notices[last];
    notice->response = *response;
    notice->notice = (struct sender_notice){.kind = SENDER_NOTICE_RESPONSE,
                                            .group = g,
                                            .nexus = entry->command.nexus,
                                            .cookie = entry->cookie,
                                            .sequence = entry->command.id.sequence,
                                            .payload = slice_ref(payload)};
    entry_free(group, entry);
    while (group->confirmed < group->last &&
           sender_entry(group, group->confirmed + 1)->state == ENTRY_STATE_FREE)
        group->confirmed++;
    sender_confirm_soon(sender, group);
}

void sender_end(struct sender *sender)
{
    if (sender->dead || mutant(MUTANT_DEATH_IGNORED))
        return;
    trace_warn(sender->trace, "session %llx is declared dead: %u commands are over",
               (unsigned long long)sender->session, outstanding_in_all(sender));
    sender->dead = true;
    for (int g = 0; g < sender->config.groups; g++)
        drop_outstanding(&sender->group[g]);
}

/* A nexus of which a copy waits for a proof that nobody has been asked for; in all groups at once.
 */
static bool next_unproved(struct sender *sender, struct sender_notice *out)
{
    bool found = false;
    for (uint8_t g = 0; g < sender->config.groups; g++) {
        struct sender_group *group = &sender->group[g];
        for (uint64_t s = group->confirmed + 1; s <= group->last && group->unasked > 0; s++) {
            struct entry *entry = sender_entry(group, s);
            if (entry->state != ENTRY_STATE_WAITING || entry->asked ||
                (found && entry->command.nexus != out->nexus))
                continue;
            entry->asked = true;
            group->unasked--;
            if (!found)
                *out = (struct sender_notice){.kind = SENDER_NOTICE_PROVE,
                                              .group = g,
                                              .nexus = entry->command.nexus,
                                              .cookie = entry->cookie,
                                              .sequence = s};
            found = true;
        }
    }
    return found;
}

bool sender_next_notice(struct sender *sender, struct sender_notice *out)
{
    if (sender->notice_count > 0) {
        sender->taken = sender->notices[sender->notice_first];
        sender->notice_first = (sender->notice_first + 1) % SENDER_NOTICES;
        sender->notice_count--;
        *out = sender->taken.notice;
        out->response = &sender->taken.response;
        return true;
    }
    if (sender->dead && !sender->dead_told) {
        sender->dead_told = true;
        *out = (struct sender_notice){.kind = SENDER_NOTICE_DEAD};
        return true;
    }
    for (uint8_t g = 0; g < sender->config.groups; g++)
        if (sender->group[g].view_changed) {
            *out = (struct sender_notice){
                .kind = SENDER_NOTICE_VIEW, .group = g, .cut = sender->group[g].cut_changed};
            sender->group[g].view_changed = sender->group[g].cut_changed = false;
            return true;
        }
    return next_unproved(sender, out);
}

/* ---- for people, and for ourselves ---- */

void sender_describe(const struct sender *sender, uint8_t g, struct sender_view *out)
{
    must(g < sender->config.groups);
    const struct sender_group *group = &sender->group[g];
    *out = (struct sender_view){
        .epoch = group->epoch,
        .serving = group->serving,
        .primary = group->primary,
        .in_sync = group->in_sync,
        .linked = group->linked,
        .heard_ns = group->primary < MODULE_MAX ? group->unit[group->primary].heard_ns : 0,
        .outstanding = group->open,
        .resent = group->resent};
}

uint64_t sender_heard_ns(const struct sender *sender)
{
    uint64_t heard_ns = 0;
    uint8_t modules = 0;
    for (int g = 0; g < sender->config.groups; g++) {
        const struct sender_group *group = &sender->group[g];
        modules |= group->linked;
        for (int m = 0; m < MODULE_MAX; m++)
            if (group->unit[m].heard_ns > heard_ns)
                heard_ns = group->unit[m].heard_ns;
    }
    return modules & (modules - 1) ? heard_ns : 0;
}

void sender_check(const struct sender *sender)
{
    uint32_t open = 0;
    for (int g = 0; g < sender->config.groups; g++) {
        const struct sender_group *group = &sender->group[g];
        must(group->confirmed <= group->last);               /* S3 */
        must(group->last - group->confirmed <= SENDER_SPAN); /* S4 */
        must(group->open <= group->last - group->confirmed && group->open <= SENDER_WINDOW);
        must(group->unasked <= group->open);
        if (group->confirmed < group->last) /* S3 */
            must(group->at[(group->confirmed + 1) % SENDER_SPAN].state != ENTRY_STATE_FREE);
        for (int m = 0; m < MODULE_MAX; m++)
            must(group->unit[m].next <= group->last + 1);
        must(!sender->dead || group->open == 0); /* S6 */
        open += group->open;
    }
    must(open + sender->notice_count <= SENDER_NOTICES);
}
