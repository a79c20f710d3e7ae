/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/job.h"
#include "sqlite/parts.h"
#include "sqlite/queue.h"
#include "sqlite/txn.h"

#include <string.h>

#define CONSUMER_EVERY_MS 10000

struct look {
    const struct dray_reserve *want;
    uint32_t left; /* how many more may be handed out */
    uint64_t next_ms;
};

static void note_next(struct look *look, int64_t now, int64_t when)
{
    uint64_t wait = when > now ? (uint64_t)when - (uint64_t)now : 0;
    if (wait < look->next_ms)
        look->next_ms = wait;
}

static int32_t first_rank(struct store *store, struct dray_call *call,
    const struct queue_row *queue, int state, int *row, int64_t *rank)
{
    sqlite3_stmt *stmt = sql_get(store, call, SQL_FIRST_RANK);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, queue->id);
    sqlite3_bind_int(stmt, 2, state);
    int32_t code = sql_step(store, call, stmt, row);
    *rank = *row ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return code;
}

/* When this queue can have work by time alone. */
static int32_t find_next(
    struct store *store, struct dray_call *call, const struct queue_row *queue, struct look *look)
{
    int row = 0;
    int64_t rank = 0;
    int32_t code = DRAY_OK;
    if (queue->ready > 0 && !queue->paused) {
        look->next_ms = 0;
        return DRAY_OK;
    }
    if (queue->delayed > 0)
        code = first_rank(store, call, queue, DRAY_STATE_DELAYED, &row, &rank);
    if (row)
        note_next(look, store->wall_ms, rank);
    row = 0;
    if (code == DRAY_OK && queue->active > 0)
        code = first_rank(store, call, queue, DRAY_STATE_ACTIVE, &row, &rank);
    if (row) /* a lease has ended in the millisecond after its last one */
        note_next(look, store->mono_ms, time_add(rank, 1));
    return code;
}

/* The leased state into the copies that will be handed out. */
static void mark_handed(const struct dray_reserve *want, struct dray_job *job)
{
    job->state = DRAY_STATE_ACTIVE;
    job->attempts++;
    job->token.counter++;
    job->token.nonce = want->nonce;
    job->owner = want->owner;
    job->lease_left_ms = want->lease_ms;
}

/* Copies the first ready jobs, then leases exactly those in one statement over the same range. */
static int32_t take_ready(
    struct store *store, struct dray_call *call, struct queue_row *queue, struct look *look)
{
    const struct dray_reserve *want = look->want;
    struct handed *handed;
    int64_t n = 0, rank = 0, seq = 0;
    int row = 0;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_READY);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, queue->id);
    sqlite3_bind_int64(stmt, 2, look->left);
    int32_t code;
    while ((code = sql_step(store, call, stmt, &row)) == DRAY_OK && row) {
        code = job_keep(store, call, stmt, &handed);
        if (code != DRAY_OK)
            break;
        rank = sqlite3_column_int64(stmt, COL_RANK);
        seq = sqlite3_column_int64(stmt, COL_SEQ);
        mark_handed(want, &handed->job);
        n++;
    }
    sqlite3_reset(stmt);
    stmt = code == DRAY_OK ? sql_get(store, call, SQL_TAKE) : NULL;
    if (!stmt || n == 0)
        return code != DRAY_OK || stmt ? code : call->error->code;
    sqlite3_bind_int64(stmt, 1, queue->id);
    sqlite3_bind_int64(stmt, 2, rank);
    sqlite3_bind_int64(stmt, 3, seq);
    sqlite3_bind_int64(stmt, 4, time_add(store->mono_ms, want->lease_ms));
    sqlite3_bind_int64(stmt, 5, (int64_t)want->nonce);
    sql_bind_str(stmt, 6, want->owner);
    code = sql_step(store, call, stmt, NULL);
    if (code == DRAY_OK && sqlite3_changes64(store->db) != n)
        return store->host->fail(call, DRAY_CORRUPT, 0,
            "%s: index jobs_place does not fit its table; run `dray fsck --repair`", store->path);
    queue->ready -= n;
    queue->active += n;
    queue->dirty = 1;
    look->left -= (uint32_t)n;
    return code;
}

/* A repeated reserve: what its nonce holds is shown again, its lease begun anew. */
static int32_t replay(
    struct store *store, struct dray_call *call, struct queue_row *queue, struct look *look)
{
    struct handed *handed;
    int row = 0;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_REPLAY);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, queue->id);
    sqlite3_bind_int64(stmt, 2, look->left);
    sqlite3_bind_int64(stmt, 3, (int64_t)look->want->nonce);
    int32_t code;
    while ((code = sql_step(store, call, stmt, &row)) == DRAY_OK && row) {
        code = job_keep(store, call, stmt, &handed);
        if (code != DRAY_OK)
            break;
        if (handed->job.lease_left_ms < look->want->lease_ms)
            handed->job.lease_left_ms = look->want->lease_ms;
        look->left--;
    }
    sqlite3_reset(stmt);
    stmt = code == DRAY_OK ? sql_get(store, call, SQL_REPLAY_LEASE) : NULL;
    if (!stmt)
        return code != DRAY_OK ? code : call->error->code;
    sqlite3_bind_int64(stmt, 1, queue->id);
    sqlite3_bind_int64(stmt, 2, (int64_t)look->want->nonce);
    sqlite3_bind_int64(stmt, 3, time_add(store->mono_ms, look->want->lease_ms));
    return sql_step(store, call, stmt, NULL);
}

static void note_consumer(
    struct store *store, struct queue_row *queue, const struct dray_reserve *want)
{
    int64_t age = store->mono_ms - queue->consumer_at;
    if (!want->max || want->owner.len == 0 || want->owner.len >= sizeof(queue->consumer) ||
        (queue->consumer[0] && age >= 0 && age < CONSUMER_EVERY_MS))
        return;
    memcpy(queue->consumer, want->owner.data, want->owner.len);
    queue->consumer[want->owner.len] = '\0';
    queue->consumer_at = store->mono_ms;
    queue->dirty = 1;
}

static int32_t visit(
    struct store *store, struct dray_call *call, struct queue_row *queue, struct look *look)
{
    int more = 0;
    int32_t code = part_sweep(store, call, queue, look->want, &more);
    note_consumer(store, queue, look->want);
    if (code == DRAY_OK && !queue->paused && look->left && queue->active > 0 &&
        (look->want->flags & DRAY_RESERVE_REPLAY))
        code = replay(store, call, queue, look);
    if (code == DRAY_OK && !queue->paused && look->left && queue->ready > 0)
        code = take_ready(store, call, queue, look);
    if (code == DRAY_OK)
        code = find_next(store, call, queue, look);
    if (more)
        look->next_ms = 0;
    return code;
}

int32_t part_reserve(struct store *store, struct dray_call *call, const struct dray_reserve *want)
{
    struct look look = {.want = want, .left = want->max, .next_ms = DRAY_NEXT_NEVER};
    int32_t code = DRAY_OK;
    for (uint32_t i = 0; i < want->nqueues && code == DRAY_OK; i++) {
        struct queue_row *queue;
        code = queue_find(store, call, want->queues[i], want->max > 0, &queue);
        if (code == DRAY_OK && queue)
            code = visit(store, call, queue, &look);
    }
    if (code == DRAY_OK)
        call->next_ms = look.next_ms;
    return code;
}

void part_hand_out(struct store *store, struct dray_call *call)
{
    for (struct handed *handed = store->handed; handed; handed = handed->next)
        call->job(call, &handed->job);
    store->handed = NULL;
    store->handed_end = &store->handed;
}
