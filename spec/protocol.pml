/* SPDX-License-Identifier: Apache-2.0 */
/* The command protocol of docs/PROTOCOL.md as a Promela model: two units, one register, two trays
 * that mirror one block, two interface switches, and faults. README.md says what is in it, what is
 * not, and which rule each step carries out; the script `check` runs it.
 *
 * Every step is one d_step, and every process has one place to stand: all state is in the globals.
 * So a slow, stopped or cut-off part needs no state of its own: it takes no step for a while, and
 * others act without it (`suspicions`). What is on its way lies in globals too (`copy`, `answer`,
 * `stream`, `drive`) and arrives when it likes.
 *
 * Which faults may happen how often, and which rule is broken, comes from the environment: one
 * verifier serves every instance and every mutant. */

#ifndef ENTRIES
#define ENTRIES 3 /* of the primary's sequence that are on their way at once */
#endif
#define EPOCHS 12

#define OTHER(u) (1 - (u))
#define NOBODY 2
#define BIT(i) (1 << (i))

/* ---- the commands, all on one block. C1 is its host's second try at C0, through the other switch */
#define C0 0 /* write 1, through switch 1 */
#define C1 1 /* write 1, through switch 0 */
#define C2 2 /* write 2, through switch 0 */
#define C3 3 /* read, through switch `read_via` */
#define N 4
#define IS_READ(c) ((c) == C3)
#define VALUE(c) ((c) == C2 -> 2 : 1)
#define VIA(c) ((c) == C0 -> 1 : ((c) == C3 -> read_via : 0))
#define OP(c) ((c) <= C1 -> 0 : (c) - 1) /* what the host means: W1, W2, R */

/* ---- rules that can be broken; `check` gives the number by the name ---- */
#define READ_BEFORE_HANDSHAKE 1
#define WRITE_BEFORE_HANDSHAKE 2
#define ADOPT_BEFORE_FENCE 3
#define FENCE_DOES_NOT_DRAIN 4
#define FENCE_NOT_DURABLE 5
#define CLAIM_NOT_IN_SYNC 6
#define CLAIM_RESTARTED 7
#define DONE_BEFORE_SAFE 8
#define FORGOTTEN_UNCONFIRMED 9
#define OLD_EPOCH_ACCEPTED 10
#define ORDERLESS_ADOPTED 11
#define FAILURE_NOT_RECORDED 12
#define DIRTY_NOT_SET_AT_DROP 13
#define ANSWER_BEFORE_CLEARED 14
#define JOIN_BEFORE_CONFIRMED 15
#define DEPENDS_LATE 16
#define SENDS_ONLY_NEW 17
#define LONE_WITHOUT_LEASE 18
#define CUT_FORGOTTEN 19
#define DEAD_SESSION_ACCEPTED 20
#define STALE_ACCEPTED 21
#define CLEAN_BY_BLOCK 22
#define UNCLEAN_NOT_REWRITTEN 23
#define NO_INTENT_MAP 24
#define CONFIRMED_NOT_KEPT 26
#define DIRTY_NOT_SET_AT_CLAIM 27
#define COLD_OVER_DIRTY 28
#define OUT_KEEPS_STATE 29
#define LONE_ANSWERS_FROM_MEMORY 30
#define DEATH_OF_OLD_EPOCH_BELIEVED 31
#define DIRTY_CLEARED_AT_JOIN 32
#define ANSWERS_BEFORE_IT_KNOWS 33
#define DEATH_REFUSES_ORDERED 34
byte broken;
#define BROKEN(rule) (broken == rule)

/* ---- faults that are still to come, and the workload ---- */
byte crashes, restarts, suspicions, errors, losses, hangs, give_ups, tray_restarts;
byte commands; /* which of them */
byte read_via;
bool in_turn;  /* the second write begins when the first is over */
bool one_copy; /* the switches reach only the primary */
bool confirms; /* the switches confirm, and outcomes are forgotten */
bool joins;    /* a unit that is out comes back */
byte wary;     /* who may suspect what lives: SECONDARIES, ... */
bool caches;   /* a primary may answer a read from its memory */
byte begun;    /* FROM_DIRTY: C0 is answered, and in both mirrors; FROM_CLEAN: and on the drives;
                * FROM_LONE: and A is lone; FROM_LONE_DIRTY: C0 is in the mirror of A, which is lone */
#define FROM_DIRTY 1
#define FROM_CLEAN 2
#define FROM_LONE 3
#define FROM_LONE_DIRTY 4
bool drains;   /* a drive write that is admitted may take long */

#define A_SECONDARY 1
#define A_PRIMARY 2
#define A_LEASE 4
#define A_DEPOSED 8
#define A_JOINER 16
#define WARY(who) (suspicions && (wary & who))

/* ---- the control record. A member is named by its PRESENT incarnation, or by a PAST one, whose
 * liveness entry is gone; 0: not named ---- */
#define PRESENT 1
#define PAST 2
byte r_epoch, r_primary, r_sync[2], r_previous[2], r_dirty, r_cut, r_failed;

/* ---- the units ---- */
#define OUT 0
#define JOINING 1
#define SECONDARY 2
#define STOPPED 3
#define FENCING 4
#define PRIMARY 5
#define DEPOSED 6
bool up[2];
byte role[2], epoch[2];
bool fresh[2];  /* its copy of the record is the newest: its swap would succeed */
byte failed[2]; /* trays that are failed, as far as it knows */
bool late[2];   /* its lone lease has run out */
bool doubt[2];  /* it knows nothing of what the dead one did: it resynchronises, by the map */
bool synced[2]; /* the snapshot that it was sent has come */

#define WAITING 1 /* a command that the unit holds, without an order */
#define ORDERED 2
#define DONE 3 /* an outcome */
byte state[8], order[8];
#define STATE(u, c) state[(u) * N + (c)]
#define ORDER(u, c) order[(u) * N + (c)]
byte mirror[2];             /* the newest write that is done and not on the drives, plus 1 */
byte memory[2];             /* what it last read or wrote in this reign, plus 1 */
byte confirmed[2], dead[2]; /* commands; switch sessions */

/* What a primary knows of the other as its member. */
#define JOINS 1
#define IN_SYNC 2
#define HAS_STATE 128
#define KNOWS 64 /* that it is a member: it has taken TOLD */
byte member[2];
byte life[2];   /* PRESENT; or PAST: who was taken as a member is gone; 0: no member */
byte held[2];   /* commands for which the member said READY, HAS_STATE, KNOWS */
byte fenced[2]; /* trays */

