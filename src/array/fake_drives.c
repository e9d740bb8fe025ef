/* SPDX-License-Identifier: Apache-2.0 */
#include "array/fake_drives.h"

#include <stdlib.h>

#include "array/bits.h"
#include "base/must.h"

uint64_t fake_random(struct fake_world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return below ? w->random % below : 0;
}

int fake_number(int i)
{
    return i / 4 * 32 + i % 4;
}

int fake_index(int number)
{
    return number / 32 * 4 + number % 32;
}

static void new_engine(struct fake_world *w)
{
    w->array = array_new(0, port_unit(0, 0), w->buffers, &w->limits, &w->trace);
    must(w->array);
    for (int i = 0; i < FAKE_DRIVES; i++)
        array_drive_state(w->array, fake_number(i), w->drive[i].record);
}

/* Memory is kept from one world to the next. No test uses half of the drives. */
static uint8_t *blank_drive(int i, int copy)
{
    static uint8_t *kept[FAKE_DRIVES][2];
    if (!kept[i][copy])
        kept[i][copy] = calloc(1, FAKE_BYTES);
    must(kept[i][copy]);
    uint8_t *at = kept[i][copy];
    if (i % 4 < 2) {
        memset(at, 0x55, 32768);
        memset(at + LAYOUT_DATA, 0x55, FAKE_BYTES - LAYOUT_DATA);
    }
    return at;
}

struct fake_world *fake_new(uint64_t seed)
{
    static struct buffer_pool *buffers;
    if (!buffers)
        buffers = buffer_pool_new(64u << 20);
    struct fake_world *w = calloc(1, sizeof *w);
    must(w);
    w->random = seed * 0x9E3779B97F4A7C15ull + 1;
    w->actions = actions_new();
    w->buffers = buffers;
    w->limits = limits_default();
    w->trace = (struct trace){.name = "A1", .max_level = TRACE_ERROR};
    w->now_ns = MS(1000);
    w->epoch = 1;
    w->slow_ns = MS(1) / 5;
    w->step_ns = 1000;
    w->follows = w->checks_intent = true;
    for (int i = 0; i < FAKE_DRIVES; i++) {
        w->drive[i].now = blank_drive(i, 0);
        w->drive[i].durable = blank_drive(i, 1);
        w->bank[i] = BANK_NONE;
    }
    for (int c = 0; c < FAKE_COMMANDS; c++)
        w->idle[c] = (uint16_t)c;
    new_engine(w);
    fake_login(w, 0);
    fake_login(w, 1);
    return w;
}

static void drop(struct fake_world *w, struct fake_command *command)
{
    slice_drop(&command->message.payload);
    slice_drop(&command->data);
    command->used = false;
    uint16_t last = w->busy[--w->commands];
    w->idle[w->commands] = (uint16_t)(command - w->command);
    w->busy[command->place] = last;
    w->command[last].place = command->place;
}

void fake_starve(struct fake_world *w, bool on)
{
    static const uint32_t sizes[] = {BUFFER_MAX, 256 << 10, 64 << 10, 16 << 10, 4096};
    for (size_t i = 0; i < sizeof w->hog / sizeof w->hog[0]; i++)
        slice_drop(&w->hog[i]);
    struct buffer *buffer;
    for (size_t i = 0, n = 0; on && i < sizeof sizes / sizeof sizes[0]; i++)
        while (n < sizeof w->hog / sizeof w->hog[0] && (buffer = buffer_get(w->buffers, sizes[i])))
            w->hog[n++] = slice_of(buffer, 0, sizes[i]);
}

void fake_free(struct fake_world *w)
{
    while (w->commands > 0)
        drop(w, &w->command[w->busy[0]]);
    fake_starve(w, false);
    array_free(w->array);
    must(buffer_pool_used(w->buffers) == 0);
    actions_free(w->actions);
    free(w);
}

/* ---- what a drive does ---- */

static void to_durable(struct fake_drive *drive, uint64_t from, uint64_t to)
{
    for (uint64_t b = from / 4096; b < (to + 4095) / 4096; b++)
        if (drive->dirty[b]) {
            memcpy(drive->durable + b * 4096, drive->now + b * 4096, 4096);
            drive->dirty[b] = false;
        }
}

