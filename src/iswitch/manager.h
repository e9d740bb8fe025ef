/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ISWITCH_MANAGER_H
#define SEGUE_ISWITCH_MANAGER_H

/* The management endpoint of a module: a sender (number SWITCH_MAX + module, port_manager(module))
 * that gives people's changes and questions to the groups as commands, and nothing else. What they
 * mean is array/manage.h's business. */

#include "iswitch/sender.h"

struct manager;

enum {
    MANAGER_REQUESTS = 64, /* under way or not taken yet, at a time */
    MANAGER_REQUEST_BYTES = 4096,
    MANAGER_TEXT_BYTES = 512, /* of an answer, with its terminating 0; the rest is cut off */
};

struct manager *manager_new(const struct sender_config *config, struct trace *trace);
void manager_free(struct manager *manager);
void manager_step(struct manager *manager, const struct event *event, struct actions *actions);
uint64_t manager_wake_ns(const struct manager *manager);
void manager_check(const struct manager *manager);

/* Takes an encoded request; it leaves with the next step (manager_wake_ns is at once). False: too
 * many are under way, no buffer is free, the request is empty or too long, or the manager stops. */
bool manager_submit(struct manager *manager, uint8_t group, const uint8_t *request, uint32_t length,
                    struct buffer_pool *buffers, uint64_t now_ns, uint64_t cookie);

struct manager_answer {
    uint64_t cookie;
    uint8_t status; /* SAM-5 status: 0 is GOOD */
    bool lost;      /* nobody can say whether it was carried out; status and text mean nothing */
    uint32_t text_length;
    char text[MANAGER_TEXT_BYTES]; /* GOOD: "key=value ..."; else a sentence; ends with 0 */
};

/* To be asked after every step until it says false. */
bool manager_next_answer(struct manager *manager, struct manager_answer *out);
void manager_describe(const struct manager *manager, uint8_t group, struct sender_view *out);

#endif