/* Its one job on the drives: the write whose data it writes, plus 1. */
#define RESYNC 9
#define TODO 0
#define SENT 1
#define WRITTEN 2
#define FAILED 3
#define REFUSED 4
byte job[2], job_value[2], leg[4];
#define LEG(u, t) leg[(u) * 2 + (t)]

/* The sequence that unit u says to the other. */
#define READY 0
#define FINISHED_DIRTY 1
#define FINISHED 2
#define CLEAN 3
#define CONFIRMED 4
#define DEAD 5
#define TOLD 6 /* the epoch that took it in */
chan stream[2] = [ENTRIES] of { byte };
#define ENTRY(kind, c) ((kind) * 8 + (c))

/* ---- the trays: a loop switch and its drive ---- */
byte block[2];
byte fence[2];    /* epoch */
byte fence_up[2]; /* epoch that it has answered for */
byte allowed[4];  /* unit u at tray t: 0, PRESENT, PAST */
#define ALLOWED(u, t) allowed[(u) * 2 + (t)]
#define ON_ITS_WAY 1
#define ADMITTED 2
#define OF_JOB 0
#define OF_EARLIER_JOB 1
#define OF_PAST_LIFE 2
byte drive[4], drive_value[4], drive_epoch[4], drive_of[4]; /* a drive write of u at t */
#define DRIVE(u, t) drive[(u) * 2 + (t)]
#define DRIVE_VALUE(u, t) drive_value[(u) * 2 + (t)]
#define DRIVE_EPOCH(u, t) drive_epoch[(u) * 2 + (t)]
#define DRIVE_OF(u, t) drive_of[(u) * 2 + (t)]

/* ---- the switches and their hosts ---- */
#define NEW 0
#define OPEN 1
#define ANSWERED 2
#define ABORTED 3
#define GIVEN_UP 4 /* the host's path time is over: it has gone elsewhere */
#define LOST 5     /* the switch was told that its session is dead, and ended its hosts' */
byte host[N];
byte view[2]; /* epoch that the switch knows */
bool ended[2];
byte first_epoch[N], sent_epoch[N];
byte copy[8]; /* of c, on its way to u: the epoch on it */
#define COPY(u, c) copy[(u) * N + (c)]
#define GOOD 1
#define ABORT 2
#define VALUE_0 3
byte answer[8]; /* to c, on its way from u */
#define ANSWER(u, c) answer[(u) * N + (c)]

/* ---- the judge's notes ---- */
byte seen;          /* values whose writes are in the past of whatever begins now */
byte over;          /* values that nothing that begins now may read */
byte before[3];     /* `seen` when W1, W2, R began */
byte over_then;     /* `over` when R began */
byte outcome;       /* writes that were completed */
byte reign[EPOCHS]; /* whose epoch it is, plus 1 */
byte crashed;       /* units that died */
bool excused;       /* every holder of a volatile cache died: its loss is said in an event */

hidden byte i, n, m;

c_code {
    static int knob(const char *name)
    {
        const char *text = getenv(name);
        return text ? atoi(text) : 0;
    }
}

/* ================= parts of steps ================= */

#define ROOM(u) (!member[u] || nfull(stream[u]))

inline append(u, entry)
{
    if
    :: member[u] -> stream[u] ! entry
    :: else
    fi
}

inline no_member(u)
{
    member[u] = 0; life[u] = 0; held[u] = 0;
    do
    :: nempty(stream[u]) -> stream[u] ? n
    :: empty(stream[u]) -> break
    od;
    n = 0
}

/* What is on its way to the drives stays on its way. */
inline drop_job(u)
{
    job[u] = 0; job_value[u] = 0;
    for (m : 0 .. 1) {
        LEG(u, m) = TODO;
        if
        :: DRIVE(u, m) && DRIVE_OF(u, m) == OF_JOB -> DRIVE_OF(u, m) = OF_EARLIER_JOB
        :: else
        fi
    }
    m = 0
}

inline forget_queue(u)
{
    for (i : 0 .. N - 1) { STATE(u, i) = 0; ORDER(u, i) = 0 }
    i = 0;
    mirror[u] = 0; memory[u] = 0; confirmed[u] = 0; dead[u] = 0
}

/* A new incarnation. Whatever names the one before names the past. */
inline forget_all(u)
{
    if
    :: BROKEN(OUT_KEEPS_STATE) && up[u]
    :: else -> forget_queue(u)
    fi;
    drop_job(u);
    no_member(u);
    late[u] = 0; doubt[u] = 0; synced[u] = 0; fenced[u] = 0;
    if :: r_sync[u] == PRESENT -> r_sync[u] = PAST :: else fi;
    if :: r_previous[u] == PRESENT -> r_previous[u] = PAST :: else fi;
    for (i : 0 .. 1) {
        if :: ALLOWED(u, i) -> ALLOWED(u, i) = PAST :: else fi;
        if :: DRIVE(u, i) -> DRIVE_OF(u, i) = OF_PAST_LIFE :: else fi
    }
    i = 0;
    if :: life[OTHER(u)] -> life[OTHER(u)] = PAST :: else fi;
    role[u] = OUT
}

inline swapped(u)
{
    fresh[u] = 1;
    fresh[OTHER(u)] = 0;
    failed[u] = r_failed
}

inline new_epoch(u)
{
    r_epoch++;
    assert(r_epoch < EPOCHS);
    epoch[u] = r_epoch;
    reign[r_epoch] = u + 1
}

inline claim(u)
{
    new_epoch(u);
    r_primary = u;
    for (i : 0 .. 1) {
        if :: r_sync[i] -> r_previous[i] = r_sync[i] :: else fi;
        r_sync[i] = 0
    }
    i = 0;
    r_sync[u] = PRESENT;
    swapped(u);
    memory[u] = 0;
    no_member(u);
    drop_job(u);
    fenced[u] = 0; late[u] = 0;
    role[u] = FENCING
}

/* By one that knows nothing of what went before. */
inline claim_empty(u)
{
    claim(u);
    r_dirty = NOBODY;
    if :: !BROKEN(CUT_FORGOTTEN) -> r_cut = r_epoch :: else fi;
    doubt[u] = !BROKEN(NO_INTENT_MAP)
}

#define ORDERED_WRITE(u) \
    (STATE(u, C0) == ORDERED || STATE(u, C1) == ORDERED || STATE(u, C2) == ORDERED)
#define HOLDS_WRITES(u) (mirror[u] || ORDERED_WRITE(u))

inline place_last(u, c)
{
    n = 0;
    for (m : 0 .. N - 1) {
        if :: STATE(u, m) == ORDERED && ORDER(u, m) > n -> n = ORDER(u, m) :: else fi
    }
    m = 0;
    STATE(u, c) = ORDERED;
    ORDER(u, c) = n + 1;
    n = 0
}

