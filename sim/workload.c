/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/workload.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

enum { SLOTS = 256, SEEN = 512, COMPARE_MAX = 24, TRANSFER_MAX = COMMAND_DATA_MAX / BLOCK_BYTES };
enum alarm { ALARM_THINK, ALARM_PATH, ALARM_ABORT };

/* What a command is, for its repetitions. */
struct wish {
    enum op_kind kind;
    int volume;
    uint64_t lba;
    uint32_t blocks;
};

/* One command at a time. */
struct slot {
    uint8_t host;
    struct op *op;     /* under way */
    struct op *abort;  /* ... and its abort */
    uint32_t round;    /* tells a late alarm */
    uint64_t begun_ns; /* of the first try */
    bool repeating;    /* what it wished before */
    bool reserving;    /* its command is about the reservation */
    struct wish wish;
};

/* What was last seen in some blocks: for commands that compare. */
struct seen {
    uint64_t lba, stamp;
};

struct workload {
    struct site *site;
    struct workload_config config;
    struct random random;
    struct slot slot[SLOTS];
    uint32_t slots;
    uint8_t path[SITE_HOSTS];
    struct seen seen[SITE_VOLUMES][SEEN];
    bool stopping, reserving;
    struct workload_result result;
};

static void alarm_at(struct workload *w, uint32_t slot, enum alarm kind, uint64_t in_ns)
{
    world_schedule(w->site->world, world_now(w->site->world) + in_ns, HAPPENING_ALARM,
                   (uint64_t)(w->slot[slot].round & 0x3FFFFF) << 10 | (uint64_t)slot << 2 |
                       (uint64_t)kind);
}

static uint64_t pick(struct workload *w, uint64_t least, uint64_t most)
{
    return random_between(&w->random, least, most);
}

/* ---- what they do ---- */

static const struct {
    enum op_kind kind;
    uint32_t weight[WORKLOAD_MIXTURES];
} mixture[] = {
    {OP_READ, {40, 55, 30}},       {OP_WRITE, {34, 30, 40}}, {OP_FILL, {4, 2, 4}},
    {OP_COMPARE_WRITE, {7, 4, 3}}, {OP_UNMAP, {5, 2, 4}},    {OP_VERIFY, {4, 2, 2}},
    {OP_FLUSH, {3, 2, 14}},
};

static enum op_kind choose_kind(struct workload *w)
{
    uint64_t dice = 0;
    for (size_t i = 0; i < sizeof mixture / sizeof mixture[0]; i++)
        dice += mixture[i].weight[w->config.mixture];
    dice = random_below(&w->random, dice);
    size_t i = 0;
    while (dice >= mixture[i].weight[w->config.mixture])
        dice -= mixture[i++].weight[w->config.mixture];
    return mixture[i].kind;
}

static uint32_t choose_length(struct workload *w, enum op_kind kind)
{
    uint64_t most = w->config.length_max;
    if (random_chance(&w->random, 1))
        most = kind == OP_UNMAP || kind == OP_FILL ? 4 * TRANSFER_MAX : TRANSFER_MAX;
    else if (random_chance(&w->random, 8))
        most = 300;
    return (uint32_t)pick(w, 1, random_chance(&w->random, 30) ? 1 : most);
}

/* Somewhere in one of the volume's areas; a large one sticks out of it, at any side. */
static void choose_place(struct workload *w, struct wish *wish)
{
    const struct site_volume *v = &w->site->volume[wish->volume];
    const struct workload_area *area =
        &w->config.area[wish->volume][random_below(&w->random, WORKLOAD_AREAS)];
    uint64_t scale = v->scale, at = area->lba + random_below(&w->random, area->blocks);
    if (random_chance(&w->random, 40)) /* what all of them want */
        at = area->lba + area->blocks / 2 - random_below(&w->random, 4);
    wish->blocks = (uint32_t)((wish->blocks + scale - 1) / scale * scale);
    if (wish->blocks > v->blocks)
        wish->blocks = (uint32_t)v->blocks;
    uint64_t before = random_below(&w->random, wish->blocks);
    at = at > before ? at - before : 0;
    if (at > v->blocks - wish->blocks)
        at = v->blocks - wish->blocks;
    wish->lba = at / scale * scale;
}

