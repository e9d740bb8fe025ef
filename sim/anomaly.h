/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SIM_ANOMALY_H
#define SEGUE_SIM_ANOMALY_H

/* One action of an array goes wrong. What a machine asks of the world is counted from anomaly_new
 * on: a frame to another process, a drive operation, a durable store, a read or swap of the control
 * register, bytes to a host. Each may fail as its kind can fail:
 *
 *                  once: loud          hang: quiet
 *   frame          the link breaks     nothing passes that way for a while, and nobody is told
 *   drive          it errs             it ends long after its time
 *   store          it fails            it takes very long
 *   register       UNKNOWN: not done   UNKNOWN, and a swap stands
 *   bytes          the connection is   nothing passes for a while
 *                  reset
 *
 * or from then on until anomaly_end (that link, that drive, that process's register, ...); or the
 * process that acts dies, before or after it, and is started again after a while. How long a while
 * is comes from the number of the action. */

#include "sim/site.h"

enum anomaly_mode {
    ANOMALY_ONCE,
    ANOMALY_ALWAYS,
    ANOMALY_HANG,
    ANOMALY_HANG_ALWAYS,
    ANOMALY_CRASH,
    ANOMALY_CRASH_BEFORE,
    ANOMALY_MODES,
    ANOMALY_NONE = ANOMALY_MODES,
};
const char *anomaly_mode_name(enum anomaly_mode mode);

struct anomaly;
/* Kinds of action: what is done, and by which kind of process. */
enum {
    ANOMALY_DEEDS = MESSAGE_KINDS + (DRIVE_FLUSH + 1) + 4,
    ANOMALY_KINDS = ANOMALY_DEEDS * (PORT_KIND_MANAGER + 1),
};
/* "loop switch sends fence-answer", "unit reads the record" */
void anomaly_kind_name(int kind, char *out, uint32_t bytes);

/* What there is to know of an action before it goes wrong. */
struct anomaly_action {
    uint64_t number;
    int kind;
    bool signal;  /* of availability */
    bool routine; /* ... and nothing but signals since the last one between these two */
    bool begins;  /* the first of its step: else to die before it is to die after the last one */
};
/* Asked at each action; ANOMALY_NONE: it goes well. */
typedef enum anomaly_mode anomaly_choose(void *context, const struct anomaly_action *action);
struct anomaly *anomaly_new(struct site *site, anomaly_choose *choose, void *context);
void anomaly_free(struct anomaly *anomaly);
uint64_t anomaly_actions(const struct anomaly *anomaly); /* so far */
/* Something went wrong on purpose. */
bool anomaly_struck(const struct anomaly *anomaly);
/* ... in a module, or at a link or the register that a module uses. */
bool anomaly_struck_module(const struct anomaly *anomaly);
/* ... and one of it cannot serve for that: a module died, or reaches the register no more. */
bool anomaly_disabled_module(const struct anomaly *anomaly);
/* ... in a tray, or at a link of one. */
bool anomaly_struck_tray(const struct anomaly *anomaly);
/* "action 812: A1 sends held to B1" */
const char *anomaly_sentence(const struct anomaly *anomaly);
/* Somebody wants that process dead: it is not started again by itself. */
void anomaly_leave_dead(struct anomaly *anomaly, int process);
/* Nothing goes wrong any more. What still does is for site_heal to end. */
void anomaly_end(struct anomaly *anomaly);
/* How often the array said that acknowledged data in a volatile cache is lost. */
uint32_t anomaly_losses(const struct anomaly *anomaly);
/* ... that acknowledged data that a drive had not flushed may be. */
uint32_t anomaly_tray_losses(const struct anomaly *anomaly);

#endif
