/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_PROGRAMS_DRILL_PEERS_H
#define SEGUE_PROGRAMS_DRILL_PEERS_H

/* The processes of the array, as the drill sees them: one connection to each management socket
 * (STATE/run/NAME.sock) for status, one for events. Never waits; a process that dies is looked for
 * again. */

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct drill_peers;

struct drill_event {
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    char process[16];
    char text[256];
};

enum { DRILL_PEERS = 16, DRILL_PEERS_POLL = 2 * DRILL_PEERS };

/* `directory`: where the sockets are. Events before `from_ns` are left out. NULL: no memory. */
struct drill_peers *drill_peers_new(const char *directory, uint64_t from_ns);
void drill_peers_free(struct drill_peers *peers);

uint32_t drill_peers_poll(const struct drill_peers *peers, struct pollfd *entries);
void drill_peers_step(struct drill_peers *peers, const struct pollfd *entries, uint32_t count,
                      uint64_t now_ns);

/* Asks everybody; the answers come later. */
void drill_peers_ask(struct drill_peers *peers, uint64_t now_ns);
/* Every process known has answered a question that was asked at or after `since_ns`. */
bool drill_peers_answered(const struct drill_peers *peers, uint64_t since_ns);
/* The name of one that has not; NULL: all have. */
const char *drill_peers_silent(const struct drill_peers *peers, uint64_t since_ns);
/* What they have answered, merged as `segue status -o json` prints it; the caller owns it. */
json_t *drill_peers_status(const struct drill_peers *peers);
size_t drill_peers_count(const struct drill_peers *peers);
/* The newest answer of one; borrowed; NULL: none yet. */
const json_t *drill_peers_answer(const struct drill_peers *peers, size_t i);
/* That of the process of this name; NULL: none. */
const json_t *drill_peers_answer_of(const struct drill_peers *peers, const char *process);

/* The process that runs the part of that name ("A", "B1", "IS2", "L1"), or has that name itself.
 * False: none says so. */
bool drill_peers_find(const struct drill_peers *peers, const char *part, char *process,
                      size_t process_bytes, int *pid);

size_t drill_peers_events(const struct drill_peers *peers);
const struct drill_event *drill_peers_event(const struct drill_peers *peers, size_t i);

/* The value of `key` in a line "what key=value key=value". False: it has none. */
bool drill_event_value(const char *text, const char *key, char *out, size_t out_bytes);

#endif
