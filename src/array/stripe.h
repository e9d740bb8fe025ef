/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_STRIPE_H
#define SEGUE_ARRAY_STRIPE_H

/* Stripes with parity: writes, reads of what a drive does not give, resynchronisation. A stripe
 * that something is done with is locked: one work is done in it after the other, so parity is
 * always that of all data, or about to be. */

#include "array/engine.h"
#include "array/parity.h"

static inline uint64_t stripe_of(const struct pool *pool, const struct part *part)
{
    return part->row / pool->info.chunk_bytes;
}

/* The part waits for its stripe, and is carried out there; it ends by part_over(). */
void stripe_take(struct array *array, struct part *part);
/* What pool->copy is about: its range is made whole. False: the stripe is busy; resynchronisation
 * will be told to look again (resync_stripe_free). Ends with resync_stripe_ended(). */
bool stripe_resync(struct array *array, struct pool *pool);
/* The most that is resynchronised at a time. */
uint32_t stripe_resync_bytes(const struct pool *pool);
void stripe_leg_ended(struct array *array, struct leg *leg);
/* Their redo record is held: they may write; it is over: they are. */
void stripe_record_held(struct array *array, struct pool *pool, uint32_t slot);
void stripe_record_over(struct array *array, struct pool *pool, uint32_t slot, bool failed);
/* A drive of the pool has FAILED. */
void stripe_degraded(struct array *array, struct pool *pool);
void stripe_flush_ended(struct array *array, struct leg *leg);
void stripe_pump(struct array *array);
/* Stripes of that pool, or all (POOL_NONE), as if never used; their parts are somebody else's. */
void stripe_forget(struct array *array, uint8_t pool);
void stripe_late(struct array *array, uint64_t late_ns);
void stripe_check_all(const struct array *array);

/* ---- within: stripe.c has the lock, stripe_plan.c what is read, stripe_make.c what is written
 * ---- */

/* A piece of a part's data in one chunk, in the step under way. */
struct piece {
    const struct part *part;
    uint32_t member, from, to; /* bytes of the chunk */
    const uint8_t *bytes;      /* NULL: of a fill with a pattern for which there is no buffer yet */
};

struct step {
    struct array *array;
    struct stripe *stripe;
    struct pool *pool;
    struct piece piece[STRIPE_PIECES];
    uint32_t pieces;
    uint32_t touched, covered; /* data members that are written; from end to end of the step */
    bool zeroes;               /* all pieces are */
};

void stripe_step(struct array *array, struct stripe *stripe, struct step *out);
struct drive *stripe_drive(const struct step *step, uint32_t member);
/* How many pieces, at most, has that part? */
uint32_t stripe_pieces(const struct pool *pool, const struct part *part);

enum stripe_verdict {
    STRIPE_GO,     /* all that is wanted is there */
    STRIPE_WAIT,   /* for reads; for buffers (and array->no_buffer is set) */
    STRIPE_FAILED, /* too few drives can give what is needed */
};

/* What must be read for this step? Asks for it. */
enum stripe_verdict stripe_plan(struct step *step);
/* Everything was read: recovers and makes what is to be written. STRIPE_WAIT: for buffers. */
enum stripe_verdict stripe_make(struct step *step);
/* What is to be written, as it is now; `bytes` and `data` are the step's. */
struct stripe_write {
    uint32_t member, from, length; /* `from`: in the chunk */
    enum drive_op op;
    struct slice data;
    const uint8_t *bytes;
    bool fua, repair; /* repair: nobody waits for it */
};
uint32_t stripe_writes(const struct step *step, struct stripe_write out[STRIPE_LEGS]);
void stripe_send(const struct step *step);
/* All of it has ended: does the stripe hold it? */
bool stripe_holds(const struct step *step);
struct leg *stripe_leg(const struct step *step, uint32_t member, enum drive_op op, uint32_t from,
                       uint32_t length);
const uint8_t *stripe_zeroes(void); /* CHUNK_MAX of them */

/* Must its writes be recorded before they begin? */
bool stripe_needs_record(const struct step *step);
/* How far a step may go that is recorded. */
uint32_t stripe_record_bytes(const struct pool *pool);
/* It waits for a record. */
void stripe_record(const struct step *step);
/* What it has recorded is written, or is not going to be. */
void stripe_record_done(struct array *array, struct stripe *stripe);
void stripe_record_pump(struct array *array, struct pool *pool);
void stripe_ready(struct array *array, struct stripe *stripe);
void stripe_step_over(struct array *array, struct stripe *stripe);

#endif
