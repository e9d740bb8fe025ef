/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_STREAMS_H
#define SEGUE_IO_STREAMS_H

/* Stream sockets, TCP and Unix: listening, connecting, receiving into a sink and staging bytes,
 * sending from a bounded queue. A stream is named by a handle that no other stream of this process
 * ever has. Nothing here blocks: requests go to the ring, and what came of them is taken with
 * streams_complete(). */

#include "command/actor.h"
#include "io/address.h"
#include "io/ring.h"

struct streams;

enum stream_use { STREAM_USE_HOST, STREAM_USE_LINK, STREAM_USE_CONTROL };

enum { STREAM_NONE = 0, STREAM_MAX = 512, STREAM_STAGING_BYTES = 64 << 10 };

enum stream_event_kind {
    STREAM_EVENT_OPEN,   /* accepted or connected; streams_receive() begins reading */
    STREAM_EVENT_FAILED, /* a connect: `error`; the stream is no more */
    STREAM_EVENT_DATA,   /* `sunk` bytes are in the sink, `length` more at `bytes`; nothing more is
                            read before the next streams_receive() */
    STREAM_EVENT_SENT,   /* of hosts' streams only: the queue has become empty */
    STREAM_EVENT_CLOSED, /* by the other side (error 0) or the network; the stream is no more */
};

struct stream_event {
    enum stream_event_kind kind;
    enum stream_use use;
    uint32_t owner; /* as given to streams_listen or streams_connect */
    uint32_t stream;
    bool accepted; /* OPEN: the other side came to us */
    const uint8_t *bytes;
    uint32_t length, sunk;
    bool late; /* DATA: these bytes may have lain in the socket for a while */
    int error;
    const char *local, *peer; /* OPEN: addresses as text */
};

/* Bytes of hosts that lay in a socket for longer than `late_ns` are told as late. */
struct streams *streams_new(struct ring *ring, uint64_t late_ns);
void streams_free(struct streams *streams);

/* Accepts connections from now on. An address in use is tried again for a second (an earlier
 * process may just be ending). 0, or -1 and a sentence that names `what` and the address. `bound`:
 * the address as bound (port 0: the one that was taken), may be NULL. */
int streams_listen(struct streams *streams, enum stream_use use, uint32_t owner, const char *what,
                   const char *address, char *bound, size_t bound_bytes, char *sentence,
                   size_t sentence_bytes);
/* Begins to connect: OPEN or FAILED follows. STREAM_NONE: no stream is free. */
uint32_t streams_connect(struct streams *streams, enum stream_use use, uint32_t owner,
                         const struct address *address);

/* The result of a completion of a RING_STREAM_ kind; false: nothing to be told. The event's
 * pointers are valid until the next call of any function here. */
bool streams_complete(struct streams *streams, const struct completion *completion,
                      struct stream_event *out);

/* It is open, not paused, and nothing is being read from it: streams_receive may be called. */
bool streams_idle(const struct streams *streams, uint32_t stream);
/* Reads the next bytes, the first of them into the sink (a reference is taken). */
void streams_receive(struct streams *streams, uint32_t stream, struct sink sink);
/* No DATA is told until streams_resume. */
void streams_pause(struct streams *streams, uint32_t stream);
void streams_resume(struct streams *streams, uint32_t stream);
/* DATA that had come while its stream was paused; to be asked until it says false. */
bool streams_next_resumed(struct streams *streams, struct stream_event *out);
bool streams_is_open(const struct streams *streams, uint32_t stream);
/* Queues head bytes, payload (its reference is taken over in any case), padding. False: the queue
 * is full or the stream is no more: nothing was queued. */
bool streams_send(struct streams *streams, uint32_t stream, const uint8_t *head,
                  uint32_t head_length, struct slice payload, uint8_t pad);
uint64_t streams_queued_bytes(const struct streams *streams, uint32_t stream);
/* No event comes any more. Not at once: when what is queued has left, or after a few seconds. */
void streams_close(struct streams *streams, uint32_t stream, bool at_once);
/* Ends both directions of the connection beneath: what was received is still told, then CLOSED. */
void streams_cut(struct streams *streams, uint32_t stream);
int streams_fd(const struct streams *streams, uint32_t stream);

/* Prepares the sending of all that was queued; once a turn, before the ring is submitted. */
void streams_flush(struct streams *streams);
/* The loop was late: what hosts' sockets hold now may be old. */
void streams_late(struct streams *streams);
/* Each turn: the time. Ends what takes too long to close; accepts again after a shortage. */
void streams_tick(struct streams *streams, uint64_t now_ns);

#endif
