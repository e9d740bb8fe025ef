/* SPDX-License-Identifier: Apache-2.0 */
#include "scsi/copy.h"

#include "base/bytes.h"
#include "scsi/inquiry.h"
#include "scsi/persistent.h"
#include "scsi/reserve.h"
#include "scsi/sense.h"

enum {
    HEADER_BYTES = 16,
    USAGE_HOLD = 0,
    USAGE_RESERVED = 1,
    USAGE_NONE = 3, /* there is no list identifier */
    RESULT_GOOD = 1,
    RESULT_WRONG = 2,
};

/* A parameter list that has been looked at. */
struct copy_list {
    const uint8_t *targets, *segments;
    uint32_t target_count, segment_count;
};

static const uint8_t *descriptor_of(const struct copy_list *list, uint32_t segment)
{
    return list->segments + (size_t)segment * COPY_SEGMENT_BYTES;
}

static enum sense_code read_lengths(const uint8_t *data, uint32_t length, struct copy_list *out)
{
    if (length < HEADER_BYTES)
        return SENSE_PARAMETER_LIST_LENGTH;
    uint32_t targets = be16_at(data + 2), segments = be32_at(data + 8);
    uint32_t inline_bytes = be32_at(data + 12), there = length - HEADER_BYTES;
    if (targets > there || segments > there - targets || targets % COPY_TARGET_BYTES ||
        targets + segments > COPY_LIST_BYTES_MAX)
        return SENSE_PARAMETER_LIST_LENGTH;
    if (inline_bytes)
        return SENSE_INVALID_FIELD_IN_PARAMETERS;
    out->targets = data + HEADER_BYTES;
    out->segments = out->targets + targets;
    out->target_count = targets / COPY_TARGET_BYTES;
    out->segment_count = segments / COPY_SEGMENT_BYTES;
    for (uint32_t t = 0; t < out->target_count; t++)
        if (out->targets[t * COPY_TARGET_BYTES] != COPY_TARGET_IDENTIFICATION)
            return SENSE_COPY_TARGET_TYPE;
    if (segments > 0 && out->segments[0] != COPY_SEGMENT_BLOCK_TO_BLOCK)
        return SENSE_COPY_SEGMENT_TYPE;
    if (segments % COPY_SEGMENT_BYTES)
        return SENSE_PARAMETER_LIST_LENGTH;
    if (out->target_count > COPY_TARGETS_MAX)
        return SENSE_COPY_TOO_MANY_TARGETS;
    return out->segment_count > COPY_SEGMENTS_MAX ? SENSE_COPY_TOO_MANY_SEGMENTS : SENSE_NONE;
}

static enum sense_code check_target(const uint8_t *target)
{
    enum { NULL_TARGET = 0x20, DEVICE_TYPE = 0x1F }; /* LU ID TYPE is for other descriptors */
    if (target[1] & DEVICE_TYPE || target[7] > 20)
        return SENSE_INVALID_FIELD_IN_PARAMETERS;
    return target[1] & NULL_TARGET ? SENSE_COPY_UNREACHABLE : SENSE_NONE;
}

static enum sense_code check_segment(const uint8_t *segment)
{
    enum { DESTINATION_COUNT = 0x02 };
    if (segment[0] != COPY_SEGMENT_BLOCK_TO_BLOCK)
        return SENSE_COPY_SEGMENT_TYPE;
    if (segment[1] & ~DESTINATION_COUNT || be16_at(segment + 2) != COPY_SEGMENT_BYTES - 4)
        return SENSE_INVALID_FIELD_IN_PARAMETERS;
    return SENSE_NONE;
}

static enum sense_code read_list(const uint8_t *data, uint32_t length, struct copy_list *out)
{
    enum sense_code wrong = read_lengths(data, length, out);
    for (uint32_t t = 0; wrong == SENSE_NONE && t < out->target_count; t++)
        wrong = check_target(out->targets + t * COPY_TARGET_BYTES);
    for (uint32_t s = 0; wrong == SENSE_NONE && s < out->segment_count; s++)
        wrong = check_segment(descriptor_of(out, s));
    return wrong;
}

