/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/drill_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/suggest.h"
#include "programs/drill_log.h"
#include "programs/drill_random.h"

enum { READS_NOT_GIVEN = 101 };

const char drill_options_help[] =
    "segue drill [flags]\n"
    "\n"
    "Puts a checked load on an array's volumes, through every interface switch, kills and hangs\n"
    "parts of it one after the other, and tells what hosts saw. It WRITES on the volumes.\n"
    "\n"
    "  --state DIR       the array's state directory (default: $SEGUE_STATE, else ./state)\n"
    "  --kill PART       SIGKILL the process that runs the part (A, IS1, L2 ...)\n"
    "  --hang PART       SIGSTOP it, and SIGCONT after --hang-seconds\n"
    "  --move GROUP:MOD  planned takeover, as segue group move\n"
    "                    all may be given several times; default: --kill A --hang B\n"
    "  --plan random     faults by chance, from --seed, for --for SECONDS: kills, hangs, "
    "restarts,\n"
    "                    cut links, pulled drives, full disks, two of different kinds at once;\n"
    "                    never more than the redundancy covers, never before all is in sync again\n"
    "  --plan FILE       the faults of that log once more\n"
    "  --for SECONDS     of --plan random: no new fault after that (default 60)\n"
    "  --kinds LIST      of --plan random, only these: kill,hang,restart,two,cut,pull,full,move\n"
    "  --wild            do not wait until all is in sync, and break more than is covered: hosts\n"
    "                    may then see errors, and writes of a dead pair of modules may be lost\n"
    "  --log FILE        a line of JSON for each fault, and for what came of it; it is a plan too\n"
    "  --no-compare      of a plan: do not compare the copies on mirrored drives at the end\n"
    "  --no-faults       only the load\n"
    "  --seconds N       calm time before and after each fault (default 2); with --no-faults: of\n"
    "                    load in all (default 10)\n"
    "  --hang-seconds N  default 3\n"
    "  --repeat N        the whole plan N times\n"
    "  --depth N         commands under way on each path (default 8)\n"
    "  --area MiB        of each volume that is used, from its beginning (default 32)\n"
    "  --reads PERCENT   of the commands (default 70)\n"
    "  --volumes A,B     only these (default: all)\n"
    "  --portals P,Q     only these, as address:port\n"
    "  --overwrite       also volumes that hold what no drill has written\n"
    "  --target IQN      any iSCSI target, without faults: needs --portals and --volumes (LUNs)\n"
    "  --seed N          for all that it chooses: places, and faults of --plan random\n"
    "  -o json           for machines\n";

enum option_id {
    OPTION_STATE = 256,
    OPTION_KILL,
    OPTION_HANG,
    OPTION_MOVE,
    OPTION_NO_FAULTS,
    OPTION_SECONDS,
    OPTION_HANG_SECONDS,
    OPTION_REPEAT,
    OPTION_DEPTH,
    OPTION_AREA,
    OPTION_READS,
    OPTION_VOLUMES,
    OPTION_PORTALS,
    OPTION_OVERWRITE,
    OPTION_TARGET,
    OPTION_SEED,
    OPTION_PLAN,
    OPTION_FOR,
    OPTION_KINDS,
    OPTION_WILD,
    OPTION_LOG,
    OPTION_NO_COMPARE,
};

static const struct option long_options[] = {
    {"state", required_argument, NULL, OPTION_STATE},
    {"kill", required_argument, NULL, OPTION_KILL},
    {"hang", required_argument, NULL, OPTION_HANG},
    {"move", required_argument, NULL, OPTION_MOVE},
    {"no-faults", no_argument, NULL, OPTION_NO_FAULTS},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"hang-seconds", required_argument, NULL, OPTION_HANG_SECONDS},
    {"repeat", required_argument, NULL, OPTION_REPEAT},
    {"depth", required_argument, NULL, OPTION_DEPTH},
    {"area", required_argument, NULL, OPTION_AREA},
    {"reads", required_argument, NULL, OPTION_READS},
    {"volumes", required_argument, NULL, OPTION_VOLUMES},
    {"portals", required_argument, NULL, OPTION_PORTALS},
    {"overwrite", no_argument, NULL, OPTION_OVERWRITE},
    {"target", required_argument, NULL, OPTION_TARGET},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"plan", required_argument, NULL, OPTION_PLAN},
    {"for", required_argument, NULL, OPTION_FOR},
    {"kinds", required_argument, NULL, OPTION_KINDS},
    {"wild", no_argument, NULL, OPTION_WILD},
    {"log", required_argument, NULL, OPTION_LOG},
    {"no-compare", no_argument, NULL, OPTION_NO_COMPARE},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* Options that are numbers: where they go, and between what. */
