/* SPDX-License-Identifier: Apache-2.0 */

/* What people ask of a loop switch: a word, and the number of a looplet or slot. */

#include "base/text.h"
#include "loopswitch/state.h"

void loopswitch_reply(uint64_t tag, const char *words, struct actions *actions)
{
    struct action *action = actions_add(actions, ACTION_REPLY);
    action->notice.tag = tag;
    struct text out = text_in(action->notice.text, sizeof action->notice.text);
    text_append(&out, words);
}

/* The answer comes when what was changed is durable. */
static const char *when_stored(struct loopswitch *x, uint64_t tag, const char *answer)
{
    for (int i = 0; i < REQUESTS_MAX; i++) {
        if (x->request[i].waiting)
            continue;
        x->request[i].waiting = true;
        x->request[i].tag = tag;
        x->request[i].answer = answer;
        x->request[i].version = loopswitch_changed(x);
        return NULL;
    }
    return "refused: too many requests are under way; try again";
}

void loopswitch_requests_stored(struct loopswitch *x, bool ok, struct actions *actions)
{
    for (int i = 0; i < REQUESTS_MAX; i++) {
        if (!x->request[i].waiting || x->request[i].version > x->settled)
            continue;
        x->request[i].waiting = false;
        loopswitch_reply(
            x->request[i].tag,
            ok ? x->request[i].answer
               : "refused: it is so now, but could not be stored and ends with a restart",
            actions);
    }
}

/* ---- the verbs; each gives its answer, or NULL: it comes later ---- */

static const char *lip(struct loopswitch *x, struct drive *drive, uint32_t looplet, uint64_t tag,
                       struct actions *actions)
{
    (void)drive;
    (void)tag;
    for (uint32_t l = 0; l < LOOPLETS; l++)
        if (looplet == UINT32_MAX || l == looplet)
            loopswitch_lip(x, l, actions);
    return "LIP: its ports take part again as they answer";
}

static const char *bypass(struct loopswitch *x, struct drive *drive, uint32_t number, uint64_t tag,
                          struct actions *actions)
{
    (void)number;
    if (drive->by_hand)
        return "it is bypassed already";
    drive->by_hand = true;
    loopswitch_become(x, drive, LOOP_PORT_BYPASSED_BY_HAND, "a person says so", actions);
    loopswitch_lip_goes_on(x, drive->slot / LOOPLET_SLOTS, actions);
    return when_stored(x, tag, "it is bypassed until it is released");
}

static const char *release(struct loopswitch *x, struct drive *drive, uint32_t number, uint64_t tag,
                           struct actions *actions)
{
    (void)number;
    if (drive->state == LOOP_PORT_BYPASSED) {
        drive->again_ns = x->now_ns;
        return "it is tested now, and takes part if it answers";
    }
    if (!drive->by_hand)
        return "it is not bypassed";
    drive->by_hand = false;
    loopswitch_become(x, drive, LOOP_PORT_ABSENT, "a person has released it", actions);
    drive->again_ns = x->now_ns;
    return when_stored(x, tag, "it takes part again when it answers");
}

static const char *locate_on(struct loopswitch *x, struct drive *drive, uint32_t number,
                             uint64_t tag, struct actions *actions)
{
    (void)number;
    (void)tag;
    if (!drive->located)
        actions_notice(actions, "locate drive=t%d/%02d light=on", x->config.index, drive->slot);
    drive->located = true;
    return "its light is on";
}

static const char *locate_off(struct loopswitch *x, struct drive *drive, uint32_t number,
                              uint64_t tag, struct actions *actions)
{
    (void)number;
    (void)tag;
    if (drive->located)
        actions_notice(actions, "locate drive=t%d/%02d light=off", x->config.index, drive->slot);
    drive->located = false;
    return "its light is off";
}

static const char *adopt(struct loopswitch *x, struct drive *drive, uint32_t number, uint64_t tag,
                         struct actions *actions)
{
    (void)number;
    return loopswitch_adopt(x, drive, tag, actions);
}

static const struct {
    const char *word;
    bool of_slot; /* its number is that of a slot; else of a looplet, which may be left out */
    const char *(*act)(struct loopswitch *x, struct drive *drive, uint32_t number, uint64_t tag,
                       struct actions *actions);
} verbs[] = {
    {"lip", false, lip},
    {"bypass", true, bypass},
    {"release", true, release},
    {"locate-on", true, locate_on},
    {"locate-off", true, locate_off},
    {"adopt", true, adopt},
};

/* "word" or "word 7": the number, UINT32_MAX if there is none; false: it is not that word. */
static bool is_verb(const char *text, const char *word, uint32_t *number)
{
    size_t length = strlen(word);
    *number = UINT32_MAX;
    if (strncmp(text, word, length) != 0 || (text[length] && text[length] != ' '))
        return false;
    const char *digits = text + length;
    uint32_t value = 0;
    if (!*digits)
        return true;
    while (*++digits >= '0' && *digits <= '9' && value < 1000)
        value = value * 10 + (uint32_t)(*digits - '0');
    *number = *digits || digits == text + length + 1 ? 1000 : value; /* 1000: none that is there */
    return true;
}

static const char *act(struct loopswitch *x, const char *text, uint64_t tag,
                       struct actions *actions)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        uint32_t number;
        if (!is_verb(text, verbs[i].word, &number))
            continue;
        if (!verbs[i].of_slot)
            return number == UINT32_MAX || number < LOOPLETS
                       ? verbs[i].act(x, NULL, number, tag, actions)
                       : "refused: there is no such looplet";
        return number < SLOT_MAX && x->drive_of_slot[number] != 0xFF
                   ? verbs[i].act(x, &x->drive[x->drive_of_slot[number]], number, tag, actions)
                   : "refused: there is no such slot";
    }
    return "refused: it knows lip, bypass, release, adopt, locate-on and locate-off";
}

void loopswitch_request(struct loopswitch *x, const struct event *event, struct actions *actions)
{
    const char *answer = x->stopping ? "refused: it is being stopped"
                                     : act(x, event->request.text, event->request.tag, actions);
    if (answer)
        loopswitch_reply(event->request.tag, answer, actions);
}
