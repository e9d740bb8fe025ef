/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_SERVER_H
#define SEGUE_SCSI_SERVER_H

/* The SCSI device server of one array controller unit: every volume of its group, every I_T nexus.
 * Pure and synchronous: it decides, the unit carries out. Both units of a group hold the same
 * state, because it changes only by scsi_apply() of effects that the primary has RESOLVED.
 *
 * Life of a command in the primary, in its order:
 *   scsi_extent()  when it gets its order: what it overlaps with
 *   scsi_plan()    when nothing before it that it overlaps with is unfinished: what to do
 *   scsi_apply()   of plan.effect, once every member holds it (RESOLVED), on every unit
 *
 * Standards: SPC-4, SBC-3 (version descriptors claim those), SAM-5.
 *
 * Nexuses: a host's session (sender, its session, number) exists from COMMAND_NEXUS_OPEN to
 * COMMAND_NEXUS_LOSS. Opening again a number that is open is a loss and a new beginning. With no
 * room for another one the open is answered BUSY, and the switch refuses the login. A command of a
 * nexus that is not open never runs: ABORTED COMMAND. Only after a cold start (scsi_power_on) may a
 * sender's sessions go on whose opening was forgotten: the first command of such a nexus opens it,
 * with POWER ON as its unit attention and without a port name, so it cannot register until its
 * switch opens it by name. A registration belongs to (initiator port name, sender) and outlives the
 * nexus.
 */

#include "base/trace.h"
#include "command/directory.h"
#include "command/message.h"
#include "command/volume.h"

struct scsi_server;

/* Memory for one server, taken once. `group` is its group's number; the directory is the unit's and
 * is read for REPORT LUNS (only the owner group's servers are asked that). */
struct scsi_server *scsi_server_new(uint8_t group, const struct directory *directory,
                                    struct trace *trace);
void scsi_server_free(struct scsi_server *server);
/* Forgets everything (a unit that goes out). */
void scsi_server_clear(struct scsi_server *server);

/* How many interface switches there are: target ports, a target port group each. 2 until it is
 * said. */
void scsi_switches_set(struct scsi_server *server, uint8_t count);

/* Volumes come from the array room: after its configuration changed, the unit tells each. Identity
 * of a volume is its uuid: another uuid at an index is another volume, with no state. A volume
 * whose size or mode changed gets the unit attention for it (2A/09, 2A/01) on each nexus. */
void scsi_volume_set(struct scsi_server *server, const struct volume_info *info);
void scsi_volume_remove(struct scsi_server *server, uint16_t index);
const struct volume_info *scsi_volume(const struct scsi_server *server, uint16_t index);

/* What the command overlaps with, from the command alone and the volume's geometry. Commands with a
 * bad range get OVERLAP_NONE: the plan will refuse them. State-changing commands are BARRIERs, but
 * for those that open or lose a nexus: they are to wait for what its session has sent before. */
void scsi_extent(const struct scsi_server *server, const struct command_message *command,
                 struct extent *out);

enum scsi_do {
    SCSI_RESPOND, /* status, sense, data are the answer; nothing changes */
    SCSI_RESOLVE, /* the same, once `effect` is held by every member and applied */
    SCSI_READ,    /* lba, blocks: data in; then GOOD */
    SCSI_WRITE,   /* lba, blocks: data out, from offset 0 of the command's data; then GOOD */
    SCSI_FILL, /* lba, blocks with one block's pattern at pattern_offset of the command's data, or
                  zeroes if pattern_length is 0; `unmap`: not even those: WRITE SAME, UNMAP of one
                  range */
    SCSI_FILL_LIST,     /* UNMAP: scsi_unmap_range(command, i) for i below `ranges` */
    SCSI_LBA_STATUS,    /* GET LBA STATUS from lba on: scsi_lba_status_add() for each run of blocks
                           that    are all mapped, or all not */
    SCSI_COMPARE_WRITE, /* COMPARE AND WRITE: read lba, blocks; scsi_compare(); RESOLVED; write */
    SCSI_WRITE_ATOMIC,  /* the same, on the drives before GOOD, all of it or nothing */
    SCSI_OR_WRITE, /* ORWRITE: read lba, blocks; scsi_or() of it and the data out; write that */
    SCSI_VERIFY,   /* read lba, blocks and scsi_compare() with the data out if `compare`; GOOD */
    SCSI_COPY,  /* EXTENDED COPY: scsi_copy_segment(i) for i below `ranges`, one after the other */
    SCSI_FLUSH, /* SYNCHRONIZE CACHE: what was acknowledged before it is on the drives, flushed */
};

