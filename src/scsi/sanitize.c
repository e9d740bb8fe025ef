/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/sanitize.h"

#include "base/bytes.h"
#include "scsi/effect.h"
#include "scsi/opcodes.h"
#include "scsi/sense.h"

/* NONE -- SANITIZE --> RUNNING -- every block, every pass --> ENDING -- that is saved --> NONE
 *                         +-- the drives do not take it --> FAILED -- another SANITIZE --> RUNNING
 *                                                           +-- EXIT FAILURE MODE, if AUSE -->
 * ENDING
 *
 * OVERWRITE writes the pattern to every block of the volume, on every drive that has it, so many
 * times. BLOCK ERASE writes zeroes in the same way, and then unmaps them. CRYPTOGRAPHIC ERASE is
 * refused: there is no key to be lost. */

enum {
    ERASE_PASSES = 2, /* zeroes, then unmapped */
    PIECE_BYTES = 16 << 20,
    CHANGE_MOST = 255, /* bytes of the pattern in one change */
    LIST_HEADER = 4,
    COUNT_MASK = 0x1F,
    TEST_MASK = 0x60,
    INVERT = 0x80,
    AUSE = 0x20,
    SKSV = 0x80,
};

enum { SENSE_NOT_READY = 2, SENSE_MEDIUM_ERROR = 3, IN_PROGRESS = 0x041B, COMMAND_FAILED = 0x3103 };

/* ---- the command ---- */

static void add_begin(const struct scsi_request *r, struct scsi_plan *plan, uint8_t flags,
                      uint8_t passes)
{
    struct change begin = effect_own(r, CHANGE_SANITIZE);
    if (r->command->cdb[1] & AUSE)
        flags |= SANITIZE_UNRESTRICTED;
    begin.detail = flags;
    begin.value = passes;
    effect_add(plan, begin);
}

/* A failure in restricted mode is left only by another operation in restricted mode. */
static bool may_begin(const struct scsi_request *r, struct scsi_plan *plan)
{
    const struct scsi_sanitize *s = &r->volume->sanitize;
    bool restricted = s->state == SANITIZE_FAILED && !(s->flags & SANITIZE_UNRESTRICTED);
    if (!restricted || !(r->command->cdb[1] & AUSE))
        return true;
    sense_check_cdb(plan, 1);
    return false;
}

void sanitize_plan_overwrite(const struct scsi_request *r, struct scsi_plan *plan)
{
    uint32_t length = be16_at(r->command->cdb + 7), block = r->info->block_bytes;
    const uint8_t *list = r->data;
    if (length <= LIST_HEADER || length > block + LIST_HEADER) {
        sense_check_cdb(plan, 7);
        return;
    }
    if (r->data_length < length) {
        sense_check(plan, SENSE_PARAMETER_LIST_LENGTH);
        return;
    }
    uint32_t pattern = be16_at(list + 2);
    if (!(list[0] & COUNT_MASK) || list[0] & TEST_MASK || list[1]) {
        sense_check_parameters(plan, list[1] ? 1 : 0);
        return;
    }
    if (pattern == 0 || pattern > block || pattern > length - LIST_HEADER) {
        sense_check_parameters(plan, 2);
        return;
    }
    if (!may_begin(r, plan))
        return;
    sense_good(plan);
    add_begin(r, plan, list[0] & INVERT ? SANITIZE_INVERT : 0, list[0] & COUNT_MASK);
    for (uint32_t at = 0; at < pattern; at += CHANGE_MOST) {
        struct change some = effect_own(r, CHANGE_SANITIZE_PATTERN);
        some.value = at;
        some.name = list + LIST_HEADER + at;
        some.name_length = (uint8_t)(pattern - at < CHANGE_MOST ? pattern - at : CHANGE_MOST);
        effect_add(plan, some);
    }
    plan->drains = true;
    effect_resolve(plan);
}

static bool has_list(const struct scsi_request *r, struct scsi_plan *plan)
{
    if (be16_at(r->command->cdb + 7) == 0)
        return false;
    sense_check_cdb(plan, 7);
    return true;
}

void sanitize_plan_erase(const struct scsi_request *r, struct scsi_plan *plan)
{
    if (has_list(r, plan) || !may_begin(r, plan))
        return;
    sense_good(plan);
    add_begin(r, plan, SANITIZE_ERASE, ERASE_PASSES);
    plan->drains = true;
    effect_resolve(plan);
}

