/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/job.h"
#include "sqlite/parts.h"
#include "sqlite/queue.h"
#include "sqlite/txn.h"

#include <string.h>

/* Where a pushed job goes. */
struct entry {
    uint32_t state;
    int64_t rank, run_at, created, attempts, releases, counter;
};

/* What a group has stored so far. */
struct group {
    struct queue_row *queue;
    int64_t first;                      /* the first ref; the others follow */
    int64_t ready, delayed, dead, done; /* jobs by state, of the group alone */
    int64_t retrying, parked;
};

static struct entry enter_new(const struct store *store, const struct dray_job *job)
{
    struct entry entry = {.created = store->wall_ms, .run_at = job->run_at_ms};
    if (entry.run_at == 0 && job->delay_ms > 0)
        entry.run_at = time_add(store->wall_ms, job->delay_ms);
    entry.state = entry.run_at > store->wall_ms ? DRAY_STATE_DELAYED : DRAY_STATE_READY;
    entry.rank = entry.state == DRAY_STATE_DELAYED ? entry.run_at : (int64_t)job->priority;
    return entry;
}

static struct entry enter_restored(const struct store *store, const struct dray_job *job)
{
    struct entry entry = {
        .state = job->state,
        .run_at = job->run_at_ms,
        .created = job->created_ms ? job->created_ms : store->wall_ms,
        .attempts = job->attempts,
        .releases = job->releases,
        .counter = (int64_t)job->token.counter,
    };
    switch (job->state) {
    case DRAY_STATE_DELAYED:
        entry.rank = job->run_at_ms;
        break;
    case DRAY_STATE_DEAD:
    case DRAY_STATE_DONE:
        entry.rank = job->ended_ms ? job->ended_ms : store->wall_ms;
        break;
    default:
        entry.state = DRAY_STATE_READY;
        entry.rank = job->priority;
        break;
    }
    return entry;
}

static void bind_job(sqlite3_stmt *stmt, const struct dray_job *job, const struct entry *entry,
    int64_t queue, int64_t ref)
{
    const int64_t numbers[] = {ref, queue, entry->state, entry->rank, ref};
    const int64_t more[] = {job->priority, entry->attempts, entry->releases, entry->counter, 0, 0,
        entry->run_at, entry->created,
        job->timeout_ms > INT64_MAX ? INT64_MAX : (int64_t)job->timeout_ms, job->max_attempts};
    for (int i = 0; i < 5; i++)
        sqlite3_bind_int64(stmt, COL_REF + 1 + i, numbers[i]);
    sql_bind_str(stmt, COL_ID + 1, job->id);
    sql_bind_str(stmt, COL_TYPE + 1, job->type);
    for (int i = 0; i < 10; i++)
        sqlite3_bind_int64(stmt, COL_PRIORITY + 1 + i, more[i]);
    sql_bind_str(stmt, COL_NAME + 1, job->name);
    sql_bind_str(stmt, COL_UKEY + 1, job->unique);
    sql_bind_str(stmt, COL_GRP + 1, job->group);
}

static void bind_notes(sqlite3_stmt *stmt, const struct dray_job *job, int restore)
{
    const struct dray_str none = {NULL, 0};
    sqlite3_bind_null(stmt, COL_OWNER + 1);
    sql_bind_str(stmt, COL_ERROR + 1, restore ? job->error : none);
    sql_bind_str(stmt, COL_PROGRESS + 1, restore ? job->progress : none);
    sql_bind_str(stmt, COL_RESULT + 1, restore ? job->result : none);
    if (job->payload.len > JOB_INLINE_PAYLOAD)
        sqlite3_bind_null(stmt, COL_PAYLOAD + 1);
    else /* an empty one too: NULL means "in the other table" */
        sqlite3_bind_text64(stmt, COL_PAYLOAD + 1, job->payload.len ? job->payload.data : "",
            job->payload.len, SQLITE_STATIC, SQLITE_UTF8);
}

static int32_t store_payload(
    struct store *store, struct dray_call *call, int64_t ref, struct dray_str payload)
{
    if (payload.len <= JOB_INLINE_PAYLOAD)
        return DRAY_OK;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_PAYLOAD_ADD);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, ref);
    sql_bind_str(stmt, 2, payload);
    return sql_step(store, call, stmt, NULL);
}

static int equal(struct dray_str a, struct dray_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* A job with that id is there: the same? */
static int32_t compare_stored(struct store *store, struct dray_call *call, sqlite3_stmt *stored,
    const struct dray_job *job, int32_t *answer)
{
    int same = equal(sql_str(stored, 1), job->type) && equal(sql_str(stored, 2), job->unique);
    *answer = DRAY_CONFLICT;
    if (!same)
        return DRAY_OK;
    if (sqlite3_column_type(stored, 3) != SQLITE_NULL) {
        if (equal(sql_str(stored, 3), job->payload))
            *answer = DRAY_EXISTS;
        return DRAY_OK;
    }
    int row = 0;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_PAYLOAD);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, sqlite3_column_int64(stored, 0));
    int32_t code = sql_step(store, call, stmt, &row);
    if (row && equal(sql_str(stmt, 0), job->payload))
        *answer = DRAY_EXISTS;
    sqlite3_reset(stmt);
    return code;
}

/* The unique key is held. */
static int32_t find_holder(struct store *store, struct dray_call *call, int64_t queue,
    const struct dray_job *job, int32_t *answer, char *holder)
{
    int row = 0;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_JOB_HOLDER);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, queue);
    sql_bind_str(stmt, 2, job->unique);
    int32_t code = sql_step(store, call, stmt, &row);
    if (code != DRAY_OK)
        return code;
    if (!row)
        return store->host->fail(call, DRAY_CORRUPT, 0,
            "%s: an index refuses a job that nothing stands against; run `dray fsck`", store->path);
    *answer = DRAY_DUPLICATE;
    struct dray_str id = sql_str(stmt, 0);
    if (holder && id.len <= DRAY_NAME_MAX) {
        memcpy(holder, id.data, id.len);
        holder[id.len] = '\0';
    }
    sqlite3_reset(stmt);
    return DRAY_OK;
}

