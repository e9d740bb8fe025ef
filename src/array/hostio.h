/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_HOSTIO_H
#define SEGUE_ARRAY_HOSTIO_H

/* I/O of the caller: cut into parts, put together again. */

#include "array/engine.h"

/* Cuts what waits into parts, as far as there are parts. */
void hostio_pump(struct array *array);
/* One of its parts is over: its data (part->data) and verdict go to the io. */
void hostio_part_over(struct array *array, struct array_io *io, struct part *part);
/* Granules of the pool could not be mapped or unmapped: what waits for some fails. */
void hostio_fail_unready(struct array *array, struct pool *pool);
/* Its redo record is on the drives; is no more (failed: it never was). */
void hostio_record_held(struct array *array, struct array_io *io);
void hostio_record_over(struct array *array, struct array_io *io, bool failed);
/* An internal one, of which nothing is under way, is not wanted any more. */
void hostio_take_back(struct array *array, struct array_io *io);
void hostio_forget_all(struct array *array);
/* The volume is being deleted. */
void hostio_orphan(struct array *array, uint16_t volume);

#endif
