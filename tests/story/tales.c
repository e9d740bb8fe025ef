/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/story/stories.h"

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

void deaths_unknown(struct site_options *o)
{
    o->world.deaths_unknown = true;
}

void short_processing(struct site_options *o)
{
    o->cache = CACHE_WRITE_THROUGH;
    o->limits.processing_ns = MS(300);
}

void two_volumes(struct site_options *o)
{
    o->cache = CACHE_WRITE_THROUGH;
    o->volumes = 2;
    o->drive_bytes = 36 << 20;
}

void real_switches(struct site_options *o)
{
    o->iscsi = true;
}

const struct tale tales[] = {
#define TALE(name, options) {#name, options, story_##name},
    STORIES(TALE)
#undef TALE
};

const int tales_count = sizeof tales / sizeof tales[0];

void tale_begin(const struct tale *tale, struct story *s, uint64_t seed, int print)
{
    struct site_options options = site_options_default(seed);
    options.limits.settle_ns = MS(2000);
    options.world.print = print > 0;
    options.world.messages = print > 1;
    tale->options(&options);
    story_begin(s, tale->name, &options);
}
