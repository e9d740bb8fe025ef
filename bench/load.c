/* SPDX-License-Identifier: Apache-2.0 */

/* The initiator of the benchmark: one session, so many commands under way, one kind of work, for
 * some seconds; then one line of JSON with what came of it. The same program for every target, so
 * that what it costs itself is in every figure alike. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "programs/initiator.h"

enum { DEPTH_MAX = 256, BYTES_MAX = 1 << 20, SAMPLES_MAX = 8 << 20 };

static const uint64_t SECOND = 1000000000u;

struct work {
    const char *name;
    enum initiator_op op;
    bool random;
    uint32_t bytes;
};

static const struct work works[] = {
    {"read4k", INITIATOR_READ, true, 4096},        {"write4k", INITIATOR_WRITE, true, 4096},
    {"seqread64k", INITIATOR_READ, false, 65536},  {"seqwrite64k", INITIATOR_WRITE, false, 65536},
    {"seqread1m", INITIATOR_READ, false, 1 << 20}, {"seqwrite1m", INITIATOR_WRITE, false, 1 << 20},
};

struct load {
    struct initiator session;
    const struct work *work;
    uint32_t depth, underway, samples;
    uint64_t now_ns, end_ns, begin_ns, random, position, area_blocks, commands, errors;
    uint32_t *sample_us; /* tenths of a microsecond */
    struct initiator_command command[DEPTH_MAX];
};

static uint64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static int fail(const char *what, const char *detail)
{
    fprintf(stderr, "bench load: %s%s%s\n", what, *detail ? ": " : "", detail);
    return 1;
}

static void turn(struct load *x)
{
    struct pollfd entry;
    initiator_poll(&x->session, &entry);
    if (poll(&entry, 1, 50) < 0)
        entry.revents = 0;
    x->now_ns = clock_now();
    initiator_event(&x->session, entry.revents, x->now_ns);
    initiator_step(&x->session, x->now_ns);
}

static void send_one(struct load *x, struct initiator_command *c)
{
    uint32_t blocks = x->work->bytes / x->session.block_bytes;
    uint64_t places = x->area_blocks / blocks;
    if (x->work->random) {
        x->random ^= x->random >> 12;
        x->random ^= x->random << 25;
        x->random ^= x->random >> 27;
        x->position = (x->random * 0x2545F4914F6CDD1Du >> 16) % places;
    } else {
        x->position = (x->position + 1) % places;
    }
    c->op = x->work->op;
    c->lba = x->position * blocks;
    c->blocks = blocks;
    if (initiator_submit(&x->session, c, x->now_ns))
        x->underway++;
    else
        x->errors++;
}

static void take_one(struct load *x, const struct initiator_command *c)
{
    x->underway--;
    if (c->result != INITIATOR_GOOD) {
        x->errors++;
        return;
    }
    if (c->sent_ns < x->begin_ns || c->done_ns > x->end_ns)
        return; /* of the warming up, or after the end */
    x->commands++;
    if (x->samples < SAMPLES_MAX)
        x->sample_us[x->samples++] = (uint32_t)((c->done_ns - c->sent_ns) / 100);
}

static void run(struct load *x)
{
    struct initiator_command *c;
    x->now_ns = clock_now();
    for (uint32_t i = 0; i < x->depth; i++)
        send_one(x, &x->command[i]);
    while (x->underway && !x->errors) {
        initiator_push(&x->session, x->now_ns);
        turn(x);
        while ((c = initiator_next_done(&x->session))) {
            take_one(x, c);
            if (x->now_ns < x->end_ns && !x->errors)
                send_one(x, c);
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double percentile_us(const struct load *x, double part)
{
    if (!x->samples)
        return 0;
    return x->sample_us[(uint32_t)((double)(x->samples - 1) * part)] / 10.0;
}

static int prepare(struct load *x)
{
    uint64_t limit = clock_now() + 10 * SECOND;
    while (x->session.state != INITIATOR_STATE_UP) {
        turn(x);
        if (x->now_ns > limit)
            return fail("cannot log in", x->session.why);
    }
    uint64_t size = x->session.blocks * x->session.block_bytes;
    uint64_t area = size < (1ull << 30) ? size : 1ull << 30;
    x->area_blocks = area / x->session.block_bytes;
    if (x->work->bytes < x->session.block_bytes || area < 4 * (uint64_t)x->work->bytes)
        return fail("the volume is too small", "");
    x->sample_us = malloc(sizeof *x->sample_us * SAMPLES_MAX);
    uint8_t *data = malloc((size_t)x->depth * x->work->bytes);
    if (!x->sample_us || !data)
        return fail("no memory", "");
    for (size_t i = 0; i < (size_t)x->depth * x->work->bytes; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 9));
    for (uint32_t i = 0; i < x->depth; i++)
        x->command[i].data = data + (size_t)i * x->work->bytes;
    return 0;
}

int main(int argc, char **argv)
{
    static struct load x;
    if (argc != 7)
        return fail("usage", "load PORTAL TARGET LUN WORK DEPTH SECONDS");
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        if (strcmp(argv[4], works[i].name) == 0)
            x.work = &works[i];
    x.depth = (uint32_t)atoi(argv[5]);
    double seconds = atof(argv[6]);
    if (!x.work || x.depth < 1 || x.depth > DEPTH_MAX || seconds <= 0)
        return fail("unknown work, or a depth or time out of range", argv[4]);
    initiator_init(&x.session, "iqn.2026-11.segue:bench", argv[1], argv[2], atoi(argv[3]), 1);
    if (prepare(&x) != 0)
        return 1;
    x.random = 88172645463325252u;
    x.begin_ns = clock_now() + SECOND / 5;
    x.end_ns = x.begin_ns + (uint64_t)(seconds * 1e9);
    run(&x);
    initiator_close(&x.session);
    if (x.errors)
        return fail("a command failed", x.session.why);
    qsort(x.sample_us, x.samples, sizeof *x.sample_us, compare);
    double iops = (double)x.commands / seconds;
    printf("{\"work\":\"%s\",\"depth\":%" PRIu32 ",\"iops\":%.1f,\"mib\":%.2f,\"p50_us\":%.1f,"
           "\"p99_us\":%.1f,\"max_us\":%.1f}\n",
           x.work->name, x.depth, iops, iops * x.work->bytes / 1048576, percentile_us(&x, 0.50),
           percentile_us(&x, 0.99), percentile_us(&x, 1.0));
    return 0;
}
