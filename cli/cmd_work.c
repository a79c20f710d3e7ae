/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "signals.h"
#include "verbs.h"
#include "work_left.h"
#include "work_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TICK_MS 250
#define SETTINGS_MAX 2

struct work_values {
    struct option_list queues;
    struct option_number concurrency;
    struct option_number max_jobs;
    struct option_number timeout;
    struct option_number delay;
    struct option_number shutdown_timeout;
    struct option_number poll_interval;
    struct option_number prefetch;
    const char *isolation;
    const char *log;
    int until_empty;
    int once;
    int fail_on_error;
};

static const char *const isolations[] = {"thread", "process", NULL};
static const char *const logs[] = {"text", "json", NULL};

static const struct option options[] = {
    OPT_FLAG(struct work_values, until_empty, "until-empty",
        "stop when nothing is ready, running or waiting for a retry"),
    OPT_FLAG(struct work_values, once, "once", "one job; status 4 if none is ready"),
    OPT_LIST(struct work_values, queues, "queue", "NAME", "repeatable, in order of preference"),
    OPT_NUMBER(struct work_values, concurrency, "concurrency", "N", "jobs at a time", 1, 1024),
    OPT_NUMBER(struct work_values, max_jobs, "max-jobs", "N", "stop after so many", 1, 0),
    OPT_DURATION(struct work_values, timeout, "timeout", "D", "stop after so long"),
    OPT_DURATION(struct work_values, delay, "delay", "D", "pause between two jobs"),
    OPT_CHOICE(struct work_values, isolation, "isolation", "HOW",
        "thread; process is not in this version", isolations),
    OPT_DURATION(struct work_values, shutdown_timeout, "shutdown-timeout", "D",
        "how long running jobs may take to end"),
    OPT_DURATION(struct work_values, poll_interval, "poll-interval", "D",
        "between two looks, for drivers that cannot notify"),
    OPT_NUMBER(struct work_values, prefetch, "prefetch", "N", "jobs reserved ahead", 0, 10000),
    OPT_FLAG(struct work_values, fail_on_error, "fail-on-error", "status 1 if a job failed"),
    OPT_CHOICE(struct work_values, log, "log", "HOW", "text, or json: an event a line", logs),
    OPT_END,
};

/* Flags whose zero means something go in as settings: zero in an option struct is "not given". */
struct zero_settings {
    struct dray_setting at[SETTINGS_MAX];
    char texts[SETTINGS_MAX][32];
};

static void take_settings(struct cli *cli, struct zero_settings *settings)
{
    const struct work_values *values = cli->values;
    size_t n = 0;
    if (values->shutdown_timeout.given) {
        snprintf(settings->texts[n], sizeof(settings->texts[n]), "%" PRIu64 "ms",
            values->shutdown_timeout.value);
        settings->at[n] =
            (struct dray_setting){"queue.worker.shutdown_timeout", settings->texts[n]};
        n++;
    }
    if (values->prefetch.given) {
        snprintf(
            settings->texts[n], sizeof(settings->texts[n]), "%" PRIu64, values->prefetch.value);
        settings->at[n] = (struct dray_setting){"queue.worker.prefetch", settings->texts[n]};
        n++;
    }
    cli->settings = settings->at;
    cli->nsettings = n;
}

static int check_values(const struct cli *cli)
{
    const struct work_values *values = cli->values;
    if (values->once && values->until_empty)
        return misuse(cli, "--once and --until-empty do not go together");
    if (values->timeout.given && values->timeout.value == 0)
        return misuse(cli, "--timeout: nothing can be done in no time");
    if (values->poll_interval.given &&
        (values->poll_interval.value < 100 || values->poll_interval.value > 1000))
        return misuse(cli, "--poll-interval: from 100ms to 1s");
    return EXIT_DONE;
}

static void take_options(const struct cli *cli, struct dray_worker_options *to)
{
    const struct work_values *values = cli->values;
    *to = (struct dray_worker_options){
        .concurrency = (uint32_t)values->concurrency.value,
        .max_jobs = values->max_jobs.value,
        .timeout_ms = values->timeout.value,
        .delay_ms = values->delay.value,
        .queues = values->queues.at,
        .nqueues = values->queues.n,
        .poll_interval_ms = values->poll_interval.value,
        .isolation = values->isolation,
    };
    if (values->until_empty)
        to->flags |= DRAY_WORK_UNTIL_EMPTY;
    if (values->delay.given && values->delay.value == 0)
        to->flags |= DRAY_WORK_NO_DELAY;
}

static void note_if_useless(const struct cli *cli)
{
    const struct dray_info *info = dray_get_info(cli->dray);
    if (!info->shared && !info->runs_inline)
        note(cli,
            "the driver %s keeps jobs inside one process: only the jobs' own handlers can push "
            "any here",
            info->driver);
}

static int work(struct cli *cli, struct signals *signals, struct work_log *log)
{
    const struct work_values *values = cli->values;
    struct dray_worker_options options_;
    struct dray_work_report done = {0};
    struct dray_error error = DRAY_ERROR_INIT;
    take_options(cli, &options_);
    work_log_callbacks(log, &options_.callbacks);
    if (signals_start(signals))
        return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "no thread for signals: %s", strerror(errno));
    int code = values->once ? dray_work_one(cli->dray, &options_, &done, &error)
                            : dray_work(cli->dray, &options_, &done, &error);
    signals_end(signals);
    char left[512] = "";
    if (code == DRAY_OK && values->until_empty)
        work_left(cli, &done, &values->queues, left, sizeof(left));
    if (code == DRAY_OK || code == DRAY_POISONED || (code == DRAY_EMPTY && log->json))
        work_log_end(log, &done, left);
    cli->progress = 0;
    if (code == DRAY_EMPTY) {
        note(cli, "no job is ready");
        return EXIT_NOTHING;
    }
    if (code != DRAY_OK)
        return report(cli, &error);
    return values->fail_on_error && done.failed > 0 ? EXIT_FAILED : EXIT_DONE;
}

static int run(struct cli *cli)
{
    const struct work_values *values = cli->values;
    int status = check_values(cli);
    if (status != EXIT_DONE)
        return status;
    struct zero_settings settings;
    take_settings(cli, &settings);
    struct work_log log;
    work_log_start(&log, cli, cli->json || (values->log && strcmp(values->log, "json") == 0));
    log.once = values->once;
    struct signals signals = {.state = work_log_state, .user = &log};
    if (cli->progress) {
        signals.tick = work_log_progress;
        signals.tick_ms = TICK_MS;
    }
    if (signals_block(&signals))
        return fail(cli, EXIT_INTERNAL, DRAY_IO, "signals: %s", strerror(errno));
    /* Whoever reads the log may go away; the jobs go on. */
    signal(SIGPIPE, SIG_IGN);
    status = open_dray(cli, 0);
    if (status != EXIT_DONE)
        return status;
    signals.dray = cli->dray;
    log.signals = &signals;
    note_if_useless(cli);
    status = work(cli, &signals, &log);
    pthread_mutex_destroy(&log.mutex);
    return status;
}

const struct verb verb_work = {
    .name = "work",
    .summary = "run jobs until stopped",
    .words = "",
    .options = options,
    .values_size = sizeof(struct work_values),
    .notes = "TERM or INT stop it once running jobs have ended, a second one at once; TSTP "
             "holds it, CONT resumes, USR1 logs its state. Failed jobs are not its failure "
             "unless --fail-on-error.",
    .examples = {"dray work", "dray work --queue mail --queue default --concurrency 4",
        "dray work --until-empty --log json | jq -c 'select(.event == \"job_dead\")'"},
    .run = run,
};
