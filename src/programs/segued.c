/* SPDX-License-Identifier: Apache-2.0 */
/* segued: one process of an array, with the parts that its configuration places in it.
 *
 * Exit: 0 stopped in order; 1 something had not stopped in time; 2 refused to start, one sentence
 * on stderr says why. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "manage/config.h"
#include "node/node.h"

enum { EXIT_REFUSED = 2 };

static const char usage[] =
    "segued --config FILE --process NAME [--log-level error|warn|info|detail] [--nice N]\n"
    "\n"
    "Runs one process of a Segue array: the modules, interface switches and loop switches that "
    "FILE\n"
    "places in the process NAME. As a rule `segue up FILE` starts them all.\n"
    "\n"
    "SIGTERM and SIGINT stop it in order. It runs at nice N (default -10) where it may.\n"
    "The management socket is STATE/run/NAME.sock, the log\n"
    "STATE/log/NAME.log and stderr.\n";

struct arguments {
    const char *config, *process, *level;
    int nice;
};

static int refuse(const char *sentence)
{
    fprintf(stderr, "segued: %s\n", sentence);
    return EXIT_REFUSED;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct arguments *out)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"process", required_argument, NULL, 'p'},
        {"log-level", required_argument, NULL, 'l'},
        {"nice", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'c')
            out->config = optarg;
        else if (option == 'p')
            out->process = optarg;
        else if (option == 'l')
            out->level = optarg;
        else if (option == 'n')
            out->nice = atoi(optarg);
        else if (option == 'h')
            return fputs(usage, stdout) < 0;
        else
            return EXIT_REFUSED;
    }
    if (optind < argc || !out->config || !out->process)
        return refuse("it needs --config FILE and --process NAME, and nothing else; see --help");
    return -1;
}

static int find_process(const struct config *config, const char *name, char *sentence, size_t bytes)
{
    char names[256] = "";
    size_t at = 0;
    for (int i = 0; i < config->processes; i++) {
        if (strcmp(config->process[i].name, name) == 0)
            return i;
        if (at < sizeof names)
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "",
                                   config->process[i].name);
    }
    snprintf(sentence, bytes, "%s: no process is called %s; there are %s", config->file, name,
             names);
    return -1;
}

static int find_level(const char *name, enum trace_level *out)
{
    for (enum trace_level level = TRACE_ERROR; level <= TRACE_DETAIL; level++) {
        if (strcmp(trace_level_name(level), name) == 0) {
            *out = level;
            return 0;
        }
    }
    return -1;
}

static void join_words(int argc, char **argv, char *out, size_t bytes)
{
    size_t at = 0;
    for (int i = 0; i < argc && at < bytes; i++)
        at += (size_t)snprintf(out + at, bytes - at, "%s%s", i ? " " : "", argv[i]);
}

/* A loop that waits for a processor looks like a dead one to its peers: where that is allowed, it
 * goes before other programs. */
static void raise_limits(int nice)
{
    setpriority(PRIO_PROCESS, 0, nice);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.nice = -10};
    char sentence[CONFIG_SENTENCE], command_line[1024] = "";
    int status = parse(argc, argv, &arguments);
    if (status >= 0)
        return status;
    join_words(argc, argv, command_line, sizeof command_line);
    struct config *config = calloc(1, sizeof *config);
    if (!config)
        return refuse("no memory");
    if (config_read(arguments.config, config, sentence, sizeof sentence))
        return refuse(sentence);
    int process = find_process(config, arguments.process, sentence, sizeof sentence);
    if (process < 0)
        return refuse(sentence);
    enum trace_level level;
    if (find_level(arguments.level ? arguments.level : config->log_level, &level))
        return refuse("--log-level is error, warn, info or detail");
    umask(027);
    raise_limits(arguments.nice);
    struct node *node = node_new(config, process, level, command_line, sentence, sizeof sentence);
    if (!node)
        return refuse(sentence);
    bool stopped = node_run(node);
    node_free(node);
    free(config);
    return stopped ? EXIT_SUCCESS : EXIT_FAILURE;
}
