/* SPDX-License-Identifier: Apache-2.0 */
/* V1 a write to a granule begins only when its bit of `mapped` is durable on every drive that takes
 *    part; so what is answered is found again by whoever reads the map
 * V2 a granule that is not mapped holds zeroes on the drives, or its bit of `stale` is durable; a
 *    stale one is filled with zeroes, durably, before it is mapped: what it held before is never
 *    seen again, whatever power cut comes between
 * V3 granules are unmapped whole: UNMAP is over when their bits are durably gone; its edges are
 *    filled with zeroes
 * V4 the newest block of a GOOD drive counts; nothing is relied upon before every GOOD drive holds
 *    it (`whole`): the reign before may have ended between two of them
 * V5 on each drive a block goes to the slot that does not hold its newest one: whatever tears it,
 *    the one before stays
 * V6 a drive that begins to take part is SYNCED only after it was sent the whole map
 *
 *   reading:  piece by piece from every GOOD drive -> known
 *   writing:  idle -- write() --> legs > 0 -- write_over() --> idle: `next` is now `mapped`
 *   a stale granule:  zeroing -- provision_zeroed() --> set -- write_over() --> mapped
 */
#include "array/provision.h"

#include "array/drives.h"
#include "array/hostio.h"
#include "array/leg.h"
#include "base/must.h"

#define RETRY_NS MS(100)

enum {
    PAIR_BYTES = 2 * LAYOUT_BLOCK,
    PIECE_BLOCKS = COPY_BYTES / PAIR_BYTES,
    LEGS_MOST = 256, /* of one write of the map */
    LATE_AGAIN = 0x80,
};

static uint32_t block_of_word(uint32_t word)
{
    return word / PROVISION_WORDS;
}

static bool has(const uint64_t *set, uint32_t i)
{
    return set[i / 64] >> (i % 64) & 1;
}

static void add(uint64_t *set, uint32_t i)
{
    set[i / 64] |= (uint64_t)1 << (i % 64);
}

static void drop(uint64_t *set, uint32_t i)
{
    set[i / 64] &= ~((uint64_t)1 << (i % 64));
}

static uint32_t words(const struct provision *v)
{
    return v->blocks * PROVISION_WORDS;
}

/* The bits from `first` to `last` that are in that word. */
static uint64_t mask_of(uint32_t first, uint32_t last, uint32_t word)
{
    uint64_t mask = ~(uint64_t)0;
    if (word == first / 64)
        mask &= ~(uint64_t)0 << (first % 64);
    if (word == last / 64)
        mask &= ~(uint64_t)0 >> (63 - last % 64);
    return mask;
}

void provision_size(struct pool *pool)
{
    struct provision *v = &pool->provision;
    v->granule_bytes = layout_granule_bytes(pool->info.size_bytes);
    v->granules = (uint32_t)((pool->info.size_bytes + v->granule_bytes - 1) / v->granule_bytes);
    v->blocks = (v->granules + PROVISION_GRANULES - 1) / PROVISION_GRANULES;
    must(v->blocks <= PROVISION_BLOCKS_MAX);
}

void provision_reset(struct pool *pool)
{
    struct provision *v = &pool->provision;
    struct provision_map *const maps[] = {v->mapped, v->stale, v->set, v->clear, v->next};
    for (size_t m = 0; v->blocks > 0 && m < sizeof maps / sizeof maps[0]; m++)
        memset(maps[m]->word, 0, words(v) * sizeof(uint64_t));
    v->kept = v->known = v->whole = v->failed = v->reading = v->refused = false;
    v->sequence = v->retry_ns = 0;
    v->legs = v->piece = 0;
    memset(v->dirty, 0, sizeof v->dirty);
    memset(v->writing, 0, sizeof v->writing);
    memset(v->found, 0, sizeof v->found);
    memset(v->read, 0, sizeof v->read);
    memset(v->newest, 0, sizeof v->newest);
    pool->zeroings = 0;
}