static struct seen *seen_at(struct workload *w, int volume, uint64_t lba)
{
    return &w->seen[volume][lba % SEEN];
}

/* A command that compares does it where something was seen, of one block or of some. */
static void choose_compared(struct workload *w, struct wish *wish)
{
    const struct site_volume *v = &w->site->volume[wish->volume];
    struct seen *seen = &w->seen[wish->volume][random_below(&w->random, SEEN)];
    for (int i = 0; i < SEEN && !seen->stamp; i++)
        seen = seen + 1 == &w->seen[wish->volume][SEEN] ? w->seen[wish->volume] : seen + 1;
    uint64_t blocks = random_chance(&w->random, 60) ? 1 : pick(w, 2, COMPARE_MAX);
    wish->blocks = (uint32_t)((blocks + v->scale - 1) / v->scale * v->scale);
    if (seen->stamp)
        wish->lba = seen->lba / v->scale * v->scale;
    if (wish->lba > v->blocks - wish->blocks)
        wish->lba = v->blocks - wish->blocks;
}

static void choose(struct workload *w, struct slot *s)
{
    struct wish *wish = &s->wish;
    wish->kind = choose_kind(w);
    wish->volume = (int)random_below(&w->random, (uint64_t)w->site->volumes);
    wish->blocks = choose_length(w, wish->kind);
    choose_place(w, wish);
    if (wish->kind == OP_COMPARE_WRITE || wish->kind == OP_VERIFY)
        choose_compared(w, wish);
    if (w->config.reserved >= 0 && !w->reserving && random_chance(&w->random, 8)) {
        wish->kind = OP_CDB;
        wish->volume = w->config.reserved;
    } else if (w->config.reset_each && random_below(&w->random, w->config.reset_each) == 0)
        wish->kind = OP_TASK;
    s->begun_ns = world_now(w->site->world);
}

static struct op *expecting(struct workload *w, const struct wish *wish)
{
    uint64_t stamps[COMPARE_MAX + 8] = {0};
    must(wish->blocks <= COMPARE_MAX + 8);
    for (uint32_t i = 0; i < wish->blocks; i++) {
        const struct seen *seen = seen_at(w, wish->volume, wish->lba + i);
        if (seen->lba == wish->lba + i)
            stamps[i] = seen->stamp;
    }
    if (wish->kind == OP_VERIFY)
        return op_verify(w->site->clients, wish->lba, wish->blocks, stamps);
    return op_compare_write_blocks(w->site->clients, wish->lba, wish->blocks, stamps);
}

/* The wished range, or it and some more further up, none of them meeting. */
static struct op *unmapping(struct workload *w, const struct wish *wish)
{
    const struct site_volume *v = &w->site->volume[wish->volume];
    if (random_chance(&w->random, 40))
        return op_zero(w->site->clients, wish->lba, wish->blocks);
    struct op_range range[OP_RANGES];
    uint8_t ranges = 0;
    uint64_t at = wish->lba;
    uint64_t most = random_chance(&w->random, 50) ? 1 : OP_RANGES;
    while (ranges < most && at < v->blocks) {
        uint64_t blocks = ranges == 0 ? wish->blocks : pick(w, 1, 4) * v->scale;
        if (blocks > v->blocks - at)
            blocks = v->blocks - at;
        range[ranges++] = (struct op_range){at, (uint32_t)blocks};
        at += blocks + random_below(&w->random, 4) * v->scale;
    }
    return op_unmap(w->site->clients, range, ranges);
}

