/* SPDX-License-Identifier: Apache-2.0 */
/* Random I/O against random trouble, from seeds: drives that hang, err, vanish, keep some commands
 * to themselves, are replaced by empty ones; answers that are lost or pass each other; logins in a
 * row; fences; buffers that run out; changes of the record, takeovers, power cuts and a volume that
 * grows, at any moment, one on top of the other. Only this is spared: one GOOD drive of each mirror
 * set, and of a pool with parity all but as many as it may lose.
 *
 * The oracle knows for each block of the volume what a read may see; a write that is answered must
 * be on every drive that the record calls GOOD; at the end all copies agree, parity is that of the
 * data, and the maps are empty.
 *
 *   array_swarm_test [first seed [seeds [loud]]] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "array/layout.h"
#include "array/swarm.h"
#include "base/must.h"

enum { SEEDS = 60, EVENTS = 24 };

static bool loud;

/* ---- the state on the drives, and a volume that grows ---- */

static void keep_state(struct swarm *s)
{
    s->state_length = array_save(s->w->array, s->state, sizeof s->state);
    must(s->state_length <= sizeof s->state);
}

static void store(struct swarm *s)
{
    if (s->storing)
        return;
    s->storing = ++s->generation;
    s->stored_count = s->w->stored;
    array_store_state(s->w->array, s->state, s->state_length, s->generation, s->generation);
}

static void grow(struct swarm *s)
{
    char text[256];
    if (s->growing || s->blocks == s->blocks_most)
        return;
    uint64_t blocks = s->blocks + 1 + swarm_draw(s, 3000);
    blocks = blocks < s->blocks_most ? blocks : s->blocks_most;
    struct manage_request r = {.verb = MANAGE_VOLUME_GROW, .name = "v1", .bytes = blocks * BLOCK};
    s->carried = s->w->carried;
    must(fake_ask(s->w, &r, text, sizeof text));
    s->growing = true;
    s->grown_stored = false;
    for (; s->blocks < blocks; s->blocks++)
        s->block[s->blocks] = (struct block){.count = 1, .certain = 1};
    keep_state(s);
}

static void go_on(struct swarm *s)
{
    struct fake_world *w = s->w;
    if (s->storing && w->stored > s->stored_count) {
        must(w->cookie == s->storing && !w->failed);
        s->stored = s->storing;
        s->storing = 0;
    }
    if (s->carry_ns && w->now_ns >= s->carry_ns) {
        s->carry_ns = 0;
        s->carried = w->carried;
        fake_carry_out(w, w->asks);
    }
    if (!s->growing || s->carry_ns || w->carried == s->carried || swarm_draw(s, 20))
        return;
    if (s->grown_stored && !s->storing) { /* DONE */
        fake_carry_end(w, w->asks);
        s->growing = false;
    } else if (!s->storing) {
        store(s);
        s->grown_stored = true;
    }
}

/* ---- trouble ---- */

static bool troubled(const struct swarm *s, int d)
{
    for (int t = 0; t < TROUBLES; t++) {
        const struct trouble *trouble = &s->trouble[t];
        bool loop = trouble->kind == TROUBLE_LOOP_AWAY || trouble->kind == TROUBLE_REPLACED ||
                    trouble->kind == TROUBLE_LOST_ANSWERS;
        if (trouble->kind && (trouble->drive == d || (loop && trouble->drive / 4 == d / 4)))
            return true;
    }
    return s->settling_ns[d] > s->w->now_ns || s->replaced[d] || s->w->drive[d].bad_to > 0;
}

/* Every set lives without the drives of that mask. */
static bool spares(const struct swarm *s, uint32_t mask)
{
    for (int set = 0; set < s->drive_count; set += s->members) {
        int lives = 0;
        for (int i = set; i < set + s->members; i++) {
            int d = s->drives[i];
            lives += s->w->drive[d].record == DRIVE_STATE_GOOD && !s->w->drive[d].wanted &&
                     !(mask >> d & 1) && !troubled(s, d);
        }
        if (lives < (s->parity ? s->members - s->parity : 1))
            return false;
    }
    return true;
}

static void logged_in(struct swarm *s, int loop)
{
    fake_login(s->w, loop);
    for (int d = loop * 4; d < loop * 4 + 4; d++)
        s->settling_ns[d] = s->w->now_ns + MS(200);
}

