/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/reservations.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/must.h"

enum { VOLUMES = 16, HOSTS = 8, PATHS = SWITCH_MAX, NEXUSES = HOSTS * PATHS, SENTENCE = 300 };
enum {
    NOBODY = 0xFF,
    OUT = 0x5F,
    IN = 0x5E,
    RESERVE = 0x16,
    PARAMETERS = 24,
    ANSWER = 8 + NEXUSES * 8 + 24
};
enum { GOOD = 0, CHECK_CONDITION = 2, CONFLICT = 0x18, ILLEGAL_REQUEST = 5, UNIT_ATTENTION = 6 };
#define KEY_MAGIC ((uint64_t)0x5E60E << 40)

enum type {
    TYPE_NONE = 0,
    TYPE_WRITE_EXCLUSIVE = 1,
    TYPE_EXCLUSIVE = 3,
    TYPE_WRITE_EXCLUSIVE_REGISTRANTS = 5,
    TYPE_EXCLUSIVE_REGISTRANTS = 6,
    TYPE_WRITE_EXCLUSIVE_ALL = 7,
    TYPE_EXCLUSIVE_ALL = 8,
};

/* What stands on one volume. */
struct standing {
    bool used;
    uint8_t group;
    uint16_t volume;
    bool keys_known, holder_known;
    bool reserved;       /* by RESERVE(6), perhaps: not judged any more */
    uint64_t settled_ns; /* what is unknown has happened by then, or never will */
    uint32_t under_way;  /* PERSISTENT RESERVE OUT */
    uint32_t round;      /* changes whenever what stands may */
    bool registered[NEXUSES];
    uint8_t type, holder; /* of a type with one holder; else NOBODY */
};

struct reservations {
    struct standing standing[VOLUMES];
    uint64_t judged;
    char violation[SENTENCE];
};

struct reservations *reservations_new(void)
{
    struct reservations *r = calloc(1, sizeof *r);
    must(r);
    return r;
}

void reservations_free(struct reservations *r)
{
    free(r);
}

const char *reservations_violation(const struct reservations *r)
{
    return r->violation[0] ? r->violation : NULL;
}

uint64_t reservations_judged(const struct reservations *r)
{
    return r->judged;
}

static void violated(struct reservations *r, const struct op *op, const struct standing *s,
                     const char *what)
{
    if (r->violation[0])
        return;
    snprintf(
        r->violation, sizeof r->violation,
        "operation %u (host %d, path %d) on volume %d of g%d: %s; status %02x, the reservation "
        "is of type %d, held by nexus %d",
        op->ticket, op->host, op->path, op->volume, op->group + 1, what, op->status, s->type,
        s->holder);
}

/* Everything is known at first: there is nothing. */
static struct standing *standing_of(struct reservations *r, uint8_t group, uint16_t volume)
{
    for (int i = 0; i < VOLUMES; i++) {
        struct standing *s = &r->standing[i];
        if (!s->used)
            *s = (struct standing){.used = true,
                                   .group = group,
                                   .volume = volume,
                                   .keys_known = true,
                                   .holder_known = true,
                                   .round = 1,
                                   .holder = NOBODY};
        if (s->group == group && s->volume == volume)
            return s;
    }
    must_failed("room for a volume's reservations", __FILE__, __LINE__);
}

static bool known(const struct standing *s)
{
    return s->keys_known && s->holder_known && s->under_way == 0;
}

bool reservations_known(const struct reservations *r, uint8_t group, uint16_t volume,
                        bool *keys_first)
{
    for (int i = 0; i < VOLUMES; i++) {
        const struct standing *s = &r->standing[i];
        if (!s->used || s->group != group || s->volume != volume)
            continue;
        *keys_first = !s->keys_known;
        return s->keys_known && s->holder_known;
    }
    return true;
}

static void forget(struct standing *s, uint64_t settled_ns)
{
    s->keys_known = s->holder_known = false;
    if (settled_ns > s->settled_ns)
        s->settled_ns = settled_ns;
    s->round++;
}

void reservations_lost(struct reservations *r, uint8_t group, uint64_t at_ns)
{
    for (int i = 0; i < VOLUMES; i++)
        if (r->standing[i].used && r->standing[i].group == group)
            forget(&r->standing[i], at_ns);
}

/* ---- commands ---- */

static uint8_t nexus_of(const struct op *op)
{
    return (uint8_t)(op->host * PATHS + op->path);
}

uint64_t reservations_key(uint8_t host, uint8_t path)
{
    return KEY_MAGIC | (uint64_t)(host * PATHS + path + 1);
}

/* NOBODY: not a key of ours. */
static uint8_t nexus_of_key(uint64_t key)
{
    uint64_t number = key ^ KEY_MAGIC;
    return number >= 1 && number <= NEXUSES ? (uint8_t)(number - 1) : NOBODY;
}

