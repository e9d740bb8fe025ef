/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as Fibre Channel sequences. Follows FC-FS-3 and FCP-4; deviates in that a sequence is
 * one frame whatever its length, and in that the stamp stands between information unit and payload.
 */
#include "wire/frame.h"

#include "base/must.h"
#include "command/inventory.h"
#include "wire/fc.h"
#include "wire/stamp.h"

/* The information unit between header and stamp. */
enum unit_kind { IU_NONE, IU_COMMAND, IU_RESPONSE, IU_DRIVE_COMMAND, IU_DRIVE_RESPONSE };

static const uint8_t unit_kinds[MESSAGE_KINDS] = {
    [MESSAGE_COMMAND] = IU_COMMAND,
    [MESSAGE_RESPONSE] = IU_RESPONSE,
    [MESSAGE_DRIVE_COMMAND] = IU_DRIVE_COMMAND,
    [MESSAGE_DRIVE_RESPONSE] = IU_DRIVE_RESPONSE,
};

static const bool payload_allowed[MESSAGE_KINDS] = {
    [MESSAGE_COMMAND] = true,        [MESSAGE_RESPONSE] = true,     [MESSAGE_DIRECTORY] = true,
    [MESSAGE_STREAM] = true,         [MESSAGE_FORWARD] = true,      [MESSAGE_FETCHED] = true,
    [MESSAGE_RELAY] = true,          [MESSAGE_LOGIN_ACCEPT] = true, [MESSAGE_DRIVE_COMMAND] = true,
    [MESSAGE_DRIVE_RESPONSE] = true,
};

/* ---- information units ---- */

/* A host's attribute (RFC 7143 11.3.1) -> FCP-4 9.1.2.2, and a task function (RFC 7143 11.5.1) ->
 * FCP-4 9.1.2.3. ABORT TASK has no flag in FCP (it is an ABTS there); the stamp has them all. */
static const uint8_t attribute_codes[5] = {
    FCP_ATTRIBUTE_UNTAGGED,      FCP_ATTRIBUTE_SIMPLE, FCP_ATTRIBUTE_ORDERED,
    FCP_ATTRIBUTE_HEAD_OF_QUEUE, FCP_ATTRIBUTE_ACA,
};
static const uint8_t task_flags[TASK_TARGET_COLD_RESET + 1] = {
    [TASK_ABORT_TASK_SET] = FCP_TASK_ABORT_TASK_SET,
    [TASK_CLEAR_ACA] = FCP_TASK_CLEAR_ACA,
    [TASK_CLEAR_TASK_SET] = FCP_TASK_CLEAR_TASK_SET,
    [TASK_LOGICAL_UNIT_RESET] = FCP_TASK_LOGICAL_UNIT_RESET,
    [TASK_TARGET_WARM_RESET] = FCP_TASK_TARGET_RESET,
    [TASK_TARGET_COLD_RESET] = FCP_TASK_TARGET_RESET,
};

static void put_command(struct cursor *c, const struct command_message *command)
{
    must(command->attribute < sizeof attribute_codes && command->task < sizeof task_flags);
    struct fcp_cmnd iu = {0};
    be64_put(iu.lun, command->lun);
    iu.attribute = attribute_codes[command->attribute];
    iu.task_management = task_flags[command->task];
    iu.direction =
        (uint8_t)((command->wants_read ? FCP_RDDATA : 0) | (command->wants_write ? FCP_WRDATA : 0));
    memcpy(iu.cdb, command->cdb, sizeof iu.cdb);
    iu.data_length = be32_of(command->data_length);
    cursor_put_bytes(c, &iu, sizeof iu);
}

static bool get_command(struct cursor *c, struct command_message *command)
{
    struct fcp_cmnd iu;
    cursor_get_bytes(c, &iu, sizeof iu);
    command->lun = be64_at(iu.lun);
    while (command->attribute < sizeof attribute_codes &&
           attribute_codes[command->attribute] != iu.attribute)
        command->attribute++;
    command->wants_read = (iu.direction & FCP_RDDATA) != 0;
    command->wants_write = (iu.direction & FCP_WRDATA) != 0;
    memcpy(command->cdb, iu.cdb, sizeof iu.cdb);
    command->data_length = be32_get(iu.data_length);
    return command->attribute < sizeof attribute_codes &&
           (iu.direction & ~(FCP_RDDATA | FCP_WRDATA)) == 0;
}

static void put_sense(struct cursor *c, uint8_t status, const uint8_t *sense, uint8_t length)
{
    must(length <= SENSE_MAX);
    struct fcp_rsp iu = {0};
    iu.flags = length ? FCP_SNS_LEN_VALID : 0;
    iu.status = status;
    iu.sense_length = be32_of(length);
    cursor_put_bytes(c, &iu, sizeof iu);
    cursor_put_bytes(c, sense, length);
}