inline give_order(u, c)
{
    /* what must hold 4: a write that is completed is not begun again (a read is) */
    assert(IS_READ(c) || !(outcome & BIT(c)));
    printf("%c: gives an order to C%d\n", 65 + u, c);
    place_last(u, c);
    held[u] = held[u] & ~BIT(c);
    append(u, ENTRY(READY, c))
}

inline session_dies(u, s)
{
    dead[u] = dead[u] | BIT(s);
    for (i : 0 .. N - 1) {
        if
        :: VIA(i) == s && (STATE(u, i) == DONE || STATE(u, i) == WAITING) ->
            STATE(u, i) = 0; ORDER(u, i) = 0; ANSWER(u, i) = 0
        :: VIA(i) == s && STATE(u, i) == ORDERED && BROKEN(DEATH_REFUSES_ORDERED) && job[u] != i + 1 ->
            STATE(u, i) = 0; ORDER(u, i) = 0
        :: else
        fi
    }
    i = 0
}

#define EARLIER(u, c, d) (STATE(u, d) == ORDERED && ORDER(u, d) < ORDER(u, c))
#define FIRST(u, c) \
    (STATE(u, c) == ORDERED && !EARLIER(u, c, C0) && !EARLIER(u, c, C1) && !EARLIER(u, c, C2) && \
     !EARLIER(u, c, C3))
#define COUNTS(u) (member[u] == IN_SYNC || (member[u] == JOINS && !BROKEN(DEPENDS_LATE)))
#define COMPLETE(u, c) (!COUNTS(u) || (held[u] & BIT(c)))
/* A member that the record names, but that may have gone out before it heard so, is none yet. */
#define HAS_COMPANY(u) \
    (member[u] == IN_SYNC && ((held[u] & KNOWS) || BROKEN(ANSWERS_BEFORE_IT_KNOWS)))
#define LONE(u) (!HAS_COMPANY(u) && !BROKEN(LONE_ANSWERS_FROM_MEMORY))
#define MAY_ANSWER(u) (member[u] == IN_SYNC || !late[u] || BROKEN(LONE_WITHOUT_LEASE))

inline complete(u, c, with)
{
    assert(reign[epoch[u]] == u + 1); /* what must hold 1 */
    STATE(u, c) = DONE; ORDER(u, c) = 0;
    held[u] = held[u] & ~BIT(c);
    ANSWER(u, c) = with;
    if :: !IS_READ(c) -> outcome = outcome | BIT(c) :: else fi;
    if
    :: caches -> memory[u] = (with == GOOD -> VALUE(c) : with - VALUE_0) + 1
    :: else
    fi
}

/* ================= steps of a unit, u ================= */

#define EPOCH_OK(u, c) (COPY(u, c) == epoch[u] || BROKEN(OLD_EPOCH_ACCEPTED))
#define SESSION_OK(u, c) (!(dead[u] & BIT(VIA(c))) || BROKEN(DEAD_SESSION_ACCEPTED))
#define IS_NEWS(u, c) (SESSION_OK(u, c) && !(confirmed[u] & BIT(c)))
#define BEFORE_CUT(u, c) (first_epoch[c] < r_cut && epoch[u] >= r_cut)
/* The host has gone elsewhere: its path time is longer than the stale limit. How long a copy of an
 * earlier epoch lay somewhere nobody can tell; the epoch on it has to do. */
#define STALE(c, e) (host[c] == GIVEN_UP && (e) == epoch[u] && !BROKEN(STALE_ACCEPTED))

/* Multicast, Queue */
inline take_copy(c)
{
    d_step {
        up[u] && COPY(u, c) && (role[u] != PRIMARY || ROOM(u)) ->
        if
        :: (role[u] != PRIMARY && role[u] != SECONDARY) || !EPOCH_OK(u, c) || !IS_NEWS(u, c)
        :: else ->
            if
            :: STATE(u, c) == 0 && BEFORE_CUT(u, c) -> ANSWER(u, c) = ABORT
            :: STATE(u, c) == 0 && !BEFORE_CUT(u, c) && role[u] == SECONDARY ->
                STATE(u, c) = WAITING
            :: STATE(u, c) < ORDERED && !BEFORE_CUT(u, c) && role[u] == PRIMARY &&
               !STALE(c, COPY(u, c)) ->
                give_order(u, c)
            :: STATE(u, c) == DONE && role[u] == PRIMARY && !IS_READ(c) -> ANSWER(u, c) = GOOD
            :: STATE(u, c) == DONE && role[u] == PRIMARY && IS_READ(c) && !ANSWER(u, c) ->
                give_order(u, c)
            :: else
            fi
        fi;
        COPY(u, c) = 0
    }
}

/* Forward */
inline take_forward(c)
{
    d_step {
        role[u] == PRIMARY && STATE(u, c) == 0 && STATE(OTHER(u), c) == WAITING &&
        role[OTHER(u)] == SECONDARY && epoch[u] == epoch[OTHER(u)] && member[u] == IN_SYNC &&
        ROOM(u) && IS_NEWS(u, c) && !STALE(c, epoch[u]) ->
        give_order(u, c)
    }
}

/* A member takes the next of the sequence, and says READY (Ready, Done, Confirm). */
inline follow()
{
    d_step {
        up[u] && (role[u] == SECONDARY || role[u] == JOINING) && synced[u] &&
        life[OTHER(u)] == PRESENT && nempty(stream[OTHER(u)]) ->
        stream[OTHER(u)] ? kind;
        c = kind % 8;
        kind = kind / 8;
        if
        :: kind == READY -> place_last(u, c); held[OTHER(u)] = held[OTHER(u)] | BIT(c)
        :: kind == FINISHED_DIRTY -> STATE(u, c) = DONE; ORDER(u, c) = 0; mirror[u] = c + 1
        :: kind == FINISHED -> STATE(u, c) = DONE; ORDER(u, c) = 0
        :: kind == CLEAN ->
            if
            :: mirror[u] == c + 1 || BROKEN(CLEAN_BY_BLOCK) -> mirror[u] = 0
            :: else
            fi
        :: kind == CONFIRMED ->
            STATE(u, c) = 0; ORDER(u, c) = 0;
            if :: !BROKEN(CONFIRMED_NOT_KEPT) -> confirmed[u] = confirmed[u] | BIT(c) :: else fi
        :: kind == DEAD -> session_dies(u, c)
        :: kind == TOLD ->
            if :: role[u] == JOINING -> role[u] = SECONDARY; epoch[u] = epoch[OTHER(u)] :: else fi;
            held[OTHER(u)] = held[OTHER(u)] | KNOWS
        fi;
        kind = 0; c = 0
    }
}

