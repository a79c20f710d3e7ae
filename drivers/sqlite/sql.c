/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/sql.h"

#include "sqlite/store.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define JOB_COLUMNS                                                                                \
    "ref,queue,state,rank,seq,id,type,priority,attempts,releases,counter,nonce,flags,run_at,"      \
    "created_at,timeout,max_attempts,name,ukey,grp,owner,error,progress,result,payload"

/* What settling and sweeping need to know of a job. */
#define LEASE_COLUMNS "ref,state,priority,attempts,releases,counter,nonce,flags,type,seq,run_at"

#define FILTER                                                                                     \
    "ref>?1 AND (?2=0 OR queue=?2) AND (?3>>state)&1 AND (?4 IS NULL OR type=?4)"                  \
    " AND created_at>=?5"

static const char *const texts[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_COMMIT] = "COMMIT",
    [SQL_META] = "SELECT next,boot FROM meta WHERE one=1",
    [SQL_META_WRITE] = "UPDATE meta SET next=?1,boot=?2 WHERE one=1",
    [SQL_QUEUE] = "SELECT id,paused,ready,delayed,retrying,parked,active,dead,done,consumer,"
                  "consumer_at,name FROM queues WHERE name=?1",
    [SQL_QUEUE_BY_ID] = "SELECT id,paused,ready,delayed,retrying,parked,active,dead,done,consumer,"
                        "consumer_at,name FROM queues WHERE id=?1",
    [SQL_QUEUE_ADD] = "INSERT INTO queues(name) VALUES(?1)",
    [SQL_QUEUE_WRITE] = "UPDATE queues SET paused=?2,ready=?3,delayed=?4,retrying=?5,parked=?6,"
                        "active=?7,dead=?8,done=?9,consumer=?10,consumer_at=?11 WHERE id=?1",
    [SQL_QUEUE_LIST] = "SELECT id FROM queues ORDER BY name",
    [SQL_TOTAL_ADD] = "INSERT INTO totals(queue,type,pushed,completed,failed,retried,died,runs,"
                      "run_ms) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9) ON CONFLICT(queue,type) DO UPDATE"
                      " SET pushed=pushed+excluded.pushed,completed=completed+excluded.completed,"
                      "failed=failed+excluded.failed,retried=retried+excluded.retried,"
                      "died=died+excluded.died,runs=runs+excluded.runs,"
                      "run_ms=run_ms+excluded.run_ms",
    [SQL_TOTAL_LIST] = "SELECT type,pushed,completed,failed,retried,died,runs,run_ms FROM totals"
                       " WHERE queue=?1 ORDER BY type",
    [SQL_TOTAL_RESET] = "DELETE FROM totals WHERE queue=?1",
    [SQL_BOOT_LEASES] = "UPDATE jobs SET rank=-1 WHERE queue IN (SELECT id FROM queues)"
                        " AND state=3",
    [SQL_BOOT_CONSUMERS] = "UPDATE queues SET consumer=NULL,consumer_at=0",

    [SQL_JOB_ADD] = "INSERT INTO jobs(" JOB_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,"
                    "?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25)",
    [SQL_PAYLOAD_ADD] = "INSERT INTO payloads(ref,payload) VALUES(?1,?2)",
    [SQL_PAYLOAD] = "SELECT payload FROM payloads WHERE ref=?1",
    [SQL_JOB_BY_ID] = "SELECT ref,type,ukey,payload FROM jobs WHERE id=?1 AND queue=?2",
    [SQL_JOB_HOLDER] = "SELECT id FROM jobs WHERE queue=?1 AND ukey=?2 AND state<4",
    [SQL_GROUP_UNDO] = "DELETE FROM jobs WHERE ref>=?1 AND ref<?2",
    [SQL_GROUP_UNDO_PAYLOADS] = "DELETE FROM payloads WHERE ref>=?1 AND ref<?2",

    [SQL_ACK] = "DELETE FROM jobs WHERE ref=?1 AND queue=?2 AND state=3 AND id=?3 AND counter=?4"
                " AND nonce=?5 AND payload IS NOT NULL",
    [SQL_EXTEND] = "UPDATE jobs SET rank=max(rank,?6),progress=coalesce(?7,progress)"
                   " WHERE ref=?1 AND queue=?2 AND state=3 AND id=?3 AND counter=?4 AND nonce=?5"
                   " AND flags=0",
    [SQL_EXTEND_REF] = "UPDATE jobs SET rank=max(rank,?2),progress=coalesce(?3,progress)"
                       " WHERE ref=?1",
    [SQL_LEASED_BY_REF] = "SELECT " LEASE_COLUMNS " FROM jobs WHERE ref=?1 AND queue=?2 AND id=?3",
    [SQL_LEASED_BY_ID] = "SELECT " LEASE_COLUMNS " FROM jobs WHERE id=?3 AND queue=?2",
    [SQL_SETTLE] = "UPDATE jobs SET state=?2,rank=?3,seq=?4,attempts=?5,releases=?6,run_at=?7,"
                   "error=coalesce(?8,error),progress=coalesce(?9,progress),"
                   "result=coalesce(?10,result),nonce=0,flags=0,owner=NULL WHERE ref=?1",
    [SQL_CHANGE] = "UPDATE jobs SET state=?2,rank=?3,seq=?4,attempts=?5,releases=?6,run_at=?7,"
                   "error=?8,flags=0 WHERE ref=?1",
    [SQL_EXPIRE] = "UPDATE jobs SET state=1,rank=priority,seq=?2,run_at=0,nonce=0,owner=NULL,"
                   "error='lease expired' WHERE ref=?1",
    [SQL_PROMOTE] = "UPDATE jobs SET state=1,rank=priority,seq=?2 WHERE ref=?1",
    [SQL_MARK] = "UPDATE jobs SET flags=flags|1 WHERE ref=?1",
    [SQL_JOB_DELETE] = "DELETE FROM jobs WHERE ref=?1",
    [SQL_PAYLOAD_DELETE] = "DELETE FROM payloads WHERE ref=?1",

    [SQL_EXPIRED] =
        "SELECT ref,attempts,releases,type FROM jobs INDEXED BY jobs_place WHERE queue=?1"
        " AND state=3 AND rank<?2 ORDER BY rank,seq LIMIT ?3",
    [SQL_DUE] = "SELECT ref,attempts,releases FROM jobs INDEXED BY jobs_place"
                " WHERE queue=?1 AND state=2 AND rank<=?2 ORDER BY rank,seq LIMIT ?3",
    [SQL_FIRST_RANK] = "SELECT rank FROM jobs INDEXED BY jobs_place WHERE queue=?1 AND state=?2"
                       " ORDER BY rank LIMIT 1",
    [SQL_OLD] = "SELECT ref,state FROM jobs INDEXED BY jobs_place WHERE queue=?1 AND state=?2"
                " AND rank<?3 ORDER BY rank,seq LIMIT ?4",
    [SQL_OLDEST] = "SELECT ref,state,rank,seq FROM (SELECT ref,state,rank,seq FROM jobs WHERE"
                   " queue=?1 AND state=4 ORDER BY rank,seq LIMIT ?2) UNION ALL SELECT ref,state,"
                   "rank,seq FROM (SELECT ref,state,rank,seq FROM jobs WHERE queue=?1 AND state=5"
                   " ORDER BY rank,seq LIMIT ?2) ORDER BY rank,seq LIMIT ?2",
    [SQL_TAKE] = "UPDATE jobs SET state=3,rank=?4,attempts=attempts+1,counter=counter+1,nonce=?5,"
                 "owner=?6 WHERE queue=?1 AND state=1 AND (rank,seq)<=(?2,?3)",
    [SQL_READY] = "SELECT " JOB_COLUMNS " FROM jobs INDEXED BY jobs_place WHERE queue=?1"
                  " AND state=1 ORDER BY rank,seq LIMIT ?2",
    [SQL_REPLAY] = "SELECT " JOB_COLUMNS " FROM jobs INDEXED BY jobs_place WHERE queue=?1"
                   " AND state=3 AND nonce=?3 ORDER BY priority,seq LIMIT ?2",
    [SQL_REPLAY_LEASE] = "UPDATE jobs SET rank=max(rank,?3) WHERE queue=?1 AND state=3"
                         " AND nonce=?2",

    [SQL_LIST_ALL] =
        "SELECT " JOB_COLUMNS " FROM jobs NOT INDEXED WHERE " FILTER " ORDER BY ref LIMIT ?6",
    [SQL_LIST_STATES] =
        "SELECT " JOB_COLUMNS " FROM jobs WHERE ref IN (SELECT ref FROM jobs"
        " INDEXED BY jobs_place WHERE queue IN (SELECT id FROM queues WHERE ?2=0 OR"
        " id=?2) AND state IN (2,3,4,5) AND " FILTER " ORDER BY ref LIMIT ?6) ORDER BY ref",
    [SQL_LIST_ID] =
        "SELECT " JOB_COLUMNS " FROM jobs WHERE id=?7 AND " FILTER " ORDER BY ref LIMIT ?6",
    [SQL_OLDEST_READY] = "SELECT created_at FROM jobs INDEXED BY jobs_place WHERE queue=?1"
                         " AND state=1 ORDER BY rank,seq LIMIT 1",
};

