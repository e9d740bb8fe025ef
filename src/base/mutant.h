/* table */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_BASE_MUTANT_H
#define SEGUE_BASE_MUTANT_H

/* Switches that each break one rule of the protocol, so that the tests can show that they would
 * notice (docs/MUTATIONS.md, tests/mutants). They exist only in a build with -Dmutants=true, and
 * there at most one is on, chosen by name before anything runs: every program of such a build obeys
 * the environment's MUTANT=name, and refuses to run if it knows no such name. In every other build
 * mutant() is false, and what it guards is not there. */

#include <stdbool.h>

/* Name, the rule that it breaks, how it is broken. Rules are those of docs/PROTOCOL.md and of the
 * state machines' head comments. */
/* clang-format off */
#define MUTANTS(X) \
    X(EARLIER_EPOCH_TAKEN, "1 multicast", "a copy of another epoch is taken") \
    X(RESEND_OFF, "1 multicast", "a switch does not send again after a change of a link, the members or the epoch") \
    X(QUEUED_TWICE, "2 queue", "a command that is queued or done already is queued again") \
    X(CONFIRMED_RUNS_AGAIN, "2 queue", "what was confirmed without a gap is not ignored") \
    X(CONFIRM_WITH_GAP, "7 confirm, S3", "a switch confirms what it has no response of") \
    X(READ_DATA_FORGOTTEN, "words: outcomes", "an unconfirmed read is not run again, but answered without its data") \
    X(ACKNOWLEDGE_LIMIT_OFF, "4 acknowledge", "a primary whose handshakes do not end is never suspected") \
    X(READY_WITHOUT_DATA, "3 ready", "a secondary says READY for a command whose data it does not hold") \
    X(CLEAN_DATA_THOUGHT_HELD, "3 ready", "a member thinks that it holds data which it has dropped as clean") \
    X(WITHDRAWAL_THOUGHT_THE_COMMAND, "3 ready", "a member that has the withdrawal of a command says that it holds the command") \
    X(FETCH_OFF, "3 ready", "a member does not fetch what it lacks") \
    X(FORWARD_OFF, "3 forward", "a secondary does not forward what gets no READY") \
    X(FORWARD_UNANSWERED, "3 forward", "the primary does not answer a forward") \
    X(STREAM_GAP_TAKEN, "the sequence", "a secondary goes on over a gap in the sequence") \
    X(STREAM_REPEATED, "the sequence", "a secondary takes entries that it has had once more") \
    X(STREAM_BEHIND_RECORD, "the sequence", "what the sequence said before a change that the record told first is left out") \
    X(STREAM_OF_ANOTHER, "the sequence", "a secondary takes the sequence of a unit that is not its primary") \
    X(STREAM_TRIMMED_EARLY, "T1", "the primary forgets entries that a member lacks") \
    X(HELD_OF_EARLIER_LIFE, "T2", "READY of an earlier incarnation of a member counts") \
    X(HELD_OF_EARLIER_REIGN, "T2", "READY of an earlier reign counts") \
    X(HELD_WHILE_DROPPED, "takeover, a primary that suspects", "READY of a member counts while it is being dropped") \
    X(SURVIVORS_NOT_AWAITED, "takeover 2", "commands complete before a survivor has replaced its state") \
    X(NO_HANDSHAKE, "R1, T2", "nothing waits for a handshake") \
    X(READ_BEFORE_HANDSHAKE, "R1", "a read is answered before its handshake") \
    X(WRITE_BEFORE_HANDSHAKE, "R1", "a write is carried out and answered before its handshake") \
    X(OVERLAPS_UNORDERED, "R2", "commands that overlap run side by side") \
    X(EXTENT_OF_ITS_ORDER, "R2", "what a command overlaps with is not looked at again when its volume has grown") \
    X(BARRIER_IGNORED, "R2", "other commands run beside a management change") \
    X(RESOLVING_PASSED, "R3", "a command is planned while an earlier one of the volume is being resolved") \
    X(NO_RESOLVED, "R3", "what the primary decides is not told as RESOLVED") \
    X(RESOLVED_NOT_HELD, "R3", "an effect is applied and answered before the members hold its RESOLVED") \
    X(ERROR_UNRESOLVED, "R6", "an error of the drives is answered before the members hold it") \
    X(REFUSAL_UNRESOLVED, "R7", "a refusal is answered before the members hold it") \
    X(NEXUS_ENDS_BEFORE_ITS_COMMANDS, "R8", "a nexus ends, or begins anew, before its earlier commands are over") \
    X(RESET_BESIDE_OTHERS, "R8", "a reset of all volumes tells its unit attentions before earlier commands are over") \
    X(COPY_UNRESOLVED, "R9", "an EXTENDED COPY is answered before the members hold that it is over") \
    X(DOUBT_NOT_FOLLOWED, "K5", "a member does not know that copies are in doubt since a write has failed") \
    X(ADOPTED_WRITE_GIVEN_UP, "K6", "an adopted write that the drives do not take is answered so, though it may have been acknowledged") \
    X(ATTENTION_INSTEAD_OF_DATA, "R5", "a read that runs again tells a unit attention, though its host may have its answer") \
    X(DECIDED_AGAIN, "R3", "a unit that replays a resolved command decides again") \
    X(EFFECT_NOT_FOLLOWED, "R3", "a secondary does not apply the effects that it is told") \
    X(ATTENTION_UNRESOLVED, "R3", "a unit attention is told, and cleared by the primary alone") \
    X(RESERVATION_UNCHECKED, "5 process", "reservations are not obeyed") \
    X(DRIVE_FAILURE_UNRECORDED, "5 process", "a write is answered without a drive before the record says that the drive has failed") \
    X(OLD_LOGIN_RUNS_ON, "5 process, L4", "a login is accepted while commands of an earlier one are under way") \
    X(LOGIN_UNCHECKED, "fence, L4", "drive commands of an earlier login are admitted") \
    X(DONE_BEFORE_SAFE, "6 done", "DONE says that data is on the drives which is in the mirror only") \
    X(ANSWERED_ONCE, "6 done", "an answer that is not confirmed is not given again, until something changes") \
    X(RELAY_OFF, "6 done", "a response whose switch the primary cannot reach does not go through a member") \
    X(MIRROR_DROPPED_BY_BLOCK, "M1", "CLEAN takes out every write of the same blocks") \
    X(DESTAGE_UNORDERED, "M1", "of two dirty writes that overlap the newer one may go to the drives first") \
    X(DIRTY_UNORDERED, "M3", "the mirror keeps writes in the order of their arrival") \
    X(CLEAN_BEFORE_DRIVES, "6 done", "CLEAN is said when the write to the drives begins") \
    X(DESTAGE_FAILURE_FORGOTTEN, "6 done", "acknowledged data that the drives did not take is dropped") \
    X(READ_PASSES_MIRROR, "words: mirror", "a read goes to the drives although the mirror has newer data") \
    X(MIRROR_READ_UNSORTED, "words: mirror", "a read from the mirror does not see the newest write of each block") \
    X(WRITE_PASSES_MIRROR, "words: mirror", "a write goes to the drives although older data of the same blocks is in the mirror") \
    X(OUTCOME_FORGOTTEN, "7 confirm", "an outcome is forgotten before the switch has confirmed it") \
    X(WRITE_THROUGH_MIRRORED, "cache modes", "a write of the mode write-through is answered from the mirror") \
    X(LONE_MIRRORED, "cache modes", "a lone primary answers a write from its mirror") \
    X(FUA_MIRRORED, "cache modes", "a write with FUA is answered from the mirror") \
    X(FUA_UNFLUSHED, "cache modes", "a write with FUA is not flushed") \
    X(WRITE_THROUGH_UNFLUSHED, "cache modes", "a write of the mode write-through is not flushed") \
    X(LONE_UNFLUSHED, "cache modes", "a lone primary answers before the drives are flushed") \
    X(FLUSH_SKIPS_MIRROR, "cache modes", "SYNCHRONIZE CACHE leaves data in the mirror") \
    X(FLUSH_SKIPS_DRIVES, "cache modes", "SYNCHRONIZE CACHE does not flush the drives") \
    X(STATE_UNSTORED, "cache modes", "a reservation or a mode page is answered before the drives have it") \
    X(LONE_STATE_UNSTORED, "A3", "a lone primary answers before its state is on the drives") \
    X(STALE_TAKEN, "limits: stale", "a copy that is too old gets an order") \
    X(WAIT_NOT_COUNTED, "limits: age", "the time that a copy waits in a unit does not count in its age") \
    X(TRANSIT_NOT_COUNTED, "limits: age", "the time that a copy is on its way does not count in its age") \
    X(RESENT_FRESH, "limits: age", "a switch stamps a copy that it sends again as fresh") \
    X(STALE_UNPROVED, "limits: stale", "a switch sends what was too old again without asking whether the host lives") \
    X(AVAILABILITY_LIMIT_OFF, "limits: availability", "a silent peer is never suspected") \
    X(HANDSHAKE_LIMIT_OFF, "limits: handshake", "a primary that gives no READY is never suspected") \
    X(READY_LIMIT_OFF, "limits: ready", "a secondary that signals but says no READY is never suspected") \
    X(STOPPED_MEMBER_KEPT, "limits: ready", "a member that has stopped for good is not dropped") \
    X(PROCESSING_LIMIT_OFF, "limits: processing", "a primary that does not go on is never suspected") \
    X(SLOW_DRIVE_SUSPECTED, "limits: drive", "a primary that waits for a slow drive is taken for dead") \
    X(NEXUS_KEPT_OVER_CUT, "a lone primary", "a switch goes on with nexuses that the group may have forgotten") \
    X(BLIND_PRIMARY_DROPS, "A6 of amend", "a primary that reaches too few drives drops who may serve") \
    X(DRIVES_FAILED_TOGETHER, "A5", "two good drives of a set may be failed by one swap") \
    X(STOP_WITHOUT_HANDOVER, "stopping", "a module that stops alone stops its groups as if the array stopped") \
    X(TRAY_STOPS_FIRST, "stopping", "a loop switch that is told to stop does not wait for units that stop") \
    X(STOPPING_FIGHTS, "stopping", "a unit that stops takes the group from one that could go on with it") \
    X(LEAVES_UNASKED, "stopping", "a member that stops leaves before its primary lets it go") \
    X(LET_GO_EARLY, "stopping", "a member that stops is let go before what it held is on the drives") \
    X(DEAF_SWITCH_ANSWERED, "6 done", "answers go by a link of which the switch hears nothing") \
    X(DEAF_UNIT_CLAIMS, "takeover", "a unit that hears no loop switch suspects others, and claims") \
    X(UNZEROED_STORED, "K4", "the state on the drives names a volume whose zeroes are not there yet") \
    X(NEW_LIFE_TRUSTED, "limits: restarted", "a primary whose module has begun another life is not suspected for that") \
    X(LINK_RESET_IGNORED, "limits: link reset", "a peer whose process is gone is not suspected at once") \
    X(LATE_UNIT_SUSPECTS, "limits: late unit", "a unit that was stopped suspects others at once") \
    X(LATENESS_BEGINS_ANEW, "limits: late unit", "a unit that is late again listens for another whole limit") \
    X(BLIND_PRIMARY_STAYS, "limits: drives", "a primary that reaches too few drives keeps control") \
    X(READY_AFTER_STOP, "takeover 1, C2", "a unit that suspects its primary goes on answering READY") \
    X(CLAIM_BY_OUT, "C1", "a unit that the record does not name claims over one that lives") \
    X(CLAIM_BY_RESTARTED, "C1", "a restarted unit claims because the record names its earlier life") \
    X(CLAIM_WHILE_JOINING, "C1", "a unit that is being sent the state claims") \
    X(CLAIM_WITHOUT_DRIVES, "takeover", "a secondary claims without reaching enough drives") \
    X(UNPROMISED_NAMED, "C2", "a claim names members that have not promised to stop") \
    X(LOST_SWAP_STANDS, "takeover 2", "a swap of the record that was lost is taken as won") \
    X(UNKNOWN_SWAP_STANDS, "takeover 2", "a swap whose answer is unknown is taken as won") \
    X(UNKNOWN_SWAP_FAILED, "takeover 2, coming back", "a swap whose answer is unknown is taken as lost") \
    X(OLDER_RECORD_TAKEN, "words: record", "a record older than the one that is known is followed") \
    X(PREVIOUS_NOT_NAMED, "takeover 2", "a claim does not name the old members in `previous`") \
    X(PREVIOUS_FORGETS_EARLIER, "takeover 2", "a claim over an unserved claim forgets whom `previous` named") \
    X(DIRTY_NOT_SET_AT_CLAIM, "C3", "a claim that leaves its unit lone does not set `dirty`") \
    X(DIRTY_NOT_SET_AT_DROP, "A2", "a drop that leaves the primary lone does not set `dirty`") \
    X(DIRTY_CLEARED_EARLY, "A2", "`dirty` is cleared before all of it is on the drives") \
    X(CLAIM_BACK_EMPTY, "C4", "who claimed without the state, and never read it, claims back as if it had it") \
    X(CLAIMANT_REMEMBERS, "C6", "a claimant that lives, and has not served, is taken for one that has what was in memory") \
    X(ANSWERS_BEFORE_IT_KNOWS, "A4", "a member counts before it has confirmed that it is one") \
    X(DIRTY_CLEARED_AT_JOIN, "A4", "`dirty` is cleared by the swap that takes a member in, before the member knows of it") \
    X(LEAVES_WITHOUT_LOOKING, "coming back", "a joining unit that loses its primary goes out without reading the record") \
    X(LATENESS_COUNTS, "limits", "the time in which a unit was stopped itself counts against its drives") \
    X(REBORN_TRAY_TRUSTED, "coming back", "a loop switch that has begun a new life is taken to have what it had not flushed") \
    X(OLD_DEATH_BELIEVED, "a dead interface switch", "a switch believes a unit of an earlier epoch that its session is dead") \
    X(FURTHEST_IGNORED, "takeover 2", "the winner does not take the state of the survivor that is furthest") \
    X(SNAPSHOT_MERGED, "takeover 2", "the state of another is merged into one's own instead of replacing it") \
    X(CLAIM_BACK_AT_ONCE, "takeover 5", "a deposed unit claims back at once") \
    X(PATIENCE_NOT_DOUBLED, "takeover 5", "the fence limit is not doubled at each claim") \
    X(UNSERVED_CLAIM_STANDS, "limits: fence", "a member of a claim that is not served waits for ever") \
    X(DEPOSED_DROPS_STATE, "takeover 5", "a unit that only `previous` names drops its state") \
    X(DEPOSED_GOES_ON, "takeover 5", "a primary that only `previous` names goes on") \
    X(OUT_KEEPS_QUEUE, "takeover 5, U3", "a unit that goes out keeps its queue, mirror and outcomes") \
    X(OUT_KEEPS_INCARNATION, "takeover 5", "a unit that goes out takes no new incarnation") \
    X(HIGHER_EPOCH_IGNORED, "takeover 5", "a unit that meets a higher epoch, or is refused by a loop switch, does not read the record") \
    X(ADOPT_BEFORE_FENCE, "K1", "a unit serves before the fence is up") \
    X(ABSENT_NOT_FAILED, "takeover 3", "drives behind a loop switch that does not answer its fence are not marked failed") \
    X(UNDRAINED_NOT_FAILED, "takeover 3", "a drive that does not drain is not marked failed") \
    X(RETURN_BEFORE_FENCE, "takeover 3", "drives of a loop switch that comes back are used before it is fenced") \
    X(RETURNED_CALLED_GOOD, "takeover 3", "a drive that comes back is good without a resynchronisation") \
    X(SILENT_LOOP_TRUSTED, "takeover 3", "a loop switch that was stopped is used on without a new login") \
    X(FENCE_REFUSAL_IGNORED, "takeover 3", "a fence that was refused as too old counts as done") \
    X(DRAIN_BEGUN_ANEW, "limits: drain", "the drain limit begins anew with each fence") \
    X(FENCE_UNDRAINED, "L1", "a fence is answered while commands that it shuts out are under way") \
    X(FENCE_BEFORE_DURABLE, "L1", "a fence is answered before it is durable") \
    X(FENCE_FORGOTTEN, "fence", "a loop switch forgets its fences when it restarts") \
    X(FENCE_BELOW_TAKEN, "L2", "a fence below the epoch that is held is taken") \
    X(EPOCH_UNCHECKED, "fence", "drive commands of an epoch below the fence are admitted") \
    X(PORT_UNCHECKED, "fence", "drive commands of a port that the fence disables are admitted") \
    X(ADMIT_WHILE_DRAINING, "L3", "drive commands are admitted before the fence is up") \
    X(OVERDUE_USABLE, "L5", "a drive is used while a command that was given up is still under way") \
    X(ON_LINE_AT_LOGIN_ONLY, "limits: drive", "a unit takes a drive that was off line when it logged in to be so until it logs in again") \
    X(ORDERLESS_ADOPTED, "K2", "commands without an order are not dropped") \
    X(ADOPTED_NOT_BEGUN, "K3", "an unfinished write is taken for done, not begun anew") \
    X(UNCLEAN_NOT_REWRITTEN, "K3", "unclean writes are taken for clean, not written anew") \
    X(ADOPTED_BEFORE_HANDSHAKE, "takeover 4", "adopted commands do not wait for the members of the new reign") \
    X(ANSWER_BEFORE_CLEARED, "K1", "a unit serves before the swap that clears `previous`") \
    X(DROP_IN_SAME_EPOCH, "A1", "a member is dropped or taken in without a new epoch") \
    X(DROPPED_BEFORE_SWAP, "takeover, a primary that suspects", "a primary goes on without a member before the record says so") \
    X(JOIN_DEPENDS_LATE, "coming back", "answers depend on a new member only when the record names it") \
    X(JOIN_BEFORE_CONFIRMED, "coming back", "the record takes a member in that has not confirmed what it was sent") \
    X(JOIN_LEFT_DURING_SWAP, "coming back", "the primary stops depending on a new member while the swap is under way") \
    X(JOIN_WITHOUT_UNFINISHED, "coming back", "a new member is not sent the unfinished commands") \
    X(JOIN_WITHOUT_RESOLVED, "coming back", "a new member is not sent what was resolved") \
    X(JOIN_WITHOUT_OUTCOMES, "coming back", "a new member is not sent the outcomes") \
    X(JOIN_WITHOUT_DIRTY, "coming back", "a new member is not sent the data that is dirty") \
    X(JOIN_WITHOUT_CONFIRMED, "coming back", "a new member is not told sessions and what was confirmed") \
    X(JOIN_WITHOUT_DEAD, "coming back", "a new member is not told which sessions are dead") \
    X(HANDOVER_UNCONFIRMED, "planned takeover", "control is given before the members have the last message") \
    X(HANDOVER_UNDRAINED, "planned takeover", "control is given while the primary's own work is under way") \
    X(HANDOVER_TAKES_ORDERS, "planned takeover", "a primary that gives control away takes more orders") \
    X(LONE_WITHOUT_LEASE, "A3", "a lone primary answers without its lease") \
    X(LEASE_IGNORED, "lone primary", "a claim over a lone primary does not wait until its lease has run out") \
    X(LONE_CLAIM_OVER_DIRTY, "lone primary", "a lone primary that holds dirty data is claimed over") \
    X(STATE_NOT_LOADED, "lone primary", "a new primary does not load the state from the drives") \
    X(WITHOUT_DOUBT, "lone primary, cold start", "regions of the write-intent map are not resynchronised") \
    X(CUT_NOT_SET, "lone primary, cold start", "a claim that knows no outcomes does not set `cut`") \
    X(CUT_IGNORED, "lone primary, cold start", "a command from before the `cut` is run") \
    X(FIRST_EPOCH_RESTAMPED, "S1", "a copy that is sent again says that it was first sent now") \
    X(COLD_BESIDE_LIVING, "cold start", "a cold start happens beside a unit that lives") \
    X(COLD_OVER_DIRTY, "cold start", "a cold start does not stop at `dirty`") \
    X(CLAIM_OVER_PREVIOUS, "cold start", "an out unit claims although one that `previous` names lives") \
    X(COLD_WITHOUT_ATTENTION, "cold start", "hosts are not told of the power-on") \
    X(DEAD_SESSION_TAKEN, "dead switch", "a command of a session that is dead is taken") \
    X(OLDER_SESSION_LIVES, "dead switch", "a newer session does not end the earlier ones") \
    X(DEAD_SESSION_NOT_TOLD, "dead switch", "that a session is dead is not told in the sequence") \
    X(NEXUSES_DIE_WITH_THEIR_SESSION, "S1", "the nexuses of a dead session go before what it has left in order is over") \
    X(SESSION_ENDS_WITHOUT_WHO_JOINS, "S2", "who gets the whole state keeps nexuses of a dead session that its primary waits to remove") \
    X(SESSION_ENDS_UNHELD, "S2", "the primary does without the nexuses of a dead session before the members hold that it is dead") \
    X(DEAD_WAITING_KEPT, "dead switch", "commands of a dead session that have no order stay in the queue") \
    X(DEAF_KEEPS_HOSTS, "a dead switch", "a switch that hears no unit keeps hosts that wait for an answer") \
    X(DEATH_IGNORED, "S6", "a switch that is told that its session is dead goes on with it") \
    X(WITHDRAWAL_NOT_KEPT, "dead switch", "a withdrawal is answered and not kept") \
    X(WITHDRAW_OFF, "dead switch", "a switch does not withdraw the commands of a host that left it") \
    X(LOGIN_BESIDE_OLD, "dead switch", "a host logs in again before the commands of its old session are over") \
    X(SOCKET_FRESH, "T4", "bytes that lay in the socket of a switch that was stopped are taken as fresh") \
    X(SILENCE_FRESH, "T4", "bytes of a connection that was silent for long are taken as fresh") \
    X(OLD_IN_SWITCH_FRESH, "T4", "what waited long in a switch goes to its group without a proof") \
    X(OLD_PING_PROVES, "T4", "the answer to a ping from before the delay proves that the host lives") \
    X(STOP_TAKES_ORDERS, "stopping", "a primary that stops takes more orders") \
    X(CLEAN_UNFLUSHED, "stopping", "the record is marked clean before all is on the drives") \
    X(NO_INTENT_MAP, "W1", "a write begins before its regions are in the write-intent map") \
    X(INTENT_BEFORE_DURABLE, "W2", "a write begins before its bits are durable") \
    X(INTENT_CLEARED_UNFLUSHED, "W3", "bits are cleared without a flush") \
    X(INTENT_CLEARED_WITHOUT_ALL, "W3", "bits are cleared while a drive of the pool is not good") \
    X(INTENT_CLEARED_IN_DOUBT, "W3", "bits of regions in doubt are cleared") \
    X(INTENT_CLEARED_IN_USE, "W3", "bits of regions that are being written are cleared") \
    X(STALE_DRIVE_READ, "M1 of raid_mirror", "a read goes to a drive that is not resynchronised") \
    X(FAILED_DRIVE_READ, "M1 of raid_mirror, D1", "a read goes to a drive that has failed") \
    X(STALE_NOT_WRITTEN, "M2 of raid_mirror", "a write leaves out drives that are being resynchronised") \
    X(GOOD_WITHOUT_GOOD_DRIVE, "M2 of raid_mirror", "a write is good although no good drive took it") \
    X(FAILED_WRITE_TRUSTED, "M3 of raid_mirror", "a write that failed leaves its regions without doubt") \
    X(READ_IN_DOUBT, "A3 of part", "I/O goes to a region in doubt") \
    X(RESYNC_BESIDE_WRITE, "R1 of resync", "a chunk is copied while it is written") \
    X(STRIPE_UNLOCKED, "N1", "two works are done in one stripe at a time") \
    X(STRIPE_UNRECORDED, "Y1, Y2", "a write to a stripe that lacks a drive changes data and parity without a record") \
    X(STRIPE_UNRECORDED_WHOLE, "Y1", "a write to a part of a stripe that lacks no drive changes it without a record") \
    X(DEGRADED_UNFLUSHED, "Y3", "what drives held when another one was lost is not flushed") \
    X(PARITY_UNROTATED, "parity.h", "parity is on the same drives in every stripe") \
    X(SUSPECT_PARITY_TRUSTED, "Q2", "new parity is made from parity that may not be that of the data") \
    X(PARITY_OF_BEFORE_TRUSTED, "Q2", "parity of regions that the reign before was writing is not made anew") \
    X(COPY_FROM_STALE, "R2 of resync", "what is copied comes from a drive that is not good") \
    X(RESYNC_OVER_CHANGE, "R3 of resync", "a region counts as copied although a drive changed its state meanwhile") \
    X(UNREADABLE_COPIED, "R4 of resync", "what nobody can read counts as copied") \
    X(GOOD_BEFORE_RESYNC, "S1 of sync", "a drive counts as good before it has all regions") \
    X(SYNCED_WITHOUT_MAP, "S1 of sync", "a drive counts as good before it holds the map") \
    X(SYNCED_WITHOUT_STATE, "S1 of sync", "a drive counts as good before it holds the state") \
    X(SYNCED_UNFLUSHED, "S1 of sync", "a drive counts as good before it was flushed") \
    X(BLANK_LACKS_NOTHING, "S2 of sync", "a blank drive is labelled as if it had all data") \
    X(FOREIGN_TAKEN, "B1 of probe", "a drive that is not the one it was is used") \
    X(OPEN_TRY_FORGOTTEN, "L2 of leg", "a write ends while an earlier try of it may still land") \
    X(LINGERING_PASSED, "L3 of leg", "a later write goes out while one that was given up may still land") \
    X(LAST_DRIVE_FAILED, "L4 of leg", "a drive is called failed that its pool cannot do without") \
    X(HEADER_BEFORE_BLOB, "T1 of blob", "the header of a stored state is written before its blob is durable") \
    X(SLOT_OVERWRITTEN, "T2 of blob", "a state is stored over the newest one") \
    X(OLD_STATE_LOADED, "blob", "not the newest stored state is loaded") \
    X(MAP_OF_ONE_TRUSTED, "W2", "a bit is relied upon that not every drive may have") \
    X(INTENT_CLEARED_LINGERING, "W3", "bits are cleared while a write that was given up may still land") \
    X(MAP_OVERWRITTEN, "W4", "the map is written over the newest one of a drive") \
    X(INTENT_CLEARED_UNSETTLED, "W5, K3", "bits of an earlier reign are cleared before its writes were begun anew") \
    X(DOUBT_FORGOTTEN, "W6", "regions in doubt are forgotten when a reign ends") \
    X(GIVEN_UP_FORGOTTEN, "L3 of leg", "what was given up is forgotten, though it may still land") \
    X(RETURN_WHILE_LINGERING, "L3 of leg, D2", "a drive returns while a write that was given up may still land") \
    X(FLUSH_FAILURE_FORGIVEN, "L5 of leg", "a flush that failed is made good by a later one") \
    X(ZEROES_NOT_AWAITED, "C3 of carry", "host I/O goes where zeroes of a new volume are still to be written") \
    X(CHANGE_NOT_AWAITED, "K4", "newer writes go where an unfinished change of volumes still writes zeroes") \
    X(MAPPED_BEFORE_DURABLE, "V1 of provision", "a write begins before its granules are durably mapped") \
    X(STALE_GRANULE_SHOWN, "V2 of provision", "a granule is mapped with what it held before") \
    X(PROVISION_OF_ONE_TRUSTED, "V4 of provision", "a map is relied upon that not every drive may hold") \
    X(PROVISION_OVERWRITTEN, "V5 of provision", "a block of the map is written over its newest one") \
    X(SANITIZE_SHARED, "sanitize", "a volume is read and written while it is being sanitized") \
    X(SANITIZE_END_UNSTORED, "Z1", "a volume is free before the end of its sanitizing is on the drives") \
    X(SYNCED_WITHOUT_PROVISION, "V6 of provision", "a drive counts as good before it holds the map of what is mapped") \
    X(ATOMIC_WITHOUT_RECORD, "H5", "an atomic write has no redo record") \
    X(ATOMIC_UNFLUSHED, "X1", "a redo record is invalid before its blocks are flushed") \
    X(REDO_NOT_AWAITED, "X1", "blocks change before their redo record is durable") \
    X(REDO_UNFLUSHED, "X1", "a redo record is not flushed") \
    X(REDO_NOT_PLAYED, "X3", "redo records that are found are not played") \
    X(REDO_OF_STALE, "X4", "what a stale drive has of redo records stays there") \
    X(COPY_WHILE_LINGERING, "R1 of resync", "a chunk is copied while a write to it that was given up may still land")
/* clang-format on */

enum mutant {
#define MUTANT_VALUE(name, rule, sentence) MUTANT_##name,
    MUTANTS(MUTANT_VALUE)
#undef MUTANT_VALUE
        MUTANT_KINDS
};

#ifdef SEGUE_MUTANTS
extern int mutant_chosen; /* MUTANT_KINDS: none */
static inline bool mutant(enum mutant m)
{
    return mutant_chosen == (int)m;
}
/* By its name, in small letters, with '-' for '_'. False: there is no such mutant. */
bool mutant_choose(const char *name);
/* The m-th one's name as mutant_choose takes it, and its texts; false: there are no more. */
bool mutant_describe(int m, char name[64], const char **rule, const char **sentence);
#else
static inline bool mutant(enum mutant m)
{
    (void)m;
    return false;
}
static inline bool mutant_choose(const char *name)
{
    (void)name;
    return false;
}
static inline bool mutant_describe(int m, char name[64], const char **rule, const char **sentence)
{
    (void)m, (void)name, (void)rule, (void)sentence;
    return false;
}
#endif

#endif
