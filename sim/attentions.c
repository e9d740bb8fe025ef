/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/attentions.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "sim/cell.h"

enum { VOLUMES = 16, HOSTS = 8, PATHS = SWITCH_MAX, SENTENCE = 300 };
enum { CHECK_CONDITION = 2, UNIT_ATTENTION = 6, MISCOMPARE = 0x0E };
enum { PERSISTENT_RESERVE_OUT = 0x5F, LOGICAL_UNIT_RESET = 5, TARGET_WARM_RESET = 6 };

/* Of one nexus and volume. */
struct telling {
    uint64_t life;
    uint32_t greetings; /* that may still come */
    uint32_t under_way; /* commands */
    uint64_t owed_ns;   /* since then a power-on must be told; 0: none */
    uint64_t passed_ns; /* another answer came first, while others were under way */
    bool known;
};

struct volume {
    bool used, reserved, reset;
    uint8_t group;
    uint16_t number;
    struct telling telling[HOSTS][PATHS];
};

struct attentions {
    struct world *world;
    struct volume volume[VOLUMES];
    uint64_t cut[GROUP_MAX]; /* the last power-on that is known */
    uint64_t told;
    bool mapped;           /* the list of LUNs has changed, or may have */
    bool grown;            /* a volume has */
    bool reset[GROUP_MAX]; /* all its volumes */
    char violation[SENTENCE];
};

struct attentions *attentions_new(struct world *world)
{
    struct attentions *a = calloc(1, sizeof *a);
    must(a);
    a->world = world;
    return a;
}

void attentions_free(struct attentions *a)
{
    free(a);
}

const char *attentions_violation(const struct attentions *a)
{
    return a->violation[0] ? a->violation : NULL;
}

void attentions_mapped(struct attentions *a)
{
    a->mapped = true;
}

void attentions_grown(struct attentions *a)
{
    a->grown = true;
}

uint64_t attentions_told(const struct attentions *a)
{
    return a->told;
}

static void violated(struct attentions *a, const struct op *op, const char *what)
{
    if (a->violation[0])
        return;
    snprintf(a->violation, sizeof a->violation,
             "operation %u (host %d, path %d) on volume %d of g%d: %s; status %02x, sense "
             "%x/%02x/%02x",
             op->ticket, op->host, op->path, op->volume, op->group + 1, what, op->status,
             op->sense_key, op->asc, op->ascq);
}

static struct volume *volume_of(struct attentions *a, const struct op *op)
{
    for (int i = 0; i < VOLUMES; i++) {
        struct volume *v = &a->volume[i];
        if (!v->used)
            *v = (struct volume){.used = true, .group = op->group, .number = op->volume};
        if (v->group == op->group && v->number == op->volume)
            return v;
    }
    must_failed("room for a volume's unit attentions", __FILE__, __LINE__);
}

/* ---- what may be told ---- */

/* Somebody serves the group again that has its state from the drives. If that reign is over already
 * it may have been deposed before it served: then nothing is owed. */
static void look_for_power_on(struct attentions *a, uint8_t group)
{
    const struct record *record = cell_record(a->world, group);
    if (record->previous.count || record->cut == a->cut[group])
        return;
    bool serves = record->cut == record->epoch;
    a->cut[group] = record->cut;
    for (int i = 0; i < VOLUMES; i++)
        for (int n = 0; n < HOSTS * PATHS; n++) {
            struct telling *t = &a->volume[i].telling[n / PATHS][n % PATHS];
            if (!a->volume[i].used || a->volume[i].group != group || !t->known)
                continue;
            t->greetings++;
            t->owed_ns = serves ? world_now(a->world) : 0;
            t->passed_ns = 0;
        }
}

static void meet(struct telling *t, uint64_t life)
{
    if (t->known && t->life == life)
        return;
    t->known = true;
    t->life = life;
    t->greetings = 1;
    t->owed_ns = 0;
}

static void told(struct attentions *a, const struct volume *v, struct telling *t,
                 const struct op *op)
{
    uint16_t code = (uint16_t)(op->asc << 8 | op->ascq);
    bool greeting = code == 0x2900 || code == 0x2907;
    bool reserved = code == 0x2A03 || code == 0x2A04 || code == 0x2A05;
    a->told++;
    if (greeting && t->greetings > 0) {
        if (t->owed_ns && op->begun_ns > t->passed_ns && t->passed_ns > t->owed_ns)
            violated(a, op, "the power-on is told after another answer");
        t->greetings--;
        t->owed_ns = 0;
    } else if (greeting) {
        violated(a, op, "a nexus is greeted again");
    } else if (!(code == 0x2903 && (v->reset || a->reset[v->group])) &&
               !(reserved && v->reserved) && !(code == 0x3F0E && a->mapped) &&
               !(code == 0x2A09 && a->grown)) {
        violated(a, op, "a unit attention that nothing explains");
    }
}

/* An answer that no unit attention may come after. */
static bool is_answer(const struct op *op)
{
    return op->status == 0 || op->status == 0x18 ||
           (op->status == CHECK_CONDITION && op->sense_key == MISCOMPARE);
}

static void passed(struct attentions *a, struct telling *t, const struct op *op)
{
    if (!t->owed_ns || op->begun_ns <= t->owed_ns)
        return;
    if (t->under_way == 0)
        violated(a, op, "the group lost its memory, and the nexus is not told");
    t->passed_ns = op->ended_ns;
}

/* ---- operations ---- */

static bool judged(const struct op *op)
{
    return op->kind != OP_MANAGE && op->volume != VOLUME_NONE && op->host < HOSTS &&
           op->path < PATHS;
}

void attentions_begun(struct attentions *a, const struct op *op, uint64_t life)
{
    if (op->kind == OP_TASK && op->task >= TARGET_WARM_RESET)
        a->reset[op->group] = true;
    if (!judged(op))
        return;
    struct volume *v = volume_of(a, op);
    look_for_power_on(a, op->group);
    v->reserved |= op->kind == OP_CDB && op->cdb[0] == PERSISTENT_RESERVE_OUT;
    v->reset |= op->kind == OP_TASK && op->task == LOGICAL_UNIT_RESET;
    if (op->kind == OP_TASK)
        return;
    meet(&v->telling[op->host][op->path], life);
    v->telling[op->host][op->path].under_way++;
}

void attentions_ended(struct attentions *a, const struct op *op, uint64_t life)
{
    if (!judged(op) || op->kind == OP_TASK)
        return;
    struct volume *v = volume_of(a, op);
    struct telling *t = &v->telling[op->host][op->path];
    look_for_power_on(a, op->group);
    meet(t, life);
    t->under_way--;
    if (op->state != OP_STATE_ANSWERED || op->withdrawn)
        t->owed_ns = 0; /* it may have been told by the answer that was lost */
    else if (op->status == CHECK_CONDITION && op->sense_key == UNIT_ATTENTION)
        told(a, v, t, op);
    else if (is_answer(op))
        passed(a, t, op);
}
