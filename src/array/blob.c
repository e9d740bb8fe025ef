/* SPDX-License-Identifier: Apache-2.0 */
/* T1 a slot's header is written only after its blob is durable on that drive, so a header that is
 *    valid has its blob
 * T2 a store goes to the slot that does not hold the newest state of that drive
 * T3 STORED is said when every GOOD drive, and every STALE one that is about to be GOOD, has it or
 *    FAILED
 *
 * Storing: blob_pump -> per drive: blob, then header -> STORED.
 * Reading: all headers -> the newest one's blob -> checksum: LOADED; bad: the next one. */
#include "array/blob.h"

#include "array/drives.h"
#include "array/leg.h"
#include "array/probe.h"
#include "base/must.h"

/* ---- storing ---- */

void array_store_state(struct array *array, const uint8_t *bytes, uint32_t length,
                       uint64_t generation, uint64_t cookie)
{
    struct store *store = &array->store;
    must(length > 0 && length <= ARRAY_STATE_MAX && store->cookies < STORE_COOKIES);
    memcpy(store->next, bytes, length);
    store->next_length = length;
    store->next_generation = generation;
    store->wanted = true;
    store->cookie[store->cookies++] = cookie;
    array->again = array->more = true;
}

static uint64_t slot_header(uint8_t slot)
{
    return LAYOUT_STATE_HEADER + (uint64_t)slot * LAYOUT_BLOCK;
}

static uint64_t slot_blob(uint8_t slot)
{
    return LAYOUT_STATE + (uint64_t)slot * LAYOUT_STATE_BYTES;
}

/* T2 */
static uint8_t older_slot(const struct drive *drive)
{
    return drive->header[0].generation > drive->header[1].generation;
}

void blob_slot_found(struct array *array, int number)
{
    struct drive *drive = &array->drive[number];
    drive->state_slot = older_slot(drive);
    list_each (&drive->waiting, link, next) { /* of a store that could not wait for the probe */
        struct leg *leg = list_member(link, struct leg, link);
        if (leg->owner == LEG_BLOB && leg->tried_ns == 0)
            leg->offset = slot_blob(drive->state_slot);
    }
}

void blob_copied(struct array *array, int from, int to)
{
    memcpy(array->drive[to].header, array->drive[from].header, sizeof array->drive[to].header);
    array->drive[to].state_slot = array->drive[from].state_slot;
}

static uint32_t whole_blocks(uint32_t length)
{
    return (length + LAYOUT_BLOCK - 1) / LAYOUT_BLOCK * LAYOUT_BLOCK;
}

static bool takes_state(const struct array *array, int number)
{
    const struct drive *drive = &array->drive[number];
    if (drive->pool == POOL_NONE || !array->pool[drive->pool].born)
        return false;
    return drive->state == DRIVE_STATE_GOOD ||
           (drive->state == DRIVE_STATE_STALE && drive->has_state);
}

static void store_over(struct array *array)
{
    struct store *store = &array->store;
    bool failed = store->taken == 0;
    store->active = false;
    store->stamp++;
    slice_drop(&store->blob);
    slice_drop(&store->header);
    for (uint32_t i = 0; i < store->cookies_active; i++) {
        struct array_notice *notice = array_tell(array, ARRAY_NOTICE_STORED);
        notice->cookie = store->cookie[i];
        notice->failed = failed;
    }
    store->cookies -= store->cookies_active;
    memmove(store->cookie, store->cookie + store->cookies_active,
            store->cookies * sizeof store->cookie[0]);
    store->cookies_active = 0;
    array->again = true;
}

static void write(struct array *array, int number, bool header)
{
    const struct store *store = &array->store;
    struct slice data = header ? store->header : store->blob;
    uint8_t slot = array->drive[number].state_slot;
    uint64_t offset = header ? slot_header(slot) : slot_blob(slot);
    struct leg *leg =
        leg_new(array, LEG_BLOB, (uint16_t)number, number, DRIVE_WRITE, offset, data.length);
    must(leg);
    leg->fua = true;
    leg->data = slice_ref(data);
    array->store.legs++;
}

/* Copies the blob to where drives can take it from. False: no buffers now. */
static bool prepare(struct array *array)
{
    struct store *store = &array->store;
    uint32_t length = whole_blocks(store->next_length);
    struct buffer *blob = buffer_get(array->buffers, length);
    struct buffer *header = buffer_get(array->buffers, LAYOUT_BLOCK);
    if (!blob || !header) {
        buffer_unref(blob);
        buffer_unref(header);
        array->no_buffer = true;
        return false;
    }
    memcpy(blob->data, store->next, store->next_length);
    memset(blob->data + store->next_length, 0, length - store->next_length);
    struct state_header head = {.generation = store->next_generation,
                                .length = store->next_length,
                                .crc = layout_crc(blob->data, store->next_length)};
    store->generation = store->next_generation;
    layout_put_state_header(header->data, &head);
    store->blob = slice_of(blob, 0, length);
    store->header = slice_of(header, 0, LAYOUT_BLOCK);
    return true;
}

static void store_begin(struct array *array)
{
    struct store *store = &array->store;
    if (!prepare(array))
        return;
    store->wanted = false;
    store->active = true;
    store->stamp++;
    store->taken = store->legs = 0;
    store->cookies_active = store->cookies;
    for (int d = 0; d < DRIVE_MAX; d++)
        if (takes_state(array, d))
            write(array, d, mutant(MUTANT_HEADER_BEFORE_BLOB));
    if (store->legs > 0)
        return;
    store->taken = 1; /* no drives at all: nothing that could forget it */
    store_over(array);
}

