/* SPDX-License-Identifier: Apache-2.0 */

/* The fence of a bank (docs/PROTOCOL.md, Takeover 3): refused by at once, durable, drained, and
 * only then answered.
 *
 *     UNFENCED, FENCED, FAILED --- loopswitch_fence ---> STORING <--- a higher one --- DRAINING
 *     STORING --- loopswitch_fences_stored ---> DRAINING, or FAILED
 *     DRAINING --- loopswitch_fences_go_on ---> FENCED
 *
 * Only FENCED admits anything. In STORING and DRAINING the units that the new fence allows are told
 * to wait, since a command of the earlier epoch could still land after one of theirs. */

#include "base/must.h"
#include "loopswitch/state.h"

static const char *const bank_state_names[BANK_STATES] = {
    [BANK_STATE_UNFENCED] = "unfenced", [BANK_STATE_STORING] = "storing",
    [BANK_STATE_DRAINING] = "draining", [BANK_STATE_FENCED] = "fenced",
    [BANK_STATE_FAILED] = "failed",
};

static const bool legal[BANK_STATES][BANK_STATES] = {
    [BANK_STATE_UNFENCED] = {[BANK_STATE_STORING] = true},
    [BANK_STATE_STORING] =
        {[BANK_STATE_STORING] = true, [BANK_STATE_DRAINING] = true, [BANK_STATE_FAILED] = true},
    [BANK_STATE_DRAINING] = {[BANK_STATE_STORING] = true, [BANK_STATE_FENCED] = true},
    [BANK_STATE_FENCED] = {[BANK_STATE_STORING] = true},
    [BANK_STATE_FAILED] = {[BANK_STATE_STORING] = true},
};

static void become(struct loopswitch *x, struct bank *bank, enum bank_state state)
{
    must(legal[bank->state][state]);
    trace_detail(x->trace, "bank g%d: %s -> %s", (int)(bank - x->bank) + 1,
                 bank_state_names[bank->state], bank_state_names[state]);
    bank->state = state;
}

bool loopswitch_fence_allows(const struct bank *bank, struct member member, uint64_t epoch)
{
    return bank->state != BANK_STATE_UNFENCED && bank->state != BANK_STATE_FAILED &&
           (epoch >= bank->epoch || mutant(MUTANT_EPOCH_UNCHECKED)) &&
           (members_find(&bank->allowed, member) >= 0 || mutant(MUTANT_PORT_UNCHECKED));
}

static void answer(struct loopswitch *x, port_id unit, const struct fence_message *asked,
                   enum fence_result result, struct actions *actions)
{
    struct message *message = actions_send(actions, MESSAGE_FENCE_ANSWER, x->self, unit);
    message->fence = *asked;
    message->fence.result = (uint8_t)result;
    message->fence.held_epoch = x->bank[asked->bank].epoch;
    message->fence.undrained = 0;
    if (result != FENCE_DONE)
        return;
    for (int i = 0; i < x->config.drives; i++)
        if (x->drive[i].bank == asked->bank && x->drive[i].overdue > 0)
            message->fence.undrained |= 1u << x->drive[i].slot;
}

/* Every unit that waits for the fence under way in this bank. */
static void answer_askers(struct loopswitch *x, uint8_t b, enum fence_result result,
                          struct actions *actions)
{
    struct bank *bank = &x->bank[b];
    for (int m = 0; m < MODULE_MAX; m++) {
        if (!bank->asker[m].waiting)
            continue;
        bank->asker[m].waiting = false;
        struct fence_message asked = {
            .bank = b, .epoch = bank->epoch, .allowed = bank->allowed, .tag = bank->asker[m].tag};
        answer(x, port_unit(m, b), &asked, result, actions);
    }
}

/* Marks the commands under way that must end before the fence is up. One that an earlier fence
 * waits for gets no more time: fence after fence would else hold up all drives of the bank. */
static void mark_draining(struct loopswitch *x, uint8_t b)
{
    struct bank *bank = &x->bank[b];
    bank->draining = bank->given_up = 0;
    bank->end_ns = UINT64_MAX;
    for (uint32_t i = 0; i < x->config.commands_max; i++) {
        struct running *command = &x->running[i];
        if (!command->used || command->given_up || command->message.bank != b)
            continue;
        bool waited_for = command->draining && !mutant(MUTANT_DRAIN_BEGUN_ANEW);
        command->draining =
            !mutant(MUTANT_FENCE_UNDRAINED) && (command->message.epoch < bank->epoch ||
                                                members_find(&bank->allowed, command->member) < 0);
        if (!command->draining)
            continue;
        if (!waited_for)
            command->drain_end_ns = x->now_ns + x->config.limits.drain_ns;
        bank->draining++;
        if (command->drain_end_ns < bank->end_ns)
            bank->end_ns = command->drain_end_ns;
    }
}

