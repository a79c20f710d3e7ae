/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction: lock, begin, what it knows of queues and totals, commit, unlock. */
#ifndef SQLITE_TXN_H
#define SQLITE_TXN_H

#include "sqlite/store.h"

/* Notes when the call has to give up. Every operation begins with it. */
void txn_start_budget(struct store *store, const struct dray_call *call);

/* The driver's lock alone, for opening and tending. */
int32_t txn_lock(struct store *store, struct dray_call *call);
void txn_unlock(struct store *store);

/*
 * Begins to write. `durable`: the commit is synced where durability says so; without it the commit
 * survives every process, and the machine only by the next synced one.
 */
int32_t txn_begin(struct store *store, struct dray_call *call, int durable);

/* Writes what was gathered, commits, rings, unlocks. Not done: any code below 64. A commit that
   failed in another way is DRAY_UNKNOWN, and the instance is poisoned. */
int32_t txn_commit(struct store *store, struct dray_call *call);

/* Rolls back and unlocks. Returns `code`. */
int32_t txn_abort(struct store *store, int32_t code);

/* Commits if `code` is DRAY_OK, else rolls back. */
int32_t txn_end(struct store *store, struct dray_call *call, int32_t code);

/* A consistent look without the lock. */
int32_t txn_begin_read(struct store *store, struct dray_call *call);
void txn_end_read(struct store *store);

/* Carries the log into the database. Under the lock. */
int32_t txn_checkpoint(struct store *store, struct dray_call *call, int mode);

/* The next number: the ref of a new job, or a place in the order. Only rises. */
int64_t txn_next(struct store *store);

/* Gives up on the file after a failed write. */
void txn_poison(struct store *store);

#endif
