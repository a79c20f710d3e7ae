/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/job.h"
#include "sqlite/parts.h"
#include "sqlite/queue.h"
#include "sqlite/txn.h"

static int32_t count_outcome(struct store *store, struct dray_call *call,
    const struct queue_row *queue, const struct dray_lease *lease, struct dray_str type)
{
    struct total *total = queue_total(store, call, queue, type);
    if (!total)
        return call->error->code;
    int uncharged = lease->flags & DRAY_LEASE_UNCHARGE;
    int ran = 1;
    switch (lease->verdict) {
    case DRAY_VERDICT_DONE:
    case DRAY_VERDICT_REPEAT:
        total->completed++;
        break;
    case DRAY_VERDICT_AGAIN:
        total->failed++;
        total->retried++;
        break;
    case DRAY_VERDICT_BURY:
        total->died++;
        total->failed += !uncharged;
        ran = !uncharged;
        break;
    default:
        ran = 0;
        break;
    }
    if (ran) {
        total->runs++;
        total->run_ms = time_add(total->run_ms, lease->run_ms);
    }
    return DRAY_OK;
}

/* The common case in one statement: done, not kept, a small payload. *hit: it was that. */
static int32_t ack_at_once(struct store *store, struct dray_call *call, struct queue_row *queue,
    const struct dray_lease *lease, int *hit)
{
    *hit = 0;
    if (lease->verdict != DRAY_VERDICT_DONE || (lease->flags & DRAY_LEASE_KEEP) ||
        lease->ref == 0 || lease->ref > INT64_MAX || lease->type.len == 0)
        return DRAY_OK;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_ACK);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, (int64_t)lease->ref);
    sqlite3_bind_int64(stmt, 2, queue->id);
    sql_bind_str(stmt, 3, lease->id);
    sqlite3_bind_int64(stmt, 4, (int64_t)lease->token.counter);
    sqlite3_bind_int64(stmt, 5, (int64_t)lease->token.nonce);
    int32_t code = sql_step(store, call, stmt, NULL);
    if (code != DRAY_OK || sqlite3_changes(store->db) == 0)
        return code;
    *hit = 1;
    queue_leave(queue, DRAY_STATE_ACTIVE, 0, 0);
    return count_outcome(store, call, queue, lease, lease->type);
}

/* The job that the lease names, if its token is current: else found->ref is 0. */
static int32_t find_leased(struct store *store, struct dray_call *call, struct queue_row *queue,
    const struct dray_lease *lease, struct leased *found)
{
    int32_t code = job_find(store, call, queue, lease->id, lease->ref, found);
    if (code == DRAY_OK && found->ref &&
        (found->state != DRAY_STATE_ACTIVE || found->counter != lease->token.counter ||
            found->nonce != lease->token.nonce))
        found->ref = 0;
    return code;
}

/* Where the verdict takes the job. */
static struct placing place_after(
    struct store *store, const struct dray_lease *lease, const struct leased *job)
{
    struct placing to = {
        .ref = job->ref,
        .rank = store->wall_ms,
        .seq = job->seq,
        .attempts = job->attempts,
        .releases = job->releases,
        .run_at = job->run_at,
    };
    if (lease->verdict == DRAY_VERDICT_DONE) {
        to.state = DRAY_STATE_DONE;
        return to;
    }
    if (lease->verdict == DRAY_VERDICT_BURY) {
        to.state = DRAY_STATE_DEAD;
        to.attempts -= (lease->flags & DRAY_LEASE_UNCHARGE) && job->attempts > 0;
        return to;
    }
    to.releases = 0;
    if (lease->verdict == DRAY_VERDICT_REPEAT)
        to.attempts = 0;
    if (lease->verdict == DRAY_VERDICT_RELEASE) {
        to.attempts -= job->attempts > 0;
        to.releases = job->releases + 1;
    }
    to.seq = txn_next(store);
    to.run_at = lease->delay_ms ? time_add(store->wall_ms, lease->delay_ms) : 0;
    to.state = lease->delay_ms ? DRAY_STATE_DELAYED : DRAY_STATE_READY;
    to.rank = lease->delay_ms ? to.run_at : job->priority;
    store->ring = 1;
    return to;
}

