/* SPDX-License-Identifier: Apache-2.0 */
/* Senders (interface switches, managers) and their sessions: which lives, what it has confirmed,
 * who is told of epochs and of the LUN directory. docs/PROTOCOL.md, "Confirm", "A dead interface
 * switch".
 *
 * A session that is dead is refused for good: `dead` only grows, and is replicated.
 *
 * S1  the nexuses of a dead session go when nothing of it is left that has an order: as each entry
 *     of the sequence is applied, so that they are the same in every member
 * S2  the primary does so when every member holds that entry: what it decides without those
 *     nexuses, a reservation that went with them, whoever leads next must decide so too */
#include "unit/state.h"

enum {
    AGAIN_MS = 1000, /* before an answer that is not confirmed is given again */
    AGAIN_MAX = 64,  /* such answers at a time */
    AGAIN_BYTES = 1 << 20,
};

void sessions_heard(struct unit *x, int sender, uint64_t session)
{
    struct sender_state *s = &x->sender[sender];
    s->heard_ns = x->now_ns;
    if (session > s->heard_session)
        s->heard_session = session;
}

/* What the group knows of it. Also what this unit alone declared dead in a reign that nobody took
 * over: else it would not end what the others end when the next session begins. */
void sessions_forget(struct sender_state *s)
{
    s->session = s->dead = s->confirmed = s->confirm_wanted = s->ending = 0;
}

/* Outcomes of a session that is over serve nobody. */
static void forget_outcomes(struct unit *x, uint8_t sender, uint64_t session, uint64_t sequence)
{
    table_each_bucket (x, b)
        list_each (&x->buckets[b], link, next) {
            struct queued *q = list_member(link, struct queued, hash);
            if (q->place != PLACE_DONE || q->message.id.sender != sender ||
                q->message.id.session > session || q->message.id.sequence > sequence)
                continue;
            q->confirmed = true;
            slice_drop(&q->reply);
            table_maybe_free(x, q);
        }
}

static void confirm_range(struct unit *x, uint8_t sender, uint64_t session, uint64_t first,
                          uint64_t last)
{
    struct command_id id = {sender, session, first};
    if (last - first > 4 * SENDER_WINDOW) {
        forget_outcomes(x, sender, session, last);
        return;
    }
    for (; id.sequence <= last; id.sequence++) {
        struct queued *q = table_find(x, &id);
        if (!q)
            continue;
        if (q->place == PLACE_WAITING) {
            table_free(x, q);
            continue;
        }
        q->confirmed = true;
        slice_drop(&q->reply);
        table_maybe_free(x, q);
    }
}

static void kill_sessions(struct unit *x, uint8_t sender, uint64_t dead)
{
    struct sender_state *s = &x->sender[sender];
    if (dead <= s->dead)
        return;
    s->dead = dead;
    if (!mutant(MUTANT_DEAD_WAITING_KEPT))
        table_drop_waiting(x, sender, dead);
    list_each (&x->ordered, link, next) {
        struct queued *q = list_member(link, struct queued, place_link);
        if (q->message.id.sender == sender && q->message.id.session <= dead)
            q->confirmed = true; /* nobody waits for its response */
    }
    forget_outcomes(x, sender, dead, UINT64_MAX);
    scsi_sender_anew(x->scsi, sender);
    x->state_version++;
}

/* S1: who is to run what a dead session has left in order, or did run it and was not heard of
 * again, finds its nexuses: else a write that was acknowledged would be refused now. */
static bool unfinished(const struct unit *x, int sender, uint64_t session)
{
    list_each (&x->ordered, link, next) {
        const struct command_id *id = &list_member(link, struct queued, place_link)->message.id;
        if (id->sender == sender && id->session <= session)
            return !mutant(MUTANT_NEXUSES_DIE_WITH_THEIR_SESSION);
    }
    return false;
}

static void end_nexuses(struct unit *x, int sender)
{
    struct sender_state *s = &x->sender[sender];
    uint64_t over = s->dead;
    s->ending = 0;
    if (s->session && s->session - 1 > over && !mutant(MUTANT_OLDER_SESSION_LIVES))
        over = s->session - 1;
    if (over && !unfinished(x, sender, over) && scsi_sender_dead(x->scsi, (uint8_t)sender, over))
        x->state_version++;
}

/* S2 */
void sessions_end(struct unit *x, int sender)
{
    if (unit_primary(x) && !mutant(MUTANT_SESSION_ENDS_UNHELD))
        x->sender[sender].ending = x->index;
    else
        end_nexuses(x, sender);
}

