/* SPDX-License-Identifier: Apache-2.0 */

/* What the switch counts of what hosts see. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "iswitch/meter.h"
#include "iswitch/test_host.h"

static struct test_host t;
static uint8_t block[1024];

static int set_up(void **state)
{
    (void)state;
    struct iswitch_config config = test_host_config();
    test_host_begin(&t, &config);
    test_host_serve(&t);
    test_host_connect(&t, 1, TEST_HOST, 1);
    t.keep = true;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_host_end(&t);
    return 0;
}

/* The volume behind LUN 0, whichever that is; NULL: nothing is counted of any. */
static const struct meter *meter_of(uint8_t *group)
{
    for (uint8_t g = 0; g < TEST_GROUPS; g++)
        for (uint16_t v = 0; v < VOLUME_MAX; v++)
            if (iswitch_meter(t.x, g, v)) {
                *group = g;
                return iswitch_meter(t.x, g, v);
            }
    return NULL;
}

static void answer_after(uint64_t ns, const struct response_message *with)
{
    uint32_t at;
    struct test_pdu pdu;
    test_host_wait(&t, ns);
    assert_int_equal(test_host_kept(&t, COMMAND_SCSI, &at), 1);
    test_host_answer(&t, at, with, slice_none());
    test_host_wait(&t, MS(1));
    while (test_host_next(&t, 1, &pdu))
        ;
}

/* Whether counted in the bucket that a wait of so long belongs to. */
static void expect_bucket(const struct histogram *h, uint64_t least_ns, uint64_t most_ns)
{
    uint64_t within = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (histogram_bound_ns(i) >= least_ns && histogram_bound_ns(i) / 2 <= most_ns)
            within += h->count[i];
    assert_int_equal(histogram_total(h), 1);
    assert_int_equal(within, 1);
}

static void test_a_read_and_a_write_are_counted(void **state)
{
    (void)state;
    uint8_t group;
    assert_null(meter_of(&group)); /* the login is none of a volume */
    test_host_read(&t, 1, 0, 2);
    answer_after(MS(5), NULL);
    const struct meter *meter = meter_of(&group);
    assert_non_null(meter);
    expect_bucket(&meter->took[METER_READ], MS(5), MS(8));
    assert_int_equal(meter->read_bytes, 1024);
    assert_int_equal(histogram_total(&meter->took[METER_WRITE]), 0);
    test_host_write(&t, 1, 0, 2, block, 1024, true);
    answer_after(MS(20), NULL);
    expect_bucket(&meter->took[METER_WRITE], MS(20), MS(25));
    assert_int_equal(meter->written_bytes, 1024);
    uint8_t flush[16] = {0x35};
    test_host_command(&t, 1, 0, ISCSI_FINAL, flush, 0, NULL, 0);
    answer_after(MS(1), NULL);
    assert_int_equal(histogram_total(&meter->took[METER_FLUSH]), 1);
    assert_int_equal(histogram_total(&meter->took[METER_OTHER]), 0);
}

static void test_errors_are_those_of_the_array(void **state)
{
    (void)state;
    uint8_t group;
    struct response_message medium = {.status = 0x02, .sense_length = 18, .sense = {0x70, 0, 0x03}},
                            aborted = {.status = 0x02, .sense_length = 8, .sense = {0x72, 0x0B}},
                            asked_wrong = {
                                .status = 0x02, .sense_length = 18, .sense = {0x70, 0, 5}};
    struct response_message *answers[] = {&medium, &aborted, &asked_wrong};
    for (int i = 0; i < 3; i++) {
        test_host_read(&t, 1, 0, 1);
        answer_after(MS(1), answers[i]);
    }
    const struct meter *meter = meter_of(&group);
    assert_int_equal(meter->error[METER_MEDIUM], 1);
    assert_int_equal(meter->error[METER_ABORTED], 1);
    assert_int_equal(meter->error[METER_HARDWARE] + meter->error[METER_BUSY], 0);
    assert_int_equal(histogram_total(&meter->took[METER_READ]), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_read_and_a_write_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors_are_those_of_the_array, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
