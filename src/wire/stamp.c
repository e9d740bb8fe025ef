/* table */
/* SPDX-License-Identifier: Apache-2.0 */
/* The stamps: one row a field, in the order of the wire, with the range that a decoder accepts.
 * Encoder and decoder walk the same rows, so they cannot differ. A change of a row is a new
 * FRAME_VERSION. */
#include "wire/stamp.h"

#include "base/must.h"
#include "wire/wire.h"

enum field_type {
    FIELD_END,
    FIELD_NUMBER, /* `bytes` wide, below `limit` (0: any) or, if `none`, all ones */
    FIELD_BOOL,
    FIELD_BYTES,   /* `bytes` of them */
    FIELD_MEMBER,  /* module, incarnation; `none`: MODULE_NONE is allowed */
    FIELD_MEMBERS, /* count, then a place for each that there may be */
};

struct field {
    uint8_t type;
    uint8_t bytes;
    bool none;
    uint16_t at; /* in struct message */
    uint32_t limit;
};

#define WIDTH(f) (uint8_t)sizeof(((struct message *)0)->f)
#define PLACE(f) (uint16_t) offsetof(struct message, f)
#define NUMBER(f)                                  \
    {                                              \
        FIELD_NUMBER, WIDTH(f), false, PLACE(f), 0 \
    }
#define BELOW(f, limit)                                \
    {                                                  \
        FIELD_NUMBER, WIDTH(f), false, PLACE(f), limit \
    }
#define BELOW_OR_NONE(f, limit)                       \
    {                                                 \
        FIELD_NUMBER, WIDTH(f), true, PLACE(f), limit \
    }
#define BOOL(f)                           \
    {                                     \
        FIELD_BOOL, 1, false, PLACE(f), 0 \
    }
#define BYTES(f)                                  \
    {                                             \
        FIELD_BYTES, WIDTH(f), false, PLACE(f), 0 \
    }
#define MEMBER(f)                                    \
    {                                                \
        FIELD_MEMBER, 9, false, PLACE(f), MODULE_MAX \
    }
/* Of whom a signal comes: a unit's module, another part's number, or MODULE_NONE. */
#define MEMBER_OF_SIGNAL(f)                         \
    {                                               \
        FIELD_MEMBER, 9, true, PLACE(f), SENDER_MAX \
    }
#define MEMBERS(f)                                                         \
    {                                                                      \
        FIELD_MEMBERS, 1 + 9 * 2 * MODULE_MAX, false, PLACE(f), MODULE_MAX \
    }
#define ID(f) BELOW(f.sender, SENDER_MAX), NUMBER(f.session), NUMBER(f.sequence)
#define END                       \
    {                             \
        FIELD_END, 0, false, 0, 0 \
    }

/* What a COMMAND carries besides its FCP_CMND. */
#define COMMAND_STAMP                                                                          \
    ID(command.id), BELOW(command.kind, COMMAND_MANAGE + 1),                                   \
        BELOW(command.task, TASK_TARGET_COLD_RESET + 1), NUMBER(command.nexus),                \
        BELOW_OR_NONE(command.volume, VOLUME_MAX), NUMBER(command.host), NUMBER(command.luns), \
        NUMBER(command.task_sequence), NUMBER(command.first_epoch), NUMBER(command.epoch),     \
        NUMBER(command.age_ns), NUMBER(command.start_age_ns), NUMBER(command.sent_ns),         \
        NUMBER(command.confirmed)

static const struct field command_stamp[] = {COMMAND_STAMP, END};

/* ... and what it carries where there is no FCP_CMND: FORWARD, FETCHED. */
static const struct field whole_command_stamp[] = {
    COMMAND_STAMP,
    BELOW(command.attribute, 5),
    BYTES(command.cdb),
    NUMBER(command.lun),
    NUMBER(command.data_length),
    BOOL(command.wants_read),
    BOOL(command.wants_write),
    END,
};

#define RESPONSE_STAMP                                                                          \
    ID(response.id), BELOW(response.group, GROUP_MAX), NUMBER(response.epoch),                  \
        NUMBER(response.task_response), NUMBER(response.transferred), BOOL(response.withdrawn), \
        BOOL(response.descriptors)

