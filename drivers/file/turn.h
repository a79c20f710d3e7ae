/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of workers and dispatchers; see dray/driver.h. Each is a session of its own. */
#ifndef FILE_TURN_H
#define FILE_TURN_H

#include "dray/driver.h"

int32_t turn_push(void *self, struct dray_call *call, struct dray_push *group);
int32_t turn_reserve(void *self, struct dray_call *call, const struct dray_reserve *want);
int32_t turn_settle(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);
int32_t turn_extend(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n);
int32_t turn_turn(void *self, struct dray_call *call, struct dray_turn *turn);

#endif
