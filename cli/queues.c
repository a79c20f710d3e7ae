/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <dray/text.h>

#include <stdio.h>
#include <string.h>

#define NAMES_MAX 256

/* *found, or in `near` ("" if there is none) the name that may be meant. */
static int look_up(const struct cli *cli, const char *queue, int *found, char near[DRAY_ID_SIZE],
    struct dray_error *error)
{
    struct dray_stats *stats = NULL;
    int code = dray_get_stats(cli->dray, NULL, &stats, error);
    if (code != DRAY_OK)
        return code;
    const char *names[NAMES_MAX];
    size_t n = 0;
    *found = strcmp(dray_get_info(cli->dray)->queue, queue) == 0;
    for (size_t i = 0; i < stats->nqueues; i++) {
        *found |= strcmp(stats->queues[i].name, queue) == 0;
        if (n < NAMES_MAX)
            names[n++] = stats->queues[i].name;
    }
    const char *nearest = dray_nearest(queue, names, n);
    snprintf(near, DRAY_ID_SIZE, "%s", nearest ? nearest : "");
    dray_stats_free(stats);
    return DRAY_OK;
}

int require_queue(const struct cli *cli, const char *queue)
{
    struct dray_error error = DRAY_ERROR_INIT;
    char near[DRAY_ID_SIZE];
    int found = 0;
    if (!queue || strcmp(queue, dray_get_info(cli->dray)->queue) == 0)
        return EXIT_DONE;
    if (look_up(cli, queue, &found, near, &error) != DRAY_OK)
        return report(cli, &error);
    if (found)
        return EXIT_DONE;
    if (near[0])
        return fail(
            cli, EXIT_NOT_FOUND, DRAY_NOTFOUND, "no queue '%.64s'; did you mean %s?", queue, near);
    return fail(cli, EXIT_NOT_FOUND, DRAY_NOTFOUND, "no queue '%.64s'; it never had a job", queue);
}

int is_new_queue(const struct cli *cli, const char *queue, char near[DRAY_ID_SIZE])
{
    int found = 0;
    return look_up(cli, queue, &found, near, NULL) == DRAY_OK && !found;
}
