/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_HOST_H
#define SEGUE_SIM_HOST_H

/* A host's iSCSI session with one interface switch: a small initiator (RFC 7143), written apart
 * from the target's codec so that the two check each other. It logs in, sends SCSI commands with
 * immediate data and answers R2T, takes Data-In, answers pings, sends task management, logs out,
 * and comes back a while after it has lost its connection. */

#include "sim/client.h"

struct host;

enum host_state { HOST_STATE_DOWN, HOST_STATE_LOGIN, HOST_STATE_READY, HOST_STATE_LOGOUT };

struct host_config {
    uint8_t host, path;
    struct part *part; /* the interface switch */
    const char *target;
    bool immediate;    /* sends immediate data, and needs no first R2T */
    uint64_t retry_ns; /* until it connects again; 0: never by itself */
    uint64_t nop_ns;   /* the switch's limit: a line that was silent for so long is doubted */
};

struct host *host_new(struct world *world, struct clients *clients,
                      const struct host_config *config);
void host_free(struct host *host);
void host_connect(struct host *host);
void host_logout(struct host *host);
/* Drops the connection without a word: what is under way by it is lost. */
void host_drop(struct host *host);
enum host_state host_state(const struct host *host);
uint32_t host_stream(const struct host *host); /* for stream_cut, stream_dribble; 0: none */
/* It goes on sending but answers no ping before that ends. */
void host_mute(struct host *host, bool mute);
void host_take(struct host *host, struct op *op);
/* One that was sent ended without an answer. */
void host_forget(struct host *host);
void host_alarm(struct host *host);
/* Logged in, and neither the host nor its line is sick. */
bool host_sound(const struct host *host);
/* For so long bytes may lie in its line, and nobody notices. */
uint64_t host_line_ns(const struct host *host);
uint64_t host_logins(const struct host *host);

#endif
