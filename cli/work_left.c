/* SPDX-License-Identifier: Apache-2.0 */
#include "work_left.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAMES_SIZE 200
/* So many delayed jobs are looked at for the names of parked types. */
#define LOOKED_AT 10000

struct names {
    char text[NAMES_SIZE]; /* "a, b" */
    const struct option_list *queues;
};

static int is_ours(const struct option_list *queues, const char *name)
{
    for (size_t i = 0; i < queues->n; i++) {
        if (strcmp(queues->at[i], name) == 0)
            return 1;
    }
    return queues->n == 0;
}

/* Adds a name unless it is there already or there is no room. */
static void add_name(struct names *names, const char *name)
{
    char *at = names->text;
    size_t len = strlen(name);
    while (*at) {
        size_t word = strcspn(at, ",");
        if (word == len && memcmp(at, name, len) == 0)
            return;
        at += word;
        at += *at ? 2 : 0;
    }
    size_t used = strlen(names->text);
    if (used + len + 3 > sizeof(names->text))
        return;
    snprintf(names->text + used, sizeof(names->text) - used, "%s%s", used > 0 ? ", " : "", name);
}

static int name_parked(const struct dray_job_info *job, void *user)
{
    struct names *names = user;
    if (job->releases > 0 && is_ours(names->queues, job->queue))
        add_name(names, job->type);
    return 0;
}

static void name_paused(const struct cli *cli, struct names *names)
{
    struct dray_stats *stats = NULL;
    if (dray_get_stats(cli->dray, NULL, &stats, NULL) != DRAY_OK)
        return;
    for (size_t i = 0; i < stats->nqueues; i++) {
        if (stats->queues[i].paused && is_ours(names->queues, stats->queues[i].name))
            add_name(names, stats->queues[i].name);
    }
    dray_stats_free(stats);
}

DRAY_PRINTF(3, 4) static void add(char *out, size_t size, const char *fmt, ...)
{
    size_t used = strlen(out);
    int len = used > 0 ? snprintf(out + used, size - used, ", ") : 0;
    if (len < 0 || used + (size_t)len >= size)
        return;
    used += (size_t)len;
    va_list args;
    va_start(args, fmt);
    vsnprintf(out + used, size - used, fmt, args);
    va_end(args);
}

void work_left(const struct cli *cli, const struct dray_work_report *report,
    const struct option_list *queues, char *out, size_t size)
{
    struct names parked = {.queues = queues};
    struct names paused = {.queues = queues};
    /* Names are a courtesy: where the driver cannot list, the numbers stand alone. */
    struct dray_list_options which = {.state = "delayed", .limit = LOOKED_AT};
    if (report->parked > 0)
        dray_list(cli->dray, &which, name_parked, &parked, NULL);
    if (report->paused > 0)
        name_paused(cli, &paused);
    if (report->scheduled > 0)
        add(out, size, "%" PRIu64 " scheduled", report->scheduled);
    if (report->parked > 0)
        add(out, size, "%" PRIu64 " parked%s%s%s", report->parked, parked.text[0] ? " (" : "",
            parked.text, parked.text[0] ? ")" : "");
    if (report->paused > 0)
        add(out, size, "%" PRIu64 " queue%s paused%s%s%s", report->paused,
            report->paused == 1 ? "" : "s", paused.text[0] ? " (" : "", paused.text,
            paused.text[0] ? ")" : "");
}