/* The bit of every region that is written must be on this drive, durably. */
static void check_intent(const struct fake_world *w, int i, uint64_t offset, uint32_t length)
{
    const struct pool_info *info = NULL;
    for (uint8_t p = 0; w->array && p < POOL_MAX && !info; p++) {
        const struct pool_info *pool = array_pool(w->array, p);
        for (int d = 0; pool && d < pool->drive_count; d++)
            if (pool->drives[d] == fake_number(i) && pool->level != RAID_0)
                info = pool;
    }
    if (!info || info->used_bytes == 0 || offset < LAYOUT_DATA ||
        offset >= LAYOUT_DATA + layout_data_bytes(FAKE_BYTES) || !w->checks_intent ||
        w->drive[i].record != DRIVE_STATE_GOOD)
        return;
    struct bits bits, newest;
    uint64_t sequence, best = 0;
    for (int slot = 0; slot < 2; slot++)
        if (layout_get_map(w->drive[i].durable + LAYOUT_MAP + slot * 4096, info->uuid, LAYOUT_UNIT,
                           &sequence, &bits) &&
            sequence > best) {
            best = sequence;
            newest = bits;
        }
    struct superblock superblock;
    if (best == 0 && (!layout_get_superblock(w->drive[i].durable, &superblock) ||
                      memcmp(superblock.pool_uuid, info->uuid, 16) != 0))
        return; /* its pool is being made */
    must(best > 0);
    for (uint64_t at = offset - LAYOUT_DATA; at < offset - LAYOUT_DATA + length; at += 4096)
        must(bits_has(&newest, (uint32_t)(at / LAYOUT_UNIT)));
}

static enum drive_status write_to(struct fake_world *w, int i, const struct message *message)
{
    struct fake_drive *drive = &w->drive[i];
    const struct drive_message *m = &message->drive;
    uint64_t end = m->offset + m->length;
    if (drive->write_errors)
        return DRIVE_MEDIUM_ERROR;
    must(end <= FAKE_BYTES);
    check_intent(w, i, m->offset, m->length);
    if (m->op == DRIVE_WRITE)
        memcpy(drive->now + m->offset, slice_bytes(message->payload), m->length);
    else if (message->payload.buffer)
        for (uint32_t at = 0; at < m->length; at += message->payload.length)
            memcpy(drive->now + m->offset + at, slice_bytes(message->payload),
                   message->payload.length);
    else
        memset(drive->now + m->offset, 0, m->length);
    for (uint64_t b = m->offset / 4096; b < (end + 4095) / 4096; b++)
        drive->dirty[b] = true;
    if (m->fua)
        to_durable(drive, m->offset, end);
    if (m->offset <= drive->bad_from && drive->bad_to <= end)
        drive->bad_from = drive->bad_to = 0;
    drive->writes++;
    drive->written_bytes += m->length;
    return DRIVE_OK;
}

static enum drive_status carry_out(struct fake_world *w, int i, const struct message *message,
                                   struct slice *data)
{
    struct fake_drive *drive = &w->drive[i];
    const struct drive_message *m = &message->drive;
    if (drive->offline)
        return DRIVE_GONE;
    if (w->bank[i] != m->bank)
        return DRIVE_GONE;
    switch ((enum drive_op)m->op) {
    case DRIVE_READ:
        must(m->offset + m->length <= FAKE_BYTES);
        if (m->offset < drive->bad_to && drive->bad_from < m->offset + m->length)
            return DRIVE_MEDIUM_ERROR;
        *data = slice_of(buffer_get(w->buffers, m->length), 0, m->length);
        if (!data->buffer) {
            *data = slice_none();
            return DRIVE_BUSY;
        }
        memcpy(slice_bytes(*data), drive->now + m->offset, m->length);
        drive->reads++;
        drive->read_bytes += m->length;
        return DRIVE_OK;
    case DRIVE_WRITE:
        must(message->payload.length == m->length);
        return write_to(w, i, message);
    case DRIVE_FILL:
        return write_to(w, i, message);
    case DRIVE_FLUSH:
        if (drive->write_errors)
            return DRIVE_MEDIUM_ERROR;
        to_durable(drive, 0, FAKE_BYTES);
        drive->flushes++;
        return DRIVE_OK;
    }
    return DRIVE_GONE;
}

