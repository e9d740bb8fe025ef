/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_LOOPSWITCH_STATE_H
#define SEGUE_LOOPSWITCH_STATE_H

/* What a loop switch holds in memory, and what its files offer each other. Only src/loopswitch
 * includes this. */

#include "base/mutant.h"
#include "loopswitch/loopswitch.h"

enum {
    STORED_MAX = 512,
    OWN_BUFFER_BYTES = 1 << 20, /* where the world gives no pool: inventories only */
    REQUESTS_MAX = 8,
    LOOPLETS = SLOT_MAX / LOOPLET_SLOTS,
};

#define INVENTORY_RETRY_NS MS(10)

/* An admitted drive command: given to the world, which has not answered. */
struct running {
    bool used;
    bool draining;         /* a fence of its bank waits for it */
    uint64_t drain_end_ns; /* ... until then */
    bool given_up;         /* was waited for long enough: its drive is off line until it ends */
    uint32_t life;         /* with the index, the tag by which the world knows it */
    uint32_t next_free;
    uint8_t drive; /* index */
    uint8_t module, group;
    struct member member;
    uint64_t begin_ns;
    port_id unit, to; /* who asked, and which port of ours */
    struct drive_message message;
};

/* A unit's port. */
struct port {
    bool linked;
    uint64_t login;       /* the current one; 0: none, nothing is admitted */
    struct member member; /* of that login */
    uint32_t running;     /* commands of any login of this port, less those given up */
    bool wants_login;     /* has asked, and is not answered */
    struct member wanted;
    uint64_t login_end_ns; /* earlier commands are waited for until then */
    uint64_t retry_ns;     /* not before: there was no buffer for the inventory */
    uint64_t signal_ns;    /* the unit's clock in its last signal ... */
    uint64_t signal_at;    /* ... and when that came; 0: none came */
    struct loop_port_counters counters;
    uint8_t stopping; /* as it said then: 1 it stops in order, 2 it has */
};

enum bank_state {
    BANK_STATE_UNFENCED, /* no fence was ever asked: nobody is allowed */
    BANK_STATE_STORING,  /* the fence is refused by already, and is being made durable */
    BANK_STATE_DRAINING, /* durable; older commands are being waited for */
    BANK_STATE_FENCED,   /* the allowed units may work */
    BANK_STATE_FAILED,   /* it could not be made durable: nobody is allowed */
    BANK_STATES,
};

struct bank {
    enum bank_state state;
    uint64_t epoch;
    struct members allowed;
    uint64_t version;  /* of the stored state that first holds this fence */
    uint64_t since_ns; /* when it was asked */
    uint64_t end_ns;   /* DRAINING: when the next of them is given up */
    uint32_t draining; /* commands that it waits for */
    uint32_t given_up; /* ... and those that it waits for no more */
    uint64_t refused;
    struct {
        bool waiting;
        uint64_t tag;
    } asker[MODULE_MAX];
};

struct drive {
    uint8_t slot;
    /* its port on the looplet: looplet.c, bypass.c */
    enum loop_port_state state;
    uint8_t al_pa;     /* AL_PA_NONE: it has never taken part */
    bool by_hand;      /* durable: bypassed until a person releases it */
    bool located;      /* its light is on */
    uint16_t life;     /* counts how often it came onto the loop */
    bool testing;      /* a test of the port is under way ... */
    uint64_t test;     /* ... by this tag */
    uint64_t test_ns;  /* when the last one began */
    uint64_t again_ns; /* off the loop: when it is tested next */
    uint64_t back_off_ns;
    /* being adopted: adopt.c */
    uint64_t wipe; /* tag of what is under way; 0: nothing is */
    uint32_t wipes;
    bool wipe_failed, wipe_flushing;
    uint64_t wipe_request;
    uint64_t online_ns; /* since when it is on the loop */
    struct {
        uint64_t begin_ns;
        uint32_t errors;
    } window;
    struct {
        uint64_t begin_ns;
        uint32_t joins;
    } flaps;
    struct loop_port_counters counters;
    /* whose it is: assign.c */
    uint8_t bank;   /* durable; BANK_NONE: free */
    uint8_t wanted; /* being made durable; BANK_NONE: nothing is */
    uint64_t wanted_version;
    bool leaving; /* `bank` is BANK_NONE again, and that is being made durable ... */
    uint8_t left; /* ... it was of this one */
    struct {
        bool waiting;
        uint8_t module;
        uint64_t tag;
        uint64_t epoch;
    } asker;
    uint32_t queued;  /* commands under way */
    uint32_t overdue; /* of them given up: while there are any, the drive is off line */
    uint64_t reads, writes, read_bytes, written_bytes;
};

