/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ISWITCH_ISWITCH_STATE_H
#define SEGUE_ISWITCH_ISWITCH_STATE_H

/* What an interface switch holds, for the files of its iSCSI front end alone. iswitch.c says how
 * they work together. */

#include "base/list.h"
#include "base/mutant.h"
#include "command/directory.h"
#include "iswitch/authentication.h"
#include "iswitch/iswitch.h"
#include "iswitch/keys.h"
#include "wire/iscsi.h"

enum {
    TASK_WINDOW = 128, /* commands that a session may have under way: its CmdSN window */
    TASK_SPARE = 32,   /* ... and immediate ones, task management and its parts */
    TASKS = TASK_WINDOW + TASK_SPARE,
    ITT_BUCKETS = 64,
    R2T_MAX = 4,  /* outstanding for one command */
    PING_MAX = 8, /* whose answers we still know */
    STREAM_HOLD_BYTES = 2 * STREAM_STAGE_MAX,
    LITTLE_BYTES = 64 << 10, /* data of a command that nobody has to wait for */
    BULK_BYTES =
        16 << 20, /* of larger ones that a group has at once: what a little one waits for */
    UNSENT_BYTES = 32 << 20, /* given to a stream since it last was empty: then no more answers; */
    UNSENT_PDUS = 4096,      /* ... of twice as much we read no more either */
    ACTIONS_KEPT = 4096,     /* of the world's list, for the sender and whatever ends sessions */
    LOGIN_ROUNDS_MAX = 64,
    NEXUS_LOSS_TRIES = 3,   /* then the nexus is taken as lost */
    NEXUS_OPEN_TRIES = 200, /* then the host is sent away */
};

#define LOGIN_LIMIT_NS MS(10000) /* from the connection's opening to full feature */
#define DATA_LIMIT_NS MS(30000)  /* a command's data makes no progress */
#define LOGOUT_LIMIT_NS MS(1000) /* stopping: hosts have this long to log out */
#define STOP_LIMIT_NS MS(2000)   /* stopping: then we go, whatever is left */
#define DRAIN_LIMIT_NS MS(5000)  /* draining: hosts have this long to log out */
#define AWAY_LIMIT_NS MS(5000)   /* a group serves nobody: then its hosts are told BUSY */
#define PING_GAP_NS MS(10)       /* between two pings of one host */

struct session;
struct connection;

/* ---- a host's command or task management request ---- */

enum task_state {
    TASK_STATE_FREE,
    TASK_STATE_EARLY, /* its CmdSN is ahead of the one that is due */
    TASK_STATE_ADMIT, /* waits for payload memory */
    TASK_STATE_DATA,  /* waits for data from the host */
    TASK_STATE_PROOF, /* was read after a delay, or waited long: the host must show that it lives */
    TASK_STATE_NEXUS, /* waits until its group knows the nexus, or for the directory */
    TASK_STATE_READY, /* waits for the sender's window */
    TASK_STATE_SENT,  /* with the sender: a response will come */
    TASK_STATE_PARTS, /* task management: its parts are with the groups */
    TASK_STATE_HELD,  /* a task management function ends it, if its group agrees */
    TASK_STATE_RESPOND, /* its response is being given to the host */
    TASK_STATES,
};

struct r2t {
    uint32_t ttt; /* ISCSI_TAG_NONE: no such R2T */
    uint32_t offset, length, received;
    uint32_t data_sn; /* the next one */
    uint64_t sent_ns;
};