static void answer_now(struct fake_world *w, struct fake_command *command)
{
    struct fake_drive *drive = &w->drive[fake_index(command->message.drive.drive)];
    struct message answer = command->message;
    struct slice data = command->data;
    int loop = command->loop;
    command->data = slice_none();
    answer.kind = MESSAGE_DRIVE_RESPONSE;
    answer.drive.status = command->status;
    if (command->status == DRIVE_REFUSED_EPOCH)
        answer.drive.epoch = w->fence_epoch;
    answer.payload = slice_none();
    drop(w, command);
    answer.payload = data;
    if (drive->lose > 0)
        drive->lose--;
    else if (w->loop_up[loop])
        array_drive_answer(w->array, &answer);
    slice_drop(&data);
}

/* Carries it out; its answer may take its time. */
static void deliver(struct fake_world *w, struct fake_command *command)
{
    int i = fake_index(command->message.drive.drive);
    struct fake_drive *drive = &w->drive[i];
    if (!command->answered) {
        command->answered = true;
        if (drive->busy > 0) {
            drive->busy--;
            command->status = DRIVE_BUSY;
        } else if (drive->refuse > 0 || command->message.drive.epoch < w->fence_epoch) {
            drive->refuse -= drive->refuse > 0;
            command->status = DRIVE_REFUSED_EPOCH;
        } else {
            command->status = (uint8_t)carry_out(w, i, &command->message, &command->data);
        }
        command->due_ns = w->now_ns + fake_random(w, w->answer_ns + 1);
        if (command->due_ns > w->now_ns)
            return;
    }
    answer_now(w, command);
}

void fake_login(struct fake_world *w, int loop)
{
    for (uint32_t b = w->commands; b > 0; b--) {
        struct fake_command *command = &w->command[w->busy[b - 1]];
        if (command->loop != loop)
            continue;
        if (!command->answered && fake_random(w, 2))
            carry_out(w, fake_index(command->message.drive.drive), &command->message,
                      &command->data);
        drop(w, command);
    }
    struct drive_info info[4];
    memset(info, 0, sizeof info);
    for (int i = 0; i < 4; i++) {
        info[i].drive = (uint8_t)fake_number(loop * 4 + i);
        info[i].bank = w->bank[loop * 4 + i];
        info[i].online = !w->drive[loop * 4 + i].offline;
        info[i].block_bytes = 512;
        info[i].bytes = FAKE_BYTES;
    }
    w->loop_up[loop] = true;
    array_loop_up(w->array, loop, ++w->login[loop], info, 4);
}

void fake_logout(struct fake_world *w, int loop, bool gone)
{
    w->loop_up[loop] = false;
    array_loop_down(w->array, loop, gone);
}

void fake_fence(struct fake_world *w)
{
    uint32_t undrained = 0;
    w->fence_epoch = ++w->epoch;
    for (uint32_t b = w->commands; b > 0; b--) {
        struct fake_command *command = &w->command[w->busy[b - 1]];
        int i = fake_index(command->message.drive.drive);
        const struct fake_drive *drive = &w->drive[i];
        bool held = drive->hangs || (drive->stuck && command->stuck);
        if (command->answered)
            continue;
        if (held) { /* it may still land, long after the fence */
            undrained |= 1u << i;
            command->message.drive.epoch = w->epoch;
        } else {
            command->status = (uint8_t)carry_out(w, i, &command->message, &command->data);
            command->answered = true;
        }
    }
    for (int i = 0; i < FAKE_DRIVES; i++)
        if (undrained >> i & 1 && array_can_fail(w->array, fake_number(i)))
            fake_record(w, i, DRIVE_STATE_FAILED);
}

/* ---- turns ---- */

static void take(struct fake_world *w, const struct message *message)
{
    int loop = message->drive.drive / 32;
    must(w->loop_up[loop] && message->drive.login == w->login[loop]);
    must(w->commands < FAKE_COMMANDS);
    uint16_t c = w->idle[w->commands];
    struct fake_command *command = &w->command[c];
    *command = (struct fake_command){.used = true, .message = *message, .loop = (int8_t)loop};
    command->due_ns = w->now_ns + fake_random(w, w->slow_ns + 1);
    command->place = w->commands;
    w->busy[w->commands++] = c;
}

