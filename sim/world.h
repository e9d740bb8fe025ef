/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_WORLD_H
#define SEGUE_SIM_WORLD_H

/* The simulated world: processes that host the array's machines, the links between them, their
 * drives, the control register, hosts' connections; all on virtual time and from one seed. The same
 * seed and the same calls give the same run, line by line. The machines are the ones of src/,
 * driven as io/ and node/ drive them.
 *
 * A process has an inbox. What happens elsewhere is put in there when it arrives; the process takes
 * one item at a time, or wakes a machine that asked for it, and is busy for step_ns after each. A
 * paused process takes nothing; a crashed one has no inbox. Each process has a clock of its own. */

#include <string.h>

#include "base/trace.h"
#include "command/actor.h"
#include "sim/random.h"

struct world;

enum {
    WORLD_PROCESSES = MODULE_MAX + SWITCH_MAX + LOOP_MAX,
    WORLD_PARTS = MODULE_MAX * (GROUP_MAX + 1) + SWITCH_MAX + LOOP_MAX,
};

struct world_config {
    uint64_t seed;
    uint64_t step_ns;                       /* what one step costs */
    uint64_t link_delay_ns, link_jitter_ns; /* each frame: delay + 0..jitter, in order */
    uint64_t cell_delay_ns, cell_jitter_ns; /* the register: to it, and back */
    uint64_t disk_delay_ns, disk_jitter_ns; /* a drive operation */
    uint64_t connect_ns;                    /* until a lost link is made again */
    bool deaths_unknown;                    /* LINK_DOWN never says gone: as across machines */
    bool same_clock;                        /* all processes have one clock: as on one machine */
    enum trace_level trace;
    bool messages;    /* a line for each message that a part sends, too */
    bool print;       /* trace lines to stdout as they come */
    uint64_t late_ns; /* a process whose loop was so late says of what it reads: late */
};
struct world_config world_config_default(uint64_t seed);

struct world *world_new(const struct world_config *config);
/* Ends every process. False: a machine kept payload that it should have given back. */
bool world_free(struct world *world);

/* ---- what is in it ---- */

struct part;

/* What kind of machine a part is. `create` makes the machine of a new life of its process. */
struct part_kind {
    const char *name;
    void *(*create)(struct world *world, struct part *part);
    void (*step)(void *machine, const struct event *event, struct actions *actions);
    uint64_t (*wake_ns)(const void *machine);
    void (*check)(const void *machine); /* after each step: what costs little */
    void (*check_all)(
        const void *machine); /* now and then, and at its end; NULL: there is no more */
    void (*destroy)(void *machine);
    struct sink (*sink)(const void *machine, uint32_t stream); /* NULL: has no streams */
    /* A host's operation, handed to a submitter (NULL: takes none). */
    void (*take)(void *machine, uint64_t ticket, uint64_t now_ns, bool late);
};

struct part {
    char name[16];
    port_id port;
    const struct part_kind *kind;
    void *config; /* the site's, read by `create` */
    int index, process;
    void *machine; /* NULL: its process is dead */
    struct trace trace;
    uint32_t steps;
    bool stopped;      /* said ACTION_STOPPED */
    uint64_t wake_ns;  /* of its process's clock */
    uint32_t restless; /* times in a row that it was woken, and wanted to be woken at once */
    /* a loop switch: what ACTION_STORE stored */
    uint32_t stored_length;
    uint8_t stored[512];
};

int world_add_process(struct world *world, const char *name);
/* All parts of a process before it is started. */
struct part *world_add_part(struct world *world, int process, const char *name, port_id port,
                            const struct part_kind *kind, void *config);
/* The stream between two processes; made by world_start, kept for the world's life. */
void world_add_link(struct world *world, int a, int b);

int world_process(const struct world *world, const char *name);     /* index, must exist */
struct part *world_part(struct world *world, const char *name);     /* must exist */
struct part *world_part_of_port(struct world *world, port_id port); /* NULL: none */
struct part *world_part_at(struct world *world, int index);         /* NULL: no more */
const char *world_process_name(const struct world *world, int process);
int world_processes(const struct world *world);

/* ---- life of a process ---- */

void world_start(struct world *world, int process); /* a dead one: begins a new life */
void world_crash(struct world *world, int process); /* kill: memory is gone at once */
void world_pause(struct world *world, int process); /* stop signal */
void world_resume(struct world *world, int process);
void world_stop(struct world *world, int process);         /* EVENT_STOP to each of its parts */
bool world_living(const struct world *world, int process); /* paused ones too */
bool world_paused(const struct world *world, int process);
uint32_t world_life(const struct world *world, int process); /* 1 for the first */
/* Every process dies, and every drive loses a random part of what was not flushed. */
void world_power_cut(struct world *world);

/* ---- time ---- */

