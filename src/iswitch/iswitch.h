/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ISWITCH_ISWITCH_H
#define SEGUE_ISWITCH_ISWITCH_H

/* The interface switch: ends the hosts' iSCSI sessions (RFC 7143), gives every command to the group
 * that owns its volume through a sender, and each host the one response. It knows no SCSI beyond
 * the LUN and the directions of data: the units are the device server. */

#include "command/secret.h"
#include "iswitch/sender.h"

struct iswitch;

enum {
    PORTAL_MAX = 8,
    PORTAL_BYTES = 64,
    TARGET_NAME_BYTES = 224,
    /* The world gives a machine at most so many bytes beside the sink in one EVENT_STREAM_DATA, and
     * at most one more such event of a stream after ACTION_STREAM_PAUSE. */
    STREAM_STAGE_MAX = 64 << 10,
};

struct iswitch_config {
    uint8_t index;                  /* of the switch; its target portal group tag is index+1 */
    char target[TARGET_NAME_BYTES]; /* iqn of the one target node that the array is */
    struct sender_config sender;
    uint8_t owner; /* the group that owns the LUN directory */
    /* All portals of the array as hosts are told of them: "address:port", and whose they are. One
     * on every address is announced by the one that the host uses. */
    uint8_t portals;
    struct {
        uint8_t switch_index;
        char address[PORTAL_BYTES];
    } portal[PORTAL_MAX];
    struct secrets secrets; /* for CHAP */
    uint32_t session_max;   /* hosts' connections at a time */
    uint64_t payload_bytes; /* payload that hosts may have under way in all */
};

struct iswitch *iswitch_new(const struct iswitch_config *config, struct buffer_pool *buffers,
                            struct trace *trace);
void iswitch_free(struct iswitch *x);
void iswitch_step(struct iswitch *x, const struct event *event, struct actions *actions);
/* Between two steps: the secrets of the same users, as they are now. Sessions that are logged in
 * stay. */
void iswitch_set_secrets(struct iswitch *x, const struct secrets *secrets);
uint64_t iswitch_wake_ns(const struct iswitch *x);
/* Where the next bytes of a host's stream should go: the rest of a data segment that is under way,
 * or nowhere in particular (sink.buffer NULL: to the world's own staging bytes). Asked before each
 * receive. */
struct sink iswitch_sink(const struct iswitch *x, uint32_t stream);
void iswitch_check(const struct iswitch *x);     /* costs little */
void iswitch_check_all(const struct iswitch *x); /* also every task of every session */

struct iswitch_session_status {
    char initiator[TARGET_NAME_BYTES];
    char peer[PORTAL_BYTES];
    bool discovery;
    uint32_t commands; /* under way */
    uint64_t reads, writes, read_bytes, written_bytes;
};
struct iswitch_status {
    uint32_t sessions;
    bool drained;
    uint64_t commands, resent;
    uint64_t directory_version;
    struct sender_view group[GROUP_MAX];
};
void iswitch_describe(const struct iswitch *x, struct iswitch_status *out);
/* The i-th session that is logged in; false: there are not so many. */
bool iswitch_session(const struct iswitch *x, uint32_t i, struct iswitch_session_status *out);

#endif
