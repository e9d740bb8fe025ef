/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_UNIT_STATE_H
#define SEGUE_UNIT_STATE_H

/* What a unit holds in memory, and what its files offer each other. Only src/unit includes this. */

#include "array/manage.h"
#include "base/list.h"
#include "base/must.h"
#include "base/mutant.h"
#include "unit/entry.h"
#include "unit/meters.h"
#include "unit/unit.h"

enum {
    TABLE_MAX = 4 * QUEUE_MAX, /* commands known: queued, outcomes, dirty writes */
    TABLE_BUCKETS = 16384,
    MIRROR_WRITES_MAX = 2 * QUEUE_MAX,
    MIRROR_BUCKETS = 4096,
    MIRROR_REGION_BYTES = COMMAND_DATA_MAX, /* a write touches at most two regions */
    BATCHES_MAX = 4096,
    SNAPSHOT_PARTS_MAX = 64,
    STATE_BYTES_MAX = ARRAY_STATE_MAX,
};

/* Where a command stands, on every member. */
enum command_place {
    PLACE_FREE,
    PLACE_WAITING, /* in the queue, without an order */
    PLACE_ORDERED, /* in the queue, with an order */
    PLACE_DONE,    /* answered: an outcome, and dirty data perhaps */
};

/* What the primary is doing with it. */
enum run_phase {
    RUN_IDLE,
    RUN_HANDSHAKE, /* until every member holds it */
    RUN_BLOCKED,   /* until what it overlaps with has finished, or memory is there */
    RUN_DRIVES,    /* array work under way */
    RUN_RESOLVING, /* until every member holds its RESOLVED */
    RUN_CARRYING,  /* the effect is being carried out at the drives */
    RUN_STORING,   /* the changed state is being written to the drives */
    RUN_ANSWER,    /* finished, but the lone primary may not answer yet */
    RUN_FINISHED,
};

struct queued {
    struct list hash;        /* of its bucket; free: in the free list */
    struct list place_link;  /* WAITING: x->waiting; ORDERED: x->ordered, by order */
    struct list run_link;    /* handshake, blocked, answers */
    struct list volume_link; /* primary: the volume's unfinished commands, by order */
    struct command_message message;
    struct slice data;
    enum command_place place;
    bool has_body; /* the command itself is here, not only its order */
    bool marked;   /* named by the snapshot that is being applied */
    uint64_t order;
    uint64_t begun_ns; /* our clock when its last byte left the host */
    uint64_t arrived_ns, forwarded_ns, ordered_ns, fetched_ns;
    bool forwarded;
    uint8_t forwarded_by; /* bit m: module m forwarded it and waits for a word */

    /* outcome */
    bool withdrawn, confirmed;
    uint8_t status, task_response, sense_length;
    uint8_t sense[SENSE_MAX];
    uint32_t transferred;
    struct slice reply; /* primary: data in of the response, until it is confirmed or sent */

    /* resolved */
    bool resolved, applied;
    struct slice resolution; /* data, then effect */
    uint32_t reply_length, effect_length;

    /* run */
    enum run_phase phase;
    uint64_t gate; /* stream index that every member must hold */
    struct extent extent;
    enum scsi_do what; /* what was planned, and its terms (struct scsi_plan) */
    uint64_t lba;
    uint32_t blocks, pattern_offset, pattern_length, ranges, allocation;
    bool planned, fua, compare, unmap;
    bool rerun;    /* it was done: its answer may be lost, or not */
    bool again;    /* planned, and to be written once more: its drives did not take it */
    bool settled;  /* its drive work is over: members hold how it ends, then it is answered */
    bool mirrored; /* a write that is answered from the mirror */
    struct array_io io;
    struct slice work;      /* what is written is not what the host sent: ORWRITE, EXTENDED COPY */
    uint16_t io_volume;     /* of `io` */
    uint32_t copied, piece; /* EXTENDED COPY: bytes of this segment; of the piece under way */
    bool compared;          /* COMPARE AND WRITE: read and found equal */
    uint32_t fill_left;     /* FILL: blocks after the piece under way */
    uint32_t range;         /* FILL_LIST: the next one */
    uint64_t flush_number;  /* FLUSH: dirty writes up to this one go first */
    bool group_barrier;
    bool unwanted;  /* its host has withdrawn it, after it had got its order */
    bool sanitizes; /* RESOLVED, and waits for the end of what it has begun: nobody waits for it */

