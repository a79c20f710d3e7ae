/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/queue.h"

#include <errno.h>
#include <string.h>

static int32_t fail_memory(struct store *store, struct dray_call *call)
{
    return store->host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", store->path);
}

static void copy_text(char *to, size_t size, struct dray_str from)
{
    size_t len = from.len < size ? (size_t)from.len : size - 1;
    if (len)
        memcpy(to, from.data, len);
    to[len] = '\0';
}

/* Room for one more element of `size` bytes. */
static void *grow(
    const struct store *store, void *array, uint32_t used, uint32_t *room, size_t size)
{
    if (used < *room)
        return array;
    uint32_t wanted = *room ? *room * 2 : 16;
    array = store->host->resize(store->host, array, wanted * size);
    if (array)
        *room = wanted;
    return array;
}

static struct queue_row *add_cached(struct store *store, struct dray_str name, int64_t id)
{
    void *array =
        grow(store, store->queues, store->nqueues, &store->queues_size, sizeof(*store->queues));
    if (!array)
        return NULL;
    store->queues = array;
    struct queue_row *queue = store->host->resize(store->host, NULL, sizeof(*queue));
    if (!queue)
        return NULL;
    memset(queue, 0, sizeof(*queue));
    copy_text(queue->name, sizeof(queue->name), name);
    queue->name_len = (uint32_t)strlen(queue->name);
    queue->id = id;
    store->queues[store->nqueues++] = queue;
    return queue;
}

static struct queue_row *cached(struct store *store, struct dray_str name)
{
    for (uint32_t i = 0; i < store->nqueues; i++) {
        uint32_t at = store->last_queue + i;
        at = at < store->nqueues ? at : at - store->nqueues;
        struct queue_row *queue = store->queues[at];
        if (queue->name_len == name.len && memcmp(queue->name, name.data, name.len) == 0) {
            store->last_queue = at;
            return queue;
        }
    }
    return NULL;
}

static void read_row(sqlite3_stmt *stmt, struct queue_row *queue)
{
    queue->paused = sqlite3_column_int(stmt, 1) != 0;
    queue->ready = sqlite3_column_int64(stmt, 2);
    queue->delayed = sqlite3_column_int64(stmt, 3);
    queue->retrying = sqlite3_column_int64(stmt, 4);
    queue->parked = sqlite3_column_int64(stmt, 5);
    queue->active = sqlite3_column_int64(stmt, 6);
    queue->dead = sqlite3_column_int64(stmt, 7);
    queue->done = sqlite3_column_int64(stmt, 8);
    copy_text(queue->consumer, sizeof(queue->consumer), sql_str(stmt, 9));
    queue->consumer_at = sqlite3_column_int64(stmt, 10);
}

/* From a SELECT of the row, bound: *out is NULL if there is none. */
static int32_t load(
    struct store *store, struct dray_call *call, sqlite3_stmt *stmt, struct queue_row **out)
{
    int row = 0;
    struct queue_row *queue = *out;
    int32_t code = sql_step(store, call, stmt, &row);
    if (code == DRAY_OK && row) {
        if (!queue)
            queue = cached(store, sql_str(stmt, 11));
        if (!queue)
            queue = add_cached(store, sql_str(stmt, 11), sqlite3_column_int64(stmt, 0));
        if (queue) {
            read_row(stmt, queue);
            queue->loaded = store->transaction;
            queue->dirty = 0;
            queue->added = 0;
        } else {
            code = fail_memory(store, call);
        }
    }
    sqlite3_reset(stmt);
    *out = row ? queue : NULL;
    return code;
}

static int32_t create_row(
    struct store *store, struct dray_call *call, struct dray_str name, struct queue_row **out)
{
    sqlite3_stmt *stmt = sql_get(store, call, SQL_QUEUE_ADD);
    if (!stmt)
        return call->error->code;
    sql_bind_str(stmt, 1, name);
    int32_t code = sql_step(store, call, stmt, NULL);
    if (code != DRAY_OK)
        return code;
    struct queue_row *queue = add_cached(store, name, sqlite3_last_insert_rowid(store->db));
    if (!queue)
        return fail_memory(store, call);
    queue->loaded = queue->added = store->transaction;
    *out = queue;
    return DRAY_OK;
}

int32_t queue_find(struct store *store, struct dray_call *call, struct dray_str name, int create,
    struct queue_row **out)
{
    *out = cached(store, name);
    if (*out && (*out)->loaded == store->transaction)
        return DRAY_OK;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_QUEUE);
    if (!stmt)
        return call->error->code;
    sql_bind_str(stmt, 1, name);
    int32_t code = load(store, call, stmt, out);
    if (code == DRAY_OK && !*out && create)
        code = create_row(store, call, name, out);
    return code;
}

int32_t queue_by_id(struct store *store, struct dray_call *call, int64_t id, struct queue_row **out)
{
    *out = NULL;
    for (uint32_t i = 0; i < store->nqueues && !*out; i++)
        if (store->queues[i]->id == id)
            *out = store->queues[i];
    if (*out && (*out)->loaded == store->transaction)
        return DRAY_OK;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_QUEUE_BY_ID);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, id);
    int32_t code = load(store, call, stmt, out);
    if (code == DRAY_OK && !*out)
        code = store->host->fail(call, DRAY_CORRUPT, 0,
            "%s: table queues lacks row %lld; run `dray fsck`", store->path, (long long)id);
    return code;
}