/* ---- segments ---- */

static const struct volume_info *find_volume(const struct scsi_server *server,
                                             const struct copy_list *list, uint16_t target)
{
    if (target >= list->target_count)
        return NULL;
    const uint8_t *t = list->targets + target * COPY_TARGET_BYTES;
    for (uint16_t v = 0; v < VOLUME_MAX; v++)
        if (server->present[v] &&
            inquiry_is_named(&server->info[v], t[4] & 0x0F, t[5] & 0x3F, t + 8, t[7]))
            return &server->info[v];
    return NULL;
}

static bool lies_in(const struct volume_info *info, uint64_t lba, uint64_t blocks)
{
    return lba <= info->blocks && blocks <= info->blocks - lba;
}

/* What is to be copied where; what is wrong with it. */
static enum sense_code read_segment(const struct scsi_server *server, const struct copy_list *list,
                                    uint32_t i, struct scsi_copy *out)
{
    const uint8_t *s = descriptor_of(list, i);
    const struct volume_info *from = find_volume(server, list, be16_at(s + 4));
    const struct volume_info *to = find_volume(server, list, be16_at(s + 6));
    if (!from || !to)
        return SENSE_COPY_UNREACHABLE;
    bool of_destination = s[1] & 0x02;
    uint64_t bytes =
        (uint64_t)be16_at(s + 10) * (of_destination ? to->block_bytes : from->block_bytes);
    if (bytes % from->block_bytes || bytes % to->block_bytes)
        return SENSE_COPY_INEXACT;
    if (bytes > COPY_SEGMENT_BYTES_MAX)
        return SENSE_INVALID_FIELD_IN_PARAMETERS;
    *out = (struct scsi_copy){.from = from->index,
                              .to = to->index,
                              .from_lba = be64_at(s + 12),
                              .to_lba = be64_at(s + 20),
                              .bytes = (uint32_t)bytes};
    if (!lies_in(from, out->from_lba, bytes / from->block_bytes) ||
        !lies_in(to, out->to_lba, bytes / to->block_bytes))
        return SENSE_COPY_ABORTED;
    return SENSE_NONE;
}

bool scsi_copy_segment(const struct scsi_server *server, const uint8_t *data, uint32_t length,
                       uint32_t i, struct scsi_copy *out)
{
    struct copy_list list;
    const struct volume_state *volume = server->state->volume;
    return read_list(data, length, &list) == SENSE_NONE && i < list.segment_count &&
           read_segment(server, &list, i, out) == SENSE_NONE &&
           volume[out->from].sanitize.state == SANITIZE_NONE &&
           volume[out->to].sanitize.state == SANITIZE_NONE;
}

bool scsi_copy_crosses(const struct scsi_server *server, const struct command_message *command,
                       const uint8_t *data, uint32_t length)
{
    struct copy_list list;
    if (command->kind != COMMAND_SCSI || command->cdb[0] != 0x83 || !data ||
        read_list(data, length, &list) != SENSE_NONE)
        return false;
    for (uint32_t i = 0; i < list.segment_count; i++) {
        struct scsi_copy copy;
        if (read_segment(server, &list, i, &copy) == SENSE_NONE &&
            (copy.from != command->volume || copy.to != command->volume))
            return true;
    }
    return false;
}

/* Does what `to` writes meet what `from` reads? */
static bool meets(const struct scsi_server *server, const struct scsi_copy *to,
                  const struct scsi_copy *from)
{
    uint64_t block = server->info[to->to].block_bytes;
    uint64_t a = to->to_lba * block, b = from->from_lba * block;
    return to->to == from->from && a < b + from->bytes && b < a + to->bytes;
}

