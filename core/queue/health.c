/* SPDX-License-Identifier: Apache-2.0 */
/* What the counts say about health. */
#include "host/error.h"
#include "queue/instance.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A ready job that waits longer than this while somebody consumes: too slow. */
#define SLOW_MS (5 * 60 * 1000)

static void find(struct dray_health *h, int status, const char *fmt, ...) DRAY_PRINTF(3, 4);

static void find(struct dray_health *h, int status, const char *fmt, ...)
{
    if (status > h->status)
        h->status = status;
    if (h->nlines == sizeof(h->lines) / sizeof(h->lines[0]))
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(h->lines[h->nlines++], sizeof(h->lines[0]), fmt, args);
    va_end(args);
}

/* Queues that the configuration's workers serve should have a worker even while they are empty. */
static int is_served(const struct config *config, const char *name)
{
    if (!config->worker.nqueues)
        return strcmp(name, config->queue) == 0;
    for (size_t i = 0; i < config->worker.nqueues; i++) {
        if (strcmp(name, config->worker.queues[i]) == 0)
            return 1;
    }
    return 0;
}

static void judge_queue(struct dray_health *worst, struct dray_health *h, const struct dray *dray,
    const struct dray_queue_stats *q, int own)
{
    const struct config_health *limits = &dray->config->health;
    uint64_t backlog = q->ready + q->retrying;
    if (!q->consumed && !own && !q->paused && (q->ready || is_served(dray->config, q->name)))
        find(worst, DRAY_HEALTH_CRITICAL, "nobody consumes queue %s, where %llu job%s ready",
            q->name, (unsigned long long)q->ready, q->ready == 1 ? " is" : "s are");
    if (q->paused)
        find(h, DRAY_HEALTH_WARNING, "queue %s is paused", q->name);
    else if (q->oldest_ready_age_ms > SLOW_MS)
        find(h, DRAY_HEALTH_WARNING, "queue %s is slow: its next job is %lld minutes old", q->name,
            (long long)(q->oldest_ready_age_ms / 60000));
    if (backlog > limits->backlog)
        find(h, DRAY_HEALTH_WARNING, "queue %s has a backlog of %llu jobs (health.backlog: %llu)",
            q->name, (unsigned long long)backlog, (unsigned long long)limits->backlog);
    if (q->parked)
        find(h, DRAY_HEALTH_WARNING, "queue %s has parked jobs (%llu): no worker knows their types",
            q->name, (unsigned long long)q->parked);
}

static void judge_totals(
    struct dray_health *h, const struct dray *dray, const struct dray_stats *stats)
{
    const struct config_health *limits = &dray->config->health;
    if (limits->failure_rate >= 0 && stats->failure_rate > limits->failure_rate)
        find(h, DRAY_HEALTH_WARNING, "%.1f %% of attempts fail (health.failure_rate: %.1f %%)",
            stats->failure_rate * 100, limits->failure_rate * 100);
    if (stats->processing > limits->processing)
        find(h, DRAY_HEALTH_WARNING, "%llu jobs are being processed (health.processing: %llu)",
            (unsigned long long)stats->processing, (unsigned long long)limits->processing);
}

static void add_lines(struct dray_health *h, const struct dray_health *warnings)
{
    for (size_t i = 0; i < warnings->nlines; i++)
        find(h, warnings->status, "%s", warnings->lines[i]);
}

int dray_check_health(struct dray *dray, struct dray_health *out, struct dray_error *error)
{
    struct dray_error own = DRAY_ERROR_INIT;
    struct dray_stats *stats = NULL;
    struct dray_health warnings = {0};
    if (out)
        memset(out, 0, sizeof(*out));
    int code = instance_check(dray, error);
    if (code != DRAY_OK)
        return code;
    if (!out)
        return error_set(error, DRAY_INVALID, 0, "dray_check_health needs a place for the result");
    code = dray_get_stats(dray, NULL, &stats, &own);
    if (code == DRAY_UNSUPPORTED)
        return error_copy(error, &own);
    if (code != DRAY_OK || !stats) {
        find(out, DRAY_HEALTH_CRITICAL, "the backend does not answer: %.200s", own.text);
        return DRAY_OK;
    }
    struct dray_worker_state state;
    dray_worker_get_state(dray, &state);
    for (size_t i = 0; i < stats->nqueues; i++)
        judge_queue(out, &warnings, dray, &stats->queues[i], state.consuming);
    judge_totals(&warnings, dray, stats);
    add_lines(out, &warnings);
    dray_stats_free(stats);
    return DRAY_OK;
}