static void heal(struct swarm *s, struct trouble *t)
{
    struct fake_world *w = s->w;
    struct fake_drive *drive = &w->drive[t->drive];
    int loop = t->drive / 4;
    enum trouble_kind kind = t->kind;
    t->kind = TROUBLE_NONE;
    drive->hangs = drive->write_errors = drive->offline = drive->stuck = false;
    drive->lose = 0;
    drive->bad_from = drive->bad_to = 0;
    bool still_away = false;
    for (int i = 0; i < TROUBLES; i++)
        still_away |=
            (s->trouble[i].kind == TROUBLE_LOOP_AWAY || s->trouble[i].kind == TROUBLE_REPLACED) &&
            s->trouble[i].drive / 4 == loop;
    if (!still_away && (kind == TROUBLE_LOOP_AWAY || kind == TROUBLE_REPLACED ||
                        kind == TROUBLE_LOST_ANSWERS || swarm_draw(s, 4) == 0))
        logged_in(s, loop);
    s->settling_ns[t->drive] = w->now_ns + MS(200);
}

static void strike(struct swarm *s, struct trouble *t)
{
    struct fake_world *w = s->w;
    struct fake_drive *drive = &w->drive[t->drive];
    switch (t->kind) {
    case TROUBLE_HANG:
        drive->hangs = true;
        break;
    case TROUBLE_WRITES_FAIL:
        drive->write_errors = true;
        break;
    case TROUBLE_OFFLINE:
        drive->offline = true;
        break;
    case TROUBLE_KEEPS_SOME:
        drive->stuck = true;
        for (uint32_t b = 0; b < w->commands; b++)
            w->command[w->busy[b]].stuck = swarm_draw(s, 3) == 0;
        break;
    case TROUBLE_LOST_ANSWERS:
        drive->lose = 1 + (uint32_t)swarm_draw(s, 3);
        break;
    case TROUBLE_UNREADABLE:
        drive->bad_from = LAYOUT_DATA + swarm_draw(s, 700) * 4096;
        drive->bad_to = drive->bad_from + 4096;
        break;
    case TROUBLE_REPLACED:
        for (uint32_t b = 0; b < w->commands; b++)
            if (fake_index(w->command[w->busy[b]].message.drive.drive) == t->drive) {
                w->command[w->busy[b]].answered = true; /* the old one has taken it along */
                w->command[w->busy[b]].status = DRIVE_GONE;
            }
        memset(drive->now, 0, FAKE_BYTES);
        memset(drive->durable, 0, FAKE_BYTES);
        memset(drive->dirty, 0, sizeof drive->dirty);
        s->replaced[t->drive] = true;
        fake_logout(w, t->drive / 4, true);
        break;
    case TROUBLE_LOOP_AWAY:
        fake_logout(w, t->drive / 4, swarm_draw(s, 2));
        break;
    case TROUBLE_NONE:
    case TROUBLE_KINDS:
        break;
    }
}

static void make_trouble(struct swarm *s)
{
    struct trouble *t = &s->trouble[swarm_draw(s, TROUBLES)];
    int d = s->drives[swarm_draw(s, (uint64_t)s->drive_count)];
    enum trouble_kind kind = (enum trouble_kind)(1 + swarm_draw(s, TROUBLE_KINDS - 1));
    bool loop =
        kind == TROUBLE_LOOP_AWAY || kind == TROUBLE_REPLACED || kind == TROUBLE_LOST_ANSWERS;
    uint32_t mask = loop ? 0xFu << d / 4 * 4 : 1u << d;
    if (t->kind || troubled(s, d) || !spares(s, mask))
        return;
    static const uint64_t long_ms[] = {20, 400, 400, 7000, 40000};
    uint64_t most = long_ms[swarm_draw(s, swarm_draw(s, 6) ? 3 : 5)];
    *t = (struct trouble){
        .kind = kind, .drive = d, .heal_ns = s->w->now_ns + swarm_draw(s, MS(most))};
    if (loud)
        fprintf(stderr, "[%llu] trouble %d, drive %d until %llu\n",
                (unsigned long long)s->w->now_ns / 1000, kind, d,
                (unsigned long long)t->heal_ns / 1000);
    strike(s, t);
}

/* ---- ends of reigns ---- */

/* What the engine had, a unit that followed has too, and writes anew, sooner or later. */
static void adopt(struct swarm *s)
{
    uint64_t held_up = swarm_draw(s, 3) ? MS(20) : MS(4000);
    for (int i = 0; i < DEPTH; i++) {
        struct request *r = &s->request[i];
        if (!r->used)
            continue;
        if (r->io.op == ARRAY_READ)
            r->io.data = slice_none();
        r->adopted = true;
        r->again_ns = s->w->now_ns + 1 + swarm_draw(s, held_up);
    }
    s->storing = 0;
    if (!s->growing)
        return;
    fake_carry_soon(s->w, s->w->asks);
    s->carry_ns = s->w->now_ns + 1 + swarm_draw(s, held_up);
    s->grown_stored = false;
}

