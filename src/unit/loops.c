/* SPDX-License-Identifier: Apache-2.0 */
/* The loop switches as a unit sees them: logins, the fence, and what the RAID engine says of
 * drives. docs/PROTOCOL.md, "Fence". A loop switch that comes back is fenced before its drives are
 * used. */
#include "unit/state.h"

static bool leads(const struct unit *x)
{
    return x->state == UNIT_STATE_FENCING || x->state == UNIT_STATE_ADOPTING ||
           x->state == UNIT_STATE_CLEARING || unit_primary(x);
}

static void login(struct unit *x, int l)
{
    struct message *out = unit_send(x, MESSAGE_LOGIN, port_loop(l));
    out->login.group = x->config.group;
    out->login.member = x->self;
}

void loops_link(struct unit *x, int l, bool up, bool gone)
{
    struct loop_state *loop = &x->loop[l];
    bool was = loop->linked;
    loop->linked = up;
    if (up) {
        loop->heard_ns = x->now_ns;
        login(x, l);
        return;
    }
    loop->logged_in = loop->up_wanted = loop->fence_sent = loop->fenced = false;
    slice_drop(&loop->inventory);
    if (was || gone)
        array_loop_down(x->array, l, gone);
}

/* One that was silent may have been stopped, its link up all the while, and its drives failed in
 * the meantime: a new login tells how they are, and a primary fences first. */
void loops_heard(struct unit *x, int l)
{
    struct loop_state *loop = &x->loop[l];
    bool silent = x->now_ns - loop->heard_ns > x->limits.availability_ns;
    loop->heard_ns = x->now_ns;
    if (silent && loop->linked && loop->logged_in && !mutant(MUTANT_SILENT_LOOP_TRUSTED)) {
        trace_info(x->trace, "loop switch %d is heard again: logs in anew", l);
        loop->logged_in = false;
        login(x, l);
    }
}

void loops_login_again(struct unit *x)
{
    for (int l = 0; l < x->config.loops; l++)
        if (x->loop[l].linked)
            login(x, l);
}

static void tell_array(struct unit *x, int l)
{
    struct loop_state *loop = &x->loop[l];
    struct drive_info drives[SLOT_MAX];
    struct cursor c = cursor_read(slice_bytes(loop->inventory), loop->inventory.length);
    for (int i = 0; i < loop->drives; i++)
        drive_info_get(&c, &drives[i]);
    if (c.failed)
        trace_warn(x->trace, "malformed inventory from loop switch %d", l);
    else
        array_loop_up(x->array, l, loop->login, drives, loop->drives);
    loop->up_wanted = false;
    slice_drop(&loop->inventory);
    amend_drives_told(x);
}

static bool reborn(const struct loop_state *loop)
{
    return loop->trusted_life != 0 && loop->life != loop->trusted_life &&
           !mutant(MUTANT_REBORN_TRAY_TRUSTED);
}

void loops_trust(struct unit *x)
{
    for (int l = 0; l < x->config.loops; l++) {
        x->loop[l].trusted_life = x->loop[l].life;
        x->loop[l].reseated = 0;
    }
}

/* Which drives were off their loop since the login before: within one life of the loop switch. */
static void note_lives(struct unit *x, int l)
{
    struct loop_state *loop = &x->loop[l];
    struct cursor c = cursor_read(slice_bytes(loop->inventory), loop->inventory.length);
    for (int i = 0; i < loop->drives; i++) {
        struct drive_info info = {0};
        drive_info_get(&c, &info);
        if (c.failed || info.drive / 32 != l || info.drive % 32 >= SLOT_MAX)
            break; /* tell_array() says so */
        uint16_t *life = &loop->drive_life[info.drive % 32];
        if (loop->lives_of == loop->life && *life != info.life)
            loop->reseated |= 1u << info.drive % 32;
        *life = info.life;
    }
    loop->lives_of = loop->life;
}

/* It may have lost what it had not flushed, or be another one. */
static bool doubtful(const struct unit *x, int d)
{
    return reborn(&x->loop[d / 32]) || (x->loop[d / 32].reseated >> d % 32 & 1);
}

void loops_tell_lives(const struct unit *x, uint64_t lives[LOOP_MAX])
{
    bool recorded = unit_primary(x) && !x->drives_wanted && control_idle(x);
    for (int l = 0; l < x->config.loops; l++)
        lives[l] = recorded ? x->loop[l].trusted_life : 0;
}

void loops_learn_lives(struct unit *x, const uint64_t lives[LOOP_MAX])
{
    for (int l = 0; l < x->config.loops; l++)
        if (lives[l] && lives[l] == x->loop[l].life)
            x->loop[l].trusted_life = lives[l];
}

