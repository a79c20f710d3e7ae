/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite/txn.h"

#include "common/gate.h"

#include "sqlite/queue.h"

#include <errno.h>
#include <string.h>

#define CHECKPOINT_FRAMES 1000      /* pages in the log: SQLite's own default */
#define WARN_FRAMES (64 * 1024 / 4) /* 64 MiB: a reader holds the log open */

void txn_start_budget(struct store *store, const struct dray_call *call)
{
    store->deadline_ms = time_add(gate_clock_ms(), call->budget_ms);
}

int32_t txn_lock(struct store *store, struct dray_call *call)
{
    int sys = 0;
    xfsz_block(&store->xfsz);
    int32_t code = lock_take(&store->lock, store->deadline_ms, &sys);
    if (code == DRAY_OK)
        return DRAY_OK;
    xfsz_restore(&store->xfsz);
    if (code == DRAY_BUSY)
        return store->host->fail(call, code, 0,
            "%s: other workers held the lock for %u ms; try again", store->lock_path,
            call->budget_ms);
    return store->host->fail(call, code, sys, "%s: cannot be locked (%s); check the file",
        store->lock_path, sys ? strerror(sys) : "not a regular file");
}

void txn_unlock(struct store *store)
{
    lock_give(&store->lock);
    xfsz_restore(&store->xfsz);
}

void txn_poison(struct store *store)
{
    store->poisoned = 1;
    /* Without the note the others only lose an early warning: nothing to do about a failure. */
    (void)lock_set_mark(&store->lock, lock_mark(&store->lock) + 1);
}

int32_t txn_checkpoint(struct store *store, struct dray_call *call, int mode)
{
    int left = 0, done = 0;
    int rc = sqlite3_wal_checkpoint_v2(store->db, "main", mode, &left, &done);
    /* SQLite does not ask the busy handler here. No other checkpoint can be under way, but a reader
       that found the log's index gone, after a crash, locks everything while it makes it anew. */
    while ((rc & 0xff) == SQLITE_BUSY && gate_clock_ms() < store->deadline_ms) {
        sqlite3_sleep(1);
        rc = sqlite3_wal_checkpoint_v2(store->db, "main", mode, &left, &done);
    }
    if (rc == SQLITE_OK) {
        store->wal_frames = left - done;
        return DRAY_OK;
    }
    int32_t code = sql_fail(store, call, rc);
    if ((rc & 0xff) == SQLITE_IOERR && code == DRAY_IO)
        txn_poison(store);
    return code;
}

/* Another process had a failed write: what it left in the log may be in memory alone. Copying it
   into the database and syncing that makes it safe, or shows that it cannot be. */
static int32_t heed_troubles(struct store *store, struct dray_call *call)
{
    uint64_t troubles = lock_mark(&store->lock);
    if (troubles == store->troubles)
        return DRAY_OK;
    int32_t code = txn_checkpoint(store, call, SQLITE_CHECKPOINT_FULL);
    if (code == DRAY_OK)
        store->troubles = troubles;
    return code;
}

/* Writes to a file that nobody can open any more would be lost. */
static int32_t check_moved(struct store *store, struct dray_call *call)
{
    int moved = 0;
    if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK ||
        !moved)
        return DRAY_OK;
    return store->host->fail(call, DRAY_IO, ENOENT,
        "%s: moved or deleted while in use; put it back, or restart what uses it", store->path);
}

static int32_t set_sync(struct store *store, struct dray_call *call, int durable)
{
    int wanted = durable && store->durability >= DRAY_DURABILITY_HOST;
    if (wanted == store->syncing)
        return DRAY_OK;
    int32_t code =
        sql_exec(store, call, wanted ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    if (code == DRAY_OK)
        store->syncing = wanted;
    return code;
}

static int32_t write_meta(struct store *store, struct dray_call *call)
{
    sqlite3_stmt *stmt = sql_get(store, call, SQL_META_WRITE);
    if (!stmt)
        return call->error->code;
    sqlite3_bind_int64(stmt, 1, store->next);
    sql_bind_cstr(stmt, 2, store->host->boot_id);
    return sql_step(store, call, stmt, NULL);
}

/* The machine was started anew: every lease of before has expired, whatever it says. */
static int32_t begin_boot(struct store *store, struct dray_call *call)
{
    static const enum sql which[] = {SQL_BOOT_LEASES, SQL_BOOT_CONSUMERS};
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *stmt = sql_get(store, call, which[i]);
        int32_t code = stmt ? sql_step(store, call, stmt, NULL) : call->error->code;
        if (code != DRAY_OK)
            return code;
    }
    store->next_dirty = 1;
    return DRAY_OK;
}

static int32_t read_meta(struct store *store, struct dray_call *call)
{
    int row = 0;
    sqlite3_stmt *stmt = sql_get(store, call, SQL_META);
    int32_t code = stmt ? sql_step(store, call, stmt, &row) : call->error->code;
    if (code != DRAY_OK)
        return code;
    if (!row)
        return store->host->fail(
            call, DRAY_CORRUPT, 0, "%s: table meta is empty; restore a backup", store->path);
    store->next = sqlite3_column_int64(stmt, 0);
    struct dray_str boot = sql_str(stmt, 1);
    const char *ours = store->host->boot_id;
    int same = boot.len == strlen(ours) && memcmp(boot.data ? boot.data : "", ours, boot.len) == 0;
    sqlite3_reset(stmt);
    store->next_dirty = 0;
    return same ? DRAY_OK : begin_boot(store, call);
}