void provision_born(struct array *array, struct pool *pool)
{
    provision_reset(pool);
    pool->provision.kept = pool->provision.known = pool->provision.whole = true;
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        struct drive *drive = &array->drive[pool->info.drives[p]];
        memset(drive->provision_slot, 0, sizeof drive->provision_slot);
        memset(drive->provision_lacks, 0, sizeof drive->provision_lacks);
        drive->provision_read = true;
    }
}

void provision_pool_dropped(struct array *array, uint8_t index)
{
    leg_forget(array, LEG_PROVISION, index);
    leg_forget(array, LEG_PROVISION_READ, index);
    for (int i = 0; i < ZEROINGS_MAX; i++) {
        struct zeroing *zeroing = &array->zeroing[i];
        if (!zeroing->used || zeroing->io.orphan || zeroing->io.pool != index)
            continue;
        zeroing->io.orphan = true;
        array->orphans++;
    }
}

void provision_forget(struct array *array)
{
    for (int i = 0; i < ZEROINGS_MAX; i++)
        array->zeroing[i].used = false;
}

bool provision_open(const struct pool *pool)
{
    const struct provision *v = &pool->provision;
    if (pool->map_known && !pool->born)
        return true; /* its parts will fail */
    return v->known && (v->whole || mutant(MUTANT_PROVISION_OF_ONE_TRUSTED));
}

/* ---- asking for granules ---- */

static struct zeroing *zeroing_free(struct array *array)
{
    for (int i = 0; i < ZEROINGS_MAX; i++)
        if (!array->zeroing[i].used)
            return &array->zeroing[i];
    return NULL;
}

/* Those of the word's bits that are being filled already. */
static uint64_t being_zeroed(const struct array *array, const struct pool *pool, uint32_t word)
{
    uint64_t bits = 0;
    for (int i = 0; pool->zeroings > 0 && i < ZEROINGS_MAX; i++) {
        const struct zeroing *z = &array->zeroing[i];
        if (z->used && !z->io.orphan && z->io.pool == pool->info.index && z->first / 64 == word)
            bits |= mask_of(z->first, z->first + z->count - 1, word);
    }
    return bits;
}

/* V2: fills the run of granules that begins with the first of these bits. */
static bool zero_run(struct array *array, struct pool *pool, uint32_t word, uint64_t bits)
{
    const struct provision *v = &pool->provision;
    struct zeroing *zeroing = zeroing_free(array);
    if (!zeroing)
        return false;
    uint32_t bit = (uint32_t)__builtin_ctzll(bits);
    uint64_t beyond = ~(bits >> bit);
    memset(zeroing, 0, sizeof *zeroing);
    zeroing->used = true;
    zeroing->first = word * 64 + bit;
    zeroing->count = beyond ? (uint32_t)__builtin_ctzll(beyond) : 64;
    struct array_io *io = &zeroing->io;
    uint64_t end = (zeroing->first + zeroing->count) * v->granule_bytes;
    if (end > pool->info.size_bytes)
        end = pool->info.size_bytes;
    io->op = ARRAY_FILL;
    io->fua = true;
    io->internal = io->raw = true;
    io->pool = pool->info.index;
    io->lba = zeroing->first * v->granule_bytes;
    io->blocks = end - io->lba;
    pool->zeroings++;
    array_submit(array, io);
    return true;
}

static void mark_dirty(struct array *array, struct pool *pool, uint32_t word)
{
    add(pool->provision.dirty, block_of_word(word));
    array->again = array->more = true;
}

static void want_mapped(struct array *array, struct pool *pool, uint32_t word, uint64_t missing)
{
    struct provision *v = &pool->provision;
    uint64_t stale = mutant(MUTANT_STALE_GRANULE_SHOWN) ? 0 : v->stale->word[word];
    uint64_t ready = missing & ~stale & ~v->set->word[word];
    if (ready) {
        v->set->word[word] |= ready;
        v->clear->word[word] &= ~ready;
        mark_dirty(array, pool, word);
    }
    if (mutant(MUTANT_MAPPED_BEFORE_DURABLE))
        v->mapped->word[word] |= missing & ~stale;
    uint64_t unclean = missing & stale & ~v->set->word[word];
    unclean &= ~(unclean ? being_zeroed(array, pool, word) : 0);
    while (unclean && zero_run(array, pool, word, unclean))
        unclean &= ~being_zeroed(array, pool, word);
}

