/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kinds.h"

#include "base/must.h"

/* Lives are far apart, since a unit counts its incarnations up within one. */
static uint64_t life_number(struct world *world, const struct part *part)
{
    return (uint64_t)world_life(world, part->process) << 20;
}

const struct unit *kinds_unit(const struct part *part)
{
    must(part->kind == &kinds_unit_part);
    return part->machine;
}

const struct iswitch *kinds_iswitch(const struct part *part)
{
    must(part->kind == &kinds_iswitch_part);
    return part->machine;
}

const struct loopswitch *kinds_loopswitch(const struct part *part)
{
    must(part->kind == &kinds_loopswitch_part);
    return part->machine;
}

/* ---- units ---- */

static void *unit_create(struct world *world, struct part *part)
{
    struct unit_config config = *(const struct unit_config *)part->config;
    config.incarnation = life_number(world, part);
    return unit_new(&config, world_buffers(world), &part->trace);
}

static void unit_part_step(void *machine, const struct event *event, struct actions *actions)
{
    unit_step(machine, event, actions);
}

static uint64_t unit_part_wake_ns(const void *machine)
{
    return unit_wake_ns(machine);
}

static void unit_part_check(const void *machine)
{
    unit_check(machine);
}

static void unit_part_check_all(const void *machine)
{
    unit_check_all(machine);
}

static void unit_part_destroy(void *machine)
{
    unit_free(machine);
}

const struct part_kind kinds_unit_part = {
    .name = "unit",
    .create = unit_create,
    .step = unit_part_step,
    .wake_ns = unit_part_wake_ns,
    .check = unit_part_check,
    .check_all = unit_part_check_all,
    .destroy = unit_part_destroy,
};

/* ---- interface switches ---- */

static void *iswitch_create(struct world *world, struct part *part)
{
    struct iswitch_config config = *(const struct iswitch_config *)part->config;
    config.sender.session = life_number(world, part);
    return iswitch_new(&config, world_buffers(world), &part->trace);
}

static void iswitch_part_step(void *machine, const struct event *event, struct actions *actions)
{
    iswitch_step(machine, event, actions);
}

static uint64_t iswitch_part_wake_ns(const void *machine)
{
    return iswitch_wake_ns(machine);
}

static void iswitch_part_check(const void *machine)
{
    iswitch_check(machine);
}

static void iswitch_part_check_all(const void *machine)
{
    iswitch_check_all(machine);
}

static void iswitch_part_destroy(void *machine)
{
    iswitch_free(machine);
}

static struct sink iswitch_part_sink(const void *machine, uint32_t stream)
{
    return iswitch_sink(machine, stream);
}

const struct part_kind kinds_iswitch_part = {
    .name = "iswitch",
    .create = iswitch_create,
    .step = iswitch_part_step,
    .wake_ns = iswitch_part_wake_ns,
    .check = iswitch_part_check,
    .check_all = iswitch_part_check_all,
    .destroy = iswitch_part_destroy,
    .sink = iswitch_part_sink,
};

/* ---- loop switches ---- */

static void *loopswitch_create(struct world *world, struct part *part)
{
    struct loopswitch_config config = *(const struct loopswitch_config *)part->config;
    config.incarnation = life_number(world, part);
    config.stored_length = part->stored_length;
    memcpy(config.stored, part->stored, sizeof config.stored);
    return loopswitch_new(&config, &part->trace);
}

static void loopswitch_part_step(void *machine, const struct event *event, struct actions *actions)
{
    loopswitch_step(machine, event, actions);
}

static uint64_t loopswitch_part_wake_ns(const void *machine)
{
    return loopswitch_wake_ns(machine);
}

static void loopswitch_part_check(const void *machine)
{
    loopswitch_check(machine);
}

static void loopswitch_part_destroy(void *machine)
{
    loopswitch_free(machine);
}

const struct part_kind kinds_loopswitch_part = {
    .name = "loopswitch",
    .create = loopswitch_create,
    .step = loopswitch_part_step,
    .wake_ns = loopswitch_part_wake_ns,
    .check = loopswitch_part_check,
    .destroy = loopswitch_part_destroy,
};