static void logins_healed(struct swarm *s)
{
    for (int t = 0; t < TROUBLES; t++)
        if (s->trouble[t].kind == TROUBLE_LOOP_AWAY || s->trouble[t].kind == TROUBLE_REPLACED)
            s->trouble[t].kind = TROUBLE_NONE;
    for (int d = 0; d < FAKE_DRIVES; d++)
        s->settling_ns[d] = s->w->now_ns + MS(200);
}

/* A member is taken in only after a while: what is in doubt is so by the maps too. */
static bool doubt_is_kept(const struct swarm *s)
{
    struct array_status status;
    array_describe(s->w->array, &status);
    for (int i = 0; status.regions_in_doubt > 0 && i < s->drive_count; i++) {
        const struct fake_drive *drive = &s->w->drive[s->drives[i]];
        const uint8_t *map = drive->durable + LAYOUT_MAP, *other = map + LAYOUT_BLOCK;
        if (be64_at(other + offsetof(struct disk_map, sequence)) >
            be64_at(map + offsetof(struct disk_map, sequence)))
            map = other;
        if (drive->record == DRIVE_STATE_GOOD && !s->replaced[s->drives[i]] &&
            !layout_map_doubt(map))
            return false;
    }
    return true;
}

static void takeover(struct swarm *s)
{
    swarm_drain(s);
    s->crashes++;
    fake_crash(s->w, false);
    logins_healed(s);
    fake_takeover(s->w, s->state, s->state_length);
    adopt(s);
}

/* The same engine comes to lead again, over the same logins or new ones. */
static void claim_back(struct swarm *s)
{
    struct fake_world *w = s->w;
    swarm_drain(s);
    array_halt(w->array);
    for (int d = 0; d < FAKE_DRIVES; d++)
        w->drive[d].wanted = 0; /* asked of the reign that is over */
    for (uint64_t ms = swarm_draw(s, 2) * swarm_draw(s, 30); ms > 0; ms--)
        fake_turn(w);
    fake_fence(w);
    if (swarm_draw(s, 2) && w->loop_up[0])
        logged_in(s, 0);
    uint32_t before = w->begun;
    array_begin(w->array, w->epoch, false);
    if (swarm_draw(s, 3) == 0) { /* and once more, half-way */
        fake_turn(w);
        fake_fence(w);
        array_begin(w->array, w->epoch, false);
    }
    must(fake_until(w, &w->begun, before + 1, MS(20000)));
    adopt(s);
}

/* Nobody holds the queue: cold start, or a unit that was out. */
static void crash(struct swarm *s, bool power)
{
    struct fake_world *w = s->w;
    struct {
        uint32_t first, blocks;
        uint64_t stamp;
    } atomic[DEPTH];
    uint32_t length, atomics = 0;
    uint64_t generation;
    swarm_drain(s);
    for (int t = 0; t < TROUBLES; t++)
        if (s->trouble[t].kind)
            heal(s, &s->trouble[t]);
    s->crashes++;
    fake_starve(w, false);
    fake_crash(w, power);
    logins_healed(s);
    for (int i = 0; i < DEPTH; i++) {
        struct request *r = &s->request[i];
        if (r->used && swarm_writes(r))
            swarm_unsure(s, r);
        if (r->used && r->io.atomic) {
            atomic[atomics].first = r->first;
            atomic[atomics].blocks = r->blocks;
            atomic[atomics++].stamp = r->stamp;
        }
        if (r->used && r->io.op == ARRAY_READ)
            r->io.data = slice_none();
        if (r->used)
            swarm_release(s, r);
    }
    for (uint32_t b = 0; power && b < s->blocks; b++)
        s->block[b].certain = s->block[b].count;
    s->growing = false;
    s->storing = s->carry_ns = 0;
    fake_restart(w, true);
    array_loaded_state(w->array, &length, &generation);
    must(generation >= s->stored);
    s->blocks = (uint32_t)array_volume(w->array, 0)->blocks;
    keep_state(s);
    while (atomics-- > 0)
        swarm_whole(s, atomic[atomics].first, atomic[atomics].blocks, atomic[atomics].stamp);
}

/* ---- small trouble, which hurts nobody ---- */

static void change_epoch(struct swarm *s)
{
    struct fake_world *w = s->w;
    if (s->epoch_ns)
        return;
    if (swarm_draw(s, 2)) { /* the engine first: what is under way is refused late */
        array_epoch(w->array, ++w->epoch);
        w->fence_epoch = w->epoch;
    } else {
        w->fence_epoch = w->epoch + 1;
        s->epoch_ns = w->now_ns + swarm_draw(s, MS(300));
    }
}