struct loopswitch {
    struct loopswitch_config config;
    struct trace *trace;
    struct buffer_pool *buffers;
    bool own_buffers;
    port_id self;
    uint64_t now_ns;
    uint64_t next_signal_ns;
    uint64_t logins; /* the last login number given */
    struct port port[MODULE_MAX][GROUP_MAX];
    struct bank bank[GROUP_MAX];
    struct drive drive[SLOT_MAX];    /* in the order of the configuration */
    uint8_t drive_of_slot[SLOT_MAX]; /* index, or 0xFF */
    /* durable state: version counts changes in memory; all up to `settled` are stored or given up
     */
    uint64_t version, storing, settled; /* storing: the version under way; 0: none */
    /* admitted commands */
    uint32_t admitted, first_free, lives;
    struct running *running; /* config.commands_max of them */
    struct histogram took[LOOPSWITCH_OPS];
    /* the end */
    uint64_t told_ns; /* to stop; 0: not */
    bool stopping, flushing, stopped;
    uint32_t flushes;
    /* people's requests that wait for the store */
    struct {
        bool waiting;
        uint64_t tag, version;
        const char *answer;
    } request[REQUESTS_MAX];
};

/* Tags of commands of our own have this bit; those without TEST_TAG and
 * WIPE_TAG are flushes at the end. */
#define OWN_TAG (1ull << 63)
#define TEST_TAG (1ull << 8)
#define WIPE_TAG (1ull << 9)

/* It takes commands, or will in a moment, and has ended all that it was given up on. */
static inline bool loopswitch_on_line(const struct drive *drive)
{
    return (drive->state == LOOP_PORT_ONLINE || drive->state == LOOP_PORT_INITIALISING) &&
           drive->overdue == 0;
}

/* Commands that one drive may have under way: one that hangs keeps the others' places free. */
static inline uint32_t loopswitch_share(const struct loopswitch *x)
{
    return x->config.drives ? x->config.commands_max / x->config.drives : 0;
}

/* ---- loopswitch.c ---- */

/* The unit's port that a message or link event is of, or NULL. */
struct port *loopswitch_port(struct loopswitch *x, port_id port);
/* "A1 B1": the units of the set, in that group. */
const char *loopswitch_members_name(const struct members *set, int group, char *out, size_t bytes);

/* ---- ports.c ---- */
void loopswitch_link_up(struct loopswitch *x, port_id unit);
void loopswitch_link_down(struct loopswitch *x, port_id unit);
void loopswitch_login(struct loopswitch *x, const struct message *message);
/* Answers the logins that need wait no longer. */
void loopswitch_logins_go_on(struct loopswitch *x, struct actions *actions);
void loopswitch_signals_go_on(struct loopswitch *x, struct actions *actions);
/* The inventory has changed: every unit that is logged in gets a new login, once what it sent under
 * its earlier one has ended. Nothing that it sent before it knew reaches a drive. */
void loopswitch_tell_anew(struct loopswitch *x);

/* ---- looplet.c ---- */
const char *loopswitch_state_name(enum loop_port_state state);
void loopswitch_become(struct loopswitch *x, struct drive *drive, enum loop_port_state state,
                       const char *why, struct actions *actions);
/* The ports of a looplet, as they are now, take addresses. Others keep theirs. True: one of them
 * has another one than before. */
