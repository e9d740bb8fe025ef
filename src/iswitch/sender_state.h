/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ISWITCH_SENDER_STATE_H
#define SEGUE_ISWITCH_SENDER_STATE_H

/* What a sender holds, for sender.c, sender_receive.c and sender_pump.c alone. */

#include "base/mutant.h"
#include "iswitch/sender.h"

enum {
    /* Sequences between the oldest unanswered command of a group and its newest. As a unit forgets
     * outcomes only up to the oldest unanswered one, this bounds what it must keep for a sender. */
    SENDER_SPAN = 2 * SENDER_WINDOW,
    SENDER_NOTICES = GROUP_MAX * SENDER_WINDOW, /* responses that the owner has not taken yet */
    SENDER_PUMP_MAX = 2000,                     /* actions of one pump */
    SENDER_ACTIONS_SPARE = 256, /* of the world's list, left to whoever shares the step */
};

#define SENDER_BACK_OFF_NS MS(10)     /* after a copy was refused for room, role or epoch */
#define SENDER_SELF_PROOF_NS MS(1)    /* between copies of a command that is its own proof */
#define SENDER_CONFIRM_DELAY_NS MS(5) /* a confirmation waits so long for a command to carry it */

enum entry_state {
    ENTRY_STATE_FREE,
    ENTRY_STATE_OPEN,    /* to be sent, or sent and not answered */
    ENTRY_STATE_WAITING, /* refused as stale: sent again once its host is proved to live */
};

struct entry {
    enum entry_state state;
    bool asked;     /* WAITING: SENDER_NOTICE_PROVE of its nexus has been given */
    uint8_t copies; /* bit m: a copy went to module m's unit; 0: it was never sent */
    uint8_t again;  /* bit m: at again_ns that unit gets another copy */
    uint64_t again_ns;
    uint64_t begun_ns; /* its last byte left the host */
    uint64_t proof_ns; /* last proof that its host lived */
    uint64_t sent_ns;
    uint64_t cookie;
    struct command_message command;
    struct slice payload;
};

/* A member of the group, by module number. */
struct unit_port {
    bool member;
    uint64_t next;      /* the lowest sequence that it has not been sent since its last resend */
    uint64_t told;      /* the confirmation that it last got */
    uint64_t heard_ns;  /* anything came, or the link came up; 0: never */
    uint64_t signal_ns; /* its clock in its last signal ... */
    uint64_t signal_at; /* ... and when that came; 0: none came */
};

struct sender_group {
    uint64_t epoch, cut;
    bool serving;
    bool view_changed;  /* SENDER_NOTICE_VIEW is due */
    bool cut_changed;   /* ... and says so */
    uint8_t primary;    /* module */
    uint8_t in_sync;    /* bit m */
    uint8_t linked;     /* bit m */
    uint64_t confirmed; /* every sequence up to this one is answered */
    uint64_t last;      /* the newest sequence */
    uint32_t open;      /* entries that are not free */
    uint32_t unasked;   /* WAITING ones whose nexus the owner must still be asked to prove */
    uint64_t again_ns;  /* not later than the first again_ns of its entries */
    uint64_t
        confirm_ns; /* confirmations that no command carried go out now; UINT64_MAX: none due */
    uint64_t resent;
    struct unit_port unit[MODULE_MAX];
    struct entry at[SENDER_SPAN]; /* by sequence % SENDER_SPAN */
};

struct notice {
    struct sender_notice notice;
    struct response_message response;
};

struct sender {
    struct sender_config config;
    struct trace *trace;
    uint64_t session;
    bool dead;      /* the session is over; until sender_renew nothing is taken or sent */
    bool dead_told; /* ... and the owner knows */
    bool more;      /* the last pump ran out of room */
    uint64_t now_ns;
    uint64_t next_signal_ns;
    uint32_t notice_first, notice_count;
    struct notice taken; /* what sender_next_notice gave last */
    struct notice notices[SENDER_NOTICES];
    struct sender_group group[GROUP_MAX];
};

static inline struct entry *sender_entry(struct sender_group *group, uint64_t sequence)
{
    return &group->at[sequence % SENDER_SPAN];
}
/* Units that commands go to now: bit m. */
static inline uint8_t sender_active(const struct sender_group *group)
{
    return group->serving ? group->in_sync & group->linked : 0;
}
/* These kinds come from the sender itself or end something: no host need be asked for them. */
static inline bool sender_self_proof(const struct command_message *command)
{
    return command->kind != COMMAND_SCSI || command->nexus == NEXUS_NONE;
}

/* The entry is answered: gives the response to the owner and frees the entry. */
void sender_answer(struct sender *sender, uint8_t g, struct entry *entry,
                   const struct response_message *response, struct slice payload);
/* Sends everything outstanding again to the units of `mask`, from the oldest on. */
void sender_rewind(struct sender *sender, struct sender_group *group, uint8_t mask);
/* Confirms what is confirmed, within a moment, to the units that have not been told. */
void sender_confirm_soon(struct sender *sender, struct sender_group *group);
/* Sends the entry again to the units of `mask`, not before `at_ns`. */
void sender_again(struct sender_group *group, struct entry *entry, uint8_t mask, uint64_t at_ns);
/* Leaves or enters ENTRY_STATE_WAITING. */
void sender_wait(struct sender_group *group, struct entry *entry, bool waiting);
/* The session is over: drops everything outstanding. */
void sender_end(struct sender *sender);

#endif