static void store_leg_ended(struct array *array, const struct leg *leg)
{
    struct store *store = &array->store;
    must(store->legs > 0);
    store->legs--;
    struct drive *drive = &array->drive[leg->drive];
    bool blob = leg->offset >= LAYOUT_STATE;
    if (leg->end == LEG_OK && blob != mutant(MUTANT_HEADER_BEFORE_BLOB)) {
        write(array, leg->drive, blob); /* T1 */
    } else if (leg->end == LEG_OK) {
        store->taken++;
        drive->header[drive->state_slot].generation = store->generation;
        drive->state_slot ^= mutant(MUTANT_SLOT_OVERWRITTEN) ? 0 : 1; /* T2 */
    }
    if (store->legs == 0)
        store_over(array);
}

/* ---- reading ---- */

void array_read_state(struct array *array, uint64_t epoch)
{
    must(array->phase == PHASE_IDLE || array->phase == PHASE_LOADING);
    leg_forget_all(array);
    array->phase = PHASE_LOADING;
    array->epoch = epoch;
    array->refused_epoch = 0;
    array->load.wanted = true;
    array->load.heads = false;
    array->load.legs = 0;
    array->load.length = 0;
    array->again = array->more = true;
}

const uint8_t *array_loaded_state(const struct array *array, uint32_t *length, uint64_t *generation)
{
    *length = array->load.length;
    *generation = array->load.generation;
    return array->load.length ? array->load.bytes : NULL;
}

static void read(struct array *array, int number, uint64_t offset, uint32_t length)
{
    struct leg *leg =
        leg_new(array, LEG_LOAD, (uint16_t)number, number, DRIVE_READ, offset, length);
    must(leg);
    leg->patience_ns = array->limits->drive_total_ns;
    array->load.legs++;
}

static void load_begin(struct array *array)
{
    struct load *load = &array->load;
    load->wanted = false;
    load->heads = true;
    for (int d = 0; d < DRIVE_MAX; d++) {
        struct drive *drive = &array->drive[d];
        drive->header[0].generation = drive->header[1].generation = 0;
        bool ours = drive->pool != POOL_NONE || drive->info.bank == array->group;
        if (ours && drives_reached(array, d) && drive->state != DRIVE_STATE_FAILED)
            read(array, d, 0, LAYOUT_HEAD_BYTES);
    }
}

static void load_over(struct array *array, bool failed)
{
    array->phase = PHASE_IDLE;
    if (failed)
        array->load.length = 0;
    array_tell(array, ARRAY_NOTICE_LOADED)->failed = failed;
}

/* Asks for the blob of the newest header; that header is out then, whatever comes. */
static void load_next(struct array *array)
{
    struct state_header *best = NULL;
    int from = 0, slot = 0;
    for (int d = 0; d < DRIVE_MAX; d++)
        for (int s = 0; s < 2; s++) {
            struct state_header *header = &array->drive[d].header[s];
            bool newer = header->generation > (best ? best->generation : 0);
            if (mutant(MUTANT_OLD_STATE_LOADED) && best)
                newer = header->generation > 0 && header->generation < best->generation;
            if (newer) {
                best = header;
                from = d;
                slot = s;
            }
        }
    if (!best) {
        load_over(array, true);
        return;
    }
    array->load.trying = *best;
    best->generation = 0;
    read(array, from, slot_blob((uint8_t)slot), whole_blocks(array->load.trying.length));
}

static void load_head(struct array *array, const struct leg *leg)
{
    struct drive *drive = &array->drive[leg->index];
    for (int slot = 0; leg->end == LEG_OK && slot < 2; slot++)
        if (!layout_get_state_header(slice_bytes(leg->data) + slot_header((uint8_t)slot),
                                     &drive->header[slot]))
            drive->header[slot].generation = 0;
    if (array->load.legs == 0)
        load_next(array);
}

static void load_blob(struct array *array, const struct leg *leg)
{
    struct load *load = &array->load;
    const uint8_t *bytes = slice_bytes(leg->data);
    if (leg->end != LEG_OK || layout_crc(bytes, load->trying.length) != load->trying.crc) {
        load_next(array);
        return;
    }
    memcpy(load->bytes, bytes, load->trying.length);
    load->length = load->trying.length;
    load->generation = load->trying.generation;
    load_over(array, false);
}

void blob_leg_ended(struct array *array, struct leg *leg)
{
    if (leg->owner == LEG_BLOB) {
        store_leg_ended(array, leg);
        return;
    }
    must(array->load.legs > 0);
    array->load.legs--;
    if (leg->offset == 0)
        load_head(array, leg);
    else
        load_blob(array, leg);
}

void blob_pump(struct array *array)
{
    if (array->phase == PHASE_LOADING && array->load.wanted) {
        load_begin(array);
        if (array->load.legs == 0)
            load_over(array, true);
    }
    if (array->phase == PHASE_RUNNING && array->store.wanted && !array->store.active)
        store_begin(array);
}

void blob_forget(struct array *array)
{
    struct store *store = &array->store;
    slice_drop(&store->blob);
    slice_drop(&store->header);
    store->wanted = store->active = false;
    store->cookies = store->cookies_active = store->legs = 0;
    store->stamp++;
    array->load.wanted = false;
    array->load.legs = 0;
}
