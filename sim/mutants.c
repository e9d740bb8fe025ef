/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/mutants.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mutant.h"

bool mutants_choose(const char *name)
{
    char first[64];
    const char *rule, *sentence;
    if (mutant_choose(name))
        return true;
    if (mutant_describe(0, first, &rule, &sentence))
        fprintf(stderr, "there is no mutant \"%s\"; --mutants lists them\n", name);
    else
        fprintf(stderr,
                "this build has no mutants; meson setup -Dmutants=true makes one that has\n");
    return false;
}

bool mutants_obey_environment(void)
{
    const char *name = getenv("MUTANT");
    return !name || !*name || mutants_choose(name);
}

void mutants_list(void)
{
    char name[64];
    const char *rule, *sentence;
    for (int m = 0; mutant_describe(m, name, &rule, &sentence); m++)
        printf("%s\t%s\t%s\n", name, rule, sentence);
}
