/* SPDX-License-Identifier: Apache-2.0 */
#include "iswitch/sender_bench.h"

static void test_stamp_and_multicast(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    struct buffer *data = buffer_get(b.pool, 4096);
    struct command_message command = {.kind = COMMAND_SCSI, .nexus = NEXUS};
    uint64_t begun = b.now_ns;
    assert_int_equal(sender_submit(b.sender, 0, &command, slice_of(data, 0, 4096), begun, 42), 1);
    buffer_unref(data);
    b.now_ns += MS(3);
    assert_true(sender_wake_ns(b.sender) <= b.now_ns);
    pump(&b);
    const struct message *m = NULL;
    for (int module = 0; module < 2; module++) {
        assert_int_equal(sent(&b, MESSAGE_COMMAND, module, &m), 1);
        assert_int_equal(m->from, port_switch(0));
        assert_int_equal(m->command.id.session, SESSION);
        assert_int_equal(m->command.id.sequence, 1);
        assert_int_equal(m->command.first_epoch, 1);
        assert_int_equal(m->command.epoch, 1);
        assert_int_equal(m->command.age_ns, MS(3));
        assert_int_equal(m->command.start_age_ns, MS(3));
        assert_int_equal(m->command.sent_ns, b.now_ns);
        assert_int_equal(m->command.confirmed, 0);
        assert_ptr_equal(m->payload.buffer, data);
    }
    drop_actions(&b);
    assert_int_equal(data->refs, 1); /* kept until it is answered */

    hear_response(&b, 0, 1);
    struct sender_notice notice;
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_RESPONSE);
    assert_int_equal(notice.cookie, 42);
    assert_int_equal(notice.sequence, 1);
    assert_int_equal(notice.nexus, NEXUS);
    assert_int_equal(notice.response->id.sequence, 1);
    nothing_more(&b);
    assert_int_equal(buffer_pool_used(b.pool), 0);
    end(&b);
}

static void test_not_serving_keeps(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    assert_int_equal(submit(&b), 1);
    pump(&b);
    assert_int_equal(b.actions->count, 0); /* nobody linked, nothing known */
    sender_link(b.sender, port_unit(0, 0), true);
    sender_link(b.sender, port_unit(1, 0), true);
    struct view_message view = view_of(4, 1, 2);
    view.serving = false;
    hear_view(&b, 1, view);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, NULL), 0);
    view.serving = true;
    hear_view(&b, 1, view);
    pump(&b);
    const struct message *m = NULL;
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, NULL), 0); /* not in sync */
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, &m), 1);
    assert_int_equal(m->command.first_epoch, 4);
    /* a unit that is no primary and lags does not stop an epoch that is served */
    view.serving = false;
    hear_view(&b, 0, view);
    assert_int_equal(submit(&b), 2);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, NULL), 1);
    hear_view(&b, 1, view); /* the primary may */
    assert_int_equal(submit(&b), 3);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, NULL), 0);
    end(&b);
}

static void test_resend_on_link_and_epoch(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    for (int i = 0; i < 3; i++)
        submit(&b);
    pump(&b);
    sender_link(b.sender, port_unit(1, 0), false);
    submit(&b);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, NULL), 1);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, NULL), 0);
    hear_response(&b, 0, 2);
    sender_link(b.sender, port_unit(1, 0), true);
    pump(&b);
    const struct message *m = NULL;
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, NULL), 0);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, &m), 3); /* 1, 3, 4 */
    assert_int_equal(m->command.id.sequence, 4);

    b.now_ns += MS(20);
    hear_view(&b, 1, view_of(2, 1, 3));
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, &m), 3);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, &m), 3);
    assert_int_equal(m->command.first_epoch, 1);
    assert_int_equal(m->command.epoch, 2);
    assert_int_equal(m->command.start_age_ns, MS(20));
    struct sender_view view;
    sender_describe(b.sender, 0, &view);
    assert_int_equal(view.resent, 8);
    assert_int_equal(view.epoch, 2);
    assert_int_equal(view.outstanding, 3);
    /* an older view, and the same again, change nothing */
    hear_view(&b, 0, view_of(1, 0, 1));
    hear_view(&b, 0, view_of(2, 1, 3));
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, NULL), 0);
    /* membership: only module 1 is left */
    hear_view(&b, 1, view_of(3, 1, 2));
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, NULL), 0);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, NULL), 3);
    end(&b);
}

