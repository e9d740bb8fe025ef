/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cell.h"

#include <stdlib.h>

#include "base/must.h"

enum { OPERATIONS = 256, ENTRIES = MODULE_MAX * GROUP_MAX };

struct operation {
    bool used, done;
    bool late; /* the register was slow for it: counted in `late` of its process */
    enum action_kind kind;
    int process;
    uint32_t life;
    port_id port;
    uint64_t tag;
    struct member member; /* LIVE */
    struct record record; /* SWAP: the new one; later the answer */
    uint8_t group;
    enum register_result result;
    enum cell_reach reach; /* cell_next */
    bool living_in_sync[2 * MODULE_MAX], living_previous[2 * MODULE_MAX];
};

struct entry {
    uint8_t group;
    struct member member;
    int process;
    uint32_t life;
};

struct cells {
    struct world *world;
    struct record record[GROUP_MAX];
    struct entry entry[ENTRIES];
    int entries;
    enum cell_reach reach[WORLD_PROCESSES];
    uint64_t more_ns[WORLD_PROCESSES];
    uint64_t disturbed_ns[WORLD_PROCESSES];
    uint32_t late[WORLD_PROCESSES];    /* operations under way that are */
    uint64_t last_ns[WORLD_PROCESSES]; /* a process's operations take effect in their order */
    enum cell_reach next, next_swap;
    struct operation operation[OPERATIONS];
};

struct cells *cells_new(struct world *world)
{
    struct cells *cells = calloc(1, sizeof *cells);
    must(cells);
    cells->world = world;
    return cells;
}

void cells_free(struct cells *cells)
{
    free(cells);
}

const struct record *cell_record(struct world *world, int group)
{
    return &world_cells(world)->record[group];
}

void cell_create(struct world *world, const struct record *record)
{
    world_cells(world)->record[record->group] = *record;
}

bool cell_lives(struct world *world, int group, struct member member)
{
    struct cells *cells = world_cells(world);
    for (int i = 0; i < cells->entries; i++) {
        const struct entry *e = &cells->entry[i];
        if (e->group == group && member_same(e->member, member))
            return world_living(world, e->process) && world_life(world, e->process) == e->life;
    }
    return false;
}

void cell_reach(struct world *world, int process, enum cell_reach reach)
{
    world_cells(world)->reach[process] = reach;
    world_cells(world)->disturbed_ns[process] = world_now(world);
}

void cell_next(struct world *world, enum cell_reach reach)
{
    world_cells(world)->next = reach;
}

void cell_next_swap(struct world *world, enum cell_reach reach)
{
    world_cells(world)->next_swap = reach;
}

void cell_slow(struct world *world, int process, uint64_t more_ns)
{
    world_cells(world)->more_ns[process] = more_ns;
    world_cells(world)->disturbed_ns[process] = world_now(world);
}

uint64_t cell_sound_since(struct world *world, int process)
{
    const struct cells *cells = world_cells(world);
    bool sound =
        cells->reach[process] == CELL_REACHED && !cells->more_ns[process] && !cells->late[process];
    return sound ? cells->disturbed_ns[process] : UINT64_MAX;
}

static void schedule(struct cells *cells, struct operation *o)
{
    const struct world_config *settings = world_settings(cells->world);
    uint64_t jitter = random_below(world_random(cells->world), settings->cell_jitter_ns + 1);
    uint64_t at =
        world_now(cells->world) + settings->cell_delay_ns + jitter + cells->more_ns[o->process];
    if (cells->more_ns[o->process] && !o->late) {
        o->late = true;
        cells->late[o->process]++;
    }
    if (!o->done) {
        if (at <= cells->last_ns[o->process])
            at = cells->last_ns[o->process] + 1;
        cells->last_ns[o->process] = at;
    }
    world_schedule(cells->world, at, HAPPENING_CELL, (uint64_t)(o - cells->operation));
}

static void over(struct cells *cells, struct operation *o)
{
    o->used = false;
    if (!o->late)
        return;
    cells->late[o->process]--;
    cells->disturbed_ns[o->process] = world_now(cells->world);
}

void cells_act(struct cells *cells, struct part *part, const struct action *action)
{
    for (int i = 0; i < OPERATIONS; i++) {
        struct operation *o = &cells->operation[i];
        if (o->used)
            continue;
        memset(o, 0, sizeof *o);
        o->used = true;
        o->kind = action->kind;
        o->process = part->process;
        o->life = world_life(cells->world, part->process);
        o->port = part->port;
        o->tag = action->reg.tag;
        o->member = action->reg.member;
        o->record = action->reg.record;
        o->group =
            action->kind == ACTION_REGISTER_SWAP ? action->reg.record.group : action->reg.group;
        must(o->group < GROUP_MAX);
        if (action->kind != ACTION_REGISTER_LIVE) {
            o->reach = cells->next;
            cells->next = CELL_REACHED;
        }
        if (action->kind == ACTION_REGISTER_SWAP && cells->next_swap != CELL_REACHED) {
            o->reach = cells->next_swap;
            cells->next_swap = CELL_REACHED;
        }
        if (o->reach != CELL_REACHED)
            cells->disturbed_ns[o->process] = world_now(cells->world);
        schedule(cells, o);
        return;
    }
    must_failed("room for a register operation", __FILE__, __LINE__);
}

