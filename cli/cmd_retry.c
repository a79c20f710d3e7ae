/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "verbs.h"

struct retry_values {
    const char *queue;
    const char *type;
    int all;
};

static const struct option options[] = {
    OPT_FLAG(struct retry_values, all, "all", "all dead jobs"),
    OPT_TEXT(struct retry_values, type, "type", "TYPE", "with --all: of one type"),
    OPT_TEXT(struct retry_values, queue, "queue", "NAME", "of one queue"),
    OPT_END,
};

static int retry_one(struct cli *cli, const char *id, struct dray_error *error)
{
    const struct retry_values *values = cli->values;
    return dray_kick(cli->dray, values->queue, id, error);
}

static int retry_all(struct cli *cli, uint64_t *done)
{
    const struct retry_values *values = cli->values;
    struct dray_list_options which = {
        .queue = values->queue, .type = values->type, .state = "dead"};
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_kick_all(cli->dray, &which, done, &error) != DRAY_OK)
        return report(cli, &error);
    return *done > 0 ? EXIT_DONE : require_queue(cli, values->queue);
}

static int run(struct cli *cli)
{
    const struct retry_values *values = cli->values;
    if (values->all && cli->nwords > 0)
        return misuse(cli, "name ids or say --all, not both");
    if (!values->all && cli->nwords == 0)
        return misuse(cli, "which jobs? Name their ids or say --all");
    if (!values->all && values->type)
        return misuse(cli, "--type goes with --all");
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    uint64_t done = 0;
    status = values->all ? retry_all(cli, &done) : each_id(cli, retry_one, &done);
    if (status == EXIT_DONE || done > 0)
        report_count(cli, "retried", done);
    return status;
}

const struct verb verb_retry = {
    .name = "retry",
    .summary = "dead or delayed jobs become ready now",
    .words = "[ID...]",
    .max_words = SIZE_MAX,
    .options = options,
    .values_size = sizeof(struct retry_values),
    .examples = {"dray retry nightly", "dray retry --all --type send-welcome",
        "dray retry --all --queue mail"},
    .run = run,
};