struct number {
    int id;
    const char *name;
    uint64_t least, most;
    size_t offset;
    bool wide; /* uint64_t; else uint32_t */
    uint64_t unit;
};

#define NUMBER32(id, name, least, most, field)                                 \
    {                                                                          \
        id, name, least, most, offsetof(struct drill_options, field), false, 1 \
    }
#define NUMBER64(id, name, least, most, field, unit)                             \
    {                                                                            \
        id, name, least, most, offsetof(struct drill_options, field), true, unit \
    }

static const struct number numbers[] = {
    NUMBER32(OPTION_SECONDS, "seconds", 1, 86400, seconds),
    NUMBER64(OPTION_HANG_SECONDS, "hang-seconds", 1, 3600, plan.hang_ns, 1000000000u),
    NUMBER32(OPTION_REPEAT, "repeat", 1, 1000, repeat),
    NUMBER32(OPTION_DEPTH, "depth", 1, DRILL_DEPTH_MAX, depth),
    NUMBER32(OPTION_AREA, "area", 1, 4096, area_mib),
    NUMBER32(OPTION_READS, "reads", 0, 100, read_percent),
    NUMBER64(OPTION_SEED, "seed", 0, INT64_MAX, seed, 1),
    NUMBER32(OPTION_FOR, "for", 1, 604800, for_seconds),
};

static int take_number(struct drill_options *o, int id, const char *text, char *sentence,
                       size_t bytes)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const struct number *n = &numbers[i];
        if (n->id != id)
            continue;
        char *end;
        uint64_t value = strtoull(text, &end, 10);
        if (*end || end == text || value < n->least || value > n->most) {
            snprintf(sentence, bytes, "--%s %s: give a whole number from %llu to %llu", n->name,
                     text, (unsigned long long)n->least, (unsigned long long)n->most);
            return -1;
        }
        value *= n->unit;
        if (n->wide) {
            memcpy((char *)o + n->offset, &value, sizeof value);
        } else {
            uint32_t narrow = (uint32_t)value;
            memcpy((char *)o + n->offset, &narrow, sizeof narrow);
        }
        return 0;
    }
    snprintf(sentence, bytes, "unknown flag; see segue drill --help");
    return -1;
}

static int add_fault(struct drill_options *o, int id, const char *part, char *sentence,
                     size_t bytes)
{
    enum drill_fault_kind kind = id == OPTION_KILL   ? DRILL_FAULT_KILL
                                 : id == OPTION_HANG ? DRILL_FAULT_HANG
                                                     : DRILL_FAULT_MOVE;
    if (strlen(part) >= DRILL_PART)
        snprintf(sentence, bytes, "no part has so long a name: %.60s", part);
    else if (drill_plan_add(&o->plan, kind, part))
        return 0;
    else
        snprintf(sentence, bytes, "at most %d faults in one drill", DRILL_FAULTS);
    return -1;
}

static int take_kinds(struct drill_options *o, const char *text, char *sentence, size_t bytes)
{
    static struct drill_random scratch;
    char unknown[32] = "";
    snprintf(o->kinds, sizeof o->kinds, "%s", text);
    if (strlen(text) < sizeof o->kinds && *text &&
        drill_random_only(&scratch, text, unknown, sizeof unknown))
        return 0;
    snprintf(sentence, bytes, "--kinds: there is no \"%s\"; there are %s", unknown,
             drill_random_kinds);
    return -1;
}

static int take_option(struct drill_options *o, int id, const char *text, char *sentence,
                       size_t bytes)
{
    switch (id) {
    case OPTION_STATE:
        snprintf(o->state, sizeof o->state, "%s", text);
        return 0;
    case OPTION_TARGET:
        snprintf(o->target, sizeof o->target, "%s", text);
        return 0;
    case OPTION_VOLUMES:
        snprintf(o->volumes, sizeof o->volumes, "%s", text);
        return 0;
    case OPTION_PORTALS:
        snprintf(o->portals, sizeof o->portals, "%s", text);
        return 0;
    case OPTION_OVERWRITE:
        o->overwrite = true;
        return 0;
    case OPTION_NO_FAULTS:
        o->no_faults = true;
        return 0;
    case OPTION_KILL:
    case OPTION_HANG:
    case OPTION_MOVE:
        return add_fault(o, id, text, sentence, bytes);
    case OPTION_PLAN:
        snprintf(o->plan_of, sizeof o->plan_of, "%s", text);
        return 0;
    case OPTION_KINDS:
        return take_kinds(o, text, sentence, bytes);
    case OPTION_LOG:
        snprintf(o->log, sizeof o->log, "%s", text);
        return 0;
    case OPTION_WILD:
        o->wild = true;
        return 0;
    case OPTION_NO_COMPARE:
        o->no_compare = true;
        return 0;
    case 'o':
        o->json = strcmp(text, "json") == 0;
        if (o->json || strcmp(text, "text") == 0)
            return 0;
        snprintf(sentence, bytes, "-o %s: give json or text", text);
        return -1;
    case 'h':
        o->help = true;
        return 0;
    default: /* numbers, and what getopt_long did not know */
        return take_number(o, id, text, sentence, bytes);
    }
}