static void test_refused_for_room(void **state)
{
    (void)state;
    const enum refuse_reason reasons[] = {REFUSE_FULL, REFUSE_ROLE, REFUSE_EPOCH};
    for (int i = 0; i < 3; i++) {
        struct bench b;
        begin(&b);
        serve(&b);
        submit(&b);
        pump(&b);
        hear_refuse(&b, 1, 1, reasons[i], 2);
        pump(&b);
        assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, NULL), 0);
        assert_int_equal(sender_wake_ns(b.sender), b.now_ns + MS(10));
        b.now_ns += MS(10);
        pump(&b);
        assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, NULL), 0);
        assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, NULL), 1);
        nothing_more(&b);
        end(&b);
    }
    struct bench b; /* an answer to a copy of an earlier epoch: the resend is on its way already */
    begin(&b);
    serve(&b);
    submit(&b);
    pump(&b);
    hear_view(&b, 1, view_of(2, 1, 3));
    pump(&b);
    hear_refuse(&b, 1, 1, REFUSE_EPOCH, 2);
    b.now_ns += MS(10);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, NULL), 0);
    end(&b);
}

static void test_stale_waits_for_proof(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    uint64_t begun = b.now_ns;
    submit(&b);
    submit(&b);
    pump(&b);
    hear_refuse(&b, 0, 1, REFUSE_STALE, 1);
    hear_refuse(&b, 0, 2, REFUSE_STALE, 1);
    struct sender_notice notice;
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_PROVE);
    assert_int_equal(notice.nexus, NEXUS);
    nothing_more(&b); /* once for both */
    hear_view(&b, 1, view_of(2, 1, 3));
    b.now_ns += MS(50);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, NULL), 0); /* would be refused again */
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_VIEW);
    sender_proved(b.sender, NEXUS + 1, b.now_ns);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, NULL), 0);
    sender_proved(b.sender, NEXUS, b.now_ns - MS(7));
    pump(&b);
    const struct message *m = NULL;
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, NULL), 2);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, &m), 2);
    assert_int_equal(m->command.age_ns, MS(7));
    assert_int_equal(m->command.start_age_ns, b.now_ns - begun);
    assert_int_equal(m->command.first_epoch, 1);
    hear_refuse(&b, 1, 2, REFUSE_STALE, 2); /* too slow again: asks again */
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_PROVE);
    end(&b);
}

static void test_stale_own_proof(void **state)
{
    (void)state;
    const enum command_kind kinds[] = {COMMAND_TASK, COMMAND_NEXUS_OPEN, COMMAND_NEXUS_LOSS,
                                       COMMAND_MANAGE, COMMAND_SCSI};
    for (int i = 0; i < 5; i++) {
        struct bench b;
        begin(&b);
        serve(&b);
        struct command_message command = {.kind = (uint8_t)kinds[i], .nexus = NEXUS};
        if (kinds[i] == COMMAND_SCSI)
            command.nexus = NEXUS_NONE;
        sender_submit(b.sender, 0, &command, slice_none(), b.now_ns, 0);
        pump(&b);
        b.now_ns += MS(200);
        hear_refuse(&b, 0, 1, REFUSE_STALE, 1);
        nothing_more(&b);
        pump(&b);
        const struct message *m = NULL;
        assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, &m), 1);
        assert_int_equal(m->command.age_ns, 0);
        assert_int_equal(m->command.start_age_ns, MS(200));
        end(&b);
    }
}

static void test_confirm_gaps(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    for (int i = 0; i < 3; i++)
        submit(&b);
    pump(&b);
    hear_response(&b, 0, 2);
    b.now_ns += MS(5);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_CONFIRM, 0, NULL), 0); /* 1 is missing */
    hear_response(&b, 0, 1);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_CONFIRM, 0, NULL), 0); /* a command may carry it */
    assert_true(sender_wake_ns(b.sender) <= b.now_ns + MS(5));
    b.now_ns += MS(5);
    pump(&b);
    const struct message *m = NULL;
    for (int module = 0; module < 2; module++) {
        assert_int_equal(sent(&b, MESSAGE_CONFIRM, module, &m), 1);
        assert_int_equal(m->confirm.confirmed, 2);
        assert_int_equal(m->confirm.session, SESSION);
        assert_false(m->confirm.relayed);
    }
    hear_response(&b, 0, 3);
    submit(&b);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, &m), 1);
    assert_int_equal(m->command.confirmed, 3);
    b.now_ns += MS(5);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_CONFIRM, 1, NULL), 0); /* the command carried it */
    end(&b);
}

