/* SPDX-License-Identifier: Apache-2.0 */
/* Looking without changing: list and stats. */
#include "common/table_impl.h"

#define SCAN_SLICE 65536u /* blocks looked at in one call: bounds how long a listing takes */

void table_show(
    const struct table *table, const struct table_now *now, uint32_t ref, struct dray_job *job)
{
    const struct record *record = record_at(&table->slab, ref);
    int64_t left = record->until - now->mono_ms;

    record_show(record, ref, job);
    job->lease_left_ms = record->state == DRAY_STATE_ACTIVE && left > 0 ? (uint64_t)left : 0;
    job->run_at_ms = record->due == RECORD_NO_DUE ? 0 : now->wall_ms + (record->due - now->due_ms);
}

static int passes(const struct record *record, const struct dray_filter *filter)
{
    if (filter->states && !(filter->states & 1u << record->state))
        return 0;
    if (filter->type.len && !names_equal(filter->type, record->type->name))
        return 0;
    if (filter->queue.len && !names_equal(filter->queue, record->type->queue->name))
        return 0;
    return record->created_ms >= filter->since_ms || !filter->since_ms;
}

static void list_id(struct table *table, struct dray_call *call, const struct table_now *now,
    struct dray_filter *filter)
{
    struct dray_job job = {0};

    for (uint32_t i = 0; i < table->queues.count; i++) {
        const struct queue *queue = (struct queue *)(void *)table->queues.list[i];
        uint32_t ref = table_find_id(table, queue, filter->id, table_hash(queue, filter->id));
        if (!ref || !passes(record_at(&table->slab, ref), filter))
            continue;
        table_show(table, now, ref, &job);
        call->job(call, &job);
    }
    filter->cursor[0] = filter->cursor[1] = 0;
}

/* In the order of memory: a job keeps its place for life, so whatever comes and goes between two
   calls, one that stays is shown once. The cursor is the reference shown last. */
int32_t table_list(struct table *table, struct dray_call *call, const struct table_now *now,
    struct dray_filter *filter)
{
    struct dray_job job = {0};
    uint32_t shown = 0, looked = 0;

    if (filter->id.len) {
        list_id(table, call, now, filter);
        return DRAY_OK;
    }
    uint32_t ref = slab_known(&table->slab, filter->cursor[0]) ? (uint32_t)filter->cursor[0] : 0;
    if (filter->cursor[0] && !ref)
        return table->host->fail(
            call, DRAY_INVALID, 0, "the listing cannot go on from there; begin again");
    while (shown < filter->max && looked++ < SCAN_SLICE) {
        ref = slab_next(&table->slab, ref);
        if (!ref)
            break;
        const struct record *record = record_at(&table->slab, ref);
        if (!record->state || !passes(record, filter))
            continue;
        table_show(table, now, ref, &job);
        call->job(call, &job);
        shown++;
    }
    filter->cursor[0] = ref;
    filter->cursor[1] = 0;
    return DRAY_OK;
}

static int64_t oldest_ready(const struct table *table, const struct queue *queue)
{
    if (!queue->ready_mask)
        return 0;
    uint32_t ref = queue->ready[__builtin_ctz(queue->ready_mask)].head;
    return record_at(&table->slab, ref)->created_ms;
}

static void queue_row(struct table *table, struct dray_call *call, const struct table_now *now,
    const struct queue *queue)
{
    struct dray_stats_row row = {
        .size = sizeof(row),
        .paused = queue->paused,
        .queue = queue->name,
        .ready = queue->counts[DRAY_STATE_READY],
        .delayed = queue->counts[DRAY_STATE_DELAYED],
        .retrying = queue->retrying,
        .parked = queue->parked,
        .active = queue->counts[DRAY_STATE_ACTIVE],
        .dead = queue->counts[DRAY_STATE_DEAD],
        .done = queue->counts[DRAY_STATE_DONE],
        .oldest_ready_ms = oldest_ready(table, queue),
    };

    if (queue->consumer) {
        row.consumer = queue->consumer->name;
        row.consumer_age_ms = (uint64_t)(now->mono_ms - queue->consumer_ms);
    }
    call->stats(call, &row);
}

static void type_rows(struct dray_call *call, const struct queue *queue)
{
    for (uint32_t i = 0; i < queue->types.count; i++) {
        const struct tally *type = (struct tally *)(void *)queue->types.list[i];
        struct dray_stats_row row = {
            .size = sizeof(row),
            .queue = queue->name,
            .type = type->name,
            .pushed = type->pushed,
            .completed = type->completed,
            .failed = type->failed,
            .retried = type->retried,
            .died = type->died,
            .runs = type->runs,
            .run_ms = type->run_ms,
        };
        /* A type that only refused pushes have named was never there. */
        if (type->pushed | type->completed | type->failed | type->died | type->runs)
            call->stats(call, &row);
    }
}

int32_t table_stats(struct table *table, struct dray_call *call, const struct table_now *now,
    const struct dray_str *queues, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct queue *queue = table_queue(table, queues[i]);
        if (!queue) {
            call->stats(call, &(struct dray_stats_row){
                                  .size = sizeof(struct dray_stats_row), .queue = queues[i]});
            continue;
        }
        queue_row(table, call, now, queue);
        type_rows(call, queue);
    }
    for (uint32_t i = 0; n == 0 && i < table->queues.count; i++) {
        const struct queue *queue = (struct queue *)(void *)table->queues.list[i];
        if (!queue->used)
            continue;
        queue_row(table, call, now, queue);
        type_rows(call, queue);
    }
    return DRAY_OK;
}