    /* mirror: done, not on the drives */
    bool dirty, destaging;
    uint64_t dirty_number;      /* position among the dirty writes */
    uint64_t destage_after_ns;  /* its last try failed */
    struct list dirty_link;     /* x->dirty, in order */
    struct list region_link[2]; /* of the mirror's buckets */
    uint32_t region_bucket[2];
    struct extent written;
};

/* One batch of entries, kept until every follower holds it. */
struct batch {
    struct list link;
    struct slice bytes;
    uint64_t first;
    uint32_t count;
    uint64_t sent_ns;
};

/* A member that the primary feeds. */
struct follower {
    bool active;  /* in sync, or joining */
    bool joining; /* not in the record's in_sync yet */
    bool counts;  /* completion depends on it */
    bool synced;  /* it has confirmed its snapshot */
    bool need_snapshot;
    bool resume; /* its link came up: waits for its word before more is sent */
    bool leaves; /* it stops in order: nothing is answered any more because it holds it */
    bool knows;  /* that the record names it, or it was never out: it will not go without a swap */
    struct member member;
    uint64_t snapshot_index, snapshot_ns;
    uint64_t joined_index;        /* of the entry that says that it is a member; 0: none does */
    uint64_t applied, held, sent; /* stream indexes */
    uint64_t behind_since_ns;     /* since when `held` lacks something sent; 0: it does not */
};

struct peer {
    bool linked;
    bool gone;
    uint64_t heard_ns;
    uint64_t signal_ns; /* the arrival of the last one */
    uint64_t join_asked_ns;
    bool promised;
    uint64_t promised_held;
    struct signal_message signal; /* the last one */
};

/* A clock offset to another part: ours minus its. */
struct offset {
    bool known;
    int64_t ns;
    uint64_t round_ns, taken_ns;
};

struct sender_state {
    bool linked;
    uint64_t heard_ns; /* 0: never */
    uint64_t heard_session, heard_incarnation_ns;
    uint64_t session;                     /* the current one, by the stream; 0 none */
    uint64_t dead;                        /* sessions up to this one are dead */
    uint64_t confirmed;                   /* of the current session */
    uint64_t confirm_wanted;              /* primary: heard, not in the stream yet */
    uint64_t unconfirmed, unconfirmed_ns; /* primary: sequence after `confirmed`, answered since */
    uint64_t ending; /* primary: nexuses may have to go when all hold the sequence up to there */
    uint64_t told_dead_ns;
    uint64_t signal_ns;
    bool view_wanted, directory_wanted;
    bool deaf;   /* it says that it does not hear us, though its link is up */
    bool silent; /* primary: deaf, or nothing comes by its link: answers go through members */
    struct signal_message signal;
};

struct loop_state {
    bool linked, logged_in;
    uint64_t login;
    uint64_t heard_ns;
    struct signal_message signal;
    uint64_t signal_ns;
    bool fence_wanted, fence_sent, fenced; /* of the present epoch */
    uint64_t fence_tag, fence_sent_ns;
    bool given_up;  /* it does not answer: its drives are failed, it is fenced when it does */
    bool up_wanted; /* logged in while we lead: the array is told after the fence */
    struct slice inventory;
    uint8_t drives;
    /* Lives of its process, as its logins tell them apart. What it had not flushed in an earlier
     * one may be lost, with the power of its tray. */
    uint64_t life, trusted_life; /* 0: none */
    /* Drives that were off their loop since we trusted them; each one's own life (inventory). */
    uint32_t reseated;
    uint64_t lives_of; /* the life in which drive_life was told */
    uint16_t drive_life[SLOT_MAX];
};

struct volume_state {
    struct list commands;     /* unfinished, by order */
    uint32_t blocked;         /* of them RUN_BLOCKED */
    bool kicked;              /* in x->kicks */
    struct queued *resolving; /* no later command is planned meanwhile */
};

/* Why a register operation was asked. */
enum swap_kind {
    SWAP_NONE,
    SWAP_READ,
    SWAP_CLAIM,
    SWAP_CLEAR,
    SWAP_AMEND,
    SWAP_HANDOVER,
    SWAP_CLEAN
};