struct op *op_reserve(struct clients *clients, enum reservation_action action, uint8_t type,
                      uint8_t host, uint8_t path, uint64_t other)
{
    uint8_t cdb[16] = {OUT, (uint8_t)action, type};
    uint8_t parameters[PARAMETERS] = {0};
    be32_put(cdb + 5, PARAMETERS);
    if (action != RESERVATION_REGISTER_AND_IGNORE)
        be64_put(parameters, reservations_key(host, path));
    be64_put(parameters + 8, other);
    struct op *op = op_cdb(clients, cdb, parameters, PARAMETERS, 0);
    op->host = host;
    op->path = path;
    return op;
}

struct op *op_reservation_read(struct clients *clients, uint8_t what)
{
    uint8_t cdb[16] = {IN, what};
    be16_put(cdb + 7, ANSWER);
    return op_cdb(clients, cdb, NULL, 0, ANSWER);
}

/* ---- what they do ---- */

static bool all_registrants(uint8_t type)
{
    return type == TYPE_WRITE_EXCLUSIVE_ALL || type == TYPE_EXCLUSIVE_ALL;
}

static bool holds(const struct standing *s, uint8_t nexus)
{
    return s->type != TYPE_NONE &&
           (all_registrants(s->type) ? s->registered[nexus] : s->holder == nexus);
}

static void release(struct standing *s)
{
    s->type = TYPE_NONE;
    s->holder = NOBODY;
}

static void unregister(struct standing *s, uint8_t nexus)
{
    bool last = true;
    s->registered[nexus] = false;
    for (int n = 0; n < NEXUSES; n++)
        last &= !s->registered[n];
    if (s->holder == nexus || last)
        release(s);
}

static void take(struct standing *s, uint8_t nexus, uint8_t type)
{
    s->type = type;
    s->holder = all_registrants(type) ? NOBODY : nexus;
}

/* A registered nexus preempts a key: with the holder's the reservation becomes its own. False: the
 * key is nobody's. */
static bool preempt(struct standing *s, uint8_t nexus, uint8_t type, uint64_t key)
{
    uint8_t victim = nexus_of_key(key);
    if (victim == NOBODY || !s->registered[victim])
        return false;
    bool takes = s->type != TYPE_NONE && s->holder == victim;
    if (victim != nexus)
        unregister(s, victim);
    if (takes)
        take(s, nexus, type);
    return true;
}

/* Carries it out on what stands. The status that it must have. */
static uint8_t carried_out(struct standing *s, const struct op *op)
{
    uint8_t nexus = nexus_of(op), type = op->cdb[2] & 0x0F;
    uint64_t other = be64_at(op->out + 8);
    enum reservation_action action = (enum reservation_action)(op->cdb[1] & 0x1F);
    if (action != RESERVATION_REGISTER_AND_IGNORE && !s->registered[nexus])
        return CONFLICT;
    switch (action) {
    case RESERVATION_REGISTER:
    case RESERVATION_REGISTER_AND_IGNORE:
        if (other)
            s->registered[nexus] = true;
        else
            unregister(s, nexus);
        return GOOD;
    case RESERVATION_RESERVE:
        if (s->type != TYPE_NONE && (!holds(s, nexus) || s->type != type))
            return CONFLICT;
        take(s, nexus, type);
        return GOOD;
    case RESERVATION_RELEASE:
        if (holds(s, nexus) && s->type != type)
            return CHECK_CONDITION; /* INVALID RELEASE OF PERSISTENT RESERVATION */
        if (holds(s, nexus))
            release(s);
        return GOOD;
    case RESERVATION_CLEAR:
        memset(s->registered, 0, sizeof s->registered);
        release(s);
        return GOOD;
    case RESERVATION_PREEMPT:
    case RESERVATION_PREEMPT_AND_ABORT:
        return preempt(s, nexus, type, other) ? GOOD : CONFLICT;
    }
    return GOOD;
}

static bool unit_attention(const struct op *op)
{
    return op->status == CHECK_CONDITION && op->sense_key == UNIT_ATTENTION;
}

/* It was refused before anybody looked at it. */
static bool not_begun(const struct op *op)
{
    return unit_attention(op) || op->status == 0x08 || op->status == 0x28 || op->withdrawn;
}

static void out_ended(struct reservations *r, struct standing *s, const struct op *op)
{
    bool judged = s->keys_known && s->holder_known && s->under_way == 1;
    s->under_way--;
    s->round++;
    if (op->state != OP_STATE_ANSWERED) {
        forget(s, op->not_after_ns);
        return;
    }
    if (not_begun(op))
        return;
    bool refused = op->status == CHECK_CONDITION && op->sense_key == ILLEGAL_REQUEST;
    if (!judged || (op->status != GOOD && op->status != CONFLICT && !refused)) {
        forget(s, op->ended_ns);
        return;
    }
    struct standing before = *s;
    uint8_t status = carried_out(s, op);
    r->judged++;
    if (status != op->status)
        violated(r, op, &before,
                 status == GOOD ? "a reservation command was refused"
                                : "a reservation command should have been refused");
}

