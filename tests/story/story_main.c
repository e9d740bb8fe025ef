/* SPDX-License-Identifier: Apache-2.0 */
/* story_test [NAME...]: all stories, or those whose names match the patterns. SEEDS=N: each from
 * that many seeds; SEED=N: from that one alone; TRACE=1: prints the trace as it comes, TRACE=2:
 * with every message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/story/stories.h"

enum { DEFAULT_SEEDS = 2, STORIES_MAX = 200 };

void plain(struct site_options *o)
{
    (void)o;
}

void three_modules(struct site_options *o)
{
    o->modules = 3;
}

void standby(struct site_options *o)
{
    o->standby = true;
}

void write_through(struct site_options *o)
{
    o->cache = CACHE_WRITE_THROUGH;
}

void short_processing(struct site_options *o)
{
    o->cache = CACHE_WRITE_THROUGH;
    o->limits.processing_ns = MS(300);
}

void real_switches(struct site_options *o)
{
    o->iscsi = true;
}

struct tale {
    const char *name;
    void (*options)(struct site_options *o);
    void (*tell)(struct story *s);
};

static const struct tale tales[] = {
#define TALE(name, options) {#name, options, story_##name},
    STORIES(TALE)
#undef TALE
};

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
        struct site_options options = site_options_default(seed);
        options.limits.settle_ns = MS(2000);
        options.world.print = number("TRACE", 0) > 0;
        options.world.messages = number("TRACE", 0) > 1;
        tale->options(&options);
        struct story s;
        story_begin(&s, tale->name, &options);
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
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    for (size_t i = 0; i < sizeof tales / sizeof tales[0] && count < STORIES_MAX; i++) {
        chosen[count] = tales[i];
        tests[count] = (struct CMUnitTest){tales[i].name, tell, NULL, NULL, &chosen[count]};
        count++;
    }
    story_on_failure(story_fails);
    return _cmocka_run_group_tests("stories", tests, count, NULL, NULL);
}