static void assign(struct fake_world *w, const struct message *message)
{
    struct message answer = *message;
    answer.kind = MESSAGE_ASSIGN_ANSWER;
    int i = fake_index(message->assign.drive);
    answer.assign.done = w->bank[i] == BANK_NONE || w->bank[i] == 0;
    if (answer.assign.done)
        w->bank[i] = message->assign.bank;
    array_assign_answer(w->array, &answer);
}

void fake_record(struct fake_world *w, int i, enum drive_state state)
{
    w->drive[i].record = state;
    w->drive[i].wanted = 0;
    trace_info(&w->trace, "the record: drive %d is %s", fake_number(i), drive_state_name(state));
    array_drive_state(w->array, fake_number(i), state);
}

/* As amend_drive(): what was asked last is what the record gets. */
static void want(struct fake_world *w, int number, enum drive_state state, uint64_t least_ns)
{
    struct fake_drive *drive = &w->drive[fake_index(number)];
    if (!w->follows || drive->record == state)
        return;
    drive->wanted = (uint8_t)(state + 1);
    drive->wanted_ns = w->now_ns + least_ns + fake_random(w, w->record_ns + 1);
}

static void follow(struct fake_world *w)
{
    for (int i = 0; i < FAKE_DRIVES; i++) {
        struct fake_drive *drive = &w->drive[i];
        if (!drive->wanted || w->now_ns < drive->wanted_ns)
            continue;
        enum drive_state state = (enum drive_state)(drive->wanted - 1);
        if (state != DRIVE_STATE_FAILED || array_can_fail(w->array, fake_number(i)))
            fake_record(w, i, state);
        else
            drive->wanted_ns = w->now_ns + MS(20); /* its mirror is away just now */
    }
}

static void hear(struct fake_world *w)
{
    struct array_notice notice;
    while (array_next_notice(w->array, &notice)) {
        switch (notice.kind) {
        case ARRAY_NOTICE_BEGUN:
            w->begun++;
            break;
        case ARRAY_NOTICE_CARRIED:
            w->carried++;
            w->failed = notice.failed;
            if (!w->keeps_changes)
                fake_carry_end(w, notice.cookie);
            break;
        case ARRAY_NOTICE_STORED:
            w->stored++;
            w->failed = notice.failed;
            w->cookie = notice.cookie;
            break;
        case ARRAY_NOTICE_LOADED:
            w->loaded++;
            w->failed = notice.failed;
            break;
        case ARRAY_NOTICE_BAD:
            w->bad++;
            want(w, notice.drive, DRIVE_STATE_FAILED, MS(3));
            break;
        case ARRAY_NOTICE_RETURNED:
            w->returned++;
            want(w, notice.drive, DRIVE_STATE_STALE, 0);
            break;
        case ARRAY_NOTICE_SYNCED:
            w->synced++;
            want(w, notice.drive, DRIVE_STATE_GOOD, 0);
            break;
        case ARRAY_NOTICE_REFUSED:
            w->refused++;
            break;
        case ARRAY_NOTICE_CLEAN:
            w->clean++;
            break;
        }
    }
    follow(w);
}

/* What is due, in any order. */
static void deliver_due(struct fake_world *w)
{
    uint16_t due[FAKE_COMMANDS];
    uint32_t count = 0;
    for (uint32_t b = 0; b < w->commands; b++) {
        const struct fake_command *command = &w->command[w->busy[b]];
        const struct fake_drive *drive = &w->drive[fake_index(command->message.drive.drive)];
        if (command->due_ns <= w->now_ns && w->loop_up[command->loop] && !drive->hangs &&
            !(drive->stuck && command->stuck))
            due[count++] = w->busy[b];
    }
    w->busy_turn = count > 0;
    while (count > 0) {
        uint32_t i = (uint32_t)fake_random(w, count);
        if (w->command[due[i]].used)
            deliver(w, &w->command[due[i]]);
        due[i] = due[--count];
    }
}

void fake_turn(struct fake_world *w)
{
    w->step_ns = w->busy_turn ? w->slow_ns / 4 : w->step_ns * 2 < MS(1) ? w->step_ns * 2 : MS(1);
    w->now_ns += 1 + fake_random(w, w->step_ns + 1);
    w->trace.now_ns = w->now_ns;
    array_pump(w->array, w->now_ns, w->actions);
    for (uint32_t a = 0; a < w->actions->count; a++) {
        struct action *action = &w->actions->at[a];
        must(action->kind == ACTION_SEND);
        if (action->message.kind == MESSAGE_ASSIGN)
            assign(w, &action->message);
        else
            take(w, &action->message);
    }
    w->actions->count = 0;
    deliver_due(w);
    hear(w);
    array_check_all(w->array);
}