static void keys_read(struct reservations *r, struct standing *s, const struct op *op)
{
    bool found[NEXUSES] = {false};
    uint32_t length = op->in_length >= 8 ? be32_at(op->in + 4) : 0;
    for (uint32_t at = 8; at + 8 <= 8 + length && at + 8 <= op->in_length; at += 8) {
        uint8_t nexus = nexus_of_key(be64_at(op->in + at));
        if (nexus == NOBODY)
            violated(r, op, s, "a key is registered that nobody has");
        else
            found[nexus] = true;
    }
    if (s->keys_known && memcmp(found, s->registered, sizeof found) != 0)
        violated(r, op, s, "the registered keys are not those that were registered");
    memcpy(s->registered, found, sizeof found);
    s->keys_known = true;
}

static void holder_read(struct reservations *r, struct standing *s, const struct op *op)
{
    bool held = op->in_length >= 24 && be32_at(op->in + 4) >= 16;
    uint8_t type = held ? op->in[21] & 0x0F : TYPE_NONE;
    uint8_t holder = held && !all_registrants(type) ? nexus_of_key(be64_at(op->in + 8)) : NOBODY;
    if (s->holder_known && (type != s->type || holder != s->holder))
        violated(r, op, s, "the reservation is not the one that was made");
    s->type = type;
    s->holder = holder;
    s->holder_known = true;
}

static void in_ended(struct reservations *r, struct standing *s, const struct op *op)
{
    if (op->state != OP_STATE_ANSWERED || op->status != GOOD || s->under_way ||
        op->round != s->round || op->begun_ns <= s->settled_ns)
        return;
    if ((op->cdb[1] & 0x1F) == RESERVATION_READ_KEYS)
        keys_read(r, s, op);
    else
        holder_read(r, s, op);
}

/* ---- what they forbid ---- */

static bool reads_only(const struct op *op)
{
    return op->kind == OP_READ || op->kind == OP_VERIFY;
}

static bool is_data(const struct op *op)
{
    return op->kind != OP_CDB && op->kind != OP_TASK && op->kind != OP_MANAGE;
}

static bool allows(const struct standing *s, const struct op *op)
{
    uint8_t nexus = nexus_of(op);
    switch ((enum type)s->type) {
    case TYPE_NONE:
        return true;
    case TYPE_WRITE_EXCLUSIVE:
        return reads_only(op) || s->holder == nexus;
    case TYPE_EXCLUSIVE:
        return s->holder == nexus;
    case TYPE_WRITE_EXCLUSIVE_REGISTRANTS:
    case TYPE_WRITE_EXCLUSIVE_ALL:
        return reads_only(op) || s->registered[nexus];
    case TYPE_EXCLUSIVE_REGISTRANTS:
    case TYPE_EXCLUSIVE_ALL:
        return s->registered[nexus];
    }
    return true;
}

static void data_ended(struct reservations *r, struct standing *s, const struct op *op)
{
    if (op->state != OP_STATE_ANSWERED || op->round != s->round || !known(s) || s->reserved ||
        not_begun(op))
        return;
    bool miscompare = op->status == CHECK_CONDITION && op->sense_key == 0x0E;
    r->judged += s->type != TYPE_NONE;
    if (allows(s, op) && op->status == CONFLICT)
        violated(r, op, s, "refused for a reservation that allows it");
    if (!allows(s, op) && (op->status == GOOD || miscompare))
        violated(r, op, s, "carried out against a reservation");
}

void reservations_begun(struct reservations *r, struct op *op)
{
    if (op->volume == VOLUME_NONE || op->path >= PATHS || op->host >= HOSTS)
        return;
    struct standing *s = standing_of(r, op->group, op->volume);
    if (op->kind == OP_CDB && op->cdb[0] == OUT) {
        s->under_way++;
        s->round++;
    }
    s->reserved |= op->kind == OP_CDB && op->cdb[0] == RESERVE;
    op->round = s->round;
}

void reservations_ended(struct reservations *r, const struct op *op)
{
    if (op->volume == VOLUME_NONE || op->path >= PATHS || op->host >= HOSTS)
        return;
    struct standing *s = standing_of(r, op->group, op->volume);
    if (op->kind == OP_CDB && op->cdb[0] == OUT)
        out_ended(r, s, op);
    else if (op->kind == OP_CDB && op->cdb[0] == IN)
        in_ended(r, s, op);
    else if (is_data(op))
        data_ended(r, s, op);
}
