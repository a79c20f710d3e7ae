/* SPDX-License-Identifier: Apache-2.0 */
/* Queues and totals: counted in memory during a transaction, written once at its end. */
#ifndef SQLITE_QUEUE_H
#define SQLITE_QUEUE_H

#include "sqlite/store.h"

/* The row of a queue as it is in this transaction. *out is NULL if there is none and `create` is 0.
   Valid until close. */
int32_t queue_find(struct store *store, struct dray_call *call, struct dray_str name, int create,
    struct queue_row **out);
int32_t queue_by_id(
    struct store *store, struct dray_call *call, int64_t id, struct queue_row **out);

/* A job enters or leaves a state. attempts and releases as they are while it is in it. */
void queue_enter(struct queue_row *queue, uint32_t state, int64_t attempts, int64_t releases);
void queue_leave(struct queue_row *queue, uint32_t state, int64_t attempts, int64_t releases);

/* What this transaction adds to a type's totals: the caller counts up its members at once. NULL
   without memory (explained). */
struct total *queue_total(struct store *store, struct dray_call *call,
    const struct queue_row *queue, struct dray_str type);

/* Writes all that changed. */
int32_t queue_flush(struct store *store, struct dray_call *call);

/* After a rollback: rows that this transaction made are no more. */
void queue_forget_new(struct store *store);

void queue_free(struct store *store);

#endif
