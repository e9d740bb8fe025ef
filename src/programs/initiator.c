/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/initiator.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const uint64_t RETRY_NS = 100000000u;    /* between attempts to connect */
static const uint64_t CONNECT_NS = 5000000000u; /* for connecting and logging in */
static const uint64_t PING_AFTER_NS = 2000000000u;
static const uint64_t PING_NS = 3000000000u; /* for the answer to a ping */

enum { ATTENTIONS_MAX = 10, STATUS_GOOD = 0 };

void initiator_init(struct initiator *x, const char *name, const char *portal, const char *target,
                    int lun, uint32_t number)
{
    *x = (struct initiator){.lun = lun, .isid = number, .state = INITIATOR_STATE_DOWN};
    snprintf(x->name, sizeof x->name, "%s", name);
    snprintf(x->target, sizeof x->target, "%s", target);
    snprintf(x->portal, sizeof x->portal, "%s", portal);
    list_init(&x->sent);
    list_init(&x->done);
}

static void give_back(struct initiator_command *c, enum initiator_result result)
{
    struct initiator *x = c->owner;
    list_remove(&c->link);
    c->result = result;
    c->done_ns = x->now_ns;
    if (c->task)
        scsi_free_scsi_task(c->task);
    c->task = NULL;
    x->running--;
    list_append(&x->done, &c->link);
}

static void break_off(struct initiator *x, const char *why)
{
    if (x->dropping || x->broken)
        return;
    x->broken = true;
    const char *error = x->iscsi ? iscsi_get_error(x->iscsi) : "";
    snprintf(x->why, sizeof x->why, "%s%s%.100s", why, *error ? ": " : "", error);
}

/* Only outside of libiscsi's own calls: it ends the context. */
static void drop(struct initiator *x)
{
    x->dropping = true;
    if (x->iscsi)
        iscsi_destroy_context(x->iscsi);
    x->iscsi = NULL;
    list_each (&x->sent, link, next)
        give_back(list_member(link, struct initiator_command, link), INITIATOR_LOST);
    x->dropping = x->broken = false;
    if (x->state == INITIATOR_STATE_UP)
        x->drops++;
    x->state = INITIATOR_STATE_DOWN;
    x->retry_ns = x->now_ns + RETRY_NS;
}

static void settle(struct initiator *x)
{
    if (x->broken)
        drop(x);
}

void initiator_drop(struct initiator *x, const char *why)
{
    break_off(x, why);
    settle(x);
}

void initiator_close(struct initiator *x)
{
    if (x->iscsi && x->state == INITIATOR_STATE_UP && !x->running) {
        iscsi_set_timeout(x->iscsi, 2);
        iscsi_logout_sync(x->iscsi);
    }
    drop(x);
}

/* ---- coming up: each answer asks the next question ---- */

static void ask_ready(struct initiator *x);

static void capacity_came(struct iscsi_context *iscsi, int status, void *data, void *user)
{
    struct initiator *x = user;
    struct scsi_task *task = data;
    (void)iscsi;
    struct scsi_readcapacity16 *capacity =
        status == STATUS_GOOD && task ? scsi_datain_unmarshall(task) : NULL;
    if (!x->dropping) {
        if (capacity) {
            x->blocks = capacity->returned_lba + 1;
            x->block_bytes = capacity->block_length;
            x->state = INITIATOR_STATE_UP;
            x->heard_ns = x->now_ns;
            x->connects++;
        } else {
            break_off(x, "READ CAPACITY failed");
        }
    }
    if (task)
        scsi_free_scsi_task(task);
}

static void ready_came(struct iscsi_context *iscsi, int status, void *data, void *user)
{
    struct initiator *x = user;
    struct scsi_task *task = data;
    bool attention = status == SCSI_STATUS_CHECK_CONDITION && task &&
                     task->sense.key == SCSI_SENSE_UNIT_ATTENTION;
    if (task)
        scsi_free_scsi_task(task);
    if (x->dropping)
        return;
    if (attention && ++x->attentions <= ATTENTIONS_MAX)
        ask_ready(x);
    else if (status != STATUS_GOOD)
        break_off(x, "TEST UNIT READY failed");
    else if (!iscsi_readcapacity16_task(iscsi, x->lun, capacity_came, x))
        break_off(x, "cannot send READ CAPACITY");
}

