/* SPDX-License-Identifier: Apache-2.0 */
#include "io/send_queue.h"

#include <string.h>
#include <sys/mman.h>

#include "base/must.h"

enum {
    PAD_MAX = 3,
    GATHER_BYTES = 2 << 20, /* more than a socket takes at once: what lies behind can wait */
};
static uint8_t zeroes[PAD_MAX + 1];

static void *map(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

bool send_queue_init(struct send_queue *queue, uint32_t heads_bytes, uint32_t pieces_max)
{
    memset(queue, 0, sizeof *queue);
    queue->heads_bytes = heads_bytes;
    queue->pieces_max = pieces_max;
    queue->heads = map(heads_bytes);
    queue->pieces = map(pieces_max * sizeof *queue->pieces);
    return queue->heads && queue->pieces;
}

void send_queue_free(struct send_queue *queue)
{
    if (queue->heads)
        munmap(queue->heads, queue->heads_bytes);
    if (queue->pieces)
        munmap(queue->pieces, queue->pieces_max * sizeof *queue->pieces);
    memset(queue, 0, sizeof *queue);
}

/* Where a head of that length can lie in one piece, and what it takes of the ring. */
static bool place_head(struct send_queue *queue, uint32_t length, struct send_piece *piece)
{
    uint32_t skip = 0;
    if (queue->heads_bytes - queue->heads_in < length)
        skip = queue->heads_bytes - queue->heads_in;
    if (length > queue->heads_bytes || queue->heads_used + skip + length > queue->heads_bytes)
        return false;
    piece->head_at = skip ? 0 : queue->heads_in;
    piece->head_length = length;
    piece->head_span = skip + length;
    queue->heads_in = piece->head_at + length;
    queue->heads_used += piece->head_span;
    return true;
}

bool send_queue_put(struct send_queue *queue, const uint8_t *head, uint32_t head_length,
                    struct slice payload, uint8_t pad)
{
    must(pad <= PAD_MAX);
    if (queue->count == queue->pieces_max)
        return false;
    if (queue->count == 0) /* memory that was used last is warm, and the rest stays untouched */
        queue->heads_in = queue->first = 0;
    struct send_piece *piece = &queue->pieces[(queue->first + queue->count) % queue->pieces_max];
    if (!place_head(queue, head_length, piece))
        return false;
    if (head_length)
        memcpy(queue->heads + piece->head_at, head, head_length);
    piece->payload = payload;
    piece->pad = pad;
    queue->count++;
    queue->bytes += (uint64_t)head_length + payload.length + pad;
    return true;
}

struct gathering {
    struct iovec *out;
    uint32_t count, max;
};

/* Adds bytes, less the first *skip; joins them to the vector before where they follow it in memory.
 */
static bool gather(struct gathering *g, uint8_t *bytes, uint32_t length, uint32_t *skip)
{
    if (*skip >= length) {
        *skip -= length;
        return true;
    }
    bytes += *skip;
    length -= *skip;
    *skip = 0;
    if (g->count) {
        struct iovec *last = &g->out[g->count - 1];
        if ((uint8_t *)last->iov_base + last->iov_len == bytes) {
            last->iov_len += length;
            return true;
        }
    }
    if (g->count == g->max)
        return false;
    g->out[g->count++] = (struct iovec){bytes, length};
    return true;
}

uint32_t send_queue_gather(const struct send_queue *queue, struct iovec *out, uint32_t max)
{
    struct gathering g = {out, 0, max};
    uint32_t skip = queue->first_sent;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < queue->count && bytes < GATHER_BYTES; i++) {
        const struct send_piece *piece = &queue->pieces[(queue->first + i) % queue->pieces_max];
        bytes += (uint64_t)piece->head_length + piece->payload.length;
        if (!gather(&g, queue->heads + piece->head_at, piece->head_length, &skip) ||
            !gather(&g, slice_bytes(piece->payload), piece->payload.length, &skip) ||
            !gather(&g, zeroes, piece->pad, &skip))
            break;
    }
    return g.count;
}

void send_queue_sent(struct send_queue *queue, uint64_t bytes)
{
    must(bytes <= queue->bytes);
    queue->bytes -= bytes;
    bytes += queue->first_sent;
    while (queue->count) {
        struct send_piece *piece = &queue->pieces[queue->first];
        uint32_t length = piece->head_length + piece->payload.length + piece->pad;
        if (bytes < length)
            break;
        bytes -= length;
        queue->heads_used -= piece->head_span;
        slice_drop(&piece->payload);
        queue->first = (queue->first + 1) % queue->pieces_max;
        queue->count--;
    }
    queue->first_sent = (uint32_t)bytes;
}

void send_queue_clear(struct send_queue *queue)
{
    while (queue->count) {
        slice_drop(&queue->pieces[queue->first].payload);
        queue->first = (queue->first + 1) % queue->pieces_max;
        queue->count--;
    }
    queue->heads_in = queue->heads_used = queue->first_sent = 0;
    queue->bytes = 0;
}
