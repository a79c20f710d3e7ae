/* SPDX-License-Identifier: Apache-2.0 */
/* Every statement that this driver makes, prepared on first use and kept; errors of SQLite as codes
   of ours. Nothing else builds SQL text. */
#ifndef SQLITE_SQL_H
#define SQLITE_SQL_H

#include "dray/driver.h"

#include <sqlite3.h>

struct store;

enum sql {
    SQL_BEGIN,
    SQL_BEGIN_READ,
    SQL_COMMIT,
    SQL_META,
    SQL_META_WRITE,
    SQL_QUEUE,
    SQL_QUEUE_BY_ID,
    SQL_QUEUE_ADD,
    SQL_QUEUE_WRITE,
    SQL_QUEUE_LIST,
    SQL_TOTAL_ADD,
    SQL_TOTAL_LIST,
    SQL_TOTAL_RESET,
    SQL_BOOT_LEASES,
    SQL_BOOT_CONSUMERS,

    SQL_JOB_ADD,
    SQL_PAYLOAD_ADD,
    SQL_PAYLOAD,
    SQL_JOB_BY_ID,
    SQL_JOB_HOLDER,
    SQL_GROUP_UNDO,
    SQL_GROUP_UNDO_PAYLOADS,

    SQL_ACK,
    SQL_EXTEND,
    SQL_EXTEND_REF,
    SQL_LEASED_BY_REF,
    SQL_LEASED_BY_ID,
    SQL_SETTLE,
    SQL_CHANGE,
    SQL_EXPIRE,
    SQL_PROMOTE,
    SQL_MARK,
    SQL_JOB_DELETE,
    SQL_PAYLOAD_DELETE,

    SQL_EXPIRED,
    SQL_DUE,
    SQL_FIRST_RANK,
    SQL_OLD,
    SQL_OLDEST,
    SQL_TAKE,
    SQL_READY,
    SQL_REPLAY,
    SQL_REPLAY_LEASE,

    SQL_LIST_ALL,
    SQL_LIST_STATES,
    SQL_LIST_ID,
    SQL_OLDEST_READY,
    SQL_COUNT
};

/* The prepared statement, reset, or NULL (explained). */
sqlite3_stmt *sql_get(struct store *store, struct dray_call *call, enum sql which);

/* Steps once: DRAY_OK with *row set (if row is not NULL), else explained. Resets when there is no
   row. */
int32_t sql_step(struct store *store, struct dray_call *call, sqlite3_stmt *stmt, int *row);

/* Runs text that comes from this source alone: pragmas and the schema. */
int32_t sql_exec(struct store *store, struct dray_call *call, const char *text);

/* One integer from text that comes from this source alone. */
int32_t sql_number(struct store *store, struct dray_call *call, const char *text, int64_t *value);

/* Explains what SQLite last said, `rc`. For anything but a commit: nothing has been changed. */
int32_t sql_fail(struct store *store, struct dray_call *call, int rc);

/* A write found no room: nothing of the transaction is there. */
int sql_is_full(const struct store *store, int rc);

/* The text stays the caller's until the statement is stepped; empty is NULL. */
void sql_bind_str(sqlite3_stmt *stmt, int at, struct dray_str str);
void sql_bind_cstr(sqlite3_stmt *stmt, int at, const char *text);

/* Borrowed until the next step or reset. */
struct dray_str sql_str(sqlite3_stmt *stmt, int column);

/* Columns of a job, in the order of JOB_COLUMNS. */
enum {
    COL_REF,
    COL_QUEUE,
    COL_STATE,
    COL_RANK,
    COL_SEQ,
    COL_ID,
    COL_TYPE,
    COL_PRIORITY,
    COL_ATTEMPTS,
    COL_RELEASES,
    COL_COUNTER,
    COL_NONCE,
    COL_FLAGS,
    COL_RUN_AT,
    COL_CREATED,
    COL_TIMEOUT,
    COL_MAX_ATTEMPTS,
    COL_NAME,
    COL_UKEY,
    COL_GRP,
    COL_OWNER,
    COL_ERROR,
    COL_PROGRESS,
    COL_RESULT,
    COL_PAYLOAD
};

#endif
