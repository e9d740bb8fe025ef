/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_NODE_NODE_H
#define SEGUE_NODE_NODE_H

/* A process of the array: the actors that the configuration places in it, the events that they get
 * of the world (io/) and of each other, the actions of theirs that are carried out; its log; its
 * management socket, STATE/run/PROCESS.sock:
 *
 *   {"verb":"status"}                                   manage/status.h says what comes back
 *   {"verb":"metrics"}                                  describe_metrics.c
 *   {"verb":"manage","group":0,"request":"<hex>"}       array/manage.h;
 * {"status":"good","text":...}, "refused", or "unknown": it may be done
 *   {"verb":"events"}                                   {"time_ns","process","text"} for ever,
 * first the last ones again
 *   {"verb":"request","part":"L1","text":"..."}         EVENT_REQUEST of a part
 *                                                       "reload" of a switch: its CHAP secrets are
 * read again
 *   {"verb":"stop"}                                     as SIGTERM
 *   {"verb":"cut","to":"B","how":"silent","ms":500}     for drills: io/links.h, links_cut()
 */

#include "base/trace.h"
#include "manage/config.h"

struct node;

/* Makes everything and binds every address; drives are opened last. NULL: one sentence says why,
 * and nothing is left running. `config` must outlive the node. */
struct node *node_new(const struct config *config, int process, enum trace_level level,
                      const char *command_line, char *sentence, size_t sentence_bytes);
/* Runs until SIGTERM, SIGINT or a stop request, and then until every actor has stopped in order.
 * False: some had not in 30 s. */
bool node_run(struct node *node);
void node_free(struct node *node);

#endif