void sessions_done(struct unit *x, const struct command_id *id)
{
    const struct sender_state *s = &x->sender[id->sender];
    if (id->session <= s->dead || id->session < s->session)
        sessions_end(x, id->sender);
}

void sessions_advance(struct unit *x)
{
    for (int s = 0; s < SENDER_MAX; s++)
        if (x->sender[s].ending && stream_complete(x) >= (int64_t)x->sender[s].ending)
            end_nexuses(x, s);
}

void sessions_apply(struct unit *x, const struct entry *entry)
{
    uint8_t sender = entry->id.sender;
    struct sender_state *s = &x->sender[sender];
    switch ((enum entry_kind)entry->kind) {
    case ENTRY_SESSION:
        if (entry->session <= s->session)
            return;
        if (s->session && !mutant(MUTANT_OLDER_SESSION_LIVES))
            kill_sessions(x, sender, entry->session - 1);
        s->session = entry->session;
        s->confirmed = entry->sequence;
        s->confirm_wanted = 0;
        sessions_end(x, sender);
        break;
    case ENTRY_DEAD:
        kill_sessions(x, sender, entry->session);
        sessions_end(x, sender);
        break;
    case ENTRY_CONFIRM:
        if (entry->session != s->session || entry->sequence <= s->confirmed)
            return;
        confirm_range(x, sender, s->session, s->confirmed + 1, entry->sequence);
        s->confirmed = entry->sequence;
        break;
    case ENTRY_READY:
    case ENTRY_RESOLVED:
    case ENTRY_DONE:
    case ENTRY_CLEAN:
    case ENTRY_EPOCH:
    case ENTRY_STATE:
    case ENTRY_SYNCED:
    case ENTRY_EFFECT:
    case ENTRY_KINDS:
        break;
    }
}

/* The primary tells it in the stream; a secondary passes on what the primary may not hear. */
void sessions_confirm(struct unit *x, int sender, uint64_t session, uint64_t confirmed)
{
    struct sender_state *s = &x->sender[sender];
    if (session != s->session || confirmed <= s->confirmed || confirmed <= s->confirm_wanted)
        return;
    s->confirm_wanted = confirmed;
    if (x->state != UNIT_STATE_SECONDARY)
        return;
    const struct peer *primary = &x->peer[x->record.primary.module];
    if (!primary->linked || primary->signal.heard_senders & 1u << sender)
        return;
    struct message *out =
        unit_send(x, MESSAGE_CONFIRM, port_unit(x->record.primary.module, x->config.group));
    out->confirm =
        (struct confirm_message){(uint8_t)sender, x->config.group, session, confirmed, true};
}

void sessions_view(struct unit *x, int sender)
{
    struct sender_state *s = &x->sender[sender];
    s->view_wanted = false;
    if (!s->linked)
        return;
    struct message *out = unit_send(x, MESSAGE_VIEW, port_of_sender(sender));
    out->view.group = x->config.group;
    out->view.epoch = x->record.epoch;
    out->view.serving = unit_primary(x)
                            ? x->handing == MODULE_NONE
                            : x->state == UNIT_STATE_SECONDARY && x->record.previous.count == 0;
    out->view.cut = x->record.cut;
    out->view.primary = x->record.primary.module;
    for (int i = 0; i < x->record.in_sync.count; i++)
        out->view.in_sync |= (uint8_t)(1u << x->record.in_sync.at[i].module);
    out->view.dead_session = mutant(MUTANT_DEAD_SESSION_TAKEN) ? 0 : s->dead;
}

static void send_directory(struct unit *x, int sender)
{
    struct sender_state *s = &x->sender[sender];
    uint32_t length = directory_bytes(x->directory);
    struct buffer *buffer = s->linked ? buffer_get(x->buffers, length) : NULL;
    if (!buffer)
        return; /* tried again at the next tick */
    s->directory_wanted = false;
    length = directory_encode(x->directory, buffer->data, length);
    struct message *out = unit_send(x, MESSAGE_DIRECTORY, port_of_sender(sender));
    out->directory.version = x->directory->version;
    out->payload = slice_of(buffer, 0, length);
}

void sessions_announce(struct unit *x)
{
    for (int s = 0; s < SENDER_MAX; s++) {
        x->sender[s].directory_wanted = true;
        if (x->sender[s].linked)
            sessions_view(x, s);
    }
}

