/* SPDX-License-Identifier: Apache-2.0 */
/* Units that are out, come back, are alone, or begin cold. */
#include "tests/story/stories.h"

/* A primary goes lone with acknowledged data that no drive has, and dies: nobody serves old data.
 */
void story_drop_with_dirty_data_and_then_death(struct story *s)
{
    story_hang_drive(s, 0, true);
    story_hang_drive(s, 32, true);
    struct op *w = story_write(s, 0, 64, 8, 0); /* in both mirrors, on no drive */
    story_pause(s, "B");
    story_until(s, story_said(s, "A1 > epoch *: goes on without B1"), MS(500));
    story_assert(s, story_record(s, 0)->dirty.module == 0);
    story_crash(s, "A");
    story_hang_drive(s, 0, false);
    story_hang_drive(s, 32, false);
    story_resume(s, "B");
    story_restart(s, "A");
    struct op *r = story_send_read(s, 0, 64, 8, 1);
    story_never(s, story_primary(s, "B1") || story_primary(s, "A1"), MS(6000));
    story_expect(
        s, "-- register g1: * primary A in_sync 1 dirty\n"
           "A1 > lone: answers when writes are on the drives, dirty\n"
           "A x crash\n"
           "?1 > everybody that served g1 is dead, and A1 alone held acknowledged writes: *\n");
    story_assert(s, r->state == OP_STATE_WAITING && w->status == 0);
    story_write(s, 1, 0, 8, 1); /* the other group is not concerned */
    story_leave(s);
}

/* A lone primary with data that no drive has takes a member in and dies, before the member hears of
 * it: it is one all the same, and has the data. */
void story_taken_in_by_the_last_act(struct story *s)
{
    disk_hang(s->world, 0, true);
    disk_hang(s->world, 32, true);
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_pause(s, "B");
    story_until(s, story_record(s, 0)->dirty.module == 0, MS(500));
    story_resume(s, "B");
    story_until(s, story_record(s, 0)->in_sync.count == 2, MS(2000));
    story_assert(s, story_record(s, 0)->dirty.module == 0); /* not before B has confirmed it */
    story_mark(s);
    story_crash(s, "A");
    disk_hang(s->world, 0, false);
    disk_hang(s->world, 32, false);
    story_until(s, story_primary(s, "B1"), MS(2000));
    story_expect(s, "B1 > joining -> secondary*\n"
                    "B1 > suspects A1: *\n"
                    "B1 > adopt * -> serve\n");
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* The swap that takes B in is on its way for long. B hears nothing of its primary and goes out;
 * then the record names it, and what it held in its earlier life is held by nobody. */
void story_taken_in_after_it_has_left(struct story *s)
{
    story_crash(s, "B");
    story_until(s, story_primary(s, "A1") && story_record(s, 0)->in_sync.count == 1, MS(500));
    story_run(s, MS(500));
    story_assert(s, story_record(s, 0)->dirty.module == MODULE_NONE);
    disk_hang(s->world, 0, true);
    disk_hang(s->world, 32, true);
    story_restart(s, "B");
    story_until(s, story_said(s, "A1 > state to B1*"), MS(2000));
    cell_slow(s->world, world_process(s->world, "A"), MS(400));
    story_run(s, MS(60));
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "B1 > ready *: not here"), MS(100));
    story_run(s, MS(1));
    story_hold(s, "B", "A", MESSAGE_HELD); /* of its data, when it has fetched that */
    story_until(s, story_held(s, "B", "A"), MS(100));
    story_cut(s, "A", "B", LINK_TO);
    story_until(s, story_state(s, "B1") == UNIT_STATE_OUT, MS(300));
    story_until(s, story_record(s, 0)->in_sync.count == 2, MS(500));
    story_pause(s, "A");
    story_run(s, MS(450)); /* by then it has the swap's answer, too */
    story_restore(s, "B", "A");
    story_run(s, MS(5));
    cell_slow(s->world, world_process(s->world, "A"), 0);
    story_resume(s, "A");
    story_never(s, w->state == OP_STATE_ANSWERED, MS(50)); /* it is on no drive */
    disk_hang(s->world, 0, false);
    disk_hang(s->world, 32, false);
    story_good(s, w, MS(5000));
}

/* Both die in the moment in which the record names them both. All that was answered is on the
 * drives: no person is needed. */
