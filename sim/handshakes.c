/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/handshakes.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "sim/cell.h"
#include "sim/kinds.h"
#include "unit/entry.h"

enum { EPOCHS = 1024, ORDERS = 1 << 14, COPIES = 2048, SENTENCE = 300 };

/* What the record said of an epoch. */
struct epoch_members {
    uint64_t epoch;
    struct member primary;
    struct members in_sync;
};

/* A command in the sequence of a reign. */
struct ordered {
    uint64_t reign; /* 0: empty */
    struct command_id id;
    uint64_t ready, resolved; /* entry; 0: none yet */
    uint64_t answered_ns;     /* before any READY was sent; 0: was not */
};

struct heard {
    struct member member;
    uint64_t held;
};

/* A unit while it is primary. */
struct leader {
    uint64_t reign, first_epoch; /* reign: a number of ours; 0: it is not primary */
    uint64_t answered;           /* the highest entry that an answer has depended on */
    uint64_t dead[SENDER_MAX];   /* the sender's sessions up to it are */
    struct heard heard[MODULE_MAX];
};

/* What interface switches and managers have sent of a command. */
struct copy {
    bool used, ordered, answered; /* by some primary, at some time */
    uint8_t group, kind;
    struct command_id id;
    uint64_t epoch;     /* the highest that a copy was stamped with */
    uint64_t first;     /* ... and that of its first sending */
    uint64_t proved_ns; /* the last proof, for any copy, that the host lived */
};

struct handshakes {
    struct world *world;
    struct records *records;
    uint64_t reigns;
    struct epoch_members epoch[GROUP_MAX][EPOCHS];
    struct leader leader[MODULE_MAX][GROUP_MAX];
    struct ordered ordered[ORDERS];
    struct copy copy[GROUP_MAX][SENDER_MAX][COPIES];
    uint64_t fence[LOOP_MAX][GROUP_MAX];     /* epoch of the last one that was answered */
    uint32_t undrained[LOOP_MAX][GROUP_MAX]; /* ... and the drives that it named */
    char violation[SENTENCE];
};

struct handshakes *handshakes_new(struct world *world, struct records *records)
{
    struct handshakes *h = calloc(1, sizeof *h);
    must(h);
    h->world = world;
    h->records = records;
    return h;
}

void handshakes_free(struct handshakes *h)
{
    free(h);
}

const char *handshakes_violation(const struct handshakes *h)
{
    return h->violation[0] ? h->violation : NULL;
}

