/* SPDX-License-Identifier: Apache-2.0 */
#include "iswitch/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct negotiated {
    struct parameters parameters;
    uint64_t seen;
    struct text_out out;
    struct negotiation n;
};

static void begin(struct negotiated *g, enum iscsi_stage stage, bool discovery)
{
    memset(g, 0, sizeof *g);
    keys_default(&g->parameters);
    g->n = (struct negotiation){&g->parameters, &g->seen, &g->out, stage, discovery};
}

static enum keys_result take(struct negotiated *g, const char *key, const char *value)
{
    char copy[256];
    strncpy(copy, value, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
    g->out.length = 0;
    return keys_take(&g->n, key, copy);
}

static void each_kind(void **state)
{
    (void)state;
    static const struct {
        const char *key, *offer, *answer; /* answer NULL: none */
        size_t at;
        uint32_t value;
        enum iscsi_stage stage;
        bool discovery;
    } cases[] = {
#define OF(field) offsetof(struct parameters, field)
        {"InitialR2T", "No", "InitialR2T=No", OF(initial_r2t), 0, 1, false},
        {"InitialR2T", "Yes", "InitialR2T=Yes", OF(initial_r2t), 1, 1, false},
        {"InitialR2T", "Maybe", "InitialR2T=Reject", OF(initial_r2t), 1, 1, false},
        {"InitialR2T", "No", "InitialR2T=Irrelevant", OF(initial_r2t), 1, 1, true},
        {"InitialR2T", "No", "InitialR2T=Reject", OF(initial_r2t), 1, 0, false},
        {"ImmediateData", "No", "ImmediateData=No", OF(immediate_data), 0, 1, false},
        {"ImmediateData", "Yes", "ImmediateData=Yes", OF(immediate_data), 1, 1, false},
        {"MaxBurstLength", "16776192", "MaxBurstLength=1048576", OF(burst_max), 1 << 20, 1, false},
        {"MaxBurstLength", "0x1000", "MaxBurstLength=4096", OF(burst_max), 4096, 1, false},
        {"MaxBurstLength", "511", "MaxBurstLength=Reject", OF(burst_max), 256 << 10, 1, false},
        {"MaxBurstLength", "12x", "MaxBurstLength=Reject", OF(burst_max), 256 << 10, 1, false},
        {"FirstBurstLength", "262144", "FirstBurstLength=262144", OF(first_burst), 262144, 1,
         false},
        {"MaxOutstandingR2T", "16", "MaxOutstandingR2T=4", OF(r2t_max), 4, 1, false},
        {"MaxConnections", "8", "MaxConnections=1", OF(max_connections), 1, 1, false},
        {"ErrorRecoveryLevel", "2", "ErrorRecoveryLevel=0", OF(recovery_level), 0, 1, false},
        {"DefaultTime2Wait", "5", "DefaultTime2Wait=5", OF(time_to_wait), 5, 1, false},
        {"DefaultTime2Retain", "20", "DefaultTime2Retain=0", OF(time_to_retain), 0, 1, false},
        {"DataPDUInOrder", "No", "DataPDUInOrder=Yes", OF(pdu_in_order), 1, 1, false},
        {"DataSequenceInOrder", "No", "DataSequenceInOrder=Yes", OF(sequence_in_order), 1, 1,
         false},
        {"HeaderDigest", "None", "HeaderDigest=None", OF(header_digest), 0, 1, false},
        {"HeaderDigest", "CRC32C,None", "HeaderDigest=CRC32C", OF(header_digest), 1, 1, false},
        {"HeaderDigest", "SHA,None", "HeaderDigest=None", OF(header_digest), 0, 1, false},
        {"DataDigest", "SHA", "DataDigest=Reject", OF(data_digest), 0, 1, false},
        {"MaxRecvDataSegmentLength", "262144", NULL, OF(segment_max), 262144, 1, false},
        {"MaxRecvDataSegmentLength", "4096", NULL, OF(segment_max), 4096, 3, false},
        {"MaxRecvDataSegmentLength", "100", "MaxRecvDataSegmentLength=Reject", OF(segment_max),
         8192, 1, false},
        {"IFMarker", "Yes", "IFMarker=No", OF(marker), 0, 1, false},
        {"OFMarkInt", "2048", "OFMarkInt=Reject", OF(marker), 0, 1, false},
        {"TargetAlias", "x", "TargetAlias=Reject", OF(marker), 0, 1, false},
        {"X-com.example.thing", "1", "X-com.example.thing=NotUnderstood", OF(marker), 0, 1, false},
        {"X-com.example.thing", "NotUnderstood", NULL, OF(marker), 0, 1, false},
        {"InitiatorAlias", "my host", NULL, OF(marker), 0, 0, false},
        {"iSCSIProtocolLevel", "2", "iSCSIProtocolLevel=1", OF(protocol_level), 1, 1, false},
        {"TaskReporting", "FastAbort,RFC3720", "TaskReporting=RFC3720", OF(task_reporting), 0, 1,
         false},
    };
    static struct negotiated g;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(&g, cases[i].stage, cases[i].discovery);
        assert_int_equal(take(&g, cases[i].key, cases[i].offer), KEYS_OK);
        uint32_t value;
        memcpy(&value, (const uint8_t *)&g.parameters + cases[i].at, sizeof value);
        assert_int_equal(value, cases[i].value);
        if (cases[i].answer)
            assert_string_equal((const char *)g.out.bytes, cases[i].answer);
        assert_int_equal(g.out.length, cases[i].answer ? strlen(cases[i].answer) + 1 : 0);
    }
}

