/* SPDX-License-Identifier: Apache-2.0 */

/* A host's command from its PDU to its answer.
 *
 * T1  A task is in exactly one list: that of its state.
 * T2  A session has at most TASK_WINDOW tasks inside its CmdSN window, TASK_SPARE beside it.
 * T3  A task in SENT has a place in the sender's window, and a response will come for it, or the
 *     sender's session is dead.
 * T4  Nothing of a doubted host becomes SENT, and nothing that waited here for more than half the
 *     stale limit, unless a ping was answered meanwhile.
 * T5  The payload of all tasks is what the switch counts.
 * T6  Of commands with much data a group has few at a time: what a host asks for in large pieces
 *     keeps nobody's small command waiting for longer. What a session sends goes in its order.
 *
 *   FREE -> EARLY --due--> ADMIT --room--> DATA --all here--> PROOF --host lives--> NEXUS --open-->
 *   READY --window--> SENT --answer--> RESPOND --given--> FREE
 *
 * Each arrow may skip states whose reason does not hold. What cannot go on is answered by
 * ourselves: RESPOND, before it was SENT. From every state but SENT a task may be freed at once
 * (aborted, session over); from SENT only after its answer. One that a reset ends before it was
 * SENT is HELD until its group has agreed. */

#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch_state.h"

static const char *const state_names[TASK_STATES] = {
    [TASK_STATE_FREE] = "free",   [TASK_STATE_EARLY] = "early",     [TASK_STATE_ADMIT] = "admit",
    [TASK_STATE_DATA] = "data",   [TASK_STATE_PROOF] = "proof",     [TASK_STATE_NEXUS] = "nexus",
    [TASK_STATE_READY] = "ready", [TASK_STATE_SENT] = "sent",       [TASK_STATE_PARTS] = "parts",
    [TASK_STATE_HELD] = "held",   [TASK_STATE_RESPOND] = "respond",
};

#define TO(state) (1u << TASK_STATE_##state)
#define TO_GATES (TO(PROOF) | TO(NEXUS) | TO(READY))
#define TO_END (TO(HELD) | TO(RESPOND) | TO(FREE))

static const uint16_t legal[TASK_STATES] = {
    [TASK_STATE_FREE] = TO(EARLY),
    [TASK_STATE_EARLY] = TO(ADMIT) | TO(DATA) | TO_GATES | TO(PARTS) | TO_END,
    [TASK_STATE_ADMIT] = TO(DATA) | TO_GATES | TO_END,
    [TASK_STATE_DATA] = TO_GATES | TO_END,
    [TASK_STATE_PROOF] = TO(NEXUS) | TO(READY) | TO_END,
    [TASK_STATE_NEXUS] = TO(PROOF) | TO(READY) | TO_END,
    [TASK_STATE_READY] = TO(PROOF) | TO(NEXUS) | TO(SENT) | TO_END,
    [TASK_STATE_SENT] = TO(RESPOND) | TO(FREE),
    [TASK_STATE_PARTS] = TO(RESPOND) | TO(FREE),
    [TASK_STATE_HELD] = TO(RESPOND) | TO(FREE),
    [TASK_STATE_RESPOND] = TO(FREE),
};

const char *task_state_name(enum task_state state)
{
    return state < TASK_STATES ? state_names[state] : "?";
}

static struct list *list_of(struct task *task, enum task_state state)
{
    struct iswitch *x = task->iswitch;
    struct session *session = task->session;
    switch (state) {
    case TASK_STATE_FREE:
        return &session->free;
    case TASK_STATE_EARLY:
        return &session->early;
    case TASK_STATE_ADMIT:
        return &session->admit;
    case TASK_STATE_DATA:
        return &session->data;
    case TASK_STATE_PROOF:
        return &session->proof;
    case TASK_STATE_NEXUS:
        return &session->at[task->group].waiting;
    case TASK_STATE_READY:
        return task->bulk ? &x->bulk[task->group] : &x->ready[task->group];
    case TASK_STATE_SENT:
    case TASK_STATE_PARTS:
    case TASK_STATE_HELD:
        return &session->elsewhere;
    case TASK_STATE_RESPOND:
        return &session->respond;
    case TASK_STATES:
        break;
    }
    must(state < TASK_STATES);
    return NULL;
}

/* A session is in the list of those that wait for payload memory while it has such a task. */
static void admitting(struct iswitch *x, struct session *session)
{
    if (list_empty(&session->admit))
        list_remove(&session->admitting);
    else if (!list_linked(&session->admitting))
        list_append(&x->admit, &session->admitting);
}

/* It is not counted among the large ones of its group any more. */
static void unweigh(struct task *task)
{
    struct iswitch *x = task->iswitch;
    if (task->bulk)
        task->session->at[task->group].bulk--;
    if (task->flight)
        x->again = true;
    x->flight_bytes[task->group] -= task->flight;
    task->flight = 0;
    task->bulk = false;
}

