/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "escape.h"
#include "jobs.h"
#include "verbs.h"

#include <dray/text.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct show_values {
    const char *queue;
};

static const struct option options[] = {
    OPT_TEXT(struct show_values, queue, "queue", "NAME",
        "the queue that has it (else all are searched)"),
    OPT_END,
};

static void line(const struct cli *cli, const char *key, const char *value)
{
    if (!value)
        return;
    if (cli->out_is_terminal)
        printf("%-14s", key);
    else
        printf("%s\t", key);
    print_escaped(stdout, value, strlen(value));
    fputc('\n', stdout);
}

static void number_line(const struct cli *cli, const char *key, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    line(cli, key, text);
}

static void time_line(const struct cli *cli, const char *key, int64_t wall_ms)
{
    char text[DRAY_TIME_SIZE];
    if (wall_ms != 0)
        line(cli, key, dray_format_time(wall_ms, text));
}

static void print_for_people(const struct cli *cli, const struct dray_job_info *job)
{
    char text[DRAY_TIME_SIZE];
    line(cli, "id", job->id);
    line(cli, "queue", job->queue);
    line(cli, "type", job->type);
    line(cli, "name", job->name);
    line(cli, "state", job->state);
    if (strcmp(job->state, "delayed") == 0)
        line(cli, "waits as", job_waits_as(job));
    if (job->cancelled)
        line(cli, "cancelled", "yes; its handler has been told");
    number_line(cli, "priority", job->priority);
    line(cli, "attempts", job_attempts(job, text));
    if (job->releases > 0)
        number_line(cli, "releases", job->releases);
    if (job->timeout_ms > 0)
        line(cli, "timeout", dray_format_duration(job->timeout_ms, text));
    time_line(cli, "created", job->created_ms);
    time_line(cli, "run at", job->run_at_ms);
    time_line(cli, "lease until", job->lease_until_ms);
    time_line(cli, "ended", job->ended_ms);
    line(cli, "owner", job->owner);
    line(cli, "unique key", job->unique_key);
    line(cli, "group", job->group);
    line(cli, "progress", job->progress);
    line(cli, "last error", job->last_error);
    line(cli, "result", job->result);
    line(cli, "payload", job->payload);
}

static int run(struct cli *cli)
{
    const struct show_values *values = cli->values;
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    note_if_private(cli);
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_job_info *job = NULL;
    if (dray_get(cli->dray, values->queue, cli->words[0], &job, &error) != DRAY_OK)
        return report(cli, &error);
    if (cli->json)
        job_print_json(stdout, job);
    else
        print_for_people(cli, job);
    dray_job_info_free(job);
    return EXIT_DONE;
}

const struct verb verb_show = {
    .name = "show",
    .summary = "everything about one job",
    .words = "ID",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .values_size = sizeof(struct show_values),
    .examples = {"dray show 01930b1e-7a41-7c3e-9f0a-3d2b8c1d4e5f",
        "dray show nightly --queue reports", "dray show nightly --json | jq .payload"},
    .run = run,
};
