/* SPDX-License-Identifier: Apache-2.0 */
#include "io/signature.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/inventory.h"

static const char *look(blkid_probe probe)
{
    static const char *const keys[] = {"TYPE", "PTTYPE"};
    const char *name = NULL;
    int found = blkid_do_safeprobe(probe);
    if (found == -2)
        return "several"; /* they contradict each other */
    for (size_t i = 0; found == 0 && i < sizeof keys / sizeof keys[0]; i++)
        if (blkid_probe_lookup_value(probe, keys[i], &name, NULL) == 0)
            return name;
    return "";
}

static void probe_fd(int fd, char out[SIGNATURE_BYTES])
{
    char magic[sizeof DRIVE_POOL_MAGIC - 1];
    if (pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
        memcmp(magic, DRIVE_POOL_MAGIC, sizeof magic) == 0) {
        snprintf(out, SIGNATURE_BYTES, "%s", SIGNATURE_POOL);
        return;
    }
    blkid_probe probe = blkid_new_probe();
    if (!probe)
        return;
    blkid_probe_enable_superblocks(probe, 1);
    blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE);
    blkid_probe_enable_partitions(probe, 1);
    if (blkid_probe_set_device(probe, fd, 0, 0) == 0)
        snprintf(out, SIGNATURE_BYTES, "%s", look(probe));
    blkid_free_probe(probe);
}

void signature_find(const char *path, char out[SIGNATURE_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC); /* libblkid reads as it likes: not O_DIRECT */
    out[0] = 0;
    if (fd < 0)
        return;
    probe_fd(fd, out);
    close(fd);
}