uint64_t world_now(const struct world *world);
/* The next thing that happens, if it happens by `until`; else the clock goes there. False then. */
bool world_step(struct world *world, uint64_t until);
void world_run(struct world *world, uint64_t for_ns);
/* What that process's clock shows. */
uint64_t world_clock(const struct world *world, int process);
/* From now on it is so much too fast or, negative, too slow. */
void world_clock_drift(struct world *world, int process, int32_t parts_per_million);
void world_clock_jump(struct world *world, int process, uint64_t forward_ns);
/* From now on each of its steps costs so much more. */
void world_slow(struct world *world, int process, uint64_t more_ns);
/* Since when nothing has been done to that process that could hold it up; UINT64_MAX: it is dead,
 * stopped, told to stop in order or slow now. Links, the register and drives tell the same of
 * themselves. */
uint64_t world_sound_since(const struct world *world, int process);

/* ---- for the other files of this room ---- */

struct random *world_random(struct world *world);
const struct world_config *world_settings(const struct world *world);
struct buffer_pool *world_buffers(struct world *world);
/* Bytes of payload that somebody holds. */
uint64_t world_held(const struct world *world);

struct links *world_links(struct world *world);
struct cells *world_cells(struct world *world);
struct disks *world_disks(struct world *world);
struct streams *world_streams(struct world *world);
/* Whoever watches learns that a swap of a control record stands. */
void world_swapped(struct world *world, int process, const struct record *before,
                   const struct record *after);

/* Something that comes about at its time: `what` tells the file of that kind which. */
enum happening_kind {
    HAPPENING_LINK,
    HAPPENING_DISK,
    HAPPENING_CELL,
    HAPPENING_STREAM,
    HAPPENING_ALARM, /* of the hosts: world_on_alarm */
    HAPPENING_TAMPER,
};
void world_schedule(struct world *world, uint64_t at_ns, enum happening_kind kind, uint64_t what);

void world_on_alarm(struct world *world, void (*alarm)(void *context, uint64_t what),
                    void *context);
/* The part's machine takes one event; its actions are carried out. now_ns is filled in. */
void world_step_part(struct world *world, struct part *part, struct event *event);

/* Something for one part of a process, or for all of them. Made with item_new, given to the process
 * by world_deliver, which frees it in the end (also when the process is dead). */
enum item_kind { ITEM_FRAME, ITEM_LINK, ITEM_EVENT, ITEM_STREAM, ITEM_TICKET };

struct item {
    struct item *next;
    enum item_kind kind;
    port_id port;         /* whom it is for; LINK: every part of the process */
    uint64_t arrived_ns;  /* world time */
    struct slice payload; /* FRAME, EVENT (drive data): one reference */
    union {
        struct {
            uint32_t head_length; /* 0: in the same process, `message` is it */
            uint32_t payload_length;
            int from; /* the process that sent it */
            uint8_t head[512];
            struct message message;
        } frame;
        struct {
            int other; /* the process at the other end */
            uint32_t connection;
            bool up, gone;
        } link;
        struct {
            struct event event; /* but for now_ns */
            struct record record;
        } ready;
        uint64_t tag; /* STREAM: which; TICKET: which operation */
    };
};

struct item *item_new(enum item_kind kind);
void item_free(struct item *item);
void world_deliver(struct world *world, int process, struct item *item);
/* What lies there for a process that is busy or stopped, the oldest first. */
const struct item *world_inbox(const struct world *world, int process);

/* ---- watching ---- */

/* One line of the story so far: "A1 > ..." (what a machine traces), "A1 * ..." (its notices to
 * people), "-- ..." (what the world did). */
struct world_line {
    uint64_t now_ns;
    char *text;
};
uint32_t world_lines(const struct world *world);
const struct world_line *world_line(const struct world *world, uint32_t i);
void world_say(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints the last `count` lines. */
void world_print(const struct world *world, uint32_t count);

/* Who wants to know what happens (the oracle); set once. */
struct world_watch {
    void *watcher;
    void (*stepped)(void *watcher, struct part *part);
    void (*sent)(void *watcher, struct part *part, const struct message *message);
    void (*received)(void *watcher, struct part *part, const struct message *message);
    void (*noticed)(void *watcher, struct part *part, const char *text); /* NULL: nobody listens */
    void (*swapped)(void *watcher, int process, const struct record *before,
                    const struct record *after); /* a control record; NULL: nobody looks */
};
void world_watch(struct world *world, const struct world_watch *watch);

/* Who may have an action go wrong (anomaly.c); set once. `fate` is asked before each is carried
 * out, `happened` is told of HAPPENING_TAMPER. */
enum action_fate {
    ACTION_DONE,
    ACTION_THE_LAST, /* carried out; then its process dies */
    ACTION_TOO_LATE, /* its process dies first */
};
struct world_tamper {
    void *context;
    enum action_fate (*fate)(void *context, const struct part *part, const struct action *action);
    void (*happened)(void *context, uint64_t what);
};
void world_tamper(struct world *world, const struct world_tamper *tamper);

#endif
