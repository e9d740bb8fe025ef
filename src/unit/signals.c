/* SPDX-License-Identifier: Apache-2.0 */
/* The availability signal: each unit to each peer and switch. It also carries what each hears and
 * reaches, and measures the offsets between clocks. docs/PROTOCOL.md, "Limits". */
#include "unit/state.h"

enum { DRIFT_MOST = 100 }; /* clocks drift apart by one part in so many, at most */

static void fill(struct unit *x, struct signal_message *s)
{
    s->group = x->config.group;
    s->member = x->self;
    s->epoch = x->record.epoch;
    s->now_ns = x->now_ns;
    s->state = (uint8_t)(x->stopped ? UNIT_STATE_STATES : x->state); /* the last: it has stopped */
    s->stopping = (uint8_t)(x->stopping + x->stopped);
    for (int m = 0; m < MODULE_MAX; m++)
        if (x->peer[m].heard_ns && x->now_ns - x->peer[m].heard_ns <= x->limits.availability_ns)
            s->heard_units |= (uint8_t)(1u << m);
    for (int i = 0; i < SENDER_MAX; i++)
        if (x->sender[i].heard_ns && x->sender[i].linked &&
            x->now_ns - x->sender[i].heard_ns <= x->limits.availability_ns)
            s->heard_senders |= (uint8_t)(1u << i);
    array_reach(x->array, s->drives);
    loops_tell_lives(x, s->lives);
    int64_t complete = unit_primary(x) ? stream_complete(x) : 0;
    s->applied = x->applied;
    s->held = x->held;
    s->acked = complete > 0 ? (uint64_t)complete : 0;
    const struct queued *oldest = list_first(&x->ordered, struct queued, place_link);
    s->oldest_order = oldest ? oldest->order : 0;
    s->progress = x->progress;
    s->waiting_drive = unit_primary(x) ? array_waiting_drive(x->array) : 0xFF;
}

static void send(struct unit *x, port_id to, const struct signal_message *base,
                 const struct signal_message *last, uint64_t last_ns)
{
    struct message *out = unit_send(x, MESSAGE_SIGNAL, to);
    out->signal = *base;
    if (last_ns) {
        out->signal.echo_ns = last->now_ns;
        out->signal.echo_delay_ns = x->now_ns - last_ns;
    }
}

void signals_send(struct unit *x)
{
    struct signal_message base;
    memset(&base, 0, sizeof base);
    fill(x, &base);
    for (int i = 0; i < x->config.members; i++) {
        uint8_t m = x->config.member[i];
        if (!unit_is(x, m) && x->peer[m].linked)
            send(x, port_unit(m, x->config.group), &base, &x->peer[m].signal, x->peer[m].signal_ns);
    }
    for (int l = 0; l < x->config.loops; l++)
        if (x->stopping && x->loop[l].linked) /* they may be about to stop, too */
            send(x, port_loop(l), &base, &x->loop[l].signal, x->loop[l].signal_ns);
    for (int s = 0; s < SENDER_MAX; s++)
        if (x->sender[s].linked)
            send(x, port_of_sender(s), &base, &x->sender[s].signal, x->sender[s].signal_ns);
    x->next_signal_ns = x->now_ns + x->limits.signal_ns;
}

/* The offset lies within half of the round trip of either measurement, so far as the clocks have
 * not drifted apart since: if the two do not meet, a clock has jumped, or is another one by now. */
static bool contradicts(const struct offset *offset, int64_t ns, uint64_t round_ns, uint64_t now_ns)
{
    int64_t apart = ns - offset->ns;
    uint64_t drift_ns = (now_ns - offset->taken_ns) / DRIFT_MOST;
    return (uint64_t)(apart < 0 ? -apart : apart) > (round_ns + offset->round_ns) / 2 + drift_ns;
}

static void measure(struct unit *x, struct offset *offset, const struct signal_message *s)
{
    if (s->echo_ns == 0 || s->echo_ns + s->echo_delay_ns > x->now_ns)
        return;
    uint64_t round_ns = x->now_ns - s->echo_ns - s->echo_delay_ns;
    int64_t ns = (int64_t)(x->now_ns - round_ns / 2 - s->now_ns);
    if (offset->known && round_ns > offset->round_ns && x->now_ns - offset->taken_ns < MS(10000) &&
        !contradicts(offset, ns, round_ns, x->now_ns))
        return;
    offset->known = true;
    offset->round_ns = round_ns;
    offset->taken_ns = x->now_ns;
    offset->ns = ns;
}

/* How long a frame was on its way, as far as the clocks can tell. */
uint64_t signals_age(const struct offset *offset, uint64_t now_ns, uint64_t sent_ns)
{
    if (!offset->known || mutant(MUTANT_TRANSIT_NOT_COUNTED))
        return 0;
    int64_t age = (int64_t)(now_ns - sent_ns) - offset->ns;
    return age > 0 ? (uint64_t)age : 0;
}

static void from_unit(struct unit *x, uint8_t m, const struct signal_message *s)
{
    struct peer *p = &x->peer[m];
    p->signal = *s;
    p->signal_ns = x->now_ns;
    measure(x, &x->offset_peer[m], s);
    if (x->state == UNIT_STATE_SECONDARY && x->stream_synced && s->epoch == x->record.epoch &&
        member_same(s->member, x->record.primary)) {
        follow_acked(x, s->acked);
        loops_learn_lives(x, s->lives);
    }
    if (s->epoch > x->record.epoch && !mutant(MUTANT_HIGHER_EPOCH_IGNORED) && x->record_known &&
        x->state != UNIT_STATE_OUT && x->state != UNIT_STATE_READING && control_idle(x))
        control_read(x);
}

void signals_receive(struct unit *x, const struct message *message)
{
    const struct signal_message *s = &message->signal;
    int i = port_index(message->from);
    switch (port_kind(message->from)) {
    case PORT_KIND_UNIT:
        from_unit(x, (uint8_t)i, s);
        break;
    case PORT_KIND_SWITCH:
    case PORT_KIND_MANAGER:
        i = sender_of_port(message->from);
        if (i < 0 || i >= SENDER_MAX)
            return;
        sessions_heard(x, i, s->member.incarnation);
        x->sender[i].signal = *s;
        x->sender[i].signal_ns = x->now_ns;
        x->sender[i].deaf = !(s->heard_units >> x->config.module & 1);
        measure(x, &x->offset_sender[i], s);
        break;
    case PORT_KIND_LOOP:
        if (i >= LOOP_MAX)
            return;
        x->loop[i].signal = *s;
        x->loop[i].signal_ns = x->now_ns;
        if (!mutant(MUTANT_ON_LINE_AT_LOGIN_ONLY))
            array_loop_on_line(x->array, i, s->drives[i]);
        break;
    case PORT_KIND_NONE:
        break;
    }
}
