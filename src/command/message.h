/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_COMMAND_MESSAGE_H
#define SEGUE_COMMAND_MESSAGE_H

/* Everything that one part of the array says to another. Machines send and receive these;
 * wire/frame turns each into one Fibre Channel sequence (FC-2 header, information unit, payload)
 * and back. Numbers and times in them are host order here, big-endian on the wire. */

#include "base/buffer.h"
#include "command/names.h"
#include "command/record.h"

enum message_kind {
    MESSAGE_NONE,
    /* interface switch (or manager) <-> units */
    MESSAGE_COMMAND,   /* FCP_CMND and stamp; payload: data out */
    MESSAGE_RESPONSE,  /* FCP_RSP; payload: data in */
    MESSAGE_REFUSE,    /* this copy gets no order, and why */
    MESSAGE_CONFIRM,   /* responses received, cumulative */
    MESSAGE_VIEW,      /* who is primary, who is in sync */
    MESSAGE_DIRECTORY, /* array-wide LUN table; payload: command/directory.h */
    /* between the units of a group */
    MESSAGE_STREAM,  /* entries of the primary's numbered sequence; payload: unit/entry.h */
    MESSAGE_HELD,    /* READY of a secondary: holds the sequence up to here, and the data */
    MESSAGE_FORWARD, /* a command for which no READY came, with its data */
    MESSAGE_FORWARD_ANSWER,
    MESSAGE_FETCH,    /* send me this command and its data */
    MESSAGE_FETCHED,  /* the answer; payload: its data */
    MESSAGE_RELAY,    /* give this response to the switch; payload: data in */
    MESSAGE_STOP,     /* a claimant asks: stop in this epoch and follow me */
    MESSAGE_PROMISE,  /* ... the answer */
    MESSAGE_JOIN,     /* an out unit asks the primary to be taken in */
    MESSAGE_HANDOVER, /* the primary has given control to this unit: read the record */
    /* units <-> loop switches */
    MESSAGE_LOGIN,        /* unit: first message after the link comes up */
    MESSAGE_LOGIN_ACCEPT, /* payload: inventory, struct drive_info[] as command/inventory.h */
    MESSAGE_FENCE,
    MESSAGE_FENCE_ANSWER,
    MESSAGE_ASSIGN, /* this drive belongs to this bank from now on */
    MESSAGE_ASSIGN_ANSWER,
    MESSAGE_DRIVE_COMMAND,  /* FCP_CMND to a drive; payload: data of a write */
    MESSAGE_DRIVE_RESPONSE, /* FCP_RSP of a drive; payload: data of a read */
    /* everybody */
    MESSAGE_SIGNAL, /* availability */
    MESSAGE_KINDS,
};

/* ---- host commands ---- */

enum command_kind {
    COMMAND_SCSI,       /* a CDB */
    COMMAND_TASK,       /* task management; `task` says which, `task_sequence` which command */
    COMMAND_NEXUS_OPEN, /* a host's session begins: payload is its initiator port name */
    COMMAND_NEXUS_LOSS, /* ... has ended */
    COMMAND_WITHDRAW,   /* the command of this id shall not run, if it has no order yet */
    COMMAND_MANAGE,     /* a management change or question; payload: array/manage.h request */
};

enum task_function { /* RFC 7143 11.5.1 */
                     TASK_ABORT_TASK = 1,
                     TASK_ABORT_TASK_SET = 2,
                     TASK_CLEAR_ACA = 3,
                     TASK_CLEAR_TASK_SET = 4,
                     TASK_LOGICAL_UNIT_RESET = 5,
                     TASK_TARGET_WARM_RESET = 6,
                     TASK_TARGET_COLD_RESET = 7,
};

#define VOLUME_NONE ((uint16_t)0xFFFF)
#define NEXUS_NONE 0xFFFFFFFFu

