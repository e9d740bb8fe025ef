/* SPDX-License-Identifier: Apache-2.0 */
/* One story at least for each claim of the seed document. */
#include "tests/story/stories.h"

/* 1: units that give no availability signal for the availability limit lose control. */
void story_claim_01_availability_signal(struct story *s)
{
    story_pause(s, "A");
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_good(s, w, MS(250));
    story_assert(s, story_primary(s, "B1"));
    story_expect(s, "A x pause\n"
                    "IS1 > sequence *: epoch *\n"
                    "B1 > suspects A1: availability -> stops answering ready in epoch *\n"
                    "B1 > claims epoch *: availability\n"
                    "-- register g1: * primary B in_sync 1 previous\n"
                    "L? > bank g1 at epoch *: drained, fenced\n"
                    "-- register g1: * primary B in_sync 1\n"
                    "B1 > adopt * commands, * dirty, drop * without an order -> serve\n"
                    "B1 > done *: status 00*\n");
    story_assert(s, story_primary(s, "B2"));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
    story_resume(s, "A");
    story_until(s, story_in_sync(s, "A1") && story_in_sync(s, "A2"), MS(5000));
}

/* 2, 3: drives are reached through loop switches; one that dies costs the pools a mirror, no more.
 */
void story_claim_02_03_storage_array_switch(struct story *s)
{
    struct op *before = story_write(s, 0, 0, 8, 0);
    story_flush(s, 0, 0);
    story_crash(s, "L1");
    struct op *w = story_write(s, 0, 100, 8, 0);
    story_assert(s, story_stamp(s, 0, 0, 1) == before->stamp);
    struct op *flush = story_send(s, op_flush(s->site->clients), 0, 0);
    story_good(s, flush, MS(7000));
    story_assert(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_FAILED);
    story_assert(s, story_record(s, 0)->drive_state[32] == DRIVE_STATE_GOOD);
    story_assert(s, story_primary(s, "A1"));
    story_restart(s, "L1");
    story_until(s, story_record(s, 0)->drive_state[0] == DRIVE_STATE_GOOD, MS(10000));
    story_assert(s, story_stamp(s, 0, 100, 0) == w->stamp);
}

/* 4: two interface switches, two hosts, both groups: one array to all of them. */
void story_claim_04_interface_switches_and_hosts(struct story *s)
{
    s->host = 0;
    struct op *a = story_write(s, 0, 10, 4, 0);
    struct op *b = story_write(s, 1, 10, 4, 1);
    s->host = 1;
    story_assert(s, story_stamp(s, 0, 10, 1) == a->stamp);
    story_assert(s, story_stamp(s, 1, 10, 0) == b->stamp);
    struct op *over = story_write(s, 0, 10, 4, 1);
    s->host = 0;
    story_assert(s, story_stamp(s, 0, 10, 0) == over->stamp);
}

/* 5, 6: A1 and B1 are a multicast group, and both hold what the switch sends to it. */
void story_claim_05_06_multicast_group(struct story *s)
{
    story_hold(s, "A", "B", MESSAGE_STREAM); /* READY does not come, so the queues can be seen */
    struct op *w = story_send_write(s, 0, 7, 1, 0);
    story_until(s, story_held(s, "A", "B"), MS(10));
    story_run(s, MS(1));
    story_assert(s, story_unit(s, "A1").queue == 1);
    story_assert(s, story_unit(s, "B1").queue == 1);
    story_assert(s, w->state == OP_STATE_WAITING);
    story_restore(s, "A", "B");
    story_good(s, w, MS(10));
    story_until(s, story_unit(s, "B1").queue == 0, MS(5));
    story_expect(s, "A1 > queue 0/*, order * -> ready\n"
                    "restore A <-> B\n"
                    "B1 > ready *: held\n"
                    "A1 > done *: status 00*\n"
                    "B1 > done *\n");
}

/* 7: what reaches only one unit of the group is forwarded to the other. */
void story_claim_07_forwarding(struct story *s)
{
    uint64_t epoch = story_record(s, 0)->epoch;
    story_cut(s, "IS1", "A", LINK_TO);
    struct op *w = story_send_write(s, 0, 20, 8, 0);
    story_good(s, w, MS(60));
    story_expect(s, "cut IS1 -> A\n"
                    "B1 > no ready for 0/* -> forward to A1\n"
                    "A1 > queue 0/*, order * -> ready\n"
                    "B1 > ready *: held\n"
                    "A1 > done *: status 00*\n");
    story_assert(s, story_record(s, 0)->epoch == epoch && story_primary(s, "A1"));
    story_restore(s, "IS1", "A");
}

