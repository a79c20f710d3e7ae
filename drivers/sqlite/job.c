/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/job.h"

#include "sqlite/queue.h"

#include <errno.h>
#include <string.h>

static int32_t read_payload(
    struct store *store, struct dray_call *call, int64_t ref, struct dray_str *payload)
{
    int row = 0;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_PAYLOAD);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, ref);
    int32_t code = sql_step(store, call, stmt, &row);
    if (code == DRAY_OK && !row)
        code = store->host->fail(call, DRAY_CORRUPT, 0,
            "%s: table payloads lacks row %lld; run `dray fsck --repair`", store->path,
            (long long)ref);
    if (row)
        *payload = sql_str(stmt, 0);
    return code;
}

static void read_times(const struct store *store, struct dray_job *job, int64_t rank)
{
    if (job->state == DRAY_STATE_ACTIVE && rank > store->mono_ms)
        job->lease_left_ms = (uint64_t)(rank - store->mono_ms);
    if (job->state == DRAY_STATE_DEAD || job->state == DRAY_STATE_DONE)
        job->ended_ms = rank;
}

int32_t job_read(
    struct store *store, struct dray_call *call, sqlite3_stmt *stmt, struct dray_job *job)
{
    struct queue_row *queue;
    int64_t ref = sqlite3_column_int64(stmt, COL_REF);
    int32_t code = queue_by_id(store, call, sqlite3_column_int64(stmt, COL_QUEUE), &queue);
    if (code != DRAY_OK)
        return code;
    *job = (struct dray_job){
        .size = sizeof(*job),
        .priority = (uint32_t)sqlite3_column_int64(stmt, COL_PRIORITY),
        .id = sql_str(stmt, COL_ID),
        .queue = str_of(queue->name, queue->name_len),
        .type = sql_str(stmt, COL_TYPE),
        .name = sql_str(stmt, COL_NAME),
        .unique = sql_str(stmt, COL_UKEY),
        .group = sql_str(stmt, COL_GRP),
        .run_at_ms = sqlite3_column_int64(stmt, COL_RUN_AT),
        .timeout_ms = (uint64_t)sqlite3_column_int64(stmt, COL_TIMEOUT),
        .max_attempts = (uint32_t)sqlite3_column_int64(stmt, COL_MAX_ATTEMPTS),
        .state = (uint32_t)sqlite3_column_int64(stmt, COL_STATE),
        .attempts = (uint32_t)sqlite3_column_int64(stmt, COL_ATTEMPTS),
        .releases = (uint32_t)sqlite3_column_int64(stmt, COL_RELEASES),
        .flags = (uint32_t)sqlite3_column_int64(stmt, COL_FLAGS),
        .token = {(uint64_t)sqlite3_column_int64(stmt, COL_COUNTER),
            (uint64_t)sqlite3_column_int64(stmt, COL_NONCE)},
        .created_ms = sqlite3_column_int64(stmt, COL_CREATED),
        .owner = sql_str(stmt, COL_OWNER),
        .error = sql_str(stmt, COL_ERROR),
        .result = sql_str(stmt, COL_RESULT),
        .progress = sql_str(stmt, COL_PROGRESS),
        .ref = (uint64_t)ref,
    };
    read_times(store, job, sqlite3_column_int64(stmt, COL_RANK));
    if (sqlite3_column_type(stmt, COL_PAYLOAD) == SQLITE_NULL)
        return read_payload(store, call, ref, &job->payload);
    job->payload = sql_str(stmt, COL_PAYLOAD);
    return DRAY_OK;
}

