/* SPDX-License-Identifier: Apache-2.0 */
/* The ids of a listing, asked for in parts: a queue of millions takes longer than a call may. */
#ifndef REDIS_GATHER_H
#define REDIS_GATHER_H

#include "redis/listing.h"

#include "dray/driver.h"

struct store;

/* Notes what is to be gathered: the ids that the filter's queue, or all queues, hold; or the one id
   that it names. */
int32_t gather_begin(struct store *store, struct dray_call *call, struct listing *listing,
    const struct dray_filter *filter);

/* Gathers until all are there or store_clock_ms() says `until_ms`, and a part at least. */
int32_t gather_some(
    struct store *store, struct dray_call *call, struct listing *listing, int64_t until_ms);

/* Nonzero once all are there, in order, each once. */
int gather_is_over(const struct listing *listing);

#endif
