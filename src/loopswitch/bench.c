/* SPDX-License-Identifier: Apache-2.0 */
#include "loopswitch/bench.h"

uint8_t bench_drive_number(int slot)
{
    return (uint8_t)(INDEX * 32 + slot);
}

void bench_boot(struct bench *b)
{
    b->x = loopswitch_new(&b->config, &b->trace);
    assert_non_null(b->x);
}

void bench_begin(struct bench *b)
{
    memset(b, 0, sizeof *b);
    strcpy(b->trace.name, "L2");
    b->now_ns = MS(1000);
    b->actions = actions_new();
    b->pool = buffer_pool_new(4 << 20);
    b->incarnation[A] = 11;
    b->incarnation[B] = 22;
    b->config = (struct loopswitch_config){.index = INDEX,
                                           .incarnation = 7,
                                           .groups = 2,
                                           .commands_max = COMMANDS,
                                           .buffers = b->pool,
                                           .drives = 3};
    b->config.limits = limits_default();
    for (uint8_t i = 0; i < 3; i++) {
        b->config.drive[i].slot = (uint8_t)(2 * i); /* slots 0, 2, 4 */
        b->config.drive[i].online = true;
        b->config.drive[i].bytes = DRIVE_BYTES;
        b->config.drive[i].block_bytes = 4096;
        strcpy(b->config.drive[i].serial, "serial");
    }
    bench_boot(b);
}

void bench_drop_actions(struct bench *b)
{
    for (uint32_t i = 0; i < b->actions->count; i++) {
        struct action *action = &b->actions->at[i];
        if (action->kind == ACTION_SEND)
            slice_drop(&action->message.payload);
        if (action->kind == ACTION_DRIVE)
            slice_drop(&action->drive.data);
    }
    b->actions->count = 0;
}

void bench_end(struct bench *b)
{
    bench_drop_actions(b);
    loopswitch_check(b->x);
    loopswitch_free(b->x);
    assert_int_equal(buffer_pool_used(b->pool), 0);
    buffer_pool_free(b->pool);
    actions_free(b->actions);
}

void bench_step(struct bench *b, struct event event)
{
    bench_drop_actions(b);
    event.now_ns = b->now_ns;
    loopswitch_step(b->x, &event, b->actions);
}

void bench_wait_ns(struct bench *b, uint64_t ns)
{
    b->now_ns += ns;
    bench_step(b, (struct event){.kind = EVENT_TIME});
}

void bench_hear(struct bench *b, int module, struct message message)
{
    if (!message.from)
        message.from = port_unit(module, 0);
    message.to = port_loop(INDEX);
    bench_step(b, (struct event){.kind = EVENT_MESSAGE, .message = &message});
}

const struct action *bench_done(const struct bench *b, enum action_kind kind, int n)
{
    for (uint32_t i = 0; i < b->actions->count; i++)
        if (b->actions->at[i].kind == kind && n-- == 0)
            return &b->actions->at[i];
    return NULL;
}

const struct message *bench_said(const struct bench *b, enum message_kind kind, int module)
{
    for (uint32_t i = 0; i < b->actions->count; i++) {
        const struct action *action = &b->actions->at[i];
        if (action->kind == ACTION_SEND && action->message.kind == kind &&
            action->message.to == port_unit(module, 0))
            return &action->message;
    }
    return NULL;
}

void bench_link_up(struct bench *b, int module)
{
    bench_step(b, (struct event){.kind = EVENT_LINK_UP, .link = {.port = port_unit(module, 0)}});
}

void bench_link_down(struct bench *b, int module)
{
    bench_step(b, (struct event){.kind = EVENT_LINK_DOWN, .link = {.port = port_unit(module, 0)}});
}

void bench_ask_login(struct bench *b, int module)
{
    bench_hear(b, module,
               (struct message){
                   .kind = MESSAGE_LOGIN,
                   .login = {.group = 0, .member = {(uint8_t)module, b->incarnation[module]}}});
}

bool bench_take_login(struct bench *b, int module)
{
    const struct message *m = bench_said(b, MESSAGE_LOGIN_ACCEPT, module);
    if (m)
        b->login[module] = m->login.login;
    return m != NULL;
}

void bench_log_in(struct bench *b, int module)
{
    bench_link_up(b, module);
    bench_ask_login(b, module);
    assert_true(bench_take_login(b, module));
}

