/* SPDX-License-Identifier: Apache-2.0 */
/* The primary's sequence as bytes: every kind goes there and back, nothing malformed is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "unit/entry.h"

static const uint8_t effect[] = {1, 2, 3, 4, 5};
static const uint8_t data[] = {9, 8, 7};

static struct entry sample(uint8_t kind)
{
    struct entry e;
    memset(&e, 0, sizeof e);
    e.kind = kind;
    e.id = (struct command_id){3, 0x1122334455667788u, 42};
    switch ((enum entry_kind)kind) {
    case ENTRY_READY:
        e.order = 17;
        e.withdrawn = true;
        break;
    case ENTRY_RESOLVED:
    case ENTRY_DONE:
        e.order = kind == ENTRY_DONE ? 17 : 0;
        e.status = 2;
        e.task_response = 5;
        e.dirty = e.confirmed = e.doubt = true;
        e.transferred = 4096;
        e.sense_length = 18;
        memset(e.sense, 0x5A, 18);
        if (kind == ENTRY_RESOLVED) {
            e.data = data;
            e.data_length = sizeof data;
            e.effect = effect;
            e.effect_length = sizeof effect;
        }
        break;
    case ENTRY_CLEAN:
        break;
    case ENTRY_CONFIRM:
    case ENTRY_SESSION:
    case ENTRY_DEAD:
        e.id.session = e.id.sequence = 0;
        e.session = 77;
        e.sequence = 78;
        break;
    case ENTRY_EPOCH:
        e.id = (struct command_id){0, 0, 0};
        e.record.generation = 5;
        e.record.epoch = 4;
        e.record.primary = (struct member){1, 99};
        e.record.dirty = member_none();
        members_add(&e.record.in_sync, e.record.primary);
        break;
    case ENTRY_STATE:
        e.id = (struct command_id){0, 0, 0};
        e.data = data;
        e.data_length = sizeof data;
        break;
    case ENTRY_SYNCED:
        e.id = (struct command_id){0, 0, 0};
        e.index = 1000;
        e.next_order = 2000;
        e.doubt = true;
        break;
    case ENTRY_EFFECT:
        e.id = (struct command_id){0, 0, 0};
        e.effect = effect;
        e.effect_length = sizeof effect;
        break;
    case ENTRY_KINDS:
        break;
    }
    return e;
}

static void assert_same(const struct entry *a, const struct entry *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(command_id_same(a->id, b->id));
    assert_int_equal(a->order, b->order);
    assert_int_equal(a->withdrawn, b->withdrawn);
    assert_int_equal(a->dirty, b->dirty);
    assert_int_equal(a->confirmed, b->confirmed);
    assert_int_equal(a->doubt, b->doubt);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->task_response, b->task_response);
    assert_int_equal(a->transferred, b->transferred);
    assert_int_equal(a->sense_length, b->sense_length);
    assert_memory_equal(a->sense, b->sense, a->sense_length);
    assert_int_equal(a->session, b->session);
    assert_int_equal(a->sequence, b->sequence);
    assert_int_equal(a->index, b->index);
    assert_int_equal(a->next_order, b->next_order);
    assert_int_equal(a->data_length, b->data_length);
    assert_int_equal(a->effect_length, b->effect_length);
    if (a->data_length)
        assert_memory_equal(a->data, b->data, a->data_length);
    if (a->effect_length)
        assert_memory_equal(a->effect, b->effect, a->effect_length);
    if (a->kind == ENTRY_EPOCH) {
        assert_int_equal(a->record.epoch, b->record.epoch);
        assert_true(members_equal(&a->record.in_sync, &b->record.in_sync));
    }
}

static void every_kind_goes_there_and_back(void **state)
{
    (void)state;
    uint8_t bytes[2048];
    struct entry back;
    for (uint8_t kind = ENTRY_READY; kind < ENTRY_KINDS; kind++) {
        struct entry entry = sample(kind);
        struct cursor c = cursor_of(bytes, sizeof bytes);
        assert_true(entry_put(&c, &entry));
        size_t length = (size_t)(c.at - bytes);
        struct cursor r = cursor_of(bytes, length);
        assert_true(entry_get(&r, &back));
        assert_int_equal(cursor_left(&r), 0);
        assert_same(&entry, &back);
        for (size_t cut = 0; cut < length; cut++) { /* no prefix of it is an entry */
            r = cursor_of(bytes, cut);
            assert_false(entry_get(&r, &back));
        }
    }
}

static void what_does_not_fit_leaves_the_cursor(void **state)
{
    (void)state;
    uint8_t bytes[16];
    struct entry entry = sample(ENTRY_DONE);
    struct cursor c = cursor_of(bytes, sizeof bytes);
    assert_false(entry_put(&c, &entry));
    assert_ptr_equal(c.at, bytes);
    assert_false(c.failed);
}

static void malformed_entries_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct entry out;
    memset(bytes, 0, sizeof bytes);
    struct cursor c = cursor_of(bytes, sizeof bytes);
    assert_false(entry_get(&c, &out)); /* kind 0 */
    bytes[0] = ENTRY_KINDS;
    c = cursor_of(bytes, sizeof bytes);
    assert_false(entry_get(&c, &out));
    bytes[0] = ENTRY_READY;
    bytes[1] = SENDER_MAX; /* no such sender */
    c = cursor_of(bytes, sizeof bytes);
    assert_false(entry_get(&c, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_goes_there_and_back),
        cmocka_unit_test(what_does_not_fit_leaves_the_cursor),
        cmocka_unit_test(malformed_entries_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