static int32_t move(struct store *store, struct dray_call *call, struct queue_row *queue,
    const struct dray_lease *lease, const struct leased *job)
{
    struct placing to = place_after(store, lease, job);
    const struct dray_str none = {NULL, 0};
    sqlite3_stmt *stmt = sql_get(store, call, SQL_SETTLE);
    if (!stmt)
        return call->error->code;
    job_bind_place(stmt, &to);
    sql_bind_str(stmt, 8, lease->error);
    sql_bind_str(stmt, 9, lease->progress);
    sql_bind_str(stmt, 10, to.state == DRAY_STATE_DONE ? lease->result : none);
    int32_t code = sql_step(store, call, stmt, NULL);
    queue_leave(queue, DRAY_STATE_ACTIVE, 0, 0);
    queue_enter(queue, to.state, to.attempts, to.releases);
    return code;
}

int32_t part_settle(
    struct store *store, struct dray_call *call, const struct dray_lease *lease, int32_t *answer)
{
    struct queue_row *queue;
    struct leased job;
    int hit = 0;
    int32_t code = queue_find(store, call, lease->queue, 0, &queue);
    if (code == DRAY_OK && queue)
        code = ack_at_once(store, call, queue, lease, &hit);
    if (code != DRAY_OK || hit)
        return code;
    *answer = DRAY_STALE;
    if (!queue)
        return DRAY_OK;
    code = find_leased(store, call, queue, lease, &job);
    if (code != DRAY_OK || !job.ref)
        return code;
    if (lease->verdict < DRAY_VERDICT_DONE || lease->verdict > DRAY_VERDICT_REPEAT) {
        *answer = DRAY_INVALID;
        return DRAY_OK;
    }
    int ends = lease->verdict == DRAY_VERDICT_DONE || lease->verdict == DRAY_VERDICT_BURY;
    *answer = (job.flags & DRAY_JOB_CANCELLED) && !ends ? DRAY_CANCELLED : DRAY_OK;
    if (*answer != DRAY_OK)
        return DRAY_OK;
    if (lease->verdict == DRAY_VERDICT_DONE && !(lease->flags & DRAY_LEASE_KEEP)) {
        code = job_delete(store, call, job.ref);
        queue_leave(queue, DRAY_STATE_ACTIVE, 0, 0);
    } else {
        code = move(store, call, queue, lease, &job);
    }
    if (code != DRAY_OK)
        return code;
    return count_outcome(store, call, queue, lease, str_of(job.type, job.type_len));
}

static int32_t extend_at_once(struct store *store, struct dray_call *call,
    const struct queue_row *queue, const struct dray_lease *lease, int *hit)
{
    *hit = 0;
    if (lease->ref == 0 || lease->ref > INT64_MAX)
        return DRAY_OK;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_EXTEND);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, (int64_t)lease->ref);
    sqlite3_bind_int64(stmt, 2, queue->id);
    sql_bind_str(stmt, 3, lease->id);
    sqlite3_bind_int64(stmt, 4, (int64_t)lease->token.counter);
    sqlite3_bind_int64(stmt, 5, (int64_t)lease->token.nonce);
    sqlite3_bind_int64(stmt, 6, time_add(store->mono_ms, lease->lease_ms));
    sql_bind_str(stmt, 7, lease->progress);
    int32_t code = sql_step(store, call, stmt, NULL);
    *hit = code == DRAY_OK && sqlite3_changes(store->db) > 0;
    return code;
}

int32_t part_extend(
    struct store *store, struct dray_call *call, const struct dray_lease *lease, int32_t *answer)
{
    struct queue_row *queue;
    struct leased job;
    int hit = 0;
    int32_t code = queue_find(store, call, lease->queue, 0, &queue);
    if (code == DRAY_OK && queue)
        code = extend_at_once(store, call, queue, lease, &hit);
    if (code != DRAY_OK || hit)
        return code;
    *answer = DRAY_STALE;
    if (!queue)
        return DRAY_OK;
    code = find_leased(store, call, queue, lease, &job);
    if (code != DRAY_OK || !job.ref)
        return code;
    *answer = job.flags & DRAY_JOB_CANCELLED ? DRAY_CANCELLED : DRAY_OK;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_EXTEND_REF);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, job.ref);
    sqlite3_bind_int64(stmt, 2, time_add(store->mono_ms, lease->lease_ms));
    sql_bind_str(stmt, 3, lease->progress);
    return sql_step(store, call, stmt, NULL);
}
