/* SPDX-License-Identifier: Apache-2.0 */
#include "io/store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/worker.h"

static char directory[64], path[80];

static void spoil(long offset, size_t length)
{
    uint8_t bytes[STORE_SLOT_BYTES];
    memset(bytes, 0xEE, sizeof bytes);
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, bytes, length, offset), (ssize_t)length);
    close(fd);
}

static void expect(const char *text)
{
    char bytes[64] = "";
    assert_int_equal(store_get(path, bytes, sizeof bytes), (long)strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

static void put(const char *text)
{
    assert_true(store_put(path, text, strlen(text)));
    expect(text);
}

static void the_last_put_is_got(void **state)
{
    (void)state;
    char bytes[64];
    assert_int_equal(store_get(path, bytes, sizeof bytes), 0);
    put("one");
    put("twenty-two");
    put("three");
    assert_true(store_settle(path));
    expect("three");
    put("");
    put("five");
}

static void a_torn_slot_leaves_the_one_before(void **state)
{
    (void)state;
    char bytes[64];
    put("one");
    assert_true(store_settle(path));
    put("two"); /* in one of the slots; the other still holds "one" */
    for (int slot = 0; slot < 2; slot++) {
        uint8_t kept[2 * STORE_SLOT_BYTES];
        assert_int_equal(store_read(path, kept, sizeof kept), sizeof kept);
        spoil(slot * STORE_SLOT_BYTES + 10, 100);
        assert_true(store_get(path, bytes, sizeof bytes) == 3);
        put("next"); /* over the torn one */
        spoil(slot ? 0 : STORE_SLOT_BYTES, 100);
        expect("next");
        assert_true(store_write(path, kept, sizeof kept));
    }
}

static void settled_slots_are_both_the_newest(void **state)
{
    (void)state;
    for (int slot = 0; slot < 2; slot++) {
        put("old");
        put("new");
        assert_true(store_settle(path));
        spoil(slot * STORE_SLOT_BYTES, 20);
        expect("new");
        assert_true(store_settle(path));
    }
}

static void what_is_not_whole_is_no_state(void **state)
{
    (void)state;
    char bytes[64];
    put("one");
    spoil(0, 100);
    spoil(STORE_SLOT_BYTES, 100);
    assert_int_equal(store_get(path, bytes, sizeof bytes), -1);
    assert_false(store_put(path, "two", 3));
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(store_get(path, bytes, sizeof bytes), -1);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(store_get(path, bytes, sizeof bytes), -1);
}

static void whole_files(void **state)
{
    (void)state;
    char bytes[8];
    assert_int_equal(store_read(path, bytes, sizeof bytes), 0);
    assert_true(store_write(path, "12345678", 8));
    assert_int_equal(store_read(path, bytes, sizeof bytes), 8);
    assert_int_equal(store_read(path, bytes, 7), -1);
    assert_true(store_write(path, "1", 1));
    assert_int_equal(store_read(path, bytes, sizeof bytes), 1);
    assert_false(store_write("/nowhere/at/all", "1", 1));
}

/* What a worker says of a store to that path: 0 if it is durable. */
static int stored_by_worker(struct ring *ring, const char *to)
{
    struct worker *worker = worker_new(ring, 0, "store", NULL);
    struct job job = {.kind = JOB_STORE, .tag = 3, .store = {.length = 3, .bytes = "new"}};
    struct completion completion;
    snprintf(job.store.path, sizeof job.store.path, "%s", to);
    assert_non_null(worker);
    assert_true(worker_give(worker, &job));
    memset(&job, 0xEE, sizeof job);
    while (!worker_take(worker, &job)) {
        ring_turn(ring, 1000000000);
        while (ring_next(ring, &completion))
            worker_complete(worker);
    }
    assert_int_equal(job.tag, 3);
    worker_free(worker);
    return job.store.error;
}

/* Also where no call has failed: a fence that is not durable must not be answered for. */
static void a_worker_tells_what_is_not_durable(void **state)
{
    (void)state;
    struct ring ring;
    char sentence[256];
    assert_int_equal(ring_open(&ring, sentence, sizeof sentence), 0);
    assert_int_equal(stored_by_worker(&ring, path), 0);
    expect("new");
    assert_int_not_equal(stored_by_worker(&ring, "/nowhere/at/all"), 0);
    spoil(0, STORE_SLOT_BYTES);
    spoil(STORE_SLOT_BYTES, STORE_SLOT_BYTES);
    assert_int_not_equal(stored_by_worker(&ring, path), 0);
    assert_int_equal(truncate(path, STORE_SLOT_BYTES), 0);
    assert_int_not_equal(stored_by_worker(&ring, path), 0);
    ring_close(&ring);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/store-test-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/file", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(the_last_put_is_got),
        ROW(a_torn_slot_leaves_the_one_before),
        ROW(settled_slots_are_both_the_newest),
        ROW(what_is_not_whole_is_no_state),
        ROW(whole_files),
        ROW(a_worker_tells_what_is_not_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
