/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/site.h"

#include <stdio.h>
#include <stdlib.h>

#include "array/layout.h"
#include "base/must.h"

enum { NAME = 16, OWNER_GROUP = 0 };
#define TARGET "iqn.2026-01.sim:array"

struct site_options site_options_default(uint64_t seed)
{
    return (struct site_options){
        .world = world_config_default(seed),
        .limits = limits_default(),
        .modules = 2,
        .groups = 2,
        .switches = 2,
        .loops = 2,
        .drives = 2,
        .drive_bytes = 20 << 20,
        .volume_bytes = 8 << 20,
        .volumes = 1,
        .level = RAID_1,
        .cache = CACHE_MIRRORED,
        .hosts = 2,
        .host_retry_ns = MS(20),
    };
}

/* ---- building ---- */

static uint8_t preferred(const struct site_options *o, int group, int place)
{
    return (uint8_t)(o->standby ? place : (place + group) % o->modules);
}

static void add_module(struct site *site, int m)
{
    const struct site_options *o = &site->options;
    char name[NAME];
    snprintf(name, sizeof name, "%c", 'A' + m);
    site->module[m] = world_add_process(site->world, name);
    for (int g = 0; g < o->groups; g++) {
        struct unit_config *c = &site->unit_config[m][g];
        *c = (struct unit_config){.module = (uint8_t)m,
                                  .group = (uint8_t)g,
                                  .members = o->modules,
                                  .switches = o->switches,
                                  .loops = o->loops,
                                  .modules = o->modules,
                                  .owner = g == OWNER_GROUP,
                                  .limits = o->limits,
                                  .mirror_bytes = 4 << 20};
        for (int i = 0; i < o->modules; i++)
            c->member[i] = preferred(o, g, i);
        snprintf(name, sizeof name, "%c%d", 'A' + m, g + 1);
        world_add_part(site->world, site->module[m], name, port_unit(m, g), &kinds_unit_part, c);
    }
}

static void sender_config(const struct site *site, uint8_t sender, struct sender_config *c)
{
    const struct site_options *o = &site->options;
    *c = (struct sender_config){
        .sender = sender, .self = port_of_sender(sender), .groups = o->groups, .limits = o->limits};
    for (int g = 0; g < o->groups; g++) {
        c->group[g].members = o->modules;
        for (int i = 0; i < o->modules; i++)
            c->group[g].module[i] = preferred(o, g, i);
    }
}

static void add_submitter(struct site *site, int process, const char *name, uint8_t sender)
{
    struct submitter_config *c = &site->submitter_config[sender];
    c->clients = site->clients;
    c->path = sender;
    c->manager = sender >= SWITCH_MAX;
    sender_config(site, sender, &c->sender);
    struct part *part =
        world_add_part(site->world, process, name, port_of_sender(sender), &submitter_kind, c);
    clients_path(site->clients, sender, part);
}

static void add_switch(struct site *site, int s)
{
    const struct site_options *o = &site->options;
    char name[NAME];
    snprintf(name, sizeof name, "IS%d", s + 1);
    site->iswitch[s] = world_add_process(site->world, name);
    if (!o->iscsi) {
        add_submitter(site, site->iswitch[s], name, (uint8_t)s);
        return;
    }
    struct iswitch_config *c = &site->iswitch_config[s];
    c->index = (uint8_t)s;
    snprintf(c->target, sizeof c->target, TARGET);
    sender_config(site, (uint8_t)s, &c->sender);
    c->owner = OWNER_GROUP;
    c->portals = o->switches;
    for (uint8_t i = 0; i < o->switches; i++) {
        c->portal[i].switch_index = i;
        snprintf(c->portal[i].address, sizeof c->portal[i].address, "10.0.0.%d:3260", i + 1);
    }
    c->session_max = 32;
    c->payload_bytes = 64 << 20;
    struct part *part =
        world_add_part(site->world, site->iswitch[s], name, port_switch(s), &kinds_iswitch_part, c);
    for (uint8_t h = 0; h < o->hosts; h++) {
        struct host_config host = {.host = h,
                                   .path = (uint8_t)s,
                                   .part = part,
                                   .target = TARGET,
                                   .immediate = h % 2 == 0,
                                   .retry_ns = o->host_retry_ns,
                                   .nop_ns = o->limits.nop_ns};
        site->host[h][s] = host_new(site->world, site->clients, &host);
    }
}

