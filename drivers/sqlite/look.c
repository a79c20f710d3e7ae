/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/job.h"
#include "sqlite/people.h"
#include "sqlite/queue.h"
#include "sqlite/txn.h"

#include <string.h>

#define ALL_STATES 0x3eu /* 1 << DRAY_STATE_READY .. 1 << DRAY_STATE_DONE */

/* By id when there is one; by the index of states when the ready ones, mostly the many, are not
   wanted; else along the table. */
static enum sql choose_scan(const struct dray_filter *filter, uint32_t states)
{
    if (filter->id.len)
        return SQL_LIST_ID;
    return states & (1u << DRAY_STATE_READY) ? SQL_LIST_ALL : SQL_LIST_STATES;
}

static int32_t show_jobs(
    struct store *store, struct dray_call *call, struct dray_filter *filter, int64_t queue)
{
    uint32_t states = filter->states ? filter->states : ALL_STATES;
    uint32_t shown = 0;
    uint64_t last = 0;
    int row = 0;
    enum sql which = choose_scan(filter, states);
    sqlite3_stmt *stmt = sql_get(store, call, which);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, filter->cursor[0] > INT64_MAX ? 0 : (int64_t)filter->cursor[0]);
    sqlite3_bind_int64(stmt, 2, queue);
    sqlite3_bind_int64(stmt, 3, states);
    sql_bind_str(stmt, 4, filter->type);
    sqlite3_bind_int64(stmt, 5, filter->since_ms ? filter->since_ms : INT64_MIN);
    sqlite3_bind_int64(stmt, 6, filter->max);
    if (which == SQL_LIST_ID)
        sql_bind_str(stmt, 7, filter->id);
    int32_t code;
    while ((code = sql_step(store, call, stmt, &row)) == DRAY_OK && row) {
        struct dray_job job;
        code = job_read(store, call, stmt, &job);
        if (code != DRAY_OK)
            break;
        call->job(call, &job);
        last = job.ref;
        shown++;
    }
    sqlite3_reset(stmt);
    filter->cursor[0] = code == DRAY_OK && shown == filter->max ? last : 0;
    filter->cursor[1] = 0;
    return code;
}

int32_t people_list(void *self, struct dray_call *call, struct dray_filter *filter)
{
    struct store *store = self;
    struct queue_row *queue = NULL;
    txn_start_budget(store, call);
    int32_t code = txn_begin_read(store, call);
    if (code == DRAY_OK && filter->queue.len)
        code = queue_find(store, call, filter->queue, 0, &queue);
    int nothing = filter->max == 0 || (filter->queue.len && !queue);
    if (code == DRAY_OK && nothing)
        filter->cursor[0] = filter->cursor[1] = 0;
    else if (code == DRAY_OK)
        code = show_jobs(store, call, filter, queue ? queue->id : 0);
    txn_end_read(store);
    return code;
}

static int32_t oldest_ready(
    struct store *store, struct dray_call *call, const struct queue_row *queue, int64_t *created)
{
    int row = 0;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_OLDEST_READY);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, queue->id);
    int32_t code = sql_step(store, call, stmt, &row);
    *created = row ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return code;
}

static int32_t queue_row(struct store *store, struct dray_call *call, const struct queue_row *queue)
{
    struct dray_stats_row row = {
        .size = sizeof(row),
        .paused = (uint32_t)queue->paused,
        .queue = str_of(queue->name, queue->name_len),
        .ready = (uint64_t)queue->ready,
        .delayed = (uint64_t)queue->delayed,
        .retrying = (uint64_t)queue->retrying,
        .parked = (uint64_t)queue->parked,
        .active = (uint64_t)queue->active,
        .dead = (uint64_t)queue->dead,
        .done = (uint64_t)queue->done,
        .consumer = str_of(queue->consumer, strlen(queue->consumer)),
    };
    if (row.consumer.len && store->mono_ms > queue->consumer_at)
        row.consumer_age_ms = (uint64_t)(store->mono_ms - queue->consumer_at);
    int32_t code = oldest_ready(store, call, queue, &row.oldest_ready_ms);
    if (code == DRAY_OK)
        call->stats(call, &row);
    return code;
}

static int32_t type_rows(struct store *store, struct dray_call *call, const struct queue_row *queue)
{
    int more = 0;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_TOTAL_LIST);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, queue->id);
    int32_t code;
    while ((code = sql_step(store, call, stmt, &more)) == DRAY_OK && more) {
        struct dray_stats_row row = {
            .size = sizeof(row),
            .queue = str_of(queue->name, queue->name_len),
            .type = sql_str(stmt, 0),
            .pushed = (uint64_t)sqlite3_column_int64(stmt, 1),
            .completed = (uint64_t)sqlite3_column_int64(stmt, 2),
            .failed = (uint64_t)sqlite3_column_int64(stmt, 3),
            .retried = (uint64_t)sqlite3_column_int64(stmt, 4),
            .died = (uint64_t)sqlite3_column_int64(stmt, 5),
            .runs = (uint64_t)sqlite3_column_int64(stmt, 6),
            .run_ms = (uint64_t)sqlite3_column_int64(stmt, 7),
        };
        call->stats(call, &row);
    }
    return code;
}

static int32_t all_rows(struct store *store, struct dray_call *call)
{
    int row = 0;
    struct queue_row *queue;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_QUEUE_LIST);
    if (!stmt)
        return call->error->code;
    int32_t code;
    while ((code = sql_step(store, call, stmt, &row)) == DRAY_OK && row) {
        code = queue_by_id(store, call, sqlite3_column_int64(stmt, 0), &queue);
        if (code == DRAY_OK)
            code = queue_row(store, call, queue);
        if (code == DRAY_OK)
            code = type_rows(store, call, queue);
        if (code != DRAY_OK)
            break;
    }
    sqlite3_reset(stmt);
    return code;
}

int32_t people_stats(void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n)
{
    struct store *store = self;
    txn_start_budget(store, call);
    int32_t code = txn_begin_read(store, call);
    if (code == DRAY_OK && n == 0)
        code = all_rows(store, call);
    for (uint32_t i = 0; i < n && code == DRAY_OK; i++) {
        struct queue_row *queue;
        code = queue_find(store, call, queues[i], 0, &queue);
        if (code == DRAY_OK && !queue)
            call->stats(call, &(struct dray_stats_row){
                                  .size = sizeof(struct dray_stats_row), .queue = queues[i]});
        else if (code == DRAY_OK)
            code = queue_row(store, call, queue);
        if (code == DRAY_OK && queue)
            code = type_rows(store, call, queue);
    }
    txn_end_read(store);
    return code;
}
