/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "loopswitch/loopswitch.h"
#include "node/describe.h"

static json_t *describe_banks(const struct node *node, const struct part *part)
{
    json_t *list = json_array();
    for (uint8_t g = 0; g < node->config->groups; g++) {
        struct loopswitch_bank_status bank;
        loopswitch_bank(part->machine, g, &bank);
        json_array_append_new(
            list,
            json_pack("{s:s, s:I, s:o, s:I, s:I}", "group", describe_group(node, g), "epoch",
                      (json_int_t)bank.epoch, "allowed", describe_members(node, &bank.allowed, g),
                      "refused", (json_int_t)bank.refused, "admitted", (json_int_t)bank.admitted));
    }
    return list;
}

static json_t *describe_counters(const struct loop_port_counters *counters)
{
    json_t *entry = json_pack(
        "{s:I, s:I, s:I, s:I, s:I}", "frames_in", (json_int_t)counters->frames_in, "frames_out",
        (json_int_t)counters->frames_out, "lips", (json_int_t)counters->lips, "bypasses",
        (json_int_t)counters->bypasses, "timeouts", (json_int_t)counters->timeouts);
    for (enum drive_verdict v = 0; v < DRIVE_VERDICTS; v++)
        json_object_set_new(entry, loopswitch_verdict_name(v),
                            json_integer((json_int_t)counters->verdict[v]));
    return entry;
}

/* Its place on the loop. */
static json_t *describe_port(const struct loopswitch_drive_status *drive)
{
    char al_pa[3];
    snprintf(al_pa, sizeof al_pa, "%02x", drive->al_pa);
    uint64_t now_ns = loop_now_ns();
    json_t *test =
        drive->test_ns == 0
            ? json_null()
            : json_integer((json_int_t)(drive->test_ns > now_ns ? drive->test_ns - now_ns : 0));
    return json_pack("{s:s, s:I, s:o, s:b, s:o, s:o}", "port", loopswitch_state_name(drive->state),
                     "looplet", (json_int_t)drive->looplet, "al_pa",
                     al_pa_valid(drive->al_pa) ? json_string(al_pa) : json_null(), "located",
                     drive->located, "test_in_ns", test, "counters",
                     describe_counters(&drive->counters));
}

static json_t *describe_unit_ports(const struct node *node, const struct part *part)
{
    struct loopswitch_port_status port;
    json_t *list = json_array();
    for (uint32_t i = 0; loopswitch_unit_port(part->machine, i, &port); i++) {
        if (!node_is_member(node->config, port_index(port.unit), port_sub(port.unit)))
            continue;
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "unit",
                                              config_port_name(node->config, port.unit), "state",
                                              loopswitch_state_name(port.state), "running",
                                              (json_int_t)port.running, "frames_in",
                                              (json_int_t)port.counters.frames_in, "frames_out",
                                              (json_int_t)port.counters.frames_out, "logins",
                                              (json_int_t)port.counters.lips));
    }
    return list;
}

static json_t *describe_drive(const struct node *node, const struct part *part,
                              const struct loopswitch_drive_status *drive)
{
    struct drives *drives = loop_drives(node->loop);
    uint32_t number = (uint32_t)part->drive_of_slot[drive->slot];
    struct drive_facts facts;
    drives_facts(drives, number, &facts);
    json_t *bank =
        drive->bank == BANK_NONE ? json_null() : json_string(describe_group(node, drive->bank));
    json_t *entry = json_pack(
        "{s:s, s:I, s:s, s:o, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "name",
        node->drive_name[part->number][drive->slot], "slot", (json_int_t)drive->slot, "path",
        drives_path(drives, number), "group", bank, "online", drive->online && facts.online,
        "direct", facts.direct, "size_bytes", (json_int_t)drive->bytes, "block_bytes",
        (json_int_t)facts.block_bytes, "reads", (json_int_t)drive->reads, "writes",
        (json_int_t)drive->writes, "read_bytes", (json_int_t)drive->read_bytes, "written_bytes",
        (json_int_t)drive->written_bytes, "errors", (json_int_t)drive->errors, "queued",
        (json_int_t)drive->queued, "serial", facts.serial);
    if (drive->content != DRIVE_CONTENT_NONE && drive->bank == BANK_NONE)
        json_object_set_new(entry, "carries", json_string(facts.signature));
    json_t *port = describe_port(drive);
    json_object_update(entry, port);
    json_decref(port);
    return entry;
}

json_t *describe_loop(const struct node *node, const struct part *part)
{
    struct loopswitch_drive_status drive;
    json_t *drives = json_array();
    for (uint32_t i = 0; loopswitch_drive(part->machine, i, &drive); i++)
        json_array_append_new(drives, describe_drive(node, part, &drive));
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", part->trace.name, "tray",
                     node->config->loop[part->number].tray, "banks", describe_banks(node, part),
                     "ports", describe_unit_ports(node, part), "drives", drives);
}
