/* SPDX-License-Identifier: Apache-2.0 */

/* A host's session, which is one I_T nexus, and its nexus with each group: opened before the first
 * command of the host goes there, lost after the last one is over. A session outlives its
 * connection until then, and stands in the way of the host's next login.
 *
 *     CLOSED --a command waits--> OPENING --answer--> OPEN --session ended, nothing sent--> LOSING
 *       ^                                                                                     |
 *       +-------------------------------------- answer ---------------------------------------+
 */

#include <string.h>

#include "base/must.h"
#include "iswitch/iswitch_state.h"

static void clear(struct iswitch *x, struct session *session)
{
    list_init(&session->tasks);
    list_init(&session->early);
    list_init(&session->admit);
    list_init(&session->data);
    list_init(&session->proof);
    list_init(&session->elsewhere);
    list_init(&session->respond);
    list_init(&session->free);
    for (int i = 0; i < ITT_BUCKETS; i++)
        list_init(&session->itt[i]);
    for (uint16_t i = 0; i < TASKS; i++) {
        session->task[i].index = i;
        session->task[i].session = session;
        session->task[i].iswitch = x;
        list_init(&session->task[i].link);
        list_append(&session->free, &session->task[i].link);
    }
    for (int g = 0; g < GROUP_MAX; g++) {
        session->at[g] = (struct nexus){.state = NEXUS_STATE_CLOSED};
        list_init(&session->at[g].waiting);
    }
}

struct session *session_new(struct iswitch *x, struct connection *c)
{
    struct session *session = list_first(&x->free_sessions, struct session, link);
    if (!session)
        return NULL;
    must(session->state == SESSION_STATE_FREE);
    list_remove(&session->link);
    list_append(&x->sessions, &session->link);
    session->state = SESSION_STATE_LIVE;
    session->generation++;
    session->connection = c;
    session->nexus = ++x->last_nexus;
    if (session->nexus == NEXUS_NONE)
        session->nexus = x->last_nexus = 1;
    memcpy(session->initiator, c->parameters.initiator, sizeof session->initiator);
    memcpy(session->isid, c->isid, sizeof session->isid);
    access_begin(x, session);
    session->window_used = session->spare_used = session->early_used = 0;
    session->payload_bytes = 0;
    session->reads = session->writes = session->read_bytes = session->written_bytes = 0;
    clear(x, session);
    return session;
}

void session_busy(struct iswitch *x, struct session *session)
{
    if (!list_linked(&session->busy))
        list_append(&x->busy, &session->busy);
    x->again = true;
}

struct session *session_rival(struct iswitch *x, const char *initiator, const uint8_t isid[6],
                              bool *live)
{
    struct session *ending = NULL;
    list_each (&x->sessions, link, next) {
        struct session *session = list_member(link, struct session, link);
        if (strcmp(session->initiator, initiator) != 0)
            continue;
        if (session->state == SESSION_STATE_ENDING)
            ending = session;
        else if (memcmp(session->isid, isid, sizeof session->isid) == 0) {
            *live = true;
            return session;
        }
    }
    *live = false;
    return ending;
}

/* Frees what is not with a group, withdraws what is. */
static void end_tasks(struct iswitch *x, struct session *session)
{
    list_each (&session->tasks, link, next) {
        struct task *task = list_member(link, struct task, in_session);
        if (task->state == TASK_STATE_SENT) {
            task->silent = true;
            task->parent = NULL;
            sender_withdraw(x->sender, task->group, task->sequence);
        }
    }
    list_each (&session->tasks, other, after) {
        struct task *task = list_member(other, struct task, in_session);
        if (task->state != TASK_STATE_SENT)
            task_free(x, task);
    }
}

void session_end(struct iswitch *x, struct session *session)
{
    struct connection *c = session->connection;
    if (!c || c->state != CONNECTION_STATE_LOGOUT) {
        session->connection = NULL;
        if (c)
            c->session = NULL;
    }
    if (session->state == SESSION_STATE_ENDING)
        return;
    session->state = SESSION_STATE_ENDING;
    end_tasks(x, session);
    session_busy(x, session);
}

static void release(struct iswitch *x, struct session *session)
{
    struct connection *c = session->connection;
    must(list_empty(&session->tasks) && session->payload_bytes == 0);
    session->connection = NULL;
    session->state = SESSION_STATE_FREE;
    list_remove(&session->busy);
    list_remove(&session->responding);
    list_remove(&session->link);
    list_append(&x->free_sessions, &session->link);
    x->again = true;
    if (c) {
        c->session = NULL;
        logout_answer(x, c);
    }
}

void session_forget(struct iswitch *x, struct session *session)
{
    session->state = SESSION_STATE_ENDING;
    while (!list_empty(&session->tasks))
        task_free(x, list_first(&session->tasks, struct task, in_session));
    struct connection *c = session->connection;
    session->connection = NULL;
    if (c) {
        c->session = NULL;
        connection_close(x, c, "the array has declared this switch's session dead");
    }
    release(x, session);
}

/* ---- nexuses ---- */

