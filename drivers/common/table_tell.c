/* SPDX-License-Identifier: Apache-2.0 */
/* Telling who listens what has happened. */
#include "common/table_impl.h"

void table_listen(struct table *table, table_event_fn tell, void *arg)
{
    table->tell = tell;
    table->tell_arg = arg;
}

void table_show_ref(
    const struct table *table, const struct table_now *now, uint64_t ref, struct dray_job *job)
{
    table_show(table, now, (uint32_t)ref, job);
}

static int is_whole(uint32_t kind)
{
    return kind == TABLE_PUSH || kind == TABLE_JOB;
}

void table_tell_job(
    struct table *table, uint32_t kind, uint32_t ref, const struct dray_lease *lease)
{
    static const struct dray_str none = {NULL, 0};
    const struct record *record = record_at(&table->slab, ref);
    struct table_event event = {
        .kind = kind, .due_ms = record->due, .until_ms = record->until, .job = {.state = 0}};

    record_show(record, ref, &event.job);
    if (!is_whole(kind)) {
        /* Nobody will ask for the texts of a job that is gone. */
        const struct dray_lease *texts = record->state ? lease : NULL;
        event.job.error = texts ? texts->error : none;
        event.job.result = texts ? texts->result : none;
        event.job.progress = texts ? texts->progress : none;
    }
    if (lease) {
        event.run_ms = lease->run_ms;
        event.uncharged = (lease->flags & DRAY_LEASE_UNCHARGE) != 0;
    }
    table->tell(table->tell_arg, &event);
}

void table_tell_queue(struct table *table, uint32_t kind, const struct queue *queue)
{
    struct table_event event = {.kind = kind,
        .paused = queue->paused,
        .until_ms = queue->consumer_ms,
        .job = {.queue = queue->name}};

    if (queue->consumer)
        event.job.owner = queue->consumer->name;
    table->tell(table->tell_arg, &event);
}
