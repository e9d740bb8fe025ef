/* table */
/* SPDX-License-Identifier: Apache-2.0 */
#include "manage/catalogue.h"

#include <stdbool.h>
#include <string.h>

#include "manage/suggest.h"

/* How it is said: `meaning` says what is so, `effect` what hosts notice, `remedy` what a person
 * does. A code that was once given keeps its meaning for good. */

#define CHECK(name, how, what) \
    .code = name, .kind = CATALOGUE_CHECK, .severity = how, .object = what
#define EVENT(name, how, what) \
    .code = name, .kind = CATALOGUE_EVENT, .severity = how, .object = what

static const struct catalogue_entry entries[] = {
    {CHECK("GROUP_DOWN", CATALOGUE_CRITICAL, "group"),
     .meaning = "No unit serves the group: its record names no primary that is up and fenced.",
     .effect = "I/O to its volumes waits; nothing that was acknowledged is lost.",
     .remedy =
         "Start what is down. If its writes were held by one dead unit alone, start that unit's "
         "module; only if it cannot come back: segue group claim GROUP MODULE.",
     .metrics = "segue_group_role"},
    {CHECK("GROUP_LONE", CATALOGUE_WARNING, "group"),
     .meaning = "One unit alone holds the group's commands: no other is in sync.",
     .effect =
         "Writes go to the drives before the answer: slower, as safe. A second death stops the "
         "group.",
     .remedy = "Start the module of the unit that is missing; it comes back in by itself.",
     .metrics = "segue_group_in_sync_units"},
    {CHECK("GROUP_REDUCED", CATALOGUE_WARNING, "group"),
     .meaning = "A member of the group is not in sync, and at least two still are.",
     .effect = "None for hosts; the group survives one death less.",
     .remedy = "Start the module of the unit that is missing; it comes back in by itself.",
     .metrics = "segue_group_in_sync_units"},
    {CHECK("PROCESS_DOWN", CATALOGUE_WARNING, "process"),
     .meaning = "A process of the array is not running.",
     .effect = "Its parts do nothing; the others have taken over what they could.",
     .remedy =
         "segue up starts it again; if it does not, read log/PROCESS.log and log/PROCESS.err in "
         "the state directory."},
    {CHECK("PROCESS_SILENT", CATALOGUE_WARNING, "process"),
     .meaning = "A process is there and does not answer its management socket.",
     .effect = "Its parts do nothing; the others have taken over what they could.",
     .remedy =
         "If it is stopped: kill -CONT PID. If it hangs: kill -KILL PID; it is started again."},
    {CHECK("POOL_FAILED", CATALOGUE_CRITICAL, "pool"),
     .meaning = "The pool has lost more drives than its level survives.",
     .effect = "What was on them cannot be read; hosts get errors for these blocks.",
     .remedy = "Bring the failed drives back: they take part again once they can be read.",
     .metrics = "segue_pool_redundancy_remaining"},
    {CHECK("DRIVE_FAILED", CATALOGUE_WARNING, "drive"),
     .meaning =
         "The record of the group says that the drive has failed: it did not answer in time, or "
         "erred.",
     .effect = "Its pool lives on the other drives, and survives one failure less.",
     .remedy = "Look at the drive. One that can be read again takes part by itself.",
     .metrics = "segue_drive_state"},
    {CHECK("DRIVE_OFFLINE", CATALOGUE_WARNING, "drive"),
     .meaning = "The loop switch cannot open the drive.",
     .effect = "Its pool, if it has one, lives on the other drives.",
     .remedy = "Look at its path; it comes back by itself once it is readable.",
     .metrics = "segue_drive_state"},
    {CHECK("DRIVE_BYPASSED", CATALOGUE_WARNING, "drive"),
     .meaning =
         "The port of the drive is bypassed: its loop switch gives it no command. `by hand`: "
         "a person has said so, and it stays so over restarts.",
     .effect = "Its pool, if it has one, lives on the other copies.",
     .remedy = "By hand: segue loop release takes it back. Else look at the drive; the port is "
               "tested again by itself.",
     .metrics = "segue_drive_state"},
    {CHECK("DRIVE_RESYNC", CATALOGUE_WARNING, "drive"),
     .meaning = "The drive was away and gets what was written meanwhile.",
     .effect = "None for hosts; until it is done the pool survives one failure less.",
     .remedy = "Nothing; it takes part again when that is done.",
     .metrics = "segue_group_resync_left_bytes"},
    {CHECK("DRIVES_UNREACHED", CATALOGUE_WARNING, "group"),
     .meaning = "Drives of the group are behind a loop switch that does not answer.",
     .effect = "Its pools live on the other drives.",
     .remedy = "Start the loop switch of their tray.", .metrics = "segue_drive_state"},

    {EVENT("UNIT_DROPPED", CATALOGUE_WARNING, "unit"),
     .meaning =
         "The primary goes on without a member (`of`) that does not answer; `cause` says why.",
     .effect = "I/O of the group has waited for one change of the record; the group survives one "
               "death less.",
     .remedy = "Start the module of the unit that is missing; it comes back in by itself.",
     .metrics = "segue_group_in_sync_units", .word = "takeover", .says = "of="},
    {EVENT("TAKEOVER_BEGINS", CATALOGUE_WARNING, "group"),
     .meaning = "A unit suspects the one in charge, or takes over as planned; `cause` says why.",
     .effect = "I/O of the group waits until TAKEOVER.",
     .remedy = "Nothing. If it comes often: segue group takeovers, and look at the causes.",
     .metrics = "segue_takeovers_total", .word = "takeover", .says = "phase=suspect"},
    {EVENT("TAKEOVER", CATALOGUE_WARNING, "group"),
     .meaning = "The group has a new epoch and is served again; `unit` leads it.",
     .effect = "Hosts have waited for some milliseconds and have seen no error.",
     .remedy = "Nothing. segue group takeovers shows its phases.",
     .metrics = "segue_takeover_duration_seconds", .word = "takeover", .says = "phase=serve"},
    {EVENT("TAKEOVER_PHASE", CATALOGUE_INFO, "group"),
     .meaning = "A takeover has come so far: claim, fence or adopt.",
     .effect = "I/O of the group waits until TAKEOVER.", .remedy = "Nothing.",
     .metrics = "segue_takeover_phase_seconds_total", .word = "takeover"},
    {EVENT("UNIT_JOINS", CATALOGUE_INFO, "unit"),
     .meaning = "A unit that was out is being sent the group's state.", .effect = "None for hosts.",
     .remedy = "Nothing.", .word = "join", .says = "phase=begin"},
    {EVENT("UNIT_IN_SYNC", CATALOGUE_INFO, "unit"),
     .meaning = "A unit holds everything again and is a member of the group's new epoch.",
     .effect = "The group survives one death more.", .remedy = "Nothing.",
     .metrics = "segue_group_in_sync_units", .word = "join"},
    {EVENT("UNIT_ROLE", CATALOGUE_INFO, "unit"),
     .meaning = "A unit has another state in its group; `state` says which.",
     .effect = "None by itself.", .remedy = "Nothing.", .metrics = "segue_group_role",
     .word = "role"},
    {EVENT("FENCE_RAISED", CATALOGUE_INFO, "group"),
     .meaning =
         "A loop switch refuses every drive command of units that are not in charge any more.",
     .effect = "None for hosts.",
     .remedy = "Nothing. `undrained` above 0: a drive did not finish its commands and is failed.",
     .metrics = "segue_tray_fence_epoch", .word = "fence"},
    {EVENT("DRIVE_FAILS", CATALOGUE_WARNING, "drive"),
     .meaning = "The record of the group says from now on that the drive has failed.",
     .effect = "Its pool lives on the other drives.", .remedy = "segue explain DRIVE_FAILED.",
     .metrics = "segue_drive_state", .word = "drive", .says = "state=failed"},
    {EVENT("DRIVE_STATE", CATALOGUE_INFO, "drive"),
     .meaning =
         "The record has another state for a drive: good, or stale while it is brought up to date.",
     .effect = "Its pool lives on the other drives while it is not good.", .remedy = "Nothing.",
     .metrics = "segue_drive_state", .word = "drive"},
    {EVENT("PORT_BYPASSED", CATALOGUE_WARNING, "drive"),
     .meaning =
         "The loop switch has taken a drive's port off the loop: it erred, or came and went, "
         "too often, or did not answer a LIP.",
     .effect = "Its pool lives on the other copies.",
     .remedy = "Look at the drive and its cable. The port is tested again by itself, after longer "
               "and longer times; segue loop release tests it at once.",
     .word = "port", .says = "state=bypassed"},
    {EVENT("PORT_STATE", CATALOGUE_INFO, "drive"),
     .meaning = "A drive's port has another state on its loop: online, absent (nothing answers "
                "there), or bypassed by hand.",
     .effect = "None by itself.", .remedy = "Nothing. segue loop show draws the loop.",
     .word = "port"},
    {EVENT("LOCATE", CATALOGUE_INFO, "drive"),
     .meaning = "A person has switched the light of a drive's slot on or off.", .effect = "None.",
     .remedy = "Nothing.", .word = "locate"},
    {EVENT("CACHE_LOST", CATALOGUE_CRITICAL, "group"),
     .meaning =
         "All units of the group died at once and started cold: what was only in their memory is "
         "gone.",
     .effect =
         "Writes that were acknowledged and neither flushed nor on the drives may be lost, as with "
         "any volatile cache; hosts are told of a power-on.",
     .remedy =
         "Check file systems that did not flush. For pools that must not: cache write-through.",
     .word = "cold_start"},
    {EVENT("UNFLUSHED_LOST", CATALOGUE_CRITICAL, "drive"),
     .meaning = "A drive lost its power with data in its cache that it had not flushed.",
     .effect = "The copies on other drives are used; where there is none, blocks may be old.",
     .remedy =
         "Give the trays their power back one after the other, or drives with a protected cache.",
     .word = "unflushed_lost"},
    {EVENT("LOSS_ACCEPTED", CATALOGUE_CRITICAL, "group"),
     .meaning = "A person had the group served without the writes that one dead unit held.",
     .effect = "Writes that hosts were told are done are lost.",
     .remedy = "Check file systems and databases of its volumes.", .word = "loss_accepted"},
    {EVENT("SESSION_BEGINS", CATALOGUE_INFO, "switch"),
     .meaning = "A host has logged in at an interface switch.", .effect = "The host has this path.",
     .remedy = "Nothing.", .metrics = "segue_host_sessions", .word = "session",
     .says = "state=begun"},
    {EVENT("SESSION_ENDS", CATALOGUE_INFO, "switch"),
     .meaning = "A host's session with an interface switch is over.",
     .effect = "The host has not this path any more.",
     .remedy = "Nothing, if the host was to go; else look at its network and at the switch.",
     .metrics = "segue_host_sessions", .word = "session"},
    {EVENT("PROCESS_STARTS", CATALOGUE_INFO, "process"), .meaning = "A process of the array is up.",
     .effect = "Its units ask to come back in.", .remedy = "Nothing.",
     .metrics = "segue_process_state", .word = "process", .says = "state=up"},
    {EVENT("PROCESS_STOPS", CATALOGUE_INFO, "process"),
     .meaning = "A process was told to stop and does so in order.",
     .effect = "Its groups were given to others before.", .remedy = "Nothing.",
     .metrics = "segue_process_state", .word = "process"},
    {EVENT("HEALTH_BEGINS", CATALOGUE_WARNING, "any"),
     .meaning = "A health check has found something; `check` says which code.",
     .effect = "See segue explain of that code.", .remedy = "segue status says what to do.",
     .metrics = "segue_health_check", .word = "health", .says = "state=begins"},
    {EVENT("HEALTH_CLEARS", CATALOGUE_INFO, "any"),
     .meaning = "What a health check had found is over.", .effect = "None.", .remedy = "Nothing.",
     .metrics = "segue_health_check", .word = "health"},
    {EVENT("AUDIT", CATALOGUE_INFO, "any"),
     .meaning = "Somebody asked the API for a change: who, as what, what, and how it ended.",
     .effect = "See `action` and `outcome`.", .remedy = "Nothing.", .word = "audit"},
    {EVENT("LOGIN_FAILED", CATALOGUE_WARNING, "any"),
     .meaning = "Somebody gave the API a wrong name, password or token.",
     .effect = "None; after several failures further tries have to wait.",
     .remedy = "If it was nobody of yours: look at `peer`, and who reaches the API's address.",
     .word = "login", .says = "state=failed"},
    {EVENT("LOGIN", CATALOGUE_INFO, "any"), .meaning = "Somebody logged in at the API, or out.",
     .effect = "None.", .remedy = "Nothing.", .word = "login"},
    {EVENT("WARNING", CATALOGUE_WARNING, "part"),
     .meaning = "A part said something that is not as it should be; its text says what.",
     .effect = "Mostly none: the part goes on.",
     .remedy = "Read the text; the log of the process has what came before."},
    {EVENT("ERROR", CATALOGUE_CRITICAL, "part"),
     .meaning = "A part could not do something; its text says what.", .effect = "See the text.",
     .remedy = "Read the text; the log of the process has what came before."},
};

