/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "command/inventory.h"
#include "wire/fc.h"

static uint64_t state;

static uint64_t random_number(void)
{
    state += 0x9E3779B97F4A7C15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint8_t below(uint32_t limit)
{
    return (uint8_t)(random_number() % limit);
}

static bool coin(void)
{
    return random_number() & 1;
}

static void random_member(struct member *m)
{
    m->module = below(MODULE_MAX);
    m->incarnation = random_number();
}

static void random_id(struct command_id *id)
{
    id->sender = below(SENDER_MAX);
    id->session = random_number();
    id->sequence = random_number();
}

static port_id random_port(void)
{
    switch (below(4)) {
    case 0:
        return port_switch(below(SWITCH_MAX));
    case 1:
        return port_unit(below(MODULE_MAX), below(GROUP_MAX));
    case 2:
        return coin() ? port_loop(below(LOOP_MAX))
                      : port_drive((int)below(LOOP_MAX), al_pa_of_id((uint32_t)below(AL_PAS)));
    default:
        return port_manager(below(MODULE_MAX));
    }
}

static void random_command(struct command_message *c)
{
    random_id(&c->id);
    c->kind = below(COMMAND_MANAGE + 1);
    c->task = below(8);
    c->attribute = below(5);
    for (int i = 0; i < 16; i++)
        c->cdb[i] = below(256);
    c->nexus = (uint32_t)random_number();
    c->volume = coin() ? VOLUME_NONE : (uint16_t)(random_number() % VOLUME_MAX);
    c->lun = random_number();
    c->data_length = (uint32_t)random_number();
    c->wants_read = coin();
    c->wants_write = coin();
    c->task_sequence = random_number();
    c->first_epoch = random_number();
    c->epoch = random_number();
    c->age_ns = random_number();
    c->start_age_ns = random_number();
    c->sent_ns = random_number();
    c->confirmed = random_number();
}

static void random_response(struct response_message *r)
{
    random_id(&r->id);
    r->group = below(GROUP_MAX);
    r->epoch = random_number();
    r->status = below(256);
    r->task_response = below(256);
    r->sense_length = below(SENSE_MAX + 1);
    for (int i = 0; i < r->sense_length; i++)
        r->sense[i] = below(256);
    r->transferred = (uint32_t)random_number();
    r->withdrawn = coin();
}

static void random_fence(struct fence_message *f)
{
    f->bank = below(GROUP_MAX);
    f->epoch = random_number();
    f->allowed.count = below(2 * MODULE_MAX + 1);
    for (int i = 0; i < f->allowed.count; i++)
        random_member(&f->allowed.at[i]);
    f->tag = random_number();
    f->result = below(FENCE_FAILED + 1);
    f->held_epoch = random_number();
    f->undrained = (uint32_t)random_number();
}

static void random_drive(struct message *m)
{
    struct drive_message *d = &m->drive;
    d->bank = below(GROUP_MAX);
    d->drive = (uint8_t)(below(LOOP_MAX) * 32 + below(SLOT_MAX));
    d->op = below(DRIVE_FLUSH + 1);
    d->fua = coin();
    d->epoch = random_number();
    d->login = random_number();
    d->tag = random_number();
    d->offset = random_number() / 512 * 512;
    d->length = below(255) * 4096u;
    d->status = below(DRIVE_TIMEOUT + 1);
    if (m->kind == MESSAGE_DRIVE_COMMAND)
        m->payload.length = d->op == DRIVE_WRITE ? d->length : d->op == DRIVE_FILL ? 512 : 0;
    else
        m->payload.length = d->op == DRIVE_READ ? d->length : 0;
}

static void random_signal(struct signal_message *s)
{
    s->group = coin() ? 0xFF : below(GROUP_MAX);
    random_member(&s->member);
    if (s->group == 0xFF)
        s->member.module = coin() ? MODULE_NONE : below(SENDER_MAX);
    s->epoch = random_number();
    s->now_ns = random_number();
    s->echo_ns = random_number();
    s->echo_delay_ns = random_number();
    s->state = below(256);
    s->heard_units = below(1 << MODULE_MAX);
    s->heard_senders = below(256);
    for (int i = 0; i < LOOP_MAX; i++)
        s->drives[i] = (uint32_t)random_number(), s->lives[i] = random_number();
    s->applied = random_number();
    s->held = random_number();
    s->acked = random_number();
    s->oldest_order = random_number();
    s->progress = random_number();
    s->waiting_drive = coin() ? 0xFF : below(DRIVE_MAX);
    s->stopping = below(3);
}

static void random_stream(struct stream_message *s)
{
    s->group = below(GROUP_MAX);
    s->epoch = random_number();
    random_member(&s->primary);
    s->first = random_number();
    s->count = (uint32_t)random_number();
    s->acked = random_number();
}

static void random_view(struct view_message *v)
{
    v->group = below(GROUP_MAX);
    v->epoch = random_number();
    v->serving = coin();
    v->cut = random_number();
    v->primary = coin() ? MODULE_NONE : below(MODULE_MAX);
    v->in_sync = below(1 << MODULE_MAX);
    v->dead_session = random_number();
}

static void random_login(struct message *m)
{
    m->login.group = below(GROUP_MAX);
    random_member(&m->login.member);
    m->login.login = random_number();
    if (m->kind == MESSAGE_LOGIN_ACCEPT) {
        m->login.drives = below(SLOT_MAX + 1);
        m->payload.length = m->login.drives * DRIVE_INFO_BYTES;
    }
}

static void random_small(struct message *m)
{
    switch (m->kind) {
    case MESSAGE_REFUSE:
        random_id(&m->refuse.id);
        m->refuse.group = below(GROUP_MAX);
        m->refuse.reason = below(REFUSE_FULL + 1);
        m->refuse.epoch = random_number();
        break;
    case MESSAGE_CONFIRM:
        m->confirm = (struct confirm_message){below(SENDER_MAX), below(GROUP_MAX), random_number(),
                                              random_number(), coin()};
        break;
    case MESSAGE_HELD:
        m->held.group = below(GROUP_MAX);
        m->held.epoch = random_number();
        random_member(&m->held.member);
        m->held.applied = random_number();
        m->held.held = random_number();
        break;
    case MESSAGE_FORWARD_ANSWER:
        random_id(&m->forward_answer.id);
        m->forward_answer.group = below(GROUP_MAX);
        m->forward_answer.epoch = random_number();
        m->forward_answer.answer = below(7);
        break;
    case MESSAGE_FETCH:
        m->fetch.group = below(GROUP_MAX);
        m->fetch.epoch = random_number();
        random_id(&m->fetch.id);
        break;
    case MESSAGE_STOP:
    case MESSAGE_PROMISE:
        m->stop.group = below(GROUP_MAX);
        m->stop.epoch = random_number();
        random_member(&m->stop.member);
        m->stop.applied = random_number();
        m->stop.held = random_number();
        m->stop.promised = coin();
        break;
    case MESSAGE_JOIN:
        m->join.group = below(GROUP_MAX);
        random_member(&m->join.member);
        m->join.epoch = random_number();
        break;
    case MESSAGE_HANDOVER:
        m->handover.group = below(GROUP_MAX);
        m->handover.epoch = random_number();
        break;
    case MESSAGE_ASSIGN:
    case MESSAGE_ASSIGN_ANSWER:
        m->assign.bank = coin() ? BANK_NONE : below(GROUP_MAX);
        m->assign.epoch = random_number();
        m->assign.drive = below(DRIVE_MAX);
        m->assign.tag = random_number();
        m->assign.done = coin();
        break;
    default:
        m->directory.version = random_number();
        m->payload.length = below(255) * 16;
    }
}

/* Every field of that kind, random in its range; all else zero. */
static void random_message(struct message *m, uint8_t kind)
{
    memset(m, 0, sizeof *m);
    m->kind = kind;
    m->from = random_port();
    m->to =
        kind == MESSAGE_COMMAND ? port_unit(below(MODULE_MAX), below(GROUP_MAX)) : random_port();
    switch (kind) {
    case MESSAGE_COMMAND:
    case MESSAGE_FORWARD:
    case MESSAGE_FETCHED:
        m->payload.length = below(200) * 512u;
        random_command(&m->command);
        break;
    case MESSAGE_RESPONSE:
    case MESSAGE_RELAY:
        random_response(&m->response);
        break;
    case MESSAGE_VIEW:
        random_view(&m->view);
        break;
    case MESSAGE_STREAM:
        random_stream(&m->stream);
        break;
    case MESSAGE_LOGIN:
    case MESSAGE_LOGIN_ACCEPT:
        random_login(m);
        break;
    case MESSAGE_FENCE:
    case MESSAGE_FENCE_ANSWER:
        random_fence(&m->fence);
        break;
    case MESSAGE_DRIVE_COMMAND:
    case MESSAGE_DRIVE_RESPONSE:
        random_drive(m);
        break;
    case MESSAGE_SIGNAL:
        random_signal(&m->signal);
        break;
    default:
        random_small(m);
    }
}

static void every_kind_comes_back_as_it_was(void **unused)
{
    (void)unused;
    for (uint8_t kind = MESSAGE_NONE + 1; kind < MESSAGE_KINDS; kind++)
        for (int i = 0; i < 300; i++) {
            struct message m, back;
            uint8_t head[FRAME_HEAD_MAX];
            random_message(&m, kind);
            uint32_t length = frame_encode(&m, head);
            assert_true(length > sizeof(struct fc_header) && length <= FRAME_HEAD_MAX);
            assert_true(frame_decode(head, length, m.payload.length, &back));
            if (kind == MESSAGE_COMMAND)
                m.to = port_group(port_sub(m.to));
            m.payload.length = 0;
            assert_memory_equal(&m, &back, sizeof m);
        }
}

/* Decodes from exactly as many bytes as there are, so that a sanitizer sees a step beyond them. */
static bool decode_exactly(const uint8_t *head, uint32_t length, uint32_t payload_length)
{
    uint8_t *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, head, length);
    struct message out;
    bool known = frame_decode(copy, length, payload_length, &out);
    free(copy);
    return known;
}

