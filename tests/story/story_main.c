/* SPDX-License-Identifier: Apache-2.0 */
/* story_test [NAME...]: all stories, or those whose names match the patterns. SEEDS=N: each from
 * that many seeds; SEED=N: from that one alone; TRACE=1: prints the trace as it comes, TRACE=2:
 * with every message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/mutants.h"
#include "tests/story/stories.h"

enum { DEFAULT_SEEDS = 2, STORIES_MAX = 200 };

static void story_fails(const char *sentence)
{
    fail_msg("%s", sentence);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

static void tell(void **state)
{
    const struct tale *tale = *state;
    uint64_t first = number("SEED", 1);
    uint64_t last = getenv("SEED") ? first : number("SEEDS", DEFAULT_SEEDS);
    for (uint64_t seed = first; seed <= last; seed++) {
        struct story s;
        tale_begin(tale, &s, seed, (int)number("TRACE", 0));
        tale->tell(&s);
        if (s.site)
            story_end(&s);
    }
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[STORIES_MAX];
    static struct tale chosen[STORIES_MAX];
    size_t count = 0;
    if (!mutants_obey_environment())
        return 2;
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    for (size_t i = 0; i < (size_t)tales_count && count < STORIES_MAX; i++) {
        chosen[count] = tales[i];
        tests[count] = (struct CMUnitTest){tales[i].name, tell, NULL, NULL, &chosen[count]};
        count++;
    }
    story_on_failure(story_fails);
    return _cmocka_run_group_tests("stories", tests, count, NULL, NULL);
}