static void want_unmapped(struct array *array, struct pool *pool, uint32_t word, uint64_t mapped)
{
    struct provision *v = &pool->provision;
    if (!(mapped & ~v->clear->word[word]))
        return;
    v->clear->word[word] |= mapped;
    mark_dirty(array, pool, word);
}

bool provision_ready(struct array *array, struct pool *pool, enum array_op op, uint64_t offset,
                     uint64_t length, bool ask)
{
    struct provision *v = &pool->provision;
    if (!v->kept || length == 0)
        return true;
    bool unmaps = op == ARRAY_UNMAP, ready = true;
    uint64_t first = offset / v->granule_bytes, end = (offset + length) / v->granule_bytes;
    if (unmaps)
        first = (offset + v->granule_bytes - 1) / v->granule_bytes;
    else
        end = (offset + length - 1) / v->granule_bytes + 1;
    if (first >= end)
        return true;
    uint32_t last = (uint32_t)end - 1;
    for (uint32_t w = (uint32_t)first / 64; w <= last / 64; w++) {
        uint64_t mapped = v->mapped->word[w], mask = mask_of((uint32_t)first, last, w);
        uint64_t wrong = unmaps ? mapped & mask : ~mapped & mask;
        if (!wrong)
            continue;
        ready = false;
        if (ask && unmaps)
            want_unmapped(array, pool, w, wrong);
        else if (ask)
            want_mapped(array, pool, w, wrong);
    }
    return ready || (!unmaps && mutant(MUTANT_MAPPED_BEFORE_DURABLE));
}

uint64_t provision_run(const struct pool *pool, uint64_t offset, uint64_t length, bool *mapped)
{
    const struct provision *v = &pool->provision;
    *mapped = true;
    if (!v->kept || length == 0)
        return length;
    uint32_t first = (uint32_t)(offset / v->granule_bytes);
    uint32_t last = (uint32_t)((offset + length - 1) / v->granule_bytes);
    *mapped = has(v->mapped->word, first);
    for (uint32_t w = first / 64; w <= last / 64; w++) {
        uint64_t other =
            (*mapped ? ~v->mapped->word[w] : v->mapped->word[w]) & mask_of(first, last, w);
        if (!other)
            continue;
        uint64_t granule = (uint64_t)w * 64 + (uint32_t)__builtin_ctzll(other);
        return granule * v->granule_bytes - offset;
    }
    return length;
}

void provision_zeroed(struct array *array, struct array_io *io)
{
    struct zeroing *zeroing = (struct zeroing *)(void *)((char *)io - offsetof(struct zeroing, io));
    must(zeroing->used);
    zeroing->used = false;
    array->again = true;
    if (io->orphan)
        return;
    struct pool *pool = &array->pool[io->pool];
    must(pool->zeroings > 0);
    pool->zeroings--;
    if (io->failed) {
        hostio_fail_unready(array, pool);
        return;
    }
    struct provision *v = &pool->provision;
    uint32_t word = zeroing->first / 64;
    v->set->word[word] |= mask_of(zeroing->first, zeroing->first + zeroing->count - 1, word);
    mark_dirty(array, pool, word);
}

/* ---- what drives hold ---- */

void provision_lacks_all(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    const struct provision *v = &array->pool[drive->pool].provision;
    drive->provision_read = true; /* nobody relies on what it holds */
    for (uint32_t b = 0; b < v->blocks && !mutant(MUTANT_SYNCED_WITHOUT_PROVISION); b++)
        add(drive->provision_lacks, b);
    array->again = true;
}

