/* SPDX-License-Identifier: Apache-2.0 */
/* RAID 5 and 6 in figures that are ratios: what parity costs beside ISA-L alone with the same
 * geometry, and how many bytes go to and from the drives for each byte of a host, by pattern.
 *
 *   bench_parity [MiB of each rate]
 */
#include <isa-l/raid.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "array/fake_drives.h"
#include "array/parity.h"
#include "base/must.h"

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* ---- rates ---- */

static void rate(uint8_t members, uint8_t parity, uint32_t chunk, uint64_t bytes)
{
    static struct pool pool;
    uint8_t *at[PARITY_DRIVES_MAX];
    void *raw[PARITY_DRIVES_MAX];
    pool.members = members;
    pool.parity = parity;
    for (uint32_t m = 0; m < members; m++) {
        at[m] = raw[m] = aligned_alloc(4096, chunk);
        must(at[m]);
        memset(at[m], (int)(m * 37 + 1), chunk);
    }
    uint64_t rounds = 1 + bytes / ((uint64_t)chunk * (members - parity));
    double best[2] = {1e9, 1e9};
    for (int turn = 0; turn < 6; turn++) { /* in turns: the machine may have other work */
        double begun = now();
        for (uint64_t i = 0; i < rounds; i++) {
            if (turn % 2)
                parity_make(&pool, chunk, at);
            else if (parity == 2)
                must(pq_gen(members, (int)chunk, raw) == 0);
            else
                must(xor_gen(members, (int)chunk, raw) == 0);
        }
        double took = now() - begun;
        best[turn % 2] = took < best[turn % 2] ? took : best[turn % 2];
    }
    double mib = (double)rounds * chunk * (members - parity) / (1 << 20);
    printf("%2d+%d, chunks of %4u KiB: %8.0f MiB/s, of ISA-L's own %8.0f MiB/s: %.2f\n",
           members - parity, parity, chunk >> 10, mib / best[1], mib / best[0], best[0] / best[1]);
    for (uint32_t m = 0; m < members; m++)
        free(at[m]);
}

/* ---- amplification ---- */

enum { DEPTH = 16, VOLUME = 6 << 20 };

struct pattern {
    const char *name;
    uint32_t bytes;
    bool random;
};

static void add_up(const struct fake_world *w, uint64_t *read, uint64_t *written)
{
    *read = *written = 0;
    for (int d = 0; d < FAKE_DRIVES; d++) {
        *read += w->drive[d].read_bytes;
        *written += w->drive[d].written_bytes;
    }
}

static void turn_over(struct fake_world *w, const struct pattern *p, uint32_t count)
{
    static struct array_io io[DEPTH];
    uint32_t left = 0, depth = VOLUME / p->bytes / 2 < DEPTH ? VOLUME / p->bytes / 2 : DEPTH;
    for (uint32_t i = 0; i < count || left > 0;) {
        for (uint32_t s = 0; s < depth && i < count; s++) {
            if (io[s].data.buffer)
                continue;
            uint64_t places = VOLUME / p->bytes;
            uint64_t place = p->random ? fake_random(w, places / depth) * depth + s : i % places;
            io[s] = (struct array_io){.op = ARRAY_WRITE,
                                      .lba = place * p->bytes / 512,
                                      .blocks = p->bytes / 512,
                                      .data = fake_pattern(w, p->bytes, (uint8_t)i)};
            array_submit(w->array, &io[s]);
            i++;
            left++;
        }
        fake_turn(w);
        struct array_io *done;
        while ((done = array_next_done(w->array))) {
            must(!done->failed);
            slice_drop(&done->data);
            left--;
        }
    }
}

static void amplification(enum raid_level level, int drives, const char *name, bool degraded)
{
    static const int order[] = {0, 4, 1, 5, 2, 6, 3, 7};
    static const struct pattern patterns[] = {{"1 MiB sequential", 1 << 20, false},
                                              {"64 KiB sequential", 64 << 10, false},
                                              {"64 KiB random", 64 << 10, true},
                                              {"4 KiB sequential", 4 << 10, false},
                                              {"4 KiB random", 4 << 10, true}};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct fake_world *w = fake_new(i + 1);
        fake_pool(w, level, order, drives, VOLUME);
        static const struct pattern whole = {"", 1 << 20, false};
        turn_over(w, &whole, VOLUME / whole.bytes); /* everything is mapped */
        if (degraded)
            fake_record(w, order[1], DRIVE_STATE_FAILED);
        uint64_t read[2], written[2], bytes = 12u << 20;
        if (patterns[i].bytes < 64 << 10)
            bytes = 3u << 20;
        add_up(w, &read[0], &written[0]);
        turn_over(w, &patterns[i], (uint32_t)(bytes / patterns[i].bytes));
        add_up(w, &read[1], &written[1]);
        printf("%s%s, %-18s written %5.2f, read %5.2f\n", name, degraded ? ", a drive missing" : "",
               patterns[i].name, (double)(written[1] - written[0]) / (double)bytes,
               (double)(read[1] - read[0]) / (double)bytes);
        fake_free(w);
    }
}

int main(int count, char **words)
{
    uint64_t bytes = (count > 1 ? strtoull(words[1], NULL, 0) : 512) << 20;
    static const uint32_t chunks[] = {16 << 10, 64 << 10, 256 << 10, 1 << 20};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        rate(5, 1, chunks[i], bytes);
        rate(10, 2, chunks[i], bytes);
    }
    puts("\nBytes of the drives for each byte written by a host, 16 at a time:");
    amplification(RAID_5, 5, "RAID 5, 4+1", false);
    amplification(RAID_6, 8, "RAID 6, 6+2", false);
    amplification(RAID_5, 5, "RAID 5, 4+1", true);
    amplification(RAID_6, 8, "RAID 6, 6+2", true);
    return 0;
}