static void put_hex(struct cursor *out, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    cursor_put8(out, (uint8_t)digits[byte >> 4]);
    cursor_put8(out, (uint8_t)digits[byte & 15]);
}

/* The initiator port's name, SPC-4 7.6.4.6: "NAME,i,0xISID". */
static struct slice port_name(struct iswitch *x, const struct session *session)
{
    enum { PORT_NAME_BYTES = TARGET_NAME_BYTES + 17 };
    struct buffer *buffer = buffer_get(x->buffers, PORT_NAME_BYTES);
    if (!buffer)
        return slice_none();
    struct cursor out = cursor_of(buffer->data, PORT_NAME_BYTES);
    cursor_put_bytes(&out, session->initiator, strlen(session->initiator));
    cursor_put_bytes(&out, ",i,0x", 5);
    for (int i = 0; i < 6; i++)
        put_hex(&out, session->isid[i]);
    must(!out.failed);
    return slice_of(buffer, 0, (uint32_t)(out.at - buffer->data));
}

static bool submit(struct iswitch *x, struct session *session, uint8_t group,
                   enum command_kind kind)
{
    if (!sender_has_room(x->sender, group))
        return false;
    struct slice name = slice_none();
    if (kind == COMMAND_NEXUS_OPEN) {
        name = port_name(x, session);
        if (!name.buffer)
            return false;
    }
    struct command_message command = {.kind = (uint8_t)kind,
                                      .nexus = session->nexus,
                                      .volume = VOLUME_NONE,
                                      .host = session->host,
                                      .luns = session->told,
                                      .data_length = name.length,
                                      .wants_write = name.length > 0};
    uint64_t cookie =
        session_cookie(session->index, (uint16_t)(COOKIE_NEXUS + group), session->generation);
    uint64_t sequence = sender_submit(x->sender, group, &command, name, x->now_ns, cookie);
    slice_drop(&name);
    return sequence > 0;
}

/* True: nothing is left to do with this group. */
static bool progress(struct iswitch *x, struct session *session, uint8_t g)
{
    struct nexus *nexus = &session->at[g];
    bool ending = session->state == SESSION_STATE_ENDING;
    switch (nexus->state) {
    case NEXUS_STATE_CLOSED:
        if (ending ? !nexus->unsure : list_empty(&nexus->waiting))
            return true;
        if (x->now_ns >= nexus->again_ns && x->directory_known &&
            submit(x, session, g, ending ? COMMAND_NEXUS_LOSS : COMMAND_NEXUS_OPEN))
            nexus->state = ending ? NEXUS_STATE_LOSING : NEXUS_STATE_OPENING;
        return false;
    case NEXUS_STATE_OPENING:
    case NEXUS_STATE_LOSING:
        return false;
    case NEXUS_STATE_OPEN:
        if (!ending)
            return true;
        if (nexus->sent == 0 && x->now_ns >= nexus->again_ns &&
            submit(x, session, g, COMMAND_NEXUS_LOSS))
            nexus->state = NEXUS_STATE_LOSING;
        return false;
    }
    return true;
}

void session_progress(struct iswitch *x, struct session *session)
{
    bool done = true, nothing_sent = true;
    for (uint8_t g = 0; g < x->config.sender.groups; g++) {
        done = progress(x, session, g) && done;
        nothing_sent = nothing_sent && session->at[g].sent == 0;
    }
    if (!done || !nothing_sent)
        return;
    if (session->state == SESSION_STATE_ENDING)
        release(x, session);
    else
        list_remove(&session->busy);
}

void session_nexus_answer(struct iswitch *x, struct session *session, uint8_t group, bool good)
{
    struct nexus *nexus = &session->at[group];
    bool losing = nexus->state == NEXUS_STATE_LOSING;
    must(losing || nexus->state == NEXUS_STATE_OPENING);
    nexus->tries = good ? 0 : nexus->tries + 1;
    session_busy(x, session);
    if (!good) {
        trace_warn(x->trace, "group %u refused to %s nexus %u", group + 1u,
                   losing ? "lose" : "open", session->nexus);
        nexus->again_ns = x->now_ns + iswitch_stale_ns(x) / 4;
        nexus->state = NEXUS_STATE_CLOSED;
        nexus->unsure = !losing || nexus->tries < NEXUS_LOSS_TRIES;
        if (!losing && nexus->tries >= NEXUS_OPEN_TRIES && session->connection)
            connection_close(x, session->connection, "the array has no room for its nexus");
        return;
    }
    nexus->unsure = false;
    nexus->state = losing ? NEXUS_STATE_CLOSED : NEXUS_STATE_OPEN;
    if (nexus->state == NEXUS_STATE_OPEN)
        task_nexus_open(x, session, group);
}

void session_nexus_cut(struct iswitch *x, uint8_t group)
{
    list_each (&x->sessions, link, next) {
        struct session *session = list_member(link, struct session, link);
        struct nexus *nexus = &session->at[group];
        if (nexus->state != NEXUS_STATE_OPEN)
            continue;
        nexus->state = NEXUS_STATE_CLOSED;
        nexus->unsure = true;
        session_busy(x, session);
    }
}
