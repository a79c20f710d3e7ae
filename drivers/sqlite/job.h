/* SPDX-License-Identifier: Apache-2.0 */
/* A job between its row and struct dray_job. */
#ifndef SQLITE_JOB_H
#define SQLITE_JOB_H

#include "sqlite/store.h"

/* Payloads above this lie in the table payloads. */
#define JOB_INLINE_PAYLOAD 1500u

/* What settling and sweeping need to know of a job. */
struct leased {
    int64_t ref;
    uint32_t state;
    int64_t priority, attempts, releases, seq, run_at;
    uint64_t counter, nonce;
    uint32_t flags;
    char type[DRAY_NAME_MAX + 1];
    uint32_t type_len;
};

/* Reads the job on the statement's row; its strings are borrowed until the next step of the
   statement or the next job_read. DRAY_CORRUPT if its payload is missing. */
int32_t job_read(
    struct store *store, struct dray_call *call, sqlite3_stmt *stmt, struct dray_job *job);

/* Adds the job on the statement's row to those handed out after the commit. */
int32_t job_keep(
    struct store *store, struct dray_call *call, sqlite3_stmt *stmt, struct handed **out);

/* The job with this id in the queue, `ref` being a hint (0: none). found->ref is 0 if there is
   none. */
int32_t job_find(struct store *store, struct dray_call *call, const struct queue_row *queue,
    struct dray_str id, uint64_t ref, struct leased *found);

int32_t job_delete(struct store *store, struct dray_call *call, int64_t ref);

/* Binds 1 .. 7 of SQL_SETTLE and SQL_CHANGE. */
struct placing {
    int64_t ref;
    uint32_t state;
    int64_t rank, seq, attempts, releases, run_at;
};
void job_bind_place(sqlite3_stmt *stmt, const struct placing *to);

#endif
