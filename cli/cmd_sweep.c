/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "verbs.h"

struct sweep_values {
    const char *queue;
};

static const struct option options[] = {
    OPT_TEXT(struct sweep_values, queue, "queue", "NAME", "of one queue"),
    OPT_END,
};

static int run(struct cli *cli)
{
    const struct sweep_values *values = cli->values;
    int status = open_dray(cli, DRAY_OPEN_NO_HANDLERS);
    if (status != EXIT_DONE)
        return status;
    struct dray_error error = DRAY_ERROR_INIT;
    uint64_t count = 0;
    if (dray_sweep(cli->dray, values->queue, &count, &error) != DRAY_OK)
        return report(cli, &error);
    if (count == 0 && (status = require_queue(cli, values->queue)) != EXIT_DONE)
        return status;
    report_count(cli, "swept", count);
    return EXIT_DONE;
}

const struct verb verb_sweep = {
    .name = "sweep",
    .summary = "put jobs whose lease has expired back; workers do it by themselves",
    .words = "",
    .options = options,
    .values_size = sizeof(struct sweep_values),
    .examples = {"dray sweep", "dray sweep --queue mail", "dray sweep --json"},
    .run = run,
};