static struct op *reserving(struct workload *w, uint8_t host, uint8_t path)
{
    static const uint8_t types[] = {1, 3, 5, 6, 7, 8};
    static const enum reservation_action actions[] = {
        RESERVATION_REGISTER_AND_IGNORE,
        RESERVATION_REGISTER_AND_IGNORE,
        RESERVATION_REGISTER_AND_IGNORE,
        RESERVATION_RESERVE,
        RESERVATION_RESERVE,
        RESERVATION_RELEASE,
        RESERVATION_PREEMPT,
        RESERVATION_PREEMPT_AND_ABORT,
        RESERVATION_CLEAR,
    };
    const struct site_volume *v = &w->site->volume[w->config.reserved];
    struct clients *clients = w->site->clients;
    bool keys_first = random_chance(&w->random, 50);
    if (!reservations_known(w->site->reservations, v->group, v->volume, &keys_first) ||
        random_chance(&w->random, 30))
        return op_reservation_read(clients, keys_first ? RESERVATION_READ_KEYS
                                                       : RESERVATION_READ_RESERVATION);
    enum reservation_action action =
        actions[random_below(&w->random, sizeof actions / sizeof actions[0])];
    uint64_t other = reservations_key(host, path);
    if (action == RESERVATION_REGISTER_AND_IGNORE && random_chance(&w->random, 15))
        other = 0;
    if (action == RESERVATION_PREEMPT || action == RESERVATION_PREEMPT_AND_ABORT) {
        uint8_t victim = (uint8_t)random_below(&w->random, w->config.hosts);
        uint8_t by = (uint8_t)random_below(&w->random, w->site->options.switches);
        if (victim == host && by == path)
            action = RESERVATION_RESERVE;
        else
            other = reservations_key(victim, by);
    }
    return op_reserve(clients, action, types[random_below(&w->random, sizeof types)], host, path,
                      other);
}

static struct op *resetting(struct workload *w)
{
    enum { LOGICAL_UNIT_RESET = 5 };
    return op_task(w->site->clients, LOGICAL_UNIT_RESET, NULL);
}

static struct op *make(struct workload *w, const struct slot *s)
{
    struct clients *clients = w->site->clients;
    const struct wish *wish = &s->wish;
    switch (wish->kind) {
    case OP_READ:
        return op_read(clients, wish->lba, wish->blocks);
    case OP_COMPARE_WRITE:
    case OP_VERIFY:
        return expecting(w, wish);
    case OP_FLUSH:
        return op_flush(clients);
    case OP_FILL:
        return op_fill(clients, wish->lba, wish->blocks);
    case OP_UNMAP:
        return unmapping(w, wish);
    case OP_CDB:
        return reserving(w, s->host, w->path[s->host]);
    case OP_TASK:
        return resetting(w);
    case OP_WRITE:
    case OP_MANAGE:
        break;
    }
    if (random_chance(&w->random, 15))
        return op_write_atomic(clients, wish->lba, wish->blocks);
    return op_write(clients, wish->lba, wish->blocks,
                    random_chance(&w->random, w->config.mixture == WORKLOAD_FLUSHING ? 20 : 10));
}

static void begin(struct workload *w, uint32_t number)
{
    struct slot *s = &w->slot[number];
    if (!s->repeating)
        choose(w, s);
    s->repeating = false;
    s->round++;
    s->op = make(w, s);
    s->reserving = s->wish.kind == OP_CDB;
    w->reserving |= s->reserving;
    alarm_at(w, number, ALARM_PATH, w->config.path_ns);
    if (w->config.abort_ns)
        alarm_at(w, number, ALARM_ABORT, w->config.abort_ns);
    site_begin(w->site, s->op, s->wish.volume, s->host, w->path[s->host]);
}

/* How long a host that has left a path waits with what it has there. */
static uint64_t patience(const struct workload *w, const struct op *op, uint64_t least_ns)
{
    uint64_t now = world_now(w->site->world), until = op->not_after_ns;
    bool waits = w->config.patient && until != UINT64_MAX && until > now + least_ns;
    return waits ? until - now + MS(1) : least_ns;
}

