/* SPDX-License-Identifier: Apache-2.0 */

/* What of the array a host may see, by the switch's copy of the LUN directory: as which host an
 * initiator comes, which LUNs that one has, and whether it must be told that they changed.
 *
 * X1  A session tells its groups with each command as which host it comes, and with which LUNs it
 *     has been made acquainted: `luns` is the version of the directory in which its list changed
 *     last, `told` the one that the host has heard of (REPORTED LUNS DATA HAS CHANGED, or REPORT
 *     LUNS). A group tells what it has not told; so that another one does not, we look at answers.
 * X2  Nobody who may not log in has a session, once the directory says so. */

#include <string.h>

#include "iswitch/iswitch_state.h"

static const struct directory *directory_of(const struct iswitch *x)
{
    return &x->directory[x->directory_at];
}

const struct directory_host *access_host(const struct iswitch *x, const char *initiator)
{
    if (!x->directory_known)
        return NULL;
    return directory_host(directory_of(x), directory_host_of(directory_of(x), initiator));
}

bool access_forbids(const struct iswitch *x, const char *initiator)
{
    return x->directory_known && directory_host_of(directory_of(x), initiator) == HOST_NOBODY;
}

const struct directory_entry *access_find(const struct iswitch *x, const struct session *session,
                                          uint64_t lun)
{
    int number = lun_number(lun);
    if (number < 0 || !x->directory_known)
        return NULL;
    const struct directory_entry *entry =
        directory_find(directory_of(x), session->host, (uint16_t)number);
    return entry && entry->group < x->config.sender.groups ? entry : NULL;
}

const struct directory_entry *access_next(const struct iswitch *x, const struct session *session,
                                          uint32_t lun)
{
    const struct directory *d = directory_of(x);
    uint32_t first, count = directory_maps(d, session->host, &first);
    for (uint32_t i = first; i < first + count; i++)
        if (d->at[i].lun >= lun && d->at[i].group < x->config.sender.groups)
            return &d->at[i];
    return NULL;
}

/* The host looks for itself when it logs in: nothing is to be told. */
static void begin(const struct iswitch *x, struct session *session)
{
    session->host = directory_host_of(directory_of(x), session->initiator);
    session->luns = session->told = directory_of(x)->version;
}

void access_begin(const struct iswitch *x, struct session *session)
{
    session->host = HOST_ALL;
    session->luns = session->told = 0;
    if (x->directory_known)
        begin(x, session);
}

static bool same_maps(const struct directory *a, uint16_t host_a, const struct directory *b,
                      uint16_t host_b)
{
    uint32_t at_a, at_b, count = directory_maps(a, host_a, &at_a);
    if (count != directory_maps(b, host_b, &at_b))
        return false;
    for (; count > 0; count--, at_a++, at_b++) {
        const struct directory_entry *one = &a->at[at_a], *two = &b->at[at_b];
        if (one->lun != two->lun || one->group != two->group || one->volume != two->volume ||
            memcmp(one->uuid, two->uuid, sizeof one->uuid) != 0)
            return false;
    }
    return true;
}

/* Why the session may not go on, or NULL. X2 */
static const char *refuses(const struct iswitch *x, const struct session *session)
{
    const struct connection *c = session->connection;
    if (access_forbids(x, session->initiator))
        return "its initiator is no host's any more";
    if (authentication_verdict(x, c) != ISCSI_LOGIN_SUCCESS)
        return "the host must prove who it is now";
    return NULL;
}

static void update(struct iswitch *x, struct session *session, const struct directory *old)
{
    const struct directory *now = directory_of(x);
    uint16_t host = directory_host_of(now, session->initiator);
    if (!old) {
        begin(x, session);
        return;
    }
    if (!same_maps(old, session->host, now, host))
        session->luns = now->version;
    session->host = host;
}

void access_changed(struct iswitch *x, const struct directory *old)
{
    list_each (&x->sessions, link, next) {
        struct session *session = list_member(link, struct session, link);
        if (session->state != SESSION_STATE_LIVE)
            continue;
        const char *why = refuses(x, session);
        if (why)
            connection_finish(x, session->connection, why);
        else
            update(x, session, old);
    }
}

uint64_t access_news(const struct session *session)
{
    return session->told < session->luns ? session->luns : 0;
}

static bool says_changed(const uint8_t *sense, uint32_t length)
{
    enum { UNIT_ATTENTION = 0x06, FIXED = 0x70, DESCRIPTOR = 0x72, LUNS_CHANGED = 0x3F0E };
    if (length >= 14 && (sense[0] & 0x7E) == FIXED)
        return (sense[2] & 0x0F) == UNIT_ATTENTION && be16_at(sense + 12) == LUNS_CHANGED;
    return length >= 4 && (sense[0] & 0x7E) == DESCRIPTOR && (sense[1] & 0x0F) == UNIT_ATTENTION &&
           be16_at(sense + 2) == LUNS_CHANGED;
}

void access_answered(struct task *task, const struct response_message *response,
                     struct slice payload)
{
    enum { CHECK_CONDITION = 0x02, REQUEST_SENSE = 0x03, REPORT_LUNS = 0xA0 };
    struct session *session = task->session;
    bool told = false;
    if (task->luns == 0 || task->silent || response->withdrawn)
        return;
    if (response->status == CHECK_CONDITION)
        told = says_changed(response->sense, response->sense_length);
    else if (response->status == 0 && task->cdb[0] == REPORT_LUNS)
        told = true;
    else if (response->status == 0 && task->cdb[0] == REQUEST_SENSE && payload.buffer)
        told = says_changed(slice_bytes(payload), payload.length);
    if (told && session->told < task->luns)
        session->told = task->luns;
}