/* Flags that do not go together. */
static int check_plan(const struct drill_options *o, char *sentence, size_t bytes)
{
    bool random = strcmp(o->plan_of, "random") == 0;
    const char *why = NULL;
    if (*o->plan_of && *o->target)
        why = "faults need an array of this machine: leave --target away";
    else if (*o->plan_of && (o->plan.count || o->no_faults))
        why = "--plan says what fails: leave --kill, --hang, --move and --no-faults away";
    else if (random && o->repeat > 1)
        why = "--plan random is not repeated: give it longer (--for), or another --seed";
    else if (o->for_seconds && !random)
        why = "--for goes with --plan random";
    else if (*o->kinds && !random)
        why = "--kinds goes with --plan random";
    else if (o->wild && !*o->plan_of)
        why = "--wild goes with --plan";
    else if (o->no_compare && !*o->plan_of)
        why = "--no-compare goes with --plan";
    if (why)
        snprintf(sentence, bytes, "%s", why);
    return why ? -1 : 0;
}

/* --plan: a log is read; chance begins once the array is known. What is given wins over the log. */
static int read_plan(struct drill_options *o, char *sentence, size_t bytes)
{
    struct drill_log_head head = {0};
    if (strcmp(o->plan_of, "random") == 0) {
        o->plan.for_ns = (o->for_seconds ? o->for_seconds : 60) * 1000000000ull;
        return 0;
    }
    if (drill_log_read(o->plan_of, &o->plan, &head, sentence, bytes) != 0)
        return -1;
    o->seed = o->seed ? o->seed : head.seed;
    o->depth = o->depth ? o->depth : head.depth;
    o->area_mib = o->area_mib ? o->area_mib : head.area_mib;
    if (o->read_percent == READS_NOT_GIVEN)
        o->read_percent = head.read_percent;
    return 0;
}

static int repeat_plan(struct drill_options *o, char *sentence, size_t bytes)
{
    uint32_t once = o->plan.count;
    for (uint32_t r = 1; r < o->repeat && once; r++)
        for (uint32_t i = 0; i < once; i++) {
            struct drill_fault copy = o->plan.fault[i];
            struct drill_fault *f = drill_plan_add(&o->plan, copy.kind, copy.part);
            if (!f) {
                snprintf(sentence, bytes, "at most %d faults in one drill", DRILL_FAULTS);
                return -1;
            }
            *f = copy;
        }
    return 0;
}

/* The faults that were asked for, or the usual ones, as often as asked. */
static int complete_plan(struct drill_options *o, char *sentence, size_t bytes)
{
    if (check_plan(o, sentence, bytes) != 0 || (*o->plan_of && read_plan(o, sentence, bytes) != 0))
        return -1;
    o->depth = o->depth ? o->depth : 8;
    o->area_mib = o->area_mib ? o->area_mib : 32;
    o->read_percent = o->read_percent == READS_NOT_GIVEN ? 70 : o->read_percent;
    o->plan.wild = o->wild;
    if (*o->target)
        o->no_faults = true;
    if (o->no_faults && o->plan.count && *o->target) {
        snprintf(sentence, bytes, "faults need an array of this machine: leave --target away");
        return -1;
    }
    if (!o->plan.count && !o->no_faults && !*o->plan_of) {
        drill_plan_add(&o->plan, DRILL_FAULT_KILL, "A");
        drill_plan_add(&o->plan, DRILL_FAULT_HANG, "B");
    }
    if (o->no_faults)
        o->plan.count = 0;
    o->seconds_given = o->seconds > 0;
    if (!o->seconds)
        o->seconds = o->no_faults ? 10 : 2;
    o->plan.calm_ns = o->seconds * 1000000000ull;
    return repeat_plan(o, sentence, bytes);
}

