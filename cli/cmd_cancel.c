/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "verbs.h"

struct cancel_values {
    const char *queue;
};

static const struct option options[] = {
    OPT_TEXT(struct cancel_values, queue, "queue", "NAME",
        "the queue that has them (else all are searched)"),
    OPT_END,
};

static int cancel_one(struct cli *cli, const char *id, struct dray_error *error)
{
    const struct cancel_values *values = cli->values;
    return dray_cancel(cli->dray, values->queue, id, error);
}

static int run(struct cli *cli)
{
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    uint64_t done = 0;
    status = each_id(cli, cancel_one, &done);
    if (status == EXIT_DONE || done > 0)
        report_count(cli, "cancelled", done);
    return status;
}

const struct verb verb_cancel = {
    .name = "cancel",
    .summary = "a waiting job becomes dead, a running one is told to stop",
    .words = "ID...",
    .min_words = 1,
    .max_words = SIZE_MAX,
    .options = options,
    .values_size = sizeof(struct cancel_values),
    .examples = {"dray cancel nightly", "dray cancel nightly --queue reports",
        "dray list --type resize --json | jq -r .id | xargs dray cancel"},
    .run = run,
};
