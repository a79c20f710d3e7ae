/* SPDX-License-Identifier: Apache-2.0 */
/* Counts and totals, and what they say about health. */
#include "host/error.h"
#include "queue/instance.h"
#include "text/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* J6: a queue is consumed while somebody looked with room less than so long ago. */
#define CONSUMED_MS 30000

/* A ready job that waits longer than this while somebody consumes: too slow. */
#define SLOW_MS (5 * 60 * 1000)

/* ---- stats ---- */

/* What dray_stats gives away; the public struct comes first. */
struct report {
    struct dray_stats stats;
    struct dray_queue_stats *queues;
    struct dray_type_stats *types;
    uint64_t runs, run_ms;
    int64_t now_ms;
};

struct gather {
    struct dray_call call; /* first: the sink gets back from it to here */
    struct report *report;
    int no_memory;
};

static char *copy_str(const struct dray_str *str)
{
    char *copy = malloc(str->len + 1);
    if (copy) {
        if (str->len)
            memcpy(copy, str->data, str->len);
        copy[str->len] = 0;
    }
    return copy;
}

static int add_queue(struct report *r, const struct dray_stats_row *row)
{
    size_t n = r->stats.nqueues;
    struct dray_queue_stats *more = realloc(r->queues, (n + 1) * sizeof(*more));
    if (!more)
        return 0;
    r->queues = more;
    struct dray_queue_stats *q = &more[n];
    *q = (struct dray_queue_stats){
        .ready = row->ready,
        .delayed = row->delayed,
        .retrying = row->retrying,
        .parked = row->parked,
        .active = row->active,
        .dead = row->dead,
        .done = row->done,
        .paused = row->paused != 0,
        .consumer_age_ms = -1,
        .oldest_ready_age_ms = -1,
    };
    q->name = copy_str(&row->queue);
    r->stats.nqueues++;
    if (row->consumer.len) {
        q->consumer = copy_str(&row->consumer);
        q->consumer_age_ms = (int64_t)row->consumer_age_ms;
    }
    if (row->ready && row->oldest_ready_ms)
        q->oldest_ready_age_ms =
            r->now_ms > row->oldest_ready_ms ? r->now_ms - row->oldest_ready_ms : 0;
    q->consumed = q->active > 0 || (q->consumer_age_ms >= 0 && q->consumer_age_ms < CONSUMED_MS);
    r->stats.processing += q->active;
    return q->name && (!row->consumer.len || q->consumer);
}

static struct dray_type_stats *find_type(struct report *r, const struct dray_str *type)
{
    for (size_t i = 0; i < r->stats.ntypes; i++) {
        const char *name = r->types[i].type;
        if (strncmp(name, type->data, type->len) == 0 && name[type->len] == 0)
            return &r->types[i];
    }
    struct dray_type_stats *more = realloc(r->types, (r->stats.ntypes + 1) * sizeof(*more));
    if (!more)
        return NULL;
    r->types = more;
    struct dray_type_stats *t = &more[r->stats.ntypes];
    memset(t, 0, sizeof(*t));
    t->type = copy_str(type);
    if (!t->type)
        return NULL;
    r->stats.ntypes++;
    return t;
}

static int add_type(struct report *r, const struct dray_stats_row *row)
{
    struct dray_type_stats *t = find_type(r, &row->type);
    if (!t)
        return 0;
    t->queued += row->pushed;
    t->completed += row->completed;
    t->failed += row->failed;
    t->retried += row->retried;
    t->dead += row->died;
    t->runs += row->runs;
    t->run_ms += row->run_ms;
    r->stats.pushed += row->pushed;
    r->stats.completed += row->completed;
    r->stats.failed += row->failed;
    r->stats.retried += row->retried;
    r->stats.dead += row->died;
    r->runs += row->runs;
    r->run_ms += row->run_ms;
    return 1;
}

static void add_row(struct dray_call *call, const struct dray_stats_row *row)
{
    struct gather *g = (struct gather *)(void *)call;
    int ok = row->type.len ? add_type(g->report, row) : add_queue(g->report, row);
    g->no_memory |= !ok;
}

static void complete(struct report *r)
{
    struct dray_stats *s = &r->stats;
    uint64_t attempts = s->completed + s->failed;
    s->queues = r->queues;
    s->types = r->types;
    s->success_rate = attempts ? (double)s->completed / (double)attempts : -1;
    s->failure_rate = attempts ? (double)s->failed / (double)attempts : -1;
    s->average_processing_time_ms = r->runs ? (double)r->run_ms / (double)r->runs : -1;
}

void dray_stats_free(struct dray_stats *stats)
{
    if (!stats)
        return;
    struct report *r = (struct report *)stats;
    for (size_t i = 0; i < stats->nqueues; i++) {
        free((void *)(uintptr_t)r->queues[i].name);
        free((void *)(uintptr_t)r->queues[i].consumer);
    }
    for (size_t i = 0; i < stats->ntypes; i++)
        free((void *)(uintptr_t)r->types[i].type);
    free(r->queues);
    free(r->types);
    free(r);
}

int dray_get_stats(
    struct dray *dray, const char *queue, struct dray_stats **out, struct dray_error *error)
{
    struct dray_error own = DRAY_ERROR_INIT;
    int code = instance_check(dray, error);
    if (code != DRAY_OK)
        return code;
    if (!out)
        return error_set(error, DRAY_INVALID, 0, "dray_get_stats needs a place for the result");
    const char *why = queue ? name_check(queue, strlen(queue)) : NULL;
    if (why)
        return error_set(error, DRAY_NOTFOUND, 0, "no such queue: it %s", why);
    if (!store_has(&dray->store->driver, "stats"))
        return instance_lacks(dray, "count its jobs", error);
    struct gather g = {.report = calloc(1, sizeof(*g.report))};
    if (!g.report)
        return error_set(error, DRAY_NOMEM, 0, "out of memory");
    g.report->now_ms = clock_wall_ms(dray->clock);
    store_call_init(&g.call, error ? error : &own, dray->budget_ms);
    g.call.stats = add_row;
    struct dray_str name = str_from(queue);
    turn_begin_alone(dray);
    code = dray->store->driver.stats(dray->store->self, &g.call, &name, queue ? 1 : 0);
    turn_end_alone(dray);
    if (code == DRAY_OK && g.no_memory)
        code = error_set(error, DRAY_NOMEM, 0, "out of memory");
    complete(g.report);
    if (code == DRAY_OK)
        *out = &g.report->stats;
    else
        dray_stats_free(&g.report->stats);
    return code;
}

/* ---- health ---- */

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
        find(h, DRAY_HEALTH_WARNING, "%llu jobs of queue %s are parked: no worker knows their type",
            (unsigned long long)q->parked, q->name);
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
