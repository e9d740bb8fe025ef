/* SPDX-License-Identifier: Apache-2.0 */
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/trace.h"

static void (*must_hook)(void);

void must_on_failure(void (*hook)(void))
{
    must_hook = hook;
}

_Noreturn void must_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "segue: broken promise: %s (%s:%d)\n", condition, file, line);
    trace_dump();
    if (must_hook)
        must_hook();
    abort();
}