/* Flags are whole words: an abbreviation would mean something else one day. */
static int check_words(int argc, char **argv, char *sentence, size_t bytes)
{
    enum { OPTIONS = sizeof long_options / sizeof long_options[0] - 1 };
    const char *words[OPTIONS];
    for (size_t i = 0; i < OPTIONS; i++)
        words[i] = long_options[i].name;
    for (int a = 1; a < argc; a++) {
        char word[32];
        bool known = false;
        if (strncmp(argv[a], "--", 2) != 0)
            continue;
        snprintf(word, sizeof word, "%.*s", (int)strcspn(argv[a] + 2, "="), argv[a] + 2);
        for (size_t i = 0; i < OPTIONS; i++)
            known = known || strcmp(words[i], word) == 0;
        if (known)
            continue;
        const char *near = suggest_word(word, words, OPTIONS);
        snprintf(sentence, bytes,
                 near ? "there is no flag --%s; did you mean --%s?"
                      : "there is no flag --%s; see segue drill --help%.0s",
                 word, near ? near : "");
        return -1;
    }
    return 0;
}

int drill_options_read(struct drill_options *o, int argc, char **argv, char *sentence, size_t bytes)
{
    const char *state = getenv("SEGUE_STATE");
    *o = (struct drill_options){.read_percent = READS_NOT_GIVEN, .repeat = 1, .seed = 0};
    o->plan.hang_ns = 3000000000u;
    o->plan.limit_ns = 300000000000u;
    o->plan.directory = o->state;
    snprintf(o->state, sizeof o->state, "%s", state ? state : "state");
    if (check_words(argc, argv, sentence, bytes) != 0)
        return -1;
    opterr = 0;
    optind = 1;
    int id;
    while ((id = getopt_long(argc, argv, "o:h", long_options, NULL)) != -1) {
        if (id == '?') {
            snprintf(sentence, bytes, "%s: its value is missing; see segue drill --help",
                     argv[optind - 1]);
            return -1;
        }
        if (take_option(o, id, optarg ? optarg : "", sentence, bytes) != 0)
            return -1;
    }
    if (optind < argc) {
        snprintf(sentence, bytes, "%s: not expected; see segue drill --help", argv[optind]);
        return -1;
    }
    return complete_plan(o, sentence, bytes);
}

/* The next piece of a list with commas; false at its end. */
static bool next_piece(const char **list, char *out, size_t bytes)
{
    if (!**list)
        return false;
    size_t length = strcspn(*list, ",");
    snprintf(out, bytes, "%.*s", (int)length, *list);
    *list += length + ((*list)[length] == ',');
    return true;
}

int drill_options_array(const struct drill_options *o, struct drill_array *a, char *sentence,
                        size_t bytes)
{
    const char *list = o->portals;
    char piece[64];
    *a = (struct drill_array){.groups = 1, .group = {"g1"}};
    snprintf(a->target, sizeof a->target, "%s", o->target);
    while (a->portals < DRILL_PORTALS &&
           next_piece(&list, a->portal[a->portals], sizeof a->portal[0]))
        a->portals++;
    list = o->volumes;
    while (a->volumes < DRILL_VOLUMES && next_piece(&list, piece, sizeof piece)) {
        snprintf(a->volume[a->volumes].name, NAME_BYTES, "lun%.20s", piece);
        a->volume[a->volumes++].lun = atoi(piece);
    }
    if (a->portals && a->volumes)
        return 0;
    snprintf(sentence, bytes, "--target needs --portals ADDRESS:PORT and --volumes LUN");
    return -1;
}

static bool list_has(const char *list, const char *name)
{
    char piece[64];
    while (next_piece(&list, piece, sizeof piece))
        if (strcmp(piece, name) == 0)
            return true;
    return false;
}

int drill_options_choose(const struct drill_options *o, struct drill_array *a, char *sentence,
                         size_t bytes)
{
    uint8_t kept = 0;
    for (uint8_t v = 0; v < a->volumes; v++)
        if (!*o->volumes || list_has(o->volumes, a->volume[v].name))
            a->volume[kept++] = a->volume[v];
    a->volumes = kept;
    kept = 0;
    for (uint8_t p = 0; p < a->portals; p++)
        if (!*o->portals || list_has(o->portals, a->portal[p]))
            memmove(a->portal[kept++], a->portal[p], sizeof a->portal[0]);
    a->portals = kept;
    if (a->volumes && a->portals)
        return 0;
    snprintf(sentence, bytes, "the array has no such %s: %s; see segue status",
             a->volumes ? "portal" : "volume", a->volumes ? o->portals : o->volumes);
    return -1;
}
