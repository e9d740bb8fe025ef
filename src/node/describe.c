/* SPDX-License-Identifier: Apache-2.0 */
#include "node/describe.h"

#include <stdio.h>
#include <unistd.h>

#include "iswitch/iswitch.h"

/* ---- names ---- */

json_t *describe_module(const struct node *node, uint8_t module, int group)
{
    if (module >= node->config->modules || group >= node->config->groups)
        return json_null();
    return json_string(config_port_name(node->config, port_unit(module, group)));
}

json_t *describe_members(const struct node *node, const struct members *members, int group)
{
    json_t *list = json_array();
    for (int i = 0; i < members->count; i++)
        json_array_append_new(list, describe_module(node, members->at[i].module, group));
    return list;
}

json_t *describe_modules(const struct node *node, uint8_t mask, int group)
{
    json_t *list = json_array();
    for (uint8_t m = 0; m < node->config->modules; m++)
        if (mask >> m & 1)
            json_array_append_new(list, describe_module(node, m, group));
    return list;
}

json_t *describe_uuid(const uint8_t uuid[16])
{
    char text[33];
    for (int i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", uuid[i]);
    return json_string(text);
}

const char *describe_group(const struct node *node, uint8_t group)
{
    return group < node->config->groups ? node->config->group[group].name : "";
}

/* ---- interface switches ---- */

static json_t *describe_sessions(const struct iswitch *iswitch)
{
    struct iswitch_session_status s;
    json_t *list = json_array();
    for (uint32_t i = 0; iswitch_session(iswitch, i, &s); i++)
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I}", "initiator", s.initiator, "peer",
                      s.peer, "discovery", s.discovery, "commands", (json_int_t)s.commands, "reads",
                      (json_int_t)s.reads, "writes", (json_int_t)s.writes, "read_bytes",
                      (json_int_t)s.read_bytes, "written_bytes", (json_int_t)s.written_bytes));
    return list;
}

static json_t *describe_views(const struct node *node, const struct iswitch_status *status)
{
    json_t *list = json_array();
    for (uint8_t g = 0; g < node->config->groups; g++) {
        const struct sender_view *view = &status->group[g];
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:b, s:o, s:o, s:o, s:I, s:I}", "name",
                            describe_group(node, g), "epoch", (json_int_t)view->epoch, "serving",
                            view->serving, "primary", describe_module(node, view->primary, g),
                            "in_sync", describe_modules(node, view->in_sync, g), "linked",
                            describe_modules(node, view->linked, g), "outstanding",
                            (json_int_t)view->outstanding, "resent", (json_int_t)view->resent));
    }
    return list;
}

json_t *describe_switch(const struct node *node, const struct part *part)
{
    struct iswitch_status status;
    iswitch_describe(part->machine, &status);
    json_t *portals = json_array();
    for (uint8_t i = 0; i < part->portals; i++)
        json_array_append_new(portals, json_string(part->portal[i]));
    return json_pack("{s:s, s:b, s:o, s:s, s:o, s:I, s:I, s:I, s:o}", "name", part->trace.name,
                     "drained", status.drained, "portals", portals, "target", node->config->target,
                     "sessions", describe_sessions(part->machine), "commands",
                     (json_int_t)status.commands, "resent", (json_int_t)status.resent,
                     "directory_version", (json_int_t)status.directory_version, "groups",
                     describe_views(node, &status));
}

/* ---- the process ---- */

static json_t *describe_links(const struct node *node)
{
    json_t *list = json_array();
    for (int i = 0; i < node->config->processes; i++) {
        struct link_status status;
        if (i == node->process)
            continue;
        links_describe(loop_links(node->loop), i, &status);
        json_array_append_new(
            list, json_pack("{s:s, s:b, s:I, s:I, s:I}", "process", node->config->process[i].name,
                            "up", status.up, "sent_messages", (json_int_t)status.sent_messages,
                            "received_messages", (json_int_t)status.received_messages,
                            "queued_bytes", (json_int_t)status.queued_bytes));
    }
    return list;
}

static json_t *describe_parts(struct node *node, const struct part_kind *kind,
                              json_t *(*describe)(const struct node *node, const struct part *part))
{
    json_t *list = json_array();
    for (uint8_t i = 0; i < node->parts; i++)
        if (node->part[i].kind == kind)
            json_array_append_new(list, describe(node, &node->part[i]));
    return list;
}

json_t *describe_process(struct node *node)
{
    struct loop_status loop;
    loop_describe(node->loop, &loop);
    struct buffer_pool *buffers = loop_buffers(node->loop);
    return json_pack(
        "{s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}",
        "process", node->config->process[node->process].name, "array", node->config->array, "pid",
        (json_int_t)getpid(), "command_line", node->command_line, "started_ns",
        (json_int_t)node->started_ns, "now_ns", (json_int_t)loop_now_ns(), "buffers_used_bytes",
        (json_int_t)buffer_pool_used(buffers), "buffers_limit_bytes",
        (json_int_t)buffer_pool_limit(buffers), "stopping", node->stopping, "turns",
        (json_int_t)loop.turns, "requests", (json_int_t)loop.requests, "late_turns",
        (json_int_t)loop.late_turns, "longest_turn_ns", (json_int_t)loop.longest_turn_ns, "units",
        describe_parts(node, &part_unit, describe_unit), "switches",
        describe_parts(node, &part_switch, describe_switch), "loops",
        describe_parts(node, &part_loop, describe_loop), "links", describe_links(node));
}
