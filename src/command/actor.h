/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_COMMAND_ACTOR_H
#define SEGUE_COMMAND_ACTOR_H

/* What goes into a machine and what comes out of it. Every actor (interface switch, array
 * controller unit, loop switch, manager) is a pure state machine:
 *
 *     void x_step(struct x *x, const struct event *event, struct actions *actions);
 *     uint64_t x_wake_ns(const struct x *x);   when it next wants an EVENT_TIME; UINT64_MAX: never
 *
 * One event in, actions out in the order in which the world must carry them out. An EVENT_TIME
 * may come at any time, also too early or much too late; now_ns never goes back. Two worlds drive
 * the machines: io/ with node/ (real) and sim/ (simulated).
 *
 * Ownership of payload: an event's slices are borrowed: a machine that keeps one takes a reference
 * (slice_ref). An action's slice carries a reference that the world drops once it is carried out.
 */

#include <stddef.h>

#include "command/message.h"

enum event_kind {
    EVENT_TIME,
    /* links between parts */
    EVENT_MESSAGE,   /* `message` from another part, in order on its link, at most once */
    EVENT_LINK_UP,   /* `port` can be sent to from now on */
    EVENT_LINK_DOWN, /* what was on its way to or from `port` may be lost; `gone`: its process is
                        known to be dead. May come again with gone = true. */
    /* control register: the answer to the action of the same tag */
    EVENT_REGISTER,
    /* loop switch: completions */
    EVENT_DRIVE,  /* of ACTION_DRIVE, by tag */
    EVENT_STORED, /* of ACTION_STORE, by tag */
    EVENT_TRAY,   /* a drive was put into `tray.slot`, or taken out */
    /* interface switch: a host's TCP connection */
    EVENT_STREAM_OPEN,
    EVENT_STREAM_DATA,
    EVENT_STREAM_SENT,   /* everything given to ACTION_STREAM_SEND so far has left */
    EVENT_STREAM_CLOSED, /* by the host or the network; not after ACTION_STREAM_CLOSE */
    /* life of the part */
    EVENT_STOP,    /* stop in order; ACTION_STOPPED says when */
    EVENT_REQUEST, /* from a person, by the management socket: `request` */
};

enum register_result {
    REGISTER_OK,      /* read: `record` (generation 0: none). swap: it stands */
    REGISTER_LOST,    /* swap: another generation stands; `record` is it */
    REGISTER_UNKNOWN, /* no answer: a swap may or may not stand */
    REGISTER_DAMAGED, /* the newest record cannot be understood */
};

/* A sink says where the next bytes of a stream should land: the rest of a data segment. */
struct sink {
    struct buffer *buffer; /* NULL: nowhere in particular. Borrowed; the world takes a reference */
    uint32_t offset, length;
};

struct event {
    enum event_kind kind;
    uint64_t now_ns;
    union {
        const struct message *message;
        struct {
            port_id port;
            bool gone;
        } link;
        struct {
            uint64_t tag;
            enum register_result result;
            const struct record *record;
            /* ACTION_REGISTER_READ: living[i]: member i of in_sync, then of previous, still has its
             * liveness entry (true also where that cannot be told). */
            bool living_in_sync[2 * MODULE_MAX], living_previous[2 * MODULE_MAX];
        } reg;
        struct {
            uint64_t tag;
            enum drive_status status;
            struct slice data; /* of a read */
        } drive;
        struct {
            uint64_t tag;
            bool ok;
        } stored;
        struct {
            uint8_t slot;
            bool online; /* false: the slot is empty; the rest is of no account */
            uint64_t bytes;
            uint32_t block_bytes;
            uint8_t content; /* enum drive_content */
            const char *serial;
        } tray;
        struct {
            uint32_t stream;          /* the world's handle, unique over the process's life */
            uint8_t portal;           /* index of the portal it came in by */
            const char *local, *peer; /* OPEN: "address:port", IPv6 in brackets */
            uint8_t random[48];       /* OPEN: for challenges and identities; zero: no chance */
            uint32_t sunk;            /* DATA: so many bytes went into the sink first, then */
            const uint8_t *bytes;     /* DATA: these. The machine takes all of them */
            uint32_t length;
            bool late; /* DATA: the world cannot say that they arrived just now (see PROTOCOL) */
        } stream;
        struct {
            uint64_t tag;
            const char *text; /* verb and arguments, see the machine's header */
        } request;
    };
};

enum action_kind {
    ACTION_SEND, /* `message` to message.to (one port, never a group) */
    /* control register */
    ACTION_REGISTER_READ, /* reg.group */
    ACTION_REGISTER_SWAP, /* reg.record replaces the one of generation reg.record.generation - 1 */
    ACTION_REGISTER_LIVE, /* reg.member of reg.group lives from now on, its earlier life ends: no
                             answer, but carried out before any later register action */
    /* loop switch */
    ACTION_DRIVE, /* op on a local drive; answered by EVENT_DRIVE */
    ACTION_STORE, /* replace the part's durable state by these bytes; answered by EVENT_STORED */
    /* interface switch */
    ACTION_STREAM_SEND,  /* head bytes, then payload */
    ACTION_STREAM_CLOSE, /* after what was given to send has left, or at once */
    ACTION_STREAM_PAUSE, /* read nothing more from it for now */
    ACTION_STREAM_RESUME,
    /* people */
    ACTION_EVENT,   /* something that people and drills want to know: `notice` */
    ACTION_REPLY,   /* to EVENT_REQUEST, by tag: text */
    ACTION_STOPPED, /* everything is in order: the process may end */
};

enum { STREAM_HEAD_MAX = 512, NOTICE_BYTES = 256 };

struct action {
    enum action_kind kind;
    union {
        struct message message;
        struct {
            uint64_t tag;
            uint8_t group;
            struct member member;
            struct record record;
        } reg;
        struct {
            uint64_t tag;
            uint8_t slot;
            uint8_t op; /* enum drive_op */
            bool fua;
            uint64_t offset;
            uint32_t length;
            struct slice data; /* write: the data; fill: the pattern, 512 or 4096
                                  bytes; none: zeroes */
        } drive;
        struct {
            uint64_t tag;
            uint32_t length;
            uint8_t bytes[512];
        } store;
        struct {
            uint32_t stream;
            bool at_once; /* CLOSE: without waiting for what is still to be sent */
            uint16_t head_length;
            uint8_t head[STREAM_HEAD_MAX];
            struct slice payload;
            uint8_t pad; /* zero bytes to send after the payload, 0..3 */
        } stream;
        struct {
            uint64_t tag;            /* REPLY */
            char text[NOTICE_BYTES]; /* EVENT: "takeover group=g1 phase=claim epoch=4 ms=2.9" */
        } notice;
    };
};

enum { ACTIONS_MAX = 8192 };

/* The list that a step fills. The world empties it (count = 0) after carrying it out. */
struct actions {
    uint32_t count;
    struct action *at; /* ACTIONS_MAX of them */
};

struct actions *actions_new(void); /* NULL: no memory */
void actions_free(struct actions *actions);
/* The next free action of that kind, its other fields zero. must() on overflow: a machine that has
 * more to say says it in a later step (wake_ns = now). */
struct action *actions_add(struct actions *actions, enum action_kind kind);
static inline uint32_t actions_room(const struct actions *actions)
{
    return ACTIONS_MAX - actions->count;
}
/* ACTION_SEND with `kind`, `from` and `to` set: fill in the rest. */
struct message *actions_send(struct actions *actions, enum message_kind kind, port_id from,
                             port_id to);
/* ACTION_EVENT: one line "what key=value key=value". */
void actions_notice(struct actions *actions, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
