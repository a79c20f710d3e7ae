/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "verbs.h"

struct delete_values {
    const char *queue;
    int force;
};

static const struct option options[] = {
    OPT_TEXT(struct delete_values, queue, "queue", "NAME",
        "the queue that has them (else all are searched)"),
    OPT_FLAG(struct delete_values, force, "force",
        "a running job too: its handler goes on, its outcome is dropped"),
    OPT_END,
};

static int delete_one(struct cli *cli, const char *id, struct dray_error *error)
{
    const struct delete_values *values = cli->values;
    return dray_remove(cli->dray, values->queue, id, values->force, error);
}

static int run(struct cli *cli)
{
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    uint64_t done = 0;
    status = each_id(cli, delete_one, &done);
    if (status == EXIT_DONE || done > 0)
        report_count(cli, "deleted", done);
    return status;
}

const struct verb verb_delete = {
    .name = "delete",
    .summary = "remove jobs without a trace",
    .words = "ID...",
    .min_words = 1,
    .max_words = SIZE_MAX,
    .options = options,
    .values_size = sizeof(struct delete_values),
    .examples = {"dray delete nightly", "dray delete nightly --queue reports",
        "dray delete --force nightly"},
    .run = run,
};