/* Nobody else has what that drive had: it goes on with what it has, and that is said. */
static void say_lost(struct unit *x, int d)
{
    if (!array_drive_lacks(x->array, d))
        return;
    trace_warn(x->trace,
               "drive t%d/%02d began a new life, and no other has its data: what was not flushed "
               "may be lost",
               d / 32, d % 32);
    actions_notice(x->actions, "unflushed_lost group=%d unit=%s drive=t%d/%02d",
                   x->config.group + 1, unit_word(x->config.module, x->config.group), d / 32,
                   d % 32);
}

/* We lead, and it has begun a new life under us, or some of its drives were away. */
static void doubt_drives(struct unit *x, int l)
{
    for (int s = 0; s < SLOT_MAX; s++) {
        if (!doubtful(x, l * 32 + s))
            continue;
        if (array_drive_reborn(x->array, l * 32 + s))
            amend_drive(x, l * 32 + s, DRIVE_STATE_FAILED);
        else
            say_lost(x, l * 32 + s);
    }
    x->loop[l].trusted_life = x->loop[l].life;
    x->loop[l].reseated = 0;
}

void loops_login(struct unit *x, const struct message *message)
{
    int l = port_index(message->from);
    const struct login_message *m = &message->login;
    if (l >= x->config.loops || m->drives > SLOT_MAX || !member_same(m->member, x->self))
        return;
    struct loop_state *loop = &x->loop[l];
    loop->logged_in = true;
    loop->login = m->login;
    loop->life = m->login >> LOGIN_LIFE_SHIFT;
    if (loop->trusted_life == 0)
        loop->trusted_life = loop->life;
    loop->drives = m->drives;
    slice_drop(&loop->inventory);
    loop->inventory = slice_ref(message->payload);
    note_lives(x, l);
    loop->fence_sent = loop->fenced = false;
    if (leads(x) && !mutant(MUTANT_RETURN_BEFORE_FENCE)) {
        loop->fence_wanted = loop->up_wanted = true;
        loops_tick(x);
    } else {
        tell_array(x, l);
    }
}

void loops_fence_begin(struct unit *x)
{
    for (int l = 0; l < x->config.loops; l++) {
        x->loop[l].fence_wanted = true;
        x->loop[l].fence_sent = x->loop[l].fenced = x->loop[l].given_up = false;
        x->undrained[l] = 0;
    }
    loops_tick(x);
}

static void send_fence(struct unit *x, int l)
{
    struct loop_state *loop = &x->loop[l];
    struct message *out = unit_send(x, MESSAGE_FENCE, port_loop(l));
    loop->fence_tag = unit_tag(x);
    loop->fence_sent_ns = x->now_ns;
    loop->fence_sent = true;
    out->fence.bank = x->config.group;
    out->fence.epoch = x->record.epoch;
    out->fence.allowed = x->record.in_sync;
    out->fence.tag = loop->fence_tag;
    trace_detail(x->trace, "fence loop switch %d at epoch %llu", l,
                 (unsigned long long)x->record.epoch);
}

void loops_tick(struct unit *x)
{
    if (!leads(x))
        return;
    for (int l = 0; l < x->config.loops; l++) {
        struct loop_state *loop = &x->loop[l];
        bool late = loop->fence_sent && x->now_ns - loop->fence_sent_ns > x->limits.drive_ns * 2;
        if (loop->fence_wanted && loop->logged_in && (!loop->fence_sent || late))
            send_fence(x, l);
    }
}

/* A drive that the fence did not drain. False: it is the last of its set, and waited for. */
static bool give_up(struct unit *x, int drive)
{
    if (mutant(MUTANT_DRIVES_FAILED_TOGETHER))
        return array_can_fail(x->array, drive);
    return array_drive_undrained(x->array, drive);
}

void loops_fence_answer(struct unit *x, const struct message *message)
{
    int l = port_index(message->from);
    const struct fence_message *m = &message->fence;
    if (!leads(x) || l >= x->config.loops || m->tag != x->loop[l].fence_tag ||
        !x->loop[l].fence_wanted)
        return;
    struct loop_state *loop = &x->loop[l];
    if (m->result == FENCE_OLD && !mutant(MUTANT_FENCE_REFUSAL_IGNORED)) {
        trace_info(x->trace, "loop switch %d holds a fence of epoch %llu: reads the record", l,
                   (unsigned long long)m->held_epoch);
        loop->fence_sent_ns = x->now_ns;
        control_read(x);
        return;
    }
    if (m->result != FENCE_DONE && !mutant(MUTANT_FENCE_REFUSAL_IGNORED)) {
        trace_warn(x->trace, "loop switch %d could not keep the fence: asked again", l);
        return;
    }
    loop->fence_wanted = loop->fence_sent = false;
    loop->fenced = true;
    x->undrained[l] = mutant(MUTANT_UNDRAINED_NOT_FAILED) ? 0 : m->undrained;
    trace_detail(x->trace, "loop switch %d is fenced at epoch %llu", l,
                 (unsigned long long)m->held_epoch);
    if (unit_primary(x) && (reborn(loop) || loop->reseated))
        doubt_drives(x, l); /* before anything more is asked of them */
    if (loop->up_wanted)
        tell_array(x, l);
    if (!unit_primary(x))
        takeover_tick(x);
    for (int s = 0; unit_primary(x) && s < SLOT_MAX; s++)
        if (x->undrained[l] & 1u << s && give_up(x, l * 32 + s))
            amend_drive(x, l * 32 + s, DRIVE_STATE_FAILED);
}