void story_all_die_right_after_a_join(struct story *s)
{
    story_crash(s, "B");
    story_until(s, story_primary(s, "A1") && story_record(s, 0)->in_sync.count == 1, MS(500));
    story_run(s, MS(500));
    story_restart(s, "B");
    story_until(s, story_state(s, "B1") == UNIT_STATE_JOINING, MS(2000));
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_record(s, 0)->in_sync.count == 2, MS(2000));
    bool answered = w->state == OP_STATE_ANSWERED && w->status == 0;
    story_crash(s, "A");
    story_crash(s, "B");
    story_assert(s, story_record(s, 0)->dirty.module == MODULE_NONE);
    story_restart(s, "A");
    story_restart(s, "B");
    story_until(s, story_primary(s, "A1"), MS(5000));
    story_settle_attentions(s);
    story_assert(s, !answered || story_stamp(s, 0, 64, 1) == w->stamp);
}

/* The same as the first; then a person decides that the group goes on without what is lost. Not
 * before. */
void story_a_person_gives_up_what_is_lost(struct story *s)
{
    story_hang_drive(s, 0, true);
    story_hang_drive(s, 32, true);
    story_write(s, 0, 64, 8, 0);
    story_request(s, "B1", "accept-loss"); /* refused: nothing is to be decided */
    story_pause(s, "B");
    story_until(s, story_record(s, 0)->dirty.module == 0, MS(500));
    story_resume(s, "B");
    story_until(s, story_state(s, "B1") == UNIT_STATE_OUT, MS(500));
    story_pause(s, "A");
    story_request(s, "B1", "accept-loss"); /* refused: its lease has not run out */
    story_never(s, story_primary(s, "B1"), MS(3000));
    story_resume(s, "A");
    story_crash(s, "A");
    story_hang_drive(s, 0, false);
    story_hang_drive(s, 32, false);
    story_restart(s, "A");
    story_never(s, story_primary(s, "B1") || story_primary(s, "A1"), MS(3000));
    story_mark(s);
    story_request(s, "B1", "accept-loss");
    story_until(s, story_primary(s, "B1"), MS(5000));
    story_expect(s, "B1 > a person gives up what A1 alone held\n"
                    "B1 > claims epoch *\n"
                    "B1 * loss_accepted group=1 unit=B1 of=A1\n"
                    "B1 > adopt * -> serve\n");
    story_assert(s, story_record(s, 0)->dirty.module == MODULE_NONE);
    story_settle_attentions(s);
    struct op *w = story_write(s, 0, 64, 8, 1);
    story_assert(s, story_stamp(s, 0, 64, 0) == w->stamp);
    story_leave(s);
}

/* The same, but the lone primary has brought everything to the drives first. */
void story_lone_primary_dies_clean(struct story *s)
{
    struct op *w1 = story_write(s, 0, 64, 8, 0);
    story_crash(s, "B");
    struct op *w2 = story_write(s, 0, 72, 8, 0);
    story_until(s, story_record(s, 0)->dirty.module == MODULE_NONE, MS(5000));
    story_crash(s, "A");
    story_restart(s, "B");
    story_until(s, story_primary(s, "B1"), MS(10000));
    story_expect(s, "-- register g1: * primary A in_sync 1 dirty\n"
                    "A1 > lone: answers when writes are on the drives, dirty\n"
                    "-- register g1: * primary A in_sync 1\n"
                    "A x crash\n"
                    "B1 > claims epoch *: lone_gone\n"
                    "B1 > state read from the drives, generation *\n"
                    "B1 > adopt 0 commands, 0 dirty, * -> serve\n");
    story_settle_attentions(s);
    story_assert(s, story_stamp(s, 0, 64, 1) == w1->stamp);
    story_assert(s, story_stamp(s, 0, 72, 1) == w2->stamp);
}

/* A switch was cut off when an out unit claimed over the lone one: the outcome of what it had sent
 * before is unknown, and that is what its host is told. */