static bool sane(const struct loopswitch *x, const struct message *message)
{
    const struct fence_message *fence = &message->fence;
    if (fence->bank >= x->config.groups || fence->bank != port_sub(message->from) ||
        fence->epoch == 0 || fence->allowed.count > 2 * MODULE_MAX)
        return false;
    for (int i = 0; i < fence->allowed.count; i++)
        if (fence->allowed.at[i].module >= MODULE_MAX)
            return false;
    return members_find_module(&fence->allowed, (uint8_t)port_index(message->from)) >= 0;
}

static void take_effect(struct loopswitch *x, const struct fence_message *fence,
                        struct actions *actions)
{
    struct bank *bank = &x->bank[fence->bank];
    uint64_t old_epoch = bank->epoch;
    bank->epoch = fence->epoch; /* what those are told whose fence gives way */
    answer_askers(x, fence->bank, FENCE_OLD, actions);
    bank->allowed = fence->allowed;
    bank->since_ns = x->now_ns;
    mark_draining(x, fence->bank);
    become(x, bank, BANK_STATE_STORING);
    bank->version = loopswitch_changed(x);
    if (mutant(MUTANT_FENCE_BEFORE_DURABLE)) {
        bank->version = 0;
        become(x, bank, BANK_STATE_DRAINING);
    }
    char names[64];
    trace_info(x->trace, "bank g%d: epoch %llu -> %llu, allows %s only, %u commands to drain",
               fence->bank + 1, (unsigned long long)old_epoch, (unsigned long long)fence->epoch,
               loopswitch_members_name(&bank->allowed, fence->bank, names, sizeof names),
               bank->draining);
}

void loopswitch_fence(struct loopswitch *x, const struct message *message, struct actions *actions)
{
    const struct port *port = loopswitch_port(x, message->from);
    const struct fence_message *fence = &message->fence;
    if (!port || !port->linked || fence->bank >= GROUP_MAX)
        return;
    if (!sane(x, message)) {
        trace_warn(x->trace, "a fence that makes no sense is refused");
        answer(x, message->from, fence, FENCE_FAILED, actions);
        return;
    }
    struct bank *bank = &x->bank[fence->bank];
    if (fence->epoch < bank->epoch && !mutant(MUTANT_FENCE_BELOW_TAKEN)) {
        answer(x, message->from, fence, FENCE_OLD, actions);
        return;
    }
    bool same = fence->epoch == bank->epoch && members_equal(&fence->allowed, &bank->allowed);
    if (same && bank->state == BANK_STATE_FENCED) {
        answer(x, message->from, fence, FENCE_DONE, actions);
        return;
    }
    if (!same || bank->state == BANK_STATE_FAILED)
        take_effect(x, fence, actions);
    int module = port_index(message->from);
    bank->asker[module].waiting = true;
    bank->asker[module].tag = fence->tag;
}

void loopswitch_fences_stored(struct loopswitch *x, bool ok, struct actions *actions)
{
    for (uint8_t b = 0; b < x->config.groups; b++) {
        struct bank *bank = &x->bank[b];
        if (bank->state != BANK_STATE_STORING || bank->version > x->settled)
            continue;
        if (ok) {
            become(x, bank, BANK_STATE_DRAINING);
        } else {
            become(x, bank, BANK_STATE_FAILED);
            answer_askers(x, b, FENCE_FAILED, actions);
        }
    }
}

/* What does not end in its time. */
static void give_up_draining(struct loopswitch *x, uint8_t b)
{
    struct bank *bank = &x->bank[b];
    if (x->now_ns < bank->end_ns)
        return;
    bank->end_ns = UINT64_MAX;
    for (uint32_t i = 0; i < x->config.commands_max; i++) {
        struct running *command = &x->running[i];
        if (!command->used || !command->draining || command->message.bank != b)
            continue;
        if (x->now_ns >= command->drain_end_ns) {
            loopswitch_give_up(x, command);
            bank->given_up++;
        } else if (command->drain_end_ns < bank->end_ns) {
            bank->end_ns = command->drain_end_ns;
        }
    }
}

void loopswitch_fences_go_on(struct loopswitch *x, struct actions *actions)
{
    for (uint8_t b = 0; b < x->config.groups; b++) {
        struct bank *bank = &x->bank[b];
        if (bank->state != BANK_STATE_DRAINING)
            continue;
        give_up_draining(x, b);
        if (bank->draining > 0)
            continue;
        uint32_t undrained = bank->given_up;
        become(x, bank, BANK_STATE_FENCED);
        char names[64];
        uint64_t tenths = (x->now_ns - bank->since_ns) / 100000;
        actions_notice(actions,
                       "fence loop=%s bank=g%d epoch=%llu allowed=%s undrained=%u ms=%u.%u",
                       x->trace->name, b + 1, (unsigned long long)bank->epoch,
                       loopswitch_members_name(&bank->allowed, b, names, sizeof names), undrained,
                       (unsigned)(tenths / 10), (unsigned)(tenths % 10));
        trace_info(x->trace, "bank g%d at epoch %llu: %s, fenced", b + 1,
                   (unsigned long long)bank->epoch, undrained ? "not drained" : "drained");
        answer_askers(x, b, FENCE_DONE, actions);
    }
}
