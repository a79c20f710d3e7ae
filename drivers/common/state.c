/* SPDX-License-Identifier: Apache-2.0 */
/* The places of a job within its queue: one list or heap a state, and the counts. */
#include "common/table_impl.h"

static void list_append(const struct slab *slab, struct list *list, uint32_t ref)
{
    struct record *record = record_at(slab, ref);

    record->prev = list->tail;
    record->next = 0;
    if (list->tail)
        record_at(slab, list->tail)->next = ref;
    else
        list->head = ref;
    list->tail = ref;
}

static void list_remove(const struct slab *slab, struct list *list, const struct record *record)
{
    if (record->prev)
        record_at(slab, record->prev)->next = record->next;
    else
        list->head = record->next;
    if (record->next)
        record_at(slab, record->next)->prev = record->prev;
    else
        list->tail = record->prev;
}

/* Delayed jobs are counted apart by what they wait for. `by` is 1 or -1. */
static void count_delayed(struct queue *queue, const struct record *record, int by)
{
    if (record->releases)
        queue->parked += (uint64_t)by;
    else if (record->attempts)
        queue->retrying += (uint64_t)by;
}

void state_leave(struct table *table, struct queue *queue, uint32_t ref)
{
    struct record *record = record_at(&table->slab, ref);
    uint32_t state = record->state;

    if (table->copy)
        table_copy_leaving(table, ref);
    switch (state) {
    case DRAY_STATE_READY:
        list_remove(&table->slab, &queue->ready[record->priority], record);
        if (!queue->ready[record->priority].head)
            queue->ready_mask &= ~(1u << record->priority);
        break;
    case DRAY_STATE_DELAYED:
        times_remove(&queue->delayed, &table->slab, record->place);
        count_delayed(queue, record, -1);
        break;
    case DRAY_STATE_ACTIVE:
        if (record->place == RECORD_NO_PLACE)
            list_remove(&table->slab, &queue->leases, record);
        else
            times_remove(&queue->odd_leases, &table->slab, record->place);
        break;
    default:
        times_remove(&queue->ended[state - DRAY_STATE_DEAD], &table->slab, record->place);
        break;
    }
    queue->counts[state]--;
    record->place = RECORD_NO_PLACE;
    record->state = 0;
}

void state_ready(struct table *table, struct queue *queue, uint32_t ref)
{
    struct record *record = record_at(&table->slab, ref);

    list_append(&table->slab, &queue->ready[record->priority], ref);
    queue->ready_mask |= 1u << record->priority;
    queue->counts[DRAY_STATE_READY]++;
    record->state = DRAY_STATE_READY;
}

void state_delayed(struct table *table, struct queue *queue, uint32_t ref, int64_t due)
{
    struct record *record = record_at(&table->slab, ref);

    count_delayed(queue, record, 1);
    record->due = due;
    times_add(&queue->delayed, &table->slab, due, ref);
    queue->counts[DRAY_STATE_DELAYED]++;
    record->state = DRAY_STATE_DELAYED;
}

void state_active(struct table *table, struct queue *queue, uint32_t ref, int64_t until)
{
    struct record *record = record_at(&table->slab, ref);

    record->until = until;
    if (!queue->leases.tail || record_at(&table->slab, queue->leases.tail)->until <= until)
        list_append(&table->slab, &queue->leases, ref);
    else
        times_add(&queue->odd_leases, &table->slab, until, ref);
    queue->counts[DRAY_STATE_ACTIVE]++;
    record->state = DRAY_STATE_ACTIVE;
}

void state_ended(
    struct table *table, struct queue *queue, uint32_t ref, uint32_t state, int64_t wall_ms)
{
    struct record *record = record_at(&table->slab, ref);

    record->until = wall_ms;
    times_add(&queue->ended[state - DRAY_STATE_DEAD], &table->slab, wall_ms, ref);
    queue->counts[state]++;
    record->state = (uint8_t)state;
}

int state_reserve(struct table *table, struct queue *queue, uint64_t handed)
{
    const struct dray_host *host = table->host;
    uint64_t active = queue->counts[DRAY_STATE_ACTIVE] + handed;

    return times_ensure(&queue->odd_leases, host, active) &&
           times_ensure(&queue->delayed, host, queue->delayed.count + active) &&
           times_ensure(&queue->ended[0], host, queue->ended[0].count + active) &&
           times_ensure(&queue->ended[1], host, queue->ended[1].count + active);
}