struct command_message {
    struct command_id id;
    uint8_t kind;      /* enum command_kind */
    uint8_t task;      /* enum task_function */
    uint8_t attribute; /* SCSI task attribute: 0 untagged, 1 simple, 2 ordered, 3 head of queue */
    uint8_t cdb[16];
    uint32_t nexus;       /* the sender's number for the host's session */
    uint16_t volume;      /* the group's number of the volume; VOLUME_NONE: none is mapped there */
    uint16_t host;        /* of the session, as the LUN directory has it */
    uint64_t luns;        /* the directory's version that the host must be told of; 0: none */
    uint64_t lun;         /* SAM-5 LUN field, 8 bytes as the host sent them */
    uint32_t data_length; /* expected data transfer length of the host, both directions */
    bool wants_read, wants_write; /* direction flags of the host */
    uint64_t task_sequence;       /* COMMAND_TASK: sequence of the command it is about, 0 none */
    uint64_t first_epoch;         /* epoch of its first sending */
    uint64_t epoch;               /* the group's epoch as the sender knows it now */
    uint64_t age_ns;       /* since the last proof that the host lived, when this copy was sent */
    uint64_t start_age_ns; /* since its last byte left the host: what suspicion counts from */
    uint64_t sent_ns;      /* sender's clock when this copy was sent */
    uint64_t confirmed;    /* cumulative confirmation of this session in this group */
};

struct response_message {
    struct command_id id;
    uint8_t group;
    uint64_t epoch;
    uint8_t status;        /* SAM-5 status */
    uint8_t task_response; /* COMMAND_TASK: RFC 7143 11.6.1 */
    uint8_t sense_length;
    uint8_t sense[SENSE_MAX];
    uint32_t transferred; /* bytes of data that the command moved, for residuals */
    bool withdrawn;       /* it never ran */
    bool descriptors;     /* the volume's sense data is to have descriptor format (D_SENSE) */
};

enum refuse_reason {
    REFUSE_EPOCH,   /* not the epoch of this unit: `epoch` is */
    REFUSE_STALE,   /* too old: prove that the host lives and send again */
    REFUSE_SESSION, /* the sender's session is dead, for good */
    REFUSE_ROLE,    /* this unit serves nothing in the group now */
    REFUSE_FULL,    /* no room: send again later */
};

struct refuse_message {
    struct command_id id;
    uint8_t group;
    uint8_t reason;
    uint64_t epoch;
};

struct confirm_message {
    uint8_t sender;
    uint8_t group;
    uint64_t session;
    uint64_t confirmed;
    bool relayed; /* passed on by a secondary */
};

struct view_message {
    uint8_t group;
    uint64_t epoch;
    bool serving; /* false: a takeover is going on */
    uint64_t cut;
    uint8_t primary;       /* module */
    uint8_t in_sync;       /* bit m: module m's unit */
    uint64_t dead_session; /* of the switch it is sent to: sessions up to this one are dead */
};

struct directory_message {
    uint64_t version;
};

/* ---- between units ---- */

struct stream_message {
    uint8_t group;
    uint64_t epoch;
    struct member primary;
    uint64_t first; /* number of the first entry in the payload */
    uint32_t count;
    uint64_t acked; /* ACK: entries up to here are held by every member */
};

struct held_message {
    uint8_t group;
    uint64_t epoch;
    struct member member;
    uint64_t applied; /* entries received in order */
    uint64_t held;    /* ... and all the data that they name */
};

/* FORWARD carries a whole command; `age_ns` etc. are brought up to date by whoever passes it on. */
struct forward_answer_message {
    struct command_id id;
    uint8_t group;
    uint64_t epoch;
    uint8_t answer; /* 0: has an order now, READY is in the stream; 1: done; 2 + reason: refused */
};

struct fetch_message {
    uint8_t group;
    uint64_t epoch;
    struct command_id id;
};

struct stop_message {
    uint8_t group;
    uint64_t epoch;
    struct member member; /* who asks, or who promises */
    uint64_t applied, held;
    bool promised;
};

struct join_message {
    uint8_t group;
    struct member member;
    uint64_t epoch; /* the epoch it has read in the record */
};

struct handover_message { /* the receiver reads the record, which names it as primary */
    uint8_t group;
    uint64_t epoch;
};

/* ---- drives ---- */

enum { LOGIN_LIFE_SHIFT = 24 };

struct login_message {
    uint8_t group;
    struct member member;
    /* answer: number that every drive command of this login carries. What lies above
     * LOGIN_LIFE_SHIFT is the same for all logins of one life of the loop switch. */
    uint64_t login;
    uint8_t drives; /* answer: inventory entries in the payload */
};