struct task {
    struct list link;       /* in the list of its state */
    struct list in_session; /* all of the session, oldest first */
    struct list by_itt;
    struct iswitch *iswitch;
    struct session *session;
    uint16_t index;
    uint32_t generation; /* grows with each use of this place */
    enum task_state state;
    uint8_t kind;     /* COMMAND_SCSI or COMMAND_TASK */
    bool immediate;   /* outside the CmdSN window */
    bool part;        /* of `parent`; unknown to the host */
    bool bulk;        /* READY: it waits among the large ones */
    bool silent;      /* the host gets no response */
    bool refused;     /* answered by ourselves as soon as it is due */
    bool kept;        /* EARLY: a request other than a SCSI command, in `header` and `buffer` */
    bool proved;      /* begun_ns is the time of a ping that was answered */
    uint8_t flags;    /* byte 1 of the SCSI Command */
    uint8_t function; /* enum task_function */
    uint8_t group;
    uint16_t volume;
    uint8_t cdb[16];
    uint8_t header[ISCSI_BHS_BYTES]; /* of one that is kept */
    uint64_t lun;
    uint32_t itt, cmd_sn, expected_length;
    uint64_t begun_ns; /* its last byte came */
    uint64_t came_ns;  /* proved: what begun_ns was */
    uint64_t moved_ns; /* its data last made progress */
    uint64_t sequence; /* of the sender */
    uint64_t task_sequence;
    uint64_t luns; /* news of its LUNs that the host may be told in the answer: X1 in access.c */
    /* data out */
    struct buffer *buffer;
    uint32_t charged; /* payload that it is counted with */
    uint32_t flight;  /* SENT: of the large ones' bytes that its group has */
    uint32_t data_length, received;
    bool unsolicited; /* the host still sends data that nobody asked for */
    bool damaged;     /* a part of it came with a wrong digest */
    uint32_t unsolicited_sn;
    uint32_t solicited; /* up to here asked for, or come unasked */
    uint32_t r2t_sn;
    struct r2t r2t[R2T_MAX];
    /* the answer */
    uint8_t status;
    uint8_t task_response; /* enum iscsi_task_result */
    uint8_t sense_length;
    uint8_t sense[SENSE_MAX];
    uint32_t transferred;
    struct slice payload; /* data in */
    uint32_t answered;    /* bytes of it that have been given to the host */
    uint32_t data_sn;
    /* task management */
    struct task *parent; /* of a part */
    uint8_t parts;       /* that have not answered */
    uint32_t next_lun;   /* target reset of a host: where it goes on */
    uint32_t victim_itt; /* ABORT TASK: its task, which was with a group; else 0 */
    bool overtaken;      /* ABORT TASK: its task completed meanwhile */
    bool ended;          /* a request ends it: withdrawn, held, or to be held when it is due */
    bool told;           /* ... which the host gets though it was aborted */
};

/* ---- a session: one I_T nexus ---- */

enum session_state {
    SESSION_STATE_FREE,
    SESSION_STATE_LIVE,
    SESSION_STATE_ENDING, /* no host any more: until its commands are over and its nexuses lost */
    SESSION_STATES,
};

enum nexus_state {
    NEXUS_STATE_CLOSED,
    NEXUS_STATE_OPENING, /* COMMAND_NEXUS_OPEN is with the sender */
    NEXUS_STATE_OPEN,
    NEXUS_STATE_LOSING, /* COMMAND_NEXUS_LOSS is */
};

/* The session's nexus with one group. */
struct nexus {
    enum nexus_state state;
    uint32_t sent;       /* tasks of it in TASK_STATE_SENT */
    uint32_t bulk;       /* ... in TASK_STATE_READY, among the large ones */
    bool unsure;         /* CLOSED: an opening or a loss was refused, so the group may know it */
    uint32_t tries;      /* refused openings or losses, one after the other */
    uint64_t again_ns;   /* not before */
    struct list waiting; /* tasks in TASK_STATE_NEXUS */
};

