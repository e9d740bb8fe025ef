/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_TESTS_STORIES_H
#define SEGUE_TESTS_STORIES_H

/* Every story: its name and what array it plays on. One for each way in which an early draft of the
 * protocol failed, and one at least for each claim of the seed document:
 *
 *   1           claim_01_availability_signal       14, 25      claim_14_25_ports_disabled
 *   2, 3        claim_02_03_storage_array_switch   15, 16      claim_15_16_who_processes
 *   4           claim_04_*                         17, 18, 19  claim_17_18_19_timing
 *   5, 6        claim_05_06_multicast_group        22          claim_22_two_queues
 *   7           claim_07_forwarding                23          claim_23_active_active
 *   8, 20, 26   claim_08_20_26_several_modules     24          claim_24_active_standby
 *   9, 21, 27   claim_09_21_27_module_fails
 *   10 to 13    claim_10_11_12_13_handshake
 */

#include "sim/story.h"

void plain(struct site_options *o); /* two modules, submitters for interface switches */
void three_modules(struct site_options *o);
void standby(struct site_options *o); /* module A is preferred in both groups */
void write_through(struct site_options *o);
void deaths_unknown(struct site_options *o);   /* as across machines */
void short_processing(struct site_options *o); /* write through; the processing limit is 300 ms */
void two_volumes(struct site_options *o);      /* of each group; write through */
void real_switches(struct site_options *o);    /* interface switches and hosts with iSCSI */

