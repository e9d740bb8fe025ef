/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_NODE_MANAGE_SOCKET_H
#define SEGUE_NODE_MANAGE_SOCKET_H

/* The management socket of a process: lines of JSON in, lines of JSON out; node.h lists the verbs.
 * What comes in is bounded and checked; who does not read what he asked for is cut off. */

#include "io/streams.h"

struct manage_socket;
struct node;
struct manager;

/* Listens at once. NULL: the sentence says why. */
struct manage_socket *manage_socket_new(struct node *node, char *sentence, size_t sentence_bytes);
void manage_socket_free(struct manage_socket *socket);
void manage_socket_stream_event(struct manage_socket *socket, const struct stream_event *event);
/* Keeps an event and tells those who follow. */
void manage_socket_event(struct manage_socket *socket, uint64_t time_ns, const char *text);
/* The manager may have answers to manage requests. */
void manage_socket_take_answers(struct manage_socket *socket, struct manager *manager);
/* In each turn of the loop: what has been read meanwhile. */
void manage_socket_turn(struct manage_socket *socket);
/* The answer of a part to a request. */
void manage_socket_reply(struct manage_socket *socket, uint64_t tag, const char *text);

#endif