static void next_path(struct workload *w, uint8_t host)
{
    w->path[host] = (uint8_t)((w->path[host] + 1) % w->site->options.switches);
}

/* ---- how they end ---- */

static void over(struct workload *w, struct slot *s)
{
    if (s->reserving)
        w->reserving = s->reserving = false;
    s->op = s->abort = NULL;
    s->round++;
}

/* The same once more, by another command; about a reservation and resets another is as good. */
static void repeat(struct workload *w, uint32_t number, uint64_t in_ns)
{
    struct slot *s = &w->slot[number];
    over(w, s);
    s->repeating = s->wish.kind != OP_CDB && s->wish.kind != OP_TASK;
    w->result.repeated += s->repeating;
    alarm_at(w, number, ALARM_THINK, in_ns);
}

static void learn(struct workload *w, const struct slot *s)
{
    if (s->op->kind != OP_READ || s->op->status != 0)
        return;
    for (uint32_t i = 0; i < s->op->blocks; i++) {
        uint64_t lba = s->op->lba + i;
        uint64_t stamp = op_block_stamp(s->op->in + i * BLOCK_BYTES, lba);
        *seen_at(w, s->wish.volume, lba) = (struct seen){lba, stamp};
    }
}

static bool expected(const struct workload *w, const struct slot *s)
{
    const struct op *op = s->op;
    bool compares = op->kind == OP_COMPARE_WRITE || op->kind == OP_VERIFY;
    bool illegal = op->status == 2 && op->sense_key == 5;
    return op->status == 0 || (compares && op->status == 2 && op->sense_key == 0x0E) ||
           (s->wish.volume == w->config.reserved && op->status == 0x18) ||
           (op->kind == OP_CDB && illegal);
}

static void finished(struct workload *w, uint32_t number)
{
    struct slot *s = &w->slot[number];
    uint64_t took = world_now(w->site->world) - s->begun_ns;
    if (took > w->result.longest_ns)
        w->result.longest_ns = took;
    w->result.ended++;
    if (!expected(w, s) && w->result.errors++ == 0)
        snprintf(w->result.first_error, sizeof w->result.first_error,
                 "operation %u: status %02x, sense %x/%02x/%02x", s->op->ticket, s->op->status,
                 s->op->sense_key, s->op->asc, s->op->ascq);
    learn(w, s);
    over(w, s);
    alarm_at(w, number, ALARM_THINK, random_below(&w->random, w->config.think_ns + 1));
}

/* The abort was answered: function complete, or there is no such task. */
static void abort_ended(struct workload *w, uint32_t number)
{
    struct slot *s = &w->slot[number];
    struct op *abort = s->abort;
    s->abort = NULL;
    if (!s->op || s->op->state != OP_STATE_WAITING || abort->state != OP_STATE_ANSWERED ||
        abort->task_response > 1)
        return;
    w->result.aborted++;
    op_aborted(w->site->clients, s->op); /* comes to on_end */
}

/* A reset has ended the host's own commands there, without a response (RFC 7143 11.5.1): it knows.
 */
static void reset_ended(struct workload *w, const struct op *reset)
{
    for (uint32_t i = 0; i < w->slots; i++) {
        struct op *op = w->slot[i].op;
        if (op && op->state == OP_STATE_WAITING && op->host == reset->host &&
            op->path == reset->path && op->lun == reset->lun && op->ticket < reset->ticket)
            op_aborted(w->site->clients, op); /* comes to on_end */
    }
}

