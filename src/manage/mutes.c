/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/mutes.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "manage/statefile.h"
#include "manage/status_json.h"

static const char file[] = "mutes.json";

static void time_after(uint64_t ns, char *out, size_t bytes)
{
    time_t then = time(NULL) + (time_t)((ns + 999999999) / 1000000000);
    struct tm utc;
    gmtime_r(&then, &utc);
    strftime(out, bytes, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static bool is_mute_of(const json_t *mute, const char *code, const char *object)
{
    return strcmp(status_text_of(mute, "code"), code) == 0 &&
           (!object || strcmp(status_text_of(mute, "object"), object) == 0);
}

/* Takes out those of the code and object (NULL: all). How many. */
static size_t take_out(json_t *mutes, const char *code, const char *object)
{
    size_t taken = 0;
    for (size_t i = json_array_size(mutes); i > 0; i--)
        if (is_mute_of(json_array_get(mutes, i - 1), code, object)) {
            json_array_remove(mutes, i - 1);
            taken++;
        }
    return taken;
}

static const json_t *checks_of(const json_t *status)
{
    return json_object_get(json_object_get(status, "health"), "checks");
}

enum mutes_result mutes_add(const struct config *config, const json_t *status, const char *code,
                            const char *object, uint64_t for_ns)
{
    size_t i, added = 0;
    json_t *check;
    char until[32];
    int lock = statefile_lock(config, file);
    json_t *mutes = lock < 0 ? NULL : statefile_load(config, file);
    time_after(for_ns, until, sizeof until);
    json_array_foreach(checks_of(status), i, check)
    {
        const char *own = status_text_of(check, "object");
        if (!mutes || !is_mute_of(check, code, object))
            continue;
        take_out(mutes, code, own);
        json_array_append_new(mutes, json_pack("{s:s, s:s, s:s, s:s}", "code", code, "object", own,
                                               "severity", status_text_of(check, "severity"),
                                               "until", until));
        added++;
    }
    bool kept = mutes && (!added || statefile_save(config, file, mutes));
    json_decref(mutes);
    if (lock >= 0)
        close(lock);
    return !kept ? MUTES_FAILED : added ? MUTES_DONE : MUTES_NOTHING;
}

enum mutes_result mutes_remove(const struct config *config, const char *code, const char *object)
{
    int lock = statefile_lock(config, file);
    json_t *mutes = lock < 0 ? NULL : statefile_load(config, file);
    size_t taken = mutes ? take_out(mutes, code, object) : 0;
    bool kept = mutes && (!taken || statefile_save(config, file, mutes));
    json_decref(mutes);
    if (lock >= 0)
        close(lock);
    return !kept ? MUTES_FAILED : taken ? MUTES_DONE : MUTES_NOTHING;
}

/* ---- in force ---- */

static json_t *find_check(const json_t *status, const json_t *mute)
{
    size_t i;
    json_t *check;
    json_array_foreach(checks_of(status), i, check)
    {
        if (is_mute_of(check, status_text_of(mute, "code"), status_text_of(mute, "object")))
            return check;
    }
    return NULL;
}

/* A process that is silent for a moment does not say what is wrong with its parts: that alone does
 * not clear a check. */
static bool all_answer(const json_t *status)
{
    size_t i;
    json_t *process;
    json_array_foreach(json_object_get(status, "processes"), i, process)
    {
        if (strcmp(status_text_of(process, "state"), "running") != 0)
            return false;
    }
    return true;
}

static bool over(const json_t *status, const json_t *mute, const char *now)
{
    const json_t *check = find_check(status, mute);
    if (strcmp(status_text_of(mute, "until"), now) <= 0)
        return true;
    if (!check)
        return all_answer(status);
    return strcmp(status_text_of(check, "severity"), status_text_of(mute, "severity")) != 0;
}

void mutes_apply(const struct config *config, json_t *status)
{
    char now[32];
    bool ended = false;
    json_t *mutes = statefile_load(config, file);
    time_after(0, now, sizeof now);
    for (size_t i = json_array_size(mutes); i > 0; i--) {
        json_t *mute = json_array_get(mutes, i - 1), *check = find_check(status, mute);
        if (over(status, mute, now)) {
            ended = true;
            continue;
        }
        if (check)
            json_object_set(check, "muted_until", json_object_get(mute, "until"));
    }
    json_decref(mutes);
    status_health_judge(status);
    int lock = ended ? statefile_lock(config, file) : -1;
    if (lock < 0)
        return;
    mutes = statefile_load(config, file); /* somebody may have changed them meanwhile */
    for (size_t i = json_array_size(mutes); i > 0; i--)
        if (over(status, json_array_get(mutes, i - 1), now))
            json_array_remove(mutes, i - 1);
    if (mutes)
        statefile_save(config, file, mutes);
    json_decref(mutes);
    close(lock);
}