/* Among the large ones or not, and what of them is with the group: T6. */
static void weigh(struct task *task, enum task_state state)
{
    struct nexus *nexus = &task->session->at[task->group];
    bool large = task->kind == COMMAND_SCSI && task->data_length > LITTLE_BYTES;
    unweigh(task);
    if (large && state == TASK_STATE_SENT)
        task->flight = task->data_length;
    task->iswitch->flight_bytes[task->group] += task->flight;
    task->bulk =
        state == TASK_STATE_READY && task->kind == COMMAND_SCSI && (large || nexus->bulk > 0);
    if (task->bulk)
        nexus->bulk++;
}

void task_become(struct task *task, enum task_state state)
{
    must(state < TASK_STATES && legal[task->state] >> state & 1);
    trace_detail(task->iswitch->trace, "nexus %u itt %x: %s -> %s", task->session->nexus, task->itt,
                 state_names[task->state], state_names[state]);
    if (!task->immediate && task->state == TASK_STATE_EARLY)
        task->session->early_used--;
    if (!task->immediate && state == TASK_STATE_EARLY)
        task->session->early_used++;
    if (task->state == TASK_STATE_SENT)
        task->session->at[task->group].sent--;
    if (state == TASK_STATE_SENT)
        task->session->at[task->group].sent++;
    list_remove(&task->link);
    task->state = state;
    weigh(task, state);
    list_append(list_of(task, state), &task->link);
    admitting(task->iswitch, task->session);
}

struct task *task_new(struct iswitch *x, struct session *session, bool spare)
{
    uint32_t *used = spare ? &session->spare_used : &session->window_used;
    if (*used >= (spare ? TASK_SPARE : TASK_WINDOW))
        return NULL;
    struct task *task = list_first(&session->free, struct task, link);
    must(task && task->state == TASK_STATE_FREE);
    uint16_t index = task->index;
    uint32_t generation = task->generation + 1;
    list_remove(&task->link);
    memset(task, 0, sizeof *task);
    list_init(&task->link);
    list_init(&task->in_session);
    list_init(&task->by_itt);
    task->iswitch = x;
    task->session = session;
    task->index = index;
    task->generation = generation;
    task->immediate = spare;
    task->itt = ISCSI_TAG_NONE;
    for (int i = 0; i < R2T_MAX; i++)
        task->r2t[i].ttt = ISCSI_TAG_NONE;
    list_append(&session->tasks, &task->in_session);
    (*used)++;
    task_become(task, TASK_STATE_EARLY);
    return task;
}

static void drop_payload(struct iswitch *x, struct task *task)
{
    struct session *session = task->session;
    buffer_unref(task->buffer);
    task->buffer = NULL;
    slice_drop(&task->payload);
    must(x->payload_bytes >= task->charged && session->payload_bytes >= task->charged); /* T5 */
    x->payload_bytes -= task->charged;
    session->payload_bytes -= task->charged;
    task->charged = 0;
    x->again = true;
}

void task_hold(struct iswitch *x, struct task *task)
{
    task_become(task, TASK_STATE_HELD);
    drop_payload(x, task);
}

void task_free(struct iswitch *x, struct task *task)
{
    struct session *session = task->session;
    management_over(task);
    task_become(task, TASK_STATE_FREE);
    list_remove(&task->in_session);
    list_remove(&task->by_itt);
    drop_payload(x, task);
    uint32_t *used = task->immediate ? &session->spare_used : &session->window_used;
    must(*used > 0);
    (*used)--;
    if (session->state == SESSION_STATE_ENDING)
        session_busy(x, session);
}

void task_set_itt(struct task *task, uint32_t itt)
{
    task->itt = itt;
    list_append(&task->session->itt[itt % ITT_BUCKETS], &task->by_itt);
}

struct task *task_find(struct session *session, uint32_t itt)
{
    list_each (&session->itt[itt % ITT_BUCKETS], link, next) {
        struct task *task = list_member(link, struct task, by_itt);
        if (task->itt == itt)
            return task;
    }
    return NULL;
}

/* ---- payload: who may hold how much ---- */

/* What a host has asked for and does not read counts as well. */
static uint64_t held_by(const struct session *session)
{
    const struct connection *c = session->connection;
    return session->payload_bytes + (c ? c->unsent_bytes : 0);
}

/* A session may hold as much as it leaves free: one alone half of `limit`, each of two a third. So
 * however many take all they can get, there is room for the command of one that holds nothing. */