/* Process, Done: two hold a write; it is answered. */
inline answer_write(c)
{
    d_step {
        role[u] == PRIMARY && FIRST(u, c) && COMPLETE(u, c) && !LONE(u) && job[u] != c + 1 &&
        !doubt[u] && MAY_ANSWER(u) && ROOM(u) ->
        printf("%c: answers C%d, held by all\n", 65 + u, c);
        complete(u, c, GOOD);
        mirror[u] = c + 1;
        if
        :: BROKEN(DONE_BEFORE_SAFE) -> append(u, ENTRY(FINISHED, c))
        :: else -> append(u, ENTRY(FINISHED_DIRTY, c))
        fi
    }
}

#define CAN_READ(t) (!(failed[u] & BIT(t)) && epoch[u] >= fence[t] && ALLOWED(u, t) == PRESENT)
inline answer_read(c, from, value)
{
    d_step {
        role[u] == PRIMARY && FIRST(u, c) && (COMPLETE(u, c) || BROKEN(READ_BEFORE_HANDSHAKE)) &&
        !doubt[u] && MAY_ANSWER(u) && ROOM(u) && (from) ->
        printf("%c: answers C%d: value %d\n", 65 + u, c, value);
        complete(u, c, VALUE_0 + (value));
        append(u, ENTRY(FINISHED, c))
    }
}

#define CAN_SEND(u, t) (LEG(u, t) == TODO && !(failed[u] & BIT(t)) && !DRIVE(u, t))
inline send_to_drives(u)
{
    for (m : 0 .. 1) {
        if
        :: CAN_SEND(u, m) ->
            DRIVE(u, m) = ON_ITS_WAY; DRIVE_VALUE(u, m) = job_value[u];
            DRIVE_EPOCH(u, m) = epoch[u];
            LEG(u, m) = SENT
        :: else
        fi
    }
    m = 0
}

/* A destage, or the write of a lone primary, which is answered when it is on the drives. */
inline begin_job(c)
{
    d_step {
        role[u] == PRIMARY && job[u] == 0 && !doubt[u] &&
        (mirror[u] == c + 1 ||
         (mirror[u] == 0 && FIRST(u, c) &&
          ((COMPLETE(u, c) && LONE(u)) || BROKEN(WRITE_BEFORE_HANDSHAKE)))) ->
        job[u] = c + 1; job_value[u] = VALUE(c);
        send_to_drives(u)
    }
}

inline begin_resync()
{
    d_step {
        role[u] == PRIMARY && job[u] == 0 && doubt[u] ->
        job[u] = RESYNC;
        if
        :: failed[u] & BIT(0) -> job_value[u] = block[1]
        :: else -> job_value[u] = block[0]
        fi;
        send_to_drives(u)
    }
}

/* Where an earlier one is still on its way. */
inline send_later(t)
{
    d_step {
        role[u] == PRIMARY && job[u] && CAN_SEND(u, t) -> send_to_drives(u)
    }
}

inline record_failure(t)
{
    d_step {
        role[u] == PRIMARY && job[u] && LEG(u, t) == FAILED && fresh[u] && !(failed[u] & BIT(t)) &&
        !(r_failed & BIT(OTHER(t))) && !BROKEN(FAILURE_NOT_RECORDED) ->
        printf("%c: the record says that tray %d failed\n", 65 + u, t);
        r_failed = r_failed | BIT(t);
        swapped(u)
    }
}

#define THERE(t) \
    (LEG(u, t) == WRITTEN || (failed[u] & BIT(t)) || \
     (LEG(u, t) == FAILED && BROKEN(FAILURE_NOT_RECORDED)))
inline end_job(c)
{
    d_step {
        role[u] == PRIMARY && job[u] == c + 1 && THERE(0) && THERE(1) && ROOM(u) &&
        (mirror[u] == c + 1 || STATE(u, c) != ORDERED || MAY_ANSWER(u)) ->
        if
        :: STATE(u, c) == ORDERED && mirror[u] != c + 1 ->
            printf("%c: answers C%d, on the drives\n", 65 + u, c);
            complete(u, c, GOOD);
            append(u, ENTRY(FINISHED, c))
        :: else ->
            if
            :: mirror[u] == c + 1 || BROKEN(CLEAN_BY_BLOCK) -> mirror[u] = 0
            :: else
            fi;
            append(u, ENTRY(CLEAN, c))
        fi;
        drop_job(u)
    }
}

inline end_resync()
{
    d_step {
        role[u] == PRIMARY && job[u] == RESYNC && THERE(0) && THERE(1) -> drop_job(u); doubt[u] = 0
    }
}

/* Confirm: without a gap among the commands of its session. */
#define EARLIER_CONFIRMED(u, c) ((c) != C2 || host[C1] == NEW || (confirmed[u] & BIT(C1)))
inline forget_outcome(c)
{
    d_step {
        role[u] == PRIMARY && STATE(u, c) == DONE && ROOM(u) && EARLIER_CONFIRMED(u, c) &&
        confirms && (host[c] >= ANSWERED || BROKEN(FORGOTTEN_UNCONFIRMED)) ->
        STATE(u, c) = 0;
        if :: host[c] >= ANSWERED -> ANSWER(u, c) = 0 :: else fi;
        if
        :: host[c] >= ANSWERED && !BROKEN(CONFIRMED_NOT_KEPT) ->
            confirmed[u] = confirmed[u] | BIT(c);
            append(u, ENTRY(CONFIRMED, c))
        :: else
        fi
    }
}

/* A dead interface switch */
inline declare_dead(s)
{
    d_step {
        role[u] == PRIMARY && hangs && !(dead[u] & BIT(s)) && ROOM(u) ->
        printf("%c: the session of switch %d is dead\n", 65 + u, s);
        hangs--;
        session_dies(u, s);
        append(u, ENTRY(DEAD, s))
    }
}

/* It reads the record: refused somewhere, told of a higher epoch, or of its own accord. */
inline read_record()
{
    d_step {
        up[u] && !fresh[u] ->
        printf("%c: reads the record, epoch %d\n", 65 + u, r_epoch);
        if
        :: r_sync[u] == PRESENT ->
            if
            :: role[u] == JOINING || role[u] == DEPOSED -> role[u] = SECONDARY
            :: else
            fi
        :: r_sync[u] != PRESENT && r_previous[u] == PRESENT ->
            role[u] = DEPOSED;
            drop_job(u);
            no_member(u);
            drop_orderless(u)
        :: r_sync[u] != PRESENT && r_previous[u] != PRESENT ->
            if
            :: role[u] == OUT || (role[u] == JOINING && r_epoch == epoch[u])
            :: else -> forget_all(u)
            fi
        fi;
        epoch[u] = r_epoch; fresh[u] = 1; failed[u] = r_failed
    }
}

