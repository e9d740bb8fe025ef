/* SPDX-License-Identifier: Apache-2.0 */
#include "iswitch/manager.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MODULE = 1, SENDER = SWITCH_MAX + MODULE, SESSION = 40 };

struct bench {
    struct manager *manager;
    struct trace trace;
    struct actions *actions;
    struct buffer_pool *pool;
    uint64_t now_ns;
};

static void drop_actions(struct bench *b)
{
    for (uint32_t i = 0; i < b->actions->count; i++)
        if (b->actions->at[i].kind == ACTION_SEND)
            slice_drop(&b->actions->at[i].message.payload);
    b->actions->count = 0;
}

static void step(struct bench *b, struct event event)
{
    drop_actions(b);
    event.now_ns = b->now_ns;
    manager_step(b->manager, &event, b->actions);
}

static void hear(struct bench *b, struct message message)
{
    message.from = port_unit(0, 0);
    message.to = port_manager(MODULE);
    step(b, (struct event){.kind = EVENT_MESSAGE, .message = &message});
}

static void hear_view(struct bench *b, struct view_message view)
{
    view.serving = true;
    view.in_sync = 1;
    hear(b, (struct message){.kind = MESSAGE_VIEW, .view = view});
}

static int begin(void **state)
{
    static struct bench b;
    memset(&b, 0, sizeof b);
    struct sender_config config = {
        .sender = SENDER, .self = port_manager(MODULE), .session = SESSION, .groups = 1};
    config.limits = limits_default();
    config.group[0].members = 2;
    config.group[0].module[1] = 1;
    b.actions = actions_new();
    b.pool = buffer_pool_new(1 << 20);
    b.now_ns = MS(1000);
    b.manager = manager_new(&config, &b.trace);
    assert_non_null(b.manager);
    step(&b, (struct event){.kind = EVENT_LINK_UP, .link = {.port = port_unit(0, 0)}});
    hear_view(&b, (struct view_message){.epoch = 1});
    *state = &b;
    return 0;
}

static int end(void **state)
{
    struct bench *b = *state;
    drop_actions(b);
    manager_free(b->manager);
    assert_int_equal(buffer_pool_used(b->pool), 0);
    buffer_pool_free(b->pool);
    actions_free(b->actions);
    return 0;
}

static bool submit(struct bench *b, uint64_t cookie)
{
    return manager_submit(b->manager, 0, (const uint8_t *)"request", 7, b->pool, b->now_ns, cookie);
}

static const struct message *command(const struct bench *b)
{
    for (uint32_t i = 0; i < b->actions->count; i++)
        if (b->actions->at[i].kind == ACTION_SEND &&
            b->actions->at[i].message.kind == MESSAGE_COMMAND)
            return &b->actions->at[i].message;
    return NULL;
}

static void respond(struct bench *b, uint64_t sequence, uint8_t status, const char *text)
{
    struct message m = {.kind = MESSAGE_RESPONSE,
                        .response = {.id = {SENDER, SESSION, sequence}, .status = status}};
    uint32_t length = (uint32_t)strlen(text);
    struct buffer *buffer = length ? buffer_get(b->pool, length) : NULL;
    if (buffer)
        memcpy(buffer->data, text, length);
    m.payload = slice_of(buffer, 0, length);
    hear(b, m);
    buffer_unref(buffer);
}