bool fake_until(struct fake_world *w, const uint32_t *what, uint32_t count, uint64_t limit_ns)
{
    uint64_t limit = w->now_ns + limit_ns;
    while (*what < count && w->now_ns < limit)
        fake_turn(w);
    return *what >= count;
}

void fake_run(struct fake_world *w, uint64_t for_ns)
{
    uint64_t limit = w->now_ns + for_ns;
    while (w->now_ns < limit)
        fake_turn(w);
}

bool fake_io(struct fake_world *w, struct array_io *io)
{
    array_submit(w->array, io);
    struct array_io *done;
    while (!(done = array_next_done(w->array)))
        fake_turn(w);
    must(done == io);
    return !io->failed && !io->no_space;
}

void fake_crash(struct fake_world *w, bool power)
{
    array_free(w->array);
    w->array = NULL;
    while (w->commands > 0) {
        struct fake_command *command = &w->command[w->busy[0]];
        int i = fake_index(command->message.drive.drive);
        if (power)
            command->message.drive.fua = false; /* not answered: may be torn */
        if (!command->answered && !w->drive[i].hangs && fake_random(w, 2))
            carry_out(w, i, &command->message, &command->data);
        drop(w, command);
    }
    for (int i = 0; power && i < FAKE_DRIVES; i++)
        for (uint32_t b = 0; b < FAKE_BLOCKS; b++) {
            struct fake_drive *drive = &w->drive[i];
            if (!drive->dirty[b])
                continue;
            if (drive->tears)
                memcpy(drive->now + b * 4096 + 2048, drive->durable + b * 4096 + 2048, 2048);
            else if (fake_random(w, 2))
                memcpy(drive->now + b * 4096, drive->durable + b * 4096, 4096);
            memcpy(drive->durable + b * 4096, drive->now + b * 4096, 4096);
            drive->dirty[b] = false;
        }
    for (int i = 0; i < FAKE_DRIVES; i++)
        w->drive[i].wanted = 0;
    new_engine(w);
    w->loop_up[0] = w->loop_up[1] = false;
    w->begun = w->bad = w->returned = w->synced = 0;
}

bool fake_ask(struct fake_world *w, const struct manage_request *request, char *text,
              uint32_t bytes)
{
    uint8_t encoded[MANAGE_REQUEST_BYTES_MAX];
    uint32_t length = manage_encode(request, encoded, sizeof encoded);
    uint32_t i = (uint32_t)(w->asks + 1) % FAKE_ASKS;
    must(length > 0);
    if (!array_plan(w->array, encoded, length, w->asked[i].effect, &w->asked[i].length, text,
                    bytes))
        return false;
    w->asks++;
    must(array_effect_text(w->asked[i].effect, w->asked[i].length, text, bytes));
    must(array_apply(w->array, w->asked[i].effect, w->asked[i].length));
    must(array_apply(w->array, w->asked[i].effect, w->asked[i].length)); /* twice is once */
    fake_carry_out(w, w->asks);
    return true;
}

void fake_carry_out(struct fake_world *w, uint64_t cookie)
{
    uint64_t i = cookie % FAKE_ASKS;
    array_carry_out(w->array, w->asked[i].effect, w->asked[i].length, cookie);
}

void fake_carry_soon(struct fake_world *w, uint64_t cookie)
{
    uint64_t i = cookie % FAKE_ASKS;
    array_carry_soon(w->array, w->asked[i].effect, w->asked[i].length);
}

void fake_carry_end(struct fake_world *w, uint64_t cookie)
{
    uint64_t i = cookie % FAKE_ASKS;
    array_carry_end(w->array, w->asked[i].effect, w->asked[i].length, cookie);
}

bool fake_manage(struct fake_world *w, const struct manage_request *request, char *text,
                 uint32_t bytes)
{
    uint32_t before = w->carried;
    if (!fake_ask(w, request, text, bytes))
        return false;
    fake_carry_out(w, w->asks); /* twice is once */
    must(fake_until(w, &w->carried, before + 2, MS(60000)));
    return !w->failed;
}

