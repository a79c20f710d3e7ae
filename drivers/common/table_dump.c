/* SPDX-License-Identifier: Apache-2.0 */
/* Everything a table holds, as the events that make it again. */
#include "common/table_impl.h"

#include <stdlib.h>

struct dump {
    const struct table *table;
    table_event_fn tell;
    void *arg;
};

static void dump_job(const struct dump *dump, uint32_t ref)
{
    const struct record *record = record_at(&dump->table->slab, ref);
    struct table_event event = {
        .kind = TABLE_JOB, .due_ms = record->due, .until_ms = record->until};

    record_show(record, ref, &event.job);
    dump->tell(dump->arg, &event);
}

static void dump_list(const struct dump *dump, const struct list *list)
{
    for (uint32_t ref = list->head; ref; ref = record_at(&dump->table->slab, ref)->next)
        dump_job(dump, ref);
}

static int compare(const void *left, const void *right)
{
    const struct times_entry *a = left, *b = right;

    if (a->when != b->when)
        return a->when < b->when ? -1 : 1;
    return (int32_t)(a->order - b->order) < 0 ? -1 : a->order != b->order;
}

/* Equal times leave in the order in which they came, so they are told in it. */
static int dump_times(const struct dump *dump, const struct times *times)
{
    const struct dray_host *host = dump->table->host;

    if (!times->count)
        return 1;
    struct times_entry *sorted = host->resize(host, NULL, times->count * sizeof(*sorted));
    if (!sorted)
        return 0;
    memcpy(sorted, times->entries, times->count * sizeof(*sorted));
    qsort(sorted, times->count, sizeof(*sorted), compare);
    for (uint32_t i = 0; i < times->count; i++)
        dump_job(dump, sorted[i].ref);
    host->resize(host, sorted, 0);
    return 1;
}

static void dump_totals(const struct dump *dump, const struct queue *queue)
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
        if (type->pushed | type->completed | type->failed | type->died | type->runs)
            dump->tell(dump->arg, &event);
    }
}

static int dump_queue(const struct dump *dump, const struct queue *queue)
{
    struct table_event event = {.kind = TABLE_QUEUE, .paused = queue->paused};

    event.job.queue = queue->name;
    dump->tell(dump->arg, &event);
    if (queue->consumer) {
        event.kind = TABLE_CONSUMER;
        event.until_ms = queue->consumer_ms;
        event.job.owner = queue->consumer->name;
        dump->tell(dump->arg, &event);
    }
    dump_totals(dump, queue);
    for (uint32_t priority = 0; priority < PRIORITIES; priority++)
        dump_list(dump, &queue->ready[priority]);
    dump_list(dump, &queue->leases);
    return dump_times(dump, &queue->odd_leases) && dump_times(dump, &queue->delayed) &&
           dump_times(dump, &queue->ended[0]) && dump_times(dump, &queue->ended[1]);
}

int32_t table_dump(const struct table *table, table_event_fn tell, void *arg)
{
    struct dump dump = {table, tell, arg};

    for (uint32_t i = 0; i < table->queues.count; i++) {
        const struct queue *queue = (struct queue *)(void *)table->queues.list[i];
        if (queue->used && !dump_queue(&dump, queue))
            return DRAY_NOMEM;
    }
    return DRAY_OK;
}
