/* SPDX-License-Identifier: Apache-2.0 */
#include "command/inventory.h"

void drive_info_put(struct cursor *c, const struct drive_info *info)
{
    cursor_put8(c, info->drive);
    cursor_put8(c, info->bank);
    cursor_put8(c, info->online);
    cursor_put8(c, 1); /* version of the entry */
    cursor_put32(c, info->block_bytes);
    cursor_put64(c, info->bytes);
    cursor_put8(c, al_pa_valid(info->al_pa) ? info->al_pa : 0); /* 0: none */
    cursor_put8(c, info->content);
    cursor_put16(c, info->life);
    cursor_put32(c, 0);
    cursor_put_bytes(c, info->serial, sizeof info->serial);
}

void drive_info_get(struct cursor *c, struct drive_info *info)
{
    info->drive = cursor_get8(c);
    info->bank = cursor_get8(c);
    info->online = cursor_get8(c) != 0;
    if (cursor_get8(c) != 1 || info->drive >= DRIVE_MAX)
        c->failed = true;
    info->block_bytes = cursor_get32(c);
    info->bytes = cursor_get64(c);
    info->al_pa = cursor_get8(c);
    if (!al_pa_valid(info->al_pa))
        info->al_pa = AL_PA_NONE;
    info->content = cursor_get8(c);
    info->life = cursor_get16(c);
    (void)cursor_get32(c);
    cursor_get_bytes(c, info->serial, sizeof info->serial);
    info->serial[sizeof info->serial - 1] = 0;
}