struct session {
    struct list link;       /* among the sessions in use, or the free ones */
    struct list busy;       /* among those that have something to tell a group */
    struct list responding; /* among those that have answers for their hosts */
    struct list admitting;  /* among those that have tasks in ADMIT */
    uint16_t index;
    uint32_t generation;
    enum session_state state;
    struct connection *connection; /* NULL: ending */
    char initiator[TARGET_NAME_BYTES];
    uint8_t isid[6];
    uint16_t tsih;
    uint32_t nexus;
    uint16_t host;       /* of the LUN directory */
    uint64_t luns, told; /* access.c X1 */
    struct nexus at[GROUP_MAX];
    uint32_t window_used, spare_used;
    uint32_t early_used; /* of the window, by tasks whose turn has not come */
    struct list tasks;   /* in_session */
    struct list early, admit, data, proof, respond,
        elsewhere; /* of those states; SENT, PARTS, HELD */
    struct list itt[ITT_BUCKETS];
    struct list free;
    uint64_t payload_bytes;
    uint64_t reads, writes, read_bytes, written_bytes;
    struct task task[TASKS];
};

/* ---- a connection: one TCP stream ---- */

enum connection_state {
    CONNECTION_STATE_FREE,
    CONNECTION_STATE_LOGIN,
    CONNECTION_STATE_WAITING, /* login is complete but for the end of the host's earlier sessions */
    CONNECTION_STATE_FULL,    /* full feature phase */
    CONNECTION_STATE_LOGOUT,  /* a logout waits for the end of the session */
    CONNECTION_STATE_CLOSED,  /* until the end of the step */
    CONNECTION_STATES,
};

enum receive_phase {
    RECEIVE_PHASE_HEADER,
    RECEIVE_PHASE_BEGIN, /* the header is complete and not yet taken */
    RECEIVE_PHASE_DATA,
    RECEIVE_PHASE_TAIL, /* padding and data digest */
};

enum receive_place { RECEIVE_PLACE_NOWHERE, RECEIVE_PLACE_TEXT, RECEIVE_PLACE_BUFFER };

/* The PDU that is being received. */
struct receive {
    enum receive_phase phase;
    uint32_t have, want; /* bytes of header, then of tail */
    uint8_t header[ISCSI_HEADER_MAX];
    uint8_t tail[3 + ISCSI_DIGEST_BYTES];
    uint32_t data_length, data_have;
    uint32_t digest;
    enum receive_place place;
    struct buffer *buffer; /* with a reference of its own: its command may end meanwhile */
    uint32_t offset;
    bool act;                 /* the PDU counts; false: it is only skipped */
    bool damaged;             /* its data digest is wrong */
    bool keep;                /* it came before its turn: early.c */
    bool replayed;            /* it was kept, its data is in ... */
    struct buffer *replay;    /* ... */
    uint64_t begun_ns;        /* ... and its last byte came then */
    struct task *task;        /* that it belongs to, if it still is ... */
    uint32_t task_generation; /* ... this one */
};

struct ping {
    uint32_t ttt;
    uint64_t sent_ns;
    bool waiting;
};

struct connection {
    struct list link;    /* among the open ones, or the free ones */
    struct list bucket;  /* by stream */
    struct list stalled; /* among those whose next PDU waits for room */
    uint32_t stream;
    enum connection_state state;
    char local[PORTAL_BYTES], peer[PORTAL_BYTES];
    uint64_t opened_ns, heard_ns;
    struct receive receive;
    uint8_t *hold; /* bytes that came while it was stalled: STREAM_HOLD_BYTES */
    uint32_t hold_length;
    uint64_t hold_ns;
    uint64_t arrival_ns; /* of the bytes that are being parsed */
    bool paused;         /* the world reads no more of it, since ... */
    uint64_t paused_ns, resumed_ns;
    uint64_t unsent_bytes; /* given to the stream since it last was empty */
    uint32_t unsent_pdus;
    uint64_t full_ns; /* since when that is more than it may be; 0: it is not */
    /* login and text */
    uint8_t stage, rounds;
    bool login_begun, declared, security_done;
    uint64_t keys_seen;
    struct parameters parameters;
    struct authentication authentication;
    uint8_t isid[6];
    uint16_t tsih, cid;
    uint32_t login_itt;
    uint8_t login_flags;
    bool discovery;
    uint32_t text_length; /* of an unfinished text */
    uint8_t text[TEXT_BYTES + 1];
    struct text_out out; /* its answer ... */
    uint32_t out_given;  /* ... and how much of it has been given */
    uint32_t text_ttt;   /* ISCSI_TAG_NONE: no answer is unfinished */
    /* full feature */
    struct session *session; /* NULL: discovery */
    uint32_t stat_sn, exp_cmd_sn;
    uint32_t logout_itt;
    /* does the host live? */
    bool
        doubted; /* nothing that is read goes to a group before a ping since doubt_ns is answered */
    uint64_t doubt_ns;
    uint64_t doubted_ns; /* when that began */
    uint64_t proof_ns;   /* the newest ping or R2T that was answered was sent then */
    uint64_t prove_ns;   /* the sender asked for a ping since then; 0: it did not */
    uint32_t last_ttt;
    struct ping ping[PING_MAX]; /* by ttt % PING_MAX */
};

