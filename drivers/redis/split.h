/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns of many bytes. A script has its texts in memory several times over, and nobody else is
 * served while it runs; so what goes into one call is bounded.
 */
#ifndef REDIS_SPLIT_H
#define REDIS_SPLIT_H

#include "dray/driver.h"

/* As turn_turn and turn_push. A group beyond the bound is refused by itself (DRAY_LIMIT); what is
   beyond it only together is done in several calls. */
int32_t split_turn(void *self, struct dray_call *call, struct dray_turn *turn);
int32_t split_push(void *self, struct dray_call *call, struct dray_push *group);

#endif
