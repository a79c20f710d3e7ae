/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that a worker makes: all are turns. */
#ifndef SQLITE_TURN_H
#define SQLITE_TURN_H

#include "dray/driver.h"

int32_t turn_turn(void *self, struct dray_call *call, struct dray_turn *turn);
int32_t turn_push(void *self, struct dray_call *call, struct dray_push *group);
int32_t turn_reserve(void *self, struct dray_call *call, const struct dray_reserve *want);
int32_t turn_ack(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);
int32_t turn_retry(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);
int32_t turn_extend(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);

#define TURN_MAX_PUSH 10000u
#define TURN_MAX_BATCH 256u

#endif