static void add_loop(struct site *site, int l)
{
    const struct site_options *o = &site->options;
    char name[NAME];
    snprintf(name, sizeof name, "L%d", l + 1);
    site->loop[l] = world_add_process(site->world, name);
    struct loopswitch_config *c = &site->loop_config[l];
    c->index = (uint8_t)l;
    c->groups = o->groups;
    c->limits = o->limits;
    c->commands_max = 1024;
    c->drives = o->drives;
    for (int d = 0; d < o->drives; d++) {
        c->drive[d].slot = (uint8_t)d;
        c->drive[d].online = true;
        c->drive[d].bytes = o->drive_bytes;
        c->drive[d].block_bytes = 512;
        snprintf(c->drive[d].serial, sizeof c->drive[d].serial, "SIM%02d%02d", l, d);
        disk_add(site->world, site->loop[l], l * 32 + d, o->drive_bytes);
    }
    world_add_part(site->world, site->loop[l], name, port_loop(l), &kinds_loopswitch_part, c);
}

static void add_links(struct site *site)
{
    const struct site_options *o = &site->options;
    for (int m = 0; m < o->modules; m++) {
        for (int n = m + 1; n < o->modules; n++)
            world_add_link(site->world, site->module[m], site->module[n]);
        for (int s = 0; s < o->switches; s++)
            world_add_link(site->world, site->module[m], site->iswitch[s]);
        for (int l = 0; l < o->loops; l++)
            world_add_link(site->world, site->module[m], site->loop[l]);
    }
}

/* The number of its nexus, as it is now. */
static uint64_t nexus_of(const struct site *site, const struct op *op)
{
    if (op->path >= site->options.switches || op->host >= SITE_HOSTS)
        return 0;
    const struct host *host = site->host[op->host][op->path];
    if (host)
        return host_logins(host);
    struct part *part = world_part_of_port(site->world, port_switch(op->path));
    return submitter_nexus(part, op->host);
}

static void on_begin(void *context, struct op *op)
{
    struct site *site = context;
    oracle_begun(site->oracle, op);
    reservations_begun(site->reservations, op);
    attentions_begun(site->attentions, op, nexus_of(site, op));
}

static void on_leave(void *context, struct op *op)
{
    const struct site *site = context;
    oracle_left(site->oracle, op);
}

static void on_end(void *context, struct op *op)
{
    struct site *site = context;
    oracle_ended(site->oracle, op);
    reservations_ended(site->reservations, op);
    attentions_ended(site->attentions, op, nexus_of(site, op));
    if (site->on_end)
        site->on_end(site->on_end_context, op);
}

struct site *site_new(const struct site_options *options)
{
    struct site *site = calloc(1, sizeof *site);
    must(site);
    site->options = *options;
    site->world = world_new(&options->world);
    site->clients = clients_new(site->world);
    site->oracle = oracle_new();
    site->guard = guard_new(site->world);
    site->reservations = reservations_new();
    site->attentions = attentions_new(site->world);
    clients_on_begin(site->clients, on_begin, site);
    clients_on_end(site->clients, on_end, site);
    clients_on_leave(site->clients, on_leave, site);
    for (int l = 0; l < options->loops; l++)
        add_loop(site, l);
    for (int m = 0; m < options->modules; m++) {
        add_module(site, m);
        char name[NAME];
        snprintf(name, sizeof name, "M%c", 'A' + m);
        add_submitter(site, site->module[m], name, (uint8_t)(SWITCH_MAX + m));
    }
    for (int s = 0; s < options->switches; s++)
        add_switch(site, s);
    add_links(site);
    for (int g = 0; g < options->groups; g++) {
        struct record first = {.generation = 1,
                               .group = (uint8_t)g,
                               .primary = member_none(),
                               .dirty = member_none(),
                               .owner = g == OWNER_GROUP};
        cell_create(site->world, &first);
    }
    return site;
}

bool site_free(struct site *site)
{
    bool balanced = world_free(site->world);
    for (int h = 0; h < SITE_HOSTS; h++)
        for (int s = 0; s < SWITCH_MAX; s++)
            host_free(site->host[h][s]);
    guard_free(site->guard);
    oracle_free(site->oracle);
    reservations_free(site->reservations);
    attentions_free(site->attentions);
    clients_free(site->clients);
    free(site);
    return balanced;
}

