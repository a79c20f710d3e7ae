/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/job.h"
#include "sqlite/people.h"
#include "sqlite/queue.h"
#include "sqlite/txn.h"

/* The statement of SQL_CHANGE with everything but the error bound. */
static sqlite3_stmt *prepare_change(
    struct store *store, struct dray_call *call, const struct placing *to)
{
    sqlite3_stmt *stmt = sql_get(store, call, SQL_CHANGE);
    if (stmt)
        job_bind_place(stmt, to);
    return stmt;
}

static int32_t kick_dead(struct store *store, struct dray_call *call, struct queue_row *queue,
    const struct leased *job, int32_t *answer)
{
    struct placing to = {.ref = job->ref, .state = DRAY_STATE_READY, .rank = job->priority};
    to.seq = txn_next(store);
    sqlite3_stmt *stmt = prepare_change(store, call, &to);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_null(stmt, 8);
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_DONE)
        rc = sqlite3_extended_errcode(store->db);
    sqlite3_reset(stmt);
    if (rc == SQLITE_CONSTRAINT_UNIQUE) {
        *answer = DRAY_DUPLICATE;
        return DRAY_OK;
    }
    if (rc != SQLITE_DONE)
        return sql_fail(store, call, rc);
    queue_leave(queue, DRAY_STATE_DEAD, 0, 0);
    queue_enter(queue, DRAY_STATE_READY, 0, 0);
    store->ring = 1;
    return DRAY_OK;
}

static int32_t kick_delayed(
    struct store *store, struct dray_call *call, struct queue_row *queue, const struct leased *job)
{
    sqlite3_stmt *stmt = sql_get(store, call, SQL_PROMOTE);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, job->ref);
    sqlite3_bind_int64(stmt, 2, txn_next(store));
    queue_leave(queue, DRAY_STATE_DELAYED, job->attempts, job->releases);
    queue_enter(queue, DRAY_STATE_READY, 0, 0);
    store->ring = 1;
    return sql_step(store, call, stmt, NULL);
}

static int32_t kick(struct store *store, struct dray_call *call, struct queue_row *queue,
    const struct leased *job, int32_t *answer)
{
    switch (job->state) {
    case DRAY_STATE_READY:
        return DRAY_OK;
    case DRAY_STATE_DELAYED:
        return kick_delayed(store, call, queue, job);
    case DRAY_STATE_DEAD:
        return kick_dead(store, call, queue, job, answer);
    default:
        *answer = DRAY_CONFLICT;
        return DRAY_OK;
    }
}

static int32_t cancel_waiting(
    struct store *store, struct dray_call *call, struct queue_row *queue, const struct leased *job)
{
    struct placing to = {
        .ref = job->ref,
        .state = DRAY_STATE_DEAD,
        .rank = store->wall_ms,
        .seq = job->seq,
        .attempts = job->attempts,
        .releases = job->releases,
        .run_at = job->run_at,
    };
    struct total *total = queue_total(store, call, queue, str_of(job->type, job->type_len));
    sqlite3_stmt *stmt = total ? prepare_change(store, call, &to) : NULL;
    if (!stmt)
        return call->error->code;
    sql_bind_cstr(stmt, 8, "cancelled");
    total->died++;
    queue_leave(queue, job->state, job->attempts, job->releases);
    queue_enter(queue, DRAY_STATE_DEAD, 0, 0);
    return sql_step(store, call, stmt, NULL);
}

static int32_t cancel(struct store *store, struct dray_call *call, struct queue_row *queue,
    const struct leased *job, int32_t *answer)
{
    if (job->state == DRAY_STATE_READY || job->state == DRAY_STATE_DELAYED)
        return cancel_waiting(store, call, queue, job);
    if (job->state != DRAY_STATE_ACTIVE) {
        *answer = DRAY_CONFLICT;
        return DRAY_OK;
    }
    sqlite3_stmt *stmt = sql_get(store, call, SQL_MARK);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, job->ref);
    return sql_step(store, call, stmt, NULL);
}

static int32_t remove_job(struct store *store, struct dray_call *call, struct queue_row *queue,
    const struct leased *job, int force, int32_t *answer)
{
    if (job->state == DRAY_STATE_ACTIVE && !force) {
        *answer = DRAY_CONFLICT;
        return DRAY_OK;
    }
    queue_leave(queue, job->state, job->attempts, job->releases);
    return job_delete(store, call, job->ref);
}

static int32_t change_job(struct store *store, struct dray_call *call,
    const struct dray_change *change, struct queue_row *queue, uint32_t at)
{
    struct leased job = {0};
    int32_t *answer = &change->answers[at];
    int32_t code = queue ? job_find(store, call, queue, change->ids[at], 0, &job) : DRAY_OK;
    if (code != DRAY_OK)
        return code;
    if (!job.ref) {
        *answer = DRAY_NOTFOUND;
        return DRAY_OK;
    }
    switch (change->what) {
    case DRAY_CHANGE_KICK:
        return kick(store, call, queue, &job, answer);
    case DRAY_CHANGE_CANCEL:
        return cancel(store, call, queue, &job, answer);
    default:
        return remove_job(
            store, call, queue, &job, (change->flags & DRAY_CHANGE_FORCE) != 0, answer);
    }
}

static int32_t change_queue(struct store *store, struct dray_call *call,
    const struct dray_change *change, struct queue_row *queue)
{
    if (change->what != DRAY_CHANGE_RESET) {
        queue->paused = change->what == DRAY_CHANGE_PAUSE;
        queue->dirty = 1;
        store->ring = !queue->paused;
        return DRAY_OK;
    }
    sqlite3_stmt *stmt = queue ? sql_get(store, call, SQL_TOTAL_RESET) : NULL;
    if (!stmt)
        return queue ? call->error->code : DRAY_OK;
    sqlite3_bind_int64(stmt, 1, queue->id);
    return sql_step(store, call, stmt, NULL);
}

int32_t people_change(void *self, struct dray_call *call, const struct dray_change *change)
{
    struct store *store = self;
    struct queue_row *queue;
    if (change->what < DRAY_CHANGE_KICK || change->what > DRAY_CHANGE_RESET)
        return store->host->fail(
            call, DRAY_UNSUPPORTED, 0, "the sqlite driver knows no change number %u", change->what);
    int pauses = change->what == DRAY_CHANGE_PAUSE || change->what == DRAY_CHANGE_RESUME;
    txn_start_budget(store, call);
    int32_t code = txn_begin(store, call, 1);
    if (code != DRAY_OK)
        return code;
    code = queue_find(store, call, change->queue, pauses, &queue);
    if (code == DRAY_OK && (pauses || change->what == DRAY_CHANGE_RESET))
        code = change_queue(store, call, change, queue);
    else
        for (uint32_t i = 0; i < change->nids && code == DRAY_OK; i++)
            code = change_job(store, call, change, queue, i);
    return txn_end(store, call, code);
}