/* How the present reign was won: what the new primary knows. */
enum claim_kind {
    CLAIM_SECONDARY, /* holds the queue */
    CLAIM_BACK,      /* deposed, holds the queue */
    CLAIM_PLANNED,   /* was given control */
    CLAIM_FIRST,     /* nobody ever served */
    CLAIM_COLD,      /* everybody died */
    CLAIM_OVER_LONE, /* an out unit over a lone one */
};

struct unit {
    struct unit_config config;
    struct trace *trace;
    struct buffer_pool *buffers;
    struct limits limits;
    port_id self_port;
    struct member self;
    uint64_t now_ns, wake_asked_ns, stepped_ns; /* stepped_ns: `now_ns` of the last step */
    struct actions *actions;                    /* of the present step */

    enum unit_state state;
    struct record record;
    uint64_t record_seen_ns; /* when this generation was first read */
    bool record_known;
    bool living_in_sync[2 * MODULE_MAX], living_previous[2 * MODULE_MAX];
    struct {
        enum swap_kind kind;
        uint64_t tag, asked_ns;
        struct record record; /* of a swap */
        bool again;           /* a read was wanted meanwhile */
        uint8_t joining;      /* AMEND: module taken in, MODULE_NONE */
        bool verifying;       /* the swap's answer was unknown: a read tells */
    } reg;
    uint64_t next_read_ns;
    uint64_t tags;

    /* suspicion */
    struct peer peer[MODULE_MAX];
    struct sender_state sender[SENDER_MAX];
    struct loop_state loop[LOOP_MAX];
    struct offset offset_peer[MODULE_MAX], offset_sender[SENDER_MAX];
    uint64_t listen_until_ns; /* we were late: suspect nobody before */
    uint64_t epoch_began_ns;  /* membership or epoch, for suspicion */
    uint64_t next_signal_ns;
    uint64_t primary_progress, primary_progress_ns;

    /* queue and outcomes */
    struct queued *table;
    uint32_t table_used; /* entries beyond were never taken */
    struct list free, buckets[TABLE_BUCKETS];
    uint64_t
        bucket_used[TABLE_BUCKETS / 64]; /* those that may hold some; others are not even made */
    struct list waiting, ordered;
    struct list missing; /* follower: ordered or dirty, without a body (run_link), by gate */
    uint32_t waiting_count, ordered_count, done_count;

    /* mirror */
    struct list dirty, regions[MIRROR_BUCKETS]; /* a region's list is made when it is asked for */
    uint64_t dirty_bytes, dirty_numbers;
    uint32_t dirty_count, destaging_count;

    /* follower side of the stream */
    uint64_t applied, held;
    bool stream_synced; /* has a state that the present primary's stream goes on from */
    bool doubt; /* by the sequence, or as its own reign ended: copies on the drives may differ */
    bool held_wanted;
    uint64_t reported_ns;
    struct slice snapshot[SNAPSHOT_PARTS_MAX];
    uint32_t snapshot_parts;
    uint64_t acked;            /* the primary has said ACK up to here */
    uint64_t unacked_since_ns; /* we hold more than that since, or it last grew; 0: no more */

    /* primary side */
    struct follower follower[MODULE_MAX];
    struct batch *batch;
    uint32_t batches_used; /* as table_used */
    struct list batches, batch_free;
    struct slice open; /* the batch being filled */
    struct cursor open_cursor;
    uint32_t open_count;
    uint64_t index;       /* of the last entry appended */
    uint64_t reign_epoch; /* the epoch in which this reign began, as far as we know */
    struct buffer_pool *stream_buffers;
    uint64_t next_order;
    struct list handshakes; /* by gate */
    struct list answers;
    struct volume_state *volumes;   /* VOLUME_MAX + 1: the last is "none" */
    uint16_t kicks[VOLUME_MAX + 1]; /* volumes whose blocked commands are to be looked at */
    uint32_t kick_count;
    uint32_t barriers;   /* unfinished group barriers */
    uint8_t move_wanted; /* a person wants the group on this module; MODULE_NONE */
    uint64_t progress;
    struct scsi_plan plan; /* scratch: used within one step */
    struct scsi_plan compared_plan;
    uint8_t *plan_data; /* SCSI_DATA_MAX */