bool loops_fenced(struct unit *x)
{
    uint64_t waited_ns = x->now_ns - x->fencing_since_ns;
    bool one = x->config.loops == 0;
    bool cold = x->claim == CLAIM_COLD || x->claim == CLAIM_FIRST || x->claim == CLAIM_OVER_LONE;
    for (int l = 0; l < x->config.loops; l++) {
        struct loop_state *loop = &x->loop[l];
        bool fenced = loop->fenced || mutant(MUTANT_ADOPT_BEFORE_FENCE);
        one |= fenced;
        if (fenced)
            continue;
        uint64_t patience = loop->logged_in ? x->limits.drain_ns + MS(500)
                            : cold          ? MS(2000)
                            : loop->linked  ? x->limits.availability_ns
                                            : 0;
        if (waited_ns < patience)
            return false;
        loop->given_up = true;
    }
    return one;
}

static void mark(struct unit *x, struct record *record, int drive)
{
    if (record->drive_state[drive] == DRIVE_STATE_FAILED)
        return;
    trace_info(x->trace, "drive t%d/%02d does not answer for its fence: failed", drive / 32,
               drive % 32);
    record->drive_state[drive] = DRIVE_STATE_FAILED;
    /* its mirror is the last of its set now. Nothing runs before the record stands */
    array_drive_state(x->array, drive, DRIVE_STATE_FAILED);
}

void loops_mark_absent(struct unit *x, struct record *record)
{
    bool map_decides = x->claim != CLAIM_SECONDARY && x->claim != CLAIM_BACK &&
                       x->claim != CLAIM_PLANNED; /* every region in it is resynchronised */
    for (uint8_t p = 0; p < POOL_MAX; p++) {
        const struct pool_info *pool = array_pool(x->array, p);
        for (int i = 0; pool && i < pool->drive_count; i++) {
            int d = pool->drives[i];
            bool undrained = x->undrained[d / 32] & 1u << d % 32;
            bool fenced = x->loop[d / 32].fenced || mutant(MUTANT_ADOPT_BEFORE_FENCE) ||
                          mutant(MUTANT_ABSENT_NOT_FAILED);
            if (undrained ? give_up(x, d) : !fenced && array_can_fail(x->array, d))
                mark(x, record, d);
            else if (!map_decides && doubtful(x, d) && array_drive_reborn(x->array, d))
                mark(x, record, d);
            else if (!map_decides && doubtful(x, d))
                say_lost(x, d);
        }
    }
}

void loops_notices(struct unit *x)
{
    struct array_notice notice;
    while (array_next_notice(x->array, &notice)) {
        switch (notice.kind) {
        case ARRAY_NOTICE_BEGUN:
            x->began = true;
            takeover_tick(x);
            break;
        case ARRAY_NOTICE_CARRIED:
            run_carried(x, notice.cookie, notice.failed);
            break;
        case ARRAY_NOTICE_STORED:
            run_stored(x, notice.cookie, notice.failed);
            break;
        case ARRAY_NOTICE_LOADED:
            takeover_loaded(x, notice.failed);
            takeover_tick(x);
            break;
        case ARRAY_NOTICE_BAD:
            amend_drive(x, notice.drive, DRIVE_STATE_FAILED);
            break;
        case ARRAY_NOTICE_RETURNED:
            amend_drive(x, notice.drive,
                        mutant(MUTANT_RETURNED_CALLED_GOOD) ? DRIVE_STATE_GOOD : DRIVE_STATE_STALE);
            break;
        case ARRAY_NOTICE_SYNCED:
            amend_drive(x, notice.drive, DRIVE_STATE_GOOD);
            break;
        case ARRAY_NOTICE_REFUSED:
            if (control_idle(x) && !mutant(MUTANT_HIGHER_EPOCH_IGNORED))
                control_read(x);
            break;
        case ARRAY_NOTICE_CLEAN:
            x->flushed = x->flushing; /* stop_tick: the record says clean next */
            break;
        }
    }
}
