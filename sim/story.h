/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_STORY_H
#define SEGUE_SIM_STORY_H

/* A story: an array is built, things are done to it and by it, and what comes of it is asserted;
 * the trace of all its parts is part of the text. Each runs from several seeds. A story that goes
 * wrong prints its last lines and ends the test. Parts and processes go by name ("A", "IS1", "L2";
 * units "B1"), volumes by number (0 is g1's first, 1 is g2's first).
 *
 * A story may also be told with an anomaly (sim/anomaly.h): one of its actions goes wrong. From
 * then on what it expects is not required: which unit is primary, within what time, in what words.
 * Its faults happen as they can, what it waits for it waits for longer, and when that does not come
 * it ends early. Required is what holds always: nothing that a host sees is wrong, no promise is
 * broken, and in the end everything is answered, in sync and equal. */

#include <setjmp.h>

#include "sim/anomaly.h"

struct story {
    struct site *site;
    struct world *world;
    const char *name;
    uint64_t seed;
    uint32_t mark;                               /* story_expect looks from this line on */
    uint8_t host;                                /* who sends */
    struct anomaly *anomaly;                     /* NULL: none, ever */
    bool ending;                                 /* it is over: everything is required again */
    jmp_buf early;                               /* where to go on when it cannot go on */
    uint32_t surprises;                          /* expectations that did not come true */
    uint32_t faults, module_faults, tray_faults; /* of the story itself */
    uint32_t modules_stopped;                    /* in order: no fault, and one that is away */
    struct {                                     /* story_count's last answer */
        char pattern[256];
        uint32_t from, to, count;
    } counted;
    bool left_standing; /* at the end nothing is taken down: the process ends anyway */
};

/* An array with its volumes, in sync, its groups each at its preferred primary. */
void story_begin(struct story *s, const char *name, const struct site_options *options);
/* Brings everything back, waits until all is in sync and every command answered, reads every block
 * that was written, and checks that the mirrors agree. */
void story_end(struct story *s);
/* story_end without the array coming back: only what was seen so far is checked. */
void story_leave(struct story *s);
/* Tells it with an anomaly, to its end; `choose` and `context` as of anomaly_new. */
void story_tell_with_anomaly(struct story *s, void (*tell)(struct story *s), anomaly_choose *choose,
                             void *context);
/* What happens instead of exit(1) when a story fails: the test's own failure. Set once. */
void story_on_failure(void (*failure)(const char *sentence));
_Noreturn void story_failed(struct story *s, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What was expected has not come true: the story fails, unless an anomaly has struck. */
void story_surprised(struct story *s, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The limit has passed: the story fails. With an anomaly there is more time, once; then it ends. */
void story_late(struct story *s, uint64_t *limit, int times, const char *what, const char *file,
                int line);

#define story_assert(s, condition)                                    \
    do {                                                              \
        if (!(condition))                                             \
            story_surprised(s, __FILE__, __LINE__, "%s", #condition); \
    } while (0)
/* Runs until the condition holds; it must within for_ns. Looked at after each thing that happens.
 */
#define story_until(s, condition, for_ns)                                                   \
    do {                                                                                    \
        int story_times = 0;                                                                \
        uint64_t story_limit = world_now((s)->world) + (for_ns);                            \
        while (!(condition))                                                                \
            if (!story_step(s, story_limit))                                                \
                story_late(s, &story_limit, story_times++, #condition, __FILE__, __LINE__); \
    } while (0)
/* The condition holds, and goes on holding for that time. */
#define story_never(s, condition, for_ns)                                                \
    do {                                                                                 \
        uint64_t story_limit = world_now((s)->world) + (for_ns);                         \
        do                                                                               \
            if (condition)                                                               \
                story_surprised(s, __FILE__, __LINE__, "%s: it came about", #condition); \
        while (story_step(s, story_limit));                                              \
    } while (0)
bool story_step(struct story *s, uint64_t until); /* one thing that happens; false: none by then */
void story_run(struct story *s, uint64_t for_ns);

/* ---- commands; path is the number of the interface switch ---- */

struct op *story_send(struct story *s, struct op *op, int volume, int path);
struct op *story_send_write(struct story *s, int volume, uint64_t lba, uint32_t blocks, int path);
struct op *story_send_read(struct story *s, int volume, uint64_t lba, uint32_t blocks, int path);
/* It is answered GOOD within that time. */
void story_good(struct story *s, struct op *op, uint64_t within_ns);
/* It is answered, with whatever status, within that time. */
void story_answered(struct story *s, struct op *op, uint64_t within_ns);
/* Sent and answered GOOD within 10 s, once more after each unit attention or BUSY. The operation.
 */
struct op *story_write(struct story *s, int volume, uint64_t lba, uint32_t blocks, int path);
struct op *story_read(struct story *s, int volume, uint64_t lba, uint32_t blocks, int path);
struct op *story_flush(struct story *s, int volume, int path);
/* The stamp in a block as a host reads it. */
uint64_t story_stamp(struct story *s, int volume, uint64_t lba, int path);
/* Eats the unit attentions that wait for this host on each path. */
void story_settle_attentions(struct story *s);
void story_manage(struct story *s, int group, const struct manage_request *request);
/* What a person asks of one unit, by its module's management socket. */
void story_request(struct story *s, const char *unit, const char *text);

/* ---- faults ---- */

void story_stop(struct story *s, const char *process); /* in order, as by SIGTERM: no fault */
void story_crash(struct story *s, const char *process);
void story_restart(struct story *s, const char *process);
void story_pause(struct story *s, const char *process);
void story_resume(struct story *s, const char *process);
void story_cut(struct story *s, const char *a, const char *b, enum link_way way);
void story_hold(struct story *s, const char *a, const char *b, enum message_kind kind);
bool story_held(struct story *s, const char *a, const char *b);
void story_lose(struct story *s, const char *a, const char *b, enum message_kind kind);
void story_break(struct story *s, const char *a, const char *b);
void story_restore(struct story *s, const char *a, const char *b);
/* The same between a process and every other of the array. */
void story_isolate(struct story *s, const char *process, enum link_way way);
void story_rejoin(struct story *s, const char *process);
void story_reach_register(struct story *s, const char *process, enum cell_reach reach);
void story_power_cut(struct story *s);
void story_hang_drive(struct story *s, int drive, bool hangs);
void story_fail_drive(struct story *s, int drive, bool fails);
/* It is a fault if that is so slow that a fence does not wait for it. */
void story_slow_drive(struct story *s, int drive, uint64_t more_ns);

/* ---- looking ---- */

struct unit_status story_unit(struct story *s, const char *unit); /* it must live */
struct loopswitch_bank_status story_bank(struct story *s, const char *loop, uint8_t group);
enum unit_state story_state(struct story *s, const char *unit);
const struct record *story_record(struct story *s, int group);
/* "A1 is primary of its group, in this state and with so many in sync by the record". */
bool story_primary(struct story *s, const char *unit);
bool story_in_sync(struct story *s, const char *unit);
bool story_settled(struct story *s);
/* Everything since story_mark: is there a line that matches the pattern ('*' and '?')? */
bool story_said(struct story *s, const char *pattern);
uint32_t story_count(struct story *s, const char *pattern);
void story_mark(struct story *s);
/* Lines of patterns, separated by newlines, found in this order among the lines since the mark. */
void story_expect(struct story *s, const char *trace);

#endif