/* ---- the switch ---- */

struct iswitch {
    struct iswitch_config config;
    struct buffer_pool *buffers;
    struct trace *trace;
    struct sender *sender;
    struct actions *actions; /* of the step under way */
    uint64_t now_ns;
    uint64_t promised_ns; /* the last step wanted to be woken then */
    uint64_t tick_ns;
    uint64_t sender_session;
    uint32_t last_nexus;
    uint16_t last_tsih;
    bool again;      /* something was freed: look once more at what waits */
    bool more;       /* there was no room in the action list */
    bool cold_reset; /* a host asked that all connections be dropped: its own, if there are hosts */
    uint16_t cold_host;
    bool stopping, stopped;
    uint64_t stop_ns;
    bool drained; /* hosts are sent to other switches, since ... */
    uint64_t drain_ns;
    uint32_t redirects;
    uint64_t served_ns[GROUP_MAX]; /* when the group last was known to serve */
    bool away[GROUP_MAX];          /* that is long ago */
    uint64_t listens_ns;           /* since then that is looked at without a pause */
    uint64_t away_tick_ns;         /* when that was looked at last */
    uint8_t descriptors[GROUP_MAX][VOLUME_MAX / 8]; /* bit: the volume has D_SENSE */
    uint64_t payload_bytes, commands;
    uint8_t metered[GROUP_MAX][VOLUME_MAX / 8]; /* bit: the volume has been used */
    struct meter *meter;                        /* of each volume of each group */
    uint64_t unsent_bytes;                      /* of all connections */
    uint8_t *hold;                              /* of all connections */
    struct connection *connection;
    struct list connections, free_connections, stalled;
    struct list *bucket;
    uint32_t buckets; /* a power of two */
    struct session *session;
    uint32_t sessions_max;
    struct list sessions, free_sessions, busy, responding;
    struct list admit;            /* sessions that have tasks of that state, in turn */
    struct list ready[GROUP_MAX]; /* tasks of that state, oldest first */
    struct list bulk[GROUP_MAX];  /* ... the large ones, and what their sessions sent after them */
    uint64_t flight_bytes[GROUP_MAX]; /* of large ones in TASK_STATE_SENT */
    bool directory_known;
    uint8_t directory_at;
    struct directory directory[2]; /* one is in use, the other takes the next version */
};

static inline uint64_t iswitch_stale_ns(const struct iswitch *x)
{
    return x->config.sender.limits.stale_ns;
}
static inline bool iswitch_has_room(const struct iswitch *x)
{
    return actions_room(x->actions) > ACTIONS_KEPT;
}

/* ---- connection.c ---- */

struct connection *connection_find(const struct iswitch *x, uint32_t stream);
void connection_open(struct iswitch *x, const struct event *event);
void connection_become(struct iswitch *x, struct connection *c, enum connection_state state);
/* Ends it, and its session with it. The reason is for people. */
void connection_close(struct iswitch *x, struct connection *c, const char *reason);
/* ... after everything given to it has left. */
void connection_finish(struct iswitch *x, struct connection *c, const char *reason);
/* ... by itself. */
void connection_gone(struct iswitch *x, struct connection *c);
/* At the end of a step: closed ones become free. */
void connection_reap(struct iswitch *x, struct connection *c);
static inline bool connection_is_open(const struct connection *c)
{
    return c->state != CONNECTION_STATE_CLOSED;
}