static bool get_sense(struct cursor *c, uint8_t *status, uint8_t *sense, uint8_t *length)
{
    struct fcp_rsp iu;
    cursor_get_bytes(c, &iu, sizeof iu);
    uint32_t sense_length = be32_get(iu.sense_length);
    if (sense_length > SENSE_MAX || be32_get(iu.response_length) != 0)
        return false;
    *status = iu.status;
    *length = (uint8_t)sense_length;
    cursor_get_bytes(c, sense, sense_length);
    return true;
}

enum { DRIVE_BLOCK = 512 };

static const uint8_t drive_opcodes[] = {
    [DRIVE_READ] = SBC_READ_16,
    [DRIVE_WRITE] = SBC_WRITE_16,
    [DRIVE_FILL] = SBC_WRITE_SAME_16,
    [DRIVE_FLUSH] = SBC_SYNCHRONIZE_CACHE_16,
};

static void put_drive_command(struct cursor *c, const struct message *message)
{
    const struct drive_message *drive = &message->drive;
    must(drive->op < sizeof drive_opcodes);
    must(drive->offset % DRIVE_BLOCK == 0 && drive->length % DRIVE_BLOCK == 0);
    struct sbc_cdb_16 cdb = {0};
    cdb.opcode = drive_opcodes[drive->op];
    cdb.flags = drive->fua && drive->op == DRIVE_WRITE ? SBC_FUA : 0;
    cdb.lba = be64_of(drive->offset / DRIVE_BLOCK);
    cdb.blocks = be32_of(drive->length / DRIVE_BLOCK);
    struct fcp_cmnd iu = {0};
    bool reads = drive->op == DRIVE_READ, writes = message->payload.length > 0;
    iu.direction = (uint8_t)((reads ? FCP_RDDATA : 0) | (writes ? FCP_WRDATA : 0));
    memcpy(iu.cdb, &cdb, sizeof cdb);
    iu.data_length = be32_of(reads ? drive->length : message->payload.length);
    cursor_put_bytes(c, &iu, sizeof iu);
}

static bool get_drive_command(struct cursor *c, uint32_t payload_length,
                              struct drive_message *drive)
{
    struct fcp_cmnd iu;
    struct sbc_cdb_16 cdb;
    cursor_get_bytes(c, &iu, sizeof iu);
    memcpy(&cdb, iu.cdb, sizeof cdb);
    while (drive->op < sizeof drive_opcodes && drive_opcodes[drive->op] != cdb.opcode)
        drive->op++;
    uint64_t lba = be64_get(cdb.lba);
    uint32_t blocks = be32_get(cdb.blocks);
    if (drive->op >= sizeof drive_opcodes || lba > UINT64_MAX / DRIVE_BLOCK ||
        blocks > UINT32_MAX / DRIVE_BLOCK)
        return false;
    drive->offset = lba * DRIVE_BLOCK;
    drive->length = blocks * DRIVE_BLOCK;
    if (drive->op == DRIVE_WRITE)
        return payload_length == drive->length;
    return drive->op == DRIVE_FILL ? payload_length <= 4096 : payload_length == 0;
}

/* SAM-5 5.3: what a capture shows of a drive's answer; the stamp says it exactly. */
static const uint8_t drive_status_codes[] = {
    [DRIVE_OK] = 0x00,            /* GOOD */
    [DRIVE_MEDIUM_ERROR] = 0x02,  /* CHECK CONDITION */
    [DRIVE_GONE] = 0x02,          /* CHECK CONDITION */
    [DRIVE_REFUSED_EPOCH] = 0x18, /* RESERVATION CONFLICT */
    [DRIVE_REFUSED_LOGIN] = 0x18, /* RESERVATION CONFLICT */
    [DRIVE_BUSY] = 0x08,          /* BUSY */
    [DRIVE_TIMEOUT] = 0x40,       /* TASK ABORTED */
};

static void put_unit(struct cursor *c, const struct message *message)
{
    switch ((enum unit_kind)unit_kinds[message->kind]) {
    case IU_NONE:
        break;
    case IU_COMMAND:
        put_command(c, &message->command);
        break;
    case IU_RESPONSE:
        put_sense(c, message->response.status, message->response.sense,
                  message->response.sense_length);
        break;
    case IU_DRIVE_COMMAND:
        put_drive_command(c, message);
        break;
    case IU_DRIVE_RESPONSE:
        must(message->drive.status < sizeof drive_status_codes);
        put_sense(c, drive_status_codes[message->drive.status], NULL, 0);
        break;
    }
}

/* ---- the header ---- */

