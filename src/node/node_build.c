/* SPDX-License-Identifier: Apache-2.0 */
/* The actors of a process, by its configuration. */
#include <stdio.h>
#include <string.h>

#include "iswitch/iswitch.h"
#include "iswitch/manager.h"
#include "node/manage_socket.h"
#include "node/node_state.h"
#include "unit/unit.h"

enum { HOSTS_MAX = 256 };

bool node_is_member(const struct config *config, int module, int group)
{
    for (int i = 0; i < config->group[group].members; i++)
        if (config->group[group].member[i] == module)
            return true;
    return false;
}

static int no_memory(const struct part *part, char *sentence, size_t bytes)
{
    snprintf(sentence, bytes, "no memory for %s", part->trace.name);
    return -1;
}

static struct sender_config sender_of(const struct node *node, port_id self)
{
    const struct config *config = node->config;
    struct sender_config sender = {.sender = (uint8_t)sender_of_port(self),
                                   .self = self,
                                   .session = node->incarnation,
                                   .groups = config->groups,
                                   .limits = config->limits};
    for (uint8_t g = 0; g < config->groups; g++) {
        sender.group[g].members = config->group[g].members;
        memcpy(sender.group[g].module, config->group[g].member, sizeof sender.group[g].module);
    }
    return sender;
}

/* ---- modules ---- */

static int build_unit(struct node *node, uint8_t module, uint8_t group, char *sentence,
                      size_t bytes)
{
    const struct config *config = node->config;
    struct unit_config unit = {.module = module,
                               .group = group,
                               .incarnation = node->incarnation,
                               .members = config->group[group].members,
                               .switches = config->switches,
                               .loops = config->loops,
                               .modules = config->modules,
                               .owner = config->group[group].owner,
                               .limits = config->limits,
                               .mirror_bytes = config->mirror_bytes};
    memcpy(unit.member, config->group[group].member, sizeof unit.member);
    struct part *part = node_add_part(node, &part_unit, port_unit(module, group));
    part->group = group;
    part->machine = unit_new(&unit, loop_buffers(node->loop), &part->trace);
    return part->machine ? 0 : no_memory(part, sentence, bytes);
}

static int build_manager(struct node *node, uint8_t module, char *sentence, size_t bytes)
{
    struct part *part = node_add_part(node, &part_manager, port_manager(module));
    struct sender_config sender = sender_of(node, part->port);
    part->machine = manager_new(&sender, &part->trace);
    return part->machine ? 0 : no_memory(part, sentence, bytes);
}

static int build_module(struct node *node, uint8_t module, char *sentence, size_t bytes)
{
    for (uint8_t g = 0; g < node->config->groups; g++)
        if (node_is_member(node->config, module, g) && build_unit(node, module, g, sentence, bytes))
            return -1;
    return build_manager(node, module, sentence, bytes);
}

/* ---- interface switches ---- */

static void list_portals(const struct config *config, struct iswitch_config *out)
{
    for (uint8_t s = 0; s < config->switches; s++) {
        for (uint8_t i = 0; i < config->iswitch[s].portals && out->portals < PORTAL_MAX; i++) {
            out->portal[out->portals].switch_index = s;
            snprintf(out->portal[out->portals].address, PORTAL_BYTES, "%s",
                     config->iswitch[s].announce[i]);
            out->portals++;
        }
    }
}

static int build_switch(struct node *node, struct part *part, char *sentence, size_t bytes)
{
    const struct config *config = node->config;
    struct iswitch_config iswitch = {.index = part->number,
                                     .sender = sender_of(node, part->port),
                                     .session_max = HOSTS_MAX,
                                     .payload_bytes = config->buffer_bytes / 2};
    snprintf(iswitch.target, sizeof iswitch.target, "%s", config->target);
    for (uint8_t g = 0; g < config->groups; g++)
        if (config->group[g].owner)
            iswitch.owner = g;
    list_portals(config, &iswitch);
    if (config_read_secrets(config, &iswitch.secrets, sentence, bytes))
        return -1;
    part->machine = iswitch_new(&iswitch, loop_buffers(node->loop), &part->trace);
    explicit_bzero(&iswitch.secrets, sizeof iswitch.secrets);
    return part->machine ? 0 : no_memory(part, sentence, bytes);
}

/* The part comes first, so that its number can own the portals; its machine later. */
static int bind_portals(struct node *node, uint8_t number, char *sentence, size_t bytes)
{
    const struct config *config = node->config;
    struct part *part = node_add_part(node, &part_switch, port_switch(number));
    char what[64];
    for (uint8_t i = 0; i < config->iswitch[number].portals; i++) {
        uint32_t owner = (uint32_t)(part - node->part) * PART_PORTAL_MAX + i;
        snprintf(what, sizeof what, "portal of %s", part->trace.name);
        if (streams_listen(loop_streams(node->loop), STREAM_USE_HOST, owner, what,
                           config->iswitch[number].portal[i], part->portal[i],
                           sizeof part->portal[i], sentence, bytes))
            return -1;
        part->portals++;
    }
    return 0;
}

/* ---- all of them ---- */

int node_build_sockets(struct node *node, char *sentence, size_t sentence_bytes)
{
    const struct config *config = node->config;
    const struct config_process *process = &config->process[node->process];
    node->manage_socket = manage_socket_new(node, sentence, sentence_bytes);
    if (!node->manage_socket)
        return -1;
    for (uint8_t s = 0; s < config->switches; s++)
        if (process->switches >> s & 1 && bind_portals(node, s, sentence, sentence_bytes))
            return -1;
    return 0;
}

int node_build_parts(struct node *node, char *sentence, size_t sentence_bytes)
{
    const struct config *config = node->config;
    const struct config_process *process = &config->process[node->process];
    for (uint8_t i = 0; i < node->parts; i++)
        if (build_switch(node, &node->part[i], sentence, sentence_bytes))
            return -1;
    for (uint8_t m = 0; m < config->modules; m++)
        if (process->modules >> m & 1 && build_module(node, m, sentence, sentence_bytes))
            return -1;
    for (uint8_t l = 0; l < config->loops; l++)
        if (process->loops >> l & 1 && node_build_loop(node, l, sentence, sentence_bytes))
            return -1;
    return 0;
}