enum stat { STAT_NONE, STAT_SHOWN, STAT_TAKEN }; /* a response's StatSN: zero, the next, used up */
/* Sends a PDU: `header` is an iscsi_response of 48 bytes, completed with lengths, serial numbers
 * and digests; its data segment is copied. */
void connection_send(struct iswitch *x, struct connection *c, void *header, enum stat stat,
                     const uint8_t *data, uint32_t length);
/* The same with data by reference (a reference is taken). */
void connection_send_slice(struct iswitch *x, struct connection *c, void *header, enum stat stat,
                           struct slice data);
void connection_reject(struct iswitch *x, struct connection *c, enum iscsi_reject_reason reason);
uint32_t connection_max_cmd_sn(const struct connection *c);

/* Does so much lie unsent, times `times` what is good? */
bool connection_is_full(const struct connection *c, uint32_t times);
/* All of it has left. */
void connection_sent(struct iswitch *x, struct connection *c);

/* ---- receive.c ---- */

/* The event's bytes, all of them. */
void receive_event(struct iswitch *x, struct connection *c, const struct event *event);
/* A stalled connection goes on, if what it waited for is there now. */
void receive_retry(struct iswitch *x, struct connection *c);
void receive_into_text(struct connection *c);
void receive_into_buffer(struct connection *c, struct buffer *buffer, uint32_t offset);
void receive_for_task(struct connection *c, struct task *task);
/* The task of the PDU under way, or NULL when it has ended meanwhile. */
struct task *receive_task(const struct connection *c);
void receive_clear(struct connection *c);
static inline const struct iscsi_request *receive_request(const struct connection *c)
{
    return (const struct iscsi_request *)(const void *)c->receive.header;
}
static inline bool receive_immediate(const struct connection *c)
{
    return c->receive.header[0] & ISCSI_IMMEDIATE;
}

/* ---- pdu.c ---- */

enum verdict {
    VERDICT_TAKE,  /* receive it, then pdu_end */
    VERDICT_SKIP,  /* receive it and forget it */
    VERDICT_STALL, /* not now: try again later */
};
enum verdict pdu_begin(struct iswitch *x, struct connection *c);
void pdu_end(struct iswitch *x, struct connection *c);
/* The PDU has come with a wrong data digest: it is rejected, and what it belongs to goes on, or
 * ends, without it (RFC 7143 7.8). */
void pdu_damaged(struct iswitch *x, struct connection *c);
/* A request other than a SCSI command counts now: the next CmdSN is due. */
void pdu_advance(struct iswitch *x, struct connection *c);

/* ---- early.c ---- */

/* Is it not this request's turn? Then: keeps it until it is; its last byte has come. */
bool early_is(const struct connection *c);
enum verdict early_begin(struct iswitch *x, struct connection *c);
void early_end(struct connection *c);
/* Between two PDUs: a kept request that is due becomes the one under way. False: there is none. */
bool early_replay(struct iswitch *x, struct connection *c);

/* ---- login.c, text.c, nop.c, logout.c ---- */

enum verdict login_begin(struct iswitch *x, struct connection *c);
void login_end(struct iswitch *x, struct connection *c);
/* Answers with that status, and ends the connection. */
void login_refuse(struct iswitch *x, struct connection *c, enum iscsi_login_status status);
/* A connection that is WAITING: are the host's earlier sessions over? */
void login_retry(struct iswitch *x, struct connection *c);

enum verdict text_begin(struct iswitch *x, struct connection *c);
void text_end(struct iswitch *x, struct connection *c);
/* "0.0.0.0:port" or "[::]:port". */
bool text_portal_is_wildcard(const char *address);

enum verdict nop_begin(struct iswitch *x, struct connection *c);
void nop_end(struct iswitch *x, struct connection *c);
/* From now on the host must answer a ping sent at `since_ns` or later before what is read counts.
 */
