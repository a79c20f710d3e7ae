/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <dray/text.h>

#include <string.h>

#define NAMES_MAX 256

int require_queue(const struct cli *cli, const char *queue)
{
    if (!queue || strcmp(queue, dray_get_info(cli->dray)->queue) == 0)
        return EXIT_DONE;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_stats *stats = NULL;
    if (dray_get_stats(cli->dray, NULL, &stats, &error) != DRAY_OK)
        return report(cli, &error);
    const char *names[NAMES_MAX];
    size_t n = 0;
    int found = 0;
    for (size_t i = 0; i < stats->nqueues; i++) {
        found |= strcmp(stats->queues[i].name, queue) == 0;
        if (n < NAMES_MAX)
            names[n++] = stats->queues[i].name;
    }
    int status = EXIT_DONE;
    const char *near = found ? NULL : dray_nearest(queue, names, n);
    if (near)
        status = fail(
            cli, EXIT_NOT_FOUND, DRAY_NOTFOUND, "no queue '%.64s'; did you mean %s?", queue, near);
    else if (!found)
        status =
            fail(cli, EXIT_NOT_FOUND, DRAY_NOTFOUND, "no queue '%.64s'; it never had a job", queue);
    dray_stats_free(stats);
    return status;
}