void story_switch_cut_off_during_a_lone_claim(struct story *s)
{
    story_crash(s, "B");
    story_until(s, story_record(s, 0)->in_sync.count == 1, MS(1000));
    story_write(s, 0, 0, 8, 0);
    story_until(s, story_record(s, 0)->dirty.module == MODULE_NONE, MS(5000));
    story_mark(s);
    story_lose(s, "A", "IS1", MESSAGE_RESPONSE);
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_until(s, story_said(s, "A1 > done *"), MS(1000));
    story_until(s, story_record(s, 0)->dirty.module == MODULE_NONE, MS(5000));
    story_isolate(s, "IS1", LINK_BOTH);
    story_crash(s, "A");
    story_restart(s, "B");
    story_until(s, story_primary(s, "B1"), MS(10000));
    story_expect(s, "A1 > done *: status 00*\n"
                    "A x crash\n"
                    "B1 > claims epoch *: lone_gone\n"
                    "B1 > state read from the drives, generation *\n"
                    "B1 > adopt 0 commands, 0 dirty, * -> serve\n");
    story_assert(s, story_record(s, 0)->cut > 0);
    story_rejoin(s, "IS1");
    story_answered(s, w, MS(5000));
    story_assert(s, w->status == 2 && w->sense_key == 0x0B);
    story_settle_attentions(s);
    story_write(s, 0, 64, 8, 0);
}