static void ask_ready(struct initiator *x)
{
    if (!iscsi_testunitready_task(x->iscsi, x->lun, ready_came, x))
        break_off(x, "cannot send TEST UNIT READY");
}

static void login_came(struct iscsi_context *iscsi, int status, void *data, void *user)
{
    struct initiator *x = user;
    (void)iscsi;
    (void)data;
    if (x->dropping)
        return;
    if (status != STATUS_GOOD) {
        break_off(x, "login failed");
        return;
    }
    x->state = INITIATOR_STATE_ASKING;
    x->attentions = 0;
    ask_ready(x);
}

static void connected(struct iscsi_context *iscsi, int status, void *data, void *user)
{
    struct initiator *x = user;
    (void)data;
    if (x->dropping)
        return;
    if (status != STATUS_GOOD) {
        break_off(x, "cannot connect");
        return;
    }
    int on = 1;
    setsockopt(iscsi_get_fd(iscsi), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    x->state = INITIATOR_STATE_LOGIN;
    if (iscsi_login_async(iscsi, login_came, x) != 0)
        break_off(x, "cannot log in");
}

static void connect_begin(struct initiator *x)
{
    x->begun_ns = x->now_ns;
    x->ping_ns = 0;
    x->state = INITIATOR_STATE_CONNECTING;
    x->iscsi = iscsi_create_context(x->name);
    if (!x->iscsi) {
        break_off(x, "no memory");
        return;
    }
    iscsi_set_noautoreconnect(x->iscsi, 1);
    iscsi_set_targetname(x->iscsi, x->target);
    iscsi_set_session_type(x->iscsi, ISCSI_SESSION_NORMAL);
    iscsi_set_header_digest(x->iscsi,
                            x->digests ? ISCSI_HEADER_DIGEST_CRC32C : ISCSI_HEADER_DIGEST_NONE);
    iscsi_set_isid_random(x->iscsi, x->isid & 0xFFFFFFu, x->isid & 0xFFFFu);
    if (iscsi_connect_async(x->iscsi, x->portal, connected, x) != 0)
        break_off(x, "cannot connect");
}

/* ---- being up ---- */

static void ping_came(struct iscsi_context *iscsi, int status, void *data, void *user)
{
    struct initiator *x = user;
    (void)iscsi;
    (void)data;
    if (x->dropping || status != STATUS_GOOD)
        return;
    x->heard_ns = x->now_ns;
    x->ping_ns = 0;
}

static void watch(struct initiator *x)
{
    if (x->ping_ns && x->now_ns > x->ping_ns + PING_NS) {
        x->ping_drops++;
        break_off(x, "no answer to a ping");
    } else if (!x->ping_ns && x->now_ns > x->heard_ns + PING_AFTER_NS) {
        x->ping_ns = x->now_ns;
        if (iscsi_nop_out_async(x->iscsi, ping_came, NULL, 0, x) != 0)
            break_off(x, "cannot ping");
    }
}

void initiator_step(struct initiator *x, uint64_t now_ns)
{
    x->now_ns = now_ns;
    switch (x->state) {
    case INITIATOR_STATE_DOWN:
        if (now_ns >= x->retry_ns)
            connect_begin(x);
        break;
    case INITIATOR_STATE_CONNECTING:
    case INITIATOR_STATE_LOGIN:
    case INITIATOR_STATE_ASKING:
        if (now_ns > x->begun_ns + CONNECT_NS)
            break_off(x, "the login takes too long");
        break;
    case INITIATOR_STATE_UP:
        watch(x);
        break;
    }
    settle(x);
}

void initiator_poll(const struct initiator *x, struct pollfd *entry)
{
    *entry = (struct pollfd){.fd = -1};
    if (!x->iscsi || iscsi_get_fd(x->iscsi) < 0)
        return;
    entry->fd = iscsi_get_fd(x->iscsi);
    entry->events = (short)iscsi_which_events(x->iscsi);
}

/* libiscsi does not say that an idle connection has been closed when it must not reconnect. */
static bool peer_closed(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void initiator_event(struct initiator *x, short revents, uint64_t now_ns)
{
    x->now_ns = now_ns;
    if (!x->iscsi || !revents)
        return;
    bool up = x->state != INITIATOR_STATE_CONNECTING;
    if (up && (revents & (POLLERR | POLLHUP)))
        break_off(x, "the connection was reset");
    else if (up && (revents & POLLIN) && peer_closed(iscsi_get_fd(x->iscsi)))
        break_off(x, "the target closed the connection");
    else if (iscsi_service(x->iscsi, revents) < 0)
        break_off(x, "the connection failed");
    settle(x);
}

static enum initiator_result result_of(int status, const struct scsi_task *task)
{
    switch (status) {
    case SCSI_STATUS_GOOD:
        return task->residual_status == SCSI_RESIDUAL_NO_RESIDUAL ? INITIATOR_GOOD
                                                                  : INITIATOR_FAILED;
    case SCSI_STATUS_CHECK_CONDITION:
        if (task->sense.key == SCSI_SENSE_UNIT_ATTENTION)
            return INITIATOR_ATTENTION;
        return task->sense.key == SCSI_SENSE_COMMAND_ABORTED ? INITIATOR_ABORTED : INITIATOR_FAILED;
    case SCSI_STATUS_BUSY:
    case SCSI_STATUS_TASK_SET_FULL:
        return INITIATOR_BUSY;
    case SCSI_STATUS_TASK_ABORTED:
        return INITIATOR_ABORTED;
    case SCSI_STATUS_CANCELLED:
    case SCSI_STATUS_ERROR:
    case SCSI_STATUS_TIMEOUT:
        return INITIATOR_LOST;
    default: /* a status that the target made up is data too */
        return INITIATOR_FAILED;
    }
}

static void command_came(struct iscsi_context *iscsi, int status, void *data, void *user)
{
    struct initiator_command *c = user;
    struct initiator *x = c->owner;
    (void)iscsi;
    (void)data;
    enum initiator_result result = result_of(status, c->task);
    c->status = (uint8_t)status;
    c->sense_key = (uint8_t)c->task->sense.key;
    c->asc_ascq = (uint16_t)c->task->sense.ascq;
    if (result == INITIATOR_LOST)
        break_off(x, "commands were cancelled");
    else
        x->heard_ns = x->now_ns;
    give_back(c, result);
}

bool initiator_submit(struct initiator *x, struct initiator_command *c, uint64_t now_ns)
{
    if (x->state != INITIATOR_STATE_UP || x->broken)
        return false;
    uint32_t bytes = c->blocks * x->block_bytes;
    int size = (int)x->block_bytes;
    c->vector = (struct scsi_iovec){c->data, bytes};
    switch (c->op) {
    case INITIATOR_READ:
        c->task = iscsi_read16_iov_task(x->iscsi, x->lun, c->lba, bytes, size, 0, 0, 0, 0, 0,
                                        command_came, c, &c->vector, 1);
        break;
    case INITIATOR_WRITE:
        c->task = iscsi_write16_iov_task(x->iscsi, x->lun, c->lba, NULL, bytes, size, 0, 0, 0, 0, 0,
                                         command_came, c, &c->vector, 1);
        break;
    case INITIATOR_FLUSH:
        c->task = iscsi_synchronizecache10_task(x->iscsi, x->lun, 0, 0, 0, 0, command_came, c);
        break;
    }
    if (!c->task) {
        x->now_ns = now_ns;
        initiator_drop(x, "cannot send a command");
        return false;
    }
    c->owner = x;
    c->sent_ns = now_ns;
    x->running++;
    list_append(&x->sent, &c->link);
    return true;
}

void initiator_push(struct initiator *x, uint64_t now_ns)
{
    if (x->iscsi && x->state == INITIATOR_STATE_UP && (iscsi_which_events(x->iscsi) & POLLOUT))
        initiator_event(x, POLLOUT, now_ns);
}

struct initiator_command *initiator_next_done(struct initiator *x)
{
    struct initiator_command *c = list_first(&x->done, struct initiator_command, link);
    if (c)
        list_remove(&c->link);
    return c;
}

const char *initiator_result_name(enum initiator_result result)
{
    static const char *const names[] = {
        [INITIATOR_GOOD] = "good",           [INITIATOR_LOST] = "connection lost",
        [INITIATOR_ATTENTION] = "attention", [INITIATOR_BUSY] = "busy",
        [INITIATOR_ABORTED] = "aborted",     [INITIATOR_FAILED] = "failed",
    };
    return names[result];
}