bool loopswitch_take_addresses(struct loopswitch *x, uint32_t looplet);
/* A drive that is off the loop answers: its looplet is initialised, and it takes part. */
void loopswitch_join(struct loopswitch *x, struct drive *drive, struct actions *actions);
/* LIP: every port of that looplet is tested, and takes part only if it answers. */
void loopswitch_lip(struct loopswitch *x, uint32_t looplet, struct actions *actions);
/* A port has been tested, or given up. */
void loopswitch_lip_goes_on(struct loopswitch *x, uint32_t looplet, struct actions *actions);

/* ---- bypass.c ---- */
enum drive_verdict loopswitch_verdict(enum drive_op op, enum drive_status status);
/* Takes the answer to a command into account. */
void loopswitch_count(struct loopswitch *x, struct drive *drive, enum drive_op op,
                      enum drive_status status, struct actions *actions);
/* Off the loop: tested again after a while. */
void loopswitch_leave(struct loopswitch *x, struct drive *drive, enum loop_port_state state,
                      const char *why, struct actions *actions);
void loopswitch_test(struct loopswitch *x, struct drive *drive, struct actions *actions);
void loopswitch_tested(struct loopswitch *x, uint64_t tag, enum drive_status status,
                       struct actions *actions);
void loopswitch_tests_go_on(struct loopswitch *x, struct actions *actions);
uint64_t loopswitch_tests_wake_ns(const struct loopswitch *x);
/* The world says what is in a slot now. */
void loopswitch_tray(struct loopswitch *x, const struct event *event, struct actions *actions);

/* ---- adopt.c ---- */
/* Wipes what lies on a free drive: its head and its end. NULL: the answer comes later. */
const char *loopswitch_adopt(struct loopswitch *x, struct drive *drive, uint64_t request,
                             struct actions *actions);
void loopswitch_wiped(struct loopswitch *x, uint64_t tag, enum drive_status status,
                      struct actions *actions);

/* ---- request.c ---- */
void loopswitch_reply(uint64_t request, const char *words, struct actions *actions);
void loopswitch_request(struct loopswitch *x, const struct event *event, struct actions *actions);
void loopswitch_requests_stored(struct loopswitch *x, bool ok, struct actions *actions);

/* ---- fence.c ---- */
void loopswitch_fence(struct loopswitch *x, const struct message *message, struct actions *actions);
/* The stored state of x->settled, and so every fence up to it, is durable, or failed to be. */
void loopswitch_fences_stored(struct loopswitch *x, bool ok, struct actions *actions);
void loopswitch_fences_go_on(struct loopswitch *x, struct actions *actions);
/* The fence itself: may this login of a unit work in its bank in that epoch? */
bool loopswitch_fence_allows(const struct bank *bank, struct member member, uint64_t epoch);

/* ---- assign.c ---- */
void loopswitch_assign(struct loopswitch *x, const struct message *message,
                       struct actions *actions);
void loopswitch_assigns_stored(struct loopswitch *x, bool ok, struct actions *actions);

/* ---- admit.c ---- */
void loopswitch_admit(struct loopswitch *x, const struct message *message, struct actions *actions);
/* The world has carried out a command. */
void loopswitch_completed(struct loopswitch *x, const struct event *event, struct actions *actions);
/* Waits for the command no longer: its drive is off line until it ends. */
void loopswitch_give_up(struct loopswitch *x, struct running *command);

/* ---- stored.c ---- */
uint32_t loopswitch_encode(const struct loopswitch *x, uint8_t *out);
/* Banks and assignments; false: damaged, or of a version that we do not know. */
bool loopswitch_decode(struct loopswitch *x, const uint8_t *bytes, uint32_t length);
/* The durable state has changed in memory: it will be stored. Returns its version. */
uint64_t loopswitch_changed(struct loopswitch *x);
void loopswitch_store_goes_on(struct loopswitch *x, struct actions *actions);
void loopswitch_stored(struct loopswitch *x, const struct event *event, struct actions *actions);

#endif