static void change_record(struct swarm *s)
{
    int d = s->drives[swarm_draw(s, (uint64_t)s->drive_count)];
    if (!spares(s, 1u << d) || !array_can_fail(s->w->array, fake_number(d)))
        return;
    s->replaced[d] = false;
    for (uint64_t times = 1 + swarm_draw(s, 3); times > 0; times--) {
        fake_record(s->w, d, DRIVE_STATE_FAILED);
        for (uint64_t turns = swarm_draw(s, 2) * swarm_draw(s, 20); turns > 0; turns--)
            fake_turn(s->w);
        if (swarm_draw(s, 2) && s->w->drive[d].record == DRIVE_STATE_FAILED)
            fake_record(s->w, d, DRIVE_STATE_STALE);
    }
}

static void happen(struct swarm *s)
{
    struct fake_world *w = s->w;
    int d = s->drives[swarm_draw(s, (uint64_t)s->drive_count)];
    uint64_t what = swarm_draw(s, 20);
    s->events++;
    if (loud)
        fprintf(stderr, "[%llu] event %llu, drive %d\n", (unsigned long long)w->now_ns / 1000,
                (unsigned long long)what, d);
    switch (what) {
    case 0:
        w->drive[d].busy = 20;
        break;
    case 1:
        w->drive[d].refuse = 3;
        break;
    case 2:
        change_epoch(s);
        break;
    case 3:
    case 4:
        for (uint64_t times = 1 + swarm_draw(s, 2); w->loop_up[d / 4] && times > 0; times--)
            logged_in(s, d / 4);
        break;
    case 5:
    case 6:
        change_record(s);
        break;
    case 7:
        fake_starve(w, true);
        s->starve_ns = w->now_ns + swarm_draw(s, MS(60));
        break;
    case 8:
        store(s);
        break;
    case 9:
    case 10:
        grow(s);
        break;
    case 11:
        if (spares(s, 0) && doubt_is_kept(s))
            takeover(s);
        break;
    case 12:
        if (spares(s, 0) && doubt_is_kept(s))
            claim_back(s);
        break;
    case 13:
        if (spares(s, 0))
            crash(s, swarm_draw(s, 3) > 0);
        break;
    default:
        make_trouble(s);
        break;
    }
}

static void turn(struct swarm *s)
{
    struct fake_world *w = s->w;
    if (s->epoch_ns && w->now_ns >= s->epoch_ns) {
        s->epoch_ns = 0;
        if (w->fence_epoch > w->epoch) {
            w->epoch = w->fence_epoch;
            array_epoch(w->array, w->epoch);
        }
    }
    if (s->starve_ns && w->now_ns >= s->starve_ns) {
        s->starve_ns = 0;
        fake_starve(w, false);
    }
    fake_turn(w);
    swarm_drain(s);
    go_on(s);
    for (int t = 0; t < TROUBLES; t++)
        if (s->trouble[t].kind && w->now_ns >= s->trouble[t].heal_ns)
            heal(s, &s->trouble[t]);
    for (int d = 0; d < FAKE_DRIVES; d++)
        s->replaced[d] &= w->drive[d].record == DRIVE_STATE_GOOD;
}

/* ---- a run ---- */

static void say(void *world, const struct trace *from, enum trace_level level, uint64_t now_ns,
                const char *text)
{
    (void)world, (void)from, (void)level;
    fprintf(stderr, "[%llu] %s\n", (unsigned long long)now_ns / 1000, text);
}

static void begin(struct swarm *s, uint64_t seed)
{
    static const int two[] = {0, 4}, three[] = {0, 4, 1}, four[] = {0, 4, 5, 1};
    static const int six[] = {0, 4, 1, 5, 2, 6};
    static const struct {
        enum raid_level level;
        const int *drives;
        int count, members, parity;
        uint32_t blocks;
    } shapes[] = {
        {RAID_1, two, 2, 2, 0, 6144},    {RAID_1, three, 3, 3, 0, 6144},
        {RAID_10, four, 4, 2, 0, 12288}, {RAID_5, three, 3, 3, 1, 12288},
        {RAID_5, six, 6, 6, 1, 12288},   {RAID_6, four, 4, 4, 2, 12288},
        {RAID_6, six, 6, 6, 2, 12288},
    };
    memset(s, 0, sizeof *s);
    s->w = fake_new(seed);
    uint64_t shape = swarm_draw(s, sizeof shapes / sizeof shapes[0]);
    s->level = shapes[shape].level;
    s->drives = shapes[shape].drives;
    s->drive_count = shapes[shape].count;
    s->members = shapes[shape].members;
    s->parity = shapes[shape].parity;
    s->blocks_most = shapes[shape].blocks;
    s->blocks = 2048 + (uint32_t)swarm_draw(s, 2048);
    if (loud)
        s->w->trace = (struct trace){.max_level = TRACE_INFO, .sink = say};
    s->w->slow_ns = swarm_draw(s, 3) ? MS(3) : MS(20);
    s->w->answer_ns = swarm_draw(s, 2) ? MS(5) : 0;
    s->w->record_ns = swarm_draw(s, 2) ? MS(40) : 0;
    fake_pool(s->w, s->level, s->drives, s->drive_count, (uint64_t)s->blocks * BLOCK);
    s->w->keeps_changes = true;
    s->generation = (uint64_t)1 << 40;
    keep_state(s);
    store(s);
    for (uint32_t b = 0; b < s->blocks; b++)
        s->block[b] = (struct block){.count = 1, .certain = 1};
}