bool provision_is_held(const struct pool *pool, const struct drive *drive)
{
    if (!pool->provision.kept || mutant(MUTANT_SYNCED_WITHOUT_PROVISION))
        return true;
    for (uint32_t i = 0; i < PROVISION_SLOT_WORDS; i++)
        if (drive->provision_lacks[i])
            return false;
    return pool->provision.known;
}

/* V4 */
static void judge_whole(struct array *array, struct pool *pool)
{
    struct provision *v = &pool->provision;
    if (v->whole)
        return;
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = &array->drive[pool->info.drives[p]];
        for (uint32_t i = 0; drive->state == DRIVE_STATE_GOOD && i < PROVISION_SLOT_WORDS; i++)
            if (drive->provision_lacks[i])
                return;
    }
    v->whole = true;
    array->again = true;
}

static uint64_t offset_of(const struct drive *drive, uint32_t block)
{
    return LAYOUT_PROVISION + (uint64_t)block * PAIR_BYTES +
           (has(drive->provision_slot, block) ? LAYOUT_BLOCK : 0);
}

/* ---- writing the map ---- */

static void write_over(struct array *array, struct pool *pool)
{
    struct provision *v = &pool->provision;
    for (uint32_t b = 0; b < v->blocks; b++) {
        if (!has(v->writing, b))
            continue;
        drop(v->writing, b);
        if (v->failed)
            add(v->dirty, b);
        for (uint32_t w = b * PROVISION_WORDS; !v->failed && w < (b + 1) * PROVISION_WORDS; w++) {
            uint64_t mapped = v->next->word[w];
            v->mapped->word[w] = mapped;
            v->stale->word[w] |= mapped;
            v->set->word[w] &= ~mapped;
            v->clear->word[w] &= mapped;
            if (v->set->word[w] | v->clear->word[w])
                add(v->dirty, b); /* asked for since */
        }
    }
    if (v->failed) {
        v->retry_ns = array->now_ns + RETRY_NS;
        hostio_fail_unready(array, pool);
    }
    judge_whole(array, pool);
    array->again = true;
}

/* False: no buffer now. */
static bool write_block(struct array *array, struct pool *pool, uint32_t b)
{
    struct provision *v = &pool->provision;
    struct buffer *buffer = buffer_get(array->buffers, LAYOUT_BLOCK);
    if (!buffer) {
        array->no_buffer = true;
        return false;
    }
    uint64_t stale[PROVISION_WORDS];
    uint32_t from = b * PROVISION_WORDS;
    for (uint32_t w = 0; w < PROVISION_WORDS; w++) {
        uint64_t next =
            (v->mapped->word[from + w] | v->set->word[from + w]) & ~v->clear->word[from + w];
        v->next->word[from + w] = next;
        stale[w] = v->stale->word[from + w] | next;
    }
    layout_put_provision(buffer->data, pool->info.uuid, v->sequence, v->granule_bytes, b,
                         v->next->word + from, stale);
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        uint8_t number = pool->info.drives[p];
        if (!drives_takes_part(&array->drive[number]))
            continue;
        struct leg *leg = leg_new(array, LEG_PROVISION, pool->info.index, number, DRIVE_WRITE,
                                  offset_of(&array->drive[number], b), LAYOUT_BLOCK);
        must(leg);
        leg->fua = true;
        leg->data = slice_ref(slice_of(buffer, 0, LAYOUT_BLOCK));
        v->legs++;
    }
    buffer_unref(buffer);
    add(v->writing, b);
    drop(v->dirty, b);
    v->newest[b] = v->sequence;
    return true;
}

static bool can_give(const struct array *array, const struct pool *pool, uint8_t position)
{
    const struct drive *drive = &array->drive[pool->info.drives[position]];
    return drive->state == DRIVE_STATE_GOOD && drive->probe == PROBE_OURS && !drive->bad &&
           !drive->unsound && drives_reached(array, pool->info.drives[position]);
}

/* One that will be read may turn out to lack nothing; one that is away is waited for, and called
 * bad in the end, by what is written to it. */