static void names(void **state)
{
    (void)state;
    static struct negotiated g;
    begin(&g, ISCSI_STAGE_SECURITY, false);
    assert_int_equal(take(&g, "InitiatorName", "IQN.2024-01.example:Host"), KEYS_OK);
    assert_string_equal(g.parameters.initiator, "iqn.2024-01.example:host");
    assert_int_equal(take(&g, "SessionType", "Discovery"), KEYS_OK);
    assert_string_equal(g.parameters.session_type, "Discovery");
    char longest[240];
    memset(longest, 'a', sizeof longest);
    longest[ISCSI_NAME_MAX] = 0;
    begin(&g, ISCSI_STAGE_SECURITY, false);
    assert_int_equal(take(&g, "TargetName", longest), KEYS_OK);
    longest[ISCSI_NAME_MAX] = 'a';
    longest[ISCSI_NAME_MAX + 1] = 0;
    begin(&g, ISCSI_STAGE_SECURITY, false);
    assert_int_equal(take(&g, "TargetName", longest), KEYS_BROKEN);
    static const char *const bad[] = {"", "a b", "a,i,0x1", "a\n", "caf\xC3\xA9", "\xC3", "a\x7F"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        begin(&g, ISCSI_STAGE_SECURITY, false);
        assert_int_equal(take(&g, "InitiatorName", bad[i]), KEYS_BROKEN);
    }
}

static void rules(void **state)
{
    (void)state;
    static struct negotiated g;
    begin(&g, ISCSI_STAGE_OPERATIONAL, false);
    assert_int_equal(take(&g, "InitialR2T", "No"), KEYS_OK);
    assert_int_equal(take(&g, "InitialR2T", "Yes"), KEYS_BROKEN); /* twice */
}

static void output_is_bounded(void **state)
{
    (void)state;
    static struct negotiated g;
    begin(&g, ISCSI_STAGE_OPERATIONAL, false);
    for (int i = 0; i < 1000 && !g.out.overflow; i++)
        keys_put(&g.out, "SomeKey", "NotUnderstood");
    assert_true(g.out.overflow);
    assert_true(g.out.length <= TEXT_BYTES);
    g.out.length = 0;
    keys_put_number(&g.out, "N", 0);
    keys_put_number(&g.out, "N", UINT32_MAX);
    assert_memory_equal(g.out.bytes, "N=0\0N=4294967295\0", 17);
    uint32_t number;
    assert_true(keys_number("4294967295", &number) && number == UINT32_MAX);
    assert_false(keys_number("4294967296", &number));
    assert_false(keys_number("", &number));
    assert_false(keys_number("0x", &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind),
        cmocka_unit_test(names),
        cmocka_unit_test(rules),
        cmocka_unit_test(output_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
