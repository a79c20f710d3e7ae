/* SPDX-License-Identifier: Apache-2.0 */
/* Doing events again. Each takes the job out of the state in which it finds it. */
#include "common/table_impl.h"

static const struct dray_str expired = {"lease expired", 13};
static const struct dray_str cancelled = {"cancelled", 9};

static int has_ended(uint32_t state)
{
    return state == DRAY_STATE_DEAD || state == DRAY_STATE_DONE;
}

static void count_run(struct tally *type, const struct table_event *event)
{
    type->runs++;
    type->run_ms += event->run_ms;
}

static void count(struct tally *type, const struct table_event *event)
{
    switch (event->kind) {
    case TABLE_PUSH:
        type->pushed++;
        break;
    case TABLE_DONE:
    case TABLE_REPEAT:
        type->completed++;
        count_run(type, event);
        break;
    case TABLE_AGAIN:
        type->failed++;
        type->retried++;
        count_run(type, event);
        break;
    case TABLE_BURY:
        type->died++;
        if (event->uncharged)
            break;
        type->failed++;
        count_run(type, event);
        break;
    case TABLE_EXPIRE:
        type->failed++;
        break;
    case TABLE_CANCEL:
        type->died++;
        break;
    default:
        break;
    }
}

/* The table's own errors take no memory; their words are known. */
static int replay_notes(struct table *table, struct record *record, const struct table_event *event)
{
    struct dray_str none = {NULL, 0}, error = event->job.error;
    uint8_t own = RECORD_ERROR_NOTE;

    if (event->kind == TABLE_EXPIRE || names_equal(error, expired))
        own = RECORD_ERROR_EXPIRED;
    else if (event->kind == TABLE_CANCEL || names_equal(error, cancelled))
        own = RECORD_ERROR_CANCELLED;
    if (!record_note(table, record, own ? none : error, event->job.result, event->job.progress))
        return 0;
    if (own)
        record->error = own;
    return 1;
}

static void enter(struct table *table, uint32_t ref, const struct table_event *event)
{
    struct record *record = record_at(&table->slab, ref);
    struct queue *queue = record->type->queue;

    switch (event->job.state) {
    case DRAY_STATE_DELAYED:
        state_delayed(table, queue, ref, event->due_ms);
        break;
    case DRAY_STATE_ACTIVE:
        state_active(table, queue, ref, event->until_ms);
        break;
    case DRAY_STATE_DEAD:
    case DRAY_STATE_DONE:
        state_ended(table, queue, ref, event->job.state, event->until_ms);
        break;
    default:
        state_ready(table, queue, ref);
        break;
    }
}

/* The unique key is held exactly as long as the job has not ended. */
static int move_key(struct table *table, uint32_t ref, uint32_t before, uint32_t after)
{
    const struct record *record = record_at(&table->slab, ref);

    if (!record->unique_len || has_ended(before) == has_ended(after))
        return 1;
    if (has_ended(after)) {
        table_drop_key(table, ref);
        return 1;
    }
    return index_add(&table->keys, table_hash(record->type->queue, record_unique(record)), ref);
}

static void take_out(struct table *table, struct queue *queue, uint32_t ref)
{
    uint32_t state = record_at(&table->slab, ref)->state;

    state_leave(table, queue, ref);
    if (!has_ended(state))
        table_drop_key(table, ref);
    table_forget(table, ref);
}

static void set_counters(struct record *record, const struct table_event *event)
{
    record->attempts = event->job.attempts;
    record->releases = event->job.releases;
    record->token = event->job.token;
    record->flags &= (uint8_t)~RECORD_CANCELLED;
    record->flags |= (uint8_t)(event->job.flags & RECORD_CANCELLED);
    record->due = event->due_ms;
}

static int replay_owner(struct table *table, struct record *record, const struct table_event *event)
{
    if (event->job.state != DRAY_STATE_ACTIVE)
        return 1;
    if (event->kind != TABLE_LEASE && event->kind != TABLE_JOB && record->owner)
        return 1;
    record->owner = table_owner_make(table, event->job.owner);
    return record->owner != NULL;
}

