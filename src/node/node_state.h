/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_NODE_NODE_STATE_H
#define SEGUE_NODE_NODE_STATE_H

/* What the files of this room share. */

#include "io/loop.h"
#include "manage/notify.h"
#include "node/log.h"
#include "node/node.h"
#include "node/part.h"

enum {
    NODE_PART_MAX = MODULE_MAX * (GROUP_MAX + 1) + SWITCH_MAX + LOOP_MAX,
    NODE_LOCAL_MAX = 4 * ACTIONS_MAX, /* messages between parts of one process, at a time */
    NODE_CLOSED_MAX = STREAM_MAX,
    NODE_DRIVE_COMMANDS =
        128, /* under way on one drive: a unit's depth, and as many second tries */
    NODE_PATH_BYTES = 512,
    NODE_CAPTURE_MAX = 4,
};

struct manage_socket;
struct history;

/* Somebody who wants to see what a part says and hears: capture.c. */
struct node_capture {
    uint32_t stream;
    const struct part *part;
    uint64_t missed;
};

struct node {
    const struct config *config;
    int process;
    enum trace_level level;
    const char *command_line;
    struct log *log, *journal; /* everything; and what is an event */
    struct trace trace;        /* of the process itself: links, drives, its life */
    struct loop *loop;
    uint64_t incarnation, started_ns;
    struct part part[NODE_PART_MAX];
    uint8_t parts;
    int8_t part_of[5][8][4]; /* by port kind, index, sub + 1; -1: not here */
    char drive_name[LOOP_MAX][SLOT_MAX][16];
    struct actions *actions;
    /* messages between parts here, in order */
    struct message *local;
    uint32_t local_first, local_count;
    /* hosts' streams that had to be closed because their queue was full */
    struct {
        uint32_t stream;
        uint8_t part;
    } closed[NODE_CLOSED_MAX];
    uint32_t closed_count;
    struct manage_socket *manage_socket;
    struct history *history;
    struct node_capture capture[NODE_CAPTURE_MAX];
    uint8_t captures;
    struct notify notify;
    bool stopping, stopped;
    uint64_t stop_by_ns, next_tick_ns;
};

/* node_build.c: the actors of this process, by the configuration. 0, or -1 and a sentence. */
int node_build_sockets(struct node *node, char *sentence, size_t sentence_bytes);
int node_build_parts(struct node *node, char *sentence, size_t sentence_bytes);
/* node_loops.c: opens the drives of a loop switch and makes it. */
int node_build_loop(struct node *node, uint8_t number, char *sentence, size_t sentence_bytes);
/* Of what lay on a drive: an enum drive_content. */
uint8_t node_content(const struct drive_facts *facts);
bool node_is_member(const struct config *config, int module, int group);
struct part *node_add_part(struct node *node, const struct part_kind *kind, port_id port);

/* The part at that port, of a drive its loop switch; NULL: it is not here. */
struct part *node_part_at(struct node *node, port_id port);
/* One event in, its actions carried out. */
void node_step(struct node *node, struct part *part, struct event *event);
/* node_carry.c */
void node_carry_out(struct node *node, struct part *part);
/* Reads on from a host, into the switch's sink, unless that has paused it. */
void node_receive(struct node *node, struct part *part, uint32_t stream);
/* node_deliver.c: what has happened, as events of the parts that it concerns. */
void node_deliver(struct node *node, struct happening *happening);
void node_deliver_local(struct node *node);
void node_link_local(struct node *node);
void node_stop(struct node *node);

/* A line that people and drills want to see: to the log and to those who follow the events. */
void node_notice(struct node *node, const struct part *part, const char *text);

#endif