static void test_duplicates_confirmed_again(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    submit(&b);
    pump(&b);
    hear_response(&b, 0, 2); /* never sent */
    hear_response(&b, 0, 1);
    b.now_ns += MS(5);
    pump(&b);
    struct sender_notice notice;
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_RESPONSE);
    hear_response(&b, 1, 1);
    nothing_more(&b);
    b.now_ns += MS(5);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_CONFIRM, 0, NULL), 0);
    assert_int_equal(sent(&b, MESSAGE_CONFIRM, 1, NULL), 1);
    /* a response of another session or group is nobody's */
    submit(&b);
    pump(&b);
    hear(&b, 0, &(struct message){.kind = MESSAGE_RESPONSE, .response = {.id = {0, 9, 2}}});
    hear(&b, 0,
         &(struct message){.kind = MESSAGE_RESPONSE,
                           .response = {.id = {0, SESSION, 2}, .group = 1}});
    nothing_more(&b);
    end(&b);
}

static void test_cut(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    submit(&b);
    pump(&b);
    hear_view(&b, 1, view_of(2, 1, 3));
    submit(&b);
    pump(&b);
    sender_link(b.sender, port_unit(0, 0), false);
    sender_link(b.sender, port_unit(1, 0), false);
    submit(&b); /* never sent: it is not cut */
    struct view_message view = view_of(5, 1, 2);
    view.cut = 2;
    hear_view(&b, 1, view);
    struct sender_notice notice;
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_RESPONSE);
    assert_int_equal(notice.sequence, 1);
    assert_int_equal(notice.response->status, 2);
    assert_int_equal(notice.response->sense_length, 18);
    assert_int_equal(notice.response->sense[0], 0x70);
    assert_int_equal(notice.response->sense[2], 0x0B);
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_VIEW);
    nothing_more(&b);
    sender_link(b.sender, port_unit(1, 0), true);
    pump(&b);
    const struct message *m = NULL;
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, &m), 2);
    assert_int_equal(m->command.id.sequence, 3);
    assert_int_equal(m->command.confirmed, 1);
    hear_response(&b, 1, 1); /* the true outcome comes too late */
    nothing_more(&b);
    end(&b);
}

static void test_withdraw(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    struct buffer *data = buffer_get(b.pool, 4096);
    struct command_message command = {.kind = COMMAND_SCSI, .nexus = NEXUS, .data_length = 4096};
    sender_submit(b.sender, 0, &command, slice_of(data, 0, 4096), b.now_ns, 7);
    buffer_unref(data);
    pump(&b);
    hear_refuse(&b, 0, 1, REFUSE_STALE, 1);
    struct sender_notice notice;
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_PROVE);
    sender_withdraw(b.sender, 0, 1);
    pump(&b);
    const struct message *m = NULL;
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, NULL), 1);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, &m), 1);
    assert_int_equal(m->command.kind, COMMAND_WITHDRAW);
    assert_int_equal(m->command.id.sequence, 1);
    assert_null(m->payload.buffer);
    assert_int_equal(buffer_pool_used(b.pool), 0);
    sender_withdraw(b.sender, 0, 1); /* once is enough */
    sender_withdraw(b.sender, 0, 99);
    pump(&b);
    assert_int_equal(b.actions->count, 0);
    hear(&b, 0,
         &(struct message){.kind = MESSAGE_RESPONSE,
                           .response = {.id = {0, SESSION, 1}, .withdrawn = true}});
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_RESPONSE);
    assert_true(notice.response->withdrawn);
    /* one that no unit has seen is withdrawn here */
    uint64_t sequence = submit(&b);
    sender_withdraw(b.sender, 0, sequence);
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_RESPONSE);
    assert_true(notice.response->withdrawn);
    assert_int_equal(sender_outstanding(b.sender, 0), 0);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, NULL), 0);
    end(&b);
}

/* A unit of a reign that is over may not know who lives: its successor goes on with this session.
 */
static void test_death_of_an_earlier_epoch(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    struct sender_notice notice;
    hear_view(&b, 1, view_of(3, 1, 3));
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_VIEW);
    submit(&b);
    pump(&b);
    hear_refuse(&b, 0, 1, REFUSE_SESSION, 2);
    nothing_more(&b);
    assert_int_equal(sender_outstanding(b.sender, 0), 1);
    hear_refuse(&b, 1, 1, REFUSE_SESSION, 3);
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_DEAD);
    end(&b);
}