static void wanted(const struct array *array, const struct pool *pool, uint64_t *out)
{
    memcpy(out, pool->provision.dirty, sizeof pool->provision.dirty);
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        const struct drive *drive = &array->drive[pool->info.drives[p]];
        bool counts = drives_takes_part(drive) &&
                      (drive->provision_read || !drives_reached(array, pool->info.drives[p]));
        for (uint32_t i = 0; counts && i < PROVISION_SLOT_WORDS; i++)
            out[i] |= drive->provision_lacks[i];
    }
}

static void write(struct array *array, struct pool *pool)
{
    struct provision *v = &pool->provision;
    uint64_t blocks[PROVISION_SLOT_WORDS];
    uint32_t most = 1 + (uint32_t)LEGS_MOST / pool->info.drive_count, count = 0;
    v->failed = false;
    wanted(array, pool, blocks);
    for (uint32_t b = 0; b < v->blocks && count < most; b++) {
        if (!has(blocks, b))
            continue;
        uint64_t first = array->epoch << 32; /* above every one of earlier reigns */
        if (count++ == 0)
            v->sequence = v->sequence + 1 > first ? v->sequence + 1 : first;
        if (!write_block(array, pool, b))
            break;
    }
    if (count > 0 && v->legs == 0 && !array->no_buffer) {
        v->failed = true; /* no drive takes part */
        write_over(array, pool);
    }
}

static void write_ended(struct array *array, struct pool *pool, const struct leg *leg)
{
    struct provision *v = &pool->provision;
    struct drive *drive = &array->drive[leg->drive];
    uint32_t b = (uint32_t)((leg->offset - LAYOUT_PROVISION) / PAIR_BYTES);
    if (leg->end == LEG_OK) {
        if (!mutant(MUTANT_PROVISION_OVERWRITTEN))
            drive->provision_slot[b / 64] ^= (uint64_t)1 << (b % 64); /* V5 */
        drop(drive->provision_lacks, b);
    }
    v->failed |= leg->end == LEG_ERROR || leg->end == LEG_TIMEOUT;
    if (--v->legs == 0)
        write_over(array, pool);
}

/* ---- reading it ---- */

static uint32_t piece_end(const struct provision *v)
{
    uint32_t end = (v->piece + 1) * PIECE_BLOCKS;
    return end < v->blocks ? end : v->blocks;
}

static void read_piece(struct array *array, struct pool *pool)
{
    struct provision *v = &pool->provision;
    uint32_t first = v->piece * PIECE_BLOCKS, bytes = (piece_end(v) - first) * PAIR_BYTES;
    v->refused = false;
    memset(v->read, 0, sizeof v->read);
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        if (!can_give(array, pool, p))
            continue;
        struct leg *leg =
            leg_new(array, LEG_PROVISION_READ, pool->info.index, pool->info.drives[p], DRIVE_READ,
                    LAYOUT_PROVISION + (uint64_t)first * PAIR_BYTES, bytes);
        must(leg);
        leg->patience_ns = array->limits->drive_ns;
        v->legs++;
    }
    v->reading = v->legs > 0;
    if (!v->reading)
        v->retry_ns = array->now_ns + RETRY_NS;
}

static void lack(struct array *array, const struct pool *pool, uint8_t position, uint32_t b)
{
    struct drive *drive = &array->drive[pool->info.drives[position]];
    if (drive->state == DRIVE_STATE_GOOD)
        add(drive->provision_lacks, b);
}

struct found {
    uint64_t mapped[2][PROVISION_WORDS], stale[2][PROVISION_WORDS], sequence[2];
    int newest; /* -1: both slots are damaged */
};

/* V5 */
static void look_at(const struct pool *pool, struct drive *drive, uint32_t b, const uint8_t *pair,
                    struct found *out)
{
    const struct provision *v = &pool->provision;
    bool sound[2];
    for (int s = 0; s < 2; s++)
        sound[s] = layout_get_provision(pair + s * LAYOUT_BLOCK, pool->info.uuid, v->granule_bytes,
                                        b, &out->sequence[s], out->mapped[s], out->stale[s]);
    out->newest = sound[1] && (!sound[0] || out->sequence[1] >= out->sequence[0]);
    if (out->newest == 0 && !sound[0])
        out->newest = -1;
    drop(drive->provision_slot, b);
    if (out->newest == 0)
        add(drive->provision_slot, b);
}

