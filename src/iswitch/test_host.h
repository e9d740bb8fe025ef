/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEGUE_ISWITCH_TEST_HOST_H
#define SEGUE_ISWITCH_TEST_HOST_H

/* For tests: an interface switch between hosts that speak iSCSI by hand and a unit in each of two
 * groups that answers its commands from a small disk, or keeps them until the test says. */

#include "iswitch/iswitch.h"
#include "wire/iscsi.h"

#define TEST_TARGET "iqn.2024-01.example:array"
#define TEST_HOST "iqn.2024-01.example:host"

enum {
    TEST_STREAMS = 8,
    TEST_GROUPS = 2,
    TEST_COMMANDS = 512,
    TEST_BLOCK = 512,
    TEST_DISK_BYTES = 4 << 20,
    TEST_RECEIVED_BYTES = 8 << 20,
};

struct test_stream {
    bool open, closed, paused;
    uint32_t sent_since; /* actions since the last test_host_sent() */
    uint8_t *received;   /* by the host */
    uint32_t received_length, received_at;
    uint8_t *pending; /* that the switch has not read yet: it is paused */
    uint32_t pending_length;
    uint32_t cmd_sn, itt;
    uint32_t header_digest, data_digest; /* 2: what is sent has wrong ones */
};

struct test_command {
    uint8_t group;
    struct command_message command;
    struct slice payload;
    bool answered;
};

struct test_host {
    struct iswitch *x;
    struct trace trace;
    struct actions *actions;
    struct buffer_pool *pool;
    struct iswitch_config config;
    uint64_t now_ns;
    uint32_t chunk; /* bytes per EVENT_STREAM_DATA; 0: all at once */
    bool use_sink, late;
    struct test_stream stream[TEST_STREAMS + 1]; /* by number, from 1 */
    bool keep;                                   /* SCSI commands are not answered by themselves */
    bool keep_tasks;                             /* ... nor task management */
    bool keep_nexus;
    bool keep_withdrawals;    /* the commands have an order: they are answered as they end */
    bool silent[TEST_GROUPS]; /* the unit hangs: it says nothing by itself */
    uint64_t signal_ns;       /* the units said last that they live */
    bool no_chance;           /* streams are opened without random bytes */
    bool stopped;
    char said[NOTICE_BYTES]; /* the last reply to a person */
    uint32_t commands;       /* that came to a unit */
    struct test_command command[TEST_COMMANDS];
    uint8_t *disk;
};

/* A PDU as the host got it. */
struct test_pdu {
    union {
        struct iscsi_response response;
        struct iscsi_scsi_response scsi;
        struct iscsi_data_in data_in;
        struct iscsi_r2t r2t;
        struct iscsi_login_response login;
        struct iscsi_task_response task;
        struct iscsi_logout_response logout;
        struct iscsi_reject reject;
        struct iscsi_async async;
        uint8_t bytes[ISCSI_BHS_BYTES];
    };
    const uint8_t *data;
    uint32_t length;
};

/* Config as a test may change it before test_host_begin. */
struct iswitch_config test_host_config(void);
void test_host_begin(struct test_host *t, const struct iswitch_config *config);
/* Both units linked, serving, the directory known: LUN 0 is volume 3 of group 0, LUN 5 is volume 4
 * of group 1, LUN 300 volume 7 of group 0. */
void test_host_serve(struct test_host *t);
void test_host_directory(struct test_host *t, uint64_t version);
/* Every buffer is given back; the switch is freed. */
void test_host_end(struct test_host *t);

void test_host_step(struct test_host *t, struct event *event);
void test_host_message(struct test_host *t, const struct message *message);
/* Time goes on, the machine being woken whenever it wants. */
void test_host_wait(struct test_host *t, uint64_t ns);
/* ... without being woken. */
void test_host_freeze(struct test_host *t, uint64_t ns);

void test_host_open(struct test_host *t, uint32_t stream);
void test_host_bytes(struct test_host *t, uint32_t stream, const void *bytes, uint32_t length);
/* A PDU: lengths, padding and digests are added. */
void test_host_send(struct test_host *t, uint32_t stream, void *header, const void *data,
                    uint32_t length);
/* The next PDU that the host got; false: none. */
bool test_host_next(struct test_host *t, uint32_t stream, struct test_pdu *out);
/* ... which must be of that opcode. */
struct test_pdu test_host_expect(struct test_host *t, uint32_t stream, enum iscsi_opcode opcode);
void test_host_expect_nothing(struct test_host *t, uint32_t stream);

/* Login with one request from the operational stage. `more`: further keys, each with its zero byte.
 */
void test_host_login(struct test_host *t, uint32_t stream, const char *name, uint8_t isid,
                     const char *more, uint32_t more_length);
/* One Login Request with that text; flags as on the wire. */
void test_host_login_request(struct test_host *t, uint32_t stream, uint8_t flags, uint8_t isid,
                             const char *text, uint32_t length);
/* Opens and logs in with what a good host asks for. */
void test_host_connect(struct test_host *t, uint32_t stream, const char *name, uint8_t isid);

/* A SCSI command; returns its ITT. `flags`: read, write, final, attribute. */
uint32_t test_host_command(struct test_host *t, uint32_t stream, uint64_t lun, uint8_t flags,
                           const uint8_t cdb[16], uint32_t expected, const void *data,
                           uint32_t length);
void test_host_data_out(struct test_host *t, uint32_t stream, uint32_t itt, uint32_t ttt,
                        uint32_t data_sn, uint32_t offset, bool final, const void *data,
                        uint32_t length);
uint32_t test_host_task(struct test_host *t, uint32_t stream, uint8_t function, uint64_t lun,
                        uint32_t referenced);
uint32_t test_host_write(struct test_host *t, uint32_t stream, uint32_t lba, uint32_t blocks,
                         const void *data, uint32_t immediate, bool final);
uint32_t test_host_read(struct test_host *t, uint32_t stream, uint32_t lba, uint32_t blocks);
/* The answer to the ping that is the next PDU. */
void test_host_pong(struct test_host *t, uint32_t stream);

/* The unit's answer to a kept command: that of the disk, or this response if not NULL. */
void test_host_answer(struct test_host *t, uint32_t command, const struct response_message *with,
                      struct slice payload);
/* Kept commands of that kind, not answered. `last`: index of the last one. */
uint32_t test_host_kept(const struct test_host *t, enum command_kind kind, uint32_t *last);

#endif
