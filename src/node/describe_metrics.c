/* SPDX-License-Identifier: Apache-2.0 */
#include "iswitch/iswitch.h"
#include "iswitch/meter.h"
#include "loopswitch/loopswitch.h"
#include "node/describe.h"
#include "unit/meters.h"
#include "unit/unit.h"

/* What the machines have counted. Only what has been used is told, so the answer grows with the
 * volumes that hosts use, not with all that there can be. */

static json_t *describe_histogram(const struct histogram *h)
{
    json_t *counts = json_array();
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++)
        json_array_append_new(counts, json_integer((json_int_t)h->count[i]));
    return json_pack("{s:o, s:I}", "counts", counts, "sum_ns", (json_int_t)h->sum_ns);
}

static void add_histogram(json_t *object, const char *key, const struct histogram *h)
{
    if (histogram_total(h))
        json_object_set_new(object, key, describe_histogram(h));
}

/* ---- switches: volumes as hosts see them ---- */

static json_t *describe_meter(const struct node *node, uint8_t group, uint16_t volume,
                              const struct meter *meter)
{
    static const char *const ops[METER_OPS] = {"read", "write", "flush", "other"};
    static const char *const errors[METER_ERRORS] = {"medium", "hardware", "aborted", "busy"};
    json_t *took = json_object(), *error = json_object();
    for (int op = 0; op < METER_OPS; op++)
        add_histogram(took, ops[op], &meter->took[op]);
    for (int e = 0; e < METER_ERRORS; e++)
        json_object_set_new(error, errors[e], json_integer((json_int_t)meter->error[e]));
    return json_pack("{s:s, s:i, s:I, s:I, s:o, s:o}", "group", node->config->group[group].name,
                     "index", (int)volume, "read_bytes", (json_int_t)meter->read_bytes,
                     "written_bytes", (json_int_t)meter->written_bytes, "took", took, "errors",
                     error);
}

static json_t *switch_metrics(const struct node *node, const struct part *part)
{
    json_t *volumes = json_array();
    for (uint8_t g = 0; g < node->config->groups; g++)
        for (uint16_t v = 0; v < VOLUME_MAX; v++) {
            const struct meter *meter = iswitch_meter(part->machine, g, v);
            if (meter)
                json_array_append_new(volumes, describe_meter(node, g, v, meter));
        }
    return json_pack("{s:s, s:o}", "name", part->trace.name, "volumes", volumes);
}

/* ---- units: handshakes and takeovers ---- */

static json_t *unit_metrics(const struct node *node, const struct part *part)
{
    const struct meters *meters = unit_meters(part->machine);
    json_t *takeovers = json_object(), *phases = json_object();
    for (int i = 0; i < METERS_CAUSES; i++)
        add_histogram(takeovers, meters_cause_name(i), &meters->takeover[i]);
    for (int i = 0; i < METERS_PHASES; i++)
        json_object_set_new(phases, meters_phase_name(i),
                            json_integer((json_int_t)meters->phase_ns[i]));
    uint64_t ago_ns = meters->served_ns ? loop_now_ns() - meters->served_ns : 0;
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:I}", "name", part->trace.name, "group",
                     node->config->group[part->group].name, "handshake",
                     describe_histogram(&meters->handshake), "takeovers", takeovers, "phase_ns",
                     phases, "last_takeover_ns", (json_int_t)meters->last_ns, "ago_ns",
                     (json_int_t)ago_ns);
}

/* ---- loop switches: drives ---- */

static json_t *loop_metrics(const struct node *node, const struct part *part)
{
    static const char *const ops[LOOPSWITCH_OPS] = {"read", "write", "flush"};
    json_t *took = json_object();
    for (int op = 0; op < LOOPSWITCH_OPS; op++)
        add_histogram(took, ops[op], loopswitch_took(part->machine, (enum loopswitch_op)op));
    return json_pack("{s:s, s:s, s:o}", "name", part->trace.name, "tray",
                     node->config->loop[part->number].tray, "took", took);
}

static json_t *gather(struct node *node, const struct part_kind *kind,
                      json_t *(*describe)(const struct node *node, const struct part *part))
{
    json_t *list = json_array();
    for (uint8_t i = 0; i < node->parts; i++)
        if (node->part[i].kind == kind)
            json_array_append_new(list, describe(node, &node->part[i]));
    return list;
}

json_t *describe_metrics(struct node *node)
{
    json_t *bounds = json_array();
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        json_array_append_new(bounds, json_integer((json_int_t)histogram_bound_ns(i)));
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o}", "process", node->config->process[node->process].name,
        "bounds_ns", bounds, "switches", gather(node, &part_switch, switch_metrics), "units",
        gather(node, &part_unit, unit_metrics), "loops", gather(node, &part_loop, loop_metrics));
}