static void op_over(struct workload *w, uint32_t number)
{
    enum { BUSY = 0x08, TASK_SET_FULL = 0x28, TASK_ABORTED = 0x40 };
    struct slot *s = &w->slot[number];
    struct op *op = s->op;
    bool attention = op->status == 2 && op->sense_key == 6;
    if (op->kind == OP_TASK && op->state == OP_STATE_ANSWERED && op->task_response == 0 &&
        w->site->options.iscsi)
        reset_ended(w, op);
    if (op->state == OP_STATE_LOST) {
        bool path_lost = op->not_after_ns > world_now(w->site->world);
        w->result.lost += path_lost;
        if (path_lost && w->path[s->host] == op->path)
            next_path(w, s->host);
        repeat(w, number, path_lost ? patience(w, op, w->config.repeat_ns) : MS(1));
    } else if (attention)
        repeat(w, number, 1000);
    else if (op->status == BUSY || op->status == TASK_SET_FULL || op->status == TASK_ABORTED)
        repeat(w, number, MS(10));
    else
        finished(w, number);
}

static void on_end(void *context, struct op *op)
{
    struct workload *w = context;
    for (uint32_t i = 0; i < w->slots; i++) {
        if (w->slot[i].op == op) {
            op_over(w, i);
            return;
        }
        if (w->slot[i].abort == op) {
            abort_ended(w, i);
            return;
        }
    }
}

/* The path time has run out: the host gives the path up, with all that it has there. */
static void path_dead(struct workload *w, uint8_t host, uint8_t path)
{
    clients_leave(w->site->clients, host, path);
    if (w->path[host] == path)
        next_path(w, host);
    for (uint32_t i = 0; i < w->slots; i++) {
        struct slot *s = &w->slot[i];
        if (s->op && s->host == host && s->op->path == path)
            repeat(w, i, patience(w, s->op, MS(1)));
    }
}

static void abort_it(struct workload *w, uint32_t number)
{
    enum { ABORT_TASK = 1 };
    struct slot *s = &w->slot[number];
    alarm_at(w, number, ALARM_ABORT, w->config.abort_ns);
    if (s->abort || s->op->kind == OP_TASK)
        return;
    s->abort = op_task(w->site->clients, ABORT_TASK, s->op);
    op_begin(w->site->clients, s->abort);
}

static void on_alarm(void *context, uint64_t what)
{
    struct workload *w = context;
    uint32_t number = what >> 2 & 0xFF;
    must(number < w->slots);
    struct slot *s = &w->slot[number];
    if ((s->round & 0x3FFFFF) != what >> 10)
        return;
    switch ((enum alarm)(what & 3)) {
    case ALARM_PATH:
        if (s->op)
            path_dead(w, s->host, s->op->path);
        break;
    case ALARM_ABORT:
        if (s->op)
            abort_it(w, number);
        break;
    case ALARM_THINK:
        if (!s->op && (!w->stopping || s->repeating))
            begin(w, number);
        break;
    }
}

/* ---- their life ---- */

struct workload *workload_new(struct site *site, const struct workload_config *config)
{
    struct workload *w = calloc(1, sizeof *w);
    must(w && config->hosts <= SITE_HOSTS && config->hosts * config->depth <= SLOTS);
    w->site = site;
    w->config = *config;
    w->random.state = config->seed;
    w->slots = (uint32_t)(config->hosts * config->depth);
    for (uint32_t i = 0; i < w->slots; i++)
        w->slot[i].host = (uint8_t)(i % config->hosts);
    for (uint8_t h = 0; h < config->hosts; h++)
        w->path[h] = (uint8_t)(h % site->options.switches);
    site->on_end = on_end;
    site->on_end_context = w;
    clients_on_alarm(site->clients, on_alarm, w);
    return w;
}

void workload_free(struct workload *w)
{
    w->site->on_end = NULL;
    free(w);
}

void workload_start(struct workload *w)
{
    for (uint32_t i = 0; i < w->slots; i++)
        alarm_at(w, i, ALARM_THINK, random_below(&w->random, w->config.think_ns + 1));
}

void workload_stop(struct workload *w)
{
    w->stopping = true;
}

bool workload_idle(const struct workload *w)
{
    for (uint32_t i = 0; i < w->slots; i++)
        if (w->slot[i].op || w->slot[i].repeating)
            return false;
    return true;
}

void workload_describe(const struct workload *w, struct workload_result *out)
{
    *out = w->result;
}
