/* SPDX-License-Identifier: Apache-2.0 */
/* `pause` and its undoing, `resume`. */
#include "cli.h"
#include "verbs.h"

/* Was it paused, or did it ever have a job? A wrong word would seem to work otherwise. */
static int require_known(const struct cli *cli, const char *queue)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_stats *stats = NULL;
    int code = dray_get_stats(cli->dray, queue, &stats, &error);
    if (code == DRAY_UNSUPPORTED)
        return EXIT_DONE;
    if (code != DRAY_OK)
        return report(cli, &error);
    int paused = stats->nqueues > 0 && stats->queues[0].paused;
    dray_stats_free(stats);
    return paused ? EXIT_DONE : require_queue(cli, queue);
}

typedef int (*change_fn)(struct dray *dray, const char *queue, struct dray_error *error);

static int change_queues(struct cli *cli, change_fn change, int known, const char *done)
{
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    char near[DRAY_ID_SIZE] = "";
    for (size_t i = 0; i < cli->nwords; i++) {
        struct dray_error error = DRAY_ERROR_INIT;
        if (known && (status = require_known(cli, cli->words[i])) != EXIT_DONE)
            return status;
        int is_new = !known && is_new_queue(cli, cli->words[i], near);
        if (change(cli->dray, cli->words[i], &error) != DRAY_OK)
            return report(cli, &error);
        note(cli, "queue %s %s", cli->words[i], done);
        if (is_new) /* it may be meant, or be misspelled */
            note(cli, "queue %s never had a job%s%s%s", cli->words[i],
                near[0] ? "; did you mean " : "", near, near[0] ? "?" : "");
    }
    return EXIT_DONE;
}

static int run_pause(struct cli *cli)
{
    return change_queues(cli, dray_pause, 0, "paused: it takes jobs and hands out none");
}

static int run_resume(struct cli *cli)
{
    return change_queues(cli, dray_resume, 1, "resumed");
}

const struct verb verb_pause = {
    .name = "pause",
    .summary = "stop handing out a queue's jobs, in every process",
    .words = "QUEUE...",
    .min_words = 1,
    .max_words = SIZE_MAX,
    .examples = {"dray pause mail", "dray pause mail reports", "dray pause mail -c prod.yaml"},
    .run = run_pause,
};

const struct verb verb_resume = {
    .name = "resume",
    .summary = "hand out a paused queue's jobs again",
    .words = "QUEUE...",
    .min_words = 1,
    .max_words = SIZE_MAX,
    .examples = {"dray resume mail", "dray resume mail reports", "dray resume mail -c prod.yaml"},
    .run = run_resume,
};