static bool fits(const struct iswitch *x, const struct session *session, uint32_t bytes,
                 uint64_t limit)
{
    uint64_t mine = held_by(session), all = x->payload_bytes + x->unsent_bytes;
    if (mine > 0)
        return all + mine + 2 * (uint64_t)bytes <= limit;
    return x->payload_bytes == 0 || all + bytes <= limit;
}

bool task_may_charge(const struct iswitch *x, const struct session *session, uint32_t bytes)
{
    return fits(x, session, bytes, x->config.payload_bytes);
}

void task_charge(struct iswitch *x, struct task *task, uint32_t bytes)
{
    task->charged += bytes;
    task->session->payload_bytes += bytes;
    x->payload_bytes += bytes;
}

/* ---- from its data to its group ---- */

/* Which group and volume the LUN is. REPORT LUNS asks for array-wide state, which the owner has. */
static void find_group(struct iswitch *x, struct task *task)
{
    enum { REPORT_LUNS = 0xA0 };
    if (task->part)
        return;    /* it knows already */
    unweigh(task); /* another group's, perhaps, from now on */
    const struct directory_entry *entry = access_find(x, task->session, task->lun);
    bool owner = !entry || (task->cdb[0] == REPORT_LUNS && entry->group != x->config.owner);
    task->group = owner ? x->config.owner : entry->group;
    task->volume = owner ? VOLUME_NONE : entry->volume;
}

static bool is_old(const struct iswitch *x, const struct task *task)
{
    uint64_t limit = task->proved ? iswitch_stale_ns(x) : iswitch_stale_ns(x) / 2;
    return x->now_ns - task->begun_ns > limit && !mutant(MUTANT_OLD_IN_SWITCH_FRESH);
}

/* The gates in their order; the first one that is closed keeps the task. */
static enum task_state gate(struct iswitch *x, struct task *task)
{
    struct connection *c = task->session->connection;
    if (c && c->doubted)
        return TASK_STATE_PROOF;
    if (!x->directory_known || task->session->at[task->group].state != NEXUS_STATE_OPEN)
        return TASK_STATE_NEXUS;
    return TASK_STATE_READY;
}

void task_route(struct iswitch *x, struct task *task)
{
    enum { BUSY = 0x08 };
    find_group(x, task);
    if (task->kind == COMMAND_SCSI && away(x, task->group)) {
        task->refused = true;
        task->status = BUSY;
        response_queue(x, task);
        return;
    }
    enum task_state state = gate(x, task);
    if (state != task->state) {
        task_become(task, state);
    } else {
        list_remove(&task->link);
        weigh(task, state);
        list_append(list_of(task, state), &task->link);
    }
    if (state == TASK_STATE_NEXUS)
        session_busy(x, task->session);
    else if (state == TASK_STATE_READY)
        x->again = true;
}

void task_proved(struct iswitch *x, struct session *session, uint64_t since_ns)
{
    struct list waiting;
    list_init(&waiting);
    list_each (&session->proof, link, next) {
        list_remove(link);
        list_prepend(&waiting, link);
    }
    /* newest first, each to the front: they have waited longer than what came meanwhile */
    list_each (&waiting, newest, after) {
        struct task *task = list_member(newest, struct task, link);
        if (!task->proved)
            task->came_ns = task->begun_ns;
        task->begun_ns = since_ns;
        task->proved = true;
        task_route(x, task);
        if (task->state == TASK_STATE_READY || task->state == TASK_STATE_NEXUS) {
            struct list *head = list_of(task, task->state);
            list_remove(&task->link);
            list_prepend(head, &task->link);
        }
    }
}

void task_nexus_open(struct iswitch *x, struct session *session, uint8_t group)
{
    struct list waiting;
    list_init(&waiting);
    list_each (&session->at[group].waiting, link, next) {
        list_remove(link);
        list_append(&waiting, link);
    }
    list_each (&waiting, oldest, after)
        task_route(x, list_member(oldest, struct task, link));
}

/* It fits. False: there is no buffer of its size. */
static bool admit(struct iswitch *x, struct task *task)
{
    bool write = task->flags & ISCSI_COMMAND_WRITE;
    uint32_t bytes = task->data_length;
    task->buffer = write ? buffer_get(x->buffers, bytes) : NULL;
    if (write && !task->buffer)
        return false;
    task_charge(x, task, bytes);
    if (write)
        data_expect(x, task);
    else
        task_route(x, task);
    return true;
}

/* The oldest of each session, in turn: a host's commands stay in their order, and what is looked at
 * in vain is one for each session. */
