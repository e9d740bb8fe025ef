/* SPDX-License-Identifier: Apache-2.0 */

/* The units' ports. A unit's drive commands are admitted by the number of its present login only,
 * and a login is accepted only when nothing of the unit's earlier ones is under way: the fence does
 * not stop an old write of the same epoch from landing on a newer one. */

#include "base/must.h"
#include "loopswitch/state.h"

void loopswitch_link_up(struct loopswitch *x, port_id unit)
{
    struct port *port = loopswitch_port(x, unit);
    if (!port)
        return;
    port->linked = true;
    port->login = 0;
    port->wants_login = false;
    port->signal_at = 0;
    x->next_signal_ns = x->now_ns;
}

/* Its commands go on to their end; nobody hears of them. A fence that it asked for goes on too. */
void loopswitch_link_down(struct loopswitch *x, port_id unit)
{
    struct port *port = loopswitch_port(x, unit);
    if (!port)
        return;
    int module = port_index(unit), group = port_sub(unit);
    port->linked = false;
    port->login = 0;
    port->wants_login = false;
    x->bank[group].asker[module].waiting = false;
    for (int i = 0; i < x->config.drives; i++) {
        struct drive *drive = &x->drive[i];
        if (drive->wanted == group && drive->asker.module == module)
            drive->asker.waiting = false;
    }
}

void loopswitch_login(struct loopswitch *x, const struct message *message)
{
    struct port *port = loopswitch_port(x, message->from);
    const struct login_message *login = &message->login;
    if (!port || !port->linked || login->group != port_sub(message->from) ||
        login->member.module != port_index(message->from))
        return;
    port->login = 0;
    port->wants_login = true;
    port->wanted = login->member;
    port->login_end_ns = x->now_ns + x->config.limits.drain_ns;
    port->retry_ns = 0;
}

static void give_up_port(struct loopswitch *x, int module, int group)
{
    for (uint32_t i = 0; i < x->config.commands_max; i++) {
        struct running *command = &x->running[i];
        if (command->used && !command->given_up && command->module == module &&
            command->group == group)
            loopswitch_give_up(x, command);
    }
}

static void put_inventory(const struct loopswitch *x, struct buffer *buffer)
{
    struct cursor c = cursor_of(buffer->data, buffer->capacity);
    for (int i = 0; i < x->config.drives; i++) {
        const struct drive *drive = &x->drive[i];
        struct drive_info info = {
            .drive = (uint8_t)(x->config.index * 32 + drive->slot),
            .bank = drive->bank,
            .online = loopswitch_on_line(drive),
            .al_pa = drive->al_pa,
            .content = x->config.drive[i].content,
            .life = drive->life,
            .block_bytes = x->config.drive[i].block_bytes,
            .bytes = x->config.drive[i].bytes,
        };
        memcpy(info.serial, x->config.drive[i].serial, sizeof info.serial);
        info.serial[sizeof info.serial - 1] = 0;
        drive_info_put(&c, &info);
    }
    must(!c.failed);
}

/* Takes the buffer's reference over. */
static void send_inventory(struct loopswitch *x, int module, int group, struct buffer *buffer,
                           struct actions *actions)
{
    struct port *port = &x->port[module][group];
    struct message *message =
        actions_send(actions, MESSAGE_LOGIN_ACCEPT, x->self, port_unit(module, group));
    message->login = (struct login_message){.group = (uint8_t)group,
                                            .member = port->member,
                                            .login = port->login,
                                            .drives = x->config.drives};
    message->payload = slice_of(buffer, 0, (uint32_t)x->config.drives * DRIVE_INFO_BYTES);
    port->counters.frames_out++;
}

static void accept_login(struct loopswitch *x, int module, int group, struct actions *actions)
{
    struct port *port = &x->port[module][group];
    uint32_t length = (uint32_t)x->config.drives * DRIVE_INFO_BYTES;
    struct buffer *buffer = NULL;
    if (length > 0) {
        buffer = buffer_get(x->buffers, length);
        if (!buffer) {
            port->retry_ns = x->now_ns + INVENTORY_RETRY_NS;
            return;
        }
        put_inventory(x, buffer);
    }
    port->wants_login = false;
    port->member = port->wanted;
    port->login = ++x->logins;
    port->counters.lips++;
    send_inventory(x, module, group, buffer, actions);
    trace_info(x->trace, "%c%d logs in", 'A' + module, group + 1);
}

void loopswitch_logins_go_on(struct loopswitch *x, struct actions *actions)
{
    for (int m = 0; m < MODULE_MAX; m++)
        for (int g = 0; g < x->config.groups; g++) {
            struct port *port = &x->port[m][g];
            if (!port->wants_login || x->now_ns < port->retry_ns)
                continue;
            if (port->running > 0 && x->now_ns >= port->login_end_ns)
                give_up_port(x, m, g);
            if (port->running == 0 || mutant(MUTANT_OLD_LOGIN_RUNS_ON))
                accept_login(x, m, g, actions);
        }
}

void loopswitch_tell_anew(struct loopswitch *x)
{
    for (int m = 0; m < MODULE_MAX; m++)
        for (int g = 0; g < x->config.groups; g++) {
            struct port *port = &x->port[m][g];
            if (!port->login)
                continue;
            port->login = 0;
            port->wants_login = true;
            port->wanted = port->member;
            port->login_end_ns = x->now_ns + x->config.limits.drain_ns;
            port->retry_ns = 0;
        }
}

/* Since its login a drive may have come back on line: each signal says which are. */
static uint32_t slots_on_line(const struct loopswitch *x)
{
    uint32_t slots = 0;
    for (int i = 0; i < x->config.drives; i++)
        if (loopswitch_on_line(&x->drive[i]))
            slots |= 1u << x->drive[i].slot;
    return slots;
}

void loopswitch_signals_go_on(struct loopswitch *x, struct actions *actions)
{
    if (x->now_ns < x->next_signal_ns)
        return;
    uint32_t slots = slots_on_line(x);
    for (int m = 0; m < MODULE_MAX; m++)
        for (int g = 0; g < x->config.groups; g++) {
            const struct port *port = &x->port[m][g];
            if (!port->linked)
                continue;
            struct message *message =
                actions_send(actions, MESSAGE_SIGNAL, x->self, port_unit(m, g));
            message->signal = (struct signal_message){
                .group = 0xFF,
                .member = {x->config.index, x->config.incarnation},
                .now_ns = x->now_ns,
                .echo_ns = port->signal_at ? port->signal_ns : 0,
                .echo_delay_ns = port->signal_at ? x->now_ns - port->signal_at : 0,
                .waiting_drive = 0xFF,
            };
            message->signal.drives[x->config.index] = slots;
        }
    x->next_signal_ns = x->now_ns + x->config.limits.signal_ns;
}