inline drop_orderless(u)
{
    for (i : 0 .. N - 1) {
        if :: STATE(u, i) == WAITING -> STATE(u, i) = 0 :: else fi
    }
    i = 0
}

/* Takeover 1: it stops. */
#define IS_GONE(v) (!up[v] || r_sync[v] == PAST)
inline stop()
{
    d_step {
        up[u] && role[u] == SECONDARY && (IS_GONE(OTHER(u)) || WARY(A_SECONDARY)) ->
        printf("%c: stops in epoch %d\n", 65 + u, epoch[u]);
        if :: !IS_GONE(OTHER(u)) -> suspicions-- :: else fi;
        if :: !synced[u] -> forget_queue(u) :: else fi;
        role[u] = STOPPED
    }
}

/* Takeover 2: it claims. */
inline claim_as_secondary()
{
    d_step {
        role[u] == STOPPED && fresh[u] ->
        printf("%c: claims epoch %d\n", 65 + u, r_epoch + 1);
        claim(u);
        r_dirty = (HOLDS_WRITES(u) && !BROKEN(DIRTY_NOT_SET_AT_CLAIM) -> u : NOBODY)
    }
}

inline claim_back()
{
    d_step {
        role[u] == DEPOSED && fresh[u] && (IS_GONE(OTHER(u)) || WARY(A_DEPOSED)) ->
        printf("%c: claims back, epoch %d\n", 65 + u, r_epoch + 1);
        if :: !IS_GONE(OTHER(u)) -> suspicions-- :: else fi;
        claim(u);
        r_dirty = (HOLDS_WRITES(u) && !BROKEN(DIRTY_NOT_SET_AT_CLAIM) -> u : NOBODY)
    }
}

/* A lone primary; Cold start */
#define NONE_IN_PREVIOUS (r_previous[0] != PRESENT && r_previous[1] != PRESENT)
#define NOT_DIRTY (r_dirty == NOBODY || BROKEN(COLD_OVER_DIRTY))
inline claim_over_lone()
{
    d_step {
        up[u] && role[u] == OUT && fresh[u] && NOT_DIRTY && NONE_IN_PREVIOUS &&
        r_sync[u] != PRESENT && r_sync[OTHER(u)] == PRESENT && late[OTHER(u)] ->
        printf("%c: claims over the lone one, epoch %d\n", 65 + u, r_epoch + 1);
        claim_empty(u)
    }
}

inline claim_cold()
{
    d_step {
        up[u] && role[u] == OUT && fresh[u] && NOT_DIRTY && NONE_IN_PREVIOUS &&
        r_sync[0] != PRESENT && r_sync[1] != PRESENT ->
        printf("%c: cold start, epoch %d\n", 65 + u, r_epoch + 1);
        if
        :: crashed > 1 && r_sync[0] && r_sync[1] -> excused = 1
        :: else
        fi;
        claim_empty(u)
    }
}

inline claim_wrongly()
{
    d_step {
        up[u] && role[u] == OUT && fresh[u] &&
        ((BROKEN(CLAIM_RESTARTED) && r_sync[u] == PAST) ||
         (BROKEN(CLAIM_NOT_IN_SYNC) && r_sync[u] == 0)) &&
        (IS_GONE(OTHER(u)) || WARY(A_SECONDARY)) ->
        printf("%c: claims, which it may not: epoch %d\n", 65 + u, r_epoch + 1);
        if :: !IS_GONE(OTHER(u)) -> suspicions-- :: else fi;
        claim(u);
        r_dirty = NOBODY
    }
}

/* Takeover 3: it fences. */
inline fence_tray(t)
{
    d_step {
        up[u] && role[u] == FENCING && !(fenced[u] & BIT(t)) && fence[t] < epoch[u] ->
        fence[t] = epoch[u];
        ALLOWED(u, t) = PRESENT; ALLOWED(OTHER(u), t) = 0
    }
}

#define DRAINING(v, t) (DRIVE(v, t) == ADMITTED && DRIVE_EPOCH(v, t) < fence[t])
inline fence_answered(t)
{
    d_step {
        up[u] && role[u] == FENCING && !(fenced[u] & BIT(t)) && fence[t] == epoch[u] &&
        ((!DRAINING(0, t) && !DRAINING(1, t)) || BROKEN(FENCE_DOES_NOT_DRAIN)) ->
        fenced[u] = fenced[u] | BIT(t);
        fence_up[t] = epoch[u]
    }
}

inline fence_unanswered(t)
{
    d_step {
        up[u] && role[u] == FENCING && !(fenced[u] & BIT(t)) && errors &&
        !((failed[u] | r_failed) & BIT(OTHER(t))) ->
        printf("%c: tray %d does not answer for its fence\n", 65 + u, t);
        errors--;
        fenced[u] = fenced[u] | BIT(t); failed[u] = failed[u] | BIT(t)
    }
}

/* Takeover 4 and 5: it adopts, and serves. */
inline adopt(u)
{
    fenced[u] = 0;
    for (i : 0 .. N - 1) {
        if
        :: STATE(u, i) == WAITING && BROKEN(ORDERLESS_ADOPTED) -> place_last(u, i)
        :: STATE(u, i) == WAITING && !BROKEN(ORDERLESS_ADOPTED) -> STATE(u, i) = 0
        :: else
        fi
    }
    i = 0;
    if :: BROKEN(UNCLEAN_NOT_REWRITTEN) -> mirror[u] = 0 :: else fi;
    role[u] = PRIMARY
}

inline serve()
{
    d_step {
        up[u] && role[u] == FENCING && fresh[u] && (fenced[u] == 3 || BROKEN(ADOPT_BEFORE_FENCE)) ->
        printf("%c: serves epoch %d\n", 65 + u, epoch[u]);
        r_failed = r_failed | failed[u];
        r_previous[0] = 0; r_previous[1] = 0;
        swapped(u);
        adopt(u)
    }
}

inline clear_late()
{
    d_step {
        BROKEN(ANSWER_BEFORE_CLEARED) && role[u] == PRIMARY && fresh[u] && r_primary == u &&
        (r_previous[0] || r_previous[1]) ->
        r_previous[0] = 0; r_previous[1] = 0;
        swapped(u)
    }
}

inline serve_wrongly()
{
    d_step {
        BROKEN(ANSWER_BEFORE_CLEARED) && up[u] && role[u] == FENCING && fenced[u] == 3 ->
        printf("%c: serves epoch %d, previous is not cleared\n", 65 + u, epoch[u]);
        adopt(u)
    }
}

