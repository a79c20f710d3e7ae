/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dray-bench: throughput, latency and size of the configured driver, beside the bare programs that
 * are its limit. docs/benchmarks.md says how to read it.
 */
#include "stopwatch.h"
#include "tiers.h"

#include "dray/dray.h"
#include "dray/text.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_BROKEN 70
#define EXIT_IO 74
#define EXIT_CONFIG 78
#define EXIT_INTERRUPTED 130

#define TMPFS_SUPER_MAGIC 0x01021994 /* statfs(2) */

static const char help[] =
    "usage: dray-bench [-c FILE | --driver NAME] [options]\n"
    "Measures a driver beside the bare programs that are its limit. It works on a queue of its\n"
    "own, which it removes, or without -c on a temporary store in TMPDIR.\n"
    "\n"
    "  -c, --config FILE  the driver that this configuration names\n"
    "      --driver NAME  this driver; with -c over the file's\n"
    "      --json         one JSON object instead of tables\n"
    "      --quick        fewer rounds, fewer jobs, small backlogs\n"
    "      --only TIER    space, dispatch, e2e, drain, pickup, backlog or commit\n"
    "      --jobs N       jobs a run\n"
    "\n"
    "examples:\n"
    "  dray-bench --driver memory\n"
    "  dray-bench -c config/sqlite.yaml --only e2e\n"
    "  dray-bench --driver file --quick --json\n";

struct arguments {
    const char *config;
    const char *driver;
    const char *only;
    uint64_t jobs; /* 0: not given */
    int json;
    int quick;
};

static int wrong_usage(const char *what, const char *value)
{
    fprintf(stderr, "dray-bench: %s%s%s; see dray-bench -h\n", what, value ? " " : "",
        value ? value : "");
    return EXIT_USAGE;
}

static int parse_jobs(const char *text, uint64_t *jobs)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end || text[0] == '-' || value < 100 || value > 10000000)
        return wrong_usage("--jobs takes a number from 100 to 10000000, not", text);
    *jobs = value;
    return 0;
}

static int check_tier(const char *name)
{
    if (tiers_has(name))
        return 0;
    static const char *const words[] = {
        "space", "dispatch", "e2e", "drain", "pickup", "backlog", "commit"};
    const char *near = dray_nearest(name, words, sizeof(words) / sizeof(words[0]));
    fprintf(stderr, "dray-bench: no tier %s%s%s; there are %s\n", name,
        near ? ", did you mean " : "", near ? near : "", tiers_list());
    return EXIT_USAGE;
}

/* -1: go on; else the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *out)
{
    enum { OPT_DRIVER = 256, OPT_JSON, OPT_QUICK, OPT_ONLY, OPT_JOBS };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"driver", required_argument, NULL, OPT_DRIVER},
        {"json", no_argument, NULL, OPT_JSON},
        {"quick", no_argument, NULL, OPT_QUICK},
        {"only", required_argument, NULL, OPT_ONLY},
        {"jobs", required_argument, NULL, OPT_JOBS},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (;;) {
        int rc = 0;
        switch (getopt_long(argc, argv, "c:h", options, NULL)) {
        case -1:
            return optind == argc ? -1 : wrong_usage("unexpected argument", argv[optind]);
        case 'c':
            out->config = optarg;
            break;
        case OPT_DRIVER:
            out->driver = optarg;
            break;
        case OPT_JSON:
            out->json = 1;
            break;
        case OPT_QUICK:
            out->quick = 1;
            break;
        case OPT_ONLY:
            out->only = optarg;
            rc = check_tier(optarg);
            break;
        case OPT_JOBS:
            rc = parse_jobs(optarg, &out->jobs);
            break;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            return EXIT_USAGE;
        }
        if (rc != 0)
            return rc;
    }
}

static struct plan plan_of(const struct arguments *arguments)
{
    struct plan plan = {
        .source = {.config = arguments->config, .driver = arguments->driver},
        .jobs = 200000,
        .latencies = 1000,
        .small = 10000,
        .large = 1000000,
        .limit_ns = 2 * NS_PER_S,
        .rounds = 5,
        .only = arguments->only,
    };
    if (arguments->quick) {
        plan.jobs = 20000;
        plan.limit_ns = NS_PER_S / 2;
        plan.rounds = 3;
    }
    if (arguments->jobs > 0)
        plan.jobs = arguments->jobs;
    if (arguments->quick) {
        plan.latencies = plan.jobs < 200 ? plan.jobs : 200;
        plan.small = plan.jobs;
        plan.large = plan.jobs * 10;
    }
    return plan;
}

/* ------------------------------------------------------------------------------------------- */
/* The temporary folder                                                                        */
/* ------------------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static void folder_remove(const char *folder)
{
    if (nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "dray-bench: cannot remove %s\n", folder);
}

static int folder_make(char *folder, size_t size)
{
    const char *base = secure_getenv("TMPDIR");
    int len = snprintf(folder, size, "%s/dray-bench-XXXXXX", base && base[0] ? base : "/tmp");
    if (len < 0 || (size_t)len >= size || !mkdtemp(folder)) {
        fprintf(stderr, "dray-bench: cannot make %s; set TMPDIR to a folder on a disk\n", folder);
        return -1;
    }
    struct statfs info;
    if (statfs(folder, &info) == 0 && info.f_type == TMPFS_SUPER_MAGIC)
        fprintf(stderr,
            "dray-bench: warning: %s is in memory, so syncing costs nothing there; set TMPDIR to a "
            "folder on a disk to measure durable drivers\n",
            folder);
    return 0;
}

/* ------------------------------------------------------------------------------------------- */

static int measure(const struct arguments *arguments, const char *folder)
{
    struct plan plan = plan_of(arguments);
    plan.source.folder = folder;
    struct report report = {.jobs = plan.jobs, .rounds = plan.rounds, .table = !arguments->json};
    int status = 0;
    if (tiers_run(&plan, &report) != 0)
        status = stopwatch_interrupted() ? EXIT_INTERRUPTED : plan.exit_status;
    else if (arguments->json && report_json(&report, stdout) != 0)
        status = EXIT_IO;
    report_free(&report);
    return status;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    int status = parse_arguments(argc, argv, &arguments);
    if (status >= 0)
        return status;
    char found[4096];
    if (!arguments.config && !arguments.driver) {
        struct dray_error error = DRAY_ERROR_INIT;
        if (dray_find_config(found, sizeof(found), &error) != DRAY_OK) {
            fprintf(stderr, "dray-bench: %s; or name a driver with --driver\n", error.text);
            return EXIT_CONFIG;
        }
        arguments.config = found;
    }
    char folder[4096];
    if (stopwatch_catch_signals() != 0 || folder_make(folder, sizeof(folder)) != 0)
        return EXIT_BROKEN;
    status = measure(&arguments, folder);
    folder_remove(folder);
    return status;
}