/* Restarted, empty, while the record still names its earlier life: it may not claim. */
void story_restarted_empty_unit_that_the_record_names(struct story *s)
{
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_pause(s, "A"); /* lives, so nothing of it may be taken for dead */
    story_crash(s, "B");
    story_restart(s, "B");
    story_never(s, story_primary(s, "B1"), MS(4000));
    story_resume(s, "A");
    story_until(s, story_in_sync(s, "B1") && story_in_sync(s, "A1"), MS(10000));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* One that comes back and cannot reach the living one takes that for no death. */
void story_restarted_unit_cannot_reach_the_living_one(struct story *s)
{
    story_crash(s, "B");
    story_write(s, 0, 64, 8, 0);
    story_cut(s, "A", "B", LINK_BOTH);
    story_restart(s, "B");
    for (int i = 0; i < 20; i++) {
        story_good(s, story_send_write(s, 0, (uint64_t)i * 8, 8, i % 2), MS(500));
        story_never(s, story_primary(s, "B1"), MS(250));
    }
    story_restore(s, "A", "B");
    story_until(s, story_settled(s), MS(10000));
}

/* A unit joins while a write is half done, and then has to finish it. */
void story_unit_joins_while_a_write_is_half_done(struct story *s)
{
    story_crash(s, "B");
    story_until(s, story_record(s, 0)->in_sync.count == 1, MS(1000));
    story_slow_drive(s, 0, MS(100));
    story_slow_drive(s, 32, MS(160));
    struct op *w[6];
    story_restart(s, "B");
    for (int i = 0; i < 6; i++) {
        w[i] = story_send_write(s, 0, 64 + (uint64_t)i * 4, 8, i % 2);
        story_run(s, MS(30));
    }
    story_until(s, story_in_sync(s, "B1"), MS(10000));
    story_expect(s, "A1 > B1 comes back\n"
                    "A1 > state to B1: * parts, * ordered, * dirty\n"
                    "-- register g1: * primary A in_sync 2\n");
    story_crash(s, "A");
    story_slow_drive(s, 0, 0);
    story_slow_drive(s, 32, 0);
    for (int i = 0; i < 6; i++)
        story_good(s, w[i], MS(2000));
    for (int i = 0; i < 5; i++)
        story_assert(s, story_stamp(s, 0, w[i]->lba, 0) == w[i]->stamp);
}

/* The primary dies in the middle of a join: the unit that joined holds too little, and knows it. */
void story_primary_dies_during_a_join(struct story *s)
{
    story_crash(s, "B");
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_restart(s, "B");
    story_until(s, story_state(s, "B1") == UNIT_STATE_JOINING, MS(5000));
    story_run(s, random_below(&(struct random){s->seed}, MS(60)));
    story_crash(s, "A");
    story_restart(s, "A");
    story_until(s, story_primary(s, "A1") || story_primary(s, "B1"), MS(15000));
    story_settle_attentions(s);
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* A lone primary that cannot renew its lease completes nothing. */
void story_lone_primary_without_its_lease(struct story *s)
{
    story_crash(s, "B");
    story_write(s, 0, 64, 8, 0);
    story_reach_register(s, "A", CELL_UNREACHED);
    story_run(s, MS(1500));
    struct op *w = story_send_write(s, 0, 72, 8, 0);
    struct op *r = story_send_read(s, 0, 64, 8, 1);
    story_never(s, w->state != OP_STATE_WAITING || r->state != OP_STATE_WAITING, MS(1000));
    story_assert(s, !story_said(s, "A1 > done 13*"));
    story_mark(s);
    story_reach_register(s, "A", CELL_REACHED);
    story_good(s, w, MS(2000));
    story_good(s, r, MS(2000));
    story_expect(s, "-- register g1: * primary A in_sync 1*\n" /* the lease, then the answers */
                    "A1 > done *: status 00*\n"
                    "A1 > done *: status 00*\n");
}

/* Power fails for everybody. What was flushed, or written through, is there afterwards. */
void story_cold_start_after_a_power_cut(struct story *s)
{
    struct op *w[8];
    for (int i = 0; i < 8; i++)
        w[i] = story_write(s, i % 2, (uint64_t)i * 8, 8, i / 4);
    struct op *torn = story_send_write(s, 0, 200, 64, 0);
    story_run(s, (s->seed * 53) % 400 * 1000);
    story_power_cut(s);
    story_assert(s, torn->blocks == 64);
    story_run(s, MS(100));
    site_start(s->site);
    story_until(s, site_primary(s->site, 0) >= 0 && site_primary(s->site, 1) >= 0, MS(20000));
    story_settle_attentions(s);
    for (int i = 0; i < 8; i++)
        story_assert(s, story_stamp(s, i % 2, (uint64_t)i * 8, 1) == w[i]->stamp);
}

/* In the mirrored mode hosts flush what they want to keep. */
void story_cold_start_of_a_volatile_cache(struct story *s)
{
    struct op *kept = story_write(s, 0, 0, 8, 0);
    story_flush(s, 0, 0);
    uint64_t flushed_ns = world_now(s->world);
    story_write(s, 0, 64, 8, 0);
    story_power_cut(s);
    oracle_forget_since(s->site->oracle, flushed_ns);
    site_start(s->site);
    story_until(s, site_primary(s->site, 0) >= 0, MS(20000));
    story_settle_attentions(s);
    story_assert(s, story_stamp(s, 0, 0, 1) == kept->stamp);
    story_assert(s, story_said(s, "* cold_start group=1 volatile_cache=lost"));
}

/* Who claims when everybody was dead cannot reach the drives, and lives on; another claims over it.
 * What was in memory only is lost all the same, and people are told. */
void story_cold_start_that_another_ends(struct story *s)
{
    struct op *kept = story_write(s, 0, 0, 8, 0);
    story_flush(s, 0, 0);
    uint64_t flushed_ns = world_now(s->world);
    story_write(s, 0, 64, 8, 0);
    story_crash(s, "A");
    story_crash(s, "B");
    oracle_forget_since(s->site->oracle, flushed_ns);
    story_cut(s, "A", "L1", LINK_BOTH);
    story_cut(s, "A", "L2", LINK_BOTH);
    story_restart(s, "A");
    story_until(s, story_said(s, "A1 > claims epoch *: cold_start"), MS(10000));
    story_restart(s, "B");
    story_until(s, story_primary(s, "B1"), MS(20000));
    story_settle_attentions(s);
    story_assert(s, story_said(s, "B1 > claims epoch *: lone_gone"));
    story_assert(s, story_stamp(s, 0, 0, 1) == kept->stamp);
    story_assert(s, story_said(s, "* cold_start group=1 volatile_cache=lost"));
}

/* Everybody stops in order, and the next start has nothing to resynchronise. */
void story_stop_in_order_and_start_again(struct story *s)
{
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_write(s, 1, 64, 8, 1);
    story_run(s, MS(10));
    for (int i = 0; i < 2; i++)
        story_stop(s, i ? "IS2" : "IS1");
    for (int i = 0; i < 2; i++)
        story_stop(s, i ? "B" : "A");
    for (int m = 0; m < 2; m++)
        for (int g = 0; g < 2; g++)
            story_until(s, site_unit(s->site, m, g)->stopped, MS(5000));
    story_assert(s, story_record(s, 0)->clean && story_record(s, 1)->clean);
    for (int l = 0; l < 2; l++)
        story_stop(s, l ? "L2" : "L1");
    story_run(s, MS(100));
    story_power_cut(s);
    story_mark(s);
    site_start(s->site);
    story_until(s, site_primary(s->site, 0) >= 0 && site_primary(s->site, 1) >= 0, MS(10000));
    story_settle_attentions(s);
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
    struct unit_status status;
    int m = site_primary(s->site, 0);
    story_assert(s, m >= 0 && site_describe(s->site, m, 0, &status));
    story_assert(s, status.array.resync_left_bytes == 0 && status.array.regions_in_doubt == 0);
}

/* Its process is told to stop, and no other is: its groups go on, in order, and it leaves. */
void story_module_stops_alone(struct story *s)
{
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_stop(s, "A");
    struct op *more[2];
    for (int g = 0; g < 2; g++)
        more[g] = story_send_write(s, g, 72, 8, g);
    for (int g = 0; g < 2; g++)
        story_good(s, more[g], MS(60));
    for (int g = 0; g < 2; g++)
        story_until(s, site_unit(s->site, 0, g)->stopped, MS(500));
    for (int g = 0; g < 2; g++)
        story_until(s,
                    story_said(s, g ? "B2 > epoch *: goes on without A2"
                                    : "B1 > epoch *: goes on without A1"),
                    MS(50));
    story_expect(s, "A1 > gives control to B1: stops\n"
                    "B1 > * -> primary, *\n"
                    "B1 > suspects A1: left\n"
                    "B1 > epoch *: goes on without A1\n");
    story_assert(s, !story_said(s, "?? > claims epoch *") && !story_record(s, 0)->clean);
    story_assert(s, story_primary(s, "B1") && story_primary(s, "B2"));
    story_crash(s, "A"); /* its process ends */
    story_restart(s, "A");
    story_until(s, story_in_sync(s, "A1") && story_in_sync(s, "A2"), MS(3000));
    story_assert(s, story_stamp(s, 0, 64, 1) == w->stamp);
}

/* The other module dies in the moment after: it alone had the group, and all of it on the drives.
 */
void story_member_that_stops_leaves_nothing_in_memory(struct story *s)
{
    story_slow_drive(s, 0, MS(300));
    story_slow_drive(s, 32, MS(300));
    struct op *w = story_write(s, 0, 64, 8, 0); /* in both mirrors, on no drive */
    story_stop(s, "B");
    story_until(s, story_said(s, "A1 > B1 stops, and leaves"), MS(100));
    story_never(s, site_unit(s->site, 1, 0)->stopped, MS(150));
    struct op *more = story_send_write(s, 0, 72, 8, 1); /* hosts go on, and it is not for memory */
    story_good(s, more, MS(2000));
    story_until(s, site_unit(s->site, 1, 0)->stopped, MS(2000));
    story_crash(s, "A");
    story_crash(s, "B");
    story_slow_drive(s, 0, 0);
    story_slow_drive(s, 32, 0);
    story_assert(s, story_record(s, 0)->dirty.module == MODULE_NONE);
    story_restart(s, "A");
    story_until(s, story_primary(s, "A1"), MS(10000));
    story_settle_attentions(s);
    story_assert(s,
                 story_stamp(s, 0, 64, 0) == w->stamp && story_stamp(s, 0, 72, 0) == more->stamp);
}

/* Its link to the member breaks as it stops. The member is well, and takes over with all that is
 * under way; it would be out, and nobody would serve, if the other dropped it first. */
void story_stopping_primary_gives_way(struct story *s)
{
    story_cut(s, "A", "B", LINK_BOTH);
    story_stop(s, "A");
    struct op *w = story_send_write(s, 0, 64, 8, 0);
    story_good(s, w, MS(1000));
    story_until(s, site_unit(s->site, 0, 0)->stopped && site_unit(s->site, 0, 1)->stopped,
                MS(2000));
    story_assert(s, story_primary(s, "B1") && story_primary(s, "B2"));
    story_assert(s, !story_said(s, "A1 > epoch *: goes on without B1"));
    story_restore(s, "A", "B");
    story_crash(s, "A"); /* its process ends */
    story_restart(s, "A");
}

/* Everything is told to stop at once, in whatever order: drives take what is in memory first. */
void story_all_are_told_to_stop(struct story *s)
{
    static const char *const all[] = {"L1", "L2", "IS1", "A", "B", "IS2"};
    story_slow_drive(s, 0, MS(300));
    story_slow_drive(s, 32, MS(300));
    struct op *w[2] = {story_write(s, 0, 64, 8, 0), story_write(s, 1, 64, 8, 1)};
    for (int i = 0; i < 6; i++) {
        story_stop(s, all[(i + (int)s->seed) % 6]);
        story_run(s, MS(20));
    }
    for (int i = 0; i < 2; i++)
        story_until(s, world_part(s->world, all[i])->stopped, MS(5000));
    story_assert(s, story_record(s, 0)->clean && story_record(s, 1)->clean);
    story_slow_drive(s, 0, 0);
    story_slow_drive(s, 32, 0);
    story_run(s, MS(100));
    story_power_cut(s);
    story_mark(s);
    site_start(s->site);
    story_until(s, site_primary(s->site, 0) >= 0 && site_primary(s->site, 1) >= 0, MS(10000));
    story_settle_attentions(s);
    for (int i = 0; i < 2; i++)
        story_assert(s, story_stamp(s, i, 64, 0) == w[i]->stamp);
    story_assert(s, !story_said(s, "* volatile_cache=lost"));
}

/* Everything is told to stop at once. Each gives way to the other, but only once. */
void story_modules_stop_before_their_switches(struct story *s)
{
    story_write(s, 0, 64, 8, 0);
    for (int i = 0; i < 2; i++)
        story_stop(s, i ? "B" : "A");
    for (int m = 0; m < 2; m++)
        for (int g = 0; g < 2; g++)
            story_until(s, site_unit(s->site, m, g)->stopped, MS(9000));
    story_assert(s, story_record(s, 0)->clean && story_record(s, 1)->clean);
    story_leave(s);
}

/* What it had not brought to the drives the other brings there, before it stops too. */
void story_primary_dies_while_all_stop(struct story *s)
{
    story_hang_drive(s, 0, true);
    story_hang_drive(s, 32, true);
    struct op *w = story_write(s, 0, 64, 8, 0); /* in both mirrors, on no drive */
    for (int i = 0; i < 2; i++)
        story_crash(s, i ? "IS2" : "IS1");
    story_run(s, MS(200));
    for (int i = 0; i < 2; i++)
        story_stop(s, i ? "B" : "A");
    story_run(s, MS(50));
    story_hang_drive(s, 0, false);
    story_hang_drive(s, 32, false);
    story_crash(s, "A");
    story_until(s, site_unit(s->site, 1, 0)->stopped, MS(9000));
    story_assert(s, story_record(s, 0)->clean);
    story_crash(s, "B");
    story_restart(s, "A");
    story_restart(s, "B");
    for (int i = 0; i < 2; i++)
        story_restart(s, i ? "IS2" : "IS1");
    story_until(s, site_primary(s->site, 0) >= 0 && site_primary(s->site, 1) >= 0, MS(10000));
    story_settle_attentions(s);
    story_assert(s, story_stamp(s, 0, 64, 0) == w->stamp);
}

/* One claims from nothing and cannot reach the drives; so does the other, over it. The first claims
 * back: it holds no more of the group than at first, and reads the state when it can. */
void story_claims_back_without_the_state(struct story *s)
{
    static const char *const modules[] = {"A", "B"}, *const loops[] = {"L1", "L2"};
    struct op *w = story_write(s, 0, 64, 8, 0);
    story_flush(s, 0, 0);
    story_crash(s, "A");
    story_crash(s, "B");
    for (int i = 0; i < 4; i++)
        story_cut(s, modules[i / 2], loops[i % 2], LINK_BOTH);
    story_restart(s, "A");
    story_until(s, story_said(s, "A1 > claims epoch *: cold_start"), MS(10000));
    story_restart(s, "B");
    story_until(s, story_said(s, "B1 > claims epoch *: lone_gone"), MS(20000));
    story_mark(s);
    story_until(s, story_said(s, "A1 > claims epoch *"), MS(60000));
    for (int i = 0; i < 4; i++)
        story_restore(s, modules[i / 2], loops[i % 2]);
    story_until(s, story_primary(s, "A1") || story_primary(s, "B1"), MS(60000));
    story_settle_attentions(s);
    story_assert(s, story_stamp(s, 0, 64, 0) == w->stamp);
}
