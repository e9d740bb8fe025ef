/* SPDX-License-Identifier: Apache-2.0 */
#include "programs/segue.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "programs/drill.h"

#define F(flag) (UINT64_C(1) << SEGUE_FLAG_##flag)
#define COMMON (F(STATE) | F(OUTPUT))

static int help_run(const struct segue_call *call);

static const struct segue_command commands[] = {
    {.noun = "up",
     .arguments = "FILE",
     .least = 1,
     .most = 1,
     .flags = F(STATE) | F(DETACH) | F(NO_RESTART),
     .help = "start every part of the array in FILE on this machine",
     .more =
         "Stays and starts again what dies, until Ctrl-C, SIGTERM or segue down, which stop in\n"
         "order. A second Ctrl-C stops at once. A new state directory gets what create: names.",
     .run = segue_up},
    {.noun = "down",
     .arguments = "[FILE]",
     .most = 1,
     .flags = F(STATE),
     .help = "stop the array in order",
     .run = segue_down},
    {.noun = "status",
     .arguments = "[FILE]",
     .most = 1,
     .flags = COMMON | F(QUIET) | F(TIMEOUT),
     .help = "how the array is: problems, units, switches, trays, pools, volumes",
     .run = segue_status},
    {.noun = "wait",
     .arguments = "WHAT",
     .least = 1,
     .most = 1,
     .flags = COMMON | F(TIMEOUT),
     .help = "wait until the array is \"serving\" or \"in-sync\"",
     .more = "Exit code 1 when --timeout (60s) has passed before.",
     .run = segue_wait},
    {.noun = "health",
     .verb = "mute",
     .arguments = "CODE [OBJECT]",
     .least = 1,
     .most = 2,
     .flags = COMMON | F(FOR),
     .needed = F(FOR),
     .help = "do not count a problem for a while",
     .more = "Ends by itself: after that time, when the problem clears, and when it gets worse.",
     .run = segue_health_mute},
    {.noun = "health",
     .verb = "unmute",
     .arguments = "CODE [OBJECT]",
     .least = 1,
     .most = 2,
     .flags = COMMON,
     .help = "count it again",
     .run = segue_health_unmute},
    {.noun = "health",
     .arguments = "",
     .flags = COMMON | F(CHECK),
     .help = "what is wrong; --check for a monitoring system",
     .run = segue_health},
    {.noun = "explain",
     .arguments = "[CODE]",
     .most = 1,
     .flags = F(OUTPUT),
     .help = "what a code of status, health or events means, and what to do",
     .run = segue_explain},
    {.noun = "events",
     .arguments = "",
     .flags = COMMON | F(FOLLOW) | F(SINCE) | F(OBJECT) | F(CODE),
     .help = "what happened: takeovers, drives, hosts, processes, changes",
     .run = segue_events},
    {.noun = "connect",
     .arguments = "",
     .flags = F(STATE),
     .help = "what to type on a host: Linux, QEMU, libiscsi",
     .run = segue_connect},
    {.noun = "completion",
     .arguments = "SHELL",
     .least = 1,
     .most = 1,
     .help = "a script that completes words of segue: bash, zsh or fish",
     .more = "bash: eval \"$(segue completion bash)\" in ~/.bashrc; a package has it installed.",
     .run = segue_completion},
    {.noun = "drill",
     .arguments = "[--kill A] [--hang B]",
     .most = SEGUE_ARGUMENTS_MAX,
     .help = "a checked load while parts are killed and hung (drill --help)"},
    {.noun = "pool",
     .verb = "list",
     .arguments = "",
     .flags = COMMON,
     .help = "the pools",
     .run = segue_pool_list},
    {.noun = "pool",
     .verb = "create",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .flags = COMMON | F(GROUP) | F(LEVEL) | F(DRIVES) | F(CACHE) | F(CHUNK) | F(TIMEOUT),
     .needed = F(GROUP) | F(LEVEL) | F(DRIVES),
     .help = "make a pool of drives",
     .run = segue_pool_create},
    {.noun = "pool",
     .verb = "delete",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .flags = COMMON | F(CONFIRM) | F(TIMEOUT),
     .help = "delete a pool that has no volumes",
     .run = segue_pool_delete},
    {.noun = "volume",
     .verb = "list",
     .arguments = "",
     .flags = COMMON,
     .help = "the volumes",
     .run = segue_volume_list},
    {.noun = "volume",
     .verb = "create",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .flags =
         COMMON | F(POOL) | F(SIZE) | F(BLOCK) | F(READ_ONLY) | F(LUN) | F(NO_MAP) | F(TIMEOUT),
     .needed = F(POOL) | F(SIZE),
     .help = "make a volume and give it a LUN",
     .run = segue_volume_create},
    {.noun = "volume",
     .verb = "map",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .flags = COMMON | F(HOST) | F(LUN) | F(TIMEOUT),
     .help = "give a volume a LUN, for a host or for all",
     .run = segue_volume_map},
    {.noun = "volume",
     .verb = "unmap",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .flags = COMMON | F(HOST) | F(CONFIRM) | F(TIMEOUT),
     .help = "take a volume's LUN away from a host, or from all",
     .run = segue_volume_unmap},
    {.noun = "volume",
     .verb = "delete",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .flags = COMMON | F(CONFIRM) | F(TIMEOUT),
     .help = "delete a volume and all its data",
     .run = segue_volume_delete},
    {.noun = "host",
     .verb = "list",
     .arguments = "",
     .flags = COMMON,
     .help = "the hosts, and which LUNs each has",
     .run = segue_host_list},
    {.noun = "host",
     .verb = "create",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .flags = COMMON | F(IQN) | F(CHAP_USER) | F(CONFIRM) | F(TIMEOUT),
     .needed = F(IQN),
     .help = "name a host by its initiators",
     .more =
         "While there is no host, every initiator sees every volume that has a LUN. From the "
         "first\n"
         "host on, each sees what is mapped to it, and initiators that are no host's see nothing.",
     .run = segue_host_create},
    {.noun = "host",
     .verb = "set",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .flags = COMMON | F(ADD_IQN) | F(REMOVE_IQN) | F(CHAP_USER) | F(TIMEOUT),
     .help = "change a host's initiators or CHAP user",
     .run = segue_host_set},
    {.noun = "host",
     .verb = "delete",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .flags = COMMON | F(CONFIRM) | F(TIMEOUT),
     .help = "forget a host and what is mapped to it",
     .run = segue_host_delete},
    {.noun = "switch",
     .verb = "list",
     .arguments = "",
     .flags = COMMON,
     .help = "the interface switches",
     .run = segue_switch_list},
    {.noun = "switch",
     .verb = "drain",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .flags = COMMON | F(TIMEOUT),
     .help = "send a switch's hosts to the others, before it goes down",
     .more = "Hosts are asked to log out, and whoever logs in is redirected, until segue switch "
             "resume,\n"
             "or until the switch is started again.",
     .run = segue_switch_drain},
    {.noun = "switch",
     .verb = "resume",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .flags = COMMON | F(TIMEOUT),
     .help = "let a switch take hosts again",
     .run = segue_switch_resume},
    {.noun = "switch",
     .verb = "reload",
     .arguments = "NAME",
     .least = 1,
     .most = 1,
     .flags = COMMON | F(TIMEOUT),
     .help = "have a switch read the files of CHAP secrets again",
     .more = "Sessions stay. If a file is wrong, the old secrets stay, too.",
     .run = segue_switch_reload},
    {.noun = "group",
     .verb = "list",
     .arguments = "",
     .flags = COMMON,
     .help = "the groups",
     .run = segue_group_list},
    {.noun = "group",
     .verb = "takeovers",
     .arguments = "[GROUP]",
     .most = 1,
     .flags = COMMON | F(LAST) | F(TIMELINE),
     .help = "who took over when and why, and how long each phase took",
     .run = segue_group_takeovers},
    {.noun = "group",
     .verb = "move",
     .arguments = "GROUP MODULE",
     .least = 2,
     .most = 2,
     .flags = COMMON | F(TIMEOUT),
     .help = "planned takeover: let that module's unit lead",
     .run = segue_group_move},
    {.noun = "group",
     .verb = "claim",
     .arguments = "GROUP MODULE",
     .least = 2,
     .most = 2,
     .flags = COMMON | F(CONFIRM) | F(TIMEOUT),
     .help = "serve a group though the writes that one dead unit held are lost",
     .run = segue_group_claim},
    {.noun = "help",
     .arguments = "",
     .most = SEGUE_ARGUMENTS_MAX,
     .help = "this list",
     .run = help_run},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int help_run(const struct segue_call *call)
{
    (void)call;
    segue_help(commands, COMMANDS);
    return SEGUE_EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct segue_call call;
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "drill") == 0)
        return drill_main(argc - 1, argv + 1);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        segue_help(commands, COMMANDS);
        return argc < 2 ? SEGUE_EXIT_USAGE : SEGUE_EXIT_DONE;
    }
    if (strcmp(argv[1], "__complete") == 0) /* of the scripts of `segue completion` */
        return segue_complete(commands, COMMANDS, argc - 2, argv + 2);
    if (strcmp(argv[1], "__manual") == 0) /* of the build */
        return segue_manual(commands, COMMANDS, SEGUE_VERSION);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("segue %s\n", SEGUE_VERSION);
        return SEGUE_EXIT_DONE;
    }
    int code = segue_parse(commands, COMMANDS, argc - 1, argv + 1, &call);
    if (code != SEGUE_EXIT_DONE)
        return code;
    if (call.flag[SEGUE_FLAG_HELP]) {
        segue_command_help(call.command);
        return SEGUE_EXIT_DONE;
    }
    return call.command->run(&call);
}