/* A primary that suspects a secondary */
#define KNOWN_GONE (life[u] == PAST || role[OTHER(u)] == STOPPED)
#define IN_RECORD(u) (member[u] == IN_SYNC || (BROKEN(DEPENDS_LATE) && r_sync[OTHER(u)]))
inline drop()
{
    d_step {
        role[u] == PRIMARY && member[u] && (KNOWN_GONE || WARY(A_PRIMARY)) &&
        (!IN_RECORD(u) || fresh[u]) ->
        printf("%c: goes on alone\n", 65 + u);
        if :: !KNOWN_GONE -> suspicions-- :: else fi;
        if
        :: IN_RECORD(u) ->
            new_epoch(u);
            r_sync[OTHER(u)] = 0;
            r_dirty = (HOLDS_WRITES(u) && !BROKEN(DIRTY_NOT_SET_AT_DROP) -> u : NOBODY);
            late[u] = 0;
            swapped(u)
        :: else
        fi;
        no_member(u)
    }
}

/* A lone primary */
inline lease_runs_out()
{
    d_step {
        role[u] == PRIMARY && member[u] != IN_SYNC && !late[u] && WARY(A_LEASE) ->
        printf("%c: its lease runs out\n", 65 + u);
        suspicions--;
        late[u] = 1
    }
}

inline renew()
{
    d_step {
        role[u] == PRIMARY && member[u] != IN_SYNC && late[u] && fresh[u] ->
        printf("%c: renews its lease\n", 65 + u);
        late[u] = 0;
        swapped(u)
    }
}

/* When all is on the drives, or the member has confirmed that it is one. */
#define DIRTY_IS_OVER(u) (HAS_COMPANY(u) || (!HOLDS_WRITES(u) && !job[u]))
inline clear_dirty()
{
    d_step {
        role[u] == PRIMARY && fresh[u] && r_dirty == u && DIRTY_IS_OVER(u) ->
        printf("%c: dirty no more\n", 65 + u);
        r_dirty = NOBODY;
        swapped(u)
    }
}

/* Coming back. The snapshot lies in the member's memory at once, but is nobody's before it has
 * come. */
inline join_begin()
{
    d_step {
        joins && role[u] == PRIMARY && !member[u] && !doubt[u] && fresh[u] && up[OTHER(u)] &&
        role[OTHER(u)] == OUT && fresh[OTHER(u)] ->
        printf("%c: sends the other its state\n", 65 + u);
        member[u] = JOINS; life[u] = PRESENT;
        role[OTHER(u)] = JOINING; synced[OTHER(u)] = 0; epoch[OTHER(u)] = epoch[u];
        for (i : 0 .. N - 1) {
            if
            :: STATE(u, i) == WAITING || (STATE(u, i) == ORDERED && BROKEN(SENDS_ONLY_NEW)) ->
                STATE(OTHER(u), i) = 0; ORDER(OTHER(u), i) = 0
            :: else -> STATE(OTHER(u), i) = STATE(u, i); ORDER(OTHER(u), i) = ORDER(u, i)
            fi
        }
        i = 0;
        mirror[OTHER(u)] = mirror[u]; confirmed[OTHER(u)] = confirmed[u]; dead[OTHER(u)] = dead[u]
    }
}

inline snapshot_comes()
{
    d_step {
        up[u] && !synced[u] && (role[u] == JOINING || role[u] == SECONDARY) &&
        life[OTHER(u)] == PRESENT ->
        synced[u] = 1;
        held[OTHER(u)] = held[OTHER(u)] | HAS_STATE;
        for (i : 0 .. N - 1) {
            if
            :: STATE(u, i) == ORDERED || (STATE(OTHER(u), i) == ORDERED && BROKEN(SENDS_ONLY_NEW)) ->
                held[OTHER(u)] = held[OTHER(u)] | BIT(i)
            :: else
            fi
        }
        i = 0
    }
}

inline join_end()
{
    d_step {
        role[u] == PRIMARY && member[u] == JOINS && fresh[u] && !r_sync[OTHER(u)] && ROOM(u) &&
        ((held[u] & HAS_STATE) || BROKEN(JOIN_BEFORE_CONFIRMED)) ->
        printf("%c: takes the other in, epoch %d\n", 65 + u, r_epoch + 1);
        new_epoch(u);
        r_sync[OTHER(u)] = life[u];
        if
        :: BROKEN(DIRTY_CLEARED_AT_JOIN) -> r_dirty = NOBODY
        :: else
        fi;
        swapped(u);
        append(u, ENTRY(TOLD, 0));
        held[u] = held[u] & ~HAS_STATE;
        late[u] = 0;
        if :: !BROKEN(DEPENDS_LATE) -> member[u] = IN_SYNC :: else fi
    }
}

inline depend_at_last()
{
    d_step {
        BROKEN(DEPENDS_LATE) && role[u] == PRIMARY && member[u] == JOINS && r_sync[OTHER(u)] ->
        member[u] = IN_SYNC
    }
}

/* A unit that joins loses its primary. It looks whether the record has taken it in meanwhile. */
#define NO_PRIMARY_OVER(u) (IS_GONE(OTHER(u)) || !life[OTHER(u)])
inline join_fails()
{
    d_step {
        up[u] && role[u] == JOINING && fresh[u] &&
        (NO_PRIMARY_OVER(u) || WARY(A_JOINER)) ->
        printf("%c: does not come in\n", 65 + u);
        if :: !NO_PRIMARY_OVER(u) -> suspicions-- :: else fi;
        forget_all(u)
    }
}

/* Faults */
inline crash()
{
    d_step {
        up[u] && crashes ->
        printf("%c: dies\n", 65 + u);
        crashes--; crashed++;
        up[u] = 0;
        forget_all(u);
        for (i : 0 .. N - 1) { COPY(u, i) = 0; ANSWER(u, i) = 0 }
        i = 0;
        epoch[u] = 0; fresh[u] = 0; failed[u] = 0
    }
}

inline restart()
{
    d_step {
        !up[u] && restarts ->
        printf("%c: begins again\n", 65 + u);
        restarts--;
        up[u] = 1
    }
}

#define EACH(step) :: step(C0) :: step(C1) :: step(C2) :: step(C3)
#define EACH_WRITE(step) :: step(C0) :: step(C1) :: step(C2)
#define EACH_TRAY(step) :: step(0) :: step(1)

