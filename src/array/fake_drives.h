/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ARRAY_FAKE_DRIVES_H
#define SEGUE_ARRAY_FAKE_DRIVES_H

/* For tests: a RAID engine with drives in memory behind two loop switches, and a caller that
 * follows the engine's notices as a unit with a control record does. Everything comes from one
 * seed: order and delay of answers, errors, lost answers, hangs, power cuts. It checks by itself,
 * at each write of data, that the drive holds the region's bit durably. */

#include "array/array.h"
#include "array/manage.h"

enum { FAKE_DRIVES = 8, FAKE_BYTES = 12 << 20, FAKE_BLOCKS = FAKE_BYTES / 4096 };

struct fake_drive {
    uint8_t *now, *durable;
    bool dirty[FAKE_BLOCKS]; /* differs from durable */
    bool hangs;              /* takes commands, answers nothing until it goes on */
    bool write_errors;       /* each write and flush fails */
    bool offline;
    bool stuck;                /* what it has now stays there until it is not any more */
    uint32_t refuse;           /* so many commands are answered with REFUSED_EPOCH of the fence */
    bool tears;                /* each write that power loss meets is half done */
    uint64_t bad_from, bad_to; /* reads that meet this range fail, until it is written */
    uint32_t busy;             /* so many commands are answered BUSY */
    uint32_t lose;             /* so many answers get lost */
    uint32_t writes, reads, flushes;
    uint64_t written_bytes, read_bytes;
    enum drive_state record;
    uint8_t wanted;     /* the record's next state + 1: the caller has been asked for it; 0: none */
    uint64_t wanted_ns; /* ... and does it then */
};

struct fake_command {
    bool used;
    bool stuck;
    bool answered; /* carried out; its answer is on the way */
    struct message message;
    struct slice data; /* of that answer */
    uint8_t status;
    uint64_t due_ns;
    int8_t loop;
    uint32_t place; /* in fake_world.busy */
};

enum { FAKE_COMMANDS = 4096, FAKE_ASKS = 64 };

struct fake_world {
    struct array *array;
    struct actions *actions;
    struct buffer_pool *buffers;
    struct limits limits;
    struct trace trace;
    uint64_t now_ns, random, epoch, fence_epoch;
    uint64_t slow_ns; /* answers take up to this long */
    uint64_t step_ns; /* of time, per turn: longer while nothing happens */
    bool busy_turn;
    bool follows;       /* follows BAD, RETURNED, SYNCED */
    bool checks_intent; /* data only after its bit */
    bool loop_up[2];
    uint64_t login[2];
    struct fake_drive drive[FAKE_DRIVES]; /* 0..3: loop 0, 4..7: loop 1, as 32..35 */
    struct fake_command command[FAKE_COMMANDS];
    uint16_t busy[FAKE_COMMANDS]; /* those in use, any order */
    uint16_t idle[FAKE_COMMANDS];
    uint32_t commands;
    uint64_t answer_ns;   /* answers are on their way for up to this long, past each other */
    uint64_t record_ns;   /* the record follows after up to this long */
    bool keeps_changes;   /* does not call array_carry_end() */
    uint32_t chunk_bytes; /* of the pool that fake_pool() makes; 0: what is usual */
    struct slice hog[32]; /* buffers that nobody else can have */
    /* what it heard */
    uint32_t bad, returned, synced, carried, stored, loaded, begun, clean, refused;
    bool failed; /* of the last CARRIED, STORED, LOADED */
    uint64_t cookie;
    struct {
        uint8_t effect[EFFECT_MAX];
        uint32_t length;
    } asked[FAKE_ASKS]; /* by fake_ask(): its cookie % FAKE_ASKS */
    uint64_t asks;      /* the last cookie */
    uint8_t bank[FAKE_DRIVES];
};

struct fake_world *fake_new(uint64_t seed);
void fake_free(struct fake_world *w);
uint64_t fake_random(struct fake_world *w, uint64_t below);
int fake_number(int i); /* the array's number of a drive */
int fake_index(int number);
/* The loop switch accepts a login: what it had is finished or killed first. */
void fake_login(struct fake_world *w, int loop);
/* A fence of a new epoch is up at both loop switches: what had an earlier one has ended. The drives
 * that do not let go of it are off line, and FAILED in the record if that is possible. */
void fake_fence(struct fake_world *w);
/* A person, or a fence, has the record say so now. */
void fake_record(struct fake_world *w, int i, enum drive_state state);
/* No buffers for the engine until it is called with false. */
void fake_starve(struct fake_world *w, bool on);
void fake_logout(struct fake_world *w, int loop, bool gone);
/* One turn: pump, carry out, deliver what is due; time goes on. */
void fake_turn(struct fake_world *w);
/* Turns until *what (a counter of the world) is at least `count`; false: not in `limit_ns`. */
bool fake_until(struct fake_world *w, const uint32_t *what, uint32_t count, uint64_t limit_ns);
void fake_run(struct fake_world *w, uint64_t for_ns);
/* An io, run to its end; false: failed. */
bool fake_io(struct fake_world *w, struct array_io *io);
/* The engine dies; the drives go on, or lose power: what was not durable may be lost. */
void fake_crash(struct fake_world *w, bool power);
/* Management: plan, apply, carry out. Returns the sentence or the text. */
bool fake_manage(struct fake_world *w, const struct manage_request *request, char *text,
                 uint32_t bytes);
/* The same, without waiting for its end. */
bool fake_ask(struct fake_world *w, const struct manage_request *request, char *text,
              uint32_t bytes);
/* Once more; before its turn; for the last time: of what fake_ask() had asked. */
void fake_carry_out(struct fake_world *w, uint64_t cookie);
void fake_carry_soon(struct fake_world *w, uint64_t cookie);
void fake_carry_end(struct fake_world *w, uint64_t cookie);
/* Volume 0: writes a pattern; reads it; do two drives hold the same data? */
bool fake_write(struct fake_world *w, uint64_t lba, uint32_t bytes, uint8_t seed);
bool fake_holds(struct fake_world *w, uint64_t lba, uint32_t bytes, uint8_t seed);
bool fake_same(const struct fake_world *w, int a, int b);
struct slice fake_pattern(struct fake_world *w, uint32_t bytes, uint8_t seed);
/* A pool over the drives of `count` indices, with one volume of that size. */
void fake_pool(struct fake_world *w, enum raid_level level, const int *drives, int count,
               uint64_t volume_bytes);
/* A new engine reads its state and begins. */
void fake_restart(struct fake_world *w, bool in_doubt);
/* A new engine with that configuration (array_save) begins, as a unit does that followed: nothing
 * is in doubt, and nothing settled. */
void fake_takeover(struct fake_world *w, const uint8_t *state, uint32_t length);
void fake_store(struct fake_world *w);

#endif