static const struct field response_stamp[] = {RESPONSE_STAMP, END};

static const struct field whole_response_stamp[] = {
    RESPONSE_STAMP,
    NUMBER(response.status),
    BELOW(response.sense_length, SENSE_MAX + 1),
    BYTES(response.sense),
    END,
};

static const struct field refuse_stamp[] = {
    ID(refuse.id),
    BELOW(refuse.group, GROUP_MAX),
    BELOW(refuse.reason, REFUSE_FULL + 1),
    NUMBER(refuse.epoch),
    END,
};

static const struct field confirm_stamp[] = {
    BELOW(confirm.sender, SENDER_MAX), BELOW(confirm.group, GROUP_MAX), NUMBER(confirm.session),
    NUMBER(confirm.confirmed),         BOOL(confirm.relayed),           END,
};

static const struct field view_stamp[] = {
    BELOW(view.group, GROUP_MAX),
    NUMBER(view.epoch),
    BOOL(view.serving),
    NUMBER(view.cut),
    BELOW_OR_NONE(view.primary, MODULE_MAX),
    BELOW(view.in_sync, 1 << MODULE_MAX),
    NUMBER(view.dead_session),
    END,
};

static const struct field directory_stamp[] = {NUMBER(directory.version), END};

static const struct field stream_stamp[] = {
    BELOW(stream.group, GROUP_MAX),
    NUMBER(stream.epoch),
    MEMBER(stream.primary),
    NUMBER(stream.first),
    NUMBER(stream.count),
    NUMBER(stream.acked),
    END,
};

static const struct field held_stamp[] = {
    BELOW(held.group, GROUP_MAX), NUMBER(held.epoch), MEMBER(held.member),
    NUMBER(held.applied),         NUMBER(held.held),  END,
};

static const struct field forward_answer_stamp[] = {
    ID(forward_answer.id),
    BELOW(forward_answer.group, GROUP_MAX),
    NUMBER(forward_answer.epoch),
    BELOW(forward_answer.answer, 2 + REFUSE_FULL + 1),
    END,
};

static const struct field fetch_stamp[] = {
    BELOW(fetch.group, GROUP_MAX),
    NUMBER(fetch.epoch),
    ID(fetch.id),
    END,
};

static const struct field stop_stamp[] = {
    BELOW(stop.group, GROUP_MAX),
    NUMBER(stop.epoch),
    MEMBER(stop.member),
    NUMBER(stop.applied),
    NUMBER(stop.held),
    BOOL(stop.promised),
    END,
};

static const struct field join_stamp[] = {
    BELOW(join.group, GROUP_MAX),
    MEMBER(join.member),
    NUMBER(join.epoch),
    END,
};

static const struct field handover_stamp[] = {
    BELOW(handover.group, GROUP_MAX),
    NUMBER(handover.epoch),
    END,
};

static const struct field login_stamp[] = {
    BELOW(login.group, GROUP_MAX),
    MEMBER(login.member),
    NUMBER(login.login),
    BELOW(login.drives, SLOT_MAX + 1),
    END,
};

static const struct field fence_stamp[] = {
    BELOW(fence.bank, GROUP_MAX),
    NUMBER(fence.epoch),
    MEMBERS(fence.allowed),
    NUMBER(fence.tag),
    BELOW(fence.result, FENCE_FAILED + 1),
    NUMBER(fence.held_epoch),
    NUMBER(fence.undrained),
    END,
};

static const struct field assign_stamp[] = {
    BELOW_OR_NONE(assign.bank, GROUP_MAX),
    NUMBER(assign.epoch),
    BELOW(assign.drive, DRIVE_MAX),
    NUMBER(assign.tag),
    BOOL(assign.done),
    END,
};

/* What a DRIVE_COMMAND carries besides its CDB: WRITE SAME has no FUA of its own. */
#define DRIVE_STAMP                                                               \
    BELOW(drive.bank, GROUP_MAX), BELOW(drive.drive, DRIVE_MAX), BOOL(drive.fua), \
        NUMBER(drive.epoch), NUMBER(drive.login), NUMBER(drive.tag),              \
        BELOW(drive.status, DRIVE_TIMEOUT + 1)

