/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_IO_SEND_QUEUE_H
#define SEGUE_IO_SEND_QUEUE_H

/* What is still to be sent on one stream: pieces of head bytes (copied into a ring of the queue),
 * payload (by reference, until it has left) and padding. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buffer.h"

struct send_piece {
    struct slice payload;
    uint32_t head_at, head_length;
    uint32_t head_span; /* bytes of the head ring that it holds, with what a wrap left unused */
    uint32_t pad;
};

struct send_queue {
    uint8_t *heads;
    uint32_t heads_bytes, heads_in, heads_used;
    struct send_piece *pieces;
    uint32_t pieces_max, first, count;
    uint32_t first_sent; /* bytes of the first piece that have left */
    uint64_t bytes;      /* all that is still to leave */
};

/* Room for that many bytes of heads and that many pieces, mapped and touched only when used.
 * False: no memory. */
bool send_queue_init(struct send_queue *queue, uint32_t heads_bytes, uint32_t pieces_max);
void send_queue_free(struct send_queue *queue);
/* Takes the payload's reference over. False: it is full, and the reference stays the caller's. */
bool send_queue_put(struct send_queue *queue, const uint8_t *head, uint32_t head_length,
                    struct slice payload, uint8_t pad);
/* The first bytes that are still to leave, as at most `max` vectors; they stay valid until
 * send_queue_sent. */
uint32_t send_queue_gather(const struct send_queue *queue, struct iovec *out, uint32_t max);
/* So many of them have left. */
void send_queue_sent(struct send_queue *queue, uint64_t bytes);
/* Drops everything. */
void send_queue_clear(struct send_queue *queue);

#endif
