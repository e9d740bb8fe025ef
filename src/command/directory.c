/* SPDX-License-Identifier: Apache-2.0 */
#include "command/directory.h"

#include "base/must.h"

static uint32_t key_of(const struct directory_entry *entry)
{
    return (uint32_t)entry->host << 16 | entry->lun;
}

/* The first entry that is not below the key. */
static uint32_t lower_bound(const struct directory *d, uint32_t key)
{
    uint32_t low = 0, high = d->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (key_of(&d->at[middle]) < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct directory_entry *directory_find(const struct directory *d, uint16_t host, uint16_t lun)
{
    uint32_t at = lower_bound(d, (uint32_t)host << 16 | lun);
    return at < d->count && d->at[at].host == host && d->at[at].lun == lun ? &d->at[at] : NULL;
}

uint32_t directory_maps(const struct directory *d, uint16_t host, uint32_t *first)
{
    *first = lower_bound(d, (uint32_t)host << 16);
    uint32_t end = *first;
    while (end < d->count && d->at[end].host == host)
        end++;
    return end - *first;
}

static int initiator_index(const struct directory *d, const char *name)
{
    for (uint16_t i = 0; i < d->initiators; i++)
        if (strcmp(d->initiator[i].name, name) == 0)
            return i;
    return -1;
}

uint16_t directory_host_of(const struct directory *d, const char *initiator)
{
    if (d->hosts == 0)
        return HOST_ALL;
    int i = initiator_index(d, initiator);
    return i < 0 ? HOST_NOBODY : d->initiator[i].host;
}

const struct directory_host *directory_host(const struct directory *d, uint16_t id)
{
    for (uint16_t h = 0; h < d->hosts; h++)
        if (d->host[h].id == id)
            return &d->host[h];
    return NULL;
}

const struct directory_host *directory_host_named(const struct directory *d, const char *name)
{
    for (uint16_t h = 0; h < d->hosts; h++)
        if (strcmp(d->host[h].name, name) == 0)
            return &d->host[h];
    return NULL;
}

/* ---- what may be changed ---- */

/* Letters, digits and what RFC 7143 4.2.7 allows; of a type that there is. */
static bool initiator_is_good(const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789-.:";
    if (strncmp(name, "iqn.", 4) != 0 && strncmp(name, "eui.", 4) != 0 &&
        strncmp(name, "naa.", 4) != 0)
        return false;
    return name[4] && strspn(name, good) == strlen(name);
}

static const char *initiator_refused(const struct directory *d,
                                     const struct directory_change *change)
{
    const struct directory_host *host = directory_host_named(d, change->host);
    int i = initiator_index(d, change->initiator);
    if (!initiator_is_good(change->initiator))
        return "an initiator's name is iqn.YYYY-MM.domain:name, eui. or naa., in small letters; "
               "correct it";
    if (i >= 0 && (!host || d->initiator[i].host != host->id))
        return "another host has that initiator; take it away there first";
    if (i < 0 && d->initiators == INITIATOR_MAX)
        return "there are 256 initiators, the most; take one away first";
    return NULL;
}

static const char *host_refused(const struct directory *d, const struct directory_change *change)
{
    const struct directory_host *host = directory_host_named(d, change->host);
    if (!change->host[0] || change->host[strcspn(change->host, " \t")])
        return "a host needs a name of 1 to 31 letters without blanks";
    if (!host && d->hosts == HOST_MAX)
        return "there are 128 hosts, the most; delete one";
    if (host &&
        (initiator_index(d, change->initiator) < 0 || strcmp(host->user, change->user) != 0))
        return "a host of that name exists; choose another name";
    return initiator_refused(d, change);
}

static const char *map_refused(const struct directory *d, const struct directory_change *change)
{
    const struct directory_host *host = directory_host_named(d, change->host);
    if (change->host[0] && !host)
        return "there is no such host; segue host list shows the hosts";
    if (change->lun >= 16384 || change->group >= GROUP_MAX || change->volume >= VOLUME_MAX)
        return "a LUN is 0 to 16383; choose such a number";
    const struct directory_entry *there =
        directory_find(d, host ? host->id : HOST_ALL, change->lun);
    if (there && (there->group != change->group || there->volume != change->volume ||
                  memcmp(there->uuid, change->uuid, sizeof there->uuid) != 0))
        return "that LUN is taken; choose another, or unmap it first";
    if (!there && d->count == MAP_MAX)
        return "no LUN is left; unmap a volume first";
    return NULL;
}

const char *directory_refuses(const struct directory *d, const struct directory_change *change)
{
    const struct directory_host *host = directory_host_named(d, change->host);
    static const char no_host[] = "there is no such host; segue host list shows the hosts";
    switch ((enum directory_verb)change->verb) {
    case DIRECTORY_MAP:
        return map_refused(d, change);
    case DIRECTORY_UNMAP:
        if (change->host[0] && !host)
            return no_host;
        return directory_find(d, host ? host->id : HOST_ALL, change->lun)
                   ? NULL
                   : "nothing is mapped at that LUN; segue status lists the LUNs";
    case DIRECTORY_HOST_CREATE:
        return host_refused(d, change);
    case DIRECTORY_HOST_ADD:
        return host ? initiator_refused(d, change) : no_host;
    case DIRECTORY_HOST_REMOVE: {
        int i = initiator_index(d, change->initiator);
        if (!host)
            return no_host;
        return i >= 0 && d->initiator[i].host == host->id
                   ? NULL
                   : "the host has no such initiator; segue host list shows what it has";
    }
    case DIRECTORY_HOST_DELETE:
    case DIRECTORY_HOST_USER:
        return host ? NULL : no_host;
    }
    return "this release does not know that request; upgrade the array";
}

/* ---- changing ---- */

static void apply_map(struct directory *d, const struct directory_change *change, uint16_t host)
{
    struct directory_entry entry = {
        .host = host, .lun = change->lun, .group = change->group, .volume = change->volume};
    memcpy(entry.uuid, change->uuid, sizeof entry.uuid);
    memcpy(entry.name, change->name, sizeof entry.name);
    uint32_t at = lower_bound(d, key_of(&entry));
    if (at == d->count || key_of(&d->at[at]) != key_of(&entry)) {
        must(d->count < MAP_MAX);
        memmove(&d->at[at + 1], &d->at[at], (d->count++ - at) * sizeof entry);
    }
    d->at[at] = entry;
}

static void remove_maps(struct directory *d, uint32_t first, uint32_t count)
{
    memmove(&d->at[first], &d->at[first + count], (d->count - first - count) * sizeof d->at[0]);
    d->count -= count;
}

static void add_initiator(struct directory *d, uint16_t host, const char *name)
{
    if (initiator_index(d, name) >= 0)
        return;
    must(d->initiators < INITIATOR_MAX);
    struct directory_initiator *initiator = &d->initiator[d->initiators++];
    initiator->host = host;
    memcpy(initiator->name, name, sizeof initiator->name);
}

static void remove_initiator(struct directory *d, uint16_t index)
{
    memmove(&d->initiator[index], &d->initiator[index + 1],
            (size_t)(d->initiators - index - 1) * sizeof d->initiator[0]);
    d->initiators--;
}

static uint16_t create_host(struct directory *d, const struct directory_change *change)
{
    must(d->hosts < HOST_MAX);
    do
        d->last_host = d->last_host + 1 == HOST_NOBODY ? 1 : (uint16_t)(d->last_host + 1);
    while (directory_host(d, d->last_host));
    struct directory_host *host = &d->host[d->hosts++];
    host->id = d->last_host;
    memcpy(host->name, change->host, sizeof host->name);
    memcpy(host->user, change->user, sizeof host->user);
    return host->id;
}

static void delete_host(struct directory *d, uint16_t id)
{
    uint32_t first, count = directory_maps(d, id, &first);
    remove_maps(d, first, count);
    for (uint16_t i = d->initiators; i-- > 0;)
        if (d->initiator[i].host == id)
            remove_initiator(d, i);
    uint16_t h = 0;
    while (d->host[h].id != id)
        h++;
    memmove(&d->host[h], &d->host[h + 1], (size_t)(d->hosts - h - 1) * sizeof d->host[0]);
    d->hosts--;
}

static void apply_to_host(struct directory *d, const struct directory_change *change, uint16_t id)
{
    int i = initiator_index(d, change->initiator);
    for (uint16_t h = 0; h < d->hosts && change->verb == DIRECTORY_HOST_USER; h++)
        if (d->host[h].id == id)
            memcpy(d->host[h].user, change->user, sizeof d->host[h].user);
    if (change->verb == DIRECTORY_HOST_DELETE)
        delete_host(d, id);
    else if (change->verb == DIRECTORY_HOST_ADD)
        add_initiator(d, id, change->initiator);
    else if (change->verb == DIRECTORY_HOST_REMOVE && i >= 0)
        remove_initiator(d, (uint16_t)i);
}

void directory_apply(struct directory *d, const struct directory_change *change)
{
    const struct directory_host *host = directory_host_named(d, change->host);
    d->version++;
    switch ((enum directory_verb)change->verb) {
    case DIRECTORY_MAP:
        if (host || !change->host[0])
            apply_map(d, change, host ? host->id : HOST_ALL);
        return;
    case DIRECTORY_UNMAP: {
        uint16_t id = host ? host->id : HOST_ALL;
        if ((host || !change->host[0]) && directory_find(d, id, change->lun))
            remove_maps(d, lower_bound(d, (uint32_t)id << 16 | change->lun), 1);
        return;
    }
    case DIRECTORY_HOST_CREATE:
        add_initiator(d, host ? host->id : create_host(d, change), change->initiator);
        return;
    case DIRECTORY_HOST_DELETE:
    case DIRECTORY_HOST_ADD:
    case DIRECTORY_HOST_REMOVE:
    case DIRECTORY_HOST_USER:
        if (host)
            apply_to_host(d, change, host->id);
        return;
    }
}

int lun_number(uint64_t lun)
{
    uint16_t first = (uint16_t)(lun >> 48);
    if (lun & 0xFFFFFFFFFFFFull)
        return -1;
    if (first >> 14 == 0) /* peripheral device addressing, bus 0 */
        return first & 0xFF00 ? -1 : first & 0xFF;
    if (first >> 14 == 1) /* flat space addressing */
        return first & 0x3FFF;
    return -1;
}

uint64_t lun_field(uint16_t number)
{
    uint16_t first = number < 256 ? number : (uint16_t)(0x4000 | number);
    return (uint64_t)first << 48;
}