/* 8, 20, 26: redundancy and drive control by several modules: each of three in turn. */
void story_claim_08_20_26_several_modules(struct story *s)
{
    struct op *first = story_write(s, 0, 0, 8, 0);
    story_assert(s, story_record(s, 0)->in_sync.count == 3);
    story_crash(s, "A");
    struct op *second = story_write(s, 0, 8, 8, 1);
    story_assert(s, story_primary(s, "B1") || story_primary(s, "C1"));
    story_assert(s, story_record(s, 0)->in_sync.count == 2);
    story_crash(s, story_primary(s, "B1") ? "B" : "C");
    struct op *third = story_write(s, 0, 16, 8, 0);
    story_assert(s, story_record(s, 0)->in_sync.count == 1);
    story_assert(s, story_stamp(s, 0, 0, 1) == first->stamp);
    story_assert(s, story_stamp(s, 0, 8, 1) == second->stamp);
    story_assert(s, story_stamp(s, 0, 16, 1) == third->stamp);
}

/* 9, 21, 27: a module that fails: the other assumes control, and the hosts wait milliseconds. */
void story_claim_09_21_27_module_fails(struct story *s)
{
    struct op *w = story_write(s, 0, 5, 3, 0);
    story_crash(s, "A");
    struct op *during = story_send_write(s, 0, 50, 3, 0);
    story_good(s, during, MS(25));
    story_expect(s, "A x crash\n"
                    "B1 > suspects A1: link_reset -> stops answering ready in epoch *\n"
                    "B1 > claims epoch *: link_reset\n"
                    "B1 > adopt * -> serve\n"
                    "B1 > done *: status 00*\n");
    story_assert(s, story_stamp(s, 0, 5, 1) == w->stamp);
    story_restart(s, "A");
    story_until(s, story_in_sync(s, "A1"), MS(5000));
    story_until(s, story_primary(s, "A1"), MS(10000)); /* and control goes back */
    story_assert(s, story_stamp(s, 0, 50, 0) == during->stamp);
}

/* 10, 11, 12, 13: submitted to both; READY both ways; acknowledged; out of the secondary's queue.
 */
void story_claim_10_11_12_13_handshake(struct story *s)
{
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_good(s, w, MS(5));
    story_until(s, story_unit(s, "B1").queue == 0, MS(5));
    story_expect(s, "IS1 > sequence *: epoch *\n"
                    "A1 > queue 0/*, order * -> ready\n"
                    "B1 > ready *: held\n"
                    "A1 > done *: status 00, in the mirror\n"
                    "B1 > done *, in the mirror\n");
    story_assert(s, story_unit(s, "A1").queue == 0 && story_unit(s, "B1").queue == 0);
    /* without the secondary's ready signal nothing is answered, not even a read from memory */
    story_mark(s);
    story_hold(s, "B", "A", MESSAGE_HELD);
    struct op *r = story_send_read(s, 0, 64, 8, 0);
    story_never(s, r->state != OP_STATE_WAITING, MS(100));
    story_restore(s, "A", "B");
    story_good(s, r, MS(20));
}

/* 14, 25: the ports of the old primary are disabled in the bank before anything is processed. */
void story_claim_14_25_ports_disabled(struct story *s)
{
    story_crash(s, "A");
    struct op *w = story_send_write(s, 0, 30, 8, 0);
    story_good(s, w, MS(25));
    story_expect(s, "B1 > claims epoch *\n"
                    "L? > bank g1: epoch *, allows B1 only, *\n"
                    "L? > bank g1 at epoch *: drained, fenced\n"
                    "L? > bank g1 at epoch *: drained, fenced\n"
                    "B1 > adopt *\n"
                    "B1 > done *: status 00*\n");
    for (int l = 0; l < 2; l++) {
        struct loopswitch_bank_status bank = story_bank(s, l ? "L2" : "L1", 0);
        story_assert(s, bank.epoch == story_record(s, 0)->epoch);
        story_assert(s, bank.allowed.count == 1 && bank.allowed.at[0].module == 1);
    }
}