    /* SANITIZE: sanitize.c */
    struct sanitizing {
        bool busy;   /* a piece is under way */
        bool ending; /* ENDING is being stored */
        uint16_t volume;
        uint64_t gate;    /* its new state is that entry; 0: every member holds it */
        uint64_t version; /* of the state that must be on the drives */
        struct scsi_sanitize_piece piece;
        struct array_io io;
    } sanitize;

    /* takeover */
    enum claim_kind claim;
    bool began, cleared; /* ADOPTING: maps are in; `previous` is empty */
    bool in_doubt;
    bool fetching_state; /* 3 members: the furthest one's snapshot is on its way */
    uint8_t furthest;
    uint64_t fetch_asked_ns;
    uint64_t stopped_ns, fencing_since_ns;
    bool follows_claimant; /* STOPPED because another asked */
    bool state_here;
    uint64_t read_again_ns; /* the drives' state could not be had: it is read again */
    uint32_t undrained[LOOP_MAX];
    uint64_t suspect_ns;
    const char *cause;
    bool nobody_lived;      /* when we claimed: what was in memory only is lost */
    bool cache_lost;        /* ... and acknowledged writes may be among it */
    bool stateless;         /* its claim began without the state, which has not been read yet */
    const char *leaving;    /* JOINING: why it goes out, unless the record names it */
    uint64_t loss_accepted; /* generation of the record whose `dirty` a person has given up */

    /* lone primary */
    uint64_t lease_until_ns, lease_asked_ns;
    uint64_t state_version, stored_version; /* of the replicated state: now, and on the drives */
    bool storing;
    uint64_t store_cookie, stores;
    uint64_t dirty_order;   /* `dirty` may be cleared when orders up to it are finished and clean */
    uint64_t adopted_order; /* up to it: of earlier reigns */
    bool dirty_clear_wanted;

    /* drives whose state in the record has to change */
    uint8_t drive_wanted[DRIVE_MAX]; /* enum drive_state + 1; 0: as it is */
    bool drives_wanted;
    uint32_t drop_wanted; /* bit m */
    uint8_t join_wanted;  /* module, MODULE_NONE */

    /* planned takeover */
    uint8_t handing; /* to this module; MODULE_NONE */
    uint64_t handing_ns, in_sync_since_ns;

    /* stopping in order */
    bool stopping, quiescing, stopped;
    bool flushing, flushed; /* array_quiesce was asked, has ended */
    uint64_t stop_ns, stop_said_ns;
    uint64_t alone_order; /* up to it answers may have relied on one that leaves */

    struct array *array;
    struct scsi_server *scsi;
    struct directory *directory;
    uint8_t *scratch; /* STATE_BYTES_MAX */
    struct unit_status counters;
    struct meters meters;
};

/* What its RESOLVED changes; NULL: nothing. */
static inline const uint8_t *queued_effect(const struct queued *q)
{
    return q->effect_length ? slice_bytes(q->resolution) + q->reply_length : NULL;
}

/* ---- unit.c ---- */
void unit_become(struct unit *x, enum unit_state state);
bool unit_is(const struct unit *x, uint8_t module); /* is it us? */
static inline bool unit_primary(const struct unit *x)
{
    return x->state == UNIT_STATE_PRIMARY;
}
/* Primary, and no other unit is sure to hold what it holds, and to stay: the record names none, or
 * it may have gone out before it heard that it is one, or it stops. */
bool unit_lone(const struct unit *x);
/* A lone primary counts a write as on the drives when it is flushed. This one, which was begun
 * before it was lone, is not. */
bool unit_needs_flush(const struct unit *x, const struct queued *q);
bool unit_doubt(const struct unit *x); /* may copies on the drives differ, as far as it knows? */
const char *unit_word(uint8_t module, uint8_t group); /* "B1"; two at a time */
uint64_t unit_tag(struct unit *x);
struct message *unit_send(struct unit *x, enum message_kind kind, port_id to);
/* Goes out: a new incarnation that holds nothing. */
void unit_go_out(struct unit *x, const char *why);

