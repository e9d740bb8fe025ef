/* SPDX-License-Identifier: Apache-2.0 */
#include "command/names.h"

#include "base/must.h"

int members_find(const struct members *set, struct member m)
{
    for (int i = 0; i < set->count; i++)
        if (member_same(set->at[i], m))
            return i;
    return -1;
}

int members_find_module(const struct members *set, uint8_t module)
{
    for (int i = 0; i < set->count; i++)
        if (set->at[i].module == module)
            return i;
    return -1;
}

bool members_add(struct members *set, struct member m)
{
    if (members_find(set, m) >= 0)
        return false;
    must(set->count < 2 * MODULE_MAX);
    set->at[set->count++] = m;
    return true;
}

void members_remove(struct members *set, struct member m)
{
    int i = members_find(set, m);
    if (i < 0)
        return;
    set->at[i] = set->at[--set->count];
    set->at[set->count] = (struct member){0, 0};
}

bool members_equal(const struct members *a, const struct members *b)
{
    if (a->count != b->count)
        return false;
    for (int i = 0; i < a->count; i++)
        if (members_find(b, a->at[i]) < 0)
            return false;
    return true;
}