static bool is_well(const struct swarm *s)
{
    struct array_status status;
    array_describe(s->w->array, &status);
    bool busy = s->growing || s->storing || status.regions_in_doubt > 0;
    for (int i = 0; i < DEPTH; i++)
        busy |= s->request[i].used;
    for (int i = 0; i < s->drive_count; i++)
        busy |= s->w->drive[s->drives[i]].record != DRIVE_STATE_GOOD ||
                s->w->drive[s->drives[i]].wanted || s->replaced[s->drives[i]];
    return !busy;
}

/* Every block through the engine, and on each drive. */
static void compare_all(struct swarm *s)
{
    for (uint32_t at = 0; at < s->blocks;) {
        uint32_t blocks = s->blocks - at < 1000 ? s->blocks - at : 1000;
        struct array_io io = {.op = ARRAY_READ, .lba = at, .blocks = blocks};
        must(fake_io(s->w, &io));
        for (uint32_t i = 0; i < blocks; i++, at++) {
            const int *drives;
            uint64_t offset, stamp = swarm_stamp(slice_bytes(io.data) + i * BLOCK);
            int count = swarm_holders(s, at, &drives, &offset);
            swarm_saw(s, at, stamp);
            for (int d = 0; d < count && swarm_mapped(s, at); d++)
                must(swarm_stamp(s->w->drive[drives[d]].now + offset) == stamp);
        }
        slice_drop(&io.data);
    }
}

static void finish(struct swarm *s)
{
    struct fake_world *w = s->w;
    for (int i = 0; i < TROUBLES; i++)
        if (s->trouble[i].kind)
            heal(s, &s->trouble[i]);
    for (int d = 0; d < FAKE_DRIVES; d++)
        w->drive[d].bad_from = w->drive[d].bad_to = w->drive[d].busy = w->drive[d].refuse = 0;
    s->starve_ns = s->epoch_ns = 1;
    for (uint64_t limit = w->now_ns + MS(100); w->now_ns < limit;)
        turn(s); /* what the record was asked for is there */
    logged_in(s, 0);
    logged_in(s, 1);
    for (uint64_t limit = w->now_ns + MS(60000); !is_well(s);) {
        must(w->now_ns < limit);
        turn(s);
    }
    compare_all(s);
    uint32_t clean = w->clean;
    array_quiesce(w->array);
    must(fake_until(w, &w->clean, clean + 1, MS(10000)));
    struct array_status status;
    array_describe(w->array, &status);
    must(status.regions_set == 0);
    swarm_check_parity(s);
    s->synced += w->synced;
    fake_free(w);
}

static struct swarm swarm;

static void run(uint64_t seed)
{
    struct swarm *s = &swarm;
    begin(s, seed);
    while (s->events < EVENTS) {
        for (int i = 0; i < DEPTH; i++)
            if (!s->request[i].used && swarm_draw(s, 8) == 0)
                swarm_submit(s, &s->request[i]);
        turn(s);
        if (swarm_draw(s, 60) == 0)
            happen(s);
    }
    finish(s);
}

static uint64_t first_seed = 1, seeds = SEEDS;

static void test_swarm(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        if (seeds != SEEDS)
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        run(seed);
        if (seeds != SEEDS)
            fprintf(stderr, "  %u I/O done, %u crashes, %u resynchronised\n", swarm.done,
                    swarm.crashes, swarm.synced);
    }
}

int main(int count, char **words)
{
    if (count > 1)
        first_seed = strtoull(words[1], NULL, 0);
    if (count > 2)
        seeds = strtoull(words[2], NULL, 0);
    loud = count > 3;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_swarm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
