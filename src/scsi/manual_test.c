/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "scsi/attention.h"
#include "scsi/test_host.h"

/* segue-interfaces(7) lists what this room has: each table of the page, between a comment that
 * names it and one that ends it, against the room's own. A row is `.It Li CODE`, or CODE/SUB. */

enum { CODES = 1 << 16 };

static FILE *manual;
static bool told[CODES], there[CODES];

static int set_up(void **state)
{
    (void)state;
    manual = fopen(SEGUE_MANUAL, "re");
    memset(told, 0, sizeof told);
    memset(there, 0, sizeof there);
    return manual ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return fclose(manual);
}

/* What the table of the page says. */
static void read_table(const char *name)
{
    char line[512], begin[64];
    bool inside = false, found = false;
    unsigned rows = 0, code, sub;
    snprintf(begin, sizeof begin, ".\\\" table: %s\n", name);
    while (fgets(line, sizeof line, manual)) {
        if (strcmp(line, begin) == 0)
            inside = found = true;
        else if (strcmp(line, ".\\\" end\n") == 0)
            inside = false;
        if (!inside || strncmp(line, ".It Li ", 7) != 0)
            continue;
        sub = 0;
        assert_true(sscanf(line + 7, "%x/%x", &code, &sub) >= 1);
        assert_true(code < 256 && sub < 256);
        if (told[code << 8 | sub])
            fail_msg("%s lists %02X/%02X twice", SEGUE_MANUAL, code, sub);
        told[code << 8 | sub] = true;
        rows++;
    }
    assert_true(found && rows > 0);
}

static void is_there(unsigned code, unsigned sub)
{
    there[code << 8 | sub] = true;
}

/* Both ways. */
static void compare(const char *name)
{
    read_table(name);
    for (unsigned i = 0; i < CODES; i++)
        if (told[i] != there[i])
            fail_msg("%s, table of %s: %02X/%02X %s", SEGUE_MANUAL, name, i >> 8, i & 255,
                     there[i] ? "is missing" : "is not in the source");
}

static void opcodes(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < opcode_count(); i++)
        is_there(opcode_table[i].code,
                 opcode_table[i].action == ACTION_NONE ? 0u : (unsigned)opcode_table[i].action);
    compare("opcodes");
}

static void vital_pages(void **state)
{
    (void)state;
    struct host *h = host_new();
    host_cdb(h, 0x12, 1, 0, 0, 255, 0);
    assert_good(h);
    for (uint32_t i = 0; i < be16_at(h->answer + 2); i++)
        is_there(h->answer[4 + i], 0);
    host_free(h);
    compare("vital");
}

static void mode_pages(void **state)
{
    (void)state;
    enum { HEADER = 8, SUBPAGE_FORMAT = 0x40 };
    struct host *h = host_new();
    host_cdb(h, 0x5A, 0x08, 0x3F, 0xFF, 0, 0, 0, 4, 0, 0);
    assert_good(h);
    for (uint32_t at = HEADER; at < h->plan.data_length;) {
        const uint8_t *page = h->answer + at;
        bool subpage = page[0] & SUBPAGE_FORMAT;
        is_there(page[0] & 0x3F, subpage ? page[1] : 0);
        at += subpage ? 4u + be16_at(page + 2) : 2u + page[1];
    }
    host_free(h);
    compare("modes");
}

static void log_pages(void **state)
{
    (void)state;
    struct host *h = host_new();
    host_cdb(h, 0x4D, 0, 0x40, 0xFF, 0, 0, 0, 4, 0, 0);
    assert_good(h);
    is_there(0, 0);
    for (uint32_t i = 0; i < be16_at(h->answer + 2); i += 2)
        is_there(h->answer[4 + i], h->answer[5 + i]);
    host_free(h);
    compare("logs");
}

static void attentions(void **state)
{
    (void)state;
    enum { LUNS_CHANGED = 0x3F0E }; /* is of the nexus, not of a volume: attention.c */
    for (int a = 0; a < ATTENTIONS; a++)
        there[attention_code((enum attention)a)] = true;
    there[LUNS_CHANGED] = true;
    compare("attentions");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opcodes), TEST(vital_pages), TEST(mode_pages), TEST(log_pages), TEST(attentions),
    };
    return cmocka_run_group_tests_name("manual", tests, NULL, NULL);
}