void task_admit(struct iswitch *x)
{
    uint64_t limit = x->config.payload_bytes / 4 * 3; /* the rest: data that cannot be put off */
    bool large_waits = false;
    struct list *next;
    for (struct list *link = x->admit.next; link != &x->admit; link = next) {
        struct session *session = list_member(link, struct session, admitting);
        struct task *task = list_first(&session->admit, struct task, link);
        bool only = held_by(session) == 0;
        next = link->next;
        /* Its turn has come, but for room: only little ones of others pass it by. */
        if (large_waits && (!only || task->data_length > LITTLE_BYTES))
            continue;
        if (!fits(x, session, task->data_length, limit)) {
            large_waits = large_waits || only;
            continue;
        }
        if (!admit(x, task))
            return;
        if (!list_empty(&session->admit)) { /* its next one comes behind the others' */
            list_remove(link);
            list_append(&x->admit, link);
            next = next == &x->admit ? link : next;
        }
        if (!iswitch_has_room(x))
            return;
    }
}

static void put_command(const struct task *task, struct command_message *command)
{
    memset(command, 0, sizeof *command);
    command->kind = task->kind;
    command->nexus = task->session->nexus;
    command->volume = task->volume;
    command->lun = task->lun;
    if (task->kind == COMMAND_TASK) {
        command->task = task->function;
        command->task_sequence = task->task_sequence;
        return;
    }
    command->host = task->session->host;
    command->luns = task->luns;
    command->attribute = task->flags & ISCSI_COMMAND_ATTRIBUTE;
    memcpy(command->cdb, task->cdb, sizeof command->cdb);
    command->data_length = task->expected_length;
    command->wants_read = task->flags & ISCSI_COMMAND_READ;
    command->wants_write = task->flags & ISCSI_COMMAND_WRITE;
}

/* False: the sender's window is full. */
static bool submit(struct iswitch *x, struct task *task)
{
    struct command_message command;
    task->luns = access_news(task->session);
    put_command(task, &command);
    struct slice data = task->buffer ? slice_of(task->buffer, 0, task->data_length) : slice_none();
    uint64_t cookie = session_cookie(task->session->index, task->index, task->generation);
    task->sequence = sender_submit(x->sender, task->group, &command, data, task->begun_ns, cookie);
    if (task->sequence == 0)
        return false;
    task_become(task, TASK_STATE_SENT);
    x->commands++;
    return true;
}

static bool too_much(const struct iswitch *x, const struct task *task)
{
    uint64_t flight = x->flight_bytes[task->group];
    return task->bulk && flight > 0 && flight + task->data_length > BULK_BYTES;
}

static void submit_all(struct iswitch *x, uint8_t g, struct list *ready)
{
    list_each (ready, link, next) {
        struct task *task = list_member(link, struct task, link);
        if (!sender_has_room(x->sender, g) || too_much(x, task))
            return;
        struct connection *c = task->session->connection;
        if (c && is_old(x, task))
            nop_doubt(x, c, x->now_ns - iswitch_stale_ns(x) / 2);
        if (gate(x, task) != TASK_STATE_READY)
            task_route(x, task); /* the host is doubted since: T4 */
        else if (!submit(x, task))
            return;
    }
}

void task_submit(struct iswitch *x)
{
    for (uint8_t g = 0; g < x->config.sender.groups; g++) {
        submit_all(x, g, &x->bulk[g]); /* they leave room for the others */
        submit_all(x, g, &x->ready[g]);
    }
}

/* ---- answers ---- */

/* One that was withdrawn when it had an order already is answered without what it read. */
static bool lacks_data(const struct task *task, const struct response_message *response,
                       struct slice payload)
{
    bool reads = task->flags & ISCSI_COMMAND_READ && !(task->flags & ISCSI_COMMAND_WRITE);
    return task->ended && reads && response->status == 0 &&
           payload.length < response->transferred && payload.length < task->expected_length;
}

void task_answered(struct iswitch *x, struct task *task, const struct response_message *response,
                   struct slice payload)
{
    enum { TASK_ABORTED = 0x40 };
    must(task->state == TASK_STATE_SENT);
    buffer_unref(task->buffer);
    task->buffer = NULL;
    if (task->part) {
        management_part(x, task,
                        response->withdrawn ? ISCSI_TASK_REJECTED : response->task_response);
        return;
    }
    access_answered(task, response, payload);
    sense_note(x, task, response);
    struct session *session = task->session;
    uint32_t itt = task->itt;
    bool ended = task->ended;
    bool lost = response->withdrawn || lacks_data(task, response, payload);
    bool delivered =
        !task->silent && management_delivers(task, lost || response->status == TASK_ABORTED);
    if (delivered) {
        task->status = lost ? TASK_ABORTED : response->status;
        task->sense_length = lost ? 0 : response->sense_length;
        memcpy(task->sense, response->sense, sizeof task->sense);
        sense_form(x, task);
        task->transferred = lost ? 0 : response->transferred;
        task->payload = lost ? slice_none() : slice_ref(payload);
        response_queue(x, task);
    } else {
        task_free(x, task);
    }
    if (ended)
        management_answered(x, session, itt, delivered);
}