#define STORIES(X)                                               \
    X(claim_01_availability_signal, plain)                       \
    X(claim_02_03_storage_array_switch, plain)                   \
    X(claim_04_interface_switches_and_hosts, plain)              \
    X(claim_05_06_multicast_group, plain)                        \
    X(claim_07_forwarding, plain)                                \
    X(claim_08_20_26_several_modules, three_modules)             \
    X(claim_09_21_27_module_fails, plain)                        \
    X(claim_10_11_12_13_handshake, plain)                        \
    X(claim_14_25_ports_disabled, plain)                         \
    X(claim_15_16_who_processes, plain)                          \
    X(claim_17_18_19_timing, plain)                              \
    X(claim_22_two_queues, plain)                                \
    X(claim_23_active_active, plain)                             \
    X(claim_24_active_standby, standby)                          \
    X(claim_04_hosts_with_iscsi, real_switches)                  \
    X(session_reinstatement, real_switches)                      \
    X(switch_stopped_for_30_s_reads_an_old_write, real_switches) \
    X(host_that_sends_a_byte_a_second, real_switches)            \
    X(interface_switch_dies_under_iscsi, real_switches)          \
    X(switch_that_hears_no_unit, real_switches)                  \
    X(task_management_with_iscsi, real_switches)                 \
    X(logout_and_login, real_switches)                           \
    X(ready_lost_with_the_link, plain)                           \
    X(done_lost_with_the_crash, plain)                           \
    X(response_lost_after_done_arrived, plain)                   \
    X(read_runs_again_after_a_reset, plain)                      \
    X(switch_to_unit_link_cut, plain)                            \
    X(answers_alone_are_lost, plain)                             \
    X(link_cut_one_way, plain)                                   \
    X(deaf_unit_does_not_claim, plain)                           \
    X(interface_switch_dies_with_a_write, plain)                 \
    X(switch_wakes_in_a_dead_session, plain)                     \
    X(secondary_never_answers_ready, plain)                      \
    X(primary_never_sends_ready, plain)                          \
    X(read_is_never_answered_without_its_data, plain)            \
    X(primary_never_acknowledges, plain)                         \
    X(processing_limit, short_processing)                        \
    X(slow_drive_is_no_dead_controller, short_processing)        \
    X(late_unit_listens_first, plain)                            \
    X(links_flap, plain)                                         \
    X(withdrawn_before_the_primary_had_it, plain)                \
    X(withdrawal_is_not_the_command, plain)                      \
    X(forwarded_from_an_earlier_session, plain)                  \
    X(death_of_a_session_outlives_the_primary, standby)          \
    X(death_of_a_session_is_told_to_who_joins, standby)          \
    X(acknowledged_write_of_a_session_that_ends, plain)          \
    X(acknowledged_write_of_a_session_that_dies, plain)          \
    X(acknowledged_write_of_a_host_that_leaves, plain)           \
    X(acknowledged_write_before_a_reset_of_all, plain)           \
    X(refusal_is_held_before_it_is_answered, plain)              \
    X(acknowledged_write_after_a_reservation_dies, plain)        \
    X(state_is_told_while_a_session_ends, three_modules)         \
    X(switch_stopped_for_a_moment, real_switches)                \
    X(switch_stopped_before_a_ping_is_answered, real_switches)   \
    X(line_that_creeps_brings_an_old_write, real_switches)       \
    X(write_that_waited_long_in_a_switch, real_switches)         \
    X(forward_of_what_is_too_old_is_answered, plain)             \
    X(record_is_ahead_of_the_sequence, three_modules)            \
    X(gap_in_the_sequence, plain)                                \
    X(entries_come_once_more, plain)                             \
    X(array_sleeps_and_wakes, plain)                             \
    X(late_again_and_again, deaths_unknown)                      \
    X(state_is_stored_before_a_lone_primary_answers, plain)      \
    X(writes_that_wait_for_a_volume_to_grow, plain)              \
    X(change_beside_writes, write_through)                       \
    X(nexuses_are_opened_anew_over_a_cut, real_switches)         \
    X(death_that_a_deposed_primary_declares, plain)              \
    X(drive_that_cannot_be_fenced_is_failed, plain)              \
    X(no_claim_without_drives, plain)                            \
    X(stopped_member_says_no_ready, plain)                       \
    X(ready_of_one_that_is_being_dropped, plain)                 \
    X(copy_that_grows_old_in_a_unit, plain)                      \
    X(copy_that_is_sent_again_is_old, plain)                     \
    X(stopped_for_longer_than_a_drive_may_take, write_through)   \
    X(refused_as_too_old_and_its_host_is_gone, real_switches)    \
    X(adopted_when_the_new_members_hold_it, three_modules)       \
    X(primary_that_reaches_no_drive, plain)                      \
    X(each_suspects_the_other, plain)                            \
    X(loser_of_the_claim, three_modules)                         \
    X(winner_dies_before_it_serves, plain)                       \
    X(primary_restarts_before_it_is_missed, deaths_unknown)      \
    X(no_endless_chase, plain)                                   \
    X(follower_of_a_claim_that_is_not_served, three_modules)     \
    X(claims_back_after_twice_the_time, plain)                   \
    X(deposed_twice_over, three_modules)                         \
    X(out_unit_leaves_it_to_the_deposed_one, three_modules)      \
    X(survivors_lag_behind_each_other, three_modules)            \
    X(new_session_while_the_next_primary_lags, three_modules)    \
    X(planned_takeover_with_messages_in_flight, plain)           \
    X(blind_primary_drops_nobody, plain)                         \
    X(planned_takeover_waits_for_nothing_else, plain)            \
    X(blind_primary_gives_control_to_nobody, plain)              \
    X(compare_and_write_between_resolved_and_answer, plain)      \
    X(compare_and_write_resolved_is_lost, plain)                 \
    X(task_management_across_a_takeover, plain)                  \
    X(register_out_of_reach, plain)                              \
    X(claim_without_an_answer, plain)                            \
    X(modules_die_in_turn, plain)                                \
    X(late_drive_command_after_a_fence, write_through)           \
    X(drive_command_in_flight_at_the_fence, write_through)       \
    X(drive_that_does_not_drain, write_through)                  \
    X(old_write_in_the_tray, write_through)                      \
    X(drive_given_up_and_then_a_takeover, write_through)         \
    X(drive_that_errs, write_through)                            \
    X(failed_write_has_one_outcome, write_through)               \
    X(failed_write_is_not_run_again, write_through)              \
    X(failed_write_leaves_doubt, write_through)                  \
    X(acknowledged_write_meets_bad_drives, plain)                \
    X(tray_that_was_back_before_the_takeover, plain)             \
    X(tray_loses_power_for_a_moment, deaths_unknown)             \
    X(tray_loses_power_and_its_primary_dies, deaths_unknown)     \
    X(drive_comes_back_by_itself, write_through)                 \
    X(bypassed_by_hand, write_through)                           \
    X(lip_under_writes, write_through)                           \
    X(or_write_half_done, write_through)                         \
    X(unmap_half_done, write_through)                            \
    X(copy_is_over_when_all_know_it, plain)                      \
    X(copy_across_a_takeover, two_volumes)                       \
    X(atomic_write_and_power_cut, write_through)                 \
    X(atomic_write_half_done, plain)                             \
    X(sanitize_across_a_takeover, plain)                         \
    X(sanitize_and_power_cuts, write_through)                    \
    X(mirror_over_unmapped_granules, plain)                      \
    X(last_tray_loses_power, deaths_unknown)                     \
    X(drive_back_on_line_unnoticed, plain)                       \
    X(overlapping_writes_destaged_together, plain)               \
    X(overlapping_writes_across_a_region, plain)                 \
    X(logged_in_twice_while_a_drive_is_looked_at, plain)         \
    X(last_good_drive_does_not_drain, write_through)             \
    X(neither_drive_drains, write_through)                       \
    X(tray_and_module, plain)                                    \
    X(fence_survives_its_loop_switch, write_through)             \
    X(drop_with_dirty_data_and_then_death, plain)                \
    X(claims_back_without_the_state, plain)                      \
    X(taken_in_by_the_last_act, plain)                           \
    X(taken_in_after_it_has_left, plain)                         \
    X(all_die_right_after_a_join, plain)                         \
    X(a_person_gives_up_what_is_lost, plain)                     \
    X(lone_primary_dies_clean, plain)                            \
    X(switch_cut_off_during_a_lone_claim, plain)                 \
    X(restarted_empty_unit_that_the_record_names, plain)         \
    X(restarted_unit_cannot_reach_the_living_one, plain)         \
    X(unit_joins_while_a_write_is_half_done, write_through)      \
    X(primary_dies_during_a_join, plain)                         \
    X(answers_wait_for_one_that_joins, plain)                    \
    X(outcome_outlives_who_had_it, plain)                        \
    X(resolved_before_the_next_primary_came_in, plain)           \
    X(control_is_given_when_all_is_done, plain)                  \
    X(control_is_given_when_all_is_confirmed, plain)             \
    X(stopping_primary_takes_no_orders, plain)                   \
    X(drives_take_nothing_for_a_while, plain)                    \
    X(lone_primary_without_its_lease, plain)                     \
    X(cold_start_after_a_power_cut, write_through)               \
    X(cold_start_of_a_volatile_cache, plain)                     \
    X(cold_start_that_another_ends, plain)                       \
    X(stop_in_order_and_start_again, plain)                      \
    X(module_stops_alone, plain)                                 \
    X(member_that_stops_leaves_nothing_in_memory, plain)         \
    X(stopping_primary_gives_way, plain)                         \
    X(all_are_told_to_stop, plain)                               \
    X(modules_stop_before_their_switches, plain)                 \
    X(primary_dies_while_all_stop, plain)

#define DECLARE(name, options) void story_##name(struct story *s);
STORIES(DECLARE)
#undef DECLARE

struct tale {
    const char *name;
    void (*options)(struct site_options *o);
    void (*tell)(struct story *s);
};
extern const struct tale tales[];
extern const int tales_count;

/* The array of that tale, in sync. print 1: each line as it comes; 2: every message too. */
void tale_begin(const struct tale *tale, struct story *s, uint64_t seed, int print);

#endif