/* ---- table.c: the commands known ---- */
struct queued *table_find(struct unit *x, const struct command_id *id);
struct queued *table_add(struct unit *x, const struct command_id *id); /* NULL: full */
/* For what the primary says: room is made by dropping what has no order. */
struct queued *table_make(struct unit *x, const struct command_id *id);
void table_place(struct unit *x, struct queued *q, enum command_place place);
void table_free(struct unit *x, struct queued *q);
void table_maybe_free(struct unit *x, struct queued *q); /* DONE, confirmed and clean */
void table_clear(struct unit *x);
/* The first bucket from there on that holds some; TABLE_BUCKETS: none. */
uint32_t table_bucket(struct unit *x, uint32_t from);
#define table_each_bucket(x, b) \
    for (uint32_t b = table_bucket(x, 0); b < TABLE_BUCKETS; b = table_bucket(x, b + 1))
void table_drop_waiting(struct unit *x, uint8_t sender, uint64_t session); /* up to that session */
void table_keep_body(struct unit *x, struct queued *q, const struct command_message *message,
                     struct slice data);
void table_drop_orderless(struct unit *x);

/* ---- queue.c: commands from senders ---- */
void queue_command(struct unit *x, const struct message *message);
void queue_forwarded(struct unit *x, const struct message *message);
void queue_forward_answer(struct unit *x, const struct message *message);
void queue_confirm(struct unit *x, const struct message *message);
void queue_tick(struct unit *x); /* forwards, what the primary has to order */
void queue_order(struct unit *x, struct queued *q);
void queue_refuse(struct unit *x, const struct command_id *id, enum refuse_reason reason,
                  uint8_t forwarded_by);
bool queue_session_ok(const struct unit *x, const struct command_id *id);

/* ---- sessions.c: senders and their sessions ---- */
void sessions_forget(struct sender_state *s);
void sessions_heard(struct unit *x, int sender, uint64_t session);
void sessions_apply(struct unit *x, const struct entry *entry);
/* What dead sessions of the sender have left goes, if they have nothing to do any more. */
void sessions_end(struct unit *x, int sender);
void sessions_done(struct unit *x, const struct command_id *id); /* that command is */
void sessions_advance(struct unit *x); /* primary: every member may know it by now */
void sessions_tick(struct unit *x);
void sessions_view(struct unit *x, int sender);
void sessions_announce(struct unit *x); /* VIEW to every sender, and the directory */
void sessions_confirm(struct unit *x, int sender, uint64_t session, uint64_t confirmed);

/* ---- stream.c: the primary's sequence ---- */
void stream_begin(struct unit *x); /* a new reign */
void stream_end(struct unit *x);
uint64_t stream_append(struct unit *x, const struct entry *entry); /* its index */
void stream_flush(struct unit *x);
/* Every counted follower holds the sequence up to here; -1: not even its beginning. */
int64_t stream_complete(const struct unit *x);
void stream_held(struct unit *x, const struct message *message);
void stream_link(struct unit *x, uint8_t module, bool up);
void stream_tick(struct unit *x); /* the ready limit */
void stream_fetch(struct unit *x, const struct message *message);
void follower_begin(struct unit *x, struct member member, bool joining);
void follower_end(struct unit *x, uint8_t module);

/* ---- snapshot.c ---- */
/* The whole state to that member, as of index x->index. False: no memory now. */
bool snapshot_send(struct unit *x, uint8_t module);
/* Takes a part; true: it was the last and the state is now that of the sender's. */
bool snapshot_part(struct unit *x, const struct message *message);
void snapshot_drop(struct unit *x);

/* ---- follow.c: a member's side of the stream ---- */
void follow_begin(struct unit *x); /* a record names us in sync, another is primary */
void follow_stream(struct unit *x, const struct message *message);
void follow_acked(struct unit *x, uint64_t acked);
void follow_fetched(struct unit *x, const struct message *message);
void follow_report(struct unit *x);  /* HELD, now */
void follow_advance(struct unit *x); /* a body has come: what is held may have grown */
void follow_missing(struct unit *x, struct queued *q, uint64_t gate);
void follow_apply(struct unit *x, const struct entry *entry, uint64_t index);
void follow_tick(struct unit *x); /* handshake and processing limits, fetches */

/* ---- effects.c: changes of replicated state ---- */
void effects_apply(struct unit *x, struct queued *q);
void effects_apply_bytes(struct unit *x, const struct command_id *id, const uint8_t *effect,
                         uint32_t length);
