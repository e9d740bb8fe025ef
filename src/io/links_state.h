/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_LINKS_STATE_H
#define SEGUE_IO_LINKS_STATE_H

/* What links.c and link_life.c share. */

#include "io/hello.h"
#include "io/link_receive.h"
#include "io/links.h"

enum { LINK_GREETING_MAX = 16, LINK_EVENTS_MAX = 16 * LINK_PROCESS_MAX };

enum link_state {
    LINK_STATE_DOWN,
    LINK_STATE_CONNECTING, /* ours to begin; the stream's connect is under way */
    LINK_STATE_PROBING,    /* a connect that only asks whether the process lives is under way */
    LINK_STATE_GREETING,   /* our hello is sent; theirs has not come yet */
    LINK_STATE_UP,
};

struct link {
    enum link_state state;
    uint8_t process;
    bool used; /* another process, with an address */
    struct address address;
    uint32_t stream;
    struct link_receive receive;
    uint8_t hello[HELLO_BYTES];
    uint32_t hello_have;
    bool parsing; /* received bytes are still to be looked at */
    /* the life of the peer that we were last linked with */
    uint64_t incarnation; /* 0: none so far */
    bool gone_told;
    int pidfd;      /* -1: it cannot be had */
    uint32_t watch; /* counts pidfds, to tell their completions apart */
    bool exited;
    /* times */
    uint64_t up_ns, retry_ns, retry_delay_ns, deadline_ns, silence_check_ns;
    uint64_t said_ns; /* when a reason was last logged: not said again at each try */
    enum link_cut cut;
    uint64_t cut_until_ns; /* 0: it is not cut */
    struct link_status status;
};

/* An accepted connection that has not said yet who it is. */
struct link_greeting {
    uint32_t stream; /* STREAM_NONE: free */
    uint8_t hello[HELLO_BYTES];
    uint32_t have;
    uint64_t deadline_ns;
};

struct link_note {
    enum link_event_kind kind;
    uint8_t process;
    bool gone;
};

struct links {
    struct links_config config;
    struct streams *streams;
    struct ring *ring;
    struct buffer_pool *buffers;
    struct trace *trace;
    uint64_t now_ns, said_ns;
    struct link at[LINK_PROCESS_MAX];
    struct link_greeting greeting[LINK_GREETING_MAX];
    struct link_note note[LINK_EVENTS_MAX];
    uint32_t note_first, note_count;
    int8_t process_of[5][8][4]; /* by port kind, index, sub + 1 */
};

/* The link has ended: tells it, closes the stream, plans the next try. `reason` NULL: the stream
 * was closed by the other side. */
void link_life_end(struct links *links, struct link *link, const char *reason);
void link_life_greeting_bytes(struct links *links, struct link *link, const uint8_t *bytes,
                              uint32_t length);
void link_life_accepted(struct links *links, uint32_t stream);
bool link_life_accepted_bytes(struct links *links, const struct stream_event *event);
void link_life_connected(struct links *links, struct link *link);
void link_life_refused(struct links *links, struct link *link, int error);
void link_life_exited(struct links *links, struct link *link);
void link_life_tick(struct links *links, struct link *link);
/* Of a cut link that still looks whole: what is sent, what comes, is lost. */
bool link_loses_sent(const struct link *link);
bool link_loses_received(const struct link *link);
void link_cut_tick(struct links *links, struct link *link);

#endif