/* An index refused the job: say why. */
static int32_t explain_refusal(struct store *store, struct dray_call *call, int64_t queue,
    const struct dray_job *job, int32_t *answer, char *holder)
{
    int row = 0;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_JOB_BY_ID);
    if (!stmt)
        return call->error->code;
    sql_bind_str(stmt, 1, job->id);
    sqlite3_bind_int64(stmt, 2, queue);
    int32_t code = sql_step(store, call, stmt, &row);
    if (code == DRAY_OK && row)
        code = compare_stored(store, call, stmt, job, answer);
    else if (code == DRAY_OK)
        code = find_holder(store, call, queue, job, answer, holder);
    sqlite3_reset(stmt);
    return code;
}

static void count_stored(struct group *group, const struct entry *entry)
{
    group->ready += entry->state == DRAY_STATE_READY;
    group->dead += entry->state == DRAY_STATE_DEAD;
    group->done += entry->state == DRAY_STATE_DONE;
    if (entry->state != DRAY_STATE_DELAYED)
        return;
    group->delayed++;
    group->parked += entry->releases > 0;
    group->retrying += entry->releases == 0 && entry->attempts > 0;
}

/* Inserts first and asks afterwards: nearly every job is new. */
static int32_t store_job(struct store *store, struct dray_call *call, const struct dray_push *push,
    struct group *group, uint32_t at)
{
    const struct dray_job *job = push->jobs[at];
    int restore = (push->flags & DRAY_PUSH_RESTORE) && job->state;
    struct entry entry = restore ? enter_restored(store, job) : enter_new(store, job);
    sqlite3_stmt *stmt = sql_get(store, call, SQL_JOB_ADD);
    if (!stmt)
        return call->error->code;
    int64_t ref = store->next;
    bind_job(stmt, job, &entry, group->queue->id, ref);
    bind_notes(stmt, job, restore);
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_DONE)
        rc = sqlite3_extended_errcode(store->db);
    sqlite3_reset(stmt);
    if (rc == SQLITE_CONSTRAINT_UNIQUE)
        return explain_refusal(store, call, group->queue->id, job, &push->answers[at],
            push->holders ? push->holders[at] : NULL);
    if (rc != SQLITE_DONE)
        return sql_fail(store, call, rc);
    txn_next(store);
    count_stored(group, &entry);
    return store_payload(store, call, ref, job->payload);
}

/* Takes back what a refused group has stored. */
static int32_t undo(struct store *store, struct dray_call *call, const struct group *group)
{
    static const enum sql which[] = {SQL_GROUP_UNDO, SQL_GROUP_UNDO_PAYLOADS};
    for (int i = 0; i < 2 && store->next > group->first; i++) {
        sqlite3_stmt *stmt = sql_get(store, call, which[i]);
        if (!stmt)
            return call->error->code;
        sqlite3_bind_int64(stmt, 1, group->first);
        sqlite3_bind_int64(stmt, 2, store->next);
        int32_t code = sql_step(store, call, stmt, NULL);
        if (code != DRAY_OK)
            return code;
    }
    return DRAY_OK;
}

static int32_t accept(struct store *store, struct dray_call *call, const struct dray_push *push,
    const struct group *group)
{
    struct queue_row *queue = group->queue;
    queue->ready += group->ready;
    queue->delayed += group->delayed;
    queue->retrying += group->retrying;
    queue->parked += group->parked;
    queue->dead += group->dead;
    queue->done += group->done;
    if (store->next > group->first)
        queue->dirty = 1;
    if (group->ready || group->delayed)
        store->ring = 1;
    if (push->flags & DRAY_PUSH_RESTORE)
        return DRAY_OK;
    for (uint32_t i = 0; i < push->njobs; i++) {
        if (push->answers[i] != DRAY_OK)
            continue;
        struct total *total = queue_total(store, call, queue, push->jobs[i]->type);
        if (!total)
            return call->error->code;
        total->pushed++;
    }
    return DRAY_OK;
}

static int is_full(
    const struct store *store, const struct dray_push *push, const struct group *group)
{
    const struct queue_row *queue = group->queue;
    int64_t live = queue->ready + queue->delayed + queue->active + group->ready + group->delayed;
    return push->capacity != 0 && store->next > group->first && (uint64_t)live > push->capacity;
}

int32_t part_push(struct store *store, struct dray_call *call, struct dray_push *push)
{
    struct group group = {.first = store->next};
    int32_t code = queue_find(store, call, push->queue, 1, &group.queue);
    for (uint32_t i = 0; i < push->njobs && code == DRAY_OK; i++) {
        code = store_job(store, call, push, &group, i);
        int32_t answer = push->answers[i];
        if (push->code == DRAY_OK && answer != DRAY_OK && answer != DRAY_EXISTS)
            push->code = answer;
    }
    if (code != DRAY_OK)
        return code;
    if (push->code == DRAY_OK && is_full(store, push, &group))
        push->code = store->host->fail(call, DRAY_FULL, 0,
            "queue %.*s: holds its capacity of %llu jobs; let workers catch up, or raise the limit",
            (int)push->queue.len, push->queue.data, (unsigned long long)push->capacity);
    if (push->code != DRAY_OK)
        return undo(store, call, &group);
    return accept(store, call, push, &group);
}
