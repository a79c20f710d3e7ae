/* SPDX-License-Identifier: Apache-2.0 */
/* What goes with every look at a queue: leases that expired, jobs that fell due, ended jobs that
   nobody wants any longer. Slices bound how long a reserve takes. */
#include "sqlite/job.h"
#include "sqlite/parts.h"
#include "sqlite/queue.h"
#include "sqlite/txn.h"

#include <errno.h>

#define MOVE_SLICE 4096 /* expired, and as many due */
#define PRUNE_SLICE 256

/* A row to work on: collected first, for the scan walks the index that the work changes. */
struct item {
    int64_t ref, attempts, releases;
    struct dray_str type;
};

struct items {
    struct item *list; /* in the arena */
    uint32_t n;
};

static int32_t fail_memory(struct store *store, struct dray_call *call)
{
    return store->host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", store->path);
}

static int32_t collect_row(
    struct store *store, struct dray_call *call, sqlite3_stmt *stmt, struct item *item)
{
    int columns = sqlite3_column_count(stmt);
    *item = (struct item){.ref = sqlite3_column_int64(stmt, 0)};
    if (columns > 2) {
        item->attempts = sqlite3_column_int64(stmt, 1);
        item->releases = sqlite3_column_int64(stmt, 2);
    }
    if (columns > 3 && arena_copy(&store->arena, sql_str(stmt, 3), &item->type))
        return fail_memory(store, call);
    return DRAY_OK;
}

/* Runs a SELECT of ref, then as many of attempts, releases and type as it has columns. */
static int32_t collect(struct store *store, struct dray_call *call, sqlite3_stmt *stmt,
    uint32_t max, struct items *out)
{
    int row = 0;
    int32_t code = sql_step(store, call, stmt, &row);
    out->n = 0;
    if (code != DRAY_OK || !row)
        return code;
    out->list = arena_take(&store->arena, (uint64_t)max * sizeof(*out->list));
    if (!out->list) {
        code = fail_memory(store, call);
        row = 0;
    }
    while (code == DRAY_OK && row && out->n < max) {
        code = collect_row(store, call, stmt, &out->list[out->n++]);
        if (code == DRAY_OK)
            code = sql_step(store, call, stmt, &row);
    }
    sqlite3_reset(stmt);
    return code;
}

static int32_t put_back(struct store *store, struct dray_call *call, enum sql which, int64_t ref)
{
    sqlite3_stmt *stmt = sql_get(store, call, which);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, ref);
    sqlite3_bind_int64(stmt, 2, txn_next(store));
    return sql_step(store, call, stmt, NULL);
}

static int32_t expire(
    struct store *store, struct dray_call *call, struct queue_row *queue, int *more)
{
    struct items items;
    if (queue->active <= 0)
        return DRAY_OK;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_EXPIRED);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, queue->id);
    sqlite3_bind_int64(stmt, 2, store->mono_ms);
    sqlite3_bind_int64(stmt, 3, MOVE_SLICE);
    int32_t code = collect(store, call, stmt, MOVE_SLICE, &items);
    for (uint32_t i = 0; i < items.n && code == DRAY_OK; i++) {
        code = put_back(store, call, SQL_EXPIRE, items.list[i].ref);
        struct total *total = queue_total(store, call, queue, items.list[i].type);
        if (!total)
            return call->error->code;
        total->failed++;
        queue_leave(queue, DRAY_STATE_ACTIVE, 0, 0);
        queue_enter(queue, DRAY_STATE_READY, 0, 0);
    }
    *more |= items.n == MOVE_SLICE;
    return code;
}

static int32_t promote(
    struct store *store, struct dray_call *call, struct queue_row *queue, int *more)
{
    struct items items;
    if (queue->delayed <= 0)
        return DRAY_OK;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_DUE);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, queue->id);
    sqlite3_bind_int64(stmt, 2, store->wall_ms);
    sqlite3_bind_int64(stmt, 3, MOVE_SLICE);
    int32_t code = collect(store, call, stmt, MOVE_SLICE, &items);
    for (uint32_t i = 0; i < items.n && code == DRAY_OK; i++) {
        const struct item *item = &items.list[i];
        code = put_back(store, call, SQL_PROMOTE, item->ref);
        queue_leave(queue, DRAY_STATE_DELAYED, item->attempts, item->releases);
        queue_enter(queue, DRAY_STATE_READY, 0, 0);
    }
    *more |= items.n == MOVE_SLICE;
    return code;
}

static int32_t forget(struct store *store, struct dray_call *call, struct queue_row *queue,
    sqlite3_stmt *stmt, int *left)
{
    /* The state is read here, not in collect: both tables are touched one job at a time. */
    struct items items;
    int64_t states[2] = {0, 0};
    int row = 0;
    int32_t code = DRAY_OK;
    items.n = 0;
    items.list = arena_take(&store->arena, PRUNE_SLICE * sizeof(*items.list));
    if (!items.list)
        return fail_memory(store, call);
    while (items.n < PRUNE_SLICE && (code = sql_step(store, call, stmt, &row)) == DRAY_OK && row) {
        items.list[items.n++].ref = sqlite3_column_int64(stmt, 0);
        states[sqlite3_column_int64(stmt, 1) == DRAY_STATE_DONE]++;
    }
    sqlite3_reset(stmt);
    for (uint32_t i = 0; i < items.n && code == DRAY_OK; i++)
        code = job_delete(store, call, items.list[i].ref);
    *left -= (int)items.n;
    queue->dead -= states[0];
    queue->done -= states[1];
    queue->dirty |= items.n > 0;
    return code;
}

/* Ended jobs of one state that ended longer ago than wanted. */
static int32_t prune_old(struct store *store, struct dray_call *call, struct queue_row *queue,
    int state, uint64_t keep_ms, int *left)
{
    int64_t before;
    if (keep_ms > INT64_MAX || *left <= 0 ||
        __builtin_sub_overflow(store->wall_ms, (int64_t)keep_ms, &before))
        return DRAY_OK;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_OLD);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, queue->id);
    sqlite3_bind_int(stmt, 2, state);
    sqlite3_bind_int64(stmt, 3, before);
    sqlite3_bind_int(stmt, 4, *left);
    return forget(store, call, queue, stmt, left);
}

/* The oldest ended jobs, if there are more than wanted. */
static int32_t prune_many(struct store *store, struct dray_call *call, struct queue_row *queue,
    uint64_t keep_max, int *left)
{
    int64_t ended = queue->dead + queue->done;
    if (ended <= 0 || (uint64_t)ended <= keep_max || *left <= 0)
        return DRAY_OK;
    uint64_t over = (uint64_t)ended - keep_max;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_OLDEST);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, queue->id);
    sqlite3_bind_int64(stmt, 2, over < (uint64_t)*left ? (int64_t)over : *left);
    return forget(store, call, queue, stmt, left);
}

int32_t part_sweep(struct store *store, struct dray_call *call, struct queue_row *queue,
    const struct dray_reserve *want, int *more)
{
    int left = PRUNE_SLICE;
    int32_t code = expire(store, call, queue, more);
    if (code == DRAY_OK)
        code = promote(store, call, queue, more);
    if (code == DRAY_OK && queue->dead > 0)
        code = prune_old(store, call, queue, DRAY_STATE_DEAD, want->keep_dead_ms, &left);
    if (code == DRAY_OK && queue->done > 0)
        code = prune_old(store, call, queue, DRAY_STATE_DONE, want->keep_done_ms, &left);
    if (code == DRAY_OK)
        code = prune_many(store, call, queue, want->keep_max, &left);
    return code;
}