/* ---- running ---- */

void site_start(struct site *site)
{
    for (int p = 0; p < world_processes(site->world); p++)
        if (!world_living(site->world, p))
            world_start(site->world, p);
}

const char *site_violation(const struct site *site)
{
    const char *what = guard_violation(site->guard);
    if (!what)
        what = oracle_violation(site->oracle);
    if (!what)
        what = reservations_violation(site->reservations);
    return what ? what : attentions_violation(site->attentions);
}

bool site_run(struct site *site, uint64_t for_ns)
{
    uint64_t until = world_now(site->world) + for_ns;
    while (world_step(site->world, until))
        if (site_violation(site))
            return false;
    return true;
}

bool site_finish(struct site *site, struct op *op, uint64_t for_ns)
{
    uint64_t until = world_now(site->world) + for_ns;
    while (op->state == OP_STATE_WAITING && !site_violation(site))
        if (!world_step(site->world, until))
            break;
    return op->state != OP_STATE_WAITING;
}

struct part *site_unit(const struct site *site, int module, int group)
{
    return world_part_of_port(site->world, port_unit(module, group));
}

bool site_standing(const struct site *site, int module, int group, struct unit_status *out)
{
    const struct unit *unit = kinds_unit(site_unit(site, module, group));
    if (!unit)
        return false;
    unit_standing(unit, out);
    return true;
}

bool site_describe(const struct site *site, int module, int group, struct unit_status *out)
{
    const struct unit *unit = kinds_unit(site_unit(site, module, group));
    if (!unit)
        return false;
    unit_describe(unit, out);
    return true;
}

int site_primary(const struct site *site, int group)
{
    struct unit_status status;
    int found = -1;
    uint64_t epoch = 0;
    for (int m = 0; m < site->options.modules; m++)
        if (site_standing(site, m, group, &status) && status.state == UNIT_STATE_PRIMARY &&
            status.epoch >= epoch) {
            found = m;
            epoch = status.epoch;
        }
    return found;
}

bool site_settled(const struct site *site)
{
    struct unit_status status;
    for (int g = 0; g < site->options.groups; g++) {
        const struct record *record = cell_record(site->world, g);
        if (site_primary(site, g) < 0 || record->in_sync.count != site->options.modules ||
            record->previous.count)
            return false;
        for (int d = 0; d < DRIVE_MAX; d++)
            if (record->drive_state[d] != DRIVE_STATE_GOOD)
                return false;
        for (int m = 0; m < site->options.modules; m++)
            if (!site_standing(site, m, g, &status) || status.epoch != record->epoch ||
                (status.state != UNIT_STATE_PRIMARY && status.state != UNIT_STATE_SECONDARY))
                return false;
    }
    return true;
}

bool site_settle(struct site *site, uint64_t for_ns)
{
    uint64_t until = world_now(site->world) + for_ns;
    while (!site_settled(site)) {
        uint64_t left = until - world_now(site->world);
        if (left == 0 || !site_run(site, left < MS(5) ? left : MS(5)))
            return false;
    }
    return true;
}

void site_begin(struct site *site, struct op *op, int volume, uint8_t host, uint8_t path)
{
    const struct site_volume *v = &site->volume[volume];
    must(volume < site->volumes);
    op->group = v->group;
    op->volume = v->volume;
    op->lun = v->lun;
    op_scale(op, v->scale);
    op->host = host;
    op->path = path;
    op_begin(site->clients, op);
}

bool site_manage(struct site *site, int module, uint8_t group, const struct manage_request *request,
                 char *text, uint32_t text_bytes)
{
    uint8_t bytes[MANAGE_REQUEST_BYTES_MAX];
    uint32_t length = manage_encode(request, bytes, sizeof bytes);
    struct op *op = op_manage(site->clients, bytes, length);
    op->group = group;
    op->path = (uint8_t)(SWITCH_MAX + module);
    op_begin(site->clients, op);
    bool done = site_finish(site, op, MS(20000));
    snprintf(text, text_bytes, "%.*s", (int)op->in_length, (const char *)op->in);
    world_say(site->world, "-- manage %d: %s status %02x: %s", request->verb,
              done ? "answered" : "no answer", op->status, text);
    return done && op->state == OP_STATE_ANSWERED && op->status == 0;
}