enum scsi_status { /* SAM-5 5.3.1 */
                   SCSI_STATUS_GOOD = 0x00,
                   SCSI_STATUS_CHECK_CONDITION = 0x02,
                   SCSI_STATUS_BUSY = 0x08,
                   SCSI_STATUS_RESERVATION_CONFLICT = 0x18,
};

enum { SCSI_DATA_MAX = 65536 }; /* data in of SCSI_RESPOND and SCSI_RESOLVE */

struct scsi_plan {
    enum scsi_do what;
    uint64_t lba;
    uint32_t blocks;
    bool fua;     /* write: on the drives, flushed, before GOOD */
    bool compare; /* verify: BYTCHK */
    bool unmap;
    bool drains; /* RESOLVE: nothing of the volume may be in memory any more when it is resolved */
    uint32_t allocation; /* GET LBA STATUS */
    uint32_t pattern_offset, pattern_length;
    uint32_t ranges;
    uint8_t status;
    uint8_t task_response; /* COMMAND_TASK: RFC 7143 11.6.1; status is GOOD */
    uint8_t sense_length;
    uint8_t sense[SENSE_MAX];
    uint32_t data_length; /* data in, already cut to the allocation length */
    uint8_t *data;        /* points to SCSI_DATA_MAX bytes that the caller provides */
    bool answered; /* the caller's: its host may have an answer already, and is told nothing else */
    uint32_t effect_length;
    uint8_t effect[EFFECT_MAX];
};

/* `data` is the command's data out (borrowed). plan->data must be set by the caller.
 * Checks, in order: LUN mapped; unit attention pending for the nexus (then SCSI_RESOLVE with the
 * effect that clears it); reservation conflict; opcode and CDB fields; ranges; read only.
 * COMMAND_SCSI, COMMAND_TASK, COMMAND_NEXUS_OPEN and COMMAND_NEXUS_LOSS are planned here. */
void scsi_plan(const struct scsi_server *server, const struct command_message *command,
               const uint8_t *data, uint32_t data_length, struct scsi_plan *plan);

/* Changes the state as the effect says; the same on each unit. `session` is that of the command
 * whose effect it is. False: not an effect of a version that we know (the unit stops: must not go
 * on with a different state). */
bool scsi_apply(struct scsi_server *server, uint64_t session, const uint8_t *effect,
                uint32_t length);

/* The effect of a sender's sessions up to that one being dead, and of nothing of them being
 * unfinished: every nexus of theirs is lost. Applied by each unit when the stream says so. False:
 * nothing has changed. */
bool scsi_sender_dead(struct scsi_server *server, uint8_t sender, uint64_t session);
/* The session that was there at a cold start is over: the next one opens all its nexuses itself. */
void scsi_sender_anew(struct scsi_server *server, uint8_t sender);
/* The effect of a cold start: POWER ON unit attention (29/00 or 29/01) for whoever comes. */
void scsi_power_on(struct scsi_server *server);

/* COMPARE AND WRITE and VERIFY: fills status and sense of `plan` (GOOD, or MISCOMPARE 1D/00 with
 * the offset in INFORMATION). True: equal. */
bool scsi_compare(const struct scsi_plan *asked, const uint8_t *expected, const uint8_t *found,
                  uint32_t length, struct scsi_plan *plan);
/* GET LBA STATUS: an answer without descriptors; one more (false: there is no room for another);
 * cut to the allocation length. */
void scsi_lba_status_begin(struct scsi_plan *plan);
bool scsi_lba_status_add(struct scsi_plan *plan, uint64_t lba, uint64_t blocks, bool mapped);
void scsi_lba_status_end(struct scsi_plan *plan, uint32_t allocation);
/* ORWRITE: the data out is ORed into what was found. */
void scsi_or(const uint8_t *data, uint8_t *found, uint32_t length);
/* The i-th range of an UNMAP parameter list that scsi_plan has accepted; blocks may be 0. */
void scsi_unmap_range(const uint8_t *data, uint32_t i, uint64_t *lba, uint32_t *blocks);

