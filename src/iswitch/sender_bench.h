/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ISWITCH_SENDER_BENCH_H
#define SEGUE_ISWITCH_SENDER_BENCH_H

/* What the tests of the sender stand on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "iswitch/sender.h"

/* One switch, one group of modules 0 and 1 (and a second group), by hand: the test is the world. */
struct bench {
    struct sender *sender;
    struct trace trace;
    struct actions *actions;
    struct buffer_pool *pool;
    uint64_t now_ns;
};

enum { SESSION = 70, NEXUS = 5 };

static void begin(struct bench *b)
{
    memset(b, 0, sizeof *b);
    struct sender_config config = {
        .sender = 0, .self = port_switch(0), .session = SESSION, .groups = 2};
    config.limits = limits_default();
    for (int g = 0; g < 2; g++) {
        config.group[g].members = 2;
        config.group[g].module[0] = 0;
        config.group[g].module[1] = 1;
    }
    b->actions = actions_new();
    b->pool = buffer_pool_new(1 << 20);
    b->now_ns = MS(1000);
    b->sender = sender_new(&config, &b->trace);
    assert_non_null(b->sender);
}

static void drop_actions(struct bench *b)
{
    for (uint32_t i = 0; i < b->actions->count; i++)
        if (b->actions->at[i].kind == ACTION_SEND)
            slice_drop(&b->actions->at[i].message.payload);
    b->actions->count = 0;
}

static void end(struct bench *b)
{
    drop_actions(b);
    sender_check(b->sender);
    sender_free(b->sender);
    assert_int_equal(buffer_pool_used(b->pool), 0);
    buffer_pool_free(b->pool);
    actions_free(b->actions);
}

static void pump(struct bench *b)
{
    drop_actions(b);
    sender_pump(b->sender, b->now_ns, b->actions);
}

/* Messages of that kind to that unit in the last pump; `last` is the last one of them. */
static int sent(const struct bench *b, enum message_kind kind, int module,
                const struct message **last)
{
    int count = 0;
    for (uint32_t i = 0; i < b->actions->count; i++) {
        const struct action *action = &b->actions->at[i];
        if (action->kind == ACTION_SEND && action->message.kind == kind &&
            action->message.to == port_unit(module, 0)) {
            count++;
            if (last)
                *last = &action->message;
        }
    }
    return count;
}

static struct view_message view_of(uint64_t epoch, uint8_t primary, uint8_t in_sync)
{
    return (struct view_message){
        .group = 0, .epoch = epoch, .serving = true, .primary = primary, .in_sync = in_sync};
}

static void hear(struct bench *b, int module, const struct message *message)
{
    struct message copy = *message;
    copy.from = port_unit(module, 0);
    copy.to = port_switch(0);
    sender_message(b->sender, &copy, b->now_ns);
}

static void hear_view(struct bench *b, int module, struct view_message view)
{
    hear(b, module, &(struct message){.kind = MESSAGE_VIEW, .view = view});
}

static void hear_response(struct bench *b, int module, uint64_t sequence)
{
    hear(b, module,
         &(struct message){.kind = MESSAGE_RESPONSE,
                           .response = {.id = {0, SESSION, sequence}, .group = 0, .status = 0}});
}

static void hear_refuse(struct bench *b, int module, uint64_t sequence, enum refuse_reason reason,
                        uint64_t epoch)
{
    hear(b, module,
         &(struct message){.kind = MESSAGE_REFUSE,
                           .refuse = {.id = {0, SESSION, sequence},
                                      .group = 0,
                                      .reason = (uint8_t)reason,
                                      .epoch = epoch}});
}

/* Both units linked, in sync, module 0 primary, epoch 1; the notice of the view taken. */
static void serve(struct bench *b)
{
    sender_link(b->sender, port_unit(0, 0), true);
    sender_link(b->sender, port_unit(1, 0), true);
    hear_view(b, 0, view_of(1, 0, 3));
    struct sender_notice notice;
    assert_true(sender_next_notice(b->sender, &notice));
    assert_int_equal(notice.kind, SENDER_NOTICE_VIEW);
    assert_false(sender_next_notice(b->sender, &notice));
    pump(b);
}

static uint64_t submit(struct bench *b)
{
    struct command_message command = {.kind = COMMAND_SCSI, .nexus = NEXUS, .volume = 3};
    return sender_submit(b->sender, 0, &command, slice_none(), b->now_ns, 1000);
}

static enum sender_notice_kind next(struct bench *b, struct sender_notice *notice)
{
    assert_true(sender_next_notice(b->sender, notice));
    return notice->kind;
}

static void nothing_more(struct bench *b)
{
    struct sender_notice notice;
    assert_false(sender_next_notice(b->sender, &notice));
}

#endif