bool fake_write(struct fake_world *w, uint64_t lba, uint32_t bytes, uint8_t seed)
{
    struct array_io io = {.op = ARRAY_WRITE, .lba = lba, .blocks = bytes / 512};
    io.data = fake_pattern(w, bytes, seed);
    bool good = fake_io(w, &io);
    slice_drop(&io.data);
    return good;
}

struct slice fake_pattern(struct fake_world *w, uint32_t bytes, uint8_t seed)
{
    struct buffer *buffer = buffer_get(w->buffers, bytes);
    must(buffer);
    for (uint32_t i = 0; i < bytes; i++)
        buffer->data[i] = (uint8_t)(seed + i / 512 * 7 + i % 251);
    return slice_of(buffer, 0, bytes);
}

bool fake_holds(struct fake_world *w, uint64_t lba, uint32_t bytes, uint8_t seed)
{
    struct array_io io = {.op = ARRAY_READ, .lba = lba, .blocks = bytes / 512};
    if (!fake_io(w, &io))
        return false;
    struct slice wanted = fake_pattern(w, bytes, seed);
    bool same =
        io.data.length == bytes && memcmp(slice_bytes(io.data), slice_bytes(wanted), bytes) == 0;
    slice_drop(&wanted);
    slice_drop(&io.data);
    return same;
}

bool fake_same(const struct fake_world *w, int a, int b)
{
    return memcmp(w->drive[a].now + LAYOUT_DATA, w->drive[b].now + LAYOUT_DATA, 3 << 20) == 0;
}

void fake_pool(struct fake_world *w, enum raid_level level, const int *drives, int count,
               uint64_t volume_bytes)
{
    char text[256];
    struct manage_request request = {.verb = MANAGE_POOL_CREATE, .name = "p1", .uuid = {1, 2, 3}};
    request.level = (uint8_t)level;
    request.cache = CACHE_MIRRORED;
    request.chunk_bytes = w->chunk_bytes;
    request.drive_count = (uint8_t)count;
    for (int i = 0; i < count; i++)
        request.drives[i] = (uint8_t)fake_number(drives[i]);
    if (!w->begun) {
        array_begin(w->array, w->epoch, false);
        must(fake_until(w, &w->begun, 1, MS(6000)));
    }
    must(fake_manage(w, &request, text, sizeof text));
    struct manage_request volume = {.verb = MANAGE_VOLUME_CREATE, .name = "v1", .pool = "p1"};
    volume.uuid[0] = 9;
    volume.block_bytes = 512;
    volume.bytes = volume_bytes;
    must(fake_manage(w, &volume, text, sizeof text));
    must(strcmp(text, "volume=0") == 0);
    fake_store(w);
}

void fake_store(struct fake_world *w)
{
    static uint64_t generation;
    static uint8_t bytes[ARRAY_STATE_MAX];
    uint32_t length = array_save(w->array, bytes, sizeof bytes), before = w->stored;
    array_store_state(w->array, bytes, length, ++generation, 5);
    must(fake_until(w, &w->stored, before + 1, MS(6000)) && !w->failed);
}

void fake_restart(struct fake_world *w, bool in_doubt)
{
    for (int l = 0; l < 2; l++)
        if (!w->loop_up[l])
            fake_login(w, l);
    uint32_t before = w->loaded, length;
    uint64_t generation;
    w->fence_epoch = ++w->epoch;
    array_read_state(w->array, w->epoch);
    must(fake_until(w, &w->loaded, before + 1, MS(60000)) && !w->failed);
    const uint8_t *bytes = array_loaded_state(w->array, &length, &generation);
    must(bytes && array_load(w->array, bytes, length));
    before = w->begun;
    array_begin(w->array, w->epoch, in_doubt);
    must(fake_until(w, &w->begun, before + 1, MS(60000)));
}

void fake_takeover(struct fake_world *w, const uint8_t *state, uint32_t length)
{
    for (int l = 0; l < 2; l++)
        if (!w->loop_up[l])
            fake_login(w, l);
    w->fence_epoch = ++w->epoch;
    must(array_load(w->array, state, length));
    uint32_t before = w->begun;
    array_begin(w->array, w->epoch, false);
    must(fake_until(w, &w->begun, before + 1, MS(60000)));
}
