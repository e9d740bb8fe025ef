/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_LOOPSWITCH_BENCH_H
#define SEGUE_LOOPSWITCH_BENCH_H

/* For this room's tests: a loop switch on a bench, and what its tests say to it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "loopswitch/loopswitch.h"

/* One loop switch with three drives; the test is the units, the drives and the disk. */
struct bench {
    struct loopswitch *x;
    struct loopswitch_config config;
    struct trace trace;
    struct actions *actions;
    struct buffer_pool *pool;
    uint64_t now_ns;
    uint64_t login[2]; /* of module 0 and 1, group 0 */
    uint64_t incarnation[2];
    uint8_t stored[512]; /* what the disk has */
    uint32_t stored_length;
};

enum { INDEX = 1, DRIVE_BYTES = 1 << 20, DRIVE_COMMANDS = 8, COMMANDS = 3 * DRIVE_COMMANDS };
enum { A = 0, B = 1 };

uint8_t bench_drive_number(int slot);
void bench_boot(struct bench *b);
void bench_begin(struct bench *b);
void bench_drop_actions(struct bench *b);
void bench_end(struct bench *b);
void bench_step(struct bench *b, struct event event);
void bench_wait_ns(struct bench *b, uint64_t ns);
void bench_hear(struct bench *b, int module, struct message message);
/* The n-th action of that kind in the last step, or NULL. */
const struct action *bench_done(const struct bench *b, enum action_kind kind, int n);
const struct message *bench_said(const struct bench *b, enum message_kind kind, int module);
void bench_link_up(struct bench *b, int module);
void bench_link_down(struct bench *b, int module);
void bench_ask_login(struct bench *b, int module);
bool bench_take_login(struct bench *b, int module);
void bench_log_in(struct bench *b, int module);
/* Takes the ACTION_STORE of the last step to the disk and answers it. */
void bench_store(struct bench *b, bool ok);
struct members bench_allowed_of(const struct bench *b, bool with_a, bool with_b);
void bench_ask_fence(struct bench *b, int module, uint64_t epoch, struct members allowed,
                     uint64_t tag);
void bench_expect_fence_answer(const struct bench *b, int module, enum fence_result result,
                               uint64_t tag);
void bench_fence(struct bench *b, int module, uint64_t epoch, struct members allowed);
bool bench_ask_assign(struct bench *b, int module, int slot, uint64_t epoch);
void bench_assign(struct bench *b, int module, int slot, uint64_t epoch);
/* A and B logged in, A primary in epoch 1, drives 0 and 2 in the bank. */
void bench_work(struct bench *b);
struct drive_message bench_read_of(const struct bench *b, int module, int slot, uint64_t epoch);
/* Status of the refusal, or DRIVE_OK when it was admitted; *tag is the world's. */
enum drive_status bench_ask(struct bench *b, int module, struct drive_message drive,
                            struct slice payload, uint64_t *tag);
enum drive_status bench_ask_read(struct bench *b, int module, int slot, uint64_t epoch,
                                 uint64_t *tag);
void bench_complete(struct bench *b, uint64_t tag, enum drive_status status, struct slice data);
void bench_complete_read(struct bench *b, uint64_t tag);

#endif