static bool heard_by_anybody(const struct unit *x, int sender)
{
    uint64_t limit = x->limits.availability_ns;
    uint64_t since = x->sender[sender].heard_ns;
    if (since < x->epoch_began_ns)
        since = x->epoch_began_ns; /* it may only now begin to speak to us */
    if (x->now_ns - since <= limit)
        return true;
    for (int m = 0; m < MODULE_MAX; m++) {
        const struct peer *p = &x->peer[m];
        if (x->follower[m].active && p->signal.heard_senders & 1u << sender &&
            x->now_ns - p->signal_ns <= limit)
            return true;
    }
    return false;
}

static void declare_dead(struct unit *x, int sender)
{
    struct sender_state *s = &x->sender[sender];
    trace_info(x->trace, "nothing came from sender %d: its session %llu is dead", sender,
               (unsigned long long)s->session);
    struct entry entry = {.kind = ENTRY_DEAD, .session = s->session};
    entry.id.sender = (uint8_t)sender;
    if (!mutant(MUTANT_DEAD_SESSION_NOT_TOLD))
        stream_append(x, &entry);
    sessions_apply(x, &entry);
}

/* A link may be cut without being reset. Answers that were given to it may be lost: they go again,
 * through a member that hears the switch. */
static void watch_link(struct unit *x, int sender)
{
    struct sender_state *s = &x->sender[sender];
    bool silent =
        s->session > s->dead && (s->deaf || x->now_ns - s->heard_ns > x->limits.availability_ns);
    if (silent == s->silent || (silent && !suspect_allowed(x)))
        return;
    s->silent = silent;
    if (!silent)
        return;
    table_each_bucket (x, b)
        list_each (&x->buckets[b], link, next) {
            struct queued *q = list_member(link, struct queued, hash);
            if (q->place == PLACE_DONE && q->message.id.sender == sender && !q->confirmed &&
                !run_data_lost(x, q)) /* R5: it is run again when the switch asks */
                run_respond(x, q, false);
        }
}

/* The oldest answer that its switch may lack was given, and is not confirmed: it was lost on a link
 * over which signals pass, perhaps. It and those after it are given again, by another way. */
static void watch_answers(struct unit *x, int sender)
{
    struct sender_state *s = &x->sender[sender];
    struct command_id id = {(uint8_t)sender, s->session, s->confirmed + 1};
    struct queued *q = s->session > s->dead ? table_find(x, &id) : NULL;
    bool given = q && q->place == PLACE_DONE && !q->confirmed && !mutant(MUTANT_ANSWERED_ONCE);
    if (!given || s->unconfirmed != id.sequence) {
        s->unconfirmed = given ? id.sequence : 0;
        s->unconfirmed_ns = x->now_ns;
        return;
    }
    if (x->now_ns - s->unconfirmed_ns <= MS(AGAIN_MS))
        return;
    s->unconfirmed_ns = x->now_ns;
    uint32_t bytes = 0;
    for (int i = 0; i < AGAIN_MAX && q && q->place == PLACE_DONE && !q->confirmed; i++) {
        if (!run_data_lost(x, q)) /* R5 */
            run_respond(x, q, true);
        bytes += q->reply.length; /* it may be late, not lost */
        id.sequence++;
        q = bytes < AGAIN_BYTES ? table_find(x, &id) : NULL;
    }
}

static void primary_tick(struct unit *x, int sender)
{
    struct sender_state *s = &x->sender[sender];
    if (s->confirm_wanted > s->confirmed) {
        struct entry entry = {
            .kind = ENTRY_CONFIRM, .session = s->session, .sequence = s->confirm_wanted};
        entry.id.sender = (uint8_t)sender;
        stream_append(x, &entry);
        sessions_apply(x, &entry);
    }
    watch_link(x, sender);
    watch_answers(x, sender);
    if (s->session > s->dead && suspect_allowed(x) && !heard_by_anybody(x, sender))
        declare_dead(x, sender);
    if (s->heard_session && s->heard_session <= s->dead && s->linked &&
        x->now_ns - s->told_dead_ns > x->limits.availability_ns &&
        x->now_ns - s->heard_ns < x->limits.availability_ns) {
        s->told_dead_ns = x->now_ns;
        sessions_view(x, sender);
    }
}

void sessions_tick(struct unit *x)
{
    bool informed = unit_primary(x) || x->state == UNIT_STATE_SECONDARY;
    for (int s = 0; s < SENDER_MAX; s++) {
        if (unit_primary(x))
            primary_tick(x, s);
        if (informed && x->sender[s].view_wanted)
            sessions_view(x, s);
        if (informed && x->sender[s].directory_wanted && x->config.owner &&
            (unit_primary(x) || x->stream_synced) && s < SWITCH_MAX)
            send_directory(x, s);
    }
}