void bench_store(struct bench *b, bool ok)
{
    const struct action *action = bench_done(b, ACTION_STORE, 0);
    assert_non_null(action);
    if (ok) {
        b->stored_length = action->store.length;
        memcpy(b->stored, action->store.bytes, action->store.length);
    }
    bench_step(
        b, (struct event){.kind = EVENT_STORED, .stored = {.tag = action->store.tag, .ok = ok}});
}

struct members bench_allowed_of(const struct bench *b, bool with_a, bool with_b)
{
    struct members set = {0};
    if (with_a)
        members_add(&set, (struct member){A, b->incarnation[A]});
    if (with_b)
        members_add(&set, (struct member){B, b->incarnation[B]});
    return set;
}

void bench_ask_fence(struct bench *b, int module, uint64_t epoch, struct members allowed,
                     uint64_t tag)
{
    bench_hear(
        b, module,
        (struct message){.kind = MESSAGE_FENCE,
                         .fence = {.bank = 0, .epoch = epoch, .allowed = allowed, .tag = tag}});
}

void bench_expect_fence_answer(const struct bench *b, int module, enum fence_result result,
                               uint64_t tag)
{
    const struct message *m = bench_said(b, MESSAGE_FENCE_ANSWER, module);
    assert_non_null(m);
    assert_int_equal(m->fence.result, result);
    assert_int_equal(m->fence.tag, tag);
}

void bench_fence(struct bench *b, int module, uint64_t epoch, struct members allowed)
{
    bench_ask_fence(b, module, epoch, allowed, epoch);
    bench_store(b, true);
    bench_expect_fence_answer(b, module, FENCE_DONE, epoch);
}

bool bench_ask_assign(struct bench *b, int module, int slot, uint64_t epoch)
{
    bench_hear(
        b, module,
        (struct message){
            .kind = MESSAGE_ASSIGN,
            .assign = {.bank = 0, .epoch = epoch, .drive = bench_drive_number(slot), .tag = 5}});
    const struct message *m = bench_said(b, MESSAGE_ASSIGN_ANSWER, module);
    return m && m->assign.done;
}

void bench_assign(struct bench *b, int module, int slot, uint64_t epoch)
{
    assert_false(bench_ask_assign(b, module, slot, epoch));
    bench_store(b, true);
    const struct message *m = bench_said(b, MESSAGE_ASSIGN_ANSWER, module);
    assert_non_null(m);
    assert_true(m->assign.done);
}

void bench_work(struct bench *b)
{
    bench_log_in(b, A);
    bench_log_in(b, B);
    bench_fence(b, A, 1, bench_allowed_of(b, true, true));
    bench_assign(b, A, 0, 1);
    bench_assign(b, A, 2, 1);
}

struct drive_message bench_read_of(const struct bench *b, int module, int slot, uint64_t epoch)
{
    return (struct drive_message){.bank = 0,
                                  .drive = bench_drive_number(slot),
                                  .op = DRIVE_READ,
                                  .epoch = epoch,
                                  .login = b->login[module],
                                  .tag = 900,
                                  .offset = 4096,
                                  .length = 4096};
}

enum drive_status bench_ask(struct bench *b, int module, struct drive_message drive,
                            struct slice payload, uint64_t *tag)
{
    bench_hear(b, module,
               (struct message){.kind = MESSAGE_DRIVE_COMMAND, .drive = drive, .payload = payload});
    const struct message *m = bench_said(b, MESSAGE_DRIVE_RESPONSE, module);
    const struct action *action = bench_done(b, ACTION_DRIVE, 0);
    assert_true(!m != !action);
    if (m) {
        assert_int_equal(m->drive.tag, drive.tag);
        return (enum drive_status)m->drive.status;
    }
    if (tag)
        *tag = action->drive.tag;
    assert_int_equal(action->drive.slot, drive.drive % 32);
    return DRIVE_OK;
}

enum drive_status bench_ask_read(struct bench *b, int module, int slot, uint64_t epoch,
                                 uint64_t *tag)
{
    return bench_ask(b, module, bench_read_of(b, module, slot, epoch), slice_none(), tag);
}

void bench_complete(struct bench *b, uint64_t tag, enum drive_status status, struct slice data)
{
    bench_step(b, (struct event){.kind = EVENT_DRIVE,
                                 .drive = {.tag = tag, .status = status, .data = data}});
}

void bench_complete_read(struct bench *b, uint64_t tag)
{
    struct buffer *buffer = buffer_get(b->pool, 4096);
    bench_complete(b, tag, DRIVE_OK, slice_of(buffer, 0, 4096));
    buffer_unref(buffer);
}