/* Is the volume mapped to the command's host? The one that it was sent to is; of others only the
 * group that owns the directory knows, where hosts are told apart. */
static bool may_see(const struct scsi_request *r, uint16_t volume)
{
    const struct directory *d = r->server->directory;
    uint16_t host = r->command->host;
    if (volume == r->command->volume || (host == HOST_ALL && d->hosts == 0))
        return true;
    uint32_t first, count = d->hosts ? directory_maps(d, host, &first) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct directory_entry *map = &d->at[first + i];
        if (map->group == r->server->group && map->volume == volume &&
            memcmp(map->uuid, r->server->info[volume].uuid, sizeof map->uuid) == 0)
            return true;
    }
    return false;
}

/* May the nexus read one and write the other? It was asked for the command's own volume already. */
static enum sense_code check_rights(const struct scsi_request *r, const struct scsi_copy *copy)
{
    struct scsi_request other = *r;
    const struct volume_info *to = &r->server->info[copy->to];
    if (!may_see(r, copy->from) || !may_see(r, copy->to))
        return SENSE_COPY_UNREACHABLE;
    other.info = &r->server->info[copy->from];
    other.volume = &r->server->state->volume[copy->from];
    if (reserve_is_other(&other) || !persistent_allows(&other, false))
        return SENSE_COPY_THIRD_PARTY;
    other.info = to;
    other.volume = &r->server->state->volume[copy->to];
    if (reserve_is_other(&other) || !persistent_allows(&other, true))
        return SENSE_COPY_THIRD_PARTY;
    if (to->read_only)
        return SENSE_WRITE_PROTECTED;
    return other.volume->modes & MODES_PROTECT ? SENSE_SOFTWARE_WRITE_PROTECTED : SENSE_NONE;
}

/* After a takeover the list is carried out from its beginning: so no segment may write what it, or
 * one before it, reads. */
static enum sense_code check_list(const struct scsi_request *r, const struct copy_list *list)
{
    struct scsi_copy copy[COPY_SEGMENTS_MAX];
    for (uint32_t i = 0; i < list->segment_count; i++) {
        enum sense_code wrong = read_segment(r->server, list, i, &copy[i]);
        if (wrong == SENSE_NONE)
            wrong = check_rights(r, &copy[i]);
        for (uint32_t j = 0; wrong == SENSE_NONE && j <= i; j++)
            if (meets(r->server, &copy[i], &copy[j]))
                wrong = SENSE_INVALID_FIELD_IN_PARAMETERS;
        if (wrong != SENSE_NONE)
            return wrong;
    }
    return SENSE_NONE;
}

void copy_plan(const struct scsi_request *r, struct scsi_plan *plan)
{
    uint32_t length = be32_at(r->command->cdb + 10);
    struct copy_list list;
    sense_good(plan);
    if (length == 0)
        return;
    enum sense_code wrong = SENSE_PARAMETER_LIST_LENGTH;
    if (length <= r->data_length)
        wrong = read_list(r->data, length, &list);
    uint8_t usage = wrong == SENSE_NONE ? r->data[1] >> 3 & 3 : USAGE_HOLD;
    if (usage == USAGE_RESERVED || (usage == USAGE_NONE && r->data[0]))
        wrong = SENSE_INVALID_FIELD_IN_PARAMETERS;
    if (wrong == SENSE_NONE)
        wrong = check_list(r, &list);
    if (wrong != SENSE_NONE) {
        sense_check(plan, wrong);
        return;
    }
    if (list.segment_count == 0)
        return;
    plan->what = SCSI_COPY;
    plan->ranges = list.segment_count;
    plan->fua = r->volume->modes & MODES_THROUGH;
}

/* ---- results: what became of the last copies of each nexus ---- */

static void drop_results(struct scsi_server *server, uint8_t sender, uint32_t nexus, int identifier)
{
    for (int i = 0; i < COPY_RESULTS_MAX; i++) {
        struct copy_result *result = &server->copies[i];
        if (result->sender == sender && result->nexus == nexus &&
            (identifier < 0 || result->identifier == identifier))
            result->status = 0;
    }
}

