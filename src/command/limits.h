/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_COMMAND_LIMITS_H
#define SEGUE_COMMAND_LIMITS_H

/* How large an array can be, and the time limits of the command protocol. */

#include <stdint.h>

enum {
    MODULE_MAX = 4,           /* storage array controller modules */
    GROUP_MAX = 2,            /* multicast groups = array controller units of a module */
    SWITCH_MAX = 4,           /* interface switches */
    MANAGER_MAX = MODULE_MAX, /* management endpoints, one in each module's process */
    SENDER_MAX = SWITCH_MAX + MANAGER_MAX,
    LOOP_MAX = 4,              /* loop switches */
    SLOT_MAX = 24,             /* drive slots of a loop switch's tray ... */
    LOOPLET_SLOTS = 8,         /* ... so many on each looplet of its loop */
    DRIVE_MAX = LOOP_MAX * 32, /* a drive's number is loop * 32 + slot */
    POOL_MAX = 16,             /* pools of a group */
    VOLUME_MAX = 1024,         /* volumes of a group */
    LUN_MAX = VOLUME_MAX * GROUP_MAX,
    NAME_BYTES = 32, /* a volume's, pool's, host's name with its terminating 0 */

    SENDER_WINDOW = 512, /* commands one sender has outstanding in one group at most */
    QUEUE_MAX = SENDER_MAX * SENDER_WINDOW,
    COMMAND_DATA_MAX = 1 << 20, /* bytes of data of one host command */
    SENSE_MAX = 32,
    EFFECT_MAX = 5120, /* bytes of one RESOLVED effect */
};

#define MS(x) ((uint64_t)(x)*1000000u)

/* docs/PROTOCOL.md, "Limits". All monotonic nanoseconds. */
struct limits {
    uint64_t signal_ns;       /* an availability signal each ... */
    uint64_t availability_ns; /* nothing at all came from a peer */
    uint64_t handshake_ns;    /* a secondary holds a command without READY or refusal */
    uint64_t ready_ns;        /* a primary has no READY for an order from one that signals */
    uint64_t processing_ns;   /* READY came, DONE did not, no progress is reported */
    uint64_t stale_ns;        /* a copy this old gets no order */
    uint64_t forward_ns;      /* a secondary forwards a command without READY */
    uint64_t drive_ns;        /* one try of a drive command */
    uint64_t drive_total_ns;  /* all tries */
    uint64_t drain_ns;        /* a drive command admitted before a fence */
    uint64_t lease_ns;        /* a lone primary's lease */
    uint64_t fence_ns;        /* a claim that stands unserved this long may be claimed back */
    uint64_t settle_ns; /* before control goes back to the preferred unit; UINT64_MAX: manual */
    uint64_t nop_ns;    /* a silent host connection is pinged; twice: dropped */
};

static inline struct limits limits_default(void)
{
    return (struct limits){
        .signal_ns = MS(25),
        .availability_ns = MS(150),
        .handshake_ns = MS(200),
        .ready_ns = MS(200),
        .processing_ns = MS(5000),
        .stale_ns = MS(100),
        .forward_ns = MS(20),
        .drive_ns = MS(1000),
        .drive_total_ns = MS(5000),
        .drain_ns = MS(1000),
        .lease_ns = MS(1000),
        .fence_ns = MS(2000),
        .settle_ns = MS(60000),
        .nop_ns = MS(5000),
    };
}

#endif