static void a_frame_cut_short_is_refused(void **unused)
{
    (void)unused;
    for (uint8_t kind = MESSAGE_NONE + 1; kind < MESSAGE_KINDS; kind++)
        for (int i = 0; i < 8; i++) {
            struct message m;
            uint8_t head[FRAME_HEAD_MAX + 1] = {0};
            random_message(&m, kind);
            uint32_t length = frame_encode(&m, head);
            for (uint32_t cut = 0; cut < length; cut++)
                assert_false(decode_exactly(head, cut, m.payload.length));
            assert_true(decode_exactly(head, length, m.payload.length));
            assert_false(decode_exactly(head, length + 1, m.payload.length));
        }
}

static void flipped_bits_do_no_harm(void **unused)
{
    (void)unused;
    for (uint8_t kind = MESSAGE_NONE + 1; kind < MESSAGE_KINDS; kind++)
        for (int i = 0; i < 2000; i++) {
            struct message m, out;
            uint8_t head[FRAME_HEAD_MAX], again[FRAME_HEAD_MAX];
            random_message(&m, kind);
            uint32_t length = frame_encode(&m, head);
            for (int flips = 1 + below(4); flips > 0; flips--)
                head[random_number() % length] ^= (uint8_t)(1 << below(8));
            if (!frame_decode(head, length, m.payload.length, &out))
                continue;
            out.payload.length = m.payload.length;
            assert_true(frame_encode(&out, again) <= FRAME_HEAD_MAX);
        }
}

