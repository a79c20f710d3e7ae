/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "escape.h"
#include "jobs.h"
#include "json_out.h"
#include "verbs.h"

#include <dray/text.h>

#include <stdio.h>
#include <string.h>

struct why_values {
    const char *queue;
};

static const struct option options[] = {
    OPT_TEXT(
        struct why_values, queue, "queue", "NAME", "the queue that has it (else all are searched)"),
    OPT_END,
};

#define SENTENCE_SIZE 1024

/* "until TIME (in 5m)", or "and due". */
static void until(const struct dray_job_info *job, char *out, size_t size)
{
    char at[DRAY_TIME_SIZE];
    char in[DRAY_TIME_SIZE];
    int64_t left = job->run_at_ms - wall_now_ms();
    if (left > 0)
        snprintf(out, size, "until %s (in %s)", dray_format_time(job->run_at_ms, at),
            dray_format_duration((uint64_t)left, in));
    else
        snprintf(out, size, "and due");
}

static void explain_delayed(const struct dray_job_info *job, char *out)
{
    char when[96];
    until(job, when, sizeof(when));
    if (job->releases > 0)
        snprintf(out, SENTENCE_SIZE,
            "it is parked %s: the workers that took it gave it back unstarted (%u time%s), most "
            "likely because they have no handler for the type %s",
            when, job->releases, job->releases == 1 ? "" : "s", job->type);
    else if (job->attempts > 0)
        snprintf(out, SENTENCE_SIZE, "it waits %s for another attempt; attempt %u failed: %.512s",
            when, job->attempts, job->last_error ? job->last_error : "no error given");
    else
        snprintf(out, SENTENCE_SIZE, "it is scheduled: it waits %s", when);
}

static void explain_ready(const struct dray_queue_stats *queue, char *out)
{
    if (queue->paused)
        snprintf(
            out, SENTENCE_SIZE, "its queue %s is paused; dray resume %s", queue->name, queue->name);
    else if (!queue->consumed)
        snprintf(out, SENTENCE_SIZE,
            "nobody consumes its queue %s: start a worker (dray work --queue %s)", queue->name,
            queue->name);
    else
        snprintf(out, SENTENCE_SIZE,
            "it waits for its turn in the queue %s: %llu ready, %llu running", queue->name,
            (unsigned long long)queue->ready, (unsigned long long)queue->active);
}

static void explain_active(const struct dray_job_info *job, char *out)
{
    char at[DRAY_TIME_SIZE];
    dray_format_time(job->lease_until_ms, at);
    if (job->lease_until_ms <= wall_now_ms())
        snprintf(out, SENTENCE_SIZE,
            "its worker %s is gone: its lease has ended, and the next worker that looks puts it "
            "back",
            job->owner ? job->owner : "?");
    else
        snprintf(out, SENTENCE_SIZE, "it is running: %s has it, under a lease until %s%s",
            job->owner ? job->owner : "?", at,
            job->cancelled ? ", and its handler has been told to stop" : "");
}

static int explain(struct cli *cli, const struct dray_job_info *job, char *out)
{
    if (strcmp(job->state, "dead") == 0) {
        snprintf(out, SENTENCE_SIZE, "it is dead after %u attempt%s: %.512s; dray retry %s",
            job->attempts, job->attempts == 1 ? "" : "s",
            job->last_error ? job->last_error : "no error given", job->id);
    } else if (strcmp(job->state, "done") == 0) {
        char at[DRAY_TIME_SIZE];
        snprintf(out, SENTENCE_SIZE, "it is done since %s", dray_format_time(job->ended_ms, at));
    } else if (strcmp(job->state, "active") == 0) {
        explain_active(job, out);
    } else if (strcmp(job->state, "delayed") == 0 &&
               (job->run_at_ms > wall_now_ms() || job->releases > 0)) {
        explain_delayed(job, out);
    } else {
        struct dray_error error = DRAY_ERROR_INIT;
        struct dray_stats *stats = NULL;
        if (dray_get_stats(cli->dray, job->queue, &stats, &error) != DRAY_OK)
            return report(cli, &error);
        struct dray_queue_stats none = {.name = job->queue};
        explain_ready(stats->nqueues > 0 ? &stats->queues[0] : &none, out);
        dray_stats_free(stats);
    }
    return EXIT_DONE;
}

static void print(const struct cli *cli, const struct dray_job_info *job, const char *sentence)
{
    if (!cli->json) {
        print_escaped(stdout, sentence, strlen(sentence));
        putchar('\n');
        return;
    }
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_text(&out, "id", job->id);
    json_text(&out, "state", job->state);
    json_text(&out, "why", sentence);
    json_end_object(&out);
    json_finish(&out);
}

static int run(struct cli *cli)
{
    const struct why_values *values = cli->values;
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_job_info *job = NULL;
    if (dray_get(cli->dray, values->queue, cli->words[0], &job, &error) != DRAY_OK)
        return report(cli, &error);
    char sentence[SENTENCE_SIZE];
    status = explain(cli, job, sentence);
    if (status == EXIT_DONE)
        print(cli, job, sentence);
    dray_job_info_free(job);
    return status;
}

const struct verb verb_why = {
    .name = "why",
    .summary = "one sentence: why this job is not running now",
    .words = "ID",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .values_size = sizeof(struct why_values),
    .examples = {"dray why nightly", "dray why nightly --queue reports", "dray why nightly --json"},
    .run = run,
};