/* What the host has just sent answers what it was sent then: it lived, and waited for this switch.
 */
void nop_proved(struct iswitch *x, struct connection *c, uint64_t sent_ns);
void nop_doubt(struct iswitch *x, struct connection *c, uint64_t since_ns);
/* Pings that are due; drops hosts that do not answer. Each tick. */
void nop_tick(struct iswitch *x, struct connection *c);
/* The sender wants proof that the host lives. */
void nop_prove(struct iswitch *x, struct connection *c);

enum verdict logout_begin(struct iswitch *x, struct connection *c);
void logout_end(struct iswitch *x, struct connection *c);
/* The session of a connection in LOGOUT is over. */
void logout_answer(struct iswitch *x, struct connection *c);
/* Asks the host to log out in so many seconds: the switch stops, or is drained. */
void logout_ask(struct iswitch *x, struct connection *c, uint16_t seconds);

/* ---- drain.c ---- */

/* "drain" or "resume", from a person. */
void drain_request(struct iswitch *x, const struct event *event);
/* Each tick. */
void drain_tick(struct iswitch *x);
/* A portal of another switch; each time the next one. NULL: there is none. */
const char *drain_elsewhere(struct iswitch *x);

/* ---- session.c ---- */

/* NULL: there are too many. */
struct session *session_new(struct iswitch *x, struct connection *c);
/* The host has gone: withdraws its commands, and loses its nexuses once they are over. */
void session_end(struct iswitch *x, struct session *session);
/* The sender's session is dead: nothing of it is under way any more. */
void session_forget(struct iswitch *x, struct session *session);
/* Opens, or closes, the nexuses that are to be. */
void session_progress(struct iswitch *x, struct session *session);
void session_busy(struct iswitch *x, struct session *session);
/* The answer to an opening or a loss. */
void session_nexus_answer(struct iswitch *x, struct session *session, uint8_t group, bool good);
/* That group may have forgotten every nexus: each is opened anew before it is used again. */
void session_nexus_cut(struct iswitch *x, uint8_t group);
/* One that stands in the way of a login of this host, or NULL. `live`: one that goes on. */
struct session *session_rival(struct iswitch *x, const char *initiator, const uint8_t isid[6],
                              bool *live);
enum { COOKIE_NEXUS = 0xFF00 }; /* in place of a task's index: + group */
static inline uint64_t session_cookie(uint16_t session, uint16_t index, uint32_t generation)
{
    return (uint64_t)session << 48 | (uint64_t)index << 32 | generation;
}

/* ---- away.c ---- */

/* Has the group served nobody for so long that hosts are told? */
bool away(const struct iswitch *x, uint8_t g);
/* Each tick. */
void away_tick(struct iswitch *x);

/* ---- sense.c ---- */

/* Every response of a group, for the format that its volume's sense has. */
void sense_note(struct iswitch *x, const struct task *task,
                const struct response_message *response);
/* Sense of our own, into the task. */
void sense_make(const struct iswitch *x, struct task *task, uint8_t key, uint8_t asc, uint8_t ascq);
/* The sense of the task, if somebody has made it in fixed format who does not know better. */
void sense_form(const struct iswitch *x, struct task *task);

/* ---- access.c ---- */

/* The host that has this initiator; NULL: none, or the directory is not known. */
const struct directory_host *access_host(const struct iswitch *x, const char *initiator);
/* There are hosts, and the initiator is none of them. */
bool access_forbids(const struct iswitch *x, const char *initiator);
/* What the session finds at a LUN; NULL: nothing. */
const struct directory_entry *access_find(const struct iswitch *x, const struct session *session,
                                          uint64_t lun);
/* The session's first LUN from that number on; NULL: there is none. */
const struct directory_entry *access_next(const struct iswitch *x, const struct session *session,
                                          uint32_t lun);
