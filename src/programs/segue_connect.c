/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "manage/status_json.h"
#include "programs/segue_objects.h"

/* segue connect: what to type on a host. */

/* "address" and "port" of "address:port", IPv6 in brackets. */
static void split_portal(const char *portal, char *address, size_t bytes, const char **port)
{
    const char *colon = strrchr(portal, ':');
    *port = colon ? colon + 1 : "3260";
    snprintf(address, bytes, "%.*s", colon ? (int)(colon - portal) : (int)strlen(portal), portal);
}

static void print_linux(const struct config *config)
{
    printf("Linux (open-iscsi, as root); both paths are good always, multipath uses both:\n"
           "  iscsiadm -m discovery -t sendtargets -p %s\n"
           "  iscsiadm -m node -T %s --login\n",
           config->iswitch[0].announce[0], config->target);
}

static void print_qemu(const struct config *config, uint64_t lun)
{
    char address[64];
    const char *port;
    split_portal(config->iswitch[0].announce[0], address, sizeof address, &port);
    printf("QEMU:\n"
           "  qemu-img info iscsi://%s:%s/%s/%" PRIu64 "\n"
           "  qemu-system-x86_64 ... -drive file=iscsi://%s:%s/%s/%" PRIu64 ",format=raw\n",
           address, port, config->target, lun, address, port, config->target, lun);
}

static void print_libiscsi(const struct config *config, uint64_t lun)
{
    printf("libiscsi:\n");
    for (int s = 0; s < config->switches; s++)
        for (int p = 0; p < config->iswitch[s].portals; p++)
            printf("  iscsi-inq iscsi://%s/%s/%" PRIu64 "\n", config->iswitch[s].announce[p],
                   config->target, lun);
}

static int print_connect(const struct objects *o)
{
    uint64_t lun = UINT64_MAX;
    size_t i;
    json_t *volume;
    json_array_foreach(json_object_get(o->status, "volumes"), i,
                       volume) if (json_is_integer(json_object_get(volume, "lun")) &&
                                   status_number_of(volume, "lun") < lun) lun =
        status_number_of(volume, "lun");
    if (lun == UINT64_MAX)
        return segue_fail(o->call, SEGUE_EXIT_REFUSED, "NO_LUN",
                          "segue volume create, or segue volume map",
                          "array %s has no volume that a host could see", o->config.array);
    print_linux(&o->config);
    print_qemu(&o->config, lun);
    print_libiscsi(&o->config, lun);
    return SEGUE_EXIT_DONE;
}

int segue_connect(const struct segue_call *call)
{
    int code;
    struct objects *o = objects_open(call, &code);
    return o ? objects_close(o, print_connect(o)) : code;
}