proctype unit(byte u)
{
    byte kind, c;
end:
    do
    EACH(take_copy)
    EACH(take_forward)
    :: follow()
    EACH_WRITE(answer_write)
    :: answer_read(C3, mirror[u], VALUE(mirror[u] - 1))
    :: answer_read(C3, !mirror[u] && memory[u], memory[u] - 1)
    :: answer_read(C3, !mirror[u] && CAN_READ(0), block[0])
    :: answer_read(C3, !mirror[u] && CAN_READ(1), block[1])
    EACH_WRITE(begin_job)
    :: begin_resync()
    EACH_TRAY(send_later)
    EACH_TRAY(record_failure)
    EACH_WRITE(end_job)
    :: end_resync()
    EACH(forget_outcome)
    :: declare_dead(1)
    :: read_record()
    :: stop()
    :: claim_as_secondary()
    :: claim_back()
    :: claim_over_lone()
    :: claim_cold()
    :: claim_wrongly()
    EACH_TRAY(fence_tray)
    EACH_TRAY(fence_answered)
    EACH_TRAY(fence_unanswered)
    :: serve()
    :: serve_wrongly()
    :: clear_late()
    :: drop()
    :: lease_runs_out()
    :: renew()
    :: clear_dirty()
    :: join_begin()
    :: snapshot_comes()
    :: join_end()
    :: depend_at_last()
    :: join_fails()
    :: crash()
    :: restart()
    od
}

/* ================= steps of a tray, t ================= */

inline drive_gone(v)
{
    DRIVE(v, t) = 0; DRIVE_VALUE(v, t) = 0; DRIVE_EPOCH(v, t) = 0; DRIVE_OF(v, t) = OF_JOB
}

#define ADMITS(v) \
    (DRIVE_EPOCH(v, t) >= fence[t] && \
     ALLOWED(v, t) == (DRIVE_OF(v, t) == OF_PAST_LIFE -> PAST : PRESENT))
inline lands(v)
{
    printf("tray %d: %d by %c\n", t, DRIVE_VALUE(v, t), 65 + v);
    assert(DRIVE_EPOCH(v, t) >= fence_up[t]); /* what must hold 3 */
    block[t] = DRIVE_VALUE(v, t);
    if :: DRIVE_OF(v, t) == OF_JOB -> LEG(v, t) = WRITTEN :: else fi;
    drive_gone(v)
}

inline admit(v)
{
    d_step {
        DRIVE(v, t) == ON_ITS_WAY ->
        if
        :: ADMITS(v) && drains -> DRIVE(v, t) = ADMITTED
        :: ADMITS(v) && !drains -> lands(v)
        :: else ->
            printf("tray %d: refuses a write of %c of epoch %d\n", t, 65 + v, DRIVE_EPOCH(v, t));
            if :: DRIVE_OF(v, t) == OF_JOB -> LEG(v, t) = REFUSED :: else fi;
            drive_gone(v)
        fi
    }
}

inline land(v)
{
    d_step {
        DRIVE(v, t) == ADMITTED -> lands(v)
    }
}

/* A cut cable, or a drive that errs: the unit is told that it failed. */
inline lose_drive_write(v)
{
    d_step {
        DRIVE(v, t) == ON_ITS_WAY && errors ->
        printf("tray %d: a write of %c is lost\n", t, 65 + v);
        errors--;
        if :: DRIVE_OF(v, t) == OF_JOB -> LEG(v, t) = FAILED :: else fi;
        drive_gone(v)
    }
}

/* Its loop switch dies and begins again. Whatever was on its way is lost. */
inline restart_tray()
{
    d_step {
        tray_restarts ->
        printf("tray %d: begins again\n", t);
        tray_restarts--;
        for (i : 0 .. 1) {
            if :: DRIVE(i, t) && DRIVE_OF(i, t) == OF_JOB -> LEG(i, t) = TODO :: else fi;
            drive_gone(i);
            if :: BROKEN(FENCE_NOT_DURABLE) -> ALLOWED(i, t) = PRESENT :: else fi
        }
        i = 0;
        if :: BROKEN(FENCE_NOT_DURABLE) -> fence[t] = 0 :: else fi
    }
}

#define EACH_UNIT(step) :: step(0) :: step(1)

proctype tray(byte t)
{
end:
    do
    EACH_UNIT(admit)
    EACH_UNIT(land)
    EACH_UNIT(lose_drive_write)
    :: restart_tray()
    od
}

/* ================= steps of the switches and their hosts ================= */

#define FINISHED_AT_HOST(c) (host[c] == ANSWERED || host[c] == ABORTED)
#define W1_OVER (FINISHED_AT_HOST(C0) || FINISHED_AT_HOST(C1))
#define C0_FAILED (host[C0] == GIVEN_UP || host[C0] == LOST)
#define MAY_BEGIN(c) \
    ((c) == C1 -> C0_FAILED && host[C2] == NEW : \
     ((c) == C2 -> !(C0_FAILED && !W1_OVER && (commands & BIT(C1))) && (!in_turn || W1_OVER) : true))

inline begin(c)
{
    d_step {
        host[c] == NEW && (commands & BIT(c)) && MAY_BEGIN(c) && !ended[VIA(c)] ->
        printf("host: C%d\n", c);
        host[c] = OPEN;
        if :: c != C1 -> before[OP(c)] = seen :: else fi;
        if :: IS_READ(c) -> over_then = over :: else fi
    }
}

inline send(c)
{
    d_step {
        host[c] == OPEN && sent_epoch[c] < view[VIA(c)] ->
        printf("switch %d: C%d, epoch %d\n", VIA(c), c, view[VIA(c)]);
        sent_epoch[c] = view[VIA(c)];
        if :: !first_epoch[c] -> first_epoch[c] = view[VIA(c)] :: else fi;
        for (i : 0 .. 1) {
            if
            :: up[i] && (role[i] == PRIMARY || !one_copy) -> COPY(i, c) = view[VIA(c)]
            :: else
            fi
        }
        i = 0
    }
}

#define WANTS_VIEW(s) \
    ((host[C0] <= OPEN && (s) == 1) || (host[C1] <= OPEN && (s) == 0) || \
     (host[C2] <= OPEN && (s) == 0) || (host[C3] <= OPEN && (s) == read_via))
inline learn(v, s)
{
    d_step {
        up[v] && role[v] == PRIMARY && view[s] < epoch[v] && WANTS_VIEW(s) -> view[s] = epoch[v]
    }
}

/* The judge looks at every answer: what must hold 2. */
inline judge_answer(c, a)
{
    if
    :: a == GOOD ->
        host[c] = ANSWERED;
        over = over | (before[OP(c)] & ~BIT(VALUE(c)));
        seen = seen | BIT(VALUE(c))
    :: a == ABORT ->
        host[c] = ABORTED;
        if :: !IS_READ(c) -> seen = seen | BIT(VALUE(c)) :: else fi
    :: a >= VALUE_0 ->
        host[c] = ANSWERED;
        n = a - VALUE_0;
        assert(excused || !(over_then & BIT(n)));
        over = over | (before[OP(c)] & ~BIT(n));
        seen = seen | BIT(n);
        n = 0
    fi;
    before[OP(c)] = 0;
    ANSWER(0, c) = 0; ANSWER(1, c) = 0 /* of a second one it would take no notice */
}

