/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that people ask for. */
#ifndef REDIS_PEOPLE_H
#define REDIS_PEOPLE_H

#include "dray/driver.h"

#include <hiredis/hiredis.h>

struct store;

int32_t people_change(void *self, struct dray_call *call, const struct dray_change *change);
int32_t people_list(void *self, struct dray_call *call, struct dray_filter *filter);
int32_t people_stats(void *self, struct dray_call *call, const struct dray_str *queues, uint32_t n);
int32_t people_tend(void *self, struct dray_call *call, struct dray_tend *tend);

/* The names of all queues: an array of strings that the caller frees. */
int32_t people_queues(struct store *store, struct dray_call *call, redisReply **reply);

#endif