void access_begin(const struct iswitch *x, struct session *session);
/* The directory has changed; `old`: NULL if none was known. */
void access_changed(struct iswitch *x, const struct directory *old);
/* What the session's next command carries as `luns`. */
uint64_t access_news(const struct session *session);
/* Whether the answer told the host. */
void access_answered(struct task *task, const struct response_message *response,
                     struct slice payload);

/* ---- task.c ---- */

const char *task_state_name(enum task_state state);
/* The only assignment to task->state: moves it to the list of the new one. */
void task_become(struct task *task, enum task_state state);
/* NULL: there is no place. `spare`: outside the CmdSN window. */
struct task *task_new(struct iswitch *x, struct session *session, bool spare);
void task_free(struct iswitch *x, struct task *task);
struct task *task_find(struct session *session, uint32_t itt);
void task_set_itt(struct task *task, uint32_t itt);
/* May so much payload of this session be under way beside what is: its fair share? And: counts it.
 */
bool task_may_charge(const struct iswitch *x, const struct session *session, uint32_t bytes);
void task_charge(struct iswitch *x, struct task *task, uint32_t bytes);
/* It goes no further, and needs its data no more: until its request is decided. */
void task_hold(struct iswitch *x, struct task *task);
/* All its data is here, as of begun_ns: on to its group, or to what it must wait for first. */
void task_route(struct iswitch *x, struct task *task);
/* Tasks that wait go on as far as they can. */
void task_admit(struct iswitch *x);
void task_submit(struct iswitch *x);
/* The host is proved to have lived at since_ns. */
void task_proved(struct iswitch *x, struct session *session, uint64_t since_ns);
/* The nexus of that group is open, or the directory is known. */
void task_nexus_open(struct iswitch *x, struct session *session, uint8_t group);
/* The sender's answer. */
void task_answered(struct iswitch *x, struct task *task, const struct response_message *response,
                   struct slice payload);

/* ---- command.c: SCSI Command; data.c: Data-Out and R2T ---- */

enum verdict command_begin(struct iswitch *x, struct connection *c);
void command_end(struct iswitch *x, struct connection *c);
void command_damaged(struct iswitch *x, struct connection *c);
/* Is the command with that CmdSN here, ahead of its turn? */
bool command_early(const struct session *session, uint32_t cmd_sn);
/* Something of this host holds payload and waits for what may lie behind the PDU under way. */
bool command_others_wait(const struct session *session);
/* Early commands that are due now. */
void command_due(struct iswitch *x, struct connection *c);
/* CHECK CONDITION, ABORTED COMMAND (RFC 7143 11.4.7.2) from ourselves. */
void command_fail(struct iswitch *x, struct task *task, uint8_t asc, uint8_t ascq);
void command_refuse(struct iswitch *x, struct task *task, uint8_t status);

enum verdict data_begin(struct iswitch *x, struct connection *c);
void data_end(struct iswitch *x, struct connection *c);
void data_damaged(struct iswitch *x, struct connection *c);
/* A task with a buffer: asks for what has not come, or goes on if all has. */
void data_expect(struct iswitch *x, struct task *task);

/* ---- response.c: Data-In, SCSI Response, task management response ---- */

void response_queue(struct iswitch *x, struct task *task);
/* Gives the hosts what there is room for. */
void response_run(struct iswitch *x);
/* A stream has become empty. */
void response_go_on(struct iswitch *x, struct connection *c);

/* ---- management.c: task management ---- */

enum verdict management_begin(struct iswitch *x, struct connection *c);
void management_end(struct iswitch *x, struct connection *c);
/* A part has its answer. */
void management_part(struct iswitch *x, struct task *part, uint8_t result);
/* A task has its answer: does the host get it? */
bool management_delivers(const struct task *task, bool aborted);
/* A task that a request is ending was answered: what waited for that is answered now. */
void management_answered(struct iswitch *x, struct session *session, uint32_t itt, bool delivered);
/* A task is about to be free: whoever knows it forgets it. */
void management_over(struct task *task);

#endif