static uint16_t exchange_of(const struct message *message)
{
    switch ((enum unit_kind)unit_kinds[message->kind]) {
    case IU_COMMAND:
        return (uint16_t)message->command.id.sequence;
    case IU_RESPONSE:
        return (uint16_t)message->response.id.sequence;
    case IU_DRIVE_COMMAND:
    case IU_DRIVE_RESPONSE:
        return (uint16_t)message->drive.tag;
    case IU_NONE:
        break;
    }
    return 0;
}

/* By kind of information unit: how the frame presents itself. */
static const struct presentation {
    uint8_t r_ctl, type;
    uint32_t f_ctl;
} presentations[] = {
    [IU_NONE] = {FC_R_CTL_CONTROL, FC_TYPE_SEGUE,
                 FC_F_CTL_FIRST_SEQUENCE | FC_F_CTL_LAST_SEQUENCE | FC_F_CTL_END_SEQUENCE},
    [IU_COMMAND] = {FC_R_CTL_COMMAND, FC_TYPE_FCP,
                    FC_F_CTL_FIRST_SEQUENCE | FC_F_CTL_END_SEQUENCE | FC_F_CTL_SEQUENCE_INITIATIVE},
    [IU_RESPONSE] = {FC_R_CTL_COMMAND_STATUS, FC_TYPE_FCP,
                     FC_F_CTL_RESPONDER | FC_F_CTL_LAST_SEQUENCE | FC_F_CTL_END_SEQUENCE},
    [IU_DRIVE_COMMAND] = {FC_R_CTL_COMMAND, FC_TYPE_FCP,
                          FC_F_CTL_FIRST_SEQUENCE | FC_F_CTL_END_SEQUENCE |
                              FC_F_CTL_SEQUENCE_INITIATIVE},
    [IU_DRIVE_RESPONSE] = {FC_R_CTL_COMMAND_STATUS, FC_TYPE_FCP,
                           FC_F_CTL_RESPONDER | FC_F_CTL_LAST_SEQUENCE | FC_F_CTL_END_SEQUENCE},
};

static void put_header(struct cursor *c, const struct message *message)
{
    const struct presentation *p = &presentations[unit_kinds[message->kind]];
    port_id to = message->to;
    if (message->kind == MESSAGE_COMMAND && !port_is_group(to)) {
        must(port_kind(to) == PORT_KIND_UNIT);
        to = port_group(port_sub(to));
    }
    struct fc_header header = {0};
    header.r_ctl = p->r_ctl;
    header.d_id = be24_of(to);
    header.s_id = be24_of(message->from);
    header.type = p->type;
    header.f_ctl = be24_of(p->f_ctl);
    header.ox_id = be16_of(exchange_of(message));
    header.rx_id = be16_of(FC_RX_ID_UNASSIGNED);
    cursor_put_bytes(c, &header, sizeof header);
}

static bool port_in_range(port_id p)
{
    int index = port_index(p), sub = port_sub(p);
    switch (port_kind(p)) {
    case PORT_KIND_SWITCH:
        return index >= 0 && index < SWITCH_MAX && sub == -1;
    case PORT_KIND_UNIT:
        return index >= 0 && index < MODULE_MAX && sub >= 0 && sub < GROUP_MAX;
    case PORT_KIND_LOOP:
        return index >= 0 && index < LOOP_MAX && (sub == -1 || al_pa_valid((uint8_t)(sub + 1)));
    case PORT_KIND_MANAGER:
        return index >= 0 && index < MANAGER_MAX && sub == -1;
    case PORT_KIND_NONE:
        break;
    }
    return false;
}

static bool group_in_range(port_id p)
{
    return port_is_group(p) && port_sub(p) >= 0 && port_sub(p) < GROUP_MAX;
}

/* The kind is in the stamp, which lies behind the information unit that the header's R_CTL and TYPE
 * announce; both must agree. */
static bool get_header(struct cursor *c, struct message *out, struct fc_header *header)
{
    cursor_get_bytes(c, header, sizeof *header);
    out->from = be24_get(header->s_id);
    out->to = be24_get(header->d_id);
    return !c->failed && header->df_ctl == 0 && port_in_range(out->from) &&
           (port_in_range(out->to) || group_in_range(out->to));
}

/* Where the stamp's kind byte lies, from header and information unit; 0: there is none. */
static uint8_t peek_kind(const uint8_t *head, uint32_t head_length, const struct fc_header *header)
{
    size_t at = sizeof *header;
    if (header->type == FC_TYPE_FCP && header->r_ctl == FC_R_CTL_COMMAND)
        at += sizeof(struct fcp_cmnd);
    else if (header->type == FC_TYPE_FCP && header->r_ctl == FC_R_CTL_COMMAND_STATUS) {
        if (head_length < at + sizeof(struct fcp_rsp))
            return MESSAGE_NONE;
        uint32_t sense_length = be32_at(head + at + offsetof(struct fcp_rsp, sense_length));
        at += sizeof(struct fcp_rsp) + (sense_length <= SENSE_MAX ? sense_length : 0);
    } else if (header->type != FC_TYPE_SEGUE || header->r_ctl != FC_R_CTL_CONTROL)
        return MESSAGE_NONE;
    if (head_length < at + 2 || head[at] != FRAME_VERSION)
        return MESSAGE_NONE;
    return head[at + 1];
}

