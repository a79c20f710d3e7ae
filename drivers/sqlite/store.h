/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open queue database: what the files of this driver share. One instance, no lock of its own:
 * the core never overlaps two calls.
 *
 * Unless it says otherwise a function returns a DRAY_ code; any other than DRAY_OK has been
 * explained with host->fail. Writing functions are called inside a transaction (txn.h).
 */
#ifndef SQLITE_STORE_H
#define SQLITE_STORE_H

#include "common/bell.h"
#include "common/lock.h"
#include "common/xfsz.h"
#include "dray/driver.h"
#include "sqlite/arena.h"
#include "sqlite/spare.h"
#include "sqlite/sql.h"

#include <sqlite3.h>

/* A queue's row. Loaded at most once a transaction, changed in memory, written once before the
   commit: the lock makes that safe. */
struct queue_row {
    char name[DRAY_NAME_MAX + 1];
    uint32_t name_len;
    int64_t id;
    uint64_t loaded; /* transaction that it was read in */
    uint64_t added;  /* transaction that made it, or 0 */
    int dirty;
    int paused;
    int64_t ready, delayed, retrying, parked, active, dead, done;
    char consumer[DRAY_TEXT_MAX + 1];
    int64_t consumer_at; /* monotonic */
};

/* What a transaction adds to the totals of one type in one queue. */
struct total {
    int64_t queue;
    char type[DRAY_NAME_MAX + 1];
    uint32_t type_len;
    int64_t pushed, completed, failed, retried, died, runs, run_ms;
};

struct store {
    const struct dray_host *host;
    sqlite3 *db;
    sqlite3_stmt *stmts[SQL_COUNT];
    char *path; /* absolute; the folder resolved */
    char *lock_path;
    struct lock lock;
    struct bell bell;
    struct spare spare;
    struct xfsz xfsz;
    struct arena arena;
    struct handed *handed, **handed_end; /* jobs to hand out after the commit, in the arena */
    uint32_t durability;
    int syncing;       /* synchronous=FULL is set now */
    int poisoned;      /* DRAY_POISONED from now on */
    int told_full;     /* the log was told that the disk is full */
    int wal_frames;    /* after the last commit */
    uint64_t troubles; /* failed writes of all processes that this instance knows of */

    /* The transaction under way. */
    uint64_t transaction;
    int64_t wall_ms, mono_ms;
    int64_t deadline_ms; /* of the call, real monotonic time */
    int64_t next;        /* the next job's ref, and the next place in the order */
    int next_dirty;
    int ring; /* others have something to look for */

    struct queue_row **queues; /* cached: known to be in the table */
    uint32_t nqueues, queues_size, last_queue;
    struct total *totals;
    uint32_t ntotals, totals_size, last_total;
};

/* A job to be handed out. */
struct handed {
    struct handed *next;
    struct dray_job job;
};

static inline struct dray_str str_of(const char *data, uint64_t len)
{
    return (struct dray_str){data, len};
}

/* a + b for times: stays at the last representable moment. */
static inline int64_t time_add(int64_t now, uint64_t ms)
{
    int64_t sum;
    if (ms > INT64_MAX || __builtin_add_overflow(now, (int64_t)ms, &sum))
        return INT64_MAX;
    return sum;
}

#endif