static int enter_indexes(struct table *table, uint32_t ref, uint32_t state)
{
    const struct record *record = record_at(&table->slab, ref);

    if (!index_add(&table->ids, record->hash, ref))
        return 0;
    if (move_key(table, ref, DRAY_STATE_DONE, state))
        return 1;
    index_remove(&table->ids, record->hash, ref);
    return 0;
}

static int32_t replay_job(struct table *table, struct queue *queue, const struct table_event *event)
{
    uint32_t hash = table_hash(queue, event->job.id);
    uint32_t old = table_find_id(table, queue, event->job.id, hash);
    struct tally *type = table_type_make(table, queue, event->job.type);
    uint32_t ref = type ? record_new(table, type, &event->job) : 0;

    if (!ref)
        return DRAY_NOMEM;
    struct record *record = record_at(&table->slab, ref);
    record->hash = hash;
    record->created_ms = event->job.created_ms;
    set_counters(record, event);
    if (!replay_notes(table, record, event) || !replay_owner(table, record, event) ||
        !enter_indexes(table, ref, event->job.state)) {
        record_free(table, ref);
        return DRAY_NOMEM;
    }
    if (old)
        take_out(table, queue, old);
    table->nrecords++;
    count(type, event);
    enter(table, ref, event);
    return DRAY_OK;
}

static int32_t replay_move(
    struct table *table, struct queue *queue, const struct table_event *event)
{
    uint32_t hash = table_hash(queue, event->job.id);
    uint32_t ref = table_find_id(table, queue, event->job.id, hash);

    if (!ref)
        return DRAY_NOTFOUND;
    struct record *record = record_at(&table->slab, ref);
    uint32_t state = record->state;
    int gone = event->kind == TABLE_REMOVE || (event->kind == TABLE_DONE && !event->job.state);
    if (!gone && (!replay_notes(table, record, event) || !replay_owner(table, record, event) ||
                     !move_key(table, ref, state, event->job.state)))
        return DRAY_NOMEM;
    count(record->type, event);
    if (gone) {
        take_out(table, queue, ref);
        return DRAY_OK;
    }
    if (event->kind == TABLE_KICK && state == DRAY_STATE_DEAD)
        record_clear_error(table, record);
    if (event->kind == TABLE_MARK) {
        record->flags |= RECORD_CANCELLED;
        return DRAY_OK;
    }
    state_leave(table, queue, ref);
    set_counters(record, event);
    enter(table, ref, event);
    return DRAY_OK;
}

static void reset_totals(struct queue *queue)
{
    for (uint32_t i = 0; i < queue->types.count; i++) {
        struct tally *type = (struct tally *)(void *)queue->types.list[i];
        *type = (struct tally){.name = type->name, .queue = queue};
    }
}

static int32_t replay_totals(
    struct table *table, struct queue *queue, const struct table_event *event)
{
    struct tally *type = table_type_make(table, queue, event->job.type);
    const struct dray_stats_row *row = event->totals;

    if (!type)
        return DRAY_NOMEM;
    type->pushed = row->pushed;
    type->completed = row->completed;
    type->failed = row->failed;
    type->retried = row->retried;
    type->died = row->died;
    type->runs = row->runs;
    type->run_ms = row->run_ms;
    return DRAY_OK;
}

static int32_t replay_consumer(
    struct table *table, struct queue *queue, const struct table_event *event)
{
    struct owner *owner = table_owner_make(table, event->job.owner);

    if (!owner)
        return DRAY_NOMEM;
    queue->consumer = owner;
    queue->consumer_ms = queue->told_ms = event->until_ms;
    queue->consumer_told = 1;
    return DRAY_OK;
}

int32_t table_replay(struct table *table, const struct table_event *event)
{
    struct queue *queue = table_queue_make(table, event->job.queue);

    if (!queue || !state_reserve(table, queue, 1))
        return DRAY_NOMEM;
    queue->used = 1;
    switch (event->kind) {
    case TABLE_QUEUE:
        queue->paused = event->paused != 0;
        return DRAY_OK;
    case TABLE_RESET:
        reset_totals(queue);
        return DRAY_OK;
    case TABLE_TOTALS:
        return replay_totals(table, queue, event);
    case TABLE_CONSUMER:
        return replay_consumer(table, queue, event);
    case TABLE_PUSH:
    case TABLE_JOB:
        return replay_job(table, queue, event);
    default:
        return replay_move(table, queue, event);
    }
}