/* One block as one drive has it. */
static void take_block(struct array *array, struct pool *pool, uint8_t position, uint32_t b,
                       const uint8_t *pair)
{
    struct provision *v = &pool->provision;
    struct drive *drive = &array->drive[pool->info.drives[position]];
    struct found found;
    look_at(pool, drive, b, pair, &found);
    drop(drive->provision_lacks, b);
    uint64_t sequence = found.newest < 0 ? 0 : found.sequence[found.newest];
    if (found.newest < 0 || (has(v->found, b) && sequence < v->newest[b])) {
        lack(array, pool, position, b);
        return;
    }
    for (uint8_t p = 0; p < pool->info.drive_count; p++)
        if (position_has(v->read, p) && (!has(v->found, b) || sequence > v->newest[b]))
            lack(array, pool, p, b); /* V4: one that was read before has an older one */
    add(v->found, b);
    v->newest[b] = sequence;
    memcpy(v->mapped->word + b * PROVISION_WORDS, found.mapped[found.newest],
           sizeof found.mapped[0]);
    memcpy(v->stale->word + b * PROVISION_WORDS, found.stale[found.newest], sizeof found.stale[0]);
    if (sequence > v->sequence)
        v->sequence = sequence;
}

/* V5: its slots are known from now on; what waits for them goes to the right ones. */
static void slots_known(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    drive->provision_read = true;
    list_each (&drive->waiting, link, next) {
        struct leg *leg = list_member(link, struct leg, link);
        if (leg->owner == LEG_PROVISION && leg->tried_ns == 0)
            leg->offset =
                offset_of(drive, (uint32_t)((leg->offset - LAYOUT_PROVISION) / PAIR_BYTES));
    }
    position_add(array->legs_waiting, (uint32_t)number);
    array->again = true;
}

/* A GOOD drive that was not there when the map was read: where is its newest copy? */
static void read_late(struct array *array, struct pool *pool)
{
    const struct provision *v = &pool->provision;
    for (uint8_t p = 0; p < pool->info.drive_count; p++) {
        struct drive *drive = &array->drive[pool->info.drives[p]];
        if (drive->provision_read || drive->provision_reads > 0 || !can_give(array, pool, p))
            continue;
        for (uint32_t b = 0; b < v->blocks; b += PIECE_BLOCKS) {
            uint32_t count = v->blocks - b < PIECE_BLOCKS ? v->blocks - b : PIECE_BLOCKS;
            struct leg *leg = leg_new(
                array, LEG_PROVISION_READ, pool->info.index, pool->info.drives[p], DRIVE_READ,
                LAYOUT_PROVISION + (uint64_t)b * PAIR_BYTES, count * PAIR_BYTES);
            must(leg);
            leg->patience_ns = array->limits->drive_ns;
            drive->provision_reads++;
        }
    }
}

static void late_read_ended(struct array *array, struct pool *pool, const struct leg *leg)
{
    const struct provision *v = &pool->provision;
    struct drive *drive = &array->drive[leg->drive];
    uint32_t first = (uint32_t)((leg->offset - LAYOUT_PROVISION) / PAIR_BYTES);
    for (uint32_t i = 0; leg->end == LEG_OK && i < leg->length / PAIR_BYTES; i++) {
        struct found found;
        look_at(pool, drive, first + i, slice_bytes(leg->data) + (size_t)i * PAIR_BYTES, &found);
        if (found.newest >= 0 && found.sequence[found.newest] == v->newest[first + i] &&
            !has(v->writing, first + i))
            drop(drive->provision_lacks, first + i); /* it holds what the others hold */
    }
    drive->provision_reads--;
    if (leg->end == LEG_TIMEOUT || leg->end == LEG_DROPPED)
        drive->provision_reads |= LATE_AGAIN;
    if ((drive->provision_reads & ~LATE_AGAIN) > 0)
        return;
    if (!(drive->provision_reads & LATE_AGAIN))
        slots_known(array, leg->drive);
    drive->provision_reads = 0;
    array->again = true;
}

