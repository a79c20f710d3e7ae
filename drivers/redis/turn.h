/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of workers and dispatchers: each is a turn, each turn one script call. */
#ifndef REDIS_TURN_H
#define REDIS_TURN_H

#include "dray/driver.h"

#define TURN_MAX_PUSH 1000u
#define TURN_MAX_BATCH 1000u

int32_t turn_turn(void *self, struct dray_call *call, struct dray_turn *turn);
int32_t turn_reserve(void *self, struct dray_call *call, const struct dray_reserve *want);
int32_t turn_settle(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);
int32_t turn_extend(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);

#endif