void sanitize_plan_exit(const struct scsi_request *r, struct scsi_plan *plan)
{
    const struct scsi_sanitize *s = &r->volume->sanitize;
    if (has_list(r, plan))
        return;
    sense_good(plan);
    if (s->state != SANITIZE_FAILED)
        return;
    if (!(s->flags & SANITIZE_UNRESTRICTED)) {
        sense_check_cdb(plan, 1);
        return;
    }
    struct change end = effect_own(r, CHANGE_SANITIZE_STATE);
    end.detail = SANITIZE_ENDING;
    effect_add(plan, end);
    effect_resolve(plan);
}

/* ---- what it says to others ---- */

static uint16_t progress_of(const struct scsi_sanitize *s, uint64_t blocks)
{
    uint64_t done = s->pass * blocks + s->done, all = s->passes * blocks;
    if (s->state == SANITIZE_ENDING)
        return UINT16_MAX;
    while (all > UINT64_MAX >> 17) {
        all >>= 1;
        done >>= 1;
    }
    uint64_t progress = all ? done * 65536 / all : 0;
    return progress < UINT16_MAX ? (uint16_t)progress : UINT16_MAX;
}

static uint8_t put_sense(const struct scsi_sanitize *s, uint64_t blocks, uint8_t *sense)
{
    if (s->state == SANITIZE_FAILED)
        return scsi_sense(sense, SENSE_MEDIUM_ERROR, COMMAND_FAILED >> 8, COMMAND_FAILED & 0xFF);
    uint8_t length = scsi_sense(sense, SENSE_NOT_READY, IN_PROGRESS >> 8, IN_PROGRESS & 0xFF);
    sense[15] = SKSV; /* SPC-4 4.5.2.4.4 */
    be16_put(sense + 16, progress_of(s, blocks));
    return length;
}

bool sanitize_refused(const struct scsi_request *r, struct scsi_plan *plan)
{
    if (!r->info || r->volume->sanitize.state == SANITIZE_NONE || mutant(MUTANT_SANITIZE_SHARED))
        return false;
    unsigned flags = r->opcode ? r->opcode->flags : 0;
    bool again = r->opcode && r->opcode->code == 0x48;
    if (flags & OPCODE_SANITIZING || (again && r->volume->sanitize.state == SANITIZE_FAILED))
        return false;
    sense_status(plan, SCSI_STATUS_CHECK_CONDITION);
    plan->sense_length = put_sense(&r->volume->sanitize, r->info->blocks, plan->sense);
    return true;
}

bool sanitize_sense(const struct scsi_request *r, uint8_t *sense)
{
    if (!r->info || r->volume->sanitize.state == SANITIZE_NONE)
        return false;
    put_sense(&r->volume->sanitize, r->info->blocks, sense);
    return true;
}

/* ---- effects ---- */

static bool is_busy(const struct scsi_sanitize *s)
{
    return s->state == SANITIZE_RUNNING || s->state == SANITIZE_ENDING;
}

void sanitize_become(struct scsi_state *state, uint16_t volume, uint8_t next)
{
    struct scsi_sanitize *s = &state->volume[volume].sanitize;
    uint8_t flags = s->flags;
    state->sanitizing -= is_busy(s);
    if (next != SANITIZE_RUNNING)
        memset(s, 0, sizeof *s);
    s->state = next;
    s->flags = next == SANITIZE_FAILED ? flags : 0;
    state->sanitizing += is_busy(s);
}

void sanitize_begin(struct scsi_state *state, uint16_t volume, uint8_t flags, uint64_t passes)
{
    struct scsi_sanitize *s = &state->volume[volume].sanitize;
    sanitize_become(state, volume, SANITIZE_NONE);
    sanitize_become(state, volume, SANITIZE_RUNNING);
    s->flags = flags;
    s->passes = passes < COUNT_MASK ? (uint8_t)passes : COUNT_MASK;
}

void sanitize_pattern(struct scsi_state *state, uint16_t volume, uint64_t at, const uint8_t *bytes,
                      uint8_t length)
{
    struct scsi_sanitize *s = &state->volume[volume].sanitize;
    if (s->state != SANITIZE_RUNNING || at > sizeof s->pattern - length)
        return;
    memcpy(s->pattern + at, bytes, length);
    s->pattern_length = (uint16_t)(at + length);
}