static void live(struct cells *cells, const struct operation *o)
{
    struct entry *e = NULL;
    for (int i = 0; i < cells->entries; i++)
        if (cells->entry[i].group == o->group && cells->entry[i].member.module == o->member.module)
            e = &cells->entry[i];
    if (!e) {
        must(cells->entries < ENTRIES);
        e = &cells->entry[cells->entries++];
    }
    *e = (struct entry){o->group, o->member, o->process, o->life};
}

static void read_record(struct cells *cells, struct operation *o)
{
    o->record = cells->record[o->group];
    o->result = REGISTER_OK;
    for (int i = 0; i < o->record.in_sync.count; i++)
        o->living_in_sync[i] = cell_lives(cells->world, o->group, o->record.in_sync.at[i]);
    for (int i = 0; i < o->record.previous.count; i++)
        o->living_previous[i] = cell_lives(cells->world, o->group, o->record.previous.at[i]);
}

static void swap_record(struct cells *cells, struct operation *o)
{
    struct record *stands = &cells->record[o->group];
    uint8_t bytes[RECORD_BYTES_MAX];
    struct record back;
    must(record_decode(bytes, record_encode(&o->record, bytes), &back));
    if (back.generation != stands->generation + 1) {
        o->record = *stands;
        o->result = REGISTER_LOST;
        return;
    }
    world_swapped(cells->world, o->process, stands, &back);
    *stands = back;
    o->record = back;
    o->result = REGISTER_OK;
    world_say(cells->world, "-- register g%d: generation %llu epoch %llu primary %c in_sync %d%s%s",
              o->group + 1, (unsigned long long)back.generation, (unsigned long long)back.epoch,
              back.primary.module == MODULE_NONE ? '-' : 'A' + back.primary.module,
              back.in_sync.count, back.previous.count ? " previous" : "",
              back.dirty.module == MODULE_NONE ? "" : " dirty");
}

static void answer(struct cells *cells, struct operation *o)
{
    over(cells, o);
    if (o->kind == ACTION_REGISTER_LIVE || world_life(cells->world, o->process) != o->life)
        return;
    struct item *item = item_new(ITEM_EVENT);
    item->port = o->port;
    item->ready.record = o->record;
    struct event *event = &item->ready.event;
    event->kind = EVENT_REGISTER;
    event->reg.tag = o->tag;
    event->reg.result = o->result;
    event->reg.record = &item->ready.record;
    memcpy(event->reg.living_in_sync, o->living_in_sync, sizeof o->living_in_sync);
    memcpy(event->reg.living_previous, o->living_previous, sizeof o->living_previous);
    world_deliver(cells->world, o->process, item);
}

/* A process that is stopped between asking and effect has it when it goes on; one that has died may
 * have had it or not. */
void cells_happened(struct cells *cells, uint64_t what)
{
    struct operation *o = &cells->operation[what];
    if (o->done) {
        answer(cells, o);
        return;
    }
    if (world_life(cells->world, o->process) != o->life ||
        !world_living(cells->world, o->process)) {
        if (o->kind == ACTION_REGISTER_SWAP && cells->reach[o->process] != CELL_UNREACHED &&
            random_chance(world_random(cells->world), 50))
            swap_record(cells, o);
        over(cells, o);
        return;
    }
    if (world_paused(cells->world, o->process)) {
        world_schedule(cells->world, world_now(cells->world) + MS(1), HAPPENING_CELL, what);
        return;
    }
    enum cell_reach reach = cells->reach[o->process];
    if (reach == CELL_REACHED)
        reach = o->reach;
    if (reach == CELL_FLAKY)
        reach = (enum cell_reach)random_below(world_random(cells->world), CELL_FLAKY);
    o->result = REGISTER_UNKNOWN;
    if (o->kind == ACTION_REGISTER_LIVE)
        live(cells, o);
    else if (reach != CELL_UNREACHED && o->kind == ACTION_REGISTER_READ)
        read_record(cells, o);
    else if (reach != CELL_UNREACHED)
        swap_record(cells, o);
    if (reach != CELL_REACHED) {
        o->result = REGISTER_UNKNOWN;
        o->record = (struct record){0};
    }
    o->done = true;
    schedule(cells, o);
}

void cells_process_down(struct cells *cells, int process)
{
    cells->last_ns[process] = 0;
}
