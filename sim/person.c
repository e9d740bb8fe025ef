/* SPDX-License-Identifier: Apache-2.0 */
/* What people do while hosts work: they move groups, and make volumes. */
#include <stdio.h>
#include <stdlib.h>

#include "array/layout.h"
#include "base/must.h"
#include "sim/mishap.h"

static struct op *ask(struct faults *f, int module, uint8_t group,
                      const struct manage_request *request)
{
    uint8_t bytes[MANAGE_REQUEST_BYTES_MAX];
    struct op *op = op_manage(f->site->clients, bytes, manage_encode(request, bytes, sizeof bytes));
    op->group = group;
    op->path = (uint8_t)(SWITCH_MAX + module);
    op_begin(f->site->clients, op);
    return op;
}

/* One whose management endpoint can be asked. */
static int some_module(struct faults *f)
{
    int m = (int)random_below(&f->random, f->site->options.modules);
    for (int i = 0; i < f->site->options.modules; i++, m = (m + 1) % f->site->options.modules) {
        int process = f->site->module[m];
        if (world_living(f->world, process) && !world_paused(f->world, process))
            return m;
    }
    return NOBODY;
}

static void move(struct faults *f, struct fault *fault)
{
    uint8_t group = (uint8_t)random_below(&f->random, f->site->options.groups);
    int to = (int)random_below(&f->random, f->site->options.modules), by = some_module(f);
    struct manage_request request = {
        .verb = MANAGE_GROUP_MOVE, .group = group, .module = (uint8_t)to};
    if (by == NOBODY) {
        fault->on = false;
        return;
    }
    ask(f, by, group, &request);
    snprintf(fault->what, sizeof fault->what, "g%d is to move to %c", group + 1, 'A' + to);
}

const struct variant person_acts[] = {{10, move, TAKES_PART}, {0, NULL, TAKES_PART}};
