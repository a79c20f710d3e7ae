/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The job table: all jobs of one store in memory, and the rules of the contract over them.
 *
 * Operations mirror those of driver.h and answer as they do. Time comes in with each call, so that
 * a caller reads the clock once. Memory comes from the host alone; an operation that finds none
 * answers DRAY_NOMEM for the item and leaves it as it was. Settling without a text to keep,
 * expiry and promotion never need memory: it is set aside when a job is handed out.
 *
 * One thread at a time. All pointers that go to sinks are borrowed from the table for the call.
 */
#ifndef DRIVERS_COMMON_TABLE_H
#define DRIVERS_COMMON_TABLE_H

#include "dray/driver.h"

struct table;

/* When a call happens. Leases live on `mono`. Delays live on `due`: the same as `mono`, or the wall
   clock for a store whose jobs survive the machine's next start. */
struct table_now {
    int64_t mono_ms;
    int64_t wall_ms;
    int64_t due_ms;
};

/* `capacity`: records of every state; DRAY_FULL for a group that would exceed it. `driver`, for
   error lines, must outlive the table. NULL without memory. */
struct table *table_new(const struct dray_host *host, const char *driver, uint64_t capacity);
void table_free(struct table *table);

/* What a text takes in a store beyond its own bytes; `payload`: it is one. */
typedef uint64_t (*table_extra_fn)(struct dray_str text, int payload);

/* From the beginning, table_measure is to count that too, and the names of queues and types. */
void table_weigh(struct table *table, table_extra_fn extra);

struct table_size {
    uint64_t jobs;
    uint64_t active; /* of them */
    uint64_t totals; /* types of queues that have counted anything */
    uint64_t bytes;  /* of all texts */
};

/* Jobs that are handed out. Takes a moment for each queue. */
uint64_t table_active(const struct table *table);

/* How much there is. Takes a moment for each type of each queue. */
void table_measure(const struct table *table, struct table_size *size);

/* Returns and sets group->code. */
int32_t table_push(struct table *table, struct dray_call *call, const struct table_now *now,
    struct dray_push *group);

/* Verdicts of ack and retry mixed. */
void table_settle(struct table *table, struct dray_call *call, const struct table_now *now,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n);

void table_extend(struct table *table, struct dray_call *call, const struct table_now *now,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n);

int32_t table_reserve(struct table *table, struct dray_call *call, const struct table_now *now,
    const struct dray_reserve *want);

int32_t table_change(struct table *table, struct dray_call *call, const struct table_now *now,
    const struct dray_change *change);

int32_t table_list(struct table *table, struct dray_call *call, const struct table_now *now,
    struct dray_filter *filter);

int32_t table_stats(struct table *table, struct dray_call *call, const struct table_now *now,
    const struct dray_str *queues, uint32_t n);

#endif