static int32_t begin_locked(struct store *store, struct dray_call *call, int durable)
{
    int32_t code = check_moved(store, call);
    if (code == DRAY_OK)
        code = heed_troubles(store, call);
    if (code == DRAY_OK)
        code = set_sync(store, call, durable);
    if (code != DRAY_OK)
        return code;
    sqlite3_stmt *begin = sql_get(store, call, SQL_BEGIN);
    code = begin ? sql_step(store, call, begin, NULL) : call->error->code;
    if (code != DRAY_OK)
        return code;
    store->transaction++;
    store->ring = 0;
    store->ntotals = store->last_total = 0;
    store->wall_ms = store->host->wall_ms(store->host);
    store->mono_ms = store->host->mono_ms(store->host);
    return read_meta(store, call);
}

int32_t txn_begin(struct store *store, struct dray_call *call, int durable)
{
    if (store->poisoned)
        return store->host->fail(call, DRAY_POISONED, 0,
            "%s: an earlier write failed; nothing more is changed until it is opened again",
            store->path);
    int32_t code = txn_lock(store, call);
    if (code != DRAY_OK)
        return code;
    code = begin_locked(store, call, durable);
    return code == DRAY_OK ? DRAY_OK : txn_abort(store, code);
}

int32_t txn_abort(struct store *store, int32_t code)
{
    /* An error of SQLite's may have rolled back by itself. */
    if (!sqlite3_get_autocommit(store->db) &&
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
        txn_poison(store);
    queue_forget_new(store);
    txn_unlock(store);
    return code;
}

/* The commit has begun. Full and locked are SQLite's word that it undid everything; after any other
   failure the rows may be there when the file is next opened (seen with a failed fsync). */
static int32_t fail_commit(struct store *store, struct dray_call *call, int rc)
{
    if (sql_is_full(store, rc) || (rc & 0xff) == SQLITE_BUSY)
        return txn_abort(store, sql_fail(store, call, rc));
    int sys = sqlite3_system_errno(store->db);
    store->host->fail(call, DRAY_UNKNOWN, sys,
        "%s: the commit failed (%s%s%s), it may or may not have been done; check the disk and open "
        "the queue again",
        store->path, sqlite3_errstr(rc), sys ? ": " : "", sys ? strerror(sys) : "");
    txn_poison(store);
    return txn_abort(store, DRAY_UNKNOWN);
}

/* After a commit, so its failure is not the call's: what was committed is safe in the log. */
static void trim_log(struct store *store, struct dray_call *call, int always)
{
    int left = 0, done = 0;
    if (!always && store->wal_frames < CHECKPOINT_FRAMES)
        return;
    (void)call;
    int rc = sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_PASSIVE, &left, &done);
    if ((rc & 0xff) == SQLITE_IOERR) {
        store->host->log(store->host, DRAY_LOG_ERROR, "%s: writing the log back failed (%s)",
            store->path, sqlite3_errstr(rc));
        txn_poison(store);
    } else if (left - done > WARN_FRAMES) {
        store->host->log(store->host, DRAY_LOG_WARN,
            "%s-wal has grown to %d pages: a program keeps a read transaction open", store->path,
            left);
    }
}

int32_t txn_commit(struct store *store, struct dray_call *call)
{
    int32_t code = queue_flush(store, call);
    if (code == DRAY_OK && store->next_dirty)
        code = write_meta(store, call);
    sqlite3_stmt *commit = code == DRAY_OK ? sql_get(store, call, SQL_COMMIT) : NULL;
    if (!commit)
        return txn_abort(store, call->error->code);
    sqlite3_step(commit);
    int rc = sqlite3_reset(commit);
    if (rc != SQLITE_OK)
        return fail_commit(store, call, rc);
    if (store->ring)
        lock_ring(&store->lock);
    trim_log(store, call, !spare_is_there(&store->spare, gate_clock_ms()));
    txn_unlock(store);
    return DRAY_OK;
}

int32_t txn_end(struct store *store, struct dray_call *call, int32_t code)
{
    return code == DRAY_OK ? txn_commit(store, call) : txn_abort(store, code);
}

int32_t txn_begin_read(struct store *store, struct dray_call *call)
{
    sqlite3_stmt *begin = sql_get(store, call, SQL_BEGIN_READ);
    int32_t code = begin ? sql_step(store, call, begin, NULL) : call->error->code;
    store->transaction++;
    store->wall_ms = store->host->wall_ms(store->host);
    store->mono_ms = store->host->mono_ms(store->host);
    return code;
}

void txn_end_read(struct store *store)
{
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

int64_t txn_next(struct store *store)
{
    store->next_dirty = 1;
    return store->next++;
}
