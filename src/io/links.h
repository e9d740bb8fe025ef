/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_LINKS_H
#define SEGUE_IO_LINKS_H

/* One stream connection to each other process of the array, over which the parts of both talk in
 * Fibre Channel frames. The process of the lower number connects to the other's address, again and
 * again while there is none. A link is up when each has had the other's hello. Whatever comes over
 * it that is no frame, or is not from a port of that process, closes it.
 *
 * When a link has ended, links tells apart "the connection is cut" and "the process is known to be
 * gone": over Unix sockets the kernel tells when the process has ended; over TCP its port refuses a
 * new connection. A stopped process keeps its link.
 */

#include "base/trace.h"
#include "command/message.h"
#include "io/streams.h"

enum { LINK_PROCESS_MAX = MODULE_MAX + SWITCH_MAX + LOOP_MAX, LINK_PORT_MAX = 64 };

struct links_config {
    char array[NAME_BYTES];
    uint64_t incarnation; /* of this process */
    uint8_t self;         /* its number */
    uint8_t processes;
    struct {
        char name[16];
        char address[256]; /* empty: it is never talked to */
    } process[LINK_PROCESS_MAX];
    uint8_t ports;
    struct {
        port_id port;
        uint8_t process;
    } port[LINK_PORT_MAX];
    uint64_t queue_bytes; /* a peer that lets so much wait loses its link */
};

struct links;

/* Listens at once. NULL: the sentence says why. */
struct links *links_new(const struct links_config *config, struct streams *streams,
                        struct ring *ring, struct buffer_pool *buffers, struct trace *trace,
                        char *sentence, size_t sentence_bytes);
void links_free(struct links *links);

/* Number of the process in which a port lives, of a drive its loop switch; -1: nowhere. */
int links_process_of(const struct links *links, port_id port);
bool links_is_up(const struct links *links, int process);
/* Sends to the process in which message.to lives; takes the payload's reference over. A message to
 * a process without a link is lost. */
void links_send(struct links *links, const struct message *message);

/* For drills: the link to a process fails for so long as seen from here, whatever it is made of. It
 * ends by being closed, as a real one does, so that what was lost in it is known to be lost; and
 * does not come up before. */
enum link_cut {
    LINK_CUT_REFUSED, /* closed at once */
    LINK_CUT_SILENT,  /* nothing gets through, and nobody is told */
    LINK_CUT_MUTE,    /* only what is sent from here is lost */
    LINK_CUT_DEAF,    /* only what comes here is lost */
    LINK_CUTS,
};
/* False: there is no link to that process. */
bool links_cut(struct links *links, int process, enum link_cut how, uint64_t for_ns);
extern const char *const link_cut_names[LINK_CUTS];

/* What came of a stream of STREAM_USE_LINK, and of a completion RING_LINK_PEER. */
void links_stream_event(struct links *links, const struct stream_event *event);
void links_peer_exited(struct links *links, uint32_t index);

enum link_event_kind {
    LINK_EVENT_UP,
    LINK_EVENT_DOWN, /* gone: its process is known to be dead; may come again, then with gone */
    LINK_EVENT_MESSAGE,
};
struct link_event {
    enum link_event_kind kind;
    uint8_t process;
    bool gone;
    struct message message; /* its payload's reference is the taker's. `to`: a port of this process
                               or, of a MESSAGE_COMMAND, a group */
};
/* The next one, false: none now. */
bool links_next(struct links *links, struct link_event *out);

/* Each turn: connects, probes, gives up what is silent. */
void links_tick(struct links *links, uint64_t now_ns);
uint64_t links_wake_ns(const struct links *links);

struct link_status {
    bool up;
    uint64_t sent_messages, received_messages, queued_bytes;
};
void links_describe(const struct links *links, int process, struct link_status *out);

#endif