static void test_dead_session(void **state)
{
    (void)state;
    for (int by_view = 0; by_view < 2; by_view++) {
        struct bench b;
        begin(&b);
        serve(&b);
        submit(&b);
        pump(&b);
        struct view_message view = view_of(1, 0, 3);
        view.dead_session = SESSION - 1;
        hear_view(&b, 0, view);
        nothing_more(&b);
        view.dead_session = SESSION;
        if (by_view)
            hear_view(&b, 0, view);
        else
            hear_refuse(&b, 1, 1, REFUSE_SESSION, 1);
        hear_refuse(&b, 0, 1, REFUSE_SESSION, 1);
        struct sender_notice notice;
        assert_int_equal(next(&b, &notice), SENDER_NOTICE_DEAD);
        nothing_more(&b);
        assert_int_equal(sender_outstanding(b.sender, 0), 0);
        assert_int_equal(submit(&b), 0);
        hear_view(&b, 0, view_of(2, 0, 3));
        pump(&b);
        assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, NULL), 0);
        sender_renew(b.sender, SESSION + 1);
        assert_int_equal(submit(&b), 1);
        pump(&b);
        const struct message *m = NULL;
        assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, &m), 1);
        assert_int_equal(m->command.id.session, SESSION + 1);
        assert_int_equal(m->command.confirmed, 0);
        hear_response(&b, 0, 1); /* of the old session */
        assert_int_equal(sender_outstanding(b.sender, 0), 1);
        end(&b);
    }
}

static void test_window(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    for (uint64_t i = 1; i <= SENDER_WINDOW; i++)
        assert_int_equal(submit(&b), i);
    assert_false(sender_has_room(b.sender, 0));
    assert_true(sender_has_room(b.sender, 1));
    assert_int_equal(submit(&b), 0);
    pump(&b);
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, NULL), SENDER_WINDOW);
    hear_response(&b, 0, 2);
    assert_int_equal(submit(&b), SENDER_WINDOW + 1);
    assert_int_equal(submit(&b), 0);
    struct sender_notice notice;
    for (uint64_t i = 3; i <= SENDER_WINDOW + 1; i++) {
        pump(&b);
        hear_response(&b, 0, i);
        submit(&b);
        while (sender_next_notice(b.sender, &notice))
            ;
    }
    /* the oldest one holds the span: a unit keeps the outcomes of all the later ones */
    pump(&b);
    uint64_t last = 2 * SENDER_WINDOW;
    assert_int_equal(submit(&b), 0);
    hear_response(&b, 0, last);
    assert_false(sender_has_room(b.sender, 0));
    hear_response(&b, 0, 1);
    assert_int_equal(submit(&b), last + 1);
    end(&b);
}

/* A pump that runs out of room goes on when it is woken, in order, without a gap. */
static void test_bounded_pump(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    for (int i = 0; i < 400; i++)
        submit(&b);
    uint32_t used = ACTIONS_MAX - 256 - 300;
    drop_actions(&b);
    for (uint32_t i = 0; i < used; i++)
        actions_add(b.actions, ACTION_EVENT);
    uint64_t expect[2] = {1, 1};
    sender_pump(b.sender, b.now_ns, b.actions);
    for (int turn = 0; turn < 10; turn++) {
        for (uint32_t i = 0; i < b.actions->count; i++) {
            const struct action *action = &b.actions->at[i];
            if (action->kind != ACTION_SEND || action->message.kind != MESSAGE_COMMAND)
                continue;
            int module = port_index(action->message.to);
            assert_int_equal(action->message.command.id.sequence, expect[module]++);
        }
        if (turn == 0) {
            assert_true(expect[0] < 400);
            assert_true(sender_wake_ns(b.sender) <= b.now_ns);
        }
        pump(&b);
    }
    assert_int_equal(expect[0], 401);
    assert_int_equal(expect[1], 401);
    assert_true(sender_wake_ns(b.sender) > b.now_ns);
    end(&b);
}

static void test_signals(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    assert_int_equal(sender_wake_ns(b.sender), b.now_ns + MS(25));
    b.now_ns += MS(5);
    hear(&b, 1, &(struct message){.kind = MESSAGE_SIGNAL, .signal = {.now_ns = 777}});
    b.now_ns += MS(20);
    pump(&b);
    const struct message *m = NULL;
    assert_int_equal(sent(&b, MESSAGE_SIGNAL, 0, &m), 1);
    assert_int_equal(m->signal.group, 0xFF);
    assert_int_equal(m->signal.member.module, 0);
    assert_int_equal(m->signal.member.incarnation, SESSION);
    assert_int_equal(m->signal.now_ns, b.now_ns);
    assert_int_equal(m->signal.echo_ns, 0);
    assert_int_equal(sent(&b, MESSAGE_SIGNAL, 1, &m), 1);
    assert_int_equal(m->signal.echo_ns, 777);
    assert_int_equal(m->signal.echo_delay_ns, MS(20));
    end(&b);
}

