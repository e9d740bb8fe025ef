/* SPDX-License-Identifier: Apache-2.0 */
#include "command/directory.h"

#include "base/must.h"

const struct directory_entry *directory_find(const struct directory *d, uint16_t lun)
{
    uint32_t low = 0, high = d->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (d->at[middle].lun == lun)
            return &d->at[middle];
        if (d->at[middle].lun < lun)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

uint32_t directory_encode(const struct directory *d, uint8_t *out, uint32_t capacity)
{
    struct cursor c = cursor_of(out, capacity);
    cursor_put64(&c, d->version);
    cursor_put32(&c, d->count);
    for (uint32_t i = 0; i < d->count; i++) {
        const struct directory_entry *entry = &d->at[i];
        cursor_put16(&c, entry->lun);
        cursor_put8(&c, entry->group);
        cursor_put16(&c, entry->volume);
        cursor_put_bytes(&c, entry->uuid, sizeof entry->uuid);
        cursor_put_bytes(&c, entry->name, sizeof entry->name);
    }
    must(!c.failed);
    return (uint32_t)(c.at - out);
}

bool directory_decode(const uint8_t *bytes, uint32_t length, struct directory *out)
{
    struct cursor c = cursor_read(bytes, length);
    out->version = cursor_get64(&c);
    uint32_t count = cursor_get32(&c);
    out->count = 0;
    if (count > LUN_MAX || cursor_left(&c) != (size_t)count * DIRECTORY_ENTRY_BYTES)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct directory_entry *entry = &out->at[i];
        entry->lun = cursor_get16(&c);
        entry->group = cursor_get8(&c);
        entry->volume = cursor_get16(&c);
        cursor_get_bytes(&c, entry->uuid, sizeof entry->uuid);
        cursor_get_bytes(&c, entry->name, sizeof entry->name);
        entry->name[NAME_BYTES - 1] = 0;
        if (entry->group >= GROUP_MAX || (i > 0 && entry->lun <= out->at[i - 1].lun))
            return false;
    }
    out->count = count;
    return !c.failed;
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