/* 15: with the handshake the primary processes the command. 16: without it the secondary does. */
void story_claim_15_16_who_processes(struct story *s)
{
    story_good(s, story_send_write(s, 0, 0, 8, 0), MS(5));
    story_assert(s, story_primary(s, "A1"));
    story_mark(s);
    story_cut(s, "IS1", "A", LINK_TO); /* A1 goes on signalling, but has nothing to be ready for */
    story_lose(s, "B", "A", MESSAGE_FORWARD);
    struct op *w = story_send_write(s, 0, 8, 8, 0);
    story_good(s, w, MS(300));
    story_expect(s, "B1 > no ready for 0/* -> forward to A1\n"
                    "B1 > suspects A1: handshake -> stops answering ready in epoch *\n"
                    "B1 > done *: status 00*\n");
    story_assert(s, story_primary(s, "B1"));
}

/* 17, 18, 19: the limit counts from the host's sending through the switch, not from when a unit got
 * its copy: an old copy is refused, and the host is asked before it is sent again. */
void story_claim_17_18_19_timing(struct story *s)
{
    uint64_t epoch = story_record(s, 0)->epoch;
    story_cut(s, "IS1", "A", LINK_TO);
    story_cut(s, "IS1", "B", LINK_TO);
    struct op *w = story_send_write(s, 0, 40, 8, 0);
    story_run(s, MS(130));
    story_restore(s, "IS1", "A");
    story_restore(s, "IS1", "B");
    story_good(s, w, MS(60));
    story_expect(s, "A1 > refuse 0/*: stale\n"
                    "IS1 > sequence * refused by module 0: *\n"
                    "A1 > queue 0/*, order * -> ready\n");
    story_assert(s, story_record(s, 0)->epoch == epoch);
}

/* 22: two queues; DONE empties the secondary's, a dead primary makes it process what it holds. */
void story_claim_22_two_queues(struct story *s)
{
    story_hold(s, "B", "A", MESSAGE_HELD); /* B1 holds it, A1 does not know that */
    struct op *w = story_send_write(s, 0, 12, 8, 0);
    story_until(s, story_held(s, "B", "A"), MS(10));
    story_assert(s, story_unit(s, "A1").queue == 1 && story_unit(s, "B1").queue == 1);
    story_crash(s, "A");
    story_good(s, w, MS(25));
    story_expect(s, "B1 > ready *: held\n"
                    "A x crash\n"
                    "B1 > adopt 1 commands, * -> serve\n"
                    "B1 > done *: status 00*\n");
    story_until(s, story_unit(s, "B1").queue == 0, MS(10));
}

/* 23: both modules are active: each is primary of a group, and each backs the other up. */
void story_claim_23_active_active(struct story *s)
{
    story_assert(s, story_primary(s, "A1") && story_primary(s, "B2"));
    story_assert(s, story_state(s, "B1") == UNIT_STATE_SECONDARY);
    story_assert(s, story_state(s, "A2") == UNIT_STATE_SECONDARY);
    struct op *a = story_send_write(s, 0, 0, 8, 0);
    struct op *b = story_send_write(s, 1, 0, 8, 0);
    story_good(s, a, MS(5));
    story_good(s, b, MS(5));
    story_crash(s, "B");
    story_good(s, story_send_write(s, 1, 8, 8, 0), MS(25));
    story_assert(s, story_primary(s, "A1"));
    story_assert(s, story_primary(s, "A2"));
}

/* 24: one module stands by: it is secondary of both groups, until the other fails. */
void story_claim_24_active_standby(struct story *s)
{
    story_assert(s, story_primary(s, "A1") && story_primary(s, "A2"));
    story_assert(s, story_state(s, "B1") == UNIT_STATE_SECONDARY);
    story_assert(s, story_state(s, "B2") == UNIT_STATE_SECONDARY);
    story_crash(s, "A");
    struct op *a = story_send_write(s, 0, 0, 8, 0);
    struct op *b = story_send_write(s, 1, 0, 8, 1);
    story_good(s, a, MS(25));
    story_good(s, b, MS(25));
    story_assert(s, story_primary(s, "B1") && story_primary(s, "B2"));
}