/* ---- the pools and volumes ---- */

static void identity(uint8_t *uuid, int group, int kind, int number)
{
    memset(uuid, 0, 16);
    uuid[0] = 0x5E;
    uuid[1] = (uint8_t)group;
    uuid[2] = (uint8_t)kind;
    uuid[15] = (uint8_t)number;
}

static void pool_name(char *name, int g, int p)
{
    if (p)
        snprintf(name, NAME_BYTES, "pool%d%c", g + 1, 'a' + p);
    else
        snprintf(name, NAME_BYTES, "pool%d", g + 1);
}

/* Pool p of a group has every pools-th of the group's slots, on each loop switch. */
static bool create_pool(struct site *site, uint8_t g, int p)
{
    const struct site_options *o = &site->options;
    int pools = o->pools ? o->pools : 1;
    struct manage_request request = {.verb = MANAGE_POOL_CREATE,
                                     .level = p ? o->pool[p].level : o->level,
                                     .cache = p ? o->pool[p].cache : o->cache,
                                     .chunk_bytes = o->chunk_bytes};
    char text[512];
    pool_name(request.name, g, p);
    identity(request.uuid, g, 1, p);
    for (int d = g + p * o->groups; d < o->drives; d += o->groups * pools)
        for (int l = 0; l < o->loops; l++)
            request.drives[request.drive_count++] = (uint8_t)(l * 32 + d);
    struct site_pool *pool = &site->pool[site->pools++];
    *pool = (struct site_pool){g, request.level, request.drive_count, {0}};
    memcpy(pool->drives, request.drives, sizeof pool->drives);
    return site_manage(site, 0, g, &request, text, sizeof text);
}

static bool create_volume(struct site *site, uint8_t g, int i)
{
    const struct site_options *o = &site->options;
    uint32_t scale = o->large_blocks >> site->volumes & 1 ? 8 : 1;
    struct manage_request request = {
        .verb = MANAGE_VOLUME_CREATE, .bytes = o->volume_bytes, .block_bytes = scale * BLOCK_BYTES};
    uint8_t pool = (uint8_t)(o->pools ? i % o->pools : 0);
    char text[512];
    snprintf(request.name, sizeof request.name, "v%d%d", g + 1, i);
    pool_name(request.pool, g, pool);
    identity(request.uuid, g, 2, i);
    if (!site_manage(site, 0, g, &request, text, sizeof text))
        return false;
    const char *number = strstr(text, "volume=");
    if (!number)
        return false;
    struct site_volume *v = &site->volume[site->volumes];
    v->group = g;
    v->pool = pool;
    v->cache = pool ? o->pool[pool].cache : o->cache;
    v->scale = scale;
    v->volume = (uint16_t)atoi(number + strlen("volume="));
    v->lun = (uint16_t)site->volumes;
    v->blocks = o->volume_bytes / BLOCK_BYTES;
    struct manage_request map = {
        .verb = MANAGE_MAP, .group = g, .volume = v->volume, .lun = v->lun};
    memcpy(map.name, request.name, sizeof map.name);
    memcpy(map.uuid, request.uuid, sizeof map.uuid);
    if (!site_manage(site, 0, OWNER_GROUP, &map, text, sizeof text))
        return false;
    oracle_volume(site->oracle, g, v->volume, v->blocks);
    if (v->cache == CACHE_WRITE_THROUGH)
        oracle_through(site->oracle, g, v->volume);
    site->volumes++;
    return true;
}

static bool log_in(struct site *site)
{
    const struct site_options *o = &site->options;
    uint64_t until = world_now(site->world) + MS(10000);
    for (uint8_t h = 0; h < o->hosts; h++)
        for (uint8_t s = 0; s < o->switches; s++)
            host_connect(site->host[h][s]);
    for (uint8_t h = 0; h < o->hosts; h++)
        for (uint8_t s = 0; s < o->switches; s++)
            while (host_state(site->host[h][s]) != HOST_STATE_READY)
                if (world_now(site->world) >= until || !site_run(site, MS(5)))
                    return false;
    return true;
}

