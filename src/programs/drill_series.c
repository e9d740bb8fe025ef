/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_series.h"

#include <stdlib.h>
#include <string.h>

void drill_series_init(struct drill_series *s, uint64_t start_ns)
{
    *s = (struct drill_series){.start_ns = start_ns};
}

void drill_series_free(struct drill_series *s)
{
    free(s->at);
    s->at = NULL;
    s->steps = s->room = 0;
}

static bool reach(struct drill_series *s, uint32_t step)
{
    if (step >= DRILL_STEPS_MAX)
        return false;
    if (step >= s->room) {
        uint32_t room = step + 6000;
        struct drill_step *at = realloc(s->at, sizeof *at * DRILL_GROUPS * room);
        if (!at)
            return false;
        memset(at + (size_t)s->room * DRILL_GROUPS, 0,
               sizeof *at * DRILL_GROUPS * (room - s->room));
        s->at = at;
        s->room = room;
    }
    if (step >= s->steps)
        s->steps = step + 1;
    return true;
}

void drill_series_note(struct drill_series *s, int group, uint64_t begun_ns, uint64_t ended_ns)
{
    if (group < 0 || group >= DRILL_GROUPS || ended_ns < s->start_ns)
        return;
    uint64_t step = (ended_ns - s->start_ns) / DRILL_STEP_NS;
    if (step >= DRILL_STEPS_MAX || !reach(s, (uint32_t)step))
        return;
    struct drill_step *at = &s->at[step * DRILL_GROUPS + (uint64_t)group];
    uint64_t us = (ended_ns - begun_ns) / 1000;
    at->ended++;
    if (us > at->longest_us)
        at->longest_us = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

uint32_t drill_series_ended(const struct drill_series *s, int group, uint64_t from_ns, int step)
{
    int64_t at = ((int64_t)(from_ns - s->start_ns)) / DRILL_STEP_NS + step;
    if (from_ns < s->start_ns || at < 0 || at >= (int64_t)s->steps)
        return 0;
    return s->at[at * DRILL_GROUPS + group].ended;
}

static uint64_t longest(const struct drill_series *s, int group, uint64_t a_ns, uint64_t b_ns,
                        bool ended)
{
    uint64_t most = 0;
    uint64_t first = a_ns > s->start_ns ? (a_ns - s->start_ns) / DRILL_STEP_NS : 0;
    for (uint64_t step = first; step < s->steps; step++) {
        uint64_t end = s->start_ns + (step + 1) * DRILL_STEP_NS;
        if (ended && end > b_ns)
            break;
        for (int g = 0; g < DRILL_GROUPS; g++) {
            uint64_t ns = s->at[step * DRILL_GROUPS + (uint64_t)g].longest_us * 1000ull;
            /* later steps count only for commands that had begun by then */
            if ((group < 0 || g == group) && ns > most && end - ns <= b_ns)
                most = ns;
        }
    }
    return most;
}

uint64_t drill_series_longest_ns(const struct drill_series *s, int group, uint64_t a_ns,
                                 uint64_t b_ns)
{
    return longest(s, group, a_ns, b_ns, false);
}

uint64_t drill_series_longest_ended_ns(const struct drill_series *s, int group, uint64_t a_ns,
                                       uint64_t b_ns)
{
    return longest(s, group, a_ns, b_ns, true);
}