/* EXTENDED COPY: segment i of a parameter list that scsi_plan has accepted; false: one of its
 * volumes is no more, is being sanitized, or has not these blocks. */
struct scsi_copy {
    uint16_t from, to; /* volumes */
    uint64_t from_lba, to_lba;
    uint32_t bytes; /* whole blocks of both */
};
bool scsi_copy_segment(const struct scsi_server *server, const uint8_t *data, uint32_t length,
                       uint32_t i, struct scsi_copy *out);
/* Does the command copy from or to another volume than it was sent to? Then its extent does not say
 * all. */
bool scsi_copy_crosses(const struct scsi_server *server, const struct command_message *command,
                       const uint8_t *data, uint32_t length);
/* The command is done: what RECEIVE COPY RESULTS tells. Said by primary and secondaries. */
void scsi_copied(struct scsi_server *server, const struct command_message *command,
                 const uint8_t *data, uint32_t length, uint8_t status);

/* SANITIZE. The operation is part of the state; the unit of the primary carries it out, one piece
 * after the other: FILL with the pattern, if there is one, else zeroes, or UNMAP; durably.
 * `ending`: all is written, and there is no piece. False: no volume is being sanitized. */
enum scsi_sanitize_state { SANITIZE_NONE, SANITIZE_RUNNING, SANITIZE_ENDING, SANITIZE_FAILED };
struct scsi_sanitize_piece {
    uint16_t volume;
    bool ending, unmap;
    uint64_t lba;
    uint32_t blocks;
};
bool scsi_sanitize_next(const struct scsi_server *server, struct scsi_sanitize_piece *out);
bool scsi_sanitize_pattern(const struct scsi_server *server, uint16_t volume, uint8_t *block);
/* The effect of the piece being done, EFFECT_MAX bytes at most; over: it was the last one. */
uint32_t scsi_sanitize_effect(const struct scsi_server *server,
                              const struct scsi_sanitize_piece *piece, bool *over, uint8_t *effect);
/* ... of the operation coming to that state. */
uint32_t scsi_sanitize_become(uint16_t volume, enum scsi_sanitize_state state, uint8_t *effect);
/* How far it is, of 65536. */
enum scsi_sanitize_state scsi_sanitize_state(const struct scsi_server *server, uint16_t volume,
                                             uint16_t *progress);
/* What is answered while it is RUNNING, ENDING or FAILED: sense[], its length. */
uint8_t scsi_sanitize_sense(const struct scsi_server *server, uint16_t volume, uint8_t *sense);

/* CHECK CONDITION with fixed-format sense (SPC-4 4.5.3) of 18 bytes into sense[]. Returns 18. */
uint8_t scsi_sense(uint8_t *sense, uint8_t key, uint8_t asc, uint8_t ascq);
/* Sense of SENSE_MAX bytes, of which `length` are used, in the format that the volume's D_SENSE
 * asks for: fixed format becomes descriptor format, or it stays what it is. Returns its length.
 * Plans have it already; it is for sense that the unit itself has made. */
uint8_t scsi_sense_form(const struct scsi_server *server, uint16_t volume, uint8_t *sense,
                        uint8_t length);

/* Does the volume's D_SENSE ask for descriptor format? */
bool scsi_descriptors(const struct scsi_server *server, uint16_t volume);

/* The command is done, with that answer: counted for LOG SENSE. Primary and secondaries say it of
 * each command, so that the counters go on after a takeover; loading a state does not touch them.
 */
void scsi_done(struct scsi_server *server, const struct command_message *command, uint8_t status,
               const uint8_t *sense, uint8_t sense_length);

/* The whole state, for a joining unit and for the drives: reservations, registrations, unit
 * attentions, mode pages, nexuses. Versioned. scsi_save returns the bytes needed; it writes only if
 * they fit. scsi_load replaces the state (volumes are set separately, before). */
uint32_t scsi_save(const struct scsi_server *server, uint8_t *out, uint32_t capacity);
bool scsi_load(struct scsi_server *server, const uint8_t *bytes, uint32_t length);
/* After a cold start: only what outlives a power loss stays (APTPL registrations and the
 * reservation, saved mode pages). */
void scsi_forget_volatile(struct scsi_server *server);

#endif
