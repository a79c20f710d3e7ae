/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Around every operation: take the lock, read what others appended, let the operation change the
 * table, append what that has told, sync, give the lock.
 */
#ifndef FILE_SESSION_H
#define FILE_SESSION_H

#include "file/store.h"

#define SESSION_MAX_PUSH 10000u
#define SESSION_MAX_BATCH 1024u

enum { SESSION_READ = 0, SESSION_WRITE = 1 };

/* On DRAY_OK the lock is held and session_end must follow. */
int32_t session_begin(struct store *store, struct dray_call *call, int how);

/* `code` is what the operation has come to; unless it is DRAY_OK nothing is written. `sync`: its
   success is to be safe on the disk, if the durability is `host`. Returns what the operation
   answers in the end. */
int32_t session_end(struct store *store, struct dray_call *call, int32_t code, int sync);

/* The lock and nothing else, for open. */
int32_t session_lock(struct store *store, struct dray_call *call);
void session_unlock(struct store *store);

#endif
