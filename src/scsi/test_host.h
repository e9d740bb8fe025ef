/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_SCSI_TEST_HOST_H
#define SEGUE_SCSI_TEST_HOST_H

/* For the tests of this room: hosts that send commands to a device server. Every effect goes to two
 * servers, as it does in a group, and host_free() proves that they hold the same state. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "scsi/effect.h"
#include "scsi/medium.h"
#include "scsi/nexus.h"
#include "scsi/opcodes.h"
#include "scsi/persistent.h"
#include "scsi/server.h"

struct host {
    struct scsi_server *server, *other;
    struct directory directory;
    struct trace trace;
    struct scsi_plan plan;
    uint8_t answer[SCSI_DATA_MAX];
    uint8_t sender; /* of the next command */
    uint64_t session;
    uint32_t nexus;
    uint16_t volume;
    uint64_t luns; /* version of the LUN list, as its switch knows it */
};

enum { SAVE_BYTES = 1 << 20, BLOCKS = 100000 };

static inline struct volume_info host_volume(uint16_t index)
{
    struct volume_info info = {.index = index,
                               .name = "db",
                               .blocks = BLOCKS,
                               .block_bytes = 512,
                               .granule_blocks = 128,
                               .atomic_blocks = 2048,
                               .physical_exponent = 3,
                               .write_cache = true};
    for (size_t i = 0; i < sizeof info.uuid; i++)
        info.uuid[i] = (uint8_t)(index * 16u + i + 1);
    return info;
}

static inline void host_set_volume(struct host *h, const struct volume_info *info)
{
    scsi_volume_set(h->server, info);
    scsi_volume_set(h->other, info);
}

static inline void host_run(struct host *h, struct command_message *m, const void *data,
                            uint32_t length)
{
    m->id.sender = h->sender;
    m->id.session = h->session;
    m->nexus = h->nexus;
    m->volume = h->volume;
    m->luns = h->luns;
    memset(h->answer, 0xEE, sizeof h->answer);
    /* Garbage, as the memory of an earlier plan would be. */
    memset(&h->plan, 0xA5, sizeof h->plan);
    h->plan.data = h->answer;
    h->plan.answered = false;
    scsi_plan(h->server, m, data, length, &h->plan);
    if (h->plan.what == SCSI_RESOLVE) {
        assert_int_equal(h->plan.effect[0], 1);
        assert_true(scsi_apply(h->server, h->session, h->plan.effect, h->plan.effect_length));
        assert_true(scsi_apply(h->other, h->session, h->plan.effect, h->plan.effect_length));
    } else {
        assert_int_equal(h->plan.effect_length, 0);
    }
}

static inline void host_open_as(struct host *h, uint8_t sender, uint32_t nexus, const char *name)
{
    struct command_message m = {.kind = COMMAND_NEXUS_OPEN};
    h->sender = sender;
    h->nexus = nexus;
    host_run(h, &m, name, (uint32_t)strlen(name));
}

static inline void host_lose(struct host *h)
{
    struct command_message m = {.kind = COMMAND_NEXUS_LOSS};
    host_run(h, &m, NULL, 0);
}

static inline void host_task(struct host *h, enum task_function task)
{
    struct command_message m = {.kind = COMMAND_TASK, .task = (uint8_t)task};
    host_run(h, &m, NULL, 0);
}

static inline void host_data(struct host *h, const uint8_t *cdb, uint32_t cdb_length,
                             const void *data, uint32_t length)
{
    struct command_message m = {.kind = COMMAND_SCSI};
    memcpy(m.cdb, cdb, cdb_length);
    host_run(h, &m, data, length);
}

#define host_cdb(h, ...) \
    host_data(h, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), NULL, 0)

static inline void host_ready(struct host *h)
{
    host_cdb(h, 0, 0, 0, 0, 0, 0);
}

/* Reports and clears what is pending. */
static inline void host_calm(struct host *h)
{
    do
        host_ready(h);
    while (h->plan.status == SCSI_STATUS_CHECK_CONDITION && h->plan.sense[2] == 6);
}

static inline void host_use(struct host *h, uint8_t sender, uint32_t nexus)
{
    h->sender = sender;
    h->nexus = nexus;
}

/* Volume 0, and a nexus 1 of sender 0 without a unit attention. */
static inline struct host *host_new(void)
{
    struct host *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->trace.max_level = TRACE_ERROR;
    h->server = scsi_server_new(0, &h->directory, &h->trace);
    h->other = scsi_server_new(0, &h->directory, &h->trace);
    assert_non_null(h->server);
    assert_non_null(h->other);
    struct volume_info info = host_volume(0);
    host_set_volume(h, &info);
    host_open_as(h, 0, 1, "iqn.2024-01.host:a,i,0x1");
    host_calm(h);
    return h;
}

static inline uint32_t host_save(struct scsi_server *server, uint8_t *out)
{
    uint32_t length = scsi_save(server, out, SAVE_BYTES);
    assert_true(length <= SAVE_BYTES);
    return length;
}

static inline void host_check_same(struct host *h)
{
    uint8_t *a = malloc(SAVE_BYTES), *b = malloc(SAVE_BYTES);
    uint32_t length = host_save(h->server, a);
    assert_int_equal(length, host_save(h->other, b));
    assert_memory_equal(a, b, length);
    free(a);
    free(b);
}

static inline void host_free(struct host *h)
{
    host_check_same(h);
    scsi_server_free(h->server);
    scsi_server_free(h->other);
    free(h);
}

static inline void assert_good(const struct host *h)
{
    assert_int_equal(h->plan.status, SCSI_STATUS_GOOD);
    assert_int_equal(h->plan.sense_length, 0);
}

static inline void assert_sense(const struct host *h, uint32_t key, uint32_t code)
{
    assert_int_equal(h->plan.status, SCSI_STATUS_CHECK_CONDITION);
    assert_int_equal(h->plan.sense_length, 18);
    assert_int_equal(h->plan.sense[0] & 0x7F, 0x70);
    assert_int_equal(h->plan.sense[2], key);
    assert_int_equal(be16_at(h->plan.sense + 12), code);
    assert_int_equal(h->plan.data_length, 0);
}

static inline void assert_conflict(const struct host *h)
{
    assert_int_equal(h->plan.status, SCSI_STATUS_RESERVATION_CONFLICT);
    assert_int_equal(h->plan.what, SCSI_RESPOND);
}

#endif