inline take_answer(v, c)
{
    d_step {
        ANSWER(v, c) ->
        if
        :: host[c] == OPEN ->
            printf("switch %d: answer to C%d from %c\n", VIA(c), c, 65 + v);
            judge_answer(c, ANSWER(v, c))
        :: else
        fi;
        ANSWER(v, c) = 0
    }
}

/* A link is reset: the switch sends what is outstanding again. */
inline lose_answer(v, c)
{
    d_step {
        ANSWER(v, c) && losses && host[c] == OPEN ->
        printf("switch %d: the answer to C%d is lost\n", VIA(c), c);
        losses--;
        ANSWER(v, c) = 0; sent_epoch[c] = 0
    }
}

/* A host waits no longer for its stopped switch. */
inline give_up()
{
    d_step {
        host[C0] == OPEN && give_ups ->
        printf("host: gives C0 up\n");
        give_ups--;
        host[C0] = GIVEN_UP
    }
}

inline told_dead(v, s)
{
    d_step {
        up[v] && role[v] == PRIMARY && (dead[v] & BIT(s)) && !ended[s] &&
        (epoch[v] >= view[s] || BROKEN(DEATH_OF_OLD_EPOCH_BELIEVED)) ->
        printf("switch %d: its session is dead\n", s);
        ended[s] = 1;
        for (i : 0 .. N - 1) {
            if :: VIA(i) == s && host[i] == OPEN -> host[i] = LOST :: else fi
        }
        i = 0
    }
}

#define EACH_ANSWER(step) \
    :: step(0, C0) :: step(0, C1) :: step(0, C2) :: step(0, C3) \
    :: step(1, C0) :: step(1, C1) :: step(1, C2) :: step(1, C3)

proctype switches()
{
end:
    do
    EACH(begin)
    EACH(send)
    :: learn(0, 0)
    :: learn(0, 1)
    :: learn(1, 0)
    :: learn(1, 1)
    EACH_ANSWER(take_answer)
    EACH_ANSWER(lose_answer)
    :: give_up()
    :: told_dead(0, 1)
    :: told_dead(1, 1)
    od
}

/* ================= the end ================= */

#define SERVES(u) \
    (up[u] && role[u] == PRIMARY && r_primary == u && epoch[u] == r_epoch && NONE_IN_PREVIOUS)
#define WAITS_FOR_ADMINISTRATOR (r_dirty != NOBODY && r_sync[r_dirty] != PRESENT)

inline judge_unit(u)
{
    if
    :: SERVES(u) ->
        for (i : 0 .. N - 1) {
            assert(STATE(u, i) != ORDERED);
            assert(host[i] != OPEN) /* what must hold 6 */
        }
        i = 0;
        assert(!mirror[u] && !job[u] && !doubt[u] && r_dirty == NOBODY);
        assert(!joins || !up[OTHER(u)] || (r_sync[OTHER(u)] == PRESENT && role[OTHER(u)] == SECONDARY))
    :: else
    fi
}

/* When nothing moves any more. */
proctype judge()
{
    timeout ->
    d_step {
        assert(SERVES(0) || SERVES(1) || WAITS_FOR_ADMINISTRATOR || (!up[0] && !up[1]));
        judge_unit(0);
        judge_unit(1);
        if
        :: SERVES(0) || SERVES(1) ->
            assert((r_failed & 1) || (r_failed & 2) || block[0] == block[1]); /* 5 */
            assert((r_failed & 1) || excused || !(over & BIT(block[0])));     /* 2 */
            assert((r_failed & 2) || excused || !(over & BIT(block[1])))
        :: else
        fi
    }
}

init {
    d_step {
        c_code {
            now.broken = knob("broken");
            now.crashes = knob("crashes");
            now.restarts = knob("restarts");
            now.suspicions = knob("suspicions");
            now.errors = knob("errors");
            now.losses = knob("losses");
            now.hangs = knob("hangs");
            now.give_ups = knob("give_ups");
            now.tray_restarts = knob("tray_restarts");
            now.commands = knob("commands");
            now.read_via = knob("read_via");
            now.in_turn = knob("in_turn");
            now.one_copy = knob("one_copy");
            now.confirms = knob("confirms");
            now.drains = knob("drains");
            now.joins = knob("joins");
            now.caches = knob("caches");
            now.begun = knob("begun");
            now.wary = knob("wary");
        };
        r_epoch = 1; reign[1] = 1;
        r_dirty = NOBODY;
        seen = 1;
        for (i : 0 .. 1) {
            r_sync[i] = PRESENT;
            up[i] = 1; epoch[i] = 1; fresh[i] = 1; synced[i] = 1;
            fence[i] = 1; fence_up[i] = 1;
            ALLOWED(i, 0) = PRESENT; ALLOWED(i, 1) = PRESENT;
            view[i] = 1
        }
        i = 0;
        role[0] = PRIMARY; member[0] = IN_SYNC; life[0] = PRESENT; held[0] = KNOWS;
        role[1] = SECONDARY;
        if
        :: begun ->
            host[C0] = ANSWERED; outcome = BIT(C0);
            first_epoch[C0] = 1; sent_epoch[C0] = 1;
            seen = BIT(0) | BIT(1); over = BIT(0);
            STATE(0, C0) = DONE; STATE(1, C0) = DONE
        :: else
        fi;
        if :: begun == FROM_DIRTY -> mirror[0] = C0 + 1; mirror[1] = C0 + 1 :: else fi;
        if
        :: begun == FROM_CLEAN || begun == FROM_LONE ->
            block[0] = 1; block[1] = 1; memory[0] = 2 * caches
        :: else
        fi;
        if
        :: begun >= FROM_LONE ->
            member[0] = 0; life[0] = 0; held[0] = 0;
            role[1] = OUT; STATE(1, C0) = 0; synced[1] = 0;
            r_sync[1] = 0
        :: else
        fi;
        if :: begun == FROM_LONE_DIRTY -> mirror[0] = C0 + 1; r_dirty = 0 :: else fi
    };
    atomic {
        do /* some never happen: else the end would be judged only after all of them */
        :: crashes -> crashes--
        :: restarts -> restarts--
        :: suspicions -> suspicions--
        :: errors -> errors--
        :: losses -> losses--
        :: hangs -> hangs--
        :: give_ups -> give_ups--
        :: tray_restarts -> tray_restarts--
        :: break
        od;
        run unit(0); run unit(1); run tray(0); run tray(1); run switches(); run judge()
    }
}