sqlite3_stmt *sql_get(struct store *store, struct dray_call *call, enum sql which)
{
    if (store->stmts[which]) {
        sqlite3_reset(store->stmts[which]);
        return store->stmts[which];
    }
    int rc = sqlite3_prepare_v3(
        store->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, &store->stmts[which], NULL);
    if (rc == SQLITE_OK)
        return store->stmts[which];
    store->stmts[which] = NULL;
    sql_fail(store, call, rc);
    return NULL;
}

int32_t sql_step(struct store *store, struct dray_call *call, sqlite3_stmt *stmt, int *row)
{
    int rc = sqlite3_step(stmt);
    if (row)
        *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        return DRAY_OK;
    if (rc == SQLITE_DONE) {
        sqlite3_reset(stmt);
        return DRAY_OK;
    }
    rc = sqlite3_extended_errcode(store->db);
    int32_t code = sql_fail(store, call, rc);
    sqlite3_reset(stmt);
    return code;
}

int32_t sql_exec(struct store *store, struct dray_call *call, const char *text)
{
    int rc = sqlite3_exec(store->db, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? DRAY_OK : sql_fail(store, call, sqlite3_extended_errcode(store->db));
}

int32_t sql_number(struct store *store, struct dray_call *call, const char *text, int64_t *value)
{
    sqlite3_stmt *stmt = NULL;
    int row = 0;
    int rc = sqlite3_prepare_v2(store->db, text, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return sql_fail(store, call, sqlite3_extended_errcode(store->db));
    int32_t code = sql_step(store, call, stmt, &row);
    *value = row ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return code;
}

static int32_t fail_file(struct store *store, struct dray_call *call, int rc)
{
    int sys = sqlite3_system_errno(store->db);
    const struct dray_host *host = store->host;
    const char *said = sqlite3_errstr(rc);
    if (sys == EACCES || sys == EPERM || sys == EROFS)
        return host->fail(call, DRAY_DENIED, sys,
            "%s: not permitted (%s); let this user write the file and its folder", store->path,
            strerror(sys));
    return host->fail(call, DRAY_IO, sys, "%s: %s (%s); check the disk", store->path, said,
        sys ? strerror(sys) : "no system error");
}

/* The errno of the last failed write to the log: sqlite3_system_errno may have been overwritten by
   what the rollback did. */
static int log_errno(const struct store *store)
{
    sqlite3_file *log = NULL;
    int sys = 0;
    int rc = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (rc == SQLITE_OK && log && log->pMethods)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &sys);
    return sys;
}

int sql_is_full(const struct store *store, int rc)
{
    if ((rc & 0xff) == SQLITE_FULL)
        return 1;
    if (rc != SQLITE_IOERR_WRITE)
        return 0;
    /* SQLite knows ENOSPC alone; a quota and a limit on file sizes are no different. */
    int sys = log_errno(store);
    return sys == EDQUOT || sys == EFBIG;
}

int32_t sql_fail(struct store *store, struct dray_call *call, int rc)
{
    const struct dray_host *host = store->host;
    const char *path = store->path;
    switch (sql_is_full(store, rc) ? SQLITE_FULL : rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return host->fail(call, DRAY_BUSY, 0,
            "%s: another program holds the database locked; try again, or end its transaction",
            path);
    case SQLITE_INTERRUPT:
        return host->fail(
            call, DRAY_BUSY, 0, "%s: no answer within %u ms; try again", path, call->budget_ms);
    case SQLITE_FULL:
        return host->fail(
            call, DRAY_FULL, ENOSPC, "%s: no space left on the disk; make room", path);
    case SQLITE_NOMEM:
        return host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", path);
    case SQLITE_TOOBIG:
        return host->fail(call, DRAY_LIMIT, 0, "%s: a value is too large for SQLite", path);
    case SQLITE_READONLY:
        return host->fail(call, DRAY_DENIED, 0,
            "%s: the database cannot be written (%s); let this user write it", path,
            sqlite3_errstr(rc));
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_NOMEM)
            return host->fail(call, DRAY_NOMEM, ENOMEM, "%s: out of memory", path);
        return fail_file(store, call, rc);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return fail_file(store, call, rc);
    default: /* CORRUPT, NOTADB, a table that is gone, a constraint that cannot fail */
        return host->fail(call, DRAY_CORRUPT, 0,
            "%s: %s; stop the workers, run `dray fsck`, or restore a backup", path,
            sqlite3_errmsg(store->db));
    }
}

void sql_bind_str(sqlite3_stmt *stmt, int at, struct dray_str str)
{
    if (str.len == 0)
        sqlite3_bind_null(stmt, at);
    else
        sqlite3_bind_text64(stmt, at, str.data, str.len, SQLITE_STATIC, SQLITE_UTF8);
}

void sql_bind_cstr(sqlite3_stmt *stmt, int at, const char *text)
{
    sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

struct dray_str sql_str(sqlite3_stmt *stmt, int column)
{
    const char *data = (const char *)sqlite3_column_text(stmt, column);
    int len = sqlite3_column_bytes(stmt, column);
    return data && len > 0 ? str_of(data, (uint64_t)len) : str_of(NULL, 0);
}
