/* SPDX-License-Identifier: Apache-2.0 */
/* Counts by queue, totals by type. */
#include "host/error.h"
#include "queue/instance.h"
#include "text/name.h"

#include <stdlib.h>
#include <string.h>

/* J6: a queue is consumed while somebody looked with room less than so long ago. */
#define CONSUMED_MS 30000

/* What dray_get_stats gives away; the public struct comes first. */
struct report {
    struct dray_stats stats;
    struct dray_queue_stats *queues;
    struct dray_type_stats *types;
    size_t queues_size, types_size; /* allocated */
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

/* Room for one more after `n` elements; a store may know a hundred thousand types. */
static void *grow(void *array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return array;
    size_t wanted = *room ? *room * 2 : 16;
    void *more = realloc(array, wanted * size);
    if (more)
        *room = wanted;
    return more;
}

static int add_queue(struct report *r, const struct dray_stats_row *row)
{
    struct dray_queue_stats *more =
        grow(r->queues, r->stats.nqueues, &r->queues_size, sizeof(*more));
    if (!more)
        return 0;
    r->queues = more;
    struct dray_queue_stats *q = &more[r->stats.nqueues];
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

/* One a queue; merge_types makes one of those with the same name. */
static int add_type(struct report *r, const struct dray_stats_row *row)
{
    struct dray_type_stats *more = grow(r->types, r->stats.ntypes, &r->types_size, sizeof(*more));
    if (!more)
        return 0;
    r->types = more;
    more[r->stats.ntypes] = (struct dray_type_stats){
        .type = copy_str(&row->type),
        .queued = row->pushed,
        .completed = row->completed,
        .failed = row->failed,
        .retried = row->retried,
        .dead = row->died,
        .runs = row->runs,
        .run_ms = row->run_ms,
    };
    return more[r->stats.ntypes++].type != NULL;
}

static void add_row(struct dray_call *call, const struct dray_stats_row *row)
{
    struct gather *g = (struct gather *)(void *)call;
    int ok = row->type.len ? add_type(g->report, row) : add_queue(g->report, row);
    g->no_memory |= !ok;
}

static int by_name(const void *a, const void *b)
{
    const struct dray_type_stats *x = a, *y = b;
    return strcmp(x->type, y->type);
}

static void merge(struct dray_type_stats *into, const struct dray_type_stats *from)
{
    into->queued += from->queued;
    into->completed += from->completed;
    into->failed += from->failed;
    into->retried += from->retried;
    into->dead += from->dead;
    into->runs += from->runs;
    into->run_ms += from->run_ms;
}

/* Sorts the types by name and merges those of several queues. */
static void merge_types(struct report *r)
{
    size_t kept = 0;
    if (r->stats.ntypes > 1)
        qsort(r->types, r->stats.ntypes, sizeof(*r->types), by_name);
    for (size_t i = 1; i < r->stats.ntypes; i++) {
        if (by_name(&r->types[kept], &r->types[i]) == 0) {
            merge(&r->types[kept], &r->types[i]);
            free((void *)(uintptr_t)r->types[i].type);
        } else {
            r->types[++kept] = r->types[i];
        }
    }
    if (r->stats.ntypes)
        r->stats.ntypes = kept + 1;
}

static void add_totals(struct report *r)
{
    struct dray_stats *s = &r->stats;
    for (size_t i = 0; i < s->ntypes; i++) {
        const struct dray_type_stats *t = &r->types[i];
        s->pushed += t->queued;
        s->completed += t->completed;
        s->failed += t->failed;
        s->retried += t->retried;
        s->dead += t->dead;
        r->runs += t->runs;
        r->run_ms += t->run_ms;
    }
}

static void complete(struct report *r)
{
    struct dray_stats *s = &r->stats;
    merge_types(r);
    add_totals(r);
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
    if (code == DRAY_OK) {
        complete(g.report);
        *out = &g.report->stats;
    } else {
        dray_stats_free(&g.report->stats);
    }
    return code;
}
