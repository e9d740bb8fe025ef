/* SPDX-License-Identifier: Apache-2.0 */
/* Only in a build with -Dmutants=true. */
#include "base/mutant.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { NAME_BYTES = 64 };

int mutant_chosen = MUTANT_KINDS;

static const struct {
    const char *name, *rule, *sentence;
} mutants[MUTANT_KINDS] = {
#define MUTANT_TEXTS(name, rule, sentence) {#name, rule, sentence},
    MUTANTS(MUTANT_TEXTS)
#undef MUTANT_TEXTS
};

bool mutant_describe(int m, char name[NAME_BYTES], const char **rule, const char **sentence)
{
    if (m < 0 || m >= MUTANT_KINDS)
        return false;
    int i = 0;
    for (const char *from = mutants[m].name; *from && i < NAME_BYTES - 1; from++)
        name[i++] = *from == '_' ? '-' : (char)(*from - 'A' + 'a');
    name[i] = 0;
    *rule = mutants[m].rule;
    *sentence = mutants[m].sentence;
    return true;
}

bool mutant_choose(const char *wanted)
{
    char name[NAME_BYTES];
    const char *rule, *sentence;
    for (int m = 0; mutant_describe(m, name, &rule, &sentence); m++)
        if (strcmp(name, wanted) == 0) {
            mutant_chosen = m;
            return true;
        }
    return false;
}

/* Before main, so that every program obeys, whatever it is: segue-sim, the stories, each unit test.
 */
__attribute__((constructor)) static void mutant_choose_by_environment(void)
{
    const char *name = getenv("MUTANT");
    must(!name || !*name || mutant_choose(name));
}