static void count(
    struct queue_row *queue, uint32_t state, int64_t attempts, int64_t releases, int64_t by)
{
    queue->dirty = 1;
    switch (state) {
    case DRAY_STATE_READY:
        queue->ready += by;
        break;
    case DRAY_STATE_DELAYED:
        queue->delayed += by;
        if (releases > 0)
            queue->parked += by;
        else if (attempts > 0)
            queue->retrying += by;
        break;
    case DRAY_STATE_ACTIVE:
        queue->active += by;
        break;
    case DRAY_STATE_DEAD:
        queue->dead += by;
        break;
    default:
        queue->done += by;
        break;
    }
}

void queue_enter(struct queue_row *queue, uint32_t state, int64_t attempts, int64_t releases)
{
    count(queue, state, attempts, releases, 1);
}

void queue_leave(struct queue_row *queue, uint32_t state, int64_t attempts, int64_t releases)
{
    count(queue, state, attempts, releases, -1);
}

static int is_total(const struct total *total, const struct queue_row *queue, struct dray_str type)
{
    return total->queue == queue->id && total->type_len == type.len &&
           memcmp(total->type, type.data, type.len) == 0;
}

struct total *queue_total(struct store *store, struct dray_call *call,
    const struct queue_row *queue, struct dray_str type)
{
    if (store->last_total < store->ntotals &&
        is_total(&store->totals[store->last_total], queue, type))
        return &store->totals[store->last_total];
    for (uint32_t i = 0; i < store->ntotals; i++)
        if (is_total(&store->totals[i], queue, type)) {
            store->last_total = i;
            return &store->totals[i];
        }
    void *array =
        grow(store, store->totals, store->ntotals, &store->totals_size, sizeof(*store->totals));
    if (!array) {
        fail_memory(store, call);
        return NULL;
    }
    store->totals = array;
    store->last_total = store->ntotals++;
    struct total *total = &store->totals[store->last_total];
    memset(total, 0, sizeof(*total));
    total->queue = queue->id;
    copy_text(total->type, sizeof(total->type), type);
    total->type_len = (uint32_t)strlen(total->type);
    return total;
}

static int32_t write_row(struct store *store, struct dray_call *call, const struct queue_row *queue)
{
    sqlite3_stmt *stmt = sql_get(store, call, SQL_QUEUE_WRITE);
    if (!stmt)
        return call->error->code;
    const int64_t values[] = {queue->id, queue->paused, queue->ready, queue->delayed,
        queue->retrying, queue->parked, queue->active, queue->dead, queue->done};
    for (int i = 0; i < 9; i++)
        sqlite3_bind_int64(stmt, i + 1, values[i]);
    sql_bind_str(stmt, 10, str_of(queue->consumer, strlen(queue->consumer)));
    sqlite3_bind_int64(stmt, 11, queue->consumer_at);
    return sql_step(store, call, stmt, NULL);
}

static int32_t write_total(struct store *store, struct dray_call *call, const struct total *total)
{
    sqlite3_stmt *stmt = sql_get(store, call, SQL_TOTAL_ADD);
    if (!stmt)
        return call->error->code;
    const int64_t values[] = {total->pushed, total->completed, total->failed, total->retried,
        total->died, total->runs, total->run_ms};
    sqlite3_bind_int64(stmt, 1, total->queue);
    sql_bind_str(stmt, 2, str_of(total->type, total->type_len));
    for (int i = 0; i < 7; i++)
        sqlite3_bind_int64(stmt, i + 3, values[i]);
    return sql_step(store, call, stmt, NULL);
}

int32_t queue_flush(struct store *store, struct dray_call *call)
{
    int32_t code = DRAY_OK;
    for (uint32_t i = 0; i < store->nqueues && code == DRAY_OK; i++)
        if (store->queues[i]->dirty && store->queues[i]->loaded == store->transaction) {
            code = write_row(store, call, store->queues[i]);
            store->queues[i]->dirty = 0;
        }
    for (uint32_t i = 0; i < store->ntotals && code == DRAY_OK; i++)
        code = write_total(store, call, &store->totals[i]);
    return code;
}

void queue_forget_new(struct store *store)
{
    for (uint32_t i = 0; i < store->nqueues;) {
        struct queue_row *queue = store->queues[i];
        if (queue->added != store->transaction) {
            queue->loaded = 0;
            i++;
            continue;
        }
        store->queues[i] = store->queues[--store->nqueues];
        store->host->resize(store->host, queue, 0);
    }
    store->last_queue = 0;
    store->ntotals = 0;
}

void queue_free(struct store *store)
{
    for (uint32_t i = 0; i < store->nqueues; i++)
        store->host->resize(store->host, store->queues[i], 0);
    store->host->resize(store->host, store->queues, 0);
    store->host->resize(store->host, store->totals, 0);
}
