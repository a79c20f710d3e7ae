/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything a table holds, as the events that make it again, a little at a time.
 *
 * First the lists, whose order must be kept: ready jobs and leases, each from its head. Then the
 * jobs of each queue that wait for a time, the earliest first, out of heaps copied at the
 * beginning. Then whatever else there is, in the order of memory. Each job carries a mark whether
 * it was told; new ones count as told, and one that leaves its state is told before that, so what
 * enters a list meanwhile never is to be told.
 */
#include "common/table_impl.h"

#define LEASES PRIORITIES /* number of the list of leases, behind the ready ones */
#define LISTS (PRIORITIES + 1u)

enum { PHASE_LISTS, PHASE_TIMES, PHASE_REST, PHASE_OVER };

struct copy {
    table_event_fn tell;
    void *arg;
    int phase;
    uint32_t queue, nqueues; /* those that there were at the beginning */
    uint32_t list;
    uint32_t cursor; /* LISTS: the next job of the list; REST: the last one looked at */
    /* Delayed jobs of each queue, and behind them its odd leases; no job knows its place in here.
     */
    struct times *times;
    uint32_t heap; /* TIMES: the one under way */
};

static struct queue *queue_at(const struct table *table, uint32_t i)
{
    return (struct queue *)(void *)table->queues.list[i];
}

static int is_told(const struct table *table, const struct record *record)
{
    return (record->flags & RECORD_COPIED) == table->mark;
}

static void set_mark(const struct table *table, struct record *record)
{
    record->flags = (uint8_t)((record->flags & ~RECORD_COPIED) | table->mark);
}

static void tell_record(struct table *table, uint32_t ref)
{
    struct record *record = record_at(&table->slab, ref);
    struct table_event event = {
        .kind = TABLE_JOB, .due_ms = record->due, .until_ms = record->until};

    if (!record->state || is_told(table, record))
        return;
    set_mark(table, record);
    record_show(record, ref, &event.job);
    table->copy->tell(table->copy->arg, &event);
}

void table_copy_leaving(struct table *table, uint32_t ref)
{
    struct copy *copy = table->copy;

    tell_record(table, ref);
    if (copy->phase == PHASE_LISTS && copy->cursor == ref)
        copy->cursor = record_at(&table->slab, ref)->next;
}

static void tell_totals(const struct copy *copy, const struct queue *queue)
{
    for (uint32_t i = 0; i < queue->types.count; i++) {
        const struct tally *type = (struct tally *)(void *)queue->types.list[i];
        struct dray_stats_row row = {.size = sizeof(row),
            .pushed = type->pushed,
            .completed = type->completed,
            .failed = type->failed,
            .retried = type->retried,
            .died = type->died,
            .runs = type->runs,
            .run_ms = type->run_ms};
        struct table_event event = {.kind = TABLE_TOTALS,
            .job = {.queue = queue->name, .type = type->name},
            .totals = &row};
        if (tally_is_counted(type))
            copy->tell(copy->arg, &event);
    }
}

static void tell_queue_itself(const struct copy *copy, const struct queue *queue)
{
    struct table_event event = {.kind = TABLE_QUEUE, .paused = queue->paused};

    event.job.queue = queue->name;
    copy->tell(copy->arg, &event);
    if (queue->consumer) {
        event.kind = TABLE_CONSUMER;
        event.until_ms = queue->consumer_ms;
        event.job.owner = queue->consumer->name;
        copy->tell(copy->arg, &event);
    }
    tell_totals(copy, queue);
}

static void free_copy(struct table *table, struct copy *copy)
{
    for (uint32_t i = 0; copy->times && i < 2 * copy->nqueues; i++)
        times_done(&copy->times[i], table->host);
    table->host->resize(table->host, copy->times, 0);
    table->host->resize(table->host, copy, 0);
}

/* The heaps as they are now. 0 without memory. */
static int take_times(struct table *table, struct copy *copy)
{
    size_t size = 2 * copy->nqueues * sizeof(*copy->times);

    if (!size)
        return 1;
    copy->times = table->host->resize(table->host, NULL, size);
    if (!copy->times)
        return 0;
    memset(copy->times, 0, size);
    for (uint32_t i = 0; i < copy->nqueues; i++) {
        const struct queue *queue = queue_at(table, i);
        if (!times_copy(&copy->times[2 * i], &queue->delayed, table->host) ||
            !times_copy(&copy->times[2 * i + 1], &queue->odd_leases, table->host))
            return 0;
    }
    return 1;
}

int32_t table_copy_begin(struct table *table, table_event_fn tell, void *arg)
{
    struct copy *copy = table->host->resize(table->host, NULL, sizeof(*copy));

    if (!copy)
        return DRAY_NOMEM;
    *copy = (struct copy){.tell = tell, .arg = arg, .nqueues = table->queues.count};
    if (!take_times(table, copy)) {
        free_copy(table, copy);
        return DRAY_NOMEM;
    }
    for (uint32_t i = 0; i < copy->nqueues; i++) {
        if (queue_at(table, i)->used)
            tell_queue_itself(copy, queue_at(table, i));
    }
    copy->cursor = copy->nqueues ? queue_at(table, 0)->ready[0].head : 0;
    table->mark ^= RECORD_COPIED;
    table->copy = copy;
    return DRAY_OK;
}

static void step_lists(struct table *table, struct copy *copy)
{
    uint32_t ref = copy->cursor;

    if (ref) {
        copy->cursor = record_at(&table->slab, ref)->next;
        tell_record(table, ref);
        return;
    }
    if (++copy->list == LISTS) {
        copy->list = 0;
        copy->queue++;
    }
    if (copy->queue >= copy->nqueues) {
        copy->phase = PHASE_TIMES;
        return;
    }
    const struct queue *queue = queue_at(table, copy->queue);
    copy->cursor = copy->list == LEASES ? queue->leases.head : queue->ready[copy->list].head;
}

static void step_times(struct table *table, struct copy *copy)
{
    if (copy->heap >= 2 * copy->nqueues) {
        copy->phase = PHASE_REST;
        copy->cursor = 0;
    } else if (!copy->times[copy->heap].count) {
        times_done(&copy->times[copy->heap++], table->host);
    } else {
        /* One that does not wait any more was told when it left; in its place may be another one,
           which is new and counts as told. */
        tell_record(table, times_take_first(&copy->times[copy->heap]));
    }
}

int table_copy_step(struct table *table)
{
    struct copy *copy = table->copy;

    switch (copy->phase) {
    case PHASE_LISTS:
        step_lists(table, copy);
        return 1;
    case PHASE_TIMES:
        step_times(table, copy);
        return 1;
    case PHASE_REST:
        copy->cursor = slab_next(&table->slab, copy->cursor);
        if (copy->cursor)
            tell_record(table, copy->cursor);
        else
            copy->phase = PHASE_OVER;
        return copy->cursor != 0;
    default:
        return 0;
    }
}

void table_copy_end(struct table *table)
{
    struct copy *copy = table->copy;

    if (!copy)
        return;
    table->copy = NULL;
    if (copy->phase != PHASE_OVER) {
        for (uint32_t ref = slab_next(&table->slab, 0); ref; ref = slab_next(&table->slab, ref)) {
            if (record_at(&table->slab, ref)->state)
                set_mark(table, record_at(&table->slab, ref));
        }
    }
    free_copy(table, copy);
}