static void values_out_of_range_are_refused(void **unused)
{
    (void)unused;
    struct message m, out;
    uint8_t head[FRAME_HEAD_MAX];
    uint32_t length;
#define REFUSED(message_kind, assignment)                                 \
    do {                                                                  \
        random_message(&m, message_kind);                                 \
        assignment;                                                       \
        length = frame_encode(&m, head);                                  \
        assert_false(frame_decode(head, length, m.payload.length, &out)); \
    } while (0)
    REFUSED(MESSAGE_COMMAND, m.command.kind = COMMAND_MANAGE + 1);
    REFUSED(MESSAGE_COMMAND, m.command.volume = VOLUME_MAX);
    REFUSED(MESSAGE_COMMAND, m.command.id.sender = SENDER_MAX);
    REFUSED(MESSAGE_COMMAND, m.to = port_group(GROUP_MAX));
    REFUSED(MESSAGE_RESPONSE, m.response.group = GROUP_MAX);
    REFUSED(MESSAGE_RELAY, m.response.sense_length = SENSE_MAX + 1);
    REFUSED(MESSAGE_REFUSE, m.refuse.reason = REFUSE_FULL + 1);
    REFUSED(MESSAGE_VIEW, m.view.primary = MODULE_MAX);
    REFUSED(MESSAGE_VIEW, m.view.in_sync = 1 << MODULE_MAX);
    REFUSED(MESSAGE_STREAM, m.stream.primary.module = MODULE_NONE);
    REFUSED(MESSAGE_HELD, m.held.member.module = MODULE_MAX);
    REFUSED(MESSAGE_SIGNAL, m.signal.group = GROUP_MAX);
    REFUSED(MESSAGE_SIGNAL, (m.signal.group = 0, m.signal.member.module = MODULE_MAX));
    REFUSED(MESSAGE_FENCE, m.fence.result = FENCE_FAILED + 1);
    REFUSED(MESSAGE_FENCE, (m.fence.allowed.count = 1, m.fence.allowed.at[0].module = 200));
    REFUSED(MESSAGE_LOGIN, m.login.drives = SLOT_MAX + 1);
    REFUSED(MESSAGE_LOGIN_ACCEPT, m.payload.length += 1);
    REFUSED(MESSAGE_DRIVE_COMMAND, m.drive.drive = 31);
    REFUSED(MESSAGE_DRIVE_COMMAND, (m.drive.op = DRIVE_READ, m.payload.length = 512));
    REFUSED(MESSAGE_DRIVE_RESPONSE, m.drive.drive = DRIVE_MAX);
    REFUSED(MESSAGE_SIGNAL, m.from = port_switch(SWITCH_MAX));
    REFUSED(MESSAGE_SIGNAL, m.to = port_unit(0, GROUP_MAX));
    REFUSED(MESSAGE_SIGNAL, m.to = 0x050100);
    REFUSED(MESSAGE_SIGNAL, m.payload.length = 1);
#undef REFUSED
}