enum fence_result { FENCE_DONE, FENCE_OLD, FENCE_FAILED };

struct fence_message {
    uint8_t bank; /* the group */
    uint64_t epoch;
    struct members allowed;
    uint64_t tag;        /* the asker's */
    uint8_t result;      /* answer: enum fence_result */
    uint64_t held_epoch; /* answer: the fence's epoch now */
    uint32_t undrained;  /* answer: bit s: the drive in slot s did not drain */
};

struct assign_message {
    uint8_t bank;
    uint64_t epoch;
    uint8_t drive; /* number over the array */
    uint64_t tag;
    bool done; /* answer */
};

enum drive_op { DRIVE_READ, DRIVE_WRITE, DRIVE_FILL, DRIVE_FLUSH };

enum drive_status {
    DRIVE_OK,
    DRIVE_MEDIUM_ERROR,  /* the drive cannot read or write there */
    DRIVE_GONE,          /* no such drive, or it has vanished */
    DRIVE_REFUSED_EPOCH, /* fenced: `epoch` of the answer is the fence's */
    DRIVE_REFUSED_LOGIN, /* an earlier login's command */
    DRIVE_BUSY,          /* no room: send again */
    DRIVE_TIMEOUT,       /* set by the asker: no answer in the limit */
};

/* A drive's blocks are bytes here: offsets and lengths are multiples of 512; those of reads and
 * writes with O_DIRECT drives that are not of 4096 cost a read-modify-write in the loop switch. */
struct drive_message {
    uint8_t bank;
    uint8_t drive; /* number over the array */
    uint8_t op;    /* enum drive_op */
    bool fua;      /* write or fill: durable before the answer */
    uint64_t epoch;
    uint64_t login;
    uint64_t tag;    /* the asker's: handle of the command and try */
    uint64_t offset; /* bytes */
    uint32_t length; /* bytes to read, write, fill; a fill's pattern is the payload */
    uint8_t status;  /* answer: enum drive_status */
};

/* ---- availability ---- */

struct signal_message {
    uint8_t group;        /* units: of which group; others 0xFF */
    struct member member; /* units: who; others: incarnation is a random number of the process */
    uint64_t epoch;
    uint64_t now_ns;        /* sender's clock */
    uint64_t echo_ns;       /* the receiver's clock, from the last signal that came from it */
    uint64_t echo_delay_ns; /* between that one's arrival and this sending */
    uint8_t state;          /* enum unit_state; for people and for "signals but ..." */
    uint8_t
        heard_units; /* bit m: hears module m's unit of the group; senders: only of the receiver */
    uint8_t heard_senders;     /* bit s: hears sender s */
    uint32_t drives[LOOP_MAX]; /* bit s: reaches the drive in slot s of the bank */
    uint64_t
        lives[LOOP_MAX]; /* primary: of loop switches: what was lost before is in the record; 0 */
    uint64_t applied, held, acked; /* of the stream */
    uint64_t oldest_order;         /* primary: the oldest command that is not done; 0 none */
    uint64_t progress;             /* primary: grows with everything that it completes */
    uint8_t waiting_drive; /* primary: a drive that the oldest command waits for; 0xFF none */
    uint8_t stopping;      /* units: 1 told to stop in order, 2 it has; 0: neither */
};

struct message {
    uint8_t kind; /* enum message_kind */
    port_id from; /* S_ID */
    port_id to;   /* D_ID; a multicast group's for MESSAGE_COMMAND */
    union {
        struct command_message command;   /* COMMAND, FORWARD, FETCHED */
        struct response_message response; /* RESPONSE, RELAY (to: the unit that relays) */
        struct refuse_message refuse;
        struct confirm_message confirm;
        struct view_message view;
        struct directory_message directory;
        struct stream_message stream;
        struct held_message held;
        struct forward_answer_message forward_answer;
        struct fetch_message fetch;
        struct stop_message stop;
        struct join_message join;
        struct handover_message handover;
        struct login_message login;
        struct fence_message fence;
        struct assign_message assign;
        struct drive_message drive;
        struct signal_message signal;
    };
    struct slice payload;
};

const char *message_name(enum message_kind kind);
const char *drive_status_name(enum drive_status status);
const char *refuse_reason_name(enum refuse_reason reason);

#endif
