/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/workload.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

enum { SLOTS = 256, ALARM_THINK = 0, ALARM_PATH = 1 };

/* One command at a time, and its repetitions. */
struct slot {
    uint8_t host;
    struct op *op;     /* under way */
    uint32_t round;    /* tells a late alarm */
    uint64_t begun_ns; /* of the first try */
    bool repeating;    /* what it repeats: */
    enum op_kind kind;
    int volume;
    uint64_t lba;
    uint32_t blocks;
};

struct workload {
    struct site *site;
    struct workload_config config;
    struct random random;
    struct slot slot[SLOTS];
    uint32_t slots;
    uint8_t path[SITE_HOSTS];
    uint64_t stamp[SITE_VOLUMES][64]; /* what was last seen in some blocks: for COMPARE AND WRITE */
    bool stopping;
    struct workload_result result;
};

static void alarm_at(struct workload *w, uint32_t slot, int kind, uint64_t in_ns)
{
    world_schedule(w->site->world, world_now(w->site->world) + in_ns, HAPPENING_ALARM,
                   (uint64_t)(w->slot[slot].round & 0xFFFFF) << 10 | (uint64_t)slot << 1 |
                       (uint64_t)kind);
}

static void choose(struct workload *w, struct slot *s)
{
    uint64_t dice = random_below(&w->random, 100);
    s->kind = dice < 45   ? OP_READ
              : dice < 88 ? OP_WRITE
              : dice < 94 ? OP_COMPARE_WRITE
              : dice < 97 ? OP_FLUSH
                          : OP_FILL;
    s->volume = (int)random_below(&w->random, (uint64_t)w->site->volumes);
    s->blocks = (uint32_t)random_between(&w->random, 1, w->config.length_max);
    if (s->kind == OP_COMPARE_WRITE)
        s->blocks = 1;
    s->lba = random_below(&w->random, w->config.blocks - s->blocks + 1);
    s->begun_ns = world_now(w->site->world);
}

static void begin(struct workload *w, uint32_t number)
{
    struct slot *s = &w->slot[number];
    struct clients *clients = w->site->clients;
    if (!s->repeating)
        choose(w, s);
    s->repeating = false;
    s->round++;
    switch (s->kind) {
    case OP_READ:
        s->op = op_read(clients, s->lba, s->blocks);
        break;
    case OP_COMPARE_WRITE:
        s->op = op_compare_write(clients, s->lba, w->stamp[s->volume][s->lba % 64]);
        break;
    case OP_FLUSH:
        s->op = op_flush(clients);
        break;
    case OP_FILL:
        s->op = op_fill(clients, s->lba, s->blocks);
        break;
    case OP_WRITE:
    case OP_CDB:
    case OP_TASK:
    case OP_MANAGE:
        s->op = op_write(clients, s->lba, s->blocks, random_chance(&w->random, 10));
        break;
    }
    alarm_at(w, number, ALARM_PATH, w->config.path_ns);
    site_begin(w->site, s->op, s->volume, s->host, w->path[s->host]);
}

static void next_path(struct workload *w, uint8_t host)
{
    w->path[host] = (uint8_t)((w->path[host] + 1) % w->site->options.switches);
}

/* The same once more, by another command. */
static void repeat(struct workload *w, uint32_t number, uint64_t in_ns)
{
    w->slot[number].repeating = true;
    w->slot[number].op = NULL;
    w->slot[number].round++;
    w->result.repeated++;
    alarm_at(w, number, ALARM_THINK, in_ns);
}

static void learn(struct workload *w, const struct slot *s)
{
    if (s->kind == OP_READ && s->op->status == 0)
        for (uint32_t i = 0; i < s->blocks; i++)
            w->stamp[s->volume][(s->lba + i) % 64] =
                op_block_stamp(s->op->in + i * BLOCK_BYTES, s->lba + i);
}

static bool expected(const struct op *op)
{
    return op->status == 0 ||
           (op->kind == OP_COMPARE_WRITE && op->status == 2 && op->sense_key == 0x0E);
}

static void finished(struct workload *w, uint32_t number)
{
    struct slot *s = &w->slot[number];
    uint64_t took = world_now(w->site->world) - s->begun_ns;
    if (took > w->result.longest_ns)
        w->result.longest_ns = took;
    w->result.ended++;
    if (!expected(s->op) && w->result.errors++ == 0)
        snprintf(w->result.first_error, sizeof w->result.first_error,
                 "operation %u: status %02x, sense %x/%02x/%02x", s->op->ticket, s->op->status,
                 s->op->sense_key, s->op->asc, s->op->ascq);
    learn(w, s);
    s->op = NULL;
    s->round++;
    alarm_at(w, number, ALARM_THINK, random_below(&w->random, w->config.think_ns + 1));
}

static void on_end(void *context, struct op *op)
{
    struct workload *w = context;
    for (uint32_t i = 0; i < w->slots; i++) {
        struct slot *s = &w->slot[i];
        if (s->op != op)
            continue;
        bool attention = op->status == 2 && op->sense_key == 6;
        if (op->state == OP_STATE_LOST) {
            w->result.lost++;
            if (w->path[s->host] == op->path)
                next_path(w, s->host);
            repeat(w, i, MS(5));
        } else if (attention || op->status == 0x08 || op->status == 0x28)
            repeat(w, i, attention ? 1000 : MS(10));
        else
            finished(w, i);
        return;
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
            repeat(w, i, MS(1));
    }
}

static void on_alarm(void *context, uint64_t what)
{
    struct workload *w = context;
    uint32_t number = what >> 1 & 0x1FF;
    must(number < w->slots);
    struct slot *s = &w->slot[number];
    if ((s->round & 0xFFFFF) != what >> 10)
        return;
    if ((what & 1) == ALARM_PATH) {
        if (s->op)
            path_dead(w, s->host, s->op->path);
    } else if (!s->op && (!w->stopping || s->repeating))
        begin(w, number);
}

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
