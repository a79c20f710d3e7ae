/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a turn, inside a transaction that the caller began (txn.h). Each answers in the
   answers and codes that it is given; another result than DRAY_OK rolls the whole turn back. */
#ifndef SQLITE_PARTS_H
#define SQLITE_PARTS_H

#include "sqlite/store.h"

/* push.c: one group; its own refusal is push->code. */
int32_t part_push(struct store *store, struct dray_call *call, struct dray_push *push);

/* settle.c: verdicts and renewals. */
int32_t part_settle(
    struct store *store, struct dray_call *call, const struct dray_lease *lease, int32_t *answer);
int32_t part_extend(
    struct store *store, struct dray_call *call, const struct dray_lease *lease, int32_t *answer);

/* reserve.c: what it hands out waits in store->handed for part_hand_out, after the commit. */
int32_t part_reserve(struct store *store, struct dray_call *call, const struct dray_reserve *want);
void part_hand_out(struct store *store, struct dray_call *call);

/* sweep.c: expired leases, due jobs, old ended jobs of one queue, a bounded slice each. *more:
   there is more to do at once. */
int32_t part_sweep(struct store *store, struct dray_call *call, struct queue_row *queue,
    const struct dray_reserve *want, int *more);

#endif