bool site_create(struct site *site)
{
    const struct site_options *o = &site->options;
    for (uint8_t g = 0; g < o->groups; g++) {
        for (int p = 0; p < (o->pools ? o->pools : 1); p++)
            if (!create_pool(site, g, p))
                return false;
        for (int i = 0; i < o->volumes; i++)
            if (!create_volume(site, g, i))
                return false;
    }
    return !o->iscsi || log_in(site);
}

/* ---- the end of the day ---- */

bool site_answered(const struct site *site)
{
    for (uint32_t ticket = 1; ticket <= clients_count(site->clients); ticket++) {
        const struct op *op = op_of(site->clients, ticket);
        if (op->begun_ns && !op->abandoned && op->state == OP_STATE_WAITING)
            return false;
    }
    return true;
}

static void heal_links(struct site *site, int p)
{
    for (int q = p + 1; q < world_processes(site->world); q++)
        if (link_exists(site->world, p, q)) {
            link_restore(site->world, p, q);
            link_slow(site->world, p, q, 0);
            link_lose(site->world, p, q, MESSAGE_NONE);
            link_lose(site->world, q, p, MESSAGE_NONE);
        }
}

/* A drive that was failed is looked at again after a login: as when a person seats it anew. */
void site_seat_drives(struct site *site, int loop)
{
    bool failed = false;
    for (int g = 0; g < site->options.groups; g++)
        for (int d = 0; d < site->options.drives; d++)
            failed |= cell_record(site->world, g)->drive_state[loop * 32 + d] == DRIVE_STATE_FAILED;
    for (int m = 0; failed && m < site->options.modules; m++)
        link_break(site->world, site->module[m], site->loop[loop], true);
}

void site_heal(struct site *site)
{
    for (int p = 0; p < world_processes(site->world); p++) {
        if (world_paused(site->world, p))
            world_resume(site->world, p);
        cell_reach(site->world, p, CELL_REACHED);
        cell_slow(site->world, p, 0);
        heal_links(site, p);
    }
    for (int l = 0; l < site->options.loops; l++)
        for (int d = 0; d < site->options.drives; d++) {
            disk_hang(site->world, l * 32 + d, false);
            disk_fail(site->world, l * 32 + d, false, false);
            disk_remove(site->world, l * 32 + d, false);
            disk_slow(site->world, l * 32 + d, 0);
        }
    site_start(site);
    for (int l = 0; l < site->options.loops; l++)
        site_seat_drives(site, l);
}

/* What of a unit's state must be the same in every member: one part of it. False: it is not a
 * serving one. */
static bool state_of(const struct site *site, int m, int g, bool pools, uint8_t *out,
                     uint32_t *length)
{
    const struct unit *unit = kinds_unit(site_unit(site, m, g));
    struct unit_status status;
    if (!unit)
        return false;
    unit_standing(unit, &status);
    if (status.state != UNIT_STATE_PRIMARY && status.state != UNIT_STATE_SECONDARY)
        return false;
    *length = pools ? array_save(unit_array(unit), out, ARRAY_STATE_MAX)
                    : scsi_save(unit_scsi(unit), out, ARRAY_STATE_MAX);
    must(*length <= ARRAY_STATE_MAX);
    return true;
}

static bool state_equal(const struct site *site, int g, bool pools, char *sentence, uint32_t bytes)
{
    static uint8_t first[ARRAY_STATE_MAX], other[ARRAY_STATE_MAX];
    uint32_t first_length = 0, length, at = 0;
    int who = -1;
    for (int m = 0; m < site->options.modules; m++) {
        if (!state_of(site, m, g, pools, who < 0 ? first : other, &length))
            continue;
        if (who < 0) {
            who = m;
            first_length = length;
            continue;
        }
        while (at < length && at < first_length && first[at] == other[at])
            at++;
        if (at == length && at == first_length)
            continue;
        snprintf(sentence, bytes, "%c%d and %c%d hold different state of %s, at byte %u of %u",
                 'A' + who, g + 1, 'A' + m, g + 1, pools ? "pools" : "hosts", at, first_length);
        return false;
    }
    return true;
}

bool site_states_equal(const struct site *site, char *sentence, uint32_t bytes)
{
    for (int g = 0; g < site->options.groups; g++)
        for (int pools = 0; pools < 2; pools++)
            if (!state_equal(site, g, pools, sentence, bytes))
                return false;
    return true;
}