static void violated(struct handshakes *h, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void violated(struct handshakes *h, const char *format, ...)
{
    if (h->violation[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(h->violation, sizeof h->violation, format, arguments);
    va_end(arguments);
}

/* ---- the record ---- */

static void look_at_record(struct handshakes *h, int group)
{
    const struct record *record = cell_record(h->world, group);
    struct epoch_members *e = &h->epoch[group][record->epoch % EPOCHS];
    if (e->epoch == record->epoch && record->epoch > 0 &&
        (!members_equal(&e->in_sync, &record->in_sync) ||
         !member_same(e->primary, record->primary)))
        violated(h, "the members of g%d changed within epoch %llu", group + 1,
                 (unsigned long long)record->epoch);
    *e = (struct epoch_members){record->epoch, record->primary, record->in_sync};
}

/* ---- who leads ---- */

static struct leader *leader_of(struct handshakes *h, const struct part *unit)
{
    return &h->leader[port_index(unit->port)][port_sub(unit->port)];
}

/* It is primary; `epoch` is the one that it knows. */
static bool leads(const struct part *unit, uint64_t *epoch)
{
    struct unit_status status;
    unit_standing(kinds_unit(unit), &status);
    *epoch = status.epoch;
    return status.state == UNIT_STATE_PRIMARY;
}

/* A reign begins: what is behind no fence of it, or did not drain, is not called good. */
static void check_fences(struct handshakes *h, const struct part *unit, uint64_t epoch)
{
    const struct array *array = unit_array(kinds_unit(unit));
    int group = port_sub(unit->port);
    const struct record *record = cell_record(h->world, group);
    for (uint8_t p = 0; record->epoch == epoch && p < POOL_MAX; p++) {
        const struct pool_info *pool = array_pool(array, p);
        for (int i = 0; pool && i < pool->drive_count; i++) {
            int d = pool->drives[i], l = d / 32;
            bool fenced = h->fence[l][group] >= epoch && !(h->undrained[l][group] >> d % 32 & 1);
            if (!fenced && record->drive_state[d] == DRIVE_STATE_GOOD && array_can_fail(array, d))
                violated(h, "%s serves in epoch %llu with drive %d, which its fence does not cover",
                         unit->name, (unsigned long long)epoch, d);
        }
    }
}

static void look_at_unit(struct handshakes *h, const struct part *unit)
{
    struct leader *l = leader_of(h, unit);
    uint64_t epoch;
    if (!leads(unit, &epoch))
        *l = (struct leader){0};
    else if (!l->reign) {
        l->reign = ++h->reigns;
        l->first_epoch = epoch;
        check_fences(h, unit, epoch);
    }
}

void handshakes_stepped(struct handshakes *h, const struct part *unit)
{
    look_at_record(h, port_sub(unit->port));
    look_at_unit(h, unit);
}

void handshakes_fenced(struct handshakes *h, int loop, const struct fence_message *fence)
{
    h->fence[loop][fence->bank] = fence->epoch;
    h->undrained[loop][fence->bank] = fence->undrained;
}

/* ---- the sequence ---- */

static struct ordered *ordered_of(struct handshakes *h, const struct leader *l,
                                  struct command_id id)
{
    uint64_t hash = id.sequence * 0x9E3779B97F4A7C15u + id.session * 31 + id.sender * 7 +
                    l->reign * 0xD6E8FEB86659FD93u;
    return &h->ordered[(hash >> 20) % ORDERS];
}

static bool is_of(const struct ordered *o, const struct leader *l, struct command_id id)
{
    return o->reign == l->reign && command_id_same(o->id, id);
}

static struct copy *copy_of(struct handshakes *h, int group, struct command_id id)
{
    return &h->copy[group][id.sender % SENDER_MAX][id.sequence % COPIES];
}

static bool is_copy(const struct copy *c, int group, struct command_id id)
{
    return c->used && c->group == group && command_id_same(c->id, id);
}

static void take_copy(struct handshakes *h, const struct message *message)
{
    const struct command_message *m = &message->command;
    int group = port_sub(message->to);
    struct copy *c = copy_of(h, group, m->id);
    if (!is_copy(c, group, m->id))
        *c = (struct copy){.used = true,
                           .group = (uint8_t)group,
                           .kind = m->kind,
                           .id = m->id,
                           .epoch = m->epoch,
                           .first = m->epoch};
    uint64_t proved_ns = world_now(h->world) - m->age_ns;
    c->epoch = m->epoch > c->epoch ? m->epoch : c->epoch;
    c->proved_ns = proved_ns > c->proved_ns ? proved_ns : c->proved_ns;
}

/* A primary gives an order, and nobody gave one before: to a copy of this reign that is not stale,
 * of a session that lives. Ages are estimated: twice the limit is too old for certain. */
static void check_order(struct handshakes *h, const struct leader *l, const struct part *unit,
                        const struct entry *entry)
{
    const struct unit_config *config = unit->config;
    struct copy *c = copy_of(h, port_sub(unit->port), entry->id);
    if (!is_copy(c, port_sub(unit->port), entry->id) || c->ordered)
        return;
    const char *wrong = NULL;
    if (c->epoch < l->first_epoch)
        wrong = "all whose copies are of an earlier reign";
    else if (c->kind == COMMAND_SCSI && !entry->withdrawn && /* given, stopped, told */
             world_sound_since(h->world, unit->process) < c->proved_ns &&
             world_now(h->world) - c->proved_ns > 2 * config->limits.stale_ns)
        wrong = "all whose copies are stale";
    else if (entry->id.sender < SENDER_MAX && entry->id.session <= l->dead[entry->id.sender])
        wrong = "of a dead session";
    else if (c->first < cell_record(h->world, port_sub(unit->port))->cut && !entry->withdrawn)
        wrong = "first sent before the cut";
    if (wrong)
        violated(h, "%s gave an order to command %llu of sender %d, %s", unit->name,
                 (unsigned long long)entry->id.sequence, entry->id.sender, wrong);
}

static void take_session(struct leader *l, const struct entry *entry)
{
    uint64_t dead = entry->kind == ENTRY_DEAD ? entry->session : entry->session - 1;
    if (entry->session && entry->id.sender < SENDER_MAX && dead > l->dead[entry->id.sender])
        l->dead[entry->id.sender] = dead;
}

/* `index`: of a snapshot 1, which every state holds. */
static void take_entry(struct handshakes *h, struct leader *l, const struct part *unit,
                       const struct entry *entry, uint64_t index)
{
    if (entry->kind == ENTRY_DEAD || entry->kind == ENTRY_SESSION)
        take_session(l, entry);
    if (entry->kind != ENTRY_READY && entry->kind != ENTRY_RESOLVED)
        return;
    if (entry->kind == ENTRY_READY) {
        if (index > 1) /* not of a snapshot: it was just given */
            check_order(h, l, unit, entry);
        copy_of(h, port_sub(unit->port), entry->id)->ordered = true;
    }
    struct ordered *o = ordered_of(h, l, entry->id);
    if (!is_of(o, l, entry->id))
        *o = (struct ordered){.reign = l->reign, .id = entry->id};
    if (o->answered_ns == world_now(h->world) && index > 1)
        violated(h, "%s answered command %llu of sender %d before it told anybody of it",
                 unit->name, (unsigned long long)entry->id.sequence, entry->id.sender);
    uint64_t *at = entry->kind == ENTRY_READY ? &o->ready : &o->resolved;
    if (!*at || index > *at)
        *at = index;
}

static void take_stream(struct handshakes *h, const struct part *unit,
                        const struct message *message)
{
    struct leader *l = leader_of(h, unit);
    struct cursor c = cursor_read(slice_bytes(message->payload), message->payload.length);
    struct entry entry;
    uint64_t index = message->stream.first;
    while (l->reign && cursor_left(&c) > 0 && entry_get(&c, &entry))
        take_entry(h, l, unit, &entry, message->stream.first ? index++ : 1);
}

/* The record names that life of it as in sync in the unit's epoch. */
static bool named(const struct handshakes *h, const struct part *unit, struct member m)
{
    uint64_t epoch;
    if (!leads(unit, &epoch))
        return false;
    const struct epoch_members *e = &h->epoch[port_sub(unit->port)][epoch % EPOCHS];
    return e->epoch == epoch && members_find(&e->in_sync, m) >= 0;
}

void handshakes_received(struct handshakes *h, const struct part *unit,
                         const struct message *message)
{
    if (message->kind != MESSAGE_HELD || message->held.member.module >= MODULE_MAX)
        return;
    struct leader *l = leader_of(h, unit);
    if (!l->reign || message->held.epoch < l->first_epoch)
        return;
    struct heard *heard = &l->heard[message->held.member.module];
    if (!member_same(heard->member, message->held.member) && named(h, unit, heard->member))
        return; /* its later life takes back no word of the member */
    *heard = (struct heard){message->held.member, message->held.held};
}

/* ---- what a primary may do ---- */

/* As the record had it last in this reign, which a primary whose swap is on its way back does not
 * know yet: whoever was named there may claim. */
static const struct epoch_members *known_by_record(const struct handshakes *h, int group,
                                                   const struct epoch_members *e)
{
    for (;;) {
        const struct epoch_members *next = &h->epoch[group][(e->epoch + 1) % EPOCHS];
        if (next->epoch != e->epoch + 1 || !member_same(next->primary, e->primary))
            return e;
        e = next;
    }
}

void handshakes_swapped(struct handshakes *h, const struct record *before,
                        const struct record *after)
{
    const struct leader *l = &h->leader[after->primary.module % MODULE_MAX][after->group];
    if (!l->reign || !member_same(before->primary, after->primary))
        return;
    for (int i = 0; i < after->in_sync.count; i++) {
        struct member m = after->in_sync.at[i];
        const struct heard *heard = &l->heard[m.module];
        bool later = heard->member.module == m.module && heard->member.incarnation > m.incarnation;
        if (members_find(&before->in_sync, m) < 0 &&
            !later && /* else the swap was long on its way */
            (!member_same(heard->member, m) || heard->held < l->answered))
            violated(h, "the record takes %c into g%d in epoch %llu, which has not confirmed all",
                     'A' + m.module, after->group + 1, (unsigned long long)after->epoch);
    }
}

static void check_answer(struct handshakes *h, const struct part *unit,
                         const struct response_message *r)
{
    struct leader *l = leader_of(h, unit);
    int group = port_sub(unit->port);
    uint64_t epoch;
    if (!leads(unit, &epoch) || !l->reign || r->epoch < epoch) /* it relays for who led before */
        return;
    const struct epoch_members *e = &h->epoch[group][epoch % EPOCHS];
    struct ordered *o = ordered_of(h, l, r->id);
    if (e->epoch != epoch)
        return;
    e = known_by_record(h, group, e);
    const struct members *in_sync = &e->in_sync;
    struct copy *copy = copy_of(h, group, r->id);
    bool again = is_copy(copy, group, r->id) && copy->answered;
    copy->answered = true;
    if (in_sync->count == 1 && !again)
        records_answered_alone(h->records, unit, e->primary);
    if (in_sync->count < 2)
        return;
    bool told = is_of(o, l, r->id) && (o->ready || o->resolved);
    if (!told) { /* an outcome of an earlier reign, perhaps given again; or no READY was sent */
        *o = (struct ordered){.reign = l->reign, .id = r->id};
        o->answered_ns = world_now(h->world);
        return;
    }
    uint64_t least = o->resolved > o->ready ? o->resolved : o->ready;
    l->answered = least > l->answered ? least : l->answered;
    for (int i = 0; i < in_sync->count; i++) {
        struct member m = in_sync->at[i];
        const struct heard *heard = &l->heard[m.module];
        if (m.module == port_index(unit->port) ||
            (member_same(heard->member, m) && heard->held >= least))
            continue;
        violated(h, "%s answered command %llu of sender %d in epoch %llu without READY of %c%s",
                 unit->name, (unsigned long long)r->id.sequence, r->id.sender,
                 (unsigned long long)epoch, 'A' + m.module,
                 o->resolved > o->ready ? " for how it was resolved" : "");
    }
}

static void check_previous(struct handshakes *h, const struct part *unit, uint64_t epoch,
                           const char *what)
{
    const struct record *record = cell_record(h->world, port_sub(unit->port));
    if (record->epoch == epoch && record->previous.count > 0)
        violated(h, "%s %s in epoch %llu while the record names who was in charge before",
                 unit->name, what, (unsigned long long)epoch);
}

static void check_write(struct handshakes *h, const struct part *unit,
                        const struct message *message)
{
    const struct drive_message *drive = &message->drive;
    const struct leader *l = leader_of(h, unit);
    if (drive->op != DRIVE_WRITE && drive->op != DRIVE_FILL)
        return;
    check_previous(h, unit, drive->epoch, "wrote to a drive");
    uint64_t fence = h->fence[drive->drive / 32][drive->bank];
    if (l->reign && fence < l->first_epoch)
        violated(h, "%s wrote to a drive of L%d in epoch %llu, whose fence is of epoch %llu",
                 unit->name, drive->drive / 32 + 1, (unsigned long long)drive->epoch,
                 (unsigned long long)fence);
}

void handshakes_sent(struct handshakes *h, const struct part *unit, const struct message *message)
{
    if (unit->kind != &kinds_unit_part) {
        if (message->kind == MESSAGE_COMMAND)
            take_copy(h, message);
        return;
    }
    look_at_record(h, port_sub(unit->port));
    look_at_unit(h, unit); /* the step that sends it is done */
    if (message->kind == MESSAGE_STREAM)
        take_stream(h, unit, message);
    else if (message->kind == MESSAGE_DRIVE_COMMAND)
        check_write(h, unit, message);
    else if (message->kind == MESSAGE_RELAY ||
             (message->kind == MESSAGE_RESPONSE && port_kind(message->to) != PORT_KIND_UNIT)) {
        uint64_t epoch;
        check_answer(h, unit, &message->response);
        if (leads(unit, &epoch) && message->response.epoch >= epoch)
            check_previous(h, unit, epoch, "answered");
    }
}