void scsi_copied(struct scsi_server *server, const struct command_message *command,
                 const uint8_t *data, uint32_t length, uint8_t status)
{
    struct copy_list list;
    if (command->kind == COMMAND_NEXUS_OPEN || command->kind == COMMAND_NEXUS_LOSS)
        drop_results(server, command->id.sender, command->nexus, -1);
    if (command->kind != COMMAND_SCSI || command->cdb[0] != 0x83 || !data ||
        read_list(data, length, &list) != SENSE_NONE || (data[1] >> 3 & 3) != USAGE_HOLD)
        return;
    drop_results(server, command->id.sender, command->nexus, data[0]);
    struct copy_result *result = &server->copies[server->copy_next++ % COPY_RESULTS_MAX];
    *result = (struct copy_result){.sender = command->id.sender,
                                   .nexus = command->nexus,
                                   .identifier = data[0],
                                   .status = status ? RESULT_WRONG : RESULT_GOOD};
    struct scsi_copy copy;
    for (uint32_t i = 0; status == 0 && i < list.segment_count; i++)
        if (read_segment(server, &list, i, &copy) == SENSE_NONE) {
            result->segments++;
            result->bytes += copy.bytes;
        }
}

/* Reported once: SPC-4 lets a copy manager forget it then; the newest are kept all the same. */
void copy_plan_status(const struct scsi_request *r, struct scsi_plan *plan)
{
    const struct copy_result *found = NULL;
    for (int i = 0; i < COPY_RESULTS_MAX; i++) {
        const struct copy_result *result = &r->server->copies[i];
        if (result->status && result->sender == r->command->id.sender &&
            result->nexus == r->command->nexus && result->identifier == r->command->cdb[2])
            found = result;
    }
    if (!found) {
        sense_check_cdb(plan, 2);
        return;
    }
    struct cursor c = sense_data_begin(plan);
    cursor_put32(&c, 8); /* bytes that follow */
    cursor_put8(&c, found->status);
    cursor_put16(&c, found->segments);
    cursor_put8(&c, 0); /* counted in bytes */
    cursor_put32(&c, found->bytes < UINT32_MAX ? (uint32_t)found->bytes : UINT32_MAX);
    sense_data_end(plan, &c, be32_at(r->command->cdb + 10));
}

void copy_plan_parameters(const struct scsi_request *r, struct scsi_plan *plan)
{
    enum { BLOCK_LOG2 = 9 };
    struct cursor c = sense_data_begin(plan);
    cursor_put32(&c, 42);
    cursor_put32(&c, 1u << 24); /* SNLID: list identifiers may be left out */
    cursor_put16(&c, COPY_TARGETS_MAX);
    cursor_put16(&c, COPY_SEGMENTS_MAX);
    cursor_put32(&c, COPY_LIST_BYTES_MAX);
    cursor_put32(&c, COPY_SEGMENT_BYTES_MAX);
    cursor_put32(&c, 0); /* no inline data, ... */
    cursor_put32(&c, 0); /* ... no held data, ... */
    cursor_put32(&c, 0); /* ... no streams */
    cursor_put16(&c, 0);
    cursor_put16(&c, 1); /* copies at a time */
    cursor_put8(&c, 1);
    cursor_put8(&c, BLOCK_LOG2); /* granularity of segments */
    cursor_put16(&c, 0);
    cursor_put16(&c, 0);
    cursor_put8(&c, 0);
    cursor_put8(&c, 2); /* descriptors that are known */
    cursor_put8(&c, COPY_SEGMENT_BLOCK_TO_BLOCK);
    cursor_put8(&c, COPY_TARGET_IDENTIFICATION);
    sense_data_end(plan, &c, be32_at(r->command->cdb + 10));
}