/* Into x->scratch; its length. Finished: for the drives, array_save_finished(). */
uint32_t state_save(struct unit *x, bool finished);
bool state_load(struct unit *x, const uint8_t *bytes, uint32_t length);
void state_sync_volumes(struct unit *x);
bool effects_is_directory(const struct manage_request *request);
bool effects_plan_directory(struct unit *x, const struct manage_request *request, uint8_t *effect,
                            uint32_t *length, const char **sentence);
bool effects_apply_directory(struct unit *x, const uint8_t *effect, uint32_t length);

/* ---- run.c, plan.c: the primary carries commands out ---- */
void run_begin(struct unit *x, struct queued *q); /* it has an order: handshake, then run */
void run_advance(struct unit *x);                 /* after anything: what may go on, goes on */
void plan_drives_done(struct unit *x, struct queued *q);
void run_block(struct unit *x, struct queued *q);
void run_release_barrier(struct unit *x, struct queued *q);
void run_io(struct unit *x, struct queued *q, enum array_op op, struct slice data);
void run_finish(struct unit *x, struct queued *q); /* outcome is set: answer, DONE */
void run_failed(struct unit *x, struct queued *q); /* ... by the drives: RESOLVED first */
void run_copied(struct unit *x, struct queued *q); /* ... by a copy: RESOLVED first */
void run_outcome(struct queued *q, uint8_t status, const struct scsi_plan *plan);
void run_respond(struct unit *x, struct queued *q, bool around); /* around: rather by a member */
bool run_data_lost(const struct unit *x, const struct queued *q);
void run_carried(struct unit *x, uint64_t cookie, bool failed);
void run_stored(struct unit *x, uint64_t cookie, bool failed);
void run_stop(struct unit *x); /* no longer primary: forget what was being done */
void run_kick(struct unit *x, uint16_t volume);
void run_retry(struct unit *x); /* now and then: what waits for memory is not kicked otherwise */
void run_resolve(struct unit *x, struct queued *q, const uint8_t *data, uint32_t data_length,
                 const uint8_t *effect, uint32_t effect_length);
struct volume_state *run_volume(struct unit *x, const struct queued *q);
void plan_command(struct unit *x, struct queued *q);
void plan_manage(struct unit *x, struct queued *q);
void plan_manage_resolved(struct unit *x, struct queued *q); /* carried out, or finished */

/* ---- mirror.c ---- */
void mirror_add(struct unit *x, struct queued *q);
void mirror_remove(struct unit *x, struct queued *q); /* CLEAN */
bool mirror_overlaps(struct unit *x, uint16_t volume, const struct extent *extent);
/* The extent of the dirty write that meets this one at its lowest place. */
bool mirror_first(const struct unit *x, uint16_t volume, const struct extent *extent,
                  struct extent *out);
/* Data of the extent from the mirror alone: 1 done (slice has a reference), 0 not covered, -1 no
 * memory now. */
int mirror_read(struct unit *x, uint16_t volume, const struct extent *extent, struct slice *out);
void mirror_destage(struct unit *x);
void mirror_destaged(struct unit *x, struct queued *q);
void mirror_forget_volumes(struct unit *x); /* dirty data of volumes that are no more */
bool mirror_flushed(struct unit *x, uint16_t volume, uint64_t number);
void mirror_stop(struct unit *x);

/* sanitize.c */
void sanitize_advance(struct unit *x);
void sanitize_stop(struct unit *x);
/* Was that a piece of it? It has ended. */
bool sanitize_done(struct unit *x, const struct array_io *io);
/* The volume is free again, and not every member holds that. */
bool sanitize_bars(const struct unit *x, uint16_t volume);
/* A SANITIZE that is RESOLVED: it waits, blocked, for the end; else its outcome is known. */
bool sanitize_waits(struct unit *x, struct queued *q);
/* Its host does not wait for it any more. */
void sanitize_withdrawn(struct unit *x, struct queued *q);
uint32_t sanitize_waiting(const struct unit *x);

void mirror_clear(struct unit *x);

/* ---- control.c: the record ---- */
void control_read(struct unit *x); /* soon: at once, or after what is under way */
void control_leave(struct unit *x, const char *why);
bool control_idle(const struct unit *x);
void control_swap(struct unit *x, enum swap_kind kind, const struct record *record);
void control_event(struct unit *x, const struct event *event);
void control_tick(struct unit *x);
void control_adopt(struct unit *x,
                   const struct record *record); /* what the newest record makes us */