int32_t job_keep(
    struct store *store, struct dray_call *call, sqlite3_stmt *stmt, struct handed **out)
{
    struct arena *arena = &store->arena;
    struct handed *handed = arena_take(arena, sizeof(*handed));
    if (!handed)
        return store->host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", store->path);
    struct dray_job *job = &handed->job;
    int32_t code = job_read(store, call, stmt, job);
    if (code != DRAY_OK)
        return code;
    if (arena_copy(arena, job->id, &job->id) || arena_copy(arena, job->type, &job->type) ||
        arena_copy(arena, job->payload, &job->payload) ||
        arena_copy(arena, job->name, &job->name) || arena_copy(arena, job->unique, &job->unique) ||
        arena_copy(arena, job->group, &job->group) || arena_copy(arena, job->owner, &job->owner) ||
        arena_copy(arena, job->error, &job->error) ||
        arena_copy(arena, job->result, &job->result) ||
        arena_copy(arena, job->progress, &job->progress))
        return store->host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", store->path);
    handed->next = NULL;
    *store->handed_end = handed;
    store->handed_end = &handed->next;
    *out = handed;
    return DRAY_OK;
}

static void read_leased(sqlite3_stmt *stmt, struct leased *found)
{
    struct dray_str type = sql_str(stmt, 8);
    found->ref = sqlite3_column_int64(stmt, 0);
    found->state = (uint32_t)sqlite3_column_int64(stmt, 1);
    found->priority = sqlite3_column_int64(stmt, 2);
    found->attempts = sqlite3_column_int64(stmt, 3);
    found->releases = sqlite3_column_int64(stmt, 4);
    found->counter = (uint64_t)sqlite3_column_int64(stmt, 5);
    found->nonce = (uint64_t)sqlite3_column_int64(stmt, 6);
    found->flags = (uint32_t)sqlite3_column_int64(stmt, 7);
    found->seq = sqlite3_column_int64(stmt, 9);
    found->run_at = sqlite3_column_int64(stmt, 10);
    found->type_len = (uint32_t)(type.len < DRAY_NAME_MAX ? type.len : DRAY_NAME_MAX);
    if (found->type_len)
        memcpy(found->type, type.data, found->type_len);
    found->type[found->type_len] = '\0';
}

int32_t job_find(struct store *store, struct dray_call *call, const struct queue_row *queue,
    struct dray_str id, uint64_t ref, struct leased *found)
{
    found->ref = 0;
    for (int by_id = ref == 0 || ref > INT64_MAX; by_id < 2; by_id++) {
        int row = 0;
        sqlite3_stmt *stmt = sql_get(store, call, by_id ? SQL_LEASED_BY_ID : SQL_LEASED_BY_REF);
        if (!stmt)
            return call->error->code;
        if (!by_id)
            sqlite3_bind_int64(stmt, 1, (int64_t)ref);
        sqlite3_bind_int64(stmt, 2, queue->id);
        sql_bind_str(stmt, 3, id);
        int32_t code = sql_step(store, call, stmt, &row);
        if (code != DRAY_OK)
            return code;
        if (row) {
            read_leased(stmt, found);
            sqlite3_reset(stmt);
            return DRAY_OK;
        }
    }
    return DRAY_OK;
}

int32_t job_delete(struct store *store, struct dray_call *call, int64_t ref)
{
    static const enum sql which[] = {SQL_JOB_DELETE, SQL_PAYLOAD_DELETE};
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *stmt = sql_get(store, call, which[i]);
        if (!stmt)
            return call->error->code;
        sqlite3_bind_int64(stmt, 1, ref);
        int32_t code = sql_step(store, call, stmt, NULL);
        if (code != DRAY_OK)
            return code;
    }
    return DRAY_OK;
}

void job_bind_place(sqlite3_stmt *stmt, const struct placing *to)
{
    sqlite3_bind_int64(stmt, 1, to->ref);
    sqlite3_bind_int64(stmt, 2, to->state);
    sqlite3_bind_int64(stmt, 3, to->rank);
    sqlite3_bind_int64(stmt, 4, to->seq);
    sqlite3_bind_int64(stmt, 5, to->attempts);
    sqlite3_bind_int64(stmt, 6, to->releases);
    sqlite3_bind_int64(stmt, 7, to->run_at);
}