static void a_drive_command_is_a_real_cdb(void **unused)
{
    (void)unused;
    struct message m = {.kind = MESSAGE_DRIVE_COMMAND, .from = port_unit(0, 0), .to = port_loop(1)};
    m.drive = (struct drive_message){.drive = 33,
                                     .op = DRIVE_WRITE,
                                     .fua = true,
                                     .tag = 0x12345,
                                     .offset = 512 * 7,
                                     .length = 4096};
    m.payload.length = 4096;
    uint8_t head[FRAME_HEAD_MAX];
    frame_encode(&m, head);
    static const uint8_t header[24] = {0x06, 3, 2, 0, 0,    2,    1,    1,    0x08, 0x29, 0, 0,
                                       0,    0, 0, 0, 0x23, 0x45, 0xFF, 0xFF, 0,    0,    0, 0};
    static const uint8_t unit[32] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, FCP_WRDATA, SBC_WRITE_16, SBC_FUA, 0, 0, 0, 0,
        0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 0,          0x10,         0};
    assert_memory_equal(head, header, sizeof header);
    assert_memory_equal(head + 24, unit, sizeof unit);
    assert_int_equal(head[56], FRAME_VERSION);
}

static void a_prefix_is_checked(void **unused)
{
    (void)unused;
    uint8_t bytes[FRAME_PREFIX_BYTES];
    uint32_t head_length, payload_length;
    frame_prefix_put(bytes, 300, BUFFER_MAX);
    assert_true(frame_prefix_get(bytes, &head_length, &payload_length));
    assert_int_equal(head_length, 300);
    assert_int_equal(payload_length, BUFFER_MAX);
    static const uint8_t bad[][2] = {{0, 'T'}, {1, 0}, {2, 9}, {3, 1}, {4, 2}, {6, 1}, {8, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        frame_prefix_put(bytes, 300, BUFFER_MAX);
        bytes[bad[i][0]] = bad[i][1];
        assert_false(frame_prefix_get(bytes, &head_length, &payload_length));
    }
    frame_prefix_put(bytes, 0, 0);
    assert_false(frame_prefix_get(bytes, &head_length, &payload_length));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back_as_it_was),
        cmocka_unit_test(a_frame_cut_short_is_refused),
        cmocka_unit_test(flipped_bits_do_no_harm),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(a_drive_command_is_a_real_cdb),
        cmocka_unit_test(a_prefix_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
