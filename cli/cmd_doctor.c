/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for settings that work until the day they lose or repeat a job. */
#include "cli.h"
#include "escape.h"
#include "json_out.h"
#include "verbs.h"

#include <dray/driver.h>
#include <dray/text.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define WARNINGS_MAX 16

struct findings {
    char warnings[WARNINGS_MAX][256];
    size_t n;
    int secrets; /* the configuration holds some */
    uint64_t shutdown_ms;
    struct cli *cli;
};

/* Shorter leases than this end while a worker merely swaps, pages or waits for a disk. */
#define LEASE_SHORT_MS 5000

DRAY_PRINTF(2, 3) static void warn(struct findings *findings, const char *fmt, ...)
{
    if (findings->n == WARNINGS_MAX)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(findings->warnings[findings->n++], sizeof(findings->warnings[0]), fmt, args);
    va_end(args);
}

/* What the driver warns of when it opens its store. */
static void hear(void *user, int level, const char *line)
{
    struct findings *findings = user;
    if (level == DRAY_LOG_WARN)
        warn(findings, "%s", line);
    else
        log_to_stderr(findings->cli, level, line);
}

/* Rows of handlers come after those of the worker. */
static void look_at_handler(const struct dray_config_row *row, struct findings *findings)
{
    static const char part[] = "handlers.", last[] = ".timeout";
    size_t len = strlen(row->key);
    uint64_t ms = 0;
    char limit[DRAY_TIME_SIZE];
    if (strncmp(row->key, part, sizeof(part) - 1) != 0 || len < sizeof(last) ||
        strcmp(row->key + len - (sizeof(last) - 1), last) != 0)
        return;
    if (dray_parse_duration(row->value, &ms) == DRAY_OK && ms > findings->shutdown_ms)
        warn(findings,
            "%s: %s is %s, but a worker that is told to stop waits for %s (shutdown_timeout): a "
            "job "
            "that takes longer runs again",
            row->origin, row->key, row->value, dray_format_duration(findings->shutdown_ms, limit));
}

static int look_at(const struct dray_config_row *row, void *user)
{
    struct findings *findings = user;
    uint64_t ms = 0;
    if (!row->value)
        return 0;
    if (strcmp(row->value, "***") == 0)
        findings->secrets = 1;
    if (strcmp(row->key, "queue.worker.shutdown_timeout") == 0)
        (void)dray_parse_duration(row->value, &findings->shutdown_ms);
    else
        look_at_handler(row, findings);
    if (strcmp(row->key, "queue.job.max_attempts") == 0 && strcmp(row->value, "1") == 0)
        warn(findings,
            "%s: queue.job.max_attempts is 1: a job whose worker dies is not tried again",
            row->origin);
    if (strcmp(row->key, "queue.keep.dead") == 0 &&
        dray_parse_duration(row->value, &ms) == DRAY_OK && ms == 0)
        warn(findings, "%s: queue.keep.dead is 0: jobs that fail for good are dropped at once",
            row->origin);
    return 0;
}

static void look_at_store(const struct dray_info *info, struct findings *findings)
{
    char lease[DRAY_TIME_SIZE];
    if (!info->runs_inline && strcmp(info->durability, "volatile") == 0)
        warn(findings, "driver %s, durability volatile: jobs are gone with the %s", info->driver,
            info->shared ? "server's process" : "process");
    else if (strcmp(info->durability, "process") == 0)
        warn(findings,
            "durability process: jobs of the last moments are gone when the machine loses power; "
            "host keeps them");
    if (info->lease_ms < LEASE_SHORT_MS)
        warn(findings,
            "retry_after is %s: a worker that stalls for longer loses its jobs to another one, "
            "which runs them again",
            dray_format_duration(info->lease_ms, lease));
}

static void look_at_file(const char *path, struct findings *findings)
{
    struct stat st;
    if (!findings->secrets || !path || stat(path, &st) != 0)
        return;
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        warn(findings, "%s holds secrets and is open to others: chmod 600 it", path);
}

static void print_json(const struct dray_info *info, const struct findings *findings)
{
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_text(&out, "driver", info->driver);
    json_text(&out, "durability", info->durability);
    json_bool(&out, "ok", findings->n == 0);
    json_array(&out, "warnings");
    for (size_t i = 0; i < findings->n; i++)
        json_text(&out, NULL, findings->warnings[i]);
    json_end_array(&out);
    json_end_object(&out);
    json_finish(&out);
}

static int run(struct cli *cli)
{
    int status = find_config(cli);
    if (status != EXIT_DONE)
        return status;
    static struct findings findings; /* the instance, which main closes, may still add to it */
    struct dray_options options;
    findings.cli = cli;
    cli->log = hear;
    cli->log_user = &findings;
    open_options(cli, 0, &options);
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_check_config(&options, look_at, &findings, &error) != DRAY_OK)
        return report_open(cli, &error);
    status = open_dray(cli, 0);
    if (status != EXIT_DONE)
        return status;
    const struct dray_info *info = dray_get_info(cli->dray);
    look_at_store(info, &findings);
    look_at_file(options.config, &findings);
    if (cli->json) {
        print_json(info, &findings);
    } else {
        for (size_t i = 0; i < findings.n; i++) {
            print_escaped(stdout, findings.warnings[i], strlen(findings.warnings[i]));
            putchar('\n');
        }
        note(cli, "driver %s, durability %s: %zu warning%s", info->driver, info->durability,
            findings.n, findings.n == 1 ? "" : "s");
    }
    return findings.n > 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct verb verb_doctor = {
    .name = "doctor",
    .summary = "check, connect, and warn of settings that lose or repeat jobs",
    .words = "",
    .notes = "Exit status 1 if there is something to warn of.",
    .examples = {"dray doctor", "dray doctor -c config/queue.yaml", "dray doctor --json"},
    .run = run,
};