static void test_request_and_answer(void **state)
{
    struct bench *b = *state;
    struct manager_answer answer;
    assert_true(submit(b, 77));
    assert_true(manager_wake_ns(b->manager) <= b->now_ns);
    step(b, (struct event){.kind = EVENT_TIME});
    const struct message *m = command(b);
    assert_non_null(m);
    assert_int_equal(m->command.kind, COMMAND_MANAGE);
    assert_int_equal(m->command.id.sender, SENDER);
    assert_int_equal(m->command.nexus, NEXUS_NONE);
    assert_int_equal(m->payload.length, 7);
    assert_memory_equal(slice_bytes(m->payload), "request", 7);
    assert_false(manager_next_answer(b->manager, &answer));
    respond(b, 1, 0, "volume=3");
    assert_true(manager_next_answer(b->manager, &answer));
    assert_int_equal(answer.cookie, 77);
    assert_int_equal(answer.status, 0);
    assert_false(answer.lost);
    assert_string_equal(answer.text, "volume=3");
    assert_int_equal(answer.text_length, 8);
    assert_false(manager_next_answer(b->manager, &answer));
    submit(b, 78);
    step(b, (struct event){.kind = EVENT_TIME});
    respond(b, 2, 2, "there is no such pool");
    assert_true(manager_next_answer(b->manager, &answer));
    assert_int_equal(answer.status, 2);
    assert_string_equal(answer.text, "there is no such pool");
}

static void test_limits(void **state)
{
    struct bench *b = *state;
    struct manager_answer answer;
    char request[MANAGER_REQUEST_BYTES + 1] = "";
    const uint8_t *bytes = (const uint8_t *)request;
    assert_false(manager_submit(b->manager, 0, bytes, 0, b->pool, b->now_ns, 1));
    assert_false(manager_submit(b->manager, 0, bytes, sizeof request, b->pool, b->now_ns, 1));
    assert_false(manager_submit(b->manager, 1, bytes, 5, b->pool, b->now_ns, 1));
    for (uint64_t i = 0; i < MANAGER_REQUESTS; i++)
        assert_true(submit(b, i));
    assert_false(submit(b, 99));
    step(b, (struct event){.kind = EVENT_TIME});
    char text[2 * MANAGER_TEXT_BYTES];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    respond(b, 5, 0, text);
    assert_false(submit(b, 99)); /* its place is free once its answer is taken */
    assert_true(manager_next_answer(b->manager, &answer));
    assert_int_equal(answer.cookie, 4);
    assert_int_equal(answer.text_length, MANAGER_TEXT_BYTES - 1);
    assert_int_equal(strlen(answer.text), MANAGER_TEXT_BYTES - 1);
    assert_true(submit(b, 99));
}

static void test_lost(void **state)
{
    struct bench *b = *state;
    struct manager_answer answer;
    submit(b, 1);
    step(b, (struct event){.kind = EVENT_TIME});
    hear_view(b, (struct view_message){.epoch = 4, .cut = 4}); /* the outcomes are gone */
    assert_true(manager_next_answer(b->manager, &answer));
    assert_int_equal(answer.cookie, 1);
    assert_true(answer.lost);
    submit(b, 2);
    submit(b, 3);
    step(b, (struct event){.kind = EVENT_TIME});
    hear_view(b, (struct view_message){.epoch = 4, .cut = 4, .dead_session = SESSION});
    for (uint64_t cookie = 2; cookie <= 3; cookie++) {
        assert_true(manager_next_answer(b->manager, &answer));
        assert_int_equal(answer.cookie, cookie);
        assert_true(answer.lost);
    }
    assert_false(manager_next_answer(b->manager, &answer));
    assert_true(submit(b, 4)); /* in a new session */
    step(b, (struct event){.kind = EVENT_TIME});
    assert_int_equal(command(b)->command.id.session, SESSION + 1);
    assert_int_equal(command(b)->command.id.sequence, 1);
}

static void test_stop(void **state)
{
    struct bench *b = *state;
    step(b, (struct event){.kind = EVENT_STOP});
    assert_int_equal(b->actions->at[0].kind, ACTION_STOPPED);
    assert_false(submit(b, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_request_and_answer, begin, end),
        cmocka_unit_test_setup_teardown(test_limits, begin, end),
        cmocka_unit_test_setup_teardown(test_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_stop, begin, end),
    };
    return cmocka_run_group_tests_name("manager", tests, NULL, NULL);
}