enum { ENTRIES = sizeof entries / sizeof entries[0] };

size_t catalogue_count(void)
{
    return ENTRIES;
}

const struct catalogue_entry *catalogue_at(size_t i)
{
    return i < ENTRIES ? &entries[i] : NULL;
}

const struct catalogue_entry *catalogue_find(const char *code)
{
    for (size_t i = 0; i < ENTRIES; i++)
        if (strcmp(entries[i].code, code) == 0)
            return &entries[i];
    return NULL;
}

const char *catalogue_suggest(const char *code)
{
    const char *words[ENTRIES];
    for (size_t i = 0; i < ENTRIES; i++)
        words[i] = entries[i].code;
    return suggest_word(code, words, ENTRIES);
}

/* Does the text say "key=value" as a word of its own; of "key=", any value? */
static bool says(const char *text, const char *pair)
{
    size_t length = strlen(pair);
    for (const char *at = text; (at = strstr(at, pair)); at += length)
        if (at > text && at[-1] == ' ' &&
            (pair[length - 1] == '=' || !at[length] || at[length] == ' '))
            return true;
    return false;
}

const struct catalogue_entry *catalogue_of_notice(const char *text)
{
    size_t length = strcspn(text, " ");
    if (!strchr(text, '='))
        return NULL;
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct catalogue_entry *entry = &entries[i];
        if (entry->word && strlen(entry->word) == length &&
            strncmp(entry->word, text, length) == 0 && (!entry->says || says(text, entry->says)))
            return entry;
    }
    return NULL;
}

const char *catalogue_severity_name(enum catalogue_severity severity)
{
    static const char *const names[] = {"info", "warning", "critical"};
    return names[severity];
}

const char *catalogue_kind_name(enum catalogue_kind kind)
{
    static const char *const names[] = {"check", "event"};
    return names[kind];
}

json_t *catalogue_json(const struct catalogue_entry *entry)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s?}", "code", entry->code, "kind",
                     catalogue_kind_name(entry->kind), "severity",
                     catalogue_severity_name(entry->severity), "object", entry->object, "meaning",
                     entry->meaning, "effect", entry->effect, "remedy", entry->remedy, "metrics",
                     entry->metrics);
}