void sanitize_progress(struct scsi_state *state, uint16_t volume, uint8_t pass, uint64_t done)
{
    struct scsi_sanitize *s = &state->volume[volume].sanitize;
    if (s->state != SANITIZE_RUNNING || pass >= s->passes)
        return;
    s->pass = pass;
    s->done = done;
}

bool sanitize_is_sound(const struct scsi_sanitize *s)
{
    bool running = s->state == SANITIZE_RUNNING;
    return s->state > SANITIZE_NONE && s->state <= SANITIZE_FAILED && s->flags <= SANITIZE_FLAGS &&
           (s->passes > 0) == running && s->passes <= COUNT_MASK &&
           (s->pass < s->passes || s->pass == 0) && s->pattern_length <= sizeof s->pattern;
}

/* ---- the work ---- */

bool scsi_sanitize_next(const struct scsi_server *server, struct scsi_sanitize_piece *out)
{
    const struct scsi_state *state = server->state;
    if (state->sanitizing == 0)
        return false;
    for (uint16_t v = 0; v < state->volumes_end; v++) {
        const struct scsi_sanitize *s = &state->volume[v].sanitize;
        const struct volume_info *info = scsi_volume(server, v);
        if (!info || !is_busy(s))
            continue;
        uint64_t left = s->done < info->blocks ? info->blocks - s->done : 0;
        uint64_t most = PIECE_BYTES / info->block_bytes;
        out->volume = v;
        out->ending = s->state == SANITIZE_ENDING;
        out->lba = s->done;
        out->blocks = (uint32_t)(left < most ? left : most);
        out->unmap = s->flags & SANITIZE_ERASE && s->pass == ERASE_PASSES - 1;
        return true;
    }
    return false;
}

/* The last pass writes the pattern as it is; with INVERT the one before it the inverted one, and so
 * on.
 */
bool scsi_sanitize_pattern(const struct scsi_server *server, uint16_t volume, uint8_t *block)
{
    const struct scsi_sanitize *s = &server->state->volume[volume].sanitize;
    bool inverted = s->flags & SANITIZE_INVERT && (s->passes - 1 - s->pass) % 2;
    for (uint32_t i = 0; s->pattern_length > 0 && i < server->info[volume].block_bytes; i++)
        block[i] = (uint8_t)(s->pattern[i % s->pattern_length] ^ (inverted ? 0xFF : 0));
    return s->pattern_length > 0;
}

static uint32_t effect_of(const struct change *change, uint8_t *out)
{
    struct scsi_plan plan;
    plan.effect_length = 0;
    effect_add(&plan, *change);
    memcpy(out, plan.effect, plan.effect_length);
    return plan.effect_length;
}

uint32_t scsi_sanitize_effect(const struct scsi_server *server,
                              const struct scsi_sanitize_piece *piece, bool *over, uint8_t *effect)
{
    const struct scsi_sanitize *s = &server->state->volume[piece->volume].sanitize;
    uint64_t done = piece->lba + piece->blocks;
    bool pass_over = done >= server->info[piece->volume].blocks;
    struct change change = {.what = CHANGE_SANITIZE_PROGRESS,
                            .volume = piece->volume,
                            .sender = SENDER_NONE,
                            .value = pass_over ? 0 : done,
                            .detail = (uint8_t)(s->pass + pass_over)};
    *over = change.detail == s->passes;
    return effect_of(&change, effect);
}

uint32_t scsi_sanitize_become(uint16_t volume, enum scsi_sanitize_state state, uint8_t *effect)
{
    struct change change = {.what = CHANGE_SANITIZE_STATE,
                            .volume = volume,
                            .sender = SENDER_NONE,
                            .detail = (uint8_t)state};
    return effect_of(&change, effect);
}

uint8_t scsi_sanitize_sense(const struct scsi_server *server, uint16_t volume, uint8_t *sense)
{
    const struct volume_info *info = scsi_volume(server, volume);
    return put_sense(&server->state->volume[volume].sanitize, info ? info->blocks : 0, sense);
}

enum scsi_sanitize_state scsi_sanitize_state(const struct scsi_server *server, uint16_t volume,
                                             uint16_t *progress)
{
    const struct volume_info *info = scsi_volume(server, volume);
    const struct scsi_sanitize *s = &server->state->volume[volume].sanitize;
    *progress = 0;
    if (!info)
        return SANITIZE_NONE;
    if (s->state == SANITIZE_RUNNING)
        *progress = progress_of(s, info->blocks);
    return s->state;
}