static const struct field drive_command_stamp[] = {DRIVE_STAMP, END};

static const struct field drive_response_stamp[] = {
    DRIVE_STAMP, BELOW(drive.op, DRIVE_FLUSH + 1), NUMBER(drive.offset), NUMBER(drive.length), END,
};

static_assert(LOOP_MAX == 4, "one row for each loop switch");
static const struct field signal_stamp[] = {
    BELOW_OR_NONE(signal.group, GROUP_MAX),
    MEMBER_OF_SIGNAL(signal.member),
    NUMBER(signal.epoch),
    NUMBER(signal.now_ns),
    NUMBER(signal.echo_ns),
    NUMBER(signal.echo_delay_ns),
    NUMBER(signal.state),
    BELOW(signal.heard_units, 1 << MODULE_MAX),
    NUMBER(signal.heard_senders),
    NUMBER(signal.drives[0]),
    NUMBER(signal.drives[1]),
    NUMBER(signal.drives[2]),
    NUMBER(signal.drives[3]),
    NUMBER(signal.lives[0]),
    NUMBER(signal.lives[1]),
    NUMBER(signal.lives[2]),
    NUMBER(signal.lives[3]),
    NUMBER(signal.applied),
    NUMBER(signal.held),
    NUMBER(signal.acked),
    NUMBER(signal.oldest_order),
    NUMBER(signal.progress),
    BELOW_OR_NONE(signal.waiting_drive, DRIVE_MAX),
    BELOW(signal.stopping, 3),
    END,
};

static const struct field *const stamps[MESSAGE_KINDS] = {
    [MESSAGE_COMMAND] = command_stamp,
    [MESSAGE_RESPONSE] = response_stamp,
    [MESSAGE_REFUSE] = refuse_stamp,
    [MESSAGE_CONFIRM] = confirm_stamp,
    [MESSAGE_VIEW] = view_stamp,
    [MESSAGE_DIRECTORY] = directory_stamp,
    [MESSAGE_STREAM] = stream_stamp,
    [MESSAGE_HELD] = held_stamp,
    [MESSAGE_FORWARD] = whole_command_stamp,
    [MESSAGE_FORWARD_ANSWER] = forward_answer_stamp,
    [MESSAGE_FETCH] = fetch_stamp,
    [MESSAGE_FETCHED] = whole_command_stamp,
    [MESSAGE_RELAY] = whole_response_stamp,
    [MESSAGE_STOP] = stop_stamp,
    [MESSAGE_PROMISE] = stop_stamp,
    [MESSAGE_JOIN] = join_stamp,
    [MESSAGE_HANDOVER] = handover_stamp,
    [MESSAGE_LOGIN] = login_stamp,
    [MESSAGE_LOGIN_ACCEPT] = login_stamp,
    [MESSAGE_FENCE] = fence_stamp,
    [MESSAGE_FENCE_ANSWER] = fence_stamp,
    [MESSAGE_ASSIGN] = assign_stamp,
    [MESSAGE_ASSIGN_ANSWER] = assign_stamp,
    [MESSAGE_DRIVE_COMMAND] = drive_command_stamp,
    [MESSAGE_DRIVE_RESPONSE] = drive_response_stamp,
    [MESSAGE_SIGNAL] = signal_stamp,
};

static uint64_t number_load(const uint8_t *at, uint8_t bytes)
{
    uint16_t half;
    uint32_t word;
    uint64_t number;
    switch (bytes) {
    case 1:
        return *at;
    case 2:
        memcpy(&half, at, 2);
        return half;
    case 4:
        memcpy(&word, at, 4);
        return word;
    default:
        memcpy(&number, at, 8);
        return number;
    }
}

static void number_store(uint8_t *at, uint8_t bytes, uint64_t number)
{
    uint16_t half = (uint16_t)number;
    uint32_t word = (uint32_t)number;
    switch (bytes) {
    case 1:
        *at = (uint8_t)number;
        break;
    case 2:
        memcpy(at, &half, 2);
        break;
    case 4:
        memcpy(at, &word, 4);
        break;
    default:
        memcpy(at, &number, 8);
    }
}