static void known(struct array *array, struct pool *pool)
{
    pool->provision.known = true;
    judge_whole(array, pool);
    array->again = array->more = true;
}

/* Every drive has given its copy of the piece, or cannot. */
static void piece_over(struct array *array, struct pool *pool)
{
    struct provision *v = &pool->provision;
    v->reading = false;
    array->again = true;
    for (uint32_t b = v->piece * PIECE_BLOCKS; b < piece_end(v); b++) {
        if (!has(v->found, b) && v->refused) { /* once more */
            v->retry_ns = array->now_ns + RETRY_NS;
            return;
        }
        for (uint8_t p = 0; p < pool->info.drive_count; p++)
            if (!position_has(v->read, p) || !has(v->found, b))
                lack(array, pool, p, b);
        if (has(v->found, b))
            continue;
        trace_error(array->trace,
                    "pool %s: no drive can read block %u of what is mapped: all of it",
                    pool->info.name, b);
        memset(v->mapped->word + b * PROVISION_WORDS, 0xFF, PROVISION_WORDS * 8);
        memset(v->stale->word + b * PROVISION_WORDS, 0xFF, PROVISION_WORDS * 8);
    }
    if (++v->piece * PIECE_BLOCKS >= v->blocks)
        known(array, pool);
}

/* A drive that has given, or could not give, every piece. */
static void slots_read(struct array *array, const struct pool *pool, const struct leg *leg)
{
    struct drive *drive = &array->drive[leg->drive];
    if (drive->provision_pieces != pool->provision.piece)
        return; /* it was not asked for all of them */
    drive->provision_pieces++;
    if (piece_end(&pool->provision) == pool->provision.blocks)
        slots_known(array, leg->drive);
}

static void read_ended(struct array *array, struct pool *pool, const struct leg *leg)
{
    struct provision *v = &pool->provision;
    uint8_t position = array->drive[leg->drive].position;
    uint32_t first = v->piece * PIECE_BLOCKS;
    v->refused |= leg->end == LEG_TIMEOUT || leg->end == LEG_DROPPED;
    if (leg->end == LEG_OK && array->drive[leg->drive].state == DRIVE_STATE_GOOD) {
        for (uint32_t b = first; b < piece_end(v); b++)
            take_block(array, pool, position, b,
                       slice_bytes(leg->data) + (size_t)(b - first) * PAIR_BYTES);
        position_add(v->read, position);
    }
    if (leg->end == LEG_OK || leg->end == LEG_ERROR)
        slots_read(array, pool, leg);
    if (--v->legs == 0)
        piece_over(array, pool);
}

void provision_leg_ended(struct array *array, struct leg *leg)
{
    struct pool *pool = &array->pool[leg->index];
    if (leg->owner == LEG_PROVISION_READ && pool->provision.known) {
        late_read_ended(array, pool, leg);
        return;
    }
    must(pool->provision.legs > 0);
    if (leg->owner == LEG_PROVISION)
        write_ended(array, pool, leg);
    else
        read_ended(array, pool, leg);
}

void provision_pump(struct array *array, struct pool *pool)
{
    struct provision *v = &pool->provision;
    if (v->known && v->kept)
        read_late(array, pool);
    if (!pool->map_known || !pool->born || v->legs > 0)
        return;
    if (!v->known && !v->kept) {
        v->known = v->whole = true; /* everything is mapped, and stays so */
        array->again = true;
    }
    if (array->now_ns < v->retry_ns) {
        array_alarm(array, v->retry_ns);
        return;
    }
    if (v->known)
        judge_whole(array, pool);
    if (!v->known)
        read_piece(array, pool);
    else if (v->kept && array->phase == PHASE_RUNNING)
        write(array, pool);
    if (array->now_ns < v->retry_ns)
        array_alarm(array, v->retry_ns);
}