static bool get_unit(struct cursor *c, uint32_t payload_length, struct message *out)
{
    uint8_t status, length, sense[SENSE_MAX];
    switch ((enum unit_kind)unit_kinds[out->kind]) {
    case IU_NONE:
        return true;
    case IU_COMMAND:
        return get_command(c, &out->command);
    case IU_RESPONSE:
        return get_sense(c, &out->response.status, out->response.sense,
                         &out->response.sense_length);
    case IU_DRIVE_COMMAND:
        return get_drive_command(c, payload_length, &out->drive);
    case IU_DRIVE_RESPONSE:
        return get_sense(c, &status, sense, &length) && length == 0;
    }
    return false;
}

/* What the table's rows cannot say. */
static bool message_in_range(const struct message *m, uint32_t payload_length)
{
    if ((m->kind == MESSAGE_COMMAND) != port_is_group(m->to))
        return false;
    if (m->kind == MESSAGE_DRIVE_COMMAND)
        return m->drive.drive % 32 < SLOT_MAX;
    if (m->kind == MESSAGE_DRIVE_RESPONSE)
        return m->drive.drive % 32 < SLOT_MAX && payload_length <= m->drive.length;
    if (m->kind == MESSAGE_SIGNAL && m->signal.group != 0xFF)
        return m->signal.member.module < MODULE_MAX;
    if (m->kind == MESSAGE_LOGIN_ACCEPT)
        return payload_length == (uint32_t)m->login.drives * DRIVE_INFO_BYTES;
    return true;
}

uint32_t frame_encode(const struct message *message, uint8_t *head)
{
    must(stamp_known(message->kind));
    struct cursor c = cursor_of(head, FRAME_HEAD_MAX);
    put_header(&c, message);
    put_unit(&c, message);
    cursor_put8(&c, FRAME_VERSION);
    cursor_put8(&c, message->kind);
    stamp_put(&c, message);
    must(!c.failed);
    return (uint32_t)(c.at - head);
}

bool frame_decode(const uint8_t *head, uint32_t head_length, uint32_t payload_length,
                  struct message *out)
{
    memset(out, 0, sizeof *out);
    struct cursor c = cursor_read(head, head_length);
    struct fc_header header;
    if (!get_header(&c, out, &header))
        return false;
    out->kind = peek_kind(head, head_length, &header);
    if (!stamp_known(out->kind))
        return false;
    const struct presentation *p = &presentations[unit_kinds[out->kind]];
    if (header.r_ctl != p->r_ctl || header.type != p->type)
        return false;
    if (payload_length > (payload_allowed[out->kind] ? BUFFER_MAX : 0))
        return false;
    if (!get_unit(&c, payload_length, out))
        return false;
    cursor_take(&c, 2); /* version and kind, seen above */
    return stamp_get(&c, out) && cursor_left(&c) == 0 && message_in_range(out, payload_length);
}

/* ---- the link prefix ---- */

struct frame_prefix {
    uint8_t magic[2];
    uint8_t version;
    uint8_t reserved;
    struct be16 head_length;
    struct be16 reserved_too;
    struct be32 payload_length;
};
WIRE_SIZE(frame_prefix, FRAME_PREFIX_BYTES);
WIRE_AT(frame_prefix, head_length, 4);
WIRE_AT(frame_prefix, payload_length, 8);

void frame_prefix_put(uint8_t *out, uint32_t head_length, uint32_t payload_length)
{
    must(head_length <= FRAME_HEAD_MAX && payload_length <= BUFFER_MAX);
    struct frame_prefix prefix = {.magic = {'S', 'G'}, .version = FRAME_VERSION};
    prefix.head_length = be16_of((uint16_t)head_length);
    prefix.payload_length = be32_of(payload_length);
    memcpy(out, &prefix, sizeof prefix);
}

bool frame_prefix_get(const uint8_t *bytes, uint32_t *head_length, uint32_t *payload_length)
{
    struct frame_prefix prefix;
    memcpy(&prefix, bytes, sizeof prefix);
    *head_length = be16_get(prefix.head_length);
    *payload_length = be32_get(prefix.payload_length);
    return prefix.magic[0] == 'S' && prefix.magic[1] == 'G' && prefix.version == FRAME_VERSION &&
           prefix.reserved == 0 && be16_get(prefix.reserved_too) == 0 && *head_length > 0 &&
           *head_length <= FRAME_HEAD_MAX && *payload_length <= BUFFER_MAX;
}