/* A new primary knows how a read ended, not what was read. Its answer is none: the host's buffer
 * would pass for the data. */
static void test_read_without_data(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    struct command_message command = {
        .kind = COMMAND_SCSI, .nexus = NEXUS, .data_length = 4096, .wants_read = true};
    assert_int_equal(sender_submit(b.sender, 0, &command, slice_none(), b.now_ns, 9), 1);
    pump(&b);
    struct message answer = {
        .kind = MESSAGE_RESPONSE,
        .response = {.id = {0, SESSION, 1}, .group = 0, .status = 0, .transferred = 4096}};
    hear(&b, 1, &answer);
    nothing_more(&b);
    struct buffer *data = buffer_get(b.pool, 4096);
    answer.payload = slice_of(data, 0, 4095);
    hear(&b, 1, &answer);
    nothing_more(&b);
    assert_int_equal(sender_outstanding(b.sender, 0), 1);
    b.now_ns += MS(10);
    assert_true(sender_wake_ns(b.sender) <= b.now_ns);
    pump(&b);
    const struct message *m = NULL;
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 0, &m), 1); /* to be run again */
    assert_int_equal(sent(&b, MESSAGE_COMMAND, 1, &m), 1);
    assert_int_equal(m->command.id.sequence, 1);
    assert_int_equal(m->command.confirmed, 0);
    answer.payload = slice_of(data, 0, 4096);
    hear(&b, 1, &answer);
    struct sender_notice notice;
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_RESPONSE);
    assert_int_equal(notice.payload.length, 4096);
    slice_drop(&notice.payload);
    buffer_unref(data);

    /* errors, withdrawals and writes move no data to the host */
    const uint8_t statuses[] = {2, 0, 0};
    for (int i = 0; i < 3; i++) {
        command.wants_read = i < 2;
        command.wants_write = i == 2;
        uint64_t sequence = sender_submit(b.sender, 0, &command, slice_none(), b.now_ns, 9);
        pump(&b);
        answer.payload = slice_none();
        answer.response.id.sequence = sequence;
        answer.response.status = statuses[i];
        answer.response.withdrawn = i == 1;
        hear(&b, 1, &answer);
        assert_int_equal(next(&b, &notice), SENDER_NOTICE_RESPONSE);
        assert_int_equal(notice.sequence, sequence);
    }
    end(&b);
}

/* Bytes from outside: wrong ports, groups, lengths do no harm. */
static void test_strange_messages(void **state)
{
    (void)state;
    struct bench b;
    begin(&b);
    serve(&b);
    submit(&b);
    pump(&b);
    struct message m = {.kind = MESSAGE_RESPONSE, .response = {.id = {0, SESSION, 1}}};
    const port_id ports[] = {
        0,        port_switch(0), port_unit(2, 0), port_unit(7, 0), port_loop(0), port_unit(0, 5),
        0x02FF01, 0x020100};
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        m.from = ports[i];
        sender_message(b.sender, &m, b.now_ns);
        sender_link(b.sender, ports[i], true);
    }
    hear_refuse(&b, 0, 1, (enum refuse_reason)99, 1);
    struct view_message view = view_of(2, 200, 0xFF);
    view.group = 1;
    hear_view(&b, 0, view);
    nothing_more(&b);
    view.group = 0;
    hear_view(&b, 0, view);
    struct sender_view now;
    sender_describe(b.sender, 0, &now);
    assert_int_equal(now.in_sync, 3);
    pump(&b);
    m.response.sense_length = 255;
    hear(&b, 0, &m);
    struct sender_notice notice;
    assert_int_equal(next(&b, &notice), SENDER_NOTICE_RESPONSE);
    assert_int_equal(notice.response->sense_length, SENSE_MAX);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stamp_and_multicast),
        cmocka_unit_test(test_not_serving_keeps),
        cmocka_unit_test(test_resend_on_link_and_epoch),
        cmocka_unit_test(test_refused_for_room),
        cmocka_unit_test(test_stale_waits_for_proof),
        cmocka_unit_test(test_stale_own_proof),
        cmocka_unit_test(test_confirm_gaps),
        cmocka_unit_test(test_duplicates_confirmed_again),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_withdraw),
        cmocka_unit_test(test_death_of_an_earlier_epoch),
        cmocka_unit_test(test_dead_session),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_bounded_pump),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_read_without_data),
        cmocka_unit_test(test_strange_messages),
    };
    return cmocka_run_group_tests_name("sender", tests, NULL, NULL);
}
