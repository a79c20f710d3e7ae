/* SPDX-License-Identifier: Apache-2.0 */
/* Changes made by people: kick, cancel, remove, pause, resume, reset. */
#include "common/table_impl.h"

static int32_t kick_dead(struct table *table, struct queue *queue, uint32_t ref)
{
    struct record *record = record_at(&table->slab, ref);
    struct dray_str key = record_unique(record);

    if (key.len) {
        if (table_find_key(table, queue, key))
            return DRAY_DUPLICATE;
        if (!index_add(&table->keys, table_hash(queue, key), ref))
            return DRAY_NOMEM;
    }
    state_leave(table, queue, ref);
    record->attempts = 0;
    record->releases = 0;
    record_clear_error(table, record);
    record->due = RECORD_NO_DUE;
    state_ready(table, queue, ref);
    tell_job(table, TABLE_KICK, ref, NULL);
    return DRAY_OK;
}

static int32_t kick(struct table *table, struct queue *queue, uint32_t ref)
{
    switch (record_at(&table->slab, ref)->state) {
    case DRAY_STATE_READY:
        return DRAY_OK;
    case DRAY_STATE_DELAYED:
        state_leave(table, queue, ref);
        state_ready(table, queue, ref);
        tell_job(table, TABLE_KICK, ref, NULL);
        return DRAY_OK;
    case DRAY_STATE_DEAD:
        return kick_dead(table, queue, ref);
    default:
        return DRAY_CONFLICT;
    }
}

static int32_t cancel(
    struct table *table, const struct table_now *now, struct queue *queue, uint32_t ref)
{
    struct record *record = record_at(&table->slab, ref);
    struct times *dead = &queue->ended[0];

    if (record->state >= DRAY_STATE_DEAD)
        return DRAY_CONFLICT;
    if (record->state == DRAY_STATE_ACTIVE) {
        record->flags |= RECORD_CANCELLED;
        tell_job(table, TABLE_MARK, ref, NULL);
        return DRAY_OK;
    }
    if (!times_ensure(dead, table->host, dead->count + queue->counts[DRAY_STATE_ACTIVE] + 1))
        return DRAY_NOMEM;
    state_leave(table, queue, ref);
    table_drop_key(table, ref);
    record->flags &= (uint8_t)~RECORD_CANCELLED;
    record->error = RECORD_ERROR_CANCELLED;
    record->type->died++;
    state_ended(table, queue, ref, DRAY_STATE_DEAD, now->wall_ms);
    tell_job(table, TABLE_CANCEL, ref, NULL);
    return DRAY_OK;
}

static int32_t take_away(struct table *table, struct queue *queue, uint32_t ref, int force)
{
    uint32_t state = record_at(&table->slab, ref)->state;

    if (state == DRAY_STATE_ACTIVE && !force)
        return DRAY_CONFLICT;
    state_leave(table, queue, ref);
    if (state < DRAY_STATE_DEAD)
        table_drop_key(table, ref);
    tell_job(table, TABLE_REMOVE, ref, NULL);
    table_forget(table, ref);
    return DRAY_OK;
}

static int32_t change_job(struct table *table, const struct table_now *now,
    const struct dray_change *change, struct dray_str id)
{
    struct queue *queue = table_queue(table, change->queue);
    uint32_t ref = queue ? table_find_id(table, queue, id, table_hash(queue, id)) : 0;

    if (!ref)
        return DRAY_NOTFOUND;
    switch (change->what) {
    case DRAY_CHANGE_KICK:
        return kick(table, queue, ref);
    case DRAY_CHANGE_CANCEL:
        return cancel(table, now, queue, ref);
    default:
        return take_away(table, queue, ref, (change->flags & DRAY_CHANGE_FORCE) != 0);
    }
}

static void reset_totals(struct queue *queue)
{
    for (uint32_t i = 0; i < queue->types.count; i++) {
        struct tally *type = (struct tally *)(void *)queue->types.list[i];
        *type = (struct tally){.name = type->name, .queue = queue};
    }
}

static int32_t pause_queue(
    struct table *table, struct dray_call *call, const struct dray_change *change)
{
    struct queue *queue = table_queue_make(table, change->queue);

    if (!queue)
        return table->host->fail(call, DRAY_NOMEM, 0, "no memory to pause a new queue");
    uint32_t paused = change->what == DRAY_CHANGE_PAUSE;
    if (paused == queue->paused)
        return DRAY_OK;
    queue->paused = paused;
    queue->used = 1;
    tell_queue(table, TABLE_QUEUE, queue);
    return DRAY_OK;
}

int32_t table_change(struct table *table, struct dray_call *call, const struct table_now *now,
    const struct dray_change *change)
{
    struct queue *queue;

    switch (change->what) {
    case DRAY_CHANGE_PAUSE:
    case DRAY_CHANGE_RESUME:
        return pause_queue(table, call, change);
    case DRAY_CHANGE_RESET:
        queue = table_queue(table, change->queue);
        if (queue) {
            reset_totals(queue);
            tell_queue(table, TABLE_RESET, queue);
        }
        return DRAY_OK;
    case DRAY_CHANGE_KICK:
    case DRAY_CHANGE_CANCEL:
    case DRAY_CHANGE_REMOVE:
        for (uint32_t i = 0; i < change->nids; i++)
            change->answers[i] = change_job(table, now, change, change->ids[i]);
        return DRAY_OK;
    default:
        return table->host->fail(call, DRAY_UNSUPPORTED, 0,
            "the %s driver knows no change number %u", table->driver, change->what);
    }
}