/* ---- amend.c: the serving primary changes the record ---- */
void amend_tick(struct unit *x);
void amend_drop(struct unit *x, uint8_t module, const char *cause);
void amend_drive(struct unit *x, int drive, enum drive_state state);
void amend_done(struct unit *x, const struct record *before);
bool amend_may_answer(const struct unit *x);
void amend_lone(struct unit *x);  /* just became lone */
void amend_store(struct unit *x); /* brings the replicated state to the drives */
bool amend_stored(const struct unit *x);
void amend_drives_told(struct unit *x); /* tells the array the record's drive states */

/* ---- suspect.c ---- */
void suspect_tick(struct unit *x);
void suspect_primary(struct unit *x, const char *cause);
void suspect_link_gone(struct unit *x, uint8_t module);
bool suspect_listened(const struct unit *x); /* it was not late itself a moment ago */
bool suspect_hears(const struct unit *x);    /* it is not deaf */
bool suspect_serves(
    const struct unit *x); /* it reaches enough drives, by loop switches that it hears */
bool suspect_allowed(const struct unit *x);     /* both */
uint64_t suspect_wake_ns(const struct unit *x); /* when the next silence will have been too long */

/* ---- signals.c ---- */
void signals_send(struct unit *x);
void signals_receive(struct unit *x, const struct message *message);
uint64_t signals_age(const struct offset *offset, uint64_t now_ns, uint64_t sent_ns);

/* ---- claim.c, takeover.c ---- */
void claim_stop(struct unit *x, const char *cause);
void claim_asked(struct unit *x, const struct message *message);
void claim_promised(struct unit *x, const struct message *message);
void claim_tick(struct unit *x);
void claim_swap(struct unit *x, enum claim_kind kind);
void claim_out(struct unit *x); /* an out unit looks whether it may claim */
void claim_deposed(struct unit *x);
void claim_requested(struct unit *x, uint64_t tag, const char *text);
uint64_t claim_patience_ns(const struct unit *x); /* how long a claim may stand unserved */
void takeover_begin(struct unit *x);              /* our claim stands, or control was given to us */
void takeover_tick(struct unit *x);
void takeover_serve(struct unit *x);               /* `previous` is empty */
void takeover_loaded(struct unit *x, bool failed); /* the state read from the drives */
void takeover_phase(struct unit *x, const char *phase);

/* ---- loops.c ---- */
void loops_link(struct unit *x, int loop, bool up, bool gone);
void loops_login(struct unit *x, const struct message *message);
void loops_fence_begin(struct unit *x);
void loops_fence_answer(struct unit *x, const struct message *message);
bool loops_fenced(struct unit *x);      /* every loop switch that answers */
void loops_login_again(struct unit *x); /* a new incarnation */
void loops_heard(struct unit *x, int loop);
/* Drives of the bank behind loop switches that are not fenced, and undrained ones: FAILED. */
/* The primary says which lives of loop switches it has dealt with: it has failed their drives, and
 * the record says so. A member need not do that again. */
void loops_tell_lives(const struct unit *x, uint64_t lives[LOOP_MAX]);
void loops_learn_lives(struct unit *x, const uint64_t lives[LOOP_MAX]);
void loops_trust(struct unit *x); /* from now on the present lives of the loop switches count */
void loops_mark_absent(struct unit *x, struct record *record);
void loops_tick(struct unit *x);
void loops_notices(struct unit *x);

/* ---- join.c, handover.c, stop.c ---- */
void join_asked(struct unit *x, const struct message *message);
void join_tick(struct unit *x);
void handover_begin(struct unit *x, uint8_t module, const char *cause);
void handover_tick(struct unit *x);
void handover_received(struct unit *x, const struct message *message);
void handover_swapped(struct unit *x);
void stop_begin(struct unit *x);
void stop_tick(struct unit *x);
bool stop_primary_stopped(const struct unit *x); /* in order: nobody need take over from it */
/* Has that member been told to stop? */
bool stop_asked_of(const struct unit *x, uint8_t module);
/* We stop, and that one, which may live, is to have the group: a member, or whoever leads. */
bool stop_gives_way(const struct unit *x, uint8_t module);
/* Is nothing left that was answered because one that leaves held it, and is on no drive? */
bool stop_releases(const struct unit *x);

#endif
