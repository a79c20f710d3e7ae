/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of leased jobs: ack, retry, extend. */
#include "common/table_impl.h"

#define AHEAD 16u

static int is_current(const struct record *record, const struct dray_lease *lease)
{
    return record->state == DRAY_STATE_ACTIVE && record->token.counter == lease->token.counter &&
           record->token.nonce == lease->token.nonce;
}

/* The record by the hint, if the hint is right. */
static uint32_t by_hint(struct table *table, const struct dray_lease *lease)
{
    if (!slab_known(&table->slab, lease->ref))
        return 0;
    const struct record *record = record_at(&table->slab, (uint32_t)lease->ref);
    if (!is_current(record, lease) || !names_equal(record_id(record), lease->id) ||
        !names_equal(record->type->queue->name, lease->queue))
        return 0;
    return (uint32_t)lease->ref;
}

/* The record whose current token the lease has, or 0. */
static uint32_t find_leased(struct table *table, const struct dray_lease *lease)
{
    uint32_t ref = by_hint(table, lease);

    if (ref)
        return ref;
    const struct queue *queue = table_queue(table, lease->queue);
    if (queue)
        ref = table_find_id(table, queue, lease->id, table_hash(queue, lease->id));
    return ref && is_current(record_at(&table->slab, ref), lease) ? ref : 0;
}

/* Settling takes ids out of the index, whose memory is far away when much waits: fetch it early. */
static void look_ahead(struct table *table, const struct dray_lease *const *leases, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (slab_known(&table->slab, leases[i]->ref))
            index_touch(&table->ids, record_at(&table->slab, (uint32_t)leases[i]->ref)->hash);
    }
}

static void count_run(struct tally *type, const struct dray_lease *lease)
{
    type->runs++;
    type->run_ms += lease->run_ms;
}

static void void_token(struct record *record)
{
    record->token.nonce = 0;
}

static int32_t settle_done(
    struct table *table, const struct table_now *now, const struct dray_lease *lease, uint32_t ref)
{
    struct record *record = record_at(&table->slab, ref);
    struct queue *queue = record->type->queue;
    int keep = (lease->flags & DRAY_LEASE_KEEP) != 0;

    if (keep && !record_note(table, record, lease->error, lease->result, lease->progress))
        return DRAY_NOMEM;
    record->type->completed++;
    count_run(record->type, lease);
    state_leave(table, queue, ref);
    table_drop_key(table, ref);
    if (!keep) {
        void_token(record);
        tell_job(table, TABLE_DONE, ref, lease);
        table_forget(table, ref);
        return DRAY_OK;
    }
    void_token(record);
    record->flags &= (uint8_t)~RECORD_CANCELLED;
    state_ended(table, queue, ref, DRAY_STATE_DONE, now->wall_ms);
    tell_job(table, TABLE_DONE, ref, lease);
    return DRAY_OK;
}

static void settle_bury(
    struct table *table, const struct table_now *now, const struct dray_lease *lease, uint32_t ref)
{
    struct record *record = record_at(&table->slab, ref);
    struct queue *queue = record->type->queue;

    state_leave(table, queue, ref);
    table_drop_key(table, ref);
    if (lease->flags & DRAY_LEASE_UNCHARGE) {
        record->attempts -= record->attempts != 0;
    } else {
        record->type->failed++;
        count_run(record->type, lease);
    }
    record->type->died++;
    void_token(record);
    record->flags &= (uint8_t)~RECORD_CANCELLED;
    state_ended(table, queue, ref, DRAY_STATE_DEAD, now->wall_ms);
    tell_job(table, TABLE_BURY, ref, lease);
}

static void settle_again(
    struct table *table, const struct table_now *now, const struct dray_lease *lease, uint32_t ref)
{
    struct record *record = record_at(&table->slab, ref);
    struct queue *queue = record->type->queue;
    struct tally *type = record->type;
    uint32_t kind = TABLE_RELEASE;

    state_leave(table, queue, ref);
    void_token(record);
    if (lease->verdict == DRAY_VERDICT_RELEASE) {
        record->attempts -= record->attempts != 0;
        record->releases++;
    } else {
        record->releases = 0;
        count_run(type, lease);
    }
    if (lease->verdict == DRAY_VERDICT_AGAIN) {
        type->failed++;
        type->retried++;
        kind = TABLE_AGAIN;
    } else if (lease->verdict == DRAY_VERDICT_REPEAT) {
        type->completed++;
        record->attempts = 0;
        kind = TABLE_REPEAT;
    }
    record->due = RECORD_NO_DUE;
    if (lease->delay_ms)
        state_delayed(table, queue, ref, time_after(now->due_ms, lease->delay_ms));
    else
        state_ready(table, queue, ref);
    tell_job(table, kind, ref, lease);
}

static int32_t settle_one(
    struct table *table, const struct table_now *now, const struct dray_lease *lease)
{
    uint32_t ref = find_leased(table, lease);

    if (!ref)
        return DRAY_STALE;
    struct record *record = record_at(&table->slab, ref);
    if (lease->verdict == DRAY_VERDICT_DONE)
        return settle_done(table, now, lease, ref);
    if ((record->flags & RECORD_CANCELLED) && lease->verdict != DRAY_VERDICT_BURY)
        return DRAY_CANCELLED;
    if (lease->verdict < DRAY_VERDICT_DONE || lease->verdict > DRAY_VERDICT_REPEAT)
        return DRAY_INVALID;
    if (!record_note(table, record, lease->error, (struct dray_str){NULL, 0}, lease->progress))
        return DRAY_NOMEM;
    if (lease->verdict == DRAY_VERDICT_BURY)
        settle_bury(table, now, lease, ref);
    else
        settle_again(table, now, lease, ref);
    return DRAY_OK;
}

static void tell_nomem(struct table *table, struct dray_call *call, const char *what)
{
    table->host->fail(call, DRAY_NOMEM, 0, "no memory to keep what a job reported; it is %s", what);
}

void table_settle(struct table *table, struct dray_call *call, const struct table_now *now,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (i % AHEAD == 0)
            look_ahead(table, leases + i, n - i < AHEAD ? n - i : AHEAD);
        answers[i] = settle_one(table, now, leases[i]);
        if (answers[i] == DRAY_NOMEM)
            tell_nomem(table, call, "still active");
    }
}

static int32_t extend_one(
    struct table *table, const struct table_now *now, const struct dray_lease *lease)
{
    struct dray_str none = {NULL, 0};
    uint32_t ref = find_leased(table, lease);

    if (!ref)
        return DRAY_STALE;
    struct record *record = record_at(&table->slab, ref);
    if (!record_note(table, record, none, none, lease->progress))
        return DRAY_NOMEM;
    int64_t until = time_after(now->mono_ms, lease->lease_ms);
    int longer = until > record->until;
    if (longer) {
        struct queue *queue = record->type->queue;
        state_leave(table, queue, ref);
        state_active(table, queue, ref, until);
    }
    if (longer || lease->progress.len)
        tell_job(table, TABLE_EXTEND, ref, lease);
    return record->flags & RECORD_CANCELLED ? DRAY_CANCELLED : DRAY_OK;
}

void table_extend(struct table *table, struct dray_call *call, const struct table_now *now,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        answers[i] = extend_one(table, now, leases[i]);
        if (answers[i] == DRAY_NOMEM)
            tell_nomem(table, call, "not renewed");
    }
}