static void put_number(struct cursor *c, uint8_t bytes, uint64_t number)
{
    uint8_t *at = cursor_take(c, bytes);
    for (int i = bytes - 1; at && i >= 0; i--, number >>= 8)
        at[i] = (uint8_t)number;
}

static uint64_t get_number(struct cursor *c, uint8_t bytes)
{
    const uint8_t *at = cursor_take(c, bytes);
    uint64_t number = 0;
    if (at && bytes == 8)
        return be64_at(at);
    for (int i = 0; at && i < bytes; i++)
        number = number << 8 | at[i];
    return number;
}

static void put_member(struct cursor *c, struct member m)
{
    cursor_put8(c, m.module);
    cursor_put64(c, m.incarnation);
}

static struct member get_member(struct cursor *c)
{
    struct member m;
    memset(&m, 0, sizeof m); /* its padding too */
    m.module = cursor_get8(c);
    m.incarnation = cursor_get64(c);
    return m;
}

static void put_members(struct cursor *c, const struct members *set)
{
    must(set->count <= 2 * MODULE_MAX);
    cursor_put8(c, set->count);
    for (int i = 0; i < 2 * MODULE_MAX; i++)
        put_member(c, i < set->count ? set->at[i] : (struct member){0, 0});
}

static bool get_members(struct cursor *c, uint8_t *at)
{
    struct members members = {0}, *set = &members;
    set->count = cursor_get8(c);
    if (set->count > 2 * MODULE_MAX)
        return false;
    for (int i = 0; i < 2 * MODULE_MAX; i++) {
        struct member m = get_member(c);
        if (i >= set->count)
            continue;
        set->at[i] = m;
        if (m.module >= MODULE_MAX)
            return false;
    }
    memcpy(at, set, sizeof *set);
    return true;
}

static void put_field(struct cursor *c, const struct field *f, const struct message *message)
{
    const uint8_t *at = (const uint8_t *)message + f->at;
    struct member member;
    struct members members;
    switch ((enum field_type)f->type) {
    case FIELD_NUMBER:
        put_number(c, f->bytes, number_load(at, f->bytes));
        break;
    case FIELD_BOOL:
        cursor_put8(c, *at != 0);
        break;
    case FIELD_BYTES:
        cursor_put_bytes(c, at, f->bytes);
        break;
    case FIELD_MEMBER:
        memcpy(&member, at, sizeof member);
        put_member(c, member);
        break;
    case FIELD_MEMBERS:
        memcpy(&members, at, sizeof members);
        put_members(c, &members);
        break;
    case FIELD_END:
        break;
    }
}

static bool number_in_range(const struct field *f, uint64_t number)
{
    uint64_t ones = UINT64_MAX >> (64 - 8 * f->bytes);
    return !f->limit || number < f->limit || (f->none && number == ones);
}

static bool get_field(struct cursor *c, const struct field *f, struct message *out)
{
    uint8_t *at = (uint8_t *)out + f->at;
    struct member member;
    uint64_t number;
    switch ((enum field_type)f->type) {
    case FIELD_NUMBER:
        number = get_number(c, f->bytes);
        number_store(at, f->bytes, number);
        return number_in_range(f, number);
    case FIELD_BOOL:
        number = cursor_get8(c);
        *at = number == 1;
        return number <= 1;
    case FIELD_BYTES:
        cursor_get_bytes(c, at, f->bytes);
        return true;
    case FIELD_MEMBER:
        member = get_member(c);
        memcpy(at, &member, sizeof member);
        return member.module < f->limit || (f->none && member.module == MODULE_NONE);
    case FIELD_MEMBERS:
        return get_members(c, at);
    case FIELD_END:
        break;
    }
    return false;
}

bool stamp_known(uint8_t kind)
{
    return kind < MESSAGE_KINDS && stamps[kind];
}

void stamp_put(struct cursor *c, const struct message *message)
{
    must(stamp_known(message->kind));
    for (const struct field *f = stamps[message->kind]; f->type != FIELD_END; f++)
        put_field(c, f, message);
}

bool stamp_get(struct cursor *c, struct message *out)
{
    for (const struct field *f = stamps[out->kind]; f->type != FIELD_END; f++)
        if (!get_field(c, f, out))
            return false;
    return !c->failed;
}
